#include "optim/clip.h"

#include <math.h>

#include "core/guard.h"
#include "core/op.h"
#include "core/thread.h"
#include "ops/kernels/kernel.h"

#define CHUNK 4096 /* elements summed together, whatever the number of threads */
#define GRAIN 8    /* chunks below which a second thread does not pay */
#define LANES 8    /* partial sums side by side, whatever the vector length */

/* All gradients, cut into chunks that are counted through, so that one pass takes them all. */
typedef struct part {
    nm_dtype dtype;
    int64_t count;
    char *values;
    int64_t first; /* its first chunk */
} part;

typedef struct work {
    int parts;
    int64_t chunks;
    part *part;      /* [parts] */
    double *results; /* [chunks] */
    double scale;    /* values are multiplied by it; sums: 0: look for the largest instead */
    double limit;
} work;

static nm_tensor *gradient_of(const nm_entry *entry)
{
    return entry->trainable ? nm_tensor_grad(entry->tensor) : NULL;
}

static void add_part(work *w, nm_tensor *gradient)
{
    w->part[w->parts++] = (part){.dtype = nm_tensor_dtype(gradient),
                                 .count = nm_tensor_count(gradient),
                                 .values = nm_tensor_elements(gradient),
                                 .first = w->chunks};
    w->chunks += (nm_tensor_count(gradient) + CHUNK - 1) / CHUNK;
}

static nm_status begin_work(work *w, nm_store *store)
{
    const size_t most = (size_t)nm_store_count(store);
    w->part = nm_scratch(nm_store_context(store), most * sizeof *w->part + 1);
    if (!w->part) {
        return NM_ERROR_MEMORY;
    }
    for (int i = 0; i < nm_store_count(store); i++) {
        nm_tensor *gradient = gradient_of(nm_store_at(store, i));
        if (gradient) {
            add_part(w, gradient);
        }
    }
    w->results = nm_scratch(nm_store_context(store), (size_t)w->chunks * sizeof *w->results + 1);
    return w->results ? NM_OK : NM_ERROR_MEMORY;
}

static void end_work(work *w)
{
    nm_scratch_end(w->part);
    nm_scratch_end(w->results);
}

/* Runs `chunk` on elements first..first + count of a part, for each of the chunks begin..end, and
 * keeps what it returns. */
static void run_chunks(const work *w, int64_t begin, int64_t end,
                       double (*chunk)(const work *w, const part *p, int64_t first, int64_t count))
{
    int i = 0;
    for (int64_t c = begin; c < end; c++) {
        while (i + 1 < w->parts && w->part[i + 1].first <= c) {
            i++;
        }
        const part *p = &w->part[i];
        const int64_t first = (c - p->first) * CHUNK, left = p->count - first;
        w->results[c] = chunk(w, p, first, left < CHUNK ? left : CHUNK);
    }
}

/* ---- Sums of squares ---- */

#define SUM_LOOPS(real)                                                                            \
    NM_KERNEL_##real static double squares_##real(const real *x, int64_t count, double scale)      \
    {                                                                                              \
        double lane[LANES] = {0}, sum = 0;                                                         \
        int64_t i = 0;                                                                             \
        for (; i + LANES <= count; i += LANES) {                                                   \
            NM_SIMD for (int j = 0; j < LANES; j++)                                                \
            {                                                                                      \
                const double value = scale * (double)x[i + j];                                     \
                lane[j] += value * value;                                                          \
            }                                                                                      \
        }                                                                                          \
        for (; i < count; i++) {                                                                   \
            sum += scale * (double)x[i] * (scale * (double)x[i]);                                  \
        }                                                                                          \
        for (int j = 0; j < LANES; j++) {                                                          \
            sum += lane[j];                                                                        \
        }                                                                                          \
        return sum;                                                                                \
    }                                                                                              \
    static double largest_##real(const real *x, int64_t count)                                     \
    {                                                                                              \
        double largest = 0;                                                                        \
        for (int64_t i = 0; i < count; i++) {                                                      \
            const double size = fabs((double)x[i]);                                                \
            largest = size > largest || size != size ? size : largest;                             \
        }                                                                                          \
        return largest;                                                                            \
    }

SUM_LOOPS(float)
SUM_LOOPS(double)

static double reduce_chunk(const work *w, const part *p, int64_t first, int64_t count)
{
    if (p->dtype == NM_F32) {
        const float *x = (const float *)(void *)p->values + first;
        return w->scale > 0 ? squares_float(x, count, w->scale) : largest_float(x, count);
    }
    const double *x = (const double *)(void *)p->values + first;
    return w->scale > 0 ? squares_double(x, count, w->scale) : largest_double(x, count);
}

static void reduce_chunks(void *arg, int64_t begin, int64_t end)
{
    run_chunks(arg, begin, end, reduce_chunk);
}

/* The sum of squares of all gradients times `scale`; with scale 0, their largest size. */
static nm_status reduce(nm_store *store, double scale, double *result)
{
    work w = {.scale = scale};
    nm_status status = begin_work(&w, store);
    *result = 0;
    if (status == NM_OK) {
        nm_parallel(nm_store_context(store), w.chunks, GRAIN, reduce_chunks, &w);
        for (int64_t i = 0; i < w.chunks; i++) {
            const double one = w.results[i];
            *result = scale > 0 ? *result + one : one > *result || isnan(one) ? one : *result;
        }
    }
    end_work(&w);
    return status;
}

#define SMALLEST_SAFE 1e-200 /* a sum of squares below may have lost terms to underflow */

nm_status nm_gradient_norm(nm_store *store, double *norm)
{
    NM_REQUIRE(nm_store_context(store), norm, NM_ERROR_INPUT);
    *norm = (double)NAN;
    NM_GIVEN(store, NM_ERROR_INPUT);
    double sum, largest;
    nm_status status = reduce(store, 1, &sum);
    *norm = sqrt(sum);
    if (status != NM_OK || (isfinite(sum) && sum > SMALLEST_SAFE) || isnan(sum)) {
        return status;
    }
    /* Too large or small to be squared: once more in units of the largest, as a power of two. */
    status = reduce(store, 0, &largest);
    *norm = largest;
    if (status == NM_OK && largest > 0 && isfinite(largest)) {
        int exponent = ilogb(largest) < -1000 ? -1000 : ilogb(largest);
        status = reduce(store, ldexp(1, -exponent), &sum);
        *norm = ldexp(sqrt(sum), exponent);
    }
    return status;
}

double nm_clip_factor(double norm, double threshold)
{
    if (!isfinite(norm) || !(threshold >= 0)) {
        return (double)NAN;
    }
    return norm > threshold ? threshold / norm : 1;
}

/* ---- Values ---- */

#define LIMIT_LOOP(real)                                                                           \
    NM_KERNEL_##real static void limit_##real(real *x, int64_t count, real scale, real limit)      \
    {                                                                                              \
        NM_SIMD for (int64_t i = 0; i < count; i++)                                                \
        {                                                                                          \
            const real value = scale * x[i];                                                       \
            x[i] = value > limit ? limit : value < -limit ? -limit : value;                        \
        }                                                                                          \
    }

LIMIT_LOOP(float)
LIMIT_LOOP(double)

static double limit_chunk(const work *w, const part *p, int64_t first, int64_t count)
{
    if (p->dtype == NM_F32) {
        limit_float((float *)(void *)p->values + first, count, (float)w->scale, (float)w->limit);
    } else {
        limit_double((double *)(void *)p->values + first, count, w->scale, w->limit);
    }
    return 0;
}

static void limit_chunks(void *arg, int64_t begin, int64_t end)
{
    run_chunks(arg, begin, end, limit_chunk);
}

/* Backward passes that need them as they were are errors from now on. */
static void touch_gradients(nm_store *store)
{
    for (int i = 0; i < nm_store_count(store); i++) {
        nm_tensor_touch(nm_tensor_grad(nm_store_at(store, i)->tensor));
    }
}

nm_status nm_clip_values(nm_store *store, double scale, double limit)
{
    NM_GIVEN(store, NM_ERROR_INPUT);
    if (!isfinite(scale) || !(limit >= 0)) {
        return nm_fail(nm_store_context(store), NM_ERROR_INPUT,
                       "nm_clip_values: the scale is %g and the limit %g; the one must be finite, "
                       "the other 0 or more",
                       scale, limit);
    }
    work w = {.scale = scale, .limit = limit};
    nm_status status = begin_work(&w, store);
    if (status == NM_OK) {
        nm_parallel(nm_store_context(store), w.chunks, GRAIN, limit_chunks, &w);
        touch_gradients(store);
    }
    end_work(&w);
    return status == NM_OK ? nm_context_status(nm_store_context(store)) : status;
}
