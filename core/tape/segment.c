/* Segments: memory for time. Promises:
 *
 * 1. What a segment computed again has the bits that it had: the same computations, on the same
 *    elements. What the pass did beside ops (nm_tape_do(), nm_tape_draw()) is not done again.
 * 2. A gradient is computed from what the forward pass read, or it is an error: a node that read
 *    what the segment itself has changed since keeps its results.
 * 3. Only what nodes computed is given back: all else cannot be computed again. */
#include "core/guard.h"
#include "core/internal.h"

/* ---- Giving back ---- */

/* What lies within the header takes no memory that could be given back. */
static bool is_worth_it(const nm_tensor *y)
{
    return !y->keep && !y->outlives && nm_bytes(y->count, nm_size_of(y->dtype)) > NM_SMALL_BYTES;
}

/* Promise 2. */
static bool may_run_again(const nm_node *node)
{
    for (int i = 0; i < node->inputs; i++) {
        const nm_tensor *x = node->tensors[i];
        if (x && x->data && nm_node_is_changed(node, i)) {
            return false;
        }
    }
    return true;
}

static void give_back(nm_node *node)
{
    for (int i = 0; i < node->outputs; i++) {
        nm_tensor *y = nm_node_outputs(node)[i];
        if (is_worth_it(y)) {
            y->recomputed = true;
            nm_tensor_release(y);
        }
    }
}

/* A segment within takes part in this one. */
static nm_status add(nm_tape *tape, int64_t begin)
{
    while (tape->segments && tape->segments->begin >= begin) {
        tape->segments = tape->segments->before;
    }
    nm_segment *s = nm_arena_take(tape->context, &tape->nodes_memory, sizeof *s);
    if (!s) {
        return NM_ERROR_MEMORY;
    }
    *s = (nm_segment){tape->segments, begin, tape->node_count};
    tape->segments = s;
    return NM_OK;
}

nm_status nm_segment_end(nm_tape *tape, int64_t begin)
{
    if (begin == tape->node_count) {
        return NM_OK;
    }
    nm_status status = add(tape, begin);
    nm_context_note_changes(tape->context);
    for (int64_t i = begin; i < tape->node_count && status == NM_OK; i++) {
        if (may_run_again(tape->nodes[i])) {
            give_back(tape->nodes[i]);
        }
    }
    return status;
}

void nm_segment_forget(nm_tape *tape, const nm_segment *segment)
{
    for (int64_t i = segment->begin; i < segment->end; i++) {
        for (int k = 0; k < tape->nodes[i]->outputs; k++) {
            nm_tensor *y = nm_node_outputs(tape->nodes[i])[k];
            if (y->recomputed && !y->keep) {
                nm_tensor_release(y);
            }
        }
    }
}

/* ---- Computing again ---- */

static bool is_missing(const nm_tensor *y)
{
    return y->recomputed && !y->data;
}

static bool lacks_results(nm_node *node)
{
    bool lacks = false;
    for (int i = 0; i < node->outputs; i++) {
        lacks |= is_missing(nm_node_outputs(node)[i]);
    }
    return lacks;
}

static nm_status check_inputs(const nm_tape *tape, const nm_node *node)
{
    for (int i = 0; i < node->inputs; i++) {
        nm_tensor *x = node->tensors[i];
        const bool changed = x && x->data && nm_node_is_changed(node, i);
        if (x && !tape->dry && (changed || !x->data)) {
            x->stale = changed;
            nm_refuse_elements(x, nm_input_port(node->op, i)->name);
            x->stale = false;
            return nm_fail_in(tape->context, "computing again");
        }
    }
    return NM_OK;
}

/* Of the floating inputs. */
static nm_dtype type_of(const nm_node *node)
{
    for (int i = 0; i < node->inputs; i++) {
        const nm_tensor *x = node->tensors[i];
        if (x && nm_input_port(node->op, i)->type == NM_PORT_FLOAT) {
            return nm_wide(x->dtype);
        }
    }
    return NM_F32;
}

/* Its results, or what stands for one that is still there. */
static nm_status make_outputs(nm_tape *tape, nm_node *node, nm_tensor **out)
{
    for (int i = 0; i < node->outputs; i++) {
        nm_tensor *y = nm_node_outputs(node)[i];
        out[i] = is_missing(y)
                     ? y
                     : nm_tape_header_as(tape, (nm_dtype)y->dtype, &y->shape, y->count, false);
        if (!out[i] || (!tape->dry && !(node->op->flags & NM_OP_VIEW) &&
                        nm_tensor_allocate(out[i]) != NM_OK)) {
            return NM_ERROR_MEMORY;
        }
    }
    return NM_OK;
}

static nm_status run(nm_tape *tape, nm_node *node, nm_tensor *const *out)
{
    if (tape->trace) {
        return nm_trace_op(tape, node->op, node->options, nm_node_inputs(node), node->inputs, out);
    }
    if (tape->dry) {
        return NM_OK;
    }
    if (node->op->flags & NM_OP_VIEW) {
        nm_tensor_share(out[0], node->tensors[0]);
    }
    return !node->op->forward ? NM_OK
                              : nm_run_op(tape->context, node->op, node->options, type_of(node),
                                          nm_node_inputs(node), node->inputs, out);
}

static nm_status run_again(nm_tape *tape, nm_node *node)
{
    nm_tensor *out[NM_MAX_OUTPUTS] = {NULL};
    nm_status status = check_inputs(tape, node);
    if (status == NM_OK) status = make_outputs(tape, node, out);
    if (status == NM_OK) status = run(tape, node, out);
    for (int i = 0; i < node->outputs; i++) {
        nm_tensor *y = nm_node_outputs(node)[i];
        if (out[i] && out[i] != y && !tape->trace) {
            nm_tape_recycle(tape, out[i]);
        } else if (out[i] == y && status != NM_OK) {
            nm_tensor_release(y);
        }
    }
    if (status != NM_OK) {
        nm_name_failure(tape->context, node->op, node->scope, status);
    }
    return status;
}

nm_status nm_segment_restore(nm_tape *tape, int64_t begin, int64_t end, bool stays)
{
    const char *scope = tape->scope;
    nm_status status = NM_OK;
    for (int64_t i = begin; i < end && status == NM_OK; i++) {
        nm_node *node = tape->nodes[i];
        tape->scope = node->scope;
        status = lacks_results(node) ? run_again(tape, node) : NM_OK;
        for (int k = 0; stays && k < node->outputs; k++) {
            nm_node_outputs(node)[k]->recomputed = false;
        }
    }
    tape->scope = scope;
    return status;
}

/* ---- For all ---- */

static bool only_traces(const nm_tape *tape)
{
    return tape->trace && !nm_trace_differentiates(tape->trace);
}

int64_t nm_tape_begin_segment(nm_tape *tape)
{
    NM_GIVEN(tape, 0);
    return only_traces(tape) ? nm_trace_begin_segment(tape->trace) : tape->node_count;
}

static nm_status check_end(const nm_tape *tape, int64_t segment, nm_tensor *const *outputs,
                           int count)
{
    nm_context *context = tape->context;
    NM_REQUIRE(context, outputs || count <= 0, NM_ERROR_INPUT);
    NM_UNLESS_FAILED(context);
    if (nm_tape_check_no_walk(tape, "nm_tape_end_segment") != NM_OK) {
        return NM_ERROR_INPUT;
    }
    if (!only_traces(tape) && (segment < 0 || segment > tape->node_count)) {
        return nm_fail(context, NM_ERROR_INPUT,
                       "nm_tape_end_segment: no segment began at node %lld of %lld; give it what "
                       "nm_tape_begin_segment() returned since the last reset",
                       (long long)segment, (long long)tape->node_count);
    }
    for (int i = 0; i < count; i++) {
        if (!outputs[i] || (outputs[i]->tape && outputs[i]->tape != tape)) {
            return nm_fail(context, NM_ERROR_INPUT, "nm_tape_end_segment: output %d is %s", i,
                           outputs[i] ? "another tape's" : "NULL");
        }
    }
    return NM_OK;
}

nm_status nm_tape_end_segment(nm_tape *tape, int64_t segment, nm_tensor *const *outputs, int count)
{
    NM_GIVEN(tape, NM_ERROR_INPUT);
    nm_status status = check_end(tape, segment, outputs, count);
    if (status != NM_OK || only_traces(tape)) {
        return status == NM_OK ? nm_trace_end_segment(tape->trace, segment) : status;
    }
    for (int i = 0; i < count; i++) {
        outputs[i]->outlives = true;
    }
    status = nm_segment_end(tape, segment);
    for (int i = 0; i < count; i++) {
        outputs[i]->outlives = false;
    }
    return status;
}
