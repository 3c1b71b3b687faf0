#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/optim/small_run.h"

/* ---- Runs in parts ---- */

static nm_status note_step(void *user, const nm_train_state *state)
{
    small_run *r = user;
    r->losses[state->step - 1] = state->loss;
    if (state->step == r->kill_at) {
        raise(SIGKILL);
    }
    if (state->step == r->stop_at) {
        nm_trainer_stop(state->trainer);
    }
    return state->step == r->cancel_at ? NM_ERROR_CANCELLED : NM_OK;
}

/* With everything in it that has a state: shuffling, dropout, running statistics, momentum, a
 * schedule, prefetching, a last short batch, early stopping. */
static void begin(small_run *r, const char *folder, test_memory *memory)
{
    small_begin(r, memory);
    r->data.train.count = 43;
    r->data.loader.prefetch = !memory;
    r->sgd.nesterov = true;
    r->data.validation = small_set(r->context, &r->test, 33);
    r->setup.folder = folder;
    r->setup.callbacks.on_step = note_step;
    r->setup.options.schedule = (nm_choice){.item = &nm_schedule_one_cycle.item};
    r->setup.options.early_stopping = (nm_early_stopping){.on = true, .patience = 50};
    r->setup.options.best_by = NM_BEST_BY_LOSS;
    r->setup.options.clip_norm = 1;
}

static void resume(small_run *r, const char *path)
{
    r->trainer = nm_trainer_create(r->context, &r->setup);
    assert_fine(r->context);
    nm_trainer_resume(r->trainer, path);
}

/* NaN equals NaN. */
static bool same(double a, double b)
{
    return a == b || (isnan(a) && isnan(b));
}

static void assert_same_results(const small_run *a, const small_run *b)
{
    const nm_train_result *x = &a->result, *y = &b->result;
    ck_assert_int_eq(x->epochs, y->epochs);
    ck_assert_int_eq(x->steps, y->steps);
    ck_assert(same(x->train_loss, y->train_loss));
    ck_assert(same(x->test_loss, y->test_loss));
    ck_assert(same(x->test_accuracy, y->test_accuracy));
    ck_assert_int_eq(x->best_epoch, y->best_epoch);
    ck_assert(same(x->best, y->best) && same(x->best_test_loss, y->best_test_loss));
    assert_same_bits(a, b);
}

/* All of two files: nothing in them has to do with the time. */
static void assert_same_files(nm_context *context, const char *first, const char *second)
{
    size_t size[2];
    char *bytes[2] = {nm_file_read(context, first, SIZE_MAX, &size[0]),
                      nm_file_read(context, second, SIZE_MAX, &size[1])};
    assert_fine(context);
    ck_assert_msg(size[0] == size[1] && memcmp(bytes[0], bytes[1], size[0]) == 0,
                  "%s and %s differ", first, second);
    nm_free(context, bytes[0]);
    nm_free(context, bytes[1]);
}

static bool falls, averages;

static void begin_with(small_run *r, const char *folder, int64_t accumulate,
                       const nm_choice *optimizer)
{
    begin(r, folder, NULL);
    r->setup.options.accumulate = accumulate;
    if (optimizer) {
        r->setup.options.optimizer = *optimizer;
    }
    if (averages) {
        r->setup.options.average = (nm_averaging){NM_AVERAGING_DEFAULTS, .decay = 0.7};
    }
    if (falls) {
        r->setup.options.schedule = nm_plateau(.factor = 0.5, .patience = 0, .threshold = 1);
    }
}

/* 18 updates in three epochs, in one go or with an end after `part`. `optimizer` NULL: SGD. */
static void compare_with_resumed(int64_t part, int64_t accumulate, const nm_choice *optimizer)
{
    small_run whole, first, second;
    begin_with(&whole, test_path("whole"), accumulate, optimizer);
    begin_with(&first, test_path("parts"), accumulate, optimizer);
    begin_with(&second, test_path("parts"), accumulate, optimizer);
    first.stop_at = part;
    small_train(&whole);
    small_train(&first);
    ck_assert_int_eq(first.result.steps, part);
    resume(&second, test_path("parts/checkpoint.safetensors"));
    small_train(&second);
    assert_fine(second.context);
    assert_same_results(&whole, &second);
    for (int64_t i = part; i < whole.result.steps; i++) {
        ck_assert(whole.losses[i] == second.losses[i]);
    }
    assert_same_files(whole.context, test_path("whole/checkpoint.safetensors"),
                      test_path("parts/checkpoint.safetensors"));
    assert_same_files(whole.context, test_path("whole/best.safetensors"),
                      test_path("parts/best.safetensors"));
    small_end(&whole, NULL);
    small_end(&first, NULL);
    small_end(&second, NULL);
}

START_TEST(a_resumed_run_equals_an_uninterrupted_one_bit_for_bit)
{
    const int64_t parts[] = {1, 3, 5, 6, 7, 12, 17};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        compare_with_resumed(parts[i], 1, NULL);
    }
    compare_with_resumed(4, 2, NULL);
}
END_TEST

/* With a rate that falls at each evaluation but the first. */
START_TEST(so_it_does_with_a_schedule_that_looks_at_evaluations)
{
    const nm_choice sgd = nm_sgd(.rate = 0.05);
    falls = true;
    compare_with_resumed(7, 1, &sgd);
    compare_with_resumed(13, 1, &sgd);
    falls = false;
}
END_TEST

START_TEST(so_it_does_with_averages)
{
    averages = true;
    compare_with_resumed(7, 1, NULL);
    compare_with_resumed(12, 1, NULL);
    averages = false;
}
END_TEST

START_TEST(so_it_does_with_every_optimizer)
{
    const nm_choice optimizers[] = {
        nm_adam(.amsgrad = true),
        nm_adamw(.rate = 0.01),
        nm_rmsprop(.centered = true, .momentum = 0.5),
        nm_adagrad(.rate_decay = 0.1),
        nm_lion(.weight_decay = 0.1),
        nm_lars(.rate = 1, .weight_decay = 0.01),
        nm_lamb(.weight_decay = 0.01),
    };
    for (size_t i = 0; i < sizeof optimizers / sizeof *optimizers; i++) {
        compare_with_resumed(7, 1, &optimizers[i]);
    }
}
END_TEST

START_TEST(a_run_resumed_several_times_is_still_the_same)
{
    small_run whole, part;
    begin(&whole, NULL, NULL);
    small_train(&whole);
    for (int64_t i = 1; i <= 18; i++) {
        begin(&part, test_path("bits"), NULL);
        part.stop_at = i;
        if (i > 1) {
            resume(&part, test_path("bits/checkpoint.safetensors"));
        }
        small_train(&part);
        assert_fine(part.context);
        ck_assert(part.losses[i - 1] == whole.losses[i - 1]);
        if (i == 18) {
            assert_same_results(&whole, &part);
        }
        small_end(&part, NULL);
    }
    small_end(&whole, NULL);
}
END_TEST

START_TEST(a_finished_run_can_be_extended)
{
    small_run r;
    begin(&r, test_path("extended"), NULL);
    r.setup.options.schedule.item = NULL;
    r.setup.options.steps = 9;
    small_train(&r);
    small_end(&r, NULL);
    small_run longer, whole;
    begin(&longer, test_path("extended"), NULL);
    begin(&whole, NULL, NULL);
    longer.setup.options.schedule.item = whole.setup.options.schedule.item = NULL;
    resume(&longer, test_path("extended/checkpoint.safetensors"));
    small_train(&longer);
    small_train(&whole);
    assert_fine(longer.context);
    assert_same_bits(&longer, &whole);
    small_end(&longer, NULL);
    small_end(&whole, NULL);
}
END_TEST

START_TEST(a_best_that_was_chosen_by_something_else_does_not_count)
{
    small_run r, other;
    begin(&r, test_path("chosen"), NULL); /* by the loss */
    small_train(&r);
    small_end(&r, NULL);
    begin(&other, test_path("chosen"), NULL);
    other.setup.options.best_by = NM_BEST_BY_METRIC;
    other.setup.options.epochs = 4;
    test_warnings();
    resume(&other, test_path("chosen/checkpoint.safetensors"));
    ck_assert_ptr_nonnull(strstr(test_warnings(), "the best network was chosen by loss and is now "
                                                  "by accuracy: the choice begins anew"));
    small_train(&other);
    assert_fine(other.context);
    ck_assert_int_eq(other.result.best_epoch, 3);
    ck_assert(other.result.best == other.result.validation_metric);
    small_end(&other, NULL);
}
END_TEST

START_TEST(resuming_a_finished_run_reports_its_results_again)
{
    small_run first, again;
    begin(&first, test_path("again"), NULL);
    begin(&again, test_path("again"), NULL);
    small_train(&first);
    resume(&again, test_path("again/checkpoint.safetensors"));
    small_train(&again);
    assert_fine(again.context);
    assert_same_results(&first, &again);
    ck_assert(again.result.seconds > 0 && isnan(again.result.samples_per_second));
    small_end(&first, NULL);
    small_end(&again, NULL);
}
END_TEST

/* ---- A killed run ---- */

/* The child trains and kills itself after update `at`. Called before this process has made threads:
 * OpenMP's do not survive a fork. */
static void train_in_a_child(const char *folder, int64_t at, const char *from)
{
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        small_run r;
        begin(&r, folder, NULL);
        nm_context_set_threads(r.context, 1);
        r.kill_at = at;
        r.setup.options.checkpoint_every_steps = 4;
        if (from) {
            resume(&r, from);
        }
        small_train(&r);
        _exit(3); /* it should not get here */
    }
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "the child ended with %d",
                  status);
}

START_TEST(a_run_that_was_killed_goes_on_as_if_nothing_had_happened)
{
    char folder[256], path[256];
    snprintf(folder, sizeof folder, "%s", test_path("killed"));
    snprintf(path, sizeof path, "%s", test_path("killed/checkpoint.safetensors"));
    train_in_a_child(folder, 7, NULL);
    train_in_a_child(folder, 11, path);
    small_run whole, resumed;
    begin(&whole, NULL, NULL);
    begin(&resumed, folder, NULL);
    nm_context_set_threads(whole.context, 1);
    nm_context_set_threads(resumed.context, 1);
    small_train(&whole);
    resume(&resumed, path);
    ck_assert_int_eq(nm_trainer_state(resumed.trainer)->step, 8);
    small_train(&resumed);
    assert_fine(resumed.context);
    assert_same_results(&whole, &resumed);
    small_end(&whole, NULL);
    small_end(&resumed, NULL);
}
END_TEST

/* ---- Files that are broken or of something else ---- */

static void *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    ck_assert_ptr_nonnull(file);
    char *data = malloc(1 << 16);
    *size = fread(data, 1, 1 << 16, file);
    fclose(file);
    ck_assert(*size > 100 && *size < 1 << 16);
    return data;
}

/* A folder with the checkpoint of a short run. */
static const char *make_checkpoint(const char *name)
{
    static char path[300];
    small_run r;
    begin(&r, test_path(name), NULL);
    r.stop_at = 7;
    small_train(&r);
    assert_fine(r.context);
    snprintf(path, sizeof path, "%s/checkpoint.safetensors", r.setup.folder);
    small_end(&r, NULL);
    return path;
}

/* Resuming fails, says so with `part`, and leaves network and trainer as they were. */
static void refuses(small_run *r, const char *path, nm_status status, const char *part)
{
    unsigned char before[MOST_BYTES], after[MOST_BYTES];
    r->trainer = nm_trainer_create(r->context, &r->setup);
    assert_fine(r->context);
    size_t size = small_bits(r, before);
    ck_assert_int_eq(nm_trainer_resume(r->trainer, path), status);
    ck_assert_msg(strstr(nm_context_error(r->context), path) != NULL, "\"%s\" does not name \"%s\"",
                  nm_context_error(r->context), path);
    assert_error(r->context, status, part);
    small_bits(r, after);
    ck_assert(memcmp(before, after, size) == 0);
    ck_assert_int_eq(nm_trainer_state(r->trainer)->step, 0);
    nm_trainer_destroy(r->trainer);
    r->trainer = NULL;
}

START_TEST(a_truncated_checkpoint_is_refused_and_changes_nothing)
{
    size_t size;
    char *data = read_file(make_checkpoint("truncated"), &size);
    const char *path = test_path("truncated.safetensors");
    small_run r, fresh;
    begin(&r, NULL, NULL);
    for (size_t length = 0; length < size; length += length < 64 ? 1 : 97) {
        test_write_file(path, data, length);
        refuses(&r, path, NM_ERROR_FORMAT, "");
    }
    /* The run that could not be resumed can be begun. */
    begin(&fresh, NULL, NULL);
    small_train(&r);
    small_train(&fresh);
    assert_fine(r.context);
    assert_same_results(&r, &fresh);
    small_end(&r, NULL);
    small_end(&fresh, NULL);
    free(data);
}
END_TEST

/* Any byte of the header may be wrong: it is refused, or something else is read, without harm. */
START_TEST(no_wrong_byte_does_harm)
{
    size_t size;
    char *data = read_file(make_checkpoint("bytes"), &size);
    const char *path = test_path("byte.safetensors");
    small_run r;
    begin(&r, NULL, NULL);
    for (size_t i = 0; i < size; i += i < 1200 ? 1 : 61) {
        data[i] ^= 0x15;
        test_write_file(path, data, size);
        r.trainer = nm_trainer_create(r.context, &r.setup);
        nm_status status = nm_trainer_resume(r.trainer, path);
        ck_assert(status == NM_OK || status == NM_ERROR_FORMAT || status == NM_ERROR_INPUT ||
                  status == NM_ERROR_MEMORY);
        nm_context_clear_error(r.context);
        nm_trainer_destroy(r.trainer);
        r.trainer = NULL;
        data[i] ^= 0x15;
    }
    small_end(&r, NULL);
    free(data);
}
END_TEST

/* The checkpoint with `from` in its header replaced by `to`. */
static const char *replaced(const char *path, const char *from, const char *to)
{
    size_t size, length = strlen(from), added = strlen(to);
    char *data = read_file(path, &size), *at = NULL;
    for (size_t i = 0; i + length <= size && !at; i++) {
        at = memcmp(data + i, from, length) == 0 ? data + i : NULL;
    }
    ck_assert_msg(at != NULL, "the checkpoint has no %s", from);
    uint64_t header;
    memcpy(&header, data, sizeof header);
    test_turn(&header, sizeof header, sizeof header);
    header = header + added - length;
    test_turn(&header, sizeof header, sizeof header);
    char *larger = realloc(data, size + added + 1);
    ck_assert_ptr_nonnull(larger);
    data = larger;
    at = memmem(data, size, from, length);
    memmove(at + added, at + length, size - (size_t)(at - data) - length);
    memcpy(at, to, added);
    memcpy(data, &header, sizeof header);
    const char *result = test_path("replaced.safetensors");
    test_write_file(result, data, size + added - length);
    free(data);
    return result;
}

START_TEST(metadata_that_make_no_sense_are_named)
{
    const char *path = make_checkpoint("metadata");
    small_run r;
    begin(&r, NULL, NULL);
    refuses(&r, replaced(path, "norma checkpoint", "nxrma checkpoint"), NM_ERROR_FORMAT,
            "not a checkpoint of a training run");
    refuses(&r, replaced(path, "\"version\":\"2\"", "\"version\":\"3\""), NM_ERROR_FORMAT,
            "version 3, and this library reads version 2");
    refuses(&r, replaced(path, "\"step\":\"7\"", "\"stop\":\"7\""), NM_ERROR_FORMAT,
            "\"step\" is missing");
    refuses(&r, replaced(path, "\"step\":\"7\"", "\"step\":\"x\""), NM_ERROR_FORMAT,
            "\"step\" is no such number: x");
    refuses(&r, replaced(path, "\"batch\":\"1\"", "\"batch\":\"9\""), NM_ERROR_FORMAT,
            "batch 9 of epoch 1, but an epoch has 6 batches");
    refuses(&r, replaced(path, "\"seed\":\"1\"", "\"sead\":\"1\""), NM_ERROR_FORMAT,
            "\"seed\" is missing");
    small_end(&r, NULL);
}
END_TEST

START_TEST(numbers_that_no_run_could_have_are_refused)
{
    static const struct {
        const char *from, *to, *part;
    } rows[] = {
        {"\"step\":\"7\"", "\"step\":\"8\"", "updates are 8, which is not what batch 1 of epoch 1"},
        {"\"step\":\"7\"", "\"step\":\"0\"", "updates are 0"},
        {"\"step\":\"7\"", "\"step\":\"1000000000000000000\"", "updates are 1000000000000000000"},
        {"\"step\":\"7\"", "\"step\":\"9223372036854775807\"", "updates are 9223372036854775807"},
        {"\"epoch\":\"1\"", "\"epoch\":\"2\"",
         "updates are 7, which is not what batch 1 of epoch 2"},
        {"\"epoch\":\"1\"", "\"epoch\":\"9223372036854775807\"", "epoch 9223372036854775807"},
        {"\"batch\":\"1\"", "\"batch\":\"2\"", "updates are 7, which is not what batch 2"},
        {"\"samples\":\"", "\"samples\":\"9", "samples are 9"},
        {"\"samples\":\"", "\"samples\":\"9223372036854775807\", \"x\":\"",
         "samples are 9223372036854775807, which batch 1 of epoch 1 cannot have"},
        {"\"samples\":\"", "\"samples\":\"6\", \"x\":\"", "samples are 6"},
        {"\"waited\":\"", "\"waited\":\"9223372036854775807\", \"x\":\"",
         "9223372036854775807 evaluations brought nothing better"},
        {"\"waited\":\"", "\"waited\":\"8\", \"x\":\"", "8 evaluations brought nothing better"},
        {"\"best_epoch\":\"", "\"best_epoch\":\"2\", \"x\":\"", "best epoch is 2"},
        {"\"best_epoch\":\"", "\"best_epoch\":\"-1\", \"x\":\"", "best epoch is -1"},
        {"\"best\":\"", "\"best\":\".nan\", \"x\":\"", "with a result of nan"},
        {"\"best\":\"", "\"best\":\".inf\", \"x\":\"", "with a result of inf"},
        {"\"reference\":\"", "\"reference\":\"-.inf\", \"x\":\"", "better than -inf"},
        {"\"loss_sum\":\"", "\"loss_sum\":\".nan\", \"x\":\"", "losses are nan"},
        {"\"loss_weight\":\"", "\"loss_weight\":\"-1\", \"x\":\"", "of weight -1"},
        {"\"train_loss\":\"", "\"train_loss\":\".inf\", \"x\":\"", "inf of the last epoch"},
        {"\"first_loss\":\"", "\"first_loss\":\".inf\", \"x\":\"", "and inf of the first"},
        {"\"bad_epoch\":\"", "\"bad_epoch\":\"2\", \"x\":\"", "the first bad one 2"},
        {"\"test.samples\":\"", "\"test.samples\":\"9999\", \"x\":\"", "evaluated on "},
    };
    const char *path = make_checkpoint("numbers");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        small_run r;
        begin(&r, NULL, NULL);
        refuses(&r, replaced(path, rows[i].from, rows[i].to), NM_ERROR_FORMAT, rows[i].part);
        small_end(&r, NULL);
    }
}
END_TEST

static void refuses_changed(const char *path, void (*change)(small_run *r), nm_status status,
                            const char *part)
{
    small_run r;
    begin(&r, NULL, NULL);
    change(&r);
    refuses(&r, path, status, part);
    small_end(&r, NULL);
}

static void another_seed(small_run *r)
{
    r->setup.options.seed = 2;
}
static void more_samples(small_run *r)
{
    r->data.train.count = 44;
}
static void other_samples(small_run *r)
{
    r->train.x[0] += 1;
}
static void other_labels(small_run *r)
{
    r->train.labels[1] ^= 1;
}
static void another_batch(small_run *r)
{
    r->data.loader.batch = 9;
}
static void accumulation(small_run *r)
{
    r->setup.options.accumulate = 2;
}
static void no_momentum(small_run *r)
{
    r->sgd = (nm_sgd_options){NM_SGD_DEFAULTS, .rate = 0.1};
}
static void another_network(small_run *r)
{
    small_add(&r->network, "more.bias", NM_BIAS, NM_SHAPE(3));
}

START_TEST(another_runs_checkpoint_is_refused)
{
    const char *path = make_checkpoint("foreign");
    refuses_changed(path, another_seed, NM_ERROR_INPUT, "the seed differs (1 there, 2 here)");
    refuses_changed(path, more_samples, NM_ERROR_INPUT, "the training set differs (43 samples");
    refuses_changed(path, other_samples, NM_ERROR_INPUT, "the training set differs (43 samples");
    refuses_changed(path, other_labels, NM_ERROR_INPUT, "the training set differs (43 samples");
    refuses_changed(path, another_batch, NM_ERROR_INPUT, "the batches (size, and number");
    refuses_changed(path, accumulation, NM_ERROR_INPUT, "accumulated batches differs (1 there, 2");
    refuses_changed(path, no_momentum, NM_ERROR_FORMAT, "momentum.");
    refuses_changed(path, another_network, NM_ERROR_FORMAT, "more.bias");
}
END_TEST

/* The optimizer's state fits, the network does not: the first must be taken back. */
START_TEST(a_refused_checkpoint_leaves_no_momentum_behind)
{
    const char *path = make_checkpoint("momentum");
    small_run refused, fresh;
    begin(&refused, NULL, NULL);
    begin(&fresh, NULL, NULL);
    small_add(&refused.network, "more.statistic", NM_STATISTIC, NM_SHAPE(3));
    resume(&refused, path);
    assert_error(refused.context, NM_ERROR_FORMAT, "more.statistic");
    small_train(&refused);
    small_train(&fresh);
    assert_fine(refused.context);
    for (int i = 0; i < 18; i++) {
        ck_assert(refused.losses[i] == fresh.losses[i]);
    }
    small_end(&refused, NULL);
    small_end(&fresh, NULL);
}
END_TEST

START_TEST(a_network_without_a_run_cannot_be_resumed)
{
    small_run r;
    begin(&r, test_path("network"), NULL);
    small_train(&r);
    nm_trainer_destroy(r.trainer);
    refuses(&r, test_path("network/best.safetensors"), NM_ERROR_FORMAT,
            "only a network; resume from checkpoint.safetensors");
    refuses(&r, test_path("network/missing.safetensors"), NM_ERROR_IO, "No such file");
    small_end(&r, NULL);
}
END_TEST

START_TEST(a_trainer_that_has_made_steps_cannot_be_resumed)
{
    small_run r;
    begin(&r, test_path("twice"), NULL);
    small_train(&r);
    nm_trainer_resume(r.trainer, test_path("twice/checkpoint.safetensors"));
    assert_error(r.context, NM_ERROR_INPUT, "only before the trainer has made a step");
    small_end(&r, NULL);
}
END_TEST

/* ---- Writing ---- */

START_TEST(a_network_that_is_not_finite_is_not_written)
{
    small_run r;
    begin(&r, test_path("finite"), NULL);
    small_train(&r);
    size_t before, after;
    char *old = read_file(test_path("finite/checkpoint.safetensors"), &before);
    nm_tensor_set(r.network.var, 3, NAN);
    ck_assert_int_eq(nm_trainer_save(r.trainer, test_path("finite/checkpoint.safetensors")),
                     NM_ERROR_NUMERIC);
    assert_error(r.context, NM_ERROR_NUMERIC,
                 "checkpoint.safetensors: not written, since \"norm.running_var\" is NaN at [3]; "
                 "it must be");
    nm_parameters_write(r.network.store, test_path("finite/network.safetensors"));
    assert_error(r.context, NM_ERROR_NUMERIC, "norm.running_var");
    ck_assert_int_ne(access(test_path("finite/network.safetensors"), F_OK), 0);
    char *now = read_file(test_path("finite/checkpoint.safetensors"), &after);
    ck_assert(before == after && memcmp(old, now, before) == 0);
    free(old);
    free(now);
    small_end(&r, NULL);
}
END_TEST

static nm_status save_within_the_update(void *user, const nm_train_state *state)
{
    return nm_trainer_save(state->trainer, user);
}

START_TEST(in_the_middle_of_an_update_nothing_is_written)
{
    small_run r;
    char path[300];
    begin(&r, NULL, NULL);
    snprintf(path, sizeof path, "%s", test_path("middle.safetensors"));
    r.setup.callbacks = (nm_train_callbacks){.user = path, .on_gradients = save_within_the_update};
    r.trainer = nm_trainer_create(r.context, &r.setup);
    ck_assert_int_eq(nm_trainer_run(r.trainer, NULL), NM_ERROR_FORMAT);
    assert_error(r.context, NM_ERROR_FORMAT, "middle.safetensors: not written; save between two");
    ck_assert_int_ne(access(path, F_OK), 0);
    small_end(&r, NULL);
}
END_TEST

START_TEST(statistics_that_no_network_can_have_are_refused)
{
    static const struct {
        const char *name;
        double value;
        const char *part;
    } rows[] = {
        {"norm.running_var", (double)NAN,
         "\"norm.running_var\" is NaN at [3]; it must be a finite"},
        {"norm.running_var", -0.5, "\"norm.running_var\" is -0.5 at [3]; it must be a variance, 0"},
        {"norm.running_mean", (double)INFINITY,
         "\"norm.running_mean\" is inf at [3]; it must be a"},
        {"norm.running_mean", -0.5, NULL},
        {"norm.running_var", 0, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        small_run r;
        begin(&r, NULL, NULL);
        nm_tensor *tensor = nm_store_find(r.network.store, rows[i].name)->tensor;
        nm_tensor_set(tensor, 3, rows[i].value);
        nm_tensor_writer *writer = nm_tensor_writer_create(r.context);
        nm_store_write(r.network.store, NULL, writer);
        nm_tensor_writer_write(writer, test_path("odd.safetensors"));
        nm_tensor_writer_destroy(writer);
        nm_tensor_set(tensor, 3, 7);
        nm_status status = nm_parameters_read(r.network.store, test_path("odd.safetensors"));
        if (rows[i].part) {
            ck_assert_int_eq(status, NM_ERROR_FORMAT);
            assert_error(r.context, NM_ERROR_FORMAT, rows[i].part);
        }
        assert_fine(r.context);
        ck_assert(nm_tensor_get(tensor, 3) == (rows[i].part ? 7 : rows[i].value));
        small_end(&r, NULL);
    }
}
END_TEST

START_TEST(a_place_that_cannot_be_written_is_named)
{
    small_run r;
    test_write_file(test_path("a_file"), "x", 1);
    begin(&r, test_path("a_file/run"), NULL);
    ck_assert_ptr_null(nm_trainer_create(r.context, &r.setup));
    assert_error(r.context, NM_ERROR_IO, "a_file");
    r.setup.folder = test_path("taken");
    ck_assert_int_eq(mkdir(r.setup.folder, 0777), 0);
    ck_assert_int_eq(mkdir(test_path("taken/checkpoint.safetensors"), 0777), 0);
    ck_assert_int_eq(small_train(&r), NM_ERROR_IO);
    assert_error(r.context, NM_ERROR_IO, "checkpoint.safetensors");
    small_end(&r, NULL);
}
END_TEST

START_TEST(parameters_are_read_from_either_file)
{
    small_run trained, fresh;
    begin(&trained, test_path("either"), NULL);
    trained.setup.options.epochs = 1; /* the last is the best */
    small_train(&trained);
    nm_parameters_write(trained.network.store, test_path("either/plain.safetensors"));
    assert_fine(trained.context);
    const char *const names[] = {"either/checkpoint.safetensors", "either/best.safetensors",
                                 "either/plain.safetensors"};
    for (int i = 0; i < 3; i++) {
        begin(&fresh, NULL, NULL);
        nm_parameters_read(fresh.network.store, test_path(names[i]));
        assert_fine(fresh.context);
        assert_same_bits(&trained, &fresh);
        another_network(&fresh);
        nm_parameters_read(fresh.network.store, test_path(names[i]));
        ck_assert_ptr_nonnull(strstr(nm_context_error(fresh.context), test_path(names[i])));
        assert_error(fresh.context, NM_ERROR_FORMAT, "more.bias");
        small_end(&fresh, NULL);
    }
    small_end(&trained, NULL);
}
END_TEST

/* ---- Memory ---- */

static nm_status save_and_resume(test_memory *memory)
{
    small_run r;
    begin(&r, NULL, memory);
    if (!r.context) {
        return NM_ERROR_MEMORY;
    }
    if (nm_context_status(r.context) == NM_OK) {
        r.trainer = nm_trainer_create(r.context, &r.setup);
    }
    if (r.trainer && nm_trainer_save(r.trainer, test_path("memory.safetensors")) == NM_OK) {
        nm_trainer_resume(r.trainer, test_path("memory.safetensors"));
    }
    nm_status status = nm_context_status(r.context);
    small_end(&r, memory);
    return status;
}

/* Data that say what is done to samples, whose description takes a lot of text. */
static nm_schema *describe_samples(small_run *r)
{
    nm_schema *schema = r->context ? nm_schema_create(r->context) : NULL;
    double *mean = schema ? nm_schema_alloc(schema, 100, sizeof *mean) : NULL;
    for (int i = 0; mean && i < 100; i++) {
        mean[i] = 0.125 + i;
    }
    if (mean) {
        schema->shape = schema->target_shape = NM_SHAPE(100);
        schema->channels = 100;
        schema->mean = schema->deviation = mean;
        r->data.schema = schema;
    }
    return schema;
}

/* Saves; then what is there must go on, whatever became of it. */
static nm_status save_with_schema(test_memory *memory)
{
    small_run r, sound;
    begin(&r, NULL, memory);
    nm_schema *schema = describe_samples(&r);
    if (r.context && nm_context_status(r.context) == NM_OK) {
        r.trainer = nm_trainer_create(r.context, &r.setup);
    }
    if (r.trainer) {
        nm_trainer_save(r.trainer, test_path("schema.safetensors"));
    }
    nm_status status = r.context ? nm_context_status(r.context) : NM_ERROR_MEMORY;
    nm_schema_destroy(schema);
    if (r.context) {
        small_end(&r, memory);
    }
    begin(&sound, NULL, NULL);
    schema = describe_samples(&sound);
    if (access(test_path("schema.safetensors"), F_OK) == 0) {
        resume(&sound, test_path("schema.safetensors"));
    }
    assert_fine(sound.context);
    nm_schema_destroy(schema);
    small_end(&sound, NULL);
    return status;
}

START_TEST(whichever_allocation_fails_what_is_saved_can_be_resumed)
{
    test_every_allocation(save_with_schema);
}
END_TEST

START_TEST(every_failing_allocation_is_an_error_without_a_leak)
{
    test_every_allocation(save_and_resume);
}
END_TEST

TEST_MAIN("optim/train/checkpoint", a_resumed_run_equals_an_uninterrupted_one_bit_for_bit,
          so_it_does_with_averages, so_it_does_with_every_optimizer,
          so_it_does_with_a_schedule_that_looks_at_evaluations,
          a_run_resumed_several_times_is_still_the_same, a_finished_run_can_be_extended,
          resuming_a_finished_run_reports_its_results_again,
          a_best_that_was_chosen_by_something_else_does_not_count,
          a_run_that_was_killed_goes_on_as_if_nothing_had_happened,
          a_truncated_checkpoint_is_refused_and_changes_nothing, no_wrong_byte_does_harm,
          metadata_that_make_no_sense_are_named, numbers_that_no_run_could_have_are_refused,
          another_runs_checkpoint_is_refused, a_refused_checkpoint_leaves_no_momentum_behind,
          a_network_without_a_run_cannot_be_resumed,
          a_trainer_that_has_made_steps_cannot_be_resumed,
          a_network_that_is_not_finite_is_not_written,
          in_the_middle_of_an_update_nothing_is_written,
          statistics_that_no_network_can_have_are_refused, a_place_that_cannot_be_written_is_named,
          parameters_are_read_from_either_file, every_failing_allocation_is_an_error_without_a_leak,
          whichever_allocation_fails_what_is_saved_can_be_resumed)
