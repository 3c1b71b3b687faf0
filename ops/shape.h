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
