/* Ops made of others: a formula, and nothing else. Each is registered as a user would. */
#include <string.h>

#include "core/graph/graph.h"
#include "core/op.h"
#include "ops/basic.h"
#include "ops/define.h"
#include "ops/ops.h"
#include "tests/test.h"

/* y = x^2 tanh x, and x + 1 beside it where x has an odd number of rows. */
static nm_tensor *bent_compose(nm_compose *c)
{
    nm_tensor *x = c->in[0];
    if (nm_tensor_shape(x)->rank != 2) {
        return nm_compose_fail(c, "x has %d axes, not 2", nm_tensor_shape(x)->rank);
    }
    if (nm_tensor_shape(x)->dim[0] % 2) {
        c->out[1] = nm_affine(c->tape, x, 1, 1);
    }
    return nm_mul(c->tape, nm_square(c->tape, x), nm_tanh(c->tape, x));
}

/* Another formula within. */
static nm_tensor *twice_compose(nm_compose *c)
{
    extern const nm_op nm_op_bent;
    nm_tensor *out[2];
    nm_apply(c->tape, &nm_op_bent, c->in, 1, NULL, out);
    return nm_add(c->tape, out[0], out[0]);
}

static nm_tensor *silent_compose(nm_compose *c)
{
    (void)c;
    return NULL;
}

/* Fails within: the shapes do not broadcast. */
static nm_tensor *clumsy_compose(nm_compose *c)
{
    return nm_add(c->tape, c->in[0], nm_full(c->tape, NM_F32, NM_SHAPE(7, 7, 7), 1));
}

static const nm_sample bent_samples[] = {{.in = {NM_NORMAL(3, 2)}}, {.in = {NM_NORMAL(4, 2)}}};
#define twice_samples bent_samples
#define silent_samples bent_samples
#define clumsy_samples bent_samples
static const nm_port bent_ports[] = {
    {.name = "y", .doc = "x's shape"},
    {.name = "z", .doc = "the same, or not there", .flags = NM_PORT_OPTIONAL},
};

NM_COMPOSED_OP(bent, nm_port_x, bent_ports, 0, "a formula", .doc = "y = x^2 tanh x")
NM_COMPOSED_OP(twice, nm_port_x, nm_port_y, 0, "a formula of one", .doc = "y = 2 x^2 tanh x")
NM_COMPOSED_OP(silent, nm_port_x, nm_port_y, 0, "nothing", .doc = "nothing")
NM_COMPOSED_OP(clumsy, nm_port_x, nm_port_y, 0, "a mistake", .doc = "a mistake")

typedef struct fixture {
    nm_context *context;
    nm_tape *tape;
    nm_tensor *x;
} fixture;

static fixture begin(test_memory *memory)
{
    fixture f = {.context = test_context(memory)};
    const nm_op *const ops[] = {&nm_op_bent, &nm_op_twice, &nm_op_silent, &nm_op_clumsy};
    nm_register_ops(f.context);
    for (int i = 0; i < NM_COUNT_OF(ops); i++) {
        nm_register_op(f.context, ops[i]);
    }
    f.tape = nm_tape_create(f.context);
    f.x = nm_tensor_create(f.context, NM_F32, NM_SHAPE(31, 40));
    nm_tensor_fill(f.x, 0.5);
    assert_fine(f.context);
    return f;
}

static void end(fixture f, test_memory *memory)
{
    nm_tape_destroy(f.tape);
    nm_tensor_destroy(f.x);
    if (memory) {
        test_context_end(f.context, memory);
    } else {
        nm_context_destroy(f.context);
    }
}

START_TEST(a_formula_has_gradients_of_both_orders_without_a_word_of_its_own)
{
    fixture f = begin(NULL);
    nm_check_result result;
    nm_check_op(f.context, "bent", &result);
    assert_fine(f.context);
    ck_assert_int_eq(result.samples, 2);
    ck_assert_double_gt(result.second_error, 0);
    nm_check_op(f.context, "twice", NULL);
    assert_fine(f.context);
    end(f, NULL);
}
END_TEST

START_TEST(an_output_may_be_left_out)
{
    fixture f = begin(NULL);
    nm_tensor *out[2];
    nm_call(f.tape, "bent", &f.x, 1, NULL, out, 2);
    ck_assert(out[0] && out[1]);
    nm_tensor *even = nm_full(f.tape, NM_F32, NM_SHAPE(2, 2), 1);
    nm_call(f.tape, "bent", &even, 1, NULL, out, 2);
    assert_fine(f.context);
    ck_assert(out[0] && !out[1]);
    end(f, NULL);
}
END_TEST

START_TEST(what_a_formula_makes_on_its_way_is_given_back)
{
    fixture f = begin(NULL);
    nm_tensor *y = nm_apply1(f.tape, &nm_op_twice, NULL, f.x);
    const size_t one = nm_context_pool_peak(f.context);
    for (int i = 0; i < 20; i++) {
        nm_tape_discard(f.tape, y);
        y = nm_apply1(f.tape, &nm_op_twice, NULL, f.x);
    }
    assert_fine(f.context);
    ck_assert_uint_eq(nm_context_pool_peak(f.context), one);
    end(f, NULL);
}
END_TEST

static nm_status forward(void *self, nm_tape *tape, nm_tensor *const *in, nm_tensor **out)
{
    (void)self;
    out[0] = nm_apply1(tape, &nm_op_twice, NULL, in[0]);
    return NM_OK;
}

START_TEST(a_graph_has_the_ops_that_a_formula_is_made_of)
{
    fixture f = begin(NULL);
    const nm_graph_input input = {"x", NM_F32, NM_SHAPE(31, 40)};
    nm_graph *graph = nm_graph_trace(f.context, NULL, forward, NULL, &input, 1, 1);
    nm_tensor *y, *direct = nm_apply1(f.tape, &nm_op_twice, NULL, f.x);
    assert_fine(f.context);
    for (int i = 0; i < nm_graph_step_count(graph); i++) {
        ck_assert(!nm_graph_step_at(graph, i)->op->compose);
    }
    nm_graph_run(graph, f.tape, NULL, &f.x, &y);
    assert_fine(f.context);
    ck_assert_double_eq(nm_tensor_get(y, 7), nm_tensor_get(direct, 7));
    nm_graph_destroy(graph);
    end(f, NULL);
}
END_TEST

START_TEST(a_failure_names_the_formula_and_the_op_within_and_the_place_once)
{
    fixture f = begin(NULL);
    nm_tape_set_scope(f.tape, "layer \"a\"");
    nm_apply1(f.tape, &nm_op_clumsy, NULL, f.x);
    const char *error = nm_context_error(f.context), *place = strstr(error, "layer \"a\"");
    ck_assert(place && !strstr(place + 1, "layer \"a\""));
    ck_assert(strstr(error, "clumsy") && strstr(error, "add"));
    assert_error(f.context, NM_ERROR_INPUT, "do not broadcast");
    nm_apply1(f.tape, &nm_op_silent, NULL, f.x);
    assert_error(f.context, NM_ERROR_INTERNAL, "silent: its formula gave no y");
    nm_apply1(f.tape, &nm_op_bent, NULL, nm_full(f.tape, NM_F32, NM_SHAPE(3), 1));
    assert_error(f.context, NM_ERROR_INPUT, "bent: x has 1 axes, not 2");
    end(f, NULL);
}
END_TEST

START_TEST(a_formula_with_a_computation_beside_it_is_refused)
{
    fixture f = begin(NULL);
    nm_op op = nm_op_bent;
    op.item.name = "both";
    op.infer = nm_infer_same;
    nm_register_op(f.context, &op);
    assert_error(f.context, NM_ERROR_INPUT, "made of others");
    end(f, NULL);
}
END_TEST

static nm_status starve(test_memory *memory)
{
    nm_context *context = test_context(memory);
    if (!context) {
        return NM_ERROR_MEMORY;
    }
    nm_tape *tape = nm_register_ops(context) == NM_OK ? nm_tape_create(context) : NULL;
    nm_tensor *x = tape ? nm_full(tape, NM_F32, NM_SHAPE(3, 50), 1) : NULL;
    if (x) {
        nm_apply1(tape, &nm_op_twice, NULL, x);
    }
    const nm_status status = nm_context_status(context);
    nm_tape_destroy(tape);
    test_context_end(context, memory);
    return status;
}

START_TEST(a_formula_survives_the_failure_of_every_allocation)
{
    test_every_allocation(starve);
}
END_TEST

TEST_MAIN("core/compose", a_formula_has_gradients_of_both_orders_without_a_word_of_its_own,
          an_output_may_be_left_out, what_a_formula_makes_on_its_way_is_given_back,
          a_graph_has_the_ops_that_a_formula_is_made_of,
          a_failure_names_the_formula_and_the_op_within_and_the_place_once,
          a_formula_with_a_computation_beside_it_is_refused,
          a_formula_survives_the_failure_of_every_allocation)
