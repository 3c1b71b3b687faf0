/* What the convolutions by Winograd's filtering share: tiles, where they lie, and products of them.
 * winograd_loops.h says what all of it is for. */
#ifndef NM_OPS_KERNELS_WINOGRAD_TILES_H
#define NM_OPS_KERNELS_WINOGRAD_TILES_H

#include <string.h>

#include "core/thread.h"
#include "ops/kernels/conv.h"
#include "ops/kernels/winograd.h"

/* What a product multiplies at once is a cell, of a float's size: a float, or with BF16 a pair of
 * numbers of bf16, whose products go into one sum. */
#ifdef BF16
#define PAIR 2
#include <immintrin.h>
#else
#define PAIR 1
#endif

#define LINE 16           /* floats of the cache */
#define TILES 32          /* at once, so that what lies between the steps stays in the cache */
#define BLOCK (2 * LANES) /* columns of a product at once */

/* Images on one side of the convolution, and what becomes of their tiles: at each position, panels
 * [tiles, LANES], one for each LANES channels. Pairs are of two channels, or for the weights'
 * gradient of two tiles. */
typedef struct side {
    int64_t height, width, channels;
    int64_t panel, step; /* floats from panel to panel, and from position to position */
    bool is_bf16;        /* the images, in memory; without BF16 never */
} side;

typedef struct job {
    int64_t rows, columns, tiles; /* of tiles: in an image, and in all */
    int64_t at_once;              /* tiles that go through all steps together */
    int64_t padding[2];
    side in, out;
    const float *x, *w, *bias, *dy;
    float *y, *dw;
    bool relu, turned; /* w is [in, 3, 3, out], and turned around, as for x's gradient */
    int64_t shares;    /* of the tiles: each has scratch of its own */
    float *scratch;    /* [share, tiles of in, then of out] */
    float *taps;       /* of w as it is: [out / LANES, 3, 3, in, LANES] */
    float *weights;    /* transformed, or sums for them: [POSITIONS, weights_step] */
    int64_t weights_step;
} job;

NM_INLINE int64_t divide_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

NM_INLINE int64_t at_most(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* ---- Tiles in images ---- */

NM_INLINE side make_side(int64_t height, int64_t width, int64_t channels, int64_t cells)
{
    /* A line more than there is: or all positions would share a few sets of the cache. */
    return (side){height, width, channels, cells * LANES, cells * channels + LINE, false};
}

/* Of `in` and w the cells are multiplied and of `out` there are sums; or, for w's gradient, of `in`
 * and `out` and of w. */
NM_INLINE job make_job(const nm_conv *c, int64_t at_once, bool sums_weights)
{
    const int64_t paired = at_once / PAIR;
    job j = {.rows = divide_up(c->oh, OUT),
             .columns = divide_up(c->ow, OUT),
             .padding = {c->padding[0], c->padding[1]},
             .at_once = at_once,
             .in = make_side(c->h, c->w, c->c, paired),
             .out = make_side(c->oh, c->ow, c->o, sums_weights ? paired : at_once),
             .weights_step = c->c * c->o / (sums_weights ? 1 : PAIR) + LINE};
    j.tiles = c->n * j.rows * j.columns;
    j.in.is_bf16 = c->x_is_bf16;
    j.out.is_bf16 = c->y_is_bf16;
    return j;
}

/* As an image's own: where a tile begins, which may be in the padding. */
typedef struct place {
    int64_t image, row, column;
} place;

NM_INLINE place place_of(const job *j, int64_t tile)
{
    int64_t in_image = tile % (j->rows * j->columns);
    return (place){tile / (j->rows * j->columns), in_image / j->columns * OUT,
                   in_image % j->columns * OUT};
}

/* `i` where it is within 0..size, or else the nearest that is; and whether it was, as a mask. */
NM_INLINE int64_t within(int64_t i, int64_t size, int32_t *mask)
{
    *mask = -(int32_t)(i >= 0 && i < size);
    return i < 0 ? 0 : i < size ? i : size - 1;
}

#ifdef BF16
typedef uint16_t halves __attribute__((vector_size(LANES * sizeof(uint16_t))));
typedef uint32_t wholes __attribute__((vector_size(LANES * sizeof(uint32_t))));

/* To the nearest, ties to even; the processor takes those too small to be normal for 0. */
WIDE NM_INLINE halves round_to_bf16(vector x)
{
    return (halves)_mm512_cvtneps_pbh((__m512)x);
}

/* load() of images in bf16, to be read as f32. */
WIDE NM_INLINE void load_bf16(const side *s, const uint16_t *image, int64_t row, int64_t column,
                              int size, vector *to)
{
    int32_t in_row, in_column;
    for (int i = 0; i < size; i++) {
        const uint16_t *line = image + within(row + i, s->height, &in_row) * s->width * s->channels;
        for (int k = 0; k < size; k++) {
            halves pixel;
            memcpy(&pixel, line + within(column + k, s->width, &in_column) * s->channels,
                   sizeof pixel);
            const wholes wide = __builtin_convertvector(pixel, wholes) << 16;
            to[i * size + k] = (vector)(wide & (uint32_t)(in_row & in_column));
        }
    }
}
#endif

/* LANES channels of `size` by `size` pixels from (row, column) on; zero outside of the image. */
NM_INLINE void load(const side *s, const float *image, int64_t row, int64_t column, int size,
                    vector *to)
{
    if (row >= 0 && column >= 0 && row + size <= s->height && column + size <= s->width) {
        const float *first = image + (row * s->width + column) * s->channels;
        NM_UNROLL(6) for (int i = 0; i < size; i++)
        {
            NM_UNROLL(6) for (int k = 0; k < size; k++)
            {
                memcpy(&to[i * size + k], first + (i * s->width + k) * s->channels, sizeof *to);
            }
        }
        return;
    }
    int64_t offset[IN];
    int32_t in_row, in_column[IN];
    for (int k = 0; k < size; k++) {
        offset[k] = within(column + k, s->width, &in_column[k]) * s->channels;
    }
    NM_UNROLL(6) for (int i = 0; i < size; i++)
    {
        const float *line = image + within(row + i, s->height, &in_row) * s->width * s->channels;
        NM_UNROLL(6) for (int k = 0; k < size; k++)
        {
            bits pixel;
            memcpy(&pixel, line + offset[k], sizeof pixel);
            pixel &= in_row & in_column[k];
            memcpy(&to[i * size + k], &pixel, sizeof pixel);
        }
    }
}

NM_INLINE void store_positions(const vector *tile, float *to, int64_t step)
{
    NM_UNROLL(36) for (int p = 0; p < POSITIONS; p++)
    {
        memcpy(to + p * step, &tile[p], sizeof *tile);
    }
}

NM_INLINE void load_positions(const float *from, int64_t step, vector *tile)
{
    NM_UNROLL(36) for (int p = 0; p < POSITIONS; p++)
    {
        memcpy(&tile[p], from + p * step, sizeof *tile);
    }
}

#ifdef BF16
#define SHARED WIDE static __attribute__((noinline)) /* a function of its own, since two use it */
#else
#define SHARED NM_INLINE
#endif

/* Of x, B^T x B. */
SHARED void load_tile(const job *j, const place *tile, int64_t channel, vector moved[POSITIONS])
{
    const place at = *tile;
    const int64_t first = at.image * j->in.height * j->in.width * j->in.channels + channel;
    const int64_t row = at.row - j->padding[0], column = at.column - j->padding[1];
    vector pixels[POSITIONS];
#ifdef BF16
    if (j->in.is_bf16) {
        load_bf16(&j->in, (const uint16_t *)j->x + first, row, column, IN, pixels);
    } else
#endif
    {
        load(&j->in, j->x + first, row, column, IN, pixels);
    }
    transform(pixels, IN, transform_input, IN, moved);
}

#ifdef BF16
#include "ops/kernels/winograd_bf16.h"
#else
/* A function of its own, since two use it. */
WIDE static __attribute__((noinline)) void load_input(const job *j, int64_t tile, float *to)
{
    const place at = place_of(j, tile);
    for (int64_t channel = 0; channel < j->in.channels; channel += LANES, to += j->in.panel) {
        vector moved[POSITIONS];
        load_tile(j, &at, channel, moved);
        store_positions(moved, to, j->in.step);
    }
}

NM_INLINE void store_cells(vector tiles[PAIR][POSITIONS], float *to, int64_t step)
{
    store_positions(tiles[0], to, step);
}

WIDE NM_INLINE void add_product(vector *sum, const float *a, const vector *b)
{
    *sum += *a * *b;
}
#endif

/* ---- Products ---- */

typedef struct product {
    vector at[SUMS]; /* [row, vector of columns] */
} product;

/* SUMS / vectors rows of a, each LANES long, times `vectors` vectors of columns of b. */
WIDE NM_INLINE void multiply(product *s, const float *a, int64_t a_row, int64_t a_step,
                             const float *b, int64_t b_vector, int64_t b_step, int64_t depth,
                             int vectors)
{
    vector b0, b1;
    for (int64_t k = 0; k < depth; k++, a += a_step, b += b_step) {
        memcpy(&b0, b, sizeof b0);
        memcpy(&b1, b + (vectors - 1) * b_vector, sizeof b1);
        NM_UNROLL(16) for (int i = 0; i < SUMS; i++)
        {
            add_product(&s->at[i], a + i / vectors * a_row, i % vectors ? &b1 : &b0);
        }
    }
}

/* ---- Shares of the work ---- */

typedef struct range {
    int64_t first, last;
} range;

/* One for each thread, but none without work, and not very many: each takes memory. */
#define MOST_SHARES 16

NM_INLINE int64_t count_shares(const job *j, int threads)
{
    return at_most(at_most(threads, MOST_SHARES), divide_up(j->tiles, j->at_once));
}

/* The tiles of a share: whole multiples of those that go together. */
NM_INLINE range range_of(const job *j, int64_t share)
{
    int64_t steps = divide_up(j->tiles, j->at_once);
    return (range){share * steps / j->shares * j->at_once,
                   at_most((share + 1) * steps / j->shares * j->at_once, j->tiles)};
}

NM_INLINE float *scratch_of(const job *j, int64_t share)
{
    return j->scratch + share * POSITIONS * (j->in.step + j->out.step);
}

#endif
