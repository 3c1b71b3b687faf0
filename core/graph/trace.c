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

bool nm_tape_is_traced_for_step(const nm_tape *tape)
{
    return tape->trace && tape->trace->differentiates;
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

/* What is to be kept. */
typedef struct wanted {
    nm_forward_fn *forward;
    void *self;
    const nm_graph_input *inputs;
    int input_count, output_count;
    bool differentiate; /* output 0: nm_backward() goes along */
} wanted;

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

/* NULL on failure. */
static nm_tensor *add_input(nm_trace *trace, nm_tape *tape, const nm_graph_input *input)
{
    nm_graph *graph = trace->graph;
    nm_tensor *tensor = nm_tape_empty(tape, input->dtype, &input->shape);
    const int v = tensor ? nm_trace_add_value(trace, tensor) : -1;
    if (v < 0) {
        return NULL;
    }
    graph->values[v].input = graph->input_count;
    graph->values[v].name = nm_copy_string(graph->context, input->name);
    graph->inputs[graph->input_count++] = v;
    return nm_context_status(graph->context) == NM_OK ? tensor : NULL;
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
        if (v < 0 || nm_graph_add_output(graph, v) != NM_OK) {
            return NM_ERROR_MEMORY;
        }
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

static nm_status keep_gradient(void *user, nm_tensor *of, nm_tensor *gradient)
{
    nm_trace *trace = user;
    const int v = nm_trace_value_of(trace, gradient);
    return v < 0 ? NM_ERROR_MEMORY : nm_graph_add_gradient(trace->graph, of, v);
}

/* What the backward pass begins with is an input too. */
static nm_status add_backward(nm_trace *trace, nm_tape *tape, nm_tensor *loss)
{
    const nm_graph_input input = {"seed", (nm_dtype)loss->dtype, loss->shape};
    nm_tensor *seed = add_input(trace, tape, &input);
    return seed ? nm_backward_in_trace(tape, loss, seed, keep_gradient, trace)
                : nm_context_status(tape->context);
}

static nm_status run_dry(nm_trace *trace, nm_tape *tape, const wanted *w)
{
    nm_tensor *in[NM_GRAPH_MAX_INPUTS], *out[NM_GRAPH_MAX_OUTPUTS] = {NULL};
    for (int i = 0; i < w->input_count; i++) {
        in[i] = add_input(trace, tape, &w->inputs[i]);
        if (!in[i]) {
            return nm_context_status(tape->context);
        }
    }
    nm_status status = w->forward(w->self, tape, in, out);
    if (status == NM_OK) {
        status = nm_context_status(tape->context);
    }
    if (status == NM_OK) {
        status = add_outputs(trace, out, w->output_count);
    }
    return status == NM_OK && w->differentiate ? add_backward(trace, tape, out[0]) : status;
}

/* *obstacle: what no graph can hold; NULL: all was kept. */
static nm_status trace_into(nm_graph *graph, const wanted *w, const char **obstacle)
{
    nm_trace trace = {.graph = graph, .differentiates = w->differentiate};
    nm_tape *tape = nm_tape_create(graph->context);
    if (!tape) {
        return NM_ERROR_MEMORY;
    }
    begin(&trace, tape);
    nm_status status = run_dry(&trace, tape, w);
    find_entries(graph);
    *obstacle = trace.obstacle;
    end(&trace, tape);
    return status;
}

nm_graph *nm_graph_trace(nm_context *context, nm_store *store, nm_forward_fn *forward, void *self,
                         const nm_graph_input *inputs, int input_count, int output_count)
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
    const wanted w = {forward, self, inputs, input_count, output_count, false};
    const char *obstacle = NULL;
    nm_graph *graph = nm_graph_create(context, store);
    nm_status status = graph ? trace_into(graph, &w, &obstacle) : NM_ERROR_MEMORY;
    if (status == NM_OK && obstacle) {
        status =
            nm_fail(context, NM_ERROR_INPUT, "the pass cannot be kept as a graph: it %s", obstacle);
    }
    if (status != NM_OK) {
        nm_graph_destroy(graph);
        return NULL;
    }
    return graph;
}

nm_graph *nm_graph_trace_step(nm_context *context, nm_store *store, nm_forward_fn *forward,
                              void *self, const nm_graph_input *inputs, int input_count)
{
    const wanted w = {forward, self, inputs, input_count, 1, true};
    const char *obstacle = NULL;
    nm_graph *graph = nm_graph_create(context, store);
    nm_status status = graph ? trace_into(graph, &w, &obstacle) : NM_ERROR_MEMORY;
    if (status == NM_OK && !obstacle) {
        return graph;
    }
    if (status != NM_ERROR_MEMORY) {
        nm_context_clear_error(context); /* the step itself will tell */
    }
    nm_graph_destroy(graph);
    return NULL;
}
