#include "optim/normalize.h"

#include <math.h>
#include <string.h>

#include "ops/kernels/kernel.h"

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

/* ---- Computing ---- */

/* Adds one row's (x - shift)^power to the sums, power 1 or 2. */
typedef void (*add_row_fn)(const void *row, int64_t count, int64_t channels, int power,
                           const double *shift, double *sum);

#define ADD_ROW(name, type)                                                                        \
    static void name(const void *row, int64_t count, int64_t channels, int power,                  \
                     const double *shift, double *sum)                                             \
    {                                                                                              \
        const type *x = row;                                                                       \
        for (int64_t i = 0; i < count; i += channels) {                                            \
            for (int64_t c = 0; c < channels; c++) {                                               \
                double difference = (double)x[i + c] - shift[c];                                   \
                sum[c] += power == 1 ? difference : difference * difference;                       \
            }                                                                                      \
        }                                                                                          \
    }
ADD_ROW(add_row_u8, uint8_t)
ADD_ROW(add_row_f32, float)

static const void *row_of(const nm_dataset *set, int64_t sample)
{
    int64_t row = set->rows ? set->rows[sample] : sample;
    return (const char *)set->samples + (size_t)row * nm_dataset_sample_bytes(set);
}

/* result[c] = the average of (x - shift[c])^power. */
static void average(const nm_dataset *set, int power, const double *shift, double *result)
{
    add_row_fn add_row = set->dtype == NM_U8 ? add_row_u8 : add_row_f32;
    int64_t size = nm_shape_count(&set->shape), channels = nm_dataset_channels(set);
    memset(result, 0, (size_t)channels * sizeof *result);
    for (int64_t i = 0; i < set->count; i++) {
        add_row(row_of(set, i), size, channels, power, shift, result);
    }
    for (int64_t c = 0; c < channels; c++) {
        result[c] /= (double)set->count * (double)(size / channels);
    }
}

/* The first pixel shifts the first pass: a channel that never changes then has deviation exactly
 * 0, and large values with a small spread keep their digits. */
static void first_pixel(const nm_dataset *set, double *shift)
{
    const void *row = row_of(set, 0);
    for (int64_t c = 0; c < nm_dataset_channels(set); c++) {
        shift[c] =
            set->dtype == NM_U8 ? ((const uint8_t *)row)[c] : (double)((const float *)row)[c];
    }
}

nm_status nm_dataset_statistics(const nm_dataset *set, double scale, double *mean,
                                double *deviation)
{
    int64_t channels = nm_dataset_channels(set);
    double *shift = nm_alloc_zero(set->context, (size_t)channels, sizeof *shift);
    if (!shift) {
        return NM_ERROR_MEMORY;
    }
    first_pixel(set, shift);
    average(set, 1, shift, mean);
    for (int64_t c = 0; c < channels; c++) {
        mean[c] += shift[c];
    }
    average(set, 2, mean, deviation);
    for (int64_t c = 0; c < channels; c++) {
        deviation[c] = deviation[c] > 0 ? sqrt(deviation[c]) * fabs(scale) : 1;
        mean[c] *= scale;
    }
    nm_free(set->context, shift);
    return NM_OK;
}
