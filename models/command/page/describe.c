/* Figures in words and numbers. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "models/command/page/figure.h"
#include "models/command/text_stream.h"

char *figure_number(double value, char text[FIGURE_NUMBER])
{
    if (isnan(value)) {
        snprintf(text, FIGURE_NUMBER, "NaN");
    } else if (isinf(value)) {
        snprintf(text, FIGURE_NUMBER, "%sinfinite", value < 0 ? "-" : "");
    } else if (fabs(value) < 1e15 && (value == floor(value) || fabs(value) >= 1e5)) {
        snprintf(text, FIGURE_NUMBER, "%.0f", value + 0.0);
    } else {
        snprintf(text, FIGURE_NUMBER, "%.5g", value);
    }
    return text;
}

char *figure_label(const figure_axis *axis, char text[FIGURE_LABEL])
{
    const char *label = axis->label ? axis->label : "";
    snprintf(text, FIGURE_LABEL, axis->unit ? "%.100s (%.40s)" : "%.100s", label,
             axis->unit ? axis->unit : "");
    return text;
}

static bool can_be_drawn(const figure_axis *axis, double value)
{
    return isfinite(value) && (value > 0 || !axis->logarithmic);
}

static bool is_drawn(const figure *f, const figure_series *s, int64_t i)
{
    return can_be_drawn(&f->x, s->x[i]) && can_be_drawn(&f->y, s->y[i]);
}

int64_t figure_left_out(const figure *f)
{
    int64_t count = 0;
    for (int k = 0; k < f->count; k++) {
        for (int64_t i = 0; i < f->series[k].count; i++) {
            count += !is_drawn(f, &f->series[k], i);
        }
    }
    for (int64_t i = 0; f->grid.values && i < f->grid.rows * f->grid.columns; i++) {
        count += !can_be_drawn(&f->grid.scale, f->grid.values[i]);
    }
    return count;
}

/* ---- In words ---- */

typedef struct summary {
    int64_t drawn, first, last, least, most; /* indices; -1: none */
} summary;

static summary summarize(const figure *f, const figure_series *s)
{
    summary sum = {0, -1, -1, -1, -1};
    for (int64_t i = 0; i < s->count; i++) {
        if (is_drawn(f, s, i)) {
            sum.first = sum.drawn++ ? sum.first : i;
            sum.last = i;
            sum.least = sum.least < 0 || s->y[i] < s->y[sum.least] ? i : sum.least;
            sum.most = sum.most < 0 || s->y[i] > s->y[sum.most] ? i : sum.most;
        }
    }
    return sum;
}

static void put_point(FILE *to, const char *what, const figure_series *s, int64_t i)
{
    char x[FIGURE_NUMBER], y[FIGURE_NUMBER];
    fprintf(to, "%s%s at %s", what, figure_number(s->y[i], y), figure_number(s->x[i], x));
}

static void put_series(FILE *to, const figure *f, const figure_series *s)
{
    static const char *const things[] = {"a line of", "points:", "bars:"};
    const summary sum = summarize(f, s);
    fprintf(to, " %s: %s %lld", s->name ? s->name : "", things[s->mark], (long long)sum.drawn);
    fputs(s->mark == FIGURE_LINE ? sum.drawn == 1 ? " point" : " points" : "", to);
    if (sum.drawn) {
        put_point(to, "; first ", s, sum.first);
        put_point(to, ", last ", s, sum.last);
        put_point(to, ", lowest ", s, sum.least);
        put_point(to, ", highest ", s, sum.most);
    }
    fputc('.', to);
}

static void put_grid(FILE *to, const figure_grid *g)
{
    char low[FIGURE_NUMBER], high[FIGURE_NUMBER], label[FIGURE_LABEL];
    double least = INFINITY, most = -INFINITY;
    for (int64_t i = 0; i < g->rows * g->columns; i++) {
        if (can_be_drawn(&g->scale, g->values[i])) {
            least = fmin(least, g->values[i]);
            most = fmax(most, g->values[i]);
        }
    }
    fprintf(to, " %lld rows and %lld columns of %s", (long long)g->rows, (long long)g->columns,
            figure_label(&g->scale, label));
    if (least <= most) {
        fprintf(to, ", from %s to %s", figure_number(least, low), figure_number(most, high));
    }
    fputc('.', to);
}

static void put_description(FILE *to, const figure *f)
{
    char x[FIGURE_LABEL], y[FIGURE_LABEL];
    fprintf(to, "%s: %s%s over %s%s.", f->grid.values ? "Heat map" : "Plot", figure_label(&f->y, y),
            f->y.logarithmic ? ", logarithmic," : "", figure_label(&f->x, x),
            f->x.logarithmic ? ", logarithmic" : "");
    for (int k = 0; k < f->count; k++) {
        put_series(to, f, &f->series[k]);
    }
    if (f->grid.values) {
        put_grid(to, &f->grid);
    }
    const int64_t left_out = figure_left_out(f);
    if (left_out) {
        fprintf(to, " Left out, since they have no place: %lld.", (long long)left_out);
    }
}

char *figure_describe(nm_context *context, const figure *f)
{
    text_stream s;
    if (text_begin(&s, context)) {
        put_description(s.to, f);
    }
    return text_end(&s);
}
