/* What the gradient check and PyTorch's values do not show of the basic ops: edges, accuracy,
 * independence of threads, and messages. */
#include <math.h>
#include <string.h>

#include "ops/kernels/math.h"
#include "tests/ops/ops_test.h"

/* A tensor of its own with random elements. */
static nm_tensor *random_tensor(fixture f, nm_dtype dtype, nm_shape shape)
{
    nm_tensor *x = nm_tensor_create(f.context, dtype, shape);
    nm_random random = nm_random_create(3, 0);
    nm_random_fill_normal(&random, x, 1, 1);
    return x;
}

static void assert_values(nm_tensor *x, int count, const double *values)
{
    ck_assert_ptr_nonnull(x);
    ck_assert_int_eq(nm_tensor_count(x), count);
    for (int i = 0; i < count; i++) {
        double value = nm_tensor_get(x, i);
        ck_assert_msg(value == values[i] || (isnan(value) && isnan(values[i])),
                      "element %d is %g, not %g", i, value, values[i]);
    }
}
#define ASSERT_VALUES(x, ...)                                                                      \
    assert_values(x, (int)(sizeof((double[]){__VA_ARGS__}) / sizeof(double)),                      \
                  (double[]){__VA_ARGS__})

/* ---- ops/kernels/math.h ---- */

/* The largest error of f over the floats in low..high, in units of the last place of the result. */
static double largest_error(float (*f)(float), double (*exact)(double), float low, float high)
{
    double largest = 0;
    for (uint64_t bits = 0; bits < 1ull << 32; bits += 4099) {
        float x = nm_float_of_bits((int32_t)(uint32_t)bits);
        if (!(x >= low && x <= high)) {
            continue;
        }
        double wanted = exact(x);
        float size = fabsf((float)wanted);
        double ulp = (double)nextafterf(size, INFINITY) - (double)size;
        largest = fmax(largest, fabs((double)f(x) - wanted) / ulp);
    }
    return largest;
}

#define FUNCTION(name)                                                                             \
    static float call_##name(float x)                                                              \
    {                                                                                              \
        return name##_f32(x);                                                                      \
    }
FUNCTION(nm_exp)
FUNCTION(nm_log)
FUNCTION(nm_log1p)
FUNCTION(nm_expm1)
FUNCTION(nm_tanh)
FUNCTION(nm_sigmoid)
FUNCTION(nm_normal_cdf)

static double exact_sigmoid(double x)
{
    return nm_sigmoid_f64(x);
}

static double exact_cdf(double x)
{
    return nm_normal_cdf_f64(x);
}

START_TEST(vectorized_functions_are_as_accurate_as_their_header_says)
{
    ck_assert_double_lt(largest_error(call_nm_exp, exp, -103, 88.7f), 1.5);
    ck_assert_double_lt(largest_error(call_nm_log, log, 0, INFINITY), 1.5);
    ck_assert_double_lt(largest_error(call_nm_log1p, log1p, -1, INFINITY), 3);
    ck_assert_double_lt(largest_error(call_nm_expm1, expm1, -INFINITY, 88.7f), 3);
    ck_assert_double_lt(largest_error(call_nm_tanh, tanh, -INFINITY, INFINITY), 3);
    ck_assert_double_lt(largest_error(call_nm_sigmoid, exact_sigmoid, -103, INFINITY), 3);
    ck_assert_double_lt(largest_error(call_nm_normal_cdf, exact_cdf, -13, INFINITY), 8);
}
END_TEST

START_TEST(functions_are_exact_where_float_ends)
{
    fixture f = begin();
    nm_tensor *x = VECTOR(f, -INFINITY, -1e30f, 0, 1e30f, INFINITY, NAN);
    ASSERT_VALUES(nm_exp(f.tape, x), 0, 0, 1, INFINITY, INFINITY, NAN);
    ASSERT_VALUES(nm_sigmoid(f.tape, x), 0, 0, 0.5, 1, 1, NAN);
    ASSERT_VALUES(nm_tanh(f.tape, x), -1, -1, 0, 1, 1, NAN);
    ASSERT_VALUES(nm_relu(f.tape, x), 0, 0, 0, 1e30f, INFINITY, NAN);
    ASSERT_VALUES(nm_log(f.tape, VECTOR(f, -1, 0, 1, INFINITY, NAN)), NAN, -INFINITY, 0, INFINITY,
                  NAN);
    ASSERT_VALUES(nm_expm1(f.tape, x), -1, -1, 0, INFINITY, INFINITY, NAN);
    ASSERT_VALUES(nm_log1p(f.tape, VECTOR(f, -2, -1, 0, INFINITY, NAN)), NAN, -INFINITY, 0,
                  INFINITY, NAN);
    end(&f);
}
END_TEST

/* ---- Reductions ---- */

START_TEST(a_long_sum_is_accurate_in_f32_along_any_axis)
{
    fixture f = begin();
    int64_t n = 1000003;
    nm_tensor *row = nm_full(f.tape, NM_F32, NM_SHAPE(n), 0.1);
    nm_tensor *column = nm_full(f.tape, NM_F32, NM_SHAPE(n / 3, 3), 0.1);
    double tenth = (double)0.1f;
    assert_near(nm_tensor_item(nm_sum(f.tape, row)), tenth * (double)n, 1e-7, 0);
    assert_near(nm_tensor_item(nm_mean(f.tape, row)), tenth, 1e-7, 0);
    nm_tensor *sums = nm_sum(f.tape, column, .axes = NM_INTS(0));
    for (int i = 0; i < 3; i++) {
        assert_near(nm_tensor_get(sums, i), tenth * (double)(n / 3), 1e-7, 0);
    }
    end(&f);
}
END_TEST

/* The plain way: every element is added where its index without the axes that go says. */
static void sum_plainly(nm_tensor *x, unsigned gone, double *sums)
{
    const nm_shape *shape = nm_tensor_shape(x);
    for (int64_t i = 0; i < nm_tensor_count(x); i++) {
        int64_t rest = i, at = 0, stride = 1;
        for (int d = shape->rank - 1; d >= 0; d--) {
            if (!(gone >> d & 1)) {
                at += rest % shape->dim[d] * stride;
                stride *= shape->dim[d];
            }
            rest /= shape->dim[d];
        }
        sums[at] += nm_tensor_get(x, i);
    }
}

static void check_all_axes(fixture f, nm_tensor *x, double tolerance)
{
    static double wanted[400000];
    int rank = nm_tensor_shape(x)->rank;
    for (unsigned gone = 1; gone < 1u << rank; gone++) {
        nm_ints axes = NM_NO_LIST;
        for (int d = 0; d < rank; d++) {
            if (gone >> d & 1) {
                axes.at[axes.count++] = d;
            }
        }
        nm_tensor *sums = nm_sum(f.tape, x, .axes = axes);
        memset(wanted, 0, sizeof wanted);
        sum_plainly(x, gone, wanted);
        for (int64_t i = 0; i < nm_tensor_count(sums); i++) {
            double got = nm_tensor_get(sums, i);
            ck_assert_msg(near_to(got, wanted[i], tolerance, tolerance),
                          "axes %x, sum %lld is %.9g, not %.9g", gone, (long long)i, got,
                          wanted[i]);
        }
        nm_tape_reset(f.tape);
    }
}

START_TEST(sums_along_every_choice_of_axes_are_right)
{
    fixture f = begin();
    nm_shape shapes[] = {NM_SHAPE(3, 5, 7, 11), NM_SHAPE(2, 1, 150, 9), NM_SHAPE(1, 1, 40),
                         NM_SHAPE(20, 140, 130), NM_SHAPE(9, 2, 3, 2, 3, 2)};
    for (int i = 0; i < 5; i++) {
        nm_tensor *x = random_tensor(f, NM_F32, shapes[i]);
        nm_tensor *y = random_tensor(f, NM_F64, shapes[i]);
        check_all_axes(f, x, 1e-6);
        check_all_axes(f, y, 1e-12);
        nm_tensor_destroy(x);
        nm_tensor_destroy(y);
    }
    end(&f);
}
END_TEST

START_TEST(sums_do_not_depend_on_the_number_of_threads)
{
    fixture f = begin();
    nm_shape shapes[] = {NM_SHAPE(300001), NM_SHAPE(3000, 70), NM_SHAPE(70, 3000),
                         NM_SHAPE(40, 3, 2000)};
    nm_ints axes[] = {NM_INTS(0), NM_INTS(0), NM_INTS(1), NM_INTS(0, 2)};
    for (int i = 0; i < 4; i++) {
        nm_tensor *x = random_tensor(f, NM_F32, shapes[i]);
        nm_context_set_threads(f.context, 1);
        nm_tensor *one = nm_sum(f.tape, x, .axes = axes[i]);
        for (int threads = 2; threads < 6; threads++) {
            nm_context_set_threads(f.context, threads);
            nm_tensor *many = nm_sum(f.tape, x, .axes = axes[i]);
            ck_assert_mem_eq(nm_tensor_data(one), nm_tensor_data(many), nm_tensor_bytes(one));
        }
        nm_tensor_destroy(x);
    }
    end(&f);
}
END_TEST

START_TEST(reductions_of_nothing_are_what_numpy_says)
{
    fixture f = begin();
    nm_tensor *x = nm_full(f.tape, NM_F32, NM_SHAPE(2, 0), 0);
    ASSERT_VALUES(nm_sum(f.tape, x, .axes = NM_INTS(1)), 0, 0);
    ASSERT_VALUES(nm_mean(f.tape, x, .axes = NM_INTS(1)), NAN, NAN);
    ck_assert_int_eq(nm_tensor_count(nm_max(f.tape, x, .axes = NM_INTS(0))), 0);
    assert_fine(f.context);
    ck_assert_ptr_null(nm_max(f.tape, x, .axes = NM_INTS(1)));
    assert_error(f.context, NM_ERROR_INPUT, "max: x [2, 0] has nothing to take the maximum of");
    end(&f);
}
END_TEST

START_TEST(a_maximum_notices_nan_wherever_it_stands)
{
    fixture f = begin();
    nm_tensor *x = nm_full(f.tape, NM_F32, NM_SHAPE(300), 1);
    for (int i = 0; i < 300; i += 13) {
        nm_tensor_fill(x, 1);
        nm_tensor_set(x, i, NAN);
        const double largest = nm_tensor_item(nm_max(f.tape, x));
        ck_assert(isnan(largest));
    }
    ASSERT_VALUES(nm_max(f.tape, VECTOR(f, -INFINITY, -INFINITY)), -INFINITY);
    end(&f);
}
END_TEST

START_TEST(wrong_axes_are_refused)
{
    fixture f = begin();
    nm_tensor *x = nm_full(f.tape, NM_F32, NM_SHAPE(2, 3), 0);
    ck_assert_ptr_null(nm_sum(f.tape, x, .axes = NM_INTS(2)));
    assert_error(f.context, NM_ERROR_INPUT, "sum: x [2, 3] has no axis 2");
    ck_assert_ptr_null(nm_mean(f.tape, x, .axes = NM_INTS(1, -1)));
    assert_error(f.context, NM_ERROR_INPUT, "mean: axis -1 is given twice");
    ck_assert_ptr_null(nm_permute(f.tape, x, .axes = NM_INTS(0, 0)));
    assert_error(f.context, NM_ERROR_INPUT, "must name each of the 2 axes of x [2, 3] once");
    ck_assert_ptr_null(nm_permute(f.tape, x, .axes = NM_INTS(0)));
    assert_error(f.context, NM_ERROR_INPUT, "must name each of the 2 axes");
    end(&f);
}
END_TEST

/* ---- Shape ---- */

START_TEST(a_reshape_copies_nothing_and_refuses_what_does_not_fit)
{
    fixture f = begin();
    nm_tensor *x = nm_full(f.tape, NM_F32, NM_SHAPE(2, 6), 0);
    nm_tensor *y = nm_reshape(f.tape, x, NM_SHAPE(-1, 4));
    ck_assert(nm_shape_equal(nm_tensor_shape(y), &NM_SHAPE(3, 4)));
    ck_assert_ptr_eq(nm_tensor_data(x), nm_tensor_data(y));
    ck_assert_ptr_null(nm_reshape(f.tape, x, NM_SHAPE(-1, 5)));
    assert_error(f.context, NM_ERROR_INPUT, "the elements of x [2, 6] do not fill [-1, 5]");
    ck_assert_ptr_null(nm_reshape(f.tape, x, NM_SHAPE(-1, -1)));
    assert_error(f.context, NM_ERROR_INPUT, "only one dimension");
    ck_assert_ptr_null(nm_reshape(f.tape, x, NM_SHAPE(13)));
    assert_error(f.context, NM_ERROR_INPUT, "x [2, 6] does not have as many elements as [13]");
    ck_assert_ptr_null(nm_reshape(f.tape, x, NM_SHAPE(0, 12)));
    assert_error(f.context, NM_ERROR_INPUT, "x [2, 6] does not have as many elements as [0, 12]");
    ck_assert_ptr_null(nm_reshape(f.tape, x, NM_SHAPE(-1, 0)));
    assert_error(f.context, NM_ERROR_INPUT, "do not fill");
    ck_assert_ptr_null(nm_reshape(f.tape, x, NM_SHAPE(INT64_MAX, INT64_MAX, -1)));
    assert_error(f.context, NM_ERROR_INPUT, "do not fill");
    end(&f);
}
END_TEST

START_TEST(a_permutation_moves_elements_of_every_type)
{
    fixture f = begin();
    for (int dtype = 0; dtype < NM_DTYPE_COUNT; dtype++) {
        nm_tensor *x = nm_tape_tensor(f.tape, (nm_dtype)dtype, NM_SHAPE(2, 40, 3));
        for (int i = 0; i < 240; i++) {
            nm_tensor_set(x, i, i % 128); /* i8 has no more */
        }
        nm_tensor *y = nm_permute(f.tape, x, .axes = NM_INTS(2, 0, 1));
        ck_assert(nm_shape_equal(nm_tensor_shape(y), &NM_SHAPE(3, 2, 40)));
        for (int i = 0; i < 240; i++) {
            int c = i / 80, a = i / 40 % 2, b = i % 40;
            ck_assert_double_eq(nm_tensor_get(y, i), ((a * 40 + b) * 3 + c) % 128);
        }
    }
    end(&f);
}
END_TEST

START_TEST(a_slice_takes_what_numpy_takes)
{
    fixture f = begin();
    nm_tensor *x = VECTOR(f, 0, 1, 2, 3, 4);
#define SLICE(...) nm_slice(f.tape, x, __VA_ARGS__)
    ASSERT_VALUES(SLICE(.start = NM_INTS(-2)), 3, 4);
    ASSERT_VALUES(SLICE(.start = NM_INTS(1), .stop = NM_INTS(-1)), 1, 2, 3);
    ASSERT_VALUES(SLICE(.start = NM_INTS(-99), .stop = NM_INTS(99), .step = NM_INTS(3)), 0, 3);
    ASSERT_VALUES(SLICE(.step = NM_INTS(-2)), 4, 2, 0);
    ASSERT_VALUES(SLICE(.start = NM_INTS(3), .stop = NM_INTS(0), .step = NM_INTS(-1)), 3, 2, 1);
    ASSERT_VALUES(
        SLICE(.start = NM_INTS(INT64_MAX), .stop = NM_INTS(INT64_MIN), .step = NM_INTS(-4)), 4, 0);
    ASSERT_VALUES(SLICE(.start = NM_INTS(1), .step = NM_INTS(INT64_MAX)), 1);
    ASSERT_VALUES(SLICE(.start = NM_INTS(1), .step = NM_INTS(INT64_MIN)), 1);
    ck_assert_int_eq(nm_tensor_count(SLICE(.start = NM_INTS(3), .stop = NM_INTS(2))), 0);
    ck_assert_int_eq(nm_tensor_count(SLICE(.start = NM_INTS(5))), 0);
    assert_fine(f.context);
    end(&f);
}
END_TEST

START_TEST(a_slice_that_makes_no_sense_is_refused)
{
    fixture f = begin();
    nm_tensor *x = VECTOR(f, 0, 1, 2, 3, 4);
    ck_assert_ptr_null(SLICE(.step = NM_INTS(0)));
    assert_error(f.context, NM_ERROR_INPUT, "slice: the step of axis 0 is 0");
    ck_assert_ptr_null(SLICE(.start = NM_INTS(0, 0)));
    assert_error(f.context, NM_ERROR_INPUT, "axis 1 of [5] does not exist");
    ck_assert_ptr_null(SLICE(.axes = NM_INTS(0, -1)));
    assert_error(f.context, NM_ERROR_INPUT, "axis -1 of [5] is given twice");
    ck_assert_ptr_null(SLICE(.axes = NM_INTS(0), .start = NM_INTS(0, 1)));
    assert_error(f.context, NM_ERROR_INPUT, "must be equally long or empty");
    ck_assert_ptr_null(nm_slice_grad(
        f.tape, x, NM_SHAPE(9),
        &(nm_slice_options){NM_SLICE_DEFAULTS, NM_END(nm_slice_options), .start = NM_INTS(5)}));
    assert_error(f.context, NM_ERROR_INPUT, "dy is [5], but the slice has the shape [4]");
    end(&f);
}
END_TEST

START_TEST(tensors_that_do_not_go_together_are_not_joined)
{
    fixture f = begin();
    nm_tensor *list[] = {nm_full(f.tape, NM_F32, NM_SHAPE(2, 3), 0),
                         nm_full(f.tape, NM_F32, NM_SHAPE(3, 2), 1)};
    ck_assert_ptr_null(nm_concat(f.tape, list, 2));
    assert_error(f.context, NM_ERROR_INPUT, "tensor 1 [3, 2] does not go behind tensor 0 [2, 3]");
    ck_assert_ptr_null(nm_concat(f.tape, list, 2, .axis = 2));
    assert_error(f.context, NM_ERROR_INPUT, "has no axis 2");
    list[1] = nm_scalar(f.tape, NM_F32, 0);
    ck_assert_ptr_null(nm_concat(f.tape, list, 2));
    assert_error(f.context, NM_ERROR_INPUT, "tensor 1 []");
    ck_assert_ptr_null(nm_concat(f.tape, list, 0));
    assert_error(f.context, NM_ERROR_INPUT, "missing");
    end(&f);
}
END_TEST

/* ---- Memory ---- */

static void step(nm_tape *tape, nm_tensor *x)
{
    nm_tape_reset(tape);
    nm_tensor *y = nm_gelu(tape, nm_max(tape, x, .axes = NM_INTS(1), .keepdims = true));
    nm_tensor *z = nm_mean(tape, nm_sub(tape, nm_permute(tape, x), nm_permute(tape, y)));
    nm_backward(tape, z, 0);
}

START_TEST(a_steady_step_allocates_nothing)
{
    test_memory memory = {.fail_at = -1};
    fixture f = {.context = test_context(&memory)};
    nm_register_ops(f.context);
    f.tape = nm_tape_create(f.context);
    nm_tensor *x = random_tensor(f, NM_F32, NM_SHAPE(300, 300));
    nm_tensor_set_requires_grad(x, true);
    step(f.tape, x);
    step(f.tape, x);
    long calls = memory.calls;
    for (int i = 0; i < 3; i++) {
        step(f.tape, x);
    }
    assert_fine(f.context);
    ck_assert_int_eq(memory.calls, calls);
    nm_tensor_destroy(x);
    nm_tape_destroy(f.tape);
    test_context_end(f.context, &memory);
}
END_TEST

START_TEST(a_list_written_without_its_macro_is_refused)
{
    fixture f = begin();
    nm_tensor *x = nm_full(f.tape, NM_F32, NM_SHAPE(2, 3), 1);
    nm_reduce_options o;
    nm_reduce_options_init(&o);
    const nm_ints zero = {0}, two = {.count = 1}; /* what .axes = 0 and .axes = {0, 1} come to */
    o.axes = zero;
    ck_assert_ptr_null(nm_sum_with(f.tape, x, &o));
    assert_error(f.context, NM_ERROR_INPUT, "sum: \"axes\" is no list; write .axes = NM_INTS(...)");
    o.axes = two;
    ck_assert_ptr_null(nm_sum_with(f.tape, x, &o));
    assert_error(f.context, NM_ERROR_INPUT, "sum: \"axes\" is no list");
    o.axes = NM_INTS(0);
    ck_assert_int_eq(nm_tensor_count(nm_sum_with(f.tape, x, &o)), 3);
    o.axes = (nm_ints)NM_NO_LIST;
    ck_assert_int_eq(nm_tensor_count(nm_sum_with(f.tape, x, &o)), 1);
    assert_fine(f.context);
    end(&f);
}
END_TEST

TEST_MAIN("ops/basic", a_list_written_without_its_macro_is_refused,
          vectorized_functions_are_as_accurate_as_their_header_says,
          functions_are_exact_where_float_ends, a_long_sum_is_accurate_in_f32_along_any_axis,
          sums_along_every_choice_of_axes_are_right, sums_do_not_depend_on_the_number_of_threads,
          reductions_of_nothing_are_what_numpy_says, a_maximum_notices_nan_wherever_it_stands,
          wrong_axes_are_refused, a_reshape_copies_nothing_and_refuses_what_does_not_fit,
          a_permutation_moves_elements_of_every_type, a_slice_takes_what_numpy_takes,
          a_slice_that_makes_no_sense_is_refused, tensors_that_do_not_go_together_are_not_joined,
          a_steady_step_allocates_nothing)
