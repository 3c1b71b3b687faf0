/* Running statistics, against PyTorch's (BatchNorm1d with momentum 0.3, in f64). */
#include "core/op.h"
#include "ops/ops.h"
#include "tests/test.h"

typedef struct bench {
    nm_context *context;
    nm_tape *tape;
    nm_tensor *mean, *var;
} bench;

static bench begin_with(nm_dtype dtype, test_memory *memory)
{
    bench b = {.context = test_context(memory)};
    nm_register_ops(b.context);
    b.tape = nm_tape_create(b.context);
    b.mean = nm_tensor_create(b.context, dtype, NM_SHAPE(2));
    b.var = nm_tensor_create(b.context, dtype, NM_SHAPE(2));
    nm_tensor_fill(b.var, 1);
    return b;
}

static bench begin(void)
{
    bench b = begin_with(NM_F64, NULL);
    assert_fine(b.context);
    return b;
}

static void end(bench *b, test_memory *memory)
{
    nm_tape_destroy(b->tape);
    nm_tensor_destroy(b->mean);
    nm_tensor_destroy(b->var);
    test_context_end(b->context, memory);
}

static double first_batch[] = {1, -2, 0.5, 4, 3, 1};
static double second_batch[] = {0.25, 8, -1, 2, 2, 2.5, 7, -3};

static nm_tensor *batch_of(bench *b, double *values, int64_t rows)
{
    return nm_tape_wrap(b->tape, NM_F64, NM_SHAPE(rows, 2), values);
}

static void assert_statistics(bench *b, double m0, double m1, double v0, double v1)
{
    assert_near(nm_tensor_get(b->mean, 0), m0, 1e-14, 0);
    assert_near(nm_tensor_get(b->mean, 1), m1, 1e-14, 0);
    assert_near(nm_tensor_get(b->var, 0), v0, 1e-14, 0);
    assert_near(nm_tensor_get(b->var, 1), v1, 1e-14, 0);
}

START_TEST(statistics_move_as_pytorchs_do)
{
    bench b = begin();
    nm_tensor *x = batch_of(&b, first_batch, 3);
    nm_batch_norm_running(b.tape, x, NULL, NULL, b.mean, b.var, true, .momentum = 0.3);
    assert_statistics(&b, 0.45, 0.3, 1.2250000000000001, 3.4);
    x = batch_of(&b, second_batch, 4);
    nm_batch_norm_running(b.tape, x, NULL, NULL, b.mean, b.var, true, .momentum = 0.3);
    assert_statistics(&b, 0.93374999999999997, 0.92249999999999999, 4.5621875000000003,
                      8.4487500000000004);
    double point[] = {1, 2};
    nm_tensor *y = nm_batch_norm_running(b.tape, batch_of(&b, point, 1), NULL, NULL, b.mean, b.var,
                                         false, .momentum = 0.3);
    assert_near(nm_tensor_get(y, 0), 0.031016932256567264, 1e-14, 0);
    assert_near(nm_tensor_get(y, 1), 0.37069846875335166, 1e-14, 0);
    assert_statistics(&b, 0.93374999999999997, 0.92249999999999999, 4.5621875000000003,
                      8.4487500000000004);
    assert_fine(b.context);
    end(&b, NULL);
}
END_TEST

START_TEST(the_default_momentum_is_a_tenth)
{
    bench b = begin();
    nm_batch_norm_running(b.tape, batch_of(&b, first_batch, 3), NULL, NULL, b.mean, b.var, true);
    assert_statistics(&b, 0.15, 0.1, 0.9 + 0.1 * 1.75, 0.9 + 0.1 * 9);
    end(&b, NULL);
}
END_TEST

START_TEST(a_mean_may_move_alone)
{
    bench b = begin();
    nm_batch_norm_running(b.tape, batch_of(&b, first_batch, 3), NULL, NULL, b.mean, NULL, true,
                          .mean_only = true, .momentum = 1);
    assert_statistics(&b, 1.5, 1, 1, 1);
    assert_fine(b.context);
    end(&b, NULL);
}
END_TEST

START_TEST(nothing_moves_on_a_dry_tape)
{
    bench b = begin();
    nm_tape_set_dry(b.tape, true);
    nm_tensor *x = nm_tape_tensor(b.tape, NM_F64, NM_SHAPE(3, 2));
    ck_assert_ptr_nonnull(nm_batch_norm_running(b.tape, x, NULL, NULL, b.mean, b.var, true));
    assert_statistics(&b, 0, 0, 1, 1);
    assert_fine(b.context);
    end(&b, NULL);
}
END_TEST

START_TEST(what_does_not_fit_is_refused_and_moves_nothing)
{
    bench b = begin();
    nm_tensor *x = batch_of(&b, first_batch, 3);
    nm_batch_norm_result r = nm_batch_norm_with(b.tape, x, NULL, NULL, NULL, NULL, NULL);
    ck_assert_int_eq(nm_batch_norm_move(b.tape, x, &r, b.mean, b.var, 1.5), NM_ERROR_INPUT);
    assert_error(b.context, NM_ERROR_INPUT, "momentum is 1.5; it must be 0 to 1");
    nm_tensor *narrow = nm_tensor_create(b.context, NM_F32, NM_SHAPE(2));
    nm_batch_norm_move(b.tape, x, &r, b.mean, narrow, 0.1);
    assert_error(b.context, NM_ERROR_INPUT, "running_var is f32 [2], and the batch's is f64 [2]");
    nm_tensor *longer = nm_tensor_create(b.context, NM_F64, NM_SHAPE(3));
    nm_batch_norm_move(b.tape, x, &r, longer, b.var, 0.1);
    assert_error(b.context, NM_ERROR_INPUT, "running_mean is f64 [3], and the batch's is f64 [2]");
    nm_batch_norm_move(b.tape, x, &(nm_batch_norm_result){0}, b.mean, b.var, 0.1);
    assert_error(b.context, NM_ERROR_INPUT, "NULL");
    nm_batch_norm_running_options other = {.momentum = 0.1};
    nm_batch_norm_running_with(b.tape, x, NULL, NULL, b.mean, b.var, true, &other);
    assert_error(b.context, NM_ERROR_INPUT, "struct_size 0");
    assert_statistics(&b, 0, 0, 1, 1);
    nm_tensor_destroy(narrow);
    nm_tensor_destroy(longer);
    end(&b, NULL);
}
END_TEST

START_TEST(a_gradient_that_needs_the_old_statistics_is_refused)
{
    bench b = begin();
    nm_tensor *x = batch_of(&b, first_batch, 3);
    nm_tensor_set_requires_grad(x, true);
    nm_tensor *y = nm_batch_norm_running(b.tape, x, NULL, NULL, b.mean, b.var, false);
    nm_batch_norm_running(b.tape, x, NULL, NULL, b.mean, b.var, true);
    nm_tensor *gradient;
    nm_gradients(b.tape, &y, NULL, 1, &x, 1, 0, &gradient);
    assert_error(b.context, NM_ERROR_INPUT, "changed");
    end(&b, NULL);
}
END_TEST

static nm_status run_failing(test_memory *memory)
{
    bench b = begin_with(NM_F64, memory);
    nm_batch_norm_running(b.tape, batch_of(&b, first_batch, 3), NULL, NULL, b.mean, b.var, true);
    nm_status status = nm_context_status(b.context);
    end(&b, memory);
    return status;
}

START_TEST(any_allocation_may_fail)
{
    test_every_allocation(run_failing);
}
END_TEST

TEST_MAIN("ops/running", statistics_move_as_pytorchs_do, the_default_momentum_is_a_tenth,
          a_mean_may_move_alone, nothing_moves_on_a_dry_tape,
          what_does_not_fit_is_refused_and_moves_nothing,
          a_gradient_that_needs_the_old_statistics_is_refused, any_allocation_may_fail)
