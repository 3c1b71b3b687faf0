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
    double error; /* the largest difference, relative to what a gradient of its length makes along
                     a direction, and to rounding */
} nm_model_check;

/* Checks a model of f64 on samples x, [batch, ...] of f64, tensors of the caller's, at its
 * parameters as they are. Outputs are weighted by random numbers; buffers are put back before each
 * pass, and dropout draws the same. `tell` (may be NULL) is called for each parameter that is
 * trained, in the store's order, and then for the samples. NM_ERROR_NUMERIC names the tensor and
 * both numbers; NM_ERROR_INPUT where the model is not of f64 or x does not fit.
 *
 * Surrogate gradients are no derivatives, and fail: spectral_norm's, whose power iteration
 * counts as constant, and batch_renorm's where its r and d, which do, are not clipped to 1 and 0
 * any more. */
NM_API nm_status nm_check_model(nm_model *model, nm_tensor *x,
                                void (*tell)(void *user, const nm_model_check *check), void *user);

#ifdef __cplusplus
}
#endif
#endif
