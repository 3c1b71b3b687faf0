/* Metrics of labels in a row: outputs and values are rows of numbers, padded behind. */
#include "core/op.h"
#include "optim/table.h"

/* Without the padding behind them. */
static int64_t length_of(const nm_metric_batch *batch, const float *row, int64_t length)
{
    while (length && (double)row[length - 1] == batch->padding) {
        length--;
    }
    return length;
}

/* ---- Label error rate ---- */

/* DISTANCES of all samples, their LABELS, and from SUMS on a row of the table below. */
enum { DISTANCES, LABELS, SUMS };

static int64_t sums_and_row(int64_t width)
{
    return SUMS + width + 1;
}

static double least(double a, double b, double c)
{
    const double less = a < b ? a : b;
    return less < c ? less : c;
}

/* Levenshtein's: row[j] is what it takes to make the first j of `b` of the first i of `a`. */
static double distance(const float *a, int64_t m, const float *b, int64_t n, double *row)
{
    for (int64_t j = 0; j <= n; j++) {
        row[j] = (double)j;
    }
    for (int64_t i = 0; i < m; i++) {
        double above = row[0]; /* of the row before, one to the left */
        row[0] = (double)(i + 1);
        for (int64_t j = 0; j < n; j++) {
            const double next = least(row[j] + 1, row[j + 1] + 1, above + (a[i] != b[j]));
            above = row[j + 1];
            row[j + 1] = next;
        }
    }
    return row[n];
}

static void add_distances(const void *options, nm_metric_state *state, const nm_metric_batch *batch)
{
    (void)options;
    for (int64_t i = 0; i < batch->count; i++) {
        const float *output = batch->outputs + i * batch->width;
        const float *value = batch->values + i * batch->targets;
        const int64_t labels = length_of(batch, value, batch->targets);
        state->sums[DISTANCES] += distance(
            value, labels, output, length_of(batch, output, batch->width), state->sums + SUMS);
        state->sums[LABELS] += (double)labels;
    }
}

/* Of no labels: 0 if none are predicted, else infinity. */
static double errors_per_label(const void *options, const nm_metric_state *state)
{
    (void)options;
    const double errors = state->sums[DISTANCES];
    return errors > 0 ? errors / state->sums[LABELS] : 0;
}

const nm_metric_type nm_metric_label_error_rate = {
    .item = NM_ITEM(nm_metric_type, "label_error_rate", "errors for each label of rows of labels",
                    .also = "ler edit_distance character_error_rate cer word_error_rate wer",
                    .doc = "How many labels must be put in, taken out or changed, at least, to "
                           "make of what is predicted what is right (Levenshtein's distance), over "
                           "all samples, divided by the number of labels. It may be above 1."),
    .sums = sums_and_row,
    .add = add_distances,
    .value = errors_per_label,
    .of_rows = true,
};

/* ---- Sequence accuracy ---- */

static int64_t one_sum(int64_t width)
{
    (void)width;
    return 1;
}

static bool is_same(const nm_metric_batch *batch, const float *output, const float *value)
{
    const int64_t labels = length_of(batch, value, batch->targets);
    bool same = length_of(batch, output, batch->width) == labels;
    for (int64_t k = 0; same && k < labels; k++) {
        same = output[k] == value[k];
    }
    return same;
}

static void add_right(const void *options, nm_metric_state *state, const nm_metric_batch *batch)
{
    (void)options;
    for (int64_t i = 0; i < batch->count; i++) {
        state->sums[0] +=
            is_same(batch, batch->outputs + i * batch->width, batch->values + i * batch->targets);
    }
}

static double share(const void *options, const nm_metric_state *state)
{
    (void)options;
    return state->sums[0] / (double)state->samples;
}

const nm_metric_type nm_metric_sequence_accuracy = {
    .item = NM_ITEM(nm_metric_type, "sequence_accuracy", "share of rows of labels without an error",
                    .also = "exact_match",
                    .doc = "The share of samples of which all labels are predicted, and no more."),
    .higher_is_better = true,
    .sums = one_sum,
    .add = add_right,
    .value = share,
    .is_share = true,
    .of_rows = true,
};
