/* Steps done from lists and steps on the tape train the same, bit for bit. */
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>

#include "models/config.h"
#include "optim/learn.h"

#include "tests/models/model_test.h"

#define ALL (NM_NEED_DATA | NM_NEED_LOSS | NM_NEED_TRAIN)
#define MOST 16 /* settings */

typedef struct run {
    nm_context *context;
    nm_config config;
    nm_trainer *trainer;
    nm_train_result result;
} run;

/* Of the file, with settings up to NULL and `plan`. */
static run train_file(const char *path, const char *const *settings, bool plan)
{
    const char *all[MOST] = {plan ? "train.plan=true" : "train.plan=false"};
    int count = 1;
    for (; settings[count - 1]; count++) {
        all[count] = settings[count - 1];
    }
    run r = {.context = open_context(NULL)};
    nm_config_open(r.context, path, all, count, ALL, &r.config);
    assert_fine(r.context);
    nm_trainer_setup setup = nm_config_setup(&r.config);
    r.trainer = nm_trainer_create(r.context, &setup);
    nm_trainer_run(r.trainer, &r.result);
    assert_fine(r.context);
    return r;
}

static void end_run(run *r)
{
    nm_trainer_destroy(r->trainer);
    nm_config_close(&r->config);
    nm_close(r->context);
}

static void assert_same_stores(const nm_store *a, const nm_store *b, const char *of)
{
    ck_assert_int_eq(nm_store_count(a), nm_store_count(b));
    for (int i = 0; i < nm_store_count(a); i++) {
        const nm_entry *x = nm_store_at(a, i), *y = nm_store_at(b, i);
        ck_assert_msg(same_bits(x->tensor, y->tensor), "%s: %s differs", of, x->name);
    }
}

static void assert_same_runs(const run *a, const run *b, const char *of)
{
    assert_same_stores(nm_model_store(a->config.model), nm_model_store(b->config.model), of);
    assert_same_stores(nm_optimizer_state(nm_trainer_optimizer(a->trainer)),
                       nm_optimizer_state(nm_trainer_optimizer(b->trainer)), of);
    ck_assert_msg(memcmp(&a->result.train_loss, &b->result.train_loss, sizeof(double)) == 0,
                  "%s: the loss is %.17g and %.17g", of, a->result.train_loss,
                  b->result.train_loss);
}

static void compare_file(const char *path, const char *const *settings)
{
    run planned = train_file(path, settings, true), plain = train_file(path, settings, false);
    assert_same_runs(&planned, &plain, path);
    end_run(&plain);
    end_run(&planned);
}

/* ---- The zoo ---- */

static bool has_vectors(const char *path)
{
    return strstr(path, "spirals") != NULL;
}

static void compare_zoo(const char *path)
{
    const char *image = strstr(path, "resnet20")
                            ? "data.train={waves: {samples: 22, shape: [32, 32, 3]}}"
                            : "data.train={waves: {samples: 22, shape: [28, 28, 1]}}";
    const char *settings[] = {has_vectors(path) ? "data.train.spirals.points=22" : image,
                              "data.test=null",
                              "data.batch=4",
                              "data.last_batch=keep",
                              "train.epochs=2",
                              "train.steps=0",
                              NULL};
    compare_file(path, settings);
}

START_TEST(networks_of_the_zoo_train_the_same)
{
    glob_t files;
    char pattern[512];
    const char *source = getenv("NORMA_SOURCE");
    snprintf(pattern, sizeof pattern, "%s/models/zoo/*.yaml", source ? source : ".");
    ck_assert_int_eq(glob(pattern, 0, NULL, &files), 0);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        compare_zoo(files.gl_pathv[i]);
    }
    globfree(&files);
}
END_TEST

/* ---- What a run may ask for ---- */

#define DATA                                                                                       \
    "data: {train: {spirals: {points: 46, noise: 0.1}}, batch: 8, last_batch: keep}\n"             \
    "loss: cross_entropy\n"
#define SGD "optimizer: {sgd: {rate: 0.1, momentum: 0.9, weight_decay: 0.01}}"
#define TRAIN(...) "train: {epochs: 4, " SGD ", " #__VA_ARGS__ "}\n"
#define PLAIN                                                                                      \
    "model: [{dense: {units: 16}}, relu, {dense: {units: 8}}, tanh, {dense: {units: 2}}]\n"

static void compare(const char *text)
{
    const char *settings[] = {NULL};
    test_write_file(test_path("net.yaml"), text, strlen(text));
    compare_file(test_path("net.yaml"), settings);
}

START_TEST(layers_with_numbers_of_their_own_train_the_same)
{
    compare("model: [{dense: {units: 16}}, {dropout: {p: 0.3}}, relu, {dropout: {p: 0.1}},"
            " {dense: {units: 2}}]\n" DATA TRAIN(seed : 4));
    compare(
        "model: [{dense: {units: 16}}, batch_norm, relu, {dense: {units: 8}},"
        " {batch_norm: {average: cumulative}}, gelu, {dense: {units: 2}}]\n" DATA TRAIN(seed : 4));
    compare("model: [{dense: {units: 16, weight_norm: {axis: 0, init: data}}}, sigmoid,"
            " {residual: {body: [{dense: {units: 16, weight_norm: {axis: 0}}}, leaky_relu]}},"
            " {dense: {units: 2}}]\n" DATA TRAIN(seed : 4));
    compare("model: [{dense: {units: 16, bias: false}}, {batch_norm: {frozen: true}}, relu,"
            " {dense: {units: 2}}]\n" DATA TRAIN(seed : 4));
}
END_TEST

START_TEST(gradients_added_and_clipped_train_the_same)
{
    compare(PLAIN DATA TRAIN(accumulate : 3));
    compare(PLAIN DATA TRAIN(accumulate : 2, clip_norm : 0.5));
    compare(PLAIN DATA TRAIN(clip_norm : 0.1));
    compare(PLAIN DATA TRAIN(clip_value : 0.01));
}
END_TEST

START_TEST(rates_and_frozen_parameters_train_the_same)
{
    compare(PLAIN DATA TRAIN(schedule : cosine, warmup : {steps : 5}));
    compare(PLAIN DATA TRAIN(groups : [ {match : "dense1.*", frozen : true} ]));
    compare(PLAIN DATA TRAIN(groups
                             : [ {match : "*.bias", frozen : true}, {match : "*", rate : 2} ]));
    compare(PLAIN DATA
            "train: {epochs: 4, optimizer: {sgd: {rate: 0.1, momentum: 0.9, nesterov: true}}}\n");
    compare(PLAIN DATA "train: {epochs: 4, optimizer: {sgd: {rate: 0.1}}}\n");
}
END_TEST

START_TEST(losses_train_the_same)
{
#define VALUES "data: {train: {waves: {samples: 46, shape: [4]}}, batch: 8, last_batch: keep}\n"
    static const char *const losses[] = {
        "cross_entropy: {label_smoothing: 0.2}", "cross_entropy: {ignore_index: 1}",
        "cross_entropy: {weight: [0.3, 2]}", "cross_entropy: {weight: balanced}"};
    char text[1024];
    for (int i = 0; i < NM_COUNT_OF(losses); i++) {
        snprintf(text, sizeof text,
                 PLAIN "data: {train: {spirals: {points: 46}}, batch: 8}\nloss: {%s}\n"
                       "train: {epochs: 3, accumulate: 2, " SGD "}\n",
                 losses[i]);
        compare(text);
    }
}
END_TEST

START_TEST(anomaly_mode_and_layers_apart_stay_with_the_tape)
{
    compare(PLAIN DATA TRAIN(anomaly : true));
    compare("model: {fuse: false, layers: [{dense: {units: 4}}, relu, {dense: {units: 2}}]}\n" DATA
                TRAIN(seed : 2));
}
END_TEST

TEST_MAIN("models/steps", networks_of_the_zoo_train_the_same,
          layers_with_numbers_of_their_own_train_the_same,
          gradients_added_and_clipped_train_the_same, rates_and_frozen_parameters_train_the_same,
          losses_train_the_same, anomaly_mode_and_layers_apart_stay_with_the_tape)
