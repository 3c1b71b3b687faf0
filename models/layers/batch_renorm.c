/* Batch renormalization. Ioffe 2017, arXiv 1702.03275.
 *
 *     y = scale * (xhat * r + d) + shift,   xhat of batch norm in training,
 *     r = clip(deviation / running deviation, 1 / r_max, r_max),
 *     d = clip((mean - running mean) / running deviation, -d_max, d_max)
 *
 * so that where nothing is clipped, training normalizes by the running statistics as evaluation
 * does. Promises:
 *
 * 1. r and d are constants for the gradient, which is batch norm's times r: dx = scale r inverse
 *    (dy - mean of dy - xhat mean of dy xhat). It is not the derivative of the function, in which r
 *    and d depend on x too, and is not meant to be.
 * 2. For the first `warmup` batches it is batch norm; over the next `ramp` its limits grow evenly
 *    from r = 1 and d = 0 to r_max and d_max.
 * 3. r and d are of the running statistics as they were before the batch moves them, which it does
 *    as it does batch norm's.
 * 4. In evaluation, and frozen, it is batch norm in evaluation. */
#include <math.h>

#include "models/running.h"
#include "models/table.h"
#include "ops/basic.h"
#include "ops/norm.h"
#include "ops/norm/running.h"

typedef struct renorm_options {
    NM_LAYER_FIELDS;
    double momentum, eps;
    int64_t axis;
    bool affine;
    double r_max, d_max;
    int64_t warmup, ramp;
} renorm_options;

typedef struct renorm_state {
    nm_tensor *scale, *shift; /* NULL: not affine */
    nm_tensor *running_mean, *running_var, *batches;
    nm_tensor *r, *d; /* of the last batch */
    const nm_entry *mean_entry, *var_entry;
} renorm_state;

static nm_status renorm_build(nm_layer *layer, const nm_shape *x)
{
    const renorm_options *o = layer->options;
    renorm_state *s = layer->state;
    int axis;
    if (nm_layer_axis(layer, x, o->axis, &axis) != NM_OK) {
        return NM_ERROR_INPUT;
    }
    const nm_shape channels = NM_SHAPE(x->dim[axis]);
    if (o->affine) {
        s->scale = nm_layer_constant_parameter(layer, "scale", NM_NORM_SCALE, channels, 1);
        s->shift = nm_layer_parameter(layer, "shift", NM_NORM_SHIFT, channels, NULL);
    }
    s->running_mean = nm_layer_buffer(layer, "running_mean", channels, 0);
    s->running_var = nm_layer_variance(layer, "running_var", channels, 1);
    s->batches = nm_layer_counter(layer, "batches");
    s->r = nm_layer_variance(layer, "r", channels, 1);
    s->d = nm_layer_buffer(layer, "d", channels, 0);
    s->mean_entry = nm_layer_entry(layer, s->running_mean);
    s->var_entry = nm_layer_entry(layer, s->running_var);
    return nm_context_status(layer->context);
}

/* ---- r and d ---- */

enum { MEAN, VAR, X, RUNNING_MEAN, RUNNING_VAR, BATCHES, R, D, INPUTS };

/* Promise 2: from 0 to 1. */
static double opened(const renorm_options *o, double batches)
{
    const double past = batches - (double)o->warmup;
    return past < 0 ? 0 : past >= (double)o->ramp ? 1 : past / (double)o->ramp;
}

static double clip(double x, double low, double high)
{
    return x < low ? low : x > high ? high : x;
}

static nm_status correct(const void *data, nm_tensor *const *in)
{
    const renorm_options *o = (*(nm_layer *const *)data)->options;
    const double batches = nm_tensor_get(in[BATCHES], 0), open = opened(o, batches);
    const double r_max = 1 + open * (o->r_max - 1), d_max = open * o->d_max;
    nm_status status = NM_OK;
    for (int64_t i = 0; i < nm_tensor_count(in[MEAN]) && status == NM_OK; i++) {
        const double running = sqrt(nm_tensor_get(in[RUNNING_VAR], i) + o->eps);
        const double deviation = sqrt(nm_tensor_get(in[VAR], i) + o->eps);
        const double step = nm_tensor_get(in[MEAN], i) - nm_tensor_get(in[RUNNING_MEAN], i);
        const bool known = running > 0; /* eps may be 0 */
        const double r = known ? clip(deviation / running, 1 / r_max, r_max) : 1;
        const double d = known ? clip(step / running, -d_max, d_max) : 0;
        status = nm_tensor_set(in[R], i, r);
        status = status == NM_OK ? nm_tensor_set(in[D], i, d) : status;
    }
    status = status == NM_OK ? nm_tensor_set(in[BATCHES], 0, batches + 1) : status;
    return status == NM_OK ? nm_batch_norm_move_now(in, o->momentum) : status; /* promise 3 */
}

static const nm_effect correcting = {"renormalize", sizeof(nm_layer *), correct};

/* ---- The pass ---- */

static nm_tensor *normalize_batch(nm_layer *layer, const nm_pass *pass, nm_tensor *x)
{
    const renorm_options *o = layer->options;
    const renorm_state *s = layer->state;
    nm_tape *tape = pass->tape;
    const int axis = nm_shape_axis(nm_tensor_shape(x), o->axis);
    const nm_batch_norm_options plain = {NM_BATCH_NORM_DEFAULTS, .axis = axis, .eps = o->eps,
                                         NM_END(nm_batch_norm_options)};
    nm_batch_norm_result b = nm_batch_norm_with(tape, x, NULL, NULL, NULL, NULL, &plain);
    nm_tensor *in[INPUTS] = {b.mean,         b.var,      x,    s->running_mean,
                             s->running_var, s->batches, s->r, s->d};
    if (!b.y || nm_tape_do(tape, &correcting, &layer, in, INPUTS) != NM_OK) {
        return NULL;
    }
    nm_tensor *y = nm_mul(tape, b.y, nm_along_axis(tape, s->r, s->scale, NULL, x, axis));
    return nm_add(tape, y, nm_along_axis(tape, s->d, s->scale, s->shift, x, axis));
}

static nm_tensor *renorm_forward(nm_layer *layer, const nm_pass *pass, nm_tensor *x)
{
    const renorm_options *o = layer->options;
    const renorm_state *s = layer->state;
    const bool moves = s->mean_entry->trainable && s->var_entry->trainable;
    if (moves && pass->statistics) {
        return nm_gather_statistics(pass, x, s->scale, s->shift, s->mean_entry, s->var_entry,
                                    o->axis, o->eps);
    }
    if (moves && pass->training && !pass->initialize) {
        return normalize_batch(layer, pass, x);
    }
    return nm_batch_norm_inference(pass->tape, x, s->scale, s->shift, s->running_mean,
                                   s->running_var, .axis = o->axis, .eps = o->eps);
}

/* ---- Options ---- */

static const renorm_options defaults = {.momentum = 0.1,
                                        .eps = 1e-5,
                                        .axis = -1,
                                        .affine = true,
                                        .r_max = 3,
                                        .d_max = 5,
                                        .warmup = 500,
                                        .ramp = 2000};
static const nm_option rows[] = {
    NM_LAYER_ROWS(renorm_options),
    {NM_FIELD(renorm_options, momentum), NM_OPTION_FLOAT, .min = 0, .max = 1,
     .doc = "how much a new batch counts in the running statistics"},
    {NM_FIELD(renorm_options, eps), NM_OPTION_FLOAT, .also = "epsilon", .min = 0, .max = 1,
     .doc = "added to variances, inside the root"},
    {NM_FIELD(renorm_options, axis), NM_OPTION_INT, .min = -NM_MAX_RANK, .max = NM_MAX_RANK,
     .doc = "of the channels; 0 is the batch, negative ones count from the end"},
    {NM_FIELD(renorm_options, affine), NM_OPTION_BOOL,
     .doc = "learn a scale and a shift for each channel"},
    {NM_FIELD(renorm_options, r_max), NM_OPTION_FLOAT, .min = 1, .max = 1e6,
     .doc = "how far the batch's deviation is followed from the running one, as a factor"},
    {NM_FIELD(renorm_options, d_max), NM_OPTION_FLOAT, .min = 0, .max = 1e6,
     .doc = "how far its mean is, in running deviations"},
    {NM_FIELD(renorm_options, warmup), NM_OPTION_INT, .min = 0, .max = 1e9,
     .doc = "batches at first for which it is batch norm, while the running statistics settle"},
    {NM_FIELD(renorm_options, ramp), NM_OPTION_INT, .min = 0, .max = 1e9,
     .doc = "batches after those over which the limits grow evenly to r_max and d_max"},
};
static const nm_spec spec = NM_LAYER_SPEC(renorm_options, defaults, rows, NULL);

const nm_layer_type nm_layer_batch_renorm = {
    .item =
        NM_ITEM(nm_layer_type, "batch_renorm",
                "batch norm that trains by running statistics, for small batches",
                .also = "batch_renormalization", .spec = &spec,
                .doc = "y = scale * (xhat * r + d) + shift, where xhat is batch norm's in "
                       "training, r = deviation / running deviation and d = (mean - running "
                       "mean) / running deviation, clipped: within the limits, training "
                       "normalizes as evaluation does. For the gradient r and d are constants "
                       "(it is batch norm's, times r), so differences do not agree with it, "
                       "nor are they meant to. Its running statistics frozen, it takes them "
                       "in training too.\n"
                       "Ioffe 2017, arXiv 1702.03275, with 5000 batches of warmup, and a ramp of "
                       "some 20000."),
    .prefix = "brn",
    .state_size = sizeof(renorm_state),
    .build = renorm_build,
    .forward = renorm_forward,
};
