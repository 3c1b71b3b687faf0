#include "ops/kernels/gemm.h"

#include <string.h>

#include "core/inline.h"
#include "ops/kernels/bf16.h"
#include "ops/kernels/finish.h"
#include "ops/kernels/gemm_blocked.h"
#include "ops/kernels/onednn.h"
#include "ops/kernels/simd.h"

/* Multiply-adds up to which packing does not pay. */
#define SMALL 32768

/* Rows beside which packing the other factor takes next to no time. */
#define MANY_ROWS 512

/* Numbers in a row beside which adding up lanes takes most of the time. */
#define SHORT 64
#define MOST_SHORT 32768 /* numbers of such a factor */

#include "ops/kernels/of_float.h"
#include "ops/kernels/gemm_direct.h"
#include "ops/kernels/of_double.h"
#include "ops/kernels/gemm_direct.h"

/* Vectors and pairs of them: every element of the matrix is used once or twice, so copying it
 * costs as much as multiplying. */
static bool is_thin(const nm_gemm *g)
{
    return g->m <= 2 || (g->n <= 2 && g->transpose_b && !g->transpose_a);
}

/* Whether reading the factors where they stand is faster than packing them, as measured. With b's
 * rows side by side: while b stays in a cache, whose bandwidth narrow vectors need more of, or
 * where rows of a power of two make panels share a few sets of the cache. With b transposed: what
 * adding up lanes costs grows with m n, what packing costs with k (m + n). */
static bool is_near(const nm_gemm *g, int lanes)
{
    const int64_t b = g->k * g->n;
    if (g->m * b <= SMALL) {
        return true;
    }
    if (g->transpose_b) {
        return 10 * g->m * g->n <= g->k * (g->m + g->n);
    }
    if (lanes < 16) {
        return g->m < 4 || b <= 16384;
    }
    return g->m < 4 || b <= 131072 || (g->ldb % 1024 == 0 && !g->transpose_a);
}

/* oneDNN has vectors where the kernels here have no wider ones than anybody. */
static bool is_onednns(const nm_gemm *g, int lanes)
{
    return g->dtype == NM_F32 && lanes < 8;
}

/* Of what fills half of a vector the narrower ones are filled: 1.3 to 1.6 times as fast as number
 * by number. */
static bool multiply_near(nm_context *context, const nm_gemm *g, const nm_gemm_loops *loops)
{
    const int lanes = nm_gemm_lanes(loops);
    const int64_t length = g->transpose_b ? g->k : g->n;
    if (length < lanes && 2 * length >= lanes) {
        loops = nm_gemm_loops_at(g->dtype, 1);
    }
    return loops && nm_gemm_near(context, g, loops);
}

/* Where the matrices stand. Returns whether it was done: whether that is the fastest way. */
static bool multiply_directly(nm_context *context, const nm_gemm *g, const nm_gemm_loops *loops,
                              bool *finished)
{
    *finished = is_near(g, nm_gemm_lanes(loops)) && multiply_near(context, g, loops);
    if (*finished) {
        return true;
    }
    const bool direct = g->m * g->n * g->k <= SMALL || is_thin(g);
    if (direct) {
        (g->dtype == NM_F64 ? direct_f64 : direct_f32)(g);
    }
    return direct;
}

/* ---- Few numbers a row ---- */

/* Rows of w so short that its columns are read instead: a dense layer on a table of few columns. */
static bool is_short(const nm_gemm *g, int lanes)
{
    return g->dtype == NM_F32 && g->transpose_b && !g->transpose_a && lanes >= 8 && g->k > 0 &&
           g->k <= (g->n < lanes ? 16 : SHORT) && g->m >= (g->k <= 2 ? 64 : 4) &&
           2 * g->n >= lanes && g->n * g->k <= MOST_SHORT;
}

/* x w^T, by w's copy the other way around. */
static nm_status multiply_short(nm_context *context, const nm_gemm *g, const nm_gemm_loops *loops,
                                bool *done)
{
    float *columns = nm_scratch(context, nm_bytes(g->n * g->k, sizeof *columns));
    nm_gemm plain = *g;
    plain.transpose_b = false, plain.b = columns, plain.ldb = g->n;
    if (columns) {
        nm_gemm_transpose(g->b, g->ldb, g->n, g->k, columns);
        *done = multiply_near(context, &plain, loops);
    }
    nm_scratch_end(columns);
    return columns ? NM_OK : NM_ERROR_MEMORY;
}

/* Rows of the result so short that its columns are computed instead: the gradient of such w. */
static bool is_flat(const nm_gemm *g, int lanes)
{
    const bool narrow = g->n > 2 && 2 * g->n < lanes; /* other ways fill no half of a vector */
    return g->dtype == NM_F32 && lanes >= 8 && g->transpose_a && !g->transpose_b && g->n > 0 &&
           g->n < lanes && g->m >= lanes && g->k >= (narrow ? 4 : 48) && !g->bias &&
           g->activation == NM_ACTIVATION_NONE;
}

/* x^T w, by way of w^T x. */
static nm_status multiply_flat(nm_context *context, const nm_gemm *g, const nm_gemm_loops *loops,
                               bool *done)
{
    float *columns = nm_scratch(context, nm_bytes(g->n * g->m, sizeof *columns)), *c = g->c;
    nm_gemm other = *g;
    other.accumulate = false;
    other.m = g->n, other.n = g->m, other.c = columns, other.ldc = g->m;
    other.a = g->b, other.lda = g->ldb, other.b = g->a, other.ldb = g->lda;
    *done = columns && multiply_near(context, &other, loops);
    for (int64_t i = 0; i < g->m && *done; i++) {
        for (int64_t j = 0; j < g->n; j++) {
            float *to = c + i * g->ldc + j;
            *to = columns[j * g->m + i] + (g->accumulate ? *to : 0);
        }
    }
    nm_scratch_end(columns);
    return columns ? NM_OK : NM_ERROR_MEMORY;
}

/* ---- Packed once ---- */

bool nm_gemm_gains_by_packing(int64_t m, int64_t n, int64_t k)
{
    const nm_gemm g = {.dtype = NM_F32, .transpose_b = true, .m = m, .n = n, .k = k};
    const int lanes = nm_gemm_lanes(nm_gemm_loops_at(NM_F32, 0));
    return m < MANY_ROWS && n >= lanes && k >= lanes && !is_near(&g, lanes) && !is_thin(&g) &&
           !is_short(&g, lanes) && !is_onednns(&g, lanes);
}

/* ---- bf16 ---- */

/* Each number that is packed is multiplied ten times or more; as measured. */
static bool is_bf16(nm_context *context, const nm_gemm *g)
{
    return g->bf16 && g->dtype == NM_F32 && g->m * g->n * g->k > SMALL &&
           g->m * g->n > 10 * (g->m + g->n) && nm_takes_bf16(context);
}

/* The same numbers, of `rows` rows, as bf16 has them. NULL: memory ran out. */
static float *round_factor(nm_context *context, const void *from, int64_t rows, int64_t columns,
                           int64_t ld)
{
    float *to = nm_scratch(context, nm_bytes((rows + 1) * columns, sizeof *to));
    uint16_t *row = (uint16_t *)(void *)(to + rows * columns);
    for (int64_t i = 0; to && i < rows; i++) {
        nm_bf16_narrow((const float *)from + i * ld, row, columns);
        nm_bf16_widen(row, to + i * columns, columns);
    }
    return to;
}

nm_status nm_gemm_emulate(nm_context *context, const nm_gemm *g)
{
    nm_gemm f32 = *g;
    f32.bf16 = false;
    f32.lda = g->transpose_a ? g->m : g->k, f32.ldb = g->transpose_b ? g->k : g->n;
    float *a = round_factor(context, g->a, g->transpose_a ? g->k : g->m, f32.lda, g->lda);
    float *b =
        a ? round_factor(context, g->b, g->transpose_b ? g->n : g->k, f32.ldb, g->ldb) : NULL;
    f32.a = a, f32.b = b;
    const nm_status status = b ? nm_gemm_run(context, &f32) : NM_ERROR_MEMORY;
    nm_scratch_end(b);
    nm_scratch_end(a);
    return status;
}

static nm_status multiply_bf16(nm_context *context, const nm_gemm *g, bool *finished)
{
    const nm_gemm_loops *units = nm_gemm_loops_bf16();
    if (nm_bf16_has_amx(context) && nm_onednn_gemm(context, g, true)) {
        return NM_OK;
    }
    if (nm_context_status(context) != NM_OK) {
        return nm_context_status(context);
    }
    *finished = true;
    return units ? nm_gemm_blocked(context, g, units) : nm_gemm_emulate(context, g);
}

static nm_status multiply(nm_context *context, const nm_gemm *g, bool *finished)
{
    const nm_gemm_loops *loops = nm_gemm_loops_at(g->dtype, 0);
    const int lanes = nm_gemm_lanes(loops);
    bool done = false;
    if (g->packed) {
        *finished = true;
        return nm_gemm_blocked(context, g, loops);
    }
    if (is_bf16(context, g)) {
        return multiply_bf16(context, g, finished);
    }
    if (is_short(g, lanes) || is_flat(g, lanes)) {
        nm_status status =
            (g->transpose_b ? multiply_short : multiply_flat)(context, g, loops, &done);
        if (done || status != NM_OK) {
            *finished = g->transpose_b;
            return status;
        }
    }
    if (multiply_directly(context, g, loops, finished)) {
        return NM_OK;
    }
    if (is_onednns(g, lanes) && nm_onednn_gemm(context, g, false)) {
        return NM_OK;
    }
    if (nm_context_status(context) != NM_OK) {
        return nm_context_status(context);
    }
    *finished = true;
    return nm_gemm_blocked(context, g, loops);
}

nm_status nm_gemm_run(nm_context *context, const nm_gemm *g)
{
    if (g->m == 0 || g->n == 0) {
        return NM_OK;
    }
    bool finished = false;
    nm_status status = multiply(context, g, &finished);
    if (status == NM_OK && !finished && (g->bias || g->activation != NM_ACTIVATION_NONE)) {
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
