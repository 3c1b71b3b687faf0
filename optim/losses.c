/* The built-in losses. */
#include "ops/basic.h"
#include "ops/loss.h"
#include "optim/table.h"

/* ---- Cross entropy ---- */

/* Numbers as a tensor, with its elements on a dry tape, too; NULL: none. */
static nm_tensor *tensor_of(const nm_numbers *numbers, nm_tape *tape)
{
    if (!numbers->count) {
        return NULL;
    }
    bool dry = nm_tape_set_dry(tape, false);
    nm_tensor *weight = nm_tape_tensor(tape, NM_F32, NM_SHAPE(numbers->count));
    float *values = nm_tensor_f32(weight);
    for (int64_t k = 0; values && k < numbers->count; k++) {
        values[k] = (float)numbers->at[k];
    }
    nm_tape_set_dry(tape, dry);
    return weight;
}

static nm_tensor *cross_entropy(const void *options, nm_tape *tape, nm_tensor *outputs,
                                nm_tensor *targets)
{
    const nm_cross_entropy_loss_options *o = options;
    nm_tensor *weight = tensor_of(&o->weight, tape);
    if (o->weight.word) {
        nm_fail(nm_tape_context(tape), NM_ERROR_INPUT,
                "cross_entropy: \"weight\" is balanced, but no training set was counted; call "
                "nm_loss_prepare() first");
    }
    return nm_weighted_cross_entropy(tape, outputs, targets, weight,
                                     .label_smoothing = o->label_smoothing,
                                     .ignore_index = o->ignore_index);
}

/* What a sample of that label counts. */
static double weight_of(const nm_cross_entropy_loss_options *o, int64_t label)
{
    if (label == o->ignore_index) {
        return 0;
    }
    return !o->weight.count ? 1 : label >= 0 && label < o->weight.count ? o->weight.at[label] : 0;
}

static double cross_entropy_weight(const void *options, const nm_batch *batch)
{
    const int32_t *labels = batch->targets;
    int64_t rows = nm_shape_count(&batch->target_shape);
    double sum = 0;
    for (int64_t i = 0; i < rows; i++) {
        sum += weight_of(options, labels[i]);
    }
    return sum;
}

static nm_ignored cross_entropy_ignored(const void *options)
{
    const nm_cross_entropy_loss_options *o = options;
    return (nm_ignored){.on = true, .label = o->ignore_index};
}

/* ---- Weights of the classes ---- */

static bool cross_entropy_follows_data(const void *options)
{
    return ((const nm_cross_entropy_loss_options *)options)->weight.word ==
           NM_CLASS_WEIGHT_BALANCED;
}

/* counts[c]: samples of class c. Returns how many classes have any. */
static int64_t count_classes(const nm_dataset *set, double *counts)
{
    const int32_t *labels = set->targets;
    int64_t present = 0;
    for (int64_t i = 0; i < set->count; i++) {
        int64_t label = labels[set->rows ? set->rows[i] : i];
        if (!nm_is_ignored(&set->ignored, label)) {
            present += counts[label]++ == 0;
        }
    }
    return present;
}

/* scikit-learn's compute_class_weight(): samples / (classes * samples of the class). */
static nm_status balance(nm_context *context, void *options, const nm_dataset *train,
                         int64_t outputs, void **memory)
{
    nm_cross_entropy_loss_options *o = options;
    if (train->target_dtype != NM_I32 || !train->targets || !train->classes) {
        return nm_fail(context, NM_ERROR_INPUT,
                       "cross_entropy: \"weight\" is balanced, but the training set has no class "
                       "labels to count");
    }
    int64_t most = outputs > train->classes ? outputs : train->classes;
    double *weights = nm_alloc_zero(context, (size_t)most, sizeof *weights);
    if (!weights) {
        return NM_ERROR_MEMORY;
    }
    double samples = (double)nm_dataset_counted(train);
    double classes = (double)count_classes(train, weights);
    for (int64_t c = 0; c < most; c++) { /* that of a class without samples, 1, meets none */
        weights[c] = weights[c] > 0 ? samples / (classes * weights[c]) : 1;
    }
    *memory = weights;
    o->weight = (nm_numbers){.count = outputs ? outputs : train->classes, .at = weights};
    return NM_OK;
}

static nm_status check_weights(nm_context *context, const void *options, int64_t outputs)
{
    const nm_numbers *weight = &((const nm_cross_entropy_loss_options *)options)->weight;
    double largest = weight->count ? 0 : 1;
    for (int64_t c = 0; c < weight->count; c++) {
        largest = fmax(largest, weight->at[c]);
    }
    if (largest <= 0) {
        return nm_fail(context, NM_ERROR_INPUT,
                       "cross_entropy: \"weight\" is 0 for all classes, so there is nothing to "
                       "learn from; give one above 0 to those that count");
    }
    if (!weight->count || weight->count == outputs) {
        return NM_OK;
    }
    return nm_fail(context, NM_ERROR_INPUT,
                   "cross_entropy: \"weight\" has %lld number%s, but the network has %lld outputs; "
                   "give one for each class",
                   (long long)weight->count, weight->count == 1 ? "" : "s", (long long)outputs);
}

static const char *const weight_words[] = {"balanced", NULL};
static const nm_cross_entropy_loss_options defaults = {NM_CROSS_ENTROPY_LOSS_DEFAULTS};
NM_OPTIONS_INIT(nm_cross_entropy_loss_options, defaults)
static const nm_option rows[] = {
    {NM_FIELD(nm_cross_entropy_loss_options, label_smoothing), NM_OPTION_FLOAT, .max = 1,
     .doc = "how much of the target is spread evenly over all classes; in evaluation too, so that "
            "its loss and that of training compare"},
    {NM_FIELD(nm_cross_entropy_loss_options, ignore_index), NM_OPTION_INT, .also = "ignore_label",
     .doc = "samples with this label count for nothing: in the loss, in metrics, as a class"},
    {NM_FIELD(nm_cross_entropy_loss_options, weight), NM_OPTION_NUMBERS,
     .also = "class_weight class_weights weights", .names = weight_words, .max = 1e30,
     .doc = "how much a sample of each class counts, in evaluation too; balanced: as if each class "
            "had as many training samples, samples / (classes * samples of the class)"},
};
static const nm_advice advice[] = {
    {"reduction", NULL, "leave it out: the loss is the mean over a batch"},
    {"from_logits", NULL, "leave it out: the loss takes the outputs before a softmax"},
    {NULL, NULL, NULL},
};
static const nm_spec spec = {.name = "nm_cross_entropy_loss_options",
                             .size = sizeof(nm_cross_entropy_loss_options),
                             .defaults = &defaults,
                             .options = rows,
                             .count = NM_COUNT_OF(rows),
                             .advice = advice};

const nm_loss_type nm_loss_cross_entropy = {
    .item = NM_ITEM(nm_loss_type, "cross_entropy", "for classes: of the outputs' softmax",
                    .also = "categorical_crossentropy sparse_categorical_crossentropy softmax "
                            "log_loss",
                    .spec = &spec,
                    .doc = "The mean over the samples of -log softmax(outputs)[label]. The network "
                           "ends with [batch, classes] outputs and without a softmax. With "
                           "weights, the mean is divided by the sum of the samples' weights."),
    .wants_labels = true,
    .metric = "accuracy",
    .compute = cross_entropy,
    .weight = cross_entropy_weight,
    .takes_softmax = true,
    .ignored = cross_entropy_ignored,
    .follows_data = cross_entropy_follows_data,
    .prepare = balance,
    .check = check_weights,
};

/* ---- Negative log likelihood ---- */

static nm_tensor *nll(const void *options, nm_tape *tape, nm_tensor *outputs, nm_tensor *targets)
{
    const nm_nll_loss_options *o = options;
    return nm_nll(tape, outputs, targets, .ignore_index = o->ignore_index);
}

static double nll_weight(const void *options, const nm_batch *batch)
{
    const int64_t ignored = ((const nm_nll_loss_options *)options)->ignore_index;
    const int32_t *labels = batch->targets;
    int64_t all = nm_shape_count(&batch->target_shape), count = 0;
    for (int64_t i = 0; i < all; i++) {
        count += labels[i] != ignored;
    }
    return (double)count;
}

static nm_ignored nll_ignored(const void *options)
{
    return (nm_ignored){.on = true, .label = ((const nm_nll_loss_options *)options)->ignore_index};
}

static const nm_nll_loss_options nll_defaults = {NM_NLL_LOSS_DEFAULTS};
NM_OPTIONS_INIT(nm_nll_loss_options, nll_defaults)
static const nm_option nll_rows[] = {
    {NM_FIELD(nm_nll_loss_options, ignore_index), NM_OPTION_INT, .also = "ignore_label",
     .doc = "samples with this label count for nothing: in the loss, in metrics, as a class"},
};
static const nm_spec nll_spec = {.name = "nm_nll_loss_options",
                                 .size = sizeof(nm_nll_loss_options),
                                 .defaults = &nll_defaults,
                                 .options = nll_rows,
                                 .count = NM_COUNT_OF(nll_rows)};

const nm_loss_type nm_loss_nll = {
    .item = NM_ITEM(nm_loss_type, "nll", "for classes: of logarithms of probabilities",
                    .also = "nll_loss negative_log_likelihood", .spec = &nll_spec,
                    .doc = "The mean over the samples of -output[label]. The network ends with "
                           "log_softmax. cross_entropy takes that itself, and is faster."),
    .wants_labels = true,
    .metric = "accuracy",
    .compute = nll,
    .weight = nll_weight,
    .takes_log_softmax = true,
    .ignored = nll_ignored,
};

/* ---- Binary cross entropy ---- */

static nm_tensor *bce_with_logits(const void *options, nm_tape *tape, nm_tensor *outputs,
                                  nm_tensor *targets)
{
    const nm_bce_with_logits_loss_options *o = options;
    return nm_weighted_bce_with_logits(tape, outputs, targets, NULL,
                                       tensor_of(&o->pos_weight, tape));
}

static nm_status check_pos_weight(nm_context *context, const void *options, int64_t outputs)
{
    const nm_numbers *weight = &((const nm_bce_with_logits_loss_options *)options)->pos_weight;
    if (!weight->count || weight->count == outputs) {
        return NM_OK;
    }
    return nm_fail(context, NM_ERROR_INPUT,
                   "bce_with_logits: \"pos_weight\" has %lld number%s, but the network has %lld "
                   "outputs; give one for each",
                   (long long)weight->count, weight->count == 1 ? "" : "s", (long long)outputs);
}

static const nm_bce_with_logits_loss_options bce_defaults = {NM_BCE_WITH_LOGITS_LOSS_DEFAULTS};
NM_OPTIONS_INIT(nm_bce_with_logits_loss_options, bce_defaults)
static const nm_option bce_rows[] = {
    {NM_FIELD(nm_bce_with_logits_loss_options, pos_weight), NM_OPTION_NUMBERS, .max = 1e30,
     .doc = "how much a 1 counts, one number for each output; a 0 counts 1"},
};
static const nm_spec bce_spec = {.name = "nm_bce_with_logits_loss_options",
                                 .size = sizeof(nm_bce_with_logits_loss_options),
                                 .defaults = &bce_defaults,
                                 .options = bce_rows,
                                 .count = NM_COUNT_OF(bce_rows)};

static nm_tensor *probabilities(const void *options, nm_tape *tape, nm_tensor *outputs)
{
    (void)options;
    return nm_sigmoid(tape, outputs);
}

const nm_loss_type nm_loss_bce_with_logits = {
    .item = NM_ITEM(
        nm_loss_type, "bce_with_logits", "for values that are 0 or 1: of the outputs' sigmoid",
        .also = "bce binary_crossentropy binary_cross_entropy sigmoid", .spec = &bce_spec,
        .doc = "The mean over all elements of -t log p - (1 - t) log(1 - p), with p = "
               "sigmoid(output) and targets t from 0 to 1, which stay as they are: of "
               "one question, or of several that are answered each for itself. The "
               "network ends without a sigmoid; metrics see p, and p is predicted."),
    .metric = "binary_accuracy",
    .compute = bce_with_logits,
    .takes_sigmoid = true,
    .predicted = probabilities,
    .check = check_pos_weight,
};

/* ---- Mean squared error ---- */

static nm_tensor *mse(const void *options, nm_tape *tape, nm_tensor *outputs, nm_tensor *targets)
{
    (void)options;
    return nm_mse(tape, outputs, targets);
}

const nm_loss_type nm_loss_mse = {
    .item = NM_ITEM(nm_loss_type, "mse", "for values: mean squared error",
                    .also = "mean_squared_error l2 squared_error",
                    .doc = "The mean over all elements of (output - target)^2. Outputs and targets "
                           "have the same shape."),
    .metric = "r2",
    .compute = mse,
};

/* ---- Huber loss ---- */

/* [batch] against [batch, 1] would broadcast. */
static bool check_same(nm_tape *tape, const nm_tensor *outputs, const nm_tensor *targets)
{
    const nm_shape *x = nm_tensor_shape(outputs), *t = nm_tensor_shape(targets);
    char a[NM_SHAPE_TEXT], b[NM_SHAPE_TEXT];
    if (nm_shape_equal(x, t)) {
        return true;
    }
    nm_fail(nm_tape_context(tape), NM_ERROR_INPUT,
            "huber: target %s must have the shape of the outputs %s", nm_shape_text(t, a),
            nm_shape_text(x, b));
    return false;
}

static nm_tensor *huber(const void *options, nm_tape *tape, nm_tensor *outputs, nm_tensor *targets)
{
    const nm_huber_loss_options *o = options;
    if (!check_same(tape, outputs, targets)) {
        return NULL;
    }
    return nm_mean(tape, nm_huber(tape, nm_sub(tape, outputs, targets), .delta = o->delta));
}

static const nm_huber_loss_options huber_defaults = {NM_HUBER_LOSS_DEFAULTS};
NM_OPTIONS_INIT(nm_huber_loss_options, huber_defaults)
static const nm_option huber_rows[] = {
    {NM_FIELD(nm_huber_loss_options, delta), NM_OPTION_FLOAT, .also = "beta", .min = 0, .max = 1e30,
     .flags = NM_MIN_OPEN,
     .doc = "up to this size an error counts as its square; in what the network predicts: "
            "deviations, where targets are standardized"},
};
static const nm_spec huber_spec = {.name = "nm_huber_loss_options",
                                   .size = sizeof(nm_huber_loss_options),
                                   .defaults = &huber_defaults,
                                   .options = huber_rows,
                                   .count = NM_COUNT_OF(huber_rows)};

const nm_loss_type nm_loss_huber = {
    .item = NM_ITEM(nm_loss_type, "huber", "for values: squared error, far errors count less",
                    .also = "smooth_l1", .spec = &huber_spec,
                    .doc = "The mean over all elements of e^2 / 2 where |e| <= delta, else delta "
                           "(|e| - delta / 2), of e = output - target: outliers pull with a force "
                           "that does not grow. Outputs and targets have the same shape."),
    .metric = "r2",
    .compute = huber,
};

/* ---- Absolute error ---- */

static nm_tensor *l1(const void *options, nm_tape *tape, nm_tensor *outputs, nm_tensor *targets)
{
    (void)options;
    return nm_l1(tape, outputs, targets);
}

const nm_loss_type nm_loss_l1 = {
    .item = NM_ITEM(nm_loss_type, "l1", "for values: mean absolute error",
                    .also = "mae mean_absolute_error absolute_error",
                    .doc = "The mean over all elements of |output - target|: what is learnt is the "
                           "median. Outputs and targets have the same shape."),
    .metric = "mean_absolute_error",
    .compute = l1,
};
