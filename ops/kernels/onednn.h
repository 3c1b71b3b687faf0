/* oneDNN, where the library was built for it and it is installed: f32 matrix products and
 * convolutions, and the same of numbers rounded to bf16. It is loaded by the first of them.
 * Primitives are made once for each problem and kept in the context. */
#ifndef NM_OPS_KERNELS_ONEDNN_H
#define NM_OPS_KERNELS_ONEDNN_H

#include "ops/kernels/conv.h"
#include "ops/kernels/gemm.h"

/* All return whether they did the work. If not, the caller's own kernel has to: oneDNN is not
 * there, switched off (nm_context_set_onednn), or does not take this problem. Or memory ran out:
 * then the context has that error. Bias and activation of a product are the caller's to add. */
bool nm_onednn_gemm(nm_context *context, const nm_gemm *gemm, bool in_bf16);
bool nm_onednn_conv_forward(nm_context *context, const nm_conv *conv, const void *x, const void *w,
                            const void *bias, void *y);
bool nm_onednn_conv_input_grad(nm_context *context, const nm_conv *conv, const void *dy,
                               const void *w, void *dx);
bool nm_onednn_conv_weight_grad(nm_context *context, const nm_conv *conv, const void *x,
                                const void *dy, void *dw);
/* The version that is found, 100 times the major and the minor (206 is 2.6), loaded to find out. 0:
 * none, and `why`, of `room` bytes, says why. */
#define NM_ONEDNN_WHY 256
NM_COMMAND_API int nm_onednn_version(char *why, size_t room);
/* Whether something in this context has been computed by it, or begun to. */
NM_COMMAND_API bool nm_onednn_is_used(nm_context *context);

#endif
