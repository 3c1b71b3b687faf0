/* The seam for matrix products: c = activation(op(a) op(b) + bias), row-major, or with what c was
 * before added to the product.
 *
 * It runs on kernels in C; oneDNN, where the library was built with it and the context allows it,
 * has the few products in f32 that it is faster at. The sum over k runs in one order whatever the
 * number of threads. */
#ifndef NM_OPS_KERNELS_GEMM_H
#define NM_OPS_KERNELS_GEMM_H

#include "ops/activation.h"

typedef struct nm_gemm {
    nm_dtype dtype;   /* f32 or f64 */
    bool transpose_a; /* a is [k, m], else [m, k] */
    bool transpose_b; /* b is [n, k], else [k, n] */
    bool accumulate;  /* add to c */
    int64_t m, n, k;
    int64_t lda, ldb, ldc; /* elements from row to row */
    const void *a, *b;
    void *c;          /* [m, n] */
    const void *bias; /* [n], added to every row; NULL: none */
    nm_activation activation;
    bool bf16; /* round a and b to bf16 where that is faster; c is of `dtype` all the same */
    const void *packed; /* b as nm_gemm_pack() packs it; NULL: it is not */
} nm_gemm;

/* Whether f32 products x w^T of those sizes are faster with w packed once than each time. */
bool nm_gemm_gains_by_packing(int64_t m, int64_t n, int64_t k);
/* How many floats w [n, k] takes when packed. -1: more than there can be. */
int64_t nm_gemm_packed_count(int64_t n, int64_t k);
/* To `packed`, in threads of the context. */
void nm_gemm_pack(nm_context *context, const float *w, int64_t n, int64_t k, float *packed);

/* Fails only if memory runs out. */
nm_status nm_gemm_run(nm_context *context, const nm_gemm *gemm);

/* In bf16 by f32: what a processor with units for it computes, on any. Fails only if memory runs
 * out. */
nm_status nm_gemm_emulate(nm_context *context, const nm_gemm *gemm);

/* What a cost table is told of an output y of which each element sums `inner` products: their
 * number, or this one if there are more, so that sums of many never overflow. */
#define NM_MANY_MULTIPLY_ADDS (INT64_C(1) << 53)
int64_t nm_count_multiply_adds(const nm_shape *y, int64_t inner);

#endif
