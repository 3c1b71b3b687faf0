/* Convolution as matrix products, image by image and group by group: the patches that the kernel
 * sees are the rows of a matrix [oh * ow, kh * kw * c / groups]. */
#include "ops/kernels/conv.h"

#include <string.h>

#include "core/thread.h"
#include "ops/kernels/gemm.h"
#include "ops/kernels/onednn.h"

/* What the loops need besides the shape. */
typedef struct view {
    const nm_conv *conv;
    size_t item; /* bytes */
    nm_dtype dtype;
    int64_t channels;  /* of one group's input */
    int64_t outputs;   /* of one group */
    int64_t depth;     /* kh * kw * channels */
    const char *image; /* x or dx of the image, at the group's first channel */
    char *patches;
} view;

static view make_view(const nm_conv *conv, nm_dtype dtype)
{
    view v = {.conv = conv, .item = nm_dtype_size(dtype), .dtype = dtype};
    v.channels = conv->c / conv->groups;
    v.outputs = conv->o / conv->groups;
    v.depth = conv->kh * conv->kw * v.channels;
    return v;
}

/* The input's element under tap (i, j) of output (row, column); NULL in the padding. */
static const char *under_tap(const view *v, int64_t row, int64_t column, int64_t i, int64_t j)
{
    const nm_conv *c = v->conv;
    int64_t y = row * c->stride[0] - c->padding[0] + i * c->dilation[0];
    int64_t x = column * c->stride[1] - c->padding[1] + j * c->dilation[1];
    if (y < 0 || y >= c->h || x < 0 || x >= c->w) {
        return NULL;
    }
    return v->image + (size_t)((y * c->w + x) * c->c) * v->item;
}

/* Rows begin..end of the output: their patches. */
static void gather_patches(void *arg, int64_t begin, int64_t end)
{
    const view *v = arg;
    const nm_conv *c = v->conv;
    size_t bytes = (size_t)v->channels * v->item;
    char *to = v->patches + (size_t)(begin * c->ow * v->depth) * v->item;
    for (int64_t row = begin; row < end; row++) {
        for (int64_t column = 0; column < c->ow; column++) {
            for (int64_t i = 0; i < c->kh; i++) {
                for (int64_t j = 0; j < c->kw; j++, to += bytes) {
                    const char *from = under_tap(v, row, column, i, j);
                    if (from) {
                        memcpy(to, from, bytes);
                    } else {
                        memset(to, 0, bytes);
                    }
                }
            }
        }
    }
}

/* Adds the patches back to where they were taken from. In one thread: patches overlap. */
static void scatter_patches(const view *v)
{
    const nm_conv *c = v->conv;
    const char *from = v->patches;
    for (int64_t place = 0; place < c->oh * c->ow; place++) {
        for (int64_t tap = 0; tap < c->kh * c->kw; tap++) {
            char *to = (char *)(uintptr_t)under_tap(v, place / c->ow, place % c->ow, tap / c->kw,
                                                    tap % c->kw);
            for (int64_t k = 0; to && k < v->channels; k++) {
                if (v->dtype == NM_F64) {
                    ((double *)(void *)to)[k] += ((const double *)(const void *)from)[k];
                } else {
                    ((float *)(void *)to)[k] += ((const float *)(const void *)from)[k];
                }
            }
            from += (size_t)v->channels * v->item;
        }
    }
}

static char *at(const void *base, int64_t elements, const view *v)
{
    return (char *)(uintptr_t)base + elements * (int64_t)v->item;
}

static void fill_with_bias(const nm_conv *c, const view *v, const void *bias, void *y)
{
    size_t row = (size_t)c->o * v->item;
    for (int64_t i = 0; i < c->n * c->oh * c->ow; i++) {
        memcpy(at(y, i * c->o, v), bias, row);
    }
}

/* One image and group of a direction. */
typedef nm_status (*image_fn)(nm_context *context, view *v, int64_t image, int64_t group,
                              const void *a, const void *b, void *out, bool accumulate);

static nm_status for_each_image(nm_context *context, view *v, image_fn run, const void *a,
                                const void *b, void *out, bool accumulate)
{
    const nm_conv *c = v->conv;
    v->patches = nm_scratch(context, (size_t)(c->oh * c->ow * v->depth) * v->item);
    nm_status status = v->patches ? NM_OK : NM_ERROR_MEMORY;
    for (int64_t image = 0; image < c->n && status == NM_OK; image++) {
        for (int64_t group = 0; group < c->groups && status == NM_OK; group++) {
            status = run(context, v, image, group, a, b, out, accumulate);
        }
    }
    nm_scratch_end(v->patches);
    return status;
}

static int64_t x_offset(const nm_conv *c, const view *v, int64_t image, int64_t group)
{
    return image * c->h * c->w * c->c + group * v->channels;
}

static int64_t y_offset(const nm_conv *c, const view *v, int64_t image, int64_t group)
{
    return image * c->oh * c->ow * c->o + group * v->outputs;
}

/* y = patches w^T */
static nm_status forward_image(nm_context *context, view *v, int64_t image, int64_t group,
                               const void *x, const void *w, void *y, bool accumulate)
{
    const nm_conv *c = v->conv;
    v->image = at(x, x_offset(c, v, image, group), v);
    nm_parallel(context, c->oh, 16384 / (c->ow * v->depth + 1) + 1, gather_patches, v);
    nm_gemm g = {.dtype = v->dtype,
                 .transpose_b = true,
                 .accumulate = accumulate,
                 .m = c->oh * c->ow,
                 .n = v->outputs,
                 .k = v->depth,
                 .lda = v->depth,
                 .ldb = v->depth,
                 .ldc = c->o,
                 .a = v->patches,
                 .b = at(w, group * v->outputs * v->depth, v),
                 .c = at(y, y_offset(c, v, image, group), v)};
    return nm_gemm_run(context, &g);
}

/* patches = dy w, added back to dx */
static nm_status input_grad_image(nm_context *context, view *v, int64_t image, int64_t group,
                                  const void *dy, const void *w, void *dx, bool accumulate)
{
    (void)accumulate;
    const nm_conv *c = v->conv;
    nm_gemm g = {.dtype = v->dtype,
                 .m = c->oh * c->ow,
                 .n = v->depth,
                 .k = v->outputs,
                 .lda = c->o,
                 .ldb = v->depth,
                 .ldc = v->depth,
                 .a = at(dy, y_offset(c, v, image, group), v),
                 .b = at(w, group * v->outputs * v->depth, v),
                 .c = v->patches};
    nm_status status = nm_gemm_run(context, &g);
    v->image = at(dx, x_offset(c, v, image, group), v);
    if (status == NM_OK) {
        scatter_patches(v);
    }
    return status;
}

/* dw += dy^T patches */
static nm_status weight_grad_image(nm_context *context, view *v, int64_t image, int64_t group,
                                   const void *x, const void *dy, void *dw, bool accumulate)
{
    (void)accumulate;
    const nm_conv *c = v->conv;
    v->image = at(x, x_offset(c, v, image, group), v);
    nm_parallel(context, c->oh, 16384 / (c->ow * v->depth + 1) + 1, gather_patches, v);
    nm_gemm g = {.dtype = v->dtype,
                 .transpose_a = true,
                 .accumulate = true,
                 .m = v->outputs,
                 .n = v->depth,
                 .k = c->oh * c->ow,
                 .lda = c->o,
                 .ldb = v->depth,
                 .ldc = v->depth,
                 .a = at(dy, y_offset(c, v, image, group), v),
                 .b = v->patches,
                 .c = at(dw, group * v->outputs * v->depth, v)};
    return nm_gemm_run(context, &g);
}

nm_status nm_conv_forward(nm_context *context, nm_dtype dtype, const nm_conv *conv, const void *x,
                          const void *w, const void *bias, void *y)
{
    if (dtype == NM_F32 && nm_onednn_conv_forward(context, conv, x, w, bias, y)) {
        return NM_OK;
    }
    view v = make_view(conv, dtype);
    if (bias) {
        fill_with_bias(conv, &v, bias, y);
    }
    return for_each_image(context, &v, forward_image, x, w, y, bias != NULL);
}

nm_status nm_conv_input_grad(nm_context *context, nm_dtype dtype, const nm_conv *conv,
                             const void *dy, const void *w, void *dx)
{
    if (dtype == NM_F32 && nm_onednn_conv_input_grad(context, conv, dy, w, dx)) {
        return NM_OK;
    }
    view v = make_view(conv, dtype);
    memset(dx, 0, (size_t)(conv->n * conv->h * conv->w * conv->c) * v.item);
    return for_each_image(context, &v, input_grad_image, dy, w, dx, true);
}

nm_status nm_conv_weight_grad(nm_context *context, nm_dtype dtype, const nm_conv *conv,
                              const void *x, const void *dy, void *dw)
{
    if (dtype == NM_F32 && nm_onednn_conv_weight_grad(context, conv, x, dy, dw)) {
        return NM_OK;
    }
    view v = make_view(conv, dtype);
    memset(dw, 0, (size_t)(conv->o * v.depth) * v.item);
    return for_each_image(context, &v, weight_grad_image, x, dy, dw, true);
}
