/* A batch goes through make_batch(), whoever calls it: the thread ahead of time, or the caller. It
 * only reads the loader, so promise 1 (loader.h) needs no more than that everything it reads is
 * fixed by nm_loader_begin(). */
#include "optim/loader.h"

#include <string.h>

#include "optim/augment.h"
#include "optim/loader_internal.h"
#include "optim/normalize.h"
#include "optim/prefetch.h"
#include "optim/readers.h"

typedef struct slot {
    void *memory;
    float *x; /* in the memory, aligned */
    void *targets;
} slot;

struct nm_loader {
    nm_context *context;
    nm_dataset set; /* its memory stays the caller's */
    nm_loader_options options;
    uint64_t seed;
    int64_t size; /* elements of a sample */
    size_t sample_bytes, target_bytes;
    int64_t batches, samples, largest; /* of an epoch; samples of its largest batch */
    nm_affine affine;
    nm_image image;
    unsigned char *moved[2]; /* a sample between two steps of augmentation */
    slot slots[2];
    nm_prefetch *prefetch;
    bool wants_thread;
    /* What nm_loader_begin() sets. */
    int64_t *order;      /* of this epoch, as rows; NULL: not shuffled */
    const int64_t *rows; /* of this epoch: order, or the set's; NULL: 0, 1, 2, ... */
    int64_t epoch;
    int64_t next; /* batch to hand out; -1: not begun */
};

/* ---- Options ---- */

const char *const nm_short_batch_names[] = {"keep", "drop", "merge", NULL};
static const nm_loader_options defaults = {NM_LOADER_DEFAULTS};
static const nm_option rows[] = {NM_LOADER_ROWS(0)};
const nm_spec nm_loader_spec = {.name = "nm_loader_options",
                                .size = sizeof(nm_loader_options),
                                .defaults = &defaults,
                                .options = rows,
                                .count = NM_COUNT_OF(rows)};

static bool augments(const nm_loader_options *o)
{
    return o->crop || o->flip || o->shift;
}

/* What evaluation leaves out. */
static void plain_options(nm_loader_options *o)
{
    o->shuffle = o->flip = false;
    o->crop = o->shift = 0;
    o->last_batch = NM_SHORT_KEEP;
}

static nm_status check_channels(const nm_loader *l, const char *name, const nm_floats *list)
{
    char text[NM_SHAPE_TEXT];
    int64_t channels = nm_dataset_channels(&l->set);
    if (list->count <= 1 || list->count == channels) {
        return NM_OK;
    }
    return nm_fail(
        l->context, NM_ERROR_INPUT,
        "loader: \"%s\" has %d numbers, but samples of shape %s have %lld channels; give "
        "one number, or one a channel",
        name, list->count, nm_shape_text(&l->set.shape, text), (long long)channels);
}

static nm_status check_augmentation(const nm_loader *l)
{
    char text[NM_SHAPE_TEXT];
    const nm_loader_options *o = &l->options;
    const nm_shape *shape = &l->set.shape;
    if (!augments(o)) {
        return NM_OK;
    }
    if (shape->rank != 3) {
        return nm_fail(l->context, NM_ERROR_INPUT,
                       "loader: crop, flip and shift are for images of shape [height, width, "
                       "channels], and the samples have shape %s; remove them",
                       nm_shape_text(shape, text));
    }
    int64_t side = shape->dim[0] < shape->dim[1] ? shape->dim[0] : shape->dim[1];
    if (o->crop >= side || o->shift >= side) {
        return nm_fail(l->context, NM_ERROR_INPUT,
                       "loader: \"%s\" of %lld pixels could leave nothing of samples of shape %s",
                       o->crop >= side ? "crop" : "shift",
                       (long long)(o->crop >= side ? o->crop : o->shift),
                       nm_shape_text(shape, text));
    }
    return NM_OK;
}

static nm_status check_options(const nm_loader *l, const nm_loader_options *options)
{
    nm_status status = nm_spec_check(l->context, &nm_loader_spec, "loader", options);
    if (status == NM_OK) {
        status = check_channels(l, "mean", &l->options.mean);
    }
    if (status == NM_OK) {
        status = check_channels(l, "deviation", &l->options.deviation);
    }
    return status == NM_OK ? check_augmentation(l) : status;
}

/* ---- The plan of an epoch ---- */

static nm_status plan(nm_loader *l)
{
    int64_t count = l->set.count, batch = l->options.batch;
    int64_t full = count / batch, rest = count % batch;
    int last =
        full || l->options.last_batch == NM_SHORT_DROP ? l->options.last_batch : NM_SHORT_KEEP;
    l->batches = full + (rest && last == NM_SHORT_KEEP);
    l->samples = count - (last == NM_SHORT_DROP ? rest : 0);
    l->largest = full ? batch + (last == NM_SHORT_MERGE ? rest : 0) : rest;
    if (!l->batches) {
        return nm_fail(l->context, NM_ERROR_INPUT,
                       "loader: a batch of %lld is more than the %lld samples, and \"last_batch\" "
                       "says to drop a short one; reduce the batch",
                       (long long)batch, (long long)count);
    }
    return NM_OK;
}

/* The samples of a batch, in the epoch's order: from *first, as many as returned. */
static int64_t batch_range(const nm_loader *l, int64_t index, int64_t *first)
{
    *first = index * l->options.batch;
    return index == l->batches - 1 ? l->samples - *first : l->options.batch;
}

/* ---- Making a batch ---- */

/* From -most to most. */
static int64_t draw_offset(nm_random *random, int64_t most)
{
    return nm_random_below(random, 2 * most + 1) - most;
}

#define DRAWS 32 /* positions of the random stream set aside for a sample; five are used */

/* Returns the augmented sample: in one of l->moved, or where it was. */
static const void *augment(const nm_loader *l, const void *sample, int64_t position)
{
    const nm_loader_options *o = &l->options;
    nm_random random = nm_random_create(l->seed, NM_STREAM_AUGMENT + (uint64_t)l->epoch);
    random.position = (uint64_t)position * DRAWS;
    bool mirror = nm_random_below(&random, 2) && o->flip;
    int64_t down = draw_offset(&random, o->shift), right = draw_offset(&random, o->shift);
    nm_image_move(&l->image, sample, l->moved[0], down, right, true);
    down = draw_offset(&random, o->crop);
    right = draw_offset(&random, o->crop);
    nm_image_move(&l->image, l->moved[0], l->moved[1], down, right, false);
    if (mirror) {
        nm_image_mirror(&l->image, l->moved[1]);
    }
    return l->moved[1];
}

/* `position` in the epoch, `at` in the batch. */
static void make_sample(const nm_loader *l, int64_t position, const slot *to, int64_t at)
{
    size_t row = (size_t)(l->rows ? l->rows[position] : position);
    const void *sample = (const char *)l->set.samples + row * l->sample_bytes;
    if (augments(&l->options)) {
        sample = augment(l, sample, position);
    }
    nm_affine_apply(&l->affine, l->set.dtype, sample, to->x + at * l->size, l->size);
    if (to->targets) {
        memcpy((char *)to->targets + (size_t)at * l->target_bytes,
               (const char *)l->set.targets + row * l->target_bytes, l->target_bytes);
    }
}

static void make_batch(void *arg, int64_t index, int place)
{
    const nm_loader *l = arg;
    int64_t first, count = batch_range(l, index, &first);
    for (int64_t i = 0; i < count; i++) {
        make_sample(l, first + i, &l->slots[place], i);
    }
}

/* ---- Creation ---- */

static double channel_value(const nm_floats *list, int64_t channel, double none)
{
    return list->count == 0 ? none : list->at[list->count == 1 ? 0 : channel];
}

static nm_status make_affine(nm_loader *l)
{
    const nm_loader_options *o = &l->options;
    int64_t channels = nm_dataset_channels(&l->set);
    double *mean = nm_alloc_zero(l->context, (size_t)channels, sizeof *mean);
    double *deviation = nm_alloc_zero(l->context, (size_t)channels, sizeof *deviation);
    for (int64_t c = 0; mean && deviation && c < channels; c++) {
        mean[c] = o->channel_mean ? o->channel_mean[c] : channel_value(&o->mean, c, 0);
        deviation[c] =
            o->channel_deviation ? o->channel_deviation[c] : channel_value(&o->deviation, c, 1);
    }
    nm_status status = nm_context_status(l->context);
    if (mean && deviation) {
        status = nm_affine_create(&l->set, nm_dataset_scale(&l->set, o->scale), mean, deviation,
                                  &l->affine);
    }
    nm_free(l->context, mean);
    nm_free(l->context, deviation);
    return status;
}

#define ALIGNMENT 64 /* of batches: a cache line, and the longest vector */

static nm_status make_slot(const nm_loader *l, slot *p)
{
    size_t largest = (size_t)l->largest;
    p->memory = nm_alloc_zero(l->context, largest * (size_t)l->size + ALIGNMENT, sizeof(float));
    if (p->memory && l->set.targets) {
        p->targets = nm_alloc_zero(l->context, largest, l->target_bytes);
    }
    uintptr_t aligned = ((uintptr_t)p->memory + ALIGNMENT - 1) & ~(uintptr_t)(ALIGNMENT - 1);
    p->x = (float *)aligned;
    return nm_context_status(l->context);
}

static nm_status make_memory(nm_loader *l)
{
    nm_context *context = l->context;
    if (l->options.shuffle) {
        l->order = nm_alloc_zero(context, (size_t)l->set.count, sizeof *l->order);
    }
    for (int i = 0; i < 2 && nm_context_status(context) == NM_OK; i++) {
        if (augments(&l->options)) {
            l->moved[i] = nm_alloc(context, l->sample_bytes);
        }
        if (i == 0 || l->wants_thread) {
            make_slot(l, &l->slots[i]);
        }
    }
    return nm_context_status(context);
}

static void describe(nm_loader *l)
{
    const nm_shape *shape = &l->set.shape;
    l->size = nm_shape_count(shape);
    l->sample_bytes = nm_dataset_sample_bytes(&l->set);
    l->target_bytes = nm_dataset_target_bytes(&l->set);
    if (shape->rank == 3) {
        l->image = (nm_image){.height = shape->dim[0],
                              .width = shape->dim[1],
                              .pixel = (size_t)shape->dim[2] * nm_dtype_size(l->set.dtype)};
    }
}

static nm_status build(nm_loader *l, const nm_loader_options *options)
{
    describe(l);
    nm_status status = check_options(l, options);
    if (status != NM_OK || (status = plan(l)) != NM_OK || (status = make_affine(l)) != NM_OK) {
        return status;
    }
    l->wants_thread = l->options.prefetch && l->batches > 1;
    return make_memory(l);
}

nm_loader *nm_loader_create(nm_context *context, const nm_dataset *set,
                            const nm_loader_options *options, bool augment, uint64_t seed)
{
    nm_loader *l = nm_alloc_zero(context, 1, sizeof *l);
    if (!l) {
        return NULL;
    }
    *l =
        (nm_loader){.context = context, .set = *set, .options = *options, .seed = seed, .next = -1};
    if (!augment) {
        plain_options(&l->options);
    }
    if (build(l, options) != NM_OK) {
        nm_loader_destroy(l);
        return NULL;
    }
    return l;
}

void nm_loader_destroy(nm_loader *l)
{
    if (!l) {
        return;
    }
    nm_prefetch_destroy(l->prefetch);
    for (int i = 0; i < 2; i++) {
        nm_free(l->context, l->slots[i].memory);
        nm_free(l->context, l->slots[i].targets);
        nm_free(l->context, l->moved[i]);
    }
    nm_affine_destroy(l->context, &l->affine);
    nm_free(l->context, l->order);
    nm_free(l->context, l);
}

int64_t nm_loader_batches(const nm_loader *loader)
{
    return loader->batches;
}

int64_t nm_loader_samples(const nm_loader *loader)
{
    return loader->samples;
}

/* ---- Epochs ---- */

/* A system without a thread to spare costs time, not batches. */
static nm_status start_thread(nm_loader *l)
{
    l->prefetch = nm_prefetch_create(l->context, make_batch, l);
    l->wants_thread = false;
    if (!l->prefetch && nm_context_status(l->context) == NM_OK) {
        nm_context_log(l->context, NM_LOG_WARNING,
                       "loader: the system gives no thread to prefetch with");
    }
    return nm_context_status(l->context);
}

static void set_order(nm_loader *l, int64_t epoch)
{
    l->epoch = epoch;
    l->rows = l->set.rows;
    if (l->order) {
        nm_random random = nm_random_create(l->seed, NM_STREAM_ORDER + (uint64_t)epoch);
        nm_random_permutation(&random, l->order, l->set.count);
        for (int64_t i = 0; l->set.rows && i < l->set.count; i++) {
            l->order[i] = l->set.rows[l->order[i]];
        }
        l->rows = l->order;
    }
}

nm_status nm_loader_begin(nm_loader *l, int64_t epoch, int64_t batch)
{
    if (epoch < 0 || batch < 0 || batch > l->batches) {
        return nm_fail(l->context, NM_ERROR_INPUT,
                       "loader: cannot begin epoch %lld at batch %lld; an epoch has %lld batches",
                       (long long)epoch, (long long)batch, (long long)l->batches);
    }
    if (l->prefetch) {
        nm_prefetch_stop(l->prefetch);
    } else if (l->wants_thread && start_thread(l) != NM_OK) {
        return nm_context_status(l->context);
    }
    set_order(l, epoch);
    l->next = batch;
    if (l->prefetch) {
        nm_prefetch_start(l->prefetch, batch, l->batches);
    }
    return NM_OK;
}

/* [count, ...shape] */
static nm_shape batch_shape(int64_t count, const nm_shape *shape)
{
    nm_shape result = {.rank = shape->rank + 1, .dim = {count}};
    memcpy(result.dim + 1, shape->dim, (size_t)shape->rank * sizeof *shape->dim);
    return result;
}

nm_status nm_loader_next(nm_loader *l, nm_batch *batch)
{
    *batch = (nm_batch){0};
    if (l->next < 0) {
        return nm_fail(l->context, NM_ERROR_INPUT,
                       "loader: call nm_loader_begin() before nm_loader_next()");
    }
    if (l->next == l->batches) {
        return NM_OK;
    }
    int place = 0;
    if (l->prefetch) {
        place = nm_prefetch_take(l->prefetch);
    } else {
        make_batch(l, l->next, 0);
    }
    int64_t first, count = batch_range(l, l->next++, &first);
    *batch = (nm_batch){.count = count,
                        .shape = batch_shape(count, &l->set.shape),
                        .x = l->slots[place].x,
                        .target_shape = batch_shape(count, &l->set.target_shape),
                        .target_dtype = l->set.target_dtype,
                        .targets = l->slots[place].targets};
    return NM_OK;
}
