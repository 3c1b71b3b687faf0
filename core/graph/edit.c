/* Changing graphs. Promises:
 *
 * 1. A step is moved only past steps that neither see nor change what it sees or changes.
 * 2. Effects keep their order, and so do draws. */
#include "core/graph/edit.h"

#include <string.h>

#include "core/graph/internal.h"
#include "core/guard.h"

/* ---- Who reads what ---- */

void nm_graph_count_reads(const nm_graph *graph, int *reads)
{
    memset(reads, 0, (size_t)graph->value_count * sizeof *reads);
    for (int s = 0; s < graph->step_count; s++) {
        const nm_graph_step *step = graph->steps[s];
        for (int i = 0; i < step->inputs; i++) {
            if (step->in[i] >= 0) {
                reads[step->in[i]]++;
            }
        }
    }
    for (int i = 0; i < graph->output_count; i++) {
        reads[graph->outputs[i]]++;
    }
}

static bool step_reads(const nm_graph_step *step, int value)
{
    for (int i = 0; i < step->inputs; i++) {
        if (step->in[i] == value) {
            return true;
        }
    }
    return false;
}

int nm_graph_find_reader(const nm_graph *graph, int value, int from)
{
    for (int s = from; s < graph->step_count; s++) {
        if (graph->steps[s]->kind != NM_STEP_EFFECT && step_reads(graph->steps[s], value)) {
            return s;
        }
    }
    return -1;
}

bool nm_graph_is_read(const nm_graph *graph, int value)
{
    bool read = false;
    for (int s = 0; s < graph->step_count && !read; s++) {
        read = step_reads(graph->steps[s], value);
    }
    for (int i = 0; i < graph->output_count; i++) {
        read |= graph->outputs[i] == value;
    }
    return read;
}

/* ---- Joining ---- */

/* Whether `step` reads a result of `first`. */
static bool follows(const nm_graph_step *step, const nm_graph_step *first)
{
    for (int i = 0; i < first->outputs; i++) {
        if (step_reads(step, first->out[i])) {
            return true;
        }
    }
    return false;
}

/* Whether both see one of the program's own tensors. */
static bool share(const nm_graph *graph, const nm_graph_step *a, const nm_graph_step *b)
{
    for (int i = 0; i < a->inputs; i++) {
        if (a->in[i] >= 0 && graph->values[a->in[i]].tensor && step_reads(b, a->in[i])) {
            return true;
        }
    }
    return false;
}

/* Effects from the first that reads a result of `first` on go behind `then`: the first such. */
static int first_to_move(const nm_graph *graph, int first, int then)
{
    int s = first + 1;
    while (s < then && !(graph->steps[s]->kind == NM_STEP_EFFECT &&
                         follows(graph->steps[s], graph->steps[first]))) {
        s++;
    }
    return s;
}

/* Whether the effect at `effect` may go behind `then`. */
static bool may_sink(const nm_graph *graph, int effect, int then)
{
    for (int s = effect + 1; s <= then; s++) {
        if (graph->steps[s]->kind != NM_STEP_EFFECT &&
            share(graph, graph->steps[effect], graph->steps[s])) {
            return false;
        }
    }
    return true;
}

bool nm_graph_may_join(const nm_graph *graph, int first, int then)
{
    const nm_graph_step *a = graph->steps[first];
    const int moved = first_to_move(graph, first, then);
    for (int s = first + 1; s < then; s++) {
        const nm_graph_step *step = graph->steps[s];
        const bool effect = step->kind == NM_STEP_EFFECT;
        if (step->kind == NM_STEP_CALL || (effect && share(graph, a, step)) ||
            (!effect && follows(step, a)) || (effect && s >= moved && !may_sink(graph, s, then))) {
            return false;
        }
    }
    return a->recording == graph->steps[then]->recording;
}

static void remove_at(nm_graph *graph, int at)
{
    nm_free(graph->context, graph->steps[at]);
    graph->step_count--;
    memmove(&graph->steps[at], &graph->steps[at + 1],
            (size_t)(graph->step_count - at) * sizeof *graph->steps);
    nm_graph_touch(graph);
}

/* Moves the effects from `from` on, before `then`, behind it. */
static void sink(nm_graph *graph, int from, int then)
{
    int end = then; /* where `then` stands by now */
    for (int s = from; s < end;) {
        nm_graph_step *step = graph->steps[s];
        if (step->kind != NM_STEP_EFFECT) {
            s++;
            continue;
        }
        memmove(&graph->steps[s], &graph->steps[s + 1],
                (size_t)(then - s) * sizeof(nm_graph_step *));
        graph->steps[then] = step;
        end--;
    }
}

nm_status nm_graph_join(nm_graph *graph, int first, int then, const nm_new_step *step)
{
    int out[NM_MAX_OUTPUTS];
    const nm_graph_step *a = graph->steps[first];
    const char *scope = a->scope;
    for (int i = 0; i < a->outputs; i++) {
        out[i] = i ? a->out[i] : graph->steps[then]->out[0];
    }
    const int moved = first_to_move(graph, first, then);
    nm_status status = nm_graph_replace(graph, then, step, out, a->outputs);
    if (status == NM_OK) {
        graph->steps[then]->scope = scope;
        sink(graph, moved, then);
        remove_at(graph, first);
    }
    return status;
}

/* ---- Putting in ---- */

static nm_dtype float_type(const nm_graph *graph, const nm_new_step *step)
{
    for (int i = 0; i < step->inputs; i++) {
        const nm_dtype dtype = step->in[i] < 0 ? NM_I64 : graph->values[step->in[i]].dtype;
        if (nm_input_port(step->op, i)->type == NM_PORT_FLOAT && nm_is_float((uint8_t)dtype)) {
            return nm_wide((uint8_t)dtype);
        }
    }
    return NM_F32;
}

static nm_status infer(const nm_graph *graph, const nm_new_step *step, nm_infer *all)
{
    *all = (nm_infer){.context = graph->context,
                      .op = step->op,
                      .options = step->options,
                      .inputs = step->inputs,
                      .dtype = float_type(graph, step)};
    for (int i = 0; i < step->inputs; i++) {
        all->in[i] = step->in[i] < 0 ? NULL : &graph->values[step->in[i]].shape;
    }
    for (int i = 0; i < step->op->output_count; i++) {
        const nm_port_type type = step->op->outputs[i].type;
        all->out_dtype[i] = type == NM_PORT_INDEX ? NM_I32
                            : type == NM_PORT_ANY ? graph->values[step->in[0]].dtype
                                                  : all->dtype;
    }
    return step->op->infer(all);
}

static nm_status fill_in(nm_graph *graph, nm_graph_step *made, const nm_new_step *step,
                         const nm_infer *all, const int *out, int outputs)
{
    memcpy(nm_step_inputs(made), step->in, (size_t)step->inputs * sizeof(int));
    for (int i = 0; i < made->outputs; i++) {
        int v = i < outputs ? out[i] : -1;
        if (v < 0) {
            v = nm_graph_add_value(graph, all->out_dtype[i], &all->out[i]);
        }
        if (v < 0) {
            return NM_ERROR_MEMORY;
        }
        nm_step_outputs(made)[i] = v;
        graph->values[v].dtype = all->out_dtype[i];
        graph->values[v].output = i;
        graph->values[v].step = 0; /* a step's; its number comes with nm_graph_prepare() */
    }
    return NM_OK;
}

nm_status nm_graph_replace(nm_graph *graph, int at, const nm_new_step *step, const int *out,
                           int outputs)
{
    const nm_spec *spec = step->op->item.spec;
    nm_new_step whole = *step;
    whole.options = step->options || !spec ? step->options : spec->defaults;
    nm_infer all;
    nm_status status = infer(graph, &whole, &all);
    const size_t bytes =
        status == NM_OK && spec && whole.options != spec->defaults ? spec->size : 0;
    nm_graph_step *made = status == NM_OK
                              ? nm_graph_make_step(graph->context, step->inputs,
                                                   step->op->output_count, whole.options, bytes)
                              : NULL;
    if (made) {
        made->kind = NM_STEP_OP;
        made->op = step->op;
        made->scope = step->scope ? step->scope : graph->steps[at]->scope;
        made->recording = graph->steps[at]->recording;
        made->segment = graph->steps[at]->segment;
        status = fill_in(graph, made, step, &all, out, outputs);
    }
    if (!made || status != NM_OK) {
        nm_free(graph->context, made);
        return status == NM_OK ? NM_ERROR_MEMORY : status;
    }
    nm_free(graph->context, graph->steps[at]);
    graph->steps[at] = made;
    nm_graph_touch(graph);
    return NM_OK;
}

nm_status nm_graph_insert(nm_graph *graph, int at, const nm_new_step *step)
{
    nm_graph_step *made = nm_graph_add_step(graph, NM_STEP_OP, 0, 0, NULL, 0);
    if (!made) {
        return NM_ERROR_MEMORY;
    }
    memmove(&graph->steps[at + 1], &graph->steps[at],
            (size_t)(graph->step_count - 1 - at) * sizeof *graph->steps);
    const nm_graph_step *next = graph->steps[at + 1];
    made->scope = next->scope;
    made->recording = next->recording;
    made->segment = next->segment;
    graph->steps[at] = made;
    nm_status status = nm_graph_replace(graph, at, step, NULL, 0);
    if (status != NM_OK) {
        remove_at(graph, at);
    }
    return status;
}

/* ---- Taking away ---- */

static bool is_needed(const nm_graph_step *step, const bool *read)
{
    bool needed =
        step->kind == NM_STEP_EFFECT || step->kind == NM_STEP_DRAW || step->kind == NM_STEP_CALL;
    for (int i = 0; i < step->outputs; i++) {
        needed |= read[step->out[i]];
    }
    return needed;
}

/* From the end: a step that goes reads nothing any more. */
static void mark_needed(const nm_graph *graph, bool *read, bool *keep)
{
    for (int i = 0; i < graph->output_count; i++) {
        read[graph->outputs[i]] = true;
    }
    for (int s = graph->step_count - 1; s >= 0; s--) {
        const nm_graph_step *step = graph->steps[s];
        keep[s] = is_needed(step, read);
        for (int i = 0; keep[s] && i < step->inputs; i++) {
            if (step->in[i] >= 0) {
                read[step->in[i]] = true;
            }
        }
    }
}

nm_status nm_graph_drop(nm_graph *graph)
{
    NM_GIVEN(graph, NM_ERROR_INPUT);
    nm_context *context = graph->context;
    bool *read = nm_alloc_zero(context, (size_t)graph->value_count + 1, sizeof *read);
    bool *keep = nm_alloc_zero(context, (size_t)graph->step_count + 1, sizeof *keep);
    int kept = 0;
    if (read && keep) {
        mark_needed(graph, read, keep);
        for (int s = 0; s < graph->step_count; s++) {
            if (keep[s]) {
                graph->steps[kept++] = graph->steps[s];
            } else {
                nm_free(context, graph->steps[s]);
            }
        }
        graph->step_count = kept;
        nm_graph_touch(graph);
    }
    const bool fine = read && keep;
    nm_free(context, read);
    nm_free(context, keep);
    return fine ? NM_OK : NM_ERROR_MEMORY;
}
