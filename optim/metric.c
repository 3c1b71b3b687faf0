#include "optim/metric.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/guard.h"
#include "core/op.h"

int64_t nm_metric_class(const float *outputs, int64_t width)
{
    NM_GIVEN(outputs, -1);
    int64_t best = 0;
    for (int64_t i = 0; i < width; i++) {
        if (isnan(outputs[i])) {
            return -1;
        }
        best = outputs[i] > outputs[best] ? i : best;
    }
    return best;
}

#define NOT_COUNTED (-100) /* nm_cross_entropy()'s ignore_index, where nothing is said */

/* NaN on failure. */
static double share_right(nm_context *context, const float *score, int64_t classes,
                          const int32_t *label, int64_t count)
{
    int64_t right = 0, counted = 0;
    for (int64_t i = 0; i < count; i++) {
        if (label[i] == NOT_COUNTED) {
            continue;
        }
        if (label[i] < 0 || label[i] >= classes) {
            nm_fail(context, NM_ERROR_INPUT,
                    "nm_accuracy: label %d in row %lld is out of range: scores have %lld classes, "
                    "from 0; rows that are not to count have the label %d",
                    label[i], (long long)i, (long long)classes, NOT_COUNTED);
            return (double)NAN;
        }
        right += nm_metric_class(score + i * classes, classes) == label[i];
        counted++;
    }
    if (!counted) {
        nm_fail(context, NM_ERROR_INPUT, "nm_accuracy: no row counts: all have the label %d",
                NOT_COUNTED);
    }
    return (double)right / (double)counted;
}

double nm_accuracy(nm_tensor *scores, nm_tensor *labels)
{
    NM_GIVEN(scores && labels, (double)NAN);
    nm_context *context = nm_tensor_context(scores);
    const nm_shape *shape = nm_tensor_shape(scores);
    const int64_t count = nm_tensor_count(labels);
    if (shape->rank != 2 || nm_tensor_dtype(labels) != NM_I32 || shape->dim[0] != count || !count) {
        char is[NM_SHAPE_TEXT], of[NM_SHAPE_TEXT];
        nm_fail(context, NM_ERROR_INPUT,
                "nm_accuracy: scores of shape %s and %s labels of shape %s; it takes [count, "
                "classes] and i32 [count]",
                nm_shape_text(shape, is), nm_dtype_name(nm_tensor_dtype(labels)),
                nm_shape_text(nm_tensor_shape(labels), of));
        return (double)NAN;
    }
    const float *score = nm_tensor_f32(scores);
    const int32_t *label = nm_tensor_data(labels);
    return score && label ? share_right(context, score, shape->dim[1], label, count) : (double)NAN;
}

nm_status nm_metric_begin(nm_metric *metric, nm_context *context, const nm_metric_type *type,
                          const void *options)
{
    NM_REQUIRE(context, metric, NM_ERROR_INPUT);
    *metric = (nm_metric){.context = context};
    NM_REQUIRE(context, type, NM_ERROR_INPUT);
    const nm_spec *spec = type->item.spec;
    *metric = (nm_metric){.context = context,
                          .type = type,
                          .options = !options && spec ? spec->defaults : options,
                          .padding = (double)NAN};
    return spec ? nm_spec_check(context, spec, type->item.name, metric->options) : NM_OK;
}

/* ---- Checking a batch ---- */

static nm_status check_targets(const nm_metric *m, const nm_batch *batch)
{
    bool labels = batch->target_dtype == NM_I32;
    if (batch->targets && labels == m->type->wants_labels) {
        return NM_OK;
    }
    return nm_fail(m->context, NM_ERROR_INPUT, "%s: it needs %s, but the data set has %s",
                   m->type->item.name, m->type->wants_labels ? "class labels" : "values to predict",
                   !batch->targets ? "no targets"
                   : labels        ? "class labels"
                                   : "values");
}

/* Labels need an output for each class, values one for each value, rows no more than rows. */
static bool shape_fits(const nm_metric *m, const nm_shape *shape, const nm_batch *batch)
{
    return shape->rank > 0 && shape->dim[0] == batch->count &&
           (m->type->wants_labels ? shape->rank == 2
            : m->type->of_rows    ? shape->rank == 2 && batch->target_shape.rank == 2
                                  : nm_shape_equal(shape, &batch->target_shape));
}

static nm_status check_shape(const nm_metric *m, const nm_shape *shape, const nm_batch *batch)
{
    char a[NM_SHAPE_TEXT], b[NM_SHAPE_TEXT];
    if (shape_fits(m, shape, batch)) {
        return NM_OK;
    }
    return nm_fail(m->context, NM_ERROR_INPUT,
                   m->type->wants_labels
                       ? "%s: the output has shape %s; for labels of shape %s it needs [batch, "
                         "classes]"
                   : m->type->of_rows
                       ? "%s: the output has shape %s, the targets %s; it needs rows of labels, "
                         "[batch, steps] and [batch, labels]"
                       : "%s: the output has shape %s, the targets %s; they must be equal",
                   m->type->item.name, nm_shape_text(shape, a),
                   nm_shape_text(&batch->target_shape, b));
}

static nm_status check_labels(const nm_metric *m, const nm_metric_batch *b)
{
    for (int64_t i = 0; b->labels && i < b->count; i++) {
        if (nm_is_ignored(&m->ignored, b->labels[i])) {
            continue;
        }
        if (b->labels[i] < 0 || b->labels[i] >= b->width) {
            return nm_fail(m->context, NM_ERROR_INPUT,
                           "%s: label %d, but the network has %lld outputs", m->type->item.name,
                           b->labels[i], (long long)b->width);
        }
    }
    return NM_OK;
}

/* Samples begin..end-1 of the batch. */
static void add_part(nm_metric *m, const nm_metric_batch *b, int64_t begin, int64_t end)
{
    nm_metric_batch part = {.count = end - begin,
                            .width = b->width,
                            .outputs = b->outputs + begin * b->width,
                            .labels = b->labels ? b->labels + begin : NULL,
                            .values = b->values ? b->values + begin * b->targets : NULL,
                            .mean = b->mean,
                            .deviation = b->deviation,
                            .targets = b->targets,
                            .padding = b->padding};
    if (part.count) {
        m->type->add(m->options, &m->state, &part);
        m->state.samples += part.count;
    }
}

/* What lies between the samples to be ignored. */
static void add_parts(nm_metric *m, const nm_metric_batch *b)
{
    int64_t begin = 0;
    for (int64_t i = 0; b->labels && i < b->count; i++) {
        if (nm_is_ignored(&m->ignored, b->labels[i])) {
            add_part(m, b, begin, i);
            begin = i + 1;
        }
    }
    add_part(m, b, begin, b->count);
}

/* Memory for the sums of so many outputs, unless it is there. */
static nm_status make_sums(nm_metric *m, int64_t width)
{
    if (m->state.width == width) {
        return NM_OK;
    }
    if (m->type->check) {
        nm_status status = m->type->check(m->context, m->options, width);
        if (status != NM_OK) {
            return status;
        }
    }
    nm_metric_end(m);
    size_t size = (size_t)m->type->sums(width) * sizeof *m->state.sums;
    m->state.sums = nm_scratch(m->context, size); /* evaluations again and again allocate nothing */
    if (!m->state.sums) {
        return NM_ERROR_MEMORY;
    }
    memset(m->state.sums, 0, size);
    m->state.width = width;
    return NM_OK;
}

static nm_metric_batch batch_of(const nm_metric *m, const float *outputs, int64_t width,
                                const nm_batch *batch)
{
    bool labels = m->type->wants_labels;
    return (nm_metric_batch){.count = batch->count,
                             .width = width,
                             .outputs = outputs,
                             .labels = labels ? batch->targets : NULL,
                             .values = labels ? NULL : batch->targets,
                             .mean = batch->target_mean,
                             .deviation = batch->target_deviation,
                             .targets = m->type->of_rows ? batch->target_shape.dim[1] : width,
                             .padding = m->padding};
}

nm_status nm_metric_add(nm_metric *metric, nm_tensor *outputs, const nm_batch *batch)
{
    NM_GIVEN(metric && metric->type, NM_ERROR_INPUT);
    NM_REQUIRE(metric->context, outputs, NM_ERROR_INPUT);
    NM_REQUIRE(metric->context, batch, NM_ERROR_INPUT);
    const float *values = nm_tensor_f32(outputs);
    nm_status status = values ? check_targets(metric, batch) : nm_context_status(metric->context);
    if (status != NM_OK ||
        (status = check_shape(metric, nm_tensor_shape(outputs), batch)) != NM_OK) {
        return status;
    }
    int64_t width = nm_tensor_count(outputs) / batch->count;
    const nm_metric_batch b = batch_of(metric, values, width, batch);
    if ((status = check_labels(metric, &b)) == NM_OK &&
        (status = make_sums(metric, width)) == NM_OK) {
        add_parts(metric, &b);
    }
    return status;
}

double nm_metric_value(const nm_metric *metric)
{
    NM_GIVEN(metric && metric->type, (double)NAN);
    return metric->state.samples ? metric->type->value(metric->options, &metric->state)
                                 : (double)NAN;
}

double nm_metric_part(const nm_metric *metric, int64_t index)
{
    NM_GIVEN(metric && metric->type, (double)NAN);
    bool there =
        metric->type->part && metric->state.samples && index >= 0 && index < metric->state.width;
    return there ? metric->type->part(metric->options, &metric->state, index) : (double)NAN;
}

void nm_metric_end(nm_metric *metric)
{
    NM_GIVEN(metric, );
    nm_scratch_end(metric->state.sums);
    metric->state = (nm_metric_state){0};
}

/* ---- As an option gives them ---- */

const nm_metric_type *nm_metric_type_of(const nm_choice *choice)
{
    NM_GIVEN(choice, NULL);
    return (const nm_metric_type *)(const void *)choice->item;
}

const char *nm_metric_label(const nm_choice *choice, char text[64])
{
    NM_GIVEN(choice && choice->item && text, "");
    const nm_metric_type *type = nm_metric_type_of(choice);
    snprintf(text, 64, "%s", type->item.name);
    if (type->label) {
        type->label(nm_choice_options(choice), text);
    }
    return text;
}

nm_status nm_metric_check(nm_context *context, const nm_choice *choice, int64_t width)
{
    NM_GIVEN(context, NM_ERROR_INPUT);
    NM_REQUIRE(context, choice && choice->item, NM_ERROR_INPUT);
    if (nm_item_check(context, NM_KIND_METRIC, choice->item) != NM_OK) {
        return NM_ERROR_INPUT;
    }
    const nm_metric_type *type = nm_metric_type_of(choice);
    return type->check ? type->check(context, nm_choice_options(choice), width) : NM_OK;
}

/* ---- How sure a share is ---- */

#define Z 1.959963984540054 /* of the normal distribution, 2.5 % are above */

nm_interval nm_wilson_interval(double share, int64_t count)
{
    const double n = (double)count;
    if (count < 1 || !(share >= 0 && share <= 1)) {
        return (nm_interval){(double)NAN, (double)NAN};
    }
    const double middle = share + Z * Z / (2 * n);
    const double half = Z * sqrt(share * (1 - share) / n + Z * Z / (4 * n * n));
    const double whole = 1 + Z * Z / n;
    /* At the ends the rounding of the root would leave 1e-17 of what is 0. */
    return (nm_interval){share == 0 ? 0 : (middle - half) / whole,
                         share == 1 ? 1 : (middle + half) / whole};
}
