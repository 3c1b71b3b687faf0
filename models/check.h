/* The gradient check of whole models: every parameter's gradient, and that of the samples, against
 * differences along random directions. What nm_check_op() is for one op, this is for what layers
 * make of them, as the model runs in training: fused, with the batch's statistics. */
#ifndef NM_MODELS_CHECK_H
#define NM_MODELS_CHECK_H

#include "models/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What became of one tensor. */
typedef struct nm_model_check {
    const char *name; /* the parameter's, or "samples" */
    int projections;  /* directions that were compared */
    int kinks;        /* of them, those that had a kink of relu, a maximum and their like within the
                         usual step; they were compared with a shorter one */
    int left_out;     /* at a kink itself, where there is no derivative: not compared */
    double error;     /* the largest difference: of that along a direction, relative to what the
                         gradient makes along one like it */
} nm_model_check;

/* Checks a model of f64 on samples x, [batch, ...] of f64, tensors of the caller's, at its
 * parameters as they are. Outputs are weighted by random numbers; buffers are put back before each
 * pass, and dropout draws the same. `tell` (may be NULL) is called for each parameter that is
 * trained, in the store's order, and then for the samples. NM_ERROR_NUMERIC names the tensor and
 * both numbers; NM_ERROR_INPUT where the model is not of f64 or x does not fit.
 *
 * Surrogate gradients are no derivatives, and fail: batch_renorm's, whose r and d count as
 * constants, and spectral_norm's, whose power iteration does. */
NM_API nm_status nm_check_model(nm_model *model, nm_tensor *x,
                                void (*tell)(void *user, const nm_model_check *check), void *user);

#ifdef __cplusplus
}
#endif
#endif
