/* Cells, one after the other (RFC 4180 and what else people write).
 *
 * 1. A row ends at LF, CR or CR LF, or where the file does. Lines of blanks, lines of nothing but
 *    separators and comments are no rows.
 * 2. Blanks and tabs around a cell are none of it, within quotes too, nor are blanks that do not
 *    break.
 * 3. A cell that begins with the quote ends with it; a doubled one within stands for one. Nothing
 *    else has to be quoted.
 * 4. ="1.5" is 1.5: so Excel is told to leave a cell as it is, in quotes or not.
 * 5. Nothing is read beyond text->end, at which a 0 stands, the only one of the text. */
#include <stdarg.h>
#include <stdio.h>

#include "optim/data/csv/csv.h"

static uint8_t class_of(const csv_walk *w, const char *at)
{
    return w->form->class[(unsigned char)*at];
}

void nm_csv_set_separator(csv_form *form, char separator)
{
    memset(form->class, 0, sizeof form->class);
    form->separator = separator;
    form->class[0] = form->class['\n'] = form->class['\r'] = CSV_STOP | CSV_END;
    form->class[' '] = form->class['\t'] = CSV_BLANK;
    if (separator == ' ') {
        form->class[' '] = form->class['\t'] = CSV_STOP | CSV_BLANK;
    } else {
        form->class[(unsigned char)separator] = CSV_STOP;
    }
}

csv_walk nm_csv_walk(const csv_text *text, const csv_form *form)
{
    return (csv_walk){.text = text,
                      .form = form,
                      .at = text->begin,
                      .line_start = text->begin,
                      .line = text->line};
}

/* ---- Messages ---- */

const char *nm_csv_shown(const char *text, size_t length, char shown[CSV_SHOWN])
{
    size_t end = length < CSV_SHOWN - 1 ? length : CSV_SHOWN - 1;
    while (end < length && end && ((unsigned char)text[end] & 0xc0) == 0x80) {
        end--; /* not within a character */
    }
    for (size_t i = 0; i < end; i++) {
        unsigned char c = (unsigned char)text[i];
        shown[i] = c < ' ' || c == 127 ? '?' : text[i];
    }
    shown[end] = 0;
    return shown;
}

static long long column_of(const csv_place *place)
{
    long long column = 1;
    for (const char *c = place->line_start; c < place->cell; c++) {
        column += ((unsigned char)*c & 0xc0) != 0x80; /* not inside of a UTF-8 character */
    }
    return column;
}

nm_status nm_csv_fail(const csv_text *text, const csv_place *place, const char *format, ...)
{
    char shown[CSV_SHOWN], what[1024];
    const char *quote = place->length ? "\"" : "", *blank = place->length ? " " : "";
    va_list list;
    va_start(list, format);
    vsnprintf(what, sizeof what, format, list);
    va_end(list);
    return nm_fail(text->context, NM_ERROR_FORMAT, "%s:%lld:%lld: %s%s%s%s%s", text->title,
                   (long long)place->line, column_of(place), quote,
                   nm_csv_shown(place->cell, place->length, shown), quote, blank, what);
}

/* ---- Lines ---- */

static void skip_blanks(csv_walk *w)
{
    while (class_of(w, w->at) & CSV_BLANK) {
        w->at++;
    }
}

/* Past a line's end. */
static void end_line(csv_walk *w)
{
    w->at += *w->at == '\r' && w->at[1] == '\n' ? 2 : 1;
    w->line_start = w->at;
    w->line++;
}

static void skip_line(csv_walk *w)
{
    while (!(class_of(w, w->at) & CSV_END)) {
        w->at++;
    }
}

/* The end of a line of separators and blanks alone; NULL: there is more. */
static const char *empty_cells_end(const csv_walk *w)
{
    const char *at = w->at;
    while (*at == w->form->separator || class_of(w, at) == CSV_BLANK) {
        at++;
    }
    return class_of(w, at) & CSV_END ? at : NULL;
}

bool nm_csv_begin_row(csv_walk *w)
{
    for (;;) {
        skip_blanks(w);
        if (w->at == w->text->end) {
            return false;
        }
        const char *end = *w->at == w->form->separator ? empty_cells_end(w) : NULL;
        if (end) {
            w->at = end;
        } else if (w->form->comment && *w->at == w->form->comment) {
            skip_line(w);
        } else if (!(class_of(w, w->at) & CSV_END)) {
            return true;
        }
        if (w->at < w->text->end) {
            end_line(w);
        }
    }
}

/* ---- Cells ---- */

static nm_status wrong_quote(const csv_walk *w, const char *what)
{
    return w->quiet ? NM_ERROR_FORMAT
                    : nm_csv_fail(w->text, &w->place,
                                  "%s; where %c is no quote but part of the text, say "
                                  "`quote: none`",
                                  what, w->form->quote);
}

static nm_status walk_quoted(csv_walk *w)
{
    const char quote = w->form->quote, *end = w->text->end;
    w->place.cell = ++w->at;
    while (w->at < end && (*w->at != quote || w->at[1] == quote)) {
        if (*w->at == quote) {
            w->doubled = true;
            w->at += 2;
        } else if (*w->at == '\n' || *w->at == '\r') {
            end_line(w);
        } else {
            w->at++;
        }
    }
    w->place.length = (size_t)(w->at - w->place.cell);
    if (w->at == end) {
        w->place.length = 0;
        return wrong_quote(w, "the quote that opens here is never closed");
    }
    w->at++;
    if (w->form->separator != ' ') {
        skip_blanks(w);
    }
    if (!(class_of(w, w->at) & CSV_STOP)) {
        return wrong_quote(w, "in quotes is followed by something else than a separator");
    }
    return NM_OK;
}

static void walk_plain(csv_walk *w)
{
    const char *at = w->at;
    while (!(class_of(w, at) & CSV_STOP)) {
        at++;
    }
    w->at = at;
    while (at > w->place.cell && class_of(w, at - 1) & CSV_BLANK) {
        at--;
    }
    w->place.length = (size_t)(at - w->place.cell);
}

/* Bytes of a blank at `at`: also of one that does not break, as spreadsheets leave it; 0: none. */
static size_t blank_size(const char *at, const char *end)
{
    return *at == ' ' || *at == '\t'                            ? 1
           : end - at > 1 && at[0] == '\xc2' && at[1] == '\xa0' ? 2
                                                                : 0;
}

/* Promise 2, within quotes too. Not inlined: that would be three times. */
static __attribute__((noinline)) void trim(csv_place *p)
{
    const char *end = p->cell + p->length;
    size_t size;
    while (p->cell < end && (size = blank_size(p->cell, end))) {
        p->cell += size;
    }
    while (p->cell < end &&
           (blank_size(end - 1, end) || (end - p->cell > 1 && blank_size(end - 2, end) == 2))) {
        end -= blank_size(end - 1, end) ? 1 : 2;
    }
    p->length = (size_t)(end - p->cell);
}

/* Promise 4. */
static void unwrap(csv_walk *w)
{
    const char *cell = w->place.cell;
    const size_t length = w->place.length, marks = w->doubled ? 2 : 1, around = 1 + 2 * marks;
    bool wrapped = w->form->quote && length >= around;
    for (size_t i = 1; i <= marks && wrapped; i++) {
        wrapped = cell[i] == w->form->quote && cell[length - i] == w->form->quote;
    }
    w->place.cell += wrapped ? 1 + marks : 0;
    w->place.length -= wrapped ? around : 0;
}

/* Past the separator or the row's end. */
static void end_cell(csv_walk *w)
{
    if (w->form->separator == ' ') {
        skip_blanks(w);
    }
    w->row_ends = class_of(w, w->at) & CSV_END;
    if (!w->row_ends) {
        w->at += w->form->separator != ' ';
    } else if (w->at < w->text->end) {
        end_line(w);
    }
}

nm_status nm_csv_next(csv_walk *w)
{
    nm_status status = NM_OK;
    skip_blanks(w);
    w->place = (csv_place){.cell = w->at, .line_start = w->line_start, .line = w->line};
    w->doubled = false;
    if (*w->at == w->form->quote && w->at < w->text->end) {
        status = walk_quoted(w);
    } else {
        walk_plain(w);
    }
    if (*w->place.cell == '=') {
        unwrap(w);
    }
    trim(&w->place);
    end_cell(w);
    return status;
}

nm_status nm_csv_skip_row(csv_walk *w, int64_t *cells)
{
    nm_status status = NM_OK;
    *cells = 0;
    for (w->row_ends = false; status == NM_OK && !w->row_ends; ++*cells) {
        status = nm_csv_next(w);
    }
    return status;
}

const char *nm_csv_text_of(const csv_walk *w, char memory[CSV_LONGEST_NAME], size_t *length)
{
    const char *from = w->place.cell, *end = from + w->place.length;
    *length = w->place.length < CSV_LONGEST_NAME ? w->place.length : CSV_LONGEST_NAME;
    if (!w->doubled) {
        return from;
    }
    for (*length = 0; from < end && *length < CSV_LONGEST_NAME; from++) {
        memory[(*length)++] = *from;
        from += *from == w->form->quote; /* the second one */
    }
    return memory;
}
