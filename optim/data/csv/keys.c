/* Columns that a split goes by: the groups whose rows stay together, and what rows are in the order
 * of. */
#include "optim/data/csv/csv.h"

static nm_status find_key(const csv_table *t, const char *option, const char *name, int64_t *found)
{
    const nm_strings list = {1, &name};
    int64_t *chosen = nm_alloc_zero(t->context, (size_t)t->columns, sizeof *chosen), count = 0;
    nm_status status = chosen ? nm_csv_choose_columns(t, option, &list, chosen) : NM_ERROR_MEMORY;
    for (int64_t i = 0; status == NM_OK && i < t->columns; i++) {
        *found = chosen[i] >= 0 ? i : *found;
        count += chosen[i] >= 0;
    }
    nm_free(t->context, chosen);
    if (status == NM_OK && count > 1) {
        return nm_fail(t->context, NM_ERROR_INPUT, "%s: \"%s\": \"%s\" fits %lld columns; give one",
                       t->text.title, option, name, (long long)count);
    }
    return status;
}

/* For a network that is there already the columns are as they were. */
static void leave_out(csv_table *t, int64_t column)
{
    csv_column *c = &t->column[column];
    if (c->role == CSV_ROLE_OPEN || c->role == CSV_ROLE_OUT) {
        c->role = CSV_ROLE_OUT;
        c->is_id = true;
        c->why = "it names the groups of the split";
    }
}

nm_status nm_csv_find_keys(csv_table *t, const nm_dataset *set, const nm_schema *schema)
{
    nm_status status = NM_OK;
    if (set->groups_column) {
        status = find_key(t, "groups", set->groups_column, &t->groups);
    }
    if (set->order_column && status == NM_OK) {
        status = find_key(t, "order", set->order_column, &t->order);
    }
    if (status == NM_OK && t->groups >= 0 && !schema) {
        leave_out(t, t->groups);
    }
    return status;
}

/* ---- Their cells ---- */

typedef struct keys {
    csv_table *table;
    csv_words words; /* the groups */
    int64_t *group;  /* [rows]; NULL: none are wanted */
    double *order;   /* the same */
    csv_column kind; /* of the column of the order */
} keys;

static nm_status missing(const csv_table *t, const csv_walk *w, const char *what)
{
    return nm_csv_fail(&t->text, &w->place, "%s, and %s",
                       w->place.length ? "counts as missing" : "the cell is empty", what);
}

static nm_status take_group(keys *k, const csv_walk *w, int64_t row)
{
    char memory[CSV_LONGEST_NAME];
    csv_table *t = k->table;
    size_t length;
    double number;
    if (nm_csv_look(&t->form, &t->options->missing_texts, w->place.cell, w->place.length,
                    &number) == CSV_SEEN_MISSING) {
        return missing(t, w, "a split by groups needs that of every row");
    }
    const char *text = nm_csv_name_of(t, w, memory, &length);
    if (!text) {
        return nm_csv_fail(&t->text, &w->place, "is too long for the name of a group");
    }
    const csv_word *word = nm_csv_words_find(&k->words, text, length);
    if (!word) {
        text = text == memory ? nm_schema_copy(t->memory, text, length) : text;
        word = text ? nm_csv_words_add(&k->words, text, length, k->words.count) : NULL;
    }
    k->group[row] = word ? word->value : 0;
    return word ? NM_OK : NM_ERROR_MEMORY;
}

static nm_status take_order(keys *k, const csv_walk *w, int64_t row)
{
    const csv_table *t = k->table;
    double value = 0;
    csv_date date;
    const unsigned seen =
        nm_csv_look(&t->form, &t->options->missing_texts, w->place.cell, w->place.length, &value);
    if (seen & CSV_SEEN_NOTHING) {
        return missing(t, w, "a split in order needs the value of every row");
    }
    if (k->kind.kind == NM_COLUMN_DATE) {
        bool fine =
            nm_csv_date(w->place.cell, w->place.length, &date) &&
            nm_csv_days(&date, date.order == CSV_ORDER_OPEN ? k->kind.order : date.order, &value);
        k->order[row] = value;
        return fine ? NM_OK : nm_csv_fail(&t->text, &w->place, "is not a date");
    }
    k->order[row] = value;
    return seen & (CSV_SEEN_NUMBERS | CSV_SEEN_MARKED)
               ? NM_OK
               : nm_csv_fail(&t->text, &w->place, "is not a finite number");
}

static nm_status take_rows(keys *k)
{
    const csv_table *t = k->table;
    csv_walk w = t->begin;
    for (int64_t row = 0; nm_csv_begin_row(&w); row++) {
        for (int64_t i = 0; i < t->columns; i++) {
            nm_status status = nm_csv_next(&w);
            if (status == NM_OK && i == t->groups) {
                status = take_group(k, &w, row);
            }
            if (status == NM_OK && i == t->order) {
                status = take_order(k, &w, row);
            }
            if (status != NM_OK) {
                return status;
            }
        }
    }
    return NM_OK;
}

/* ---- What they are ---- */

static nm_status check_target(const csv_table *t, int64_t column, const char *option)
{
    char text[CSV_COLUMN_TEXT];
    if (column < 0 || t->column[column].role != CSV_ROLE_TARGET) {
        return NM_OK;
    }
    return nm_fail(t->context, NM_ERROR_INPUT,
                   "%s: \"%s\": %s is the target, which a split cannot go by", t->text.title,
                   option, nm_csv_column_text(t, column, text));
}

/* Numbers or dates, which come before and after each other. */
static nm_status find_order(keys *k)
{
    char text[CSV_COLUMN_TEXT];
    const csv_table *t = k->table;
    if (t->order < 0) {
        return NM_OK;
    }
    k->kind = t->column[t->order]; /* a copy: what the column is stays as it was decided */
    k->kind.kind = nm_csv_kind_of(t, &k->kind);
    if (k->kind.kind == NM_COLUMN_DATE && k->kind.order == CSV_ORDER_OPEN) {
        return nm_fail(t->context, NM_ERROR_INPUT,
                       "%s: \"order\": of the dates in %s, day and month could be either; say "
                       "`dates: day_first` or month_first",
                       t->text.title, nm_csv_column_text(t, t->order, text));
    }
    if (k->kind.kind == NM_COLUMN_NUMBER || k->kind.kind == NM_COLUMN_DATE) {
        return NM_OK;
    }
    return nm_fail(t->context, NM_ERROR_INPUT,
                   "%s: \"order\": %s holds %s, which come neither before nor after each other; "
                   "give a column of numbers or dates",
                   t->text.title, nm_csv_column_text(t, t->order, text),
                   k->kind.kind == NM_COLUMN_FLAG ? "truth values" : "texts");
}

nm_status nm_csv_take_keys(csv_table *t, nm_dataset *set)
{
    keys k = {.table = t, .words = {.context = t->context}};
    nm_status status = check_target(t, t->groups, "groups");
    status = status == NM_OK ? check_target(t, t->order, "order") : status;
    status = status == NM_OK ? find_order(&k) : status;
    if (status != NM_OK || (t->groups < 0 && t->order < 0)) {
        return status;
    }
    if (t->groups >= 0) {
        set->groups = set->memory[4] = k.group =
            nm_alloc_zero(t->context, (size_t)t->rows, sizeof *k.group);
    }
    if (t->order >= 0) {
        set->order = set->memory[5] = k.order =
            nm_alloc_zero(t->context, (size_t)t->rows, sizeof *k.order);
    }
    status = nm_context_status(t->context);
    status = status == NM_OK ? take_rows(&k) : status;
    set->group_count = k.words.count;
    nm_csv_words_free(&k.words);
    return status;
}
