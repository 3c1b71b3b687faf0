/* A blocked product of any two matrices, by the vectors of the processor that runs it. */
#ifndef NM_OPS_KERNELS_GEMM_BLOCKED_H
#define NM_OPS_KERNELS_GEMM_BLOCKED_H

#include "ops/kernels/gemm.h"

/* The loops for one type and instruction set. */
typedef struct nm_gemm_loops nm_gemm_loops;

/* Those that this processor runs, from the best on. NULL: no more. */
const nm_gemm_loops *nm_gemm_loops_at(nm_dtype dtype, int index);

/* Those of f32 rounded to bf16. NULL: this processor has no units for it. */
const nm_gemm_loops *nm_gemm_loops_bf16(void);

/* Numbers in a vector of theirs. */
int nm_gemm_lanes(const nm_gemm_loops *loops);

/* Rows that begin `ld` numbers apart, f32, to to[column * rows + row]. */
void nm_gemm_transpose(const float *from, int64_t ld, int64_t rows, int64_t columns, float *to);

/* c, with bias and activation. The same bits for any number of threads; those of different loops
 * differ by rounding. Fails only if memory runs out. */
nm_status nm_gemm_blocked(nm_context *context, const nm_gemm *gemm, const nm_gemm_loops *loops);

/* The same without packing, for matrices of few rows or small ones. Whether it was done: whether
 * they fill the vectors. `context` NULL: in this thread alone. */
bool nm_gemm_near(nm_context *context, const nm_gemm *gemm, const nm_gemm_loops *loops);

#endif
