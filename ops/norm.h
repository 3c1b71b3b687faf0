/* Normalization: batch norm and weight norm. docs/normalization.md derives their gradients, of
 * first and second order, and compares the conventions of other libraries. */
#ifndef NM_OPS_NORM_H
#define NM_OPS_NORM_H

#include "core/op.h"
#include "ops/activation.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Batch normalization ----
 * Ioffe, Szegedy 2015, arXiv 1502.03167. Mean-only: Salimans, Kingma 2016, arXiv 1602.07868.
 *
 *     y = scale * (x - mean) / sqrt(var + eps) + shift        for every channel by itself
 *
 * In training, mean and var are those of the batch: over every axis but the channels', var divided
 * by the number of values (biased). In inference they are given. The op has no side effects: who
 * wants running statistics moves them with the results, by convention
 *
 *     running_mean = (1 - momentum) * running_mean + momentum * mean
 *     running_var  = (1 - momentum) * running_var  + momentum * var * m / (m - 1)
 *
 * where m is the number of values of a channel and momentum weights the new value. */

typedef enum nm_norm_mode {
    NM_TRAINING, /* normalize with the statistics of the batch */
    NM_INFERENCE /* with given ones */
} nm_norm_mode;

typedef struct nm_batch_norm_options {
    size_t struct_size;
    int64_t axis;   /* of the channels; negative ones count from the end */
    double eps;     /* added to the variance, inside the root; not below 0 */
    int mode;       /* an nm_norm_mode */
    bool mean_only; /* subtract the mean, do not divide: y = scale * (x - mean) + shift */
} nm_batch_norm_options;

#define NM_BATCH_NORM_DEFAULTS .axis = -1, .eps = 1e-5, .mode = NM_TRAINING

/* All belong to the tape; all NULL on failure. */
typedef struct nm_batch_norm_result {
    nm_tensor *y;    /* of x's shape */
    nm_tensor *mean; /* [channels]: what x was normalized with; a gradient may flow through it */
    nm_tensor *var;  /* [channels], biased; the same */
} nm_batch_norm_result;

/* Batch norm in training, for those who need only y:
 *
 *     nm_tensor *y = nm_batch_norm(tape, x, scale, shift, .eps = 1e-3);
 *
 * scale and shift are [channels] or NULL (1 and 0). A channel of fewer than two values is an error:
 * its result would be the shift, whatever x is. */
#define nm_batch_norm(...) nm_batch_norm_(__VA_ARGS__, NM_END(nm_batch_norm_options))
#define nm_batch_norm_(tape, x, scale, shift, ...)                                                 \
    nm_batch_norm_with(tape, x, scale, shift, NULL, NULL,                                          \
                       &(nm_batch_norm_options){NM_BATCH_NORM_DEFAULTS, __VA_ARGS__})              \
        .y

/* Batch norm with given statistics, [channels] each; var may be NULL if .mean_only is set. It has
 * gradients in all five inputs, so a frozen batch norm can stand in a network that trains. */
#define nm_batch_norm_inference(...)                                                               \
    nm_batch_norm_inference_(__VA_ARGS__, NM_END(nm_batch_norm_options))
#define nm_batch_norm_inference_(tape, x, scale, shift, mean, var, ...)                            \
    nm_batch_norm_with(                                                                            \
        tape, x, scale, shift, mean, var,                                                          \
        &(nm_batch_norm_options){NM_BATCH_NORM_DEFAULTS, .mode = NM_INFERENCE, __VA_ARGS__})       \
        .y

/* Everything at once, in either mode. The running statistics are used in inference only and may be
 * NULL in training. `options` may be NULL. */
NM_API nm_batch_norm_result nm_batch_norm_with(nm_tape *tape, nm_tensor *x, nm_tensor *scale,
                                               nm_tensor *shift, nm_tensor *running_mean,
                                               nm_tensor *running_var,
                                               const nm_batch_norm_options *options);

/* ---- Batch normalization with what follows it, in one pass over the elements ----
 *
 *     y = activation(batch_norm(x) + residual)
 *
 * The result is that of the ops one after the other; what lies between them is never written. */

typedef struct nm_batch_norm_activation_options {
    size_t struct_size;
    int64_t axis; /* these as in nm_batch_norm_options */
    double eps;
    int mode;
    bool mean_only;
    int activation; /* an nm_activation */
} nm_batch_norm_activation_options;

#define NM_BATCH_NORM_ACTIVATION_DEFAULTS                                                          \
    .axis = -1, .eps = 1e-5, .mode = NM_TRAINING, .activation = NM_ACTIVATION_RELU

/* Arguments and results as for nm_batch_norm_with(); residual is of x's shape or NULL (0). */
NM_API nm_batch_norm_result
nm_batch_norm_activation_with(nm_tape *tape, nm_tensor *x, nm_tensor *scale, nm_tensor *shift,
                              nm_tensor *residual, nm_tensor *running_mean, nm_tensor *running_var,
                              const nm_batch_norm_activation_options *options);

/* The same with max pooling over windows of 2 by 2 behind it, for images [n, h, w, channels]:
 *
 *     y = activation(max_pool2d(batch_norm(x)))
 *
 * which is also the pooling of the activation, as no activation ever falls. y is
 * [n, h / 2, w / 2, channels], rounded down. */
NM_API nm_batch_norm_result nm_batch_norm_max_pool2d_with(
    nm_tape *tape, nm_tensor *x, nm_tensor *scale, nm_tensor *shift, nm_tensor *running_mean,
    nm_tensor *running_var, const nm_batch_norm_activation_options *options);

/* ---- Weight normalization ----
 * Salimans, Kingma 2016, arXiv 1602.07868:
 *
 *     w = g * v / ||v||        for every index of the kept axis by itself
 *
 * The norm is Euclidean, over every axis but the kept one. A row of zeros (nothing larger than the
 * smallest normal number) gives w = 0 and gradients 0 in both v and g. */

#define NM_KEEP_NO_AXIS (-1)

typedef struct nm_weight_norm_options {
    size_t struct_size;
    int64_t axis; /* the kept one, from 0; NM_KEEP_NO_AXIS: one norm for all of v, g is [] */
} nm_weight_norm_options;

#define NM_WEIGHT_NORM_DEFAULTS .axis = 0

/* nm_weight_norm(tape, v, g, .axis = 0): g is [v's size along the axis], or [], or NULL (1). */
#define nm_weight_norm(...) nm_weight_norm_(__VA_ARGS__, NM_END(nm_weight_norm_options))
#define nm_weight_norm_(tape, v, g, ...)                                                           \
    nm_weight_norm_with(tape, v, g, &(nm_weight_norm_options){NM_WEIGHT_NORM_DEFAULTS, __VA_ARGS__})
NM_API nm_tensor *nm_weight_norm_with(nm_tape *tape, nm_tensor *v, nm_tensor *g,
                                      const nm_weight_norm_options *options);

#ifdef __cplusplus
}
#endif
#endif
