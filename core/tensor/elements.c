/* Reading and writing a tensor's elements: one, all, or by a pointer. */
#include <math.h>
#include <string.h>

#include "core/guard.h"
#include "core/internal.h"

/* ---- Elements ---- */

bool nm_tensor_has_elements(const nm_tensor *tensor)
{
    if (tensor && !tensor->data) {
        nm_refuse_elements(tensor, nm_tensor_title(tensor));
    } else if (tensor && tensor->context->trace) {
        nm_trace_note_in(tensor->context, "reads or writes elements of a tensor");
    }
    return tensor && tensor->data;
}

void *nm_tensor_elements(nm_tensor *tensor)
{
    if (tensor && tensor->data && !tensor->context->trace) {
        return tensor->data;
    }
    return nm_tensor_has_elements(tensor) ? tensor->data : NULL;
}

void *nm_tensor_data(nm_tensor *tensor)
{
    void *data = nm_tensor_elements(tensor);
    if (data) {
        tensor->spent = 0; /* who asks may clear it */
    }
    if (data && (tensor->recorded || tensor->node >= 0)) {
        nm_tensor_expose(tensor);
    }
    return data;
}

nm_status nm_refuse_elements(const nm_tensor *tensor, const char *name)
{
    nm_context *context = tensor->context;
    if (tensor->dead) {
        return nm_fail(context, NM_ERROR_INPUT,
                       "%s is from before nm_tape_reset(), which took it back; copy what is to "
                       "outlive a step (nm_tensor_copy_of, nm_tensor_assign)",
                       name);
    }
    if (tensor->stale) {
        return nm_fail(context, NM_ERROR_INPUT,
                       "%s was changed after the forward pass had read it; change it after "
                       "nm_backward(), or compute with a copy",
                       name);
    }
    if (tensor->recomputed) {
        return nm_fail(context, NM_ERROR_INPUT,
                       "the elements of %s were given back at the end of its segment "
                       "(nm_tape_end_segment()), to be computed again; put it among the segment's "
                       "outputs, or call nm_tensor_keep() before",
                       name);
    }
    return nm_fail(context, NM_ERROR_INPUT,
                   "the elements of %s were given back (or never computed, in dry mode); call "
                   "nm_tensor_keep() on a tensor that is read after nm_backward()",
                   name);
}

void nm_tensor_touch(nm_tensor *tensor)
{
    NM_GIVEN(tensor, );
    nm_tensor_note_change(tensor);
}

static void *data_as(nm_tensor *tensor, nm_dtype dtype)
{
    if (tensor && tensor->dtype != dtype) {
        nm_fail(tensor->context, NM_ERROR_INPUT, "%s holds %s, not %s", nm_tensor_title(tensor),
                nm_dtype_name((nm_dtype)tensor->dtype), nm_dtype_name(dtype));
        return NULL;
    }
    return nm_tensor_data(tensor);
}

float *nm_tensor_f32(nm_tensor *tensor)
{
    return data_as(tensor, NM_F32);
}

double *nm_tensor_f64(nm_tensor *tensor)
{
    return data_as(tensor, NM_F64);
}

static double bf16_to_double(uint16_t bits)
{
    uint32_t wide = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &wide, sizeof value);
    return value;
}

/* Rounds to nearest, ties to even; NaN stays NaN. */
static uint16_t double_to_bf16(double number)
{
    float value = (float)number;
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if (isnan(value)) {
        return (uint16_t)(bits >> 16 | 64);
    }
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

double nm_element_load(const nm_tensor *tensor, int64_t i)
{
    const void *data = tensor->data;
    switch ((nm_dtype)tensor->dtype) {
    case NM_F32: return ((const float *)data)[i];
    case NM_F64: return ((const double *)data)[i];
    case NM_BF16: return bf16_to_double(((const uint16_t *)data)[i]);
    case NM_I32: return ((const int32_t *)data)[i];
    case NM_I64: return (double)((const int64_t *)data)[i];
    case NM_U8: return ((const uint8_t *)data)[i];
    case NM_I8: return ((const int8_t *)data)[i];
    case NM_DTYPE_COUNT: break;
    }
    return NAN;
}

void nm_element_store(nm_tensor *tensor, int64_t i, double value)
{
    void *data = tensor->data;
    switch ((nm_dtype)tensor->dtype) {
    case NM_F32: ((float *)data)[i] = (float)value; break;
    case NM_F64: ((double *)data)[i] = value; break;
    case NM_BF16: ((uint16_t *)data)[i] = double_to_bf16(value); break;
    case NM_I32: ((int32_t *)data)[i] = (int32_t)value; break;
    case NM_I64: ((int64_t *)data)[i] = (int64_t)value; break;
    case NM_U8: ((uint8_t *)data)[i] = (uint8_t)value; break;
    case NM_I8: ((int8_t *)data)[i] = (int8_t)value; break;
    case NM_DTYPE_COUNT: break;
    }
}

nm_status nm_element_check(nm_tensor *tensor, double value)
{
    static const double low[] = {
        [NM_I32] = -2147483648.0, [NM_I64] = -9223372036854775808.0, [NM_U8] = 0, [NM_I8] = -128};
    static const double high[] = {
        [NM_I32] = 2147483648.0, [NM_I64] = 9223372036854775808.0, [NM_U8] = 256, [NM_I8] = 128};
    if (!nm_is_float(tensor->dtype) &&
        !(value >= low[tensor->dtype] && value < high[tensor->dtype] && value == trunc(value))) {
        return nm_fail(tensor->context, NM_ERROR_INPUT, "%g does not fit into %s", value,
                       nm_dtype_name((nm_dtype)tensor->dtype));
    }
    return NM_OK;
}

static nm_status check_index(const nm_tensor *tensor, int64_t index)
{
    if (index < 0 || index >= tensor->count) {
        char text[NM_SHAPE_TEXT];
        return nm_fail(tensor->context, NM_ERROR_INPUT, "%s %s has no element %lld",
                       nm_tensor_title(tensor), nm_shape_text(&tensor->shape, text),
                       (long long)index);
    }
    return NM_OK;
}

double nm_tensor_get(const nm_tensor *tensor, int64_t index)
{
    if (!nm_tensor_has_elements(tensor) || check_index(tensor, index) != NM_OK) {
        return NAN;
    }
    return nm_element_load(tensor, index);
}

nm_status nm_tensor_set(nm_tensor *tensor, int64_t index, double value)
{
    if (!nm_tensor_elements(tensor) || check_index(tensor, index) != NM_OK ||
        nm_element_check(tensor, value) != NM_OK || nm_tensor_check_change(tensor) != NM_OK) {
        return NM_ERROR_INPUT;
    }
    nm_element_store(tensor, index, value);
    nm_tensor_note_change(tensor);
    return NM_OK;
}

double nm_tensor_item(const nm_tensor *tensor)
{
    if (tensor && tensor->count != 1) {
        char text[NM_SHAPE_TEXT];
        nm_fail(tensor->context, NM_ERROR_INPUT,
                "nm_tensor_item: %s %s has more or less than one "
                "element",
                nm_tensor_title(tensor), nm_shape_text(&tensor->shape, text));
        return NAN;
    }
    return tensor ? nm_tensor_get(tensor, 0) : NAN;
}

nm_status nm_tensor_fill(nm_tensor *tensor, double value)
{
    if (!nm_tensor_elements(tensor) || nm_element_check(tensor, value) != NM_OK ||
        nm_tensor_check_change(tensor) != NM_OK) {
        return NM_ERROR_INPUT;
    }
    nm_tensor_note_change(tensor);
    if (value == 0 && !signbit(value)) {
        memset(tensor->data, 0, nm_tensor_bytes(tensor));
        return NM_OK;
    }
    for (int64_t i = 0; i < tensor->count; i++) {
        nm_element_store(tensor, i, value);
    }
    return NM_OK;
}

nm_status nm_tensor_assign(nm_tensor *tensor, nm_tensor *from)
{
    NM_GIVEN(tensor, NM_ERROR_INPUT);
    NM_REQUIRE(tensor->context, from, NM_ERROR_INPUT);
    if (!nm_tensor_elements(tensor) || !nm_tensor_elements(from) ||
        nm_tensor_check_change(tensor) != NM_OK) {
        return NM_ERROR_INPUT;
    }
    if (!nm_shape_equal(&tensor->shape, &from->shape) || tensor->dtype != from->dtype) {
        char to_text[NM_SHAPE_TEXT], from_text[NM_SHAPE_TEXT];
        return nm_fail(tensor->context, NM_ERROR_INPUT, "cannot copy %s %s into %s, which is %s %s",
                       nm_dtype_name((nm_dtype)from->dtype), nm_shape_text(&from->shape, from_text),
                       nm_tensor_title(tensor), nm_dtype_name((nm_dtype)tensor->dtype),
                       nm_shape_text(&tensor->shape, to_text));
    }
    memmove(tensor->data, from->data, nm_tensor_bytes(tensor));
    nm_tensor_note_change(tensor);
    return NM_OK;
}

/* Whether `count` floats are finite: by their exponents, without a branch for each. */
static bool are_finite(const float *values, int64_t count)
{
    int finite = 1;
    for (int64_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        finite &= (bits & 0x7f800000u) != 0x7f800000u;
    }
    return finite;
}

int64_t nm_tensor_first_not_finite(const nm_tensor *tensor)
{
    NM_GIVEN(tensor, -1);
    if (!nm_is_float(tensor->dtype) || !tensor->data ||
        (tensor->dtype == NM_F32 && are_finite(tensor->data, tensor->count))) {
        return -1;
    }
    for (int64_t i = 0; i < tensor->count; i++) {
        if (!isfinite(nm_element_load(tensor, i))) {
            return i;
        }
    }
    return -1;
}
