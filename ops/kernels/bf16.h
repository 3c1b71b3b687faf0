/* bf16: the upper half of an f32. */
#ifndef NM_OPS_KERNELS_BF16_H
#define NM_OPS_KERNELS_BF16_H

#include "core/op.h"

/* Rounds to nearest, ties to even; NaN stays NaN. */
void nm_bf16_from_f32(nm_context *context, const float *from, uint16_t *to, int64_t count);
void nm_bf16_to_f32(nm_context *context, const uint16_t *from, float *to, int64_t count);
/* The gradient of a relu whose result is y: dy where y > 0, else 0. dx may be dy. */
void nm_bf16_relu_grad(nm_context *context, const uint16_t *y, const float *dy, float *dx,
                       int64_t count);

/* Whether products that ask for bf16 get it: the processor has units for it, or is to emulate. */
bool nm_takes_bf16(nm_context *context);
/* Whether it has units that multiply whole tiles, which only oneDNN uses. */
bool nm_bf16_has_amx(nm_context *context);

/* Few of them, on this thread. */
void nm_bf16_narrow(const float *from, uint16_t *to, int64_t count);
void nm_bf16_widen(const uint16_t *from, float *to, int64_t count);

#endif
