/* Products of dense layers with weights of 8 bits: y = activation(x w^T + b), for w[j, p] =
 * scale[j] q[j, p] with whole numbers q from -128 to 127. Promises:
 *
 * 1. Each row of x is rounded by itself to numbers of 0 to 255, on a scale from its least value to
 *    its largest (0 is always on it): what a sample comes to does not depend on the others.
 * 2. The sums are of whole numbers, and exact: the same on every processor, whatever instructions
 *    it has, for any number of threads. The few steps in f32 around them are each rounded alike
 *    everywhere (the last is a fused multiply-add).
 * 3. A row of x with a NaN, an infinity or values more than the range of f32 apart gives NaN. */
#ifndef NM_OPS_KERNELS_GEMM_I8_H
#define NM_OPS_KERNELS_GEMM_I8_H

#include "ops/activation.h"

#define NM_I8_COLUMNS 16        /* outputs of a block of packed weights, and */
#define NM_I8_DEPTH 4           /* inputs that stand side by side in it */
#define NM_I8_MOST_INPUTS 65536 /* beyond it a sum may leave 32 bits */

typedef struct nm_gemm_i8 {
    int64_t m, n, k;
    const float *x;      /* [m, k] */
    const int8_t *w;     /* of nm_gemm_i8_pack() */
    const int32_t *sums; /* [n]: of a row of q */
    const float *scale;  /* [n] */
    const float *bias;   /* [n] */
    nm_activation activation;
    float *y; /* [m, n] */
} nm_gemm_i8;

/* What multiplies, for one instruction set. */
typedef struct nm_i8_loops nm_i8_loops;

/* Those that this processor runs, from the best on. NULL: no more. */
const nm_i8_loops *nm_i8_loops_at(int index);
/* Fails only if memory runs out. */
nm_status nm_gemm_i8_run(nm_context *context, const nm_gemm_i8 *gemm, const nm_i8_loops *loops);

/* ---- Weights: ops/kernels/gemm_i8_pack.c ---- */

/* Rounds a row of `count` weights to q = w / scale, -127 to 127, where the largest stands at an
 * end; returns the scale: 0 where all are, not finite where one is not. */
float nm_i8_round_row(const float *w, int64_t count, int8_t *q);
/* Weights w [n, k] as whole numbers in blocks, [nm_i8_blocks(n), nm_i8_depths(k), 16, 4] with zeros
 * at the ends, and their sums [n] and scale [n]. Fails only if memory runs out. */
nm_status nm_gemm_i8_pack(nm_context *context, const float *w, int64_t n, int64_t k, int8_t *packed,
                          int32_t *sums, float *scale);

static inline int64_t nm_i8_blocks(int64_t n)
{
    return (n + NM_I8_COLUMNS - 1) / NM_I8_COLUMNS;
}

static inline int64_t nm_i8_depths(int64_t k)
{
    return (k + NM_I8_DEPTH - 1) / NM_I8_DEPTH;
}

#endif
