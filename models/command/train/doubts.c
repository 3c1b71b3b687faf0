#include "models/command/train/doubts.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "models/command/command.h"

/* ---- A test set that tests nothing ---- */

static bool are_same(const nm_dataset *a, const nm_dataset *b)
{
    char one[NM_PRINT_TEXT], other[NM_PRINT_TEXT];
    return a->count && a->count == b->count &&
           strcmp(nm_dataset_print(a, one), nm_dataset_print(b, other)) == 0;
}

static void tell_same_sets(const nm_config *c)
{
    const nm_data *data = &c->data;
    if (are_same(&data->test, data->whole.count ? &data->whole : &data->train)) {
        nm_context_log(c->context, NM_LOG_WARNING,
                       "data: the test set is the training set once more, so what is measured on "
                       "it says nothing about other samples; give another one, or hold some out: "
                       "data: {test_share: 0.2}");
    }
}

/* ---- Numbers that became categories ---- */

/* The first text that is no number, where most of them are; NULL: it is another column. */
static const char *text_among_numbers(const nm_column *column)
{
    const char *text = NULL;
    int numbers = 0;
    for (int i = 0; i < column->count; i++) {
        double number;
        const bool is_number = nm_parse_float(column->categories[i], &number);
        numbers += is_number;
        text = is_number || text ? text : column->categories[i];
    }
    return 2 * numbers > column->count ? text : NULL;
}

static void tell_text(const nm_config *c, const nm_column *column, const char *text)
{
    nm_context_log(c->context, NM_LOG_WARNING,
                   "data: column \"%s\" is taken for kinds, an input for each, since \"%s\" stands "
                   "among its numbers; where that is a missing one, say missing_texts: [\"%s\"] "
                   "and missing: mean; where kinds are meant, categories: [\"%s\"]",
                   column->name, text, text, column->name);
}

static void tell_categories(const nm_config *c)
{
    const nm_choice *train = &c->data_options.train;
    const nm_schema *schema = c->data.schema;
    const bool csv = train->item && strcmp(train->item->name, "csv") == 0;
    const nm_csv_options *o = csv ? nm_choice_options(train) : NULL;
    for (int i = 0; o && !o->categories.count && schema && i < schema->columns; i++) {
        const nm_column *column = &schema->column[i];
        const char *text =
            *column->name && column->kind == NM_COLUMN_CATEGORY ? text_among_numbers(column) : NULL;
        if (text) {
            tell_text(c, column, text);
        }
    }
}

/* ---- Names instead of classes ---- */

#define LEAST_ROWS 10 /* of fewer, each may well be of a class of its own */

static void tell_classes(const nm_config *c)
{
    const nm_dataset *train = &c->data.train;
    const nm_schema *schema = c->data.schema;
    if (schema && schema->target_columns == 1 && train->count >= LEAST_ROWS &&
        schema->classes >= (c->data.whole.count ? c->data.whole.count : train->count)) {
        nm_context_log(c->context, NM_LOG_WARNING,
                       "data: each row has a class of its own in the target, column \"%s\", so "
                       "there is nothing to learn; name another one: csv: {target: NAME}",
                       schema->target_column[0].name);
    }
}

/* ---- Rare classes that count for more twice ---- */

static void tell_balance(const nm_config *c)
{
    const nm_loss_type *loss = (const nm_loss_type *)(const void *)c->loss.item;
    const bool weighs =
        loss && loss->follows_data && loss->follows_data(nm_choice_options(&c->loss));
    if (weighs && c->data.loader.balance) {
        nm_context_log(c->context, NM_LOG_WARNING,
                       "data: balance draws each class equally often, and the loss's weight: "
                       "balanced makes the rare ones count for more once again; leave one of the "
                       "two out");
    }
}

/* ---- What an embedding in front takes ---- */

/* Number `k` of a sample, as it stands in the data. */
static double number_of(const nm_dataset *set, int64_t sample, int64_t k)
{
    const int64_t row = set->rows ? set->rows[sample] : sample;
    const int64_t at = row * nm_shape_count(&set->shape) + k;
    return set->dtype == NM_U8    ? (double)((const uint8_t *)set->samples)[at]
           : set->dtype == NM_F32 ? (double)((const float *)set->samples)[at]
                                  : ((const double *)set->samples)[at];
}

static bool is_changed(const nm_schema *schema)
{
    bool changed = schema->scale != 1;
    for (int64_t i = 0; i < schema->channels; i++) {
        changed |= schema->mean[i] != 0 || schema->deviation[i] != 1;
    }
    return changed;
}

static nm_status check_indexes(const nm_dataset *set, const char *layer, int64_t count)
{
    const int64_t width = set->count ? nm_shape_count(&set->shape) : 0;
    for (int64_t i = 0; i < set->count; i++) {
        for (int64_t k = 0; k < width; k++) {
            const double x = number_of(set, i, k);
            if (x < 0 || x >= (double)count || x > floor(x)) {
                return nm_fail(set->context, NM_ERROR_INPUT,
                               "sample %lld has %.7g among its numbers, but layer \"%s\" takes "
                               "whole ones from 0 to %lld; num_embeddings says how many",
                               (long long)i, x, layer, (long long)count - 1);
            }
        }
    }
    return NM_OK;
}

static nm_status check_sets(const nm_data *d, const char *layer, int64_t count)
{
    const nm_dataset *const sets[] = {&d->train, &d->validation, &d->test};
    nm_status status = NM_OK;
    if (d->schema && is_changed(d->schema)) {
        return nm_fail(d->train.context, NM_ERROR_INPUT,
                       "layer \"%s\" takes whole numbers, so samples are not to be standardized: "
                       "data: {normalize: none}",
                       layer);
    }
    for (int i = 0; i < NM_COUNT_OF(sets) && status == NM_OK; i++) {
        status = check_indexes(sets[i], layer, count);
    }
    return status;
}

static nm_status check_embedding(const nm_config *c)
{
    char name[NM_INPUT_NAME];
    const nm_layer_summary s = nm_model_layer_at(c->model, 0);
    if (!s.type || strcmp(s.type, "embedding") != 0) {
        return NM_OK;
    }
    snprintf(name, sizeof name, "%s.weight", s.name);
    const nm_entry *weight = nm_store_find(nm_model_store(c->model), name);
    const int64_t count = weight ? nm_tensor_shape(weight->tensor)->dim[0] : INT64_MAX;
    return check_sets(&c->data, s.name, count) == NM_OK
               ? NM_OK
               : nm_fail_at(c->context, nm_model_place(c->model, s.name));
}

nm_status check_doubts(const nm_config *config)
{
    if (!config->data.train.count) {
        return NM_OK;
    }
    tell_same_sets(config);
    tell_categories(config);
    tell_classes(config);
    tell_balance(config);
    return check_embedding(config);
}
