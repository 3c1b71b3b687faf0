/* Connectionist temporal classification: the probability of labels whose places in a sequence are
 * not known. Graves, Fernandez, Gomez, Schmidhuber 2006. A path has a blank before, between and
 * behind its labels, L = 2 s + 1 places; with alpha_t(i) the logarithm of the probability of all
 * ways to be at place i after step t,
 *
 *     alpha_t(i) = log_probs_t(path(i)) + log(sum of exp alpha_t-1 at i, i - 1 and, where a label
 *                  is another than the one before, i - 2)
 *
 * from alpha = 0 at place 0, and the loss is minus what the last two places come to. Promises:
 *
 * 1. All is made of ops, so that there are gradients of any order; logarithms of 0 are LOWEST
 *    within, so that none of them is NaN.
 * 2. Steps are halved again and again: the gradient of one step's part of all is no tensor as
 *    large as all. */
#include <math.h>

#include "ops/basic.h"
#include "ops/define.h"
#include "ops/linear.h"
#include "ops/loss.h"
#include "ops/sequence.h"
#include "ops/table.h"

#define LOWEST (-1e30)

/* ---- ctc_paths: what the labels say of the places ---- */

enum { LABELS, SKIPS, LAST, PATH_OUTPUTS };

typedef struct path_options {
    size_t struct_size;
    int64_t steps, classes, blank;
} path_options;

static nm_status ctc_paths_infer(nm_infer *infer)
{
    const nm_shape *targets = infer->in[0], *lengths = infer->in[1];
    const path_options *o = infer->options;
    char a[NM_SHAPE_TEXT], b[NM_SHAPE_TEXT];
    if (targets->rank != 2 ||
        (lengths && (lengths->rank != 1 || lengths->dim[0] != targets->dim[0]))) {
        return nm_infer_fail(infer, "targets %s and their lengths %s must be [n, labels] and [n]",
                             nm_shape_text(targets, a),
                             lengths ? nm_shape_text(lengths, b) : "(none)");
    }
    const int64_t n = targets->dim[0], places = 2 * targets->dim[1] + 1;
    infer->out[LABELS] = NM_SHAPE(n, o->steps, places);
    infer->out[SKIPS] = infer->out[LAST] = NM_SHAPE(n, places);
    return NM_OK;
}

static nm_status bad_target(const nm_run *run, int64_t row, int64_t k, int64_t target)
{
    const path_options *o = run->options;
    return nm_run_fail(run, NM_ERROR_INPUT,
                       "targets at [%lld, %lld] is %lld; labels are classes from 0 to %lld, and "
                       "not the blank, %lld",
                       (long long)row, (long long)k, (long long)target, (long long)o->classes - 1,
                       (long long)o->blank);
}

/* The places of one row: `path` [places], repeated for each step by the caller. */
static nm_status fill_row(const nm_run *run, int64_t row, int64_t length, int32_t *path,
                          int32_t *skips, int32_t *last)
{
    const path_options *o = run->options;
    const int64_t labels = nm_tensor_shape(run->in[0])->dim[1];
    for (int64_t i = 0; i < 2 * labels + 1; i++) {
        path[i] = (int32_t)o->blank;
        skips[i] = 0;
        last[i] = i == 2 * length || (length > 0 && i == 2 * length - 1);
    }
    for (int64_t k = 0; k < length; k++) {
        const double target = nm_tensor_get(run->in[0], row * labels + k);
        if (target < 0 || target >= (double)o->classes || target == (double)o->blank) {
            return bad_target(run, row, k, (int64_t)target);
        }
        path[2 * k + 1] = (int32_t)target;
        skips[2 * k + 1] = k > 0 && path[2 * k + 1] != path[2 * k - 1];
    }
    return NM_OK;
}

static nm_status ctc_paths_forward(const nm_run *run)
{
    const nm_shape *shape = nm_tensor_shape(run->out[LABELS]);
    const int64_t steps = shape->dim[1], places = shape->dim[2];
    int32_t *path = nm_scratch(run->context, nm_bytes(places, sizeof *path));
    nm_status status = path ? NM_OK : NM_ERROR_MEMORY;
    for (int64_t row = 0; row < shape->dim[0] && status == NM_OK; row++) {
        const int64_t all = places / 2;
        const double length =
            run->x[1] ? nm_tensor_get(run->in[1], row) : (double)all; /* absent: all */
        if (length < 0 || length > (double)all) {
            status = nm_run_fail(run, NM_ERROR_INPUT,
                                 "target_lengths at [%lld] is %.0f; there are %lld labels",
                                 (long long)row, length, (long long)all);
            break;
        }
        status = fill_row(run, row, (int64_t)length, path, (int32_t *)run->y[SKIPS] + row * places,
                          (int32_t *)run->y[LAST] + row * places);
        for (int64_t i = 0; i < steps * places; i++) {
            ((int32_t *)run->y[LABELS])[row * steps * places + i] = path[i % places];
        }
    }
    nm_scratch_end(path);
    return status;
}

/* ---- ctc ---- */

enum { X, TARGETS, INPUT_LENGTHS, TARGET_LENGTHS, INPUTS };

typedef struct walk {
    nm_tape *tape;
    nm_tensor *lowest;        /* a number */
    nm_tensor *edge;          /* [n, 2] of it */
    nm_tensor *skips, *alpha; /* [n, places] */
    int64_t places;
} walk;

/* The places two, or one, before each of `padded`, which has two in front. */
static nm_tensor *before(const walk *w, nm_tensor *padded, int64_t from)
{
    return nm_slice(w->tape, padded, .axes = NM_INTS(1), .start = NM_INTS(from),
                    .stop = NM_INTS(from + w->places));
}

/* `emitted` [n, 1, places]; `counts` [n, 1] or NULL: the sequence has the step. */
static void take_step(walk *w, nm_tensor *emitted, nm_tensor *counts)
{
    nm_tape *tape = w->tape;
    nm_tensor *parts[] = {w->edge, w->alpha};
    nm_tensor *padded = nm_concat(tape, parts, 2, .axis = 1);
    nm_tensor *skipped = nm_where(tape, w->skips, before(w, padded, 0), w->lowest);
    nm_tensor *ways[] = {w->alpha, before(w, padded, 1), skipped};
    nm_tensor *sum = nm_logsumexp(tape, nm_stack(tape, ways, 3, .axis = 0), .axes = NM_INTS(0));
    nm_tensor *next = nm_add(tape, sum, nm_squeeze(tape, emitted, .axes = NM_INTS(1)));
    w->alpha = counts ? nm_where(tape, counts, next, w->alpha) : next;
}

static nm_tensor *steps_of(const walk *w, nm_tensor *x, int64_t begin, int64_t end)
{
    return x ? nm_slice(w->tape, x, .axes = NM_INTS(1), .start = NM_INTS(begin),
                        .stop = NM_INTS(end))
             : NULL;
}

/* Promise 2. `emitted` [n, steps, places], `counts` [n, steps]. */
static void take_steps(walk *w, nm_tensor *emitted, nm_tensor *counts)
{
    const int64_t steps = emitted ? nm_tensor_shape(emitted)->dim[1] : 0, half = steps / 2;
    if (steps < 2) {
        if (steps) take_step(w, emitted, counts);
        return;
    }
    take_steps(w, steps_of(w, emitted, 0, half), steps_of(w, counts, 0, half));
    take_steps(w, steps_of(w, emitted, half, steps), steps_of(w, counts, half, steps));
}

static bool has_shapes(nm_compose *c)
{
    const nm_shape *x = nm_tensor_shape(c->in[X]), *targets = nm_tensor_shape(c->in[TARGETS]);
    const nm_shape *lengths = c->in[INPUT_LENGTHS] ? nm_tensor_shape(c->in[INPUT_LENGTHS]) : NULL;
    const int64_t blank = ((const nm_ctc_options *)c->options)->blank;
    char a[NM_SHAPE_TEXT], b[NM_SHAPE_TEXT];
    if (x->rank != 3 || targets->rank != 2 || targets->dim[0] != x->dim[0]) {
        nm_compose_fail(c,
                        "log_probs %s and targets %s must be [n, steps, classes] and [n, labels]",
                        nm_shape_text(x, a), nm_shape_text(targets, b));
        return false;
    }
    if (lengths && (lengths->rank != 1 || lengths->dim[0] != x->dim[0])) {
        nm_compose_fail(c, "input_lengths %s must have one number for each row of log_probs %s",
                        nm_shape_text(lengths, a), nm_shape_text(x, b));
        return false;
    }
    if (blank >= x->dim[2]) {
        nm_compose_fail(c, "blank: %lld is no class of log_probs %s", (long long)blank,
                        nm_shape_text(x, a));
        return false;
    }
    return true;
}

/* Before the first step: at place 0. */
static nm_tensor *begun(const nm_compose *c, int64_t n, int64_t places)
{
    const nm_dtype dtype = nm_tensor_dtype(c->in[X]);
    nm_tensor *first = nm_full(c->tape, dtype, NM_SHAPE(n, 1), 0);
    nm_tensor *parts[] = {first, nm_full(c->tape, dtype, NM_SHAPE(n, places - 1), LOWEST)};
    return nm_concat(c->tape, parts, 2, .axis = 1);
}

/* Minus the logarithm of the labels' probability, [n]; -LOWEST or more of what cannot be. */
static nm_tensor *losses_of(const nm_compose *c)
{
    nm_tape *tape = c->tape;
    const nm_shape *x = nm_tensor_shape(c->in[X]), *targets = nm_tensor_shape(c->in[TARGETS]);
    const nm_dtype dtype = nm_tensor_dtype(c->in[X]);
    const int64_t n = x->dim[0], places = 2 * targets->dim[1] + 1;
    const path_options o = {sizeof o, x->dim[1], x->dim[2],
                            ((const nm_ctc_options *)c->options)->blank};
    nm_tensor *in[] = {c->in[TARGETS], c->in[TARGET_LENGTHS]}, *path[PATH_OUTPUTS];
    if (nm_apply(tape, &nm_op_ctc_paths, in, 2, &o, path) != NM_OK) {
        return NULL;
    }
    walk w = {.tape = tape,
              .lowest = nm_scalar(tape, dtype, LOWEST),
              .edge = nm_full(tape, dtype, NM_SHAPE(n, 2), LOWEST),
              .skips = path[SKIPS],
              .alpha = begun(c, n, places),
              .places = places};
    nm_tensor *emitted = nm_gather(tape, c->in[X], path[LABELS], .axis = 2);
    take_steps(&w, nm_maximum(tape, emitted, w.lowest),
               c->in[INPUT_LENGTHS] ? nm_sequence_mask(tape, c->in[INPUT_LENGTHS], x->dim[1])
                                    : NULL);
    nm_tensor *ends = nm_where(tape, path[LAST], w.alpha, w.lowest);
    return nm_neg(tape, nm_logsumexp(tape, ends, .axes = NM_INTS(1)));
}

/* What cannot be costs infinity, or nothing. */
static nm_tensor *with_infinity(const nm_compose *c, nm_tensor *losses)
{
    nm_tape *tape = c->tape;
    const nm_dtype dtype = nm_tensor_dtype(c->in[X]);
    const bool zero = ((const nm_ctc_options *)c->options)->zero_infinity;
    nm_tensor *possible = nm_less(tape, losses, nm_scalar(tape, dtype, -LOWEST / 10));
    if (zero) {
        return nm_where(tape, possible, losses, nm_scalar(tape, dtype, 0));
    }
    nm_tensor *factor =
        nm_where(tape, possible, nm_scalar(tape, dtype, 1), nm_scalar(tape, dtype, INFINITY));
    return nm_mul(tape, losses, factor); /* its gradient is not finite either */
}

/* How many labels each row has, at least 1: [n]. */
static nm_tensor *label_counts(const nm_compose *c)
{
    nm_tape *tape = c->tape;
    const nm_shape *targets = nm_tensor_shape(c->in[TARGETS]);
    const nm_dtype dtype = nm_tensor_dtype(c->in[X]);
    nm_tensor *one = nm_scalar(tape, dtype, 1);
    if (!c->in[TARGET_LENGTHS]) {
        return nm_scalar(tape, dtype, targets->dim[1] > 1 ? (double)targets->dim[1] : 1);
    }
    nm_tensor *counts = nm_sequence_mask(tape, c->in[TARGET_LENGTHS], targets->dim[1]);
    counts = nm_where(tape, counts, one, nm_scalar(tape, dtype, 0));
    return nm_maximum(tape, nm_sum(tape, counts, .axes = NM_INTS(1)), one);
}

static nm_tensor *ctc_compose(nm_compose *c)
{
    if (!has_shapes(c)) {
        return NULL;
    }
    nm_tensor *losses = with_infinity(c, losses_of(c));
    switch (((const nm_ctc_options *)c->options)->reduction) {
    case NM_LOSS_NONE: return losses;
    case NM_LOSS_SUM: return nm_sum(c->tape, losses);
    default: return nm_mean(c->tape, nm_div(c->tape, losses, label_counts(c)));
    }
}

/* ---- The ops ---- */

static const nm_sample ctc_paths_samples[] = {
    {.options = "{steps: 2, classes: 4, blank: 3}", .in = {NM_INDEX(3, 2, 3), NM_INDEX(4, 2)}}};
/* The blank stands last, so that no label is it. */
static const nm_sample ctc_samples[] = {
    {.options = "{blank: 3}", .in = {NM_NORMAL(2, 5, 4), NM_INDEX(3, 2, 2)}},
    {.options = "{blank: 3, reduction: sum, zero_infinity: true}",
     .in = {NM_NORMAL(3, 5, 4), NM_INDEX(3, 3, 3), NM_INDEX(6, 3), NM_INDEX(4, 3)}},
    {.options = "{blank: 2, reduction: none, zero_infinity: true}",
     .in = {NM_NORMAL(4, 4, 3), NM_INDEX(2, 4, 2), NM_INDEX(5, 4)}},
};

static const char *const reductions[] = {"mean", "sum", "none", NULL};
static const nm_ctc_options defaults = {NM_END(nm_ctc_options), NM_CTC_DEFAULTS};
NM_OPTIONS_INIT(nm_ctc_options, defaults)
static const nm_option options[] = {
    {NM_FIELD(nm_ctc_options, blank), NM_OPTION_INT, .min = 0, .max = 1e9,
     .doc = "the class that stands for no label"},
    {NM_FIELD(nm_ctc_options, reduction), NM_OPTION_ENUM, .names = reductions,
     .doc = "the mean of the rows' losses, each divided by its number of labels (by 1 of none), "
            "their sum, or every row's loss"},
    {NM_FIELD(nm_ctc_options, zero_infinity), NM_OPTION_BOOL,
     .doc = "labels that cannot be, in too few steps, cost 0, with a gradient of 0, and not "
            "infinity"},
};
static const nm_spec spec = NM_SPEC(nm_ctc_options, defaults, options);
static const path_options path_defaults = {.struct_size = sizeof(path_options), .classes = 1};
static const nm_option path_rows[] = {
    {NM_FIELD(path_options, steps), NM_OPTION_INT, .min = 0, .max = NM_NO_LIMIT,
     .flags = NM_REQUIRED, .doc = "of log_probs"},
    {NM_FIELD(path_options, classes), NM_OPTION_INT, .min = 0, .max = NM_NO_LIMIT,
     .flags = NM_REQUIRED, .doc = "of log_probs"},
    {NM_FIELD(path_options, blank), NM_OPTION_INT, .min = 0, .max = 1e9,
     .doc = "the class that stands for no label"},
};
static const nm_spec path_spec = NM_SPEC(path_options, path_defaults, path_rows);

#define INDEX_PORT(name_, doc_, flags_)                                                            \
    {                                                                                              \
        .name = name_, .doc = doc_, .type = NM_PORT_INDEX, .flags = flags_                         \
    }
#define TARGET_PORTS                                                                               \
    INDEX_PORT("targets",                                                                          \
               "[n, labels]: classes, none of them the blank; what is behind a row's "             \
               "length is not looked at",                                                          \
               0)
static const nm_port path_in[] = {TARGET_PORTS,
                                  INDEX_PORT("target_lengths", "[n]; none: all", NM_PORT_OPTIONAL)};
static const nm_port path_out[PATH_OUTPUTS] = {
    [LABELS] = INDEX_PORT("labels", "[n, steps, 2 labels + 1]: blanks and labels in turn", 0),
    [SKIPS] = INDEX_PORT("skips", "[n, 2 labels + 1]: 1 where two places may be gone at once", 0),
    [LAST] = INDEX_PORT("last", "[n, 2 labels + 1]: 1 where a path may end", 0),
};
static const nm_port inputs[INPUTS] = {
    [X] = {.name = "log_probs",
           .doc = "[n, steps, classes]: logarithms of probabilities, as of log_softmax"},
    [TARGETS] = TARGET_PORTS,
    [INPUT_LENGTHS] =
        INDEX_PORT("input_lengths", "[n]: steps that count; none: all", NM_PORT_OPTIONAL),
    [TARGET_LENGTHS] =
        INDEX_PORT("target_lengths", "[n]: labels that count; none: all", NM_PORT_OPTIONAL),
};
static const nm_port outputs[] = {{.name = "loss", .doc = "[], or [n] unreduced"}};

const nm_op nm_op_ctc_paths = {
    .item = NM_ITEM(nm_op, "ctc_paths", "the paths of ctc's labels", .spec = &path_spec,
                    .doc = "What ctc needs of its labels. No gradient."),
    .inputs = path_in,
    .outputs = path_out,
    .input_count = NM_COUNT_OF(path_in),
    .output_count = PATH_OUTPUTS,
    .flags = NM_OP_NO_VJP,
    .infer = ctc_paths_infer,
    .forward = ctc_paths_forward,
    .samples = ctc_paths_samples,
    .sample_count = NM_COUNT_OF(ctc_paths_samples),
};
NM_COMPOSED_OP(ctc, inputs, outputs, 0, "labels whose places in a sequence are not known",
               .spec = &spec, .also = "ctc_loss connectionist_temporal_classification",
               .doc =
                   "-log of the probability of all paths that are the labels once repetitions\n"
                   "and blanks are taken out. PyTorch's ctc_loss, but for the order of axes,\n"
                   "[n, steps, classes] here, and targets in one row each. The gradient is that\n"
                   "of log_probs as they are; PyTorch's is what log_softmax makes of it, so both\n"
                   "agree behind log_softmax alone. It can be differentiated again.\n"
                   "Graves, Fernandez, Gomez, Schmidhuber 2006.")

nm_tensor *nm_ctc_with(nm_tape *tape, nm_tensor *log_probs, nm_tensor *targets,
                       nm_tensor *input_lengths, nm_tensor *target_lengths, const nm_ctc_options *o)
{
    nm_tensor *y, *in[INPUTS] = {log_probs, targets, input_lengths, target_lengths};
    return nm_apply(tape, &nm_op_ctc, in, INPUTS, o, &y) == NM_OK ? y : NULL;
}
