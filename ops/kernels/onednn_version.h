/* oneDNN 2 and 3 as one: what differs between them stands here and in the source beside, nowhere
 * else. In 3 a layout is an object of its own, and one call describes a primitive where 2 has two.
 * Nothing is linked with it: it is loaded by the first work that it would do. */
#ifndef NM_OPS_KERNELS_ONEDNN_VERSION_H
#define NM_OPS_KERNELS_ONEDNN_VERSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef NM_HAVE_ONEDNN

#include <dnnl.h>

/* Its functions that Norma calls, without the dnnl_ before their names. */
#define NM_ONEDNN_IN_BOTH(each)                                                                    \
    each(version) each(sgemm) each(engine_create) each(engine_destroy) each(stream_create)         \
        each(stream_destroy) each(memory_create) each(memory_destroy) each(memory_set_data_handle) \
            each(memory_get_memory_desc) each(memory_desc_get_size) each(memory_desc_equal)        \
                each(primitive_attr_create) each(primitive_attr_destroy)                           \
                    each(primitive_attr_set_scratchpad_mode) each(primitive_desc_query_md)         \
                        each(primitive_desc_destroy) each(reorder_primitive_desc_create)           \
                            each(primitive_create) each(primitive_destroy) each(primitive_execute)
#if DNNL_VERSION_MAJOR == 2
#define NM_ONEDNN_FUNCTIONS(each)                                                                  \
    NM_ONEDNN_IN_BOTH(each)                                                                        \
    each(memory_desc_init_by_strides) each(memory_desc_init_by_tag) each(primitive_desc_create)    \
        each(matmul_desc_init) each(dilated_convolution_forward_desc_init)                         \
            each(dilated_convolution_backward_data_desc_init)                                      \
                each(dilated_convolution_backward_weights_desc_init)
#else
#define NM_ONEDNN_FUNCTIONS(each)                                                                  \
    NM_ONEDNN_IN_BOTH(each)                                                                        \
    each(memory_desc_create_with_strides) each(memory_desc_create_with_tag)                        \
        each(memory_desc_destroy) each(matmul_primitive_desc_create)                               \
            each(convolution_forward_primitive_desc_create)                                        \
                each(convolution_backward_data_primitive_desc_create)                              \
                    each(convolution_backward_weights_primitive_desc_create)
#endif

/* The library as it was loaded: dnnl->sgemm is its dnnl_sgemm. */
typedef struct nm_onednn {
    void *library; /* NULL: not loaded */
#define NM_ONEDNN_MEMBER(name) __typeof__(dnnl_##name) *name;
    NM_ONEDNN_FUNCTIONS(NM_ONEDNN_MEMBER)
#undef NM_ONEDNN_MEMBER
    int (*get_max_threads)(void); /* of the OpenMP that it uses; NULL: none */
    void (*set_num_threads)(int threads);
} nm_onednn;

/* Loads it, if it is installed in the version that the header was of and has all these functions.
 * False: not, and `why`, of `room` bytes, says why. Each loading is for its own unloading, from any
 * thread; once loaded, the code stays in the process. */
bool nm_onednn_load(nm_onednn *dnnl, char *why, size_t room);
void nm_onednn_unload(nm_onednn *dnnl);

/* oneDNN would share its work among threads of OpenMP's. Between the two it works in the thread
 * that calls it: Norma's own threads each have it do a part. */
int nm_onednn_enter(const nm_onednn *dnnl);
void nm_onednn_leave(const nm_onednn *dnnl, int before);

/* oneDNN and what it needs do not look whether they got the memory that they asked for. So where
 * memory can run out, as much is asked for before. */
bool nm_memory_is_limited(void);
bool nm_memory_has(size_t bytes);

/* A layout, owned by whoever creates it; zeros: none. And one that is only looked at, NULL: none.
 */
typedef dnnl_memory_desc_t nm_layout;
#if DNNL_VERSION_MAJOR == 2
typedef const dnnl_memory_desc_t *nm_layout_view;
#else
typedef const_dnnl_memory_desc_t nm_layout_view;
#endif

/* Of an array by strides; NULL strides: left open. (oneDNN's lists are DNNL_MAX_NDIMS long.) */
bool nm_layout_create(const nm_onednn *dnnl, nm_layout *layout, dnnl_data_type_t type, int dims,
                      const int64_t *dim, const int64_t *stride);
void nm_layout_destroy(const nm_onednn *dnnl, nm_layout *layout);
nm_layout_view nm_layout_look(const nm_layout *layout);

/* What is computed: the destination from source and weights, or the source's gradient from the
 * weights and the destination's, or the weights' from the source and the destination's. */
typedef enum nm_direction { FORWARD, INPUT_GRAD, WEIGHT_GRAD } nm_direction;

typedef struct nm_window {
    dnnl_dims_t stride, padding, padding_after, dilation;
} nm_window;

/* What a primitive works on. */
typedef struct nm_operands {
    const nm_onednn *dnnl;
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
