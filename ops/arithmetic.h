/* Elementwise ops: arithmetic, functions of one number, activations. Those of two inputs broadcast
 * as NumPy does. */
#ifndef NM_OPS_ARITHMETIC_H
#define NM_OPS_ARITHMETIC_H

#include "core/op.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Arithmetic ---- */

NM_API nm_tensor *nm_add(nm_tape *tape, nm_tensor *a, nm_tensor *b); /* a + b */
NM_API nm_tensor *nm_sub(nm_tape *tape, nm_tensor *a, nm_tensor *b); /* a - b */
NM_API nm_tensor *nm_mul(nm_tape *tape, nm_tensor *a, nm_tensor *b); /* a * b */
NM_API nm_tensor *nm_div(nm_tape *tape, nm_tensor *a, nm_tensor *b); /* a / b */
NM_API nm_tensor *nm_neg(nm_tape *tape, nm_tensor *x);               /* -x */
/* scale * x + shift, for numbers known when the program is written */
NM_API nm_tensor *nm_affine(nm_tape *tape, nm_tensor *x, double scale, double shift);

typedef struct nm_affine_options {
    NM_STRUCT_SIZE(nm_affine_options);
    double scale NM_DEFAULT(1);
    double shift NM_DEFAULT(0);
} nm_affine_options;

/* ---- Exponentials, powers, roots ---- */

NM_API nm_tensor *nm_exp(nm_tape *tape, nm_tensor *x);        /* e^x */
NM_API nm_tensor *nm_log(nm_tape *tape, nm_tensor *x);        /* ln x */
NM_API nm_tensor *nm_expm1(nm_tape *tape, nm_tensor *x);      /* e^x - 1, accurate near 0 */
NM_API nm_tensor *nm_log1p(nm_tape *tape, nm_tensor *x);      /* ln(1 + x), likewise */
NM_API nm_tensor *nm_sqrt(nm_tape *tape, nm_tensor *x);       /* x^(1/2) */
NM_API nm_tensor *nm_rsqrt(nm_tape *tape, nm_tensor *x);      /* x^(-1/2) */
NM_API nm_tensor *nm_square(nm_tape *tape, nm_tensor *x);     /* x^2 */
NM_API nm_tensor *nm_reciprocal(nm_tape *tape, nm_tensor *x); /* 1 / x */
NM_API nm_tensor *nm_pow(nm_tape *tape, nm_tensor *x, double exponent); /* x^exponent */
/* The same with an exponent for each element, broadcast. */
NM_API nm_tensor *nm_pow_tensor(nm_tape *tape, nm_tensor *x, nm_tensor *exponent);

#define NM_POW_BY_INPUT NM_NO_LIMIT /* the exponent is the second input */

typedef struct nm_pow_options {
    NM_STRUCT_SIZE(nm_pow_options);
    double exponent NM_DEFAULT(NM_POW_BY_INPUT);
} nm_pow_options;

/* ---- Sine and its like ---- */

NM_API nm_tensor *nm_sin(nm_tape *tape, nm_tensor *x); /* sin x */
NM_API nm_tensor *nm_cos(nm_tape *tape, nm_tensor *x); /* cos x */
NM_API nm_tensor *nm_erf(nm_tape *tape,
                         nm_tensor *x); /* 2 / sqrt(pi) * the integral of e^(-t^2) from 0 to x */

/* ---- Size, sign, whole numbers; all but abs without a gradient ---- */

NM_API nm_tensor *nm_abs(nm_tape *tape, nm_tensor *x);   /* |x|; the derivative at 0 is 0 */
NM_API nm_tensor *nm_sign(nm_tape *tape, nm_tensor *x);  /* 1, 0 or -1; 0 for NaN */
NM_API nm_tensor *nm_floor(nm_tape *tape, nm_tensor *x); /* the whole number below */
NM_API nm_tensor *nm_ceil(nm_tape *tape, nm_tensor *x);  /* the whole number above */
NM_API nm_tensor *nm_round(nm_tape *tape,
                           nm_tensor *x); /* the nearest whole number; of two, the even one */

/* ---- Comparisons: 1 where they hold, else 0, in the type of the operands; no gradient ---- */

NM_API nm_tensor *nm_equal(nm_tape *tape, nm_tensor *a, nm_tensor *b);            /* a == b */
NM_API nm_tensor *nm_not_equal(nm_tape *tape, nm_tensor *a, nm_tensor *b);        /* a != b */
NM_API nm_tensor *nm_less(nm_tape *tape, nm_tensor *a, nm_tensor *b);             /* a < b */
NM_API nm_tensor *nm_less_or_equal(nm_tape *tape, nm_tensor *a, nm_tensor *b);    /* a <= b */
NM_API nm_tensor *nm_greater(nm_tape *tape, nm_tensor *a, nm_tensor *b);          /* a > b */
NM_API nm_tensor *nm_greater_or_equal(nm_tape *tape, nm_tensor *a, nm_tensor *b); /* a >= b */
NM_API nm_tensor *nm_isnan(nm_tape *tape, nm_tensor *x);                          /* x is NaN */

/* ---- One of two, limits ---- */

/* The larger and the smaller of two; NaN if one is. Equal ones share the gradient. */
NM_API nm_tensor *nm_maximum(nm_tape *tape, nm_tensor *a, nm_tensor *b); /* max(a, b) */
NM_API nm_tensor *nm_minimum(nm_tape *tape, nm_tensor *a, nm_tensor *b); /* min(a, b) */
/* a where the condition, of any type, is not 0, else b; all three broadcast. */
NM_API nm_tensor *nm_where(nm_tape *tape, nm_tensor *condition, nm_tensor *a, nm_tensor *b);

typedef struct nm_clamp_options {
    NM_STRUCT_SIZE(nm_clamp_options);
    double min NM_DEFAULT(-NM_NO_LIMIT); /* none */
    double max NM_DEFAULT(NM_NO_LIMIT);  /* none */
} nm_clamp_options;
NM_API void nm_clamp_options_init(nm_clamp_options *options);

/* x within min..max; NaN stays. At the limits the derivative is 1, beyond them 0. */
#define NM_CLAMP_DEFAULTS .min = -NM_NO_LIMIT, .max = NM_NO_LIMIT
#define nm_clamp(...) NM_CALL(2, nm_clamp, NM_END(nm_clamp_options), __VA_ARGS__)
#define nm_clamp_needs(tape, x, options)
#define nm_clamp_(tape, x, ...)                                                                    \
    nm_clamp_with(tape, x, NM_OPTIONS(nm_clamp_options, NM_CLAMP_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_clamp_with(nm_tape *tape, nm_tensor *x, const nm_clamp_options *options);

/* ---- Activations ---- */

NM_API nm_tensor *nm_relu(nm_tape *tape, nm_tensor *x);    /* max(x, 0) */
NM_API nm_tensor *nm_sigmoid(nm_tape *tape, nm_tensor *x); /* 1 / (1 + e^-x) */
NM_API nm_tensor *nm_tanh(nm_tape *tape, nm_tensor *x);    /* tanh x */
NM_API nm_tensor *nm_silu(nm_tape *tape, nm_tensor *x);    /* x / (1 + e^-x) */
NM_API nm_tensor *nm_mish(nm_tape *tape, nm_tensor *x);    /* x tanh(ln(1 + e^x)) */
NM_API nm_tensor *nm_selu(nm_tape *tape,
                          nm_tensor *x); /* elu with two constants that keep mean and variance */
NM_API nm_tensor *nm_hard_swish(nm_tape *tape, nm_tensor *x); /* x min(max(x + 3, 0), 6) / 6 */
/* x where x > 0, else weight * x; weight: [channels], the last axis, or [1]. */
NM_API nm_tensor *nm_prelu(nm_tape *tape, nm_tensor *x, nm_tensor *weight);

typedef struct nm_leaky_relu_options {
    NM_STRUCT_SIZE(nm_leaky_relu_options);
    double negative_slope NM_DEFAULT(0.01); /* below 0 */
} nm_leaky_relu_options;
NM_API void nm_leaky_relu_options_init(nm_leaky_relu_options *options);

/* x where x > 0, else negative_slope * x. Maas, Hannun, Ng 2013. */
#define NM_LEAKY_RELU_DEFAULTS .negative_slope = 0.01
#define nm_leaky_relu(...) NM_CALL(2, nm_leaky_relu, NM_END(nm_leaky_relu_options), __VA_ARGS__)
#define nm_leaky_relu_needs(tape, x, options)
#define nm_leaky_relu_(tape, x, ...)                                                               \
    nm_leaky_relu_with(tape, x,                                                                    \
                       NM_OPTIONS(nm_leaky_relu_options, NM_LEAKY_RELU_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_leaky_relu_with(nm_tape *tape, nm_tensor *x,
                                     const nm_leaky_relu_options *options);

typedef struct nm_elu_options {
    NM_STRUCT_SIZE(nm_elu_options);
    double alpha NM_DEFAULT(1); /* -alpha is what it tends to below 0 */
} nm_elu_options;
NM_API void nm_elu_options_init(nm_elu_options *options);

/* x where x > 0, else alpha (e^x - 1). Clevert, Unterthiner, Hochreiter 2016, arXiv 1511.07289. */
#define NM_ELU_DEFAULTS .alpha = 1
#define nm_elu(...) NM_CALL(2, nm_elu, NM_END(nm_elu_options), __VA_ARGS__)
#define nm_elu_needs(tape, x, options)
#define nm_elu_(tape, x, ...)                                                                      \
    nm_elu_with(tape, x, NM_OPTIONS(nm_elu_options, NM_ELU_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_elu_with(nm_tape *tape, nm_tensor *x, const nm_elu_options *options);

/* x where x > 0, else alpha (e^(x / alpha) - 1). Barron 2017, arXiv 1704.07483. */
#define nm_celu(...) NM_CALL(2, nm_celu, NM_END(nm_elu_options), __VA_ARGS__)
#define nm_celu_needs(tape, x, options)
#define nm_celu_(tape, x, ...)                                                                     \
    nm_celu_with(tape, x, NM_OPTIONS(nm_elu_options, NM_ELU_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_celu_with(nm_tape *tape, nm_tensor *x, const nm_elu_options *options);

typedef struct nm_softplus_options {
    NM_STRUCT_SIZE(nm_softplus_options);
    double beta NM_DEFAULT(1); /* how sharply it bends at 0 */
    double threshold NM_DEFAULT(20);
} nm_softplus_options;
NM_API void nm_softplus_options_init(nm_softplus_options *options);

/* ln(1 + e^(beta x)) / beta, and x where beta x > threshold. */
#define NM_SOFTPLUS_DEFAULTS .beta = 1, .threshold = 20
#define nm_softplus(...) NM_CALL(2, nm_softplus, NM_END(nm_softplus_options), __VA_ARGS__)
#define nm_softplus_needs(tape, x, options)
#define nm_softplus_(tape, x, ...)                                                                 \
    nm_softplus_with(tape, x, NM_OPTIONS(nm_softplus_options, NM_SOFTPLUS_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_softplus_with(nm_tape *tape, nm_tensor *x, const nm_softplus_options *options);

typedef struct nm_hard_sigmoid_options {
    NM_STRUCT_SIZE(nm_hard_sigmoid_options);
    double alpha NM_DEFAULT(1.0 / 6);
    double beta NM_DEFAULT(0.5);
} nm_hard_sigmoid_options;
NM_API void nm_hard_sigmoid_options_init(nm_hard_sigmoid_options *options);

/* alpha x + beta within 0..1. */
#define NM_HARD_SIGMOID_DEFAULTS .alpha = 1.0 / 6, .beta = 0.5
#define nm_hard_sigmoid(...)                                                                       \
    NM_CALL(2, nm_hard_sigmoid, NM_END(nm_hard_sigmoid_options), __VA_ARGS__)
#define nm_hard_sigmoid_needs(tape, x, options)
#define nm_hard_sigmoid_(tape, x, ...)                                                             \
    nm_hard_sigmoid_with(                                                                          \
        tape, x, NM_OPTIONS(nm_hard_sigmoid_options, NM_HARD_SIGMOID_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_hard_sigmoid_with(nm_tape *tape, nm_tensor *x,
                                       const nm_hard_sigmoid_options *options);

enum { NM_GELU_EXACT, NM_GELU_TANH };

typedef struct nm_gelu_options {
    NM_STRUCT_SIZE(nm_gelu_options);
    int approximate NM_DEFAULT(NM_GELU_EXACT); /* NM_GELU_EXACT or NM_GELU_TANH */
} nm_gelu_options;
NM_API void nm_gelu_options_init(nm_gelu_options *options);

/* x Phi(x), Phi the normal distribution. Hendrycks, Gimpel 2016, arXiv 1606.08415. */
#define NM_GELU_DEFAULTS .approximate = NM_GELU_EXACT
#define nm_gelu(...) NM_CALL(2, nm_gelu, NM_END(nm_gelu_options), __VA_ARGS__)
#define nm_gelu_needs(tape, x, options)
#define nm_gelu_(tape, x, ...)                                                                     \
    nm_gelu_with(tape, x, NM_OPTIONS(nm_gelu_options, NM_GELU_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_gelu_with(nm_tape *tape, nm_tensor *x, const nm_gelu_options *options);

#ifdef __cplusplus
}
#endif
#endif
