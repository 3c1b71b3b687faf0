/* Images of another size: along each axis between the first and the last, y is a mean of one or two
 * elements of x, by PyTorch's rules. */
#include <math.h>
#include <string.h>

#include "ops/basic.h"
#include "ops/define.h"
#include "ops/kernels/kernel.h"
#include "ops/table.h"

/* One axis of [outer, length, inner]. `step`: elements of x for one of y; 0: as the lengths say. */
typedef struct resample_options {
    size_t struct_size;
    int64_t axis, length;
    int mode;
    bool align_corners;
    double step;
    int64_t from; /* the length of x, for the gradient */
} resample_options;

/* y = (1 - weight) x[first] + weight x[second] */
typedef struct tap {
    int64_t first, second;
    double weight;
} tap;

static double step_of(const resample_options *o, int64_t n, int64_t m)
{
    if (o->align_corners && o->mode == NM_UPSAMPLE_BILINEAR) {
        return m > 1 ? (double)(n - 1) / (double)(m - 1) : 0;
    }
    return o->step > 0 ? o->step : (double)n / (double)m;
}

static tap find_tap(const resample_options *o, int64_t n, int64_t m, int64_t i)
{
    const double step = step_of(o, n, m);
    if (o->mode == NM_UPSAMPLE_NEAREST) { /* in f32, as PyTorch computes it */
        const int64_t at = (int64_t)floorf((float)i * (float)step);
        const int64_t first = at < n - 1 ? at : n - 1;
        return (tap){first, first, 0};
    }
    double at = o->align_corners ? (double)i * step : ((double)i + 0.5) * step - 0.5;
    at = at > 0 ? at : 0;
    const int64_t whole = (int64_t)at, first = whole < n - 1 ? whole : n - 1;
    const double weight = at - (double)first;
    return (tap){first, first < n - 1 ? first + 1 : first, weight < 1 ? weight : 1};
}

typedef struct sizes {
    int64_t outer, n, m, inner; /* x [outer, n, inner], y [outer, m, inner] */
} sizes;

static sizes sizes_of(const nm_shape *x, int axis, int64_t m)
{
    sizes s = {1, x->dim[axis], m, 1};
    for (int d = 0; d < x->rank; d++) {
        s.outer *= d < axis ? x->dim[d] : 1;
        s.inner *= d > axis ? x->dim[d] : 1;
    }
    return s;
}

#define RESAMPLE(name, type)                                                                       \
    static void name(const resample_options *o, sizes s, const type *x, type *y)                   \
    {                                                                                              \
        for (int64_t k = 0; k < s.outer * s.m; k++, y += s.inner) {                                \
            const tap t = find_tap(o, s.n, s.m, k % s.m);                                          \
            const type *a = x + (k / s.m * s.n + t.first) * s.inner;                               \
            const type *b = x + (k / s.m * s.n + t.second) * s.inner;                              \
            const type w = (type)t.weight, v = 1 - w;                                              \
            if (w == 0) {                                                                          \
                memcpy(y, a, (size_t)s.inner * sizeof *y);                                         \
                continue;                                                                          \
            }                                                                                      \
            NM_SIMD for (int64_t j = 0; j < s.inner; j++)                                          \
            {                                                                                      \
                y[j] = v * a[j] + w * b[j];                                                        \
            }                                                                                      \
        }                                                                                          \
    }                                                                                              \
    static void name##_back(const resample_options *o, sizes s, const type *dy, type *dx)          \
    {                                                                                              \
        for (int64_t k = 0; k < s.outer * s.m; k++, dy += s.inner) {                               \
            const tap t = find_tap(o, s.n, s.m, k % s.m);                                          \
            type *a = dx + (k / s.m * s.n + t.first) * s.inner;                                    \
            type *b = dx + (k / s.m * s.n + t.second) * s.inner;                                   \
            const type w = (type)t.weight, v = 1 - w;                                              \
            NM_SIMD for (int64_t j = 0; j < s.inner; j++)                                          \
            {                                                                                      \
                a[j] += v * dy[j];                                                                 \
            }                                                                                      \
            NM_SIMD for (int64_t j = 0; j < (w != 0 ? s.inner : 0); j++)                           \
            {                                                                                      \
                b[j] += w * dy[j];                                                                 \
            }                                                                                      \
        }                                                                                          \
    }
RESAMPLE(resample_f32, float)
RESAMPLE(resample_f64, double)

/* `to`: the option that has the length of the result. */
static nm_status infer_length(nm_infer *infer, int64_t to)
{
    const resample_options *o = infer->options;
    int axis;
    if (nm_infer_axis(infer, 0, o->axis, &axis) != NM_OK) {
        return NM_ERROR_INPUT;
    }
    infer->out[0] = *infer->in[0];
    infer->out[0].dim[axis] = to;
    if (infer->in[0]->dim[axis] == 0) {
        char text[NM_SHAPE_TEXT];
        return nm_infer_fail(infer, "x %s has nothing along axis %d",
                             nm_shape_text(infer->in[0], text), axis);
    }
    return NM_OK;
}

static nm_status resample_infer(nm_infer *infer)
{
    return infer_length(infer, ((const resample_options *)infer->options)->length);
}

static nm_status resample_grad_infer(nm_infer *infer)
{
    return infer_length(infer, ((const resample_options *)infer->options)->from);
}

static nm_status resample_forward(const nm_run *run)
{
    const resample_options *o = run->options;
    const nm_shape *x = nm_tensor_shape(run->in[0]);
    const sizes s = sizes_of(x, nm_shape_axis(x, o->axis), o->length);
    if (run->dtype == NM_F64) {
        resample_f64(o, s, run->x[0], run->y[0]);
    } else {
        resample_f32(o, s, run->x[0], run->y[0]);
    }
    return NM_OK;
}

static nm_status resample_grad_forward(const nm_run *run)
{
    const resample_options *o = run->options;
    const nm_shape *dx = nm_tensor_shape(run->out[0]), *dy = nm_tensor_shape(run->in[0]);
    const int axis = nm_shape_axis(dx, o->axis);
    const sizes s = sizes_of(dx, axis, dy->dim[axis]);
    if (nm_tensor_count(run->out[0])) {
        memset(run->y[0], 0, nm_tensor_bytes(run->out[0]));
    }
    if (run->dtype == NM_F64) {
        resample_f64_back(o, s, run->x[0], run->y[0]);
    } else {
        resample_f32_back(o, s, run->x[0], run->y[0]);
    }
    return NM_OK;
}

static nm_tensor *resample_vjp(nm_vjp *v, int input)
{
    resample_options o = *(const resample_options *)v->options;
    const nm_shape *x = nm_tensor_shape(v->in[input]);
    o.from = x->dim[nm_shape_axis(x, o.axis)];
    return nm_apply1(v->tape, &nm_op_resample_grad, &o, v->gout[0]);
}

static nm_tensor *resample_grad_vjp(nm_vjp *v, int input)
{
    resample_options o = *(const resample_options *)v->options;
    const nm_shape *dy = nm_tensor_shape(v->in[input]);
    o.length = dy->dim[nm_shape_axis(dy, o.axis)];
    return nm_apply1(v->tape, &nm_op_resample, &o, v->gout[0]);
}

/* ---- upsample: all axes between the first and the last ---- */

static bool find_length(nm_compose *c, int axis, int64_t n, resample_options *r)
{
    const nm_upsample_options *o = c->options;
    const int between = nm_tensor_shape(c->in[0])->rank - 2;
    const int given = o->size.count + o->scale.count;
    if ((o->size.count && o->scale.count) || (given != 1 && given != between)) {
        nm_compose_fail(c,
                        "it takes size or scale, one number, or one for each of the %d axes "
                        "between the first and the last",
                        between);
        return false;
    }
    const int i = given == 1 ? 0 : axis - 1;
    const double scale = o->size.count ? 0 : o->scale.at[i];
    r->length = o->size.count ? o->size.at[i] : (int64_t)floor((double)n * scale);
    r->step = o->size.count ? 0 : 1 / scale;
    if (r->length < 1) {
        char text[NM_SHAPE_TEXT];
        nm_compose_fail(c, "nothing is left of axis %d of x %s", axis,
                        nm_shape_text(nm_tensor_shape(c->in[0]), text));
        return false;
    }
    return true;
}

static nm_tensor *upsample_compose(nm_compose *c)
{
    const nm_upsample_options *o = c->options;
    const nm_shape *shape = nm_tensor_shape(c->in[0]);
    nm_tensor *y = c->in[0];
    if (shape->rank < 3) {
        char text[NM_SHAPE_TEXT];
        return nm_compose_fail(c, "x %s is no [batch, ..., channels]", nm_shape_text(shape, text));
    }
    for (int d = 1; y && d < shape->rank - 1; d++) {
        resample_options r = {.struct_size = sizeof r,
                              .axis = d,
                              .mode = o->mode,
                              .align_corners = o->align_corners,
                              .from = 1};
        if (!find_length(c, d, shape->dim[d], &r)) {
            return NULL;
        }
        y = nm_apply1(c->tape, &nm_op_resample, &r, y);
    }
    return y;
}

/* ---- The ops ---- */

static const nm_sample resample_samples[] = {
    {.options = "{axis: 1, length: 5}", .in = {NM_NORMAL(2, 3, 2)}},
    {.options = "{axis: 0, length: 7, mode: bilinear}", .in = {NM_NORMAL(3, 2)}},
    {.options = "{axis: -1, length: 2, mode: bilinear, align_corners: true}",
     .in = {NM_NORMAL(2, 5)}},
};
static const nm_sample resample_grad_samples[] = {
    {.options = "{axis: 1, from: 3}", .in = {NM_NORMAL(2, 5, 2)}},
    {.options = "{axis: 0, from: 3, mode: bilinear}", .in = {NM_NORMAL(7, 2)}},
};
static const nm_sample upsample_samples[] = {
    {.options = "{scale: 2}", .in = {NM_NORMAL(2, 2, 3, 2)}},
    {.options = "{size: [3, 5], mode: bilinear}", .in = {NM_NORMAL(1, 2, 3, 2)}},
    {.options = "{scale: 1.7, mode: bilinear, align_corners: true}", .in = {NM_NORMAL(2, 4, 2)}},
};

static const char *const modes[] = {"nearest", "bilinear", NULL};
#define ROWS(type)                                                                                 \
    {NM_FIELD(type, mode), NM_OPTION_ENUM, .names = modes,                                         \
     .doc = "the nearest element, or a mean of the two beside it (in two directions: four)"},      \
    {                                                                                              \
        NM_FIELD(type, align_corners), NM_OPTION_BOOL,                                             \
            .doc = "for bilinear: the first and the last elements lie on each other"               \
    }
static const resample_options resample_defaults = {
    .struct_size = sizeof(resample_options), .length = 1, .from = 1};
static const nm_option resample_rows[] = {
    {NM_FIELD(resample_options, axis), NM_OPTION_INT, .doc = "the axis"},
    {NM_FIELD(resample_options, length), NM_OPTION_INT, .min = 1, .max = NM_NO_LIMIT,
     .doc = "its new length"},
    {NM_FIELD(resample_options, step), NM_OPTION_FLOAT, .min = 0, .max = NM_NO_LIMIT,
     .doc = "elements of x for one of y; 0: as the lengths say"},
    {NM_FIELD(resample_options, from), NM_OPTION_INT, .min = 1, .max = NM_NO_LIMIT,
     .doc = "x's length, for the gradient"},
    ROWS(resample_options),
};
static const nm_spec resample_spec = NM_SPEC(resample_options, resample_defaults, resample_rows);
static const nm_upsample_options defaults = {NM_END(nm_upsample_options), NM_UPSAMPLE_DEFAULTS};
NM_OPTIONS_INIT(nm_upsample_options, defaults)
static const nm_option rows[] = {
    {NM_FIELD(nm_upsample_options, size), NM_OPTION_INTS, .min = 1, .max = NM_NO_LIMIT,
     .doc = "height and width of y; one number: both"},
    {NM_FIELD(nm_upsample_options, scale), NM_OPTION_FLOATS, .min = 0, .max = NM_NO_LIMIT,
     .flags = NM_MIN_OPEN, .also = "scale_factor scales",
     .doc = "or how many times those of x, rounded down; one number: both"},
    ROWS(nm_upsample_options),
};
static const nm_spec spec = NM_SPEC(nm_upsample_options, defaults, rows);
static const nm_port image_port[] = {{.name = "x", .doc = "[batch, height, width, channels]"}};
static const nm_port y_port[] = {{.name = "y", .doc = "x's shape, but for the sizes"}};
static const nm_port dy_port[] = {{.name = "dy", .doc = "the shape of resample's output"}};

NM_OP(resample, nm_port_x, y_port, resample_infer, 0, "one axis of another length",
      .spec = &resample_spec,
      .doc = "y = for each place along the axis, the nearest element of x or a mean of two.\n"
             "dx = dy, added where the elements came from.")
NM_OP(resample_grad, dy_port, nm_port_x, resample_grad_infer, 0, "gradient of resample",
      .spec = &resample_spec, .doc = "dx = zeros, to which the elements of dy are added.")
NM_COMPOSED_OP(upsample, image_port, y_port, 0, "images of another size", .spec = &spec,
               .also = "interpolate resize",
               .doc = "y = x with another height and width (all axes between the first and the "
                      "last):\nthe nearest element, or a mean of those beside it, as PyTorch's "
                      "interpolate has it.\ndx = dy, added where the elements came from.")

nm_tensor *nm_upsample_with(nm_tape *tape, nm_tensor *x, const nm_upsample_options *o)
{
    return nm_apply1(tape, &nm_op_upsample, o, x);
}
