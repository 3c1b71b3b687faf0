/* What this machine can do at best: a large matrix product, and a copy of as many bytes. */
#include <math.h>

#include "core/thread.h"
#include "models/command/bench/bench.h"
#include "ops/kernels/kernel.h"

#define LIMIT_SECONDS 0.15 /* for each, at most */
#define PRODUCT_SIZE 1024

/* ---- A product ---- */

typedef struct product {
    nm_tape *tape;
    nm_tensor *a, *b;
    nm_precision precision;
} product;

static void multiply(void *state)
{
    product *p = state;
    nm_tape_reset(p->tape);
    nm_matmul(p->tape, p->a, p->b, .precision = (int)p->precision);
}

static nm_status measure_product(bench *b, nm_precision precision)
{
    const nm_shape shape = NM_SHAPE(PRODUCT_SIZE, PRODUCT_SIZE);
    product p = {.tape = nm_tape_create(b->context),
                 .a = nm_tensor_create(b->context, NM_F32, shape),
                 .b = nm_tensor_create(b->context, NM_F32, shape),
                 .precision = precision};
    bench_timing t;
    nm_status status = nm_context_status(b->context);
    if (status == NM_OK) {
        nm_tensor_fill(p.a, 0.5);
        nm_tensor_fill(p.b, 0.25);
        status = bench_time(b->context, multiply, &p, fmin(b->seconds, LIMIT_SECONDS), &t);
    }
    if (status == NM_OK) {
        b->product_rate[precision] = (double)PRODUCT_SIZE * PRODUCT_SIZE * PRODUCT_SIZE / t.best;
    }
    nm_tensor_destroy(p.a);
    nm_tensor_destroy(p.b);
    nm_tape_destroy(p.tape);
    return status;
}

nm_status bench_product_limit(bench *b, nm_precision precision, double *rate)
{
    nm_status status = b->product_rate[precision] > 0 ? NM_OK : measure_product(b, precision);
    *rate = b->product_rate[precision];
    return status;
}

/* ---- A copy ---- */

typedef struct copy {
    nm_context *context;
    nm_tensor *source, *target;
    const float *x;
    float *y;
    int64_t count;
} copy;

NM_KERNEL_float static void bench_add_one(const float *x, float *y, int64_t count)
{
    NM_SIMD for (int64_t i = 0; i < count; i++)
    {
        y[i] = x[i] + 1;
    }
}

static void copy_range(void *arg, int64_t begin, int64_t end)
{
    const copy *c = arg;
    bench_add_one(c->x + begin, c->y + begin, end - begin);
}

static void copy_all(void *state)
{
    copy *c = state;
    nm_parallel(c->context, c->count, 16384, copy_range, c);
}

static nm_status begin_copy(bench *b, int64_t count, copy *c)
{
    c->context = b->context;
    c->count = count;
    c->source = nm_tensor_create(b->context, NM_F32, NM_SHAPE(count));
    c->target = nm_tensor_create(b->context, NM_F32, NM_SHAPE(count));
    c->x = nm_tensor_f32(c->source);
    c->y = nm_tensor_f32(c->target);
    return nm_context_status(b->context);
}

static void end_copy(copy *c)
{
    nm_tensor_destroy(c->source);
    nm_tensor_destroy(c->target);
}

static nm_status measure_copy(bench *b, size_t bytes, double *rate)
{
    copy c;
    bench_timing t = {0};
    nm_status status = begin_copy(b, (int64_t)(bytes / 2 / sizeof(float)) + 1, &c);
    if (status == NM_OK) {
        status = bench_time(b->context, copy_all, &c, fmin(b->seconds, LIMIT_SECONDS), &t);
        *rate = (double)bytes / t.best;
    }
    end_copy(&c);
    return status;
}

nm_status bench_copy_limit(bench *b, size_t bytes, double *rate)
{
    for (int i = 0; i < b->copy_count; i++) {
        if (b->copies[i].bytes == bytes) {
            *rate = b->copies[i].rate;
            return NM_OK;
        }
    }
    nm_status status = measure_copy(b, bytes, rate);
    if (status == NM_OK && b->copy_count < BENCH_COPIES) {
        b->copies[b->copy_count].bytes = bytes;
        b->copies[b->copy_count++].rate = *rate;
    }
    return status;
}

static nm_status bench_copy(bench *b, const char *name, int64_t batch, int64_t count)
{
    if (!bench_wanted(b, name)) {
        return NM_OK;
    }
    copy c;
    nm_status status = begin_copy(b, count, &c);
    if (status == NM_OK) {
        const bench_row row = {.name = name,
                               .batch = batch,
                               .bytes = 2.0 * sizeof(float) * (double)count,
                               .step = copy_all,
                               .state = &c};
        status = bench_measure(b, &row);
    }
    end_copy(&c);
    return status;
}

nm_status bench_copies(bench *b)
{
    b->heading = "y = x + 1";
    nm_status status = bench_copy(b, "copy 128x512", 128, 128 * 512);
    if (status == NM_OK) status = bench_copy(b, "copy 128x8x8x64", 128, 128 * 8 * 8 * 64);
    if (status == NM_OK) status = bench_copy(b, "copy 64x14x14x64", 64, 64 * 14 * 14 * 64);
    if (status == NM_OK) status = bench_copy(b, "copy 128x32x32x16", 128, 128 * 32 * 32 * 16);
    if (status == NM_OK) status = bench_copy(b, "copy 10 000 000", 1, 10000000);
    return status;
}
