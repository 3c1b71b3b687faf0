#include "optim/clip.h"

#include <math.h>

#include "core/op.h"
#include "core/thread.h"
#include "ops/kernels/kernel.h"

#define CHUNK 4096 /* elements summed together, whatever the number of threads */
#define LANES 8    /* partial sums side by side, whatever the vector length */

/* A loop over one gradient, by chunks or by elements. */
typedef struct work {
    nm_dtype dtype;
    int64_t count;
    void *values;
    double *results; /* one a chunk */
    double scale;    /* values are multiplied by it; sums: 0: look for the largest instead */
    double limit;
} work;

/* ---- Sums of squares ---- */

#define SUM_LOOPS(real)                                                                            \
    NM_KERNEL static double squares_##real(const real *x, int64_t count, double scale)             \
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

static double reduce_chunk(const work *w, int64_t first)
{
    int64_t count = w->count - first < CHUNK ? w->count - first : CHUNK;
    if (w->dtype == NM_F32) {
        const float *x = (const float *)w->values + first;
        return w->scale > 0 ? squares_float(x, count, w->scale) : largest_float(x, count);
    }
    const double *x = (const double *)w->values + first;
    return w->scale > 0 ? squares_double(x, count, w->scale) : largest_double(x, count);
}

static void reduce_chunks(void *arg, int64_t begin, int64_t end)
{
    const work *w = arg;
    for (int64_t i = begin; i < end; i++) {
        w->results[i] = reduce_chunk(w, i * CHUNK);
    }
}

/* Adds the sum of squares of a gradient times `scale` to `result`; with scale 0, takes the larger
 * of the gradient's largest size and `result`. */
static nm_status reduce(nm_context *context, nm_tensor *gradient, double scale, double *result)
{
    work w = {.dtype = nm_tensor_dtype(gradient),
              .count = nm_tensor_count(gradient),
              .values = nm_tensor_data(gradient),
              .scale = scale};
    int64_t chunks = (w.count + CHUNK - 1) / CHUNK;
    w.results = nm_scratch(context, (size_t)chunks * sizeof *w.results);
    if (!w.results) {
        return nm_context_status(context);
    }
    nm_parallel(context, chunks, 8, reduce_chunks, &w);
    for (int64_t i = 0; i < chunks; i++) {
        double part = w.results[i];
        *result = scale > 0 ? *result + part : part > *result || isnan(part) ? part : *result;
    }
    nm_scratch_end(w.results);
    return NM_OK;
}

static nm_tensor *gradient_of(const nm_entry *entry)
{
    return entry->trainable ? nm_tensor_grad(entry->tensor) : NULL;
}

static nm_status reduce_all(nm_store *store, double scale, double *result)
{
    nm_status status = NM_OK;
    *result = 0;
    for (int i = 0; i < nm_store_count(store) && status == NM_OK; i++) {
        nm_tensor *gradient = gradient_of(nm_store_at(store, i));
        if (gradient) {
            status = reduce(nm_store_context(store), gradient, scale, result);
        }
    }
    return status;
}

#define SMALLEST_SAFE 1e-200 /* a sum of squares below may have lost terms to underflow */

nm_status nm_gradient_norm(nm_store *store, double *norm)
{
    double sum, largest;
    nm_status status = reduce_all(store, 1, &sum);
    *norm = sqrt(sum);
    if (status != NM_OK || (isfinite(sum) && sum > SMALLEST_SAFE) || isnan(sum)) {
        return status;
    }
    /* Too large or small to be squared: once more in units of the largest, as a power of two. */
    status = reduce_all(store, 0, &largest);
    *norm = largest;
    if (status == NM_OK && largest > 0 && isfinite(largest)) {
        int exponent = ilogb(largest) < -1000 ? -1000 : ilogb(largest);
        status = reduce_all(store, ldexp(1, -exponent), &sum);
        *norm = ldexp(sqrt(sum), exponent);
    }
    return status;
}

double nm_clip_factor(double norm, double threshold)
{
    return norm > threshold ? threshold / norm : 1;
}

/* ---- Values ---- */

#define LIMIT_LOOP(real)                                                                           \
    NM_KERNEL static void limit_##real(real *x, int64_t count, real scale, real limit)             \
    {                                                                                              \
        NM_SIMD for (int64_t i = 0; i < count; i++)                                                \
        {                                                                                          \
            const real value = scale * x[i];                                                       \
            x[i] = value > limit ? limit : value < -limit ? -limit : value;                        \
        }                                                                                          \
    }

LIMIT_LOOP(float)
LIMIT_LOOP(double)

static void limit_range(void *arg, int64_t begin, int64_t end)
{
    const work *w = arg;
    if (w->dtype == NM_F32) {
        limit_float((float *)w->values + begin, end - begin, (float)w->scale, (float)w->limit);
    } else {
        limit_double((double *)w->values + begin, end - begin, w->scale, w->limit);
    }
}

nm_status nm_clip_values(nm_store *store, double scale, double limit)
{
    for (int i = 0; i < nm_store_count(store); i++) {
        nm_tensor *gradient = gradient_of(nm_store_at(store, i));
        if (gradient) {
            work w = {.dtype = nm_tensor_dtype(gradient),
                      .values = nm_tensor_data(gradient),
                      .scale = scale,
                      .limit = limit};
            nm_parallel(nm_store_context(store), nm_tensor_count(gradient), 32768, limit_range, &w);
        }
    }
    return nm_context_status(nm_store_context(store));
}
