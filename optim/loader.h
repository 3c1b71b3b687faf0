/* The loader hands out mini-batches: shuffled, normalized, augmented, prepared by a thread ahead of
 * their use. The batches of an epoch are a function of (seed, epoch, options) alone. */
#ifndef NM_OPTIM_LOADER_H
#define NM_OPTIM_LOADER_H

#include "optim/dataset.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum nm_short_batch { NM_SHORT_KEEP, NM_SHORT_DROP, NM_SHORT_MERGE } nm_short_batch;

typedef struct nm_loader_options {
    int64_t batch;
    bool shuffle;
    int last_batch;     /* nm_short_batch: keep a short last batch, drop it, or merge it into the one before */
    nm_floats mean;     /* per channel (one: for all), in units of the samples after scaling */
    nm_floats deviation;
    double scale;       /* samples are multiplied by it first; u8 default 1/255, f32 default 1 (0: that default) */
    int64_t crop;       /* random crop after padding by this many zeros a side */
    bool flip;          /* mirror left-right with probability 1/2 */
    int64_t shift;      /* random shift by up to this many pixels each way */
    bool prefetch;      /* prepare batches in a thread */
} nm_loader_options;

extern NM_API const nm_spec nm_loader_spec;

typedef struct nm_batch {
    int64_t count;  /* samples; 0: the epoch is over */
    nm_shape shape; /* [count, ...sample shape] */
    float *x;       /* the loader's, valid until the next call */
    nm_shape target_shape; /* [count, ...target shape] */
    nm_dtype target_dtype;
    void *targets;  /* i32 or f32; NULL if the set has none */
} nm_batch;

typedef struct nm_loader nm_loader;

/* `augment`: crop, flip and shift (training); else they are left out, and so is shuffling. */
NM_API nm_loader *nm_loader_create(nm_context *context, const nm_dataset *set,
                                   const nm_loader_options *options, bool augment, uint64_t seed);
NM_API void nm_loader_destroy(nm_loader *loader); /* NULL is fine; ends the thread */
NM_API int64_t nm_loader_batches(const nm_loader *loader); /* in one epoch */
NM_API int64_t nm_loader_samples(const nm_loader *loader); /* in one epoch */
/* Begins epoch `epoch` (from 0) at batch `batch`: 0 usually, more when a run is resumed. */
NM_API nm_status nm_loader_begin(nm_loader *loader, int64_t epoch, int64_t batch);
NM_API nm_status nm_loader_next(nm_loader *loader, nm_batch *batch);

#ifdef __cplusplus
}
#endif
#endif
