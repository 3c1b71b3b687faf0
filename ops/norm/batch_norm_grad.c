/* The gradient of batch normalization, and the gradient of that. The notation is that of
 * ops/batch_norm.c; docs/normalization.md derives both step by step. */
#include "ops/basic.h"
#include "ops/norm/batch_norm.h"
#include "ops/norm/batch_norm_second.h"
#include "ops/norm/channels.h"
#include "ops/define.h"
#include "ops/kernels/kernel.h"
#include "ops/table.h"

static nm_status check_inputs(const nm_infer *infer)
{
    const nm_shape *x = infer->in[G_X], *dy = infer->in[G_DY];
    const bool training = nm_is_training(infer->options);
    char x_text[NM_SHAPE_TEXT], dy_text[NM_SHAPE_TEXT];
    if (!nm_shape_equal(dy, x)) {
        return nm_infer_fail(infer, "dy %s must have the shape of x %s", nm_shape_text(dy, dy_text),
                             nm_shape_text(x, x_text));
    }
    if (!infer->in[G_MEAN] != !infer->in[G_INVERSE]) {
        return nm_infer_fail(infer,
                             "mean and inverse go together: give both or, in training, none");
    }
    if (!training && !infer->in[G_MEAN]) {
        return nm_infer_fail(infer, "inference needs mean and inverse");
    }
    return NM_OK;
}

nm_status nm_batch_norm_grad_infer(nm_infer *infer)
{
    int axis;
    nm_status status =
        nm_batch_norm_check(infer, infer->options, G_SCALE, infer->op->input_count - 1, &axis);
    if (status == NM_OK) {
        status = check_inputs(infer);
    }
    if (status == NM_OK) {
        infer->out[G_DX] = *infer->in[G_X];
        infer->out[G_DSCALE] = infer->out[G_DSHIFT] = (nm_shape){1, {infer->in[G_X]->dim[axis]}};
    }
    return status;
}

/* ---- The gradient ---- */

typedef struct backward {
    double values;
    bool training, mean_only;
    const void *scale, *dmean, *dvar;
    const void *left; /* known already; NULL: gathered */
    void *dscale, *dshift;
    void *a, *b, *c; /* where dx's coefficients go; may be NULL */
} backward;

/* With q = sum of dy xhat = dscale, s = sum of dy = dshift:
 *
 *     dx = scale inverse (dy - s/m - xhat q/m) + dmean/m + dvar 2 (x - mean)/m
 *
 * and x - mean = xhat / inverse. The loops know x - center, which is off by what the mean lost when
 * it was rounded (promise 3): they see xhat + left, left = sum of xhat / m. */
NM_KERNEL static void set_training(nm_channel_pass *p, int64_t begin, int64_t end)
{
    const backward *g = p->arg;
    const double m = g->values, *inverse = p->inverse;
    double *dshift = p->sum[0], *dscale = p->sum[1], *left = p->sum[2];
    double *a = p->a, *b = p->b, *c = p->c;
    const double divided = g->mean_only ? 0 : 1;
    NM_SIMD for (int64_t i = begin; i < end; i++)
    {
        dscale[i] -= left[i] * dshift[i];
        const double deviation = inverse[i] > 0 ? 1 / inverse[i] : 0;
        const double dmean = c[i], dvar = b[i];
        a[i] *= inverse[i];
        b[i] = (2 * dvar * deviation - divided * a[i] * dscale[i]) / m;
        c[i] = (dmean - a[i] * dshift[i]) / m - b[i] * left[i];
    }
}

static void set_left(nm_channel_pass *p, int64_t begin, int64_t end)
{
    const backward *g = p->arg;
    double *left = p->sum[2];
    if (g->left) {
        nm_channels_load(p->dtype, g->left, 0, begin, end, left);
        return;
    }
    for (int64_t c = begin; c < end; c++) {
        left[c] /= g->values;
    }
}

static void finish_gradient(nm_channel_pass *p, int64_t begin, int64_t end)
{
    const backward *g = p->arg;
    nm_channels_load(p->dtype, g->scale, 1, begin, end, p->a);
    if (g->training) {
        nm_channels_load(p->dtype, g->dvar, 0, begin, end, p->b);
        nm_channels_load(p->dtype, g->dmean, 0, begin, end, p->c);
        set_left(p, begin, end);
        set_training(p, begin, end);
    } else {
        for (int64_t c = begin; c < end; c++) {
            p->a[c] *= p->inverse[c]; /* mean and inverse are constants */
        }
    }
    nm_channels_store(p->dtype, p->sum[0], begin, end, g->dshift);
    nm_channels_store(p->dtype, p->sum[1], begin, end, g->dscale);
    nm_channels_store(p->dtype, p->a, begin, end, g->a);
    nm_channels_store(p->dtype, p->b, begin, end, g->b);
    nm_channels_store(p->dtype, p->c, begin, end, g->c);
}

static void load_known(nm_channel_pass *p, const nm_run *run, const void *mean, const void *inverse)
{
    nm_channels_load(p->dtype, mean, 0, 0, p->view.channels, p->center);
    nm_channels_load(p->dtype, inverse, 1, 0, p->view.channels, p->inverse);
    if (p->gated) {
        nm_channels_load(p->dtype, run->x[G_GATE_SCALE], 1, 0, p->view.channels, p->gate_a);
        nm_channels_load(p->dtype, run->x[G_GATE_SHIFT], 0, 0, p->view.channels, p->gate_b);
    }
}

static backward backward_of(const nm_run *run, const nm_channel_pass *p)
{
    const nm_batch_norm_options *o = run->options;
    return (backward){.values = nm_batch_norm_values(p),
                      .training = nm_is_training(o),
                      .mean_only = o->mean_only,
                      .scale = run->x[G_SCALE],
                      .dmean = run->x[G_DMEAN],
                      .dvar = run->x[G_DVAR],
                      .dscale = run->y[G_DSCALE],
                      .dshift = run->y[G_DSHIFT]};
}

static nm_status run_pass(nm_channel_pass *p, const nm_run *run, backward *g, const void *mean,
                          const void *inverse)
{
    p->gather = NM_GATHER_PRODUCTS;
    p->dy = run->x[G_DY];
    p->finish = finish_gradient;
    p->arg = g;
    const nm_status status = nm_channel_pass_begin(p);
    if (status != NM_OK) {
        return status;
    }
    load_known(p, run, mean, inverse);
    nm_channel_pass_run(p);
    nm_channel_pass_end(p);
    return NM_OK;
}

static nm_status run_gradient(const nm_run *run, const void *mean, const void *inverse)
{
    nm_channel_pass p = nm_batch_norm_pass(run, run->options);
    backward g = backward_of(run, &p);
    p.gated = run->op->input_count == G_RELU_INPUTS;
    p.apply = g.training ? NM_APPLY_COMBINE : NM_APPLY_SCALE;
    p.y = run->y[G_DX];
    return run_pass(&p, run, &g, mean, inverse);
}

nm_status nm_batch_norm_grad_picked(const nm_run *run, const nm_shape *shape, const void *picked,
                                    const void *mean, const void *inverse, const void *left,
                                    void *const abc[3])
{
    nm_channel_pass p = nm_batch_norm_pass(run, run->options);
    backward g = backward_of(run, &p);
    g.left = left;
    g.a = abc[0];
    g.b = abc[1];
    g.c = abc[2];
    p.view = nm_channels_of(shape, nm_batch_norm_axis(run->options, shape));
    p.x = picked;
    return run_pass(&p, run, &g, mean, inverse);
}

nm_status nm_batch_norm_grad_forward(const nm_run *run)
{
    if (run->x[G_MEAN]) {
        return run_gradient(run, run->x[G_MEAN], run->x[G_INVERSE]);
    }
    const size_t bytes = nm_tensor_bytes(run->out[G_DSCALE]);
    char *memory = nm_scratch(run->context, 2 * bytes + 1);
    nm_status status =
        memory ? nm_batch_norm_moments(run, memory, memory + bytes, NULL) : NM_ERROR_MEMORY;
    if (status == NM_OK) {
        status = run_gradient(run, memory, memory + bytes);
    }
    nm_scratch_end(memory);
    return status;
}

nm_status nm_batch_norm_gradient(nm_tape *tape, const nm_batch_norm_options *o,
                                 nm_tensor *const in[G_INPUTS], nm_tensor *out[G_OUTPUTS])
{
    nm_tensor *inputs[G_INPUTS];
    for (int i = 0; i < G_INPUTS; i++) {
        bool known = nm_is_training(o) && (i == G_MEAN || i == G_INVERSE);
        inputs[i] = known && in[i] ? nm_detach(tape, in[i]) : in[i];
    }
    return nm_apply(tape, &nm_op_batch_norm_grad, inputs, G_INPUTS, o, out);
}

/* ---- Second order ----
 * Let P be batch norm's gradient without scale, in one channel: P(g) = batch_norm_grad(x, g).dx.
 * Given gradients u of dx, k of dscale and l of dshift, and with
 *
 *     G = P(dy),  gq = sum of dy xhat,  gs = sum of dy     (the results of batch_norm_grad(x, dy))
 *     U = P(u),   uq = sum of u xhat,   us = sum of u      (those of batch_norm_grad(x, u))
 *     T = sum of u G
 *
 * the results are, in training,
 *
 *     of dy:    scale U + k xhat + l
 *     of scale: T
 *     of dmean: us / m
 *     of dvar:  2 uq / (m inverse)
 *     of x:     k G + 2 dvar (u - us/m) / m - (scale inverse / m) (T xhat + uq G + gq U)
 *
 * the last term being absent if mean_only. */

typedef struct second {
    nm_vjp *v;
    nm_tape *tape;
    const nm_batch_norm_options *o;
    const nm_shape *shape;
    int axis;
    double values;
    nm_tensor *x, *dy, *scale, *dvar;
    nm_tensor *xhat, *mean, *var, *inverse; /* differentiable functions of x, or of the inputs */
    nm_tensor *u, *k, *l;
    nm_tensor *G, *gq, *gs, *U, *uq, *us, *T;
} second;

static nm_tensor *along(const second *s, nm_tensor *t)
{
    return nm_along_channels(s->tape, t, s->shape, s->axis);
}

/* A tensor of x's shape times one of channels; NULL if one is. */
static nm_tensor *times(const second *s, nm_tensor *x, nm_tensor *channels)
{
    return x && channels ? nm_mul(s->tape, x, along(s, channels)) : NULL;
}

static nm_tensor *plus(const second *s, nm_tensor *a, nm_tensor *b)
{
    return nm_add_terms(s->tape, a, b);
}

/* a b, with NULL for the factor 1 in `b` and for 0 in `a`. */
static nm_tensor *scaled(const second *s, nm_tensor *a, nm_tensor *b)
{
    return a && b ? nm_mul(s->tape, a, b) : a;
}

static void normalize_again(second *s)
{
    nm_vjp *v = s->v;
    if (nm_is_training(s->o)) {
        nm_tensor *in[INPUTS] = {s->x}, *out[OUTPUTS];
        nm_apply(s->tape, &nm_op_batch_norm, in, INPUTS, s->o, out);
        s->xhat = out[Y];
        s->mean = out[MEAN];
        s->var = out[VAR];
        s->inverse = out[INVERSE];
    } else {
        s->mean = v->in[G_MEAN];
        s->inverse = v->in[G_INVERSE];
        s->xhat = times(s, nm_sub(s->tape, s->x, along(s, s->mean)), s->inverse);
    }
}

static void unit_gradient(second *s, nm_tensor *g, nm_tensor **P, nm_tensor **q, nm_tensor **sum)
{
    nm_tensor *in[G_INPUTS] = {s->x, g, NULL, s->mean, s->inverse}, *out[G_OUTPUTS];
    nm_batch_norm_gradient(s->tape, s->o, in, out);
    *P = out[G_DX];
    *q = out[G_DSCALE];
    *sum = out[G_DSHIFT];
}

static second second_of(nm_vjp *v, nm_tensor *dy)
{
    second s = {.v = v,
                .tape = v->tape,
                .o = v->options,
                .shape = nm_tensor_shape(v->in[G_X]),
                .x = v->in[G_X],
                .dy = dy,
                .scale = v->in[G_SCALE],
                .dvar = v->in[G_DVAR],
                .u = v->gout[G_DX],
                .k = v->gout[G_DSCALE],
                .l = v->gout[G_DSHIFT]};
    s.axis = nm_batch_norm_axis(s.o, s.shape);
    const nm_channels view = nm_channels_of(s.shape, s.axis);
    s.values = (double)(view.outer * view.inner);
    normalize_again(&s);
    unit_gradient(&s, s.dy, &s.G, &s.gq, &s.gs);
    if (s.u) {
        unit_gradient(&s, s.u, &s.U, &s.uq, &s.us);
        s.T = nm_sum_of_channels(s.tape, nm_mul(s.tape, s.u, s.G), s.axis);
    }
    return s;
}

static nm_tensor *second_of_dy(const second *s)
{
    nm_tensor *sum = s->scale ? times(s, s->U, s->scale) : s->U;
    sum = plus(s, sum, times(s, s->xhat, s->k));
    return s->l ? plus(s, nm_or_zeros(s->tape, sum, s->dy), along(s, s->l)) : sum;
}

/* 2 dvar (u - us/m) / m */
static nm_tensor *second_through_var(const second *s)
{
    if (!s->u || !s->dvar) {
        return NULL;
    }
    nm_tensor *mean = along(s, nm_affine(s->tape, s->us, 1 / s->values, 0));
    nm_tensor *factor = nm_affine(s->tape, s->dvar, 2 / s->values, 0);
    return times(s, nm_sub(s->tape, s->u, mean), factor);
}

/* -(scale inverse / m) (T xhat + uq G + gq U) */
static nm_tensor *second_through_xhat(const second *s)
{
    if (!s->u || s->o->mean_only) {
        return NULL;
    }
    nm_tensor *sum =
        plus(s, times(s, s->xhat, s->T), plus(s, times(s, s->G, s->uq), times(s, s->U, s->gq)));
    nm_tensor *factor = nm_affine(s->tape, scaled(s, s->inverse, s->scale), -1 / s->values, 0);
    return times(s, sum, factor);
}

static nm_tensor *second_of_x(const second *s)
{
    nm_tensor *sum = times(s, s->G, s->k);
    if (nm_is_training(s->o)) {
        sum = plus(s, sum, plus(s, second_through_var(s), second_through_xhat(s)));
    }
    return sum;
}

/* 2 uq / (m inverse), where 1 / inverse = (var + eps) inverse, or 1 if mean_only. */
static nm_tensor *second_of_dvar(const second *s)
{
    nm_tensor *moment = s->uq;
    if (moment && !s->o->mean_only) {
        nm_tensor *deviation =
            nm_mul(s->tape, nm_affine(s->tape, s->var, 1, s->o->eps), s->inverse);
        moment = nm_mul(s->tape, moment, deviation);
    }
    return moment ? nm_affine(s->tape, moment, 2 / s->values, 0) : NULL;
}

/* In inference dx = scale inverse dy and dscale = inverse * sum of dy (x - mean): the gradient of
 * mean is -k inverse gs, that of inverse is scale * sum of u dy + k * sum of dy (x - mean). */
static void second_of_statistics(const second *s, nm_tensor **gin)
{
    nm_tensor *from_u = s->u ? nm_mul(s->tape, s->u, s->dy) : NULL;
    nm_tensor *sum = scaled(s, nm_sum_of_channels(s->tape, from_u, s->axis), s->scale);
    if (s->k) {
        nm_tensor *centered = nm_sub(s->tape, s->x, along(s, s->mean));
        nm_tensor *product = nm_mul(s->tape, s->dy, centered);
        nm_tensor *moment = nm_sum_of_channels(s->tape, product, s->axis);
        sum = plus(s, sum, nm_mul(s->tape, s->k, moment));
        nm_tensor *weight = nm_mul(s->tape, s->k, s->inverse);
        gin[G_MEAN] = nm_neg(s->tape, nm_mul(s->tape, weight, s->gs));
    }
    gin[G_INVERSE] = sum;
}

static void by_formula(nm_vjp *v, nm_tensor *dy)
{
    second s = second_of(v, dy);
    v->gin[G_X] = second_of_x(&s);
    v->gin[G_DY] = second_of_dy(&s);
    v->gin[G_SCALE] = s.T;
    if (nm_is_training(s.o)) {
        v->gin[G_DMEAN] = s.us ? nm_affine(s.tape, s.us, 1 / s.values, 0) : NULL;
        v->gin[G_DVAR] = second_of_dvar(&s);
    } else {
        second_of_statistics(&s, v->gin);
    }
}

/* ---- The same by a kernel, in training and where nothing is recorded ---- */

#define PORT(name_)                                                                                \
    {                                                                                              \
        .name = name_, .flags = NM_PORT_OPTIONAL                                                   \
    }
static const nm_port second_inputs[NM_SECOND_INPUTS] = {
    {.name = "x"}, {.name = "dy"}, {.name = "u"}, {.name = "mean"}, {.name = "inverse"},
    PORT("scale"), PORT("dvar"),   PORT("k"),     PORT("l"),
};
static const nm_port second_outputs[NM_SECOND_OUTPUTS] = {
    {.name = "dx"}, {.name = "ddy"}, {.name = "dscale"}, {.name = "ddmean"}, {.name = "ddvar"}};

static const nm_op batch_norm_second = {
    .item = NM_ITEM(nm_op, "batch_norm_second", "gradient of batch_norm_grad",
                    .spec = &nm_batch_norm_spec),
    .inputs = second_inputs,
    .outputs = second_outputs,
    .input_count = NM_SECOND_INPUTS,
    .output_count = NM_SECOND_OUTPUTS,
    .infer = nm_batch_norm_second_infer,
    .forward = nm_batch_norm_second_forward,
};

static void by_kernel(nm_vjp *v, nm_tensor *dy)
{
    nm_tensor *known[INPUTS] = {v->in[G_X]}, *found[OUTPUTS] = {NULL}, *out[NM_SECOND_OUTPUTS];
    found[MEAN] = v->in[G_MEAN];
    found[INVERSE] = v->in[G_INVERSE];
    if (!found[MEAN] &&
        nm_apply(v->tape, &nm_op_batch_norm, known, INPUTS, v->options, found) != NM_OK) {
        return;
    }
    nm_tensor *in[NM_SECOND_INPUTS] = {
        [NM_SECOND_X] = v->in[G_X],           [NM_SECOND_DY] = dy,
        [NM_SECOND_U] = v->gout[G_DX],        [NM_SECOND_MEAN] = found[MEAN],
        [NM_SECOND_INVERSE] = found[INVERSE], [NM_SECOND_SCALE] = v->in[G_SCALE],
        [NM_SECOND_DVAR] = v->in[G_DVAR],     [NM_SECOND_K] = v->gout[G_DSCALE],
        [NM_SECOND_L] = v->gout[G_DSHIFT]};
    if (nm_apply(v->tape, &batch_norm_second, in, NM_SECOND_INPUTS, v->options, out) != NM_OK) {
        return;
    }
    v->gin[G_X] = out[NM_SECOND_DX];
    v->gin[G_DY] = out[NM_SECOND_DDY];
    v->gin[G_SCALE] = out[NM_SECOND_DSCALE];
    v->gin[G_DMEAN] = out[NM_SECOND_DDMEAN];
    v->gin[G_DVAR] = out[NM_SECOND_DDVAR];
}

/* Of so few values in a channel what is not a mean or xhat is next to nothing, the rest of large
 * numbers: the kernel adds those one after the other, the formula what is left of each. */
#define FEW 4

static bool is_kernels(const nm_vjp *v)
{
    const nm_batch_norm_options *o = v->options;
    const nm_shape *x = nm_tensor_shape(v->in[G_X]);
    const nm_channels channels = nm_channels_of(x, nm_shape_axis(x, o->axis));
    return !nm_tape_is_recording(v->tape) && nm_is_training(o) && v->gout[G_DX] &&
           channels.outer * channels.inner > FEW;
}

nm_tensor *nm_batch_norm_grad_vjp_of(nm_vjp *v, nm_tensor *dy, int input)
{
    if (is_kernels(v)) {
        by_kernel(v, dy);
    } else {
        by_formula(v, dy);
    }
    for (int i = 0; i < G_INPUTS; i++) {
        if (v->need[i]) {
            v->gin[i] = nm_or_zeros(v->tape, v->gin[i], i == G_DY ? dy : v->in[i]);
        }
    }
    return v->gin[input];
}

static nm_tensor *batch_norm_grad_vjp(nm_vjp *v, int input)
{
    return nm_batch_norm_grad_vjp_of(v, v->in[G_DY], input);
}

/* ---- The op ---- */

static const nm_port grad_inputs[G_INPUTS] = {
    [G_X] = {.name = "x", .doc = "batch_norm's input", .flags = NM_PORT_BF16},
    [G_DY] = {.name = "dy", .doc = "gradient of y, x's shape"},
    [G_SCALE] = {.name = "scale", .doc = "[channels]; absent: 1", .flags = NM_PORT_OPTIONAL},
    [G_MEAN] = {.name = "mean",
                .doc = "[channels], as batch_norm gave it; in training it may be "
                       "absent and is found again from x",
                .flags = NM_PORT_OPTIONAL},
    [G_INVERSE] = {.name = "inverse", .doc = "[channels], the same", .flags = NM_PORT_OPTIONAL},
    [G_DMEAN] = {.name = "dmean",
                 .doc = "[channels]: gradient of the output mean; absent: 0. For "
                        "training",
                 .flags = NM_PORT_OPTIONAL},
    [G_DVAR] = {.name = "dvar",
                .doc = "[channels]: gradient of the output var; absent: 0. For "
                       "training",
                .flags = NM_PORT_OPTIONAL},
};
const nm_port nm_batch_norm_grad_outputs[G_OUTPUTS] = {
    [G_DX] = {.name = "dx", .doc = "x's shape"},
    [G_DSCALE] = {.name = "dscale", .doc = "[channels]"},
    [G_DSHIFT] = {.name = "dshift", .doc = "[channels]"},
};

#define VARIANCES(...) NM_UNIFORM(0.5, 2, __VA_ARGS__)

/* In training without mean and inverse: they are functions of x, not variables. */
static const nm_sample grad_samples[] = {
    {.in = {NM_NORMAL(6, 3), NM_NORMAL(6, 3), NM_NORMAL(3), NM_ABSENT, NM_ABSENT, NM_NORMAL(3),
            NM_NORMAL(3)},
     .inputs = 7},
    {.options = "{axis: 1, eps: 0.1}",
     .in = {NM_NORMAL(2, 2, 3), NM_NORMAL(2, 2, 3), NM_NORMAL(2), NM_ABSENT, NM_ABSENT, NM_ABSENT,
            NM_NORMAL(2)},
     .inputs = 7},
    {.options = "{axis: 0}", .in = {NM_NORMAL(2, 4), NM_NORMAL(2, 4)}},
    {.options = "{mean_only: true}",
     .in = {NM_NORMAL(4, 2), NM_NORMAL(4, 2), NM_NORMAL(2), NM_ABSENT, NM_ABSENT, NM_NORMAL(2),
            NM_NORMAL(2)},
     .inputs = 7},
    {.options = "{mode: inference}",
     .in = {NM_NORMAL(3, 2), NM_NORMAL(3, 2), NM_NORMAL(2), NM_NORMAL(2), VARIANCES(2)}},
    {.options = "{mode: inference, axis: 0}",
     .in = {NM_NORMAL(2, 3), NM_NORMAL(2, 3), NM_ABSENT, NM_NORMAL(2), VARIANCES(2)},
     .inputs = 5},
};

const nm_op nm_op_batch_norm_grad = {
    .item = NM_ITEM(nm_op, "batch_norm_grad", "gradient of batch_norm", .spec = &nm_batch_norm_spec,
                    .doc = "With q = dscale = sum of dy * xhat and s = dshift = sum of dy:\n"
                           "dx = scale * inverse * (dy - s / m - xhat * q / m) + dmean / m\n"
                           "     + dvar * 2 * (x - mean) / m     in training (mean_only: without\n"
                           "the term of q), scale * inverse * dy in inference. m is the number of\n"
                           "values of a channel."),
    .inputs = grad_inputs,
    .outputs = nm_batch_norm_grad_outputs,
    .input_count = G_INPUTS,
    .output_count = G_OUTPUTS,
    .infer = nm_batch_norm_grad_infer,
    .forward = nm_batch_norm_grad_forward,
    .vjp = batch_norm_grad_vjp,
    .samples = grad_samples,
    .sample_count = NM_COUNT_OF(grad_samples),
};
