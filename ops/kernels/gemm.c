#include "ops/kernels/gemm.h"

#include <string.h>

#include "core/thread.h"
#include "ops/kernels/finish.h"
#include "ops/kernels/onednn.h"
#include "ops/kernels/simd.h"

/* A tile of c, ROWS by COLUMNS, stays in registers while k runs over a block of DEPTH. a and b are
 * copied beforehand into panels: for each block of k, ROWS rows of a (or COLUMNS columns of b) with
 * the elements of one k side by side, zeros where the matrix ends. */
#define ROWS 6
#define DEPTH 256
#define SMALL 512 /* multiply-adds up to which neither copying nor calling oneDNN pays */

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
    static inline void pack_##suffix(const type *from, int64_t row, int64_t step, int64_t rows,    \
                                     int64_t depth, int width, type *to)                           \
    {                                                                                              \
        if (rows < width) {                                                                        \
            memset(to, 0, (size_t)(depth * width) * sizeof(type));                                 \
        }                                                                                          \
        if (rows >= width && row == 1) {                                                           \
            for (int64_t p = 0; p < depth; p++) {                                                  \
                memcpy(to + p * width, from + p * step, (size_t)width * sizeof(type));             \
            }                                                                                      \
            return;                                                                                \
        }                                                                                          \
        for (int64_t first = 0; first < depth; first += 64) { /* what is written stays near */     \
            int64_t last = first + 64 < depth ? first + 64 : depth;                                \
            for (int64_t i = 0; i < width && i < rows; i++) {                                      \
                for (int64_t p = first; p < last; p++) {                                           \
                    to[p * width + i] = from[i * row + p * step];                                  \
                }                                                                                  \
            }                                                                                      \
        }                                                                                          \
    }                                                                                              \
    /* Panels begin..end of a matrix of `count` rows, each for all blocks of k: panel by panel,    \
     * so that a panel's blocks follow one another. */                                             \
    static inline void pack_panels_##suffix(const type *from, int64_t row, int64_t step,           \
                                            int64_t count, int64_t k, int width, type *to,         \
                                            int64_t begin, int64_t end)                            \
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
    typedef type vector_##suffix __attribute__((vector_size(COLUMNS * sizeof(type))));             \
    NM_KERNEL static void tile_##suffix(const type *a, const type *b, int64_t depth, type *c,      \
                                        int64_t ldc, int64_t rows, int64_t columns, bool add)      \
    {                                                                                              \
        vector_##suffix s0 = {0}, s1 = s0, s2 = s0, s3 = s0, s4 = s0, s5 = s0, right;              \
        for (int64_t p = 0; p < depth; p++, a += ROWS, b += COLUMNS) {                             \
            memcpy(&right, b, sizeof right);                                                       \
            s0 += a[0] * right;                                                                    \
            s1 += a[1] * right;                                                                    \
            s2 += a[2] * right;                                                                    \
            s3 += a[3] * right;                                                                    \
            s4 += a[4] * right;                                                                    \
            s5 += a[5] * right;                                                                    \
        }                                                                                          \
        vector_##suffix sum[ROWS] = {s0, s1, s2, s3, s4, s5};                                      \
        for (int64_t i = 0; i < rows; i++, c += ldc) {                                             \
            if (columns < COLUMNS) {                                                               \
                for (int64_t j = 0; j < columns; j++) {                                            \
                    c[j] = (add ? c[j] : 0) + sum[i][j];                                           \
                }                                                                                  \
                continue;                                                                          \
            }                                                                                      \
            if (add) {                                                                             \
                memcpy(&right, c, sizeof right);                                                   \
                sum[i] += right;                                                                   \
            }                                                                                      \
            memcpy(c, &sum[i], sizeof right);                                                      \
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
        type *scratch = nm_scratch(context, nm_bytes((rows + columns) * g->k, sizeof(type)));      \
        if (!scratch) {                                                                            \
            return NM_ERROR_MEMORY;                                                                \
        }                                                                                          \
        job j = {g, scratch + columns * g->k, scratch}; /* b's vectors stay aligned */             \
        int64_t grain = 65536 / (g->k + 1) / ROWS + 1;                                             \
        nm_parallel(context, rows / ROWS, grain, pack_a_##suffix, &j);                             \
        nm_parallel(context, columns / COLUMNS, grain, pack_b_##suffix, &j);                       \
        nm_parallel(context, rows / ROWS, 200000 / (g->k * g->n + 1) / ROWS + 1,                   \
                    multiply_##suffix, &j);                                                        \
        nm_scratch_end(scratch);                                                                   \
        return NM_OK;                                                                              \
    }                                                                                              \
    static inline type dot_##suffix(const type *a, int64_t step, const type *b, int64_t k)         \
    {                                                                                              \
        type sum = 0;                                                                              \
        if (step == 1 && k >= 16) {                                                                \
            NM_SIMD_SUM(sum) for (int64_t p = 0; p < k; p++)                                       \
            {                                                                                      \
                sum += a[p] * b[p];                                                                \
            }                                                                                      \
            return sum;                                                                            \
        }                                                                                          \
        for (int64_t p = 0; p < k; p++) {                                                          \
            sum += a[p * step] * b[p];                                                             \
        }                                                                                          \
        return sum;                                                                                \
    }                                                                                              \
    static inline void add_row_##suffix(type factor, const type *b, int64_t n, type *c)            \
    {                                                                                              \
        NM_SIMD for (int64_t j = 0; j < n; j++)                                                    \
        {                                                                                          \
            c[j] += factor * b[j];                                                                 \
        }                                                                                          \
    }                                                                                              \
    NM_KERNEL static void plain_##suffix(const nm_gemm *g)                                         \
    {                                                                                              \
        const type *b = g->b;                                                                      \
        int64_t row = g->transpose_a ? 1 : g->lda, step = g->transpose_a ? g->lda : 1;             \
        for (int64_t i = 0; i < g->m; i++) {                                                       \
            const type *a = (const type *)g->a + i * row;                                          \
            type *c = (type *)g->c + i * g->ldc;                                                   \
            if (!g->accumulate) {                                                                  \
                memset(c, 0, (size_t)g->n * sizeof(type));                                         \
            }                                                                                      \
            for (int64_t j = 0; g->transpose_b && j < g->n; j++) {                                 \
                c[j] += dot_##suffix(a, step, b + j * g->ldb, g->k);                               \
            }                                                                                      \
            for (int64_t p = 0; !g->transpose_b && p < g->k; p++) {                                \
                add_row_##suffix(a[p * step], b + p * g->ldb, g->n, c);                            \
            }                                                                                      \
        }                                                                                          \
    }

GEMM_FUNCTIONS(float, f32, 16)
GEMM_FUNCTIONS(double, f64, 8)

/* Vectors and pairs of them: every element of the matrix is used once or twice, so copying it
 * costs as much as multiplying. */
static bool is_thin(const nm_gemm *g)
{
    return g->m <= 2 || (g->n <= 2 && g->transpose_b && !g->transpose_a);
}

static nm_status multiply(nm_context *context, const nm_gemm *g)
{
    bool f64 = g->dtype == NM_F64, small = g->m * g->n * g->k <= SMALL;
    if (!f64 && !small && nm_onednn_gemm(context, g)) {
        return NM_OK;
    }
    if (nm_context_status(context) != NM_OK) {
        return nm_context_status(context);
    }
    if (small || is_thin(g)) {
        (f64 ? plain_f64 : plain_f32)(g);
        return NM_OK;
    }
    return f64 ? blocked_f64(context, g) : blocked_f32(context, g);
}

nm_status nm_gemm_run(nm_context *context, const nm_gemm *g)
{
    if (g->m == 0 || g->n == 0) {
        return NM_OK;
    }
    nm_status status = multiply(context, g);
    if (status == NM_OK) {
        nm_finish_run(context, &(nm_finish){.dtype = g->dtype,
                                            .rows = g->m,
                                            .columns = g->n,
                                            .stride = g->ldc,
                                            .bias = g->bias,
                                            .activation = g->activation,
                                            .y = g->c});
    }
    return status;
}

int64_t nm_count_multiply_adds(const nm_shape *y, int64_t inner)
{
    int64_t outputs = nm_shape_count(y), count;
    bool overflow = outputs < 0 || inner < 0 || __builtin_mul_overflow(outputs, inner, &count);
    return overflow || count > NM_MANY_MULTIPLY_ADDS ? NM_MANY_MULTIPLY_ADDS : count;
}
