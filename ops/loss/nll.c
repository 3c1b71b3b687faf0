/* The negative log likelihood of labels, from logarithms of probabilities. */
#include <string.h>

#include "ops/basic.h"
#include "ops/define.h"
#include "ops/loss.h"
#include "ops/table.h"

/* ---- nll_mask: where the labels are ---- */

typedef struct mask_options {
    NM_STRUCT_SIZE(mask_options);
    int64_t classes, ignore_index;
} mask_options;

static nm_status nll_mask_infer(nm_infer *infer)
{
    nm_shape *y = &infer->out[0];
    if (infer->in[0]->rank == NM_MAX_RANK) {
        return nm_infer_fail(infer, "y would have %d axes; there are at most %d", NM_MAX_RANK + 1,
                             NM_MAX_RANK);
    }
    *y = *infer->in[0];
    y->dim[y->rank++] = ((const mask_options *)infer->options)->classes;
    return NM_OK;
}

static nm_status nll_mask_forward(const nm_run *run)
{
    const mask_options *o = run->options;
    const nm_shape *shape = nm_tensor_shape(run->in[0]);
    float *y = run->y[0];
    if (nm_tensor_count(run->out[0])) {
        memset(y, 0, nm_tensor_bytes(run->out[0]));
    }
    for (int64_t i = 0; i < nm_tensor_count(run->in[0]); i++) {
        const double label = nm_tensor_get(run->in[0], i);
        const bool counts = label != (double)o->ignore_index;
        char place[NM_SHAPE_TEXT];
        if (counts && (label < 0 || label >= (double)o->classes)) {
            return nm_run_fail(run, NM_ERROR_INPUT,
                               "the label at %s is %.0f; there are %lld classes, from 0 on",
                               nm_shape_place_text(shape, i, place), label, (long long)o->classes);
        }
        if (counts) {
            y[i * o->classes + (int64_t)label] = 1;
        }
    }
    return NM_OK;
}
#define nll_mask_vjp NULL

static const nm_sample nll_mask_samples[] = {
    {.options = "{classes: 3, ignore_index: 1}", .in = {NM_INDEX(3, 2, 4)}}};
static const mask_options mask_defaults = {NM_END(mask_options), .ignore_index = -100};
static const nm_option mask_rows[] = {
    {NM_FIELD(mask_options, classes), NM_OPTION_INT, .min = 0, .max = NM_NO_LIMIT,
     .flags = NM_REQUIRED, .doc = "how many there are"},
    {NM_FIELD(mask_options, ignore_index), NM_OPTION_INT, .doc = "the label that is nowhere"},
};
static const nm_spec mask_spec = NM_SPEC(mask_options, mask_defaults, mask_rows);
static const nm_port mask_in[] = {{.name = "labels", .doc = "any shape", .type = NM_PORT_INDEX}};
static const nm_port mask_out[] = {{.name = "y", .doc = "f32 [labels..., classes]"}};

NM_OP(nll_mask, mask_in, mask_out, nll_mask_infer, NM_OP_NO_VJP, "where nll's labels are",
      .spec = &mask_spec,
      .doc = "y = 1 at a label's class, else 0; 0 for the label ignore_index. No gradient.")

/* ---- nll ---- */

enum { X, LABELS, WEIGHT, INPUTS };

static bool has_shapes(nm_compose *c)
{
    const nm_shape *x = nm_tensor_shape(c->in[X]), *labels = nm_tensor_shape(c->in[LABELS]);
    const nm_shape *weight = c->in[WEIGHT] ? nm_tensor_shape(c->in[WEIGHT]) : NULL;
    nm_shape rows = *x;
    char a[NM_SHAPE_TEXT], b[NM_SHAPE_TEXT];
    rows.rank--;
    if (x->rank < 1 || !nm_shape_equal(&rows, labels)) {
        nm_compose_fail(c, "labels %s must have the shape of x %s without its last axis, classes",
                        nm_shape_text(labels, a), nm_shape_text(x, b));
        return false;
    }
    if (weight && (weight->rank != 1 || weight->dim[0] != x->dim[rows.rank])) {
        nm_compose_fail(c, "weight %s must have one number for each class of x %s",
                        nm_shape_text(weight, a), nm_shape_text(x, b));
        return false;
    }
    return true;
}

/* `values` [classes] or [..., classes] at the labels, 0 where a label is ignored; what stands at
 * other classes is not looked at, so it may be infinite. */
static nm_tensor *picked(const nm_compose *c, nm_tensor *hot, nm_tensor *values)
{
    nm_tensor *zero = nm_scalar(c->tape, nm_tensor_dtype(c->in[X]), 0);
    return nm_sum(c->tape, nm_where(c->tape, hot, values, zero), .axes = NM_INTS(-1));
}

/* Divided by what counts; of nothing: 0. */
static nm_tensor *mean_of(const nm_compose *c, nm_tensor *losses, nm_tensor *counts)
{
    nm_tape *tape = c->tape;
    const nm_dtype dtype = nm_tensor_dtype(c->in[X]);
    nm_tensor *all = nm_sum(tape, counts);
    nm_tensor *none = nm_equal(tape, all, nm_scalar(tape, dtype, 0));
    return nm_div(tape, nm_sum(tape, losses), nm_where(tape, none, nm_scalar(tape, dtype, 1), all));
}

static nm_tensor *nll_compose(nm_compose *c)
{
    const nm_nll_options *o = c->options;
    nm_tape *tape = c->tape;
    if (!has_shapes(c)) {
        return NULL;
    }
    const nm_shape *x = nm_tensor_shape(c->in[X]);
    const mask_options mask = {NM_END(mask_options), .classes = x->dim[x->rank - 1],
                               .ignore_index = o->ignore_index};
    nm_tensor *hot = nm_apply1(tape, &nm_op_nll_mask, &mask, c->in[LABELS]);
    nm_tensor *one = nm_scalar(tape, nm_tensor_dtype(c->in[X]), 1);
    nm_tensor *counts = picked(c, hot, c->in[WEIGHT] ? c->in[WEIGHT] : one);
    nm_tensor *losses = nm_neg(tape, picked(c, hot, c->in[X]));
    losses = c->in[WEIGHT] ? nm_mul(tape, losses, counts) : losses;
    switch (o->reduction) {
    case NM_LOSS_NONE: return losses;
    case NM_LOSS_SUM: return nm_sum(tape, losses);
    default: return mean_of(c, losses, counts);
    }
}

static const nm_sample nll_samples[] = {
    {.in = {NM_NORMAL(4, 3), NM_INDEX(3, 4)}},
    {.options = "{reduction: none}", .in = {NM_NORMAL(2, 3, 4), NM_INDEX(4, 2, 3)}},
    {.options = "{reduction: sum, ignore_index: 0}",
     .in = {NM_NORMAL(6, 3), NM_INDEX(3, 6), NM_UNIFORM(0.5, 2, 3)}},
    {.options = "{ignore_index: 1}",
     .in = {NM_NORMAL(6, 3), NM_INDEX(3, 6), NM_UNIFORM(0.5, 2, 3)}},
};

static const char *const reductions[] = {"mean", "sum", "none", NULL};
static const nm_nll_options defaults = {NM_END(nm_nll_options), NM_NLL_DEFAULTS};
NM_OPTIONS_INIT(nm_nll_options, defaults)
static const nm_option options[] = {
    {NM_FIELD(nm_nll_options, ignore_index), NM_OPTION_INT,
     .doc = "rows with this label count for nothing"},
    {NM_FIELD(nm_nll_options, reduction), NM_OPTION_ENUM, .names = reductions,
     .doc = "the mean of the rows that count, their sum, or every row's loss"},
};
static const nm_spec spec = NM_SPEC(nm_nll_options, defaults, options);
static const nm_port inputs[INPUTS] = {
    [X] = {.name = "x", .doc = "[..., classes]: logarithms of probabilities"},
    [LABELS] = {.name = "labels",
                .doc = "[...]: 0 to classes - 1, or ignore_index",
                .type = NM_PORT_INDEX},
    [WEIGHT] = {.name = "weight",
                .doc = "[classes]: how much a sample of each counts; none: 1",
                .flags = NM_PORT_OPTIONAL | NM_PORT_NO_GRAD},
};
static const nm_port outputs[] = {{.name = "loss", .doc = "[], or [...] unreduced"}};

NM_COMPOSED_OP(
    nll, inputs, outputs, 0, "negative log likelihood of labels", .spec = &spec,
    .also = "nll_loss negative_log_likelihood",
    .doc = "loss = -weight[label] x[label], the sum over the rows whose label is not\n"
           "ignore_index, or that divided by the sum of their labels' weights (of no rows:\n"
           "0, where PyTorch has NaN). cross_entropy is this of log_softmax(x), at once.")

nm_tensor *nm_weighted_nll_with(nm_tape *tape, nm_tensor *x, nm_tensor *labels, nm_tensor *weight,
                                const nm_nll_options *o)
{
    return nm_apply3(tape, &nm_op_nll, o, x, labels, weight);
}

nm_tensor *nm_nll_with(nm_tape *tape, nm_tensor *x, nm_tensor *labels, const nm_nll_options *o)
{
    return nm_weighted_nll_with(tape, x, labels, NULL, o);
}
