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
#include "ops/kernels/gemm_blocked.h"
#include "ops/kernels/winograd_tiles.h"

/* ---- Weights ---- */

/* To channels out, from `out` on: tap t from channel c, a vector, is at at[c * channel + t * tap].
 */
typedef struct tap_vectors {
    const float *at;
    int64_t channel, tap;
} tap_vectors;

static tap_vectors transpose_taps(const job *j, int64_t out)
{
    const int64_t in = j->in.channels, all = TAPS * TAPS * in;
    float *to = j->taps + out * all;
    nm_gemm_transpose(j->w + out * all, all, LANES, all, to);
    return (tap_vectors){to, LANES, in * LANES};
}

/* Of w as [in, 3, 3, out], turned around. */
static tap_vectors turned_taps(const job *j, int64_t out)
{
    const int64_t tap = j->out.channels;
    return (tap_vectors){j->w + (TAPS * TAPS - 1) * tap + out, TAPS * TAPS * tap, -tap};
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
    const int64_t channels = j->in.channels;
    for (int64_t out = begin * LANES; out < end * LANES; out += LANES) {
        const tap_vectors w = j->turned ? turned_taps(j, out) : transpose_taps(j, out);
        const int64_t block = block_at(j, out);
        float *to = j->weights + out % BLOCK + out / BLOCK * BLOCK * channels / PAIR;
        for (int64_t in = 0; in < channels; in += PAIR, to += block) {
            vector moved[PAIR][POSITIONS], tap[TAPS * TAPS];
            for (int64_t k = 0; k < PAIR; k++) {
                NM_UNROLL(9) for (int t = 0; t < TAPS * TAPS; t++)
                {
                    memcpy(&tap[t], w.at + (in + k) * w.channel + t * w.tap, sizeof tap[t]);
                }
                transform(tap, TAPS, transform_weights, IN, moved[k]);
            }
            store_cells(moved, to, j->weights_step);
        }
    }
}

/* ---- Forward, and the gradient of x ---- */

/* As y's elements from the first on. */
WIDE NM_INLINE void store_pixel(const job *j, int64_t first, const vector *pixel)
{
#ifdef BF16
    if (j->out.is_bf16) {
        const halves rounded = round_to_bf16(*pixel);
        memcpy((uint16_t *)j->y + first, &rounded, sizeof rounded);
        return;
    }
#endif
    memcpy(j->y + first, pixel, sizeof *pixel);
}

/* To y, A^T sums A, with what comes after. */
WIDE NM_INLINE void store_output(const job *j, int64_t tile, const float *sums)
{
    const side *s = &j->out;
    const place at = place_of(j, tile);
    const int64_t height = at_most(s->height - at.row, OUT);
    const int64_t width = at_most(s->width - at.column, OUT);
    const int64_t first = ((at.image * s->height + at.row) * s->width + at.column) * s->channels;
    for (int64_t channel = 0; channel < s->channels; channel += LANES, sums += s->panel) {
        vector moved[POSITIONS], pixels[OUT * OUT], bias = {0};
        load_positions(sums, s->step, moved);
        transform(moved, IN, transform_sums, OUT, pixels);
        if (j->bias) {
            memcpy(&bias, j->bias + channel, sizeof bias);
        }
        for (int64_t i = 0; i < height; i++) {
            for (int64_t k = 0; k < width; k++) {
                vector pixel = pixels[i * OUT + k] + bias;
                if (j->relu) {
                    apply_relu(&pixel);
                }
                store_pixel(j, first + (i * s->width + k) * s->channels + channel, &pixel);
            }
        }
    }
}

/* Lines of the weights that come next to fetch beside LANES channels of these: by the time they do,
 * all are in the cache, even of more weights than it holds. */
#define FETCH (LANES * SUMS / TILES / PAIR)

NM_INLINE void fetch(const float *weights)
{
    NM_UNROLL(8) for (int i = 0; i < FETCH; i++)
    {
        __builtin_prefetch(weights + i * LANES, 0, 2);
    }
}

/* At one position: of `vectors` panels of sums, those of the inputs times weights. */
WIDE NM_INLINE void multiply_panels(const job *j, const float *input, const float *weights,
                                    int64_t tiles, float *to, int vectors)
{
    const float *next = weights + vectors * LANES * j->in.channels / PAIR;
    for (int64_t tile = 0; tile < tiles; tile += SUMS / vectors) {
        const float *a = input + tile * LANES / PAIR, *b = weights;
        product s = {{{0}}};
        for (int64_t i = 0; i < j->in.channels; i += LANES, next += FETCH * LANES) {
            fetch(next);
            multiply(&s, a, LANES / PAIR, 1, b, LANES, vectors * LANES, LANES / PAIR, vectors);
            a += j->in.panel;
            b += vectors * LANES * LANES / PAIR;
        }
        NM_UNROLL(16) for (int i = 0; i < SUMS; i++)
        {
            float *at = to + i % vectors * j->out.panel + (tile + i / vectors) * LANES;
            memcpy(at, &s.at[i], sizeof *s.at);
        }
    }
}

WIDE NM_INLINE void multiply_position(const job *j, const float *input, const float *weights,
                                      int64_t tiles, float *to)
{
    int64_t left = j->out.channels;
    for (; left >= BLOCK; left -= BLOCK) {
        multiply_panels(j, input, weights, tiles, to, 2);
        weights += BLOCK * j->in.channels / PAIR;
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
                load_input(j, tile + i, input + i * LANES / PAIR);
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

#define AT_LEAST (SUMS / 2) /* tiles that a product takes at once */

static nm_status run(nm_context *context, job *j)
{
    const int64_t each = divide_up(j->tiles, nm_context_threads(context));
    j->at_once = at_most(j->at_once, divide_up(each, AT_LEAST) * AT_LEAST); /* few are shared too */
    j->shares = count_shares(j, nm_context_threads(context));
    int64_t weights = POSITIONS * j->weights_step;
    int64_t scratch = j->shares * POSITIONS * (j->in.step + j->out.step);
    int64_t moved = j->turned ? 0 : TAPS * TAPS * j->in.channels * j->out.channels;
    j->weights = nm_scratch(context, nm_bytes(weights + scratch + moved, sizeof(float)));
    if (!j->weights) {
        return NM_ERROR_MEMORY;
    }
    j->scratch = j->weights + weights;
    j->taps = j->scratch + scratch;
    nm_parallel(context, j->out.channels / LANES, 1, transform_all_weights, j);
    nm_parallel(context, j->shares, 1, convolve, j);
    nm_scratch_end(j->weights);
    return NM_OK;
}

static nm_status winograd_forward(nm_context *context, const nm_conv *c, const float *x,
                                  const float *w, const float *bias, bool with_relu, float *y)
{
    job j = make_job(c, TILES, false);
    j.x = x, j.w = w, j.bias = bias, j.relu = with_relu, j.y = y;
    return run(context, &j);
}

static nm_status winograd_input_grad(nm_context *context, const nm_conv *c, const float *dy,
                                     const float *w, float *dx)
{
    nm_conv back = *c;
    back.h = c->oh, back.w = c->ow, back.c = c->o;
    back.oh = c->h, back.ow = c->w, back.o = c->c;
    back.padding[0] = TAPS - 1 - c->padding[0], back.padding[1] = TAPS - 1 - c->padding[1];
    job j = make_job(&back, TILES, false);
    j.x = dy, j.w = w, j.y = dx, j.turned = true;
    return run(context, &j);
}
