/* Running statistics found again after training. Those that training leaves are a moving average
 * over weights that are no more; here the weights stay, and every batch counts by its values.
 *
 *     nm_recalibrate(nm_model_network(model), loader);
 *
 * All of it is exact within rounding: means and squares of the batches are joined by the formula of
 * Chan, Golub and LeVeque, which never subtracts two large numbers. */
#ifndef NM_OPTIM_STATISTICS_H
#define NM_OPTIM_STATISTICS_H

#include "optim/data/loader.h"
#include "optim/network.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What batches had in each channel of each batch norm. */
typedef struct nm_statistics nm_statistics;

NM_API nm_statistics *nm_statistics_create(nm_context *context);
NM_API void nm_statistics_destroy(nm_statistics *statistics); /* NULL is fine */

/* Adds a batch's mean and biased variance, [channels] each, of `values` values a channel, to those
 * that belong to the running statistics `mean` and `var` (NULL: of the mean alone), which stay as
 * they are. Batch norm does it in a pass with nm_pass.statistics, and a layer of one's own with
 * running statistics may. */
NM_API nm_status nm_statistics_add(nm_statistics *statistics, const nm_entry *mean,
                                   const nm_entry *var, nm_tensor *batch_mean, nm_tensor *batch_var,
                                   int64_t values);

/* Runs the network over one epoch of the loader, as in inference but that layers with running
 * statistics normalize with each batch's and add them. The loader should shuffle, as in training,
 * and have no batch of one sample. NM_ERROR_INPUT if nothing was added. */
NM_API nm_status nm_statistics_gather(nm_statistics *statistics, const nm_network *network,
                                      nm_loader *loader);

/* How those of a layer differ from its running statistics, and how sure they are: the standard
 * error is that of a mean over batches drawn from the same source, NaN of a single one. */
typedef struct nm_statistics_report {
    const char *name; /* of the running mean: "bn1.running_mean" */
    int64_t batches;
    int64_t values;    /* of a channel, in all batches */
    double moved;      /* root mean square over the channels of (new mean - old) / new deviation */
    double mean_error; /* the same of the new mean's standard error */
    double ratio;      /* mean over the channels of new variance / old; NaN: of the mean alone */
    double var_error;  /* root mean square of the new variance's standard error / new variance */
} nm_statistics_report;

NM_API int nm_statistics_count(const nm_statistics *statistics); /* layers */
/* Once they are stored, beside what was there before. Zeros and the name NULL out of range. */
NM_API nm_statistics_report nm_statistics_at(const nm_statistics *statistics, int index);
/* Puts them in the running statistics' place: the mean over all values, and the unbiased variance
 * about it. All or, if one is not finite (NM_ERROR_NUMERIC), none. */
NM_API nm_status nm_statistics_store(nm_statistics *statistics);

/* Gathers and stores. */
NM_API nm_status nm_recalibrate(const nm_network *network, nm_loader *loader);

#ifdef __cplusplus
}
#endif
#endif
