/* The gradient of normalize, and the gradient of that. The notation is that of
 * ops/norm/normalize.c; docs/normalization.md derives both. */
#include "ops/basic.h"
#include "ops/define.h"
#include "ops/norm/channels.h"
#include "ops/norm/normalize.h"
#include "ops/table.h"

/* ---- Shape rule ---- */

static nm_status check_inputs(const nm_infer *infer, const nm_normalize_options *o)
{
    const nm_shape *x = infer->in[G_X], *dy = infer->in[G_DY];
    char x_text[NM_SHAPE_TEXT], dy_text[NM_SHAPE_TEXT];
    if (!nm_shape_equal(dy, x)) {
        return nm_infer_fail(infer, "dy %s must have the shape of x %s", nm_shape_text(dy, dy_text),
                             nm_shape_text(x, x_text));
    }
    if (!infer->in[G_MEAN] != !infer->in[G_INVERSE]) {
        return nm_infer_fail(infer,
                             "mean and inverse go together: give both or, in training, none");
    }
    if (!nm_normalize_computes(o) && !infer->in[G_MEAN]) {
        return nm_infer_fail(infer, "inference needs mean and inverse");
    }
    return NM_OK;
}

static nm_status check_shapes(const nm_infer *infer, const nm_normalize_options *o,
                              const nm_frame *f)
{
    nm_status status = NM_OK;
    for (int i = G_SCALE; i < G_INPUTS && status == NM_OK; i++) {
        status = i == G_SCALE || i == G_SHIFT ? nm_frame_check_parameter(infer, i, &o->affine_axes)
                 : i == G_WEIGHT              ? nm_frame_check_parameter(infer, i, NULL)
                                              : nm_frame_check_statistics(infer, i, f);
    }
    return status;
}

static nm_status normalize_grad_infer(nm_infer *infer)
{
    const nm_normalize_options *o = infer->options;
    nm_frame f;
    nm_status status = nm_frame_infer(infer, o, &f);
    if (status == NM_OK) status = check_inputs(infer, o);
    if (status == NM_OK) status = check_shapes(infer, o, &f);
    if (status == NM_OK) {
        infer->out[G_DX] = f.x;
        infer->out[G_DSCALE] = infer->in[G_SCALE] ? *infer->in[G_SCALE] : f.statistics;
        infer->out[G_DSHIFT] = infer->in[G_SHIFT] ? *infer->in[G_SHIFT] : f.statistics;
    }
    return status;
}

/* ---- Forward ---- */

static nm_status run_gradient(nm_frame_copy *c, const nm_run *run, const nm_normalize_options *o,
                              const void *mean, const void *inverse)
{
    const nm_sets *sets = &c->slabs.sets;
    const nm_sets_gradient g = {.dy = nm_frame_take(c, run->x[G_DY]),
                                .mean = mean,
                                .inverse = inverse,
                                .dmean = run->x[G_DMEAN],
                                .dvar = run->x[G_DVAR],
                                .given = !nm_normalize_computes(o),
                                .through_mean = o->mean_gradient,
                                .through_variance = o->variance_gradient,
                                .dx = nm_frame_room(c, run->y[G_DX]),
                                .dscale = nm_frame_sum_room(c, &sets->scale, run->y[G_DSCALE]),
                                .dshift = nm_frame_sum_room(c, &sets->shift, run->y[G_DSHIFT])};
    if (c->status != NM_OK || nm_frame_gradient(c, &g) != NM_OK) {
        return NM_ERROR_MEMORY;
    }
    nm_frame_give(c, g.dx, run->y[G_DX]);
    nm_frame_sum(c, g.dscale, &c->of_scale, run->y[G_DSCALE]);
    nm_frame_sum(c, g.dshift, &c->of_shift, run->y[G_DSHIFT]);
    return c->status;
}

/* mean and inverse again from x. */
static nm_status find_again(nm_frame_copy *c, const nm_run *run, const nm_normalize_options *o)
{
    const int64_t sets = c->frame.sets;
    const size_t step = nm_bytes(sets, nm_dtype_size(run->dtype));
    char *memory = nm_scratch(run->context, nm_bytes(3 * sets + 1, nm_dtype_size(run->dtype)));
    if (!memory) {
        return NM_ERROR_MEMORY;
    }
    nm_status status =
        nm_frame_forward(c, NULL, NULL, NULL, memory, memory + step, memory + 2 * step);
    if (status == NM_OK) {
        status = run_gradient(c, run, o, memory, memory + 2 * step);
    }
    nm_scratch_end(memory);
    return status;
}

static nm_status normalize_grad_forward(const nm_run *run)
{
    static const nm_frame_ports ports = {G_X, G_SCALE, G_SHIFT, G_WEIGHT};
    const nm_normalize_options *o = run->options;
    const nm_frame f = nm_frame_of(o, nm_tensor_shape(run->in[G_X]));
    nm_frame_copy c = nm_frame_copy_begin(run, &f);
    nm_frame_sets(&c, run, o, &ports, true);
    nm_status status = c.status;
    if (status == NM_OK) {
        status = run->x[G_MEAN] ? run_gradient(&c, run, o, run->x[G_MEAN], run->x[G_INVERSE])
                                : find_again(&c, run, o);
    }
    nm_frame_copy_end(&c);
    return status;
}

/* ---- Second order ----
 * With p = w / W the share of a value in its set (1 / m without weights; 1 for sums), with a = 1 if
 * gradients go through the mean and b = 1 if they go through the variance (else 0), and for every
 * set the sums
 *
 *     P(c) = inverse (c - a p sum of c - b p xhat sum of c xhat)       the derivative of <c, xhat>
 *     d = scale dy,  G = P(d),  gq = sum of d xhat
 *     us = sum of p u,  uq = sum of p u xhat,  U = inverse (u - a us - b xhat uq),  T = sum of u G
 *
 * <u, G> = <U, d>. Given gradients u of dx, k of dscale and l of dshift, the results are
 *
 *     of dy:    scale U + k xhat + l
 *     of scale: dy U, summed as scale is broadcast
 *     of dmean: a us
 *     of dvar:  2 uq / inverse                                           without a gradient: 0
 *     of x:     P(k dy) + 2 dvar p (u - a us) - b inverse p (T xhat + gq U) - b inverse uq G
 *
 * With given statistics a = b = 0, and mean and inverse are variables. */

typedef struct second {
    nm_vjp *v;
    nm_tape *tape;
    const nm_normalize_options *o;
    nm_frame f;
    bool given;
    nm_tensor *x, *dy, *d, *u, *k, *l; /* of the shape `full`, or one that broadcasts to it */
    nm_tensor *scale, *dvar, *xhat, *inverse, *var, *share;
    nm_tensor *G, *gq, *us, *uq, *U, *T;
} second;

static bool through_mean(const second *s)
{
    return !s->given && s->o->subtract_mean && s->o->mean_gradient;
}

static bool through_xhat(const second *s)
{
    return !s->given && s->o->divide && s->o->variance_gradient;
}

/* a b; NULL if one is. */
static nm_tensor *times(const second *s, nm_tensor *a, nm_tensor *b)
{
    return a && b ? nm_mul(s->tape, a, b) : NULL;
}

static nm_tensor *plus(const second *s, nm_tensor *a, nm_tensor *b)
{
    return nm_add_terms(s->tape, a, b);
}

static nm_tensor *minus(const second *s, nm_tensor *a, nm_tensor *b)
{
    return !b ? a : a ? nm_sub(s->tape, a, b) : nm_neg(s->tape, b);
}

static nm_tensor *sums(const second *s, nm_tensor *x)
{
    return nm_frame_sums(s->tape, &s->f, x);
}

static nm_tensor *along(const second *s, nm_tensor *t)
{
    return nm_frame_along(s->tape, &s->f, t);
}

static nm_tensor *whole(const second *s, nm_tensor *x)
{
    return nm_frame_whole(s->tape, &s->f, x);
}

/* p x */
static nm_tensor *shared(const second *s, nm_tensor *x)
{
    if (!x || (s->o->sum && !s->share)) {
        return x;
    }
    return s->share ? nm_mul(s->tape, x, s->share)
                    : nm_affine(s->tape, x, 1 / (double)s->f.length, 0);
}

/* w / W; NULL: the same for all of a set. A set without weight has a share of 0 (and inverse 0). */
static nm_tensor *share_of(const second *s)
{
    nm_tensor *weight = s->v->in[G_WEIGHT];
    if (!weight || s->given) {
        return NULL;
    }
    nm_tensor *w = nm_frame_parameter(s->tape, &s->f, weight, NULL);
    if (s->o->sum) {
        return w;
    }
    w = nm_broadcast_to(s->tape, w, s->f.full);
    nm_tensor *mass = sums(s, w);
    nm_tensor *none = nm_max_mask(s->tape, mass, nm_scalar(s->tape, nm_tensor_dtype(weight), 0));
    return nm_div(s->tape, w, nm_add(s->tape, mass, none));
}

/* A gradient of a parameter, to be broadcast; without one, there is a number a set. */
static nm_tensor *broadcast(const second *s, nm_tensor *g, nm_tensor *parameter)
{
    return parameter ? nm_frame_parameter(s->tape, &s->f, g, &s->o->affine_axes) : along(s, g);
}

static void normalize_again(second *s)
{
    nm_vjp *v = s->v;
    if (s->given) {
        nm_tensor *mean = along(s, v->in[G_MEAN]);
        s->inverse = along(s, v->in[G_INVERSE]);
        nm_tensor *centered = s->o->subtract_mean ? minus(s, s->x, mean) : s->x;
        s->xhat = times(s, centered, s->inverse);
        return;
    }
    nm_tensor *in[INPUTS] = {[X] = v->in[G_X], [WEIGHT] = v->in[G_WEIGHT]}, *out[OUTPUTS];
    nm_normalize_options o = *s->o;
    o.affine_axes.count = 0;
    nm_apply(s->tape, &nm_op_normalize, in, INPUTS, &o, out);
    s->xhat = whole(s, out[Y]);
    s->var = along(s, out[VAR]);
    s->inverse = along(s, out[INVERSE]);
}

/* P(c), and the sum of c xhat if `product` is not NULL. */
static nm_tensor *gradient_of(const second *s, nm_tensor *c, nm_tensor **product)
{
    nm_vjp *v = s->v;
    nm_tensor *flat = c ? nm_reshape(s->tape, c, s->f.x) : NULL;
    nm_tensor *in[G_INPUTS] = {[G_X] = v->in[G_X], [G_DY] = flat, [G_WEIGHT] = v->in[G_WEIGHT]};
    for (int i = G_MEAN; i <= G_INVERSE; i++) { /* in training, known functions of x */
        in[i] = v->in[i] && !s->given ? nm_detach(s->tape, v->in[i]) : v->in[i];
    }
    nm_tensor *out[G_OUTPUTS] = {NULL};
    nm_normalize_options o = *s->o;
    o.affine_axes.count = 0;
    if (flat) {
        nm_apply(s->tape, &nm_op_normalize_grad, in, G_INPUTS, &o, out);
    }
    if (product) {
        *product = along(s, out[G_DSCALE]);
    }
    return whole(s, out[G_DX]);
}

static void find_U(second *s)
{
    nm_tensor *pu = shared(s, s->u), *rest = s->u;
    s->us = sums(s, pu);
    s->uq = sums(s, times(s, pu, s->xhat));
    if (through_mean(s)) {
        rest = minus(s, rest, s->us);
    }
    if (through_xhat(s)) {
        rest = minus(s, rest, times(s, s->xhat, s->uq));
    }
    s->U = times(s, rest, s->inverse);
}

static second second_of(nm_vjp *v)
{
    const nm_normalize_options *o = v->options;
    second s = {.v = v,
                .tape = v->tape,
                .o = o,
                .f = nm_frame_of(o, nm_tensor_shape(v->in[G_X])),
                .given = !nm_normalize_computes(o)};
    s.x = whole(&s, v->in[G_X]);
    s.dy = whole(&s, v->in[G_DY]);
    s.u = whole(&s, v->gout[G_DX]);
    s.k = broadcast(&s, v->gout[G_DSCALE], v->in[G_SCALE]);
    s.l = broadcast(&s, v->gout[G_DSHIFT], v->in[G_SHIFT]);
    s.scale = nm_frame_parameter(s.tape, &s.f, v->in[G_SCALE], &o->affine_axes);
    s.dvar = along(&s, v->in[G_DVAR]);
    s.d = s.scale ? times(&s, s.dy, s.scale) : s.dy;
    s.share = share_of(&s);
    normalize_again(&s);
    s.G = gradient_of(&s, s.d, &s.gq);
    if (s.u) {
        find_U(&s);
        s.T = sums(&s, times(&s, s.u, s.G));
    }
    return s;
}

static nm_tensor *second_of_dy(const second *s)
{
    nm_tensor *sum = s->scale ? times(s, s->U, s->scale) : s->U;
    sum = plus(s, sum, times(s, s->xhat, s->k));
    return s->l ? plus(s, nm_or_zeros(s->tape, sum, s->dy), s->l) : sum;
}

/* -b inverse (p (T xhat + gq U) + uq G) */
static nm_tensor *through_deviation(const second *s)
{
    if (!s->u || !through_xhat(s)) {
        return NULL;
    }
    nm_tensor *inner = plus(s, times(s, s->xhat, s->T), times(s, s->U, s->gq));
    nm_tensor *sum = plus(s, shared(s, inner), times(s, s->G, s->uq));
    return nm_neg(s->tape, times(s, sum, s->inverse));
}

/* 2 dvar p (u - a us) */
static nm_tensor *through_output(const second *s)
{
    if (!s->u || !s->dvar || s->given || !s->o->variance_gradient) {
        return NULL;
    }
    nm_tensor *rest = through_mean(s) ? minus(s, s->u, s->us) : s->u;
    return times(s, shared(s, rest), nm_affine(s->tape, s->dvar, 2, 0));
}

static nm_tensor *second_of_x(const second *s)
{
    nm_tensor *sum = gradient_of(s, times(s, s->dy, s->k), NULL);
    return plus(s, sum, plus(s, through_output(s), through_deviation(s)));
}

static nm_tensor *as_statistics(const second *s, nm_tensor *t)
{
    return t ? nm_reshape(s->tape, t, s->f.statistics) : NULL;
}

/* 2 uq / inverse, where 1 / inverse = (var + eps) inverse, or 1 if nothing is divided. */
static nm_tensor *second_of_dvar(const second *s)
{
    nm_tensor *moment = s->uq;
    if (!moment || !s->o->variance_gradient) {
        return NULL;
    }
    if (s->o->divide) {
        nm_tensor *total = nm_affine(s->tape, s->var, 1, s->o->eps);
        moment = times(s, moment, times(s, total, s->inverse));
    }
    return as_statistics(s, nm_affine(s->tape, moment, 2, 0));
}

/* dx = inverse d and dscale = sum of dy (x - mean) inverse: with e = k dy, the gradient of mean is
 * -inverse sum of e, that of inverse is the sum of u d + e (x - mean). */
static void second_of_statistics(const second *s, nm_tensor **gin)
{
    nm_tensor *e = times(s, s->dy, s->k), *sum = times(s, s->u, s->d);
    nm_tensor *mean = along(s, s->v->in[G_MEAN]);
    if (e && s->o->subtract_mean) {
        gin[G_MEAN] = as_statistics(s, nm_neg(s->tape, times(s, sums(s, e), s->inverse)));
    }
    if (e) {
        nm_tensor *centered = s->o->subtract_mean ? minus(s, s->x, mean) : s->x;
        sum = plus(s, sum, times(s, e, centered));
    }
    gin[G_INVERSE] = as_statistics(s, sums(s, sum));
}

static nm_tensor *normalize_grad_vjp(nm_vjp *v, int input)
{
    const second s = second_of(v);
    nm_tensor *x = second_of_x(&s), *dy = second_of_dy(&s);
    v->gin[G_X] = x ? nm_reshape(s.tape, x, s.f.x) : NULL;
    v->gin[G_DY] = dy ? nm_reshape(s.tape, dy, s.f.x) : NULL;
    v->gin[G_SCALE] =
        nm_frame_back(s.tape, &s.f, times(&s, s.dy, s.U), v->in[G_SCALE], &s.o->affine_axes);
    if (s.given) {
        second_of_statistics(&s, v->gin);
    } else {
        v->gin[G_DMEAN] = through_mean(&s) ? as_statistics(&s, s.us) : NULL;
        v->gin[G_DVAR] = second_of_dvar(&s);
    }
    for (int i = 0; i < G_INPUTS; i++) {
        v->gin[i] = v->need[i] ? nm_or_zeros(v->tape, v->gin[i], v->in[i]) : NULL;
    }
    return v->gin[input];
}

/* ---- The op ---- */

static const nm_port grad_inputs[G_INPUTS] = {
    [G_X] = {.name = "x", .doc = "normalize's input"},
    [G_DY] = {.name = "dy", .doc = "gradient of y, x's shape"},
    [G_SCALE] = {.name = "scale", .doc = "normalize's; absent: 1", .flags = NM_PORT_OPTIONAL},
    [G_SHIFT] = {.name = "shift",
                 .doc = "normalize's, for its shape alone",
                 .flags = NM_PORT_OPTIONAL | NM_PORT_NO_GRAD},
    [G_WEIGHT] = {.name = "weight",
                  .doc = "normalize's; absent: 1",
                  .flags = NM_PORT_OPTIONAL | NM_PORT_NO_GRAD},
    [G_MEAN] = {.name = "mean",
                .doc = "one number a set, as normalize gave it; in training it may be absent and "
                       "is found again from x",
                .flags = NM_PORT_OPTIONAL},
    [G_INVERSE] = {.name = "inverse", .doc = "the same", .flags = NM_PORT_OPTIONAL},
    [G_DMEAN] = {.name = "dmean",
                 .doc = "one number a set: gradient of the output mean; absent: 0. For training",
                 .flags = NM_PORT_OPTIONAL},
    [G_DVAR] = {.name = "dvar",
                .doc = "one number a set: gradient of the output var; absent: 0. For training",
                .flags = NM_PORT_OPTIONAL},
};
static const nm_port grad_outputs[G_OUTPUTS] = {
    [G_DX] = {.name = "dx", .doc = "x's shape"},
    [G_DSCALE] = {.name = "dscale", .doc = "scale's shape; without scale, one number a set"},
    [G_DSHIFT] = {.name = "dshift", .doc = "shift's shape; without shift, one number a set"},
};

#define VARIANCES(...) NM_UNIFORM(0.5, 2, __VA_ARGS__)
#define WEIGHTS(...) NM_UNIFORM(0.2, 1.5, __VA_ARGS__)

/* In training without mean and inverse: they are functions of x, not variables. */
static const nm_sample grad_samples[] = {
    {.in = {NM_NORMAL(3, 5), NM_NORMAL(3, 5), NM_NORMAL(5), NM_NORMAL(5), NM_ABSENT, NM_ABSENT,
            NM_ABSENT, NM_NORMAL(3), NM_NORMAL(3)},
     .inputs = 9},
    {.in = {NM_NORMAL(2, 4), NM_NORMAL(2, 4)}},
    {.options = "{axes: [1, 2], groups: 2, axis: 2}",
     .in = {NM_NORMAL(2, 2, 4), NM_NORMAL(2, 2, 4), NM_NORMAL(4)}},
    {.options = "{axes: [0, 1], affine_axes: [1]}",
     .in = {NM_NORMAL(3, 2, 2), NM_NORMAL(3, 2, 2), NM_NORMAL(2), NM_ABSENT, WEIGHTS(3, 2, 1),
            NM_ABSENT, NM_ABSENT, NM_NORMAL(2), NM_NORMAL(2)},
     .inputs = 9},
    {.options = "{subtract_mean: false, eps: 0.1}",
     .in = {NM_NORMAL(3, 3), NM_NORMAL(3, 3), NM_NORMAL(3), NM_ABSENT, NM_ABSENT, NM_ABSENT,
            NM_ABSENT, NM_NORMAL(3), NM_NORMAL(3)},
     .inputs = 9},
    {.options = "{subtract_mean: false, sum: true}",
     .in = {NM_NORMAL(3, 3), NM_NORMAL(3, 3), NM_ABSENT, NM_ABSENT, WEIGHTS(3, 3)},
     .inputs = 5},
    {.options = "{divide: false, axes: 0}",
     .in = {NM_NORMAL(4, 2), NM_NORMAL(4, 2), NM_NORMAL(2), NM_ABSENT, NM_ABSENT, NM_ABSENT,
            NM_ABSENT, NM_NORMAL(2), NM_NORMAL(2)},
     .inputs = 9},
    {.options = "{mode: inference, axes: 0}",
     .in = {NM_NORMAL(3, 2), NM_NORMAL(3, 2), NM_NORMAL(2), NM_ABSENT, NM_ABSENT, NM_NORMAL(2),
            VARIANCES(2)},
     .inputs = 7},
};

const nm_op nm_op_normalize_grad = {
    .item = NM_ITEM(nm_op, "normalize_grad", "gradient of normalize", .spec = &nm_normalize_spec,
                    .doc = "With d = dy * scale, w/W the share of a value (1/m without weights):\n"
                           "dx = inverse * (d - w/W * sum of d - w/W * xhat * sum of d * xhat)\n"
                           "     + w/W * (dmean + dvar * 2 * (x - mean))   in training,\n"
                           "inverse * d in inference; dscale = sum of dy * xhat, dshift = sum of\n"
                           "dy, over what scale and shift broadcast to."),
    .inputs = grad_inputs,
    .outputs = grad_outputs,
    .input_count = G_INPUTS,
    .output_count = G_OUTPUTS,
    .infer = normalize_grad_infer,
    .forward = normalize_grad_forward,
    .vjp = normalize_grad_vjp,
    .samples = grad_samples,
    .sample_count = NM_COUNT_OF(grad_samples),
};
