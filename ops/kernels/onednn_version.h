/* oneDNN 2 and 3 as one: what differs between them stands here and in the source beside, nowhere
 * else. In 3 a layout is an object of its own, and one call describes a primitive where 2 has two.
 */
#ifndef NM_OPS_KERNELS_ONEDNN_VERSION_H
#define NM_OPS_KERNELS_ONEDNN_VERSION_H

#include <stdbool.h>
#include <stdint.h>

#ifdef NM_HAVE_ONEDNN

#include <dnnl.h>

/* A layout, owned by whoever creates it; zeros: none. And one that is only looked at, NULL: none.
 */
typedef dnnl_memory_desc_t nm_layout;
#if DNNL_VERSION_MAJOR == 2
typedef const dnnl_memory_desc_t *nm_layout_view;
#else
typedef const_dnnl_memory_desc_t nm_layout_view;
#endif

/* Of an array by strides; NULL strides: left open. (oneDNN's lists are DNNL_MAX_NDIMS long.) */
bool nm_layout_create(nm_layout *layout, dnnl_data_type_t type, int dims, const int64_t *dim,
                      const int64_t *stride);
void nm_layout_destroy(nm_layout *layout);
nm_layout_view nm_layout_look(const nm_layout *layout);

/* What is computed: the destination from source and weights, or the source's gradient from the
 * weights and the destination's, or the weights' from the source and the destination's. */
typedef enum nm_direction { FORWARD, INPUT_GRAD, WEIGHT_GRAD } nm_direction;

typedef struct nm_window {
    dnnl_dims_t stride, padding, padding_after, dilation;
} nm_window;

/* What a primitive works on. */
typedef struct nm_operands {
    dnnl_engine_t engine;
    dnnl_primitive_attr_t attributes;
    nm_layout_view source, weights, bias, destination; /* bias NULL: none */
} nm_operands;

/* Descriptors of primitives, the caller's to destroy if it succeeds. `forward` is the descriptor of
 * the convolution that the gradient is of, and NULL for FORWARD. */
dnnl_status_t nm_describe_convolution(const nm_operands *on, nm_direction direction,
                                      const nm_window *window, dnnl_primitive_desc_t forward,
                                      dnnl_primitive_desc_t *out);
dnnl_status_t nm_describe_product(const nm_operands *on, dnnl_primitive_desc_t *out);

#endif
#endif
