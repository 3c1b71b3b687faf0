/* Which steps of sequences count. */
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

nm_tensor *nm_sequence_mask(nm_tape *tape, nm_tensor *lengths, int64_t steps)
{
    const nm_sequence_mask_options o = {NM_END(nm_sequence_mask_options), .steps = steps};
    return nm_apply1(tape, &nm_op_sequence_mask, &o, lengths);
}
