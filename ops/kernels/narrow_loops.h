/* Images are copied with their padding; weights are transposed to [kh, kw * c, o]. Then a tile of
 * 8 outputs side by side, LANES channels each, or of 4 with 2 LANES channels, stays in registers
 * while the taps pass: each tap is a number of x times a vector of weights.
 *
 * For the gradient of the weights, those of NARROW_TAPS taps stay in registers while the outputs
 * pass: each is a number of x times a vector of dy. Outputs are summed in chunks, which are added
 * up in order, so that the sums do not depend on the number of threads. */
#include "core/thread.h"
#include "ops/kernels/conv.h"
#include "ops/kernels/wide.h"

#define NARROW_SUMS 8 /* of LANES channels, in a tile */

typedef struct narrow_job {
    const nm_conv *conv;
    const float *x, *bias, *dy;
    bool relu;
    float *padded, *weights, *y;
    int64_t height, width; /* of a padded image */
    float *chunks;         /* [chunk, NARROW_TAPS + 1, o]: sums for the weights, and for the bias */
    int64_t rows;          /* of outputs in a chunk */
} narrow_job;

/* ---- Images with their padding ---- */

/* As much behind as before, or as the last place needs. */
static int64_t padded_size(int64_t size, int64_t padding, int64_t places, int64_t stride,
                           int64_t taps)
{
    const int64_t all = size + 2 * padding, needed = (places - 1) * stride + taps;
    return all > needed ? all : needed;
}

static narrow_job make_narrow_job(const nm_conv *c, const float *x)
{
    return (narrow_job){.conv = c,
                        .x = x,
                        .height = padded_size(c->h, c->padding[0], c->oh, c->stride[0], c->kh),
                        .width = padded_size(c->w, c->padding[1], c->ow, c->stride[1], c->kw)};
}

static int64_t padded_count(const narrow_job *j)
{
    return j->conv->n * j->height * j->width * j->conv->c;
}

/* What is under the first tap of an output row, counted over all images. */
NM_INLINE const float *line_of(const narrow_job *j, int64_t row)
{
    const nm_conv *c = j->conv;
    return j->padded + (row / c->oh * j->height + row % c->oh * c->stride[0]) * j->width * c->c;
}

/* Rows begin..end of all padded images. */
static void pad(void *arg, int64_t begin, int64_t end)
{
    const narrow_job *j = arg;
    const nm_conv *c = j->conv;
    size_t bytes = (size_t)(j->width * c->c) * sizeof(float);
    size_t own = (size_t)(c->w * c->c) * sizeof(float);
    for (int64_t row = begin; row < end; row++) {
        int64_t image = row / j->height, line = row % j->height - c->padding[0];
        float *to = j->padded + row * j->width * c->c;
        memset(to, 0, bytes);
        if (line >= 0 && line < c->h) {
            memcpy(to + c->padding[1] * c->c, j->x + (image * c->h + line) * c->w * c->c, own);
        }
    }
}

static void pad_images(nm_context *context, narrow_job *j)
{
    nm_parallel(context, j->conv->n * j->height, 16384 / (j->width * j->conv->c + 1) + 1, pad, j);
}

/* ---- Forward ---- */

static void transpose_weights(const nm_conv *c, const float *w, float *to)
{
    int64_t taps = c->kh * c->kw * c->c;
    for (int64_t o = 0; o < c->o; o++) {
        for (int64_t tap = 0; tap < taps; tap++) {
            to[tap * c->o + o] = w[o * taps + tap];
        }
    }
}

/* For all pixels and vectors of a tile. Unrolled, so that the sums are registers. */
#define EACH(p, v, ...)                                                                            \
    NM_UNROLL(8) for (int p = 0; p < pixels; p++)                                                  \
    {                                                                                              \
        NM_UNROLL(2) for (int v = 0; v < vectors; v++)                                             \
        {                                                                                          \
            vector *sum = &sums[p * vectors + v];                                                  \
            __VA_ARGS__;                                                                           \
        }                                                                                          \
    }

/* `pixels` outputs, `vectors` * LANES channels of each: NARROW_SUMS sums. x: under the first
 * output's first tap. */
NM_INLINE void tile(const narrow_job *j, const float *x, int64_t channel, float *y, int pixels,
                    int vectors)
{
    const nm_conv *c = j->conv;
    const int64_t step = c->stride[1] * c->c, row = c->kw * c->c;
    const float *w = j->weights + channel;
    vector sums[NARROW_SUMS] = {{0}}, w0, w1;
    if (j->bias) {
        EACH(p, v, memcpy(sum, j->bias + channel + v * LANES, sizeof *sum));
    }
    for (int64_t i = 0; i < c->kh; i++, x += j->width * c->c) {
        for (int64_t tap = 0; tap < row; tap++, w += c->o) {
            memcpy(&w0, w, sizeof w0);
            memcpy(&w1, w + (vectors - 1) * LANES, sizeof w1);
            EACH(p, v, *sum += x[p * step + tap] * (v ? w1 : w0));
        }
    }
    if (j->relu) {
        EACH(p, v, apply_relu(sum));
    }
    EACH(p, v, memcpy(y + p * c->o + v * LANES, sum, sizeof *sum));
}

/* One row of outputs for a block of channels. The last tile goes over some of the one before it. */
NM_INLINE void compute_row(const narrow_job *j, const float *x, int64_t channel, float *y,
                           int pixels, int vectors)
{
    const nm_conv *c = j->conv;
    const int64_t step = c->stride[1] * c->c;
    for (int64_t first = 0; first < c->ow; first += pixels) {
        int64_t at = first + pixels <= c->ow ? first : c->ow - pixels;
        tile(j, x + at * step, channel, y + at * c->o, pixels, vectors);
    }
}

/* Output rows begin..end, counted over all images. */
WIDE static void compute(void *arg, int64_t begin, int64_t end)
{
    const narrow_job *j = arg;
    const nm_conv *c = j->conv;
    for (int64_t r = begin; r < end; r++) {
        const float *x = line_of(j, r);
        float *y = j->y + r * c->ow * c->o;
        int64_t channel = 0;
        for (; channel + 2 * LANES <= c->o; channel += 2 * LANES) {
            compute_row(j, x, channel, y + channel, NARROW_SUMS / 2, 2);
        }
        if (channel < c->o) {
            compute_row(j, x, channel, y + channel, NARROW_SUMS, 1);
        }
    }
}

/* Multiply-adds below which a second thread does not pay. */
#define WORTH_THREADS 131072

static nm_status narrow_forward(nm_context *context, const nm_conv *c, const float *x,
                                const float *w, const float *bias, bool with_relu, float *y)
{
    narrow_job j = make_narrow_job(c, x);
    j.bias = bias, j.relu = with_relu, j.y = y;
    int64_t taps = c->kh * c->kw * c->c, weights = (taps * c->o + LANES - 1) / LANES * LANES;
    j.weights = nm_scratch(context, nm_bytes(weights + padded_count(&j), sizeof(float)));
    if (!j.weights) {
        return NM_ERROR_MEMORY;
    }
    j.padded = j.weights + weights;
    transpose_weights(c, w, j.weights);
    pad_images(context, &j);
    nm_parallel(context, c->n * c->oh, WORTH_THREADS / (c->ow * c->o * taps + 1) + 1, compute, &j);
    nm_scratch_end(j.weights);
    return NM_OK;
}

/* ---- The gradient of the weights ---- */

#define SIZE 3 /* of a kernel, both ways */
#define NARROW_TAPS (SIZE * SIZE)
#define NARROW_VECTORS (LANES == 16 ? 2 : 1) /* of sums, for each tap, and as many channels: */
#define NARROW_BLOCK (NARROW_VECTORS * LANES)
#define CHUNK_PIXELS 512 /* least outputs worth a chunk */
#define MOST_CHUNKS 128

/* For all taps, row by row of the kernel. Unrolled, so that the sums are registers. */
#define EACH_TAP(i, k, ...)                                                                        \
    NM_UNROLL(3) for (int i = 0; i < SIZE; i++)                                                    \
    {                                                                                              \
        NM_UNROLL(3) for (int k = 0; k < SIZE; k++)                                                \
        {                                                                                          \
            __VA_ARGS__;                                                                           \
        }                                                                                          \
    }

/* All vectors of a block. Unrolled, so that the sums are registers. */
#define EACH_VECTOR(v, ...)                                                                        \
    NM_UNROLL(2) for (int v = 0; v < NARROW_VECTORS; v++)                                          \
    {                                                                                              \
        __VA_ARGS__;                                                                               \
    }

/* A block of channels over rows begin..end of outputs: [NARROW_TAPS + 1, o], the last for the bias.
 */
NM_INLINE void sum_rows(const narrow_job *j, int64_t channel, int64_t begin, int64_t end, float *to)
{
    const nm_conv *c = j->conv;
    const int64_t step = c->stride[1];
    vector sums[NARROW_TAPS + 1][NARROW_VECTORS] = {{{0}}}, d[NARROW_VECTORS];
    for (int64_t r = begin; r < end; r++) {
        const float *dy = j->dy + r * c->ow * c->o + channel, *x = line_of(j, r);
        const float *under[SIZE] = {x, x + j->width, x + 2 * j->width};
        for (int64_t at = 0; at < c->ow * step; at += step, dy += c->o) {
            EACH_VECTOR(v, memcpy(&d[v], dy + v * LANES, sizeof *d))
            EACH_TAP(i, k, EACH_VECTOR(v, sums[i * SIZE + k][v] += under[i][at + k] * d[v]))
            EACH_VECTOR(v, sums[NARROW_TAPS][v] += d[v])
        }
    }
    to += channel;
    EACH_VECTOR(v, memcpy(to + NARROW_TAPS * c->o + v * LANES, &sums[NARROW_TAPS][v], sizeof *d))
    EACH_TAP(i, k,
             EACH_VECTOR(v, memcpy(to + (i * SIZE + k) * c->o + v * LANES, &sums[i * SIZE + k][v],
                                   sizeof *d)))
}

WIDE static void sum_chunks(void *arg, int64_t begin, int64_t end)
{
    const narrow_job *j = arg;
    const int64_t outputs = j->conv->o, all = j->conv->n * j->conv->oh;
    for (int64_t i = begin; i < end; i++) {
        int64_t first = i * j->rows, last = first + j->rows < all ? first + j->rows : all;
        for (int64_t channel = 0; channel < outputs; channel += NARROW_BLOCK) {
            sum_rows(j, channel, first, last, j->chunks + i * (NARROW_TAPS + 1) * outputs);
        }
    }
}

/* Into the first chunk; and from there, transposed, to where they belong. */
static void add_chunks(const narrow_job *j, int64_t count, float *dw, float *db)
{
    const int64_t outputs = j->conv->o, size = (NARROW_TAPS + 1) * outputs;
    for (int64_t i = 1; i < count; i++) {
        const float *chunk = j->chunks + i * size;
        NM_SIMD for (int64_t k = 0; k < size; k++)
        {
            j->chunks[k] += chunk[k];
        }
    }
    for (int64_t tap = 0; tap < NARROW_TAPS; tap++) {
        for (int64_t o = 0; o < outputs; o++) {
            dw[o * NARROW_TAPS + tap] = j->chunks[tap * outputs + o];
        }
    }
    if (db) {
        memcpy(db, j->chunks + NARROW_TAPS * outputs, (size_t)outputs * sizeof *db);
    }
}

static nm_status narrow_weight_grad(nm_context *context, const nm_conv *c, const float *x,
                                    const float *dy, float *dw, float *db)
{
    narrow_job j = make_narrow_job(c, x);
    int64_t all = c->n * c->oh, few = (CHUNK_PIXELS + c->ow - 1) / c->ow;
    int64_t many = (all + MOST_CHUNKS - 1) / MOST_CHUNKS;
    j.dy = dy;
    j.rows = few > many ? few : many;
    int64_t count = (all + j.rows - 1) / j.rows, sums = count * (NARROW_TAPS + 1) * c->o;
    j.chunks = nm_scratch(context, nm_bytes(sums + padded_count(&j), sizeof(float)));
    if (!j.chunks) {
        return NM_ERROR_MEMORY;
    }
    j.padded = j.chunks + sums;
    pad_images(context, &j);
    nm_parallel(context, count, WORTH_THREADS / (j.rows * c->ow * c->o * NARROW_TAPS + 1) + 1,
                sum_chunks, &j);
    add_chunks(&j, count, dw, db);
    nm_scratch_end(j.chunks);
    return NM_OK;
}
