#include "models/command/page/canvas.h"

#include <math.h>
#include <stdlib.h>

#define LEVELS 8 /* of a bar within a cell */
#define SHADES 9

static const char letters[] = "*+ox#@%";
static const char shades[] = " .:-=+*#%@";
static const int colours[] = {36, 33, 35, 32, 34, 31, 37};

nm_status canvas_begin(nm_context *context, const figure *f, const scale *x, const scale *y,
                       int columns, int rows, const terminal *t, canvas *c)
{
    *c = (canvas){.context = context,
                  .f = f,
                  .x = *x,
                  .y = *y,
                  .columns = columns > 8 ? columns : 8,
                  .rows = rows > 2 ? rows : 2,
                  .unicode = t->unicode,
                  .colour = t->colour,
                  .letters = !t->unicode || (f->count > 1 && !t->colour)};
    c->cells = nm_alloc_zero(context, (size_t)c->columns * (size_t)c->rows, sizeof *c->cells);
    return c->cells ? NM_OK : nm_context_status(context);
}

void canvas_end(canvas *c)
{
    nm_free(c->context, c->cells);
    c->cells = NULL;
}

/* ---- Places ---- */

/* Steps of the finest kind there is: dots, or cells. */
static int fine_columns(const canvas *c)
{
    return c->letters ? c->columns : 2 * c->columns;
}

static int fine_rows(const canvas *c)
{
    return c->letters ? c->rows : 4 * c->rows;
}

static int step_at(double place, int count)
{
    return (int)floor(fmin(fmax(place, -1), 2) * (count - 1) + 0.5);
}

int canvas_row(const canvas *c, double value)
{
    const double place = scale_place(&c->y, value);
    if (c->f->y.names && c->f->grid.values) { /* the first is at the top */
        return (int)value;
    }
    return c->rows - 1 - (c->letters ? step_at(place, c->rows) : step_at(place, 4 * c->rows) / 4);
}

int canvas_column(const canvas *c, double value)
{
    const double place = scale_place(&c->x, value);
    return c->letters ? step_at(place, c->columns) : step_at(place, 2 * c->columns) / 2;
}

static canvas_cell *cell_at(const canvas *c, int row, int column)
{
    const bool inside = row >= 0 && row < c->rows && column >= 0 && column < c->columns;
    return inside ? &c->cells[row * c->columns + column] : NULL;
}

/* ---- Lines and points ---- */

static void draw_dot(canvas *c, int across, int up, int series)
{
    static const unsigned char dots[4][2] = {
        {0x40, 0x80}, {0x04, 0x20}, {0x02, 0x10}, {0x01, 0x08}};
    const int wide = c->letters ? 1 : 2, high = c->letters ? 1 : 4;
    canvas_cell *cell =
        across < 0 || up < 0 ? NULL : cell_at(c, c->rows - 1 - up / high, across / wide);
    if (cell) {
        cell->mark = (unsigned char)(series % NM_COUNT_OF(colours) + 1);
        cell->dots |= dots[up % high][across % wide];
    }
}

typedef struct spot {
    int across, up;
} spot;

/* As many steps as the longer side has. */
static void draw_stroke(canvas *c, spot from, spot to, int series)
{
    const int across = to.across - from.across, up = to.up - from.up;
    const int steps = abs(across) > abs(up) ? abs(across) : abs(up);
    for (int i = 0; i <= steps; i++) {
        const double share = steps ? (double)i / steps : 0;
        draw_dot(c, from.across + (int)lround(share * across), from.up + (int)lround(share * up),
                 series);
    }
}

static bool spot_of(const canvas *c, double x, double y, spot *at)
{
    const double across = scale_place(&c->x, x), up = scale_place(&c->y, y);
    if (!isfinite(across) || !isfinite(up)) {
        return false;
    }
    *at = (spot){step_at(across, fine_columns(c)), step_at(up, fine_rows(c))};
    return true;
}

static void draw_line(canvas *c, const figure_series *s, int series)
{
    spot last = {0, 0};
    bool down = false;
    for (int64_t i = 0; i < s->count; i++) {
        spot at;
        const bool there = spot_of(c, s->x[i], s->y[i], &at);
        if (there) {
            const bool joined = down && s->mark == FIGURE_LINE;
            draw_stroke(c, joined ? last : at, at, series);
            if (s->mark == FIGURE_POINTS && !c->letters) { /* one of Braille's is too fine */
                draw_stroke(c, (spot){at.across + 1, at.up}, (spot){at.across, at.up + 1}, series);
            }
            last = at;
        }
        down = there;
    }
}

/* ---- Bars ---- */

/* A column takes the bar that its middle is in. */
static int64_t bar_at(const figure_series *s, double x)
{
    for (int64_t i = 0; i < s->count; i++) {
        if (x >= s->x[i] && x < s->x[i + 1]) {
            return i;
        }
    }
    return -1;
}

static void draw_bars(canvas *c, const figure_series *s, int series)
{
    const double zero = scale_place(&c->y, 0), base = isfinite(zero) ? zero : 0;
    for (int column = 0; column < c->columns; column++) {
        const int64_t bar = bar_at(s, scale_value(&c->x, (column + 0.5) / c->columns));
        const double place = bar < 0 ? (double)NAN : scale_place(&c->y, s->y[bar]);
        const double full = isfinite(place) ? (place - base) * c->rows * LEVELS : 0;
        const int low = (int)(base * c->rows);
        for (int k = 0; k * LEVELS < full; k++) {
            canvas_cell *cell = cell_at(c, c->rows - 1 - low - k, column);
            const double level = fmin(full - k * LEVELS, LEVELS);
            if (cell) {
                cell->level = (unsigned char)fmax(level + 0.5, 1);
                cell->mark = (unsigned char)(series % NM_COUNT_OF(colours) + 1);
            }
        }
    }
}

/* ---- Shades ---- */

/* A grid that is finer than the canvas is looked at here and there. */
static void draw_grid(canvas *c)
{
    const figure_grid *g = &c->f->grid;
    const scale s = scale_of_grid(g);
    for (int i = 0; i < c->rows * c->columns; i++) {
        const int row = i / c->columns, column = i % c->columns;
        const int64_t down = (2 * row + 1) * g->rows / (2 * c->rows);
        const int64_t r = c->f->y.names ? down : g->rows - 1 - down;
        const int64_t k = (2 * column + 1) * g->columns / (2 * c->columns);
        const double place = scale_place(&s, g->values[r * g->columns + k]);
        c->cells[i].level =
            isfinite(place) ? (unsigned char)(1 + fmin(place * SHADES, SHADES - 1)) : 0;
    }
}

void canvas_draw(canvas *c)
{
    if (c->f->grid.values && c->f->grid.rows && c->f->grid.columns) {
        draw_grid(c);
    }
    for (int k = 0; k < c->f->count; k++) {
        if (c->f->series[k].mark == FIGURE_BARS) {
            draw_bars(c, &c->f->series[k], k);
        } else {
            draw_line(c, &c->f->series[k], k);
        }
    }
}

/* ---- Printing ---- */

static void put_braille(FILE *to, unsigned dots)
{
    fputc(0xe2, to);
    fputc((int)(0xa0 | dots >> 6), to);
    fputc((int)(0x80 | (dots & 63)), to);
}

/* Blocks that grow from below: U+2581 is an eighth, U+2588 the whole. */
static void put_block(FILE *to, int level)
{
    fprintf(to, "\xe2\x96%c", 0x80 + level);
}

static void put_shade(const canvas *c, FILE *to, int level)
{
    static const char *const blocks[] = {" ", "░", "▒", "▓", "█"};
    if (c->unicode) {
        fputs(blocks[level ? (level - 1) / 2 : 0], to);
    } else {
        fputc(shades[level], to);
    }
}

static void put_cell(const canvas *c, const canvas_cell *cell, FILE *to)
{
    if (c->f->grid.values) {
        put_shade(c, to, cell->level);
    } else if (cell->level) {
        c->unicode ? put_block(to, cell->level) : (void)fputc('#', to);
    } else if (!cell->mark) {
        fputc(' ', to);
    } else if (c->letters) {
        fputc(letters[cell->mark - 1], to);
    } else {
        put_braille(to, cell->dots);
    }
}

void canvas_print_row(const canvas *c, int row, FILE *to)
{
    int mark = 0, last = c->columns - 1;
    const canvas_cell *cells = &c->cells[row * c->columns];
    while (last >= 0 && !cells[last].mark && !cells[last].level) {
        last--;
    }
    for (int i = 0; i <= last; i++) {
        if (c->colour && cells[i].mark != mark) {
            mark = cells[i].mark;
            fprintf(to, "\033[%dm", mark ? colours[mark - 1] : 0);
        }
        put_cell(c, &cells[i], to);
    }
    fputs(mark ? "\033[0m" : "", to);
}

void canvas_print_mark(const canvas *c, int series, FILE *to)
{
    const int style = series % NM_COUNT_OF(colours);
    const bool bars = c->f->series[series].mark == FIGURE_BARS;
    if (c->colour) {
        fprintf(to, "\033[%dm", colours[style]);
    }
    if (c->unicode && (bars || !c->letters)) {
        fputs(bars ? "█" : c->f->series[series].mark == FIGURE_LINE ? "━" : "•", to);
    } else {
        fputc(bars ? '#' : letters[style], to);
    }
    fputs(c->colour ? "\033[0m" : "", to);
}

void canvas_print_shades(const canvas *c, FILE *to)
{
    for (int level = 1; level <= SHADES; level += 2) {
        put_shade(c, to, level);
    }
}
