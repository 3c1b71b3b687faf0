/* Sums and maxima along any axes, for sum, mean, max and sum_to.
 *
 * 1. Sums of f32 add at most eight elements in f32 and the rest in double: the error does not grow
 *    with the length.
 * 2. The order of additions depends on the shape alone: neither on the number of threads nor on the
 *    vector length.
 * 3. Reads x once, in order, in vectors, whichever axes go. */
#ifndef NM_OPS_KERNELS_REDUCE_H
#define NM_OPS_KERNELS_REDUCE_H

#include "core/op.h"

typedef enum nm_reduction { NM_REDUCE_SUM, NM_REDUCE_MAX } nm_reduction;

/* Reduces x, of that shape, along the axes d with bit d set in `gone`. y gets the results times
 * `scale`, in the order of the axes kept: 0 (sum) or -infinity (max) where there is nothing to
 * reduce. Fails only if memory runs out. */
nm_status nm_reduce(nm_context *context, nm_reduction reduction, nm_dtype dtype,
                    const nm_shape *shape, unsigned gone, double scale, const void *x, void *y);

#endif
