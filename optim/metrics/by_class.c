/* Metrics of single classes and their means, by counts of every class c:
 *
 *     right c       samples of c whose largest output is c's
 *     predicted c   samples whose largest output is c's
 *     actual c      samples of c
 *
 * The definitions, also where a class has no samples, are scikit-learn's with zero_division = 0. A
 * row with a NaN is predicted as no class. */
#include <math.h>
#include <stdio.h>

#include "core/guard.h"
#include "core/op.h"
#include "optim/table.h"

enum { RIGHT, PREDICTED, ACTUAL, COUNTS };

static int64_t class_sums(int64_t width)
{
    return COUNTS * width;
}

static void count_classes(const void *options, nm_metric_state *state, const nm_metric_batch *batch)
{
    (void)options;
    for (int64_t i = 0; i < batch->count; i++) {
        int64_t label = batch->labels[i];
        int64_t predicted = nm_metric_class(batch->outputs + i * batch->width, batch->width);
        state->sums[COUNTS * label + ACTUAL]++;
        state->sums[COUNTS * label + RIGHT] += predicted == label;
        if (predicted >= 0) {
            state->sums[COUNTS * predicted + PREDICTED]++;
        }
    }
}

/* 0 of 0 is 0. */
static double ratio(double a, double b)
{
    return b > 0 ? a / b : 0;
}

/* Whether the class occurs, among the labels or among the predictions. */
static bool occurs(const double *counts)
{
    return counts[ACTUAL] > 0 || counts[PREDICTED] > 0;
}

static double precision_of(const double *counts)
{
    return ratio(counts[RIGHT], counts[PREDICTED]);
}

static double recall_of(const double *counts)
{
    return ratio(counts[RIGHT], counts[ACTUAL]);
}

static double f1_of(const double *counts)
{
    return ratio(2 * counts[RIGHT], counts[PREDICTED] + counts[ACTUAL]);
}

/* ---- Of one class, and the mean over those that occur ---- */

static double part(const nm_metric_state *state, int64_t index, double (*of)(const double *counts))
{
    const double *counts = state->sums + COUNTS * index;
    return occurs(counts) ? of(counts) : (double)NAN;
}

static double mean(const nm_metric_state *state, double (*of)(const double *counts))
{
    double sum = 0, classes = 0;
    for (int64_t i = 0; i < state->width; i++) {
        const double *counts = state->sums + COUNTS * i;
        if (occurs(counts)) {
            sum += of(counts);
            classes++;
        }
    }
    return ratio(sum, classes);
}

static double value(const void *options, const nm_metric_state *state,
                    double (*of)(const double *counts))
{
    const nm_class_metric_options *o = options;
    return o->of_class < 0 ? mean(state, of) : of(state->sums + COUNTS * o->of_class);
}

static nm_status check(nm_context *context, const void *options, int64_t width)
{
    const nm_class_metric_options *o = options;
    if (o->of_class < width) {
        return NM_OK;
    }
    return nm_fail(context, NM_ERROR_INPUT,
                   "metric: \"class\" is %lld, but the network has %lld outputs, so classes from 0 "
                   "to %lld",
                   (long long)o->of_class, (long long)width, (long long)width - 1);
}

static void label(const void *options, const char *name, char text[64])
{
    const nm_class_metric_options *o = options;
    if (o->of_class >= 0) {
        snprintf(text, 64, "%s_class_%lld", name, (long long)o->of_class);
    }
}

static const nm_class_metric_options defaults = {NM_CLASS_METRIC_DEFAULTS};
static const nm_option rows[] = {
    {.name = "class",
     .offset = offsetof(nm_class_metric_options, of_class),
     NM_OPTION_INT,
     .min = -1,
     .max = 1e9,
     .doc = "the class to look at; -1: the mean over all that occur"},
};
static const nm_spec spec = {.name = "nm_class_metric_options",
                             .size = sizeof(nm_class_metric_options),
                             .defaults = &defaults,
                             .options = rows,
                             .count = NM_COUNT_OF(rows)};

#define CLASS_METRIC(name, summary, also_, doc_)                                                   \
    static double name##_part(const void *options, const nm_metric_state *state, int64_t index)    \
    {                                                                                              \
        (void)options;                                                                             \
        return part(state, index, name##_of);                                                      \
    }                                                                                              \
    static double name##_value(const void *options, const nm_metric_state *state)                  \
    {                                                                                              \
        return value(options, state, name##_of);                                                   \
    }                                                                                              \
    static void name##_label(const void *options, char text[64])                                   \
    {                                                                                              \
        label(options, #name, text);                                                               \
    }                                                                                              \
    const nm_metric_type nm_metric_##name = {                                                      \
        .item =                                                                                    \
            NM_ITEM(nm_metric_type, #name, summary, .also = also_, .spec = &spec, .doc = doc_),    \
        .wants_labels = true,                                                                      \
        .higher_is_better = true,                                                                  \
        .sums = class_sums,                                                                        \
        .add = count_classes,                                                                      \
        .value = name##_value,                                                                     \
        .part = name##_part,                                                                       \
        .check = check,                                                                            \
        .label = name##_label,                                                                     \
    };

CLASS_METRIC(precision, "of what is called a class, the share that is of it", NULL,
             "Of the samples predicted as a class, the share that is of it; 0 if none is. The mean "
             "(macro average) is over the classes that occur among labels or predictions.")
CLASS_METRIC(recall, "of a class, the share that is called so", "sensitivity",
             "Of the samples of a class, the share that is predicted as it; 0 if there are none. "
             "The mean (macro average) is over the classes that occur among labels or predictions.")
CLASS_METRIC(f1, "harmonic mean of precision and recall", "f1_score f_score",
             "2 * right / (predicted + actual) of a class. The mean (macro average) is over the "
             "classes that occur among labels or predictions.")

/* ---- Balanced accuracy ---- */

static double balanced_part(const void *options, const nm_metric_state *state, int64_t index)
{
    (void)options;
    const double *counts = state->sums + COUNTS * index;
    return counts[ACTUAL] > 0 ? recall_of(counts) : (double)NAN;
}

/* The mean recall of the classes that have samples. */
static double balanced_value(const void *options, const nm_metric_state *state)
{
    double sum = 0, classes = 0;
    for (int64_t i = 0; i < state->width; i++) {
        double recall = balanced_part(options, state, i);
        sum += isnan(recall) ? 0 : recall;
        classes += !isnan(recall);
    }
    return ratio(sum, classes);
}

const nm_metric_type nm_metric_balanced_accuracy = {
    .item =
        NM_ITEM(nm_metric_type, "balanced_accuracy", "accuracy in which each class weighs the same",
                .doc = "The mean, over the classes that have samples, of the share of their "
                       "samples that is right. A network that always says the commonest class "
                       "gets 1 / classes."),
    .wants_labels = true,
    .higher_is_better = true,
    .sums = class_sums,
    .add = count_classes,
    .value = balanced_value,
    .part = balanced_part,
};

/* ---- The counts themselves ---- */

nm_class_counts nm_metric_class_counts(const nm_metric *metric, int64_t index)
{
    NM_GIVEN(metric && metric->type, ((nm_class_counts){0}));
    const nm_metric_state *s = &metric->state;
    if (metric->type->add != count_classes || index < 0 || index >= s->width) {
        return (nm_class_counts){0};
    }
    const double *counts = s->sums + COUNTS * index;
    return (nm_class_counts){counts[RIGHT], counts[PREDICTED], counts[ACTUAL]};
}
