/* A layer on a dry tape: built on its first run, measured, or tried. */
#include <string.h>

#include "core/guard.h"
#include "core/op.h"
#include "models/model_internal.h"
#include "models/table.h"

static nm_shape without_batch(const nm_shape *shape)
{
    nm_shape sample = {.rank = shape->rank - 1};
    memcpy(sample.dim, shape->dim + 1, (size_t)sample.rank * sizeof *sample.dim);
    return sample;
}

/* Layers are functions of samples: the batch stays the first axis. */
static nm_status check_output(nm_layer *layer, const nm_tensor *x, const nm_tensor *y)
{
    char in[NM_SHAPE_TEXT], out[NM_SHAPE_TEXT];
    const nm_shape *from = nm_tensor_shape(x), *to = nm_tensor_shape(y);
    if (to->rank >= 1 && to->dim[0] == from->dim[0]) {
        return NM_OK;
    }
    return nm_layer_fail(layer, "it makes %s of %s; the first axis, the batch, must stay as it is",
                         nm_shape_text(to, out), nm_shape_text(from, in));
}

static layer_cost cost_so_far(const nm_model *m, const nm_tape *tape)
{
    nm_tape_cost cost = nm_tape_cost_so_far(tape);
    return (layer_cost){m->parameters, cost.multiply_adds, cost.bytes};
}

/* With two samples less with one: what a sample costs. Parameters are made in building. */
static void add_cost(layer_record *record, const layer_cost *before, const layer_cost *after)
{
    const model_stage stage = record->layer.model->stage;
    if (stage == MODEL_BUILDING) {
        record->cost.parameters += after->parameters - before->parameters;
        return;
    }
    const int64_t sign = stage == MODEL_MEASURING_ONE ? -1 : 1;
    record->cost.multiply_adds += sign * (after->multiply_adds - before->multiply_adds);
    record->cost.bytes += sign * (after->bytes - before->bytes);
}

static bool is_built(nm_layer *layer, const nm_tensor *x)
{
    if (layer->model->stage != MODEL_BUILDING || !layer->type->build) {
        return true;
    }
    return layer->type->build(layer, nm_tensor_shape(x)) == NM_OK;
}

static nm_tensor *run(nm_layer *layer, const nm_pass *pass, nm_tensor *x)
{
    layer_record *record = record_of(layer);
    layer_cost before = cost_so_far(layer->model, pass->tape);
    nm_tensor *y = is_built(layer, x) ? layer->type->forward(layer, pass, x) : NULL;
    if (y && check_output(layer, x, y) != NM_OK) {
        return NULL;
    }
    if (y && layer->model->stage != MODEL_TRYING) {
        layer_cost after = cost_so_far(layer->model, pass->tape);
        add_cost(record, &before, &after);
        record->output = without_batch(nm_tensor_shape(y));
    }
    return y;
}

nm_tensor *nm_layer_run_dry(nm_layer *layer, const nm_pass *pass, nm_tensor *x)
{
    nm_model *m = layer->model;
    if (!layer->type || record_of(layer)->broken) {
        return NULL;
    }
    if (layer->type == &nm_layer_dense && nm_tensor_shape(x)->rank > 2 && !m->spread) {
        m->spread = layer;
    }
    const char *outer = nm_tape_enter(pass->tape, layer->label);
    nm_tensor *y = run(layer, pass, x);
    nm_tape_enter(pass->tape, outer);
    if (!y && !m->failed) {
        m->failed = layer->at; /* the innermost comes first */
    }
    return y;
}
