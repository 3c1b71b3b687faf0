/* All convolutions for one instruction set, and the table of them: of vectors of LANES floats, SUMS
 * vectors of sums in registers, functions that are WIDE, in TABLE. */
#include "ops/kernels/narrow_loops.h"
#include "ops/kernels/winograd_loops.h"
#include "ops/kernels/winograd_grad_loops.h"

const nm_conv_wide TABLE = {
    .lanes = LANES,
    .grad_unit = NARROW_BLOCK,
    .narrow_forward = narrow_forward,
    .narrow_weight_grad = narrow_weight_grad,
    .winograd_forward = winograd_forward,
    .winograd_input_grad = winograd_input_grad,
    .winograd_weight_grad = winograd_weight_grad,
};
