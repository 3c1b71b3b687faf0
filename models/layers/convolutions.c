/* Convolutions of signals and of volumes, and the transposed one of images. Their weights are as
 * conv2d's, [out, kernel..., in / groups], whatever their op takes: what is said of rows of a
 * weight, by weight norm, initializers and the like, is true of all. */
#include "models/table.h"
#include "models/weight.h"
#include "ops/basic.h"
#include "ops/linear/sides.h"

typedef struct convolution_options {
    NM_LAYER_FIELDS;
    int64_t channels;
    nm_ints kernel;
    nm_ints stride;
    nm_ints padding;
    nm_ints output_padding; /* transposed */
    nm_ints dilation;
    int64_t groups;
    NM_WEIGHT_FIELDS;
} convolution_options;

/* Item `i` of a list of one number for all axes, or one for each. */
static int64_t item_of(const nm_ints *list, int i)
{
    return list->at[list->count == 1 ? 0 : i];
}

/* ---- Parameters ---- */

/* `form`: what the input must be; `shape`: what to make of it, of samples that are vectors. */
static nm_status check_input(nm_layer *layer, const nm_shape *x, int axes, const char *form,
                             const char *shape)
{
    const int64_t groups = ((const convolution_options *)layer->options)->groups;
    char text[NM_SHAPE_TEXT];
    nm_shape_text(x, text);
    if (x->rank != axes + 2) {
        return nm_layer_fail(layer,
                             "its input %s must be %s; if it is, put op: {apply: {reshape: {shape: "
                             "%s}}} in front",
                             text, form, shape);
    }
    const int64_t channels = x->dim[axes + 1];
    if (channels % groups) {
        return nm_layer_fail(layer,
                             "the %lld channels of its input %s do not divide into %lld groups",
                             (long long)channels, text, (long long)groups);
    }
    return NM_OK;
}

static nm_status build(nm_layer *layer, const nm_shape *x, int axes)
{
    const convolution_options *o = layer->options;
    const nm_weight_options weight = {o->bias, o->init, o->weight_norm, o->weight};
    nm_shape shape = {axes + 2, {o->channels}};
    for (int i = 0; i < axes; i++) {
        shape.dim[i + 1] = item_of(&o->kernel, i);
    }
    shape.dim[axes + 1] = x->dim[axes + 1] / o->groups;
    return nm_weight_build(layer, &weight, shape, layer->state);
}

static nm_status conv1d_build(nm_layer *layer, const nm_shape *x)
{
    nm_status status = check_input(layer, x, 1, "signals, [batch, length, channels]",
                                   x->rank == 2 ? "[-1, length, 1]" : "[-1, length, channels]");
    return status == NM_OK ? build(layer, x, 1) : status;
}

static nm_status conv3d_build(nm_layer *layer, const nm_shape *x)
{
    nm_status status = check_input(layer, x, 3, "volumes, [batch, depth, height, width, channels]",
                                   x->rank == 4 ? "[-1, depth, height, width, 1]"
                                                : "[-1, depth, height, width, channels]");
    return status == NM_OK ? build(layer, x, 3) : status;
}

static nm_status conv2d_transpose_build(nm_layer *layer, const nm_shape *x)
{
    nm_status status = nm_layer_images(layer, x);
    status = status == NM_OK ? check_input(layer, x, 2, "images", "") : status;
    return status == NM_OK ? build(layer, x, 2) : status;
}

/* ---- The pass ---- */

static nm_tensor *conv1d(nm_layer *layer, const nm_pass *pass, nm_tensor *x, nm_tensor *w,
                         nm_tensor *b)
{
    const convolution_options *o = layer->options;
    return nm_conv1d(pass->tape, x, w, b, .stride = o->stride.at[0], .padding = o->padding,
                     .dilation = o->dilation.at[0], .groups = o->groups,
                     .precision = (int)pass->precision);
}

static nm_tensor *conv3d(nm_layer *layer, const nm_pass *pass, nm_tensor *x, nm_tensor *w,
                         nm_tensor *b)
{
    const convolution_options *o = layer->options;
    return nm_conv3d(pass->tape, x, w, b, .stride = o->stride, .padding = o->padding,
                     .dilation = o->dilation, .groups = o->groups,
                     .precision = (int)pass->precision);
}

/* [out, kh, kw, in / groups] as [in, kh, kw, out / groups] */
static nm_tensor *turned(nm_tape *tape, nm_tensor *w, int64_t groups)
{
    const nm_shape *s = nm_tensor_shape(w);
    const int64_t out = s->dim[0] / groups, kh = s->dim[1], kw = s->dim[2], in = s->dim[3];
    nm_tensor *parts = nm_reshape(tape, w, NM_SHAPE(groups, out, kh, kw, in));
    parts = nm_permute(tape, parts, .axes = NM_INTS(0, 4, 2, 3, 1));
    return nm_reshape(tape, parts, NM_SHAPE(groups * in, kh, kw, out));
}

static nm_tensor *conv2d_transpose(nm_layer *layer, const nm_pass *pass, nm_tensor *x, nm_tensor *w,
                                   nm_tensor *b)
{
    const convolution_options *o = layer->options;
    return nm_conv2d_transpose(pass->tape, x, turned(pass->tape, w, o->groups), b,
                               .stride = o->stride, .padding = o->padding,
                               .output_padding = o->output_padding, .dilation = o->dilation,
                               .groups = o->groups, .precision = (int)pass->precision);
}

static nm_tensor *conv1d_forward(nm_layer *layer, const nm_pass *pass, nm_tensor *x)
{
    return nm_weight_forward(layer, layer->state, pass, x, conv1d);
}

static nm_tensor *conv3d_forward(nm_layer *layer, const nm_pass *pass, nm_tensor *x)
{
    return nm_weight_forward(layer, layer->state, pass, x, conv3d);
}

static nm_tensor *conv2d_transpose_forward(nm_layer *layer, const nm_pass *pass, nm_tensor *x)
{
    return nm_weight_forward(layer, layer->state, pass, x, conv2d_transpose);
}

/* ---- Options ---- */

static void check_list(const char *type, const char *name, const nm_ints *list, int axes,
                       const nm_value *at, nm_diagnostics *d)
{
    static const char *const more[] = {"", ", or two: vertical, horizontal",
                                       ", or three: depth, height, width"};
    if (list->count != 1 && list->count != axes) {
        nm_diagnose(d, at, "%s: \"%s\" takes one number%s; not %d", type, name, more[axes - 1],
                    list->count);
    }
}

static void check_options(const char *type, int axes, const convolution_options *o,
                          const nm_value *at, nm_diagnostics *d)
{
    check_list(type, "kernel", &o->kernel, axes, at, d);
    check_list(type, "stride", &o->stride, axes, at, d);
    check_list(type, "dilation", &o->dilation, axes, at, d);
    check_list(type, "output_padding", &o->output_padding, axes, at, d);
    if (o->padding.count != 2 * axes) {
        check_list(type, "padding", &o->padding, axes, at, d);
    }
    if (o->channels % o->groups) {
        nm_diagnose(d, at, "%s: %lld channels do not divide into %lld groups", type,
                    (long long)o->channels, (long long)o->groups);
    }
}

static void check_conv1d(const void *options, const nm_value *at, nm_diagnostics *d)
{
    check_options("conv1d", 1, options, at, d);
}

static void check_conv3d(const void *options, const nm_value *at, nm_diagnostics *d)
{
    check_options("conv3d", 3, options, at, d);
}

static void check_conv2d_transpose(const void *options, const nm_value *at, nm_diagnostics *d)
{
    check_options("conv2d_transpose", 2, options, at, d);
}

#define LIST_ROW(field_, min_, doc_)                                                               \
    {                                                                                              \
        NM_FIELD(convolution_options, field_), NM_OPTION_INTS, .min = min_, .max = 1e4,            \
                                                               .doc = doc_                         \
    }
#define ROWS_BEGIN(kernel_)                                                                        \
    NM_LAYER_ROWS(convolution_options),                                                            \
        {NM_FIELD(convolution_options, channels),                                                  \
         NM_OPTION_INT,                                                                            \
         .also = "filters out_channels output_channels",                                           \
         .min = 1,                                                                                 \
         .max = 1e7,                                                                               \
         .flags = NM_REQUIRED,                                                                     \
         .doc = "output channels"},                                                                \
    {                                                                                              \
        NM_FIELD(convolution_options, kernel), NM_OPTION_INTS,                                     \
            .also = "kernel_size size", .min = 1, .max = 1e4, .flags = NM_REQUIRED, .doc = kernel_ \
    }
#define ROWS_END(padding_)                                                                         \
    {NM_FIELD(convolution_options, padding),                                                       \
     NM_OPTION_INTS,                                                                               \
     .min = 0,                                                                                     \
     .max = 1e4,                                                                                   \
     .named = nm_padding_names,                                                                    \
     .doc = padding_},                                                                             \
        LIST_ROW(dilation, 1, "distance of the kernel's taps"),                                    \
        {NM_FIELD(convolution_options, groups), NM_OPTION_INT, .min = 1, .max = 1e7,               \
         .doc = "channels fall into so many groups that do not mix"},                              \
        NM_WEIGHT_ROWS(convolution_options)

static const convolution_options defaults = {NM_CONV2D_TRANSPOSE_GEOMETRY, NM_WEIGHT_DEFAULTS};

static const nm_option conv1d_rows[] = {
    ROWS_BEGIN("length of the kernel"),
    LIST_ROW(stride, 1, "step from one output to the next"),
    ROWS_END("zeros around the signal: one number, two (before, behind), or same"),
};
static const nm_spec conv1d_spec =
    NM_LAYER_SPEC(convolution_options, defaults, conv1d_rows, check_conv1d);

static const nm_option conv3d_rows[] = {
    ROWS_BEGIN("depth, height and width of the kernel; one number: all"),
    LIST_ROW(stride, 1, "step from one output to the next"),
    ROWS_END("zeros around the volume: one number, three (depth, height, width), six (two for each "
             "axis), or same"),
};
static const nm_spec conv3d_spec =
    NM_LAYER_SPEC(convolution_options, defaults, conv3d_rows, check_conv3d);

static const nm_option conv2d_transpose_rows[] = {
    ROWS_BEGIN("height and width of the kernel; one number: both"),
    LIST_ROW(stride, 1, "step from what one input reaches to what the next does"),
    LIST_ROW(output_padding, 0,
             "rows and columns more at the end of the output; less than the stride or the "
             "dilation"),
    ROWS_END("what is cut off around the output: " NM_PADDING_FORM),
};
static const nm_spec conv2d_transpose_spec =
    NM_LAYER_SPEC(convolution_options, defaults, conv2d_transpose_rows, check_conv2d_transpose);

const nm_layer_type nm_layer_conv1d = {
    .item = NM_ITEM(nm_layer_type, "conv1d", "convolution of signals", .spec = &conv1d_spec,
                    .doc = "x [batch, length, in], weight [channels, kernel, in / groups], bias "
                           "[channels]; y [batch, length', channels] with length' = (length + 2 "
                           "padding - dilation (kernel - 1) - 1) / stride + 1, rounded down; with "
                           "padding: same, length / stride, rounded up."),
    .prefix = "conv",
    .state_size = sizeof(nm_weight),
    .build = conv1d_build,
    .forward = conv1d_forward,
};

const nm_layer_type nm_layer_conv3d = {
    .item = NM_ITEM(nm_layer_type, "conv3d", "convolution of volumes", .spec = &conv3d_spec,
                    .doc = "x [batch, depth, height, width, in], weight [channels, kernel depth, "
                           "kernel height, kernel width, in / groups], bias [channels]; y [batch, "
                           "depth', height', width', channels], with sizes as conv2d has them."),
    .prefix = "conv",
    .state_size = sizeof(nm_weight),
    .build = conv3d_build,
    .forward = conv3d_forward,
};

const nm_layer_type nm_layer_conv2d_transpose = {
    .item = NM_ITEM(nm_layer_type, "conv2d_transpose", "transposed convolution of images",
                    .also = "conv_transpose deconvolution", .spec = &conv2d_transpose_spec,
                    .doc = "Makes images larger, as the gradient of a conv2d does: x [batch, "
                           "height, width, in], y [batch, height', width', channels] with height' "
                           "= (height - 1) stride - 2 padding + dilation (kernel - 1) + "
                           "output_padding + 1; with padding: same, height stride. The weight is "
                           "[channels, kernel height, kernel width, in / groups], as conv2d's."),
    .prefix = "conv",
    .state_size = sizeof(nm_weight),
    .build = conv2d_transpose_build,
    .forward = conv2d_transpose_forward,
};
