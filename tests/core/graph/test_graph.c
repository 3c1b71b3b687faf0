/* A forward pass written in C as a graph: what is kept, what it does when it runs, what cannot be
 * kept. */
#include "core/graph/graph.h"

#include "ops/loss.h"
#include "ops/norm.h"
#include "ops/ops.h"

#include "tests/test.h"

/* ---- A network in C ---- */

typedef struct net {
    nm_context *context;
    nm_tape *tape;
    nm_store *store;
    nm_tensor *w1, *b1, *w2, *alone;
    nm_random random;
    int moved;           /* how often the effect ran */
    nm_forward_fn *also; /* what else it does; NULL: nothing */
} net;

static nm_status count_up(const void *data, nm_tensor *const *in)
{
    ck_assert_ptr_nonnull(in[0]);
    ck_assert_ptr_null(in[1]);
    (*(net *const *)data)->moved++;
    return NM_OK;
}

static const nm_effect counting = {"count_up", sizeof(net *), count_up};

static nm_status forward(void *self, nm_tape *tape, nm_tensor *const *in, nm_tensor **out)
{
    net *n = self;
    const char *outer = nm_tape_set_scope(tape, "first");
    nm_tensor *h = nm_relu(tape, nm_dense(tape, in[0], n->w1, n->b1));
    nm_tape_set_scope(tape, outer);
    nm_tensor *seen[] = {h, NULL};
    nm_tape_do(tape, &counting, &n, seen, 2);
    if (n->also && n->also(self, tape, &h, out) != NM_OK) {
        return nm_context_status(n->context);
    }
    h = nm_dropout_drawn(tape, h, nm_tape_draw(tape, &n->random), 0.25);
    nm_tensor *y = nm_dense(tape, h, n->w2, NULL);
    nm_tensor *two = nm_full(tape, NM_F32, NM_SHAPE(1, 2), 2);
    nm_tensor *twice = nm_mul(tape, y, two);
    out[0] = nm_add(tape, twice, nm_detach(tape, n->alone));
    return nm_context_status(n->context);
}

static nm_tensor *add(net *n, const char *name, nm_purpose purpose, nm_shape shape, uint64_t seed)
{
    nm_tensor *tensor = nm_store_add(n->store, name, NM_PARAMETER, purpose, NM_F32, shape);
    nm_random random = nm_random_create(seed, 7);
    if (tensor) {
        nm_random_fill_normal(&random, tensor, 0, 1);
    }
    return tensor;
}

static nm_status begin_with(net *n, test_memory *memory)
{
    *n = (net){.context = test_context(memory), .random = nm_random_create(3, 0)};
    if (!n->context) {
        return NM_ERROR_MEMORY;
    }
    nm_register_ops(n->context);
    n->tape = nm_tape_create(n->context);
    n->store = nm_store_create(n->context);
    if (n->store && n->tape) {
        n->w1 = add(n, "w1", NM_WEIGHT, NM_SHAPE(5, 3), 1);
        n->b1 = add(n, "b1", NM_BIAS, NM_SHAPE(5), 2);
        n->w2 = add(n, "w2", NM_WEIGHT, NM_SHAPE(2, 5), 3);
        n->alone = nm_tensor_create(n->context, NM_F32, NM_SHAPE(2));
    }
    return nm_context_status(n->context);
}

static void end(net *n)
{
    nm_tape_destroy(n->tape);
    nm_tensor_destroy(n->alone);
    nm_store_destroy(n->store);
    nm_context_destroy(n->context);
}

static net begin(void)
{
    net n;
    ck_assert_int_eq(begin_with(&n, NULL), NM_OK);
    return n;
}

static nm_graph *trace(net *n, int64_t batch)
{
    const nm_graph_input x = {"x", NM_F32, NM_SHAPE(batch, 3)};
    return nm_graph_trace(n->context, n->store, forward, n, &x, 1, 1);
}

static nm_tensor *input(net *n, int64_t batch)
{
    nm_tensor *x = nm_tape_tensor(n->tape, NM_F32, NM_SHAPE(batch, 3));
    nm_random random = nm_random_create(9, 9);
    nm_random_fill_normal(&random, x, 0, 1);
    return x;
}

/* ---- What is kept ---- */

START_TEST(a_pass_is_kept_as_a_list_of_steps)
{
    net n = begin();
    nm_graph *graph = trace(&n, 4);
    assert_fine(n.context);
    char *text = nm_graph_text(graph);
    ck_assert_str_eq(text, "input x f32 [4, 3]\n"
                           "parameter w1 f32 [5, 3]\n"
                           "parameter b1 f32 [5]\n"
                           "parameter w2 f32 [2, 5]\n"
                           "tensor %1 f32 [2]\n"
                           "%2 f32 [4, 5] = dense(x, w1, b1) first\n"
                           "%3 f32 [4, 5] = relu(%2) first\n"
                           "count_up(%3)\n"
                           "%4 i64 [] = draw()\n"
                           "%5 f32 [4, 5] = dropout(%3, %4, {p: 0.25})\n"
                           "%6 f32 [4, 2] = dense(%5, w2)\n"
                           "%7 f32 [1, 2] = full(2)\n"
                           "%8 f32 [4, 2] = mul(%6, %7)\n"
                           "%9 f32 [2] = detach(%1)\n"
                           "%10 f32 [4, 2] = add(%8, %9)\n"
                           "output %10\n");
    nm_free(n.context, text);
    nm_graph_destroy(graph);
    end(&n);
}
END_TEST

START_TEST(steps_and_values_can_be_walked)
{
    net n = begin();
    nm_graph *graph = trace(&n, 4);
    const nm_graph_step *first = nm_graph_step_at(graph, 0);
    ck_assert_int_eq(nm_graph_step_count(graph), 10);
    ck_assert_int_eq(first->kind, NM_STEP_OP);
    ck_assert_str_eq(first->op->item.name, "dense");
    ck_assert_int_eq(first->in[0], nm_graph_input_at(graph, 0));
    const nm_graph_value *w1 = nm_graph_value_at(graph, first->in[1]);
    ck_assert_ptr_eq(w1->tensor, n.w1);
    ck_assert_ptr_eq(w1->entry, nm_store_find(n.store, "w1"));
    const nm_graph_value *y = nm_graph_value_at(graph, nm_graph_output_at(graph, 0));
    ck_assert_int_eq(y->step, 9);
    ck_assert(nm_shape_equal(&y->shape, &NM_SHAPE(4, 2)));
    ck_assert_ptr_null(nm_graph_step_at(graph, 10));
    ck_assert_ptr_null(nm_graph_value_at(graph, -1));
    ck_assert_int_eq(nm_graph_output_at(graph, 1), -1);
    nm_graph_destroy(graph);
    end(&n);
}
END_TEST

START_TEST(a_trace_changes_nothing)
{
    net n = begin();
    nm_graph *graph = trace(&n, 4);
    ck_assert_int_eq(n.moved, 0);
    ck_assert_uint_eq(n.random.position, 0);
    ck_assert(!nm_tape_is_dry(n.tape));
    ck_assert_int_eq(nm_tape_cost_so_far(n.tape).ops, 0);
    nm_graph_destroy(graph);
    end(&n);
}
END_TEST

/* ---- Running it ---- */

/* y, and dL/dw1 and dL/dx of L = sum y^2, by the pass itself or by the graph. */
typedef struct outcome {
    float y[8], w1[15], x[12];
} outcome;

static outcome run(net *n, nm_graph *graph)
{
    outcome all;
    nm_tape_reset(n->tape);
    n->random = nm_random_create(3, 0);
    nm_tensor *x = input(n, 4), *y, *g[2];
    nm_tensor_set_requires_grad(x, true);
    if (graph) {
        nm_graph_run(graph, n->tape, &n->random, &x, &y);
    } else {
        forward(n, n->tape, &x, &y);
    }
    nm_tensor_keep(y);
    nm_tensor *loss = nm_sum(n->tape, nm_mul(n->tape, y, y));
    nm_tensor *wanted[] = {n->w1, x};
    nm_gradients(n->tape, &loss, NULL, 1, wanted, 2, 0, g);
    assert_fine(n->context);
    memcpy(all.y, nm_tensor_f32(y), sizeof all.y);
    memcpy(all.w1, nm_tensor_f32(g[0]), sizeof all.w1);
    memcpy(all.x, nm_tensor_f32(g[1]), sizeof all.x);
    return all;
}

START_TEST(a_graph_does_what_the_pass_did_to_the_bit)
{
    net n = begin();
    nm_graph *graph = trace(&n, 4);
    for (int i = 0; i < 3; i++) {
        const outcome a = run(&n, NULL), b = run(&n, graph);
        ck_assert_mem_eq(&a, &b, sizeof a);
        nm_tensor_set(n.w1, 0, i); /* parameters are read when it runs */
    }
    ck_assert_int_eq(n.moved, 6);
    ck_assert_uint_eq(n.random.position, 1);
    nm_graph_destroy(graph);
    end(&n);
}
END_TEST

START_TEST(without_recording_what_nobody_reads_any_more_is_given_back)
{
    net n = begin();
    nm_graph *graph = trace(&n, 4);
    nm_tape_set_recording(n.tape, false);
    nm_tensor *x = input(&n, 4), *y;
    ck_assert_int_eq(nm_graph_run(graph, n.tape, &n.random, &x, &y), NM_OK);
    ck_assert_ptr_nonnull(nm_tensor_data(x));
    ck_assert_ptr_nonnull(nm_tensor_data(y));
    ck_assert_ptr_nonnull(nm_tensor_data(n.w1));
    assert_fine(n.context);
    nm_graph_destroy(graph);
    end(&n);
}
END_TEST

START_TEST(inputs_of_another_shape_are_refused)
{
    net n = begin();
    nm_graph *graph = trace(&n, 4);
    nm_tensor *x = input(&n, 5), *y = x;
    ck_assert_int_eq(nm_graph_run(graph, n.tape, &n.random, &x, &y), NM_ERROR_INPUT);
    ck_assert_ptr_null(y);
    assert_error(n.context, NM_ERROR_INPUT,
                 "nm_graph_run: input 0 is f32 [5, 3], but the graph is of f32 [4, 3]; trace it "
                 "for that");
    nm_graph_destroy(graph);
    end(&n);
}
END_TEST

START_TEST(a_failure_names_the_scope_of_the_step)
{
    net n = begin();
    nm_graph *graph = trace(&n, 4);
    nm_tensor *x = input(&n, 4), *y;
    nm_tensor_set(x, 0, (double)NAN);
    nm_tape_set_anomaly(n.tape, true);
    nm_tape_set_scope(n.tape, "outer");
    ck_assert_int_eq(nm_graph_run(graph, n.tape, &n.random, &x, &y), NM_ERROR_NUMERIC);
    assert_error(n.context, NM_ERROR_NUMERIC, "first: dense");
    ck_assert_str_eq(nm_tape_set_scope(n.tape, NULL), "outer");
    nm_graph_destroy(graph);
    end(&n);
}
END_TEST

START_TEST(a_stream_that_is_not_given_is_an_error)
{
    net n = begin();
    nm_graph *graph = trace(&n, 4);
    nm_tensor *x = input(&n, 4), *y;
    ck_assert_int_eq(nm_graph_run(graph, n.tape, NULL, &x, &y), NM_ERROR_INPUT);
    assert_error(n.context, NM_ERROR_INPUT, "the pass draws random numbers");
    nm_graph_destroy(graph);
    end(&n);
}
END_TEST

/* ---- What cannot be kept ---- */

static nm_status read_parameter(void *self, nm_tape *tape, nm_tensor *const *in, nm_tensor **out)
{
    (void)in;
    out[0] = nm_scalar(tape, NM_F32, nm_tensor_get(((net *)self)->w1, 0));
    return NM_OK;
}

static nm_status ask_whether_dry(void *self, nm_tape *tape, nm_tensor *const *in, nm_tensor **out)
{
    (void)self, (void)in, (void)out;
    nm_tape_is_dry(tape);
    return NM_OK;
}

static nm_status leave_dry_mode(void *self, nm_tape *tape, nm_tensor *const *in, nm_tensor **out)
{
    (void)self, (void)in, (void)out;
    nm_tape_set_dry(tape, false);
    return NM_OK;
}

static nm_status make_elements(void *self, nm_tape *tape, nm_tensor *const *in, nm_tensor **out)
{
    (void)self, (void)in, (void)out;
    nm_tape_tensor(tape, NM_F32, NM_SHAPE(2));
    return NM_OK;
}

static nm_status wrap_memory(void *self, nm_tape *tape, nm_tensor *const *in, nm_tensor **out)
{
    static float memory[2];
    (void)self, (void)in, (void)out;
    nm_tape_wrap(tape, NM_F32, NM_SHAPE(2), memory);
    return NM_OK;
}

static nm_status make_own_tensor(void *self, nm_tape *tape, nm_tensor *const *in, nm_tensor **out)
{
    (void)tape, (void)in, (void)out;
    nm_tensor_destroy(nm_tensor_create(((net *)self)->context, NM_F32, NM_SHAPE(2)));
    return NM_OK;
}

static nm_status go_backward(void *self, nm_tape *tape, nm_tensor *const *in, nm_tensor **out)
{
    (void)self, (void)out;
    return nm_backward(tape, nm_sum(tape, in[0]), 0);
}

START_TEST(what_cannot_be_kept_is_an_error_that_says_why)
{
    static const struct {
        nm_forward_fn *also;
        const char *reason;
    } cases[] = {
        {read_parameter,
         "the pass cannot be kept as a graph: it reads or writes elements of a tensor"},
        {ask_whether_dry, "it asks whether it is dry"},
        {leave_dry_mode, "it asks whether it is dry"},
        {make_elements, "it makes a tensor whose elements are the program's (nm_tape_tensor)"},
        {wrap_memory, "it wraps memory of the program's (nm_tape_wrap)"},
        {make_own_tensor, "it makes a tensor of its own"},
        {go_backward, "it runs a backward pass"},
    };
    for (int i = 0; i < NM_COUNT_OF(cases); i++) {
        net n = begin();
        n.also = cases[i].also;
        ck_assert_ptr_null(trace(&n, 4));
        assert_error(n.context, NM_ERROR_INPUT, cases[i].reason);
        n.also = NULL;
        nm_graph *graph = trace(&n, 4); /* nothing of it is left */
        assert_fine(n.context);
        nm_graph_destroy(graph);
        end(&n);
    }
}
END_TEST

START_TEST(a_graph_of_more_inputs_or_outputs_than_there_may_be_is_refused)
{
    static const int counts[][2] = {
        {-1, 1}, {NM_GRAPH_MAX_INPUTS + 1, 1}, {1, 0}, {1, NM_GRAPH_MAX_OUTPUTS + 1}};
    const nm_graph_input x[NM_GRAPH_MAX_INPUTS + 1] = {{"x", NM_F32, NM_SHAPE(4, 3)}};
    net n = begin();
    for (int i = 0; i < NM_COUNT_OF(counts); i++) {
        ck_assert_ptr_null(
            nm_graph_trace(n.context, n.store, forward, &n, x, counts[i][0], counts[i][1]));
        assert_error(n.context, NM_ERROR_INPUT, "a graph has at most 32 inputs and from 1 to ");
    }
    end(&n);
}
END_TEST

START_TEST(an_error_of_the_pass_is_told_as_it_is)
{
    net n = begin();
    const nm_graph_input x = {"x", NM_F32, NM_SHAPE(4, 9)};
    ck_assert_ptr_null(nm_graph_trace(n.context, n.store, forward, &n, &x, 1, 1));
    assert_error(n.context, NM_ERROR_INPUT, "first: dense: x [4, 9] does not fit w [5, 3]");
    end(&n);
}
END_TEST

static nm_status do_all(test_memory *memory)
{
    net n;
    nm_status status = begin_with(&n, memory);
    nm_graph *graph = status == NM_OK ? trace(&n, 4) : NULL;
    if (graph) {
        nm_tensor *x = nm_tape_tensor(n.tape, NM_F32, NM_SHAPE(4, 3)), *y;
        nm_graph_run(graph, n.tape, &n.random, &x, &y);
        nm_free(n.context, nm_graph_text(graph));
    }
    if (!n.context) {
        return NM_ERROR_MEMORY;
    }
    status = nm_context_status(n.context);
    nm_graph_destroy(graph);
    end(&n);
    return status;
}

START_TEST(every_allocation_may_fail)
{
    test_every_allocation(do_all);
}
END_TEST

TEST_MAIN("core/graph", a_pass_is_kept_as_a_list_of_steps, steps_and_values_can_be_walked,
          a_trace_changes_nothing, a_graph_does_what_the_pass_did_to_the_bit,
          without_recording_what_nobody_reads_any_more_is_given_back,
          inputs_of_another_shape_are_refused, a_failure_names_the_scope_of_the_step,
          a_stream_that_is_not_given_is_an_error, what_cannot_be_kept_is_an_error_that_says_why,
          a_graph_of_more_inputs_or_outputs_than_there_may_be_is_refused,
          an_error_of_the_pass_is_told_as_it_is, every_allocation_may_fail)
