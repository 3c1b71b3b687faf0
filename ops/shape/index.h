/* Tensors of indices. */
#ifndef NM_OPS_SHAPE_INDEX_H
#define NM_OPS_SHAPE_INDEX_H

#include "core/op.h"

/* The shape; [1] for that of a single number, which has one place along its axis 0 or -1. */
nm_shape nm_shape_with_axis(const nm_shape *shape);
/* nm_infer_axis() of input 0, with that. */
nm_status nm_infer_index_axis(nm_infer *infer, int64_t axis, int *out);

/* Reads all indices of input `input` into scratch memory, negative ones counted from the end of
 * `length`. NULL on failure: one that is out of range is named with its place. */
int64_t *nm_read_indices(const nm_run *run, int input, int64_t length);

#endif
