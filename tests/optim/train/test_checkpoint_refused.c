/* Checkpoints that are broken, or of something else. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/optim/train/checkpoint_run.h"

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
    small_run r; /* between epochs there are no samples of the next */
    begin(&r, NULL, NULL);
    path = replaced(replaced(path, "\"batch\":\"1\"", "\"batch\":\"0\""), "\"step\":\"7\"",
                    "\"step\":\"6\"");
    refuses(&r, path, NM_ERROR_FORMAT, ", which batch 0 of epoch 1 cannot have");
    small_end(&r, NULL);
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

/* The checkpoint with the tensor's element `at` replaced. */
static const char *with_element(nm_context *context, const char *path, const char *name, int64_t at,
                                double value)
{
    const char *result = test_path("element.safetensors"), *key;
    nm_tensor_file *file = nm_tensor_file_read(context, path);
    nm_tensor_writer *writer = nm_tensor_writer_create(context);
    nm_tensor *tensor = nm_tensor_file_find(file, name);
    ck_assert_ptr_nonnull(tensor);
    nm_tensor_set(tensor, at, value);
    for (int i = 0; i < nm_tensor_file_count(file); i++) {
        nm_tensor_writer_add(writer, nm_tensor_file_name(file, i), nm_tensor_file_at(file, i));
    }
    for (int i = 0; (key = nm_tensor_file_metadata_key(file, i)); i++) {
        nm_tensor_writer_set_metadata(writer, key, nm_tensor_file_metadata(file, key));
    }
    ck_assert_int_eq(nm_tensor_writer_write(writer, result), NM_OK);
    nm_tensor_writer_destroy(writer);
    nm_tensor_file_destroy(file);
    return result;
}

START_TEST(statistics_of_averages_are_looked_at_as_the_networks_own)
{
    small_run r;
    begin(&r, test_path("averages"), NULL);
    r.setup.options.average = (nm_averaging){NM_AVERAGING_DEFAULTS, .decay = 0.7};
    r.stop_at = 7;
    small_train(&r);
    assert_fine(r.context);
    nm_trainer_destroy(r.trainer);
    const char *path = test_path("averages/checkpoint.safetensors");
    refuses(&r, with_element(r.context, path, "average.norm.running_var", 3, -0.5), NM_ERROR_FORMAT,
            "\"average.norm.running_var\" is -0.5 at [3]; it must be a variance");
    resume(&r, with_element(r.context, path, "average.norm.running_mean", 3, -0.5));
    assert_fine(r.context);
    small_end(&r, NULL);
}
END_TEST

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

TEST_MAIN("optim/checkpoint_refused", a_truncated_checkpoint_is_refused_and_changes_nothing,
          no_wrong_byte_does_harm, metadata_that_make_no_sense_are_named,
          numbers_that_no_run_could_have_are_refused,
          statistics_of_averages_are_looked_at_as_the_networks_own,
          another_runs_checkpoint_is_refused, a_refused_checkpoint_leaves_no_momentum_behind,
          a_network_without_a_run_cannot_be_resumed,
          a_trainer_that_has_made_steps_cannot_be_resumed)
