/* A graph done again on a tape: the ops are applied as the pass applied them, so that recording,
 * anomaly mode, scopes and gradients of any order are what they are without a graph. */
#include <string.h>

#include "core/graph/internal.h"
#include "core/guard.h"

typedef struct run {
    nm_graph *graph;
    nm_tape *tape;
    nm_random *random;
    const void *pass;
} run;

static nm_status check_inputs(const nm_graph *graph, nm_tensor *const *in)
{
    char given[NM_SHAPE_TEXT], kept[NM_SHAPE_TEXT];
    for (int i = 0; i < graph->input_count; i++) {
        const nm_graph_value *value = &graph->values[graph->inputs[i]];
        if (!in[i]) {
            return nm_fail(graph->context, NM_ERROR_INPUT, "nm_graph_run: input %d is NULL", i);
        }
        if (in[i]->dtype != value->dtype || !nm_shape_equal(&in[i]->shape, &value->shape)) {
            return nm_fail(graph->context, NM_ERROR_INPUT,
                           "nm_graph_run: input %d is %s %s, but the graph is of %s %s; trace it "
                           "for that",
                           i, nm_dtype_name((nm_dtype)in[i]->dtype),
                           nm_shape_text(&in[i]->shape, given), nm_dtype_name(value->dtype),
                           nm_shape_text(&value->shape, kept));
        }
    }
    return NM_OK;
}

static nm_status run_op(const run *r, const nm_graph_step *step)
{
    nm_tensor *in[NM_MAX_INPUTS], *out[NM_MAX_OUTPUTS], **at = r->graph->at;
    for (int i = 0; i < step->inputs; i++) {
        in[i] = step->in[i] < 0 ? NULL : at[step->in[i]];
    }
    nm_status status = nm_apply(r->tape, step->op, in, step->inputs, step->options, out);
    for (int i = 0; i < step->outputs; i++) {
        at[step->out[i]] = out[i];
    }
    return status;
}

static nm_status run_effect(const run *r, const nm_graph_step *step)
{
    nm_tensor *in[NM_MAX_INPUTS];
    for (int i = 0; i < step->inputs; i++) {
        in[i] = step->in[i] < 0 ? NULL : r->graph->at[step->in[i]];
    }
    return nm_tape_do(r->tape, step->effect, step->options, in, step->inputs);
}

static nm_tensor *call_part(const run *r, const nm_graph_step *step)
{
    if (r->pass) {
        return step->part->run(step->self, r->pass, r->graph->at[step->in[0]]);
    }
    nm_fail(r->graph->context, NM_ERROR_INPUT,
            "nm_graph_run: %s does what no graph holds; run the network itself", step->part->name);
    return NULL;
}

static nm_tensor *draw(const run *r)
{
    if (!r->random) {
        nm_fail(r->graph->context, NM_ERROR_INPUT,
                "nm_graph_run: the pass draws random numbers, and `random` is NULL");
        return NULL;
    }
    return nm_tape_draw(r->tape, r->random);
}

/* Of those with one output. */
static nm_tensor *run_other(const run *r, const nm_graph_step *step)
{
    const nm_graph_value *y = &r->graph->values[step->out[0]];
    switch (step->kind) {
    case NM_STEP_FULL: return nm_full(r->tape, y->dtype, y->shape, step->number);
    case NM_STEP_DETACH: return nm_detach(r->tape, r->graph->at[step->in[0]]);
    case NM_STEP_DRAW: return draw(r);
    case NM_STEP_CALL: return call_part(r, step);
    case NM_STEP_OP:
    case NM_STEP_EFFECT: break;
    }
    return NULL;
}

static nm_status run_step(const run *r, const nm_graph_step *step)
{
    if (step->kind == NM_STEP_OP) {
        return run_op(r, step);
    }
    if (step->kind == NM_STEP_EFFECT) {
        return run_effect(r, step);
    }
    r->graph->at[step->out[0]] = run_other(r, step);
    return r->graph->at[step->out[0]] ? NM_OK : nm_context_status(r->graph->context);
}

/* What nobody reads any more, where no node does either. */
static void discard(const run *r, int step)
{
    const nm_graph *graph = r->graph;
    for (int i = graph->dead_from[step]; i < graph->dead_from[step + 1]; i++) {
        nm_tape_discard(r->tape, graph->at[graph->dead[i]]);
    }
}

/* ---- Segments ---- */

/* Says of what the steps made whether it is read behind them. */
static void mark(const run *r, int first, int end, bool outlives)
{
    for (int s = first; s < end; s++) {
        const nm_graph_step *step = r->graph->steps[s];
        for (int i = 0; i < step->outputs; i++) {
            const int last = r->graph->last[step->out[i]];
            r->graph->at[step->out[i]]->outlives = outlives && (last < 0 || last >= end);
        }
    }
}

static nm_status run_steps(const run *r, int first, int end, const char *outer)
{
    const bool recording = r->tape->recording;
    nm_status status = NM_OK;
    for (int s = first; s < end && status == NM_OK; s++) {
        const nm_graph_step *step = r->graph->steps[s];
        r->tape->scope = step->scope ? step->scope : outer;
        r->tape->recording = recording && step->recording;
        status = run_step(r, step);
        if (!recording && status == NM_OK) {
            discard(r, s);
        }
    }
    r->tape->recording = recording;
    r->tape->scope = outer;
    return status;
}

static nm_status run_segment(const run *r, int first, int end, const char *outer)
{
    const int64_t node = nm_tape_begin_segment(r->tape);
    nm_status status = run_steps(r, first, end, outer);
    if (status == NM_OK && r->tape->recording) {
        mark(r, first, end, true);
        status = nm_segment_end(r->tape, node);
        mark(r, first, end, false);
    }
    return status;
}

/* Where the steps end that are of one segment, or of none. */
static int end_of_part(const nm_graph *graph, int first)
{
    int end = first + 1;
    while (end < graph->step_count && graph->steps[end]->segment == graph->steps[first]->segment) {
        end++;
    }
    return end;
}

static nm_status run_all(const run *r, const char *outer)
{
    nm_status status = NM_OK;
    for (int first = 0, end; first < r->graph->step_count && status == NM_OK; first = end) {
        end = end_of_part(r->graph, first);
        status = r->graph->steps[first]->segment ? run_segment(r, first, end, outer)
                                                 : run_steps(r, first, end, outer);
    }
    return status;
}

nm_status nm_graph_run_with(nm_graph *graph, nm_tape *tape, nm_random *random, const void *pass,
                            nm_tensor *const *in, nm_tensor **out)
{
    const run r = {graph, tape, random, pass};
    nm_status status = graph->context->status;
    if (status == NM_OK) {
        status = check_inputs(graph, in);
    }
    if (status == NM_OK) {
        status = nm_graph_prepare(graph);
    }
    for (int i = 0; i < graph->input_count && status == NM_OK; i++) {
        graph->at[graph->inputs[i]] = in[i];
    }
    if (status == NM_OK) {
        status = run_all(&r, tape->scope);
    }
    for (int i = 0; i < graph->output_count; i++) {
        out[i] = status == NM_OK ? graph->at[graph->outputs[i]] : NULL;
    }
    return status;
}

nm_status nm_graph_run(nm_graph *graph, nm_tape *tape, nm_random *random, nm_tensor *const *in,
                       nm_tensor **out)
{
    NM_GIVEN(graph, NM_ERROR_INPUT);
    NM_REQUIRE(graph->context, tape, NM_ERROR_INPUT);
    NM_REQUIRE(graph->context, in || !graph->input_count, NM_ERROR_INPUT);
    NM_REQUIRE(graph->context, out, NM_ERROR_INPUT);
    return nm_graph_run_with(graph, tape, random, NULL, in, out);
}
