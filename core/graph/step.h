/* A step of training but for its update, kept as one list: forward pass, loss, gradients. What
 * nm_backward() would find out anew every time is settled: shapes, checks, order, where all lies.
 */
#ifndef NM_CORE_GRAPH_STEP_H
#define NM_CORE_GRAPH_STEP_H

#include "core/graph/graph.h"

typedef struct nm_step_plan nm_step_plan;

/* Of a graph by nm_graph_trace_step(), which may go. NULL on failure. */
nm_step_plan *nm_step_plan_create(nm_graph *graph);
void nm_step_plan_destroy(nm_step_plan *plan); /* NULL is fine */
/* Whether the program's own tensors still require gradients or not as they did. */
bool nm_step_plan_is_current(const nm_step_plan *plan);
/* Does it, on elements of the graph's inputs, and counts its cost on `tape`, of the same context.
 * `seed` is the gradient to begin with, 1 where the loss counts as it is. *loss is the loss; where
 * that is not finite, no gradient is computed. Gradients go where nm_backward() adds them. */
nm_status nm_step_plan_run(nm_step_plan *plan, nm_tape *tape, nm_random *random, void *const *in,
                           double seed, double *loss);

#endif
