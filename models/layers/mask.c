#include "models/layers/mask.h"

#include "ops/basic.h"
#include "ops/sequence.h"

nm_tensor *nm_mask_of_steps(nm_tape *tape, nm_tensor *x, double mask_value)
{
    if (mask_value == NM_NO_LIMIT || !x) {
        return NULL;
    }
    const nm_dtype dtype = nm_tensor_dtype(x);
    nm_shape shape = *nm_tensor_shape(x);
    const int64_t steps = shape.dim[1];
    for (int d = 2; d < shape.rank; d++) {
        shape.dim[d] = 1;
    }
    nm_tensor *counts = nm_sequence_mask(tape, nm_sequence_lengths(tape, x, mask_value), steps);
    return nm_where(tape, nm_reshape(tape, counts, shape), nm_scalar(tape, dtype, 1),
                    nm_scalar(tape, dtype, 0));
}

nm_tensor *nm_masked(nm_tape *tape, nm_tensor *mask, nm_tensor *y)
{
    return mask && y ? nm_where(tape, mask, y, nm_scalar(tape, nm_tensor_dtype(y), 0)) : y;
}

nm_status nm_mask_check(nm_layer *layer, const nm_shape *x, int axis, double mask_value)
{
    char text[NM_SHAPE_TEXT];
    if (mask_value == NM_NO_LIMIT || (x->rank > 2 && (axis < 0 || axis > 1))) {
        return NM_OK;
    }
    return nm_layer_fail(layer,
                         "mask_value is for sequences, [batch, steps, ..., channels], and the "
                         "input is %s",
                         nm_shape_text(x, text));
}
