/* Training and evaluation on batches of a program's own, one at a time: online learning, a loop by
 * hand, a simulation that makes its samples.
 *
 *     nm_learner learner = {.network = &network, .loss = &loss, .optimizer = optimizer, .tape =
 * tape}; float x[2][4] = {...}; int32_t labels[2] = {0, 1}; nm_batch batch =
 * nm_batch_of_labels(NM_SHAPE(2, 4), &x[0][0], labels); nm_learn(&learner, &batch, NULL);
 *
 * The same bits as the trainer makes of the same batches, and like there a step allocates nothing
 * after the first ones. */
#ifndef NM_OPTIM_LEARN_H
#define NM_OPTIM_LEARN_H

#include "optim/evaluate.h"
#include "optim/optimizer.h"
#include "optim/schedule.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Batches ---- */

/* A batch over arrays, which stay the caller's, unchanged for as long as the batch is used. `shape`
 * is [count, ...sample], so `x` has as many elements and `labels` one for each sample. What is
 * wrong with it, the call that uses it says. Samples are taken as they are: who standardizes them
 * does it before. */
NM_API nm_batch nm_batch_of_labels(nm_shape shape, float *x, int32_t *labels);
/* The same with values to predict, of shape [count, ...target]. */
NM_API nm_batch nm_batch_of_values(nm_shape shape, float *x, nm_shape target_shape, float *values);

/* Samples and targets of any batch, a loader's too, as tensors of the tape over the batch's memory.
 * NULL on failure, and where the batch has no targets. */
NM_API nm_tensor *nm_batch_samples(nm_tape *tape, const nm_batch *batch);
NM_API nm_tensor *nm_batch_targets(nm_tape *tape, const nm_batch *batch);

/* ---- Steps ---- */

/* What stands here must outlive it; zeros are what most want, but for the first four. */
typedef struct nm_learner {
    const nm_network *network;
    const nm_loss *loss;
    nm_optimizer *optimizer;     /* of the network's store */
    nm_tape *tape;               /* is reset */
    const nm_schedule *schedule; /* NULL: the optimizer's rate all the time */
    double clip_norm;            /* gradients are scaled down to this norm; 0: not */
    uint64_t seed;               /* of dropout */
    int64_t step;                /* updates made; each call counts one */
    bool by_tape; /* no step is kept and done again as a list (optim/steps.h): the same bits */
} nm_learner;

/* One update by one batch: forward, loss, backward, clipping, optimizer. *loss (NULL: not wanted)
 * is the batch's mean before the update; NaN on failure. Where the network wants it, the first
 * batch initializes it before. NM_ERROR_NUMERIC if the loss or the gradients' norm is not finite:
 * the parameters are as they were then, but running statistics may have moved. */
NM_API nm_status nm_learn(nm_learner *learner, const nm_batch *batch, double *loss);

#ifdef __cplusplus
}
#endif
#endif
