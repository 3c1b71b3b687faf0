/* Values that are 0 or 1, predicted as shares from 0 to 1. */
#include <math.h>

#include "optim/table.h"

/* sums[k]: samples whose output k was on the target's side */
static int64_t one_each(int64_t width)
{
    return width;
}

static bool is_right(double output, double target)
{
    return !isnan(output) && (output > 0.5) == (target > 0.5);
}

static void binary_add(const void *options, nm_metric_state *state, const nm_metric_batch *batch)
{
    (void)options;
    for (int64_t i = 0; i < batch->count; i++) {
        for (int64_t k = 0; k < batch->width; k++) {
            state->sums[k] += is_right(nm_metric_in_unit(batch, batch->outputs, i, k),
                                       nm_metric_in_unit(batch, batch->values, i, k));
        }
    }
}

static double binary_part(const void *options, const nm_metric_state *state, int64_t index)
{
    (void)options;
    return state->sums[index] / (double)state->samples;
}

static double binary_value(const void *options, const nm_metric_state *state)
{
    double sum = 0;
    for (int64_t k = 0; k < state->width; k++) {
        sum += binary_part(options, state, k);
    }
    return sum / (double)state->width;
}

const nm_metric_type nm_metric_binary_accuracy = {
    .item = NM_ITEM(nm_metric_type, "binary_accuracy", "share of values on the right side of 1/2",
                    .doc = "The share of values that are predicted above 0.5 where the target is, "
                           "and not above where it is not; of each output, and the mean over them. "
                           "A NaN is wrong."),
    .higher_is_better = true,
    .sums = one_each,
    .add = binary_add,
    .value = binary_value,
    .part = binary_part,
};
