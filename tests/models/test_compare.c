/* What two configurations differ in. */
#include "models/compare.h"

#include <stdio.h>

#include "tests/models/model_test.h"

#define DATA "data: {train: {spirals: {points: 90}}, batch: 30}\n"
#define TRAIN "train: {epochs: 2, optimizer: {sgd: {rate: 0.1}}}\n"
#define MODEL "model: [dense: {units: 8}, relu, residual: {body: [dense: {units: 8}]}]\n"
#define LOSS "loss: cross_entropy\n"

static char told[2048];

static void note(void *user, const nm_difference *d)
{
    size_t length = strlen(told);
    ck_assert_ptr_eq(user, told);
    snprintf(told + length, sizeof told - length, "%s%s: %s -> %s%s", length ? "; " : "", d->path,
             d->before, d->now, d->is_path ? " (file)" : "");
}

static nm_status compare(nm_context *context, const char *before, const char *now)
{
    nm_document *a = nm_document_parse(context, before, SIZE_MAX, "before");
    nm_document *b = nm_document_parse(context, now, SIZE_MAX, "now");
    assert_fine(context);
    told[0] = 0;
    nm_status status = nm_config_compare(context, a, b, note, told);
    nm_document_destroy(a);
    nm_document_destroy(b);
    return status;
}

static void differ(const char *before, const char *now, const char *expected)
{
    nm_context *context = open_context(NULL);
    compare(context, before, now);
    assert_fine(context);
    ck_assert_str_eq(told, expected);
    nm_close(context);
}

START_TEST(what_means_the_same_does_not_differ)
{
    static const char *const alike[] = {
        MODEL DATA LOSS TRAIN,
        "# comments\n" TRAIN LOSS DATA MODEL,
        "model: {layers: [dense: {units: 8, bias: yes}, relu: {}, residual: {shortcut: ~, body: "
        "[{dense: {units: 8.0}}]}]}\n"
        "data: {batch: 3e1, train: {spirals: {points: 90, seed: 0}}, test: ~, limit: 0}\n"
        "loss: {cross_entropy: {}}\n"
        "train: {optimizer: {sgd: {momentum: 0, rate: 1e-1}}, schedule: constant, epochs: 2}\n",
    };
    for (int i = 0; i < NM_COUNT_OF(alike); i++) {
        for (int k = 0; k < NM_COUNT_OF(alike); k++) {
            differ(alike[i], alike[k], "");
        }
    }
}
END_TEST

START_TEST(each_option_that_differs_is_told_by_its_path)
{
    differ(MODEL DATA LOSS TRAIN,
           MODEL DATA LOSS "train: {epochs: 3, schedule: cosine, optimizer: {sgd: {rate: 0.2, "
                           "nesterov: true, momentum: 0.9}}}\n",
           "train.epochs: 2 -> 3; train.optimizer.sgd.rate: 0.1 -> 0.2; "
           "train.optimizer.sgd.momentum: 0 -> 0.9; train.optimizer.sgd.nesterov: false -> true; "
           "train.schedule: constant -> cosine");
    differ(MODEL DATA LOSS TRAIN, MODEL DATA "loss: mse\n" TRAIN, "loss: cross_entropy -> mse");
    differ(MODEL DATA LOSS TRAIN,
           MODEL "data: {train: {waves: {samples: 90}}, batch: 30, normalize: auto}\n" LOSS TRAIN,
           "data.train: spirals -> waves; data.normalize: default -> auto");
    differ(MODEL "data: {train: {csv: {path: a.csv}}}\n" LOSS TRAIN,
           MODEL "data: {train: {csv: {path: b.csv, target: x}}}\n" LOSS TRAIN,
           "data.train.csv.path: a.csv -> b.csv (file); data.train.csv.target: none -> [x]");
    differ(MODEL DATA LOSS TRAIN,
           MODEL DATA LOSS "train: {epochs: 2, optimizer: {sgd: {rate: 0.1}}, groups: [{match: "
                           "\"*.bias\", rate: 2}], early_stopping: {patience: 3}}\n",
           "train.groups: none -> [{match: \"*.bias\", rate: 2}]; "
           "train.early_stopping.patience: 0 -> 3");
}
END_TEST

START_TEST(layers_are_compared_one_by_one)
{
    differ(MODEL DATA LOSS TRAIN,
           "model: [dense: {units: 5}, tanh, residual: {body: [dense: {units: 8, bias: "
           "false}]}]\n" DATA LOSS TRAIN,
           "model.0.dense.units: 8 -> 5; model.1: relu -> tanh; "
           "model.2.residual.body.0.dense.bias: true -> false");
    differ(MODEL DATA LOSS TRAIN, "model: [dense: {units: 8}, batch_norm, relu]\n" DATA LOSS TRAIN,
           "model.1: relu -> batch_norm; model.2: residual -> relu");
    differ("model: [dense: {units: 8}, relu]\n" DATA LOSS TRAIN,
           "model: [dense: {units: 8}, relu, dropout]\n" DATA LOSS TRAIN,
           "model.2: none -> dropout");
    differ("model: {input: [2], layers: [relu]}\n",
           "model: {input: [3], fuse: no, layers: [relu]}\n",
           "model.input: [2] -> [3]; model.fuse: true -> false");
}
END_TEST

#define SGD "optimizer: {sgd: {rate: 0.1}}"
#define METRIC(list) MODEL DATA LOSS "train: {epochs: 2, " SGD ", metric: " list "}\n"
#define WEIGHT(list) MODEL DATA "loss: {cross_entropy: {weight: " list "}}\n" TRAIN

START_TEST(lists_are_compared_by_length_and_one_by_one)
{
    differ(METRIC("accuracy"), METRIC("[accuracy]"), "");
    differ(METRIC("accuracy"), METRIC("f1"), "train.metric: accuracy -> f1");
    differ(METRIC("[accuracy, f1]"), METRIC("[accuracy]"),
           "train.metric: [accuracy, f1] -> [accuracy]");
    differ(METRIC("[accuracy, f1]"), METRIC("[accuracy, recall]"), "train.metric.1: f1 -> recall");
    differ(WEIGHT("[1, 2]"), WEIGHT("[1, 2.0]"), "");
    differ(WEIGHT("[1, 2]"), WEIGHT("[1, 3]"), "loss.cross_entropy.weight: [1, 2] -> [1, 3]");
    differ(WEIGHT("[1, 2]"), WEIGHT("balanced"), "loss.cross_entropy.weight: [1, 2] -> balanced");
    differ(WEIGHT("[1, 2]"), WEIGHT("[1, 2, 3]"), "loss.cross_entropy.weight: [1, 2] -> [1, 2, 3]");
}
END_TEST

START_TEST(what_is_long_is_told_shortened)
{
    static char before[2048], now[2048];
    for (int i = 0; i < 2; i++) {
        char *to = i ? now : before;
        strcpy(to, "model: [dense: {units: 8}]\n" LOSS TRAIN
                   "data: {train: {csv: {path: a.csv, ignore: [");
        for (int k = 0; k < 150; k++) {
            sprintf(to + strlen(to), "%s%d", k ? ", " : "", k + i);
        }
        strcat(to, "]}}}\n");
    }
    nm_context *context = open_context(NULL);
    compare(context, before, now);
    assert_fine(context);
    ck_assert_msg(strstr(told, "data.train.csv.ignore: ") == told &&
                      strstr(told, "... -> [") != NULL,
                  "%s", told);
    ck_assert_uint_lt(strlen(told), 500);
    nm_close(context);
}
END_TEST

START_TEST(parts_that_are_missing_differ)
{
    differ(MODEL DATA LOSS TRAIN, MODEL DATA TRAIN, "loss: cross_entropy -> none");
    differ(MODEL, MODEL TRAIN, "train: none -> {epochs: 2, optimizer: {sgd: {rate: 0.1}}}");
}
END_TEST

START_TEST(what_cannot_be_understood_is_an_error)
{
    nm_context *context = open_context(NULL);
    compare(context, MODEL "train: {epochs: many}\n", MODEL TRAIN);
    assert_error(context, NM_ERROR_INPUT, "before:2:17: train: \"epochs\" must be an integer");
    compare(context, "model: [relo, 3]\n", MODEL);
    compare(context, "3", MODEL);
    nm_context_clear_error(context);
    nm_close(context);
}
END_TEST

static nm_status compare_a_little(test_memory *memory)
{
    nm_context *context = open_context(memory);
    if (!context) {
        return NM_ERROR_MEMORY;
    }
    nm_document *a = nm_document_parse(context, MODEL DATA LOSS TRAIN, SIZE_MAX, "");
    nm_document *b = nm_document_parse(
        context, "model: [relu]\ntrain: {epochs: 1, optimizer: sgd}\n", SIZE_MAX, "");
    told[0] = 0;
    if (a && b) {
        nm_config_compare(context, a, b, note, told);
    }
    nm_document_destroy(a);
    nm_document_destroy(b);
    nm_status status = nm_context_status(context);
    bool memory_ran_out = status == NM_ERROR_MEMORY;
    nm_close(context);
    return memory_ran_out ? status : NM_OK;
}

START_TEST(every_failing_allocation_is_an_error_without_a_leak)
{
    test_every_allocation(compare_a_little);
}
END_TEST

TEST_MAIN("models/compare", what_means_the_same_does_not_differ,
          each_option_that_differs_is_told_by_its_path, layers_are_compared_one_by_one,
          lists_are_compared_by_length_and_one_by_one, what_is_long_is_told_shortened,
          parts_that_are_missing_differ, what_cannot_be_understood_is_an_error,
          every_failing_allocation_is_an_error_without_a_leak)
