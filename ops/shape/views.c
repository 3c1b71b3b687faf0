/* The same elements under other axes: squeeze, unsqueeze, transpose, expand. */
#include "ops/basic.h"
#include "ops/define.h"
#include "ops/table.h"

static const nm_ints *axes_of(const nm_compose *c)
{
    return &((const nm_axes_options *)c->options)->axes;
}

/* Sets bit d for each axis of the list, counted in a shape of `rank` axes. */
static bool mark(nm_compose *c, int rank, unsigned *marked)
{
    const nm_ints *axes = axes_of(c);
    *marked = 0;
    for (int i = 0; i < axes->count; i++) {
        const int64_t axis = axes->at[i] + (axes->at[i] < 0 ? rank : 0);
        if (axis < 0 || axis >= rank || *marked >> axis & 1) {
            nm_compose_fail(c, "axis %lld is %s", (long long)axes->at[i],
                            axis < 0 || axis >= rank ? "none of the shape's" : "given twice");
            return false;
        }
        *marked |= 1u << axis;
    }
    return true;
}

/* ---- squeeze ---- */

static nm_tensor *squeeze_compose(nm_compose *c)
{
    const nm_shape *x = nm_tensor_shape(c->in[0]);
    nm_shape y = {.rank = 0};
    unsigned marked;
    if (!mark(c, x->rank, &marked)) {
        return NULL;
    }
    for (int d = 0; d < x->rank; d++) {
        char text[NM_SHAPE_TEXT];
        if (marked >> d & 1 && x->dim[d] != 1) {
            return nm_compose_fail(c, "axis %d of x %s is not of length 1", d,
                                   nm_shape_text(x, text));
        }
        if (marked ? !(marked >> d & 1) : x->dim[d] != 1) {
            y.dim[y.rank++] = x->dim[d];
        }
    }
    return nm_reshape(c->tape, c->in[0], y);
}

/* ---- unsqueeze ---- */

static nm_tensor *unsqueeze_compose(nm_compose *c)
{
    const nm_shape *x = nm_tensor_shape(c->in[0]);
    nm_shape y = {.rank = x->rank + axes_of(c)->count};
    unsigned marked;
    if (y.rank > NM_MAX_RANK) {
        return nm_compose_fail(c, "y would have %d axes; there are at most %d", y.rank,
                               NM_MAX_RANK);
    }
    if (!mark(c, y.rank, &marked)) {
        return NULL;
    }
    for (int d = 0, from = 0; d < y.rank; d++) {
        y.dim[d] = marked >> d & 1 ? 1 : x->dim[from++];
    }
    return nm_reshape(c->tape, c->in[0], y);
}

/* ---- transpose ---- */

static nm_tensor *transpose_compose(nm_compose *c)
{
    const nm_shape *x = nm_tensor_shape(c->in[0]);
    const nm_ints *axes = axes_of(c);
    const int a = axes->count == 2 ? nm_shape_axis(x, axes->at[0]) : -1;
    const int b = axes->count == 2 ? nm_shape_axis(x, axes->at[1]) : -1;
    nm_permute_options o = {NM_END(nm_permute_options), .axes = {.list = NM_LIST}};
    if (a < 0 || b < 0) {
        char text[NM_SHAPE_TEXT];
        return nm_compose_fail(c, "axes must be two axes of x %s", nm_shape_text(x, text));
    }
    for (int d = 0; d < x->rank; d++) {
        o.axes.at[o.axes.count++] = d == a ? b : d == b ? a : d;
    }
    return nm_permute_with(c->tape, c->in[0], &o);
}

/* ---- expand ---- */

/* What is -1 stays as x has it; x may also be the longer one along an axis, as in ONNX. */
static nm_tensor *expand_compose(nm_compose *c)
{
    const nm_shape *x = nm_tensor_shape(c->in[0]);
    nm_shape to = nm_shape_of_options(c->options), both;
    for (int d = 0; d < to.rank && d < NM_MAX_RANK; d++) {
        to.dim[d] = to.dim[d] < 0 ? 1 : to.dim[d];
    }
    if (to.rank > NM_MAX_RANK || !nm_shape_broadcast(x, &to, &both)) {
        char a[NM_SHAPE_TEXT], b[NM_SHAPE_TEXT];
        return nm_compose_fail(c, "x %s does not broadcast with %s", nm_shape_text(x, a),
                               nm_shape_text(&to, b));
    }
    return nm_broadcast_to(c->tape, c->in[0], both);
}

/* ---- The ops ---- */

static const nm_sample squeeze_samples[] = {
    {.in = {NM_NORMAL(2, 1, 3, 1)}},
    {.options = "{axes: -1}", .in = {NM_NORMAL(2, 1, 3, 1)}},
};
static const nm_sample unsqueeze_samples[] = {
    {.options = "{axes: 0}", .in = {NM_NORMAL(2, 3)}},
    {.options = "{axes: [-1, 1]}", .in = {NM_NORMAL(2, 3)}},
};
static const nm_sample transpose_samples[] = {
    {.in = {NM_NORMAL(2, 3, 4)}},
    {.options = "{axes: [0, -1]}", .in = {NM_NORMAL(2, 3, 4)}},
};
static const nm_sample expand_samples[] = {
    {.options = "{shape: [2, -1, 4]}", .in = {NM_NORMAL(3, 1)}},
    {.options = "{shape: [2, 1, 1]}", .in = {NM_NORMAL(3, 4)}},
};

static const nm_axes_options defaults = {NM_END(nm_axes_options), NM_AXES_DEFAULTS};
NM_OPTIONS_INIT(nm_axes_options, defaults)
static const nm_option squeeze_options[] = {
    {NM_FIELD(nm_axes_options, axes), NM_OPTION_INTS, .also = "dim axis",
     .doc = "the axes of length 1 that go; none given: all of them"}};
static const nm_option unsqueeze_options[] = {{NM_FIELD(nm_axes_options, axes), NM_OPTION_INTS,
                                               .also = "dim axis", .flags = NM_REQUIRED,
                                               .doc = "where, in y, the axes of length 1 stand"}};
static const nm_spec squeeze_spec = NM_SPEC(nm_axes_options, defaults, squeeze_options);
static const nm_spec unsqueeze_spec = NM_SPEC(nm_axes_options, defaults, unsqueeze_options);
static const nm_axes_options last_two = {NM_END(nm_axes_options), .axes = NM_LIST_OF(2, -2, -1)};
static const nm_option transpose_options[] = {
    {NM_FIELD(nm_axes_options, axes), NM_OPTION_INTS,
     .doc = "the two axes that change places; all in any order: permute"}};
static const nm_spec transpose_spec = NM_SPEC(nm_axes_options, last_two, transpose_options);
static const nm_shape_options no_shape = {.struct_size = sizeof(nm_shape_options),
                                          .shape = NM_NO_LIST};
static const nm_option expand_options[] = {
    {NM_FIELD(nm_shape_options, shape), NM_OPTION_INTS, .min = -1, .max = NM_NO_LIMIT,
     .flags = NM_REQUIRED, .doc = "the shape of y; -1, or 1, where x keeps its length"}};
static const nm_spec expand_spec = NM_SPEC(nm_shape_options, no_shape, expand_options);

static const nm_port x_port[] = {{.name = "x", .doc = "any shape", .type = NM_PORT_ANY}};
static const nm_port y_port[] = {{.name = "y", .doc = "x's elements", .type = NM_PORT_ANY}};

NM_COMPOSED_OP(squeeze, x_port, y_port, 0, "without axes of length 1", .spec = &squeeze_spec,
               .doc =
                   "y = x without its axes of length 1, or without those given, which must be of\n"
                   "length 1 (in PyTorch others are left as they are). dx = dy in x's shape.")
NM_COMPOSED_OP(unsqueeze, x_port, y_port, 0, "with new axes of length 1", .spec = &unsqueeze_spec,
               .also = "expand_dims",
               .doc = "y = x with axes of length 1 put in. dx = dy in x's shape.")
NM_COMPOSED_OP(transpose, x_port, y_port, 0, "two axes change places", .spec = &transpose_spec,
               .also = "swapaxes",
               .doc =
                   "y = x with two of its axes in each other's place, the last two unless others\n"
                   "are given. ONNX's Transpose, with all axes in any order, is permute.")
NM_COMPOSED_OP(expand, nm_port_x, y_port, 0, "repetition to a shape", .spec = &expand_spec,
               .doc = "y = x, broadcast to the shape. Where that has -1 or 1, x keeps its length.\n"
                      "dx = dy, summed over the repeated axes.")

nm_tensor *nm_squeeze_with(nm_tape *tape, nm_tensor *x, const nm_axes_options *o)
{
    return nm_apply1(tape, &nm_op_squeeze, o, x);
}

nm_tensor *nm_unsqueeze_with(nm_tape *tape, nm_tensor *x, const nm_axes_options *o)
{
    return nm_apply1(tape, &nm_op_unsqueeze, o, x);
}

nm_tensor *nm_transpose(nm_tape *tape, nm_tensor *x, int64_t a, int64_t b)
{
    const nm_axes_options o = {NM_END(nm_axes_options), .axes = NM_LIST_OF(2, a, b)};
    return nm_apply1(tape, &nm_op_transpose, &o, x);
}

nm_tensor *nm_expand(nm_tape *tape, nm_tensor *x, nm_shape shape)
{
    nm_shape_options o = nm_options_of_shape(&shape);
    return nm_apply1(tape, &nm_op_expand, &o, x);
}
