/* What layers use, whatever their type. */
#include "models/layer.h"

#include <stdio.h>

#include "core/graph/parts.h"
#include "core/guard.h"
#include "models/model_internal.h"
#include "models/table.h"

static const nm_layer_options no_options = {.name = NULL};
static const nm_option only_name[] = {NM_LAYER_ROWS(nm_layer_options)};
const char *const nm_layer_list[] = {"a list of layers", NULL};
const nm_advice nm_layer_advice[] = {
    {"activation", NULL, "put the activation behind it, as a layer of its own"},
    {"in_features in_channels input_shape input_dim num_features", NULL,
     "leave it out: it follows from the samples"},
    {"padding", "same", "a padding of 1 keeps the size for a kernel of 3, of 2 for one of 5"},
    {"padding", "valid", "that is a padding of 0"},
    {NULL, NULL, NULL},
};

const nm_spec nm_layer_spec = NM_LAYER_SPEC(nm_layer_options, no_options, only_name, NULL);

/* ---- Parameters and buffers ---- */

#define LONGEST_NAME 512

static nm_tensor *add_tensor(nm_layer *layer, const char *suffix, nm_role role, nm_purpose purpose,
                             nm_dtype dtype, nm_shape shape)
{
    char name[LONGEST_NAME];
    int length = snprintf(name, sizeof name, "%s.%s", layer->name, suffix);
    if (length >= LONGEST_NAME) {
        nm_layer_fail(layer, "its name is longer than %d bytes; choose shorter names",
                      LONGEST_NAME - 1);
        return NULL;
    }
    nm_tensor *tensor = nm_store_add(layer->model->store, name, role, purpose, dtype, shape);
    if (!tensor) {
        nm_fail_in(layer->context, "%s: %s", layer->label, suffix);
    } else if (role == NM_PARAMETER) {
        layer->model->parameters += nm_tensor_count(tensor);
    }
    return tensor;
}

nm_tensor *nm_layer_parameter(nm_layer *layer, const char *suffix, nm_purpose purpose,
                              nm_shape shape, const nm_choice *init)
{
    NM_GIVEN(layer, NULL);
    NM_REQUIRE(layer->context, suffix, NULL);
    const nm_model_options *o = &layer->model->options;
    nm_tensor *tensor = add_tensor(layer, suffix, NM_PARAMETER, purpose, o->dtype, shape);
    if (tensor && init && init->item && nm_initialize(init, o->seed, tensor) != NM_OK) {
        nm_fail_in(layer->context, "%s", layer->label);
        return NULL;
    }
    return tensor;
}

static nm_tensor *filled(nm_tensor *tensor, double value)
{
    return tensor && nm_tensor_fill(tensor, value) == NM_OK ? tensor : NULL;
}

nm_tensor *nm_layer_constant_parameter(nm_layer *layer, const char *suffix, nm_purpose purpose,
                                       nm_shape shape, double value)
{
    NM_GIVEN(layer, NULL);
    return filled(nm_layer_parameter(layer, suffix, purpose, shape, NULL), value);
}

nm_tensor *nm_layer_buffer(nm_layer *layer, const char *suffix, nm_shape shape, double value)
{
    NM_GIVEN(layer, NULL);
    nm_dtype dtype = layer->model->options.dtype;
    return filled(add_tensor(layer, suffix, NM_BUFFER, NM_STATISTIC, dtype, shape), value);
}

nm_tensor *nm_layer_variance(nm_layer *layer, const char *suffix, nm_shape shape, double value)
{
    NM_GIVEN(layer, NULL);
    nm_dtype dtype = layer->model->options.dtype;
    return filled(add_tensor(layer, suffix, NM_BUFFER, NM_VARIANCE, dtype, shape), value);
}

nm_tensor *nm_layer_counter(nm_layer *layer, const char *suffix)
{
    NM_GIVEN(layer, NULL);
    return add_tensor(layer, suffix, NM_BUFFER, NM_COUNTER, NM_I64, NM_SCALAR_SHAPE);
}

const nm_entry *nm_layer_entry(const nm_layer *layer, const nm_tensor *tensor)
{
    NM_GIVEN(layer, NULL);
    return tensor ? nm_store_find(layer->model->store, nm_tensor_name(tensor)) : NULL;
}

void nm_layer_want_data(nm_layer *layer)
{
    NM_GIVEN(layer, );
    layer->model->network.wants_data = true;
}

nm_status nm_layer_axis(nm_layer *layer, const nm_shape *x, int64_t axis, int *out)
{
    NM_GIVEN(layer, NM_ERROR_INPUT);
    NM_REQUIRE(layer->context, x, NM_ERROR_INPUT);
    NM_REQUIRE(layer->context, out, NM_ERROR_INPUT);
    char text[NM_SHAPE_TEXT];
    *out = nm_shape_axis(x, axis);
    if (*out > 0) {
        return NM_OK;
    }
    nm_shape_text(x, text);
    return *out ? nm_layer_fail(layer, "its input %s has no axis %lld", text, (long long)axis)
                : nm_layer_fail(layer, "axis %lld of its input %s is the batch; choose another",
                                (long long)axis, text);
}

/* The nearest layer of that type before `layer`, a layer of depth 0; NULL: none. */
static const nm_layer *find_before(const nm_layer *layer, const nm_layer_type *type)
{
    const nm_layer *found = NULL, *l = layer->model->layers.first;
    for (; l && l != layer; l = l->next) {
        found = l->type == type ? l : found;
    }
    return l ? found : NULL;
}

/* The root of a number that is a square; else 0. */
static int64_t root_of(int64_t square)
{
    int64_t root = 0;
    while (root < 65536 && root * root < square) {
        root++;
    }
    return root * root == square ? root : 0;
}

/* As the end of a sentence: a shape to give the samples, by a layer in front. */
static void add_image_shape(const nm_shape *x, char *text, size_t size)
{
    const int64_t side = x->rank == 2 ? root_of(x->dim[1]) : 0;
    const long long height = x->rank == 3 ? x->dim[1] : side;
    const long long width = x->rank == 3 ? x->dim[2] : side;
    if (height && width) {
        snprintf(text, size, "[-1, %lld, %lld, 1]", height, width);
    } else {
        snprintf(text, size, "[-1, height, width, channels]");
    }
}

nm_status nm_layer_images(nm_layer *layer, const nm_shape *x)
{
    NM_GIVEN(layer, NM_ERROR_INPUT);
    NM_REQUIRE(layer->context, x, NM_ERROR_INPUT);
    char text[NM_SHAPE_TEXT], shape[96];
    if (x->rank == 4) {
        return NM_OK;
    }
    const nm_layer *flatten = find_before(layer, &nm_layer_flatten);
    if (flatten && flatten->at->line > 0) {
        return nm_layer_fail(layer,
                             "its input %s must be images, [batch, height, width, channels]; put "
                             "it before flatten (line %d), or remove that",
                             nm_shape_text(x, text), flatten->at->line);
    }
    add_image_shape(x, shape, sizeof shape);
    return nm_layer_fail(layer,
                         "its input %s must be images, [batch, height, width, channels]; if it is, "
                         "put op: {apply: {reshape: {shape: %s}}} in front",
                         nm_shape_text(x, text), shape);
}

nm_status nm_layer_fail(nm_layer *layer, const char *format, ...)
{
    NM_GIVEN(layer, NM_ERROR_INPUT);
    NM_UNLESS_FAILED(layer->context);
    va_list list;
    va_start(list, format);
    nm_fail_v(layer->context, NM_ERROR_INPUT, format, list);
    va_end(list);
    nm_fail_in(layer->context, "%s: %s", layer->label, layer->type->item.name);
    return NM_ERROR_INPUT;
}

/* ---- Running ---- */

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

void nm_pass_discard(const nm_pass *pass, nm_tensor *x, const nm_tensor *input)
{
    if (x != input && !nm_tape_is_recording(pass->tape)) {
        nm_tape_discard(pass->tape, x);
    }
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

nm_tensor *nm_forward_op(nm_layer *layer, const nm_pass *pass, nm_tensor *x)
{
    NM_GIVEN(layer, NULL);
    NM_REQUIRE(layer->context, pass, NULL);
    NM_REQUIRE(layer->context, x, NULL);
    return nm_apply1(pass->tape, layer->type->op, NULL, x);
}

bool nm_pass_is_dry(const nm_pass *pass)
{
    NM_GIVEN(pass, false);
    return nm_tape_is_dry(pass->tape);
}

/* ---- Registration ---- */

/* What is wrong with a descriptor; NULL: nothing. */
static const char *find_fault(const nm_layer_type *type)
{
    const nm_spec *spec = type->item.spec;
    const nm_option *first = spec && spec->count ? &spec->options[0] : NULL;
    if (!type->forward) {
        return "it has no forward pass";
    }
    if (!type->forward_with != !type->takes) {
        return "forward_with and takes go together";
    }
    if (spec && (!first || first->offset || first->type != NM_OPTION_STRING)) {
        return "its options must begin with NM_LAYER_FIELDS, and their table with NM_LAYER_ROWS";
    }
    return NULL;
}

nm_status nm_register_layer(nm_context *context, const nm_layer_type *type)
{
    NM_GIVEN(context, NM_ERROR_INPUT);
    NM_REQUIRE(context, type, NM_ERROR_INPUT);
    if (type->item.abi == NM_ABI && type->item.size != sizeof *type) {
        return nm_fail(context, NM_ERROR_INPUT,
                       "this layer's descriptor has %u bytes, the library's %zu; rebuild it",
                       type->item.size, sizeof *type);
    }
    const char *fault = type->item.abi == NM_ABI ? find_fault(type) : NULL;
    if (fault) {
        return nm_fail(context, NM_ERROR_INPUT, "cannot register the layer \"%s\": %s",
                       type->item.name ? type->item.name : "", fault);
    }
    return nm_register(context, NM_KIND_LAYER, &type->item);
}

nm_status nm_register_layers(nm_context *context)
{
    NM_GIVEN(context, NM_ERROR_INPUT);
#define NM_ROW(name) &nm_layer_##name,
    static const nm_layer_type *const table[] = {NM_LAYER_TABLE(NM_ROW)};
#undef NM_ROW
    for (int i = 0; i < NM_COUNT_OF(table); i++) {
        if (nm_register_layer(context, table[i]) != NM_OK) {
            return nm_context_status(context);
        }
    }
    return NM_OK;
}
