/* What a network does on a set. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "models/command/eval/results.h"
#include "models/command/report/mistakes.h"
#include "models/command/report/report.h"

#define MOST_CLASSES 40 /* of a matrix that can be read */
#define LARGEST_IMAGE 512

typedef struct watching {
    results results;
    mistakes mistakes;
} watching;

static nm_status on_outputs(void *user, nm_tensor *outputs, const nm_batch *batch)
{
    watching *w = user;
    const nm_status status = results_on_outputs(&w->results, outputs, batch);
    return status == NM_OK ? mistakes_on_outputs(&w->mistakes, outputs, batch) : status;
}

/* ---- Classes ---- */

static const char *class_name(const results *s, int64_t i, char text[32])
{
    return s->schema ? nm_schema_class_name(s->schema, i, text)
                     : (snprintf(text, 32, "%lld", (long long)i), text);
}

typedef struct class_names {
    char text[MOST_CLASSES][32];
    const char *at[MOST_CLASSES];
} class_names;

static void name_classes(const results *s, class_names *names)
{
    for (int i = 0; i < s->width && i < MOST_CLASSES; i++) {
        names->at[i] = class_name(s, i, names->text[i]);
    }
}

static void add_matrix(report *r, const results *s, const class_names *names)
{
    const int classes = (int)s->width;
    double *values = nm_alloc_zero(r->context, (size_t)(classes * classes), sizeof *values);
    for (int i = 0; values && i < classes * classes; i++) {
        values[i] = nm_metric_confused(&s->metric[CONFUSION], i / classes, i % classes);
    }
    if (values) {
        page_figure(
            r->page,
            &(figure){.title = "Which classes are taken for which",
                      .x = {.label = "predicted class", .names = names->at, .name_count = classes},
                      .y = {.label = "true class", .names = names->at, .name_count = classes},
                      .grid = {classes, classes, values, {.label = "samples"}}});
    }
    nm_free(r->context, values);
}

enum { CLASS_COLUMNS = 5 };

static void add_classes(report *r, const results *s, const class_names *names)
{
    static const char *const heads[] = {"class", "samples", "precision", "recall", "F1"};
    static const measure measures[] = {PRECISION, RECALL, F1};
    char text[MOST_CLASSES * CLASS_COLUMNS][FIGURE_NUMBER];
    const char *cell[MOST_CLASSES * CLASS_COLUMNS];
    for (int i = 0; i < s->width; i++) {
        const char **row = cell + i * CLASS_COLUMNS;
        row[0] = names->at[i];
        row[1] = figure_number((double)samples_of_class(s, i), text[i * CLASS_COLUMNS]);
        for (int k = 0; k < 3; k++) {
            char *to = text[i * CLASS_COLUMNS + 2 + k];
            const double value = nm_metric_part(&s->metric[measures[k]], i);
            if (!isnan(value)) {
                snprintf(to, FIGURE_NUMBER, "%.4f", value);
            }
            row[2 + k] = to;
        }
    }
    page_table(r->page, &(table){.title = "Each class",
                                 .columns = CLASS_COLUMNS,
                                 .rows = s->width,
                                 .heads = heads,
                                 .cells = cell,
                                 .sides = "lrrrr"});
}

/* ---- Mistakes ---- */

/* What can be shown as it is: bytes of an image of one, three or four channels. */
static bool is_of_images(const nm_dataset *set)
{
    const nm_shape *s = &set->shape;
    return set->dtype == NM_U8 && !set->is_bool && s->rank == 3 && s->dim[0] <= LARGEST_IMAGE &&
           s->dim[1] <= LARGEST_IMAGE && (s->dim[2] == 1 || s->dim[2] == 3 || s->dim[2] == 4);
}

static void describe(const results *s, const mistake *m, char text[256])
{
    char actual[32], predicted[32];
    snprintf(text, 256, "%.80s, taken for %.80s (%.3f), sample %lld",
             class_name(s, m->actual, actual), class_name(s, m->predicted, predicted),
             m->probability, (long long)m->sample);
}

static void add_image(report *r, const nm_dataset *set, const mistake *m, const char *text)
{
    const nm_shape *s = &set->shape;
    const int64_t row = set->rows ? set->rows[m->sample] : m->sample;
    const unsigned char *all = set->samples;
    page_image(r->page, &(page_picture){.rows = s->dim[0],
                                        .columns = s->dim[1],
                                        .channels = s->dim[2],
                                        .pixels = all + row * nm_shape_count(s),
                                        .text = text});
}

static void add_mistakes(report *r, const evaluated *e, const watching *w)
{
    const mistakes *m = &w->mistakes;
    char text[MOST_MISTAKES][256];
    const char *items[MOST_MISTAKES];
    page_heading(r->page, r->level + 1, "Worst mistakes");
    report_say(
        r,
        "%lld of %lld samples are taken for another class. Those that the network was surest of%s:",
        (long long)m->wrong, (long long)m->seen,
        is_of_images(e->set) ? ", with the probability that it gave" : "");
    for (int i = 0; i < m->count; i++) {
        describe(&w->results, &m->worst[i], text[i]);
        items[i] = text[i];
        if (is_of_images(e->set)) {
            add_image(r, e->set, &m->worst[i], text[i]);
        }
    }
    if (!is_of_images(e->set)) {
        page_list(r->page, items, NULL, m->count);
    }
}

/* ---- All ---- */

static void add_summary(report *r, const evaluated *e)
{
    char values[METRICS_TEXT], baseline[BASELINE_TEXT];
    report_say(r, "On the %s set of %lld samples: loss %.4f%s%s.", e->name,
               (long long)e->result.samples, e->result.loss,
               describe_results(values, sizeof values, &e->metrics, e->result.metrics,
                                e->result.samples - e->result.ignored),
               describe_baseline(baseline, e->baseline, &e->metrics, &e->guess));
}

static void add_all(report *r, const evaluated *e, const watching *w)
{
    const results *s = &w->results;
    add_summary(r, e);
    if (has_matrix(s) && s->width <= MOST_CLASSES && s->width > 1) {
        class_names names;
        name_classes(s, &names);
        add_matrix(r, s, &names);
        add_classes(r, s, &names);
    } else if (s->of_classes) {
        report_note(r, "No matrix of classes: there are %lld, and it is drawn for 2 to %d.",
                    (long long)s->width, MOST_CLASSES);
    }
    if (w->mistakes.count) {
        add_mistakes(r, e, w);
    }
}

void report_results(report *r, evaluated *e)
{
    const nm_choice *loss = &e->trained.loss;
    watching w = {results_begin(r->context, nm_model_schema(e->trained.model), loss),
                  {.ignored = nm_loss_choice_ignored(loss)}};
    const nm_onlooker onlooker = {&w, on_outputs};
    if (evaluated_run(e, &onlooker) == NM_OK) {
        add_all(r, e, &w);
    } else {
        report_leave_out(r, "The results on samples");
    }
    results_end(&w.results);
}
