#include "ops/shape/index.h"

nm_shape nm_shape_with_axis(const nm_shape *shape)
{
    return shape->rank ? *shape : NM_SHAPE(1);
}

nm_status nm_infer_index_axis(nm_infer *infer, int64_t axis, int *out)
{
    if (infer->in[0]->rank || axis < -1 || axis > 0) {
        return nm_infer_axis(infer, 0, axis, out);
    }
    *out = 0;
    return NM_OK;
}

static int64_t index_at(const nm_run *run, int input, int64_t i)
{
    switch (nm_tensor_dtype(run->in[input])) {
    case NM_I64: return ((const int64_t *)run->x[input])[i];
    case NM_I32: return ((const int32_t *)run->x[input])[i];
    default: return ((const uint8_t *)run->x[input])[i];
    }
}

int64_t *nm_read_indices(const nm_run *run, int input, int64_t length)
{
    const int64_t count = nm_tensor_count(run->in[input]);
    int64_t *indices = nm_scratch(run->context, nm_bytes(count, sizeof *indices) + 1);
    for (int64_t i = 0; indices && i < count; i++) {
        const int64_t index = index_at(run, input, i);
        indices[i] = index < 0 ? index + length : index;
        if (indices[i] < 0 || indices[i] >= length) {
            char text[NM_SHAPE_TEXT];
            nm_run_fail(run, NM_ERROR_INPUT, "%s at %s is %lld; there are %lld, from 0 on",
                        run->op->inputs[input].name,
                        nm_shape_place_text(nm_tensor_shape(run->in[input]), i, text),
                        (long long)index, (long long)length);
            nm_scratch_end(indices);
            return NULL;
        }
    }
    return indices;
}
