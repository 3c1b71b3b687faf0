/* oneDNN 2 and 3: what they call the same things. */
#include "ops/kernels/onednn_version.h"

#ifdef NM_HAVE_ONEDNN

#if DNNL_VERSION_MAJOR == 2

nm_layout_view nm_layout_look(const nm_layout *layout)
{
    return layout;
}

void nm_layout_destroy(nm_layout *layout)
{
    (void)layout;
}

#define create_with_strides dnnl_memory_desc_init_by_strides
#define create_with_tag dnnl_memory_desc_init_by_tag

static dnnl_status_t init_convolution(const nm_operands *on, nm_direction direction,
                                      const nm_window *w, dnnl_convolution_desc_t *desc)
{
    switch (direction) {
    case FORWARD:
        return dnnl_dilated_convolution_forward_desc_init(
            desc, dnnl_forward_training, dnnl_convolution_direct, on->source, on->weights, on->bias,
            on->destination, w->stride, w->dilation, w->padding, w->padding_after);
    case INPUT_GRAD:
        return dnnl_dilated_convolution_backward_data_desc_init(
            desc, dnnl_convolution_direct, on->source, on->weights, on->destination, w->stride,
            w->dilation, w->padding, w->padding_after);
    case WEIGHT_GRAD:
        return dnnl_dilated_convolution_backward_weights_desc_init(
            desc, dnnl_convolution_direct, on->source, on->weights, NULL, on->destination,
            w->stride, w->dilation, w->padding, w->padding_after);
    }
    return dnnl_invalid_arguments;
}

dnnl_status_t nm_describe_convolution(const nm_operands *on, nm_direction direction,
                                      const nm_window *w, dnnl_primitive_desc_t forward,
                                      dnnl_primitive_desc_t *out)
{
    dnnl_convolution_desc_t desc;
    dnnl_status_t status = init_convolution(on, direction, w, &desc);
    return status != dnnl_success
               ? status
               : dnnl_primitive_desc_create(out, &desc, on->attributes, on->engine, forward);
}

dnnl_status_t nm_describe_product(const nm_operands *on, dnnl_primitive_desc_t *out)
{
    dnnl_matmul_desc_t desc;
    dnnl_status_t status =
        dnnl_matmul_desc_init(&desc, on->source, on->weights, on->bias, on->destination);
    return status != dnnl_success
               ? status
               : dnnl_primitive_desc_create(out, &desc, on->attributes, on->engine, NULL);
}

#else

nm_layout_view nm_layout_look(const nm_layout *layout)
{
    return *layout;
}

void nm_layout_destroy(nm_layout *layout)
{
    if (*layout) dnnl_memory_desc_destroy(*layout);
    *layout = NULL;
}

#define create_with_strides dnnl_memory_desc_create_with_strides
#define create_with_tag dnnl_memory_desc_create_with_tag

dnnl_status_t nm_describe_convolution(const nm_operands *on, nm_direction direction,
                                      const nm_window *w, dnnl_primitive_desc_t forward,
                                      dnnl_primitive_desc_t *out)
{
    switch (direction) {
    case FORWARD:
        return dnnl_convolution_forward_primitive_desc_create(
            out, on->engine, dnnl_forward_training, dnnl_convolution_direct, on->source,
            on->weights, on->bias, on->destination, w->stride, w->dilation, w->padding,
            w->padding_after, on->attributes);
    case INPUT_GRAD:
        return dnnl_convolution_backward_data_primitive_desc_create(
            out, on->engine, dnnl_convolution_direct, on->source, on->weights, on->destination,
            w->stride, w->dilation, w->padding, w->padding_after, forward, on->attributes);
    case WEIGHT_GRAD:
        return dnnl_convolution_backward_weights_primitive_desc_create(
            out, on->engine, dnnl_convolution_direct, on->source, on->weights, NULL,
            on->destination, w->stride, w->dilation, w->padding, w->padding_after, forward,
            on->attributes);
    }
    return dnnl_invalid_arguments;
}

dnnl_status_t nm_describe_product(const nm_operands *on, dnnl_primitive_desc_t *out)
{
    return dnnl_matmul_primitive_desc_create(out, on->engine, on->source, on->weights, on->bias,
                                             on->destination, on->attributes);
}

#endif

bool nm_layout_create(nm_layout *layout, dnnl_data_type_t type, int dims, const int64_t *dim,
                      const int64_t *stride)
{
    dnnl_dims_t dim_list = {0}, stride_list = {0};
    for (int i = 0; i < dims; i++) {
        dim_list[i] = dim[i];
        stride_list[i] = stride ? stride[i] : 0;
    }
    dnnl_status_t status = stride
                               ? create_with_strides(layout, dims, dim_list, type, stride_list)
                               : create_with_tag(layout, dims, dim_list, type, dnnl_format_tag_any);
    return status == dnnl_success;
}

#endif
