/* Tensors of indices. */
#ifndef NM_OPS_SHAPE_INDEX_H
#define NM_OPS_SHAPE_INDEX_H

#include "core/op.h"

/* Reads all indices of input `input` into scratch memory, negative ones counted from the end of
 * `length`. NULL on failure: one that is out of range is named with its place. */
int64_t *nm_read_indices(const nm_run *run, int input, int64_t length);

#endif
