/* bf16: the upper half of an f32. */
#ifndef NM_OPS_KERNELS_BF16_H
#define NM_OPS_KERNELS_BF16_H

#include "core/op.h"

/* Rounds to nearest, ties to even; NaN stays NaN. */
void nm_bf16_from_f32(nm_context *context, const float *from, uint16_t *to, int64_t count);

#endif
