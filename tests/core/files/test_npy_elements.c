#include <math.h>

#include "tests/core/files/npy.h"

/* An array of `shape` whose elements are `size` bytes each, spelled by `data`, becomes `wanted`. */
static void expect_values(const char *header, const void *data, size_t size, nm_dtype dtype,
                          nm_shape shape, const double *wanted)
{
    bytes b = spell(1, header, 0);
    add(&b, data, size);
    nm_context *context = test_context(NULL);
    nm_tensor *tensor = nm_npy_parse(context, b.data, b.size, "x.npy");
    assert_fine(context);
    ck_assert_int_eq(nm_tensor_dtype(tensor), dtype);
    ck_assert(nm_shape_equal(nm_tensor_shape(tensor), &shape));
    for (int64_t i = 0; i < nm_tensor_count(tensor); i++) {
        double value = nm_tensor_get(tensor, i);
        ck_assert_msg(value == wanted[i] || (isnan(value) && isnan(wanted[i])),
                      "%s: element %lld is %.17g, not %.17g", header, (long long)i, value,
                      wanted[i]);
    }
    nm_tensor_destroy(tensor);
    nm_context_destroy(context);
}

#define VALUES(...) ((const double[]){__VA_ARGS__})

START_TEST(small_integers_become_wider_ones_without_loss)
{
    expect_values(DICT("'|i1'", "False", "(3,)"), "\x80\xff\x7f", 3, NM_I32, NM_SHAPE(3),
                  VALUES(-128, -1, 127));
    expect_values(DICT("'<i2'", "False", "(3,)"), "\0\x80\xff\xff\xff\x7f", 6, NM_I32, NM_SHAPE(3),
                  VALUES(-32768, -1, 32767));
    expect_values(DICT("'<u2'", "False", "(2,)"), "\1\0\xff\xff", 4, NM_I32, NM_SHAPE(2),
                  VALUES(1, 65535));
    expect_values(DICT("'<u4'", "False", "(2,)"), "\1\0\0\0\xff\xff\xff\xff", 8, NM_I64,
                  NM_SHAPE(2), VALUES(1, 4294967295.0));
    expect_values(DICT("'<u8'", "False", "(1,)"), "\0\0\0\0\0\0\0\x40", 8, NM_I64, NM_SHAPE(1),
                  VALUES(0x1p62));
}
END_TEST

START_TEST(every_half_becomes_the_same_number)
{
    expect_values(DICT("'<f2'", "False", "(8,)"), "\0\x3c\1\0\xff\3\0\4\xff\x7b\0\xfc\0\x7e\0\xc1",
                  16, NM_F32, NM_SHAPE(8),
                  VALUES(1, 0x1p-24, 0x3ffp-24, 0x1p-14, 65504, -INFINITY, NAN, -2.5));
    /* All of them, beside the formula. */
    bytes b = spell(1, DICT("'<f2'", "False", "(256,)"), 0);
    size_t head = b.size;
    b.size += 512;
    nm_context *context = test_context(NULL);
    for (int high = 0; high < 256; high++) {
        for (int low = 0; low < 256; low++) {
            b.data[head + 2 * (size_t)low] = (unsigned char)low;
            b.data[head + 2 * (size_t)low + 1] = (unsigned char)high;
        }
        nm_tensor *tensor = nm_npy_parse(context, b.data, b.size, "x.npy");
        for (int low = 0; low < 256; low++) {
            int exponent = high >> 2 & 31, fraction = (high & 3) << 8 | low;
            double wanted = exponent == 31  ? (fraction ? (double)NAN : (double)INFINITY)
                            : exponent == 0 ? ldexp(fraction, -24)
                                            : ldexp(1024 + fraction, exponent - 25);
            double value = copysign(wanted, high & 128 ? -1 : 1), got = nm_tensor_get(tensor, low);
            ck_assert(isnan(value) ? isnan(got) : got == value);
            ck_assert(isnan(value) || signbit(value) == signbit(got));
        }
        nm_tensor_destroy(tensor);
    }
    nm_context_destroy(context);
}
END_TEST

START_TEST(big_endian_numbers_are_turned_round)
{
    expect_values(DICT("'>i2'", "False", "(2,)"), "\0\1\xff\xfe", 4, NM_I32, NM_SHAPE(2),
                  VALUES(1, -2));
    expect_values(DICT("'>u2'", "False", "(1,)"), "\x80\0", 2, NM_I32, NM_SHAPE(1), VALUES(32768));
    expect_values(DICT("'>i4'", "False", "(1,)"), "\xff\xff\xff\xfe", 4, NM_I32, NM_SHAPE(1),
                  VALUES(-2));
    expect_values(DICT("'>u4'", "False", "(1,)"), "\x80\0\0\0", 4, NM_I64, NM_SHAPE(1),
                  VALUES(0x1p31));
    expect_values(DICT("'>i8'", "False", "(1,)"), "\xff\xff\xff\xff\xff\xff\xff\xfe", 8, NM_I64,
                  NM_SHAPE(1), VALUES(-2));
    expect_values(DICT("'>u8'", "False", "(1,)"), "\0\0\0\0\0\0\1\0", 8, NM_I64, NM_SHAPE(1),
                  VALUES(256));
    expect_values(DICT("'>f2'", "False", "(1,)"), "\x3e\0", 2, NM_F32, NM_SHAPE(1), VALUES(1.5));
    expect_values(DICT("'>f4'", "False", "(1,)"), "\x3f\xc0\0\0", 4, NM_F32, NM_SHAPE(1),
                  VALUES(1.5));
    expect_values(DICT("'>f8'", "False", "(1,)"), "\x3f\xf8\0\0\0\0\0\0", 8, NM_F64, NM_SHAPE(1),
                  VALUES(1.5));
    expect_values(DICT("'>u1'", "False", "(1,)"), "\7", 1, NM_U8, NM_SHAPE(1), VALUES(7));
}
END_TEST

START_TEST(no_byte_order_is_this_processors)
{
    static const char *const headers[] = {DICT("'=i2'", "False", "(1,)"),
                                          DICT("'|i2'", "False", "(1,)"),
                                          DICT("'i2'", "False", "(1,)")};
    const uint16_t number = 258;
    for (int i = 0; i < 3; i++) {
        expect_values(headers[i], &number, 2, NM_I32, NM_SHAPE(1), VALUES(258));
    }
}
END_TEST

START_TEST(any_byte_but_0_of_a_bool_is_a_1)
{
    expect_values(DICT("'|b1'", "False", "(4,)"), "\0\1\2\xff", 4, NM_U8, NM_SHAPE(4),
                  VALUES(0, 1, 1, 1));
}
END_TEST

START_TEST(an_array_in_column_order_is_transposed)
{
    expect_values(DICT("'|u1'", "True", "(2, 3)"), "\1\2\3\4\5\6", 6, NM_U8, NM_SHAPE(2, 3),
                  VALUES(1, 3, 5, 2, 4, 6));
    expect_values(DICT("'|u1'", "True", "(3,)"), "\1\2\3", 3, NM_U8, NM_SHAPE(3), VALUES(1, 2, 3));
    expect_values(DICT("'>i2'", "True", "(2, 2)"), "\0\1\0\2\0\3\0\4", 8, NM_I32, NM_SHAPE(2, 2),
                  VALUES(1, 3, 2, 4));
    expect_values(DICT("'<f4'", "True", "()"), "\0\0\xc0\x3f", 4, NM_F32, NM_SCALAR_SHAPE,
                  VALUES(1.5));
    expect_values(DICT("'<f4'", "True", "(2, 0)"), "", 0, NM_F32, NM_SHAPE(2, 0), NULL);
}
END_TEST

/* The place of element `index` (row-major) in column order. */
static int64_t column_place(const nm_shape *shape, int64_t index)
{
    int64_t place = 0;
    for (int i = shape->rank - 1; i >= 0; i--) {
        int64_t step = 1;
        for (int j = 0; j < i; j++) {
            step *= shape->dim[j];
        }
        place += index % shape->dim[i] * step;
        index /= shape->dim[i];
    }
    return place;
}

START_TEST(column_order_of_any_rank_and_size_is_understood)
{
    static const struct {
        const char *header;
        nm_shape shape;
    } cases[] = {
        {DICT("'<i2'", "True", "(2, 3, 4)"), {3, {2, 3, 4}}},
        {DICT("'<i2'", "True", "(3, 1, 2, 5)"), {4, {3, 1, 2, 5}}},
        {DICT("'<i2'", "True", "(1, 7)"), {2, {1, 7}}},
        {DICT("'<i2'", "True", "(2, 1, 3, 2, 1, 3)"), {6, {2, 1, 3, 2, 1, 3}}},
        {DICT("'<i2'", "True", "(67, 3, 130)"), {3, {67, 3, 130}}}, /* more than one tile */
    };
    nm_context *context = test_context(NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bytes b = spell(1, cases[i].header, 0);
        int64_t count = nm_shape_count(&cases[i].shape);
        size_t size = b.size + 2 * (size_t)count;
        unsigned char *file = nm_alloc(context, size);
        memcpy(file, b.data, b.size);
        for (int64_t j = 0; j < count; j++) {
            file[b.size + 2 * (size_t)j] = (unsigned char)j;
            file[b.size + 2 * (size_t)j + 1] = (unsigned char)(j >> 8);
        }
        nm_tensor *tensor = nm_npy_parse(context, file, size, "x.npy");
        assert_fine(context);
        for (int64_t j = 0; j < count; j++) {
            int64_t place = column_place(&cases[i].shape, j);
            ck_assert_int_eq((int64_t)nm_tensor_get(tensor, j), place);
        }
        nm_tensor_destroy(tensor);
        nm_free(context, file);
    }
    nm_context_destroy(context);
}
END_TEST

START_TEST(what_a_tensor_does_not_tell_is_told)
{
    bytes b = spell(1, DICT("'|b1'", "True", "(2, 3)"), 6);
    nm_context *context = test_context(NULL);
    nm_npy_info info;
    nm_tensor_destroy(nm_npy_parse_info(context, b.data, b.size, "x.npy", &info));
    ck_assert(info.is_bool && info.is_fortran && !info.is_big_endian);
    ck_assert_str_eq(info.type, "|b1");
    b = spell(1, DICT("'>f4'", "False", "(1,)"), 4);
    test_write_file(test_path("info.npy"), b.data, b.size);
    nm_tensor_destroy(nm_npy_read_info(context, test_path("info.npy"), &info));
    ck_assert(!info.is_bool && !info.is_fortran && info.is_big_endian);
    ck_assert_str_eq(info.type, ">f4");
    b = spell(1, DICT("'>u1'", "False", "(1,)"), 1);
    nm_tensor_destroy(nm_npy_parse_info(context, b.data, b.size, "x.npy", &info));
    ck_assert(!info.is_big_endian);
    assert_fine(context);
    nm_context_destroy(context);
}
END_TEST

START_TEST(what_i64_cannot_hold_is_refused_with_its_place)
{
    bytes b = spell(1, DICT("'<u8'", "True", "(2, 2)"), 0);
    add(&b, "\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 32);
    refuse(&b, "x.npy: element [1, 0] is 9223372036854775809, more than the 9223372036854775807");
}
END_TEST

TEST_MAIN("core/files/npy_elements", small_integers_become_wider_ones_without_loss,
          every_half_becomes_the_same_number, big_endian_numbers_are_turned_round,
          no_byte_order_is_this_processors, any_byte_but_0_of_a_bool_is_a_1,
          an_array_in_column_order_is_transposed, column_order_of_any_rank_and_size_is_understood,
          what_a_tensor_does_not_tell_is_told, what_i64_cannot_hold_is_refused_with_its_place)
