/* Tensors: their memory, those of a user's own, what they say of themselves, their gradients. */
#include <string.h>

#include "core/guard.h"
#include "core/internal.h"

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
    if (!nm_dtype_size(dtype)) {
        return nm_fail(context, NM_ERROR_INPUT,
                       "a tensor's type is NM_F32 (0) to NM_I8 (%d), not %d", NM_DTYPE_COUNT - 1,
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
            function, data, nm_dtype_name(dtype), size);
    }
    return NM_OK;
}

static nm_tensor *own_header(nm_context *context, nm_dtype dtype, const nm_shape *shape)
{
    int64_t count = nm_shape_count(shape);
    if (count < 0 || !nm_dtype_size(dtype)) {
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

static void refuse_destruction(const nm_tensor *tensor)
{
    nm_fail(tensor->context, NM_ERROR_INPUT, "nm_tensor_destroy: %s %s", nm_tensor_title(tensor),
            tensor->tape     ? "belongs to a tape and goes with its reset"
            : tensor->doomed ? "was destroyed already"
                             : "belongs to its store, its file or the tensor whose gradient it is, "
                               "and goes with that");
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

/* Keeps a tensor that its user is done with for those who need it yet. Its elements must be
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
    __atomic_add_fetch(&context->lost, tensor->keepers > 0, __ATOMIC_RELAXED);
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
    nm_tensor_want_no_more(tensor);
    nm_tensor *gradient = tensor->grad;
    tensor->grad = NULL;
    if (gradient) { /* as any other: it may have been computed with */
        gradient->owned = false;
        gradient->name = NULL;
        nm_tensor_destroy(gradient);
    }
    if (tensor->keepers || context->busy ||
        (tensor->recorded && (nm_context_has_nodes(context) || is_borrowed(tensor)))) {
        doom(tensor);
        return;
    }
    nm_tensor_free(tensor);
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
    return nm_bytes(tensor->count, nm_size_of(tensor->dtype));
}

const char *nm_tensor_name(const nm_tensor *tensor)
{
    NM_GIVEN(tensor, NULL);
    return tensor->name;
}

nm_status nm_tensor_check_change(const nm_tensor *tensor)
{
    const int readers =
        tensor->tape || !tensor->readers ? 0 : __atomic_load_n(tensor->readers, __ATOMIC_ACQUIRE);
    return readers ? nm_fail(tensor->context, NM_ERROR_INPUT,
                             "%s is read by %d predictors of other contexts; close them before it "
                             "changes, or change another copy of the network",
                             nm_tensor_title(tensor), readers)
                   : NM_OK;
}

nm_status nm_tensor_set_name(nm_tensor *tensor, const char *name)
{
    NM_GIVEN(tensor, NM_ERROR_INPUT);
    if (tensor->tape) {
        tensor->name = nm_tape_copy_text(tensor->tape, name);
        return name && !tensor->name ? NM_ERROR_MEMORY : NM_OK;
    }
    if (tensor->owned) {
        return nm_fail(tensor->context, NM_ERROR_INPUT,
                       "nm_tensor_set_name: %s belongs to its store, its file or the tensor whose "
                       "gradient it is, which knows it by its name",
                       nm_tensor_title(tensor));
    }
    char *copy = nm_copy_string(tensor->context, name);
    if (name && !copy) {
        return NM_ERROR_MEMORY;
    }
    nm_free(tensor->context, tensor->name);
    tensor->name = copy;
    return NM_OK;
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
    if (requires_grad && !nm_is_float(tensor->dtype)) {
        return nm_fail(tensor->context, NM_ERROR_INPUT,
                       "%s holds %s; only floating tensors have gradients", nm_tensor_title(tensor),
                       nm_dtype_name((nm_dtype)tensor->dtype));
    }
    if (tensor->node >= 0 && requires_grad != tensor->requires_grad) {
        return nm_fail(tensor->context, NM_ERROR_INPUT,
                       "whether the result of an op requires a gradient follows from its inputs; "
                       "use nm_detach() to cut it off");
    }
    if (nm_tensor_check_change(tensor) != NM_OK) {
        return NM_ERROR_INPUT;
    }
    if (requires_grad && !tensor->requires_grad) {
        nm_tensor_want_late(tensor);
    }
    tensor->requires_grad = requires_grad;
    return NM_OK;
}

nm_tensor *nm_tensor_grad(nm_tensor *tensor)
{
    NM_GIVEN(tensor, NULL);
    if (tensor->tape) {
        nm_refuse_grad(tensor);
        return NULL;
    }
    return tensor->grad && tensor->grad->data ? tensor->grad : NULL;
}

nm_status nm_refuse_grad(const nm_tensor *tensor)
{
    return nm_fail(tensor->context, NM_ERROR_INPUT, "%s %s", nm_tensor_title(tensor),
                   tensor->tape ? "belongs to a tape, and has no gradient of its own; "
                                  "nm_gradients() computes it"
                                : "requires no gradient (nm_tensor_set_requires_grad)");
}

bool nm_tensor_spend_grad(nm_tensor *tensor)
{
    const bool mixed = tensor->grad->spent > 1;
    tensor->grad->spent = 1;
    return !mixed;
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
