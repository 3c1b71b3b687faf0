#include "optim/checkpoint.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "optim/saved_internal.h"
#include "optim/train/internal.h"

#define CHECKPOINT NM_FORMAT_CHECKPOINT
#define NETWORK NM_FORMAT_NETWORK
#define VERSION NM_FORMAT_VERSION
#define MODEL NM_MODEL_PREFIX
#define OPTIMIZER "optimizer."
#define AVERAGE "average."

/* ---- Progress as metadata ---- */

typedef struct field {
    const char *key;
    size_t offset;
    bool is_integer; /* int64_t, at least `least`; else double */
    int64_t least;
    bool may_miss; /* files of earlier versions lack it: it stays what it was */
} field;

#define INTEGER(member, least)                                                                     \
    {                                                                                              \
#member, offsetof(nm_progress, member), true, least, false                                 \
    }
#define NUMBER(member)                                                                             \
    {                                                                                              \
#member, offsetof(nm_progress, member), false, 0, false                                    \
    }
#define NEW_NUMBER(member)                                                                         \
    {                                                                                              \
#member, offsetof(nm_progress, member), false, 0, true                                     \
    }

#define NEW_INTEGER(member, least)                                                                 \
    {                                                                                              \
#member, offsetof(nm_progress, member), true, least, true                                  \
    }

/* Beside the first one. */
#define OTHER_METRICS(set)                                                                         \
    NUMBER(set.metrics[1]), NUMBER(set.metrics[2]), NUMBER(set.metrics[3]),                        \
        NUMBER(set.metrics[4]), NUMBER(set.metrics[5]), NUMBER(set.metrics[6]),                    \
        NUMBER(set.metrics[7])

static const field fields[] = {
    INTEGER(epoch, 0),
    INTEGER(batch, 0),
    INTEGER(step, 0),
    INTEGER(samples, 0),
    NUMBER(loss_sum),
    NUMBER(loss_weight),
    NUMBER(train_loss),
    INTEGER(validation.samples, 0),
    NUMBER(validation.loss),
    NUMBER(validation.metric),
    OTHER_METRICS(validation),
    INTEGER(test.samples, 0),
    NUMBER(test.loss),
    NUMBER(test.metric),
    OTHER_METRICS(test),
    INTEGER(best_epoch, -1),
    NUMBER(best),
    NUMBER(best_test_loss),
    NUMBER(best_test_metric),
    NEW_NUMBER(reference),
    INTEGER(waited, 0),
    NEW_INTEGER(bad_epoch, -1),
    NEW_NUMBER(first_loss),
    NEW_NUMBER(watch.best),
    NEW_INTEGER(watch.waited, 0),
    NEW_INTEGER(watch.resting, 0),
    NEW_INTEGER(watch.drops, 0),
    NEW_INTEGER(averaged, 0),
};

static nm_status write_field(nm_tensor_writer *writer, const field *f, const nm_progress *progress)
{
    char text[32];
    const void *member = (const char *)progress + f->offset;
    if (f->is_integer) {
        snprintf(text, sizeof text, "%" PRId64, *(const int64_t *)member);
    } else {
        nm_format_float(*(const double *)member, text); /* reads back as the same bits */
    }
    return nm_tensor_writer_set_metadata(writer, f->key, text);
}

static nm_status read_field(nm_context *context, const nm_tensor_file *file, const field *f,
                            nm_progress *progress)
{
    const char *text = nm_tensor_file_metadata(file, f->key);
    void *member = (char *)progress + f->offset;
    if (!text && f->may_miss) {
        return NM_OK;
    }
    bool fine = text && (f->is_integer ? nm_parse_int(text, member) : nm_parse_float(text, member));
    if (fine && (!f->is_integer || *(int64_t *)member >= f->least)) {
        return NM_OK;
    }
    return nm_fail(context, NM_ERROR_FORMAT, "the checkpoint's \"%s\" is %s%.40s", f->key,
                   text ? "no such number: " : "missing", text ? text : "");
}

/* ---- Writing ---- */

static nm_status describe_format(nm_tensor_writer *writer, const char *format)
{
    nm_status status = nm_tensor_writer_set_metadata(writer, "format", format);
    return status == NM_OK ? nm_tensor_writer_set_metadata(writer, "version", VERSION) : status;
}

/* What a prediction needs beside the tensors. */
static nm_status describe_network(const nm_trainer *t, nm_tensor_writer *writer)
{
    const nm_trainer_setup *s = &t->setup;
    const nm_description description = {
        .model = s->network->description,
        .schema = s->data->schema,
        .loss = {.item = &t->loss.type->item, .options = t->loss.options},
        .metric = t->metrics,
        .guess = t->guess,
        .split = &s->data->split};
    return nm_description_write(t->context, &description, writer);
}

static nm_status fill_checkpoint(nm_trainer *t, nm_tensor_writer *writer)
{
    nm_status status = describe_format(writer, CHECKPOINT);
    if (status == NM_OK) status = nm_marks_write(t, writer);
    if (status == NM_OK) status = describe_network(t, writer);
    for (int i = 0; i < NM_COUNT_OF(fields) && status == NM_OK; i++) {
        status = write_field(writer, &fields[i], &t->progress);
    }
    if (status == NM_OK) status = nm_store_write(t->setup.network->store, MODEL, writer);
    if (status == NM_OK) {
        status = nm_store_write(nm_optimizer_state(t->optimizer), OPTIMIZER, writer);
    }
    if (status == NM_OK && t->average) {
        status = nm_store_write(t->average, AVERAGE, writer);
    }
    return status;
}

/* Writes what was filled in, and ends the writer. */
static nm_status finish(nm_context *context, nm_tensor_writer *writer, const char *path,
                        nm_status status)
{
    if (status == NM_OK) {
        status = nm_tensor_writer_write(writer, path);
    }
    nm_tensor_writer_destroy(writer);
    if (status == NM_ERROR_NUMERIC || status == NM_ERROR_FORMAT) {
        return nm_fail_in(context, "%s", path);
    }
    return status;
}

/* Within an update, as in on_gradients, the numbers are of the middle. */
static nm_status check_progress(const nm_trainer *t)
{
    return nm_progress_check(t, &t->progress) == NM_OK
               ? NM_OK
               : nm_fail_in(t->context, "not written; save between two updates, as in on_step");
}

static nm_status write_checkpoint(nm_trainer *t, const char *path)
{
    nm_tensor_writer *writer = nm_tensor_writer_create(t->context);
    if (!writer) {
        return nm_context_status(t->context);
    }
    nm_status status = nm_store_check_values(t->setup.network->store);
    if (status == NM_OK) status = nm_store_check_values(nm_optimizer_state(t->optimizer));
    if (status == NM_OK) status = check_progress(t);
    if (status == NM_OK) status = fill_checkpoint(t, writer);
    return finish(t->context, writer, path, status);
}

/* What training goes on from are the last weights, also where the averages are in their place. */
nm_status nm_checkpoint_write(nm_trainer *t, const char *path)
{
    const bool was_averaged = t->is_averaged;
    nm_average_leave(t);
    nm_status status = write_checkpoint(t, path);
    return was_averaged && status == NM_OK ? nm_average_enter(t) : status;
}

static nm_status fill_network(const nm_trainer *t, nm_tensor_writer *writer)
{
    const nm_store *store = t->setup.network->store;
    nm_status status = nm_store_check_values(store);
    if (status == NM_OK) status = describe_format(writer, NETWORK);
    if (status == NM_OK) status = describe_network(t, writer);
    return status == NM_OK ? nm_store_write(store, NULL, writer) : status;
}

nm_status nm_best_write(nm_trainer *t, const char *path)
{
    static const char *const told[] = {"epoch", "step", "best", "test.loss", "test.metric"};
    nm_tensor_writer *writer = nm_tensor_writer_create(t->context);
    if (!writer) {
        return nm_context_status(t->context);
    }
    nm_status status = fill_network(t, writer);
    for (int i = 0; i < NM_COUNT_OF(fields); i++) {
        for (int k = 0; k < NM_COUNT_OF(told) && status == NM_OK; k++) {
            if (!strcmp(fields[i].key, told[k])) {
                status = write_field(writer, &fields[i], &t->progress);
            }
        }
    }
    return finish(t->context, writer, path, status);
}

/* ---- Reading ---- */

static bool has_format(const nm_tensor_file *file, const char *format)
{
    const char *found = nm_tensor_file_metadata(file, "format");
    return found && strcmp(found, format) == 0;
}

static nm_status check_format(nm_context *context, const nm_tensor_file *file)
{
    const char *version = nm_tensor_file_metadata(file, "version");
    if (!has_format(file, CHECKPOINT)) {
        return nm_fail(context, NM_ERROR_FORMAT, "this is not a checkpoint of a training run%s",
                       has_format(file, NETWORK)
                           ? " but only a network; resume from checkpoint.safetensors"
                           : "");
    }
    if (!version || strcmp(version, VERSION) != 0) {
        return nm_fail(
            context, NM_ERROR_FORMAT,
            "the checkpoint is of version %.20s, and this library reads version " VERSION,
            version ? version : "\"\"");
    }
    return NM_OK;
}

static nm_status read_progress(const nm_trainer *t, const nm_tensor_file *file,
                               nm_progress *progress)
{
    nm_status status = NM_OK;
    *progress = (nm_progress){.validation = NM_NO_EVALUATION,
                              .test = NM_NO_EVALUATION,
                              .reference = (double)NAN,
                              .bad_epoch = -1,
                              .first_loss = (double)NAN,
                              .watch = NM_NO_WATCH};
    for (int i = 0; i < NM_COUNT_OF(fields) && status == NM_OK; i++) {
        status = read_field(t->context, file, &fields[i], progress);
    }
    progress->reference = isnan(progress->reference) ? progress->best : progress->reference;
    return status == NM_OK ? nm_progress_check(t, progress) : status;
}

static void forget_state(nm_store *state)
{
    for (int i = 0; i < nm_store_count(state); i++) {
        nm_tensor_fill(nm_store_at(state, i)->tensor, 0);
    }
}

/* Those of a run that took none, or takes none any more, begin anew. */
static nm_status read_average(const nm_trainer *t, const nm_tensor_file *file,
                              nm_progress *progress)
{
    progress->averaged = t->average ? progress->averaged : 0;
    return progress->averaged ? nm_store_read(t->average, AVERAGE, file) : NM_OK;
}

/* Everything is checked before anything is changed; the network's own reading does so too, and the
 * optimizer's state, which is all zeros here, can be taken back. */
static nm_status take_checkpoint(nm_trainer *t, const nm_tensor_file *file)
{
    nm_progress progress;
    nm_store *state = nm_optimizer_state(t->optimizer);
    nm_status status = check_format(t->context, file);
    if (status == NM_OK) status = nm_marks_check(t, file);
    if (status == NM_OK) status = read_progress(t, file, &progress);
    if (status == NM_OK) status = nm_store_read(state, OPTIMIZER, file);
    if (status == NM_OK) status = read_average(t, file, &progress);
    if (status != NM_OK) {
        forget_state(state);
        return status;
    }
    status = nm_store_read(t->setup.network->store, MODEL, file);
    if (status == NM_OK) {
        nm_marks_renew(t, file, &progress);
        t->progress = progress;
        t->schedule.watch = progress.watch;
    } else {
        forget_state(state);
    }
    return status;
}

nm_status nm_checkpoint_read(nm_trainer *t, const char *path)
{
    nm_tensor_file *file = nm_tensor_file_read(t->context, path);
    if (!file) {
        return nm_context_status(t->context);
    }
    nm_status status = take_checkpoint(t, file);
    nm_tensor_file_destroy(file);
    return status == NM_OK ? NM_OK : nm_fail_in(t->context, "%s", path);
}

nm_status nm_trainer_checkpoint(nm_trainer *t)
{
    if (!t->checkpoint_path) {
        return NM_OK;
    }
    nm_status status = nm_checkpoint_write(t, t->checkpoint_path);
    if (status != NM_OK) {
        return status;
    }
    t->saved_step = t->progress.step;
    t->state.path = t->checkpoint_path;
    status = nm_trainer_report(t, t->setup.callbacks.on_checkpoint);
    t->state.path = NULL;
    return status;
}
