/* Data sets: samples and targets in memory, whatever file they came from. */
#ifndef NM_OPTIM_DATASET_H
#define NM_OPTIM_DATASET_H

#include "core/option.h"
#include "core/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct nm_dataset {
    nm_context *context;
    int64_t count;          /* samples */
    nm_shape shape;         /* of one sample: [28, 28, 1], [2], ... */
    nm_dtype dtype;         /* of the samples: u8 or f32 */
    const void *samples;    /* [count, ...shape] */
    nm_shape target_shape;  /* of one target: [] for a class label */
    nm_dtype target_dtype;  /* i32: class labels, f32: values to predict */
    const void *targets;    /* [count, ...target_shape]; NULL: none (prediction) */
    int64_t classes;        /* labels are 0..classes-1; 0: no labels */
    void *memory[4];        /* what nm_dataset_close() gives back with nm_free() */
} nm_dataset;

NM_API void nm_dataset_close(nm_dataset *set); /* leaves it empty */

/* A kind of data set, as registered. `open` fills `set` from options read by item.spec; on failure
 * it leaves nothing behind. */
typedef struct nm_dataset_type {
    nm_item item;
    nm_status (*open)(nm_context *context, const void *options, nm_dataset *set);
} nm_dataset_type;

#ifdef __cplusplus
}
#endif
#endif
