#include "ops/shape/index.h"

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
