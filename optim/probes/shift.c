/* Internal covariate shift, as Santurkar and others 2018 (arXiv 1805.11604, definition 2.1) measure
 * it: the gradient of a layer before and after the layers below have made their step, which is the
 * learning rate times their gradient, on the same batch. */
#include <math.h>
#include <stdlib.h>

#include "optim/probes/internal.h"

/* A weight of a matrix or filter, behind which the next layer begins. */
static bool begins_layer(const nm_entry *entry)
{
    return entry->role == NM_PARAMETER && entry->purpose == NM_WEIGHT &&
           nm_tensor_shape(entry->tensor)->rank > 1;
}

static nm_status keep_gradients(nm_probe_view *v, double **kept, int entries)
{
    const nm_status status = nm_probe_pass(v, NULL);
    for (int i = 0; i < entries && status == NM_OK; i++) {
        kept[i] = v->gradients[i] ? nm_probe_numbers(v, v->gradients[i]) : NULL;
    }
    return status == NM_OK ? nm_context_status(v->context) : status;
}

/* Of those from `from` to before `to`. */
static nm_status step_below(nm_probe_view *v, double *const *gradients, int from, int to)
{
    nm_tape_reset(v->tape);
    nm_probe_changed(v);
    for (int i = from; i < to; i++) {
        nm_tensor *t = nm_store_at(v->network->store, i)->tensor;
        const int64_t count = nm_tensor_count(t);
        double *p = gradients[i] ? nm_probe_numbers(v, t) : NULL;
        for (int64_t k = 0; p && k < count; k++) {
            p[k] -= v->rate * gradients[i][k];
        }
        if (p) {
            nm_tensor_set_f64(t, p, count);
        }
        nm_free(v->context, p);
    }
    return nm_context_status(v->context);
}

static nm_status compare(nm_probe_view *v, int index, const double *before)
{
    const nm_entry *entry = nm_store_at(v->network->store, index);
    const int64_t count = nm_tensor_count(entry->tensor);
    double *now = nm_probe_numbers(v, v->gradients[index]);
    if (!now) {
        return nm_context_status(v->context);
    }
    double squares = 0;
    const double old = sqrt(nm_probe_dot(before, before, count));
    const double both = old * sqrt(nm_probe_dot(now, now, count));
    const double cosine = both > 0 ? nm_probe_dot(before, now, count) / both : (double)NAN;
    for (int64_t k = 0; k < count; k++) {
        squares += (now[k] - before[k]) * (now[k] - before[k]);
    }
    const double row[] = {cosine, sqrt(squares), old > 0 ? sqrt(squares) / old : (double)NAN};
    nm_free(v->context, now);
    return nm_probe_emit(v, entry->name, row);
}

static nm_status run(nm_probe_view *v, const void *options, double **gradients, int entries)
{
    nm_status status = keep_gradients(v, gradients, entries);
    int stepped = 0;
    for (int i = 0; i < entries && status == NM_OK; i++) {
        const nm_entry *entry = nm_store_at(v->network->store, i);
        if (!begins_layer(entry) || !gradients[i] || !nm_probe_wants(options, entry->name)) {
            continue;
        }
        status = step_below(v, gradients, stepped, i);
        stepped = i;
        status = status == NM_OK ? nm_probe_pass(v, NULL) : status;
        status = status == NM_OK ? compare(v, i, gradients[i]) : status;
    }
    return status;
}

static nm_status before(nm_probe_view *v, const void *options)
{
    const int entries = nm_store_count(v->network->store);
    double **gradients = nm_alloc_zero(v->context, (size_t)entries + 1, sizeof *gradients);
    const nm_status status =
        gradients ? run(v, options, gradients, entries) : nm_context_status(v->context);
    for (int i = 0; gradients && i < entries; i++) {
        nm_free(v->context, gradients[i]);
    }
    nm_free(v->context, gradients);
    nm_probe_restore(v);
    return status;
}

static const nm_probe_options defaults = {NM_PROBE_DEFAULTS};
static const nm_option option_rows[] = {NM_PROBE_ROWS(nm_probe_options)};
static const nm_spec spec = {.name = "nm_probe_options",
                             .size = sizeof(nm_probe_options),
                             .defaults = &defaults,
                             .options = option_rows,
                             .count = NM_COUNT_OF(option_rows)};
static const char *const values[] = {"cosine", "distance", "relative", NULL};

const nm_probe_type nm_probe_covariate_shift = {
    .item = NM_ITEM(
        nm_probe_type, "covariate_shift",
        "how a layer's gradient changes when the layers below have made their step", .spec = &spec,
        .doc = "Of each weight, its gradient before and after all parameters before it made a step "
               "of the learning rate against theirs, on the same batch. cosine: between the two. "
               "distance: of one from the other; relative: by the norm of the first. Santurkar and "
               "others 2018, arXiv 1805.11604."),
    .values = values,
    .subject = NM_PROBE_PARAMETERS,
    .before = before,
};
