/* Tensors: contiguous row-major arrays of rank 0 to 6. Channels are the last axis.
 *
 * There are two ways to own one. A tensor made with nm_tensor_create() or a sibling is yours:
 * destroy it with nm_tensor_destroy(). A tensor that an op returned belongs to its tape
 * (core/tape.h) and goes with the tape's next reset. */
#ifndef NM_CORE_TENSOR_H
#define NM_CORE_TENSOR_H

#include "core/context.h"

#ifdef __cplusplus
extern "C" {
#endif

#define NM_MAX_RANK 6

typedef enum nm_dtype {
    NM_F32,
    NM_F64,
    NM_BF16,
    NM_I32,
    NM_I64,
    NM_U8,
    NM_I8,
    NM_DTYPE_COUNT
} nm_dtype;

NM_API size_t nm_dtype_size(nm_dtype dtype);      /* bytes an element */
NM_API const char *nm_dtype_name(nm_dtype dtype); /* "f32" */
NM_API bool nm_dtype_is_float(nm_dtype dtype);

typedef struct nm_shape {
    int rank; /* 0: a single number */
    int64_t dim[NM_MAX_RANK];
} nm_shape;

/* A shape literal: NM_SHAPE(60, 784). A scalar's is NM_SCALAR_SHAPE. */
#ifdef __cplusplus
#define NM_SCALAR_SHAPE (nm_shape{0, {0}}) /* NM_SHAPE() stands at this file's end */
#else
#define NM_SHAPE(...)                                                                              \
    ((nm_shape){sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), {__VA_ARGS__}})
#define NM_SCALAR_SHAPE ((nm_shape){0, {0}})
#endif

/* Elements; -1 if the product overflows, a dimension is negative or the rank is out of range. */
NM_API int64_t nm_shape_count(const nm_shape *shape);
NM_API bool nm_shape_equal(const nm_shape *a, const nm_shape *b);
/* NumPy's broadcasting of two shapes; false if they do not fit. As above, one of a rank that is out
 * of range is equal to none and fits none. */
NM_API bool nm_shape_broadcast(const nm_shape *a, const nm_shape *b, nm_shape *out);
/* Turns an axis that may be negative (from the end) into 0..rank-1; -1 if it is out of range. */
NM_API int nm_shape_axis(const nm_shape *shape, int64_t axis);
/* In shapes that are inferred without elements: a number of samples that stands for any, from two
 * on. No batch is of that size (the first prime above 2^24). */
#define NM_ANY_BATCH 16777259
#define NM_SHAPE_TEXT 160
/* "[60, 784]"; for NM_ANY_BATCH "[batch, 784]", for twice as many "[2*batch, 784]". Returns `text`.
 */
NM_API char *nm_shape_text(const nm_shape *shape, char text[NM_SHAPE_TEXT]);

/* "[3, 1]": where element `index` (row-major) stands in that shape. Returns `text`. */
NM_API char *nm_shape_place_text(const nm_shape *shape, int64_t index, char text[NM_SHAPE_TEXT]);

typedef struct nm_tensor nm_tensor;

/* A tensor of zeros. NULL on failure. */
NM_API nm_tensor *nm_tensor_create(nm_context *context, nm_dtype dtype, nm_shape shape);
/* A copy of `data`, which holds as many elements as the shape says. */
NM_API nm_tensor *nm_tensor_copy_of(nm_context *context, nm_dtype dtype, nm_shape shape,
                                    const void *data);
/* A tensor over memory of the caller, who keeps it until the tensor is destroyed. The memory must
 * be aligned for its type. */
NM_API nm_tensor *nm_tensor_wrap(nm_context *context, nm_dtype dtype, nm_shape shape, void *data);
/* Frees a tensor made by the functions above; NULL is fine. Tensors of a tape, a store or a file
 * are refused, and gradients. What a tape needs of it for a backward pass stays until no tape of
 * the context has nodes any more; memory of the caller's is copied for that. */
NM_API void nm_tensor_destroy(nm_tensor *tensor);

/* Of NULL: no context, f32, the shape [0], no elements. */
NM_API nm_context *nm_tensor_context(const nm_tensor *tensor);
NM_API nm_dtype nm_tensor_dtype(const nm_tensor *tensor);
NM_API const nm_shape *nm_tensor_shape(const nm_tensor *tensor);
NM_API int64_t nm_tensor_count(const nm_tensor *tensor);
NM_API size_t nm_tensor_bytes(const nm_tensor *tensor);

/* The elements, to be read and changed. NULL, with an error, if `tensor` is NULL or its memory was
 * given back because the backward pass was done with it (nm_tensor_keep() prevents that). */
NM_API void *nm_tensor_data(nm_tensor *tensor);
void *nm_tensor_elements(nm_tensor *tensor); /* of those who tell themselves; the library's own */
/* The same, checked for the type. */
NM_API float *nm_tensor_f32(nm_tensor *tensor);
NM_API double *nm_tensor_f64(nm_tensor *tensor);
/* The value of a tensor of one element of any type; NaN, with an error, otherwise. */
NM_API double nm_tensor_item(const nm_tensor *tensor);
/* Element `index` (row-major) as a double, whatever the type; NaN, with an error, out of range. */
NM_API double nm_tensor_get(const nm_tensor *tensor, int64_t index);
NM_API nm_status nm_tensor_set(nm_tensor *tensor, int64_t index, double value);
NM_API nm_status nm_tensor_fill(nm_tensor *tensor, double value);
/* Says that elements were changed through a pointer, as the functions here say it themselves: a
 * backward pass that needs what was there is then an error that names the op which had read it, not
 * a wrong gradient. The backward pass finds by itself what was changed through a pointer that
 * nm_tensor_data() and its like gave after the forward pass, as far as they gave 16; of pointers
 * from before it, and of memory of the program's own, a library built with -Dguard=true does. */
NM_API void nm_tensor_touch(nm_tensor *tensor);
/* Whether elements may be changed: not while predictors of other contexts read them. The library's
 * own. */
nm_status nm_tensor_check_change(const nm_tensor *tensor);
/* The first element (row-major) that is NaN or infinite; -1: none, as in any tensor of integers. */
NM_API int64_t nm_tensor_first_not_finite(const nm_tensor *tensor);
/* Copies the elements of `from`, of the same shape and type. */
NM_API nm_status nm_tensor_assign(nm_tensor *tensor, nm_tensor *from);

/* All elements from and to an array of `count`, which is the tensor's own, converted as
 * nm_tensor_get() and nm_tensor_set() do: to a type that is narrower, floats are rounded. What a
 * tensor of integers cannot hold is NM_ERROR_INPUT, and then nothing is changed. */
NM_API nm_status nm_tensor_get_f64(const nm_tensor *tensor, double *values, int64_t count);
NM_API nm_status nm_tensor_get_f32(const nm_tensor *tensor, float *values, int64_t count);
NM_API nm_status nm_tensor_set_f64(nm_tensor *tensor, const double *values, int64_t count);
NM_API nm_status nm_tensor_set_f32(nm_tensor *tensor, const float *values, int64_t count);

/* A name for messages; copied. NULL if none was given. */
NM_API const char *nm_tensor_name(const nm_tensor *tensor);
NM_API nm_status nm_tensor_set_name(nm_tensor *tensor, const char *name);

/* ---- Gradients ---- */

/* Whether the backward pass computes a gradient of this tensor. Off for new tensors; on for what an
 * op computed from one that has it on. Only floating tensors can. */
NM_API bool nm_tensor_requires_grad(const nm_tensor *tensor);
/* To be called before the forward pass. Where an op has read the tensor since the last
 * nm_tape_reset(), nm_backward() on that tape is an error: its gradient would be missing. */
NM_API nm_status nm_tensor_set_requires_grad(nm_tensor *tensor, bool requires_grad);
/* The gradient that nm_backward() added up in a tensor of your own, or NULL if there is none.
 * Belongs to the tensor; valid until the next nm_backward() or nm_tensor_clear_grad(). A tensor of
 * a tape has none, and to ask is an error: nm_gradients() computes that. */
NM_API nm_tensor *nm_tensor_grad(nm_tensor *tensor);
/* Its elements, or NULL. The library's own. */
const void *nm_tensor_grad_data(const nm_tensor *tensor);
/* An update is made by the gradient, which there is. False where one was before, and a backward
 * pass has added to it since: nobody cleared it. The library's own. */
bool nm_tensor_spend_grad(nm_tensor *tensor);
/* The same as an array of `count` elements, which are the tensor's own; zeros where there is none.
 * NM_ERROR_INPUT for a tensor that requires no gradient, or belongs to a tape. */
NM_API nm_status nm_tensor_get_grad_f64(nm_tensor *tensor, double *values, int64_t count);
NM_API nm_status nm_tensor_get_grad_f32(nm_tensor *tensor, float *values, int64_t count);
/* Puts an array in the place of the gradient, for an optimizer say; nm_backward() adds to it. */
NM_API nm_status nm_tensor_set_grad_f64(nm_tensor *tensor, const double *values, int64_t count);
NM_API nm_status nm_tensor_set_grad_f32(nm_tensor *tensor, const float *values, int64_t count);
/* Forgets the gradient; its memory goes back to the pool. */
NM_API void nm_tensor_clear_grad(nm_tensor *tensor);
/* Keeps a tape tensor's elements past the backward pass, until the tape is reset. Returns it. */
NM_API nm_tensor *nm_tensor_keep(nm_tensor *tensor);

#ifdef __cplusplus
}

template <class... T> nm_shape NM_SHAPE(T... dimensions)
{
    return nm_shape{static_cast<int>(sizeof...(dimensions)), {static_cast<int64_t>(dimensions)...}};
}
#endif
#endif
