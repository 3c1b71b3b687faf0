/* Flatten: a sample of any shape becomes a vector. */
#include "models/table.h"
#include "ops/basic.h"

static nm_tensor *flatten_forward(nm_layer *layer, const nm_pass *pass, nm_tensor *x)
{
    (void)layer;
    const nm_shape *shape = nm_tensor_shape(x);
    int64_t width = 1; /* not -1: that would be undefined for an empty batch */
    for (int i = 1; i < shape->rank; i++) {
        width *= shape->dim[i];
    }
    return nm_reshape(pass->tape, x, NM_SHAPE(shape->dim[0], width));
}

const nm_layer_type nm_layer_flatten = {
    .item = NM_ITEM(nm_layer_type, "flatten", "makes each sample a vector", .spec = &nm_layer_spec,
                    .doc = "[batch, height, width, channels] becomes [batch, height * width * "
                           "channels], elements in the same order."),
    .forward = flatten_forward,
};
