/* Batch norm and max pooling over windows of 2 by 2 in one pass: the loops of
 * ops/batch_norm_max_pool2d.c. */
#ifndef NM_OPS_KERNELS_NORM_POOL_H
#define NM_OPS_KERNELS_NORM_POOL_H

#include <stdatomic.h>

#include "ops/activation.h"

/* Images [n, h, w, c] of which the pooled ones are [n, oh, ow, c], all of one type; [c] are numbers
 * of the channels. Who does not need an array leaves it NULL. */
typedef struct nm_norm_pool {
    nm_context *context;
    nm_dtype dtype;
    int64_t n, h, w, c, oh, ow;
    nm_activation activation;
    const void *x;
    const void *center, *inverse; /* [c]: xhat = (x - center) * inverse */
    const void *a, *b, *d;        /* [c] */
    const void *dy;               /* pooled */
    void *y, *picked;             /* pooled */
    void *dx;                     /* x's shape */
    const int32_t *index;         /* pooled: row * w + column */
    int32_t *found;               /* the same, to be computed */
    atomic_bool outside;          /* an index is not in its window */
} nm_norm_pool;

/* y = activation(largest of a * (x - center) + b under each window), where it was, and x there. */
void nm_norm_pool_forward(nm_norm_pool *pool);
/* dx = a * dz + b * xhat + d, where dz is dy in the places of the index and 0 elsewhere. Sets
 * `outside` if an index is not in its window. */
void nm_norm_pool_backward(nm_norm_pool *pool);
/* picked = x in the places of the index, 0 where there is no such place. */
void nm_norm_pool_pick(nm_norm_pool *pool);

#endif
