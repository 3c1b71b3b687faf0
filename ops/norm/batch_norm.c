/* Batch normalization. For every channel by itself, over its m values,
 *
 *     xhat = (x - mean) * inverse,  inverse = 1 / sqrt(var + eps),  y = scale * xhat + shift
 *
 * with mean and (biased) var of the batch, or given ones in inference; inverse = 1 if mean_only.
 * docs/normalization.md derives the gradients below. Promises:
 *
 * 1. One formula: forward and gradient use the same mean, the same biased variance, the same eps in
 *    the same place. What is saved for the gradient is `mean` and `inverse`.
 * 2. A channel of equal values gives exactly the shift; so does eps = 0, where inverse counts as 0
 *    if the variance is 0.
 * 3. What the mean loses by being rounded to x's type is put back, in both directions: a mean of
 *    1e6 deviations costs nothing.
 * 4. The op has no side effects, and gradients flow through y, mean and var alike.
 * 5. batch_norm_grad has a gradient made of these two ops, so all orders are exact. */
#include <math.h>

#include "ops/basic.h"
#include "ops/norm/batch_norm.h"
#include "ops/norm/channels.h"
#include "ops/define.h"
#include "ops/kernels/kernel.h"
#include "ops/narrow.h"
#include "ops/table.h"

/* ---- Shape rules ---- */

/* The batch's statistics need two values; more to the point, one value is always normalized to 0.
 */
static nm_status check_values(const nm_infer *infer, const nm_batch_norm_options *o, int axis)
{
    const nm_channels view = nm_channels_of(infer->in[X], axis);
    char text[NM_SHAPE_TEXT];
    if (!nm_is_training(o) || infer->in[X]->dim[axis] == 0 || view.outer * view.inner > 1) {
        return NM_OK;
    }
    return nm_infer_fail(infer,
                         "training needs more than one value per channel, x is %s; use a larger "
                         "batch, merge or drop a short last one, or normalize with running "
                         "statistics (mode: inference)",
                         nm_shape_text(infer->in[X], text));
}

nm_status nm_batch_norm_check(const nm_infer *infer, const nm_batch_norm_options *o, int first,
                              int last, int *axis)
{
    nm_status status = nm_infer_axis(infer, X, o->axis, axis);
    if (status == NM_OK) {
        status = check_values(infer, o, *axis);
    }
    for (int i = first; i <= last && status == NM_OK; i++) {
        status = nm_infer_channels(infer, i, *axis);
    }
    return status;
}

static nm_status check_statistics(const nm_infer *infer, const nm_batch_norm_options *o)
{
    const char *missing = !infer->in[RUNNING_MEAN]                   ? "running_mean"
                          : !infer->in[RUNNING_VAR] && !o->mean_only ? "running_var"
                                                                     : NULL;
    if (nm_is_training(o) || !missing) {
        return NM_OK;
    }
    return nm_infer_fail(infer,
                         "inference needs %s; give it, or normalize with the batch's own "
                         "statistics (mode: training)",
                         missing);
}

nm_status nm_batch_norm_infer_as(nm_infer *infer, const nm_batch_norm_options *o)
{
    int axis;
    nm_status status = nm_batch_norm_check(infer, o, SCALE, RUNNING_VAR, &axis);
    if (status == NM_OK) {
        status = check_statistics(infer, o);
    }
    if (status == NM_OK) {
        infer->out[Y] = *infer->in[X];
        infer->out[MEAN] = infer->out[VAR] = infer->out[INVERSE] =
            (nm_shape){1, {infer->in[X]->dim[axis]}};
    }
    return status;
}

static nm_status batch_norm_infer(nm_infer *infer)
{
    return nm_batch_norm_infer_as(infer, infer->options);
}

/* ---- Forward ---- */

typedef struct forward {
    double values; /* m */
    double eps;
    bool mean_only;
    const void *scale, *shift, *running_mean, *running_var;
    void *mean, *var, *inverse, *left, *gate_scale, *gate_shift;
} forward;

/* 1 / sqrt(var + eps) of every channel; promise 2. */
NM_KERNEL static void set_inverse(const forward *f, const double *var, int64_t begin, int64_t end,
                                  double *inverse)
{
    const double eps = f->eps;
    if (f->mean_only) {
        return; /* they are 1 */
    }
    NM_SIMD for (int64_t c = begin; c < end; c++)
    {
        const double v = var[c] + eps;
        inverse[c] = v == 0 ? 0 : 1 / sqrt(v);
    }
}

/* y = a (x - center) + b; `lost` is mean - center: promise 3. */
NM_KERNEL static void set_affine(nm_channel_pass *p, int64_t begin, int64_t end, const double *lost)
{
    const forward *f = p->arg;
    double *a = p->a, *b = p->b;
    const double *inverse = p->inverse;
    nm_channels_load(p->dtype, f->scale, 1, begin, end, a);
    nm_channels_load(p->dtype, f->shift, 0, begin, end, b);
    NM_SIMD for (int64_t c = begin; c < end; c++)
    {
        a[c] *= inverse[c];
        b[c] -= a[c] * lost[c];
    }
}

static void finish_affine(nm_channel_pass *p, int64_t begin, int64_t end, double *lost)
{
    const forward *f = p->arg;
    set_affine(p, begin, end, lost);
    for (int64_t c = begin; c < end; c++) {
        lost[c] *= p->inverse[c];
    }
    nm_channels_store(p->dtype, lost, begin, end, f->left);
    nm_channels_store(p->dtype, p->a, begin, end, f->gate_scale);
    nm_channels_store(p->dtype, p->b, begin, end, f->gate_shift);
}

static void finish_training(nm_channel_pass *p, int64_t begin, int64_t end)
{
    const forward *f = p->arg;
    double *mean = p->sum[0], *var = p->sum[1], *lost = p->sum[2];
    nm_channels_store(p->dtype, mean, begin, end, f->mean);
    nm_channels_load(p->dtype, f->mean, 0, begin, end, p->center);
    for (int64_t c = begin; c < end; c++) {
        lost[c] = mean[c] - p->center[c];
        var[c] /= f->values;
    }
    set_inverse(f, var, begin, end, p->inverse);
    nm_channels_store(p->dtype, var, begin, end, f->var);
    nm_channels_store(p->dtype, p->inverse, begin, end, f->inverse);
    finish_affine(p, begin, end, lost);
}

static void finish_inference(nm_channel_pass *p, int64_t begin, int64_t end)
{
    const forward *f = p->arg;
    double *var = p->sum[1], *lost = p->sum[2];
    nm_channels_load(p->dtype, f->running_mean, 0, begin, end, p->center);
    nm_channels_load(p->dtype, f->running_var, 1, begin, end, var);
    nm_channels_load(p->dtype, NULL, 0, begin, end, lost);
    set_inverse(f, var, begin, end, p->inverse);
    nm_channels_store(p->dtype, p->center, begin, end, f->mean);
    nm_channels_store(p->dtype, var, begin, end, f->var);
    nm_channels_store(p->dtype, p->inverse, begin, end, f->inverse);
    finish_affine(p, begin, end, lost);
}

nm_channel_pass nm_batch_norm_pass(const nm_run *run, const nm_batch_norm_options *o)
{
    const nm_shape *shape = nm_tensor_shape(run->in[X]);
    return (nm_channel_pass){.context = run->context,
                             .dtype = run->dtype,
                             .view = nm_channels_of(shape, nm_batch_norm_axis(o, shape)),
                             .x = run->x[X],
                             .x_is_bf16 = nm_tensor_dtype(run->in[X]) == NM_BF16};
}

nm_status nm_batch_norm_run(nm_channel_pass *p)
{
    nm_status status = nm_channel_pass_begin(p);
    if (status == NM_OK) {
        nm_channel_pass_run(p);
        nm_channel_pass_end(p);
    }
    return status;
}

double nm_batch_norm_values(const nm_channel_pass *p)
{
    return (double)(p->view.outer * p->view.inner);
}

nm_status nm_batch_norm_compute(const nm_run *run, const nm_batch_norm_options *o,
                                const nm_batch_norm_top *top)
{
    nm_channel_pass p = nm_batch_norm_pass(run, o);
    forward f = {.values = nm_batch_norm_values(&p),
                 .eps = o->eps,
                 .mean_only = o->mean_only,
                 .scale = run->x[SCALE],
                 .shift = run->x[SHIFT],
                 .running_mean = run->x[RUNNING_MEAN],
                 .running_var = run->x[RUNNING_VAR],
                 .mean = run->y[MEAN],
                 .var = run->y[VAR],
                 .inverse = run->y[INVERSE],
                 .left = top->left,
                 .gate_scale = top->gate_scale,
                 .gate_shift = top->gate_shift};
    p.gather = nm_is_training(o) ? NM_GATHER_MOMENTS : NM_GATHER_NOTHING;
    p.finish = nm_is_training(o) ? finish_training : finish_inference;
    p.apply = top->elsewhere ? NM_APPLY_NOTHING : NM_APPLY_AFFINE;
    p.activation = top->activation;
    p.residual = top->residual ? run->x[RESIDUAL] : NULL;
    p.residual_is_bf16 = top->residual && nm_tensor_dtype(top->residual) == NM_BF16;
    p.y = run->y[Y];
    p.y_is_bf16 = nm_tensor_dtype(run->out[Y]) == NM_BF16;
    p.arg = &f;
    return nm_batch_norm_run(&p);
}

static nm_status batch_norm_forward(const nm_run *run)
{
    return nm_batch_norm_compute(run, run->options, &(nm_batch_norm_top){0});
}

nm_status nm_batch_norm_moments(const nm_run *run, void *mean, void *inverse, void *left)
{
    const nm_batch_norm_options *o = run->options;
    nm_channel_pass p = nm_batch_norm_pass(run, o);
    forward f = {.values = nm_batch_norm_values(&p),
                 .eps = o->eps,
                 .mean_only = o->mean_only,
                 .mean = mean,
                 .inverse = inverse,
                 .left = left};
    p.gather = NM_GATHER_MOMENTS;
    p.finish = finish_training;
    p.arg = &f;
    return nm_batch_norm_run(&p);
}

/* ---- Gradient ---- */

/* The gradient that came in for var, and for inverse = (var + eps)^(-1/2), whose derivative is
 * -inverse^3 / 2. The latter is used by derivatives of higher order only. */
nm_tensor *nm_batch_norm_gradient_of_var(const nm_vjp *v, const nm_batch_norm_options *o)
{
    nm_tensor *dinverse = v->gout[INVERSE], *inverse = v->out[INVERSE];
    if (!dinverse || o->mean_only) {
        return v->gout[VAR];
    }
    nm_tensor *cube = nm_mul(v->tape, inverse, nm_mul(v->tape, inverse, inverse));
    nm_tensor *dvar = nm_affine(v->tape, nm_mul(v->tape, dinverse, cube), -0.5, 0);
    return nm_add_terms(v->tape, dvar, v->gout[VAR]);
}

/* In inference y = scale (x - M) inverse(V) + shift: dM = -scale inverse dshift, and
 * dV = -scale inverse^2 dscale / 2. The outputs mean and var are copies of M and V. */
static void add_inference(nm_vjp *v, const nm_batch_norm_options *o, nm_tensor *dvar,
                          nm_tensor *dscale, nm_tensor *dshift)
{
    nm_tape *tape = v->tape;
    nm_tensor *inverse = v->out[INVERSE];
    nm_tensor *a = nm_multiply_factors(tape, inverse, v->in[SCALE]);
    nm_tensor *dmean = nm_neg(tape, nm_mul(tape, a, dshift));
    v->gin[RUNNING_MEAN] = nm_add_terms(tape, dmean, v->gout[MEAN]);
    if (v->in[RUNNING_VAR]) {
        if (!o->mean_only) {
            nm_tensor *product = nm_mul(tape, nm_mul(tape, a, inverse), dscale);
            dvar = nm_add_terms(tape, dvar, nm_affine(tape, product, -0.5, 0));
        }
        v->gin[RUNNING_VAR] = nm_or_zeros(tape, dvar, v->in[RUNNING_VAR]);
    }
}

/* In inference, inverse is a variable only if running_var is one. */
static nm_tensor *inverse_of(const nm_vjp *v)
{
    nm_tensor *var = v->in[RUNNING_VAR];
    bool variable = var && nm_tensor_requires_grad(var);
    return variable ? v->out[INVERSE] : nm_detach(v->tape, v->out[INVERSE]);
}

static nm_status first_order(const nm_vjp *v, const nm_batch_norm_options *o, nm_tensor *dy,
                             nm_tensor *dvar, nm_tensor *out[G_OUTPUTS])
{
    nm_tensor *in[G_INPUTS] = {nm_widened(v->tape, v->in[X]), dy, v->in[SCALE]};
    if (nm_is_training(o)) {
        in[G_MEAN] = v->out[MEAN];
        in[G_INVERSE] = v->out[INVERSE];
        in[G_DMEAN] = v->gout[MEAN];
        in[G_DVAR] = dvar;
    } else {
        in[G_MEAN] = v->in[RUNNING_MEAN];
        in[G_INVERSE] = inverse_of(v);
    }
    return nm_batch_norm_gradient(v->tape, o, in, out);
}

nm_tensor *nm_batch_norm_vjp_as(nm_vjp *v, const nm_batch_norm_options *o, nm_tensor *dy, int input)
{
    const bool training = nm_is_training(o);
    if (training && input >= RUNNING_MEAN) { /* not used */
        return nm_or_zeros(v->tape, NULL, v->in[input]);
    }
    nm_tensor *dvar = nm_batch_norm_gradient_of_var(v, o), *out[G_OUTPUTS];
    if (first_order(v, o, dy, dvar, out) != NM_OK) {
        return NULL;
    }
    v->gin[X] = out[G_DX];
    v->gin[SCALE] = out[G_DSCALE];
    v->gin[SHIFT] = out[G_DSHIFT];
    if (!training && (v->need[RUNNING_MEAN] || v->need[RUNNING_VAR])) {
        add_inference(v, o, dvar, out[G_DSCALE], out[G_DSHIFT]);
    }
    return v->gin[input];
}

static nm_tensor *batch_norm_vjp(nm_vjp *v, int input)
{
    return nm_batch_norm_vjp_as(v, v->options, nm_vjp_gout(v, Y), input);
}

/* ---- The op ---- */

static const char *const modes[] = {"training", "inference", NULL};
static const nm_batch_norm_options defaults = {NM_BATCH_NORM_DEFAULTS,
                                               NM_END(nm_batch_norm_options)};
NM_OPTIONS_INIT(nm_batch_norm_options, defaults)
static const nm_option options[] = {
    {NM_FIELD(nm_batch_norm_options, axis), NM_OPTION_INT,
     .doc = "the axis of the channels; negative counts from the end"},
    {NM_FIELD(nm_batch_norm_options, eps), NM_OPTION_FLOAT,
     .doc = "added to the variance, inside the root", .min = 0, .max = NM_NO_LIMIT},
    {NM_FIELD(nm_batch_norm_options, mode), NM_OPTION_ENUM, .names = modes,
     .doc = "training: normalize with the batch's statistics; inference: with the running ones"},
    {NM_FIELD(nm_batch_norm_options, mean_only), NM_OPTION_BOOL,
     .doc = "subtract the mean, but do not divide by the deviation"},
};
const nm_spec nm_batch_norm_spec = NM_SPEC(nm_batch_norm_options, defaults, options);

static const nm_port inputs[INPUTS] = {
    [X] = {.name = "x", .doc = "values to normalize, channels on `axis`", .flags = NM_PORT_BF16},
    [SCALE] = {.name = "scale", .doc = "[channels]; absent: 1", .flags = NM_PORT_OPTIONAL},
    [SHIFT] = {.name = "shift", .doc = "[channels]; absent: 0", .flags = NM_PORT_OPTIONAL},
    [RUNNING_MEAN] = {.name = "running_mean",
                      .doc = "[channels], for inference",
                      .flags = NM_PORT_OPTIONAL},
    [RUNNING_VAR] = {.name = "running_var",
                     .doc = "[channels], for inference",
                     .flags = NM_PORT_OPTIONAL},
};
static const nm_port outputs[OUTPUTS] = {
    [Y] = {.name = "y", .doc = "x's shape"},
    [MEAN] = {.name = "mean", .doc = "[channels]: what x was normalized with"},
    [VAR] = {.name = "var", .doc = "[channels], biased: the batch's, or running_var"},
    [INVERSE] = {.name = "inverse",
                 .doc = "[channels]: 1 / sqrt(var + eps); 1 if mean_only",
                 .flags = NM_PORT_HIDDEN},
};
#define VARIANCES(...) NM_UNIFORM(0.5, 2, __VA_ARGS__)

/* Both modes, affine or not, mean-only, channels on every axis, a channel of two values. */
static const nm_sample samples[] = {
    {.in = {NM_NORMAL(6, 3), NM_NORMAL(3), NM_NORMAL(3)}},
    {.in = {NM_NORMAL(2, 3, 2, 4)}},
    {.options = "{axis: 1, eps: 0.1}", .in = {NM_NORMAL(3, 2, 4), NM_NORMAL(2), NM_NORMAL(2)}},
    {.options = "{axis: 0}", .in = {NM_NORMAL(2, 5), NM_NORMAL(2)}},
    {.options = "{eps: 0.01}", .in = {NM_NORMAL(2, 5), NM_ABSENT, NM_NORMAL(5)}, .inputs = 3},
    {.options = "{mean_only: true}", .in = {NM_NORMAL(5, 3), NM_NORMAL(3), NM_NORMAL(3)}},
    {.options = "{mode: inference}",
     .in = {NM_NORMAL(4, 3), NM_NORMAL(3), NM_NORMAL(3), NM_NORMAL(3), VARIANCES(3)}},
    {.options = "{mode: inference, axis: 1}",
     .in = {NM_NORMAL(2, 3, 4), NM_ABSENT, NM_ABSENT, NM_NORMAL(3), VARIANCES(3)},
     .inputs = 5},
    {.options = "{mode: inference, mean_only: true}",
     .in = {NM_NORMAL(1, 3), NM_NORMAL(3), NM_NORMAL(3), NM_NORMAL(3)}},
};
const nm_op nm_op_batch_norm = {
    .item = NM_ITEM(
        nm_op, "batch_norm", "batch normalization", .spec = &nm_batch_norm_spec,
        .doc = "y = scale * (x - mean) / sqrt(var + eps) + shift, for every channel by itself.\n"
               "In training mean and var (biased) are those of the batch, over all axes but the\n"
               "channels'; in inference they are running_mean and running_var. mean_only leaves\n"
               "the division out. No side effects: move running statistics with the outputs mean\n"
               "and var. Training needs more than one value per channel.\n"
               "dx = scale * inverse * (dy - mean of dy - xhat * mean of dy * xhat) in training,\n"
               "scale * inverse * dy in inference; dscale = sum of dy * xhat; dshift = sum of dy.\n"
               "Ioffe, Szegedy 2015, arXiv 1502.03167; mean_only: Salimans, Kingma 2016, arXiv\n"
               "1602.07868."),
    .inputs = inputs,
    .outputs = outputs,
    .input_count = INPUTS,
    .output_count = OUTPUTS,
    .infer = batch_norm_infer,
    .forward = batch_norm_forward,
    .vjp = batch_norm_vjp,
    .samples = samples,
    .sample_count = NM_COUNT_OF(samples),
};

nm_batch_norm_result nm_batch_norm_with(nm_tape *tape, nm_tensor *x, nm_tensor *scale,
                                        nm_tensor *shift, nm_tensor *running_mean,
                                        nm_tensor *running_var, const nm_batch_norm_options *o)
{
    nm_tensor *in[INPUTS] = {x, scale, shift, running_mean, running_var}, *out[OUTPUTS];
    nm_apply(tape, &nm_op_batch_norm, in, INPUTS, o, out);
    return (nm_batch_norm_result){out[Y], out[MEAN], out[VAR]};
}
