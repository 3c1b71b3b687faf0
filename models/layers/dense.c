/* Dense: y = x w^T + b along the last axis, for w [units, in] and b [units]. */
#include "models/table.h"
#include "models/weight.h"
#include "ops/linear.h"

typedef struct dense_options {
    NM_LAYER_FIELDS;
    int64_t units;
    NM_WEIGHT_FIELDS;
} dense_options;

static nm_status dense_build(nm_layer *layer, const nm_shape *x)
{
    const dense_options *o = layer->options;
    const nm_weight_options weight = {o->bias, o->init, o->weight_norm, o->weight};
    if (x->rank < 2) {
        return nm_layer_fail(layer, "its input is one number a sample; it takes a vector");
    }
    nm_shape shape = NM_SHAPE(o->units, x->dim[x->rank - 1]);
    return nm_weight_build(layer, &weight, shape, layer->state);
}

static nm_tensor *linear(nm_layer *layer, const nm_pass *pass, nm_tensor *x, nm_tensor *w,
                         nm_tensor *b)
{
    (void)layer;
    return nm_dense(pass->tape, x, w, b, .precision = (int)pass->precision);
}

static nm_tensor *dense_forward(nm_layer *layer, const nm_pass *pass, nm_tensor *x)
{
    return nm_weight_forward(layer, layer->state, pass, x, linear);
}

static const dense_options defaults = {NM_WEIGHT_DEFAULTS};
static const nm_option rows[] = {
    NM_LAYER_ROWS(dense_options),
    {NM_FIELD(dense_options, units), NM_OPTION_INT,
     .also = "out_features output_dim output_size size width neurons hidden outputs", .min = 1,
     .max = 1e7, .flags = NM_REQUIRED, .doc = "outputs"},
    NM_WEIGHT_ROWS(dense_options),
};
static const nm_spec spec = NM_LAYER_SPEC(dense_options, defaults, rows, NULL);

const nm_layer_type nm_layer_dense = {
    .item = NM_ITEM(nm_layer_type, "dense", "fully connected: every output sees every input",
                    .also = "linear fully_connected fc", .spec = &spec,
                    .doc = "y = x w^T + b along the last axis: x [batch, ..., in], weight [units, "
                           "in], bias [units], y [batch, ..., units]. Images need the layer "
                           "flatten before it.\n"
                           "With weight_norm the parameters are weight_v and weight_g: w = g v / "
                           "||v||; weight: {...} has other ways to make the weight."),
    .state_size = sizeof(nm_weight),
    .build = dense_build,
    .forward = dense_forward,
};
