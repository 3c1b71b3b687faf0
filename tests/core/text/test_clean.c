#include "core/clean.h"

#include <string.h>

#include "tests/test.h"

static void expect(const char *from, bool lines, const char *wanted)
{
    char to[256];
    ck_assert_str_eq(nm_text_clean(from, lines, to, sizeof to), wanted);
}

START_TEST(text_stays_as_it_is)
{
    expect("", false, "");
    expect("a b ~ \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \xc2\xa0", false,
           "a b ~ \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \xc2\xa0");
    expect("one\ttwo\nthree", true, "one\ttwo\nthree");
}
END_TEST

START_TEST(what_steers_a_terminal_is_spelled)
{
    expect("\x1b[31mred\x1b[0m", true, "\\x1b[31mred\\x1b[0m");
    expect("a\rb\x7f\x01", true, "a\\x0db\\x7f\\x01");
    expect("\xc2\x9b"
           "1m \xc2\x80\xc2\x9f",
           true, "\\x9b1m \\x80\\x9f"); /* C1 in UTF-8 */
    expect("one\ttwo\nthree", false, "one\\x09two\\x0athree");
}
END_TEST

START_TEST(what_turns_the_direction_of_writing_is_spelled)
{
    expect("exe\xe2\x80\xaegpj \xe2\x81\xa6x\xe2\x81\xa9", true, "exe\\u202egpj \\u2066x\\u2069");
    expect("\xe2\x80\xa8 \xef\xbb\xbf", true, "\\u2028 \\ufeff");
    expect("\xe2\x80\x8e\xe2\x80\x8f\xd8\x9c", true, "\\u200e\\u200f\\u061c");
    expect("\xe2\x80\xa7\xe2\x80\xaf\xe2\x81\xa5\xe2\x81\xaa", true,
           "\xe2\x80\xa7\xe2\x80\xaf\xe2\x81\xa5\xe2\x81\xaa");
}
END_TEST

START_TEST(bytes_that_are_no_utf8_are_spelled)
{
    expect("\x9b[31m", true, "\\x9b[31m"); /* C1 as a byte */
    expect("caf\xe9", true, "caf\\xe9");
    expect("\xc0\x9b \xed\xa0\x80", true, "\\xc0\\x9b \\xed\\xa0\\x80");
    expect("\xe2\x82", true, "\\xe2\\x82");
}
END_TEST

START_TEST(what_does_not_fit_is_cut_between_characters)
{
    char to[8];
    ck_assert_str_eq(nm_text_clean("1234567", true, to, sizeof to), "1234567");
    ck_assert_str_eq(nm_text_clean("12345678", true, to, sizeof to), "1234567");
    ck_assert_str_eq(nm_text_clean("123456\xc3\xa9", true, to, sizeof to), "123456");
    ck_assert_str_eq(nm_text_clean("1234\x1b", true, to, sizeof to), "1234");
    ck_assert_str_eq(nm_text_clean("x", true, to, 1), "");
}
END_TEST

static void compare(void *user, nm_log_level level, const char *message)
{
    (void)level;
    ck_assert_str_eq(message, "seen \\x1b[2J");
    *(bool *)user = true;
}

START_TEST(errors_and_warnings_are_clean)
{
    bool logged = false;
    nm_context *context =
        nm_context_create(&(nm_context_options){.log = compare, .log_user = &logged});
    nm_fail(context, NM_ERROR_INPUT, "%s: no", "a\x1b]0;title\x07");
    nm_fail_in(context, "%s", "b\xc2\x9b");
    ck_assert_str_eq(nm_context_error(context), "b\\x9b: a\\x1b]0;title\\x07: no");
    nm_context_log(context, NM_LOG_WARNING, "seen %s", "\x1b[2J");
    ck_assert(logged);
    nm_context_destroy(context);
}
END_TEST

TEST_MAIN("core/clean", text_stays_as_it_is, what_steers_a_terminal_is_spelled,
          what_turns_the_direction_of_writing_is_spelled, bytes_that_are_no_utf8_are_spelled,
          what_does_not_fit_is_cut_between_characters, errors_and_warnings_are_clean)
