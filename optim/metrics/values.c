/* How far predicted values are from the targets, in the target's own unit: of each of the numbers
 * that are predicted, and the mean over them. */
#include <math.h>

#include "optim/table.h"

/* What a number predicted has gathered. */
enum { ABSOLUTE, SQUARED, MEAN, SPREAD, SUMS }; /* SPREAD: sum of (y - mean)^2 */

static int64_t value_sums(int64_t width)
{
    return SUMS * width;
}

/* The mean and the spread move by Welford's rule, which is exact also for targets far from 0. */
static void add_value(double *sums, double output, double target, double count)
{
    double error = output - target, away = target - sums[MEAN];
    sums[ABSOLUTE] += fabs(error);
    sums[SQUARED] += error * error;
    sums[MEAN] += away / count;
    sums[SPREAD] += away * (target - sums[MEAN]);
}

static void add_values(const void *options, nm_metric_state *state, const nm_metric_batch *batch)
{
    (void)options;
    for (int64_t i = 0; i < batch->count; i++) {
        for (int64_t k = 0; k < batch->width; k++) {
            add_value(state->sums + SUMS * k, nm_metric_in_unit(batch, batch->outputs, i, k),
                      nm_metric_in_unit(batch, batch->values, i, k),
                      (double)(state->samples + i + 1));
        }
    }
}

static double absolute_of(const double *sums, double samples)
{
    return sums[ABSOLUTE] / samples;
}

static double squared_of(const double *sums, double samples)
{
    return sqrt(sums[SQUARED] / samples);
}

/* Of targets that are all the same: 1 if they are predicted, else 0. */
static double r2_of(const double *sums, double samples)
{
    if (samples < 2 || isnan(sums[SQUARED])) {
        return (double)NAN;
    }
    return sums[SPREAD] > 0 ? 1 - sums[SQUARED] / sums[SPREAD] : sums[SQUARED] == 0;
}

static double mean(const nm_metric_state *state, double (*of)(const double *sums, double samples))
{
    double sum = 0;
    for (int64_t k = 0; k < state->width; k++) {
        sum += of(state->sums + SUMS * k, (double)state->samples);
    }
    return sum / (double)state->width;
}

#define VALUE_METRIC(name, of, higher, summary, also_, doc_)                                       \
    static double of##_part(const void *options, const nm_metric_state *state, int64_t index)      \
    {                                                                                              \
        (void)options;                                                                             \
        return of##_of(state->sums + SUMS * index, (double)state->samples);                        \
    }                                                                                              \
    static double of##_value(const void *options, const nm_metric_state *state)                    \
    {                                                                                              \
        (void)options;                                                                             \
        return mean(state, of##_of);                                                               \
    }                                                                                              \
    const nm_metric_type nm_metric_##name = {                                                      \
        .item = NM_ITEM(nm_metric_type, #name, summary, .also = also_, .doc = doc_),               \
        .higher_is_better = higher,                                                                \
        .sums = value_sums,                                                                        \
        .add = add_values,                                                                         \
        .value = of##_value,                                                                       \
        .part = of##_part,                                                                         \
    };

VALUE_METRIC(mean_absolute_error, absolute, false, "mean of |output - target|", "mae",
             "The mean of |output - target| over the samples, in the target's own unit. Of several "
             "numbers that are predicted: the mean of theirs.")
VALUE_METRIC(root_mean_squared_error, squared, false,
             "square root of the mean of (output - target)^2", "rmse",
             "The square root of the mean of (output - target)^2 over the samples, in the target's "
             "own unit. Of several numbers that are predicted: the mean of theirs.")
VALUE_METRIC(r2, r2, true, "share of the targets' variance that is explained", "r2_score",
             "1 - sum of (output - target)^2 / sum of (target - mean of the targets)^2: 1 is "
             "perfect, 0 as good as their mean, below worse. Of several numbers that are "
             "predicted: the mean of theirs. Of one sample: none.")
