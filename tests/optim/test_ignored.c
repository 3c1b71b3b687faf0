/* Samples to be ignored: loss, metrics, class counts and readers agree about which they are. */
#include <math.h>

#include "tests/optim/small_run.h"

/* A set of one number a sample. */
static nm_dataset labelled(nm_context *context, float *x, int32_t *labels, int64_t count,
                           nm_ignored ignored)
{
    return (nm_dataset){.context = context,
                        .count = count,
                        .shape = NM_SHAPE(1),
                        .dtype = NM_F32,
                        .samples = x,
                        .target_dtype = NM_I32,
                        .targets = labels,
                        .ignored = ignored};
}

START_TEST(an_ignored_label_is_no_class_and_may_stand_anywhere)
{
    static const struct {
        int64_t ignored;
        int32_t labels[4];
        int64_t classes, counted;
    } rows[] = {
        {-100, {-100, 1, 0, -100}, 2, 2}, {255, {1, 255, 0, 1}, 2, 3}, {0, {0, 2, 1, 0}, 3, 2},
        {2, {0, 2, 1, 2}, 2, 2},          {7, {7, 7, 7, 7}, 0, 0},
    };
    nm_context *context = test_context(NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int32_t labels[4];
        memcpy(labels, rows[i].labels, sizeof labels);
        nm_dataset set =
            labelled(context, (float[4]){0}, labels, 4, (nm_ignored){true, rows[i].ignored});
        nm_dataset_check(&set);
        assert_fine(context);
        ck_assert_int_eq(set.classes, rows[i].classes);
        ck_assert_int_eq(nm_dataset_counted(&set), rows[i].counted);
    }
    nm_context_destroy(context);
}
END_TEST

START_TEST(an_ignored_label_passes_where_the_classes_are_given)
{
    nm_context *context = test_context(NULL);
    int32_t labels[3] = {1, 255, 0};
    nm_dataset set = labelled(context, (float[3]){0}, labels, 3, (nm_ignored){true, 255});
    set.classes = 2;
    nm_dataset_check(&set);
    assert_fine(context);
    set.ignored.on = false;
    nm_dataset_check(&set);
    assert_error(context, NM_ERROR_FORMAT, "sample 1 has label 255, but the 2 classes go from 0");
    nm_context_destroy(context);
}
END_TEST

START_TEST(zeros_ignore_nothing)
{
    nm_context *context = test_context(NULL);
    int32_t labels[3] = {0, 0, 1};
    nm_dataset set = labelled(context, (float[3]){0}, labels, 3, (nm_ignored){0});
    nm_dataset_check(&set);
    ck_assert_int_eq(set.classes, 2);
    ck_assert_int_eq(nm_dataset_counted(&set), 3);
    labels[0] = -100;
    nm_dataset_check(&set);
    assert_error(context, NM_ERROR_FORMAT, "sample 0 has label -100, but the 2 classes go from 0");
    nm_context_destroy(context);
}
END_TEST

START_TEST(views_count_their_own_samples)
{
    nm_context *context = test_context(NULL);
    int32_t labels[8] = {3, 0, 3, 1, 3, 2, 3, 0};
    nm_dataset rest, part, set = labelled(context, (float[8]){0}, labels, 8, (nm_ignored){true, 3});
    nm_dataset_check(&set);
    ck_assert_int_eq(nm_dataset_split(&set, 0.5, 1, &rest, &part), NM_OK);
    ck_assert_int_eq(nm_dataset_counted(&rest) + nm_dataset_counted(&part), 4);
    nm_dataset_close(&rest);
    nm_dataset_close(&part);
    nm_context_destroy(context);
}
END_TEST

/* What stands in the ignored rows, even if it is nothing that a network may give, changes nothing.
 */
START_TEST(metrics_leave_ignored_samples_out)
{
    nm_context *context = test_context(NULL);
    nm_register_metrics(context);
    nm_metric metric;
    const nm_item *accuracy = nm_require(context, NM_KIND_METRIC, "accuracy");
    nm_metric_begin(&metric, context, (const nm_metric_type *)accuracy, NULL);
    metric.ignored = (nm_ignored){true, -100};
    const float outputs[] = {NAN, NAN, 1, 0, 0, 1, 9, 9, 1, 0, 5, 4};
    int32_t labels[] = {-100, 0, 1, -100, 1, -100};
    nm_tensor *tensor = nm_tensor_copy_of(context, NM_F32, NM_SHAPE(6, 2), outputs);
    nm_batch batch = {
        .count = 6, .target_shape = NM_SHAPE(6), .target_dtype = NM_I32, .targets = labels};
    nm_metric_add(&metric, tensor, &batch);
    assert_fine(context);
    ck_assert_int_eq(metric.state.samples, 3);
    ck_assert_double_eq(nm_metric_value(&metric), 2.0 / 3);
    labels[1] = -1;
    nm_metric_add(&metric, tensor, &batch);
    assert_error(context, NM_ERROR_INPUT, "accuracy: label -1, but the network has 2 outputs");
    nm_metric_end(&metric);
    nm_tensor_destroy(tensor);
    nm_context_destroy(context);
}
END_TEST

/* Against the same set without the samples: loss and metric are the same number. */
START_TEST(evaluation_is_that_of_the_samples_that_count)
{
    small_run all, counted;
    const nm_cross_entropy_loss_options options = {NM_CROSS_ENTROPY_LOSS_DEFAULTS,
                                                   .ignore_index = 255};
    nm_evaluation a, b;
    small_begin(&all, NULL);
    small_begin(&counted, NULL);
    int64_t left = 0;
    for (int i = 0; i < 33; i++) {
        if (i % 3 == 0) {
            all.test.labels[i] = 255;
            continue;
        }
        memcpy(counted.test.x + left * INPUTS, all.test.x + i * INPUTS, INPUTS * sizeof(float));
        counted.test.labels[left++] = all.test.labels[i];
    }
    counted.data.test.count = left;
    all.setup.loss.options = counted.setup.loss.options = &options;
    all.trainer = nm_trainer_create(all.context, &all.setup);
    counted.trainer = nm_trainer_create(counted.context, &counted.setup);
    nm_trainer_evaluate(all.trainer, &all.data.test, &a);
    nm_trainer_evaluate(counted.trainer, &counted.data.test, &b);
    assert_fine(all.context);
    assert_fine(counted.context);
    ck_assert_int_eq(a.samples, 33);
    ck_assert_int_eq(a.ignored, 11);
    ck_assert_int_eq(b.ignored, 0);
    ck_assert_double_eq(a.metric, b.metric);
    assert_near(a.loss, b.loss, 1e-6, 0);
    small_end(&all, NULL);
    small_end(&counted, NULL);
}
END_TEST

START_TEST(an_evaluation_without_a_sample_that_counts_is_an_error)
{
    small_run r;
    nm_evaluation e;
    small_begin(&r, NULL);
    for (int i = 0; i < 33; i++) {
        r.test.labels[i] = -100;
    }
    r.trainer = nm_trainer_create(r.context, &r.setup);
    nm_trainer_evaluate(r.trainer, &r.data.test, &e);
    assert_error(r.context, NM_ERROR_INPUT, "none of the 33 samples counts for the loss");
    ck_assert_int_eq(e.samples, 0);
    small_end(&r, NULL);
}
END_TEST

START_TEST(an_epoch_without_a_sample_that_counts_is_an_error)
{
    small_run r;
    small_begin(&r, NULL);
    for (int i = 0; i < 40; i++) {
        r.train.labels[i] = -100;
    }
    small_train(&r);
    assert_error(r.context, NM_ERROR_INPUT, "there is nothing to learn from: no sample of epoch 1");
    small_end(&r, NULL);
}
END_TEST

START_TEST(what_the_loss_ignores_is_known_before_it_begins)
{
    const nm_cross_entropy_loss_options options = {.ignore_index = 9};
    nm_choice choice = {.item = &nm_loss_cross_entropy.item};
    nm_ignored ignored = nm_loss_choice_ignored(&choice);
    ck_assert(ignored.on && ignored.label == -100);
    choice.options = &options;
    ck_assert_int_eq(nm_loss_choice_ignored(&choice).label, 9);
    ck_assert(!nm_loss_choice_ignored(&(nm_choice){.item = &nm_loss_mse.item}).on);
    ck_assert(!nm_loss_choice_ignored(&(nm_choice){0}).on);
}
END_TEST

TEST_MAIN("optim/ignored", an_ignored_label_is_no_class_and_may_stand_anywhere,
          an_ignored_label_passes_where_the_classes_are_given, zeros_ignore_nothing,
          views_count_their_own_samples, metrics_leave_ignored_samples_out,
          evaluation_is_that_of_the_samples_that_count,
          an_evaluation_without_a_sample_that_counts_is_an_error,
          an_epoch_without_a_sample_that_counts_is_an_error,
          what_the_loss_ignores_is_known_before_it_begins)
