/* Axes: from values to places, and the marks on them. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "models/command/page/scale.h"
#include "tests/test.h"

static const figure_axis plain = {.label = "x"}, logarithmic = {.label = "x", .logarithmic = true};

/* Ticks rise, lie on the axis, are labelled apart, and are no more than asked for. */
static void check_ticks(const scale *s, const ticks *t, int most)
{
    ck_assert_int_ge(t->count, 1);
    ck_assert_int_le(t->count, most);
    for (int i = 0; i < t->count; i++) {
        const double at = scale_place(s, t->at[i]);
        ck_assert_msg(at > -1e-6 && at < 1 + 1e-6, "tick %g is beyond the axis", t->at[i]);
        ck_assert_msg(t->text[i][0] && strlen(t->text[i]) < 16, "label \"%s\"", t->text[i]);
        if (i) {
            ck_assert_double_gt(t->at[i], t->at[i - 1]);
            ck_assert_str_ne(t->text[i], t->text[i - 1]);
        }
    }
}

static const double ends[][2] = {
    {0, 1},
    {0, 0.97},
    {-3, 4},
    {0, 50000},
    {1e-9, 3e-9},
    {1e15, 1e15},
    {5, 5},
    {0, 0},
    {-7, -7},
    {0.999, 1.001},
    {1e300, 2e300},
    {-DBL_MAX, DBL_MAX},
    {DBL_MIN, DBL_MIN},
    {4e-320, 5e-320},
    {12.34, 12.3401},
    {-1e-5, 1e5},
    {1, 1 + 1e-15},
    {DBL_MAX, DBL_MAX},
    {1e6, 1e6 + 1},
    {-0.0, 0.0},
};

START_TEST(every_axis_has_ticks_that_rise_and_are_told_apart)
{
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        for (int most = 2; most <= 12; most += 5) {
            const scale s = scale_over(&plain, ends[i][0], ends[i][1]);
            const ticks t = ticks_of(&s, &plain, most);
            ck_assert(isfinite(s.low) && isfinite(s.high) && s.low < s.high);
            check_ticks(&s, &t, most);
        }
    }
}
END_TEST

START_TEST(every_logarithmic_axis_has_ticks_too)
{
    static const double over[][2] = {{1, 10},      {0.1, 1e5},   {1e-300, 1e300}, {2, 3},   {5, 5},
                                     {1e-9, 2e-9}, {DBL_MIN, 1}, {1, DBL_MAX},    {99, 101}};
    for (size_t i = 0; i < sizeof over / sizeof *over; i++) {
        for (int most = 2; most <= 12; most += 5) {
            const scale s = scale_over(&logarithmic, over[i][0], over[i][1]);
            const ticks t = ticks_of(&s, &logarithmic, most);
            check_ticks(&s, &t, most);
        }
    }
}
END_TEST

START_TEST(ticks_are_round_numbers)
{
    const scale s = scale_over(&plain, 0, 0.97), l = scale_over(&logarithmic, 0.001, 1000);
    ticks t = ticks_of(&s, &plain, 6);
    ck_assert_int_eq(t.count, 5);
    ck_assert_str_eq(t.text[1], "0.2");
    t = ticks_of(&l, &logarithmic, 7);
    ck_assert_int_eq(t.count, 7);
    ck_assert_str_eq(t.text[0], "0.001");
    ck_assert_str_eq(t.text[6], "1000");
}
END_TEST

START_TEST(an_axis_of_steps_has_whole_ticks_only)
{
    const figure_axis steps = {.label = "epoch", .whole = true};
    const scale s = scale_over(&steps, 1, 3);
    const ticks t = ticks_of(&s, &steps, 8);
    ck_assert_int_eq(t.count, 3);
    ck_assert_str_eq(t.text[1], "2");
}
END_TEST

START_TEST(what_has_no_place_has_none)
{
    const scale s = scale_over(&logarithmic, 1, 100), p = scale_over(&plain, 0, 1);
    ck_assert(isnan(scale_place(&s, 0)));
    ck_assert(isnan(scale_place(&s, -1)));
    ck_assert(isnan(scale_place(&s, NAN)));
    ck_assert(isnan(scale_place(&p, INFINITY)));
    assert_near(scale_place(&s, 10), 0.5, 1e-12, 0);
    assert_near(scale_value(&s, 0.5), 10, 1e-12, 0);
}
END_TEST

START_TEST(an_axis_is_over_what_can_be_drawn)
{
    const double x[] = {1, 2, 3, 4, NAN}, y[] = {1, NAN, INFINITY, -5, 1e9};
    const figure_series series = {.name = "s", .count = 5, .x = x, .y = y};
    figure f = {.x = plain, .y = logarithmic, .series = &series, .count = 1};
    scale across, up;
    scales_of(&f, &across, &up);
    ck_assert_int_eq(figure_left_out(&f), 4);
    ck_assert_double_le(across.high, 1.2); /* x = 1 alone */
    f.y.logarithmic = false;
    scales_of(&f, &across, &up);
    ck_assert_int_eq(figure_left_out(&f), 3);
    assert_near(across.high, 4, 1e-9, 0);
    ck_assert_double_lt(up.low, -5);
}
END_TEST

START_TEST(a_figure_without_points_has_axes)
{
    const double x[] = {NAN}, y[] = {NAN};
    const figure_series series = {.name = "s", .count = 1, .x = x, .y = y};
    const figure none = {.x = plain, .y = logarithmic},
                 nan = {.x = plain, .y = plain, .series = &series, .count = 1};
    scale across, up;
    scales_of(&none, &across, &up);
    ck_assert(across.low < across.high && up.low < up.high);
    scales_of(&nan, &across, &up);
    ck_assert(across.low < across.high && up.low < up.high);
}
END_TEST

START_TEST(names_stand_at_their_places)
{
    static const char *const names[] = {"a", "b\x1b[31m", "c", "d"};
    const figure f = {.x = {.names = names, .name_count = 4}, .y = plain};
    scale across, up;
    scales_of(&f, &across, &up);
    const ticks t = ticks_of(&across, &f.x, 8);
    ck_assert_int_eq(t.count, 4);
    ck_assert_str_eq(t.text[1], "b\\x1b[31m");
    assert_near(scale_place(&across, 0), 0.125, 1e-12, 0);
}
END_TEST

START_TEST(values_that_an_axis_marks_have_ticks_where_there_is_room)
{
    static const double rates[] = {1, 0.01, 0.1, 0.1000000001, 0.11, 1e9};
    const figure_axis x = {.logarithmic = true, .marks = rates, .mark_count = 6},
                      one = {.marks = rates, .mark_count = 1};
    const scale s = scale_over(&x, 0.01, 1), plain_one = scale_over(&one, 0, 4);
    const ticks t = ticks_of(&s, &x, 8), few = ticks_of(&s, &x, 2);
    check_ticks(&s, &t, 8);
    check_ticks(&s, &few, 2);
    ck_assert_int_eq(t.count, 3); /* neither what lies close nor what lies beyond */
    ck_assert_str_eq(t.text[0], "0.01");
    ck_assert_str_eq(t.text[1], "0.1");
    ck_assert_str_eq(t.text[2], "1");
    ck_assert_int_gt(ticks_of(&plain_one, &one, 8).count, 2); /* a single mark is no axis */
}
END_TEST

START_TEST(an_axis_can_say_its_ends)
{
    const figure_axis given = {.label = "x", .low = -2, .high = 2},
                      wrong = {.label = "x", .logarithmic = true, .low = -2, .high = 2};
    ck_assert(scale_over(&given, 5, 6).low == -2);
    ck_assert(isfinite(scale_over(&wrong, 1, 10).low));
}
END_TEST

TEST_MAIN("models/page/scale", every_axis_has_ticks_that_rise_and_are_told_apart,
          every_logarithmic_axis_has_ticks_too, ticks_are_round_numbers,
          an_axis_of_steps_has_whole_ticks_only, what_has_no_place_has_none,
          an_axis_is_over_what_can_be_drawn, a_figure_without_points_has_axes,
          names_stand_at_their_places, values_that_an_axis_marks_have_ticks_where_there_is_room,
          an_axis_can_say_its_ends)
