/* What the gradient check and PyTorch's values do not show of pooling. */
#include "tests/ops/linear_test.h"

START_TEST(a_maximum_and_a_mean_are_the_ones_computed_by_hand)
{
    fixture f = begin();
    nm_tensor *x = TENSOR(f, (1, 2, 4, 1), 1, -2, 3, 4, 5, 6, -7, 8);
    ASSERT_TENSOR(nm_max_pool2d(f.tape, x, .kernel = NM_INTS(2)), (1, 1, 2, 1), 6, 8);
    ASSERT_TENSOR(nm_avg_pool2d(f.tape, x, .kernel = NM_INTS(2)), (1, 1, 2, 1), 2.5, 2);
    ASSERT_TENSOR(nm_max_pool2d(f.tape, x, .kernel = NM_INTS(1, 2), .stride = NM_INTS(1)),
                  (1, 2, 3, 1), 1, 3, 4, 6, 6, 8);
    ASSERT_TENSOR(nm_avg_pool2d(f.tape, x, .global = true), (1, 1, 1, 1), 2.25);
    ASSERT_TENSOR(nm_max_pool2d(f.tape, x, .global = true), (1, 1, 1, 1), 8);
    end(f);
}
END_TEST

START_TEST(padding_is_never_a_maximum_and_counts_in_a_mean_unless_told)
{
    fixture f = begin();
    nm_tensor *x = TENSOR(f, (1, 2, 2, 1), -1, -2, -3, -4);
    ASSERT_TENSOR(nm_max_pool2d(f.tape, x, .kernel = NM_INTS(2), .padding = NM_INTS(1)),
                  (1, 2, 2, 1), -1, -2, -3, -4);
    ASSERT_TENSOR(nm_avg_pool2d(f.tape, x, .kernel = NM_INTS(2), .padding = NM_INTS(1)),
                  (1, 2, 2, 1), -0.25, -0.5, -0.75, -1);
    ASSERT_TENSOR(nm_avg_pool2d(f.tape, x, .kernel = NM_INTS(2), .padding = NM_INTS(1),
                                .count_include_pad = false),
                  (1, 2, 2, 1), -1, -2, -3, -4);
    end(f);
}
END_TEST

START_TEST(the_first_of_several_largest_gets_the_whole_gradient)
{
    fixture f = begin();
    nm_tensor *x = TENSOR(f, (1, 2, 4, 1), 1, 3, 7, 7, 3, 3, 7, 7);
    nm_tensor_set_requires_grad(x, true);
    nm_tensor *y = nm_max_pool2d(f.tape, x, .kernel = NM_INTS(2));
    ASSERT_TENSOR(gradient(&f, y, TENSOR(f, (1, 1, 2, 1), 5, 6), x), (1, 2, 4, 1), 0, 5, 6, 0, 0, 0,
                  0, 0);
    end(f);
}
END_TEST

START_TEST(a_nan_wins_and_a_window_of_minus_infinity_keeps_it)
{
    fixture f = begin();
    nm_tensor *x = TENSOR(f, (1, 1, 8, 1), 1, NAN, NAN, 2, -INFINITY, -INFINITY, NAN, NAN);
    nm_tensor_set_requires_grad(x, true);
    nm_tensor *y = nm_max_pool2d(f.tape, x, .kernel = NM_INTS(1, 2));
    nm_tensor_keep(y);
    ASSERT_TENSOR(y, (1, 1, 4, 1), NAN, NAN, -INFINITY, NAN);
    ASSERT_TENSOR(gradient(&f, y, TENSOR(f, (1, 1, 4, 1), 1, 2, 3, 4), x), (1, 1, 8, 1), 0, 1, 2, 0,
                  3, 0, 4, 0);
    end(f);
}
END_TEST

START_TEST(a_batch_without_images_has_a_gradient_without_elements)
{
    fixture f = begin();
    nm_tensor *x = nm_full(f.tape, NM_F32, NM_SHAPE(0, 4, 4, 3), 1);
    nm_tensor_set_requires_grad(x, true);
    nm_tensor *y =
        nm_avg_pool2d(f.tape, nm_max_pool2d(f.tape, x, .kernel = NM_INTS(2)), .global = true);
    ck_assert_int_eq(nm_tensor_count(gradient(&f, y, NULL, x)), 0);
    end(f);
}
END_TEST

START_TEST(pooling_is_the_same_to_the_bit_for_any_number_of_threads)
{
    fixture f = begin();
    nm_tensor *x = random_tensor(&f, NM_F32, NM_SHAPE(9, 30, 31, 17)), *result[2][4];
    nm_tensor_set_requires_grad(x, true);
    for (int i = 0; i < 2; i++) {
        nm_context_set_threads(f.context, i ? 4 : 1);
        nm_tensor **r = result[i];
        r[0] = nm_tensor_keep(nm_max_pool2d(f.tape, x, .kernel = NM_INTS(3), .stride = NM_INTS(2)));
        r[1] = nm_tensor_keep(nm_avg_pool2d(f.tape, x, .kernel = NM_INTS(3), .stride = NM_INTS(2)));
        r[2] = gradient(&f, r[0], r[0], x);
        r[3] = gradient(&f, r[1], r[1], x);
    }
    for (int i = 0; i < 4; i++) {
        ck_assert_mem_eq(nm_tensor_data(result[0][i]), nm_tensor_data(result[1][i]),
                         nm_tensor_bytes(result[0][i]));
    }
    end(f);
}
END_TEST

START_TEST(windows_that_do_not_fit_are_named)
{
    fixture f = begin();
    nm_tensor *x = nm_full(f.tape, NM_F32, NM_SHAPE(2, 3, 8, 1), 0);
    ck_assert_ptr_null(nm_max_pool2d(f.tape, x, .kernel = NM_INTS(4)));
    assert_error(f.context, NM_ERROR_INPUT,
                 "max_pool2d: the kernel 4 does not fit into the height 3 with padding 0");
    nm_avg_pool2d(f.tape, x, .kernel = NM_INTS(2), .padding = NM_INTS(2));
    assert_error(f.context, NM_ERROR_INPUT,
                 "avg_pool2d: the padding 2 is more than half the kernel 2");
    nm_avg_pool2d(f.tape, x);
    assert_error(f.context, NM_ERROR_INPUT, "give a kernel, or global: true");
    nm_avg_pool2d(f.tape, x, .kernel = NM_INTS(2), .global = true);
    assert_error(f.context, NM_ERROR_INPUT, "leave kernel, stride, padding and dilation out");
    nm_avg_pool2d(f.tape, x, .padding = NM_INTS(0, 1), .global = true);
    assert_error(f.context, NM_ERROR_INPUT, "leave kernel, stride, padding and dilation out");
    nm_max_pool2d(f.tape, x, .kernel = NM_INTS(2), .stride = NM_INTS(0));
    assert_error(f.context, NM_ERROR_INPUT, "stride");
    nm_max_pool2d(f.tape, x, .kernel = NM_INTS(1, 1, 1));
    assert_error(f.context, NM_ERROR_INPUT, "one number, or two");
    nm_max_pool2d(f.tape, nm_reshape(f.tape, x, NM_SHAPE(6, 8)), .kernel = NM_INTS(1));
    assert_error(f.context, NM_ERROR_INPUT, "x [6, 8] must be [n, h, w, channels]");
    end(f);
}
END_TEST

/* Their sizes multiply to more than an integer holds, and no memory stops them. */
START_TEST(a_batch_without_huge_images_overflows_nothing)
{
    fixture f = begin();
    const int64_t huge = INT64_C(1) << 61;
    nm_tensor *x = nm_full(f.tape, NM_F32, NM_SHAPE(0, 4, 4, huge), 0);
    nm_tensor_set_requires_grad(x, true);
    const nm_shape *shapes[] = {
        nm_tensor_shape(gradient(&f, nm_max_pool2d(f.tape, x, .kernel = NM_INTS(2)), NULL, x)),
        nm_tensor_shape(gradient(&f, nm_avg_pool2d(f.tape, x, .global = true), NULL, x))};
    ck_assert(nm_shape_equal(shapes[0], nm_tensor_shape(x)));
    ck_assert(nm_shape_equal(shapes[1], nm_tensor_shape(x)));
    end(f);
}
END_TEST

/* A window all in the padding would have no maximum, and a mean of none. */
START_TEST(an_image_without_rows_is_refused)
{
    fixture f = begin();
    nm_tensor *x = nm_full(f.tape, NM_F32, NM_SHAPE(2, 0, 4, 1), 0);
    nm_max_pool2d(f.tape, x, .kernel = NM_INTS(2), .padding = NM_INTS(1));
    assert_error(f.context, NM_ERROR_INPUT, "does not fit into the height 0");
    nm_avg_pool2d(f.tape, x, .global = true);
    assert_error(f.context, NM_ERROR_INPUT, "does not fit into the height 0");
    end(f);
}
END_TEST

START_TEST(huge_images_and_strides_overflow_nothing)
{
    fixture f = begin();
    const int64_t huge = INT64_C(1) << 55;
    nm_tape_set_dry(f.tape, true);
    nm_tensor *x = nm_tape_tensor(f.tape, NM_F32, NM_SHAPE(1, huge, 1, 1));
    nm_tensor *y = nm_avg_pool2d(f.tape, x, .kernel = NM_INTS(65536, 1), .stride = NM_INTS(huge, 1),
                                 .padding = NM_INTS(32768, 0));
    assert_fine(f.context);
    ck_assert_int_eq(nm_tensor_shape(y)->dim[1], 2);
    nm_max_pool2d(f.tape, x, .kernel = NM_INTS(1));
    assert_error(f.context, NM_ERROR_INPUT, "too large");
    end(f);
}
END_TEST

START_TEST(a_place_outside_of_the_image_is_refused)
{
    fixture f = begin();
    nm_tensor *dy = nm_full(f.tape, NM_F32, NM_SHAPE(1, 1, 1, 1), 1), *out;
    for (int32_t bad = -1; bad <= 4; bad += 5) {
        nm_tensor *index = nm_tape_wrap(f.tape, NM_I32, NM_SHAPE(1, 1, 1, 1), &bad);
        nm_call(f.tape, "max_pool2d_grad", (nm_tensor *[]){dy, index}, 2, "{kernel: 2, size: 2}",
                &out, 1);
        assert_error(f.context, NM_ERROR_INPUT,
                     "max_pool2d_grad: an index lies outside of the image of 2 by 2");
    }
    end(f);
}
END_TEST

/* Its places have no i32, so that -1 as one of 2^32 could pass for the last. */
START_TEST(an_image_with_more_places_than_an_index_counts_is_refused)
{
    fixture f = begin();
    nm_tape_set_dry(f.tape, true);
    nm_tensor *dy = nm_tape_tensor(f.tape, NM_F32, NM_SHAPE(1, 1, 1, 1)), *out;
    nm_tensor *index = nm_tape_tensor(f.tape, NM_I32, NM_SHAPE(1, 1, 1, 1));
    nm_tensor *x = nm_tape_tensor(f.tape, NM_F32, NM_SHAPE(1, 65536, 65536, 1));
    nm_call(f.tape, "max_pool2d_grad", (nm_tensor *[]){dy, index}, 2, "{global: true, size: 65536}",
            &out, 1);
    assert_error(f.context, NM_ERROR_INPUT, "max_pool2d_grad: an image of 65536 by 65536");
    nm_call(f.tape, "max_pool2d_gather", (nm_tensor *[]){x, index}, 2, "{global: true}", &out, 1);
    assert_error(f.context, NM_ERROR_INPUT, "max_pool2d_gather: an image of 65536 by 65536");
    end(f);
}
END_TEST

TEST_MAIN("ops/pool2d", a_maximum_and_a_mean_are_the_ones_computed_by_hand,
          padding_is_never_a_maximum_and_counts_in_a_mean_unless_told,
          the_first_of_several_largest_gets_the_whole_gradient,
          a_nan_wins_and_a_window_of_minus_infinity_keeps_it,
          a_batch_without_images_has_a_gradient_without_elements,
          pooling_is_the_same_to_the_bit_for_any_number_of_threads,
          a_batch_without_huge_images_overflows_nothing, windows_that_do_not_fit_are_named,
          an_image_without_rows_is_refused, huge_images_and_strides_overflow_nothing,
          a_place_outside_of_the_image_is_refused,
          an_image_with_more_places_than_an_index_counts_is_refused)
