/* y = x + 1 on arrays of any size: what memory can do. */
#include "core/thread.h"
#include "models/command/bench/bench.h"
#include "ops/kernels/kernel.h"

NM_KERNEL_float static void bench_add_one(const float *x, float *y, int64_t count)
{
    NM_SIMD for (int64_t i = 0; i < count; i++)
    {
        y[i] = x[i] + 1;
    }
}

static void copy_range(void *arg, int64_t begin, int64_t end)
{
    const bench_arrays *c = arg;
    bench_add_one(c->x + begin, c->y + begin, end - begin);
}

void bench_copy_arrays(void *state)
{
    bench_arrays *c = state;
    nm_parallel(c->context, c->count, 16384, copy_range, c);
}

nm_status bench_open_arrays(bench *b, int64_t count, bench_arrays *c)
{
    c->context = b->context;
    c->count = count;
    c->source = nm_tensor_create(b->context, NM_F32, NM_SHAPE(count));
    c->target = nm_tensor_create(b->context, NM_F32, NM_SHAPE(count));
    c->x = nm_tensor_f32(c->source);
    c->y = nm_tensor_f32(c->target);
    return nm_context_status(b->context);
}

void bench_close_arrays(bench_arrays *c)
{
    nm_tensor_destroy(c->source);
    nm_tensor_destroy(c->target);
}
