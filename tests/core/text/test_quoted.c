/* Text in quotes: what YAML reads back is what was written. */
#include "core/text.h"

#include <stdio.h>

#include "core/value.h"
#include "tests/test.h"

static void expect(const char *text, const char *written, const char *read)
{
    nm_context *context = test_context(NULL);
    nm_text quoted = {.context = context};
    nm_text_add_quoted(&quoted, text);
    char *all = nm_text_end(&quoted);
    ck_assert_str_eq(all, written);
    nm_document *document = nm_document_parse(context, all, SIZE_MAX, "");
    assert_fine(context);
    ck_assert_str_eq(nm_document_root(document)->text, read);
    nm_document_destroy(document);
    nm_free(context, all);
    test_context_end(context, NULL);
}

START_TEST(what_may_not_stand_in_quotes_is_escaped)
{
    expect("", "\"\"", "");
    expect("say \"a\\b\"", "\"say \\\"a\\\\b\\\"\"", "say \"a\\b\"");
    expect("a\tb\n\x7f", "\"a\\u0009b\\u000A\\u007F\"", "a\tb\n\x7f");
    expect("\xC2\x85 \xC2\x9F", "\"\\u0085 \\u009F\"", "\xC2\x85 \xC2\x9F");
    expect("\xE2\x80\xA8\xE2\x80\xA9", "\"\\u2028\\u2029\"", "\xE2\x80\xA8\xE2\x80\xA9");
    expect("\xEF\xBB\xBF", "\"\\uFEFF\"", "\xEF\xBB\xBF");
}
END_TEST

START_TEST(other_text_stands_as_it_is)
{
    static const char text[] =
        "\xC2\xA0\xC3\xA4 \xE2\x80\xA7\xE2\x80\xAA \xE2\x82\xAC \xEF\xBB\xBE \xF0\x9F\x98\x80";
    char quoted[sizeof text + 2];
    snprintf(quoted, sizeof quoted, "\"%s\"", text);
    expect(text, quoted, text);
}
END_TEST

START_TEST(bytes_that_are_no_utf_8_are_each_the_sign_for_that)
{
    expect("a\xFF\xE2\x82", "\"a\\uFFFD\\uFFFD\\uFFFD\"", "a\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
}
END_TEST

TEST_MAIN("core/text/quoted", what_may_not_stand_in_quotes_is_escaped, other_text_stands_as_it_is,
          bytes_that_are_no_utf_8_are_each_the_sign_for_that)
