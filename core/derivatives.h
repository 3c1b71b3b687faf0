/* Products with Jacobians and Hessians, neither of which is ever made: what they take is two
 * backward passes, whatever their size.
 *
 *     nm_tensor *loss = ...ops of x...;      x requires a gradient
 *     nm_hvp(tape, loss, &x, &v, 1, 0, &product);                    H v
 *     nm_jvp(tape, &y, 1, &x, &v, 1, 0, &change);                    J v: how y moves as x does by
 * v nm_gradients(tape, &y, &u, 1, &x, 1, 0, &gradient);            J^T u, in core/tape.h
 *
 * Whoever takes several of one point gives NM_KEEP_GRAPH to all but the last: else the tensors
 * between inputs and outputs are given back. */
#ifndef NM_CORE_DERIVATIVES_H
#define NM_CORE_DERIVATIVES_H

#include "core/tape.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How the outputs change as the inputs move by `tangents`: results[k] = sum over i of
 * (d outputs[k] / d inputs[i]) tangents[i], forward mode. `outputs` were computed on the tape;
 * `inputs` are tensors on it or of your own that require a gradient, and tangents[i] has the shape
 * and type of inputs[i] or is NULL, zeros. results[k] has the shape of outputs[k] and belongs to
 * the tape; that of an output that does not depend on the inputs is zeros. `flags`: 0,
 * NM_KEEP_GRAPH, or NM_CREATE_GRAPH for results that can be differentiated again. On failure all
 * results are NULL.
 *
 * The gradient of <outputs, w> in the inputs is J^T w, linear in w; its own gradient in w, weighted
 * by the tangents, is J times them. So every op has it whose gradient can be differentiated. */
NM_API nm_status nm_jvp(nm_tape *tape, nm_tensor *const *outputs, int output_count,
                        nm_tensor *const *inputs, nm_tensor *const *tangents, int input_count,
                        unsigned flags, nm_tensor **results);

/* The Hessian of `loss` (one element) in all inputs together, times the vectors: products[i] = sum
 * over j of (d^2 loss / d inputs[i] d inputs[j]) vectors[j]. Otherwise as above. The gradient of
 * <gradient, vectors>. */
NM_API nm_status nm_hvp(nm_tape *tape, nm_tensor *loss, nm_tensor *const *inputs,
                        nm_tensor *const *vectors, int input_count, unsigned flags,
                        nm_tensor **products);

#ifdef __cplusplus
}
#endif
#endif
