/* Texts in memory: whole, or an error. */
#include <stdlib.h>
#include <string.h>

#include "models/command/page/page.h"
#include "models/command/text_stream.h"
#include "tests/test.h"

START_TEST(a_text_is_what_was_written_and_ends_in_0)
{
    nm_context *context = test_context(NULL);
    text_stream s;
    ck_assert_ptr_nonnull(text_begin(&s, context));
    for (int i = 0; i < 5000; i++) {
        fprintf(s.to, "%d,", i);
    }
    char *text = text_end(&s);
    ck_assert_ptr_eq(text, s.text);
    ck_assert_uint_eq(s.size, strlen(text));
    int i = 0;
    for (char *end = text; *end; i++, end++) {
        ck_assert_int_eq(strtol(end, &end, 10), i);
    }
    ck_assert_int_eq(i, 5000);
    text_free(&s);
    text_free(&s); /* twice is fine */
    test_context_end(context, NULL);
}
END_TEST

START_TEST(an_empty_text_is_one)
{
    nm_context *context = test_context(NULL);
    text_stream s;
    text_begin(&s, context);
    ck_assert_str_eq(text_end(&s), "");
    text_free(&s);
    test_context_end(context, NULL);
}
END_TEST

START_TEST(one_that_is_not_ended_can_be_freed)
{
    nm_context *context = test_context(NULL);
    text_stream s;
    fputs("half", text_begin(&s, context));
    text_free(&s);
    ck_assert_ptr_null(s.text);
    test_context_end(context, NULL);
}
END_TEST

/* ---- Without memory ---- */

static nm_status write_much(test_memory *memory)
{
    nm_context *context = test_context(memory);
    if (!context) {
        return NM_ERROR_MEMORY;
    }
    text_stream s;
    if (text_begin(&s, context)) {
        for (int i = 0; i < 2000; i++) {
            fprintf(s.to, "%d\n", i);
        }
    }
    const char *text = text_end(&s);
    ck_assert(!text == (nm_context_status(context) != NM_OK));
    ck_assert(!text || s.size == 8890);
    text_free(&s);
    const nm_status status = nm_context_status(context);
    test_context_end(context, memory);
    return status;
}

/* A figure and a picture on a page that is not written. */
static nm_status draw(test_memory *memory)
{
    nm_context *context = test_context(memory);
    if (!context) {
        return NM_ERROR_MEMORY;
    }
    const double x[] = {1, 2, 3}, y[] = {3, 1, 2};
    const figure_series series = {.name = "a", .count = 3, .x = x, .y = y};
    const unsigned char pixels[4] = {0, 255, 255, 0};
    page *p = page_open(context, "A page");
    page_heading(p, 2, "A part");
    page_figure(
        p, &(figure){
               .title = "A figure", .x.label = "x", .y.label = "y", .series = &series, .count = 1});
    page_image(p, &(page_picture){2, 2, 1, pixels, "a picture"});
    page_drop(p);
    const nm_status status = nm_context_status(context);
    test_context_end(context, memory);
    return status;
}

START_TEST(no_text_lacks_a_part_for_want_of_memory)
{
    test_every_allocation(write_much);
}
END_TEST

START_TEST(a_page_that_lacks_a_part_is_an_error)
{
    test_every_allocation(draw);
}
END_TEST

TEST_MAIN("models/page/text_stream", a_text_is_what_was_written_and_ends_in_0, an_empty_text_is_one,
          one_that_is_not_ended_can_be_freed, no_text_lacks_a_part_for_want_of_memory,
          a_page_that_lacks_a_part_is_an_error)
