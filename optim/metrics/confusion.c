/* Which classes are taken for which: how many samples of class i were predicted as class j. Not
 * registered, since it is no number; nm_metric_confused() reads it. A row with a NaN is predicted
 * as no class. */
#include "core/guard.h"
#include "core/op.h"
#include "optim/metric.h"

static int64_t pairs(int64_t width)
{
    return width * width;
}

static void count_pairs(const void *options, nm_metric_state *state, const nm_metric_batch *batch)
{
    (void)options;
    for (int64_t i = 0; i < batch->count; i++) {
        const int64_t predicted = nm_metric_class(batch->outputs + i * batch->width, batch->width);
        if (predicted >= 0) {
            state->sums[batch->labels[i] * batch->width + predicted]++;
        }
    }
}

/* The accuracy. */
static double share_of_diagonal(const void *options, const nm_metric_state *state)
{
    (void)options;
    double right = 0;
    for (int64_t i = 0; i < state->width; i++) {
        right += state->sums[i * state->width + i];
    }
    return right / (double)state->samples;
}

const nm_metric_type nm_metric_confusion = {
    .item = NM_ITEM(nm_metric_type, "confusion", "which classes are taken for which"),
    .wants_labels = true,
    .higher_is_better = true,
    .sums = pairs,
    .add = count_pairs,
    .value = share_of_diagonal,
};

double nm_metric_confused(const nm_metric *metric, int64_t actual, int64_t predicted)
{
    NM_GIVEN(metric, 0);
    const nm_metric_state *s = &metric->state;
    const bool there = metric->type == &nm_metric_confusion && actual >= 0 && predicted >= 0 &&
                       actual < s->width && predicted < s->width;
    return there ? s->sums[actual * s->width + predicted] : 0;
}
