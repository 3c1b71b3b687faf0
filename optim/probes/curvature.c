/* The loss around the parameters: the largest eigenvalue of its Hessian, and a surface along two
 * random directions. */
#include <math.h>
#include <string.h>

#include "core/derivatives.h"
#include "optim/probes/internal.h"

/* ---- What is moved ---- */

/* Trainable parameters, and a vector of as many numbers as they have. */
typedef struct space {
    nm_probe_view *view;
    int parts;
    nm_tensor **parameters; /* [parts] */
    nm_tensor **vectors;    /* [parts], of the probe's own */
    nm_tensor **products;   /* [parts] */
} space;

static void close_space(space *s)
{
    nm_tape_reset(s->view->tape);
    for (int i = 0; s->vectors && i < s->parts; i++) {
        nm_tensor_destroy(s->vectors[i]);
    }
    nm_free(s->view->context, s->parameters);
    nm_free(s->view->context, s->vectors);
    nm_free(s->view->context, s->products);
}

static nm_status open_space(space *s, nm_probe_view *v)
{
    nm_store *store = v->network->store;
    const size_t most = (size_t)nm_store_count(store) + 1;
    *s = (space){.view = v};
    s->parameters = nm_alloc_zero(v->context, most, sizeof(nm_tensor *));
    s->vectors = nm_alloc_zero(v->context, most, sizeof(nm_tensor *));
    s->products = nm_alloc_zero(v->context, most, sizeof(nm_tensor *));
    for (int i = 0; s->parameters && s->vectors && s->products && i < nm_store_count(store); i++) {
        nm_tensor *t = nm_store_at(store, i)->tensor;
        if (nm_tensor_requires_grad(t)) {
            s->parameters[s->parts] = t;
            s->vectors[s->parts++] =
                nm_tensor_create(v->context, nm_tensor_dtype(t), *nm_tensor_shape(t));
        }
    }
    return nm_context_status(v->context);
}

/* ---- top_hessian_eigenvalue ---- */

enum { EIGENVALUE, RELATIVE, RESIDUAL, EIGENVALUES };
static const char *const eigenvalue_names[] = {"eigenvalue", "relative", "residual", NULL};

static void begin_vector(space *s)
{
    nm_random random =
        nm_random_create(s->view->owner->setup.seed ^ NM_PROBE_SEED, (uint64_t)s->view->step);
    for (int i = 0; i < s->parts; i++) {
        nm_random_fill_normal(&random, s->vectors[i], 0, 1);
    }
}

/* Sums over all parts: of vector and product, and of the squares of both. */
typedef struct sums {
    double both, vector, product, parameters;
} sums;

static nm_status add_up(space *s, sums *sum)
{
    nm_context *context = s->view->context;
    *sum = (sums){0};
    for (int i = 0; i < s->parts; i++) {
        const int64_t count = nm_tensor_count(s->vectors[i]);
        double *a = nm_probe_numbers(s->view, s->vectors[i]);
        double *b = nm_probe_numbers(s->view, s->products[i]);
        double *p = nm_probe_numbers(s->view, s->parameters[i]);
        if (a && b && p) {
            sum->both += nm_probe_dot(a, b, count);
            sum->vector += nm_probe_dot(a, a, count);
            sum->product += nm_probe_dot(b, b, count);
            sum->parameters += nm_probe_dot(p, p, count);
        }
        nm_free(context, a);
        nm_free(context, b);
        nm_free(context, p);
    }
    return nm_context_status(context);
}

/* The product is the next vector, at length 1. */
static nm_status take_product(space *s, double length)
{
    for (int i = 0; i < s->parts; i++) {
        const int64_t count = nm_tensor_count(s->vectors[i]);
        double *b = nm_probe_numbers(s->view, s->products[i]);
        for (int64_t k = 0; b && k < count; k++) {
            b[k] /= length;
        }
        if (b) {
            nm_tensor_set_f64(s->vectors[i], b, count);
        }
        nm_free(s->view->context, b);
    }
    return nm_context_status(s->view->context);
}

/* H times the vector, on a tape of its own each time, so that memory does not grow. */
static nm_status multiply(space *s)
{
    nm_probe_view *v = s->view;
    nm_tensor *loss = nm_probe_forward(v, v->batch, true, NULL);
    const nm_status status =
        loss ? nm_hvp(v->tape, loss, s->parameters, s->vectors, s->parts, 0, s->products)
             : nm_context_status(v->context);
    nm_probe_restore_buffers(v);
    return status;
}

/* The Rayleigh quotient, and what is left of H v without it, by |H v|. */
static nm_status iterate(space *s, int64_t iterations, double *row)
{
    nm_status status = NM_OK;
    begin_vector(s);
    for (int64_t i = 0; i < iterations && status == NM_OK; i++) {
        sums sum;
        status = multiply(s);
        status = status == NM_OK ? add_up(s, &sum) : status;
        if (status != NM_OK || !(sum.product > 0) || !isfinite(sum.product)) {
            return status;
        }
        row[EIGENVALUE] = sum.both / sum.vector;
        row[RELATIVE] = row[EIGENVALUE] * sum.parameters;
        row[RESIDUAL] = sqrt(fmax(0, 1 - sum.both * sum.both / (sum.vector * sum.product)));
        status = take_product(s, sqrt(sum.product));
    }
    return status;
}

static nm_status find_eigenvalue(nm_probe_view *v, const void *options)
{
    space s;
    const nm_iterations_options *o = options;
    double row[EIGENVALUES] = {NAN, NAN, NAN};
    nm_status status = open_space(&s, v);
    status = status == NM_OK && s.parts ? iterate(&s, o->iterations, row) : status;
    close_space(&s);
    return status == NM_OK ? nm_probe_emit(v, NULL, row) : status;
}

#define EVERY(type)                                                                                \
    {                                                                                              \
        NM_FIELD(type, every), NM_OPTION_INT,                                                      \
            .min = 1, .max = 1e12,                                                                 \
            .doc = "updates from one look to the next; the first is before any update, the last "  \
                   "behind all of them"                                                            \
    }

static const nm_iterations_options eigenvalue_defaults = {NM_ITERATIONS_DEFAULTS};
static const nm_option eigenvalue_rows[] = {
    EVERY(nm_iterations_options),
    {NM_FIELD(nm_iterations_options, iterations), NM_OPTION_INT, .min = 1, .max = 1e6,
     .doc = "Hessian-vector products"},
};
static const nm_spec eigenvalue_spec = {.name = "nm_iterations_options",
                                        .size = sizeof(nm_iterations_options),
                                        .defaults = &eigenvalue_defaults,
                                        .options = eigenvalue_rows,
                                        .count = NM_COUNT_OF(eigenvalue_rows)};

const nm_probe_type nm_probe_top_hessian_eigenvalue = {
    .item = NM_ITEM(
        nm_probe_type, "top_hessian_eigenvalue", "how sharply the loss curves where it does most",
        .spec = &eigenvalue_spec,
        .doc = "The eigenvalue of largest size of the Hessian of the batch's loss in all "
               "parameters, through batch norm and all else, by power iteration from a random "
               "vector. relative: times the square of the parameters' norm, since before a norm "
               "the eigenvalue depends on their scale. residual: how far the last vector v is from "
               "an eigenvector, |H v - eigenvalue v| by |H v|."),
    .values = eigenvalue_names,
    .before = find_eigenvalue,
};

/* ---- loss_surface: Li, Xu, Taylor, Studer, Goldstein 2018, arXiv 1712.09913 ---- */

static const char *const surface_names[] = {"x", "y", "loss", NULL};

typedef struct surface {
    nm_probe_view *view;
    double **directions; /* [2, entries]; NULLs: not moved */
    int entries;
} surface;

/* Each row as long as the row of weights there. */
static void scale_rows(double *direction, const double *weights, int64_t rows, int64_t count)
{
    const int64_t width = count / rows;
    for (int64_t r = 0; r < rows; r++) {
        double *d = direction + r * width;
        const double *w = weights + r * width;
        const double length = sqrt(nm_probe_dot(d, d, width));
        const double factor = length > 0 ? sqrt(nm_probe_dot(w, w, width)) / length : 0;
        for (int64_t i = 0; i < width; i++) {
            d[i] *= factor;
        }
    }
}

static double *draw_direction(surface *s, int index, nm_random *random)
{
    const nm_entry *entry = nm_store_at(s->view->network->store, index);
    const int64_t count = nm_tensor_count(entry->tensor);
    if (entry->role != NM_PARAMETER || nm_tensor_shape(entry->tensor)->rank < 2 ||
        !nm_tensor_requires_grad(entry->tensor)) {
        return NULL;
    }
    double *weights = nm_probe_numbers(s->view, entry->tensor);
    double *d = nm_alloc_zero(s->view->context, (size_t)count + 1, sizeof *d);
    for (int64_t i = 0; d && weights && i < count; i++) {
        d[i] = nm_random_normal(random);
    }
    if (d && weights) {
        scale_rows(d, weights, nm_probe_rows(entry->tensor), count);
    }
    nm_free(s->view->context, weights);
    return d;
}

/* The same directions at every look, but for the lengths of the weights. */
static nm_status draw_directions(surface *s)
{
    const nm_probe_view *v = s->view;
    s->entries = nm_store_count(v->network->store);
    s->directions = nm_alloc_zero(v->context, 2 * (size_t)s->entries + 1, sizeof *s->directions);
    for (int way = 0; way < 2 && s->directions; way++) {
        nm_random random = nm_random_create(v->owner->setup.seed ^ NM_PROBE_SEED, (uint64_t)way);
        for (int i = 0; i < s->entries; i++) {
            s->directions[way * s->entries + i] = draw_direction(s, i, &random);
        }
    }
    return nm_context_status(v->context);
}

static nm_status move_to(surface *s, double x, double y)
{
    nm_probe_view *v = s->view;
    nm_probe_restore(v);
    for (int i = 0; i < s->entries; i++) {
        const double *a = s->directions[i], *b = s->directions[s->entries + i];
        nm_tensor *t = nm_store_at(v->network->store, i)->tensor;
        const int64_t count = nm_tensor_count(t);
        double *p = a && b ? nm_probe_numbers(v, t) : NULL;
        for (int64_t k = 0; p && k < count; k++) {
            p[k] += x * a[k] + y * b[k];
        }
        if (p) {
            nm_tensor_set_f64(t, p, count);
        }
        nm_free(v->context, p);
    }
    return nm_context_status(v->context);
}

static nm_status look_at_point(surface *s, double x, double y)
{
    nm_status status = move_to(s, x, y);
    status = status == NM_OK ? nm_probe_look(s->view, s->view->batch, true, NULL) : status;
    const double row[] = {x, y, s->view->value};
    return status == NM_OK ? nm_probe_emit(s->view, NULL, row) : status;
}

static nm_status draw_surface(nm_probe_view *v, const void *options)
{
    const nm_surface_options *o = options;
    surface s = {.view = v};
    const int64_t side = o->points;
    nm_status status = draw_directions(&s);
    for (int64_t i = 0; i < side * side && status == NM_OK; i++) {
        const double x = (double)(i % side) / (double)(side - 1);
        const double y = (double)(i / side) / (double)(side - 1);
        status = look_at_point(&s, o->reach * (2 * x - 1), o->reach * (2 * y - 1));
    }
    for (int i = 0; s.directions && i < 2 * s.entries; i++) {
        nm_free(v->context, s.directions[i]);
    }
    nm_free(v->context, s.directions);
    nm_probe_restore(v);
    return status;
}

static const nm_surface_options surface_defaults = {NM_SURFACE_DEFAULTS};
static const nm_option surface_rows[] = {
    EVERY(nm_surface_options),
    {NM_FIELD(nm_surface_options, points), NM_OPTION_INT, .min = 2, .max = 1000,
     .doc = "points along each direction; odd: the parameters are one of them"},
    {NM_FIELD(nm_surface_options, reach), NM_OPTION_FLOAT, .min = 0, .max = 1e6,
     .flags = NM_MIN_OPEN, .doc = "how far it goes each way, in lengths of the weights' rows"},
};
static const nm_spec surface_spec = {.name = "nm_surface_options",
                                     .size = sizeof(nm_surface_options),
                                     .defaults = &surface_defaults,
                                     .options = surface_rows,
                                     .count = NM_COUNT_OF(surface_rows)};

const nm_probe_type nm_probe_loss_surface = {
    .item = NM_ITEM(
        nm_probe_type, "loss_surface", "the loss along two random directions",
        .spec = &surface_spec,
        .doc = "The batch's loss in training at the points of a square around the parameters, x "
               "along one direction and y along another: random, each row or filter of them as "
               "long as that of the weights; what is no matrix or filter stays. A record a point. "
               "Li and others 2018, arXiv 1712.09913."),
    .values = surface_names,
    .before = draw_surface,
};
