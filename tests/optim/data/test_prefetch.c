/* The thread that makes items ahead, with items that take their time. */
#include "optim/data/prefetch.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

#include "tests/test.h"

typedef struct maker {
    atomic_llong places[2]; /* the item in each */
    atomic_int begun, made;
    atomic_bool busy;
    bool slow;
    bool blocks_signals;
} maker;

static void rest(long milliseconds)
{
    nanosleep(&(struct timespec){.tv_nsec = milliseconds * 1000000}, NULL);
}

static void make(void *arg, int64_t index, int place)
{
    maker *m = arg;
    sigset_t blocked;
    m->busy = true;
    m->begun++;
    m->places[place] = -1;
    if (m->slow) {
        rest(20);
    }
    pthread_sigmask(SIG_BLOCK, NULL, &blocked); /* only asks */
    m->blocks_signals = sigismember(&blocked, SIGINT) && sigismember(&blocked, SIGTERM);
    m->places[place] = index;
    m->made++;
    m->busy = false;
}

START_TEST(items_come_in_order_and_stay_until_the_next_is_taken)
{
    maker m = {.slow = false};
    nm_context *context = test_context(NULL);
    nm_prefetch *prefetch = nm_prefetch_create(context, make, &m);
    nm_prefetch_start(prefetch, 3, 200);
    for (int i = 3; i < 200; i++) {
        int place = nm_prefetch_take(prefetch);
        ck_assert_int_eq(m.places[place], i);
        rest(i < 10 ? 2 : 0);
        ck_assert_int_eq(m.places[place], i);
    }
    ck_assert(m.blocks_signals); /* they are for the program's own threads */
    nm_prefetch_destroy(prefetch);
    nm_context_destroy(context);
}
END_TEST

START_TEST(one_item_is_made_ahead_and_no_more)
{
    maker m = {.slow = false};
    nm_context *context = test_context(NULL);
    nm_prefetch *prefetch = nm_prefetch_create(context, make, &m);
    nm_prefetch_start(prefetch, 0, 10);
    for (int taken = 0; taken < 10; taken++) {
        while (m.made < taken + 1) { /* it comes without being asked for; else Check times out */
            rest(1);
        }
        rest(2);
        ck_assert_int_eq(m.made, taken + 1);
        nm_prefetch_take(prefetch);
    }
    nm_prefetch_destroy(prefetch);
    nm_context_destroy(context);
}
END_TEST

START_TEST(stopping_waits_for_the_item_in_the_making)
{
    maker m = {.slow = true};
    nm_context *context = test_context(NULL);
    nm_prefetch *prefetch = nm_prefetch_create(context, make, &m);
    nm_prefetch_start(prefetch, 0, 10);
    while (!m.begun) {
        rest(1);
    }
    nm_prefetch_stop(prefetch);
    ck_assert(!m.busy);
    ck_assert_int_eq(m.made, 1);
    nm_prefetch_start(prefetch, 7, 8); /* what was made before is forgotten */
    ck_assert_int_eq(m.places[nm_prefetch_take(prefetch)], 7);
    nm_prefetch_destroy(prefetch);
    nm_context_destroy(context);
}
END_TEST

START_TEST(destroying_waits_for_the_item_in_the_making)
{
    maker m = {.slow = true};
    nm_context *context = test_context(NULL);
    nm_prefetch *prefetch = nm_prefetch_create(context, make, &m);
    nm_prefetch_start(prefetch, 0, 10);
    while (!m.begun) {
        rest(1);
    }
    nm_prefetch_destroy(prefetch);
    ck_assert(!m.busy);
    ck_assert_int_eq(m.made, 1);
    nm_context_destroy(context);
}
END_TEST

static void *take_one(void *prefetch)
{
    nm_prefetch_take(prefetch);
    pthread_testcancel();
    return NULL;
}

START_TEST(a_thread_that_is_cancelled_while_it_waits_for_an_item_takes_it_first)
{
    maker m = {.slow = true};
    nm_context *context = test_context(NULL);
    nm_prefetch *prefetch = nm_prefetch_create(context, make, &m);
    nm_prefetch_start(prefetch, 0, 10);
    pthread_t taker;
    void *result;
    ck_assert_int_eq(pthread_create(&taker, NULL, take_one, prefetch), 0);
    rest(5);
    ck_assert_int_eq(pthread_cancel(taker), 0);
    ck_assert_int_eq(pthread_join(taker, &result), 0);
    ck_assert(result == PTHREAD_CANCELED);
    ck_assert_int_eq(m.places[nm_prefetch_take(prefetch)], 1); /* and nobody has the lock */
    nm_prefetch_destroy(prefetch);
    nm_context_destroy(context);
}
END_TEST

TEST_MAIN("optim/prefetch", items_come_in_order_and_stay_until_the_next_is_taken,
          one_item_is_made_ahead_and_no_more, stopping_waits_for_the_item_in_the_making,
          destroying_waits_for_the_item_in_the_making,
          a_thread_that_is_cancelled_while_it_waits_for_an_item_takes_it_first)
