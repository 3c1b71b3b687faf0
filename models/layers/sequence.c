/* Layers one after the other: a sequence, and one repeated. */
#include <stdio.h>

#include "models/table.h"

/* ---- sequence ---- */

typedef struct sequence_options {
    NM_LAYER_FIELDS;
    bool recompute;
    const nm_value *body;
} sequence_options;

static void sequence_read(nm_layer *layer, nm_diagnostics *d)
{
    const sequence_options *o = layer->options;
    if (o->body) {
        nm_layer_read_children(layer, o->body, NULL, d, layer->state);
    }
}

static nm_tensor *sequence_forward(nm_layer *layer, const nm_pass *pass, nm_tensor *x)
{
    const sequence_options *o = layer->options;
    return o->recompute ? nm_layers_run_again(layer->state, pass, x)
                        : nm_layers_run(layer->state, pass, x);
}

static const sequence_options sequence_defaults = {.body = NULL};
static const nm_option sequence_rows[] = {
    NM_LAYER_ROWS(sequence_options),
    {NM_FIELD(sequence_options, body), NM_OPTION_VALUE, .flags = NM_REQUIRED,
     .names = nm_layer_list, .doc = "the layers"},
    NM_RECOMPUTE_ROW(sequence_options, "the layers"),
};
static const nm_spec sequence_spec =
    NM_LAYER_SPEC(sequence_options, sequence_defaults, sequence_rows, NULL);

const nm_layer_type nm_layer_sequence = {
    .item = NM_ITEM(nm_layer_type, "sequence", "layers one after the other",
                    .also = "sequential block", .spec = &sequence_spec,
                    .doc = "For a part of a network that is to have a name: sequence: {name: stem, "
                           "body: [...]} has layers stem.conv1, stem.bn1, ..."),
    .state_size = sizeof(nm_layers),
    .read = sequence_read,
    .forward = sequence_forward,
};

/* ---- repeat ---- */

typedef struct repeat_options {
    NM_LAYER_FIELDS;
    int64_t times;
    bool recompute;
    const nm_value *body;
} repeat_options;

/* A mistake in the body is one mistake, however often it is repeated. */
static void repeat_read(nm_layer *layer, nm_diagnostics *d)
{
    const repeat_options *o = layer->options;
    char part[24];
    int errors = d->count;
    for (int64_t i = 1; o->body && i <= o->times && d->count == errors; i++) {
        snprintf(part, sizeof part, "%lld", (long long)i);
        nm_layer_read_children(layer, o->body, part, d, layer->state);
        if (nm_context_status(layer->context) != NM_OK) {
            return;
        }
    }
}

/* The layers of one time, from `first` on. */
static nm_layers one_time(nm_layer *first, int count)
{
    nm_layers layers = {first, first, count};
    for (int i = 1; i < count; i++) {
        layers.last = layers.last->next;
    }
    return layers;
}

/* Each time is a segment. */
static nm_tensor *run_again(const nm_layers *all, int64_t times, const nm_pass *pass, nm_tensor *x)
{
    nm_tensor *input = x;
    const int count = (int)(all->count / times);
    nm_layer *first = all->first;
    for (int64_t i = 0; first && x && i < times; i++) {
        const nm_layers layers = one_time(first, count);
        nm_tensor *y = nm_layers_run_again(&layers, pass, x);
        if (x != y) {
            nm_pass_discard(pass, x, input);
        }
        first = layers.last->next;
        x = y;
    }
    return x;
}

static nm_tensor *repeat_forward(nm_layer *layer, const nm_pass *pass, nm_tensor *x)
{
    const repeat_options *o = layer->options;
    return o->recompute ? run_again(layer->state, o->times, pass, x)
                        : nm_layers_run(layer->state, pass, x);
}

static const repeat_options repeat_defaults = {.times = 0};
static const nm_option repeat_rows[] = {
    NM_LAYER_ROWS(repeat_options),
    {NM_FIELD(repeat_options, times), NM_OPTION_INT, .min = 1, .max = 10000, .flags = NM_REQUIRED,
     .doc = "how often"},
    {NM_FIELD(repeat_options, body), NM_OPTION_VALUE, .flags = NM_REQUIRED, .names = nm_layer_list,
     .doc = "the layers"},
    NM_RECOMPUTE_ROW(repeat_options, "each time"),
};
static const nm_spec repeat_spec =
    NM_LAYER_SPEC(repeat_options, repeat_defaults, repeat_rows, NULL);

const nm_layer_type nm_layer_repeat = {
    .item = NM_ITEM(nm_layer_type, "repeat",
                    "the same layers several times, each with parameters "
                    "of its own",
                    .spec = &repeat_spec,
                    .doc = "repeat: {times: 2, body: [dense: {units: 8}, relu]} has layers "
                           "repeat1.1.dense1, repeat1.1.relu1, repeat1.2.dense1, repeat1.2.relu1."),
    .state_size = sizeof(nm_layers),
    .read = repeat_read,
    .forward = repeat_forward,
};
