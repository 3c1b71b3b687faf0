/* Normalization: batch norm, its family over any axes, and weight norm. docs/normalization.md
 * derives their gradients, of first and second order, and compares the conventions of other
 * libraries. */
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
    NM_STRUCT_SIZE(nm_batch_norm_options);
    int64_t axis NM_DEFAULT(-1); /* of the channels; negative ones count from the end */
    double eps NM_DEFAULT(1e-5); /* added to the variance, inside the root; not below 0 */
    /* subtract the mean, do not divide: y = scale * (x - mean) + shift */
    bool mean_only NM_DEFAULT(false);
    int mode NM_DEFAULT(NM_TRAINING); /* an nm_norm_mode */
} nm_batch_norm_options;
NM_API void nm_batch_norm_options_init(nm_batch_norm_options *options);

#define NM_BATCH_NORM_DEFAULTS .axis = -1, .eps = 1e-5, .mean_only = false, .mode = NM_TRAINING

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
#define nm_batch_norm(...) NM_CALL(4, nm_batch_norm, NM_END(nm_batch_norm_options), __VA_ARGS__)
#define nm_batch_norm_needs(tape, x, scale_or_NULL, shift_or_NULL, options)
#define nm_batch_norm_(tape, x, scale, shift, ...)                                                 \
    nm_batch_norm_with(tape, x, scale, shift, NULL, NULL,                                          \
                       NM_OPTIONS(nm_batch_norm_options, NM_BATCH_NORM_DEFAULTS, __VA_ARGS__))     \
        .y

/* Batch norm with given statistics, [channels] each; var may be NULL if .mean_only is set. It has
 * gradients in all five inputs, so a frozen batch norm can stand in a network that trains. */
#define nm_batch_norm_inference(...)                                                               \
    NM_CALL(6, nm_batch_norm_inference, NM_END(nm_batch_norm_options), __VA_ARGS__)
#define nm_batch_norm_inference_needs(tape, x, scale_or_NULL, shift_or_NULL, mean, var, options)
#define nm_batch_norm_inference_(tape, x, scale, shift, mean, var, ...)                            \
    nm_batch_norm_with(tape, x, scale, shift, mean, var,                                           \
                       NM_OPTIONS_SET(nm_batch_norm_options, NM_BATCH_NORM_DEFAULTS, mode,         \
                                      NM_INFERENCE, __VA_ARGS__))                                  \
        .y

/* Everything at once, in either mode. The running statistics are used in inference only and may be
 * NULL in training. `options` may be NULL. */
NM_API nm_batch_norm_result nm_batch_norm_with(nm_tape *tape, nm_tensor *x, nm_tensor *scale,
                                               nm_tensor *shift, nm_tensor *running_mean,
                                               nm_tensor *running_var,
                                               const nm_batch_norm_options *options);

/* Moves running statistics, [channels] each and of x's type, by those of a batch: what batch norm
 * in training made of `x`, by the convention above, for a momentum from 0 to 1. `running_var` NULL:
 * the mean alone. Both move or, on failure, neither; nothing moves on a dry tape. Once a step, as
 * each call counts. */
NM_API nm_status nm_batch_norm_move(nm_tape *tape, nm_tensor *x, const nm_batch_norm_result *batch,
                                    nm_tensor *running_mean, nm_tensor *running_var,
                                    double momentum);

typedef struct nm_batch_norm_running_options {
    NM_STRUCT_SIZE(nm_batch_norm_running_options);
    int64_t axis NM_DEFAULT(-1); /* these as in nm_batch_norm_options */
    double eps NM_DEFAULT(1e-5);
    bool mean_only NM_DEFAULT(false);
    double momentum NM_DEFAULT(0.1); /* how much a new batch counts, 0 to 1 */
} nm_batch_norm_running_options;
NM_API void nm_batch_norm_running_options_init(nm_batch_norm_running_options *options);

#define NM_BATCH_NORM_RUNNING_DEFAULTS .axis = -1, .eps = 1e-5, .momentum = 0.1

/* Batch norm as a layer has it, in one call:
 *
 *     y = nm_batch_norm_running(tape, x, scale, shift, mean, var, training, .momentum = 0.05);
 *
 * In training x is normalized with the statistics of the batch, and then mean and var move by them;
 * else with mean and var, which stay as they are. Where they are frozen, `training` is false. var
 * may be NULL if .mean_only is set. NULL on failure. */
#define nm_batch_norm_running(...)                                                                 \
    NM_CALL(7, nm_batch_norm_running, NM_END(nm_batch_norm_running_options), __VA_ARGS__)
#define nm_batch_norm_running_needs(tape, x, scale_or_NULL, shift_or_NULL, mean, var, training,    \
                                    options)
#define nm_batch_norm_running_(tape, x, scale, shift, mean, var, training, ...)                    \
    nm_batch_norm_running_with(                                                                    \
        tape, x, scale, shift, mean, var, training,                                                \
        NM_OPTIONS(nm_batch_norm_running_options, NM_BATCH_NORM_RUNNING_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_batch_norm_running_with(nm_tape *tape, nm_tensor *x, nm_tensor *scale,
                                             nm_tensor *shift, nm_tensor *running_mean,
                                             nm_tensor *running_var, bool training,
                                             const nm_batch_norm_running_options *options);

/* ---- Batch normalization with what follows it, in one pass over the elements ----
 *
 *     y = activation(batch_norm(x) + residual)
 *
 * The result is that of the ops one after the other; what lies between them is never written. */

typedef struct nm_batch_norm_activation_options {
    NM_STRUCT_SIZE(nm_batch_norm_activation_options);
    int64_t axis NM_DEFAULT(-1); /* these as in nm_batch_norm_options */
    double eps NM_DEFAULT(1e-5);
    int mode NM_DEFAULT(NM_TRAINING);
    bool mean_only NM_DEFAULT(false);
    int activation NM_DEFAULT(NM_ACTIVATION_RELU); /* an nm_activation */
    bool narrow NM_DEFAULT(false); /* y of f32 is kept in bf16, for ops that take it: those of batch
                                      norm and conv2d. For channels on the last axis */
} nm_batch_norm_activation_options;
NM_API void nm_batch_norm_activation_options_init(nm_batch_norm_activation_options *options);

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

/* ---- Normalization over any axes ----
 *
 *     y = scale * (x - mean) / sqrt(var + eps) + shift        for every set by itself
 *
 * A set is all values of x along `axes`, for one index of the other axes and one group. The members
 * of the family below are this with some axes or others. */

typedef struct nm_normalize_options {
    NM_STRUCT_SIZE(nm_normalize_options);
    /* those that a set lies along; negative ones count from the end; empty: all */
    nm_ints axes NM_DEFAULT(NM_LIST_OF(1, -1));
    int64_t groups NM_DEFAULT(1); /* parts of `axis` that are sets of their own */
    int64_t axis NM_DEFAULT(-1);  /* the one of the axes that falls into groups */
    /* those that scale and shift have a value for each index of, in this order; empty: their shapes
     * broadcast to x's */
    nm_ints affine_axes NM_DEFAULT(NM_NO_LIST);
    bool subtract_mean NM_DEFAULT(true); /* else the mean counts as 0, in the variance too */
    bool divide NM_DEFAULT(true);        /* by the deviation */
    bool sum NM_DEFAULT(false);          /* by the root of the sum of squares, not of their mean */
    double eps NM_DEFAULT(1e-5);         /* added to the variance, inside the root; not below 0 */
    /* Let gradients through mean and variance; else they count as constants, and the gradient is
     * not the function's. */
    bool mean_gradient NM_DEFAULT(true);
    bool variance_gradient NM_DEFAULT(true);
    int mode NM_DEFAULT(NM_TRAINING); /* an nm_norm_mode */
} nm_normalize_options;
NM_API void nm_normalize_options_init(nm_normalize_options *options);

#define NM_NORMALIZE_DEFAULTS                                                                      \
    .axes = NM_LIST_OF(1, -1), .groups = 1, .axis = -1, .affine_axes = NM_NO_LIST,                 \
    .subtract_mean = true, .divide = true, .sum = false, .eps = 1e-5, .mean_gradient = true,       \
    .variance_gradient = true, .mode = NM_TRAINING

/* All belong to the tape; all NULL on failure. */
typedef struct nm_normalize_result {
    nm_tensor *y; /* of x's shape */
    /* What x was normalized with, one number a set: x's shape without the axes, with the groups in
     * place of theirs. A gradient may flow through them. */
    nm_tensor *mean;
    nm_tensor *var; /* biased */
} nm_normalize_result;

/* y = nm_normalize(tape, x, scale, shift, .axes = NM_INTS(1, 2)). scale and shift are of a shape
 * that broadcasts to x's, or as affine_axes say; NULL: 1 and 0. A set of one value is an error:
 * without its mean it would be 0, whatever x is. */
#define nm_normalize(...) NM_CALL(4, nm_normalize, NM_END(nm_normalize_options), __VA_ARGS__)
#define nm_normalize_needs(tape, x, scale_or_NULL, shift_or_NULL, options)
#define nm_normalize_(tape, x, scale, shift, ...)                                                  \
    nm_normalize_with(tape, x, scale, shift, NULL, NULL, NULL,                                     \
                      NM_OPTIONS(nm_normalize_options, NM_NORMALIZE_DEFAULTS, __VA_ARGS__))        \
        .y

/* Everything at once. mean and var: given statistics, for NM_INFERENCE, else NULL. weight: how much
 * each value counts in mean and variance, of a shape that broadcasts to x's, nothing below 0; with
 * 0 (a padded step of a sequence, a missing value) it counts for nothing, and may be NaN. No
 * gradient goes to it. NULL: 1. `options` may be NULL. */
NM_API nm_normalize_result nm_normalize_with(nm_tape *tape, nm_tensor *x, nm_tensor *scale,
                                             nm_tensor *shift, nm_tensor *mean, nm_tensor *var,
                                             nm_tensor *weight,
                                             const nm_normalize_options *options);

/* ---- Its members ----
 * Each is a row of ops/norm/members.c. scale and shift may be NULL: 1 and 0. By name (nm_call())
 * all but weight_standardization take normalize's weight, a mask for example, as a last input. */

/* Layer norm: a set is one sample's features. Ba, Kiros, Hinton 2016, arXiv 1607.06450. */
typedef struct nm_layer_norm_options {
    NM_STRUCT_SIZE(nm_layer_norm_options);
    int64_t axis NM_DEFAULT(-1); /* the first of the axes normalized; all behind it are too */
    double eps NM_DEFAULT(1e-5);
} nm_layer_norm_options;
NM_API void nm_layer_norm_options_init(nm_layer_norm_options *options);

#define NM_LAYER_NORM_DEFAULTS .axis = -1, .eps = 1e-5

/* nm_layer_norm(tape, x, scale, shift, .axis = 1): scale and shift of x's shape from the axis on,
 * or one that broadcasts to it. */
#define nm_layer_norm(...) NM_CALL(4, nm_layer_norm, NM_END(nm_layer_norm_options), __VA_ARGS__)
#define nm_layer_norm_needs(tape, x, scale_or_NULL, shift_or_NULL, options)
#define nm_layer_norm_(tape, x, scale, shift, ...)                                                 \
    nm_layer_norm_with(tape, x, scale, shift,                                                      \
                       NM_OPTIONS(nm_layer_norm_options, NM_LAYER_NORM_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_layer_norm_with(nm_tape *tape, nm_tensor *x, nm_tensor *scale,
                                     nm_tensor *shift, const nm_layer_norm_options *options);

/* RMS norm: y = scale * x / sqrt(mean of x^2 + eps). Zhang, Sennrich 2019, arXiv 1910.07467.
 * nm_rms_norm(tape, x, scale). Options as layer norm's. */
#define nm_rms_norm(...) NM_CALL(3, nm_rms_norm, NM_END(nm_layer_norm_options), __VA_ARGS__)
#define nm_rms_norm_needs(tape, x, scale_or_NULL, options)
#define nm_rms_norm_(tape, x, scale, ...)                                                          \
    nm_rms_norm_with(tape, x, scale,                                                               \
                     NM_OPTIONS(nm_layer_norm_options, NM_LAYER_NORM_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_rms_norm_with(nm_tape *tape, nm_tensor *x, nm_tensor *scale,
                                   const nm_layer_norm_options *options);

/* Instance norm: a set is one channel of one sample, at all places. Ulyanov, Vedaldi, Lempitsky
 * 2016, arXiv 1607.08022. */
typedef struct nm_instance_norm_options {
    NM_STRUCT_SIZE(nm_instance_norm_options);
    int64_t axis NM_DEFAULT(-1); /* of the channels; that of the samples is 0 */
    double eps NM_DEFAULT(1e-5);
} nm_instance_norm_options;
NM_API void nm_instance_norm_options_init(nm_instance_norm_options *options);

#define NM_INSTANCE_NORM_DEFAULTS .axis = -1, .eps = 1e-5

/* nm_instance_norm(tape, x, scale, shift, .eps = 1e-3): scale and shift are [channels]. */
#define nm_instance_norm(...)                                                                      \
    NM_CALL(4, nm_instance_norm, NM_END(nm_instance_norm_options), __VA_ARGS__)
#define nm_instance_norm_needs(tape, x, scale_or_NULL, shift_or_NULL, options)
#define nm_instance_norm_(tape, x, scale, shift, ...)                                              \
    nm_instance_norm_with(                                                                         \
        tape, x, scale, shift,                                                                     \
        NM_OPTIONS(nm_instance_norm_options, NM_INSTANCE_NORM_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_instance_norm_with(nm_tape *tape, nm_tensor *x, nm_tensor *scale,
                                        nm_tensor *shift, const nm_instance_norm_options *options);

/* Group norm: a set is one group of neighbouring channels of one sample, at all places. Wu, He
 * 2018, arXiv 1803.08494. One group: layer norm over all of a sample. */
typedef struct nm_group_norm_options {
    NM_STRUCT_SIZE(nm_group_norm_options);
    int64_t groups NM_DEFAULT(32); /* must divide the channels */
    int64_t axis NM_DEFAULT(-1);   /* of the channels; that of the samples is 0 */
    double eps NM_DEFAULT(1e-5);
} nm_group_norm_options;
NM_API void nm_group_norm_options_init(nm_group_norm_options *options);

#define NM_GROUP_NORM_DEFAULTS .groups = 32, .axis = -1, .eps = 1e-5

/* nm_group_norm(tape, x, scale, shift, .groups = 8): scale and shift are [channels]. */
#define nm_group_norm(...) NM_CALL(4, nm_group_norm, NM_END(nm_group_norm_options), __VA_ARGS__)
#define nm_group_norm_needs(tape, x, scale_or_NULL, shift_or_NULL, options)
#define nm_group_norm_(tape, x, scale, shift, ...)                                                 \
    nm_group_norm_with(tape, x, scale, shift,                                                      \
                       NM_OPTIONS(nm_group_norm_options, NM_GROUP_NORM_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_group_norm_with(nm_tape *tape, nm_tensor *x, nm_tensor *scale,
                                     nm_tensor *shift, const nm_group_norm_options *options);

/* To the length 1: y = x / sqrt(sum of x^2 + eps) along the axes. */
typedef struct nm_l2_normalize_options {
    NM_STRUCT_SIZE(nm_l2_normalize_options);
    nm_ints axes NM_DEFAULT(NM_LIST_OF(1, -1)); /* empty: all */
    double eps NM_DEFAULT(1e-12);
} nm_l2_normalize_options;
NM_API void nm_l2_normalize_options_init(nm_l2_normalize_options *options);

#define NM_L2_NORMALIZE_DEFAULTS .axes = NM_LIST_OF(1, -1), .eps = 1e-12
#define nm_l2_normalize(...)                                                                       \
    NM_CALL(2, nm_l2_normalize, NM_END(nm_l2_normalize_options), __VA_ARGS__)
#define nm_l2_normalize_needs(tape, x, options)
#define nm_l2_normalize_(tape, x, ...)                                                             \
    nm_l2_normalize_with(                                                                          \
        tape, x, NM_OPTIONS(nm_l2_normalize_options, NM_L2_NORMALIZE_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_l2_normalize_with(nm_tape *tape, nm_tensor *x,
                                       const nm_l2_normalize_options *options);

/* Filter response norm: y = scale * x / sqrt(mean of x^2 + eps) + shift over the places, behind
 * which stands maximum(y, threshold). Singh, Krishnan 2019, arXiv 1911.09737. */
typedef struct nm_filter_response_norm_options {
    NM_STRUCT_SIZE(nm_filter_response_norm_options);
    int64_t axis NM_DEFAULT(-1); /* of the channels; that of the samples is 0 */
    double eps NM_DEFAULT(1e-6);
} nm_filter_response_norm_options;
NM_API void nm_filter_response_norm_options_init(nm_filter_response_norm_options *options);

#define NM_FILTER_RESPONSE_NORM_DEFAULTS .axis = -1, .eps = 1e-6

/* nm_filter_response_norm(tape, x, scale, shift): scale and shift are [channels]. */
#define nm_filter_response_norm(...)                                                               \
    NM_CALL(4, nm_filter_response_norm, NM_END(nm_filter_response_norm_options), __VA_ARGS__)
#define nm_filter_response_norm_needs(tape, x, scale_or_NULL, shift_or_NULL, options)
#define nm_filter_response_norm_(tape, x, scale, shift, ...)                                       \
    nm_filter_response_norm_with(tape, x, scale, shift,                                            \
                                 NM_OPTIONS(nm_filter_response_norm_options,                       \
                                            NM_FILTER_RESPONSE_NORM_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_filter_response_norm_with(nm_tape *tape, nm_tensor *x, nm_tensor *scale,
                                               nm_tensor *shift,
                                               const nm_filter_response_norm_options *options);

/* Dynamic tanh: y = scale * tanh(alpha * x) + shift, for alpha [] or [1], and scale and shift of a
 * shape that broadcasts to x's, or NULL. Zhu and others 2025, arXiv 2503.10622. */
NM_API nm_tensor *nm_dynamic_tanh(nm_tape *tape, nm_tensor *x, nm_tensor *alpha, nm_tensor *scale,
                                  nm_tensor *shift);

/* ---- Weights: standardized, and divided by their largest singular value ---- */

/* y = gain * (w - mean) / sqrt(var + eps) for each row of w, [out, ...]. Qiao and others 2019,
 * arXiv 1903.10520. */
typedef struct nm_weight_standardization_options {
    NM_STRUCT_SIZE(nm_weight_standardization_options);
    double eps NM_DEFAULT(1e-5);
} nm_weight_standardization_options;
NM_API void nm_weight_standardization_options_init(nm_weight_standardization_options *options);

#define NM_WEIGHT_STANDARDIZATION_DEFAULTS .eps = 1e-5

/* nm_weight_standardization(tape, w, gain, .eps = 1e-8): gain is [out] or NULL (1). */
#define nm_weight_standardization(...)                                                             \
    NM_CALL(3, nm_weight_standardization, NM_END(nm_weight_standardization_options), __VA_ARGS__)
#define nm_weight_standardization_needs(tape, w, gain_or_NULL, options)
#define nm_weight_standardization_(tape, w, gain, ...)                                             \
    nm_weight_standardization_with(tape, w, gain,                                                  \
                                   NM_OPTIONS(nm_weight_standardization_options,                   \
                                              NM_WEIGHT_STANDARDIZATION_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_weight_standardization_with(nm_tape *tape, nm_tensor *w, nm_tensor *gain,
                                                 const nm_weight_standardization_options *options);

/* w, [out, ...], divided by left . W right, which is its largest singular value as a matrix [out,
 * rest] if left, [out], and right, [rest], are the singular vectors. They count as constants.
 * Miyato and others 2018, arXiv 1802.05957. */
NM_API nm_tensor *nm_spectral_norm(nm_tape *tape, nm_tensor *w, nm_tensor *left, nm_tensor *right);

/* ---- Weight normalization ----
 * Salimans, Kingma 2016, arXiv 1602.07868:
 *
 *     w = g * v / ||v||        for every index of the kept axis by itself
 *
 * The norm is Euclidean, over every axis but the kept one. A row of zeros (nothing larger than the
 * smallest normal number) gives w = 0 and gradients 0 in both v and g. */

#define NM_KEEP_NO_AXIS (-1)

typedef struct nm_weight_norm_options {
    NM_STRUCT_SIZE(nm_weight_norm_options);
    /* the kept one, from 0; NM_KEEP_NO_AXIS: one norm for all of v, g is [] */
    int64_t axis NM_DEFAULT(0);
} nm_weight_norm_options;
NM_API void nm_weight_norm_options_init(nm_weight_norm_options *options);

#define NM_WEIGHT_NORM_DEFAULTS .axis = 0

/* nm_weight_norm(tape, v, g, .axis = 0): g is [v's size along the axis], or [], or NULL (1). */
#define nm_weight_norm(...) NM_CALL(3, nm_weight_norm, NM_END(nm_weight_norm_options), __VA_ARGS__)
#define nm_weight_norm_needs(tape, v, g_or_NULL, options)
#define nm_weight_norm_(tape, v, g, ...)                                                           \
    nm_weight_norm_with(tape, v, g,                                                                \
                        NM_OPTIONS(nm_weight_norm_options, NM_WEIGHT_NORM_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_weight_norm_with(nm_tape *tape, nm_tensor *v, nm_tensor *g,
                                      const nm_weight_norm_options *options);

typedef struct nm_local_response_norm_options {
    NM_STRUCT_SIZE(nm_local_response_norm_options);
    int64_t size NM_DEFAULT(5); /* channels around each, itself among them */
    double alpha NM_DEFAULT(1e-4);
    double beta NM_DEFAULT(0.75);
    double k NM_DEFAULT(1); /* above 0 */
} nm_local_response_norm_options;
NM_API void nm_local_response_norm_options_init(nm_local_response_norm_options *options);
#define NM_LOCAL_RESPONSE_NORM_DEFAULTS .size = 5, .alpha = 1e-4, .beta = 0.75, .k = 1

/* x / (k + alpha m)^beta, with m the mean of x^2 over `size` channels, size / 2 of them before
 * each: x [..., channels]. Krizhevsky, Sutskever, Hinton 2012; without learned parameters. */
#define nm_local_response_norm(...)                                                                \
    NM_CALL(2, nm_local_response_norm, NM_END(nm_local_response_norm_options), __VA_ARGS__)
#define nm_local_response_norm_needs(tape, x, options)
#define nm_local_response_norm_(tape, x, ...)                                                      \
    nm_local_response_norm_with(                                                                   \
        tape, x,                                                                                   \
        NM_OPTIONS(nm_local_response_norm_options, NM_LOCAL_RESPONSE_NORM_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_local_response_norm_with(nm_tape *tape, nm_tensor *x,
                                              const nm_local_response_norm_options *options);

#ifdef __cplusplus
}
#endif
#endif
