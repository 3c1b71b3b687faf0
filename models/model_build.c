/* The first runs of a model, on a dry tape: one with any number of samples, in which each layer is
 * built when the pass reaches it; and one with one and one with two samples, whose costs differ by
 * that of a sample. */
#include <stdio.h>
#include <string.h>

#include "core/guard.h"
#include "core/op.h"
#include "models/model_internal.h"

/* ---- All of them ---- */

static nm_shape without_batch(const nm_shape *shape)
{
    nm_shape sample = {.rank = shape->rank - 1};
    memcpy(sample.dim, shape->dim + 1, (size_t)sample.rank * sizeof *sample.dim);
    return sample;
}

static nm_tensor *run_layers(void *self, const nm_pass *pass, nm_tensor *x)
{
    const nm_model *m = self;
    return nm_layers_run(&m->layers, pass, x);
}

static nm_tensor *run_with(nm_model *m, nm_tape *tape, model_stage stage, int64_t batch)
{
    nm_shape shape = {.rank = m->input.rank + 1, .dim = {batch}};
    memcpy(shape.dim + 1, m->input.dim, (size_t)m->input.rank * sizeof *shape.dim);
    nm_pass pass = {.tape = tape};
    m->stage = stage;
    nm_tape_reset(tape);
    return nm_layers_run(&m->layers, &pass, nm_tape_tensor(tape, m->options.dtype, shape));
}

/* Passes of a built model run from graphs of what its layers do. */
static void trace_passes(nm_model *m)
{
    nm_network layers = m->network;
    layers.forward = run_layers;
    m->traced = m->network.traced = m->options.fuse ? nm_traced_create(&layers) : NULL;
}

static void run_dry(nm_model *m)
{
    nm_tape *tape = nm_tape_create(m->context);
    if (!tape) {
        return;
    }
    nm_tape_set_dry(tape, true);
    nm_tape_set_recording(tape, false);
    nm_tensor *y = run_with(m, tape, MODEL_BUILDING, NM_ANY_BATCH);
    y = y ? run_with(m, tape, MODEL_MEASURING_ONE, 1) : NULL;
    y = y ? run_with(m, tape, MODEL_MEASURING_TWO, 2) : NULL;
    if (y) {
        m->output = without_batch(nm_tensor_shape(y));
        m->stage = MODEL_READY;
        trace_passes(m);
    }
    nm_tape_destroy(tape);
}

/* A container stopped at a broken layer in it: nothing is wrong with the layers around. */
static void report(nm_model *m, nm_diagnostics *d)
{
    if (nm_context_status(m->context) != NM_OK) {
        nm_diagnose_standing(d, m->failed);
    } else if (m->stage != MODEL_READY && !d->count) {
        nm_diagnose(d, m->failed, "model: a forward pass returned NULL and did not say why");
    }
}

/* The sample's shape as given and as in the file: one will do, two must agree. */
static bool find_input(nm_model *m, const nm_shape *sample, nm_diagnostics *d)
{
    char own[NM_SHAPE_TEXT], given[NM_SHAPE_TEXT];
    bool known = m->input.rank >= 0;
    if (sample && (nm_shape_count(sample) < 0 || sample->rank >= NM_MAX_RANK)) {
        nm_diagnose(d, NULL, "model: a sample's shape is of rank 0 to %d, and not %s of rank %d",
                    NM_MAX_RANK - 1, nm_shape_text(sample, given), sample->rank);
        return false;
    }
    if (known && sample && !nm_shape_equal(&m->input, sample)) {
        nm_diagnose(d, m->input_at, "model: \"input\" is %s, but the samples are %s",
                    nm_shape_text(&m->input, own), nm_shape_text(sample, given));
        return false;
    }
    if (!known && !sample) {
        nm_diagnose(d, m->layers.first ? m->layers.first->at : NULL,
                    "model: the shape of a sample is not known; write the model as "
                    "{input: [28, 28, 1], layers: [...]}");
        return false;
    }
    m->input = known ? m->input : *sample;
    return true;
}

/* Whoever builds it destroys it on an error, if none of its layers has done so. */
static void end_building(nm_model *m, nm_diagnostics *d)
{
    if (m->closed) {
        nm_diagnose(d, m->failed, "model: a layer destroyed it while it was being built");
    }
    m->closed = false;
    m->holders--;
}

void nm_model_build(nm_model *model, const nm_shape *sample, const nm_model_options *options,
                    nm_diagnostics *d)
{
    NM_GIVEN(model, );
    if (nm_context_status(model->context) != NM_OK || !model->layers.count) {
        return;
    }
    model->options = options ? *options : (nm_model_options){NM_MODEL_DEFAULTS};
    model->options.fuse = model->options.fuse && !model->apart;
    if (find_input(model, sample, d)) {
        nm_model_hold(model);
        run_dry(model);
        report(model, d);
        end_building(model, d);
    }
}

/* ---- Trials ---- */

/* Where the layer of that label stands. */
static const nm_value *place_of(const nm_model *m, const char *label)
{
    for (int i = 0; i < m->count; i++) {
        if (label && m->records[i]->layer.label && !strcmp(m->records[i]->layer.label, label)) {
            return m->records[i]->layer.at;
        }
    }
    return m->layers.last->at;
}

/* What the outputs come from, but for a change of shape, and dropout. */
static void find_origin(const nm_model *m, const nm_tensor *y, nm_trial *trial)
{
    nm_tensor *input = NULL;
    const nm_op *op = nm_tensor_origin(y, &trial->layer, &input);
    while (op && (op->flags & NM_OP_VIEW || strcmp(op->item.name, "dropout") == 0)) {
        op = nm_tensor_origin(input, &trial->layer, &input);
    }
    trial->op = op;
    trial->at = place_of(m, op ? trial->layer : NULL);
}

/* A dense layer works along the last axis of an image: most often a flatten was forgotten. */
static void find_remedy(const nm_model *m, nm_trial *trial)
{
    const nm_layer *dense = m->spread;
    if (dense && dense->at->line > 0 && trial->output.rank > 2) {
        trial->remedy_at = dense->at;
        snprintf(trial->remedy, sizeof trial->remedy, "put flatten before %s (line %d)",
                 dense->type->item.name, dense->at->line);
    }
}

static nm_tensor *try_layers(nm_model *m, const nm_pass *pass, const nm_shape *x)
{
    m->failed = NULL;
    m->stage = MODEL_TRYING;
    nm_tensor *y =
        nm_layers_run(&m->layers, pass, nm_tape_tensor(pass->tape, m->options.dtype, *x));
    m->stage = MODEL_READY;
    return y;
}

static nm_status try_model(nm_model *m, const nm_pass *pass, const nm_shape *x, nm_trial *trial)
{
    nm_random random = nm_random_create(m->options.seed, 0);
    nm_pass dry = *pass;
    *trial = (nm_trial){.output = {.rank = -1}};
    if (m->stage != MODEL_READY) {
        return nm_context_status(m->context);
    }
    dry.random = &random;
    dry.tape = nm_tape_create(m->context);
    if (dry.tape) {
        nm_tape_set_dry(dry.tape, true);
        nm_tensor *y = try_layers(m, &dry, x);
        trial->at = m->failed;
        if (y) {
            trial->output = *nm_tensor_shape(y);
            find_origin(m, y, trial);
            find_remedy(m, trial);
        }
    }
    nm_tape_destroy(dry.tape);
    return nm_context_status(m->context);
}

nm_status nm_model_try(void *self, const nm_pass *pass, const nm_shape *x, nm_trial *trial)
{
    nm_model *m = self;
    nm_context *context = m->context;
    nm_model_hold(m);
    const nm_status status = try_model(m, pass, x, trial);
    nm_model_release(m);
    return status == NM_OK ? nm_context_status(context) : status;
}
