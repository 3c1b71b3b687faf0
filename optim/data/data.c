#include "optim/data/data.h"

#include <string.h>

#include "core/guard.h"
#include "optim/data/loader_internal.h"
#include "optim/data/normalize.h"
#include "optim/data/readers.h"

/* ---- Options ---- */

static void check_normalize(const void *options, const nm_value *at, nm_diagnostics *d)
{
    const nm_data_options *o = options;
    const bool given = o->loader.mean.count || o->loader.deviation.count;
    if (given && (o->normalize == NM_NORMALIZE_AUTO || o->normalize == NM_NORMALIZE_NONE)) {
        nm_diagnose(d, at, "data: \"normalize\" is %s; give the one or the others",
                    o->normalize == NM_NORMALIZE_AUTO
                        ? "auto, which computes \"mean\" and \"deviation\""
                        : "none, but there are \"mean\" or \"deviation\"");
    }
    if (o->normalize == NM_NORMALIZE_GIVEN && !given && o->loader.scale == 0) {
        nm_diagnose(
            d, at,
            "data: \"normalize\" is given, but nothing is: add \"mean\" and \"deviation\", or "
            "leave \"normalize\" out");
    }
    if (o->test_share > 0 && (o->test.item || o->validation.indices)) {
        nm_diagnose(d, at,
                    "data: \"test_share\" is chosen by the rules of \"validation\", and there "
                    "%s; leave one of them out",
                    o->test.item ? "is a \"test\" already" : "its rows are named");
    }
    if (o->normalize_targets == NM_NORMALIZE_GIVEN) {
        nm_diagnose(d, at, "data: \"normalize_targets\" must be one of default, none, auto");
    }
}

static const nm_data_options defaults = {NM_DATA_DEFAULTS};
NM_OPTIONS_INIT(nm_data_options, defaults)

static const char *const normalize_names[] = {"default", "none", "given", "auto", NULL};
static const nm_option rows[] = {
    {NM_FIELD(nm_data_options, train), NM_OPTION_CHOICE, .kind = NM_KIND_DATASET,
     .flags = NM_REQUIRED, .doc = "the training set"},
    {NM_FIELD(nm_data_options, test), NM_OPTION_CHOICE, .also = "eval test_set",
     .kind = NM_KIND_DATASET, .doc = "the test set, never trained on"},
    {NM_FIELD(nm_data_options, validation), NM_OPTION_STRUCT, .spec = &nm_split_spec,
     .also = "validation_split val_split valid val_size", .flags = NM_SHORT,
     .doc = "what is held out of the training set to validate with: a fraction, each class in its "
            "share, or a map of these"},
    {NM_FIELD(nm_data_options, test_share), NM_OPTION_FLOAT, .min = 0, .max = 1,
     .flags = NM_MAX_OPEN,
     .doc = "fraction of the training set that is the test set, instead of `test`: by the rules of "
            "`validation`, whose share is then one of the rest"},
    {NM_FIELD(nm_data_options, split_seed), NM_OPTION_INT, .min = 0, .max = 1e15,
     .doc = "decides which samples those are, whatever the run's seed"},
    {NM_FIELD(nm_data_options, limit), NM_OPTION_INT, .min = 0, .max = 1e15,
     .doc = "use only the first so many samples of each set, for a quick run; 0: all"},
    {NM_FIELD(nm_data_options, normalize), NM_OPTION_ENUM, .also = "standardize normalise",
     .names = normalize_names,
     .doc = "what samples are less their mean and divided by their deviation with, a channel: "
            "default (numbers from files: auto; images of bytes and generated data: none), none, "
            "given (`mean`, `deviation`), auto (computed from the training set)"},
    {NM_FIELD(nm_data_options, normalize_targets), NM_OPTION_ENUM, .names = normalize_names,
     .doc = "the same for targets that are values: default (auto, but for generated data and with "
            "normalize: none), none or auto; predictions and metrics are in their own units"},
    NM_LOADER_ROWS(offsetof(nm_data_options, loader)),
};
static const nm_advice advice[] = {
    {"workers num_workers", NULL, "leave it out: a thread prepares batches ahead (prefetch)"},
    {"normalize", "true yes on", "write auto, or leave it out"},
    {"normalize", "false no off", "write none"},
    {"augment transform transforms", NULL, "its flip, crop and shift are options of data"},
    {NULL, NULL, NULL},
};
const nm_spec nm_data_spec = {.name = "nm_data_options",
                              .size = sizeof(nm_data_options),
                              .defaults = &defaults,
                              .options = rows,
                              .count = NM_COUNT_OF(rows),
                              .check = check_normalize,
                              .advice = advice};

/* ---- Opening ---- */

/* `schema`: what the training set's samples are; NULL for that set itself. */
static nm_status open_set(nm_context *context, const nm_data_options *o, const nm_choice *choice,
                          const char *name, const nm_schema *schema, nm_dataset *set)
{
    if (!choice->item) {
        return NM_OK;
    }
    const bool is_split = choice == &o->train && !o->parts;
    const nm_reading reading = {.schema = schema,
                                .ignored = o->ignored,
                                .wanted = o->wanted,
                                .fills_later = true,
                                .groups = is_split ? o->validation.groups : NULL,
                                .order = is_split ? nm_split_order_column(&o->validation) : NULL};
    if (nm_dataset_open(context, choice, &reading, set) != NM_OK) {
        nm_fail_in(context, "%s", name);
        return nm_fail_at(context, choice->at);
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
                       "data: the training set has no targets; give its labels or values: \"y\" of "
                       "npy, \"labels\" of idx, \"target\" of csv");
    }
    return NM_OK;
}

/* What samples and targets are, for all that are opened after the training set. */
static nm_status describe(nm_context *context, const nm_data_options *o, nm_data *data)
{
    nm_dataset *train = &data->train;
    if (data->as_before) {
        return NM_OK;
    }
    nm_schema *schema = train->schema ? train->schema : nm_schema_create(context);
    train->schema = NULL;
    data->schema = schema;
    if (!schema) {
        return NM_ERROR_MEMORY;
    }
    schema->shape = train->shape;
    schema->bytes = nm_dataset_is_bytes(train);
    schema->scale = nm_dataset_scale(train, o->loader.scale);
    schema->target_shape = train->target_shape;
    schema->classes = train->classes;
    return NM_OK;
}

/* ---- Holding out ---- */

/* The fold's rows are the test set; of those in order, what comes later is left out. */
static nm_status mark_fold(const nm_data_options *o, nm_data *data)
{
    nm_dataset *all = &data->whole;
    int32_t *fold = nm_alloc_zero(all->context, (size_t)all->count, sizeof *fold);
    nm_status status =
        fold ? nm_split_folds(all, &o->validation, o->folds, (uint64_t)o->split_seed, fold)
             : NM_ERROR_MEMORY;
    for (int64_t i = 0; status == NM_OK && i < all->count; i++) {
        const bool later = o->validation.order && fold[i] > o->fold;
        data->parts[i] = fold[i] == o->fold ? NM_PART_TEST : later ? NM_PART_UNUSED : NM_PART_TRAIN;
    }
    nm_free(all->context, fold);
    return status;
}

/* Of what is left for training. */
static nm_status mark_share(const nm_data_options *o, nm_data *data)
{
    nm_dataset rest;
    nm_status status = nm_dataset_view(&data->whole, data->parts, NM_PART_TRAIN, &rest);
    bool *held = nm_alloc_zero(rest.context, (size_t)rest.count, sizeof *held);
    if (status == NM_OK && held) {
        status = nm_split_choose(&rest, &o->validation, (uint64_t)o->split_seed, held);
    }
    for (int64_t i = 0; status == NM_OK && held && i < rest.count; i++) {
        data->parts[rest.rows[i]] = held[i] ? NM_PART_VALIDATION : NM_PART_TRAIN;
    }
    nm_context *context = rest.context;
    nm_free(context, held);
    nm_dataset_close(&rest);
    return nm_context_status(context);
}

static nm_status mark_as_before(const nm_data_options *o, nm_data *data)
{
    const nm_dataset *all = &data->whole;
    if (o->part_count != all->count) {
        return nm_fail(all->context, NM_ERROR_INPUT,
                       "the training set has %lld rows, and had %lld when the run was split; give "
                       "it as it was, or evaluate on other data with --data",
                       (long long)all->count, (long long)o->part_count);
    }
    memcpy(data->parts, o->parts, (size_t)all->count);
    return NM_OK;
}

/* A test set of the training set's own rows. */
static nm_status mark_test(const nm_data_options *o, nm_data *data)
{
    nm_dataset *all = &data->whole;
    nm_split_options rule = o->validation;
    rule.share = o->test_share;
    if (o->folds) {
        return nm_fail(all->context, NM_ERROR_INPUT,
                       "each fold is a test set itself; leave \"test_share\" out");
    }
    bool *held = nm_alloc_zero(all->context, (size_t)all->count, sizeof *held);
    nm_status status =
        held ? nm_split_choose(all, &rule, (uint64_t)o->split_seed, held) : NM_ERROR_MEMORY;
    for (int64_t i = 0; status == NM_OK && i < all->count; i++) {
        data->parts[i] = held[i] ? NM_PART_TEST : NM_PART_TRAIN;
    }
    nm_free(all->context, held);
    return status;
}

static nm_status mark_parts(const nm_data_options *o, nm_data *data)
{
    nm_status status = NM_OK;
    if (o->parts) {
        return mark_as_before(o, data);
    }
    if (o->test_share > 0) {
        status = mark_test(o, data);
    } else if (o->folds) {
        status = mark_fold(o, data);
    }
    return status == NM_OK && nm_split_holds_out(&o->validation) ? mark_share(o, data) : status;
}

/* Makes `train` and `validation`, and the test set of a fold, views of what was opened as `train`.
 */
static nm_status hold_out(nm_context *context, const nm_data_options *o, nm_data *data)
{
    if (!o->parts && !o->folds && o->test_share == 0 && !nm_split_holds_out(&o->validation)) {
        return NM_OK;
    }
    data->whole = data->train;
    data->train = (nm_dataset){.context = context};
    data->parts = nm_alloc_zero(context, (size_t)data->whole.count, sizeof *data->parts);
    nm_status status = data->parts ? mark_parts(o, data) : NM_ERROR_MEMORY;
    nm_dataset *const views[] = {&data->train, &data->validation, &data->test};
    for (int part = 0; part < NM_COUNT_OF(views) && status == NM_OK; part++) {
        status = nm_dataset_view(&data->whole, data->parts, (nm_part)part, views[part]);
    }
    return status == NM_OK ? NM_OK : nm_fail_in(context, "data: validation");
}

/* By what is in the training samples alone. */
static nm_status fill_missing(nm_data *data)
{
    nm_dataset *all = data->whole.count ? &data->whole : &data->train;
    const void *before = all->samples;
    nm_status status = all->missing ? nm_dataset_fill(all, &data->train, data->schema) : NM_OK;
    nm_dataset *const views[] = {&data->train, &data->validation, &data->test};
    for (int i = 0; i < NM_COUNT_OF(views); i++) {
        views[i]->missing = NM_MISSING_REFUSE;
        views[i]->samples = views[i]->samples == before ? all->samples : views[i]->samples;
    }
    return status;
}

/* What the split means that is seldom meant. */
static void tell_split(nm_context *context, const nm_data_options *o)
{
    const nm_split_options *v = &o->validation;
    if (!nm_split_holds_out(v) && !o->folds && o->test_share == 0 &&
        (v->groups || v->order || v->stratify != NM_STRATIFY_AUTO)) {
        nm_context_log(context, NM_LOG_WARNING,
                       "data: validation: share is 0, so nothing is held out; the rule is for "
                       "--folds alone");
    }
}

static const char *keep_print(const nm_data *data, const nm_dataset *set)
{
    char text[NM_PRINT_TEXT];
    if (!set->count) {
        return NULL;
    }
    nm_dataset_print(set, text);
    return nm_schema_copy(data->schema, text, strlen(text));
}

/* For those who evaluate later; once nothing is missing any more. */
static nm_status record_split(nm_context *context, const nm_data_options *o, nm_data *data)
{
    char rule[NM_SPLIT_TEXT];
    const nm_dataset *all = &data->whole;
    const int64_t held = data->train.count + data->validation.count + data->test.count;
    if (!data->parts) {
        return NM_OK;
    }
    nm_split_rule(&o->validation, all, rule);
    data->split = (nm_split_record){.rule = nm_schema_copy(data->schema, rule, strlen(rule)),
                                    .share = o->validation.indices ? 0 : o->validation.share,
                                    .test_share = o->test_share,
                                    .seed = o->split_seed,
                                    .rows = all->count,
                                    .validation = data->validation.count,
                                    .test = data->test.count,
                                    .unused = all->count - held,
                                    .folds = o->folds,
                                    .fold = o->folds ? o->fold + 1 : 0,
                                    .data = keep_print(data, all),
                                    .validation_data = keep_print(data, &data->validation),
                                    .test_data = keep_print(data, &data->test)};
    return nm_context_status(context);
}

/* Whether each class that is held out has samples to be learned from. */
static nm_status tell_unseen(nm_context *context, const nm_data *data)
{
    const nm_dataset *all = &data->whole, *train = &data->train;
    const int32_t *labels = all->count && all->target_dtype == NM_I32 ? all->targets : NULL;
    char name[32];
    bool *seen = labels ? nm_alloc_zero(context, (size_t)all->classes + 1, sizeof *seen) : NULL;
    for (int64_t i = 0; seen && i < train->count; i++) {
        const int32_t label = labels[train->rows[i]];
        seen[nm_is_ignored(&all->ignored, label) ? all->classes : label] = true;
    }
    for (int64_t i = 0; seen && i < all->count; i++) {
        const int32_t label = labels[i];
        if (!nm_is_ignored(&all->ignored, label) && !seen[label]) {
            nm_context_log(context, NM_LOG_WARNING,
                           "data: all rows of class %s are held out: the network is never shown it",
                           nm_schema_class_name(data->schema, label, name));
            seen[label] = true;
        }
    }
    nm_free(context, seen);
    return nm_context_status(context);
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

static nm_status check_held_out(nm_context *context, const nm_data *data)
{
    nm_status status = check_counts(context, &data->validation, "validation");
    return status == NM_OK ? check_counts(context, &data->test, "test") : status;
}

/* Unless a fold's rows are the test set. */
static nm_status open_test(nm_context *context, const nm_data_options *o, const nm_schema *schema,
                           nm_data *data)
{
    return data->test.count ? NM_OK : open_set(context, o, &o->test, "test", schema, &data->test);
}

static nm_status open_all(nm_context *context, const nm_data_options *o, nm_data *data)
{
    nm_status status = nm_spec_check(context, &nm_data_spec, "data", o);
    tell_split(context, o);
    if (status != NM_OK ||
        (status = open_set(context, o, &o->train, "train", data->schema, &data->train)) != NM_OK ||
        (status = check_train(context, &data->train)) != NM_OK ||
        (status = check_counts(context, &data->train, "training")) != NM_OK ||
        (status = describe(context, o, data)) != NM_OK ||
        (status = hold_out(context, o, data)) != NM_OK || (status = fill_missing(data)) != NM_OK ||
        (status = record_split(context, o, data)) != NM_OK ||
        (status = tell_unseen(context, data)) != NM_OK ||
        (status = open_test(context, o, data->schema, data)) != NM_OK ||
        (status = check_counts(context, &data->train, "training")) != NM_OK ||
        (status = check_held_out(context, data)) != NM_OK) {
        return status;
    }
    nm_data_tell_doubts(data, o);
    return nm_data_normalize(o, data);
}

nm_status nm_data_open(nm_context *context, const nm_data_options *options, nm_data *data)
{
    return nm_data_open_as(context, options, NULL, data);
}

nm_status nm_data_open_as(nm_context *context, const nm_data_options *options, nm_schema *schema,
                          nm_data *data)
{
    if (!context || !options || !data) {
        nm_schema_destroy(schema);
        *(data ? data : &(nm_data){0}) = (nm_data){0};
        NM_REQUIRE(context, options, NM_ERROR_INPUT);
        NM_REQUIRE(context, data, NM_ERROR_INPUT);
        return NM_ERROR_INPUT;
    }
    *data = (nm_data){.train.context = context, .schema = schema, .as_before = schema != NULL};
    nm_status status = open_all(context, options, data);
    if (status != NM_OK) {
        data->train.context = context; /* a failed opening emptied it */
        nm_data_close(data);
    }
    return status;
}

static nm_status open_one(nm_context *context, const nm_data_options *o, const nm_schema *schema,
                          nm_set which, nm_data *data)
{
    nm_status status = nm_spec_check(context, &nm_data_spec, "data", o);
    const bool is_part = o->parts && memchr(o->parts, NM_PART_TEST, (size_t)o->part_count);
    if (status == NM_OK && which == NM_SET_TEST && !is_part) {
        return open_test(context, o, schema, data);
    }
    if (status == NM_OK) {
        status = open_set(context, o, &o->train, "train", schema, &data->train);
    }
    return status == NM_OK ? hold_out(context, o, data) : status;
}

nm_status nm_data_open_set(nm_context *context, const nm_data_options *options,
                           const nm_schema *schema, nm_set which, nm_data *data)
{
    static const char *const names[] = {"training", "validation", "test"};
    NM_REQUIRE(context, data, NM_ERROR_INPUT);
    *data = (nm_data){.train.context = context};
    NM_REQUIRE(context, options, NM_ERROR_INPUT);
    NM_REQUIRE(context, schema, NM_ERROR_INPUT);
    NM_REQUIRE(context, (unsigned)which <= NM_SET_TEST, NM_ERROR_INPUT);
    nm_status status = open_one(context, options, schema, which, data);
    const nm_dataset *sets[] = {&data->train, &data->validation, &data->test};
    if (status == NM_OK && !sets[which]->count) {
        status = nm_fail(context, NM_ERROR_INPUT, "data: there is no %s set", names[which]);
    }
    if (status == NM_OK && !sets[which]->targets) {
        status = nm_fail(context, NM_ERROR_INPUT, "data: the %s set has no targets", names[which]);
    }
    data->loader = nm_schema_loader(schema, options->loader.batch);
    if (status != NM_OK) {
        data->train.context = context;
        nm_data_close(data);
    }
    return status;
}

void nm_data_close(nm_data *data)
{
    NM_GIVEN(data, );
    nm_schema_destroy(data->schema);
    nm_dataset_close(&data->train);
    nm_dataset_close(&data->validation);
    nm_dataset_close(&data->test);
    nm_free(data->whole.context, data->parts);
    nm_dataset_close(&data->whole);
    *data = (nm_data){0};
}
