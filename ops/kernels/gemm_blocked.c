/* After Goto and van de Geijn 2008, Anatomy of high-performance matrix multiplication: c is cut
 * into blocks, and k too; for each the factors are packed, by all threads for all, and multiplied
 * in tiles that stay in registers. A block is a product like any other, of a part of the matrices.
 */
#include "ops/kernels/gemm_blocked.h"

#include <string.h>

#include "core/thread.h"
#include "ops/kernels/finish.h"
#include "ops/kernels/gemm_block.h"
#include "ops/kernels/kernel.h"
#include "ops/linear.h"

#define DEPTH 400         /* k of a block: ROWS times it fits the first-level cache */
#define PANELS 393216     /* bytes of b's panels that stay in the second-level cache */
#define MOST_ROWS 2048    /* of a block, and */
#define MOST_COLUMNS 2048 /* so many: what is packed takes 7 MB at most */
#define FEW_TILES 32      /* of rows: b is used so few times that packing it does not pay */
#define SHARE 400000      /* multiply-adds worth a thread */
#define NEAR_SHARE 150000 /* where nothing is packed */

/* ---- The loops ---- */

#if !defined(NM_HAS_AVX2) || !(defined(NM_KERNELS_AVX2) || defined(NM_KERNELS_AVX512))
#define HAS_BASE 1
#endif

#define real float
#define HAS_NEAR 1
#ifdef NM_HAS_AVX512
#define NAME(name) name##_avx512_f32
#define NEEDS NM_GEMM_AVX512
#define TARGET __attribute__((target("avx512f")))
#define LANES 16
#define ROWS 14
#include "ops/kernels/gemm_tiles.h"
#endif
#ifdef NM_HAS_AVX512_BF16
#include "ops/kernels/gemm_bf16.h"
#endif
#ifdef NM_HAS_AVX2
#define NAME(name) name##_avx2_f32
#define NEEDS NM_GEMM_AVX2
#define TARGET __attribute__((target("avx2,fma")))
#define LANES 8
#define ROWS 6
#include "ops/kernels/gemm_tiles.h"
#endif
#undef HAS_NEAR
#if defined(__aarch64__) /* has twice as many registers */
#define BASE_ROWS 12
#else
#define BASE_ROWS 4 /* sums, factors and products have 16 registers */
#endif
#ifdef HAS_BASE
#define NAME(name) name##_base_f32
#define NEEDS NM_GEMM_NOTHING
#define TARGET
#define LANES 4
#define ROWS BASE_ROWS
#include "ops/kernels/gemm_tiles.h"
#endif
#undef real
#define real double
#ifdef NM_HAS_AVX2
#define NAME(name) name##_avx2_f64
#define NEEDS NM_GEMM_AVX2
#define TARGET __attribute__((target("avx2,fma")))
#define LANES 4
#define ROWS 6
#include "ops/kernels/gemm_tiles.h"
#endif
#ifdef HAS_BASE
#define NAME(name) name##_base_f64
#define NEEDS NM_GEMM_NOTHING
#define TARGET
#define LANES 2
#define ROWS BASE_ROWS
#include "ops/kernels/gemm_tiles.h"
#endif

/* Whether the processor has what the loops need. */
static bool can_run(const nm_gemm_loops *loops)
{
#ifdef NM_HAS_AVX2
    if (loops->needs == NM_GEMM_AVX512) {
        return __builtin_cpu_supports("avx512f");
    }
    if (loops->needs == NM_GEMM_AVX2) {
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    }
#endif
    return loops->needs == NM_GEMM_NOTHING;
}

static const nm_gemm_loops *const all_f32[] = {
#ifdef NM_HAS_AVX512
    &loops_avx512_f32,
#endif
#ifdef NM_HAS_AVX2
    &loops_avx2_f32,
#endif
#ifdef HAS_BASE
    &loops_base_f32,
#endif
    NULL,
};
static const nm_gemm_loops *const all_f64[] = {
#ifdef NM_HAS_AVX2
    &loops_avx2_f64,
#endif
#ifdef HAS_BASE
    &loops_base_f64,
#endif
    NULL,
};

const nm_gemm_loops *nm_gemm_loops_at(nm_dtype dtype, int index)
{
    const nm_gemm_loops *const *all = dtype == NM_F64 ? all_f64 : all_f32;
    while (*all && (!can_run(*all) || index-- > 0)) {
        all++;
    }
    return *all;
}

const nm_gemm_loops *nm_gemm_loops_bf16(void)
{
#ifdef NM_HAS_AVX512_BF16
    return nm_has_bf16() ? &loops_bf16 : NULL;
#else
    return NULL;
#endif
}

int nm_gemm_lanes(const nm_gemm_loops *loops)
{
    return loops->lanes;
}

void nm_gemm_transpose(const float *from, int64_t ld, int64_t rows, int64_t columns, float *to)
{
    nm_gemm_loops_at(NM_F32, 0)->pack_panel(from, ld, 1, rows, columns, rows, to);
}

/* ---- Shares of a block ---- */

typedef struct block {
    nm_gemm g;
    const nm_gemm_loops *loops;
    int64_t item;          /* bytes */
    char *a, *room;        /* panels of a; and for those of b, where they are packed each time */
    const char *b;         /* panels */
    int64_t width;         /* of b's */
    int64_t depth;         /* k, or pairs of it */
    int64_t step;          /* how many there is room for in a panel */
    int64_t tiles, panels; /* of rows, of columns */
    int64_t shares;
    bool b_stands;   /* is not packed but where a vector ends beyond its rows */
    bool by_columns; /* the shares of c are of columns, else of rows */
    bool at_once;    /* a share packs its rows itself, since b is packed */
} block;

typedef struct range {
    int64_t first, last;
} range;

static int64_t divide_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

/* The rows are shared among the tiles as evenly as they can be. Of pairs the shares alone are even,
 * since there are not all heights: tiles have as many rows as they can, and of a last one or two
 * the tile before takes so many less that both are of 8. */
static int64_t begin_of(const block *k, int64_t tile)
{
    if (!k->loops->pairs) {
        return tile * k->g.m / k->tiles;
    }
    const int64_t shares = k->by_columns ? 1 : k->shares, each = k->tiles / shares;
    const int64_t share = tile / each, begin = share * k->g.m / shares;
    const int64_t rows = (share + 1) * k->g.m / shares - begin, at = tile % each * k->loops->rows;
    return begin + (at && rows > at && rows - at <= 2 ? at - 6 : nm_least(at, rows));
}

/* Where the panel of a tile is. */
static char *panel_of(const block *k, int64_t tile)
{
    const int64_t before = k->loops->pairs ? tile * k->loops->lanes : begin_of(k, tile);
    return k->a + before * k->step * k->item;
}

/* What shares begin..end have of `count`. */
static range share_of(const block *k, int64_t count, int64_t begin, int64_t end)
{
    return (range){begin * count / k->shares, end * count / k->shares};
}

/* Where element (row, column) of op(x) stands. */
static const char *at(const void *x, bool transposed, int64_t ld, int64_t row, int64_t column,
                      int64_t item)
{
    return (const char *)x + (transposed ? column * ld + row : row * ld + column) * item;
}

static char *at_c(const nm_gemm *g, int64_t row, int64_t column)
{
    return (char *)g->c + (row * g->ldc + column) * (int64_t)nm_dtype_size(g->dtype);
}

static bool ends_within_a_vector(const block *k, int64_t columns)
{
    return columns % k->loops->lanes != 0;
}

/* Of a panel with so many columns. */
static int64_t width_of(const block *k, int64_t columns)
{
    return columns > k->loops->lanes || k->loops->pairs ? k->width : k->loops->lanes;
}

/* ---- Packing ---- */

static void pack_rows(const block *k, int64_t tile)
{
    const nm_gemm *g = &k->g;
    const int64_t i = begin_of(k, tile), rows = begin_of(k, tile + 1) - i;
    k->loops->pack_panel(at(g->a, g->transpose_a, g->lda, i, 0, k->item),
                         g->transpose_a ? 1 : g->lda, g->transpose_a ? g->lda : 1, rows, g->k,
                         k->loops->pairs ? k->loops->lanes : rows, panel_of(k, tile));
}

static void pack_columns(const block *k, int64_t panel)
{
    const nm_gemm *g = &k->g;
    const int64_t j = panel * k->width, columns = nm_least(g->n - j, k->width);
    if (k->b_stands && !ends_within_a_vector(k, columns)) {
        return;
    }
    k->loops->pack_panel(at(g->b, g->transpose_b, g->ldb, 0, j, k->item),
                         g->transpose_b ? g->ldb : 1, g->transpose_b ? 1 : g->ldb, columns, g->k,
                         width_of(k, columns), k->room + j * k->step * k->item);
}

/* Shares begin..end of both factors. */
static void pack(void *arg, int64_t begin, int64_t end)
{
    const block *k = arg;
    const range tiles = share_of(k, k->tiles, begin, end);
    const range panels = share_of(k, k->panels, begin, end);
    for (int64_t t = tiles.first; t < tiles.last; t++) {
        pack_rows(k, t);
    }
    for (int64_t p = panels.first; p < panels.last && k->room; p++) {
        pack_columns(k, p);
    }
}

/* ---- Multiplying ---- */

/* While what was computed is near: bias and activation, which only the last block of k has. */
static void finish(const nm_gemm *g, int64_t i, int64_t rows, int64_t first, int64_t last)
{
    const int64_t item = (int64_t)nm_dtype_size(g->dtype);
    if (g->bias || g->activation != NM_ACTIVATION_NONE) {
        nm_finish_rows(&(nm_finish){
            .dtype = g->dtype,
            .rows = rows,
            .columns = last - first,
            .stride = g->ldc,
            .bias = g->bias ? (const char *)g->bias + first * item : NULL,
            .activation = g->activation,
            .y = at_c(g, i, first),
        });
    }
}

/* A tile that ends within a vector, by way of one that does not. */
typedef void (*tile_fn)(const nm_gemm_operands *operands);
static void multiply_edge(const block *k, nm_gemm_operands o, int64_t rows, int64_t columns,
                          tile_fn run)
{
    char whole[NM_GEMM_MOST_ROWS * 2 * 64]
        __attribute__((aligned(64))); /* of the largest vectors */
    char *c = o.c;
    const int64_t ldc = o.ldc * k->item, width = width_of(k, columns);
    memset(whole, 0, sizeof whole);
    for (int64_t r = 0; o.add && r < rows; r++) {
        memcpy(whole + r * width * k->item, c + r * ldc, (size_t)(columns * k->item));
    }
    o.c = whole, o.ldc = width;
    run(&o);
    for (int64_t r = 0; r < rows; r++) {
        memcpy(c + r * ldc, whole + r * width * k->item, (size_t)(columns * k->item));
    }
}

/* The next tile of c, which comes from afar while this one is computed. */
static void fetch(const block *k, const char *next, int64_t rows)
{
    const int64_t ldc = k->g.ldc * k->item, second = k->loops->lanes * k->item;
    for (int64_t r = 0; r < rows; r++, next += ldc) {
        __builtin_prefetch(next, 1);
        __builtin_prefetch(next + second, 1);
    }
}

/* Those of pairs are of 8 and 14 rows. */
static tile_fn tile_of(const block *k, int64_t rows, int64_t columns, bool *edge)
{
    if (k->loops->pairs) {
        *edge = columns < k->width || (rows != 8 && rows != 14);
        return k->loops->tiles[rows > 8][0];
    }
    *edge = ends_within_a_vector(k, columns);
    return k->loops->tiles[rows - 1][columns > k->loops->lanes];
}

/* One tile's rows of c, for columns first..last. */
static void multiply_rows(const block *k, int64_t tile, int64_t first, int64_t last)
{
    const nm_gemm *g = &k->g;
    const int64_t i = begin_of(k, tile), rows = begin_of(k, tile + 1) - i;
    for (int64_t j = first; j < last; j += k->width) {
        const int64_t columns = nm_least(g->n - j, k->width);
        bool edge;
        const tile_fn run = tile_of(k, rows, columns, &edge);
        const bool stands = k->b_stands && !edge;
        const nm_gemm_operands o = {
            .a = panel_of(k, tile),
            .b = stands ? at(g->b, false, g->ldb, 0, j, k->item) : k->b + j * k->step * k->item,
            .depth = k->depth,
            .step = stands ? g->ldb : width_of(k, columns),
            .c = at_c(g, i, j),
            .ldc = g->ldc,
            .add = g->accumulate,
        };
        if (j + k->width < last) {
            fetch(k, at_c(g, i, j + k->width), rows);
        }
        if (edge) {
            multiply_edge(k, o, rows, columns, run);
        } else {
            run(&o);
        }
    }
    finish(g, i, rows, first, last);
}

/* Shares begin..end of c. So many columns at a time that their panels stay in the second-level
 * cache while the tiles, each in the first-level one, pass. */
static void multiply(void *arg, int64_t begin, int64_t end)
{
    const block *k = arg;
    const range tiles = k->by_columns ? (range){0, k->tiles} : share_of(k, k->tiles, begin, end);
    const range panels = k->by_columns ? share_of(k, k->panels, begin, end) : (range){0, k->panels};
    const int64_t last = nm_least(panels.last * k->width, k->g.n);
    const int64_t at_once = PANELS / (k->depth * k->width * k->item + 1) + 1;
    for (int64_t t = tiles.first; t < tiles.last && k->at_once; t++) {
        pack_rows(k, t);
    }
    for (int64_t j = panels.first * k->width; j < last; j += at_once * k->width) {
        for (int64_t t = tiles.first; t < tiles.last; t++) {
            multiply_rows(k, t, j, nm_least(j + at_once * k->width, last));
        }
    }
}

/* ---- Blocks ---- */

/* k of a block, and the places that take so many. */
static int64_t depth_of(const nm_gemm_loops *loops, int64_t k)
{
    const int64_t depths = divide_up(k, loops->pairs ? 2 * DEPTH : DEPTH);
    const int64_t depth = depths ? divide_up(k, depths) : 0;
    return loops->pairs ? divide_up(depth, 2) * 2 : depth;
}

static int64_t places_of(const nm_gemm_loops *loops, int64_t k)
{
    return loops->pairs ? divide_up(k, 2) : k;
}

/* With what fills its last vectors. */
static int64_t room_of(const nm_gemm_loops *loops, int64_t k)
{
    return loops->pairs ? divide_up(k, 2 * loops->lanes) * loops->lanes : k;
}

/* Rows from i on, columns from j on, and of k from p on: as many as fit a block. */
static nm_gemm part_of(const nm_gemm *g, int64_t i, int64_t j, int64_t p, int64_t depth)
{
    nm_gemm part = *g;
    const int64_t item = (int64_t)nm_dtype_size(g->dtype);
    part.m = nm_least(g->m - i, MOST_ROWS);
    part.n = nm_least(g->n - j, MOST_COLUMNS);
    part.k = nm_least(g->k - p, depth);
    part.a = at(g->a, g->transpose_a, g->lda, i, p, item);
    part.b = at(g->b, g->transpose_b, g->ldb, p, j, item);
    part.c = at_c(g, i, j);
    part.bias = g->bias ? (const char *)g->bias + j * item : NULL;
    part.accumulate = g->accumulate || p > 0;
    if (p + part.k < g->k) {
        part.bias = NULL;
        part.activation = NM_ACTIVATION_NONE;
    }
    return part;
}

/* Tiles of fewer rows waste nothing, so threads share rows where there are enough. */
static void share(block *k, int64_t threads)
{
    const nm_gemm *g = &k->g;
    const double work = (double)g->m * (double)g->n * (double)g->k;
    const int64_t rows = k->loops->rows, tiles = divide_up(g->m, rows);
    k->panels = divide_up(g->n, k->width);
    k->shares = work < (double)threads * SHARE ? (int64_t)(work / SHARE) + 1 : threads;
    k->by_columns = g->m < k->shares * rows / 2;
    if (k->by_columns) {
        k->shares = nm_least(k->shares, k->panels);
    }
    k->tiles = k->by_columns ? tiles : divide_up(tiles, k->shares) * k->shares;
    k->b_stands = !k->loops->pairs && !g->transpose_b && tiles <= FEW_TILES;
    k->at_once = g->packed && !k->by_columns;
}

/* Place in panels for so many rows, shared among so many threads. */
static int64_t rows_of_panels(const nm_gemm_loops *loops, int64_t m, int64_t threads)
{
    const int64_t rows = nm_least(m, MOST_ROWS);
    return loops->pairs ? (divide_up(rows, loops->rows) + threads) * loops->lanes : rows;
}

/* b's columns, with those that fill its last panel. */
static int64_t columns_of(const block *k, int64_t n)
{
    return divide_up(n, k->width) * k->width;
}

/* One block, whose sums over k begin at p, of columns from j on. */
static void multiply_block(nm_context *context, block *k, const nm_gemm *g, int64_t j, int64_t p)
{
    const int64_t before = p * columns_of(k, g->n) + j * k->g.k;
    k->b = g->packed ? (const char *)g->packed + before * k->item : k->room;
    k->depth = places_of(k->loops, k->g.k);
    k->step = room_of(k->loops, k->g.k);
    share(k, nm_context_threads(context));
    if (!k->at_once) {
        nm_parallel(context, k->shares, 1, pack, k);
    }
    nm_parallel(context, k->shares, 1, multiply, k);
}

nm_status nm_gemm_blocked(nm_context *context, const nm_gemm *g, const nm_gemm_loops *loops)
{
    const int64_t threads = nm_context_threads(context), deep = depth_of(loops, g->k);
    const int64_t depth = room_of(loops, deep), rows = rows_of_panels(loops, g->m, threads);
    block k = {.loops = loops, .item = (int64_t)nm_dtype_size(g->dtype), .width = 2 * loops->lanes};
    const int64_t columns = g->packed ? 0 : nm_least(columns_of(&k, g->n), MOST_COLUMNS);
    char *room = nm_scratch(context, nm_bytes((rows + columns) * depth, (size_t)k.item));
    if (!room) {
        return NM_ERROR_MEMORY;
    }
    k.room = g->packed ? NULL : room;
    k.a = room + columns * depth * k.item; /* behind b, whose vectors are aligned */
    for (int64_t i = 0; i < g->m; i += MOST_ROWS) {
        for (int64_t j = 0; j < g->n; j += MOST_COLUMNS) {
            int64_t p = 0;
            do {
                k.g = part_of(g, i, j, p, deep);
                multiply_block(context, &k, g, j, p);
                p += k.g.k;
            } while (p < g->k);
        }
    }
    nm_scratch_end(room);
    return NM_OK;
}

int64_t nm_gemm_packed_count(int64_t n, int64_t k)
{
    const block b = {.width = 2 * nm_gemm_loops_at(NM_F32, 0)->lanes};
    int64_t count;
    return __builtin_mul_overflow(columns_of(&b, n), k, &count) ? -1 : count;
}

void nm_gemm_pack(nm_context *context, const float *w, int64_t n, int64_t k, float *packed)
{
    const nm_gemm_loops *loops = nm_gemm_loops_at(NM_F32, 0);
    const nm_gemm g = {.dtype = NM_F32, .transpose_b = true, .n = n, .k = k, .ldb = k, .b = w};
    block b = {.loops = loops, .item = sizeof *w, .width = 2 * loops->lanes};
    for (int64_t p = 0; p < k; p += b.g.k) {
        b.g = part_of(&g, 0, 0, p, depth_of(loops, k));
        b.g.n = n;
        b.step = b.g.k;
        b.shares = b.panels = divide_up(n, b.width);
        b.room = (char *)(packed + p * columns_of(&b, n));
        nm_parallel(context, b.shares, 1, pack, &b);
    }
}

/* ---- Without packing ---- */

#define ROWS_TO_SHARE 32 /* else columns are, of which a tile is best with several vectors */
#define ROWS_AT_ONCE 4

typedef struct near_job {
    const nm_gemm *g;
    void (*near)(const nm_gemm *gemm, int64_t first, int64_t last);
    int64_t shares, unit; /* of columns, or of */
    bool by_rows;
} near_job;

static void run_near(void *arg, int64_t begin, int64_t end)
{
    const near_job *j = arg;
    const nm_gemm *g = j->g;
    const int64_t all = j->by_rows ? g->m : g->n, units = all / j->unit;
    const int64_t first = begin * units / j->shares * j->unit;
    const int64_t last = end < j->shares ? end * units / j->shares * j->unit : all;
    if (j->by_rows) {
        nm_gemm part = *g;
        part.m = last - first;
        part.a = at(g->a, g->transpose_a, g->lda, first, 0, (int64_t)nm_dtype_size(g->dtype));
        part.c = at_c(g, first, 0);
        j->near(&part, 0, g->n);
        finish(g, first, last - first, 0, g->n);
    } else {
        j->near(g, first, last);
        finish(g, 0, g->m, first, last);
    }
}

/* Rows of a tile of dot products, of LANES numbers in all. */
static int rows_of_dots(const nm_gemm *g, int lanes)
{
    return g->m >= lanes / 4 ? lanes / 4 : g->m >= 2 ? 2 : 1;
}

bool nm_gemm_near(nm_context *context, const nm_gemm *g, const nm_gemm_loops *loops)
{
    const int lanes = loops->lanes,
              rows = g->transpose_b && loops->near ? rows_of_dots(g, lanes) : 1;
    const int columns = lanes / rows;
    const bool whole = g->n % columns == 0 && g->m % rows == 0;
    if (!loops->near || g->n < columns || (g->accumulate && !whole) ||
        (g->transpose_b && (g->transpose_a || g->k < lanes))) {
        return false;
    }
    const double work = (double)g->m * (double)g->n * (double)g->k;
    const int64_t threads = context ? nm_context_threads(context) : 1;
    near_job j = {g, loops->near, nm_least(threads, g->n / columns), columns, false};
    if (!g->transpose_b && g->m >= ROWS_TO_SHARE) {
        j.by_rows = true, j.unit = ROWS_AT_ONCE, j.shares = nm_least(threads, g->m / j.unit);
    }
    if (work < (double)j.shares * NEAR_SHARE) {
        j.shares = (int64_t)(work / NEAR_SHARE) + 1;
    }
    if (context) {
        nm_parallel(context, j.shares, 1, run_near, &j);
    } else {
        run_near(&j, 0, j.shares);
    }
    return true;
}
