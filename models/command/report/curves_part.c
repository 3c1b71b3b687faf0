/* What a run wrote down: a table, curves, probes. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/command/plot/curves.h"
#include "models/command/report/report.h"

#define MOST_QUANTITIES 64 /* of probes */

/* ---- The runs ---- */

static double last_value(const history *h, const char *name)
{
    for (int i = 0; i < h->count; i++) {
        const curve *c = &h->curves[i];
        if (strcmp(c->name, name) == 0 && c->count) {
            return c->value[c->count - 1];
        }
    }
    return (double)NAN;
}

/* What stands in the table, where one of the runs has it: metrics as they are called. */
enum { RUN, STATE, EPOCHS, STEPS, SECONDS, FIRST_VALUE, MOST_VALUES = 16 };

typedef struct run_table {
    const char *heads[FIRST_VALUE + MOST_VALUES];
    char labels[MOST_VALUES][CURVE_NAME];
    const char *names[MOST_VALUES];
    int columns;
} run_table;

static bool is_told(const char *name)
{
    return strstr(name, "_loss") || strncmp(name, "validation_", 11) == 0 ||
           strncmp(name, "test_", 5) == 0;
}

/* Losses and metrics of each set, of the first run; what others guess and "metric", which is one of
 * them, stand in the log alone. */
static run_table columns_of(const history *h)
{
    static const char *const first[] = {"run", "state", "epochs", "steps", "seconds"};
    run_table t = {.columns = FIRST_VALUE};
    memcpy(t.heads, first, sizeof first);
    for (int i = 0; i < h->count && t.columns < FIRST_VALUE + MOST_VALUES; i++) {
        const char *name = h->curves[i].name;
        if (is_told(name) && !strstr(name, "_baseline_") && !strstr(name, "_metric")) {
            const int k = t.columns++ - FIRST_VALUE;
            t.names[k] = name;
            snprintf(t.labels[k], CURVE_NAME, "%s", name);
            for (char *at = t.labels[k]; *at; at++) {
                *at = *at == '_' ? ' ' : *at;
            }
        }
    }
    return t;
}

static void fill_row(const run_table *t, const history *h, char (*text)[FIGURE_NUMBER],
                     const char **cells)
{
    const double numbers[] = {(double)h->epochs, (double)h->steps, h->seconds};
    cells[RUN] = h->folder;
    cells[STATE] = run_state_name(h->state);
    for (int i = EPOCHS; i < t->columns; i++) {
        const double value =
            i < FIRST_VALUE ? numbers[i - EPOCHS] : last_value(h, t->names[i - FIRST_VALUE]);
        cells[i] = isnan(value) ? "" : figure_number(value, text[i]);
    }
}

static void put_runs(report *r, run_table *t, const char **cell)
{
    for (int k = FIRST_VALUE; k < t->columns; k++) {
        t->heads[k] = t->labels[k - FIRST_VALUE];
    }
    page_table(r->page, &(table){.title = "State and last values",
                                 .columns = t->columns,
                                 .rows = r->count,
                                 .heads = t->heads,
                                 .cells = cell,
                                 .sides = "llrrrrrrrrrrrrrrrrrrr"});
}

void report_runs(report *r)
{
    run_table t = columns_of(&r->runs[0]);
    const size_t cells = (size_t)(r->count * t.columns);
    char(*text)[FIGURE_NUMBER] = nm_alloc_zero(r->context, cells, sizeof *text);
    const char **cell = nm_alloc_zero(r->context, cells, sizeof *cell);
    for (int k = 0; text && cell && k < r->count; k++) {
        fill_row(&t, &r->runs[k], text + k * t.columns, cell + k * t.columns);
    }
    if (text && cell) {
        put_runs(r, &t, cell);
    }
    nm_free(r->context, text);
    nm_free(r->context, cell);
    for (int k = 0; k < r->count; k++) {
        if (*r->runs[k].error) {
            report_note(r, "%.200s failed: %.250s", r->runs[k].folder, r->runs[k].error);
        }
    }
}

/* ---- Curves ---- */

/* False: no run has that. */
static bool add_curve(report *r, const history *runs, int count, const curve_choice *choice)
{
    if (!curve_is_there(runs, count, choice->name)) {
        return false;
    }
    curve_figure *made = nm_alloc_zero(r->context, 1, sizeof *made);
    if (made && curve_figure_make(r->context, runs, count, choice, made) == NM_OK) {
        page_figure(r->page, &made->figure);
        if (made->left_out) {
            report_note(r, "%s: %d more curves are not drawn.", made->title, made->left_out);
        }
    }
    if (made) {
        curve_figure_close(made);
    }
    nm_free(r->context, made);
    return true;
}

void report_curves(report *r)
{
    const char *usual[2];
    const int count = usual_curves(r->runs, r->count, usual);
    page_heading(r->page, 2, "Curves");
    bool any = false;
    for (int i = 0; i < count; i++) {
        const curve_choice choice = {.name = usual[i], .smooth = 1};
        any |= add_curve(r, r->runs, r->count, &choice);
    }
    static const char *const others[] = {"rate", "gradient_norm"};
    for (int i = 0; i < NM_COUNT_OF(others); i++) {
        const curve_choice choice = {.name = others[i], .smooth = 1};
        any |= add_curve(r, r->runs, r->count, &choice);
    }
    if (!any) {
        report_note(r, "No curves: no epoch has ended.");
    }
}

/* ---- Probes ---- */

static const curve *find_layer(const history *h, const char *name, const char *layer)
{
    for (int i = 0; i < h->count; i++) {
        if (strcmp(h->curves[i].name, name) == 0 && strcmp(h->curves[i].layer, layer) == 0) {
            return &h->curves[i];
        }
    }
    return NULL;
}

/* A layer's percentiles: the median, and a band from the 15th to the 85th. */
static void add_percentiles(report *r, const history *h, const curve *median)
{
    char title[2 * CURVE_NAME];
    const curve *low = find_layer(h, "activation_percentiles.p15", median->layer),
                *high = find_layer(h, "activation_percentiles.p85", median->layer);
    const bool band = low && high && low->count == median->count && high->count == median->count;
    const figure_series series = {.name = "median",
                                  .count = median->count,
                                  .x = median->step,
                                  .y = median->value,
                                  .low = band ? low->value : NULL,
                                  .high = band ? high->value : NULL};
    const figure f = {.title = title,
                      .text = band ? "The median, and a band from the 15th percentile to the 85th."
                                   : "The median.",
                      .x = {.label = "step", .whole = true},
                      .y = {.label = "activation"},
                      .series = &series,
                      .count = 1};
    snprintf(title, sizeof title, "Activations of %s",
             *median->layer ? median->layer : "the network");
    page_figure(r->page, &f);
}

/* Where the points of a look begin and end: the first look's, or the last one's. */
static int64_t look_begins(const curve *c, bool last)
{
    int64_t begin = last ? c->count - 1 : 0;
    while (last && begin > 0 && c->step[begin - 1] == c->step[begin]) {
        begin--;
    }
    return begin;
}

static int64_t look_ends(const curve *c, int64_t begin)
{
    int64_t end = begin;
    while (end < c->count && c->step[end] == c->step[begin]) {
        end++;
    }
    return end;
}

/* The loss on a square, at the first look or the last one. */
static void add_surface(report *r, const history *h, const curve *loss, bool last)
{
    char title[CURVE_NAME];
    const curve *x = find_layer(h, "loss_surface.x", "");
    const int64_t begin = look_begins(loss, last), count = look_ends(loss, begin) - begin;
    const int64_t side = (int64_t)lround(sqrt((double)count));
    if (!x || x->count != loss->count || side < 2 || side * side != count ||
        x->value[begin + side - 1] != -x->value[begin]) {
        return; /* a run that was stopped within a look */
    }
    /* A cell's middle is where its loss was taken: those at the sides go half a cell farther. */
    const double low = x->value[begin] * (double)side / (double)(side - 1), high = -low;
    const figure f = {.title = title,
                      .text = "The parameters are in the middle; 1 is as long as the weights.",
                      .x = {.label = "one direction", .low = low, .high = high},
                      .y = {.label = "another", .low = low, .high = high},
                      .grid = {.rows = side,
                               .columns = side,
                               .values = loss->value + begin,
                               .scale = {.label = "loss"}}};
    snprintf(title, sizeof title, "Loss around the parameters, step %.0f", loss->step[begin]);
    page_figure(r->page, &f);
}

static void add_surfaces(report *r, const history *h, const curve *c)
{
    if (strcmp(c->name, "loss_surface.loss") != 0 || !c->count) {
        return;
    }
    add_surface(r, h, c, false);
    if (c->step[c->count - 1] != c->step[0]) {
        add_surface(r, h, c, true);
    }
}

/* Of norms, which grow and vanish by powers. */
static bool is_of_powers(const char *name)
{
    static const char *const names[] = {"gradient_norms.norm", "update_ratio.ratio",
                                        "weight_angle.angle", "weight_angle.effective_rate"};
    for (int i = 0; i < NM_COUNT_OF(names); i++) {
        if (strcmp(name, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_first_of_name(const history *h, int index)
{
    for (int i = 0; i < index; i++) {
        if (strcmp(h->curves[i].name, h->curves[index].name) == 0) {
            return false;
        }
    }
    return true;
}

static void add_probe(report *r, const history *h, int index)
{
    const curve *c = &h->curves[index];
    if (strncmp(c->name, "activation_percentiles.", 23) == 0) {
        if (strcmp(c->name, "activation_percentiles.p50") == 0) {
            add_percentiles(r, h, c);
        }
    } else if (strncmp(c->name, "loss_surface.", 13) == 0) {
        add_surfaces(r, h, c);
    } else if (is_first_of_name(h, index)) {
        const curve_choice choice = {
            .name = c->name, .smooth = 1, .logarithmic = is_of_powers(c->name)};
        add_curve(r, h, 1, &choice);
    }
}

void report_probes(report *r, const history *h)
{
    int found = 0;
    for (int i = 0; i < h->count; i++) {
        const bool probe = strchr(h->curves[i].name, '.') != NULL;
        if (probe && !found++) {
            page_heading(r->page, r->level, "Probes");
        }
        if (probe && found <= MOST_QUANTITIES * 8) {
            add_probe(r, h, i);
        }
    }
    if (found > MOST_QUANTITIES * 8) {
        report_note(r, "Of %d curves of probes the first %d are drawn.", found,
                    MOST_QUANTITIES * 8);
    }
}
