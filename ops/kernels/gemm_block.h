/* What the loops of a product are, and what they are told. */
#ifndef NM_OPS_KERNELS_GEMM_BLOCK_H
#define NM_OPS_KERNELS_GEMM_BLOCK_H

#include "core/inline.h"
#include "ops/kernels/gemm.h"

/* What a processor must have for the loops. */
typedef enum nm_gemm_needs { NM_GEMM_NOTHING, NM_GEMM_AVX2, NM_GEMM_AVX512 } nm_gemm_needs;

#define NM_GEMM_MOST_ROWS 14

/* Of one tile. */
typedef struct nm_gemm_operands {
    const void *a, *b;   /* a's panel; b's, or where it stands */
    int64_t depth, step; /* of k; from b's row to row */
    void *c;
    int64_t ldc;
    bool add; /* to c */
} nm_gemm_operands;

struct nm_gemm_loops {
    nm_gemm_needs needs;
    int lanes, rows; /* of a vector, of a tile */
    bool pairs;      /* of bf16 are in a place of a panel: those of gemm_bf16.h */
    /* Rows of a factor, of which element (i, p) is at from[i * row + p * step], and one of row and
     * step is 1, to a panel that has `width`: to[p * width + i]. */
    void (*pack_panel)(const void *from, int64_t row, int64_t step, int64_t rows, int64_t depth,
                       int64_t width, void *to);
    /* Of so many rows, and of one vector of columns or two. */
    void (*tiles[NM_GEMM_MOST_ROWS][2])(const nm_gemm_operands *operands);
    /* Columns first..last of c, of factors where they stand. NULL: not there. */
    void (*near)(const nm_gemm *gemm, int64_t first, int64_t last);
};

NM_INLINE int64_t nm_least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

#endif
