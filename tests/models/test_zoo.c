/* The files of the zoo. */
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "models/config.h"

#include "tests/models/model_test.h"

#define ALL (NM_NEED_DATA | NM_NEED_LOSS | NM_NEED_TRAIN)

static const char *zoo(const char *name)
{
    static char path[512];
    const char *source = getenv("NORMA_SOURCE");
    snprintf(path, sizeof path, "%s/models/zoo/%s", source ? source : ".", name);
    return path;
}

static bool has_fashion_mnist(void)
{
    return access("/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz", R_OK) == 0;
}

/* What the networks are: the sizes, parameter by parameter. */
static const struct {
    const char *file;
    nm_shape sample;
    int64_t classes, parameters;
} networks[] = {
    {"fashion_mnist_mlp_bn.yaml",
     {3, {28, 28, 1}},
     10,
     784 * 512 + 2 * 512 + 512 * 256 + 2 * 256 + 256 * 10 + 10},
    {"fashion_mnist_mlp_wn.yaml",
     {3, {28, 28, 1}},
     10,
     784 * 512 + 2 * 512 + 512 * 256 + 2 * 256 + 256 * 10 + 2 * 10},
    {"fashion_mnist_bn_paper.yaml",
     {3, {28, 28, 1}},
     10,
     784 * 100 + 2 * 100 * 100 + 3 * 200 + 100 * 10 + 10},
    {"fashion_mnist_cnn_bn.yaml",
     {3, {28, 28, 1}},
     10,
     9 * 32 + 2 * 32 + 9 * 32 * 64 + 2 * 64 + 7 * 7 * 64 * 10 + 10},
    {"fashion_mnist_cnn_wn.yaml",
     {3, {28, 28, 1}},
     10,
     9 * 32 + 2 * 32 + 9 * 32 * 64 + 2 * 64 + 7 * 7 * 64 * 10 + 2 * 10},
    {"fashion_mnist_fast.yaml",
     {3, {28, 28, 1}},
     10,
     9 * 16 + 2 * 16 + 9 * 16 * 32 + 2 * 32 + 7 * 7 * 32 * 10 + 10},
    {"fashion_mnist_resnet.yaml",
     {3, {28, 28, 1}},
     10,
     9 * 32 + 2 * 32 + 9 * 32 * 64 + 2 * 64 + 2 * (9 * 64 * 64 + 2 * 64) + 9 * 64 * 128 + 2 * 128 +
         2 * (9 * 128 * 128 + 2 * 128) + 128 * 10 + 10},
    {"resnet20.yaml",
     {3, {32, 32, 3}},
     10,
     9 * 3 * 16 + 2 * 16 + 3 * (2 * 9 * 16 * 16 + 4 * 16) +
         (9 * 16 * 32 + 9 * 32 * 32 + 16 * 32 + 6 * 32) + 2 * (2 * 9 * 32 * 32 + 4 * 32) +
         (9 * 32 * 64 + 9 * 64 * 64 + 32 * 64 + 6 * 64) + 2 * (2 * 9 * 64 * 64 + 4 * 64) + 64 * 10 +
         10},
    {"spirals.yaml", {1, {2}}, 2, 2 * 64 + 2 * 64 + 64 * 64 + 2 * 64 + 64 * 2 + 2},
};

START_TEST(every_file_of_the_zoo_is_known_here)
{
    DIR *folder = opendir(zoo(""));
    ck_assert_ptr_nonnull(folder);
    for (struct dirent *entry; (entry = readdir(folder));) {
        int found = entry->d_name[0] == '.';
        for (int i = 0; i < NM_COUNT_OF(networks); i++) {
            found += !strcmp(networks[i].file, entry->d_name);
        }
        ck_assert_msg(found, "%s is not tested", entry->d_name);
    }
    closedir(folder);
}
END_TEST

START_TEST(the_networks_are_of_the_size_their_names_say)
{
    nm_context *context = open_context(NULL);
    for (int i = 0; i < NM_COUNT_OF(networks); i++) {
        nm_model *model = nm_model_open(context, zoo(networks[i].file), &networks[i].sample);
        assert_fine(context);
        ck_assert_int_eq(nm_model_total(model).parameters, networks[i].parameters);
        ck_assert(nm_shape_equal(nm_model_output(model), &NM_SHAPE(networks[i].classes)));
        nm_model_destroy(model);
    }
    nm_close(context);
}
END_TEST

/* Runs a few updates on a part of the data. Returns the training loss. */
static double train_shortly(const char *file, const char *const *settings, int count)
{
    nm_context *context = open_context(NULL);
    nm_config config;
    nm_train_result result;
    nm_config_open(context, zoo(file), settings, count, ALL, &config);
    assert_fine(context);
    nm_trainer_setup setup = nm_config_setup(&config);
    nm_trainer *trainer = nm_trainer_create(context, &setup);
    nm_trainer_run(trainer, &result);
    assert_fine(context);
    nm_trainer_destroy(trainer);
    nm_config_close(&config);
    nm_close(context);
    return result.train_loss;
}

START_TEST(the_image_networks_learn)
{
    static const char *const settings[] = {
        "data.limit=150",          "data.batch=30",
        "train.epochs=4",          "train.steps=0",
        "train.schedule=constant", "train.optimizer={sgd: {rate: 0.02, momentum: 0.9}}"};
    for (int i = 0; i < NM_COUNT_OF(networks); i++) {
        if (strstr(networks[i].file, "fashion") && has_fashion_mnist()) {
            double loss = train_shortly(networks[i].file, settings, NM_COUNT_OF(settings));
            ck_assert_msg(loss < 0.9 * log(10), "%s: loss %g", networks[i].file, loss);
        }
    }
}
END_TEST

/* Twenty steps are enough where there is little noise. */
START_TEST(the_residual_network_learns)
{
    static const char *const settings[] = {"data.train.waves.noise=0.2",
                                           "data.train.waves.samples=150",
                                           "data.test.waves.samples=10",
                                           "data.crop=0",
                                           "data.batch=30",
                                           "train.epochs=4",
                                           "train.schedule=constant",
                                           "train.optimizer={sgd: {rate: 0.02, momentum: 0.9}}"};
    double loss = train_shortly("resnet20.yaml", settings, NM_COUNT_OF(settings));
    ck_assert_msg(loss < 0.5 * log(10), "loss %g", loss);
}
END_TEST

START_TEST(the_spirals_are_told_apart)
{
    nm_context *context = open_context(NULL);
    nm_config config;
    nm_train_result result;
    nm_config_open(context, zoo("spirals.yaml"), NULL, 0, ALL, &config);
    assert_fine(context);
    nm_trainer_setup setup = nm_config_setup(&config);
    nm_trainer *trainer = nm_trainer_create(context, &setup);
    nm_trainer_run(trainer, &result);
    assert_fine(context);
    ck_assert_msg(result.test_accuracy > 0.97, "%g", result.test_accuracy);
    nm_trainer_destroy(trainer);
    nm_config_close(&config);
    nm_close(context);
}
END_TEST

TEST_MAIN("models/zoo", every_file_of_the_zoo_is_known_here,
          the_networks_are_of_the_size_their_names_say, the_image_networks_learn,
          the_residual_network_learns, the_spirals_are_told_apart)
