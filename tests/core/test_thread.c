/* Threads where the system has few or none. */
#include <grp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/internal.h"
#include "core/thread.h"
#include "core/team.h"

#include "tests/test.h"

#define COUNT 100000

static void fill(void *arg, int64_t begin, int64_t end)
{
    for (int64_t i = begin; i < end; i++) {
        ((int *)arg)[i] = (int)i;
    }
}

/* The parts of a loop are all done; on how many threads the system decides. */
static bool fills_all(void)
{
    static int numbers[COUNT];
    nm_context *context = test_context(NULL);
    nm_context_set_threads(context, 8);
    nm_parallel(context, COUNT, 100, fill, numbers);
    nm_context_destroy(context);
    for (int i = 0; i < COUNT; i++) {
        if (numbers[i] != i) {
            return false;
        }
    }
    return true;
}

static void *pass(void *gate)
{
    pthread_mutex_lock(gate);
    pthread_mutex_unlock(gate);
    return NULL;
}

static rlim_t threads_there_are(void)
{
    struct stat tasks;
    return stat("/proc/self/task", &tasks) == 0 ? tasks.st_nlink - 2 : 0;
}

/* Threads of a sanitizer's or an emulator's, some of which come with the first that is made: the
 * system counts them, too. That one is gone afterwards. */
static rlim_t threads_of_others(void)
{
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    pthread_t first;
    pthread_mutex_lock(&gate);
    if (pthread_create(&first, NULL, pass, &gate) != 0) {
        _exit(98);
    }
    const rlim_t with_first = threads_there_are();
    pthread_mutex_unlock(&gate);
    pthread_join(first, NULL);
    while (threads_there_are() >= with_first && with_first > 0) {
        usleep(100);
    }
    return with_first > 2 ? with_first - 2 : 0;
}

/* In the child: as a user who has no other process, where root runs the tests. */
static void allow_processes(rlim_t count)
{
    const uid_t nobodys = 64321;
    count += threads_of_others();
    if (setrlimit(RLIMIT_NPROC, &(struct rlimit){count, count}) != 0 ||
        (geteuid() == 0 && (setgroups(0, NULL) != 0 || setuid(nobodys) != 0))) {
        _exit(99);
    }
}

/* Where `claim` is made in a process that may have `count` processes and threads. */
static void holds_with(rlim_t count, bool (*claim)(void))
{
    pid_t child = fork();
    if (child == 0) {
        allow_processes(count);
        _exit(claim() ? 0 : 3);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x with %d processes",
                  status, (int)count);
}

static void count_call(void *arg, int64_t begin, int64_t end)
{
    (void)begin;
    (void)end;
    ++*(int *)arg;
}

START_TEST(a_loop_over_nothing_calls_nothing)
{
    int calls = 0;
    nm_context *context = test_context(NULL);
    nm_parallel(context, 0, 1, count_call, &calls);
    nm_parallel(context, -1, 1, count_call, &calls);
    ck_assert_int_eq(calls, 0);
    nm_parallel(context, 1, 1, count_call, &calls);
    ck_assert_int_eq(calls, 1);
    nm_context_destroy(context);
}
END_TEST

START_TEST(where_no_thread_can_be_had_the_caller_does_all)
{
    holds_with(0, fills_all);
}
END_TEST

static void note(void *arg, int64_t i)
{
    static _Thread_local char mine;
    ((char **)arg)[i] = &mine;
    usleep(i == 0 ? 20000 : 1000); /* the caller leaves the rest to the others */
}

/* How many threads of a team of `most` have begun a share, of one each. */
static int threads_of(nm_team *team, int most)
{
    char *who[8] = {NULL};
    int count = 0;
    nm_team_share(team, most, most, note, who);
    for (int i = 0; i < most; i++) {
        bool is_new = who[i] != NULL;
        for (int j = 0; j < i; j++) {
            is_new &= who[j] != who[i];
        }
        count += is_new;
    }
    return count;
}

/* Two of its own, since the third is refused; and no more once there could be. */
static bool gets_two_others(void)
{
    nm_team *team = nm_team_create(8);
    const rlim_t before = threads_there_are();
    const int first = threads_of(team, 8);
    const bool fine = first >= 1 && first <= 3 && threads_there_are() == before + 2 &&
                      threads_of(team, 2) <= 2 && threads_of(team, 8) <= 3 &&
                      threads_there_are() == before + 2;
    nm_team_destroy(team);
    return fine && fills_all();
}

START_TEST(no_more_threads_are_asked_for_than_there_can_be)
{
    if (geteuid() == 0) { /* else the limit counts what else the user runs */
        holds_with(3, gets_two_others);
    }
    holds_with(0, fills_all);
}
END_TEST

static bool keeps_seven(void)
{
    nm_team *team = nm_team_create(8);
    const rlim_t before = threads_there_are();
    threads_of(team, 8);
    const bool had =
        threads_there_are() == before + 7 && setrlimit(RLIMIT_NPROC, &(struct rlimit){0, 0}) == 0;
    threads_of(team, 8);
    const bool has = threads_there_are() == before + 7;
    nm_team_destroy(team);
    return had && has && fills_all();
}

START_TEST(threads_that_were_had_once_stay)
{
    holds_with(4096, keeps_seven);
}
END_TEST

/* ---- What a program does to threads ---- */

static void look_at_signals(void *arg, int64_t i)
{
    const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS};
    const int others[] = {SIGINT, SIGTERM, SIGHUP, SIGALRM, SIGCHLD, SIGPIPE, SIGUSR1};
    sigset_t blocked;
    pthread_sigmask(SIG_BLOCK, NULL, &blocked); /* only asks */
    bool fine = true;
    for (size_t j = 0; j < sizeof faults / sizeof *faults; j++) {
        fine &= !sigismember(&blocked, faults[j]);
    }
    for (size_t j = 0; j < sizeof others / sizeof *others; j++) {
        fine &= sigismember(&blocked, others[j]) == 1;
    }
    ((bool *)arg)[i] = fine;
    usleep(20000); /* so that another thread takes the other share */
}

START_TEST(a_programs_handler_hears_of_a_fault_in_a_thread_of_ours_and_of_nothing_else_there)
{
    nm_team *team = nm_team_create(3);
    bool fine[3] = {false};
    nm_team_share(team, 3, 3, look_at_signals, fine); /* threads begin */
    nm_team_share(team, 3, 3, look_at_signals, fine);
    ck_assert(!fine[0]); /* the caller has the signals that it has */
    ck_assert(fine[1] && fine[2]);
    nm_team_destroy(team);
}
END_TEST

typedef struct visit {
    nm_team *team;
    bool inside, ended, after; /* atomic: a share has begun, it has ended, and so when all had */
} visit;

static void take_long(void *arg, int64_t i)
{
    visit *v = arg;
    if (i == 1) {
        __atomic_store_n(&v->inside, true, __ATOMIC_SEQ_CST);
        usleep(100000);
        __atomic_store_n(&v->ended, true, __ATOMIC_SEQ_CST);
    }
    while (!__atomic_load_n(&v->inside, __ATOMIC_SEQ_CST)) {
        usleep(100); /* where one may be cancelled */
    }
}

static void *share_once(void *arg)
{
    visit *v = arg;
    nm_team_share(v->team, 2, 2, take_long, v);
    v->after = __atomic_load_n(&v->ended, __ATOMIC_SEQ_CST);
    pthread_testcancel();
    return NULL;
}

static void count_one(void *arg, int64_t i)
{
    ((int *)arg)[i]++;
}

START_TEST(a_thread_that_is_cancelled_leaves_when_the_others_are_done)
{
    visit v = {.team = nm_team_create(2)};
    pthread_t caller;
    void *result;
    ck_assert_int_eq(pthread_create(&caller, NULL, share_once, &v), 0);
    while (!__atomic_load_n(&v.inside, __ATOMIC_SEQ_CST)) {
        usleep(100);
    }
    usleep(10000); /* it waits for the other */
    ck_assert_int_eq(pthread_cancel(caller), 0);
    ck_assert_int_eq(pthread_join(caller, &result), 0);
    ck_assert(v.after && result == PTHREAD_CANCELED);
    int done[2] = {0};
    ck_assert(nm_team_share(v.team, 2, 2, count_one, done)); /* the next loop */
    ck_assert(done[0] == 1 && done[1] == 1);
    nm_team_destroy(v.team);
}
END_TEST

TEST_MAIN("core/thread", a_loop_over_nothing_calls_nothing,
          where_no_thread_can_be_had_the_caller_does_all,
          no_more_threads_are_asked_for_than_there_can_be, threads_that_were_had_once_stay,
          a_programs_handler_hears_of_a_fault_in_a_thread_of_ours_and_of_nothing_else_there,
          a_thread_that_is_cancelled_leaves_when_the_others_are_done)
