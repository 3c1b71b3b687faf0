/* Whole slices by their index along an axis, as a table is looked up, and the way back. */
#include <string.h>

#include "ops/basic.h"
#include "ops/define.h"
#include "ops/kernels/kernel.h"
#include "ops/shape/index.h"
#include "ops/table.h"

/* The gradient is told the axis's length. */
typedef struct back_options {
    nm_gather_options select;
    int64_t length;
} back_options;

static int64_t axis_option(const void *options)
{
    return ((const nm_gather_options *)options)->axis;
}

/* ---- Shapes: x [outer, length, inner], y [outer, index..., inner]; an index of no axes counts as
 * [1] ---- */

static nm_status index_select_infer(nm_infer *infer)
{
    const nm_shape *x = infer->in[0], given = nm_shape_with_axis(infer->in[1]), *index = &given;
    nm_shape *y = &infer->out[0];
    int axis;
    if (nm_infer_index_axis(infer, axis_option(infer->options), &axis) != NM_OK) {
        return NM_ERROR_INPUT;
    }
    if (!x->rank && nm_shape_count(index) != 1) { /* y is [], too */
        char text[NM_SHAPE_TEXT];
        return nm_infer_fail(infer, "a single number has one place, not as many as index %s",
                             nm_shape_text(infer->in[1], text));
    }
    if (x->rank - 1 + index->rank > NM_MAX_RANK) {
        return nm_infer_fail(infer, "y would have %d axes; there are at most %d",
                             x->rank - 1 + index->rank, NM_MAX_RANK);
    }
    for (int d = 0; d < x->rank; d++) {
        for (int k = 0; d == axis && k < index->rank; k++) {
            y->dim[y->rank++] = index->dim[k];
        }
        if (d != axis) {
            y->dim[y->rank++] = x->dim[d];
        }
    }
    return NM_OK;
}

/* The axis counts in the result, which has dy's rank less that of index, and one more. */
static int back_axis(const void *options, const nm_shape *dy, const nm_shape *index)
{
    nm_shape dx = {.rank = dy->rank - index->rank + 1};
    return nm_shape_axis(&dx, axis_option(options));
}

static nm_status index_select_grad_infer(nm_infer *infer)
{
    const nm_shape *dy = infer->in[0], given = nm_shape_with_axis(infer->in[1]), *index = &given;
    const int axis = dy->rank < index->rank ? -1 : back_axis(infer->options, dy, index);
    nm_shape *dx = &infer->out[0];
    bool fits = axis >= 0;
    for (int k = 0; fits && k < index->rank; k++) {
        fits = dy->dim[axis + k] == index->dim[k];
    }
    if (!fits) {
        char a[NM_SHAPE_TEXT], b[NM_SHAPE_TEXT];
        return nm_infer_fail(infer, "dy %s does not have index %s at its axis",
                             nm_shape_text(dy, a), nm_shape_text(infer->in[1], b));
    }
    dx->rank = dy->rank - index->rank + 1;
    for (int d = 0; d < dx->rank; d++) {
        dx->dim[d] = d < axis ? dy->dim[d] : dy->dim[d + index->rank - 1];
    }
    dx->dim[axis] = ((const back_options *)infer->options)->length;
    return NM_OK;
}

/* ---- Computation ---- */

typedef struct table {
    int64_t outer, length, inner, count;
} table;

static table table_of(const nm_shape *x, int axis, int64_t count)
{
    table t = {1, x->dim[axis], 1, count};
    for (int d = 0; d < x->rank; d++) {
        t.outer *= d < axis ? x->dim[d] : 1;
        t.inner *= d > axis ? x->dim[d] : 1;
    }
    return t;
}

static nm_status index_select_forward(const nm_run *run)
{
    const nm_shape x = nm_shape_with_axis(nm_tensor_shape(run->in[0]));
    const table t =
        table_of(&x, nm_shape_axis(&x, axis_option(run->options)), nm_tensor_count(run->in[1]));
    const size_t row = (size_t)t.inner * nm_dtype_size(run->dtype);
    int64_t *index = nm_read_indices(run, 1, t.length);
    if (!index) {
        return nm_context_status(run->context);
    }
    for (int64_t o = 0; row && o < t.outer; o++) {
        const char *from = (const char *)run->x[0] + (size_t)(o * t.length) * row;
        char *to = (char *)run->y[0] + (size_t)(o * t.count) * row;
        for (int64_t i = 0; i < t.count; i++) {
            memcpy(to + (size_t)i * row, from + (size_t)index[i] * row, row);
        }
    }
    nm_scratch_end(index);
    return NM_OK;
}

#define ADD(type)                                                                                  \
    for (int64_t o = 0; o < t.outer; o++) {                                                        \
        for (int64_t i = 0; i < t.count; i++) {                                                    \
            const type *from = (const type *)run->x[0] + (o * t.count + i) * t.inner;              \
            type *to = (type *)run->y[0] + (o * t.length + index[i]) * t.inner;                    \
            NM_SIMD for (int64_t j = 0; j < t.inner; j++)                                          \
            {                                                                                      \
                to[j] += from[j];                                                                  \
            }                                                                                      \
        }                                                                                          \
    }

static nm_status index_select_grad_forward(const nm_run *run)
{
    const nm_shape *dy = nm_tensor_shape(run->in[0]);
    const nm_shape index_shape = nm_shape_with_axis(nm_tensor_shape(run->in[1]));
    const table t =
        table_of(nm_tensor_shape(run->out[0]), back_axis(run->options, dy, &index_shape),
                 nm_tensor_count(run->in[1]));
    int64_t *index = nm_read_indices(run, 1, t.length);
    if (!index) {
        return nm_context_status(run->context);
    }
    if (nm_tensor_count(run->out[0])) {
        memset(run->y[0], 0, nm_tensor_bytes(run->out[0]));
    }
    if (run->dtype == NM_F64) {
        ADD(double)
    } else {
        ADD(float)
    }
    nm_scratch_end(index);
    return NM_OK;
}

static nm_tensor *index_select_vjp(nm_vjp *v, int input)
{
    const nm_shape *x = nm_tensor_shape(v->in[input]);
    if (!x->rank) {
        return v->gout[0];
    }
    back_options o = {.select = *(const nm_gather_options *)v->options};
    o.select.struct_size = sizeof o;
    o.length = x->dim[nm_shape_axis(x, o.select.axis)];
    return nm_apply2(v->tape, &nm_op_index_select_grad, &o, v->gout[0], v->in[1]);
}

static nm_tensor *index_select_grad_vjp(nm_vjp *v, int input)
{
    (void)input;
    return nm_index_select(v->tape, v->gout[0], v->in[1], .axis = axis_option(v->options));
}

/* ---- embedding: the rows of a table ---- */

/* Rows; of an index of no axes the row itself. */
static nm_tensor *rows_of(const nm_compose *c, nm_tensor *weight)
{
    nm_tensor *y = nm_index_select(c->tape, weight, c->in[0], .axis = 0);
    return nm_tensor_shape(c->in[0])->rank ? y : nm_squeeze(c->tape, y, .axes = NM_INTS(0));
}

/* The weight, through whose row `row` no gradient goes. */
static nm_tensor *with_constant_row(const nm_compose *c, int64_t row)
{
    nm_tape *tape = c->tape;
    nm_tensor *weight = c->in[1];
    const nm_dtype dtype = nm_tensor_dtype(weight);
    const nm_slice_options at = {NM_END(nm_slice_options), NM_SLICE_DEFAULTS,
                                 .axes = NM_LIST_OF(1, 0), .start = NM_LIST_OF(1, row),
                                 .stop = NM_LIST_OF(1, row + 1)};
    nm_tensor *one = nm_full(tape, dtype, NM_SHAPE(1, 1), 1);
    nm_tensor *is_row = nm_slice_grad(tape, one, NM_SHAPE(nm_tensor_shape(weight)->dim[0], 1), &at);
    return nm_where(tape, is_row, nm_detach(tape, weight), weight);
}

static nm_tensor *embedding_compose(nm_compose *c)
{
    const nm_shape *shape = nm_tensor_shape(c->in[1]);
    const int64_t padding = ((const nm_embedding_options *)c->options)->padding_idx;
    char text[NM_SHAPE_TEXT];
    if (shape->rank != 2) {
        return nm_compose_fail(c, "weight %s is no [rows, channels]", nm_shape_text(shape, text));
    }
    if (padding == NM_NO_PADDING_IDX) {
        return rows_of(c, c->in[1]);
    }
    const int64_t rows = shape->dim[0], row = padding < 0 ? padding + rows : padding;
    if (row < 0 || row >= rows) {
        return nm_compose_fail(c, "padding_idx %lld is no row of weight %s", (long long)padding,
                               nm_shape_text(shape, text));
    }
    return rows_of(c, with_constant_row(c, row));
}

/* ---- one_hot ---- */

static nm_status one_hot_infer(nm_infer *infer)
{
    nm_shape *y = &infer->out[0];
    if (infer->in[0]->rank == NM_MAX_RANK) {
        return nm_infer_fail(infer, "y would have %d axes; there are at most %d", NM_MAX_RANK + 1,
                             NM_MAX_RANK);
    }
    *y = *infer->in[0];
    y->dim[y->rank++] = ((const nm_one_hot_options *)infer->options)->num_classes;
    return NM_OK;
}

static nm_status one_hot_forward(const nm_run *run)
{
    const int64_t classes = ((const nm_one_hot_options *)run->options)->num_classes;
    const int64_t count = nm_tensor_count(run->in[0]);
    int64_t *index = nm_read_indices(run, 0, classes);
    if (!index) {
        return nm_context_status(run->context);
    }
    if (count && classes) {
        memset(run->y[0], 0, nm_tensor_bytes(run->out[0]));
    }
    for (int64_t i = 0; i < count; i++) {
        ((float *)run->y[0])[i * classes + index[i]] = 1;
    }
    nm_scratch_end(index);
    return NM_OK;
}
#define one_hot_vjp NULL

/* ---- The ops ---- */

#define SINGLE_INDEX(below)                                                                        \
    {                                                                                              \
        NM_FILL_INDEX, {0, {0}}, 0, below                                                          \
    }
static const nm_sample index_select_samples[] = {
    {.in = {NM_NORMAL(4, 3), NM_INDEX(4, 5)}},
    {.options = "{axis: 1}", .in = {NM_NORMAL(2, 3, 2), NM_INDEX(3, 2, 2)}},
    {.in = {NM_SCALAR_NORMAL, NM_INDEX(1, 1)}},
    {.options = "{axis: -1}", .in = {NM_NORMAL(2, 3), SINGLE_INDEX(3)}},
    {.in = {NM_SCALAR_NORMAL, SINGLE_INDEX(1)}},
};
static const nm_sample index_select_grad_samples[] = {
    {.options = "{length: 4}", .in = {NM_NORMAL(5, 3), NM_INDEX(4, 5)}},
    {.options = "{axis: 1, length: 3}", .in = {NM_NORMAL(2, 2, 2, 2), NM_INDEX(3, 2, 2)}},
    {.options = "{length: 3}", .in = {NM_NORMAL(1, 2), SINGLE_INDEX(3)}},
};
/* With padding_idx, the gradient is not that of the function: PyTorch's values check it. */
static const nm_sample embedding_samples[] = {
    {.in = {NM_INDEX(4, 2, 3), NM_NORMAL(4, 5)}},
    {.in = {SINGLE_INDEX(4), NM_NORMAL(4, 5)}},
};
static const nm_sample one_hot_samples[] = {
    {.options = "{num_classes: 4}", .in = {NM_INDEX(4, 2, 3)}}};

#define AXIS_ROW(struct_, field)                                                                   \
    {                                                                                              \
        .name = "axis", .offset = offsetof(struct_, field), .type = NM_OPTION_INT, .also = "dim",  \
        .doc = "the axis that the indices are of; a negative one counts from the end"              \
    }
static const nm_gather_options defaults = {NM_END(nm_gather_options), NM_GATHER_DEFAULTS};
static const nm_option select_rows[] = {AXIS_ROW(nm_gather_options, axis)};
static const nm_spec spec = NM_SPEC(nm_gather_options, defaults, select_rows);
static const back_options back_defaults = {.select = {.struct_size = sizeof(back_options)}};
static const nm_option back_rows[] = {
    AXIS_ROW(back_options, select.axis),
    {NM_FIELD(back_options, length), NM_OPTION_INT, .min = 0, .max = NM_NO_LIMIT,
     .flags = NM_REQUIRED, .doc = "of that axis"},
};
static const nm_spec back_spec = NM_SPEC(back_options, back_defaults, back_rows);
static const nm_one_hot_options hot_defaults = {NM_END(nm_one_hot_options), .num_classes = 1};
static const nm_option hot_rows[] = {{NM_FIELD(nm_one_hot_options, num_classes), NM_OPTION_INT,
                                      .min = 1, .max = NM_NO_LIMIT, .flags = NM_REQUIRED,
                                      .also = "depth classes", .doc = "how many there are"}};
static const nm_spec hot_spec = NM_SPEC(nm_one_hot_options, hot_defaults, hot_rows);

static const nm_embedding_options embedding_defaults = {NM_END(nm_embedding_options),
                                                        NM_EMBEDDING_DEFAULTS};
NM_OPTIONS_INIT(nm_embedding_options, embedding_defaults)
static const nm_named_value no_row[] = {{"none", (double)NM_NO_PADDING_IDX}, {NULL, 0}};
static const nm_option embedding_rows[] = {
    {NM_FIELD(nm_embedding_options, padding_idx), NM_OPTION_INT, .named = no_row,
     .doc = "a row that gets no gradient; a negative one counts from the end"}};
static const nm_spec embedding_spec =
    NM_SPEC(nm_embedding_options, embedding_defaults, embedding_rows);

static const nm_port select_ports[] = {
    {.name = "x", .doc = "any shape"},
    {.name = "index", .doc = "any shape; from 0 on, or from -1 down", .type = NM_PORT_INDEX},
};
static const nm_port back_ports[] = {
    {.name = "dy", .doc = "the shape of index_select's output"},
    {.name = "index", .doc = "its indices", .type = NM_PORT_INDEX},
};
static const nm_port embedding_ports[] = {
    {.name = "index", .doc = "any shape; from 0 on, or from -1 down", .type = NM_PORT_INDEX},
    {.name = "weight", .doc = "[rows, channels]"},
};
static const nm_port hot_ports[] = {
    {.name = "index", .doc = "any shape; from 0 on, or from -1 down", .type = NM_PORT_INDEX}};
static const nm_port y_port[] = {
    {.name = "y", .doc = "x's shape with the shape of index in place of the axis"}};
static const nm_port dx_port[] = {{.name = "dx", .doc = "x's shape"}};
static const nm_port rows_port[] = {{.name = "y", .doc = "[index..., channels]"}};
static const nm_port hot_port[] = {{.name = "y", .doc = "f32 [index..., num_classes]"}};

NM_OP(index_select, select_ports, y_port, index_select_infer, 0,
      "slices by their index along an axis", .spec = &spec, .also = "take",
      .doc =
          "y = x[..., index, ...] along the axis, whose length in y is that of index; a single\n"
          "number counts as an index of one element, as in PyTorch. An index of more axes, which\n"
          "PyTorch refuses, puts all of them in the axis's place, as ONNX's Gather does. Of a\n"
          "single number x, index has one element, and y is that number.\n"
          "dx = zeros, to which the slices of dy are added.")
NM_OP(index_select_grad, back_ports, dx_port, index_select_grad_infer, 0,
      "gradient of index_select", .spec = &back_spec,
      .doc = "dx = zeros, to which the slices of dy are added where the indices say.")
NM_COMPOSED_OP(embedding, embedding_ports, rows_port, 0, "rows of a table", .spec = &embedding_spec,
               .doc =
                   "y = weight[index]. The gradient of weight is that of the rows, added up; 0 of\n"
                   "the row padding_idx, whose values are as they are.")
NM_OP(one_hot, hot_ports, hot_port, one_hot_infer, NM_OP_NO_VJP, "classes as vectors of 0 and 1",
      .spec = &hot_spec, .doc = "y = 1 at [..., index], else 0. No gradient.")

nm_tensor *nm_index_select_with(nm_tape *tape, nm_tensor *x, nm_tensor *index,
                                const nm_gather_options *o)
{
    return nm_apply2(tape, &nm_op_index_select, o, x, index);
}

nm_tensor *nm_embedding_with(nm_tape *tape, nm_tensor *index, nm_tensor *weight,
                             const nm_embedding_options *o)
{
    return nm_apply2(tape, &nm_op_embedding, o, index, weight);
}

nm_tensor *nm_one_hot(nm_tape *tape, nm_tensor *index, int64_t num_classes)
{
    const nm_one_hot_options o = {NM_END(nm_one_hot_options), .num_classes = num_classes};
    return nm_apply1(tape, &nm_op_one_hot, &o, index);
}
