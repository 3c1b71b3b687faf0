/* Weight norm where the elements of a row lie together, as those of axis 0 do: a row is visited
 * once and stays in the first-level cache from its norm to its result. The other axes go through
 * ops/kernels/norm.h. */
#ifndef NM_OPS_WEIGHT_NORM_ROWS_H
#define NM_OPS_WEIGHT_NORM_ROWS_H

#include "core/op.h"

typedef struct nm_weight_rows {
    nm_context *context;
    nm_dtype dtype; /* of all arrays */
    int64_t rows, length;
    const void *v;       /* [rows, length] */
    const void *g;       /* [rows]; NULL: 1 */
    void *w;             /* forward: [rows, length], to be computed; NULL: only the inverse is */
    void *computed;      /* forward: [rows], 1 / ||v||, to be computed; 0 for a row of zeros */
    const void *inverse; /* gradient: the same, known */
    const void *dw;      /* gradient: [rows, length] */
    void *dv, *dg;       /* gradient: to be computed, [rows, length] and [rows] */
} nm_weight_rows;

/* Whether v is to go this way: axis 0 is kept, and there is work for all threads. */
bool nm_weight_rows_suit(const nm_shape *v, int axis);
/* w = g v / ||v|| */
void nm_weight_rows_forward(nm_weight_rows *rows);
/* dg = dw . v / ||v||, dv = (g / ||v||) (dw - dg v / ||v||) */
void nm_weight_rows_gradient(nm_weight_rows *rows);

#endif
