/* What is done to samples and targets before the network sees them: decided from the options and
 * the training set, and put into the schema, from where loaders and saved networks have it. */
#include <math.h>
#include <string.h>

#include "core/guard.h"
#include "optim/data/data.h"
#include "optim/data/normalize.h"
#include "optim/data/readers.h"

#define FEWEST 2 /* samples that a deviation can be computed of */

/* ---- Samples ---- */

static int mode_of_samples(const nm_data_options *o, const nm_dataset *train)
{
    if (o->normalize != NM_NORMALIZE_DEFAULT) {
        return o->normalize;
    }
    if (o->loader.mean.count || o->loader.deviation.count) {
        return NM_NORMALIZE_GIVEN;
    }
    bool fine = train->is_generated || nm_dataset_is_bytes(train) || train->count < FEWEST;
    return fine ? NM_NORMALIZE_NONE : NM_NORMALIZE_AUTO;
}

static double from_list(const nm_floats *list, int64_t channel, double none)
{
    return list->count == 0 ? none : list->at[list->count == 1 ? 0 : channel];
}

/* The option's lists, one number or one a channel; other lengths are refused by the loader. */
static nm_status take_given(const nm_loader_options *o, nm_schema *s)
{
    const int64_t channels = s->shape.dim[s->shape.rank - 1];
    if ((o->mean.count > 1 && o->mean.count != channels) ||
        (o->deviation.count > 1 && o->deviation.count != channels)) {
        return NM_OK;
    }
    double *mean = nm_schema_alloc(s, (size_t)channels, sizeof *mean);
    double *deviation = nm_schema_alloc(s, (size_t)channels, sizeof *deviation);
    for (int64_t c = 0; mean && deviation && c < channels; c++) {
        mean[c] = from_list(&o->mean, c, 0);
        deviation[c] = from_list(&o->deviation, c, 1);
    }
    s->mean = mean;
    s->deviation = deviation;
    s->channels = channels;
    return nm_context_status(s->context);
}

/* What is 0 or 1 already stays so: a truth value, a category that occurs. */
static nm_status keep_flags(const nm_dataset *train, double *mean, double *deviation)
{
    const int64_t channels = nm_dataset_channels(train);
    bool *is_flag = nm_alloc_zero(train->context, (size_t)channels, sizeof *is_flag);
    if (!is_flag) {
        return NM_ERROR_MEMORY;
    }
    nm_dataset_find_flags(train, is_flag);
    for (int64_t c = 0; c < channels; c++) {
        if (is_flag[c] && deviation[c] > 0) {
            mean[c] = 0;
            deviation[c] = 1;
        }
    }
    nm_free(train->context, is_flag);
    return NM_OK;
}

static nm_status compute(const nm_dataset *train, nm_schema *s)
{
    const int64_t channels = nm_dataset_channels(train);
    double *mean = nm_schema_alloc(s, (size_t)channels, sizeof *mean);
    double *deviation = nm_schema_alloc(s, (size_t)channels, sizeof *deviation);
    nm_status status = mean && deviation ? nm_dataset_statistics(train, s->scale, mean, deviation)
                                         : NM_ERROR_MEMORY;
    if (status == NM_OK && !s->bytes) {
        status = keep_flags(train, mean, deviation);
    }
    for (int64_t c = 0; status == NM_OK && c < channels; c++) {
        deviation[c] = deviation[c] > 0 ? deviation[c] : NM_NEVER_CHANGES;
    }
    s->mean = mean;
    s->deviation = deviation;
    s->channels = channels;
    return status;
}

/* ---- Targets ---- */

static bool stay(const nm_data_options *o)
{
    return o->wanted == NM_WANTED_SHARES || o->wanted == NM_WANTED_AS_THEY_ARE;
}

/* Targets of several axes, such as images, have no elements that are quantities of their own. */
static bool wants_targets(const nm_data_options *o, const nm_dataset *train)
{
    if (train->classes || train->target_shape.rank != 1 || train->count < FEWEST || stay(o)) {
        return false;
    }
    return o->normalize_targets == NM_NORMALIZE_AUTO ||
           (o->normalize_targets == NM_NORMALIZE_DEFAULT && !train->is_generated &&
            o->normalize != NM_NORMALIZE_NONE);
}

static nm_status compute_targets(const nm_dataset *train, nm_schema *s)
{
    const int64_t count = nm_shape_count(&train->target_shape);
    double *mean = nm_schema_alloc(s, (size_t)count, sizeof *mean);
    double *deviation = nm_schema_alloc(s, (size_t)count, sizeof *deviation);
    s->target_mean = mean;
    s->target_deviation = deviation;
    s->target_channels = count;
    return mean && deviation ? nm_target_statistics(train, mean, deviation) : NM_ERROR_MEMORY;
}

/* ---- Both ---- */

/* What the loaders of all sets do, as the schema says it. */
static void tell_loader(const nm_schema *s, nm_loader_options *loader)
{
    loader->scale = s->scale;
    if (s->mean) {
        loader->channel_mean = s->mean;
        loader->channel_deviation = s->deviation;
    }
    loader->target_mean = s->target_mean;
    loader->target_deviation = s->target_deviation;
}

static nm_status use_schema(const nm_data_options *o, nm_data *data)
{
    data->loader = o->loader;
    data->loader.batch = nm_loader_batch(&o->loader, data->train.count);
    tell_loader(data->schema, &data->loader);
    return NM_OK;
}

/* Targets that stay as they are do so, too, for a network that was trained before. */
static nm_status check_as_they_are(const nm_data_options *o, const nm_data *data)
{
    if (!stay(o) || (o->normalize_targets != NM_NORMALIZE_AUTO &&
                     !(data->as_before && data->schema->target_mean))) {
        return NM_OK;
    }
    return nm_fail(data->train.context, NM_ERROR_INPUT,
                   "data: the loss takes targets%s as they are, but %s",
                   o->wanted == NM_WANTED_SHARES ? " from 0 to 1" : "",
                   o->normalize_targets == NM_NORMALIZE_AUTO
                       ? "\"normalize_targets\" is auto; leave it out"
                       : "the network that is trained on was trained on standardized ones; prepare "
                         "its samples anew");
}

nm_status nm_data_normalize(const nm_data_options *o, nm_data *data)
{
    nm_schema *s = data->schema;
    nm_status status = check_as_they_are(o, data);
    if (status != NM_OK) {
        return status;
    }
    if (data->as_before) {
        return use_schema(o, data);
    }
    switch (mode_of_samples(o, &data->train)) {
    case NM_NORMALIZE_GIVEN: status = take_given(&o->loader, s); break;
    case NM_NORMALIZE_AUTO: status = compute(&data->train, s); break;
    }
    if (status == NM_OK && wants_targets(o, &data->train)) {
        status = compute_targets(&data->train, s);
    }
    return status == NM_OK ? use_schema(o, data) : status;
}

nm_loader_options nm_schema_loader(const nm_schema *schema, int64_t batch)
{
    NM_GIVEN(schema, ((nm_loader_options){0}));
    nm_loader_options loader = {NM_LOADER_DEFAULTS};
    loader.batch = batch > 0 ? batch : NM_AUTO;
    tell_loader(schema, &loader);
    return loader;
}
