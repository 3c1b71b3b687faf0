/* Activations: layers that are one op each. */
#include "models/table.h"
#include "ops/basic.h"
#include "ops/loss.h"
#include "ops/table.h"

/* ---- Those without options ---- */

#define ACTIVATION(name_, summary_)                                                                \
    const nm_layer_type nm_layer_##name_ = {                                                       \
        .item = NM_ITEM(nm_layer_type, #name_, summary_, .spec = &nm_layer_spec),                  \
        .op = &nm_op_##name_,                                                                      \
        .forward = nm_forward_op};

ACTIVATION(relu, "max(x, 0)")
ACTIVATION(sigmoid, "1 / (1 + e^-x)")
ACTIVATION(tanh, "hyperbolic tangent")

/* ---- Leaky ReLU ---- */

typedef struct leaky_relu_layer_options {
    NM_LAYER_FIELDS;
    double slope;
} leaky_relu_layer_options;

static nm_tensor *leaky_relu_forward(nm_layer *layer, const nm_pass *pass, nm_tensor *x)
{
    const leaky_relu_layer_options *o = layer->options;
    return nm_leaky_relu(pass->tape, x, .slope = o->slope);
}

static const leaky_relu_layer_options leaky_relu_defaults = {NM_LEAKY_RELU_DEFAULTS};
static const nm_option leaky_relu_rows[] = {
    NM_LAYER_ROWS(leaky_relu_layer_options),
    {NM_FIELD(leaky_relu_layer_options, slope), NM_OPTION_FLOAT, .also = "negative_slope alpha",
     .min = -1e30, .max = 1e30, .doc = "slope below 0"},
};
static const nm_spec leaky_relu_spec =
    NM_LAYER_SPEC(leaky_relu_layer_options, leaky_relu_defaults, leaky_relu_rows, NULL);

const nm_layer_type nm_layer_leaky_relu = {
    .item = NM_ITEM(nm_layer_type, "leaky_relu", "x above 0, slope * x below", .also = "lrelu",
                    .spec = &leaky_relu_spec),
    .forward = leaky_relu_forward,
};

/* ---- GELU ---- */

typedef struct gelu_layer_options {
    NM_LAYER_FIELDS;
    int approximate; /* NM_GELU_EXACT or NM_GELU_TANH */
} gelu_layer_options;

static nm_tensor *gelu_forward(nm_layer *layer, const nm_pass *pass, nm_tensor *x)
{
    const gelu_layer_options *o = layer->options;
    return nm_gelu(pass->tape, x, .approximate = o->approximate);
}

static const gelu_layer_options gelu_defaults = {NM_GELU_DEFAULTS};
static const char *const approximate_names[] = {"none", "tanh", NULL};
static const nm_option gelu_rows[] = {
    NM_LAYER_ROWS(gelu_layer_options),
    {NM_FIELD(gelu_layer_options, approximate), NM_OPTION_ENUM, .names = approximate_names,
     .doc = "the exact function, or its approximation by tanh"},
};
static const nm_spec gelu_spec = NM_LAYER_SPEC(gelu_layer_options, gelu_defaults, gelu_rows, NULL);

const nm_layer_type nm_layer_gelu = {
    .item =
        NM_ITEM(nm_layer_type, "gelu", "x times the normal distribution at x", .spec = &gelu_spec),
    .forward = gelu_forward,
};

/* ---- Softmax and its logarithm ---- */

typedef struct softmax_layer_options {
    NM_LAYER_FIELDS;
    int64_t axis;
} softmax_layer_options;

/* Over the batch, a sample's result would depend on the others. */
static nm_status softmax_build(nm_layer *layer, const nm_shape *x)
{
    const softmax_layer_options *o = layer->options;
    int axis;
    return nm_layer_axis(layer, x, o->axis, &axis);
}

static nm_tensor *softmax_forward(nm_layer *layer, const nm_pass *pass, nm_tensor *x)
{
    const softmax_layer_options *o = layer->options;
    return nm_softmax(pass->tape, x, .axis = o->axis);
}

static nm_tensor *log_softmax_forward(nm_layer *layer, const nm_pass *pass, nm_tensor *x)
{
    const softmax_layer_options *o = layer->options;
    return nm_log_softmax(pass->tape, x, .axis = o->axis);
}

static const softmax_layer_options softmax_defaults = {NM_SOFTMAX_DEFAULTS};
static const nm_option softmax_rows[] = {
    NM_LAYER_ROWS(softmax_layer_options),
    {NM_FIELD(softmax_layer_options, axis), NM_OPTION_INT, .min = -NM_MAX_RANK, .max = NM_MAX_RANK,
     .doc = "the axis to normalize; 0 is the batch, negative ones count from the end"},
};
static const nm_spec softmax_spec =
    NM_LAYER_SPEC(softmax_layer_options, softmax_defaults, softmax_rows, NULL);

const nm_layer_type nm_layer_softmax = {
    .item = NM_ITEM(nm_layer_type, "softmax", "e^x / sum(e^x) along an axis", .spec = &softmax_spec,
                    .doc = "For networks that are to give probabilities. The loss cross_entropy "
                           "takes what comes before it."),
    .build = softmax_build,
    .forward = softmax_forward,
};

const nm_layer_type nm_layer_log_softmax = {
    .item = NM_ITEM(nm_layer_type, "log_softmax", "logarithm of softmax along an axis",
                    .spec = &softmax_spec),
    .build = softmax_build,
    .forward = log_softmax_forward,
};
