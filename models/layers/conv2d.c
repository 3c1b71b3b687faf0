/* Convolution of images [batch, height, width, channels] with a weight [out, kh, kw, in / groups].
 */
#include "models/table.h"
#include "models/weight.h"
#include "ops/linear/sides.h"

typedef struct conv2d_layer_options {
    NM_LAYER_FIELDS;
    int64_t channels;
    nm_ints kernel;
    nm_ints stride;
    nm_ints padding;
    nm_ints dilation;
    int64_t groups;
    NM_WEIGHT_FIELDS;
} conv2d_layer_options;

static nm_status check_input(nm_layer *layer, const nm_shape *x, int64_t groups)
{
    char text[NM_SHAPE_TEXT];
    if (nm_layer_images(layer, x) != NM_OK) {
        return NM_ERROR_INPUT;
    }
    if (x->dim[3] % groups) {
        return nm_layer_fail(layer,
                             "the %lld channels of its input %s do not divide into %lld groups",
                             (long long)x->dim[3], nm_shape_text(x, text), (long long)groups);
    }
    return NM_OK;
}

static nm_status conv2d_build(nm_layer *layer, const nm_shape *x)
{
    const conv2d_layer_options *o = layer->options;
    const nm_weight_options weight = {o->bias, o->init, o->weight_norm, o->weight};
    if (check_input(layer, x, o->groups) != NM_OK) {
        return NM_ERROR_INPUT;
    }
    int64_t height = o->kernel.at[0], width = o->kernel.at[o->kernel.count - 1];
    nm_shape shape = NM_SHAPE(o->channels, height, width, x->dim[3] / o->groups);
    return nm_weight_build(layer, &weight, shape, layer->state);
}

static nm_tensor *linear(nm_layer *layer, const nm_pass *pass, nm_tensor *x, nm_tensor *w,
                         nm_tensor *b)
{
    const conv2d_layer_options *o = layer->options;
    return nm_conv2d(pass->tape, x, w, b, .stride = o->stride, .padding = o->padding,
                     .dilation = o->dilation, .groups = o->groups,
                     .precision = (int)pass->precision);
}

static nm_tensor *conv2d_forward(nm_layer *layer, const nm_pass *pass, nm_tensor *x)
{
    return nm_weight_forward(layer, layer->state, pass, x, linear);
}

/* ---- Options ---- */

static void check_one_or_two(const char *name, const nm_ints *list, const nm_value *at,
                             nm_diagnostics *d)
{
    if (list->count < 1 || list->count > 2) {
        nm_diagnose(d, at, "conv2d: \"%s\" takes one number, or two: vertical, horizontal; not %d",
                    name, list->count);
    }
}

static void check_options(const void *options, const nm_value *at, nm_diagnostics *d)
{
    const conv2d_layer_options *o = options;
    check_one_or_two("kernel", &o->kernel, at, d);
    check_one_or_two("stride", &o->stride, at, d);
    if (o->padding.count != 4) {
        check_one_or_two("padding", &o->padding, at, d);
    }
    check_one_or_two("dilation", &o->dilation, at, d);
    if (o->channels % o->groups) {
        nm_diagnose(d, at, "conv2d: %lld channels do not divide into %lld groups",
                    (long long)o->channels, (long long)o->groups);
    }
}

static const conv2d_layer_options defaults = {NM_CONV2D_GEOMETRY, NM_WEIGHT_DEFAULTS};
static const nm_option rows[] = {
    NM_LAYER_ROWS(conv2d_layer_options),
    {NM_FIELD(conv2d_layer_options, channels), NM_OPTION_INT,
     .also = "filters out_channels output_channels", .min = 1, .max = 1e7, .flags = NM_REQUIRED,
     .doc = "output channels"},
    {NM_FIELD(conv2d_layer_options, kernel), NM_OPTION_INTS, .also = "kernel_size size", .min = 1,
     .max = 1e4, .flags = NM_REQUIRED, .doc = "height and width of the kernel; one number: both"},
    {NM_FIELD(conv2d_layer_options, stride), NM_OPTION_INTS, .min = 1, .max = 1e4,
     .doc = "step from one output to the next"},
    {NM_FIELD(conv2d_layer_options, padding), NM_OPTION_INTS, .min = 0, .max = 1e4,
     .named = nm_padding_names, .doc = "zeros around the image: " NM_PADDING_FORM},
    {NM_FIELD(conv2d_layer_options, dilation), NM_OPTION_INTS, .min = 1, .max = 1e4,
     .doc = "distance of the kernel's taps"},
    {NM_FIELD(conv2d_layer_options, groups), NM_OPTION_INT, .min = 1, .max = 1e7,
     .doc = "channels fall into so many groups that do not mix"},
    NM_WEIGHT_ROWS(conv2d_layer_options),
};
static const nm_spec spec = NM_LAYER_SPEC(conv2d_layer_options, defaults, rows, check_options);

const nm_layer_type nm_layer_conv2d = {
    .item = NM_ITEM(
        nm_layer_type, "conv2d", "convolution of images", .also = "conv convolution", .spec = &spec,
        .doc = "x [batch, height, width, in], weight [channels, kernel height, kernel "
               "width, in / groups], bias [channels]; y [batch, height', width', "
               "channels] with height' = (height + 2 padding - dilation (kernel - 1) - "
               "1) / stride + 1, rounded down; with padding: same, height / stride, rounded up.\n"
               "With weight_norm the parameters are weight_v and weight_g: w = g v / "
               "||v||; weight: {...} has other ways to make the weight."),
    .prefix = "conv",
    .state_size = sizeof(nm_weight),
    .build = conv2d_build,
    .forward = conv2d_forward,
};
