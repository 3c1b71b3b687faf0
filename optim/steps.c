#include "optim/steps.h"

#include <math.h>
#include <string.h>

#include "core/graph/parts.h"
#include "core/graph/step.h"
#include "core/guard.h"
#include "ops/basic.h"
#include "optim/traced.h"

#define KEPT 8 /* steps; beyond that the one that was used longest ago goes */

/* On what a step may depend, beside the options of its loss and what requires gradients. */
typedef struct key {
    void *self;
    nm_tensor *(*forward)(void *self, const nm_pass *pass, nm_tensor *x);
    const nm_loss_type *loss;
    nm_shape x, targets;
    nm_dtype target_dtype;
    nm_precision precision;
    uint64_t changes; /* of what is trainable */
} key;

typedef struct kept {
    bool is_used;
    key key;
    void *options;      /* of the loss, a copy; NULL: it has none */
    nm_step_plan *plan; /* NULL: it came once so far, or there can be none */
    bool has_none;
    nm_graph *graph; /* the plan's, until it was looked at again; then NULL */
    uint64_t used;
} kept;

typedef struct steps {
    kept kept[KEPT], *last; /* used; NULL: none */
    uint64_t clock;
} steps;

/* ---- On the tape ---- */

static nm_pass pass_of(const nm_batch_step *s, nm_tape *tape, nm_random *random)
{
    return (nm_pass){.tape = tape, .random = random, .training = true, .precision = s->precision};
}

static nm_status run_on_tape(const nm_batch_step *s, double *loss)
{
    const nm_pass pass = pass_of(s, s->tape, s->random);
    nm_tensor *x = nm_tape_wrap(s->tape, NM_F32, s->batch->shape, s->batch->x);
    nm_tensor *y = nm_network_forward(s->network, &pass, x);
    nm_tensor *result = nm_loss_of(s->loss, s->tape, y, s->batch);
    *loss = result ? nm_tensor_item(result) : (double)NAN;
    nm_status status = nm_context_status(nm_tape_context(s->tape));
    if (status != NM_OK || !isfinite(*loss)) {
        return status;
    }
    if (s->scale != 1) {
        result = nm_affine(s->tape, result, s->scale, 0);
    }
    return result ? nm_backward(s->tape, result, 0) : nm_context_status(nm_tape_context(s->tape));
}

/* ---- Keeping a step ---- */

static nm_status forward(void *self, nm_tape *tape, nm_tensor *const *in, nm_tensor **out)
{
    const nm_batch_step *s = self;
    nm_random random = *s->random;
    const nm_pass pass = pass_of(s, tape, &random);
    nm_tensor *y = nm_network_forward(s->network, &pass, in[0]);
    out[0] = y ? nm_loss_compute(s->loss, tape, y, in[1]) : NULL;
    if (random.position != s->random->position) {
        nm_tape_note_obstacle(tape, "draws random numbers otherwise than by nm_tape_draw()");
    }
    return nm_context_status(nm_tape_context(tape));
}

static nm_graph *trace(const nm_batch_step *s)
{
    nm_batch_step self = *s;
    const nm_batch *b = s->batch;
    const nm_graph_input inputs[] = {{"x", NM_F32, b->shape},
                                     {"targets", b->target_dtype, b->target_shape}};
    return nm_graph_trace_step(nm_tape_context(s->tape), s->network->store, forward, &self, inputs,
                               2);
}

static void drop_plan(kept *k)
{
    nm_step_plan_destroy(k->plan);
    nm_graph_destroy(k->graph);
    k->plan = NULL;
    k->graph = NULL;
    k->has_none = true;
}

static nm_status keep(const nm_batch_step *s, kept *k)
{
    k->graph = trace(s);
    k->plan = k->graph ? nm_step_plan_create(k->graph) : NULL;
    if (!k->plan) {
        drop_plan(k);
    }
    return nm_context_status(nm_tape_context(s->tape));
}

/* A pass that depends on what it must not would be done with numbers of the past. So it is traced
 * once more when the step comes next: what changes from step to step is found before it was done
 * wrongly, and stays with the tape. */
static nm_status look_again(const nm_batch_step *s, kept *k)
{
    nm_graph *now = trace(s);
    if (now && nm_graph_same(now, k->graph)) {
        nm_graph_destroy(k->graph);
        k->graph = NULL;
    } else if (nm_context_status(nm_tape_context(s->tape)) == NM_OK) {
        drop_plan(k);
    }
    nm_graph_destroy(now);
    return nm_context_status(nm_tape_context(s->tape));
}

/* ---- Finding one ---- */

static void forget(nm_context *context, kept *k)
{
    drop_plan(k);
    nm_free(context, k->options);
    *k = (kept){.is_used = false};
}

static void destroy(nm_context *context, void *state)
{
    for (int i = 0; i < KEPT; i++) {
        forget(context, &((steps *)state)->kept[i]);
    }
}

static size_t size_of_options(const nm_loss *loss)
{
    return loss->type->item.spec ? loss->type->item.spec->size : 0;
}

static bool fits(const kept *k, const nm_batch_step *s)
{
    const key *a = &k->key;
    const nm_batch *b = s->batch;
    return k->is_used && a->self == s->network->self && a->forward == s->network->forward &&
           a->loss == s->loss->type && a->precision == s->precision &&
           a->target_dtype == b->target_dtype &&
           a->changes == nm_store_changes(s->network->store) && nm_shape_equal(&a->x, &b->shape) &&
           nm_shape_equal(&a->targets, &b->target_shape) &&
           (!k->options || memcmp(k->options, s->loss->options, size_of_options(s->loss)) == 0) &&
           (!k->plan || nm_step_plan_is_current(k->plan));
}

static kept *place_for(nm_context *context, steps *all)
{
    kept *oldest = &all->kept[0];
    for (int i = 1; i < KEPT; i++) {
        oldest = all->kept[i].used < oldest->used ? &all->kept[i] : oldest;
    }
    forget(context, oldest);
    return oldest;
}

/* It came for the first time. */
static kept *add(const nm_batch_step *s, steps *all)
{
    nm_context *context = nm_tape_context(s->tape);
    kept *k = place_for(context, all);
    const nm_batch *b = s->batch;
    const size_t size = size_of_options(s->loss);
    void *options = size ? nm_alloc(context, size) : NULL;
    if (size && !options) {
        return NULL;
    }
    *k = (kept){.is_used = true,
                .key = {.self = s->network->self,
                        .forward = s->network->forward,
                        .loss = s->loss->type,
                        .x = b->shape,
                        .targets = b->target_shape,
                        .target_dtype = b->target_dtype,
                        .precision = s->precision,
                        .changes = nm_store_changes(s->network->store)},
                .options = size ? memcpy(options, s->loss->options, size) : NULL};
    return k;
}

static kept *find(const nm_batch_step *s, steps *all)
{
    if (all->last && fits(all->last, s)) {
        return all->last;
    }
    for (int i = 0; i < KEPT; i++) {
        if (fits(&all->kept[i], s)) {
            return &all->kept[i];
        }
    }
    return NULL;
}

/* The plan to go by; NULL: on the tape, or on failure. */
static nm_step_plan *plan_for(const nm_batch_step *s)
{
    steps *all = nm_traced_attach(s->network->traced, sizeof *all, destroy);
    kept *k = all ? find(s, all) : NULL;
    nm_status status = NM_OK;
    if (k && !k->plan && !k->has_none) {
        status = keep(s, k);
    } else if (k && k->graph) {
        status = look_again(s, k);
    } else if (all && !k) {
        k = add(s, all);
    }
    if (!k || status != NM_OK) {
        return NULL;
    }
    k->used = ++all->clock;
    all->last = k;
    return k->plan;
}

/* ---- Both ways ---- */

/* Where something is wrong with the batch, the tape will tell. */
static bool may_plan(const nm_batch_step *s)
{
    const nm_batch *b = s->batch;
    const nm_tape *tape = s->tape;
    return !s->by_tape && s->network->traced && s->network->store && s->random && b->x &&
           b->targets && (b->target_dtype == NM_I32) == s->loss->type->wants_labels &&
           ((uintptr_t)b->x | (uintptr_t)b->targets) % sizeof(float) == 0 &&
           nm_store_context(s->network->store) == nm_tape_context(tape) &&
           nm_tape_is_recording(tape) && !nm_tape_is_anomalous(tape) && !nm_tape_is_dry(tape);
}

static nm_status run(const nm_batch_step *s, double *loss)
{
    nm_context *context = nm_tape_context(s->tape);
    *loss = (double)NAN;
    nm_tape_reset(s->tape);
    nm_step_plan *plan = may_plan(s) && nm_context_status(context) == NM_OK ? plan_for(s) : NULL;
    if (!plan) {
        NM_UNLESS_FAILED(context);
        return run_on_tape(s, loss);
    }
    const nm_status status = nm_store_check_change(s->network->store);
    void *const in[] = {s->batch->x, s->batch->targets};
    return status == NM_OK ? nm_step_plan_run(plan, s->tape, s->random, in, s->scale, loss)
                           : status;
}

nm_status nm_batch_step_run(const nm_batch_step *s, double *loss)
{
    nm_traced *traced = s->network->traced;
    nm_traced_hold(traced);
    const nm_status status = run(s, loss);
    nm_traced_release(traced);
    return status;
}
