/* Multiply-adds of numbers that stay in registers: what no product can pass. There are as many sums
 * as keep every unit busy while each waits for its own last result. */
#include "core/thread.h"
#include "models/command/bench/bench.h"
#include "ops/kernels/kernel.h"

#if defined(NM_HAS_AVX512) && (defined(__clang__) || __GNUC__ >= 10)
#define HAS_BF16 1
#include <immintrin.h>
#endif

#define ROUNDS 20000

/* One thread's, for so many rounds. What it comes to is kept, or it would not be computed. */
typedef float (*loop_fn)(int rounds);

typedef struct loop {
    loop_fn run;
    int each; /* multiply-adds of a round */
} loop;

/* sums = sums * a + b, LANES numbers in each. */
#define REGISTERS(name, TARGET, LANES, SUMS)                                                       \
    TARGET static float name(int rounds)                                                           \
    {                                                                                              \
        typedef float vector __attribute__((vector_size(LANES * sizeof(float))));                  \
        vector sums[SUMS], a = {0}, all = {0};                                                     \
        a += 0.5f;                                                                                 \
        for (int k = 0; k < SUMS; k++) {                                                           \
            sums[k] = all + (float)k; /* or one would be computed for all */                       \
        }                                                                                          \
        for (int i = 0; i < rounds; i++) {                                                         \
            _Pragma("GCC unroll 32") for (int k = 0; k < SUMS; k++)                                \
            {                                                                                      \
                sums[k] = sums[k] * a + a;                                                         \
            }                                                                                      \
        }                                                                                          \
        _Pragma("GCC unroll 32") for (int k = 0; k < SUMS; k++)                                    \
        {                                                                                          \
            all += sums[k];                                                                        \
        }                                                                                          \
        return all[0];                                                                             \
    }

REGISTERS(loop_plain, , 4, 12)
#ifdef NM_HAS_AVX2
REGISTERS(loop_avx2, __attribute__((target("avx2,fma"))), 8, 12)
#endif
#ifdef NM_HAS_AVX512
REGISTERS(loop_avx512, __attribute__((target("avx512f"))), 16, 24)
#endif

#ifdef HAS_BF16
#define BF16_SUMS 24
__attribute__((target("avx512f,avx512bf16"))) static float loop_bf16(int rounds)
{
    __m512 sums[BF16_SUMS], all = _mm512_setzero_ps();
    const __m512bh a = _mm512_cvtne2ps_pbh(_mm512_set1_ps(0.5f), _mm512_set1_ps(0.25f));
    for (int k = 0; k < BF16_SUMS; k++) {
        sums[k] = _mm512_set1_ps((float)k);
    }
    for (int i = 0; i < rounds; i++) {
        _Pragma("GCC unroll 32") for (int k = 0; k < BF16_SUMS; k++)
        {
            sums[k] = _mm512_dpbf16_ps(sums[k], a, a);
        }
    }
    _Pragma("GCC unroll 32") for (int k = 0; k < BF16_SUMS; k++)
    {
        all = _mm512_add_ps(all, sums[k]);
    }
    return _mm512_cvtss_f32(all);
}
#endif

static loop best_loop(nm_precision precision)
{
#ifdef HAS_BF16
    if (precision == NM_PRECISION_BF16 && __builtin_cpu_supports("avx512bf16")) {
        return (loop){loop_bf16, BF16_SUMS * 32};
    }
#endif
#ifdef NM_HAS_AVX512
    if (__builtin_cpu_supports("avx512f")) {
        return (loop){loop_avx512, 24 * 16};
    }
#endif
#ifdef NM_HAS_AVX2
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        return (loop){loop_avx2, 12 * 8};
    }
#endif
    (void)precision;
    return (loop){loop_plain, 12 * 4};
}

typedef struct job {
    nm_context *context;
    loop loop;
    int64_t threads;
    float sums[NM_MAX_THREADS];
} job;

static void run_range(void *arg, int64_t begin, int64_t end)
{
    job *j = arg;
    for (int64_t i = begin; i < end; i++) {
        j->sums[i] = j->loop.run(ROUNDS);
    }
}

static void run(void *arg)
{
    job *j = arg;
    nm_parallel(j->context, j->threads, 1, run_range, j);
}

nm_status bench_registers(bench *b, nm_precision precision, double seconds, double *rate)
{
    job j = {.context = b->context,
             .loop = best_loop(precision),
             .threads = nm_context_threads(b->context)};
    bench_timing t;
    nm_status status = bench_time(b->context, run, &j, seconds, &t);
    if (status == NM_OK) {
        *rate = (double)j.loop.each * ROUNDS * (double)j.threads / t.best;
    }
    return status;
}
