/* Normalization of each sample by itself: layer, RMS, instance and group norm. They know nothing of
 * other samples, so that training and evaluation are the same, and no statistics are kept. */
#include "models/layers/mask.h"
#include "models/table.h"
#include "ops/norm.h"
#include "ops/table.h"

typedef struct norm_layer_options {
    NM_LAYER_FIELDS;
    int64_t groups;
    int64_t axis;
    double eps;
    bool affine;
    double mask_value; /* NM_NO_LIMIT: none */
} norm_layer_options;

typedef struct norm_state {
    nm_tensor *scale, *shift; /* NULL: not affine */
} norm_state;

static nm_status make_parameters(nm_layer *layer, nm_shape shape, bool shift)
{
    const norm_layer_options *o = layer->options;
    norm_state *s = layer->state;
    if (o->affine) {
        s->scale = nm_layer_constant_parameter(layer, "scale", NM_NORM_SCALE, shape, 1);
    }
    if (o->affine && shift) {
        s->shift = nm_layer_parameter(layer, "shift", NM_NORM_SHIFT, shape, NULL);
    }
    return nm_context_status(layer->context);
}

/* x's shape from the axis on. */
static nm_status shape_behind(nm_layer *layer, const nm_shape *x, nm_shape *shape)
{
    const norm_layer_options *o = layer->options;
    int axis;
    nm_status status = nm_layer_axis(layer, x, o->axis, &axis);
    status = status == NM_OK ? nm_mask_check(layer, x, -1, o->mask_value) : status;
    *shape = (nm_shape){.rank = 0};
    for (int d = axis; status == NM_OK && d < x->rank; d++) {
        shape->dim[shape->rank++] = x->dim[d];
    }
    return status;
}

static nm_status build_features(nm_layer *layer, const nm_shape *x)
{
    nm_shape shape;
    nm_status status = shape_behind(layer, x, &shape);
    return status == NM_OK ? make_parameters(layer, shape, true) : status;
}

static nm_status build_scale(nm_layer *layer, const nm_shape *x)
{
    nm_shape shape;
    nm_status status = shape_behind(layer, x, &shape);
    return status == NM_OK ? make_parameters(layer, shape, false) : status;
}

static nm_status build_channels(nm_layer *layer, const nm_shape *x)
{
    const norm_layer_options *o = layer->options;
    int axis;
    nm_status status = nm_layer_axis(layer, x, o->axis, &axis);
    status = status == NM_OK ? nm_mask_check(layer, x, axis, o->mask_value) : status;
    return status == NM_OK ? make_parameters(layer, NM_SHAPE(x->dim[axis]), true) : status;
}

/* Of padded sequences: what is behind their ends counts in no set, and its y is 0. `inputs`: the
 * op's before its weight. */
static nm_tensor *run_masked(nm_layer *layer, const nm_pass *pass, const nm_op *op, nm_tensor *x,
                             int inputs, const void *options)
{
    const norm_layer_options *o = layer->options;
    const norm_state *s = layer->state;
    const int64_t first = o->axis < 0 ? o->axis + nm_tensor_shape(x)->rank : o->axis;
    const bool by_steps = (op == &nm_op_layer_norm || op == &nm_op_rms_norm) && first > 1;
    nm_tensor *mask = nm_mask_of_steps(pass->tape, x, o->mask_value), *out[NM_MAX_OUTPUTS];
    nm_tensor *in[4] = {x, s->scale, s->shift};
    in[inputs] = mask;
    return nm_apply(pass->tape, op, in, by_steps ? inputs : inputs + 1, options, out) == NM_OK
               ? nm_masked(pass->tape, mask, out[0])
               : NULL;
}

static nm_tensor *layer_norm_forward(nm_layer *layer, const nm_pass *pass, nm_tensor *x)
{
    const norm_layer_options *o = layer->options;
    const norm_state *s = layer->state;
    const nm_layer_norm_options options = {NM_LAYER_NORM_DEFAULTS, .axis = o->axis, .eps = o->eps,
                                           NM_END(nm_layer_norm_options)};
    return o->mask_value == NM_NO_LIMIT
               ? nm_layer_norm_with(pass->tape, x, s->scale, s->shift, &options)
               : run_masked(layer, pass, &nm_op_layer_norm, x, 3, &options);
}

static nm_tensor *rms_norm_forward(nm_layer *layer, const nm_pass *pass, nm_tensor *x)
{
    const norm_layer_options *o = layer->options;
    const norm_state *s = layer->state;
    const nm_layer_norm_options options = {NM_LAYER_NORM_DEFAULTS, .axis = o->axis, .eps = o->eps,
                                           NM_END(nm_layer_norm_options)};
    return o->mask_value == NM_NO_LIMIT ? nm_rms_norm_with(pass->tape, x, s->scale, &options)
                                        : run_masked(layer, pass, &nm_op_rms_norm, x, 2, &options);
}

static nm_tensor *instance_norm_forward(nm_layer *layer, const nm_pass *pass, nm_tensor *x)
{
    const norm_layer_options *o = layer->options;
    const norm_state *s = layer->state;
    const nm_instance_norm_options options = {NM_INSTANCE_NORM_DEFAULTS, .axis = o->axis,
                                              .eps = o->eps, NM_END(nm_instance_norm_options)};
    return o->mask_value == NM_NO_LIMIT
               ? nm_instance_norm_with(pass->tape, x, s->scale, s->shift, &options)
               : run_masked(layer, pass, &nm_op_instance_norm, x, 3, &options);
}

static nm_tensor *group_norm_forward(nm_layer *layer, const nm_pass *pass, nm_tensor *x)
{
    const norm_layer_options *o = layer->options;
    const norm_state *s = layer->state;
    const nm_group_norm_options options = {NM_GROUP_NORM_DEFAULTS, .groups = o->groups,
                                           .axis = o->axis, .eps = o->eps,
                                           NM_END(nm_group_norm_options)};
    return o->mask_value == NM_NO_LIMIT
               ? nm_group_norm_with(pass->tape, x, s->scale, s->shift, &options)
               : run_masked(layer, pass, &nm_op_group_norm, x, 3, &options);
}

/* ---- Options ---- */

static const norm_layer_options defaults = {
    .groups = 32, .axis = -1, .eps = 1e-5, .affine = true, .mask_value = NM_NO_LIMIT};

#define EPS_ROW                                                                                    \
    {                                                                                              \
        NM_FIELD(norm_layer_options, eps), NM_OPTION_FLOAT,                                        \
            .also = "epsilon", .min = 0, .max = 1, .doc = "added to the variance, inside the root" \
    }
#define AXIS_ROW(doc_)                                                                             \
    {                                                                                              \
        NM_FIELD(norm_layer_options, axis), NM_OPTION_INT, .min = -NM_MAX_RANK,                    \
                                                           .max = NM_MAX_RANK, .doc = doc_         \
    }
#define AFFINE_ROW(doc_)                                                                           \
    {                                                                                              \
        NM_FIELD(norm_layer_options, affine), NM_OPTION_BOOL, .also = "elementwise_affine",        \
                                                              .doc = doc_                          \
    }
#define MASK_ROW                                                                                   \
    NM_MASK_VALUE_ROW(norm_layer_options,                                                          \
                      "what is behind them counts in no statistics, and its output is 0")
#define FIRST_AXIS                                                                                 \
    AXIS_ROW("the first of the axes normalized, which goes to the last; 0 is the batch, negative " \
             "ones count from the end")
#define CHANNELS_AXIS AXIS_ROW("of the channels; 0 is the batch, negative ones count from the end")

static const nm_option layer_norm_rows[] = {
    NM_LAYER_ROWS(norm_layer_options),
    FIRST_AXIS,
    EPS_ROW,
    AFFINE_ROW("learn a scale and a shift for each element of a sample along these axes"),
    MASK_ROW,
};
static const nm_option rms_norm_rows[] = {
    NM_LAYER_ROWS(norm_layer_options),
    FIRST_AXIS,
    EPS_ROW,
    AFFINE_ROW("learn a scale for each element of a sample along these axes"),
    MASK_ROW,
};
static const nm_option instance_norm_rows[] = {
    NM_LAYER_ROWS(norm_layer_options),
    CHANNELS_AXIS,
    EPS_ROW,
    AFFINE_ROW("learn a scale and a shift for each channel"),
    MASK_ROW,
};
static const nm_option group_norm_rows[] = {
    NM_LAYER_ROWS(norm_layer_options),
    {NM_FIELD(norm_layer_options, groups), NM_OPTION_INT, .also = "num_groups", .min = 1,
     .max = 1e7, .doc = "parts that the channels fall into, as many neighbours in each"},
    CHANNELS_AXIS,
    EPS_ROW,
    AFFINE_ROW("learn a scale and a shift for each channel"),
    MASK_ROW,
};
static const nm_spec layer_norm_spec =
    NM_LAYER_SPEC(norm_layer_options, defaults, layer_norm_rows, NULL);
static const nm_spec rms_norm_spec =
    NM_LAYER_SPEC(norm_layer_options, defaults, rms_norm_rows, NULL);
static const nm_spec instance_norm_spec =
    NM_LAYER_SPEC(norm_layer_options, defaults, instance_norm_rows, NULL);
static const nm_spec group_norm_spec =
    NM_LAYER_SPEC(norm_layer_options, defaults, group_norm_rows, NULL);

const nm_layer_type nm_layer_layer_norm = {
    .item = NM_ITEM(nm_layer_type, "layer_norm", "normalizes each sample over its features",
                    .also = "ln layer_normalization", .spec = &layer_norm_spec,
                    .doc = "y = scale * (x - mean) / sqrt(var + eps) + shift, with mean and biased "
                           "variance over the axes from `axis` on. By default that is the last: "
                           "of images each place by itself; axis: 1 takes whole images.\n"
                           "Ba, Kiros, Hinton 2016, arXiv 1607.06450."),
    .prefix = "ln",
    .state_size = sizeof(norm_state),
    .build = build_features,
    .forward = layer_norm_forward,
};

const nm_layer_type nm_layer_rms_norm = {
    .item = NM_ITEM(nm_layer_type, "rms_norm",
                    "divides each sample by the root mean square of its features",
                    .also = "rms_normalization", .spec = &rms_norm_spec,
                    .doc = "y = scale * x / sqrt(mean of x^2 + eps) over the axes from `axis` on: "
                           "layer norm without a mean and without a shift.\n"
                           "Zhang, Sennrich 2019, arXiv 1910.07467."),
    .state_size = sizeof(norm_state),
    .build = build_scale,
    .forward = rms_norm_forward,
};

const nm_layer_type nm_layer_instance_norm = {
    .item = NM_ITEM(nm_layer_type, "instance_norm",
                    "normalizes each channel of each sample over its places",
                    .also = "instance_normalization", .spec = &instance_norm_spec,
                    .doc = "y = scale * (x - mean) / sqrt(var + eps) + shift, with mean and biased "
                           "variance over all axes but those of batch and channels. It takes away "
                           "what an image's contrast and brightness say.\n"
                           "Ulyanov, Vedaldi, Lempitsky 2016, arXiv 1607.08022."),
    .prefix = "in",
    .state_size = sizeof(norm_state),
    .build = build_channels,
    .forward = instance_norm_forward,
};

const nm_layer_type nm_layer_group_norm = {
    .item = NM_ITEM(nm_layer_type, "group_norm",
                    "normalizes groups of channels of each sample over its places",
                    .also = "gn group_normalization", .spec = &group_norm_spec,
                    .doc = "y = scale * (x - mean) / sqrt(var + eps) + shift, with mean and biased "
                           "variance over all places and the channels of a group. The groups must "
                           "divide the channels. Unlike batch norm it does not need large batches."
                           "\nWu, He 2018, arXiv 1803.08494."),
    .prefix = "gn",
    .state_size = sizeof(norm_state),
    .build = build_channels,
    .forward = group_norm_forward,
};
