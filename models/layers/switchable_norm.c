/* Switchable norm: a learned mixture of the statistics of instance, layer and batch norm. Luo and
 * others 2018, arXiv 1806.10779.
 *
 *     y = scale * (x - sum over k of w_k mean_k) / sqrt(sum over k of v_k var_k + eps) + shift
 *
 * with w and v the softmax of three numbers each. Promises:
 *
 * 1. All variances are biased; those of layer and batch norm are put together from instance norm's,
 *    as the mean of the variances and the variance of the means: nothing large is subtracted.
 * 2. In evaluation batch norm's are the running ones, which move in training as its own do.
 * 3. Where one of those is frozen, training takes them too, and leaves them as they are.
 * 4. A pass that gathers statistics has the batch's, and adds them there. */
#include "models/running.h"
#include "models/table.h"
#include "ops/basic.h"
#include "ops/loss.h"
#include "ops/norm.h"
#include "optim/statistics.h"

typedef struct switchable_options {
    NM_LAYER_FIELDS;
    double momentum, eps;
    int64_t axis;
} switchable_options;

typedef struct switchable_state {
    nm_tensor *scale, *shift, *mean_weight, *var_weight; /* the last two [3] */
    nm_tensor *running_mean, *running_var;
    const nm_entry *mean_entry, *var_entry; /* the same in the store */
} switchable_state;

enum { INSTANCE, LAYER, BATCH, KINDS };

static nm_status switchable_build(nm_layer *layer, const nm_shape *x)
{
    const switchable_options *o = layer->options;
    switchable_state *s = layer->state;
    char text[NM_SHAPE_TEXT];
    int axis;
    if (nm_layer_axis(layer, x, o->axis, &axis) != NM_OK) {
        return NM_ERROR_INPUT;
    }
    if (x->rank < 3) {
        return nm_layer_fail(layer, "its input %s must have places besides batch and channels",
                             nm_shape_text(x, text));
    }
    const nm_shape channels = NM_SHAPE(x->dim[axis]), kinds = NM_SHAPE(KINDS);
    s->scale = nm_layer_constant_parameter(layer, "scale", NM_NORM_SCALE, channels, 1);
    s->shift = nm_layer_parameter(layer, "shift", NM_NORM_SHIFT, channels, NULL);
    s->mean_weight = nm_layer_constant_parameter(layer, "mean_weight", NM_NORM_SCALE, kinds, 1);
    s->var_weight = nm_layer_constant_parameter(layer, "var_weight", NM_NORM_SCALE, kinds, 1);
    s->running_mean = nm_layer_buffer(layer, "running_mean", channels, 0);
    s->running_var = nm_layer_variance(layer, "running_var", channels, 1);
    s->mean_entry = nm_layer_entry(layer, s->running_mean);
    s->var_entry = nm_layer_entry(layer, s->running_var);
    return nm_context_status(layer->context);
}

/* ---- Statistics, each to be broadcast to x ---- */

typedef struct statistics {
    nm_tensor *mean[KINDS], *var[KINDS];
} statistics;

static nm_tensor *over(nm_tape *tape, nm_tensor *x, const nm_ints *axes)
{
    return nm_mean(tape, x, .axes = *axes, .keepdims = true);
}

/* From means and variances of parts of as many values, along the axes that tell the parts apart. */
static void join(nm_tape *tape, statistics *s, int kind, const nm_ints *axes)
{
    nm_tensor *means = s->mean[INSTANCE], *vars = s->var[INSTANCE];
    s->mean[kind] = over(tape, means, axes);
    nm_tensor *apart = nm_square(tape, nm_sub(tape, means, s->mean[kind]));
    s->var[kind] = nm_add(tape, over(tape, vars, axes), over(tape, apart, axes));
}

static statistics find_statistics(nm_tape *tape, nm_tensor *x, int axis, bool batch)
{
    statistics s = {{NULL}, {NULL}};
    nm_ints places = NM_NO_LIST, channels = NM_LIST_OF(1, axis), samples = NM_LIST_OF(1, 0);
    for (int d = 1; d < nm_tensor_shape(x)->rank; d++) {
        if (d != axis) {
            places.at[places.count++] = d;
        }
    }
    s.mean[INSTANCE] = over(tape, x, &places);
    nm_tensor *apart = nm_square(tape, nm_sub(tape, x, s.mean[INSTANCE]));
    s.var[INSTANCE] = over(tape, apart, &places);
    join(tape, &s, LAYER, &channels);
    if (batch) {
        join(tape, &s, BATCH, &samples);
    }
    return s;
}

/* The mixture by the softmax of `weight`. */
static nm_tensor *mix(nm_tape *tape, nm_tensor *weight, nm_tensor *const of[KINDS])
{
    nm_tensor *shares = nm_softmax(tape, weight), *sum = NULL;
    for (int k = 0; k < KINDS; k++) {
        nm_tensor *share =
            nm_slice(tape, shares, .axes = NM_INTS(0), .start = NM_INTS(k), .stop = NM_INTS(k + 1));
        nm_tensor *term = nm_mul(tape, of[k], share);
        sum = k ? nm_add(tape, sum, term) : term;
    }
    return sum;
}

/* ---- The pass ---- */

/* Moves the running statistics, or adds the batch's (promise 4). */
static nm_status take_batch(nm_layer *layer, const nm_pass *pass, nm_tensor *x,
                            const statistics *all)
{
    const switchable_options *o = layer->options;
    const switchable_state *s = layer->state;
    nm_tape *tape = pass->tape;
    const nm_shape channels = *nm_tensor_shape(s->running_mean);
    const int64_t values = nm_tensor_count(x) / channels.dim[0];
    const nm_batch_norm_result batch = {.y = x,
                                        .mean = nm_reshape(tape, all->mean[BATCH], channels),
                                        .var = nm_reshape(tape, all->var[BATCH], channels)};
    if (pass->statistics) {
        return nm_pass_is_dry(pass)
                   ? NM_OK
                   : nm_statistics_add(pass->statistics, s->mean_entry, s->var_entry, batch.mean,
                                       batch.var, values);
    }
    return nm_batch_norm_move(tape, x, &batch, s->running_mean, s->running_var, o->momentum);
}

static nm_tensor *switchable_forward(nm_layer *layer, const nm_pass *pass, nm_tensor *x)
{
    const switchable_options *o = layer->options;
    const switchable_state *s = layer->state;
    nm_tape *tape = pass->tape;
    const int axis = nm_shape_axis(nm_tensor_shape(x), o->axis);
    const bool moves = s->mean_entry->trainable && s->var_entry->trainable;
    const bool batch = moves && (pass->training || pass->statistics);
    statistics all = find_statistics(tape, x, axis, batch);
    if (!batch) {
        all.mean[BATCH] = nm_along_axis(tape, s->running_mean, NULL, NULL, x, axis);
        all.var[BATCH] = nm_along_axis(tape, s->running_var, NULL, NULL, x, axis);
    } else if (!pass->initialize && take_batch(layer, pass, x, &all) != NM_OK) {
        return NULL;
    }
    nm_tensor *mean = mix(tape, s->mean_weight, all.mean);
    nm_tensor *var = nm_affine(tape, mix(tape, s->var_weight, all.var), 1, o->eps);
    nm_tensor *y = nm_mul(tape, nm_sub(tape, x, mean), nm_rsqrt(tape, var));
    y = nm_mul(tape, y, nm_along_axis(tape, s->scale, NULL, NULL, x, axis));
    return nm_add(tape, y, nm_along_axis(tape, s->shift, NULL, NULL, x, axis));
}

static const switchable_options defaults = {.momentum = 0.1, .eps = 1e-5, .axis = -1};
static const nm_option rows[] = {
    NM_LAYER_ROWS(switchable_options),
    {NM_FIELD(switchable_options, momentum), NM_OPTION_FLOAT, .min = 0, .max = 1,
     .doc = "how much a new batch counts in the running statistics"},
    {NM_FIELD(switchable_options, eps), NM_OPTION_FLOAT, .also = "epsilon", .min = 0, .max = 1,
     .flags = NM_MIN_OPEN, .doc = "added to the variance, inside the root"},
    {NM_FIELD(switchable_options, axis), NM_OPTION_INT, .min = -NM_MAX_RANK, .max = NM_MAX_RANK,
     .doc = "of the channels; 0 is the batch, negative ones count from the end"},
};
static const nm_spec spec = NM_LAYER_SPEC(switchable_options, defaults, rows, NULL);

const nm_layer_type nm_layer_switchable_norm = {
    .item = NM_ITEM(nm_layer_type, "switchable_norm",
                    "a learned mixture of instance, layer and batch norm", .spec = &spec,
                    .doc = "y = scale * (x - mean) / sqrt(var + eps) + shift, where mean and var "
                           "are sums of those over a channel of a sample, a whole sample and a "
                           "channel of the batch, by the softmax of three numbers each that are "
                           "learned (mean_weight, var_weight). All variances are biased. "
                           "Evaluation has running statistics in the batch's place.\n"
                           "Luo and others 2018, arXiv 1806.10779."),
    .prefix = "sn",
    .state_size = sizeof(switchable_state),
    .build = switchable_build,
    .forward = switchable_forward,
};
