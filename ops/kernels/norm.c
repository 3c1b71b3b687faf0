#include "ops/kernels/norm.h"

#include <math.h>
#include <string.h>

#include "core/inline.h"
#include "core/thread.h"
#include "ops/kernels/bf16.h"
#include "ops/kernels/finish.h"
#include "ops/kernels/simd.h"

#define MAX_WIDTH 128       /* elements of a row that a loop works on: 8 vectors of 64 bytes */
#define VECTOR 16           /* widths are multiples of it where that is possible */
#define TILE_BYTES 32768    /* about what the first-level cache holds */
#define FEW 16              /* values whose mean is about that of a tile's */
#define SHORT_RUN 512       /* runs are put together to have at least as many elements */
#define GRAIN 16384         /* elements that are worth a thread */
#define BLOCK_BYTES 1000000 /* about what a core's second-level cache holds */

/* A chunk of a block: rows (or runs) first..first + length of channels channel..channel + width. */
typedef struct tile {
    int64_t first, length, channel, width;
    int64_t at; /* of its first element, where channels are the last axis */
} tile;

#define COPIED (TILE_BYTES / (int64_t)sizeof(float)) /* elements of a tile of f32, at most */
#define FEW_COPIED 2048 /* of one of several that are to stay in the cache */

#define ARRAYS 10 /* of one number a channel, in a pass */

#define ALIGNED _Alignas(64)

/* From one of the narrow coefficient arrays to the next: whole cache lines. */
static int64_t narrow_length(const nm_channel_pass *p)
{
    return (p->cut.fold * p->view.channels + VECTOR - 1) / VECTOR * VECTOR;
}

#include "ops/kernels/of_float.h"
#include "ops/kernels/norm_loops.h"
#include "ops/kernels/of_double.h"
#include "ops/kernels/norm_loops.h"

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t divide_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

nm_channels nm_channels_of(const nm_shape *shape, int axis)
{
    nm_channels view = {1, 1, 1};
    for (int d = 0; d < shape->rank; d++) {
        int64_t *size = d < axis ? &view.outer : d == axis ? &view.channels : &view.inner;
        *size *= shape->dim[d];
    }
    if (view.channels == 1) { /* no axis, or one that makes no difference */
        view = (nm_channels){view.outer * view.inner, 1, 1};
    }
    return view;
}

/* ---- Promise 2: cutting by shape and type alone ---- */

static int64_t common_divisor(int64_t a, int64_t b)
{
    return b ? common_divisor(b, a % b) : a;
}

/* Narrow rows are folded until they are about MAX_WIDTH wide, to a whole number of vectors if
 * possible. Wide ones are cut into blocks. */
static void cut_rows(nm_channel_cut *cut, const nm_channels *view, int64_t whole, int64_t elements)
{
    if (view->channels <= MAX_WIDTH / 2) {
        int64_t fold = MAX_WIDTH / view->channels;
        int64_t unit = VECTOR / common_divisor(view->channels, VECTOR);
        cut->fold = fold > unit ? fold - fold % unit : fold;
        cut->width = view->channels;
    } else if (whole > 1) {
        cut->width = MAX_WIDTH / whole * whole;
    } else {
        int64_t width = divide_up(view->channels, divide_up(view->channels, MAX_WIDTH));
        cut->width = least(view->channels, divide_up(width, VECTOR) * VECTOR);
    }
    cut->length = elements / (cut->width * cut->fold) * cut->fold;
}

static void cut_runs(nm_channel_cut *cut, const nm_channels *view, int64_t elements)
{
    cut->length = divide_up(SHORT_RUN, view->inner);
    cut->width = most(1, elements / (cut->length * view->inner));
}

static nm_channel_cut cut_view(const nm_channels *view, int64_t unit, int64_t elements)
{
    nm_channel_cut cut = {.fold = 1};
    if (view->outer * view->inner * view->channels == 0) {
        return (nm_channel_cut){
            .fold = 1, .length = 1, .width = most(1, view->channels), .blocks = view->channels > 0};
    }
    if (view->inner == 1) {
        cut_rows(&cut, view, unit, elements);
    } else {
        cut_runs(&cut, view, elements);
    }
    cut.width = least(cut.width, view->channels);
    cut.chunks = divide_up(view->outer, cut.length);
    cut.blocks = divide_up(view->channels, cut.width);
    return cut;
}

static tile tile_of(const nm_channel_pass *p, int64_t chunk, int64_t block)
{
    const nm_channel_cut *cut = &p->cut;
    tile t = {.first = chunk * cut->length, .channel = block * cut->width};
    t.length = least(cut->length, p->view.outer - t.first);
    t.width = least(cut->width, p->view.channels - t.channel);
    t.at = t.first * p->view.channels + t.channel;
    return t;
}

/* ---- Memory ---- */

static bool is_narrow(const nm_channel_pass *p)
{
    return p->x_is_bf16 || p->residual_is_bf16 || p->y_is_bf16;
}

static size_t element_size(const nm_channel_pass *p)
{
    return nm_dtype_size(p->dtype);
}

static size_t coefficient_bytes(const nm_channel_pass *p)
{
    return 7 * (size_t)narrow_length(p) * element_size(p);
}

size_t nm_channel_pass_bytes(nm_channel_pass *p)
{
    p->cut = cut_view(&p->view, p->unit, TILE_BYTES / (int64_t)element_size(p));
    p->stride = p->view.channels;
    const size_t channels = (size_t)p->view.channels;
    const size_t parts = p->gather ? (size_t)p->cut.chunks * 3 * channels : 0;
    return coefficient_bytes(p) + (ARRAYS * channels + parts) * sizeof(double) + 1;
}

void nm_channel_pass_begin_in(nm_channel_pass *p, void *memory)
{
    const size_t channels = (size_t)p->view.channels;
    double **const arrays[ARRAYS] = {&p->sum[0], &p->sum[1], &p->sum[2], &p->center, &p->inverse,
                                     &p->a,      &p->b,      &p->c,      &p->gate_a, &p->gate_b};
    p->memory = p->narrow = memory;
    double *at = (double *)(void *)((char *)memory + coefficient_bytes(p));
    for (int i = 0; i < ARRAYS; i++, at += channels) {
        *arrays[i] = at;
    }
    p->parts = at;
    for (size_t i = 0; i < ARRAYS * channels; i++) {
        p->sum[0][i] = 0;
    }
    for (size_t c = 0; c < channels; c++) {
        p->inverse[c] = 1;
    }
}

nm_status nm_channel_pass_begin(nm_channel_pass *p)
{
    if (is_narrow(p) && p->view.inner != 1) {
        return nm_fail(p->context, NM_ERROR_INPUT,
                       "elements of bf16 must have their channels on the last axis");
    }
    p->memory = nm_scratch(p->context, nm_channel_pass_bytes(p));
    if (!p->memory) {
        return NM_ERROR_MEMORY;
    }
    nm_channel_pass_begin_in(p, p->memory);
    return NM_OK;
}

void nm_channel_pass_end(nm_channel_pass *p)
{
    nm_scratch_end(p->memory);
    p->memory = NULL;
}

/* ---- Joining the sums of the chunks ---- */

static double *part(const nm_channel_pass *p, int64_t chunk, int i, int64_t channel)
{
    return p->parts + (chunk * 3 + i) * p->view.channels + channel;
}

/* Two sets of n and m values with means a, b and sums of squared differences s, t have together
 * the mean a + (b - a) m / (n + m) and s + t + (b - a)^2 n m / (n + m). */
static void join_moments(const nm_channel_pass *p, int64_t chunk, int64_t begin, int64_t end)
{
    const double n = (double)(chunk * p->cut.length * p->view.inner);
    const double m =
        (double)(least(p->cut.length, p->view.outer - chunk * p->cut.length) * p->view.inner);
    const double share = m / (n + m);
    const double *means = part(p, chunk, 0, 0), *squares = part(p, chunk, 1, 0);
    NM_SIMD for (int64_t c = begin; c < end; c++)
    {
        const double step = means[c] - p->sum[0][c];
        p->sum[0][c] += step * share;
        p->sum[1][c] += squares[c] + step * step * n * share;
    }
}

static void join_sums(const nm_channel_pass *p, int64_t chunk, int count, int64_t begin,
                      int64_t end)
{
    for (int i = 0; i < count; i++) {
        const double *from = part(p, chunk, i, 0);
        double *to = p->sum[i];
        NM_SIMD for (int64_t c = begin; c < end; c++)
        {
            to[c] += from[c];
        }
    }
}

static void join_peaks(const nm_channel_pass *p, int64_t chunk, int64_t begin, int64_t end)
{
    const double *from = part(p, chunk, 0, 0);
    for (int64_t c = begin; c < end; c++) {
        p->sum[0][c] = from[c] > p->sum[0][c] ? from[c] : p->sum[0][c];
    }
}

static void join(const nm_channel_pass *p, int64_t begin, int64_t end)
{
    for (int i = 0; i < 3; i++) {
        memset(p->sum[i] + begin, 0, (size_t)(end - begin) * sizeof(double));
    }
    for (int64_t chunk = 0; chunk < p->cut.chunks; chunk++) {
        switch (p->gather) {
        case NM_GATHER_MOMENTS: join_moments(p, chunk, begin, end); break;
        case NM_GATHER_PRODUCTS: join_sums(p, chunk, 3, begin, end); break;
        case NM_GATHER_SQUARES: join_sums(p, chunk, 1, begin, end); break;
        case NM_GATHER_PEAK: join_peaks(p, chunk, begin, end); break;
        case NM_GATHER_NOTHING: break;
        }
    }
}

/* ---- The three steps, on tiles and blocks ---- */

static void narrow(const nm_channel_pass *p, int64_t begin, int64_t end)
{
    if (p->dtype == NM_F64) {
        narrow_f64(p, begin, end);
    } else {
        narrow_f32(p, begin, end);
    }
}

/* ---- Tiles of bf16: the same loops, on copies in f32 ---- */

/* The tile's elements of a tensor, in one piece: where they are, or brought into `room`. */
static const float *bring(const nm_channel_pass *p, const tile *t, const void *from, bool is_bf16,
                          float *room)
{
    const int64_t stride = p->view.channels;
    const bool whole = t->width == stride;
    const int64_t rows = whole ? 1 : t->length, width = whole ? t->length * stride : t->width;
    if (!from || (!is_bf16 && whole)) {
        return from ? (const float *)from + t->at : NULL;
    }
    for (int64_t row = 0, at = t->at; row < rows; row++, at += stride) {
        if (is_bf16) {
            nm_bf16_widen((const uint16_t *)from + at, room + row * width, width);
        } else {
            memcpy(room + row * width, (const float *)from + at, (size_t)width * sizeof *room);
        }
    }
    return room;
}

/* The opposite, for what was computed in `room`. */
static void bring_back(const nm_channel_pass *p, const tile *t, const float *room)
{
    const int64_t stride = p->view.channels;
    for (int64_t row = 0, at = t->at; row < t->length; row++, at += stride, room += t->width) {
        if (p->y_is_bf16) {
            nm_bf16_narrow(room, (uint16_t *)p->y + at, t->width);
        } else {
            memcpy((float *)p->y + at, room, (size_t)t->width * sizeof *room);
        }
    }
}

static void gather_copied(const nm_channel_pass *p, const tile *t, double *const *parts)
{
    ALIGNED float room[2][COPIED];
    const tile here = {.length = t->length, .channel = t->channel, .width = t->width};
    nm_channel_pass copy = *p;
    copy.stride = t->width;
    copy.x = bring(p, t, p->x, p->x_is_bf16, room[0]);
    copy.dy = bring(p, t, p->dy, false, room[1]);
    gather_rows_f32(&copy, &here, parts);
}

static void apply_some_copied(const nm_channel_pass *p, const tile *t)
{
    ALIGNED float room[3][FEW_COPIED], y[FEW_COPIED];
    const tile here = {.length = t->length, .channel = t->channel, .width = t->width};
    const bool there = !p->y_is_bf16 && t->width == p->view.channels;
    nm_channel_pass copy = *p;
    copy.stride = t->width;
    copy.x = bring(p, t, p->x, p->x_is_bf16, room[0]);
    copy.dy = bring(p, t, p->dy, false, room[1]);
    copy.residual = bring(p, t, p->residual, p->residual_is_bf16, room[2]);
    copy.y = there ? (float *)p->y + t->at : y;
    apply_rows_f32(&copy, &here);
    if (!there) {
        bring_back(p, t, y);
    }
}

static void apply_copied(const nm_channel_pass *p, const tile *t)
{
    const int64_t fold = p->cut.fold, rows = most(1, FEW_COPIED / (fold * t->width)) * fold;
    for (int64_t first = 0; first < t->length; first += rows) {
        tile some = *t;
        some.length = least(rows, t->length - first);
        some.at += first * p->view.channels;
        apply_some_copied(p, &some);
    }
}

static void gather_one(const nm_channel_pass *p, int64_t chunk, int64_t block)
{
    const tile t = tile_of(p, chunk, block);
    double *const parts[] = {part(p, chunk, 0, t.channel), part(p, chunk, 1, t.channel),
                             part(p, chunk, 2, t.channel)};
    if (p->x_is_bf16) {
        gather_copied(p, &t, parts);
    } else if (p->view.inner == 1) {
        (p->dtype == NM_F64 ? gather_rows_f64 : gather_rows_f32)(p, &t, parts);
    } else {
        (p->dtype == NM_F64 ? gather_runs_f64 : gather_runs_f32)(p, &t, parts);
    }
}

static void gather_tile(const nm_channel_pass *p, int64_t chunk, int64_t block)
{
    for (; p; p = p->also) {
        if (p->gather) {
            gather_one(p, chunk, block);
        }
    }
}

static void finish_block(nm_channel_pass *p, int64_t block)
{
    const int64_t begin = block * p->cut.width;
    const int64_t end = least(begin + p->cut.width, p->view.channels);
    for (const nm_channel_pass *q = p; q; q = q->also) {
        if (q->gather) {
            join(q, begin, end);
        }
    }
    if (p->finish) {
        p->finish(p, begin, end);
    }
    for (const nm_channel_pass *q = p; q; q = q->also) {
        if (q->apply) {
            narrow(q, begin, end);
        }
    }
}

static void apply_one(const nm_channel_pass *p, int64_t chunk, int64_t block)
{
    const tile t = tile_of(p, chunk, block);
    if (is_narrow(p)) {
        apply_copied(p, &t);
    } else if (p->view.inner == 1) {
        (p->dtype == NM_F64 ? apply_rows_f64 : apply_rows_f32)(p, &t);
    } else {
        (p->dtype == NM_F64 ? apply_runs_f64 : apply_runs_f32)(p, &t);
    }
}

static void apply_tile(const nm_channel_pass *p, int64_t chunk, int64_t block)
{
    for (; p; p = p->also) {
        if (p->apply) {
            apply_one(p, chunk, block);
        }
    }
}

/* ---- Sharing them among threads. nm_parallel() deals in elements, sixteen at a time: an item is
 * given sixteen. ---- */

#define ITEM 16

static int64_t item_at(int64_t element)
{
    return divide_up(element, ITEM);
}

static void gather_range(void *arg, int64_t begin, int64_t end)
{
    const nm_channel_pass *p = arg;
    for (int64_t i = item_at(begin); i < item_at(end); i++) {
        gather_tile(p, i / p->cut.blocks, i % p->cut.blocks);
    }
}

static void finish_range(void *arg, int64_t begin, int64_t end)
{
    for (int64_t i = item_at(begin); i < item_at(end); i++) {
        finish_block(arg, i);
    }
}

/* From the end: what was gathered last is still in the cache. */
static void apply_range(void *arg, int64_t begin, int64_t end)
{
    const nm_channel_pass *p = arg;
    for (int64_t i = item_at(end) - 1; i >= item_at(begin); i--) {
        apply_tile(p, i / p->cut.blocks, i % p->cut.blocks);
    }
}

/* All steps of one block after the other. */
static void whole_range(void *arg, int64_t begin, int64_t end)
{
    nm_channel_pass *p = arg;
    for (int64_t block = item_at(begin); block < item_at(end); block++) {
        for (int64_t chunk = 0; p->gather && chunk < p->cut.chunks; chunk++) {
            gather_tile(p, chunk, block);
        }
        finish_block(p, block);
        for (int64_t chunk = p->cut.chunks - 1; p->apply && chunk >= 0; chunk--) {
            apply_tile(p, chunk, block);
        }
    }
}

static void share(nm_channel_pass *p, int64_t items, int64_t elements, nm_range_fn body)
{
    int64_t grain = items && elements ? divide_up(GRAIN * items, elements) : items;
    if (p->alone) {
        body(p, 0, items * ITEM);
        return;
    }
    nm_parallel(p->context, items * ITEM, grain * ITEM, body, p);
}

/* Blocks do not depend on each other: where there are enough of them, and each fits the cache, one
 * parallel region takes the place of three. */
void nm_channel_pass_run(nm_channel_pass *p)
{
    const nm_channel_cut *cut = &p->cut;
    const int64_t elements = p->view.outer * p->view.channels * p->view.inner;
    const int64_t block_bytes = elements / most(1, cut->blocks) * (int64_t)element_size(p);
    for (const nm_channel_pass *q = p; q; q = q->also) {
        for (int64_t c = 0; q->gather && c < p->view.channels; c += cut->width) {
            narrow(q, c, least(c + cut->width, p->view.channels));
        }
    }
    if (elements <= GRAIN || p->alone ||
        (cut->blocks >= 2 * nm_context_threads(p->context) && block_bytes <= BLOCK_BYTES)) {
        share(p, cut->blocks, elements, whole_range);
        return;
    }
    if (p->gather) {
        share(p, cut->chunks * cut->blocks, elements, gather_range);
    }
    share(p, cut->blocks, p->view.channels, finish_range);
    if (p->apply) {
        share(p, cut->chunks * cut->blocks, elements, apply_range);
    }
}

/* ---- Numbers of channels ---- */

void nm_channels_load(nm_dtype dtype, const void *from, double other, int64_t begin, int64_t end,
                      double *to)
{
    const float *narrow_from = from;
    const double *wide_from = from;
    for (int64_t c = begin; c < end; c++) {
        to[c] = !from ? other : dtype == NM_F64 ? wide_from[c] : (double)narrow_from[c];
    }
}

void nm_channels_store(nm_dtype dtype, const double *from, int64_t begin, int64_t end, void *to)
{
    float *narrow_to = to;
    double *wide_to = to;
    for (int64_t c = begin; to && c < end; c++) {
        if (dtype == NM_F64) {
            wide_to[c] = from[c];
        } else {
            narrow_to[c] = (float)from[c];
        }
    }
}
