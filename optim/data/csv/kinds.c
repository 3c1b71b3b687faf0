/* What each column of a sample is, in a table that a network is to be trained on.
 *
 *   numbers only                            a number; with one mark in all, too (cells/unit.c)
 *   true/false, yes/no, t/f, y/n, on/off    1 or 0
 *   dates and times                         days since 1970; day and month are told apart by the
 *                                           whole column, and where nothing in it does, it is an
 *                                           error
 *   texts, at most 64 different ones and    categories, an element of the sample each
 *   half as many as rows, or 2
 *   other texts                             left out, with a warning that names them; an error
 *                                           where they were asked for, or nothing else is there
 *   a few texts among many numbers or       an error at the first of them
 *   dates, or any among numbers with a mark
 *   nothing                                 left out
 *
 * Ids are left out as well (identity.c). Missing cells are an error, unless `missing` gives a rule.
 */
#include <math.h>
#include <stdio.h>

#include "core/text.h"
#include "optim/data/csv/csv.h"

static bool is_sample(const csv_column *c)
{
    return c->role == CSV_ROLE_OPEN || c->role == CSV_ROLE_SAMPLE;
}

/* ---- One column ---- */

static bool is_stray_text(const csv_column *c)
{
    return !c->is_category && c->texts && (c->marked || c->numbers >= 9 * c->texts);
}

/* The same among dates, such as 30.2.2020. */
static bool is_stray_among_dates(const csv_column *c)
{
    const int64_t others = c->texts - c->dates;
    return !c->is_category && others && c->dates >= 9 * others;
}

/* A category for each text, then. */
static bool has_few_texts(const csv_table *t, const csv_column *c)
{
    const int64_t most = c->is_category ? INT32_MAX : t->rows / 2 > 2 ? t->rows / 2 : 2;
    return !c->broken_off && c->words.count <= most;
}

/* ---- Messages ---- */

static nm_status stray_text(const csv_table *t, int64_t i)
{
    char text[CSV_COLUMN_TEXT];
    const csv_column *c = &t->column[i];
    return nm_csv_fail(
        &t->text, &c->text_place,
        "is not a number, as %lld other cells of %s are; correct it, let it count as "
        "missing with `missing_texts`, or name the column in `categories`",
        (long long)c->numbers, nm_csv_column_text(t, i, text));
}

static nm_status stray_among_dates(const csv_table *t, int64_t i)
{
    char text[CSV_COLUMN_TEXT];
    const csv_column *c = &t->column[i];
    return nm_csv_fail(&t->text, &c->stray_place,
                       "is not a date, as %lld other cells of %s are; correct it, let it count as "
                       "missing with `missing_texts`, or name the column in `categories`",
                       (long long)c->dates, nm_csv_column_text(t, i, text));
}

/* Where tables were put one behind the other. */
static bool is_second_header(const csv_table *t, const csv_column *c)
{
    const csv_place *place = &c->text_place;
    return t->form.header && *c->name && c->numbers && place->length == strlen(c->name) &&
           !memcmp(c->name, place->cell, place->length);
}

static nm_status second_header(const csv_table *t, int64_t i)
{
    char text[CSV_COLUMN_TEXT];
    return nm_csv_fail(&t->text, &t->column[i].text_place,
                       "is the name of %s, amid its numbers: a second header; take its line out",
                       nm_csv_column_text(t, i, text));
}

static nm_status open_order(const csv_table *t, int64_t i)
{
    char text[CSV_COLUMN_TEXT];
    return nm_csv_fail(&t->text, &t->column[i].text_place,
                       "may begin with the day or the month, and nothing in %s tells; say "
                       "`dates: day_first` or `dates: month_first`",
                       nm_csv_column_text(t, i, text));
}

#define NAMES_SHOWN 12

/* `["name", "ticket"]`, as an option takes it. */
static void add_list(const csv_table *t, const bool *chosen, nm_text *text)
{
    int64_t count = 0;
    for (int64_t i = 0; i < t->columns; i++) {
        if (!chosen[i] || count++ >= NAMES_SHOWN) {
            continue;
        }
        nm_text_add(text, count > 1 ? ", " : "[");
        if (*t->column[i].name && !t->column[i].is_twin) {
            nm_text_add_quoted(text, t->column[i].name);
        } else {
            nm_text_add(text, "%lld", (long long)i);
        }
    }
    nm_text_add(text, count > NAMES_SHOWN ? ", ...]" : "]");
}

static nm_status too_many_texts(const csv_table *t, int64_t first, const bool *chosen)
{
    char column[CSV_COLUMN_TEXT];
    nm_text text = {.context = t->context};
    add_list(t, chosen, &text);
    char *list = nm_text_end(&text);
    if (!list) {
        return NM_ERROR_MEMORY;
    }
    nm_csv_fail(&t->text, &t->column[first].text_place,
                "is text, and %s has too many different ones for categories (more than %d, or than "
                "half as many as rows); leave such columns out: `ignore: %s`",
                nm_csv_column_text(t, first, column), CSV_MOST_CATEGORIES, list);
    nm_free(t->context, list);
    return NM_ERROR_FORMAT;
}

/* Columns of which something is to be said, in a line. */
static void tell_columns(const csv_table *t, const bool *chosen, const char *what)
{
    nm_text text = {.context = t->context};
    int64_t count = 0;
    for (int64_t i = 0; i < t->columns; i++) {
        count += chosen[i];
    }
    if (count) {
        add_list(t, chosen, &text);
        char *list = nm_text_end(&text);
        if (list) {
            nm_context_log(t->context, NM_LOG_INFO, "%s: %lld %s: %s", t->text.title,
                           (long long)count, what, list);
        }
        nm_free(t->context, list);
    }
}

/* ---- All columns ---- */

static void find_kinds(csv_table *t)
{
    for (int64_t i = 0; i < t->columns; i++) {
        csv_column *c = &t->column[i];
        const int kind = is_sample(c) ? nm_csv_kind_of(t, c) : c->kind;
        c->kind = kind < 0 ? NM_COLUMN_CATEGORY : kind;
        c->gather = kind < 0 ? CSV_GATHER_FEW : c->gather;
    }
}

static nm_status check_kinds(const csv_table *t)
{
    for (int64_t i = 0; i < t->columns; i++) {
        const csv_column *c = &t->column[i];
        if (is_sample(c) && c->infinite_place.line) {
            return nm_csv_fail(&t->text, &c->infinite_place,
                               "is not a finite number of f32; correct it, or let it count as "
                               "missing with `missing_texts`");
        }
        if (is_sample(c) && c->kind == NM_COLUMN_DATE && c->order == CSV_ORDER_OPEN) {
            return open_order(t, i);
        }
        if (is_sample(c) && c->kind == NM_COLUMN_CATEGORY && is_second_header(t, c)) {
            return second_header(t, i);
        }
        if (is_sample(c) && c->kind == NM_COLUMN_CATEGORY && is_stray_text(c)) {
            return stray_text(t, i);
        }
        if (is_sample(c) && c->kind == NM_COLUMN_CATEGORY && is_stray_among_dates(c)) {
            return stray_among_dates(t, i);
        }
        if (is_sample(c) && nm_csv_check_units(t, i) != NM_OK) {
            return nm_context_status(t->context);
        }
    }
    return NM_OK;
}

static void leave_empty_out(csv_table *t)
{
    for (int64_t i = 0; i < t->columns; i++) {
        csv_column *c = &t->column[i];
        if (c->role == CSV_ROLE_OPEN && nm_csv_is_nothing(c)) {
            c->role = CSV_ROLE_OUT;
            c->why = "it is empty";
        }
    }
}

static const char *const many_texts = "its texts are too many for categories";

static void leave_texts_out(csv_table *t, const bool *chosen)
{
    nm_text text = {.context = t->context};
    add_list(t, chosen, &text);
    char *list = nm_text_end(&text);
    if (list) {
        nm_context_log(t->context, NM_LOG_WARNING,
                       "%s: left out, as text with too many different ones for categories (more "
                       "than %d, or than half as many as rows): %s; `ignore` with this list does "
                       "so without a word, `categories` takes them in",
                       t->text.title, CSV_MOST_CATEGORIES, list);
    }
    nm_free(t->context, list);
    for (int64_t i = 0; i < t->columns; i++) {
        if (chosen[i]) {
            t->column[i].role = CSV_ROLE_OUT;
            t->column[i].why = many_texts;
        }
    }
}

/* Names, remarks and the like say nothing to a network. */
static nm_status judge_texts(csv_table *t, bool *chosen)
{
    int64_t first = -1, others = 0;
    bool is_wanted = false;
    for (int64_t i = t->columns - 1; i >= 0; i--) {
        const csv_column *c = &t->column[i];
        chosen[i] = is_sample(c) && c->kind == NM_COLUMN_CATEGORY && !has_few_texts(t, c);
        first = chosen[i] ? i : first;
        others += is_sample(c) && !chosen[i];
        is_wanted |= chosen[i] && c->role == CSV_ROLE_SAMPLE;
    }
    if (first >= 0 && (is_wanted || !others)) {
        return too_many_texts(t, first, chosen);
    }
    if (first >= 0) {
        leave_texts_out(t, chosen);
    }
    return NM_OK;
}

/* ---- Missing cells ---- */

static const csv_place *missing_place(const csv_column *c)
{
    const csv_place *a = &c->missing_place, *b = &c->dash_place;
    if (c->kind == NM_COLUMN_CATEGORY || !b->line) {
        return a;
    }
    return !a->line || b->cell < a->cell ? b : a;
}

static nm_status refuse_missing(const csv_table *t, int64_t i)
{
    char text[CSV_COLUMN_TEXT];
    const csv_column *c = &t->column[i];
    const csv_place *place = missing_place(c);
    const int64_t count = c->missing + (c->kind == NM_COLUMN_CATEGORY ? 0 : c->dashes);
    return nm_csv_fail(&t->text, place,
                       "%s (%s, %lld of %lld rows); say how to fill it, `missing: mean`, median or "
                       "zero, or leave the column out with `ignore`",
                       place->length ? "counts as missing" : "the cell is empty",
                       nm_csv_column_text(t, i, text), (long long)count, (long long)t->rows);
}

/* Of all columns, the first missing cell of the file. */
static nm_status check_missing(const csv_table *t)
{
    int64_t first = -1;
    const char *cell = NULL;
    for (int64_t i = 0; i < t->columns; i++) {
        const csv_column *c = &t->column[i];
        const csv_place *place = missing_place(c);
        if (is_sample(c) && place->line && !c->is_filled && (!cell || place->cell < cell)) {
            first = i;
            cell = place->cell;
        }
    }
    return first < 0 ? NM_OK : refuse_missing(t, first);
}

/* A text that is missing is none of the categories. */
static void set_fill(csv_table *t)
{
    const int rule = t->options->missing;
    for (int64_t i = 0; i < t->columns; i++) {
        csv_column *c = &t->column[i];
        if (!is_sample(c)) {
            continue;
        }
        c->is_filled = rule != NM_MISSING_REFUSE;
        c->fill = c->kind == NM_COLUMN_CATEGORY ? -1 : rule == NM_MISSING_ZERO ? 0 : (double)NAN;
    }
}

/* ---- The schema ---- */

static nm_status twin(const csv_table *t, int64_t i, int64_t other)
{
    char shown[CSV_SHOWN];
    const char *name = t->column[i].name;
    return nm_fail(t->context, NM_ERROR_FORMAT,
                   "%s: columns %lld and %lld are both called \"%s\"; leave one out by its index, "
                   "`ignore: %lld`, or list the indexes of all that are wanted in `columns`",
                   t->text.title, (long long)other, (long long)i,
                   nm_csv_shown(name, strlen(name), shown), (long long)i);
}

/* Two of the sample's columns have one name, and nothing says that both are meant. */
static nm_status check_twins(const csv_table *t)
{
    csv_words names = {.context = t->context};
    nm_status status = NM_OK;
    for (int64_t i = 0; i < t->columns && status == NM_OK; i++) {
        const csv_column *c = &t->column[i];
        if (c->role != CSV_ROLE_OPEN || !c->is_twin) {
            continue;
        }
        const csv_word *word = nm_csv_words_add(&names, c->name, strlen(c->name), i);
        if (!word) {
            status = NM_ERROR_MEMORY;
        } else if (word->value != i) {
            status = twin(t, i, word->value);
        }
    }
    nm_csv_words_free(&names);
    return status;
}

static nm_status describe_column(csv_table *t, csv_column *c, int64_t place, nm_column *column)
{
    *column = (nm_column){.name = c->name,
                          .place = place,
                          .kind = c->kind,
                          .order = c->order,
                          .unit = c->kind == NM_COLUMN_NUMBER ? c->unit : NULL,
                          .fill = c->is_filled ? c->fill : (double)NAN};
    if (c->kind == NM_COLUMN_CATEGORY) {
        nm_csv_warn_of_case(t, place);
        column->count = c->words.count;
        column->categories = nm_csv_number_words(t, &c->words);
        return column->categories ? NM_OK : nm_context_status(t->context);
    }
    return NM_OK;
}

static nm_status describe_sample(csv_table *t, nm_schema *schema)
{
    int64_t count = 0, width = 0;
    for (int64_t i = 0; i < t->columns; i++) {
        count += is_sample(&t->column[i]);
    }
    nm_column *columns = nm_schema_alloc(schema, (size_t)count, sizeof *columns);
    schema->column = columns;
    for (int64_t i = 0; columns && i < t->columns; i++) {
        csv_column *c = &t->column[i];
        if (!is_sample(c)) {
            continue;
        }
        nm_column *column = &columns[schema->columns++];
        nm_status status = describe_column(t, c, i, column);
        if (status != NM_OK) {
            return status;
        }
        c->at = width;
        width += c->kind == NM_COLUMN_CATEGORY ? column->count : 1;
    }
    schema->places = t->columns;
    return nm_context_status(t->context);
}

#define MOST_UNUSED 256 /* which are listed */

static nm_status describe_unused(const csv_table *t, nm_schema *schema)
{
    int64_t count = nm_csv_count_role(t, CSV_ROLE_OUT);
    count = count < MOST_UNUSED ? count : MOST_UNUSED;
    nm_unused_column *unused = nm_schema_alloc(schema, (size_t)count, sizeof *unused);
    schema->unused_column = unused;
    for (int64_t i = 0; unused && i < t->columns && schema->unused < count; i++) {
        const csv_column *c = &t->column[i];
        if (c->role == CSV_ROLE_OUT) {
            unused[schema->unused++] =
                (nm_unused_column){.name = c->name,
                                   .place = i,
                                   .why = c->why ? c->why : "it is not chosen",
                                   .is_id = c->is_id || (!c->why && nm_csv_is_called_id(t, c))};
        }
    }
    return nm_context_status(t->context);
}

static void tell(const csv_table *t, bool *chosen)
{
    for (int64_t i = 0; i < t->columns; i++) {
        chosen[i] =
            t->column[i].role == CSV_ROLE_OUT && t->column[i].why && t->column[i].why != many_texts;
    }
    tell_columns(t, chosen, "columns are left out, which are ids or empty");
    for (int64_t i = 0; i < t->columns; i++) {
        const csv_column *c = &t->column[i];
        chosen[i] =
            is_sample(c) && (c->kind == NM_COLUMN_CATEGORY
                                 ? c->words.count < 2
                                 : c->kind == NM_COLUMN_NUMBER && c->constant && !c->missing);
    }
    tell_columns(t, chosen, "columns have one value in all rows");
}

/* ---- In their order ---- */

static nm_status no_column_left(const csv_table *t)
{
    return nm_fail(
        t->context, NM_ERROR_FORMAT, "%s: %s", t->text.title,
        t->columns == 1
            ? "its only column is the target; is the separator right?"
            : "no column is left for the samples; look at `columns`, `ignore` and `target`");
}

static nm_status decide_sample(csv_table *t, nm_schema *schema, bool *chosen)
{
    nm_status status;
    set_fill(t);
    if ((status = check_twins(t)) == NM_OK && (status = check_kinds(t)) == NM_OK &&
        (status = judge_texts(t, chosen)) == NM_OK && (status = check_missing(t)) == NM_OK &&
        (status = describe_sample(t, schema)) == NM_OK) {
        status = describe_unused(t, schema);
    }
    if (status == NM_OK && !schema->columns) {
        status = no_column_left(t);
    }
    if (status == NM_OK) {
        tell(t, chosen);
    }
    return status;
}

/* Ids have to be known before texts are judged, and texts have to be gathered for both. */
static nm_status gather(csv_table *x, csv_table *y, const nm_dataset *set)
{
    nm_status status;
    nm_csv_suspect_identities(x);
    nm_csv_expect_targets(y, set);
    if ((status = nm_csv_gather(x, &set->ignored)) != NM_OK) {
        return status;
    }
    return x == y ? NM_OK : nm_csv_gather(y, &set->ignored);
}

nm_status nm_csv_decide(csv_table *x, csv_table *y, nm_dataset *set, nm_schema *schema)
{
    nm_status status;
    nm_csv_find_targets(y, x != y);
    leave_empty_out(x);
    find_kinds(x);
    if ((status = gather(x, y, set)) != NM_OK) {
        return status;
    }
    nm_csv_leave_identities_out(x);
    bool *chosen = nm_alloc_zero(x->context, (size_t)x->columns, sizeof *chosen);
    if (!chosen) {
        return NM_ERROR_MEMORY;
    }
    if ((status = decide_sample(x, schema, chosen)) == NM_OK) {
        status = nm_csv_decide_targets(y, x != y, set, schema);
    }
    nm_free(x->context, chosen);
    return status;
}
