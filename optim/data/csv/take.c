/* The last walk: cells become numbers in memory. */
#include "optim/data/csv/csv.h"

#define RARE __attribute__((cold)) /* compiled for size */

/* Where numbers go. */
typedef struct target {
    csv_table *table;
    int role;
    bool wide;       /* f64, else f32 */
    double *numbers; /* [rows, width] */
    float *narrow;
    int32_t *labels; /* [rows] */
    int64_t width;
    nm_ignored ignored;
    int64_t unknown; /* texts that are none of the categories, and count as missing */
    csv_place first_unknown;
} target;

/* ---- One cell ---- */

RARE static nm_status missing(const target *k, const csv_column *c, const csv_walk *w,
                              double *value)
{
    char text[CSV_COLUMN_TEXT];
    const csv_table *t = k->table;
    if (c->is_filled) {
        *value = c->fill;
        return NM_OK;
    }
    if (k->role == CSV_ROLE_TARGET) {
        return nm_csv_fail(&t->text, &w->place,
                           "%s, and it is the target; remove the line, or say `target: none`",
                           w->place.length ? "counts as missing" : "the cell is empty");
    }
    return nm_csv_fail(
        &t->text, &w->place,
        "%s (%s), and the network was trained without a rule for that; fill it in, or "
        "train with `missing: mean`, median or zero",
        w->place.length ? "counts as missing" : "the cell is empty",
        nm_csv_column_text(t, c - t->column, text));
}

RARE static nm_status wrong_kind(const target *k, const csv_column *c, const csv_walk *w,
                                 unsigned seen)
{
    static const char *const kinds[] = {"a number", "true or false", "a date", "a category"};
    char text[CSV_COLUMN_TEXT];
    const csv_table *t = k->table;
    if (seen == CSV_SEEN_INFINITE) {
        return nm_csv_fail(&t->text, &w->place, "is not a finite number of f32");
    }
    if (c->kind == NM_COLUMN_DATE && seen == CSV_SEEN_ORDER_OPEN) {
        return nm_csv_fail(&t->text, &w->place,
                           "may begin with the day or the month; write it as 2020-01-31");
    }
    nm_csv_column_text(t, c - t->column, text);
    if (c->kind == NM_COLUMN_NUMBER && c->unit) {
        char shown[CSV_SHOWN];
        return nm_csv_fail(&t->text, &w->place, "is not a number with \"%s\", as %s has them",
                           nm_csv_shown(c->unit, strlen(c->unit), shown), text);
    }
    return nm_csv_fail(&t->text, &w->place, "is not %s, as %s has them",
                       seen == CSV_SEEN_MARKED ? "a plain number" : kinds[c->kind], text);
}

static bool take_date(const csv_column *c, const csv_walk *w, double *days)
{
    csv_date date;
    return nm_csv_date(w->place.cell, w->place.length, &date) &&
           (date.order != CSV_ORDER_OPEN || c->order != NM_DATE_YEAR_FIRST) &&
           nm_csv_days(&date, date.order == CSV_ORDER_OPEN ? c->order : date.order, days);
}

/* Whether a number has the column's mark, or neither has one. */
static bool has_unit(const target *k, const csv_column *c, const csv_walk *w, unsigned seen)
{
    double value;
    const char *unit = seen == CSV_SEEN_MARKED ? nm_csv_quantity(&k->table->form, w->place.cell,
                                                                 w->place.length, &value)
                                               : NULL;
    return unit && c->unit ? strcmp(unit, c->unit) == 0 : unit == c->unit;
}

static nm_status take_value(const target *k, const csv_column *c, const csv_walk *w, double *value)
{
    const csv_table *t = k->table;
    const nm_strings *texts = &t->options->missing_texts;
    const unsigned seen = nm_csv_look(&t->form, texts, w->place.cell, w->place.length, value);
    bool fine = false;
    if (seen & CSV_SEEN_NOTHING) {
        return missing(k, c, w, value);
    }
    if (c->kind == NM_COLUMN_NUMBER) {
        fine = seen & (CSV_SEEN_NUMBERS | CSV_SEEN_MARKED) && has_unit(k, c, w, seen);
    } else if (c->kind == NM_COLUMN_FLAG && seen & CSV_SEEN_FLAGS) {
        *value = nm_csv_is_true(w->place.cell, w->place.length);
        fine = true;
    } else if (c->kind == NM_COLUMN_FLAG) {
        fine = seen == CSV_SEEN_WHOLE && (*value == 0 || *value == 1);
    } else if (c->kind == NM_COLUMN_DATE) {
        fine = take_date(c, w, value);
    }
    return fine ? NM_OK : wrong_kind(k, c, w, seen);
}

#define KNOWN_SHOWN 6

/* Of a class, or of a category, for which there is a rule. */
RARE static nm_status unknown(const target *k, const csv_column *c, const csv_walk *w,
                              bool is_class)
{
    char known[KNOWN_SHOWN * (CSV_SHOWN + 2)] = "", shown[CSV_SHOWN], text[CSV_COLUMN_TEXT];
    const csv_table *t = k->table;
    for (int i = 0; i < c->words.count && i < KNOWN_SHOWN; i++) {
        strcat(known, i ? ", " : "");
        strcat(known, nm_csv_shown(c->words.word[i].text, c->words.word[i].length, shown));
    }
    return nm_csv_fail(&t->text, &w->place, "is no %s of %s: %s%s%s",
                       is_class ? "class" : "category", nm_csv_column_text(t, c - t->column, text),
                       known, c->words.count > KNOWN_SHOWN ? ", ..." : "",
                       is_class ? ""
                                : "; for a network trained with a rule for missing cells, such as "
                                  "`missing: mean`, it counts as missing");
}

static int64_t filled_category(const csv_column *c)
{
    return c->fill >= 0 && c->fill < c->words.count ? (int64_t)c->fill : -1;
}

/* -1: none of them. */
static nm_status take_category(target *k, const csv_column *c, const csv_walk *w, int64_t *number)
{
    char memory[CSV_LONGEST_NAME];
    size_t length;
    double value;
    const csv_table *t = k->table;
    *number = -1;
    if (nm_csv_look(&t->form, &t->options->missing_texts, w->place.cell, w->place.length, &value) ==
        CSV_SEEN_MISSING) {
        *number = c->is_filled ? filled_category(c) : -1;
        return missing(k, c, w, &value);
    }
    const char *text = nm_csv_name_of(t, w, memory, &length);
    const csv_word *word = text ? nm_csv_words_find(&c->words, text, length) : NULL;
    if (!word && !c->is_filled) {
        return unknown(k, c, w, false);
    }
    *number = word ? word->value : filled_category(c);
    if (!word && !k->unknown++) {
        k->first_unknown = w->place;
    }
    return NM_OK;
}

/* ---- A class ---- */

static bool is_ignored(const target *k, double number)
{
    return k->ignored.on && number == (double)k->ignored.label;
}

static nm_status take_named_class(target *k, const csv_column *c, const csv_walk *w, int32_t *label)
{
    char memory[CSV_LONGEST_NAME];
    size_t length;
    double number;
    const csv_table *t = k->table;
    const char *text = nm_csv_name_of(t, w, memory, &length);
    const csv_word *word = text ? nm_csv_words_find(&c->words, text, length) : NULL;
    if (word) {
        *label = (int32_t)word->value;
        return NM_OK;
    }
    if (nm_csv_number(&t->form, w->place.cell, w->place.length, &number) == CSV_WHOLE &&
        is_ignored(k, number)) {
        *label = (int32_t)number;
        return NM_OK;
    }
    return w->place.length ? unknown(k, c, w, true) : missing(k, c, w, &number);
}

static nm_status take_class(target *k, const csv_column *c, const csv_walk *w, int32_t *label)
{
    double number;
    const csv_table *t = k->table;
    if (t->is_named) {
        return take_named_class(k, c, w, label);
    }
    if (nm_csv_quantity(&t->form, w->place.cell, w->place.length, &number)) {
        return nm_csv_fail(
            &t->text, &w->place,
            "is a number with a mark; for names of classes say `targets: labels`, for "
            "a number to predict the loss is mse (or say `targets: values`)");
    }
    if (nm_csv_number(&t->form, w->place.cell, w->place.length, &number) != CSV_WHOLE ||
        !nm_is_label(number)) {
        return w->place.length
                   ? nm_csv_fail(&t->text, &w->place,
                                 "is no class label, which is an integer of 32 bits or a text; for "
                                 "a number to predict, the loss is mse (or say `targets: values`)")
                   : missing(k, c, w, &number);
    }
    *label = (int32_t)number;
    return NM_OK;
}

/* ---- All of them ---- */

static void put(target *k, int64_t at, double value)
{
    if (k->wide) {
        k->numbers[at] = value;
    } else {
        k->narrow[at] = (float)value;
    }
}

static nm_status take_cell(target *k, const csv_column *c, const csv_walk *w, int64_t row)
{
    const int64_t at = row * k->width + c->at;
    double value;
    int64_t number;
    nm_status status;
    if (k->labels) {
        return take_class(k, c, w, &k->labels[row]);
    }
    if (c->kind == NM_COLUMN_CATEGORY) {
        status = take_category(k, c, w, &number);
        if (status == NM_OK && number >= 0) {
            put(k, at + number, 1);
        }
        return status;
    }
    status = take_value(k, c, w, &value);
    if (status == NM_OK) {
        put(k, at, value);
    }
    return status;
}

/* Digits alone, of a column that is not taken or of numbers. False: it is something else. */
static bool take_digits(target *k, const csv_column *c, csv_walk *w, int64_t row)
{
    const bool taken = c->role == k->role;
    double number;
    if (taken && (k->labels || c->kind != NM_COLUMN_NUMBER || c->unit)) {
        return false;
    }
    if (!nm_csv_next_digits(w, &number)) {
        return false;
    }
    if (taken) {
        put(k, row * k->width + c->at, number);
    }
    return true;
}

static nm_status take_rows(target *k)
{
    const csv_table *t = k->table;
    const bool usual = t->options->missing_texts.count == 0;
    csv_walk w = t->begin;
    for (int64_t row = 0; nm_csv_begin_row(&w); row++) {
        for (int64_t i = 0; i < t->columns; i++) {
            const csv_column *c = &t->column[i];
            if (usual && take_digits(k, c, &w, row)) {
                continue;
            }
            nm_status status = nm_csv_next(&w);
            if (status == NM_OK && c->role == k->role) {
                status = take_cell(k, c, &w, row);
            }
            if (status != NM_OK) {
                return status;
            }
        }
    }
    return NM_OK;
}

static bool is_wide(const csv_table *t, int role)
{
    if (role == CSV_ROLE_TARGET) {
        return true;
    }
    for (int64_t i = 0; i < t->columns; i++) {
        const csv_column *c = &t->column[i];
        const bool holes = c->is_filled && (c->missing || c->dashes);
        if (c->role == role && (c->wide || holes || c->kind == NM_COLUMN_DATE)) {
            return true;
        }
    }
    return false;
}

static int64_t width_of(const csv_table *t, int role)
{
    int64_t width = 0;
    for (int64_t i = 0; i < t->columns; i++) {
        const csv_column *c = &t->column[i];
        const bool many = c->kind == NM_COLUMN_CATEGORY && role != CSV_ROLE_TARGET;
        width += c->role == role ? (many ? c->words.count : 1) : 0;
    }
    return width;
}

/* Cleared memory for all rows; where it is, besides in `k`. */
static void *make_memory(target *k)
{
    const csv_table *t = k->table;
    const bool is_class = k->role == CSV_ROLE_TARGET && t->is_labels;
    const size_t size = is_class ? sizeof(int32_t) : k->wide ? sizeof(double) : sizeof(float);
    size_t row;
    if (__builtin_mul_overflow((size_t)k->width, size, &row)) {
        nm_fail(t->context, NM_ERROR_MEMORY, "%s: out of memory for its rows", t->text.title);
        return NULL;
    }
    void *memory = nm_alloc_zero(t->context, (size_t)t->rows, row);
    *(is_class  ? (void **)&k->labels
      : k->wide ? (void **)&k->numbers
                : (void **)&k->narrow) = memory;
    return memory;
}

static void fill_set(const target *k, void *memory, nm_dataset *set)
{
    if (k->role == CSV_ROLE_SAMPLE) {
        set->count = k->table->rows;
        set->shape = NM_SHAPE(k->width);
        set->dtype = k->wide ? NM_F64 : NM_F32;
        set->samples = set->memory[0] = memory;
        return;
    }
    set->targets = set->memory[1] = memory;
    set->target_dtype = k->labels ? NM_I32 : NM_F64;
    set->target_shape = k->labels ? NM_SCALAR_SHAPE : NM_SHAPE(k->width);
}

RARE static void warn_of_unknown(const target *k)
{
    char shown[CSV_SHOWN];
    const csv_place *first = &k->first_unknown;
    if (k->unknown) {
        nm_context_log(k->table->context, NM_LOG_WARNING,
                       "%s:%lld: \"%s\" is none of the categories that were trained on, and counts "
                       "as missing (%lld such cells)",
                       k->table->text.title, (long long)first->line,
                       nm_csv_shown(first->cell, first->length, shown), (long long)k->unknown);
    }
}

/* Whatever a schema says, elements stand within their row, each in a place of its own: a network's
 * file may be made to harm. */
static nm_status check_places(const target *k)
{
    const csv_table *t = k->table;
    for (int64_t i = 0; i < t->columns; i++) {
        const csv_column *c = &t->column[i];
        const bool many = c->kind == NM_COLUMN_CATEGORY && k->role != CSV_ROLE_TARGET;
        if (c->role == k->role && (c->at < 0 || c->at + (many ? c->words.count : 1) > k->width)) {
            return nm_fail(t->context, NM_ERROR_FORMAT,
                           "%s: its columns are not those that the network was trained on",
                           t->text.title);
        }
    }
    return NM_OK;
}

nm_status nm_csv_take(csv_table *t, int role, nm_dataset *set)
{
    target k = {.table = t, .role = role, .ignored = set->ignored};
    k.width = width_of(t, role);
    k.wide = is_wide(t, role);
    if (!k.width || check_places(&k) != NM_OK) {
        return nm_context_status(t->context);
    }
    void *memory = make_memory(&k);
    if (!memory) {
        return NM_ERROR_MEMORY;
    }
    fill_set(&k, memory, set);
    nm_status status = take_rows(&k);
    if (status == NM_OK) {
        warn_of_unknown(&k);
    }
    return status;
}
