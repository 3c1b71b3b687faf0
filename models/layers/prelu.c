/* Leaky ReLU whose slope is learned. He, Zhang, Ren, Sun 2015, arXiv 1502.01852. */
#include "models/table.h"
#include "ops/arithmetic.h"

typedef struct prelu_layer_options {
    NM_LAYER_FIELDS;
    bool shared;
    double init;
} prelu_layer_options;

typedef struct prelu_state {
    nm_tensor *weight;
} prelu_state;

/* No weight decay takes it to 0, which would make it a relu: it is among the biases. */
static nm_status prelu_build(nm_layer *layer, const nm_shape *x)
{
    const prelu_layer_options *o = layer->options;
    prelu_state *s = layer->state;
    const nm_shape shape = NM_SHAPE(o->shared ? 1 : x->dim[x->rank - 1]);
    s->weight = nm_layer_constant_parameter(layer, "weight", NM_BIAS, shape, o->init);
    return nm_context_status(layer->context);
}

static nm_tensor *prelu_forward(nm_layer *layer, const nm_pass *pass, nm_tensor *x)
{
    return nm_prelu(pass->tape, x, ((const prelu_state *)layer->state)->weight);
}

static const prelu_layer_options defaults = {.shared = true, .init = 0.25};
static const nm_option rows[] = {
    NM_LAYER_ROWS(prelu_layer_options),
    {NM_FIELD(prelu_layer_options, shared), NM_OPTION_BOOL, .also = "num_parameters",
     .doc = "one slope for all channels; false: one for each"},
    {NM_FIELD(prelu_layer_options, init), NM_OPTION_FLOAT, .min = -1e30, .max = 1e30,
     .doc = "the slope below 0 at first"},
};
static const nm_spec spec = NM_LAYER_SPEC(prelu_layer_options, defaults, rows, NULL);

const nm_layer_type nm_layer_prelu = {
    .item =
        NM_ITEM(nm_layer_type, "prelu", "x above 0, a learned slope times x below", .spec = &spec,
                .doc = "weight [1], or [channels], those of the last axis. It is not decayed.\n"
                       "He, Zhang, Ren, Sun 2015, arXiv 1502.01852."),
    .state_size = sizeof(prelu_state),
    .build = prelu_build,
    .forward = prelu_forward,
};
