#include "models/command/page/scale.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/command/page/markup.h"

#define MARGIN 0.04      /* of the axis, beyond the data */
#define LEAST_SPAN 1e-9  /* of the larger end: closer values cannot be told apart by labels */
#define MOST_DECIMALS 12 /* of a label */
#define PLAIN_FROM 1e-4  /* labels of numbers between stand without exponent */
#define PLAIN_TO 1e6
#define LARGEST_STEP 1e308

/* ---- The ends ---- */

typedef struct extent {
    double low, high; /* low > high: nothing yet */
} extent;

static void include(extent *e, const figure_axis *axis, double value)
{
    if (isfinite(value) && (value > 0 || !axis->logarithmic)) {
        e->low = fmin(e->low, value);
        e->high = fmax(e->high, value);
    }
}

static bool has_place(const figure_axis *axis, double value)
{
    return isfinite(value) && (value > 0 || !axis->logarithmic);
}

/* Moves ends apart that are one value, or too close for labels. */
static void spread(scale *s)
{
    const double largest = fmax(fabs(s->low), fabs(s->high));
    const double least = fmax(largest * LEAST_SPAN, 1e-300);
    if (s->high / 2 - s->low / 2 < least / 2) {
        const double half = s->logarithmic ? 0.5 : largest > 0 ? fabs(s->low) / 10 : 1;
        s->low = fmax(s->low - fmax(half, least), -DBL_MAX);
        s->high = fmin(s->high + fmax(half, least), DBL_MAX);
    }
}

scale scale_over(const figure_axis *axis, double low, double high)
{
    scale s = {.logarithmic = axis->logarithmic, .whole = axis->whole};
    if (axis->low < axis->high && has_place(axis, axis->low) && has_place(axis, axis->high)) {
        low = axis->low;
        high = axis->high;
    }
    if (!(low <= high)) { /* none: any axis will do */
        low = s.logarithmic ? 0.1 : 0;
        high = 1;
    }
    s.low = s.logarithmic ? log10(low) : low;
    s.high = s.logarithmic ? log10(high) : high;
    spread(&s);
    return s;
}

/* Room between the data and the frame. */
static void widen(scale *s, const figure_axis *axis, bool below, bool above)
{
    const double room = MARGIN * (s->high / 2 - s->low / 2) * 2;
    if (!(axis->low < axis->high) && isfinite(room)) {
        s->low = below ? fmax(s->low - room, -DBL_MAX) : s->low;
        s->high = above ? fmin(s->high + room, DBL_MAX) : s->high;
    }
}

static void include_point(extent *x, extent *y, const figure *f, const figure_series *s, int64_t i)
{
    if (!has_place(&f->x, s->x[i]) || !has_place(&f->y, s->y[i])) {
        return;
    }
    include(x, &f->x, s->x[i]);
    include(y, &f->y, s->y[i]);
    if (s->mark == FIGURE_BARS) {
        include(x, &f->x, s->x[i + 1]);
        include(y, &f->y, 0);
    } else if (s->low && s->high) {
        include(y, &f->y, s->low[i]);
        include(y, &f->y, s->high[i]);
    }
}

static void scale_names(const figure_axis *axis, scale *s)
{
    if (axis->names) {
        *s = (scale){.low = -0.5, .high = axis->name_count - 0.5, .whole = true};
    }
}

void scales_of(const figure *f, scale *x, scale *y)
{
    extent across = {INFINITY, -INFINITY}, up = across;
    bool points = false, bars = false;
    for (int k = 0; k < f->count; k++) {
        for (int64_t i = 0; i < f->series[k].count; i++) {
            include_point(&across, &up, f, &f->series[k], i);
        }
        points |= f->series[k].mark == FIGURE_POINTS;
        bars |= f->series[k].mark == FIGURE_BARS;
    }
    *x = scale_over(&f->x, across.low, across.high);
    *y = scale_over(&f->y, up.low, up.high);
    widen(x, &f->x, points, points);
    widen(y, &f->y, !bars || f->y.logarithmic || up.low < 0, true);
    scale_names(&f->x, x);
    scale_names(&f->y, y);
}

scale scale_of_grid(const figure_grid *grid)
{
    extent e = {INFINITY, -INFINITY};
    for (int64_t i = 0; i < grid->rows * grid->columns; i++) {
        include(&e, &grid->scale, grid->values[i]);
    }
    return scale_over(&grid->scale, e.low, e.high);
}

/* ---- Places ---- */

double scale_place(const scale *s, double value)
{
    if (!isfinite(value) || (s->logarithmic && value <= 0)) {
        return NAN;
    }
    const double at = s->logarithmic ? log10(value) : value;
    return (at / 2 - s->low / 2) / (s->high / 2 - s->low / 2); /* halves: the span may overflow */
}

double scale_value(const scale *s, double place)
{
    const double at = s->low + 2 * (place * (s->high / 2 - s->low / 2));
    return s->logarithmic ? pow(10, at) : at;
}

/* ---- Ticks ---- */

/* The power of ten times 1, 2 or 5 that is not below. */
static double round_up(double step)
{
    const double power = pow(10, floor(log10(step)));
    const double factor = step / power;
    return fmin(power * (factor <= 1 ? 1 : factor <= 2 ? 2 : factor <= 5 ? 5 : 10), LARGEST_STEP);
}

/* Digits behind the point that tell values a step apart. */
static void write_label(char text[FIGURE_NUMBER], double value, double step, double largest)
{
    const int power = (int)floor(log10(step) + 1e-9);
    if (largest < PLAIN_TO && (value == 0 || step >= PLAIN_FROM / 10)) {
        const int decimals = power < 0 ? -power : 0;
        snprintf(text, FIGURE_NUMBER, "%.*f", decimals < MOST_DECIMALS ? decimals : MOST_DECIMALS,
                 value + 0.0); /* no "-0" */
        return;
    }
    int digits = value == 0 ? 0 : (int)floor(log10(fabs(value)) + 1e-9) - power;
    digits = digits < 0 ? 0 : digits > MOST_DECIMALS ? MOST_DECIMALS : digits;
    char whole[64];
    snprintf(whole, sizeof whole, "%.*e", digits, value);
    char *exponent = strchr(whole, 'e');
    snprintf(text, FIGURE_NUMBER, "%.*se%d", (int)(exponent - whole), whole,
             (int)strtol(exponent + 1, NULL, 10));
}

static void add_tick(ticks *t, double value)
{
    if (t->count < MOST_TICKS) {
        t->at[t->count++] = value;
    }
}

static ticks linear_ticks(const scale *s, int most)
{
    ticks t = {0};
    double step = round_up((s->high / 2 - s->low / 2) / most * 2);
    step = s->whole ? fmax(ceil(step), 1) : step;
    for (int tries = 0; tries < 3; tries++) { /* both ends can be ticks: one too many */
        const double first = ceil(s->low / step - 1e-9);
        const double last = floor(s->high / step + 1e-9);
        if (last - first + 1 > most) {
            step = round_up(step * 1.5);
            continue;
        }
        for (double i = first; i <= last; i++) {
            add_tick(&t, i * step);
        }
        break;
    }
    if (!t.count) {
        add_tick(&t, s->low);
    }
    const double largest = fmax(fabs(s->low), fabs(s->high));
    for (int i = 0; i < t.count; i++) {
        t.at[i] = t.at[i] == 0 ? 0 : t.at[i];
        write_label(t.text[i], t.at[i], step, largest);
    }
    return t;
}

static void label_power(char text[FIGURE_NUMBER], double value)
{
    if (value >= PLAIN_FROM && value < PLAIN_TO) {
        snprintf(text, FIGURE_NUMBER, "%g", value);
    } else {
        nm_format_float(value, text);
    }
}

/* Which marks an axis of some decades has: each power of ten, or every so many of them, times
 * these. */
typedef struct decades {
    int every, count;
    double factors[3];
} decades;

static void add_logarithmic(ticks *t, const scale *s, double value)
{
    const double at = log10(value);
    if (isfinite(value) && value > 0 && at >= s->low - 1e-9 && at <= s->high + 1e-9) {
        add_tick(t, value);
    }
}

static ticks mark_decades(const scale *s, const decades *d)
{
    ticks t = {0};
    for (int power = (int)floor(s->low); power <= (int)ceil(s->high); power++) {
        for (int k = 0; k < d->count && power % d->every == 0; k++) {
            add_logarithmic(&t, s, d->factors[k] * pow(10, power));
        }
    }
    return t;
}

/* The most marks that there is room for. MOST_TICKS of them are too many always. */
static ticks logarithmic_ticks(const scale *s, int most)
{
    static const decades ways[] = {{1, 3, {1, 2, 5}}, {1, 2, {1, 3}}, {1, 1, {1}},   {2, 1, {1}},
                                   {3, 1, {1}},       {5, 1, {1}},    {10, 1, {1}},  {20, 1, {1}},
                                   {50, 1, {1}},      {100, 1, {1}},  {200, 1, {1}}, {400, 1, {1}}};
    ticks t = {0};
    for (int i = 0; i < NM_COUNT_OF(ways); i++) {
        t = mark_decades(s, &ways[i]);
        if (t.count <= most) {
            break;
        }
    }
    for (int i = 0; i < t.count; i++) {
        label_power(t.text[i], t.at[i]);
    }
    return t;
}

static ticks named_ticks(const figure_axis *axis, int most)
{
    ticks t = {0};
    const int every = (axis->name_count + most - 1) / most;
    for (int i = 0; i<axis->name_count; i += every> 0 ? every : 1) {
        cut_text(axis->names[i], FIGURE_NUMBER / 2, t.text[t.count], FIGURE_NUMBER);
        add_tick(&t, i);
    }
    return t;
}

/* The next larger one. */
static double next_mark(const figure_axis *axis, double than)
{
    double next = INFINITY;
    for (int i = 0; i < axis->mark_count; i++) {
        next = axis->marks[i] > than ? fmin(next, axis->marks[i]) : next;
    }
    return next;
}

static ticks marked_ticks(const scale *s, const figure_axis *axis, int most)
{
    ticks t = {0};
    double taken = -INFINITY;
    for (double mark = next_mark(axis, -INFINITY); isfinite(mark); mark = next_mark(axis, mark)) {
        const double place = scale_place(s, mark);
        char text[FIGURE_NUMBER];
        label_power(text, mark);
        const bool differs = !t.count || strcmp(text, t.text[t.count - 1]) != 0;
        if (place > -1e-9 && place < 1 + 1e-9 && place - taken >= 1.0 / most && t.count < most &&
            differs) {
            memcpy(t.text[t.count], text, sizeof text);
            add_tick(&t, mark);
            taken = place;
        }
    }
    return t;
}

ticks ticks_of(const scale *s, const figure_axis *axis, int most)
{
    most = most < 2 ? 2 : most >= MOST_TICKS ? MOST_TICKS - 1 : most;
    if (axis->names) {
        return named_ticks(axis, most);
    }
    if (axis->mark_count) {
        const ticks marked = marked_ticks(s, axis, most);
        if (marked.count > 1) {
            return marked;
        }
    }
    ticks t = s->logarithmic ? logarithmic_ticks(s, most) : (ticks){0};
    if (!s->logarithmic ||
        (t.count < 2 && s->high - s->low < 2)) { /* few decades: as on any axis */
        scale plain = *s;
        plain.low = s->logarithmic ? pow(10, s->low) : s->low;
        plain.high = s->logarithmic ? pow(10, s->high) : s->high;
        t = linear_ticks(&plain, most);
    }
    return t;
}
