/* A network's layers and parameters. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "models/command/report/report.h"
#include "models/summary.h"

#define MOST_HISTOGRAMS 32
#define BINS 40
#define LEAST_ELEMENTS 2

/* ---- Layers ---- */

enum { LAYER_COLUMNS = 5, LAYER_TEXT = 160 };

static void fill_layer(const nm_layer_summary *s, const char *name, char (*text)[LAYER_TEXT],
                       const char **cell)
{
    char shape[NM_SHAPE_TEXT];
    snprintf(text[0], LAYER_TEXT, "%*s%.120s", 2 * (s->depth < 8 ? s->depth : 8), "", name);
    snprintf(text[1], LAYER_TEXT, "%.100s", s->type ? s->type : "");
    snprintf(text[2], LAYER_TEXT, "%s", nm_shape_text(&s->output, shape));
    nm_grouped_text(s->parameters, text[3]);
    nm_grouped_text(s->multiply_adds, text[4]);
    for (int k = 0; k < LAYER_COLUMNS; k++) {
        cell[k] = text[k];
    }
}

static void add_layers(report *r, const nm_model *model)
{
    static const char *const heads[] = {"layer", "type", "output", "parameters", "multiply-adds"};
    const int rows = nm_model_layer_count(model) + 1;
    char(*text)[LAYER_TEXT] =
        nm_alloc_zero(r->context, (size_t)(rows * LAYER_COLUMNS), sizeof *text);
    const char **cell = nm_alloc_zero(r->context, (size_t)(rows * LAYER_COLUMNS), sizeof *cell);
    for (int i = 0; text && cell && i < rows; i++) {
        const bool last = i == rows - 1;
        const nm_layer_summary s = last ? nm_model_total(model) : nm_model_layer_at(model, i);
        fill_layer(&s, last ? "total" : s.name, text + i * LAYER_COLUMNS, cell + i * LAYER_COLUMNS);
    }
    if (text && cell) {
        page_table(r->page, &(table){.title = "Layers, of one sample's forward pass",
                                     .columns = LAYER_COLUMNS,
                                     .rows = rows,
                                     .heads = heads,
                                     .cells = cell,
                                     .sides = "lllrr"});
    }
    nm_free(r->context, text);
    nm_free(r->context, cell);
}

/* ---- Parameters ---- */

typedef struct histogram {
    double edges[BINS + 1], counts[BINS];
    double low, high, mean, deviation;
    int64_t elements, faulty; /* of those, not finite */
} histogram;

static void measure(nm_tensor *tensor, histogram *h)
{
    double sum = 0, squares = 0;
    *h = (histogram){.low = INFINITY, .high = -INFINITY, .elements = nm_tensor_count(tensor)};
    for (int64_t i = 0; i < h->elements; i++) {
        const double value = nm_tensor_get(tensor, i);
        h->faulty += !isfinite(value);
        h->low = isfinite(value) ? fmin(h->low, value) : h->low;
        h->high = isfinite(value) ? fmax(h->high, value) : h->high;
        sum += isfinite(value) ? value : 0;
    }
    const double count = (double)(h->elements - h->faulty);
    h->mean = count > 0 ? sum / count : 0;
    for (int64_t i = 0; i < h->elements; i++) {
        const double off = nm_tensor_get(tensor, i) - h->mean;
        squares += isfinite(off) ? off * off : 0;
    }
    h->deviation = count > 0 ? sqrt(squares / count) : 0;
}

static void fill(nm_tensor *tensor, histogram *h)
{
    const double half = h->high > h->low ? 0 : fmax(fabs(h->low) / 10, 1e-3);
    const double low = h->low - half, span = h->high + half - low;
    for (int i = 0; i <= BINS; i++) {
        h->edges[i] = low + span * i / BINS;
    }
    for (int64_t i = 0; i < h->elements; i++) {
        const double value = nm_tensor_get(tensor, i);
        if (isfinite(value)) {
            const int bin = (int)((value - low) / span * BINS);
            h->counts[bin < BINS ? bin : BINS - 1]++;
        }
    }
}

static void draw(report *r, const nm_entry *entry, const histogram *h)
{
    char text[256], count[NM_GROUPED_TEXT], mean[FIGURE_NUMBER], deviation[FIGURE_NUMBER];
    const figure_series series = {
        .name = entry->name, .mark = FIGURE_BARS, .count = BINS, .x = h->edges, .y = h->counts};
    const figure f = {.title = entry->name,
                      .text = text,
                      .x = {.label = "value"},
                      .y = {.label = "elements"},
                      .series = &series,
                      .count = 1};
    snprintf(text, sizeof text, "%s elements, mean %s, deviation %s",
             nm_grouped_text(h->elements, count), figure_number(h->mean, mean),
             figure_number(h->deviation, deviation));
    if (h->faulty) {
        snprintf(text + strlen(text), sizeof text - strlen(text), "; %lld are not finite",
                 (long long)h->faulty);
    }
    page_figure(r->page, &f);
}

/* Returns whether there was room for it. */
static void add_histogram(report *r, const nm_entry *entry)
{
    histogram h;
    measure(entry->tensor, &h);
    if (h.low <= h.high) {
        fill(entry->tensor, &h);
        draw(r, entry, &h);
    } else {
        report_note(r, "%.200s has no finite element.", entry->name);
    }
}

static void add_parameters(report *r, const nm_model *model)
{
    const nm_selection shown = {.roles = NM_ONE_OF(NM_PARAMETER),
                                .purposes = NM_ONE_OF(NM_WEIGHT) | NM_ONE_OF(NM_NORM_SCALE)};
    int drawn = 0, left_out = 0;
    for (const nm_entry *e = NULL; (e = nm_store_next(nm_model_store(model), e, &shown));) {
        if (nm_tensor_count(e->tensor) < LEAST_ELEMENTS) {
            continue;
        }
        if (drawn == MOST_HISTOGRAMS) {
            left_out++;
            continue;
        }
        add_histogram(r, e);
        drawn++;
    }
    if (left_out) {
        report_note(r, "Of %d weights and scales the first %d are drawn.", drawn + left_out, drawn);
    }
}

void report_network(report *r, const nm_model *model)
{
    page_heading(r->page, r->level, "Network");
    add_layers(r, model);
    page_heading(r->page, r->level, "Weights and scales");
    add_parameters(r, model);
}
