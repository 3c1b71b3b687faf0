/* What a path to be written leads to: links, owners, pipes. Much of it needs other users to exist:
 * run by root, the tests play them. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/core/files/files.h"

#define USER 1000
#define OTHER 1001

static void write_over(const char *path)
{
    nm_context *context = test_context(NULL);
    ck_assert_int_eq(replace(context, path, "new", 3), NM_OK);
    nm_context_destroy(context);
    expect_contents(path, "new", 3);
}

static void refuse(const char *path, const char *message)
{
    nm_context *context = test_context(NULL);
    ck_assert_ptr_null(nm_file_create(context, path));
    assert_error(context, NM_ERROR_IO, message);
    nm_context_destroy(context);
}

/* A folder like /tmp: all may make files, each may remove only their own. */
static void shared_folder(const char *name)
{
    const char *folder = own_folder(name);
    ck_assert_int_eq(chmod(test_folder(), 0755), 0);
    ck_assert_int_eq(chmod(folder, 01777), 0);
}

static void plant_link(const char *target, const char *path, uid_t owner)
{
    ck_assert_int_eq(symlink(target, path), 0);
    ck_assert_int_eq(lchown(path, owner, owner), 0);
}

static void expect_file(const char *path, uid_t owner, gid_t group, mode_t mode)
{
    struct stat info;
    ck_assert_int_eq(stat(path, &info), 0);
    ck_assert_uint_eq(info.st_uid, owner);
    ck_assert_uint_eq(info.st_gid, group);
    ck_assert_uint_eq(info.st_mode & 07777, mode);
}

/* ---- Links ---- */

START_TEST(a_link_of_ones_own_is_followed_in_a_shared_folder_too)
{
    shared_folder("own");
    ck_assert_int_eq(symlink("target", test_path("own/link")), 0);
    write_over(test_path("own/link")); /* there is no target yet */
    expect_contents(test_path("own/target"), "new", 3);
    write_over(test_path("own/link"));
    ck_assert_int_eq(entries(test_path("own")), 2);
}
END_TEST

START_TEST(as_many_links_in_a_row_are_followed_as_the_system_follows)
{
    own_folder("row");
    test_write_file(test_path("row/0"), "old", 3);
    for (int i = 1; i <= 41; i++) {
        char target[8], name[16];
        snprintf(target, sizeof target, "%d", i - 1);
        snprintf(name, sizeof name, "row/%d", i);
        ck_assert_int_eq(symlink(target, test_path(name)), 0);
    }
    write_over(test_path("row/40"));
    expect_contents(test_path("row/0"), "new", 3);
    refuse(test_path("row/41"), "Too many levels of symbolic links");
}
END_TEST

START_TEST(a_link_that_another_user_planted_is_not_followed)
{
    if (geteuid() != 0) {
        return;
    }
    shared_folder("planted");
    const char *target = test_path("treasure");
    test_write_file(target, "old", 3);
    ck_assert_int_eq(chmod(target, 0600), 0);
    plant_link(target, test_path("planted/link"), USER);
    refuse(test_path("planted/link"), "it is a link that another user put into a folder open to");
    plant_link(test_path("nothing"), test_path("planted/dangling"), USER);
    refuse(test_path("planted/dangling"), "it is a link that another user put");
    /* One behind another that is fine. */
    ck_assert_int_eq(symlink("planted/link", test_path("innocent")), 0);
    refuse(test_path("innocent"), "it is a link that another user put");
    expect_contents(target, "old", 3);
    expect_file(target, 0, 0, 0600);
    ck_assert_int_eq(access(test_path("nothing"), F_OK), -1);
    ck_assert_int_eq(entries(test_path("planted")), 2);
}
END_TEST

START_TEST(a_link_of_the_folders_owner_or_in_a_folder_of_few_is_followed)
{
    if (geteuid() != 0) {
        return;
    }
    shared_folder("theirs");
    ck_assert_int_eq(chown(test_path("theirs"), USER, USER), 0);
    plant_link(test_path("theirs-target"), test_path("theirs/link"), USER);
    write_over(test_path("theirs/link"));
    own_folder("few");
    plant_link(test_path("few-target"), test_path("few/link"), OTHER);
    write_over(test_path("few/link"));
}
END_TEST

START_TEST(what_cannot_be_looked_at_is_not_taken_for_new)
{
    /* The link leads behind a folder that may not be entered; beside it a file could be made. */
    own_folder("closed");
    ck_assert_int_eq(symlink("closed/x", test_path("to-closed")), 0);
    ck_assert_int_eq(chmod(test_path("closed"), 0), 0);
    bool root = geteuid() == 0;
    if (root) {
        ck_assert_int_eq(chmod(test_folder(), 0777), 0);
        ck_assert_int_eq(seteuid(65534), 0);
    }
    refuse(test_path("to-closed"), "/to-closed\": Permission denied");
    if (root) {
        ck_assert_int_eq(seteuid(0), 0);
    }
    chmod(test_path("closed"), 0777);
    test_write_file(test_path("plain"), "old", 3);
    refuse(test_path("plain/x"), "Not a directory");
    ck_assert_int_eq(symlink("plain/x", test_path("to-plain")), 0);
    refuse(test_path("to-plain"), "/to-plain\": Not a directory");
}
END_TEST

/* ---- Owners ---- */

START_TEST(a_file_that_root_writes_over_stays_its_owners)
{
    if (geteuid() != 0) {
        return;
    }
    const char *path = test_path("users");
    test_write_file(path, "old", 3);
    ck_assert_int_eq(chown(path, USER, OTHER), 0);
    ck_assert_int_eq(chmod(path, 0640), 0);
    write_over(path);
    expect_file(path, USER, OTHER, 0640);
}
END_TEST

static void count_warnings(void *user, nm_log_level level, const char *message)
{
    int *count = user;
    *count +=
        level == NM_LOG_WARNING && strstr(message, "belonged to user 1000 and now belongs to");
}

START_TEST(where_the_owner_cannot_be_kept_it_is_said_and_the_mode_gets_no_wider)
{
    if (geteuid() != 0) {
        return;
    }
    own_folder("common");
    const char *path = test_path("common/x");
    ck_assert_int_eq(chmod(test_folder(), 0755), 0);
    ck_assert_int_eq(chmod(test_path("common"), 0777), 0);
    test_write_file(path, "old", 3);
    ck_assert_int_eq(chown(path, USER, USER), 0);
    ck_assert_int_eq(chmod(path, 0662), 0);
    int warnings = 0;
    nm_context *context =
        nm_context_create(&(nm_context_options){.log = count_warnings, .log_user = &warnings});
    ck_assert_int_eq(setegid(OTHER), 0);
    ck_assert_int_eq(seteuid(OTHER), 0);
    nm_status status = replace(context, path, "new", 3);
    ck_assert_int_eq(seteuid(0), 0);
    ck_assert_int_eq(setegid(0), 0);
    ck_assert_int_eq(status, NM_OK);
    ck_assert_int_eq(warnings, 1);
    expect_file(path, OTHER, OTHER, 0622);
    nm_context_destroy(context);
}
END_TEST

/* ---- Pipes ---- */

START_TEST(a_pipe_waits_for_a_reader_that_comes_late)
{
    const char *path = test_path("late");
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    pid_t child = fork();
    if (child == 0) {
        char text[4] = {0};
        usleep(300000);
        int fd = open(path, O_RDONLY);
        for (size_t got = 0; got < 3;) { /* it may come in two parts */
            ssize_t part = read(fd, text + got, 3 - got);
            if (part <= 0) {
                break;
            }
            got += (size_t)part;
        }
        _exit(strcmp(text, "new") == 0 ? 0 : 1);
    }
    nm_context *context = test_context(NULL);
    ck_assert_int_eq(replace(context, path, "new", 3), NM_OK);
    nm_context_destroy(context);
    expect_exit(child);
}
END_TEST

START_TEST(a_pipe_that_nobody_reads_from_is_an_error)
{
    const char *path = test_path("lonely");
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    refuse(path, "/lonely\": it is a pipe that nobody reads from");
}
END_TEST

TEST_MAIN("core/files/target", a_link_of_ones_own_is_followed_in_a_shared_folder_too,
          as_many_links_in_a_row_are_followed_as_the_system_follows,
          a_link_that_another_user_planted_is_not_followed,
          a_link_of_the_folders_owner_or_in_a_folder_of_few_is_followed,
          what_cannot_be_looked_at_is_not_taken_for_new,
          a_file_that_root_writes_over_stays_its_owners,
          where_the_owner_cannot_be_kept_it_is_said_and_the_mode_gets_no_wider,
          a_pipe_waits_for_a_reader_that_comes_late, a_pipe_that_nobody_reads_from_is_an_error)
