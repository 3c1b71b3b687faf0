/* Dropout: in training, elements become 0 with probability p, and the others grow by 1 / (1 - p).
 */
#include "models/table.h"
#include "ops/loss.h"

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
    if (!pass->random) {
        nm_layer_fail(layer, "a training pass needs random numbers; set its member random");
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
