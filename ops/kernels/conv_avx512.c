/* The convolutions written for vectors, for AVX-512. */
#include "ops/kernels/conv_wide.h"

#include "ops/kernels/kernel.h"

#ifdef NM_HAS_AVX512

#define LANES 16
#define SUMS 16 /* vectors of sums that a product keeps in registers */
#define WIDE __attribute__((target("avx512f")))
#define TABLE nm_conv_avx512
#include "ops/kernels/conv_wide_loops.h"

#endif
