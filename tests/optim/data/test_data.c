/* The `data` part: its options, what goes together, holding out, and normalization. */
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "optim/data/normalize.h"
#include "tests/optim/data/data_sets.h"

static nm_status open_yaml_data(nm_data *data, nm_ignored ignored, const char *yaml)
{
    nm_data_options options;
    nm_diagnostics d;
    *data = (nm_data){0};
    nm_document *document = nm_document_parse(context, yaml, SIZE_MAX, "net.yaml");
    nm_diagnostics_begin(&d, context);
    if (!document) {
        return nm_context_status(context);
    }
    nm_spec_read(&nm_data_spec, nm_document_root(document), "data", document, &d, &options);
    nm_status status = nm_diagnostics_end(&d);
    options.ignored = ignored;
    if (status == NM_OK) {
        status = nm_data_open(context, &options, data);
    }
    nm_document_destroy(document);
    return status;
}

static nm_status open_data(nm_data *data, const char *format, ...) NM_PRINTF(2, 3);
static nm_status open_data(nm_data *data, const char *format, ...)
{
    char yaml[1024];
    va_list list;
    va_start(list, format);
    vsnprintf(yaml, sizeof yaml, format, list);
    va_end(list);
    return open_yaml_data(data, (nm_ignored){0}, yaml);
}

static const char *write_csv(const char *name, const char *text)
{
    return write_file(name, text, strlen(text));
}

START_TEST(every_option_of_the_loader_stands_in_the_data_part)
{
    nm_data data;
    begin(NULL);
    open_data(&data, "{train: spirals, batch: 7, shuffle: false, last_batch: merge, mean: [1, 2], "
                     "deviation: 3, scale: 4, crop: 5, flip: true, shift: 6, prefetch: false}");
    assert_fine(context);
    const nm_loader_options *o = &data.loader;
    ck_assert(o->batch == 7 && !o->shuffle && o->last_batch == NM_SHORT_MERGE && o->crop == 5);
    ck_assert(o->mean.count == 2 && o->mean.at[1] == 2 && o->deviation.count == 1);
    ck_assert(o->deviation.at[0] == 3 && o->scale == 4 && o->flip && o->shift == 6 && !o->prefetch);
    nm_data_close(&data);
    open_data(&data, "train: spirals");
    assert_fine(context);
    ck_assert(data.loader.batch == 64 && data.loader.shuffle && data.loader.prefetch);
    ck_assert(data.test.count == 0 && data.validation.count == 0);
    nm_data_close(&data);
    nm_context_destroy(context);
}
END_TEST

START_TEST(errors_of_options_have_their_place)
{
    nm_data data;
    begin(NULL);
    open_data(&data, "train: spirals\nbacth: 3");
    assert_error(context, NM_ERROR_INPUT,
                 "net.yaml:2:1: data: unknown option \"bacth\"; did you mean \"batch\"?");
    open_data(&data, "test: spirals");
    assert_error(context, NM_ERROR_INPUT, "\"train\" is missing (the training set)");
    open_data(&data, "train: {spirals: {noise: -1}}");
    assert_error(context, NM_ERROR_INPUT, "net.yaml:1:26: spirals: \"noise\" must be at least 0");
    open_data(&data, "{train: spirals, validation: 1}");
    assert_error(context, NM_ERROR_INPUT, "validation: \"share\" must be at least 0 and below 1");
    open_data(&data, "{train: spirals, normalize: given}");
    assert_error(context, NM_ERROR_INPUT, "\"normalize\" is given, but nothing is: add \"mean\"");
    open_data(&data, "{train: spirals, normalize: auto, mean: 0.5}");
    assert_error(context, NM_ERROR_INPUT, "give the one or the others");
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_validation_set_is_held_out_and_the_limit_comes_first)
{
    nm_data data;
    begin(NULL);
    open_data(&data, "{train: {spirals: {points: 100}}, test: {spirals: {points: 30, seed: 1}}, "
                     "validation: 0.25, limit: 40}");
    assert_fine(context);
    ck_assert_int_eq(data.train.count, 30);
    ck_assert_int_eq(data.validation.count, 10);
    ck_assert_int_eq(data.test.count, 30);
    for (int64_t i = 0; i < 30; i++) {
        ck_assert_int_lt(data.train.rows[i], 40);
        for (int64_t j = 0; j < 10; j++) {
            ck_assert_int_ne(data.train.rows[i], data.validation.rows[j]);
        }
    }
    nm_data_close(&data);
    open_data(&data, "{train: {spirals: {points: 3}}, validation: 0.01}");
    assert_error(context, NM_ERROR_INPUT, "data: validation: a part of 0.01 of 3 samples");
    nm_context_destroy(context);
}
END_TEST

START_TEST(normalization_is_computed_from_the_training_part_alone)
{
    nm_data data;
    begin(NULL);
    const char *train = write_csv("train.csv", "1,10000.01,5,0\n3,9999.99,5,1\n");
    const char *test = write_csv("test.csv", "100,7,5,0\n");
    open_data(&data, "{train: {csv: {path: %s}}, test: {csv: {path: %s}}, normalize: auto}", train,
              test);
    assert_fine(context);
    const double *mean = data.loader.channel_mean, *deviation = data.loader.channel_deviation;
    ck_assert_double_eq(mean[0], 2);
    ck_assert_double_eq(deviation[0], 1);
    assert_near(mean[1], 1e4, 1e-9, 0);
    assert_near(deviation[1], 0.01, 0.05, 0); /* as far as f32 holds the samples */
    ck_assert_double_eq(mean[2], 5);
    ck_assert_double_eq(deviation[2], NM_NEVER_CHANGES);
    nm_data_close(&data);
    nm_context_destroy(context);
}
END_TEST

/* A number, a truth value and a text that only held-out rows have: their weights were never
 * trained, and would carry what is there into the outputs. */
START_TEST(what_never_changes_in_training_is_nothing_to_the_network_elsewhere)
{
    nm_data data;
    begin(NULL);
    const char *table =
        write_csv("never.csv", "x,never,flag,text,y\n"
                               "1,5,0,a,0\n2,5,0,b,1\n3,5,0,a,0\n4,5,0,b,1\n5,5e6,1,rare,1\n");
    const char *rows = write_csv("never-rows.csv", "4\n");
    open_data(&data,
              "{train: {csv: {path: %s, target: y, categories: text}}, "
              "validation: {indices: %s}}",
              table, rows);
    assert_fine(context);
    nm_loader *loader = nm_loader_create(context, &data.validation, &data.loader, false, 0);
    nm_batch batch;
    nm_loader_begin(loader, 0, 0);
    ck_assert_int_eq(nm_loader_next(loader, &batch), NM_OK);
    ck_assert_int_eq(nm_shape_count(&data.validation.shape), 6);
    assert_near(batch.x[0], 2.5 / sqrt(1.25), 1e-6, 0);
    for (int i = 1; i < 6; i++) {
        assert_near(batch.x[i], 0, 0, 1e-20);
    }
    nm_loader_destroy(loader);
    nm_data_close(&data);
    nm_context_destroy(context);
}
END_TEST

START_TEST(statistics_of_bytes_are_in_units_after_scaling)
{
    static const unsigned char images[] = {0, 0, 8, 3, 0, 0, 0, 2,  0,   0,
                                           0, 1, 0, 0, 0, 2, 0, 51, 102, 255};
    static const unsigned char labels[] = {0, 0, 8, 1, 0, 0, 0, 2, 0, 1};
    nm_data data;
    begin(NULL);
    open_data(&data, "{train: {idx: {images: %s, labels: %s}}, normalize: auto}",
              write_file("i", images, sizeof images), write_file("l", labels, sizeof labels));
    assert_fine(context);
    assert_near(data.loader.channel_mean[0], 0.4, 1e-12, 0);
    assert_near(data.loader.channel_deviation[0], sqrt((0.16 + 0.04 + 0 + 0.36) / 4), 1e-12, 0);
    nm_loader *loader = nm_loader_create(context, &data.train, &data.loader, false, 0);
    nm_batch batch;
    nm_loader_begin(loader, 0, 0);
    nm_loader_next(loader, &batch);
    double sum = 0, squares = 0;
    for (int i = 0; i < 4; i++) {
        sum += (double)batch.x[i];
        squares += (double)batch.x[i] * (double)batch.x[i];
    }
    assert_near(sum, 0, 0, 1e-6);
    assert_near(squares, 4, 1e-6, 0);
    nm_loader_destroy(loader);
    nm_data_close(&data);
    nm_context_destroy(context);
}
END_TEST

/* Bytes base, base and base + 1 in turn, in two channels of which one is constant. */
static void expect_moments_of_bytes(int64_t count, uint8_t base)
{
    nm_context *c = test_context(NULL);
    uint8_t *samples = malloc((size_t)count * 6);
    for (int64_t i = 0; i < count * 3; i++) {
        samples[2 * i] = (uint8_t)(base + (i % 3 == 2));
        samples[2 * i + 1] = base;
    }
    const nm_dataset set = {
        .context = c, .count = count, .shape = NM_SHAPE(3, 2), .dtype = NM_U8, .samples = samples};
    double mean[2], deviation[2];
    ck_assert_int_eq(nm_dataset_statistics(&set, 1, mean, deviation), NM_OK);
    assert_near(mean[0], base + 1.0 / 3, 1e-15, 0);
    assert_near(deviation[0], sqrt(2) / 3, 1e-15, 0);
    ck_assert_double_eq(mean[1], base);
    ck_assert_double_eq(deviation[1], 0);
    free(samples);
    nm_context_destroy(c);
}

START_TEST(statistics_of_many_bytes_are_exact)
{
    expect_moments_of_bytes(1, 0);
    expect_moments_of_bytes(1000, 254);
    expect_moments_of_bytes(200001, 254); /* beyond what 32 bits could sum */
}
END_TEST

START_TEST(statistics_do_not_depend_on_the_number_of_threads)
{
    enum { COUNT = 100, SIZE = 1000 };
    static float samples[COUNT * SIZE];
    double one[4], three[4];
    nm_context *c = test_context(NULL);
    for (int i = 0; i < COUNT * SIZE; i++) {
        samples[i] = (float)(1e4 + sin(i));
    }
    const nm_dataset set = {.context = c,
                            .count = COUNT,
                            .shape = NM_SHAPE(SIZE / 2, 2),
                            .dtype = NM_F32,
                            .samples = samples};
    nm_context_set_threads(c, 1);
    nm_dataset_statistics(&set, 1, one, one + 2);
    nm_context_set_threads(c, 3);
    nm_dataset_statistics(&set, 1, three, three + 2);
    ck_assert_mem_eq(one, three, sizeof one);
    assert_near(one[3], sqrt(0.5), 1e-3, 0);
    nm_context_destroy(c);
}
END_TEST

START_TEST(a_test_set_must_be_like_the_training_set)
{
    nm_data data;
    begin(NULL);
    const char *three = write_csv("three.csv", "1,2,0\n1,2,2\n");
    open_data(&data, "{train: {csv: {path: %s}}, test: spirals}", three);
    assert_fine(context);
    ck_assert_int_eq(data.test.classes, 3); /* though it has only two of them */
    nm_data_close(&data);
    open_data(&data, "{train: spirals, test: {csv: {path: %s}}}", three);
    assert_error(context, NM_ERROR_FORMAT, "sample 1 has label 2, but the 2 classes");
    const char *wide = write_csv("wide.csv", "1,2,3,0\n");
    open_data(&data, "{train: spirals, test: {csv: {path: %s}}}", wide);
    assert_error(context, NM_ERROR_INPUT, "wide.csv: 4 columns, but a sample has 2 elements");
    open_data(&data, "{train: spirals, test: {csv: {path: %s, targets: values}}}", three);
    assert_error(context, NM_ERROR_INPUT,
                 "the targets are values, but the network was trained on class labels");
    open_data(&data, "{train: {csv: {path: %s, target: none}}}", three);
    assert_error(context, NM_ERROR_INPUT, "the training set has no targets");
    open_data(&data, "{train: spirals, test: {csv: {path: nowhere.csv}}}");
    assert_error(context, NM_ERROR_IO, "test: csv: cannot read nowhere.csv");
    nm_context_destroy(context);
}
END_TEST

#define FASHION "/usr/share/datasets/fashion-mnist/"

/* Labels 5 are ignored. */
static void open_ignoring_five(nm_data *data, const char *train, const char *test)
{
    char yaml[2048];
    snprintf(yaml, sizeof yaml, "{train: {csv: {path: %s}}, test: {csv: {path: %s}}}",
             write_csv("train.csv", train), write_csv("test.csv", test));
    open_yaml_data(data, (nm_ignored){true, 5}, yaml);
}

START_TEST(a_set_of_ignored_samples_alone_is_an_error)
{
    nm_data data;
    begin(NULL);
    open_ignoring_five(&data, "1,0\n2,1\n3,5\n", "1,1\n2,5\n");
    assert_fine(context);
    ck_assert_int_eq(data.train.classes, 2);
    ck_assert_int_eq(data.test.classes, 2);
    nm_data_close(&data);
    open_ignoring_five(&data, "1,5\n2,5\n", "1,5\n");
    assert_error(context, NM_ERROR_INPUT,
                 "data: all 2 training samples have the label 5, which the loss ignores "
                 "(\"ignore_index\"): there is nothing to learn from");
    open_ignoring_five(&data, "1,0\n2,5\n", "1,5\n");
    assert_error(context, NM_ERROR_INPUT, "all 1 test samples have the label 5");
    nm_context_destroy(context);
}
END_TEST

START_TEST(fashion_mnist_has_its_published_mean_and_deviation)
{
    nm_data data;
    if (access(FASHION "t10k-labels-idx1-ubyte.gz", R_OK) != 0) {
        return; /* the Debian package dataset-fashion-mnist is not installed */
    }
    begin(NULL);
    open_data(&data,
              "{train: {idx: {images: " FASHION "train-images-idx3-ubyte.gz, labels: " FASHION
              "train-labels-idx1-ubyte.gz}}, test: {idx: {images: " FASHION
              "t10k-images-idx3-ubyte.gz, labels: " FASHION
              "t10k-labels-idx1-ubyte.gz}}, normalize: auto}");
    assert_fine(context);
    ck_assert_int_eq(data.train.count, 60000);
    ck_assert_int_eq(data.test.count, 10000);
    ck_assert_int_eq(data.train.classes, 10);
    ck_assert(nm_shape_equal(&data.train.shape, &NM_SHAPE(28, 28, 1)));
    assert_near(data.loader.channel_mean[0], 0.2860, 0, 5e-5);
    assert_near(data.loader.channel_deviation[0], 0.3530, 0, 5e-5);
    nm_data_close(&data);
    nm_context_destroy(context);
}
END_TEST

static nm_status open_all(test_memory *memory)
{
    nm_data data;
    begin(memory);
    if (!context) {
        return NM_ERROR_MEMORY;
    }
    open_data(&data,
              "{train: {spirals: {points: 20}}, test: {csv: {path: %s}}, validation: 0.2, "
              "normalize: auto}",
              test_path("test.csv"));
    nm_data_close(&data);
    nm_status status = nm_context_status(context);
    test_context_end(context, memory);
    return status;
}

START_TEST(every_failing_allocation_is_reported_and_leaks_nothing)
{
    write_csv("test.csv", "1,2,0\n");
    test_every_allocation(open_all);
}
END_TEST

TEST_MAIN("optim/data", every_option_of_the_loader_stands_in_the_data_part,
          errors_of_options_have_their_place,
          a_validation_set_is_held_out_and_the_limit_comes_first,
          normalization_is_computed_from_the_training_part_alone,
          what_never_changes_in_training_is_nothing_to_the_network_elsewhere,
          statistics_of_bytes_are_in_units_after_scaling, statistics_of_many_bytes_are_exact,
          statistics_do_not_depend_on_the_number_of_threads,
          a_test_set_must_be_like_the_training_set, a_set_of_ignored_samples_alone_is_an_error,
          fashion_mnist_has_its_published_mean_and_deviation,
          every_failing_allocation_is_reported_and_leaks_nothing)
