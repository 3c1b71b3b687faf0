/* Columns that tell samples apart and say nothing about them: left out unless they are asked for.
 *
 *   all different, and called id, key, index, "Unnamed: 0" or the like, ..._id, ...Id, or first in
 *   a table with a header, but without a name
 *   counting the rows from 0 or 1, and called no, nr, row, case or the like, or without a name
 *
 * What only counts, called otherwise (year, week, x), stays, and is named in a warning. A column
 * that is the only one is never left out. */
#include "optim/data/csv/csv.h"

#define LEAST_ROWS 10 /* below, whole numbers in a row are no sign of anything */

static bool is_among(const char *name, const char *const *words)
{
    for (int i = 0; words[i]; i++) {
        if (nm_csv_same_word(name, strlen(name), words[i])) {
            return true;
        }
    }
    return false;
}

/* user_id, user-id, "user id", userId, userID; not "paid". */
static bool ends_with_id(const char *name)
{
    const size_t length = strlen(name);
    if (length < 4) {
        return false;
    }
    const char before = name[length - 3];
    const bool apart = before == '_' || before == '-' || before == ' ' || before == '.';
    const bool camel = before >= 'a' && before <= 'z' && name[length - 2] == 'I';
    return (apart || camel) && nm_csv_same_word(name + length - 2, 2, "id");
}

/* The first column of a table with a header, but without a name of its own, holds the names of the
 * rows: R and pandas write it so. */
bool nm_csv_is_called_id(const csv_table *t, const csv_column *c)
{
    static const char *const words[] = {"id",   "ids",   "index", "idx",        "uuid",
                                        "guid", "rowid", "key",   "unnamed: 0", NULL};
    return is_among(c->name, words) || ends_with_id(c->name) ||
           (!*c->name && t->form.header && c == t->column);
}

static bool names_count(const csv_table *t, const csv_column *c)
{
    static const char *const words[] = {
        "no",     "no.",        "nr",   "nr.",    "num",      "number",      "n",
        "#",      "s.no",       "sno",  "row",    "rownames", "rownumber",   "row_number",
        "case",   "obs",        "obs.", "sample", "record",   "observation", "instance",
        "serial", "unnamed: 0", "id",   "",       NULL};
    return is_among(c->name, words) && (*c->name || c == t->column);
}

static bool counts_rows(const csv_table *t, const csv_column *c)
{
    return c->counts && c->numbers == t->rows && t->rows > 1;
}

/* All rows of it are whole numbers, or text. */
static bool may_differ(const csv_column *c)
{
    const unsigned whole = CSV_SEEN_WHOLE, text = CSV_SEEN_TEXT;
    return c->seen == whole || c->seen == text || c->seen == (whole | text);
}

static bool is_open(const csv_column *c)
{
    return c->role == CSV_ROLE_OPEN && !c->is_category;
}

void nm_csv_suspect_identities(csv_table *t)
{
    for (int64_t i = 0; i < t->columns; i++) {
        csv_column *c = &t->column[i];
        const bool suspect =
            is_open(c) && t->rows > 1 && may_differ(c) && nm_csv_is_called_id(t, c);
        c->gather = suspect ? CSV_GATHER_DIFFERENT : c->gather;
    }
}

/* ---- Leaving them out ---- */

static const char *reason(const csv_table *t, const csv_column *c)
{
    if (!is_open(c)) {
        return NULL;
    }
    if (c->gather == CSV_GATHER_DIFFERENT && !c->repeats) {
        return "an id: all rows differ";
    }
    const bool from_one = counts_rows(t, c) && (c->first == 0 || c->first == 1);
    const bool long_enough = *c->name || t->rows >= LEAST_ROWS;
    return from_one && long_enough && names_count(t, c) ? "it counts the rows" : NULL;
}

static void warn_of_counting(const csv_table *t, int64_t i)
{
    char text[CSV_COLUMN_TEXT];
    const csv_column *c = &t->column[i];
    if (c->role == CSV_ROLE_OPEN && t->rows >= LEAST_ROWS && counts_rows(t, c)) {
        nm_context_log(t->context, NM_LOG_WARNING,
                       "%s: %s counts the rows; if it says nothing else about them, leave it out "
                       "with `ignore`",
                       t->text.title, nm_csv_column_text(t, i, text));
    }
}

/* A double holds 15 digits. */
static void warn_of_rounding(const csv_table *t, int64_t i)
{
    char text[CSV_COLUMN_TEXT];
    const csv_column *c = &t->column[i];
    if (is_open(c) && c->rounded && c->seen == CSV_SEEN_WHOLE) {
        nm_context_log(t->context, NM_LOG_WARNING,
                       "%s: %s has whole numbers of more digits than count: those behind the 15th "
                       "are lost; if they are ids, leave it out with `ignore`, if they name "
                       "kinds, put it into `categories`",
                       t->text.title, nm_csv_column_text(t, i, text));
    }
}

void nm_csv_leave_identities_out(csv_table *t)
{
    int64_t left = 0;
    for (int64_t i = 0; i < t->columns; i++) {
        const csv_column *c = &t->column[i];
        left += c->role <= CSV_ROLE_SAMPLE && !reason(t, c);
    }
    for (int64_t i = 0; i < t->columns; i++) {
        csv_column *c = &t->column[i];
        const char *why = left ? reason(t, c) : NULL;
        if (why) {
            c->role = CSV_ROLE_OUT;
            c->why = why;
            c->is_id = true;
        } else if (left > 1) {
            warn_of_counting(t, i);
        }
        if (!why) {
            warn_of_rounding(t, i);
        }
    }
}
