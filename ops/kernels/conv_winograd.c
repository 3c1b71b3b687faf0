/* F(4x4, 3x3) of Lavin and Gray 2015, arXiv 1509.09308: with matrices A, B, G,
 *
 *     y  = A^T [(G w G^T) * (B^T x B)] A        summed over the channels in
 *     dw = G^T [(B^T x B) * (A dy A^T)] G       summed over the tiles
 *
 * for a tile x of 6x6 inputs, y of 4x4 outputs; * is by elements. dx is the first of dy, with the
 * kernel turned around. The 36 elements are positions of their own: at each, the sums are a matrix
 * product, [tiles, channels in] by [channels in, channels out] or [out, tiles] by [tiles, in].
 *
 * Some tiles at a time go through all steps, so that what lies between stays in the cache. */
#include "ops/kernels/conv_winograd.h"

#include <string.h>

#include "core/thread.h"
#include "ops/kernels/kernel.h"
#include "ops/kernels/winograd.h"
#include "ops/linear.h"

/* Where functions have variants for instruction sets, these are for AVX-512 alone, whose registers
 * a product's sums fill. Elsewhere they are what the compiler makes of them. */
#if defined(NM_KERNEL_VARIANTS)
#define WIDE __attribute__((target("avx512f")))
#else
#define WIDE
#endif

#define SUMS 16           /* vectors of sums that a product keeps in registers */
#define BLOCK (2 * LANES) /* columns of a product at once */

typedef int32_t bits __attribute__((vector_size(LANES * sizeof(int32_t))));

/* Images on one side of the convolution, and what becomes of their tiles: at each position, panels
 * [tiles, LANES], one for each LANES channels. */
typedef struct side {
    int64_t height, width, channels;
    int64_t panel, step; /* floats from panel to panel, and from position to position */
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
    float *weights;    /* transformed, or sums for them: [POSITIONS, weights_step] */
    int64_t weights_step;
} job;

/* ---- The switch ---- */

static const char state_key;
typedef struct switches {
    bool off;
} switches;

static switches *find_switches(nm_context *context)
{
    return nm_context_attach(context, &state_key, sizeof(switches), NULL);
}

bool nm_context_set_winograd(nm_context *context, bool on)
{
    switches *s = find_switches(context);
    bool before = s && !s->off;
    if (s) {
        s->off = !on;
    }
    return before;
}

/* ---- What it is for ---- */

static bool has_avx512(void)
{
#if defined(NM_KERNEL_VARIANTS)
    return __builtin_cpu_supports("avx512f");
#else
    return false;
#endif
}

static bool can_run(void)
{
#if defined(NM_KERNEL_VARIANTS)
    return has_avx512();
#else
    return true;
#endif
}

bool nm_conv_is_winograd(nm_context *context, nm_dtype dtype, const nm_conv *c)
{
    bool fits = dtype == NM_F32 && c->kh == TAPS && c->kw == TAPS && c->groups == 1 && c->n > 0;
    for (int i = 0; i < 2; i++) {
        fits = fits && c->stride[i] == 1 && c->dilation[i] == 1 && c->padding[i] < TAPS;
    }
    const switches *s = fits ? find_switches(context) : NULL;
    return s && !s->off && c->c > 0 && c->c % LANES == 0 && c->o > 0 && c->o % LANES == 0 &&
           can_run();
}

static int64_t divide_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

/* Fewer tiles do not pay for transforming the weights. */
#define ENOUGH_TILES 128

bool nm_conv_winograd_is_fast(const nm_conv *c)
{
    return has_avx512() && c->n * divide_up(c->oh, OUT) * divide_up(c->ow, OUT) >= ENOUGH_TILES;
}

/* ---- Tiles in images ---- */

static side make_side(int64_t height, int64_t width, int64_t channels, int64_t at_once)
{
    /* A line more than there is: or all positions would share a few sets of the cache. */
    return (side){height, width, channels, at_once * LANES, at_once * channels + LANES};
}

static job make_job(const nm_conv *c, int64_t at_once)
{
    job j = {.rows = divide_up(c->oh, OUT),
             .columns = divide_up(c->ow, OUT),
             .padding = {c->padding[0], c->padding[1]},
             .at_once = at_once,
             .in = make_side(c->h, c->w, c->c, at_once),
             .out = make_side(c->oh, c->ow, c->o, at_once),
             .weights_step = c->c * c->o + LANES};
    j.tiles = c->n * j.rows * j.columns;
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

NM_INLINE int64_t at_most(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* `i` where it is within 0..size, or else the nearest that is; and whether it was, as a mask. */
NM_INLINE int64_t within(int64_t i, int64_t size, int32_t *mask)
{
    *mask = -(int32_t)(i >= 0 && i < size);
    return i < 0 ? 0 : i < size ? i : size - 1;
}

/* LANES channels of `size` by `size` pixels from (row, column) on; zero outside of the image. */
NM_INLINE void load(const side *s, const float *image, int64_t row, int64_t column, int size,
                    vector *to)
{
    if (row >= 0 && column >= 0 && row + size <= s->height && column + size <= s->width) {
        const float *first = image + (row * s->width + column) * s->channels;
        _Pragma("GCC unroll 6") for (int i = 0; i < size; i++)
        {
            _Pragma("GCC unroll 6") for (int k = 0; k < size; k++)
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
    _Pragma("GCC unroll 6") for (int i = 0; i < size; i++)
    {
        const float *line = image + within(row + i, s->height, &in_row) * s->width * s->channels;
        _Pragma("GCC unroll 6") for (int k = 0; k < size; k++)
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
    _Pragma("GCC unroll 36") for (int p = 0; p < POSITIONS; p++)
    {
        memcpy(to + p * step, &tile[p], sizeof *tile);
    }
}

NM_INLINE void load_positions(const float *from, int64_t step, vector *tile)
{
    _Pragma("GCC unroll 36") for (int p = 0; p < POSITIONS; p++)
    {
        memcpy(&tile[p], from + p * step, sizeof *tile);
    }
}

/* Of x, B^T x B. */
NM_INLINE void load_input(const job *j, int64_t tile, float *to)
{
    const place at = place_of(j, tile);
    const float *image = j->x + at.image * j->in.height * j->in.width * j->in.channels;
    for (int64_t channel = 0; channel < j->in.channels; channel += LANES, to += j->in.panel) {
        vector pixels[POSITIONS], moved[POSITIONS];
        load(&j->in, image + channel, at.row - j->padding[0], at.column - j->padding[1], IN,
             pixels);
        transform(pixels, IN, transform_input, IN, moved);
        store_positions(moved, to, j->in.step);
    }
}

/* Of dy, A dy A^T. */
NM_INLINE void load_output_grad(const job *j, int64_t tile, float *to)
{
    const place at = place_of(j, tile);
    const float *image = j->dy + at.image * j->out.height * j->out.width * j->out.channels;
    for (int64_t channel = 0; channel < j->out.channels; channel += LANES, to += j->out.panel) {
        vector pixels[OUT * OUT], moved[POSITIONS];
        load(&j->out, image + channel, at.row, at.column, OUT, pixels);
        transform(pixels, OUT, transform_output_grad, IN, moved);
        store_positions(moved, to, j->out.step);
    }
}

/* To y, A^T sums A, with what comes after. */
NM_INLINE void store_output(const job *j, int64_t tile, const float *sums)
{
    const side *s = &j->out;
    const place at = place_of(j, tile);
    const int64_t height = at_most(s->height - at.row, OUT);
    const int64_t width = at_most(s->width - at.column, OUT);
    float *y = j->y + ((at.image * s->height + at.row) * s->width + at.column) * s->channels;
    for (int64_t channel = 0; channel < s->channels;
         channel += LANES, y += LANES, sums += s->panel) {
        vector moved[POSITIONS], pixels[OUT * OUT], bias = {0};
        load_positions(sums, s->step, moved);
        transform(moved, IN, transform_sums, OUT, pixels);
        if (j->bias) {
            memcpy(&bias, j->bias + channel, sizeof bias);
        }
        for (int64_t i = 0; i < height; i++) {
            for (int64_t k = 0; k < width; k++) {
                vector pixel = pixels[i * OUT + k] + bias;
                if (j->relu) { /* NaN stays NaN */
                    pixel = (vector)((bits)pixel & ~(bits)(pixel < 0));
                }
                memcpy(y + (i * s->width + k) * s->channels, &pixel, sizeof pixel);
            }
        }
    }
}

/* ---- Products ---- */

typedef struct product {
    vector at[SUMS]; /* [row, vector of columns] */
} product;

/* SUMS / vectors rows of a, each LANES long, times `vectors` vectors of columns of b. */
NM_INLINE void multiply(product *s, const float *a, int64_t a_row, int64_t a_step, const float *b,
                        int64_t b_vector, int64_t b_step, int64_t depth, int vectors)
{
    vector b0, b1;
    for (int64_t k = 0; k < depth; k++, a += a_step, b += b_step) {
        memcpy(&b0, b, sizeof b0);
        memcpy(&b1, b + (vectors - 1) * b_vector, sizeof b1);
        _Pragma("GCC unroll 16") for (int i = 0; i < SUMS; i++)
        {
            s->at[i] += a[i / vectors * a_row] * (i % vectors ? b1 : b0);
        }
    }
}

/* ---- Weights ---- */

/* LANES rows of LANES columns each, to columns `step` apart. */
NM_INLINE void transpose(const vector rows[LANES], float *to, int64_t step)
{
    for (int64_t i = 0; i < LANES; i++) {
        for (int64_t k = 0; k < LANES; k++) {
            to[k * step + i] = rows[i][k];
        }
    }
}

/* Weights from channels `in` to LANES channels from `out` on, of w as [out, 3, 3, in]. */
NM_INLINE void load_weights(const job *j, int64_t in, int64_t out, float *to, int64_t block)
{
    const int64_t channels = j->in.channels;
    vector taps[TAPS * TAPS], moved[POSITIONS], all[POSITIONS][LANES];
    for (int64_t i = 0; i < LANES; i++) {
        const float *w = j->w + (out + i) * TAPS * TAPS * channels + in;
        for (int tap = 0; tap < TAPS * TAPS; tap++) {
            memcpy(&taps[tap], w + tap * channels, sizeof *taps);
        }
        transform(taps, TAPS, transform_weights, IN, moved);
        for (int p = 0; p < POSITIONS; p++) {
            all[p][i] = moved[p];
        }
    }
    for (int p = 0; p < POSITIONS; p++) {
        transpose(all[p], to + p * j->weights_step, block);
    }
}

/* The same of w as [in, 3, 3, out], turned around. */
NM_INLINE void load_turned_weights(const job *j, int64_t in, int64_t out, float *to, int64_t block)
{
    const int64_t channels = j->out.channels;
    vector taps[TAPS * TAPS], moved[POSITIONS];
    for (int64_t i = 0; i < LANES; i++) {
        const float *w = j->w + (in + i) * TAPS * TAPS * channels + out;
        for (int tap = 0; tap < TAPS * TAPS; tap++) {
            memcpy(&taps[TAPS * TAPS - 1 - tap], w + tap * channels, sizeof *taps);
        }
        transform(taps, TAPS, transform_weights, IN, moved);
        store_positions(moved, to + i * block, j->weights_step);
    }
}

/* The columns that those from `out` on are multiplied with. */
NM_INLINE int64_t block_at(const job *j, int64_t out)
{
    int64_t first = out / BLOCK * BLOCK;
    return at_most(j->out.channels - first, BLOCK);
}

/* For groups begin..end of LANES outputs. */
WIDE static void transform_all_weights(void *arg, int64_t begin, int64_t end)
{
    const job *j = arg;
    for (int64_t out = begin * LANES; out < end * LANES; out += LANES) {
        int64_t block = block_at(j, out);
        for (int64_t in = 0; in < j->in.channels; in += LANES) {
            float *to =
                j->weights + out / BLOCK * BLOCK * j->in.channels + in * block + out % BLOCK;
            if (j->turned) {
                load_turned_weights(j, in, out, to, block);
            } else {
                load_weights(j, in, out, to, block);
            }
        }
    }
}

/* ---- Forward, and the gradient of x ---- */

#define TILES 32 /* at once, so that what lies between the steps stays in the cache */

typedef struct range {
    int64_t first, last;
} range;

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

/* At one position: of `vectors` panels of sums, those of the inputs times weights. */
NM_INLINE void multiply_panels(const job *j, const float *input, const float *weights,
                               int64_t tiles, float *to, int vectors)
{
    for (int64_t tile = 0; tile < tiles; tile += SUMS / vectors) {
        const float *a = input + tile * LANES, *b = weights;
        product s = {{{0}}};
        for (int64_t i = 0; i < j->in.channels; i += LANES) {
            multiply(&s, a, LANES, 1, b, LANES, vectors * LANES, LANES, vectors);
            a += j->in.panel;
            b += vectors * LANES * LANES;
        }
        _Pragma("GCC unroll 16") for (int i = 0; i < SUMS; i++)
        {
            float *at = to + i % vectors * j->out.panel + (tile + i / vectors) * LANES;
            memcpy(at, &s.at[i], sizeof *s.at);
        }
    }
}

NM_INLINE void multiply_position(const job *j, const float *input, const float *weights,
                                 int64_t tiles, float *to)
{
    int64_t left = j->out.channels;
    for (; left >= BLOCK; left -= BLOCK) {
        multiply_panels(j, input, weights, tiles, to, 2);
        weights += BLOCK * j->in.channels;
        to += 2 * j->out.panel;
    }
    if (left) {
        multiply_panels(j, input, weights, tiles, to, 1);
    }
}

/* Shares begin..end of the tiles. Of the last few, products compute some rows too many, of what the
 * ones before left. */
WIDE static void convolve(void *arg, int64_t begin, int64_t end)
{
    const job *j = arg;
    for (int64_t share = begin; share < end; share++) {
        float *input = scratch_of(j, share), *sums = input + POSITIONS * j->in.step;
        const range r = range_of(j, share);
        for (int64_t tile = r.first; tile < r.last; tile += j->at_once) {
            int64_t count = at_most(r.last - tile, j->at_once);
            for (int64_t i = 0; i < count; i++) {
                load_input(j, tile + i, input + i * LANES);
            }
            for (int64_t p = 0; p < POSITIONS; p++) {
                multiply_position(j, input + p * j->in.step, j->weights + p * j->weights_step,
                                  count, sums + p * j->out.step);
            }
            for (int64_t i = 0; i < count; i++) {
                store_output(j, tile + i, sums + i * LANES);
            }
        }
    }
}

static nm_status run(nm_context *context, job *j)
{
    j->shares = nm_context_threads(context);
    int64_t weights = POSITIONS * j->weights_step;
    int64_t scratch = j->shares * POSITIONS * (j->in.step + j->out.step);
    j->weights = nm_scratch(context, (size_t)(weights + scratch) * sizeof(float));
    if (!j->weights) {
        return NM_ERROR_MEMORY;
    }
    j->scratch = j->weights + weights;
    nm_parallel(context, j->out.channels / LANES, 1, transform_all_weights, j);
    nm_parallel(context, j->shares, 1, convolve, j);
    nm_scratch_end(j->weights);
    return NM_OK;
}

nm_status nm_conv_winograd_forward(nm_context *context, const nm_conv *c, const float *x,
                                   const float *w, const float *bias, bool with_relu, float *y)
{
    job j = make_job(c, TILES);
    j.x = x, j.w = w, j.bias = bias, j.relu = with_relu, j.y = y;
    return run(context, &j);
}

nm_status nm_conv_winograd_input_grad(nm_context *context, const nm_conv *c, const float *dy,
                                      const float *w, float *dx)
{
    nm_conv back = *c;
    back.h = c->oh, back.w = c->ow, back.c = c->o;
    back.oh = c->h, back.ow = c->w, back.o = c->c;
    back.padding[0] = TAPS - 1 - c->padding[0], back.padding[1] = TAPS - 1 - c->padding[1];
    job j = make_job(&back, TILES);
    j.x = dy, j.w = w, j.y = dx, j.turned = true;
    return run(context, &j);
}

/* ---- The gradient of the weights ---- */

/* At one position: adds to sums [out, in] those over the tiles of a panel of gradients times
 * `vectors` panels of inputs. */
NM_INLINE void add_panels(const job *j, const float *input, const float *grad, int64_t tiles,
                          float *to, int vectors)
{
    vector before;
    for (int row = 0; row < LANES; row += SUMS / vectors) {
        product s = {{{0}}};
        multiply(&s, grad + row, 1, LANES, input, j->in.panel, LANES, tiles, vectors);
        _Pragma("GCC unroll 16") for (int i = 0; i < SUMS; i++)
        {
            float *at = to + (row + i / vectors) * j->in.channels + i % vectors * LANES;
            memcpy(&before, at, sizeof before);
            before += s.at[i];
            memcpy(at, &before, sizeof before);
        }
    }
}

NM_INLINE void add_position(const job *j, const float *input, const float *grad, int64_t tiles,
                            float *to)
{
    const int64_t in = j->in.channels;
    for (int64_t out = 0; out < j->out.channels; out += LANES, grad += j->out.panel) {
        int64_t first = 0;
        for (; first + BLOCK <= in; first += BLOCK) {
            add_panels(j, input + first / LANES * j->in.panel, grad, tiles, to + out * in + first,
                       2);
        }
        if (first < in) {
            add_panels(j, input + first / LANES * j->in.panel, grad, tiles, to + out * in + first,
                       1);
        }
    }
}

/* Shares begin..end of the tiles, each with sums of its own. */
WIDE static void sum_shares(void *arg, int64_t begin, int64_t end)
{
    const job *j = arg;
    for (int64_t share = begin; share < end; share++) {
        float *input = scratch_of(j, share), *grad = input + POSITIONS * j->in.step;
        float *sums = j->weights + share * POSITIONS * j->weights_step;
        const range r = range_of(j, share);
        memset(sums, 0, (size_t)(POSITIONS * j->weights_step) * sizeof *sums);
        for (int64_t tile = r.first; tile < r.last; tile += j->at_once) {
            int64_t count = at_most(r.last - tile, j->at_once);
            for (int64_t i = 0; i < count; i++) {
                load_input(j, tile + i, input + i * LANES);
                load_output_grad(j, tile + i, grad + i * LANES);
            }
            for (int64_t p = 0; p < POSITIONS; p++) {
                add_position(j, input + p * j->in.step, grad + p * j->out.step, count,
                             sums + p * j->weights_step);
            }
        }
    }
}

/* For outputs begin..end: adds up the shares, in order, and G^T sums G. */
WIDE static void store_weight_grad(void *arg, int64_t begin, int64_t end)
{
    const job *j = arg;
    const int64_t in = j->in.channels;
    for (int64_t i = begin * in; i < end * in; i += LANES) {
        vector sums[POSITIONS], more[POSITIONS], taps[TAPS * TAPS];
        load_positions(j->weights + i, j->weights_step, sums);
        for (int64_t share = 1; share < j->shares; share++) {
            load_positions(j->weights + share * POSITIONS * j->weights_step + i, j->weights_step,
                           more);
            for (int p = 0; p < POSITIONS; p++) {
                sums[p] += more[p];
            }
        }
        transform(sums, IN, transform_weight_sums, TAPS, taps);
        float *to = j->dw + i / in * TAPS * TAPS * in + i % in;
        for (int tap = 0; tap < TAPS * TAPS; tap++) {
            memcpy(to + tap * in, &taps[tap], sizeof *taps);
        }
    }
}

/* So many bytes of sums, but at least 2 and at most 8 shares: not by the number of threads, which
 * the order of the sums is not to depend on. */
#define SUM_BYTES 4194304

nm_status nm_conv_winograd_weight_grad(nm_context *context, const nm_conv *c, const float *x,
                                       const float *dy, float *dw)
{
    /* With many channels, more tiles at once, for the sums to be read and written less often. */
    job j = make_job(c, c->c * c->o > 64 * 64 ? 2 * TILES : TILES);
    int64_t sums = POSITIONS * j.weights_step, fit = SUM_BYTES / (sums * 4);
    j.x = x, j.dy = dy, j.dw = dw;
    j.shares = fit < 2 ? 2 : at_most(fit, 8);
    int64_t scratch = j.shares * POSITIONS * (j.in.step + j.out.step);
    j.weights = nm_scratch(context, (size_t)(j.shares * sums + scratch) * sizeof(float));
    if (!j.weights) {
        return NM_ERROR_MEMORY;
    }
    j.scratch = j.weights + j.shares * sums;
    nm_parallel(context, j.shares, 1, sum_shares, &j);
    nm_parallel(context, c->o, 1, store_weight_grad, &j);
    nm_scratch_end(j.weights);
    return NM_OK;
}
