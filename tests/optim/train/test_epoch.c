/* What follows an epoch: evaluation, the best network, early stopping. */
#include <unistd.h>

#include "tests/optim/small_run.h"

/* ---- Evaluation ---- */

/* pytorch#4741, caffe#5621: accuracy that depends on the test batch. */
START_TEST(evaluation_does_not_depend_on_the_batch_size)
{
    small_run r;
    small_begin(&r, NULL);
    small_train(&r);
    unsigned char before[MOST_BYTES], after[MOST_BYTES];
    size_t size = small_bits(&r, before);
    const int64_t sizes[] = {1, 7, 33, 100};
    for (int i = 0; i < 4; i++) {
        nm_evaluation e;
        r.data.loader.batch = sizes[i];
        nm_trainer_evaluate(r.trainer, &r.data.test, &e);
        assert_fine(r.context);
        ck_assert_int_eq(e.samples, 33);
        assert_near(e.loss, r.result.test_loss, 1e-6, 0);
        ck_assert(e.metric == r.result.test_accuracy);
    }
    small_bits(&r, after);
    ck_assert(memcmp(before, after, size) == 0);
    ck_assert_int_eq(r.network.largest_tape, 0); /* nothing was recorded */
    small_end(&r, NULL);
}
END_TEST

START_TEST(ignored_labels_count_for_nothing_in_any_batch_size)
{
    small_run r;
    const nm_cross_entropy_loss_options options = {NM_CROSS_ENTROPY_LOSS_DEFAULTS,
                                                   .ignore_index = 1};
    small_begin(&r, NULL);
    r.setup.loss.options = &options;
    r.trainer = nm_trainer_create(r.context, &r.setup);
    double losses[3];
    const int64_t sizes[] = {1, 7, 33};
    for (int i = 0; i < 3; i++) {
        nm_evaluation e;
        r.data.loader.batch = sizes[i];
        nm_trainer_evaluate(r.trainer, &r.data.test, &e);
        assert_fine(r.context);
        losses[i] = e.loss;
    }
    assert_near(losses[1], losses[0], 1e-6, 0);
    assert_near(losses[2], losses[0], 1e-6, 0);
    ck_assert(losses[0] > 0);
    small_end(&r, NULL);
}
END_TEST

START_TEST(evaluation_happens_every_so_many_epochs_and_at_the_end)
{
    small_run r;
    small_begin(&r, NULL);
    r.setup.options.epochs = 5;
    r.setup.options.evaluate_every = 3;
    r.setup.options.keep_best = false;
    small_train(&r);
    assert_fine(r.context);
    ck_assert(r.result.best_epoch == 2 || r.result.best_epoch == 4);
    ck_assert(!isnan(r.result.test_loss));
    small_end(&r, NULL);
}
END_TEST

/* allennlp#1755, pytorch-lightning#20185: the last evaluation's loss shown as a later epoch's. */
static nm_status note_evaluations(void *user, const nm_train_state *state)
{
    small_run *r = user;
    r->losses[r->epochs_seen++] = state->test.loss;
    ck_assert(isnan(state->test.loss) == (state->test.samples == 0));
    ck_assert(isnan(state->test.metric) == (state->test.samples == 0));
    ck_assert(isnan(state->validation.loss) == isnan(state->test.loss));
    return NM_OK;
}

START_TEST(an_epoch_that_is_not_evaluated_has_no_loss_of_evaluation)
{
    small_run r;
    small_begin(&r, NULL);
    r.data.validation = small_set(r.context, &r.test, 10);
    r.setup.options.epochs = 5;
    r.setup.options.evaluate_every = 2;
    r.setup.callbacks.on_epoch = note_evaluations;
    small_train(&r);
    assert_fine(r.context);
    for (int epoch = 0; epoch < 5; epoch++) {
        ck_assert(isnan(r.losses[epoch]) == (epoch == 0 || epoch == 2));
    }
    ck_assert(r.losses[4] == r.result.test_loss);
    small_end(&r, NULL);
}
END_TEST

static nm_status stop_in_the_second_epoch(void *user, const nm_train_state *state)
{
    (void)user;
    if (state->step == 7) {
        nm_trainer_stop(state->trainer);
    }
    return NM_OK;
}

START_TEST(a_run_stopped_after_its_last_evaluation_reports_none)
{
    small_run r;
    small_begin(&r, NULL);
    r.setup.callbacks.on_step = stop_in_the_second_epoch;
    small_train(&r);
    assert_fine(r.context);
    ck_assert(isnan(r.result.test_loss) && isnan(r.result.test_accuracy));
    ck_assert_int_eq(r.result.best_epoch, 0);
    ck_assert(r.result.best_test_loss > 0);
    small_end(&r, NULL);
}
END_TEST

/* LSTM-FCN#7, shapeformer#2: the best network was chosen by the test set. */
START_TEST(without_a_validation_set_the_last_network_is_kept)
{
    small_run r;
    unsigned char last[MOST_BYTES], kept[MOST_BYTES];
    small_begin(&r, NULL);
    r.setup.folder = test_path("last");
    r.setup.options.epochs = 12;
    r.sgd.rate = 1; /* too large, so that an earlier one is better on the test set */
    small_train(&r);
    assert_fine(r.context);
    ck_assert_int_eq(r.result.best_epoch, 11);
    ck_assert(isnan(r.result.best));
    ck_assert(r.result.best_test_loss == r.result.test_loss);
    size_t size = small_bits(&r, last);
    nm_parameters_read(r.network.store, test_path("last/best.safetensors"));
    small_bits(&r, kept);
    ck_assert(memcmp(last, kept, size) == 0);
    small_end(&r, NULL);
}
END_TEST

static nm_status must_not_be_best(void *user, const nm_train_state *state)
{
    (void)user;
    ck_assert(!state->is_best && state->best_epoch == state->epoch);
    return NM_OK;
}

START_TEST(without_a_validation_set_patience_is_with_the_training_loss_and_that_is_said)
{
    small_run r;
    test_warnings();
    small_begin(&r, NULL);
    r.network.plain = true;
    r.sgd = (nm_sgd_options){NM_SGD_DEFAULTS, .rate = 0.01}; /* the training loss falls */
    r.setup.options.epochs = 10;
    r.setup.options.early_stopping = (nm_early_stopping){.on = true, .patience = 1};
    r.setup.callbacks.on_epoch = must_not_be_best;
    for (int i = 0; i < 33; i++) {
        r.test.labels[i] = 1 - r.test.labels[i]; /* and the test loss rises */
    }
    small_train(&r);
    assert_fine(r.context);
    ck_assert_int_eq(r.result.end, NM_TRAIN_FINISHED);
    ck_assert_ptr_nonnull(strstr(test_warnings(),
                                 "early_stopping: there is no validation set, so it "
                                 "goes by the training loss"));
    small_end(&r, NULL);
}
END_TEST

START_TEST(the_validation_samples_decide_before_the_test_set)
{
    small_run r;
    small_begin(&r, NULL);
    r.data.validation = small_set(r.context, &r.test, 10);
    r.setup.options.best_by = NM_BEST_BY_LOSS;
    r.setup.options.epochs = 1;
    small_train(&r);
    assert_fine(r.context);
    ck_assert(r.result.best == r.result.validation_loss);
    ck_assert(r.result.best_test_loss == r.result.test_loss);
    ck_assert(r.result.validation_loss != r.result.test_loss);
    small_end(&r, NULL);
}
END_TEST

/* ---- The best network, early stopping ---- */

/* The test samples are what the best is chosen by, and no longer a test. */
static void validate(small_run *r)
{
    r->data.validation = small_set(r->context, &r->test, 33);
}

START_TEST(the_best_network_is_kept_in_a_file)
{
    small_run r;
    small_begin(&r, NULL);
    validate(&r);
    r.setup.folder = test_path("best");
    r.setup.options.epochs = 12;
    r.setup.options.best_by = NM_BEST_BY_LOSS;
    r.sgd.rate = 1; /* too large, so that the last is not the best */
    small_train(&r);
    assert_fine(r.context);
    ck_assert_int_lt(r.result.best_epoch, 11);
    nm_evaluation e;
    nm_parameters_read(r.network.store, test_path("best/best.safetensors"));
    nm_trainer_evaluate(r.trainer, &r.data.validation, &e);
    assert_fine(r.context);
    ck_assert(e.loss == r.result.best && e.loss < r.result.validation_loss);
    small_end(&r, NULL);
}
END_TEST

/* A network that does not learn, whose bias for class 0 is set for every epoch. */
static nm_status set_bias(void *user, const nm_train_state *state)
{
    small_run *r = user;
    ck_assert(state->is_best == (state->best_epoch == state->epoch));
    nm_tensor_set(r->network.b2, 0, r->rates[state->epoch + 1]);
    return NM_OK;
}

static void follow_biases(small_run *r, nm_best_by best_by, const double *biases, int count)
{
    small_begin(r, NULL);
    validate(r);
    r->network.plain = true;
    r->sgd = (nm_sgd_options){NM_SGD_DEFAULTS, .rate = 1e-30};
    r->setup.options.epochs = 40;
    r->setup.options.best_by = (int)best_by;
    r->setup.options.early_stopping = (nm_early_stopping){.on = true, .patience = 6};
    r->setup.callbacks.on_epoch = set_bias;
    for (int i = 0; i < 41; i++) {
        r->rates[i] = biases[i < count ? i : count - 1];
    }
    nm_tensor_set(r->network.b2, 0, biases[0]);
    small_train(r);
    assert_fine(r->context);
    ck_assert_int_eq(r->result.end, NM_TRAIN_STOPPED_EARLY);
}

START_TEST(the_best_is_the_lowest_loss_and_waiting_begins_anew_at_each)
{
    small_run r;
    follow_biases(&r, NM_BEST_BY_LOSS, (double[]){50, 40, 45, 48, 30, 35, 31}, 7);
    ck_assert_int_eq(r.result.best_epoch, 4);
    ck_assert_int_eq(r.result.epochs, 11);
    ck_assert(r.result.best == r.result.best_test_loss && r.result.best < r.result.test_loss);
    small_end(&r, NULL);
}
END_TEST

START_TEST(the_best_is_the_highest_accuracy)
{
    small_run r;
    small_begin(&r, NULL);
    int zeros = 0; /* labels; of 33 there is always a majority */
    for (int i = 0; i < 33; i++) {
        zeros += r.test.labels[i] == 0;
    }
    small_end(&r, NULL);
    double right = zeros > 16 ? 50 : -50; /* the bias that tells the majority */
    follow_biases(&r, NM_BEST_BY_METRIC, (double[]){-right, -right, -right, right, -right}, 5);
    ck_assert_int_eq(r.result.best_epoch, 3);
    ck_assert_int_eq(r.result.epochs, 10);
    assert_near(r.result.best, (zeros > 16 ? zeros : 33 - zeros) / 33.0, 1e-12, 0);
    ck_assert(r.result.best == r.result.best_test_metric);
    ck_assert(r.result.test_accuracy < 0.5);
    small_end(&r, NULL);
}
END_TEST

START_TEST(early_stopping_waits_as_long_as_told)
{
    small_run r;
    small_begin(&r, NULL);
    validate(&r);
    r.sgd.rate = 1e-30; /* nothing gets better */
    r.network.plain = true;
    r.setup.options.epochs = 50;
    r.setup.options.early_stopping = (nm_early_stopping){.on = true, .patience = 4};
    small_train(&r);
    assert_fine(r.context);
    ck_assert_int_eq(r.result.end, NM_TRAIN_STOPPED_EARLY);
    ck_assert_int_eq(r.result.epochs, 5);
    ck_assert_int_eq(r.result.best_epoch, 0);
    small_end(&r, NULL);
}
END_TEST

START_TEST(early_stopping_goes_on_while_it_gets_better)
{
    small_run r;
    small_begin(&r, NULL);
    validate(&r);
    r.network.plain = true;
    r.sgd = (nm_sgd_options){NM_SGD_DEFAULTS, .rate = 0.01};
    r.setup.options.best_by = NM_BEST_BY_LOSS;
    r.setup.options.epochs = 10;
    r.setup.options.early_stopping = (nm_early_stopping){.on = true, .patience = 1};
    small_train(&r);
    assert_fine(r.context);
    ck_assert_int_eq(r.result.end, NM_TRAIN_FINISHED);
    ck_assert_int_eq(r.result.best_epoch, 9);
    small_end(&r, NULL);
}
END_TEST

/* keras#20323, pytorch-lightning#14353: min_delta decided which network is best. */
START_TEST(min_delta_is_for_patience_alone)
{
    small_run r;
    small_begin(&r, NULL);
    validate(&r);
    r.network.plain = true;
    r.sgd = (nm_sgd_options){NM_SGD_DEFAULTS, .rate = 0.01};
    r.setup.options.best_by = NM_BEST_BY_LOSS;
    r.setup.options.epochs = 10;
    r.setup.options.early_stopping =
        (nm_early_stopping){.on = true, .patience = 4, .min_delta = 100};
    small_train(&r);
    assert_fine(r.context);
    ck_assert_int_eq(r.result.end, NM_TRAIN_STOPPED_EARLY);
    ck_assert_int_eq(r.result.epochs, 5);
    ck_assert_int_eq(r.result.best_epoch, 4); /* each was better than the one before */
    ck_assert(r.result.best == r.result.test_loss);
    small_end(&r, NULL);
}
END_TEST

/* 50, 45, 41, ...: no step is as large as min_delta, but every third one makes up for it. */
START_TEST(small_steps_count_once_they_add_up_to_min_delta)
{
    small_run r;
    small_begin(&r, NULL);
    validate(&r);
    r.network.plain = true;
    r.sgd = (nm_sgd_options){NM_SGD_DEFAULTS, .rate = 1e-30};
    r.setup.options.epochs = 30;
    r.setup.options.best_by = NM_BEST_BY_LOSS;
    r.setup.options.early_stopping = (nm_early_stopping){.on = true, .patience = 3, .min_delta = 5};
    r.setup.callbacks.on_epoch = set_bias;
    for (int i = 0; i < 41; i++) {
        r.rates[i] = i < 9 ? 50 - 4 * i : 18; /* then nothing gets better any more */
    }
    nm_tensor_set(r.network.b2, 0, 50);
    small_train(&r);
    assert_fine(r.context);
    ck_assert_int_eq(r.result.best_epoch, 8);
    ck_assert_int_eq(r.result.epochs, 10);
    small_end(&r, NULL);
}
END_TEST

/* ---- Runs that come to nothing ---- */

/* In evaluation the outputs are those of x times a weight of the test's, from the epoch on that it
 * says. */
static nm_tensor *break_forward(void *self, const nm_pass *pass, nm_tensor *x)
{
    small_run *r = self;
    nm_tensor *y = small_forward(&r->network, pass, x);
    bool bad = !pass->training && r->epochs_seen >= r->kill_at;
    return y && bad ? nm_affine(pass->tape, y, r->losses[0], 0) : y;
}

static nm_status count_epoch(void *user, const nm_train_state *state)
{
    (void)state;
    ((small_run *)user)->epochs_seen++;
    return NM_OK;
}

/* Trains four epochs, in which evaluation breaks from `epoch` on, by a factor. */
static void train_broken(small_run *r, int64_t epoch, double factor, const char *folder)
{
    small_begin(r, NULL);
    r->network.network.forward = break_forward;
    r->network.network.self = r;
    r->kill_at = epoch;
    r->losses[0] = factor;
    r->setup.options.epochs = 4;
    r->setup.folder = test_path(folder);
    r->setup.callbacks.on_epoch = count_epoch;
    small_train(r);
}

/* pytorch-lightning#6848. */
START_TEST(an_evaluation_that_is_not_finite_is_named_since_when_and_no_success)
{
    small_run r;
    train_broken(&r, 0, (double)NAN, "never");
    ck_assert_ptr_nonnull(strstr(test_warnings(), "epoch 1: the test loss is NaN"));
    ck_assert_int_eq(r.result.end, NM_TRAIN_DIVERGED);
    ck_assert_int_eq(r.result.best_epoch, -1);
    ck_assert_int_eq(r.result.steps, 20);
    assert_error(r.context, NM_ERROR_NUMERIC, "the test loss is NaN since epoch 1, though");
    ck_assert(access(test_path("never/best.safetensors"), F_OK) != 0);
    ck_assert(access(test_path("never/checkpoint.safetensors"), F_OK) == 0);
    small_end(&r, NULL);
    train_broken(&r, 2, (double)INFINITY, "later");
    ck_assert_ptr_nonnull(strstr(test_warnings(), "epoch 3: the test loss is "));
    ck_assert_int_lt(r.result.best_epoch, 2);
    assert_error(r.context, NM_ERROR_NUMERIC, " since epoch 3, though");
    ck_assert(access(test_path("later/best.safetensors"), F_OK) == 0);
    small_end(&r, NULL);
}
END_TEST

START_TEST(a_resumed_run_knows_since_when_its_evaluation_is_not_finite)
{
    small_run r;
    train_broken(&r, 1, (double)NAN, "resumed");
    nm_context_clear_error(r.context);
    nm_trainer_destroy(r.trainer);
    r.setup.options.epochs = 5;
    r.trainer = nm_trainer_create(r.context, &r.setup);
    nm_trainer_resume(r.trainer, test_path("resumed/checkpoint.safetensors"));
    assert_fine(r.context);
    ck_assert_int_eq(small_train(&r), NM_ERROR_NUMERIC);
    assert_error(r.context, NM_ERROR_NUMERIC, " since epoch 2, though");
    test_warnings();
    small_end(&r, NULL);
}
END_TEST

START_TEST(an_evaluation_that_became_finite_again_is_a_success)
{
    small_run r;
    train_broken(&r, 0, (double)NAN, "again");
    nm_context_clear_error(r.context);
    nm_trainer_destroy(r.trainer);
    r.losses[0] = 1;
    r.setup.options.epochs = 5;
    r.trainer = nm_trainer_create(r.context, &r.setup);
    nm_trainer_resume(r.trainer, test_path("again/checkpoint.safetensors"));
    ck_assert_int_eq(small_train(&r), NM_OK);
    assert_fine(r.context);
    ck_assert_int_eq(r.result.best_epoch, 4);
    test_warnings();
    small_end(&r, NULL);
}
END_TEST

START_TEST(a_loss_that_rose_is_warned_of)
{
    small_run r;
    small_begin(&r, NULL);
    r.sgd = (nm_sgd_options){NM_SGD_DEFAULTS, .rate = 30};
    r.network.plain = true;
    r.setup.options.epochs = 2;
    small_train(&r);
    assert_fine(r.context);
    const char *warnings = test_warnings();
    ck_assert_ptr_nonnull(strstr(warnings, "the training loss rose, from "));
    ck_assert_ptr_nonnull(strstr(warnings, "clip the gradients (train: {clip_norm: 1})"));
    small_end(&r, NULL);
    small_begin(&r, NULL);
    small_train(&r);
    ck_assert_str_eq(test_warnings(), "");
    small_end(&r, NULL);
}
END_TEST

/* What standardizing would mend is told by the numbers of the batch. */
static void diverge(double factor, double clip_norm, const double *mean, const char *said,
                    const char *not_said)
{
    small_run r;
    small_begin(&r, NULL);
    r.network.plain = true;
    r.sgd = (nm_sgd_options){NM_SGD_DEFAULTS, .rate = 1e30};
    r.setup.options.clip_norm = clip_norm;
    r.data.loader.channel_mean = mean;
    for (int i = 0; i < MOST_SAMPLES * INPUTS; i++) {
        r.train.x[i] *= (float)factor;
    }
    ck_assert_int_eq(small_train(&r), NM_ERROR_NUMERIC);
    ck_assert_ptr_null(strstr(nm_context_error(r.context), not_said));
    assert_error(r.context, NM_ERROR_NUMERIC, said);
    test_warnings();
    small_end(&r, NULL);
}

START_TEST(the_message_on_divergence_names_what_mends_it)
{
    const double mean[INPUTS] = {0};
    diverge(1, 0, NULL, "; clip the gradients (train: {clip_norm: 1}), or lower", "standardize");
    diverge(1000, 0, NULL, "; standardize the inputs, which reach ", "targets");
    diverge(1000, 0, mean, "; clip the gradients", "standardize");
    diverge(1, 1e25, NULL, "; lower the learning rate", "clip the gradients");
}
END_TEST

TEST_MAIN("optim/train/epoch", evaluation_does_not_depend_on_the_batch_size,
          ignored_labels_count_for_nothing_in_any_batch_size,
          evaluation_happens_every_so_many_epochs_and_at_the_end,
          an_epoch_that_is_not_evaluated_has_no_loss_of_evaluation,
          a_run_stopped_after_its_last_evaluation_reports_none,
          without_a_validation_set_the_last_network_is_kept,
          without_a_validation_set_patience_is_with_the_training_loss_and_that_is_said,
          the_validation_samples_decide_before_the_test_set, the_best_network_is_kept_in_a_file,
          the_best_is_the_lowest_loss_and_waiting_begins_anew_at_each,
          the_best_is_the_highest_accuracy, early_stopping_waits_as_long_as_told,
          early_stopping_goes_on_while_it_gets_better, min_delta_is_for_patience_alone,
          small_steps_count_once_they_add_up_to_min_delta,
          an_evaluation_that_is_not_finite_is_named_since_when_and_no_success,
          a_resumed_run_knows_since_when_its_evaluation_is_not_finite,
          an_evaluation_that_became_finite_again_is_a_success, a_loss_that_rose_is_warned_of,
          the_message_on_divergence_names_what_mends_it)
