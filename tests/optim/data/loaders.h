/* Small data sets, loaders over them and whole epochs, for the tests of the loader. */
#ifndef NM_TESTS_OPTIM_LOADERS_H
#define NM_TESTS_OPTIM_LOADERS_H

#include <string.h>

#include "optim/data/loader.h"
#include "tests/test.h"

static nm_context *context;

/* ---- Sets ---- */

#define MOST 64

/* `count` samples of shape [1], of value 0, 1, 2, ..., which is the label too. */
static inline nm_dataset numbers(int64_t count)
{
    static float samples[MOST];
    static int32_t labels[MOST];
    for (int i = 0; i < MOST; i++) {
        samples[i] = (float)i;
        labels[i] = i;
    }
    return (nm_dataset){.context = context,
                        .count = count,
                        .shape = NM_SHAPE(1),
                        .dtype = NM_F32,
                        .samples = samples,
                        .target_dtype = NM_I32,
                        .targets = labels,
                        .classes = MOST};
}

#define SIDE 5

/* Images [5, 5, 2] of u8, every byte of an image another; without targets. */
static inline nm_dataset images(int64_t count)
{
    static unsigned char samples[MOST * SIDE * SIDE * 2];
    for (size_t i = 0; i < sizeof samples; i++) {
        samples[i] = (unsigned char)(1 + i % 251);
    }
    return (nm_dataset){.context = context,
                        .count = count,
                        .shape = NM_SHAPE(SIDE, SIDE, 2),
                        .dtype = NM_U8,
                        .samples = samples};
}

static inline nm_loader *create(const nm_dataset *set, nm_loader_options o, bool augment,
                                uint64_t seed)
{
    nm_loader *loader = nm_loader_create(context, set, &o, augment, seed);
    assert_fine(context);
    return loader;
}

#define CREATE(set, augment, seed, ...)                                                            \
    create(set, (nm_loader_options){NM_LOADER_DEFAULTS, __VA_ARGS__}, augment, seed)

/* The rest of the epoch: all values one after the other, and the sizes of its batches. */
typedef struct epoch {
    float values[MOST * SIDE * SIDE * 2];
    int64_t count, sizes[MOST], batches;
} epoch;

static inline void gather(nm_loader *loader, epoch *e)
{
    nm_batch batch;
    *e = (epoch){0};
    while (nm_loader_next(loader, &batch) == NM_OK && batch.count) {
        int64_t count = nm_shape_count(&batch.shape);
        ck_assert_int_eq(batch.shape.dim[0], batch.count);
        memcpy(e->values + e->count, batch.x, (size_t)count * sizeof(float));
        e->count += count;
        e->sizes[e->batches++] = batch.count;
    }
    assert_fine(context);
    ck_assert_int_eq(e->batches, nm_loader_batches(loader));
}

static inline void run_epoch(nm_loader *loader, int64_t number, epoch *e)
{
    ck_assert_int_eq(nm_loader_begin(loader, number, 0), NM_OK);
    gather(loader, e);
}

#endif
