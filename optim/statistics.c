#include "optim/statistics.h"

#include <math.h>

#include "core/guard.h"

/* Of one channel. */
typedef struct channel {
    double mean, squares; /* of all values: their mean, the sum of squared differences to it */
    double between;       /* values times squared differences of batch means to the mean */
    double var, varying;  /* the mean of batch variances, and the like about it */
} channel;

typedef struct layer layer;
struct layer {
    layer *next;
    const char *name;
    nm_tensor *mean, *var; /* running; the second NULL: none */
    int64_t channels, batches;
    double values;
    bool stored;
    nm_statistics_report report; /* of what it was before that */
    channel at[];
};

struct nm_statistics {
    nm_context *context;
    layer *first, *last;
    int count;
};

nm_statistics *nm_statistics_create(nm_context *context)
{
    NM_GIVEN(context, NULL);
    nm_statistics *s = nm_alloc_zero(context, 1, sizeof *s);
    if (s) {
        s->context = context;
    }
    return s;
}

void nm_statistics_destroy(nm_statistics *s)
{
    while (s && s->first) {
        layer *next = s->first->next;
        nm_free(s->context, s->first);
        s->first = next;
    }
    if (s) {
        nm_free(s->context, s);
    }
}

/* ---- Adding ---- */

static layer *find(nm_statistics *s, const nm_entry *mean, const nm_entry *var, int64_t channels)
{
    layer *l = s->first;
    while (l && l->mean != mean->tensor) {
        l = l->next;
    }
    if (l) {
        return l;
    }
    l = nm_alloc_zero(s->context, 1, sizeof *l + (size_t)channels * sizeof l->at[0]);
    if (l) {
        l->name = mean->name;
        l->mean = mean->tensor;
        l->var = var ? var->tensor : NULL;
        l->channels = channels;
        *(s->last ? &s->last->next : &s->first) = l;
        s->last = l;
        s->count++;
    }
    return l;
}

/* Two sets of n and m values with means a, b and sums of squared differences s, t have together
 * the mean a + (b - a) m / (n + m) and s + t + (b - a)^2 n m / (n + m). */
static void join(channel *c, double n, double m, double mean, double var)
{
    const double share = m / (n + m), step = mean - c->mean, other = var - c->var;
    const double apart = step * step * n * share;
    c->mean += step * share;
    c->squares += m * var + apart;
    c->between += apart;
    c->var += other * share;
    c->varying += other * other * n * share;
}

static nm_status check(nm_context *context, const nm_entry *mean, const nm_tensor *batch)
{
    if (nm_shape_equal(nm_tensor_shape(mean->tensor), nm_tensor_shape(batch))) {
        return NM_OK;
    }
    return nm_fail(
        context, NM_ERROR_INPUT, "statistics: a batch has %lld channels, and %s has %lld",
        (long long)nm_tensor_count(batch), mean->name, (long long)nm_tensor_count(mean->tensor));
}

nm_status nm_statistics_add(nm_statistics *s, const nm_entry *mean, const nm_entry *var,
                            nm_tensor *batch_mean, nm_tensor *batch_var, int64_t values)
{
    NM_GIVEN(s, NM_ERROR_INPUT);
    NM_UNLESS_FAILED(s->context);
    NM_REQUIRE(s->context, mean && batch_mean && batch_var, NM_ERROR_INPUT);
    nm_status status = check(s->context, mean, batch_mean);
    if (status == NM_OK) status = check(s->context, mean, batch_var);
    if (status != NM_OK || values < 1) {
        return status;
    }
    layer *l = find(s, mean, var, nm_tensor_count(batch_mean));
    if (!l) {
        return NM_ERROR_MEMORY;
    }
    for (int64_t i = 0; i < l->channels; i++) {
        join(&l->at[i], l->values, (double)values, nm_tensor_get(batch_mean, i),
             nm_tensor_get(batch_var, i));
    }
    l->values += (double)values;
    l->batches++;
    return nm_context_status(s->context);
}

/* ---- Gathering ---- */

static nm_status run_batch(nm_statistics *s, const nm_network *network, nm_tape *tape,
                           const nm_batch *batch)
{
    nm_tape_reset(tape);
    const nm_pass pass = {.tape = tape, .statistics = s};
    nm_network_forward(network, &pass, nm_tape_wrap(tape, NM_F32, batch->shape, batch->x));
    return nm_context_status(s->context);
}

static nm_status run_all(nm_statistics *s, const nm_network *network, nm_loader *loader,
                         nm_tape *tape)
{
    nm_batch batch;
    nm_status status = nm_loader_begin(loader, 0, 0);
    nm_tape_set_recording(tape, false);
    while (status == NM_OK && (status = nm_loader_next(loader, &batch)) == NM_OK && batch.count) {
        status = run_batch(s, network, tape, &batch);
    }
    return status;
}

nm_status nm_statistics_gather(nm_statistics *s, const nm_network *network, nm_loader *loader)
{
    NM_GIVEN(s, NM_ERROR_INPUT);
    NM_UNLESS_FAILED(s->context);
    NM_REQUIRE(s->context, network && network->forward, NM_ERROR_INPUT);
    NM_REQUIRE(s->context, loader, NM_ERROR_INPUT);
    nm_tape *tape = nm_tape_create(s->context);
    nm_status status = tape ? run_all(s, network, loader, tape) : NM_ERROR_MEMORY;
    nm_tape_destroy(tape);
    if (status == NM_OK && !s->count) {
        return nm_fail(s->context, NM_ERROR_INPUT,
                       "statistics: the network has no running statistics that move; they belong "
                       "to batch_norm and layers like it, where they are not frozen");
    }
    return status;
}

/* ---- What they are ---- */

static double new_var(const layer *l, const channel *c)
{
    return l->values > 1 ? c->squares / (l->values - 1) : c->squares;
}

/* The squared standard error of a mean over batches, from their weighted scatter. */
static double error_of(const layer *l, double scatter)
{
    return l->batches > 1 ? scatter / l->values / (double)(l->batches - 1) : (double)NAN;
}

/* a / b, with 0 / 0 = `same`. */
static double part(double a, double b, double same)
{
    return a == 0 && b == 0 ? same : a / b;
}

static nm_statistics_report report_of(const layer *l)
{
    nm_statistics_report r = {.name = l->name,
                              .batches = l->batches,
                              .values = (int64_t)l->values,
                              .ratio = l->var ? 0 : (double)NAN,
                              .var_error = l->var ? 0 : (double)NAN};
    const double share = 1 / (double)l->channels;
    for (int64_t i = 0; i < l->channels; i++) {
        const channel *c = &l->at[i];
        const double step = c->mean - nm_tensor_get(l->mean, i), var = new_var(l, c);
        r.moved += share * part(step * step, var, 0);
        r.mean_error += share * part(error_of(l, c->between), var, 0);
        if (l->var) {
            r.ratio += share * part(var, nm_tensor_get(l->var, i), 1);
            r.var_error += share * part(error_of(l, c->varying), var * var, 0);
        }
    }
    r.moved = sqrt(r.moved);
    r.mean_error = sqrt(r.mean_error);
    r.var_error = sqrt(r.var_error);
    return r;
}

int nm_statistics_count(const nm_statistics *s)
{
    return s ? s->count : 0;
}

nm_statistics_report nm_statistics_at(const nm_statistics *s, int index)
{
    const layer *l = s && index >= 0 ? s->first : NULL;
    while (l && index > 0) {
        l = l->next;
        index--;
    }
    if (!l) {
        return (nm_statistics_report){.name = NULL};
    }
    return l->stored ? l->report : report_of(l);
}

/* ---- Storing ---- */

static nm_status check_finite(const nm_statistics *s)
{
    for (const layer *l = s->first; l; l = l->next) {
        if (nm_tensor_check_change(l->mean) != NM_OK) {
            return nm_context_status(s->context);
        }
        for (int64_t i = 0; i < l->channels; i++) {
            if (!isfinite(l->at[i].mean) || !isfinite(new_var(l, &l->at[i]))) {
                return nm_fail(s->context, NM_ERROR_NUMERIC,
                               "statistics: channel %lld of %s is not finite: the network's "
                               "parameters or the samples are too large",
                               (long long)i, l->name);
            }
        }
    }
    return NM_OK;
}

nm_status nm_statistics_store(nm_statistics *s)
{
    NM_GIVEN(s, NM_ERROR_INPUT);
    NM_UNLESS_FAILED(s->context);
    nm_status status = check_finite(s);
    for (layer *l = status == NM_OK ? s->first : NULL; l; l = l->next) {
        l->report = report_of(l);
        l->stored = true;
        for (int64_t i = 0; i < l->channels; i++) {
            nm_tensor_set(l->mean, i, l->at[i].mean);
            if (l->var) {
                nm_tensor_set(l->var, i, new_var(l, &l->at[i]));
            }
        }
    }
    return status;
}

nm_status nm_recalibrate(const nm_network *network, nm_loader *loader)
{
    NM_GIVEN(network && network->store, NM_ERROR_INPUT);
    nm_statistics *s = nm_statistics_create(nm_store_context(network->store));
    nm_status status = s ? nm_statistics_gather(s, network, loader) : NM_ERROR_MEMORY;
    if (status == NM_OK) {
        status = nm_statistics_store(s);
    }
    nm_statistics_destroy(s);
    return status;
}
