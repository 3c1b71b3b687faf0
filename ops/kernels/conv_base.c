/* The convolutions written for vectors, for what the compiler makes of them elsewhere: right, but
 * slower than oneDNN. */
#include "ops/kernels/conv_wide.h"

#include "ops/kernels/kernel.h"

#ifndef NM_HAS_AVX2

#define LANES 16
#define SUMS 16 /* vectors of sums */
#define WIDE
#include "ops/kernels/narrow_loops.h"
#include "ops/kernels/winograd_loops.h"
#include "ops/kernels/winograd_grad_loops.h"

const nm_conv_wide nm_conv_base = {
    .lanes = LANES,
    .grad_unit = NARROW_BLOCK,
    .narrow_forward = narrow_forward,
    .narrow_weight_grad = narrow_weight_grad,
    .winograd_forward = winograd_forward,
    .winograd_input_grad = winograd_input_grad,
    .winograd_weight_grad = winograd_weight_grad,
};

#endif
