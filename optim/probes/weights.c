/* Norms of parameters, and what an update does to them. */
#include <math.h>

#include "optim/probes/internal.h"

static const nm_probe_options defaults = {NM_PROBE_DEFAULTS};
static const nm_option option_rows[] = {NM_PROBE_ROWS(nm_probe_options)};
static const nm_spec spec = {.name = "nm_probe_options",
                             .size = sizeof(nm_probe_options),
                             .defaults = &defaults,
                             .options = option_rows,
                             .count = NM_COUNT_OF(option_rows)};

/* ---- weight_norms ---- */

static const char *const norm_values[] = {"norm",      "mean",     "deviation",
                                          "row_least", "row_most", NULL};

static void find_norms(const double *w, int64_t count, int64_t height, double *row)
{
    const int64_t width = count / height;
    double mean = 0, squares = 0;
    row[3] = INFINITY;
    row[4] = 0;
    for (int64_t i = 0; i < count; i++) {
        mean += w[i] / (double)count;
    }
    for (int64_t i = 0; i < count; i++) {
        squares += (w[i] - mean) * (w[i] - mean);
    }
    for (int64_t r = 0; r < height; r++) {
        const double norm = sqrt(nm_probe_dot(w + r * width, w + r * width, width));
        row[3] = fmin(row[3], norm);
        row[4] = fmax(row[4], norm);
    }
    row[0] = sqrt(nm_probe_dot(w, w, count));
    row[1] = mean;
    row[2] = sqrt(squares / (double)count);
}

static nm_status norms(nm_probe_view *v, const void *options)
{
    nm_status status = NM_OK;
    for (int i = -1; status == NM_OK && nm_probe_next(v, options, &i);) {
        const nm_entry *entry = nm_store_at(v->network->store, i);
        double row[5], *w = nm_probe_numbers(v, entry->tensor);
        status = nm_context_status(v->context);
        if (w) {
            find_norms(w, nm_tensor_count(entry->tensor), nm_probe_rows(entry->tensor), row);
            status = nm_probe_emit(v, entry->name, row);
        }
        nm_free(v->context, w);
    }
    return status;
}

const nm_probe_type nm_probe_weight_norms = {
    .item = NM_ITEM(
        nm_probe_type, "weight_norms", "how large parameters are", .spec = &spec,
        .doc = "Of each parameter, weight norm's v and g and batch norm's scale among them. norm: "
               "of all elements. mean, deviation: over them. row_least, row_most: the norms of the "
               "rows of a weight, which are those of its outputs."),
    .values = norm_values,
    .subject = NM_PROBE_PARAMETERS,
    .before = norms,
};

/* ---- What an update did ---- */

/* Calls `of` with each parameter before and after the update. */
static nm_status each_change(nm_probe_view *v, const void *options, bool weights,
                             nm_status (*of)(nm_probe_view *v, const nm_entry *entry,
                                             const double *before, const double *after))
{
    nm_status status = NM_OK;
    for (int i = -1; status == NM_OK && nm_probe_next(v, options, &i);) {
        const nm_entry *entry = nm_store_at(v->network->store, i);
        if (weights && (entry->purpose != NM_WEIGHT || nm_tensor_shape(entry->tensor)->rank < 2)) {
            continue;
        }
        double *before = nm_probe_elements(v, entry->tensor, v->earlier[i]);
        double *after = before ? nm_probe_numbers(v, entry->tensor) : NULL;
        status = after ? of(v, entry, before, after) : nm_context_status(v->context);
        nm_free(v->context, before);
        nm_free(v->context, after);
    }
    return status;
}

static nm_status ratio_of(nm_probe_view *v, const nm_entry *entry, const double *before,
                          const double *after)
{
    const int64_t count = nm_tensor_count(entry->tensor);
    const double norm = sqrt(nm_probe_dot(before, before, count));
    double squares = 0;
    for (int64_t i = 0; i < count; i++) {
        squares += (after[i] - before[i]) * (after[i] - before[i]);
    }
    const double row[] = {norm > 0 ? sqrt(squares) / norm : (double)NAN, sqrt(squares)};
    return nm_probe_emit(v, entry->name, row);
}

static nm_status ratios(nm_probe_view *v, const void *options)
{
    return each_change(v, options, false, ratio_of);
}

static const char *const ratio_values[] = {"ratio", "norm", NULL};

const nm_probe_type nm_probe_update_ratio = {
    .item = NM_ITEM(nm_probe_type, "update_ratio", "how much an update changes a parameter",
                    .spec = &spec,
                    .doc = "norm: of the change of each parameter by the update, whatever the "
                           "optimizer made it of. ratio: the same by the norm of the parameter."),
    .values = ratio_values,
    .subject = NM_PROBE_PARAMETERS,
    .after = ratios,
};

/* Of two vectors, in a way that is exact for small ones too: W. Kahan, "How futile are mindless
 * assessments of roundoff in floating-point computation?", 2006. */
static double angle_of(const double *a, const double *b, int64_t count)
{
    const double na = sqrt(nm_probe_dot(a, a, count)), nb = sqrt(nm_probe_dot(b, b, count));
    double plus = 0, minus = 0;
    for (int64_t i = 0; i < count; i++) {
        const double x = a[i] * nb, y = b[i] * na;
        plus += (x + y) * (x + y);
        minus += (x - y) * (x - y);
    }
    return 2 * atan2(sqrt(minus), sqrt(plus));
}

/* The root of the mean square over the rows. */
static nm_status turn_of(nm_probe_view *v, const nm_entry *entry, const double *before,
                         const double *after)
{
    const int64_t count = nm_tensor_count(entry->tensor), height = nm_probe_rows(entry->tensor);
    const int64_t width = count / height;
    double squares = 0;
    for (int64_t r = 0; r < height; r++) {
        const double angle = angle_of(before + r * width, after + r * width, width);
        squares += angle * angle / (double)height;
    }
    const double row[] = {sqrt(squares),
                          v->rate / (nm_probe_dot(before, before, count) / (double)height)};
    return nm_probe_emit(v, entry->name, row);
}

static nm_status turns(nm_probe_view *v, const void *options)
{
    return each_change(v, options, true, turn_of);
}

static const char *const turn_values[] = {"angle", "effective_rate", NULL};

const nm_probe_type nm_probe_weight_angle = {
    .item = NM_ITEM(
        nm_probe_type, "weight_angle", "how far an update turns weights", .spec = &spec,
        .doc = "angle: in radians, between a row of a weight before and after the update; the root "
               "of the mean square over rows. effective_rate: the learning rate by the mean square "
               "of the rows' norms, which is the rate that counts where a normalization makes the "
               "weights' scale meaningless. Its equilibrium: arXiv 2006.08419."),
    .values = turn_values,
    .subject = NM_PROBE_PARAMETERS,
    .after = turns,
};
