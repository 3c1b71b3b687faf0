/* What becomes of the temporary files of killed processes. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
#include <utime.h>

#include "tests/core/files/files.h"

static void write_over(const char *path)
{
    nm_context *context = test_context(NULL);
    ck_assert_int_eq(replace(context, path, "new", 3), NM_OK);
    nm_context_destroy(context);
    expect_contents(path, "new", 3);
}

/* A process that begins to write and is killed. */
static void be_killed_writing(const char *path)
{
    pid_t child = fork();
    if (child == 0) {
        nm_file *file = nm_file_create(test_context(NULL), path);
        nm_file_write(file, "newer", 5);
        raise(SIGKILL);
    }
    int result;
    waitpid(child, &result, 0);
    ck_assert(WIFSIGNALED(result) && WTERMSIG(result) == SIGKILL);
}

/* The first eight digits of the number of this system's start. */
static const char *boot(void)
{
    static char text[9];
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "r");
    ck_assert(file && fread(text, 1, 8, file) == 8);
    fclose(file);
    return text;
}

static const char *make_leftover(const char *folder, const char *start, int number)
{
    char name[128];
    snprintf(name, sizeof name, "%s/x.%ld-%s-%08x.tmp", folder, (long)getpid(), start,
             (unsigned)number);
    const char *path = test_path(name);
    test_write_file(path, "old", 3);
    return path;
}

START_TEST(what_a_killed_process_left_is_removed_by_the_next_write_in_its_folder)
{
    own_folder("killed");
    be_killed_writing(test_path("killed/x"));
    be_killed_writing(test_path("killed/y"));
    ck_assert_int_eq(entries(test_path("killed")),
                     1); /* the second removed what the first had left */
    write_over(test_path("killed/other"));
    ck_assert_int_eq(entries(test_path("killed")), 1);
}
END_TEST

START_TEST(hundreds_of_leftovers_with_our_process_number_do_not_block)
{
    own_folder("hundreds");
    for (int i = 0; i < 300; i++) {
        make_leftover("hundreds", boot(), i);
    }
    write_over(test_path("hundreds/x"));
    ck_assert_int_eq(entries(test_path("hundreds")), 1);
}
END_TEST

START_TEST(what_is_being_written_is_left_alone)
{
    own_folder("busy");
    nm_context *context = test_context(NULL);
    nm_file *file = nm_file_create(context, test_path("busy/x"));
    ck_assert_int_eq(nm_file_write(file, "kept", 4), NM_OK);
    write_over(test_path("busy/y"));
    pid_t child = fork();
    if (child == 0) {
        write_over(test_path("busy/y")); /* and by another process too */
        _exit(0);
    }
    expect_exit(child);
    ck_assert_int_eq(entries(test_path("busy")), 2);
    ck_assert_int_eq(nm_file_commit(file), NM_OK);
    expect_contents(test_path("busy/x"), "kept", 4);
    nm_context_destroy(context);
}
END_TEST

START_TEST(what_has_another_name_or_is_no_file_is_left_alone)
{
    static const char *const names[] = {
        "x.12.tmp",
        "x.12-0.tmp",
        "x.12-%s-0123456.tmp",
        "x.12-%s-012345678.tmp",
        "x.12-%s-0123456G.tmp",
        "x.-%s-01234567.tmp",
        "x12-%s-01234567.tmp",
        ".12-%s-01234567.tmp",
        "x.1a2-%s-01234567.tmp",
        "x.12a-%s-01234567.tmp",
        "x.12-%s-01234567.npy",
        "x.12-%s-01234567.tmp.npy",
    };
    enum { NAMES = sizeof names / sizeof *names };
    own_folder("others");
    for (int i = 0; i < NAMES; i++) {
        char name[128] = "others/";
        snprintf(name + 7, sizeof name - 7, names[i], boot());
        test_write_file(test_path(name), "kept", 4);
    }
    char name[128];
    snprintf(name, sizeof name, "others/f.1-%s-00000001.tmp", boot());
    ck_assert_int_eq(mkdir(test_path(name), 0777), 0);
    snprintf(name, sizeof name, "others/l.1-%s-00000001.tmp", boot());
    ck_assert_int_eq(symlink("x.12.tmp", test_path(name)), 0);
    snprintf(name, sizeof name, "others/p.1-%s-00000001.tmp", boot());
    ck_assert_int_eq(mkfifo(test_path(name), 0600), 0); /* nor does it block */
    write_over(test_path("others/x"));
    ck_assert_int_eq(entries(test_path("others")), NAMES + 4);
}
END_TEST

START_TEST(what_another_system_left_is_removed_after_an_hour)
{
    /* Its locks may mean nothing here. */
    own_folder("systems");
    const char *path =
        make_leftover("systems", strcmp(boot(), "ffffffff") ? "ffffffff" : "fffffffe", 1);
    write_over(test_path("systems/x"));
    ck_assert_int_eq(entries(test_path("systems")), 2);
    struct stat info;
    ck_assert_int_eq(stat(path, &info), 0);
    utime(path, &(struct utimbuf){info.st_mtime - 3500, info.st_mtime - 3500});
    write_over(test_path("systems/x"));
    ck_assert_int_eq(entries(test_path("systems")), 2);
    utime(path, &(struct utimbuf){info.st_mtime - 3700, info.st_mtime - 3700});
    write_over(test_path("systems/x"));
    ck_assert_int_eq(entries(test_path("systems")), 1);
}
END_TEST

TEST_MAIN("core/files/temporary",
          what_a_killed_process_left_is_removed_by_the_next_write_in_its_folder,
          hundreds_of_leftovers_with_our_process_number_do_not_block,
          what_is_being_written_is_left_alone, what_has_another_name_or_is_no_file_is_left_alone,
          what_another_system_left_is_removed_after_an_hour)
