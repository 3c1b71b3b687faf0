#include "ops/pool/pool2d.h"

#include "ops/linear/sides.h"

static int64_t pair_item(const nm_ints *list, int i, int64_t standard)
{
    return list->count == 0 ? standard : list->at[list->count == 1 ? 0 : i];
}

static void fill_options(nm_pool *p, const nm_pool2d_options *o)
{
    const int64_t size[2] = {p->h, p->w};
    for (int i = 0; i < 2; i++) {
        p->kernel[i] = o->global ? size[i] : pair_item(&o->kernel, i, 0);
        p->stride[i] = o->global ? 1 : pair_item(&o->stride, i, p->kernel[i]);
        p->dilation[i] = o->global ? 1 : pair_item(&o->dilation, i, 1);
        p->dilated = p->dilated || p->dilation[i] != 1;
        p->reach[i] = p->dilation[i] == 1 ? p->kernel[i] : (p->kernel[i] - 1) * p->dilation[i] + 1;
    }
    const nm_ints none = NM_NO_LIST;
    const nm_sides s = nm_find_sides(o->global ? &none : &o->padding, size, p->reach, p->stride);
    for (int i = 0; i < 2; i++) {
        p->padding[i] = s.before[i];
        p->end[i] = size[i] + s.after[i];
    }
    p->count_include_pad = o->count_include_pad;
}

static bool is_plain(const nm_ints *list, int64_t value)
{
    bool plain = true;
    for (int i = 0; i < list->count; i++) {
        plain = plain && list->at[i] == value;
    }
    return plain;
}

static nm_status check_options(nm_infer *infer, const nm_pool2d_options *o)
{
    if (!o->global && o->kernel.count == 0) {
        return nm_infer_fail(infer, "give a kernel, or global: true for the whole image");
    }
    if (o->global && (o->kernel.count || o->stride.count || !is_plain(&o->padding, 0) ||
                      !is_plain(&o->dilation, 1))) {
        return nm_infer_fail(infer, "global: true takes the whole image; leave kernel, stride, "
                                    "padding and dilation out");
    }
    if (o->kernel.count > 2 || o->stride.count > 2 || o->dilation.count > 2) {
        return nm_infer_fail(infer, "kernel, stride and dilation take one number, or two: "
                                    "vertical, horizontal");
    }
    return nm_check_sides(infer, &o->padding);
}

static nm_status check_sizes(nm_infer *infer, const nm_pool *p)
{
    const int64_t size[2] = {p->h, p->w};
    static const char *const axes[] = {"height", "width"};
    for (int i = 0; i < 2; i++) {
        const int64_t after = p->end[i] - size[i];
        const int64_t padding = p->padding[i] > after ? p->padding[i] : after;
        if (padding > p->reach[i] / 2) {
            return nm_infer_fail(infer, "the padding %lld is more than half the kernel %lld",
                                 (long long)padding, (long long)p->reach[i]);
        }
        if (size[i] < 1 || p->kernel[i] < 1 || p->reach[i] - p->padding[i] > p->end[i]) {
            return nm_infer_fail(infer,
                                 "the kernel %lld does not fit into the %s %lld with padding "
                                 "%lld; make it smaller",
                                 (long long)p->reach[i], axes[i], (long long)size[i],
                                 (long long)padding);
        }
        if (p->kernel[i] > 1 && p->dilation[i] > size[i]) { /* a window might hold nothing */
            return nm_infer_fail(infer, "the dilation %lld is more than the %s %lld",
                                 (long long)p->dilation[i], axes[i], (long long)size[i]);
        }
    }
    return NM_OK;
}

/* Windows along one axis. Rounded up, the last one must still begin in the image or before it. */
static int64_t count_windows(const nm_pool *p, int i, int64_t size, bool ceil_mode)
{
    const int64_t left = p->end[i] - (p->reach[i] - p->padding[i]), stride = p->stride[i];
    int64_t windows = left / stride + 1;
    if (ceil_mode && left % stride && windows * stride < size + p->padding[i]) {
        windows++;
    }
    return windows;
}

nm_status nm_pool_infer(nm_infer *infer, const nm_pool2d_options *o, const nm_shape *x, nm_pool *p)
{
    char text[NM_SHAPE_TEXT];
    if (x->rank != 4) {
        return nm_infer_fail(infer, "x %s must be [n, h, w, channels]", nm_shape_text(x, text));
    }
    nm_status status = check_options(infer, o);
    if (status != NM_OK) {
        return status;
    }
    *p = (nm_pool){.n = x->dim[0], .h = x->dim[1], .w = x->dim[2], .c = x->dim[3]};
    fill_options(p, o);
    status = check_sizes(infer, p);
    if (status == NM_OK) {
        p->oh = count_windows(p, 0, p->h, o->ceil_mode);
        p->ow = count_windows(p, 1, p->w, o->ceil_mode);
    }
    return status;
}

nm_status nm_pool_infer_grad(nm_infer *infer, nm_pool *p)
{
    const nm_pool2d_grad_options *o = infer->options;
    const nm_shape *dy = infer->in[0];
    if (dy->rank != 4 || o->size.count < 1 || o->size.count > 2) {
        return nm_infer_fail(infer,
                             "dy must be [n, oh, ow, channels], and size the height and width");
    }
    nm_shape x = {4,
                  {dy->dim[0], pair_item(&o->size, 0, 0), pair_item(&o->size, 1, 0), dy->dim[3]}};
    nm_status status = nm_pool_infer(infer, &o->pool, &x, p);
    if (status == NM_OK && (p->oh != dy->dim[1] || p->ow != dy->dim[2])) {
        char text[NM_SHAPE_TEXT];
        return nm_infer_fail(infer, "dy is %s, but the pooling gives %lld by %lld",
                             nm_shape_text(dy, text), (long long)p->oh, (long long)p->ow);
    }
    return status;
}

nm_shape nm_pool_input(const nm_pool *p)
{
    return (nm_shape){4, {p->n, p->h, p->w, p->c}};
}

nm_shape nm_pool_output(const nm_pool *p)
{
    return (nm_shape){4, {p->n, p->oh, p->ow, p->c}};
}

nm_pool nm_pool_make(const nm_pool2d_options *o, const nm_shape *x, const nm_shape *y)
{
    nm_pool p = {.n = x->dim[0],
                 .h = x->dim[1],
                 .w = x->dim[2],
                 .c = x->dim[3],
                 .oh = y->dim[1],
                 .ow = y->dim[2]};
    fill_options(&p, o);
    return p;
}

nm_pool2d_grad_options nm_pool_grad_options(const nm_pool2d_options *o, nm_tensor *x)
{
    const nm_shape *shape = nm_tensor_shape(x);
    nm_pool2d_grad_options g = {.pool = *o, .size = NM_LIST_OF(2, shape->dim[1], shape->dim[2])};
    g.pool.struct_size = sizeof g;
    return g;
}

nm_pool2d_options nm_pool_plain_options(const nm_pool2d_grad_options *o)
{
    nm_pool2d_options plain = o->pool;
    plain.struct_size = sizeof plain;
    return plain;
}

/* ---- Options ---- */

#define POOL_ROWS                                                                                  \
    {NM_FIELD(nm_pool2d_options, kernel), NM_OPTION_INTS, .min = 1, .max = 65536,                  \
     .doc = "height and width of the window: one number, or two"},                                 \
        {NM_FIELD(nm_pool2d_options, stride), NM_OPTION_INTS, .min = 1, .max = NM_NO_LIMIT,        \
         .doc = "step of the window: one number, or two; default: the kernel"},                    \
        {NM_FIELD(nm_pool2d_options, padding),                                                     \
         NM_OPTION_INTS,                                                                           \
         .min = 0,                                                                                 \
         .max = NM_NO_LIMIT,                                                                       \
         .named = nm_padding_names,                                                                \
         .doc = "around the image, at most half the kernel: " NM_PADDING_FORM},                    \
        {NM_FIELD(nm_pool2d_options, dilation), NM_OPTION_INTS, .min = 1, .max = 65536,            \
         .doc = "distance of the kernel's places: one number, or two"},                            \
        {NM_FIELD(nm_pool2d_options, global), NM_OPTION_BOOL,                                      \
         .doc = "the window is the whole image"},                                                  \
        {NM_FIELD(nm_pool2d_options, ceil_mode), NM_OPTION_BOOL,                                   \
         .doc = "the size of y is rounded up: the last window may end outside"},                   \
    {                                                                                              \
        NM_FIELD(nm_pool2d_options, count_include_pad), NM_OPTION_BOOL,                            \
            .also = "count_padding", .doc = "padding counts as zeros in a mean"                    \
    }

static const nm_pool2d_options defaults = {NM_END(nm_pool2d_options), NM_POOL2D_DEFAULTS};
NM_OPTIONS_INIT(nm_pool2d_options, defaults)
static const nm_option rows[] = {POOL_ROWS};
const nm_spec nm_pool2d_spec = NM_SPEC(nm_pool2d_options, defaults, rows);

static const nm_pool2d_grad_options grad_defaults = {
    .pool = {NM_END(nm_pool2d_grad_options), NM_POOL2D_DEFAULTS}, .size = NM_NO_LIST};
static const nm_option grad_rows[] = {
    POOL_ROWS,
    {NM_FIELD(nm_pool2d_grad_options, size), NM_OPTION_INTS, .min = 1, .max = NM_NO_LIMIT,
     .flags = NM_REQUIRED, .doc = "height and width of x, which the stride leaves open"},
};
const nm_spec nm_pool2d_grad_spec = NM_SPEC(nm_pool2d_grad_options, grad_defaults, grad_rows);
