/* What the tests of reading and of writing files share. */
#ifndef NM_TESTS_CORE_FILES_FILES_H
#define NM_TESTS_CORE_FILES_FILES_H

#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "core/file.h"
#include "tests/test.h"

static inline void expect_contents(const char *path, const void *wanted, size_t size)
{
    nm_context *context = test_context(NULL);
    size_t got = 0;
    char *contents = nm_file_read(context, path, SIZE_MAX, &got);
    assert_fine(context);
    ck_assert_uint_eq(got, size);
    ck_assert_mem_eq(contents, wanted, size);
    ck_assert_int_eq(contents[size], 0);
    nm_free(context, contents);
    nm_context_destroy(context);
}

static inline void do_nothing(int number)
{
    (void)number;
}

/* Has system calls interrupted all the time, until stopped. */
static inline void interrupt_often(bool on)
{
    struct sigaction action = {.sa_handler = do_nothing}; /* without SA_RESTART */
    sigaction(SIGALRM, &action, NULL);
    struct itimerval often = {{0, on ? 300 : 0}, {0, on ? 300 : 0}};
    setitimer(ITIMER_REAL, &often, NULL);
}

static inline void expect_exit(pid_t child)
{
    int result;
    ck_assert_int_eq(waitpid(child, &result, 0), child);
    ck_assert(WIFEXITED(result) && WEXITSTATUS(result) == 0);
}

#endif
