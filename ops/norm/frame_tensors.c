#include "ops/basic.h"
#include "ops/norm/frame.h"

nm_tensor *nm_frame_whole(nm_tape *tape, const nm_frame *f, nm_tensor *x)
{
    return x && f->split >= 0 ? nm_reshape(tape, x, f->full) : x;
}

nm_tensor *nm_frame_parameter(nm_tape *tape, const nm_frame *f, nm_tensor *parameter,
                              const nm_ints *axes)
{
    if (!parameter || (f->split < 0 && !(axes && axes->count))) {
        return parameter;
    }
    const nm_shape spread = nm_frame_spread(f, nm_tensor_shape(parameter), axes);
    return nm_reshape(tape, parameter, nm_frame_split(f, &spread));
}

nm_tensor *nm_frame_along(nm_tape *tape, const nm_frame *f, nm_tensor *statistics)
{
    return statistics ? nm_reshape(tape, statistics, f->kept) : NULL;
}

nm_tensor *nm_frame_sums(nm_tape *tape, const nm_frame *f, nm_tensor *x)
{
    return x ? nm_sum_to(tape, x, f->kept) : NULL;
}

nm_tensor *nm_frame_back(nm_tape *tape, const nm_frame *f, nm_tensor *x, nm_tensor *parameter,
                         const nm_ints *axes)
{
    if (!x || !parameter) {
        return NULL;
    }
    const nm_shape *shape = nm_tensor_shape(parameter);
    const nm_shape spread = nm_frame_spread(f, shape, axes);
    return nm_reshape(tape, nm_sum_to(tape, x, nm_frame_split(f, &spread)), *shape);
}
