/* The study's page: verdicts first, then figures, then all numbers. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "models/command/study/study.h"

#define MOST_LINES 24
#define MOST_PLACES 64 /* of an axis, that are marked or named */

/* ---- Verdicts ---- */

/* Nothing of an empty one. */
static void add_sentence(void (*add)(page *, const char *), page *p, const char *said)
{
    char text[640];
    snprintf(text, sizeof text, "%s", said);
    if (text[0] >= 'a' && text[0] <= 'z') {
        text[0] = (char)(text[0] - 'a' + 'A');
    }
    if (text[0]) {
        add(p, text);
    }
}

static void add_claim(page *p, const study *s, const claim *c)
{
    char numbers[STUDY_NUMBERS], text[640];
    const judgement j = study_judge(s, c);
    page_heading(p, 3, c->claim);
    snprintf(text, sizeof text, "%s. %s (%s, %lld seeds).", verdict_text(j.verdict),
             study_numbers(c, &j, numbers), j.test, (long long)s->seeds);
    add_sentence(page_paragraph, p, text);
    add_sentence(page_note, p, j.reason);
    if (c->source) {
        snprintf(text, sizeof text, "Source: %.600s", c->source);
        page_note(p, text);
    }
}

/* ---- Figures ---- */

typedef struct drawing {
    figure_series series[MOST_LINES];
    char names[MOST_LINES][ARM_NAME];
    int count;
    double *numbers[MOST_LINES]; /* of each: x, y, low, high */
    double marks[MOST_PLACES];   /* of the axis that it is drawn over */
    const char *places[MOST_PLACES];
} drawing;

static double *add_line(drawing *d, const study *s, const char *name, int count)
{
    if (d->count == MOST_LINES || count < 1) {
        return NULL;
    }
    double *n = nm_alloc_zero(s->context, (size_t)count * 4, sizeof *n);
    if (n) {
        snprintf(d->names[d->count], ARM_NAME, "%s", name);
        d->series[d->count] = (figure_series){.name = d->names[d->count],
                                              .mark = FIGURE_LINE,
                                              .count = count,
                                              .x = n,
                                              .y = n + count,
                                              .low = n + 2 * count,
                                              .high = n + 3 * count};
        d->numbers[d->count++] = n;
    }
    return n;
}

static void put(double *n, int count, int i, double x, const estimate *e)
{
    const bool sure = isfinite(e->low) && isfinite(e->high);
    n[i] = x;
    n[count + i] = e->mean;
    n[2 * count + i] = sure ? e->low : e->mean;
    n[3 * count + i] = sure ? e->high : e->mean;
}

static int axis_of(const study *s, const char *name)
{
    for (int i = 0; name && i < s->axis_count; i++) {
        if (strcmp(s->axes[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

/* The arm without that axis: what stays the same along a line. */
static void name_line(const study *s, const arm *a, int axis, char name[ARM_NAME])
{
    size_t length = (size_t)snprintf(name, ARM_NAME, "%s", study_variant(s, a));
    for (int i = 0; i < s->axis_count && length < ARM_NAME; i++) {
        if (i != axis) {
            length += (size_t)snprintf(name + length, ARM_NAME - length, ", %s %s", s->axes[i].name,
                                       study_axis_text(s, a, i));
        }
    }
}

/* The axis's values, as marks, or where one of them is no number as names of the places 0, 1, ...
 */
static void mark_places(drawing *d, const study *s, int axis, figure_axis *x)
{
    const int count = s->axes[axis].values->count;
    bool numbers = true;
    for (int i = 0; i < s->arm_count && count <= MOST_PLACES; i++) {
        const int k = s->arms[i].at[axis];
        d->places[k] = study_axis_text(s, &s->arms[i], axis);
        numbers &= nm_parse_float(d->places[k], &d->marks[k]);
    }
    if (count <= MOST_PLACES && numbers) {
        x->marks = d->marks;
        x->mark_count = count;
    } else if (count <= MOST_PLACES) {
        x->names = d->places;
        x->name_count = count;
        x->logarithmic = false;
    }
}

/* A line for each arm with the axis at its first value, through those with its others. */
static void draw_over(drawing *d, const study *s, int m, int axis, bool named)
{
    const int count = s->axes[axis].values->count;
    for (int i = 0; i < s->arm_count; i++) {
        const arm *first = &s->arms[i];
        char name[ARM_NAME];
        name_line(s, first, axis, name);
        double *n = first->at[axis] ? NULL : add_line(d, s, name, count);
        for (int k = 0, at = 0; n && k < s->arm_count && at < count; k++) {
            arm like = *first;
            like.at[axis] = s->arms[k].at[axis];
            if (like.variant == s->arms[k].variant &&
                memcmp(like.at, s->arms[k].at, sizeof like.at) == 0) {
                const estimate e = estimate_of(study_values(s, &s->arms[k], m), s->seeds);
                double x = at;
                if (!named) {
                    nm_parse_float(study_axis_text(s, &s->arms[k], axis), &x);
                }
                put(n, count, at++, x, &e);
            }
        }
    }
}

/* The mean over seeds at each step; runs that ended before are left out of it. */
static void draw_steps(drawing *d, const study *s, const measure *m)
{
    for (int i = 0; i < s->arm_count && d->count < MOST_LINES; i++) {
        int count;
        double *first = study_curve(s, &s->arms[i], 1, m, &count);
        double *n = add_line(d, s, s->arms[i].name, count);
        double *all = nm_alloc_zero(s->context, (size_t)count * (size_t)s->seeds + 1, sizeof *all);
        for (int64_t seed = 1; n && all && seed <= s->seeds; seed++) {
            int here;
            double *pairs = study_curve(s, &s->arms[i], seed, m, &here);
            for (int k = 0; k < count; k++) {
                all[k * s->seeds + seed - 1] = k < here ? pairs[2 * k + 1] : (double)NAN;
            }
            nm_free(s->context, pairs);
        }
        for (int k = 0; n && all && k < count; k++) {
            const estimate e = estimate_of(all + k * s->seeds, s->seeds);
            put(n, count, k, first[2 * k], &e);
        }
        nm_free(s->context, first);
        nm_free(s->context, all);
    }
}

static void add_plot(page *p, const study *s, const plot *asked)
{
    drawing d = {.count = 0};
    const int axis = axis_of(s, asked->over);
    figure_axis x = {.label = asked->over ? asked->over : "step",
                     .whole = !asked->over,
                     .logarithmic = asked->logarithmic_over};
    if (axis >= 0) {
        mark_places(&d, s, axis, &x);
    }
    for (int m = 0; m < s->measure_count; m++) {
        if (strcmp(s->measures[m].name, asked->measure) == 0 && axis >= 0) {
            draw_over(&d, s, m, axis, x.names);
        } else if (strcmp(s->measures[m].name, asked->measure) == 0 &&
                   study_is_surface(&s->measures[m])) {
            study_add_surfaces(p, s, asked, &s->measures[m]);
        } else if (strcmp(s->measures[m].name, asked->measure) == 0) {
            draw_steps(&d, s, &s->measures[m]);
        }
    }
    const figure f = {.title = asked->title,
                      .text = "Means over the seeds, with their intervals of 95 %.",
                      .x = x,
                      .y = {.label = asked->label ? asked->label : asked->measure,
                            .unit = asked->unit,
                            .logarithmic = asked->logarithmic},
                      .series = d.series,
                      .count = d.count};
    if (d.count) {
        page_figure(p, &f);
    }
    for (int i = 0; i < d.count; i++) {
        nm_free(s->context, d.numbers[i]);
    }
}

/* ---- Numbers ---- */

static void add_table(page *p, const study *s)
{
    const int columns = 1 + s->measure_count;
    const size_t cells = (size_t)s->arm_count * (size_t)columns;
    const char **texts = nm_alloc_zero(s->context, cells + (size_t)columns, sizeof *texts);
    char *sides = nm_alloc_zero(s->context, (size_t)columns + 1, 1);
    for (int c = 0; texts && sides && c < columns; c++) {
        texts[cells + (size_t)c] = c ? s->measures[c - 1].name : "arm";
        sides[c] = c ? 'r' : 'l';
    }
    for (int i = 0; texts && sides && i < s->arm_count; i++) {
        const char **row = texts + i * columns;
        row[0] = nm_format(s->context, "%s", s->arms[i].name);
        for (int m = 0; m < s->measure_count; m++) {
            const estimate e = estimate_of(study_values(s, &s->arms[i], m), s->seeds);
            row[m + 1] = isnan(e.mean) ? nm_format(s->context, "-")
                                       : nm_format(s->context, "%.5g (%.2g)", e.mean, e.deviation);
        }
    }
    if (texts && sides && nm_context_status(s->context) == NM_OK) {
        page_table(p, &(table){.title = "Mean over the seeds (deviation)",
                               .columns = columns,
                               .rows = s->arm_count,
                               .heads = texts + cells,
                               .cells = texts,
                               .sides = sides});
    }
    for (size_t i = 0; texts && i < cells; i++) {
        nm_free(s->context, texts[i]);
    }
    nm_free(s->context, texts);
    nm_free(s->context, sides);
}

static void add_files(page *p, const study *s)
{
    page_fold(p, "The files as they were run");
    for (int i = 0; i < s->arm_count; i++) {
        page_heading(p, 4, s->arms[i].name);
        page_code(p, s->arms[i].text);
    }
    page_unfold(p);
}

nm_status study_write_page(const study *s)
{
    char path[RUN_PATH];
    page *p = page_open(s->context, s->title);
    page_paragraph(p, s->about ? s->about : "");
    if (s->is_quick) {
        page_note(p, "Quick: fewer seeds and steps than the study has, so these verdicts are not "
                     "its own.");
    }
    if (s->claim_count) {
        page_heading(p, 2, "Verdicts");
    }
    for (int i = 0; i < s->claim_count; i++) {
        add_claim(p, s, &s->claims[i]);
    }
    if (s->plot_count) {
        page_heading(p, 2, "Figures");
    }
    for (int i = 0; i < s->plot_count; i++) {
        add_plot(p, s, &s->plots[i]);
    }
    page_heading(p, 2, "Numbers");
    add_table(p, s);
    add_files(p, s);
    if (!path_join(path, s->folder, "index.html")) {
        page_drop(p);
        return nm_fail(s->context, NM_ERROR_INPUT, "the folder's name is too long");
    }
    return page_write(p, path);
}
