/* What layers use, whatever their type. */
#include "models/layer.h"

#include <stdio.h>

#include "core/guard.h"
#include "models/model_internal.h"

static const nm_layer_options no_options = {.name = NULL};
static const nm_option only_name[] = {NM_LAYER_ROWS(nm_layer_options)};
const nm_named_value nm_no_mask[] = {{"none", NM_NO_LIMIT}, {NULL, 0}};
const char *const nm_layer_list[] = {"a list of layers", NULL};
const nm_advice nm_layer_advice[] = {
    {"activation", NULL, "put the activation behind it, as a layer of its own"},
    {"in_features in_channels input_shape input_dim num_features", NULL,
     "leave it out: it follows from the samples"},
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
    NM_GIVEN(nm_context_status(layer->context) == NM_OK, NULL);
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

/* ---- For their forward pass ---- */

void nm_pass_discard(const nm_pass *pass, nm_tensor *x, const nm_tensor *input)
{
    if (x != input && !nm_tape_is_recording(pass->tape)) {
        nm_tape_discard(pass->tape, x);
    }
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
