/* Corners of the catalogue that PyTorch's stored values do not show: NaN, nothing, types, messages.
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "tests/ops/ops_test.h"

#define NUMBERS(f, ...)                                                                            \
    nm_tape_wrap((f).tape, NM_I64, NM_SHAPE(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)),   \
                 (int64_t[]){__VA_ARGS__})

static void assert_values(fixture f, nm_tensor *x, int count, const double *values)
{
    assert_fine(f.context);
    ck_assert_int_eq(nm_tensor_count(x), count);
    for (int i = 0; i < count; i++) {
        const double value = nm_tensor_get(x, i);
        ck_assert_msg(value == values[i] || (isnan(value) && isnan(values[i])),
                      "element %d is %g, not %g", i, value, values[i]);
    }
}
#define ASSERT_VALUES(f, x, ...)                                                                   \
    assert_values(f, x, (int)(sizeof((double[]){__VA_ARGS__}) / sizeof(double)),                   \
                  (double[]){__VA_ARGS__})

/* The gradient of the sum of y. */
static nm_tensor *gradient(fixture f, nm_tensor *y, nm_tensor *x)
{
    nm_tensor *dx = NULL;
    nm_gradients(f.tape, &y, NULL, 1, &x, 1, 0, &dx);
    return dx;
}

static nm_tensor *wanted(nm_tensor *x)
{
    nm_tensor_set_requires_grad(x, true);
    return x;
}

/* ---- Elementwise ---- */

START_TEST(nan_stays_and_is_nobodys_equal)
{
    fixture f = begin();
    nm_tensor *x = wanted(VECTOR(f, NAN, 1, NAN)), *y = wanted(VECTOR(f, 2, NAN, NAN));
    nm_tensor *larger = nm_maximum(f.tape, x, y);
    ASSERT_VALUES(f, larger, NAN, NAN, NAN);
    ASSERT_VALUES(f, nm_minimum(f.tape, x, y), NAN, NAN, NAN);
    ASSERT_VALUES(f, gradient(f, larger, x), 1, 1, 1); /* as PyTorch has it */
    ASSERT_VALUES(f, nm_clamp(f.tape, x, .min = 0, .max = 0.5), NAN, 0.5, NAN);
    ASSERT_VALUES(f, nm_relu(f.tape, x), NAN, 1, NAN);
    ASSERT_VALUES(f, nm_elu(f.tape, x), NAN, 1, NAN);
    ASSERT_VALUES(f, nm_softplus(f.tape, nm_affine(f.tape, x, 30, 0)), NAN, 30, NAN);
    ASSERT_VALUES(f, nm_hard_sigmoid(f.tape, nm_affine(f.tape, x, 9, 0)), NAN, 1, NAN);
    ASSERT_VALUES(f, nm_hard_swish(f.tape, nm_affine(f.tape, x, 9, 0)), NAN, 9, NAN);
    ASSERT_VALUES(f, nm_sign(f.tape, x), 0, 1, 0); /* as PyTorch has it */
    ASSERT_VALUES(f, nm_abs(f.tape, x), NAN, 1, NAN);
    ASSERT_VALUES(f, nm_isnan(f.tape, x), 1, 0, 1);
    ASSERT_VALUES(f, nm_equal(f.tape, x, x), 0, 1, 0);
    ASSERT_VALUES(f, nm_not_equal(f.tape, x, x), 1, 0, 1);
    ASSERT_VALUES(f, nm_greater_or_equal(f.tape, x, x), 0, 1, 0);
    end(&f);
}
END_TEST

START_TEST(what_is_hidden_by_a_condition_has_no_gradient_whatever_it_is)
{
    fixture f = begin();
    nm_tensor *x = wanted(VECTOR(f, 0, 4)), *zero = VECTOR(f, 0, 0);
    nm_tensor *root = nm_where(f.tape, nm_greater(f.tape, x, zero), nm_sqrt(f.tape, x), zero);
    ASSERT_VALUES(f, root, 0, 2);
    nm_tensor *dx = gradient(f, root, x);
    ck_assert(isnan(nm_tensor_get(dx, 0))); /* of sqrt: 0 * infinity, as in PyTorch */
    nm_tensor *a = wanted(VECTOR(f, INFINITY, 4)), *b = wanted(VECTOR(f, 1, 2));
    nm_tensor *y = nm_where(f.tape, NUMBERS(f, 0, 7), a, b);
    ASSERT_VALUES(f, y, 1, 4);
    ASSERT_VALUES(f, gradient(f, nm_mul(f.tape, y, y), a), 0, 8);
    end(&f);
}
END_TEST

START_TEST(a_condition_may_have_any_type)
{
    fixture f = begin();
    static uint8_t bytes[] = {0, 1, 255};
    static double wide[] = {0, NAN, -0.0};
    nm_tensor *a = VECTOR(f, 1, 2, 3), *b = VECTOR(f, -1, -2, -3);
    nm_tensor *u8 = nm_tape_wrap(f.tape, NM_U8, NM_SHAPE(3), bytes);
    nm_tensor *f64 = nm_tape_wrap(f.tape, NM_F64, NM_SHAPE(3), wide);
    ASSERT_VALUES(f, nm_where(f.tape, u8, a, b), -1, 2, 3);
    ASSERT_VALUES(f, nm_where(f.tape, f64, a, b), -1, 2, -3);
    ASSERT_VALUES(f, nm_where(f.tape, VECTOR(f, 0, NAN, 2), a, b), -1, 2, 3);
    ASSERT_VALUES(f, nm_where(f.tape, NUMBERS(f, 5), a, VECTOR(f, 9)), 1, 2, 3);
    end(&f);
}
END_TEST

/* Exponents that f32 holds only every second of. */
START_TEST(the_sign_of_a_large_power_and_of_its_slope_is_right_in_f32)
{
    fixture f = begin();
    nm_tensor *x = wanted(VECTOR(f, -1, 1));
    const double even = 16777218, odd = 16777219;
    nm_tensor *y = nm_pow(f.tape, x, even);
    ASSERT_VALUES(f, y, 1, 1);
    ASSERT_VALUES(f, gradient(f, y, x), -even, even);
    y = nm_pow(f.tape, x, odd);
    ASSERT_VALUES(f, y, -1, 1);
    nm_tensor *dx = gradient(f, y, x);
    ck_assert(nm_tensor_get(dx, 0) > 0 && nm_tensor_get(dx, 1) > 0);
    y = nm_pow_tensor(f.tape, x, VECTOR(f, (float)even, (float)even));
    ASSERT_VALUES(f, gradient(f, y, x), -even, even);
    end(&f);
}
END_TEST

START_TEST(an_exponent_is_given_once)
{
    fixture f = begin();
    nm_tensor *in[] = {VECTOR(f, 1, 2), VECTOR(f, 1, 2)}, *y;
    nm_call(f.tape, "pow", in, 1, NULL, &y, 1);
    assert_error(f.context, NM_ERROR_INPUT, "given as neither");
    nm_call(f.tape, "pow", in, 2, "{exponent: 2}", &y, 1);
    assert_error(f.context, NM_ERROR_INPUT, "given as both");
    in[1] = NULL;
    nm_call(f.tape, "pow", in, 2, "{exponent: 3}", &y, 1);
    ASSERT_VALUES(f, y, 1, 8);
    end(&f);
}
END_TEST

START_TEST(an_old_name_of_an_option_leads_to_the_new_one)
{
    fixture f = begin();
    nm_tensor *x = VECTOR(f, 1, 2), *y;
    nm_call(f.tape, "leaky_relu", &x, 1, "{slope: 2}", &y, 1);
    assert_error(f.context, NM_ERROR_INPUT, "did you mean \"negative_slope\"?");
    nm_call(f.tape, "softplus", &x, 1, "{beta: 0}", &y, 1);
    assert_error(f.context, NM_ERROR_INPUT, "beta is 0");
    nm_call(f.tape, "celu", &x, 1, "{alpha: 0}", &y, 1);
    assert_error(f.context, NM_ERROR_INPUT, "above 0");
    end(&f);
}
END_TEST

/* ---- Reductions ---- */

START_TEST(a_reduction_of_nothing_is_what_pytorch_says)
{
    fixture f = begin();
    nm_tensor *none = nm_full(f.tape, NM_F32, NM_SHAPE(2, 0), 1);
    ASSERT_VALUES(f, nm_prod(f.tape, none, .axes = NM_INTS(1)), 1, 1);
    ASSERT_VALUES(f, nm_var(f.tape, none, .axes = NM_INTS(1)), NAN, NAN);
    ASSERT_VALUES(f, nm_std(f.tape, none, .axes = NM_INTS(1)), NAN, NAN);
    ASSERT_VALUES(f, nm_norm(f.tape, none, .axes = NM_INTS(1)), 0, 0);
    ASSERT_VALUES(f, nm_logsumexp(f.tape, none, .axes = NM_INTS(1)), -INFINITY, -INFINITY);
    ck_assert_int_eq(nm_tensor_count(nm_min(f.tape, none, .axes = NM_INTS(0))), 0);
    ck_assert_int_eq(nm_tensor_count(nm_argmax(f.tape, none, .axis = 0)), 0);
    nm_min(f.tape, none, .axes = NM_INTS(1));
    assert_error(f.context, NM_ERROR_INPUT, "nothing to take the minimum of");
    nm_argmin(f.tape, none, .axis = 1);
    assert_error(f.context, NM_ERROR_INPUT, "nothing to choose from");
    end(&f);
}
END_TEST

START_TEST(a_variance_of_too_few_is_not_finite)
{
    fixture f = begin();
    nm_tensor *x = VECTOR(f, 3);
    ASSERT_VALUES(f, nm_var(f.tape, x), NAN);
    ASSERT_VALUES(f, nm_var(f.tape, x, .correction = 0), 0);
    ASSERT_VALUES(f, nm_var(f.tape, VECTOR(f, 1, 2), .correction = 3), INFINITY);
    end(&f);
}
END_TEST

START_TEST(axes_that_are_none_are_named)
{
    fixture f = begin();
    nm_tensor *x = nm_full(f.tape, NM_F32, NM_SHAPE(2, 3), 1);
    nm_var(f.tape, x, .axes = NM_INTS(2));
    assert_error(f.context, NM_ERROR_INPUT, "var: x [2, 3] has no axis 2");
    nm_prod(f.tape, x, .axes = NM_INTS(0, -2));
    assert_error(f.context, NM_ERROR_INPUT, "prod: axis -2 is given twice");
    nm_argmax(f.tape, x, .axis = -3);
    assert_error(f.context, NM_ERROR_INPUT, "argmax: x [2, 3] has no axis -3");
    nm_cumsum(f.tape, x, .axis = 5);
    assert_error(f.context, NM_ERROR_INPUT, "cumsum: x [2, 3] has no axis 5");
    nm_norm(f.tape, x, .p = 0.5);
    assert_error(f.context, NM_ERROR_INPUT, "at least 1");
    end(&f);
}
END_TEST

/* ---- Shapes ---- */

START_TEST(views_move_elements_of_every_type)
{
    fixture f = begin();
    nm_tensor *x = nm_reshape(f.tape, NUMBERS(f, 1, 2, 3, 4, 5, 6), NM_SHAPE(2, 3));
    ASSERT_VALUES(f, nm_flip(f.tape, x), 6, 5, 4, 3, 2, 1);
    ASSERT_VALUES(f, nm_transpose(f.tape, x, 0, 1), 1, 4, 2, 5, 3, 6);
    ck_assert_int_eq(nm_tensor_dtype(nm_unsqueeze(f.tape, x, .axes = NM_INTS(0))), NM_I64);
    nm_tensor *parts[NM_MAX_OUTPUTS];
    nm_split(f.tape, x, 1, NM_INTS(1, 2), parts);
    ASSERT_VALUES(f, parts[0], 1, 4);
    ASSERT_VALUES(f, parts[1], 2, 3, 5, 6);
    ck_assert_ptr_null(parts[2]);
    end(&f);
}
END_TEST

START_TEST(shapes_that_do_not_fit_are_refused_with_the_numbers)
{
    fixture f = begin();
    nm_tensor *x = nm_full(f.tape, NM_F32, NM_SHAPE(2, 3), 1), *parts[NM_MAX_OUTPUTS];
    nm_squeeze(f.tape, x, .axes = NM_INTS(0));
    assert_error(f.context, NM_ERROR_INPUT, "axis 0 of x [2, 3] is not of length 1");
    nm_unsqueeze(f.tape, x, .axes = NM_INTS(4));
    assert_error(f.context, NM_ERROR_INPUT, "axis 4 is none of the shape's");
    nm_transpose(f.tape, x, 0, 2);
    assert_error(f.context, NM_ERROR_INPUT, "two axes of x [2, 3]");
    nm_expand(f.tape, x, NM_SHAPE(4, 3));
    assert_error(f.context, NM_ERROR_INPUT, "x [2, 3] does not broadcast with [4, 3]");
    nm_split(f.tape, x, 1, NM_INTS(2, 2), parts);
    assert_error(f.context, NM_ERROR_INPUT, "the sizes do not make [3]");
    nm_split(f.tape, x, 1, NM_INTS(0), parts);
    assert_error(f.context, NM_ERROR_INPUT, "the sizes do not make [3]");
    ck_assert_ptr_null(parts[0]);
    nm_pad(f.tape, x, .padding = NM_INTS(1, 2, 3));
    assert_error(f.context, NM_ERROR_INPUT, "padding has 3 numbers; for 2 axes it has 1, 2 or 4");
    nm_pad(f.tape, x, .padding = NM_INTS(0, 3), .mode = NM_PAD_REFLECT);
    assert_error(f.context, NM_ERROR_INPUT, "axis 1 of x [2, 3] has not enough elements");
    nm_pad(f.tape, x, .padding = NM_INTS(-2, 0));
    assert_error(f.context, NM_ERROR_INPUT, "more is cut off axis 0");
    nm_pixel_shuffle(f.tape, nm_full(f.tape, NM_F32, NM_SHAPE(1, 2, 2, 3), 1), 2);
    assert_error(f.context, NM_ERROR_INPUT, "the channels of x [1, 2, 2, 3]: no multiple of 4");
    nm_upsample(f.tape, x, .scale = NM_FLOATS(2));
    assert_error(f.context, NM_ERROR_INPUT, "x [2, 3] is no [batch, ..., channels]");
    nm_upsample(f.tape, nm_full(f.tape, NM_F32, NM_SHAPE(1, 2, 2, 3), 1));
    assert_error(f.context, NM_ERROR_INPUT, "size or scale");
    end(&f);
}
END_TEST

START_TEST(an_index_out_of_range_is_named_with_its_place)
{
    fixture f = begin();
    nm_tensor *x = nm_full(f.tape, NM_F32, NM_SHAPE(3, 2), 1);
    nm_index_select(f.tape, x, NUMBERS(f, 0, 3));
    assert_error(f.context, NM_ERROR_INPUT, "index_select: index at [1] is 3; there are 3");
    nm_embedding(f.tape, NUMBERS(f, -4), x);
    assert_error(f.context, NM_ERROR_INPUT, "index at [0] is -4; there are 3");
    nm_one_hot(f.tape, NUMBERS(f, 5), 5);
    assert_error(f.context, NM_ERROR_INPUT, "one_hot: index at [0] is 5; there are 5");
    nm_tensor *index = nm_reshape(f.tape, NUMBERS(f, 0, 9), NM_SHAPE(1, 2));
    nm_gather(f.tape, x, index);
    assert_error(f.context, NM_ERROR_INPUT, "gather: index at [0, 1] is 9; there are 3");
    nm_scatter_add(f.tape, x, index, x);
    assert_error(f.context, NM_ERROR_INPUT, "src [3, 2] must have the shape of index [1, 2]");
    nm_gather(f.tape, x, NUMBERS(f, 0, 1));
    assert_error(f.context, NM_ERROR_INPUT, "index [2] does not lie within x [3, 2]");
    const char *part = "it has as many axes, and none but axis 0 is longer";
    nm_tensor *wide = nm_reshape(f.tape, NUMBERS(f, 0, 1, 2), NM_SHAPE(1, 3));
    nm_gather(f.tape, x, wide);
    assert_error(f.context, NM_ERROR_INPUT, part);
    nm_scatter_add(f.tape, x, wide, nm_full(f.tape, NM_F32, NM_SHAPE(1, 3), 1));
    assert_error(f.context, NM_ERROR_INPUT, part);
    nm_gather(f.tape, x, nm_reshape(f.tape, NUMBERS(f, 0, 1, 2, 0, 1, 2, 0, 1), NM_SHAPE(4, 2)));
    assert_fine(f.context); /* longer along the axis */
    end(&f);
}
END_TEST

START_TEST(windows_that_are_none_are_refused)
{
    fixture f = begin();
    nm_tensor *x = nm_full(f.tape, NM_F32, NM_SHAPE(1, 4, 4, 2), 1), *y;
    nm_tensor *w = nm_full(f.tape, NM_F32, NM_SHAPE(3, 3, 3, 2), 1);
    nm_conv2d(f.tape, x, w, NULL, .padding = NM_INTS(1, 2, 3));
    assert_error(f.context, NM_ERROR_INPUT, "conv2d: padding takes one number, two");
    nm_conv2d(f.tape, x, w, NULL, .padding = NM_INTS(NM_PADDING_SAME, 1));
    assert_error(f.context, NM_ERROR_INPUT, "or same");
    nm_max_pool2d(f.tape, x, .kernel = NM_INTS(2), .padding = NM_INTS(0, 2, 0, 0));
    assert_error(f.context, NM_ERROR_INPUT, "the padding 2 is more than half the kernel 2");
    nm_max_pool2d(f.tape, x, .kernel = NM_INTS(2), .dilation = NM_INTS(5));
    assert_error(f.context, NM_ERROR_INPUT, "max_pool2d: ");
    nm_avg_pool2d(f.tape, x, .kernel = NM_INTS(2), .dilation = NM_INTS(2));
    assert_error(f.context, NM_ERROR_INPUT, "avg_pool2d: a mean has no dilation");
    nm_call(f.tape, "avg_pool2d", &x, 1, "{kernel: 2, count_padding: false}", &y, 1);
    assert_error(f.context, NM_ERROR_INPUT, "did you mean \"count_include_pad\"?");
    nm_conv1d(f.tape, x, w, NULL);
    assert_error(f.context, NM_ERROR_INPUT, "conv1d: x [1, 4, 4, 2] and w [3, 3, 3, 2] must be");
    nm_global_avg_pool(f.tape, nm_full(f.tape, NM_F32, NM_SHAPE(2, 3), 1));
    assert_error(f.context, NM_ERROR_INPUT, "global_avg_pool: x [2, 3] is no [n, ..., channels]");
    end(&f);
}
END_TEST

START_TEST(convolutions_of_other_kinds_refuse_what_does_not_fit)
{
    fixture f = begin();
    nm_tensor *x = nm_full(f.tape, NM_F32, NM_SHAPE(1, 3, 3, 2), 1);
    nm_tensor *w = nm_full(f.tape, NM_F32, NM_SHAPE(2, 3, 3, 4), 1);
    nm_conv2d_transpose(f.tape, x, w, NULL, .stride = NM_INTS(2), .output_padding = NM_INTS(2));
    assert_error(f.context, NM_ERROR_INPUT, "output_padding 2 must be below the stride or the");
    nm_conv2d_transpose(f.tape, x, w, NULL, .stride = NM_INTS(2), .output_padding = NM_INTS(1),
                        .padding = NM_INTS(NM_PADDING_SAME));
    assert_error(f.context, NM_ERROR_INPUT, "output_padding 1 beside padding: same");
    nm_conv2d_transpose(f.tape, x, w, NULL, .padding = NM_INTS(3));
    assert_error(f.context, NM_ERROR_INPUT, "nothing is left of the output: x [1, 3, 3, 2]");
    nm_conv2d_transpose(f.tape, x, w, NULL, .padding = NM_INTS(1, 2, 3));
    assert_error(f.context, NM_ERROR_INPUT, "conv2d_transpose: padding takes one number");
    nm_conv2d_transpose(f.tape, x, w, NULL, .stride = NM_INTS(1, 2, 3));
    assert_error(f.context, NM_ERROR_INPUT, "stride takes one number, or two");
    nm_conv2d_transpose(f.tape, x, w, VECTOR(f, 1, 2));
    assert_error(f.context, NM_ERROR_INPUT, "b [2] must be [out], [4] here");
    nm_conv2d_transpose(f.tape, x, nm_transpose(f.tape, w, 0, 3), NULL);
    assert_error(f.context, NM_ERROR_INPUT, "the channels do not fit: x [1, 3, 3, 2], w [4, 3, 3");
    nm_conv3d(f.tape, x, w, NULL);
    assert_error(f.context, NM_ERROR_INPUT, "conv3d: x [1, 3, 3, 2] and w [2, 3, 3, 4] must be");
    x = nm_full(f.tape, NM_F32, NM_SHAPE(1, 2, 3, 3, 2), 1);
    w = nm_full(f.tape, NM_F32, NM_SHAPE(2, 3, 2, 2, 2), 1);
    nm_conv3d(f.tape, x, w, NULL);
    assert_error(f.context, NM_ERROR_INPUT, "the depth of w [2, 3, 2, 2, 2] does not fit into x");
    nm_conv3d(f.tape, x, w, NULL, .padding = NM_INTS(1, 2));
    assert_error(f.context, NM_ERROR_INPUT, "padding takes one number, three (depth");
    nm_conv3d(f.tape, x, w, NULL, .dilation = NM_INTS(1, 2));
    assert_error(f.context, NM_ERROR_INPUT, "dilation takes one number, or three");
    nm_conv3d(f.tape, x, w, VECTOR(f, 1), .padding = NM_INTS(1));
    assert_error(f.context, NM_ERROR_INPUT, "b [1] must be [out], [2] here");
    nm_conv3d(f.tape, x, w, NULL, .padding = NM_INTS(1), .groups = 2);
    assert_error(f.context, NM_ERROR_INPUT, "the channels do not fit");
    end(&f);
}
END_TEST

START_TEST(labels_and_rows_that_are_none_are_named)
{
    fixture f = begin();
    nm_tensor *x = nm_full(f.tape, NM_F32, NM_SHAPE(2, 3), -INFINITY), *one = VECTOR(f, 1, 2);
    ((float *)nm_tensor_data(x))[1] = -2;
    ((float *)nm_tensor_data(x))[5] = -4;
    ASSERT_VALUES(f, nm_nll(f.tape, x, NUMBERS(f, 1, 2)), 3); /* 0 times infinity is not asked */
    ASSERT_VALUES(f, nm_nll(f.tape, x, NUMBERS(f, 1, -100)), 2);
    ASSERT_VALUES(f, nm_nll(f.tape, x, NUMBERS(f, -100, -100)), 0); /* PyTorch: NaN */
    nm_nll(f.tape, x, NUMBERS(f, 1, 3));
    assert_error(f.context, NM_ERROR_INPUT, "the label at [1] is 3; there are 3 classes");
    nm_nll(f.tape, x, NUMBERS(f, -1, 0));
    assert_error(f.context, NM_ERROR_INPUT, "the label at [0] is -1");
    nm_nll(f.tape, x, NUMBERS(f, 1));
    assert_error(f.context, NM_ERROR_INPUT, "nll: labels [1] must have the shape of x [2, 3]");
    nm_weighted_nll(f.tape, x, NUMBERS(f, 1, 1), one);
    assert_error(f.context, NM_ERROR_INPUT, "weight [2] must have one number for each class");
    nm_embedding(f.tape, NUMBERS(f, 0), x, .padding_idx = 2);
    assert_error(f.context, NM_ERROR_INPUT, "padding_idx 2 is no row of weight [2, 3]");
    nm_embedding(f.tape, NUMBERS(f, 0), one);
    assert_error(f.context, NM_ERROR_INPUT, "weight [2] is no [rows, channels]");
    nm_local_response_norm(f.tape, nm_scalar(f.tape, NM_F32, 1), .size = 3);
    assert_error(f.context, NM_ERROR_INPUT, "local_response_norm: x [] is no [..., channels]");
    ck_assert_int_eq(nm_tensor_count(nm_local_response_norm(
                         f.tape, nm_full(f.tape, NM_F32, NM_SHAPE(0, 3), 1), .size = 3)),
                     0);
    assert_fine(f.context);
    end(&f);
}
END_TEST

START_TEST(one_index_may_be_named_many_times)
{
    fixture f = begin();
    nm_tensor *x = wanted(nm_full(f.tape, NM_F32, NM_SHAPE(2, 2), 1));
    nm_tensor *y = nm_index_select(f.tape, x, NUMBERS(f, 1, 1, 1, -1));
    ASSERT_VALUES(f, gradient(f, y, x), 0, 0, 4, 4);
    end(&f);
}
END_TEST

TEST_MAIN("ops/catalogue", nan_stays_and_is_nobodys_equal,
          what_is_hidden_by_a_condition_has_no_gradient_whatever_it_is,
          a_condition_may_have_any_type, the_sign_of_a_large_power_and_of_its_slope_is_right_in_f32,
          an_exponent_is_given_once, an_old_name_of_an_option_leads_to_the_new_one,
          a_reduction_of_nothing_is_what_pytorch_says, a_variance_of_too_few_is_not_finite,
          axes_that_are_none_are_named, views_move_elements_of_every_type,
          shapes_that_do_not_fit_are_refused_with_the_numbers, windows_that_are_none_are_refused,
          labels_and_rows_that_are_none_are_named,
          convolutions_of_other_kinds_refuse_what_does_not_fit,
          an_index_out_of_range_is_named_with_its_place, one_index_may_be_named_many_times)
