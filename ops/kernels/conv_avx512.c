/* The convolutions written for vectors, for AVX-512. */
#include "ops/kernels/conv_wide.h"

#include "ops/kernels/kernel.h"

#ifdef NM_HAS_AVX512

#define LANES 16
#define SUMS 16 /* vectors of sums that a product keeps in registers */
#define WIDE __attribute__((target("avx512f")))
#include "ops/kernels/narrow_loops.h"
#include "ops/kernels/winograd_loops.h"
#include "ops/kernels/winograd_grad_loops.h"

const nm_conv_wide nm_conv_avx512 = {
    .lanes = LANES,
    .grad_unit = NARROW_BLOCK,
    .narrow_forward = narrow_forward,
    .narrow_weight_grad = narrow_weight_grad,
    .winograd_forward = winograd_forward,
    .winograd_input_grad = winograd_input_grad,
    .winograd_weight_grad = winograd_weight_grad,
};

#endif
