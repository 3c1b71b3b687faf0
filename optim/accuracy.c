/* Accuracy: how often the right class has the largest output, or one of the k largest. */
#include <math.h>

#include "core/op.h"
#include "optim/table.h"

typedef struct top_k_options {
    int64_t k;
} top_k_options;

/* Whether the label's output is among the k largest. Of equal ones the first counts as larger; a
 * NaN anywhere in the row makes it wrong. */
static bool is_among(const float *row, int64_t width, int32_t label, int64_t k)
{
    int64_t larger = 0;
    for (int64_t i = 0; i < width; i++) {
        larger += row[i] > row[label] || (i < label && row[i] == row[label]);
        if (isnan(row[i])) {
            return false;
        }
    }
    return larger < k;
}

/* state[0]: samples that were right */
static void count_right(double *state, const nm_metric_batch *batch, int64_t k)
{
    for (int64_t i = 0; i < batch->count; i++) {
        const float *row = batch->outputs + i * batch->width;
        state[0] += is_among(row, batch->width, batch->labels[i], k);
    }
}

static void accuracy_add(const void *options, double *state, const nm_metric_batch *batch)
{
    (void)options;
    count_right(state, batch, 1);
}

static void top_k_add(const void *options, double *state, const nm_metric_batch *batch)
{
    count_right(state, batch, ((const top_k_options *)options)->k);
}

static double share(const void *options, const double *state, int64_t samples)
{
    (void)options;
    return state[0] / (double)samples;
}

const nm_metric_type nm_metric_accuracy = {
    .item = NM_ITEM(nm_metric_type, "accuracy", "share of samples whose class is right",
                    .doc = "The share of samples whose label has the largest output; of equal "
                           "outputs the first counts. A row with a NaN is wrong."),
    .wants_labels = true,
    .higher_is_better = true,
    .add = accuracy_add,
    .value = share,
};

static const top_k_options defaults = {.k = 5};
static const nm_option rows[] = {
    {NM_FIELD(top_k_options, k), NM_OPTION_INT, .min = 1, .max = 1e9,
     .doc = "how many of the largest outputs count"},
};
static const nm_spec spec = {.name = "top_k_options",
                             .size = sizeof(top_k_options),
                             .defaults = &defaults,
                             .options = rows,
                             .count = NM_COUNT_OF(rows)};

const nm_metric_type nm_metric_top_k_accuracy = {
    .item =
        NM_ITEM(nm_metric_type, "top_k_accuracy",
                "share of samples whose class is among the k likeliest", .spec = &spec,
                .doc = "As accuracy, but the label's output need only be one of the k largest."),
    .wants_labels = true,
    .higher_is_better = true,
    .add = top_k_add,
    .value = share,
};
