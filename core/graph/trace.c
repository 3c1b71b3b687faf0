/* A dry run that keeps what it did. Promises:
 *
 * 1. What cannot be kept is noticed: the part of a network in which it happened becomes one step
 *    that calls it, or the trace fails with the reason.
 * 2. Nothing that the pass would change is changed. */
#include "core/graph/internal.h"
#include "core/guard.h"

bool nm_tape_is_traced(const nm_tape *tape)
{
    return tape && tape->trace;
}

void nm_tape_note_obstacle(nm_tape *tape, const char *obstacle)
{
    nm_trace_note(tape->trace, obstacle);
}

/* ---- Parts ---- */

/* In place of the steps from `mark` on: one that calls the part. */
static nm_tensor *keep_call(nm_tape *tape, int steps, int values, const nm_graph_part *part,
                            void *self, nm_tensor *x, nm_tensor *y)
{
    nm_trace *trace = tape->trace;
    nm_graph_cut(trace->graph, steps, values);
    nm_trace_fill_table(trace);
    return nm_trace_call(tape, part, self, x, y) == NM_OK ? y : NULL;
}

nm_tensor *nm_trace_part(nm_tape *tape, const nm_graph_part *part, void *self, const void *pass,
                         nm_tensor *x)
{
    nm_trace *trace = tape->trace;
    if (!trace) {
        return part->run(self, pass, x);
    }
    const char *outer = trace->obstacle;
    const int steps = trace->graph->step_count, values = trace->graph->value_count;
    trace->obstacle = NULL;
    nm_tensor *y = part->run(self, pass, x);
    if (y && trace->obstacle) {
        y = keep_call(tape, steps, values, part, self, x, y);
    }
    trace->obstacle = outer;
    return y;
}

/* ---- All of it ---- */

/* Tensors of another context's store are lent to tapes that do not record. */
static void begin(nm_trace *trace, nm_tape *tape)
{
    nm_context *context = tape->context;
    const nm_store *store = trace->graph->store;
    if (store && nm_store_context(store) != context) {
        tape->lender = nm_store_context(store);
        tape->recording = false;
    }
    trace->outer = context->trace;
    context->trace = trace;
    tape->trace = trace;
    tape->dry = true;
}

static void end(nm_trace *trace, nm_tape *tape)
{
    nm_context *context = tape->context;
    context->trace = trace->outer;
    nm_tape_destroy(tape);
    nm_free(context, trace->tensors);
    nm_free(context, trace->table);
}

static nm_status add_inputs(nm_trace *trace, nm_tape *tape, const nm_graph_input *inputs, int count,
                            nm_tensor **in)
{
    nm_graph *graph = trace->graph;
    for (int i = 0; i < count; i++) {
        in[i] = nm_tape_empty(tape, inputs[i].dtype, &inputs[i].shape);
        const int v = in[i] ? nm_trace_add_value(trace, in[i]) : -1;
        if (v < 0) {
            return nm_context_status(graph->context);
        }
        graph->values[v].input = i;
        graph->values[v].name = nm_copy_string(graph->context, inputs[i].name);
        graph->inputs[graph->input_count++] = v;
    }
    return nm_context_status(graph->context);
}

static nm_status add_outputs(nm_trace *trace, nm_tensor *const *out, int count)
{
    nm_graph *graph = trace->graph;
    for (int i = 0; i < count; i++) {
        if (!out[i]) {
            return nm_fail(graph->context, NM_ERROR_INTERNAL,
                           "the forward pass failed and did not say why (output %d is NULL)", i);
        }
        const int v = nm_trace_value_of(trace, out[i]);
        if (v < 0) {
            return NM_ERROR_MEMORY;
        }
        graph->outputs[graph->output_count++] = v;
    }
    if (trace->obstacle) {
        return nm_fail(graph->context, NM_ERROR_INPUT, "the pass cannot be kept as a graph: it %s",
                       trace->obstacle);
    }
    return NM_OK;
}

/* Which of the program's tensors are the store's. */
static void find_entries(nm_graph *graph)
{
    for (int v = 0; graph->store && v < graph->value_count; v++) {
        nm_graph_value *value = &graph->values[v];
        const nm_entry *entry =
            value->tensor && value->name ? nm_store_find(graph->store, value->name) : NULL;
        value->entry = entry && entry->tensor == value->tensor ? entry : NULL;
    }
}

static nm_status run_dry(nm_trace *trace, nm_tape *tape, nm_forward_fn *forward, void *self,
                         const nm_graph_input *inputs, int input_count, int output_count)
{
    nm_tensor *in[NM_GRAPH_MAX_INPUTS], *out[NM_GRAPH_MAX_OUTPUTS] = {NULL};
    nm_status status = add_inputs(trace, tape, inputs, input_count, in);
    if (status == NM_OK) {
        status = forward(self, tape, in, out);
    }
    if (status == NM_OK) {
        status = nm_context_status(tape->context);
    }
    return status == NM_OK ? add_outputs(trace, out, output_count) : status;
}

static nm_status trace_into(nm_graph *graph, nm_forward_fn *forward, void *self,
                            const nm_graph_input *inputs, int input_count, int output_count)
{
    nm_trace trace = {.graph = graph};
    nm_tape *tape = nm_tape_create(graph->context);
    if (!tape) {
        return NM_ERROR_MEMORY;
    }
    begin(&trace, tape);
    nm_status status = run_dry(&trace, tape, forward, self, inputs, input_count, output_count);
    find_entries(graph);
    end(&trace, tape);
    return status;
}

nm_graph *nm_graph_trace(nm_context *context, const nm_store *store, nm_forward_fn *forward,
                         void *self, const nm_graph_input *inputs, int input_count,
                         int output_count)
{
    NM_GIVEN(context && nm_context_status(context) == NM_OK, NULL);
    NM_REQUIRE(context, forward, NULL);
    NM_REQUIRE(context, inputs || input_count <= 0, NULL);
    if (input_count < 0 || input_count > NM_GRAPH_MAX_INPUTS || output_count < 1 ||
        output_count > NM_GRAPH_MAX_OUTPUTS) {
        nm_fail(context, NM_ERROR_INPUT,
                "a graph has at most %d inputs and from 1 to %d outputs, not %d and %d",
                NM_GRAPH_MAX_INPUTS, NM_GRAPH_MAX_OUTPUTS, input_count, output_count);
        return NULL;
    }
    nm_graph *graph = nm_graph_create(context, store);
    if (graph && trace_into(graph, forward, self, inputs, input_count, output_count) != NM_OK) {
        nm_graph_destroy(graph);
        return NULL;
    }
    return graph;
}
