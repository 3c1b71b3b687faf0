/* Vectors of LANES floats, for kernels that are compiled once for each instruction set, with WIDE
 * before a function that uses them. Both are the including file's. */
#ifndef NM_OPS_KERNELS_WIDE_H
#define NM_OPS_KERNELS_WIDE_H

#include <stdbool.h>
#include <string.h>

#include "core/inline.h"
#include "ops/kernels/kernel.h"

typedef float vector __attribute__((vector_size(LANES * sizeof(float))));
typedef int32_t bits __attribute__((vector_size(LANES * sizeof(int32_t))));

/* Puts 0 in place of what is negative. NaN stays NaN. */
NM_INLINE void apply_relu(vector *x)
{
    *x = (vector)((bits)*x & ~(bits)(*x < 0));
}

#endif
