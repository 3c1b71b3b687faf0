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

/* From 0 or below to 0 or above; its length is NaN where an end is not finite. */
static nm_i8_range range_of(int32_t least, int32_t most)
{
    const float low = of_key(least), high = of_key(most);
    return (nm_i8_range){.least = low,
                         .length = isfinite(low) && isfinite(high) ? high - low : NAN};
}

typedef enum needs { NEEDS_NOTHING, NEEDS_AVX2, NEEDS_VNNI } needs;

typedef struct tile {
    int rows, blocks;
    void (*run)(const void *x, int64_t depths, const int8_t *w, int32_t *sums);
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

/* ---- The loops ---- */

#ifdef NM_HAS_AVX512
/* Four products a lane and instruction. */
#define NAME(name) name##_vnni
#define TARGET __attribute__((target("avx512f,avx512vnni")))
#define NEEDS NEEDS_VNNI
#define SHARE 1e6
#define unit uint8_t
#define TILES TILE(4, 4) TILE(4, 1) TILE(1, 4) TILE(1, 1)
TARGET NM_INLINE void NAME(tile)(const unit *x, int64_t depths, const int8_t *w, int rows,
                                 int blocks, int32_t *sums)
{
    __m512i sum[MOST_ROWS][MOST_BLOCKS], of_w[MOST_BLOCKS];
    memset(sum, 0, sizeof sum);
    for (int64_t p = 0; p < depths; p++) {
        _Pragma("GCC unroll 4") for (int b = 0; b < blocks; b++)
        {
            of_w[b] = _mm512_loadu_si512(w + (b * depths + p) * 64);
        }
        _Pragma("GCC unroll 4") for (int r = 0; r < rows; r++)
        {
            int32_t four;
            memcpy(&four, x + (r * depths + p) * NM_I8_DEPTH, sizeof four);
            const __m512i of_x = _mm512_set1_epi32(four);
            _Pragma("GCC unroll 4") for (int b = 0; b < blocks; b++)
            {
                sum[r][b] = _mm512_dpbusd_epi32(sum[r][b], of_x, of_w[b]);
            }
        }
    }
    _Pragma("GCC unroll 4") for (int r = 0; r < rows; r++)
    {
        _Pragma("GCC unroll 4") for (int b = 0; b < blocks; b++)
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
#define TARGET __attribute__((target("avx2,fma")))
#define NEEDS NEEDS_AVX2
#define SHARE 4e5
#define unit int16_t
#define TILES TILE(3, 1) TILE(1, 1)
TARGET NM_INLINE void NAME(tile)(const unit *x, int64_t depths, const int8_t *w, int rows,
                                 int blocks, int32_t *sums)
{
    (void)blocks;      /* 1 */
    __m256i sum[3][4]; /* of a row and four outputs: each in two parts, side by side */
    memset(sum, 0, sizeof sum);
    for (int64_t p = 0; p < depths; p++) {
        __m256i of_x[3];
        _Pragma("GCC unroll 3") for (int r = 0; r < rows; r++)
        {
            int64_t four;
            memcpy(&four, x + (r * depths + p) * NM_I8_DEPTH, sizeof four);
            of_x[r] = _mm256_set1_epi64x(four);
        }
        _Pragma("GCC unroll 4") for (int b = 0; b < 4; b++)
        {
            const int8_t *at = w + p * 64 + b * 16;
            const __m256i of_w =
                _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)at));
            _Pragma("GCC unroll 3") for (int r = 0; r < rows; r++)
            {
                sum[r][b] = _mm256_add_epi32(sum[r][b], _mm256_madd_epi16(of_x[r], of_w));
            }
        }
    }
    _Pragma("GCC unroll 3") for (int r = 0; r < rows; r++)
    {
        _Pragma("GCC unroll 2") for (int b = 0; b < 4; b += 2)
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
#define TARGET
#define NEEDS NEEDS_NOTHING
#define SHARE 1e5
#define unit int16_t
#define TILES TILE(1, 1)
NM_INLINE void NAME(tile)(const unit *x, int64_t depths, const int8_t *w, int rows, int blocks,
                          int32_t *sums)
{
    (void)rows, (void)blocks; /* 1 */
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
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vnni");
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
    int64_t depths, shares;
    bool by_columns; /* the shares are of outputs, and rows were rounded before; else of rows */
    char *x;         /* [m, depths * 4] rounded numbers */
    nm_i8_row *rows; /* [m] */
} job;

static char *row_at(const job *j, int64_t row)
{
    return j->x + (size_t)(row * j->depths * NM_I8_DEPTH) * j->loops->item;
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
    t->run(row_at(j, row), j->depths, g->w + block * j->depths * NM_I8_COLUMNS * NM_I8_DEPTH, sums);
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
    job j = {.g = g, .loops = loops, .depths = nm_i8_depths(g->k)};
    if (g->m == 0 || g->n == 0) {
        return NM_OK;
    }
    const size_t row = (size_t)(j.depths * NM_I8_DEPTH) * loops->item + sizeof *j.rows;
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
