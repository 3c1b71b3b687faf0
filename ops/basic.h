/* Elementwise ops, reductions and shape ops. Elementwise ops of two inputs broadcast as NumPy does.
 */
#ifndef NM_OPS_BASIC_H
#define NM_OPS_BASIC_H

#include "core/op.h"

#ifdef __cplusplus
extern "C" {
#endif

NM_API nm_tensor *nm_add(nm_tape *tape, nm_tensor *a, nm_tensor *b); /* a + b */
NM_API nm_tensor *nm_sub(nm_tape *tape, nm_tensor *a, nm_tensor *b); /* a - b */
NM_API nm_tensor *nm_mul(nm_tape *tape, nm_tensor *a, nm_tensor *b); /* a * b */
NM_API nm_tensor *nm_div(nm_tape *tape, nm_tensor *a, nm_tensor *b); /* a / b */
NM_API nm_tensor *nm_neg(nm_tape *tape, nm_tensor *x);               /* -x */
NM_API nm_tensor *nm_relu(nm_tape *tape, nm_tensor *x);              /* max(x, 0) */

/* x summed over the axes along which `shape` broadcasts to x's shape. */
NM_API nm_tensor *nm_sum_to(nm_tape *tape, nm_tensor *x, nm_shape shape);
/* x repeated along the axes that `shape` adds or widens. */
NM_API nm_tensor *nm_broadcast_to(nm_tape *tape, nm_tensor *x, nm_shape shape);

#ifdef __cplusplus
}
#endif
#endif
