#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/core/files/spelled.h"

/* ---- What is read ---- */

START_TEST(a_file_that_the_reference_wrote_is_read)
{
    /* safetensors.torch.save_file({"b": torch.tensor([1.5, -2.0]), "a": torch.tensor([[7]])},
     * metadata={"format": "pt"}): the larger type first, the header padded to a multiple of 8. */
    static const char header[] =
        "{\"__metadata__\":{\"format\":\"pt\"},"
        "\"a\":{\"dtype\":\"I64\",\"shape\":[1,1],\"data_offsets\":[0,8]},"
        "\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,16]}}   ";
    static const unsigned char elements[] = {7, 0, 0,    0,    0, 0, 0, 0,
                                             0, 0, 0xc0, 0x3f, 0, 0, 0, 0xc0};
    bytes b = spell(header, 16);
    memcpy(b.data + b.size - 16, elements, 16);
    test_write_file(test_path("reference.safetensors"), b.data, b.size);
    nm_context *context = test_context(NULL);
    nm_tensor_file *file = nm_tensor_file_read(context, test_path("reference.safetensors"));
    assert_fine(context);
    ck_assert_int_eq(nm_tensor_file_count(file), 2);
    ck_assert_str_eq(nm_tensor_file_name(file, 0), "a");
    ck_assert_str_eq(nm_tensor_file_name(file, 1), "b");
    ck_assert_str_eq(nm_tensor_file_metadata(file, "format"), "pt");
    ck_assert(nm_tensor_item(nm_tensor_file_at(file, 0)) == 7);
    nm_tensor *two = nm_tensor_file_find(file, "b");
    ck_assert(two == nm_tensor_file_at(file, 1));
    ck_assert_str_eq(nm_tensor_name(two), "b");
    ck_assert(nm_tensor_f32(two)[0] == 1.5f && nm_tensor_f32(two)[1] == -2);
    nm_tensor_file_destroy(file);
    nm_context_destroy(context);
}
END_TEST

START_TEST(what_is_not_there_is_null_without_an_error)
{
    nm_context *context = test_context(NULL);
    nm_tensor_file *file = parse(context, "{" ONE("a", "U8", "[2]", "[0,2]") "}", 2);
    ck_assert_ptr_null(nm_tensor_file_find(file, "b"));
    ck_assert_ptr_null(nm_tensor_file_find(file, ""));
    ck_assert_ptr_null(nm_tensor_file_at(file, 1));
    ck_assert_ptr_null(nm_tensor_file_at(file, -1));
    ck_assert_ptr_null(nm_tensor_file_name(file, 1));
    ck_assert_ptr_null(nm_tensor_file_metadata(file, "a"));
    assert_fine(context);
    nm_tensor_file_destroy(file);
    nm_tensor_file_destroy(NULL);
    nm_context_destroy(context);
}
END_TEST

START_TEST(empty_tensors_scalars_and_padding_are_read)
{
    expect_count("{}", 0, 0);
    expect_count("{}      ", 0, 0);
    expect_count("{\"__metadata__\":{}}", 0, 0);
    expect_count("{" ONE("a", "F32", "[2,0]", "[0,0]") "}", 0, 1);
    expect_count("{" ONE("a", "F32", "[]", "[0,4]") "}", 4, 1);
    /* Empty ones between others, at the beginning and at the end. */
    expect_count(
        "{" ONE("a", "U8", "[3]", "[0,3]") "," ONE("b", "U8", "[0]", "[3,3]") "," ONE(
            "c", "U8", "[2]", "[3,5]") "," ONE("d", "U8", "[0]",
                                               "[0,0]") "," ONE("e", "F64", "[5,0]", "[5,5]") "}",
        5, 5);
    expect_count(
        "{ \"a\" : { \"shape\" : [ 3 ] ,\n\t\"data_offsets\":[ 0 , 3 ],\r\"dtype\":\"U8\" } } ", 3,
        1);
}
END_TEST

START_TEST(tensors_come_in_the_order_of_the_header_wherever_their_data_is)
{
    nm_context *context = test_context(NULL);
    nm_tensor_file *file =
        parse(context,
              "{" ONE("z", "U8", "[1]", "[4,5]") "," ONE("a", "U8", "[4]", "[0,4]") "," ONE(
                  "m", "U8", "[1]", "[5,6]") "}",
              6);
    static const char *const names[] = {"z", "a", "m"};
    static const double first[] = {4, 0, 5};
    for (int i = 0; i < 3; i++) {
        ck_assert_str_eq(nm_tensor_file_name(file, i), names[i]);
        ck_assert(nm_tensor_get(nm_tensor_file_at(file, i), 0) == first[i]);
        ck_assert(nm_tensor_file_find(file, names[i]) == nm_tensor_file_at(file, i));
    }
    nm_tensor_file_destroy(file);
    nm_context_destroy(context);
}
END_TEST

START_TEST(unaligned_data_is_read)
{
    /* Seven bytes put every place behind them where no f64 may be. */
    nm_context *context = test_context(NULL);
    for (size_t padding = 0; padding < 8; padding++) {
        char header[256];
        snprintf(header, sizeof header, "{%s,%s}%*s", ONE("a", "U8", "[7]", "[0,7]"),
                 ONE("b", "I64", "[1]", "[7,15]"), (int)padding, "");
        nm_tensor_file *file = parse(context, header, 15);
        const int64_t *data = nm_tensor_data(nm_tensor_file_find(file, "b"));
        ck_assert((uintptr_t)data % sizeof *data == 0);
        ck_assert(*data == 0x0e0d0c0b0a090807);
        nm_tensor_file_destroy(file);
    }
    nm_context_destroy(context);
}
END_TEST

static void expect_name(const char *written, const char *wanted)
{
    nm_context *context = test_context(NULL);
    char header[256];
    snprintf(header, sizeof header,
             "{\"%s\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}", written);
    nm_tensor_file *file = parse(context, header, 0);
    ck_assert_str_eq(nm_tensor_file_name(file, 0), wanted);
    nm_tensor_file_destroy(file);
    nm_context_destroy(context);
}

START_TEST(names_are_unescaped)
{
    expect_name("", "");
    expect_name("a\\\"\\\\\\/\\b\\f\\n\\r\\tz", "a\"\\/\b\f\n\r\tz");
    expect_name("\\u0041\\u00e4\\u20aC\\ud83d\\uDE00.", "A\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80.");
    expect_name("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
    expect_name("\\u0001\\uffff", "\x01\xef\xbf\xbf");
    expect_name("\xf4\x8f\xbf\xbf\xed\x9f\xbf\xee\x80\x80",
                "\xf4\x8f\xbf\xbf\xed\x9f\xbf\xee\x80\x80");
}
END_TEST

/* ---- Lengths ---- */

START_TEST(a_length_that_cannot_be_is_refused)
{
    bytes b = {0};
    refuse(&b, "truncated: 0 bytes are no safetensors file");
    b.size = 7;
    refuse(&b, "truncated: 7 bytes are no safetensors file");
    b.size = 8;
    refuse(&b, "its header must begin with {");
    b = spell("{}", 0);
    b.data[0] = 3;
    refuse(&b, "truncated: the header has 3 bytes, the file only 2 for it");
    memset(b.data, 0xff, 8);
    refuse(&b, "promise a header of 18446744073709551615 bytes, and 100000000 are the limit");
    memcpy(b.data, "\x01\xe1\xf5\x05\0\0\0\0", 8); /* one above the limit */
    refuse(&b, "promise a header of 100000001 bytes");
    memcpy(b.data, "PK\3\4\0\0\x08\x08", 8);
    refuse(&b, "not a safetensors file but a zip archive, as PyTorch's are; in Python: ");
    memcpy(b.data, "\x93NUMPY\1\0", 8);
    refuse(&b, "not a safetensors file but a NumPy array; read it with npy");
    memcpy(b.data, "\x00\xe1\xf5\x05\0\0\0\0", 8); /* the limit, but not there */
    refuse(&b, "truncated: the header has 100000000 bytes");
    memset(b.data, 0, 8);
    refuse(&b, "its header must begin with {");
    refuse_header(" {}", 0, "its header must begin with {");
    refuse_header("[]", 0, "its header must begin with {");
}
END_TEST

START_TEST(the_header_is_read_no_further_than_its_length)
{
    bytes b = spell("{\"__metadata__\":{}}", 0);
    b.data[0] = 18; /* one less: the closing bracket is data now */
    refuse(&b, "expected \",\" or \"}\"");
}
END_TEST

/* ---- Data ---- */

START_TEST(data_that_does_not_cover_the_file_is_refused)
{
    refuse_header("{" ONE("a", "U8", "[4]", "[0,4]") "," ONE("b", "U8", "[4]", "[3,7]") "}", 7,
                  "the data of tensors \"a\" and \"b\" overlaps");
    refuse_header("{" ONE("a", "U8", "[4]", "[0,4]") "," ONE("b", "U8", "[4]", "[0,4]") "}", 4,
                  "the data of tensors \"");
    refuse_header("{" ONE("a", "U8", "[4]", "[0,4]") "," ONE("b", "U8", "[0]", "[2,2]") "}", 4,
                  "the data of tensors \"a\" and \"b\" overlaps");
    refuse_header("{" ONE("a", "U8", "[4]", "[0,4]") "," ONE("b", "U8", "[3]", "[5,8]") "}", 8,
                  "bytes 4 to 5 of the data, before tensor \"b\", belong to none");
    refuse_header("{" ONE("a", "U8", "[4]", "[1,5]") "}", 5, "bytes 0 to 1 of the data");
    refuse_header("{" ONE("a", "U8", "[4]", "[0,4]") "}", 6, "2 bytes behind the last tensor's");
    refuse_header("{}", 1, "1 bytes behind the last tensor's");
    refuse_header("{" ONE("a", "F32", "[1000]", "[0,4000]") "}", 1000,
                  "truncated: the header promises 4000 bytes of data, the file has 1000");
}
END_TEST

START_TEST(sizes_that_do_not_fit_or_overflow_are_refused)
{
    refuse_header("{" ONE("a", "F32", "[2,3]", "[0,20]") "}", 20,
                  "tensor \"a\": F32 [2, 3] takes 24 bytes, but its data_offsets are 20 apart");
    refuse_header("{" ONE("a", "U8", "[4611686018427387904,4]", "[0,0]") "}", 0,
                  "no tensor can have the shape [4611686018427387904, 4]");
    refuse_header("{" ONE("a", "F64", "[1152921504606846976]", "[0,0]") "}", 0,
                  "no tensor can have");
    refuse_header("{" ONE("a", "F64", "[2305843009213693952]", "[0,0]") "}", 0,
                  "no tensor can have");
    refuse_header("{" ONE("a", "U8", "[9223372036854775808]", "[0,0]") "}", 0,
                  "number is too large");
    refuse_header("{" ONE("a", "U8", "[18446744073709551616]", "[0,0]") "}", 0,
                  "number is too large");
    refuse_header("{" ONE("a", "U8", "[0]", "[9223372036854775807,9223372036854775807]") "}", 0,
                  "bytes 0 to 9223372036854775807 of the data");
    refuse_header("{" ONE("a", "U8", "[1]", "[9223372036854775806,9223372036854775807]") "}", 0,
                  "bytes 0 to 9223372036854775806 of the data");
    refuse_header("{" ONE("a", "U8", "[4]", "[4,0]") "}", 4, "not [begin, end]");
    refuse_header("{" ONE("a", "U8", "[4]", "[0]") "}", 4, "not [begin, end]");
    refuse_header("{" ONE("a", "U8", "[4]", "[0,4,4]") "}", 4, "not [begin, end]");
    refuse_header("{" ONE("a", "U8", "[1,1,1,1,1,1,4]", "[0,4]") "}", 4,
                  "tensor \"a\" has more than 6 dimensions, the limit");
}
END_TEST

START_TEST(numbers_must_be_whole_and_not_negative)
{
    static const char *const bad[] = {"-1",    "+4",   "4.0", "4e0", "04",   "0x4",
                                      "\"4\"", "true", "[4]", "",    "null", "4 4"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char header[256];
        snprintf(header, sizeof header,
                 "{\"a\":{\"dtype\":\"U8\",\"shape\":[%s,1],\"data_offsets\":[0,4]}}", bad[i]);
        refuse_header(header, 4, "x.safetensors: header, byte ");
        snprintf(header, sizeof header,
                 "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,%s]}}", bad[i]);
        refuse_header(header, 4, "x.safetensors: header, byte ");
    }
}
END_TEST

/* ---- Any bytes ---- */

static const char sample[] = "{\"__metadata__\":{\"format\":\"\\u0070t\"}," ONE(
    "a.b", "F32", "[2,1]", "[0,8]") "," ONE("c", "U8", "[3]", "[8,11]") "}";

START_TEST(a_file_cut_anywhere_is_an_error)
{
    bytes b = spell(sample, 11);
    while (b.size--) {
        refuse(&b, "x.safetensors: ");
    }
}
END_TEST

START_TEST(no_changed_byte_crashes)
{
    bytes b = spell(sample, 11);
    nm_context *context = test_context(NULL);
    for (size_t at = 0; at < b.size - 11; at++) {
        unsigned char kept = b.data[at];
        for (int value = 0; value < 256; value++) {
            b.data[at] = (unsigned char)value;
            nm_tensor_file *file = nm_tensor_file_parse(context, b.data, b.size, "x.safetensors");
            ck_assert(!file == (nm_context_status(context) == NM_ERROR_FORMAT));
            ck_assert(!file || nm_tensor_file_count(file) == 2);
            nm_tensor_file_destroy(file);
            nm_context_clear_error(context);
        }
        b.data[at] = kept;
    }
    nm_context_destroy(context);
}
END_TEST

/* An allocator that adds up what is asked for. */
static void *adding_resize(void *user, void *memory, size_t size)
{
    *(size_t *)user += size;
    if (!size) {
        free(memory);
        return NULL;
    }
    return realloc(memory, size);
}

START_TEST(no_header_has_its_data_copied_many_times)
{
    /* A thousand tensors that all claim the same megabyte. */
    enum { TENSORS = 1000, DATA = 1000000, ROOM = DATA + TENSORS * 100 };
    size_t asked = 0;
    nm_context *context =
        nm_context_create(&(nm_context_options){.allocator = {adding_resize, &asked}});
    static char data[ROOM];
    size_t length = 8;
    for (int i = 0; i < TENSORS; i++) {
        length +=
            (size_t)snprintf(data + length, ROOM - length,
                             "%c\"%d\":{\"dtype\":\"U8\",\"shape\":[%d],\"data_offsets\":[0,%d]}",
                             i ? ',' : '{', i, DATA, DATA);
    }
    data[length++] = '}';
    put_length(data, length - 8);
    asked = 0;
    ck_assert_ptr_null(nm_tensor_file_parse(context, data, length + DATA, "greedy"));
    assert_error(context, NM_ERROR_FORMAT, "overlaps");
    ck_assert_msg(asked < 2 * (length + DATA), "%zu bytes asked for", asked);
    nm_context_destroy(context);
}
END_TEST

START_TEST(many_names_in_any_order_are_found)
{
    enum { NAMES = 20000, ROOM = NAMES * 80 };
    nm_context *context = test_context(NULL);
    char *data = nm_alloc(context, ROOM), name[16];
    size_t length = 8;
    for (unsigned i = 0; i < NAMES; i++) { /* 7919 is prime: all names, not in order */
        length +=
            (size_t)snprintf(data + length, ROOM - length,
                             "%c\"%u\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[%u,%u]}",
                             i ? ',' : '{', i * 7919 % NAMES, i, i + 1);
    }
    data[length++] = '}';
    put_length(data, length - 8);
    data = nm_resize(context, data, length + NAMES);
    for (unsigned i = 0; i < NAMES; i++) {
        data[length + i] = (char)(i % 100);
    }
    nm_tensor_file *file = nm_tensor_file_parse(context, data, length + NAMES, "many");
    assert_fine(context);
    for (unsigned i = 0; i < NAMES; i++) {
        snprintf(name, sizeof name, "%u", i * 7919 % NAMES);
        ck_assert(nm_tensor_item(nm_tensor_file_find(file, name)) == i % 100);
    }
    nm_tensor_file_destroy(file);
    nm_free(context, data);
    nm_context_destroy(context);
}
END_TEST

static nm_status parse_unaligned(test_memory *memory)
{
    nm_context *context = test_context(memory);
    if (!context) {
        return NM_ERROR_MEMORY;
    }
    bytes b =
        spell("{" ONE("a", "U8", "[7]", "[0,7]") "," ONE("b", "I64", "[1]", "[7,15]") "}", 15);
    nm_tensor_file *file = nm_tensor_file_parse(context, b.data, b.size, "x.safetensors");
    nm_status status = nm_context_status(context);
    nm_tensor_file_destroy(file);
    test_context_end(context, memory);
    return status;
}

START_TEST(any_allocation_may_fail)
{
    test_every_allocation(parse_unaligned);
}
END_TEST

TEST_MAIN("core/files/safetensors", a_file_that_the_reference_wrote_is_read,
          what_is_not_there_is_null_without_an_error, empty_tensors_scalars_and_padding_are_read,
          tensors_come_in_the_order_of_the_header_wherever_their_data_is, unaligned_data_is_read,
          names_are_unescaped, a_length_that_cannot_be_is_refused,
          the_header_is_read_no_further_than_its_length,
          data_that_does_not_cover_the_file_is_refused,
          sizes_that_do_not_fit_or_overflow_are_refused, numbers_must_be_whole_and_not_negative,
          a_file_cut_anywhere_is_an_error, no_changed_byte_crashes,
          no_header_has_its_data_copied_many_times, many_names_in_any_order_are_found,
          any_allocation_may_fail)
