/* For an op that computes forward and backward in one piece each, and has a formula of ops too. */
#ifndef NM_CORE_TAPE_FORMULA_H
#define NM_CORE_TAPE_FORMULA_H

#include "core/op.h"

typedef nm_tensor *nm_formula(nm_compose *compose);

/* A vjp where the tape is recording, so that gradients are to be differentiated again: the formula,
 * which computes what the op does, is applied and gone back through at once, and both are recorded.
 * Puts the gradients of all inputs into v->gin; returns that of `input`. NULL on failure. */
nm_tensor *nm_vjp_of_formula(nm_vjp *v, int input, nm_formula *formula);

#endif
