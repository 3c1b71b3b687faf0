#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/tape.h"
#include "tests/test.h"

/* ---- Files, spelled byte by byte ---- */

typedef struct bytes {
    size_t size;
    unsigned char data[2048];
} bytes;

/* The length of the header that stands behind it. */
static void put_length(void *file, size_t length)
{
    uint64_t number = length;
    test_turn(&number, sizeof number, sizeof number);
    memcpy(file, &number, sizeof number);
}

/* A header of `length` bytes and `size` bytes of data: 0, 1, 2, ... */
static bytes spell_bytes(const void *header, size_t length, size_t size)
{
    bytes b = {.size = 8 + length + size};
    ck_assert(b.size <= sizeof b.data);
    put_length(b.data, length);
    memcpy(b.data + 8, header, length);
    for (size_t i = 0; i < size; i++) {
        b.data[8 + length + i] = (unsigned char)i;
    }
    return b;
}

static bytes spell(const char *header, size_t size)
{
    return spell_bytes(header, strlen(header), size);
}

static void refuse(const bytes *b, const char *message)
{
    nm_context *context = test_context(NULL);
    /* In memory of its own, where touching what is beyond it is seen. */
    void *exact = nm_alloc(context, b->size);
    memcpy(exact, b->data, b->size);
    ck_assert_ptr_null(nm_tensor_file_parse(context, exact, b->size, "x.safetensors"));
    assert_error(context, NM_ERROR_FORMAT, message);
    nm_free(context, exact);
    nm_context_destroy(context);
}

static void refuse_header(const char *header, size_t size, const char *message)
{
    bytes b = spell(header, size);
    refuse(&b, message);
}

static nm_tensor_file *parse(nm_context *context, const char *header, size_t size)
{
    bytes b = spell(header, size);
    nm_tensor_file *file = nm_tensor_file_parse(context, b.data, b.size, "x.safetensors");
    assert_fine(context);
    ck_assert_ptr_nonnull(file);
    return file;
}

static void expect_count(const char *header, size_t size, int count)
{
    nm_context *context = test_context(NULL);
    nm_tensor_file *file = parse(context, header, size);
    ck_assert_int_eq(nm_tensor_file_count(file), count);
    nm_tensor_file_destroy(file);
    nm_context_destroy(context);
}

/* One tensor, described in short. */
#define ONE(name, type, shape, offsets)                                                            \
    "\"" name "\":{\"dtype\":\"" type "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

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

/* ---- Names and fields ---- */

START_TEST(what_is_there_twice_is_refused)
{
    refuse_header("{" ONE("a", "U8", "[2]", "[0,2]") "," ONE("a", "U8", "[2]", "[2,4]") "}", 4,
                  "tensor \"a\" is there twice");
    refuse_header("{" ONE("a", "U8", "[2]", "[0,2]") "," ONE("\\u0061", "U8", "[2]", "[2,4]") "}",
                  4, "tensor \"a\" is there twice"); /* however it is written */
    refuse_header("{\"__metadata__\":{\"k\":\"1\",\"k\":\"1\"}}", 0,
                  "metadata \"k\" is there twice");
    refuse_header("{\"__metadata__\":{},\"__metadata__\":{}}", 0, "__metadata__ is there twice");
    refuse_header(
        "{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}", 0,
        "the key \"dtype\" is unknown or there twice");
}
END_TEST

START_TEST(fields_that_are_missing_or_unknown_are_refused)
{
    refuse_header("{\"a\":{}}", 0, "tensor \"a\" needs dtype, shape and data_offsets");
    refuse_header("{\"a\":{\"dtype\":\"U8\",\"shape\":[0]}}", 0,
                  "needs dtype, shape and data_offsets");
    refuse_header("{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,0]}}", 0, "needs dtype, shape");
    refuse_header("{\"a\":{\"color\":\"red\"}}", 0, "tensor \"a\": the key \"color\" is unknown");
}
END_TEST

START_TEST(types_that_norma_has_not_are_refused_by_tensor)
{
    refuse_header(
        "{" ONE("conv1.weight", "F16", "[2]", "[0,4]") "}", 4,
        "tensor \"conv1.weight\" has the type F16; F32, F64, BF16, I32, I64, U8 and I8 are read");
    refuse_header("{" ONE("a", "BOOL", "[4]", "[0,4]") "}", 4, "has the type BOOL");
    refuse_header("{" ONE("a", "f32", "[1]", "[0,4]") "}", 4, "has the type f32");
    refuse_header("{\"a\":{\"dtype\":32,\"shape\":[1],\"data_offsets\":[0,4]}}", 4,
                  "expected text");
}
END_TEST

START_TEST(metadata_that_is_no_text_is_refused)
{
    refuse_header("{\"__metadata__\":{\"k\":1}}", 0, "expected text in double quotes");
    refuse_header("{\"__metadata__\":{\"k\":null}}", 0, "expected text in double quotes");
    refuse_header("{\"__metadata__\":{\"k\":{\"l\":\"m\"}}}", 0, "expected text in double quotes");
    refuse_header("{\"__metadata__\":[]}", 0, "expected \"{\"");
    refuse_header("{\"__metadata__\":\"k\"}", 0, "expected \"{\"");
}
END_TEST

START_TEST(names_in_messages_cannot_play_tricks)
{
    /* A name with an escape sequence for terminals, and one of a thousand bytes. */
    refuse_header("{\"\\u001b[2J\\n\":{}}", 0, "tensor \"?[2J?\" needs");
    char header[1200] = "{\"";
    memset(header + 2, 'n', 1000);
    strcpy(header + 1002, "\":{}}");
    refuse_header(header, 0, "nnn...\" needs dtype");
}
END_TEST

/* ---- JSON ---- */

START_TEST(what_is_no_json_is_refused_with_a_place)
{
    static const char *const bad[][2] = {
        {"{", "byte 1: expected text"},
        {"{\"a\"", "byte 4: expected \":\""},
        {"{\"a\":", "byte 5: expected \"{\""},
        {"{\"a\":{}", "needs dtype"},
        {"{,}", "byte 1: expected text"},
        {"{\"__metadata__\":{},}", "byte 19: expected text"},
        {"{\"__metadata__\":{} \"a\":{}}", "expected \",\" or \"}\""},
        {"{\"__metadata__\":{}]", "expected \",\" or \"}\""},
        {"{} x", "byte 3: more text behind the closing bracket"},
        {"{}{}", "byte 2: more text behind"},
        {"{'a':{}}", "byte 1: expected text in double quotes"},
        {"{a:{}}", "byte 1: expected text in double quotes"},
        {"{/* */}", "byte 1: expected text in double quotes"},
        {"{\"a\":{\"shape\":[1,]}}", "expected a whole number"},
        {"{\"a\":{\"shape\":[1;2]}}", "expected \",\" or \"]\""},
        {"{\"a\":{\"shape\":{}}}", "expected \"[\""},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        refuse_header(bad[i][0], 0, bad[i][1]);
    }
    bytes b = spell_bytes("{}\0\0", 4, 0); /* padding is spaces, not zeros */
    refuse(&b, "byte 2: more text behind the closing bracket");
    b = spell_bytes("{\0}", 3, 0);
    refuse(&b, "byte 1: expected text");
}
END_TEST

START_TEST(strings_that_are_no_utf_8_text_are_refused)
{
    static const char *const bad[] = {"\x80",
                                      "\xc3",
                                      "\xc3(",
                                      "\xc0\xaf",
                                      "\xc1\xbf",
                                      "\xe0\x9f\xbf",
                                      "\xed\xa0\x80",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xff",
                                      "\xe2\x82",
                                      "\xf0\x9f\x98",
                                      "\n",
                                      "\x1f",
                                      "\\x",
                                      "\\",
                                      "\\u12",
                                      "\\u123g",
                                      "\\u0000",
                                      "\\ud800",
                                      "\\ud83d\\n",
                                      "\\udc00",
                                      "\\ud83d\\u0041",
                                      "\\ud83d\\ud83d",
                                      "\\U0041",
                                      "\\u+041"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char header[64];
        snprintf(header, sizeof header, "{\"%s\":{}}", bad[i]);
        refuse_header(header, 0, "string");
    }
    refuse_header("{\"\xf0\x9f\x98", 0, "a string is not UTF-8"); /* the file ends within it */
    refuse_header("{\"", 0, "a string without its closing quote");
    refuse_header("{\"abc", 0, "a string without its closing quote");
    refuse_header("{\"abc\\", 0, "a bad escape");
    refuse_header("{\"abc\\\"", 0, "a string without its closing quote");
    refuse_header("{\"abc\\ud83d\\", 0, "a bad escape");
}
END_TEST

START_TEST(nesting_has_no_depth_to_run_out_of)
{
    /* A million brackets: a reader that follows them overflows the stack. */
    enum { LENGTH = 1000000 };
    nm_context *context = test_context(NULL);
    for (int brace = 0; brace < 2; brace++) {
        char *data = nm_alloc_zero(context, 8 + LENGTH, 1);
        put_length(data, LENGTH);
        memset(data + 8, '[', LENGTH);
        memcpy(data + 8, brace ? "{\"__metadata__\":" : "{\"a\":{\"shape\":", brace ? 16 : 14);
        ck_assert_ptr_null(nm_tensor_file_parse(context, data, 8 + LENGTH, "deep"));
        assert_error(context, NM_ERROR_FORMAT,
                     brace ? "expected \"{\"" : "expected a whole number");
        nm_free(context, data);
    }
    nm_context_destroy(context);
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

/* ---- Writing ---- */

static void expect_file(const char *path, const void *wanted, size_t size)
{
    nm_context *context = test_context(NULL);
    size_t got = 0;
    char *contents = nm_file_read(context, path, SIZE_MAX, &got);
    assert_fine(context);
    ck_assert_uint_eq(got, size);
    ck_assert_mem_eq(contents, wanted, size);
    nm_free(context, contents);
    nm_context_destroy(context);
}

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
    expect_file(test_path("two.safetensors"), wanted, sizeof wanted);
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
    expect_file(test_path("kept"), "old", 3);
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
    test_every_allocation(write_and_read);
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
          what_is_there_twice_is_refused, fields_that_are_missing_or_unknown_are_refused,
          types_that_norma_has_not_are_refused_by_tensor, metadata_that_is_no_text_is_refused,
          names_in_messages_cannot_play_tricks, what_is_no_json_is_refused_with_a_place,
          strings_that_are_no_utf_8_text_are_refused, nesting_has_no_depth_to_run_out_of,
          a_file_cut_anywhere_is_an_error, no_changed_byte_crashes,
          no_header_has_its_data_copied_many_times, many_names_in_any_order_are_found,
          a_file_is_written_with_aligned_data_and_a_padded_header,
          every_type_and_rank_comes_back_bit_by_bit, an_empty_file_is_written_and_read,
          what_cannot_be_added_is_an_error,
          a_file_that_cannot_be_written_is_an_error_and_leaves_the_old_one,
          a_file_that_is_not_there_is_an_error, any_allocation_may_fail)
