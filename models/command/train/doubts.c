#include "models/command/train/doubts.h"

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

void tell_doubts(const nm_config *config)
{
    if (config->data.train.count) {
        tell_same_sets(config);
        tell_categories(config);
        tell_classes(config);
        tell_balance(config);
    }
}
