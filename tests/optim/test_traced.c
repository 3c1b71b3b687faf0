/* A network written in C that runs from graphs of its own pass. */
#include "optim/traced.h"

#include <math.h>

#include "ops/loss.h"
#include "ops/norm.h"
#include "ops/ops.h"

#include "tests/test.h"

typedef struct net {
    nm_context *context;
    nm_tape *tape;
    nm_store *store;
    nm_tensor *w, *b, *scale, *shift, *mean, *var, *x;
    nm_network network;
    nm_traced *traced;
    bool reads; /* elements, which no graph can hold */
    nm_tensor *other;
    bool takes_turns; /* with w, in each pass */
    bool shifts;      /* where there are random numbers */
    int passes;       /* that ran forward() with elements or without */
} net;

static void take_turn(net *n)
{
    nm_tensor *const w = n->w;
    n->w = n->other;
    n->other = w;
}

static nm_tensor *forward(void *self, const nm_pass *pass, nm_tensor *x)
{
    net *n = self;
    n->passes++;
    if (n->takes_turns) {
        take_turn(n);
    }
    if (n->reads && !nm_tape_is_dry(pass->tape)) {
        nm_tensor_get(x, 0);
    }
    nm_tensor *h = nm_dense(pass->tape, x, n->w, n->b);
    if (n->shifts && pass->random) {
        h = nm_affine(pass->tape, h, 1, 0.5);
    }
    h = nm_batch_norm_running(pass->tape, h, n->scale, n->shift, n->mean, n->var, pass->training);
    return nm_relu(pass->tape, h);
}

static nm_tensor *add(net *n, const char *name, nm_role role, nm_shape shape, double value)
{
    nm_tensor *tensor = nm_store_add(n->store, name, role,
                                     role == NM_BUFFER ? NM_STATISTIC : NM_WEIGHT, NM_F32, shape);
    nm_random random = nm_random_create(4, 4);
    if (tensor) {
        nm_random_fill_uniform(&random, tensor, value, value + 1);
    }
    return tensor;
}

static nm_status begin_sized(net *n, test_memory *memory, int64_t rows, int64_t in, int64_t out)
{
    *n = (net){.context = test_context(memory)};
    if (!n->context) {
        return NM_ERROR_MEMORY;
    }
    nm_register_ops(n->context);
    n->tape = nm_tape_create(n->context);
    n->store = nm_store_create(n->context);
    if (n->store) {
        n->w = add(n, "w", NM_PARAMETER, NM_SHAPE(out, in), -0.5);
        n->b = add(n, "b", NM_PARAMETER, NM_SHAPE(out), 0);
        n->scale = add(n, "scale", NM_PARAMETER, NM_SHAPE(out), 0.5);
        n->shift = add(n, "shift", NM_PARAMETER, NM_SHAPE(out), 0);
        n->mean = add(n, "mean", NM_BUFFER, NM_SHAPE(out), 0);
        n->var = add(n, "var", NM_BUFFER, NM_SHAPE(out), 1);
    }
    n->x = nm_tensor_create(n->context, NM_F32, NM_SHAPE(rows, in));
    nm_random random = nm_random_create(8, 4);
    if (n->x) {
        nm_random_fill_normal(&random, n->x, 0, 1);
    }
    n->network = (nm_network){.self = n, .store = n->store, .forward = forward};
    n->traced = nm_context_status(n->context) == NM_OK ? nm_traced_create(&n->network) : NULL;
    return nm_context_status(n->context);
}

static nm_status begin_with(net *n, test_memory *memory)
{
    return begin_sized(n, memory, 6, 3, 4);
}

static void begin(net *n)
{
    ck_assert_int_eq(begin_with(n, NULL), NM_OK);
}

static void end(net *n)
{
    nm_traced_destroy(n->traced);
    nm_tape_destroy(n->tape);
    nm_tensor_destroy(n->x);
    nm_store_destroy(n->store);
    nm_context_destroy(n->context);
}

/* The sum of what it makes, from graphs or not, and how many ops that took. */
static double run(net *n, bool traced, bool training, int64_t *ops)
{
    const nm_pass pass = {.tape = n->tape, .training = training};
    nm_tape_reset(n->tape);
    bool recording = nm_tape_set_recording(n->tape, training);
    nm_tensor *y = traced ? nm_traced_forward(n->traced, &pass, n->x) : forward(n, &pass, n->x);
    *ops = nm_tape_cost_so_far(n->tape).ops;
    const double sum = nm_tensor_item(nm_sum(n->tape, y));
    nm_tape_set_recording(n->tape, recording);
    assert_fine(n->context);
    return sum;
}

START_TEST(a_network_in_c_trains_and_predicts_from_graphs)
{
    net a, b;
    int64_t ops[2];
    begin(&a);
    begin(&b);
    for (int i = 0; i < 3; i++) {
        assert_near(run(&a, true, true, &ops[0]), run(&b, false, true, &ops[1]), 1e-5, 0);
        ck_assert_int_eq(ops[0], 2); /* dense, and the rest at once */
        ck_assert_int_eq(ops[1], 3);
        ck_assert_mem_eq(nm_tensor_data(a.var), nm_tensor_data(b.var), nm_tensor_bytes(a.var));
        assert_near(run(&a, true, false, &ops[0]), run(&b, false, false, &ops[1]), 1e-5, 0);
    }
    ck_assert_int_eq(nm_traced_fold(a.traced, NM_F32, NM_SHAPE(6, 3)), NM_OK);
    assert_near(run(&a, true, false, &ops[0]), run(&b, false, false, &ops[1]), 1e-5, 0);
    ck_assert_int_eq(ops[0], 1);
    nm_traced_unfold(a.traced);
    run(&a, true, false, &ops[0]);
    ck_assert_int_eq(ops[0], 2);
    end(&a);
    end(&b);
}
END_TEST

START_TEST(a_pass_is_kept_once_for_each_shape_and_way_to_run)
{
    net n;
    int64_t ops;
    begin(&n);
    for (int i = 0; i < 2; i++) {
        run(&n, true, true, &ops);
        run(&n, true, false, &ops);
    }
    ck_assert_int_eq(n.passes, 6); /* looked at twice, and once more when it came again */
    for (int i = 0; i < 2; i++) {
        run(&n, true, true, &ops);
        run(&n, true, false, &ops);
    }
#ifndef NM_GUARD
    ck_assert_int_eq(n.passes, 6);
#endif
    const int before = n.passes;
    nm_tensor_destroy(n.x);
    n.x = nm_tensor_create(n.context, NM_F32, NM_SHAPE(9, 3));
    run(&n, true, true, &ops);
    ck_assert_int_eq(n.passes, before + 2);
    nm_store_set_trainable(n.store, "mean", false);
    run(&n, true, true, &ops);
    ck_assert_int_eq(n.passes, before + 4);
    end(&n);
}
END_TEST

START_TEST(more_shapes_than_are_kept_work_all_the_same)
{
    net n;
    int64_t ops;
    begin(&n);
    for (int64_t i = 0; i < 40; i++) {
        nm_tensor_destroy(n.x);
        n.x = nm_tensor_create(n.context, NM_F32, NM_SHAPE(1 + i % 20, 3));
        assert_near(run(&n, true, false, &ops), run(&n, false, false, &ops), 1e-6, 1e-6);
    }
    end(&n);
}
END_TEST

START_TEST(a_pass_that_no_graph_can_hold_runs_as_it_is)
{
    net n;
    int64_t ops;
    begin(&n);
    n.reads = true;
    for (int i = 0; i < 3; i++) {
        run(&n, true, true, &ops);
        ck_assert_int_eq(ops, 3);
        run(&n, true, false, &ops);
        ck_assert_int_eq(ops, 3);
    }
    ck_assert_int_ge(n.passes, 2 * 3 + 6); /* traced, and run */
    end(&n);
}
END_TEST

/* Sums of passes over which w and another tensor take turns: the same as two passes before, and not
 * as the last one. */
static void take_turns(bool within, bool training)
{
    net n;
    int64_t ops;
    begin(&n);
    nm_tensor *const own = n.w;
    n.other = nm_tensor_create(n.context, NM_F32, NM_SHAPE(4, 3));
    for (int i = 0; i < 12; i++) {
        nm_tensor_set(n.other, i, i % 5);
    }
    n.takes_turns = within;
    double sums[6];
    for (int i = 0; i < 6; i++) {
        sums[i] = run(&n, true, training, &ops);
        if (!within) {
            take_turn(&n);
        }
        ck_assert(i < 1 || fabs(sums[i] - sums[i - 1]) > 1e-3);
        ck_assert(i < 2 || sums[i] == sums[i - 2]);
    }
    nm_tensor_destroy(n.w == own ? n.other : n.w);
    end(&n);
}

START_TEST(tensors_that_take_turns_within_a_pass_are_computed_with_in_turn)
{
    take_turns(true, true);
    take_turns(true, false);
}
END_TEST

START_TEST(tensors_that_take_turns_between_passes_are_computed_with_in_turn)
{
    take_turns(false, true);
    take_turns(false, false);
}
END_TEST

/* The usual build looks no more, once a pass has come twice. */
START_TEST(a_build_for_hunting_finds_a_tensor_that_is_swapped_late)
{
    net n;
    int64_t ops;
    begin(&n);
    const double before = run(&n, true, false, &ops);
    for (int i = 0; i < 4; i++) {
        run(&n, true, false, &ops);
    }
    n.other = nm_tensor_create(n.context, NM_F32, NM_SHAPE(4, 3));
    nm_tensor_fill(n.other, 3);
    take_turn(&n);
#ifdef NM_GUARD
    ck_assert(fabs(run(&n, true, false, &ops) - before) > 1e-3);
#else
    ck_assert(run(&n, true, false, &ops) == before);
#endif
    take_turn(&n);
    nm_tensor_destroy(n.other);
    end(&n);
}
END_TEST

START_TEST(passes_with_and_without_random_numbers_are_two)
{
    net n;
    nm_random random = nm_random_create(1, 1);
    double sums[6];
    begin(&n);
    n.shifts = true;
    for (int i = 0; i < 6; i++) { /* each twice, so that it is not looked at again */
        const nm_pass pass = {.tape = n.tape, .random = i / 2 % 2 ? &random : NULL};
        nm_tape_reset(n.tape);
        sums[i] = nm_tensor_item(nm_sum(n.tape, nm_traced_forward(n.traced, &pass, n.x)));
    }
    assert_fine(n.context);
    ck_assert(fabs(sums[2] - sums[0]) > 1e-3 && sums[1] == sums[0] && sums[3] == sums[2]);
    ck_assert(sums[4] == sums[0] && sums[5] == sums[0]);
    end(&n);
}
END_TEST

START_TEST(an_input_that_does_not_fit_is_told_by_the_op)
{
    net n;
    begin(&n);
    const nm_pass pass = {.tape = n.tape};
    ck_assert_ptr_null(nm_traced_forward(n.traced, &pass, n.mean));
    assert_error(n.context, NM_ERROR_INPUT, "dense: x [4] does not fit w [4, 3]");
    end(&n);
}
END_TEST

/* Else a network of old weights and new biases would be neither. */
START_TEST(folded_weights_follow_what_they_are_made_of)
{
    net n;
    int64_t ops;
    begin(&n);
    nm_traced_fold(n.traced, NM_F32, NM_SHAPE(1, 3));
    const double before = run(&n, true, false, &ops);
    nm_tensor_fill(n.w, 0.25);
    const double filled = run(&n, true, false, &ops);
    ck_assert(fabs(filled - before) > 1e-3);
    assert_near(filled, run(&n, false, false, &ops), 1e-5, 1e-5);
    nm_traced_fold(n.traced, NM_F32, NM_SHAPE(1, 3));
    nm_tensor_f32(n.w)[0] = 3;
    nm_tensor_touch(n.w);
    nm_tensor_set(n.mean, 1, 0.5);
    const double touched = run(&n, true, false, &ops);
    ck_assert(fabs(touched - filled) > 1e-3 && nm_traced_is_folded(n.traced));
    assert_near(touched, run(&n, false, false, &ops), 1e-5, 1e-5);
    end(&n);
}
END_TEST

/* Of such sizes that packing the weights pays. */
#define MANY 96, 80, 80

START_TEST(folded_weights_are_packed_for_batches_and_follow_too)
{
    net n;
    int64_t ops;
    ck_assert_int_eq(begin_sized(&n, NULL, MANY), NM_OK);
    nm_traced_fold(n.traced, NM_F32, NM_SHAPE(1, 80));
    assert_near(run(&n, true, false, &ops), run(&n, false, false, &ops), 1e-4, 0);
    const double before = run(&n, true, false, &ops);
    ck_assert_int_eq(ops, 1);
    nm_tensor_fill(n.w, 0.25);
    const double filled = run(&n, true, false, &ops);
    ck_assert(fabs(filled - before) > 1e-3);
    assert_near(filled, run(&n, false, false, &ops), 1e-4, 1e-5);
    nm_traced_unfold(n.traced);
    nm_tensor_fill(n.w, -0.1);
    assert_near(run(&n, true, false, &ops), run(&n, false, false, &ops), 1e-4, 1e-5);
    end(&n);
}
END_TEST

START_TEST(a_folded_pass_that_is_recorded_has_gradients)
{
    net n;
    nm_tensor *dx[2] = {NULL};
    ck_assert_int_eq(begin_sized(&n, NULL, MANY), NM_OK);
    nm_traced_fold(n.traced, NM_F32, NM_SHAPE(96, 80));
    nm_tensor_set_requires_grad(n.x, true);
    const nm_pass pass = {.tape = n.tape};
    for (int traced = 0; traced < 2; traced++) {
        nm_tensor *y = traced ? nm_traced_forward(n.traced, &pass, n.x) : forward(&n, &pass, n.x);
        nm_tensor *sum = nm_sum(n.tape, y), *one = nm_scalar(n.tape, NM_F32, 1);
        nm_gradients(n.tape, &sum, &one, 1, &n.x, 1, NM_KEEP_GRAPH, &dx[traced]);
        assert_fine(n.context);
    }
    for (int64_t i = 0; i < nm_tensor_count(n.x); i++) {
        assert_near(nm_tensor_get(dx[1], i), nm_tensor_get(dx[0], i), 1e-3, 1e-5);
    }
    end(&n);
}
END_TEST

static nm_status do_all_sized(test_memory *memory, int64_t rows, int64_t in, int64_t out)
{
    net n;
    if (begin_sized(&n, memory, rows, in, out) == NM_OK) {
        const nm_pass train = {.tape = n.tape, .training = true}, infer = {.tape = n.tape};
        nm_traced_forward(n.traced, &train, n.x);
        nm_tape_set_recording(n.tape, false);
        nm_traced_forward(n.traced, &infer, n.x);
        nm_traced_fold(n.traced, NM_F32, NM_SHAPE(rows, in));
        nm_traced_forward(n.traced, &infer, n.x);
    }
    if (!n.context) {
        return NM_ERROR_MEMORY;
    }
    const nm_status status = nm_context_status(n.context);
    end(&n);
    return status;
}

static nm_status do_all(test_memory *memory)
{
    return do_all_sized(memory, 6, 3, 4);
}

static nm_status do_all_packed(test_memory *memory)
{
    return do_all_sized(memory, MANY);
}

START_TEST(every_allocation_may_fail)
{
    test_every_allocation(do_all);
    test_every_allocation(do_all_packed);
}
END_TEST

TEST_MAIN("optim/traced", a_network_in_c_trains_and_predicts_from_graphs,
          a_pass_is_kept_once_for_each_shape_and_way_to_run,
          more_shapes_than_are_kept_work_all_the_same, a_pass_that_no_graph_can_hold_runs_as_it_is,
          tensors_that_take_turns_within_a_pass_are_computed_with_in_turn,
          tensors_that_take_turns_between_passes_are_computed_with_in_turn,
          a_build_for_hunting_finds_a_tensor_that_is_swapped_late,
          passes_with_and_without_random_numbers_are_two,
          an_input_that_does_not_fit_is_told_by_the_op, folded_weights_follow_what_they_are_made_of,
          folded_weights_are_packed_for_batches_and_follow_too,
          a_folded_pass_that_is_recorded_has_gradients, every_allocation_may_fail)
