/* The loops of a blocked product, for one type and instruction set; included once for each, after
 * `real`, NAME, TARGET and what that NEEDS, LANES, and ROWS,
 * which is 4, 6, 12 or 14.
 *
 * A tile of c, up to ROWS by 2 vectors, stays in registers while k passes. Both factors were packed
 * before, so that what comes next lies next: a in panels of as many rows as a tile has, b in panels
 * of 2 vectors of columns. Each element of c is a sum in the order of k, whatever the tile. */
#include "ops/kernels/lanes.h"

#define VECTOR NAME(vector)
#define LOOSE NAME(loose)

/* ---- Packing ---- */

/* The upper right and the lower left of each 2d by 2d numbers, d by d, change places. */
#define EXCHANGE(d)                                                                                \
    TARGET NM_INLINE void NAME(exchange_##d)(VECTOR * x)                                           \
    {                                                                                              \
        NM_UNROLL(16) for (int i = 0; i < LANES; i++)                                              \
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
            NM_UNROLL(16) for (int i = 0; i < LANES; i++)
            {
                x[i] = *(const LOOSE *)(f.at + (i < rows ? i : rows - 1) * f.row + p);
            }
            NAME(transpose)(x);
            NM_UNROLL(16) for (int i = 0; i < LANES; i++)
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
TARGET static void NAME(pack_panel)(const void *from, int64_t row, int64_t step, int64_t rows,
                                    int64_t depth, int64_t width, void *to)
{
    for (int64_t i = (width - 1) / LANES * LANES; i >= 0; i -= LANES) {
        const NAME(factor) f = {(const real *)from + i * row, row, step};
        NAME(pack_lanes)
        (f, nm_least(rows - i, LANES), depth, width, nm_least(width - i, LANES), (real *)to + i);
    }
}

/* ---- Tiles ---- */

/* All rows, vectors, or both, of a tile. Unrolled, so that the sums are registers. */
#define EACH_ROW(r, ...)                                                                           \
    NM_UNROLL(14) for (int r = 0; r < rows; r++)                                                   \
    {                                                                                              \
        __VA_ARGS__;                                                                               \
    }
#define EACH_VECTOR(v, ...)                                                                        \
    NM_UNROLL(8) for (int v = 0; v < vectors; v++)                                                 \
    {                                                                                              \
        __VA_ARGS__;                                                                               \
    }
#define EACH(r, v, ...) EACH_ROW(r, EACH_VECTOR(v, __VA_ARGS__))

/* Step by step: or gcc keeps a pointer to each row, of which it has not so many. */
NM_INLINE real *NAME(next_row)(real *c, int64_t by)
{
    c += by;
    __asm__("" : "+r"(c));
    return c;
}

TARGET NM_INLINE void NAME(tile)(const nm_gemm_operands *o, const int rows, const int vectors)
{
    const int64_t ldc = o->ldc, step = o->step;
    const real *a = o->a, *b = o->b;
    real *c = o->c;
    VECTOR sums[ROWS * 2] = {{0}}, right[2];
    if (o->add) {
        EACH_ROW(r, c = NAME(next_row)(c, r ? ldc : 0);
                 EACH_VECTOR(v, sums[2 * r + v] = *(const LOOSE *)(c + v * LANES)))
    }
    for (int64_t p = o->depth; p > 0; p--, a += rows, b += step) {
        EACH_VECTOR(v, right[v] = *(const LOOSE *)(b + v * LANES))
        EACH(r, v, sums[2 * r + v] += a[r] * right[v])
    }
    c = o->c;
    EACH_ROW(r, c = NAME(next_row)(c, r ? ldc : 0);
             EACH_VECTOR(v, *(LOOSE *)(c + v * LANES) = sums[2 * r + v]))
}

#define TILE(rows, vectors)                                                                        \
    TARGET static void NAME(tile_##rows##_##vectors)(const nm_gemm_operands *o)                    \
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
#if ROWS > 4
TILES(5)
TILES(6)
#endif
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

#ifdef HAS_NEAR
#include "ops/kernels/gemm_near.h"
#endif

static const nm_gemm_loops NAME(loops) = {
    .needs = NEEDS,
    .lanes = LANES,
    .rows = ROWS,
    .pack_panel = NAME(pack_panel),
    .tiles =
        {
            TILES_OF(1),
            TILES_OF(2),
            TILES_OF(3),
            TILES_OF(4),
#if ROWS > 4
            TILES_OF(5),
            TILES_OF(6),
#endif
#if ROWS > 6
            TILES_OF(7),
            TILES_OF(8),
            TILES_OF(9),
            TILES_OF(10),
            TILES_OF(11),
            TILES_OF(12),
#endif
#if ROWS > 12
            TILES_OF(13),
            TILES_OF(14),
#endif
        },
#ifdef HAS_NEAR
    .near = NAME(near),
#endif
};

#undef VECTOR
#undef LOOSE
#undef EXCHANGE
#undef NM_LANES
#undef EACH
#undef EACH_ROW
#undef EACH_VECTOR
#undef TILE
#undef TILES
#undef TILES_OF
#undef NAME
#undef TARGET
#undef NEEDS
#undef LANES
#undef ROWS
