/* The convolutions written for vectors, for AVX2. */
#include "ops/kernels/conv_wide.h"

#include "ops/kernels/kernel.h"

#ifdef NM_HAS_AVX2

#define LANES 8
#define SUMS 8 /* vectors of sums that a product keeps in registers */
#define WIDE __attribute__((target("avx2,fma")))
#include "ops/kernels/narrow_loops.h"
#include "ops/kernels/winograd_loops.h"
#include "ops/kernels/winograd_grad_loops.h"

const nm_conv_wide nm_conv_avx2 = {
    .lanes = LANES,
    .grad_unit = NARROW_BLOCK,
    .narrow_forward = narrow_forward,
    .narrow_weight_grad = narrow_weight_grad,
    .winograd_forward = winograd_forward,
    .winograd_input_grad = winograd_input_grad,
    .winograd_weight_grad = winograd_weight_grad,
};

#endif
