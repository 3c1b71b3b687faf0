#include "optim/evaluate.h"

typedef struct sums {
    double loss, weight;
    nm_metric metric;
    int64_t samples, ignored;
} sums;

static nm_ignored ignored_by(const nm_evaluator *e)
{
    return e->loss ? nm_loss_ignored(e->loss) : (nm_ignored){0};
}

static int64_t count_ignored(const nm_evaluator *e, const nm_batch *batch)
{
    const nm_ignored ignored = ignored_by(e);
    const int32_t *labels = batch->target_dtype == NM_I32 ? batch->targets : NULL;
    int64_t count = 0;
    for (int64_t i = 0; labels && i < batch->count; i++) {
        count += nm_is_ignored(&ignored, labels[i]);
    }
    return count;
}

static nm_status add_loss(const nm_evaluator *e, nm_tensor *outputs, const nm_batch *batch,
                          sums *all)
{
    nm_tensor *loss = nm_loss_of(e->loss, e->tape, outputs, batch);
    if (!loss) {
        return nm_context_status(nm_tape_context(e->tape));
    }
    double weight = nm_loss_weight(e->loss, batch);
    all->weight += weight;
    all->loss += weight > 0 ? weight * nm_tensor_item(loss) : 0;
    return NM_OK;
}

/* y * deviation + mean, in place. */
static void restore(const nm_batch *batch, int64_t width, float *y)
{
    for (int64_t i = 0; i < batch->count * width; i++) {
        const int64_t c = i % width;
        y[i] = (float)((double)y[i] * batch->target_deviation[c] + batch->target_mean[c]);
    }
}

/* Metrics see values in the targets' own unit. After the loss, which needs them standardized. */
static void restore_units(const nm_batch *batch, nm_tensor *outputs)
{
    nm_shape one = batch->target_shape;
    one.dim[0] = 1;
    const int64_t width = nm_shape_count(&one);
    if (batch->target_mean && batch->target_dtype == NM_F32 &&
        nm_shape_equal(nm_tensor_shape(outputs), &batch->target_shape)) {
        restore(batch, width, nm_tensor_f32(outputs));
        restore(batch, width, batch->targets);
    }
}

static nm_status add_batch(const nm_evaluator *e, const nm_batch *batch, sums *all)
{
    nm_tape_reset(e->tape);
    const nm_pass pass = {.tape = e->tape};
    nm_tensor *x = nm_tape_wrap(e->tape, NM_F32, batch->shape, batch->x);
    nm_tensor *outputs = x ? e->network->forward(e->network->self, &pass, x) : NULL;
    nm_status status = nm_context_status(nm_tape_context(e->tape));
    if (!outputs) {
        return status;
    }
    if (e->loss) {
        status = add_loss(e, outputs, batch, all);
    }
    if (e->metric && status == NM_OK) {
        restore_units(batch, outputs);
        status = nm_metric_add(&all->metric, outputs, batch);
    }
    all->samples += batch->count;
    all->ignored += count_ignored(e, batch);
    return status;
}

static nm_status add_batches(const nm_evaluator *e, nm_loader *loader, sums *all)
{
    nm_batch batch;
    nm_status status = nm_loader_begin(loader, 0, 0);
    while (status == NM_OK && (status = nm_loader_next(loader, &batch)) == NM_OK && batch.count) {
        status = add_batch(e, &batch, all);
    }
    return status;
}

/* Samples are all ignored, or of classes that weigh nothing. */
static nm_status check_counts(const nm_evaluator *e, const sums *all)
{
    if (!e->loss || !all->samples || all->weight > 0) {
        return NM_OK;
    }
    return nm_fail(nm_tape_context(e->tape), NM_ERROR_INPUT,
                   "evaluation: none of the %lld samples counts for the loss \"%s\": %lld have the "
                   "label that it ignores",
                   (long long)all->samples, e->loss->type->item.name, (long long)all->ignored);
}

nm_status nm_evaluate(const nm_evaluator *e, nm_loader *loader, nm_evaluation *result)
{
    sums all = {0};
    *result = NM_NO_EVALUATION;
    nm_status status = nm_context_status(nm_tape_context(e->tape));
    if (e->metric && status == NM_OK) {
        status =
            nm_metric_begin(&all.metric, nm_tape_context(e->tape), e->metric, e->metric_options);
        all.metric.ignored = ignored_by(e);
    }
    bool recording = nm_tape_set_recording(e->tape, false);
    if (status == NM_OK) {
        status = add_batches(e, loader, &all);
    }
    nm_tape_set_recording(e->tape, recording);
    nm_tape_reset(e->tape);
    if (status == NM_OK) {
        status = check_counts(e, &all);
    }
    if (status == NM_OK) {
        result->samples = all.samples;
        result->ignored = all.ignored;
        result->loss = all.weight > 0 ? all.loss / all.weight : (double)NAN;
        result->metric = e->metric ? nm_metric_value(&all.metric) : (double)NAN;
    }
    return status;
}
