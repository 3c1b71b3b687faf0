/* Text from anywhere in pages and figures: what it becomes, how wide it is, where it is cut. */
#include <stdio.h>

#include "core/op.h"
#include "models/command/page/markup.h"

#include "tests/test.h"

static const char *markup_of(const char *text)
{
    static char written[256];
    FILE *to = fmemopen(written, sizeof written, "w");
    ck_assert_ptr_nonnull(to);
    put_markup(to, text);
    fputc(0, to);
    ck_assert_int_eq(fclose(to), 0);
    return written;
}

START_TEST(text_is_text_in_a_page)
{
    static const char *const cases[][2] = {
        {"a < b & c > d", "a &lt; b &amp; c &gt; d"},
        {"\"it's\"", "&quot;it&#39;s&quot;"},
        {"two\nlines\t.", "two\nlines\t."},
        {"\x1b[31m", "\\x1b[31m"},
        {"\xc2\x9b", "\\x9b"},
        {"\xff", "\\xff"},
        {"\xe2\x80\xae", "\\u202e"}, /* turns the direction of writing */
        {"gr\xc3\xb6\xc3\x9f\x65", "gr\xc3\xb6\xc3\x9f\x65"},
        /* No characters: U+FFFE, U+FFFF, U+FDD0, U+FDEF, U+1FFFE, U+10FFFF */
        {"\xef\xbf\xbe", "\xef\xbf\xbd"},
        {"\xef\xbf\xbf", "\xef\xbf\xbd"},
        {"\xef\xb7\x90", "\xef\xbf\xbd"},
        {"\xef\xb7\xaf", "\xef\xbf\xbd"},
        {"\xf0\x9f\xbf\xbe", "\xef\xbf\xbd"},
        {"\xf4\x8f\xbf\xbf", "\xef\xbf\xbd"},
        /* Their neighbours are: U+FFFD, U+FDCF, U+FDF0, U+1FFFD, U+1F600 */
        {"\xef\xbf\xbd", "\xef\xbf\xbd"},
        {"\xef\xb7\x8f", "\xef\xb7\x8f"},
        {"\xef\xb7\xb0", "\xef\xb7\xb0"},
        {"\xf0\x9f\xbf\xbd", "\xf0\x9f\xbf\xbd"},
        {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
    };
    for (int i = 0; i < NM_COUNT_OF(cases); i++) {
        ck_assert_str_eq(markup_of(cases[i][0]), cases[i][1]);
    }
    ck_assert_str_eq(markup_of(NULL), "");
}
END_TEST

START_TEST(east_asian_letters_take_two_columns)
{
    static const struct {
        const char *text;
        int columns;
    } cases[] = {
        {"", 0},
        {"abc", 3},
        {"gr\xc3\xb6\xc3\x9f\x65", 5},
        {"\xe1\x83\xbf", 1},     /* U+10FF, before Hangul's first block */
        {"\xe1\x84\x80", 2},     /* U+1100 */
        {"\xe1\x85\x9f", 2},     /* U+115F */
        {"\xe1\x85\xa0", 1},     /* U+1160 */
        {"\xe2\xb9\xbf", 1},     /* U+2E7F */
        {"\xe2\xba\x80", 2},     /* U+2E80 */
        {"\xea\x93\x8f", 2},     /* U+A4CF */
        {"\xea\x93\x90", 1},     /* U+A4D0 */
        {"\xea\xb0\x80", 2},     /* U+AC00 */
        {"\xed\x9e\xa3", 2},     /* U+D7A3 */
        {"\xed\x9e\xb0", 1},     /* U+D7B0 */
        {"\xef\xa4\x80", 2},     /* U+F900 */
        {"\xef\xab\xbf", 2},     /* U+FAFF */
        {"\xef\xac\x80", 1},     /* U+FB00 */
        {"\xef\xbc\x81", 2},     /* U+FF01 */
        {"\xef\xbd\xa0", 2},     /* U+FF60 */
        {"\xef\xbd\xa1", 1},     /* U+FF61 */
        {"\xf0\x9f\x98\x80", 2}, /* U+1F600 */
        {"\xff", 1},
    };
    for (int i = 0; i < NM_COUNT_OF(cases); i++) {
        ck_assert_msg(wide_text(cases[i].text) == cases[i].columns, "%d: %d columns", i,
                      wide_text(cases[i].text));
    }
}
END_TEST

START_TEST(what_does_not_fit_is_cut_between_characters)
{
    char to[32];
    ck_assert_str_eq(cut_text("short", 5, to, sizeof to), "short");
    ck_assert_str_eq(cut_text("longer text", 8, to, sizeof to), "longe...");
    ck_assert_str_eq(cut_text("long", 3, to, sizeof to), "lon");
    ck_assert_str_eq(cut_text("\xea\xb0\x80\xea\xb0\x80\xea\xb0\x80\xea\xb0\x80", 7, to, sizeof to),
                     "\xea\xb0\x80\xea\xb0\x80...");
    ck_assert_str_eq(cut_text("\xea\xb0\x80\xea\xb0\x80\xea\xb0\x80\xea\xb0\x80", 6, to, sizeof to),
                     "\xea\xb0\x80...");
    ck_assert_str_eq(cut_text("a longer text", 40, to, 9), "a lon..."); /* of bytes, too */
    ck_assert_str_eq(cut_text("\x1b[m", 40, to, sizeof to), "\\x1b[m");
}
END_TEST

TEST_MAIN("models/page/markup", text_is_text_in_a_page, east_asian_letters_take_two_columns,
          what_does_not_fit_is_cut_between_characters)
