/* Ops that move elements and compute nothing, and the sum that broadcasting back needs. */
#ifndef NM_OPS_SHAPE_H
#define NM_OPS_SHAPE_H

#include "core/op.h"

#ifdef __cplusplus
extern "C" {
#endif

/* x summed over the axes along which `shape` broadcasts to x's shape. */
NM_API nm_tensor *nm_sum_to(nm_tape *tape, nm_tensor *x, nm_shape shape);
/* x repeated along the axes that `shape` adds or widens. */
NM_API nm_tensor *nm_broadcast_to(nm_tape *tape, nm_tensor *x, nm_shape shape);

/* The elements of x, in order, under another shape of as many; one dimension may be -1: what is
 * left. Copies nothing. */
NM_API nm_tensor *nm_reshape(nm_tape *tape, nm_tensor *x, nm_shape shape);

typedef struct nm_permute_options {
    NM_STRUCT_SIZE(nm_permute_options);
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
    NM_STRUCT_SIZE(nm_slice_options);
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
    NM_STRUCT_SIZE(nm_concat_options);
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

/* ---- Other axes for the same elements ---- */

typedef struct nm_axes_options {
    NM_STRUCT_SIZE(nm_axes_options);
    nm_ints axes NM_DEFAULT(NM_NO_LIST); /* negative ones count from the end */
} nm_axes_options;
NM_API void nm_axes_options_init(nm_axes_options *options);
#define NM_AXES_DEFAULTS .axes = NM_NO_LIST

/* x without its axes of length 1, or without those given. */
#define nm_squeeze(...) NM_CALL(2, nm_squeeze, NM_END(nm_axes_options), __VA_ARGS__)
#define nm_squeeze_needs(tape, x, options)
#define nm_squeeze_(tape, x, ...)                                                                  \
    nm_squeeze_with(tape, x, NM_OPTIONS(nm_axes_options, NM_AXES_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_squeeze_with(nm_tape *tape, nm_tensor *x, const nm_axes_options *options);

/* x with axes of length 1 where, in the result, `axes` says. */
#define nm_unsqueeze(...) NM_CALL(2, nm_unsqueeze, NM_END(nm_axes_options), __VA_ARGS__)
#define nm_unsqueeze_needs(tape, x, options)
#define nm_unsqueeze_(tape, x, ...)                                                                \
    nm_unsqueeze_with(tape, x, NM_OPTIONS(nm_axes_options, NM_AXES_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_unsqueeze_with(nm_tape *tape, nm_tensor *x, const nm_axes_options *options);

/* x with two axes in each other's place; nm_permute() takes all of them in any order. */
NM_API nm_tensor *nm_transpose(nm_tape *tape, nm_tensor *x, int64_t a, int64_t b);
/* x broadcast with the shape: where that has -1 or 1, x keeps its length. */
NM_API nm_tensor *nm_expand(nm_tape *tape, nm_tensor *x, nm_shape shape);

/* ---- Put together, cut, repeated ---- */

typedef struct nm_stack_options {
    NM_STRUCT_SIZE(nm_stack_options);
    int64_t axis NM_DEFAULT(0); /* in the result; negative counts from its end */
} nm_stack_options;
NM_API void nm_stack_options_init(nm_stack_options *options);
#define NM_STACK_DEFAULTS .axis = 0

/* Tensors of one shape one behind the other along a new axis: nm_stack(tape, list, 2, .axis = -1).
 */
#define nm_stack(...) NM_CALL(3, nm_stack, NM_END(nm_stack_options), __VA_ARGS__)
#define nm_stack_needs(tape, tensors, count, options)
#define nm_stack_(tape, tensors, count, ...)                                                       \
    nm_stack_with(tape, tensors, count,                                                            \
                  NM_OPTIONS(nm_stack_options, NM_STACK_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_stack_with(nm_tape *tape, nm_tensor *const *tensors, int count,
                                const nm_stack_options *options);

typedef struct nm_parts_options {
    NM_STRUCT_SIZE(nm_parts_options);
    nm_ints sizes NM_DEFAULT(NM_NO_LIST);
    int64_t axis NM_DEFAULT(0);
} nm_parts_options;

/* The parts of x along an axis, of those sizes: nm_split(tape, x, 0, NM_INTS(2, 3), parts); one
 * number is the size of all but the last, which has what is left. Those behind the last part are
 * NULL, all on failure. */
NM_API nm_status nm_split(nm_tape *tape, nm_tensor *x, int64_t axis, nm_ints sizes,
                          nm_tensor **parts);

/* x with its elements in reverse order along the axes; none given: all. */
#define nm_flip(...) NM_CALL(2, nm_flip, NM_END(nm_axes_options), __VA_ARGS__)
#define nm_flip_needs(tape, x, options)
#define nm_flip_(tape, x, ...)                                                                     \
    nm_flip_with(tape, x, NM_OPTIONS(nm_axes_options, NM_AXES_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_flip_with(nm_tape *tape, nm_tensor *x, const nm_axes_options *options);

typedef struct nm_tile_options {
    NM_STRUCT_SIZE(nm_tile_options);
    nm_ints repeats NM_DEFAULT(NM_NO_LIST);
} nm_tile_options;
NM_API void nm_tile_options_init(nm_tile_options *options);
#define NM_TILE_DEFAULTS .repeats = NM_NO_LIST

/* x, whole, as often as `repeats` says along each axis; fewer numbers: along the last ones; more: x
 * gets axes of length 1 in front. */
#define nm_tile(...) NM_CALL(2, nm_tile, NM_END(nm_tile_options), __VA_ARGS__)
#define nm_tile_needs(tape, x, options)
#define nm_tile_(tape, x, ...)                                                                     \
    nm_tile_with(tape, x, NM_OPTIONS(nm_tile_options, NM_TILE_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_tile_with(nm_tape *tape, nm_tensor *x, const nm_tile_options *options);

typedef struct nm_factor_options {
    NM_STRUCT_SIZE(nm_factor_options);
    int64_t factor NM_DEFAULT(1);
} nm_factor_options;

/* [batch, height, width, channels f^2] to [batch, height f, width f, channels], and back: channel
 * c f^2 + i f + j is pixel (i, j) of channel c. Shi and others 2016, arXiv 1609.05158. */
NM_API nm_tensor *nm_pixel_shuffle(nm_tape *tape, nm_tensor *x, int64_t factor);
NM_API nm_tensor *nm_pixel_unshuffle(nm_tape *tape, nm_tensor *x, int64_t factor);

enum { NM_PAD_CONSTANT, NM_PAD_REFLECT, NM_PAD_EDGE, NM_PAD_WRAP };

typedef struct nm_pad_options {
    NM_STRUCT_SIZE(nm_pad_options);
    nm_ints padding NM_DEFAULT(
        NM_NO_LIST); /* one number, one for each axis, or two for each; negative cuts off */
    nm_ints axes NM_DEFAULT(NM_NO_LIST); /* empty: all */
    int mode NM_DEFAULT(NM_PAD_CONSTANT);
    double value NM_DEFAULT(0);
} nm_pad_options;
NM_API void nm_pad_options_init(nm_pad_options *options);
#define NM_PAD_DEFAULTS                                                                            \
    .padding = NM_NO_LIST, .axes = NM_NO_LIST, .mode = NM_PAD_CONSTANT, .value = 0

/* x with elements around it: a value, itself mirrored at the edge, the edge, or its other end. */
#define nm_pad(...) NM_CALL(2, nm_pad, NM_END(nm_pad_options), __VA_ARGS__)
#define nm_pad_needs(tape, x, options)
#define nm_pad_(tape, x, ...)                                                                      \
    nm_pad_with(tape, x, NM_OPTIONS(nm_pad_options, NM_PAD_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_pad_with(nm_tape *tape, nm_tensor *x, const nm_pad_options *options);

/* ---- By indices (i32, i64 or u8), negative ones counted from the end ---- */

typedef struct nm_gather_options {
    NM_STRUCT_SIZE(nm_gather_options);
    int64_t axis NM_DEFAULT(0); /* negative counts from the end */
} nm_gather_options;
NM_API void nm_gather_options_init(nm_gather_options *options);
#define NM_GATHER_DEFAULTS .axis = 0

/* y[i, j, ...] = x[index[i, j, ...], j, ...] for axis 0, and likewise for others; index has x's
 * rank. */
#define nm_gather(...) NM_CALL(3, nm_gather, NM_END(nm_gather_options), __VA_ARGS__)
#define nm_gather_needs(tape, x, index, options)
#define nm_gather_(tape, x, index, ...)                                                            \
    nm_gather_with(tape, x, index, NM_OPTIONS(nm_gather_options, NM_GATHER_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_gather_with(nm_tape *tape, nm_tensor *x, nm_tensor *index,
                                 const nm_gather_options *options);

/* x, and y[index[i, j, ...], j, ...] += src[i, j, ...] for axis 0, and likewise for others; src has
 * the shape of index. */
#define nm_scatter_add(...) NM_CALL(4, nm_scatter_add, NM_END(nm_gather_options), __VA_ARGS__)
#define nm_scatter_add_needs(tape, x, index, src, options)
#define nm_scatter_add_(tape, x, index, src, ...)                                                  \
    nm_scatter_add_with(tape, x, index, src,                                                       \
                        NM_OPTIONS(nm_gather_options, NM_GATHER_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_scatter_add_with(nm_tape *tape, nm_tensor *x, nm_tensor *index, nm_tensor *src,
                                      const nm_gather_options *options);

/* The slices of x that index names along the axis: the axis is as long as index, 1 of a single
 * number; an index of more axes puts them in its place. */
#define nm_index_select(...) NM_CALL(3, nm_index_select, NM_END(nm_gather_options), __VA_ARGS__)
#define nm_index_select_needs(tape, x, index, options)
#define nm_index_select_(tape, x, index, ...)                                                      \
    nm_index_select_with(tape, x, index,                                                           \
                         NM_OPTIONS(nm_gather_options, NM_GATHER_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_index_select_with(nm_tape *tape, nm_tensor *x, nm_tensor *index,
                                       const nm_gather_options *options);

#define NM_NO_PADDING_IDX INT64_MIN

typedef struct nm_embedding_options {
    NM_STRUCT_SIZE(nm_embedding_options);
    int64_t padding_idx
        NM_DEFAULT(NM_NO_PADDING_IDX); /* a row without a gradient; negative ones from the end */
} nm_embedding_options;
NM_API void nm_embedding_options_init(nm_embedding_options *options);
#define NM_EMBEDDING_DEFAULTS .padding_idx = NM_NO_PADDING_IDX

/* The rows of weight [rows, channels] that index names: [index..., channels]. */
#define nm_embedding(...) NM_CALL(3, nm_embedding, NM_END(nm_embedding_options), __VA_ARGS__)
#define nm_embedding_needs(tape, index, weight, options)
#define nm_embedding_(tape, index, weight, ...)                                                    \
    nm_embedding_with(tape, index, weight,                                                         \
                      NM_OPTIONS(nm_embedding_options, NM_EMBEDDING_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_embedding_with(nm_tape *tape, nm_tensor *index, nm_tensor *weight,
                                    const nm_embedding_options *options);

typedef struct nm_one_hot_options {
    NM_STRUCT_SIZE(nm_one_hot_options);
    int64_t num_classes NM_DEFAULT(1);
} nm_one_hot_options;

/* x, of whole numbers, as i32, without a gradient: classes or words as data sets give them. A
 * number that is none is an error. */
NM_API nm_tensor *nm_to_index(nm_tape *tape, nm_tensor *x);

/* 1 at [..., index], else 0: f32 [index..., num_classes]; no gradient. */
NM_API nm_tensor *nm_one_hot(nm_tape *tape, nm_tensor *index, int64_t num_classes);

/* ---- Images of another size ---- */

enum { NM_UPSAMPLE_NEAREST, NM_UPSAMPLE_BILINEAR };

typedef struct nm_upsample_options {
    NM_STRUCT_SIZE(nm_upsample_options);
    nm_ints size NM_DEFAULT(NM_NO_LIST);    /* height and width; one number: both */
    nm_floats scale NM_DEFAULT(NM_NO_LIST); /* or how many times those of x */
    int mode NM_DEFAULT(NM_UPSAMPLE_NEAREST);
    bool align_corners NM_DEFAULT(false);
} nm_upsample_options;
NM_API void nm_upsample_options_init(nm_upsample_options *options);
#define NM_UPSAMPLE_DEFAULTS                                                                       \
    .size = NM_NO_LIST, .scale = NM_NO_LIST, .mode = NM_UPSAMPLE_NEAREST, .align_corners = false

/* x [batch, height, width, channels] (or with one or three axes between) of another size: the
 * nearest element, or a mean of those beside it, as PyTorch's interpolate has it. */
#define nm_upsample(...) NM_CALL(2, nm_upsample, NM_END(nm_upsample_options), __VA_ARGS__)
#define nm_upsample_needs(tape, x, options)
#define nm_upsample_(tape, x, ...)                                                                 \
    nm_upsample_with(tape, x, NM_OPTIONS(nm_upsample_options, NM_UPSAMPLE_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_upsample_with(nm_tape *tape, nm_tensor *x, const nm_upsample_options *options);

#ifdef __cplusplus
}
#endif
#endif
