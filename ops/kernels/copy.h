/* Moves elements between two layouts: permute, slice, its gradient and concat are this. */
#ifndef NM_OPS_KERNELS_COPY_H
#define NM_OPS_KERNELS_COPY_H

#include "core/op.h"

/* A walk through x and y together. Strides are in elements and may be negative. */
typedef struct nm_copy_plan {
    int rank;
    struct nm_copy_axis {
        int64_t length, x, y; /* how many, stride in x, stride in y */
    } axis[NM_MAX_RANK];
} nm_copy_plan;

/* The strides of a contiguous tensor. */
void nm_contiguous_strides(const nm_shape *shape, int64_t stride[NM_MAX_RANK]);

/* y[...] = x[...] for all indices of the plan; `item` is the size of an element: 1, 2, 4 or 8. */
void nm_copy(nm_context *context, nm_copy_plan plan, size_t item, const void *x, void *y);

#endif
