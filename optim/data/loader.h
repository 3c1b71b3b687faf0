/* The loader hands out mini-batches: shuffled, normalized, augmented; prepared by a thread ahead of
 * their use where a processor is free for it, else by the threads that compute, together.
 *
 * Promises:
 * 1. The batches of an epoch are a function of (data set, options, seed, epoch) alone: the same
 * bits with and without prefetching, for any number of threads, and when resumed in the middle.
 * 2. After creation and the first nm_loader_begin() it allocates nothing.
 * 3. The thread never touches the context, and sleeps when there is nothing to do. It can be ended
 *    at any point, also in the middle of an epoch. */
#ifndef NM_OPTIM_DATA_LOADER_H
#define NM_OPTIM_DATA_LOADER_H

#include "optim/data/dataset.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum nm_short_batch {
    NM_SHORT_KEEP,
    NM_SHORT_DROP,
    NM_SHORT_MERGE,
    NM_SHORT_AUTO /* for a trainer: merged if the network cannot be trained on it, or if it is of
                     one sample and the network does not tell; else kept, as a loader by itself does
                   */
} nm_short_batch;

/* A sample x becomes (x * scale - mean) / deviation, per channel, which is the last axis; targets
 * that are values become (y - target_mean) / target_deviation. Images, samples of shape [height,
 * width, channels], can be augmented: first shifted, then cropped, then mirrored, all before they
 * are normalized. */
typedef struct nm_loader_options {
    int64_t batch; /* samples; more than the set has: one batch of all (if not dropped); NM_AUTO: by
                      the number of samples, see nm_loader_batch() */
    bool shuffle;  /* another order every epoch */
    bool balance;  /* training: an epoch draws as many samples as there are, each class as often
                      as any other, whatever their numbers; needs class labels and shuffle */
    bool sort;     /* training: class by class, each in the set's order; needs class labels, and no
                      shuffle */
    int last_batch; /* nm_short_batch: keep a short one, drop it, or merge it into the one before;
                       batch norm cannot be trained on a batch of one sample */
    nm_floats mean; /* one for all channels or one each, in units after scaling; none: 0 */
    nm_floats deviation; /* the same; none: 1 */
    double scale;        /* 0: 1/255 for images of bytes, 1 for all else */
    int64_t crop;        /* random crop after padding by so many pixels of 0 a side */
    bool flip;           /* mirror left and right with probability 1/2 */
    int64_t shift;       /* random shift by up to so many pixels each way, repeating the edge */
    bool prefetch;       /* prepare batches in a thread ahead of their use, where the process may
                            use more processors than the context has threads */
    /* Not options. One value a channel, used instead of mean and deviation: what nm_data_open()
     * computed. Read by nm_loader_create() only. NULL: none. */
    const double *channel_mean;
    const double *channel_deviation;
    /* The same for the elements of a target. They must outlive the loader, which hands them out. */
    const double *target_mean;
    const double *target_deviation;
} nm_loader_options;

#define NM_LOADER_DEFAULTS                                                                         \
    .batch = NM_AUTO, .shuffle = true, .last_batch = NM_SHORT_AUTO, .prefetch = true
/* The defaults but for what is said: NM_LOADER_OPTIONS(.batch = 32), for a function of C. */
#ifndef __cplusplus
#define NM_LOADER_OPTIONS(...) NM_OPTIONS_VALUE(nm_loader_options, NM_LOADER_DEFAULTS, __VA_ARGS__)
#endif

NM_API void nm_loader_options_init(nm_loader_options *options);

extern NM_API const nm_spec nm_loader_spec;

typedef struct nm_batch {
    int64_t count;         /* samples; 0: the epoch is over */
    nm_shape shape;        /* [count, ...sample shape] */
    float *x;              /* the loader's, valid until the next call */
    nm_shape target_shape; /* [count, ...target shape] */
    nm_dtype target_dtype;
    void *targets; /* i32 or f32; NULL if the set has none */
    /* f32 targets are (value - mean) / deviation, by element of a target; NULL: values as they are
     */
    const double *target_mean, *target_deviation;
} nm_batch;

typedef struct nm_loader nm_loader;

/* For training (`augment`), or for evaluation: no shuffling, sorting, cropping, flipping, shifting;
 * the last batch is kept, so that every sample comes once and in order. A set that was opened by
 * nm_dataset_open() in this context may be closed before the loader, any other must outlive it; the
 * options need not. NULL on failure: options out of range or not fitting the samples, or nothing
 * left because a short batch is dropped. */
NM_API nm_loader *nm_loader_create(nm_context *context, const nm_dataset *set,
                                   const nm_loader_options *options, bool augment, uint64_t seed);
/* Samples in a batch of a set of `count`: as the options say, or where they say 0 a sixteenth of
 * the set, rounded down to a power of two, but at least 16 and at most 128. */
NM_API int64_t nm_loader_batch(const nm_loader_options *options, int64_t count);
NM_API void nm_loader_destroy(nm_loader *loader);          /* NULL is fine; ends the thread */
NM_API int64_t nm_loader_batches(const nm_loader *loader); /* in one epoch */
NM_API int64_t nm_loader_samples(const nm_loader *loader); /* in one epoch */
/* Begins epoch `epoch` (from 0) at batch `batch`: 0 usually, more when a run is resumed, at most
 * nm_loader_batches(). May come at any time; what was not taken of an earlier epoch is dropped. */
NM_API nm_status nm_loader_begin(nm_loader *loader, int64_t epoch, int64_t batch);
/* The next batch; its count is 0 when the epoch is over. */
NM_API nm_status nm_loader_next(nm_loader *loader, nm_batch *batch);

#ifdef __cplusplus
}
#endif
#endif
