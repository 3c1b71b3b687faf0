/* What max_pool2d and avg_pool2d share: options, sizes, and the way over the windows. */
#ifndef NM_OPS_POOL2D_H
#define NM_OPS_POOL2D_H

#include "ops/define.h"
#include "ops/linear.h"

/* The options of the gradients: those of the op, and the size that the stride leaves open. */
typedef struct nm_pool2d_grad_options {
    nm_pool2d_options pool;
    nm_ints size;
} nm_pool2d_grad_options;

/* The numbers of one pooling. */
typedef struct nm_pool {
    int64_t n, h, w, c;
    int64_t oh, ow;
    int64_t kernel[2], stride[2], padding[2]; /* vertical, horizontal; padding: before the image */
    int64_t reach[2];                         /* of a window, from its first place to its last */
    int64_t end[2];                           /* of the image and the padding behind it */
    int64_t dilation[2];
    bool dilated, count_include_pad;
} nm_pool;

/* A window's part inside the image, and how many places it has in all (avg_pool2d's divisor). */
typedef struct nm_window {
    int64_t top, bottom, left, right; /* bottom and right excluded */
    int64_t places;
} nm_window;

extern const nm_spec nm_pool2d_spec, nm_pool2d_grad_spec;

/* Reads the options for an x of that shape [n, h, w, c], and finds the output's size. */
nm_status nm_pool_infer(nm_infer *infer, const nm_pool2d_options *options, const nm_shape *x,
                        nm_pool *pool);
/* The same for a gradient: dy's shape is input 0, `size` and the channels make x's. */
nm_status nm_pool_infer_grad(nm_infer *infer, nm_pool *pool);
nm_shape nm_pool_input(const nm_pool *pool);
nm_shape nm_pool_output(const nm_pool *pool);
/* In a computation, after the shape rule has passed. */
nm_pool nm_pool_make(const nm_pool2d_options *options, const nm_shape *x, const nm_shape *y);

/* How many pieces of so much work are worth a thread. In floating point, because the sizes of an
 * empty batch may multiply to more than an integer holds. */
static inline int64_t nm_pool_grain(double work)
{
    return (int64_t)(32768 / (work + 1)) + 1;
}

/* Elements that the windows of an output row read, and elements of an image. */
static inline double nm_pool_row_work(const nm_pool *p)
{
    int64_t high = p->kernel[0] < p->h ? p->kernel[0] : p->h;
    int64_t wide = p->kernel[1] < p->w ? p->kernel[1] : p->w;
    return (double)p->ow * (double)p->c * (double)high * (double)wide;
}

static inline double nm_pool_image_work(const nm_pool *p)
{
    return (double)p->h * (double)p->w * (double)p->c;
}

static inline nm_window nm_pool_window(const nm_pool *p, int64_t row, int64_t column)
{
    int64_t top = row * p->stride[0] - p->padding[0], left = column * p->stride[1] - p->padding[1];
    int64_t bottom = top + p->reach[0], right = left + p->reach[1];
    nm_window w = {top > 0 ? top : 0, bottom < p->h ? bottom : p->h, left > 0 ? left : 0,
                   right < p->w ? right : p->w, 0};
    w.places = p->count_include_pad ? ((bottom < p->end[0] ? bottom : p->end[0]) - top) *
                                          ((right < p->end[1] ? right : p->end[1]) - left)
                                    : (w.bottom - w.top) * (w.right - w.left);
    return w;
}

/* The options of a gradient from those of the op, and back. */
nm_pool2d_grad_options nm_pool_grad_options(const nm_pool2d_options *options, nm_tensor *x);
nm_pool2d_options nm_pool_plain_options(const nm_pool2d_grad_options *options);

#endif
