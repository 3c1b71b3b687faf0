#include "models/command/eval/split.h"

#include <stdio.h>
#include <string.h>

#include "models/command/train/held_out.h"

/* Rows 0: the run held nothing out, or the file is of a program that does not say. */
static const nm_split_record *record_of(const evaluated *e)
{
    return &nm_model_saved(e->trained.model)->split;
}

/* Whether the file would tell, had anything been held out. */
static bool is_told(const evaluated *e)
{
    return nm_model_saved(e->trained.model)->document != NULL;
}

nm_set split_usual_set(const evaluated *e)
{
    const nm_data_options *o = &e->trained.config.data_options;
    const nm_split_record *r = record_of(e);
    const bool held = is_told(e) ? r->validation > 0 : nm_split_holds_out(&o->validation);
    return r->test || o->test.item ? NM_SET_TEST : held ? NM_SET_VALIDATION : NM_SET_TRAIN;
}

bool split_has_set(const evaluated *e, nm_set set)
{
    const nm_data_options *o = &e->trained.config.data_options;
    const nm_split_record *r = record_of(e);
    return set == NM_SET_TRAIN ||
           (set == NM_SET_TEST ? r->test || o->test.item
                               : r->validation || nm_split_holds_out(&o->validation));
}

/* ---- Which rows ---- */

static nm_status nothing_held(const evaluated *e)
{
    return nm_fail(e->trained.context, NM_ERROR_INPUT,
                   "there is no validation set: nothing was held out when %s was trained, so rows "
                   "chosen now are rows it has learned from; give others with --data",
                   e->trained.weights);
}

static void tell_other_rule(const evaluated *e)
{
    char rule[NM_SPLIT_TEXT];
    const nm_split_record *r = record_of(e);
    const nm_data_options *o = &e->trained.config.data_options;
    const nm_dataset like = {.classes = nm_model_schema(e->trained.model)->classes};
    const double share = o->validation.indices ? 0 : o->validation.share;
    nm_split_rule(&o->validation, &like, rule);
    if (share != r->share || o->test_share != r->test_share || o->split_seed != r->seed ||
        !r->rule || strcmp(rule, r->rule) != 0) {
        nm_context_log(e->trained.context, NM_LOG_WARNING,
                       "the file says another split by now; the rows are those of the run (%s, "
                       "%lld of %lld rows)",
                       r->rule ? r->rule : "", (long long)(r->validation + r->test),
                       (long long)r->rows);
    }
}

static void find_folder(const evaluated *e, char folder[RUN_PATH])
{
    const char *slash = strrchr(e->trained.weights, '/');
    const int length = slash ? (int)(slash - e->trained.weights) : 1;
    snprintf(folder, RUN_PATH, "%.*s", length ? length : 1, slash ? e->trained.weights : ".");
}

/* Without the files of the rows, by the rule; what came out is compared afterwards. */
static void take_rule(nm_data_options *o, const nm_split_record *r)
{
    o->folds = (int)r->folds;
    o->fold = (int)r->fold - 1;
}

nm_status split_take(evaluated *e, nm_set set)
{
    char folder[RUN_PATH];
    const nm_split_record *r = record_of(e);
    nm_data_options *o = &e->trained.config.data_options;
    if (!r->rows) {
        return set == NM_SET_VALIDATION && is_told(e) ? nothing_held(e) : NM_OK;
    }
    if (set == NM_SET_VALIDATION && !r->validation) {
        return nothing_held(e);
    }
    if (set == NM_SET_TEST && !r->test) {
        return NM_OK; /* a data set of its own */
    }
    find_folder(e, folder);
    nm_status status = held_out_read(e->trained.context, folder, r, &e->parts);
    if (status == NM_OK && e->parts) {
        tell_other_rule(e);
        o->parts = e->parts;
        o->part_count = r->rows;
    } else if (status == NM_OK) {
        take_rule(o, r);
    }
    return status;
}

/* ---- Whether they are the same ---- */

static nm_status other_rows(const evaluated *e, const char *name)
{
    if (!e->parts) {
        return nm_fail(e->trained.context, NM_ERROR_INPUT,
                       "the %s rows are not those of the run: the files that name them are not "
                       "beside %s, and the file's data or rule changed since; evaluate on a file "
                       "of its own, with --data",
                       name, e->trained.weights);
    }
    return nm_fail(e->trained.context, NM_ERROR_INPUT,
                   "the data changed since the run: its %s rows do not hold what they held; give "
                   "the data as they were, or evaluate on a file of its own, with --data",
                   name);
}

nm_status split_check(const evaluated *e, nm_set set, const nm_data *data)
{
    char print[NM_PRINT_TEXT];
    const nm_split_record *r = record_of(e);
    const char *held = set == NM_SET_VALIDATION ? r->validation_data : r->test_data;
    const nm_dataset *part = set == NM_SET_VALIDATION ? &data->validation : &data->test;
    if (!r->rows || !data->parts) {
        return NM_OK;
    }
    if (set != NM_SET_TRAIN && held && strcmp(nm_dataset_print(part, print), held) != 0) {
        return other_rows(e, set == NM_SET_VALIDATION ? "validation" : "test");
    }
    if (r->data && strcmp(nm_dataset_print(&data->whole, print), r->data) != 0) {
        nm_context_log(e->trained.context, NM_LOG_WARNING,
                       "the training data changed since the run%s",
                       set == NM_SET_TRAIN ? "" : "; the rows that are evaluated did not");
    }
    return NM_OK;
}
