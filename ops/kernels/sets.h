/* Normalization of contiguous sets of values, one behind the other, and its gradient: layer norm's
 * and RMS norm's as they lie in memory, other members' after their axes have changed places.
 * Promises:
 *
 * 1. Means and variances are found as batch norm finds its own (ops/kernels/norm.h): from
 *    differences to a center, in a second pass over the set, what rounding the center lost put
 *    back. Equal values have exactly that mean, and variance 0. Sums of f32 add at most about a
 *    thousand elements in f32 and the rest in double.
 * 2. A set whose squares leave the range of f32 in either direction is gone over again in double.
 * 3. A set belongs to one thread, and what is summed over sets is joined in one order: the results
 *    do not depend on the number of threads.
 * 4. With weights, an element of weight 0 is never read for the statistics, and its gradient only
 *    where one comes in: it may be NaN. */
#ifndef NM_OPS_KERNELS_SETS_H
#define NM_OPS_KERNELS_SETS_H

#include "core/op.h"

/* Where a parameter stands along x's elements, which are counted in memory's order: element i has
 * at[i / repeat % count]. */
typedef struct nm_pattern {
    const void *at; /* NULL: there is none */
    int64_t repeat, count;
} nm_pattern;

typedef struct nm_sets {
    nm_context *context;
    nm_dtype dtype; /* of all elements: f32 or f64 */
    int64_t sets, length;
    bool centered; /* the mean is subtracted; else it counts as 0 */
    bool divided;  /* by the root of var + eps */
    bool summed;   /* sums stand in place of means: var is the sum of squares */
    double eps;
    const void *x;      /* [sets, length] */
    const void *weight; /* the same; NULL: 1 */
    nm_pattern scale, shift;
} nm_sets;

/* y, and one mean, var and inverse = 1 / sqrt(var + eps) a set, of x's type; y may be NULL. With
 * `given_mean` or `given_var` nothing is computed from x: the other counts as 0 or 1 if it is NULL.
 * A set without weight, or without elements, has mean, var and inverse 0. */
void nm_sets_forward(const nm_sets *sets, const void *given_mean, const void *given_var, void *y,
                     void *mean, void *var, void *inverse);

typedef struct nm_sets_gradient {
    const void *dy;
    const void *mean, *inverse; /* [sets] */
    const void *dmean, *dvar;   /* [sets], of the outputs; NULL: 0 */
    bool given; /* mean and inverse are variables of their own, of which dx knows nothing */
    bool through_mean, through_variance; /* whether they are functions of x, or constants */
    void *dx;
    /* Of scale and shift; of a pattern without parameter, [sets]: what they would be if there were
     * one for each set. */
    void *dscale, *dshift;
} nm_sets_gradient;

nm_status nm_sets_gradient_run(const nm_sets *sets, const nm_sets_gradient *gradient);

#endif
