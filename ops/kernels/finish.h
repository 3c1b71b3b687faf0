/* What is left to do to the result of a product: add a bias, apply an activation. In place, a row
 * at a time, so that the second goes over what the first left in the cache.
 *
 * Not by oneDNN on its way: its relu makes 0 of a NaN, and a network that diverges would hide it.
 */
#ifndef NM_OPS_KERNELS_FINISH_H
#define NM_OPS_KERNELS_FINISH_H

#include "ops/activation.h"

typedef struct nm_finish {
    nm_dtype dtype; /* f32 or f64 */
    int64_t rows, columns;
    int64_t stride;   /* elements from row to row */
    const void *bias; /* [columns]; NULL: none */
    nm_activation activation;
    void *y; /* [rows, columns] */
} nm_finish;

void nm_finish_run(nm_context *context, const nm_finish *finish);
/* All of it in this thread. */
void nm_finish_rows(const nm_finish *finish);

/* An activation of n elements in place, in one thread. */
void nm_activate_f32(nm_activation activation, float *y, int64_t n);
void nm_activate_f64(nm_activation activation, double *y, int64_t n);

#endif
