/* After Goto and van de Geijn 2008, Anatomy of high-performance matrix multiplication: c is cut
 * into blocks, and k too; for each the factors are packed, by all threads for all, and multiplied
 * in tiles that stay in registers. A block is a product like any other, of a part of the matrices.
 */
#include "ops/kernels/gemm_blocked.h"

#include <string.h>

#include "ops/kernels/gemm_block.h"

#define DEPTH 400         /* k of a block: ROWS times it fits the first-level cache */
#define MOST_ROWS 2048    /* of a block, and */
#define MOST_COLUMNS 2048 /* so many: what is packed takes 7 MB at most */
#define FEW_TILES 32      /* of rows: b is used so few times that packing it does not pay */
#define SHARE 400000      /* multiply-adds worth a thread */

/* ---- The loops ---- */

#if defined(__x86_64__) && defined(__GNUC__) && !defined(NM_KERNELS_PLAIN)
#define HAS_AVX 1
#if !defined(NM_KERNELS_AVX2)
#define HAS_AVX512 1
#endif
#endif
#if !defined(HAS_AVX) || !(defined(NM_KERNELS_AVX2) || defined(NM_KERNELS_AVX512))
#define HAS_BASE 1
#endif

#define real float
#define HAS_NEAR 1
#ifdef HAS_AVX512
#define NAME(name) name##_avx512_f32
#define NEEDS NM_GEMM_AVX512
#define TARGET __attribute__((target("avx512f")))
#define LANES 16
#define ROWS 14
#include "ops/kernels/gemm_tiles.h"
#endif
#ifdef HAS_AVX
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
#define BASE_ROWS 6
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
#ifdef HAS_AVX
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
#ifdef HAS_AVX
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
#ifdef HAS_AVX512
    &loops_avx512_f32,
#endif
#ifdef HAS_AVX
    &loops_avx2_f32,
#endif
#ifdef HAS_BASE
    &loops_base_f32,
#endif
    NULL,
};
static const nm_gemm_loops *const all_f64[] = {
#ifdef HAS_AVX
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

int nm_gemm_lanes(const nm_gemm_loops *loops)
{
    return loops->lanes;
}

/* ---- The product ---- */

/* Where element (row, column) of op(x) stands. */
static const void *at(const void *x, bool transposed, int64_t ld, int64_t row, int64_t column,
                      nm_dtype dtype)
{
    const int64_t elements = transposed ? column * ld + row : row * ld + column;
    return x ? (const char *)x + elements * (int64_t)nm_dtype_size(dtype) : NULL;
}

/* Rows from i on, columns from j on, and of k from p on: as many as fit a block. */
static nm_gemm part_of(const nm_gemm *g, int64_t i, int64_t j, int64_t p)
{
    nm_gemm part = *g;
    const int64_t depths = nm_divide_up(g->k, DEPTH),
                  depth = depths ? nm_divide_up(g->k, depths) : 0;
    part.m = nm_least(g->m - i, MOST_ROWS);
    part.n = nm_least(g->n - j, MOST_COLUMNS);
    part.k = nm_least(g->k - p, depth);
    part.a = at(g->a, g->transpose_a, g->lda, i, p, g->dtype);
    part.b = at(g->b, g->transpose_b, g->ldb, p, j, g->dtype);
    part.c = (char *)g->c + (i * g->ldc + j) * (int64_t)nm_dtype_size(g->dtype);
    part.bias = at(g->bias, false, 0, 0, j, g->dtype);
    part.accumulate = g->accumulate || p > 0;
    if (p + part.k < g->k) {
        part.bias = NULL;
        part.activation = NM_ACTIVATION_NONE;
    }
    return part;
}

/* Tiles of fewer rows waste nothing, so threads share rows where there are enough. */
static nm_gemm_block block_of(const nm_context *context, const nm_gemm *g,
                              const nm_gemm_loops *loops, void *a, void *b)
{
    const double work = (double)g->m * (double)g->n * (double)g->k;
    const int64_t threads = nm_context_threads(context), tiles = nm_divide_up(g->m, loops->rows);
    nm_gemm_block block = {.g = *g, .a = a, .b = b, .panels = nm_divide_up(g->n, 2 * loops->lanes)};
    block.b_stands = !g->transpose_b && tiles <= FEW_TILES;
    block.shares = work < (double)threads * SHARE ? (int64_t)(work / SHARE) + 1 : threads;
    block.by_columns = g->m < block.shares * loops->rows / 2;
    if (block.by_columns) {
        block.shares = nm_least(block.shares, block.panels);
        block.tiles = tiles;
    } else {
        block.tiles = nm_divide_up(tiles, block.shares) * block.shares;
    }
    return block;
}

static void multiply_block(nm_context *context, const nm_gemm *g, const nm_gemm_loops *loops,
                           void *a, void *b)
{
    nm_gemm_block block = block_of(context, g, loops, a, b);
    nm_parallel(context, block.shares, 1, loops->pack, &block);
    nm_parallel(context, block.shares, 1, loops->multiply, &block);
}

nm_status nm_gemm_blocked(nm_context *context, const nm_gemm *g, const nm_gemm_loops *loops)
{
    const int64_t rows = nm_least(g->m, MOST_ROWS), depth = nm_least(g->k, DEPTH);
    const int64_t columns = nm_least(nm_divide_up(g->n, loops->lanes) * loops->lanes, MOST_COLUMNS);
    const size_t item = nm_dtype_size(g->dtype);
    char *b =
        nm_scratch(context, nm_bytes((rows + columns) * depth, item)); /* vectors are aligned */
    if (!b) {
        return NM_ERROR_MEMORY;
    }
    for (int64_t i = 0; i < g->m; i += MOST_ROWS) {
        for (int64_t j = 0; j < g->n; j += MOST_COLUMNS) {
            int64_t p = 0;
            do {
                const nm_gemm part = part_of(g, i, j, p);
                multiply_block(context, &part, loops, b + columns * depth * (int64_t)item, b);
                p += part.k;
            } while (p < g->k);
        }
    }
    nm_scratch_end(b);
    return NM_OK;
}

/* ---- Without packing ---- */

#define NEAR_SHARE 150000

bool nm_gemm_near(nm_context *context, const nm_gemm *g, const nm_gemm_loops *loops)
{
    if (!loops->near) {
        return false;
    }
    const double work = (double)g->m * (double)g->n * (double)g->k;
    const bool dots = g->transpose_b, several = dots && g->m >= loops->lanes / 4;
    const int unit = several ? 4 : loops->lanes; /* columns of a tile at least */
    const bool whole = g->n % unit == 0 && (!several || g->m % (loops->lanes / 4) == 0);
    if (g->n < unit || (g->accumulate && !whole) ||
        (dots && (g->transpose_a || g->k < loops->lanes))) {
        return false;
    }
    nm_gemm_block block = {.g = *g, .unit = unit};
    block.shares = nm_least(nm_context_threads(context), g->n / unit);
    block.shares =
        work < (double)block.shares * NEAR_SHARE ? (int64_t)(work / NEAR_SHARE) + 1 : block.shares;
    nm_parallel(context, block.shares, 1, loops->near, &block);
    return true;
}
