/* A network that runs from graphs of its own forward pass: for every shape of its input, and every
 * way a pass runs, the pass is kept once (core/graph/graph.h), and what it does is put together
 * where one op does the work of several (ops/passes/passes.h). In training, and wherever something
 * is recorded, the graph runs on the tape; in inference without recording it runs from a plan
 * (core/graph/plan.h).
 *
 *     nm_network network = {.self = net, .store = store, .forward = forward};
 *     nm_traced *traced = nm_traced_create(&network);
 *     setup.network = nm_traced_network(traced);
 *
 * The trainer and nm_learn() go further with such a network: of a step that comes again, the calls
 * of forward pass, loss and backward pass are kept as one list (optim/steps.h).
 *
 * What is kept is what the pass did, so a pass may depend on shapes, on the members of nm_pass, on
 * which entries of the store are trainable, and on nothing else that changes. What it does beside
 * ops it says by nm_tape_do() and nm_tape_draw(). A pass that no graph can hold runs as it is,
 * every time; so does one that varies all the same (tensors that take turns), if it does so by the
 * time that it comes again. Later changes a library built with -Dguard=true finds, and logs; after
 * them, make a new nm_traced. */
#ifndef NM_OPTIM_TRACED_H
#define NM_OPTIM_TRACED_H

#include "optim/network.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct nm_traced nm_traced;

/* `network` is copied; what it points to but the store must outlive the result. NULL on failure. */
NM_API nm_traced *nm_traced_create(const nm_network *network);
/* NULL is fine. Passes that run in it, and trainers of its network, keep it until they are done. */
NM_API void nm_traced_destroy(nm_traced *traced);
/* The network to use in place of the first: what the trainer and nm_evaluate() take. */
NM_API const nm_network *nm_traced_network(const nm_traced *traced);
/* The same as its forward(). */
NM_API nm_tensor *nm_traced_forward(nm_traced *traced, const nm_pass *pass, nm_tensor *x);
/* Prepares inference with the parameters as they are now, at once for inputs of that type and
 * shape: what depends on parameters alone is computed once, and batch norm goes into the weights of
 * the dense or conv2d before it; and for batches of which packing a dense layer's weights takes a
 * part of the time, they are packed once (not for those that share). Results differ within
 * rounding. The next pass in training, or nm_traced_unfold(), ends it. Parameters that change
 * otherwise are noticed, where it is the library that changes them or nm_tensor_touch() says so. */
NM_API nm_status nm_traced_fold(nm_traced *traced, nm_dtype dtype, nm_shape x);
NM_API void nm_traced_unfold(nm_traced *traced);

/* ---- The library's own ---- */

/* Whether dense layers of folded passes compute with 8 bits (ops/passes/passes.h): the next
 * nm_traced_fold() prepares it. Passes that are recorded do not. NULL is fine. */
void nm_traced_quantize(nm_traced *traced, bool on);
/* The same network for passes in inference in another context, on tapes that its store is lent to
 * (nm_store_lend()): folded if `traced` is, with the same constants. `traced` may run meanwhile,
 * and must outlive the result. */
nm_traced *nm_traced_share(nm_context *context, const nm_traced *traced);
/* Keeps it until it is released as often; NULL is fine. */
void nm_traced_hold(nm_traced *traced);
void nm_traced_release(nm_traced *traced);
bool nm_traced_is_folded(const nm_traced *traced);
/* State that goes with it: `size` bytes, zeros when asked for first, then always the same. NULL
 * without memory. */
void *nm_traced_attach(nm_traced *traced, size_t size,
                       void (*destroy)(nm_context *context, void *state));

#ifdef __cplusplus
}
#endif
#endif
