/* Elements and gradients as arrays of a program's own, converted from and to a tensor's type. */
#include "core/guard.h"
#include "core/internal.h"

/* The array that a call is given: one of the first two is read, or one of the others written. */
typedef struct array {
    const double *f64;
    const float *f32;
    double *to_f64;
    float *to_f32;
    int64_t count;
} array;

static bool is_there(const array *a)
{
    return a->f64 || a->f32 || a->to_f64 || a->to_f32;
}

static void array_put(const array *a, int64_t i, double value)
{
    if (a->to_f64) {
        a->to_f64[i] = value;
    } else {
        a->to_f32[i] = (float)value;
    }
}

static double array_at(const array *a, int64_t i)
{
    return a->f64 ? a->f64[i] : (double)a->f32[i];
}

/* Whether there is a tensor to copy from or to, and as much room. */
static nm_status check(const nm_tensor *tensor, const array *a)
{
    char text[NM_SHAPE_TEXT];
    NM_GIVEN(tensor, NM_ERROR_INPUT);
    nm_context *context = tensor->context;
    NM_UNLESS_FAILED(context);
    const array *values = a->count && !is_there(a) ? NULL : a;
    NM_REQUIRE(context, values, NM_ERROR_INPUT);
    if (a->count != tensor->count) {
        return nm_fail(context, NM_ERROR_INPUT,
                       "%s %s has %lld elements, and the array is said to have %lld",
                       nm_tensor_title(tensor), nm_shape_text(&tensor->shape, text),
                       (long long)tensor->count, (long long)a->count);
    }
    return NM_OK;
}

static nm_status copy_out(const nm_tensor *tensor, const array *a)
{
    if (!nm_tensor_has_elements(tensor)) {
        return nm_context_status(tensor->context);
    }
    for (int64_t i = 0; i < a->count; i++) {
        array_put(a, i, nm_element_load(tensor, i));
    }
    return NM_OK;
}

/* All of them or none. */
static nm_status copy_in(nm_tensor *tensor, const array *a)
{
    nm_status status = nm_tensor_elements(tensor) ? nm_tensor_check_change(tensor)
                                                  : nm_context_status(tensor->context);
    for (int64_t i = 0; i < a->count && status == NM_OK; i++) {
        status = nm_element_check(tensor, array_at(a, i));
    }
    for (int64_t i = 0; i < a->count && status == NM_OK; i++) {
        nm_element_store(tensor, i, array_at(a, i));
    }
    if (status == NM_OK) {
        nm_tensor_note_change(tensor);
    }
    return status;
}

static nm_status get(const nm_tensor *tensor, array a)
{
    const nm_status status = check(tensor, &a);
    return status == NM_OK ? copy_out(tensor, &a) : status;
}

static nm_status set(nm_tensor *tensor, array a)
{
    const nm_status status = check(tensor, &a);
    return status == NM_OK ? copy_in(tensor, &a) : status;
}

nm_status nm_tensor_get_f64(const nm_tensor *tensor, double *values, int64_t count)
{
    return get(tensor, (array){.to_f64 = values, .count = count});
}

nm_status nm_tensor_get_f32(const nm_tensor *tensor, float *values, int64_t count)
{
    return get(tensor, (array){.to_f32 = values, .count = count});
}

nm_status nm_tensor_set_f64(nm_tensor *tensor, const double *values, int64_t count)
{
    return set(tensor, (array){.f64 = values, .count = count});
}

nm_status nm_tensor_set_f32(nm_tensor *tensor, const float *values, int64_t count)
{
    return set(tensor, (array){.f32 = values, .count = count});
}

/* ---- Gradients ---- */

nm_status nm_tensor_make_grad(nm_tensor *tensor)
{
    if (tensor->grad) {
        return NM_OK;
    }
    tensor->grad = nm_alloc_zero(tensor->context, 1, sizeof *tensor->grad);
    if (!tensor->grad) {
        return NM_ERROR_MEMORY;
    }
    *tensor->grad = (nm_tensor){.context = tensor->context,
                                .node = -1,
                                .count = tensor->count,
                                .shape = tensor->shape,
                                .dtype = (uint8_t)nm_wide(tensor->dtype),
                                .owned = true,
                                .name = "a gradient"};
    return NM_OK;
}

/* Whether nm_backward() would leave a gradient in the tensor. */
static nm_status check_grad(nm_tensor *tensor, const array *a)
{
    const nm_status status = check(tensor, a);
    if (status != NM_OK || (tensor->requires_grad && !tensor->tape)) {
        return status;
    }
    return nm_refuse_grad(tensor);
}

static nm_status get_grad(nm_tensor *tensor, array a)
{
    const nm_status status = check_grad(tensor, &a);
    nm_tensor *gradient = status == NM_OK ? nm_tensor_grad(tensor) : NULL;
    if (status != NM_OK || gradient) {
        return status == NM_OK ? copy_out(gradient, &a) : status;
    }
    for (int64_t i = 0; i < a.count; i++) {
        array_put(&a, i, 0);
    }
    return NM_OK;
}

static nm_status set_grad(nm_tensor *tensor, array a)
{
    nm_status status = check_grad(tensor, &a);
    status = status == NM_OK ? nm_tensor_make_grad(tensor) : status;
    if (status == NM_OK && !tensor->grad->data) {
        status = nm_tensor_allocate(tensor->grad);
    }
    return status == NM_OK ? copy_in(tensor->grad, &a) : status;
}

nm_status nm_tensor_get_grad_f64(nm_tensor *tensor, double *values, int64_t count)
{
    return get_grad(tensor, (array){.to_f64 = values, .count = count});
}

nm_status nm_tensor_get_grad_f32(nm_tensor *tensor, float *values, int64_t count)
{
    return get_grad(tensor, (array){.to_f32 = values, .count = count});
}

nm_status nm_tensor_set_grad_f64(nm_tensor *tensor, const double *values, int64_t count)
{
    return set_grad(tensor, (array){.f64 = values, .count = count});
}

nm_status nm_tensor_set_grad_f32(nm_tensor *tensor, const float *values, int64_t count)
{
    return set_grad(tensor, (array){.f32 = values, .count = count});
}
