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

bool nm_dataset_is_bytes(const nm_dataset *set)
{
    return set->dtype == NM_U8 && set->shape.rank >= 3 && !set->is_bool;
}

double nm_dataset_scale(const nm_dataset *set, double scale)
{
    return scale != 0 ? scale : nm_dataset_is_bytes(set) ? 1.0 / 255 : 1;
}

/* ---- Applying ---- */

#define LONG_ENOUGH 256 /* elements, for a vector loop */

/* The trailing axes of a sample that are long enough together. */
static int64_t stretch_of(const nm_shape *shape)
{
    int64_t length = 1;
    for (int d = shape->rank - 1; d >= 0 && length < LONG_ENOUGH; d--) {
        length *= shape->dim[d];
    }
    return length;
}

static bool is_identity(double scale, const double *mean, const double *deviation, int64_t channels)
{
    bool same = scale == 1;
    for (int64_t c = 0; c < channels; c++) {
        same &= (!mean || mean[c] == 0) && (!deviation || deviation[c] == 1);
    }
    return same;
}

static nm_status make_bytes(nm_context *context, double scale, const double *mean,
                            const double *deviation, int64_t channels, nm_affine *a)
{
    a->factor = nm_alloc_zero(context, (size_t)a->length, sizeof(float));
    a->offset = nm_alloc_zero(context, (size_t)a->length, sizeof(float));
    for (int64_t i = 0; a->factor && a->offset && i < a->length; i++) {
        const double divisor = deviation ? deviation[i % channels] : 1;
        a->factor[i] = (float)(scale / divisor);
        a->offset[i] = (float)(-(mean ? mean[i % channels] : 0) / divisor);
    }
    return nm_context_status(context);
}

static nm_status make_numbers(nm_context *context, const double *mean, const double *deviation,
                              int64_t channels, nm_affine *a)
{
    a->mean = nm_alloc_zero(context, (size_t)a->length, sizeof(double));
    a->inverse = nm_alloc_zero(context, (size_t)a->length, sizeof(double));
    for (int64_t i = 0; a->mean && a->inverse && i < a->length; i++) {
        a->mean[i] = mean ? mean[i % channels] : 0;
        a->inverse[i] = 1 / (deviation ? deviation[i % channels] : 1);
    }
    return nm_context_status(context);
}

nm_status nm_affine_create(nm_context *context, const nm_shape *shape, bool bytes, double scale,
                           const double *mean, const double *deviation, nm_affine *affine)
{
    const int64_t channels = shape->dim[shape->rank - 1];
    *affine = (nm_affine){.length = stretch_of(shape), .scale = scale};
    if (bytes) {
        return make_bytes(context, scale, mean, deviation, channels, affine);
    }
    return is_identity(scale, mean, deviation, channels)
               ? NM_OK
               : make_numbers(context, mean, deviation, channels, affine);
}

void nm_affine_destroy(nm_context *context, nm_affine *affine)
{
    nm_free(context, affine->factor);
    nm_free(context, affine->offset);
    nm_free(context, affine->mean);
    nm_free(context, affine->inverse);
}

NM_KERNEL static void apply_bytes(const uint8_t *restrict x, const float *restrict factor,
                                  const float *restrict offset, float *restrict y, int64_t count)
{
    NM_SIMD for (int64_t i = 0; i < count; i++)
    {
        y[i] = (float)x[i] * factor[i] + offset[i];
    }
}

/* Without mean and inverse: rounded only. */
#define APPLY(name, type)                                                                          \
    NM_KERNEL static void name(const type *restrict x, const nm_affine *a, float *restrict y,      \
                               int64_t count)                                                      \
    {                                                                                              \
        const double *restrict mean = a->mean, *restrict inverse = a->inverse;                     \
        const double scale = a->scale;                                                             \
        if (!mean) {                                                                               \
            NM_SIMD for (int64_t i = 0; i < count; i++)                                            \
            {                                                                                      \
                y[i] = (float)x[i];                                                                \
            }                                                                                      \
            return;                                                                                \
        }                                                                                          \
        NM_SIMD for (int64_t i = 0; i < count; i++)                                                \
        {                                                                                          \
            y[i] = (float)(((double)x[i] * scale - mean[i]) * inverse[i]);                         \
        }                                                                                          \
    }
APPLY(apply_u8, uint8_t)
APPLY(apply_i32, int32_t)
APPLY(apply_i64, int64_t)
APPLY(apply_f32, float)
APPLY(apply_f64, double)

static void apply_stretch(const nm_affine *a, nm_dtype dtype, const void *x, float *y)
{
    switch (dtype) {
    case NM_U8:
        if (a->factor) {
            apply_bytes(x, a->factor, a->offset, y, a->length);
        } else {
            apply_u8(x, a, y, a->length);
        }
        break;
    case NM_I32: apply_i32(x, a, y, a->length); break;
    case NM_I64: apply_i64(x, a, y, a->length); break;
    case NM_F32: apply_f32(x, a, y, a->length); break;
    default: apply_f64(x, a, y, a->length); break;
    }
}

void nm_affine_apply(const nm_affine *affine, nm_dtype dtype, const void *x, float *y,
                     int64_t count)
{
    const size_t size = nm_dtype_size(dtype);
    for (int64_t i = 0; i < count; i += affine->length) {
        apply_stretch(affine, dtype, (const char *)x + (size_t)i * size, y + i);
    }
}

/* ---- Computing ----
 * Every place of a sample has sums of its own, so that vectors go over them and threads share them;
 * those of a channel's places are joined at the end, in order. */

typedef struct sums {
    const nm_dataset *set;
    int64_t places;      /* elements of a sample */
    const double *shift; /* floats: [places] */
    int power;           /* floats: 1 or 2 */
    double *total;       /* floats: [places], of (x - shift)^power */
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

#define ADD_SAMPLES(name, type)                                                                    \
    NM_KERNEL static void name(const type *restrict x, const double *restrict shift,               \
                               int64_t count, int power, double *restrict sum)                     \
    {                                                                                              \
        if (power == 1) {                                                                          \
            NM_SIMD for (int64_t i = 0; i < count; i++)                                            \
            {                                                                                      \
                sum[i] += (double)x[i] - shift[i];                                                 \
            }                                                                                      \
            return;                                                                                \
        }                                                                                          \
        NM_SIMD for (int64_t i = 0; i < count; i++)                                                \
        {                                                                                          \
            const double difference = (double)x[i] - shift[i];                                     \
            sum[i] += difference * difference;                                                     \
        }                                                                                          \
    }
ADD_SAMPLES(add_samples_f32, float)
ADD_SAMPLES(add_samples_f64, double)

static void sum_floats(void *arg, int64_t begin, int64_t end)
{
    const sums *s = arg;
    const int64_t count = end - begin;
    for (int64_t i = 0; i < s->set->count; i++) {
        const void *row = row_of(s->set, i);
        if (s->set->dtype == NM_F32) {
            add_samples_f32((const float *)row + begin, s->shift + begin, count, s->power,
                            s->total + begin);
        } else {
            add_samples_f64((const double *)row + begin, s->shift + begin, count, s->power,
                            s->total + begin);
        }
    }
}

/* result[c] = the average of (x - shift)^power; `shift` holds a sample's places. */
static void average(sums *s, int power, int64_t channels, double *result)
{
    s->power = power;
    memset(s->total, 0, (size_t)s->places * sizeof *s->total);
    nm_parallel(s->set->context, s->places, GRAIN, sum_floats, s);
    for (int64_t c = 0; c < channels; c++) {
        result[c] = 0;
        for (int64_t i = c; i < s->places; i += channels) {
            result[c] += s->total[i];
        }
        result[c] /= (double)s->set->count * (double)(s->places / channels);
    }
}

static double first_value(const nm_dataset *set, int64_t channel)
{
    const void *row = row_of(set, 0);
    return set->dtype == NM_F32 ? (double)((const float *)row)[channel]
                                : ((const double *)row)[channel];
}

/* The first pixel shifts the first pass: a channel that never changes then has deviation exactly
 * 0, and large values with a small spread keep their digits. */
static nm_status statistics_floats(const nm_dataset *set, int64_t channels, double *mean,
                                   double *variance)
{
    sums s = {.set = set, .places = nm_shape_count(&set->shape)};
    double *memory = nm_alloc_zero(set->context, (size_t)s.places, 2 * sizeof *memory);
    if (!memory) {
        return NM_ERROR_MEMORY;
    }
    double *shift = memory + s.places;
    s.total = memory;
    s.shift = shift;
    for (int64_t i = 0; i < s.places; i++) {
        shift[i] = first_value(set, i % channels);
    }
    average(&s, 1, channels, mean);
    for (int64_t c = 0; c < channels; c++) {
        mean[c] += first_value(set, c);
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
                                           : statistics_floats(set, channels, mean, deviation);
    for (int64_t c = 0; status == NM_OK && c < channels; c++) {
        deviation[c] = sqrt(deviation[c]) * fabs(scale);
        mean[c] *= scale;
    }
    return status;
}

nm_status nm_target_statistics(const nm_dataset *set, double *mean, double *deviation)
{
    nm_dataset targets = *set;
    targets.samples = set->targets;
    targets.dtype = set->target_dtype;
    targets.shape = NM_SHAPE(nm_shape_count(&set->target_shape));
    nm_status status = nm_dataset_statistics(&targets, 1, mean, deviation);
    for (int64_t c = 0; status == NM_OK && c < targets.shape.dim[0]; c++) {
        deviation[c] = deviation[c] > 0 ? deviation[c] : 1;
    }
    return status;
}

static double value_at(const nm_dataset *set, const void *row, int64_t i)
{
    return set->dtype == NM_U8    ? ((const uint8_t *)row)[i]
           : set->dtype == NM_F32 ? (double)((const float *)row)[i]
                                  : ((const double *)row)[i];
}

void nm_dataset_find_flags(const nm_dataset *set, bool *is_flag)
{
    const int64_t channels = nm_dataset_channels(set), places = nm_shape_count(&set->shape);
    memset(is_flag, true, (size_t)channels * sizeof *is_flag);
    for (int64_t sample = 0; sample < set->count; sample++) {
        const void *row = row_of(set, sample);
        for (int64_t i = 0; i < places; i++) {
            const double value = value_at(set, row, i);
            is_flag[i % channels] &= value == 0 || value == 1;
        }
    }
}
