/* Loops that threads share: each share is done once, whoever comes. */
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/internal.h"
#include "core/team.h"
#include "core/thread.h"

#include "tests/test.h"

#define MOST 64

typedef struct loop {
    int64_t done[MOST]; /* how often each share was */
    int64_t given;      /* by the caller before it shares */
    int64_t sum;        /* atomic */
} loop;

static void add(void *arg, int64_t i)
{
    loop *l = arg;
    l->done[i]++; /* a share is one thread's: the thread sanitizer would see two */
    __atomic_fetch_add(&l->sum, l->given + i, __ATOMIC_RELAXED);
}

static void assert_done(const loop *l, int64_t shares, int64_t times)
{
    for (int64_t i = 0; i < MOST; i++) {
        ck_assert_int_eq(l->done[i], i < shares ? times : 0);
    }
}

START_TEST(each_share_is_done_once_on_any_number_of_threads)
{
    for (int most = 1; most <= 9; most += 4) {
        nm_team *team = nm_team_create(most);
        ck_assert(nm_team_has_room(team, most) && !nm_team_has_room(team, most + 1));
        for (int64_t shares = 1; shares <= MOST; shares += 9) {
            for (int threads = 1; threads <= most + 1; threads++) {
                loop l = {.given = 3 * shares};
                ck_assert(nm_team_share(team, threads, shares, add, &l));
                assert_done(&l, shares, 1);
                ck_assert_int_eq(l.sum, 3 * shares * shares + shares * (shares - 1) / 2);
            }
        }
        nm_team_destroy(team);
    }
}
END_TEST

START_TEST(loops_follow_each_other_at_once_and_after_a_while)
{
    nm_team *team = nm_team_create(4);
    loop l = {.given = 0};
    for (int i = 1; i <= 3000; i++) {
        l.given = i; /* what the caller wrote last is what all see */
        l.sum = 0;
        ck_assert(nm_team_share(team, 2 + i % 3, 5, add, &l));
        ck_assert_int_eq(l.sum, 5 * i + 10);
        if (i % 300 == 0) {
            usleep(2000); /* they fall asleep */
        }
    }
    assert_done(&l, 5, 3000);
    nm_team_destroy(team);
}
END_TEST

/* ---- Who comes ---- */

typedef struct meeting {
    int here; /* atomic: threads that are in a share */
    bool met; /* atomic: as many at once as were wanted */
    int wanted;
} meeting;

static void meet(void *arg, int64_t i)
{
    meeting *m = arg;
    (void)i;
    if (__atomic_add_fetch(&m->here, 1, __ATOMIC_SEQ_CST) == m->wanted) {
        __atomic_store_n(&m->met, true, __ATOMIC_SEQ_CST);
    }
    for (int j = 0; j < 20000 && !__atomic_load_n(&m->met, __ATOMIC_SEQ_CST); j++) {
        usleep(1000);
    }
}

START_TEST(shares_are_done_at_the_same_time)
{
    nm_team *team = nm_team_create(4);
    for (int i = 0; i < 3; i++) {
        meeting m = {.wanted = 4};
        ck_assert(nm_team_share(team, 4, 4, meet, &m));
        ck_assert(m.met);
    }
    nm_team_destroy(team);
}
END_TEST

static void wait_for_flag(void *flag, int64_t i)
{
    while (i == 1 && !__atomic_load_n((bool *)flag, __ATOMIC_ACQUIRE)) {
        usleep(100);
    }
}

static void *raise_flag(void *flag)
{
    usleep(20000);
    __atomic_store_n((bool *)flag, true, __ATOMIC_RELEASE);
    return NULL;
}

START_TEST(the_caller_waits_for_a_share_that_takes_long)
{
    nm_team *team = nm_team_create(2);
    for (int i = 0; i < 5; i++) {
        bool flag = false;
        pthread_t other;
        ck_assert_int_eq(pthread_create(&other, NULL, raise_flag, &flag), 0);
        ck_assert(nm_team_share(team, 2, 2, wait_for_flag, &flag));
        ck_assert(__atomic_load_n(&flag, __ATOMIC_ACQUIRE));
        pthread_join(other, NULL);
    }
    nm_team_destroy(team);
}
END_TEST

typedef struct within {
    nm_team *team;
    int refused; /* atomic */
} within;

static void share_again(void *arg, int64_t i)
{
    within *w = arg;
    loop l = {.given = 0};
    (void)i;
    __atomic_fetch_add(&w->refused, !nm_team_share(w->team, 2, 2, add, &l), __ATOMIC_RELAXED);
    assert_done(&l, 0, 0);
}

START_TEST(a_team_has_one_loop_at_a_time)
{
    within w = {nm_team_create(2), 0};
    ck_assert(nm_team_share(w.team, 2, 6, share_again, &w));
    ck_assert_int_eq(w.refused, 6);
    nm_team_destroy(w.team);
}
END_TEST

/* ---- Contexts ---- */

static void fill(void *arg, int64_t begin, int64_t end)
{
    for (int64_t i = begin; i < end; i++) {
        ((int *)arg)[i]++;
    }
}

static void *share_much(void *arg)
{
    nm_context *context = test_context(NULL);
    static _Thread_local int numbers[1000];
    (void)arg;
    for (int i = 1; i <= 300; i++) {
        nm_context_set_threads(context, 1 + i % 5); /* some need a larger team than there is */
        nm_parallel(context, 1000, 16, fill, numbers);
        ck_assert_int_eq(numbers[0], i);
        ck_assert_int_eq(numbers[999], i);
    }
    nm_context_destroy(context);
    return NULL;
}

START_TEST(each_context_has_a_team_of_its_own)
{
    pthread_t threads[3];
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, share_much, NULL), 0);
    }
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
    }
}
END_TEST

/* Within a body the context's team is busy, even where more threads are wanted than it has: the
 * inner loop runs in the thread that asks. One alone asks, as no other may then. */
static void fill_within(void *arg, int64_t begin, int64_t end)
{
    static int numbers[4000];
    for (int64_t i = begin; i < end && i == 0; i++) {
        nm_parallel(arg, 4000, 16, fill, numbers);
        ck_assert_int_eq(numbers[3999], 1);
        nm_context_set_threads(arg, 5);
        nm_parallel(arg, 4000, 16, fill, numbers);
        ck_assert_int_eq(numbers[3999], 2);
    }
}

START_TEST(a_loop_within_a_loop_is_done_at_once)
{
    nm_context *context = test_context(NULL);
    nm_parallel(context, 2, 1, fill_within, context);
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_fork_computes_alone_and_leaves_the_team_behind)
{
    nm_context *context = test_context(NULL);
    static int numbers[1000];
    nm_parallel(context, 1000, 16, fill, numbers);
    const pid_t child = fork();
    if (child == 0) {
        nm_parallel(context, 1000, 16, fill, numbers);
        const bool fine = numbers[0] == 2 && numbers[999] == 2;
        nm_context_destroy(context);
        _exit(fine ? 0 : 3);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    nm_parallel(context, 1000, 16, fill, numbers);
    ck_assert_int_eq(numbers[999], 2);
    nm_context_destroy(context);
}
END_TEST

TEST_MAIN("core/team", each_share_is_done_once_on_any_number_of_threads,
          loops_follow_each_other_at_once_and_after_a_while, shares_are_done_at_the_same_time,
          the_caller_waits_for_a_share_that_takes_long, a_team_has_one_loop_at_a_time,
          each_context_has_a_team_of_its_own, a_loop_within_a_loop_is_done_at_once,
          a_fork_computes_alone_and_leaves_the_team_behind)
