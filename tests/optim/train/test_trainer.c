#include <stdlib.h>
#include <unistd.h>

#include "tests/malloc_count.h"
#include "tests/optim/small_run.h"

/* ---- Training ---- */

START_TEST(a_network_learns)
{
    small_run r;
    small_begin(&r, NULL);
    r.setup.options.epochs = 30;
    small_train(&r);
    assert_fine(r.context);
    ck_assert_int_eq(r.result.end, NM_TRAIN_FINISHED);
    ck_assert_int_eq(r.result.epochs, 30);
    ck_assert_int_eq(r.result.steps, 30 * 5);
    ck_assert(r.result.test_accuracy > 0.9 && r.result.test_accuracy <= 1);
    ck_assert(r.result.test_loss < 0.3 && r.result.train_loss < 0.3);
    ck_assert(r.result.seconds > 0 && r.result.samples_per_second > 0);
    ck_assert(r.result.best_test_metric == r.result.test_accuracy);
    ck_assert(isnan(r.result.validation_loss));
    small_end(&r, NULL);
}
END_TEST

static void train_anew(small_run *r, bool prefetch, int64_t seed)
{
    small_begin(r, NULL);
    r->data.loader.prefetch = prefetch;
    r->setup.options.seed = seed;
    small_train(r);
    assert_fine(r->context);
}

START_TEST(the_same_run_twice_gives_the_same_bits)
{
    small_run first, second, other;
    train_anew(&first, false, 1);
    train_anew(&second, true, 1);
    assert_same_bits(&first, &second);
    ck_assert(first.result.train_loss == second.result.train_loss);
    train_anew(&other, false, 2);
    ck_assert(other.result.train_loss != first.result.train_loss);
    small_end(&first, NULL);
    small_end(&second, NULL);
    small_end(&other, NULL);
}
END_TEST

/* A forward function that notes down the first random number of every training pass. */
static nm_tensor *draw_forward(void *self, const nm_pass *pass, nm_tensor *x)
{
    small_run *r = self;
    if (pass->training) {
        nm_random copy = *pass->random;
        r->losses[r->steps_seen++] = nm_random_uniform(&copy);
    }
    return small_forward(&r->network, pass, x);
}

START_TEST(every_batch_has_random_numbers_of_its_own)
{
    small_run r;
    small_begin(&r, NULL);
    r.setup.options.accumulate = 2;
    r.network.network.self = &r;
    r.network.network.forward = draw_forward;
    small_train(&r);
    assert_fine(r.context);
    ck_assert_int_eq(r.steps_seen, 15);
    for (int i = 0; i < 15; i++) {
        for (int k = 0; k < i; k++) {
            ck_assert(r.losses[i] != r.losses[k]);
        }
    }
    small_end(&r, NULL);
}
END_TEST

START_TEST(steps_count_instead_of_epochs)
{
    small_run r;
    small_begin(&r, NULL);
    r.setup.options.steps = 7; /* one epoch and two updates */
    small_train(&r);
    assert_fine(r.context);
    ck_assert_int_eq(r.result.steps, 7);
    ck_assert_int_eq(r.result.epochs, 1);
    ck_assert(!isnan(r.result.test_loss));
    small_end(&r, NULL);
}
END_TEST

static nm_status note_step(void *user, const nm_train_state *state)
{
    small_run *r = user;
    ck_assert_int_eq(state->step, ++r->steps_seen);
    r->rates[state->step - 1] = state->rate;
    r->losses[state->step - 1] = state->loss;
    if (state->step == r->stop_at) {
        nm_trainer_stop(state->trainer);
    }
    return state->step == r->cancel_at ? NM_ERROR_CANCELLED : NM_OK;
}

static nm_status note_epoch(void *user, const nm_train_state *state)
{
    small_run *r = user;
    ck_assert_int_eq(state->epoch, r->epochs_seen++);
    ck_assert_int_eq(state->step, r->steps_seen);
    ck_assert_int_eq(state->batch, state->batches);
    return NM_OK;
}

static nm_status note_checkpoint(void *user, const nm_train_state *state)
{
    small_run *r = user;
    ck_assert(access(state->path, R_OK) == 0);
    r->checkpoints_seen++;
    return NM_OK;
}

static void watch(small_run *r)
{
    r->setup.callbacks.on_step = note_step;
    r->setup.callbacks.on_epoch = note_epoch;
    r->setup.callbacks.on_checkpoint = note_checkpoint;
}

START_TEST(callbacks_see_every_step_epoch_and_checkpoint)
{
    small_run r;
    small_begin(&r, NULL);
    watch(&r);
    r.setup.folder = test_path("callbacks");
    r.setup.options.epochs = 4;
    r.setup.options.checkpoint_every = 2;
    r.setup.options.checkpoint_every_steps = 7;
    small_train(&r);
    assert_fine(r.context);
    ck_assert_int_eq(r.steps_seen, 20);
    ck_assert_int_eq(r.epochs_seen, 4);
    ck_assert_int_eq(r.checkpoints_seen, 4); /* steps 7, 10, 14, 20 */
    double mean = 0;
    for (int i = 15; i < 20; i++) {
        mean += r.losses[i] / 5;
    }
    assert_near(r.result.train_loss, mean, 1e-12, 0);
    small_end(&r, NULL);
}
END_TEST

START_TEST(the_learning_rate_follows_the_schedule)
{
    small_run r;
    small_begin(&r, NULL);
    watch(&r);
    r.setup.options.schedule = (nm_choice){.item = &nm_schedule_cosine.item};
    r.setup.options.warmup.steps = 2;
    small_train(&r);
    assert_fine(r.context);
    assert_near(r.rates[0], 0.1 / 3, 1e-12, 0);
    assert_near(r.rates[1], 0.2 / 3, 1e-12, 0);
    for (int i = 2; i < 15; i++) {
        assert_near(r.rates[i], 0.05 * (1 + cos(3.14159265358979323846 * (i - 2) / 13)), 1e-12, 0);
    }
    small_end(&r, NULL);
}
END_TEST

START_TEST(a_callback_stops_the_run_well)
{
    small_run r;
    small_begin(&r, NULL);
    watch(&r);
    r.stop_at = 7;
    r.setup.folder = test_path("stopped");
    small_train(&r);
    assert_fine(r.context);
    ck_assert_int_eq(r.result.end, NM_TRAIN_STOPPED);
    ck_assert_int_eq(r.result.steps, 7);
    ck_assert_int_eq(r.checkpoints_seen, 2); /* of the first epoch, and of the end */
    small_end(&r, NULL);
}
END_TEST

START_TEST(a_callback_breaks_the_run_off)
{
    small_run r;
    small_begin(&r, NULL);
    watch(&r);
    r.cancel_at = 7;
    r.setup.folder = test_path("cancelled");
    ck_assert_int_eq(small_train(&r), NM_ERROR_CANCELLED);
    assert_error(r.context, NM_ERROR_CANCELLED, "a callback ended the training at step 7");
    ck_assert_int_eq(r.checkpoints_seen, 1);
    ck_assert_int_eq(r.result.steps, 7);
    small_end(&r, NULL);
}
END_TEST

static nm_status zero_gradients(void *user, const nm_train_state *state)
{
    small_run *r = user;
    (void)state;
    for (int i = 0; i < nm_store_count(r->network.store); i++) {
        nm_tensor *gradient = nm_tensor_grad(nm_store_at(r->network.store, i)->tensor);
        if (gradient) {
            nm_tensor_fill(gradient, 0);
        }
    }
    return NM_OK;
}

START_TEST(a_callback_can_change_the_gradients)
{
    small_run r;
    small_begin(&r, NULL);
    r.sgd.weight_decay = 0;
    r.setup.callbacks.on_gradients = zero_gradients;
    float before[INPUTS * HIDDEN];
    memcpy(before, nm_tensor_data(r.network.w1), sizeof before);
    small_train(&r);
    assert_fine(r.context);
    ck_assert(memcmp(before, nm_tensor_data(r.network.w1), sizeof before) == 0);
    small_end(&r, NULL);
}
END_TEST

/* ---- What goes wrong ---- */

START_TEST(a_loss_that_is_not_finite_ends_the_run_with_a_remedy)
{
    small_run r;
    small_begin(&r, NULL);
    r.setup.folder = test_path("nan");
    r.setup.options.epochs = 2;
    small_train(&r);
    assert_fine(r.context);
    nm_trainer_destroy(r.trainer);
    r.sgd.rate = 1e38;
    r.setup.options.epochs = 9;
    r.trainer = nm_trainer_create(r.context, &r.setup);
    nm_trainer_resume(r.trainer, test_path("nan/checkpoint.safetensors"));
    assert_fine(r.context);
    ck_assert_int_eq(small_train(&r), NM_ERROR_NUMERIC);
    ck_assert_ptr_nonnull(strstr(nm_context_error(r.context), "epoch 3, step 1"));
    ck_assert_ptr_nonnull(strstr(nm_context_error(r.context), "checkpoint.safetensors"));
    ck_assert_ptr_nonnull(strstr(nm_context_error(r.context), "anomaly: true"));
    ck_assert_ptr_null(strstr(nm_context_error(r.context), "warm"));
    ck_assert_int_eq(r.result.end, NM_TRAIN_DIVERGED);
    assert_error(r.context, NM_ERROR_NUMERIC,
                 "clip the gradients (train: {clip_norm: 1}), or lower");
    /* The checkpoint is still that of step 10. */
    nm_trainer_destroy(r.trainer);
    r.trainer = nm_trainer_create(r.context, &r.setup);
    nm_trainer_resume(r.trainer, test_path("nan/checkpoint.safetensors"));
    assert_fine(r.context);
    ck_assert_int_eq(nm_trainer_state(r.trainer)->step, 10);
    small_end(&r, NULL);
}
END_TEST

START_TEST(gradients_that_are_not_finite_end_the_run_where_they_are_clipped)
{
    small_run r;
    small_begin(&r, NULL);
    r.setup.options.clip_norm = 1;
    nm_tensor_set(r.network.w2, 0, 3e38);
    nm_tensor_set(r.network.w2, 1, 3e38);
    ck_assert_int_eq(small_train(&r), NM_ERROR_NUMERIC);
    assert_error(r.context, NM_ERROR_NUMERIC, "epoch 1, step 1");
    small_end(&r, NULL);
}
END_TEST

START_TEST(anomaly_mode_names_the_op)
{
    small_run r;
    small_begin(&r, NULL);
    r.setup.options.anomaly = true;
    nm_tensor_set(r.network.w1, 3, NAN);
    ck_assert_int_eq(small_train(&r), NM_ERROR_NUMERIC);
    ck_assert_ptr_nonnull(strstr(nm_context_error(r.context), "epoch 1, step 1: "));
    assert_error(r.context, NM_ERROR_NUMERIC, "mul (node 0): output");
    small_end(&r, NULL);
}
END_TEST

/* pytorch#7716, scvi-tools#2314, mlx PR#3817: a last batch of one. */
START_TEST(a_last_batch_of_one_is_an_error_that_merging_avoids)
{
    small_run r;
    small_begin(&r, NULL);
    r.data.train.count = 41;
    r.data.loader.last_batch = NM_SHORT_KEEP;
    small_train(&r);
    assert_error(r.context, NM_ERROR_INPUT, "batch_norm");
    small_end(&r, NULL);
    const int merging[] = {NM_SHORT_MERGE, NM_SHORT_AUTO};
    for (int i = 0; i < 2; i++) {
        small_begin(&r, NULL);
        r.data.train.count = 41;
        r.data.loader.last_batch = merging[i];
        small_train(&r);
        assert_fine(r.context);
        ck_assert_int_eq(r.result.steps, 15);
        small_end(&r, NULL);
    }
}
END_TEST

static void fails_with(void (*change)(small_run *r), const char *message)
{
    small_run r;
    small_begin(&r, NULL);
    change(&r);
    small_train(&r);
    assert_error(r.context, NM_ERROR_INPUT, message);
    small_end(&r, NULL);
}

static void without_loss(small_run *r)
{
    r->setup.loss.item = NULL;
}
static void without_samples(small_run *r)
{
    r->data.train.count = 0;
}
static void with_values(small_run *r)
{
    r->setup.loss.item = &nm_loss_mse.item;
}
static void with_a_metric_of_values(small_run *r)
{
    r->setup.options.metric = NM_CHOICES({.item = &nm_metric_mean_absolute_error.item});
}
static void with_one_metric_twice(small_run *r)
{
    r->setup.options.metric =
        NM_CHOICES({.item = &nm_metric_f1.item}, {.item = &nm_metric_f1.item});
}
static void with_no_epoch(small_run *r)
{
    r->setup.options.epochs = 0;
}
static void with_a_long_warm_up(small_run *r)
{
    r->setup.options.warmup.epochs = 3;
}

START_TEST(what_does_not_fit_is_named)
{
    fails_with(without_loss, "no loss is given");
    fails_with(without_samples, "no training samples");
    fails_with(with_values, "mse: it needs values to predict, but the data set has class labels");
    fails_with(with_a_metric_of_values,
               "the metric \"mean_absolute_error\" is for values, the loss \"cross_entropy\" for "
               "class labels");
    fails_with(with_one_metric_twice, "train: the metric \"f1\" stands there twice");
    fails_with(with_no_epoch, "\"epochs\" must be at least 1");
    fails_with(with_a_long_warm_up, "leave nothing of the 15");
}
END_TEST

/* ---- Initialization from data ---- */

START_TEST(data_dependent_initialization_runs_once_before_the_first_step)
{
    small_run r;
    small_begin(&r, NULL);
    r.network.network.wants_data = true;
    r.setup.folder = test_path("wants_data");
    small_train(&r);
    assert_fine(r.context);
    ck_assert_int_eq(r.network.initialized, 1);
    ck_assert_int_eq(r.result.steps, 15);
    nm_trainer_destroy(r.trainer);
    r.setup.options.epochs = 4;
    r.trainer = nm_trainer_create(r.context, &r.setup);
    nm_trainer_resume(r.trainer, test_path("wants_data/checkpoint.safetensors"));
    small_train(&r);
    assert_fine(r.context);
    ck_assert_int_eq(r.network.initialized, 1);
    small_end(&r, NULL);
}
END_TEST

/* ---- The `train` part of a file ---- */

static nm_document *read_options(nm_context *context, const char *yaml, nm_train_options *options)
{
    nm_diagnostics d;
    nm_document *document = nm_document_parse(context, yaml, SIZE_MAX, "net.yaml");
    assert_fine(context);
    nm_diagnostics_begin(&d, context);
    nm_spec_read(&nm_train_spec, nm_document_root(document), "train", document, &d, options);
    nm_diagnostics_end(&d);
    return document;
}

START_TEST(a_run_is_described_in_yaml)
{
    small_run r;
    small_begin(&r, NULL);
    nm_document *document =
        read_options(r.context,
                     "epochs: 2\n"
                     "optimizer: {sgd: {rate: 0.1, momentum: 0.9, nesterov: true}}\n"
                     "schedule: {cosine: {end: 0.1}}\n"
                     "warmup: {epochs: 0.2}\n"
                     "metric: [{recall: {class: 1}}, accuracy, {top_k_accuracy: {k: 1}}]\n"
                     "clip_norm: 5\n"
                     "groups: [{match: 'first.*', rate: 0.5, weight_decay: 0}, "
                     "{match: '*.shift', frozen: true}]\n"
                     "early_stopping: true\n"
                     "best_by: loss\n",
                     &r.setup.options);
    assert_fine(r.context);
    ck_assert_int_eq(r.setup.options.early_stopping.patience, 5);
    ck_assert_int_eq(r.setup.options.accumulate, 1);
    small_train(&r);
    assert_fine(r.context);
    ck_assert_int_eq(r.result.steps, 10);
    ck_assert(r.result.test_metric > 0 && r.result.test_metric == r.result.test_metrics[0]);
    ck_assert(r.result.test_accuracy > 0 && r.result.test_accuracy == r.result.test_metrics[1]);
    ck_assert(r.result.test_metrics[2] == r.result.test_accuracy);
    ck_assert(isnan(r.result.test_metrics[3]) && isnan(r.result.validation_metrics[0]));
    ck_assert(nm_tensor_get(r.network.shift, 0) == 0);
    nm_trainer_destroy(r.trainer);
    r.trainer = NULL;
    nm_document_destroy(document);
    small_end(&r, NULL);
}
END_TEST

START_TEST(every_wrong_option_of_a_run_is_named_at_once)
{
    small_run r;
    nm_train_options options;
    small_begin(&r, NULL);
    nm_document *document = read_options(r.context,
                                         "epochs: 0\n"
                                         "optimizer: {sgd: {rate: 0.1}}\n"
                                         "shedule: cosine\n"
                                         "clip_norm: -1\n"
                                         "early_stopping: {patience: 0}\n",
                                         &options);
    const char *message = nm_context_error(r.context);
    ck_assert_ptr_nonnull(strstr(message, "net.yaml:1:9: train: \"epochs\" must be at least 1"));
    ck_assert_ptr_nonnull(strstr(message, "net.yaml:3:1: train: unknown option \"shedule\"; did"));
    ck_assert_ptr_nonnull(strstr(message, "net.yaml:4:12: train: \"clip_norm\""));
    ck_assert_ptr_nonnull(strstr(message, "net.yaml:5:28: train: early_stopping: \"patience\""));
    nm_context_clear_error(r.context);
    nm_document_destroy(document);
    document = read_options(
        r.context, "optimizer: {sgd: {rate: 1}}\ngroups: [{rate: 1}, {match: a, x: 1}]", &options);
    assert_fine(r.context);
    int count;
    nm_diagnostics d;
    nm_diagnostics_begin(&d, r.context);
    ck_assert_ptr_null(nm_groups_read(options.groups, &d, &count));
    nm_diagnostics_end(&d);
    ck_assert_ptr_nonnull(strstr(nm_context_error(r.context), "net.yaml:2:10: group: \"match\""));
    assert_error(r.context, NM_ERROR_INPUT, "net.yaml:2:32: group: unknown option \"x\"");
    nm_document_destroy(document);
    small_end(&r, NULL);
}
END_TEST

/* ---- Memory ---- */

typedef struct counted_run {
    small_run run;
    test_memory memory;
    long ours[16], all[16]; /* allocations so far, after each step */
} counted_run;

/* Check's own assertions allocate, so they wait until the end. */
static nm_status count_step(void *user, const nm_train_state *state)
{
    counted_run *c = user;
    c->ours[state->step] = c->memory.calls;
    c->all[state->step] = count_mallocs();
    return NM_OK;
}

START_TEST(steady_steps_allocate_nothing)
{
    counted_run c = {.memory = {.fail_at = -1}};
    ck_assert(begin_to_count_mallocs());
    long before = count_mallocs();
    void *volatile probe = malloc(8); /* volatile: or the compiler leaves it out */
    free(probe);
    ck_assert_int_gt(count_mallocs(), before);
    small_begin(&c.run, &c.memory);
    c.run.data.loader.prefetch = true;
    c.run.setup.options.accumulate = 2;
    c.run.setup.options.clip_norm = 1;
    c.run.setup.options.clip_value = 1;
    c.run.setup.callbacks = (nm_train_callbacks){.user = &c, .on_step = count_step};
    small_train(&c.run);
    assert_fine(c.run.context);
    for (int step = 6; step <= 9; step++) { /* from the second epoch on, evaluation included */
        ck_assert_int_eq(c.ours[step], c.ours[5]);
        ck_assert_int_eq(c.all[step], c.all[5]);
    }
    small_end(&c.run, &c.memory);
}
END_TEST

static nm_status train_a_little(test_memory *memory)
{
    small_run r;
    small_begin(&r, memory);
    if (!r.context) {
        return NM_ERROR_MEMORY;
    }
    r.setup.options.epochs = 1;
    r.setup.folder = test_path("allocations");
    nm_status status = nm_context_status(r.context);
    if (status == NM_OK) {
        status = small_train(&r);
    }
    small_end(&r, memory);
    return status;
}

START_TEST(every_failing_allocation_is_an_error_without_a_leak)
{
    test_every_allocation(train_a_little);
}
END_TEST

TEST_MAIN("optim/train/trainer", a_network_learns, the_same_run_twice_gives_the_same_bits,
          every_batch_has_random_numbers_of_its_own, steps_count_instead_of_epochs,
          callbacks_see_every_step_epoch_and_checkpoint, the_learning_rate_follows_the_schedule,
          a_callback_stops_the_run_well, a_callback_breaks_the_run_off,
          a_callback_can_change_the_gradients, a_loss_that_is_not_finite_ends_the_run_with_a_remedy,
          gradients_that_are_not_finite_end_the_run_where_they_are_clipped,
          anomaly_mode_names_the_op, a_last_batch_of_one_is_an_error_that_merging_avoids,
          what_does_not_fit_is_named, data_dependent_initialization_runs_once_before_the_first_step,
          a_run_is_described_in_yaml, every_wrong_option_of_a_run_is_named_at_once,
          steady_steps_allocate_nothing, every_failing_allocation_is_an_error_without_a_leak)
