/* A convolution and an activation in one, without the array between them. */
#include "ops/activation.h"
#include "ops/linear/conv2d.h"
#include "ops/define.h"
#include "ops/narrow.h"
#include "ops/table.h"

static nm_conv2d_options conv_options(const void *options)
{
    const nm_conv2d_activation_options *o = options;
    return (nm_conv2d_options){.struct_size = sizeof(nm_conv2d_options),
                               .stride = o->stride,
                               .padding = o->padding,
                               .dilation = o->dilation,
                               .groups = o->groups,
                               .precision = o->precision};
}

static nm_activation activation_of(const void *options)
{
    return (nm_activation)((const nm_conv2d_activation_options *)options)->activation;
}

static nm_status conv2d_activation_infer(nm_infer *infer)
{
    const nm_conv2d_options conv = conv_options(infer->options);
    nm_narrow_output(infer, ((const nm_conv2d_activation_options *)infer->options)->narrow);
    return nm_conv2d_check(infer, &conv);
}

static nm_status conv2d_activation_forward(const nm_run *run)
{
    const nm_conv2d_options conv = conv_options(run->options);
    return nm_conv2d_compute(run, &conv, activation_of(run->options));
}

/* All at once, since all begin with dz. */
static nm_tensor *conv2d_activation_vjp(nm_vjp *v, int input)
{
    const nm_conv2d_options conv = conv_options(v->options);
    nm_tensor *dz =
        nm_activation_gradient(v->tape, activation_of(v->options), v->out[0], v->gout[0]);
    for (int i = 0; dz && i < v->inputs; i++) {
        if (v->need[i] && !v->gin[i]) {
            v->gin[i] = nm_conv2d_gradient(v, &conv, dz, i);
        }
    }
    return v->gin[input];
}

static const nm_sample conv2d_activation_samples[] = {
    /* relu, never near its bend: the sums are below 0.9, the bias beyond 2 */
    {.in = {NM_UNIFORM(0.2, 1, 2, 4, 5, 2), NM_UNIFORM(0.01, 0.05, 4, 3, 3, 2), NM_AWAY(2, 4)}},
    {.options = "{activation: sigmoid, padding: 1, stride: 2}",
     .in = {NM_NORMAL(1, 5, 4, 2), NM_NORMAL(2, 3, 3, 2)}},
    {.options = "{activation: tanh, padding: [1, 0], dilation: [2, 1], groups: 2}",
     .in = {NM_NORMAL(2, 4, 3, 4), NM_NORMAL(2, 3, 2, 2), NM_NORMAL(2)}},
    {.options = "{activation: none}", .in = {NM_NORMAL(1, 2, 2, 2), NM_NORMAL(2, 1, 2, 2)}},
};

static const nm_conv2d_activation_options defaults = {NM_END(nm_conv2d_activation_options),
                                                      NM_CONV2D_ACTIVATION_DEFAULTS};
NM_OPTIONS_INIT(nm_conv2d_activation_options, defaults)
static const nm_option options[] = {
    NM_CONV2D_ROWS(nm_conv2d_activation_options),
    {NM_FIELD(nm_conv2d_activation_options, activation), NM_OPTION_ENUM,
     .names = nm_activation_names, .doc = "what y goes through in the end"},
    {NM_FIELD(nm_conv2d_activation_options, narrow), NM_OPTION_BOOL, .doc = NM_NARROW_DOC},
};
static const nm_spec spec = NM_SPEC(nm_conv2d_activation_options, defaults, options);

const nm_op nm_op_conv2d_activation = {
    .item = NM_ITEM(nm_op, "conv2d_activation", "convolution and activation in one", .spec = &spec,
                    .doc = "y = activation(conv2d(x, w, b)).\n"
                           "With dz = activation'(y) dy, the gradients are those of conv2d for "
                           "dz."),
    .inputs = nm_conv2d_inputs,
    .outputs = nm_conv2d_outputs,
    .input_count = 3,
    .output_count = 1,
    .infer = conv2d_activation_infer,
    .forward = conv2d_activation_forward,
    .vjp = conv2d_activation_vjp,
    .multiply_adds = nm_conv2d_multiply_adds,
    .samples = conv2d_activation_samples,
    .sample_count = NM_COUNT_OF(conv2d_activation_samples),
};

nm_tensor *nm_conv2d_activation_with(nm_tape *tape, nm_tensor *x, nm_tensor *w, nm_tensor *b,
                                     const nm_conv2d_activation_options *o)
{
    return nm_apply3(tape, &nm_op_conv2d_activation, o, x, w, b);
}
