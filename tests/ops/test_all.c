/* What must hold for every op: the registry is walked, so no op can be added untested. */
#include <string.h>

#include "core/op.h"
#include "core/random.h"
#include "ops/ops.h"
#include "tests/test.h"

typedef void (*op_fn)(nm_context *context, const nm_op *op);

static void for_every_op(op_fn check)
{
    nm_context *context = test_context(NULL);
    nm_register_ops(context);
    assert_fine(context);
    ck_assert_int_gt(nm_item_count(context, NM_KIND_OP), 0);
    for (int i = 0; i < nm_item_count(context, NM_KIND_OP); i++) {
        check(context, (const nm_op *)nm_item_at(context, NM_KIND_OP, i));
        assert_fine(context);
    }
    nm_context_destroy(context);
}

/* ---- Inputs from a sample ---- */

typedef struct inputs {
    int count;
    nm_tensor *at[NM_SAMPLE_INPUTS];
} inputs;

static const nm_port *port_of(const nm_op *op, int input)
{
    return &op->inputs[input < op->input_count ? input : op->input_count - 1];
}

static int count_inputs(const nm_sample *sample)
{
    int count = sample->inputs;
    while (!sample->inputs && count < NM_SAMPLE_INPUTS && sample->in[count].fill) {
        count++;
    }
    return count;
}

static nm_tensor *make_input(nm_context *context, const nm_sample_input *s, nm_shape shape)
{
    nm_random random = nm_random_create(7, 0);
    nm_tensor *x = nm_tensor_create(context, s->fill == NM_FILL_INDEX ? NM_I32 : NM_F32, shape);
    for (int64_t i = 0; x && i < nm_tensor_count(x); i++) {
        bool index = s->fill == NM_FILL_INDEX;
        bool one = s->fill == NM_FILL_UNIFORM && s->low == s->high; /* takes whole ones alone */
        nm_tensor_set(x, i,
                      one     ? (double)s->low
                      : index ? (double)nm_random_below(&random, (int64_t)s->high)
                              : 0.25 + nm_random_uniform(&random));
    }
    if (x && s->fill != NM_FILL_INDEX) {
        nm_tensor_set_requires_grad(x, true);
    }
    return x;
}

/* `empty`: which axis gets length 0 in all inputs that have it (-1: the last; NM_MAX_RANK: none).
 */
static inputs make_inputs(nm_context *context, const nm_sample *sample, int empty)
{
    inputs in = {.count = count_inputs(sample)};
    for (int i = 0; i < in.count; i++) {
        if (sample->in[i].fill == NM_FILL_ABSENT) {
            continue;
        }
        nm_shape shape = nm_shape_of_sample(&sample->in[i].shape);
        int axis = nm_shape_axis(&shape, empty);
        if (axis >= 0) {
            shape.dim[axis] = 0;
        }
        in.at[i] = make_input(context, &sample->in[i], shape);
    }
    return in;
}

static void destroy_inputs(inputs *in)
{
    for (int i = 0; i < in->count; i++) {
        nm_tensor_destroy(in->at[i]);
    }
}

/* Forward, and backward through every output that has a gradient. */
static nm_status run(nm_tape *tape, const nm_op *op, const char *options, const inputs *in)
{
    nm_tensor *out[NM_MAX_OUTPUTS], *smooth[NM_MAX_OUTPUTS], *wanted[NM_SAMPLE_INPUTS];
    nm_tensor *grads[NM_SAMPLE_INPUTS];
    int outputs = 0, count = 0;
    nm_status status =
        nm_call(tape, op->item.name, in->at, in->count, options, out, op->output_count);
    for (int i = 0; status == NM_OK && i < op->output_count; i++) {
        if (nm_tensor_requires_grad(out[i])) {
            smooth[outputs++] = out[i];
        }
    }
    for (int i = 0; i < in->count; i++) {
        if (in->at[i] && nm_tensor_requires_grad(in->at[i])) {
            wanted[count++] = in->at[i];
        }
    }
    return status == NM_OK && outputs
               ? nm_gradients(tape, smooth, NULL, outputs, wanted, count, 0, grads)
               : status;
}

/* ---- The claims ---- */

static void check_gradient(nm_context *context, const nm_op *op)
{
    nm_check_result result;
    nm_check_op(context, op->item.name, &result);
    ck_assert_msg(nm_context_status(context) == NM_OK, "%s", nm_context_error(context));
    ck_assert_msg(result.samples > 0, "%s has no samples to check its gradient on", op->item.name);
}

START_TEST(every_op_has_the_gradient_that_differences_say)
{
    for_every_op(check_gradient);
}
END_TEST

static bool says_something(const char *text)
{
    return text && strlen(text) > 2;
}

static void check_texts(nm_context *context, const nm_op *op)
{
    (void)context;
    const char *name = op->item.name;
    ck_assert_msg(says_something(op->item.summary), "%s has no summary", name);
    ck_assert_msg(says_something(op->item.doc), "%s has no doc", name);
    for (int i = 0; i < op->input_count; i++) {
        ck_assert_msg(op->inputs[i].name && says_something(op->inputs[i].doc),
                      "%s: input %d has no doc", name, i);
    }
    for (int i = 0; i < op->output_count; i++) {
        ck_assert_msg(op->outputs[i].name && says_something(op->outputs[i].doc),
                      "%s: output %d has no doc", name, i);
    }
    for (int i = 0; op->item.spec && i < op->item.spec->count; i++) {
        ck_assert_msg(says_something(op->item.spec->options[i].doc), "%s: option %s has no doc",
                      name, op->item.spec->options[i].name);
    }
}

START_TEST(every_op_is_documented)
{
    for_every_op(check_texts);
}
END_TEST

/* Runs the op with input `i` replaced; it must be refused in words that contain `part`. */
static void check_refusal(nm_tape *tape, const nm_op *op, inputs in, int i, nm_tensor *bad,
                          const char *part)
{
    nm_context *context = nm_tape_context(tape);
    in.at[i] = bad;
    nm_status status = run(tape, op, op->samples[0].options, &in);
    ck_assert_msg(status == NM_ERROR_INPUT, "%s takes a bad input %d: %s", op->item.name, i,
                  nm_status_name(status));
    assert_error(context, NM_ERROR_INPUT, port_of(op, i)->name);
    status = run(tape, op, op->samples[0].options, &in);
    assert_error(context, status, part);
    nm_tape_reset(tape);
}

static void check_bad_inputs(nm_context *context, const nm_op *op)
{
    nm_tape *tape = nm_tape_create(context);
    inputs in = make_inputs(context, &op->samples[0], NM_MAX_RANK);
    for (int i = 0; i < in.count; i++) {
        const nm_port *port = port_of(op, i);
        if (!(port->flags & NM_PORT_OPTIONAL)) {
            check_refusal(tape, op, in, i, NULL, "is missing");
        }
        if (port->type == NM_PORT_ANY || !in.at[i]) {
            continue;
        }
        bool index = port->type == NM_PORT_INDEX;
        nm_shape shape = *nm_tensor_shape(in.at[i]);
        nm_tensor *bad = nm_tensor_create(context, index ? NM_F32 : NM_I64, shape);
        check_refusal(tape, op, in, i, bad, index ? "it takes i32" : "it takes f32");
        nm_tensor_destroy(bad);
    }
    destroy_inputs(&in);
    nm_tape_destroy(tape);
}

START_TEST(every_op_refuses_a_missing_input_and_a_wrong_type)
{
    for_every_op(check_bad_inputs);
}
END_TEST

/* An op may refuse a shape without elements, but in order, and not crash on it. */
static void check_empty(nm_context *context, const nm_op *op)
{
    for (int axis = -3; axis < 3; axis++) {
        for (int s = 0; s < op->sample_count; s++) {
            nm_tape *tape = nm_tape_create(context);
            inputs in = make_inputs(context, &op->samples[s], axis);
            nm_status status = run(tape, op, op->samples[s].options, &in);
            ck_assert_msg(status == NM_OK || status == NM_ERROR_INPUT, "%s, axis %d empty: %s",
                          op->item.name, axis, nm_context_error(context));
            nm_context_clear_error(context);
            destroy_inputs(&in);
            nm_tape_destroy(tape);
        }
    }
}

START_TEST(no_op_crashes_on_tensors_without_elements)
{
    for_every_op(check_empty);
}
END_TEST

static const char *starved; /* the op of the scenario below */

static nm_status starve(test_memory *memory)
{
    nm_context *context = test_context(memory);
    if (!context) {
        return NM_ERROR_MEMORY;
    }
    nm_tape *tape = nm_register_ops(context) == NM_OK ? nm_tape_create(context) : NULL;
    const nm_op *op = tape ? nm_find_op(context, starved) : NULL;
    if (op) {
        inputs in = make_inputs(context, &op->samples[0], NM_MAX_RANK);
        if (nm_context_status(context) == NM_OK) {
            run(tape, op, op->samples[0].options, &in);
        }
        destroy_inputs(&in);
    }
    nm_status status = nm_context_status(context);
    nm_tape_destroy(tape);
    test_context_end(context, memory);
    return status;
}

static void check_starved(nm_context *context, const nm_op *op)
{
    (void)context;
    starved = op->item.name;
    test_every_allocation(starve);
}

START_TEST(every_op_survives_the_failure_of_every_allocation)
{
    for_every_op(check_starved);
}
END_TEST

/* A list that a program left out would else be taken for one that it wrote without NM_INTS(). */
static void check_lists(nm_context *context, const nm_op *op)
{
    (void)context;
    const nm_spec *spec = op->item.spec;
    for (int i = 0; spec && i < spec->count; i++) {
        const nm_option *option = &spec->options[i];
        if (option->type == NM_OPTION_INTS || option->type == NM_OPTION_FLOATS) {
            const struct nm_list *list;
            memcpy(&list, (const char *)spec->defaults + option->offset, sizeof list);
            ck_assert_msg(list == NM_LIST, "%s: the default of \"%s\" is no list", op->item.name,
                          option->name);
        }
    }
}

START_TEST(the_defaults_of_lists_are_lists)
{
    for_every_op(check_lists);
}
END_TEST

TEST_MAIN("ops/all", the_defaults_of_lists_are_lists,
          every_op_has_the_gradient_that_differences_say, every_op_is_documented,
          every_op_refuses_a_missing_input_and_a_wrong_type,
          no_op_crashes_on_tensors_without_elements,
          every_op_survives_the_failure_of_every_allocation)
