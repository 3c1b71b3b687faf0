/* Tensors one behind the other along an axis. */
#include "ops/basic.h"
#include "ops/define.h"
#include "ops/kernels/copy.h"
#include "ops/table.h"

static nm_status concat_infer(nm_infer *infer)
{
    int axis;
    nm_shape *out = &infer->out[0];
    if (nm_infer_axis(infer, 0, ((const nm_concat_options *)infer->options)->axis, &axis)) {
        return NM_ERROR_INPUT;
    }
    *out = *infer->in[0];
    for (int i = 1; i < infer->inputs; i++) {
        nm_shape other = *infer->in[i];
        int64_t length = axis < other.rank ? other.dim[axis] : 0;
        other.dim[axis] = out->dim[axis];
        if (!nm_shape_equal(&other, out)) {
            char a[NM_SHAPE_TEXT], b[NM_SHAPE_TEXT];
            return nm_infer_fail(infer, "tensor %d %s does not go behind tensor 0 %s along axis %d",
                                 i, nm_shape_text(infer->in[i], a), nm_shape_text(infer->in[0], b),
                                 axis);
        }
        out->dim[axis] += length;
    }
    return NM_OK;
}

static nm_status concat_forward(const nm_run *run)
{
    const nm_shape *out = nm_tensor_shape(run->out[0]);
    int axis = nm_shape_axis(out, ((const nm_concat_options *)run->options)->axis);
    size_t item = nm_dtype_size(run->dtype);
    int64_t x[NM_MAX_RANK], y[NM_MAX_RANK], begin = 0;
    nm_contiguous_strides(out, y);
    for (int i = 0; i < run->inputs; i++) {
        const nm_shape *in = nm_tensor_shape(run->in[i]);
        nm_copy_plan plan = {.rank = in->rank};
        nm_contiguous_strides(in, x);
        for (int d = 0; d < in->rank; d++) {
            plan.axis[d] = (struct nm_copy_axis){in->dim[d], x[d], y[d]};
        }
        nm_copy(run->context, plan, item, run->x[i],
                (char *)run->y[0] + (size_t)(begin * y[axis]) * item);
        begin += in->dim[axis];
    }
    return NM_OK;
}

/* The part of dy that input k became. */
static nm_tensor *concat_vjp(nm_vjp *v, int input)
{
    int axis =
        nm_shape_axis(nm_tensor_shape(v->out[0]), ((const nm_concat_options *)v->options)->axis);
    int64_t begin = 0;
    for (int i = 0; i < input; i++) {
        begin += nm_tensor_shape(v->in[i])->dim[axis];
    }
    int64_t end = begin + nm_tensor_shape(v->in[input])->dim[axis];
    return nm_slice(v->tape, v->gout[0], .axes = NM_INTS(axis), .start = NM_INTS(begin),
                    .stop = NM_INTS(end));
}

static const nm_sample concat_samples[] = {
    {.in = {NM_NORMAL(2, 3), NM_NORMAL(1, 3)}},
    {.options = "{axis: -1}", .in = {NM_NORMAL(2, 2), NM_NORMAL(2, 3), NM_NORMAL(2, 1)}},
    {.options = "{axis: 1}", .in = {NM_NORMAL(2, 1, 2), NM_NORMAL(2, 2, 2)}},
};

static const nm_concat_options defaults = {NM_END(nm_concat_options), NM_CONCAT_DEFAULTS};
NM_OPTIONS_INIT(nm_concat_options, defaults)
static const nm_option options[] = {
    {NM_FIELD(nm_concat_options, axis), NM_OPTION_INT,
     .doc = "the axis that grows; a negative one counts from the end"},
};
static const nm_spec spec = NM_SPEC(nm_concat_options, defaults, options);

static const nm_port x_port[] = {
    {.name = "x", .doc = "one or more tensors, alike but for the axis", .flags = NM_PORT_VARIADIC}};
static const nm_port y_port[] = {{.name = "y", .doc = "their shape, the axis's lengths added"}};

NM_OP(concat, x_port, y_port, concat_infer, 0, "tensors joined along an axis", .spec = &spec,
      .doc = "y = the tensors one behind the other along an axis. dx = their parts of dy.")

nm_tensor *nm_concat_with(nm_tape *tape, nm_tensor *const *tensors, int count,
                          const nm_concat_options *o)
{
    nm_tensor *out[1];
    return nm_apply(tape, &nm_op_concat, tensors, count, o, out) == NM_OK ? out[0] : NULL;
}
