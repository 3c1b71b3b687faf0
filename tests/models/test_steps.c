/* Steps done from lists and steps on the tape train the same, bit for bit. */
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/models/same_runs.h"

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

START_TEST(layers_with_numbers_of_their_own_train_the_same)
{
    compare_text("model: [{dense: {units: 16}}, {dropout: {p: 0.3}}, relu, {dropout: {p: 0.1}},"
                 " {dense: {units: 2}}]\n" DATA TRAIN(seed : 4));
    compare_text(
        "model: [{dense: {units: 16}}, batch_norm, relu, {dense: {units: 8}},"
        " {batch_norm: {average: cumulative}}, gelu, {dense: {units: 2}}]\n" DATA TRAIN(seed : 4));
    compare_text("model: [{dense: {units: 16, weight_norm: {axis: 0, init: data}}}, sigmoid,"
                 " {residual: {body: [{dense: {units: 16, weight_norm: {axis: 0}}}, leaky_relu]}},"
                 " {dense: {units: 2}}]\n" DATA TRAIN(seed : 4));
    compare_text("model: [{dense: {units: 16, bias: false}}, {batch_norm: {frozen: true}}, relu,"
                 " {dense: {units: 2}}]\n" DATA TRAIN(seed : 4));
}
END_TEST

START_TEST(gradients_added_and_clipped_train_the_same)
{
    compare_text(PLAIN DATA TRAIN(accumulate : 3));
    compare_text(PLAIN DATA TRAIN(accumulate : 2, clip_norm : 0.5));
    compare_text(PLAIN DATA TRAIN(clip_norm : 0.1));
    compare_text(PLAIN DATA TRAIN(clip_value : 0.01));
}
END_TEST

START_TEST(rates_and_frozen_parameters_train_the_same)
{
    compare_text(PLAIN DATA TRAIN(schedule : cosine, warmup : {steps : 5}));
    compare_text(PLAIN DATA TRAIN(groups : [ {match : "dense1.*", frozen : true} ]));
    compare_text(PLAIN DATA TRAIN(groups
                                  :
                                  [ {match : "*.bias", frozen : true}, {match : "*", rate : 2} ]));
    compare_text(
        PLAIN DATA
        "train: {epochs: 4, optimizer: {sgd: {rate: 0.1, momentum: 0.9, nesterov: true}}}\n");
    compare_text(PLAIN DATA "train: {epochs: 4, optimizer: {sgd: {rate: 0.1}}}\n");
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
        compare_text(text);
    }
}
END_TEST

START_TEST(anomaly_mode_and_layers_apart_stay_with_the_tape)
{
    compare_text(PLAIN DATA TRAIN(anomaly : true));
    compare_text(
        "model: {fuse: false, layers: [{dense: {units: 4}}, relu, {dense: {units: 2}}]}\n" DATA
            TRAIN(seed : 2));
}
END_TEST

TEST_MAIN("models/steps", networks_of_the_zoo_train_the_same,
          layers_with_numbers_of_their_own_train_the_same,
          gradients_added_and_clipped_train_the_same, rates_and_frozen_parameters_train_the_same,
          losses_train_the_same, anomaly_mode_and_layers_apart_stay_with_the_tape)
