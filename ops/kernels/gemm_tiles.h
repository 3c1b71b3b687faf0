/* The loops of a blocked product, for one type and instruction set; included once for each, after
 * `real`, NAME, TARGET and what that NEEDS, LANES, and ROWS,
 * which is 6, 12 or 14.
 *
 * A tile of c, up to ROWS by 2 vectors, stays in registers while k passes. Both factors were packed
 * before, so that what comes next lies next: a in panels of as many rows as a tile has, b in panels
 * of 2 vectors of columns. Each element of c is a sum in the order of k, whatever the tile. */
#include "ops/kernels/lanes.h"

#define WIDTH (2 * LANES) /* columns of a panel */
#define VECTOR NAME(vector)
#define LOOSE NAME(loose)

/* ---- Packing ---- */

/* The upper right and the lower left of each 2d by 2d numbers, d by d, change places. */
#define EXCHANGE(d)                                                                                \
    TARGET NM_INLINE void NAME(exchange_##d)(VECTOR * x)                                           \
    {                                                                                              \
        _Pragma("GCC unroll 16") for (int i = 0; i < LANES; i++)                                   \
        {                                                                                          \
            if (!(i & (d))) {                                                                      \
                const VECTOR upper = x[i], lower = x[i + (d)];                                     \
                x[i] = NM_SHUFFLE(upper, lower, NM_LANES(NM_FIRST, d));                            \
                x[i + (d)] = NM_SHUFFLE(upper, lower, NM_LANES(NM_SECOND, d));                     \
            }                                                                                      \
        }                                                                                          \
    }
#if LANES == 16
#define NM_LANES NM_LIST_16
EXCHANGE(8)
#elif LANES == 8
#define NM_LANES NM_LIST_8
#elif LANES == 4
#define NM_LANES NM_LIST_4
#else
#define NM_LANES NM_LIST_2
#endif
#if LANES >= 8
EXCHANGE(4)
#endif
#if LANES >= 4
EXCHANGE(2)
#endif
EXCHANGE(1)

TARGET NM_INLINE void NAME(transpose)(VECTOR *x)
{
#if LANES >= 16
    NAME(exchange_8)(x);
#endif
#if LANES >= 8
    NAME(exchange_4)(x);
#endif
#if LANES >= 4
    NAME(exchange_2)(x);
#endif
    NAME(exchange_1)(x);
}

/* Where a factor stands: element (i, p) is at at[i * row + p * step], and one of row and step is 1.
 */
typedef struct NAME(factor) {
    const real *at;
    int64_t row, step;
} NAME(factor);

/* Up to LANES rows, to to[p * width + i]. Where a panel has fewer, a vector's other numbers go
 * where those of the next p will; the last are written one by one, since behind them is another
 * panel, or no memory. The others of b's last panel are numbers that nobody looks at. */
TARGET NM_INLINE void NAME(pack_lanes)(NAME(factor) f, int64_t rows, int64_t depth, int64_t width,
                                       int64_t lanes, real *to)
{
    const int64_t apart = f.row == 1 && f.step < width ? f.step : width;
    const int64_t whole = depth - (LANES - rows + apart - 1) / apart;
    int64_t p = 0;
    if (f.row == 1) {
        for (; p < whole; p++) {
            *(LOOSE *)(to + p * width) = *(const LOOSE *)(f.at + p * f.step);
        }
    } else if (f.step == 1 && whole >= LANES) {
        for (; p < whole; p += LANES) {
            p = p < whole - LANES ? p : whole - LANES;
            VECTOR x[LANES];
            _Pragma("GCC unroll 16") for (int i = 0; i < LANES; i++)
            {
                x[i] = *(const LOOSE *)(f.at + (i < rows ? i : rows - 1) * f.row + p);
            }
            NAME(transpose)(x);
            _Pragma("GCC unroll 16") for (int i = 0; i < LANES; i++)
            {
                *(LOOSE *)(to + (p + i) * width) = x[i];
            }
        }
    }
    for (; p < depth; p++) {
        for (int64_t i = 0; i < lanes; i++) {
            to[p * width + i] = i < rows ? f.at[i * f.row + p * f.step] : 0;
        }
    }
}

/* A panel of `width` rows, of which there are `rows`. From its end: see pack_lanes(). */
TARGET static void NAME(pack_panel)(NAME(factor) f, int64_t rows, int64_t depth, int64_t width,
                                    real *to)
{
    for (int64_t i = (width - 1) / LANES * LANES; i >= 0; i -= LANES) {
        const NAME(factor) from = {f.at + i * f.row, f.row, f.step};
        NAME(pack_lanes)
        (from, nm_least(rows - i, LANES), depth, width, nm_least(width - i, LANES), to + i);
    }
}

/* Shares begin..end of both factors. */
static void NAME(pack)(void *arg, int64_t begin, int64_t end)
{
    const nm_gemm_block *block = arg;
    const nm_gemm *g = &block->g;
    const NAME(factor) a = {g->a, g->transpose_a ? 1 : g->lda, g->transpose_a ? g->lda : 1};
    const NAME(factor) b = {g->b, g->transpose_b ? g->ldb : 1, g->transpose_b ? 1 : g->ldb};
    const nm_range tiles = nm_share_of(block, block->tiles, begin, end);
    const nm_range panels = nm_share_of(block, block->panels, begin, end);
    for (int64_t t = tiles.first; t < tiles.last; t++) {
        const int64_t i = nm_tile_begin(block, t), rows = nm_tile_begin(block, t + 1) - i;
        const NAME(factor) from = {a.at + i * a.row, a.row, a.step};
        NAME(pack_panel)(from, rows, g->k, rows, (real *)block->a + i * g->k);
    }
    for (int64_t j = panels.first * WIDTH; j < nm_least(panels.last * WIDTH, g->n); j += WIDTH) {
        const NAME(factor) from = {b.at + j * b.row, b.row, b.step};
        const int64_t columns = nm_least(g->n - j, WIDTH);
        if (block->b_stands && columns % LANES == 0) {
            continue;
        }
        NAME(pack_panel)
        (from, columns, g->k, columns > LANES ? WIDTH : LANES, (real *)block->b + j * g->k);
    }
}

/* ---- Tiles ---- */

/* All rows and vectors of a tile. Unrolled, so that the sums are registers. */
#define EACH(r, v, ...)                                                                            \
    _Pragma("GCC unroll 14") for (int r = 0; r < rows; r++)                                        \
    {                                                                                              \
        _Pragma("GCC unroll 4") for (int v = 0; v < vectors; v++)                                  \
        {                                                                                          \
            __VA_ARGS__;                                                                           \
        }                                                                                          \
    }

typedef struct NAME(operands) {
    const real *a, *b;
    int64_t depth, step; /* of k; from b's row to row */
    real *c;
    int64_t ldc;
    bool add; /* to c */
} NAME(operands);

TARGET NM_INLINE void NAME(tile)(const NAME(operands) * o, const int rows, const int vectors)
{
    const int64_t ldc = o->ldc, step = o->step;
    const real *a = o->a, *b = o->b;
    real *c = o->c;
    VECTOR sums[ROWS * 2], right[2];
    if (o->add) {
        EACH(r, v, sums[2 * r + v] = *(const LOOSE *)(c + r * ldc + v * LANES))
    } else {
        EACH(r, v, sums[2 * r + v] = (VECTOR){0})
    }
    for (int64_t p = o->depth; p > 0; p--, a += rows, b += step) {
        _Pragma("GCC unroll 2") for (int v = 0; v < vectors; v++)
        {
            right[v] = *(const LOOSE *)(b + v * LANES);
        }
        EACH(r, v, sums[2 * r + v] += a[r] * right[v])
    }
    EACH(r, v, *(LOOSE *)(c + r * ldc + v * LANES) = sums[2 * r + v])
}

typedef void (*NAME(tile_fn))(const NAME(operands) * o);
#define TILE(rows, vectors)                                                                        \
    TARGET static void NAME(tile_##rows##_##vectors)(const NAME(operands) * o)                     \
    {                                                                                              \
        NAME(tile)(o, rows, vectors);                                                              \
    }
#define TILES(rows) TILE(rows, 1) TILE(rows, 2)
#define TILES_OF(rows)                                                                             \
    {                                                                                              \
        NAME(tile_##rows##_1), NAME(tile_##rows##_2)                                               \
    }
TILES(1)
TILES(2)
TILES(3)
TILES(4)
TILES(5)
TILES(6)
#if ROWS > 6
TILES(7)
TILES(8)
TILES(9)
TILES(10)
TILES(11)
TILES(12)
#endif
#if ROWS > 12
TILES(13)
TILES(14)
#endif

static const NAME(tile_fn) NAME(tiles)[ROWS][2] = {
    TILES_OF(1),  TILES_OF(2),  TILES_OF(3), TILES_OF(4),  TILES_OF(5),  TILES_OF(6),
#if ROWS > 6
    TILES_OF(7),  TILES_OF(8),  TILES_OF(9), TILES_OF(10), TILES_OF(11), TILES_OF(12),
#endif
#if ROWS > 12
    TILES_OF(13), TILES_OF(14),
#endif
};

/* A tile that ends within a vector, by way of one that does not. */
static void NAME(edge_tile)(NAME(tile_fn) run, NAME(operands) o, int64_t rows, int64_t columns)
{
    real whole[ROWS * WIDTH], *c = o.c;
    const int64_t width = columns > LANES ? WIDTH : LANES, ldc = o.ldc;
    for (int64_t r = 0; o.add && r < rows; r++) {
        memset(whole + r * width, 0, (size_t)width * sizeof(real));
        memcpy(whole + r * width, c + r * ldc, (size_t)columns * sizeof(real));
    }
    o.c = whole, o.ldc = width;
    run(&o);
    for (int64_t r = 0; r < rows; r++) {
        memcpy(c + r * ldc, whole + r * width, (size_t)columns * sizeof(real));
    }
}

/* The next tile of c, which comes from afar while this one is computed. */
NM_INLINE void NAME(fetch)(const NAME(operands) * o, int64_t rows)
{
    const real *next = o->c + WIDTH;
    for (int64_t r = 0; r < rows; r++, next += o->ldc) {
        __builtin_prefetch(next, 1);
        __builtin_prefetch(next + LANES, 1);
    }
}

/* One tile's rows of c, for columns first..last. */
static void NAME(multiply_tile)(const nm_gemm_block *block, int64_t t, int64_t first, int64_t last)
{
    const nm_gemm *g = &block->g;
    const int64_t i = nm_tile_begin(block, t), rows = nm_tile_begin(block, t + 1) - i;
    for (int64_t j = first; j < last; j += WIDTH) {
        const int64_t columns = nm_least(g->n - j, WIDTH);
        const bool edge = columns % LANES != 0, stands = block->b_stands && !edge;
        const NAME(tile_fn) run = NAME(tiles)[rows - 1][columns > LANES];
        const NAME(operands) o = {
            .a = (const real *)block->a + i * g->k,
            .b = stands ? (const real *)g->b + j : (const real *)block->b + j * g->k,
            .depth = g->k,
            .step = stands            ? g->ldb
                    : columns > LANES ? WIDTH
                                      : LANES,
            .c = (real *)g->c + i * g->ldc + j,
            .ldc = g->ldc,
            .add = g->accumulate,
        };
        if (j + WIDTH < last) {
            NAME(fetch)(&o, rows);
        }
        if (edge) {
            NAME(edge_tile)(run, o, rows, columns);
        } else {
            run(&o);
        }
    }
    nm_gemm_finish(g, i, rows, first, last);
}

/* Shares begin..end of c. So many columns at a time that their panels stay in the second-level
 * cache while the tiles, each in the first-level one, pass. */
static void NAME(multiply)(void *arg, int64_t begin, int64_t end)
{
    const nm_gemm_block *block = arg;
    const nm_range tiles = nm_tiles_of(block, begin, end), panels = nm_panels_of(block, begin, end);
    const int64_t last = nm_least(panels.last * WIDTH, block->g.n);
    const int64_t at_once = nm_panels_at_once(block->g.k * WIDTH * (int64_t)sizeof(real)) * WIDTH;
    for (int64_t j = panels.first * WIDTH; j < last; j += at_once) {
        for (int64_t t = tiles.first; t < tiles.last; t++) {
            NAME(multiply_tile)(block, t, j, nm_least(j + at_once, last));
        }
    }
}

#ifdef HAS_NEAR
#include "ops/kernels/gemm_near.h"
#endif

static const nm_gemm_loops NAME(loops) = {
    .needs = NEEDS,
    .lanes = LANES,
    .rows = ROWS,
    .pack = NAME(pack),
    .multiply = NAME(multiply),
#ifdef HAS_NEAR
    .near = NAME(near),
#endif
};

#undef WIDTH
#undef VECTOR
#undef LOOSE
#undef EXCHANGE
#undef NM_LANES
#undef EACH
#undef TILE
#undef TILES
#undef TILES_OF
#undef NAME
#undef TARGET
#undef NEEDS
#undef LANES
#undef ROWS
