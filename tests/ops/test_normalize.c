/* Normalization over any axes. Values against PyTorch's are in test_golden.c, the gradient check is
 * in test_all.c; here are all choices of axes beside the same composed of other ops, the promises,
 * the errors, and the faults of other libraries by name. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/op.h"
#include "tests/ops/ops_test.h"

/* ---- Helpers ---- */

static void assert_same(fixture *b, nm_tensor *a, nm_tensor *c, double tolerance)
{
    assert_fine(b->context);
    ck_assert_int_eq(nm_tensor_count(a), nm_tensor_count(c));
    double largest = 1;
    for (int64_t i = 0; i < nm_tensor_count(a); i++) {
        largest = fmax(largest, fabs(nm_tensor_get(c, i)));
    }
    for (int64_t i = 0; i < nm_tensor_count(a); i++) {
        assert_near(nm_tensor_get(a, i), nm_tensor_get(c, i), 0, tolerance * largest);
    }
}

/* ---- The same, composed of other ops; what is switched off goes through nm_detach() ---- */

static nm_tensor *over(fixture *b, nm_tensor *x, const nm_ints *axes)
{
    return nm_mean(b->tape, x, .axes = *axes, .keepdims = true);
}

static nm_tensor *composed(fixture *b, nm_tensor *x, nm_tensor *scale, nm_tensor *shift,
                           const nm_normalize_options *o)
{
    nm_tape *t = b->tape;
    nm_tensor *mean = over(b, x, &o->axes);
    mean = o->mean_gradient ? mean : nm_detach(t, mean);
    nm_tensor *centered = o->subtract_mean ? nm_sub(t, x, mean) : x;
    nm_tensor *var = over(b, nm_square(t, centered), &o->axes);
    nm_tensor *inverse = nm_pow(t, nm_affine(t, var, 1, o->eps), -0.5);
    inverse = o->variance_gradient ? inverse : nm_detach(t, inverse);
    nm_tensor *y = o->divide ? nm_mul(t, centered, inverse) : centered;
    y = scale ? nm_mul(t, y, scale) : y;
    return shift ? nm_add(t, y, shift) : y;
}

#define VARIABLES 3 /* x, scale, shift */

typedef struct derivatives {
    nm_tensor *first[VARIABLES], *second[VARIABLES + 1];
} derivatives;

static derivatives differentiate(fixture *b, nm_tensor *y, nm_tensor *dy, nm_tensor *const *in,
                                 int count, nm_tensor *const *again)
{
    derivatives d = {{NULL}, {NULL}};
    nm_tensor *variables[VARIABLES + 1] = {NULL};
    memcpy(variables, in, (size_t)count * sizeof *in);
    variables[count] = dy;
    nm_gradients(b->tape, &y, &dy, 1, in, count, NM_KEEP_GRAPH | NM_CREATE_GRAPH, d.first);
    nm_gradients(b->tape, d.first, again, count, variables, count + 1, NM_KEEP_GRAPH, d.second);
    assert_fine(b->context);
    return d;
}

/* y, first and second derivatives of both agree; scale and shift may be of rank -1: absent. */
static void compare(nm_dtype dtype, nm_shape shape, nm_shape scale_shape, nm_shape shift_shape,
                    const nm_normalize_options *o)
{
    fixture b = begin();
    const double tolerance = dtype == NM_F64 ? 1e-10 : 2e-4;
    const nm_shape shapes[] = {shape, scale_shape, shift_shape};
    nm_tensor *all[VARIABLES] = {NULL}, *in[VARIABLES] = {NULL}, *again[VARIABLES];
    int count = 0;
    for (int i = 0; i < VARIABLES; i++) {
        if (shapes[i].rank >= 0) {
            all[i] = in[count] = normal(&b, dtype, shapes[i], i == 1, 1, (uint64_t)i);
            again[count++] = normal(&b, dtype, shapes[i], 0, 1, (uint64_t)i + 10);
        }
    }
    nm_tensor *dy = normal(&b, dtype, shape, 0, 1, 20);
    nm_tensor *y = nm_normalize_with(b.tape, all[0], all[1], all[2], NULL, NULL, NULL, o).y;
    nm_tensor *z = composed(&b, all[0], all[1], all[2], o);
    assert_same(&b, y, z, tolerance);
    const derivatives mine = differentiate(&b, y, dy, in, count, again);
    const derivatives other = differentiate(&b, z, dy, in, count, again);
    for (int i = 0; i < count; i++) {
        assert_same(&b, mine.first[i], other.first[i], tolerance);
    }
    for (int i = 0; i <= count; i++) {
        assert_same(&b, mine.second[i], other.second[i], 10 * tolerance);
    }
    end(&b);
}

static const nm_shape none = {-1, {0}};

static nm_normalize_options options_of(unsigned axes, int rank)
{
    nm_normalize_options o = {NM_NORMALIZE_DEFAULTS, NM_END(nm_normalize_options)};
    o.axes.count = 0;
    for (int d = 0; d < rank; d++) {
        if (axes >> d & 1) {
            o.axes.at[o.axes.count++] = d;
        }
    }
    return o;
}

START_TEST(every_choice_of_axes_is_right)
{
    const nm_shape x = NM_SHAPE(2, 3, 2, 4);
    static const nm_shape affine[] = {{1, {4}}, {4, {1, 3, 1, 1}}, {4, {2, 1, 2, 1}}, {2, {2, 4}}};
    for (unsigned axes = 1; axes < 16; axes++) {
        nm_normalize_options o = options_of(axes, 4);
        compare(NM_F64, x, affine[axes % 4], affine[(axes + 1) % 4], &o);
        compare(NM_F32, x, affine[(axes + 2) % 4], none, &o);
    }
}
END_TEST

START_TEST(every_combination_of_switches_is_right_in_first_and_second_order)
{
    for (unsigned bits = 0; bits < 16; bits++) {
        nm_normalize_options o = options_of(5, 3);
        o.subtract_mean = bits & 1;
        o.divide = bits & 2;
        o.mean_gradient = bits & 4;
        o.variance_gradient = bits & 8;
        compare(NM_F64, NM_SHAPE(3, 2, 3), NM_SHAPE(3), NM_SHAPE(2, 1), &o);
    }
}
END_TEST

/* tinygrad leaves the mean inside of the variance out of the graph: right in first order only. */
START_TEST(tinygrad_the_mean_inside_the_variance_counts_in_second_order)
{
    nm_normalize_options o = options_of(2, 2);
    compare(NM_F64, NM_SHAPE(3, 6), NM_SHAPE(6), NM_SHAPE(6), &o);
    compare(NM_F64, NM_SHAPE(3, 6), none, none, &o);
}
END_TEST

START_TEST(every_length_of_a_set_is_right)
{
    static const int64_t lengths[] = {2, 3, 7, 8, 15, 16, 17, 31, 33, 64, 100, 1023, 1025, 3000};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        nm_normalize_options o = options_of(2, 2);
        compare(NM_F32, NM_SHAPE(5, lengths[i]), NM_SHAPE(lengths[i]), NM_SHAPE(lengths[i]), &o);
        compare(NM_F64, NM_SHAPE(3, lengths[i]), NM_SHAPE(lengths[i]), NM_SHAPE(1), &o);
    }
    nm_normalize_options many = options_of(2, 2);
    compare(NM_F32, NM_SHAPE(700, 40), NM_SHAPE(40), NM_SHAPE(40), &many);
}
END_TEST

/* With groups, the same on an axis in two. */
static void check_groups(nm_shape x, int axis, int64_t groups, const nm_ints *axes)
{
    fixture b = begin();
    nm_shape split = {.rank = x.rank + 1};
    nm_ints of_split = NM_NO_LIST;
    for (int d = 0; d < x.rank; d++) {
        split.dim[d + (d > axis)] = x.dim[d];
    }
    split.dim[axis] = groups;
    split.dim[axis + 1] = x.dim[axis] / groups;
    for (int i = 0; i < axes->count; i++) {
        of_split.at[of_split.count++] = axes->at[i] + (axes->at[i] >= axis);
    }
    nm_tensor *t = normal(&b, NM_F64, x, 1, 2, 0), *again = nm_reshape(b.tape, t, split);
    nm_tensor *y =
        nm_normalize(b.tape, t, NULL, NULL, .axes = *axes, .axis = axis, .groups = groups);
    nm_tensor *z = nm_normalize(b.tape, again, NULL, NULL, .axes = of_split);
    assert_same(&b, y, z, 1e-13);
    end(&b);
}

START_TEST(groups_are_an_axis_in_two)
{
    check_groups(NM_SHAPE(2, 3, 6), 2, 3, &NM_INTS(1, 2));
    check_groups(NM_SHAPE(2, 6, 3), 1, 2, &NM_INTS(1, 2));
    check_groups(NM_SHAPE(4, 3, 2), 0, 2, &NM_INTS(0, 2));
    check_groups(NM_SHAPE(2, 3, 2, 2, 4), 4, 2, &NM_INTS(4));
}
END_TEST

/* Slabs of every width, with groups of every size: against layer norm of the same values, moved. */
static void check_slabs(int64_t rows, int64_t channels, int64_t groups)
{
    fixture b = begin();
    const int64_t depth = channels / groups;
    nm_tensor *x = normal(&b, NM_F32, NM_SHAPE(3, rows, channels), 5, 2, 0), *dx[2], *dz[2];
    nm_tensor *scale = normal(&b, NM_F32, NM_SHAPE(channels), 1, 1, 1);
    nm_tensor *shift = normal(&b, NM_F32, NM_SHAPE(channels), 0, 1, 2);
    nm_tensor *dy = normal(&b, NM_F32, NM_SHAPE(3, rows, channels), 0, 1, 3);
    nm_tensor *y = nm_group_norm(b.tape, x, scale, shift, .groups = groups);
    nm_tensor *z = nm_reshape(b.tape, x, NM_SHAPE(3, rows, groups, depth));
    z = nm_permute(b.tape, z, .axes = NM_INTS(0, 2, 1, 3));
    z = nm_permute(b.tape, nm_layer_norm(b.tape, z, NULL, NULL, .axis = 2),
                   .axes = NM_INTS(0, 2, 1, 3));
    z = nm_reshape(b.tape, z, NM_SHAPE(3, rows, channels));
    z = nm_add(b.tape, nm_mul(b.tape, z, scale), shift);
    assert_same(&b, y, z, 1e-6);
    nm_gradients(b.tape, &y, &dy, 1, (nm_tensor *[]){x, scale}, 2, NM_KEEP_GRAPH, dx);
    nm_gradients(b.tape, &z, &dy, 1, (nm_tensor *[]){x, scale}, 2, NM_KEEP_GRAPH, dz);
    assert_same(&b, dx[0], dz[0], 1e-5);
    assert_same(&b, dx[1], dz[1], 1e-5);
    end(&b);
}

START_TEST(groups_of_every_size_are_right)
{
    static const int64_t of[][2] = {{2, 2},   {6, 3},    {12, 4},   {64, 64}, {65, 5},  {96, 6},
                                    {128, 2}, {160, 80}, {192, 64}, {320, 5}, {260, 2}, {130, 130}};
    for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
        check_slabs(2, of[i][0], of[i][1]);
        check_slabs(37, of[i][0], of[i][1]);
        check_slabs(300, of[i][0], of[i][1]);
    }
}
END_TEST

START_TEST(over_batch_norms_axes_it_is_batch_norm)
{
    fixture b = begin();
    nm_tensor *x = normal(&b, NM_F32, NM_SHAPE(4, 5, 6, 7), 2, 3, 0);
    nm_tensor *scale = normal(&b, NM_F32, NM_SHAPE(7), 1, 1, 1);
    nm_tensor *dy = normal(&b, NM_F32, NM_SHAPE(4, 5, 6, 7), 0, 1, 2), *mine[2], *other[2];
    const nm_normalize_options o = options_of(7, 4);
    nm_normalize_result r = nm_normalize_with(b.tape, x, scale, NULL, NULL, NULL, NULL, &o);
    nm_batch_norm_result s = nm_batch_norm_with(b.tape, x, scale, NULL, NULL, NULL, NULL);
    assert_same(&b, r.y, s.y, 1e-6);
    assert_same(&b, r.mean, s.mean, 1e-6);
    assert_same(&b, r.var, s.var, 1e-6);
    nm_gradients(b.tape, &r.y, &dy, 1, (nm_tensor *[]){x, scale}, 2, NM_KEEP_GRAPH, mine);
    nm_gradients(b.tape, &s.y, &dy, 1, (nm_tensor *[]){x, scale}, 2, NM_KEEP_GRAPH, other);
    assert_same(&b, mine[0], other[0], 1e-5);
    assert_same(&b, mine[1], other[1], 1e-5);
    end(&b);
}
END_TEST

/* ---- Weights ---- */

/* pytorch#70529, #81985: statistics of padded sequences. x [n, steps, features] of which only the
 * first steps of each are there, against those steps put together. */
START_TEST(pytorch_padded_steps_count_for_nothing)
{
    static const int64_t lengths[] = {5, 1, 3};
    fixture b = begin();
    nm_tensor *x = normal(&b, NM_F64, NM_SHAPE(3, 5, 2), 3, 2, 0);
    nm_tensor *mask = nm_full(b.tape, NM_F64, NM_SHAPE(3, 5, 1), 0);
    nm_tensor *packed = nm_full(b.tape, NM_F64, NM_SHAPE(9, 2), 0);
    int64_t row = 0;
    for (int64_t i = 0; i < 15; i++) {
        const bool there = i % 5 < lengths[i / 5];
        nm_tensor_set(mask, i, there);
        for (int64_t k = 0; k < 2; k++) {
            if (there) {
                nm_tensor_set(packed, 2 * row + k, nm_tensor_get(x, 2 * i + k));
            } else {
                nm_tensor_set(x, 2 * i + k, NAN);
            }
        }
        row += there;
    }
    const nm_normalize_options o = options_of(3, 3);
    nm_normalize_result r = nm_normalize_with(b.tape, x, NULL, NULL, NULL, NULL, mask, &o);
    nm_batch_norm_result s = nm_batch_norm_with(b.tape, packed, NULL, NULL, NULL, NULL, NULL);
    assert_same(&b, r.mean, s.mean, 1e-12);
    assert_same(&b, r.var, s.var, 1e-12);
    end(&b);
}
END_TEST

START_TEST(a_missing_value_that_is_nan_harms_no_gradient)
{
    fixture b = begin();
    nm_tensor *x = normal(&b, NM_F32, NM_SHAPE(2, 4), 0, 1, 0), *dx[2];
    nm_tensor *scale = normal(&b, NM_F32, NM_SHAPE(4), 1, 1, 1);
    nm_tensor *weight = nm_full(b.tape, NM_F32, NM_SHAPE(2, 4), 1);
    nm_tensor *dy = nm_full(b.tape, NM_F32, NM_SHAPE(2, 4), 1);
    nm_tensor_set(x, 2, NAN);
    nm_tensor_set(weight, 2, 0);
    nm_tensor_set(dy, 2, 0);
    nm_tensor *y = nm_normalize_with(b.tape, x, scale, NULL, NULL, NULL, weight, NULL).y;
    nm_gradients(b.tape, &y, &dy, 1, (nm_tensor *[]){x, scale}, 2, 0, dx);
    assert_fine(b.context);
    for (int64_t i = 0; i < 8; i++) {
        ck_assert(isfinite(nm_tensor_get(dx[0], i)));
        ck_assert(i >= 4 || isfinite(nm_tensor_get(dx[1], i)));
    }
    end(&b);
}
END_TEST

START_TEST(a_set_without_weight_gives_the_shift_and_no_gradient)
{
    fixture b = begin();
    nm_tensor *x = normal(&b, NM_F32, NM_SHAPE(2, 4), 5, 1, 0), *dx;
    nm_tensor *shift = normal(&b, NM_F32, NM_SHAPE(4), 0, 1, 1);
    nm_tensor *weight = nm_full(b.tape, NM_F32, NM_SHAPE(2, 1), 1);
    nm_tensor_set(weight, 0, 0);
    nm_tensor *y = nm_normalize_with(b.tape, x, NULL, shift, NULL, NULL, weight, NULL).y;
    nm_tensor *squares = nm_square(b.tape, y);
    nm_gradients(b.tape, &squares, NULL, 1, &x, 1, NM_KEEP_GRAPH, &dx);
    assert_fine(b.context);
    for (int64_t i = 0; i < 4; i++) {
        ck_assert(nm_tensor_get(y, i) == nm_tensor_get(shift, i));
        ck_assert(nm_tensor_get(dx, i) == 0);
    }
    end(&b);
}
END_TEST

START_TEST(weights_of_one_change_nothing)
{
    fixture b = begin();
    nm_tensor *x = normal(&b, NM_F64, NM_SHAPE(3, 4, 5), 5, 1, 0), *dx[2];
    nm_tensor *weight = nm_full(b.tape, NM_F64, NM_SHAPE(1), 1);
    nm_tensor *twice = nm_full(b.tape, NM_F64, NM_SHAPE(4, 1), 2);
    const nm_normalize_options o = options_of(5, 3);
    nm_tensor *y = nm_normalize_with(b.tape, x, NULL, NULL, NULL, NULL, NULL, &o).y;
    nm_tensor *z = nm_normalize_with(b.tape, x, NULL, NULL, NULL, NULL, weight, &o).y;
    nm_tensor *w = nm_normalize_with(b.tape, x, NULL, NULL, NULL, NULL, twice, &o).y;
    assert_same(&b, y, z, 1e-13);
    assert_same(&b, y, w, 1e-13);
    nm_tensor *cubes[] = {nm_pow(b.tape, y, 3), nm_pow(b.tape, w, 3)};
    nm_gradients(b.tape, &cubes[0], NULL, 1, &x, 1, NM_KEEP_GRAPH, &dx[0]);
    nm_gradients(b.tape, &cubes[1], NULL, 1, &x, 1, NM_KEEP_GRAPH, &dx[1]);
    assert_same(&b, dx[0], dx[1], 1e-12);
    end(&b);
}
END_TEST

/* ---- Numbers ---- */

START_TEST(haiku_a_set_of_equal_values_gives_exactly_the_shift)
{
    static const double constants[] = {0, 1, -3.3, 1e-30, 1e4 + 0.1, 1e30, 16777217};
    static const int64_t lengths[] = {2, 3, 60, 1023};
    fixture b = begin();
    for (size_t k = 0; k < sizeof constants / sizeof *constants; k++) {
        for (size_t n = 0; n < 4; n++) {
            nm_tensor *x = nm_full(b.tape, NM_F32, NM_SHAPE(3, lengths[n]), constants[k]);
            nm_tensor *shift = normal(&b, NM_F32, NM_SHAPE(lengths[n]), 0, 1, 1);
            nm_tensor *scale = normal(&b, NM_F32, NM_SHAPE(lengths[n]), 0, 1e5, 2);
            nm_tensor *y = nm_layer_norm(b.tape, x, scale, shift);
            assert_fine(b.context);
            for (int64_t i = 0; i < 3 * lengths[n]; i++) {
                ck_assert(nm_tensor_get(y, i) == nm_tensor_get(shift, i % lengths[n]));
            }
        }
    }
    end(&b);
}
END_TEST

START_TEST(no_axes_are_all_of_them)
{
    fixture b = begin();
    nm_tensor *x = normal(&b, NM_F32, NM_SHAPE(3, 4), 2, 3, 0);
    const nm_ints all = NM_NO_LIST;
    assert_same(&b, nm_normalize(b.tape, x, NULL, NULL, .axes = all),
                nm_normalize(b.tape, x, NULL, NULL, .axes = NM_INTS(0, 1)), 0);
    assert_same(&b, nm_l2_normalize(b.tape, x, .axes = all),
                nm_l2_normalize(b.tape, x, .axes = NM_INTS(0, 1)), 0);
    end(&b);
}
END_TEST

/* flax#1491 and its like: E[x^2] - E[x]^2 has no digit left. */
START_TEST(flax_a_mean_of_a_million_deviations_costs_nothing)
{
    fixture b = begin();
    nm_tensor *x = nm_tape_tensor(b.tape, NM_F32, NM_SHAPE(2, 600)), *dx;
    nm_tensor *exact = nm_tape_tensor(b.tape, NM_F64, NM_SHAPE(2, 600)), *wanted;
    nm_random random = nm_random_create(7, 0);
    nm_random_fill_normal(&random, x, 1e4, 1e-2);
    for (int64_t i = 0; i < 1200; i++) {
        nm_tensor_set(exact, i, nm_tensor_get(x, i));
    }
    nm_tensor_set_requires_grad(x, true);
    nm_tensor_set_requires_grad(exact, true);
    nm_tensor *y = nm_layer_norm(b.tape, x, NULL, NULL, .eps = 1e-12);
    nm_tensor *z = nm_layer_norm(b.tape, exact, NULL, NULL, .eps = 1e-12);
    assert_same(&b, y, z, 1e-6);
    nm_tensor *cubes[] = {nm_pow(b.tape, y, 3), nm_pow(b.tape, z, 3)};
    nm_gradients(b.tape, &cubes[0], NULL, 1, &x, 1, NM_KEEP_GRAPH, &dx);
    nm_gradients(b.tape, &cubes[1], NULL, 1, &exact, 1, NM_KEEP_GRAPH, &wanted);
    assert_same(&b, dx, wanted, 1e-5);
    end(&b);
}
END_TEST

START_TEST(squares_beyond_the_range_of_f32_are_no_matter)
{
    fixture b = begin();
    nm_tensor *large = normal(&b, NM_F32, NM_SHAPE(3, 50), 0, 1, 0);
    nm_tensor *huge = nm_detach(b.tape, nm_affine(b.tape, large, 1e25, 0));
    nm_tensor *tiny = nm_detach(b.tape, nm_affine(b.tape, large, 1e-25, 0));
    nm_tensor *y = nm_l2_normalize(b.tape, large, .eps = 0);
    assert_same(&b, nm_l2_normalize(b.tape, huge, .eps = 0), y, 1e-6);
    assert_same(&b, nm_l2_normalize(b.tape, tiny, .eps = 0), y, 1e-6);
    nm_tensor *images[] = {nm_reshape(b.tape, large, NM_SHAPE(1, 30, 5)),
                           nm_reshape(b.tape, huge, NM_SHAPE(1, 30, 5))};
    assert_same(&b, nm_instance_norm(b.tape, images[1], NULL, NULL, .eps = 0),
                nm_instance_norm(b.tape, images[0], NULL, NULL, .eps = 0), 1e-6);
    assert_same(&b, nm_layer_norm(b.tape, huge, NULL, NULL, .eps = 0),
                nm_layer_norm(b.tape, large, NULL, NULL, .eps = 0), 1e-6);
    end(&b);
}
END_TEST

static void run_threads(int threads, nm_shape shape, int64_t axis, char *to, size_t bytes)
{
    fixture b = begin_with(threads);
    nm_tensor *x = normal(&b, NM_F32, shape, 1, 3, 0), *dy = normal(&b, NM_F32, shape, 0, 1, 1);
    nm_tensor *scale = normal(&b, NM_F32, NM_SHAPE(shape.dim[shape.rank - 1]), 1, 1, 2), *grad[2];
    nm_tensor *y = nm_normalize(b.tape, x, scale, NULL, .axes = NM_INTS(axis));
    nm_gradients(b.tape, &y, &dy, 1, (nm_tensor *[]){x, scale}, 2, NM_KEEP_GRAPH, grad);
    assert_fine(b.context);
    memcpy(to, nm_tensor_data(y), bytes);
    memcpy(to + bytes, nm_tensor_data(grad[0]), bytes);
    memcpy(to + 2 * bytes, nm_tensor_data(grad[1]), nm_tensor_bytes(grad[1]));
    end(&b);
}

static void check_threads(nm_shape shape, int64_t axis)
{
    const size_t bytes = (size_t)nm_shape_count(&shape) * sizeof(float);
    char *one = calloc(6, bytes), *other = one + 3 * bytes;
    ck_assert_ptr_nonnull(one);
    run_threads(1, shape, axis, one, bytes);
    for (int threads = 2; threads <= 5; threads++) {
        run_threads(threads, shape, axis, other, bytes);
        ck_assert_mem_eq(one, other, 3 * bytes);
    }
    free(one);
}

START_TEST(the_bits_do_not_depend_on_the_number_of_threads)
{
    check_threads(NM_SHAPE(300, 130), -1);
    check_threads(NM_SHAPE(7, 9000), -1);
    check_threads(NM_SHAPE(20, 50, 48), 1);
    check_threads(NM_SHAPE(3000, 16), 0);
    check_threads(NM_SHAPE(2, 4200, 128), 1); /* each large enough for all threads */
}
END_TEST

/* ---- Errors ---- */

static void refused(nm_tensor *y, fixture *b, const char *part)
{
    ck_assert_ptr_null(y);
    assert_error(b->context, NM_ERROR_INPUT, part);
}

START_TEST(mistakes_are_explained)
{
    fixture b = begin();
    nm_tensor *x = normal(&b, NM_F32, NM_SHAPE(4, 1, 1, 6), 0, 1, 0);
    nm_tensor *row = normal(&b, NM_F32, NM_SHAPE(5), 0, 1, 1);
    refused(nm_instance_norm(b.tape, x, NULL, NULL), &b, "one value a set");
    refused(nm_group_norm(b.tape, x, NULL, NULL, .groups = 6), &b, "one value a set");
    refused(nm_group_norm(b.tape, x, NULL, NULL, .groups = 4), &b,
            "axis 3 of x [4, 1, 1, 6] does not divide into 4 groups");
    refused(nm_layer_norm(b.tape, x, row, NULL), &b, "scale [5] must broadcast to x");
    refused(nm_group_norm(b.tape, x, row, NULL, .groups = 3), &b, "scale [5] must be [6]");
    refused(nm_instance_norm(b.tape, row, NULL, NULL, .axis = 0), &b, "samples on axis 0");
    refused(nm_normalize(b.tape, x, NULL, NULL, .axes = NM_INTS(1, 1)), &b, "given twice");
    refused(nm_normalize(b.tape, x, NULL, NULL, .axes = NM_INTS(1), .groups = 2), &b,
            "groups divide axis 3");
    refused(nm_normalize(b.tape, x, NULL, NULL, .axes = NM_INTS(7)), &b, "axis");
    refused(nm_normalize(b.tape, x, NULL, NULL, .sum = true), &b, "subtract_mean: false");
    refused(nm_normalize(b.tape, x, NULL, NULL, .mode = NM_INFERENCE), &b, "inference needs mean");
    end(&b);
}
END_TEST

START_TEST(weights_below_0_and_nan_are_refused)
{
    static const double bad[] = {-1, NAN, INFINITY};
    fixture b = begin();
    nm_tensor *x = normal(&b, NM_F32, NM_SHAPE(2, 3), 0, 1, 0);
    for (int i = 0; i < 3; i++) {
        nm_tensor *weight = nm_full(b.tape, NM_F32, NM_SHAPE(3), 1);
        nm_tensor_set(weight, 1, bad[i]);
        nm_normalize_result r = nm_normalize_with(b.tape, x, NULL, NULL, NULL, NULL, weight, NULL);
        refused(r.y, &b, "weight[1] is");
    }
    end(&b);
}
END_TEST

/* x [2, 3] and a weight of the same shape, whose last element is `weight`. */
static void weight_of_one(fixture f, const char *op, int place, const char *options, double weight)
{
    nm_tensor *x = nm_full(f.tape, NM_F32, NM_SHAPE(2, 3), 1);
    nm_tensor *w = nm_tensor_create(f.context, NM_F32, NM_SHAPE(2, 3));
    nm_tensor_fill(w, 1);
    nm_tensor_set(w, 5, weight);
    nm_tensor *in[6] = {x}, *y;
    in[place] = w;
    nm_call(f.tape, op, in, place + 1, options, &y, 1);
    nm_tensor_destroy(w);
}

START_TEST(a_weight_below_0_or_without_measure_is_refused_by_each_member)
{
    static const struct {
        const char *op, *options;
        int place;
    } rows[] = {{"normalize", "{axes: [1]}", 5},
                {"layer_norm", "{}", 3},
                {"rms_norm", "{}", 2},
                {"l2_normalize", "{}", 1}};
    const double bad[] = {-1, NAN, INFINITY, 1e31};
    fixture f = begin();
    for (int i = 0; i < NM_COUNT_OF(rows); i++) {
        for (int k = 0; k < NM_COUNT_OF(bad); k++) {
            weight_of_one(f, rows[i].op, rows[i].place, rows[i].options, bad[k]);
            assert_error(f.context, NM_ERROR_INPUT, "weight[1, 2] is ");
        }
        weight_of_one(f, rows[i].op, rows[i].place, rows[i].options, 0);
        assert_fine(f.context);
    }
    end(&f);
}
END_TEST

TEST_MAIN("ops/normalize", every_choice_of_axes_is_right,
          every_combination_of_switches_is_right_in_first_and_second_order,
          tinygrad_the_mean_inside_the_variance_counts_in_second_order,
          every_length_of_a_set_is_right, groups_are_an_axis_in_two, groups_of_every_size_are_right,
          over_batch_norms_axes_it_is_batch_norm, pytorch_padded_steps_count_for_nothing,
          a_missing_value_that_is_nan_harms_no_gradient,
          a_set_without_weight_gives_the_shift_and_no_gradient, weights_of_one_change_nothing,
          haiku_a_set_of_equal_values_gives_exactly_the_shift,
          flax_a_mean_of_a_million_deviations_costs_nothing, no_axes_are_all_of_them,
          squares_beyond_the_range_of_f32_are_no_matter,
          the_bits_do_not_depend_on_the_number_of_threads, mistakes_are_explained,
          weights_below_0_and_nan_are_refused,
          a_weight_below_0_or_without_measure_is_refused_by_each_member)
