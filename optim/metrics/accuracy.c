/* Accuracy: how often the right class has the largest output, or one of the k largest. */
#include <math.h>
#include <stdio.h>

#include "core/op.h"
#include "optim/table.h"

/* sums[0]: samples that were right */
static int64_t one_sum(int64_t width)
{
    (void)width;
    return 1;
}

static double share(const void *options, const nm_metric_state *state)
{
    (void)options;
    return state->sums[0] / (double)state->samples;
}

static void accuracy_add(const void *options, nm_metric_state *state, const nm_metric_batch *batch)
{
    (void)options;
    for (int64_t i = 0; i < batch->count; i++) {
        const float *row = batch->outputs + i * batch->width;
        state->sums[0] += nm_metric_class(row, batch->width) == batch->labels[i];
    }
}

const nm_metric_type nm_metric_accuracy = {
    .item =
        NM_ITEM(nm_metric_type, "accuracy", "share of samples whose class is right", .also = "acc",
                .doc = "The share of samples whose label has the largest output; of equal "
                       "outputs the first counts. A row with a NaN is wrong."),
    .wants_labels = true,
    .higher_is_better = true,
    .sums = one_sum,
    .add = accuracy_add,
    .value = share,
    .is_share = true,
};

/* ---- Among the k largest ---- */

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

static void top_k_add(const void *options, nm_metric_state *state, const nm_metric_batch *batch)
{
    const nm_top_k_options *o = options;
    for (int64_t i = 0; i < batch->count; i++) {
        const float *row = batch->outputs + i * batch->width;
        state->sums[0] += is_among(row, batch->width, batch->labels[i], o->k);
    }
}

/* Among all of them, any label is: the number would say nothing. */
static nm_status top_k_check(nm_context *context, const void *options, int64_t width)
{
    const nm_top_k_options *o = options;
    if (o->k < width) {
        return NM_OK;
    }
    return nm_fail(context, NM_ERROR_INPUT,
                   "top_k_accuracy: \"k\" is %lld, but the network has %lld output%s, and each is "
                   "among the %lld largest; give a k below %lld, or use accuracy",
                   (long long)o->k, (long long)width, width == 1 ? "" : "s", (long long)o->k,
                   (long long)width);
}

static void top_k_label(const void *options, char text[64])
{
    snprintf(text, 64, "top_%lld_accuracy", (long long)((const nm_top_k_options *)options)->k);
}

static const nm_top_k_options defaults = {NM_TOP_K_DEFAULTS};
static const nm_option rows[] = {
    {NM_FIELD(nm_top_k_options, k), NM_OPTION_INT, .min = 1, .max = 1e9,
     .doc = "how many of the largest outputs count; fewer than there are outputs"},
};
static const nm_spec spec = {.name = "nm_top_k_options",
                             .size = sizeof(nm_top_k_options),
                             .defaults = &defaults,
                             .options = rows,
                             .count = NM_COUNT_OF(rows)};

const nm_metric_type nm_metric_top_k_accuracy = {
    .item = NM_ITEM(
        nm_metric_type, "top_k_accuracy", "share of samples whose class is among the k likeliest",
        .also = "top_k top5 top1", .spec = &spec,
        .doc = "As accuracy, but the label's output need only be one of the k largest."),
    .wants_labels = true,
    .higher_is_better = true,
    .sums = one_sum,
    .add = top_k_add,
    .value = share,
    .is_share = true,
    .check = top_k_check,
    .label = top_k_label,
};
