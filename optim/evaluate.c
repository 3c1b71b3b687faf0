#include "optim/evaluate.h"

typedef struct sums {
    double loss, weight;
    nm_metric metric;
    int64_t samples;
} sums;

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
        status = nm_metric_add(&all->metric, outputs, batch);
    }
    all->samples += batch->count;
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

nm_status nm_evaluate(const nm_evaluator *e, nm_loader *loader, nm_evaluation *result)
{
    sums all = {0};
    *result = NM_NO_EVALUATION;
    nm_status status = nm_context_status(nm_tape_context(e->tape));
    if (e->metric && status == NM_OK) {
        status =
            nm_metric_begin(&all.metric, nm_tape_context(e->tape), e->metric, e->metric_options);
    }
    bool recording = nm_tape_set_recording(e->tape, false);
    if (status == NM_OK) {
        status = add_batches(e, loader, &all);
    }
    nm_tape_set_recording(e->tape, recording);
    nm_tape_reset(e->tape);
    if (status == NM_OK) {
        result->samples = all.samples;
        result->loss = all.weight > 0 ? all.loss / all.weight : (double)NAN;
        result->metric = e->metric ? nm_metric_value(&all.metric) : (double)NAN;
    }
    return status;
}
