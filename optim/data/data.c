#include "optim/data/data.h"

#include <string.h>

#include "optim/data/loader_internal.h"
#include "optim/data/normalize.h"
#include "optim/data/readers.h"

/* ---- Options ---- */

static void check_normalize(const void *options, const nm_value *at, nm_diagnostics *d)
{
    const nm_data_options *o = options;
    if (o->normalize == NM_NORMALIZE_AUTO && (o->loader.mean.count || o->loader.deviation.count)) {
        nm_diagnose(d, at,
                    "data: \"normalize\" is auto, which computes \"mean\" and \"deviation\"; "
                    "give the one or the others");
    }
}

static const nm_data_options defaults = {.loader = {NM_LOADER_DEFAULTS}};
static const char *const normalize_names[] = {"given", "auto", NULL};
static const nm_option rows[] = {
    {NM_FIELD(nm_data_options, train), NM_OPTION_CHOICE, .kind = NM_KIND_DATASET,
     .flags = NM_REQUIRED, .doc = "the training set"},
    {NM_FIELD(nm_data_options, test), NM_OPTION_CHOICE, .kind = NM_KIND_DATASET,
     .doc = "the test set, never trained on"},
    {NM_FIELD(nm_data_options, validation), NM_OPTION_FLOAT, .min = 0, .max = 1,
     .flags = NM_MAX_OPEN, .doc = "fraction of the training set held out to validate with"},
    {NM_FIELD(nm_data_options, split_seed), NM_OPTION_INT, .min = 0, .max = 1e15,
     .doc = "decides which samples those are, whatever the run's seed"},
    {NM_FIELD(nm_data_options, limit), NM_OPTION_INT, .min = 0, .max = 1e15,
     .doc = "use only the first so many samples of each set, for a quick run; 0: all"},
    {NM_FIELD(nm_data_options, normalize), NM_OPTION_ENUM, .names = normalize_names,
     .doc = "mean and deviation of each channel: as given, or computed from the training set"},
    NM_LOADER_ROWS(offsetof(nm_data_options, loader)),
};
const nm_spec nm_data_spec = {.name = "nm_data_options",
                              .size = sizeof(nm_data_options),
                              .defaults = &defaults,
                              .options = rows,
                              .count = NM_COUNT_OF(rows),
                              .check = check_normalize};

/* ---- Opening ---- */

static nm_status open_set(nm_context *context, const nm_data_options *o, const nm_choice *choice,
                          const char *name, nm_dataset *set)
{
    if (!choice->item) {
        return NM_OK;
    }
    if (nm_dataset_open(context, choice, &o->ignored, set) != NM_OK) {
        return nm_fail_in(context, "%s", name);
    }
    if (o->limit && set->count > o->limit) {
        set->count = o->limit;
    }
    return NM_OK;
}

static nm_status check_train(nm_context *context, const nm_dataset *train)
{
    if (!train->targets) {
        return nm_fail(context, NM_ERROR_INPUT,
                       "data: the training set has no targets; give its labels or values");
    }
    return NM_OK;
}

static nm_status differ(nm_context *context, const char *what, const char *test, const char *train)
{
    return nm_fail(context, NM_ERROR_INPUT,
                   "data: the test set's %s are %s, the training set's %s; they must be alike",
                   what, test, train);
}

static nm_status check_alike(nm_context *context, const nm_dataset *test, const nm_dataset *train)
{
    char a[NM_SHAPE_TEXT], b[NM_SHAPE_TEXT];
    if (!nm_shape_equal(&test->shape, &train->shape)) {
        return differ(context, "samples", nm_shape_text(&test->shape, a),
                      nm_shape_text(&train->shape, b));
    }
    if (test->dtype != train->dtype) {
        return differ(context, "samples", nm_dtype_name(test->dtype), nm_dtype_name(train->dtype));
    }
    if (!test->targets) {
        return NM_OK;
    }
    if (test->target_dtype != train->target_dtype) {
        return differ(context, "targets", test->classes ? "labels" : "values",
                      train->classes ? "labels" : "values");
    }
    if (!nm_shape_equal(&test->target_shape, &train->target_shape)) {
        return differ(context, "targets", nm_shape_text(&test->target_shape, a),
                      nm_shape_text(&train->target_shape, b));
    }
    return NM_OK;
}

/* The test set may lack a class, but must not have one more. */
static nm_status check_test(nm_context *context, nm_dataset *test, const nm_dataset *train)
{
    if (!test->count) {
        return NM_OK;
    }
    nm_status status = check_alike(context, test, train);
    if (status == NM_OK && test->classes > train->classes) {
        status = nm_fail(context, NM_ERROR_INPUT,
                         "data: the test set has %lld classes, the training set only %lld; set "
                         "\"classes\" of the training set if it lacks some",
                         (long long)test->classes, (long long)train->classes);
    }
    if (test->targets) {
        test->classes = train->classes;
    }
    return status;
}

/* Makes `train` and `validation` views of the set that was opened as `train`. */
static nm_status hold_out(nm_context *context, const nm_data_options *o, nm_data *data)
{
    if (o->validation == 0) {
        return NM_OK;
    }
    data->whole = data->train;
    nm_status status = nm_dataset_split(&data->whole, o->validation, (uint64_t)o->split_seed,
                                        &data->train, &data->validation);
    return status == NM_OK ? NM_OK : nm_fail_in(context, "data: validation");
}

/* A set of samples that are all ignored. */
static nm_status check_counts(nm_context *context, const nm_dataset *set, const char *name)
{
    if (!set->count || nm_dataset_counted(set)) {
        return NM_OK;
    }
    return nm_fail(context, NM_ERROR_INPUT,
                   "data: all %lld %s samples have the label %lld, which the loss ignores "
                   "(\"ignore_index\"): there is nothing to %s",
                   (long long)set->count, name, (long long)set->ignored.label,
                   strcmp(name, "training") == 0 ? "learn from" : "measure");
}

static nm_status check_all_count(nm_context *context, const nm_data *data)
{
    nm_status status = check_counts(context, &data->train, "training");
    status = status == NM_OK ? check_counts(context, &data->validation, "validation") : status;
    return status == NM_OK ? check_counts(context, &data->test, "test") : status;
}

static nm_status normalize(nm_context *context, const nm_data_options *o, nm_data *data)
{
    data->loader = o->loader;
    if (o->normalize != NM_NORMALIZE_AUTO) {
        return NM_OK;
    }
    int64_t channels = nm_dataset_channels(&data->train);
    double *mean = nm_alloc_zero(context, (size_t)channels, 2 * sizeof *mean);
    if (!mean) {
        return NM_ERROR_MEMORY;
    }
    data->statistics = mean;
    data->loader.channel_mean = mean;
    data->loader.channel_deviation = mean + channels;
    return nm_dataset_statistics(&data->train, nm_dataset_scale(&data->train, o->loader.scale),
                                 mean, mean + channels);
}

static nm_status open_all(nm_context *context, const nm_data_options *o, nm_data *data)
{
    nm_status status = nm_spec_check(context, &nm_data_spec, "data", o);
    if (status != NM_OK ||
        (status = open_set(context, o, &o->train, "train", &data->train)) != NM_OK ||
        (status = open_set(context, o, &o->test, "test", &data->test)) != NM_OK ||
        (status = check_train(context, &data->train)) != NM_OK ||
        (status = check_test(context, &data->test, &data->train)) != NM_OK ||
        (status = hold_out(context, o, data)) != NM_OK ||
        (status = check_all_count(context, data)) != NM_OK) {
        return status;
    }
    return normalize(context, o, data);
}

nm_status nm_data_open(nm_context *context, const nm_data_options *options, nm_data *data)
{
    *data = (nm_data){.train.context = context};
    nm_status status = open_all(context, options, data);
    if (status != NM_OK) {
        data->train.context = context; /* a failed opening emptied it */
        nm_data_close(data);
    }
    return status;
}

void nm_data_close(nm_data *data)
{
    nm_free(data->train.context, data->statistics);
    nm_dataset_close(&data->train);
    nm_dataset_close(&data->validation);
    nm_dataset_close(&data->test);
    nm_dataset_close(&data->whole);
    *data = (nm_data){0};
}
