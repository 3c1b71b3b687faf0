/* Layers that run together. What a network spends outside of its matrix products goes into reading
 * and writing memory, so an activation, a pooling or a residual addition is best done where the
 * elements are at hand: in the op of the layer before. The list of layers stays as it was written,
 * with its names, costs and parameters; only passes after the build skip what was taken along. */
#include "core/guard.h"
#include "models/model_internal.h"

static unsigned takes(const nm_layer *layer)
{
    return layer->type->takes ? layer->type->takes(layer) : 0;
}

static bool halves(const nm_layer *layer)
{
    return layer && layer->type->halves && layer->type->halves(layer);
}

static nm_activation activation_of(const nm_layer *layer)
{
    return layer ? layer->type->activation : NM_ACTIVATION_NONE;
}

/* relu never falls, so that pooling and relu may change places, to the bit. */
static bool may_change_places(nm_activation activation)
{
    return activation == NM_ACTIVATION_NONE || activation == NM_ACTIVATION_RELU;
}

static void take(layer_record *record, nm_layer *pooling, nm_activation activation)
{
    record->following = (nm_following){.pooling = pooling, .activation = activation};
    record->taken = (pooling != NULL) + (activation != NM_ACTIVATION_NONE);
}

/* layer, relu, pooling, or layer, pooling, relu. */
static bool take_pooling(layer_record *record)
{
    nm_layer *next = record->layer.next, *second = next ? next->next : NULL;
    if (!(takes(&record->layer) & NM_TAKES_POOLING)) {
        return false;
    }
    if (halves(next)) {
        nm_activation activation = activation_of(second);
        const bool both =
            takes(&record->layer) & NM_TAKES_ACTIVATION && may_change_places(activation);
        take(record, next, both ? activation : NM_ACTIVATION_NONE);
        return true;
    }
    if (takes(&record->layer) & NM_TAKES_ACTIVATION && activation_of(next) == NM_ACTIVATION_RELU &&
        halves(second)) {
        take(record, second, NM_ACTIVATION_RELU);
        return true;
    }
    return false;
}

/* An activation that itself takes a pooling along is left alone: after it, there is less to do. */
static void take_activation(layer_record *record)
{
    nm_layer *next = record->layer.next;
    nm_activation activation = activation_of(next);
    if (takes(&record->layer) & NM_TAKES_ACTIVATION && activation != NM_ACTIVATION_NONE &&
        !(takes(next) & NM_TAKES_POOLING && halves(next->next))) {
        take(record, NULL, activation);
    }
}

void nm_model_fuse(nm_model *model)
{
    for (int i = 0; i < model->count; i++) {
        if (!take_pooling(model->records[i])) {
            take_activation(model->records[i]);
        }
    }
}

/* ---- Folding for inference ---- */

/* The layer itself, an affine one behind it, and an activation. */
static nm_status fold(layer_record *record)
{
    nm_layer *layer = &record->layer, *next = layer->next;
    const bool affine = next && next->type->affine && next->type->affine(next, NULL, NULL);
    const size_t channels = (size_t)record->output.dim[record->output.rank - 1];
    double *numbers = affine ? nm_alloc_zero(layer->context, channels, 2 * sizeof *numbers) : NULL;
    if (affine && !numbers) {
        return nm_context_status(layer->context);
    }
    if (affine) {
        next->type->affine(next, numbers, numbers + channels);
    }
    nm_status status = layer->type->fold(layer, numbers, affine ? numbers + channels : NULL);
    nm_free(layer->context, numbers);
    record->folds = status == NM_OK;
    record->folded_activation = activation_of(affine ? next->next : next);
    record->folded_taken = affine + (record->folded_activation != NM_ACTIVATION_NONE);
    return status;
}

nm_status nm_model_fold(nm_model *model)
{
    NM_GIVEN(model, NM_ERROR_INPUT);
    if (model->folded && nm_store_readers(model->store)) {
        return NM_OK; /* with parameters that have not changed since */
    }
    if (nm_store_check_change(model->store) != NM_OK) {
        return nm_context_status(model->context);
    }
    model->folded = false;
    if (model->stage != MODEL_READY) {
        return nm_fail(model->context, NM_ERROR_INPUT,
                       "the model was not built, or not without an error");
    }
    for (int i = 0; model->options.fuse && i < model->count; i++) {
        layer_record *record = model->records[i];
        if (record->layer.type->fold && fold(record) != NM_OK) {
            return nm_context_status(model->context);
        }
    }
    model->folded = model->options.fuse;
    return NM_OK;
}
