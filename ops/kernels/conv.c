/* Convolution as matrix products, one for each group: the patches that the kernel sees, one a place
 * of the output, are the rows of a matrix [n * oh * ow, kh * kw * c / groups]. It is made piece by
 * piece, each of so many output rows that it stays in the cache. */
#include "ops/kernels/conv.h"

#include <string.h>

#include "core/thread.h"
#include "ops/kernels/bf16.h"
#include "ops/kernels/conv_choice.h"
#include "ops/kernels/finish.h"
#include "ops/kernels/gemm.h"
#include "ops/kernels/onednn.h"
#include "ops/kernels/reduce.h"

#define PIECE 1048576 /* bytes of patches, if one row (or image) takes no more */

/* What the loops need besides the shape. An output row is counted over all images. */
typedef struct view {
    const nm_conv *conv;
    nm_dtype dtype;
    size_t item;                   /* bytes */
    int64_t channels;              /* of one group's input */
    int64_t outputs;               /* of one group */
    int64_t depth;                 /* kh * kw * channels */
    int64_t group;                 /* at work */
    int64_t first;                 /* the piece's first output row */
    int64_t rows;                  /* how many it has */
    bool taps_together;            /* a kernel's row of taps lies in one piece of x */
    bool plain;                    /* 1x1: images are their own patches */
    int64_t pitch;                 /* from patch to patch */
    const void *x, *w, *bias, *dy; /* what is read, */
    void *y, *dx, *dw;             /* and what is computed; NULL: not this time */
    char *patches;
} view;

static view make_view(const nm_conv *c, nm_dtype dtype)
{
    view v = {.conv = c, .dtype = dtype, .item = nm_dtype_size(dtype)};
    v.channels = c->c / c->groups;
    v.outputs = c->o / c->groups;
    v.depth = c->kh * c->kw * v.channels;
    v.taps_together = c->groups == 1 && c->dilation[1] == 1;
    v.plain = c->kh == 1 && c->kw == 1 && c->oh == c->h && c->ow == c->w && c->stride[0] == 1 &&
              c->stride[1] == 1 && c->padding[0] == 0 && c->padding[1] == 0;
    v.pitch = v.plain ? c->c : v.depth;
    return v;
}

static const char *at(const void *base, int64_t elements, const view *v)
{
    return (const char *)base + elements * (int64_t)v->item;
}

static char *place_at(void *base, int64_t elements, const view *v)
{
    return (char *)base + elements * (int64_t)v->item;
}

/* ---- From x to patches, and back ---- */

#define PADDING INT64_MIN /* in place of an element of x */

/* What is done with `elements` of x, from the one of number `start`, and their place in a patch. */
typedef void (*move_fn)(int64_t start, char *patch, int64_t elements, const view *v);

/* One kernel row of a patch. `line` is where the row of x under it begins; `left` the column under
 * its first tap. */
static void move_taps(const view *v, int64_t line, int64_t left, char *patch, move_fn move)
{
    const nm_conv *c = v->conv;
    const bool padded = line == PADDING;
    if (padded || (v->taps_together && left >= 0 && left + c->kw <= c->w)) {
        move(padded ? PADDING : line + left * c->c, patch, c->kw * v->channels, v);
        return;
    }
    for (int64_t j = 0; j < c->kw; j++) {
        int64_t column = left + j * c->dilation[1];
        bool inside = column >= 0 && column < c->w;
        move(inside ? line + column * c->c : PADDING, place_at(patch, j * v->channels, v),
             v->channels, v);
    }
}

/* The patches of output rows begin..end of the piece. */
static void move_patches(const view *v, int64_t begin, int64_t end, move_fn move)
{
    const nm_conv *c = v->conv;
    for (int64_t r = begin; r < end; r++) {
        int64_t image = (v->first + r) / c->oh, row = (v->first + r) % c->oh;
        for (int64_t i = 0; i < c->kh; i++) {
            int64_t y = row * c->stride[0] - c->padding[0] + i * c->dilation[0];
            int64_t start = (image * c->h + y) * c->w * c->c + v->group * v->channels;
            int64_t line = y >= 0 && y < c->h ? start : PADDING;
            for (int64_t column = 0; column < c->ow; column++) {
                int64_t place = (r * c->ow + column) * v->depth + i * c->kw * v->channels;
                move_taps(v, line, column * c->stride[1] - c->padding[1],
                          place_at(v->patches, place, v), move);
            }
        }
    }
}

static void copy(int64_t start, char *patch, int64_t elements, const view *v)
{
    if (start != PADDING) {
        memcpy(patch, at(v->x, start, v), (size_t)elements * v->item);
    } else {
        memset(patch, 0, (size_t)elements * v->item);
    }
}

static void add_back(int64_t start, char *patch, int64_t elements, const view *v)
{
    char *x = start != PADDING ? place_at(v->dx, start, v) : NULL;
    for (int64_t i = 0; x && i < elements; i++) {
        if (v->dtype == NM_F64) {
            ((double *)(void *)x)[i] += ((const double *)(const void *)patch)[i];
        } else {
            ((float *)(void *)x)[i] += ((const float *)(const void *)patch)[i];
        }
    }
}

static void copy_rows(void *arg, int64_t begin, int64_t end)
{
    move_patches(arg, begin, end, copy);
}

/* By images: patches of one image overlap. */
static void add_back_images(void *arg, int64_t begin, int64_t end)
{
    const view *v = arg;
    move_patches(v, begin * v->conv->oh, end * v->conv->oh, add_back);
}

/* The patches of the piece and group: made, or images themselves. */
static const char *gather(nm_context *context, view *v)
{
    if (v->plain) {
        return at(v->x, v->group * v->channels, v);
    }
    nm_parallel(context, v->rows, 16384 / (v->conv->ow * v->depth + 1) + 1, copy_rows, v);
    return v->patches;
}

static void scatter(nm_context *context, view *v)
{
    const nm_conv *c = v->conv;
    nm_parallel(context, v->rows / c->oh, 16384 / (c->oh * c->ow * v->depth + 1) + 1,
                add_back_images, v);
}

/* ---- The product of one piece and group ---- */

typedef nm_status (*piece_fn)(nm_context *context, view *v);

/* Where the group's part of the piece begins in y, */
static int64_t in_y(const view *v)
{
    return v->first * v->conv->ow * v->conv->o + v->group * v->outputs;
}

/* and where its weights do. */
static int64_t in_weights(const view *v)
{
    return v->group * v->outputs * v->depth;
}

/* y = patches w^T + bias */
static nm_status forward_piece(nm_context *context, view *v)
{
    nm_gemm g = {.dtype = v->dtype,
                 .bf16 = v->conv->bf16,
                 .transpose_b = true,
                 .m = v->rows * v->conv->ow,
                 .n = v->outputs,
                 .k = v->depth,
                 .lda = v->pitch,
                 .ldb = v->depth,
                 .ldc = v->conv->o,
                 .a = gather(context, v),
                 .b = at(v->w, in_weights(v), v),
                 .bias = v->bias ? at(v->bias, v->group * v->outputs, v) : NULL,
                 .c = place_at(v->y, in_y(v), v)};
    return nm_gemm_run(context, &g);
}

/* patches = dy w, added back to dx */
static nm_status input_grad_piece(nm_context *context, view *v)
{
    nm_gemm g = {.dtype = v->dtype,
                 .bf16 = v->conv->bf16,
                 .m = v->rows * v->conv->ow,
                 .n = v->depth,
                 .k = v->outputs,
                 .lda = v->conv->o,
                 .ldb = v->depth,
                 .ldc = v->pitch,
                 .a = at(v->dy, in_y(v), v),
                 .b = at(v->w, in_weights(v), v),
                 .c = v->plain ? place_at(v->dx, v->group * v->channels, v) : v->patches};
    nm_status status = nm_gemm_run(context, &g);
    if (status == NM_OK && !v->plain) {
        scatter(context, v);
    }
    return status;
}

/* dw += dy^T patches */
static nm_status weight_grad_piece(nm_context *context, view *v)
{
    nm_gemm g = {.dtype = v->dtype,
                 .bf16 = v->conv->bf16,
                 .transpose_a = true,
                 .accumulate = true,
                 .m = v->outputs,
                 .n = v->depth,
                 .k = v->rows * v->conv->ow,
                 .lda = v->conv->o,
                 .ldb = v->pitch,
                 .ldc = v->depth,
                 .a = at(v->dy, in_y(v), v),
                 .b = gather(context, v),
                 .c = place_at(v->dw, in_weights(v), v)};
    return nm_gemm_run(context, &g);
}

/* Pieces are whole multiples of `unit` output rows. They do not depend on the number of threads, so
 * neither does the order in which a gradient of weights is summed. */
static nm_status for_each_piece(nm_context *context, view *v, int64_t unit, piece_fn run)
{
    const nm_conv *c = v->conv;
    if (c->n == 0) {
        return NM_OK; /* no elements bound the sizes of an empty batch's images: compute none */
    }
    int64_t all = c->n * c->oh, row = c->ow * v->depth * (int64_t)v->item;
    int64_t units = PIECE / (row * unit + 1) + 1,
            rows = v->plain || units * unit > all ? all : units * unit;
    v->patches = nm_scratch(context, v->plain ? 1 : nm_bytes(rows * row, 1));
    nm_status status = v->patches ? NM_OK : NM_ERROR_MEMORY;
    for (v->first = 0; v->first < all; v->first += rows) {
        v->rows = all - v->first < rows ? all - v->first : rows;
        for (v->group = 0; v->group < c->groups && status == NM_OK; v->group++) {
            status = run(context, v);
        }
    }
    nm_scratch_end(v->patches);
    return status;
}

/* ---- The three directions ---- */

static nm_status forward_by_pieces(nm_context *context, nm_dtype dtype, const nm_conv *c,
                                   const void *x, const void *w, const void *bias, void *y)
{
    view v = make_view(c, dtype);
    v.x = x;
    v.w = w;
    v.bias = bias;
    v.y = y;
    return for_each_piece(context, &v, 1, forward_piece);
}

/* Whether ours computes y, though oneDNN is there. */
static bool is_ours(const nm_conv_choice *k)
{
    return k->narrow_first || k->winograd_first || k->forward_first;
}

static nm_status forward(nm_context *context, nm_dtype dtype, const nm_conv *c, const void *x,
                         const void *w, const void *bias, nm_activation activation, void *y)
{
    const nm_conv_choice k = nm_conv_choose(context, dtype, c);
    const bool relu = activation == NM_ACTIVATION_RELU;
    const bool done =
        dtype == NM_F32 && !is_ours(&k) && nm_onednn_conv_forward(context, c, x, w, bias, y);
    nm_status status = nm_context_status(context);
    if (k.forward && !k.narrow && !k.winograd && !done && status == NM_OK) {
        return nm_direct_forward(context, k.forward, dtype, c, x, w, bias, activation, y);
    }
    if (status == NM_OK && !done) {
        status = k.narrow     ? k.narrow->narrow_forward(context, c, x, w, bias, relu, y)
                 : k.winograd ? k.winograd->winograd_forward(context, c, x, w, bias, relu, y)
                              : forward_by_pieces(context, dtype, c, x, w, bias, y);
    }
    if (status == NM_OK && !(relu && !done && (k.narrow || k.winograd))) {
        nm_finish_run(context, &(nm_finish){.dtype = dtype,
                                            .rows = c->n * c->oh * c->ow,
                                            .columns = c->o,
                                            .stride = c->o,
                                            .activation = activation,
                                            .y = y});
    }
    return status;
}

/* ---- Images in bf16 ---- */

#define COPIED 524288 /* numbers in f32 at once, if one image has no more */

/* Whether ours read and write them. */
static bool takes_bf16(const nm_conv_choice *k)
{
    return k->winograd_first && k->winograd == nm_conv_wide_bf16();
}

/* Some images at a time, with copies in f32 that stay in the cache. `room` has place for `at_once`
 * of x and y. */
static nm_status forward_in_copies(nm_context *context, nm_dtype dtype, const nm_conv *c,
                                   const void *x, const void *w, const void *bias,
                                   nm_activation activation, void *y, float *room, int64_t at_once)
{
    const int64_t in = c->h * c->w * c->c, out = c->oh * c->ow * c->o;
    nm_conv some = *c;
    some.x_is_bf16 = some.y_is_bf16 = false;
    nm_status status = NM_OK;
    for (int64_t i = 0; i < c->n && status == NM_OK; i += at_once) {
        some.n = c->n - i < at_once ? c->n - i : at_once;
        const void *from = (const float *)x + i * in;
        void *to = (float *)y + i * out;
        if (c->x_is_bf16) {
            nm_bf16_to_f32(context, (const uint16_t *)x + i * in, room, some.n * in);
            from = room;
        }
        if (c->y_is_bf16) {
            to = room + at_once * in;
        }
        status = forward(context, dtype, &some, from, w, bias, activation, to);
        if (c->y_is_bf16 && status == NM_OK) {
            nm_bf16_from_f32(context, to, (uint16_t *)y + i * out, some.n * out);
        }
    }
    return status;
}

static nm_status forward_of_bf16(nm_context *context, nm_dtype dtype, const nm_conv *c,
                                 const void *x, const void *w, const void *bias,
                                 nm_activation activation, void *y)
{
    const nm_conv_choice k = nm_conv_choose(context, dtype, c);
    if (takes_bf16(&k) && (activation == NM_ACTIVATION_NONE || activation == NM_ACTIVATION_RELU)) {
        return forward(context, dtype, c, x, w, bias, activation, y);
    }
    if (activation == NM_ACTIVATION_NONE && !is_ours(&k) &&
        nm_onednn_conv_forward(context, c, x, w, bias, y)) {
        return NM_OK;
    }
    const int64_t image = c->h * c->w * c->c + c->oh * c->ow * c->o;
    const int64_t most = COPIED / (image + 1) + 1, at_once = most < c->n ? most : c->n;
    float *room = nm_context_status(context) == NM_OK
                      ? nm_scratch(context, nm_bytes(at_once * image + 1, sizeof *room))
                      : NULL;
    nm_status status =
        room ? forward_in_copies(context, dtype, c, x, w, bias, activation, y, room, at_once)
             : nm_context_status(context);
    nm_scratch_end(room);
    return status;
}

nm_status nm_conv_forward(nm_context *context, nm_dtype dtype, const nm_conv *c, const void *x,
                          const void *w, const void *bias, nm_activation activation, void *y)
{
    return (c->x_is_bf16 || c->y_is_bf16 ? forward_of_bf16 : forward)(context, dtype, c, x, w, bias,
                                                                      activation, y);
}

static nm_status input_grad_by_pieces(nm_context *context, nm_dtype dtype, const nm_conv *c,
                                      const void *dy, const void *w, void *dx)
{
    view v = make_view(c, dtype);
    v.dy = dy;
    v.w = w;
    v.dx = dx;
    if (!v.plain) {
        memset(dx, 0, (size_t)(c->n * c->h * c->w * c->c) * v.item);
    }
    return for_each_piece(context, &v, c->oh, input_grad_piece);
}

nm_status nm_conv_input_grad(nm_context *context, nm_dtype dtype, const nm_conv *c, const void *dy,
                             const void *w, void *dx)
{
    const nm_conv_choice k = nm_conv_choose(context, dtype, c);
    const bool done =
        dtype == NM_F32 && !k.input_grad_first && nm_onednn_conv_input_grad(context, c, dy, w, dx);
    if (done || nm_context_status(context) != NM_OK) {
        return nm_context_status(context);
    }
    if (k.input_grad && !k.winograd) {
        return nm_direct_input_grad(context, k.input_grad, dtype, c, dy, w, dx);
    }
    return k.winograd ? k.winograd->winograd_input_grad(context, c, dy, w, dx)
                      : input_grad_by_pieces(context, dtype, c, dy, w, dx);
}

static nm_status bias_grad(nm_context *context, nm_dtype dtype, const nm_conv *c, const void *dy,
                           void *db)
{
    const nm_shape shape = NM_SHAPE(c->n * c->oh * c->ow, c->o);
    return nm_reduce(context, NM_REDUCE_SUM, dtype, &shape, 1, 1, dy, db);
}

static nm_status weight_grad_by_pieces(nm_context *context, nm_dtype dtype, const nm_conv *c,
                                       const void *x, const void *dy, void *dw)
{
    view v = make_view(c, dtype);
    v.x = x;
    v.dy = dy;
    v.dw = dw;
    memset(dw, 0, (size_t)(c->o * v.depth) * v.item);
    return for_each_piece(context, &v, 1, weight_grad_piece);
}

/* The bias has a pass of its own also beside oneDNN, whose gradient of it takes twice as long. */
static nm_status weight_grad(nm_context *context, nm_dtype dtype, const nm_conv *c, const void *x,
                             const void *dy, void *dw, void *db)
{
    const nm_conv_choice k = nm_conv_choose(context, dtype, c);
    const bool narrow = k.narrow && nm_conv_narrow_has_weight_grad(c, k.narrow);
    const bool done = dtype == NM_F32 && !(narrow && k.narrow_grad_first) && !k.winograd_first &&
                      !k.weight_grad_first && nm_onednn_conv_weight_grad(context, c, x, dy, dw);
    nm_status status = nm_context_status(context);
    if (narrow && !done && status == NM_OK) {
        return k.narrow->narrow_weight_grad(context, c, x, dy, dw, db);
    }
    if (status == NM_OK && !done) {
        status = k.winograd ? k.winograd->winograd_weight_grad(context, c, x, dy, dw)
                 : k.weight_grad
                     ? nm_direct_weight_grad(context, k.weight_grad, dtype, c, x, dy, dw)
                     : weight_grad_by_pieces(context, dtype, c, x, dy, dw);
    }
    return status == NM_OK && db ? bias_grad(context, dtype, c, dy, db) : status;
}

nm_status nm_conv_weight_grad(nm_context *context, nm_dtype dtype, const nm_conv *c, const void *x,
                              const void *dy, void *dw, void *db)
{
    const nm_conv_choice k = nm_conv_choose(context, dtype, c);
    if (!c->x_is_bf16 || takes_bf16(&k)) {
        return weight_grad(context, dtype, c, x, dy, dw, db);
    }
    if (!k.narrow && !k.winograd_first && !k.weight_grad_first &&
        nm_onednn_conv_weight_grad(context, c, x, dy, dw)) {
        return db ? bias_grad(context, dtype, c, dy, db) : NM_OK;
    }
    const int64_t count = c->n * c->h * c->w * c->c;
    nm_conv wide = *c;
    wide.x_is_bf16 = false;
    float *copy = nm_context_status(context) == NM_OK
                      ? nm_scratch(context, nm_bytes(count + 1, sizeof *copy))
                      : NULL;
    nm_status status = nm_context_status(context);
    if (copy) {
        nm_bf16_to_f32(context, x, copy, count);
        status = weight_grad(context, dtype, &wide, copy, dy, dw, db);
    }
    nm_scratch_end(copy);
    return status;
}
