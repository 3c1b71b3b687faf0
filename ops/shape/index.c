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

/* Returns the first that lies outside, or count. */
#define READ(type)                                                                                 \
    for (; i < count; i++) {                                                                       \
        const int64_t index = ((const type *)run->x[input])[i];                                    \
        indices[i] = index < 0 ? index + length : index;                                           \
        if ((uint64_t)indices[i] >= (uint64_t)length) {                                            \
            break;                                                                                 \
        }                                                                                          \
    }

static int64_t read_until_outside(const nm_run *run, int input, int64_t length, int64_t *indices)
{
    const int64_t count = nm_tensor_count(run->in[input]);
    int64_t i = 0;
    switch (nm_tensor_dtype(run->in[input])) {
    case NM_I64: READ(int64_t) break;
    case NM_I32: READ(int32_t) break;
    default: READ(uint8_t) break;
    }
    return i;
}

int64_t *nm_read_indices(const nm_run *run, int input, int64_t length)
{
    const int64_t count = nm_tensor_count(run->in[input]);
    int64_t *indices = nm_scratch(run->context, nm_bytes(count, sizeof *indices) + 1);
    const int64_t i = indices ? read_until_outside(run, input, length, indices) : count;
    if (i < count) {
        char text[NM_SHAPE_TEXT];
        const int64_t index = indices[i] < 0 ? indices[i] - length : indices[i];
        nm_run_fail(run, NM_ERROR_INPUT, "%s at %s is %lld; there are %lld, from 0 on",
                    run->op->inputs[input].name,
                    nm_shape_place_text(nm_tensor_shape(run->in[input]), i, text), (long long)index,
                    (long long)length);
        nm_scratch_end(indices);
        return NULL;
    }
    return indices;
}
