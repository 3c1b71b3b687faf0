/* What is not arithmetic: the engine on scalars, and the optimizer. */
#include "models/command/bench/bench.h"

/* ---- A chain of scalar products: built, run and differentiated ---- */

typedef struct chain {
    nm_tape *tape;
    nm_tensor *x, *factor;
    int64_t length;
} chain;

static void run_chain(void *state)
{
    chain *c = state;
    nm_tape_reset(c->tape);
    nm_tensor_clear_grad(c->x);
    nm_tensor *y = c->x;
    for (int64_t i = 0; i < c->length; i++) {
        y = nm_mul(c->tape, y, c->factor);
    }
    nm_backward(c->tape, y, 0);
}

static nm_status bench_chain(bench *b, const char *name, int64_t length)
{
    if (!bench_wanted(b, name)) {
        return NM_OK;
    }
    chain c = {.tape = nm_tape_create(b->context),
               .x = nm_tensor_create(b->context, NM_F32, NM_SCALAR_SHAPE),
               .factor = nm_tensor_create(b->context, NM_F32, NM_SCALAR_SHAPE),
               .length = length};
    nm_status status = nm_context_status(b->context);
    if (status == NM_OK) {
        nm_tensor_fill(c.x, 1);
        nm_tensor_fill(c.factor, 1);
        nm_tensor_set_requires_grad(c.x, true);
        const bench_row row = {
            .name = name, .batch = 1, .parts = length, .step = run_chain, .state = &c};
        status = bench_measure(b, &row);
    }
    nm_tape_destroy(c.tape);
    nm_tensor_destroy(c.x);
    nm_tensor_destroy(c.factor);
    return status;
}

/* ---- An update of parameters, with momentum and weight decay ---- */

typedef struct update {
    nm_store *store;
    nm_optimizer *optimizer;
    int64_t steps;
} update;

static void update_step(void *state)
{
    update *u = state;
    nm_optimizer_step(u->optimizer, u->steps++, 1, 1);
}

/* Gives every parameter a gradient: that of the sum of its elements. */
static nm_status make_gradients(bench *b, nm_tensor *parameter)
{
    nm_tape *tape = nm_tape_create(b->context);
    if (tape) {
        nm_backward(tape, nm_sum(tape, parameter), 0);
    }
    nm_tape_destroy(tape);
    return nm_context_status(b->context);
}

static nm_status bench_update(bench *b, const char *name, int64_t count)
{
    if (!bench_wanted(b, name)) {
        return NM_OK;
    }
    update u = {.store = nm_store_create(b->context)};
    nm_status status = nm_context_status(b->context);
    if (status == NM_OK) {
        nm_tensor *w =
            nm_store_add(u.store, "weight", NM_PARAMETER, NM_WEIGHT, NM_F32, NM_SHAPE(count));
        status = w ? make_gradients(b, w) : nm_context_status(b->context);
    }
    if (status == NM_OK) {
        u.optimizer = nm_optimizer_create(
            u.store, &nm_sgd(.rate = 1e-6, .momentum = 0.9, .weight_decay = 1e-4), NULL, 0);
        status = nm_context_status(b->context);
    }
    if (status == NM_OK) { /* reads parameter, gradient, momentum; writes parameter, momentum */
        const bench_row row = {.name = name,
                               .batch = 1,
                               .bytes = 5.0 * sizeof(float) * (double)count,
                               .step = update_step,
                               .state = &u};
        status = bench_measure(b, &row);
    }
    nm_optimizer_destroy(u.optimizer);
    nm_store_destroy(u.store);
    return status;
}

nm_status bench_overheads(bench *b)
{
    b->heading = "Engine, optimizer, loader";
    nm_status status = bench_chain(b, "scalar_op", 1000);
    if (status == NM_OK) status = bench_chain(b, "scalar_op in a million", 1000000);
    if (status == NM_OK) status = bench_update(b, "sgd 270 000 parameters", 270000);
    if (status == NM_OK) status = bench_update(b, "sgd 10 000 000 parameters", 10000000);
    if (status == NM_OK) status = bench_loader(b);
    return status;
}
