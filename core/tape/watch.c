/* What a program does to tensors behind a tape's back. Promises:
 *
 * 1. Elements that were changed through a pointer which the program asked for after the forward
 *    pass are noticed by the backward pass, as if nm_tensor_touch() had been called then.
 * 2. A gradient that was wanted only after an op had read the tensor is an error of the backward
 *    pass, not one that is missing.
 * 3. A program that does nothing of the kind pays nothing for it. */
#include <string.h>

#include "core/internal.h"

/* ---- Elements behind pointers ---- */

#define PRIME 1099511628211u

/* Four words at a time, each multiplied in a lane of its own: no other element gives the same. */
uint64_t nm_tensor_sum(const nm_tensor *x)
{
    const unsigned char *bytes = x ? x->data : NULL;
    const size_t size = bytes ? nm_bytes(x->count, nm_size_of(x->dtype)) : 0;
    uint64_t lane[4] = {14695981039346656037u, 1, 2, 3}, word[4];
    size_t at = 0;
    for (; at + sizeof word <= size; at += sizeof word) {
        memcpy(word, bytes + at, sizeof word);
        for (int i = 0; i < 4; i++) {
            lane[i] = (lane[i] ^ word[i]) * PRIME;
        }
    }
    for (; at < size; at++) {
        lane[0] = (lane[0] ^ bytes[at]) * PRIME;
    }
    return lane[0] ^ lane[1] * 3 ^ lane[2] * 5 ^ lane[3] * 7;
}

/* A loss, most often, that is only looked at: its gradient does not depend on it. */
static bool is_result(const nm_tensor *tensor)
{
    return tensor->count == 1 && !tensor->recorded;
}

void nm_tensor_expose(nm_tensor *tensor)
{
    nm_context *context = tensor->context;
    const bool passes = tensor->tape && (tensor->tape->running || tensor->tape->collecting);
    if (is_result(tensor) || passes || context->busy || !nm_context_has_nodes(context)) {
        return;
    }
    for (int i = 0; i < context->exposed_count; i++) {
        if (context->exposed[i].tensor == tensor) {
            return;
        }
    }
    if (context->exposed_count < NM_MOST_EXPOSED) {
        context->exposed[context->exposed_count++] =
            (nm_exposed){tensor, nm_tensor_sum(tensor), ++context->clock};
    }
}

void nm_context_note_changes(nm_context *context)
{
    for (int i = 0; i < context->exposed_count; i++) {
        const nm_exposed *e = &context->exposed[i];
        nm_tensor *x = e->tensor;
        if (x->data && nm_tensor_sum(x) != e->sum) {
            x->changed = x->changed > e->clock ? x->changed : e->clock;
            if (x->buffer && x->buffer->changed < e->clock) {
                x->buffer->changed = e->clock;
            }
        }
    }
}

void nm_context_find_changes(nm_context *context)
{
    nm_context_note_changes(context);
    context->exposed_count = 0;
}

/* Whether elements of x were changed after `clock`: its own, or those that it shares with another.
 */
static bool was_changed(const nm_tensor *x, uint64_t clock)
{
    if (x->buffer && x->buffer->changed > clock) {
        return true;
    }
    const void *data = x->data;
    while (x->changed <= clock && x->tape && x->node >= 0) { /* over memory of the caller */
        const nm_node *node = x->tape->nodes[x->node];
        const nm_tensor *source = node->inputs ? node->tensors[0] : NULL;
        if (!(node->op->flags & NM_OP_VIEW) || !source || source->data != data) {
            return false;
        }
        x = source;
    }
    return x->changed > clock;
}

bool nm_node_is_changed(const nm_node *node, int i)
{
#ifdef NM_GUARD
    if (node->sums[i] != nm_tensor_sum(node->tensors[i])) {
        return true;
    }
#endif
    return was_changed(node->tensors[i], node->clock);
}

/* ---- Gradients that are wanted too late ---- */

static bool node_lacks(const nm_node *node, const nm_tensor *tensor)
{
    for (int i = 0; i < node->inputs; i++) {
        if (node->tensors[i] == tensor && !(node->differentiable >> i & 1) &&
            nm_port_differentiable(nm_input_port(node->op, i), tensor)) {
            return true;
        }
    }
    return false;
}

static bool tape_lacks(const nm_tape *tape, const nm_tensor *tensor)
{
    bool lacks = tensor->seen == tape->step;
    for (int64_t i = 0; i < tape->node_count && tensor->recorded && !lacks; i++) {
        lacks = node_lacks(tape->nodes[i], tensor);
    }
    return lacks;
}

void nm_tensor_want_late(nm_tensor *tensor)
{
    for (nm_tape *tape = tensor->tape ? NULL : tensor->context->tapes; tape; tape = tape->next) {
        if (tape_lacks(tape, tensor)) {
            tape->late = tensor;
        }
    }
}

void nm_tensor_want_no_more(const nm_tensor *tensor)
{
    for (nm_tape *tape = tensor->context->tapes; tape; tape = tape->next) {
        tape->late = tape->late == tensor ? NULL : tape->late;
    }
}
