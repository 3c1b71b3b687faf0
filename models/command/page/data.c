#include "models/command/page/data.h"

#include <stdlib.h>

#include "models/command/page/markup.h"

#define MOST_ROWS 200 /* of a series */

/* ---- Cells ---- */

static void put_cell(FILE *to, const char *element, bool right, const char *text)
{
    fprintf(to, right ? "<%s class=\"r\"%s>" : "<%s%s>", element,
            element[1] == 'h' ? " scope=\"col\"" : "");
    put_markup(to, text);
    fprintf(to, "</%s>", element);
}

static void put_number(FILE *to, double value)
{
    char text[FIGURE_NUMBER];
    put_cell(to, "td", true, figure_number(value, text));
}

/* A region of its own, which the keyboard can scroll. */
static void begin_table(FILE *to, const char *title)
{
    fputs("<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"", to);
    put_markup(to, title ? title : "table");
    fputs("\">\n<table>\n", to);
}

static void end_table(FILE *to)
{
    fputs("</tbody></table></div>\n", to);
}

void put_table(FILE *to, const table *t)
{
    begin_table(to, t->title);
    if (t->title) {
        fputs("<caption>", to);
        put_markup(to, t->title);
        fputs("</caption>\n", to);
    }
    fputs("<thead><tr>", to);
    for (int k = 0; k < t->columns; k++) {
        put_cell(to, "th", t->sides && t->sides[k] == 'r', t->heads[k]);
    }
    fputs("</tr></thead>\n<tbody>\n", to);
    for (int64_t i = 0; i < t->rows; i++) {
        fputs("<tr>", to);
        for (int k = 0; k < t->columns; k++) {
            put_cell(to, "td", t->sides && t->sides[k] == 'r', t->cells[i * t->columns + k]);
        }
        fputs("</tr>\n", to);
    }
    end_table(to);
}

/* ---- A figure's data ---- */

static int64_t step_of(int64_t count)
{
    return (count + MOST_ROWS - 1) / MOST_ROWS + (count == 0);
}

static bool has_bands(const figure *f)
{
    for (int k = 0; k < f->count; k++) {
        if (f->series[k].low && f->series[k].high) {
            return true;
        }
    }
    return false;
}

static void put_place(FILE *to, const figure_axis *axis, double value)
{
    const long at = axis->names && value >= 0 && value < axis->name_count ? (long)value : -1;
    if (at >= 0 && (double)at == value) {
        put_cell(to, "td", false, axis->names[at]);
    } else {
        put_number(to, value);
    }
}

static void put_row(FILE *to, const figure *f, const figure_series *s, int64_t i, bool bands)
{
    fputs("<tr>", to);
    put_cell(to, "td", false, s->name);
    put_place(to, &f->x, s->x[i]);
    put_place(to, &f->y, s->y[i]);
    if (bands && s->low && s->high) {
        put_number(to, s->low[i]);
        put_number(to, s->high[i]);
    } else if (bands) {
        fputs("<td></td><td></td>", to);
    }
    fputs("</tr>\n", to);
}

/* Every so many points, and the last. */
static void put_rows(FILE *to, const figure *f, const figure_series *s, bool bands)
{
    const int64_t step = step_of(s->count);
    for (int64_t i = 0; i < s->count; i += step) {
        put_row(to, f, s, i, bands);
        if (i + step >= s->count && i < s->count - 1) {
            put_row(to, f, s, s->count - 1, bands);
        }
    }
}

static void put_series(FILE *to, const figure *f)
{
    char x[FIGURE_LABEL], y[FIGURE_LABEL];
    const bool bands = has_bands(f);
    fputs("<thead><tr>", to);
    put_cell(to, "th", false, "series");
    put_cell(to, "th", true, figure_label(&f->x, x));
    put_cell(to, "th", true, figure_label(&f->y, y));
    if (bands) {
        put_cell(to, "th", true, "low");
        put_cell(to, "th", true, "high");
    }
    fputs("</tr></thead>\n<tbody>\n", to);
    for (int k = 0; k < f->count; k++) {
        put_rows(to, f, &f->series[k], bands);
    }
}

/* The middle of a cell along its axis, or its name. */
static void put_head(FILE *to, const char *element, const figure_axis *axis, int64_t i,
                     int64_t count)
{
    char text[FIGURE_NUMBER];
    const double share = ((double)i + 0.5) / (double)count;
    const bool named = axis->names && i < axis->name_count;
    fprintf(to, "<%s scope=\"%s\">", "th", element);
    put_markup(to, named ? axis->names[i]
                         : figure_number(axis->low + share * (axis->high - axis->low), text));
    fputs("</th>", to);
}

static void put_grid(FILE *to, const figure *f)
{
    const figure_grid *g = &f->grid;
    const int64_t down = step_of(g->rows), across = step_of(g->columns);
    fputs("<thead><tr><td></td>", to);
    for (int64_t k = 0; k < g->columns; k += across) {
        put_head(to, "col", &f->x, k, g->columns);
    }
    fputs("</tr></thead>\n<tbody>\n", to);
    for (int64_t i = 0; i < g->rows; i += down) {
        fputs("<tr>", to);
        put_head(to, "row", &f->y, i, g->rows);
        for (int64_t k = 0; k < g->columns; k += across) {
            put_number(to, g->values[i * g->columns + k]);
        }
        fputs("</tr>\n", to);
    }
}

static bool is_thinned(const figure *f)
{
    for (int k = 0; k < f->count; k++) {
        if (step_of(f->series[k].count) > 1) {
            return true;
        }
    }
    return f->grid.values && (step_of(f->grid.rows) > 1 || step_of(f->grid.columns) > 1);
}

void put_data(FILE *to, const figure *f)
{
    fprintf(to, "<details><summary>The data%s</summary>\n",
            is_thinned(f) ? ", some of very many" : "");
    begin_table(to, f->title);
    if (f->grid.values) {
        put_grid(to, f);
    } else {
        put_series(to, f);
    }
    end_table(to);
    fputs("</details>\n", to);
}
