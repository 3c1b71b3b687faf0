/* What stands around a figure on a terminal. Its inside is canvas.c's. */
#include "models/command/page/terminal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "models/command/command.h"
#include "models/command/page/canvas.h"
#include "models/command/page/markup.h"
#include "models/command/progress.h"

#define LEAST_COLUMNS 40
#define MOST_COLUMNS 160
#define USUAL_ROWS 16
#define LEAST_ROWS 8
#define NAME_COLUMNS 16 /* of a name at an axis */
#define LINE_BYTES (4 * MOST_COLUMNS + 64)

terminal terminal_of_output(void)
{
    struct winsize size = {0};
    terminal t = {80, USUAL_ROWS, terminal_speaks_unicode(), use_colour(STDOUT_FILENO)};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col) {
        t.columns = size.ws_col < LEAST_COLUMNS  ? LEAST_COLUMNS
                    : size.ws_col > MOST_COLUMNS ? MOST_COLUMNS
                                                 : size.ws_col;
        t.rows = size.ws_row && size.ws_row < USUAL_ROWS + 8 ? size.ws_row - 8 : USUAL_ROWS;
        t.rows = t.rows < LEAST_ROWS ? LEAST_ROWS : t.rows;
    }
    return t;
}

/* ---- Texts ---- */

static void put_spaces(FILE *to, int count)
{
    fprintf(to, "%*s", count > 0 ? count : 0, "");
}

/* One that begins at a column; nothing of it where it is not ASCII and the terminal is. */
static void put_cut(FILE *to, const terminal *t, const char *text, int columns)
{
    char cut[LINE_BYTES];
    cut_text(text ? text : "", columns, cut, sizeof cut);
    for (const char *at = cut; *at; at++) {
        const bool is_ascii = !((unsigned char)*at & 128);
        if (is_ascii || t->unicode) {
            fputc(*at, to);
        } else if (((unsigned char)*at & 0xc0) == 0xc0) {
            fputc('?', to);
        }
    }
}

static void put_head(FILE *to, const terminal *t, const char *title)
{
    fputs(t->colour ? "\033[1m" : "", to);
    put_cut(to, t, title, t->columns);
    fputs(t->colour ? "\033[0m\n" : "\n", to);
}

/* ---- Axes ---- */

typedef struct frame {
    const figure *f;
    const terminal *t;
    FILE *to;
    canvas c;
    ticks across, up;
    int left; /* columns of the labels of y */
} frame;

static int widest(const ticks *t)
{
    int columns = 0;
    for (int i = 0; i < t->count; i++) {
        const int wide = wide_text(t->text[i]);
        columns = wide > columns ? wide : columns;
    }
    return columns;
}

/* The tick of a row; -1: none. */
static int tick_of_row(const frame *r, int row)
{
    for (int i = 0; i < r->up.count; i++) {
        if (canvas_row(&r->c, r->up.at[i]) == row) {
            return i;
        }
    }
    return -1;
}

static void print_rows(const frame *r)
{
    const bool unicode = r->t->unicode;
    for (int row = 0; row < r->c.rows; row++) {
        const int tick = tick_of_row(r, row);
        const char *label = tick < 0 ? "" : r->up.text[tick];
        put_spaces(r->to, r->left - wide_text(label));
        put_cut(r->to, r->t, label, NAME_COLUMNS);
        fputs(tick < 0 ? unicode ? " │" : " |" : unicode ? " ┤" : " +", r->to);
        canvas_print_row(&r->c, row, r->to);
        fputc('\n', r->to);
    }
}

static bool is_tick_column(const frame *r, int column)
{
    for (int i = 0; i < r->across.count; i++) {
        if (canvas_column(&r->c, r->across.at[i]) == column) {
            return true;
        }
    }
    return false;
}

static void print_axis(const frame *r)
{
    const bool unicode = r->t->unicode;
    put_spaces(r->to, r->left);
    fputs(unicode ? " └" : " +", r->to);
    for (int i = 0; i < r->c.columns; i++) {
        const bool tick = is_tick_column(r, i);
        fputs(unicode ? tick ? "┬" : "─" : tick ? "+" : "-", r->to);
    }
    fputc('\n', r->to);
}

/* Each label below its tick, where the one before left room. */
static void print_labels(const frame *r)
{
    int used = 0;
    const int first = r->left + 2, all = first + r->c.columns;
    for (int i = 0; i < r->across.count; i++) {
        const char *label = r->across.text[i];
        const int wide = wide_text(label);
        int begin = first + canvas_column(&r->c, r->across.at[i]) - (wide - 1) / 2;
        begin = begin + wide > all ? all - wide : begin;
        if (begin > used || (used == 0 && begin >= 0)) {
            put_spaces(r->to, begin - used);
            put_cut(r->to, r->t, label, NAME_COLUMNS);
            used = begin + wide;
        }
    }
    fputc('\n', r->to);
}

static void print_below(const frame *r)
{
    char label[FIGURE_LABEL];
    figure_label(&r->f->x, label);
    const int begin = r->left + 2 + (r->c.columns - wide_text(label)) / 2;
    put_spaces(r->to, begin);
    put_cut(r->to, r->t, label, r->t->columns - (begin > 0 ? begin : 0));
    fputc('\n', r->to);
}

static void print_legend(const frame *r)
{
    int used = 0;
    for (int k = 0; k < r->f->count && r->f->count > 1; k++) {
        char name[LINE_BYTES];
        cut_text(r->f->series[k].name ? r->f->series[k].name : "", r->t->columns - 6, name,
                 sizeof name);
        const int wide = wide_text(name) + 5;
        if (used && used + wide > r->t->columns) {
            fputc('\n', r->to);
            used = 0;
        }
        fputs("  ", r->to);
        canvas_print_mark(&r->c, k, r->to);
        fputc(' ', r->to);
        put_cut(r->to, r->t, name, r->t->columns - 6);
        used += wide;
    }
    fputs(used ? "\n" : "", r->to);
}

static void print_scale(const frame *r)
{
    char label[FIGURE_LABEL], low[FIGURE_NUMBER], high[FIGURE_NUMBER];
    if (r->f->grid.values) {
        const scale s = scale_of_grid(&r->f->grid);
        fprintf(r->to, "  ");
        canvas_print_shades(&r->c, r->to);
        fprintf(r->to, " ");
        put_cut(r->to, r->t, figure_label(&r->f->grid.scale, label), 40);
        fprintf(r->to, ": %s to %s\n", figure_number(scale_value(&s, 0), low),
                figure_number(scale_value(&s, 1), high));
    }
}

static void print_left_out(const frame *r)
{
    const int64_t count = figure_left_out(r->f);
    if (count) {
        fprintf(r->to, "  not drawn: %lld without a finite value%s\n", (long long)count,
                r->f->x.logarithmic || r->f->y.logarithmic || r->f->grid.scale.logarithmic
                    ? ", or of zero or less on a logarithmic axis"
                    : "");
    }
}

nm_status figure_print(nm_context *context, const figure *f, const terminal *t, FILE *to)
{
    scale x, y;
    char label[FIGURE_LABEL];
    frame r = {.f = f, .t = t, .to = to};
    scales_of(f, &x, &y);
    const int rows = f->y.names && f->grid.values ? (int)f->grid.rows : t->rows;
    r.up = ticks_of(&y, &f->y, f->y.names ? MOST_TICKS - 1 : t->rows / 3 + 1);
    r.left = widest(&r.up) + 1;
    const int columns = t->columns - r.left - 3;
    r.across = ticks_of(&x, &f->x, f->x.names ? MOST_TICKS - 1 : columns / 10 + 1);
    if (canvas_begin(context, f, &x, &y, columns, rows, t, &r.c) != NM_OK) {
        return nm_context_status(context);
    }
    canvas_draw(&r.c);
    put_head(to, t, f->title);
    put_cut(to, t, figure_label(&f->y, label), t->columns);
    fputc('\n', to);
    print_rows(&r);
    print_axis(&r);
    print_labels(&r);
    print_below(&r);
    print_legend(&r);
    print_scale(&r);
    print_left_out(&r);
    canvas_end(&r.c);
    return NM_OK;
}
