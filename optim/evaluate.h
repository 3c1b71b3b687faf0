/* Evaluation: the loss and metrics of a network over a data set, in inference. */
#ifndef NM_OPTIM_EVALUATE_H
#define NM_OPTIM_EVALUATE_H

#include <math.h>

#include "optim/loss.h"
#include "optim/metric.h"
#include "optim/network.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Sees what a network makes of each batch; another status than NM_OK ends the pass. The outputs are
 * gone after the call. */
typedef struct nm_onlooker {
    void *user;
    nm_status (*on_outputs)(void *user, nm_tensor *outputs, const nm_batch *batch);
} nm_onlooker;

typedef struct nm_evaluator {
    const nm_network *network;
    const nm_loss *loss;         /* NULL: none wanted; what it ignores the metrics do too */
    const nm_choices *metrics;   /* NULL: none wanted */
    nm_tape *tape;               /* is reset */
    const nm_onlooker *onlooker; /* NULL: nobody looks */
} nm_evaluator;

typedef struct nm_evaluation {
    int64_t samples; /* 0: there was no evaluation */
    int64_t ignored; /* of those: neither in the loss nor in the metric */
    double loss;     /* mean; NaN: none */
    union {
        double metric; /* the first; NaN: none */
        double metrics[NM_MAX_CHOICES];
    };
    int64_t only_class; /* that all samples were taken for, though their labels differ; -1: none */
} nm_evaluation;

#define NM_NO_METRICS                                                                              \
    {                                                                                              \
        (double)NAN, (double)NAN, (double)NAN, (double)NAN, (double)NAN, (double)NAN, (double)NAN, \
            (double)NAN                                                                            \
    }
#define NM_NO_EVALUATION                                                                           \
    ((nm_evaluation){.samples = 0, .loss = (double)NAN, .metrics = NM_NO_METRICS, .only_class = -1})

/* The metrics to measure with a loss: those given, or where none is, the one that usually goes with
 * the loss. NM_ERROR_INPUT if one is for other targets than the loss, or stands there twice. */
NM_API nm_status nm_metrics_choose(nm_context *context, const nm_choices *given,
                                   const nm_loss *loss, nm_choices *metrics);

/* Runs the network over one pass of a loader made for evaluation (nm_loader_create() without
 * `augment`): inference mode, nothing recorded, every batch's tensors forgotten before the next.
 * Fails if there is a loss and no sample counts for it.
 * Batches count by their samples, so the result does not depend on the batch size (but for the
 * rounding of a batch's mean). */
NM_API nm_status nm_evaluate(const nm_evaluator *evaluator, nm_loader *loader,
                             nm_evaluation *result);
/* The same over one batch, of a program's own say (optim/learn.h). */
NM_API nm_status nm_evaluate_batch(const nm_evaluator *evaluator, const nm_batch *batch,
                                   nm_evaluation *result);

#ifdef __cplusplus
}
#endif
#endif
