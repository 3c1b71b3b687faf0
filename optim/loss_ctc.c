/* The loss of labels whose places in a sequence are not known. */
#include "ops/basic.h"
#include "ops/loss.h"
#include "ops/sequence.h"
#include "optim/table.h"

/* How many of a row's targets are labels: all up to the last that is no padding. A padding that
 * stands before that is a label like any other, or, where it is no class, found by ctc itself. */
static nm_tensor *count_labels(const nm_ctc_loss_options *o, nm_tape *tape, nm_tensor *targets)
{
    const nm_dtype dtype = nm_tensor_dtype(targets);
    nm_tensor *padding = nm_scalar(tape, dtype, (double)o->padding);
    nm_tensor *from_here =
        nm_cumsum(tape, nm_not_equal(tape, targets, padding), .axis = 1, .reverse = true);
    nm_tensor *counts = nm_not_equal(tape, from_here, nm_scalar(tape, dtype, 0));
    return nm_to_index(tape, nm_sum(tape, counts, .axes = NM_INTS(1)));
}

/* How many steps of each row count; NULL: all do. */
static nm_tensor *count_steps(const nm_ctc_loss_options *o, nm_tape *tape, nm_tensor *outputs)
{
    return o->mask_value == NM_NO_LIMIT ? NULL : nm_sequence_lengths(tape, outputs, o->mask_value);
}

static nm_tensor *ctc(const void *options, nm_tape *tape, nm_tensor *outputs, nm_tensor *targets)
{
    const nm_ctc_loss_options *o = options;
    const nm_shape *x = nm_tensor_shape(outputs), *t = nm_tensor_shape(targets);
    char a[NM_SHAPE_TEXT], b[NM_SHAPE_TEXT];
    if (x->rank != 3 || t->rank != 2) {
        nm_fail(nm_tape_context(tape), NM_ERROR_INPUT,
                "ctc: outputs %s and targets %s must be [batch, steps, classes] and [batch, "
                "labels]; a dense layer without activation behind layers over sequences makes such "
                "outputs",
                nm_shape_text(x, a), nm_shape_text(t, b));
        return NULL;
    }
    return nm_ctc(tape, nm_log_softmax(tape, outputs), nm_to_index(tape, targets),
                  count_steps(o, tape, outputs), count_labels(o, tape, targets), .blank = o->blank,
                  .zero_infinity = o->zero_infinity);
}

static nm_tensor *best_paths(const void *options, nm_tape *tape, nm_tensor *outputs)
{
    const nm_ctc_loss_options *o = options;
    nm_tensor *labels = nm_ctc_decode(tape, outputs, count_steps(o, tape, outputs),
                                      .blank = o->blank, .padding = o->padding);
    nm_tensor *y = labels ? nm_tape_tensor(tape, NM_F32, *nm_tensor_shape(labels)) : NULL;
    for (int64_t i = 0; y && i < nm_tensor_count(y); i++) {
        nm_tensor_set(y, i, nm_tensor_get(labels, i));
    }
    return y;
}

static double padding_of(const void *options)
{
    return (double)((const nm_ctc_loss_options *)options)->padding;
}

static const nm_ctc_loss_options defaults = {NM_CTC_LOSS_DEFAULTS};
NM_OPTIONS_INIT(nm_ctc_loss_options, defaults)
static const nm_named_value no_value[] = {{"none", NM_NO_LIMIT}, {NULL, 0}};
static const nm_option rows[] = {
    {NM_FIELD(nm_ctc_loss_options, blank), NM_OPTION_INT, .also = "blank_index", .min = 0,
     .max = 1e9, .doc = "the class that stands for no label"},
    {NM_FIELD(nm_ctc_loss_options, padding), NM_OPTION_INT, .also = "padding_value ignore_index",
     .min = -1e9, .max = 1e9,
     .doc = "the target that stands behind a row's labels, where others have more"},
    {NM_FIELD(nm_ctc_loss_options, zero_infinity), NM_OPTION_BOOL,
     .doc = "labels that cannot be, in too few steps, cost 0, with a gradient of 0, and not "
            "infinity"},
    {NM_FIELD(nm_ctc_loss_options, mask_value), NM_OPTION_FLOAT, .named = no_value,
     .min = -NM_NO_LIMIT, .max = NM_NO_LIMIT, .also = "masking input_lengths",
     .doc = "steps behind the last with another output than this do not count: 0 where lstm, gru "
            "or self_attention has a mask_value and no layer behind it a bias"},
};
static const nm_spec spec = {.name = "nm_ctc_loss_options",
                             .size = sizeof(nm_ctc_loss_options),
                             .defaults = &defaults,
                             .options = rows,
                             .count = NM_COUNT_OF(rows)};

const nm_loss_type nm_loss_ctc = {
    .item = NM_ITEM(nm_loss_type, "ctc", "for labels in a row: in sequences, their places unknown",
                    .also = "ctc_loss connectionist_temporal_classification", .spec = &spec,
                    .doc = "-log of the probability of all ways to read the labels off the steps, "
                           "once repetitions and blanks are taken out; the mean over the samples, "
                           "each divided by its number of labels. The network ends with [batch, "
                           "steps, classes] outputs and without a softmax; targets are numbers, "
                           "[samples, labels], as columns of a table or an array, padded behind. "
                           "All steps count, of padded ones the network learns that they are "
                           "blank, but for mask_value. What is predicted, and what metrics see, "
                           "are the labels of the best path (the op ctc_decode), padded behind. "
                           "Graves, Fernandez, Gomez, Schmidhuber 2006."),
    .metric = "label_error_rate",
    .compute = ctc,
    .predicted = best_paths,
    .padding = padding_of,
    .takes_softmax = true,
    .keeps_targets = true,
};
