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
    size_t struct_size NM_DEFAULT(sizeof(nm_affine_options));
    double scale NM_DEFAULT(1);
    double shift NM_DEFAULT(0);
} nm_affine_options;

/* ---- Exponential, powers, roots ---- */

NM_API nm_tensor *nm_exp(nm_tape *tape, nm_tensor *x);                  /* e^x */
NM_API nm_tensor *nm_log(nm_tape *tape, nm_tensor *x);                  /* ln x */
NM_API nm_tensor *nm_sqrt(nm_tape *tape, nm_tensor *x);                 /* x^(1/2) */
NM_API nm_tensor *nm_square(nm_tape *tape, nm_tensor *x);               /* x^2 */
NM_API nm_tensor *nm_pow(nm_tape *tape, nm_tensor *x, double exponent); /* x^exponent */

typedef struct nm_pow_options {
    size_t struct_size NM_DEFAULT(sizeof(nm_pow_options));
    double exponent NM_DEFAULT(1);
} nm_pow_options;

/* ---- Activations ---- */

NM_API nm_tensor *nm_relu(nm_tape *tape, nm_tensor *x);    /* max(x, 0) */
NM_API nm_tensor *nm_sigmoid(nm_tape *tape, nm_tensor *x); /* 1 / (1 + e^-x) */
NM_API nm_tensor *nm_tanh(nm_tape *tape, nm_tensor *x);    /* tanh x */

typedef struct nm_leaky_relu_options {
    size_t struct_size NM_DEFAULT(sizeof(nm_leaky_relu_options));
    double slope NM_DEFAULT(0.01); /* below 0 */
} nm_leaky_relu_options;
NM_API void nm_leaky_relu_options_init(nm_leaky_relu_options *options);

/* x where x > 0, else slope * x. Maas, Hannun, Ng 2013. */
#define NM_LEAKY_RELU_DEFAULTS .slope = 0.01
#define nm_leaky_relu(...) NM_CALL(2, nm_leaky_relu, NM_END(nm_leaky_relu_options), __VA_ARGS__)
#define nm_leaky_relu_needs(tape, x, options)
#define nm_leaky_relu_(tape, x, ...)                                                               \
    nm_leaky_relu_with(tape, x,                                                                    \
                       NM_OPTIONS(nm_leaky_relu_options, NM_LEAKY_RELU_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_leaky_relu_with(nm_tape *tape, nm_tensor *x,
                                     const nm_leaky_relu_options *options);

enum { NM_GELU_EXACT, NM_GELU_TANH };

typedef struct nm_gelu_options {
    size_t struct_size NM_DEFAULT(sizeof(nm_gelu_options));
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
