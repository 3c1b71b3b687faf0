/* The tape and the backward pass, on the simplest ops. The ops' own mathematics is tested in
 * tests/ops. */
#include "core/tape.h"

#include <malloc.h>
#include <math.h>
#include <string.h>

#include "core/op.h"
#include "tests/core/tape/tape_test.h"

START_TEST(gradients_of_a_product_are_the_other_factors)
{
    begin(NULL);
    nm_tensor *a = number(3), *b = number(5);
    nm_tensor *y = nm_mul(tape, a, b);
    ck_assert(nm_tensor_item(y) == 15);
    ck_assert_int_eq(nm_backward(tape, y, 0), NM_OK);
    ck_assert(nm_tensor_item(nm_tensor_grad(a)) == 5);
    ck_assert(nm_tensor_item(nm_tensor_grad(b)) == 3);
    nm_tensor_destroy(a);
    nm_tensor_destroy(b);
    end(NULL);
}
END_TEST

START_TEST(a_tensor_used_twice_gets_both_gradients)
{
    begin(NULL);
    nm_tensor *a = number(3);
    nm_tensor *y = nm_add(tape, nm_mul(tape, a, a), a); /* a^2 + a */
    nm_backward(tape, y, 0);
    ck_assert(nm_tensor_item(nm_tensor_grad(a)) == 7);
    nm_tensor_destroy(a);
    end(NULL);
}
END_TEST

START_TEST(gradients_add_up_over_passes_until_cleared)
{
    begin(NULL);
    nm_tensor *a = number(3);
    for (int i = 1; i <= 3; i++) {
        nm_tape_reset(tape);
        nm_backward(tape, nm_mul(tape, a, a), 0);
        ck_assert(nm_tensor_item(nm_tensor_grad(a)) == 6 * i);
    }
    nm_tensor_clear_grad(a);
    ck_assert_ptr_null(nm_tensor_grad(a));
    nm_tensor_destroy(a);
    end(NULL);
}
END_TEST

START_TEST(two_parameters_never_share_a_gradients_memory)
{
    begin(NULL);
    nm_tensor *a = number(3), *b = number(5);
    nm_backward(tape, nm_add(tape, a, b), 0); /* the vjp of add hands one tensor to both */
    nm_tensor_set(nm_tensor_grad(a), 0, 100);
    ck_assert(nm_tensor_item(nm_tensor_grad(b)) == 1);
    nm_tensor_destroy(a);
    nm_tensor_destroy(b);
    end(NULL);
}
END_TEST

START_TEST(a_broadcast_input_gets_a_gradient_of_its_own_shape)
{
    begin(NULL);
    nm_tensor *x = nm_tensor_create(context, NM_F32, NM_SHAPE(4, 3));
    nm_tensor *bias = nm_tensor_create(context, NM_F32, NM_SHAPE(3));
    nm_tensor_set_requires_grad(bias, true);
    nm_backward(tape, sum(nm_add(tape, x, bias)), 0);
    ck_assert(nm_shape_equal(nm_tensor_shape(nm_tensor_grad(bias)), &NM_SHAPE(3)));
    ck_assert(nm_tensor_get(nm_tensor_grad(bias), 2) == 4);
    ck_assert_ptr_null(nm_tensor_grad(x));
    nm_tensor_destroy(x);
    nm_tensor_destroy(bias);
    end(NULL);
}
END_TEST

START_TEST(gradients_can_be_taken_with_respect_to_any_tensor)
{
    begin(NULL);
    nm_tensor *a = number(2);
    nm_tensor *square = nm_mul(tape, a, a);
    nm_tensor *y = nm_mul(tape, square, square);
    nm_tensor *inputs[] = {a, square, a}, *grads[3];
    ck_assert_int_eq(nm_gradients(tape, &y, NULL, 1, inputs, 3, 0, grads), NM_OK);
    ck_assert(nm_tensor_item(grads[0]) == 32);
    ck_assert(nm_tensor_item(grads[1]) == 8);
    ck_assert(nm_tensor_item(grads[2]) == 32);
    ck_assert_ptr_null(nm_tensor_grad(a));
    nm_tensor_destroy(a);
    end(NULL);
}
END_TEST

START_TEST(an_input_the_output_does_not_depend_on_has_a_zero_gradient)
{
    begin(NULL);
    nm_tensor *a = number(2), *b = number(4), *grad;
    nm_tensor *y = nm_mul(tape, a, a);
    ck_assert_int_eq(nm_gradients(tape, &y, NULL, 1, &b, 1, 0, &grad), NM_OK);
    ck_assert(nm_tensor_item(grad) == 0);
    nm_tensor_destroy(a);
    nm_tensor_destroy(b);
    end(NULL);
}
END_TEST

START_TEST(gradients_of_gradients_are_exact)
{
    begin(NULL);
    nm_tensor *a = number(2), *first, *second, *third;
    nm_tensor *square = nm_mul(tape, a, a);
    nm_tensor *y = nm_mul(tape, square, square); /* a^4 */
    nm_gradients(tape, &y, NULL, 1, &a, 1, NM_CREATE_GRAPH, &first);
    nm_gradients(tape, &first, NULL, 1, &a, 1, NM_CREATE_GRAPH, &second);
    nm_gradients(tape, &second, NULL, 1, &a, 1, 0, &third);
    assert_fine(context);
    ck_assert(nm_tensor_item(third) == 48);
    nm_tensor_destroy(a);
    end(NULL);
}
END_TEST

START_TEST(a_gradient_penalty_reaches_the_parameters)
{
    begin(NULL);
    nm_tensor *a = number(3), *first;
    nm_tensor *y = nm_mul(tape, nm_mul(tape, a, a), a);
    nm_gradients(tape, &y, NULL, 1, &a, 1, NM_CREATE_GRAPH, &first); /* 3 a^2 */
    nm_backward(tape, nm_mul(tape, first, first), 0);                /* 9 a^4 */
    ck_assert(nm_tensor_item(nm_tensor_grad(a)) == 36 * 27);
    nm_tensor_destroy(a);
    end(NULL);
}
END_TEST

START_TEST(without_recording_nothing_is_kept_for_backward)
{
    begin(NULL);
    nm_tensor *a = number(3);
    ck_assert(nm_tape_set_recording(tape, false));
    nm_tensor *y = nm_mul(tape, a, a);
    ck_assert_int_eq(nm_tape_nodes(tape), 0);
    ck_assert(!nm_tensor_requires_grad(y));
    ck_assert_int_ne(nm_backward(tape, y, 0), NM_OK);
    assert_error(context, NM_ERROR_INPUT, "a gradient; recording is off (nm_tape_set");
    nm_tensor_destroy(a);
    end(NULL);
}
END_TEST

START_TEST(a_detached_tensor_stops_the_gradient)
{
    begin(NULL);
    nm_tensor *a = number(3);
    nm_backward(tape, nm_mul(tape, a, nm_detach(tape, a)), 0);
    ck_assert(nm_tensor_item(nm_tensor_grad(a)) == 3);
    nm_tensor_destroy(a);
    end(NULL);
}
END_TEST

START_TEST(a_frozen_parameter_gets_no_gradient)
{
    begin(NULL);
    nm_tensor *a = number(3), *b = number(4);
    nm_tensor_set_requires_grad(b, false);
    nm_backward(tape, nm_mul(tape, a, b), 0);
    ck_assert_ptr_nonnull(nm_tensor_grad(a));
    ck_assert_ptr_null(nm_tensor_grad(b));
    nm_tensor_destroy(a);
    nm_tensor_destroy(b);
    end(NULL);
}
END_TEST

START_TEST(backward_gives_memory_back_unless_told_to_keep_it)
{
    begin(NULL);
    nm_tensor *a = number(3);
    nm_tensor *h = nm_mul(tape, a, a), *kept = nm_tensor_keep(nm_mul(tape, h, a));
    nm_tensor *y = nm_mul(tape, kept, a);
    nm_backward(tape, y, NM_KEEP_GRAPH);
    ck_assert(nm_tensor_item(h) == 9);
    nm_backward(tape, y, 0);
    ck_assert(nm_tensor_item(nm_tensor_grad(a)) == 2 * 108);
    ck_assert(nm_tensor_item(y) == 81);
    ck_assert(nm_tensor_item(kept) == 27);
    ck_assert_ptr_null(nm_tensor_data(h));
    assert_error(context, NM_ERROR_INPUT, "nm_tensor_keep()");
    ck_assert_int_ne(nm_backward(tape, y, 0), NM_OK);
    assert_error(context, NM_ERROR_INPUT, "NM_KEEP_GRAPH");
    nm_tensor_destroy(a);
    end(NULL);
}
END_TEST

START_TEST(a_failed_backward_leaves_a_usable_tape)
{
    begin(NULL);
    nm_tensor *a = number(3);
    nm_tensor *y = nm_mul(tape, nm_mul(tape, a, a), a);
    nm_backward(tape, y, 0);
    nm_backward(tape, y, 0);
    assert_error(context, NM_ERROR_INPUT, "given back");
    nm_tape_reset(tape);
    nm_tensor_clear_grad(a);
    nm_backward(tape, nm_mul(tape, a, a), 0);
    ck_assert(nm_tensor_item(nm_tensor_grad(a)) == 6);
    nm_tensor_destroy(a);
    end(NULL);
}
END_TEST

START_TEST(ops_pass_null_on_and_the_first_error_stays)
{
    begin(NULL);
    nm_tensor *a = nm_tensor_create(context, NM_F32, NM_SHAPE(2, 3));
    nm_tensor *b = nm_tensor_create(context, NM_F32, NM_SHAPE(2, 4));
    nm_tensor *y = nm_relu(tape, nm_neg(tape, nm_add(tape, a, b)));
    ck_assert_ptr_null(y);
    ck_assert_int_ne(nm_backward(tape, y, 0), NM_OK);
    assert_error(context, NM_ERROR_INPUT,
                 "add: the shapes do not broadcast: a [2, 3] and b [2, 4]");
    ck_assert_ptr_null(nm_relu(tape, NULL));
    assert_error(context, NM_ERROR_INPUT, "relu: the input x is missing");
    nm_tensor_destroy(a);
    nm_tensor_destroy(b);
    end(NULL);
}
END_TEST

START_TEST(types_are_checked_and_named)
{
    begin(NULL);
    nm_tensor *a = nm_scalar(tape, NM_F32, 1), *b = nm_scalar(tape, NM_F64, 1);
    nm_tensor *n = nm_scalar(tape, NM_I32, 1), *h = nm_scalar(tape, NM_BF16, 1);
    ck_assert_ptr_null(nm_add(tape, a, b));
    assert_error(context, NM_ERROR_INPUT, "add: a is f32, but b is f64");
    ck_assert_ptr_null(nm_relu(tape, n));
    assert_error(context, NM_ERROR_INPUT, "relu: x is i32; it takes f32 or f64");
    ck_assert_ptr_null(nm_relu(tape, h));
    assert_error(context, NM_ERROR_INPUT, "relu: x is bf16");
    end(NULL);
}
END_TEST

START_TEST(tensors_of_another_tape_or_context_are_refused)
{
    begin(NULL);
    nm_tape *other = nm_tape_create(context);
    ck_assert_ptr_null(nm_relu(tape, nm_scalar(other, NM_F32, 1)));
    assert_error(context, NM_ERROR_INPUT, "belongs to another tape");
    nm_context *stranger = test_context(NULL);
    nm_tensor *x = nm_tensor_create(stranger, NM_F32, NM_SHAPE(1));
    ck_assert_ptr_null(nm_relu(tape, x));
    assert_error(context, NM_ERROR_INPUT, "belongs to another context");
    nm_tensor_destroy(x);
    nm_context_destroy(stranger);
    nm_tape_destroy(other);
    end(NULL);
}
END_TEST

START_TEST(the_scope_says_where_an_error_was)
{
    begin(NULL);
    nm_tape_set_scope(tape, "fc1");
    ck_assert_ptr_null(
        nm_add(tape, nm_full(tape, NM_F32, NM_SHAPE(2), 0), nm_full(tape, NM_F32, NM_SHAPE(3), 0)));
    assert_error(context, NM_ERROR_INPUT, "fc1: add: the shapes do not broadcast");
    end(NULL);
}
END_TEST

START_TEST(a_tensor_tells_the_op_that_made_it)
{
    begin(NULL);
    const char *scope = "untouched";
    nm_tensor *input = NULL;
    nm_tensor *x = number(2);
    nm_tape_set_scope(tape, "layer \"last\"");
    nm_tensor *y = nm_neg(tape, x);
    nm_tape_set_scope(tape, NULL);
    ck_assert_ptr_null(nm_tensor_origin(x, &scope, &input));
    ck_assert_str_eq(scope, "untouched");
    ck_assert_str_eq(nm_tensor_origin(y, &scope, &input)->item.name, "neg");
    ck_assert_str_eq(scope, "layer \"last\"");
    ck_assert_ptr_eq(input, x);
    nm_tensor_destroy(x);
    end(NULL);
}
END_TEST

START_TEST(a_loss_must_be_one_number)
{
    begin(NULL);
    nm_tensor *a = nm_tensor_create(context, NM_F32, NM_SHAPE(2));
    nm_tensor_set_requires_grad(a, true);
    nm_backward(tape, nm_neg(tape, a), 0);
    assert_error(context, NM_ERROR_INPUT, "must be one number, not [2]; take its mean or sum");
    nm_tensor_destroy(a);
    end(NULL);
}
END_TEST

START_TEST(anomaly_mode_names_the_first_bad_output)
{
    begin(NULL);
    nm_tape_set_anomaly(tape, true);
    nm_tape_set_scope(tape, "head");
    nm_tensor *a = number(1), *zero = nm_scalar(tape, NM_F64, 0);
    nm_tensor *y = nm_neg(tape, nm_div(tape, a, zero));
    ck_assert_ptr_null(y);
    assert_error(context, NM_ERROR_NUMERIC, "head: div (node 0): output y [] is infinite");
    nm_tensor_destroy(a);
    end(NULL);
}
END_TEST

START_TEST(anomaly_mode_names_the_first_bad_gradient)
{
    begin(NULL);
    nm_tape_set_anomaly(tape, true);
    nm_tensor *a = number(1e-200), *b = number(1);
    nm_tensor *y = nm_div(tape, b, a); /* finite, but its derivative is 1e400 */
    ck_assert_int_eq(nm_backward(tape, y, 0), NM_ERROR_NUMERIC);
    assert_error(context, NM_ERROR_NUMERIC, "is infinite");
    nm_tensor_destroy(a);
    nm_tensor_destroy(b);
    end(NULL);
}
END_TEST

START_TEST(a_dry_tape_infers_shapes_and_computes_nothing)
{
    begin(NULL);
    nm_tape_set_dry(tape, true);
    nm_tensor *x = nm_tape_tensor(tape, NM_F32, NM_SHAPE(1000000, 1000));
    nm_tensor *y = nm_add(tape, x, nm_tape_tensor(tape, NM_F32, NM_SHAPE(1000)));
    ck_assert(nm_shape_equal(nm_tensor_shape(y), &NM_SHAPE(1000000, 1000)));
    ck_assert_int_eq(nm_tape_cost_so_far(tape).bytes, 4000000000LL);
    ck_assert_uint_lt(nm_context_pool_peak(context), 1000);
    ck_assert_ptr_null(nm_tensor_data(y));
    assert_error(context, NM_ERROR_INPUT, "dry mode");
    end(NULL);
}
END_TEST

START_TEST(an_op_can_be_called_by_name)
{
    begin(NULL);
    nm_tensor *x = nm_full(tape, NM_F32, NM_SHAPE(2, 3), 2), *y;
    ck_assert_int_eq(nm_call(tape, "sum_to", &x, 1, "{shape: [3]}", &y, 1), NM_OK);
    ck_assert(nm_tensor_get(y, 2) == 4);
    ck_assert_int_ne(nm_call(tape, "sum_of", &x, 1, NULL, &y, 1), NM_OK);
    assert_error(context, NM_ERROR_INPUT, "did you mean \"sum_to\"?");
    ck_assert_ptr_null(y);
    ck_assert_int_ne(nm_call(tape, "sum_to", &x, 1, "{shap: [3]}", &y, 1), NM_OK);
    assert_error(context, NM_ERROR_INPUT, "did you mean \"shape\"?");
    ck_assert_int_ne(nm_call(tape, "relu", &x, 1, "{slope: 3}", &y, 1), NM_OK);
    assert_error(context, NM_ERROR_INPUT, "relu: it has no options");
    end(NULL);
}
END_TEST

START_TEST(options_of_another_version_are_noticed)
{
    begin(NULL);
    nm_shape_options old = {.struct_size = 8};
    nm_tensor *x = nm_scalar(tape, NM_F32, 1);
    ck_assert_ptr_null(nm_apply1(tape, nm_find_op(context, "sum_to"), &old, x));
    assert_error(context, NM_ERROR_INPUT, "another version of the library");
    end(NULL);
}
END_TEST

START_TEST(a_million_nodes_work)
{
    begin(NULL);
    nm_tensor *a = number(1), *y = a, *half = nm_scalar(tape, NM_F64, 1);
    for (int i = 0; i < 1000000; i++) {
        y = nm_mul(tape, y, half);
    }
    ck_assert_int_eq(nm_backward(tape, y, 0), NM_OK);
    ck_assert(nm_tensor_item(nm_tensor_grad(a)) == 1);
    nm_tensor_destroy(a);
    end(NULL);
}
END_TEST

static void step(nm_tensor *a, nm_tensor *b)
{
    nm_tape_reset(tape);
    nm_tensor *h = nm_relu(tape, nm_add(tape, nm_mul(tape, a, b), b));
    nm_backward(tape, sum(nm_mul(tape, h, h)), 0);
    nm_tensor_clear_grad(a);
    nm_tensor_clear_grad(b);
}

START_TEST(a_steady_step_allocates_nothing)
{
    test_memory memory = {.fail_at = -1};
    begin(&memory);
    nm_tensor *a = nm_tensor_create(context, NM_F32, NM_SHAPE(64, 32));
    nm_tensor *b = nm_tensor_create(context, NM_F32, NM_SHAPE(32));
    nm_tensor_set_requires_grad(a, true);
    nm_tensor_set_requires_grad(b, true);
    step(a, b);
    step(a, b);
    long calls = memory.calls;
    size_t bytes = nm_context_pool_bytes(context);
    for (int i = 0; i < 100; i++) {
        step(a, b);
    }
    ck_assert_int_eq(memory.calls, calls);
    ck_assert_uint_eq(nm_context_pool_bytes(context), bytes);
    nm_tensor_destroy(a);
    nm_tensor_destroy(b);
    end(&memory);
}
END_TEST

static nm_status scenario(test_memory *memory)
{
    begin(memory);
    if (!context) {
        return NM_ERROR_MEMORY;
    }
    nm_tensor *a = tape ? number(3) : NULL, *b = a ? number(2) : NULL, *first = NULL;
    if (b) {
        nm_tensor *y = nm_mul(tape, nm_add(tape, a, b), nm_mul(tape, a, a));
        nm_gradients(tape, &y, NULL, 1, &a, 1, NM_CREATE_GRAPH, &first);
        nm_backward(tape, first, 0);
        nm_tape_reset(tape);
        nm_backward(tape, nm_mul(tape, a, b), 0);
    }
    nm_status status = nm_context_status(context);
    nm_tensor_destroy(a);
    nm_tensor_destroy(b);
    end(memory);
    return status;
}

START_TEST(any_allocation_may_fail)
{
    test_every_allocation(scenario);
}
END_TEST

TEST_MAIN("core/tape", gradients_of_a_product_are_the_other_factors,
          a_tensor_used_twice_gets_both_gradients, gradients_add_up_over_passes_until_cleared,
          two_parameters_never_share_a_gradients_memory,
          a_broadcast_input_gets_a_gradient_of_its_own_shape,
          gradients_can_be_taken_with_respect_to_any_tensor,
          an_input_the_output_does_not_depend_on_has_a_zero_gradient,
          gradients_of_gradients_are_exact, a_gradient_penalty_reaches_the_parameters,
          without_recording_nothing_is_kept_for_backward, a_detached_tensor_stops_the_gradient,
          a_frozen_parameter_gets_no_gradient, backward_gives_memory_back_unless_told_to_keep_it,
          a_failed_backward_leaves_a_usable_tape, ops_pass_null_on_and_the_first_error_stays,
          types_are_checked_and_named, tensors_of_another_tape_or_context_are_refused,
          the_scope_says_where_an_error_was, a_tensor_tells_the_op_that_made_it,
          a_loss_must_be_one_number, anomaly_mode_names_the_first_bad_output,
          anomaly_mode_names_the_first_bad_gradient, a_dry_tape_infers_shapes_and_computes_nothing,
          an_op_can_be_called_by_name, options_of_another_version_are_noticed, a_million_nodes_work,
          a_steady_step_allocates_nothing, any_allocation_may_fail)
