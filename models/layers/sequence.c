/* Layers one after the other: a sequence, and one repeated. */
#include <stdio.h>

#include "models/table.h"

static nm_tensor *run_all(nm_layer *layer, const nm_pass *pass, nm_tensor *x)
{
    return nm_layers_run(layer->state, pass, x);
}

/* ---- sequence ---- */

typedef struct sequence_options {
    NM_LAYER_FIELDS;
    const nm_value *body;
} sequence_options;

static void sequence_read(nm_layer *layer, nm_diagnostics *d)
{
    const sequence_options *o = layer->options;
    if (o->body) {
        nm_layer_read_children(layer, o->body, NULL, d, layer->state);
    }
}

static const sequence_options sequence_defaults = {.body = NULL};
static const nm_option sequence_rows[] = {
    NM_LAYER_ROWS(sequence_options),
    {NM_FIELD(sequence_options, body), NM_OPTION_VALUE, .flags = NM_REQUIRED,
     .names = nm_layer_list, .doc = "the layers"},
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
    .forward = run_all,
};

/* ---- repeat ---- */

typedef struct repeat_options {
    NM_LAYER_FIELDS;
    int64_t times;
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

static const repeat_options repeat_defaults = {.times = 0};
static const nm_option repeat_rows[] = {
    NM_LAYER_ROWS(repeat_options),
    {NM_FIELD(repeat_options, times), NM_OPTION_INT, .min = 1, .max = 10000, .flags = NM_REQUIRED,
     .doc = "how often"},
    {NM_FIELD(repeat_options, body), NM_OPTION_VALUE, .flags = NM_REQUIRED, .names = nm_layer_list,
     .doc = "the layers"},
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
    .forward = run_all,
};
