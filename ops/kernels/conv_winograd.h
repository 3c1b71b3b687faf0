/* Convolutions with 3x3 kernels by Winograd's minimal filtering: a tile of 4x4 outputs takes 36
 * products for each pair of channels, where the sums that define it take 144.
 *
 * The price is rounding: results are some 4 times as far from the exact ones as those of plain
 * sums, and an infinity or NaN in x spreads over its tiles. */
#ifndef NM_OPS_KERNELS_CONV_WINOGRAD_H
#define NM_OPS_KERNELS_CONV_WINOGRAD_H

#include "ops/kernels/conv.h"

/* Whether the functions here take it: f32, 3x3 kernels at stride 1 without dilation or groups,
 * padding of at most 2, channels and outputs in groups of 16, on a processor that their code is
 * for, and not switched off (nm_context_set_winograd). */
bool nm_conv_is_winograd(nm_context *context, nm_dtype dtype, const nm_conv *conv);
/* Whether they then are faster than oneDNN: on this processor, with so many tiles. */
bool nm_conv_winograd_is_fast(const nm_conv *conv);

/* The same bits for any number of threads. Fail only if memory runs out. `bias` [o] may be NULL. */
nm_status nm_conv_winograd_forward(nm_context *context, const nm_conv *conv, const float *x,
                                   const float *w, const float *bias, bool relu, float *y);
nm_status nm_conv_winograd_input_grad(nm_context *context, const nm_conv *conv, const float *dy,
                                      const float *w, float *dx);
nm_status nm_conv_winograd_weight_grad(nm_context *context, const nm_conv *conv, const float *x,
                                       const float *dy, float *dw);

#endif
