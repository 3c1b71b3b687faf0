/* Ops that move, choose or add up elements, on shapes beyond their tiles, blocks and lanes: each
 * element is what the definition says, read one by one. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/ops/ops_test.h"

/* Values with ties and a few NaN. */
static nm_tensor *ties(fixture *f, nm_dtype dtype, nm_shape shape, bool with_nan)
{
    nm_random random = nm_random_create(3, 1);
    nm_tensor *x = nm_tape_tensor(f->tape, dtype, shape);
    for (int64_t i = 0; i < nm_tensor_count(x); i++) {
        const int64_t value = nm_random_below(&random, 40);
        nm_tensor_set(x, i, with_nan && value == 39 ? (double)NAN : (double)value);
    }
    return x;
}

static nm_tensor *indices(fixture *f, nm_dtype dtype, nm_shape shape, int64_t below)
{
    nm_random random = nm_random_create(5, 1);
    nm_tensor *x = nm_tape_tensor(f->tape, dtype, shape);
    for (int64_t i = 0; i < nm_tensor_count(x); i++) {
        nm_tensor_set(x, i, (double)nm_random_below(&random, below));
    }
    return x;
}

/* ---- Other layouts ---- */

static void assert_transposed(fixture *f, nm_dtype dtype, int64_t n, int64_t rows, int64_t columns)
{
    nm_tensor *x = normal(f, dtype, NM_SHAPE(n, rows, columns), 0, 1, 1);
    nm_tensor *y = nm_permute(f->tape, x, .axes = NM_INTS(0, 2, 1));
    assert_fine(f->context);
    for (int64_t i = 0; i < n * rows * columns; i++) {
        const int64_t k = i / (rows * columns), row = i / columns % rows, column = i % columns;
        ck_assert_double_eq(nm_tensor_get(y, (k * columns + column) * rows + row),
                            nm_tensor_get(x, i));
    }
}

START_TEST(whole_tiles_and_their_rests_are_transposed)
{
    fixture f = begin();
    static const int64_t sizes[] = {3, 31, 32, 33, 64, 70};
    for (int i = 0; i < NM_COUNT_OF(sizes); i++) {
        for (int k = 0; k < NM_COUNT_OF(sizes); k++) {
            assert_transposed(&f, NM_F32, 2, sizes[i], sizes[k]);
        }
        assert_transposed(&f, NM_F64, 2, sizes[i], 37);
    }
    end(&f);
}
END_TEST

START_TEST(rows_are_turned_round_whatever_their_type)
{
    fixture f = begin();
    static const nm_dtype types[] = {NM_F32, NM_F64, NM_U8, NM_I64};
    for (int t = 0; t < NM_COUNT_OF(types); t++) {
        nm_tensor *x = indices(&f, types[t], NM_SHAPE(5, 67), 200);
        nm_tensor *y = nm_flip(f.tape, x, .axes = NM_INTS(1));
        assert_fine(f.context);
        for (int64_t i = 0; i < 5 * 67; i++) {
            ck_assert_double_eq(nm_tensor_get(y, i), nm_tensor_get(x, i / 67 * 67 + 66 - i % 67));
        }
    }
    end(&f);
}
END_TEST

/* ---- Along lines ---- */

/* By the definition: of several the first, NaN the largest. */
static int64_t find_largest(nm_tensor *x, int64_t begin_, int64_t n, int64_t step)
{
    int64_t best = 0;
    for (int64_t k = 1; k < n; k++) {
        const double value = nm_tensor_get(x, begin_ + k * step);
        const double most = nm_tensor_get(x, begin_ + best * step);
        best = value > most || (isnan(value) && !isnan(most)) ? k : best;
    }
    return best;
}

static void assert_largest(fixture *f, nm_dtype dtype, int64_t n, bool with_nan)
{
    nm_tensor *x = ties(f, dtype, NM_SHAPE(6, n), with_nan);
    nm_tensor *along = nm_argmax(f->tape, x, .axis = 1), *across = nm_argmax(f->tape, x, .axis = 0);
    assert_fine(f->context);
    for (int64_t i = 0; i < 6; i++) {
        ck_assert_double_eq(nm_tensor_get(along, i), (double)find_largest(x, i * n, n, 1));
    }
    for (int64_t j = 0; j < n; j++) {
        ck_assert_double_eq(nm_tensor_get(across, j), (double)find_largest(x, j, 6, n));
    }
}

START_TEST(the_first_of_the_largest_is_found_in_lines_of_any_length)
{
    fixture f = begin();
    static const int64_t lengths[] = {1, 2, 15, 16, 17, 31, 32, 100, 511, 512, 600};
    for (int i = 0; i < NM_COUNT_OF(lengths); i++) {
        assert_largest(&f, NM_F32, lengths[i], false);
        assert_largest(&f, NM_F32, lengths[i], true);
        assert_largest(&f, NM_F64, lengths[i], true);
    }
    end(&f);
}
END_TEST

static void assert_sums(fixture *f, nm_dtype dtype, int axis, bool exclusive, bool reverse)
{
    const int64_t rows = 19, columns = 300, n = axis ? columns : rows, step = axis ? 1 : columns;
    nm_tensor *x = indices(f, dtype, NM_SHAPE(rows, columns), 9);
    nm_tensor *y = nm_cumsum(f->tape, x, .axis = axis, .exclusive = exclusive, .reverse = reverse);
    assert_fine(f->context);
    for (int64_t line = 0; line < rows * columns / n; line++) {
        const int64_t first = axis ? line * columns : line;
        double sum = 0;
        for (int64_t k = 0; k < n; k++) {
            const int64_t i = first + (reverse ? n - 1 - k : k) * step;
            const double before = sum;
            sum += nm_tensor_get(x, i);
            ck_assert_double_eq(nm_tensor_get(y, i), exclusive ? before : sum);
        }
    }
}

START_TEST(running_sums_along_and_across_rows)
{
    fixture f = begin();
    for (int way = 0; way < 16; way++) {
        assert_sums(&f, way & 8 ? NM_F64 : NM_F32, way & 1, way & 2, way & 4);
    }
    end(&f);
}
END_TEST

/* ---- By an index, by a condition ---- */

/* The element of x [4, 5, 6] that element i of an index [3, 5, 6] along that axis stands for. */
static int64_t place_of(int64_t i, int axis, int64_t index, const nm_shape *shape)
{
    int64_t at[3] = {i / (shape->dim[1] * shape->dim[2]), i / shape->dim[2] % shape->dim[1],
                     i % shape->dim[2]};
    at[axis] = index;
    return (at[0] * 5 + at[1]) * 6 + at[2];
}

START_TEST(gather_and_scatter_take_and_add_along_any_axis)
{
    fixture f = begin();
    static const nm_dtype types[] = {NM_U8, NM_I32, NM_I64};
    for (int axis = 0; axis < 3; axis++) {
        const nm_shape shape = NM_SHAPE(3, 4, 5);
        nm_tensor *x = indices(&f, NM_F32, NM_SHAPE(4, 5, 6), 100);
        nm_tensor *index = indices(&f, types[axis], shape, 4);
        nm_tensor *taken = nm_gather(f.tape, x, index, .axis = axis);
        nm_tensor *added = nm_scatter_add(f.tape, x, index, taken, .axis = axis);
        assert_fine(f.context);
        double sums[120];
        for (int64_t i = 0; i < 120; i++) {
            sums[i] = nm_tensor_get(x, i);
        }
        for (int64_t i = 0; i < 60; i++) {
            const int64_t k = place_of(i, axis, (int64_t)nm_tensor_get(index, i), &shape);
            ck_assert_double_eq(nm_tensor_get(taken, i), nm_tensor_get(x, k));
            sums[k] += nm_tensor_get(x, k);
        }
        for (int64_t i = 0; i < 120; i++) {
            ck_assert_double_eq(nm_tensor_get(added, i), sums[i]);
        }
    }
    end(&f);
}
END_TEST

START_TEST(an_index_outside_is_told_with_its_place)
{
    fixture f = begin();
    static const int64_t wrong[] = {-4, 3};
    for (int i = 0; i < 2; i++) {
        nm_tensor *index =
            nm_tape_wrap(f.tape, NM_I64, NM_SHAPE(2, 2), (int64_t[]){-3, 2, i ? 0 : 1, wrong[i]});
        char says[80];
        snprintf(says, sizeof says, "index at [1, 1] is %d; there are 3, from 0 on", (int)wrong[i]);
        ck_assert_ptr_null(
            nm_gather(f.tape, normal(&f, NM_F32, NM_SHAPE(3, 2), 0, 1, 1), index, .axis = 0));
        ck_assert_ptr_nonnull(strstr(nm_context_error(f.context), says));
        nm_context_clear_error(f.context);
    }
    end(&f);
}
END_TEST

START_TEST(a_condition_of_any_type_chooses)
{
    fixture f = begin();
    static const nm_dtype types[] = {NM_U8, NM_I32, NM_I64, NM_F32, NM_F64};
    for (int way = 0; way < 10; way++) {
        const nm_dtype dtype = way < 5 ? NM_F32 : NM_F64;
        nm_tensor *condition = indices(&f, types[way % 5], NM_SHAPE(7, 30), 3);
        nm_tensor *a = normal(&f, dtype, NM_SHAPE(7, 30), 0, 1, 1);
        nm_tensor *b = normal(&f, dtype, NM_SHAPE(30), 0, 1, 2);
        nm_tensor *y = nm_where(f.tape, condition, a, b);
        assert_fine(f.context);
        for (int64_t i = 0; i < 210; i++) {
            ck_assert_double_eq(nm_tensor_get(y, i), nm_tensor_get(condition, i) != 0
                                                         ? nm_tensor_get(a, i)
                                                         : nm_tensor_get(b, i % 30));
        }
    }
    end(&f);
}
END_TEST

START_TEST(an_index_is_a_whole_number_that_i32_holds)
{
    fixture f = begin();
    static const double wrong[] = {0.5, -1e-3, 2147483648.0, -2147485696.0, 1e30, NAN, INFINITY};
    for (int i = 0; i < NM_COUNT_OF(wrong); i++) {
        ck_assert_ptr_null(nm_to_index(f.tape, VECTOR(f, 0, (float)wrong[i])));
        ck_assert_ptr_nonnull(strstr(nm_context_error(f.context), "x at [1] is "));
        nm_context_clear_error(f.context);
    }
    nm_tensor *y = nm_to_index(f.tape, VECTOR(f, -2147483648.0f, 2147483520.0f, -7, -0.0f));
    assert_fine(f.context);
    ck_assert_double_eq(nm_tensor_get(y, 0), -2147483648.0);
    ck_assert_double_eq(nm_tensor_get(y, 1), 2147483520.0);
    ck_assert_double_eq(nm_tensor_get(y, 2), -7);
    ck_assert_double_eq(nm_tensor_get(y, 3), 0);
    end(&f);
}
END_TEST

/* In f32, as PyTorch computes places, the last one of so many comes to 1 by rounding. */
START_TEST(the_last_of_millions_is_taken_from_its_own_row)
{
    const int64_t length = 13103685;
    fixture f = begin();
    nm_tensor *x = nm_tape_tensor(f.tape, NM_F32, NM_SHAPE(2, 1, 1));
    nm_tensor_set(x, 0, 1);
    nm_tensor_set(x, 1, 2);
    nm_tensor *y = nm_upsample(f.tape, x, .size = NM_INTS(length));
    assert_fine(f.context);
    ck_assert_double_eq(nm_tensor_get(y, length - 1), 1);
    ck_assert_double_eq(nm_tensor_get(y, 2 * length - 1), 2);
    end(&f);
}
END_TEST

TEST_MAIN("ops/moves", whole_tiles_and_their_rests_are_transposed,
          rows_are_turned_round_whatever_their_type,
          the_first_of_the_largest_is_found_in_lines_of_any_length,
          running_sums_along_and_across_rows, gather_and_scatter_take_and_add_along_any_axis,
          an_index_outside_is_told_with_its_place, a_condition_of_any_type_chooses,
          an_index_is_a_whole_number_that_i32_holds, the_last_of_millions_is_taken_from_its_own_row)
