/* Paths as they are written in files. */
#include "core/path.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/test.h"

START_TEST(a_path_in_a_file_is_meant_from_its_folder)
{
    static const struct {
        const char *file, *path, *meant;
    } cases[] = {
        {"net.yaml", "iris.csv", "iris.csv"},
        {"a/net.yaml", "iris.csv", "a/iris.csv"},
        {"a/net.yaml", "../b/iris.csv", "a/../b/iris.csv"},
        {"/a/net.yaml", "b/iris.csv", "/a/b/iris.csv"},
        {"/net.yaml", "iris.csv", "/iris.csv"},
        {"a/net.yaml", "/data/iris.csv", "/data/iris.csv"},
    };
    nm_context *context = test_context(NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *meant = nm_path_in(context, cases[i].file, cases[i].path);
        ck_assert_str_eq(meant, cases[i].meant);
        nm_free(context, meant);
    }
    test_context_end(context, NULL);
}
END_TEST

/* Folders a, a/b, ab, c in the test's own, and a link to a/b. */
static void make_folders(void)
{
    static const char *const names[] = {"a", "a/b", "ab", "c"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        mkdir(test_path(names[i]), 0777);
    }
    (void)!symlink("a/b", test_path("link"));
}

START_TEST(a_path_is_written_from_a_folder_so_that_it_leads_to_the_same_file)
{
    static const struct {
        const char *folder, *path, *written;
    } cases[] = {
        {"a", "a/iris.csv", "iris.csv"},           {"a", "iris.csv", "../iris.csv"},
        {"a", "a/b/iris.csv", "b/iris.csv"},       {"a/b", "a/iris.csv", "../iris.csv"},
        {"a/b", "c/iris.csv", "../../c/iris.csv"}, {"a", "ab/iris.csv", "../ab/iris.csv"},
        {"ab", "a/iris.csv", "../a/iris.csv"},     {"link", "iris.csv", "../../iris.csv"},
        {"c", "link/iris.csv", "../a/b/iris.csv"}, {"c/../a/", "./c//../iris.csv", "../iris.csv"},
    };
    make_folders();
    nm_context *context = test_context(NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *written = nm_path_from(context, test_path(cases[i].folder), test_path(cases[i].path));
        assert_fine(context);
        ck_assert_str_eq(written, cases[i].written);
        nm_free(context, written);
    }
    ck_assert_ptr_null(nm_path_from(context, test_path("none"), "iris.csv"));
    assert_error(context, NM_ERROR_IO, "none");
    test_context_end(context, NULL);
}
END_TEST

START_TEST(from_the_root_and_to_it)
{
    nm_context *context = test_context(NULL);
    char *down = nm_path_from(context, "/", "/tmp/x"), *up = nm_path_from(context, "/tmp", "/x");
    char real[4096];
    ck_assert_ptr_nonnull(realpath("/tmp", real));
    if (strcmp(real, "/tmp") == 0) { /* a link on some systems */
        ck_assert_str_eq(down, "tmp/x");
        ck_assert_str_eq(up, "../x");
    }
    nm_free(context, down);
    nm_free(context, up);
    test_context_end(context, NULL);
}
END_TEST

TEST_MAIN("core/path", a_path_in_a_file_is_meant_from_its_folder,
          a_path_is_written_from_a_folder_so_that_it_leads_to_the_same_file,
          from_the_root_and_to_it)
