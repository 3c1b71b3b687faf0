/* What layers with running statistics share. */
#ifndef NM_MODELS_RUNNING_H
#define NM_MODELS_RUNNING_H

#include "models/layer.h"

/* Batch norm of x in a pass with `statistics`, to which the batch's are added: as evaluation will
 * be, once they are the running ones. scale and shift may be NULL. NULL on failure. */
nm_tensor *nm_gather_statistics(const nm_pass *pass, nm_tensor *x, nm_tensor *scale,
                                nm_tensor *shift, const nm_entry *mean, const nm_entry *var,
                                int64_t axis, double eps);

/* [channels] times `by` and plus `plus`, either of which may be NULL, as a shape that broadcasts to
 * x's with the channels on that axis. */
nm_tensor *nm_along_axis(nm_tape *tape, nm_tensor *channels, nm_tensor *by, nm_tensor *plus,
                         const nm_tensor *x, int axis);

#endif
