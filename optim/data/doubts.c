/* What is right but seldom meant about the samples that a network is to be trained on: told, and
 * left as it is. */
#include <string.h>

#include "optim/data/data.h"
#include "optim/data/readers.h"

#define MOST_CHANNELS 4 /* of a picture */
#define LEAST_SIDE 8    /* pixels; what is smaller may be anything */

/* Images as PyTorch has them: [3, 32, 32], or [12, 64, 64]. */
static bool look_channels_first(const nm_shape *s)
{
    return s->rank == 3 && s->dim[1] >= LEAST_SIDE && s->dim[2] >= LEAST_SIDE &&
           s->dim[0] < s->dim[1] && s->dim[0] < s->dim[2] &&
           (s->dim[0] <= MOST_CHANNELS || s->dim[1] == s->dim[2]);
}

static void tell_channels_first(const nm_dataset *train)
{
    char text[NM_SHAPE_TEXT];
    if (!train->is_generated && look_channels_first(&train->shape)) {
        nm_context_log(train->context, NM_LOG_WARNING,
                       "data: samples of shape %s look as if their channels came first; they are "
                       "the last axis here: in NumPy, numpy.moveaxis(x, 1, -1)",
                       nm_shape_text(&train->shape, text));
    }
}

static int64_t row_of(const nm_dataset *set, int64_t i)
{
    return set->rows ? set->rows[i] : i;
}

/* Whether all rows of `bytes` bytes, but those that are ignored, are the same. */
static bool are_same(const nm_dataset *set, const void *data, size_t bytes, bool skips)
{
    const unsigned char *at = data, *first = NULL;
    const int32_t *labels = skips ? set->targets : NULL;
    for (int64_t i = 0; i < set->count; i++) {
        const int64_t row = row_of(set, i);
        if (labels && nm_is_ignored(&set->ignored, labels[row])) {
            continue;
        }
        const unsigned char *one = at + (size_t)row * bytes;
        first = first ? first : one;
        if (memcmp(first, one, bytes) != 0) {
            return false;
        }
    }
    return first && set->count > 1;
}

static void tell_same(const nm_dataset *train, const nm_schema *schema)
{
    char name[32];
    const bool labels = train->target_dtype == NM_I32;
    const bool one_label = labels && train->target_shape.rank == 0;
    if (are_same(train, train->samples, nm_dataset_sample_bytes(train), false)) {
        nm_context_log(train->context, NM_LOG_WARNING,
                       "data: all training samples are the same; nothing tells them apart");
    }
    if (!train->targets ||
        !are_same(train, train->targets, nm_dataset_target_bytes(train), one_label)) {
        return;
    }
    int64_t i = 0;
    const int32_t *label = train->targets;
    while (one_label && nm_is_ignored(&train->ignored, label[row_of(train, i)])) {
        i++;
    }
    nm_context_log(train->context, NM_LOG_WARNING,
                   one_label ? "data: all training samples are of class %s; there is nothing to "
                               "tell apart"
                             : "data: all training samples have the same target; there is nothing "
                               "to predict%s",
                   one_label ? nm_schema_class_name(schema, label[row_of(train, i)], name) : "");
}

/* How many times samples of one class lie one behind the other; 0: they have no classes. */
static int64_t count_runs(const nm_dataset *set)
{
    const int32_t *label = set->targets;
    if (!label || set->target_dtype != NM_I32 || set->target_shape.rank || set->classes < 2) {
        return 0;
    }
    int64_t runs = 1;
    for (int64_t i = 1; i < set->count; i++) {
        runs += label[row_of(set, i)] != label[row_of(set, i - 1)];
    }
    return runs;
}

/* Whoever says `sort` means it. */
static void tell_in_order(const nm_dataset *train, const nm_loader_options *o)
{
    const int64_t batch = nm_loader_batch(o, train->count);
    const int64_t runs = o->shuffle || o->sort ? 0 : count_runs(train);
    if (runs > 1 && train->count / runs >= batch) {
        nm_context_log(train->context, NM_LOG_WARNING,
                       "data: training samples lie class by class, some %lld of one behind each "
                       "other, and with shuffle: false most batches of %lld are of one class; "
                       "remove it",
                       (long long)(train->count / runs), (long long)batch);
    }
}

void nm_data_tell_doubts(const nm_data *data, const nm_data_options *options)
{
    tell_in_order(&data->train, &options->loader);
    tell_channels_first(&data->train);
    tell_same(&data->train, data->schema);
}
