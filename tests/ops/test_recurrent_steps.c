/* lstm and gru in one piece beside their formula of ops, which gradients of gradients take. */
#include <math.h>
#include <string.h>

#include "core/graph/plan.h"
#include "ops/ops.h"
#include "tests/test.h"

enum { MOST = 7, GATES_LSTM = 4, GATES_GRU = 3 };

typedef nm_recurrent_result call_fn(nm_tape *, nm_tensor *, const nm_recurrent_inputs *,
                                    const nm_recurrent_options *);

/* One call, its inputs with gradients in a row, and the gradients of its outputs. */
typedef struct problem {
    nm_context *context;
    nm_tape *tape;
    nm_random random;
    nm_dtype dtype;
    int gates, n, steps, hidden;
    bool reverse;
    nm_recurrent_inputs inputs;
    nm_tensor *in[MOST]; /* x first */
    int count;
    nm_tensor *dy[3];
} problem;

static nm_tensor *own(problem *p, nm_shape shape, double spread)
{
    nm_tensor *x = nm_tensor_create(p->context, p->dtype, shape);
    nm_random_fill_normal(&p->random, x, 0, spread);
    return x;
}

static nm_tensor *input(problem *p, nm_shape shape, double spread)
{
    nm_tensor *x = own(p, shape, spread);
    nm_tensor_set_requires_grad(x, true);
    return p->in[p->count++] = x;
}

static problem begin(nm_dtype dtype, int gates, int n, int steps, int hidden)
{
    problem p = {.context = test_context(NULL),
                 .random = nm_random_create(5, (uint64_t)(gates + n + hidden)),
                 .dtype = dtype,
                 .gates = gates,
                 .n = n,
                 .steps = steps,
                 .hidden = hidden};
    const int all = gates * hidden, channels = 3;
    const double spread = 1 / sqrt(hidden);
    nm_register_ops(p.context);
    p.tape = nm_tape_create(p.context);
    input(&p, NM_SHAPE(n, steps, channels), 1);
    p.inputs.w_ih = input(&p, NM_SHAPE(all, channels), spread);
    p.inputs.w_hh = input(&p, NM_SHAPE(all, hidden), spread);
    p.inputs.b_ih = input(&p, NM_SHAPE(all), spread);
    p.inputs.b_hh = input(&p, NM_SHAPE(all), spread);
    p.inputs.h0 = input(&p, NM_SHAPE(n, hidden), 1);
    p.inputs.c0 = gates == GATES_LSTM ? input(&p, NM_SHAPE(n, hidden), 1) : NULL;
    p.dy[0] = own(&p, NM_SHAPE(n, steps, hidden), 1);
    p.dy[1] = own(&p, NM_SHAPE(n, hidden), 1);
    p.dy[2] = own(&p, NM_SHAPE(n, hidden), 1);
    assert_fine(p.context);
    return p;
}

/* From 0 to all steps, in turn. */
static void give_lengths(problem *p)
{
    p->inputs.lengths = nm_tensor_create(p->context, NM_I32, NM_SHAPE(p->n));
    for (int i = 0; i < p->n; i++) {
        nm_tensor_set(p->inputs.lengths, i, i % (p->steps + 1));
    }
}

static void end(problem *p)
{
    nm_tape_destroy(p->tape);
    nm_tensor_destroy(p->inputs.lengths);
    for (int i = 0; i < p->count; i++) {
        nm_tensor_destroy(p->in[i]);
    }
    for (int i = 0; i < 3; i++) {
        nm_tensor_destroy(p->dy[i]);
    }
    nm_context_destroy(p->context);
}

/* The outputs that there are; returns how many. */
static int run(problem *p, nm_tensor *out[3])
{
    const nm_recurrent_options o = {.struct_size = sizeof o, .reverse = p->reverse};
    call_fn *call = p->gates == GATES_LSTM ? nm_lstm_with : nm_gru_with;
    const nm_recurrent_result r = call(p->tape, p->in[0], &p->inputs, &o);
    out[0] = r.y;
    out[1] = r.h;
    out[2] = r.c;
    return p->gates == GATES_LSTM ? 3 : 2;
}

static nm_status gradients(problem *p, unsigned flags, nm_tensor *grads[MOST])
{
    nm_tensor *out[3];
    const int count = run(p, out);
    return nm_gradients(p->tape, out, p->dy, count, p->in, p->count, flags, grads);
}

static void assert_same(nm_tensor *x, nm_tensor *y, double tolerance)
{
    ck_assert(nm_shape_equal(nm_tensor_shape(x), nm_tensor_shape(y)));
    for (int64_t i = 0; i < nm_tensor_count(x); i++) {
        assert_near(nm_tensor_get(x, i), nm_tensor_get(y, i), tolerance, tolerance);
    }
}

static void compare_ways(problem *p)
{
    nm_tensor *fused[MOST], *composed[MOST];
    gradients(p, NM_KEEP_GRAPH, fused);
    gradients(p, NM_CREATE_GRAPH, composed);
    assert_fine(p->context);
    for (int i = 0; i < p->count; i++) {
        assert_same(fused[i], composed[i], p->dtype == NM_F64 ? 1e-12 : 2e-5);
    }
    nm_tape_reset(p->tape);
}

/* Sizes with and without a share of the sequences for each thread, and with none of some. */
static const int sizes[][3] = {{1, 1, 1},   {0, 2, 3},   {3, 4, 5},
                               {37, 3, 16}, {18, 2, 20}, {17, 5, 1}};

START_TEST(the_gradient_in_one_piece_is_that_of_the_formula)
{
    for (int i = 0; i < (int)(sizeof sizes / sizeof *sizes) * 8; i++) {
        const int *s = sizes[i / 8];
        problem p =
            begin(i & 1 ? NM_F64 : NM_F32, i & 2 ? GATES_LSTM : GATES_GRU, s[0], s[1], s[2]);
        p.reverse = i & 4;
        compare_ways(&p);
        give_lengths(&p);
        compare_ways(&p);
        end(&p);
    }
}
END_TEST

/* Each output alone: the gradients of the others are absent. */
START_TEST(every_output_has_a_gradient_of_its_own)
{
    for (int k = 0; k < 3; k++) {
        problem p = begin(NM_F64, GATES_LSTM, 2, 3, 2);
        nm_tensor *out[3], *fused[MOST], *composed[MOST];
        run(&p, out);
        nm_gradients(p.tape, &out[k], &p.dy[k], 1, p.in, p.count, NM_KEEP_GRAPH, fused);
        nm_gradients(p.tape, &out[k], &p.dy[k], 1, p.in, p.count, NM_CREATE_GRAPH, composed);
        assert_fine(p.context);
        for (int i = 0; i < p.count; i++) {
            assert_same(fused[i], composed[i], 1e-12);
        }
        end(&p);
    }
}
END_TEST

/* Both biases are one tensor, and so are both first states. */
START_TEST(an_input_given_twice_has_the_sum_of_both_gradients)
{
    problem p = begin(NM_F64, GATES_LSTM, 2, 3, 2);
    nm_tensor *apart[MOST], *together[MOST], *in[] = {p.inputs.b_ih, p.inputs.h0};
    for (int i = 0; i < 6; i++) {
        nm_tensor_set(p.inputs.c0, i % 4, nm_tensor_get(p.inputs.h0, i % 4));
        nm_tensor_set(p.inputs.b_hh, i, nm_tensor_get(p.inputs.b_ih, i));
    }
    for (int i = 6; i < 8; i++) {
        nm_tensor_set(p.inputs.b_hh, i, nm_tensor_get(p.inputs.b_ih, i));
    }
    gradients(&p, NM_KEEP_GRAPH, apart);
    p.inputs.b_hh = p.inputs.b_ih;
    p.inputs.c0 = p.inputs.h0;
    for (int k = 0; k < 2; k++) {
        nm_tensor *out[3];
        run(&p, out);
        nm_gradients(p.tape, out, p.dy, 3, in, 2, k ? NM_CREATE_GRAPH : NM_KEEP_GRAPH, together);
        assert_fine(p.context);
        assert_same(together[0], nm_add(p.tape, apart[3], apart[4]), 1e-12);
        assert_same(together[1], nm_add(p.tape, apart[5], apart[6]), 1e-12);
    }
    end(&p);
}
END_TEST

/* <the gradient of `y` in x, v>, which is differentiated again. */
static nm_tensor *slope_along(problem *p, nm_tensor *y, nm_tensor *v)
{
    nm_tensor *g = NULL;
    nm_gradients(p->tape, &y, NULL, 1, &p->in[0], 1, NM_CREATE_GRAPH, &g);
    return nm_sum(p->tape, nm_mul(p->tape, g, v));
}

static double second_slope(problem *p, nm_tensor *v)
{
    nm_tensor *out[3];
    run(p, out);
    nm_tensor *y = nm_sum(p->tape, nm_mul(p->tape, out[0], p->dy[0]));
    const double slope = nm_tensor_get(slope_along(p, slope_along(p, y, v), v), 0);
    nm_tape_reset(p->tape);
    return slope;
}

START_TEST(a_third_derivative_is_that_of_differences)
{
    for (int gates = GATES_GRU; gates <= GATES_LSTM; gates++) {
        problem p = begin(NM_F64, gates, 2, 2, 2);
        nm_tensor *v = own(&p, *nm_tensor_shape(p.in[0]), 1), *out[3], *g = NULL;
        run(&p, out);
        nm_tensor *y = nm_sum(p.tape, nm_mul(p.tape, out[0], p.dy[0]));
        nm_tensor *second = slope_along(&p, slope_along(&p, y, v), v);
        nm_gradients(p.tape, &second, NULL, 1, &p.in[0], 1, 0, &g);
        assert_fine(p.context);
        const double third = nm_tensor_get(g, 1), x = nm_tensor_get(p.in[0], 1), step = 1e-5;
        nm_tape_reset(p.tape);
        nm_tensor_set(p.in[0], 1, x + step);
        const double above = second_slope(&p, v);
        nm_tensor_set(p.in[0], 1, x - step);
        assert_near(third, (above - second_slope(&p, v)) / (2 * step), 1e-7, 1e-6);
        nm_tensor_destroy(v);
        end(&p);
    }
}
END_TEST

START_TEST(threads_change_no_bit)
{
    for (int gates = GATES_GRU; gates <= GATES_LSTM; gates++) {
        problem p = begin(NM_F32, gates, 41, 3, 16);
        nm_tensor *first[MOST], *grads[MOST];
        nm_context_set_threads(p.context, 1);
        gradients(&p, NM_KEEP_GRAPH, first);
        for (int threads = 2; threads <= 3; threads++) {
            nm_context_set_threads(p.context, threads);
            gradients(&p, NM_KEEP_GRAPH, grads);
            assert_fine(p.context);
            for (int i = 0; i < p.count; i++) {
                ck_assert(memcmp(nm_tensor_data(first[i]), nm_tensor_data(grads[i]),
                                 nm_tensor_bytes(first[i])) == 0);
            }
        }
        end(&p);
    }
}
END_TEST

/* With the same bits: gates [n, steps, (gates + 1) hidden] are kept for a gradient alone. */
START_TEST(without_a_gradient_gates_are_not_kept)
{
    for (int gates = GATES_GRU; gates <= GATES_LSTM; gates++) {
        problem p = begin(NM_F32, gates, 3, 6, 4);
        nm_tensor *kept[3], *out[3];
        run(&p, kept);
        const int64_t bytes = nm_tape_cost_so_far(p.tape).bytes;
        nm_tape_set_recording(p.tape, false);
        const int count = run(&p, out);
        assert_fine(p.context);
        ck_assert_int_eq(2 * bytes - nm_tape_cost_so_far(p.tape).bytes,
                         3 * 6 * (gates + 1) * 4 * (int64_t)sizeof(float));
        for (int i = 0; i < count; i++) {
            ck_assert(memcmp(nm_tensor_data(kept[i]), nm_tensor_data(out[i]),
                             nm_tensor_bytes(kept[i])) == 0);
        }
        end(&p);
    }
}
END_TEST

static nm_status forward(void *self, nm_tape *tape, nm_tensor *const *in, nm_tensor **out)
{
    problem traced = *(problem *)self;
    nm_tensor *all[3];
    traced.tape = tape;
    traced.in[0] = in[0];
    run(&traced, all);
    out[0] = all[0];
    return nm_context_status(traced.context);
}

START_TEST(a_plan_for_inference_has_no_place_for_gates)
{
    problem p = begin(NM_F32, GATES_LSTM, 3, 16, 4);
    const nm_graph_input x = {"x", NM_F32, *nm_tensor_shape(p.in[0])};
    nm_graph *graph = nm_graph_trace(p.context, NULL, forward, &p, &x, 1, 1);
    nm_plan *plan = nm_plan_create(graph);
    nm_tensor *y = own(&p, NM_SHAPE(3, 16, 4), 0), *out[3];
    nm_plan_run(plan, p.in, &y);
    run(&p, out);
    assert_fine(p.context);
    ck_assert(memcmp(nm_tensor_data(y), nm_tensor_data(out[0]), nm_tensor_bytes(y)) == 0);
    ck_assert_int_lt((int64_t)nm_plan_bytes(plan), (4 + 5) * (int64_t)nm_tensor_bytes(y));
    ck_assert_int_ge((int64_t)nm_plan_bytes(plan), 4 * (int64_t)nm_tensor_bytes(y));
    nm_plan_destroy(plan);
    nm_graph_destroy(graph);
    nm_tensor_destroy(y);
    end(&p);
}
END_TEST

START_TEST(in_a_segment_the_gradient_is_the_same)
{
    problem p = begin(NM_F64, GATES_LSTM, 3, 4, 2);
    nm_tensor *plain[MOST], *again[MOST], *out[3];
    gradients(&p, NM_KEEP_GRAPH, plain);
    const int64_t segment = nm_tape_begin_segment(p.tape);
    run(&p, out);
    nm_tape_end_segment(p.tape, segment, out, 3);
    nm_gradients(p.tape, out, p.dy, 3, p.in, p.count, NM_KEEP_GRAPH, again);
    assert_fine(p.context);
    for (int i = 0; i < p.count; i++) {
        assert_same(plain[i], again[i], 0);
    }
    end(&p);
}
END_TEST

/* Padding that is not a number: neither states nor their gradients see it. */
START_TEST(what_stands_behind_a_length_has_no_gradient)
{
    problem p = begin(NM_F64, GATES_GRU, 2, 3, 2);
    p.inputs.lengths = nm_tensor_create(p.context, NM_I32, NM_SHAPE(2));
    nm_tensor_set(p.inputs.lengths, 0, 3);
    nm_tensor_set(p.inputs.lengths, 1, 1);
    nm_tensor_set(p.dy[0], 8, NAN); /* step 1 of the second */
    nm_tensor *grads[MOST];
    gradients(&p, 0, grads);
    assert_fine(p.context);
    for (int i = 0; i < p.count; i++) {
        for (int64_t k = 0; k < nm_tensor_count(grads[i]); k++) {
            ck_assert(isfinite(nm_tensor_get(grads[i], k)));
        }
    }
    for (int64_t k = 12; k < 18; k++) {
        ck_assert(nm_tensor_get(grads[0], k) == 0);
    }
    end(&p);
}
END_TEST

/* First by the op's own gradient, then by that of the formula. */
static void differentiate_both_ways(nm_tape *tape)
{
    for (int k = 0; k < 2; k++) {
        nm_tensor *in[] = {nm_full(tape, NM_F64, NM_SHAPE(2, 2, 1), 0.5),
                           nm_full(tape, NM_F64, NM_SHAPE(4, 1), 0.5),
                           nm_full(tape, NM_F64, NM_SHAPE(4, 1), 0.5)};
        nm_tensor *grads[3];
        for (int i = 0; i < 3 && in[i]; i++) {
            nm_tensor_set_requires_grad(in[i], true);
        }
        const nm_recurrent_inputs inputs = {.w_ih = in[1], .w_hh = in[2]};
        nm_tensor *y = nm_lstm(tape, in[0], &inputs).y;
        if (y) {
            nm_gradients(tape, &y, NULL, 1, in, 3, k ? NM_CREATE_GRAPH : 0, grads);
        }
    }
}

static nm_status starve(test_memory *memory)
{
    nm_context *context = test_context(memory);
    if (!context) {
        return NM_ERROR_MEMORY;
    }
    nm_tape *tape = nm_register_ops(context) == NM_OK ? nm_tape_create(context) : NULL;
    if (tape) {
        differentiate_both_ways(tape);
    }
    const nm_status status = nm_context_status(context);
    nm_tape_destroy(tape);
    test_context_end(context, memory);
    return status;
}

START_TEST(every_allocation_of_both_ways_may_fail)
{
    test_every_allocation(starve);
}
END_TEST

TEST_MAIN("ops/recurrent_steps", the_gradient_in_one_piece_is_that_of_the_formula,
          every_output_has_a_gradient_of_its_own,
          an_input_given_twice_has_the_sum_of_both_gradients,
          a_third_derivative_is_that_of_differences, threads_change_no_bit,
          without_a_gradient_gates_are_not_kept, a_plan_for_inference_has_no_place_for_gates,
          in_a_segment_the_gradient_is_the_same, what_stands_behind_a_length_has_no_gradient,
          every_allocation_of_both_ways_may_fail)
