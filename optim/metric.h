/* Metrics: numbers that tell how good a network is, gathered over the batches of one pass.
 *
 *     nm_metric metric;
 *     nm_metric_begin(&metric, context, &nm_metric_f1, NULL);
 *     nm_metric_add(&metric, outputs, &batch); // for every batch
 *     nm_metric_value(&metric);                // the mean over the classes
 *     nm_metric_part(&metric, 2);              // class 2
 *     nm_metric_end(&metric); */
#ifndef NM_OPTIM_METRIC_H
#define NM_OPTIM_METRIC_H

#include "core/option.h"
#include "core/tensor.h"
#include "optim/data/loader.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a metric sees: outputs and targets of samples, none of them ignored. */
typedef struct nm_metric_batch {
    int64_t count;         /* samples */
    int64_t width;         /* outputs a sample: classes, or numbers predicted */
    const float *outputs;  /* [count, width] */
    const int32_t *labels; /* [count], in 0..width-1; NULL: the targets are values */
    const float *values;   /* [count, width]; NULL: the targets are labels */
    /* [width]: outputs and values are (y - mean) / deviation; NULL: y itself */
    const double *mean, *deviation;
    int64_t targets; /* values a sample; width, but for metrics of rows */
    double padding;  /* of metrics of rows: what stands behind a row of outputs, or of values */
} nm_metric_batch;

/* An output or a value in the target's own unit. */
static inline double nm_metric_in_unit(const nm_metric_batch *b, const float *y, int64_t sample,
                                       int64_t k)
{
    const double number = (double)y[sample * b->width + k];
    return b->deviation ? number * b->deviation[k] + b->mean[k] : number;
}

/* The class of the largest output, of equal ones the first; -1 if a NaN is among them. */
NM_API int64_t nm_metric_class(const float *outputs, int64_t width);
/* The share of rows of `scores`, f32 [count, classes], whose class that is the label's, of i32
 * [count]: for loops written by hand. Rows with the label -100 are left out, as nm_cross_entropy()
 * leaves them out. NaN on failure: another label that is no class, or no row that counts. */
NM_API double nm_accuracy(nm_tensor *scores, nm_tensor *labels);

/* What was gathered so far. */
typedef struct nm_metric_state {
    int64_t samples; /* so far, without those to be ignored */
    int64_t width;   /* of the outputs; 0: none seen yet */
    double *sums;    /* the type's; all zeros at the beginning */
} nm_metric_state;

/* A kind of metric, as registered. The options and the batch are checked already. */
typedef struct nm_metric_type {
    nm_item item;
    bool wants_labels;              /* class labels, else values */
    bool higher_is_better;          /* which way early stopping and best-model keeping look */
    int64_t (*sums)(int64_t width); /* how many `sums` there are for so many outputs */
    void (*add)(const void *options, nm_metric_state *state, const nm_metric_batch *batch);
    double (*value)(const void *options, const nm_metric_state *state);
    /* Of class or output `index` alone; NaN where it has none. NULL: there are no parts. */
    double (*part)(const void *options, const nm_metric_state *state, int64_t index);
    /* Whether the options fit so many outputs. NULL: always. */
    nm_status (*check)(nm_context *context, const void *options, int64_t width);
    /* What it is called with these options, in `text`. NULL: by the item's name. */
    void (*label)(const void *options, char text[64]);
    bool is_share; /* the share of samples that are right: nm_wilson_interval() fits */
    bool of_rows;  /* values are labels in a row, and so are outputs: both may be padded behind */
} nm_metric_type;

/* A metric being gathered. */
typedef struct nm_metric {
    nm_context *context;
    const nm_metric_type *type;
    const void *options; /* of type->item.spec, the caller's; NULL if the type has none */
    nm_ignored ignored;  /* samples to leave out; none, unless set after nm_metric_begin() */
    double padding;      /* of metrics of rows; NaN, none, unless set likewise */
    nm_metric_state state;
} nm_metric;

/* Begins `type` with `options` (NULL: its defaults). Needs no end before the first nm_metric_add().
 */
NM_API nm_status nm_metric_begin(nm_metric *metric, nm_context *context, const nm_metric_type *type,
                                 const void *options);
/* Adds the outputs [count, ...] (f32) of a network for a batch, samples to be ignored left out.
 * Values are seen in the target's own unit. NM_ERROR_INPUT if the targets are not of the sort the
 * metric wants, a label is no class of the output, or shapes do not fit. Allocates at the first
 * call, or where the width changes, which begins anew. */
NM_API nm_status nm_metric_add(nm_metric *metric, nm_tensor *outputs, const nm_batch *batch);
/* The value over all samples added; NaN if there were none. */
NM_API double nm_metric_value(const nm_metric *metric);
/* Of one class, or of one of the numbers predicted, `index` below state.width; NaN if the metric
 * has none. */
NM_API double nm_metric_part(const nm_metric *metric, int64_t index);
NM_API void nm_metric_end(nm_metric *metric); /* gives its memory back; twice is fine */

/* ---- More than a number: what some metrics have gathered beside their value ---- */

/* Of precision, recall, f1 and balanced_accuracy; zeros of others. */
typedef struct nm_class_counts {
    double right;     /* samples of the class that are predicted as it */
    double predicted; /* samples that are predicted as it */
    double actual;    /* samples of it */
} nm_class_counts;
NM_API nm_class_counts nm_metric_class_counts(const nm_metric *metric, int64_t index);

/* Of nm_metric_confusion: how many samples of class `actual` were predicted as `predicted`. */
NM_API double nm_metric_confused(const nm_metric *metric, int64_t actual, int64_t predicted);

#define NM_RELIABILITY_BINS 15

/* Of expected_calibration_error, `bin` from 0: the samples whose confidence lies above `from`, and
 * not above `to`. */
typedef struct nm_reliability_bin {
    double from, to;
    int64_t samples;
    double confidence, accuracy; /* means; NaN: there are no samples */
} nm_reliability_bin;
NM_API nm_reliability_bin nm_metric_reliability(const nm_metric *metric, int bin);

/* ---- Several of them, as an option gives them ---- */

NM_API const nm_metric_type *nm_metric_type_of(const nm_choice *choice); /* NULL: no item */
/* What a metric is called with its options: "accuracy", "top_3_accuracy". Returns text. */
NM_API const char *nm_metric_label(const nm_choice *choice, char text[64]);
/* Whether the metric's options fit a network of so many outputs. */
NM_API nm_status nm_metric_check(nm_context *context, const nm_choice *choice, int64_t width);

/* ---- How sure a share is ---- */

typedef struct nm_interval {
    double low, high;
} nm_interval;

/* Wilson's score interval of 95 % for a share p of n samples (E. B. Wilson, "Probable inference,
 * the law of succession, and statistical inference", JASA 22, 1927), z = 1.96:
 *
 *     (p + z^2 / 2n +- z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n)
 *
 * It stays within 0..1, also for few samples and shares near 0 or 1. NaNs if `count` is below 1 or
 * the share is none. */
NM_API nm_interval nm_wilson_interval(double share, int64_t count);
#define NM_FEW_SAMPLES 200 /* of fewer, the interval is so wide that it should be told in words */

/* ---- The built-in ones; docs/reference.md says what they are ---- */

typedef struct nm_top_k_options {
    int64_t k
        NM_DEFAULT(5); /* how many of the largest outputs count; below the number of outputs */
} nm_top_k_options;
#define NM_TOP_K_DEFAULTS .k = 5
#define nm_top_k(...)                                                                              \
    NM_CHOICE(nm_metric_top_k_accuracy, nm_top_k_options, NM_TOP_K_DEFAULTS, __VA_ARGS__)

/* Of precision, recall and f1. */
typedef struct nm_class_metric_options {
    int64_t of_class; /* "class": the one to look at; -1: the mean over all */
} nm_class_metric_options;
#define NM_CLASS_METRIC_DEFAULTS .of_class = -1

extern NM_API const nm_metric_type nm_metric_accuracy;
extern NM_API const nm_metric_type nm_metric_top_k_accuracy; /* nm_top_k_options */
extern NM_API const nm_metric_type nm_metric_balanced_accuracy;
extern NM_API const nm_metric_type nm_metric_precision; /* nm_class_metric_options */
extern NM_API const nm_metric_type nm_metric_recall;    /* the same */
extern NM_API const nm_metric_type nm_metric_f1;        /* the same */
extern NM_API const nm_metric_type nm_metric_expected_calibration_error;
extern NM_API const nm_metric_type nm_metric_label_error_rate;  /* of rows of labels */
extern NM_API const nm_metric_type nm_metric_sequence_accuracy; /* the same */
extern NM_API const nm_metric_type nm_metric_r2;
extern NM_API const nm_metric_type nm_metric_mean_absolute_error;
extern NM_API const nm_metric_type nm_metric_root_mean_squared_error;
/* Not registered. Its value is the accuracy; it holds classes * classes numbers. */
extern NM_API const nm_metric_type nm_metric_confusion;

#ifdef __cplusplus
}
#endif
#endif
