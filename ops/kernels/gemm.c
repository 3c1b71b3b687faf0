#include "ops/kernels/gemm.h"

#include <string.h>

#include "core/thread.h"
#include "ops/kernels/kernel.h"
#include "ops/kernels/onednn.h"

/* A tile of c, ROWS by COLUMNS, stays in registers while k runs over a block of DEPTH. a and b are
 * copied beforehand into panels: for each block of k, ROWS rows of a (or COLUMNS columns of b) with
 * the elements of one k side by side, zeros where the matrix ends. */
#define ROWS 6
#define DEPTH 256
#define SMALL 8192 /* multiply-adds up to which copying does not pay */

static int64_t round_up(int64_t value, int64_t to)
{
    return (value + to - 1) / to * to;
}

typedef struct job {
    const nm_gemm *g;
    void *a, *b; /* panels */
} job;

#define GEMM_FUNCTIONS(type, suffix, COLUMNS)                                                      \
    /* Element (i, p) of op(a) is at a[i * row + p * step]; the same serves b with i its column.   \
     */                                                                                            \
    static void pack_##suffix(const type *from, int64_t row, int64_t step, int64_t rows,           \
                              int64_t depth, int width, type *to)                                  \
    {                                                                                              \
        for (int64_t p = 0; p < depth; p++) {                                                      \
            for (int i = 0; i < width; i++) {                                                      \
                to[p * width + i] = i < rows ? from[i * row + p * step] : 0;                       \
            }                                                                                      \
        }                                                                                          \
    }                                                                                              \
    /* Panels begin..end of a matrix of `count` rows, each for all blocks of k: panel by panel,    \
     * so that a panel's blocks follow one another. */                                             \
    static void pack_panels_##suffix(const type *from, int64_t row, int64_t step, int64_t count,   \
                                     int64_t k, int width, type *to, int64_t begin, int64_t end)   \
    {                                                                                              \
        for (int64_t panel = begin; panel < end; panel++) {                                        \
            int64_t first = panel * width;                                                         \
            pack_##suffix(from + first * row, row, step, count - first, k, width, to + first * k); \
        }                                                                                          \
    }                                                                                              \
    static void pack_a_##suffix(void *arg, int64_t begin, int64_t end)                             \
    {                                                                                              \
        const job *j = arg;                                                                        \
        const nm_gemm *g = j->g;                                                                   \
        pack_panels_##suffix(g->a, g->transpose_a ? 1 : g->lda, g->transpose_a ? g->lda : 1, g->m, \
                             g->k, ROWS, j->a, begin, end);                                        \
    }                                                                                              \
    static void pack_b_##suffix(void *arg, int64_t begin, int64_t end)                             \
    {                                                                                              \
        const job *j = arg;                                                                        \
        const nm_gemm *g = j->g;                                                                   \
        pack_panels_##suffix(g->b, g->transpose_b ? g->ldb : 1, g->transpose_b ? 1 : g->ldb, g->n, \
                             g->k, COLUMNS, j->b, begin, end);                                     \
    }                                                                                              \
    NM_KERNEL static void tile_##suffix(const type *a, const type *b, int64_t depth, type *c,      \
                                        int64_t ldc, int64_t rows, int64_t columns, bool add)      \
    {                                                                                              \
        type sum[ROWS][COLUMNS] = {{0}};                                                           \
        for (int64_t p = 0; p < depth; p++) {                                                      \
            for (int i = 0; i < ROWS; i++) {                                                       \
                NM_SIMD for (int j = 0; j < COLUMNS; j++)                                          \
                {                                                                                  \
                    sum[i][j] += a[p * ROWS + i] * b[p * COLUMNS + j];                             \
                }                                                                                  \
            }                                                                                      \
        }                                                                                          \
        for (int64_t i = 0; i < rows; i++) {                                                       \
            for (int64_t j = 0; j < columns; j++) {                                                \
                c[i * ldc + j] = (add ? c[i * ldc + j] : 0) + sum[i][j];                           \
            }                                                                                      \
        }                                                                                          \
    }                                                                                              \
    static void multiply_##suffix(void *arg, int64_t begin, int64_t end)                           \
    {                                                                                              \
        const job *j = arg;                                                                        \
        const nm_gemm *g = j->g;                                                                   \
        for (int64_t p = 0; p < g->k; p += DEPTH) {                                                \
            int64_t depth = g->k - p < DEPTH ? g->k - p : DEPTH;                                   \
            for (int64_t column = 0; column < g->n; column += COLUMNS) {                           \
                const type *b = (const type *)j->b + column * g->k + p * COLUMNS;                  \
                for (int64_t panel = begin; panel < end; panel++) {                                \
                    int64_t row = panel * ROWS;                                                    \
                    const type *a = (const type *)j->a + row * g->k + p * ROWS;                    \
                    tile_##suffix(a, b, depth, (type *)g->c + row * g->ldc + column, g->ldc,       \
                                  g->m - row < ROWS ? g->m - row : ROWS,                           \
                                  g->n - column < COLUMNS ? g->n - column : COLUMNS,               \
                                  p > 0 || g->accumulate);                                         \
                }                                                                                  \
            }                                                                                      \
        }                                                                                          \
    }                                                                                              \
    static nm_status blocked_##suffix(nm_context *context, const nm_gemm *g)                       \
    {                                                                                              \
        int64_t rows = round_up(g->m, ROWS), columns = round_up(g->n, COLUMNS);                    \
        type *scratch = nm_scratch(context, (size_t)((rows + columns) * g->k) * sizeof(type));     \
        if (!scratch) {                                                                            \
            return NM_ERROR_MEMORY;                                                                \
        }                                                                                          \
        job j = {g, scratch, scratch + rows * g->k};                                               \
        int64_t grain = 65536 / (g->k + 1) / ROWS + 1;                                             \
        nm_parallel(context, rows / ROWS, grain, pack_a_##suffix, &j);                             \
        nm_parallel(context, columns / COLUMNS, grain, pack_b_##suffix, &j);                       \
        nm_parallel(context, rows / ROWS, 200000 / (g->k * g->n + 1) / ROWS + 1,                   \
                    multiply_##suffix, &j);                                                        \
        nm_scratch_end(scratch);                                                                   \
        return NM_OK;                                                                              \
    }                                                                                              \
    NM_KERNEL static void small_##suffix(const nm_gemm *g)                                         \
    {                                                                                              \
        const type *a = g->a, *b = g->b;                                                           \
        int64_t row = g->transpose_a ? 1 : g->lda, step = g->transpose_a ? g->lda : 1;             \
        for (int64_t i = 0; i < g->m; i++) {                                                       \
            type *c = (type *)g->c + i * g->ldc;                                                   \
            if (!g->accumulate) {                                                                  \
                memset(c, 0, (size_t)g->n * sizeof(type));                                         \
            }                                                                                      \
            if (g->transpose_b) {                                                                  \
                for (int64_t j = 0; j < g->n; j++) {                                               \
                    type sum = 0;                                                                  \
                    for (int64_t p = 0; p < g->k; p++) {                                           \
                        sum += a[i * row + p * step] * b[j * g->ldb + p];                          \
                    }                                                                              \
                    c[j] += sum;                                                                   \
                }                                                                                  \
                continue;                                                                          \
            }                                                                                      \
            for (int64_t p = 0; p < g->k; p++) {                                                   \
                const type factor = a[i * row + p * step];                                         \
                NM_SIMD for (int64_t j = 0; j < g->n; j++)                                         \
                {                                                                                  \
                    c[j] += factor * b[p * g->ldb + j];                                            \
                }                                                                                  \
            }                                                                                      \
        }                                                                                          \
    }

GEMM_FUNCTIONS(float, f32, 16)
GEMM_FUNCTIONS(double, f64, 8)

nm_status nm_gemm_run(nm_context *context, const nm_gemm *g)
{
    if (g->m == 0 || g->n == 0) {
        return NM_OK;
    }
    if (g->m * g->n * g->k <= SMALL) {
        if (g->dtype == NM_F64) {
            small_f64(g);
        } else {
            small_f32(g);
        }
        return NM_OK;
    }
    if (g->dtype == NM_F64) {
        return blocked_f64(context, g);
    }
    return nm_onednn_gemm(context, g) ? NM_OK : blocked_f32(context, g);
}
