/* What this machine can do at best: multiply-adds in registers, and a copy of as many bytes. */
#include <math.h>

#include "models/command/bench/bench.h"

#define LIMIT_SECONDS 0.15 /* for each, at most */
#define PRODUCT_SIZE 1024

/* ---- Multiply-adds ---- */

/* A large product, where units for matrices (AMX) may pass what registers do. */

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

static nm_status measure_product(bench *b, nm_precision precision, double *rate)
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
        *rate = (double)PRODUCT_SIZE * PRODUCT_SIZE * PRODUCT_SIZE / t.best;
    }
    nm_tensor_destroy(p.a);
    nm_tensor_destroy(p.b);
    nm_tape_destroy(p.tape);
    return status;
}

static nm_status measure_multiply_adds(bench *b, nm_precision precision, double *rate)
{
    double of_product = 0;
    nm_status status = bench_registers(b, precision, fmin(b->seconds, LIMIT_SECONDS), rate);
    if (status == NM_OK && precision == NM_PRECISION_BF16) {
        status = measure_product(b, precision, &of_product);
        *rate = fmax(*rate, of_product);
    }
    return status;
}

nm_status bench_multiply_limit(bench *b, nm_precision precision, double *rate)
{
    nm_status status = NM_OK;
    if (b->multiply_rate[precision] <= 0) {
        status = measure_multiply_adds(b, precision, &b->multiply_rate[precision]);
    }
    *rate = b->multiply_rate[precision];
    return status;
}

/* ---- A copy ---- */

static nm_status measure_copy(bench *b, size_t bytes, double *rate)
{
    bench_arrays c;
    bench_timing t = {0};
    nm_status status = bench_open_arrays(b, (int64_t)(bytes / 2 / sizeof(float)) + 1, &c);
    if (status == NM_OK) {
        status = bench_time(b->context, bench_copy_arrays, &c, fmin(b->seconds, LIMIT_SECONDS), &t);
        *rate = (double)bytes / t.best;
    }
    bench_close_arrays(&c);
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
