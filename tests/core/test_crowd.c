/* How many threads work beside other programs: the decision, from numbers made up here, and that
 * results do not depend on it. */
#include <string.h>

#include "core/internal.h"
#include "core/thread.h"

#include "tests/test.h"

#define MS INT64_C(1000000)

/* A window of that many milliseconds, of which so many were lost and in which threads were taken
 * off their cores so often. */
static void pass(nm_crowd *c, int threads, int64_t ms, int64_t lost, int64_t switches)
{
    const int64_t now = c->begun + ms * MS;
    c->held += lost * MS;
    ck_assert(nm_crowd_is_due(c, now));
    nm_crowd_decide(c, threads, now, c->switches + switches);
}

START_TEST(waiting_for_a_thread_counts_from_where_work_and_waking_cannot_explain_it)
{
    ck_assert_int_eq(nm_crowd_held(2, 2, 100000, 50000), 0);   /* 0.1 ms, 0.05 of it work */
    ck_assert_int_eq(nm_crowd_held(2, 2, 250000, 50000), 0);   /* a thread had to wake */
    ck_assert_int_eq(nm_crowd_held(2, 2, 9 * MS, 5 * MS), 0);  /* unequal shares */
    ck_assert_int_eq(nm_crowd_held(8, 2, 9 * MS, MS), MS);     /* four in turn take 4 ms at least */
    ck_assert_int_eq(nm_crowd_held(8, 3, 9 * MS, MS), 3 * MS); /* three in turn */
    ck_assert_int_eq(nm_crowd_held(2, 2, 5 * MS, MS / 2), 4 * MS);
}
END_TEST

START_TEST(a_window_is_over_after_its_time_or_when_half_of_it_is_lost)
{
    const nm_crowd c = {.begun = 5 * MS};
    ck_assert(!nm_crowd_is_due(&c, 14 * MS));
    ck_assert(nm_crowd_is_due(&c, 15 * MS));
    const nm_crowd lost = {.begun = 5 * MS, .held = 6 * MS};
    ck_assert(nm_crowd_is_due(&lost, 12 * MS));
}
END_TEST

START_TEST(a_calm_machine_keeps_all_threads)
{
    nm_crowd c = {0};
    for (int i = 0; i < 100; i++) {
        pass(&c, 4, 10 + i % 7, i % 2, i % 3); /* a little lost, some switches */
        ck_assert_int_eq(c.fewer, 0);
    }
}
END_TEST

START_TEST(lost_time_alone_or_switches_alone_change_nothing)
{
    nm_crowd c = {0};
    pass(&c, 2, 10, 9, 0); /* a range that is slower by its nature */
    ck_assert_int_eq(c.fewer, 0);
    pass(&c, 2, 10, 1, 50);
    ck_assert_int_eq(c.fewer, 0);
}
END_TEST

START_TEST(time_in_which_the_program_did_other_things_is_no_window)
{
    nm_crowd c = {0};
    pass(&c, 2, 5000, 4000, 5);
    ck_assert_int_eq(c.fewer, 0);
}
END_TEST

START_TEST(a_crowd_leaves_out_a_quarter_at_a_time_down_to_one)
{
    const int left[] = {12, 9, 6, 4, 3, 2, 1, 1, 1};
    nm_crowd c = {0};
    for (int i = 0; i < NM_COUNT_OF(left); i++) {
        pass(&c, 16, 10, 5, 3);
        ck_assert_int_eq(16 - c.fewer, left[i]);
    }
    nm_crowd two = {0};
    pass(&two, 2, 10, 5, 3);
    ck_assert_int_eq(two.fewer, 1);
}
END_TEST

START_TEST(threads_come_back_one_calm_window_after_another_once_the_pause_is_over)
{
    nm_crowd c = {0};
    pass(&c, 8, 10, 5, 3); /* 6 */
    pass(&c, 8, 10, 5, 3); /* 4 */
    ck_assert_int_eq(c.fewer, 4);
    pass(&c, 8, 10, 0, 0); /* too early */
    ck_assert_int_eq(c.fewer, 4);
    pass(&c, 8, 10, 0, 0);
    ck_assert_int_eq(c.fewer, 3);
    pass(&c, 8, 10, 0, 0);
    ck_assert_int_eq(c.fewer, 1);
    pass(&c, 8, 10, 0, 0);
    ck_assert_int_eq(c.fewer, 0);
}
END_TEST

/* Milliseconds in one thread until the next trial, which fails. */
static int64_t pause_of(nm_crowd *c)
{
    int64_t ms = 0;
    for (; c->fewer == 1; ms += 10) {
        pass(c, 2, 10, 0, 0);
    }
    pass(c, 2, 10, 8, 4);
    ck_assert_int_eq(c->fewer, 1);
    return ms;
}

START_TEST(each_trial_that_fails_doubles_the_pause_up_to_a_limit)
{
    nm_crowd c = {0};
    pass(&c, 2, 10, 8, 4);
    for (int64_t ms = 20; ms <= 1280; ms *= 2) {
        ck_assert_int_eq(pause_of(&c), ms);
    }
    ck_assert_int_eq(pause_of(&c), 1280);
}
END_TEST

START_TEST(calm_makes_pauses_short_again)
{
    nm_crowd c = {0};
    pass(&c, 2, 10, 8, 4);
    for (int i = 0; i < 6; i++) {
        pause_of(&c);
    }
    while (c.fewer) {
        pass(&c, 2, 10, 0, 0);
    }
    for (int i = 0; i < 20; i++) {
        pass(&c, 2, 10, 0, 0);
    }
    pass(&c, 2, 10, 8, 4);
    ck_assert_int_eq(pause_of(&c), 20);
}
END_TEST

START_TEST(fewer_threads_than_were_left_out_are_one)
{
    nm_crowd c = {.fewer = 5};
    pass(&c, 2, 10, 8, 4);
    ck_assert_int_eq(c.fewer, 1);
}
END_TEST

/* ---- The ranges ---- */

typedef struct ranges {
    int64_t begin[16], end[16];
    int count;
} ranges;

static void note(void *arg, int64_t begin, int64_t end)
{
    ranges *r = arg;
    const int at = __atomic_fetch_add(&r->count, 1, __ATOMIC_RELAXED);
    r->begin[at] = begin;
    r->end[at] = end;
}

START_TEST(ranges_are_cut_the_same_whoever_is_left_out)
{
    nm_context *context = test_context(NULL);
    nm_context_set_threads(context, 4);
    for (int out = 0; out < 4; out++) {
        ranges r = {.count = 0};
        bool found[4] = {false};
        context->crowd.fewer = out;
        nm_parallel(context, 103, 1, note, &r);
        ck_assert_int_eq(r.count, 4);
        for (int i = 0; i < 4; i++) {
            ck_assert_int_eq(r.begin[i] % 26, 0);
            ck_assert_int_eq(r.end[i], r.begin[i] == 78 ? 103 : r.begin[i] + 26);
            found[r.begin[i] / 26] = true;
        }
        ck_assert(found[0] && found[1] && found[2] && found[3]);
    }
    nm_context_destroy(context);
}
END_TEST

TEST_MAIN("core/crowd", waiting_for_a_thread_counts_from_where_work_and_waking_cannot_explain_it,
          a_window_is_over_after_its_time_or_when_half_of_it_is_lost,
          a_calm_machine_keeps_all_threads, lost_time_alone_or_switches_alone_change_nothing,
          time_in_which_the_program_did_other_things_is_no_window,
          a_crowd_leaves_out_a_quarter_at_a_time_down_to_one,
          threads_come_back_one_calm_window_after_another_once_the_pause_is_over,
          each_trial_that_fails_doubles_the_pause_up_to_a_limit, calm_makes_pauses_short_again,
          fewer_threads_than_were_left_out_are_one, ranges_are_cut_the_same_whoever_is_left_out)
