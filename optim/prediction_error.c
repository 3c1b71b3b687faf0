/* How far predicted values are from the targets. */
#include <math.h>

#include "optim/table.h"

/* state[0]: the sum over all values; state[1]: how many they are */
static void absolute_add(const void *options, double *state, const nm_metric_batch *batch)
{
    (void)options;
    int64_t count = batch->count * batch->width;
    for (int64_t i = 0; i < count; i++) {
        state[0] += fabs((double)batch->outputs[i] - (double)batch->values[i]);
    }
    state[1] += (double)count;
}

static double absolute_value(const void *options, const double *state, int64_t samples)
{
    (void)options;
    (void)samples;
    return state[0] / state[1];
}

static void squared_add(const void *options, double *state, const nm_metric_batch *batch)
{
    (void)options;
    int64_t count = batch->count * batch->width;
    for (int64_t i = 0; i < count; i++) {
        double error = (double)batch->outputs[i] - (double)batch->values[i];
        state[0] += error * error;
    }
    state[1] += (double)count;
}

static double squared_value(const void *options, const double *state, int64_t samples)
{
    return sqrt(absolute_value(options, state, samples));
}

const nm_metric_type nm_metric_mean_absolute_error = {
    .item = NM_ITEM(nm_metric_type, "mean_absolute_error", "mean of |output - target|",
                    .doc = "The mean of |output - target| over all values of all samples."),
    .add = absolute_add,
    .value = absolute_value,
};

const nm_metric_type nm_metric_root_mean_squared_error = {
    .item = NM_ITEM(nm_metric_type, "root_mean_squared_error",
                    "square root of the mean of (output - target)^2",
                    .doc = "The square root of the mean of (output - target)^2 over all values of "
                           "all samples."),
    .add = squared_add,
    .value = squared_value,
};
