/* Batch norm, a residual and an activation in one pass over the elements: what follows a
 * convolution in most networks. Three passes over memory less than the ops one after the other, and
 * the same results.
 *
 * Backward, a relu without a residual is part of the pass as well (batch_norm_relu_grad): its input
 * was gate_scale * (x - mean) + gate_shift, with numbers that the forward pass left in hidden
 * outputs, so y need not be read. Every other gradient is that of the ops one after the other. */
#include "ops/activation.h"
#include "ops/basic.h"
#include "ops/norm/batch_norm.h"
#include "ops/norm/channels.h"
#include "ops/define.h"
#include "ops/narrow.h"
#include "ops/table.h"

static nm_batch_norm_options norm_options(const void *options)
{
    const nm_batch_norm_activation_options *o = options;
    return (nm_batch_norm_options){.struct_size = sizeof(nm_batch_norm_options),
                                   .axis = o->axis,
                                   .eps = o->eps,
                                   .mode = o->mode,
                                   .mean_only = o->mean_only};
}

static nm_activation activation_of(const void *options)
{
    return (nm_activation)((const nm_batch_norm_activation_options *)options)->activation;
}

static nm_status batch_norm_activation_infer(nm_infer *infer)
{
    const nm_batch_norm_options norm = norm_options(infer->options);
    const nm_shape *x = infer->in[X], *residual = infer->in[RESIDUAL];
    char x_text[NM_SHAPE_TEXT], residual_text[NM_SHAPE_TEXT];
    if (residual && !nm_shape_equal(residual, x)) {
        return nm_infer_fail(infer, "residual %s must have the shape of x %s",
                             nm_shape_text(residual, residual_text), nm_shape_text(x, x_text));
    }
    nm_status status = nm_batch_norm_infer_as(infer, &norm);
    nm_narrow_output(infer, ((const nm_batch_norm_activation_options *)infer->options)->narrow);
    infer->out[GATE_SCALE] = infer->out[GATE_SHIFT] = infer->out[MEAN];
    return status;
}

static nm_status batch_norm_activation_forward(const nm_run *run)
{
    const nm_batch_norm_options norm = norm_options(run->options);
    nm_tensor *residual = run->inputs > RESIDUAL ? run->in[RESIDUAL] : NULL;
    return nm_batch_norm_compute(run, &norm,
                                 &(nm_batch_norm_top){.residual = residual,
                                                      .activation = activation_of(run->options),
                                                      .gate_scale = run->y[GATE_SCALE],
                                                      .gate_shift = run->y[GATE_SHIFT]});
}

/* ---- Gradient ---- */

/* As if the ops had run one after the other. */
static nm_tensor *one_by_one(nm_vjp *v, const nm_batch_norm_options *norm, int input)
{
    nm_tensor *dy =
        nm_activation_gradient(v->tape, activation_of(v->options), v->out[Y], nm_vjp_gout(v, Y));
    v->gin[RESIDUAL] = dy;
    return input == RESIDUAL ? dy : nm_batch_norm_vjp_as(v, norm, dy, input);
}

static nm_tensor *gate_and_norm(nm_vjp *v, const nm_batch_norm_options *norm, int input)
{
    nm_tensor *in[G_RELU_INPUTS] = {[G_X] = nm_widened(v->tape, v->in[X]),
                                    [G_DY] = nm_vjp_gout(v, Y),
                                    [G_SCALE] = v->in[SCALE],
                                    [G_MEAN] = nm_detach(v->tape, v->out[MEAN]),
                                    [G_INVERSE] = nm_detach(v->tape, v->out[INVERSE]),
                                    [G_DMEAN] = v->gout[MEAN],
                                    [G_DVAR] = nm_batch_norm_gradient_of_var(v, norm),
                                    [G_GATE_SCALE] = v->out[GATE_SCALE],
                                    [G_GATE_SHIFT] = v->out[GATE_SHIFT]};
    nm_tensor *out[G_OUTPUTS];
    if (nm_apply(v->tape, &nm_op_batch_norm_relu_grad, in, G_RELU_INPUTS, norm, out) != NM_OK) {
        return NULL;
    }
    v->gin[X] = out[G_DX];
    v->gin[SCALE] = out[G_DSCALE];
    v->gin[SHIFT] = out[G_DSHIFT];
    return v->gin[input];
}

static nm_tensor *batch_norm_activation_vjp(nm_vjp *v, int input)
{
    const nm_batch_norm_options norm = norm_options(v->options);
    const bool gate = nm_is_training(&norm) && !v->in[RESIDUAL] &&
                      activation_of(v->options) == NM_ACTIVATION_RELU;
    if (gate && (input == RUNNING_MEAN || input == RUNNING_VAR)) { /* not used in training */
        return nm_or_zeros(v->tape, NULL, v->in[input]);
    }
    return gate ? gate_and_norm(v, &norm, input) : one_by_one(v, &norm, input);
}

/* ---- The gradient's gradient. The gate is a step function of x: it has none. ---- */

static nm_tensor *mean_of(nm_vjp *v)
{
    nm_tensor *in[INPUTS] = {v->in[G_X]}, *out[OUTPUTS] = {NULL};
    if (v->in[G_MEAN]) {
        return v->in[G_MEAN];
    }
    nm_apply(v->tape, &nm_op_batch_norm, in, INPUTS, v->options, out);
    return out[MEAN];
}

/* The relu's input, or rather something of the same sign. */
static nm_tensor *gate_of(nm_vjp *v)
{
    nm_tape *tape = v->tape;
    const nm_shape *shape = nm_tensor_shape(v->in[G_X]);
    const int axis = nm_batch_norm_axis(v->options, shape);
    nm_tensor *mean = nm_along_channels(tape, nm_detach(tape, mean_of(v)), shape, axis);
    nm_tensor *scale = nm_along_channels(tape, nm_detach(tape, v->in[G_GATE_SCALE]), shape, axis);
    nm_tensor *shift = nm_along_channels(tape, nm_detach(tape, v->in[G_GATE_SHIFT]), shape, axis);
    nm_tensor *centered = nm_sub(tape, nm_detach(tape, v->in[G_X]), mean);
    return nm_add(tape, nm_mul(tape, scale, centered), shift);
}

static nm_tensor *through_gate(nm_tape *tape, nm_tensor *gate, nm_tensor *dy)
{
    return nm_activation_gradient(tape, NM_ACTIVATION_RELU, gate, dy);
}

static nm_tensor *batch_norm_relu_grad_vjp(nm_vjp *v, int input)
{
    nm_tensor *gate = gate_of(v);
    nm_tensor *dy = through_gate(v->tape, gate, v->in[G_DY]);
    if (!dy) {
        return NULL;
    }
    nm_batch_norm_grad_vjp_of(v, dy, input);
    v->gin[G_DY] = v->gin[G_DY] ? through_gate(v->tape, gate, v->gin[G_DY]) : NULL;
    return v->gin[input];
}

/* ---- The ops ---- */

static const char *const modes[] = {"training", "inference", NULL};
static const nm_batch_norm_activation_options defaults = {NM_BATCH_NORM_ACTIVATION_DEFAULTS,
                                                          NM_END(nm_batch_norm_activation_options)};
NM_OPTIONS_INIT(nm_batch_norm_activation_options, defaults)
static const nm_option options[] = {
    {NM_FIELD(nm_batch_norm_activation_options, axis), NM_OPTION_INT,
     .doc = "the axis of the channels; negative counts from the end"},
    {NM_FIELD(nm_batch_norm_activation_options, eps), NM_OPTION_FLOAT,
     .doc = "added to the variance, inside the root", .min = 0, .max = NM_NO_LIMIT},
    {NM_FIELD(nm_batch_norm_activation_options, mode), NM_OPTION_ENUM, .names = modes,
     .doc = "training: normalize with the batch's statistics; inference: with the running ones"},
    {NM_FIELD(nm_batch_norm_activation_options, mean_only), NM_OPTION_BOOL,
     .doc = "subtract the mean, but do not divide by the deviation"},
    {NM_FIELD(nm_batch_norm_activation_options, activation), NM_OPTION_ENUM,
     .names = nm_activation_names, .doc = "what y goes through in the end"},
    {NM_FIELD(nm_batch_norm_activation_options, narrow), NM_OPTION_BOOL, .doc = NM_NARROW_DOC},
};
const nm_spec nm_batch_norm_activation_spec =
    NM_SPEC(nm_batch_norm_activation_options, defaults, options);

#define CHANNELS(name_, doc_)                                                                      \
    {                                                                                              \
        .name = name_, .doc = doc_, .flags = NM_PORT_OPTIONAL                                      \
    }
static const nm_port inputs[A_INPUTS] = {
    [X] = {.name = "x", .doc = "values to normalize, channels on `axis`", .flags = NM_PORT_BF16},
    [SCALE] = CHANNELS("scale", "[channels]; absent: 1"),
    [SHIFT] = CHANNELS("shift", "[channels]; absent: 0"),
    [RUNNING_MEAN] = CHANNELS("running_mean", "[channels], for inference"),
    [RUNNING_VAR] = CHANNELS("running_var", "[channels], for inference"),
    [RESIDUAL] = {.name = "residual",
                  .doc = "x's shape: added before the activation; absent: 0",
                  .flags = NM_PORT_OPTIONAL | NM_PORT_BF16},
};
static const nm_port outputs[A_OUTPUTS] = {
    [Y] = {.name = "y", .doc = "x's shape"},
    [MEAN] = {.name = "mean", .doc = "[channels]: what x was normalized with"},
    [VAR] = {.name = "var", .doc = "[channels], biased: the batch's, or running_var"},
    [INVERSE] = {.name = "inverse",
                 .doc = "[channels]: 1 / sqrt(var + eps); 1 if mean_only",
                 .flags = NM_PORT_HIDDEN},
    [GATE_SCALE] = {.name = "gate_scale",
                    .doc = "[channels]: batch norm is gate_scale (x - mean) + gate_shift",
                    .flags = NM_PORT_HIDDEN | NM_PORT_NO_GRAD},
    [GATE_SHIFT] = {.name = "gate_shift",
                    .doc = "[channels]",
                    .flags = NM_PORT_HIDDEN | NM_PORT_NO_GRAD},
};

#define VARIANCES(...) NM_UNIFORM(0.5, 2, __VA_ARGS__)

static const nm_sample batch_norm_activation_samples[] = {
    {.in = {NM_NORMAL(6, 3), NM_NORMAL(3), NM_NORMAL(3)}},
    {.in = {NM_NORMAL(2, 3, 2, 4)}},
    {.options = "{axis: 1, eps: 0.1}", .in = {NM_NORMAL(3, 2, 4), NM_NORMAL(2), NM_NORMAL(2)}},
    {.options = "{mean_only: true}", .in = {NM_NORMAL(5, 3), NM_NORMAL(3), NM_NORMAL(3)}},
    {.options = "{activation: none}",
     .in = {NM_NORMAL(5, 3), NM_NORMAL(3), NM_NORMAL(3), NM_ABSENT, NM_ABSENT, NM_NORMAL(5, 3)},
     .inputs = 6},
    {.in = {NM_NORMAL(5, 3), NM_NORMAL(3), NM_NORMAL(3), NM_ABSENT, NM_ABSENT, NM_NORMAL(5, 3)},
     .inputs = 6},
    {.options = "{axis: 1}",
     .in = {NM_NORMAL(2, 3, 4), NM_NORMAL(3), NM_NORMAL(3), NM_ABSENT, NM_ABSENT,
            NM_NORMAL(2, 3, 4)},
     .inputs = 6},
    {.options = "{activation: sigmoid}", .in = {NM_NORMAL(5, 3), NM_NORMAL(3), NM_NORMAL(3)}},
    {.options = "{activation: tanh}",
     .in = {NM_NORMAL(5, 3), NM_NORMAL(3), NM_ABSENT, NM_ABSENT, NM_ABSENT, NM_NORMAL(5, 3)},
     .inputs = 6},
    {.options = "{mode: inference}",
     .in = {NM_NORMAL(4, 3), NM_NORMAL(3), NM_NORMAL(3), NM_NORMAL(3), VARIANCES(3)}},
    {.options = "{mode: inference, activation: tanh, axis: 1}",
     .in = {NM_NORMAL(2, 3, 2), NM_NORMAL(3), NM_NORMAL(3), NM_NORMAL(3), VARIANCES(3),
            NM_NORMAL(2, 3, 2)}},
};

const nm_op nm_op_batch_norm_activation = {
    .item = NM_ITEM(
        nm_op, "batch_norm_activation", "batch norm, a residual and an activation in one pass",
        .spec = &nm_batch_norm_activation_spec,
        .doc = "y = activation(batch_norm(x) + residual), as the ops one after the other compute\n"
               "it, with fewer passes over memory.\n"
               "dresidual = activation'(y) * dy; dx, dscale and dshift are batch_norm's for that."),
    .inputs = inputs,
    .outputs = outputs,
    .input_count = A_INPUTS,
    .output_count = A_OUTPUTS,
    .infer = batch_norm_activation_infer,
    .forward = batch_norm_activation_forward,
    .vjp = batch_norm_activation_vjp,
    .samples = batch_norm_activation_samples,
    .sample_count = NM_COUNT_OF(batch_norm_activation_samples),
};

static const nm_port grad_inputs[G_RELU_INPUTS] = {
    [G_X] = {.name = "x", .doc = "batch norm's input", .flags = NM_PORT_BF16},
    [G_DY] = {.name = "dy", .doc = "gradient of the relu's result, x's shape"},
    [G_SCALE] = CHANNELS("scale", "[channels]; absent: 1"),
    [G_MEAN] = CHANNELS("mean", "[channels]; in training it may be absent"),
    [G_INVERSE] = CHANNELS("inverse", "[channels], the same"),
    [G_DMEAN] = CHANNELS("dmean", "[channels]: gradient of the output mean; absent: 0"),
    [G_DVAR] = CHANNELS("dvar", "[channels]: gradient of the output var; absent: 0"),
    [G_GATE_SCALE] = {.name = "gate_scale", .doc = "[channels]", .flags = NM_PORT_NO_GRAD},
    [G_GATE_SHIFT] = {.name = "gate_shift", .doc = "[channels]", .flags = NM_PORT_NO_GRAD},
};

static const nm_sample batch_norm_relu_grad_samples[] = {
    {.in = {NM_NORMAL(6, 3), NM_NORMAL(6, 3), NM_NORMAL(3), NM_ABSENT, NM_ABSENT, NM_NORMAL(3),
            NM_NORMAL(3), NM_NORMAL(3), NM_NORMAL(3)},
     .inputs = 9},
    {.options = "{axis: 1, eps: 0.1}",
     .in = {NM_NORMAL(2, 2, 3), NM_NORMAL(2, 2, 3), NM_NORMAL(2), NM_ABSENT, NM_ABSENT, NM_ABSENT,
            NM_NORMAL(2), NM_NORMAL(2), NM_NORMAL(2)},
     .inputs = 9},
    {.options = "{mean_only: true}",
     .in = {NM_NORMAL(4, 2), NM_NORMAL(4, 2), NM_ABSENT, NM_ABSENT, NM_ABSENT, NM_ABSENT, NM_ABSENT,
            NM_NORMAL(2), NM_NORMAL(2)},
     .inputs = 9},
};

const nm_op nm_op_batch_norm_relu_grad = {
    .item = NM_ITEM(nm_op, "batch_norm_relu_grad", "gradient of batch norm and relu in one pass",
                    .spec = &nm_batch_norm_spec,
                    .doc = "batch_norm_grad of dy where gate_scale * (x - mean) + gate_shift, the\n"
                           "relu's input, is above 0, and of 0 elsewhere."),
    .inputs = grad_inputs,
    .outputs = nm_batch_norm_grad_outputs,
    .input_count = G_RELU_INPUTS,
    .output_count = G_OUTPUTS,
    .infer = nm_batch_norm_grad_infer,
    .forward = nm_batch_norm_grad_forward,
    .vjp = batch_norm_relu_grad_vjp,
    .samples = batch_norm_relu_grad_samples,
    .sample_count = NM_COUNT_OF(batch_norm_relu_grad_samples),
};

nm_batch_norm_result nm_batch_norm_activation_with(nm_tape *tape, nm_tensor *x, nm_tensor *scale,
                                                   nm_tensor *shift, nm_tensor *residual,
                                                   nm_tensor *running_mean, nm_tensor *running_var,
                                                   const nm_batch_norm_activation_options *o)
{
    nm_tensor *in[A_INPUTS] = {x, scale, shift, running_mean, running_var, residual};
    nm_tensor *out[A_OUTPUTS];
    nm_apply(tape, &nm_op_batch_norm_activation, in, A_INPUTS, o, out);
    return (nm_batch_norm_result){out[Y], out[MEAN], out[VAR]};
}
