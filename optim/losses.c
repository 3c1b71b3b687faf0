/* The built-in losses. */
#include "ops/loss.h"
#include "optim/table.h"

/* ---- Cross entropy ---- */

static nm_tensor *cross_entropy(const void *options, nm_tape *tape, nm_tensor *outputs,
                                nm_tensor *targets)
{
    const nm_cross_entropy_loss_options *o = options;
    return nm_cross_entropy(tape, outputs, targets, .label_smoothing = o->label_smoothing,
                            .ignore_index = o->ignore_index);
}

/* The rows that count. */
static int64_t cross_entropy_weight(const void *options, const nm_batch *batch)
{
    const nm_cross_entropy_loss_options *o = options;
    const int32_t *labels = batch->targets;
    int64_t rows = nm_shape_count(&batch->target_shape), counted = 0;
    for (int64_t i = 0; i < rows; i++) {
        counted += labels[i] != o->ignore_index;
    }
    return counted;
}

static nm_ignored cross_entropy_ignored(const void *options)
{
    const nm_cross_entropy_loss_options *o = options;
    return (nm_ignored){.on = true, .label = o->ignore_index};
}

static const nm_cross_entropy_loss_options defaults = {NM_CROSS_ENTROPY_LOSS_DEFAULTS};
static const nm_option rows[] = {
    {NM_FIELD(nm_cross_entropy_loss_options, label_smoothing), NM_OPTION_FLOAT, .max = 1,
     .doc = "how much of the target is spread evenly over all classes; in evaluation too, so that "
            "its loss and that of training compare"},
    {NM_FIELD(nm_cross_entropy_loss_options, ignore_index), NM_OPTION_INT,
     .doc = "samples with this label count for nothing: in the loss, in metrics, as a class"},
};
static const nm_spec spec = {.name = "nm_cross_entropy_loss_options",
                             .size = sizeof(nm_cross_entropy_loss_options),
                             .defaults = &defaults,
                             .options = rows,
                             .count = NM_COUNT_OF(rows)};

const nm_loss_type nm_loss_cross_entropy = {
    .item = NM_ITEM(nm_loss_type, "cross_entropy", "for classes: of the outputs' softmax",
                    .spec = &spec,
                    .doc = "The mean over the samples of -log softmax(outputs)[label]. The network "
                           "ends with [batch, classes] outputs and without a softmax."),
    .wants_labels = true,
    .metric = "accuracy",
    .compute = cross_entropy,
    .weight = cross_entropy_weight,
    .takes_softmax = true,
    .ignored = cross_entropy_ignored,
};

/* ---- Mean squared error ---- */

static nm_tensor *mse(const void *options, nm_tape *tape, nm_tensor *outputs, nm_tensor *targets)
{
    (void)options;
    return nm_mse(tape, outputs, targets);
}

const nm_loss_type nm_loss_mse = {
    .item = NM_ITEM(nm_loss_type, "mse", "for values: mean squared error",
                    .doc = "The mean over all elements of (output - target)^2. Outputs and targets "
                           "have the same shape."),
    .metric = "r2",
    .compute = mse,
};
