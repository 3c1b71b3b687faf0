#include "core/tape.h"

#include <math.h>
#include <string.h>

#include "core/guard.h"
#include "core/internal.h"

/* ---- Life ---- */

nm_tape *nm_tape_create(nm_context *context)
{
    nm_tape *tape = nm_alloc_zero(context, 1, sizeof *tape);
    if (tape) {
        tape->context = context;
        tape->recording = true;
        tape->step = ++context->steps;
        tape->next = context->tapes;
        context->tapes = tape;
    }
    return tape;
}

/* Takes the step's tensors back; their headers stay for a while, and know it. */
static void bury(nm_arena *arena)
{
    for (nm_chunk *chunk = arena->first; chunk; chunk = chunk->next) {
        for (size_t at = 0; at < chunk->used; at += NM_TENSOR_BYTES) {
            nm_tensor *tensor = (nm_tensor *)(void *)((char *)chunk + NM_CHUNK_HEAD + at);
            nm_buffer_release(tensor->buffer);
            tensor->buffer = NULL;
            tensor->data = NULL;
            tensor->node = -1;
            tensor->dead = true;
        }
    }
}

nm_status nm_tape_check_no_walk(const nm_tape *tape, const char *function)
{
    return tape->running ? nm_fail(tape->context, NM_ERROR_INPUT,
                                   "%s: a backward pass runs on the tape; wait for its end, or use "
                                   "another tape",
                                   function)
                         : NM_OK;
}

nm_status nm_tape_check_rest(const nm_tape *tape, const char *function)
{
    return tape->composing ? nm_fail(tape->context, NM_ERROR_INPUT,
                                     "%s: the formula of an op runs on the tape, which is not its "
                                     "own",
                                     function)
                           : nm_tape_check_no_walk(tape, function);
}

/* The label stays, where the next step's are. */
static void rewind_texts(nm_tape *tape)
{
    nm_arena_rewind(&tape->texts_memory[tape->arena]);
    tape->scope = nm_tape_copy_text(tape, tape->scope);
}

void nm_tape_reset(nm_tape *tape)
{
    NM_GIVEN(tape && nm_tape_check_rest(tape, __func__) == NM_OK, );
    bury(&tape->tensors_memory[tape->arena]);
    tape->arena = (tape->arena + 1) % NM_ARENAS;
    nm_arena_rewind(&tape->tensors_memory[tape->arena]);
    rewind_texts(tape);
    nm_arena_rewind(&tape->nodes_memory);
    tape->node_count = 0;
    tape->segments = NULL;
    tape->free_tensors = NULL;
    tape->recent = NULL;
    tape->cost = (nm_tape_cost){0};
    tape->step = ++tape->context->steps;
    tape->late = NULL;
    tape->context->exposed_count = 0;
    if (tape->context->doomed) {
        nm_tensors_forget(tape->context);
    }
}

/* The headers of its tensors stay for a while, and know that they are dead. */
static void keep_headers(nm_tape *tape)
{
    nm_context *context = tape->context;
#ifndef NM_GUARD
    nm_tapes_forget(context);
#endif
    tape->next = context->buried;
    context->buried = tape;
    if (context->closed) {
        nm_tapes_forget(context);
    }
}

void nm_tape_destroy(nm_tape *tape)
{
    if (!tape || nm_tape_check_rest(tape, __func__) != NM_OK) {
        return;
    }
    if (tape->held) {
        nm_fail(tape->context, NM_ERROR_INPUT,
                "nm_tape_destroy: a network's forward pass runs on the tape, which is not its own");
        return;
    }
    nm_tape_enter(tape, NULL);
    nm_tape_reset(tape);
    for (nm_tape **at = &tape->context->tapes; *at; at = &(*at)->next) {
        if (*at == tape) {
            *at = tape->next;
            break;
        }
    }
    nm_arena_free(tape->context, &tape->nodes_memory);
    nm_free(tape->context, tape->nodes);
    keep_headers(tape);
}

nm_context *nm_tape_context(const nm_tape *tape)
{
    NM_GIVEN(tape, NULL);
    return tape->context;
}

int64_t nm_tape_nodes(const nm_tape *tape)
{
    NM_GIVEN(tape, 0);
    return tape->node_count;
}

nm_tape_cost nm_tape_cost_so_far(const nm_tape *tape)
{
    NM_GIVEN(tape, ((nm_tape_cost){0}));
    return tape->cost;
}

static bool exchange(bool *flag, bool value)
{
    bool old = *flag;
    *flag = value;
    return old;
}

bool nm_tape_set_recording(nm_tape *tape, bool on)
{
    NM_GIVEN(tape, false);
    return exchange(&tape->recording, on);
}

bool nm_tape_hold(nm_tape *tape, bool on)
{
    return exchange(&tape->held, on);
}

bool nm_tape_set_anomaly(nm_tape *tape, bool on)
{
    NM_GIVEN(tape, false);
    return exchange(&tape->anomaly, on);
}

/* Who knows may do otherwise when the pass is not dry. */
static void note_question(const nm_tape *tape)
{
    if (tape->trace) {
        nm_trace_note(tape->trace, "asks whether it is dry");
    }
}

bool nm_tape_set_dry(nm_tape *tape, bool on)
{
    NM_GIVEN(tape, false);
    note_question(tape);
    return exchange(&tape->dry, on || tape->trace);
}

bool nm_tape_is_recording(const nm_tape *tape)
{
    NM_GIVEN(tape, false);
    return tape->recording;
}

bool nm_tape_is_anomalous(const nm_tape *tape)
{
    NM_GIVEN(tape, false);
    return tape->anomaly;
}

bool nm_tape_is_dry(const nm_tape *tape)
{
    NM_GIVEN(tape, false);
    note_question(tape);
    return tape->dry;
}

const char *nm_tape_enter(nm_tape *tape, const char *label)
{
    const char *old = tape->scope;
    tape->scope = label;
    return old;
}

/* What a dry pass finds out may outlive its tape: a trial, a graph. */
const char *nm_tape_set_scope(nm_tape *tape, const char *scope)
{
    NM_GIVEN(tape, NULL);
    if (!scope || scope == tape->scope) {
        return nm_tape_enter(tape, scope);
    }
    return nm_tape_enter(tape, tape->dry ? nm_context_label(tape->context, scope)
                                         : nm_tape_copy_text(tape, scope));
}

/* ---- Tensors of the tape ---- */

nm_tensor *nm_tape_new_header(nm_tape *tape)
{
    nm_tensor *tensor =
        nm_arena_take(tape->context, &tape->tensors_memory[tape->arena], NM_TENSOR_BYTES);
    if (tensor) {
        tensor->context = tape->context;
        tensor->tape = tape;
        tensor->grad = NULL;
        tensor->fates = 0;
    }
    return tensor;
}

nm_tensor *nm_tape_refuse(nm_tape *tape, nm_dtype dtype, const nm_shape *shape)
{
    nm_refuse_tensor(tape->context, dtype, shape);
    return NULL;
}

/* With a type that may be none. */
static nm_tensor *make_header(nm_tape *tape, nm_dtype dtype, const nm_shape *shape)
{
    int64_t count = nm_dtype_size(dtype) ? nm_shape_count(shape) : -1;
    return nm_tape_header(tape, dtype, shape, count);
}

nm_tensor *nm_tape_empty(nm_tape *tape, nm_dtype dtype, const nm_shape *shape)
{
    if (tape->context->status != NM_OK) {
        return NULL;
    }
    nm_tensor *tensor = make_header(tape, dtype, shape);
    if (tensor && !tape->dry && nm_tensor_allocate(tensor) != NM_OK) {
        return NULL; /* the header stays in the arena until the reset */
    }
    return tensor;
}

nm_tensor *nm_tape_tensor(nm_tape *tape, nm_dtype dtype, nm_shape shape)
{
    NM_GIVEN(tape, NULL);
    if (tape->trace) {
        nm_trace_note(tape->trace, "makes a tensor whose elements are the program's "
                                   "(nm_tape_tensor)");
    }
    return nm_tape_empty(tape, dtype, &shape);
}

nm_tensor *nm_tape_wrap(nm_tape *tape, nm_dtype dtype, nm_shape shape, void *data)
{
    NM_GIVEN(tape, NULL);
    if (tape->context->status != NM_OK || nm_check_memory(tape->context, __func__, dtype, &shape,
                                                          tape->dry ? &shape : data) != NM_OK) {
        return NULL;
    }
    if (tape->trace) {
        nm_trace_note(tape->trace, "wraps memory of the program's (nm_tape_wrap)");
    }
    nm_tensor *tensor = make_header(tape, dtype, &shape);
    if (tensor) {
        tensor->data = data || tape->dry ? data : tensor->small; /* of no elements */
    }
    return tensor;
}

nm_tensor *nm_full(nm_tape *tape, nm_dtype dtype, nm_shape shape, double value)
{
    NM_GIVEN(tape, NULL);
    nm_tensor *tensor = nm_tape_empty(tape, dtype, &shape);
    if (tensor && !tape->dry && nm_tensor_fill(tensor, value) != NM_OK) {
        return NULL;
    }
    if (tensor && tape->trace && nm_trace_full(tape, value, tensor) != NM_OK) {
        return NULL;
    }
    return tensor;
}

nm_tensor *nm_scalar(nm_tape *tape, nm_dtype dtype, double value)
{
    NM_GIVEN(tape, NULL);
    return nm_full(tape, dtype, NM_SCALAR_SHAPE, value);
}

/* Memory of the caller is copied: nothing there would say that it was changed. */
static nm_status take_elements(nm_tensor *tensor, nm_tensor *x)
{
    if (x->buffer || !x->data || x->data == x->small) {
        nm_tensor_share(tensor, x);
        return NM_OK;
    }
    nm_status status = nm_tensor_allocate(tensor);
    if (status == NM_OK && tensor->count) {
        memcpy(tensor->data, x->data, nm_tensor_bytes(x));
    }
    return status;
}

nm_tensor *nm_detach(nm_tape *tape, nm_tensor *x)
{
    NM_GIVEN(tape, NULL);
    if (!x || tape->context->status != NM_OK) {
        return NULL;
    }
    if (x->context != tape->context) {
        nm_fail(tape->context, NM_ERROR_INPUT, "nm_detach: x belongs to another context");
        return NULL;
    }
    if (!x->data && !tape->dry) {
        nm_refuse_elements(x, "nm_detach: x");
        return NULL;
    }
    nm_tensor *tensor = nm_tape_header(tape, (nm_dtype)x->dtype, &x->shape, x->count);
    if (tensor && take_elements(tensor, x) != NM_OK) {
        return NULL;
    }
    if (tensor && tape->trace && nm_trace_detach(tape, x, tensor) != NM_OK) {
        return NULL;
    }
    return tensor;
}

/* ---- Beside ops ---- */

nm_status nm_tape_do(nm_tape *tape, const nm_effect *effect, const void *data, nm_tensor *const *in,
                     int inputs)
{
    NM_GIVEN(tape, NM_ERROR_INPUT);
    NM_REQUIRE(tape->context, effect && effect->run, NM_ERROR_INPUT);
    NM_REQUIRE(tape->context, in || inputs <= 0, NM_ERROR_INPUT);
    NM_REQUIRE(tape->context, data || !effect->size, NM_ERROR_INPUT);
    NM_UNLESS_FAILED(tape->context);
    if (inputs < 0 || inputs > NM_MAX_INPUTS) {
        return nm_fail(tape->context, NM_ERROR_INPUT, "%s: takes at most %d tensors, not %d",
                       effect->name, NM_MAX_INPUTS, inputs);
    }
    if (tape->trace) {
        return nm_trace_effect(tape, effect, data, in, inputs);
    }
    return tape->dry ? NM_OK : effect->run(data, in);
}

nm_tensor *nm_tape_draw(nm_tape *tape, nm_random *random)
{
    NM_GIVEN(tape, NULL);
    NM_REQUIRE(tape->context, random, NULL);
    nm_tensor *tensor = nm_tape_empty(tape, NM_I64, &NM_SCALAR_SHAPE);
    if (tensor && tape->trace) {
        return nm_trace_draw(tape, tensor) == NM_OK ? tensor : NULL;
    }
    const int64_t number = tensor ? (int64_t)(nm_random_next(random) >> 1) : 0;
    if (tensor && !tape->dry) {
        memcpy(tensor->data, &number, sizeof number);
    }
    return tensor;
}

void nm_tape_discard(nm_tape *tape, nm_tensor *x)
{
    if (x && x->tape == tape && !x->keep && x->node < 0 && !x->requires_grad) {
        nm_tensor_release(x);
    }
}

const nm_op *nm_tensor_origin(const nm_tensor *x, const char **scope, nm_tensor **input)
{
    if (!x || !x->tape || x->node < 0) {
        return NULL;
    }
    const nm_node *node = x->tape->nodes[x->node];
    *scope = node->scope;
    *input = node->tensors[0];
    return node->op;
}

/* ---- Before a backward pass ---- */

nm_status nm_tape_begin_gradients(nm_tape *tape)
{
    nm_context_find_changes(tape->context);
    return nm_tape_check_no_walk(tape, "nm_gradients");
}

nm_status nm_tape_begin_backward(nm_tape *tape)
{
    const nm_tensor *late = tape->late;
    nm_context_find_changes(tape->context);
    return late && late->requires_grad
               ? nm_fail(tape->context, NM_ERROR_INPUT,
                         "nm_backward: %s was to have a gradient only after the forward pass had "
                         "read it, and would get none of this pass; call "
                         "nm_tensor_set_requires_grad() before, and nm_tape_reset() in between",
                         nm_tensor_title(late))
               : nm_tape_check_rest(tape, "nm_backward");
}
