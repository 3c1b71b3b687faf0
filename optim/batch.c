/* Batches of a program's own arrays, and batches as tensors. */
#include "core/guard.h"
#include "optim/learn.h"

static int64_t count_of(const nm_shape *shape)
{
    return shape->rank > 0 ? shape->dim[0] : 0;
}

nm_batch nm_batch_of_labels(nm_shape shape, float *x, int32_t *labels)
{
    return (nm_batch){.count = count_of(&shape),
                      .shape = shape,
                      .x = x,
                      .target_shape = NM_SHAPE(count_of(&shape)),
                      .target_dtype = NM_I32,
                      .targets = labels};
}

nm_batch nm_batch_of_values(nm_shape shape, float *x, nm_shape target_shape, float *values)
{
    return (nm_batch){.count = count_of(&shape),
                      .shape = shape,
                      .x = x,
                      .target_shape = target_shape,
                      .target_dtype = NM_F32,
                      .targets = values};
}

nm_tensor *nm_batch_samples(nm_tape *tape, const nm_batch *batch)
{
    NM_GIVEN(tape, NULL);
    NM_REQUIRE(nm_tape_context(tape), batch, NULL);
    return nm_tape_wrap(tape, NM_F32, batch->shape, batch->x);
}

nm_tensor *nm_batch_targets(nm_tape *tape, const nm_batch *batch)
{
    NM_GIVEN(tape, NULL);
    NM_REQUIRE(nm_tape_context(tape), batch, NULL);
    return nm_tape_wrap(tape, batch->target_dtype, batch->target_shape, batch->targets);
}
