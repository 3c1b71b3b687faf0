#include "models/command/report/mistakes.h"

#include <math.h>

static void insert(mistakes *m, mistake one)
{
    int at = m->count < MOST_MISTAKES ? m->count++ : MOST_MISTAKES;
    for (; at > 0 && m->worst[at - 1].probability < one.probability; at--) {
        if (at < MOST_MISTAKES) {
            m->worst[at] = m->worst[at - 1];
        }
    }
    if (at < MOST_MISTAKES) {
        m->worst[at] = one;
    }
}

/* The class of the highest score, and its softmax. */
static mistake predict(nm_tensor *outputs, int64_t row, int64_t classes)
{
    int64_t best = 0;
    double sum = 0;
    for (int64_t k = 1; k < classes; k++) {
        const double score = nm_tensor_get(outputs, row * classes + k);
        best = score > nm_tensor_get(outputs, row * classes + best) ? k : best;
    }
    const double most = nm_tensor_get(outputs, row * classes + best);
    for (int64_t k = 0; k < classes; k++) {
        sum += exp(nm_tensor_get(outputs, row * classes + k) - most);
    }
    return (mistake){.predicted = best, .probability = 1 / sum};
}

nm_status mistakes_on_outputs(mistakes *m, nm_tensor *outputs, const nm_batch *batch)
{
    const int32_t *labels = batch->target_dtype == NM_I32 ? batch->targets : NULL;
    const int64_t classes = nm_tensor_count(outputs) / batch->count;
    const bool of_samples = classes > 1 && batch->target_shape.rank == 1;
    for (int64_t i = 0; labels && of_samples && i < batch->count; i++) {
        mistake one = predict(outputs, i, classes);
        one.sample = m->seen + i;
        one.actual = labels[i];
        const bool ignored = nm_is_ignored(&m->ignored, labels[i]);
        if (!ignored && one.predicted != one.actual && isfinite(one.probability)) {
            m->wrong++;
            insert(m, one);
        }
    }
    m->seen += batch->count;
    return NM_OK;
}
