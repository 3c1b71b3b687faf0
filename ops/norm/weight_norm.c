/* Weight normalization. For every row of v (the elements of one index of the kept axis),
 *
 *     w = g v / ||v||
 *
 * docs/normalization.md derives the gradients. Promises:
 *
 * 1. A row of zeros gives w = 0, and the gradients 0 in v and in g. A row counts as zeros if none
 * of its elements is as large as the type's smallest normal number.
 * 2. The norm neither overflows nor underflows: rows are scaled by a power of two first.
 * 3. v . dv = 0 for every row: the gradient never changes a row's length to first order.
 * 4. weight_norm_grad has a gradient made of these two ops, so all orders are exact. */
#include <float.h>
#include <math.h>

#include "ops/basic.h"
#include "ops/norm/channels.h"
#include "ops/define.h"
#include "ops/kernels/kernel.h"
#include "ops/kernels/norm.h"
#include "ops/norm.h"
#include "ops/table.h"
#include "ops/norm/weight_norm_rows.h"

enum { V, G, INPUTS };
enum { W, INVERSE, OUTPUTS };
enum { G_V, G_DW, G_G, G_INVERSE, G_INPUTS };
enum { G_DV, G_DG, G_OUTPUTS };

static int axis_of(const void *options)
{
    return (int)((const nm_weight_norm_options *)options)->axis;
}

/* ---- Shape rules ---- */

static nm_status check(const nm_infer *infer, int first, nm_shape *rows)
{
    const nm_shape *v = infer->in[V];
    const int axis = axis_of(infer->options);
    char text[NM_SHAPE_TEXT];
    if (axis >= v->rank) {
        return nm_infer_fail(infer, "v %s has no axis %d to keep (-1 keeps none)",
                             nm_shape_text(v, text), axis);
    }
    *rows = (nm_shape){.rank = axis >= 0, .dim = {axis >= 0 ? v->dim[axis] : 0}};
    nm_status status = NM_OK;
    for (int i = first; i < infer->op->input_count && status == NM_OK; i++) {
        status = nm_infer_channels(infer, i, axis);
    }
    return status;
}

static nm_status weight_norm_infer(nm_infer *infer)
{
    infer->out[W] = *infer->in[V];
    return check(infer, G, &infer->out[INVERSE]);
}

static nm_status weight_norm_grad_infer(nm_infer *infer)
{
    const nm_shape *v = infer->in[G_V], *dw = infer->in[G_DW];
    char v_text[NM_SHAPE_TEXT], dw_text[NM_SHAPE_TEXT];
    if (!nm_shape_equal(v, dw)) {
        return nm_infer_fail(infer, "dw %s must have the shape of v %s", nm_shape_text(dw, dw_text),
                             nm_shape_text(v, v_text));
    }
    infer->out[G_DV] = *v;
    return check(infer, G_G, &infer->out[G_DG]);
}

/* ---- Forward ---- */

typedef struct forward {
    const void *g;
    void *inverse; /* 1 / ||v|| */
} forward;

/* Promises 1 and 2. Leaves the scale's inverse, a power of two, in c; 0 for a row of zeros. */
static void finish_peak(nm_channel_pass *p, int64_t begin, int64_t end)
{
    const double smallest = p->dtype == NM_F64 ? DBL_MIN : (double)FLT_MIN;
    for (int64_t r = begin; r < end; r++) {
        const double peak = p->sum[0][r];
        p->c[r] = peak < smallest ? 0 : ldexp(1, ilogb(peak));
        p->inverse[r] = p->c[r] > 0 ? 1 / p->c[r] : 0;
    }
}

static void finish_norm(nm_channel_pass *p, int64_t begin, int64_t end)
{
    const forward *f = p->arg;
    for (int64_t r = begin; r < end; r++) {
        const double norm = p->c[r] * sqrt(p->sum[0][r]);
        p->inverse[r] = p->c[r] == 0 ? 0 : 1 / norm;
    }
    nm_channels_load(p->dtype, f->g, 1, begin, end, p->a);
    for (int64_t r = begin; r < end; r++) {
        p->a[r] *= p->inverse[r];
    }
    nm_channels_store(p->dtype, p->inverse, begin, end, f->inverse);
}

static nm_channel_pass pass_over(const nm_run *run)
{
    const nm_shape *shape = nm_tensor_shape(run->in[V]);
    return (nm_channel_pass){.context = run->context,
                             .dtype = run->dtype,
                             .view = nm_channels_of(shape, axis_of(run->options)),
                             .gather = NM_GATHER_PEAK,
                             .finish = finish_peak,
                             .x = run->x[V]};
}

/* The norms, and w = a v, unless `w` is NULL. */
static nm_status normalize(const nm_run *run, forward *f, void *w)
{
    nm_channel_pass p = pass_over(run);
    if (nm_channel_pass_begin(&p) != NM_OK) {
        return NM_ERROR_MEMORY;
    }
    p.arg = f;
    nm_channel_pass_run(&p);
    p.gather = NM_GATHER_SQUARES;
    p.finish = finish_norm;
    p.apply = w ? NM_APPLY_AFFINE : NM_APPLY_NOTHING;
    p.y = w;
    nm_channel_pass_run(&p);
    nm_channel_pass_end(&p);
    return NM_OK;
}

/* What both passes over contiguous rows begin with. */
static nm_weight_rows rows_of(const nm_run *run)
{
    const nm_shape *shape = nm_tensor_shape(run->in[V]);
    return (nm_weight_rows){.context = run->context,
                            .dtype = run->dtype,
                            .rows = shape->dim[0],
                            .length = nm_shape_count(shape) / shape->dim[0],
                            .v = run->x[V]};
}

static bool goes_by_rows(const nm_run *run)
{
    return nm_weight_rows_suit(nm_tensor_shape(run->in[V]), axis_of(run->options));
}

static nm_status weight_norm_forward(const nm_run *run)
{
    if (goes_by_rows(run)) {
        nm_weight_rows r = rows_of(run);
        r.g = run->x[G];
        r.w = run->y[W];
        r.computed = run->y[INVERSE];
        nm_weight_rows_forward(&r);
        return NM_OK;
    }
    forward f = {.g = run->x[G], .inverse = run->y[INVERSE]};
    return normalize(run, &f, run->y[W]);
}

/* ---- Gradient: dg = dw . vhat, dv = (g / ||v||) (dw - dg vhat), vhat = v / ||v|| ---- */

typedef struct backward {
    const void *g;
    void *dg;
} backward;

static void finish_gradient(nm_channel_pass *p, int64_t begin, int64_t end)
{
    const backward *b = p->arg;
    const double *dg = p->sum[1];
    nm_channels_load(p->dtype, b->g, 1, begin, end, p->a);
    for (int64_t r = begin; r < end; r++) {
        p->a[r] *= p->inverse[r];
        p->b[r] = -p->a[r] * dg[r];
        p->c[r] = 0;
    }
    nm_channels_store(p->dtype, dg, begin, end, b->dg);
}

static nm_status gradient_by_rows(const nm_run *run, const void *inverse)
{
    nm_weight_rows r = rows_of(run);
    r.g = run->x[G_G];
    r.dw = run->x[G_DW];
    r.inverse = inverse;
    r.dv = run->y[G_DV];
    r.dg = run->y[G_DG];
    nm_weight_rows_gradient(&r);
    return NM_OK;
}

static nm_status run_gradient(const nm_run *run, const void *inverse)
{
    if (goes_by_rows(run)) {
        return gradient_by_rows(run, inverse);
    }
    backward b = {.g = run->x[G_G], .dg = run->y[G_DG]};
    nm_channel_pass p = pass_over(run);
    p.gather = NM_GATHER_PRODUCTS;
    p.apply = NM_APPLY_COMBINE;
    p.dy = run->x[G_DW];
    p.y = run->y[G_DV];
    p.finish = finish_gradient;
    p.arg = &b;
    if (nm_channel_pass_begin(&p) != NM_OK) {
        return NM_ERROR_MEMORY;
    }
    nm_channels_load(p.dtype, inverse, 1, 0, p.view.channels, p.inverse);
    nm_channel_pass_run(&p);
    nm_channel_pass_end(&p);
    return NM_OK;
}

static nm_status weight_norm_grad_forward(const nm_run *run)
{
    if (run->x[G_INVERSE]) {
        return run_gradient(run, run->x[G_INVERSE]);
    }
    forward f = {.inverse = nm_scratch(run->context, nm_tensor_bytes(run->out[G_DG]) + 1)};
    nm_status status = f.inverse ? normalize(run, &f, NULL) : NM_ERROR_MEMORY;
    if (status == NM_OK) {
        status = run_gradient(run, f.inverse);
    }
    nm_scratch_end(f.inverse);
    return status;
}

/* The norm is a known function of v, given only to spare the work: no gradient goes through. */
static nm_status apply_gradient(nm_tape *tape, const void *options, nm_tensor *v, nm_tensor *dw,
                                nm_tensor *g, nm_tensor *inverse, nm_tensor *out[G_OUTPUTS])
{
    nm_tensor *in[G_INPUTS] = {v, dw, g, nm_detach(tape, inverse)};
    return nm_apply(tape, &nm_op_weight_norm_grad, in, G_INPUTS, options, out);
}

static nm_tensor *along(const nm_vjp *v, nm_tensor *t)
{
    return nm_along_channels(v->tape, t, nm_tensor_shape(v->in[V]), axis_of(v->options));
}

/* The gradient that came in for inverse = ||v||^(-1), whose derivative is -inverse^2 vhat; used by
 * derivatives of higher order only. */
static nm_tensor *through_inverse(const nm_vjp *v)
{
    nm_tape *tape = v->tape;
    nm_tensor *inverse = v->out[INVERSE], *in[INPUTS] = {v->in[V]}, *unit[OUTPUTS];
    nm_apply(tape, &nm_op_weight_norm, in, INPUTS, v->options, unit);
    nm_tensor *square = nm_mul(tape, inverse, inverse);
    nm_tensor *factor = nm_neg(tape, nm_mul(tape, v->gout[INVERSE], square));
    return nm_mul(tape, unit[W], along(v, factor));
}

static nm_tensor *weight_norm_vjp(nm_vjp *v, int input)
{
    nm_tensor *out[G_OUTPUTS];
    if (apply_gradient(v->tape, v->options, v->in[V], nm_vjp_gout(v, W), v->in[G], v->out[INVERSE],
                       out) != NM_OK) {
        return NULL;
    }
    v->gin[G] = out[G_DG];
    v->gin[V] = v->gout[INVERSE] ? nm_add(v->tape, out[G_DV], through_inverse(v)) : out[G_DV];
    return v->gin[input];
}

/* ---- Second order ----
 * With P(d) = (d - (d . vhat) vhat) / ||v||, which is weight_norm_grad(v, d).dv without g, and
 * given gradients u of dv and k of dg:
 *
 *     D = P(dw),  d = dw . vhat     (the results of weight_norm_grad(v, dw))
 *     U = P(u),   e = u . vhat      (those of weight_norm_grad(v, u))
 *     T = u . D
 *
 *     of dw: g U + k vhat
 *     of g:  T
 *     of v:  k D - (g / ||v||) (T vhat + e D + d U)
 *
 * Every one is zero for a row of zeros. */

typedef struct second {
    nm_vjp *v;
    nm_tensor *g, *k;
    nm_tensor *vhat, *inverse, *D, *d, *U, *e, *T;
} second;

/* A tensor of v's shape times one number a row; NULL if one is. */
static nm_tensor *times(const second *s, nm_tensor *x, nm_tensor *rows)
{
    return x && rows ? nm_mul(s->v->tape, x, along(s->v, rows)) : NULL;
}

static second second_of(nm_vjp *v)
{
    second s = {.v = v, .g = v->in[G_G], .k = v->gout[G_DG]};
    nm_tensor *u = v->gout[G_DV];
    nm_tensor *in[INPUTS] = {v->in[G_V]}, *unit[OUTPUTS], *out[G_OUTPUTS];
    nm_apply(v->tape, &nm_op_weight_norm, in, INPUTS, v->options, unit);
    s.vhat = unit[W];
    s.inverse = unit[INVERSE];
    apply_gradient(v->tape, v->options, v->in[G_V], v->in[G_DW], NULL, s.inverse, out);
    s.D = out[G_DV];
    s.d = out[G_DG];
    if (u) {
        apply_gradient(v->tape, v->options, v->in[G_V], u, NULL, s.inverse, out);
        s.U = out[G_DV];
        s.e = out[G_DG];
        s.T = nm_sum_of_channels(v->tape, nm_mul(v->tape, u, s.D), axis_of(v->options));
    }
    return s;
}

static nm_tensor *second_of_v(const second *s)
{
    nm_tape *tape = s->v->tape;
    nm_tensor *from_k = times(s, s->D, s->k);
    if (!s->T) {
        return from_k;
    }
    nm_tensor *sum = nm_add(tape, times(s, s->vhat, s->T),
                            nm_add(tape, times(s, s->D, s->e), times(s, s->U, s->d)));
    nm_tensor *factor = nm_neg(tape, nm_multiply_factors(tape, s->inverse, s->g));
    return nm_add_terms(tape, from_k, times(s, sum, factor));
}

static nm_tensor *weight_norm_grad_vjp(nm_vjp *v, int input)
{
    second s = second_of(v);
    nm_tensor *scaled = s.g ? times(&s, s.U, s.g) : s.U;
    v->gin[G_V] = second_of_v(&s);
    v->gin[G_DW] = nm_add_terms(v->tape, scaled, times(&s, s.vhat, s.k));
    v->gin[G_G] = s.T;
    for (int i = 0; i < G_INPUTS; i++) {
        if (v->need[i]) {
            v->gin[i] = nm_or_zeros(v->tape, v->gin[i], v->in[i]);
        }
    }
    return v->gin[input];
}

/* ---- The ops ---- */

static const nm_weight_norm_options defaults = {NM_WEIGHT_NORM_DEFAULTS,
                                                NM_END(nm_weight_norm_options)};
NM_OPTIONS_INIT(nm_weight_norm_options, defaults)
static const nm_option options[] = {
    {NM_FIELD(nm_weight_norm_options, axis), NM_OPTION_INT,
     .doc = "the axis that is kept: one norm for each of its indices; -1: one norm for all",
     .min = -1, .max = NM_MAX_RANK - 1},
};
static const nm_spec spec = NM_SPEC(nm_weight_norm_options, defaults, options);

static const nm_port inputs[INPUTS] = {
    [V] = {.name = "v", .doc = "the direction of the weights, any shape"},
    [G] = {.name = "g",
           .doc = "their length: [v's size along the axis], or [] for axis -1; "
                  "absent: 1",
           .flags = NM_PORT_OPTIONAL},
};
static const nm_port outputs[OUTPUTS] = {
    [W] = {.name = "w", .doc = "the weights, v's shape"},
    [INVERSE] = {.name = "inverse",
                 .doc = "1 / ||v||, of g's shape; 0 for a row of zeros",
                 .flags = NM_PORT_HIDDEN},
};
static const nm_port grad_inputs[G_INPUTS] = {
    [G_V] = {.name = "v", .doc = "weight_norm's input"},
    [G_DW] = {.name = "dw", .doc = "gradient of w, v's shape"},
    [G_G] = {.name = "g", .doc = "weight_norm's input; absent: 1", .flags = NM_PORT_OPTIONAL},
    [G_INVERSE] = {.name = "inverse",
                   .doc = "as weight_norm gave it; absent: found again from v. No variable",
                   .flags = NM_PORT_OPTIONAL | NM_PORT_NO_GRAD},
};
static const nm_port grad_outputs[G_OUTPUTS] = {
    [G_DV] = {.name = "dv", .doc = "v's shape"},
    [G_DG] = {.name = "dg", .doc = "g's shape"},
};

static const nm_sample samples[] = {
    {.in = {NM_NORMAL(3, 4), NM_NORMAL(3)}},
    {.options = "{axis: 1}", .in = {NM_NORMAL(2, 3, 2), NM_NORMAL(3)}},
    {.options = "{axis: 2}", .in = {NM_NORMAL(2, 2, 3), NM_NORMAL(3)}},
    {.options = "{axis: -1}", .in = {NM_NORMAL(3, 4), NM_SCALAR_NORMAL}},
    {.in = {NM_NORMAL(2, 2, 3)}},
};
static const nm_sample grad_samples[] = {
    {.in = {NM_NORMAL(3, 4), NM_NORMAL(3, 4), NM_NORMAL(3)}},
    {.options = "{axis: 1}", .in = {NM_NORMAL(4, 2), NM_NORMAL(4, 2), NM_NORMAL(2)}},
    {.options = "{axis: -1}", .in = {NM_NORMAL(2, 3), NM_NORMAL(2, 3), NM_SCALAR_NORMAL}},
    {.in = {NM_NORMAL(2, 2, 2), NM_NORMAL(2, 2, 2)}},
};

const nm_op nm_op_weight_norm = {
    .item = NM_ITEM(nm_op, "weight_norm", "weight normalization", .spec = &spec,
                    .doc = "w = g * v / ||v||, with one Euclidean norm for every index of the\n"
                           "kept axis, over all other axes. A row of zeros gives w = 0 and\n"
                           "gradients of 0.\n"
                           "dg = dw . v / ||v||, dv = g / ||v|| * (dw - dg * v / ||v||).\n"
                           "Salimans, Kingma 2016, arXiv 1602.07868."),
    .inputs = inputs,
    .outputs = outputs,
    .input_count = INPUTS,
    .output_count = OUTPUTS,
    .infer = weight_norm_infer,
    .forward = weight_norm_forward,
    .vjp = weight_norm_vjp,
    .samples = samples,
    .sample_count = NM_COUNT_OF(samples),
};

const nm_op nm_op_weight_norm_grad = {
    .item = NM_ITEM(nm_op, "weight_norm_grad", "gradient of weight_norm", .spec = &spec,
                    .doc = "dg = dw . v / ||v||, dv = g / ||v|| * (dw - dg * v / ||v||); 0 where\n"
                           "v is 0."),
    .inputs = grad_inputs,
    .outputs = grad_outputs,
    .input_count = G_INPUTS,
    .output_count = G_OUTPUTS,
    .infer = weight_norm_grad_infer,
    .forward = weight_norm_grad_forward,
    .vjp = weight_norm_grad_vjp,
    .samples = grad_samples,
    .sample_count = NM_COUNT_OF(grad_samples),
};

nm_tensor *nm_weight_norm_with(nm_tape *tape, nm_tensor *v, nm_tensor *g,
                               const nm_weight_norm_options *o)
{
    nm_tensor *in[INPUTS] = {v, g}, *out[OUTPUTS];
    return nm_apply(tape, &nm_op_weight_norm, in, INPUTS, o, out) == NM_OK ? out[W] : NULL;
}
