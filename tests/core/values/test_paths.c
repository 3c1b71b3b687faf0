/* Paths in a file: what they mean, and how they stand in a file of another folder. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/op.h"
#include "core/value_internal.h"

#include "tests/test.h"

typedef struct paths {
    const char *path, *other;
    const nm_value *any;
} paths;

static const nm_option rows[] = {
    {NM_FIELD(paths, path), NM_OPTION_STRING, .doc = "a file", .flags = NM_PATH},
    {NM_FIELD(paths, other), NM_OPTION_STRING, .doc = "another one", .flags = NM_PATH},
    {NM_FIELD(paths, any), NM_OPTION_VALUE, .doc = "something else"},
};
static const paths defaults = {NULL, NULL, NULL};
static const nm_spec spec = {.name = "paths",
                             .size = sizeof(paths),
                             .defaults = &defaults,
                             .options = rows,
                             .count = NM_COUNT_OF(rows)};

static const char *text, *expected, *folder;

/* What a program wrote, whose paths are from where it runs, as it is to stand in `folder`. */
static void move(nm_context *context)
{
    nm_diagnostics d;
    paths read;
    size_t size;
    nm_document *document = nm_document_parse(context, text, SIZE_MAX, "net.yaml");
    if (document) {
        nm_diagnostics_begin(&d, context);
        nm_spec_read(&spec, nm_document_root(document), "paths", document, &d, &read);
        char *moved =
            nm_diagnostics_end(&d) == NM_OK ? nm_document_text(document, folder, &size) : NULL;
        ck_assert(!moved == (nm_context_status(context) != NM_OK));
        ck_assert_msg(!moved || strcmp(moved, expected) == 0, "%s", moved);
        nm_free(context, moved);
    }
    nm_document_destroy(document);
}

static nm_status moving(test_memory *memory)
{
    nm_context *context = test_context(memory);
    if (!context) {
        return NM_ERROR_MEMORY;
    }
    move(context);
    const nm_status status = nm_context_status(context);
    test_context_end(context, memory);
    return status;
}

static void become(const char *before, const char *after, const char *in)
{
    mkdir(test_path("here"), 0777);
    mkdir(test_path("here/c"), 0777);
    mkdir(test_path("there"), 0777);
    expected = after;
    char where[256];
    snprintf(where, sizeof where, "%s",
             in ? test_path(in) : ""); /* which others would take the place of */
    folder = in ? where : NULL;
    text = before;
    ck_assert_int_eq(chdir(test_path("here")), 0);
    test_every_allocation(moving);
    folder = NULL;
}

START_TEST(relative_paths_follow_their_file_whatever_allocation_fails)
{
    become("path: a.csv\nany: [1, {b: [c]}]\n", "path: ../here/a.csv\nany:\n  - 1\n  - {b: [c]}\n",
           "there");
    become("{path: \"a b.csv\", other: c/d.csv}\n",
           "path: \"../here/a b.csv\"\nother: ../here/c/d.csv\n", "there");
    become("path: a.csv\n", "path: a.csv\n", "here");
    become("path: a.csv\n", "path: here/a.csv\n", ".");
}
END_TEST

START_TEST(what_is_no_relative_path_stays)
{
    become("path: /a.csv\nany: a.csv\n", "path: /a.csv\nany: a.csv\n", "there");
    become("path: a.csv\n", "path: a.csv\n", NULL);
}
END_TEST

/* "~/" is the user's folder, wherever the file stands. */
START_TEST(a_path_from_home_stays)
{
    setenv("HOME", "/home/me", 1);
    become("path: ~/a.csv\n", "path: \"~/a.csv\"\n", "there");
}
END_TEST

TEST_MAIN("core/values/paths", relative_paths_follow_their_file_whatever_allocation_fails,
          what_is_no_relative_path_stays, a_path_from_home_stays)
