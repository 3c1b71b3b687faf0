#include "optim/traced.h"

#include "core/graph/edit.h"
#include "core/graph/parts.h"
#include "core/guard.h"
#include "ops/passes/passes.h"

#define KEPT 8 /* graphs; beyond that the one that was used longest ago goes */

/* On what a pass may depend. */
typedef struct key {
    nm_shape x;
    nm_dtype dtype;
    nm_precision precision;
    bool training, random, folded, quantized, packed;
    uint64_t changes; /* of what is trainable */
} key;

typedef struct kept {
    key key;
    nm_graph *graph;  /* NULL: the pass varies */
    nm_graph *traced; /* the same before it was rewritten, as long as it is looked at again */
    nm_plan *plan;    /* NULL: none was needed so far, or there can be none */
    bool has_none;
    uint64_t used; /* 0: nothing is kept here */
} kept;

struct nm_traced {
    nm_context *context;
    nm_network inner, outer;
    bool holds;  /* its store */
    int holders; /* passes, trainers */
    bool closed; /* by its user; goes with the last holder */
    bool folded, quantized;
    /* Of folded passes: those that nm_traced_fold() found, which others may read; and what only
     * other shapes have. NULL: none. */
    nm_constants *constants, *own, *more;
    kept kept[KEPT];
    uint64_t clock;
    void *attached;
    void (*destroy_attached)(nm_context *context, void *state);
};

/* ---- Life ---- */

static nm_tensor *forward(void *self, const nm_pass *pass, nm_tensor *x)
{
    return nm_traced_forward(self, pass, x);
}

static nm_status try_on(void *self, const nm_pass *pass, const nm_shape *x, nm_trial *trial)
{
    const nm_network *inner = &((nm_traced *)self)->inner;
    return inner->try_on(inner->self, pass, x, trial);
}

nm_traced *nm_traced_create(const nm_network *network)
{
    NM_GIVEN(network && network->store, NULL);
    nm_context *context = nm_store_context(network->store);
    NM_REQUIRE(context, network->forward, NULL);
    nm_traced *traced = nm_alloc_zero(context, 1, sizeof *traced);
    if (traced) {
        traced->context = context;
        traced->inner = traced->outer = *network;
        traced->outer.self = traced->outer.traced = traced;
        traced->outer.forward = forward;
        traced->outer.try_on = network->try_on ? try_on : NULL;
        traced->holds = true;
        nm_store_hold(network->store);
    }
    return traced;
}

static void forget(kept *k)
{
    nm_plan_destroy(k->plan);
    nm_graph_destroy(k->graph);
    nm_graph_destroy(k->traced);
    *k = (kept){.used = 0};
}

void nm_traced_destroy(nm_traced *traced)
{
    if (!traced || traced->holders) {
        if (traced) {
            traced->closed = true;
        }
        return;
    }
    for (int i = 0; i < KEPT; i++) {
        forget(&traced->kept[i]);
    }
    nm_constants_destroy(traced->more);
    nm_constants_destroy(traced->own);
    if (traced->attached) {
        traced->destroy_attached(traced->context, traced->attached);
        nm_free(traced->context, traced->attached);
    }
    nm_store *held = traced->holds ? traced->inner.store : NULL;
    nm_free(traced->context, traced);
    nm_store_release(held);
}

void nm_traced_hold(nm_traced *traced)
{
    if (traced) {
        traced->holders++;
    }
}

void nm_traced_release(nm_traced *traced)
{
    if (traced && --traced->holders == 0 && traced->closed) {
        nm_traced_destroy(traced);
    }
}

void *nm_traced_attach(nm_traced *traced, size_t size,
                       void (*destroy)(nm_context *context, void *state))
{
    if (!traced->attached) {
        traced->attached = nm_alloc_zero(traced->context, 1, size);
        traced->destroy_attached = destroy;
    }
    return traced->attached;
}

const nm_network *nm_traced_network(const nm_traced *traced)
{
    NM_GIVEN(traced, NULL);
    return &traced->outer;
}

/* ---- Keeping a pass ---- */

/* With weights in another form, which have no gradient. */
static bool only_predicts(const nm_traced *traced, const nm_pass *pass)
{
    return traced->folded && !pass->training && !(pass->tape && nm_tape_is_recording(pass->tape));
}

static key key_of(const nm_traced *traced, const nm_pass *pass, nm_dtype dtype, const nm_shape *x)
{
    const bool predicts = only_predicts(traced, pass);
    return (key){.x = *x,
                 .dtype = dtype,
                 .precision = pass->precision,
                 .training = pass->training,
                 .random = pass->random != NULL,
                 .folded = traced->folded && !pass->training,
                 .quantized = predicts && traced->quantized,
                 .packed =
                     predicts && !traced->quantized && traced->own, /* once, not once a sharer */
                 .changes = nm_store_changes(traced->inner.store)};
}

static bool same_key(const key *a, const key *b)
{
    return a->training == b->training && a->random == b->random && a->folded == b->folded &&
           a->quantized == b->quantized && a->dtype == b->dtype && a->precision == b->precision &&
           a->packed == b->packed && a->changes == b->changes && nm_shape_equal(&a->x, &b->x);
}

/* The whole network as a part: where it does what no graph can hold, the graph is one call. */
static nm_tensor *run_inner(void *self, const void *pass, nm_tensor *x)
{
    return nm_network_forward(self, pass, x);
}

static const nm_graph_part inner_part = {"network", run_inner};

static nm_tensor *trace_inner(void *self, const nm_pass *pass, nm_tensor *x)
{
    return nm_trace_part(pass->tape, &inner_part, self, pass, x);
}

/* `constants`: of a folded pass; else NULL. */
static nm_status rewrite(nm_graph *graph, nm_constants *constants, const key *k)
{
    nm_status status = NM_OK;
    if (constants) {
        status = nm_graph_settle(graph, constants); /* weight norm */
        status = status == NM_OK ? nm_graph_fold(graph) : status;
        status = status == NM_OK ? nm_graph_settle(graph, constants) : status;
    }
    status = status == NM_OK ? nm_graph_fuse(graph) : status;
    if (k->training && k->precision == NM_PRECISION_BF16) {
        status = status == NM_OK ? nm_graph_narrow(graph) : status;
    }
    if (constants && (k->quantized || k->packed) && status == NM_OK) {
        status = k->quantized ? nm_graph_quantize(graph) : nm_graph_pack(graph);
        status = status == NM_OK ? nm_graph_settle(graph, constants) : status;
    }
    return status == NM_OK ? nm_graph_drop(graph) : status;
}

static nm_graph *trace_pass(nm_traced *traced, const key *k, const nm_pass *pass)
{
    nm_network whole = traced->inner;
    whole.self = &traced->inner;
    whole.forward = trace_inner;
    return nm_network_trace_in(traced->context, &whole, pass, k->dtype, k->x);
}

/* A pass that depends on what it must not (tensors that take turns) would be done with those of the
 * past. So it is traced twice, and once more when it comes again: one that varies runs as it is.
 * Built for hunting, each time it comes. */
static nm_status keep_pass(nm_traced *traced, const nm_pass *pass, nm_constants *constants, kept *k)
{
    k->traced = trace_pass(traced, &k->key, pass);
    k->graph = k->traced ? trace_pass(traced, &k->key, pass) : NULL;
    if (k->graph && !nm_graph_same(k->graph, k->traced)) {
        nm_graph_destroy(k->graph);
        nm_graph_destroy(k->traced);
        k->graph = k->traced = NULL;
    } else if (k->graph) {
        rewrite(k->graph, k->key.folded ? constants : NULL, &k->key);
    }
    return nm_context_status(traced->context);
}

static nm_status look_again(nm_traced *traced, const nm_pass *pass, kept *k)
{
    nm_graph *now = k->traced ? trace_pass(traced, &k->key, pass) : NULL;
    if (now && !nm_graph_same(now, k->traced)) {
        const key of = k->key;
        forget(k);
        *k = (kept){.key = of, .used = traced->clock};
#ifdef NM_GUARD
        nm_context_log(traced->context, NM_LOG_WARNING,
                       "a traced network's forward pass is another than the one that was kept: it "
                       "depends on what it must not (optim/traced.h)");
#endif
    }
    nm_graph_destroy(now);
#ifndef NM_GUARD
    nm_graph_destroy(k->traced);
    k->traced = NULL;
#endif
    return nm_context_status(traced->context);
}

static kept *place_for(nm_traced *traced)
{
    kept *oldest = &traced->kept[0];
    for (int i = 1; i < KEPT; i++) {
        oldest = traced->kept[i].used < oldest->used ? &traced->kept[i] : oldest;
    }
    forget(oldest);
    return oldest;
}

/* NULL on failure. */
static kept *find(nm_traced *traced, const nm_pass *pass, nm_dtype dtype, const nm_shape *x,
                  nm_constants *constants)
{
    kept made = {.key = key_of(traced, pass, dtype, x)};
    for (int i = 0; i < KEPT; i++) {
        kept *k = &traced->kept[i];
        if (k->used && same_key(&k->key, &made.key)) {
            return look_again(traced, pass, k) == NM_OK ? k : NULL;
        }
    }
    if (keep_pass(traced, pass, constants, &made) != NM_OK) {
        forget(&made);
        return NULL;
    }
    kept *k = place_for(traced);
    *k = made;
    k->used = ++traced->clock;
    return k;
}

/* ---- Running ---- */

/* A plan computes where nobody looks on: nothing is recorded, checked or only tried. */
static bool may_plan(const nm_pass *pass)
{
    return !pass->training && !nm_tape_is_recording(pass->tape) &&
           !nm_tape_is_anomalous(pass->tape) && !nm_tape_is_dry(pass->tape);
}

/* A pass with steps that no plan has runs on the tape. */
static bool is_plannable(const nm_graph *graph)
{
    const nm_graph_value *y = nm_graph_value_at(graph, nm_graph_output_at(graph, 0));
    bool fine = y->step >= 0 || y->tensor; /* the input itself stays the input */
    for (int s = 0; fine && s < nm_graph_step_count(graph); s++) {
        const nm_step_kind kind = nm_graph_step_at(graph, s)->kind;
        fine = kind == NM_STEP_OP || kind == NM_STEP_DETACH;
    }
    return fine;
}

static nm_status make_plan(kept *k)
{
    if (k->plan || k->has_none) {
        return NM_OK;
    }
    k->has_none = !is_plannable(k->graph);
    k->plan = k->has_none ? NULL : nm_plan_create(k->graph);
    return k->plan || k->has_none ? NM_OK : nm_context_status(nm_graph_context(k->graph));
}

static nm_tensor *run_kept(kept *k, const nm_pass *pass, nm_tensor *x)
{
    if (may_plan(pass)) {
        if (make_plan(k) != NM_OK) {
            return NULL;
        }
        if (k->plan) {
            return nm_plan_run_on(k->plan, pass->tape, x);
        }
    }
    nm_tensor *y = NULL;
    nm_graph_run_with(k->graph, pass->tape, pass->random, pass, &x, &y);
    return y;
}

static nm_tensor *run_forward(nm_traced *traced, const nm_pass *pass, nm_tensor *x)
{
    NM_REQUIRE(traced->context, pass && pass->tape, NULL);
    NM_GIVEN(x && nm_context_status(traced->context) == NM_OK, NULL);
    if ((nm_tape_is_traced(pass->tape) && !nm_tape_is_traced_for_step(pass->tape)) ||
        pass->initialize || pass->statistics || pass->onlooker ||
        nm_tape_context(pass->tape) != traced->context) {
        return nm_network_forward(&traced->inner, pass, x);
    }
    if (pass->training) {
        traced->folded = false;
    }
    if (traced->folded &&
        (nm_constants_renew(traced->own) != NM_OK || nm_constants_renew(traced->more) != NM_OK)) {
        return NULL;
    }
    kept *k = find(traced, pass, nm_tensor_dtype(x), nm_tensor_shape(x), traced->more);
    if (!k) {
        return NULL;
    }
    k->used = ++traced->clock;
    return k->graph ? run_kept(k, pass, x) : nm_network_forward(&traced->inner, pass, x);
}

nm_tensor *nm_traced_forward(nm_traced *traced, const nm_pass *pass, nm_tensor *x)
{
    NM_GIVEN(traced, NULL);
    nm_traced_hold(traced);
    nm_tensor *y = run_forward(traced, pass, x);
    nm_traced_release(traced);
    return y;
}

/* ---- Folding ---- */

void nm_traced_unfold(nm_traced *traced)
{
    NM_GIVEN(traced, );
    traced->folded = false;
}

bool nm_traced_is_folded(const nm_traced *traced)
{
    return traced && traced->folded;
}

void nm_traced_quantize(nm_traced *traced, bool on)
{
    NM_GIVEN(traced, );
    traced->quantized = on;
}

static nm_status make_constants(nm_traced *traced)
{
    if (!traced->own) {
        traced->constants = traced->own = nm_constants_create(traced->context, NULL);
    }
    if (traced->own && !traced->more) {
        traced->more = nm_constants_create(traced->context, traced->own);
    }
    return nm_context_status(traced->context);
}

static bool is_folded(nm_traced *traced, nm_dtype dtype, const nm_shape *x)
{
    const nm_pass pass = {.training = false};
    return make_constants(traced) == NM_OK && nm_constants_refresh(traced->own) == NM_OK &&
           nm_constants_refresh(traced->more) == NM_OK &&
           find(traced, &pass, dtype, x, traced->own);
}

nm_status nm_traced_fold(nm_traced *traced, nm_dtype dtype, nm_shape x)
{
    NM_GIVEN(traced, NM_ERROR_INPUT);
    NM_UNLESS_FAILED(traced->context);
    traced->folded = true;
    traced->folded = is_folded(traced, dtype, &x);
    return nm_context_status(traced->context);
}

/* ---- Sharing ---- */

nm_traced *nm_traced_share(nm_context *context, const nm_traced *of)
{
    nm_traced *traced = nm_alloc_zero(context, 1, sizeof *traced);
    if (traced) {
        traced->context = context;
        traced->inner = of->inner;
        traced->folded = of->folded;
        traced->quantized = of->quantized;
        traced->constants = of->constants;
        traced->more = of->folded ? nm_constants_create(context, of->constants) : NULL;
    }
    if (traced && of->folded && !traced->more) {
        nm_traced_destroy(traced);
        return NULL;
    }
    return traced;
}
