/* x[start:stop:step] for any axes, as NumPy does it, and its gradient: the way back into zeros. */
#include "ops/basic.h"
#include "ops/define.h"
#include "ops/kernels/copy.h"
#include "ops/table.h"

/* slice_grad must be told the shape of x too. */
typedef struct slice_grad_options {
    nm_slice_options slice;
    nm_ints shape;
} slice_grad_options;

/* What a slice takes of one axis. */
typedef struct range {
    int64_t start, step, count;
} range;

static int64_t clamp(int64_t i, int64_t low, int64_t high)
{
    return i < low ? low : i > high ? high : i;
}

/* NumPy's rule. A stop of -1 written by the user means the last index; "before the first", where a
 * negative step ends, can only be said by leaving the stop out (or by a large negative one). */
static range find_range(int64_t length, const int64_t *start, const int64_t *stop, int64_t step)
{
    int64_t low = step > 0 ? 0 : -1, high = step > 0 ? length : length - 1;
    int64_t first = step > 0 ? low : high, last = step > 0 ? high : low;
    if (start) {
        first = clamp(*start < 0 ? *start + length : *start, low, high);
    }
    if (stop) {
        last = clamp(*stop < 0 ? *stop + length : *stop, low, high);
    }
    int64_t distance = step > 0 ? last - first : first - last;
    uint64_t stride = step > 0 ? (uint64_t)step : -(uint64_t)step;
    int64_t count = distance > 0 ? (int64_t)(((uint64_t)distance - 1) / stride + 1) : 0;
    return (range){first, step, count};
}

static const int64_t *item(const nm_ints *list, int i)
{
    return i < list->count ? &list->at[i] : NULL;
}

static int longest(const nm_slice_options *o)
{
    int n = o->axes.count;
    n = o->start.count > n ? o->start.count : n;
    n = o->stop.count > n ? o->stop.count : n;
    return o->step.count > n ? o->step.count : n;
}

/* The ranges of all axes; the axes and steps must be legal. */
static void find_ranges(const nm_slice_options *o, const nm_shape *shape, range *ranges)
{
    for (int d = 0; d < shape->rank; d++) {
        ranges[d] = (range){0, 1, shape->dim[d]};
    }
    for (int i = 0; i < longest(o); i++) {
        int d = o->axes.count ? nm_shape_axis(shape, o->axes.at[i]) : i;
        const int64_t *step = item(&o->step, i);
        ranges[d] =
            find_range(shape->dim[d], item(&o->start, i), item(&o->stop, i), step ? *step : 1);
    }
}

/* Each list is empty or as long as the others; axes and steps are legal. */
static nm_status check_lists(const nm_infer *infer, const nm_slice_options *o,
                             const nm_shape *shape)
{
    char text[NM_SHAPE_TEXT];
    int n = longest(o);
    const nm_ints *lists[] = {&o->axes, &o->start, &o->stop, &o->step};
    for (int k = 0; k < 4; k++) {
        if (lists[k]->count && lists[k]->count != n) {
            return nm_infer_fail(infer, "axes, start, stop and step must be equally long or empty");
        }
    }
    unsigned seen = 0;
    for (int i = 0; i < n; i++) {
        int64_t wanted = o->axes.count ? o->axes.at[i] : i;
        int d = nm_shape_axis(shape, wanted);
        if (d < 0 || seen >> d & 1) {
            return nm_infer_fail(infer, "axis %lld of %s %s", (long long)wanted,
                                 nm_shape_text(shape, text),
                                 d < 0 ? "does not exist" : "is given twice");
        }
        if (o->step.count && o->step.at[i] == 0) {
            return nm_infer_fail(infer, "the step of axis %d is 0", d);
        }
        seen |= 1u << d;
    }
    return NM_OK;
}

static nm_shape sliced_shape(const nm_slice_options *o, const nm_shape *shape)
{
    range ranges[NM_MAX_RANK];
    nm_shape sliced = {.rank = shape->rank};
    find_ranges(o, shape, ranges);
    for (int d = 0; d < shape->rank; d++) {
        sliced.dim[d] = ranges[d].count;
    }
    return sliced;
}

/* The walk from `whole`, which a slice is taken of, to the slice; `*offset` is where it begins. */
static nm_copy_plan make_plan(const nm_slice_options *o, const nm_shape *whole, int64_t *offset)
{
    range ranges[NM_MAX_RANK];
    int64_t x[NM_MAX_RANK], y[NM_MAX_RANK];
    nm_shape sliced = sliced_shape(o, whole);
    find_ranges(o, whole, ranges);
    nm_contiguous_strides(whole, x);
    nm_contiguous_strides(&sliced, y);
    nm_copy_plan plan = {.rank = whole->rank};
    *offset = 0;
    for (int d = 0; d < whole->rank; d++) {
        range r = ranges[d];
        int64_t stride = r.count > 1 ? r.step * x[d] : 0; /* a huge step is taken at most 0 times */
        plan.axis[d] = (struct nm_copy_axis){r.count, stride, y[d]};
        *offset += r.count ? r.start * x[d] : 0;
    }
    return plan;
}

/* ---- slice ---- */

static nm_status slice_infer(nm_infer *infer)
{
    if (check_lists(infer, infer->options, infer->in[0]) != NM_OK) {
        return NM_ERROR_INPUT;
    }
    infer->out[0] = sliced_shape(infer->options, infer->in[0]);
    return NM_OK;
}

static nm_status slice_forward(const nm_run *run)
{
    int64_t offset;
    size_t size = nm_dtype_size(nm_tensor_dtype(run->in[0]));
    nm_copy_plan plan = make_plan(run->options, nm_tensor_shape(run->in[0]), &offset);
    if (nm_tensor_count(run->out[0])) {
        nm_copy(run->context, plan, size, (const char *)run->x[0] + (size_t)offset * size,
                run->y[0]);
    }
    return NM_OK;
}

static nm_tensor *slice_vjp(nm_vjp *v, int input)
{
    return nm_slice_grad(v->tape, v->gout[0], *nm_tensor_shape(v->in[input]), v->options);
}

/* ---- slice_grad ---- */

static nm_shape whole_shape(const slice_grad_options *o)
{
    nm_shape shape = {.rank = o->shape.count};
    memcpy(shape.dim, o->shape.at, sizeof shape.dim);
    return shape;
}

static nm_status slice_grad_infer(nm_infer *infer)
{
    const slice_grad_options *o = infer->options;
    nm_shape whole = whole_shape(o);
    if (whole.rank > NM_MAX_RANK || nm_shape_count(&whole) < 0) {
        return nm_infer_fail(infer, "no tensor can have the shape given");
    }
    if (check_lists(infer, &o->slice, &whole) != NM_OK) {
        return NM_ERROR_INPUT;
    }
    nm_shape sliced = sliced_shape(&o->slice, &whole);
    if (!nm_shape_equal(&sliced, infer->in[0])) {
        char a[NM_SHAPE_TEXT], b[NM_SHAPE_TEXT];
        return nm_infer_fail(infer, "dy is %s, but the slice has the shape %s",
                             nm_shape_text(infer->in[0], a), nm_shape_text(&sliced, b));
    }
    infer->out[0] = whole;
    return NM_OK;
}

static nm_status slice_grad_forward(const nm_run *run)
{
    int64_t offset;
    size_t size = nm_dtype_size(nm_tensor_dtype(run->in[0]));
    nm_copy_plan plan = make_plan(run->options, nm_tensor_shape(run->out[0]), &offset);
    for (int d = 0; d < plan.rank; d++) {
        int64_t whole = plan.axis[d].x;
        plan.axis[d].x = plan.axis[d].y;
        plan.axis[d].y = whole;
    }
    memset(run->y[0], 0, nm_tensor_bytes(run->out[0]));
    if (nm_tensor_count(run->in[0])) {
        nm_copy(run->context, plan, size, run->x[0], (char *)run->y[0] + (size_t)offset * size);
    }
    return NM_OK;
}

static nm_tensor *slice_grad_vjp(nm_vjp *v, int input)
{
    (void)input;
    nm_slice_options o = ((const slice_grad_options *)v->options)->slice;
    o.struct_size = sizeof o;
    return nm_slice_with(v->tape, v->gout[0], &o);
}

/* ---- The ops ---- */

static const nm_sample slice_samples[] = {
    {.options = "{start: 1, stop: 3}", .in = {NM_NORMAL(4, 3)}},
    {.options = "{axes: [-1], start: [-1], step: [-2]}", .in = {NM_NORMAL(2, 5)}},
    {.options = "{start: [0, 1], stop: [9, -1], step: [2, 1]}", .in = {NM_NORMAL(3, 4, 2)}},
};
static const nm_sample slice_grad_samples[] = {
    {.options = "{start: 1, stop: 3, shape: [4, 3]}", .in = {NM_NORMAL(2, 3)}},
    {.options = "{axes: [-1], step: [-2], shape: [2, 5]}", .in = {NM_NORMAL(2, 3)}},
};

/* clang-format off */
#define SLICE_ROWS                                                                                 \
    {NM_FIELD(nm_slice_options, axes), NM_OPTION_INTS,                                             \
     .doc = "the axes to slice; none given: the first ones, in order"},                            \
    {NM_FIELD(nm_slice_options, start), NM_OPTION_INTS,                                            \
     .doc = "first indices, negative ones counted from the end; none given: the first, or the "    \
            "last for a negative step"},                                                           \
    {NM_FIELD(nm_slice_options, stop), NM_OPTION_INTS,                                             \
     .doc = "indices before which to stop; none given: go on to the end"},                         \
    {NM_FIELD(nm_slice_options, step), NM_OPTION_INTS,                                             \
     .doc = "distances from index to index, not 0; none given: 1"}
/* clang-format on */

static const nm_slice_options defaults = {NM_END(nm_slice_options), NM_SLICE_DEFAULTS};
NM_OPTIONS_INIT(nm_slice_options, defaults)
static const nm_option options[] = {SLICE_ROWS};
static const nm_spec spec = NM_SPEC(nm_slice_options, defaults, options);

static const slice_grad_options grad_defaults = {
    .slice = {NM_END(slice_grad_options), NM_SLICE_DEFAULTS}, .shape = NM_NO_LIST};
static const nm_option grad_options[] = {
    SLICE_ROWS,
    {NM_FIELD(slice_grad_options, shape), NM_OPTION_INTS, .min = 0, .max = NM_NO_LIMIT,
     .doc = "the shape of dx", .flags = NM_REQUIRED},
};
static const nm_spec grad_spec = NM_SPEC(slice_grad_options, grad_defaults, grad_options);

static const nm_port x_port[] = {{.name = "x", .doc = "any shape", .type = NM_PORT_ANY}};
static const nm_port y_port[] = {
    {.name = "y", .doc = "the elements taken, of x's rank", .type = NM_PORT_ANY}};
static const nm_port dy_port[] = {
    {.name = "dy", .doc = "the shape of the slice", .type = NM_PORT_ANY}};
static const nm_port dx_port[] = {{.name = "dx", .doc = "the shape given", .type = NM_PORT_ANY}};

NM_OP(slice, x_port, y_port, slice_infer, 0, "part of a tensor", .spec = &spec,
      .doc = "y = x[start:stop:step] along the axes, as in NumPy: negative indices count from the\n"
             "end, those out of range are moved into it, and a slice may be empty.\n"
             "dx = dy in its places, 0 elsewhere.")
NM_OP(slice_grad, dy_port, dx_port, slice_grad_infer, 0, "gradient of slice", .spec = &grad_spec,
      .doc = "dx = zeros of the shape given, with dy in the places that the slice takes.")

nm_tensor *nm_slice_with(nm_tape *tape, nm_tensor *x, const nm_slice_options *o)
{
    return nm_apply1(tape, &nm_op_slice, o, x);
}

nm_tensor *nm_slice_grad(nm_tape *tape, nm_tensor *y, nm_shape shape, const nm_slice_options *o)
{
    slice_grad_options all = {.slice = o ? *o : defaults,
                              .shape = nm_options_of_shape(&shape).shape};
    all.slice.struct_size = sizeof all;
    return nm_apply1(tape, &nm_op_slice_grad, &all, y);
}
