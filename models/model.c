#include "models/model.h"

#include <string.h>

#include "core/graph/parts.h"
#include "core/guard.h"
#include "models/model_internal.h"

/* ---- Making and destroying ---- */

static void destroy_record(layer_record *record)
{
    nm_layer *layer = &record->layer;
    if (layer->type && layer->type->destroy) {
        layer->type->destroy(layer);
    }
    nm_free(layer->context, layer->name);
    nm_free(layer->context, record);
}

static void destroy_now(nm_model *model)
{
    nm_context *context = model->context;
    for (int i = 0; i < model->count; i++) {
        destroy_record(model->records[i]);
    }
    nm_free(context, model->records);
    nm_traced_destroy(model->traced);
    nm_map_destroy(model->names);
    nm_map_destroy(model->alike);
    if (!model->is_wrapped) {
        nm_store_destroy(model->store);
    }
    nm_store_release(model->store);
    nm_saved_close(&model->saved);
    nm_free(context, model->description);
    nm_document_destroy(model->own_document);
    nm_free(context, model);
}

/* Models that were destroyed while others read them, in a context. */
typedef struct leftovers {
    nm_model *first;
} leftovers;

static const char leftovers_key;

/* Those that nobody reads any more; all of them, where the context ends. */
static void destroy_leftovers(nm_context *context, void *memory)
{
    (void)context;
    nm_model **at = &((leftovers *)memory)->first;
    while (*at) {
        nm_model *model = *at;
        if (nm_store_readers(model->store)) {
            at = &model->next_left;
        } else {
            *at = model->next_left;
            destroy_now(model);
        }
    }
}

static leftovers *leftovers_of(nm_context *context)
{
    return nm_context_attach(context, &leftovers_key, sizeof(leftovers), destroy_leftovers);
}

nm_status nm_model_expect_readers(nm_model *model)
{
    leftovers *left = leftovers_of(model->context);
    if (left) {
        destroy_leftovers(model->context, left);
    }
    return nm_context_status(model->context);
}

void nm_model_destroy(nm_model *model)
{
    if (!model || model->holders) {
        if (model) {
            model->closed = true;
        }
        return;
    }
    if (model->store && nm_store_readers(model->store)) {
        leftovers *left = leftovers_of(model->context); /* there since it could be read */
        model->next_left = left->first;
        left->first = model;
        return;
    }
    destroy_now(model);
}

void nm_model_hold(nm_model *model)
{
    model->holders++;
}

void nm_model_release(nm_model *model)
{
    if (--model->holders == 0 && model->closed) {
        nm_model_destroy(model);
    }
}

/* ---- Use ---- */

nm_store *nm_model_store(const nm_model *model)
{
    NM_GIVEN(model, NULL);
    return model->store;
}

const nm_network *nm_model_network(const nm_model *model)
{
    return model ? &model->network : NULL;
}

/* A loop of one's own may forget what the network asked for. Parameters may be another's work, so
 * it is no error. */
static void tell_of_start(nm_model *model, const nm_pass *pass)
{
    if (pass->initialize) {
        model->begun = true;
    } else if (pass->training && model->network.wants_data && !model->begun &&
               !nm_store_is_filled(model->store)) {
        model->begun = true;
        nm_context_log(model->context, NM_LOG_WARNING,
                       "the model is trained without the data-dependent start that it asks for "
                       "(nm_network.wants_data): run one pass with .initialize = true on the first "
                       "batch before");
    }
}

static nm_status check_training(const nm_model *model)
{
    return !model->saved.quantized
               ? NM_OK
               : nm_fail(model->context, NM_ERROR_INPUT,
                         "the network's weights have 8 bits, which are for predictions; train the "
                         "network that it was made from");
}

/* A dense layer takes any axes in front: one sample would pass for what it is not. */
static nm_status check_rank(const nm_model *model, const nm_tensor *x)
{
    const nm_shape *shape = x ? nm_tensor_shape(x) : NULL;
    char a[NM_SHAPE_TEXT], b[NM_SHAPE_TEXT];
    if (!shape || shape->rank == model->input.rank + 1) {
        return NM_OK;
    }
    return nm_fail(
        model->context, NM_ERROR_INPUT,
        "x %s must be a batch of samples %s: it needs %d axes, the first of which counts "
        "the samples, of length 1 for one",
        nm_shape_text(shape, a), nm_shape_text(&model->input, b), model->input.rank + 1);
}

static nm_tensor *forward_by(nm_model *model, nm_traced *traced, const nm_pass *pass, nm_tensor *x)
{
    if (model->stage != MODEL_READY) {
        nm_fail(model->context, NM_ERROR_INPUT, "the model was not built, or not without an error");
        return NULL;
    }
    if (check_rank(model, x) != NM_OK) {
        return NULL;
    }
    if ((pass->training || pass->initialize) && !nm_tape_is_traced(pass->tape)) {
        if (nm_store_check_change(model->store) != NM_OK || check_training(model) != NM_OK) {
            return NULL;
        }
        tell_of_start(model, pass);
    }
    return traced ? nm_traced_forward(traced, pass, x) : nm_layers_run(&model->layers, pass, x);
}

nm_tensor *nm_model_forward(nm_model *model, const nm_pass *pass, nm_tensor *x)
{
    NM_GIVEN(model, NULL);
    NM_REQUIRE(model->context, pass && pass->tape, NULL);
    nm_model_hold(model);
    nm_tensor *y = forward_by(model, model->traced, pass, x);
    nm_model_release(model);
    return y;
}

nm_status nm_model_fold(nm_model *model)
{
    NM_GIVEN(model, NM_ERROR_INPUT);
    if (nm_traced_is_folded(model->traced) && nm_store_readers(model->store)) {
        return NM_OK; /* with parameters that have not changed since */
    }
    if (nm_store_check_change(model->store) != NM_OK) {
        return nm_context_status(model->context);
    }
    if (model->stage != MODEL_READY) {
        return nm_fail(model->context, NM_ERROR_INPUT,
                       "the model was not built, or not without an error");
    }
    nm_shape one = {.rank = model->input.rank + 1, .dim = {1}};
    memcpy(one.dim + 1, model->input.dim, (size_t)model->input.rank * sizeof *one.dim);
    return model->traced ? nm_traced_fold(model->traced, model->options.dtype, one) : NM_OK;
}

/* Values in the targets' own units. */
static void restore(const nm_schema *schema, nm_tensor *y)
{
    const nm_shape *shape = nm_tensor_shape(y);
    float *values = schema->target_channels ? nm_tensor_f32(y) : NULL;
    if (values && nm_tensor_count(y) == shape->dim[0] * schema->target_channels) {
        nm_schema_restore(schema, values, shape->dim[0]);
    }
}

nm_tensor *nm_model_predict(nm_model *model, nm_tape *tape, nm_tensor *x)
{
    NM_GIVEN(model, NULL);
    NM_REQUIRE(model->context, tape, NULL);
    nm_model_hold(model);
    nm_tensor *y = nm_model_predict_by(model, model->traced, tape, x);
    nm_model_release(model);
    return y;
}

nm_tensor *nm_model_predict_by(nm_model *model, nm_traced *traced, nm_tape *tape, nm_tensor *x)
{
    nm_pass pass = {.tape = tape};
    const nm_schema *schema = model->options.dtype == NM_F32 ? model->schema : NULL;
    bool recording = nm_tape_set_recording(tape, false);
    x = schema ? nm_schema_prepare(schema, tape, x) : x;
    nm_tensor *y = x ? forward_by(model, traced, &pass, x) : NULL;
    if (y && schema) {
        restore(schema, y);
    }
    nm_tape_set_recording(tape, recording);
    return y;
}

/* ---- What it is made of ---- */

int nm_model_layer_count(const nm_model *model)
{
    NM_GIVEN(model, 0);
    return model->count;
}

nm_layer_summary nm_model_layer_at(const nm_model *model, int index)
{
    NM_GIVEN(model && index >= 0 && index < model->count, ((nm_layer_summary){0}));
    const layer_record *record = model->records[index];
    return (nm_layer_summary){
        .name = record->layer.name,
        .type = record->layer.type->item.name,
        .depth = record->depth,
        .has_children = record->has_children,
        .output = record->output,
        .parameters = record->cost.parameters,
        .multiply_adds = record->cost.multiply_adds,
        .bytes = record->cost.bytes,
    };
}

nm_layer_summary nm_model_total(const nm_model *model)
{
    NM_GIVEN(model, ((nm_layer_summary){0}));
    nm_layer_summary total = {.output = model->output};
    for (int i = 0; i < model->count; i++) {
        const layer_record *record = model->records[i];
        if (record->depth == 0) {
            total.parameters += record->cost.parameters;
            total.multiply_adds += record->cost.multiply_adds;
            total.bytes += record->cost.bytes;
        }
    }
    return total;
}

const nm_shape *nm_model_input(const nm_model *model)
{
    return model ? &model->input : nm_tensor_shape(NULL);
}

const nm_shape *nm_model_output(const nm_model *model)
{
    return model ? &model->output : nm_tensor_shape(NULL);
}

const nm_value *nm_model_place(const nm_model *model, const char *name)
{
    NM_GIVEN(model, NULL);
    NM_REQUIRE(model->context, name, NULL);
    const nm_layer *layer = nm_map_find(model->names, name);
    return layer ? layer->at : NULL;
}
