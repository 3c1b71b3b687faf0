/* Elementwise ops, reductions and shape ops. Elementwise ops of two inputs broadcast as NumPy does.
 *
 * All return a tensor of the tape, and NULL, with an error in the context, on failure. Those with
 * options take them by name behind the tensors: nm_sum(tape, x, .axes = NM_INTS(0)). The function
 * behind such a macro is nm_NAME_with(), which takes a struct; NULL: the defaults. */
#ifndef NM_OPS_BASIC_H
#define NM_OPS_BASIC_H

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

/* ---- Reductions ---- */

typedef struct nm_reduce_options {
    size_t struct_size NM_DEFAULT(sizeof(nm_reduce_options));
    nm_ints axes
        NM_DEFAULT(NM_NO_LIST); /* those that go; negative ones count from the end; empty: all */
    bool keepdims NM_DEFAULT(false); /* leave the axes that go, with length 1 */
} nm_reduce_options;
NM_API void nm_reduce_options_init(nm_reduce_options *options);

#define NM_REDUCE_DEFAULTS .axes = NM_NO_LIST, .keepdims = false

/* Sums of x along the axes, accurate to a few ulp whatever their length; the same for any number of
 * threads. Of nothing: 0. */
#define nm_sum(...) NM_CALL(2, nm_sum, NM_END(nm_reduce_options), __VA_ARGS__)
#define nm_sum_needs(tape, x, options)
#define nm_sum_(tape, x, ...)                                                                      \
    nm_sum_with(tape, x, NM_OPTIONS(nm_reduce_options, NM_REDUCE_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_sum_with(nm_tape *tape, nm_tensor *x, const nm_reduce_options *options);

/* sum / number of elements summed. Of nothing: NaN. */
#define nm_mean(...) NM_CALL(2, nm_mean, NM_END(nm_reduce_options), __VA_ARGS__)
#define nm_mean_needs(tape, x, options)
#define nm_mean_(tape, x, ...)                                                                     \
    nm_mean_with(tape, x, NM_OPTIONS(nm_reduce_options, NM_REDUCE_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_mean_with(nm_tape *tape, nm_tensor *x, const nm_reduce_options *options);

/* The largest value along the axes; NaN if there is one. Where several are largest, they share the
 * gradient equally. Of nothing: an error. */
#define nm_max(...) NM_CALL(2, nm_max, NM_END(nm_reduce_options), __VA_ARGS__)
#define nm_max_needs(tape, x, options)
#define nm_max_(tape, x, ...)                                                                      \
    nm_max_with(tape, x, NM_OPTIONS(nm_reduce_options, NM_REDUCE_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_max_with(nm_tape *tape, nm_tensor *x, const nm_reduce_options *options);

/* 1 where x equals m, which broadcasts to x's shape (two NaNs are equal), else 0; no gradient. */
NM_API nm_tensor *nm_max_mask(nm_tape *tape, nm_tensor *x, nm_tensor *m);

/* x summed over the axes along which `shape` broadcasts to x's shape. */
NM_API nm_tensor *nm_sum_to(nm_tape *tape, nm_tensor *x, nm_shape shape);
/* x repeated along the axes that `shape` adds or widens. */
NM_API nm_tensor *nm_broadcast_to(nm_tape *tape, nm_tensor *x, nm_shape shape);

/* ---- Shape ---- */

/* The elements of x, in order, under another shape of as many; one dimension may be -1: what is
 * left. Copies nothing. */
NM_API nm_tensor *nm_reshape(nm_tape *tape, nm_tensor *x, nm_shape shape);

typedef struct nm_permute_options {
    size_t struct_size NM_DEFAULT(sizeof(nm_permute_options));
    nm_ints axes NM_DEFAULT(
        NM_NO_LIST); /* axis i of the result is axes[i] of x; empty: all in reverse order */
} nm_permute_options;
NM_API void nm_permute_options_init(nm_permute_options *options);

/* x with its axes in another order: a matrix transposed, channels brought to the end. */
#define NM_PERMUTE_DEFAULTS .axes = NM_NO_LIST
#define nm_permute(...) NM_CALL(2, nm_permute, NM_END(nm_permute_options), __VA_ARGS__)
#define nm_permute_needs(tape, x, options)
#define nm_permute_(tape, x, ...)                                                                  \
    nm_permute_with(tape, x, NM_OPTIONS(nm_permute_options, NM_PERMUTE_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_permute_with(nm_tape *tape, nm_tensor *x, const nm_permute_options *options);

/* Lists with one item for each axis in `axes`. An empty list stands for its default. */
typedef struct nm_slice_options {
    size_t struct_size NM_DEFAULT(sizeof(nm_slice_options));
    nm_ints axes
        NM_DEFAULT(NM_NO_LIST); /* default: the first ones, in order; axes not named stay whole */
    nm_ints start NM_DEFAULT(
        NM_NO_LIST); /* first index; default: the first, or the last for a negative step */
    nm_ints stop NM_DEFAULT(NM_NO_LIST); /* the index before which to stop; default: none */
    nm_ints step NM_DEFAULT(NM_NO_LIST); /* not 0; default: 1 */
} nm_slice_options;
NM_API void nm_slice_options_init(nm_slice_options *options);

/* x[start:stop:step], ... as NumPy does it: negative indices count from the end, those out of range
 * are moved into it, and a slice may be empty. */
#define NM_SLICE_DEFAULTS                                                                          \
    .axes = NM_NO_LIST, .start = NM_NO_LIST, .stop = NM_NO_LIST, .step = NM_NO_LIST
#define nm_slice(...) NM_CALL(2, nm_slice, NM_END(nm_slice_options), __VA_ARGS__)
#define nm_slice_needs(tape, x, options)
#define nm_slice_(tape, x, ...)                                                                    \
    nm_slice_with(tape, x, NM_OPTIONS(nm_slice_options, NM_SLICE_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_slice_with(nm_tape *tape, nm_tensor *x, const nm_slice_options *options);

/* Zeros of that shape with y in the places that nm_slice() of those options takes. */
NM_API nm_tensor *nm_slice_grad(nm_tape *tape, nm_tensor *y, nm_shape shape,
                                const nm_slice_options *options);

typedef struct nm_concat_options {
    size_t struct_size NM_DEFAULT(sizeof(nm_concat_options));
    int64_t axis NM_DEFAULT(0); /* negative counts from the end */
} nm_concat_options;
NM_API void nm_concat_options_init(nm_concat_options *options);

/* The tensors one behind the other along an axis: nm_concat(tape, list, 2, .axis = -1). They agree
 * in type and all other dimensions. At most NM_MAX_INPUTS. */
#define NM_CONCAT_DEFAULTS .axis = 0
#define nm_concat(...) NM_CALL(3, nm_concat, NM_END(nm_concat_options), __VA_ARGS__)
#define nm_concat_needs(tape, tensors, count, options)
#define nm_concat_(tape, tensors, count, ...)                                                      \
    nm_concat_with(tape, tensors, count,                                                           \
                   NM_OPTIONS(nm_concat_options, NM_CONCAT_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_concat_with(nm_tape *tape, nm_tensor *const *tensors, int count,
                                 const nm_concat_options *options);

#ifdef __cplusplus
}
#endif
#endif
