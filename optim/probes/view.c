/* What a probe looks by: passes of its own, on a tape of its own, and copies of all that a pass or
 * a probe changes, which is put back. */
#include <fnmatch.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/guard.h"
#include "ops/basic.h"
#include "optim/probes/internal.h"

#define DRAWING (6ull << 60) /* the stream of the places that batches are drawn from, by update */

/* ---- Options ---- */

static const nm_probe_options defaults = {NM_PROBE_DEFAULTS};
static const nm_option rows[] = {
    {NM_FIELD(nm_probe_options, every), NM_OPTION_INT, .min = 1, .max = 1e12,
     .doc = "updates from one look to the next; the first is before any update, the last behind "
            "all of them"},
};
const nm_spec nm_probe_spec = {.name = "nm_probe_options",
                               .size = sizeof(nm_probe_options),
                               .defaults = &defaults,
                               .options = rows,
                               .count = NM_COUNT_OF(rows)};

/* ---- Copies ---- */

nm_status nm_probes_copy(nm_probes *p)
{
    nm_store *store = p->setup.network->store;
    for (int i = 0; i < p->entries; i++) {
        nm_tensor *t = nm_store_at(store, i)->tensor;
        memcpy(p->copies[i], nm_tensor_data(t), nm_tensor_bytes(t));
    }
    return nm_context_status(p->view.context);
}

static void put_back(nm_probes *p, nm_role role)
{
    nm_store *store = p->setup.network->store;
    for (int i = 0; i < p->entries; i++) {
        const nm_entry *entry = nm_store_at(store, i);
        if (entry->role == role) {
            memcpy(nm_tensor_data(entry->tensor), p->copies[i], nm_tensor_bytes(entry->tensor));
            nm_tensor_touch(entry->tensor);
        }
    }
}

void nm_probe_changed(nm_probe_view *view)
{
    NM_GIVEN(view && view->owner, );
    view->owner->seen = NULL;
}

void nm_probe_restore(nm_probe_view *view)
{
    NM_GIVEN(view && view->owner, );
    nm_tape_reset(view->tape);
    nm_probe_changed(view);
    put_back(view->owner, NM_PARAMETER);
}

/* ---- Layers that show themselves ---- */

nm_probe_layer *nm_probe_add_layer(nm_context *context, nm_shown *s, const char *name,
                                   const char *type)
{
    if (s->count == s->room) {
        const int room = 2 * s->room + 16;
        nm_probe_layer *layers = nm_alloc_zero(context, (size_t)room, sizeof *layers);
        if (!layers) {
            return NULL;
        }
        if (s->count) {
            memcpy(layers, s->layers, (size_t)s->count * sizeof *layers);
        }
        nm_free(context, s->layers);
        s->layers = layers;
        s->room = room;
    }
    nm_probe_layer *layer = &s->layers[s->count++];
    *layer = (nm_probe_layer){.type = type};
    snprintf(layer->name, sizeof layer->name, "%s", name);
    return layer;
}

static void show(void *user, const char *name, const char *type, nm_tensor *y)
{
    nm_probes *p = user;
    nm_probe_layer *layer = nm_probe_add_layer(p->view.context, &p->shown, name, type);
    if (layer) {
        layer->output = nm_tensor_keep(y);
    }
    p->view.layers = p->shown.layers;
    p->view.count = p->shown.count;
}

/* ---- A pass ---- */

nm_tensor *nm_probe_forward(nm_probe_view *v, const nm_batch *batch, bool training,
                            nm_tensor **output)
{
    nm_probes *p = v->owner;
    nm_random random = p->random;
    const nm_layer_onlooker onlooker = {p, show};
    const nm_pass pass = {.tape = v->tape,
                          .random = training ? &random : NULL,
                          .training = training,
                          .precision = p->setup.precision,
                          .onlooker = &onlooker};
    nm_tape_reset(v->tape);
    nm_probe_changed(v);
    v->count = p->shown.count = 0;
    nm_tensor *x = nm_tape_wrap(v->tape, NM_F32, batch->shape, batch->x);
    nm_tensor *y = nm_network_forward(v->network, &pass, x);
    if (output) {
        *output = y;
    }
    return nm_loss_of(v->loss, v->tape, y, batch);
}

void nm_probe_restore_buffers(nm_probe_view *v)
{
    put_back(v->owner, NM_BUFFER);
}

nm_status nm_probe_look(nm_probe_view *v, const nm_batch *batch, bool training, double **outputs)
{
    nm_tensor *y = NULL;
    nm_tape_set_recording(v->tape, false);
    nm_tensor *loss = nm_probe_forward(v, batch, training, &y);
    v->value = loss ? nm_tensor_item(loss) : (double)NAN;
    if (outputs) {
        *outputs = loss ? nm_probe_numbers(v, y) : NULL;
    }
    nm_tape_set_recording(v->tape, true);
    nm_probe_restore_buffers(v);
    return nm_context_status(v->context);
}

/* What the loss is differentiated by: outputs of layers, then parameters. */
static int gather_inputs(const nm_probes *p, nm_tensor **inputs)
{
    const nm_probe_view *v = &p->view;
    int count = 0;
    for (int i = 0; i < v->count; i++) {
        if (nm_tensor_requires_grad(v->layers[i].output)) {
            inputs[count++] = v->layers[i].output;
        }
    }
    for (int i = 0; i < p->entries; i++) {
        nm_tensor *t = nm_store_at(p->setup.network->store, i)->tensor;
        if (nm_tensor_requires_grad(t)) {
            inputs[count++] = t;
        }
    }
    return count;
}

static void hand_out(nm_probes *p, nm_tensor *const *grads)
{
    nm_probe_view *v = &p->view;
    int next = 0;
    for (int i = 0; i < v->count; i++) {
        nm_probe_layer *layer = &v->layers[i];
        layer->gradient = nm_tensor_requires_grad(layer->output) ? grads[next++] : NULL;
    }
    for (int i = 0; i < p->entries; i++) {
        nm_tensor *t = nm_store_at(p->setup.network->store, i)->tensor;
        v->gradients[i] = nm_tensor_requires_grad(t) ? grads[next++] : NULL;
    }
}

static nm_status run_backward(nm_probes *p, nm_tensor *loss)
{
    nm_probe_view *v = &p->view;
    const size_t most = (size_t)(v->count + p->entries);
    nm_tensor **both = nm_alloc_zero(v->context, 2 * most + 1, sizeof *both);
    if (both) {
        const int count = gather_inputs(p, both);
        nm_tensor **grads = both + most;
        if (nm_gradients(v->tape, &loss, NULL, 1, both, count, 0, grads) == NM_OK) {
            hand_out(p, grads);
        }
    }
    nm_free(v->context, both);
    return nm_context_status(v->context);
}

nm_status nm_probe_pass(nm_probe_view *v, const nm_batch *batch)
{
    NM_GIVEN(v, NM_ERROR_INPUT);
    NM_UNLESS_FAILED(v->context);
    NM_REQUIRE(v->context, v->owner, NM_ERROR_INPUT);
    nm_probes *p = v->owner;
    batch = batch ? batch : v->batch;
    if (p->seen && p->seen == batch->x && batch == v->batch) {
        return NM_OK;
    }
    nm_tensor *loss = nm_probe_forward(v, batch, true, NULL);
    v->value = loss ? nm_tensor_item(loss) : (double)NAN;
    const nm_status status = loss ? run_backward(p, loss) : nm_context_status(v->context);
    put_back(p, NM_BUFFER); /* not before: the backward pass may read them */
    p->seen = status == NM_OK && batch == v->batch ? batch->x : NULL;
    return status;
}

/* ---- For the probes ---- */

nm_loader *nm_probe_loader(nm_probe_view *v)
{
    nm_probes *p = v->owner;
    if (!p->loader) {
        p->loader = nm_loader_create(v->context, p->setup.set, &p->options, true,
                                     p->setup.seed ^ NM_PROBE_SEED);
    }
    return p->loader;
}

/* Where the next batch is taken from. Of data in its own order the first batches are no sample of
 * all: there each is drawn anew, with the seed of the update. */
static nm_status begin_drawing(nm_probe_view *v)
{
    nm_probes *p = v->owner;
    int64_t first = 0;
    if (p->drawing && p->options.shuffle) {
        return NM_OK;
    }
    if (!p->options.shuffle) {
        nm_random random =
            nm_random_create(p->setup.seed ^ NM_PROBE_SEED, DRAWING + (uint64_t)v->step);
        random.position = (uint64_t)p->rounds++;
        first = nm_random_below(&random, nm_loader_batches(p->loader));
    }
    p->drawing = true;
    return nm_loader_begin(p->loader, v->step, first);
}

nm_status nm_probe_draw(nm_probe_view *v, nm_batch *batch)
{
    NM_GIVEN(v, NM_ERROR_INPUT);
    NM_REQUIRE(v->context, v->owner && batch, NM_ERROR_INPUT);
    nm_probes *p = v->owner;
    nm_status status = nm_probe_loader(v) ? begin_drawing(v) : nm_context_status(v->context);
    status = status == NM_OK ? nm_loader_next(p->loader, batch) : status;
    if (status == NM_OK && !batch->count) { /* a small set: once more around */
        status = nm_loader_begin(p->loader, v->step + ++p->rounds, 0);
        status = status == NM_OK ? nm_loader_next(p->loader, batch) : status;
    }
    return status;
}

bool nm_probe_wants(const nm_probe_options *o, const char *name)
{
    bool wants = name && (!o || !o->layers.count);
    for (int i = 0; o && name && i < o->layers.count && !wants; i++) {
        const char *pattern = o->layers.at[i];
        const size_t length = strlen(pattern);
        wants = fnmatch(pattern, name, 0) == 0 ||
                (strncmp(name, pattern, length) == 0 && name[length] == '.');
    }
    return wants;
}

nm_status nm_probe_emit(nm_probe_view *v, const char *layer, const double *values)
{
    NM_GIVEN(v, NM_ERROR_INPUT);
    NM_REQUIRE(v->context, v->owner && values, NM_ERROR_INPUT);
    const nm_probes *p = v->owner;
    const nm_probe_type *type = p->type;
    nm_probe_record record = {.step = v->step,
                              .probe = type->item.name,
                              .layer = layer,
                              .names = type->values,
                              .values = values};
    while (type->values[record.count]) {
        record.count++;
    }
    return p->setup.emit ? p->setup.emit(p->setup.user, &record) : NM_OK;
}

double *nm_probe_numbers(nm_probe_view *v, nm_tensor *tensor)
{
    NM_GIVEN(v && tensor, NULL);
    const int64_t count = nm_tensor_count(tensor);
    double *numbers = nm_alloc_zero(v->context, (size_t)count + 1, sizeof *numbers);
    if (numbers && nm_tensor_get_f64(tensor, numbers, count) != NM_OK) {
        nm_free(v->context, numbers);
        return NULL;
    }
    return numbers;
}

double *nm_probe_elements(nm_probe_view *v, const nm_tensor *like, const void *elements)
{
    const int64_t count = nm_tensor_count(like);
    double *numbers = nm_alloc_zero(v->context, (size_t)count + 1, sizeof *numbers);
    const bool wide = nm_tensor_dtype(like) == NM_F64;
    for (int64_t i = 0; numbers && i < count; i++) {
        numbers[i] = wide ? ((const double *)elements)[i] : (double)((const float *)elements)[i];
    }
    return numbers;
}

bool nm_probe_next(const nm_probe_view *v, const void *options, int *index)
{
    nm_store *store = v->network->store;
    while (++*index < nm_store_count(store)) {
        const nm_entry *entry = nm_store_at(store, *index);
        if (entry->role == NM_PARAMETER && nm_probe_wants(options, entry->name)) {
            return true;
        }
    }
    return false;
}
