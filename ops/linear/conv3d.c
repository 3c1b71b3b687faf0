/* A convolution of volumes is a sum of convolutions of images: one for each tap in depth, of the
 * planes that it sees. */
#include "ops/basic.h"
#include "ops/define.h"
#include "ops/linear/checks.h"
#include "ops/linear/conv2d.h"
#include "ops/table.h"

#define PADDING_FORM "one number, three (depth, height, width), six (two for each axis), or same"

/* What the depth has. */
typedef struct depth {
    int64_t size, kernel, stride, dilation;
    int64_t before, after; /* padding */
    int64_t out;
} depth;

static bool is_same(const nm_ints *padding)
{
    return padding->count == 1 && padding->at[0] == NM_PADDING_SAME;
}

static bool has_lists(nm_compose *c, const nm_conv3d_options *o)
{
    const nm_ints *lists[] = {&o->stride, &o->dilation}, *p = &o->padding;
    static const char *const names[] = {"stride", "dilation"};
    if (!nm_lists_fit(c, 3, "three: depth, height, width", lists, names, NM_COUNT_OF(lists))) {
        return false;
    }
    bool fine = p->count == 1 || p->count == 3 || p->count == 6;
    for (int i = 0; i < p->count; i++) {
        fine = fine && (p->at[i] >= 0 || is_same(p));
    }
    if (!fine) {
        nm_compose_fail(c, "padding takes " PADDING_FORM);
    }
    return fine;
}

static bool has_channels(nm_compose *c, const nm_conv3d_options *o)
{
    const nm_shape *x = nm_tensor_shape(c->in[0]), *w = nm_tensor_shape(c->in[1]);
    char a[NM_SHAPE_TEXT], b[NM_SHAPE_TEXT];
    nm_shape_text(x, a);
    nm_shape_text(w, b);
    if (x->rank != 5 || w->rank != 5) {
        nm_compose_fail(c,
                        "x %s and w %s must be [n, depth, height, width, channels] and [out, kd, "
                        "kh, kw, channels / groups]",
                        a, b);
    } else if (x->dim[4] % o->groups || w->dim[0] % o->groups ||
               x->dim[4] / o->groups != w->dim[4]) {
        nm_compose_fail(c, "the channels do not fit: x %s, w %s, groups %lld", a, b,
                        (long long)o->groups);
    } else {
        return true;
    }
    return false;
}

/* conv2d's padding, or the depth's with 0 for the other axis. */
static nm_ints part_of_padding(const nm_ints *p, bool of_depth)
{
    if (p->count == 1) {
        return *p;
    }
    if (p->count == 3) {
        return of_depth ? (nm_ints)NM_LIST_OF(2, p->at[0], 0)
                        : (nm_ints)NM_LIST_OF(2, p->at[1], p->at[2]);
    }
    return of_depth ? (nm_ints)NM_LIST_OF(4, p->at[0], p->at[1], 0, 0)
                    : (nm_ints)NM_LIST_OF(4, p->at[2], p->at[3], p->at[4], p->at[5]);
}

/* The depth as conv2d has it of height and width; false: the kernel does not fit. */
static bool find_depth(nm_compose *c, const nm_conv3d_options *o, depth *d)
{
    const nm_shape *x = nm_tensor_shape(c->in[0]), *w = nm_tensor_shape(c->in[1]);
    int64_t reach;
    *d = (depth){.size = x->dim[1],
                 .kernel = w->dim[1],
                 .stride = nm_item_of(&o->stride, 0),
                 .dilation = nm_item_of(&o->dilation, 0)};
    bool fits = d->kernel > 0 && !__builtin_mul_overflow(d->kernel - 1, d->dilation, &reach) &&
                reach < INT64_MAX / 4;
    if (fits) {
        const nm_ints padding = part_of_padding(&o->padding, true);
        const nm_sides s = nm_find_sides(&padding, (int64_t[]){d->size, 1},
                                         (int64_t[]){reach + 1, 1}, (int64_t[]){d->stride, 1});
        d->before = s.before[0];
        d->after = s.after[0];
        const int64_t room = d->size + d->before + d->after - reach - 1;
        fits = d->size > 0 && room >= 0;
        d->out = fits ? room / d->stride + 1 : 0;
    }
    if (!fits) {
        char a[NM_SHAPE_TEXT], b[NM_SHAPE_TEXT];
        nm_compose_fail(c, "the depth of w %s does not fit into x %s; make it smaller, or pad more",
                        nm_shape_text(w, a), nm_shape_text(x, b));
    }
    return fits;
}

static nm_conv2d_options options_of_planes(const nm_conv3d_options *o)
{
    nm_conv2d_options planes = {NM_END(nm_conv2d_options), NM_CONV2D_DEFAULTS};
    planes.stride = (nm_ints)NM_LIST_OF(2, nm_item_of(&o->stride, 1), nm_item_of(&o->stride, 2));
    planes.dilation =
        (nm_ints)NM_LIST_OF(2, nm_item_of(&o->dilation, 1), nm_item_of(&o->dilation, 2));
    planes.padding = part_of_padding(&o->padding, false);
    planes.groups = o->groups;
    planes.precision = o->precision;
    return planes;
}

/* The planes of x that tap `k` sees, as one batch of images. */
static nm_tensor *planes_of(const nm_compose *c, nm_tensor *x, const depth *d, int64_t k)
{
    const nm_shape *shape = nm_tensor_shape(x);
    const int64_t first = k * d->dilation, last = first + (d->out - 1) * d->stride;
    nm_tensor *seen = nm_slice(c->tape, x, .axes = NM_INTS(1), .start = NM_INTS(first),
                               .stop = NM_INTS(last + 1), .step = NM_INTS(d->stride));
    return nm_reshape(
        c->tape, seen,
        NM_SHAPE(shape->dim[0] * d->out, shape->dim[2], shape->dim[3], shape->dim[4]));
}

/* w[:, k] */
static nm_tensor *tap_of(const nm_compose *c, int64_t k)
{
    nm_tensor *w = nm_slice(c->tape, c->in[1], .axes = NM_INTS(1), .start = NM_INTS(k),
                            .stop = NM_INTS(k + 1));
    return nm_squeeze(c->tape, w, .axes = NM_INTS(1));
}

static nm_tensor *conv3d_compose(nm_compose *c)
{
    const nm_conv3d_options *o = c->options;
    depth d;
    if (!has_lists(c, o) || !has_channels(c, o) ||
        !nm_bias_fits(c, nm_tensor_shape(c->in[1])->dim[0]) || !find_depth(c, o, &d)) {
        return NULL;
    }
    const nm_conv2d_options options = options_of_planes(o);
    nm_tensor *x = c->in[0], *sum = NULL;
    if (d.before || d.after) {
        x = nm_pad(c->tape, x, .axes = NM_INTS(1), .padding = NM_INTS(d.before, d.after));
    }
    for (int64_t k = 0; x && k < d.kernel; k++) {
        nm_tensor *y = nm_conv2d_with(c->tape, planes_of(c, x, &d, k), tap_of(c, k),
                                      k ? NULL : c->in[2], &options);
        sum = sum ? nm_add(c->tape, sum, y) : y;
    }
    if (!sum) {
        return NULL;
    }
    const nm_shape *y = nm_tensor_shape(sum);
    return nm_reshape(c->tape, sum,
                      NM_SHAPE(nm_tensor_shape(x)->dim[0], d.out, y->dim[1], y->dim[2], y->dim[3]));
}

static const nm_sample conv3d_samples[] = {
    {.in = {NM_NORMAL(2, 3, 3, 4, 2), NM_NORMAL(3, 2, 2, 3, 2), NM_NORMAL(3)}},
    {.options = "{padding: [1, 0, 1], stride: [2, 1, 2], dilation: [1, 2, 1], groups: 2}",
     .in = {NM_NORMAL(1, 3, 3, 2, 4), NM_NORMAL(2, 2, 2, 2, 2)}},
    {.options = "{padding: same}", .in = {NM_NORMAL(1, 2, 2, 3, 1), NM_NORMAL(2, 2, 1, 2, 1)}},
    {.options = "{padding: [0, 1, 1, 0, 0, 0], stride: 2, dilation: 2}",
     .in = {NM_NORMAL(1, 4, 3, 3, 1), NM_NORMAL(1, 2, 2, 2, 1)}},
};

static const nm_conv3d_options defaults = {NM_END(nm_conv3d_options), NM_CONV3D_DEFAULTS};
NM_OPTIONS_INIT(nm_conv3d_options, defaults)
static const nm_option options[] = {
    NM_CONV2D_ROW(nm_conv3d_options, stride, 1,
                  "step of the kernel: one number, or depth, height and width"),
    {NM_FIELD(nm_conv3d_options, padding), NM_OPTION_INTS, .min = 0, .max = 65536,
     .named = nm_padding_names, .doc = "zeros around the volume: " PADDING_FORM},
    NM_CONV2D_ROW(nm_conv3d_options, dilation, 1,
                  "distance of the kernel's taps: one number, or three"),
    {NM_FIELD(nm_conv3d_options, groups), NM_OPTION_INT, .min = 1, .max = NM_NO_LIMIT,
     .doc = "the channels fall into so many groups that do not mix"},
    {NM_FIELD(nm_conv3d_options, precision), NM_OPTION_ENUM, .names = nm_precision_names,
     .doc = NM_PRECISION_DOC},
};
static const nm_spec spec = NM_SPEC(nm_conv3d_options, defaults, options);
static const nm_port inputs[] = {
    {.name = "x", .doc = "[n, depth, height, width, channels]"},
    {.name = "w", .doc = "[out, kd, kh, kw, channels / groups]"},
    {.name = "b", .doc = "[out]", .flags = NM_PORT_OPTIONAL},
};
static const nm_port outputs[] = {{.name = "y", .doc = "[n, depth', height', width', out]"}};

NM_COMPOSED_OP(conv3d, inputs, outputs, 0, "convolution of volumes", .spec = &spec,
               .doc =
                   "The sum over the kernel's taps in depth of a conv2d of the planes that each\n"
                   "sees; the sizes of all three axes are as conv2d's.")

nm_tensor *nm_conv3d_with(nm_tape *tape, nm_tensor *x, nm_tensor *w, nm_tensor *b,
                          const nm_conv3d_options *o)
{
    nm_tensor *in[] = {x, w, b}, *out[1];
    return nm_apply(tape, &nm_op_conv3d, in, b ? 3 : 2, o, out) == NM_OK ? out[0] : NULL;
}
