/* Reductions over axes. */
#ifndef NM_OPS_REDUCE_H
#define NM_OPS_REDUCE_H

#include "core/op.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct nm_reduce_options {
    NM_STRUCT_SIZE(nm_reduce_options);
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

/* The smallest value along the axes, as nm_max() has the largest. */
#define nm_min(...) NM_CALL(2, nm_min, NM_END(nm_reduce_options), __VA_ARGS__)
#define nm_min_needs(tape, x, options)
#define nm_min_(tape, x, ...)                                                                      \
    nm_min_with(tape, x, NM_OPTIONS(nm_reduce_options, NM_REDUCE_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_min_with(nm_tape *tape, nm_tensor *x, const nm_reduce_options *options);

/* The product along the axes; of nothing: 1. Its gradient is right where elements are 0, too. */
#define nm_prod(...) NM_CALL(2, nm_prod, NM_END(nm_reduce_options), __VA_ARGS__)
#define nm_prod_needs(tape, x, options)
#define nm_prod_(tape, x, ...)                                                                     \
    nm_prod_with(tape, x, NM_OPTIONS(nm_reduce_options, NM_REDUCE_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_prod_with(nm_tape *tape, nm_tensor *x, const nm_reduce_options *options);

typedef struct nm_var_options {
    NM_STRUCT_SIZE(nm_var_options);
    nm_ints axes NM_DEFAULT(NM_NO_LIST); /* those that go; empty: all */
    bool keepdims NM_DEFAULT(false);     /* leave them, with length 1 */
    double correction NM_DEFAULT(1);     /* 0: the mean square */
} nm_var_options;
NM_API void nm_var_options_init(nm_var_options *options);
#define NM_VAR_DEFAULTS .axes = NM_NO_LIST, .keepdims = false, .correction = 1

/* The variance along the axes: sum of (x - mean)^2 / (n - correction). Of no more elements than the
 * correction: NaN, or infinity where the sum is not 0. */
#define nm_var(...) NM_CALL(2, nm_var, NM_END(nm_var_options), __VA_ARGS__)
#define nm_var_needs(tape, x, options)
#define nm_var_(tape, x, ...)                                                                      \
    nm_var_with(tape, x, NM_OPTIONS(nm_var_options, NM_VAR_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_var_with(nm_tape *tape, nm_tensor *x, const nm_var_options *options);

/* Its square root, whose derivative is taken as 0 where it is 0. */
#define nm_std(...) NM_CALL(2, nm_std, NM_END(nm_var_options), __VA_ARGS__)
#define nm_std_needs(tape, x, options)
#define nm_std_(tape, x, ...)                                                                      \
    nm_std_with(tape, x, NM_OPTIONS(nm_var_options, NM_VAR_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_std_with(nm_tape *tape, nm_tensor *x, const nm_var_options *options);

/* ln of the sum of e^x along the axes, without overflow. Of nothing: -infinity. */
#define nm_logsumexp(...) NM_CALL(2, nm_logsumexp, NM_END(nm_reduce_options), __VA_ARGS__)
#define nm_logsumexp_needs(tape, x, options)
#define nm_logsumexp_(tape, x, ...)                                                                \
    nm_logsumexp_with(tape, x, NM_OPTIONS(nm_reduce_options, NM_REDUCE_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_logsumexp_with(nm_tape *tape, nm_tensor *x, const nm_reduce_options *options);

#define NM_NORM_MAX NM_NO_LIMIT /* the largest absolute value */

typedef struct nm_norm_options {
    NM_STRUCT_SIZE(nm_norm_options);
    nm_ints axes NM_DEFAULT(NM_NO_LIST); /* those that go; empty: all */
    bool keepdims NM_DEFAULT(false);     /* leave them, with length 1 */
    double p NM_DEFAULT(2);              /* or NM_NORM_MAX */
} nm_norm_options;
NM_API void nm_norm_options_init(nm_norm_options *options);
#define NM_NORM_DEFAULTS .axes = NM_NO_LIST, .keepdims = false, .p = 2

/* (sum of |x|^p)^(1/p) along the axes, p from 1 on; its derivative is taken as 0 where it is 0. */
#define nm_norm(...) NM_CALL(2, nm_norm, NM_END(nm_norm_options), __VA_ARGS__)
#define nm_norm_needs(tape, x, options)
#define nm_norm_(tape, x, ...)                                                                     \
    nm_norm_with(tape, x, NM_OPTIONS(nm_norm_options, NM_NORM_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_norm_with(nm_tape *tape, nm_tensor *x, const nm_norm_options *options);

#define NM_ARG_ALL INT32_MIN /* all elements in order, as one line */

typedef struct nm_argmax_options {
    NM_STRUCT_SIZE(nm_argmax_options);
    int64_t axis NM_DEFAULT(NM_ARG_ALL);
    bool keepdims NM_DEFAULT(false);
} nm_argmax_options;
NM_API void nm_argmax_options_init(nm_argmax_options *options);
#define NM_ARGMAX_DEFAULTS .axis = NM_ARG_ALL, .keepdims = false

/* Where along the axis the largest element stands, i32; of several the first. NaN is the largest.
 * No gradient. Of nothing: an error. */
#define nm_argmax(...) NM_CALL(2, nm_argmax, NM_END(nm_argmax_options), __VA_ARGS__)
#define nm_argmax_needs(tape, x, options)
#define nm_argmax_(tape, x, ...)                                                                   \
    nm_argmax_with(tape, x, NM_OPTIONS(nm_argmax_options, NM_ARGMAX_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_argmax_with(nm_tape *tape, nm_tensor *x, const nm_argmax_options *options);

/* The same for the smallest; NaN is the smallest too. */
#define nm_argmin(...) NM_CALL(2, nm_argmin, NM_END(nm_argmax_options), __VA_ARGS__)
#define nm_argmin_needs(tape, x, options)
#define nm_argmin_(tape, x, ...)                                                                   \
    nm_argmin_with(tape, x, NM_OPTIONS(nm_argmax_options, NM_ARGMAX_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_argmin_with(nm_tape *tape, nm_tensor *x, const nm_argmax_options *options);

typedef struct nm_cumsum_options {
    NM_STRUCT_SIZE(nm_cumsum_options);
    int64_t axis NM_DEFAULT(0);       /* negative counts from the end */
    bool exclusive NM_DEFAULT(false); /* without the element itself */
    bool reverse NM_DEFAULT(false);   /* from the end on */
} nm_cumsum_options;
NM_API void nm_cumsum_options_init(nm_cumsum_options *options);
#define NM_CUMSUM_DEFAULTS .axis = 0, .exclusive = false, .reverse = false

/* Sums of the elements up to each one along the axis, of the same shape as x. */
#define nm_cumsum(...) NM_CALL(2, nm_cumsum, NM_END(nm_cumsum_options), __VA_ARGS__)
#define nm_cumsum_needs(tape, x, options)
#define nm_cumsum_(tape, x, ...)                                                                   \
    nm_cumsum_with(tape, x, NM_OPTIONS(nm_cumsum_options, NM_CUMSUM_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_cumsum_with(nm_tape *tape, nm_tensor *x, const nm_cumsum_options *options);

/* 1 where x equals m, which broadcasts to x's shape (two NaNs are equal), else 0; no gradient. */
NM_API nm_tensor *nm_max_mask(nm_tape *tape, nm_tensor *x, nm_tensor *m);

#ifdef __cplusplus
}
#endif
#endif
