/* For floors above that run networks by graphs. */
#ifndef NM_CORE_GRAPH_PARTS_H
#define NM_CORE_GRAPH_PARTS_H

#include "core/graph/graph.h"
#include "core/graph/plan.h"

/* Whether what runs on the tape is being kept. */
bool nm_tape_is_traced(const nm_tape *tape);
/* Says that what runs did what no graph can hold: "it ...". Of a traced tape only. */
void nm_tape_note_obstacle(nm_tape *tape, const char *obstacle);
/* A pass that ends in a loss, with its backward pass: output 0 is the loss, the others are
 * gradients of tensors of the program's own; behind the inputs given comes one more, "seed", the
 * loss's own gradient. NULL without an error: no graph can hold it. */
nm_graph *nm_graph_trace_step(nm_context *context, nm_store *store, nm_forward_fn *forward,
                              void *self, const nm_graph_input *inputs, int input_count);
/* Whether two graphs, of one pass at two times, do the same. */
bool nm_graph_same(const nm_graph *a, const nm_graph *b);
/* Whether what runs on the tape is kept with its backward pass. */
bool nm_tape_is_traced_for_step(const nm_tape *tape);
/* Runs a part of a network. In a trace, where the part does what no graph can hold, it is kept as
 * one step that calls it. */
nm_tensor *nm_trace_part(nm_tape *tape, const nm_graph_part *part, void *self, const void *pass,
                         nm_tensor *x);
/* nm_graph_run() for graphs with such steps: `pass` goes to them. */
nm_status nm_graph_run_with(nm_graph *graph, nm_tape *tape, nm_random *random, const void *pass,
                            nm_tensor *const *in, nm_tensor **out);
/* nm_plan_run() of one input and one output, which becomes a tensor of the tape. */
nm_tensor *nm_plan_run_on(nm_plan *plan, nm_tape *tape, nm_tensor *x);

#endif
