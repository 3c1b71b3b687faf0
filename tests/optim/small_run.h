/* A small network written by hand, a data set of two clouds, and a trainer over them: for the tests
 * of the trainer and of checkpoints. */
#ifndef NM_TESTS_OPTIM_SMALL_RUN_H
#define NM_TESTS_OPTIM_SMALL_RUN_H

#include <math.h>
#include <string.h>

#include "ops/ops.h"
#include "optim/checkpoint.h"
#include "optim/optim.h"
#include "optim/trainer.h"
#include "tests/test.h"

#define INPUTS 2
#define HIDDEN 8
#define MOST_SAMPLES 64

/* ---- The network: x w1, batch norm, relu, dropout, w2 + b2 ---- */

typedef struct small_network {
    nm_store *store;
    nm_tensor *w1, *scale, *shift, *mean, *var, *w2, *b2;
    bool plain;           /* neither batch norm nor dropout: every sample by itself */
    int initialized;      /* passes with `initialize` */
    int64_t largest_tape; /* nodes after a forward pass in inference */
    nm_network network;
} small_network;

/* [b, n] x [n, m], out of elementwise ops and a sum. */
static inline nm_tensor *product(nm_tape *tape, nm_tensor *x, nm_tensor *w)
{
    if (!x) {
        return NULL;
    }
    const nm_shape shape = *nm_tensor_shape(x);
    nm_tensor *column = nm_reshape(tape, x, NM_SHAPE(shape.dim[0], shape.dim[1], 1));
    return nm_sum(tape, nm_mul(tape, column, w), .axes = NM_INTS(1));
}

static inline void move_running(nm_tensor *running, nm_tensor *value, double factor)
{
    for (int64_t i = 0; i < nm_tensor_count(running); i++) {
        nm_tensor_set(running, i,
                      0.9 * nm_tensor_get(running, i) + 0.1 * factor * nm_tensor_get(value, i));
    }
}

static inline nm_tensor *normalize(small_network *n, const nm_pass *pass, nm_tensor *h)
{
    const nm_batch_norm_options options = {
        .struct_size = sizeof options,
        NM_BATCH_NORM_DEFAULTS,
        .mode = pass->training ? NM_TRAINING : NM_INFERENCE,
    };
    nm_batch_norm_result r =
        nm_batch_norm_with(pass->tape, h, n->scale, n->shift, n->mean, n->var, &options);
    if (r.y && pass->training && !pass->initialize) {
        double rows = (double)nm_tensor_shape(h)->dim[0];
        move_running(n->mean, r.mean, 1);
        move_running(n->var, r.var, rows / (rows - 1));
    }
    return r.y;
}

static inline nm_tensor *drop_out(const nm_pass *pass, nm_tensor *h)
{
    if (!h || !pass->training) {
        return h;
    }
    return nm_dropout(pass->tape, h, .p = 0.25,
                      .seed = (int64_t)(nm_random_next(pass->random) >> 1));
}

static inline nm_tensor *small_forward(void *self, const nm_pass *pass, nm_tensor *x)
{
    small_network *n = self;
    n->initialized += pass->initialize;
    nm_tensor *h = product(pass->tape, x, n->w1);
    if (h && !n->plain) {
        h = normalize(n, pass, h);
    }
    h = nm_relu(pass->tape, h);
    h = n->plain ? h : drop_out(pass, h);
    h = nm_add(pass->tape, product(pass->tape, h, n->w2), n->b2);
    if (!pass->training) {
        int64_t nodes = nm_tape_nodes(pass->tape);
        n->largest_tape = nodes > n->largest_tape ? nodes : n->largest_tape;
    }
    return h;
}

static inline nm_tensor *small_add(small_network *n, const char *name, nm_purpose purpose,
                                   nm_shape shape)
{
    nm_role role = purpose >= NM_STATISTIC ? NM_BUFFER : NM_PARAMETER;
    return nm_store_add(n->store, name, role, purpose, NM_F32, shape);
}

static inline void small_create(small_network *n, nm_context *context)
{
    *n = (small_network){.store = nm_store_create(context)};
    n->network = (nm_network){.self = n, .store = n->store, .forward = small_forward};
    if (!n->store) {
        return;
    }
    n->w1 = small_add(n, "first.weight", NM_WEIGHT, NM_SHAPE(INPUTS, HIDDEN));
    n->scale = small_add(n, "norm.scale", NM_NORM_SCALE, NM_SHAPE(HIDDEN));
    n->shift = small_add(n, "norm.shift", NM_NORM_SHIFT, NM_SHAPE(HIDDEN));
    n->mean = small_add(n, "norm.running_mean", NM_STATISTIC, NM_SHAPE(HIDDEN));
    n->var = small_add(n, "norm.running_var", NM_VARIANCE, NM_SHAPE(HIDDEN));
    n->w2 = small_add(n, "last.weight", NM_WEIGHT, NM_SHAPE(HIDDEN, 2));
    n->b2 = small_add(n, "last.bias", NM_BIAS, NM_SHAPE(2));
    nm_random random = nm_random_create(7, 0);
    if (nm_context_status(context) == NM_OK) {
        nm_random_fill_normal(&random, n->w1, 0, 0.7);
        nm_random_fill_normal(&random, n->w2, 0, 0.5);
        nm_tensor_fill(n->scale, 1);
        nm_tensor_fill(n->var, 1);
    }
}

/* ---- The data: two clouds that overlap a little ---- */

typedef struct small_samples {
    float x[MOST_SAMPLES * INPUTS];
    int32_t labels[MOST_SAMPLES];
} small_samples;

static inline void make_samples(small_samples *s, uint64_t seed)
{
    nm_random random = nm_random_create(seed, 1);
    for (int i = 0; i < MOST_SAMPLES; i++) {
        s->labels[i] = (int32_t)nm_random_below(&random, 2);
        for (int k = 0; k < INPUTS; k++) {
            s->x[i * INPUTS + k] =
                (float)(nm_random_normal(&random) + (s->labels[i] ? 1.5 : -1.5) * (k ? -1 : 1));
        }
    }
}

static inline nm_dataset small_set(nm_context *context, const small_samples *s, int64_t count)
{
    return (nm_dataset){.context = context,
                        .count = count,
                        .shape = NM_SHAPE(INPUTS),
                        .dtype = NM_F32,
                        .samples = s->x,
                        .target_dtype = NM_I32,
                        .targets = s->labels,
                        .classes = 2};
}

/* ---- The run ---- */

typedef struct small_run {
    nm_context *context;
    small_network network;
    small_samples train, test;
    nm_data data;
    nm_sgd_options sgd;
    nm_trainer_setup setup;
    nm_trainer *trainer;
    nm_train_result result;
    /* What the callbacks of the tests below note down and do. */
    int epochs_seen, steps_seen, checkpoints_seen;
    int64_t stop_at, cancel_at, kill_at; /* after that update; 0: never */
    double losses[256];                  /* of each update */
    double rates[256];
} small_run;

/* Everything but the trainer, so that a test can change the setup. */
static inline void small_begin(small_run *r, test_memory *memory)
{
    memset(r, 0, sizeof *r);
    r->context = test_context(memory);
    if (!r->context) {
        return;
    }
    nm_register_ops(r->context);
    nm_register_optim(r->context);
    small_create(&r->network, r->context);
    make_samples(&r->train, 1);
    make_samples(&r->test, 2);
    r->data.train = small_set(r->context, &r->train, 40);
    r->data.test = small_set(r->context, &r->test, 33);
    r->data.loader = (nm_loader_options){NM_LOADER_DEFAULTS, .batch = 8, .prefetch = false};
    r->sgd = (nm_sgd_options){NM_SGD_DEFAULTS, .rate = 0.1, .momentum = 0.9, .weight_decay = 1e-3};
    r->setup = (nm_trainer_setup){
        .network = &r->network.network,
        .data = &r->data,
        .loss = {.item = &nm_loss_cross_entropy.item},
        .options = {NM_TRAIN_DEFAULTS, .epochs = 3,
                    .optimizer = {.item = &nm_optimizer_sgd.item, .options = &r->sgd}},
        .callbacks = {.user = r},
    };
}

static inline void small_end(small_run *r, test_memory *memory)
{
    if (r->context) {
        nm_trainer_destroy(r->trainer);
        nm_store_destroy(r->network.store);
        test_context_end(r->context, memory);
    }
}

static inline nm_status small_train(small_run *r)
{
    if (!r->trainer) {
        r->trainer = nm_trainer_create(r->context, &r->setup);
    }
    return r->trainer ? nm_trainer_run(r->trainer, &r->result) : nm_context_status(r->context);
}

/* The bits of all parameters and buffers. */
#define MOST_BYTES 1024
static inline size_t small_bits(const small_run *r, unsigned char bits[MOST_BYTES])
{
    size_t size = 0;
    for (int i = 0; i < nm_store_count(r->network.store); i++) {
        nm_tensor *tensor = nm_store_at(r->network.store, i)->tensor;
        ck_assert_uint_le(size + nm_tensor_bytes(tensor), MOST_BYTES);
        memcpy(bits + size, nm_tensor_data(tensor), nm_tensor_bytes(tensor));
        size += nm_tensor_bytes(tensor);
    }
    return size;
}

static inline void assert_same_bits(const small_run *a, const small_run *b)
{
    unsigned char first[MOST_BYTES], second[MOST_BYTES];
    size_t size = small_bits(a, first);
    ck_assert_uint_eq(size, small_bits(b, second));
    ck_assert(memcmp(first, second, size) == 0);
}

#endif
