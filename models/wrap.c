/* Models of networks written in C: a model of one layer, whose forward pass is the program's. All
 * that models do, they do with it as with any layer. What the rows within it are, for the summary,
 * is found by a trace of the pass. */
#include <string.h>

#include "core/graph/graph.h"
#include "core/guard.h"
#include "models/model_internal.h"

/* ---- The layer ---- */

static nm_status network_build(nm_layer *layer, const nm_shape *x)
{
    (void)x;
    layer->model->parameters += nm_store_parameters(layer->model->store);
    return NM_OK;
}

static nm_tensor *network_forward(nm_layer *layer, const nm_pass *pass, nm_tensor *x)
{
    nm_tape_enter(pass->tape, NULL); /* scopes within are the program's */
    return nm_network_forward(layer->state, pass, x);
}

static const nm_layer_type network_type = {
    .item = NM_ITEM(nm_layer_type, "network", "a network written in C"),
    .build = network_build,
    .forward = network_forward,
};

/* ---- Rows within it ---- */

/* The same pass with one and with two samples: the difference is what a sample costs. */
typedef struct traces {
    nm_model *model;
    nm_graph *one, *two;
    bool *seen; /* [values of `one`]: parameters that are counted */
} traces;

static const nm_shape *shape_of(const nm_graph *graph, int value)
{
    return value < 0 ? NULL : &nm_graph_value_at(graph, value)->shape;
}

static int64_t multiply_adds(const traces *t, const nm_graph *graph, const nm_graph_step *step)
{
    nm_infer infer = {.context = t->model->context,
                      .op = step->op,
                      .options = step->options,
                      .inputs = step->inputs,
                      .dtype = t->model->options.dtype};
    for (int i = 0; i < step->inputs; i++) {
        infer.in[i] = shape_of(graph, step->in[i]);
    }
    for (int i = 0; i < step->outputs; i++) {
        infer.out[i] = step->out[i] < 0 ? NM_SCALAR_SHAPE : *shape_of(graph, step->out[i]);
    }
    return step->op->multiply_adds ? step->op->multiply_adds(&infer) : 0;
}

static int64_t bytes_of(const nm_graph *graph, const nm_graph_step *step)
{
    int64_t bytes = 0;
    for (int i = 0; i < step->outputs && !(step->op->flags & NM_OP_VIEW); i++) {
        const nm_graph_value *value = nm_graph_value_at(graph, step->out[i]);
        bytes += value ? nm_shape_count(&value->shape) * (int64_t)nm_dtype_size(value->dtype) : 0;
    }
    return bytes;
}

/* Elements of the parameters that no row before had. */
static int64_t new_parameters(const traces *t, const nm_graph_step *step)
{
    int64_t count = 0;
    for (int i = 0; i < step->inputs; i++) {
        const nm_graph_value *value = nm_graph_value_at(t->one, step->in[i]);
        const nm_entry *entry = value ? value->entry : NULL;
        if (entry && entry->role == NM_PARAMETER && !t->seen[step->in[i]]) {
            t->seen[step->in[i]] = true;
            count += nm_tensor_count(entry->tensor);
        }
    }
    return count;
}

static nm_shape without_batch(const nm_shape *shape)
{
    nm_shape sample = {.rank = shape->rank > 0 ? shape->rank - 1 : 0};
    memcpy(sample.dim, shape->dim + 1, (size_t)sample.rank * sizeof *sample.dim);
    return sample;
}

static void add_step(const traces *t, int index, layer_record *row)
{
    const nm_graph_step *step = nm_graph_step_at(t->one, index);
    const nm_graph_step *more = nm_graph_step_at(t->two, index);
    row->cost.parameters += new_parameters(t, step);
    row->cost.multiply_adds += multiply_adds(t, t->two, more) - multiply_adds(t, t->one, step);
    row->cost.bytes += bytes_of(t->two, more) - bytes_of(t->one, step);
    if (step->outputs && step->out[0] >= 0) {
        row->output = without_batch(shape_of(t->one, step->out[0]));
    }
}

/* "dense2" for the second one without a scope, else the scope. */
static char *name_of(const traces *t, int index)
{
    const nm_graph_step *step = nm_graph_step_at(t->one, index);
    int number = 1;
    if (step->scope) {
        return nm_copy_string(t->model->context, step->scope);
    }
    for (int i = 0; i < index; i++) {
        const nm_graph_step *before = nm_graph_step_at(t->one, i);
        number += before->op == step->op && !before->scope;
    }
    return nm_format(t->model->context, "%s%d", step->op->item.name, number);
}

/* A row that is called as the op, for what it is, and runs nothing. */
static layer_record *add_row(const traces *t, int index)
{
    nm_layer *layer = nm_model_add_layer(t->model, NULL, sizeof(nm_layer_type), 1);
    if (!layer) {
        return NULL;
    }
    nm_layer_type *type = layer->state;
    type->item = nm_graph_step_at(t->one, index)->op->item;
    layer->type = type;
    layer->name = name_of(t, index);
    return layer->name ? record_of(layer) : NULL;
}

/* A row an op, but for those of one scope that follow each other. */
static nm_status add_rows(traces *t)
{
    layer_record *row = NULL;
    const char *scope = NULL;
    for (int i = 0; i < nm_graph_step_count(t->one); i++) {
        const nm_graph_step *step = nm_graph_step_at(t->one, i);
        if (step->kind != NM_STEP_OP || t->model->count == NM_MODEL_MAX_LAYERS) {
            continue;
        }
        const bool goes_on = row && scope && step->scope && strcmp(scope, step->scope) == 0;
        row = goes_on ? row : add_row(t, i);
        if (!row) {
            return nm_context_status(t->model->context);
        }
        add_step(t, i, row);
        scope = step->scope;
    }
    t->model->records[0]->has_children = row != NULL;
    return NM_OK;
}

static nm_graph *trace(const nm_model *m, int64_t batch)
{
    nm_shape shape = {.rank = m->input.rank + 1, .dim = {batch}};
    memcpy(shape.dim + 1, m->input.dim, (size_t)m->input.rank * sizeof *shape.dim);
    return nm_network_trace(&m->network, &(nm_pass){.tape = NULL}, m->options.dtype, shape);
}

/* None for a pass that no graph can hold: it may be trained all the same. */
static nm_status find_rows(nm_model *m)
{
    traces t = {.model = m, .one = trace(m, 1)};
    t.two = t.one ? trace(m, 2) : NULL;
    nm_status status = nm_context_status(m->context);
    if (status == NM_ERROR_INPUT) {
        nm_context_clear_error(m->context);
        status = NM_OK;
    } else if (t.two && nm_graph_step_count(t.one) == nm_graph_step_count(t.two)) {
        t.seen = nm_alloc_zero(m->context, (size_t)nm_graph_value_count(t.one) + 1, sizeof *t.seen);
        status = t.seen ? add_rows(&t) : NM_ERROR_MEMORY;
    }
    nm_free(m->context, t.seen);
    nm_graph_destroy(t.one);
    nm_graph_destroy(t.two);
    return status;
}

/* ---- The model ---- */

static nm_dtype dtype_of(const nm_store *store)
{
    const nm_selection parameters = {.roles = NM_ONE_OF(NM_PARAMETER)};
    const nm_entry *first = nm_store_next(store, NULL, &parameters);
    return first ? nm_tensor_dtype(first->tensor) : NM_F32;
}

/* The one layer, with the network as its state. */
static nm_status add_network(nm_model *m, const nm_network *network)
{
    nm_layer *layer = nm_model_add_layer(m, &network_type, sizeof *network, 0);
    if (!layer) {
        return NM_ERROR_MEMORY;
    }
    memcpy(layer->state, network, sizeof *network);
    m->layers = (nm_layers){layer, layer, 1};
    m->network.description = network->description;
    m->network.wants_data = network->wants_data;
    m->network.reentrant = network->reentrant;
    layer->name = nm_copy_string(m->context, network_type.item.name);
    layer->label = nm_context_label(m->context, network_type.item.name);
    return layer->name && layer->label ? NM_OK : NM_ERROR_MEMORY;
}

nm_model *nm_model_wrap(const nm_network *network, nm_shape sample)
{
    NM_GIVEN(network && network->store, NULL);
    nm_context *context = nm_store_context(network->store);
    NM_REQUIRE(context, network->forward, NULL);
    if (nm_shape_count(&sample) < 0 || sample.rank >= NM_MAX_RANK) {
        nm_fail(context, NM_ERROR_INPUT,
                "nm_model_wrap: a sample's shape is of rank 0 to %d, without negative numbers",
                NM_MAX_RANK - 1);
        return NULL;
    }
    nm_model *m = nm_context_status(context) == NM_OK ? nm_model_make(context, NULL) : NULL;
    if (!m || !m->names || !m->store) {
        nm_model_destroy(m);
        return NULL;
    }
    nm_store_destroy(m->store);
    nm_store_release(m->store);
    m->store = m->network.store = network->store;
    nm_store_hold(m->store);
    m->is_wrapped = true;
    nm_diagnostics d;
    nm_diagnostics_begin(&d, context);
    if (add_network(m, network) == NM_OK) {
        const nm_model_options options = {.dtype = dtype_of(network->store), .seed = 1};
        nm_model_build(m, &sample, &options, &d);
    }
    if (nm_diagnostics_end(&d) != NM_OK || find_rows(m) != NM_OK) {
        nm_model_destroy(m);
        return NULL;
    }
    return m;
}
