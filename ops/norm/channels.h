/* What ops with one value a channel share: their formulas mix tensors [channels] with tensors of
 * x's shape. In these formulas NULL stands for a term or factor that is not there. */
#ifndef NM_OPS_CHANNELS_H
#define NM_OPS_CHANNELS_H

#include "core/op.h"

/* [channels] as [1, channels, 1, ...], to be broadcast to x. axis -1: t is [] and stays. */
nm_tensor *nm_along_channels(nm_tape *tape, nm_tensor *t, const nm_shape *shape, int axis);
/* The opposite: x, of that shape, summed over all axes but one, as [channels]. */
nm_tensor *nm_sum_of_channels(nm_tape *tape, nm_tensor *x, int axis);

/* a + b, a * b; if one is NULL, the other. */
nm_tensor *nm_add_terms(nm_tape *tape, nm_tensor *a, nm_tensor *b);
nm_tensor *nm_multiply_factors(nm_tape *tape, nm_tensor *a, nm_tensor *b);
/* a, or zeros of the shape of `like` if it is NULL. */
nm_tensor *nm_or_zeros(nm_tape *tape, nm_tensor *a, nm_tensor *like);

/* Fails unless input `input` is absent or has one value for each channel of input 0. */
nm_status nm_infer_channels(const nm_infer *infer, int input, int axis);

#endif
