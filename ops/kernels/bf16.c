#include "ops/kernels/bf16.h"

#include "core/thread.h"
#include "ops/kernels/kernel.h"
#include "ops/kernels/math.h"

typedef struct job {
    const float *from;
    uint16_t *to;
} job;

NM_KERNEL static void convert(const float *from, uint16_t *to, int64_t count)
{
    NM_SIMD for (int64_t i = 0; i < count; i++)
    {
        uint32_t bits = (uint32_t)nm_bits_of_float(from[i]);
        uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
        uint32_t nan = bits >> 16 | 64; /* rounding could carry a NaN's bits into infinity */
        to[i] = (uint16_t)((bits & 0x7fffffff) > 0x7f800000 ? nan : rounded);
    }
}

static void convert_range(void *arg, int64_t begin, int64_t end)
{
    const job *j = arg;
    convert(j->from + begin, j->to + begin, end - begin);
}

void nm_bf16_from_f32(nm_context *context, const float *from, uint16_t *to, int64_t count)
{
    nm_parallel(context, count, 65536, convert_range, &(job){from, to});
}
