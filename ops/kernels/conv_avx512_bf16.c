/* Convolutions of bf16 by Winograd's filtering, for AVX-512. */
#include "ops/kernels/conv_wide.h"

#include "ops/kernels/kernel.h"

#ifdef NM_HAS_AVX512_BF16

#define LANES 16
#define SUMS 16 /* vectors of sums that a product keeps in registers */
#define WIDE __attribute__((target("avx512f,avx512bf16")))
#define TABLE nm_conv_avx512_bf16
#define BF16 1
#include "ops/kernels/conv_wide_loops.h"

#endif
