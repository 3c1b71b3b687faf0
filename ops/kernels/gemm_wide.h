/* Products of f32 that are read where they stand, for AVX-512: what gemm_direct.h does, with tiles
 * of c in registers. */
#ifndef NM_OPS_KERNELS_GEMM_WIDE_H
#define NM_OPS_KERNELS_GEMM_WIDE_H

#include "ops/kernels/gemm.h"

/* Whether it was done: the processor has the registers, and the matrices fill them. *finished,
 * false before, is set where bias and activation are done too. */
bool nm_gemm_wide(const nm_gemm *gemm, bool *finished);

#endif
