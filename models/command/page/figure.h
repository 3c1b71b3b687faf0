/* Figures and tables as data. Whoever has something to show fills these in; svg.h, page.h and
 * terminal.h draw them, and none of them changes them or keeps a pointer. All texts are UTF-8 from
 * anywhere (names in users' files): each writer makes them harmless for its medium.
 *
 *     const figure_series curves[] = {{.name = "training", .count = n, .x = step, .y = loss}};
 *     const figure f = {.title = "Loss", .x = {.label = "step", .whole = true},
 *                       .y = {.label = "loss", .logarithmic = true}, .series = curves, .count = 1};
 *     page_figure(page, &f);      // or svg_write(context, path, &f, 1), figure_print(...)
 *
 * What cannot be drawn (no finite number; zero or less on a logarithmic axis) leaves a gap, and
 * every writer says how many points that are. */
#ifndef NM_MODELS_COMMAND_PAGE_FIGURE_H
#define NM_MODELS_COMMAND_PAGE_FIGURE_H

#include "norma.h"

typedef struct figure_axis {
    const char *label; /* "training loss" */
    const char *unit;  /* "ms"; NULL: none */
    bool logarithmic;
    bool whole;               /* ticks at whole numbers only: steps, epochs */
    double low, high;         /* of what is shown; low >= high: of what the data take */
    const char *const *names; /* of the places 0, 1, 2, ...: classes, layers; NULL: numbers */
    int name_count;
    const double
        *marks; /* values that have ticks, as many as there is room for; NULL: round ones */
    int mark_count;
} figure_axis;

typedef enum figure_mark {
    FIGURE_LINE,
    FIGURE_POINTS,
    FIGURE_BARS /* a histogram */
} figure_mark;

typedef struct figure_series {
    const char *name;
    figure_mark mark;
    int64_t count;
    const double *x;          /* [count]; of bars [count + 1], their edges, rising */
    const double *y;          /* [count] */
    const double *low, *high; /* [count], a band around the line; NULL: none */
} figure_series;

/* A heat map. With names on an axis, its cells stand at their names, row 0 at the top; else they
 * share out the axis from `low` to `high`, which must be given, row 0 at y's low end. */
typedef struct figure_grid {
    int64_t rows, columns;
    const double *values; /* [rows, columns]; NULL: no heat map */
    figure_axis scale;    /* what the values are; no names */
} figure_grid;

typedef struct figure {
    const char *title;
    const char *text; /* a sentence or two about what is to be seen, below it; NULL: none */
    figure_axis x, y;
    const figure_series *series;
    int count; /* of series; colours and dashes repeat after seven */
    figure_grid grid;
} figure;

typedef struct table {
    const char *title; /* NULL: none */
    int columns;
    int64_t rows;
    const char *const *heads; /* [columns] */
    const char *const *cells; /* [rows, columns]; NULL: an empty one */
    const char *sides;        /* a letter a column, 'l' or 'r' where it is flush; NULL: all left */
} table;

/* ---- What every writer needs of a figure ---- */

#define FIGURE_NUMBER 32
/* "0.0123": five digits, or "NaN", "infinite", "-infinite". Returns `text`. */
char *figure_number(double value, char text[FIGURE_NUMBER]);
/* "loss (ms)" */
#define FIGURE_LABEL 160
char *figure_label(const figure_axis *axis, char text[FIGURE_LABEL]);
/* What it shows in words, for people who do not see it: kinds, axes, of each series how many
 * points, from where to where. New memory, free with nm_free(); NULL if there is none. */
char *figure_describe(nm_context *context, const figure *f);
/* Points that cannot be drawn. */
int64_t figure_left_out(const figure *f);

#endif
