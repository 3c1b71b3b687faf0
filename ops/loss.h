/* Softmax, losses and dropout. */
#ifndef NM_OPS_LOSS_H
#define NM_OPS_LOSS_H

#include "core/op.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Softmax: y = e^x / sum(e^x) along an axis, and its logarithm ----
 * The largest element is subtracted first, so neither overflows. */

typedef struct nm_softmax_options {
    size_t struct_size NM_DEFAULT(sizeof(nm_softmax_options));
    int64_t axis NM_DEFAULT(-1); /* negative ones count from the end */
} nm_softmax_options;
NM_API void nm_softmax_options_init(nm_softmax_options *options);

#define NM_SOFTMAX_DEFAULTS .axis = -1
#define nm_softmax(...) NM_CALL(2, nm_softmax, NM_END(nm_softmax_options), __VA_ARGS__)
#define nm_softmax_needs(tape, x, options)
#define nm_softmax_(tape, x, ...)                                                                  \
    nm_softmax_with(tape, x, NM_OPTIONS(nm_softmax_options, NM_SOFTMAX_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_softmax_with(nm_tape *tape, nm_tensor *x, const nm_softmax_options *options);

#define nm_log_softmax(...) NM_CALL(2, nm_log_softmax, NM_END(nm_softmax_options), __VA_ARGS__)
#define nm_log_softmax_needs(tape, x, options)
#define nm_log_softmax_(tape, x, ...)                                                              \
    nm_log_softmax_with(tape, x, NM_OPTIONS(nm_softmax_options, NM_SOFTMAX_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_log_softmax_with(nm_tape *tape, nm_tensor *x,
                                      const nm_softmax_options *options);

/* ---- Losses ---- */

/* What becomes of the single losses: one number, or a tensor of them. */
typedef enum nm_loss_reduction { NM_LOSS_MEAN, NM_LOSS_SUM, NM_LOSS_NONE } nm_loss_reduction;

typedef struct nm_cross_entropy_options {
    size_t struct_size NM_DEFAULT(sizeof(nm_cross_entropy_options));
    double label_smoothing
        NM_DEFAULT(0); /* 0..1: how much of the target is spread over all classes evenly */
    int64_t ignore_index NM_DEFAULT(-100); /* rows with this label count for nothing */
    int reduction
        NM_DEFAULT(NM_LOSS_MEAN); /* an nm_loss_reduction; the mean is over the rows that count */
} nm_cross_entropy_options;
NM_API void nm_cross_entropy_options_init(nm_cross_entropy_options *options);

/* The cross entropy of softmax(logits) against integer labels:
 *
 *     loss = -sum over k of target_k * log_softmax(logits)_k,
 *     target_k = (1 - label_smoothing) * [k = label] + label_smoothing / classes
 *
 * logits [..., classes], labels [...] of i32, i64 or u8; the result is [] or, unreduced, [...]. A
 * label outside 0..classes-1 that is not ignore_index is an error. The mean over no rows at all
 * (every label ignored) is 0, with a gradient of 0; PyTorch gives NaN.
 *
 * Weighted: target_k is multiplied by weight_k, of weight [classes], which gets no gradient; the
 * mean is divided by the sum of the weights of the labels, as PyTorch has it. NULL: all 1. */
#define NM_CROSS_ENTROPY_DEFAULTS                                                                  \
    .label_smoothing = 0, .ignore_index = -100, .reduction = NM_LOSS_MEAN
#define nm_cross_entropy(...)                                                                      \
    NM_CALL(3, nm_cross_entropy, NM_END(nm_cross_entropy_options), __VA_ARGS__)
#define nm_cross_entropy_needs(tape, logits, labels, options)
#define nm_cross_entropy_(tape, logits, labels, ...)                                               \
    nm_cross_entropy_with(                                                                         \
        tape, logits, labels,                                                                      \
        NM_OPTIONS(nm_cross_entropy_options, NM_CROSS_ENTROPY_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_cross_entropy_with(nm_tape *tape, nm_tensor *logits, nm_tensor *labels,
                                        const nm_cross_entropy_options *options);

#define nm_weighted_cross_entropy(...)                                                             \
    NM_CALL(4, nm_weighted_cross_entropy, NM_END(nm_cross_entropy_options), __VA_ARGS__)
#define nm_weighted_cross_entropy_needs(tape, logits, labels, weight, options)
#define nm_weighted_cross_entropy_(tape, logits, labels, weight, ...)                              \
    nm_weighted_cross_entropy_with(                                                                \
        tape, logits, labels, weight,                                                              \
        NM_OPTIONS(nm_cross_entropy_options, NM_CROSS_ENTROPY_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_weighted_cross_entropy_with(nm_tape *tape, nm_tensor *logits,
                                                 nm_tensor *labels, nm_tensor *weight,
                                                 const nm_cross_entropy_options *options);

typedef struct nm_mse_options {
    size_t struct_size NM_DEFAULT(sizeof(nm_mse_options));
    int reduction NM_DEFAULT(NM_LOSS_MEAN); /* an nm_loss_reduction */
} nm_mse_options;
NM_API void nm_mse_options_init(nm_mse_options *options);

/* (x - target)^2, its mean or its sum. Both must have the same shape: [n] against [n, 1] is an
 * error, not [n, n] differences. */
#define NM_MSE_DEFAULTS .reduction = NM_LOSS_MEAN
#define nm_mse(...) NM_CALL(3, nm_mse, NM_END(nm_mse_options), __VA_ARGS__)
#define nm_mse_needs(tape, x, target, options)
#define nm_mse_(tape, x, target, ...)                                                              \
    nm_mse_with(tape, x, target, NM_OPTIONS(nm_mse_options, NM_MSE_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_mse_with(nm_tape *tape, nm_tensor *x, nm_tensor *target,
                              const nm_mse_options *options);

typedef struct nm_huber_options {
    size_t struct_size NM_DEFAULT(sizeof(nm_huber_options));
    double delta NM_DEFAULT(1); /* above 0; in the unit of x */
} nm_huber_options;
NM_API void nm_huber_options_init(nm_huber_options *options);

/* x^2 / 2 where |x| <= delta, else delta (|x| - delta / 2), elementwise: of x = output - target, a
 * loss for which far errors count less than their square (Huber 1964). */
#define NM_HUBER_DEFAULTS .delta = 1
#define nm_huber(...) NM_CALL(2, nm_huber, NM_END(nm_huber_options), __VA_ARGS__)
#define nm_huber_needs(tape, x, options)
#define nm_huber_(tape, x, ...)                                                                    \
    nm_huber_with(tape, x, NM_OPTIONS(nm_huber_options, NM_HUBER_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_huber_with(nm_tape *tape, nm_tensor *x, const nm_huber_options *options);

/* ---- Dropout ---- */

typedef struct nm_dropout_options {
    size_t struct_size NM_DEFAULT(sizeof(nm_dropout_options));
    double p NM_DEFAULT(0.5); /* the probability of a zero; at least 0 and below 1 */
    int64_t seed
        NM_DEFAULT(0); /* says which elements are zero; give every call and every step another */
} nm_dropout_options;
NM_API void nm_dropout_options_init(nm_dropout_options *options);

/* y = x / (1 - p) where kept, else 0 (also for an infinite x). Srivastava and others 2014. What is
 * kept depends on the seed and the element's number alone; the gradient draws it again instead of
 * storing it. Evaluation leaves the op out; p = 0 returns x's elements exactly. */
#define NM_DROPOUT_DEFAULTS .p = 0.5, .seed = 0
#define nm_dropout(...) NM_CALL(2, nm_dropout, NM_END(nm_dropout_options), __VA_ARGS__)
#define nm_dropout_needs(tape, x, options)
#define nm_dropout_(tape, x, ...)                                                                  \
    nm_dropout_with(tape, x, NM_OPTIONS(nm_dropout_options, NM_DROPOUT_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_dropout_with(nm_tape *tape, nm_tensor *x, const nm_dropout_options *options);
/* The same with the seed as a tensor of one integer, such as nm_tape_draw() gives; NULL: 0. */
NM_API nm_tensor *nm_dropout_drawn(nm_tape *tape, nm_tensor *x, nm_tensor *seed, double p);

#ifdef __cplusplus
}
#endif
#endif
