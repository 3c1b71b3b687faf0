/* Normalization of samples: y = x * factor + offset, per channel, which is the last axis. */
#ifndef NM_OPTIM_DATA_NORMALIZE_H
#define NM_OPTIM_DATA_NORMALIZE_H

#include "optim/data/dataset.h"

/* Factors and offsets repeated over a stretch of a sample, so that the loop over it is a plain
 * vector loop for any number of channels. */
typedef struct nm_affine {
    int64_t length; /* a sample is a whole number of stretches */
    float *factor;
    float *offset;
} nm_affine;

/* (x * scale - mean) / deviation. `mean` and `deviation` have a value for each channel of the
 * set. */
nm_status nm_affine_create(const nm_dataset *set, double scale, const double *mean,
                           const double *deviation, nm_affine *affine);
void nm_affine_destroy(nm_context *context, nm_affine *affine);
/* `count` elements of u8 or f32, a whole number of stretches. */
void nm_affine_apply(const nm_affine *affine, nm_dtype dtype, const void *x, float *y,
                     int64_t count);

int64_t nm_dataset_channels(const nm_dataset *set);

/* The mean and the (biased) deviation of every channel over the set's samples times `scale`: to the
 * last digits, also of large values with a small spread, and the same for any number of threads. A
 * channel that never changes has deviation 1, so that dividing by it does no harm. */
nm_status nm_dataset_statistics(const nm_dataset *set, double scale, double *mean,
                                double *deviation);

/* What `scale` means where it is 0. */
double nm_dataset_scale(const nm_dataset *set, double scale);

#endif
