/* For kernels written for AVX-512, whose registers of LANES floats their sums fill. */
#ifndef NM_OPS_KERNELS_WIDE_H
#define NM_OPS_KERNELS_WIDE_H

#include <stdbool.h>

#include "core/inline.h"
#include "ops/kernels/kernel.h"

#define LANES 16
typedef float vector __attribute__((vector_size(LANES * sizeof(float))));
typedef int32_t bits __attribute__((vector_size(LANES * sizeof(int32_t))));

/* Where functions have variants for instruction sets, those with WIDE are for AVX-512 alone.
 * Elsewhere they are what the compiler makes of them: right, but slower than oneDNN. */
#if defined(NM_KERNEL_VARIANTS)
#define WIDE __attribute__((target("avx512f")))
#else
#define WIDE
#endif

/* Whether they are the fastest there is. */
NM_INLINE bool nm_wide_is_fast(void)
{
#if defined(NM_KERNEL_VARIANTS)
    return __builtin_cpu_supports("avx512f");
#else
    return false;
#endif
}

/* Whether they may be called. */
NM_INLINE bool nm_wide_can_run(void)
{
#if defined(NM_KERNEL_VARIANTS)
    return nm_wide_is_fast();
#else
    return true;
#endif
}

/* Puts 0 in place of what is negative. NaN stays NaN. */
NM_INLINE void apply_relu(vector *x)
{
    *x = (vector)((bits)*x & ~(bits)(*x < 0));
}

#endif
