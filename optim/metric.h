/* Metrics: numbers that tell how good a network is, gathered over the batches of one pass. */
#ifndef NM_OPTIM_METRIC_H
#define NM_OPTIM_METRIC_H

#include "core/option.h"
#include "core/tensor.h"
#include "optim/data/loader.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a metric sees: one batch's outputs and targets. */
typedef struct nm_metric_batch {
    int64_t count;         /* samples */
    int64_t width;         /* outputs a sample: classes, or numbers predicted */
    const float *outputs;  /* [count, width] */
    const int32_t *labels; /* [count], in 0..width-1, none ignored; NULL: the targets are values */
    const float *values;   /* [count, width]; NULL: the targets are labels */
} nm_metric_batch;

#define NM_METRIC_STATE 8 /* doubles that a metric may keep */

/* A kind of metric, as registered. */
typedef struct nm_metric_type {
    nm_item item;
    bool wants_labels;     /* class labels, else values */
    bool higher_is_better; /* which way early stopping and best-model keeping look */
    /* `state` is all zeros at the beginning. The options and the batch are checked already. */
    void (*add)(const void *options, double state[NM_METRIC_STATE], const nm_metric_batch *batch);
    double (*value)(const void *options, const double state[NM_METRIC_STATE], int64_t samples);
} nm_metric_type;

/* A metric being gathered. Holds no memory of its own: copy it, forget it. */
typedef struct nm_metric {
    nm_context *context;
    const nm_metric_type *type;
    const void *options; /* of type->item.spec, the caller's; NULL if the type has none */
    nm_ignored ignored;  /* samples to leave out; none, unless set after nm_metric_begin() */
    int64_t samples;     /* so far, without those */
    double state[NM_METRIC_STATE];
} nm_metric;

/* Begins `type` with `options` (NULL: its defaults), or begins it anew. */
NM_API nm_status nm_metric_begin(nm_metric *metric, nm_context *context, const nm_metric_type *type,
                                 const void *options);
/* Adds the outputs [count, ...] (f32) of a network for a batch, samples to be ignored left out.
 * NM_ERROR_INPUT if the targets are
 * not of the sort the metric wants, a label is no class of the output, or shapes do not fit. */
NM_API nm_status nm_metric_add(nm_metric *metric, nm_tensor *outputs, const nm_batch *batch);
/* The value over all samples added; NaN if there were none. */
NM_API double nm_metric_value(const nm_metric *metric);

#ifdef __cplusplus
}
#endif
#endif
