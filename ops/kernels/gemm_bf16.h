/* The loops of a blocked product for AVX512_BF16, whose factors are rounded to bf16 as they are
 * packed; included after gemm_tiles.h for AVX-512, whose transposition they take.
 *
 * A place of a panel holds two numbers next to each other in k, the second 0 behind the last. The
 * unit multiplies both and adds them to a sum of f32 in the order of k, whatever the tile. Numbers
 * below 2^-126, as factors, products or sums, count as 0: so the unit does it. All panels have full
 * vectors, both ways, so that each is written whole; tiles are of 2 vectors of columns and of 14 or
 * 8 rows, of which nobody looks at those that a product does not have. */
#include <immintrin.h>

#define PAIRS __attribute__((target("avx512f,avx512bw,avx512bf16")))
#define LANES 16
#define MOST 14
#define RUN 64 /* pairs of a row at a time */

/* The first `count` lanes. */
PAIRS NM_INLINE __mmask16 lanes_before(int64_t count)
{
    return (__mmask16)(count >= LANES ? 0xffff : count > 0 ? (1 << count) - 1 : 0);
}

PAIRS NM_INLINE __m512i round_both(__m512 low, __m512 high)
{
    return (__m512i)_mm512_cvtne2ps_pbh(high, low);
}

/* Up to LANES rows side by side: of two rows of k the numbers above each other. */
PAIRS static void pack_across(const float *from, int64_t step, int64_t rows, int64_t depth,
                              int64_t width, float *to)
{
    const __mmask16 there = lanes_before(rows);
    int32_t places[LANES];
    for (int i = 0; i < LANES; i++) {
        places[i] = i | (i + LANES) << 16;
    }
    const __m512i order = _mm512_loadu_si512(places);
    for (int64_t p = 0; p < depth; p += 2, to += width, from += 2 * step) {
        const __m512 low = _mm512_maskz_loadu_ps(there, from);
        const __m512 high = _mm512_maskz_loadu_ps(p + 1 < depth ? there : 0, from + step);
        _mm512_storeu_si512(to, _mm512_permutexvar_epi16(order, round_both(low, high)));
    }
}

/* Rows that have k side by side: rounded here, moved as if a pair were a number of f32. */
PAIRS static void pack_along(const float *from, int64_t row, int64_t rows, int64_t depth,
                             int64_t width, float *to)
{
    float pairs[2 * LANES][RUN];
    for (int64_t p = 0; p < depth; p += 2 * RUN, to += RUN * width) {
        const int64_t run = nm_least(depth - p, 2 * RUN);
        for (int64_t i = 0; i < rows; i++) {
            const float *at = from + i * row + p;
            for (int64_t q = 0; q < run; q += 2 * LANES) {
                const __m512 low = _mm512_maskz_loadu_ps(lanes_before(run - q), at + q);
                const __m512 high =
                    _mm512_maskz_loadu_ps(lanes_before(run - q - LANES), at + q + LANES);
                _mm512_storeu_si512(&pairs[i][q / 2], round_both(low, high));
            }
        }
        pack_panel_avx512_f32(pairs, RUN, 1, width, (run + 2 * LANES - 1) / (2 * LANES) * LANES,
                              width, to);
    }
}

PAIRS static void pack_pairs(const void *from, int64_t row, int64_t step, int64_t rows,
                             int64_t depth, int64_t width, void *to)
{
    if (row != 1) {
        pack_along(from, row, rows, depth, width, to);
        return;
    }
    for (int64_t i = 0; i < nm_least(width, rows); i += LANES) {
        pack_across((const float *)from + i, step, rows - i, depth, width, (float *)to + i);
    }
}

#define EACH_ROW(r, ...)                                                                           \
    NM_UNROLL(14) for (int r = 0; r < rows; r++)                                                   \
    {                                                                                              \
        __VA_ARGS__;                                                                               \
    }

PAIRS NM_INLINE float *next_row_of_pairs(float *c, int64_t by)
{
    c += by;
    __asm__("" : "+r"(c));
    return c;
}

PAIRS NM_INLINE void tile_of_pairs(const nm_gemm_operands *o, const int rows)
{
    const __mmask16 add = o->add ? 0xffff : 0;
    const float *b = o->b;
    const int32_t *a = o->a;
    float *c = o->c;
    __m512 sums[MOST][2];
    EACH_ROW(r, c = next_row_of_pairs(c, r ? o->ldc : 0);
             sums[r][0] = _mm512_maskz_loadu_ps(add, c);
             sums[r][1] = _mm512_maskz_loadu_ps(add, c + LANES))
    for (int64_t p = o->depth; p > 0; p--, a += LANES, b += 2 * LANES) {
        const __m512bh first = (__m512bh)_mm512_loadu_ps(b);
        const __m512bh second = (__m512bh)_mm512_loadu_ps(b + LANES);
        EACH_ROW(r, const __m512bh pair = (__m512bh)_mm512_set1_epi32(a[r]);
                 sums[r][0] = _mm512_dpbf16_ps(sums[r][0], pair, first);
                 sums[r][1] = _mm512_dpbf16_ps(sums[r][1], pair, second))
    }
    c = o->c;
    EACH_ROW(r, c = next_row_of_pairs(c, r ? o->ldc : 0); _mm512_storeu_ps(c, sums[r][0]);
             _mm512_storeu_ps(c + LANES, sums[r][1]))
}

#define TILE(rows)                                                                                 \
    PAIRS static void tile_of_pairs_##rows(const nm_gemm_operands *o)                              \
    {                                                                                              \
        tile_of_pairs(o, rows);                                                                    \
    }
TILE(8)
TILE(14)

static const nm_gemm_loops loops_bf16 = {
    .needs = NM_GEMM_AVX512,
    .lanes = LANES,
    .rows = MOST,
    .pairs = true,
    .pack_panel = pack_pairs,
    .tiles = {{tile_of_pairs_8}, {tile_of_pairs_14}},
};

#undef PAIRS
#undef LANES
#undef MOST
#undef RUN
#undef EACH_ROW
#undef TILE
