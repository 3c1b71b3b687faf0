/* A dense layer in inference with weights that were packed once, as two ops of nm_graph_pack()'s
 * own.
 */
#ifndef NM_OPS_LINEAR_DENSE_PACKED_H
#define NM_OPS_LINEAR_DENSE_PACKED_H

#include "core/op.h"

/* w [out, in] as nm_gemm_pack() packs it. */
extern const nm_op nm_op_pack;
/* x [..., in], that, w itself and b [out], which may be absent, to y [..., out]; with the options
 * of dense_activation. */
extern const nm_op nm_op_dense_packed;

#endif
