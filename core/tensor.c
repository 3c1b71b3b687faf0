#include <math.h>
#include <string.h>

#include "core/guard.h"
#include "core/internal.h"

#include <stdio.h>

/* ---- Types ---- */

static const struct {
    size_t size;
    const char *name;
    bool is_float;
} dtypes[NM_DTYPE_COUNT] = {
    [NM_F32] = {4, "f32", true},  [NM_F64] = {8, "f64", true},  [NM_BF16] = {2, "bf16", true},
    [NM_I32] = {4, "i32", false}, [NM_I64] = {8, "i64", false}, [NM_U8] = {1, "u8", false},
};

static bool is_dtype(nm_dtype dtype)
{
    return (unsigned)dtype < NM_DTYPE_COUNT;
}

size_t nm_dtype_size(nm_dtype dtype)
{
    return is_dtype(dtype) ? dtypes[dtype].size : 0;
}

const char *nm_dtype_name(nm_dtype dtype)
{
    return is_dtype(dtype) ? dtypes[dtype].name : "no type";
}

bool nm_dtype_is_float(nm_dtype dtype)
{
    return is_dtype(dtype) && dtypes[dtype].is_float;
}

/* ---- Shapes ---- */

/* Whether there is a shape whose dimensions can be read. */
static bool is_shape(const nm_shape *shape)
{
    return shape && (unsigned)shape->rank <= NM_MAX_RANK;
}

int64_t nm_shape_count(const nm_shape *shape)
{
    NM_GIVEN(is_shape(shape), -1);
    int64_t count = 1;
    bool overflow = false;
    for (int i = 0; i < shape->rank; i++) {
        if (shape->dim[i] < 0) {
            return -1;
        }
        overflow |= __builtin_mul_overflow(count, shape->dim[i], &count);
    }
    /* 2^56 elements exceed any memory; below that, 64 bits hold their bytes too. */
    return overflow || count >> 56 ? -1 : count;
}

bool nm_shape_equal(const nm_shape *a, const nm_shape *b)
{
    NM_GIVEN(is_shape(a) && is_shape(b), false);
    if (a->rank != b->rank) {
        return false;
    }
    for (int i = 0; i < a->rank; i++) {
        if (a->dim[i] != b->dim[i]) {
            return false;
        }
    }
    return true;
}

bool nm_shape_broadcast(const nm_shape *a, const nm_shape *b, nm_shape *out)
{
    NM_GIVEN(is_shape(a) && is_shape(b) && out, false);
    if (a->rank < b->rank) {
        const nm_shape *swap = a;
        a = b;
        b = swap;
    }
    nm_shape result = *a;
    for (int i = 0; i < b->rank; i++) {
        int64_t *dim = &result.dim[a->rank - b->rank + i];
        if (*dim == 1) {
            *dim = b->dim[i];
        } else if (b->dim[i] != 1 && b->dim[i] != *dim) {
            return false;
        }
    }
    *out = result;
    return true;
}

int nm_shape_axis(const nm_shape *shape, int64_t axis)
{
    NM_GIVEN(is_shape(shape), -1);
    axis += axis < 0 ? shape->rank : 0;
    return axis >= 0 && axis < shape->rank ? (int)axis : -1;
}

static void dimension_text(int64_t dim, char text[32])
{
    const bool any = dim > 0 && dim % NM_ANY_BATCH == 0;
    const long long times = any ? dim / NM_ANY_BATCH : dim;
    snprintf(text, 32, any ? times == 1 ? "batch" : "%lld*batch" : "%lld", times);
}

char *nm_shape_text(const nm_shape *shape, char text[NM_SHAPE_TEXT])
{
    NM_GIVEN(shape && text, NULL);
    char dim[32];
    int length = snprintf(text, NM_SHAPE_TEXT, "[");
    for (int i = 0; i < shape->rank && i < NM_MAX_RANK; i++) {
        dimension_text(shape->dim[i], dim);
        length +=
            snprintf(text + length, (size_t)(NM_SHAPE_TEXT - length), "%s%s", i ? ", " : "", dim);
    }
    snprintf(text + length, (size_t)(NM_SHAPE_TEXT - length), "]");
    return text;
}

char *nm_shape_place_text(const nm_shape *shape, int64_t index, char text[NM_SHAPE_TEXT])
{
    NM_GIVEN(shape && text, NULL);
    nm_shape place = *shape;
    place.rank = is_shape(shape) ? shape->rank : 0;
    for (int i = place.rank - 1; i >= 0; i--) {
        place.dim[i] = shape->dim[i] ? index % shape->dim[i] : 0;
        index /= shape->dim[i] ? shape->dim[i] : 1;
    }
    return nm_shape_text(&place, text);
}

/* ---- Memory ---- */

nm_status nm_tensor_allocate_buffer(nm_tensor *tensor, size_t bytes)
{
    tensor->buffer = nm_buffer_create(tensor->context, bytes);
    tensor->data = tensor->buffer ? nm_buffer_data(tensor->buffer) : NULL;
    return tensor->buffer ? NM_OK : NM_ERROR_MEMORY;
}

void nm_tensor_share(nm_tensor *tensor, nm_tensor *from)
{
    if (from->data == from->small) { /* goes with its header: a copy costs less than a buffer */
        memcpy(tensor->small, from->small, NM_SMALL_BYTES);
        tensor->data = tensor->small;
        return;
    }
    tensor->data = from->data;
    tensor->borrows = !from->buffer;
    if (from->context != tensor->context) {
        return; /* lent: as the caller's memory is; counting its holders is not for this thread */
    }
    tensor->buffer = from->buffer;
    from->recorded = true; /* a change of its elements is one of the other's */
    if (from->buffer) {
        from->buffer->references++;
    }
}

/* ---- Tensors of the user's own ---- */

nm_status nm_refuse_tensor(nm_context *context, nm_dtype dtype, const nm_shape *shape)
{
    char text[NM_SHAPE_TEXT];
    if (!is_dtype(dtype)) {
        return nm_fail(context, NM_ERROR_INPUT,
                       "a tensor's type is NM_F32 (0) to NM_U8 (%d), not %d", NM_DTYPE_COUNT - 1,
                       (int)dtype);
    }
    if (shape->rank < 0 || shape->rank > NM_MAX_RANK) {
        return nm_fail(context, NM_ERROR_INPUT, "a tensor's rank is 0 to %d, not %d", NM_MAX_RANK,
                       shape->rank);
    }
    return nm_fail(context, NM_ERROR_INPUT, "no tensor can have the shape %s",
                   nm_shape_text(shape, text));
}

nm_status nm_check_memory(nm_context *context, const char *function, nm_dtype dtype,
                          const nm_shape *shape, const void *data)
{
    const size_t size = nm_dtype_size(dtype);
    const int64_t count = nm_shape_count(shape);
    if (!size || count <= 0) {
        return NM_OK; /* nothing is read; or it is refused for another reason */
    }
    if (!data) {
        return nm_fail(context, NM_ERROR_INPUT, "%s: data is NULL", function);
    }
    if ((uintptr_t)data % size) {
        return nm_fail(
            context, NM_ERROR_INPUT,
            "%s: data is at %p, which is not aligned for %s (a multiple of %zu); copy it "
            "(nm_tensor_copy_of)",
            function, data, dtypes[dtype].name, size);
    }
    return NM_OK;
}

static nm_tensor *own_header(nm_context *context, nm_dtype dtype, const nm_shape *shape)
{
    int64_t count = nm_shape_count(shape);
    if (count < 0 || !is_dtype(dtype)) {
        nm_refuse_tensor(context, dtype, shape);
        return NULL;
    }
    nm_tensor *tensor = nm_alloc_zero(context, 1, sizeof *tensor);
    if (context && context->trace) { /* it may be gone before the graph is */
        nm_trace_note_in(context, "makes a tensor of its own");
    }
    if (tensor) {
        tensor->context = context;
        tensor->node = -1;
        tensor->count = count;
        tensor->shape = *shape;
        tensor->dtype = (uint8_t)dtype;
    }
    return tensor;
}

nm_tensor *nm_tensor_create(nm_context *context, nm_dtype dtype, nm_shape shape)
{
    nm_tensor *tensor = own_header(context, dtype, &shape);
    if (!tensor) {
        return NULL;
    }
    if (nm_tensor_allocate(tensor) != NM_OK) {
        nm_tensor_destroy(tensor);
        return NULL;
    }
    memset(tensor->data, 0, nm_tensor_bytes(tensor));
    return tensor;
}

nm_tensor *nm_tensor_copy_of(nm_context *context, nm_dtype dtype, nm_shape shape, const void *data)
{
    NM_REQUIRE(context, data || !nm_shape_count(&shape), NULL);
    nm_tensor *tensor = nm_tensor_create(context, dtype, shape);
    if (tensor && tensor->count) {
        memcpy(tensor->data, data, nm_tensor_bytes(tensor));
    }
    return tensor;
}

nm_tensor *nm_tensor_wrap(nm_context *context, nm_dtype dtype, nm_shape shape, void *data)
{
    if (nm_check_memory(context, __func__, dtype, &shape, data) != NM_OK) {
        return NULL;
    }
    nm_tensor *tensor = own_header(context, dtype, &shape);
    if (tensor) {
        tensor->data = data ? data : tensor->small; /* of no elements */
    }
    return tensor;
}

/* For messages. */
static const char *name_or_type(const nm_tensor *tensor)
{
    return tensor->name ? tensor->name : "tensor";
}

static void refuse_destruction(const nm_tensor *tensor)
{
    nm_fail(tensor->context, NM_ERROR_INPUT, "nm_tensor_destroy: %s %s", name_or_type(tensor),
            tensor->tape     ? "belongs to a tape and goes with its reset"
            : tensor->doomed ? "was destroyed already"
                             : "belongs to its store, its file or the tensor whose gradient it is, "
                               "and goes with that");
}

/* Whether a tape may need tensors that its nodes have had. */
static bool is_needed(const nm_context *context)
{
    const nm_tape *tape = context->tapes;
    while (tape && !tape->node_count) {
        tape = tape->next;
    }
    return tape;
}

/* Whether it is over memory of its user's. */
static bool is_wrapped(const nm_tensor *tensor)
{
    return !tensor->buffer && tensor->data && tensor->count;
}

/* Whether tensors of tapes see that memory through it. */
static bool is_borrowed(const nm_tensor *tensor)
{
    return is_wrapped(tensor) && nm_tapes_borrow(tensor->context, tensor->data, NULL);
}

/* Keeps a tensor that its user is done with for the tapes' backward passes. Its elements must be
 * its own then: without memory for that, a backward pass that needs them says so. */
static void doom(nm_tensor *tensor)
{
    nm_context *context = tensor->context;
    if (is_wrapped(tensor)) {
        const void *data = tensor->data;
        tensor->data = NULL;
        if (nm_tensor_allocate(tensor) == NM_OK) {
            memcpy(tensor->data, data, nm_tensor_bytes(tensor));
        }
        nm_tapes_borrow(context, data, tensor);
    }
    tensor->doomed = true;
    tensor->grad = context->doomed;
    context->doomed = tensor;
}

void nm_tensor_destroy(nm_tensor *tensor)
{
    if (!tensor) {
        return;
    }
    nm_context *context = tensor->context;
    if (tensor->tape || tensor->owned || tensor->doomed) {
        refuse_destruction(tensor);
        return;
    }
    nm_tensor *gradient = tensor->grad;
    tensor->grad = NULL;
    if (gradient) { /* as any other: it may have been computed with */
        gradient->owned = false;
        gradient->name = NULL;
        nm_tensor_destroy(gradient);
    }
    if (tensor->recorded && (is_needed(context) || is_borrowed(tensor))) {
        doom(tensor);
        return;
    }
    nm_tensor_release(tensor);
    nm_free(context, tensor->name);
    nm_free(context, tensor);
}

/* ---- What a tensor says of itself ---- */

nm_context *nm_tensor_context(const nm_tensor *tensor)
{
    NM_GIVEN(tensor, NULL);
    return tensor->context;
}

nm_dtype nm_tensor_dtype(const nm_tensor *tensor)
{
    NM_GIVEN(tensor, NM_F32);
    return (nm_dtype)tensor->dtype;
}

const nm_shape *nm_tensor_shape(const nm_tensor *tensor)
{
    static const nm_shape nothing = {1, {0}};
    return tensor ? &tensor->shape : &nothing;
}

int64_t nm_tensor_count(const nm_tensor *tensor)
{
    NM_GIVEN(tensor, 0);
    return tensor->count;
}

size_t nm_tensor_bytes(const nm_tensor *tensor)
{
    NM_GIVEN(tensor, 0);
    return nm_bytes(tensor->count, dtypes[tensor->dtype].size);
}

const char *nm_tensor_name(const nm_tensor *tensor)
{
    NM_GIVEN(tensor, NULL);
    return tensor->name;
}

nm_status nm_tensor_set_name(nm_tensor *tensor, const char *name)
{
    NM_GIVEN(tensor, NM_ERROR_INPUT);
    if (tensor->tape) {
        tensor->name = nm_tape_copy_text(tensor->tape, name);
        return name && !tensor->name ? NM_ERROR_MEMORY : NM_OK;
    }
    char *copy = nm_copy_string(tensor->context, name);
    if (name && !copy) {
        return NM_ERROR_MEMORY;
    }
    nm_free(tensor->context, tensor->name);
    tensor->name = copy;
    return NM_OK;
}

/* ---- Elements ---- */

bool nm_tensor_has_elements(const nm_tensor *tensor)
{
    if (tensor && !tensor->data) {
        nm_refuse_elements(tensor, name_or_type(tensor));
    } else if (tensor && tensor->context->trace) {
        nm_trace_note_in(tensor->context, "reads or writes elements of a tensor");
    }
    return tensor && tensor->data;
}

void *nm_tensor_data(nm_tensor *tensor)
{
    if (tensor && tensor->data && !tensor->context->trace) {
        return tensor->data;
    }
    return nm_tensor_has_elements(tensor) ? tensor->data : NULL;
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
    return nm_fail(context, NM_ERROR_INPUT,
                   "the elements of %s were given back (or never computed, in dry mode); call "
                   "nm_tensor_keep() on a tensor that is read after nm_backward()",
                   name);
}

nm_status nm_tensor_check_change(const nm_tensor *tensor)
{
    const int readers =
        tensor->tape || !tensor->readers ? 0 : __atomic_load_n(tensor->readers, __ATOMIC_ACQUIRE);
    return readers ? nm_fail(tensor->context, NM_ERROR_INPUT,
                             "%s is read by %d predictors of other contexts; close them before it "
                             "changes, or change another copy of the network",
                             name_or_type(tensor), readers)
                   : NM_OK;
}

void nm_tensor_touch(nm_tensor *tensor)
{
    NM_GIVEN(tensor, );
    nm_tensor_note_change(tensor);
}

static void *data_as(nm_tensor *tensor, nm_dtype dtype)
{
    if (tensor && tensor->dtype != dtype) {
        nm_fail(tensor->context, NM_ERROR_INPUT, "%s holds %s, not %s", name_or_type(tensor),
                dtypes[tensor->dtype].name, dtypes[dtype].name);
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
    case NM_DTYPE_COUNT: break;
    }
}

nm_status nm_element_check(nm_tensor *tensor, double value)
{
    static const double low[] = {
        [NM_I32] = -2147483648.0, [NM_I64] = -9223372036854775808.0, [NM_U8] = 0};
    static const double high[] = {
        [NM_I32] = 2147483648.0, [NM_I64] = 9223372036854775808.0, [NM_U8] = 256};
    if (!dtypes[tensor->dtype].is_float &&
        !(value >= low[tensor->dtype] && value < high[tensor->dtype] && value == trunc(value))) {
        return nm_fail(tensor->context, NM_ERROR_INPUT, "%g does not fit into %s", value,
                       dtypes[tensor->dtype].name);
    }
    return NM_OK;
}

static nm_status check_index(const nm_tensor *tensor, int64_t index)
{
    if (index < 0 || index >= tensor->count) {
        char text[NM_SHAPE_TEXT];
        return nm_fail(tensor->context, NM_ERROR_INPUT, "%s %s has no element %lld",
                       name_or_type(tensor), nm_shape_text(&tensor->shape, text), (long long)index);
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
    if (!nm_tensor_data(tensor) || check_index(tensor, index) != NM_OK ||
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
                name_or_type(tensor), nm_shape_text(&tensor->shape, text));
        return NAN;
    }
    return tensor ? nm_tensor_get(tensor, 0) : NAN;
}

nm_status nm_tensor_fill(nm_tensor *tensor, double value)
{
    if (!nm_tensor_data(tensor) || nm_element_check(tensor, value) != NM_OK ||
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
    if (!nm_tensor_data(tensor) || !nm_tensor_data(from) ||
        nm_tensor_check_change(tensor) != NM_OK) {
        return NM_ERROR_INPUT;
    }
    if (!nm_shape_equal(&tensor->shape, &from->shape) || tensor->dtype != from->dtype) {
        char to_text[NM_SHAPE_TEXT], from_text[NM_SHAPE_TEXT];
        return nm_fail(tensor->context, NM_ERROR_INPUT, "cannot copy %s %s into %s, which is %s %s",
                       dtypes[from->dtype].name, nm_shape_text(&from->shape, from_text),
                       name_or_type(tensor), dtypes[tensor->dtype].name,
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
    if (!dtypes[tensor->dtype].is_float || !tensor->data ||
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

/* ---- Gradients ---- */

bool nm_tensor_requires_grad(const nm_tensor *tensor)
{
    NM_GIVEN(tensor, false);
    return tensor->requires_grad;
}

nm_status nm_tensor_set_requires_grad(nm_tensor *tensor, bool requires_grad)
{
    NM_GIVEN(tensor, NM_ERROR_INPUT);
    if (requires_grad && !dtypes[tensor->dtype].is_float) {
        return nm_fail(tensor->context, NM_ERROR_INPUT,
                       "%s holds %s; only floating tensors have gradients", name_or_type(tensor),
                       dtypes[tensor->dtype].name);
    }
    if (tensor->node >= 0 && requires_grad != tensor->requires_grad) {
        return nm_fail(tensor->context, NM_ERROR_INPUT,
                       "whether the result of an op requires a gradient follows from its inputs; "
                       "use nm_detach() to cut it off");
    }
    if (nm_tensor_check_change(tensor) != NM_OK) {
        return NM_ERROR_INPUT;
    }
    tensor->requires_grad = requires_grad;
    return NM_OK;
}

nm_tensor *nm_tensor_grad(nm_tensor *tensor)
{
    NM_GIVEN(tensor, NULL);
    return !tensor->tape && tensor->grad && tensor->grad->data ? tensor->grad : NULL;
}

const void *nm_tensor_grad_data(const nm_tensor *tensor)
{
    return tensor->grad ? tensor->grad->data : NULL;
}

void nm_tensor_clear_grad(nm_tensor *tensor)
{
    NM_GIVEN(tensor, );
    if (!tensor->tape && tensor->grad) {
        nm_tensor_release(tensor->grad);
    }
}

nm_tensor *nm_tensor_keep(nm_tensor *tensor)
{
    if (tensor) {
        tensor->keep = true;
    }
    return tensor;
}
