/* The tape: ops compute when called and, if an input needs a gradient, leave a node behind; the
 * backward pass walks the nodes in reverse. Tensors that ops return belong to the tape and live
 * until its next reset. All memory is pooled: a step like the one before it allocates nothing.
 *
 *     nm_tape *tape = nm_tape_create(context);
 *     for (each batch) {
 *         nm_tape_reset(tape);
 *         nm_tensor *loss = ...ops...;
 *         nm_backward(tape, loss, 0);
 *         ...update the parameters by their nm_tensor_grad()...
 *     }
 *
 * Ops take NULL and return NULL while an error stands in the context, so a chain of them needs one
 * check at its end. */
#ifndef NM_CORE_TAPE_H
#define NM_CORE_TAPE_H

#include "core/random.h"
#include "core/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct nm_tape nm_tape;

NM_API nm_tape *nm_tape_create(nm_context *context);
/* NULL is fine. Its tensors are gone, as after a reset: one that is used after that is an error, at
 * least until another tape of the context is destroyed (with -Dguard=true, as long as the context).
 * While a backward pass runs on it (an op's vjp), neither this nor a reset is possible. */
NM_API void nm_tape_destroy(nm_tape *tape);
/* Forgets all nodes and tensors; keeps the memory for the next step. A tensor that is used after
 * that is an error, at least up to the reset after the next; built with -Dguard=true, 63 resets
 * long. */
NM_API void nm_tape_reset(nm_tape *tape);
NM_API nm_context *nm_tape_context(const nm_tape *tape);
NM_API int64_t nm_tape_nodes(const nm_tape *tape);

/* Recording is on at first. Off, ops only compute (no-grad mode). Returns what it was. */
NM_API bool nm_tape_set_recording(nm_tape *tape, bool on);
/* Anomaly mode: after every op, and after every gradient, looks for the first NaN or infinity and
 * fails with NM_ERROR_NUMERIC, naming the op, its scope, the tensor and the place. Slow. */
NM_API bool nm_tape_set_anomaly(nm_tape *tape, bool on);
/* Dry mode: ops check their inputs and infer shapes, but hold no elements and compute nothing.
 * Tells the shapes, the cost and the memory of a network before it runs. */
NM_API bool nm_tape_set_dry(nm_tape *tape, bool on);
/* Whether they are on. */
NM_API bool nm_tape_is_recording(const nm_tape *tape);
NM_API bool nm_tape_is_anomalous(const nm_tape *tape);
NM_API bool nm_tape_is_dry(const nm_tape *tape);
/* A label for the nodes that follow, such as a layer's name, used in messages. It is copied; NULL
 * for none. Returns the old one, a text of the tape's that is to be put back before the reset. */
NM_API const char *nm_tape_set_scope(nm_tape *tape, const char *scope);

/* The same with a label of nm_context_label(), which is not copied. The library's own. */
const char *nm_tape_enter(nm_tape *tape, const char *label);

/* While it is held, by a forward pass of a network that runs on it, nm_tape_destroy() is an error.
 * Returns whether it was. The library's own. */
bool nm_tape_hold(nm_tape *tape, bool on);

/* What the ops since the last reset did (dry or not). */
typedef struct nm_tape_cost {
    int64_t multiply_adds; /* of matrix products and convolutions, forward */
    int64_t bytes;         /* of op outputs */
    int64_t ops;
} nm_tape_cost;
NM_API nm_tape_cost nm_tape_cost_so_far(const nm_tape *tape);

/* ---- Tensors of the tape that no op computed ---- */

/* Uninitialized elements. */
NM_API nm_tensor *nm_tape_tensor(nm_tape *tape, nm_dtype dtype, nm_shape shape);
/* A tensor over memory of the caller, who keeps it until the reset: a mini-batch, for example. */
NM_API nm_tensor *nm_tape_wrap(nm_tape *tape, nm_dtype dtype, nm_shape shape, void *data);
NM_API nm_tensor *nm_scalar(nm_tape *tape, nm_dtype dtype, double value); /* rank 0 */
NM_API nm_tensor *nm_full(nm_tape *tape, nm_dtype dtype, nm_shape shape, double value);
/* The same elements as a tensor that no gradient passes through; a copy of memory of the caller's.
 */
NM_API nm_tensor *nm_detach(nm_tape *tape, nm_tensor *x);
/* Gives the elements of a tape tensor back before the reset, if no node needs them. A promise not
 * to use `x` any more; keeps memory flat in long chains without recording. NULL is fine. */
NM_API void nm_tape_discard(nm_tape *tape, nm_tensor *x);

/* ---- What a forward pass does beside ops ----
 * Said so, it can be kept as a graph (core/graph/graph.h) and done again from that. */

/* Something that reads tensors and changes what is not the tape's: running statistics. */
typedef struct nm_effect {
    const char *name; /* "move_statistics" */
    size_t size;      /* bytes of `data` */
    nm_status (*run)(const void *data, nm_tensor *const *in);
} nm_effect;

/* Runs it now; not at all on a dry tape. `data` is copied where it is kept (NULL: none), and what
 * it points to must outlive the network, as the effect must. `in` may hold NULLs. */
NM_API nm_status nm_tape_do(nm_tape *tape, const nm_effect *effect, const void *data,
                            nm_tensor *const *in, int inputs);
/* The next number of a random stream, not negative, as a tensor i64 []. NULL on failure. */
NM_API nm_tensor *nm_tape_draw(nm_tape *tape, nm_random *random);

/* ---- Segments: memory for time ----
 * Gradient checkpointing. Of what ops computed between the two calls, the elements are given back,
 * but for `outputs`, and computed again when a backward pass comes there: of a long chain in
 * segments, one segment's elements are there at a time.
 *
 *     int64_t segment = nm_tape_begin_segment(tape);
 *     nm_tensor *y = ...ops of x...;
 *     nm_tape_end_segment(tape, segment, &y, 1);
 *
 * Gradients have the same bits as without, of any order: dropout drops the same elements, and
 * running statistics move once. With NM_CREATE_GRAPH, what was computed again stays. */

/* A number for nm_tape_end_segment(). */
NM_API int64_t nm_tape_begin_segment(nm_tape *tape);
/* `outputs`: what is read after it, by ops or by you; of all else, but for what nm_tensor_keep()
 * keeps, the elements are gone. Another segment within becomes part of it. Without recording
 * nothing is given back. An error of the backward pass: what the segment read has changed since. */
NM_API nm_status nm_tape_end_segment(nm_tape *tape, int64_t segment, nm_tensor *const *outputs,
                                     int count);

/* ---- Gradients ---- */

#define NM_KEEP_GRAPH 1u /* keep the nodes' tensors: another backward pass may follow */
#define NM_CREATE_GRAPH                                                                            \
    2u /* record the backward pass, so gradients can be differentiated again                       \
        */

/* Computes d(loss)/d(p) for every tensor p of your own that requires a gradient and that `loss`
 * (one element) depends on, and adds it to nm_tensor_grad(p). Gives memory back on its way:
 * afterwards only the loss, your own tensors and kept ones can be read. `flags`: NM_KEEP_GRAPH or
 * 0. */
NM_API nm_status nm_backward(nm_tape *tape, nm_tensor *loss, unsigned flags);

/* The gradients of sum over k of <outputs[k], output_grads[k]> with respect to any tensors on the
 * tape or of your own; adds to no nm_tensor_grad(). `output_grads` may be NULL or hold NULLs: ones.
 * grads[i] has the shape of inputs[i] and belongs to the tape; an input that the outputs do not
 * depend on gets zeros. On failure all are NULL. */
NM_API nm_status nm_gradients(nm_tape *tape, nm_tensor *const *outputs,
                              nm_tensor *const *output_grads, int output_count,
                              nm_tensor *const *inputs, int input_count, unsigned flags,
                              nm_tensor **grads);

/* ---- Ops by name ---- */

/* Runs the registered op `name` on `inputs` with options as YAML text ("{eps: 1e-5}", NULL: none).
 * Missing optional inputs are NULL. `outputs` takes `output_count` results; hidden ones come last
 * and may be left out. */
NM_API nm_status nm_call(nm_tape *tape, const char *name, nm_tensor *const *inputs, int input_count,
                         const char *options, nm_tensor **outputs, int output_count);

#ifdef __cplusplus
}
#endif
#endif
