/* Running statistics: what batch norm in inference normalizes with. The op has no side effects, so
 * they are moved here, behind it. Promises:
 *
 * 1. running = (1 - momentum) * running + momentum * batch, with the batch's variance times
 *    m / (m - 1) for the m values of a channel: what PyTorch does.
 * 2. Both move or neither: all is checked before.
 * 3. On a dry tape nothing moves. */
#include "core/guard.h"
#include "core/op.h"
#include "ops/norm.h"
#include "ops/norm/running.h"

#define MOVE(real)                                                                                 \
    static void move_##real(real *running, const real *batch, int64_t count, double momentum,      \
                            double factor)                                                         \
    {                                                                                              \
        for (int64_t i = 0; i < count; i++) {                                                      \
            running[i] = (real)((1 - momentum) * running[i] + momentum * factor * batch[i]);       \
        }                                                                                          \
    }

MOVE(float)
MOVE(double)

static void move(nm_tensor *running, nm_tensor *batch, double momentum, double factor)
{
    const int64_t count = nm_tensor_count(running);
    void *to = nm_tensor_elements(running);
    if (nm_tensor_dtype(running) == NM_F32) {
        move_float(to, nm_tensor_elements(batch), count, momentum, factor);
    } else {
        move_double(to, nm_tensor_elements(batch), count, momentum, factor);
    }
    nm_tensor_touch(running);
}

/* Whether `running` can take up `batch`. */
static nm_status check(nm_context *context, nm_tensor *running, nm_tensor *batch, const char *name)
{
    char is[NM_SHAPE_TEXT], other[NM_SHAPE_TEXT];
    const nm_dtype dtype = nm_tensor_dtype(batch);
    if (!nm_tensor_elements(running) || !nm_tensor_elements(batch) ||
        nm_tensor_check_change(running) != NM_OK) {
        return nm_context_status(context);
    }
    if ((dtype == NM_F32 || dtype == NM_F64) && nm_tensor_dtype(running) == dtype &&
        nm_shape_equal(nm_tensor_shape(running), nm_tensor_shape(batch))) {
        return NM_OK;
    }
    return nm_fail(context, NM_ERROR_INPUT,
                   "batch_norm: %s is %s %s, and the batch's is %s %s; they must be alike, of f32 "
                   "or f64",
                   name, nm_dtype_name(nm_tensor_dtype(running)),
                   nm_shape_text(nm_tensor_shape(running), is), nm_dtype_name(dtype),
                   nm_shape_text(nm_tensor_shape(batch), other));
}

enum { MEAN, VAR, X, RUNNING_MEAN, RUNNING_VAR, MOVED };

static nm_status check_all(nm_context *context, nm_tensor *const *in, double momentum)
{
    if (!(momentum >= 0 && momentum <= 1)) {
        return nm_fail(context, NM_ERROR_INPUT, "batch_norm: momentum is %g; it must be 0 to 1",
                       momentum);
    }
    nm_status status = check(context, in[RUNNING_MEAN], in[MEAN], "running_mean");
    return status == NM_OK && in[RUNNING_VAR]
               ? check(context, in[RUNNING_VAR], in[VAR], "running_var")
               : status;
}

nm_status nm_batch_norm_move_now(nm_tensor *const *in, double momentum)
{
    const nm_status status = check_all(nm_tensor_context(in[X]), in, momentum);
    if (status != NM_OK) {
        return status;
    }
    const int64_t values = nm_tensor_count(in[X]) / nm_tensor_count(in[RUNNING_MEAN]);
    move(in[RUNNING_MEAN], in[MEAN], momentum, 1);
    if (in[RUNNING_VAR]) {
        move(in[RUNNING_VAR], in[VAR], momentum,
             values > 1 ? (double)values / (double)(values - 1) : 1);
    }
    return NM_OK;
}

static nm_status move_by(const void *data, nm_tensor *const *in)
{
    return nm_batch_norm_move_now(in, *(const double *)data);
}

const nm_effect nm_batch_norm_moving = {"move_statistics", sizeof(double), move_by};

nm_status nm_batch_norm_move(nm_tape *tape, nm_tensor *x, const nm_batch_norm_result *batch,
                             nm_tensor *running_mean, nm_tensor *running_var, double momentum)
{
    NM_GIVEN(tape, NM_ERROR_INPUT);
    nm_context *context = nm_tape_context(tape);
    NM_UNLESS_FAILED(context);
    NM_REQUIRE(context, x, NM_ERROR_INPUT);
    NM_REQUIRE(context, batch && batch->y, NM_ERROR_INPUT);
    NM_REQUIRE(context, running_mean, NM_ERROR_INPUT);
    nm_tensor *in[MOVED] = {batch->mean, batch->var, x, running_mean, running_var};
    return nm_tape_do(tape, &nm_batch_norm_moving, &momentum, in, MOVED);
}

/* ---- Both at once ---- */

static const nm_batch_norm_running_options defaults = {NM_BATCH_NORM_RUNNING_DEFAULTS,
                                                       NM_END(nm_batch_norm_running_options)};

NM_OPTIONS_INIT(nm_batch_norm_running_options, defaults)

static const nm_batch_norm_running_options *take(nm_context *context,
                                                 const nm_batch_norm_running_options *options)
{
    if (!options || options->struct_size == sizeof *options) {
        return options ? options : &defaults;
    }
    nm_fail(context, NM_ERROR_INPUT,
            "batch_norm: its options are those of another version of the library (struct_size %zu, "
            "not %zu); nm_batch_norm_running_options_init() gives them their defaults",
            options->struct_size, sizeof *options);
    return NULL;
}

nm_tensor *nm_batch_norm_running_with(nm_tape *tape, nm_tensor *x, nm_tensor *scale,
                                      nm_tensor *shift, nm_tensor *running_mean,
                                      nm_tensor *running_var, bool training,
                                      const nm_batch_norm_running_options *options)
{
    NM_GIVEN(tape, NULL);
    const nm_batch_norm_running_options *o = take(nm_tape_context(tape), options);
    if (!o || nm_context_status(nm_tape_context(tape)) != NM_OK) {
        return NULL;
    }
    const nm_batch_norm_options plain = {NM_BATCH_NORM_DEFAULTS,
                                         .axis = o->axis,
                                         .eps = o->eps,
                                         .mean_only = o->mean_only,
                                         .mode = training ? NM_TRAINING : NM_INFERENCE,
                                         NM_END(nm_batch_norm_options)};
    nm_batch_norm_result r =
        nm_batch_norm_with(tape, x, scale, shift, training ? NULL : running_mean,
                           training ? NULL : running_var, &plain);
    if (training && r.y &&
        nm_batch_norm_move(tape, x, &r, running_mean, running_var, o->momentum) != NM_OK) {
        return NULL;
    }
    return r.y;
}
