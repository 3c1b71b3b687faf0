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
    NM_STRUCT_SIZE(nm_softmax_options);
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
    NM_STRUCT_SIZE(nm_cross_entropy_options);
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

typedef struct nm_nll_options {
    NM_STRUCT_SIZE(nm_nll_options);
    int64_t ignore_index NM_DEFAULT(-100);  /* rows with this label count for nothing */
    int reduction NM_DEFAULT(NM_LOSS_MEAN); /* an nm_loss_reduction, as nm_cross_entropy()'s */
} nm_nll_options;
NM_API void nm_nll_options_init(nm_nll_options *options);
#define NM_NLL_DEFAULTS .ignore_index = -100, .reduction = NM_LOSS_MEAN

/* -x[label], of logarithms of probabilities x [..., classes] such as nm_log_softmax() makes; all
 * else as nm_cross_entropy(), which is this of the log_softmax of its logits. */
#define nm_nll(...) NM_CALL(3, nm_nll, NM_END(nm_nll_options), __VA_ARGS__)
#define nm_nll_needs(tape, x, labels, options)
#define nm_nll_(tape, x, labels, ...)                                                              \
    nm_nll_with(tape, x, labels, NM_OPTIONS(nm_nll_options, NM_NLL_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_nll_with(nm_tape *tape, nm_tensor *x, nm_tensor *labels,
                              const nm_nll_options *options);

#define nm_weighted_nll(...) NM_CALL(4, nm_weighted_nll, NM_END(nm_nll_options), __VA_ARGS__)
#define nm_weighted_nll_needs(tape, x, labels, weight, options)
#define nm_weighted_nll_(tape, x, labels, weight, ...)                                             \
    nm_weighted_nll_with(tape, x, labels, weight,                                                  \
                         NM_OPTIONS(nm_nll_options, NM_NLL_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_weighted_nll_with(nm_tape *tape, nm_tensor *x, nm_tensor *labels,
                                       nm_tensor *weight, const nm_nll_options *options);

typedef struct nm_ctc_options {
    NM_STRUCT_SIZE(nm_ctc_options);
    int64_t blank NM_DEFAULT(0);            /* the class that stands for no label */
    int reduction NM_DEFAULT(NM_LOSS_MEAN); /* an nm_loss_reduction; the mean is of losses divided
                                               by the number of labels */
    bool zero_infinity NM_DEFAULT(false);   /* labels that cannot be cost 0, not infinity */
} nm_ctc_options;
NM_API void nm_ctc_options_init(nm_ctc_options *options);
#define NM_CTC_DEFAULTS .blank = 0, .reduction = NM_LOSS_MEAN, .zero_infinity = false

/* Connectionist temporal classification: log_probs [n, steps, classes], such as nm_log_softmax()
 * makes, targets [n, labels] of integers; input_lengths and target_lengths [n], or NULL: all steps
 * and labels count. Graves, Fernandez, Gomez, Schmidhuber 2006. */
#define nm_ctc(...) NM_CALL(5, nm_ctc, NM_END(nm_ctc_options), __VA_ARGS__)
#define nm_ctc_needs(tape, log_probs, targets, input_lengths_or_NULL, target_lengths_or_NULL,      \
                     options)
#define nm_ctc_(tape, log_probs, targets, input_lengths, target_lengths, ...)                      \
    nm_ctc_with(tape, log_probs, targets, input_lengths, target_lengths,                           \
                NM_OPTIONS(nm_ctc_options, NM_CTC_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_ctc_with(nm_tape *tape, nm_tensor *log_probs, nm_tensor *targets,
                              nm_tensor *input_lengths, nm_tensor *target_lengths,
                              const nm_ctc_options *options);

typedef struct nm_ctc_decode_options {
    NM_STRUCT_SIZE(nm_ctc_decode_options);
    int64_t blank NM_DEFAULT(0);    /* the class that stands for no label */
    int64_t padding NM_DEFAULT(-1); /* what stands behind a row's labels */
} nm_ctc_decode_options;
NM_API void nm_ctc_decode_options_init(nm_ctc_decode_options *options);
#define NM_CTC_DECODE_DEFAULTS .blank = 0, .padding = -1

/* The labels of the best path, i32 [n, steps]: the largest class of each step of x [n, steps,
 * classes], without repetitions and blanks; input_lengths [n], or NULL: all steps count. */
#define nm_ctc_decode(...) NM_CALL(3, nm_ctc_decode, NM_END(nm_ctc_decode_options), __VA_ARGS__)
#define nm_ctc_decode_needs(tape, x, input_lengths_or_NULL, options)
#define nm_ctc_decode_(tape, x, input_lengths, ...)                                                \
    nm_ctc_decode_with(tape, x, input_lengths,                                                     \
                       NM_OPTIONS(nm_ctc_decode_options, NM_CTC_DECODE_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_ctc_decode_with(nm_tape *tape, nm_tensor *x, nm_tensor *input_lengths,
                                     const nm_ctc_decode_options *options);

typedef struct nm_mse_options {
    NM_STRUCT_SIZE(nm_mse_options);
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
    NM_STRUCT_SIZE(nm_huber_options);
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

/* ---- More losses ----
 * Each is a number for each element or row, of which `reduction` makes the mean (of nothing: 0),
 * the sum, or nothing. x and target have the same shape: [n] against [n, 1] is an error. */

typedef struct nm_l1_options {
    NM_STRUCT_SIZE(nm_l1_options);
    int reduction NM_DEFAULT(NM_LOSS_MEAN); /* an nm_loss_reduction */
} nm_l1_options;
NM_API void nm_l1_options_init(nm_l1_options *options);
#define NM_L1_DEFAULTS .reduction = NM_LOSS_MEAN

/* |x - target| */
#define nm_l1(...) NM_CALL(3, nm_l1, NM_END(nm_l1_options), __VA_ARGS__)
#define nm_l1_needs(tape, x, target, options)
#define nm_l1_(tape, x, target, ...)                                                               \
    nm_l1_with(tape, x, target, NM_OPTIONS(nm_l1_options, NM_L1_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_l1_with(nm_tape *tape, nm_tensor *x, nm_tensor *target,
                             const nm_l1_options *options);

typedef struct nm_smooth_l1_options {
    NM_STRUCT_SIZE(nm_smooth_l1_options);
    int reduction NM_DEFAULT(NM_LOSS_MEAN); /* an nm_loss_reduction */
    double beta NM_DEFAULT(1);              /* above 0 */
} nm_smooth_l1_options;
NM_API void nm_smooth_l1_options_init(nm_smooth_l1_options *options);
#define NM_SMOOTH_L1_DEFAULTS .reduction = NM_LOSS_MEAN, .beta = 1

/* Of d = |x - target|: d^2 / (2 beta) where d < beta, else d - beta / 2. Girshick 2015, arXiv
 * 1504.08083. */
#define nm_smooth_l1(...) NM_CALL(3, nm_smooth_l1, NM_END(nm_smooth_l1_options), __VA_ARGS__)
#define nm_smooth_l1_needs(tape, x, target, options)
#define nm_smooth_l1_(tape, x, target, ...)                                                        \
    nm_smooth_l1_with(tape, x, target,                                                             \
                      NM_OPTIONS(nm_smooth_l1_options, NM_SMOOTH_L1_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_smooth_l1_with(nm_tape *tape, nm_tensor *x, nm_tensor *target,
                                    const nm_smooth_l1_options *options);

typedef struct nm_bce_with_logits_options {
    NM_STRUCT_SIZE(nm_bce_with_logits_options);
    int reduction NM_DEFAULT(NM_LOSS_MEAN); /* an nm_loss_reduction */
} nm_bce_with_logits_options;
NM_API void nm_bce_with_logits_options_init(nm_bce_with_logits_options *options);
#define NM_BCE_WITH_LOGITS_DEFAULTS .reduction = NM_LOSS_MEAN

/* Binary cross entropy of sigmoid(x) against a probability in 0..1, without overflow:
 *
 *     weight * (-pos_weight * target * ln sigmoid(x) - (1 - target) * ln(1 - sigmoid(x)))
 *
 * weight and pos_weight broadcast to x's shape; NULL: 1. The mean is over the elements, whatever
 * they weigh, as in PyTorch. */
#define nm_weighted_bce_with_logits(...)                                                           \
    NM_CALL(5, nm_weighted_bce_with_logits, NM_END(nm_bce_with_logits_options), __VA_ARGS__)
#define nm_weighted_bce_with_logits_needs(tape, x, target, weight_or_NULL, pos_weight_or_NULL,     \
                                          options)
#define nm_weighted_bce_with_logits_(tape, x, target, weight, pos_weight, ...)                     \
    nm_weighted_bce_with_logits_with(                                                              \
        tape, x, target, weight, pos_weight,                                                       \
        NM_OPTIONS(nm_bce_with_logits_options, NM_BCE_WITH_LOGITS_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_weighted_bce_with_logits_with(nm_tape *tape, nm_tensor *x, nm_tensor *target,
                                                   nm_tensor *weight, nm_tensor *pos_weight,
                                                   const nm_bce_with_logits_options *options);

#define nm_bce_with_logits(...)                                                                    \
    NM_CALL(3, nm_bce_with_logits, NM_END(nm_bce_with_logits_options), __VA_ARGS__)
#define nm_bce_with_logits_needs(tape, x, target, options)
#define nm_bce_with_logits_(tape, x, target, ...)                                                  \
    nm_bce_with_logits_with(                                                                       \
        tape, x, target,                                                                           \
        NM_OPTIONS(nm_bce_with_logits_options, NM_BCE_WITH_LOGITS_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_bce_with_logits_with(nm_tape *tape, nm_tensor *x, nm_tensor *target,
                                          const nm_bce_with_logits_options *options);

typedef struct nm_kl_div_options {
    NM_STRUCT_SIZE(nm_kl_div_options);
    /* An nm_loss_reduction, or NM_KL_BATCH: the sum over the length of the first axis, which is the
     * divergence of a batch of distributions. The mean is over elements. */
    int reduction NM_DEFAULT(NM_LOSS_MEAN);
    bool log_target NM_DEFAULT(false); /* the target is a logarithm too */
} nm_kl_div_options;
NM_API void nm_kl_div_options_init(nm_kl_div_options *options);
#define NM_KL_BATCH (NM_LOSS_NONE + 1)
#define NM_KL_DIV_DEFAULTS .reduction = NM_LOSS_MEAN, .log_target = false

/* The Kullback-Leibler divergence of a distribution from a target, x its logarithm:
 * target * (ln target - x), 0 where the target is 0. */
#define nm_kl_div(...) NM_CALL(3, nm_kl_div, NM_END(nm_kl_div_options), __VA_ARGS__)
#define nm_kl_div_needs(tape, x, target, options)
#define nm_kl_div_(tape, x, target, ...)                                                           \
    nm_kl_div_with(tape, x, target, NM_OPTIONS(nm_kl_div_options, NM_KL_DIV_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_kl_div_with(nm_tape *tape, nm_tensor *x, nm_tensor *target,
                                 const nm_kl_div_options *options);

typedef struct nm_hinge_options {
    NM_STRUCT_SIZE(nm_hinge_options);
    int reduction NM_DEFAULT(NM_LOSS_MEAN); /* an nm_loss_reduction */
    double margin NM_DEFAULT(1);
} nm_hinge_options;
NM_API void nm_hinge_options_init(nm_hinge_options *options);
#define NM_HINGE_DEFAULTS .reduction = NM_LOSS_MEAN, .margin = 1

/* max(0, margin - target * x), for targets of 1 and -1. Its slope where it begins is 0. */
#define nm_hinge(...) NM_CALL(3, nm_hinge, NM_END(nm_hinge_options), __VA_ARGS__)
#define nm_hinge_needs(tape, x, target, options)
#define nm_hinge_(tape, x, target, ...)                                                            \
    nm_hinge_with(tape, x, target, NM_OPTIONS(nm_hinge_options, NM_HINGE_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_hinge_with(nm_tape *tape, nm_tensor *x, nm_tensor *target,
                                const nm_hinge_options *options);

typedef struct nm_cosine_embedding_options {
    NM_STRUCT_SIZE(nm_cosine_embedding_options);
    int reduction NM_DEFAULT(NM_LOSS_MEAN); /* an nm_loss_reduction */
    double margin NM_DEFAULT(0);            /* -1 to 1 */
} nm_cosine_embedding_options;
NM_API void nm_cosine_embedding_options_init(nm_cosine_embedding_options *options);
#define NM_COSINE_EMBEDDING_DEFAULTS .reduction = NM_LOSS_MEAN, .margin = 0

/* Of the cosine c of a and b, [..., n] each, and a target [...]: 1 - c where it is 1,
 * max(0, c - margin) where it is -1, else 0. */
#define nm_cosine_embedding(...)                                                                   \
    NM_CALL(4, nm_cosine_embedding, NM_END(nm_cosine_embedding_options), __VA_ARGS__)
#define nm_cosine_embedding_needs(tape, a, b, target, options)
#define nm_cosine_embedding_(tape, a, b, target, ...)                                              \
    nm_cosine_embedding_with(                                                                      \
        tape, a, b, target,                                                                        \
        NM_OPTIONS(nm_cosine_embedding_options, NM_COSINE_EMBEDDING_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_cosine_embedding_with(nm_tape *tape, nm_tensor *a, nm_tensor *b,
                                           nm_tensor *target,
                                           const nm_cosine_embedding_options *options);

typedef struct nm_triplet_options {
    NM_STRUCT_SIZE(nm_triplet_options);
    int reduction NM_DEFAULT(NM_LOSS_MEAN); /* an nm_loss_reduction */
    double margin NM_DEFAULT(1);
    double p NM_DEFAULT(2);      /* of the norm, from 1 on, or NM_NORM_MAX */
    double eps NM_DEFAULT(1e-6); /* added to each difference, as PyTorch does */
    bool swap
        NM_DEFAULT(false); /* take the negative's distance from the positive, where it is less */
} nm_triplet_options;
NM_API void nm_triplet_options_init(nm_triplet_options *options);
#define NM_TRIPLET_DEFAULTS .reduction = NM_LOSS_MEAN, .margin = 1, .p = 2, .eps = 1e-6

/* max(0, margin + |anchor - positive| - |anchor - negative|), of vectors [..., n]. */
#define nm_triplet(...) NM_CALL(4, nm_triplet, NM_END(nm_triplet_options), __VA_ARGS__)
#define nm_triplet_needs(tape, anchor, positive, negative, options)
#define nm_triplet_(tape, anchor, positive, negative, ...)                                         \
    nm_triplet_with(tape, anchor, positive, negative,                                              \
                    NM_OPTIONS(nm_triplet_options, NM_TRIPLET_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_triplet_with(nm_tape *tape, nm_tensor *anchor, nm_tensor *positive,
                                  nm_tensor *negative, const nm_triplet_options *options);

/* ---- Dropout ---- */

typedef struct nm_dropout_options {
    NM_STRUCT_SIZE(nm_dropout_options);
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
