/* The same elements under another shape. */
#include "ops/basic.h"
#include "ops/define.h"
#include "ops/table.h"

/* Puts what is left in place of a -1. */
static nm_status fill_in(const nm_infer *infer, nm_shape *shape, int unknown)
{
    char a[NM_SHAPE_TEXT], b[NM_SHAPE_TEXT];
    int64_t count = nm_shape_count(infer->in[0]);
    shape->dim[unknown] = 1;
    int64_t others = nm_shape_count(shape);
    if (others <= 0 || count % others) {
        shape->dim[unknown] = -1;
        return nm_infer_fail(infer, "the elements of x %s do not fill %s",
                             nm_shape_text(infer->in[0], a), nm_shape_text(shape, b));
    }
    shape->dim[unknown] = count / others;
    return NM_OK;
}

static nm_status reshape_infer(nm_infer *infer)
{
    char a[NM_SHAPE_TEXT], b[NM_SHAPE_TEXT];
    nm_shape shape = nm_shape_of_options(infer->options);
    if (shape.rank > NM_MAX_RANK) {
        return nm_infer_fail(infer, "a shape has at most %d dimensions, not %d", NM_MAX_RANK,
                             shape.rank);
    }
    int unknown = -1;
    for (int d = 0; d < shape.rank; d++) {
        if (shape.dim[d] < 0 && unknown >= 0) {
            return nm_infer_fail(infer, "only one dimension of %s may be -1",
                                 nm_shape_text(&shape, a));
        }
        unknown = shape.dim[d] < 0 ? d : unknown;
    }
    if (unknown >= 0 && fill_in(infer, &shape, unknown) != NM_OK) {
        return NM_ERROR_INPUT;
    }
    infer->out[0] = shape;
    if (nm_shape_count(&shape) != nm_shape_count(infer->in[0])) {
        return nm_infer_fail(infer, "x %s does not have as many elements as %s",
                             nm_shape_text(infer->in[0], a), nm_shape_text(&shape, b));
    }
    return NM_OK;
}

#define reshape_forward NULL /* a view */

static nm_tensor *reshape_vjp(nm_vjp *v, int input)
{
    return nm_reshape(v->tape, v->gout[0], *nm_tensor_shape(v->in[input]));
}

static const nm_sample reshape_samples[] = {
    {.options = "{shape: [4, 3]}", .in = {NM_NORMAL(2, 6)}},
    {.options = "{shape: [2, -1]}", .in = {NM_NORMAL(2, 2, 3)}},
    {.options = "{shape: []}", .in = {NM_NORMAL(1, 1)}},
};

static const nm_shape_options defaults = {.struct_size = sizeof(nm_shape_options),
                                          .shape = NM_NO_LIST};
static const nm_option options[] = {
    {NM_FIELD(nm_shape_options, shape), NM_OPTION_INTS, .min = -1, .max = NM_NO_LIMIT,
     .doc = "the new shape; one dimension may be -1: what is left", .flags = NM_REQUIRED},
};
static const nm_spec spec = NM_SPEC(nm_shape_options, defaults, options);

static const nm_port x_port[] = {{.name = "x", .doc = "any shape", .type = NM_PORT_ANY}};
static const nm_port y_port[] = {
    {.name = "y", .doc = "the shape given, with the elements of x", .type = NM_PORT_ANY}};

NM_OP(reshape, x_port, y_port, reshape_infer, NM_OP_VIEW, "another shape", .spec = &spec,
      .doc = "y = x, its elements in the same order under another shape. Copies nothing.\n"
             "dx = dy under x's shape.")

nm_tensor *nm_reshape(nm_tape *tape, nm_tensor *x, nm_shape shape)
{
    nm_shape_options o = nm_options_of_shape(&shape);
    return nm_apply1(tape, &nm_op_reshape, &o, x);
}
