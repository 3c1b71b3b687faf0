#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/optim/train/checkpoint_run.h"

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

/* The child trains and kills itself after update `at`. Called before this process has made threads,
 * which do not survive a fork. */
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
          a_network_that_is_not_finite_is_not_written,
          in_the_middle_of_an_update_nothing_is_written,
          statistics_that_no_network_can_have_are_refused, a_place_that_cannot_be_written_is_named,
          parameters_are_read_from_either_file, every_failing_allocation_is_an_error_without_a_leak,
          whichever_allocation_fails_what_is_saved_can_be_resumed)
