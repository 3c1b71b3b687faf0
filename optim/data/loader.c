/* The samples of a batch go through make_sample(), whoever calls it: a thread of the loader's ahead
 * of time, or the caller's threads together. It only reads the loader and writes what belongs to
 * the sample and the worker, so promise 1 (loader.h) needs no more than that everything it reads is
 * fixed by nm_loader_begin(). */
#include "optim/data/loader.h"

#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "core/guard.h"
#include "core/thread.h"
#include "optim/data/augment.h"
#include "optim/data/balance.h"
#include "optim/data/loader_internal.h"
#include "optim/data/normalize.h"
#include "optim/data/prefetch.h"
#include "optim/data/readers.h"

typedef struct slot {
    void *memory;
    float *x; /* in the memory, aligned */
    void *targets;
} slot;

struct nm_loader {
    nm_context *context;
    nm_dataset set;
    nm_dataset_life *held; /* keeps its memory; NULL: it is the program's, or another context's */
    nm_loader_options options;
    uint64_t seed;
    int64_t size;                      /* elements of a sample */
    size_t sample_bytes, target_bytes; /* of a row of the set */
    int64_t batches, samples, largest; /* of an epoch; samples of its largest batch */
    nm_affine affine, target_affine;
    double *target_means; /* [2][target_size]: a copy of theirs, and the deviations; NULL: none */
    int64_t target_size;  /* elements of a target that is values; 0: labels, or none */
    nm_image image;
    nm_balance balance;   /* empty: each sample once */
    unsigned char *moved; /* [workers][2]: a sample between two steps of augmentation */
    int workers;          /* how many make samples at the same time */
    slot slots[2];
    nm_prefetch *prefetch;
    bool wants_thread;
    /* What nm_loader_begin() sets. */
    int64_t *order;      /* of this epoch, as rows; NULL: the set's */
    const int64_t *rows; /* of this epoch: order, or the set's; NULL: 0, 1, 2, ... */
    int64_t epoch;
    int64_t next; /* batch to hand out; -1: not begun */
};

/* ---- The plan of an epoch ---- */

static void plan(nm_loader *l)
{
    int64_t count = l->set.count, batch = l->options.batch;
    int64_t full = count / batch, rest = count % batch;
    int last =
        full || l->options.last_batch == NM_SHORT_DROP ? l->options.last_batch : NM_SHORT_KEEP;
    bool keeps = last == NM_SHORT_KEEP || last == NM_SHORT_AUTO;
    l->batches = full + (rest && keeps);
    l->samples = count - (last == NM_SHORT_DROP ? rest : 0);
    l->largest = full ? batch + (last == NM_SHORT_MERGE ? rest : 0) : rest;
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

/* Returns the augmented sample: in one of the two buffers, or where it was. */
static const void *augment(const nm_loader *l, const void *sample, int64_t position,
                           unsigned char *const moved[2])
{
    const nm_loader_options *o = &l->options;
    nm_random random = nm_random_create(l->seed, NM_STREAM_AUGMENT + (uint64_t)l->epoch);
    random.position = (uint64_t)position * DRAWS;
    bool mirror = nm_random_below(&random, 2) && o->flip;
    int64_t down = draw_offset(&random, o->shift), right = draw_offset(&random, o->shift);
    if (o->shift) {
        nm_image_move(&l->image, sample, moved[0], down, right, true);
        sample = moved[0];
    }
    down = draw_offset(&random, o->crop);
    right = draw_offset(&random, o->crop);
    if (o->crop) {
        nm_image_move(&l->image, sample, moved[1], down, right, false);
        sample = moved[1];
    }
    if (mirror) {
        unsigned char *free = sample == moved[0] ? moved[1] : moved[0];
        nm_image_mirror(&l->image, sample, free);
        sample = free;
    }
    return sample;
}

static const char *sample_at(const nm_loader *l, int64_t position)
{
    size_t row = (size_t)(l->rows ? l->rows[position] : position);
    return (const char *)l->set.samples + row * l->sample_bytes;
}

#define CACHE_LINE 64
#define MOST_AHEAD 4096 /* bytes of a sample that are fetched ahead */

/* Shuffled samples lie where the processor does not expect them. */
static void fetch_ahead(const nm_loader *l, int64_t position)
{
    const char *sample = sample_at(l, position);
    for (size_t i = 0; i < l->sample_bytes && i < MOST_AHEAD; i += CACHE_LINE) {
        __builtin_prefetch(sample + i);
    }
}

/* `position` in the epoch, `at` in the batch. */
static void make_target(const nm_loader *l, int64_t position, const slot *to, int64_t at)
{
    const size_t row = (size_t)(l->rows ? l->rows[position] : position);
    const char *target = (const char *)l->set.targets + row * l->target_bytes;
    if (l->target_size) {
        nm_affine_apply(&l->target_affine, l->set.target_dtype, target,
                        (float *)to->targets + at * l->target_size, l->target_size);
    } else {
        memcpy((char *)to->targets + (size_t)at * l->target_bytes, target, l->target_bytes);
    }
}

/* The same for all of a sample. */
static void make_sample(const nm_loader *l, int64_t position, const slot *to, int64_t at,
                        unsigned char *const moved[2])
{
    const void *sample = sample_at(l, position);
    if (nm_loader_augments(&l->options)) {
        sample = augment(l, sample, position, moved);
    }
    nm_affine_apply(&l->affine, l->set.dtype, sample, to->x + at * l->size, l->size);
    if (to->targets) {
        make_target(l, position, to, at);
    }
}

/* A batch in the making, and how many share the work. */
typedef struct work {
    const nm_loader *loader;
    const slot *to;
    int64_t first, count;
    int workers;
} work;

static void make_part(const work *w, int64_t worker)
{
    const nm_loader *l = w->loader;
    const int64_t begin = w->count * worker / w->workers;
    const int64_t end = w->count * (worker + 1) / w->workers;
    unsigned char *mine = l->moved ? l->moved + (size_t)worker * 2 * l->sample_bytes : NULL;
    unsigned char *const moved[2] = {mine, mine ? mine + l->sample_bytes : NULL};
    for (int64_t i = begin; i < end; i++) {
        if (i + 1 < end) {
            fetch_ahead(l, w->first + i + 1);
        }
        make_sample(l, w->first + i, w->to, i, moved);
    }
}

static void make_parts(void *arg, int64_t begin, int64_t end)
{
    for (int64_t worker = begin; worker < end; worker++) {
        make_part(arg, worker);
    }
}

static work work_on(const nm_loader *l, int64_t index, int place, int workers)
{
    work w = {.loader = l, .to = &l->slots[place], .workers = workers};
    w.count = batch_range(l, index, &w.first);
    return w;
}

/* In the loader's own thread. */
static void make_ahead(void *arg, int64_t index, int place)
{
    const work w = work_on(arg, index, place, 1);
    make_part(&w, 0);
}

/* By the caller, with the threads that otherwise compute. */
static void make_now(const nm_loader *l, int64_t index)
{
    work w = work_on(l, index, 0, l->workers);
    nm_parallel(l->context, w.workers, 1, make_parts, &w);
}

/* ---- Creation ---- */

static double channel_value(const nm_floats *list, int64_t channel, double none)
{
    return list->count == 0 ? none : list->at[list->count == 1 ? 0 : channel];
}

static nm_status make_sample_affine(nm_loader *l)
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
        status = nm_affine_create(l->context, &l->set.shape, nm_dataset_is_bytes(&l->set),
                                  nm_dataset_scale(&l->set, o->scale), mean, deviation, &l->affine);
    }
    nm_free(l->context, mean);
    nm_free(l->context, deviation);
    return status;
}

/* Batches hand them out, and whose they are may be gone then. */
static nm_status copy_target_means(nm_loader *l)
{
    nm_loader_options *o = &l->options;
    const size_t size = (size_t)l->target_size;
    if (!o->target_mean || !o->target_deviation) {
        return NM_OK;
    }
    l->target_means = nm_alloc_zero(l->context, 2 * size, sizeof *l->target_means);
    if (!l->target_means) {
        return NM_ERROR_MEMORY;
    }
    o->target_mean = memcpy(l->target_means, o->target_mean, size * sizeof(double));
    o->target_deviation =
        memcpy(l->target_means + size, o->target_deviation, size * sizeof(double));
    return NM_OK;
}

static nm_status make_affines(nm_loader *l)
{
    nm_status status = make_sample_affine(l);
    if (status == NM_OK && l->target_size) {
        const nm_shape flat = NM_SHAPE(l->target_size);
        status = copy_target_means(l);
        status = status != NM_OK
                     ? status
                     : nm_affine_create(l->context, &flat, false, 1, l->options.target_mean,
                                        l->options.target_deviation, &l->target_affine);
    }
    return status;
}

#define ALIGNMENT 64 /* of batches: a cache line, and the longest vector */

static nm_status make_slot(const nm_loader *l, slot *p)
{
    size_t largest = (size_t)l->largest;
    p->memory = nm_alloc_zero(l->context, largest * (size_t)l->size + ALIGNMENT, sizeof(float));
    if (p->memory && l->set.targets) {
        p->targets = l->target_size ? nm_alloc_zero(l->context, largest * (size_t)l->target_size,
                                                    sizeof(float))
                                    : nm_alloc_zero(l->context, largest, l->target_bytes);
    }
    uintptr_t aligned = ((uintptr_t)p->memory + ALIGNMENT - 1) & ~(uintptr_t)(ALIGNMENT - 1);
    p->x = (float *)aligned;
    return nm_context_status(l->context);
}

/* The one order of all epochs. */
static void sort(nm_loader *l)
{
    int64_t *ends = nm_alloc_zero(l->context, (size_t)l->set.classes + 2, sizeof *ends);
    if (ends && l->order) {
        nm_rows_by_class(&l->set, ends, l->order);
    }
    nm_free(l->context, ends);
}

static nm_status make_memory(nm_loader *l)
{
    nm_context *context = l->context;
    if (l->options.shuffle || l->options.sort) {
        l->order = nm_alloc_zero(context, (size_t)l->set.count, sizeof *l->order);
    }
    if (l->options.sort) {
        sort(l);
    }
    if (l->options.balance) {
        nm_balance_create(&l->set, &l->balance);
    }
    if (nm_loader_augments(&l->options)) {
        l->moved = nm_alloc_zero(context, (size_t)l->workers * 2, l->sample_bytes);
    }
    for (int i = 0; i < 2 && nm_context_status(context) == NM_OK; i++) {
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
    l->target_size = l->set.targets && nm_dtype_is_float(l->set.target_dtype)
                         ? nm_shape_count(&l->set.target_shape)
                         : 0;
    if (shape->rank == 3) {
        l->image = (nm_image){.height = shape->dim[0],
                              .width = shape->dim[1],
                              .pixel = (size_t)shape->dim[2] * nm_dtype_size(l->set.dtype)};
    }
}

/* Processors that this process may use. */
static int processors(void)
{
#ifdef __linux__
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) {
        return CPU_COUNT(&set);
    }
#endif
    return (int)sysconf(_SC_NPROCESSORS_ONLN);
}

#define SAMPLES_WORTH 8 /* of a batch, for another worker */

/* A thread of the loader's own gains time only on a processor that would be idle. Where all of them
 * compute, it would take turns with one while the others wait for that one: there they make batches
 * together, which takes less of everybody's time. */
static void plan_workers(nm_loader *l)
{
    const int threads = nm_context_threads(l->context);
    const int64_t worth = l->largest / SAMPLES_WORTH;
    l->wants_thread = l->options.prefetch && l->batches > 1 && processors() > threads;
    l->workers = worth < 1 ? 1 : worth < threads ? (int)worth : threads;
}

static nm_status check(const nm_loader *l, const nm_loader_options *options, bool augment)
{
    nm_diagnostics d;
    if (l->set.count < 1 || !nm_dtype_size(l->set.dtype) || nm_shape_count(&l->set.shape) < 1) {
        return nm_fail(l->context, NM_ERROR_INPUT,
                       "loader: the data set has no samples, or of no type or shape that is one "
                       "(nm_dataset_check())");
    }
    nm_diagnostics_begin(&d, l->context);
    nm_loader_diagnose(&l->set, options, augment, NULL, &d);
    return nm_diagnostics_end(&d);
}

static nm_status build(nm_loader *l)
{
    describe(l);
    plan(l);
    nm_status status = make_affines(l);
    if (status == NM_OK) {
        plan_workers(l);
        status = make_memory(l);
    }
    return status;
}

#define LEAST_BATCH 16
#define MOST_BATCH 128

int64_t nm_loader_batch(const nm_loader_options *options, int64_t count)
{
    NM_GIVEN(options, 0);
    int64_t batch = LEAST_BATCH;
    while (batch < MOST_BATCH && 2 * batch <= count / 16) {
        batch *= 2;
    }
    return options->batch > 0 ? options->batch : batch;
}

nm_loader *nm_loader_create(nm_context *context, const nm_dataset *set,
                            const nm_loader_options *options, bool augment, uint64_t seed)
{
    NM_GIVEN(nm_context_status(context) == NM_OK, NULL);
    NM_REQUIRE(context, set, NULL);
    NM_REQUIRE(context, options, NULL);
    NM_REQUIRE(context, set->samples, NULL);
    nm_loader *l = nm_alloc_zero(context, 1, sizeof *l);
    if (!l) {
        return NULL;
    }
    *l =
        (nm_loader){.context = context, .set = *set, .options = *options, .seed = seed, .next = -1};
    l->held = set->context == context ? nm_dataset_hold(set->life) : NULL;
    l->options.batch = nm_loader_batch(options, set->count);
    if (!augment) {
        nm_loader_plain(&l->options);
    }
    if (check(l, options, augment) != NM_OK || build(l) != NM_OK) {
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
    }
    nm_free(l->context, l->moved);
    nm_affine_destroy(l->context, &l->affine);
    nm_affine_destroy(l->context, &l->target_affine);
    nm_balance_destroy(&l->balance);
    nm_dataset_release(l->held);
    nm_free(l->context, l->target_means);
    nm_free(l->context, l->order);
    nm_free(l->context, l);
}

int64_t nm_loader_batches(const nm_loader *loader)
{
    NM_GIVEN(loader, 0);
    return loader->batches;
}

int64_t nm_loader_samples(const nm_loader *loader)
{
    NM_GIVEN(loader, 0);
    return loader->samples;
}

/* ---- Epochs ---- */

/* A system without a thread to spare costs time, not batches. */
static nm_status start_thread(nm_loader *l)
{
    l->prefetch = nm_prefetch_create(l->context, make_ahead, l);
    l->wants_thread = false;
    if (!l->prefetch && nm_context_status(l->context) == NM_OK) {
        nm_context_log(l->context, NM_LOG_WARNING,
                       "loader: the system gives no thread to prefetch with");
    }
    return nm_context_status(l->context);
}

/* The order of an epoch is a function of the set, the seed and the epoch alone (promise 1). */
static void shuffle(nm_loader *l, int64_t epoch)
{
    nm_random random = nm_random_create(l->seed, NM_STREAM_ORDER + (uint64_t)epoch);
    if (l->options.balance) {
        nm_balance_draw(&l->balance, &random, l->order, l->set.count);
        return;
    }
    nm_random_permutation(&random, l->order, l->set.count);
    for (int64_t i = 0; l->set.rows && i < l->set.count; i++) {
        l->order[i] = l->set.rows[l->order[i]];
    }
}

static void set_order(nm_loader *l, int64_t epoch)
{
    l->epoch = epoch;
    l->rows = l->order ? l->order : l->set.rows;
    if (l->options.shuffle) {
        shuffle(l, epoch);
    }
}

nm_status nm_loader_begin(nm_loader *l, int64_t epoch, int64_t batch)
{
    NM_GIVEN(l, NM_ERROR_INPUT);
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
    NM_REQUIRE(l ? l->context : NULL, batch, NM_ERROR_INPUT);
    *batch = (nm_batch){0};
    NM_GIVEN(l, NM_ERROR_INPUT);
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
        make_now(l, l->next);
    }
    int64_t first, count = batch_range(l, l->next++, &first);
    *batch = (nm_batch){.count = count,
                        .shape = batch_shape(count, &l->set.shape),
                        .x = l->slots[place].x,
                        .target_shape = batch_shape(count, &l->set.target_shape),
                        .target_dtype = l->target_size ? NM_F32 : l->set.target_dtype,
                        .targets = l->slots[place].targets,
                        .target_mean = l->options.target_mean,
                        .target_deviation = l->options.target_deviation};
    return NM_OK;
}
