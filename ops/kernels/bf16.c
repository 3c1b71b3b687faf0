#include "ops/kernels/bf16.h"

#include "core/thread.h"
#include "ops/kernels/kernel.h"
#include "ops/kernels/math.h"
#include "ops/linear.h"

#ifdef __x86_64__
#include <cpuid.h>
#endif

#define GRAIN 65536 /* elements below which a second thread does not pay */

typedef struct job {
    const float *floats;
    const uint16_t *halves;
    void *to;
} job;

NM_KERNEL static void narrow_row(const float *from, uint16_t *to, int64_t count)
{
    NM_SIMD for (int64_t i = 0; i < count; i++)
    {
        uint32_t bits = (uint32_t)nm_bits_of_float(from[i]);
        uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
        uint32_t nan = bits >> 16 | 64; /* rounding could carry a NaN's bits into infinity */
        to[i] = (uint16_t)((bits & 0x7fffffff) > 0x7f800000 ? nan : rounded);
    }
}

NM_KERNEL static void widen_row(const uint16_t *from, float *to, int64_t count)
{
    NM_SIMD for (int64_t i = 0; i < count; i++)
    {
        to[i] = nm_float_of_bits((int32_t)((uint32_t)from[i] << 16));
    }
}

void nm_bf16_narrow(const float *from, uint16_t *to, int64_t count)
{
    narrow_row(from, to, count);
}

void nm_bf16_widen(const uint16_t *from, float *to, int64_t count)
{
    widen_row(from, to, count);
}

/* Above 0 are the bits from 1 to infinity's. */
NM_KERNEL static void let_through(const uint16_t *y, const float *dy, float *dx, int64_t count)
{
    NM_SIMD for (int64_t i = 0; i < count; i++)
    {
        dx[i] = y[i] - 1u < 0x7f80u ? dy[i] : 0;
    }
}

static void narrow_range(void *arg, int64_t begin, int64_t end)
{
    const job *j = arg;
    nm_bf16_narrow(j->floats + begin, (uint16_t *)j->to + begin, end - begin);
}

static void widen_range(void *arg, int64_t begin, int64_t end)
{
    const job *j = arg;
    nm_bf16_widen(j->halves + begin, (float *)j->to + begin, end - begin);
}

static void let_through_range(void *arg, int64_t begin, int64_t end)
{
    const job *j = arg;
    let_through(j->halves + begin, j->floats + begin, (float *)j->to + begin, end - begin);
}

void nm_bf16_from_f32(nm_context *context, const float *from, uint16_t *to, int64_t count)
{
    nm_parallel(context, count, GRAIN, narrow_range, &(job){from, NULL, to});
}

void nm_bf16_to_f32(nm_context *context, const uint16_t *from, float *to, int64_t count)
{
    nm_parallel(context, count, GRAIN, widen_range, &(job){NULL, from, to});
}

void nm_bf16_relu_grad(nm_context *context, const uint16_t *y, const float *dy, float *dx,
                       int64_t count)
{
    nm_parallel(context, count, GRAIN, let_through_range, &(job){dy, y, dx});
}

/* ---- Whether products are of bf16 ---- */

static const char state_key;
typedef struct state {
    bool emulates;
    bool asked, amx; /* the processor, once: under a hypervisor that takes microseconds */
} state;

static state *find_state(nm_context *context)
{
    return nm_context_attach(context, &state_key, sizeof(state), NULL);
}

bool nm_has_bf16(void)
{
#ifdef NM_HAS_AVX512_BF16
    return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512bf16");
#else
    return false;
#endif
}

bool nm_context_emulate_bf16(nm_context *context, bool on)
{
    state *s = find_state(context);
    const bool before = s && s->emulates;
    if (s) {
        s->emulates = on;
    }
    return before;
}

bool nm_takes_bf16(nm_context *context)
{
    const state *s = find_state(context);
    return nm_has_bf16() || (s && s->emulates);
}

bool nm_bf16_has_amx(nm_context *context)
{
    state *s = find_state(context);
#ifdef NM_HAS_AVX512_BF16
    if (s && !s->asked) {
        unsigned a, b, c, d;
        s->amx = __get_cpuid_count(7, 0, &a, &b, &c, &d) && d & 1u << 22;
        s->asked = true;
    }
#endif
    return s && s->amx;
}
