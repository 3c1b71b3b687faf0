/* CSV files (RFC 4180), plain or gzip: a line a sample, a cell a number, one column the target.
 *
 * Promises:
 * 1. The file is walked twice: first every line is checked to have as many cells as the first,
 * which bounds the table's size by the file's; only then is memory asked for.
 * 2. Whatever is no finite number is an error with FILE:LINE:COLUMN; nothing is guessed or skipped
 *    but empty lines. Numbers do not depend on the locale. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "core/file.h"
#include "optim/data/readers.h"
#include "optim/table.h"

typedef enum csv_header { CSV_HEADER_AUTO, CSV_HEADER_YES, CSV_HEADER_NO } csv_header;
typedef enum csv_targets { CSV_LABELS, CSV_VALUES } csv_targets;

typedef struct csv_options {
    const char *path;
    const char *target;
    int targets; /* csv_targets */
    int64_t classes;
    int header; /* csv_header */
    const char *separator;
} csv_options;

/* A walk over the cells. */
typedef struct walk {
    nm_context *context;
    const char *path;
    const char *at, *end;
    const char *line_start;
    int64_t line; /* from 1 */
    char separator;
    const char *cell; /* the latest one, without quotes and the blanks around it */
    size_t length;
    const char *cell_line_start; /* where it stood */
    int64_t cell_line;
    bool row_ends; /* after it */
} walk;

typedef struct table {
    const csv_options *options;
    walk begin; /* at the file's first row */
    int64_t columns, rows;
    bool header;
    int64_t target; /* column; -1: none */
} table;

/* ---- Places ---- */

/* The character of its line, from 1, that `at` is. */
static long long column_of(const char *line_start, const char *at)
{
    long long column = 1;
    for (const char *c = line_start; c < at; c++) {
        column += ((unsigned char)*c & 0xc0) != 0x80; /* not inside a UTF-8 character */
    }
    return column;
}

#define SHOWN 41

/* The cell's beginning, fit for a message. */
static const char *shown(const walk *w, char text[SHOWN])
{
    size_t length = w->length < SHOWN - 1 ? w->length : SHOWN - 1;
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)w->cell[i];
        text[i] = c < ' ' || c == 127 ? '?' : w->cell[i];
    }
    text[length] = 0;
    return text;
}

/* `what` is about the latest cell, which is put before it in quotes. */
static nm_status cell_error(const walk *w, const char *what)
{
    char text[SHOWN];
    return nm_fail(w->context, NM_ERROR_FORMAT, "%s:%lld:%lld: %s%s%s%s", w->path,
                   (long long)w->cell_line, column_of(w->cell_line_start, w->cell),
                   w->length ? "\"" : "", shown(w, text), w->length ? "\" " : "", what);
}

/* ---- Walking ---- */

static bool is_blank(const walk *w, const char *at)
{
    return at < w->end && (*at == ' ' || *at == '\r' || *at == '\t') && *at != w->separator;
}

static void skip_blanks(walk *w)
{
    while (is_blank(w, w->at)) {
        w->at++;
    }
}

static void next_line(walk *w)
{
    w->line_start = ++w->at;
    w->line++;
}

/* Goes to the next line that has more than blanks; false at the end. */
static bool begin_row(walk *w)
{
    for (skip_blanks(w); w->at < w->end && *w->at == '\n'; skip_blanks(w)) {
        next_line(w);
    }
    return w->at < w->end;
}

/* At a quote: the cell is what stands up to the closing one. Doubled quotes stay doubled. */
static nm_status walk_quoted(walk *w)
{
    w->cell = ++w->at;
    while (w->at < w->end && (*w->at != '"' || (w->at + 1 < w->end && w->at[1] == '"'))) {
        if (*w->at == '\n') {
            next_line(w);
        } else {
            w->at += *w->at == '"' ? 2 : 1;
        }
    }
    w->length = (size_t)(w->at - w->cell);
    if (w->at == w->end) {
        w->length = 0;
        return cell_error(w, "the quote that opens here is never closed");
    }
    w->at++;
    skip_blanks(w);
    if (w->at < w->end && *w->at != w->separator && *w->at != '\n') {
        return cell_error(w, "in quotes is followed by something else than a separator");
    }
    return NM_OK;
}

static void walk_plain(walk *w)
{
    w->cell = w->at;
    while (w->at < w->end && *w->at != w->separator && *w->at != '\n') {
        w->at++;
    }
    const char *end = w->at;
    while (end > w->cell && is_blank(w, end - 1)) {
        end--;
    }
    w->length = (size_t)(end - w->cell);
}

static nm_status next_cell(walk *w)
{
    skip_blanks(w);
    w->cell = w->at;
    w->cell_line = w->line;
    w->cell_line_start = w->line_start;
    if (w->at < w->end && *w->at == '"') {
        nm_status status = walk_quoted(w);
        if (status != NM_OK) {
            return status;
        }
    } else {
        walk_plain(w);
    }
    w->row_ends = w->at == w->end || *w->at == '\n';
    if (w->at < w->end && *w->at == '\n') {
        next_line(w);
    } else if (w->at < w->end) {
        w->at++;
    }
    return NM_OK;
}

/* ---- Numbers ---- */

static bool cell_number(const walk *w, double *number)
{
    char text[512];
    int64_t integer;
    if (w->length >= sizeof text || memchr(w->cell, 0, w->length)) {
        return false;
    }
    memcpy(text, w->cell, w->length);
    text[w->length] = 0;
    if (nm_parse_int(text, &integer)) { /* much faster, and the usual case for pixels */
        *number = (double)integer;
        return true;
    }
    return nm_parse_float(text, number);
}

/* Promise 2. */
static nm_status read_number(const walk *w, double *number)
{
    if (!w->length) {
        return cell_error(w, "the cell is empty; fill it in or remove the line");
    }
    if (!cell_number(w, number)) {
        return cell_error(w, "is not a number");
    }
    if (!(fabs(*number) <= (double)FLT_MAX)) {
        return cell_error(w, "is not a finite number of f32");
    }
    return NM_OK;
}

/* ---- The table's form ---- */

/* Cells of the row, and how many of them are numbers. */
static nm_status count_row(walk *w, int64_t *cells, int64_t *numbers)
{
    double number;
    *cells = *numbers = 0;
    do {
        nm_status status = next_cell(w);
        if (status != NM_OK) {
            return status;
        }
        ++*cells;
        *numbers += cell_number(w, &number);
    } while (!w->row_ends);
    return NM_OK;
}

/* A row of text alone is a header, one of numbers alone is none. */
static nm_status find_header(table *t)
{
    walk w = t->begin;
    int64_t numbers;
    nm_status status = count_row(&w, &t->columns, &numbers);
    if (status != NM_OK) {
        return status;
    }
    t->header = t->options->header == CSV_HEADER_YES;
    if (t->options->header == CSV_HEADER_AUTO) {
        t->header = numbers == 0;
        if (numbers > 0 && numbers < t->columns) {
            return nm_fail(w.context, NM_ERROR_FORMAT,
                           "%s:%lld:1: %lld of the first line's %lld cells are numbers, so it may "
                           "be a header or not; say `header: yes` or `header: no`",
                           w.path, (long long)t->begin.line, (long long)numbers,
                           (long long)t->columns);
        }
    }
    return NM_OK;
}

/* Begins the walk over the samples. */
static nm_status begin_samples(const table *t, walk *w)
{
    int64_t cells, numbers;
    *w = t->begin;
    return t->header ? count_row(w, &cells, &numbers) : NM_OK;
}

/* Skips a row after checking the number of its cells. */
static nm_status check_row(const table *t, walk *w)
{
    nm_status status = NM_OK;
    int64_t cells = 0, line = w->line;
    for (w->row_ends = false; status == NM_OK && !w->row_ends; cells++) {
        status = next_cell(w);
    }
    if (status == NM_OK && cells != t->columns) {
        status = nm_fail(w->context, NM_ERROR_FORMAT,
                         "%s:%lld:1: %lld cells, but the first line has %lld%s", w->path,
                         (long long)line, (long long)cells, (long long)t->columns,
                         cells == 1 || t->columns == 1 ? "; is the separator right?" : "");
    }
    return status;
}

/* Promise 1. */
static nm_status count_rows(table *t)
{
    walk w;
    nm_status status = begin_samples(t, &w);
    while (status == NM_OK && begin_row(&w)) {
        status = check_row(t, &w);
        t->rows++;
    }
    if (status == NM_OK && t->rows == 0) {
        return nm_fail(w.context, NM_ERROR_FORMAT, "%s: no samples%s", w.path,
                       t->header ? " below the header (if it is none, say `header: no`)" : "");
    }
    return status;
}

/* ---- The target's column ---- */

/* The column whose header is `name`, or -1; `near` is one that may have been meant. */
static int64_t column_named(const table *t, const char *name, char near[SHOWN])
{
    walk w = t->begin;
    char text[SHOWN];
    for (int64_t i = 0; i < t->columns && next_cell(&w) == NM_OK; i++) {
        if (w.length == strlen(name) && !memcmp(w.cell, name, w.length)) {
            return i;
        }
        const char *candidate = shown(&w, text);
        if (nm_nearest(name, &candidate, 1)) {
            memcpy(near, text, sizeof text);
        }
    }
    return -1;
}

static nm_status target_error(const table *t, const char *near)
{
    const char *path = t->begin.path, *name = t->options->target;
    if (*near) {
        return nm_fail(t->begin.context, NM_ERROR_INPUT,
                       "%s: no column \"%s\"; did you mean \"%s\"?", path, name, near);
    }
    return nm_fail(t->begin.context, NM_ERROR_INPUT,
                   "%s: no column \"%s\"; give %san index from 0 to %lld, or from -1 back", path,
                   name, t->header ? "a name of the header or " : "", (long long)t->columns - 1);
}

static nm_status find_target(table *t)
{
    const char *name = t->options->target;
    char near[SHOWN] = "";
    int64_t index;
    t->target = name && t->header ? column_named(t, name, near) : -1;
    if (!name || t->target >= 0 || !strcmp(name, "none")) {
        return NM_OK;
    }
    if (!nm_parse_int(name, &index) || index < -t->columns || index >= t->columns) {
        return target_error(t, near);
    }
    t->target = index < 0 ? index + t->columns : index;
    return NM_OK;
}

static nm_status find_form(table *t)
{
    nm_status status = NM_OK;
    if (!begin_row(&t->begin)) {
        return nm_fail(t->begin.context, NM_ERROR_FORMAT, "%s: the file is empty", t->begin.path);
    }
    if ((status = find_header(t)) != NM_OK || (status = count_rows(t)) != NM_OK ||
        (status = find_target(t)) != NM_OK) {
        return status;
    }
    if (t->columns == 1 && t->target == 0) {
        return nm_fail(t->begin.context, NM_ERROR_FORMAT,
                       "%s: its only column is the target; is the separator right?", t->begin.path);
    }
    return NM_OK;
}

/* ---- The numbers ---- */

static nm_status take_label(const walk *w, double number, int32_t *label)
{
    if (!nm_is_label(number)) {
        return cell_error(w, "is no class label, which is an integer; for a number to "
                             "predict say `targets: values`");
    }
    *label = (int32_t)number;
    return NM_OK;
}

static nm_status take_target(const table *t, const walk *w, double number, nm_dataset *set,
                             int64_t row)
{
    if (t->options->targets == CSV_LABELS) {
        return take_label(w, number, (int32_t *)set->memory[1] + row);
    }
    ((float *)set->memory[1])[row] = (float)number;
    return NM_OK;
}

static nm_status take_row(const table *t, walk *w, nm_dataset *set, int64_t row)
{
    float *sample = (float *)set->memory[0] + row * set->shape.dim[0];
    for (int64_t column = 0; column < t->columns; column++) {
        double number;
        nm_status status = next_cell(w);
        if (status != NM_OK || (status = read_number(w, &number)) != NM_OK) {
            return status;
        }
        if (column != t->target) {
            *sample++ = (float)number;
        } else if ((status = take_target(t, w, number, set, row)) != NM_OK) {
            return status;
        }
    }
    return NM_OK;
}

static nm_status take_rows(const table *t, nm_dataset *set)
{
    walk w;
    nm_status status = begin_samples(t, &w);
    for (int64_t row = 0; status == NM_OK && begin_row(&w); row++) {
        status = take_row(t, &w, set, row);
    }
    return status;
}

/* Memory for the table, as its form says. */
static nm_status make_set(const table *t, nm_dataset *set)
{
    set->count = t->rows;
    set->dtype = NM_F32;
    set->shape = NM_SHAPE(t->columns - (t->target >= 0));
    size_t width = (size_t)set->shape.dim[0] * sizeof(float);
    set->samples = set->memory[0] = nm_alloc_zero(set->context, (size_t)t->rows, width);
    if (t->target < 0) {
        return nm_context_status(set->context);
    }
    set->targets = set->memory[1] = nm_alloc_zero(set->context, (size_t)t->rows, sizeof(float));
    if (t->options->targets == CSV_VALUES) {
        nm_dataset_values_shape(set, NM_SCALAR_SHAPE);
    } else {
        set->target_dtype = NM_I32;
        set->classes = t->options->classes;
    }
    return nm_context_status(set->context);
}

/* ---- The file ---- */

static walk begin_walk(nm_context *context, const csv_options *o, const char *text, size_t size)
{
    size_t mark = size >= 3 && !memcmp(text, "\xef\xbb\xbf", 3) ? 3 : 0; /* UTF-8's */
    return (walk){.context = context,
                  .path = nm_file_title(o->path),
                  .at = text + mark,
                  .end = text + size,
                  .line_start = text + mark,
                  .line = 1,
                  .separator = o->separator[0]};
}

static nm_status csv_open(nm_context *context, const void *options, const nm_schema *schema,
                          nm_dataset *set)
{
    (void)schema;
    const csv_options *o = options;
    size_t size;
    set->sample_source = set->target_source = nm_file_title(o->path);
    nm_status status = nm_dataset_look_for(context, o->path);
    char *text =
        status == NM_OK ? nm_file_read_gz(context, o->path, NM_DATASET_BYTES, &size) : NULL;
    if (!text) {
        return nm_context_status(context);
    }
    table t = {.options = o, .begin = begin_walk(context, o, text, size)};
    if ((status = find_form(&t)) == NM_OK && (status = make_set(&t, set)) == NM_OK) {
        status = take_rows(&t, set);
    }
    nm_free(context, text);
    return status;
}

static void check_separator(const void *options, const nm_value *at, nm_diagnostics *d)
{
    const char *separator = ((const csv_options *)options)->separator;
    if (!separator || strlen(separator) != 1 || strchr("\"\r\n+-.0123456789", *separator)) {
        nm_diagnose(d, at, "csv: \"separator\" must be one character, such as ',', ';' or \"\\t\"");
    }
}

static const csv_options defaults = {.target = "-1", .separator = ","};
static const char *const targets_names[] = {"labels", "values", NULL};
static const char *const header_names[] = {"auto", "yes", "no", NULL};
static const nm_option rows[] = {
    {NM_FIELD(csv_options, path), NM_OPTION_STRING, .flags = NM_REQUIRED,
     .doc = "path of the file, plain or gzip"},
    {NM_FIELD(csv_options, target), NM_OPTION_STRING,
     .doc = "the target's column: its header, or its index from 0, or from -1 back; or none"},
    {NM_FIELD(csv_options, targets), NM_OPTION_ENUM, .names = targets_names,
     .doc = "what the target is: a class label or a value to predict"},
    {NM_FIELD(csv_options, classes), NM_OPTION_INT, .min = 0, .max = INT32_MAX,
     .doc = "number of classes, where targets are labels; 0: the largest label plus one"},
    {NM_FIELD(csv_options, header), NM_OPTION_ENUM, .names = header_names,
     .doc = "whether the first line names the columns; auto: if it has no number"},
    {NM_FIELD(csv_options, separator), NM_OPTION_STRING, .doc = "the character between cells"},
};
static const nm_spec spec = {.name = "csv_options",
                             .size = sizeof(csv_options),
                             .defaults = &defaults,
                             .options = rows,
                             .count = NM_COUNT_OF(rows),
                             .check = check_separator};

const nm_dataset_type nm_dataset_csv = {
    .item = NM_ITEM(nm_dataset_type, "csv", "numbers in a CSV file, one column the target",
                    .spec = &spec,
                    .doc = "A line is a sample of shape [columns - 1]. Cells may stand in quotes. "
                           "A cell that is no finite number is an error with its place."),
    .open = csv_open,
};
