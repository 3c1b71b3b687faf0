/* A dense layer in inference with weights of 8 bits (ops/kernels/gemm_i8.h), as two ops of
 * nm_graph_quantize()'s own: what is made of the weights once, and the product. */
#ifndef NM_OPS_LINEAR_DENSE_I8_H
#define NM_OPS_LINEAR_DENSE_I8_H

#include "core/op.h"

/* w [out, in] and b [out], which may be absent, to packed weights, their sums, scale and b, or 0.
 */
extern const nm_op nm_op_pack_i8;
enum { NM_PACKED_W, NM_PACKED_SUMS, NM_PACKED_SCALE, NM_PACKED_B, NM_PACKED };

/* x [..., in] and all four to y [..., out]. */
extern const nm_op nm_op_dense_i8;
/* The options of it and of dense_activation. */
extern const nm_spec nm_dense_activation_spec;

#endif
