/* The marks that stand for data: lines with bands, points, bars, cells. */
#include <math.h>

#include "models/command/page/markup.h"
#include "models/command/page/svg_parts.h"

#define FEW 40       /* points of a line that are marked each */
#define STRENGTHS 16 /* of a heat map's colour */

double svg_x(const drawing *d, double value)
{
    return d->left + scale_place(&d->x, value) * d->width;
}

double svg_y(const drawing *d, double value)
{
    return d->top + (1 - scale_place(&d->y, value)) * d->height;
}

/* ---- Lines ---- */

typedef struct place {
    double x, y;
} place;

/* A line of very many points: of those in one unit of width only the first, the lowest, the highest
 * and the last are drawn, which looks the same. */
typedef struct bundle {
    int count;
    int64_t at[4]; /* first, lowest, highest, last */
} bundle;

typedef struct pen {
    const drawing *d;
    const figure_series *s;
    const double *y;
    bool down;
    int drawn; /* since it was put down */
    bundle column;
} pen;

static place place_of(const pen *p, int64_t i)
{
    return (place){svg_x(p->d, p->s->x[i]), svg_y(p->d, p->y[i])};
}

static void draw_to(pen *p, place at)
{
    fprintf(p->d->to, "%s%.5g %.5g", p->down ? "L" : "M", at.x, at.y);
    p->down = true;
    p->drawn++;
}

static void draw_column(pen *p)
{
    const bundle c = p->column;
    const int64_t lower = c.at[1] < c.at[2] ? c.at[1] : c.at[2];
    const int64_t order[] = {c.at[0], lower, c.at[1] + c.at[2] - lower, c.at[3]};
    for (int k = 0; k < 4 && c.count; k++) {
        if (k == 0 || order[k] != order[k - 1]) {
            draw_to(p, place_of(p, order[k]));
        }
    }
    p->column.count = 0;
}

/* A lone point would not be seen: a line of no length with round ends is a dot. */
static void lift(pen *p)
{
    draw_column(p);
    fputs(p->drawn == 1 ? "h0" : "", p->d->to);
    p->down = false;
    p->drawn = 0;
}

static void add_to_column(pen *p, int64_t i)
{
    bundle *c = &p->column;
    if (c->count && floor(place_of(p, i).x) != floor(place_of(p, c->at[0]).x)) {
        draw_column(p);
    }
    if (!c->count++) {
        c->at[0] = c->at[1] = c->at[2] = i;
    }
    c->at[1] = p->y[i] < p->y[c->at[1]] ? i : c->at[1];
    c->at[2] = p->y[i] > p->y[c->at[2]] ? i : c->at[2];
    c->at[3] = i;
}

static void put_line(const drawing *d, const figure_series *s, int style)
{
    pen p = {.d = d, .s = s, .y = s->y};
    fprintf(d->to, "<path class=\"line s%d\" d=\"", style);
    for (int64_t i = 0; i < s->count; i++) {
        const place at = place_of(&p, i);
        if (isfinite(at.x) && isfinite(at.y)) {
            add_to_column(&p, i);
        } else {
            lift(&p);
        }
    }
    lift(&p);
    fputs("\"/>\n", d->to);
}

static void put_dots(const drawing *d, const figure_series *s, int style)
{
    fprintf(d->to, "<path class=\"dot s%d\" d=\"", style);
    for (int64_t i = 0; i < s->count; i++) {
        const double x = svg_x(d, s->x[i]), y = svg_y(d, s->y[i]);
        if (isfinite(x) && isfinite(y)) {
            fprintf(d->to, "M%.5g %.5gh0", x, y);
        }
    }
    fputs("\"/>\n", d->to);
}

/* ---- Bands ---- */

static bool has_band(const drawing *d, const figure_series *s, int64_t i)
{
    return isfinite(svg_x(d, s->x[i])) && isfinite(svg_y(d, s->low[i])) &&
           isfinite(svg_y(d, s->high[i]));
}

/* One piece without gaps: its upper side there, its lower side back. */
static void put_band_piece(const drawing *d, const figure_series *s, int64_t from, int64_t to)
{
    const int64_t step = (to - from) / (2 * (int64_t)SVG_WIDTH) + 1;
    for (int64_t i = from; i < to; i += step) {
        fprintf(d->to, "%s%.5g %.5g", i == from ? "M" : "L", svg_x(d, s->x[i]),
                svg_y(d, s->high[i]));
    }
    for (int64_t i = from + (to - 1 - from) / step * step; i >= from; i -= step) {
        fprintf(d->to, "L%.5g %.5g", svg_x(d, s->x[i]), svg_y(d, s->low[i]));
    }
    fputs("Z", d->to);
}

static void put_band(const drawing *d, const figure_series *s, int style)
{
    fprintf(d->to, "<path class=\"band s%d\" d=\"", style);
    for (int64_t i = 0; i < s->count; i++) {
        int64_t end = i;
        while (end < s->count && has_band(d, s, end)) {
            end++;
        }
        if (end > i) {
            put_band_piece(d, s, i, end);
            i = end;
        }
    }
    fputs("\"/>\n", d->to);
}

/* ---- Points and bars ---- */

/* Round, square, triangle, diamond, and so on: around the pen. */
static const char *const shapes[SVG_STYLES] = {
    "m-3.5 0a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0 -7 0z",
    "m-3 -3h6v6h-6z",
    "m0 -4.2l4 7h-8z",
    "m0 -4.6l4.6 4.6l-4.6 4.6l-4.6 -4.6z",
    "m0 4.2l4 -7h-8z",
    "m-1.3 -4h2.6v2.7h2.7v2.6h-2.7v2.7h-2.6v-2.7h-2.7v-2.6h2.7z",
    "m-4 -1.3h8v2.6h-8z",
};

const char *svg_shape(int style)
{
    return shapes[style];
}

const char *svg_round_begin(int series)
{
    return series < SVG_STYLES ? "" : "<g class=\"again\">";
}

const char *svg_round_end(int series)
{
    return series < SVG_STYLES ? "" : "</g>\n";
}

static void put_points(const drawing *d, const figure_series *s, int style)
{
    fprintf(d->to, "<path class=\"point s%d\" d=\"", style);
    for (int64_t i = 0; i < s->count; i++) {
        const double x = svg_x(d, s->x[i]), y = svg_y(d, s->y[i]);
        if (isfinite(x) && isfinite(y)) {
            fprintf(d->to, "M%.5g %.5g%s", x, y, shapes[style]);
        }
    }
    fputs("\"/>\n", d->to);
}

/* From zero, or on a logarithmic axis from its low end. */
static void put_bars(const drawing *d, const figure_series *s, int style)
{
    const double zero = svg_y(d, 0), base = isfinite(zero) ? zero : d->top + d->height;
    fprintf(d->to, "<path class=\"bar s%d\" d=\"", style);
    for (int64_t i = 0; i < s->count; i++) {
        const double x = svg_x(d, s->x[i]), end = svg_x(d, s->x[i + 1]), y = svg_y(d, s->y[i]);
        if (isfinite(x) && isfinite(end) && isfinite(y)) {
            const double gap = end - x > 4 ? 0.5 : 0;
            fprintf(d->to, "M%.5g %.5gV%.5gH%.5gV%.5gZ", x + gap, base, y, end - gap, base);
        }
    }
    fputs("\"/>\n", d->to);
}

/* ---- Cells ---- */

int svg_strength(const drawing *d, double value)
{
    const double at = scale_place(&d->value, value);
    return isfinite(at) ? (int)fmin(fmax(at, 0) * STRENGTHS, STRENGTHS - 1) : -1;
}

typedef struct cell {
    double x, y, width, height, value;
} cell;

static cell cell_at(const drawing *d, int64_t row, int64_t column)
{
    const figure_grid *g = &d->f->grid;
    const double width = d->width / (double)g->columns, height = d->height / (double)g->rows;
    const int64_t down = d->f->y.names ? row : g->rows - 1 - row;
    const double value = g->values[row * g->columns + column];
    return (cell){d->left + (double)column * width, d->top + (double)down * height, width, height,
                  value};
}

/* All cells of one colour are one path. */
static void put_cells(const drawing *d, int strength)
{
    const figure_grid *g = &d->f->grid;
    fprintf(d->to, "<path class=\"cell\" fill-opacity=\"%.3g\" d=\"",
            0.04 + 0.86 * strength / (STRENGTHS - 1));
    for (int64_t i = 0; i < g->rows * g->columns; i++) {
        const cell c = cell_at(d, i / g->columns, i % g->columns);
        if (svg_strength(d, c.value) == strength) {
            fprintf(d->to, "M%.5g %.5gh%.4gv%.4gh-%.4gz", c.x, c.y, c.width, c.height, c.width);
        }
    }
    fputs("\"/>\n", d->to);
}

static void put_cell_values(const drawing *d)
{
    const figure_grid *g = &d->f->grid;
    for (int64_t i = 0; i < g->rows * g->columns; i++) {
        char text[FIGURE_NUMBER];
        const cell c = cell_at(d, i / g->columns, i % g->columns);
        const int strength = svg_strength(d, c.value);
        if (strength >= 0) {
            fprintf(d->to, "<text class=\"value%s\" x=\"%.5g\" y=\"%.5g\">%s</text>\n",
                    strength > STRENGTHS / 2 ? " on" : "", c.x + c.width / 2,
                    c.y + c.height / 2 + 4, figure_number(c.value, text));
        }
    }
}

static int widest_value(const figure_grid *g)
{
    int widest = 0;
    for (int64_t i = 0; i < g->rows * g->columns; i++) {
        char text[FIGURE_NUMBER];
        const int wide = wide_text(figure_number(g->values[i], text));
        widest = wide > widest ? wide : widest;
    }
    return widest;
}

static void put_grid(const drawing *d)
{
    const figure_grid *g = &d->f->grid;
    const cell first = cell_at(d, 0, 0);
    for (int strength = 0; strength < STRENGTHS; strength++) {
        put_cells(d, strength);
    }
    if (first.height >= 16 && first.width >= widest_value(g) * 8.0) {
        put_cell_values(d);
    }
}

/* ---- All ---- */

static void put_series(const drawing *d, const figure_series *s, int style)
{
    if (s->mark == FIGURE_BARS) {
        put_bars(d, s, style);
    } else if (s->mark == FIGURE_POINTS) {
        put_points(d, s, style);
    } else {
        put_line(d, s, style);
        if (s->count <= FEW) {
            put_dots(d, s, style);
        }
    }
}

void svg_marks(const drawing *d)
{
    if (d->f->grid.values) {
        put_grid(d);
    }
    for (int k = 0; k < d->f->count; k++) {
        const figure_series *s = &d->f->series[k];
        if (s->mark == FIGURE_LINE && s->low && s->high) {
            put_band(d, s, k % SVG_STYLES);
        }
    }
    for (int k = 0; k < d->f->count; k++) {
        fputs(svg_round_begin(k), d->to);
        put_series(d, &d->f->series[k], k % SVG_STYLES);
        fputs(svg_round_end(k), d->to);
    }
}
