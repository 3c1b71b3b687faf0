/* Reading a study: the file's parts, measures, claims, plots. */
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "models/command/study/study.h"

/* ---- Options ---- */

#define ROWS(name_, type_, defaults_, rows_)                                                       \
    {                                                                                              \
        .name = (name_), .size = sizeof(type_), .defaults = &(defaults_), .options = (rows_),      \
        .count = NM_COUNT_OF(rows_)                                                                \
    }

static const char *const takes[] = {"last", "first", "mean",  "least",
                                    "most", "fall",  "reach", NULL};
static const measure measure_defaults = {.otherwise = NAN};
static const nm_option measure_rows[] = {
    {NM_FIELD(measure, history), NM_OPTION_STRING,
     .doc = "a number of the run's log, by epoch: test_accuracy"},
    {NM_FIELD(measure, probe), NM_OPTION_STRING, .doc = "a probe that the base has"},
    {NM_FIELD(measure, layer), NM_OPTION_STRING,
     .doc = "of which layer or parameter; none: of the whole network"},
    {NM_FIELD(measure, value), NM_OPTION_STRING, .doc = "which of the probe's numbers"},
    {NM_FIELD(measure, saved), NM_OPTION_STRING,
     .doc =
         "of the network that a run leaves; folding: the largest change of an output on the test "
         "set when batch norm goes into the layers before it, by the largest output"},
    {NM_FIELD(measure, take), NM_OPTION_ENUM, .names = takes,
     .doc = "which of the values in the course of a run; fall: the largest from one to the next; "
            "reach: the step where it comes to level"},
    {NM_FIELD(measure, level), NM_OPTION_FLOAT, .doc = "of reach"},
    {NM_FIELD(measure, by), NM_OPTION_STRING,
     .doc = "of reach with history: what it tells in the place of the step, such as seconds"},
    {NM_FIELD(measure, after), NM_OPTION_INT, .min = 0, .max = 1e15,
     .doc = "a step: values of those before it do not count"},
    {NM_FIELD(measure, otherwise), NM_OPTION_FLOAT,
     .doc = "what counts for a run that diverged or never came to level; default: nothing does"},
};
static const nm_spec measure_spec = ROWS("measure", measure, measure_defaults, measure_rows);

static const char *const relations[] = {"above", "below", "equal", NULL};
static const char *const ways[] = {"difference", "ratio", NULL};
static const char *const reduces[] = {"highest", "lowest", "mean", "range", "count", NULL};
static const claim claim_defaults = {.expect = EXPECT_ABOVE};
static const nm_option claim_rows[] = {
    {NM_FIELD(claim, claim), NM_OPTION_STRING, .flags = NM_REQUIRED, .doc = "the sentence"},
    {NM_FIELD(claim, measure), NM_OPTION_STRING, .flags = NM_REQUIRED,
     .doc = "what is compared, one of the study's measures"},
    {NM_FIELD(claim, of), NM_OPTION_VALUE, .flags = NM_REQUIRED,
     .doc = "the variant, and a value of each axis: {variant: batch_norm, rate: 0.1}"},
    {NM_FIELD(claim, than), NM_OPTION_VALUE, .flags = NM_REQUIRED,
     .doc = "what it is compared with: the same, or a number"},
    {NM_FIELD(claim, expect), NM_OPTION_ENUM, .names = relations,
     .doc = "how the first is to the second"},
    {NM_FIELD(claim, by), NM_OPTION_FLOAT, .min = -NM_NO_LIMIT, .max = NM_NO_LIMIT,
     .doc = "above or below: by at least so much; equal: but for so much"},
    {NM_FIELD(claim, within), NM_OPTION_FLOAT, .max = NM_NO_LIMIT,
     .doc = "equal: no further apart than so much; of a ratio, from 1"},
    {NM_FIELD(claim, as), NM_OPTION_ENUM, .names = ways,
     .doc = "compared by their difference or their ratio"},
    {NM_FIELD(claim, over), NM_OPTION_STRING, .doc = "an axis whose values are taken together"},
    {NM_FIELD(claim, reduce), NM_OPTION_ENUM, .names = reduces,
     .doc =
         "how: the value with the highest or lowest mean, the mean, the range from the lowest to "
         "the highest, or the count of those above level"},
    {NM_FIELD(claim, level), NM_OPTION_FLOAT, .doc = "of count"},
    {NM_FIELD(claim, source), NM_OPTION_STRING, .doc = "who claims it"},
};
static const nm_spec claim_spec = ROWS("claim", claim, claim_defaults, claim_rows);

static const plot plot_defaults = {.title = NULL};
static const nm_option plot_rows[] = {
    {NM_FIELD(plot, title), NM_OPTION_STRING, .flags = NM_REQUIRED, .doc = "above the figure"},
    {NM_FIELD(plot, measure), NM_OPTION_STRING, .flags = NM_REQUIRED, .doc = "what is drawn"},
    {NM_FIELD(plot, over), NM_OPTION_STRING,
     .doc = "the axis that it is drawn over; default: the steps of a run"},
    {NM_FIELD(plot, label), NM_OPTION_STRING, .doc = "of the vertical axis; default: the measure"},
    {NM_FIELD(plot, unit), NM_OPTION_STRING, .doc = "its unit"},
    {NM_FIELD(plot, logarithmic), NM_OPTION_BOOL, .doc = "the vertical axis is logarithmic"},
    {NM_FIELD(plot, logarithmic_over), NM_OPTION_BOOL, .doc = "the horizontal one"},
};
static const nm_spec plot_spec = ROWS("plot", plot, plot_defaults, plot_rows);

static const quick quick_defaults = {.seeds = 2};
static const nm_option quick_rows[] = {
    {NM_FIELD(quick, seeds), NM_OPTION_INT, .min = 1, .max = 1000, .doc = "fewer seeds"},
    {NM_FIELD(quick, set), NM_OPTION_VALUE, .doc = "values in the place of those of set"},
    {NM_FIELD(quick, axes), NM_OPTION_VALUE, .doc = "other values of axes"},
};
static const nm_spec quick_spec = ROWS("quick", quick, quick_defaults, quick_rows);

static const study study_defaults = {.seeds = 5, .quick = {.seeds = 2}};
static const nm_option study_rows[] = {
    {NM_FIELD(study, title), NM_OPTION_STRING, .flags = NM_REQUIRED, .doc = "one line"},
    {NM_FIELD(study, about), NM_OPTION_STRING, .doc = "what it is about, some sentences"},
    {NM_FIELD(study, base), NM_OPTION_VALUE, .flags = NM_REQUIRED,
     .doc = "a training file, with $name where variants or axes differ"},
    {NM_FIELD(study, set), NM_OPTION_VALUE, .doc = "values of names, or of paths as in --set"},
    {NM_FIELD(study, variants), NM_OPTION_VALUE, .flags = NM_REQUIRED,
     .doc = "by name, what each sets"},
    {.name = "axes",
     .offset = offsetof(study, axes_value),
     .type = NM_OPTION_VALUE,
     .doc = "by name or path, the values that it takes, one after the other"},
    {NM_FIELD(study, seeds), NM_OPTION_INT, .min = 1, .max = 1000,
     .doc = "runs of each, from seed 1 on"},
    {NM_FIELD(study, quick), NM_OPTION_STRUCT, .spec = &quick_spec, .doc = "what --quick changes"},
    {.name = "measures",
     .offset = offsetof(study, measures_value),
     .type = NM_OPTION_VALUE,
     .flags = NM_REQUIRED,
     .doc = "by name, what is taken from a run"},
    {.name = "claims",
     .offset = offsetof(study, claims_value),
     .type = NM_OPTION_VALUE,
     .doc = "a list of what is to be tested"},
    {.name = "plots",
     .offset = offsetof(study, plots_value),
     .type = NM_OPTION_VALUE,
     .doc = "a list of figures"},
};
static const nm_spec study_spec = ROWS("study", study, study_defaults, study_rows);

/* ---- Reading ---- */

static bool is_kind(const nm_value *v, nm_value_kind kind, const char *name, const char *what,
                    nm_diagnostics *d)
{
    if (v && v->kind == kind && v->count) {
        return true;
    }
    if (v) {
        nm_diagnose(d, v, "%s: it must be %s", name, what);
    }
    return false;
}

static void read_measures(study *s, nm_diagnostics *d)
{
    const nm_value *v = s->measures_value;
    if (!is_kind(v, NM_VALUE_MAP, "measures", "a map of names to what is measured", d)) {
        return;
    }
    s->measures = nm_alloc_zero(s->context, (size_t)v->count, sizeof *s->measures);
    for (int i = 0; s->measures && i < v->count; i++) {
        measure *m = &s->measures[s->measure_count++];
        nm_spec_read(&measure_spec, v->entries[i].value, "measure", s->document, d, m);
        m->name = v->entries[i].key->text;
        m->at = v->entries[i].value;
    }
}

static void read_claims(study *s, nm_diagnostics *d)
{
    const nm_value *v = s->claims_value;
    if (!is_kind(v, NM_VALUE_LIST, "claims", "a list", d)) {
        return;
    }
    s->claims = nm_alloc_zero(s->context, (size_t)v->count, sizeof *s->claims);
    for (int i = 0; s->claims && i < v->count; i++) {
        claim *c = &s->claims[s->claim_count++];
        nm_spec_read(&claim_spec, v->items[i], "claim", s->document, d, c);
        c->at = v->items[i];
    }
}

static void read_plots(study *s, nm_diagnostics *d)
{
    const nm_value *v = s->plots_value;
    if (!is_kind(v, NM_VALUE_LIST, "plots", "a list", d)) {
        return;
    }
    s->plots = nm_alloc_zero(s->context, (size_t)v->count, sizeof *s->plots);
    for (int i = 0; s->plots && i < v->count; i++) {
        plot *p = &s->plots[s->plot_count++];
        nm_spec_read(&plot_spec, v->items[i], "plot", s->document, d, p);
        p->at = v->items[i];
    }
}

/* What the value is called: a scalar, or the one key of a map; NULL. */
static const char *called(const nm_value *v)
{
    return v->kind == NM_VALUE_SCALAR                 ? v->text
           : v->kind == NM_VALUE_MAP && v->count == 1 ? v->entries[0].key->text
                                                      : NULL;
}

static void name_values(study *s, study_axis *axis)
{
    const nm_value *values = axis->values;
    axis->texts = nm_alloc_zero(s->context, (size_t)values->count, sizeof *axis->texts);
    for (int i = 0; axis->texts && i < values->count; i++) {
        const char *name = called(values->items[i]);
        bool own = name != NULL;
        for (int k = 0; k < values->count && values->items[i]->kind != NM_VALUE_SCALAR; k++) {
            const char *other = called(values->items[k]);
            own &= k == i || !other || strcmp(other, name ? name : "") != 0;
        }
        snprintf(axis->texts[i], ARM_NAME, "%d", i);
        if (own) {
            snprintf(axis->texts[i], ARM_NAME, "%s", name);
        }
    }
}

static void read_axes(study *s, nm_diagnostics *d)
{
    const nm_value *v = s->axes_value;
    if (!is_kind(v, NM_VALUE_MAP, "axes", "a map of names to lists of values", d)) {
        return;
    }
    if (v->count > MOST_AXES) {
        nm_diagnose(d, v, "axes: at most %d", MOST_AXES);
        return;
    }
    for (int i = 0; i < v->count; i++) {
        const char *name = v->entries[i].key->text;
        const nm_value *values = v->entries[i].value;
        const nm_value *fewer = s->is_quick ? nm_value_get(s->quick.axes, name) : NULL;
        values = fewer ? fewer : values;
        if (is_kind(values, NM_VALUE_LIST, name, "a list of values", d)) {
            study_axis *axis = &s->axes[s->axis_count++];
            *axis = (study_axis){.name = name, .values = values};
            name_values(s, axis);
        }
    }
}

/* ---- What does not fit together ---- */

/* Numbers of a log's epochs: loss and metrics of each set, and what is told of training. */
static bool is_history(const study *s, const char *name)
{
    static const char *const plain[] = {"train_loss", "rate", "samples_per_second", "gradient_norm",
                                        "seconds"};
    for (int i = 0; i < NM_COUNT_OF(plain); i++) {
        if (strcmp(plain[i], name) == 0) {
            return true;
        }
    }
    const char *rest = strncmp(name, "test_", 5) == 0          ? name + 5
                       : strncmp(name, "validation_", 11) == 0 ? name + 11
                                                               : NULL;
    return rest && (strcmp(rest, "loss") == 0 || strcmp(rest, "metric") == 0 ||
                    nm_find(s->context, NM_KIND_METRIC, rest));
}

static bool base_probes(const study *s, const char *probe)
{
    const nm_value *list = nm_value_get(s->base, "probes");
    for (int i = 0; list && list->kind == NM_VALUE_LIST && i < list->count; i++) {
        const nm_value *item = list->items[i];
        const nm_value *name =
            item->kind == NM_VALUE_MAP && item->count ? item->entries[0].key : item;
        if (name->kind == NM_VALUE_SCALAR && strcmp(name->text, probe) == 0) {
            return true;
        }
    }
    return false;
}

static void check_probe_value(const measure *m, const nm_item *item, nm_diagnostics *d)
{
    const nm_probe_type *type = (const nm_probe_type *)(const void *)item;
    int count = 0;
    bool found = false;
    for (; type->values[count]; count++) {
        found |= m->value && strcmp(type->values[count], m->value) == 0;
    }
    if (!found) {
        const char *near = m->value ? nm_nearest(m->value, type->values, count) : NULL;
        nm_diagnose(d, m->at,
                    "measure \"%s\": %s measures no \"%s\"%s%s%s; `norma help %s` tells what",
                    m->name, m->probe, m->value ? m->value : "", near ? "; did you mean \"" : "",
                    near ? near : "", near ? "\"?" : "", m->probe);
    }
}

static bool is_saved_name(const char *name)
{
    for (int i = 0; saved_names[i]; i++) {
        if (strcmp(saved_names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static void check_saved(const measure *m, nm_diagnostics *d)
{
    if (m->saved && !is_saved_name(m->saved)) {
        nm_diagnose(d, m->at, "measure \"%s\": saved takes \"%s\", not \"%s\"", m->name,
                    saved_names[0], m->saved);
    }
}

static void check_by(const study *s, const measure *m, nm_diagnostics *d)
{
    if (m->by && (m->take != TAKE_REACH || !m->history)) {
        nm_diagnose(d, m->at, "measure \"%s\": \"by\" is for take: reach of history", m->name);
    } else if (m->by && !is_history(s, m->by)) {
        nm_diagnose(d, m->at, "measure \"%s\": a run's log has no \"%s\"; by takes seconds, say",
                    m->name, m->by);
    }
}

static void check_measure(const study *s, const measure *m, nm_diagnostics *d)
{
    check_saved(m, d);
    check_by(s, m, d);
    if (!m->history + !m->probe + !m->saved != 2) {
        nm_diagnose(d, m->at, "measure \"%s\": give one of history, probe and saved", m->name);
    } else if (m->history && !is_history(s, m->history)) {
        nm_diagnose(d, m->at,
                    "measure \"%s\": a run's log has no \"%s\"; it has train_loss, seconds, and "
                    "test_ or validation_ with loss or a metric",
                    m->name, m->history);
    } else if (m->probe && !nm_find(s->context, NM_KIND_PROBE, m->probe)) {
        nm_require(s->context, NM_KIND_PROBE, m->probe);
        nm_diagnose_standing(d, m->at);
    } else if (m->probe && !base_probes(s, m->probe)) {
        nm_diagnose(d, m->at,
                    "measure \"%s\": nothing in base measures %s; add it to the base's probes",
                    m->name, m->probe);
    } else if (m->probe) {
        check_probe_value(m, nm_find(s->context, NM_KIND_PROBE, m->probe), d);
    }
}

static void check_plot(const study *s, const plot *p, nm_diagnostics *d)
{
    bool measured = !p->measure, axis = !p->over;
    for (int i = 0; i < s->measure_count; i++) {
        measured |= p->measure && strcmp(p->measure, s->measures[i].name) == 0;
    }
    for (int i = 0; i < s->axis_count; i++) {
        axis |= p->over && strcmp(p->over, s->axes[i].name) == 0;
    }
    if (!measured) {
        nm_diagnose(d, p->at, "plot: nothing measures \"%s\"; add it to measures", p->measure);
    }
    if (!axis) {
        nm_diagnose(d, p->at, "plot: there is no axis \"%s\" to draw it over", p->over);
    }
}

static void read_parts(study *s, nm_diagnostics *d)
{
    read_axes(s, d);
    read_measures(s, d);
    read_claims(s, d);
    read_plots(s, d);
    if (s->is_quick) {
        s->seeds = s->quick.seeds;
    }
    is_kind(s->base, NM_VALUE_MAP, "base", "a training file's parts", d);
    is_kind(s->variants, NM_VALUE_MAP, "variants", "a map of names to what each sets", d);
    for (int i = 0; i < s->measure_count; i++) {
        check_measure(s, &s->measures[i], d);
    }
    for (int i = 0; i < s->plot_count; i++) {
        check_plot(s, &s->plots[i], d);
    }
}

nm_status study_read(study *s, nm_document *document)
{
    nm_diagnostics d;
    study file;
    nm_diagnostics_begin(&d, s->context);
    nm_spec_read(&study_spec, nm_document_root(document), "the study", document, &d, &file);
    s->document = document;
    s->title = file.title;
    s->about = file.about;
    s->base = file.base;
    s->set = file.set;
    s->variants = file.variants;
    s->axes_value = file.axes_value;
    s->seeds = file.seeds;
    s->quick = file.quick;
    s->measures_value = file.measures_value;
    s->claims_value = file.claims_value;
    s->plots_value = file.plots_value;
    if (!d.count) {
        read_parts(s, &d);
    }
    return nm_diagnostics_end(&d);
}
