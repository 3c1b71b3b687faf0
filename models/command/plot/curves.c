#include "models/command/plot/curves.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const sets[] = {"train_", "validation_", "test_"};
static const char *const set_names[] = {"training", "validation", "test"};

/* ---- Names ---- */

/* The set that a curve is of; -1: none, as of the rate. */
static int set_of(const char *name)
{
    for (int i = 0; i < NM_COUNT_OF(sets); i++) {
        if (strncmp(name, sets[i], strlen(sets[i])) == 0) {
            return i;
        }
    }
    return -1;
}

/* "loss" of "train_loss" */
static const char *quantity_of(const char *name)
{
    const int set = set_of(name);
    return set < 0 ? name : name + strlen(sets[set]);
}

static bool is_chosen(const curve *c, const char *name)
{
    return strcmp(c->name, name) == 0 || strcmp(quantity_of(c->name), name) == 0;
}

bool curve_is_there(const history *runs, int count, const char *name)
{
    for (int k = 0; k < count; k++) {
        for (int i = 0; i < runs[k].count; i++) {
            if (is_chosen(&runs[k].curves[i], name)) {
                return true;
            }
        }
    }
    return false;
}

/* The first metric is the one behind "validation_metric", or what is like it. */
static const char *metric_of(const history *h)
{
    for (int i = 0; i + 1 < h->count; i++) {
        const curve *c = &h->curves[i], *next = c + 1;
        const bool named = set_of(next->name) >= 0 && !strstr(next->name, "baseline_");
        if (strcmp(quantity_of(c->name), "metric") == 0 && named) {
            return quantity_of(next->name);
        }
    }
    return NULL;
}

int usual_curves(const history *runs, int count, const char *names[2])
{
    const char *metric = NULL;
    for (int k = 0; k < count && !metric; k++) {
        metric = metric_of(&runs[k]);
    }
    names[0] = "loss";
    names[1] = metric;
    return metric ? 2 : 1;
}

/* "training loss" of "train_loss", "gradient norms: norm" of "gradient_norms.norm" */
static void write_label(const char *name, char text[SERIES_NAME])
{
    const int set = set_of(name);
    const char *quantity = quantity_of(name);
    const int probe = (int)strcspn(quantity, ".");
    snprintf(text, SERIES_NAME, "%s%s%.*s%s%s", set < 0 ? "" : set_names[set], set < 0 ? "" : " ",
             probe, quantity, quantity[probe] ? ": " : "",
             quantity + probe + (quantity[probe] != 0));
    for (char *at = text; *at; at++) {
        *at = *at == '_' ? ' ' : *at;
    }
}

/* ---- Series ---- */

typedef struct making {
    curve_figure *made;
    const curve_choice *choice;
    bool several; /* runs */
    int set;      /* of several runs; -1: no choice */
} making;

static double *time_of(const curve *c, curve_time time)
{
    return time == BY_STEP ? c->step : time == BY_EPOCH ? c->epoch : c->seconds;
}

/* The mean of the last so many points that are finite; NaN where the point itself is none. */
static double *smooth(nm_context *context, const curve *c, int64_t points)
{
    double *means = nm_alloc_zero(context, (size_t)c->count + 1, sizeof *means);
    for (int64_t i = 0; means && i < c->count; i++) {
        double sum = 0;
        int64_t found = 0;
        for (int64_t k = i; k >= 0 && k > i - points; k--) {
            sum += isfinite(c->value[k]) ? c->value[k] : 0;
            found += isfinite(c->value[k]);
        }
        means[i] = isfinite(c->value[i]) ? sum / (double)found : (double)NAN;
    }
    return means;
}

/* What tells it from the others: the run, if there are several; the layer; the set. */
static void write_name(const making *m, const history *h, const curve *c, char text[SERIES_NAME])
{
    const int set = set_of(c->name);
    const bool exact = strcmp(c->name, m->choice->name) == 0;
    const bool of_set = set >= 0 && !exact && !(m->several && m->set >= 0);
    const char *const run = m->several ? h->folder : "";
    snprintf(text, SERIES_NAME, "%.120s%s%.100s%s%s", run, m->several && *c->layer ? ", " : "",
             c->layer, (m->several || *c->layer) && of_set ? ", " : "",
             of_set ? set_names[set] : "");
    if (!*text) {
        snprintf(text, SERIES_NAME, "%s", strchr(c->name, '.') ? "whole network" : "");
    }
    if (!*text) {
        write_label(c->name, text);
    }
}

static void add_series(const making *m, const history *h, const curve *c)
{
    curve_figure *made = m->made;
    const int k = made->figure.count;
    if (k == MOST_SERIES) {
        made->left_out++;
        return;
    }
    if (m->choice->smooth > 1) {
        made->smooth[k] = smooth(made->context, c, m->choice->smooth);
        if (!made->smooth[k]) {
            return;
        }
    }
    write_name(m, h, c, made->names[k]);
    made->series[k] = (figure_series){.name = made->names[k],
                                      .count = c->count,
                                      .x = time_of(c, m->choice->time),
                                      .y = made->smooth[k] ? made->smooth[k] : c->value};
    made->figure.count++;
}

static void add_run(const making *m, const history *h)
{
    for (int i = 0; i < h->count; i++) {
        const curve *c = &h->curves[i];
        const bool exact = strcmp(c->name, m->choice->name) == 0;
        if (exact || (is_chosen(c, m->choice->name) && (m->set < 0 || m->set == set_of(c->name)))) {
            add_series(m, h, c);
        }
    }
}

/* Of several runs: the validation set's, if all have one, else the test set's, else that of
 * training; -1 where the quantity is of no set. */
static int common_set(const history *runs, int count, const char *quantity)
{
    static const int order[] = {1, 2, 0};
    for (int i = 0; i < NM_COUNT_OF(order); i++) {
        char name[CURVE_NAME];
        int having = 0;
        snprintf(name, sizeof name, "%s%.128s", sets[order[i]], quantity);
        for (int k = 0; k < count; k++) {
            having += curve_is_there(&runs[k], 1, name);
        }
        if (having == count) {
            return order[i];
        }
    }
    return -1;
}

static void set_axes(curve_figure *made, const curve_choice *choice, int set)
{
    static const char *const times[] = {"step", "epoch", "time"};
    char name[CURVE_NAME];
    snprintf(name, sizeof name, "%s%.128s", set < 0 ? "" : sets[set], choice->name);
    write_label(name, made->label);
    snprintf(made->title, SERIES_NAME, "%s", made->label);
    *made->title = (char)toupper((unsigned char)*made->title);
    if (choice->smooth > 1) {
        snprintf(made->label + strlen(made->label), SERIES_NAME - strlen(made->label),
                 ", mean of %lld points", (long long)choice->smooth);
    }
    made->figure.title = made->title;
    made->figure.series = made->series;
    made->figure.x = (figure_axis){.label = times[choice->time],
                                   .unit = choice->time == BY_SECONDS ? "s" : NULL,
                                   .whole = choice->time != BY_SECONDS};
    made->figure.y = (figure_axis){.label = made->label, .logarithmic = choice->logarithmic};
}

nm_status curve_figure_make(nm_context *context, const history *runs, int count,
                            const curve_choice *choice, curve_figure *made)
{
    memset(made, 0, sizeof *made);
    made->context = context;
    const int set = count > 1 ? common_set(runs, count, choice->name) : -1;
    const making m = {made, choice, count > 1, set};
    set_axes(made, choice, set);
    for (int k = 0; k < count; k++) {
        add_run(&m, &runs[k]);
    }
    return nm_context_status(context);
}

void curve_figure_close(curve_figure *made)
{
    for (int i = 0; i < MOST_SERIES; i++) {
        nm_free(made->context, made->smooth[i]);
        made->smooth[i] = NULL;
    }
}
