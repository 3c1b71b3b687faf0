/* The convolutions written for vectors, for what the compiler makes of them elsewhere: right, but
 * slower than oneDNN. */
#include "ops/kernels/conv_wide.h"

#include "ops/kernels/kernel.h"

#ifndef NM_HAS_AVX2

#define LANES 16
#define SUMS 16 /* vectors of sums */
#define WIDE
#define TABLE nm_conv_base
#include "ops/kernels/conv_wide_loops.h"

#endif
