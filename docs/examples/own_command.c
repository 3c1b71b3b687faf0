/* The whole `norma` command in a program of your own, with an op and a layer of yours: they are in
 * YAML, in the help and in the gradient check. Link with norma-command.
 *     own_command train net.yaml          with `- gated: {units: 16}` among its layers
 *     own_command predict runs/net new.csv
 *     own_command gradcheck softrelu */
#include <tgmath.h>
#include <norma.h>
#include <norma_command.h>

/* ---- The op: y = log(1 + e^x). custom_op.c explains it. ---- */

NM_UNARY(softrelu, (x > 0 ? x : 0) + log1p(exp(-fabs(x))))
static nm_tensor *softrelu_vjp(nm_vjp *v, int input)
{
    return nm_mul(v->tape, v->gout[0], nm_sigmoid(v->tape, v->in[input]));
}
static const nm_sample samples[] = {{.in = {NM_NORMAL(3, 4)}}, {.in = {NM_UNIFORM(-30, 30, 9)}}};
static const nm_op softrelu = {
    .item = NM_ITEM(nm_op, "softrelu", "smooth rectifier", .doc = "y = log(1 + e^x), elementwise"),
    .inputs = nm_port_x,
    .outputs = nm_port_y,
    .input_count = 1,
    .output_count = 1,
    .infer = nm_infer_same,
    .forward = softrelu_forward,
    .vjp = softrelu_vjp,
    .samples = samples,
    .sample_count = NM_COUNT_OF(samples)};

/* ---- The layer: y = (x w^T) * softrelu(x v^T), a linear map with a gate ---- */

typedef struct gated_options {
    NM_LAYER_FIELDS;
    int64_t units;
} gated_options;
typedef struct gated_state {
    nm_tensor *w, *v; /* the model's */
} gated_state;

static nm_status gated_build(nm_layer *layer, const nm_shape *x)
{
    const gated_options *o = layer->options;
    gated_state *s = layer->state;
    const nm_choice he = {.item = &nm_initializer_he.item};
    const nm_shape shape = NM_SHAPE(o->units, x->dim[x->rank - 1]);
    s->w = nm_layer_parameter(layer, "weight", NM_WEIGHT, shape, &he);
    s->v = nm_layer_parameter(layer, "gate", NM_WEIGHT, shape, &he);
    return nm_context_status(layer->context);
}

static nm_tensor *gated_forward(nm_layer *layer, const nm_pass *pass, nm_tensor *x)
{
    const gated_state *s = layer->state;
    nm_tensor *gate = nm_apply1(pass->tape, &softrelu, NULL, nm_dense(pass->tape, x, s->v, NULL));
    return nm_mul(pass->tape, nm_dense(pass->tape, x, s->w, NULL), gate);
}

static const gated_options defaults = {.units = 0};
static const nm_option rows[] = {NM_LAYER_ROWS(gated_options),
                                 {NM_FIELD(gated_options, units), NM_OPTION_INT, .min = 1,
                                  .max = 1e6, .flags = NM_REQUIRED, .doc = "outputs"}};
static const nm_spec spec = NM_LAYER_SPEC(gated_options, defaults, rows, NULL);
static const nm_layer_type gated = {.item = NM_ITEM(nm_layer_type, "gated",
                                                    "linear map with a gate", .spec = &spec,
                                                    .doc = "y = (x w^T) * softrelu(x v^T)"),
                                    .state_size = sizeof(gated_state),
                                    .build = gated_build,
                                    .forward = gated_forward};

static nm_status init(nm_context *context)
{
    nm_register_op(context, &softrelu);
    return nm_register_layer(context, &gated);
}

int main(int argc, char **argv)
{
    return nm_main(argc, argv, init);
}
