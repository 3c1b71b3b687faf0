/* Convolutions of images with a few channels, such as a network's first, and the gradient of the
 * weights of some: there the depth of a product by channels is too small for the general kernels,
 * oneDNN's too. */
#ifndef NM_OPS_KERNELS_CONV_NARROW_H
#define NM_OPS_KERNELS_CONV_NARROW_H

#include "ops/kernels/conv.h"

/* Whether the functions here take it: f32, at most 4 channels, outputs in groups of 16, rows of at
 * least 8 of them. Whether they may be called is conv_choice.h's to say. */
bool nm_conv_is_narrow(nm_dtype dtype, const nm_conv *conv);
/* Fails only if memory runs out. `bias` [o] may be NULL. */
nm_status nm_conv_narrow_forward(nm_context *context, const nm_conv *conv, const float *x,
                                 const float *w, const float *bias, bool relu, float *y);
/* Whether there also is a kernel for the gradient of its weights and bias: of 3x3 kernels on one
 * channel, outputs in groups of 32. With more channels or taps oneDNN is as fast. */
bool nm_conv_narrow_has_weight_grad(const nm_conv *conv);
/* The same bits for any number of threads. Fails only if memory runs out. `db` [o] may be NULL. */
nm_status nm_conv_narrow_weight_grad(nm_context *context, const nm_conv *conv, const float *x,
                                     const float *dy, float *dw, float *db);

#endif
