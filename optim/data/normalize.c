#include "optim/data/normalize.h"

#include <math.h>
#include <string.h>

#include "core/thread.h"
#include "ops/kernels/kernel.h"

#define GRAIN 64 /* places of a sample, for a thread: a cache line of bytes */

int64_t nm_dataset_channels(const nm_dataset *set)
{
    return set->shape.dim[set->shape.rank - 1];
}

double nm_dataset_scale(const nm_dataset *set, double scale)
{
    return scale != 0 ? scale : set->dtype == NM_U8 ? 1.0 / 255 : 1;
}

/* ---- Applying ---- */

#define LONG_ENOUGH 256 /* elements, for a vector loop */

/* The trailing axes of a sample that are long enough together. */
static int64_t stretch_of(const nm_dataset *set)
{
    int64_t length = 1;
    for (int d = set->shape.rank - 1; d >= 0 && length < LONG_ENOUGH; d--) {
        length *= set->shape.dim[d];
    }
    return length;
}

nm_status nm_affine_create(const nm_dataset *set, double scale, const double *mean,
                           const double *deviation, nm_affine *affine)
{
    int64_t channels = nm_dataset_channels(set);
    affine->length = stretch_of(set);
    affine->factor = nm_alloc_zero(set->context, (size_t)affine->length, sizeof(float));
    affine->offset = nm_alloc_zero(set->context, (size_t)affine->length, sizeof(float));
    if (!affine->factor || !affine->offset) {
        return nm_context_status(set->context);
    }
    for (int64_t i = 0; i < affine->length; i++) {
        affine->factor[i] = (float)(scale / deviation[i % channels]);
        affine->offset[i] = (float)(-mean[i % channels] / deviation[i % channels]);
    }
    return NM_OK;
}

void nm_affine_destroy(nm_context *context, nm_affine *affine)
{
    nm_free(context, affine->factor);
    nm_free(context, affine->offset);
}

#define APPLY(name, type)                                                                          \
    NM_KERNEL static void name(const type *restrict x, const float *restrict factor,               \
                               const float *restrict offset, float *restrict y, int64_t count)     \
    {                                                                                              \
        NM_SIMD for (int64_t i = 0; i < count; i++)                                                \
        {                                                                                          \
            y[i] = (float)x[i] * factor[i] + offset[i];                                            \
        }                                                                                          \
    }
APPLY(apply_u8, uint8_t)
APPLY(apply_f32, float)

void nm_affine_apply(const nm_affine *affine, nm_dtype dtype, const void *x, float *y,
                     int64_t count)
{
    const nm_affine *a = affine;
    for (int64_t i = 0; i < count; i += a->length) {
        if (dtype == NM_U8) {
            apply_u8((const uint8_t *)x + i, a->factor, a->offset, y + i, a->length);
        } else {
            apply_f32((const float *)x + i, a->factor, a->offset, y + i, a->length);
        }
    }
}

/* ---- Computing ----
 * Every place of a sample has sums of its own, so that vectors go over them and threads share them;
 * those of a channel's places are joined at the end, in order. */

typedef struct sums {
    const nm_dataset *set;
    int64_t places;      /* elements of a sample */
    const double *shift; /* f32: [places] */
    int power;           /* f32: 1 or 2 */
    double *total;       /* f32: [places], of (x - shift)^power */
    uint32_t *short_sum; /* u8: [2][places], of x and x^2, of so many samples as cannot overflow */
    int64_t *long_sum;   /* u8: [2][places], of all samples */
} sums;

static const void *row_of(const nm_dataset *set, int64_t sample)
{
    int64_t row = set->rows ? set->rows[sample] : sample;
    return (const char *)set->samples + (size_t)row * nm_dataset_sample_bytes(set);
}

/* ---- Bytes: one pass, in integers ---- */

#define SAFE_SAMPLES 65536 /* 255^2 times that is below 2^32 */

NM_KERNEL static void add_samples_u8(const uint8_t *restrict x, int64_t count,
                                     uint32_t *restrict sum, uint32_t *restrict square)
{
    NM_SIMD for (int64_t i = 0; i < count; i++)
    {
        const uint32_t value = x[i];
        sum[i] += value;
        square[i] += value * value;
    }
}

/* Moves the short sums of places begin..end to the long ones. */
static void carry(const sums *s, int64_t begin, int64_t end)
{
    for (int part = 0; part < 2; part++) {
        for (int64_t i = part * s->places + begin; i < part * s->places + end; i++) {
            s->long_sum[i] += s->short_sum[i];
            s->short_sum[i] = 0;
        }
    }
}

static void sum_u8(void *arg, int64_t begin, int64_t end)
{
    const sums *s = arg;
    for (int64_t i = 0; i < s->set->count; i++) {
        const uint8_t *row = row_of(s->set, i);
        add_samples_u8(row + begin, end - begin, s->short_sum + begin,
                       s->short_sum + s->places + begin);
        if ((i + 1) % SAFE_SAMPLES == 0) {
            carry(s, begin, end);
        }
    }
    carry(s, begin, end);
}

/* Mean and squared deviation of `count` integers from their sum and the sum of their squares. Taken
 * relative to the integer next to the mean, which is exact, nothing is left to cancel: if all are
 * equal, both sums are 0. */
static void moments(int64_t sum, int64_t square, int64_t count, double *mean, double *variance)
{
    const int64_t near = (sum + count / 2) / count;
    const int64_t rest = sum - near * count;
    const int64_t rest_square = square - 2 * near * sum + near * near * count;
    *mean = (double)near + (double)rest / (double)count;
    *variance =
        ((double)rest_square - (double)rest * ((double)rest / (double)count)) / (double)count;
}

static nm_status statistics_u8(const nm_dataset *set, int64_t channels, double *mean,
                               double *variance)
{
    sums s = {.set = set, .places = nm_shape_count(&set->shape)};
    const int64_t samples = s.places / channels * set->count;
    s.short_sum = nm_alloc_zero(set->context, (size_t)s.places, 2 * sizeof *s.short_sum);
    s.long_sum = nm_alloc_zero(set->context, (size_t)s.places, 2 * sizeof *s.long_sum);
    const bool fine = s.short_sum && s.long_sum;
    if (fine) {
        nm_parallel(set->context, s.places, GRAIN, sum_u8, &s);
    }
    for (int64_t c = 0; fine && c < channels; c++) {
        int64_t sum = 0, square = 0;
        for (int64_t i = c; i < s.places; i += channels) {
            sum += s.long_sum[i];
            square += s.long_sum[s.places + i];
        }
        moments(sum, square, samples, &mean[c], &variance[c]);
    }
    nm_free(set->context, s.short_sum);
    nm_free(set->context, s.long_sum);
    return fine ? NM_OK : NM_ERROR_MEMORY;
}

/* ---- Floats: two passes, the second from the mean ---- */

NM_KERNEL static void add_samples_f32(const float *restrict x, const double *restrict shift,
                                      int64_t count, int power, double *restrict sum)
{
    if (power == 1) {
        NM_SIMD for (int64_t i = 0; i < count; i++)
        {
            sum[i] += (double)x[i] - shift[i];
        }
        return;
    }
    NM_SIMD for (int64_t i = 0; i < count; i++)
    {
        const double difference = (double)x[i] - shift[i];
        sum[i] += difference * difference;
    }
}

static void sum_f32(void *arg, int64_t begin, int64_t end)
{
    const sums *s = arg;
    for (int64_t i = 0; i < s->set->count; i++) {
        const float *row = row_of(s->set, i);
        add_samples_f32(row + begin, s->shift + begin, end - begin, s->power, s->total + begin);
    }
}

/* result[c] = the average of (x - shift)^power; `shift` holds a sample's places. */
static void average(sums *s, int power, int64_t channels, double *result)
{
    s->power = power;
    memset(s->total, 0, (size_t)s->places * sizeof *s->total);
    nm_parallel(s->set->context, s->places, GRAIN, sum_f32, s);
    for (int64_t c = 0; c < channels; c++) {
        result[c] = 0;
        for (int64_t i = c; i < s->places; i += channels) {
            result[c] += s->total[i];
        }
        result[c] /= (double)s->set->count * (double)(s->places / channels);
    }
}

/* The first pixel shifts the first pass: a channel that never changes then has deviation exactly
 * 0, and large values with a small spread keep their digits. */
static nm_status statistics_f32(const nm_dataset *set, int64_t channels, double *mean,
                                double *variance)
{
    sums s = {.set = set, .places = nm_shape_count(&set->shape)};
    double *memory = nm_alloc_zero(set->context, (size_t)s.places, 2 * sizeof *memory);
    if (!memory) {
        return NM_ERROR_MEMORY;
    }
    const float *first = row_of(set, 0);
    double *shift = memory + s.places;
    s.total = memory;
    s.shift = shift;
    for (int64_t i = 0; i < s.places; i++) {
        shift[i] = (double)first[i % channels];
    }
    average(&s, 1, channels, mean);
    for (int64_t c = 0; c < channels; c++) {
        mean[c] += (double)first[c];
    }
    for (int64_t i = 0; i < s.places; i++) {
        shift[i] = mean[i % channels];
    }
    average(&s, 2, channels, variance);
    nm_free(set->context, memory);
    return NM_OK;
}

nm_status nm_dataset_statistics(const nm_dataset *set, double scale, double *mean,
                                double *deviation)
{
    const int64_t channels = nm_dataset_channels(set);
    nm_status status = set->dtype == NM_U8 ? statistics_u8(set, channels, mean, deviation)
                                           : statistics_f32(set, channels, mean, deviation);
    for (int64_t c = 0; status == NM_OK && c < channels; c++) {
        deviation[c] = deviation[c] > 0 ? sqrt(deviation[c]) * fabs(scale) : 1;
        mean[c] *= scale;
    }
    return status;
}
