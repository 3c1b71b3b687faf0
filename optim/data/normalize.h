/* Normalization of samples: y = x * factor + offset, per channel, which is the last axis. */
#ifndef NM_OPTIM_DATA_NORMALIZE_H
#define NM_OPTIM_DATA_NORMALIZE_H

#include "optim/data/dataset.h"

/* What is done to the elements of a sample, repeated over a stretch of it, so that the loop over it
 * is a plain vector loop for any number of channels.
 *
 * Bytes of images are computed in f32, as x * factor + offset. Everything else is computed in f64
 * and rounded once: (x * scale - mean) * inverse. So large numbers with a small spread (time
 * stamps) keep their digits, and the same numbers give the same results whatever type they come in.
 */
typedef struct nm_affine {
    int64_t length;         /* a sample is a whole number of stretches */
    float *factor, *offset; /* bytes; else NULL */
    double scale;
    double *mean, *inverse; /* all else; NULL where nothing is done but the rounding */
} nm_affine;

/* (x * scale - mean) / deviation. `mean` and `deviation` have a value for each channel, which is
 * the last axis of `shape`; NULL: 0 and 1. */
nm_status nm_affine_create(nm_context *context, const nm_shape *shape, bool bytes, double scale,
                           const double *mean, const double *deviation, nm_affine *affine);
void nm_affine_destroy(nm_context *context, nm_affine *affine);
/* `count` elements of u8, i32, i64, f32 or f64, a whole number of stretches. */
void nm_affine_apply(const nm_affine *affine, nm_dtype dtype, const void *x, float *y,
                     int64_t count);

/* Whether samples are images of bytes, [height, width, channels] of u8. The others are numbers,
 * which are never scaled of themselves: u8 of another shape, and truth values. */
bool nm_dataset_is_bytes(const nm_dataset *set);

int64_t nm_dataset_channels(const nm_dataset *set);

/* The mean and the (biased) deviation of every channel over the set's samples times `scale`: to the
 * last digits, also of large values with a small spread, and the same for any number of threads. A
 * channel that never changes has deviation 0. */
nm_status nm_dataset_statistics(const nm_dataset *set, double scale, double *mean,
                                double *deviation);
/* The same over targets that are values, each element a channel, without scaling; 1 instead of 0,
 * so that a target that never changes is predicted as it is. */
nm_status nm_target_statistics(const nm_dataset *set, double *mean, double *deviation);
/* is_flag[c]: whether channel c holds nothing but 0 and 1. */
void nm_dataset_find_flags(const nm_dataset *set, bool *is_flag);

/* What `scale` means where it is 0: 1/255 for images of bytes, 1 for all else. */
double nm_dataset_scale(const nm_dataset *set, double scale);

#endif
