/* The second-order kernel of batch norm: an op for batch_norm_grad's vjp, which lies there. */
#ifndef NM_OPS_BATCH_NORM_SECOND_H
#define NM_OPS_BATCH_NORM_SECOND_H

#include "core/op.h"
#include "ops/norm.h"

/* batch_norm_grad's inputs, mean and inverse known, with the gradients of its results: u of dx, k
 * of dscale and l of dshift. scale, dvar, k and l may be absent. */
enum {
    NM_SECOND_X,
    NM_SECOND_DY,
    NM_SECOND_U,
    NM_SECOND_MEAN,
    NM_SECOND_INVERSE,
    NM_SECOND_SCALE,
    NM_SECOND_DVAR,
    NM_SECOND_K,
    NM_SECOND_L,
    NM_SECOND_INPUTS
};
/* The gradients of batch_norm_grad's inputs: two of x's shape, three [channels]. */
enum {
    NM_SECOND_DX,
    NM_SECOND_DDY,
    NM_SECOND_DSCALE,
    NM_SECOND_DDMEAN,
    NM_SECOND_DDVAR,
    NM_SECOND_OUTPUTS
};

/* With nm_batch_norm_options, of which the mode is not read: it is training. */
nm_status nm_batch_norm_second_infer(nm_infer *infer);
nm_status nm_batch_norm_second_forward(const nm_run *run);

#endif
