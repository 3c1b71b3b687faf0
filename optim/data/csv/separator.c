/* Which character stands between cells, and which around them: every pair is tried on the first
 * rows. Of those that give all rows as many cells, two or more, the one that gives the first row as
 * many, too; then the one whose cells are numbers, dates and truth values more often; then one with
 * apostrophes as quotes; then the first of , ; tab | blanks.
 *
 * 1. Blanks separate only where some cell is a number: else they stand within texts.
 * 2. Apostrophes are quotes only where the whole file can be read so, and some cell has them.
 * 3. The first row may have another number of cells: it may be a header of another form. */
#include "optim/data/csv/csv.h"

#define TRIAL_ROWS 64
#define TRIAL_BYTES 65536

typedef struct trial {
    csv_form form;
    bool regular;         /* as many cells in each row, but for the first one */
    int64_t first, cells; /* of the first row; of the others */
    int64_t typed, total; /* of the others' cells: those that are more than text */
    int64_t quoted;       /* cells in apostrophes */
} trial;

static bool is_typed(const csv_walk *w)
{
    static const csv_form comma = {.decimal = ',', .thousands = '.'};
    static const csv_form point = {.decimal = '.', .thousands = ','};
    static const nm_strings none = {0};
    double value;
    return nm_csv_look(&point, &none, w->place.cell, w->place.length, &value) != CSV_SEEN_TEXT ||
           nm_csv_number(&comma, w->place.cell, w->place.length, &value) != CSV_NO_NUMBER ||
           nm_csv_quantity(&comma, w->place.cell, w->place.length, &value);
}

/* The cells of a row; -1: it cannot be read so. */
static int64_t try_row(trial *t, csv_walk *w, bool count_types)
{
    int64_t cells = 0;
    for (w->row_ends = false; !w->row_ends; cells++) {
        const char quote = *w->at;
        if (nm_csv_next(w) != NM_OK) {
            return -1;
        }
        t->quoted += quote == '\'' && t->form.quote == '\'';
        t->typed += count_types && is_typed(w);
        t->total += count_types;
    }
    return cells;
}

static void try_rows(trial *t, const csv_text *text)
{
    csv_walk w = nm_csv_walk(text, &t->form);
    int64_t rows = 0;
    w.quiet = true;
    if (!nm_csv_begin_row(&w) || (t->first = try_row(t, &w, false)) < 0) {
        return;
    }
    t->regular = true;
    for (; rows < TRIAL_ROWS && (rows < 2 || w.at - text->begin < TRIAL_BYTES) &&
           nm_csv_begin_row(&w);
         rows++) {
        const int64_t cells = try_row(t, &w, true);
        t->cells = rows ? t->cells : cells;
        t->regular &= cells > 0 && cells == t->cells;
    }
    t->cells = rows ? t->cells : t->first;
}

/* ---- Apostrophes ---- */

/* Promise 2. */
static bool can_be_read(const csv_text *text, const csv_form *form)
{
    csv_walk w = nm_csv_walk(text, form);
    int64_t cells;
    w.quiet = true;
    while (nm_csv_begin_row(&w)) {
        if (nm_csv_skip_row(&w, &cells) != NM_OK) {
            return false;
        }
    }
    return true;
}

static const char *quotes_of(const csv_table *t)
{
    const char *quote = t->options->quote;
    const size_t size = (size_t)(t->text.end - t->text.begin);
    if (strcmp(quote, "auto") != 0) {
        return strcmp(quote, "none") == 0 ? "" : quote;
    }
    return memchr(t->text.begin, '\'', size < TRIAL_BYTES ? size : TRIAL_BYTES) ? "\"'" : "\"";
}

/* ---- Choosing ---- */

static bool is_candidate(const csv_table *t, const trial *a)
{
    if (!a->regular || a->cells < 2 || (a->form.separator == ' ' && a->total && !a->typed)) {
        return false;
    }
    const bool apostrophes = a->form.quote == '\'' && strcmp(t->options->quote, "auto") == 0;
    return !apostrophes || (a->quoted && can_be_read(&t->text, &a->form));
}

/* Shares of typed cells in 1/1000, so that a single cell among many decides nothing. */
static bool is_better(const trial *a, const trial *b)
{
    const bool whole_a = a->first == a->cells, whole_b = b->first == b->cells;
    if (whole_a != whole_b) {
        return whole_a;
    }
    const int64_t share_a = a->total ? 1000 * a->typed / a->total : 0;
    const int64_t share_b = b->total ? 1000 * b->typed / b->total : 0;
    if (share_a != share_b) {
        return share_a > share_b;
    }
    return a->form.separator == b->form.separator && a->form.quote == '\'';
}

/* What the file says itself, in a first line as Excel has it: sep=; */
static char take_separator_line(csv_text *t)
{
    const char *at = t->begin, *const end = t->end;
    const bool quoted = at < end && *at == '"';
    at += quoted;
    if (end - at < 5 || !(nm_csv_same_word(at, 3, "sep") && at[3] == '=')) {
        return 0;
    }
    const char separator = at[4];
    at += 5;
    at += quoted && *at == '"';
    if (at < end && *at != '\n' && *at != '\r') {
        return 0;
    }
    at += at < end && *at == '\r';
    at += at < end && *at == '\n';
    t->begin = at;
    t->line++;
    return separator;
}

/* The option's character; 0: it is to be found. */
static char separator_of(const char *name)
{
    static const char *const words[] = {"comma", ",", "semicolon", ";", "tab", "\t", "blank", " "};
    for (int i = 0; i < NM_COUNT_OF(words); i += 2) {
        if (strcmp(name, words[i]) == 0) {
            return *words[i + 1];
        }
    }
    return name[0] && !name[1] ? name[0] : (char)0;
}

nm_status nm_csv_find_separator(csv_table *t)
{
    const char said = take_separator_line(&t->text), given = separator_of(t->options->separator);
    const char only[] = {given ? given : said, 0};
    const char *separators = *only ? only : ",;\t| ", *quotes = quotes_of(t);
    trial best = {.form = t->form};
    bool found = false;
    for (const char *s = separators; *s; s++) {
        for (const char *q = quotes;; q++) {
            trial a = {.form = t->form};
            nm_csv_set_separator(&a.form, *s);
            a.form.quote = *q;
            try_rows(&a, &t->text);
            if (is_candidate(t, &a) && (!found || is_better(&a, &best))) {
                best = a;
                found = true;
            }
            if (!*q || !q[1]) {
                break;
            }
        }
    }
    if (!found) {
        nm_csv_set_separator(&best.form, *separators);
        best.form.quote = *quotes;
    }
    t->form = best.form;
    return NM_OK;
}
