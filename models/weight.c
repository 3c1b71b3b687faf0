/* What the weight of a linear layer is made of: weight norm, weight standardization, spectral norm.
 *
 * Weight norm: Salimans, Kingma 2016, arXiv 1602.07868. Initialization by data, section 3 of the
 * paper: v is drawn from N(0, 0.05^2). Let t be what the layer makes of the first batch with g = 1
 * and no bias, mu and sigma its mean and deviation in each channel. Then g = 1 / sigma and b = -mu
 * / sigma, so the layer's outputs for that batch have mean 0 and deviation 1. Promises:
 *
 * 1. A channel that is constant over the batch keeps g = 1, and gets b = -mu: nothing is infinite.
 * 2. Layers are initialized in their order, each on outputs of those before it as they are by then.
 * 3. Without a bias, g is set all the same.
 * 4. It is deterministic, and leaves no node on the tape.
 *
 * Standardization: each row of the weight with mean 0 and variance 1; scaled (Brock, De, Smith
 * 2021, arXiv 2101.08692), times sqrt(2 / (1 - 1/pi)) / sqrt(fan in) and a gain that is learned:
 * then relu keeps the variance of what it gets.
 *
 * Spectral norm: the vectors of power iteration are buffers. They move in training, once a pass
 * before it, and nowhere else; the first few iterations are done when the layer is built. */
#include "models/weight.h"

#include <math.h>

#include "ops/basic.h"
#include "ops/norm.h"
#include "ops/norm/spectral_norm.h"

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

static const nm_weight_standardization_part standardization_defaults = {.on = true, .eps = 1e-5};
static const nm_option standardization_rows[] = {
    {NM_FIELD(nm_weight_standardization_part, eps), NM_OPTION_FLOAT, .also = "epsilon", .min = 0,
     .max = 1, .doc = "added to a row's variance, inside the root"},
    {NM_FIELD(nm_weight_standardization_part, scaled), NM_OPTION_BOOL,
     .doc = "learn a gain for each output, and multiply by sqrt(2 / (1 - 1/pi)) / sqrt(fan in), so "
            "that relu keeps variances: for networks without normalization"},
};
static const nm_spec standardization_spec = {.name = "nm_weight_standardization_part",
                                             .size = sizeof(nm_weight_standardization_part),
                                             .defaults = &standardization_defaults,
                                             .options = standardization_rows,
                                             .count = NM_COUNT_OF(standardization_rows)};

static const nm_spectral_norm_part spectral_defaults = {.on = true, .iterations = 1};
static const nm_option spectral_rows[] = {
    {NM_FIELD(nm_spectral_norm_part, iterations), NM_OPTION_INT, .also = "n_power_iterations",
     .min = 1, .max = 1000, .doc = "of the power method before each pass in training"},
};
static const nm_spec spectral_spec = {.name = "nm_spectral_norm_part",
                                      .size = sizeof(nm_spectral_norm_part),
                                      .defaults = &spectral_defaults,
                                      .options = spectral_rows,
                                      .count = NM_COUNT_OF(spectral_rows)};

static int count_parts(const nm_weight_part *part)
{
    return part->weight_norm.on + part->weight_standardization.on + part->spectral_norm.on;
}

static void check_part(const void *options, const nm_value *at, nm_diagnostics *d)
{
    if (count_parts(options) > 1) {
        nm_diagnose(d, at,
                    "weight: it takes one of weight_norm, weight_standardization and "
                    "spectral_norm, not several");
    }
}

static const nm_weight_part part_defaults = {.weight_norm = {.on = false}};
static const nm_option part_rows[] = {
    {NM_FIELD(nm_weight_part, weight_norm), NM_OPTION_STRUCT, .spec = &nm_weight_norm_part_spec,
     .doc = "learn direction v and length g: w = g v / ||v||"},
    {NM_FIELD(nm_weight_part, weight_standardization), NM_OPTION_STRUCT,
     .spec = &standardization_spec,
     .doc = "each output's row with mean 0 and variance 1: (w - mean) / sqrt(var + eps)"},
    {NM_FIELD(nm_weight_part, spectral_norm), NM_OPTION_STRUCT, .spec = &spectral_spec,
     .doc = "divided by its largest singular value, as power iteration has found it: the gradient "
            "takes its vectors as constants, and is exact as far as they are"},
};
const nm_spec nm_weight_part_spec = {.name = "nm_weight_part",
                                     .size = sizeof(nm_weight_part),
                                     .defaults = &part_defaults,
                                     .options = part_rows,
                                     .count = NM_COUNT_OF(part_rows),
                                     .check = check_part};

/* ---- Parameters ---- */

#define DATA_DEVIATION 0.05 /* the paper's */

static bool begins_by_data(const nm_weight_part *part)
{
    return part->weight_norm.on && part->weight_norm.init == NM_WEIGHT_INIT_DATA;
}

static nm_choice initializer_of(const nm_weight_options *o, const nm_weight_part *part)
{
    static const nm_normal_options small = {.mean = 0, .deviation = DATA_DEVIATION};
    if (o->init.item) {
        return o->init;
    }
    if (begins_by_data(part)) {
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
    int64_t axis = weight->part.weight_norm.axis, inner = 1;
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

static nm_status build_gain(nm_layer *layer, const nm_shape *shape, nm_weight *weight)
{
    if (weight->part.weight_standardization.scaled) {
        weight->g = nm_layer_constant_parameter(layer, "weight_gain", NM_NORM_SCALE,
                                                NM_SHAPE(shape->dim[0]), 1);
    }
    return nm_context_status(layer->context);
}

#define FIRST_ITERATIONS 15

/* A unit vector that no weight is likely to be orthogonal to. */
static nm_tensor *build_vector(nm_layer *layer, const char *suffix, int64_t length)
{
    return nm_layer_buffer(layer, suffix, NM_SHAPE(length), 1 / sqrt((double)length));
}

static nm_status build_vectors(nm_layer *layer, const nm_shape *shape, nm_weight *weight)
{
    const int64_t out = shape->dim[0], rest = nm_shape_count(shape) / out;
    weight->left = build_vector(layer, "weight_left", out);
    weight->right = build_vector(layer, "weight_right", rest);
    return weight->right && weight->left
               ? nm_spectral_iterate(weight->w, weight->left, weight->right, FIRST_ITERATIONS)
               : nm_context_status(layer->context);
}

static nm_status build_part(nm_layer *layer, const nm_shape *shape, nm_weight *weight)
{
    if (weight->part.weight_norm.on) {
        return build_length(layer, shape, weight);
    }
    return weight->part.weight_standardization.on ? build_gain(layer, shape, weight)
           : weight->part.spectral_norm.on        ? build_vectors(layer, shape, weight)
                                                  : NM_OK;
}

/* The part by its two names. */
static nm_status choose_part(nm_layer *layer, const nm_weight_options *options,
                             nm_weight_part *part)
{
    *part = options->weight;
    if (options->weight_norm.on && count_parts(part)) {
        return nm_layer_fail(layer, "weight_norm stands beside weight, which says what the weight "
                                    "is made of; leave one of them out");
    }
    if (options->weight_norm.on) {
        part->weight_norm = options->weight_norm;
    }
    return NM_OK;
}

nm_status nm_weight_build(nm_layer *layer, const nm_weight_options *options, nm_shape shape,
                          nm_weight *weight)
{
    nm_status status = choose_part(layer, options, &weight->part);
    if (status != NM_OK) {
        return status;
    }
    const nm_choice init = initializer_of(options, &weight->part);
    const char *suffix = weight->part.weight_norm.on ? "weight_v" : "weight";
    weight->w = nm_layer_parameter(layer, suffix, NM_WEIGHT, shape, &init);
    status = weight->w ? build_part(layer, &shape, weight) : nm_context_status(layer->context);
    if (status == NM_OK && begins_by_data(&weight->part)) {
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
    if (!begins_by_data(&weight->part)) {
        return NM_OK;
    }
    bool recording = nm_tape_set_recording(pass->tape, false);
    nm_status status = initialize_by_data(layer, weight, pass, x, linear);
    nm_tape_set_recording(pass->tape, recording);
    return status;
}

/* ---- The pass ---- */

static nm_tensor *standardized(const nm_weight *weight, const nm_pass *pass)
{
    const nm_weight_standardization_part *o = &weight->part.weight_standardization;
    const nm_shape *shape = nm_tensor_shape(weight->w);
    const double fan_in = (double)(nm_shape_count(shape) / shape->dim[0]);
    nm_tensor *gain = weight->g;
    if (gain) { /* a relu's output of N(0, 1) has the variance (1 - 1/pi) / 2 */
        const double pi = 3.14159265358979323846;
        gain = nm_affine(pass->tape, gain, sqrt(2 / (1 - 1 / pi) / fan_in), 0);
    }
    return nm_weight_standardization(pass->tape, weight->w, gain, .eps = o->eps);
}

enum { ITERATED_W, ITERATED_LEFT, ITERATED_RIGHT, ITERATED };

static nm_status iterate(const void *data, nm_tensor *const *in)
{
    return nm_spectral_iterate(in[ITERATED_W], in[ITERATED_LEFT], in[ITERATED_RIGHT],
                               *(const int64_t *)data);
}

static const nm_effect iterating = {"iterate_power", sizeof(int64_t), iterate};

static nm_tensor *divided(const nm_weight *weight, const nm_pass *pass)
{
    const int64_t *iterations = &weight->part.spectral_norm.iterations;
    nm_tensor *in[ITERATED] = {weight->w, weight->left, weight->right};
    if (pass->training && !pass->initialize &&
        nm_tape_do(pass->tape, &iterating, iterations, in, ITERATED) != NM_OK) {
        return NULL;
    }
    return nm_spectral_norm(pass->tape, weight->w, weight->left, weight->right);
}

static nm_tensor *weight_of(const nm_weight *weight, const nm_pass *pass)
{
    const nm_weight_part *part = &weight->part;
    if (part->weight_norm.on) {
        return nm_weight_norm(pass->tape, weight->w, weight->g, .axis = part->weight_norm.axis);
    }
    return part->weight_standardization.on ? standardized(weight, pass)
           : part->spectral_norm.on        ? divided(weight, pass)
                                           : weight->w;
}

nm_tensor *nm_weight_forward(nm_layer *layer, const nm_weight *weight, const nm_pass *pass,
                             nm_tensor *x, nm_linear_fn *linear)
{
    if (pass->initialize && initialize(layer, weight, pass, x, linear) != NM_OK) {
        return NULL;
    }
    nm_tensor *w = weight_of(weight, pass);
    nm_tensor *y = w ? linear(layer, pass, x, w, weight->bias) : NULL;
    nm_pass_discard(pass, w, weight->w);
    return y;
}
