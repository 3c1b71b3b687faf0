/* Values get places in the order in which they are made: the smallest gap that holds them, else the
 * end. A place is free again behind the last step that reads it. */
#include "core/graph/layout.h"

#include <string.h>

#define NOWHERE SIZE_MAX

/* ---- Which values share elements ---- */

bool nm_step_is_view(const nm_graph *graph, const nm_graph_step *step)
{
    if (step->kind != NM_STEP_OP) {
        return step->kind == NM_STEP_DETACH;
    }
    return step->op->flags & NM_OP_VIEW || (step->op->flags & NM_OP_MAY_VIEW &&
                                            nm_shape_count(&graph->values[step->in[0]].shape) ==
                                                nm_shape_count(&graph->values[step->out[0]].shape));
}

static void find_roots(nm_layout *l)
{
    const nm_graph *graph = l->graph;
    for (int v = 0; v < graph->value_count; v++) {
        l->roots[v] = v;
        l->last[v] = graph->values[v].step;
        l->outputs[v] = -1;
        l->offsets[v] = NOWHERE;
    }
    for (int s = 0; s < graph->step_count; s++) {
        const nm_graph_step *step = graph->steps[s];
        if (nm_step_is_view(graph, step)) {
            l->roots[step->out[0]] = l->roots[step->in[0]];
        }
        for (int i = 0; i < step->inputs; i++) {
            if (step->in[i] >= 0) {
                l->last[l->roots[step->in[i]]] = s;
            }
        }
    }
}

/* An output is computed where it is wanted, unless it is no result, or another output already. */
static void find_outputs(nm_layout *l)
{
    const nm_graph *graph = l->graph;
    for (int i = 0; i < graph->output_count; i++) {
        const int root = l->roots[graph->outputs[i]];
        if (graph->values[root].step >= 0 && l->outputs[root] < 0) {
            l->outputs[root] = i;
        }
        l->last[root] = graph->step_count;
    }
}

/* ---- The block ---- */

static size_t bytes_of(const nm_layout *l, int v)
{
    const nm_graph_value *value = &l->graph->values[v];
    const size_t bytes = nm_bytes(nm_shape_count(&value->shape), nm_dtype_size(value->dtype));
    const size_t most = SIZE_MAX - NM_ALIGNMENT;
    if (bytes > most) {
        return most;
    }
    return bytes ? (bytes + NM_ALIGNMENT - 1) & ~(size_t)(NM_ALIGNMENT - 1) : NM_ALIGNMENT;
}

static void insert(nm_layout *l, int at, nm_slot slot)
{
    memmove(&l->live[at + 1], &l->live[at], (size_t)(l->live_count - at) * sizeof slot);
    l->live[at] = slot;
    l->live_count++;
    l->offsets[slot.root] = slot.offset;
}

static nm_status place(nm_layout *l, int v)
{
    const size_t bytes = bytes_of(l, v);
    size_t end = 0, best = SIZE_MAX, offset = 0;
    int at = -1;
    for (int i = 0; i < l->live_count; i++) {
        const size_t gap = l->live[i].offset - end;
        if (gap >= bytes && gap < best) {
            best = gap;
            offset = end;
            at = i;
        }
        end = l->live[i].offset + l->live[i].bytes;
    }
    if (at < 0) {
        at = l->live_count;
        offset = end;
    }
    if (bytes > SIZE_MAX - offset) {
        return nm_fail(l->graph->context, NM_ERROR_MEMORY, "out of memory (%zu bytes wanted)",
                       bytes);
    }
    insert(l, at, (nm_slot){offset, bytes, v});
    l->bytes = offset + bytes > l->bytes ? offset + bytes : l->bytes;
    return NM_OK;
}

/* Whether the step reads the value for the last time, in the shape of its result and no other. */
static bool ends_in_place(const nm_layout *l, const nm_graph_step *step, int s, int v)
{
    const nm_graph_value *x = &l->graph->values[v], *y = &l->graph->values[step->out[0]];
    bool fits = v == l->roots[v] && l->last[v] == s && l->offsets[v] != NOWHERE &&
                x->dtype == y->dtype && nm_shape_equal(&x->shape, &y->shape);
    for (int i = 0; fits && i < step->inputs; i++) {
        const int other = step->in[i];
        fits = other < 0 || other == v || l->roots[other] != v;
    }
    return fits;
}

static nm_slot *slot_of(const nm_layout *l, int root)
{
    int i = 0;
    while (l->live[i].root != root) {
        i++;
    }
    return &l->live[i];
}

/* Where the result of an elementwise step may be written over what it reads. NULL: nowhere. */
static nm_slot *slot_to_take(const nm_layout *l, const nm_graph_step *step, int s)
{
    const bool elementwise = step->kind == NM_STEP_OP && step->op->flags & NM_OP_ELEMENTWISE;
    for (int i = 0; elementwise && i < step->inputs; i++) {
        if (step->in[i] >= 0 && ends_in_place(l, step, s, step->in[i])) {
            return slot_of(l, step->in[i]);
        }
    }
    return NULL;
}

/* Whether output `i` of the step needs no place: it is for a gradient that there is not. */
static bool is_spare(const nm_layout *l, const nm_graph_step *step, int s, int i)
{
    return step->kind == NM_STEP_OP && nm_port_is_spare(&step->op->outputs[i]) &&
           l->last[step->out[i]] == s;
}

static nm_status place_outputs(nm_layout *l, const nm_graph_step *step, int s)
{
    nm_status status = NM_OK;
    for (int i = 0; i < step->outputs && status == NM_OK; i++) {
        const int v = step->out[i];
        nm_slot *taken = l->outputs[v] < 0 && i == 0 ? slot_to_take(l, step, s) : NULL;
        if (taken) {
            taken->root = v;
            l->offsets[v] = taken->offset;
        } else if (l->outputs[v] < 0 && !is_spare(l, step, s, i)) {
            status = place(l, v);
        }
    }
    return status;
}

static void free_dead(nm_layout *l, int s)
{
    int kept = 0;
    for (int i = 0; i < l->live_count; i++) {
        if (l->last[l->live[i].root] > s) {
            l->live[kept++] = l->live[i];
        }
    }
    l->live_count = kept;
}

static nm_status place_all(nm_layout *l)
{
    nm_status status = NM_OK;
    for (int s = 0; s < l->graph->step_count && status == NM_OK; s++) {
        const nm_graph_step *step = l->graph->steps[s];
        if (!nm_step_is_view(l->graph, step)) {
            status = place_outputs(l, step, s);
        }
        free_dead(l, s);
    }
    return status;
}

nm_status nm_layout_make(nm_layout *l, const nm_graph *graph)
{
    const size_t values = (size_t)graph->value_count + 1;
    nm_context *context = graph->context;
    *l = (nm_layout){.graph = graph};
    l->roots = nm_alloc_zero(context, values, sizeof *l->roots);
    l->last = nm_alloc_zero(context, values, sizeof *l->last);
    l->outputs = nm_alloc_zero(context, values, sizeof *l->outputs);
    l->offsets = nm_alloc_zero(context, values, sizeof *l->offsets);
    l->live = nm_alloc_zero(context, values, sizeof *l->live);
    if (!l->roots || !l->last || !l->outputs || !l->offsets || !l->live) {
        return NM_ERROR_MEMORY;
    }
    find_roots(l);
    find_outputs(l);
    return place_all(l);
}

void nm_layout_end(nm_layout *l)
{
    nm_context *context = l->graph->context;
    nm_free(context, l->roots);
    nm_free(context, l->last);
    nm_free(context, l->outputs);
    nm_free(context, l->offsets);
    nm_free(context, l->live);
}
