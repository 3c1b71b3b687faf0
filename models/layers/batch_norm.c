/* Batch norm, with its running statistics. Ioffe, Szegedy 2015, arXiv 1502.03167.
 *
 * The op is pure; this layer keeps what inference normalizes with. Promises:
 *
 * 1. In training, y is made with the statistics of the batch, and then the running ones move, once
 * a pass: running = (1 - momentum) * running + momentum * batch, with the variance times m / (m -
 * 1) for the m values of a channel: what PyTorch does. With `average: cumulative`, momentum is 1
 * over the number of batches so far, so the running statistics are the mean over all of them, as in
 *    the paper.
 * 2. They never move in evaluation, nor in the pass that initializes by data, nor if the pass was
 *    only to infer shapes, nor if it failed here.
 * 3. Frozen, the layer normalizes with its running statistics in training too, and leaves them as
 *    they are; scale and shift go on learning unless they are frozen themselves. It is frozen by
 *    its option, or where either of the running statistics is (nm_store_set_trainable()): groups
 *    freeze them along with scale and shift, so that a frozen layer stays the same function.
 * 4. In a pass that gathers statistics it normalizes with the batch's, which it adds there; its own
 *    stay.
 * 5. Without mean_gradient, or variance_gradient, the batch's mean, or variance, counts as a
 * constant of the backward pass, and only there.
 * 6. With mask_value, what is behind a sequence's end counts for nothing: not in the batch's
 * statistics, nor in m, nor in gradients; its y is 0. A batch of nothing else moves nothing. */
#include "models/layers/mask.h"
#include "models/table.h"
#include "ops/basic.h"
#include "optim/statistics.h"
#include "ops/norm.h"
#include "ops/norm/running.h"

typedef enum average { MOVING, CUMULATIVE } average;

typedef struct batch_norm_layer_options {
    NM_LAYER_FIELDS;
    double momentum;
    int average;
    double eps;
    int64_t axis;
    bool affine;
    bool mean_only;
    bool frozen;
    bool mean_gradient, variance_gradient;
    double mask_value; /* NM_NO_LIMIT: none */
} batch_norm_layer_options;

typedef struct batch_norm_state {
    nm_tensor *scale, *shift;               /* NULL: not affine */
    nm_tensor *running_mean, *running_var;  /* the second NULL: mean only */
    const nm_entry *mean_entry, *var_entry; /* the same in the store */
    nm_tensor *batches;                     /* of the cumulative average; NULL: moving */
} batch_norm_state;

/* ---- Parameters and buffers ---- */

static void make_parameters(nm_layer *layer, nm_shape channels)
{
    batch_norm_state *s = layer->state;
    s->scale = nm_layer_constant_parameter(layer, "scale", NM_NORM_SCALE, channels, 1);
    s->shift = nm_layer_parameter(layer, "shift", NM_NORM_SHIFT, channels, NULL);
}

static nm_status batch_norm_build(nm_layer *layer, const nm_shape *x)
{
    const batch_norm_layer_options *o = layer->options;
    batch_norm_state *s = layer->state;
    int axis;
    if (nm_layer_axis(layer, x, o->axis, &axis) != NM_OK) {
        return NM_ERROR_INPUT;
    }
    if (nm_mask_check(layer, x, axis, o->mask_value) != NM_OK) {
        return NM_ERROR_INPUT;
    }
    nm_shape channels = NM_SHAPE(x->dim[axis]);
    if (o->affine) {
        make_parameters(layer, channels);
    }
    s->running_mean = nm_layer_buffer(layer, "running_mean", channels, 0);
    if (!o->mean_only) {
        s->running_var = nm_layer_variance(layer, "running_var", channels, 1);
    }
    if (o->average == CUMULATIVE) {
        s->batches = nm_layer_counter(layer, "batches");
    }
    s->mean_entry = nm_layer_entry(layer, s->running_mean);
    s->var_entry = nm_layer_entry(layer, s->running_var);
    return nm_context_status(layer->context);
}

/* ---- Running statistics ---- */

/* How much the new batch counts. */
static double weight_of_batch(const batch_norm_layer_options *o, batch_norm_state *s)
{
    if (o->average == MOVING) {
        return o->momentum;
    }
    double batches = nm_tensor_get(s->batches, 0) + 1;
    nm_tensor_set(s->batches, 0, batches);
    return 1 / batches;
}

/* The mean over all batches: each counts less than the one before. */
static nm_status move_cumulative(const void *data, nm_tensor *const *in)
{
    const nm_layer *layer = *(nm_layer *const *)data;
    return nm_batch_norm_move_now(in, weight_of_batch(layer->options, layer->state));
}

static const nm_effect cumulative = {"move_statistics", sizeof(nm_layer *), move_cumulative};

static nm_status move_statistics(nm_layer *layer, nm_tape *tape, nm_tensor *x,
                                 const nm_batch_norm_result *r)
{
    const batch_norm_layer_options *o = layer->options;
    const batch_norm_state *s = layer->state;
    if (o->average == MOVING) {
        return nm_batch_norm_move(tape, x, r, s->running_mean, s->running_var, o->momentum);
    }
    nm_tensor *in[] = {r->mean, r->var, x, s->running_mean, s->running_var};
    return nm_tape_do(tape, &cumulative, &layer, in, NM_COUNT_OF(in));
}

/* ---- Sequences of their own lengths: promise 6 ---- */

/* Values of a channel that x has. */
static double values_of(const nm_layer *layer, const nm_tensor *x)
{
    const batch_norm_state *s = layer->state;
    return (double)nm_tensor_count(x) / (double)nm_tensor_count(s->running_mean);
}

/* Those of them that count, a number. */
static nm_tensor *count_values(const nm_layer *layer, nm_tape *tape, nm_tensor *x, nm_tensor *mask)
{
    const nm_shape *shape = nm_tensor_shape(x);
    const double each = values_of(layer, x) / (double)(shape->dim[0] * shape->dim[1]);
    return nm_affine(tape, nm_sum(tape, mask), each, 0);
}

/* Statistics such that what takes them for those of all m values of x moves as it should by those
 * that count: the running ones themselves, where none does. */
static nm_batch_norm_result statistics_to_move(const nm_layer *layer, nm_tape *tape, nm_tensor *x,
                                               nm_tensor *mask, const nm_batch_norm_result *r)
{
    const batch_norm_state *s = layer->state;
    const double m = values_of(layer, x), back = (m - 1) / m;
    const nm_dtype dtype = nm_tensor_dtype(x);
    nm_tensor *zero = nm_scalar(tape, dtype, 0), *one = nm_scalar(tape, dtype, 1);
    nm_tensor *count = count_values(layer, tape, x, mask), *none = nm_equal(tape, count, zero);
    nm_tensor *less = nm_maximum(tape, nm_sub(tape, count, one), one);
    nm_tensor *var = nm_mul(tape, nm_detach(tape, r->var), nm_div(tape, count, less));
    nm_batch_norm_result moved = *r;
    moved.mean = nm_where(tape, none, nm_detach(tape, s->running_mean), nm_detach(tape, r->mean));
    moved.var = nm_affine(tape, var, back, 0);
    if (s->running_var) {
        moved.var = nm_where(tape, none, nm_affine(tape, nm_detach(tape, s->running_var), back, 0),
                             moved.var);
    }
    return moved;
}

/* Promise 4. */
static nm_status add_statistics(nm_layer *layer, const nm_pass *pass, nm_tensor *x, nm_tensor *mask,
                                const nm_batch_norm_result *r)
{
    const batch_norm_state *s = layer->state;
    if (nm_pass_is_dry(pass)) {
        return NM_OK;
    }
    const double values =
        mask ? nm_tensor_item(count_values(layer, pass->tape, x, mask)) : values_of(layer, x);
    return values == 0 ? NM_OK
                       : nm_statistics_add(pass->statistics, s->mean_entry, s->var_entry, r->mean,
                                           r->var, (int64_t)values);
}

/* ---- The pass ---- */

/* Promises 5 and 6: the same over the same sets, by an op that can do so. */
static nm_batch_norm_result normalize_partly(nm_layer *layer, nm_tape *tape, nm_tensor *x,
                                             nm_tensor *mask)
{
    const batch_norm_layer_options *o = layer->options;
    const batch_norm_state *s = layer->state;
    const int rank = nm_tensor_shape(x)->rank;
    const int64_t axis = o->axis < 0 ? o->axis + rank : o->axis;
    nm_normalize_options options = {NM_NORMALIZE_DEFAULTS,
                                    .divide = !o->mean_only,
                                    .eps = o->eps,
                                    .mean_gradient = o->mean_gradient,
                                    .variance_gradient = o->variance_gradient,
                                    NM_END(nm_normalize_options)};
    options.axes.count = 0;
    for (int i = 0; i < rank; i++) {
        if (i != axis) {
            options.axes.at[options.axes.count++] = i;
        }
    }
    options.affine_axes.at[0] = axis;
    options.affine_axes.count = 1;
    const nm_normalize_result r =
        nm_normalize_with(tape, x, s->scale, s->shift, NULL, NULL, mask, &options);
    return (nm_batch_norm_result){r.y, r.mean, r.var};
}

static nm_batch_norm_result normalize(nm_layer *layer, nm_tape *tape, nm_tensor *x, nm_tensor *mask,
                                      bool batch)
{
    const batch_norm_layer_options *o = layer->options;
    const batch_norm_state *s = layer->state;
    if (batch && (mask || !(o->mean_gradient && o->variance_gradient))) {
        return normalize_partly(layer, tape, x, mask);
    }
    nm_batch_norm_options options = {
        NM_BATCH_NORM_DEFAULTS,
        .axis = o->axis,
        .eps = o->eps,
        .mean_only = o->mean_only,
        .mode = batch ? NM_TRAINING : NM_INFERENCE,
        NM_END(nm_batch_norm_options),
    };
    return nm_batch_norm_with(tape, x, s->scale, s->shift, batch ? NULL : s->running_mean,
                              batch ? NULL : s->running_var, &options);
}

/* Promise 3. */
static bool is_frozen(const batch_norm_layer_options *o, const batch_norm_state *s)
{
    return o->frozen || !s->mean_entry->trainable || (s->var_entry && !s->var_entry->trainable);
}

/* The op would refuse it, with a remedy that is the op's. */
static nm_status check_values(nm_layer *layer, const nm_tensor *x)
{
    char text[NM_SHAPE_TEXT];
    const batch_norm_state *s = layer->state;
    if (nm_tensor_count(x) != nm_tensor_count(s->running_mean)) {
        return NM_OK;
    }
    return nm_layer_fail(layer,
                         "training needs more than one value a channel, and its input is %s; use "
                         "larger batches, or its option frozen: true, which takes the running "
                         "statistics",
                         nm_shape_text(nm_tensor_shape(x), text));
}

static nm_tensor *batch_norm_forward(nm_layer *layer, const nm_pass *pass, nm_tensor *x)
{
    const batch_norm_layer_options *o = layer->options;
    batch_norm_state *s = layer->state;
    bool batch = (pass->training || pass->statistics) && !is_frozen(o, s);
    if (batch && check_values(layer, x) != NM_OK) {
        return NULL;
    }
    nm_tensor *mask = nm_mask_of_steps(pass->tape, x, o->mask_value);
    nm_batch_norm_result r = normalize(layer, pass->tape, x, mask, batch);
    nm_status status = NM_OK;
    if (r.y && batch && pass->statistics) {
        status = add_statistics(layer, pass, x, mask, &r);
    } else if (r.y && batch && !pass->initialize) {
        const nm_batch_norm_result moved =
            mask ? statistics_to_move(layer, pass->tape, x, mask, &r) : r;
        status = move_statistics(layer, pass->tape, x, &moved);
    }
    return status == NM_OK ? nm_masked(pass->tape, mask, r.y) : NULL;
}

/* ---- Options ---- */

static const batch_norm_layer_options defaults = {.momentum = 0.1,
                                                  .average = MOVING,
                                                  .eps = 1e-5,
                                                  .axis = -1,
                                                  .affine = true,
                                                  .mean_gradient = true,
                                                  .variance_gradient = true,
                                                  .mask_value = NM_NO_LIMIT};
static const char *const average_names[] = {"moving", "cumulative", NULL};
static const nm_option rows[] = {
    NM_LAYER_ROWS(batch_norm_layer_options),
    {NM_FIELD(batch_norm_layer_options, momentum), NM_OPTION_FLOAT, .min = 0, .max = 1,
     .doc = "how much a new batch counts in the running statistics"},
    {NM_FIELD(batch_norm_layer_options, average), NM_OPTION_ENUM, .names = average_names,
     .doc = "moving: as momentum says; cumulative: the mean over all batches, momentum unused"},
    {NM_FIELD(batch_norm_layer_options, eps), NM_OPTION_FLOAT, .also = "epsilon", .min = 0,
     .max = 1, .doc = "added to the variance, inside the root"},
    {NM_FIELD(batch_norm_layer_options, axis), NM_OPTION_INT, .min = -NM_MAX_RANK,
     .max = NM_MAX_RANK,
     .doc = "of the channels; 0 is the batch, negative ones count from the end"},
    {NM_FIELD(batch_norm_layer_options, affine), NM_OPTION_BOOL,
     .doc = "learn a scale and a shift for each channel"},
    {NM_FIELD(batch_norm_layer_options, mean_only), NM_OPTION_BOOL,
     .doc = "subtract the mean, do not divide by the deviation"},
    {NM_FIELD(batch_norm_layer_options, frozen), NM_OPTION_BOOL,
     .doc = "normalize with the running statistics in training too, and never move them; so it is "
            "where groups freeze scale and shift, or the statistics by name"},
    {NM_FIELD(batch_norm_layer_options, mean_gradient), NM_OPTION_BOOL,
     .doc =
         "let gradients through the batch's mean; false: it counts as a constant, for experiments"},
    {NM_FIELD(batch_norm_layer_options, variance_gradient), NM_OPTION_BOOL,
     .doc = "the same of its variance"},
    NM_MASK_VALUE_ROW(batch_norm_layer_options,
                      "what is behind them counts in no statistics, and its output is 0"),
};
static const nm_spec spec = NM_LAYER_SPEC(batch_norm_layer_options, defaults, rows, NULL);

const nm_layer_type nm_layer_batch_norm = {
    .item = NM_ITEM(nm_layer_type, "batch_norm", "normalizes each channel over the batch",
                    .also = "bn batch_normalization", .spec = &spec,
                    .doc = "y = scale * (x - mean) / sqrt(var + eps) + shift for each channel. In "
                           "training, mean and biased variance are the batch's, and then\n\n"
                           "    running_mean = (1 - momentum) * running_mean + momentum * mean\n"
                           "    running_var = (1 - momentum) * running_var + momentum * var * m / "
                           "(m - 1)\n\n"
                           "where m is the number of values of a channel. Evaluation uses the "
                           "running ones. A dense or conv2d directly before it needs no bias: "
                           "bias: false there saves parameters and changes nothing.\n"
                           "Ioffe, Szegedy 2015, arXiv 1502.03167."),
    .prefix = "bn",
    .state_size = sizeof(batch_norm_state),
    .build = batch_norm_build,
    .forward = batch_norm_forward,
};
