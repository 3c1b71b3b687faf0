/* The seam for two-dimensional convolutions: x [n, h, w, c], weights [o, kh, kw, c / groups],
 * y [n, oh, ow, o]. The three directions are linear in each of their inputs. */
#ifndef NM_OPS_KERNELS_CONV_H
#define NM_OPS_KERNELS_CONV_H

#include "ops/activation.h"

typedef struct nm_conv {
    int64_t n, h, w, c;
    int64_t o, oh, ow;
    int64_t kh, kw;
    int64_t stride[2], padding[2], dilation[2]; /* vertical, horizontal */
    int64_t groups;
    int64_t
        bf16; /* round inputs to bf16 where that is faster; results are of `dtype` all the same */
    int64_t x_is_bf16, y_is_bf16; /* in memory, where `dtype` is f32; dx and dy are not */
} nm_conv;

/* Fail only if memory runs out. `bias` [o] may be NULL; so may its gradient `db` [o], the sum of dy
 * over all places. */
nm_status nm_conv_forward(nm_context *context, nm_dtype dtype, const nm_conv *conv, const void *x,
                          const void *w, const void *bias, nm_activation activation, void *y);
nm_status nm_conv_input_grad(nm_context *context, nm_dtype dtype, const nm_conv *conv,
                             const void *dy, const void *w, void *dx);
nm_status nm_conv_weight_grad(nm_context *context, nm_dtype dtype, const nm_conv *conv,
                              const void *x, const void *dy, void *dw, void *db);

#endif
