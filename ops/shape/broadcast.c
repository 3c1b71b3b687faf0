/* sum_to and broadcast_to, each the gradient of the other. The backward pass uses sum_to to give a
 * gradient the shape its input had before it was broadcast. */
#include "ops/basic.h"
#include "ops/elementwise.h"
#include "ops/kernels/reduce.h"
#include "ops/table.h"

/* Whether `small` broadcasts to exactly `large`. */
static bool broadcasts_to(const nm_shape *small, const nm_shape *large)
{
    nm_shape result;
    return small->rank <= NM_MAX_RANK && large->rank <= NM_MAX_RANK &&
           nm_shape_broadcast(small, large, &result) && nm_shape_equal(&result, large);
}

static nm_status check_fit(nm_infer *infer, const nm_shape *small, const nm_shape *large)
{
    infer->out[0] = nm_shape_of_options(infer->options);
    if (!broadcasts_to(small, large)) {
        char a[NM_SHAPE_TEXT], b[NM_SHAPE_TEXT];
        return nm_infer_fail(infer, "%s does not broadcast to %s", nm_shape_text(small, a),
                             nm_shape_text(large, b));
    }
    return NM_OK;
}

/* ---- broadcast_to ---- */

static nm_status broadcast_to_infer(nm_infer *infer)
{
    nm_shape shape = nm_shape_of_options(infer->options);
    return check_fit(infer, infer->in[0], &shape);
}

static nm_status broadcast_to_forward(const nm_run *run)
{
    return nm_elementwise_repeat(run);
}

static nm_tensor *broadcast_to_vjp(nm_vjp *v, int input)
{
    return nm_sum_to(v->tape, v->gout[0], *nm_tensor_shape(v->in[input]));
}

/* ---- sum_to ---- */

static nm_status sum_to_infer(nm_infer *infer)
{
    nm_shape shape = nm_shape_of_options(infer->options);
    return check_fit(infer, &shape, infer->in[0]);
}

/* Sums along the axes that `out` lacks or has with length 1. */
static nm_status sum_to_forward(const nm_run *run)
{
    const nm_shape *in = nm_tensor_shape(run->in[0]), *out = nm_tensor_shape(run->out[0]);
    if (nm_tensor_count(run->in[0]) == nm_tensor_count(run->out[0])) {
        memcpy(run->y[0], run->x[0], nm_tensor_bytes(run->out[0]));
        return NM_OK;
    }
    unsigned gone = 0;
    for (int d = 0; d < in->rank; d++) {
        int k = d - (in->rank - out->rank);
        gone |= (unsigned)(k < 0 || (out->dim[k] == 1 && in->dim[d] != 1)) << d;
    }
    return nm_reduce(run->context, NM_REDUCE_SUM, run->dtype, in, gone, 1, run->x[0], run->y[0]);
}

static nm_tensor *sum_to_vjp(nm_vjp *v, int input)
{
    return nm_broadcast_to(v->tape, v->gout[0], *nm_tensor_shape(v->in[input]));
}

/* ---- The ops ---- */

static const nm_shape_options defaults = {.struct_size = sizeof(nm_shape_options),
                                          .shape = NM_NO_LIST};
static const nm_option options[] = {
    {NM_FIELD(nm_shape_options, shape), NM_OPTION_INTS, .doc = "the shape of the result", .min = 0,
     .max = NM_NO_LIMIT, .flags = NM_REQUIRED},
};
static const nm_spec spec = NM_SPEC(nm_shape_options, defaults, options);

static const nm_port result_port[] = {{.name = "y", .doc = "the shape given"}};

static const nm_sample sum_to_samples[] = {
    {.options = "{shape: [4]}", .in = {NM_NORMAL(2, 3, 4)}},
    {.options = "{shape: [3, 1]}", .in = {NM_NORMAL(2, 3, 4)}},
    {.options = "{shape: []}", .in = {NM_NORMAL(2, 3)}},
    {.options = "{shape: [2, 1, 2, 1]}", .in = {NM_NORMAL(2, 3, 2, 3)}},
    {.options = "{shape: [4]}", .in = {NM_NORMAL(1, 4)}},
};
static const nm_sample broadcast_to_samples[] = {
    {.options = "{shape: [2, 3, 4]}", .in = {NM_NORMAL(4)}},
    {.options = "{shape: [2, 3, 4]}", .in = {NM_NORMAL(3, 1)}},
    {.options = "{shape: [3]}", .in = {NM_SCALAR_NORMAL}},
};

NM_OP(sum_to, nm_port_x, result_port, sum_to_infer, NM_OP_MAY_VIEW, "sum over broadcast axes",
      .spec = &spec,
      .doc = "y = x summed over the axes along which the shape broadcasts to x's.\n"
             "dx = dy, broadcast back.")
NM_OP(broadcast_to, nm_port_x, result_port, broadcast_to_infer, 0,
      "repetition along broadcast axes", .spec = &spec,
      .doc = "y = x repeated to the shape, by NumPy's rule.\n"
             "dx = dy, summed over the repeated axes.")

nm_tensor *nm_sum_to(nm_tape *tape, nm_tensor *x, nm_shape shape)
{
    nm_shape_options o = nm_options_of_shape(&shape);
    return nm_apply1(tape, &nm_op_sum_to, &o, x);
}

nm_tensor *nm_broadcast_to(nm_tape *tape, nm_tensor *x, nm_shape shape)
{
    nm_shape_options o = nm_options_of_shape(&shape);
    return nm_apply1(tape, &nm_op_broadcast_to, &o, x);
}
