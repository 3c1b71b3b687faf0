/* A row for each op that is registered, plugins' too: its kernel alone, forward. What it runs on is
 * its first sample for the gradient check, made large; where that says nothing of the op's rate
 * (sizes in options, windows that grow with it), an example of the table, whose first axis grows.
 */
#include <stdio.h>
#include <string.h>

#include "models/command/bench/bench.h"

#define BYTES (16 << 20)         /* of inputs and outputs together, at most */
#define BYTES_UNTIMED (1 << 16)  /* where each step is done once, to see that it works */
#define MULTIPLY_ADDS 10000000LL /* at most */
#define LONGEST 16384            /* axis */

typedef struct example {
    const char *op;
    bench_sample sample;
} example;

static const example examples[] = {
    {"hard_sigmoid_grad", {.in = {NM_NORMAL(16, 768), NM_NORMAL(16, 768)}}},
    {"hard_swish_grad", {.in = {NM_NORMAL(16, 768), NM_NORMAL(16, 768)}}},
    {"sum_to", {.options = "{shape: [768]}", .in = {NM_NORMAL(16, 768)}}},
    {"broadcast_to", {.options = "{shape: [1024, 768]}", .in = {NM_NORMAL(768)}}},
    {"expand", {.options = "{shape: [1024, 768]}", .in = {NM_NORMAL(1024, 1)}}},
    {"reshape", {.options = "{shape: [768, -1]}", .in = {NM_NORMAL(16, 768)}}},
    {"slice", {.options = "{axes: 1, start: 64}", .in = {NM_NORMAL(16, 768)}}},
    {"slice_grad",
     {.options = "{axes: 1, start: 64, shape: [1024, 768]}", .in = {NM_NORMAL(1024, 704)}}},
    {"split", {.options = "{sizes: 384, axis: 1}", .in = {NM_NORMAL(16, 768)}}},
    {"index_select_grad",
     {.options = "{length: 1024}", .in = {NM_NORMAL(16, 768), NM_INDEX(1024, 16)}}},
    {"one_hot", {.options = "{num_classes: 128}", .in = {NM_INDEX(128, 64)}}},
    {"sequence_mask", {.options = "{steps: 1024}", .in = {NM_INDEX(1024, 16)}}},
    {"nll_mask", {.options = "{classes: 128}", .in = {NM_INDEX(128, 64)}}},
    {"batch_norm_max_pool2d_grad",
     {.in = {NM_NORMAL(64, 2, 2, 32), NM_NORMAL(64, 1, 1, 32), NM_NORMAL(32), NM_ABSENT, NM_ABSENT,
             NM_NORMAL(32), NM_NORMAL(32), NM_INDEX(2, 64, 1, 1, 32)},
      .inputs = 8}},
    {"ctc", {.options = "{blank: 31}", .in = {NM_NORMAL(2, 64, 32), NM_INDEX(31, 2, 16)}}},
    {"ctc_paths",
     {.options = "{steps: 64, classes: 32, blank: 31}",
      .in = {NM_INDEX(31, 2, 16), NM_INDEX(17, 2)}}},
    {"conv2d_input_grad",
     {.options = "{size: 14, padding: 1}",
      .in = {NM_NORMAL(1, 14, 14, 32), NM_NORMAL(32, 3, 3, 32)}}},
    {"conv2d_weight_grad",
     {.options = "{size: 3, padding: 1}",
      .in = {NM_NORMAL(1, 14, 14, 32), NM_NORMAL(1, 14, 14, 32)}}},
    {"conv2d_parameter_grad",
     {.options = "{size: 3, padding: 1}",
      .in = {NM_NORMAL(1, 14, 14, 32), NM_NORMAL(1, 14, 14, 32)}}},
    {"max_pool2d_grad",
     {.options = "{kernel: 2, size: 28}",
      .in = {NM_NORMAL(1, 14, 14, 32), NM_INDEX(784, 1, 14, 14, 32)}}},
    {"max_pool2d_gather",
     {.options = "{kernel: 2}", .in = {NM_NORMAL(1, 28, 28, 32), NM_INDEX(784, 1, 14, 14, 32)}}},
    {"avg_pool2d_grad", {.options = "{kernel: 2, size: 28}", .in = {NM_NORMAL(1, 14, 14, 32)}}},
};

/* ---- A sample made large ---- */

static int count_inputs(const bench_sample *s)
{
    int count = s->inputs;
    while (count < NM_SAMPLE_INPUTS && s->in[count].fill != NM_FILL_ABSENT) {
        count++;
    }
    return count;
}

/* All axes times `times`, or the first axis of the inputs that share it with input 0; indices
 * within what has grown. */
static bool enlarge(const bench_sample *from, int times, bool first_alone, bench_sample *to)
{
    *to = *from;
    for (int i = 0; i < NM_SAMPLE_INPUTS; i++) {
        nm_shape *shape = &to->in[i].shape;
        for (int k = 0; k < shape->rank; k++) {
            const bool grows =
                !first_alone || (k == 0 && shape->dim[0] == from->in[0].shape.dim[0]);
            if (grows && shape->dim[k] * times > LONGEST) {
                return false;
            }
            shape->dim[k] = grows ? shape->dim[k] * times : shape->dim[k];
        }
        to->in[i].high *= to->in[i].fill == NM_FILL_INDEX && !first_alone ? (float)times : 1;
    }
    return true;
}

/* What an op would do to a sample, by a dry run; false where the op refuses it. */
static bool ask_cost(nm_tape *tape, const nm_op *op, const bench_sample *sample, nm_tape_cost *cost)
{
    nm_tensor *in[NM_SAMPLE_INPUTS] = {NULL}, *out[NM_MAX_OUTPUTS];
    const int count = count_inputs(sample);
    int64_t bytes = 0;
    nm_tape_reset(tape);
    for (int i = 0; i < count; i++) {
        const bench_input *s = &sample->in[i];
        if (s->fill != NM_FILL_ABSENT) {
            in[i] = nm_tape_tensor(tape, s->fill == NM_FILL_INDEX ? NM_I32 : NM_F32, s->shape);
            bytes += (int64_t)nm_tensor_bytes(in[i]);
        }
    }
    nm_context *context = nm_tape_context(tape);
    nm_call(tape, op->item.name, in, count, sample->options, out, op->output_count);
    *cost = nm_tape_cost_so_far(tape);
    cost->bytes += bytes;
    const bool taken = nm_context_status(context) == NM_OK;
    nm_context_clear_error(context);
    return taken;
}

/* The largest that is not too large. */
static bool grow(nm_tape *tape, const nm_op *op, bool first_alone, int64_t bytes,
                 bench_sample *sample)
{
    const bench_sample small = *sample;
    bool grown = false;
    for (int times = 2; times <= LONGEST; times *= 2) {
        bench_sample larger;
        nm_tape_cost cost;
        if (!enlarge(&small, times, first_alone, &larger) || !ask_cost(tape, op, &larger, &cost) ||
            cost.bytes > bytes || cost.multiply_adds > MULTIPLY_ADDS) {
            break;
        }
        *sample = larger;
        grown = true;
    }
    return grown;
}

static const bench_sample *find_example(const nm_op *op)
{
    for (int i = 0; i < NM_COUNT_OF(examples); i++) {
        if (strcmp(examples[i].op, op->item.name) == 0) {
            return &examples[i].sample;
        }
    }
    return NULL;
}

static bench_sample choose_sample(nm_tape *tape, const nm_op *op, int64_t bytes)
{
    const bench_sample *known = find_example(op);
    bench_sample sample = known ? *known : bench_sample_of(&op->samples[0]);
    if (known || !grow(tape, op, false, bytes, &sample)) {
        grow(tape, op, true, bytes, &sample);
    }
    return sample;
}

/* ---- The rows ---- */

static nm_status bench_one(bench *b, nm_tape *tape, const nm_op *op)
{
    char name[2 * NM_SHAPE_TEXT];
    const bench_sample sample = choose_sample(tape, op, b->seconds > 0 ? BYTES : BYTES_UNTIMED);
    int length = snprintf(name, sizeof name, "%s ", op->item.name);
    for (int i = 0; i < sample.in[0].shape.rank; i++) {
        length += snprintf(name + length, sizeof name - (size_t)length, "%s%lld", i ? "x" : "",
                           (long long)sample.in[0].shape.dim[i]);
    }
    snprintf(name + length, sizeof name - (size_t)length, "%s", op->compose ? ", composed" : "");
    nm_status status = NM_OK;
    if (bench_wanted(b, name)) {
        status = bench_op(b, name, op, &sample, false);
    }
    if (status == NM_ERROR_INPUT) { /* its sample does not bear to be larger */
        nm_context_log(b->context, NM_LOG_WARNING, "no row: %s", nm_context_error(b->context));
        nm_context_clear_error(b->context);
        return NM_OK;
    }
    return status;
}

nm_status bench_catalogue(bench *b)
{
    nm_status status = NM_OK;
    nm_tape *tape = nm_tape_create(b->context);
    b->heading = "One op";
    nm_tape_set_dry(tape, true);
    for (int i = 0; i < nm_item_count(b->context, NM_KIND_OP) && status == NM_OK; i++) {
        const nm_op *op = (const nm_op *)nm_item_at(b->context, NM_KIND_OP, i);
        status = op->sample_count ? bench_one(b, tape, op) : NM_OK;
    }
    nm_tape_destroy(tape);
    return status;
}
