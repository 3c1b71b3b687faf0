#include "ops/kernels/gemm_i8.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "core/inline.h"
#include "core/thread.h"
#include "ops/kernels/finish.h"
#include "ops/kernels/gemm_block.h"
#include "ops/kernels/simd.h"

#ifdef NM_HAS_AVX2
#include <immintrin.h>
#endif

#define MOST 255      /* of a rounded number of x */
#define FLAT 1e-35F   /* values no farther apart are 0: their factor would not be finite */
#define UNITS 16      /* of a row of rounded numbers: their number is a multiple of it */
#define MOST_ROWS 4   /* of a tile, and */
#define MOST_BLOCKS 4 /* so many */

typedef struct nm_i8_range {
    float least, length;
} nm_i8_range;

/* x = scale * (q - zero) */
typedef struct nm_i8_row {
    float scale; /* NaN: so is the row of y */
    int32_t zero;
} nm_i8_row;

/* A float's bits to a number in the order of floats, and back. */
NM_INLINE int32_t turn(int32_t bits)
{
    /* cppcheck-suppress shiftTooManyBitsSigned ; gcc and clang say that it is the sign */
    return bits ^ (bits >> 31 & INT32_MAX);
}

NM_INLINE int32_t key_of(float x)
{
    int32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return turn(bits);
}

static float of_key(int32_t key)
{
    float x;
    const int32_t bits = turn(key);
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* From 0 or below to 0 or above; its length is not finite where an end is not. */
static nm_i8_range range_of(int32_t least, int32_t most)
{
    const float low = of_key(least), high = of_key(most);
    return (nm_i8_range){.least = low, .length = high - low};
}

typedef enum needs { NEEDS_NOTHING, NEEDS_AVX2, NEEDS_VNNI } needs;

typedef struct tile {
    int rows, blocks;
    void (*run)(const void *x, int64_t stride, int64_t depths, const int8_t *w, int32_t *sums);
} tile;

struct nm_i8_loops {
    needs needs;
    size_t item;  /* bytes of a rounded number of x */
    double share; /* multiply-adds worth a thread */
    nm_i8_row (*round_row)(const float *x, int64_t k, void *q);
    void (*finish)(const nm_gemm_i8 *g, const nm_i8_row *row, const int32_t *sums, int64_t first,
                   int64_t count, float *y);
    tile tiles[4]; /* larger ones first, in rows, then in blocks */
};

static int64_t stride_of(int64_t k)
{
    return (k + UNITS - 1) / UNITS * UNITS;
}

/* ---- Numbers again: promise 2 ---- */

/* Outputs first..first+count-1 of a row from the sums of its tile. */
#define DEFINE_FINISH(name, target)                                                                \
    target static void name(const nm_gemm_i8 *g, const nm_i8_row *row, const int32_t *sums,        \
                            int64_t first, int64_t count, float *y)                                \
    {                                                                                              \
        const int32_t *of_weights = g->sums + first;                                               \
        const float *scale = g->scale + first, *bias = g->bias + first;                            \
        const float floor = g->activation == NM_ACTIVATION_RELU ? 0 : -INFINITY;                   \
        const nm_i8_row r = *row;                                                                  \
        NM_SIMD for (int64_t j = 0; j < count; j++)                                                \
        {                                                                                          \
            const int32_t sum = sums[j] - r.zero * of_weights[j];                                  \
            const float value = __builtin_fmaf((float)sum, r.scale * scale[j], bias[j]);           \
            y[j] = value < floor ? floor : value; /* NaN stays */                                  \
        }                                                                                          \
    }

/* ---- The loops ---- */

#ifdef NM_HAS_AVX2
#define AVX2 __attribute__((target("avx2,fma")))
#define BASE __attribute__((cold)) /* processors without AVX2 are rare: small code */
DEFINE_FINISH(finish_avx2, AVX2)
#else
#define BASE
#endif
DEFINE_FINISH(finish_base, BASE)

#ifdef NM_HAS_AVX512
/* Four products a lane and instruction. */
#define NAME(name) name##_vnni
#define TARGET __attribute__((target("avx512f,avx512vnni")))
#define NEEDS NEEDS_VNNI
#define SHARE 1e6
#define FINISH finish_avx2
#define unit uint8_t
#define TILES TILE(4, 4) TILE(4, 1) TILE(1, 4) TILE(1, 1)

/* Lanes of what is left. */
NM_INLINE uint16_t lanes_of(int64_t left)
{
    return (uint16_t)(left < 16 ? (1 << left) - 1 : 0xffff);
}

TARGET static nm_i8_range NAME(find_range)(const float *x, int64_t k)
{
    __m512i least = _mm512_setzero_si512(), most = least; /* of 0 */
    for (int64_t p = 0; p < k; p += 16) {
        const __m512i bits = _mm512_maskz_loadu_epi32(lanes_of(k - p), x + p);
        const __m512i sign = _mm512_srli_epi32(_mm512_srai_epi32(bits, 31), 1);
        const __m512i key = _mm512_xor_si512(bits, sign);
        least = _mm512_min_epi32(least, key);
        most = _mm512_max_epi32(most, key);
    }
    return range_of(_mm512_reduce_min_epi32(least), _mm512_reduce_max_epi32(most));
}

TARGET NM_INLINE void NAME(round)(const float *x, int64_t k, float factor, int32_t zero, unit *to)
{
    for (int64_t p = 0; p < k; p += 16) {
        const __m512 part = _mm512_maskz_loadu_ps(lanes_of(k - p), x + p);
        const __m512i near = _mm512_cvtps_epi32(_mm512_mul_ps(part, _mm512_set1_ps(factor)));
        const __m512i number = _mm512_add_epi32(near, _mm512_set1_epi32(zero)); /* not below 0 */
        _mm_storeu_si128((__m128i *)(void *)(to + p), _mm512_cvtusepi32_epi8(number));
    }
}

TARGET NM_INLINE void NAME(tile)(const unit *x, int64_t stride, int64_t depths, const int8_t *w,
                                 int rows, int blocks, int32_t *sums)
{
    __m512i sum[MOST_ROWS][MOST_BLOCKS], of_w[MOST_BLOCKS];
    memset(sum, 0, sizeof sum);
    for (int64_t p = 0; p < depths; p++) {
        NM_UNROLL(4) for (int b = 0; b < blocks; b++)
        {
            of_w[b] = _mm512_loadu_si512(w + (b * depths + p) * 64);
        }
        NM_UNROLL(4) for (int r = 0; r < rows; r++)
        {
            int32_t four;
            memcpy(&four, x + r * stride + p * NM_I8_DEPTH, sizeof four);
            const __m512i of_x = _mm512_set1_epi32(four);
            NM_UNROLL(4) for (int b = 0; b < blocks; b++)
            {
                sum[r][b] = _mm512_dpbusd_epi32(sum[r][b], of_x, of_w[b]);
            }
        }
    }
    NM_UNROLL(4) for (int r = 0; r < rows; r++)
    {
        NM_UNROLL(4) for (int b = 0; b < blocks; b++)
        {
            _mm512_storeu_si512(sums + (r * blocks + b) * NM_I8_COLUMNS, sum[r][b]);
        }
    }
}
#include "ops/kernels/gemm_i8_loops.h"
#endif

#ifdef NM_HAS_AVX2
/* Numbers of 16 bits: its instruction for those of 8 cuts sums off at 16. */
#define NAME(name) name##_avx2
#define TARGET AVX2
#define NEEDS NEEDS_AVX2
#define SHARE 4e5
#define FINISH finish_avx2
#define unit int16_t
#define TILES TILE(3, 1) TILE(1, 1)

/* All ones in the lanes of what is left. */
TARGET NM_INLINE __m256i mask_of(int64_t left)
{
    const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(left < 8 ? (int)left : 8), lanes);
}

TARGET static nm_i8_range NAME(find_range)(const float *x, int64_t k)
{
    __m256i least = _mm256_setzero_si256(), most = least; /* of 0 */
    for (int64_t p = 0; p < k; p += 8) {
        const __m256i bits = _mm256_castps_si256(_mm256_maskload_ps(x + p, mask_of(k - p)));
        const __m256i sign = _mm256_srli_epi32(_mm256_srai_epi32(bits, 31), 1);
        const __m256i key = _mm256_xor_si256(bits, sign);
        least = _mm256_min_epi32(least, key);
        most = _mm256_max_epi32(most, key);
    }
    int32_t low[8], high[8];
    _mm256_storeu_si256((__m256i *)(void *)low, least);
    _mm256_storeu_si256((__m256i *)(void *)high, most);
    for (int i = 1; i < 8; i++) {
        low[0] = low[i] < low[0] ? low[i] : low[0];
        high[0] = high[i] > high[0] ? high[i] : high[0];
    }
    return range_of(low[0], high[0]);
}

TARGET NM_INLINE void NAME(round)(const float *x, int64_t k, float factor, int32_t zero, unit *to)
{
    for (int64_t p = 0; p < k; p += 8) {
        const __m256 part = _mm256_maskload_ps(x + p, mask_of(k - p));
        const __m256i near = _mm256_cvtps_epi32(_mm256_mul_ps(part, _mm256_set1_ps(factor)));
        const __m256i number = _mm256_min_epi32(_mm256_add_epi32(near, _mm256_set1_epi32(zero)),
                                                _mm256_set1_epi32(MOST)); /* not below 0 */
        const __m256i halves = _mm256_packs_epi32(number, number);
        _mm_storeu_si128((__m128i *)(void *)(to + p),
                         _mm256_castsi256_si128(_mm256_permute4x64_epi64(halves, 0x08)));
    }
}

TARGET NM_INLINE void NAME(tile)(const unit *x, int64_t stride, int64_t depths, const int8_t *w,
                                 int rows, int blocks, int32_t *sums)
{
    (void)blocks;      /* 1 */
    __m256i sum[3][4]; /* of a row and four outputs: each in two parts, side by side */
    memset(sum, 0, sizeof sum);
    for (int64_t p = 0; p < depths; p++) {
        __m256i of_x[3];
        NM_UNROLL(3) for (int r = 0; r < rows; r++)
        {
            int64_t four;
            memcpy(&four, x + r * stride + p * NM_I8_DEPTH, sizeof four);
            of_x[r] = _mm256_set1_epi64x(four);
        }
        NM_UNROLL(4) for (int b = 0; b < 4; b++)
        {
            const int8_t *at = w + p * 64 + b * 16;
            const __m256i of_w =
                _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)at));
            NM_UNROLL(3) for (int r = 0; r < rows; r++)
            {
                sum[r][b] = _mm256_add_epi32(sum[r][b], _mm256_madd_epi16(of_x[r], of_w));
            }
        }
    }
    NM_UNROLL(3) for (int r = 0; r < rows; r++)
    {
        NM_UNROLL(2) for (int b = 0; b < 4; b += 2)
        {
            const __m256i pairs = _mm256_hadd_epi32(sum[r][b], sum[r][b + 1]);
            _mm256_storeu_si256((__m256i *)(void *)(sums + r * NM_I8_COLUMNS + b * 4),
                                _mm256_permute4x64_epi64(pairs, 0xd8));
        }
    }
}
#include "ops/kernels/gemm_i8_loops.h"
#endif

#define NAME(name) name##_base
#define TARGET BASE
#define NEEDS NEEDS_NOTHING
#define SHARE 1e5
#define FINISH finish_base
#define unit int16_t
#define TILES TILE(1, 1)

TARGET static nm_i8_range NAME(find_range)(const float *x, int64_t k)
{
    int32_t least = 0, most = 0; /* of 0 */
    for (int64_t p = 0; p < k; p++) {
        const int32_t key = key_of(x[p]);
        least = key < least ? key : least;
        most = key > most ? key : most;
    }
    return range_of(least, most);
}

TARGET static void NAME(round)(const float *x, int64_t k, float factor, int32_t zero, unit *to)
{
    for (int64_t p = 0; p < k; p++) {
        const int32_t number = (int32_t)rintf(x[p] * factor) + zero; /* not below 0 */
        to[p] = (unit)(number < MOST ? number : MOST);
    }
    memset(to + k, 0, (size_t)(stride_of(k) - k) * sizeof *to);
}

NM_INLINE void NAME(tile)(const unit *x, int64_t stride, int64_t depths, const int8_t *w, int rows,
                          int blocks, int32_t *sums)
{
    (void)stride, (void)rows, (void)blocks; /* 1 */
    memset(sums, 0, NM_I8_COLUMNS * sizeof *sums);
    for (int64_t p = 0; p < depths; p++, x += NM_I8_DEPTH, w += 64) {
        NM_SIMD for (int j = 0; j < NM_I8_COLUMNS; j++)
        {
            const int8_t *of = w + j * NM_I8_DEPTH;
            sums[j] += x[0] * of[0] + x[1] * of[1] + x[2] * of[2] + x[3] * of[3];
        }
    }
}
#include "ops/kernels/gemm_i8_loops.h"

static const nm_i8_loops *const all[] = {
#ifdef NM_HAS_AVX512
    &loops_vnni,
#endif
#ifdef NM_HAS_AVX2
    &loops_avx2,
#endif
    &loops_base,
    NULL,
};

/* Whether the processor has what the loops need. */
static bool can_run(const nm_i8_loops *loops)
{
#ifdef NM_HAS_AVX2
    if (loops->needs == NEEDS_VNNI) {
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vnni") &&
               __builtin_cpu_supports("fma");
    }
    if (loops->needs == NEEDS_AVX2) {
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    }
#endif
    return loops->needs == NEEDS_NOTHING;
}

const nm_i8_loops *nm_i8_loops_at(int index)
{
    const nm_i8_loops *const *at = all;
    while (*at && (!can_run(*at) || index-- > 0)) {
        at++;
    }
    return *at;
}

/* ---- The product ---- */

typedef struct job {
    const nm_gemm_i8 *g;
    const nm_i8_loops *loops;
    int64_t depths, stride, shares;
    bool by_columns; /* the shares are of outputs, and rows were rounded before; else of rows */
    char *x;         /* [m, stride] rounded numbers */
    nm_i8_row *rows; /* [m] */
} job;

static char *row_at(const job *j, int64_t row)
{
    return j->x + (size_t)(row * j->stride) * j->loops->item;
}

static void round_rows(const job *j, int64_t first, int64_t last)
{
    for (int64_t i = first; i < last; i++) {
        j->rows[i] = j->loops->round_row(j->g->x + i * j->g->k, j->g->k, row_at(j, i));
    }
}

/* The largest that fits. */
static const tile *find_tile(const nm_i8_loops *loops, int64_t rows, int64_t blocks)
{
    const tile *t = loops->tiles;
    while (t->rows > rows || t->blocks > blocks) {
        t++;
    }
    return t;
}

static void run_tile(const job *j, const tile *t, int64_t row, int64_t block)
{
    int32_t sums[MOST_ROWS * MOST_BLOCKS * NM_I8_COLUMNS] __attribute__((aligned(64)));
    const nm_gemm_i8 *g = j->g;
    const int64_t first = block * NM_I8_COLUMNS, width = t->blocks * NM_I8_COLUMNS;
    const int64_t count = nm_least(g->n - first, width);
    t->run(row_at(j, row), j->stride, j->depths,
           g->w + block * j->depths * NM_I8_COLUMNS * NM_I8_DEPTH, sums);
    for (int r = 0; r < t->rows; r++) {
        float *y = g->y + (row + r) * g->n + first;
        j->loops->finish(g, &j->rows[row + r], sums + r * width, first, count, y);
        if (g->activation > NM_ACTIVATION_RELU) {
            nm_activate_f32(g->activation, y, count);
        }
    }
}

static void multiply(const job *j, int64_t row, int64_t last_row, int64_t first, int64_t last)
{
    for (int rows; row < last_row; row += rows) {
        rows = find_tile(j->loops, last_row - row, 1)->rows;
        for (int64_t b = first; b < last;) {
            const tile *t = find_tile(j->loops, rows, last - b);
            run_tile(j, t, row, b);
            b += t->blocks;
        }
    }
}

static void run_shares(void *arg, int64_t begin, int64_t end)
{
    const job *j = arg;
    const int64_t of = j->by_columns ? nm_i8_blocks(j->g->n) : j->g->m;
    const int64_t first = begin * of / j->shares, last = end * of / j->shares;
    if (j->by_columns) {
        multiply(j, 0, j->g->m, first, last);
    } else {
        round_rows(j, first, last);
        multiply(j, first, last, 0, nm_i8_blocks(j->g->n));
    }
}

/* Threads share rows where each gets tiles of them. */
static void share(job *j, int64_t threads)
{
    const nm_gemm_i8 *g = j->g;
    const double work = (double)g->m * (double)g->n * (double)g->k;
    j->shares =
        work < (double)threads * j->loops->share ? (int64_t)(work / j->loops->share) + 1 : threads;
    j->by_columns = j->shares > 1 && g->m < j->shares * MOST_ROWS;
    j->shares = nm_least(j->shares, j->by_columns ? nm_i8_blocks(g->n) : g->m);
}

nm_status nm_gemm_i8_run(nm_context *context, const nm_gemm_i8 *g, const nm_i8_loops *loops)
{
    job j = {.g = g, .loops = loops, .depths = nm_i8_depths(g->k), .stride = stride_of(g->k)};
    if (g->m == 0 || g->n == 0) {
        return NM_OK;
    }
    const size_t row = (size_t)j.stride * loops->item + sizeof *j.rows;
    j.rows = nm_scratch(context, nm_bytes(g->m, row));
    if (!j.rows) {
        return NM_ERROR_MEMORY;
    }
    j.x = (char *)(j.rows + g->m);
    share(&j, nm_context_threads(context));
    if (j.by_columns) {
        round_rows(&j, 0, g->m);
    }
    nm_parallel(context, j.shares, 1, run_shares, &j);
    nm_scratch_end(j.rows);
    return NM_OK;
}
