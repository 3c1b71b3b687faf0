/* Running layers: one after the other, each with what it takes along. */
#include "core/graph/parts.h"
#include "core/guard.h"
#include "models/model_internal.h"

/* A layer that draws from the stream on its own is noticed, and has drawn nothing. */
static nm_tensor *run_traced(void *self, const void *of, nm_tensor *x)
{
    nm_layer *layer = self;
    const nm_pass *pass = of;
    const uint64_t position = pass->random ? pass->random->position : 0;
    nm_tensor *y = layer->type->forward(layer, pass, x);
    if (pass->random && pass->random->position != position && nm_tape_is_traced(pass->tape)) {
        pass->random->position = position;
        nm_tape_note_obstacle(pass->tape, "draws random numbers otherwise than by nm_tape_draw()");
    }
    return y;
}

static const nm_graph_part layer_part = {"layer", run_traced};

nm_tensor *nm_layer_run_with(nm_layer *layer, const nm_pass *pass, nm_tensor *x,
                             const nm_following *following)
{
    NM_GIVEN(layer, NULL);
    NM_REQUIRE(layer->context, pass && pass->tape, NULL);
    NM_REQUIRE(layer->context, x, NULL);
    if (layer->model->stage != MODEL_READY) {
        return nm_layer_run_dry(layer, pass, x);
    }
    const char *outer = nm_tape_set_scope(pass->tape, layer->label);
    nm_tensor *y = following ? layer->type->forward_with(layer, pass, x, following)
                   : nm_tape_is_traced(pass->tape)
                       ? nm_trace_part(pass->tape, &layer_part, layer, pass, x)
                       : layer->type->forward(layer, pass, x);
    nm_tape_set_scope(pass->tape, outer);
    return y;
}

static bool is_folded(const nm_layer *layer, const nm_pass *pass)
{
    return layer->model->folded && !pass->training && !pass->initialize &&
           !nm_tape_is_traced(pass->tape);
}

/* Initialization by data looks at every layer by itself. */
static bool runs_together(const nm_layer *layer, const nm_pass *pass)
{
    const nm_model *m = layer->model;
    return m->stage == MODEL_READY && m->options.fuse && !pass->initialize &&
           !nm_tape_is_traced(pass->tape);
}

bool nm_layer_is_fusing(const nm_layer *layer, const nm_pass *pass)
{
    NM_GIVEN(layer, false);
    NM_REQUIRE(layer->context, pass, false);
    return runs_together(layer, pass) && !is_folded(layer, pass);
}

static nm_tensor *run_folded(nm_layer *layer, const nm_pass *pass, nm_tensor *x)
{
    const char *outer = nm_tape_set_scope(pass->tape, layer->label);
    nm_tensor *y = layer->type->forward_folded(layer, pass, x, record_of(layer)->folded_activation);
    nm_tape_set_scope(pass->tape, outer);
    return y;
}

/* The layer behind `layer` and those that it takes along. */
static nm_layer *after(nm_layer *layer, int taken)
{
    nm_layer *next = layer->next;
    for (; taken > 0; taken--) {
        next = next->next;
    }
    return next;
}

/* Runs a layer and what goes along with it. `next`: the one to run after it. */
static nm_tensor *run_some(nm_layer *layer, const nm_pass *pass, nm_tensor *x, nm_layer **next)
{
    const layer_record *record = record_of(layer);
    if (record->folds && is_folded(layer, pass)) {
        *next = after(layer, record->folded_taken);
        return run_folded(layer, pass, x);
    }
    const bool takes = record->taken && runs_together(layer, pass);
    *next = after(layer, takes ? record->taken : 0);
    return nm_layer_run_with(layer, pass, x, takes ? &record->following : NULL);
}

/* The layers before `end` (NULL: all). */
static nm_tensor *run_until(const nm_layers *layers, const nm_layer *end, const nm_pass *pass,
                            nm_tensor *x)
{
    nm_tensor *input = x;
    for (nm_layer *layer = layers->first, *next; layer != end && x; layer = next) {
        nm_tensor *y = run_some(layer, pass, x, &next);
        if (x != y) {
            nm_pass_discard(pass, x, input);
        }
        x = y;
    }
    return x;
}

nm_tensor *nm_layers_run(const nm_layers *layers, const nm_pass *pass, nm_tensor *x)
{
    NM_GIVEN(layers && pass, NULL);
    return run_until(layers, NULL, pass, x);
}

nm_tensor *nm_layers_run_but_last(const nm_layers *layers, const nm_pass *pass, nm_tensor *x)
{
    NM_GIVEN(layers && pass, NULL);
    return run_until(layers, layers->last, pass, x);
}

unsigned nm_layers_take(const nm_layers *layers)
{
    NM_GIVEN(layers, 0);
    const nm_layer *last = layers->last;
    return last && last->type && last->type->takes ? last->type->takes(last) : 0;
}
