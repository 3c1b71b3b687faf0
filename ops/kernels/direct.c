#include "ops/kernels/direct.h"

#include <string.h>

#include "core/thread.h"
#include "ops/kernels/copy.h"
#include "ops/kernels/finish.h"
#include "ops/kernels/reduce.h"

/* Numbers at once, if an image has no more, with several outputs a channel. */
#define COPIED 524288
#define BAND 8               /* rows at most */
#define CHUNKS 16            /* of images at most, for the gradient of weights */
#define WORTH_THREADS 131072 /* multiply-adds below which a second thread does not pay */

/* Tap t of place p lies over (p scale + shift + t dilation) / divisor of what is read, if that is a
 * whole number inside. */
typedef struct axis {
    int64_t places, size, taps;
    int64_t scale, shift, dilation, divisor;
    int64_t tap_step, source_step; /* from a tap with something under it to the next */
    int64_t advance; /* of what is under a tap, from a place to that which is `divisor` behind */
} axis;

/* The taps of a place with something under them: the first, how many, and what is under it. */
typedef struct span {
    int64_t tap, taps, source;
} span;

/* Places `divisor` apart that have the same taps. */
typedef struct part {
    span at;
    int64_t first, places;
} part;

typedef struct job {
    const nm_conv *conv;
    const nm_tiles *tiles;
    nm_dtype dtype;
    nm_activation activation;
    bool direct;              /* sums go over a group's channels too */
    int64_t item, multiplier; /* bytes; outputs of a channel, if not direct */
    int64_t groups, in, out;  /* channels of a group; not direct: all in one */
    axis rows, columns;
    part *bands, *parts; /* of rows, and of columns */
    int64_t band_count, part_count;
    int64_t images;    /* of a piece */
    char *memory;      /* what the pointers into it are of is below */
    char *wide;        /* a piece of x or dx with a channel for each output */
    const char *x, *w; /* what is read: w is [tap, o], or dy */
    char *from, *y;    /* what sums start from, [o], and where they go */
    int64_t chunk;     /* images, for the gradient of weights; its sums are y, [chunk, tap, room] */
    int64_t room;
} job;

/* ---- Which taps lie over what ---- */

static axis make_axis(const nm_conv *c, int i, bool backward)
{
    const int64_t in = i ? c->w : c->h, out = i ? c->ow : c->oh, taps = i ? c->kw : c->kh;
    const int64_t padding = c->padding[i], dilation = c->dilation[i], stride = c->stride[i];
    if (!backward) {
        return (axis){out, in, taps, stride, -padding, dilation, 1, 1, dilation, stride};
    }
    axis a = {in, out, taps, 1, padding, -dilation, stride, 1, 0, 1};
    while (a.tap_step < taps && a.tap_step * dilation % stride) {
        a.tap_step++;
    }
    a.source_step = -(a.tap_step * dilation / stride);
    return a;
}

/* For the gradient of weights: a place is a tap, and its taps are the rows of y. */
static axis make_tap_axis(const nm_conv *c)
{
    const int64_t dilation = c->dilation[0], stride = c->stride[0];
    return (axis){c->kh, c->h, c->oh, dilation, -c->padding[0], stride, 1, 1, stride, dilation};
}

static span find_span(const axis *a, int64_t place)
{
    span s = {0, 0, 0};
    for (int64_t t = 0; t < a->taps; t++) {
        const int64_t at = place * a->scale + a->shift + t * a->dilation;
        if (at >= 0 && at % a->divisor == 0 && at / a->divisor < a->size && s.taps++ == 0) {
            s.tap = t;
            s.source = at / a->divisor;
        }
    }
    return s;
}

/* Into room for as many as places, each of so many at most. Returns how many. */
static int64_t find_parts(const axis *a, int64_t most, part *parts)
{
    int64_t count = 0;
    for (int64_t phase = 0; phase < a->divisor && phase < a->places; phase++) {
        part *p = NULL;
        for (int64_t place = phase; place < a->places; place += a->divisor) {
            const span s = find_span(a, place);
            if (!p || p->places == most || p->at.tap != s.tap || p->at.taps != s.taps) {
                p = &parts[count++];
                *p = (part){.at = s, .first = place};
            }
            p->places++;
        }
    }
    return count;
}

/* ---- Memory ---- */

/* The plan of a job whose axes are known, with bands of so many rows at most; memory for `count`
 * numbers and a piece with a channel for each output. */
static bool begin(nm_context *context, job *j, int64_t most, int64_t count)
{
    const nm_conv *c = j->conv;
    const int64_t image = c->h * c->w * c->o, places = j->rows.places + j->columns.places;
    j->item = (int64_t)nm_dtype_size(j->dtype);
    j->multiplier = j->direct ? 1 : c->o / c->c;
    j->images = j->multiplier == 1 || COPIED / image >= c->n ? c->n : COPIED / image + 1;
    const int64_t wide = j->multiplier == 1 ? 0 : j->images * image;
    j->memory = nm_scratch(context, nm_bytes(count + wide, (size_t)j->item));
    j->bands = nm_scratch(context, nm_bytes(places, sizeof(part)));
    if (!j->memory || !j->bands) {
        return false;
    }
    j->wide = j->memory + count * j->item;
    j->parts = j->bands + j->rows.places;
    j->band_count = find_parts(&j->rows, most, j->bands);
    j->part_count = find_parts(&j->columns, j->columns.places, j->parts);
    return true;
}

static nm_status end(job *j, bool done)
{
    nm_scratch_end(j->bands);
    nm_scratch_end(j->memory);
    return done ? NM_OK : NM_ERROR_MEMORY;
}

/* x of a piece, with each channel as often as it has outputs. */
static const char *widen(nm_context *context, const job *j, const char *x)
{
    const nm_conv *c = j->conv;
    if (j->multiplier > 1) {
        const nm_copy_plan plan = {.rank = 3,
                                   .axis = {{j->images * c->h * c->w, c->c, c->o},
                                            {c->c, 1, j->multiplier},
                                            {j->multiplier, 0, 1}}};
        nm_copy(context, plan, (size_t)j->item, x, j->wide);
        x = j->wide;
    }
    return x;
}

/* y [columns, rows] of x [rows, columns]. */
static void transpose(nm_context *context, const job *j, const void *x, int64_t rows, int64_t x_row,
                      int64_t columns, int64_t y_row, void *y)
{
    const nm_copy_plan plan = {.rank = 2, .axis = {{columns, 1, y_row}, {rows, x_row, 1}}};
    nm_copy(context, plan, (size_t)j->item, x, y);
}

/* ---- Forward, and the gradient of x ---- */

/* What all strips of a job have in common. */
static nm_strip make_slide(const job *j)
{
    const axis *rows = &j->rows, *columns = &j->columns;
    const int64_t place = j->groups * j->in * j->item;
    const int64_t tap = (j->direct ? j->in : 1) * j->out * j->item;
    return (nm_strip){.channels = j->out,
                      .room = j->out,
                      .item = j->item,
                      .depth = j->direct ? j->in * j->item : 0,
                      .w_depth = j->out * j->item,
                      .x_row = rows->source_step * columns->size * place,
                      .x_column = columns->source_step * place,
                      .w_row = rows->tap_step * columns->taps * tap,
                      .w_column = columns->tap_step * tap};
}

/* A part of a band, from where s points: along its rows, or down its columns where they are longer.
 */
static void slide_part(const job *j, nm_strip *s, const part *band, const part *p, int64_t channel)
{
    const int64_t in = j->groups * j->in * j->item, out = j->groups * j->out * j->item;
    const int64_t x_step[2] = {j->rows.advance * j->columns.size * in, j->columns.advance * in};
    const int64_t y_step[2] = {j->rows.divisor * j->columns.places * out, j->columns.divisor * out};
    const int along = p->places >= BAND || p->places >= band->places;
    const int64_t count = along ? band->places : p->places;
    s->places = along ? p->places : band->places;
    s->x_place = x_step[along], s->y_place = y_step[along];
    s->rows = band->at.taps, s->columns = p->at.taps;
    if (s->depth && s->columns > 1 && s->x_column == j->in * j->item &&
        s->w_column == j->in * s->w_depth) {
        s->depth = s->columns * j->in * j->item; /* side by side */
        s->columns = 1;
    }
    const int64_t last = j->direct ? channel + 1 : j->out;
    for (int64_t i = 0; i < count; i++, s->x += x_step[!along], s->y += y_step[!along]) {
        nm_strip_run(s, j->tiles, channel, last);
    }
}

/* A vector of channels of a group, or all. */
static void slide_band(const job *j, int64_t image, const part *band, int64_t group,
                       int64_t channel)
{
    const axis *rows = &j->rows, *columns = &j->columns;
    const int64_t in = j->groups * j->in, out = j->groups * j->out,
                  taps = rows->taps * columns->taps;
    const int64_t line = (image * rows->size + band->at.source) * columns->size;
    const int64_t place = (image * rows->places + band->first) * columns->places;
    for (const part *p = j->parts; p < j->parts + j->part_count; p++) {
        const int64_t tap = band->at.tap * columns->taps + p->at.tap;
        nm_strip s = make_slide(j);
        s.x = j->x + ((line + p->at.source) * in + group * j->in) * j->item;
        s.y = j->y + ((place + p->first) * out + group * j->out) * j->item;
        s.from = j->from + group * j->out * j->item;
        s.w = j->w + (j->direct ? (group * taps + tap) * j->in : tap) * j->out * j->item;
        slide_part(j, &s, band, p, channel);
    }
}

/* Bands begin..end of what is computed, of all images of the piece. */
static void slide_bands(void *arg, int64_t begin, int64_t end)
{
    const job *j = arg;
    const int64_t step = j->direct ? j->tiles->lanes : j->out;
    const int64_t width = j->columns.places, out = j->groups * j->out;
    for (int64_t i = begin; i < end; i++) {
        const int64_t image = i / j->band_count;
        const part *band = &j->bands[i % j->band_count];
        for (int64_t group = 0; group < j->groups; group++) {
            for (int64_t channel = 0; channel < j->out; channel += step) {
                slide_band(j, image, band, group, channel);
            }
        }
        for (int64_t k = 0; k < band->places && j->activation != NM_ACTIVATION_NONE; k++) {
            const int64_t row = image * j->rows.places + band->first + k * j->rows.divisor;
            nm_finish_rows(&(nm_finish){.dtype = j->dtype,
                                        .rows = width,
                                        .columns = out,
                                        .stride = out,
                                        .activation = j->activation,
                                        .y = j->y + row * width * out * j->item});
        }
    }
}

/* w [o, taps, c / groups] as strips read them: [group, tap, in, out]. */
static void arrange_weights(nm_context *context, const job *j, const void *w, bool backward)
{
    const nm_conv *c = j->conv;
    const int64_t taps = c->kh * c->kw, in = c->c / c->groups, out = c->o / c->groups;
    const int64_t o_step = backward ? in : 1, in_step = backward ? 1 : out;
    nm_copy_plan plan = {.rank = 4,
                         .axis = {{c->groups, out * taps * in, out * taps * in},
                                  {taps, in, in * out},
                                  {out, taps * in, o_step},
                                  {in, 1, in_step}}};
    if (!j->direct) {
        plan = (nm_copy_plan){.rank = 2, .axis = {{taps, 1, c->o}, {c->o, taps, 1}}};
    }
    nm_copy(context, plan, (size_t)j->item, w, j->memory);
}

/* Weights as strips read them, and what sums start from. */
static bool begin_slide(nm_context *context, job *j, const void *w, const void *bias, bool backward)
{
    const nm_conv *c = j->conv;
    const int64_t in = c->c / c->groups, out = c->o / c->groups;
    const int64_t count = c->o * c->kh * c->kw * in;
    j->rows = make_axis(c, 0, backward), j->columns = make_axis(c, 1, backward);
    j->groups = j->direct ? c->groups : 1;
    j->in = !j->direct ? c->o : backward ? out : in;
    j->out = !j->direct ? c->o : backward ? in : out;
    if (!begin(context, j, BAND, count + j->groups * j->out)) {
        return false;
    }
    const size_t bytes = (size_t)(j->groups * j->out * j->item);
    j->w = j->memory;
    j->from = j->memory + count * j->item;
    arrange_weights(context, j, w, backward);
    memset(j->from, 0, bytes);
    if (bias) {
        memcpy(j->from, bias, bytes);
    }
    return true;
}

static void slide(nm_context *context, job *j)
{
    const nm_conv *c = j->conv;
    const int64_t row = c->ow * c->o * c->kh * c->kw * (j->direct ? c->c / c->groups : 1);
    nm_parallel(context, j->images * j->band_count, WORTH_THREADS / (row * BAND) + 1, slide_bands,
                j);
}

nm_status nm_direct_forward(nm_context *context, const nm_tiles *tiles, nm_dtype dtype,
                            const nm_conv *c, const void *x, const void *w, const void *bias,
                            nm_activation activation, void *y)
{
    job j = {.conv = c, .tiles = tiles, .dtype = dtype, .activation = activation};
    j.direct = c->groups < c->c || c->c == 1;
    const bool ready = begin_slide(context, &j, w, bias, false);
    const int64_t at_once = j.images;
    for (int64_t i = 0; i < c->n && ready; i += at_once) {
        j.images = c->n - i < at_once ? c->n - i : at_once;
        j.x = widen(context, &j, (const char *)x + i * c->h * c->w * c->c * j.item);
        j.y = (char *)y + i * c->oh * c->ow * c->o * j.item;
        slide(context, &j);
    }
    return end(&j, ready);
}

nm_status nm_direct_input_grad(nm_context *context, const nm_tiles *tiles, nm_dtype dtype,
                               const nm_conv *c, const void *dy, const void *w, void *dx)
{
    job j = {.conv = c, .tiles = tiles, .dtype = dtype};
    j.direct = c->groups < c->c;
    bool ready = begin_slide(context, &j, w, NULL, true);
    const int64_t at_once = j.images, image = c->h * c->w * c->c;
    for (int64_t i = 0; i < c->n && ready; i += at_once) {
        j.images = c->n - i < at_once ? c->n - i : at_once;
        char *to = (char *)dx + i * image * j.item;
        j.x = (const char *)dy + i * c->oh * c->ow * c->o * j.item;
        j.y = j.multiplier > 1 ? j.wide : to;
        slide(context, &j);
        const nm_shape shape = NM_SHAPE(j.images * image, j.multiplier);
        ready = j.multiplier == 1 ||
                nm_reduce(context, NM_REDUCE_SUM, dtype, &shape, 2, 1, j.wide, to) == NM_OK;
    }
    return end(&j, ready);
}

/* ---- The gradient of the weights ---- */

/* One image's, of the vector of channels from `channel` on. */
static void sum_image(const job *j, nm_strip *s, int64_t image, int64_t channel, char *y)
{
    const axis *rows = &j->rows, *columns = &j->columns;
    const int64_t place = j->conv->o * j->item;
    for (int64_t i = 0; i < rows->places; i++) {
        const span *row = &j->bands[i].at;
        const int64_t line = (image * rows->size + row->source) * columns->size;
        const int64_t out = (image * rows->taps + row->tap) * columns->places;
        s->rows = row->taps;
        for (const part *p = j->parts; p < j->parts + j->part_count; p++) {
            s->x = j->x + (line + p->at.source) * place;
            s->w = j->w + (out + p->first) * place;
            s->y = y + (i * columns->taps + p->at.tap) * s->y_place;
            s->from = s->y;
            s->columns = p->places, s->places = p->at.taps;
            nm_strip_run(s, j->tiles, channel, channel + 1);
        }
    }
}

/* Chunks of images by vectors of channels. */
static void sum_chunks(void *arg, int64_t begin, int64_t end)
{
    const job *j = arg;
    const nm_conv *c = j->conv;
    const int64_t lanes = j->tiles->lanes, vectors = j->room / lanes;
    const int64_t place = c->o * j->item, sums = j->room * j->item;
    nm_strip s = {.channels = c->o,
                  .room = j->room,
                  .item = j->item,
                  .x_place = j->columns.source_step * place,
                  .y_place = sums,
                  .from_place = sums,
                  .x_row = j->rows.source_step * c->w * place,
                  .x_column = j->columns.advance * place,
                  .w_row = c->ow * place,
                  .w_column = place};
    for (int64_t i = begin; i < end; i++) {
        const int64_t chunk = i / vectors, first = chunk * j->chunk;
        char *y = j->y + chunk * c->kh * c->kw * sums;
        for (int64_t image = first; image < first + j->chunk && image < j->images; image++) {
            sum_image(j, &s, image, i % vectors * lanes, y);
        }
    }
}

/* The sum of all chunks, and from there to where they belong. */
static bool gather_sums(nm_context *context, const job *j, int64_t chunks, void *dw)
{
    const nm_conv *c = j->conv;
    const int64_t taps = c->kh * c->kw, lanes = j->tiles->lanes, rest = j->room - lanes;
    const nm_shape shape = NM_SHAPE(chunks, taps * j->room);
    char *sum = j->y + chunks * taps * j->room * j->item;
    if (nm_reduce(context, NM_REDUCE_SUM, j->dtype, &shape, 1, 1, j->y, sum) != NM_OK) {
        return false;
    }
    transpose(context, j, sum, taps, j->room, rest, taps, dw);
    transpose(context, j, sum + rest * j->item, taps, j->room, lanes, taps,
              (char *)dw + (c->o - lanes) * taps * j->item);
    return true;
}

nm_status nm_direct_weight_grad(nm_context *context, const nm_tiles *tiles, nm_dtype dtype,
                                const nm_conv *c, const void *x, const void *dy, void *dw)
{
    job j = {.conv = c, .tiles = tiles, .dtype = dtype};
    j.rows = make_tap_axis(c), j.columns = make_axis(c, 1, false);
    j.room = (c->o + tiles->lanes - 1) / tiles->lanes * tiles->lanes;
    const int64_t taps = c->kh * c->kw, sums = taps * j.room;
    if (!begin(context, &j, 1, (CHUNKS + 1) * sums)) {
        return end(&j, false);
    }
    j.y = j.memory;
    j.chunk = (j.images + CHUNKS - 1) / CHUNKS;
    memset(j.y, 0, (size_t)(CHUNKS * sums * j.item));
    const int64_t at_once = j.images, chunks = (at_once + j.chunk - 1) / j.chunk;
    const int64_t work = j.chunk * c->oh * c->ow * taps * tiles->lanes;
    for (int64_t i = 0; i < c->n; i += at_once) {
        j.images = c->n - i < at_once ? c->n - i : at_once;
        j.x = widen(context, &j, (const char *)x + i * c->h * c->w * c->c * j.item);
        j.w = (const char *)dy + i * c->oh * c->ow * c->o * j.item;
        nm_parallel(context, chunks * j.room / tiles->lanes, WORTH_THREADS / work + 1, sum_chunks,
                    &j);
    }
    return end(&j, gather_sums(context, &j, chunks, dw));
}

bool nm_conv_is_depthwise(const nm_conv *c)
{
    return c->groups == c->c && c->n > 0 && c->h > 0 && c->w > 0 && c->o > 0;
}
