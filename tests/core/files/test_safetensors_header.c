/* Headers of safetensors files that are refused: names, fields, and what is no JSON. */
#include "tests/core/files/spelled.h"

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

TEST_MAIN("core/files/safetensors_header", what_is_there_twice_is_refused,
          fields_that_are_missing_or_unknown_are_refused,
          types_that_norma_has_not_are_refused_by_tensor, metadata_that_is_no_text_is_refused,
          names_in_messages_cannot_play_tricks, what_is_no_json_is_refused_with_a_place,
          strings_that_are_no_utf_8_text_are_refused, nesting_has_no_depth_to_run_out_of)
