/* The convolutions written for vectors, for AVX2. */
#include "ops/kernels/conv_wide.h"

#include "ops/kernels/kernel.h"

#ifdef NM_HAS_AVX2

#define LANES 8
#define SUMS 8 /* vectors of sums that a product keeps in registers */
#define WIDE __attribute__((target("avx2,fma")))
#define TABLE nm_conv_avx2
#include "ops/kernels/conv_wide_loops.h"

#endif
