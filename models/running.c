#include "models/running.h"

#include "ops/basic.h"
#include "ops/norm.h"
#include "optim/statistics.h"

nm_tensor *nm_gather_statistics(const nm_pass *pass, nm_tensor *x, nm_tensor *scale,
                                nm_tensor *shift, const nm_entry *mean, const nm_entry *var,
                                int64_t axis, double eps)
{
    const nm_batch_norm_options plain = {NM_BATCH_NORM_DEFAULTS, .axis = axis, .eps = eps,
                                         NM_END(nm_batch_norm_options)};
    nm_batch_norm_result b = nm_batch_norm_with(pass->tape, x, scale, shift, NULL, NULL, &plain);
    if (!b.y || nm_pass_is_dry(pass)) {
        return b.y;
    }
    const int64_t values = nm_tensor_count(x) / nm_tensor_count(b.mean);
    nm_status status = nm_statistics_add(pass->statistics, mean, var, b.mean, b.var, values);
    return status == NM_OK ? b.y : NULL;
}

nm_tensor *nm_along_axis(nm_tape *tape, nm_tensor *channels, nm_tensor *by, nm_tensor *plus,
                         const nm_tensor *x, int axis)
{
    nm_shape shape = {.rank = nm_tensor_shape(x)->rank - axis, .dim = {nm_tensor_count(channels)}};
    for (int i = 1; i < shape.rank; i++) {
        shape.dim[i] = 1;
    }
    channels = by ? nm_mul(tape, channels, by) : channels;
    channels = plus ? nm_add(tape, channels, plus) : channels;
    return nm_reshape(tape, channels, shape);
}
