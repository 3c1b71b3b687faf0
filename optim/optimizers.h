/* The built-in optimizers. Each is chosen by a call of its name: nm_adam(.rate = 1e-3) is a choice
 * of Adam that holds its options itself: it may be returned, copied and kept.
 *
 * In the formulas g is the gradient, w the parameter, t the number of this update, from 1. States
 * are 0 at first. Weight decay takes weights only (NM_WEIGHT), unless decay_norm_and_bias is set.
 */
#ifndef NM_OPTIM_OPTIMIZERS_H
#define NM_OPTIM_OPTIMIZERS_H

#include "optim/optimizer.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- SGD ---- */

/* Stochastic gradient descent, as PyTorch computes it:
 *
 *     d = gradient + weight_decay * w
 *     v = momentum * v + d                 v is 0 at first
 *     w = w - rate * v                     or, with nesterov, w - rate * (d + momentum * v)
 *
 * Sutskever, Martens, Dahl, Hinton 2013, "On the importance of initialization and momentum". */
typedef struct nm_sgd_options {
    NM_OPTIMIZER_FIELDS;
    double momentum NM_DEFAULT(0);
    bool nesterov NM_DEFAULT(false);
} nm_sgd_options;

#define NM_SGD_DEFAULTS .rate = 0.1, .nesterov = false
NM_API void nm_sgd_options_init(nm_sgd_options *options);

extern NM_API const nm_optimizer_type nm_optimizer_sgd;

/* A choice of SGD: nm_sgd(.rate = 0.1, .momentum = 0.9). Holds its options itself: it may be
 * returned, copied and kept. */
#define nm_sgd(...) NM_CHOICE(nm_optimizer_sgd, nm_sgd_options, NM_SGD_DEFAULTS, __VA_ARGS__)

/* ---- Adam, AdamW ---- */

/* Adam, as PyTorch computes it, with d = g + weight_decay * w:
 *
 *     m = beta1 * m + (1 - beta1) * d
 *     v = beta2 * v + (1 - beta2) * d^2
 *     w = w - rate * (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)
 *
 * and with amsgrad the largest v so far in the root. Kingma, Ba 2014, arXiv 1412.6980; AMSGrad:
 * Reddi, Kale, Kumar 2018, arXiv 1904.09237. */
typedef struct nm_adam_options {
    NM_OPTIMIZER_FIELDS_OF(1e-3, 0);
    double beta1 NM_DEFAULT(0.9);
    double beta2 NM_DEFAULT(0.999);
    double eps NM_DEFAULT(1e-8);
    bool amsgrad NM_DEFAULT(false);
} nm_adam_options;

#define NM_ADAM_DEFAULTS .rate = 1e-3, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8
NM_API void nm_adam_options_init(nm_adam_options *options);
extern NM_API const nm_optimizer_type nm_optimizer_adam;
#define nm_adam(...) NM_CHOICE(nm_optimizer_adam, nm_adam_options, NM_ADAM_DEFAULTS, __VA_ARGS__)

/* Adam with decay apart from the gradient: first w = w - rate * weight_decay * w, then Adam's step
 * with d = g. Loshchilov, Hutter 2017, arXiv 1711.05101. */
typedef struct nm_adamw_options {
    NM_OPTIMIZER_FIELDS_OF(1e-3, 0.01);
    double beta1 NM_DEFAULT(0.9);
    double beta2 NM_DEFAULT(0.999);
    double eps NM_DEFAULT(1e-8);
    bool amsgrad NM_DEFAULT(false);
} nm_adamw_options;

#define NM_ADAMW_DEFAULTS                                                                          \
    .rate = 1e-3, .weight_decay = 0.01, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8
NM_API void nm_adamw_options_init(nm_adamw_options *options);
extern NM_API const nm_optimizer_type nm_optimizer_adamw;
#define nm_adamw(...)                                                                              \
    NM_CHOICE(nm_optimizer_adamw, nm_adamw_options, NM_ADAMW_DEFAULTS, __VA_ARGS__)

/* ---- RMSprop, Adagrad ---- */

/* RMSprop, as PyTorch computes it, with d = g + weight_decay * w:
 *
 *     s = alpha * s + (1 - alpha) * d^2
 *     b = momentum * b + d / (sqrt(s) + eps)
 *     w = w - rate * b
 *
 * and with centered s - a^2 (not below 0) in the root, a = alpha * a + (1 - alpha) * d.
 * Tieleman, Hinton 2012, "Lecture 6.5"; centered: Graves 2013, arXiv 1308.0850. */
typedef struct nm_rmsprop_options {
    NM_OPTIMIZER_FIELDS_OF(0.01, 0);
    double alpha NM_DEFAULT(0.99);
    double eps NM_DEFAULT(1e-8);
    double momentum NM_DEFAULT(0);
    bool centered NM_DEFAULT(false);
} nm_rmsprop_options;

#define NM_RMSPROP_DEFAULTS .rate = 0.01, .alpha = 0.99, .eps = 1e-8
NM_API void nm_rmsprop_options_init(nm_rmsprop_options *options);
extern NM_API const nm_optimizer_type nm_optimizer_rmsprop;
#define nm_rmsprop(...)                                                                            \
    NM_CHOICE(nm_optimizer_rmsprop, nm_rmsprop_options, NM_RMSPROP_DEFAULTS, __VA_ARGS__)

/* Adagrad, as PyTorch computes it, with d = g + weight_decay * w:
 *
 *     s = s + d^2
 *     w = w - rate / (1 + (t - 1) * rate_decay) * d / (sqrt(s + initial) + eps)
 *
 * Duchi, Hazan, Singer 2011, "Adaptive subgradient methods". */
typedef struct nm_adagrad_options {
    NM_OPTIMIZER_FIELDS_OF(0.01, 0);
    double rate_decay NM_DEFAULT(0);
    double initial NM_DEFAULT(0); /* PyTorch's initial_accumulator_value */
    double eps NM_DEFAULT(1e-10);
} nm_adagrad_options;

#define NM_ADAGRAD_DEFAULTS .rate = 0.01, .eps = 1e-10
NM_API void nm_adagrad_options_init(nm_adagrad_options *options);
extern NM_API const nm_optimizer_type nm_optimizer_adagrad;
#define nm_adagrad(...)                                                                            \
    NM_CHOICE(nm_optimizer_adagrad, nm_adagrad_options, NM_ADAGRAD_DEFAULTS, __VA_ARGS__)

/* ---- Lion ---- */

/* The sign of a momentum, so that all elements move by the same amount:
 *
 *     w = w - rate * weight_decay * w - rate * sign(beta1 * m + (1 - beta1) * g)
 *     m = beta2 * m + (1 - beta2) * g
 *
 * Chen et al. 2023, arXiv 2302.06675, whose rates are 3 to 10 times smaller than AdamW's, and whose
 * weight decays are as much larger. */
typedef struct nm_lion_options {
    NM_OPTIMIZER_FIELDS_OF(1e-4, 0);
    double beta1 NM_DEFAULT(0.9);
    double beta2 NM_DEFAULT(0.99);
} nm_lion_options;

#define NM_LION_DEFAULTS .rate = 1e-4, .beta1 = 0.9, .beta2 = 0.99
NM_API void nm_lion_options_init(nm_lion_options *options);
extern NM_API const nm_optimizer_type nm_optimizer_lion;
#define nm_lion(...) NM_CHOICE(nm_optimizer_lion, nm_lion_options, NM_LION_DEFAULTS, __VA_ARGS__)

/* ---- Rates of layers: LARS, LAMB ----
 * Each weight tensor as a whole has a factor on its rate, which is 1 for other parameters and where
 * a norm in it is 0. For large batches. */

/* SGD with layer-wise rates, with d = g + weight_decay * w and Euclidean norms of whole tensors:
 *
 *     f = coefficient * |w| / (|g| + weight_decay * |w|)
 *     v = momentum * v + f * d
 *     w = w - rate * v
 *
 * You, Gitman, Ginsburg 2017, arXiv 1708.03888; there the rate is part of v. */
typedef struct nm_lars_options {
    NM_OPTIMIZER_FIELDS_OF(0.1, 0);
    double momentum NM_DEFAULT(0.9);
    double coefficient NM_DEFAULT(1e-3);
} nm_lars_options;

#define NM_LARS_DEFAULTS .rate = 0.1, .momentum = 0.9, .coefficient = 1e-3
NM_API void nm_lars_options_init(nm_lars_options *options);
extern NM_API const nm_optimizer_type nm_optimizer_lars;
#define nm_lars(...) NM_CHOICE(nm_optimizer_lars, nm_lars_options, NM_LARS_DEFAULTS, __VA_ARGS__)

/* Adam with layer-wise rates, with Adam's m and v of g:
 *
 *     r = (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps) + weight_decay * w
 *     w = w - rate * |w| / |r| * r
 *
 * You et al. 2019, arXiv 1904.00962. */
typedef struct nm_lamb_options {
    NM_OPTIMIZER_FIELDS_OF(1e-3, 0);
    double beta1 NM_DEFAULT(0.9);
    double beta2 NM_DEFAULT(0.999);
    double eps NM_DEFAULT(1e-6);
} nm_lamb_options;

#define NM_LAMB_DEFAULTS .rate = 1e-3, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-6
NM_API void nm_lamb_options_init(nm_lamb_options *options);
extern NM_API const nm_optimizer_type nm_optimizer_lamb;
#define nm_lamb(...) NM_CHOICE(nm_optimizer_lamb, nm_lamb_options, NM_LAMB_DEFAULTS, __VA_ARGS__)

/* ---- L-BFGS ---- */

/* Directions from the last steps and how the gradient changed over them: for gradients of all
 * samples, without noise. One update is one iteration of PyTorch's, without a line search:
 *
 *     w = w - rate * H * g, the first time w - rate * min(1, 1 / sum |g|) * g
 *
 * with g the gradient plus weight_decay * w, and H from the last history_size pairs. Nocedal 1980.
 */
typedef struct nm_lbfgs_options {
    NM_OPTIMIZER_FIELDS_OF(1, 0);
    int64_t history_size NM_DEFAULT(10);      /* at most 100, which is PyTorch's */
    double tolerance_grad NM_DEFAULT(1e-7);   /* a gradient within it moves nothing */
    double tolerance_change NM_DEFAULT(1e-9); /* nor does what leads down by less */
} nm_lbfgs_options;

#define NM_LBFGS_DEFAULTS                                                                          \
    .rate = 1, .history_size = 10, .tolerance_grad = 1e-7, .tolerance_change = 1e-9
NM_API void nm_lbfgs_options_init(nm_lbfgs_options *options);
extern NM_API const nm_optimizer_type nm_optimizer_lbfgs;
#define nm_lbfgs(...)                                                                              \
    NM_CHOICE(nm_optimizer_lbfgs, nm_lbfgs_options, NM_LBFGS_DEFAULTS, __VA_ARGS__)

#ifdef __cplusplus
}
#endif
#endif
