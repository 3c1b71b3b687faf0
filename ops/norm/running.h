/* What moves running statistics, for who has to know when. */
#ifndef NM_OPS_RUNNING_H
#define NM_OPS_RUNNING_H

#include "core/tensor.h"

/* nm_batch_norm_move() at once: in[] is the batch's mean and var, x, running_mean and running_var,
 * the last of which may be NULL. */
nm_status nm_batch_norm_move_now(nm_tensor *const *in, double momentum);

#endif
