/* Primitives at work: on arrays of the caller, converted to bf16 or reordered in scratch memory
 * where oneDNN wants them otherwise. Each thread has one of its own; what concerns the context is
 * done before they begin and when all have ended. */
#include "ops/kernels/onednn_primitive.h"

#ifdef NM_HAVE_ONEDNN

#include "core/thread.h"
#include "ops/kernels/bf16.h"

static bool reorder(const nm_backend *b, const nm_primitive *p)
{
    bool back = p->problem.direction == WEIGHT_GRAD;
    dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, back ? p->memory[WEIGHTS] : p->own_weights},
                              {DNNL_ARG_TO, back ? p->own_weights : p->memory[WEIGHTS]}};
    return b->dnnl.primitive_execute(p->reorder, p->stream, 2, args) == dnnl_success;
}

/* oneDNN's handles are mutable; what is an input stays as it is. */
static void point(const nm_backend *b, dnnl_memory_t memory, const void *data)
{
    b->dnnl.memory_set_data_handle(memory, (void *)(uintptr_t)data);
}

/* Whether the same array may come again: in the product for a gradient of weights, of a transposed
 * matrix, the other factor is a gradient, new in every step, if often with the same zeros. */
static bool may_come_again(const nm_problem *problem)
{
    return problem->convolution || !problem->product.transpose_a;
}

static size_t weight_bytes(const nm_backend *b, const nm_primitive *p)
{
    nm_layout_view own;
    return b->dnnl.memory_get_memory_desc(p->own_weights, &own) == dnnl_success
               ? b->dnnl.memory_desc_get_size(own)
               : 0;
}

static void look_at_copy(const nm_backend *b, nm_onednn_share *s)
{
    s->current = s->copy && nm_weight_copy_is_current(s->copy, weight_bytes(b, s->primitive));
}

/* Brings weights into oneDNN's layout, in scratch memory unless they are known. */
static bool prepare_weights(const nm_backend *b, nm_onednn_share *s)
{
    nm_primitive *p = s->primitive;
    point(b, p->own_weights, s->arrays[WEIGHTS]);
    if (!p->problem.convolution) {
        look_at_copy(b, s);
    }
    if (s->current) {
        point(b, p->memory[WEIGHTS], s->copy->reordered);
    }
    return s->current || reorder(b, p);
}

/* ---- Running ---- */

static const int names[][SLOTS] = {
    [FORWARD] = {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_BIAS, DNNL_ARG_DST, DNNL_ARG_SCRATCHPAD},
    [INPUT_GRAD] = {DNNL_ARG_DIFF_SRC, DNNL_ARG_WEIGHTS, 0, DNNL_ARG_DIFF_DST, DNNL_ARG_SCRATCHPAD},
    [WEIGHT_GRAD] = {DNNL_ARG_SRC, DNNL_ARG_DIFF_WEIGHTS, 0, DNNL_ARG_DIFF_DST,
                     DNNL_ARG_SCRATCHPAD},
};

static bool reorders_back(const nm_primitive *p)
{
    return p->reorder && p->problem.direction == WEIGHT_GRAD;
}

/* Whether two shares want the same array in the same layout. */
static bool have_the_same_weights(const nm_backend *b, const nm_onednn_share *s,
                                  const nm_onednn_share *t)
{
    nm_layout_view a, c;
    return s->arrays[WEIGHTS] == t->arrays[WEIGHTS] &&
           b->dnnl.memory_get_memory_desc(s->primitive->memory[WEIGHTS], &a) == dnnl_success &&
           b->dnnl.memory_get_memory_desc(t->primitive->memory[WEIGHTS], &c) == dnnl_success &&
           b->dnnl.memory_desc_equal(a, c);
}

/* The shares of a convolution have the same weights: one copy serves all, and is looked at before
 * they begin. Those of a product have columns of their own. */
static bool find_copy(nm_context *context, const nm_backend *b, nm_onednn_share *s,
                      const nm_onednn_share *first)
{
    s->follows = s != first && have_the_same_weights(b, s, first);
    s->copy =
        s->follows ? first->copy : nm_weight_copy_of(context, s->primitive, s->arrays[WEIGHTS]);
    s->current = first->current;
    if (!s->follows && s->primitive->problem.convolution) {
        look_at_copy(b, s);
    }
    return s->copy;
}

/* With the context: what the share needs is there. */
static bool begin(nm_context *context, nm_backend *b, nm_describe_fn describe, nm_onednn_share *s,
                  const nm_onednn_share *first)
{
    nm_primitive *p = s->primitive = nm_primitive_of(context, b, &s->problem, describe);
    size_t bytes = 64;
    if (!p || !p->run) {
        return false;
    }
    p->busy = true;
    for (int i = 0; i < SLOTS; i++) {
        bytes += (p->bytes[i] + 63) & ~(size_t)63;
    }
    char *at = s->scratch = nm_scratch(context, bytes);
    for (int i = 0; i < SLOTS && s->scratch; i++) {
        s->data[i] = p->bytes[i] || i == SCRATCHPAD ? at : s->arrays[i];
        at += (p->bytes[i] + 63) & ~(size_t)63;
    }
    const bool keeps = p->reorder && !reorders_back(p) && may_come_again(&p->problem);
    return s->scratch && (!keeps || find_copy(context, b, s, first));
}

/* In a thread of its own. */
static bool execute(const nm_backend *b, nm_onednn_share *s)
{
    nm_primitive *p = s->primitive;
    dnnl_exec_arg_t args[SLOTS];
    int count = 0;
    for (int i = 0; i < SLOTS; i++) {
        if (p->count[i]) {
            nm_bf16_narrow(s->arrays[i], (uint16_t *)(uintptr_t)s->data[i], p->count[i]);
        }
        if (p->memory[i]) {
            point(b, p->memory[i], s->data[i]);
            args[count++] = (dnnl_exec_arg_t){names[p->problem.direction][i], p->memory[i]};
        }
    }
    if (p->reorder && !reorders_back(p) && !prepare_weights(b, s)) {
        return false;
    }
    if (b->dnnl.primitive_execute(p->run, p->stream, count, args) != dnnl_success) {
        return false;
    }
    if (reorders_back(p)) {
        point(b, p->own_weights, s->arrays[WEIGHTS]);
    }
    return !reorders_back(p) || reorder(b, p);
}

typedef struct job {
    const nm_backend *backend;
    nm_onednn_share *shares;
} job;

static void execute_shares(void *arg, int64_t begin, int64_t end)
{
    const job *j = arg;
    const int before = nm_onednn_enter(&j->backend->dnnl);
    for (int64_t i = begin; i < end; i++) {
        j->shares[i].done = execute(j->backend, &j->shares[i]);
    }
    nm_onednn_leave(&j->backend->dnnl, before);
}

/* With the context again. */
static bool end(nm_context *context, const nm_backend *b, nm_onednn_share *s)
{
    nm_primitive *p = s->primitive;
    if (s->done && s->copy && !s->current && !s->follows) {
        nm_weight_copy_renew(context, s->copy, weight_bytes(b, p), s->data[WEIGHTS],
                             p->bytes[WEIGHTS]);
    }
    nm_scratch_end(s->scratch);
    if (p) {
        p->busy = false;
    }
    return s->done;
}

bool nm_onednn_run(nm_context *context, nm_backend *b, nm_describe_fn describe,
                   nm_onednn_share *shares, int count)
{
    bool done = true;
    int begun = 0;
    const int before = nm_onednn_enter(&b->dnnl); /* primitives are made for so many threads */
    while (begun < count && done) {
        done = begin(context, b, describe, &shares[begun++], shares);
    }
    nm_onednn_leave(&b->dnnl, before);
    if (done) {
        nm_parallel(context, count, 1, execute_shares, &(job){b, shares});
    }
    for (int i = 0; i < begun; i++) {
        done &= end(context, b, &shares[i]);
    }
    return done && nm_context_status(context) == NM_OK;
}

#endif
