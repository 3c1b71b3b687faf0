/* Tensors put together, cut and repeated: stack, split, flip, tile, and pixels from channels. */
#include "ops/basic.h"
#include "ops/define.h"
#include "ops/table.h"

/* ---- stack ---- */

static nm_tensor *stack_compose(nm_compose *c)
{
    const nm_stack_options *o = c->options;
    const nm_shape *x = nm_tensor_shape(c->in[0]);
    const int64_t axis = o->axis + (o->axis < 0 ? x->rank + 1 : 0);
    char a[NM_SHAPE_TEXT], b[NM_SHAPE_TEXT];
    nm_tensor *parts[NM_MAX_INPUTS];
    if (axis < 0 || axis > x->rank) {
        return nm_compose_fail(c, "y would have no axis %lld: x is %s", (long long)o->axis,
                               nm_shape_text(x, a));
    }
    for (int i = 0; i < c->inputs; i++) {
        if (!nm_shape_equal(nm_tensor_shape(c->in[i]), x)) {
            return nm_compose_fail(c, "tensor %d is %s, but tensor 0 %s", i,
                                   nm_shape_text(nm_tensor_shape(c->in[i]), a),
                                   nm_shape_text(x, b));
        }
        parts[i] = nm_unsqueeze(c->tape, c->in[i], .axes = NM_INTS(axis));
    }
    return nm_concat(c->tape, parts, c->inputs, .axis = axis);
}

/* ---- split ---- */

/* The sizes of the parts; false where they do not fit. One number is the size of all, but the last,
 * which takes what is left. */
static bool find_sizes(nm_compose *c, int64_t length, int64_t sizes[NM_MAX_OUTPUTS], int *count)
{
    const nm_ints *given = &((const nm_parts_options *)c->options)->sizes;
    const bool one = given->count == 1;
    int64_t left = length;
    *count = 0;
    do {
        const int64_t size = given->at[one ? 0 : *count];
        sizes[*count] = one && size > left ? left : size;
        left -= sizes[(*count)++];
    } while (*count < NM_MAX_OUTPUTS && (one ? left > 0 : *count < given->count));
    if (left != 0) {
        char text[NM_SHAPE_TEXT];
        nm_compose_fail(c, "the sizes do not make %s in at most %d parts",
                        nm_shape_text(&NM_SHAPE(length), text), NM_MAX_OUTPUTS);
    }
    return left == 0;
}

static nm_tensor *split_compose(nm_compose *c)
{
    const nm_parts_options *o = c->options;
    const nm_shape *x = nm_tensor_shape(c->in[0]);
    const int axis = nm_shape_axis(x, o->axis);
    int64_t sizes[NM_MAX_OUTPUTS], begin = 0;
    int count;
    if (axis < 0) {
        char text[NM_SHAPE_TEXT];
        return nm_compose_fail(c, "x %s has no axis %lld", nm_shape_text(x, text),
                               (long long)o->axis);
    }
    if (!find_sizes(c, x->dim[axis], sizes, &count)) {
        return NULL;
    }
    for (int i = 0; i < count; begin += sizes[i++]) {
        c->out[i] = nm_slice(c->tape, c->in[0], .axes = NM_INTS(axis), .start = NM_INTS(begin),
                             .stop = NM_INTS(begin + sizes[i]));
    }
    return c->out[0];
}

/* ---- flip ---- */

static nm_tensor *flip_compose(nm_compose *c)
{
    nm_slice_options o = {NM_END(nm_slice_options), NM_SLICE_DEFAULTS};
    o.axes = ((const nm_axes_options *)c->options)->axes;
    for (int d = 0; !o.axes.count && d < nm_tensor_shape(c->in[0])->rank; d++) {
        o.axes.at[d] = d;
        o.step.count++; /* as many as there will be */
    }
    o.axes.count = o.axes.count ? o.axes.count : o.step.count;
    o.step.count = o.axes.count;
    for (int i = 0; i < o.step.count; i++) {
        o.step.at[i] = -1;
    }
    return nm_slice_with(c->tape, c->in[0], &o);
}

/* ---- tile ---- */

/* Along one axis, as [outer, 1, rest] to [outer, times, rest]. */
static nm_tensor *repeat(nm_tape *tape, nm_tensor *x, int axis, int64_t times)
{
    nm_shape shape = *nm_tensor_shape(x);
    int64_t outer = 1, rest = 1;
    for (int d = 0; d < shape.rank; d++) {
        *(d < axis ? &outer : &rest) *= shape.dim[d];
    }
    shape.dim[axis] *= times;
    nm_tensor *one = nm_reshape(tape, x, NM_SHAPE(outer, 1, rest));
    return nm_reshape(tape, nm_broadcast_to(tape, one, NM_SHAPE(outer, times, rest)), shape);
}

static nm_tensor *tile_compose(nm_compose *c)
{
    const nm_ints *times = &((const nm_tile_options *)c->options)->repeats;
    nm_shape shape = *nm_tensor_shape(c->in[0]);
    const int more = times->count - shape.rank;
    if (times->count > NM_MAX_RANK) {
        return nm_compose_fail(c, "y would have %d axes; there are at most %d", times->count,
                               NM_MAX_RANK);
    }
    for (int d = shape.rank - 1; more > 0 && d >= 0; d--) {
        shape.dim[d + more] = shape.dim[d];
    }
    for (int d = 0; d < more; d++) {
        shape.dim[d] = 1;
    }
    shape.rank += more > 0 ? more : 0;
    nm_tensor *y = nm_reshape(c->tape, c->in[0], shape);
    for (int i = 0; y && i < times->count; i++) {
        if (times->at[i] != 1) {
            y = repeat(c->tape, y, shape.rank - times->count + i, times->at[i]);
        }
    }
    return y;
}

/* ---- pixel_shuffle, pixel_unshuffle: channel c f^2 + i f + j is pixel (i, j) of channel c ---- */

static const nm_shape *image_of(nm_compose *c)
{
    const nm_shape *x = nm_tensor_shape(c->in[0]);
    char text[NM_SHAPE_TEXT];
    if (x->rank == 4) {
        return x;
    }
    nm_compose_fail(c, "x %s is no [batch, height, width, channels]", nm_shape_text(x, text));
    return NULL;
}

static int64_t factor_of(const nm_compose *c)
{
    return ((const nm_factor_options *)c->options)->factor;
}

static nm_tensor *no_multiple(nm_compose *c, const char *what, int64_t of)
{
    char text[NM_SHAPE_TEXT];
    return nm_compose_fail(c, "%s of x %s: no multiple of %lld", what,
                           nm_shape_text(nm_tensor_shape(c->in[0]), text), (long long)of);
}

static nm_tensor *pixel_shuffle_compose(nm_compose *c)
{
    const nm_shape *x = image_of(c);
    const int64_t f = factor_of(c);
    if (!x || x->dim[3] % (f * f)) {
        return x ? no_multiple(c, "the channels", f * f) : NULL;
    }
    const int64_t n = x->dim[0], h = x->dim[1], w = x->dim[2], channels = x->dim[3] / (f * f);
    nm_tensor *y = nm_reshape(c->tape, c->in[0], NM_SHAPE(n * h, w, channels, f, f));
    y = nm_permute(c->tape, y, .axes = NM_INTS(0, 3, 1, 4, 2));
    return nm_reshape(c->tape, y, NM_SHAPE(n, h * f, w * f, channels));
}

static nm_tensor *pixel_unshuffle_compose(nm_compose *c)
{
    const nm_shape *x = image_of(c);
    const int64_t f = factor_of(c);
    if (!x || x->dim[1] % f || x->dim[2] % f) {
        return x ? no_multiple(c, "height or width", f) : NULL;
    }
    const int64_t n = x->dim[0], h = x->dim[1] / f, w = x->dim[2] / f, channels = x->dim[3];
    nm_tensor *y = nm_reshape(c->tape, c->in[0], NM_SHAPE(n * h, f, w, f, channels));
    y = nm_permute(c->tape, y, .axes = NM_INTS(0, 2, 4, 1, 3));
    return nm_reshape(c->tape, y, NM_SHAPE(n, h, w, channels * f * f));
}

/* ---- The ops ---- */

static const nm_sample stack_samples[] = {
    {.in = {NM_NORMAL(2, 3), NM_NORMAL(2, 3)}},
    {.options = "{axis: -1}", .in = {NM_NORMAL(2), NM_NORMAL(2), NM_NORMAL(2)}},
};
static const nm_sample split_samples[] = {
    {.options = "{sizes: 2}", .in = {NM_NORMAL(5, 3)}},
    {.options = "{sizes: [1, 0, 2], axis: -1}", .in = {NM_NORMAL(2, 3)}},
};
static const nm_sample flip_samples[] = {
    {.in = {NM_NORMAL(2, 3)}},
    {.options = "{axes: -1}", .in = {NM_NORMAL(2, 3)}},
};
static const nm_sample tile_samples[] = {
    {.options = "{repeats: [2, 3]}", .in = {NM_NORMAL(2, 3)}},
    {.options = "{repeats: [2, 1, 2]}", .in = {NM_NORMAL(3, 2)}},
    {.options = "{repeats: 2}", .in = {NM_NORMAL(3, 2)}},
};
static const nm_sample pixel_shuffle_samples[] = {
    {.options = "{factor: 2}", .in = {NM_NORMAL(2, 2, 3, 8)}}};
static const nm_sample pixel_unshuffle_samples[] = {
    {.options = "{factor: 2}", .in = {NM_NORMAL(2, 4, 2, 3)}}};

static const nm_stack_options stack_defaults = {NM_END(nm_stack_options), NM_STACK_DEFAULTS};
NM_OPTIONS_INIT(nm_stack_options, stack_defaults)
static const nm_option stack_rows[] = {
    {NM_FIELD(nm_stack_options, axis), NM_OPTION_INT, .also = "dim",
     .doc = "where, in y, the new axis stands; a negative one counts from the end"}};
static const nm_spec stack_spec = NM_SPEC(nm_stack_options, stack_defaults, stack_rows);

static const nm_parts_options parts_defaults = {NM_END(nm_parts_options), .sizes = NM_NO_LIST};
static const nm_option parts_rows[] = {
    {NM_FIELD(nm_parts_options, sizes), NM_OPTION_INTS, .min = 0, .max = NM_NO_LIMIT,
     .flags = NM_REQUIRED, .also = "split_size split_size_or_sections",
     .doc = "of the parts; one number: of all, but the last, which has what is left"},
    {NM_FIELD(nm_parts_options, axis), NM_OPTION_INT, .also = "dim",
     .doc = "the axis that is cut; a negative one counts from the end"},
};
static const nm_spec parts_spec = NM_SPEC(nm_parts_options, parts_defaults, parts_rows);

static const nm_axes_options flip_defaults = {NM_END(nm_axes_options), NM_AXES_DEFAULTS};
static const nm_option flip_rows[] = {{NM_FIELD(nm_axes_options, axes), NM_OPTION_INTS,
                                       .also = "dims axis",
                                       .doc = "the axes that are turned round; none given: all"}};
static const nm_spec flip_spec = NM_SPEC(nm_axes_options, flip_defaults, flip_rows);

static const nm_tile_options tile_defaults = {NM_END(nm_tile_options), NM_TILE_DEFAULTS};
NM_OPTIONS_INIT(nm_tile_options, tile_defaults)
static const nm_option tile_rows[] = {
    {NM_FIELD(nm_tile_options, repeats), NM_OPTION_INTS, .min = 0, .max = NM_NO_LIMIT,
     .flags = NM_REQUIRED, .also = "dims",
     .doc = "how often along each axis; fewer: of the last ones; more: x gets axes in front"}};
static const nm_spec tile_spec = NM_SPEC(nm_tile_options, tile_defaults, tile_rows);

static const nm_factor_options factor_defaults = {NM_END(nm_factor_options), .factor = 1};
static const nm_option factor_rows[] = {{NM_FIELD(nm_factor_options, factor), NM_OPTION_INT,
                                         .min = 1, .max = 1e4, .flags = NM_REQUIRED,
                                         .also = "upscale_factor downscale_factor blocksize",
                                         .doc = "pixels in place of one, in each direction"}};
static const nm_spec factor_spec = NM_SPEC(nm_factor_options, factor_defaults, factor_rows);

static const nm_port list_port[] = {
    {.name = "x", .doc = "one or more tensors of one shape", .flags = NM_PORT_VARIADIC}};
static const nm_port any_port[] = {{.name = "x", .doc = "any shape", .type = NM_PORT_ANY}};
static const nm_port y_port[] = {{.name = "y", .doc = "its elements", .type = NM_PORT_ANY}};
static const nm_port image_port[] = {{.name = "x", .doc = "[batch, height, width, channels]"}};
#define PART(name_)                                                                                \
    {                                                                                              \
        .name = name_, .doc = "a part, if there are so many", .type = NM_PORT_ANY,                 \
        .flags = NM_PORT_OPTIONAL                                                                  \
    }
static const nm_port part_ports[NM_MAX_OUTPUTS] = {
    {.name = "y0", .doc = "the first part", .type = NM_PORT_ANY},
    PART("y1"),
    PART("y2"),
    PART("y3"),
    PART("y4"),
    PART("y5"),
    PART("y6"),
    PART("y7")};

NM_COMPOSED_OP(stack, list_port, y_port, 0, "tensors joined along a new axis", .spec = &stack_spec,
               .doc = "y = the tensors one behind the other along an axis that none of them has.\n"
                      "dx = their parts of dy.")
NM_COMPOSED_OP(split, any_port, part_ports, 0, "a tensor cut along an axis", .spec = &parts_spec,
               .doc = "y0, y1, ... = the parts of x along the axis, at most 8 of them.\n"
                      "dx = the gradients of the parts one behind the other.")
NM_COMPOSED_OP(flip, any_port, y_port, 0, "axes turned round", .spec = &flip_spec,
               .doc = "y = x with its elements in reverse order along the axes. dx = dy likewise.")
NM_COMPOSED_OP(tile, nm_port_x, y_port, 0, "a tensor repeated along its axes", .spec = &tile_spec,
               .doc = "y = x, whole, as often as is given along each axis.\n"
                      "dx = the sum of dy over the repetitions.")
NM_COMPOSED_OP(pixel_shuffle, image_port, y_port, 0, "pixels from channels", .spec = &factor_spec,
               .also = "depth_to_space",
               .doc = "x [batch, height, width, channels f^2]; y [batch, height f, width f, "
                      "channels]:\nchannel c f^2 + i f + j becomes pixel (i, j) of channel c.\n"
                      "Shi and others 2016, arXiv 1609.05158.")
NM_COMPOSED_OP(pixel_unshuffle, image_port, y_port, 0, "channels from pixels", .spec = &factor_spec,
               .also = "space_to_depth",
               .doc = "x [batch, height f, width f, channels]; y [batch, height, width, channels "
                      "f^2]:\nwhat pixel_shuffle takes back.")

nm_tensor *nm_stack_with(nm_tape *tape, nm_tensor *const *tensors, int count,
                         const nm_stack_options *o)
{
    nm_tensor *out[1];
    return nm_apply(tape, &nm_op_stack, tensors, count, o, out) == NM_OK ? out[0] : NULL;
}

nm_status nm_split(nm_tape *tape, nm_tensor *x, int64_t axis, nm_ints sizes, nm_tensor **parts)
{
    const nm_parts_options o = {NM_END(nm_parts_options), .sizes = sizes, .axis = axis};
    return nm_apply(tape, &nm_op_split, &x, 1, &o, parts);
}

nm_tensor *nm_flip_with(nm_tape *tape, nm_tensor *x, const nm_axes_options *o)
{
    return nm_apply1(tape, &nm_op_flip, o, x);
}

nm_tensor *nm_tile_with(nm_tape *tape, nm_tensor *x, const nm_tile_options *o)
{
    return nm_apply1(tape, &nm_op_tile, o, x);
}

nm_tensor *nm_pixel_shuffle(nm_tape *tape, nm_tensor *x, int64_t factor)
{
    const nm_factor_options o = {NM_END(nm_factor_options), .factor = factor};
    return nm_apply1(tape, &nm_op_pixel_shuffle, &o, x);
}

nm_tensor *nm_pixel_unshuffle(nm_tape *tape, nm_tensor *x, int64_t factor)
{
    const nm_factor_options o = {NM_END(nm_factor_options), .factor = factor};
    return nm_apply1(tape, &nm_op_pixel_unshuffle, &o, x);
}
