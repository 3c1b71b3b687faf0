/* Random small networks, from graphs and layer by layer: the same outputs and gradients in
 * training, running statistics and random numbers, and in inference; folded too. */
#include <math.h>
#include <stdio.h>

#include "ops/basic.h"
#include "tests/models/model_test.h"
#include "tests/models/random_network.h"

#define NETWORKS 60

static void add_layers(writer *w, int count);

/* Keeps the shape, so that it may stand in a residual. */
static void add_linear(writer *w)
{
    static const char *const dense[] = {
        "{dense: {units: 6}}", "{dense: {units: 6, bias: false}}",
        "{dense: {units: 6, weight_norm: {axis: 0}}}",
        "{dense: {units: 6, weight: {spectral_norm: true}}}",
        "{dense: {units: 6, weight: {weight_standardization: {scaled: true}}}}"};
    static const char *const conv[] = {
        "{conv2d: {channels: 6, kernel: 3, padding: 1}}",
        "{conv2d: {channels: 6, kernel: 3, padding: 1, bias: false}}",
        "{conv2d: {channels: 6, kernel: 1, weight_norm: {axis: 0}}}",
        "{conv2d: {channels: 6, kernel: 1, weight: {spectral_norm: {iterations: 2}}}}",
        "{conv2d_transpose: {channels: 6, kernel: 3, padding: 1}}",
        "{conv2d_transpose: {channels: 6, kernel: 1, bias: false}}"};
    if (w->sequences) {
        add_sequence_layer(w);
    } else {
        add(w, w->images ? conv[below(w, 6)] : dense[below(w, 5)]);
    }
}

static void add_norm(writer *w)
{
    static const char *const norms[] = {
        "batch_norm",
        "batch_norm",
        "{batch_norm: {mean_only: true}}",
        "{batch_norm: {affine: false}}",
        "{batch_norm: {average: cumulative}}",
        "{batch_norm: {frozen: true}}",
        "{batch_norm: {eps: 0.01}}",
        "layer_norm",
        "{rms_norm: {affine: false}}",
        "{group_norm: {groups: 3}}",
        "{batch_renorm: {warmup: 1, ramp: 2}}",
        "{ghost_batch_norm: {size: 3}}",
        "dynamic_tanh",
    };
    add(w, norms[below(w, 13)]);
}

static void add_other(writer *w)
{
    static const char *const others[] = {
        "relu", "relu", "relu", "sigmoid", "tanh", "gelu", "{dropout: {p: 0.2}}", "leaky_relu"};
    add(w, others[below(w, 8)]);
}

static void add_container(writer *w)
{
    static const char *const begins[] = {"{sequence: {", "{residual: {", "{repeat: {times: 2, "};
    const int kind = below(w, 3);
    w->depth++;
    add(w, begins[kind]);
    add(w, below(w, 2) ? "recompute: true, body: [" : "body: [");
    add_layers(w, 1 + below(w, 4));
    if (kind == 1 && below(w, 2)) {
        add(w, "], shortcut: [");
        add_layers(w, 1 + below(w, 2));
    }
    add(w, "]}}");
    w->depth--;
}

static void add_layers(writer *w, int count)
{
    for (int i = 0; i < count; i++) {
        add(w, i ? ", " : "");
        switch (below(w, w->depth < 2 ? 8 : 7)) {
        case 0:
        case 1: add_linear(w); break;
        case 2:
        case 3: add_norm(w); break;
        case 7: add_container(w); break;
        default: add_other(w); break;
        }
    }
}

static void write_network(writer *w, int number)
{
    *w = (writer){.random = nm_random_create((uint64_t)number, 11),
                  .images = number % 3 == 0,
                  .sequences = number % 3 == 1};
    add(w, "[");
    add_linear(w);
    add(w, ", ");
    add_layers(w, 3 + below(w, 6));
    if (w->images) {
        add(w, below(w, 2) ? ", {max_pool2d: {kernel: 2}}" : ", {avg_pool2d: {kernel: 2}}");
        add(w, below(w, 2) ? ", relu" : "");
    }
    add(w, w->images || w->sequences ? ", flatten" : "");
    add(w, ", {dense: {units: 3}}]");
}

typedef struct pair {
    const char *yaml;
    fixture f[2]; /* from graphs; layer by layer */
    nm_tensor *x[2];
} pair;

static void same(const pair *p, nm_tensor *a, nm_tensor *b, const char *what)
{
    ck_assert(a && b);
    ck_assert(nm_shape_equal(nm_tensor_shape(a), nm_tensor_shape(b)));
    for (int64_t i = 0; i < nm_tensor_count(a); i++) {
        const double x = nm_tensor_get(a, i), y = nm_tensor_get(b, i);
        ck_assert_msg(fabs(x - y) <= 1e-8 * (1 + fabs(y)),
                      "%s of %s, element %lld: %.12g and %.12g", what, p->yaml, (long long)i, x, y);
    }
}

static void train_both(pair *p)
{
    for (int i = 0; i < 2; i++) {
        fixture *f = &p->f[i];
        nm_tape_reset(f->tape);
        nm_tensor *y = train(f, p->x[i]);
        nm_backward(f->tape, nm_mean(f->tape, nm_mul(f->tape, y, y)), 0);
        assert_fine(f->context);
    }
    for (int e = 0; e < nm_store_count(p->f[0].store); e++) {
        const nm_entry *a = nm_store_at(p->f[0].store, e), *b = nm_store_at(p->f[1].store, e);
        same(p, a->tensor, b->tensor, a->name);
        if (nm_tensor_grad(a->tensor)) {
            same(p, nm_tensor_grad(a->tensor), nm_tensor_grad(b->tensor), "the gradient");
        }
    }
    ck_assert_uint_eq(p->f[0].random.position, p->f[1].random.position);
    nm_store_clear_grads(p->f[0].store);
    nm_store_clear_grads(p->f[1].store);
}

static void evaluate_both(pair *p, const char *what)
{
    nm_tensor *y[2];
    for (int i = 0; i < 2; i++) {
        nm_tape_reset(p->f[i].tape);
        y[i] = evaluate(&p->f[i], p->x[i]);
        assert_fine(p->f[i].context);
    }
    same(p, y[0], y[1], what);
}

/* Another number of samples, which is another graph. */
static void resize(pair *p, int64_t samples, nm_shape sample)
{
    for (int i = 0; i < 2; i++) {
        nm_tensor_destroy(p->x[i]);
        p->x[i] = samples ? normal(&p->f[i], NM_F64, batch_of(samples, sample), 5) : NULL;
    }
}

static void compare_network(int number)
{
    writer w;
    write_network(&w, number);
    const nm_shape sample = w.images      ? NM_SHAPE(6, 4, 2)
                            : w.sequences ? NM_SHAPE(5, 6)
                                          : NM_SHAPE(5);
    pair p = {.yaml = w.text};
    for (int i = 0; i < 2; i++) {
        p.f[i] = begin_with(w.text, sample,
                            (nm_model_options){NM_MODEL_DEFAULTS, .dtype = NM_F64, .fuse = i == 0});
        assert_fine(p.f[i].context);
    }
    for (int step = 0; step < 3; step++) {
        resize(&p, step == 1 ? 4 : 7, sample);
        train_both(&p);
        evaluate_both(&p, "evaluation");
    }
    ck_assert_int_eq(nm_model_fold(p.f[0].model), NM_OK);
    evaluate_both(&p, "folded evaluation");
    resize(&p, 3, sample);
    evaluate_both(&p, "folded evaluation of fewer");
    train_both(&p);
    evaluate_both(&p, "evaluation after folding");
    resize(&p, 0, sample);
    end(&p.f[0]);
    end(&p.f[1]);
}

START_TEST(a_network_from_graphs_is_the_network_layer_by_layer)
{
    for (int i = first_number(), end = i + NETWORKS; i < end; i++) {
        compare_network(i);
    }
}
END_TEST

TEST_MAIN("models/random_networks", a_network_from_graphs_is_the_network_layer_by_layer)
