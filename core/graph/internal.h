/* What the files of graphs know of each other, and the tape of a trace. */
#ifndef NM_CORE_GRAPH_INTERNAL_H
#define NM_CORE_GRAPH_INTERNAL_H

#include "core/graph/graph.h"
#include "core/graph/parts.h"
#include "core/internal.h"

struct nm_graph {
    nm_context *context;
    nm_store *store;
    nm_graph_value *values;
    int value_count, value_capacity;
    nm_graph_step **steps;
    int step_count, step_capacity;
    int inputs[NM_GRAPH_MAX_INPUTS];
    int *outputs; /* of a whole step: the loss, then gradients, as many as there are */
    int input_count, output_count, output_capacity;
    nm_tensor **learned; /* of a whole step: whose gradient output 1 + i is */
    int learned_count, learned_capacity;
    bool ready;     /* the next are made, for the steps as they are */
    nm_tensor **at; /* value_count: the tensors of a run */
    int *last;      /* value_count: the step after which nobody reads it; -1: it is kept */
    int *dead;      /* values in the order of the steps after which they are dead, and */
    int *dead_from; /* step_count + 1: where those of a step begin */
};

/* ---- graph.c: making and changing it. A change of steps leaves it not ready. ---- */

nm_graph *nm_graph_create(nm_context *context, nm_store *store);
/* Returns its index; -1 without memory. */
int nm_graph_add_value(nm_graph *graph, nm_dtype dtype, const nm_shape *shape);
/* The value is that tensor, which is kept as long as the graph is. */
void nm_graph_set_tensor(nm_graph *graph, int value, nm_tensor *tensor);
/* Such an output. */
nm_status nm_graph_add_output(nm_graph *graph, int value);
/* A whole step's: the gradient of a tensor of the program's own. */
nm_status nm_graph_add_gradient(nm_graph *graph, nm_tensor *of, int value);
/* A step at the end, with room for its values and a copy of `options`; NULL without memory. Its
 * arrays are to be filled in by nm_graph_step_inputs() and its like. */
nm_graph_step *nm_graph_add_step(nm_graph *graph, nm_step_kind kind, int inputs, int outputs,
                                 const void *options, size_t option_bytes);
static inline int *nm_step_inputs(nm_graph_step *step)
{
    return (int *)(void *)(step + 1);
}
static inline int *nm_step_outputs(nm_graph_step *step)
{
    return nm_step_inputs(step) + step->inputs;
}
/* The step, its indices, its options: one piece of memory, in no graph yet. */
nm_graph_step *nm_graph_make_step(nm_context *context, int inputs, int outputs, const void *options,
                                  size_t option_bytes);
/* Says that steps have changed. */
void nm_graph_touch(nm_graph *graph);
/* Forgets all that came after. */
void nm_graph_cut(nm_graph *graph, int step_count, int value_count);
/* Makes it ready to run. */
nm_status nm_graph_prepare(nm_graph *graph);

/* ---- record.c ---- */

/* A dry run in progress. */
struct nm_trace {
    nm_trace *outer; /* of the context; NULL: none */
    nm_graph *graph;
    const nm_tensor **tensors; /* of the graph's values, so far */
    int capacity;
    int *table; /* by the tensor's address: a value's index + 1; 0: free */
    int table_size;
    const char *obstacle;  /* what no graph can hold; NULL: nothing so far */
    int segment, segments; /* of the steps now (0: none), and so far */
    bool differentiates;   /* ops leave nodes too: a backward pass will be kept with the pass */
};

/* A new value, which the tensor stands for from now on; the value that it is. -1 without memory. */
int nm_trace_add_value(nm_trace *trace, const nm_tensor *tensor);
int nm_trace_value_of(nm_trace *trace, nm_tensor *tensor);
/* After the graph was cut. */
void nm_trace_fill_table(nm_trace *trace);
nm_status nm_trace_call(nm_tape *tape, const nm_graph_part *part, void *self, nm_tensor *x,
                        nm_tensor *y);

#endif
