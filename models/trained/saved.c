/* Models in files: what nm_model_save() writes is a network of its own (optim/saved.h), from which
 * nm_model_open_saved() makes a model without any other file. */
#include <string.h>

#include "core/guard.h"
#include "core/text.h"
#include "models/model_internal.h"

/* ---- Whether two models are the same but for their parameters ---- */

/* The field of `option`, as text: new memory, NULL if there is none left. Choices and values of two
 * documents have nothing else to be compared by. */
static char *field_text(nm_context *context, const nm_option *option, const void *options)
{
    const nm_option one[] = {*option};
    const nm_spec spec = {.options = one, .count = 1};
    nm_text text = {.context = context};
    nm_text_add_options(&text, &spec, options);
    return nm_text_end(&text);
}

static bool same_field(nm_context *context, const nm_option *option, const void *a, const void *b)
{
    char *texts[] = {field_text(context, option, a), field_text(context, option, b)};
    bool same = texts[0] && texts[1] && !strcmp(texts[0], texts[1]);
    nm_free(context, texts[0]);
    nm_free(context, texts[1]);
    return same;
}

/* Layers in a layer are compared as layers; how parameters begin does not matter once they are
 * loaded. */
static bool matters(const nm_layer *layer, const nm_option *option)
{
    bool body = option->type == NM_OPTION_VALUE &&
                ((const layer_record *)(const void *)layer)->has_children;
    bool beginning = option->type == NM_OPTION_CHOICE && option->kind == NM_KIND_INITIALIZER;
    return !body && !beginning;
}

/* The first option that differs; NULL: none. */
static const nm_option *differing_option(nm_context *context, const nm_layer *a, const nm_layer *b)
{
    const nm_spec *spec = a->type->item.spec;
    for (int i = 0; spec && a->options && b->options && i < spec->count; i++) {
        const nm_option *option = &spec->options[i];
        if (matters(a, option) && !same_field(context, option, a->options, b->options)) {
            return option;
        }
    }
    return NULL;
}

/* "it is of another network: layer dense1 has {units: 3} there, {units: 4} here" */
static nm_status other_option(nm_model *m, const nm_layer *mine, const nm_layer *saved,
                              const nm_option *option)
{
    char *here = field_text(m->context, option, mine->options);
    char *there = field_text(m->context, option, saved->options);
    if (here && there) {
        nm_fail(m->context, NM_ERROR_INPUT,
                "it is of another network: layer %s has %s there, %s here", mine->name, there,
                here);
    }
    nm_free(m->context, here);
    nm_free(m->context, there);
    return nm_context_status(m->context);
}

static nm_status compare_layer(nm_model *m, const nm_layer *mine, const nm_layer *saved)
{
    if (mine->type != saved->type) {
        return nm_fail(m->context, NM_ERROR_INPUT,
                       "it is of another network: layer %s is %s there, %s here", mine->name,
                       saved->type->item.name, mine->type->item.name);
    }
    const nm_option *option = differing_option(m->context, mine, saved);
    return option ? other_option(m, mine, saved, option) : nm_context_status(m->context);
}

static nm_status compare_layers(nm_model *m, const nm_model *saved)
{
    for (int i = 0; i < m->count && i < saved->count; i++) {
        const nm_layer *mine = &m->records[i]->layer, *theirs = &saved->records[i]->layer;
        if (mine->type && theirs->type && compare_layer(m, mine, theirs) != NM_OK) {
            return nm_context_status(m->context);
        }
    }
    if (m->count != saved->count) {
        return nm_fail(m->context, NM_ERROR_INPUT,
                       "it is of another network, of %d layers; this one has %d", saved->count,
                       m->count);
    }
    return NM_OK;
}

static nm_status compare_models(nm_model *m, const nm_saved *saved)
{
    nm_diagnostics d;
    char a[NM_SHAPE_TEXT], b[NM_SHAPE_TEXT];
    if (saved->schema && !nm_shape_equal(&saved->schema->shape, &m->input)) {
        return nm_fail(m->context, NM_ERROR_INPUT,
                       "it is of another network, for samples of shape %s; this one's have %s",
                       nm_shape_text(&saved->schema->shape, a), nm_shape_text(&m->input, b));
    }
    if (!saved->model) {
        return NM_OK;
    }
    nm_diagnostics_begin(&d, m->context);
    nm_model *other = nm_model_read(m->context, saved->document, saved->model, &d);
    nm_status status = nm_diagnostics_end(&d);
    if (status == NM_OK) {
        status = compare_layers(m, other);
    }
    nm_model_destroy(other);
    return status;
}

/* ---- Loading ---- */

/* What is not a tensor: kept as long as the model. The file's own tensors are not needed again. */
static void take_saved(nm_model *m, nm_saved *saved)
{
    nm_tensor_file_destroy(saved->file);
    saved->file = NULL;
    if (m->saved.document && m->saved.document == m->document) { /* which the layers are from */
        m->own_document = m->saved.document;
        m->saved.document = NULL;
    }
    nm_saved_close(&m->saved);
    m->saved = *saved;
    m->schema = saved->schema;
    *saved = (nm_saved){0};
}

nm_status nm_model_take(nm_model *m, nm_saved *saved)
{
    nm_status status = nm_store_check_change(m->store);
    if (status == NM_OK) {
        nm_traced_unfold(m->traced);
        status = compare_models(m, saved);
    }
    const bool quantized = saved->quantized;
    status = status == NM_OK ? nm_saved_read(saved, m->store) : status;
    if (status == NM_OK && saved->document) {
        take_saved(m, saved);
    }
    return status == NM_OK ? nm_model_set_quantized(m, quantized) : status;
}

/* Takes what was opened from `name`, or could not be, and closes it. */
static nm_status load(nm_model *model, nm_status status, nm_saved *saved, const char *name)
{
    if (status == NM_OK && (status = nm_model_take(model, saved)) != NM_OK) {
        nm_fail_in(model->context, "%s", name);
    }
    nm_saved_close(saved);
    return status;
}

nm_status nm_model_load(nm_model *model, const char *path)
{
    nm_saved saved;
    NM_GIVEN(model, NM_ERROR_INPUT);
    NM_REQUIRE(model->context, path, NM_ERROR_INPUT);
    char *file = nm_saved_find(model->context, path);
    if (!file) {
        return nm_context_status(model->context);
    }
    nm_status status = nm_saved_open(model->context, file, &saved);
    status = load(model, status, &saved, file);
    nm_free(model->context, file);
    return status;
}

nm_status nm_model_load_memory(nm_model *model, const void *data, size_t size, const char *name)
{
    nm_saved saved;
    NM_GIVEN(model, NM_ERROR_INPUT);
    const nm_status status = nm_saved_parse(model->context, data, size, name, &saved);
    return load(model, status, &saved, name);
}

/* The model that the description is of; the document stays the saved network's. */
static nm_model *build_saved(nm_context *context, const nm_saved *saved)
{
    if (!saved->model || !saved->schema) {
        nm_fail(context, NM_ERROR_INPUT,
                "it holds tensors, but does not say of which network; give the network's YAML file "
                "as well");
        return NULL;
    }
    return nm_model_create(context, saved->document, saved->model, &saved->schema->shape, NULL);
}

/* A model of what was opened from `name`, which is closed. */
static nm_model *make_saved(nm_context *context, nm_saved *saved, const char *name)
{
    nm_model *model = build_saved(context, saved);
    if (!model || nm_saved_read(saved, model->store) != NM_OK) {
        nm_fail_in(context, "%s", name);
        nm_model_destroy(model);
        model = NULL;
    } else {
        take_saved(model, saved);
    }
    nm_saved_close(saved);
    if (model && nm_model_set_quantized(model, model->saved.quantized) != NM_OK) {
        nm_model_destroy(model);
        model = NULL;
    }
    return model;
}

nm_model *nm_model_open_saved(nm_context *context, const char *path)
{
    nm_saved saved;
    char *file = nm_saved_find(context, path);
    const bool is_open = file && nm_saved_open(context, file, &saved) == NM_OK;
    nm_model *model = is_open ? make_saved(context, &saved, file) : NULL;
    nm_free(context, file);
    return model;
}

nm_model *nm_model_open_memory(nm_context *context, const void *data, size_t size, const char *name)
{
    nm_saved saved;
    return nm_saved_parse(context, data, size, name, &saved) == NM_OK
               ? make_saved(context, &saved, name)
               : NULL;
}

/* ---- Saving ---- */

static nm_description describe(const nm_model *model)
{
    nm_description description = nm_saved_describe(&model->saved, model->network.description);
    description.schema = model->schema;
    return description;
}

nm_status nm_model_save(const nm_model *model, const char *path)
{
    NM_GIVEN(model, NM_ERROR_INPUT);
    const nm_description description = describe(model);
    return nm_saved_write(model->store, &description, path);
}

void *nm_model_save_memory(const nm_model *model, size_t *size)
{
    NM_GIVEN(model, NULL);
    const nm_description description = describe(model);
    return nm_saved_write_memory(model->store, &description, size);
}

const nm_saved *nm_model_saved(const nm_model *model)
{
    return model ? &model->saved : NULL;
}

const nm_schema *nm_model_schema(const nm_model *model)
{
    NM_GIVEN(model, NULL);
    return model->schema;
}

void nm_model_set_schema(nm_model *model, const nm_schema *schema)
{
    NM_GIVEN(model && nm_store_check_change(model->store) == NM_OK, );
    model->schema = schema;
}
