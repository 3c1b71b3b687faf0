/* A convolution of signals is one of images with one row. */
#include "ops/basic.h"
#include "ops/define.h"
#include "ops/linear/conv2d.h"
#include "ops/table.h"

/* [a, length, b] as [a, 1, length, b] */
static nm_tensor *as_image(nm_tape *tape, nm_tensor *x)
{
    return nm_unsqueeze(tape, x, .axes = NM_INTS(1));
}

static nm_conv2d_options options_of_image(const nm_conv1d_options *o)
{
    nm_conv2d_options image = {NM_END(nm_conv2d_options), NM_CONV2D_DEFAULTS};
    image.stride = (nm_ints)NM_LIST_OF(2, 1, o->stride);
    image.dilation = (nm_ints)NM_LIST_OF(2, 1, o->dilation);
    image.padding = o->padding;
    if (o->padding.count == 2 || o->padding.at[0] != NM_PADDING_SAME) {
        image.padding = (nm_ints)NM_LIST_OF(4, 0, 0, o->padding.at[0],
                                            o->padding.at[o->padding.count == 2 ? 1 : 0]);
    }
    image.groups = o->groups;
    image.precision = o->precision;
    return image;
}

static nm_tensor *conv1d_compose(nm_compose *c)
{
    const nm_conv1d_options *o = c->options;
    const nm_shape *x = nm_tensor_shape(c->in[0]), *w = nm_tensor_shape(c->in[1]);
    if (x->rank != 3 || w->rank != 3) {
        char a[NM_SHAPE_TEXT], b[NM_SHAPE_TEXT];
        return nm_compose_fail(c,
                               "x %s and w %s must be [n, length, channels] and [out, k, "
                               "channels / groups]",
                               nm_shape_text(x, a), nm_shape_text(w, b));
    }
    if (o->padding.count < 1 || o->padding.count > 2) {
        return nm_compose_fail(c, "padding takes one number, two (before, behind), or same");
    }
    const nm_conv2d_options image = options_of_image(o);
    nm_tensor *y = nm_conv2d_with(c->tape, as_image(c->tape, c->in[0]), as_image(c->tape, c->in[1]),
                                  c->in[2], &image);
    return nm_squeeze(c->tape, y, .axes = NM_INTS(1));
}

static const nm_sample conv1d_samples[] = {
    {.in = {NM_NORMAL(2, 5, 2), NM_NORMAL(3, 3, 2), NM_NORMAL(3)}},
    {.options = "{padding: [1, 2], stride: 2, dilation: 2, groups: 2}",
     .in = {NM_NORMAL(1, 5, 4), NM_NORMAL(2, 2, 2)}},
    {.options = "{padding: same}", .in = {NM_NORMAL(1, 4, 2), NM_NORMAL(2, 4, 2)}},
};

static const nm_conv1d_options defaults = {NM_END(nm_conv1d_options), NM_CONV1D_DEFAULTS};
NM_OPTIONS_INIT(nm_conv1d_options, defaults)
static const nm_option options[] = {
    {NM_FIELD(nm_conv1d_options, stride), NM_OPTION_INT, .min = 1, .max = 65536,
     .doc = "step of the kernel"},
    {NM_FIELD(nm_conv1d_options, padding), NM_OPTION_INTS, .min = 0, .max = 65536,
     .named = nm_padding_names,
     .doc = "zeros around the signal: one number, two (before, behind), or same"},
    {NM_FIELD(nm_conv1d_options, dilation), NM_OPTION_INT, .min = 1, .max = 65536,
     .doc = "distance of the kernel's taps"},
    {NM_FIELD(nm_conv1d_options, groups), NM_OPTION_INT, .min = 1, .max = NM_NO_LIMIT,
     .doc = "the channels fall into so many groups that do not mix"},
    {NM_FIELD(nm_conv1d_options, precision), NM_OPTION_ENUM, .names = nm_precision_names,
     .doc = NM_PRECISION_DOC},
};
static const nm_spec spec = NM_SPEC(nm_conv1d_options, defaults, options);
static const nm_port inputs[] = {
    {.name = "x", .doc = "[n, length, channels]"},
    {.name = "w", .doc = "[out, k, channels / groups]"},
    {.name = "b", .doc = "[out]", .flags = NM_PORT_OPTIONAL},
};
static const nm_port outputs[] = {{.name = "y", .doc = "[n, length', out]"}};

NM_COMPOSED_OP(conv1d, inputs, outputs, 0, "convolution of signals", .spec = &spec,
               .doc =
                   "conv2d of images with one row: length' = (length + padding - dilation (k - 1)\n"
                   "- 1) / stride + 1 with the padding of both sides, rounded down.")

nm_tensor *nm_conv1d_with(nm_tape *tape, nm_tensor *x, nm_tensor *w, nm_tensor *b,
                          const nm_conv1d_options *o)
{
    nm_tensor *in[] = {x, w, b}, *out[1];
    return nm_apply(tape, &nm_op_conv1d, in, b ? 3 : 2, o, out) == NM_OK ? out[0] : NULL;
}
