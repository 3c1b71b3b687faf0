/* Steps of padded sequences, [batch, steps, ...], that layers leave out. */
#ifndef NM_MODELS_LAYERS_MASK_H
#define NM_MODELS_LAYERS_MASK_H

#include "models/layer.h"

/* 1 for steps that count and else 0, [batch, steps, 1, ...] of x's type; NULL where mask_value is
 * NM_NO_LIMIT: all do. */
nm_tensor *nm_mask_of_steps(nm_tape *tape, nm_tensor *x, double mask_value);
/* y, and 0 for steps that do not count. */
nm_tensor *nm_masked(nm_tape *tape, nm_tensor *mask, nm_tensor *y);
/* That the input is of sequences, with `axis` (-1: any) behind their steps, where there is a
 * mask_value. */
nm_status nm_mask_check(nm_layer *layer, const nm_shape *x, int axis, double mask_value);

#endif
