/* Matrix products, dense layers, convolutions and pooling. Images are [n, h, w, channels]. */
#ifndef NM_OPS_LINEAR_H
#define NM_OPS_LINEAR_H

#include "ops/activation.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Whether oneDNN may be used, where the library was built for it and it is installed: on at first.
 * The first product or convolution that is worth it loads it. Off, Norma's own kernels compute all;
 * results then differ within rounding. Returns what it was. */
NM_API bool nm_context_set_onednn(nm_context *context, bool on);
/* Whether the library was built for it and it is installed: loads it to find out. */
NM_API bool nm_has_onednn(void);
/* Whether convolutions of images with at most 4 channels, and the gradients of their weights, may
 * go to kernels of their own: on at first. Off, they go where all others go; results then differ
 * within rounding. Returns what it was. */
NM_API bool nm_context_set_narrow_conv(nm_context *context, bool on);
/* Whether convolutions with 3x3 kernels may be computed by Winograd's minimal filtering, in f32,
 * with channels in groups of 16 and enough places: on at first. Several times faster; results are
 * then farther from the exact ones (docs/performance.md says how far), and a NaN or infinity of x
 * reaches outputs beside those that its taps see. In bf16 the factors are rounded once transformed,
 * and results are some five times as far from the exact ones as those of plain bf16. Returns what
 * it was. */
NM_API bool nm_context_set_winograd(nm_context *context, bool on);

/* What a product's factors are rounded to. Sums are f32 either way, and so are all tensors but for
 * those of ops with the option `narrow`. */
typedef enum nm_precision {
    NM_PRECISION_F32,
    /* bf16, on a processor that has units for it (AVX-512 BF16), where that is faster: up to twice
     * as fast. Elsewhere, and between f64 tensors, the same as NM_PRECISION_F32. */
    NM_PRECISION_BF16
} nm_precision;

/* Their names as an option: "f32", "bf16", NULL. */
extern NM_API const char *const nm_precision_names[];

/* Whether this processor has units for bf16, and the library what uses them. */
NM_API bool nm_has_bf16(void);
/* Whether bf16 products are computed also without such units: slowly, to see their numbers. Off at
 * first. Returns what it was. */
NM_API bool nm_context_emulate_bf16(nm_context *context, bool on);

typedef struct nm_matmul_options {
    NM_STRUCT_SIZE(nm_matmul_options);
    bool transpose_a NM_DEFAULT(false);         /* of its last two axes */
    bool transpose_b NM_DEFAULT(false);         /* the same */
    int precision NM_DEFAULT(NM_PRECISION_F32); /* nm_precision */
} nm_matmul_options;
NM_API void nm_matmul_options_init(nm_matmul_options *options);

/* a [..., m, k] times b [..., k, n] is [..., m, n]; the axes before the last two broadcast. A
 * vector a is one row, a vector b one column, and the result has no axis for it. */
#define NM_MATMUL_DEFAULTS .transpose_a = false, .precision = NM_PRECISION_F32
#define nm_matmul(...) NM_CALL(3, nm_matmul, NM_END(nm_matmul_options), __VA_ARGS__)
#define nm_matmul_needs(tape, a, b, options)
#define nm_matmul_(tape, a, b, ...)                                                                \
    nm_matmul_with(tape, a, b, NM_OPTIONS(nm_matmul_options, NM_MATMUL_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_matmul_with(nm_tape *tape, nm_tensor *a, nm_tensor *b,
                                 const nm_matmul_options *options);

typedef struct nm_dense_options {
    NM_STRUCT_SIZE(nm_dense_options);
    int precision NM_DEFAULT(NM_PRECISION_F32); /* nm_precision, of the gradients' products too */
} nm_dense_options;
NM_API void nm_dense_options_init(nm_dense_options *options);

/* y = x w^T + b: x [..., in], w [out, in], b [out] or NULL; y [..., out]. */
#define NM_DENSE_DEFAULTS .precision = NM_PRECISION_F32
#define nm_dense(...) NM_CALL(4, nm_dense, NM_END(nm_dense_options), __VA_ARGS__)
#define nm_dense_needs(tape, x, w, b_or_NULL, options)
#define nm_dense_(tape, x, w, b, ...)                                                              \
    nm_dense_with(tape, x, w, b, NM_OPTIONS(nm_dense_options, NM_DENSE_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_dense_with(nm_tape *tape, nm_tensor *x, nm_tensor *w, nm_tensor *b,
                                const nm_dense_options *options);

typedef struct nm_dense_activation_options {
    NM_STRUCT_SIZE(nm_dense_activation_options);
    int precision NM_DEFAULT(NM_PRECISION_F32);    /* as nm_dense_options */
    int activation NM_DEFAULT(NM_ACTIVATION_RELU); /* nm_activation */
} nm_dense_activation_options;
NM_API void nm_dense_activation_options_init(nm_dense_activation_options *options);

/* y = activation(x w^T + b) in one op: dense and the activation one after the other, to the bit,
 * without the array between them. */
#define NM_DENSE_ACTIVATION_DEFAULTS .precision = NM_PRECISION_F32, .activation = NM_ACTIVATION_RELU
#define nm_dense_activation(...)                                                                   \
    NM_CALL(5, nm_dense_activation, NM_END(nm_dense_activation_options), __VA_ARGS__)
#define nm_dense_activation_needs(tape, x, w, b_or_NULL, activation_, options)
#define nm_dense_activation_(tape, x, w, b, activation_, ...)                                      \
    nm_dense_activation_with(tape, x, w, b,                                                        \
                             NM_OPTIONS_SET(nm_dense_activation_options,                           \
                                            NM_DENSE_ACTIVATION_DEFAULTS, activation,              \
                                            (int)(activation_), __VA_ARGS__))
NM_API nm_tensor *nm_dense_activation_with(nm_tape *tape, nm_tensor *x, nm_tensor *w, nm_tensor *b,
                                           const nm_dense_activation_options *options);

/* As a padding: as much as makes the output's size the image's, divided by the stride and rounded
 * up; an odd one goes behind. */
#define NM_PADDING_SAME (-1)

/* Lists of one number (both directions) or two (vertical, horizontal); a padding also of four: top,
 * bottom, left, right. */
typedef struct nm_conv2d_options {
    NM_STRUCT_SIZE(nm_conv2d_options);
    nm_ints stride NM_DEFAULT(NM_LIST_OF(1, 1));
    nm_ints padding NM_DEFAULT(NM_LIST_OF(1, 0));  /* zeros on each side, or NM_PADDING_SAME */
    nm_ints dilation NM_DEFAULT(NM_LIST_OF(1, 1)); /* distance of the kernel's taps */
    int64_t groups NM_DEFAULT(1); /* channels fall into so many groups that do not mix */
    int precision NM_DEFAULT(NM_PRECISION_F32); /* nm_precision, of the gradients' products too */
} nm_conv2d_options;
NM_API void nm_conv2d_options_init(nm_conv2d_options *options);

/* Cross-correlation: x [n, h, w, c], w [out, kh, kw, c / groups], b [out] or NULL;
 * y [n, oh, ow, out] with oh = (h + 2 padding - dilation (kh - 1) - 1) / stride + 1, rounded down.
 * y[n, i, j, o] = b[o] + sum over k, l, c of
 *     x[n, i stride + k dilation - padding, j stride + l dilation - padding, c] w[o, k, l, c] */
#define NM_CONV2D_GEOMETRY                                                                         \
    .stride = NM_LIST_OF(1, 1), .padding = NM_LIST_OF(1, 0), .dilation = NM_LIST_OF(1, 1),         \
    .groups = 1
#define NM_CONV2D_DEFAULTS NM_CONV2D_GEOMETRY, .precision = NM_PRECISION_F32
#define nm_conv2d(...) NM_CALL(4, nm_conv2d, NM_END(nm_conv2d_options), __VA_ARGS__)
#define nm_conv2d_needs(tape, x, w, b_or_NULL, options)
#define nm_conv2d_(tape, x, w, b, ...)                                                             \
    nm_conv2d_with(tape, x, w, b, NM_OPTIONS(nm_conv2d_options, NM_CONV2D_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_conv2d_with(nm_tape *tape, nm_tensor *x, nm_tensor *w, nm_tensor *b,
                                 const nm_conv2d_options *options);

typedef struct nm_conv1d_options {
    NM_STRUCT_SIZE(nm_conv1d_options);
    int64_t stride NM_DEFAULT(1);
    nm_ints padding NM_DEFAULT(NM_LIST_OF(1, 0)); /* one number, two (before, behind), or same */
    int64_t dilation NM_DEFAULT(1);
    int64_t groups NM_DEFAULT(1);
    int precision NM_DEFAULT(NM_PRECISION_F32);
} nm_conv1d_options;
NM_API void nm_conv1d_options_init(nm_conv1d_options *options);

/* The same for signals: x [n, length, c], w [out, k, c / groups], b [out] or NULL. */
#define NM_CONV1D_DEFAULTS                                                                         \
    .stride = 1, .padding = NM_LIST_OF(1, 0), .dilation = 1, .groups = 1,                          \
    .precision = NM_PRECISION_F32
#define nm_conv1d(...) NM_CALL(4, nm_conv1d, NM_END(nm_conv1d_options), __VA_ARGS__)
#define nm_conv1d_needs(tape, x, w, b_or_NULL, options)
#define nm_conv1d_(tape, x, w, b, ...)                                                             \
    nm_conv1d_with(tape, x, w, b, NM_OPTIONS(nm_conv1d_options, NM_CONV1D_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_conv1d_with(nm_tape *tape, nm_tensor *x, nm_tensor *w, nm_tensor *b,
                                 const nm_conv1d_options *options);

/* Lists of one number for all axes or three: depth, height, width; a padding also of six: two for
 * each axis. */
typedef struct nm_conv3d_options {
    NM_STRUCT_SIZE(nm_conv3d_options);
    nm_ints stride NM_DEFAULT(NM_LIST_OF(1, 1));
    nm_ints padding NM_DEFAULT(NM_LIST_OF(1, 0)); /* or NM_PADDING_SAME */
    nm_ints dilation NM_DEFAULT(NM_LIST_OF(1, 1));
    int64_t groups NM_DEFAULT(1);
    int precision NM_DEFAULT(NM_PRECISION_F32);
} nm_conv3d_options;
NM_API void nm_conv3d_options_init(nm_conv3d_options *options);

/* The same for volumes: x [n, d, h, w, c], w [out, kd, kh, kw, c / groups], b [out] or NULL. */
#define NM_CONV3D_DEFAULTS NM_CONV2D_DEFAULTS
#define nm_conv3d(...) NM_CALL(4, nm_conv3d, NM_END(nm_conv3d_options), __VA_ARGS__)
#define nm_conv3d_needs(tape, x, w, b_or_NULL, options)
#define nm_conv3d_(tape, x, w, b, ...)                                                             \
    nm_conv3d_with(tape, x, w, b, NM_OPTIONS(nm_conv3d_options, NM_CONV3D_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_conv3d_with(nm_tape *tape, nm_tensor *x, nm_tensor *w, nm_tensor *b,
                                 const nm_conv3d_options *options);

/* conv2d's options, and the size that the stride leaves open. */
typedef struct nm_conv2d_transpose_options {
    NM_STRUCT_SIZE(nm_conv2d_transpose_options);
    nm_ints stride NM_DEFAULT(NM_LIST_OF(1, 1));
    nm_ints padding NM_DEFAULT(NM_LIST_OF(1, 0));        /* cut off y, or NM_PADDING_SAME */
    nm_ints output_padding NM_DEFAULT(NM_LIST_OF(1, 0)); /* below the stride or the dilation */
    nm_ints dilation NM_DEFAULT(NM_LIST_OF(1, 1));
    int64_t groups NM_DEFAULT(1);
    int precision NM_DEFAULT(NM_PRECISION_F32);
} nm_conv2d_transpose_options;
NM_API void nm_conv2d_transpose_options_init(nm_conv2d_transpose_options *options);

/* Transposed convolution, conv2d's gradient in its input: x [n, h, w, c], w [c, kh, kw, out /
 * groups], b [out] or NULL; y [n, oh, ow, out] with oh = (h - 1) stride - padding of both sides +
 * dilation (kh - 1) + output_padding + 1; padding same: h stride. */
#define NM_CONV2D_TRANSPOSE_GEOMETRY NM_CONV2D_GEOMETRY, .output_padding = NM_LIST_OF(1, 0)
#define NM_CONV2D_TRANSPOSE_DEFAULTS NM_CONV2D_TRANSPOSE_GEOMETRY, .precision = NM_PRECISION_F32
#define nm_conv2d_transpose(...)                                                                   \
    NM_CALL(4, nm_conv2d_transpose, NM_END(nm_conv2d_transpose_options), __VA_ARGS__)
#define nm_conv2d_transpose_needs(tape, x, w, b_or_NULL, options)
#define nm_conv2d_transpose_(tape, x, w, b, ...)                                                   \
    nm_conv2d_transpose_with(                                                                      \
        tape, x, w, b,                                                                             \
        NM_OPTIONS(nm_conv2d_transpose_options, NM_CONV2D_TRANSPOSE_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_conv2d_transpose_with(nm_tape *tape, nm_tensor *x, nm_tensor *w, nm_tensor *b,
                                           const nm_conv2d_transpose_options *options);

/* conv2d's options, and what y goes through in the end. */
typedef struct nm_conv2d_activation_options {
    NM_STRUCT_SIZE(nm_conv2d_activation_options);
    nm_ints stride NM_DEFAULT(NM_LIST_OF(1, 1));
    nm_ints padding NM_DEFAULT(NM_LIST_OF(1, 0));
    nm_ints dilation NM_DEFAULT(NM_LIST_OF(1, 1));
    int64_t groups NM_DEFAULT(1);
    int precision NM_DEFAULT(NM_PRECISION_F32);
    int activation NM_DEFAULT(NM_ACTIVATION_RELU); /* nm_activation */
    bool narrow NM_DEFAULT(false); /* y of f32 is kept in bf16, for ops that take it: those of batch
                                      norm and conv2d */
} nm_conv2d_activation_options;
NM_API void nm_conv2d_activation_options_init(nm_conv2d_activation_options *options);

/* y = activation(conv2d(x, w, b)) in one op, without the array between them. */
#define NM_CONV2D_ACTIVATION_DEFAULTS NM_CONV2D_DEFAULTS, .activation = NM_ACTIVATION_RELU
#define nm_conv2d_activation(...)                                                                  \
    NM_CALL(4, nm_conv2d_activation, NM_END(nm_conv2d_activation_options), __VA_ARGS__)
#define nm_conv2d_activation_needs(tape, x, w, b_or_NULL, options)
#define nm_conv2d_activation_(tape, x, w, b, ...)                                                  \
    nm_conv2d_activation_with(                                                                     \
        tape, x, w, b,                                                                             \
        NM_OPTIONS(nm_conv2d_activation_options, NM_CONV2D_ACTIVATION_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_conv2d_activation_with(nm_tape *tape, nm_tensor *x, nm_tensor *w, nm_tensor *b,
                                            const nm_conv2d_activation_options *options);

typedef struct nm_pool2d_options {
    NM_STRUCT_SIZE(nm_pool2d_options);
    nm_ints kernel NM_DEFAULT(NM_NO_LIST);         /* required unless global; at most 65536 */
    nm_ints stride NM_DEFAULT(NM_NO_LIST);         /* default: the kernel */
    nm_ints padding NM_DEFAULT(NM_LIST_OF(1, 0));  /* as conv2d's, at most half the kernel */
    nm_ints dilation NM_DEFAULT(NM_LIST_OF(1, 1)); /* max_pool2d: distance of the kernel's places */
    bool global NM_DEFAULT(false);    /* instead of these: the whole image; y is [n, 1, 1, c] */
    bool ceil_mode NM_DEFAULT(false); /* round the output's size up: windows may end outside */
    bool count_include_pad NM_DEFAULT(true); /* avg_pool2d: padding counts as zeros in the mean */
} nm_pool2d_options;
NM_API void nm_pool2d_options_init(nm_pool2d_options *options);

#define NM_POOL2D_DEFAULTS                                                                         \
    .kernel = NM_NO_LIST, .stride = NM_NO_LIST, .padding = NM_LIST_OF(1, 0),                       \
    .dilation = NM_LIST_OF(1, 1), .global = false, .ceil_mode = false, .count_include_pad = true

/* The largest value under the kernel; the first one gets the gradient where several are largest. */
#define nm_max_pool2d(...) NM_CALL(2, nm_max_pool2d, NM_END(nm_pool2d_options), __VA_ARGS__)
#define nm_max_pool2d_needs(tape, x, options)
#define nm_max_pool2d_(tape, x, ...)                                                               \
    nm_max_pool2d_with(tape, x, NM_OPTIONS(nm_pool2d_options, NM_POOL2D_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_max_pool2d_with(nm_tape *tape, nm_tensor *x, const nm_pool2d_options *options);

/* The mean and the largest value of each channel over the whole image: [n, 1, 1, channels]. Equal
 * ones share the gradient of the largest, where nm_max_pool2d(.global = true) gives it to the
 * first. */
NM_API nm_tensor *nm_global_avg_pool(nm_tape *tape, nm_tensor *x);
NM_API nm_tensor *nm_global_max_pool(nm_tape *tape, nm_tensor *x);

/* The mean under the kernel. */
#define nm_avg_pool2d(...) NM_CALL(2, nm_avg_pool2d, NM_END(nm_pool2d_options), __VA_ARGS__)
#define nm_avg_pool2d_needs(tape, x, options)
#define nm_avg_pool2d_(tape, x, ...)                                                               \
    nm_avg_pool2d_with(tape, x, NM_OPTIONS(nm_pool2d_options, NM_POOL2D_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_avg_pool2d_with(nm_tape *tape, nm_tensor *x, const nm_pool2d_options *options);

#ifdef __cplusplus
}
#endif
#endif
