/* Metrics by hand-made outputs. */
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
    ck_assert_int_eq(metric.samples, 4);
    assert_fine(context);
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
    nm_context_destroy(context);
}
END_TEST

START_TEST(top_k_accuracy_takes_the_k_largest)
{
    begin();
    for (int64_t k = 1; k <= 5; k++) {
        nm_metric metric = metric_named("top_k_accuracy", &k);
        for (int32_t label = 0; label < 4; label++) {
            add(&metric, NM_SHAPE(1, 4), (float[]){0.1f, 0.4f, 0.3f, 0.2f}, label_batch(&label, 1));
        }
        ck_assert_double_eq(nm_metric_value(&metric), (double)(k < 4 ? k : 4) / 4);
    }
    nm_metric five = metric_named("top_k_accuracy", NULL);
    add(&five, NM_SHAPE(1, 6), (float[]){6, 5, 4, 3, 2, 1}, label_batch((int32_t[]){4}, 1));
    ck_assert_double_eq(nm_metric_value(&five), 1); /* k is 5 */
    add(&five, NM_SHAPE(1, 6), (float[]){6, 5, 4, 3, 2, 1}, label_batch((int32_t[]){5}, 1));
    ck_assert_double_eq(nm_metric_value(&five), 0.5);
    nm_context_destroy(context);
}
END_TEST

START_TEST(errors_of_predictions_are_averaged_over_all_values)
{
    begin();
    nm_metric absolute = metric_named("mean_absolute_error", NULL);
    nm_metric squared = metric_named("root_mean_squared_error", NULL);
    float outputs[] = {1, 2, 3, 4}, values[] = {1, 4, 3, 1};
    nm_batch batch = value_batch(values, 2, 2);
    add(&absolute, NM_SHAPE(2, 2), outputs, batch);
    add(&squared, NM_SHAPE(2, 2), outputs, batch);
    ck_assert_double_eq(nm_metric_value(&absolute), 5.0 / 4);
    ck_assert_double_eq(nm_metric_value(&squared), sqrt(13.0 / 4));
    batch = value_batch((float[]){1, 0}, 1, 2);
    add(&absolute, NM_SHAPE(1, 2), outputs, batch);
    ck_assert_double_eq(nm_metric_value(&absolute), 7.0 / 6);
    nm_context_destroy(context);
}
END_TEST

START_TEST(which_way_is_better_is_known)
{
    begin();
    ck_assert(metric_named("accuracy", NULL).type->higher_is_better);
    ck_assert(metric_named("top_k_accuracy", NULL).type->higher_is_better);
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
    ck_assert_int_eq(accuracy.samples + error.samples, 0);
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

TEST_MAIN("optim/metric", accuracy_counts_over_batches_of_different_sizes,
          of_equal_outputs_the_first_counts, a_row_with_a_nan_is_wrong,
          top_k_accuracy_takes_the_k_largest, errors_of_predictions_are_averaged_over_all_values,
          which_way_is_better_is_known, what_does_not_fit_the_metric_is_refused,
          options_of_a_metric_are_checked)
