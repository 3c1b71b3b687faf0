/* Weight norm. Values and gradients against PyTorch's are in test_golden.c, the gradient check is
 * in test_all.c; here are the promises, the errors, and the faults of other libraries by name. */
#include <math.h>
#include <string.h>

#include "core/op.h"
#include "tests/ops/ops_test.h"

static nm_tensor *gaussian(fixture *b, nm_dtype dtype, nm_shape shape, double deviation,
                           uint64_t stream)
{
    nm_random random = nm_random_create(11, stream);
    nm_tensor *x = nm_tape_tensor(b->tape, dtype, shape);
    nm_random_fill_normal(&random, x, 0, deviation);
    nm_tensor_set_requires_grad(x, true);
    return x;
}

static nm_tensor *full(fixture *b, nm_dtype dtype, nm_shape shape, double value)
{
    nm_tensor *x = nm_full(b->tape, dtype, shape, value);
    nm_tensor_set_requires_grad(x, true);
    return x;
}

/* The gradients of <dw, w> in v and g. */
static void gradients(fixture *b, nm_tensor *w, nm_tensor *dw, nm_tensor *v, nm_tensor *g,
                      nm_tensor *grads[2])
{
    nm_tensor *in[] = {v, g};
    nm_gradients(b->tape, &w, &dw, 1, in, 2, NM_KEEP_GRAPH, grads);
    assert_fine(b->context);
}

static bool all_finite(nm_tensor *x)
{
    for (int64_t i = 0; i < nm_tensor_count(x); i++) {
        if (!isfinite(nm_tensor_get(x, i))) {
            return false;
        }
    }
    return true;
}

/* The norm of one row of [rows, n], in double and without overflow. */
static double row_norm(nm_tensor *x, int64_t row, int64_t n)
{
    double norm = 0;
    for (int64_t i = 0; i < n; i++) {
        norm = hypot(norm, nm_tensor_get(x, row * n + i));
    }
    return norm;
}

START_TEST(every_row_gets_the_length_g)
{
    fixture b = begin();
    static const int64_t lengths[] = {1, 3, 10, 128, 700, 2500};
    for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++) {
        const int64_t n = lengths[k];
        nm_tensor *v = gaussian(&b, NM_F32, NM_SHAPE(5, n), 2, 0);
        nm_tensor *g = gaussian(&b, NM_F32, NM_SHAPE(5), 1, 1);
        nm_tensor *w = nm_weight_norm(b.tape, v, g);
        for (int64_t row = 0; row < 5; row++) {
            assert_near(row_norm(w, row, n), fabs(nm_tensor_get(g, row)), 1e-6, 0);
            assert_near(nm_tensor_get(w, row * n) * row_norm(v, row, n),
                        nm_tensor_get(v, row * n) * nm_tensor_get(g, row), 1e-5, 0);
        }
    }
    end(&b);
}
END_TEST

START_TEST(every_axis_can_be_kept_and_minus_1_keeps_none)
{
    fixture b = begin();
    nm_tensor *v = gaussian(&b, NM_F64, NM_SHAPE(2, 3, 4), 1, 0);
    const int64_t strides[] = {12, 4, 1}, sizes[] = {2, 3, 4};
    for (int axis = 0; axis < 3; axis++) {
        nm_tensor *g = full(&b, NM_F64, NM_SHAPE(sizes[axis]), 3);
        nm_tensor *w = nm_weight_norm(b.tape, v, g, .axis = axis);
        double squares[4] = {0};
        for (int64_t i = 0; i < 24; i++) {
            squares[i / strides[axis] % sizes[axis]] += pow(nm_tensor_get(w, i), 2);
        }
        for (int64_t k = 0; k < sizes[axis]; k++) {
            assert_near(squares[k], 9, 1e-12, 0);
        }
    }
    nm_tensor *g = full(&b, NM_F64, NM_SCALAR_SHAPE, 2);
    nm_tensor *w = nm_weight_norm(b.tape, v, g, .axis = NM_KEEP_NO_AXIS);
    assert_near(row_norm(w, 0, 24), 2, 1e-14, 0);
    end(&b);
}
END_TEST

/* Rows of a matrix and columns of its transpose go through different loops. Row 0 is zero, 1 and 2
 * are beyond what can be squared. */
static void expect_rows_like_columns(nm_dtype dtype, int64_t rows, int64_t length)
{
    fixture b = begin();
    nm_tensor *v = gaussian(&b, dtype, NM_SHAPE(rows, length), 1, 0);
    nm_tensor *g = gaussian(&b, dtype, NM_SHAPE(rows), 1, 1);
    nm_tensor *dw = gaussian(&b, dtype, NM_SHAPE(rows, length), 1, 2);
    const double factors[] = {0, dtype == NM_F64 ? 1e-200 : 1e-25, dtype == NM_F64 ? 1e200 : 1e25};
    for (int64_t i = 0; i < 3 * length; i++) {
        nm_tensor_set(v, i, nm_tensor_get(v, i) * factors[i / length]);
    }
    nm_tensor *by_row[2], *by_column[2];
    nm_tensor *turned = nm_permute(b.tape, v, .axes = NM_INTS(1, 0));
    nm_tensor *w = nm_weight_norm(b.tape, v, g, .axis = 0);
    nm_tensor *columns = nm_weight_norm(b.tape, turned, g, .axis = 1);
    gradients(&b, w, dw, v, g, by_row);
    gradients(&b, columns, nm_permute(b.tape, dw, .axes = NM_INTS(1, 0)), v, g, by_column);
    nm_tensor *back = nm_permute(b.tape, columns, .axes = NM_INTS(1, 0));
    const double tolerance = dtype == NM_F64 ? 1e-13 : 2e-5;
    for (int64_t i = 0; i < rows * length; i++) {
        const double inverse = i / length < 1 || i / length > 2 ? 1 : 1 / factors[i / length];
        assert_near(nm_tensor_get(w, i), nm_tensor_get(back, i), tolerance, tolerance);
        assert_near(nm_tensor_get(by_row[0], i), nm_tensor_get(by_column[0], i), tolerance,
                    tolerance * inverse);
    }
    for (int64_t row = 0; row < rows; row++) {
        assert_near(nm_tensor_get(by_row[1], row), nm_tensor_get(by_column[1], row), tolerance,
                    tolerance);
    }
    end(&b);
}

START_TEST(rows_and_columns_are_normalized_alike)
{
    static const int64_t lengths[] = {1, 2, 15, 17, 1000, 1024, 1025, 5000};
    for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++) {
        expect_rows_like_columns(NM_F32, 7, lengths[k]);
        expect_rows_like_columns(NM_F64, 7, lengths[k]);
    }
    expect_rows_like_columns(NM_F32, 4, 70000); /* longer than what goes by rows */
}
END_TEST

static void bits_of(int threads, float *bits)
{
    fixture b = begin();
    nm_context_set_threads(b.context, threads);
    nm_tensor *v = gaussian(&b, NM_F32, NM_SHAPE(130, 700), 1, 0), *grads[2];
    nm_tensor *g = gaussian(&b, NM_F32, NM_SHAPE(130), 1, 1);
    nm_tensor *w = nm_weight_norm(b.tape, v, g);
    gradients(&b, w, gaussian(&b, NM_F32, NM_SHAPE(130, 700), 1, 2), v, g, grads);
    nm_tensor *all[] = {w, grads[0], grads[1]};
    for (int i = 0; i < 3; i++) {
        memcpy(bits, nm_tensor_data(all[i]), nm_tensor_bytes(all[i]));
        bits += nm_tensor_count(all[i]);
    }
    end(&b);
}

START_TEST(the_bits_do_not_depend_on_the_number_of_threads)
{
    static float one[2 * 130 * 700 + 130], three[2 * 130 * 700 + 130];
    bits_of(1, one);
    bits_of(3, three);
    ck_assert_mem_eq(one, three, sizeof one);
}
END_TEST

/* pytorch#19126 (still open), flax#1671: NaN at a zero norm, in the value or in the gradient. */
START_TEST(pytorch_19126_a_zero_row_has_finite_values_and_gradients)
{
    fixture b = begin();
    for (int dtype = NM_F32; dtype <= NM_F64; dtype++) {
        nm_tensor *v = gaussian(&b, (nm_dtype)dtype, NM_SHAPE(3, 4), 1, 0), *grads[2];
        for (int64_t i = 4; i < 8; i++) {
            nm_tensor_set(v, i, i % 2 ? 0.0 : -0.0);
        }
        nm_tensor *g = gaussian(&b, (nm_dtype)dtype, NM_SHAPE(3), 1, 1);
        nm_tensor *w = nm_weight_norm(b.tape, v, g);
        gradients(&b, w, gaussian(&b, (nm_dtype)dtype, NM_SHAPE(3, 4), 1, 2), v, g, grads);
        ck_assert(all_finite(w) && all_finite(grads[0]) && all_finite(grads[1]));
        for (int64_t i = 4; i < 8; i++) {
            ck_assert(nm_tensor_get(w, i) == 0 && nm_tensor_get(grads[0], i) == 0);
        }
        ck_assert(nm_tensor_get(grads[1], 1) == 0);
        ck_assert(nm_tensor_get(grads[0], 0) != 0); /* the other rows are as ever */
    }
    end(&b);
}
END_TEST

START_TEST(a_zero_row_has_finite_second_derivatives)
{
    fixture b = begin();
    nm_tensor *v = full(&b, NM_F64, NM_SHAPE(2, 3), 0), *g = full(&b, NM_F64, NM_SHAPE(2), 1);
    nm_tensor *u = gaussian(&b, NM_F64, NM_SHAPE(2, 3), 1, 1), *dv = NULL, *second[2];
    nm_tensor *w = nm_weight_norm(b.tape, v, g), *in[] = {v, g};
    nm_gradients(b.tape, &w, &u, 1, &v, 1, NM_CREATE_GRAPH, &dv);
    nm_gradients(b.tape, &dv, &u, 1, in, 2, 0, second);
    assert_fine(b.context);
    ck_assert(all_finite(second[0]) && all_finite(second[1]));
    end(&b);
}
END_TEST

START_TEST(a_tensor_of_zeros_stays_one_of_zeros)
{
    fixture b = begin();
    nm_tensor *v = full(&b, NM_F32, NM_SHAPE(4, 2), 0);
    nm_tensor *w = nm_weight_norm(b.tape, v, NULL, .axis = NM_KEEP_NO_AXIS);
    ck_assert(all_finite(w) && nm_tensor_get(w, 3) == 0);
    end(&b);
}
END_TEST

START_TEST(a_row_of_denormal_numbers_counts_as_zeros)
{
    fixture b = begin();
    nm_tensor *v = full(&b, NM_F32, NM_SHAPE(2, 3), 9e-39), *g = full(&b, NM_F32, NM_SHAPE(2), 1);
    nm_tensor_set(v, 5, 1);
    nm_tensor *w = nm_weight_norm(b.tape, v, g), *grads[2];
    gradients(&b, w, full(&b, NM_F32, NM_SHAPE(2, 3), 1), v, g, grads);
    ck_assert(nm_tensor_get(w, 0) == 0 && nm_tensor_get(w, 5) == 1);
    ck_assert(nm_tensor_get(grads[0], 0) == 0 && nm_tensor_get(grads[0], 3) == 1);
    end(&b);
}
END_TEST

/* The square of 1e-30 is 0 in f32, that of 1e30 infinite. */
START_TEST(tiny_and_huge_rows_neither_vanish_nor_overflow)
{
    static const double sizes[] = {1e-37, 1e-30, 1e-20, 1, 1e20, 1e30, 1e38};
    static const int64_t axes[] = {0, 1};
    fixture b = begin();
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        for (int a = 0; a < 2; a++) {
            nm_shape shape = a ? NM_SHAPE(300, 2) : NM_SHAPE(2, 300);
            nm_tensor *v = full(&b, NM_F32, shape, sizes[k]), *grads[2];
            nm_tensor *g = full(&b, NM_F32, NM_SHAPE(2), 1);
            nm_tensor *w = nm_weight_norm(b.tape, v, g, .axis = axes[a]);
            assert_near(nm_tensor_get(w, 5), 1 / sqrt(300), 1e-5, 0);
            gradients(&b, w, full(&b, NM_F32, shape, 1), v, g, grads);
            assert_near(nm_tensor_get(grads[1], 1), sqrt(300), 1e-5, 0); /* dw . v / ||v|| */
        }
    }
    nm_tensor *wide = full(&b, NM_F64, NM_SHAPE(1, 7), 1e300);
    assert_near(nm_tensor_get(nm_weight_norm(b.tape, wide, NULL), 0), 1 / sqrt(7), 1e-14, 0);
    wide = full(&b, NM_F64, NM_SHAPE(1, 7), 1e-300);
    assert_near(nm_tensor_get(nm_weight_norm(b.tape, wide, NULL), 0), 1 / sqrt(7), 1e-14, 0);
    end(&b);
}
END_TEST

START_TEST(gradients_of_tiny_and_huge_rows_are_those_of_ordinary_ones_scaled)
{
    static const double sizes[] = {1e-30, 1e30};
    fixture b = begin();
    nm_tensor *dw = gaussian(&b, NM_F32, NM_SHAPE(1, 20), 1, 2),
              *g = full(&b, NM_F32, NM_SHAPE(1), 1);
    nm_tensor *v = gaussian(&b, NM_F32, NM_SHAPE(1, 20), 1, 0), *ordinary[2];
    gradients(&b, nm_weight_norm(b.tape, v, g), dw, v, g, ordinary);
    for (int k = 0; k < 2; k++) {
        nm_tensor *scaled = gaussian(&b, NM_F32, NM_SHAPE(1, 20), sizes[k], 0), *grads[2];
        gradients(&b, nm_weight_norm(b.tape, scaled, g), dw, scaled, g, grads);
        for (int64_t i = 0; i < 20; i++) {
            assert_near(nm_tensor_get(grads[0], i) * sizes[k], nm_tensor_get(ordinary[0], i), 1e-5,
                        1e-6);
        }
    }
    end(&b);
}
END_TEST

START_TEST(nan_and_infinity_show_in_their_row_and_only_there)
{
    static const double bad[] = {NAN, INFINITY};
    fixture b = begin();
    for (int k = 0; k < 2; k++) {
        nm_tensor *v = gaussian(&b, NM_F32, NM_SHAPE(3, 6), 1, 0);
        nm_tensor_set(v, 7, bad[k]);
        nm_tensor *w = nm_weight_norm(b.tape, v, NULL);
        ck_assert(isfinite(nm_tensor_get(w, 0)) && isfinite(nm_tensor_get(w, 12)));
        ck_assert(isnan(nm_tensor_get(w, 7)));
    }
    end(&b);
}
END_TEST

/* Salimans & Kingma, section 2.1. */
START_TEST(the_gradient_is_orthogonal_to_v)
{
    fixture b = begin();
    nm_tensor *v = gaussian(&b, NM_F64, NM_SHAPE(4, 9), 3, 0), *grads[2];
    nm_tensor *g = gaussian(&b, NM_F64, NM_SHAPE(4), 1, 1);
    nm_tensor *dw = gaussian(&b, NM_F64, NM_SHAPE(4, 9), 1, 2);
    gradients(&b, nm_weight_norm(b.tape, v, g), dw, v, g, grads);
    for (int64_t row = 0; row < 4; row++) {
        double product = 0;
        for (int64_t i = 9 * row; i < 9 * (row + 1); i++) {
            product += nm_tensor_get(v, i) * nm_tensor_get(grads[0], i);
        }
        assert_near(product, 0, 0, 1e-14);
    }
    end(&b);
}
END_TEST

/* The same section: ||v'||^2 = ||v||^2 + rate^2 ||dv||^2 after a step of plain gradient descent. */
START_TEST(plain_descent_lets_the_norm_grow_as_pythagoras_says)
{
    fixture b = begin();
    nm_tensor *v = gaussian(&b, NM_F64, NM_SHAPE(1, 12), 1, 0), *grads[2];
    nm_tensor *g = full(&b, NM_F64, NM_SHAPE(1), 1.5);
    gradients(&b, nm_weight_norm(b.tape, v, g), gaussian(&b, NM_F64, NM_SHAPE(1, 12), 1, 2), v, g,
              grads);
    nm_tensor *next = nm_sub(b.tape, v, nm_affine(b.tape, grads[0], 0.7, 0));
    const double old = row_norm(v, 0, 12), step = 0.7 * row_norm(grads[0], 0, 12);
    assert_near(row_norm(next, 0, 12), hypot(old, step), 1e-14, 0);
    ck_assert(step > 0.01);
    end(&b);
}
END_TEST

START_TEST(the_length_of_v_does_not_matter)
{
    fixture b = begin();
    nm_tensor *v = gaussian(&b, NM_F64, NM_SHAPE(3, 5), 1, 0);
    nm_tensor *w = nm_weight_norm(b.tape, v, NULL);
    nm_tensor *same = nm_weight_norm(b.tape, nm_affine(b.tape, v, 123, 0), NULL);
    for (int64_t i = 0; i < 15; i++) {
        assert_near(nm_tensor_get(same, i), nm_tensor_get(w, i), 1e-14, 0);
    }
    end(&b);
}
END_TEST

START_TEST(wrong_inputs_are_named_with_both_shapes)
{
    fixture b = begin();
    nm_tensor *v = full(&b, NM_F32, NM_SHAPE(4, 6), 1), *six = full(&b, NM_F32, NM_SHAPE(6), 1);
    ck_assert_ptr_null(nm_weight_norm(b.tape, v, six));
    assert_error(b.context, NM_ERROR_INPUT,
                 "weight_norm: g [6] must be [4]: one value for each index of axis 0 of v [4, 6]");
    ck_assert_ptr_null(nm_weight_norm(b.tape, v, six, .axis = NM_KEEP_NO_AXIS));
    assert_error(b.context, NM_ERROR_INPUT,
                 "weight_norm: g [6] must be a single number, of shape []");
    ck_assert_ptr_null(nm_weight_norm(b.tape, v, six, .axis = 2));
    assert_error(b.context, NM_ERROR_INPUT, "weight_norm: v [4, 6] has no axis 2 to keep");
    ck_assert_ptr_null(nm_weight_norm(b.tape, v, six, .axis = -2));
    assert_error(b.context, NM_ERROR_INPUT, "\"axis\" must be at least -1");
    end(&b);
}
END_TEST

static nm_status gradient_step(test_memory *memory)
{
    nm_context *context = test_context(memory);
    if (!context) {
        return NM_ERROR_MEMORY;
    }
    nm_tape *tape = nm_register_ops(context) == NM_OK ? nm_tape_create(context) : NULL;
    nm_tensor *v = tape ? nm_full(tape, NM_F32, NM_SHAPE(30, 40), 1) : NULL;
    if (v) {
        nm_tensor_set_requires_grad(v, true);
        nm_tensor *w = nm_weight_norm(tape, v, NULL), *dv = NULL;
        if (w) {
            nm_gradients(tape, &w, NULL, 1, &v, 1, 0, &dv);
        }
    }
    nm_status status = nm_context_status(context);
    nm_tape_destroy(tape);
    test_context_end(context, memory);
    return status;
}

START_TEST(every_failed_allocation_is_an_error_and_leaks_nothing)
{
    test_every_allocation(gradient_step);
}
END_TEST

TEST_MAIN("ops/weight_norm", every_row_gets_the_length_g,
          every_axis_can_be_kept_and_minus_1_keeps_none, rows_and_columns_are_normalized_alike,
          the_bits_do_not_depend_on_the_number_of_threads,
          pytorch_19126_a_zero_row_has_finite_values_and_gradients,
          a_zero_row_has_finite_second_derivatives, a_tensor_of_zeros_stays_one_of_zeros,
          a_row_of_denormal_numbers_counts_as_zeros, tiny_and_huge_rows_neither_vanish_nor_overflow,
          gradients_of_tiny_and_huge_rows_are_those_of_ordinary_ones_scaled,
          nan_and_infinity_show_in_their_row_and_only_there, the_gradient_is_orthogonal_to_v,
          plain_descent_lets_the_norm_grow_as_pythagoras_says, the_length_of_v_does_not_matter,
          wrong_inputs_are_named_with_both_shapes,
          every_failed_allocation_is_an_error_and_leaks_nothing)
