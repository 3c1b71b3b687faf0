/* Plans: the bits of the ops one by one, in one block of memory, without a call of the allocator.
 */
#include "core/graph/plan.h"

#include "ops/loss.h"
#include "ops/norm.h"
#include "ops/ops.h"

#include "tests/test.h"

typedef struct net {
    test_memory memory;
    nm_context *context;
    nm_tape *tape;
    nm_tensor *w[3], *b;
    int form; /* which pass */
} net;

enum { CHAIN, VIEWS, TWICE, INPUT_ITSELF, OWN_TENSOR, BRANCHES, DRAWS, MOVES, ALONE };

static nm_tensor *hidden(const net *n, nm_tape *tape, nm_tensor *x, int layer)
{
    return nm_tanh(tape, nm_dense(tape, x, n->w[layer], n->b));
}

static nm_status move(const void *data, nm_tensor *const *in)
{
    (void)data, (void)in;
    return NM_OK;
}

static const nm_effect moving = {"move", 0, move};

static nm_status forward(void *self, nm_tape *tape, nm_tensor *const *in, nm_tensor **out)
{
    const net *n = self;
    nm_random random = nm_random_create(1, 1);
    nm_tensor *x = in[0], *h = n->form == ALONE ? x : hidden(n, tape, x, 0);
    switch (n->form) {
    case CHAIN: out[0] = hidden(n, tape, hidden(n, tape, h, 1), 2); break;
    case VIEWS: {
        nm_tensor *flat = nm_reshape(tape, h, NM_SHAPE(24));
        out[0] = nm_reshape(tape, nm_mul(tape, flat, flat), NM_SHAPE(2, 12));
        break;
    }
    case TWICE: out[0] = out[1] = h; break;
    case INPUT_ITSELF: out[0] = nm_reshape(tape, x, NM_SHAPE(24)); break;
    case OWN_TENSOR: out[0] = n->b; break;
    case BRANCHES: {
        nm_tensor *a = hidden(n, tape, h, 1), *b = hidden(n, tape, h, 2);
        nm_tensor *sum = nm_add(tape, nm_add(tape, a, b), h);
        out[0] = nm_sub(tape, sum, nm_mean(tape, b, .axes = NM_INTS(0), .keepdims = true));
        out[1] = sum;
        break;
    }
    case ALONE: out[0] = nm_tanh(tape, x); break;
    case DRAWS: out[0] = nm_dropout_drawn(tape, h, nm_tape_draw(tape, &random), 0.5); break;
    case MOVES:
        nm_tape_do(tape, &moving, NULL, &h, 1);
        out[0] = h;
        break;
    default: break;
    }
    return nm_context_status(n->context);
}

static nm_status begin_with(net *n, int form)
{
    n->form = form;
    n->context = test_context(&n->memory);
    if (!n->context) {
        return NM_ERROR_MEMORY;
    }
    nm_register_ops(n->context);
    n->tape = nm_tape_create(n->context);
    nm_random random = nm_random_create(5, 7);
    for (int i = 0; i < 3; i++) {
        n->w[i] = nm_tensor_create(n->context, NM_F32, NM_SHAPE(6, 6));
        nm_random_fill_normal(&random, n->w[i], 0, 1);
    }
    n->b = nm_tensor_create(n->context, NM_F32, NM_SHAPE(6));
    nm_random_fill_normal(&random, n->b, 0, 1);
    return nm_context_status(n->context);
}

static void begin(net *n, int form)
{
    *n = (net){.memory = {.fail_at = -1}};
    ck_assert_int_eq(begin_with(n, form), NM_OK);
}

static void end(net *n)
{
    nm_tape_destroy(n->tape);
    for (int i = 0; i < 3; i++) {
        nm_tensor_destroy(n->w[i]);
    }
    nm_tensor_destroy(n->b);
    test_context_end(n->context, &n->memory);
}

static nm_graph *trace(net *n, int outputs)
{
    const nm_graph_input x = {"x", NM_F32, NM_SHAPE(4, 6)};
    return nm_graph_trace(n->context, NULL, forward, n, &x, 1, outputs);
}

static nm_plan *make(net *n, int outputs)
{
    nm_graph *graph = trace(n, outputs);
    nm_plan *plan = nm_plan_create(graph);
    nm_graph_destroy(graph);
    return plan;
}

static nm_tensor *input(net *n)
{
    nm_tensor *x = nm_tensor_create(n->context, NM_F32, NM_SHAPE(4, 6));
    nm_random random = nm_random_create(9, 9);
    nm_random_fill_normal(&random, x, 0, 1);
    return x;
}

/* A plan's outputs are those of the pass, also when it runs again with other parameters. */
static void check(int form, int outputs)
{
    net n;
    begin(&n, form);
    nm_plan *plan = make(&n, outputs);
    assert_fine(n.context);
    nm_tape_set_recording(n.tape, false);
    for (int run = 0; run < 3; run++) {
        nm_tensor *x = input(&n), *y[2], *planned[2];
        nm_tape_reset(n.tape);
        forward(&n, n.tape, &x, y);
        for (int i = 0; i < outputs; i++) {
            planned[i] = nm_tensor_create(n.context, NM_F32, *nm_tensor_shape(y[i]));
        }
        ck_assert_int_eq(nm_plan_run(plan, &x, planned), NM_OK);
        for (int i = 0; i < outputs; i++) {
            ck_assert_mem_eq(nm_tensor_data(planned[i]), nm_tensor_data(y[i]),
                             nm_tensor_bytes(y[i]));
            nm_tensor_destroy(planned[i]);
        }
        nm_tensor_destroy(x);
        nm_tensor_set(n.w[1], 3, run);
        nm_tensor_set(n.b, 3, run);
    }
    nm_plan_destroy(plan);
    end(&n);
}

START_TEST(a_plan_gives_the_bits_of_the_ops_one_by_one)
{
    check(CHAIN, 1);
    check(VIEWS, 1);
    check(TWICE, 2);
    check(INPUT_ITSELF, 1);
    check(OWN_TENSOR, 1);
    check(BRANCHES, 2);
}
END_TEST

START_TEST(a_run_asks_the_allocator_for_nothing)
{
    net n;
    begin(&n, BRANCHES);
    nm_plan *plan = make(&n, 2);
    nm_tensor *x = input(&n), *y[2];
    for (int i = 0; i < 2; i++) {
        y[i] = nm_tensor_create(n.context, NM_F32, NM_SHAPE(4, 6));
    }
    nm_plan_run(plan, &x, y);
    const long calls = n.memory.calls;
    for (int i = 0; i < 10; i++) {
        nm_plan_run(plan, &x, y);
    }
    ck_assert_int_eq(n.memory.calls, calls);
    assert_fine(n.context);
    for (int i = 0; i < 2; i++) {
        nm_tensor_destroy(y[i]);
    }
    nm_tensor_destroy(x);
    nm_plan_destroy(plan);
    end(&n);
}
END_TEST

START_TEST(values_that_do_not_meet_share_memory)
{
    net n;
    begin(&n, CHAIN);
    nm_plan *plan = make(&n, 1);
    /* Of six results of 96 bytes, the last is the output; tanh writes over what it reads, and a
     * dense reads one while it writes another. */
    ck_assert_uint_eq(nm_plan_bytes(plan), 2 * 128);
    nm_plan_destroy(plan);
    end(&n);
}
END_TEST

/* The first step's as well as the last's. */
START_TEST(an_output_is_computed_where_it_is_wanted)
{
    net n;
    begin(&n, ALONE);
    nm_plan *plan = make(&n, 1);
    ck_assert_uint_eq(nm_plan_bytes(plan), 0);
    nm_plan_destroy(plan);
    end(&n);
    check(ALONE, 1);
}
END_TEST

START_TEST(a_pass_in_training_has_no_plan)
{
    static const struct {
        int form;
        const char *reason;
    } cases[] = {{DRAWS, "the pass is not for inference: it draws random numbers"},
                 {MOVES, "it changes something beside its results"}};
    for (int i = 0; i < 2; i++) {
        net n;
        begin(&n, cases[i].form);
        ck_assert_ptr_null(make(&n, 1));
        assert_error(n.context, NM_ERROR_INPUT, cases[i].reason);
        end(&n);
    }
}
END_TEST

START_TEST(tensors_that_do_not_fit_are_refused)
{
    net n;
    begin(&n, CHAIN);
    nm_plan *plan = make(&n, 1);
    nm_tensor *x = input(&n), *none = NULL;
    nm_tensor *small = nm_tensor_create(n.context, NM_F32, NM_SHAPE(3, 6));
    nm_tensor *other = nm_tensor_create(n.context, NM_F64, NM_SHAPE(4, 6));
    ck_assert_int_eq(nm_plan_run(plan, &small, &x), NM_ERROR_INPUT);
    assert_error(n.context, NM_ERROR_INPUT,
                 "nm_plan_run: input 0 is f32 [3, 6], but the plan is of f32 [4, 6]");
    ck_assert_int_eq(nm_plan_run(plan, &x, &other), NM_ERROR_INPUT);
    assert_error(n.context, NM_ERROR_INPUT, "nm_plan_run: output 0 is f64 [4, 6]");
    ck_assert_int_eq(nm_plan_run(plan, &none, &x), NM_ERROR_INPUT);
    assert_error(n.context, NM_ERROR_INPUT, "nm_plan_run: input 0 is NULL");
    nm_tensor_destroy(small);
    nm_tensor_destroy(other);
    nm_tensor_destroy(x);
    nm_plan_destroy(plan);
    end(&n);
}
END_TEST

START_TEST(an_output_in_the_memory_of_an_input_is_refused)
{
    net n;
    begin(&n, CHAIN);
    float memory[48] = {0};
    nm_plan *plan = make(&n, 1);
    nm_tensor *x = nm_tensor_wrap(n.context, NM_F32, NM_SHAPE(4, 6), memory);
    nm_tensor *part = nm_tensor_wrap(n.context, NM_F32, NM_SHAPE(4, 6), memory + 23);
    nm_tensor *apart = nm_tensor_wrap(n.context, NM_F32, NM_SHAPE(4, 6), memory + 24);
    ck_assert_int_eq(nm_plan_run(plan, &x, &x), NM_ERROR_INPUT);
    assert_error(n.context, NM_ERROR_INPUT, "output 0 has the memory of an input");
    ck_assert_int_eq(nm_plan_run(plan, &x, &part), NM_ERROR_INPUT);
    assert_error(n.context, NM_ERROR_INPUT, "output 0 has the memory of an input");
    ck_assert_int_eq(nm_plan_run(plan, &x, &apart), NM_OK);
    nm_tensor_destroy(x);
    nm_tensor_destroy(part);
    nm_tensor_destroy(apart);
    nm_plan_destroy(plan);
    end(&n);
}
END_TEST

START_TEST(an_output_that_a_backward_pass_needs_is_known_to_have_changed)
{
    net n;
    begin(&n, CHAIN);
    nm_plan *plan = make(&n, 1);
    nm_tensor *x = input(&n), *y = nm_tensor_create(n.context, NM_F32, NM_SHAPE(4, 6));
    nm_tensor_set_requires_grad(y, true);
    nm_tensor *loss = nm_sum(n.tape, nm_square(n.tape, y));
    ck_assert_int_eq(nm_plan_run(plan, &x, &y), NM_OK);
    nm_backward(n.tape, loss, 0);
    assert_error(n.context, NM_ERROR_INPUT, "was changed after the forward pass had read it");
    nm_tape_reset(n.tape);
    nm_tensor_destroy(x);
    nm_tensor_destroy(y);
    nm_plan_destroy(plan);
    end(&n);
}
END_TEST

START_TEST(a_plan_follows_a_tensor_whose_elements_have_moved)
{
    net n;
    begin(&n, CHAIN);
    float memory[6] = {1, 2, 3, 4, 5, 6};
    nm_tensor_destroy(n.b);
    n.b = nm_tensor_wrap(n.context, NM_F32, NM_SHAPE(6), memory);
    nm_plan *plan = make(&n, 1);
    nm_tensor *x = input(&n), *y = nm_tensor_create(n.context, NM_F32, NM_SHAPE(4, 6));
    double before[24], after[24];
    ck_assert_int_eq(nm_plan_run(plan, &x, &y), NM_OK);
    nm_tensor_get_f64(y, before, 24);
    nm_tensor_destroy(n.b); /* from now on the plan has a copy of its elements */
    n.b = NULL;
    memory[0] = 100;
    ck_assert_int_eq(nm_plan_run(plan, &x, &y), NM_OK);
    nm_tensor_get_f64(y, after, 24);
    ck_assert_mem_eq(before, after, sizeof before);
    nm_tensor_destroy(x);
    nm_tensor_destroy(y);
    nm_plan_destroy(plan);
    end(&n);
}
END_TEST

static nm_status do_all(test_memory *memory)
{
    net n = {.memory = *memory};
    n.context = test_context(memory);
    if (!n.context) {
        return NM_ERROR_MEMORY;
    }
    nm_register_ops(n.context);
    n.form = OWN_TENSOR;
    n.b = nm_tensor_create(n.context, NM_F32, NM_SHAPE(6));
    n.w[0] = nm_tensor_create(n.context, NM_F32, NM_SHAPE(6, 6));
    n.form = VIEWS;
    nm_tensor *x = nm_tensor_create(n.context, NM_F32, NM_SHAPE(4, 6));
    nm_tensor *y = nm_tensor_create(n.context, NM_F32, NM_SHAPE(2, 12));
    nm_plan *plan = nm_context_status(n.context) == NM_OK ? make(&n, 1) : NULL;
    if (plan) {
        nm_plan_run(plan, &x, &y);
    }
    const nm_status status = nm_context_status(n.context);
    nm_plan_destroy(plan);
    nm_tensor_destroy(y);
    nm_tensor_destroy(x);
    nm_tensor_destroy(n.w[0]);
    nm_tensor_destroy(n.b);
    test_context_end(n.context, memory);
    return status;
}

START_TEST(every_allocation_may_fail)
{
    test_every_allocation(do_all);
}
END_TEST

TEST_MAIN("core/plan", a_plan_gives_the_bits_of_the_ops_one_by_one,
          a_run_asks_the_allocator_for_nothing, values_that_do_not_meet_share_memory,
          an_output_is_computed_where_it_is_wanted, a_pass_in_training_has_no_plan,
          tensors_that_do_not_fit_are_refused, an_output_in_the_memory_of_an_input_is_refused,
          an_output_that_a_backward_pass_needs_is_known_to_have_changed,
          a_plan_follows_a_tensor_whose_elements_have_moved, every_allocation_may_fail)
