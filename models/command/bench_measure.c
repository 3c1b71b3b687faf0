/* The clock, a row, and what this machine can do at best. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "core/thread.h"
#include "models/command/bench.h"
#include "ops/kernels/kernel.h"

#define WARM_UP 4
#define MAX_TIMES 20000
#define LIMIT_SECONDS 0.15 /* for each limit, at most */
#define PRODUCT_SIZE 1024

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int compare_times(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

typedef struct timing {
    double best, median; /* seconds */
} timing;

static nm_status time_steps(nm_context *context, void (*step)(void *), void *state, double seconds,
                            timing *out)
{
    double *times = nm_alloc(context, MAX_TIMES * sizeof *times);
    for (int i = 0; seconds > 0 && i < WARM_UP && nm_context_status(context) == NM_OK; i++) {
        step(state);
    }
    int count = 0;
    double start = now();
    while (nm_context_status(context) == NM_OK && count < MAX_TIMES &&
           (count == 0 || now() - start < seconds)) {
        double before = now();
        step(state);
        times[count++] = now() - before;
    }
    if (nm_context_status(context) == NM_OK) {
        qsort(times, (size_t)count, sizeof *times, compare_times);
        *out = (timing){times[0], times[count / 2]};
    }
    nm_free(context, times);
    return nm_context_status(context);
}

/* ---- Limits ---- */

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

/* Multiply-adds a second of a large matrix product. */
static nm_status product_limit(bench *b)
{
    const nm_shape shape = NM_SHAPE(PRODUCT_SIZE, PRODUCT_SIZE);
    product p = {.tape = nm_tape_create(b->context),
                 .a = nm_tensor_create(b->context, NM_F32, shape),
                 .b = nm_tensor_create(b->context, NM_F32, shape),
                 .precision = b->precision};
    timing t;
    nm_status status = nm_context_status(b->context);
    if (status == NM_OK) {
        nm_tensor_fill(p.a, 0.5);
        nm_tensor_fill(p.b, 0.25);
        status = time_steps(b->context, multiply, &p, fmin(b->seconds, LIMIT_SECONDS), &t);
    }
    if (status == NM_OK) {
        b->product_rate = (double)PRODUCT_SIZE * PRODUCT_SIZE * PRODUCT_SIZE / t.best;
    }
    nm_tensor_destroy(p.a);
    nm_tensor_destroy(p.b);
    nm_tape_destroy(p.tape);
    return status;
}

typedef struct copy {
    nm_context *context;
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

/* Bytes a second of y = x + 1 on arrays that have `bytes` together: small ones stay in a cache. */
static nm_status copy_limit(bench *b, size_t bytes, double *rate)
{
    for (int i = 0; i < b->copy_count; i++) {
        if (b->copies[i].bytes == bytes) {
            *rate = b->copies[i].rate;
            return NM_OK;
        }
    }
    int64_t count = (int64_t)(bytes / 2 / sizeof(float)) + 1;
    nm_tensor *x = nm_tensor_create(b->context, NM_F32, NM_SHAPE(count));
    nm_tensor *y = nm_tensor_create(b->context, NM_F32, NM_SHAPE(count));
    timing t = {0};
    nm_status status = nm_context_status(b->context);
    if (status == NM_OK) {
        copy c = {b->context, nm_tensor_f32(x), nm_tensor_f32(y), count};
        status = time_steps(b->context, copy_all, &c, fmin(b->seconds, LIMIT_SECONDS), &t);
    }
    nm_tensor_destroy(x);
    nm_tensor_destroy(y);
    if (status == NM_OK) {
        *rate = (double)bytes / t.best;
        if (b->copy_count < BENCH_COPIES) {
            b->copies[b->copy_count].bytes = bytes;
            b->copies[b->copy_count++].rate = *rate;
        }
    }
    return status;
}

/* ---- A row ---- */

typedef struct measured {
    double best, median; /* microseconds of a part */
    double samples;      /* a second; 0: none */
    double rate;         /* 1e9 floating point operations, or bytes, a second; 0: none */
    double share;        /* of the machine's limit */
    double peak;         /* resident memory so far, MB */
} measured;

static nm_status compare_with_limit(bench *b, const bench_row *row, const timing *t, measured *m)
{
    nm_status status = NM_OK;
    if (row->multiply_adds > 0) {
        status = b->product_rate > 0 ? NM_OK : product_limit(b);
        m->rate = 2e-9 * row->multiply_adds / t->median;
        m->share = row->multiply_adds / t->median / b->product_rate;
    } else if (row->bytes > 0) {
        double limit = 0;
        status = copy_limit(b, (size_t)row->bytes, &limit);
        m->rate = 1e-9 * row->bytes / t->median;
        m->share = row->bytes / t->median / limit;
    }
    return status;
}

/* The process's peak resident memory in MB. */
static double peak_memory(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss / 1024;
}

static bool print_json(const bench *b, const bench_row *row, const measured *m)
{
    json_line line = {0};
    json_string(&line, "name", row->name);
    json_integer(&line, "batch", row->batch);
    json_integer(&line, "threads", nm_context_threads(b->context));
    json_string(&line, "precision", nm_precision_names[row->precision]);
    json_number(&line, "us_best", m->best);
    json_number(&line, "us_median", m->median);
    if (row->counts_samples) {
        json_number(&line, "samples_per_second", m->samples);
    }
    if (m->rate > 0) {
        json_number(&line, row->multiply_adds > 0 ? "gflops" : "gbs", m->rate);
        json_number(&line, "share", m->share);
    }
    json_number(&line, "peak_mb", m->peak);
    return json_end(&line);
}

/* Three digits that count, or all before the point. */
static const char *format_time(double us, char text[32])
{
    snprintf(text, 32, us < 1 ? "%.4f" : us < 10 ? "%.2f" : us < 100 ? "%.1f" : "%.0f", us);
    return text;
}

static void print_row(const bench *b, const bench_row *row, const measured *m)
{
    char best[32], median[32], samples[32] = "", rate[32] = "", share[32] = "";
    if (row->counts_samples) {
        snprintf(samples, sizeof samples, "%.0f", m->samples);
    }
    if (m->rate > 0) {
        snprintf(rate, sizeof rate, "%.1f %s", m->rate,
                 row->multiply_adds > 0 ? "GFLOP/s" : "GB/s   ");
        snprintf(share, sizeof share, "%.0f %%", 100 * m->share);
    }
    if (b->rows == 1) {
        int threads = nm_context_threads(b->context);
        printf("%d %s, %s\n", threads, threads == 1 ? "thread" : "threads",
               nm_precision_names[b->precision]);
    }
    if (b->heading) {
        printf("\n%s%-40s %5s %10s %10s %11s %14s %8s%s\n", bold(), b->heading, "batch", "best us",
               "median us", "samples/s", "rate", "of limit", plain());
    }
    printf("%-40s %5lld %10s %10s %11s %14s %8s\n", row->name, (long long)row->batch,
           format_time(m->best, best), format_time(m->median, median), samples, rate, share);
    fflush(stdout);
}

bool bench_wanted(bench *b, const char *name)
{
    bool wanted = b->arguments->count == 0;
    for (int i = 0; i < b->arguments->count; i++) {
        wanted |= strstr(name, b->arguments->positional[i]) != NULL;
    }
    b->rows += wanted;
    if (wanted && b->list) {
        printf("%s\n", name);
    }
    return wanted && !b->list;
}

nm_status bench_measure(bench *b, const bench_row *row)
{
    timing t;
    measured m = {0};
    nm_status status = time_steps(b->context, row->step, row->state, b->seconds, &t);
    m.peak = peak_memory(); /* before the limits are measured, which need memory too */
    if (status == NM_OK) {
        status = compare_with_limit(b, row, &t, &m);
    }
    if (status != NM_OK) {
        return nm_fail_in(b->context, "%s", row->name);
    }
    double parts = row->parts ? (double)row->parts : 1;
    m.best = 1e6 * t.best / parts;
    m.median = 1e6 * t.median / parts;
    m.samples = (double)row->batch / t.median;
    if (b->json) {
        print_json(b, row, &m);
    } else {
        print_row(b, row, &m);
        b->heading = NULL;
    }
    return NM_OK;
}
