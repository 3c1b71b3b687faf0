/* Running layers, one after the other. */
#include "core/graph/parts.h"
#include "core/guard.h"
#include "models/model_internal.h"

/* NULL is always with an error. */
static nm_tensor *forward(nm_layer *layer, const nm_pass *pass, nm_tensor *x)
{
    nm_tensor *y = layer->type->forward(layer, pass, x);
    nm_context *context = nm_tape_context(pass->tape);
    if (!y && nm_context_status(context) == NM_OK) {
        nm_fail(context, NM_ERROR_INTERNAL,
                "%s: the forward pass of \"%s\" returned NULL and did not say why", layer->label,
                layer->type->item.name);
    }
    return y;
}

/* A layer that draws from the stream on its own is noticed, and has drawn nothing. */
static nm_tensor *run_traced(void *self, const void *of, nm_tensor *x)
{
    nm_layer *layer = self;
    const nm_pass *pass = of;
    const uint64_t position = pass->random ? pass->random->position : 0;
    nm_tensor *y = forward(layer, pass, x);
    if (pass->random && pass->random->position != position && nm_tape_is_traced(pass->tape)) {
        pass->random->position = position;
        nm_tape_note_obstacle(pass->tape, "draws random numbers otherwise than by nm_tape_draw()");
    }
    return y;
}

static const nm_graph_part layer_part = {"layer", run_traced};

static nm_tensor *run(nm_layer *layer, const nm_pass *pass, nm_tensor *x)
{
    if (layer->model->stage != MODEL_READY) {
        return nm_layer_run_dry(layer, pass, x);
    }
    const char *outer = nm_tape_enter(pass->tape, layer->label);
    nm_tensor *y = nm_trace_part(pass->tape, &layer_part, layer, pass, x);
    nm_tape_enter(pass->tape, outer);
    return y;
}

nm_tensor *nm_layers_run(const nm_layers *layers, const nm_pass *pass, nm_tensor *x)
{
    NM_GIVEN(layers && pass && pass->tape, NULL);
    nm_tensor *input = x;
    for (nm_layer *layer = layers->first; layer && x;
         layer = layer == layers->last ? NULL : layer->next) {
        nm_tensor *y = run(layer, pass, x);
        if (y && pass->onlooker) {
            pass->onlooker->show(pass->onlooker->user, layer->name, layer->type->item.name, y);
        }
        if (x != y) {
            nm_pass_discard(pass, x, input);
        }
        x = y;
    }
    return x;
}

/* Who looks at what lies between must find it. */
nm_tensor *nm_layers_run_again(const nm_layers *layers, const nm_pass *pass, nm_tensor *x)
{
    NM_GIVEN(layers && pass && pass->tape, NULL);
    if (pass->onlooker) {
        return nm_layers_run(layers, pass, x);
    }
    const int64_t segment = nm_tape_begin_segment(pass->tape);
    nm_tensor *y = nm_layers_run(layers, pass, x);
    return y && nm_tape_end_segment(pass->tape, segment, &y, 1) == NM_OK ? y : NULL;
}
