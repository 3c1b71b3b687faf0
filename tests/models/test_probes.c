/* Probes: they never change the training, and what they say is right. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "models/config.h"
#include "optim/probe.h"

#include "tests/models/model_test.h"

#define ALL (NM_NEED_DATA | NM_NEED_LOSS | NM_NEED_TRAIN)
#define MOST 400 /* records that are kept */

/* Everything that draws numbers or moves statistics. */
static const char network[] =
    "model:\n"
    "  - dense: {units: 12, weight_norm: {axis: 0, init: data}}\n"
    "  - batch_norm\n"
    "  - sigmoid\n"
    "  - dropout: {p: 0.2}\n"
    "  - dense: {units: 8, weight: {spectral_norm: true}}\n"
    "  - batch_renorm\n"
    "  - tanh\n"
    "  - dense: {units: 8, bias: false}\n"
    "  - batch_norm\n"
    "  - relu\n"
    "  - dense: {units: 2}\n"
    "data: {train: {spirals: {points: 40, classes: 2}}, batch: 9, last_batch: keep}\n"
    "loss: cross_entropy\n"
    "train: {epochs: 3, optimizer: {sgd: {rate: 0.05, momentum: 0.9}}}\n";

typedef struct record {
    int64_t step;
    char probe[64], layer[128];
    int count;
    double values[NM_PROBE_VALUES];
    const char *names[NM_PROBE_VALUES];
} record;

typedef struct run {
    nm_context *context;
    nm_config config;
    nm_trainer *trainer;
    record records[MOST];
    int count;
    double norms[64]; /* of all gradients, by step */
    int64_t stop;     /* before this step; 0: not */
} run;

static nm_status take(void *user, const nm_train_state *s, const nm_probe_record *r)
{
    run *to = user;
    (void)s;
    if (to->count < MOST) {
        record *kept = &to->records[to->count++];
        *kept = (record){.step = r->step, .count = r->count};
        snprintf(kept->probe, sizeof kept->probe, "%s", r->probe);
        snprintf(kept->layer, sizeof kept->layer, "%s", r->layer ? r->layer : "");
        memcpy(kept->values, r->values, (size_t)r->count * sizeof(double));
        memcpy(kept->names, r->names, (size_t)r->count * sizeof(char *));
    }
    return NM_OK;
}

static nm_status on_gradients(void *user, const nm_train_state *s)
{
    run *r = user;
    double squares = 0;
    nm_store *store = nm_model_store(r->config.model);
    for (int i = 0; i < nm_store_count(store); i++) {
        nm_tensor *g = nm_tensor_grad(nm_store_at(store, i)->tensor);
        for (int64_t k = 0; g && k < nm_tensor_count(g); k++) {
            squares += nm_tensor_get(g, k) * nm_tensor_get(g, k);
        }
    }
    if (s->step < NM_COUNT_OF(r->norms)) {
        r->norms[s->step] = sqrt(squares);
    }
    return NM_OK;
}

static nm_status on_step(void *user, const nm_train_state *s)
{
    run *r = user;
    if (r->stop && s->step == r->stop) {
        nm_trainer_stop(r->trainer);
    }
    return NM_OK;
}

static const char *write_network(void)
{
    const char *path = test_path("probes.yaml");
    test_write_file(path, network, strlen(network));
    return path;
}

/* Opens it with `probes` (NULL: none) and another setting, if it is not NULL; may fail. */
static void open_run(run *r, const char *probes, const char *setting)
{
    char text[512];
    const char *settings[2];
    int count = 0;
    *r = (run){.context = open_context(NULL)};
    if (probes) {
        snprintf(text, sizeof text, "probes=%s", probes);
        settings[count++] = text;
    }
    if (setting) {
        settings[count++] = setting;
    }
    const char *path = write_network();
    nm_config_open(r->context, path, settings, count, ALL, &r->config);
}

static void make_trainer(run *r)
{
    nm_trainer_setup setup = nm_config_setup(&r->config);
    setup.callbacks = (nm_train_callbacks){
        .user = r, .on_gradients = on_gradients, .on_step = on_step, .on_probe = take};
    r->trainer = nm_trainer_create(r->context, &setup);
    assert_fine(r->context);
}

static void go(run *r, const char *probes, const char *setting)
{
    open_run(r, probes, setting);
    assert_fine(r->context);
    make_trainer(r);
    nm_trainer_run(r->trainer, NULL);
    assert_fine(r->context);
}

static void end_run(run *r)
{
    nm_trainer_destroy(r->trainer);
    nm_config_close(&r->config);
    nm_close(r->context);
}

static void assert_same(const run *a, const run *b, const char *of)
{
    const nm_store *stores[][2] = {
        {nm_model_store(a->config.model), nm_model_store(b->config.model)},
        {nm_optimizer_state(nm_trainer_optimizer(a->trainer)),
         nm_optimizer_state(nm_trainer_optimizer(b->trainer))}};
    for (int s = 0; s < 2; s++) {
        for (int i = 0; i < nm_store_count(stores[s][0]); i++) {
            const nm_entry *x = nm_store_at(stores[s][0], i), *y = nm_store_at(stores[s][1], i);
            ck_assert_msg(same_bits(x->tensor, y->tensor), "%s: %s differs", of, x->name);
        }
    }
}

/* ---- They change nothing ---- */

static const char *const ways[] = {NULL, "train.plan=false", "train.accumulate=2",
                                   "train.average={kind: exponential}"};

static void compare_probes(const char *way)
{
    run plain;
    go(&plain, NULL, way);
    const int probes = nm_item_count(plain.context, NM_KIND_PROBE);
    ck_assert_int_gt(probes, 10);
    for (int i = 0; i < probes; i++) {
        char text[128];
        run probed;
        const char *name = nm_item_at(plain.context, NM_KIND_PROBE, i)->name;
        snprintf(text, sizeof text, "[{%s: {every: 2}}]", name);
        go(&probed, text, way);
        ck_assert_msg(probed.count > 0, "%s says nothing", name);
        assert_same(&plain, &probed, name);
        end_run(&probed);
    }
    end_run(&plain);
}

START_TEST(no_probe_changes_a_bit_of_the_training)
{
    for (int i = 0; i < NM_COUNT_OF(ways); i++) {
        compare_probes(ways[i]);
    }
}
END_TEST

START_TEST(a_run_that_is_resumed_is_the_same_with_probes_in_it)
{
    static const char all[] = "[{gradient_noise: {every: 2, batches: 3}}, covariate_shift, "
                              "{loss_along_gradient: {every: 1}}, {update_ratio: {every: 2}}]";
    run whole, first, rest;
    const char *path = test_path("probes.safetensors");
    go(&whole, NULL, NULL);
    open_run(&first, all, NULL);
    make_trainer(&first);
    first.stop = 5;
    nm_trainer_run(first.trainer, NULL);
    ck_assert_int_eq(nm_trainer_save(first.trainer, path), NM_OK);
    open_run(&rest, all, NULL);
    make_trainer(&rest);
    ck_assert_int_eq(nm_trainer_resume(rest.trainer, path), NM_OK);
    ck_assert_int_eq(nm_trainer_run(rest.trainer, NULL), NM_OK);
    assert_same(&whole, &rest, "resumed");
    ck_assert_int_ge(rest.records[0].step, 5);
    end_run(&whole);
    end_run(&first);
    end_run(&rest);
}
END_TEST

/* ---- What they say ---- */

static const record *find(const run *r, int64_t step, const char *layer)
{
    for (int i = 0; i < r->count; i++) {
        if (r->records[i].step == step && strcmp(r->records[i].layer, layer) == 0) {
            return &r->records[i];
        }
    }
    ck_abort_msg("no record of \"%s\" at step %d", layer, (int)step);
    return NULL;
}

static double value(const record *r, const char *name)
{
    for (int i = 0; i < r->count; i++) {
        if (strcmp(r->names[i], name) == 0) {
            return r->values[i];
        }
    }
    ck_abort_msg("no number \"%s\"", name);
    return NAN;
}

START_TEST(gradient_norms_are_those_of_the_update)
{
    run r;
    go(&r, "[{gradient_norms: {every: 3}}]", NULL);
    for (int step = 0; step < 15; step += 3) {
        const record *whole = find(&r, step, "");
        ck_assert_double_eq_tol(value(whole, "norm"), r.norms[step], 1e-5 * r.norms[step]);
    }
    const record *v = find(&r, 3, "dense1.weight_v");
    /* Rows that a norm makes scaleless are orthogonal to their gradients; others are not. */
    ck_assert_double_lt(value(v, "cosine"), 1e-5);
    ck_assert_double_lt(value(find(&r, 3, "dense3.weight"), "cosine"), 1e-3);
    ck_assert_double_gt(value(find(&r, 3, "dense4.weight"), "cosine"), 1e-3);
    end_run(&r);
}
END_TEST

/* Of the last layer's outputs the gradient of a mean over the batch is known: (p - y) / n, whose
 * columns sum to the bias's. */
START_TEST(norms_of_gradients_are_told_of_outputs_too)
{
    run r;
    go(&r, "[{gradient_norms: {every: 3, of: outputs}}]", NULL);
    double squares = 0;
    int layers = 0;
    for (int i = 0; i < r.count; i++) {
        if (r.records[i].step == 3 && *r.records[i].layer) {
            const double norm = value(&r.records[i], "norm");
            ck_assert_double_gt(norm, 0);
            squares += norm * norm;
            layers++;
        }
    }
    ck_assert_int_eq(layers, 11);
    assert_near(value(find(&r, 3, ""), "norm"), sqrt(squares), 1e-6, 0);
    /* Each of the two outputs is wrong by as much as the other: |p - y| = sqrt(2) (1 - p_y), below
     * sqrt(2) in each of nine rows. */
    ck_assert_double_lt(value(find(&r, 3, "dense4"), "norm"), sqrt(2.0 / 9));
    end_run(&r);
    go(&r, "[{gradient_norms: {every: 3, of: outputs, layers: [dense4]}}]", NULL);
    ck_assert_str_eq(r.records[0].layer, "dense4");
    ck_assert_str_eq(r.records[1].layer, "");
    assert_near(value(&r.records[0], "norm"), value(&r.records[1], "norm"), 1e-6, 0);
    end_run(&r);
}
END_TEST

START_TEST(it_looks_at_every_so_many_updates_and_at_the_end)
{
    run r;
    go(&r, "[{weight_norms: {every: 7, layers: [dense3]}}]", "train.steps=15");
    static const int64_t steps[] = {0, 7, 14, 15};
    ck_assert_int_eq(r.count, 4);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(r.records[i].step, steps[i]);
        ck_assert_str_eq(r.records[i].layer, "dense3.weight");
    }
    const nm_entry *w = nm_store_find(nm_model_store(r.config.model), "dense3.weight");
    double squares = 0;
    for (int64_t k = 0; k < nm_tensor_count(w->tensor); k++) {
        squares += nm_tensor_get(w->tensor, k) * nm_tensor_get(w->tensor, k);
    }
    ck_assert_double_eq_tol(value(&r.records[3], "norm"), sqrt(squares), 1e-9);
    end_run(&r);
}
END_TEST

START_TEST(outputs_are_told_by_layer)
{
    run r;
    go(&r, "[{activation_percentiles: {every: 100, layers: [\"sigmoid*\", bn2]}}]",
       "train.steps=1");
    ck_assert_int_eq(r.count, 4); /* two layers, before and behind the one update */
    const record *s = find(&r, 0, "sigmoid1"), *n = find(&r, 0, "bn2");
    ck_assert(value(s, "p15") > 0 && value(s, "p85") < 1);
    ck_assert(value(s, "p15") < value(s, "p50") && value(s, "p50") < value(s, "p85"));
    ck_assert(value(n, "p15") < -0.5 && value(n, "p85") > 0.5);
    end_run(&r);
}
END_TEST

START_TEST(normalized_outputs_have_mean_0_and_deviation_1)
{
    run r;
    go(&r, "[{activation_statistics: {layers: [bn1, relu1]}}]", "train.steps=1");
    const record *n = find(&r, 0, "bn1"), *a = find(&r, 0, "relu1");
    ck_assert_double_eq_tol(value(n, "mean"), 0, 1e-6);
    ck_assert_double_eq_tol(value(n, "deviation"), 1, 1e-3);
    ck_assert_double_eq_tol(value(n, "channel_deviation"), 1, 1e-3);
    ck_assert(value(a, "stable_rank") >= 1 && value(a, "stable_rank") <= 8);
    ck_assert(value(a, "cosine") > 0 && value(a, "cosine") < 1);
    end_run(&r);
}
END_TEST

/* Eight of its nine batches are of one class: the first four of the same. */
static const char sorted[] =
    "data={train: {spirals: {points: 40, classes: 2}}, batch: 9, shuffle: false, sort: true}";

START_TEST(batches_of_sorted_data_are_drawn_from_all_of_it)
{
    run r;
    go(&r, "[{gradient_noise: {batches: 4, layers: [dense4.bias]}}]", sorted);
    const record *first = find(&r, 0, "");
    ck_assert_double_ge(value(first, "spread"), 0.5); /* of gradients of about 0.7 each way */
    end_run(&r);
}
END_TEST

START_TEST(an_update_without_momentum_is_the_rate_times_the_gradient)
{
    run r;
    go(&r,
       "[{gradient_norms: {layers: [dense3]}}, {update_ratio: {layers: [dense3]}}, "
       "{weight_norms: {layers: [dense3]}}]",
       "train.optimizer={sgd: {rate: 0.5}}");
    const double gradient = value(find(&r, 0, "dense3.weight"), "norm");
    double ratio = NAN, norm = NAN, change = NAN;
    for (int i = 0; i < r.count; i++) {
        const record *k = &r.records[i];
        if (k->step == 0 && strcmp(k->probe, "update_ratio") == 0) {
            ratio = value(k, "ratio");
            change = value(k, "norm");
        } else if (k->step == 0 && strcmp(k->probe, "weight_norms") == 0) {
            norm = value(k, "norm");
        }
    }
    ck_assert_double_eq_tol(change, 0.5 * gradient, 1e-5 * gradient);
    ck_assert_double_eq_tol(ratio, change / norm, 1e-9);
    end_run(&r);
}
END_TEST

START_TEST(the_first_layer_has_no_layers_below_that_shift)
{
    run r;
    go(&r, "[covariate_shift]", "train.steps=1");
    ck_assert_double_eq_tol(value(find(&r, 0, "dense1.weight_v"), "cosine"), 1, 1e-9);
    ck_assert_double_lt(value(find(&r, 0, "dense4.weight"), "cosine"), 1);
    end_run(&r);
}
END_TEST

START_TEST(samples_depend_on_each_other_where_a_batch_is_normalized_and_in_training_alone)
{
    run r;
    go(&r, "[evaluation_mode]", "train.steps=1");
    const record *first = find(&r, 0, "");
    ck_assert_double_eq(value(first, "others"), 0);
    ck_assert_double_gt(value(first, "others_training"), 0.01);
    ck_assert_double_gt(value(first, "contrast"), 0.01);
    ck_assert_double_eq_tol(value(first, "gap"),
                            value(first, "evaluation") - value(first, "training"), 1e-12);
    end_run(&r);
    go(&r, "[evaluation_mode]", "model=[dense: {units: 8}, layer_norm, tanh, dense: {units: 2}]");
    first = find(&r, 0, "");
    ck_assert_double_eq(value(first, "others_training"), 0);
    ck_assert_double_eq(value(first, "distance"), 0);
    end_run(&r);
}
END_TEST

START_TEST(running_statistics_begin_far_from_the_sets_and_come_nearer)
{
    run r;
    go(&r, "[running_statistics]", "model=[batch_norm: {average: cumulative}, dense: {units: 2}]");
    const record *before = find(&r, 0, "bn1.running_mean"), *after = find(&r, 15, before->layer);
    ck_assert_double_lt(fabs(value(after, "ratio") - 1), fabs(value(before, "ratio") - 1));
    ck_assert_double_lt(value(after, "distance"), 0.05);
    ck_assert_double_gt(value(after, "error"), 0);
    end_run(&r);
    go(&r, "[running_statistics, weight_norms]", "model=[dense: {units: 2}]");
    ck_assert_str_eq(r.records[0].probe,
                     "weight_norms"); /* there are none, and that is no mistake */
    end_run(&r);
}
END_TEST

/* At weights of 0 both classes are as likely, and the Hessian is [[1, -1], [-1, 1]]/4 times the
 * mean of x x^T: its largest eigenvalue is half that one's. */
START_TEST(the_top_eigenvalue_of_logistic_regression_is_that_of_its_formula)
{
    run r;
    const char *settings[] = {"probes=[{top_hessian_eigenvalue: {iterations: 200}}]",
                              "model=[dense: {units: 2, bias: false, init: zeros}]",
                              "data.batch=40", "train.epochs=1"};
    r = (run){.context = open_context(NULL)};
    nm_config_open(r.context, write_network(), settings, NM_COUNT_OF(settings), ALL, &r.config);
    make_trainer(&r);
    nm_loader_options options = r.config.data.loader;
    options.batch = 40;
    nm_loader *loader = nm_loader_create(r.context, &r.config.data.train, &options, false, 0);
    nm_batch batch;
    nm_loader_begin(loader, 0, 0);
    nm_loader_next(loader, &batch);
    ck_assert_int_eq(batch.count, 40);
    double a = 0, b = 0, c = 0; /* of [[a, b], [b, c]] */
    for (int i = 0; i < 40; i++) {
        const double x = batch.x[(ptrdiff_t)2 * i], y = batch.x[2 * i + 1];
        a += x * x / 40;
        b += x * y / 40;
        c += y * y / 40;
    }
    const double top = (a + c) / 2 + sqrt((a - c) * (a - c) / 4 + b * b);
    nm_loader_destroy(loader);
    nm_trainer_run(r.trainer, NULL);
    const record *first = find(&r, 0, "");
    ck_assert_double_eq_tol(value(first, "eigenvalue"), top / 2, 1e-4 * top);
    ck_assert_double_lt(value(first, "residual"), 0.01);
    end_run(&r);
}
END_TEST

START_TEST(the_middle_of_the_surface_is_the_loss_of_the_batch)
{
    run r;
    go(&r, "[{loss_surface: {points: 3, reach: 0.5}}, evaluation_mode]", "train.steps=1");
    const record *middle = &r.records[4];
    ck_assert_int_eq(r.count, 2 * (9 + 1));
    ck_assert_double_eq(value(middle, "x"), 0);
    ck_assert_double_eq(value(middle, "y"), 0);
    ck_assert_double_eq_tol(value(&r.records[0], "x"), -0.5, 1e-12);
    ck_assert_double_eq_tol(value(middle, "loss"), value(&r.records[9], "training"), 1e-6);
    ck_assert_double_ne(value(middle, "loss"), value(&r.records[0], "loss"));
    end_run(&r);
}
END_TEST

/* ---- Mistakes ---- */

static const struct {
    const char *probes, *message;
} mistakes[] = {
    {"[{gradient_norm: {every: 100}}]", "did you mean \"gradient_norms\"?"},
    {"[{gradient_norms: {every: 0}}]", "\"every\""},
    {"[{saturation: {layers: [sigmoid2]}}]", "there is no layer \"sigmoid2\"; did you mean"},
    {"[{saturation: {layers: [dense3]}}]", "\"dense3\" is a dense, of which it measures nothing"},
    {"[{weight_norms: {layers: [dens3]}}]", "there is no layer \"dens3\""},
    {"[{gradient_noise: {batches: 1}}]", "\"batches\""},
    {"[{loss_along_gradient: {layers: [x]}}]", "unknown option \"layers\""},
};

START_TEST(what_cannot_be_probed_is_told_before_anything_runs)
{
    for (int i = 0; i < NM_COUNT_OF(mistakes); i++) {
        run r;
        open_run(&r, mistakes[i].probes, NULL);
        ck_assert_int_eq(nm_context_status(r.context), NM_ERROR_INPUT);
        const char *text = nm_context_error(r.context);
        ck_assert_msg(strstr(text, mistakes[i].message), "%s", text);
        ck_assert_msg(strstr(text, "--set"), "no place: %s", text);
        end_run(&r);
    }
}
END_TEST

TEST_MAIN("models/probes", no_probe_changes_a_bit_of_the_training,
          a_run_that_is_resumed_is_the_same_with_probes_in_it,
          gradient_norms_are_those_of_the_update, norms_of_gradients_are_told_of_outputs_too,
          it_looks_at_every_so_many_updates_and_at_the_end, outputs_are_told_by_layer,
          normalized_outputs_have_mean_0_and_deviation_1,
          batches_of_sorted_data_are_drawn_from_all_of_it,
          an_update_without_momentum_is_the_rate_times_the_gradient,
          the_first_layer_has_no_layers_below_that_shift,
          samples_depend_on_each_other_where_a_batch_is_normalized_and_in_training_alone,
          running_statistics_begin_far_from_the_sets_and_come_nearer,
          the_top_eigenvalue_of_logistic_regression_is_that_of_its_formula,
          the_middle_of_the_surface_is_the_loss_of_the_batch,
          what_cannot_be_probed_is_told_before_anything_runs)
