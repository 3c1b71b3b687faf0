/* How much mini-batches differ: their statistics, their gradients. */
#include <math.h>
#include <string.h>

#include "optim/probes/internal.h"

static const nm_batches_options defaults = {NM_BATCHES_DEFAULTS};
static const nm_option rows[] = {
    NM_PROBE_ROWS(nm_batches_options),
    {NM_FIELD(nm_batches_options, batches), NM_OPTION_INT, .min = 2, .max = 1e6,
     .doc = "mini-batches to draw, of the size that training has"},
};
static const nm_spec spec = {.name = "nm_batches_options",
                             .size = sizeof(nm_batches_options),
                             .defaults = &defaults,
                             .options = rows,
                             .count = NM_COUNT_OF(rows)};

/* ---- batch_statistics ---- */

/* Sums over batches, by channel: of means, of their squares, of variances, of their squares. */
enum { MEANS, MEANS_2, VARIANCES, VARIANCES_2, SUMS };

typedef struct gathered {
    char name[128];
    int64_t channels;
    double *sums; /* [SUMS, channels] */
} gathered;

static void add_output(gathered *g, const double *x, int64_t count)
{
    const int64_t rows_here = count / g->channels;
    for (int64_t c = 0; c < g->channels; c++) {
        double mean = 0, var = 0;
        for (int64_t i = c; i < count; i += g->channels) {
            mean += x[i] / (double)rows_here;
        }
        for (int64_t i = c; i < count; i += g->channels) {
            var += (x[i] - mean) * (x[i] - mean) / (double)rows_here;
        }
        g->sums[MEANS * g->channels + c] += mean;
        g->sums[MEANS_2 * g->channels + c] += mean * mean;
        g->sums[VARIANCES * g->channels + c] += var;
        g->sums[VARIANCES_2 * g->channels + c] += var * var;
    }
}

static nm_status begin_layers(nm_probe_view *v, gathered *g)
{
    for (int i = 0; i < v->count; i++) {
        const nm_shape *shape = nm_tensor_shape(v->layers[i].output);
        memcpy(g[i].name, v->layers[i].name, sizeof g[i].name);
        g[i].channels = shape->dim[shape->rank - 1];
        g[i].sums = nm_alloc_zero(v->context, (size_t)(SUMS * g[i].channels), sizeof(double));
    }
    return nm_context_status(v->context);
}

static nm_status add_batch(nm_probe_view *v, const void *options, gathered *g)
{
    for (int i = 0; i < v->count; i++) {
        const nm_probe_layer *layer = &v->layers[i];
        if (!nm_probe_wants(options, layer->name)) {
            continue;
        }
        double *x = nm_probe_numbers(v, layer->output);
        if (!x) {
            return nm_context_status(v->context);
        }
        add_output(&g[i], x, nm_tensor_count(layer->output));
        nm_free(v->context, x);
    }
    return NM_OK;
}

/* Of `n` values with these sums, unbiased. */
static double variance_of(double sum, double squares, double n)
{
    return fmax(0, (squares - sum * sum / n) / (n - 1));
}

/* Both spreads are relative to the whole, and roots of means of squares over the channels. */
static nm_status emit_layer(nm_probe_view *v, const gathered *g, double n)
{
    double mean_spread = 0, variance_spread = 0, counted = 0;
    for (int64_t c = 0; c < g->channels; c++) {
        const double *s = g->sums + c;
        const double of_means = variance_of(s[MEANS * g->channels], s[MEANS_2 * g->channels], n);
        const double var = s[VARIANCES * g->channels] / n;
        if (var > 0) {
            mean_spread += of_means / (var + of_means);
            variance_spread +=
                variance_of(s[VARIANCES * g->channels], s[VARIANCES_2 * g->channels], n) /
                (var * var);
            counted++;
        }
    }
    const double row[] = {counted > 0 ? sqrt(mean_spread / counted) : (double)NAN,
                          counted > 0 ? sqrt(variance_spread / counted) : (double)NAN};
    return nm_probe_emit(v, g->name, row);
}

static nm_status run_statistics(nm_probe_view *v, const void *options, gathered *g)
{
    const nm_batches_options *o = options;
    nm_status status = begin_layers(v, g);
    for (int64_t n = 0; n < o->batches && status == NM_OK; n++) {
        nm_batch batch;
        status = nm_probe_draw(v, &batch);
        status = status == NM_OK ? nm_probe_pass(v, &batch) : status;
        status = status == NM_OK ? add_batch(v, options, g) : status;
    }
    for (int i = 0; i < v->count && status == NM_OK; i++) {
        if (nm_probe_wants(options, g[i].name)) {
            status = emit_layer(v, &g[i], (double)o->batches);
        }
    }
    return status;
}

static nm_status statistics(nm_probe_view *v, const void *options)
{
    nm_status status = nm_probe_pass(v, NULL);
    gathered *g =
        status == NM_OK ? nm_alloc_zero(v->context, (size_t)v->count + 1, sizeof *g) : NULL;
    const int count = v->count;
    status = g ? run_statistics(v, options, g) : nm_context_status(v->context);
    for (int i = 0; g && i < count; i++) {
        nm_free(v->context, g[i].sums);
    }
    nm_free(v->context, g);
    return status;
}

static const char *const statistics_values[] = {"mean_spread", "variance_spread", NULL};

const nm_probe_type nm_probe_batch_statistics = {
    .item =
        NM_ITEM(nm_probe_type, "batch_statistics",
                "how much means and variances differ from mini-batch to mini-batch", .spec = &spec,
                .doc = "Of layers' outputs by channel, over mini-batches drawn from the "
                       "training set. mean_spread: the deviation of a batch's mean by the "
                       "deviation of the values; variance_spread: the deviation of a batch's "
                       "variance by the variance. Roots of mean squares over channels."),
    .values = statistics_values,
    .before = statistics,
};

/* ---- gradient_noise ---- */

typedef struct noise {
    int64_t count;  /* elements of all gradients */
    double *sum;    /* [count] */
    double squares; /* of the norms */
    double norms;   /* of the batches, added */
} noise;

static nm_status add_gradient(nm_probe_view *v, noise *n, const void *options)
{
    int64_t at = 0;
    double square = 0;
    for (int i = -1; nm_probe_next(v, options, &i);) {
        const int64_t count = v->gradients[i] ? nm_tensor_count(v->gradients[i]) : 0;
        double *g = count ? nm_probe_numbers(v, v->gradients[i]) : NULL;
        for (int64_t k = 0; g && k < count; k++) {
            n->sum[at + k] += g[k];
            square += g[k] * g[k];
        }
        nm_free(v->context, g);
        at += count;
    }
    n->squares += square;
    n->norms += sqrt(square);
    return nm_context_status(v->context);
}

static nm_status run_noise(nm_probe_view *v, const nm_batches_options *o, noise *n)
{
    nm_status status = NM_OK;
    const double batches = (double)o->batches;
    for (int64_t b = 0; b < o->batches && status == NM_OK; b++) {
        nm_batch batch;
        status = nm_probe_draw(v, &batch);
        status = status == NM_OK ? nm_probe_pass(v, &batch) : status;
        status = status == NM_OK ? add_gradient(v, n, o) : status;
    }
    if (status != NM_OK) {
        return status;
    }
    const double square = nm_probe_dot(n->sum, n->sum, n->count) / (batches * batches);
    const double spread = fmax(0, (n->squares - batches * square) / (batches - 1));
    const double whole = fmax(0, square - spread / batches); /* without its own noise */
    const double row[] = {sqrt(spread), sqrt(whole), n->norms / batches,
                          whole > 0 ? sqrt(spread / whole) : (double)NAN};
    return nm_probe_emit(v, NULL, row);
}

static nm_status gradient_noise(nm_probe_view *v, const void *options)
{
    noise n = {.count = 0};
    for (int i = -1; nm_probe_next(v, options, &i);) {
        n.count += nm_tensor_count(nm_store_at(v->network->store, i)->tensor);
    }
    n.sum = nm_alloc_zero(v->context, (size_t)n.count + 1, sizeof *n.sum);
    const nm_status status = n.sum ? run_noise(v, options, &n) : nm_context_status(v->context);
    nm_free(v->context, n.sum);
    return status;
}

static const char *const noise_values[] = {"spread", "norm", "batch", "ratio", NULL};

const nm_probe_type nm_probe_gradient_noise = {
    .item =
        NM_ITEM(nm_probe_type, "gradient_noise",
                "how much gradients differ from mini-batch to mini-batch", .spec = &spec,
                .doc = "Of all parameters together, over mini-batches drawn from the training "
                       "set. spread: the root of the mean squared distance from the full "
                       "gradient. norm: of that one, estimated without the noise that a mean of "
                       "so many batches still has. batch: the mean norm of a mini-batch's. "
                       "ratio: spread by norm."),
    .values = noise_values,
    .subject = NM_PROBE_PARAMETERS,
    .before = gradient_noise,
};
