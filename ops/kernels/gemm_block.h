/* What the loops of a blocked product are told, and how it is cut up. */
#ifndef NM_OPS_KERNELS_GEMM_BLOCK_H
#define NM_OPS_KERNELS_GEMM_BLOCK_H

#include "core/inline.h"
#include "core/thread.h"
#include "ops/kernels/finish.h"
#include "ops/kernels/gemm.h"
#include "ops/kernels/kernel.h"

#define NM_GEMM_PANELS 393216 /* bytes of b's panels that stay in the second-level cache */

/* What a processor must have for the loops. */
typedef enum nm_gemm_needs { NM_GEMM_NOTHING, NM_GEMM_AVX2, NM_GEMM_AVX512 } nm_gemm_needs;

struct nm_gemm_loops {
    nm_gemm_needs needs;
    int lanes, rows; /* of a vector, of a tile */
    nm_range_fn pack, multiply, near;
};

typedef struct nm_gemm_block {
    nm_gemm g;
    void *a, *b;           /* panels */
    int64_t tiles, panels; /* of rows, of columns */
    int64_t shares;
    int64_t unit;    /* shares of what is not packed are so many columns, or a multiple */
    bool b_stands;   /* is not packed but where a vector ends beyond its rows */
    bool by_columns; /* the shares of c are of columns, else of rows */
} nm_gemm_block;

typedef struct nm_range {
    int64_t first, last;
} nm_range;

NM_INLINE int64_t nm_least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

NM_INLINE int64_t nm_divide_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

/* The rows are shared among the tiles as evenly as they can be. */
NM_INLINE int64_t nm_tile_begin(const nm_gemm_block *block, int64_t tile)
{
    return tile * block->g.m / block->tiles;
}

/* What shares begin..end have of `count`. */
NM_INLINE nm_range nm_share_of(const nm_gemm_block *block, int64_t count, int64_t begin,
                               int64_t end)
{
    return (nm_range){begin * count / block->shares, end * count / block->shares};
}

NM_INLINE nm_range nm_tiles_of(const nm_gemm_block *block, int64_t begin, int64_t end)
{
    return block->by_columns ? (nm_range){0, block->tiles}
                             : nm_share_of(block, block->tiles, begin, end);
}

NM_INLINE nm_range nm_panels_of(const nm_gemm_block *block, int64_t begin, int64_t end)
{
    return block->by_columns ? nm_share_of(block, block->panels, begin, end)
                             : (nm_range){0, block->panels};
}

NM_INLINE int64_t nm_panels_at_once(int64_t bytes)
{
    return bytes < NM_GEMM_PANELS ? NM_GEMM_PANELS / (bytes + 1) : 1;
}

/* While what was computed is near: bias and activation, which only the last block of k has. */
NM_INLINE void nm_gemm_finish(const nm_gemm *g, int64_t i, int64_t rows, int64_t first,
                              int64_t last)
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
            .y = (char *)g->c + (i * g->ldc + first) * item,
        });
    }
}

#endif
