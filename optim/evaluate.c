#include "optim/evaluate.h"

#include <string.h>

#include "core/guard.h"

/* ---- Which metrics ---- */

static const char *sort_of(bool labels, bool rows)
{
    return labels ? "class labels" : rows ? "labels in a row" : "values";
}

static nm_status check_fits(nm_context *context, const nm_metric_type *metric, const nm_loss *loss)
{
    const char *wants = sort_of(metric->wants_labels, metric->of_rows);
    const char *has = sort_of(loss->type->wants_labels, loss->type->padding);
    if (strcmp(wants, has) == 0) {
        return NM_OK;
    }
    return nm_fail(
        context, NM_ERROR_INPUT,
        "train: the metric \"%s\" is for %s, the loss \"%s\" for %s; choose two that fit",
        metric->item.name, wants, loss->type->item.name, has);
}

/* Two of one name could not be told apart in what a run reports. */
static nm_status check_differs(nm_context *context, const nm_choices *metrics, int index)
{
    char name[64], other[64];
    nm_metric_label(&metrics->at[index], name);
    for (int i = 0; i < index; i++) {
        if (strcmp(name, nm_metric_label(&metrics->at[i], other)) == 0) {
            return nm_fail(context, NM_ERROR_INPUT, "train: the metric \"%s\" stands there twice",
                           name);
        }
    }
    return NM_OK;
}

nm_status nm_metrics_choose(nm_context *context, const nm_choices *given, const nm_loss *loss,
                            nm_choices *metrics)
{
    NM_REQUIRE(context, metrics, NM_ERROR_INPUT);
    *metrics = (nm_choices){0};
    NM_REQUIRE(context, given, NM_ERROR_INPUT);
    NM_REQUIRE(context, loss && loss->type, NM_ERROR_INPUT);
    NM_REQUIRE(context, given->count >= 0 && given->count <= NM_MAX_CHOICES, NM_ERROR_INPUT);
    nm_status status = NM_OK;
    *metrics = *given;
    if (!given->count && loss->type->metric) {
        const nm_item *usual = nm_find(context, NM_KIND_METRIC, loss->type->metric);
        *metrics = (nm_choices){.count = usual != NULL, .at = {{.item = usual}}};
    }
    for (int i = 0; i < metrics->count && status == NM_OK; i++) {
        status = nm_item_check(context, NM_KIND_METRIC, metrics->at[i].item);
        status = status == NM_OK ? check_fits(context, nm_metric_type_of(&metrics->at[i]), loss)
                                 : status;
        status = status == NM_OK ? check_differs(context, metrics, i) : status;
    }
    return status;
}

/* ---- One pass ---- */

typedef struct sums {
    double loss, weight;
    int metrics;
    nm_metric metric[NM_MAX_CHOICES];
    int64_t samples, ignored;
    int64_t counted;      /* samples whose classes were looked at */
    int64_t guess, label; /* the first one's */
    bool guesses_differ, labels_differ;
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

/* Notes whether all samples are taken for one class. */
static void add_classes(const nm_evaluator *e, nm_tensor *outputs, const nm_batch *batch, sums *all)
{
    const nm_ignored ignored = ignored_by(e);
    const int32_t *labels = batch->target_dtype == NM_I32 ? batch->targets : NULL;
    const nm_shape *shape = nm_tensor_shape(outputs);
    const float *y = labels && shape->rank == 2 ? nm_tensor_f32(outputs) : NULL;
    for (int64_t i = 0; y && i < batch->count; i++) {
        if (nm_is_ignored(&ignored, labels[i])) {
            continue;
        }
        const int64_t guess = nm_metric_class(y + i * shape->dim[1], shape->dim[1]);
        all->guess = all->counted ? all->guess : guess;
        all->label = all->counted ? all->label : labels[i];
        all->guesses_differ |= guess != all->guess;
        all->labels_differ |= labels[i] != all->label;
        all->counted++;
    }
}

static nm_status add_batch(const nm_evaluator *e, const nm_batch *batch, sums *all)
{
    nm_tape_reset(e->tape);
    const nm_pass pass = {.tape = e->tape};
    nm_tensor *x = nm_tape_wrap(e->tape, NM_F32, batch->shape, batch->x);
    nm_tensor *outputs = nm_network_forward(e->network, &pass, x);
    nm_status status = nm_context_status(nm_tape_context(e->tape));
    if (!outputs) {
        return status;
    }
    if (e->loss) {
        status = add_loss(e, outputs, batch, all);
        outputs = nm_loss_predicted(e->loss, e->tape, outputs);
    }
    for (int i = 0; i < all->metrics && status == NM_OK; i++) {
        status = nm_metric_add(&all->metric[i], outputs, batch);
    }
    if (status == NM_OK) {
        add_classes(e, outputs, batch, all);
    }
    if (status == NM_OK && e->onlooker) {
        status = e->onlooker->on_outputs(e->onlooker->user, outputs, batch);
    }
    all->samples += batch->count;
    all->ignored += count_ignored(e, batch);
    return status;
}

/* One pass of a loader, or where there is none one batch. */
static nm_status add_batches(const nm_evaluator *e, nm_loader *loader, const nm_batch *only,
                             sums *all)
{
    nm_batch batch;
    if (!loader) {
        return only->count ? add_batch(e, only, all) : NM_OK;
    }
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

static nm_status begin_metrics(const nm_evaluator *e, sums *all)
{
    nm_status status = NM_OK;
    for (int i = 0; e->metrics && i < e->metrics->count && status == NM_OK; i++) {
        const nm_choice *choice = &e->metrics->at[i];
        status = nm_metric_begin(&all->metric[i], nm_tape_context(e->tape),
                                 nm_metric_type_of(choice), nm_choice_options(choice));
        all->metric[i].ignored = ignored_by(e);
        if (e->loss && e->loss->type->padding) {
            all->metric[i].padding = e->loss->type->padding(e->loss->options);
        }
        all->metrics = i + 1;
    }
    return status;
}

static void end_metrics(sums *all, nm_evaluation *result)
{
    for (int i = 0; i < all->metrics; i++) {
        result->metrics[i] = nm_metric_value(&all->metric[i]);
        nm_metric_end(&all->metric[i]);
    }
}

static nm_status evaluate(const nm_evaluator *e, nm_loader *loader, const nm_batch *batch,
                          nm_evaluation *result)
{
    nm_context *context = e ? nm_tape_context(e->tape) : NULL;
    NM_REQUIRE(context, result, NM_ERROR_INPUT);
    *result = NM_NO_EVALUATION;
    NM_REQUIRE(context, e && e->network, NM_ERROR_INPUT);
    if (!loader && !batch) {
        nm_refuse_null(context, "the loader or batch");
        return NM_ERROR_INPUT;
    }
    sums all = {0};
    nm_evaluation measured = NM_NO_EVALUATION;
    nm_status status = nm_context_status(context);
    bool recording = nm_tape_set_recording(e->tape, false);
    if (status == NM_OK && (status = begin_metrics(e, &all)) == NM_OK &&
        (status = add_batches(e, loader, batch, &all)) == NM_OK) {
        status = check_counts(e, &all);
    }
    nm_tape_set_recording(e->tape, recording);
    nm_tape_reset(e->tape);
    end_metrics(&all, &measured);
    measured.samples = all.samples;
    measured.ignored = all.ignored;
    measured.only_class = all.labels_differ && !all.guesses_differ ? all.guess : -1;
    measured.loss = all.weight > 0 ? all.loss / all.weight : (double)NAN;
    *result = status == NM_OK ? measured : NM_NO_EVALUATION;
    return status;
}

nm_status nm_evaluate(const nm_evaluator *evaluator, nm_loader *loader, nm_evaluation *result)
{
    return evaluate(evaluator, loader, NULL, result);
}

nm_status nm_evaluate_batch(const nm_evaluator *evaluator, const nm_batch *batch,
                            nm_evaluation *result)
{
    return evaluate(evaluator, NULL, batch, result);
}
