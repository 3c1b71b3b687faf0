/* Reductions over axes. */
#ifndef NM_OPS_REDUCE_H
#define NM_OPS_REDUCE_H

#include "core/op.h"

#ifdef __cplusplus
extern "C" {
#endif

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

#ifdef __cplusplus
}
#endif
#endif
