/* Power iteration, for layers that keep its vectors. */
#ifndef NM_OPS_SPECTRAL_NORM_H
#define NM_OPS_SPECTRAL_NORM_H

#include "core/op.h"

/* Moves left [out] and right [rest] that many times on their way to the singular vectors of w,
 * [out,
 * ...], of the largest singular value. At once: within an effect (nm_tape_do()). */
nm_status nm_spectral_iterate(nm_tensor *w, nm_tensor *left, nm_tensor *right, int64_t iterations);

#endif
