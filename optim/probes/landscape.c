/* The loss around the parameters, along the gradient. Santurkar, Tsipras, Ilyas, Madry 2018, "How
 * does batch normalization help optimization?", arXiv 1805.11604, section 3.1: from the parameters,
 * steps of 1/2 to 4 times the learning rate against the gradient, on the same batch. */
#include <math.h>
#include <string.h>

#include "optim/probes/internal.h"

static const double factors[] = {0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4};
#define FACTORS NM_COUNT_OF(factors)

/* What is found on the way. */
typedef struct walk {
    nm_probe_view *view;
    double **gradients; /* by index in the store, at the beginning */
    double square;      /* of the norm of the gradient there */
    double weights;     /* the same of the parameters */
    double losses[FACTORS];
    double changes[FACTORS]; /* norms of the change of the gradient; NaN: not finite */
} walk;

static nm_status begin(walk *w)
{
    nm_probe_view *v = w->view;
    nm_store *store = v->network->store;
    const int entries = nm_store_count(store);
    nm_status status = nm_probe_pass(v, NULL);
    if (status != NM_OK) {
        return status;
    }
    w->gradients = nm_alloc_zero(v->context, (size_t)entries + 1, sizeof *w->gradients);
    for (int i = 0; w->gradients && i < entries; i++) {
        nm_tensor *t = nm_store_at(store, i)->tensor;
        const int64_t count = nm_tensor_count(t);
        double *g = v->gradients[i] ? nm_probe_numbers(v, v->gradients[i]) : NULL;
        double *p = g ? nm_probe_numbers(v, t) : NULL;
        w->gradients[i] = g;
        w->square += g ? nm_probe_dot(g, g, count) : 0;
        w->weights += p ? nm_probe_dot(p, p, count) : 0;
        nm_free(v->context, p);
    }
    return nm_context_status(v->context);
}

static void end(walk *w)
{
    nm_probe_view *v = w->view;
    for (int i = 0; w->gradients && i < nm_store_count(v->network->store); i++) {
        nm_free(v->context, w->gradients[i]);
    }
    nm_free(v->context, w->gradients);
    nm_probe_restore(v);
}

static nm_status move(walk *w, double distance)
{
    nm_probe_view *v = w->view;
    nm_store *store = v->network->store;
    nm_probe_restore(v);
    for (int i = 0; i < nm_store_count(store); i++) {
        nm_tensor *t = nm_store_at(store, i)->tensor;
        const int64_t count = nm_tensor_count(t);
        double *p = w->gradients[i] ? nm_probe_numbers(v, t) : NULL;
        for (int64_t k = 0; p && k < count; k++) {
            p[k] -= distance * w->gradients[i][k];
        }
        if (p) {
            nm_tensor_set_f64(t, p, count);
        }
        nm_free(v->context, p);
    }
    return nm_context_status(v->context);
}

static double change_of(const walk *w)
{
    nm_probe_view *v = w->view;
    double squares = 0;
    for (int i = 0; i < nm_store_count(v->network->store); i++) {
        const double *before = w->gradients[i];
        double *now = before && v->gradients[i] ? nm_probe_numbers(v, v->gradients[i]) : NULL;
        for (int64_t k = 0; now && k < nm_tensor_count(v->gradients[i]); k++) {
            squares += (now[k] - before[k]) * (now[k] - before[k]);
        }
        nm_free(v->context, now);
    }
    return sqrt(squares);
}

static nm_status go(walk *w, nm_probe_view *v)
{
    *w = (walk){.view = v};
    nm_status status = begin(w);
    for (int i = 0; i < FACTORS && status == NM_OK; i++) {
        status = move(w, factors[i] * v->rate);
        status = status == NM_OK ? nm_probe_pass(v, NULL) : status;
        if (status == NM_OK) {
            w->losses[i] = v->value;
            w->changes[i] = change_of(w);
        }
    }
    end(w);
    return status == NM_OK ? nm_context_status(v->context) : status;
}

static void find_range(const double *values, double *least, double *most)
{
    *least = INFINITY;
    *most = -INFINITY;
    for (int i = 0; i < FACTORS; i++) {
        *least = fmin(*least, values[i]);
        *most = fmax(*most, values[i]);
    }
}

static nm_status emit_range(nm_probe_view *v, const double *values)
{
    double row[3];
    find_range(values, &row[0], &row[1]);
    row[2] = row[1] - row[0];
    return nm_probe_emit(v, NULL, row);
}

static nm_status along(nm_probe_view *v, const void *options)
{
    walk w;
    (void)options;
    const nm_status status = go(&w, v);
    return status == NM_OK ? emit_range(v, w.losses) : status;
}

static nm_status predictiveness(nm_probe_view *v, const void *options)
{
    walk w;
    (void)options;
    const nm_status status = go(&w, v);
    return status == NM_OK ? emit_range(v, w.changes) : status;
}

/* The largest change of the gradient by the distance; the same where parameters and gradient have
 * length 1. */
static nm_status smoothness(nm_probe_view *v, const void *options)
{
    walk w;
    (void)options;
    const nm_status status = go(&w, v);
    if (status != NM_OK) {
        return status;
    }
    double most = 0;
    for (int i = 0; i < FACTORS; i++) {
        most = fmax(most, w.changes[i] / (factors[i] * v->rate * sqrt(w.square)));
    }
    const double row[] = {most, most * sqrt(w.weights / w.square)};
    return nm_probe_emit(v, NULL, row);
}

static const char *const range_values[] = {"least", "most", "range", NULL};
static const char *const smoothness_values[] = {"beta", "relative", NULL};

#define WAY                                                                                        \
    "On the update's batch, steps of 1/2 to 4 times the learning rate against the gradient. "
#define SOURCE " Santurkar and others 2018, arXiv 1805.11604."

const nm_probe_type nm_probe_loss_along_gradient = {
    .item =
        NM_ITEM(nm_probe_type, "loss_along_gradient", "how much the loss varies along the gradient",
                .spec = &nm_probe_spec, .doc = WAY "least, most, range: of the loss there." SOURCE),
    .values = range_values,
    .before = along,
};

const nm_probe_type nm_probe_gradient_predictiveness = {
    .item = NM_ITEM(nm_probe_type, "gradient_predictiveness",
                    "how much the gradient varies along itself", .spec = &nm_probe_spec,
                    .doc = WAY "least, most, range: of the distance of the gradient there from the "
                               "one at the beginning." SOURCE),
    .values = range_values,
    .before = predictiveness,
};

const nm_probe_type nm_probe_effective_smoothness = {
    .item =
        NM_ITEM(nm_probe_type, "effective_smoothness", "how fast the gradient changes along itself",
                .spec = &nm_probe_spec,
                .doc = WAY "beta: the largest change of the gradient by the distance. relative: "
                           "the same of the gradient at length 1 and distances by the norm of "
                           "the parameters, since beta alone depends on their scale." SOURCE),
    .values = smoothness_values,
    .before = smoothness,
};
