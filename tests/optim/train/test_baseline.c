/* What a guess would have got, and what is said of runs that are no better. */
#include <stdio.h>

#include "tests/optim/small_run.h"

/* ---- The guess ---- */

/* Of the first `count` labels. */
static double share_of_ones(const int32_t *labels, int64_t count)
{
    double ones = 0;
    for (int64_t i = 0; i < count; i++) {
        ones += labels[i] == 1;
    }
    return ones / (double)count;
}

static nm_status note_baseline(void *user, const nm_train_state *state)
{
    small_run *r = user;
    r->losses[r->epochs_seen] = state->test_baseline.loss;
    r->rates[r->epochs_seen++] = state->test_baseline.metric;
    ck_assert_int_eq(state->validation_baseline.samples, 0);
    ck_assert_str_eq(state->baseline, "commonest class");
    return NM_OK;
}

START_TEST(of_classes_it_is_the_commonest_and_their_shares)
{
    small_run r;
    small_begin(&r, NULL);
    for (int i = 0; i < 40; i++) {
        r.train.labels[i] = i % 4 == 0; /* one in four */
    }
    r.setup.callbacks.on_epoch = note_baseline;
    small_train(&r);
    assert_fine(r.context);
    const double ones = share_of_ones(r.test.labels, 33);
    for (int epoch = 0; epoch < 3; epoch++) {
        assert_near(r.rates[epoch], 1 - ones, 1e-12, 0);
        assert_near(r.losses[epoch], -ones * log(0.25) - (1 - ones) * log(0.75), 1e-6, 0);
    }
    nm_evaluation e;
    nm_trainer_evaluate_baseline(r.trainer, &r.data.train, &e);
    assert_fine(r.context);
    assert_near(e.metric, 0.75, 1e-12, 0);
    ck_assert_int_eq(e.samples, 40);
    test_warnings();
    small_end(&r, NULL);
}
END_TEST

START_TEST(ignored_samples_and_classes_without_any_do_no_harm)
{
    small_run r;
    small_begin(&r, NULL);
    r.data.train.classes = 2;
    for (int i = 0; i < 40; i++) {
        r.train.labels[i] = i < 30 ? -100 : 0; /* nothing of class 1 */
    }
    r.data.train.ignored = (nm_ignored){.on = true, .label = -100};
    r.trainer = nm_trainer_create(r.context, &r.setup);
    nm_evaluation e;
    nm_trainer_evaluate_baseline(r.trainer, &r.data.test, &e);
    assert_fine(r.context);
    const double ones = share_of_ones(r.test.labels, 33);
    assert_near(e.metric, 1 - ones, 1e-12, 0);
    /* As if it had half a sample, beside ten. */
    assert_near(e.loss, ones * log(1.05 / 0.05) + (1 - ones) * log(1.05), 1e-6, 0);
    small_end(&r, NULL);
}
END_TEST

/* Targets of two values each, the second ten times the first. */
static void give_values(small_run *r, float targets[2 * MOST_SAMPLES])
{
    for (int i = 0; i < MOST_SAMPLES; i++) {
        targets[2 * i] = (float)(i % 5);
        targets[2 * i + 1] = (float)(10 * (i % 5));
    }
    nm_dataset *const sets[] = {&r->data.train, &r->data.test};
    for (int i = 0; i < 2; i++) {
        sets[i]->target_dtype = NM_F32;
        sets[i]->target_shape = NM_SHAPE(2);
        sets[i]->targets = targets;
        sets[i]->classes = 0;
    }
    r->setup.loss.item = &nm_loss_mse.item;
    r->data.test.count = 40; /* whose targets are those of the training set */
}

START_TEST(of_values_it_is_the_mean_in_the_units_of_the_loss)
{
    static const double mean[] = {2, 20}, deviation[] = {2, 20};
    float targets[2 * MOST_SAMPLES];
    for (int standardized = 0; standardized < 2; standardized++) {
        small_run r;
        nm_evaluation e;
        small_begin(&r, NULL);
        give_values(&r, targets);
        r.data.loader.target_mean = standardized ? mean : NULL;
        r.data.loader.target_deviation = standardized ? deviation : NULL;
        r.setup.options.metric =
            (nm_choices){.count = 1, .at = {{.item = &nm_metric_root_mean_squared_error.item}}};
        r.trainer = nm_trainer_create(r.context, &r.setup);
        nm_trainer_evaluate_baseline(r.trainer, &r.data.test, &e);
        assert_fine(r.context);
        assert_near(e.loss, standardized ? 0.5 : (2 + 200) / 2.0, 1e-6, 0);
        assert_near(e.metric, (sqrt(2) + sqrt(200)) / 2, 1e-6, 0); /* the mean of both */
        ck_assert_str_eq(nm_trainer_state(r.trainer)->baseline, "mean");
        small_end(&r, NULL);
    }
}
END_TEST

/* ---- Runs that learned nothing ---- */

START_TEST(a_run_that_learned_is_not_warned_of)
{
    small_run r;
    small_begin(&r, NULL);
    r.setup.options.epochs = 10;
    small_train(&r);
    assert_fine(r.context);
    ck_assert_str_eq(test_warnings(), "");
    small_end(&r, NULL);
}
END_TEST

START_TEST(outputs_of_one_class_and_a_result_like_the_guess_are_warned_of)
{
    small_run r;
    small_begin(&r, NULL);
    r.sgd = (nm_sgd_options){NM_SGD_DEFAULTS, .rate = 1e-30};
    r.network.plain = true;
    const bool ones = share_of_ones(r.train.labels, 40) > 0.5;
    nm_tensor_set(r.network.b2, ones, 100);
    small_train(&r);
    assert_fine(r.context);
    const char *warnings = test_warnings();
    char expected[128];
    snprintf(expected, sizeof expected, "all 33 samples of the test set are taken for class %d",
             ones);
    ck_assert_ptr_nonnull(strstr(warnings, expected));
    ck_assert_ptr_nonnull(strstr(warnings, "nothing was learned that helps: the accuracy on "
                                           "the test set, "));
    ck_assert_ptr_nonnull(strstr(warnings, "is no better than the commonest class, which gets "));
    small_end(&r, NULL);
}
END_TEST

/* Whoever gives a set of one class has all samples taken for it, rightly. */
START_TEST(a_set_of_one_class_is_not_warned_of)
{
    small_run r;
    small_begin(&r, NULL);
    r.setup.options.epochs = 10;
    for (int i = 0; i < 33; i++) {
        r.test.labels[i] = 1;
        r.test.x[INPUTS * i] = 3;
        r.test.x[INPUTS * i + 1] = -3;
    }
    nm_evaluation e;
    small_train(&r);
    nm_trainer_evaluate(r.trainer, &r.data.test, &e);
    assert_fine(r.context);
    ck_assert(e.metric == 1);
    ck_assert_int_eq(e.only_class, -1);
    ck_assert_ptr_null(strstr(test_warnings(), "are taken for"));
    small_end(&r, NULL);
}
END_TEST

START_TEST(values_no_better_than_their_mean_are_warned_of)
{
    small_run r;
    float targets[2 * MOST_SAMPLES];
    small_begin(&r, NULL);
    give_values(&r, targets);
    r.network.plain = true;
    r.sgd = (nm_sgd_options){NM_SGD_DEFAULTS, .rate = 1e-30};
    small_train(&r);
    assert_fine(r.context);
    ck_assert_ptr_nonnull(strstr(test_warnings(), "is no better than the mean, which gets "));
    small_end(&r, NULL);
}
END_TEST

static const nm_cross_entropy_loss_options balanced = {
    NM_CROSS_ENTROPY_LOSS_DEFAULTS, .weight = {.word = NM_CLASS_WEIGHT_BALANCED}};

/* One sample in twenty is of class 1, and far from the others: a guess by the shares has a loss of
 * 0.2, a run that draws both equally often begins at 0.7. `weighs`: by weights, not by draws. */
static void train_on_few(small_run *r, bool weighs, bool with_test, double rate)
{
    small_begin(r, NULL);
    for (int i = 0; i < 40; i++) {
        r->train.labels[i] = r->test.labels[i] = i % 20 == 0;
        for (int k = 0; k < INPUTS; k++) {
            r->train.x[INPUTS * i + k] = r->test.x[INPUTS * i + k] = i % 20 == 0 ? 1 : -1;
        }
    }
    r->data.test = with_test ? r->data.test : (nm_dataset){0};
    r->data.loader.balance = !weighs;
    r->setup.loss.options = weighs ? &balanced : NULL;
    r->network.plain = true;
    r->sgd = (nm_sgd_options){NM_SGD_DEFAULTS, .rate = rate};
    nm_tensor_set(r->network.b2, 1, rate < 1e-3 ? 3 : 0);
    small_train(r);
    assert_fine(r->context);
}

START_TEST(a_run_that_weighs_classes_is_held_against_a_guess_that_does)
{
    for (int way = 0; way < 4; way++) {
        small_run r;
        train_on_few(&r, way & 1, way & 2, 0.05);
        ck_assert_double_gt(r.result.train_loss, 0.2);
        ck_assert_double_lt(r.result.train_loss, log(2));
        const char *warnings = test_warnings();
        ck_assert_msg(strstr(warnings, "nothing was learned") == NULL, "%d: %s", way, warnings);
        small_end(&r, NULL);
        train_on_few(&r, way & 1, way & 2, 1e-30);
        warnings = test_warnings();
        ck_assert_msg(strstr(warnings, "is no better than the best guess, which gets 0.69") != NULL,
                      "%d: %s", way, warnings);
        small_end(&r, NULL);
    }
}
END_TEST

START_TEST(without_an_evaluation_the_training_loss_is_compared)
{
    for (int learns = 0; learns < 2; learns++) {
        small_run r;
        small_begin(&r, NULL);
        r.data.test = (nm_dataset){0};
        r.network.plain = true;
        r.sgd = (nm_sgd_options){NM_SGD_DEFAULTS, .rate = learns ? 0.1 : 1e-30};
        r.setup.options.epochs = 10;
        nm_tensor_set(r.network.b2, 0, 10);
        small_train(&r);
        assert_fine(r.context);
        const char *said = strstr(test_warnings(), "the loss on the training set, ");
        ck_assert((said == NULL) == (learns == 1));
        small_end(&r, NULL);
    }
}
END_TEST

/* ---- Memory ---- */

static nm_status evaluate_some(test_memory *memory)
{
    small_run r;
    small_begin(&r, memory);
    if (!r.context) {
        return NM_ERROR_MEMORY;
    }
    r.setup.options.epochs = 1;
    small_train(&r);
    nm_status status = nm_context_status(r.context);
    small_end(&r, memory);
    return status;
}

START_TEST(every_failing_allocation_is_an_error_without_a_leak)
{
    test_every_allocation(evaluate_some);
    test_warnings();
}
END_TEST

TEST_MAIN("optim/train/baseline", of_classes_it_is_the_commonest_and_their_shares,
          ignored_samples_and_classes_without_any_do_no_harm,
          of_values_it_is_the_mean_in_the_units_of_the_loss, a_run_that_learned_is_not_warned_of,
          outputs_of_one_class_and_a_result_like_the_guess_are_warned_of,
          a_set_of_one_class_is_not_warned_of, values_no_better_than_their_mean_are_warned_of,
          a_run_that_weighs_classes_is_held_against_a_guess_that_does,
          without_an_evaluation_the_training_loss_is_compared,
          every_failing_allocation_is_an_error_without_a_leak)
