/* Ghost batch norm: batch norm on parts of the batch. Hoffer, Hubara, Soudry 2017, arXiv
 * 1705.08741. Promises:
 *
 * 1. In training each part of `size` samples is normalized with its own statistics. What is left
 *    over is a part by itself; if it has one value a channel, it joins the part before it.
 * 2. The running statistics move once a part, in the parts' order, as batch norm's do once a batch.
 * 3. Evaluation knows of no parts: it is batch norm's (keras#15790 took parts there too). */
#include "models/running.h"
#include "models/table.h"
#include "ops/basic.h"
#include "ops/norm.h"

typedef struct ghost_options {
    NM_LAYER_FIELDS;
    int64_t size;
    double momentum, eps;
    int64_t axis;
    bool affine;
} ghost_options;

typedef struct ghost_state {
    nm_tensor *scale, *shift; /* NULL: not affine */
    nm_tensor *running_mean, *running_var;
    const nm_entry *mean_entry, *var_entry;
} ghost_state;

static nm_status ghost_build(nm_layer *layer, const nm_shape *x)
{
    const ghost_options *o = layer->options;
    ghost_state *s = layer->state;
    int axis;
    if (nm_layer_axis(layer, x, o->axis, &axis) != NM_OK) {
        return NM_ERROR_INPUT;
    }
    if (x->rank == NM_MAX_RANK) {
        return nm_layer_fail(layer, "its input has %d axes; it takes one less", NM_MAX_RANK);
    }
    const nm_shape channels = NM_SHAPE(x->dim[axis]);
    if (o->affine) {
        s->scale = nm_layer_constant_parameter(layer, "scale", NM_NORM_SCALE, channels, 1);
        s->shift = nm_layer_parameter(layer, "shift", NM_NORM_SHIFT, channels, NULL);
    }
    s->running_mean = nm_layer_buffer(layer, "running_mean", channels, 0);
    s->running_var = nm_layer_variance(layer, "running_var", channels, 1);
    s->mean_entry = nm_layer_entry(layer, s->running_mean);
    s->var_entry = nm_layer_entry(layer, s->running_var);
    return nm_context_status(layer->context);
}

/* ---- Running statistics: promise 2 ---- */

enum { MEAN, VAR, PARTS_X, RUNNING_MEAN, RUNNING_VAR, INPUTS };

/* mean and var are [parts, channels], of x [parts, ...]. */
static nm_status move(const void *data, nm_tensor *const *in)
{
    const ghost_options *o = (*(nm_layer *const *)data)->options;
    const int64_t channels = nm_tensor_count(in[RUNNING_MEAN]);
    const int64_t parts = nm_tensor_count(in[MEAN]) / channels;
    const double values = (double)nm_tensor_count(in[PARTS_X]) / (double)(parts * channels);
    const double unbiased = values > 1 ? values / (values - 1) : 1, m = o->momentum;
    nm_status status = NM_OK;
    for (int64_t i = 0; i < parts * channels && status == NM_OK; i++) {
        const int64_t c = i % channels;
        const double mean = (1 - m) * nm_tensor_get(in[RUNNING_MEAN], c);
        const double var = (1 - m) * nm_tensor_get(in[RUNNING_VAR], c);
        status = nm_tensor_set(in[RUNNING_MEAN], c, mean + m * nm_tensor_get(in[MEAN], i));
        if (status == NM_OK) {
            status =
                nm_tensor_set(in[RUNNING_VAR], c, var + m * unbiased * nm_tensor_get(in[VAR], i));
        }
    }
    return status;
}

static const nm_effect moving = {"move_statistics", sizeof(nm_layer *), move};

/* ---- The pass ---- */

/* Samples first..last of x, in that many parts, each by its own statistics. */
static nm_tensor *normalize_parts(nm_layer *layer, nm_tape *tape, nm_tensor *x, int64_t first,
                                  int64_t last, int64_t parts)
{
    const ghost_options *o = layer->options;
    const ghost_state *s = layer->state;
    const nm_shape *whole = nm_tensor_shape(x);
    const int axis = nm_shape_axis(whole, o->axis);
    if (first > 0 || last < whole->dim[0]) {
        x = nm_slice(tape, x, .axes = NM_INTS(0), .start = NM_INTS(first), .stop = NM_INTS(last));
    }
    nm_shape flat = *whole,
             split = {.rank = whole->rank + 1, .dim = {parts, (last - first) / parts}};
    nm_normalize_options n = {NM_NORMALIZE_DEFAULTS, .eps = o->eps, NM_END(nm_normalize_options)};
    flat.dim[0] = last - first;
    n.axes.count = 0;
    for (int d = 1; d < split.rank; d++) {
        split.dim[d] = d > 1 ? whole->dim[d - 1] : split.dim[1];
        if (d != axis + 1) {
            n.axes.at[n.axes.count++] = d;
        }
    }
    n.affine_axes.at[n.affine_axes.count++] = axis + 1;
    nm_normalize_result r = nm_normalize_with(tape, nm_reshape(tape, x, split), s->scale, s->shift,
                                              NULL, NULL, NULL, &n);
    nm_tensor *in[INPUTS] = {r.mean, r.var, x, s->running_mean, s->running_var};
    if (!r.y || nm_tape_do(tape, &moving, &layer, in, INPUTS) != NM_OK) {
        return NULL;
    }
    return nm_reshape(tape, r.y, flat);
}

/* Promise 1. */
static nm_tensor *normalize_batch(nm_layer *layer, nm_tape *tape, nm_tensor *x)
{
    const ghost_options *o = layer->options;
    const ghost_state *s = layer->state;
    const int64_t samples = nm_tensor_shape(x)->dim[0];
    const int64_t places = nm_tensor_count(x) / nm_tensor_count(s->running_mean) / samples;
    int64_t whole = samples / o->size, left = samples % o->size;
    if (left * places == 1 && whole > 0) {
        whole--;
        left += o->size;
    }
    if (!whole || !left) {
        return normalize_parts(layer, tape, x, 0, samples, whole ? whole : 1);
    }
    nm_tensor *parts[] = {
        normalize_parts(layer, tape, x, 0, whole * o->size, whole),
        normalize_parts(layer, tape, x, whole * o->size, samples, 1),
    };
    return parts[0] && parts[1] ? nm_concat(tape, parts, 2, .axis = 0) : NULL;
}

static nm_tensor *ghost_forward(nm_layer *layer, const nm_pass *pass, nm_tensor *x)
{
    const ghost_options *o = layer->options;
    const ghost_state *s = layer->state;
    const bool moves = s->mean_entry->trainable && s->var_entry->trainable;
    if (moves && pass->statistics) {
        return nm_gather_statistics(pass, x, s->scale, s->shift, s->mean_entry, s->var_entry,
                                    o->axis, o->eps);
    }
    if (moves && pass->training && !pass->initialize) {
        return normalize_batch(layer, pass->tape, x);
    }
    return nm_batch_norm_inference(pass->tape, x, s->scale, s->shift, s->running_mean,
                                   s->running_var, .axis = o->axis, .eps = o->eps);
}

/* ---- Options ---- */

static const ghost_options defaults = {
    .size = 32, .momentum = 0.1, .eps = 1e-5, .axis = -1, .affine = true};
static const nm_option rows[] = {
    NM_LAYER_ROWS(ghost_options),
    {NM_FIELD(ghost_options, size), NM_OPTION_INT, .also = "virtual_batch_size", .min = 1,
     .max = 1e7, .doc = "samples in a part of the batch"},
    {NM_FIELD(ghost_options, momentum), NM_OPTION_FLOAT, .min = 0, .max = 1,
     .doc = "how much a new part counts in the running statistics"},
    {NM_FIELD(ghost_options, eps), NM_OPTION_FLOAT, .also = "epsilon", .min = 0, .max = 1,
     .doc = "added to the variance, inside the root"},
    {NM_FIELD(ghost_options, axis), NM_OPTION_INT, .min = -NM_MAX_RANK, .max = NM_MAX_RANK,
     .doc = "of the channels; 0 is the batch, negative ones count from the end"},
    {NM_FIELD(ghost_options, affine), NM_OPTION_BOOL,
     .doc = "learn a scale and a shift for each channel"},
};
static const nm_spec spec = NM_LAYER_SPEC(ghost_options, defaults, rows, NULL);

const nm_layer_type nm_layer_ghost_batch_norm = {
    .item =
        NM_ITEM(nm_layer_type, "ghost_batch_norm", "batch norm on parts of the batch",
                .also = "gbn", .spec = &spec,
                .doc = "In training, every `size` samples are normalized with statistics of "
                       "their own, which keeps a large batch as noisy as small ones; what is "
                       "left over is a part by itself. The running statistics move once a part, "
                       "in order. Evaluation is batch norm's, and knows of no parts.\n"
                       "Hoffer, Hubara, Soudry 2017, arXiv 1705.08741."),
    .prefix = "gbn",
    .state_size = sizeof(ghost_state),
    .build = ghost_build,
    .forward = ghost_forward,
};
