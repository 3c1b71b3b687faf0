/* Weights of 8 bits: rounding them, and their order in memory. Once for each network. */
#include <math.h>
#include <string.h>

#include "ops/kernels/gemm_i8.h"

#define LARGEST 127

static float largest_of(const float *w, int64_t count)
{
    float largest = 0;
    for (int64_t i = 0; i < count; i++) {
        if (!isfinite(w[i])) {
            return NAN;
        }
        largest = fabsf(w[i]) > largest ? fabsf(w[i]) : largest;
    }
    return largest;
}

float nm_i8_round_row(const float *w, int64_t count, int8_t *q)
{
    const float scale = largest_of(w, count) / LARGEST;
    for (int64_t i = 0; i < count; i++) { /* the scale of tiny weights has few digits */
        const double unit = scale > 0 ? rint((double)w[i] / (double)scale) : 0;
        q[i] = (int8_t)(unit > LARGEST ? LARGEST : unit < -LARGEST ? -LARGEST : unit);
    }
    return scale;
}

/* A row of whole numbers to its places in a block, which stand apart; returns their sum. */
static int32_t place_row(const int8_t *q, int64_t k, int8_t *to)
{
    int32_t sum = 0;
    for (int64_t p = 0; p < k; p++) {
        to[p / NM_I8_DEPTH * NM_I8_COLUMNS * NM_I8_DEPTH + p % NM_I8_DEPTH] = q[p];
        sum += q[p];
    }
    return sum;
}

nm_status nm_gemm_i8_pack(nm_context *context, const float *w, int64_t n, int64_t k, int8_t *packed,
                          int32_t *sums, float *scale)
{
    const int64_t block = nm_i8_depths(k) * NM_I8_COLUMNS * NM_I8_DEPTH;
    int8_t *q = nm_scratch(context, (size_t)k);
    if (!q) {
        return NM_ERROR_MEMORY;
    }
    memset(packed, 0, (size_t)(nm_i8_blocks(n) * block));
    for (int64_t j = 0; j < n; j++) {
        scale[j] = nm_i8_round_row(w + j * k, k, q);
        sums[j] =
            place_row(q, k, packed + j / NM_I8_COLUMNS * block + j % NM_I8_COLUMNS * NM_I8_DEPTH);
    }
    nm_scratch_end(q);
    return NM_OK;
}
