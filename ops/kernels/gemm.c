#include "ops/kernels/gemm.h"

#include <string.h>

#include "core/inline.h"
#include "ops/kernels/finish.h"
#include "ops/kernels/gemm_blocked.h"
#include "ops/kernels/gemm_wide.h"
#include "ops/kernels/onednn.h"
#include "ops/kernels/simd.h"

/* Multiply-adds up to which neither copying nor calling oneDNN pays: at all, in f32, and there with
 * AVX-512. */
#define SMALLEST 512
#define SMALL 32768
#define WIDE_SMALL 262144

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

/* Where the matrices stand. Returns whether it was done: whether that is the fastest way. */
static bool multiply_directly(nm_context *context, const nm_gemm *g, bool *finished)
{
    const bool f64 = g->dtype == NM_F64;
    const int64_t work = g->m * g->n * g->k;
    if (!f64 && work > SMALLEST && g->bf16 && nm_onednn_takes_bf16(context)) {
        return false; /* rounded, and by few: oneDNN's */
    }
    if (!f64 && work <= WIDE_SMALL && nm_gemm_wide(g, finished)) {
        return true;
    }
    if (work > SMALL) {
        return false;
    }
    (f64 ? direct_f64 : direct_f32)(g);
    return true;
}

static nm_status multiply(nm_context *context, const nm_gemm *g, bool *finished)
{
    const bool f64 = g->dtype == NM_F64;
    if (multiply_directly(context, g, finished) || (!f64 && nm_onednn_gemm(context, g))) {
        return NM_OK;
    }
    if (nm_context_status(context) != NM_OK) {
        return nm_context_status(context);
    }
    if (is_thin(g)) {
        (f64 ? direct_f64 : direct_f32)(g);
        return NM_OK;
    }
    *finished = true;
    return nm_gemm_blocked(context, g, nm_gemm_loops_at(g->dtype, 0));
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
