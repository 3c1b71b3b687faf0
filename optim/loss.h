/* Losses: one number that says how far a network's output is from its targets. */
#ifndef NM_OPTIM_LOSS_H
#define NM_OPTIM_LOSS_H

#include "core/op.h"
#include "optim/data/loader.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A kind of loss, as registered. */
typedef struct nm_loss_type {
    nm_item item;
    bool wants_labels;  /* class labels, else values */
    const char *metric; /* the metric that usually goes with it; NULL: none */
    /* The mean over the batch, one element. What it does depends on options, shapes and types
     * alone; it may be kept and done again without a call (optim/steps.h), unless it reads
     * elements. */
    nm_tensor *(*compute)(const void *options, nm_tape *tape, nm_tensor *outputs,
                          nm_tensor *targets);
    /* What the mean is over: how much this batch weighs against others. NULL: its samples. */
    double (*weight)(const void *options, const nm_batch *batch);
    /* The label whose samples count for nothing. NULL: none. */
    nm_ignored (*ignored)(const void *options);
    bool takes_softmax;     /* of the outputs, which are of any size: none must come before it */
    bool takes_log_softmax; /* outputs are logarithms of probabilities: it must come before it */
    /* Targets are values from 0 to 1, as they stand, and outputs of any size: their sigmoid is what
     * metrics see and what is predicted. */
    bool takes_sigmoid;
    bool keeps_targets; /* they are values that are not standardized, such as labels in a row */
    /* What outputs predict in the targets' terms, f32, which is what metrics see. NULL: they do. */
    nm_tensor *(*predicted)(const void *options, nm_tape *tape, nm_tensor *outputs);
    /* Where targets, and what is predicted, are labels in a row: what stands behind a row's. NULL:
     * they are not. */
    double (*padding)(const void *options);
    /* Whether the options leave something to the training set. NULL: never. */
    bool (*follows_data)(const void *options);
    /* Works that out: `options` is a copy to be changed; memory that it needs, from the context,
     * goes to *memory. `outputs` as for nm_loss_prepare(). */
    nm_status (*prepare)(nm_context *context, void *options, const nm_dataset *train,
                         int64_t outputs, void **memory);
    /* Whether the options fit so many outputs. NULL: always. */
    nm_status (*check)(nm_context *context, const void *options, int64_t outputs);
} nm_loss_type;

/* A loss with its options. */
typedef struct nm_loss {
    nm_context *context;
    const nm_loss_type *type;
    const void *options; /* the caller's, or `prepared` */
    void *prepared;      /* options that say what follows from the training set; NULL: none do */
    void *memory;        /* of theirs */
} nm_loss;

/* `choice` is of kind NM_KIND_LOSS; its options must outlive the loss (NULL: the defaults). Needs
 * no end before nm_loss_prepare(). */
NM_API nm_status nm_loss_begin(nm_loss *loss, nm_context *context, const nm_choice *choice);
/* Works out what the options leave to the training set; NULL, where there is none, is an error
 * then. From then on they say it as numbers, and so does what is saved of them. `outputs`: of the
 * network for a sample; 0: not known, then as many as the set has classes. */
NM_API nm_status nm_loss_prepare(nm_loss *loss, const nm_dataset *train, int64_t outputs);
/* Whether the options fit a network of so many outputs. */
NM_API nm_status nm_loss_check(const nm_loss *loss, int64_t outputs);
NM_API void nm_loss_end(nm_loss *loss); /* gives its memory back; twice is fine */
/* The mean loss of the batch, on the tape. NULL, with an error that names both shapes, if outputs
 * and targets do not fit; the batch must stay until the tape's reset. */
NM_API nm_tensor *nm_loss_of(const nm_loss *loss, nm_tape *tape, nm_tensor *outputs,
                             const nm_batch *batch);
/* Of targets that are on the tape already. */
nm_tensor *nm_loss_compute(const nm_loss *loss, nm_tape *tape, nm_tensor *outputs,
                           nm_tensor *targets);
/* What outputs of the network predict, in the targets' terms: the outputs, or what the loss makes
 * of them. */
nm_tensor *nm_loss_predicted(const nm_loss *loss, nm_tape *tape, nm_tensor *outputs);
/* The weight of that mean: sums of weight * mean over sum of weights do not depend on how samples
 * are cut into batches. */
NM_API double nm_loss_weight(const nm_loss *loss, const nm_batch *batch);

/* The label that the loss ignores, so that metrics and data sets ignore the same. */
NM_API nm_ignored nm_loss_ignored(const nm_loss *loss);
/* The same of a choice that nothing began yet; no item: none. */
NM_API nm_ignored nm_loss_choice_ignored(const nm_choice *choice);

/* Where the loss is for labels in a row: true, and what stands behind a row's labels. */
NM_API bool nm_loss_choice_padding(const nm_choice *choice, double *padding);

/* `given`, but `saved` where the options of `given` leave something to the training set that those
 * of `saved`, of the same loss, say. For evaluation without that set. */
NM_API nm_choice nm_loss_choice_resolve(const nm_choice *given, const nm_choice *saved);

/* What targets the loss needs; no item: any. */
NM_API int nm_loss_choice_wants(const nm_choice *choice); /* nm_wanted */

/* ---- The built-in ones ---- */

/* Of softmax(outputs) against labels: nm_weighted_cross_entropy() in ops/loss.h. */
#define NM_CLASS_WEIGHT_BALANCED 1 /* nm_cross_entropy_loss_options.weight.word */

typedef struct nm_cross_entropy_loss_options {
    double label_smoothing NM_DEFAULT(0); /* in training and evaluation */
    int64_t ignore_index NM_DEFAULT(-100);
    nm_numbers weight NM_DEFAULT({}); /* one a class; count 0: all 1; or balanced, see the option */
} nm_cross_entropy_loss_options;
#define NM_CROSS_ENTROPY_LOSS_DEFAULTS                                                             \
    .label_smoothing = 0, .ignore_index = -100, .weight = {0, NULL, 0}
/* A choice of it: nm_cross_entropy_loss(.label_smoothing = 0.1). */
#define nm_cross_entropy_loss(...)                                                                 \
    NM_CHOICE(nm_loss_cross_entropy, nm_cross_entropy_loss_options,                                \
              NM_CROSS_ENTROPY_LOSS_DEFAULTS, __VA_ARGS__)
NM_API void nm_cross_entropy_loss_options_init(nm_cross_entropy_loss_options *options);
extern NM_API const nm_loss_type nm_loss_cross_entropy;

/* -output[label], of outputs that are logarithms of probabilities: nm_nll() in ops/loss.h. */
typedef struct nm_nll_loss_options {
    int64_t ignore_index NM_DEFAULT(-100);
} nm_nll_loss_options;
#define NM_NLL_LOSS_DEFAULTS .ignore_index = -100
#define nm_nll_loss(...)                                                                           \
    NM_CHOICE(nm_loss_nll, nm_nll_loss_options, NM_NLL_LOSS_DEFAULTS, __VA_ARGS__)
NM_API void nm_nll_loss_options_init(nm_nll_loss_options *options);
extern NM_API const nm_loss_type nm_loss_nll;

/* Of softmax(outputs) [batch, steps, classes] against labels in a row, [batch, labels], as values:
 * nm_ctc() in ops/loss.h. What is predicted is nm_ctc_decode() of outputs, as f32 [batch, steps].
 */
typedef struct nm_ctc_loss_options {
    int64_t blank NM_DEFAULT(0);    /* the class that stands for no label */
    int64_t padding NM_DEFAULT(-1); /* what stands behind a row's labels */
    bool zero_infinity NM_DEFAULT(false);
    /* Steps behind the last with another output do not count; NM_NO_LIMIT: all do. */
    double mask_value NM_DEFAULT(NM_NO_LIMIT);
} nm_ctc_loss_options;
#define NM_CTC_LOSS_DEFAULTS                                                                       \
    .blank = 0, .padding = -1, .zero_infinity = false, .mask_value = NM_NO_LIMIT
#define nm_ctc_loss(...)                                                                           \
    NM_CHOICE(nm_loss_ctc, nm_ctc_loss_options, NM_CTC_LOSS_DEFAULTS, __VA_ARGS__)
NM_API void nm_ctc_loss_options_init(nm_ctc_loss_options *options);
extern NM_API const nm_loss_type nm_loss_ctc;

/* Of sigmoid(outputs) against values from 0 to 1: nm_bce_with_logits() in ops/loss.h. */
typedef struct nm_bce_with_logits_loss_options {
    nm_numbers pos_weight NM_DEFAULT({}); /* how much a 1 counts: one an output; count 0: all 1 */
} nm_bce_with_logits_loss_options;
#define NM_BCE_WITH_LOGITS_LOSS_DEFAULTS .pos_weight = {0, NULL, 0}
#define nm_bce_with_logits_loss(...)                                                               \
    NM_CHOICE(nm_loss_bce_with_logits, nm_bce_with_logits_loss_options,                            \
              NM_BCE_WITH_LOGITS_LOSS_DEFAULTS, __VA_ARGS__)
NM_API void nm_bce_with_logits_loss_options_init(nm_bce_with_logits_loss_options *options);
extern NM_API const nm_loss_type nm_loss_bce_with_logits;

extern NM_API const nm_loss_type nm_loss_l1;  /* mean of |output - target|; without options */
extern NM_API const nm_loss_type nm_loss_mse; /* mean of (output - target)^2; without options */

/* The mean of nm_huber(output - target), of ops/loss.h. */
typedef struct nm_huber_loss_options {
    double delta NM_DEFAULT(
        1); /* in what the network predicts: deviations, where targets are standardized */
} nm_huber_loss_options;
#define NM_HUBER_LOSS_DEFAULTS .delta = 1
#define nm_huber_loss(...)                                                                         \
    NM_CHOICE(nm_loss_huber, nm_huber_loss_options, NM_HUBER_LOSS_DEFAULTS, __VA_ARGS__)
NM_API void nm_huber_loss_options_init(nm_huber_loss_options *options);
extern NM_API const nm_loss_type nm_loss_huber;

#ifdef __cplusplus
}
#endif
#endif
