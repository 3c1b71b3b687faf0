/* Pooling of images [batch, height, width, channels]. */
#include "models/table.h"
#include "ops/linear/sides.h"

typedef struct pool2d_layer_options {
    NM_LAYER_FIELDS;
    nm_ints kernel;
    nm_ints stride;
    nm_ints padding;
    bool global;
    nm_ints dilation;
    bool ceil_mode;
    bool count_include_pad;
} pool2d_layer_options;

static void pool2d_check(const void *options, const nm_value *at, nm_diagnostics *d)
{
    const pool2d_layer_options *o = options;
    if (!o->global == !o->kernel.count) {
        nm_diagnose(d, at, "pooling takes a \"kernel\", such as 2, or \"global: true\"%s",
                    o->global ? ", not both" : "");
    }
}

static const pool2d_layer_options defaults = {NM_POOL2D_DEFAULTS};

#define POOL_ROWS                                                                                  \
    NM_LAYER_ROWS(pool2d_layer_options),                                                           \
        {NM_FIELD(pool2d_layer_options, kernel),                                                   \
         NM_OPTION_INTS,                                                                           \
         .min = 1,                                                                                 \
         .max = 1e4,                                                                               \
         .doc = "height and width of the window; one number: both",                                \
         .also = "pool_size kernel_size size"},                                                    \
        {NM_FIELD(pool2d_layer_options, stride), NM_OPTION_INTS, .min = 1, .max = 1e4,             \
         .doc = "step from one window to the next; default: the kernel"},                          \
        {NM_FIELD(pool2d_layer_options, padding),                                                  \
         NM_OPTION_INTS,                                                                           \
         .min = 0,                                                                                 \
         .max = 1e4,                                                                               \
         .named = nm_padding_names,                                                                \
         .doc = "at most half the kernel: " NM_PADDING_FORM},                                      \
        {NM_FIELD(pool2d_layer_options, ceil_mode), NM_OPTION_BOOL,                                \
         .doc = "round the size of the output up: the last window may end outside"},               \
    {                                                                                              \
        NM_FIELD(pool2d_layer_options, global), NM_OPTION_BOOL,                                    \
            .doc = "the window is the whole image: one value a channel, [1, 1, channels]"          \
    }

static const nm_option max_rows[] = {
    POOL_ROWS,
    {NM_FIELD(pool2d_layer_options, dilation), NM_OPTION_INTS, .min = 1, .max = 1e4,
     .doc = "distance of the window's places"},
};
static const nm_option avg_rows[] = {
    POOL_ROWS,
    {NM_FIELD(pool2d_layer_options, count_include_pad), NM_OPTION_BOOL, .also = "count_padding",
     .doc = "padding counts as zeros in the mean"},
};
static const nm_spec max_spec =
    NM_LAYER_SPEC(pool2d_layer_options, defaults, max_rows, pool2d_check);
static const nm_spec avg_spec =
    NM_LAYER_SPEC(pool2d_layer_options, defaults, avg_rows, pool2d_check);

static nm_pool2d_options op_options(const nm_layer *layer)
{
    const pool2d_layer_options *o = layer->options;
    return (nm_pool2d_options){
        NM_END(nm_pool2d_options), .kernel = o->kernel,
        .stride = o->stride,       .padding = o->padding,
        .global = o->global,       .dilation = o->dilation,
        .ceil_mode = o->ceil_mode, .count_include_pad = o->count_include_pad};
}

static nm_tensor *max_forward(nm_layer *layer, const nm_pass *pass, nm_tensor *x)
{
    const nm_pool2d_options o = op_options(layer);
    return nm_max_pool2d_with(pass->tape, x, &o);
}

static nm_tensor *avg_forward(nm_layer *layer, const nm_pass *pass, nm_tensor *x)
{
    const nm_pool2d_options o = op_options(layer);
    return nm_avg_pool2d_with(pass->tape, x, &o);
}

const nm_layer_type nm_layer_max_pool2d = {
    .item = NM_ITEM(nm_layer_type, "max_pool2d", "the largest value under a moving window",
                    .also = "max_pooling maxpool", .spec = &max_spec,
                    .doc = "x [batch, height, width, channels]; y [batch, height', width', "
                           "channels] with height' = (height + padding - kernel) / stride + 1, the "
                           "padding of both sides counted, rounded down or by ceil_mode up."),
    .prefix = "max_pool",
    .build = nm_layer_images,
    .forward = max_forward,
};

const nm_layer_type nm_layer_avg_pool2d = {
    .item = NM_ITEM(nm_layer_type, "avg_pool2d", "the mean under a moving window",
                    .also = "average_pooling average_pooling2d mean_pool global_avg_pool "
                            "global_average_pooling adaptive_avg_pool",
                    .spec = &avg_spec,
                    .doc = "Shapes as in max_pool2d. avg_pool2d: {global: true} and flatten make "
                           "one value a channel of an image of any size."),
    .prefix = "avg_pool",
    .build = nm_layer_images,
    .forward = avg_forward,
};
