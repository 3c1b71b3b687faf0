/* norma new: what begins an op or a layer, and what does not. */
#include "tests/models/command_helpers.h"

static void assert_refused(const char *kind, const char *name, const char *message)
{
    const ended *e = norma("new", kind, name);
    assert_code(e, 2);
    assert_says(e->err, message);
    ck_assert_msg(!is_there(name), "%s was begun", name);
}

START_TEST(what_cannot_be_begun_is_refused_and_nothing_is_left)
{
    assert_refused("loss", "mine", "new: \"loss\" is neither op nor layer, which can be begun so");
    assert_refused("op", "Mine", "new: \"Mine\" is no name: it has small letters");
    assert_refused("op", "my-op", "new: \"my-op\" is no name");
    assert_refused("op", "2op", "new: \"2op\" is no name");
    assert_refused("op", "a123456789012345678901234567890123456789012345678901234567890",
                   "is no name");
    assert_refused("layer", "double", "new: \"double\" is a word of C, C++ or the templates");
    assert_refused("layer", "main", "new: \"main\" is a word of C");
    assert_refused("op", "relu", "new: the op \"relu\" is there already; choose another name");
    assert_refused("layer", "dense", "new: the layer \"dense\" is there already");
}
END_TEST

START_TEST(a_folder_that_is_there_is_left_as_it_is)
{
    const ended *e = norma("new", "op", "tilt", "--out", "tilted");
    assert_code(e, 0);
    assert_says(e->out, "tilted/tilt.c");
    assert_says(e->err,
                "It compiles and passes its check as it is: meson setup tilted/build tilted");
    size_t size;
    char *before = read_text(test_path("tilted/tilt.c"), &size);
    assert_says(before, "tilt");
    e = norma("new", "layer", "tilt", "--out", "tilted");
    assert_code(e, 2);
    assert_says(e->err, "new: tilted is there already; give another folder with --out");
    char *after = read_text(test_path("tilted/tilt.c"), &size);
    ck_assert_str_eq(before, after);
    free(before);
    free(after);
}
END_TEST

START_TEST(a_folder_that_cannot_be_made_is_an_error)
{
    write_text("file", "");
    const ended *e = norma("new", "op", "tilt", "--out", "file/tilt");
    assert_code(e, 1);
    assert_says(e->err, "cannot make the folder \"file/tilt\"");
    char path[5000] = "deep";
    for (size_t n = 4; n < 4090; n += 2) {
        strcpy(path + n, "/x");
    }
    e = norma("new", "op", "tilt", "--out", path);
    assert_code(e, 2);
    assert_says(e->err, "new: the path is too long: deep/x/x");
    ck_assert(!is_there("deep"));
    e = norma("new", "op", "tilt", "--out", "deep/file/file/too");
    assert_code(e, 0);
    ck_assert(is_there("deep/file/file/too/tilt.c"));
}
END_TEST

TEST_MAIN("models/command_new", what_cannot_be_begun_is_refused_and_nothing_is_left,
          a_folder_that_is_there_is_left_as_it_is, a_folder_that_cannot_be_made_is_an_error)
