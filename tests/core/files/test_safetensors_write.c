/* safetensors files that are written, and read again. */
#include <stdio.h>
#include <string.h>

#include "core/file.h"
#include "core/tape.h"
#include "tests/core/files/files.h"

START_TEST(a_file_is_written_with_aligned_data_and_a_padded_header)
{
    nm_context *context = test_context(NULL);
    nm_tensor *bytes_ = nm_tensor_copy_of(context, NM_U8, NM_SHAPE(1), (uint8_t[]){9});
    nm_tensor *wide = nm_tensor_copy_of(context, NM_F64, NM_SCALAR_SHAPE, (double[]){1.5});
    nm_tensor_writer *writer = nm_tensor_writer_create(context);
    nm_tensor_writer_add(writer, "small", bytes_);
    nm_tensor_writer_add(writer, "w\"\\\n", wide);
    nm_tensor_writer_set_metadata(writer, "by", "nobody");
    nm_tensor_writer_set_metadata(writer, "by", "norma"); /* replaces */
    ck_assert_int_eq(nm_tensor_writer_write(writer, test_path("two.safetensors")), NM_OK);
    assert_fine(context);
    /* In the order added; the f64 first in the data. */
    char wanted[8 + 184 + 9] = {(char)184};
    memset(wanted + 8, ' ', 184);
    static const char header[] =
        "{\"__metadata__\":{\"by\":\"norma\"},"
        "\"small\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[8,9]},"
        "\"w\\\"\\\\\\u000a\":{\"dtype\":\"F64\",\"shape\":[],\"data_offsets\":[0,8]}}";
    memcpy(wanted + 8, header, sizeof header - 1);
    memcpy(wanted + 192, "\0\0\0\0\0\0\xf8\x3f", 8); /* 1.5 */
    wanted[200] = 9;
    expect_contents(test_path("two.safetensors"), wanted, sizeof wanted);
    nm_tensor_writer_destroy(writer);
    nm_tensor_destroy(bytes_);
    nm_tensor_destroy(wide);
    nm_context_destroy(context);
}
END_TEST

/* Every type and rank, with names that need escaping, and any bits. */
static int make_tensors(nm_context *context, nm_tensor *tensors[64])
{
    int count = 0;
    for (int dtype = 0; dtype < NM_DTYPE_COUNT; dtype++) {
        nm_shape shape = {0, {2, 3, 1, 2, 2, 3}};
        for (; shape.rank <= NM_MAX_RANK + 1; shape.rank++) {
            bool empty = shape.rank > NM_MAX_RANK;
            nm_tensor *x =
                nm_tensor_create(context, (nm_dtype)dtype, empty ? NM_SHAPE(2, 0) : shape);
            unsigned char *data = nm_tensor_data(x);
            for (size_t i = 0; i < nm_tensor_bytes(x); i++) {
                data[i] = (unsigned char)(i * 37 + 200 + (size_t)count);
            }
            tensors[count++] = x;
        }
    }
    return count;
}

static char *name_of(int index, char name[32])
{
    snprintf(name, 32, "layer \"%d\"\t\xc3\xa4.weight", index);
    return name;
}

START_TEST(every_type_and_rank_comes_back_bit_by_bit)
{
    nm_context *context = test_context(NULL);
    nm_tensor *tensors[64];
    char name[32];
    int count = make_tensors(context, tensors);
    nm_tensor_writer *writer = nm_tensor_writer_create(context);
    for (int i = 0; i < count; i++) {
        nm_tensor_writer_add(writer, name_of(i, name), tensors[i]);
    }
    nm_tensor_writer_set_metadata(writer, "text", "a \"quoted\"\nline \\ \xe2\x82\xac \x7f");
    ck_assert_int_eq(nm_tensor_writer_write(writer, test_path("all.safetensors")), NM_OK);
    nm_tensor_writer_destroy(writer);
    nm_tensor_file *file = nm_tensor_file_read(context, test_path("all.safetensors"));
    assert_fine(context);
    ck_assert_int_eq(nm_tensor_file_count(file), count);
    for (int i = 0; i < count; i++) {
        nm_tensor *x = tensors[i], *y = nm_tensor_file_at(file, i);
        ck_assert_str_eq(nm_tensor_file_name(file, i), name_of(i, name));
        ck_assert_int_eq(nm_tensor_dtype(x), nm_tensor_dtype(y));
        ck_assert(nm_shape_equal(nm_tensor_shape(x), nm_tensor_shape(y)));
        ck_assert_mem_eq(nm_tensor_data(x), nm_tensor_data(y), nm_tensor_bytes(x));
        nm_tensor_destroy(x);
    }
    ck_assert_str_eq(nm_tensor_file_metadata(file, "text"),
                     "a \"quoted\"\nline \\ \xe2\x82\xac \x7f");
    nm_tensor_file_destroy(file);
    nm_context_destroy(context);
}
END_TEST

START_TEST(an_empty_file_is_written_and_read)
{
    nm_context *context = test_context(NULL);
    nm_tensor_writer *writer = nm_tensor_writer_create(context);
    ck_assert_int_eq(nm_tensor_writer_write(writer, test_path("none.safetensors")), NM_OK);
    nm_tensor_writer_destroy(writer);
    nm_tensor_file *file = nm_tensor_file_read(context, test_path("none.safetensors"));
    assert_fine(context);
    ck_assert_int_eq(nm_tensor_file_count(file), 0);
    nm_tensor_file_destroy(file);
    nm_context_destroy(context);
}
END_TEST

START_TEST(what_cannot_be_added_is_an_error)
{
    nm_context *context = test_context(NULL);
    nm_tensor *x = nm_tensor_create(context, NM_F32, NM_SHAPE(2));
    nm_tensor_writer *writer = nm_tensor_writer_create(context);
    ck_assert_int_eq(nm_tensor_writer_add(writer, "x", x), NM_OK);
    ck_assert_int_eq(nm_tensor_writer_add(writer, "x", x), NM_ERROR_INPUT);
    assert_error(context, NM_ERROR_INPUT, "\"x\" is taken");
    ck_assert_int_eq(nm_tensor_writer_add(writer, "y", NULL), NM_ERROR_INPUT);
    assert_error(context, NM_ERROR_INPUT, "\"y\" cannot be written: it is NULL");
    ck_assert_int_eq(nm_tensor_writer_add(writer, "__metadata__", x), NM_ERROR_INPUT);
    assert_error(context, NM_ERROR_INPUT, "which safetensors keeps for text");
    ck_assert_int_eq(nm_tensor_writer_add(writer, "ab\xff", x), NM_ERROR_INPUT);
    assert_error(context, NM_ERROR_INPUT, "the name of a tensor cannot be written: byte 2 is not");
    ck_assert_int_eq(nm_tensor_writer_set_metadata(writer, "\xc3", "x"), NM_ERROR_INPUT);
    assert_error(context, NM_ERROR_INPUT, "a metadata key cannot be written: byte 0 is not UTF-8");
    ck_assert_int_eq(nm_tensor_writer_set_metadata(writer, "x", "\xed\xa0\x80"), NM_ERROR_INPUT);
    assert_error(context, NM_ERROR_INPUT, "a metadata text cannot be written");
    nm_tensor_writer_destroy(writer);
    nm_tensor_writer_destroy(NULL);
    nm_tensor_destroy(x);
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_file_that_cannot_be_written_is_an_error_and_leaves_the_old_one)
{
    nm_context *context = test_context(NULL);
    nm_tensor *x = nm_tensor_create(context, NM_F32, NM_SHAPE(2));
    nm_tensor_writer *writer = nm_tensor_writer_create(context);
    nm_tensor_writer_add(writer, "x", x);
    ck_assert_int_eq(nm_tensor_writer_write(writer, test_path("no/folder")), NM_ERROR_IO);
    assert_error(context, NM_ERROR_IO, "no/folder\": No such file or directory");
    ck_assert_int_eq(nm_tensor_writer_write(writer, "/dev/full"), NM_ERROR_IO);
    assert_error(context, NM_ERROR_IO, "No space left on device");
    /* A tensor whose elements are gone: found out while the file is being written. */
    test_write_file(test_path("kept"), "old", 3);
    nm_tape *tape = nm_tape_create(context);
    nm_tape_set_dry(tape, true);
    nm_tensor *gone = nm_full(tape, NM_F32, NM_SHAPE(2), 0);
    nm_tensor_writer_add(writer, "gone", gone);
    ck_assert_int_eq(nm_tensor_writer_write(writer, test_path("kept")), NM_ERROR_INPUT);
    assert_error(context, NM_ERROR_INPUT, "\"gone\" cannot be written: the elements of");
    expect_contents(test_path("kept"), "old", 3);
    nm_tensor_writer_destroy(writer);
    nm_tape_destroy(tape);
    nm_tensor_destroy(x);
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_file_that_is_not_there_is_an_error)
{
    nm_context *context = test_context(NULL);
    ck_assert_ptr_null(nm_tensor_file_read(context, test_path("nothing")));
    assert_error(context, NM_ERROR_IO, "/nothing\": No such file or directory");
    ck_assert_ptr_null(nm_tensor_file_read(context, test_folder()));
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
    nm_tensor *x = nm_tensor_create(context, NM_F32, NM_SHAPE(20, 30));
    nm_tensor_writer *writer = nm_tensor_writer_create(context);
    nm_tensor_file *file = NULL;
    if (x && writer && nm_tensor_writer_add(writer, "x", x) == NM_OK &&
        nm_tensor_writer_add(writer, "y", x) == NM_OK &&
        nm_tensor_writer_set_metadata(writer, "k", "text") == NM_OK &&
        nm_tensor_writer_set_metadata(writer, "k", "other") == NM_OK &&
        nm_tensor_writer_write(writer, test_path("memory.safetensors")) == NM_OK) {
        file = nm_tensor_file_read(context, test_path("memory.safetensors"));
    }
    nm_status status = nm_context_status(context);
    nm_tensor_file_destroy(file);
    nm_tensor_writer_destroy(writer);
    nm_tensor_destroy(x);
    test_context_end(context, memory);
    return status;
}

START_TEST(any_allocation_may_fail_while_a_file_is_written)
{
    test_every_allocation(write_and_read);
}
END_TEST

TEST_MAIN("core/files/safetensors_write", a_file_is_written_with_aligned_data_and_a_padded_header,
          every_type_and_rank_comes_back_bit_by_bit, an_empty_file_is_written_and_read,
          what_cannot_be_added_is_an_error,
          a_file_that_cannot_be_written_is_an_error_and_leaves_the_old_one,
          a_file_that_is_not_there_is_an_error, any_allocation_may_fail_while_a_file_is_written)
