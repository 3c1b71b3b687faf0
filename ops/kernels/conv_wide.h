/* The kernels for some convolutions only, written for vectors and compiled for each instruction
 * set:
 *
 * narrow: of images with a few channels, such as a network's first; there the depth of a product by
 * channels is too small for the general kernels, oneDNN's too. And the gradient of the weights of
 * some of them.
 *
 * tiles: see direct.h.
 *
 * winograd: of 3x3 kernels by Winograd's filtering. Twice as fast as the definition, and rounded
 * more: the error is up to three times as large. */
#ifndef NM_OPS_KERNELS_CONV_WIDE_H
#define NM_OPS_KERNELS_CONV_WIDE_H

#include "ops/kernels/direct.h"

/* All fail only if memory runs out. `bias` and `db`, [o], may be NULL. The gradient of the weights
 * by Winograd's filtering is summed in an order that depends on the number of threads; all else has
 * the same bits for any. */
typedef struct nm_conv_wide {
    int lanes;     /* of a vector: channels come in groups of so many */
    int grad_unit; /* and for narrow_weight_grad, the outputs' */
    nm_tiles tiles;
    nm_status (*narrow_forward)(nm_context *context, const nm_conv *conv, const float *x,
                                const float *w, const float *bias, bool relu, float *y);
    nm_status (*narrow_weight_grad)(nm_context *context, const nm_conv *conv, const float *x,
                                    const float *dy, float *dw, float *db);
    nm_status (*winograd_forward)(nm_context *context, const nm_conv *conv, const float *x,
                                  const float *w, const float *bias, bool relu, float *y);
    nm_status (*winograd_input_grad)(nm_context *context, const nm_conv *conv, const float *dy,
                                     const float *w, float *dx);
    nm_status (*winograd_weight_grad)(nm_context *context, const nm_conv *conv, const float *x,
                                      const float *dy, float *dw);
} nm_conv_wide;

/* Those for AVX-512 and AVX2, where they are compiled, and for whatever else there is. */
extern const nm_conv_wide nm_conv_avx512, nm_conv_avx512_bf16, nm_conv_avx2, nm_conv_base;

/* Those that this processor runs, from the best on. NULL: no more. */
const nm_conv_wide *nm_conv_wide_at(int index);
/* Winograd's filtering alone, of what is rounded to bf16 once transformed. NULL: this processor has
 * no units for it. */
const nm_conv_wide *nm_conv_wide_bf16(void);

/* Whether narrow_forward takes it: f32, at most 4 channels, outputs in groups of vectors, rows of
 * at least 8 of them. */
bool nm_conv_is_narrow(nm_dtype dtype, const nm_conv *conv, const nm_conv_wide *wide);
/* Whether narrow_weight_grad does: of 3x3 kernels on one channel. With more channels or taps oneDNN
 * is as fast. */
bool nm_conv_narrow_has_weight_grad(const nm_conv *conv, const nm_conv_wide *wide);
/* Whether the others do: f32, one group, stride and dilation 1, padding up to 2, channels both ways
 * in groups of vectors. */
bool nm_conv_is_winograd(nm_dtype dtype, const nm_conv *conv, const nm_conv_wide *wide);
/* Whether it has so many tiles that they are faster. */
bool nm_conv_winograd_pays(const nm_conv *conv);

#endif
