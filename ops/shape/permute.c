/* The axes in another order: y[i_0, i_1, ...] = x[j_0, j_1, ...] with j_axes[k] = i_k. */
#include "ops/basic.h"
#include "ops/define.h"
#include "ops/kernels/copy.h"
#include "ops/table.h"

/* The order for a shape of that rank; false if the list is none. */
static bool find_order(const nm_permute_options *o, const nm_shape *shape, int order[NM_MAX_RANK])
{
    unsigned seen = 0;
    for (int i = 0; i < shape->rank; i++) {
        order[i] = o->axes.count ? nm_shape_axis(shape, o->axes.at[i]) : shape->rank - 1 - i;
        if (order[i] < 0) {
            return false;
        }
        seen |= 1u << order[i];
    }
    return seen == (1u << shape->rank) - 1;
}

static nm_status permute_infer(nm_infer *infer)
{
    const nm_permute_options *o = infer->options;
    const nm_shape *in = infer->in[0];
    int order[NM_MAX_RANK];
    if ((o->axes.count && o->axes.count != in->rank) || !find_order(o, in, order)) {
        char text[NM_SHAPE_TEXT];
        return nm_infer_fail(infer, "axes must name each of the %d axes of x %s once", in->rank,
                             nm_shape_text(in, text));
    }
    infer->out[0].rank = in->rank;
    for (int d = 0; d < in->rank; d++) {
        infer->out[0].dim[d] = in->dim[order[d]];
    }
    return NM_OK;
}

static nm_status permute_forward(const nm_run *run)
{
    const nm_shape *in = nm_tensor_shape(run->in[0]), *out = nm_tensor_shape(run->out[0]);
    int64_t x[NM_MAX_RANK], y[NM_MAX_RANK];
    int order[NM_MAX_RANK];
    find_order(run->options, in, order);
    nm_contiguous_strides(in, x);
    nm_contiguous_strides(out, y);
    nm_copy_plan plan = {.rank = in->rank};
    for (int d = 0; d < in->rank; d++) {
        plan.axis[d] = (struct nm_copy_axis){out->dim[d], x[order[d]], y[d]};
    }
    nm_copy(run->context, plan, nm_dtype_size(nm_tensor_dtype(run->in[0])), run->x[0], run->y[0]);
    return NM_OK;
}

/* The inverse order. */
static nm_tensor *permute_vjp(nm_vjp *v, int input)
{
    const nm_shape *shape = nm_tensor_shape(v->in[input]);
    int order[NM_MAX_RANK];
    find_order(v->options, shape, order);
    nm_permute_options back = {NM_END(nm_permute_options),
                               .axes = {.list = NM_LIST, .count = shape->rank}};
    for (int d = 0; d < shape->rank; d++) {
        back.axes.at[order[d]] = d;
    }
    return nm_permute_with(v->tape, v->gout[0], &back);
}

static const nm_sample permute_samples[] = {
    {.in = {NM_NORMAL(3, 4)}},
    {.options = "{axes: [0, 2, 1]}", .in = {NM_NORMAL(2, 3, 4)}},
    {.options = "{axes: [-1, 0, 2, 1]}", .in = {NM_NORMAL(2, 1, 3, 2)}},
};

static const nm_permute_options defaults = {NM_END(nm_permute_options), NM_PERMUTE_DEFAULTS};
NM_OPTIONS_INIT(nm_permute_options, defaults)
static const nm_option options[] = {
    {NM_FIELD(nm_permute_options, axes), NM_OPTION_INTS,
     .doc = "axis i of y is axes[i] of x; none given: all in reverse order"},
};
static const nm_spec spec = NM_SPEC(nm_permute_options, defaults, options);

static const nm_port x_port[] = {{.name = "x", .doc = "any shape", .type = NM_PORT_ANY}};
static const nm_port y_port[] = {
    {.name = "y", .doc = "x's dimensions in the new order", .type = NM_PORT_ANY}};

NM_OP(permute, x_port, y_port, permute_infer, 0, "axes in another order", .spec = &spec,
      .doc = "y = x with its axes in another order; a matrix is transposed.\n"
             "dx = dy with the axes put back.")

nm_tensor *nm_permute_with(nm_tape *tape, nm_tensor *x, const nm_permute_options *o)
{
    return nm_apply1(tape, &nm_op_permute, o, x);
}
