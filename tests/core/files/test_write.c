#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/core/files/files.h"

/* ---- Replacing ---- */

START_TEST(a_file_is_made_and_replaced_and_nothing_else_is_left)
{
    const char *folder = own_folder("made");
    const char *path = test_path("made/x");
    nm_context *context = test_context(NULL);
    ck_assert_int_eq(replace(context, path, "first", 5), NM_OK);
    expect_contents(path, "first", 5);
    ck_assert_int_eq(replace(context, path, "", 0), NM_OK);
    expect_contents(path, "", 0);
    ck_assert_int_eq(replace(context, path, "second", 6), NM_OK);
    expect_contents(path, "second", 6);
    ck_assert_int_eq(entries(folder), 1);
    nm_context_destroy(context);
}
END_TEST

START_TEST(until_the_commit_the_old_file_is_there)
{
    const char *folder = own_folder("until");
    const char *path = test_path("until/x");
    nm_context *context = test_context(NULL);
    replace(context, path, "old", 3);
    nm_file *file = nm_file_create(context, path);
    ck_assert_int_eq(nm_file_write(file, "newer", 5), NM_OK);
    expect_contents(path, "old", 3);
    nm_file_abandon(file);
    expect_contents(path, "old", 3);
    ck_assert_int_eq(entries(folder), 1);
    nm_file_abandon(NULL);
    nm_context_destroy(context);
}
END_TEST

START_TEST(two_writers_of_one_file_do_not_meet)
{
    const char *folder = own_folder("two");
    const char *path = test_path("two/x");
    nm_context *context = test_context(NULL);
    nm_file *a = nm_file_create(context, path), *b = nm_file_create(context, path);
    nm_file_write(a, "aaa", 3);
    nm_file_write(b, "b", 1);
    ck_assert_int_eq(nm_file_commit(a), NM_OK);
    expect_contents(path, "aaa", 3);
    ck_assert_int_eq(nm_file_commit(b), NM_OK);
    expect_contents(path, "b", 1);
    ck_assert_int_eq(entries(folder), 1);
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_name_as_long_as_names_can_be_is_written)
{
    char name[300] = "";
    memset(name, 'n', 255);
    nm_context *context = test_context(NULL);
    char *path = nm_format(context, "%s/%s", test_folder(), name);
    ck_assert_int_eq(replace(context, path, "x", 1), NM_OK);
    expect_contents(path, "x", 1);
    nm_free(context, path);
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_file_without_a_folder_in_its_name_is_written_where_the_program_is)
{
    char before[1024];
    ck_assert_ptr_nonnull(getcwd(before, sizeof before));
    ck_assert_int_eq(chdir(test_folder()), 0);
    nm_context *context = test_context(NULL);
    ck_assert_int_eq(replace(context, "bare", "x", 1), NM_OK);
    expect_contents("bare", "x", 1);
    nm_context_destroy(context);
    ck_assert_int_eq(chdir(before), 0);
}
END_TEST

START_TEST(a_link_stays_a_link_and_its_target_is_replaced)
{
    own_folder("links");
    own_folder("links/far");
    const char *target = test_path("links/far/target"), *link = test_path("links/link");
    test_write_file(target, "old", 3);
    ck_assert_int_eq(symlink("hop", link), 0);
    ck_assert_int_eq(symlink("far/target", test_path("links/hop")), 0);
    nm_context *context = test_context(NULL);
    ck_assert_int_eq(replace(context, link, "new", 3), NM_OK);
    expect_contents(target, "new", 3);
    struct stat info;
    ck_assert(lstat(link, &info) == 0 && S_ISLNK(info.st_mode));

    ck_assert_int_eq(unlink(target), 0); /* it leads nowhere now: the target is made */
    ck_assert_int_eq(replace(context, link, "again", 5), NM_OK);
    expect_contents(target, "again", 5);

    ck_assert_int_eq(symlink("loop", test_path("links/loop")), 0);
    ck_assert_int_eq(replace(context, test_path("links/loop"), "x", 1), NM_ERROR_IO);
    assert_error(context, NM_ERROR_IO, strerror(ELOOP));
    nm_context_destroy(context);
}
END_TEST

static mode_t mode_of(const char *path)
{
    struct stat info;
    ck_assert_int_eq(stat(path, &info), 0);
    return info.st_mode & 0777;
}

START_TEST(a_new_file_has_the_usual_mode_and_a_replaced_one_its_own)
{
    nm_context *context = test_context(NULL);
    mode_t mask = umask(027);
    replace(context, test_path("usual"), "x", 1);
    ck_assert_uint_eq(mode_of(test_path("usual")), 0640);
    ck_assert_int_eq(chmod(test_path("usual"), 0600), 0);
    replace(context, test_path("usual"), "y", 1);
    ck_assert_uint_eq(mode_of(test_path("usual")), 0600);
    ck_assert_int_eq(chmod(test_path("usual"), 0666), 0);
    replace(context, test_path("usual"), "z", 1);
    ck_assert_uint_eq(mode_of(test_path("usual")), 0666);
    umask(mask);
    nm_context_destroy(context);
}
END_TEST

/* ---- Where writing fails ---- */

static void refuse_write(const char *path, const char *message)
{
    nm_context *context = test_context(NULL);
    ck_assert_ptr_null(nm_file_create(context, path));
    assert_error(context, NM_ERROR_IO, message);
    nm_context_destroy(context);
}

START_TEST(a_place_where_no_file_can_be_is_an_error)
{
    refuse_write(test_folder(), "it is a folder");
    refuse_write(test_path("no/such/file"), "/no/such/file\": No such file or directory");
    refuse_write("", "cannot write \"\": No such file or directory");
    test_write_file(test_path("plain"), "x", 1);
    refuse_write(test_path("plain/below"), "Not a directory");
    refuse_write("/proc/norma", "cannot write \"/proc/norma\": ");
}
END_TEST

START_TEST(a_folder_or_file_that_may_not_be_written_is_an_error)
{
    own_folder("locked");
    test_write_file(test_path("locked/x"), "old", 3);
    test_write_file(test_path("guarded"), "old", 3);
    chmod(test_path("locked"), 0555);
    chmod(test_path("guarded"), 0444);
    bool root = geteuid() == 0;
    if (root) { /* whom no mode stops */
        ck_assert_int_eq(chmod(test_folder(), 0777), 0);
        ck_assert_int_eq(seteuid(65534), 0);
    }
    refuse_write(test_path("locked/x"), "Permission denied");
    refuse_write(test_path("locked/new"), "Permission denied");
    refuse_write(test_path("guarded"), "Permission denied");
    if (root) {
        ck_assert_int_eq(seteuid(0), 0);
    }
    chmod(test_path("locked"), 0777);
    expect_contents(test_path("locked/x"), "old", 3);
    expect_contents(test_path("guarded"), "old", 3);
    ck_assert_int_eq(entries(test_path("locked")), 1);
}
END_TEST

START_TEST(a_full_disk_is_reported_and_leaves_the_old_file)
{
    const char *folder = own_folder("full");
    const char *path = test_path("full/x");
    nm_context *context = test_context(NULL);
    replace(context, path, "old", 3);
    /* A limit on file sizes: the write that crosses it is short, the next one fails. */
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit before;
    getrlimit(RLIMIT_FSIZE, &before);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){10000, before.rlim_max});
    static char data[30000];
    nm_file *file = nm_file_create(context, path);
    ck_assert_int_eq(nm_file_write(file, data, 9000), NM_OK);
    ck_assert_int_eq(nm_file_write(file, data, 9000), NM_ERROR_IO);
    assert_error(context, NM_ERROR_IO, "/full/x\": File too large");
    ck_assert_int_eq(nm_file_write(file, data, 1), NM_ERROR_IO); /* it is remembered */
    nm_context_clear_error(context);
    ck_assert_int_eq(nm_file_commit(file), NM_ERROR_IO);
    assert_error(context, NM_ERROR_IO, "File too large");
    setrlimit(RLIMIT_FSIZE, &before);
    expect_contents(path, "old", 3);
    ck_assert_int_eq(entries(folder), 1);
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_target_that_became_a_folder_is_an_error_at_the_commit)
{
    const char *folder = own_folder("became");
    const char *path = test_path("became/x");
    nm_context *context = test_context(NULL);
    nm_file *file = nm_file_create(context, path);
    nm_file_write(file, "x", 1);
    ck_assert_int_eq(mkdir(path, 0777), 0);
    ck_assert_int_eq(nm_file_commit(file), NM_ERROR_IO);
    assert_error(context, NM_ERROR_IO, "it is a folder");
    ck_assert_int_eq(entries(folder), 1);
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_device_is_written_to_and_not_replaced)
{
    nm_context *context = test_context(NULL);
    ck_assert_int_eq(replace(context, "/dev/null", "x", 1), NM_OK);
    struct stat info;
    ck_assert(stat("/dev/null", &info) == 0 && S_ISCHR(info.st_mode));
    ck_assert_int_eq(replace(context, "/dev/full", "x", 1), NM_ERROR_IO);
    assert_error(context, NM_ERROR_IO, "cannot write \"/dev/full\": No space left on device");
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_pipe_is_written_to_whole_through_signals_and_short_writes)
{
    const char *path = test_path("out");
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    static char data[300000]; /* more than a pipe holds */
    memset(data, 'd', sizeof data);
    pid_t child = fork();
    if (child == 0) {
        usleep(5000); /* the writer waits for someone to open the pipe */
        int fd = open(path, O_RDONLY);
        size_t total = 0;
        static char piece[7000];
        for (ssize_t count; (count = read(fd, piece, sizeof piece)) > 0; total += (size_t)count) {
            usleep(500);
        }
        _exit(total == sizeof data ? 0 : 1);
    }
    nm_context *context = test_context(NULL);
    interrupt_often(true);
    ck_assert_int_eq(replace(context, path, data, sizeof data), NM_OK);
    interrupt_often(false);
    expect_exit(child);
    nm_context_destroy(context);
}
END_TEST

/* Replaces a file for ever, with 'a's and 'b's in turn. */
static void rewrite_forever(const char *path)
{
    static char data[100000];
    nm_context *context = test_context(NULL);
    for (char c = 'a';; c = c == 'a' ? 'b' : 'a') {
        memset(data, c, sizeof data);
        replace(context, path, data, sizeof data);
    }
}

START_TEST(a_process_killed_at_any_moment_leaves_a_whole_file)
{
    enum { SIZE = 100000 };
    const char *path = test_path("killed");
    nm_context *context = test_context(NULL);
    static char data[SIZE];
    memset(data, 'a', SIZE);
    replace(context, path, data, SIZE);
    for (int i = 0; i < 30; i++) {
        pid_t child = fork();
        if (child == 0) {
            rewrite_forever(path);
        }
        usleep((useconds_t)(1000 + 731 * i));
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        size_t size = 0;
        char *contents = nm_file_read(context, path, SIZE_MAX, &size);
        assert_fine(context);
        ck_assert_uint_eq(size, SIZE);
        memset(data, contents[0], SIZE);
        ck_assert_mem_eq(contents, data, SIZE);
        nm_free(context, contents);
    }
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_process_killed_before_the_commit_leaves_the_old_file)
{
    const char *path = test_path("before");
    nm_context *context = test_context(NULL);
    replace(context, path, "old", 3);
    pid_t child = fork();
    if (child == 0) {
        nm_file *file = nm_file_create(context, path);
        nm_file_write(file, "newer", 5);
        raise(SIGKILL);
    }
    int result;
    waitpid(child, &result, 0);
    ck_assert(WIFSIGNALED(result) && WTERMSIG(result) == SIGKILL);
    expect_contents(path, "old", 3);
    nm_context_destroy(context);
}
END_TEST

/* ---- Folders ---- */

static bool is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

START_TEST(folders_are_made_with_those_above_them)
{
    nm_context *context = test_context(NULL);
    ck_assert_int_eq(nm_folder_create(context, test_path("a/b//c/")), NM_OK);
    ck_assert(is_folder(test_path("a/b/c")));
    ck_assert_int_eq(nm_folder_create(context, test_path("a/b/c")), NM_OK); /* it is there */
    ck_assert_int_eq(nm_folder_create(context, test_path("a/b/../d")), NM_OK);
    ck_assert(is_folder(test_path("a/d")));
    ck_assert_int_eq(nm_folder_create(context, "/"), NM_OK);
    ck_assert_int_eq(nm_folder_create(context, "."), NM_OK);
    assert_fine(context);
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_folder_that_cannot_be_made_is_an_error)
{
    nm_context *context = test_context(NULL);
    test_write_file(test_path("f"), "x", 1);
    ck_assert_int_eq(nm_folder_create(context, test_path("f")), NM_ERROR_IO);
    assert_error(context, NM_ERROR_IO, "/f\" is a file");
    ck_assert_int_eq(nm_folder_create(context, test_path("f/below")), NM_ERROR_IO);
    assert_error(context, NM_ERROR_IO, "/f\" is a file");
    ck_assert_int_eq(nm_folder_create(context, ""), NM_ERROR_IO);
    assert_error(context, NM_ERROR_IO, "cannot make the folder \"\": No such file");
    ck_assert_int_eq(nm_folder_create(context, "/proc/norma"), NM_ERROR_IO);
    assert_error(context, NM_ERROR_IO, "cannot make the folder \"/proc/norma\": ");
    char path[600];
    snprintf(path, sizeof path, "%s/%0300d", test_path("f2/g//h"), 0);
    ck_assert_int_eq(nm_folder_create(context, test_path("f2")), NM_OK);
    ck_assert_int_eq(nm_folder_create(context, path), NM_ERROR_IO);
    assert_error(context, NM_ERROR_IO, "File name too long");
    ck_assert(is_folder(test_path("f2")) && !is_folder(test_path("f2/g")));
    nm_context_destroy(context);
}
END_TEST

/* ---- Memory ---- */

static nm_status replace_behind_link(test_memory *memory)
{
    nm_context *context = test_context(memory);
    if (!context) {
        return NM_ERROR_MEMORY;
    }
    replace(context, test_path("memory/link"), "new", 3);
    nm_folder_create(context, test_path("memory/deep/er"));
    nm_status status = nm_context_status(context);
    test_context_end(context, memory);
    /* Whether it came to pass or not: nothing else is in the folder. */
    ck_assert(entries(test_path("memory")) <= 3);
    return status;
}

START_TEST(any_allocation_may_fail)
{
    own_folder("memory");
    test_write_file(test_path("memory/target"), "old", 3);
    ck_assert_int_eq(symlink("target", test_path("memory/link")), 0);
    test_every_allocation(replace_behind_link);
    expect_contents(test_path("memory/target"), "new", 3);
}
END_TEST

TEST_MAIN("core/files/write", a_file_is_made_and_replaced_and_nothing_else_is_left,
          until_the_commit_the_old_file_is_there, two_writers_of_one_file_do_not_meet,
          a_name_as_long_as_names_can_be_is_written,
          a_file_without_a_folder_in_its_name_is_written_where_the_program_is,
          a_link_stays_a_link_and_its_target_is_replaced,
          a_new_file_has_the_usual_mode_and_a_replaced_one_its_own,
          a_place_where_no_file_can_be_is_an_error,
          a_folder_or_file_that_may_not_be_written_is_an_error,
          a_full_disk_is_reported_and_leaves_the_old_file,
          a_target_that_became_a_folder_is_an_error_at_the_commit,
          a_device_is_written_to_and_not_replaced,
          a_pipe_is_written_to_whole_through_signals_and_short_writes,
          a_process_killed_at_any_moment_leaves_a_whole_file,
          a_process_killed_before_the_commit_leaves_the_old_file,
          folders_are_made_with_those_above_them, a_folder_that_cannot_be_made_is_an_error,
          any_allocation_may_fail)
