/* A network's file: its parts, all mistakes in them at once, and what the trainer gets. */
#include <stdio.h>

#include "models/config.h"

#include "tests/models/model_test.h"

#define ALL (NM_NEED_DATA | NM_NEED_LOSS | NM_NEED_TRAIN)

static const char good[] = "model:\n"
                           "  - dense: {units: 8}\n"
                           "  - batch_norm\n"
                           "  - tanh\n"
                           "  - dense: {units: 3}\n"
                           "data:\n"
                           "  train: {spirals: {points: 90, classes: 3}}\n"
                           "  test: {spirals: {points: 30, classes: 3, seed: 1}}\n"
                           "  batch: 30\n"
                           "loss: cross_entropy\n"
                           "train:\n"
                           "  epochs: 2\n"
                           "  optimizer: {sgd: {rate: 0.1}}\n"
                           "  groups: [{match: \"*.bias\", rate: 2}]\n";

static nm_status open_text(nm_context *context, const char *text, unsigned needs,
                           const char *const *settings, int count, nm_config *config)
{
    test_write_file(test_path("net.yaml"), text, strlen(text));
    return nm_config_open(context, test_path("net.yaml"), settings, count, needs, config);
}

/* Asserts that the text is refused with this message, in which "net.yaml" stands for the path. */
static void refuse(const char *text, unsigned needs, const char *const *settings, int count,
                   nm_status status, const char *expected)
{
    nm_context *context = open_context(NULL);
    nm_config config;
    char message[4096] = "";
    ck_assert_int_eq(open_text(context, text, needs, settings, count, &config), status);
    const char *at = nm_context_error(context), *path = test_path("net.yaml");
    for (const char *hit; (hit = strstr(at, path)); at = hit + strlen(path)) {
        strncat(message, at, (size_t)(hit - at));
        strcat(message, "net.yaml");
    }
    strcat(message, at);
    ck_assert_str_eq(message, expected);
    ck_assert_ptr_null(config.model);
    nm_close(context);
}

START_TEST(a_file_holds_all_that_a_run_needs)
{
    nm_context *context = open_context(NULL);
    nm_config config;
    open_text(context, good, ALL, NULL, 0, &config);
    assert_fine(context);
    ck_assert_int_eq(config.data.train.count, 90);
    ck_assert_int_eq(config.data.test.count, 30);
    ck_assert_str_eq(config.loss.item->name, "cross_entropy");
    ck_assert_int_eq(config.train.group_count, 1);
    ck_assert(nm_shape_equal(nm_model_input(config.model), &NM_SHAPE(2)));
    nm_trainer_setup setup = nm_config_setup(&config);
    nm_trainer *trainer = nm_trainer_create(context, &setup);
    nm_train_result result;
    ck_assert_int_eq(nm_trainer_run(trainer, &result), NM_OK);
    ck_assert_int_eq(result.steps, 6);
    nm_trainer_destroy(trainer);
    nm_config_close(&config);
    nm_close(context);
}
END_TEST

START_TEST(settings_change_the_file)
{
    static const char *const settings[] = {"train.epochs=5", "model.0.dense.units=4",
                                           "data.batch=9", "train.seed=7"};
    nm_context *context = open_context(NULL);
    nm_config config;
    open_text(context, good, ALL, settings, 4, &config);
    assert_fine(context);
    ck_assert_int_eq(config.train.epochs, 5);
    ck_assert_int_eq(config.data.loader.batch, 9);
    ck_assert(nm_shape_equal(nm_tensor_shape(nm_store_at(nm_model_store(config.model), 0)->tensor),
                             &NM_SHAPE(4, 2)));
    nm_config_close(&config);
    nm_close(context);
    static const char *const wrong[] = {"train.epochs=x", "model.9=relu"};
    refuse(good, ALL, wrong, 1, NM_ERROR_INPUT,
           "--set:1:14: train: \"epochs\" must be an integer or auto, not \"x\"");
    refuse(good, ALL, wrong + 1, 1, NM_ERROR_INPUT,
           "--set:1:7: \"model\" is a list of 4, it has no item \"9\"; name one by its index: 0 "
           "(dense), 1 (batch_norm), 2 (tanh), 3 (dense)");
}
END_TEST

START_TEST(the_seed_of_the_run_is_that_of_the_parameters)
{
    static const char *const settings[] = {"train.seed=2"};
    nm_context *context = open_context(NULL);
    nm_config a, b, c;
    open_text(context, good, 0, NULL, 0, &a);
    open_text(context, good, 0, NULL, 0, &b);
    open_text(context, good, 0, settings, 1, &c);
    assert_fine(context);
    nm_tensor *x = nm_store_at(nm_model_store(a.model), 0)->tensor;
    ck_assert(same_bits(x, nm_store_at(nm_model_store(b.model), 0)->tensor));
    ck_assert(!same_bits(x, nm_store_at(nm_model_store(c.model), 0)->tensor));
    nm_config_close(&a);
    nm_config_close(&b);
    nm_config_close(&c);
    nm_config_close(&c); /* twice is fine */
    nm_close(context);
}
END_TEST

START_TEST(mistakes_in_all_parts_come_at_once)
{
    refuse(
        "model:\n"
        "  - dense: {units: 8, bais: true}\n"
        "  - rleu\n"
        "data:\n"
        "  train: {spiral: {points: 90}}\n"
        "  batch: 0\n"
        "loss: {cross_entropy: {label_smoothing: 2}}\n"
        "train:\n"
        "  epochs: some\n"
        "  optimizer: {sgd: {rate: -1, momentun: 0.9}}\n"
        "  groups: [{match: \"*\", rat: 2}]\n"
        "trian: {}\n",
        ALL, NULL, 0, NM_ERROR_INPUT,
        "net.yaml:12:1: the file: unknown option \"trian\"; did you mean \"train\"?\n"
        "net.yaml:2:23: dense: unknown option \"bais\"; did you mean \"bias\"?\n"
        "net.yaml:3:5: model: unknown layer \"rleu\"; did you mean \"relu\"?\n"
        "net.yaml:5:11: data: unknown data set \"spiral\"; did you mean \"spirals\"?\n"
        "net.yaml:6:10: data: \"batch\" must be at least 1 and at most 1e9 or auto, not 0\n"
        "net.yaml:7:41: cross_entropy: \"label_smoothing\" must be at least 0 and at most 1, not "
        "2\n"
        "net.yaml:9:11: train: \"epochs\" must be an integer or auto, not \"some\"\n"
        "net.yaml:10:27: sgd: \"rate\" must be above 0, not -1\n"
        "net.yaml:10:31: sgd: unknown option \"momentun\"; did you mean \"momentum\"?\n"
        "net.yaml:11:25: group: unknown option \"rat\"; did you mean \"rate\"?");
}
END_TEST

START_TEST(a_needed_part_that_is_missing_is_named)
{
    refuse("model: [relu]\ndata:\n", ALL, NULL, 0, NM_ERROR_INPUT,
           "net.yaml:1:1: the file has no part \"data\"; add it\n"
           "net.yaml:1:1: the file has no part \"loss\"; add it\n"
           "net.yaml:1:9: model: the shape of a sample is not known; write the model as {input: "
           "[28, 28, 1], layers: [...]}");
    refuse("", ALL, NULL, 0, NM_ERROR_INPUT,
           "net.yaml:1:1: the file has no part \"model\"; add it");
    refuse(
        "[1]", 0, NULL, 0, NM_ERROR_INPUT,
        "net.yaml:1:1: the file: expected a map of options, such as {model: ...}, not a list of 1 "
        "item");
}
END_TEST

START_TEST(what_is_not_needed_may_be_missing)
{
    nm_context *context = open_context(NULL);
    nm_config config;
    open_text(context, "model: {input: [4], layers: [dense: {units: 2}]}", 0, NULL, 0, &config);
    assert_fine(context);
    ck_assert_int_eq(nm_store_parameters(nm_model_store(config.model)), 10);
    ck_assert_ptr_null(config.loss.item);
    nm_config_close(&config);
    nm_close(context);
}
END_TEST

START_TEST(data_is_not_opened_where_the_model_says_the_shape)
{
    static const char text[] = "model: {input: [4], layers: [dense: {units: 2}]}\ndata: {train: "
                               "{npy: {x: none.npy}}}";
    nm_context *context = open_context(NULL);
    nm_config config;
    open_text(context, text, 0, NULL, 0, &config);
    assert_fine(context);
    nm_config_close(&config);
    nm_close(context);
}
END_TEST

START_TEST(a_missing_data_file_is_told_with_its_place)
{
    nm_context *context = open_context(NULL);
    nm_config config;
    const char *text = "model: [dense: {units: 2}]\ndata: {train: {npy: {x: none.npy}}}";
    ck_assert_int_eq(open_text(context, text, 0, NULL, 0, &config), NM_ERROR_IO);
    assert_error(context, NM_ERROR_IO, "net.yaml:2:15: train: npy: cannot read ");
    text = "model: [dense: {unit: 2}]\ndata: {train: {npy: {x: none.npy}}}";
    ck_assert_int_eq(open_text(context, text, 0, NULL, 0, &config), NM_ERROR_INPUT);
    ck_assert_ptr_nonnull(
        strstr(nm_context_error(context), "net.yaml:1:17: dense: unknown option"));
    assert_error(context, NM_ERROR_INPUT, "net.yaml:2:15: train: npy: cannot read ");
    ck_assert_int_eq(nm_config_open(context, test_path("none.yaml"), NULL, 0, 0, &config),
                     NM_ERROR_IO);
    nm_close(context);
}
END_TEST

START_TEST(a_loss_that_does_not_fit_is_found_before_training)
{
    static const char *const few[] = {"model.3.dense.units=2"}, *const mse[] = {"loss=mse"},
                             *const image[] = {
                                 "model.2={op: {apply: {reshape: {shape: [-1, 4, 2]}}}}"};
    refuse(good, ALL, few, 1, NM_ERROR_INPUT,
           "net.yaml:5:5: model: the data has 3 classes, and each takes an output, but the network "
           "ends with 2");
    refuse(good, ALL, mse, 1, NM_ERROR_INPUT,
           "--set:1:6: mse: it needs values to predict, but the data set has class labels; choose "
           "another loss or data set");
    nm_context *context = open_context(NULL);
    nm_config config;
    ck_assert_int_eq(open_text(context, good, ALL, image, 1, &config), NM_ERROR_INPUT);
    assert_error(context, NM_ERROR_INPUT,
                 "net.yaml:5:5: model: the network ends with [4, 3], but a sample has "
                 "one label; put flatten before dense (line 5)");
    nm_close(context);
}
END_TEST

START_TEST(metrics_that_do_not_fit_are_found_before_training)
{
    static const struct {
        const char *setting, *message;
    } rows[] = {
        {"train.metric=r2",
         "--set:1:14: train: the metric \"r2\" is for values, the loss \"cross_entropy\" for class "
         "labels; choose two that fit"},
        {"train.metric=[accuracy, {f1: {class: 3}}]",
         "--set:1:25: metric: \"class\" is 3, but the network has 3 outputs, so classes from 0 to "
         "2"},
        {"train.metric=[f1, top_k_accuracy]",
         "--set:1:19: top_k_accuracy: \"k\" is 5, but the network has 3 outputs, and each is among "
         "the 5 largest; give a k below 3, or use accuracy"},
        {"train.metric=[f1, f1]", "--set:1:15: train: the metric \"f1\" stands there twice"},
        {"train.metric=[f1, acuracy]",
         "--set:1:19: train: unknown metric \"acuracy\"; did you mean \"accuracy\"?"},
        {"train.metric=auc", /* which is not acc */
         "--set:1:14: train: unknown metric \"auc\"; there are accuracy, top_k_accuracy, "
         "expected_calibration_error, balanced_accuracy, precision, recall, f1, binary_accuracy, "
         "label_error_rate, sequence_accuracy, r2, mean_absolute_error, root_mean_squared_error"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        refuse(good, ALL, &rows[i].setting, 1, NM_ERROR_INPUT, rows[i].message);
    }
}
END_TEST

/* ---- Memory ---- */

static nm_status open_and_close(test_memory *memory)
{
    nm_context *context = open_context(memory);
    if (!context) {
        ck_assert_int_eq(memory->live, 0);
        return NM_ERROR_MEMORY;
    }
    nm_config config;
    nm_status status = nm_config_open(context, test_path("net.yaml"), NULL, 0, ALL, &config);
    if (status == NM_OK) {
        nm_config_close(&config);
    }
    test_context_end(context, memory);
    return status;
}

START_TEST(every_failing_allocation_is_reported_and_leaks_nothing)
{
    test_write_file(test_path("net.yaml"), good, strlen(good));
    test_every_allocation(open_and_close);
}
END_TEST

TEST_MAIN("models/config", a_file_holds_all_that_a_run_needs, settings_change_the_file,
          the_seed_of_the_run_is_that_of_the_parameters, mistakes_in_all_parts_come_at_once,
          a_needed_part_that_is_missing_is_named, what_is_not_needed_may_be_missing,
          data_is_not_opened_where_the_model_says_the_shape,
          a_missing_data_file_is_told_with_its_place,
          a_loss_that_does_not_fit_is_found_before_training,
          metrics_that_do_not_fit_are_found_before_training,
          every_failing_allocation_is_reported_and_leaks_nothing)
