/* Activations: layers that are one op each. */
#include <stddef.h>
#include <string.h>

#include "models/table.h"
#include "ops/basic.h"
#include "ops/loss.h"
#include "ops/table.h"

/* ---- Those without options ---- */

#define ACTIVATION(name_, summary_, ...)                                                           \
    const nm_layer_type nm_layer_##name_ = {                                                       \
        .item = NM_ITEM(nm_layer_type, #name_, summary_, .spec = &nm_layer_spec, __VA_ARGS__),     \
        .op = &nm_op_##name_,                                                                      \
        .forward = nm_forward_op};

ACTIVATION(relu, "max(x, 0)", .also = NULL)
ACTIVATION(sigmoid, "1 / (1 + e^-x)", .also = "logistic")
ACTIVATION(tanh, "hyperbolic tangent", .also = NULL)
ACTIVATION(silu, "x / (1 + e^-x)", .also = "swish")
ACTIVATION(mish, "x tanh(ln(1 + e^x))", .also = NULL)
ACTIVATION(selu, "x above 0, an exponential below, that keep mean and variance", .also = NULL)
ACTIVATION(hard_swish, "x min(max(x + 3, 0), 6) / 6", .also = NULL)

/* ---- Those with one number or two: options laid out as their op's, the name in place of the
 * size ---- */

#define LAID_OUT_AS(layer_, op_, member_)                                                          \
    _Static_assert(offsetof(layer_, member_) == offsetof(op_, member_), "the op's layout");

static nm_tensor *forward_with_options(nm_layer *layer, const nm_pass *pass, nm_tensor *x)
{
    const nm_op *op = layer->type->op;
    double options[4] = {0};
    memcpy(options, layer->options, op->item.spec->size);
    memcpy(options, &op->item.spec->size, sizeof(size_t));
    return nm_apply1(pass->tape, op, options, x);
}

#define ACTIVATION_1(name_, op_options_, member_, default_, doc_, summary_, ...)                   \
    typedef struct name_##_layer_options {                                                         \
        NM_LAYER_FIELDS;                                                                           \
        double member_;                                                                            \
    } name_##_layer_options;                                                                       \
    LAID_OUT_AS(name_##_layer_options, op_options_, member_)                                       \
    static const name_##_layer_options name_##_defaults = {.member_ = default_};                   \
    static const nm_option name_##_rows[] = {                                                      \
        NM_LAYER_ROWS(name_##_layer_options),                                                      \
        {NM_FIELD(name_##_layer_options, member_), NM_OPTION_FLOAT, .min = -1e30, .max = 1e30,     \
         doc_},                                                                                    \
    };                                                                                             \
    ACTIVATION_OF(name_, summary_, __VA_ARGS__)

#define ACTIVATION_2(name_, op_options_, first_, default_, doc_, second_, default_2_, doc_2_,      \
                     summary_, ...)                                                                \
    typedef struct name_##_layer_options {                                                         \
        NM_LAYER_FIELDS;                                                                           \
        double first_, second_;                                                                    \
    } name_##_layer_options;                                                                       \
    LAID_OUT_AS(name_##_layer_options, op_options_, first_)                                        \
    LAID_OUT_AS(name_##_layer_options, op_options_, second_)                                       \
    static const name_##_layer_options name_##_defaults = {.first_ = default_,                     \
                                                           .second_ = default_2_};                 \
    static const nm_option name_##_rows[] = {                                                      \
        NM_LAYER_ROWS(name_##_layer_options),                                                      \
        {NM_FIELD(name_##_layer_options, first_), NM_OPTION_FLOAT, doc_},                          \
        {NM_FIELD(name_##_layer_options, second_), NM_OPTION_FLOAT, doc_2_},                       \
    };                                                                                             \
    ACTIVATION_OF(name_, summary_, __VA_ARGS__)

#define ACTIVATION_OF(name_, summary_, ...)                                                        \
    static const nm_spec name_##_spec =                                                            \
        NM_LAYER_SPEC(name_##_layer_options, name_##_defaults, name_##_rows, NULL);                \
    const nm_layer_type nm_layer_##name_ = {                                                       \
        .item = NM_ITEM(nm_layer_type, #name_, summary_, .spec = &name_##_spec, __VA_ARGS__),      \
        .op = &nm_op_##name_,                                                                      \
        .forward = forward_with_options};

#define DOC(...) .doc = __VA_ARGS__

ACTIVATION_1(leaky_relu, nm_leaky_relu_options, negative_slope, 0.01,
             DOC("slope below 0", .also = "slope alpha"), "x above 0, negative_slope * x below",
             .also = "lrelu")
ACTIVATION_1(elu, nm_elu_options, alpha, 1, DOC("-alpha is what it tends to below 0"),
             "x above 0, alpha (e^x - 1) below", .also = NULL)
ACTIVATION_1(celu, nm_elu_options, alpha, 1, DOC("-alpha is what it tends to below 0"),
             "x above 0, alpha (e^(x / alpha) - 1) below", .also = NULL)
ACTIVATION_2(softplus, nm_softplus_options, beta, 1, DOC("how sharply it bends at 0"), threshold,
             20, DOC("where beta x is above it, y = x"), "ln(1 + e^(beta x)) / beta", .also = NULL)
ACTIVATION_2(hard_sigmoid, nm_hard_sigmoid_options, alpha, 1.0 / 6, DOC("the slope of the line"),
             beta, 0.5, DOC("its value at 0"), "alpha x + beta within 0..1", .also = NULL)

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
