/* What the tests of reading and of writing files share. */
#ifndef NM_TESTS_CORE_FILES_FILES_H
#define NM_TESTS_CORE_FILES_FILES_H

#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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

static inline nm_status replace(nm_context *context, const char *path, const void *data,
                                size_t size)
{
    nm_file *file = nm_file_create(context, path);
    if (!file) {
        return nm_context_status(context);
    }
    nm_file_write(file, data, size / 2);
    nm_file_write(file, (const char *)data + size / 2, size - size / 2);
    return nm_file_commit(file);
}

static inline int is_entry(const struct dirent *entry)
{
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

/* How many entries a folder has. */
static inline int entries(const char *folder)
{
    struct dirent **list;
    int count = scandir(folder, &list, is_entry, alphasort);
    ck_assert_int_ge(count, 0);
    for (int i = 0; i < count; i++) {
        free(list[i]);
    }
    free(list);
    return count;
}

/* A folder of its own, so that its entries can be counted. */
static inline const char *own_folder(const char *name)
{
    const char *path = test_path(name);
    ck_assert_int_eq(mkdir(path, 0777), 0);
    return path;
}

#endif
