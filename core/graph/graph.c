#include "core/graph/graph.h"

#include <string.h>

#include "core/graph/internal.h"
#include "core/guard.h"

/* ---- Life ---- */

/* That of another context outlives the graph otherwise (nm_store_lend()). */
static bool holds_store(const nm_graph *graph)
{
    return graph->store && nm_store_context(graph->store) == graph->context;
}

nm_graph *nm_graph_create(nm_context *context, nm_store *store)
{
    nm_graph *graph = nm_alloc_zero(context, 1, sizeof *graph);
    if (graph) {
        graph->context = context;
        graph->store = store;
        if (holds_store(graph)) {
            nm_store_hold(store); /* its entries are those of values */
        }
    }
    return graph;
}

void nm_graph_touch(nm_graph *graph)
{
    nm_context *context = graph->context;
    nm_free(context, graph->at);
    nm_free(context, graph->last);
    nm_free(context, graph->dead);
    nm_free(context, graph->dead_from);
    graph->at = NULL;
    graph->last = graph->dead = graph->dead_from = NULL;
    graph->ready = false;
}

void nm_graph_cut(nm_graph *graph, int step_count, int value_count)
{
    while (graph->step_count > step_count) {
        nm_free(graph->context, graph->steps[--graph->step_count]);
    }
    while (graph->value_count > value_count) {
        const nm_graph_value *value = &graph->values[--graph->value_count];
        nm_tensor_give_up(graph->context, value->tensor);
        nm_free(graph->context, value->input >= 0 ? value->name : NULL);
    }
    nm_graph_touch(graph);
}

void nm_graph_destroy(nm_graph *graph)
{
    if (!graph) {
        return;
    }
    nm_graph_cut(graph, 0, 0);
    nm_free(graph->context, graph->outputs);
    nm_free(graph->context, graph->learned);
    nm_free(graph->context, graph->steps);
    nm_free(graph->context, graph->values);
    nm_store *held = holds_store(graph) ? graph->store : NULL;
    nm_free(graph->context, graph);
    nm_store_release(held);
}

/* ---- Adding ---- */

/* Room for one more in a list of `size` bytes each; NULL without memory. */
static void *grown(nm_context *context, void *list, int count, int *capacity, size_t size)
{
    if (count < *capacity) {
        return list;
    }
    const int wanted = *capacity ? 2 * *capacity : 16;
    void *more = nm_resize(context, list, (size_t)wanted * size);
    *capacity = more ? wanted : *capacity;
    return more;
}

int nm_graph_add_value(nm_graph *graph, nm_dtype dtype, const nm_shape *shape)
{
    nm_graph_value *values = grown(graph->context, graph->values, graph->value_count,
                                   &graph->value_capacity, sizeof *values);
    if (!values) {
        return -1;
    }
    graph->values = values;
    values[graph->value_count] =
        (nm_graph_value){.dtype = dtype, .shape = *shape, .input = -1, .step = -1, .output = -1};
    return graph->value_count++;
}

void nm_graph_set_tensor(nm_graph *graph, int value, nm_tensor *tensor)
{
    nm_tensor_keep_for(graph->context, tensor);
    nm_tensor_give_up(graph->context, graph->values[value].tensor);
    graph->values[value].tensor = tensor;
}

nm_status nm_graph_add_output(nm_graph *graph, int value)
{
    int *outputs = grown(graph->context, graph->outputs, graph->output_count,
                         &graph->output_capacity, sizeof *outputs);
    if (!outputs) {
        return NM_ERROR_MEMORY;
    }
    graph->outputs = outputs;
    outputs[graph->output_count++] = value;
    return NM_OK;
}

nm_status nm_graph_add_gradient(nm_graph *graph, nm_tensor *of, int value)
{
    nm_tensor **learned = grown(graph->context, graph->learned, graph->learned_count,
                                &graph->learned_capacity, sizeof(nm_tensor *));
    if (!learned) {
        return NM_ERROR_MEMORY;
    }
    graph->learned = learned;
    learned[graph->learned_count++] = of;
    return nm_graph_add_output(graph, value);
}

nm_graph_step *nm_graph_make_step(nm_context *context, int inputs, int outputs, const void *options,
                                  size_t option_bytes)
{
    const size_t indices = (size_t)(inputs + outputs) * sizeof(int);
    const size_t head = (sizeof(nm_graph_step) + indices + 15) & ~(size_t)15;
    nm_graph_step *step = nm_alloc_zero(context, 1, head + option_bytes);
    if (!step) {
        return NULL;
    }
    int *index = (int *)(void *)(step + 1);
    step->inputs = inputs;
    step->outputs = outputs;
    step->in = index;
    step->out = index + inputs;
    step->options = option_bytes ? memcpy((char *)step + head, options, option_bytes) : options;
    return step;
}

nm_graph_step *nm_graph_add_step(nm_graph *graph, nm_step_kind kind, int inputs, int outputs,
                                 const void *options, size_t option_bytes)
{
    nm_graph_step **steps = grown(graph->context, graph->steps, graph->step_count,
                                  &graph->step_capacity, sizeof *steps);
    if (!steps) {
        return NULL;
    }
    graph->steps = steps;
    nm_graph_step *step =
        nm_graph_make_step(graph->context, inputs, outputs, options, option_bytes);
    if (step) {
        step->kind = kind;
        steps[graph->step_count++] = step;
        nm_graph_touch(graph);
    }
    return step;
}

/* ---- What a run needs ---- */

/* The last step that reads each computed value, or makes it if nobody does. */
static void find_last(nm_graph *graph)
{
    for (int v = 0; v < graph->value_count; v++) {
        graph->last[v] = graph->values[v].step;
    }
    for (int s = 0; s < graph->step_count; s++) {
        const nm_graph_step *step = graph->steps[s];
        for (int i = 0; i < step->inputs; i++) {
            const int v = step->in[i];
            if (v >= 0 && graph->last[v] >= 0) {
                graph->last[v] = s;
            }
        }
    }
    for (int i = 0; i < graph->output_count; i++) {
        graph->last[graph->outputs[i]] = -1;
    }
    for (int s = 0; s < graph->step_count; s++) { /* a part may return the tensor that it got */
        if (graph->steps[s]->kind == NM_STEP_CALL) {
            graph->last[graph->steps[s]->in[0]] = graph->last[graph->steps[s]->out[0]] = -1;
        }
    }
}

/* Values sorted by their last step, by counting. */
static void list_dead(nm_graph *graph)
{
    int *from = graph->dead_from, total = 0;
    for (int v = 0; v < graph->value_count; v++) {
        if (graph->last[v] >= 0) {
            from[graph->last[v]]++;
        }
    }
    for (int s = 0; s < graph->step_count; s++) {
        from[s] = total += from[s];
    }
    from[graph->step_count] = total;
    for (int v = graph->value_count - 1; v >= 0; v--) {
        if (graph->last[v] >= 0) {
            graph->dead[--from[graph->last[v]]] = v;
        }
    }
}

/* A value whose step was taken away has none any more. */
static void number_steps(nm_graph *graph)
{
    for (int v = 0; v < graph->value_count; v++) {
        graph->values[v].step = -1;
    }
    for (int s = 0; s < graph->step_count; s++) {
        const nm_graph_step *step = graph->steps[s];
        for (int i = 0; i < step->outputs; i++) {
            graph->values[step->out[i]].step = s;
        }
    }
}

nm_status nm_graph_prepare(nm_graph *graph)
{
    if (graph->ready) {
        return NM_OK;
    }
    const size_t values = (size_t)graph->value_count + 1;
    nm_graph_touch(graph);
    graph->at = nm_alloc_zero(graph->context, values, sizeof *graph->at);
    graph->last = nm_alloc_zero(graph->context, values, sizeof(int));
    graph->dead = nm_alloc_zero(graph->context, values, sizeof(int));
    graph->dead_from = nm_alloc_zero(graph->context, (size_t)graph->step_count + 1, sizeof(int));
    if (!graph->at || !graph->last || !graph->dead || !graph->dead_from) {
        nm_graph_touch(graph);
        return NM_ERROR_MEMORY;
    }
    number_steps(graph);
    find_last(graph);
    list_dead(graph);
    for (int v = 0; v < graph->value_count; v++) {
        graph->at[v] = graph->values[v].tensor;
    }
    graph->ready = true;
    return NM_OK;
}

/* ---- What it is made of ---- */

nm_context *nm_graph_context(const nm_graph *graph)
{
    NM_GIVEN(graph, NULL);
    return graph->context;
}

int nm_graph_value_count(const nm_graph *graph)
{
    NM_GIVEN(graph, 0);
    return graph->value_count;
}

const nm_graph_value *nm_graph_value_at(const nm_graph *graph, int index)
{
    NM_GIVEN(graph && index >= 0 && index < graph->value_count, NULL);
    return &graph->values[index];
}

int nm_graph_step_count(const nm_graph *graph)
{
    NM_GIVEN(graph, 0);
    return graph->step_count;
}

const nm_graph_step *nm_graph_step_at(const nm_graph *graph, int index)
{
    NM_GIVEN(graph && index >= 0 && index < graph->step_count, NULL);
    return graph->steps[index];
}

int nm_graph_input_count(const nm_graph *graph)
{
    NM_GIVEN(graph, 0);
    return graph->input_count;
}

int nm_graph_output_count(const nm_graph *graph)
{
    NM_GIVEN(graph, 0);
    return graph->output_count;
}

int nm_graph_input_at(const nm_graph *graph, int index)
{
    NM_GIVEN(graph && index >= 0 && index < graph->input_count, -1);
    return graph->inputs[index];
}

int nm_graph_output_at(const nm_graph *graph, int index)
{
    NM_GIVEN(graph && index >= 0 && index < graph->output_count, -1);
    return graph->outputs[index];
}
