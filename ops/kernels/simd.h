/* Reductions in loops: the order of additions is free, and no matter how the loop is vectorized, it
 * is the same in every run. */
#ifndef NM_OPS_KERNELS_SIMD_H
#define NM_OPS_KERNELS_SIMD_H

#include "core/inline.h"
#include "ops/kernels/kernel.h"

#define NM_SIMD_SUM(...) NM_PRAGMA(omp simd reduction(+ : __VA_ARGS__))
#define NM_SIMD_MAX(...) NM_PRAGMA(omp simd reduction(max : __VA_ARGS__))

#endif
