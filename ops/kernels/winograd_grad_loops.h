/* The gradient of the weights by Winograd's filtering; winograd_loops.h says how. */
#include "ops/kernels/winograd_tiles.h"

/* Of dy, A dy A^T. */
NM_INLINE void load_grad_tile(const job *j, const place *tile, int64_t channel,
                              vector moved[POSITIONS])
{
    const place at = *tile;
    const float *image = j->dy + at.image * j->out.height * j->out.width * j->out.channels;
    vector pixels[OUT * OUT];
    load(&j->out, image + channel, at.row, at.column, OUT, pixels);
    transform(pixels, OUT, transform_output_grad, IN, moved);
}

#ifndef BF16
NM_INLINE void load_output_grad(const job *j, int64_t tile, float *to)
{
    const place at = place_of(j, tile);
    for (int64_t channel = 0; channel < j->out.channels; channel += LANES, to += j->out.panel) {
        vector moved[POSITIONS];
        load_grad_tile(j, &at, channel, moved);
        store_positions(moved, to, j->out.step);
    }
}

/* Of `count` tiles from `tile` on. */
WIDE NM_INLINE void load_tiles(const job *j, int64_t tile, int64_t count, float *input, float *grad)
{
    for (int64_t i = 0; i < count; i++) {
        load_input(j, tile + i, input + i * LANES);
        load_output_grad(j, tile + i, grad + i * LANES);
    }
}
#else
typedef void (*load_fn)(const job *j, const place *tile, int64_t channel, vector moved[POSITIONS]);

/* Cells of a tile and the one behind it, or zeros where there is none. */
WIDE NM_INLINE void load_pair(const job *j, const side *s, int64_t tile, bool alone,
                              load_fn load_one, float *to)
{
    const int64_t count = alone ? 1 : PAIR;
    const place at[PAIR] = {place_of(j, tile), place_of(j, tile + count - 1)};
    vector moved[PAIR][POSITIONS] = {{{0}}};
    for (int64_t channel = 0; channel < s->channels; channel += LANES, to += s->panel) {
        for (int64_t k = 0; k < count; k++) {
            load_one(j, &at[k], channel, moved[k]);
        }
        store_cells(moved, to, s->step);
    }
}

WIDE NM_INLINE void load_tiles(const job *j, int64_t tile, int64_t count, float *input, float *grad)
{
    for (int64_t i = 0; i < count; i += PAIR, input += LANES, grad += LANES) {
        load_pair(j, &j->in, tile + i, i + 1 == count, load_tile, input);
        load_pair(j, &j->out, tile + i, i + 1 == count, load_grad_tile, grad);
    }
}
#endif

/* At one position: sums [out, in] over `depth` cells of tiles of a panel of gradients times
 * `vectors` panels of inputs. `add`: to what is there. */
WIDE NM_INLINE void add_panels(const job *j, const float *input, const float *grad, int64_t depth,
                               float *to, int vectors, bool add)
{
    vector before;
    for (int row = 0; row < LANES; row += SUMS / vectors) {
        product s = {{{0}}};
        multiply(&s, grad + row, 1, LANES, input, j->in.panel, LANES, depth, vectors);
        NM_UNROLL(16) for (int i = 0; i < SUMS; i++)
        {
            float *at = to + (row + i / vectors) * j->in.channels + i % vectors * LANES;
            if (add) {
                memcpy(&before, at, sizeof before);
                s.at[i] += before;
            }
            memcpy(at, &s.at[i], sizeof *s.at);
        }
    }
}

WIDE NM_INLINE void add_position(const job *j, const float *input, const float *grad, int64_t depth,
                                 float *to, bool add)
{
    const int64_t in = j->in.channels;
    for (int64_t out = 0; out < j->out.channels; out += LANES, grad += j->out.panel) {
        int64_t first = 0;
        for (; first + BLOCK <= in; first += BLOCK) {
            add_panels(j, input + first / LANES * j->in.panel, grad, depth, to + out * in + first,
                       2, add);
        }
        if (first < in) {
            add_panels(j, input + first / LANES * j->in.panel, grad, depth, to + out * in + first,
                       1, add);
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
        for (int64_t tile = r.first; tile < r.last; tile += j->at_once) {
            int64_t count = at_most(r.last - tile, j->at_once);
            load_tiles(j, tile, count, input, grad);
            for (int64_t p = 0; p < POSITIONS; p++) {
                add_position(j, input + p * j->in.step, grad + p * j->out.step,
                             divide_up(count, PAIR), sums + p * j->weights_step, tile > r.first);
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
        vector sums[POSITIONS], more, taps[TAPS * TAPS];
        for (int p = 0; p < POSITIONS; p++) {
            const float *from = j->weights + i + p * j->weights_step;
            memcpy(&sums[p], from, sizeof more);
            for (int64_t share = 1; share < j->shares; share++) {
                memcpy(&more, from + share * POSITIONS * j->weights_step, sizeof more);
                sums[p] += more;
            }
        }
        transform(sums, IN, transform_weight_sums, TAPS, taps);
        float *to = j->dw + i / in * TAPS * TAPS * in + i % in;
        for (int tap = 0; tap < TAPS * TAPS; tap++) {
            memcpy(to + tap * in, &taps[tap], sizeof *taps);
        }
    }
}

static nm_status winograd_weight_grad(nm_context *context, const nm_conv *c, const float *x,
                                      const float *dy, float *dw)
{
    /* With many channels, more tiles at once, for the sums to be read and written less often. */
    job j = make_job(c, c->c * c->o > 64 * 64 ? 2 * TILES : TILES, true);
    int64_t sums = POSITIONS * j.weights_step;
    j.x = x, j.dy = dy, j.dw = dw;
    j.shares = count_shares(&j, nm_context_threads(context));
    int64_t scratch = j.shares * POSITIONS * (j.in.step + j.out.step);
    j.weights = nm_scratch(context, nm_bytes(j.shares * sums + scratch, sizeof(float)));
    if (!j.weights) {
        return NM_ERROR_MEMORY;
    }
    j.scratch = j.weights + j.shares * sums;
    nm_parallel(context, j.shares, 1, sum_shares, &j);
    nm_parallel(context, c->o, 1, store_weight_grad, &j);
    nm_scratch_end(j.weights);
    return NM_OK;
}
