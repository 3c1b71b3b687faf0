/* Results that are kept in bf16 for the ops that read them, and for the gradient: half the memory.
 * Ops compute with them in f32, and so are their gradients. */
#ifndef NM_OPS_NARROW_H
#define NM_OPS_NARROW_H

#include "core/op.h"

#define NM_NARROW_DOC "keep y in bf16, where the other types are f32; few ops take it"

/* What the option `narrow` says of output 0, in a shape rule. */
void nm_narrow_output(nm_infer *infer, bool narrow);

/* x, or as f32 what is bf16. */
nm_tensor *nm_wide_of(nm_tape *tape, nm_tensor *x);
/* For a vjp: x, or where the pass records, and x is bf16, what has a gradient of any order. */
nm_tensor *nm_widened(nm_tape *tape, nm_tensor *x);

#endif
