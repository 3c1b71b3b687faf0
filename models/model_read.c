/* A model from the part `model` of a file, or from a file of its own. */
#include <string.h>

#include "core/guard.h"
#include "core/text.h"
#include "models/model_internal.h"
#include "models/plugin_read.h"
#include "models/parts.h"

/* ---- The whole value ---- */

typedef struct model_part {
    nm_ints input;
    const nm_value *layers;
    bool fuse;
} model_part;

static const model_part defaults = {.fuse = true};
static const nm_option rows[] = {
    {NM_FIELD(model_part, input), NM_OPTION_INTS, .also = "input_shape shape", .min = 1, .max = 1e9,
     .doc = "the shape of a sample, such as [28, 28, 1]: height, width, channels"},
    {NM_FIELD(model_part, layers), NM_OPTION_VALUE, .flags = NM_REQUIRED, .names = nm_layer_list,
     .doc = "the layers, one after the other"},
    {NM_FIELD(model_part, fuse), NM_OPTION_BOOL,
     .doc = "run from graphs of the pass, where one op does the work of several layers"},
};
const nm_spec nm_model_spec = {.name = "model_part",
                               .size = sizeof(model_part),
                               .defaults = &defaults,
                               .options = rows,
                               .count = NM_COUNT_OF(rows)};

static void set_input(nm_model *m, const nm_ints *input, const nm_value *at, nm_diagnostics *d)
{
    if (input->count > NM_MAX_RANK - 1) {
        nm_diagnose(d, at, "model: \"input\" has at most %d dimensions, not %d", NM_MAX_RANK - 1,
                    input->count);
        return;
    }
    m->input.rank = input->count;
    memcpy(m->input.dim, input->at, (size_t)input->count * sizeof *input->at);
    m->input_at = at;
}

/* The list of layers in `{input: ..., layers: ...}`. */
static const nm_value *read_part(nm_model *m, const nm_value *map, nm_diagnostics *d)
{
    model_part part;
    nm_spec_read(&nm_model_spec, map, "model", m->document, d, &part);
    const nm_value *input = nm_value_get(map, "input");
    if (input && part.input.count) {
        set_input(m, &part.input, input, d);
    }
    m->apart = !part.fuse;
    return part.layers;
}

static nm_tensor *network_forward(void *self, const nm_pass *pass, nm_tensor *x)
{
    return nm_model_forward(self, pass, x);
}

nm_model *nm_model_make(nm_context *context, nm_document *document)
{
    nm_model *m = nm_alloc_zero(context, 1, sizeof *m);
    if (!m) {
        return NULL;
    }
    m->context = context;
    m->document = document;
    m->input.rank = m->output.rank = -1;
    m->network = (nm_network){.self = m, .forward = network_forward, .try_on = nm_model_try};
    m->names = nm_map_create(context);
    m->alike = m->names ? nm_map_create(context) : NULL;
    m->store = m->network.store = nm_store_create(context);
    nm_store_hold(m->store); /* its user can get at it, and destroy it */
    return m;
}

static void describe(nm_model *m, const nm_value *value)
{
    nm_text text = {.context = m->context};
    nm_text_add_value(&text, value);
    m->network.description = m->description = nm_text_end(&text);
}

nm_model *nm_model_read(nm_context *context, nm_document *document, const nm_value *value,
                        nm_diagnostics *d)
{
    NM_REQUIRE(context, value, NULL);
    NM_REQUIRE(context, d, NULL);
    nm_model *m = nm_model_make(context, document);
    if (m && m->names && m->store) {
        describe(m, value);
        const nm_value *list = value->kind == NM_VALUE_MAP ? read_part(m, value, d) : value;
        if (list) {
            nm_layers_read(m, list, "model", NULL, 0, d, &m->layers);
        }
    }
    if (nm_context_status(context) != NM_OK) {
        nm_model_destroy(m);
        return NULL;
    }
    return m;
}

nm_model *nm_model_create(nm_context *context, nm_document *document, const nm_value *value,
                          const nm_shape *sample, const nm_model_options *options)
{
    NM_REQUIRE(context, value, NULL);
    nm_diagnostics d;
    nm_diagnostics_begin(&d, context);
    nm_model *model = nm_model_read(context, document, value, &d);
    if (model) {
        nm_model_build(model, sample, options, &d);
    }
    if (nm_diagnostics_end(&d) != NM_OK) {
        nm_model_destroy(model);
        return NULL;
    }
    return model;
}

/* The part `model`, once the plugins are there. */
static const nm_value *part_of(nm_context *context, nm_document *document, const char *path)
{
    nm_diagnostics d;
    const nm_value *root = nm_document_root(document), *value = nm_value_get(root, "model");
    nm_diagnostics_begin(&d, context);
    nm_plugins_read(nm_value_get(root, "plugins"), document, &d);
    if (nm_diagnostics_end(&d) != NM_OK) {
        return NULL;
    }
    if (!value) {
        nm_fail(context, NM_ERROR_INPUT, "%s: it has no part \"model\"; add it", path);
    }
    return value;
}

nm_model *nm_model_open(nm_context *context, const char *path, const nm_shape *sample)
{
    NM_REQUIRE(context, path, NULL);
    nm_document *document = nm_document_read(context, path);
    const nm_value *value = document ? part_of(context, document, path) : NULL;
    nm_model_options options = {NM_MODEL_DEFAULTS, .seed = nm_context_seed(context)};
    nm_model *model = value ? nm_model_create(context, document, value, sample, &options) : NULL;
    if (!model) {
        nm_document_destroy(document);
        return NULL;
    }
    model->own_document = document;
    return model;
}
