/* What is random in training alone. Dropout: elements become 0 with probability p, and the others
 * grow by 1 / (1 - p). Noise: units are scaled and shifted by something else in every step. */
#include "models/table.h"
#include "ops/basic.h"
#include "ops/loss.h"
#include "ops/shape.h"

static bool has_random(nm_layer *layer, const nm_pass *pass)
{
    return pass->random ||
           nm_layer_fail(layer, "a training pass needs random numbers; set its member random") ==
               NM_OK;
}

/* ---- Dropout ---- */

typedef struct dropout_layer_options {
    NM_LAYER_FIELDS;
    double p;
} dropout_layer_options;

static nm_tensor *dropout_forward(nm_layer *layer, const nm_pass *pass, nm_tensor *x)
{
    const dropout_layer_options *o = layer->options;
    if (!pass->training || o->p == 0) {
        return x;
    }
    if (!has_random(layer, pass)) {
        return NULL;
    }
    nm_tensor *seed = nm_tape_draw(pass->tape, pass->random);
    return seed ? nm_dropout_drawn(pass->tape, x, seed, o->p) : NULL;
}

static const dropout_layer_options defaults = {.p = 0.5};
static const nm_option rows[] = {
    NM_LAYER_ROWS(dropout_layer_options),
    {NM_FIELD(dropout_layer_options, p), NM_OPTION_FLOAT, .also = "rate prob probability ratio",
     .min = 0, .max = 1, .flags = NM_MAX_OPEN, .doc = "probability of a 0"},
};
static const nm_spec spec = NM_LAYER_SPEC(dropout_layer_options, defaults, rows, NULL);

const nm_layer_type nm_layer_dropout = {
    .item = NM_ITEM(nm_layer_type, "dropout", "random zeros in training", .spec = &spec,
                    .doc = "In training, y = 0 with probability p, else x / (1 - p); in evaluation "
                           "y = x.\nSrivastava and others 2014. Before a batch_norm it makes the "
                           "variances of training and evaluation differ (Li and others 2018, arXiv "
                           "1801.05134); put it behind the last one."),
    .forward = dropout_forward,
};

/* ---- Noise ---- */

typedef struct noise_options {
    NM_LAYER_FIELDS;
    double shift, scale, each;
} noise_options;

typedef struct noise_state {
    nm_tensor *ones; /* [channels] */
} noise_state;

static nm_status noise_build(nm_layer *layer, const nm_shape *x)
{
    noise_state *s = layer->state;
    s->ones = nm_layer_buffer(layer, "ones", NM_SHAPE(x->dim[x->rank - 1]), 1);
    return nm_context_status(layer->context);
}

/* `size` or -size with probability 1/2 each, plus `mean`, for every element of ones. */
static nm_tensor *draw(const nm_pass *pass, nm_tensor *ones, double size, double mean)
{
    nm_tensor *seed = nm_tape_draw(pass->tape, pass->random);
    nm_tensor *sides = seed ? nm_dropout_drawn(pass->tape, ones, seed, 0.5) : NULL; /* 0 or 2 */
    return sides ? nm_affine(pass->tape, sides, size, mean - size) : NULL;
}

static nm_tensor *noise_forward(nm_layer *layer, const nm_pass *pass, nm_tensor *x)
{
    const noise_options *o = layer->options;
    const noise_state *s = layer->state;
    if (!pass->training) {
        return x;
    }
    if (!has_random(layer, pass)) {
        return NULL;
    }
    nm_tensor *all = nm_broadcast_to(pass->tape, s->ones, *nm_tensor_shape(x));
    nm_tensor *scale = draw(pass, s->ones, o->scale, 1);
    nm_tensor *shift = draw(pass, s->ones, o->shift, 0);
    nm_tensor *each = all ? draw(pass, all, o->each, 0) : NULL;
    if (!scale || !shift || !each) {
        return NULL;
    }
    nm_tensor *y = nm_add(pass->tape, nm_mul(pass->tape, x, scale), shift);
    return nm_add(pass->tape, y, each);
}

static const noise_options noise_defaults = {.shift = 0.5, .scale = 0.25, .each = 0.1};
static const nm_option noise_rows[] = {
    NM_LAYER_ROWS(noise_options),
    {NM_FIELD(noise_options, shift), NM_OPTION_FLOAT, .min = 0, .max = 1e6,
     .doc = "how far a channel is shifted"},
    {NM_FIELD(noise_options, scale), NM_OPTION_FLOAT, .min = 0, .max = 1, .flags = NM_MAX_OPEN,
     .doc = "how far its factor is from 1"},
    {NM_FIELD(noise_options, each), NM_OPTION_FLOAT, .min = 0, .max = 1e6,
     .doc = "how far each value is shifted by itself"},
};
static const nm_spec noise_spec = NM_LAYER_SPEC(noise_options, noise_defaults, noise_rows, NULL);

const nm_layer_type nm_layer_noise = {
    .item =
        NM_ITEM(nm_layer_type, "noise", "other scales and shifts of channels at every step",
                .spec = &noise_spec,
                .doc = "In training, y = (1 +- scale) x +- shift for each channel, with signs "
                       "drawn anew at every step, and +- each for every value by itself; in "
                       "evaluation y = x. Behind a batch_norm it undoes what that is said to "
                       "do for the next layer, whose inputs then have another mean and variance "
                       "at every step (Santurkar and others 2018, arXiv 1805.11604, with "
                       "signs in the place of uniform and normal numbers)."),
    .state_size = sizeof(noise_state),
    .build = noise_build,
    .forward = noise_forward,
};
