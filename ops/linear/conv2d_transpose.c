/* Transposed convolution: conv2d's gradient in its input, told the size of the result. */
#include "ops/basic.h"
#include "ops/define.h"
#include "ops/linear/checks.h"
#include "ops/linear/conv2d.h"
#include "ops/table.h"

/* What one axis has. */
typedef struct axis {
    int64_t size, kernel, stride, dilation;
    int64_t more;          /* output_padding */
    int64_t before, after; /* padding */
    int64_t rest;          /* what of output_padding no tap reaches */
    int64_t out;           /* the result's size */
} axis;

static bool has_lists(nm_compose *c, const nm_conv2d_transpose_options *o)
{
    const nm_ints *lists[] = {&o->stride, &o->dilation, &o->output_padding};
    static const char *const names[] = {"stride", "dilation", "output_padding"};
    if (!nm_lists_fit(c, 2, "two: vertical, horizontal", lists, names, NM_COUNT_OF(lists))) {
        return false;
    }
    if (!nm_sides_are_fine(&o->padding)) {
        nm_compose_fail(c, "padding takes " NM_PADDING_FORM);
        return false;
    }
    return true;
}

static bool has_channels(nm_compose *c, const nm_conv2d_transpose_options *o)
{
    const nm_shape *x = nm_tensor_shape(c->in[0]), *w = nm_tensor_shape(c->in[1]);
    char a[NM_SHAPE_TEXT], b[NM_SHAPE_TEXT];
    nm_shape_text(x, a);
    nm_shape_text(w, b);
    if (x->rank != 4 || w->rank != 4) {
        nm_compose_fail(c,
                        "x %s and w %s must be [n, h, w, channels] and [channels, kh, kw, out / "
                        "groups]",
                        a, b);
    } else if (x->dim[3] != w->dim[0] || x->dim[3] % o->groups) {
        nm_compose_fail(c, "the channels do not fit: x %s, w %s, groups %lld", a, b,
                        (long long)o->groups);
    } else {
        return true;
    }
    return false;
}

/* (size - 1) stride - padding + dilation (kernel - 1) + output_padding + 1; false: there is no such
 * number above 0. */
static bool find_size(axis *a, bool same)
{
    int64_t first, reach;
    if (a->size < 1 || a->kernel < 1 || __builtin_mul_overflow(a->size - 1, a->stride, &first) ||
        __builtin_mul_overflow(a->kernel - 1, a->dilation, &reach) || first > INT64_MAX / 4 ||
        reach > INT64_MAX / 4) {
        return false;
    }
    a->out = same ? first + a->stride : first - a->before - a->after + reach + a->more + 1;
    /* A convolution of so many places more would have one more. What padding cuts off behind is
     * shown first. */
    a->rest = a->more >= a->stride ? a->more - a->stride + 1 : 0;
    const int64_t shown = a->rest < a->after ? a->rest : a->after;
    a->after -= shown;
    a->rest -= shown;
    return a->out > a->rest;
}

/* Both axes, their padding as that of the convolution that this is the gradient of. */
static bool find_axes(nm_compose *c, const nm_conv2d_transpose_options *o, axis axes[2])
{
    const nm_shape *x = nm_tensor_shape(c->in[0]), *w = nm_tensor_shape(c->in[1]);
    const bool same = o->padding.count == 1 && o->padding.at[0] == NM_PADDING_SAME;
    const nm_sides s =
        nm_find_sides(&o->padding, (int64_t[2]){0}, (int64_t[2]){0}, (int64_t[2]){1, 1});
    char a[NM_SHAPE_TEXT], b[NM_SHAPE_TEXT];
    for (int i = 0; i < 2; i++) {
        axis *at = &axes[i];
        *at = (axis){.size = x->dim[i + 1],
                     .kernel = w->dim[i + 1],
                     .stride = nm_item_of(&o->stride, i),
                     .dilation = nm_item_of(&o->dilation, i),
                     .more = nm_item_of(&o->output_padding, i),
                     .before = s.before[i],
                     .after = s.after[i]};
        if (at->more && (same || (at->more >= at->stride && at->more >= at->dilation))) {
            nm_compose_fail(c,
                            same ? "output_padding %lld beside padding: same, which says the size"
                                 : "output_padding %lld must be below the stride or the dilation",
                            (long long)at->more);
            return false;
        }
        if (!find_size(at, same)) {
            nm_compose_fail(c, "nothing is left of the output: x %s, w %s", nm_shape_text(x, a),
                            nm_shape_text(w, b));
            return false;
        }
    }
    return true;
}

static nm_conv2d_options options_of_conv(const nm_conv2d_transpose_options *o, const axis at[2])
{
    const bool more = at[0].more || at[1].more;
    nm_conv2d_options conv = {NM_END(nm_conv2d_options), NM_CONV2D_DEFAULTS};
    conv.stride = o->stride;
    conv.dilation = o->dilation;
    conv.padding =
        more ? NM_INTS(at[0].before, at[0].after, at[1].before, at[1].after) : o->padding;
    conv.groups = o->groups;
    conv.precision = o->precision;
    return conv;
}

static nm_tensor *conv2d_transpose_compose(nm_compose *c)
{
    const nm_conv2d_transpose_options *o = c->options;
    axis at[2];
    if (!has_lists(c, o) || !has_channels(c, o) ||
        !nm_bias_fits(c, nm_tensor_shape(c->in[1])->dim[3] * o->groups) || !find_axes(c, o, at)) {
        return NULL;
    }
    const nm_conv2d_options conv = options_of_conv(o, at);
    nm_tensor *y = nm_conv2d_input_grad(c->tape, c->in[0], c->in[1], &conv, at[0].out - at[0].rest,
                                        at[1].out - at[1].rest);
    if (at[0].rest || at[1].rest) {
        y = nm_pad(c->tape, y, .axes = NM_INTS(1, 2),
                   .padding = NM_INTS(0, at[0].rest, 0, at[1].rest));
    }
    return c->in[2] ? nm_add(c->tape, y, c->in[2]) : y;
}

static const nm_sample conv2d_transpose_samples[] = {
    {.in = {NM_NORMAL(2, 3, 4, 2), NM_NORMAL(2, 3, 3, 3), NM_NORMAL(3)}},
    {.options = "{stride: 2, padding: 1, output_padding: 1}",
     .in = {NM_NORMAL(1, 3, 2, 2), NM_NORMAL(2, 3, 3, 2)}},
    {.options = "{stride: [2, 1], padding: [1, 0], dilation: [1, 2], groups: 2}",
     .in = {NM_NORMAL(2, 2, 3, 4), NM_NORMAL(4, 3, 2, 2), NM_NORMAL(4)}},
    {.options = "{stride: 2, padding: same}", .in = {NM_NORMAL(1, 2, 3, 2), NM_NORMAL(2, 3, 4, 1)}},
    {.options = "{stride: 2, dilation: 4, output_padding: 3, padding: 2}",
     .in = {NM_NORMAL(1, 3, 2, 1), NM_NORMAL(1, 2, 2, 1)}},
    {.options = "{dilation: 3, output_padding: 2, padding: [0, 1, 1, 0]}",
     .in = {NM_NORMAL(1, 2, 2, 1), NM_NORMAL(1, 2, 2, 2)}},
};

static const nm_conv2d_transpose_options defaults = {NM_END(nm_conv2d_transpose_options),
                                                     NM_CONV2D_TRANSPOSE_DEFAULTS};
NM_OPTIONS_INIT(nm_conv2d_transpose_options, defaults)
static const nm_option options[] = {
    NM_CONV2D_ROWS(nm_conv2d_transpose_options),
    NM_CONV2D_ROW(nm_conv2d_transpose_options, output_padding, 0,
                  "rows and columns more at the end: one number, or two"),
};
static const nm_spec spec = NM_SPEC(nm_conv2d_transpose_options, defaults, options);
static const nm_port inputs[] = {
    {.name = "x", .doc = "[n, h, w, channels]"},
    {.name = "w", .doc = "[channels, kh, kw, out / groups]"},
    {.name = "b", .doc = "[out]: the bias", .flags = NM_PORT_OPTIONAL},
};

NM_COMPOSED_OP(
    conv2d_transpose, inputs, nm_conv2d_outputs, 0, "transposed convolution of images",
    .spec = &spec, .also = "conv_transpose conv_transpose2d deconvolution",
    .doc = "The gradient of a conv2d with these options in its input, plus b:\n"
           "oh = (h - 1) stride - padding of both sides + dilation (kh - 1) + output_padding + 1; "
           "ow\nlikewise. With padding: same, oh = h stride.")

nm_tensor *nm_conv2d_transpose_with(nm_tape *tape, nm_tensor *x, nm_tensor *w, nm_tensor *b,
                                    const nm_conv2d_transpose_options *o)
{
    nm_tensor *in[] = {x, w, b}, *out[1];
    return nm_apply(tape, &nm_op_conv2d_transpose, in, b ? 3 : 2, o, out) == NM_OK ? out[0] : NULL;
}
