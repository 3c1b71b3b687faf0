/* Elementwise ops run in blocks, pieces and tiles: no element may depend on where these end. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "ops/ops.h"
#include "tests/test.h"

#define MOST 1200 /* elements: over two tiles */

typedef struct fixture {
    nm_context *context;
    nm_tape *tape;
} fixture;

static fixture begin(int threads)
{
    fixture f = {.context = test_context(NULL)};
    nm_register_ops(f.context);
    nm_context_set_threads(f.context, threads);
    f.tape = nm_tape_create(f.context);
    assert_fine(f.context);
    return f;
}

static void end(fixture f)
{
    assert_fine(f.context);
    nm_tape_destroy(f.tape);
    nm_context_destroy(f.context);
}

/* Elements that differ, of a shape. */
static nm_tensor *different(fixture f, nm_dtype dtype, nm_shape shape, double first)
{
    nm_tensor *x = nm_tensor_create(f.context, dtype, shape);
    for (int64_t i = 0; i < nm_tensor_count(x); i++) {
        nm_tensor_set(x, i, first + (double)(i * 37 % 101) / 32); /* exact in both types */
    }
    return x;
}

/* ---- Broadcasting ---- */

/* The element of `small` that goes with element `at` of `large`. */
static int64_t partner(const nm_shape *small, const nm_shape *large, int64_t at)
{
    int64_t result = 0, stride = 1;
    for (int d = large->rank - 1; d >= 0; d--) {
        const int k = d - (large->rank - small->rank);
        const int64_t index = at % large->dim[d];
        at /= large->dim[d];
        if (k >= 0) {
            result += small->dim[k] == 1 ? 0 : index * stride;
            stride *= small->dim[k];
        }
    }
    return result;
}

static void check_difference(nm_dtype dtype, nm_shape sa, nm_shape sb, int threads)
{
    fixture f = begin(threads);
    nm_tensor *a = different(f, dtype, sa, 1), *b = different(f, dtype, sb, -7);
    nm_tensor *y = nm_sub(f.tape, a, b);
    assert_fine(f.context);
    const nm_shape *shape = nm_tensor_shape(y);
    nm_tensor *copy = nm_broadcast_to(f.tape, b, *shape);
    for (int64_t i = 0; i < nm_tensor_count(y); i++) {
        const double of_b = nm_tensor_get(b, partner(&sb, shape, i));
        const double wanted = nm_tensor_get(a, partner(&sa, shape, i)) - of_b;
        if (nm_tensor_get(y, i) != wanted || nm_tensor_get(copy, i) != of_b) {
            char text_a[NM_SHAPE_TEXT], text_b[NM_SHAPE_TEXT];
            ck_abort_msg("%s - %s: element %d is %g, not %g", nm_shape_text(&sa, text_a),
                         nm_shape_text(&sb, text_b), (int)i, nm_tensor_get(y, i), wanted);
        }
    }
    nm_tensor_destroy(a);
    nm_tensor_destroy(b);
    end(f);
}

START_TEST(every_broadcast_takes_the_elements_that_its_rule_names)
{
    static const int64_t lengths[] = {1, 2, 5, 16, 17, 63, 65, 513};
    for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++) {
        for (int f64 = 0; f64 < 2; f64++) {
            const int64_t n = lengths[k];
            const nm_dtype dtype = f64 ? NM_F64 : NM_F32;
            check_difference(dtype, NM_SHAPE(n), NM_SHAPE(n), 1);
            check_difference(dtype, NM_SHAPE(3, n), NM_SHAPE(n), 1);
            check_difference(dtype, NM_SHAPE(n), NM_SHAPE(3, n), 1);
            check_difference(dtype, NM_SHAPE(3, n), NM_SHAPE(3, 1), 1);
            check_difference(dtype, NM_SHAPE(3, n), NM_SHAPE(1), 1);
            check_difference(dtype, NM_SHAPE(n), NM_SHAPE(3, 1), 1);
            check_difference(dtype, NM_SHAPE(2, 3, n), NM_SHAPE(3, 1), 1);
            check_difference(dtype, NM_SHAPE(2, 3, n), NM_SHAPE(2, 1, n), 1);
            check_difference(dtype, NM_SHAPE(2, 1, n), NM_SHAPE(2, 3, 1), 1);
            check_difference(dtype, NM_SHAPE(n, 7, 1), NM_SHAPE(1, 7, 3), 1);
        }
    }
}
END_TEST

START_TEST(threads_may_begin_anywhere_in_a_row)
{
    for (int threads = 2; threads < 4; threads++) {
        check_difference(NM_F32, NM_SHAPE(501, 131), NM_SHAPE(131), threads);
        check_difference(NM_F32, NM_SHAPE(501, 131), NM_SHAPE(501, 1), threads);
        check_difference(NM_F32, NM_SHAPE(6001, 11), NM_SHAPE(11), threads);
        check_difference(NM_F32, NM_SHAPE(6001, 11), NM_SHAPE(6001, 1), threads);
        check_difference(NM_F64, NM_SHAPE(3, 20011), NM_SHAPE(3, 1), threads);
    }
}
END_TEST

/* ---- Where an element stands ---- */

/* A chain whose gradients are computed in place of those that came in. */
static nm_tensor *chain(nm_tape *tape, nm_tensor *x)
{
    nm_tensor *y = nm_leaky_relu(tape, nm_tanh(tape, x));
    return nm_gelu(tape, nm_sigmoid(tape, nm_exp(tape, y)));
}

/* Values and gradients of the first n of MOST elements. */
static void compute(nm_dtype dtype, int64_t n, double *values, double *gradients)
{
    fixture f = begin(1);
    nm_tensor *x = nm_tensor_create(f.context, dtype, NM_SHAPE(n));
    nm_tensor_set_requires_grad(x, true);
    for (int64_t i = 0; i < n; i++) {
        nm_tensor_set(x, i, (double)(i % 97) / 32 - 1.5);
    }
    nm_tensor *y = chain(f.tape, x);
    nm_tensor_keep(y);
    nm_backward(f.tape, nm_sum(f.tape, y), 0);
    assert_fine(f.context);
    for (int64_t i = 0; i < n; i++) {
        values[i] = nm_tensor_get(y, i);
        gradients[i] = nm_tensor_get(nm_tensor_grad(x), i);
    }
    nm_tensor_destroy(x);
    end(f);
}

START_TEST(an_element_does_not_depend_on_how_many_there_are)
{
    static double values[MOST], gradients[MOST], v[MOST], g[MOST];
    for (int f64 = 0; f64 < 2; f64++) {
        const nm_dtype dtype = f64 ? NM_F64 : NM_F32;
        compute(dtype, MOST, values, gradients);
        for (int64_t n = 1; n < 50; n++) {
            compute(dtype, n, v, g);
            for (int64_t i = 0; i < n; i++) {
                if (v[i] != values[i] || g[i] != gradients[i]) {
                    ck_abort_msg("element %d of %d: %.17g, gradient %.17g; of %d: %.17g, %.17g",
                                 (int)i, (int)n, v[i], g[i], MOST, values[i], gradients[i]);
                }
            }
        }
    }
}
END_TEST

/* The first n of `many` elements of an op's result, into `values`; false if it is not for f32 or
 * these values. */
static bool result_of(nm_context *context, const nm_op *op, int64_t n, double *values)
{
    nm_tensor *in[NM_MAX_INPUTS] = {NULL}, *y;
    nm_tape *tape = nm_tape_create(context);
    for (int k = 0; k < op->input_count; k++) {
        in[k] = nm_tensor_create(context, NM_F32, NM_SHAPE(n));
        for (int64_t i = 0; i < n; i++) {
            nm_tensor_set(in[k], i, (double)(i * (k + 1) % 97) / 32 - 1.5 + 0.01 * k);
        }
    }
    const bool fine = nm_apply(tape, op, in, op->input_count, NULL, &y) == NM_OK;
    for (int64_t i = 0; fine && i < n; i++) {
        values[i] = nm_tensor_get(y, i);
    }
    nm_context_clear_error(context);
    for (int k = 0; k < op->input_count; k++) {
        nm_tensor_destroy(in[k]);
    }
    nm_tape_destroy(tape);
    return fine;
}

START_TEST(so_it_is_for_every_elementwise_op)
{
    fixture f = begin(1);
    int compared = 0;
    for (int i = 0; i < nm_item_count(f.context, NM_KIND_OP); i++) {
        const nm_op *op = (const nm_op *)(const void *)nm_item_at(f.context, NM_KIND_OP, i);
        double many[100], few[100];
        if (!(op->flags & NM_OP_ELEMENTWISE) || !result_of(f.context, op, 100, many)) {
            continue;
        }
        for (int64_t n = 1; n < 20; n++) {
            ck_assert(result_of(f.context, op, n, few));
            for (int64_t k = 0; k < n; k++) {
                ck_assert_msg(many[k] == few[k] || (isnan(many[k]) && isnan(few[k])),
                              "%s, element %d of %d: %.9g, of 100: %.9g", op->item.name, (int)k,
                              (int)n, few[k], many[k]);
                compared++;
            }
        }
    }
    ck_assert_int_gt(compared, 20 * 190);
    end(f);
}
END_TEST

/* ---- Extremes ---- */

static const double extremes[] = {
    0,   -0.0, 1e-38, -1e-38, 1e-9, -1e-9, 0.5,  -0.5,  1,        -1,        3,    -3,  9,
    -9,  17,   -17,   40,     -40,  88,    -88,  89,    -89,      104,       -104, 710, -710,
    1e4, -1e4, 1e9,   -1e9,   1e20, -1e20, 2e37, -2e37, INFINITY, -INFINITY, NAN};

/* Whether `y` in f32 is what `wanted` in f64 comes to there. */
static bool is_f32_of(double y, double wanted)
{
    if (isnan(wanted) || isnan(y)) {
        return isnan(wanted) && isnan(y);
    }
    if (fabs(wanted) > (double)FLT_MAX) {
        return isinf(y) && y * wanted > 0;
    }
    return near_to(y, wanted, 2e-5, 1e-37) || (fabs(wanted) > 0.99 * (double)FLT_MAX && isinf(y));
}

static nm_tensor *extremes_in(fixture f, nm_dtype dtype)
{
    nm_tensor *x = nm_tensor_create(f.context, dtype, NM_SHAPE(NM_COUNT_OF(extremes)));
    for (int i = 0; i < NM_COUNT_OF(extremes); i++) {
        nm_tensor_set(x, i, (double)(float)extremes[i]);
    }
    return x;
}

/* A second input, such as the gradient that comes in, is 1. */
static void check_extremes(fixture f, const nm_op *op)
{
    nm_tensor *x[] = {extremes_in(f, NM_F32), extremes_in(f, NM_F64)}, *y[2];
    for (int k = 0; k < 2; k++) {
        nm_tensor *ones = nm_full(f.tape, nm_tensor_dtype(x[k]), *nm_tensor_shape(x[k]), 1);
        y[k] = op->input_count == 1 ? nm_apply1(f.tape, op, NULL, x[k])
                                    : nm_apply2(f.tape, op, NULL, x[k], ones);
        assert_fine(f.context);
    }
    for (int i = 0; i < NM_COUNT_OF(extremes); i++) {
        const double got = nm_tensor_get(y[0], i), wanted = nm_tensor_get(y[1], i);
        ck_assert_msg(is_f32_of(got, wanted), "%s of %g is %g in f32 and %g in f64", op->item.name,
                      extremes[i], got, wanted);
    }
    nm_tape_reset(f.tape);
    nm_tensor_destroy(x[0]);
    nm_tensor_destroy(x[1]);
}

START_TEST(the_largest_and_smallest_numbers_come_to_the_same_in_both_types)
{
    fixture f = begin(1);
    int tried = 0;
    for (int i = 0; i < nm_item_count(f.context, NM_KIND_OP); i++) {
        const nm_op *op = (const nm_op *)nm_item_at(f.context, NM_KIND_OP, i);
        if (op->flags & NM_OP_ELEMENTWISE && op->input_count <= 2) {
            check_extremes(f, op);
            tried++;
        }
    }
    ck_assert_int_gt(tried, 50);
    end(f);
}
END_TEST

/* What is multiplied by x must be 0 there, not just small. */
START_TEST(far_from_0_a_smooth_rectifier_has_the_slope_1_or_0)
{
    static const char *const ops[] = {"silu", "mish", "gelu", "softplus", "elu", "hard_swish"};
    for (size_t i = 0; i < 2 * NM_COUNT_OF(ops); i++) {
        fixture f = begin(1);
        nm_tensor *x = nm_tape_tensor(f.tape, i % 2 ? NM_F64 : NM_F32, NM_SHAPE(4)), *y, *dx;
        const double at[] = {100, 1e20, -100, -1e20};
        for (int k = 0; k < 4; k++) {
            nm_tensor_set(x, k, at[k]);
        }
        nm_tensor_set_requires_grad(x, true);
        nm_call(f.tape, ops[i / 2], &x, 1, NULL, &y, 1);
        nm_gradients(f.tape, &y, NULL, 1, &x, 1, 0, &dx);
        assert_fine(f.context);
        for (int k = 0; k < 4; k++) {
            const double error = fabs(nm_tensor_get(dx, k) - (k < 2));
            ck_assert_msg(error < 1e-15, "%s at %g: %g", ops[i / 2], at[k], nm_tensor_get(dx, k));
        }
        end(f);
    }
}
END_TEST

TEST_MAIN("ops/elementwise", every_broadcast_takes_the_elements_that_its_rule_names,
          threads_may_begin_anywhere_in_a_row, an_element_does_not_depend_on_how_many_there_are,
          so_it_is_for_every_elementwise_op,
          the_largest_and_smallest_numbers_come_to_the_same_in_both_types,
          far_from_0_a_smooth_rectifier_has_the_slope_1_or_0)
