/* Convolutions with 3x3 kernels by Winograd's minimal filtering: a tile of 4x4 outputs takes 36
 * products for each pair of channels, where the sums that define it take 144.
 *
 * The price is rounding: results are 1.4 to 3 times as far from the exact ones as those of plain
 * sums, some 1e-6 of a typical one; and an infinity or NaN in x spreads over its tiles. */
#ifndef NM_OPS_KERNELS_CONV_WINOGRAD_H
#define NM_OPS_KERNELS_CONV_WINOGRAD_H

#include "ops/kernels/conv.h"

/* Whether the functions here take it: f32, 3x3 kernels at stride 1 without dilation or groups,
 * padding of at most 2, channels and outputs in groups of 16. Whether they may be called is
 * conv_choice.h's to say. */
bool nm_conv_is_winograd(nm_dtype dtype, const nm_conv *conv);
/* Whether it has so many tiles that they are faster. */
bool nm_conv_winograd_pays(const nm_conv *conv);

/* The gradient of the weights is summed in an order that depends on the number of threads; the
 * others are the same for any. Fail only if memory runs out. `bias` [o] may be NULL. */
nm_status nm_conv_winograd_forward(nm_context *context, const nm_conv *conv, const float *x,
                                   const float *w, const float *bias, bool relu, float *y);
nm_status nm_conv_winograd_input_grad(nm_context *context, const nm_conv *conv, const float *dy,
                                      const float *w, float *dx);
nm_status nm_conv_winograd_weight_grad(nm_context *context, const nm_conv *conv, const float *x,
                                       const float *dy, float *dw);

#endif
