#include "ops/norm/channels.h"

#include "ops/basic.h"

static nm_shape shape_along(const nm_shape *shape, int axis)
{
    nm_shape along = {.rank = axis < 0 ? 0 : shape->rank};
    for (int d = 0; d < along.rank; d++) {
        along.dim[d] = d == axis ? shape->dim[d] : 1;
    }
    return along;
}

nm_tensor *nm_along_channels(nm_tape *tape, nm_tensor *t, const nm_shape *shape, int axis)
{
    bool broadcasts = axis < 0 || axis == shape->rank - 1;
    return !t || broadcasts ? t : nm_reshape(tape, t, shape_along(shape, axis));
}

nm_tensor *nm_sum_of_channels(nm_tape *tape, nm_tensor *x, int axis)
{
    if (!x) {
        return NULL;
    }
    const nm_shape *shape = nm_tensor_shape(x);
    nm_shape result = {.rank = axis < 0 ? 0 : 1, .dim = {axis < 0 ? 0 : shape->dim[axis]}};
    if (axis < 0 || axis == shape->rank - 1) {
        return nm_sum_to(tape, x, result);
    }
    return nm_reshape(tape, nm_sum_to(tape, x, shape_along(shape, axis)), result);
}

nm_tensor *nm_add_terms(nm_tape *tape, nm_tensor *a, nm_tensor *b)
{
    return !a ? b : !b ? a : nm_add(tape, a, b);
}

nm_tensor *nm_multiply_factors(nm_tape *tape, nm_tensor *a, nm_tensor *b)
{
    return !a ? b : !b ? a : nm_mul(tape, a, b);
}

nm_tensor *nm_or_zeros(nm_tape *tape, nm_tensor *a, nm_tensor *like)
{
    return a ? a : nm_full(tape, nm_tensor_dtype(like), *nm_tensor_shape(like), 0);
}

nm_status nm_infer_channels(const nm_infer *infer, int input, int axis)
{
    const nm_shape *x = infer->in[0], *t = infer->in[input];
    char t_text[NM_SHAPE_TEXT], x_text[NM_SHAPE_TEXT], wanted[NM_SHAPE_TEXT];
    const char *name = infer->op->inputs[input].name, *x_name = infer->op->inputs[0].name;
    if (!t) {
        return NM_OK;
    }
    if (axis < 0 && t->rank != 0) {
        return nm_infer_fail(infer, "%s %s must be a single number, of shape []", name,
                             nm_shape_text(t, t_text));
    }
    if (axis >= 0 && (t->rank != 1 || t->dim[0] != x->dim[axis])) {
        return nm_infer_fail(
            infer, "%s %s must be %s: one value for each index of axis %d of %s %s", name,
            nm_shape_text(t, t_text), nm_shape_text(&NM_SHAPE(x->dim[axis]), wanted), axis, x_name,
            nm_shape_text(x, x_text));
    }
    return NM_OK;
}
