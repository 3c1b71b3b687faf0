#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/file.h"
#include "tests/core/files/files.h"
#include "tests/core/files/npy.h"

/* A header that is refused, on 24 bytes of data. */
static void refuse_header(const char *header, const char *message)
{
    bytes b = spell(1, header, 24);
    refuse(&b, message);
}

/* A header that is accepted, on `size` bytes of data. */
static void expect(int version, const char *header, size_t size, nm_dtype dtype, nm_shape shape)
{
    nm_context *context = test_context(NULL);
    bytes b = spell(version, header, size);
    nm_tensor *tensor = nm_npy_parse(context, b.data, b.size, "x.npy");
    assert_fine(context);
    ck_assert_int_eq(nm_tensor_dtype(tensor), dtype);
    ck_assert(nm_shape_equal(nm_tensor_shape(tensor), &shape));
    ck_assert_uint_eq(nm_tensor_bytes(tensor), size);
    test_turn(nm_tensor_data(tensor), size, nm_dtype_size(dtype));
    ck_assert_mem_eq(nm_tensor_data(tensor), b.data + b.size - size, size);
    nm_tensor_destroy(tensor);
    nm_context_destroy(context);
}

/* ---- What is read ---- */

START_TEST(a_file_that_numpy_wrote_is_read)
{
    /* numpy.save("x.npy", numpy.array([[1, -2, 0.5], [numpy.inf, 0, 3]], dtype="<f4")) */
    static const char header[] = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }"
                                 "                                                          \n";
    static const unsigned char elements[] = {0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0, 0, 0, 0,    0x3f,
                                             0, 0, 0x80, 0x7f, 0, 0, 0, 0,    0, 0, 0x40, 0x40};
    bytes b = {0};
    add(&b, "\x93NUMPY\x01\x00\x76\x00", 10);
    add(&b, header, sizeof header - 1);
    ck_assert_uint_eq(b.size, 128);
    add(&b, elements, sizeof elements);
    test_write_file(test_path("numpy.npy"), b.data, b.size);
    nm_context *context = test_context(NULL);
    nm_tensor *x = nm_npy_read(context, test_path("numpy.npy"));
    assert_fine(context);
    ck_assert(nm_shape_equal(nm_tensor_shape(x), &NM_SHAPE(2, 3)));
    static const float wanted[] = {1, -2, 0.5f, INFINITY, 0, 3};
    ck_assert_mem_eq(nm_tensor_f32(x), wanted, sizeof wanted);
    nm_tensor_destroy(x);
    nm_context_destroy(context);
}
END_TEST

START_TEST(every_type_is_read)
{
    expect(1, DICT("'<f4'", "False", "(2, 3)"), 24, NM_F32, NM_SHAPE(2, 3));
    expect(1, DICT("'<f8'", "False", "(3,)"), 24, NM_F64, NM_SHAPE(3));
    expect(1, DICT("'<i4'", "False", "(6,)"), 24, NM_I32, NM_SHAPE(6));
    expect(1, DICT("'<i8'", "False", "(3, 1)"), 24, NM_I64, NM_SHAPE(3, 1));
    expect(1, DICT("'|u1'", "False", "(24,)"), 24, NM_U8, NM_SHAPE(24));
    expect(1, DICT("'<u1'", "False", "(24,)"), 24, NM_U8, NM_SHAPE(24)); /* by other programs */
}
END_TEST

START_TEST(every_version_is_read)
{
    for (int version = 1; version <= 3; version++) {
        expect(version, DICT("'<f4'", "False", "(2, 3)"), 24, NM_F32, NM_SHAPE(2, 3));
    }
}
END_TEST

START_TEST(ranks_0_to_6_and_empty_arrays_are_read)
{
    expect(1, DICT("'<f8'", "False", "()"), 8, NM_F64, NM_SCALAR_SHAPE);
    expect(1, DICT("'|u1'", "False", "(1, 2, 1, 3, 2, 2)"), 24, NM_U8, NM_SHAPE(1, 2, 1, 3, 2, 2));
    expect(1, DICT("'<f4'", "False", "(2, 0)"), 0, NM_F32, NM_SHAPE(2, 0));
    expect(1, DICT("'<f4'", "False", "(0,)"), 0, NM_F32, NM_SHAPE(0));
}
END_TEST

START_TEST(the_dict_is_read_in_any_order_and_spacing)
{
    nm_shape shape = NM_SHAPE(2, 3);
    expect(1, "{'shape':(2,3),'fortran_order':False,'descr':'<f4'}", 24, NM_F32, shape);
    expect(1, "{\"shape\": (2, 3,), \"descr\": \"<f4\", \"fortran_order\": False}", 24, NM_F32,
           shape);
    expect(1, " { 'fortran_order' :\tFalse , 'shape' : ( 2 , 3 ) , 'descr' : '<f4' , } \n\n", 24,
           NM_F32, shape);
    expect(1, DICT("'<f4'", "False", "(2L, 3L)"), 24, NM_F32, shape); /* Python 2 */
}
END_TEST

/* ---- What is refused ---- */

START_TEST(what_numpy_stores_and_norma_does_not_is_refused_with_a_remedy)
{
    refuse_header(DICT("'|O'", "False", "(3,)"),
                  "x.npy: the array holds Python objects (|O); save");
    refuse_header(DICT("'<c8'", "False", "(3,)"), "complex numbers (<c8); save x.real and x.imag");
    refuse_header(DICT("'<U6'", "False", "(1,)"), "the array holds texts (<U6); save numbers");
    refuse_header(DICT("'|S8'", "False", "(3,)"), "the array holds texts (|S8); save numbers");
    refuse_header(DICT("'<M8[ns]'", "False", "(3,)"), "dates (<M8[ns]); save x.astype(\"<i8\")");
    refuse_header(DICT("'<m8[s]'", "False", "(3,)"), "times (<m8[s]); save x.astype(\"<i8\")");
    refuse_header(DICT("'|V8'", "False", "(3,)"), "raw bytes (|V8); save numbers");
    refuse_header(DICT("'<f16'", "False", "(3,)"), "floating-point numbers (<f16); save x.astype");
    refuse_header(DICT("'<f4 '", "False", "(6,)"), "save x.astype");
    refuse_header(DICT("'<i3'", "False", "(8,)"), "the type \"<i3\" is not read; save x.astype");
    refuse_header(DICT("'<<f4'", "False", "(6,)"), "the type \"<<f4\" is not read");
    refuse_header(DICT("''", "False", "(12,)"), "the type \"\" is not read");
    refuse_header(DICT("'<'", "False", "(12,)"), "the type \"<\" is not read");
    refuse_header(DICT("[('a', '<f4'), ('b', '<f8')]", "False", "(2,)"),
                  "made of records; save one");
    refuse_header(DICT("'|u1'", "False", "(1, 1, 1, 1, 1, 1, 24)"), "more than 6 dimensions");
}
END_TEST

START_TEST(what_is_no_npy_file_is_refused)
{
    static const unsigned char gzip[] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    bytes b = {0};
    refuse(&b, "x.npy: not an NPY file");
    add(&b, gzip, sizeof gzip);
    refuse(&b, "x.npy: not an NPY file but gzip data; unpack it");
    b.size = 0;
    add(&b, "PK\3\4and more", 12);
    refuse(&b, "x.npy: not an NPY file but an archive of several (.npz); save the array alone: ");
    b.size = 0;
    add(&b, "a,b,class\n1,2,x\n", 16);
    refuse(&b, "x.npy: not an NPY file but text; read a table with csv: {path: ...}");
    b.size = 0;
    add(&b, "\0\0\x08\3\0\0\0\1", 8);
    refuse(&b,
           "x.npy: not an NPY file but an IDX file; read it with idx: {images: ..., labels: ...}");
    b.size = 0;
    add(&b, "version https://git-lfs.github.com/spec/v1\noid", 46);
    refuse(&b, "x.npy: not an NPY file but a pointer of Git LFS and not the file itself");
    b = spell(0, DICT("'<f4'", "False", "(2, 3)"), 24);
    refuse(&b, "NPY version 0 is not read; versions 1 to 3 are");
    b = spell(4, DICT("'<f4'", "False", "(2, 3)"), 24);
    refuse(&b, "NPY version 4 is not read");
}
END_TEST

START_TEST(a_header_that_is_no_dict_of_an_array_is_refused_with_a_place)
{
    static const char *const damaged[][2] = {
        {"", "expected { at byte 0"},
        {"[]", "expected { at byte 0"},
        {"{", "expected a quoted text at byte 1"},
        {"{}", "it needs descr, fortran_order and shape"},
        {"{'descr': '<f4', 'shape': (2, 3)}", "it needs descr, fortran_order and shape"},
        {"{'descr': '<f4', 'fortran_order': False}", "it needs descr"},
        {"{'descr'", "expected a colon at byte 8"},
        {"{'descr': <f4", "expected a quoted text at byte 10"},
        {"{'descr': '<f4", "expected a closing quote at byte 14"},
        {"{'descr': '<f4\"", "expected a closing quote"},
        {"{'descr': '\\x3cf4', 'shape': (2, 3)}", "expected a short, plain text"},
        {"{'descr': '<f4\x01'", "expected a short, plain text"},
        {"{'descr': '<f4\xff'", "expected a short, plain text"},
        {"{'descr': '<f4' 'shape': (2, 3)}", "expected a comma or } at byte 16"},
        {"{'descr': '<f4',, 'shape': (2, 3)}", "expected a quoted text at byte 16"},
        {"{'descr': '<f4', 'descr': '<f4'}", "\"descr\" is there twice"},
        {"{'shape': (2, 3), 'shape': (2, 3)}", "\"shape\" is there twice"},
        {"{'fortran_order': False, 'fortran_order': False}", "\"fortran_order\" is there twice"},
        {"{'color': 'red'}", "unknown key \"color\""},
        {"{'fortran_order': false}", "expected True or False"},
        {"{'fortran_order': 0}", "expected True or False"},
        {"{'fortran_order': Falsehood}", "expected a comma or }"},
        {"{'shape': 6}", "expected a tuple of sizes"},
        {"{'shape': [2, 3]}", "expected a tuple of sizes"},
        {"{'shape': (6)}", "expected a comma in a tuple of one"},
        {"{'shape': (,)}", "a size that is a whole number"},
        {"{'shape': (2,,3)}", "a size that is a whole number"},
        {"{'shape': (2 3)}", "expected a comma at byte 13"},
        {"{'shape': (2, -3)}", "a whole number and not negative"},
        {"{'shape': (2.0, 3)}", "expected a comma"},
        {"{'shape': (2e1, 3)}", "expected a comma"},
        {"{'shape': (None,)}", "a whole number"},
        {"{'shape': (99999999999999999999,)}", "a size in the shape is too large"},
        {"{'shape': (2, 3", "expected a comma"},
    };
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
        refuse_header(damaged[i][0], damaged[i][1]);
    }
    refuse_header(DICT("'<f4'", "False", "(2, 3)") "more", "expected nothing more");
}
END_TEST

START_TEST(a_zero_byte_does_not_end_the_header_early)
{
    bytes b = spell(1, DICT("'<f4'", "False", "(2, 3)") "    ", 24);
    b.data[b.size - 24 - 2] = 0;
    refuse(&b, "expected nothing more");
}
END_TEST

START_TEST(sizes_that_overflow_are_refused)
{
    refuse_header(DICT("'<f4'", "False", "(4611686018427387904, 4)"),
                  "no array can have the shape");
    refuse_header(DICT("'<f4'", "False", "(9223372036854775807, 2)"),
                  "no array can have the shape");
    refuse_header(DICT("'<f8'", "False", "(1152921504606846976,)"), "no array can have the shape");
    refuse_header(DICT("'<f8'", "False", "(2305843009213693952,)"), "no array can have the shape");
    /* The largest shape that a tensor can have: promised, but not there. */
    refuse_header(
        DICT("'<f8'", "False", "(72057594037927935,)"),
        "truncated: the header promises 576460752303423480 bytes of data, the file has 24");
}
END_TEST

START_TEST(data_that_is_cut_or_too_long_is_refused)
{
    bytes b = spell(1, DICT("'<f4'", "False", "(1000,)"), 1000);
    refuse(&b, "x.npy: truncated: the header promises 4000 bytes of data, the file has 1000");
    b = spell(1, DICT("'<f4'", "False", "(2, 3)"), 25);
    refuse(&b, "x.npy: 1 bytes behind the array");
    b = spell(1, DICT("'<f4'", "False", "(0,)"), 1);
    refuse(&b, "1 bytes behind the array");
}
END_TEST

START_TEST(a_header_longer_than_the_file_is_refused)
{
    bytes b = spell(2, DICT("'<f4'", "False", "(2, 3)"), 24);
    b.data[11] = 0xff;
    refuse(&b, "truncated: the header ends at byte 4278190");
    b = spell(1, "", 0);
    b.data[8] = 1;
    refuse(&b, "truncated: the header ends at byte 11, the file at byte 10");
}
END_TEST

/* ---- Any bytes ---- */

START_TEST(a_file_cut_anywhere_is_an_error)
{
    for (int version = 1; version <= 2; version++) {
        bytes b = spell(version, DICT("'<f4'", "False", "(2, 3)"), 24);
        nm_context *context = test_context(NULL);
        for (size_t size = 0; size < b.size; size++) {
            /* In memory of its own, where reading past the end is seen. */
            void *cut = nm_alloc(context, size);
            memcpy(cut, b.data, size);
            ck_assert_ptr_null(nm_npy_parse(context, cut, size, "x.npy"));
            assert_error(context, NM_ERROR_FORMAT, size < 6 ? "not an NPY file" : "truncated");
            nm_free(context, cut);
        }
        nm_context_destroy(context);
    }
}
END_TEST

START_TEST(no_changed_byte_of_a_header_crashes)
{
    bytes b = spell(1, DICT("'<f4'", "False", "(2, 3)"), 24);
    nm_context *context = test_context(NULL);
    for (size_t at = 0; at < b.size - 24; at++) {
        unsigned char kept = b.data[at];
        for (int value = 0; value < 256; value++) {
            b.data[at] = (unsigned char)value;
            nm_tensor *tensor = nm_npy_parse(context, b.data, b.size, "x.npy");
            ck_assert(!tensor == (nm_context_status(context) == NM_ERROR_FORMAT));
            ck_assert(!tensor || nm_tensor_count(tensor) == 6);
            nm_tensor_destroy(tensor);
            nm_context_clear_error(context);
        }
        b.data[at] = kept;
    }
    nm_context_destroy(context);
}
END_TEST

/* ---- Writing ---- */

START_TEST(a_file_is_written_as_numpy_writes_it)
{
    nm_context *context = test_context(NULL);
    nm_tensor *x = nm_tensor_copy_of(context, NM_I32, NM_SHAPE(2), (int32_t[]){1, -2});
    ck_assert_int_eq(nm_npy_write(x, test_path("two.npy")), NM_OK);
    bytes b = {0};
    add(&b, "\x93NUMPY\x01\x00\x76\x00", 10);
    add(&b, "{'descr': '<i4', 'fortran_order': False, 'shape': (2,), }", 57);
    while (b.size < 127) {
        add(&b, " ", 1);
    }
    add(&b, "\n\x01\0\0\0\xfe\xff\xff\xff", 9);
    expect_contents(test_path("two.npy"), b.data, b.size);
    nm_tensor_destroy(x);
    nm_context_destroy(context);
}
END_TEST

/* Writes and reads a tensor whose bytes are 0, 37, 74, ...: any bits, NaN among them. */
static void round_trip(nm_context *context, nm_dtype dtype, nm_shape shape)
{
    nm_tensor *x = nm_tensor_create(context, dtype, shape);
    unsigned char *data = nm_tensor_data(x);
    for (size_t i = 0; i < nm_tensor_bytes(x); i++) {
        data[i] = (unsigned char)(i * 37 + 200);
    }
    ck_assert_int_eq(nm_npy_write(x, test_path("trip.npy")), NM_OK);
    nm_tensor *y = nm_npy_read(context, test_path("trip.npy"));
    assert_fine(context);
    ck_assert_int_eq(nm_tensor_dtype(y), dtype);
    ck_assert(nm_shape_equal(nm_tensor_shape(x), nm_tensor_shape(y)));
    ck_assert_mem_eq(nm_tensor_data(x), nm_tensor_data(y), nm_tensor_bytes(x));
    nm_tensor_destroy(x);
    nm_tensor_destroy(y);
}

START_TEST(every_type_and_rank_comes_back_bit_by_bit)
{
    static const nm_dtype dtypes[] = {NM_F32, NM_F64, NM_I32, NM_I64, NM_U8};
    nm_context *context = test_context(NULL);
    for (int i = 0; i < 5; i++) {
        nm_shape shape = {0, {2, 3, 1, 2, 2, 3}};
        for (; shape.rank <= NM_MAX_RANK; shape.rank++) {
            round_trip(context, dtypes[i], shape);
        }
        round_trip(context, dtypes[i], NM_SHAPE(3, 0, 2));
    }
    nm_context_destroy(context);
}
END_TEST

START_TEST(the_longest_header_fits)
{
    /* Six sizes of 19 digits, which only an empty tensor can have. */
    nm_context *context = test_context(NULL);
    int64_t large = INT64_MAX;
    round_trip(context, NM_F32, (nm_shape){6, {0, large, large, large, large, large}});
    nm_context_destroy(context);
}
END_TEST

START_TEST(what_cannot_be_written_is_an_error_and_makes_no_file)
{
    nm_context *context = test_context(NULL);
    nm_tensor *x = nm_tensor_create(context, NM_BF16, NM_SHAPE(2));
    ck_assert_int_eq(nm_npy_write(x, test_path("bf16.npy")), NM_ERROR_INPUT);
    assert_error(context, NM_ERROR_INPUT, "NPY has no type for bf16; convert the tensor to f32");
    struct stat info;
    ck_assert_int_ne(stat(test_path("bf16.npy"), &info), 0);
    nm_tensor_destroy(x);
    x = nm_tensor_create(context, NM_F32, NM_SHAPE(2));
    ck_assert_int_eq(nm_npy_write(x, test_path("no/folder.npy")), NM_ERROR_IO);
    assert_error(context, NM_ERROR_IO, "cannot write \"");
    ck_assert_int_eq(nm_npy_write(x, "/dev/full"), NM_ERROR_IO);
    assert_error(context, NM_ERROR_IO, "No space left on device");
    nm_tensor_destroy(x);
    ck_assert_int_eq(nm_npy_write(NULL, test_path("null.npy")), NM_ERROR_INPUT);
    ck_assert_ptr_null(nm_npy_read(context, test_path("none.npy")));
    assert_error(context, NM_ERROR_IO, "none.npy\": No such file or directory");
    ck_assert_ptr_null(nm_npy_read(context, test_folder()));
    assert_error(context, NM_ERROR_IO, "it is a folder");
    nm_context_destroy(context);
}
END_TEST

/* ---- Memory ---- */

static nm_status write_and_read(test_memory *memory)
{
    nm_context *context = test_context(memory);
    if (!context) {
        return NM_ERROR_MEMORY;
    }
    nm_tensor *x = nm_tensor_create(context, NM_F32, NM_SHAPE(20, 30)), *y = NULL;
    if (x && nm_npy_write(x, test_path("memory.npy")) == NM_OK) {
        y = nm_npy_read(context, test_path("memory.npy"));
    }
    nm_status status = nm_context_status(context);
    nm_tensor_destroy(x);
    nm_tensor_destroy(y);
    test_context_end(context, memory);
    return status;
}

START_TEST(any_allocation_may_fail)
{
    test_every_allocation(write_and_read);
}
END_TEST

TEST_MAIN("core/files/npy", a_file_that_numpy_wrote_is_read, every_type_is_read,
          every_version_is_read, ranks_0_to_6_and_empty_arrays_are_read,
          the_dict_is_read_in_any_order_and_spacing,
          what_numpy_stores_and_norma_does_not_is_refused_with_a_remedy,
          what_is_no_npy_file_is_refused,
          a_header_that_is_no_dict_of_an_array_is_refused_with_a_place,
          a_zero_byte_does_not_end_the_header_early, sizes_that_overflow_are_refused,
          data_that_is_cut_or_too_long_is_refused, a_header_longer_than_the_file_is_refused,
          a_file_cut_anywhere_is_an_error, no_changed_byte_of_a_header_crashes,
          a_file_is_written_as_numpy_writes_it, every_type_and_rank_comes_back_bit_by_bit,
          the_longest_header_fits, what_cannot_be_written_is_an_error_and_makes_no_file,
          any_allocation_may_fail)
