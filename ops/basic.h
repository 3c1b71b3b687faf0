/* What gradients are written with: elementwise ops, reductions and shape ops.
 *
 * All return a tensor of the tape, and NULL, with an error in the context, on failure. Those with
 * options take them by name behind the tensors: nm_sum(tape, x, .axes = NM_INTS(0)). The function
 * behind such a macro is nm_NAME_with(), which takes a struct; NULL: the defaults. */
#ifndef NM_OPS_BASIC_H
#define NM_OPS_BASIC_H

#include "ops/arithmetic.h"
#include "ops/reduce.h"
#include "ops/shape.h"

#endif
