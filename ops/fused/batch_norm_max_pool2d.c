/* Batch norm, an activation and max pooling over windows of 2 by 2, in one pass over the images:
 * what follows a convolution in networks that shrink their images. What lies between is never
 * written: the pass reads x and writes a quarter of it.
 *
 * Backward, only a quarter of the values of batch norm have a gradient. Its sums need x in these
 * places alone (the hidden output `picked`); then one pass reads x and writes dx. */
#include "ops/basic.h"
#include "ops/norm/batch_norm.h"
#include "ops/norm/channels.h"
#include "ops/define.h"
#include "ops/kernels/norm_pool.h"
#include "ops/linear.h"
#include "ops/pool/pool2d.h"
#include "ops/table.h"

/* Beyond batch norm's own. */
enum { P_INDEX = OUTPUTS, P_PICKED, P_LEFT, P_OUTPUTS };
enum { Q_INDEX = G_INPUTS, Q_PICKED, Q_LEFT, Q_INPUTS };

static nm_batch_norm_options norm_options(const void *options)
{
    const nm_batch_norm_activation_options *o = options;
    return (nm_batch_norm_options){.struct_size = sizeof(nm_batch_norm_options),
                                   .axis = o->axis,
                                   .eps = o->eps,
                                   .mode = o->mode,
                                   .mean_only = o->mean_only};
}

static nm_activation activation_of(const void *options)
{
    return (nm_activation)((const nm_batch_norm_activation_options *)options)->activation;
}

/* ---- Shape rules ---- */

static nm_status check_images(const nm_infer *infer, const nm_batch_norm_options *o)
{
    const nm_shape *x = infer->in[X];
    char text[NM_SHAPE_TEXT];
    if (x->rank != 4 || x->dim[1] < 2 || x->dim[2] < 2 || x->dim[1] > INT32_MAX / x->dim[2]) {
        return nm_infer_fail(infer,
                             "x %s must be [n, h, w, channels] with images of at least 2 by 2, and "
                             "of no more places than an index counts",
                             nm_shape_text(x, text));
    }
    if (nm_batch_norm_axis(o, x) != 3) {
        return nm_infer_fail(infer, "the channels must be the last axis");
    }
    return NM_OK;
}

static nm_shape pooled(const nm_shape *x)
{
    return NM_SHAPE(x->dim[0], x->dim[1] / 2, x->dim[2] / 2, x->dim[3]);
}

static nm_status batch_norm_max_pool2d_infer(nm_infer *infer)
{
    const nm_batch_norm_options norm = norm_options(infer->options);
    nm_status status = check_images(infer, &norm);
    if (status == NM_OK) {
        status = nm_batch_norm_infer_as(infer, &norm);
    }
    if (status == NM_OK) {
        infer->out[Y] = infer->out[P_INDEX] = infer->out[P_PICKED] = pooled(infer->in[X]);
        infer->out[P_LEFT] = infer->out[MEAN];
    }
    return status;
}

static nm_norm_pool pool_of(const nm_run *run, const nm_shape *x)
{
    return (nm_norm_pool){.context = run->context,
                          .dtype = run->dtype,
                          .n = x->dim[0],
                          .h = x->dim[1],
                          .w = x->dim[2],
                          .c = x->dim[3],
                          .oh = x->dim[1] / 2,
                          .ow = x->dim[2] / 2};
}

/* ---- Forward ---- */

static nm_status batch_norm_max_pool2d_forward(const nm_run *run)
{
    const nm_batch_norm_options norm = norm_options(run->options);
    const size_t bytes = nm_tensor_bytes(run->out[MEAN]);
    char *memory = nm_scratch(run->context, 2 * bytes + 1);
    nm_norm_pool m = pool_of(run, nm_tensor_shape(run->in[X]));
    m.activation = activation_of(run->options);
    m.x = run->x[X];
    m.center = run->y[MEAN];
    m.a = memory;
    m.b = memory ? memory + bytes : NULL;
    m.y = run->y[Y];
    m.picked = run->y[P_PICKED];
    m.found = run->y[P_INDEX];
    nm_batch_norm_top top = {.elsewhere = true,
                             .gate_scale = memory,
                             .gate_shift = memory ? memory + bytes : NULL,
                             .left = run->y[P_LEFT]};
    nm_status status = memory ? nm_batch_norm_compute(run, &norm, &top) : NM_ERROR_MEMORY;
    if (status == NM_OK) {
        nm_norm_pool_forward(&m);
    }
    nm_scratch_end(memory);
    return status;
}

/* ---- Gradient ---- */

static nm_pool2d_options windows(void)
{
    return (nm_pool2d_options){NM_POOL2D_DEFAULTS, .kernel = NM_LIST_OF(1, 2),
                               NM_END(nm_pool2d_options)};
}

static nm_tensor *unpooled(nm_vjp *v, nm_tensor *x, nm_tensor *dy, nm_tensor *index)
{
    const nm_pool2d_options o = windows();
    const nm_pool2d_grad_options g = nm_pool_grad_options(&o, x);
    return nm_apply2(v->tape, &nm_op_max_pool2d_grad, &g, dy, index);
}

/* In inference: as if the ops had run one after the other. */
static nm_tensor *one_by_one(nm_vjp *v, const nm_batch_norm_options *norm, nm_tensor *dy, int input)
{
    nm_tensor *of_norm = unpooled(v, v->in[X], dy, v->out[P_INDEX]);
    return of_norm ? nm_batch_norm_vjp_as(v, norm, of_norm, input) : NULL;
}

static nm_tensor *in_one_pass(nm_vjp *v, const nm_batch_norm_options *norm, nm_tensor *dy,
                              int input)
{
    nm_tensor *in[Q_INPUTS] = {[G_X] = v->in[X],
                               [G_DY] = dy,
                               [G_SCALE] = v->in[SCALE],
                               [G_MEAN] = nm_detach(v->tape, v->out[MEAN]),
                               [G_INVERSE] = nm_detach(v->tape, v->out[INVERSE]),
                               [G_DMEAN] = v->gout[MEAN],
                               [G_DVAR] = nm_batch_norm_gradient_of_var(v, norm),
                               [Q_INDEX] = v->out[P_INDEX],
                               [Q_PICKED] = v->out[P_PICKED],
                               [Q_LEFT] = v->out[P_LEFT]};
    nm_tensor *out[G_OUTPUTS];
    if (nm_apply(v->tape, &nm_op_batch_norm_max_pool2d_grad, in, Q_INPUTS, norm, out) != NM_OK) {
        return NULL;
    }
    v->gin[X] = out[G_DX];
    v->gin[SCALE] = out[G_DSCALE];
    v->gin[SHIFT] = out[G_DSHIFT];
    return v->gin[input];
}

static nm_tensor *batch_norm_max_pool2d_vjp(nm_vjp *v, int input)
{
    const nm_batch_norm_options norm = norm_options(v->options);
    if (nm_is_training(&norm) && input >= RUNNING_MEAN) { /* not used */
        return nm_or_zeros(v->tape, NULL, v->in[input]);
    }
    nm_tensor *dy =
        nm_activation_gradient(v->tape, activation_of(v->options), v->out[Y], nm_vjp_gout(v, Y));
    return nm_is_training(&norm) ? in_one_pass(v, &norm, dy, input)
                                 : one_by_one(v, &norm, dy, input);
}

/* ---- The gradient's computation ---- */

static nm_status check_together(const nm_infer *infer)
{
    const int known = (infer->in[G_MEAN] != NULL) + (infer->in[G_INVERSE] != NULL) +
                      (infer->in[Q_PICKED] != NULL) + (infer->in[Q_LEFT] != NULL);
    if (known != 0 && known != 4) {
        return nm_infer_fail(infer, "mean, inverse, picked and left go together: give all or none");
    }
    return NM_OK;
}

static nm_status batch_norm_max_pool2d_grad_infer(nm_infer *infer)
{
    const nm_batch_norm_options *o = infer->options;
    const nm_shape *index = infer->in[Q_INDEX], *picked = infer->in[Q_PICKED];
    char text[NM_SHAPE_TEXT];
    int axis;
    if (!nm_is_training(o)) {
        return nm_infer_fail(infer, "it is for training; in inference the gradient is that of "
                                    "max_pool2d and batch_norm");
    }
    if (check_images(infer, o) != NM_OK || check_together(infer) != NM_OK ||
        nm_batch_norm_check(infer, o, G_SCALE, G_DVAR, &axis) != NM_OK ||
        nm_infer_channels(infer, Q_LEFT, axis) != NM_OK) {
        return NM_ERROR_INPUT;
    }
    const nm_shape y = pooled(infer->in[G_X]);
    if (!nm_shape_equal(infer->in[G_DY], &y) || !nm_shape_equal(index, &y) ||
        (picked && !nm_shape_equal(picked, &y))) {
        return nm_infer_fail(infer, "dy, index and picked must have the pooled shape %s",
                             nm_shape_text(&y, text));
    }
    infer->out[G_DX] = *infer->in[G_X];
    infer->out[G_DSCALE] = infer->out[G_DSHIFT] = (nm_shape){1, {y.dim[3]}};
    return NM_OK;
}

/* The numbers that are not given, found again. `memory` holds three arrays of one a channel, and
 * what is picked. */
typedef struct known {
    const void *mean, *inverse, *left, *picked;
} known;

static nm_status find_again(const nm_run *run, nm_norm_pool *m, char *memory, size_t bytes,
                            known *k)
{
    char *picked = memory + 3 * bytes;
    *k = (known){memory, memory + bytes, memory + 2 * bytes, picked};
    m->picked = picked;
    nm_norm_pool_pick(m);
    return nm_batch_norm_moments(run, memory, memory + bytes, memory + 2 * bytes);
}

static nm_status spread(const nm_run *run, nm_norm_pool *m, const known *k, char *memory,
                        size_t bytes)
{
    void *const abc[3] = {memory, memory + bytes, memory + 2 * bytes};
    nm_status status = nm_batch_norm_grad_picked(run, nm_tensor_shape(run->in[G_DY]), k->picked,
                                                 k->mean, k->inverse, k->left, abc);
    if (status != NM_OK) {
        return status;
    }
    m->center = k->mean;
    m->inverse = k->inverse;
    m->a = abc[0];
    m->b = abc[1];
    m->d = abc[2];
    nm_norm_pool_backward(m);
    return !atomic_load(&m->outside)
               ? NM_OK
               : nm_run_fail(run, NM_ERROR_INPUT, "an index lies outside of its window");
}

static nm_status batch_norm_max_pool2d_grad_forward(const nm_run *run)
{
    const size_t bytes = (nm_tensor_bytes(run->out[G_DSCALE]) + 63) & ~(size_t)63;
    const bool again = !run->x[G_MEAN];
    const size_t more = again ? 3 * bytes + nm_tensor_bytes(run->in[G_DY]) : 0;
    nm_norm_pool m = pool_of(run, nm_tensor_shape(run->in[G_X]));
    known k = {run->x[G_MEAN], run->x[G_INVERSE], run->x[Q_LEFT], run->x[Q_PICKED]};
    if (nm_tensor_dtype(run->in[Q_INDEX]) != NM_I32) {
        return nm_run_fail(run, NM_ERROR_INPUT, "index must be i32");
    }
    m.x = run->x[G_X];
    m.dy = run->x[G_DY];
    m.index = run->x[Q_INDEX];
    m.dx = run->y[G_DX];
    char *memory = nm_scratch(run->context, 3 * bytes + more + 1);
    nm_status status = !memory ? NM_ERROR_MEMORY
                       : again ? find_again(run, &m, memory + 3 * bytes, bytes, &k)
                               : NM_OK;
    if (status == NM_OK) {
        status = spread(run, &m, &k, memory, bytes);
    }
    nm_scratch_end(memory);
    return status;
}

static nm_tensor *batch_norm_max_pool2d_grad_vjp(nm_vjp *v, int input)
{
    const nm_pool2d_options o = windows();
    nm_tensor *dy = unpooled(v, v->in[G_X], v->in[G_DY], v->in[Q_INDEX]);
    if (!dy) {
        return NULL;
    }
    nm_batch_norm_grad_vjp_of(v, dy, input);
    v->gin[G_DY] = v->gin[G_DY] ? nm_apply2(v->tape, &nm_op_max_pool2d_gather, &o, v->gin[G_DY],
                                            v->in[Q_INDEX])
                                : NULL;
    return v->gin[input];
}

/* ---- The ops ---- */

#define CHANNELS(name_, doc_)                                                                      \
    {                                                                                              \
        .name = name_, .doc = doc_, .flags = NM_PORT_OPTIONAL                                      \
    }
static const nm_port inputs[INPUTS] = {
    [X] = {.name = "x", .doc = "[n, h, w, channels]: values to normalize"},
    [SCALE] = CHANNELS("scale", "[channels]; absent: 1"),
    [SHIFT] = CHANNELS("shift", "[channels]; absent: 0"),
    [RUNNING_MEAN] = CHANNELS("running_mean", "[channels], for inference"),
    [RUNNING_VAR] = CHANNELS("running_var", "[channels], for inference"),
};
#define HIDDEN(name_, doc_, ...)                                                                   \
    {                                                                                              \
        .name = name_, .doc = doc_, __VA_ARGS__                                                    \
    }
static const nm_port outputs[P_OUTPUTS] = {
    [Y] = {.name = "y", .doc = "[n, h / 2, w / 2, channels]"},
    [MEAN] = {.name = "mean", .doc = "[channels]: what x was normalized with"},
    [VAR] = {.name = "var", .doc = "[channels], biased: the batch's, or running_var"},
    [INVERSE] = HIDDEN("inverse", "[channels]: 1 / sqrt(var + eps); 1 if mean_only",
                       .flags = NM_PORT_HIDDEN),
    [P_INDEX] = HIDDEN("index", "y's shape: where it was, row * w + column", .type = NM_PORT_INDEX,
                       .flags = NM_PORT_HIDDEN),
    [P_PICKED] =
        HIDDEN("picked", "y's shape: x at that place", .flags = NM_PORT_HIDDEN | NM_PORT_NO_GRAD),
    [P_LEFT] = HIDDEN("left", "[channels]: the mean of xhat, which is 0 but for rounding",
                      .flags = NM_PORT_HIDDEN | NM_PORT_NO_GRAD),
};

#define VARIANCES(...) NM_UNIFORM(0.5, 2, __VA_ARGS__)

static const nm_sample batch_norm_max_pool2d_samples[] = {
    {.in = {NM_DISTINCT(2, 4, 4, 3), NM_NORMAL(3), NM_NORMAL(3)}},
    {.options = "{activation: none}", .in = {NM_DISTINCT(2, 3, 5, 2)}},
    {.options = "{activation: tanh, mean_only: true}",
     .in = {NM_DISTINCT(2, 2, 3, 2), NM_NORMAL(2), NM_NORMAL(2)}},
    {.options = "{mode: inference, activation: sigmoid}",
     .in = {NM_DISTINCT(2, 4, 2, 3), NM_NORMAL(3), NM_NORMAL(3), NM_NORMAL(3), VARIANCES(3)}},
};

const nm_op nm_op_batch_norm_max_pool2d = {
    .item = NM_ITEM(
        nm_op, "batch_norm_max_pool2d", "batch norm, an activation and 2 by 2 max pooling at once",
        .spec = &nm_batch_norm_activation_spec,
        .doc = "y = activation(max_pool2d(batch_norm(x))) with windows of 2 by 2, as the ops one\n"
               "after the other compute it, with fewer passes over memory; for an activation that\n"
               "never falls, the same as pooling after it. A last row or column of odd images is\n"
               "left out."),
    .inputs = inputs,
    .outputs = outputs,
    .input_count = INPUTS,
    .output_count = P_OUTPUTS,
    .infer = batch_norm_max_pool2d_infer,
    .forward = batch_norm_max_pool2d_forward,
    .vjp = batch_norm_max_pool2d_vjp,
    .samples = batch_norm_max_pool2d_samples,
    .sample_count = NM_COUNT_OF(batch_norm_max_pool2d_samples),
};

static const nm_port grad_inputs[Q_INPUTS] = {
    [G_X] = {.name = "x", .doc = "[n, h, w, channels]: batch norm's input"},
    [G_DY] = {.name = "dy", .doc = "[n, h / 2, w / 2, channels]: gradient of the pooled result"},
    [G_SCALE] = CHANNELS("scale", "[channels]; absent: 1"),
    [G_MEAN] = CHANNELS("mean", "[channels]; may be absent and is found again from x"),
    [G_INVERSE] = CHANNELS("inverse", "[channels], the same"),
    [G_DMEAN] = CHANNELS("dmean", "[channels]: gradient of the output mean; absent: 0"),
    [G_DVAR] = CHANNELS("dvar", "[channels]: gradient of the output var; absent: 0"),
    [Q_INDEX] = {.name = "index", .doc = "dy's shape: row * w + column", .type = NM_PORT_INDEX},
    [Q_PICKED] = {.name = "picked",
                  .doc = "dy's shape: x there; goes with mean and inverse",
                  .flags = NM_PORT_OPTIONAL | NM_PORT_NO_GRAD},
    [Q_LEFT] = {.name = "left",
                .doc = "[channels], the same",
                .flags = NM_PORT_OPTIONAL | NM_PORT_NO_GRAD},
};

/* Images of one window, whose index is any of four places. */
static const nm_sample batch_norm_max_pool2d_grad_samples[] = {
    {.in = {NM_NORMAL(3, 2, 2, 2), NM_NORMAL(3, 1, 1, 2), NM_NORMAL(2), NM_ABSENT, NM_ABSENT,
            NM_NORMAL(2), NM_NORMAL(2), NM_INDEX(2, 3, 1, 1, 2)},
     .inputs = 8},
    {.options = "{mean_only: true}",
     .in = {NM_NORMAL(3, 2, 3, 2), NM_NORMAL(3, 1, 1, 2), NM_ABSENT, NM_ABSENT, NM_ABSENT,
            NM_ABSENT, NM_ABSENT, NM_INDEX(2, 3, 1, 1, 2)},
     .inputs = 8},
};

const nm_op nm_op_batch_norm_max_pool2d_grad = {
    .item = NM_ITEM(
        nm_op, "batch_norm_max_pool2d_grad",
        "gradient of batch norm and 2 by 2 max pooling in one pass", .spec = &nm_batch_norm_spec,
        .doc = "batch_norm_grad of a gradient that is dy at the places of the index and\n"
               "0 elsewhere. In training."),
    .inputs = grad_inputs,
    .outputs = nm_batch_norm_grad_outputs,
    .input_count = Q_INPUTS,
    .output_count = G_OUTPUTS,
    .infer = batch_norm_max_pool2d_grad_infer,
    .forward = batch_norm_max_pool2d_grad_forward,
    .vjp = batch_norm_max_pool2d_grad_vjp,
    .samples = batch_norm_max_pool2d_grad_samples,
    .sample_count = NM_COUNT_OF(batch_norm_max_pool2d_grad_samples),
};

nm_batch_norm_result nm_batch_norm_max_pool2d_with(nm_tape *tape, nm_tensor *x, nm_tensor *scale,
                                                   nm_tensor *shift, nm_tensor *running_mean,
                                                   nm_tensor *running_var,
                                                   const nm_batch_norm_activation_options *o)
{
    nm_tensor *in[INPUTS] = {x, scale, shift, running_mean, running_var}, *out[P_OUTPUTS];
    nm_apply(tape, &nm_op_batch_norm_max_pool2d, in, INPUTS, o, out);
    return (nm_batch_norm_result){out[Y], out[MEAN], out[VAR]};
}
