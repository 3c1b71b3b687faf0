/* Metrics by hand-made outputs. */
#include "core/op.h"
#include "optim/metric.h"

#include <math.h>
#include <string.h>

#include "optim/optim.h"
#include "tests/test.h"

static nm_context *context;

static void begin(void)
{
    context = test_context(NULL);
    nm_register_metrics(context);
}

static nm_metric metric_named(const char *name, const void *options)
{
    nm_metric metric;
    const nm_metric_type *type = (const nm_metric_type *)nm_require(context, NM_KIND_METRIC, name);
    ck_assert_int_eq(nm_metric_begin(&metric, context, type, options), NM_OK);
    return metric;
}

static nm_batch label_batch(int32_t *labels, int64_t count)
{
    return (nm_batch){
        .count = count, .target_shape = NM_SHAPE(count), .target_dtype = NM_I32, .targets = labels};
}

static nm_batch value_batch(float *values, int64_t count, int64_t width)
{
    return (nm_batch){.count = count,
                      .target_shape = NM_SHAPE(count, width),
                      .target_dtype = NM_F32,
                      .targets = values};
}

static nm_status add(nm_metric *metric, nm_shape shape, const float *outputs, nm_batch batch)
{
    nm_tensor *tensor = nm_tensor_copy_of(context, NM_F32, shape, outputs);
    nm_status status = nm_metric_add(metric, tensor, &batch);
    nm_tensor_destroy(tensor);
    return status;
}

START_TEST(accuracy_counts_over_batches_of_different_sizes)
{
    begin();
    nm_metric metric = metric_named("accuracy", NULL);
    ck_assert(isnan(nm_metric_value(&metric)));
    float three[] = {1, 2, 3, 9, 8, 7, -1, -3, -2};
    add(&metric, NM_SHAPE(3, 3), three, label_batch((int32_t[]){2, 1, 0}, 3));
    ck_assert_double_eq(nm_metric_value(&metric), 2.0 / 3);
    add(&metric, NM_SHAPE(1, 3), three, label_batch((int32_t[]){0}, 1));
    ck_assert_double_eq(nm_metric_value(&metric), 0.5);
    ck_assert_int_eq(metric.state.samples, 4);
    assert_fine(context);
    nm_metric_end(&metric);
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_loop_by_hand_counts_as_the_metric_does)
{
    begin();
    const float scores[] = {1, 2, 3, 9, 8, 7, 5, 5, 2, (float)NAN, 0, 0};
    const int32_t right[] = {2, 1, 0, 0};
    nm_tensor *y = nm_tensor_copy_of(context, NM_F32, NM_SHAPE(4, 3), scores);
    nm_tensor *labels = nm_tensor_copy_of(context, NM_I32, NM_SHAPE(4), right);
    ck_assert_double_eq(nm_accuracy(y, labels), 0.5); /* the first and, of equal ones, the third */
    nm_tensor_set(labels, 3, -100);                   /* as the loss ignores it */
    ck_assert_double_eq(nm_accuracy(y, labels), 2.0 / 3);
    nm_tensor_set(labels, 2, 3);
    ck_assert(isnan(nm_accuracy(y, labels)));
    assert_error(context, NM_ERROR_INPUT, "nm_accuracy: label 3 in row 2 is out of range");
    nm_context_clear_error(context);
    nm_tensor_fill(labels, -100);
    ck_assert(isnan(nm_accuracy(y, labels)));
    assert_error(context, NM_ERROR_INPUT, "nm_accuracy: no row counts");
    nm_context_clear_error(context);
    ck_assert(isnan(nm_accuracy(labels, labels)));
    assert_error(context, NM_ERROR_INPUT, "it takes [count, classes] and i32 [count]");
    ck_assert(isnan(nm_accuracy(y, NULL)));
    nm_tensor_destroy(labels);
    nm_tensor_destroy(y);
    nm_context_destroy(context);
}
END_TEST

START_TEST(of_equal_outputs_the_first_counts)
{
    begin();
    nm_metric metric = metric_named("accuracy", NULL);
    add(&metric, NM_SHAPE(1, 3), (float[]){5, 5, 5}, label_batch((int32_t[]){0}, 1));
    ck_assert_double_eq(nm_metric_value(&metric), 1);
    add(&metric, NM_SHAPE(1, 3), (float[]){5, 5, 5}, label_batch((int32_t[]){1}, 1));
    ck_assert_double_eq(nm_metric_value(&metric), 0.5); /* a network of zeros is not perfect */
    nm_metric_end(&metric);
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_row_with_a_nan_is_wrong)
{
    begin();
    nm_metric metric = metric_named("accuracy", NULL);
    for (int32_t label = 0; label < 3; label++) {
        add(&metric, NM_SHAPE(1, 3), (float[]){1, NAN, 2}, label_batch(&label, 1));
    }
    ck_assert_double_eq(nm_metric_value(&metric), 0);
    nm_metric_end(&metric);
    nm_context_destroy(context);
}
END_TEST

START_TEST(top_k_accuracy_takes_the_k_largest)
{
    begin();
    for (int64_t k = 1; k <= 3; k++) {
        nm_metric metric = metric_named("top_k_accuracy", &k);
        for (int32_t label = 0; label < 4; label++) {
            add(&metric, NM_SHAPE(1, 4), (float[]){0.1f, 0.4f, 0.3f, 0.2f}, label_batch(&label, 1));
        }
        ck_assert_double_eq(nm_metric_value(&metric), (double)k / 4);
        nm_metric_end(&metric);
    }
    nm_metric five = metric_named("top_k_accuracy", NULL);
    add(&five, NM_SHAPE(1, 6), (float[]){6, 5, 4, 3, 2, 1}, label_batch((int32_t[]){4}, 1));
    ck_assert_double_eq(nm_metric_value(&five), 1); /* k is 5 */
    add(&five, NM_SHAPE(1, 6), (float[]){6, 5, 4, 3, 2, 1}, label_batch((int32_t[]){5}, 1));
    ck_assert_double_eq(nm_metric_value(&five), 0.5);
    nm_metric_end(&five);
    nm_context_destroy(context);
}
END_TEST

START_TEST(k_as_many_as_outputs_is_refused)
{
    begin();
    nm_metric metric = metric_named("top_k_accuracy", &(int64_t){2});
    add(&metric, NM_SHAPE(1, 2), (float[]){1, 2}, label_batch((int32_t[]){0}, 1));
    assert_error(context, NM_ERROR_INPUT,
                 "top_k_accuracy: \"k\" is 2, but the network has 2 outputs, and each is among the "
                 "2 largest; give a k below 2, or use accuracy");
    ck_assert_int_eq(metric.state.samples, 0);
    nm_metric_end(&metric);
    nm_context_destroy(context);
}
END_TEST

/* Labels 0 0 1 1, called 0 0 0 1, of three classes. */
static void add_four(nm_metric *metric)
{
    const float outputs[] = {9, 0, 0, 9, 0, 0, 9, 0, 0, 0, 9, 0};
    add(metric, NM_SHAPE(3, 3), outputs, label_batch((int32_t[]){0, 0, 1}, 3));
    add(metric, NM_SHAPE(1, 3), outputs + 9, label_batch((int32_t[]){1}, 1));
    assert_fine(context);
}

START_TEST(metrics_by_class_have_a_part_each_and_their_mean)
{
    static const struct {
        const char *name;
        double parts[2];
    } rows[] = {{"precision", {2.0 / 3, 1}},
                {"recall", {1, 0.5}},
                {"f1", {0.8, 2.0 / 3}},
                {"balanced_accuracy", {1, 0.5}}};
    begin();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        nm_metric metric = metric_named(rows[i].name, NULL);
        ck_assert(isnan(nm_metric_value(&metric)) && isnan(nm_metric_part(&metric, 0)));
        add_four(&metric);
        assert_near(nm_metric_part(&metric, 0), rows[i].parts[0], 1e-15, 0);
        assert_near(nm_metric_part(&metric, 1), rows[i].parts[1], 1e-15, 0);
        assert_near(nm_metric_value(&metric), (rows[i].parts[0] + rows[i].parts[1]) / 2, 1e-15, 0);
        ck_assert(isnan(nm_metric_part(&metric, 2))); /* which occurs nowhere */
        ck_assert(isnan(nm_metric_part(&metric, 3)) && isnan(nm_metric_part(&metric, -1)));
        nm_metric_end(&metric);
        nm_metric_end(&metric);
    }
    nm_context_destroy(context);
}
END_TEST

START_TEST(the_counts_behind_metrics_by_class_can_be_read)
{
    begin();
    nm_metric f1 = metric_named("f1", NULL), accuracy = metric_named("accuracy", NULL), confusion;
    ck_assert_int_eq(nm_metric_begin(&confusion, context, &nm_metric_confusion, NULL), NM_OK);
    ck_assert_double_eq(nm_metric_confused(&confusion, 0, 0), 0);
    add_four(&f1);
    add_four(&accuracy);
    add_four(&confusion);
    const nm_class_counts first = nm_metric_class_counts(&f1, 0);
    ck_assert(first.right == 2 && first.predicted == 3 && first.actual == 2);
    const nm_class_counts none[] = {nm_metric_class_counts(&f1, 2), nm_metric_class_counts(&f1, 3),
                                    nm_metric_class_counts(&accuracy, 0)};
    for (int i = 0; i < 3; i++) {
        ck_assert(none[i].right == 0 && none[i].predicted == 0 && none[i].actual == 0);
    }
    ck_assert_double_eq(nm_metric_confused(&confusion, 0, 0), 2);
    ck_assert_double_eq(nm_metric_confused(&confusion, 1, 0), 1);
    ck_assert_double_eq(nm_metric_confused(&confusion, 0, 1), 0);
    ck_assert_double_eq(nm_metric_confused(&confusion, 3, 0), 0);
    ck_assert_double_eq(nm_metric_confused(&f1, 0, 0), 0);
    ck_assert_double_eq(nm_metric_value(&confusion), 0.75);
    nm_metric_end(&f1);
    nm_metric_end(&accuracy);
    nm_metric_end(&confusion);
    nm_context_destroy(context);
}
END_TEST

/* The confidence of scores x and 0 is 1 / (1 + e^-x). */
static void add_confidence(nm_metric *metric, double confidence, bool right)
{
    const float scores[] = {(float)-log(1 / confidence - 1), 0};
    add(metric, NM_SHAPE(1, 2), scores, label_batch((int32_t[]){!right}, 1));
}

START_TEST(the_calibration_error_is_the_gap_of_each_bin_by_its_samples)
{
    begin();
    nm_metric metric = metric_named("expected_calibration_error", NULL);
    ck_assert(isnan(nm_metric_value(&metric)));
    ck_assert_int_eq(nm_metric_reliability(&metric, 9).samples, 0);
    add_confidence(&metric, 0.61, true);
    add_confidence(&metric, 0.65, false);
    add_confidence(&metric, 0.9, true);
    add_confidence(&metric, 0.9, true);
    const nm_reliability_bin bin = nm_metric_reliability(&metric, 9),
                             empty = nm_metric_reliability(&metric, 8);
    ck_assert_double_eq_tol(bin.from, 0.6, 1e-15);
    ck_assert_double_eq_tol(bin.to, 10.0 / 15, 1e-15);
    ck_assert_int_eq(bin.samples, 2);
    ck_assert_double_eq_tol(bin.confidence, 0.63, 1e-6);
    ck_assert_double_eq(bin.accuracy, 0.5);
    ck_assert(!empty.samples && isnan(empty.confidence) && isnan(empty.accuracy));
    ck_assert_double_eq_tol(nm_metric_value(&metric), (0.13 + 0.1) / 2, 1e-6);
    /* A bin holds its upper edge. */
    add(&metric, NM_SHAPE(1, 2), (float[]){200, 0}, label_batch((int32_t[]){0}, 1));
    ck_assert_int_eq(nm_metric_reliability(&metric, 14).samples, 1);
    add(&metric, NM_SHAPE(1, 5), (float[]){0, 0, 0, 0, 0}, label_batch((int32_t[]){0}, 1));
    ck_assert_int_eq(nm_metric_reliability(&metric, 2).samples, 1); /* 0.2 is 3 / 15 */
    nm_metric_end(&metric);
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_calibration_error_with_a_nan_is_none)
{
    begin();
    nm_metric metric = metric_named("expected_calibration_error", NULL);
    add(&metric, NM_SHAPE(1, 2), (float[]){1, NAN}, label_batch((int32_t[]){0}, 1));
    ck_assert(isnan(nm_metric_value(&metric)));
    nm_metric_end(&metric);
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_metric_can_be_of_one_class)
{
    char text[64];
    begin();
    nm_class_metric_options one = {.of_class = 1}, three = {.of_class = 3};
    nm_metric metric = metric_named("recall", &one);
    add_four(&metric);
    ck_assert_double_eq(nm_metric_value(&metric), 0.5);
    nm_metric_end(&metric);
    nm_choice choice = {.item = &nm_metric_recall.item, .options = &one};
    ck_assert_str_eq(nm_metric_label(&choice, text), "recall_class_1");
    choice.options = NULL;
    ck_assert_str_eq(nm_metric_label(&choice, text), "recall");
    ck_assert_str_eq(nm_metric_label(&(nm_choice){.item = &nm_metric_top_k_accuracy.item}, text),
                     "top_5_accuracy");
    choice.options = &three;
    nm_metric_check(context, &choice, 3);
    assert_error(context, NM_ERROR_INPUT, "\"class\" is 3, but the network has 3 outputs");
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_row_with_a_nan_is_called_no_class)
{
    begin();
    nm_metric precision = metric_named("precision", NULL), recall = metric_named("recall", NULL);
    const float outputs[] = {9, 0, NAN, 9};
    nm_batch batch = label_batch((int32_t[]){0, 0}, 2);
    add(&precision, NM_SHAPE(2, 2), outputs, batch);
    add(&recall, NM_SHAPE(2, 2), outputs, batch);
    ck_assert_double_eq(nm_metric_value(&precision), 1);
    ck_assert_double_eq(nm_metric_value(&recall), 0.5);
    nm_metric_end(&precision);
    nm_metric_end(&recall);
    nm_context_destroy(context);
}
END_TEST

START_TEST(errors_of_predictions_are_those_of_each_number_and_their_mean)
{
    begin();
    nm_metric absolute = metric_named("mean_absolute_error", NULL);
    nm_metric squared = metric_named("root_mean_squared_error", NULL);
    float outputs[] = {1, 2, 3, 4}, values[] = {1, 4, 3, 1};
    nm_batch batch = value_batch(values, 2, 2);
    add(&absolute, NM_SHAPE(2, 2), outputs, batch);
    add(&squared, NM_SHAPE(2, 2), outputs, batch);
    ck_assert_double_eq(nm_metric_value(&absolute), 5.0 / 4);
    ck_assert_double_eq(nm_metric_part(&squared, 0), 0);
    ck_assert_double_eq(nm_metric_part(&squared, 1), sqrt(13.0 / 2));
    ck_assert_double_eq(nm_metric_value(&squared), sqrt(13.0 / 2) / 2);
    batch = value_batch((float[]){1, 0}, 1, 2);
    add(&absolute, NM_SHAPE(1, 2), outputs, batch);
    ck_assert_double_eq(nm_metric_value(&absolute), 7.0 / 6);
    nm_metric_end(&absolute);
    nm_metric_end(&squared);
    nm_context_destroy(context);
}
END_TEST

/* The parts of a metric over targets -1, 0, 1 and 1, 0, -1, that are told as (y - mean) /
 * deviation.
 */
static void in_units(const char *name, const double mean[2], const double deviation[2],
                     double parts[2])
{
    nm_metric metric = metric_named(name, NULL);
    const float outputs[] = {-1, 1, 0, 0.5f, 1, -1};
    float values[] = {-1, 1, 0, 0, 1, -1};
    nm_batch batch = value_batch(values, 3, 2);
    batch.target_mean = mean;
    batch.target_deviation = deviation;
    add(&metric, NM_SHAPE(3, 2), outputs, batch);
    assert_fine(context);
    parts[0] = nm_metric_part(&metric, 0);
    parts[1] = nm_metric_part(&metric, 1);
    nm_metric_end(&metric);
}

/* Time stamps in milliseconds, whose squares exceed what a double tells apart. */
START_TEST(values_are_seen_in_the_targets_own_unit)
{
    double parts[2];
    begin();
    const double mean[] = {5, 1.6e12}, deviation[] = {2, 1000};
    in_units("mean_absolute_error", mean, deviation, parts);
    ck_assert_double_eq(parts[0], 0);
    assert_near(parts[1], 500.0 / 3, 1e-9, 0);
    in_units("root_mean_squared_error", mean, deviation, parts);
    assert_near(parts[1], 500 / sqrt(3), 1e-9, 0);
    in_units("r2", mean, deviation, parts);
    ck_assert_double_eq(parts[0], 1);
    assert_near(parts[1], 1 - 0.25 / 2, 1e-9, 0);
    nm_context_destroy(context);
}
END_TEST

START_TEST(r2_of_one_sample_is_none)
{
    begin();
    nm_metric r2 = metric_named("r2", NULL);
    add(&r2, NM_SHAPE(1, 1), (float[]){1}, value_batch((float[]){1}, 1, 1));
    ck_assert(isnan(nm_metric_value(&r2)));
    add(&r2, NM_SHAPE(1, 1), (float[]){2}, value_batch((float[]){2}, 1, 1));
    ck_assert_double_eq(nm_metric_value(&r2), 1);
    add(&r2, NM_SHAPE(1, 1), (float[]){NAN}, value_batch((float[]){2}, 1, 1));
    ck_assert(isnan(nm_metric_value(&r2)));
    nm_metric_end(&r2);
    nm_context_destroy(context);
}
END_TEST

START_TEST(which_way_is_better_is_known)
{
    begin();
    ck_assert(metric_named("accuracy", NULL).type->higher_is_better);
    ck_assert(metric_named("top_k_accuracy", NULL).type->higher_is_better);
    ck_assert(metric_named("f1", NULL).type->higher_is_better);
    ck_assert(metric_named("r2", NULL).type->higher_is_better);
    ck_assert(!metric_named("mean_absolute_error", NULL).type->higher_is_better);
    ck_assert(!metric_named("root_mean_squared_error", NULL).type->higher_is_better);
    nm_context_destroy(context);
}
END_TEST

START_TEST(what_does_not_fit_the_metric_is_refused)
{
    begin();
    nm_metric accuracy = metric_named("accuracy", NULL);
    nm_metric error = metric_named("mean_absolute_error", NULL);
    float outputs[] = {1, 2, 3, 4};
    add(&accuracy, NM_SHAPE(2, 2), outputs, value_batch(outputs, 2, 2));
    assert_error(context, NM_ERROR_INPUT, "accuracy: it needs class labels, but the data set has");
    add(&error, NM_SHAPE(2, 2), outputs, label_batch((int32_t[]){0, 0}, 2));
    assert_error(context, NM_ERROR_INPUT, "it needs values to predict, but the data set has class");
    add(&accuracy, NM_SHAPE(2, 2), outputs, label_batch(NULL, 2));
    assert_error(context, NM_ERROR_INPUT, "the data set has no targets");
    add(&accuracy, NM_SHAPE(2, 2), outputs, label_batch((int32_t[]){0, 2}, 2));
    assert_error(context, NM_ERROR_INPUT, "label 2, but the network has 2 outputs");
    add(&accuracy, NM_SHAPE(4), outputs, label_batch((int32_t[]){0, 0, 0, 0}, 4));
    assert_error(context, NM_ERROR_INPUT, "the output has shape [4]; for labels of shape [4]");
    add(&accuracy, NM_SHAPE(2, 2), outputs, label_batch((int32_t[]){0}, 1));
    assert_error(context, NM_ERROR_INPUT, "the output has shape [2, 2]");
    /* The trap of [batch] against [batch, 1], which broadcasts to [batch, batch]. */
    nm_batch flat = value_batch(outputs, 4, 1);
    flat.target_shape = NM_SHAPE(4);
    add(&error, NM_SHAPE(4, 1), outputs, flat);
    assert_error(context, NM_ERROR_INPUT,
                 "the output has shape [4, 1], the targets [4]; they must");
    ck_assert_int_eq(accuracy.state.samples + error.state.samples, 0);
    nm_metric_end(&accuracy);
    nm_metric_end(&error);
    nm_context_destroy(context);
}
END_TEST

START_TEST(options_of_a_metric_are_checked)
{
    nm_metric metric;
    begin();
    const nm_item *item = nm_require(context, NM_KIND_METRIC, "top_k_accuracy");
    nm_metric_begin(&metric, context, (const nm_metric_type *)item, &(int64_t){0});
    assert_error(context, NM_ERROR_INPUT, "\"k\" must be at least 1");
    nm_context_destroy(context);
}
END_TEST

/* The closed form, computed with 40 digits; SciPy 1.10's
 * binomtest(k, n).proportion_ci(method = "wilson") gives the same. */
START_TEST(an_interval_of_a_share_is_wilsons)
{
    static const struct {
        int64_t right, count;
        double low, high;
    } known[] = {
        {57, 60, 0.862994835236515, 0.982850497835604},
        {0, 10, 0, 0.277532799862889},
        {10, 10, 0.722467200137111, 1},
        {1, 1, 0.206549314377237, 1},
        {81, 263, 0.255288519878274, 0.3662095769828},
        {15, 148, 0.0623863995307363, 0.160487241723308},
        {9240, 10000, 0.918641762628354, 0.929032606753312},
    };
    for (int i = 0; i < NM_COUNT_OF(known); i++) {
        const nm_interval found =
            nm_wilson_interval((double)known[i].right / (double)known[i].count, known[i].count);
        assert_near(found.low, known[i].low, 1e-12, 0);
        assert_near(found.high, known[i].high, 1e-12, 0);
    }
    ck_assert(isnan(nm_wilson_interval(0.5, 0).low));
    ck_assert(isnan(nm_wilson_interval((double)NAN, 10).high));
    ck_assert(nm_metric_accuracy.is_share && nm_metric_top_k_accuracy.is_share);
    ck_assert(!nm_metric_f1.is_share && !nm_metric_balanced_accuracy.is_share);
}
END_TEST

/* ---- Labels in a row ---- */

static nm_metric rows_metric(const char *name, double padding)
{
    nm_metric metric = metric_named(name, NULL);
    metric.padding = padding;
    return metric;
}

/* kitten and sitting, sunday and saturday; as many errors as everybody knows. */
START_TEST(label_errors_are_what_it_takes_to_mend_a_row)
{
    begin();
    nm_metric rate = rows_metric("label_error_rate", -1);
    nm_metric right = rows_metric("sequence_accuracy", -1);
    float outputs[] = {11, 9, 20, 20, 5, 14, -1, -1, 19, 21, 14, 4, 1, 25, -1, -1};
    float labels[] = {19, 9, 20, 20, 9, 14, 7, -1, -1, 19, 1, 20, 21, 18, 4, 1, 25, -1};
    for (nm_metric *m = &rate;; m = &right) {
        ck_assert(isnan(nm_metric_value(m)));
        ck_assert_int_eq(add(m, NM_SHAPE(2, 8), outputs, value_batch(labels, 2, 9)), NM_OK);
        if (m == &right) {
            break;
        }
    }
    ck_assert_double_eq(nm_metric_value(&rate), (3.0 + 3) / (7 + 8));
    ck_assert_double_eq(nm_metric_value(&right), 0);
    float same[] = {11, 9, 20, 20, 5, 14, -1, 19, 21, 14, 4, 1, 25, -1};
    ck_assert_int_eq(add(&rate, NM_SHAPE(2, 8), outputs, value_batch(same, 2, 7)), NM_OK);
    ck_assert_int_eq(add(&right, NM_SHAPE(2, 8), outputs, value_batch(same, 2, 7)), NM_OK);
    ck_assert_double_eq(nm_metric_value(&rate), 6.0 / (7 + 8 + 6 + 6));
    ck_assert_double_eq(nm_metric_value(&right), 0.5);
    assert_fine(context);
    nm_metric_end(&rate);
    nm_metric_end(&right);
    nm_context_destroy(context);
}
END_TEST

START_TEST(rows_without_labels_have_no_error_unless_some_are_predicted)
{
    begin();
    nm_metric rate = rows_metric("label_error_rate", 0);
    float none[] = {0, 0}, one[] = {0, 2}, padded[] = {2, 0};
    add(&rate, NM_SHAPE(1, 2), none, value_batch(none, 1, 2));
    ck_assert_double_eq(nm_metric_value(&rate), 0);
    add(&rate, NM_SHAPE(1, 2), padded, value_batch(none, 1, 2));
    ck_assert(isinf(nm_metric_value(&rate)));
    add(&rate, NM_SHAPE(1, 2), padded, value_batch(one, 1, 2)); /* what is in front is a label */
    ck_assert_double_eq(nm_metric_value(&rate), (1.0 + 1) / 2);
    nm_metric_end(&rate);
    rate = rows_metric("label_error_rate", 0);
    float flat[] = {1, 2, 3, 4};
    add(&rate, NM_SHAPE(1, 2, 2), flat, value_batch(none, 1, 2));
    assert_error(context, NM_ERROR_INPUT, "it needs rows of labels, [batch, steps]");
    nm_metric_end(&rate);
    nm_context_destroy(context);
}
END_TEST

TEST_MAIN("optim/metric", an_interval_of_a_share_is_wilsons,
          accuracy_counts_over_batches_of_different_sizes, a_loop_by_hand_counts_as_the_metric_does,
          of_equal_outputs_the_first_counts, a_row_with_a_nan_is_wrong,
          top_k_accuracy_takes_the_k_largest, k_as_many_as_outputs_is_refused,
          metrics_by_class_have_a_part_each_and_their_mean, a_metric_can_be_of_one_class,
          the_counts_behind_metrics_by_class_can_be_read,
          the_calibration_error_is_the_gap_of_each_bin_by_its_samples,
          a_calibration_error_with_a_nan_is_none, a_row_with_a_nan_is_called_no_class,
          errors_of_predictions_are_those_of_each_number_and_their_mean,
          values_are_seen_in_the_targets_own_unit, r2_of_one_sample_is_none,
          which_way_is_better_is_known, what_does_not_fit_the_metric_is_refused,
          options_of_a_metric_are_checked, label_errors_are_what_it_takes_to_mend_a_row,
          rows_without_labels_have_no_error_unless_some_are_predicted)
