/* What stands in the place of a normalization and an activation: filter response norm with its
 * threshold unit, and dynamic tanh. Both know nothing of other samples. */
#include "models/running.h"
#include "models/table.h"
#include "ops/basic.h"
#include "ops/norm.h"

/* ---- Filter response norm ---- */

typedef struct frn_layer_options {
    NM_LAYER_FIELDS;
    int64_t axis;
    double eps;
    bool learned_eps;
} frn_layer_options;

typedef struct frn_state {
    nm_tensor *scale, *shift, *threshold;
    nm_tensor *eps; /* NULL: not learned */
} frn_state;

#define FIRST_EPS 1e-4 /* the paper's, where it is learned */

static nm_status frn_build(nm_layer *layer, const nm_shape *x)
{
    const frn_layer_options *o = layer->options;
    frn_state *s = layer->state;
    int axis;
    if (nm_layer_axis(layer, x, o->axis, &axis) != NM_OK) {
        return NM_ERROR_INPUT;
    }
    const nm_shape channels = NM_SHAPE(x->dim[axis]);
    s->scale = nm_layer_constant_parameter(layer, "scale", NM_NORM_SCALE, channels, 1);
    s->shift = nm_layer_parameter(layer, "shift", NM_NORM_SHIFT, channels, NULL);
    s->threshold = nm_layer_parameter(layer, "threshold", NM_NORM_SHIFT, channels, NULL);
    if (o->learned_eps) {
        s->eps = nm_layer_constant_parameter(layer, "eps", NM_NORM_SCALE, channels, FIRST_EPS);
    }
    return nm_context_status(layer->context);
}

/* x / sqrt(mean of x^2 + |eps of the channel| + eps), scaled and shifted. */
static nm_tensor *normalize_by_learned(const frn_layer_options *o, const frn_state *s,
                                       nm_tape *tape, nm_tensor *x, int axis)
{
    nm_ints places = NM_NO_LIST;
    for (int d = 1; d < nm_tensor_shape(x)->rank; d++) {
        if (d != axis) {
            places.at[places.count++] = d;
        }
    }
    nm_tensor *squares = nm_square(tape, x);
    if (places.count) {
        squares = nm_mean(tape, squares, .axes = places, .keepdims = true);
    }
    nm_tensor *eps =
        nm_affine(tape, nm_abs(tape, nm_along_axis(tape, s->eps, NULL, NULL, x, axis)), 1, o->eps);
    nm_tensor *y = nm_mul(tape, x, nm_rsqrt(tape, nm_add(tape, squares, eps)));
    y = nm_mul(tape, y, nm_along_axis(tape, s->scale, NULL, NULL, x, axis));
    return nm_add(tape, y, nm_along_axis(tape, s->shift, NULL, NULL, x, axis));
}

static nm_tensor *frn_forward(nm_layer *layer, const nm_pass *pass, nm_tensor *x)
{
    const frn_layer_options *o = layer->options;
    const frn_state *s = layer->state;
    nm_tape *tape = pass->tape;
    const int axis = nm_shape_axis(nm_tensor_shape(x), o->axis);
    nm_tensor *y = s->eps ? normalize_by_learned(o, s, tape, x, axis)
                          : nm_filter_response_norm(tape, x, s->scale, s->shift, .axis = o->axis,
                                                    .eps = o->eps);
    return nm_maximum(tape, y, nm_along_axis(tape, s->threshold, NULL, NULL, x, axis));
}

static const frn_layer_options frn_defaults = {.axis = -1, .eps = 1e-6};
static const nm_option frn_rows[] = {
    NM_LAYER_ROWS(frn_layer_options),
    {NM_FIELD(frn_layer_options, axis), NM_OPTION_INT, .min = -NM_MAX_RANK, .max = NM_MAX_RANK,
     .doc = "of the channels; 0 is the batch, negative ones count from the end"},
    {NM_FIELD(frn_layer_options, eps), NM_OPTION_FLOAT, .also = "epsilon", .min = 0, .max = 1,
     .doc = "added to the mean of squares, inside the root"},
    {NM_FIELD(frn_layer_options, learned_eps), NM_OPTION_BOOL,
     .doc = "learn what is added, besides eps, for each channel: for images of one or few places, "
            "where what is normalized would be little more than a sign"},
};
static const nm_spec frn_spec = NM_LAYER_SPEC(frn_layer_options, frn_defaults, frn_rows, NULL);

const nm_layer_type nm_layer_filter_response_norm = {
    .item = NM_ITEM(nm_layer_type, "filter_response_norm",
                    "divides channels by their root mean square, with a learned threshold",
                    .also = "frn", .spec = &frn_spec,
                    .doc = "y = max(scale * x / sqrt(mean of x^2 + eps) + shift, threshold), with "
                           "the mean over all axes but those of batch and channels. It stands for "
                           "a normalization and the activation behind it.\n"
                           "Singh, Krishnan 2019, arXiv 1911.09737."),
    .prefix = "frn",
    .state_size = sizeof(frn_state),
    .build = frn_build,
    .forward = frn_forward,
};

/* ---- Dynamic tanh ---- */

typedef struct dyt_layer_options {
    NM_LAYER_FIELDS;
    double alpha;
} dyt_layer_options;

typedef struct dyt_state {
    nm_tensor *alpha, *scale, *shift;
} dyt_state;

static nm_status dyt_build(nm_layer *layer, const nm_shape *x)
{
    const dyt_layer_options *o = layer->options;
    dyt_state *s = layer->state;
    if (x->rank < 2) {
        return nm_layer_fail(layer, "its input is one number a sample; it takes a vector");
    }
    const nm_shape features = NM_SHAPE(x->dim[x->rank - 1]);
    s->alpha =
        nm_layer_constant_parameter(layer, "alpha", NM_NORM_SCALE, NM_SCALAR_SHAPE, o->alpha);
    s->scale = nm_layer_constant_parameter(layer, "scale", NM_NORM_SCALE, features, 1);
    s->shift = nm_layer_parameter(layer, "shift", NM_NORM_SHIFT, features, NULL);
    return nm_context_status(layer->context);
}

static nm_tensor *dyt_forward(nm_layer *layer, const nm_pass *pass, nm_tensor *x)
{
    const dyt_state *s = layer->state;
    return nm_dynamic_tanh(pass->tape, x, s->alpha, s->scale, s->shift);
}

static const dyt_layer_options dyt_defaults = {.alpha = 0.5};
static const nm_option dyt_rows[] = {
    NM_LAYER_ROWS(dyt_layer_options),
    {NM_FIELD(dyt_layer_options, alpha), NM_OPTION_FLOAT, .also = "init_alpha alpha_init_value",
     .min = -1e6, .max = 1e6, .doc = "what the slope begins with"},
};
static const nm_spec dyt_spec = NM_LAYER_SPEC(dyt_layer_options, dyt_defaults, dyt_rows, NULL);

const nm_layer_type nm_layer_dynamic_tanh = {
    .item =
        NM_ITEM(nm_layer_type, "dynamic_tanh", "tanh with a slope, in place of a normalization",
                .also = "dyt", .spec = &dyt_spec,
                .doc = "y = scale * tanh(alpha * x) + shift, with one alpha for the layer and a "
                       "scale and a shift for each index of the last axis. It has no "
                       "statistics.\nZhu and others 2025, arXiv 2503.10622."),
    .prefix = "dyt",
    .state_size = sizeof(dyt_state),
    .build = dyt_build,
    .forward = dyt_forward,
};
