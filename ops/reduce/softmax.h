/* What softmax and log_softmax share. */
#ifndef NM_OPS_SOFTMAX_H
#define NM_OPS_SOFTMAX_H

#include "core/op.h"

extern const nm_spec nm_softmax_spec; /* of nm_softmax_options */
extern const nm_port nm_softmax_grad_ports[2];

int nm_softmax_axis(const void *options, const nm_shape *shape);
nm_status nm_softmax_infer(nm_infer *infer);

#endif
