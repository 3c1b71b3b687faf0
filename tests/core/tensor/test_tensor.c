#include "core/tensor.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/tape.h"
#include "tests/test.h"

START_TEST(a_new_tensor_holds_zeros)
{
    nm_context *context = test_context(NULL);
    nm_tensor *x = nm_tensor_create(context, NM_F32, NM_SHAPE(3, 4));
    ck_assert_int_eq(nm_tensor_count(x), 12);
    ck_assert_uint_eq(nm_tensor_bytes(x), 48);
    for (int i = 0; i < 12; i++) {
        ck_assert(nm_tensor_get(x, i) == 0);
    }
    nm_tensor_destroy(x);
    nm_context_destroy(context);
}
END_TEST

START_TEST(shapes_broadcast_as_numpy_says)
{
    nm_shape out;
    ck_assert(nm_shape_broadcast(&NM_SHAPE(3, 1), &NM_SHAPE(2, 1, 5), &out));
    ck_assert(nm_shape_equal(&out, &NM_SHAPE(2, 3, 5)));
    ck_assert(nm_shape_broadcast(&NM_SCALAR_SHAPE, &NM_SHAPE(4), &out));
    ck_assert(nm_shape_equal(&out, &NM_SHAPE(4)));
    ck_assert(nm_shape_broadcast(&NM_SHAPE(0), &NM_SHAPE(1), &out));
    ck_assert(nm_shape_equal(&out, &NM_SHAPE(0)));
    ck_assert(!nm_shape_broadcast(&NM_SHAPE(3), &NM_SHAPE(4), &out));
    ck_assert(!nm_shape_broadcast(&NM_SHAPE(0), &NM_SHAPE(2), &out));
}
END_TEST

START_TEST(impossible_shapes_are_refused)
{
    nm_context *context = test_context(NULL);
    ck_assert_ptr_null(nm_tensor_create(context, NM_F32, NM_SHAPE(-1, 2)));
    assert_error(context, NM_ERROR_INPUT, "[-1, 2]");
    ck_assert_ptr_null(nm_tensor_create(context, NM_U8, NM_SHAPE(INT64_MAX, INT64_MAX, 4)));
    assert_error(context, NM_ERROR_INPUT, "no tensor can have the shape");
    /* INT64_MAX times 2 wraps to a negative product */
    ck_assert_ptr_null(nm_tensor_create(context, NM_U8, NM_SHAPE(INT64_MAX, 2)));
    assert_error(context, NM_ERROR_INPUT, "no tensor can have the shape");
    nm_shape deep = {.rank = 7};
    ck_assert_ptr_null(nm_tensor_create(context, NM_F32, deep));
    assert_error(context, NM_ERROR_INPUT, "a tensor's rank is 0 to 6, not 7");
    deep.rank = -1;
    ck_assert_ptr_null(nm_tensor_create(context, NM_F32, deep));
    assert_error(context, NM_ERROR_INPUT, "a tensor's rank is 0 to 6, not -1");
    ck_assert_ptr_null(nm_tensor_create(context, NM_F32, NM_SHAPE(1LL << 50)));
    assert_error(context, NM_ERROR_MEMORY, "out of memory");
    nm_context_destroy(context);
}
END_TEST

START_TEST(elements_of_every_type_are_read_and_written)
{
    nm_context *context = test_context(NULL);
    for (int dtype = 0; dtype < NM_DTYPE_COUNT; dtype++) {
        nm_tensor *x = nm_tensor_create(context, (nm_dtype)dtype, NM_SHAPE(2));
        ck_assert_int_eq(nm_tensor_set(x, 1, 7), NM_OK);
        ck_assert(nm_tensor_get(x, 1) == 7);
        nm_tensor_fill(x, 3);
        ck_assert(nm_tensor_get(x, 0) == 3 && nm_tensor_get(x, 1) == 3);
        nm_tensor_destroy(x);
    }
    assert_fine(context);
    nm_context_destroy(context);
}
END_TEST

START_TEST(bf16_rounds_to_nearest_even)
{
    nm_context *context = test_context(NULL);
    nm_tensor *x = nm_tensor_create(context, NM_BF16, NM_SCALAR_SHAPE);
    const double cases[][2] = {{1 + 1.0 / 256, 1},             /* a tie, to the even one below */
                               {1 + 3.0 / 256, 1 + 4.0 / 256}, /* a tie, to the even one above */
                               {1 + 1.1 / 256, 1 + 2.0 / 256},
                               {-0.0, -0.0},
                               {1e39, INFINITY}};
    for (int i = 0; i < 5; i++) {
        nm_tensor_set(x, 0, cases[i][0]);
        ck_assert(nm_tensor_item(x) == cases[i][1]);
    }
    nm_tensor_set(x, 0, NAN);
    ck_assert(isnan(nm_tensor_item(x)));
    nm_tensor_destroy(x);
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_value_that_does_not_fit_is_refused)
{
    nm_context *context = test_context(NULL);
    nm_tensor *x = nm_tensor_create(context, NM_U8, NM_SHAPE(2));
    ck_assert_int_ne(nm_tensor_set(x, 0, 256), NM_OK);
    assert_error(context, NM_ERROR_INPUT, "256 does not fit into u8");
    ck_assert_int_ne(nm_tensor_fill(x, NAN), NM_OK);
    assert_error(context, NM_ERROR_INPUT, "does not fit into u8");
    ck_assert_int_ne(nm_tensor_set(x, 2, 1), NM_OK);
    assert_error(context, NM_ERROR_INPUT, "tensor [2] has no element 2");
    nm_tensor_destroy(x);
    x = nm_tensor_create(context, NM_I8, NM_SHAPE(2));
    ck_assert(nm_tensor_set(x, 0, -128) == NM_OK && nm_tensor_get(x, 0) == -128);
    ck_assert(nm_tensor_set(x, 1, 127) == NM_OK && nm_tensor_get(x, 1) == 127);
    ck_assert_int_ne(nm_tensor_set(x, 0, -129), NM_OK);
    assert_error(context, NM_ERROR_INPUT, "-129 does not fit into i8");
    ck_assert_int_ne(nm_tensor_set(x, 0, 128), NM_OK);
    assert_error(context, NM_ERROR_INPUT, "128 does not fit into i8");
    nm_tensor_destroy(x);
    nm_context_destroy(context);
}
END_TEST

START_TEST(typed_access_checks_the_type_and_names_the_tensor)
{
    nm_context *context = test_context(NULL);
    nm_tensor *x = nm_tensor_create(context, NM_F64, NM_SHAPE(2));
    nm_tensor_set_name(x, "fc1.weight");
    ck_assert_ptr_nonnull(nm_tensor_f64(x));
    ck_assert_ptr_null(nm_tensor_f32(x));
    assert_error(context, NM_ERROR_INPUT, "fc1.weight holds f64, not f32");
    ck_assert(isnan(nm_tensor_item(x)));
    assert_error(context, NM_ERROR_INPUT, "fc1.weight [2] has more or less than one element");
    ck_assert_ptr_null(nm_tensor_f32(NULL));
    nm_tensor_destroy(x);
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_wrapped_tensor_uses_the_callers_memory)
{
    nm_context *context = test_context(NULL);
    float values[4] = {1, 2, 3, 4};
    nm_tensor *x = nm_tensor_wrap(context, NM_F32, NM_SHAPE(2, 2), values);
    ck_assert_ptr_eq(nm_tensor_data(x), values);
    nm_tensor_set(x, 3, 9);
    ck_assert(values[3] == 9);
    nm_tensor_destroy(x);
    nm_context_destroy(context);
}
END_TEST

START_TEST(assignment_wants_the_same_shape_and_type)
{
    nm_context *context = test_context(NULL);
    nm_tensor *x = nm_tensor_copy_of(context, NM_F32, NM_SHAPE(2), (float[]){1, 2});
    nm_tensor *y = nm_tensor_create(context, NM_F32, NM_SHAPE(2));
    nm_tensor *z = nm_tensor_create(context, NM_F64, NM_SHAPE(2));
    ck_assert_int_eq(nm_tensor_assign(y, x), NM_OK);
    ck_assert(nm_tensor_get(y, 1) == 2);
    ck_assert_int_ne(nm_tensor_assign(z, x), NM_OK);
    assert_error(context, NM_ERROR_INPUT, "cannot copy f32 [2] into tensor, which is f64 [2]");
    nm_tensor_destroy(x);
    nm_tensor_destroy(y);
    nm_tensor_destroy(z);
    nm_context_destroy(context);
}
END_TEST

START_TEST(only_floats_have_gradients)
{
    nm_context *context = test_context(NULL);
    nm_tensor *labels = nm_tensor_create(context, NM_I32, NM_SHAPE(2));
    ck_assert_int_ne(nm_tensor_set_requires_grad(labels, true), NM_OK);
    assert_error(context, NM_ERROR_INPUT, "only floating tensors have gradients");
    nm_tensor_destroy(labels);
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_type_that_is_none_is_refused_with_the_limit)
{
    nm_context *context = test_context(NULL);
    nm_tape *tape = nm_tape_create(context);
    static const int wrong[] = {-1, NM_DTYPE_COUNT, 1000};
    for (int i = 0; i < 3; i++) {
        const nm_dtype dtype = (nm_dtype)wrong[i];
        char said[64];
        snprintf(said, sizeof said, "NM_F32 (0) to NM_I8 (6), not %d", wrong[i]);
        ck_assert_uint_eq(nm_dtype_size(dtype), 0);
        ck_assert_str_eq(nm_dtype_name(dtype), "no type");
        ck_assert(!nm_dtype_is_float(dtype));
        ck_assert_ptr_null(nm_tensor_create(context, dtype, NM_SHAPE(2)));
        assert_error(context, NM_ERROR_INPUT, said);
        ck_assert_ptr_null(nm_full(tape, dtype, NM_SHAPE(2), 1));
        assert_error(context, NM_ERROR_INPUT, said);
        float data[2];
        ck_assert_ptr_null(nm_tape_wrap(tape, dtype, NM_SHAPE(2), data));
        assert_error(context, NM_ERROR_INPUT, said);
    }
    nm_tape_destroy(tape);
    nm_context_destroy(context);
}
END_TEST

START_TEST(memory_that_is_not_there_or_not_aligned_is_not_wrapped)
{
    nm_context *context = test_context(NULL);
    nm_tape *tape = nm_tape_create(context);
    double data[3];
    void *odd = (char *)data + 2;
    ck_assert_ptr_null(nm_tensor_wrap(context, NM_F32, NM_SHAPE(2), NULL));
    assert_error(context, NM_ERROR_INPUT, "nm_tensor_wrap: data is NULL");
    ck_assert_ptr_null(nm_tensor_wrap(context, NM_F32, NM_SHAPE(2), odd));
    assert_error(context, NM_ERROR_INPUT, "not aligned for f32 (a multiple of 4); copy it");
    ck_assert_ptr_null(nm_tape_wrap(tape, NM_I64, NM_SHAPE(2), odd));
    assert_error(context, NM_ERROR_INPUT, "not aligned for i64 (a multiple of 8)");
    ck_assert_ptr_null(nm_tape_wrap(tape, NM_I64, NM_SHAPE(2), NULL));
    assert_error(context, NM_ERROR_INPUT, "nm_tape_wrap: data is NULL");
    ck_assert_ptr_null(nm_tensor_copy_of(context, NM_F32, NM_SHAPE(2), NULL));
    assert_error(context, NM_ERROR_INPUT, "NULL");
    nm_tensor *bytes = nm_tensor_wrap(context, NM_BF16, NM_SHAPE(2), odd);
    nm_tensor *nothing = nm_tensor_wrap(context, NM_F32, NM_SHAPE(2, 0), NULL);
    ck_assert_ptr_nonnull(bytes);
    ck_assert_ptr_nonnull(nm_tensor_data(nothing));
    assert_fine(context);
    nm_tensor_destroy(bytes);
    nm_tensor_destroy(nothing);
    nm_tape_destroy(tape);
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_tape_tensor_cannot_be_destroyed_alone)
{
    nm_context *context = test_context(NULL);
    nm_tape *tape = nm_tape_create(context);
    nm_tensor_destroy(nm_scalar(tape, NM_F32, 1));
    assert_error(context, NM_ERROR_INPUT, "belongs to a tape");
    nm_tape_destroy(tape);
    nm_context_destroy(context);
}
END_TEST

TEST_MAIN("core/tensor", a_new_tensor_holds_zeros, shapes_broadcast_as_numpy_says,
          impossible_shapes_are_refused, elements_of_every_type_are_read_and_written,
          bf16_rounds_to_nearest_even, a_value_that_does_not_fit_is_refused,
          typed_access_checks_the_type_and_names_the_tensor,
          a_wrapped_tensor_uses_the_callers_memory, assignment_wants_the_same_shape_and_type,
          only_floats_have_gradients, a_tape_tensor_cannot_be_destroyed_alone,
          a_type_that_is_none_is_refused_with_the_limit,
          memory_that_is_not_there_or_not_aligned_is_not_wrapped)
