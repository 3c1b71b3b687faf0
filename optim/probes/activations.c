/* What layers put out: percentiles, moments, rank, and how much of it is saturated. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "optim/probes/internal.h"

/* Calls `of` with the numbers of each output that is wanted, which it may change. */
static nm_status each_output(nm_probe_view *v, const void *options, bool (*takes)(const char *type),
                             nm_status (*of)(nm_probe_view *v, const nm_probe_layer *layer,
                                             double *numbers))
{
    nm_status status = nm_probe_pass(v, NULL);
    for (int i = 0; status == NM_OK && i < v->count; i++) {
        const nm_probe_layer *layer = &v->layers[i];
        if (!nm_probe_wants(options, layer->name) || (takes && !takes(layer->type))) {
            continue;
        }
        double *numbers = nm_probe_numbers(v, layer->output);
        status = numbers ? of(v, layer, numbers) : nm_context_status(v->context);
        nm_free(v->context, numbers);
    }
    return status;
}

static const nm_probe_options defaults = {NM_PROBE_DEFAULTS};
static const nm_option option_rows[] = {NM_PROBE_ROWS(nm_probe_options)};
static const nm_spec spec = {.name = "nm_probe_options",
                             .size = sizeof(nm_probe_options),
                             .defaults = &defaults,
                             .options = option_rows,
                             .count = NM_COUNT_OF(option_rows)};

/* ---- Percentiles ---- */

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Between the two nearest, in proportion. */
static double percentile(const double *sorted, int64_t count, double share)
{
    const double place = share * (double)(count - 1);
    const int64_t below = (int64_t)place;
    const int64_t above = below + 1 < count ? below + 1 : below;
    return sorted[below] + (place - (double)below) * (sorted[above] - sorted[below]);
}

static nm_status percentiles_of(nm_probe_view *v, const nm_probe_layer *layer, double *x)
{
    const int64_t count = nm_tensor_count(layer->output);
    qsort(x, (size_t)count, sizeof *x, compare);
    const double row[] = {percentile(x, count, 0.15), percentile(x, count, 0.5),
                          percentile(x, count, 0.85)};
    return nm_probe_emit(v, layer->name, row);
}

static nm_status percentiles(nm_probe_view *v, const void *options)
{
    return each_output(v, options, NULL, percentiles_of);
}

static const char *const percentile_values[] = {"p15", "p50", "p85", NULL};

const nm_probe_type nm_probe_activation_percentiles = {
    .item = NM_ITEM(nm_probe_type, "activation_percentiles",
                    "15th, 50th and 85th percentile of what layers put out", .spec = &spec,
                    .doc = "Over all elements of a layer's output for the batch: what figure 1 of "
                           "Ioffe, Szegedy 2015 (arXiv 1502.03167) shows of a layer before a "
                           "sigmoid."),
    .values = percentile_values,
    .before = percentiles,
};

/* ---- Moments and rank ---- */

enum { MEAN, DEVIATION, SKEW, CHANNEL_DEVIATION, MEAN_COSINE, STABLE_RANK, MOMENTS };
static const char *const moment_values[] = {"mean",   "deviation",   "skew", "channel_deviation",
                                            "cosine", "stable_rank", NULL};

static void find_moments(const double *x, int64_t count, double *row)
{
    double sum = 0, squares = 0, cubes = 0;
    for (int64_t i = 0; i < count; i++) {
        sum += x[i];
    }
    const double mean = sum / (double)count;
    for (int64_t i = 0; i < count; i++) {
        const double d = x[i] - mean;
        squares += d * d;
        cubes += d * d * d;
    }
    row[MEAN] = mean;
    row[DEVIATION] = sqrt(squares / (double)count);
    row[SKEW] = squares > 0 ? cubes / (double)count / pow(row[DEVIATION], 3) : (double)NAN;
}

/* The mean over channels of the deviation within one. */
static double channel_deviation(const double *x, int64_t count, int64_t channels)
{
    const int64_t rows = count / channels;
    double sum = 0;
    for (int64_t c = 0; c < channels; c++) {
        double mean = 0, squares = 0;
        for (int64_t r = 0; r < rows; r++) {
            mean += x[r * channels + c] / (double)rows;
        }
        for (int64_t r = 0; r < rows; r++) {
            const double d = x[r * channels + c] - mean;
            squares += d * d;
        }
        sum += sqrt(squares / (double)rows);
    }
    return sum / (double)channels;
}

/* The mean cosine of two different samples: of the sum of all rows at length 1, its square has
 * every pair twice and each row's 1. */
static double mean_cosine(const double *x, int64_t rows, int64_t width, double *sum)
{
    memset(sum, 0, (size_t)width * sizeof *sum);
    for (int64_t r = 0; r < rows; r++) {
        const double *row = x + r * width, norm = sqrt(nm_probe_dot(row, row, width));
        for (int64_t i = 0; i < width && norm > 0; i++) {
            sum[i] += row[i] / norm;
        }
    }
    const double n = (double)rows;
    return rows > 1 ? (nm_probe_dot(sum, sum, width) - n) / (n * (n - 1)) : (double)NAN;
}

#define ROUNDS 100 /* of power iteration */

/* The sum of the squared singular values by the largest: power iteration on x'x. */
static double stable_rank(const double *x, int64_t rows, int64_t width, double *u)
{
    double *next = u + width, square = 0;
    for (int64_t i = 0; i < width; i++) {
        u[i] = 1 + 0.1 * sin((double)i); /* in the way of no singular vector, most likely */
    }
    for (int n = 0; n < ROUNDS; n++) {
        const double norm = sqrt(nm_probe_dot(u, u, width));
        memset(next, 0, (size_t)width * sizeof *next);
        square = 0;
        for (int64_t r = 0; r < rows && norm > 0; r++) {
            const double *row = x + r * width, along = nm_probe_dot(row, u, width) / norm;
            square += along * along;
            for (int64_t i = 0; i < width; i++) {
                next[i] += along * row[i];
            }
        }
        memcpy(u, next, (size_t)width * sizeof *u);
    }
    return square > 0 ? nm_probe_dot(x, x, rows * width) / square : (double)NAN;
}

static nm_status moments_of(nm_probe_view *v, const nm_probe_layer *layer, double *x)
{
    const nm_shape *shape = nm_tensor_shape(layer->output);
    const int64_t count = nm_tensor_count(layer->output), batch = shape->dim[0];
    double row[MOMENTS], *room = nm_alloc(v->context, (size_t)(2 * count / batch) * sizeof *room);
    if (!room) {
        return nm_context_status(v->context);
    }
    find_moments(x, count, row);
    row[CHANNEL_DEVIATION] = channel_deviation(x, count, shape->dim[shape->rank - 1]);
    row[MEAN_COSINE] = mean_cosine(x, batch, count / batch, room);
    row[STABLE_RANK] = stable_rank(x, batch, count / batch, room);
    nm_free(v->context, room);
    return nm_probe_emit(v, layer->name, row);
}

static nm_status moments(nm_probe_view *v, const void *options)
{
    return each_output(v, options, NULL, moments_of);
}

const nm_probe_type nm_probe_activation_statistics = {
    .item = NM_ITEM(
        nm_probe_type, "activation_statistics", "moments, rank and likeness of what layers put out",
        .spec = &spec,
        .doc = "mean, deviation, skew: over all elements. channel_deviation: within a channel, the "
               "mean over channels. cosine: of two samples, the mean over pairs; 1 is where all "
               "samples look alike. stable_rank: of the batch's outputs as a matrix, the sum of "
               "the squared singular values by the largest."),
    .values = moment_values,
    .before = moments,
};

/* ---- Saturation ---- */

/* Where a bounded function is flat: within 5 % of the distance between its bounds. */
typedef struct bounds {
    const char *type;
    double low, high;
} bounds;
static const bounds bounded[] = {{"sigmoid", 0.05, 0.95},
                                 {"hard_sigmoid", 0.05, 0.95},
                                 {"tanh", -0.9, 0.9},
                                 {"dynamic_tanh", -0.9, 0.9},
                                 {"relu", 0, INFINITY}};

static const bounds *bounds_of(const char *type)
{
    for (int i = 0; i < NM_COUNT_OF(bounded); i++) {
        if (strcmp(bounded[i].type, type) == 0) {
            return &bounded[i];
        }
    }
    return NULL;
}

static bool saturates(const char *type)
{
    return bounds_of(type) != NULL;
}

static nm_status saturation_of(nm_probe_view *v, const nm_probe_layer *layer, double *x)
{
    const bounds *b = bounds_of(layer->type);
    const nm_shape *shape = nm_tensor_shape(layer->output);
    const int64_t count = nm_tensor_count(layer->output);
    const int64_t units = shape->dim[shape->rank - 1];
    int64_t flat = 0, dead = 0;
    for (int64_t u = 0; u < units; u++) {
        int64_t here = 0;
        for (int64_t i = u; i < count; i += units) {
            here += x[i] <= b->low || x[i] >= b->high;
        }
        flat += here;
        dead += here == count / units;
    }
    const double row[] = {(double)flat / (double)count, (double)dead / (double)units};
    return nm_probe_emit(v, layer->name, row);
}

static nm_status saturation(nm_probe_view *v, const void *options)
{
    return each_output(v, options, saturates, saturation_of);
}

static const char *const saturation_values[] = {"saturated", "dead", NULL};

const nm_probe_type nm_probe_saturation = {
    .item = NM_ITEM(
        nm_probe_type, "saturation", "how much of an activation is where it is flat", .spec = &spec,
        .doc =
            "saturated: the share of outputs within 5 % of the distance from a bound of sigmoid, "
            "hard_sigmoid, tanh or dynamic_tanh, or that are 0 behind relu. dead: the share of "
            "units (channels) where that holds for the whole batch."),
    .values = saturation_values,
    .takes = saturates,
    .before = saturation,
};
