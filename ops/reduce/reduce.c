/* sum, mean and max along axes. How they add up is in ops/kernels/reduce.h. */
#include "ops/basic.h"
#include "ops/elementwise.h"
#include "ops/kernels/reduce.h"
#include "ops/reduce/axes.h"
#include "ops/table.h"

/* ---- Which axes go ---- */

/* After the shape rule has found nothing wrong. */
static unsigned gone_axes(const nm_reduce_options *o, const nm_shape *shape)
{
    unsigned gone;
    char text[NM_AXES_TEXT];
    nm_axes_gone(&o->axes, shape, &gone, text);
    return gone;
}

static nm_status reduce_infer(nm_infer *infer)
{
    const nm_reduce_options *o = infer->options;
    const nm_shape *in = infer->in[0];
    char text[NM_AXES_TEXT];
    unsigned gone;
    const char *fault = nm_axes_gone(&o->axes, in, &gone, text);
    if (fault) {
        return nm_infer_fail(infer, "%s", fault);
    }
    infer->out[0] = o->keepdims ? nm_axes_kept(in, gone) : nm_axes_left(in, gone);
    return NM_OK;
}

static unsigned run_gone(const nm_run *run)
{
    return gone_axes(run->options, nm_tensor_shape(run->in[0]));
}

static unsigned vjp_gone(const nm_vjp *v)
{
    return gone_axes(v->options, nm_tensor_shape(v->in[0]));
}

/* A tensor of the result's shape with its axes of length 1 back, so that it broadcasts to x. */
static nm_tensor *with_axes(nm_vjp *v, nm_tensor *y)
{
    return nm_reshape(v->tape, y, nm_axes_kept(nm_tensor_shape(v->in[0]), vjp_gone(v)));
}

static nm_status reduce(const nm_run *run, nm_reduction reduction, double scale)
{
    return nm_reduce(run->context, reduction, run->dtype, nm_tensor_shape(run->in[0]),
                     run_gone(run), scale, run->x[0], run->y[0]);
}

/* ---- sum, mean ---- */

static nm_status sum_forward(const nm_run *run)
{
    return reduce(run, NM_REDUCE_SUM, 1);
}

static nm_tensor *sum_vjp(nm_vjp *v, int input)
{
    return nm_broadcast_to(v->tape, with_axes(v, v->gout[0]), *nm_tensor_shape(v->in[input]));
}

static nm_status mean_forward(const nm_run *run)
{
    return reduce(run, NM_REDUCE_SUM,
                  1 / nm_axes_count(nm_tensor_shape(run->in[0]), run_gone(run)));
}

static nm_tensor *mean_vjp(nm_vjp *v, int input)
{
    const nm_shape *shape = nm_tensor_shape(v->in[input]);
    nm_tensor *share = nm_affine(v->tape, v->gout[0], 1 / nm_axes_count(shape, vjp_gone(v)), 0);
    return nm_broadcast_to(v->tape, with_axes(v, share), *shape);
}

/* ---- max ---- */

static nm_status max_infer(nm_infer *infer)
{
    nm_status status = reduce_infer(infer);
    if (status == NM_OK && nm_shape_count(infer->in[0]) == 0 && nm_shape_count(infer->out) != 0) {
        char text[NM_SHAPE_TEXT];
        return nm_infer_fail(infer, "x %s has nothing to take the maximum of along these axes",
                             nm_shape_text(infer->in[0], text));
    }
    return status;
}

static nm_status max_forward(const nm_run *run)
{
    return reduce(run, NM_REDUCE_MAX, 1);
}

/* Each of n equal maxima gets dy / n. */
static nm_tensor *max_vjp(nm_vjp *v, int input)
{
    nm_tensor *y = with_axes(v, v->out[0]), *dy = with_axes(v, v->gout[0]);
    nm_tensor *mask = nm_max_mask(v->tape, v->in[input], y);
    nm_tensor *ties = y ? nm_sum_to(v->tape, mask, *nm_tensor_shape(y)) : NULL;
    return nm_mul(v->tape, mask, nm_div(v->tape, dy, ties));
}

NM_BINARY(max_mask, a == b || (a != a && b != b) ? 1 : 0)
#define max_mask_vjp NULL

/* ---- The ops ---- */

static const nm_sample sum_samples[] = {
    {.in = {NM_NORMAL(3, 4)}},
    {.in = {NM_SCALAR_NORMAL}},
    {.options = "{axes: 0}", .in = {NM_NORMAL(3, 4)}},
    {.options = "{axes: -1, keepdims: true}", .in = {NM_NORMAL(3, 4)}},
    {.options = "{axes: [0, 2]}", .in = {NM_NORMAL(2, 3, 4)}},
    {.options = "{axes: [1, -1], keepdims: true}", .in = {NM_NORMAL(2, 3, 2, 3)}},
};
#define mean_samples sum_samples
static const nm_sample max_samples[] = {
    {.in = {NM_DISTINCT(3, 4)}},
    {.options = "{axes: 0}", .in = {NM_DISTINCT(3, 4)}},
    {.options = "{axes: [0, 2], keepdims: true}", .in = {NM_DISTINCT(2, 3, 4)}},
};
static const nm_sample max_mask_samples[] = {{.in = {NM_DISTINCT(3, 4), NM_DISTINCT(4)}}};

static const nm_reduce_options defaults = {NM_END(nm_reduce_options), NM_REDUCE_DEFAULTS};
NM_OPTIONS_INIT(nm_reduce_options, defaults)
static const nm_option options[] = {
    {NM_FIELD(nm_reduce_options, axes), NM_OPTION_INTS,
     .doc = "the axes that go, negative ones counted from the end; none given: all"},
    {NM_FIELD(nm_reduce_options, keepdims), NM_OPTION_BOOL,
     .doc = "leave the axes that go, with length 1"},
};
static const nm_spec spec = NM_SPEC(nm_reduce_options, defaults, options);
static const nm_port y_port[] = {{.name = "y", .doc = "x's shape without the axes that go"}};

#define REDUCE_OP(name_, infer_, summary_, doc_)                                                   \
    NM_OP(name_, nm_port_x, y_port, infer_, 0, summary_, .doc = doc_, .spec = &spec)               \
    nm_tensor *nm_##name_##_with(nm_tape *tape, nm_tensor *x, const nm_reduce_options *o)          \
    {                                                                                              \
        return nm_apply1(tape, &nm_op_##name_, o, x);                                              \
    }

REDUCE_OP(sum, reduce_infer, "sum along axes",
          "y = sum of x along the axes; 0 if there is nothing to sum. dx = dy, broadcast.")
REDUCE_OP(mean, reduce_infer, "mean along axes",
          "y = mean of x along the axes, over n elements each. dx = dy / n, broadcast.")
REDUCE_OP(max, max_infer, "largest value along axes",
          "y = largest element of x along the axes; NaN if there is one.\n"
          "dx = dy / n where x = y, n being how many are equal; else 0.")
NM_OP(max_mask, nm_port_ab, nm_port_y, nm_infer_broadcast, NM_OP_NO_VJP, "where the maximum stands",
      .doc = "y = 1 where a = b (or both are NaN), else 0.")

nm_tensor *nm_max_mask(nm_tape *tape, nm_tensor *x, nm_tensor *m)
{
    return nm_apply2(tape, &nm_op_max_mask, NULL, x, m);
}
