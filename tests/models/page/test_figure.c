/* Figures as SVG, in pages and on terminals. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/command/page/markup.h"
#include "models/command/page/page.h"
#include "models/command/page/svg.h"
#include "models/command/page/terminal.h"
#include "models/command/text_stream.h"
#include "tests/test.h"

#define HOSTILE "</title><script>alert('\"&\x1b[31m\xff\xe2\x80\xae\xef\xbf\xbf"

static const double steps[] = {1, 2, 3, 4}, losses[] = {2, 1, NAN, 0.5};
static const figure_series curve = {.name = HOSTILE, .count = 4, .x = steps, .y = losses};
static const figure hostile = {.title = HOSTILE,
                               .text = HOSTILE,
                               .x = {.label = HOSTILE, .unit = HOSTILE},
                               .y = {.label = "loss"},
                               .series = &curve,
                               .count = 1};

static char *read_file(nm_context *context, const char *name)
{
    size_t size;
    char *text = nm_file_read(context, test_path(name), SIZE_MAX, &size);
    ck_assert_ptr_nonnull(text);
    return text;
}

static int count_of(const char *text, const char *part)
{
    int count = 0;
    for (; (text = strstr(text, part)); text += strlen(part)) {
        count++;
    }
    return count;
}

/* ---- Markup ---- */

static char *marked_up(const char *text)
{
    char *out = NULL;
    size_t size;
    FILE *to = open_memstream(&out, &size);
    put_markup(to, text);
    fclose(to);
    return out;
}

START_TEST(text_of_others_stays_text)
{
    char *text = marked_up("<a href='x'>&\"\n\t\x01\xc2\x9b\xff\xe2\x80\xae\xef\xbf\xbe"
                           "\xf0\x9f\xbf\xbf\xed\x95\x9c");
    ck_assert_str_eq(text, "&lt;a href=&#39;x&#39;&gt;&amp;&quot;\n\t\\x01\\x9b\\xff\\u202e"
                           "\xef\xbf\xbd\xef\xbf\xbd\xed\x95\x9c");
    free(text);
    text = marked_up(NULL);
    ck_assert_str_eq(text, "");
    free(text);
}
END_TEST

START_TEST(text_is_cut_between_characters)
{
    char cut[16];
    ck_assert_str_eq(cut_text("abcdef", 6, cut, sizeof cut), "abcdef");
    ck_assert_str_eq(cut_text("abcdefg", 6, cut, sizeof cut), "abc...");
    ck_assert_str_eq(cut_text("한국어한국어", 8, cut, sizeof cut), "한국...");
    ck_assert_int_eq(wide_text("한a"), 3);
    ck_assert_str_eq(cut_text("한국어", 6, cut, 8), "한...");
}
END_TEST

/* ---- Pages and files ---- */

START_TEST(a_page_has_no_markup_of_others)
{
    nm_context *context = test_context(NULL);
    page *p = page_open(context, HOSTILE);
    const char *const cells[] = {HOSTILE, NULL}, *const heads[] = {HOSTILE, "b"};
    page_heading(p, 2, HOSTILE);
    page_paragraph(p, HOSTILE);
    page_code(p, HOSTILE);
    page_list(p, cells, heads, 1);
    page_figure(p, &hostile);
    page_table(p,
               &(table){.title = HOSTILE, .columns = 2, .rows = 1, .heads = heads, .cells = cells});
    ck_assert_int_eq(page_write(p, test_path("page.html")), NM_OK);
    char *text = read_file(context, "page.html");
    ck_assert_ptr_null(strstr(text, "<script"));
    ck_assert_ptr_null(strchr(text, '\x1b'));
    ck_assert_ptr_null(strstr(text, "\xff"));
    ck_assert_int_eq(count_of(text, "</title>"), 2); /* the page's and the figure's */
    nm_free(context, text);
    test_context_end(context, NULL);
}
END_TEST

START_TEST(each_figure_says_what_it_shows)
{
    nm_context *context = test_context(NULL);
    char *text = figure_describe(context, &hostile);
    ck_assert_ptr_nonnull(strstr(text, "a line of 3 points; first 2 at 1, last 0.5 at 4, lowest "
                                       "0.5 at 4, highest 2 at 1. Left out"));
    nm_free(context, text);
    page *p = page_open(context, "t");
    page_figure(p, &hostile);
    page_figure(p, &hostile);
    ck_assert_int_eq(page_write(p, test_path("two.html")), NM_OK);
    text = read_file(context, "two.html");
    ck_assert_int_eq(count_of(text, "role=\"img\" aria-labelledby=\"f1t f1d\""), 1);
    ck_assert_int_eq(count_of(text, "role=\"img\" aria-labelledby=\"f2t f2d\""), 1);
    ck_assert_int_eq(count_of(text, "<desc"), 2);
    ck_assert_int_eq(count_of(text, "Not drawn: 1 "), 2);
    nm_free(context, text);
    test_context_end(context, NULL);
}
END_TEST

START_TEST(what_norma_did_not_write_stays)
{
    nm_context *context = test_context(NULL);
    test_write_file(test_path("mine.svg"), "<svg/>", 6);
    ck_assert_int_eq(svg_write(context, test_path("mine.svg"), &hostile, 1), NM_ERROR_INPUT);
    assert_error(context, NM_ERROR_INPUT,
                 "mine.svg: is there already and was not written by norma");
    ck_assert_int_eq(page_write(page_open(context, "t"), test_path("mine.svg")), NM_ERROR_INPUT);
    nm_context_clear_error(context);
    char *text = read_file(context, "mine.svg");
    ck_assert_str_eq(text, "<svg/>");
    nm_free(context, text);
    for (int i = 0; i < 2; i++) { /* its own is replaced */
        ck_assert_int_eq(svg_write(context, test_path("own.svg"), &hostile, 1), NM_OK);
    }
    test_context_end(context, NULL);
}
END_TEST

/* ---- What is drawn ---- */

static char *drawn(nm_context *context, const figure *f)
{
    ck_assert_int_eq(svg_write(context, test_path("drawn.svg"), f, 1), NM_OK);
    return read_file(context, "drawn.svg");
}

/* All kinds of data that leave nothing, or one thing, to be drawn. */
START_TEST(there_is_no_nan_in_a_picture)
{
    static const double zeros[] = {0, 0, 0, 0}, huge[] = {1e308, -1e308, 1e-308, 0};
    static const double edges[] = {0, 1, 1, 3, INFINITY};
    static const figure_series all[] = {
        {.name = "none", .x = steps, .y = steps},
        {.name = "one", .count = 1, .x = steps, .y = steps},
        {.name = "zeros", .count = 4, .x = zeros, .y = zeros},
        {.name = "huge", .count = 4, .x = huge, .y = huge},
        {.name = "bars", .mark = FIGURE_BARS, .count = 4, .x = edges, .y = losses},
        {.name = "points", .mark = FIGURE_POINTS, .count = 4, .x = losses, .y = huge},
        {.name = "band", .count = 4, .x = steps, .y = losses, .low = zeros, .high = losses},
    };
    nm_context *context = test_context(NULL);
    for (int i = 0; i < 7 * 4; i++) {
        const figure f = {.title = "t",
                          .x = {.label = "x", .logarithmic = i & 1},
                          .y = {.label = "y", .logarithmic = i >> 1 & 1},
                          .series = &all[i / 4],
                          .count = 1};
        char *text = drawn(context, &f);
        const char *marks = strstr(text, "<g clip-path");
        ck_assert_msg(!strstr(marks, "nan") && !strstr(marks, "inf"), "%s", marks);
        nm_free(context, text);
    }
    test_context_end(context, NULL);
}
END_TEST

/* The number of points of the picture's line. */
static int points_of(nm_context *context, const figure *f)
{
    char *text = drawn(context, f), *line = strstr(text, "class=\"line");
    *strstr(line, "/>") = 0;
    const int count = count_of(line, "L") + count_of(line, "M");
    nm_free(context, text);
    return count;
}

START_TEST(a_line_of_many_points_keeps_its_peaks)
{
    enum { MANY = 100000 };
    nm_context *context = test_context(NULL);
    double *x = nm_alloc_zero(context, MANY, sizeof *x),
           *y = nm_alloc_zero(context, MANY, sizeof *y);
    for (int i = 0; i < MANY; i++) {
        x[i] = i;
        y[i] = sin(i);
    }
    y[77777] = 5;
    const figure_series series = {.name = "s", .count = MANY, .x = x, .y = y};
    const figure f = {
        .title = "t", .x = {.label = "x"}, .y = {.label = "y"}, .series = &series, .count = 1};
    ck_assert_int_lt(points_of(context, &f), 2500);
    char *text = drawn(context, &f), *line = strstr(text, "class=\"line");
    double lowest = 1e9; /* from the top: the peak is higher than all else */
    for (char *at = strstr(line, "d=\"") + 3; *at != '"'; at++) {
        const double y_of = *at == 'L' ? strtod(strchr(at, ' '), NULL) : 1e9;
        lowest = y_of < lowest ? y_of : lowest;
    }
    ck_assert_double_lt(lowest, 70); /* without the peak: a place below the middle */
    nm_free(context, text);
    nm_free(context, x);
    nm_free(context, y);
    test_context_end(context, NULL);
}
END_TEST

/* More series than there are styles: the eighth has the first one's colour, and is drawn otherwise.
 */
START_TEST(no_two_of_nine_series_look_alike)
{
    enum { NINE = 9 };
    static const double x[] = {1, 2}, y[] = {1, 2};
    figure_series all[NINE];
    for (int i = 0; i < NINE; i++) {
        all[i] = (figure_series){.name = "s", .count = 2, .x = x, .y = y};
    }
    nm_context *context = test_context(NULL);
    const figure f = {
        .title = "t", .x = {.label = "x"}, .y = {.label = "y"}, .series = all, .count = NINE};
    char *text = drawn(context, &f);
    ck_assert_int_eq(count_of(text, "<path class=\"line s0\""), 2 * 2); /* and in the legend */
    ck_assert_int_eq(count_of(text, "<g class=\"again\">"), 2 * 2);
    ck_assert_int_eq(count_of(text, "<path class=\"line s6\""), 2);
    nm_free(context, text);
    test_context_end(context, NULL);
}
END_TEST

/* ---- Terminals ---- */

/* For nm_free(). */
static char *printed(nm_context *context, const figure *f, const terminal *t)
{
    text_stream s;
    ck_assert_ptr_nonnull(text_begin(&s, context));
    ck_assert_int_eq(figure_print(context, f, t, s.to), NM_OK);
    ck_assert_ptr_nonnull(text_end(&s));
    return s.text;
}

static bool is_ascii(const char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text > 126 || ((unsigned char)*text < ' ' && *text != '\n')) {
            return false;
        }
    }
    return true;
}

START_TEST(a_terminal_without_unicode_gets_ascii)
{
    static const double grid[] = {1, 2, NAN, 4};
    const figure heat = {.title = "한",
                         .x = {.label = "x", .high = 1},
                         .y = {.label = "y", .high = 1},
                         .grid = {2, 2, grid, {.label = HOSTILE}}};
    const terminal t = {60, 10, false, false};
    nm_context *context = test_context(NULL);
    char *text = printed(context, &hostile, &t), *shades = printed(context, &heat, &t);
    ck_assert_msg(is_ascii(text) && is_ascii(shades), "%s%s", text, shades);
    ck_assert_ptr_nonnull(strchr(text, '*'));
    nm_free(context, text);
    nm_free(context, shades);
    test_context_end(context, NULL);
}
END_TEST

START_TEST(no_line_is_wider_than_the_terminal)
{
    nm_context *context = test_context(NULL);
    for (int i = 0; i < 8; i++) {
        const terminal t = {i & 4 ? 120 : 40, 10, i & 1, false};
        char *text = printed(context, &hostile, &t);
        char *rest = NULL;
        for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
            ck_assert_msg(wide_text(line) <= t.columns || strstr(line, "not drawn"), "%s", line);
        }
        nm_free(context, text);
    }
    test_context_end(context, NULL);
}
END_TEST

/* A falling line begins in the first row, and ends in the last. */
START_TEST(a_curve_is_where_its_values_are)
{
    static const double x[] = {0, 10}, y[] = {1, 0};
    const figure_series series = {.name = "s", .count = 2, .x = x, .y = y};
    const figure f = {.title = "t",
                      .x = {.label = "x"},
                      .y = {.label = "y", .high = 1},
                      .series = &series,
                      .count = 1};
    const terminal t = {60, 10, false, false};
    nm_context *context = test_context(NULL);
    char *text = printed(context, &f, &t), *first = strstr(text, "1.0 +"),
         *last = strstr(text, "0.0 +");
    ck_assert_int_eq(first[5], '*');
    ck_assert_int_ne(last[5], '*');
    ck_assert_int_eq(strchr(last, '\n')[-1], '*');
    nm_free(context, text);
    test_context_end(context, NULL);
}
END_TEST

/* Of a row of the drawing, how many columns are full at `height` rows from below; -1: no such row.
 */
static int full_at(const char *text, int rows, int height)
{
    for (int row = rows - 1; text && row > height; row--) {
        text = strchr(text, '\n');
        text = text ? text + 1 : NULL;
    }
    int full = 0;
    for (; text && *text && *text != '\n'; text++) {
        full += *text == '#';
    }
    return text ? full : -1;
}

START_TEST(bars_are_as_high_as_their_values_and_as_wide_as_their_edges)
{
    static const double edges[] = {0, 1, 2, 4}, values[] = {2, 4, 8};
    const figure_series bars = {
        .name = "s", .mark = FIGURE_BARS, .count = 3, .x = edges, .y = values};
    const figure f = {.title = "t",
                      .x = {.label = "x", .high = 4},
                      .y = {.label = "y", .high = 8},
                      .series = &bars,
                      .count = 1};
    nm_context *context = test_context(NULL);
    char *text = printed(context, &f, &(terminal){48, 8, false, false});
    const char *drawing = strpbrk(text, "|+"); /* its first row */
    const int all = full_at(drawing, 8, 0);
    ck_assert_int_ge(all, 36);
    ck_assert_int_eq(full_at(drawing, 8, 1), all);             /* up to 2 all three */
    ck_assert(abs(4 * full_at(drawing, 8, 3) - 3 * all) <= 4); /* up to 4 the last two */
    ck_assert(abs(2 * full_at(drawing, 8, 7) - all) <= 4);     /* then the last, half of it */
    nm_free(context, text);
    text = printed(context, &f, &(terminal){48, 8, true, true});
    ck_assert_ptr_nonnull(strstr(text, "█"));
    ck_assert_ptr_nonnull(strstr(text, "\033["));
    ck_assert_ptr_null(strchr(text, '#'));
    nm_free(context, text);
    test_context_end(context, NULL);
}
END_TEST

START_TEST(cells_of_classes_stand_beside_their_names_the_first_at_the_top)
{
    static const char *const names[] = {"ash", "elm", "oak"};
    static const double counts[] = {9, 0, 0, 0, 9, 0, 0, 0, 9};
    const figure f = {.title = "t",
                      .x = {.label = "predicted", .names = names, .name_count = 3},
                      .y = {.label = "true", .names = names, .name_count = 3},
                      .grid = {3, 3, counts, {.label = "samples"}}};
    nm_context *context = test_context(NULL);
    for (int unicode = 0; unicode < 2; unicode++) {
        char *text = printed(context, &f, &(terminal){60, 12, unicode, false});
        const char *first = strstr(text, "ash"), *second = strstr(text, "elm"),
                   *third = strstr(text, "oak");
        ck_assert_msg(first && first < second && second < third, "%s", text);
        ck_assert(strchr(first, '\n') < second && strchr(second, '\n') < third);
        nm_free(context, text);
    }
    test_context_end(context, NULL);
}
END_TEST

START_TEST(points_are_told_from_lines_and_series_by_letters_or_colours)
{
    static const double x[] = {0, 1, 2}, y[] = {0, 2, 1}, z[] = {2, 0, 1};
    const figure_series all[] = {{.name = "one", .mark = FIGURE_POINTS, .count = 3, .x = x, .y = y},
                                 {.name = "two", .count = 3, .x = x, .y = z}};
    const figure f = {
        .title = "t", .x = {.label = "x"}, .y = {.label = "y"}, .series = all, .count = 2};
    nm_context *context = test_context(NULL);
    char *letters = printed(context, &f, &(terminal){48, 8, true, false}),
         *colours = printed(context, &f, &(terminal){48, 8, true, true});
    ck_assert_ptr_null(strstr(letters, "\033["));
    ck_assert(strstr(letters, "one") && strstr(letters, "two"));
    ck_assert_ptr_nonnull(strstr(colours, "•"));
    ck_assert_ptr_nonnull(strstr(colours, "━"));
    nm_free(context, letters);
    nm_free(context, colours);
    test_context_end(context, NULL);
}
END_TEST

/* ---- Without memory ---- */

static nm_status write_all(test_memory *memory)
{
    nm_context *context = test_context(memory);
    if (!context) {
        return NM_ERROR_MEMORY;
    }
    page *p = page_open(context, "t");
    page_figure(p, &hostile);
    page_write(p, test_path("memory.html"));
    svg_write(context, test_path("memory.svg"), &hostile, 1);
    const terminal t = {60, 10, true, true};
    text_stream s;
    if (text_begin(&s, context)) {
        figure_print(context, &hostile, &t, s.to);
    }
    text_end(&s);
    text_free(&s);
    const nm_status status = nm_context_status(context);
    test_context_end(context, memory);
    return status;
}

START_TEST(no_memory_is_an_error_like_any_other)
{
    test_every_allocation(write_all);
}
END_TEST

TEST_MAIN("models/page/figure", text_of_others_stays_text, text_is_cut_between_characters,
          a_page_has_no_markup_of_others, each_figure_says_what_it_shows,
          what_norma_did_not_write_stays, there_is_no_nan_in_a_picture,
          a_line_of_many_points_keeps_its_peaks, no_two_of_nine_series_look_alike,
          a_terminal_without_unicode_gets_ascii, no_line_is_wider_than_the_terminal,
          a_curve_is_where_its_values_are,
          bars_are_as_high_as_their_values_and_as_wide_as_their_edges,
          cells_of_classes_stand_beside_their_names_the_first_at_the_top,
          points_are_told_from_lines_and_series_by_letters_or_colours,
          no_memory_is_an_error_like_any_other)
