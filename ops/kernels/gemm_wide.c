#include "ops/kernels/gemm_wide.h"

#include <string.h>

#include "ops/kernels/wide.h"

/* Sanitizers look at these loops too, whatever the processor has. */
#if defined(NM_SANITIZED)
#define IS_WANTED true
#else
#define IS_WANTED nm_wide_is_fast()
#endif

#if (defined(NM_KERNEL_VARIANTS) || defined(NM_SANITIZED)) && (defined(__clang__) || __GNUC__ >= 12)

#define MOST_ROWS 4
#define MOST_VECTORS 4

/* All rows and vectors of a tile. Unrolled, so that the sums are registers. */
#define EACH(r, v, ...)                                                                            \
    _Pragma("GCC unroll 4") for (int r = 0; r < rows; r++)                                         \
    {                                                                                              \
        _Pragma("GCC unroll 4") for (int v = 0; v < vectors; v++)                                  \
        {                                                                                          \
            __VA_ARGS__;                                                                           \
        }                                                                                          \
    }

/* ---- b's rows side by side: a tile of c stays in registers ---- */

WIDE NM_INLINE void plain_tile(const nm_gemm *g, int64_t i, int64_t j, const int rows,
                               const int vectors)
{
    const int64_t row = g->transpose_a ? 1 : g->lda, step = g->transpose_a ? g->lda : 1;
    const int64_t k = g->k, ldb = g->ldb, ldc = g->ldc;
    const float *a = (const float *)g->a + i * row, *b = (const float *)g->b + j;
    float *c = (float *)g->c + i * ldc + j;
    vector sums[MOST_ROWS * MOST_VECTORS] = {{0}}, right[MOST_VECTORS];
    if (g->accumulate) {
        EACH(r, v, memcpy(&sums[r * vectors + v], c + r * ldc + v * LANES, sizeof *sums))
    }
    for (int64_t p = 0; p < k; p++, a += step, b += ldb) {
        _Pragma("GCC unroll 4") for (int v = 0; v < vectors; v++)
        {
            memcpy(&right[v], b + v * LANES, sizeof right[v]);
        }
        EACH(r, v, sums[r * vectors + v] += a[r * row] * right[v])
    }
    EACH(r, v, memcpy(c + r * ldc + v * LANES, &sums[r * vectors + v], sizeof *sums))
}

/* Some rows from column 0 on. The last tile goes over some of the one before it. */
WIDE NM_INLINE void plain_rows(const nm_gemm *g, int64_t i, const int rows)
{
    const int64_t n = g->n;
    int64_t j = 0;
    for (; j + 4 * LANES <= n; j += 4 * LANES) {
        plain_tile(g, i, j, rows, 4);
    }
    if (j + 2 * LANES <= n) {
        plain_tile(g, i, j, rows, 2);
        j += 2 * LANES;
    }
    for (; j < n; j += LANES) {
        plain_tile(g, i, j + LANES <= n ? j : n - LANES, rows, 1);
    }
}

WIDE static void plain(const nm_gemm *g)
{
    int64_t i = 0;
    for (; i + 4 <= g->m; i += 4) {
        plain_rows(g, i, 4);
    }
    for (; i < g->m; i++) {
        plain_rows(g, i, 1);
    }
}

/* ---- b transposed: LANES dot products at a time ---- */

/* Lanes of x and y, half as many of each, to x: those of `low` and `high` are added. */
#define JOIN(name, low, high)                                                                      \
    WIDE NM_INLINE void name(vector *x, const vector *y)                                           \
    {                                                                                              \
        *x = __builtin_shufflevector(*x, *y, low) + __builtin_shufflevector(*x, *y, high);         \
    }
#define LOW_8 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23
#define HIGH_8 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31
#define LOW_4 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27
#define HIGH_4 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31
#define LOW_2 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29
#define HIGH_2 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31
#define LOW_1 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30
#define HIGH_1 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31
JOIN(join_8, LOW_8, HIGH_8)
JOIN(join_4, LOW_4, HIGH_4)
JOIN(join_2, LOW_2, HIGH_2)
JOIN(join_1, LOW_1, HIGH_1)

/* Lane i of sums[0] becomes the sum of sums[i]'s lanes. */
WIDE NM_INLINE void sum_lanes(vector *sums)
{
    _Pragma("GCC unroll 8") for (int i = 0; i < 8; i++)
    {
        join_8(&sums[i], &sums[i + 8]);
    }
    _Pragma("GCC unroll 4") for (int i = 0; i < 4; i++)
    {
        join_4(&sums[i], &sums[i + 4]);
    }
    join_2(&sums[0], &sums[2]);
    join_2(&sums[1], &sums[3]);
    join_1(&sums[0], &sums[1]);
}

/* Bias and relu are done where the sums are in registers. */
typedef struct ending {
    const float *bias;
    bool relu;
} ending;

WIDE NM_INLINE void finish(ending e, int64_t j, vector *y)
{
    vector bias;
    if (e.bias) {
        memcpy(&bias, e.bias + j, sizeof bias);
        *y += bias;
    }
    if (e.relu) {
        apply_relu(y);
    }
}

WIDE NM_INLINE void dot_tile(const nm_gemm *g, const float *a, int64_t j, float *c, ending end)
{
    const float *b = (const float *)g->b + j * g->ldb;
    vector sums[LANES] = {{0}}, left, right, old = {0};
    for (int64_t p = 0; p < g->k; p += LANES) {
        memcpy(&left, a + p, sizeof left);
        _Pragma("GCC unroll 16") for (int i = 0; i < LANES; i++)
        {
            memcpy(&right, b + i * g->ldb + p, sizeof right);
            sums[i] += left * right;
        }
    }
    if (g->accumulate) {
        memcpy(&old, c + j, sizeof old);
    }
    sum_lanes(sums);
    sums[0] += old;
    finish(end, j, &sums[0]);
    memcpy(c + j, &sums[0], sizeof sums[0]);
}

/* Four rows of c, four columns: each factor that is loaded is used four times. */
WIDE NM_INLINE void dot_block(const nm_gemm *g, int64_t i, int64_t j)
{
    const float *a = (const float *)g->a + i * g->lda, *b = (const float *)g->b + j * g->ldb;
    float *c = (float *)g->c + i * g->ldc + j;
    vector sums[LANES] = {{0}}, left, right[4];
    for (int64_t p = 0; p < g->k; p += LANES) {
        _Pragma("GCC unroll 4") for (int q = 0; q < 4; q++)
        {
            memcpy(&right[q], b + q * g->ldb + p, sizeof right[q]);
        }
        _Pragma("GCC unroll 4") for (int r = 0; r < 4; r++)
        {
            memcpy(&left, a + r * g->lda + p, sizeof left);
            _Pragma("GCC unroll 4") for (int q = 0; q < 4; q++)
            {
                sums[4 * r + q] += left * right[q];
            }
        }
    }
    sum_lanes(sums);
    float all[LANES];
    memcpy(all, &sums[0], sizeof all);
    for (int r = 0; r < 4; r++, c += g->ldc) {
        for (int q = 0; q < 4 && g->accumulate; q++) {
            all[4 * r + q] += c[q];
        }
        memcpy(c, all + 4 * r, 4 * sizeof *all);
    }
}

/* Whether bias and activation are done with the sums: of few rows, and what is done in registers.
 */
static bool is_finished(const nm_gemm *g)
{
    return g->m < 4 && (g->activation == NM_ACTIVATION_NONE || g->activation == NM_ACTIVATION_RELU);
}

WIDE static void dots(const nm_gemm *g)
{
    const bool finish_it = is_finished(g);
    const ending end = {finish_it ? g->bias : NULL,
                        finish_it && g->activation == NM_ACTIVATION_RELU};
    int64_t i = 0;
    for (; i + 4 <= g->m; i += 4) {
        for (int64_t j = 0; j < g->n; j += 4) {
            dot_block(g, i, j + 4 <= g->n ? j : g->n - 4);
        }
    }
    for (; i < g->m; i++) {
        const float *a = (const float *)g->a + i * g->lda;
        float *c = (float *)g->c + i * g->ldc;
        for (int64_t j = 0; j < g->n; j += LANES) {
            dot_tile(g, a, j + LANES <= g->n ? j : g->n - LANES, c, end);
        }
    }
}

bool nm_gemm_wide(const nm_gemm *g, bool *finished)
{
    const bool whole = !g->accumulate || g->n % LANES == 0;
    if (!IS_WANTED || g->n < LANES || !whole) {
        return false;
    }
    if (!g->transpose_b) {
        plain(g);
        return true;
    }
    if (g->transpose_a || g->k < LANES || g->k % LANES) {
        return false;
    }
    dots(g);
    *finished = is_finished(g);
    return true;
}

#else

bool nm_gemm_wide(const nm_gemm *g, bool *finished)
{
    (void)g, (void)finished;
    return false;
}

#endif
