/* Whether probabilities mean what they say: of samples predicted with a confidence of 0.8, are
 * eight of ten right? The confidence is the largest of a sample's softmax(outputs). Samples are put
 * into NM_RELIABILITY_BINS bins of equal width by it, from above i / bins to (i + 1) / bins; the
 * error is
 *
 *     sum over the bins of  samples / all * |share that is right - mean confidence|
 *
 * Guo, Pleiss, Sun, Weinberger 2017: On calibration of modern neural networks, equation 3. */
#include <math.h>

#include "core/guard.h"
#include "core/op.h"
#include "optim/table.h"

enum { SAMPLES, RIGHT, CONFIDENCE, SUMS };

static int64_t bin_sums(int64_t width)
{
    (void)width;
    return SUMS * NM_RELIABILITY_BINS;
}

/* The largest element of the softmax; NaN if one is among the outputs. */
static double confidence_of(const float *outputs, int64_t width)
{
    const int64_t best = nm_metric_class(outputs, width);
    double sum = 0;
    for (int64_t i = 0; best >= 0 && i < width; i++) {
        sum += exp((double)outputs[i] - (double)outputs[best]);
    }
    return best >= 0 ? 1 / sum : (double)NAN;
}

/* A NaN goes into the last one, and makes it NaN. */
static int bin_of(double confidence)
{
    int bin = NM_RELIABILITY_BINS - 1;
    while (bin > 0 && confidence <= (double)bin / NM_RELIABILITY_BINS) {
        bin--;
    }
    return bin;
}

static void add_bins(const void *options, nm_metric_state *state, const nm_metric_batch *batch)
{
    (void)options;
    for (int64_t i = 0; i < batch->count; i++) {
        const float *row = batch->outputs + i * batch->width;
        const double confidence = confidence_of(row, batch->width);
        double *sums = state->sums + SUMS * bin_of(confidence);
        sums[SAMPLES]++;
        sums[RIGHT] += nm_metric_class(row, batch->width) == batch->labels[i];
        sums[CONFIDENCE] += confidence;
    }
}

static double error_of(const void *options, const nm_metric_state *state)
{
    (void)options;
    double sum = 0;
    for (int bin = 0; bin < NM_RELIABILITY_BINS; bin++) {
        const double *sums = state->sums + SUMS * bin;
        sum += fabs(sums[RIGHT] - sums[CONFIDENCE]);
    }
    return sum / (double)state->samples;
}

const nm_metric_type nm_metric_expected_calibration_error = {
    .item = NM_ITEM(
        nm_metric_type, "expected_calibration_error", "how far confidence and accuracy are apart",
        .doc = "The mean over the samples of |accuracy - mean confidence| of their bin: "
               "15 bins of equal width by the largest of softmax(outputs) (Guo et al. "
               "2017). 0 is perfect. norma eval shows the bins."),
    .wants_labels = true,
    .sums = bin_sums,
    .add = add_bins,
    .value = error_of,
};

nm_reliability_bin nm_metric_reliability(const nm_metric *metric, int bin)
{
    NM_GIVEN(metric, ((nm_reliability_bin){0}));
    const double bins = NM_RELIABILITY_BINS;
    nm_reliability_bin b = {.from = bin / bins,
                            .to = (bin + 1) / bins,
                            .accuracy = (double)NAN,
                            .confidence = (double)NAN};
    if (metric->type == &nm_metric_expected_calibration_error && metric->state.samples) {
        const double *sums = metric->state.sums + SUMS * bin;
        b.samples = (int64_t)sums[SAMPLES];
        b.accuracy = sums[RIGHT] / sums[SAMPLES];
        b.confidence = sums[CONFIDENCE] / sums[SAMPLES];
    }
    return b;
}
