/* Norms of gradients, by parameter or by layer's output. */
#include <math.h>

#include "optim/probes/internal.h"

enum { NORM, RELATIVE, COSINE, RATIO, GROWTH, VALUES };
static const char *const values[] = {"norm", "relative", "cosine", "ratio", "growth", NULL};

/* Norms of what follows each other, for their ratio. */
typedef struct chain {
    double first, last, squares;
    int count;
} chain;

static void add(chain *c, double norm)
{
    c->first = c->count ? c->first : norm;
    c->last = norm;
    c->count++;
}

static nm_status emit_whole(nm_probe_view *v, const chain *c)
{
    double row[VALUES] = {sqrt(c->squares), NAN, NAN, NAN, NAN};
    if (c->count > 1 && c->last > 0) {
        row[RATIO] = c->first / c->last;
        row[GROWTH] = pow(row[RATIO], 2.0 / (c->count - 1));
    }
    return nm_probe_emit(v, NULL, row);
}

/* The largest |cosine| between a row and its gradient. */
static double cosine_of(const double *w, const double *g, int64_t rows, int64_t count)
{
    const int64_t width = count / rows;
    double largest = 0;
    for (int64_t r = 0; r < rows; r++) {
        const double *a = w + r * width, *b = g + r * width;
        const double norms = sqrt(nm_probe_dot(a, a, width) * nm_probe_dot(b, b, width));
        const double cosine = norms > 0 ? fabs(nm_probe_dot(a, b, width)) / norms : 0;
        largest = fmax(largest, cosine);
    }
    return largest;
}

static nm_status of_parameter(nm_probe_view *v, int index, chain *c)
{
    const nm_entry *entry = nm_store_at(v->network->store, index);
    const int64_t count = nm_tensor_count(entry->tensor);
    double *g = nm_probe_numbers(v, v->gradients[index]);
    double *w = g ? nm_probe_numbers(v, entry->tensor) : NULL;
    nm_status status = nm_context_status(v->context);
    if (w) {
        const double square = nm_probe_dot(g, g, count), own = nm_probe_dot(w, w, count);
        const double row[VALUES] = {sqrt(square), own > 0 ? sqrt(square / own) : (double)NAN,
                                    cosine_of(w, g, nm_probe_rows(entry->tensor), count), NAN, NAN};
        c->squares += square;
        if (entry->purpose == NM_WEIGHT && nm_tensor_shape(entry->tensor)->rank > 1) {
            add(c, row[NORM]);
        }
        status = nm_probe_emit(v, entry->name, row);
    }
    nm_free(v->context, g);
    nm_free(v->context, w);
    return status;
}

static nm_status of_parameters(nm_probe_view *v, const void *options)
{
    chain c = {0};
    nm_status status = NM_OK;
    for (int i = -1; status == NM_OK && nm_probe_next(v, options, &i);) {
        if (v->gradients[i]) {
            status = of_parameter(v, i, &c);
        }
    }
    return status == NM_OK ? emit_whole(v, &c) : status;
}

static nm_status of_outputs(nm_probe_view *v, const void *options)
{
    chain c = {0};
    nm_status status = NM_OK;
    for (int i = 0; status == NM_OK && i < v->count; i++) {
        const nm_probe_layer *layer = &v->layers[i];
        if (!layer->gradient || !nm_probe_wants(options, layer->name)) {
            continue;
        }
        double *g = nm_probe_numbers(v, layer->gradient);
        status = nm_context_status(v->context);
        if (g) {
            const double square = nm_probe_dot(g, g, nm_tensor_count(layer->gradient));
            const double row[VALUES] = {sqrt(square), NAN, NAN, NAN, NAN};
            c.squares += square;
            add(&c, row[NORM]);
            status = nm_probe_emit(v, layer->name, row);
        }
        nm_free(v->context, g);
    }
    return status == NM_OK ? emit_whole(v, &c) : status;
}

static nm_status before(nm_probe_view *v, const void *options)
{
    const nm_gradient_norms_options *o = options;
    const nm_status status = nm_probe_pass(v, NULL);
    if (status != NM_OK) {
        return status;
    }
    return o->of == NM_OF_OUTPUTS ? of_outputs(v, o) : of_parameters(v, o);
}

static nm_probe_subject chosen(const void *options)
{
    const nm_gradient_norms_options *o = options;
    return o && o->of == NM_OF_OUTPUTS ? NM_PROBE_OUTPUTS : NM_PROBE_PARAMETERS;
}

static const char *const of_names[] = {"parameters", "outputs", NULL};
static const nm_gradient_norms_options defaults = {NM_PROBE_DEFAULTS};
static const nm_option rows[] = {
    NM_PROBE_ROWS(nm_gradient_norms_options),
    {NM_FIELD(nm_gradient_norms_options, of), NM_OPTION_ENUM, .names = of_names,
     .doc = "by what the loss is differentiated: parameters, or the outputs of layers"},
};
static const nm_spec spec = {.name = "nm_gradient_norms_options",
                             .size = sizeof(nm_gradient_norms_options),
                             .defaults = &defaults,
                             .options = rows,
                             .count = NM_COUNT_OF(rows)};

const nm_probe_type nm_probe_gradient_norms = {
    .item = NM_ITEM(
        nm_probe_type, "gradient_norms",
        "how large gradients are, from the first layer to the last", .spec = &spec,
        .doc =
            "norm: of the gradient of each parameter (or output), and of all together. relative: "
            "to the parameter's norm. cosine: between a parameter's rows and their gradients, "
            "the largest (weight norm makes it 0). ratio: the first weight's norm by the last "
            "one's; growth: the same, squared, a layer. Of the batch's mean loss, before "
            "clipping."),
    .values = values,
    .subject = NM_PROBE_EITHER,
    .chosen = chosen,
    .before = before,
};
