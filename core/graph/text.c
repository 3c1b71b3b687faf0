/* A graph as lines of text, for tests and for people. */
#include "core/graph/internal.h"
#include "core/guard.h"
#include "core/text.h"

typedef struct writer {
    const nm_graph *graph;
    nm_text text;
    bool *read;  /* value_count: by a step, or as an output */
    int *number; /* value_count: of those that have no name, from 1 */
} writer;

static void mark_read(writer *w)
{
    for (int s = 0; s < w->graph->step_count; s++) {
        const nm_graph_step *step = w->graph->steps[s];
        for (int i = 0; i < step->inputs; i++) {
            if (step->in[i] >= 0) {
                w->read[step->in[i]] = true;
            }
        }
    }
    for (int i = 0; i < w->graph->output_count; i++) {
        w->read[w->graph->outputs[i]] = true;
    }
}

/* In the order of the lines. */
static void number_values(writer *w)
{
    int number = 0;
    for (int v = 0; v < w->graph->value_count; v++) {
        const nm_graph_value *value = &w->graph->values[v];
        if (w->read[v] && value->tensor && !value->name) {
            w->number[v] = ++number;
        }
    }
    for (int s = 0; s < w->graph->step_count; s++) {
        const nm_graph_step *step = w->graph->steps[s];
        for (int i = 0; i < step->outputs; i++) {
            w->number[step->out[i]] = w->read[step->out[i]] ? ++number : 0;
        }
    }
}

static void add_type(writer *w, const nm_graph_value *value)
{
    char shape[NM_SHAPE_TEXT];
    nm_text_add(&w->text, " %s %s", nm_dtype_name(value->dtype),
                nm_shape_text(&value->shape, shape));
}

static void add_name(writer *w, int v)
{
    const nm_graph_value *value = v >= 0 ? &w->graph->values[v] : NULL;
    if (!value) {
        nm_text_add(&w->text, "-");
    } else if (value->name) {
        nm_text_add(&w->text, "%s", value->name);
    } else {
        nm_text_add(&w->text, "%%%d", w->number[v]);
    }
}

static const char *kind_of(const nm_graph_value *value)
{
    if (value->input >= 0) {
        return "input";
    }
    return !value->entry ? "tensor" : value->entry->role == NM_PARAMETER ? "parameter" : "buffer";
}

static void add_values(writer *w)
{
    for (int v = 0; v < w->graph->value_count; v++) {
        const nm_graph_value *value = &w->graph->values[v];
        if (value->input >= 0 || (value->tensor && w->read[v])) {
            nm_text_add(&w->text, "%s ", kind_of(value));
            add_name(w, v);
            add_type(w, value);
            nm_text_add(&w->text, "\n");
        }
    }
}

static void add_outputs(writer *w, const nm_graph_step *step)
{
    int count = step->outputs;
    while (count > 1 && !w->read[step->out[count - 1]]) {
        count--;
    }
    for (int i = 0; i < count; i++) {
        nm_text_add(&w->text, i ? ", " : "");
        if (w->read[step->out[i]]) {
            add_name(w, step->out[i]);
            add_type(w, &w->graph->values[step->out[i]]);
        } else {
            nm_text_add(&w->text, "_");
        }
    }
    nm_text_add(&w->text, count ? " = " : "");
}

static const char *name_of(const nm_graph_step *step)
{
    switch (step->kind) {
    case NM_STEP_OP: return step->op->item.name;
    case NM_STEP_FULL: return "full";
    case NM_STEP_DETACH: return "detach";
    case NM_STEP_DRAW: return "draw";
    case NM_STEP_EFFECT: return step->effect->name;
    case NM_STEP_CALL: return step->part->name;
    }
    return "";
}

static bool has_options(const nm_graph_step *step)
{
    const nm_spec *spec = step->op->item.spec;
    for (int i = 0; spec && i < spec->count; i++) {
        if (!nm_option_same(&spec->options[i], step->options, spec->defaults)) {
            return true;
        }
    }
    return false;
}

static void add_inputs(writer *w, const nm_graph_step *step)
{
    int count = step->inputs;
    while (count > 0 && step->in[count - 1] < 0) {
        count--;
    }
    for (int i = 0; i < count; i++) {
        nm_text_add(&w->text, i ? ", " : "");
        add_name(w, step->in[i]);
    }
    if (step->kind == NM_STEP_FULL) {
        nm_text_add_float(&w->text, step->number);
    }
    if (step->kind == NM_STEP_OP && has_options(step)) {
        nm_text_add(&w->text, count ? ", " : "");
        nm_text_add_options(&w->text, step->op->item.spec, step->options);
    }
}

static void add_step(writer *w, const nm_graph_step *step)
{
    add_outputs(w, step);
    nm_text_add(&w->text, "%s(", name_of(step));
    add_inputs(w, step);
    nm_text_add(&w->text, ")%s%s\n", step->scope ? " " : "", step->scope ? step->scope : "");
}

static void add_all(writer *w)
{
    mark_read(w);
    number_values(w);
    add_values(w);
    for (int s = 0; s < w->graph->step_count; s++) {
        add_step(w, w->graph->steps[s]);
    }
    for (int i = 0; i < w->graph->output_count; i++) {
        nm_text_add(&w->text, "output ");
        add_name(w, w->graph->outputs[i]);
        nm_text_add(&w->text, "\n");
    }
}

char *nm_graph_text(const nm_graph *graph)
{
    NM_GIVEN(graph, NULL);
    const size_t values = (size_t)graph->value_count + 1;
    writer w = {.graph = graph, .text = {.context = graph->context}};
    w.read = nm_alloc_zero(graph->context, values, sizeof *w.read);
    w.number = nm_alloc_zero(graph->context, values, sizeof *w.number);
    const bool fine = w.read && w.number;
    if (fine) {
        add_all(&w);
    }
    nm_free(graph->context, w.read);
    nm_free(graph->context, w.number);
    return fine ? nm_text_end(&w.text) : NULL;
}
