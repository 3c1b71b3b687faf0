/* Models with weights of 8 bits, for predictions. In memory weights are f32 all the same, with the
 * values that their 8 bits stand for: what is made of them for a folded pass, batch norm and weight
 * norm included, is rounded to the same whole numbers again (ops/passes/weights.c). */
#include "core/guard.h"
#include "models/model_internal.h"
#include "optim/saved_quantized.h"

nm_status nm_model_set_quantized(nm_model *model, bool quantized)
{
    model->saved.quantized = quantized;
    if (model->traced) {
        nm_traced_quantize(model->traced, quantized);
    }
    return quantized ? nm_model_fold(model) : nm_context_status(model->context);
}

nm_status nm_model_quantize(nm_model *model)
{
    NM_GIVEN(model, NM_ERROR_INPUT);
    NM_UNLESS_FAILED(model->context);
    if (model->stage != MODEL_READY || model->options.dtype != NM_F32) {
        return nm_fail(model->context, NM_ERROR_INPUT,
                       model->stage == MODEL_READY
                           ? "nm_model_quantize: the model is of f64; weights of f32 are rounded "
                             "to 8 bits"
                           : "the model was not built, or not without an error");
    }
    if (model->saved.quantized) {
        return NM_OK;
    }
    nm_status status = nm_quantized_round(model->store);
    return status == NM_OK ? nm_model_set_quantized(model, true) : status;
}

bool nm_model_is_quantized(const nm_model *model)
{
    NM_GIVEN(model, false);
    return model->saved.quantized;
}
