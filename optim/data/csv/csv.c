/* Tables in text form: a line a sample, columns of numbers, dates, truth values and categories, one
 * or several of them the target.
 *
 * Promises:
 * 1. The file is walked twice or more: first every line is checked to have as many cells as the
 * first, which bounds the table's size by the file's; only then is memory asked for.
 * 2. A cell that is none of what its column is is an error with FILE:LINE:COLUMN; nothing is
 * guessed that could be read in two ways. Numbers do not depend on the locale.
 * 3. For a network that is there already, columns, categories and classes are its own: matched by
 *    name, or where there are none, by place. */
#include "core/file.h"
#include "optim/data/csv/csv.h"
#include "optim/table.h"

/* ---- Options ---- */

static bool is_separator(const char *text)
{
    static const char *const words[] = {"auto", "comma", "semicolon", "tab", "blank"};
    for (int i = 0; text && i < NM_COUNT_OF(words); i++) {
        if (strcmp(text, words[i]) == 0) {
            return true;
        }
    }
    return text && strlen(text) == 1 && !strchr("\"'\r\n+-.0123456789", *text);
}

static void check_options(const void *options, const nm_value *at, nm_diagnostics *d)
{
    const nm_csv_options *o = options;
    if (!is_separator(o->separator)) {
        nm_diagnose(
            d, at,
            "csv: \"separator\" must be auto, comma, semicolon, tab, blank or one character, "
            "such as ',' or \"\\t\"");
    }
    if (!o->quote || (strcmp(o->quote, "auto") && strcmp(o->quote, "none") &&
                      strcmp(o->quote, "\"") && strcmp(o->quote, "'"))) {
        nm_diagnose(d, at, "csv: \"quote\" must be auto, none, '\"' or \"'\"");
    }
    if (o->targets == NM_WANTED_VALUES && o->classes) {
        nm_diagnose(d, at, "csv: \"classes\" is for labels, but \"targets\" are values");
    }
}

static const nm_csv_options defaults = {NM_CSV_DEFAULTS};
NM_OPTIONS_INIT(nm_csv_options, defaults)

static const char *const targets_names[] = {"auto", "labels", "values", NULL};
static const char *const header_names[] = {"auto", "yes", "no", NULL};
static const char *const decimal_names[] = {"auto", ".", ",", NULL};
static const char *const dates_names[] = {"auto", "day_first", "month_first", NULL};
static const char *const missing_names[] = {"refuse", "mean", "median", "zero", NULL};
static const nm_option rows[] = {
    {NM_FIELD(nm_csv_options, path), NM_OPTION_STRING, .also = "file filename csv",
     .flags = NM_REQUIRED | NM_PATH,
     .doc = "path of the file, plain or gzip; \"-\": standard input"},
    {NM_FIELD(nm_csv_options, target), NM_OPTION_STRINGS, .also = "label labels y target_column",
     .doc = "the targets' columns: names, patterns such as \"y*\", or indexes from 0, or from -1 "
            "back; or none. Left out: the one called target, label or class, or the last one"},
    {NM_FIELD(nm_csv_options, target_path), NM_OPTION_STRING, .flags = NM_PATH,
     .doc = "path of a file of its own for the targets, with as many rows; left out: they stand in "
            "`path`"},
    {NM_FIELD(nm_csv_options, targets), NM_OPTION_ENUM, .names = targets_names,
     .doc = "whether the target is a class or values to predict; auto: as the loss needs"},
    {NM_FIELD(nm_csv_options, columns), NM_OPTION_STRINGS, .also = "features usecols x",
     .doc = "the sample's columns, given as those of the target; left out: all others but ids"},
    {NM_FIELD(nm_csv_options, ignore), NM_OPTION_STRINGS, .also = "drop exclude",
     .doc = "columns to leave out, given in the same way"},
    {NM_FIELD(nm_csv_options, categories), NM_OPTION_STRINGS,
     .doc = "columns to take as categories, also if they hold numbers or many texts"},
    {NM_FIELD(nm_csv_options, classes), NM_OPTION_INT, .min = 0, .max = INT32_MAX,
     .doc = "number of classes, where targets are labels; 0: as found"},
    {NM_FIELD(nm_csv_options, header), NM_OPTION_ENUM, .names = header_names,
     .doc = "whether the first line names the columns; auto: told by its cells and those below"},
    {NM_FIELD(nm_csv_options, separator), NM_OPTION_STRING, .also = "sep delimiter",
     .doc = "the character between cells, or comma, semicolon, tab, blank (any run of them); auto: "
            "found"},
    {NM_FIELD(nm_csv_options, quote), NM_OPTION_STRING,
     .doc = "the character around cells: '\"', \"'\" or none; auto: '\"', or \"'\" where the file "
            "uses it"},
    {NM_FIELD(nm_csv_options, decimal), NM_OPTION_ENUM, .names = decimal_names,
     .doc = "the mark before decimals; the other one may stand between thousands; auto: found"},
    {NM_FIELD(nm_csv_options, dates), NM_OPTION_ENUM, .names = dates_names,
     .doc =
         "what stands first in dates such as 1/2/2020; auto: told by the whole column, where some "
         "number is above 12"},
    {NM_FIELD(nm_csv_options, missing), NM_OPTION_ENUM, .names = missing_names,
     .doc = "what a missing cell counts as: an error, the mean or median of its column in the "
            "training set, or 0; a missing text is none of the categories"},
    {NM_FIELD(nm_csv_options, missing_texts), NM_OPTION_STRINGS, .also = "na_values",
     .doc =
         "texts that mean a missing cell, besides nothing, ?, NA, N/A, #N/A, NaN and null, and - "
         "and . among numbers"},
};
static const nm_spec spec = {.name = "nm_csv_options",
                             .size = sizeof(nm_csv_options),
                             .defaults = &defaults,
                             .options = rows,
                             .count = NM_COUNT_OF(rows),
                             .check = check_options};

/* ---- A file ---- */

static void close_table(csv_table *t)
{
    for (int64_t i = 0; i < t->columns; i++) {
        nm_csv_words_free(&t->column[i].words);
    }
    nm_csv_words_free(&t->names);
    nm_free(t->context, t->column);
    nm_csv_free(&t->text);
    t->column = NULL;
    t->columns = 0;
}

/* Up to the survey. */
static nm_status open_table(nm_context *context, const nm_csv_options *options,
                            const nm_schema *schema, nm_schema *memory, int wanted, csv_table *t)
{
    *t = (csv_table){.context = context,
                     .options = options,
                     .groups = -1,
                     .order = -1,
                     .memory = memory,
                     .is_targetless = wanted == NM_WANTED_NONE};
    nm_status status = nm_csv_read(context, options->path, &t->text);
    if (status == NM_OK && (status = nm_csv_find_form(t, schema)) == NM_OK &&
        (status = nm_csv_choose(t)) == NM_OK) {
        status = nm_csv_survey(t);
    }
    return status;
}

/* ---- One or two of them ---- */

/* The options of the two files. */
static nm_csv_options options_of_samples(const nm_csv_options *o)
{
    nm_csv_options samples = *o;
    samples.target = (nm_strings){0};
    return samples;
}

static nm_csv_options options_of_targets(const nm_csv_options *o)
{
    nm_csv_options targets = *o;
    targets.path = o->target_path;
    targets.columns = targets.ignore = targets.categories = (nm_strings){0};
    return targets;
}

static nm_status different_rows(const csv_table *x, const csv_table *y)
{
    return nm_fail(x->context, NM_ERROR_FORMAT,
                   "%s has %lld rows, but %s has %lld; they must be as many", y->text.title,
                   (long long)y->rows, x->text.title, (long long)x->rows);
}

/* Decides what columns are, or finds those of the network. */
static nm_status settle(csv_table *x, csv_table *y, const nm_schema *schema, nm_schema *memory,
                        nm_dataset *set)
{
    if (!schema) {
        return nm_csv_decide(x, y, set, memory);
    }
    nm_status status = nm_csv_match(x, schema);
    return status == NM_OK && x != y ? nm_csv_match_targets(y, schema) : status;
}

static void name_samples(csv_table *t)
{
    for (int64_t i = 0; i < t->columns; i++) {
        csv_column *c = &t->column[i];
        c->role = c->role == CSV_ROLE_OPEN ? CSV_ROLE_SAMPLE : c->role;
    }
}

static nm_status fill_set(csv_table *x, csv_table *y, const nm_schema *schema, nm_dataset *set)
{
    name_samples(x);
    nm_status status = nm_csv_take(x, CSV_ROLE_SAMPLE, set);
    if (status == NM_OK) {
        status = nm_csv_take(y, CSV_ROLE_TARGET, set);
    }
    if (status == NM_OK && schema && set->wanted == NM_WANTED_NONE) {
        status = nm_csv_take_ids(x, schema, set);
    }
    if (schema && !schema->columns) {
        set->shape = schema->shape; /* as many elements */
    }
    set->classes = !set->targets || !y->is_labels ? 0
                   : schema                       ? schema->classes
                   : y->class_names               ? y->classes
                   : y->is_named                  ? set->schema->classes
                                                  : y->options->classes;
    set->is_numbered = y->is_named || y->class_names;
    set->missing = schema ? NM_MISSING_REFUSE : x->options->missing;
    return status;
}

static nm_status open_both(nm_context *context, const nm_csv_options *o, const nm_schema *schema,
                           nm_schema *memory, nm_dataset *set)
{
    const nm_csv_options x_options = o->target_path ? options_of_samples(o) : *o;
    const nm_csv_options y_options = options_of_targets(o);
    csv_table x = {.context = context}, own = {.context = context};
    csv_table *y = o->target_path ? &own : &x;
    nm_status status = open_table(context, &x_options, schema, memory, set->wanted, &x);
    if (status == NM_OK && y == &own) {
        status = open_table(context, &y_options, schema, memory, set->wanted, y);
    }
    if (status == NM_OK && x.rows != y->rows) {
        status = different_rows(&x, y);
    }
    if (status == NM_OK && (status = nm_csv_find_keys(&x, set, schema)) == NM_OK &&
        (status = settle(&x, y, schema, memory, set)) == NM_OK &&
        (status = nm_csv_take_keys(&x, set)) == NM_OK) {
        status = fill_set(&x, y, schema, set);
    }
    close_table(&x);
    close_table(&own);
    return status;
}

static nm_status csv_open(nm_context *context, const void *options, const nm_schema *schema,
                          nm_dataset *set)
{
    const nm_csv_options *o = options;
    set->sample_source = nm_file_title(o->path);
    set->target_source = nm_file_title(o->target_path ? o->target_path : o->path);
    nm_schema *memory = nm_schema_create(context);
    if (!memory) {
        return NM_ERROR_MEMORY;
    }
    set->schema = schema ? NULL : memory;
    nm_status status = open_both(context, o, schema, memory, set);
    if (schema) {
        nm_schema_destroy(memory);
    }
    return status;
}

const nm_dataset_type nm_dataset_csv = {
    .item = NM_ITEM(
        nm_dataset_type, "csv", "a table: CSV and its like", .also = "tsv txt dat data table",
        .spec = &spec,
        .doc =
            "A line is a sample. Columns are numbers, dates (days since 1970; with or without a "
            "time; "
            "2020-01-31, and other orders where the column leaves no doubt), true/false, yes/no "
            "and "
            "their like (1 and 0), or texts: at most 64 different ones, in at most half as many as "
            "rows, become an element each. Columns that are empty, ids, count the rows, or hold "
            "texts that are more (a warning names those) are left out. Classes may be texts; they "
            "are numbered by size, if they are numbers, then by "
            "their "
            "bytes. UTF-8, UTF-16 and Latin-1; any line ends; cells may stand in quotes. "
            "Where something could be read in two ways, it is an error with its place."),
    .open = csv_open,
};
