/* Elements and gradients as arrays. */
#include <math.h>

#include "core/tape.h"
#include "ops/ops.h"
#include "tests/test.h"

START_TEST(elements_are_converted_from_and_to_any_type)
{
    nm_context *context = test_context(NULL);
    const double numbers[] = {0, 1, 2, 100};
    for (int dtype = 0; dtype < NM_DTYPE_COUNT; dtype++) {
        nm_tensor *x = nm_tensor_create(context, (nm_dtype)dtype, NM_SHAPE(2, 2));
        double wide[4] = {0};
        float narrow[4] = {0};
        ck_assert_int_eq(nm_tensor_set_f64(x, numbers, 4), NM_OK);
        ck_assert_int_eq(nm_tensor_get_f32(x, narrow, 4), NM_OK);
        ck_assert_int_eq(nm_tensor_fill(x, 0), NM_OK);
        ck_assert_int_eq(nm_tensor_set_f32(x, narrow, 4), NM_OK);
        ck_assert_int_eq(nm_tensor_get_f64(x, wide, 4), NM_OK);
        for (int i = 0; i < 4; i++) {
            ck_assert(wide[i] == numbers[i]);
        }
        nm_tensor_destroy(x);
    }
    assert_fine(context);
    nm_context_destroy(context);
}
END_TEST

START_TEST(what_a_narrower_float_cannot_hold_is_rounded)
{
    nm_context *context = test_context(NULL);
    nm_tensor *x = nm_tensor_create(context, NM_F32, NM_SHAPE(1));
    double value = 0.1;
    nm_tensor_set_f64(x, &value, 1);
    nm_tensor_get_f64(x, &value, 1);
    ck_assert(value == (double)0.1f);
    nm_tensor_destroy(x);
    nm_context_destroy(context);
}
END_TEST

START_TEST(integers_take_whole_numbers_in_their_range_or_change_nothing)
{
    nm_context *context = test_context(NULL);
    nm_tensor *x = nm_tensor_create(context, NM_U8, NM_SHAPE(2));
    const double wrong[][2] = {{7, 256}, {7, -1}, {7, 0.5}, {7, NAN}};
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(nm_tensor_set_f64(x, wrong[i], 2), NM_ERROR_INPUT);
        assert_error(context, NM_ERROR_INPUT, "does not fit into u8");
        ck_assert(nm_tensor_get(x, 0) == 0);
    }
    ck_assert_int_eq(nm_tensor_set(x, 0, 0.5), NM_ERROR_INPUT);
    assert_error(context, NM_ERROR_INPUT, "0.5 does not fit into u8");
    nm_tensor_destroy(x);
    nm_context_destroy(context);
}
END_TEST

START_TEST(an_array_of_another_length_is_refused)
{
    nm_context *context = test_context(NULL);
    nm_tensor *x = nm_tensor_create(context, NM_F32, NM_SHAPE(2, 2));
    float values[5] = {1, 1, 1, 1, 1};
    nm_tensor_set_name(x, "w");
    ck_assert_int_eq(nm_tensor_set_f32(x, values, 5), NM_ERROR_INPUT);
    assert_error(context, NM_ERROR_INPUT,
                 "w [2, 2] has 4 elements, and the array is said to have 5");
    ck_assert_int_eq(nm_tensor_get_f32(x, values, 3), NM_ERROR_INPUT);
    assert_error(context, NM_ERROR_INPUT, "said to have 3");
    ck_assert_int_eq(nm_tensor_get_f32(x, NULL, 4), NM_ERROR_INPUT);
    assert_error(context, NM_ERROR_INPUT, "NULL");
    ck_assert(nm_tensor_get(x, 0) == 0 && values[0] == 1);
    nm_tensor_destroy(x);
    nm_context_destroy(context);
}
END_TEST

static nm_tensor *variable(nm_context *context, nm_dtype dtype)
{
    nm_tensor *x = nm_tensor_create(context, dtype, NM_SHAPE(3));
    nm_tensor_set_f64(x, (double[]){1, -2, 3}, 3);
    nm_tensor_set_requires_grad(x, true);
    return x;
}

START_TEST(a_gradient_is_read_and_zeros_before_there_is_one)
{
    nm_context *context = test_context(NULL);
    nm_register_ops(context);
    nm_tape *tape = nm_tape_create(context);
    nm_tensor *x = variable(context, NM_F32);
    double wide[3] = {9, 9, 9};
    float narrow[3];
    ck_assert_int_eq(nm_tensor_get_grad_f64(x, wide, 3), NM_OK);
    ck_assert(wide[0] == 0 && wide[1] == 0 && wide[2] == 0);
    nm_backward(tape, nm_sum(tape, nm_square(tape, x)), 0);
    ck_assert_int_eq(nm_tensor_get_grad_f64(x, wide, 3), NM_OK);
    ck_assert_int_eq(nm_tensor_get_grad_f32(x, narrow, 3), NM_OK);
    ck_assert(wide[0] == 2 && wide[1] == -4 && wide[2] == 6 && narrow[1] == -4);
    nm_tape_destroy(tape);
    nm_tensor_destroy(x);
    nm_context_destroy(context);
}
END_TEST

START_TEST(backward_adds_to_a_gradient_that_was_written)
{
    nm_context *context = test_context(NULL);
    nm_register_ops(context);
    nm_tape *tape = nm_tape_create(context);
    nm_tensor *x = variable(context, NM_F64);
    double got[3];
    ck_assert_int_eq(nm_tensor_set_grad_f32(x, (float[]){10, 20, 30}, 3), NM_OK);
    nm_backward(tape, nm_sum(tape, nm_square(tape, x)), 0);
    nm_tensor_get_grad_f64(x, got, 3);
    ck_assert(got[0] == 12 && got[1] == 16 && got[2] == 36);
    ck_assert_int_eq(nm_tensor_set_grad_f64(x, (double[]){1, 2, 3}, 3), NM_OK);
    ck_assert(nm_tensor_get(nm_tensor_grad(x), 2) == 3);
    assert_fine(context);
    nm_tape_destroy(tape);
    nm_tensor_destroy(x);
    nm_context_destroy(context);
}
END_TEST

START_TEST(what_has_no_gradient_says_so)
{
    nm_context *context = test_context(NULL);
    nm_register_ops(context);
    nm_tape *tape = nm_tape_create(context);
    nm_tensor *x = nm_tensor_create(context, NM_F32, NM_SHAPE(1));
    float value = 1;
    ck_assert_int_eq(nm_tensor_set_grad_f32(x, &value, 1), NM_ERROR_INPUT);
    assert_error(context, NM_ERROR_INPUT, "requires no gradient (nm_tensor_set_requires_grad)");
    nm_tensor_set_requires_grad(x, true);
    nm_tensor *y = nm_square(tape, x);
    ck_assert_int_eq(nm_tensor_get_grad_f32(y, &value, 1), NM_ERROR_INPUT);
    assert_error(context, NM_ERROR_INPUT, "nm_gradients() computes it");
    nm_tape_destroy(tape);
    nm_tensor_destroy(x);
    nm_context_destroy(context);
}
END_TEST

static nm_status write_a_gradient(test_memory *memory)
{
    nm_context *context = test_context(memory);
    nm_tensor *x = variable(context, NM_F32);
    nm_tensor_set_grad_f64(x, (double[]){1, 2, 3}, 3);
    nm_status status = nm_context_status(context);
    nm_tensor_destroy(x);
    test_context_end(context, memory);
    return status;
}

START_TEST(any_allocation_may_fail)
{
    test_every_allocation(write_a_gradient);
}
END_TEST

TEST_MAIN("core/array", elements_are_converted_from_and_to_any_type,
          what_a_narrower_float_cannot_hold_is_rounded,
          integers_take_whole_numbers_in_their_range_or_change_nothing,
          an_array_of_another_length_is_refused, a_gradient_is_read_and_zeros_before_there_is_one,
          backward_adds_to_a_gradient_that_was_written, what_has_no_gradient_says_so,
          any_allocation_may_fail)
