/* Which steps of sequences count. */
#include "ops/basic.h"
#include "ops/define.h"
#include "ops/sequence.h"
#include "ops/table.h"

static nm_status sequence_mask_infer(nm_infer *infer)
{
    nm_shape *y = &infer->out[0];
    if (infer->in[0]->rank == NM_MAX_RANK) {
        return nm_infer_fail(infer, "y would have %d axes; there are at most %d", NM_MAX_RANK + 1,
                             NM_MAX_RANK);
    }
    *y = *infer->in[0];
    y->dim[y->rank++] = ((const nm_sequence_mask_options *)infer->options)->steps;
    return NM_OK;
}

static nm_status sequence_mask_forward(const nm_run *run)
{
    const nm_tensor *lengths = run->in[0];
    const int64_t steps = ((const nm_sequence_mask_options *)run->options)->steps;
    float *y = run->y[0];
    for (int64_t i = 0; i < nm_tensor_count(lengths); i++) {
        const double length = nm_tensor_get(lengths, i);
        char place[NM_SHAPE_TEXT];
        if (length < 0 || length > (double)steps) {
            return nm_run_fail(
                run, NM_ERROR_INPUT, "the length at %s is %.0f; there are %lld steps",
                nm_shape_place_text(nm_tensor_shape(lengths), i, place), length, (long long)steps);
        }
        for (int64_t t = 0; t < steps; t++) {
            y[i * steps + t] = (double)t < length;
        }
    }
    return NM_OK;
}
#define sequence_mask_vjp NULL

static const nm_sample sequence_mask_samples[] = {
    {.options = "{steps: 4}", .in = {NM_INDEX(5, 2, 3)}}};

static const nm_sequence_mask_options defaults = {NM_END(nm_sequence_mask_options), .steps = 1};
static const nm_option options[] = {{NM_FIELD(nm_sequence_mask_options, steps), NM_OPTION_INT,
                                     .min = 0, .max = NM_NO_LIMIT, .flags = NM_REQUIRED,
                                     .also = "maxlen", .doc = "how many there are"}};
static const nm_spec spec = NM_SPEC(nm_sequence_mask_options, defaults, options);
static const nm_port inputs[] = {
    {.name = "lengths", .doc = "any shape; from 0 to steps", .type = NM_PORT_INDEX}};
static const nm_port outputs[] = {{.name = "y", .doc = "f32 [lengths..., steps]"}};

NM_OP(sequence_mask, inputs, outputs, sequence_mask_infer, NM_OP_NO_VJP,
      "which steps of sequences count", .spec = &spec,
      .doc = "y = 1 at the steps below a sequence's length, else 0. No gradient.")

/* ---- sequence_lengths ---- */

/* 1 where a step has a number that is not the value: [n, steps]. */
static nm_tensor *counting_steps(const nm_compose *c, double value)
{
    nm_tape *tape = c->tape;
    nm_tensor *x = c->in[0];
    const nm_shape *shape = nm_tensor_shape(x);
    nm_ints axes = {NM_LIST, shape->rank - 2, {0}};
    for (int i = 0; i < axes.count; i++) {
        axes.at[i] = i + 2;
    }
    nm_tensor *same = nm_equal(tape, x, nm_scalar(tape, nm_tensor_dtype(x), value));
    nm_tensor *counts = nm_affine(tape, same, -1, 1);
    return axes.count ? nm_max(tape, counts, .axes = axes) : counts;
}

/* The last of 0, 1, 2, ..., steps that counts. */
static nm_tensor *sequence_lengths_compose(nm_compose *c)
{
    nm_tape *tape = c->tape;
    const nm_shape *shape = nm_tensor_shape(c->in[0]);
    const nm_dtype dtype = nm_tensor_dtype(c->in[0]);
    char text[NM_SHAPE_TEXT];
    if (shape->rank < 2) {
        return nm_compose_fail(c, "x %s must be sequences, [n, steps, ...]",
                               nm_shape_text(shape, text));
    }
    nm_tensor *numbers =
        nm_cumsum(tape, nm_full(tape, dtype, NM_SHAPE(1, shape->dim[1]), 1), .axis = 1);
    const double value = ((const nm_sequence_lengths_options *)c->options)->value;
    nm_tensor *parts[] = {nm_full(tape, dtype, NM_SHAPE(shape->dim[0], 1), 0),
                          nm_mul(tape, counting_steps(c, value), numbers)};
    return nm_argmax(tape, nm_concat(tape, parts, 2, .axis = 1), .axis = 1);
}

static const nm_sample sequence_lengths_samples[] = {
    {.in = {NM_NORMAL(2, 3, 2)}},
    {.options = "{value: 1}", .in = {NM_NORMAL(2, 3)}},
};
static const nm_sequence_lengths_options lengths_defaults = {NM_END(nm_sequence_lengths_options),
                                                             .value = 0};
static const nm_option lengths_options[] = {
    {NM_FIELD(nm_sequence_lengths_options, value), NM_OPTION_FLOAT, .min = -NM_NO_LIMIT,
     .max = NM_NO_LIMIT, .also = "padding mask_value padding_value",
     .doc = "what steps behind a sequence's end are filled with"}};
static const nm_spec lengths_spec =
    NM_SPEC(nm_sequence_lengths_options, lengths_defaults, lengths_options);
static const nm_port padded[] = {{.name = "x", .doc = "[n, steps, ...]: padded sequences"}};
static const nm_port lengths_port[] = {
    {.name = "lengths", .doc = "i32 [n]: from 0 to steps", .type = NM_PORT_INDEX}};

NM_COMPOSED_OP(sequence_lengths, padded, lengths_port, NM_OP_NO_VJP,
               "how long padded sequences are", .spec = &lengths_spec,
               .doc =
                   "The last step that has a number other than the value, counted from 1; 0 where\n"
                   "there is none. No gradient.")

nm_tensor *nm_sequence_lengths(nm_tape *tape, nm_tensor *x, double value)
{
    const nm_sequence_lengths_options o = {NM_END(nm_sequence_lengths_options), .value = value};
    return nm_apply1(tape, &nm_op_sequence_lengths, &o, x);
}

nm_tensor *nm_sequence_mask(nm_tape *tape, nm_tensor *lengths, int64_t steps)
{
    const nm_sequence_mask_options o = {NM_END(nm_sequence_mask_options), .steps = steps};
    return nm_apply1(tape, &nm_op_sequence_mask, &o, lengths);
}
