/* Threads where the system has few or none: OpenMP would end the process. */
#include <grp.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/internal.h"
#include "core/thread.h"
#include "core/thread_own.h"

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

START_TEST(where_no_thread_can_be_had_the_caller_does_all)
{
    holds_with(0, fills_all);
}
END_TEST

static bool gets_three(void)
{
    return nm_threads_at_hand(8) == 3 && fills_all() && nm_threads_at_hand(2) == 2 &&
           nm_threads_at_hand(8) == 3 && fills_all();
}

static bool gets_itself(void)
{
    return nm_threads_at_hand(8) == 1 && nm_threads_at_hand(1) == 1;
}

START_TEST(no_more_threads_are_asked_for_than_there_can_be)
{
    holds_with(0, gets_itself);
    if (geteuid() == 0) { /* else the limit counts what else the user runs */
        holds_with(3, gets_three);
    }
}
END_TEST

static bool keeps_eight(void)
{
    const struct rlimit none = {0, 0};
    return fills_all() && setrlimit(RLIMIT_NPROC, &none) == 0 && nm_threads_at_hand(8) == 8 &&
           fills_all();
}

START_TEST(threads_that_were_had_once_are_not_tried_again)
{
    holds_with(4096, keeps_eight);
}
END_TEST

TEST_MAIN("core/thread", where_no_thread_can_be_had_the_caller_does_all,
          no_more_threads_are_asked_for_than_there_can_be,
          threads_that_were_had_once_are_not_tried_again)
