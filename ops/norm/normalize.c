/* Normalization over any axes. For every set, which is all elements of x along `axes` for one index
 * of the others (and for one group),
 *
 *     xhat = (x - mean) * inverse,  inverse = 1 / sqrt(var + eps),  y = scale * xhat + shift
 *
 * with mean and (biased) var of the set, weighted if there are weights, or given ones in inference;
 * scale and shift are of any shape that broadcasts to x's. docs/normalization.md derives the
 * gradients. Promises:
 *
 * 1. One formula: forward and gradient use the same mean, the same biased variance, the same eps in
 *    the same place.
 * 2. A set of equal values gives exactly the shift, one without weight too.
 * 3. What the mean loses by being rounded to x's type is put back, in both directions.
 * 4. What has weight 0 is not read for the statistics: it may be NaN, and then changes nothing but
 *    its own y.
 * 5. The op has no side effects, and gradients flow through y, mean and var alike.
 * 6. normalize_grad has a gradient made of these two ops and others, so all orders are exact. */
#include <math.h>

#include "ops/basic.h"
#include "ops/define.h"
#include "ops/norm/channels.h"
#include "ops/norm/normalize.h"
#include "ops/table.h"

/* ---- Shape rule ---- */

/* One value alone is always normalized to 0. */
static nm_status check_length(const nm_infer *infer, const nm_normalize_options *o,
                              const nm_frame *f)
{
    char text[NM_SHAPE_TEXT];
    if (!nm_normalize_computes(o) || !o->subtract_mean || f->length > 1 || f->sets == 0) {
        return NM_OK;
    }
    return nm_infer_fail(infer,
                         "x %s has one value a set, which would be normalized to 0 whatever it is; "
                         "normalize over more axes or in fewer groups",
                         nm_shape_text(&f->x, text));
}

static nm_status check_modes(const nm_infer *infer, const nm_normalize_options *o)
{
    const char *missing = o->subtract_mean && !infer->in[MEAN_IN] ? "mean"
                          : o->divide && !infer->in[VAR_IN]       ? "var"
                                                                  : NULL;
    if (!nm_normalize_computes(o) && missing) {
        return nm_infer_fail(infer,
                             "inference needs %s; give it, or normalize with the sets' own "
                             "statistics (mode: training)",
                             missing);
    }
    if (o->sum && o->subtract_mean) {
        return nm_infer_fail(infer, "sums of squares (sum: true) are for what is normalized "
                                    "without its mean; set subtract_mean: false");
    }
    return NM_OK;
}

nm_status nm_normalize_infer_as(nm_infer *infer, const nm_normalize_options *o)
{
    nm_frame f;
    nm_status status = nm_frame_infer(infer, o, &f);
    if (status == NM_OK) status = check_modes(infer, o);
    if (status == NM_OK) status = check_length(infer, o, &f);
    for (int i = SCALE; i < infer->inputs && status == NM_OK; i++) {
        status = i == SCALE || i == SHIFT ? nm_frame_check_parameter(infer, i, &o->affine_axes)
                 : i == WEIGHT            ? nm_frame_check_parameter(infer, i, NULL)
                                          : nm_frame_check_statistics(infer, i, &f);
    }
    if (status == NM_OK) {
        infer->out[Y] = f.x;
        infer->out[MEAN] = infer->out[VAR] = infer->out[INVERSE] = f.statistics;
    }
    return status;
}

static nm_status normalize_infer(nm_infer *infer)
{
    return nm_normalize_infer_as(infer, infer->options);
}

/* ---- Forward ---- */

static nm_status check_weights(const nm_run *run)
{
    const nm_tensor *weight = run->inputs > WEIGHT ? run->in[WEIGHT] : NULL;
    const float *narrow = weight ? run->x[WEIGHT] : NULL;
    const double *wide = weight ? run->x[WEIGHT] : NULL;
    for (int64_t i = 0; weight && i < nm_tensor_count(weight); i++) {
        const double w = run->dtype == NM_F64 ? wide[i] : (double)narrow[i];
        if (!(w >= 0 && w <= 1e30)) {
            char place[NM_SHAPE_TEXT];
            nm_shape_place_text(nm_tensor_shape(weight), i, place);
            return nm_run_fail(run, NM_ERROR_INPUT,
                               "weight%s is %g; weights must be 0 or more, and at most 1e30", place,
                               w);
        }
    }
    return NM_OK;
}

/* In the kernel of slabs, squares that leave the range of f32 are lost. */
static bool is_in_range(const nm_run *run, int64_t sets)
{
    const float *var = run->y[VAR];
    for (int64_t i = 0; run->dtype == NM_F32 && i < sets; i++) {
        if (!(var[i] < 1e36F)) {
            return false;
        }
    }
    return true;
}

/* `again`: whether it must be done again, without slabs. */
static nm_status run_forward(const nm_run *run, const nm_normalize_options *o, bool slabs,
                             bool *again)
{
    static const nm_frame_ports ports = {X, SCALE, SHIFT, WEIGHT};
    const nm_frame f = nm_frame_of(o, nm_tensor_shape(run->in[X]));
    const bool given = !nm_normalize_computes(o);
    nm_frame_copy c = nm_frame_copy_begin(run, &f);
    nm_frame_sets(&c, run, o, &ports, slabs);
    void *y = nm_frame_room(&c, run->y[Y]);
    nm_status status = c.status;
    if (status == NM_OK) {
        status = nm_frame_forward(&c, given && o->subtract_mean ? run->x[MEAN_IN] : NULL,
                                  given ? run->x[VAR_IN] : NULL, y, run->y[MEAN], run->y[VAR],
                                  run->y[INVERSE]);
    }
    if (status == NM_OK) {
        nm_frame_give(&c, y, run->y[Y]);
        *again = c.in_slabs && !given && !is_in_range(run, f.sets);
    }
    nm_frame_copy_end(&c);
    return status;
}

nm_status nm_normalize_forward_as(const nm_run *run, const nm_normalize_options *o)
{
    bool again = false;
    nm_status status = check_weights(run);
    if (status == NM_OK) {
        status = run_forward(run, o, true, &again);
    }
    return status == NM_OK && again ? run_forward(run, o, false, &again) : status;
}

static nm_status normalize_forward(const nm_run *run)
{
    return nm_normalize_forward_as(run, run->options);
}

/* ---- Gradient ---- */

static nm_tensor *input_of(const nm_vjp *v, int input)
{
    return input < v->op->input_count ? v->in[input] : NULL;
}

/* The gradient that came in for var, and for inverse = (var + eps)^(-1/2), whose derivative is
 * -inverse^3 / 2. The latter is used by derivatives of higher order only. */
static nm_tensor *gradient_of_var(const nm_vjp *v, const nm_normalize_options *o)
{
    nm_tensor *dinverse = v->gout[INVERSE], *inverse = v->out[INVERSE];
    if (!dinverse || !o->divide) {
        return v->gout[VAR];
    }
    nm_tensor *cube = nm_mul(v->tape, inverse, nm_mul(v->tape, inverse, inverse));
    nm_tensor *dvar = nm_affine(v->tape, nm_mul(v->tape, dinverse, cube), -0.5, 0);
    return nm_add_terms(v->tape, dvar, v->gout[VAR]);
}

/* In inference, inverse is a variable only if the given var is one. */
static nm_tensor *inverse_of(const nm_vjp *v, const nm_normalize_options *o)
{
    nm_tensor *var = input_of(v, VAR_IN);
    const bool variable = !nm_normalize_computes(o) && var && nm_tensor_requires_grad(var);
    return variable ? v->out[INVERSE] : nm_detach(v->tape, v->out[INVERSE]);
}

static nm_status first_order(const nm_vjp *v, const nm_normalize_options *o, nm_tensor *dvar,
                             nm_tensor *out[G_OUTPUTS])
{
    const bool computes = nm_normalize_computes(o);
    nm_tensor *in[G_INPUTS] = {[G_X] = v->in[X],
                               [G_DY] = nm_vjp_gout(v, Y),
                               [G_SCALE] = input_of(v, SCALE),
                               [G_SHIFT] = input_of(v, SHIFT),
                               [G_WEIGHT] = input_of(v, WEIGHT),
                               [G_MEAN] = computes ? nm_detach(v->tape, v->out[MEAN])
                                                   : input_of(v, MEAN_IN),
                               [G_INVERSE] = inverse_of(v, o)};
    if (!in[G_MEAN]) {
        in[G_MEAN] = nm_detach(v->tape, v->out[MEAN]);
    }
    in[G_DMEAN] = computes ? v->gout[MEAN] : NULL;
    in[G_DVAR] = computes ? dvar : NULL;
    return nm_apply(v->tape, &nm_op_normalize_grad, in, G_INPUTS, o, out);
}

/* In inference y = scale (x - M) inverse(V) + shift: dM = -inverse sum of d, and
 * dV = -inverse^2 / 2 * sum of d xhat. The outputs mean and var are copies of M and V. */
static void add_given(nm_vjp *v, const nm_normalize_options *o, nm_tensor *dvar)
{
    nm_tape *tape = v->tape;
    nm_tensor *in[G_INPUTS] = {[G_X] = v->in[X]}, *out[G_OUTPUTS];
    const nm_frame f = nm_frame_of(o, nm_tensor_shape(v->in[X]));
    nm_tensor *scale = nm_frame_parameter(tape, &f, input_of(v, SCALE), &o->affine_axes);
    nm_tensor *dy = nm_frame_whole(tape, &f, nm_vjp_gout(v, Y));
    nm_tensor *d = scale ? nm_mul(tape, dy, scale) : dy, *inverse = v->out[INVERSE];
    in[G_DY] = d ? nm_reshape(tape, d, f.x) : NULL;
    in[G_MEAN] = input_of(v, MEAN_IN) && o->subtract_mean ? v->in[MEAN_IN] : v->out[MEAN];
    in[G_INVERSE] = inverse_of(v, o);
    nm_apply(tape, &nm_op_normalize_grad, in, G_INPUTS, o, out);
    if (v->in[MEAN_IN] && o->subtract_mean) {
        nm_tensor *dmean = nm_neg(tape, nm_mul(tape, inverse, out[G_DSHIFT]));
        v->gin[MEAN_IN] = nm_add_terms(tape, dmean, v->gout[MEAN]);
    }
    if (v->in[VAR_IN] && o->divide) {
        nm_tensor *product = nm_mul(tape, nm_mul(tape, inverse, inverse), out[G_DSCALE]);
        dvar = nm_add_terms(tape, dvar, nm_affine(tape, product, -0.5, 0));
    }
    v->gin[VAR_IN] = dvar;
}

nm_tensor *nm_normalize_vjp_as(nm_vjp *v, const nm_normalize_options *o, int input)
{
    const bool given = !nm_normalize_computes(o);
    nm_tensor *dvar = gradient_of_var(v, o), *out[G_OUTPUTS];
    if (first_order(v, o, dvar, out) != NM_OK) {
        return NULL;
    }
    v->gin[X] = out[G_DX];
    for (int i = SCALE; i < v->op->input_count && i <= SHIFT; i++) {
        v->gin[i] = v->in[i] ? out[i == SCALE ? G_DSCALE : G_DSHIFT] : NULL;
    }
    if (given && v->op->input_count > VAR_IN && (v->need[MEAN_IN] || v->need[VAR_IN])) {
        add_given(v, o, dvar);
    }
    for (int i = MEAN_IN; i < v->op->input_count && i <= VAR_IN; i++) {
        v->gin[i] = v->need[i] ? nm_or_zeros(v->tape, v->gin[i], v->in[i]) : NULL;
    }
    return v->gin[input];
}

static nm_tensor *normalize_vjp(nm_vjp *v, int input)
{
    return nm_normalize_vjp_as(v, v->options, input);
}

/* ---- The op ---- */

static const char *const modes[] = {"training", "inference", NULL};
const nm_normalize_options nm_normalize_defaults = {NM_NORMALIZE_DEFAULTS,
                                                    NM_END(nm_normalize_options)};
NM_OPTIONS_INIT(nm_normalize_options, nm_normalize_defaults)
static const nm_option options[] = {
    {NM_FIELD(nm_normalize_options, axes), NM_OPTION_INTS,
     .doc = "the axes that a set lies along, negative ones counted from the end; none given: all"},
    {NM_FIELD(nm_normalize_options, groups), NM_OPTION_INT, .min = 1, .max = NM_NO_LIMIT,
     .doc = "parts of `axis` that are sets of their own"},
    {NM_FIELD(nm_normalize_options, axis), NM_OPTION_INT,
     .doc = "the one of the axes that falls into groups"},
    {NM_FIELD(nm_normalize_options, affine_axes), NM_OPTION_INTS,
     .doc = "the axes that scale and shift have a value for each index of; none given: their "
            "shapes broadcast to x's"},
    {NM_FIELD(nm_normalize_options, subtract_mean), NM_OPTION_BOOL,
     .doc = "subtract the mean; else it counts as 0, in the variance too"},
    {NM_FIELD(nm_normalize_options, divide), NM_OPTION_BOOL,
     .doc = "divide by the deviation, the root of var + eps"},
    {NM_FIELD(nm_normalize_options, sum), NM_OPTION_BOOL,
     .doc = "divide by the root of the sum of squares, not of their mean: to the length 1"},
    {NM_FIELD(nm_normalize_options, eps), NM_OPTION_FLOAT,
     .doc = "added to the variance, inside the root", .min = 0, .max = NM_NO_LIMIT},
    {NM_FIELD(nm_normalize_options, mean_gradient), NM_OPTION_BOOL,
     .doc = "let gradients through the mean; else it counts as a constant, which differences do "
            "not know of"},
    {NM_FIELD(nm_normalize_options, variance_gradient), NM_OPTION_BOOL,
     .doc = "the same of the variance"},
    {NM_FIELD(nm_normalize_options, mode), NM_OPTION_ENUM, .names = modes,
     .doc = "training: normalize with the sets' own statistics; inference: with given ones"},
};
const nm_spec nm_normalize_spec = NM_SPEC(nm_normalize_options, nm_normalize_defaults, options);

static const nm_port inputs[INPUTS] = {
    [X] = {.name = "x", .doc = "values to normalize, any shape"},
    [SCALE] = {.name = "scale",
               .doc = "a shape that broadcasts to x's, or as affine_axes say; absent: 1",
               .flags = NM_PORT_OPTIONAL},
    [SHIFT] = {.name = "shift", .doc = "the same; absent: 0", .flags = NM_PORT_OPTIONAL},
    [MEAN_IN] = {.name = "given_mean",
                 .doc = "x's shape without the axes (groups in place of theirs), for inference",
                 .flags = NM_PORT_OPTIONAL},
    [VAR_IN] = {.name = "given_var",
                .doc = "the same shape, for inference",
                .flags = NM_PORT_OPTIONAL},
    [WEIGHT] = {.name = "weight",
                .doc = "how much each value counts in mean and variance: a shape that broadcasts "
                       "to x's, nothing below 0; absent: 1",
                .flags = NM_PORT_OPTIONAL | NM_PORT_NO_GRAD},
};
static const nm_port outputs[OUTPUTS] = {
    [Y] = {.name = "y", .doc = "x's shape"},
    [MEAN] = {.name = "mean",
              .doc = "what x was normalized with, one number a set: x's shape without the axes, "
                     "with the groups in place of theirs"},
    [VAR] = {.name = "var", .doc = "the same, biased; the sum or mean of squares without a mean"},
    [INVERSE] = {.name = "inverse",
                 .doc = "the same: 1 / sqrt(var + eps); 1 if nothing is divided",
                 .flags = NM_PORT_HIDDEN},
};
#define VARIANCES(...) NM_UNIFORM(0.5, 2, __VA_ARGS__)
#define WEIGHTS(...) NM_UNIFORM(0.2, 1.5, __VA_ARGS__)

/* Sets of last, first, inner and scattered axes, groups; scale inside the set, across it and over
 * both; weights of x's shape and of less; without mean, without division, given statistics. */
static const nm_sample samples[] = {
    {.in = {NM_NORMAL(3, 5), NM_NORMAL(5), NM_NORMAL(5)}},
    {.in = {NM_NORMAL(2, 3, 4)}},
    {.options = "{axes: [0, 1], affine_axes: [2]}",
     .in = {NM_NORMAL(3, 2, 2), NM_NORMAL(2), NM_NORMAL(2)}},
    {.options = "{axes: [1, 2], groups: 2, axis: 2, eps: 0.1}",
     .in = {NM_NORMAL(2, 2, 4), NM_NORMAL(4), NM_NORMAL(4)}},
    {.options = "{axes: [1, 2], groups: 2, axis: 1, affine_axes: [1]}",
     .in = {NM_NORMAL(2, 4, 3), NM_NORMAL(4), NM_ABSENT},
     .inputs = 3},
    {.options = "{axes: [0, 2]}", .in = {NM_NORMAL(2, 2, 3), NM_NORMAL(2, 1, 3), NM_NORMAL(2, 1)}},
    {.options = "{subtract_mean: false}", .in = {NM_NORMAL(3, 4), NM_NORMAL(4)}},
    {.options = "{subtract_mean: false, sum: true}", .in = {NM_NORMAL(3, 4)}},
    {.options = "{divide: false, axes: 0}", .in = {NM_NORMAL(4, 2), NM_NORMAL(2), NM_NORMAL(2)}},
    {.options = "{axes: [0, 1]}",
     .in = {NM_NORMAL(3, 4), NM_NORMAL(4), NM_NORMAL(3, 1), NM_ABSENT, NM_ABSENT, WEIGHTS(3, 4)},
     .inputs = 6},
    {.options = "{axes: 1}",
     .in = {NM_NORMAL(2, 4, 2), NM_NORMAL(2), NM_ABSENT, NM_ABSENT, NM_ABSENT, WEIGHTS(2, 4, 1)},
     .inputs = 6},
    {.options = "{subtract_mean: false, axes: [0]}",
     .in = {NM_NORMAL(4, 2), NM_ABSENT, NM_ABSENT, NM_ABSENT, NM_ABSENT, WEIGHTS(4, 1)},
     .inputs = 6},
    {.options = "{mode: inference, axes: [0]}",
     .in = {NM_NORMAL(3, 2), NM_NORMAL(2), NM_NORMAL(2), NM_NORMAL(2), VARIANCES(2)}},
    {.options = "{mode: inference}",
     .in = {NM_NORMAL(2, 3), NM_NORMAL(3), NM_ABSENT, NM_NORMAL(2), VARIANCES(2)},
     .inputs = 5},
};
const nm_op nm_op_normalize = {
    .item = NM_ITEM(
        nm_op, "normalize", "normalization over any axes", .spec = &nm_normalize_spec,
        .doc =
            "y = scale * (x - mean) / sqrt(var + eps) + shift, for every set by itself: all\n"
            "values of x along `axes`, for one index of the others and one group. Batch, layer,\n"
            "RMS, instance and group norm are this with some axes or others. With weights, mean\n"
            "= sum of w x / W, var = sum of w (x - mean)^2 / W, W = sum of w: a mask leaves out\n"
            "padded steps or missing values, which may be NaN. A set of equal values gives the\n"
            "shift, as does one without weight; one value a set is an error.\n"
            "With d = dy * scale, in training:\n"
            "dx = inverse * (d - w/W * sum of d - w/W * xhat * sum of d * xhat).\n"
            "Without mean_gradient the first sum is left out, without variance_gradient the\n"
            "second: what is constant then is no longer the function's true gradient."),
    .inputs = inputs,
    .outputs = outputs,
    .input_count = INPUTS,
    .output_count = OUTPUTS,
    .infer = normalize_infer,
    .forward = normalize_forward,
    .vjp = normalize_vjp,
    .samples = samples,
    .sample_count = NM_COUNT_OF(samples),
};

nm_normalize_result nm_normalize_with(nm_tape *tape, nm_tensor *x, nm_tensor *scale,
                                      nm_tensor *shift, nm_tensor *mean, nm_tensor *var,
                                      nm_tensor *weight, const nm_normalize_options *o)
{
    nm_tensor *in[INPUTS] = {x, scale, shift, mean, var, weight}, *out[OUTPUTS];
    nm_apply(tape, &nm_op_normalize, in, INPUTS, o, out);
    return (nm_normalize_result){out[Y], out[MEAN], out[VAR]};
}
