/* Weight norm as an option of linear layers. Salimans, Kingma 2016, arXiv 1602.07868.
 *
 * Initialization by data, section 3 of the paper: v is drawn from N(0, 0.05^2). Let t be what the
 * layer makes of the first batch with g = 1 and no bias, mu and sigma its mean and deviation in
 * each channel. Then g = 1 / sigma and b = -mu / sigma, so the layer's outputs for that batch have
 * mean 0 and deviation 1. Promises:
 *
 * 1. A channel that is constant over the batch keeps g = 1, and gets b = -mu: nothing is infinite.
 * 2. Layers are initialized in their order, each on outputs of those before it as they are by then.
 * 3. Without a bias, g is set all the same.
 * 4. It is deterministic, and leaves no node on the tape. */
#include "models/weight.h"

#include <math.h>

#include "ops/norm.h"

/* ---- Options ---- */

static void check_weight_norm(const void *options, const nm_value *at, nm_diagnostics *d)
{
    const nm_weight_norm_part *o = options;
    if (o->init == NM_WEIGHT_INIT_DATA && o->axis != 0) {
        nm_diagnose(d, at,
                    "weight_norm: \"init: data\" gives each output channel its own length, which "
                    "takes \"axis: 0\", not %lld",
                    (long long)o->axis);
    }
}

static const char *const init_names[] = {"norm", "data", NULL};
static const nm_weight_norm_part defaults = {.on = true, .axis = 0, .init = NM_WEIGHT_INIT_NORM};
static const nm_option rows[] = {
    {NM_FIELD(nm_weight_norm_part, axis), NM_OPTION_INT, .min = -1, .max = NM_MAX_RANK - 1,
     .doc = "the axis of the weight that keeps a length each, 0 being the output channels; -1: one "
            "length for all"},
    {NM_FIELD(nm_weight_norm_part, init), NM_OPTION_ENUM, .names = init_names,
     .doc = "norm: the weight begins as the initializer made it; data: so that the first batch's "
            "outputs have mean 0 and deviation 1"},
};
const nm_spec nm_weight_norm_part_spec = {.name = "nm_weight_norm_part",
                                          .size = sizeof(nm_weight_norm_part),
                                          .defaults = &defaults,
                                          .options = rows,
                                          .count = NM_COUNT_OF(rows),
                                          .check = check_weight_norm};

/* ---- Parameters ---- */

#define DATA_DEVIATION 0.05 /* the paper's */

static nm_choice initializer_of(const nm_weight_options *o)
{
    static const nm_normal_options small = {.mean = 0, .deviation = DATA_DEVIATION};
    if (o->init.item) {
        return o->init;
    }
    if (o->weight_norm.on && o->weight_norm.init == NM_WEIGHT_INIT_DATA) {
        return (nm_choice){.item = &nm_initializer_normal.item, .options = &small};
    }
    return (nm_choice){.item = &nm_initializer_he.item};
}

/* g = ||v||, over all axes but one; element i of v belongs to g[i / inner % kept]. */
static void set_to_norms(nm_tensor *g, nm_tensor *v, int64_t inner)
{
    int64_t kept = nm_tensor_count(g);
    for (int64_t i = 0; i < nm_tensor_count(v); i++) {
        int64_t at = i / inner % kept;
        double value = nm_tensor_get(v, i);
        nm_tensor_set(g, at, nm_tensor_get(g, at) + value * value);
    }
    for (int64_t i = 0; i < kept; i++) {
        nm_tensor_set(g, i, sqrt(nm_tensor_get(g, i)));
    }
}

static nm_status build_length(nm_layer *layer, const nm_shape *shape, nm_weight *weight)
{
    int64_t axis = weight->norm.axis, inner = 1;
    if (axis >= shape->rank) {
        char text[NM_SHAPE_TEXT];
        return nm_layer_fail(layer, "weight_norm: the weight %s has no axis %lld",
                             nm_shape_text(shape, text), (long long)axis);
    }
    for (int i = (int)axis + 1; i < shape->rank; i++) {
        inner *= shape->dim[i];
    }
    nm_shape kept = axis < 0 ? NM_SCALAR_SHAPE : NM_SHAPE(shape->dim[axis]);
    weight->g = nm_layer_parameter(layer, "weight_g", NM_WEIGHT, kept, NULL);
    if (weight->g) {
        set_to_norms(weight->g, weight->w, inner);
    }
    return nm_context_status(layer->context);
}

nm_status nm_weight_build(nm_layer *layer, const nm_weight_options *options, nm_shape shape,
                          nm_weight *weight)
{
    const nm_choice init = initializer_of(options);
    weight->norm = options->weight_norm;
    const char *suffix = weight->norm.on ? "weight_v" : "weight";
    weight->w = nm_layer_parameter(layer, suffix, NM_WEIGHT, shape, &init);
    nm_status status = weight->w ? NM_OK : nm_context_status(layer->context);
    if (status == NM_OK && weight->norm.on) {
        status = build_length(layer, &shape, weight);
    }
    if (status == NM_OK && weight->norm.on && weight->norm.init == NM_WEIGHT_INIT_DATA) {
        nm_layer_want_data(layer);
    }
    if (status == NM_OK && options->bias) {
        weight->bias = nm_layer_parameter(layer, "bias", NM_BIAS, NM_SHAPE(shape.dim[0]), NULL);
        status = nm_context_status(layer->context);
    }
    return status;
}

/* ---- Initialization by data ---- */

/* Deviations below this part of the mean are rounding: promise 1. */
#define NEGLIGIBLE 1e-6

static void set_from_statistics(const nm_weight *weight, nm_tensor *mean, nm_tensor *var)
{
    for (int64_t i = 0; i < nm_tensor_count(weight->g); i++) {
        double mu = nm_tensor_get(mean, i), sigma = sqrt(nm_tensor_get(var, i));
        double g = sigma > NEGLIGIBLE * fabs(mu) ? 1 / sigma : 1;
        nm_tensor_set(weight->g, i, g);
        if (weight->bias) {
            nm_tensor_set(weight->bias, i, -mu * g);
        }
    }
}

static nm_status initialize_by_data(nm_layer *layer, const nm_weight *weight, const nm_pass *pass,
                                    nm_tensor *x, nm_linear_fn *linear)
{
    nm_tensor *t =
        linear(layer, pass, x, nm_weight_norm(pass->tape, weight->w, NULL, .axis = 0), NULL);
    if (t && nm_tensor_count(t) < 2 * nm_tensor_count(weight->g)) {
        return nm_layer_fail(layer, "weight_norm: \"init: data\" needs a first batch of at least "
                                    "two values a channel, not one; enlarge the batch");
    }
    if (nm_pass_is_dry(pass)) {
        return nm_context_status(layer->context);
    }
    nm_batch_norm_result r = nm_batch_norm_with(pass->tape, t, NULL, NULL, NULL, NULL, NULL);
    if (r.var) {
        set_from_statistics(weight, r.mean, r.var);
    }
    return nm_context_status(layer->context);
}

static nm_status initialize(nm_layer *layer, const nm_weight *weight, const nm_pass *pass,
                            nm_tensor *x, nm_linear_fn *linear)
{
    if (!weight->norm.on || weight->norm.init != NM_WEIGHT_INIT_DATA) {
        return NM_OK;
    }
    bool recording = nm_tape_set_recording(pass->tape, false);
    nm_status status = initialize_by_data(layer, weight, pass, x, linear);
    nm_tape_set_recording(pass->tape, recording);
    return status;
}

/* ---- The pass ---- */

nm_tensor *nm_weight_forward(nm_layer *layer, const nm_weight *weight, const nm_pass *pass,
                             nm_tensor *x, nm_linear_fn *linear)
{
    if (pass->initialize && initialize(layer, weight, pass, x, linear) != NM_OK) {
        return NULL;
    }
    nm_tensor *w = weight->w;
    if (weight->norm.on) {
        w = nm_weight_norm(pass->tape, w, weight->g, .axis = weight->norm.axis);
    }
    nm_tensor *y = linear(layer, pass, x, w, weight->bias);
    nm_pass_discard(pass, w, weight->w);
    return y;
}
