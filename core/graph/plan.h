/* A graph made ready for inference: its shapes, checks, order and memory are settled once, and a
 * run only computes.
 *
 *     nm_plan *plan = nm_plan_create(graph);
 *     nm_plan_run(plan, &x, &y);
 *
 * What lies between inputs and outputs shares one block of nm_plan_bytes(), laid out beforehand. It
 * comes from the context's pool for the length of a run: after the first one, no run asks the
 * allocator for anything. */
#ifndef NM_CORE_GRAPH_PLAN_H
#define NM_CORE_GRAPH_PLAN_H

#include "core/graph/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct nm_plan nm_plan;

/* Of a graph without effects, draws and parts: a pass in inference. The graph may go; what it
 * points to must stay. NULL on failure. */
NM_API nm_plan *nm_plan_create(nm_graph *graph);
NM_API void nm_plan_destroy(nm_plan *plan); /* NULL is fine */
NM_API size_t nm_plan_bytes(const nm_plan *plan);
/* Computes outputs from inputs, tensors of the graph's shapes and types that have elements, all
 * different from each other. Nothing is recorded. The elements of the outputs are undefined on
 * failure, which names op and scope. */
NM_API nm_status nm_plan_run(nm_plan *plan, nm_tensor *const *in, nm_tensor *const *out);

#ifdef __cplusplus
}
#endif
#endif
