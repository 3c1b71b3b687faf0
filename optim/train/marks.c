/* What a run is told by: a checkpoint with other marks is another run's. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "optim/data/schema_write.h"
#include "optim/train/internal.h"

#define MARKS 8
#define SETS 3

typedef struct mark {
    const char *key;
    const char *what; /* for the message */
    char text[NM_SHAPE_TEXT + 64];
} mark;

/* The sets do not change while the trainer lives, so they are looked through once. */
static void take_fingerprints(nm_trainer *t, const nm_dataset *const sets[SETS])
{
    for (int i = 0; i < SETS && !t->has_fingerprints; i++) {
        t->fingerprints[i] = sets[i]->count ? nm_dataset_fingerprint(sets[i]) : 0;
    }
    t->has_fingerprints = true;
}

static void mark_sets(nm_trainer *t, mark marks[SETS])
{
    static const char *const keys[SETS] = {"data", "validation_data", "test_data"};
    static const char *const what[SETS] = {"the training set", "the validation set",
                                           "the test set"};
    const nm_data *data = t->setup.data;
    const nm_dataset *const sets[SETS] = {&data->train, &data->validation, &data->test};
    take_fingerprints(t, sets);
    for (int i = 0; i < SETS; i++) {
        char shape[NM_SHAPE_TEXT];
        marks[i] = (mark){.key = keys[i], .what = what[i], .text = "none"};
        if (sets[i]->count) {
            snprintf(marks[i].text, sizeof marks[i].text, "%" PRId64 " samples of %s, %016" PRIx64,
                     sets[i]->count, nm_shape_text(&sets[i]->shape, shape), t->fingerprints[i]);
        }
    }
}

/* FNV-1a of what the schema says. */
static nm_status describe_preparation(const nm_trainer *t, char text[NM_SHAPE_TEXT + 64])
{
    uint64_t hash = 0xCBF29CE484222325ull;
    nm_text schema = {.context = t->context};
    nm_text_add(&schema, "%s", "");
    if (t->setup.data->schema) {
        nm_schema_write(t->setup.data->schema, &schema);
    }
    char *whole = nm_text_end(&schema);
    for (const char *at = whole; at && *at; at++) {
        hash = (hash ^ (unsigned char)*at) * 0x100000001B3ull;
    }
    snprintf(text, NM_SHAPE_TEXT + 64, "%016" PRIx64, hash);
    nm_free(t->context, whole);
    return whole ? NM_OK : nm_context_status(t->context);
}

static nm_status make_marks(nm_trainer *t, mark marks[MARKS])
{
    const nm_train_options *o = &t->setup.options;
    const size_t size = sizeof marks->text;
    mark *m = marks + SETS;
    mark_sets(t, marks);
    *m = (mark){.key = "preparation", .what = "what is done to samples and targets"};
    const nm_status status = describe_preparation(t, m++->text);
    *m = (mark){.key = "seed", .what = "the seed"};
    snprintf(m++->text, size, "%" PRId64, o->seed);
    *m = (mark){.key = "batches", .what = "the batches (size, and number in an epoch)"};
    snprintf(m++->text, size, "%" PRId64 ", %" PRId64, t->loader.batch, t->batches);
    *m = (mark){.key = "accumulate", .what = "the number of accumulated batches"};
    snprintf(m++->text, size, "%" PRId64, o->accumulate);
    *m = (mark){.key = "optimizer", .what = "the optimizer"};
    snprintf(m->text, size, "%s", nm_optimizer_type_of(t->optimizer)->item.name);
    return status;
}

/* ---- Choosing the best ---- */

/* What the best network is known by. */
static void describe_choice(const nm_trainer *t, char text[NM_SHAPE_TEXT])
{
    bool by_metric = t->metrics.count && t->setup.options.best_by == NM_BEST_BY_METRIC;
    snprintf(text, NM_SHAPE_TEXT, "%s",
             !t->validation ? "nothing"
             : by_metric    ? t->metrics.at[0].item->name
                            : "loss");
}

void nm_marks_renew(const nm_trainer *t, const nm_tensor_file *file, nm_progress *progress)
{
    char now[NM_SHAPE_TEXT];
    const char *before = nm_tensor_file_metadata(file, "chosen_by");
    describe_choice(t, now);
    if (!before || strcmp(before, now) == 0) {
        return;
    }
    nm_context_log(t->context, NM_LOG_WARNING,
                   "the best network was chosen by %.40s and is now by %s: the choice begins anew",
                   before, now);
    progress->best = progress->reference = (double)NAN;
    progress->best_test_loss = progress->best_test_metric = (double)NAN;
    progress->best_epoch = -1;
    progress->waited = 0;
}

nm_status nm_marks_check(nm_trainer *t, const nm_tensor_file *file)
{
    mark marks[MARKS];
    const nm_status status = make_marks(t, marks);
    for (int i = 0; i < MARKS && status == NM_OK; i++) {
        const char *text = nm_tensor_file_metadata(file, marks[i].key);
        if (!text) {
            return nm_fail(t->context, NM_ERROR_FORMAT, "the checkpoint's \"%s\" is missing",
                           marks[i].key);
        }
        if (strcmp(text, marks[i].text) != 0) {
            return nm_fail(t->context, NM_ERROR_INPUT,
                           "this is another run's checkpoint: %s differs (%.200s there, %s here); "
                           "make it the same, or begin a new run in another folder",
                           marks[i].what, text, marks[i].text);
        }
    }
    return status;
}

nm_status nm_marks_write(nm_trainer *t, nm_tensor_writer *writer)
{
    mark marks[MARKS];
    nm_status status = make_marks(t, marks);
    for (int i = 0; i < MARKS && status == NM_OK; i++) {
        status = nm_tensor_writer_set_metadata(writer, marks[i].key, marks[i].text);
    }
    char choice[NM_SHAPE_TEXT];
    describe_choice(t, choice);
    return status == NM_OK ? nm_tensor_writer_set_metadata(writer, "chosen_by", choice) : status;
}
