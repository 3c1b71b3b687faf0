/* Shapes of a dry run with any number of samples: messages call it so, whatever was refused. */
#include <stdio.h>
#include <string.h>

#include "core/op.h"
#include "ops/ops.h"
#include "tests/test.h"

/* ---- The text ---- */

START_TEST(any_number_of_samples_is_called_batch)
{
    char text[NM_SHAPE_TEXT];
    ck_assert_str_eq(nm_shape_text(&NM_SHAPE(NM_ANY_BATCH, 3), text), "[batch, 3]");
    ck_assert_str_eq(nm_shape_text(&NM_SHAPE(2, 8 * (int64_t)NM_ANY_BATCH), text), "[2, 8*batch]");
    ck_assert_str_eq(nm_shape_text(&NM_SHAPE(0, -1, NM_ANY_BATCH + 1), text), "[0, -1, 16777260]");
}
END_TEST

/* ---- All ops ---- */

/* Ways to spoil the shape of an input; the last changes nothing. */
static nm_shape spoil(nm_shape shape, int way)
{
    switch (way) {
    case 0: shape.rank = shape.rank > 1 ? shape.rank - 1 : shape.rank; break;
    case 1:
        if (shape.rank < NM_MAX_RANK) {
            shape.dim[shape.rank++] = 3;
        }
        break;
    case 2: shape.dim[shape.rank - 1] += 1; break;
    case 3: shape.dim[shape.rank - 1] = NM_ANY_BATCH; break;
    case 4: shape.dim[0] = 1; break;
    default: break;
    }
    return shape;
}

#define WAYS 6

/* A message must not show the number that stands for any. */
static void assert_no_number(const nm_op *op, const char *message)
{
    for (int64_t times = 1; times <= 64; times++) {
        char number[32];
        snprintf(number, sizeof number, "%lld", (long long)(times * NM_ANY_BATCH));
        ck_assert_msg(strstr(message, number) == NULL, "%s: %s", op->item.name, message);
    }
}

static bool try_op(nm_context *context, nm_tape *tape, const nm_op *op, const nm_sample *sample,
                   int spoiled, int way)
{
    nm_tensor *in[NM_SAMPLE_INPUTS] = {NULL}, *out[8];
    int count = 0;
    for (; count < NM_SAMPLE_INPUTS && (sample->in[count].fill || count < sample->inputs);
         count++) {
        nm_shape shape = nm_shape_of_sample(&sample->in[count].shape);
        bool index = sample->in[count].fill == NM_FILL_INDEX;
        if (shape.rank) {
            shape.dim[0] = NM_ANY_BATCH;
            shape = count == spoiled ? spoil(shape, way) : shape;
        }
        in[count] =
            sample->in[count].fill ? nm_tape_tensor(tape, index ? NM_I32 : NM_F32, shape) : NULL;
    }
    nm_call(tape, op->item.name, in, count, sample->options, out, 1);
    const bool refused = nm_context_status(context) != NM_OK;
    assert_no_number(op, nm_context_error(context));
    nm_context_clear_error(context);
    nm_tape_reset(tape);
    return refused;
}

START_TEST(no_op_shows_the_number_that_stands_for_any)
{
    int refused = 0;
    nm_context *context = test_context(NULL);
    ck_assert_int_eq(nm_register_ops(context), NM_OK);
    nm_tape *tape = nm_tape_create(context);
    nm_tape_set_dry(tape, true);
    for (int i = 0; i < nm_item_count(context, NM_KIND_OP); i++) {
        const nm_op *op = (const nm_op *)nm_item_at(context, NM_KIND_OP, i);
        for (int s = 0; s < op->sample_count; s++) {
            for (int way = 0; way < WAYS * NM_SAMPLE_INPUTS; way++) {
                refused += try_op(context, tape, op, &op->samples[s], way / WAYS, way % WAYS);
            }
        }
    }
    ck_assert_int_gt(refused, 1000);
    nm_tape_destroy(tape);
    test_context_end(context, NULL);
}
END_TEST

TEST_MAIN("ops/any_batch", any_number_of_samples_is_called_batch,
          no_op_shows_the_number_that_stands_for_any)
