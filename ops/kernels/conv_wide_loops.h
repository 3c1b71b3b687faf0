/* All convolutions for one instruction set, and the table of them: of vectors of LANES floats, SUMS
 * vectors of sums in registers, functions that are WIDE, in TABLE. With BF16 those by Winograd's
 * filtering alone, of pairs of bf16. */
#ifndef BF16
#include "ops/kernels/of_float.h"
#include "ops/kernels/direct_loops.h"
#include "ops/kernels/narrow_loops.h"
#endif
#include "ops/kernels/winograd_loops.h"
#include "ops/kernels/winograd_grad_loops.h"

const nm_conv_wide TABLE = {
    .lanes = LANES,
#ifndef BF16
    .grad_unit = NARROW_BLOCK,
    .tiles = {LANES,
              {8, 3, 1},
              {8, 4, 1},
              {depthwise_8_f32, depthwise_3_f32, depthwise_1_f32},
              {direct_8_f32, direct_4_f32, direct_1_f32}},
    .narrow_forward = narrow_forward,
    .narrow_weight_grad = narrow_weight_grad,
#endif
    .winograd_forward = winograd_forward,
    .winograd_input_grad = winograd_input_grad,
    .winograd_weight_grad = winograd_weight_grad,
};
