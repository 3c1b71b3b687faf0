/* Whether the first row names the columns, and how they are called.
 *
 * 1. By the network, if its columns have names: some of them stand in the first row.
 * 2. By the cells: text above numbers or dates is a header; a number above numbers is none. A text
 *    above texts tells by whether it occurs again.
 * 3. 0, 1, 2, ... above four columns or more, or above a text, is a header, as pandas writes one.
 * 4. What tells both ways is an error: `header: yes` or `header: no`.
 *
 * Known forms besides: a header in a comment ("# a,b,c"), as NumPy writes it; one without a name
 * for the first column, as R does; and a first line "150,4,setosa,versicolor,virginica": samples,
 * features and class names, as in the files that scikit-learn ships. */
#include "optim/data/csv/csv.h"

#define FIRST_ROWS 50  /* enough to tell numbers from texts */
#define MOST_ROWS 2000 /* to see a text again */

/* A column, above and below. */
typedef struct evidence {
    csv_place top;
    unsigned seen; /* csv_seen, of the first cell */
    double number; /* its value */
    unsigned below;
    csv_word text;          /* the first text below */
    bool recurs, different; /* the top's text, below; texts below differ from each other */
} evidence;

typedef struct finder {
    csv_table *table;
    csv_walk top, below; /* at the first row and at the next one */
    int64_t columns;     /* of the top */
    evidence *column;
} finder;

/* ---- Looking ---- */

static nm_status look_at_top(finder *f)
{
    csv_walk w = f->top;
    nm_status status = NM_OK;
    const csv_table *t = f->table;
    for (int64_t i = 0; i < f->columns && status == NM_OK; i++) {
        evidence *e = &f->column[i];
        status = nm_csv_next(&w);
        e->top = w.place;
        e->seen = nm_csv_look(&t->form, &t->options->missing_texts, w.place.cell, w.place.length,
                              &e->number);
    }
    f->below = w;
    return status;
}

static bool is_same(const csv_place *a, const char *text, size_t length)
{
    return a->length == length && !memcmp(a->cell, text, length);
}

static void look_below(evidence *e, const csv_walk *w, unsigned seen, bool again)
{
    e->below |= again ? 0 : seen;
    if (e->seen & CSV_SEEN_NUMBERS || seen & CSV_SEEN_NOTHING) {
        return;
    }
    e->recurs |= is_same(&w->place, e->top.cell, e->top.length);
    e->different |= e->text.text && !is_same(&w->place, e->text.text, e->text.length);
    e->text = e->text.text ? e->text : (csv_word){w->place.cell, w->place.length, 0};
}

/* Whether nothing but more rows can tell of some column: texts, under a text. */
static bool is_open(const finder *f)
{
    for (int64_t i = 0; i < f->columns; i++) {
        const evidence *e = &f->column[i];
        if (!(e->seen & CSV_SEEN_NUMBERS) && !e->recurs &&
            !nm_csv_only(e->below, CSV_SEEN_NUMBERS)) {
            return true;
        }
    }
    return false;
}

/* Whether the row is the top again, as where tables were put one behind the other. */
static bool is_top_again(const finder *f, csv_walk w)
{
    bool same = true;
    w.quiet = true;
    w.row_ends = false;
    for (int64_t i = 0; same && i < f->columns && !w.row_ends; i++) {
        const evidence *e = &f->column[i];
        same = nm_csv_next(&w) == NM_OK && is_same(&w.place, e->top.cell, e->top.length) &&
               !(e->seen & CSV_SEEN_NUMBERS);
    }
    return same && w.row_ends;
}

/* Rows of another length are left to the survey. */
static nm_status look_at_rows(finder *f)
{
    const csv_table *t = f->table;
    csv_walk w = f->below;
    for (int64_t row = 0; row < MOST_ROWS && nm_csv_begin_row(&w); row++) {
        if (row == FIRST_ROWS && !is_open(f)) {
            break;
        }
        const bool again = is_top_again(f, w);
        w.row_ends = false;
        for (int64_t i = 0; !w.row_ends; i++) {
            double value;
            nm_status status = nm_csv_next(&w);
            if (status != NM_OK) {
                return status;
            }
            if (i < f->columns) {
                const unsigned seen = nm_csv_look(&t->form, &t->options->missing_texts,
                                                  w.place.cell, w.place.length, &value);
                look_below(&f->column[i], &w, seen, again);
            }
        }
    }
    return NM_OK;
}

/* ---- Telling ---- */

/* Promise 3, also behind or before cells that are no numbers. */
static bool counts_columns(const finder *f, int64_t least)
{
    int64_t next = 0;
    bool goes_on = true; /* the row below counts from there */
    for (int64_t i = 0; i < f->columns; i++) {
        const evidence *e = &f->column[i];
        if (e->seen & CSV_SEEN_NUMBERS && e->number != (double)next++) {
            return false;
        }
    }
    csv_walk w = f->below;
    if (!nm_csv_begin_row(&w)) {
        return false;
    }
    w.row_ends = false;
    for (int64_t i = 0; i < f->columns && !w.row_ends; i++) {
        double value = -1;
        if (nm_csv_next(&w) != NM_OK) {
            return false;
        }
        nm_csv_number(&f->table->form, w.place.cell, w.place.length, &value);
        goes_on &= value == (double)(next + i);
    }
    return !goes_on && next >= (next < f->columns ? 2 : least);
}

typedef struct votes {
    int64_t header, none;     /* columns that tell for sure */
    int64_t recurring, fresh; /* texts above texts, which occur again, or do not */
} votes;

static votes count_votes(const finder *f)
{
    votes v = {0};
    for (int64_t i = 0; i < f->columns; i++) {
        const evidence *e = &f->column[i];
        const unsigned below = e->below & ~(unsigned)CSV_SEEN_NOTHING;
        const unsigned numbers = CSV_SEEN_NUMBERS | CSV_SEEN_MARKED | CSV_SEEN_INFINITE;
        if (e->seen & (CSV_SEEN_NUMBERS | CSV_SEEN_MARKED)) {
            const bool above_text = below && !(below & numbers);
            v.header += above_text;
            v.none += !above_text;
        } else if (!(e->seen & CSV_SEEN_NOTHING) && below) {
            const bool typed = !(below & ~numbers) || nm_csv_only(below, CSV_SEEN_DATES) ||
                               nm_csv_only(below, CSV_SEEN_FLAGS);
            const bool other = !(e->seen & below) && typed;
            v.header += other;
            v.none += !other && typed;
            v.recurring += !other && e->recurs;
            v.fresh += !other && !e->recurs && e->different;
        }
    }
    return v;
}

static nm_status undecided(const finder *f)
{
    const csv_text *text = &f->table->text;
    int64_t numbers = 0;
    for (int64_t i = 0; i < f->columns; i++) {
        numbers += (f->column[i].seen & CSV_SEEN_NUMBERS) != 0;
    }
    return nm_fail(text->context, NM_ERROR_FORMAT,
                   "%s:%lld:1: %lld of the first line's %lld cells are numbers, so it may be a "
                   "header or not; say `header: yes` or `header: no`",
                   text->title, (long long)f->top.line, (long long)numbers, (long long)f->columns);
}

/* "Sales of 2024,,": as a spreadsheet writes a title, above the header. */
static nm_status refuse_title(const finder *f)
{
    const csv_text *text = &f->table->text;
    int64_t named = 0;
    for (int64_t i = 0; i < f->columns; i++) {
        named += f->column[i].top.length > 0;
    }
    if (named > 1 || f->columns < 3) {
        return NM_OK;
    }
    return nm_csv_fail(text, &f->column[0].top,
                       "is alone in the first line, as a title is; remove that line, or if it is "
                       "the header, say `header: yes`");
}

static nm_status tell_by_cells(finder *f)
{
    nm_status status = look_at_rows(f);
    if (status != NM_OK) {
        return status;
    }
    bool *header = &f->table->form.header;
    const votes v = count_votes(f);
    const bool counts = (v.none || v.header) && counts_columns(f, v.header ? 2 : 4);
    if (counts) {
        *header = true;
        nm_context_log(f->table->context, NM_LOG_INFO,
                       "%s: its first line counts the columns and is taken for their names; if it "
                       "is none, say `header: no`",
                       f->table->text.title);
    } else if (v.none && (v.header || v.fresh > v.recurring)) {
        return undecided(f);
    } else if (v.none) {
        *header = false;
    } else {
        *header = v.header || v.fresh > v.recurring || !(v.recurring || v.fresh);
    }
    return *header ? refuse_title(f) : NM_OK;
}

/* ---- By the network ---- */

static bool has_name(const nm_column *columns, int count, const csv_place *cell)
{
    for (int i = 0; i < count; i++) {
        if (*columns[i].name && is_same(cell, columns[i].name, strlen(columns[i].name))) {
            return true;
        }
    }
    return false;
}

#define CELLS_LOOKED_AT 64 /* the first ones of a row are enough */

/* How many of the names the row at `w` has; 0: not half of those that could stand in so many
 * cells, or no schema. */
static int64_t count_names(csv_walk w, const nm_schema *s)
{
    int64_t cells = 0, known = 0;
    w.quiet = true;
    for (w.row_ends = !s; cells < CELLS_LOOKED_AT && !w.row_ends; cells++) {
        if (nm_csv_next(&w) != NM_OK) {
            return 0;
        }
        known += has_name(s->column, s->columns, &w.place) ||
                 has_name(s->target_column, s->target_columns, &w.place);
    }
    const int64_t names = s ? s->columns + s->target_columns : 0;
    return 2 * known >= (names < cells ? names : cells) ? known : 0;
}

/* ---- Known forms ---- */

static int64_t count_cells(const csv_walk *walk)
{
    csv_walk w = *walk;
    int64_t cells = 0;
    w.quiet = true;
    return nm_csv_begin_row(&w) && nm_csv_skip_row(&w, &cells) == NM_OK ? cells : 0;
}

static int64_t count_rows(const csv_walk *walk)
{
    csv_walk w = *walk;
    int64_t rows = 0, cells;
    w.quiet = true;
    while (nm_csv_begin_row(&w) && nm_csv_skip_row(&w, &cells) == NM_OK) {
        rows++;
    }
    return rows;
}

/* "150,4,setosa,versicolor,virginica" above rows of five cells, 150 of them. */
static bool is_of_scikit_learn(const finder *f)
{
    const evidence *e = f->column;
    const int64_t below = count_cells(&f->below);
    bool fine = f->columns >= 4 && e[0].seen & CSV_SEEN_WHOLE && e[1].seen & CSV_SEEN_WHOLE &&
                e[1].number == (double)(below - 1);
    for (int64_t i = 2; fine && i < f->columns; i++) {
        fine = e[i].seen == CSV_SEEN_TEXT && e[i].top.length < CSV_LONGEST_NAME;
    }
    return fine && e[0].number == (double)count_rows(&f->below);
}

static nm_status take_class_names(finder *f)
{
    csv_table *t = f->table;
    const char **names = nm_schema_alloc(t->memory, (size_t)f->columns - 2, sizeof *names);
    for (int64_t i = 2; names && i < f->columns; i++) {
        const csv_place *top = &f->column[i].top;
        names[i - 2] = nm_schema_copy(t->memory, top->cell, top->length);
    }
    t->class_names = names;
    t->classes = f->columns - 2;
    return nm_context_status(t->context);
}

/* A comment right above the first row that names as many columns as it has: "# a,b,c". Walks from
 * behind the mark. */
static bool find_commented(const csv_table *t, const csv_walk *first, csv_walk *header)
{
    csv_walk w = nm_csv_walk(&t->text, &t->form);
    bool found = false;
    while (t->form.comment && w.at < first->at) {
        csv_walk line = w;
        while (t->form.class[(unsigned char)*line.at] & CSV_BLANK) {
            line.at++;
        }
        found = *line.at == t->form.comment;
        if (found) {
            line.at++;
            line.quiet = true;
            *header = line;
        }
        while (w.at < first->at && *w.at != '\n' && *w.at != '\r') {
            w.at++;
        }
        w.at += *w.at == '\r' && w.at[1] == '\n' ? 2 : w.at < first->at;
        w.line_start = w.at;
        w.line++;
    }
    const int64_t cells = count_cells(first);
    csv_walk look = found ? *header : w;
    int64_t named = 0;
    return found && nm_csv_skip_row(&look, &named) == NM_OK && named == cells && cells > 1;
}

/* ---- The columns ---- */

static nm_status make_columns(csv_table *t, int64_t columns)
{
    if (columns > CSV_MOST_COLUMNS) {
        return nm_fail(t->context, NM_ERROR_FORMAT,
                       "%s: a row has %lld cells; a table can have %d columns", t->text.title,
                       (long long)columns, CSV_MOST_COLUMNS);
    }
    t->column = nm_alloc_zero(t->context, (size_t)columns, sizeof *t->column);
    for (int64_t i = 0; t->column && i < columns; i++) {
        t->column[i].name = "";
        t->column[i].words.context = t->context;
        t->column[i].kind = NM_COLUMN_NUMBER;
        t->column[i].seat = -1;
    }
    t->columns = t->column ? columns : 0;
    return nm_context_status(t->context);
}

static nm_status take_name(csv_table *t, int64_t column, const csv_walk *w)
{
    char memory[CSV_LONGEST_NAME];
    size_t length;
    const char *text = nm_csv_text_of(w, memory, &length);
    if (length == CSV_LONGEST_NAME) {
        return nm_csv_fail(&t->text, &w->place, "is too long for the name of a column");
    }
    const char *name = length ? nm_schema_copy(t->memory, text, length) : "";
    if (!name || !length) {
        return nm_context_status(t->context);
    }
    t->column[column].name = name;
    csv_word *word = nm_csv_words_add(&t->names, name, length, column);
    if (word && word->value != column) { /* there was one before */
        t->column[word->value].is_twin = t->column[column].is_twin = true;
    }
    return word ? NM_OK : NM_ERROR_MEMORY;
}

/* `w`: at the header. `rows`: at the first sample, which tells the number of columns: R gives the
 * first one no name; where the samples' lines end with a separator, the last one has none. */
static nm_status take_header(csv_table *t, csv_walk w, int64_t named, const csv_walk *rows)
{
    const int64_t cells = count_cells(rows);
    const bool shorter = cells == named + 1;
    csv_walk row = *rows;
    int64_t count;
    bool ends_empty = false;
    if (shorter && nm_csv_begin_row(&row) && nm_csv_skip_row(&row, &count) == NM_OK) {
        ends_empty = row.place.length == 0;
    }
    const int64_t shift = shorter && !ends_empty;
    nm_status status = make_columns(t, named + shorter);
    t->names.context = t->context;
    for (int64_t i = 0; status == NM_OK && i < named; i++) {
        if ((status = nm_csv_next(&w)) == NM_OK) {
            status = take_name(t, i + shift, &w);
        }
    }
    return status;
}

/* ---- All of it ---- */

static nm_status tell(finder *f, const nm_schema *schema)
{
    csv_table *t = f->table;
    nm_status status = look_at_top(f);
    t->form.header = t->options->header == NM_CSV_HEADER_YES;
    if (status != NM_OK || t->options->header != NM_CSV_HEADER_AUTO) {
        return status;
    }
    if (is_of_scikit_learn(f)) {
        return take_class_names(f);
    }
    csv_walk commented;
    const int64_t names = count_names(f->top, schema);
    if (schema && find_commented(t, &f->top, &commented) &&
        count_names(commented, schema) > names) {
        return NM_OK; /* the first row is a sample */
    }
    if (schema && (names || !count_cells(&f->below))) {
        t->form.header = names > 0; /* a single row is a sample, too */
        return NM_OK;
    }
    return tell_by_cells(f);
}

static nm_status begin(finder *f)
{
    csv_table *t = f->table;
    csv_walk w = nm_csv_walk(&t->text, &t->form);
    if (!nm_csv_begin_row(&w)) {
        return nm_fail(t->context, NM_ERROR_FORMAT, "%s: the file is empty", t->text.title);
    }
    f->top = w;
    nm_status status = nm_csv_skip_row(&w, &f->columns);
    if (status == NM_OK && f->columns > CSV_MOST_COLUMNS) {
        return make_columns(t, f->columns); /* which says that they are too many */
    }
    f->column =
        status == NM_OK ? nm_alloc_zero(t->context, (size_t)f->columns, sizeof *f->column) : NULL;
    return f->column ? NM_OK : nm_context_status(t->context);
}

/* As it was told. */
static nm_status take_columns(finder *f)
{
    csv_table *t = f->table;
    csv_walk commented;
    if (t->form.header) {
        t->begin = f->below;
        return take_header(t, f->top, f->columns, &f->below);
    }
    if (t->class_names) {
        t->begin = f->below;
        return make_columns(t, count_cells(&f->below));
    }
    t->begin = f->top;
    if (t->options->header == NM_CSV_HEADER_AUTO && find_commented(t, &f->top, &commented)) {
        t->form.header = true;
        return take_header(t, commented, f->columns, &f->top);
    }
    return make_columns(t, f->columns);
}

nm_status nm_csv_find_header(csv_table *t, const nm_schema *schema)
{
    finder f = {.table = t};
    nm_status status = begin(&f);
    if (status == NM_OK && (status = tell(&f, schema)) == NM_OK) {
        status = take_columns(&f);
    }
    nm_free(t->context, f.column);
    return status;
}
