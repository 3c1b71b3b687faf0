/* Elements put around a tensor, or (with negative numbers) cut off. */
#include "ops/basic.h"
#include "ops/define.h"
#include "ops/table.h"

typedef struct sides {
    int64_t before[NM_MAX_RANK], after[NM_MAX_RANK];
} sides;

/* `padding` is one number, one for each axis, or two for each. */
static bool find_sides(nm_compose *c, const nm_shape *x, sides *s)
{
    const nm_pad_options *o = c->options;
    const int axes = o->axes.count ? o->axes.count : x->rank, given = o->padding.count;
    unsigned seen = 0;
    *s = (sides){{0}, {0}};
    if (given != 1 && given != axes && given != 2 * axes) {
        nm_compose_fail(c, "padding has %d numbers; for %d axes it has 1, %d or %d", given, axes,
                        axes, 2 * axes);
        return false;
    }
    for (int i = 0; i < axes; i++) {
        const int d = o->axes.count ? nm_shape_axis(x, o->axes.at[i]) : i;
        char text[NM_SHAPE_TEXT];
        if (d < 0 || seen >> d & 1) {
            nm_compose_fail(c, "axis %lld of x %s is not there, or given twice",
                            (long long)o->axes.at[i], nm_shape_text(x, text));
            return false;
        }
        seen |= 1u << d;
        s->before[d] = o->padding.at[given == 1 ? 0 : given == axes ? i : 2 * i];
        s->after[d] = o->padding.at[given == 1 ? 0 : given == axes ? i : 2 * i + 1];
    }
    return true;
}

static nm_tensor *part(nm_tape *tape, nm_tensor *x, int axis, int64_t begin, int64_t end,
                       int64_t step)
{
    return nm_slice(tape, x, .axes = NM_INTS(axis), .start = NM_INTS(begin), .stop = NM_INTS(end),
                    .step = NM_INTS(step));
}

/* Negative numbers cut off; they are 0 then. */
static nm_tensor *cut(nm_compose *c, nm_tensor *x, sides *s)
{
    for (int d = 0; x && d < nm_tensor_shape(x)->rank; d++) {
        const int64_t length = nm_tensor_shape(x)->dim[d];
        const int64_t begin = s->before[d] < 0 ? -s->before[d] : 0;
        const int64_t end = length + (s->after[d] < 0 ? s->after[d] : 0);
        if (begin > end) {
            char text[NM_SHAPE_TEXT];
            return nm_compose_fail(c, "more is cut off axis %d than x %s has", d,
                                   nm_shape_text(nm_tensor_shape(x), text));
        }
        x = begin || end < length ? part(c->tape, x, d, begin, end, 1) : x;
        s->before[d] = s->before[d] < 0 ? 0 : s->before[d];
        s->after[d] = s->after[d] < 0 ? 0 : s->after[d];
    }
    return x;
}

/* ---- constant ---- */

static nm_tensor *put_in(nm_tape *tape, nm_tensor *x, const sides *s)
{
    nm_shape shape = *nm_tensor_shape(x);
    nm_slice_options o = {NM_END(nm_slice_options), NM_SLICE_DEFAULTS};
    for (int d = 0; d < shape.rank; d++) {
        o.axes.at[d] = d;
        o.start.at[d] = s->before[d];
        o.stop.at[d] = s->before[d] + shape.dim[d];
        shape.dim[d] += s->before[d] + s->after[d];
    }
    o.axes.count = o.start.count = o.stop.count = shape.rank;
    return nm_slice_grad(tape, x, shape, &o);
}

static nm_tensor *pad_with(nm_tape *tape, nm_tensor *x, const sides *s, double value)
{
    nm_tensor *y = x ? put_in(tape, x, s) : NULL;
    if (!y || value == 0) {
        return y;
    }
    const nm_dtype dtype = nm_tensor_dtype(x);
    nm_tensor *inside = put_in(tape, nm_full(tape, dtype, *nm_tensor_shape(x), 1), s);
    return nm_where(tape, inside, y, nm_scalar(tape, dtype, value));
}

/* ---- The others, axis by axis: what stands before, x, and what stands behind ---- */

/* Elements from..0 or those before the last, away from the edge. A stop before the first is far
 * off. */
static nm_tensor *mirrored(nm_tape *tape, nm_tensor *x, int axis, int64_t from, int64_t count)
{
    const int64_t length = nm_tensor_shape(x)->dim[axis], stop = from - count;
    return part(tape, x, axis, from, stop < 0 ? -length - 1 : stop, -1);
}

static nm_tensor *repeated(nm_tape *tape, nm_tensor *x, int axis, int64_t at, int64_t count)
{
    nm_shape shape = *nm_tensor_shape(x);
    shape.dim[axis] = count;
    return nm_broadcast_to(tape, part(tape, x, axis, at, at + 1, 1), shape);
}

static nm_tensor *beside(const nm_compose *c, nm_tensor *x, int axis, int64_t count, bool behind)
{
    const int64_t n = nm_tensor_shape(x)->dim[axis];
    switch (((const nm_pad_options *)c->options)->mode) {
    case NM_PAD_REFLECT: return mirrored(c->tape, x, axis, behind ? n - 2 : count, count);
    case NM_PAD_EDGE: return repeated(c->tape, x, axis, behind ? n - 1 : 0, count);
    default: break; /* NM_PAD_WRAP */
    }
    return behind ? part(c->tape, x, axis, 0, count, 1) : part(c->tape, x, axis, n - count, n, 1);
}

/* The most that an axis of n elements can give on one side. */
static int64_t most_beside(const nm_compose *c, int64_t n)
{
    switch (((const nm_pad_options *)c->options)->mode) {
    case NM_PAD_REFLECT: return n - 1;
    case NM_PAD_EDGE: return n ? INT64_MAX : 0;
    default: return n;
    }
}

static nm_tensor *pad_axis(nm_compose *c, nm_tensor *x, int axis, int64_t before, int64_t after)
{
    const int64_t n = nm_tensor_shape(x)->dim[axis], most = most_beside(c, n);
    if (before > most || after > most) {
        char text[NM_SHAPE_TEXT];
        return nm_compose_fail(c, "axis %d of x %s has not enough elements for padding %lld", axis,
                               nm_shape_text(nm_tensor_shape(x), text),
                               (long long)(before > after ? before : after));
    }
    nm_tensor *parts[3];
    int count = 0;
    if (before) {
        parts[count++] = beside(c, x, axis, before, false);
    }
    parts[count++] = x;
    if (after) {
        parts[count++] = beside(c, x, axis, after, true);
    }
    return count > 1 ? nm_concat(c->tape, parts, count, .axis = axis) : x;
}

static nm_tensor *pad_compose(nm_compose *c)
{
    const nm_pad_options *o = c->options;
    const nm_shape *shape = nm_tensor_shape(c->in[0]);
    sides s;
    if (!find_sides(c, shape, &s)) {
        return NULL;
    }
    nm_tensor *x = cut(c, c->in[0], &s);
    if (o->mode == NM_PAD_CONSTANT) {
        return pad_with(c->tape, x, &s, o->value);
    }
    for (int d = 0; x && d < shape->rank; d++) {
        x = pad_axis(c, x, d, s.before[d], s.after[d]);
    }
    return x == c->in[0] ? nm_reshape(c->tape, x, *shape) : x;
}

/* ---- The op ---- */

static const nm_sample pad_samples[] = {
    {.options = "{padding: 1}", .in = {NM_NORMAL(2, 3)}},
    {.options = "{padding: [1, 0, 2, -1], value: 3}", .in = {NM_NORMAL(2, 3)}},
    {.options = "{padding: [1, 2], axes: -1, mode: reflect}", .in = {NM_NORMAL(2, 3)}},
    {.options = "{padding: [2, 1], mode: edge}", .in = {NM_NORMAL(2, 3)}},
    {.options = "{padding: [1, 2, 3, 0], mode: wrap}", .in = {NM_NORMAL(2, 3)}},
};

static const char *const modes[] = {"constant", "reflect", "edge", "wrap", NULL};
static const nm_pad_options defaults = {NM_END(nm_pad_options), NM_PAD_DEFAULTS};
NM_OPTIONS_INIT(nm_pad_options, defaults)
static const nm_option options[] = {
    {NM_FIELD(nm_pad_options, padding), NM_OPTION_INTS, .flags = NM_REQUIRED, .also = "pad pads",
     .doc = "one number, one for each axis, or two for each: before and behind; negative cuts off"},
    {NM_FIELD(nm_pad_options, axes), NM_OPTION_INTS,
     .doc = "the axes, negative ones counted from the end; none given: all"},
    {NM_FIELD(nm_pad_options, mode), NM_OPTION_ENUM, .names = modes,
     .doc = "a value, the elements mirrored at the edge, the edge itself, or the other end"},
    {NM_FIELD(nm_pad_options, value), NM_OPTION_FLOAT, .doc = "for constant: what is put there"},
};
static const nm_spec spec = NM_SPEC(nm_pad_options, defaults, options);
static const nm_port y_port[] = {{.name = "y", .doc = "x with elements around it"}};

NM_COMPOSED_OP(pad, nm_port_x, y_port, 0, "elements around a tensor", .spec = &spec,
               .doc =
                   "y = x with elements before and behind along the axes: a value (constant), x\n"
                   "mirrored at its edge without that itself (reflect), the edge (edge; PyTorch's\n"
                   "replicate), or x from its other end (wrap; PyTorch's circular).\n"
                   "dx = the sum of dy over the places that an element went to.")

nm_tensor *nm_pad_with(nm_tape *tape, nm_tensor *x, const nm_pad_options *o)
{
    return nm_apply1(tape, &nm_op_pad, o, x);
}
