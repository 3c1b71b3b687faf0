/* Averages of the weights over updates, which are often a better network than the last weights: an
 * exponential one (Polyak, Juditsky 1992), or an equal one over the last part of a run (stochastic
 * weight averaging, Izmailov and others 2018, arXiv 1803.05407). Training never sees them. For an
 * evaluation they take the weights' place, with running statistics found for them, and then both go
 * back, to the bit. */
#include <string.h>

#include "core/thread.h"
#include "ops/kernels/kernel.h"
#include "optim/statistics.h"
#include "optim/train/internal.h"

#define GRAIN 32768 /* elements that are worth a thread */

/* ---- Tensors of one shape ---- */

typedef struct pair {
    void *average, *now;
    double weight; /* of what is now */
} pair;

#define MEAN_LOOP(real)                                                                            \
    NM_KERNEL_##real static void average_move_##real(                                              \
        real *restrict average, const real *restrict now, int64_t count, real weight)              \
    {                                                                                              \
        NM_SIMD for (int64_t i = 0; i < count; i++)                                                \
        {                                                                                          \
            average[i] += weight * (now[i] - average[i]);                                          \
        }                                                                                          \
    }                                                                                              \
    static void move_range_##real(void *arg, int64_t begin, int64_t end)                           \
    {                                                                                              \
        const pair *p = arg;                                                                       \
        average_move_##real((real *)p->average + begin, (const real *)p->now + begin, end - begin, \
                            (real)p->weight);                                                      \
    }
MEAN_LOOP(float)
MEAN_LOOP(double)

static void swap_elements(nm_tensor *a, nm_tensor *b)
{
    char *x = nm_tensor_elements(a), *y = nm_tensor_elements(b), kept[256];
    size_t left = (size_t)nm_tensor_count(a) * nm_dtype_size(nm_tensor_dtype(a));
    for (size_t n; left > 0; left -= n, x += n, y += n) {
        n = left < sizeof kept ? left : sizeof kept;
        memcpy(kept, x, n);
        memcpy(x, y, n);
        memcpy(y, kept, n);
    }
    nm_tensor_touch(a);
    nm_tensor_touch(b);
}

/* ---- All of a network ---- */

static bool is_float(const nm_entry *entry)
{
    const nm_dtype dtype = nm_tensor_dtype(entry->tensor);
    return dtype == NM_F32 || dtype == NM_F64;
}

nm_status nm_average_create(nm_trainer *t)
{
    const nm_store *network = t->setup.network->store;
    t->average = nm_store_create(t->context);
    for (int i = 0; t->average && i < nm_store_count(network); i++) {
        const nm_entry *e = nm_store_at(network, i);
        if (is_float(e)) {
            const nm_purpose purpose = e->role == NM_BUFFER ? e->purpose : NM_STATISTIC;
            nm_store_add(t->average, e->name, NM_BUFFER, purpose, nm_tensor_dtype(e->tensor),
                         *nm_tensor_shape(e->tensor));
        }
    }
    return nm_context_status(t->context);
}

/* Calls back with each tensor of the network and its average. */
static void each(nm_trainer *t, bool parameters,
                 void (*call)(nm_trainer *t, nm_tensor *now, nm_tensor *average))
{
    const nm_store *network = t->setup.network->store;
    for (int i = 0, k = 0; i < nm_store_count(network); i++) {
        const nm_entry *e = nm_store_at(network, i);
        if (is_float(e)) {
            nm_tensor *average = nm_store_at(t->average, k++)->tensor;
            if ((e->role == NM_PARAMETER) == parameters) {
                call(t, e->tensor, average);
            }
        }
    }
}

static double weight_of(const nm_trainer *t)
{
    const double n = (double)t->progress.averaged;
    return n <= 1                                              ? 1
           : t->setup.options.average.kind == NM_AVERAGE_EQUAL ? 1 / n
                                                               : 1 - t->setup.options.average.decay;
}

static void move_average(nm_trainer *t, nm_tensor *now, nm_tensor *average)
{
    const bool is_f32 = nm_tensor_dtype(now) == NM_F32;
    pair p = {nm_tensor_elements(average), nm_tensor_elements(now), weight_of(t)};
    nm_parallel(t->context, nm_tensor_count(now), GRAIN,
                is_f32 ? move_range_float : move_range_double, &p);
    nm_tensor_touch(average);
}

static bool is_due(const nm_trainer *t)
{
    const nm_averaging *o = &t->setup.options.average;
    const int64_t step = t->progress.step;
    const bool late = (double)step > (1 - o->last) * (double)t->steps;
    return o->on && step % o->every == 0 && (o->kind == NM_AVERAGE_EXPONENTIAL || late);
}

void nm_average_move(nm_trainer *t)
{
    if (is_due(t)) {
        t->progress.averaged++;
        each(t, true, move_average);
    }
}

/* ---- In the weights' place ---- */

static void swap_one(nm_trainer *t, nm_tensor *now, nm_tensor *average)
{
    (void)t;
    swap_elements(now, average);
}

static void keep_one(nm_trainer *t, nm_tensor *now, nm_tensor *average)
{
    (void)t;
    nm_tensor_assign(average, now);
}

static bool has_statistics(const nm_trainer *t)
{
    const nm_store *store = t->setup.network->store;
    for (int i = 0; i < nm_store_count(store); i++) {
        const nm_entry *entry = nm_store_at(store, i);
        const char *last = strrchr(entry->name, '.');
        if (entry->role == NM_BUFFER && entry->trainable && last &&
            !strcmp(last, ".running_mean")) {
            return true;
        }
    }
    return false;
}

/* A network of a program's own may have a batch norm that tells nobody its statistics. */
static nm_status recalibrate(nm_trainer *t)
{
    nm_status status = nm_recalibrate(t->setup.network, t->train);
    if (status != NM_ERROR_INPUT) {
        return status;
    }
    nm_context_log(
        t->context, NM_LOG_WARNING,
        "average: the running statistics stay the last ones, not those of the averages: %s",
        nm_context_error(t->context));
    nm_context_clear_error(t->context);
    t->setup.options.average.recalibrate = false;
    return NM_OK;
}

nm_status nm_average_enter(nm_trainer *t)
{
    if (!t->progress.averaged || t->is_averaged) {
        return NM_OK;
    }
    each(t, true, swap_one);
    each(t, false, keep_one);
    t->is_averaged = true;
    return t->setup.options.average.recalibrate && has_statistics(t) ? recalibrate(t) : NM_OK;
}

void nm_average_leave(nm_trainer *t)
{
    if (t->is_averaged) {
        each(t, true, swap_one);
        each(t, false, swap_one);
        t->is_averaged = false;
    }
}
