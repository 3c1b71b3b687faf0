/* What a dry run does becomes steps: nm_apply() and its like tell the tape's trace, which finds the
 * values by their tensors' addresses. What cannot be kept is noticed, not guessed:
 * nm_trace_note(). */
#include <string.h>

#include "core/graph/internal.h"

/* ---- Values by their tensors ---- */

static int *place_of(const nm_trace *trace, const nm_tensor *tensor)
{
    const uint64_t hash = ((uint64_t)(uintptr_t)tensor >> 4) * 0x9E3779B97F4A7C15u;
    unsigned at = (unsigned)(hash >> 32) & (unsigned)(trace->table_size - 1);
    while (trace->table[at] && trace->tensors[trace->table[at] - 1] != tensor) {
        at = (at + 1) & (unsigned)(trace->table_size - 1);
    }
    return &trace->table[at];
}

/* A tensor may have come to stand for a later value: that one counts. */
void nm_trace_fill_table(nm_trace *trace)
{
    memset(trace->table, 0, (size_t)trace->table_size * sizeof *trace->table);
    for (int v = 0; v < trace->graph->value_count; v++) {
        *place_of(trace, trace->tensors[v]) = v + 1;
    }
}

static nm_status make_room(nm_trace *trace)
{
    nm_context *context = trace->graph->context;
    if (trace->graph->value_count < trace->capacity) {
        return NM_OK;
    }
    const int capacity = trace->capacity ? 2 * trace->capacity : 64;
    const nm_tensor **tensors =
        nm_resize(context, trace->tensors, (size_t)capacity * sizeof(nm_tensor *));
    trace->tensors = tensors ? tensors : trace->tensors;
    int *table = tensors ? nm_alloc_zero(context, (size_t)capacity * 2, sizeof *table) : NULL;
    if (!table) {
        return NM_ERROR_MEMORY;
    }
    nm_free(context, trace->table);
    trace->table = table;
    trace->table_size = 2 * capacity;
    trace->capacity = capacity;
    nm_trace_fill_table(trace);
    return NM_OK;
}

/* A new value, which the tensor stands for from now on; -1 without memory. */
int nm_trace_add_value(nm_trace *trace, const nm_tensor *tensor)
{
    if (make_room(trace) != NM_OK) {
        return -1;
    }
    const int v = nm_graph_add_value(trace->graph, (nm_dtype)tensor->dtype, &tensor->shape);
    if (v >= 0) {
        trace->tensors[v] = tensor;
        *place_of(trace, tensor) = v + 1;
    }
    return v;
}

static int add_own(nm_trace *trace, nm_tensor *tensor)
{
    const int v = nm_trace_add_value(trace, tensor);
    if (v >= 0) {
        nm_graph_set_tensor(trace->graph, v, tensor);
        trace->graph->values[v].name =
            tensor->owned || !tensor->name
                ? tensor->name
                : nm_context_label(trace->graph->context, tensor->name); /* it may be renamed */
    }
    return v;
}

/* The value that a tensor is; -1 without memory. */
int nm_trace_value_of(nm_trace *trace, nm_tensor *tensor)
{
    const int known = trace->table_size ? *place_of(trace, tensor) : 0;
    if (known) {
        return known - 1;
    }
    if (tensor->tape) {
        nm_trace_note(trace, "computes with a tensor that was made otherwise than by an op");
        return nm_trace_add_value(trace, tensor);
    }
    return add_own(trace, tensor);
}

/* ---- What a pass does ---- */

static nm_graph_step *add_step(nm_tape *tape, nm_step_kind kind, int inputs, int outputs,
                               const void *options, size_t option_bytes)
{
    nm_graph_step *step =
        nm_graph_add_step(tape->trace->graph, kind, inputs, outputs, options, option_bytes);
    if (step) {
        step->scope = tape->scope;
        step->recording = tape->recording;
        step->segment = tape->trace->segment;
    }
    return step;
}

static nm_status set_inputs(nm_trace *trace, nm_graph_step *step, nm_tensor *const *in)
{
    for (int i = 0; i < step->inputs; i++) {
        const int v = in[i] ? nm_trace_value_of(trace, in[i]) : -1;
        nm_step_inputs(step)[i] = v;
        if (in[i] && v < 0) {
            return NM_ERROR_MEMORY;
        }
    }
    return NM_OK;
}

static nm_status set_outputs(nm_trace *trace, nm_graph_step *step, nm_tensor *const *out)
{
    for (int i = 0; i < step->outputs; i++) {
        const int v = nm_trace_add_value(trace, out[i]);
        if (v < 0) {
            return NM_ERROR_MEMORY;
        }
        nm_step_outputs(step)[i] = v;
        trace->graph->values[v].step = trace->graph->step_count - 1;
        trace->graph->values[v].output = i;
    }
    return NM_OK;
}

/* A step that could not be completed is taken back, so that no graph holds half of one. */
static nm_status complete(nm_trace *trace, nm_graph_step *step, nm_tensor *const *in,
                          nm_tensor *const *out)
{
    if (!step) {
        return NM_ERROR_MEMORY;
    }
    const int values = trace->graph->value_count;
    nm_status status = set_inputs(trace, step, in);
    if (status == NM_OK) {
        status = set_outputs(trace, step, out);
    }
    if (status != NM_OK) {
        nm_graph_cut(trace->graph, trace->graph->step_count - 1, values);
    }
    return status;
}

/* Options that point to something may outlive it. */
static bool points_elsewhere(const nm_spec *spec, const void *options)
{
    for (int i = 0; spec && options != spec->defaults && i < spec->count; i++) {
        switch (spec->options[i].type) {
        case NM_OPTION_STRING:
        case NM_OPTION_STRINGS:
        case NM_OPTION_NUMBERS:
        case NM_OPTION_STRUCT:
        case NM_OPTION_CHOICE:
        case NM_OPTION_CHOICES:
        case NM_OPTION_VALUE:
            if (!nm_option_same(&spec->options[i], options, spec->defaults)) {
                return true;
            }
            break;
        default: break;
        }
    }
    return false;
}

nm_status nm_trace_op(nm_tape *tape, const nm_op *op, const void *options, nm_tensor *const *in,
                      int inputs, nm_tensor *const *out)
{
    const nm_spec *spec = op->item.spec;
    const size_t bytes = spec && options != spec->defaults ? spec->size : 0;
    if (points_elsewhere(spec, options)) {
        nm_trace_note(tape->trace, "gives an op options that point to memory of the program's");
    }
    nm_graph_step *step = add_step(tape, NM_STEP_OP, inputs, op->output_count, options, bytes);
    if (step) {
        step->op = op;
    }
    return complete(tape->trace, step, in, out);
}

nm_status nm_trace_full(nm_tape *tape, double number, nm_tensor *out)
{
    nm_graph_step *step = add_step(tape, NM_STEP_FULL, 0, 1, NULL, 0);
    if (step) {
        step->number = number;
    }
    return complete(tape->trace, step, NULL, &out);
}

nm_status nm_trace_detach(nm_tape *tape, nm_tensor *x, nm_tensor *out)
{
    return complete(tape->trace, add_step(tape, NM_STEP_DETACH, 1, 1, NULL, 0), &x, &out);
}

nm_status nm_trace_draw(nm_tape *tape, nm_tensor *out)
{
    return complete(tape->trace, add_step(tape, NM_STEP_DRAW, 0, 1, NULL, 0), NULL, &out);
}

nm_status nm_trace_effect(nm_tape *tape, const nm_effect *effect, const void *data,
                          nm_tensor *const *in, int inputs)
{
    nm_graph_step *step = add_step(tape, NM_STEP_EFFECT, inputs, 0, data, effect->size);
    if (step) {
        step->effect = effect;
    }
    return complete(tape->trace, step, in, NULL);
}

nm_status nm_trace_call(nm_tape *tape, const nm_graph_part *part, void *self, nm_tensor *x,
                        nm_tensor *y)
{
    nm_graph_step *step = add_step(tape, NM_STEP_CALL, 1, 1, NULL, 0);
    if (step) {
        step->part = part;
        step->self = self;
    }
    return complete(tape->trace, step, &x, &y);
}

int64_t nm_trace_begin_segment(nm_trace *trace)
{
    if (trace->segment) {
        return 0;
    }
    return trace->segment = ++trace->segments;
}

nm_status nm_trace_end_segment(nm_trace *trace, int64_t segment)
{
    trace->segment = segment ? 0 : trace->segment;
    return NM_OK;
}

bool nm_trace_differentiates(const nm_trace *trace)
{
    return trace->differentiates;
}
