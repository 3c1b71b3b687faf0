/* A YAML text that is changed: what differs is written anew, all else stays byte by byte. */
#include "core/values/edit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/op.h"
#include "tests/test.h"

/* `text` with the settings (separated by spaces, without any in them) must become `expected`. */
static void becomes(const char *text, const char *settings, const char *expected)
{
    nm_context *context = test_context(NULL);
    char setting[512];
    nm_document *document = nm_document_parse(context, text, SIZE_MAX, "");
    for (const char *at = settings; *at;) {
        size_t length = strcspn(at, ";");
        snprintf(setting, sizeof setting, "%.*s", (int)length, at);
        nm_document_set(document, setting);
        assert_fine(context);
        at += length + (at[length] == ';');
    }
    size_t size = strlen(text);
    char *result = nm_yaml_edit(context, text, &size, nm_document_root(document));
    assert_fine(context);
    ck_assert_str_eq(result, expected);
    ck_assert_uint_eq(size, strlen(expected));
    nm_free(context, result);
    nm_document_destroy(document);
    test_context_end(context, NULL);
}

static const char net[] = "# A network.\n"
                          "model: # layers\n"
                          "  - dense: {units: 8} # wide\n"
                          "\n"
                          "  - relu\n"
                          "train:\n"
                          "    epochs: 3   # few\n"
                          "    optimizer: {sgd: {rate: 0.1}}\n"
                          "# the end\n";

START_TEST(nothing_changed_is_the_same_bytes)
{
    becomes(net, "", net);
    becomes(net, "train.epochs=3;model.1=relu", net);
    becomes("a: 1", "", "a: 1");
    becomes("", "", "");
    becomes("# nothing\n", "", "# nothing\n");
    becomes("%YAML 1.1\n--- # x\na: !!str 1\nb: &x [1,2,]\nc: *x\n...\n", "",
            "%YAML 1.1\n--- # x\na: !!str 1\nb: &x [1,2,]\nc: *x\n...\n");
}
END_TEST

START_TEST(a_number_is_changed_in_its_place)
{
    becomes(net, "train.epochs=30;model.0.dense.units=5",
            "# A network.\n"
            "model: # layers\n"
            "  - dense: {units: 5} # wide\n"
            "\n"
            "  - relu\n"
            "train:\n"
            "    epochs: 30   # few\n"
            "    optimizer: {sgd: {rate: 0.1}}\n"
            "# the end\n");
    becomes("a: \"x\" # c\n", "a=3", "a: 3 # c\n");
    becomes("a: 'it''s' # c\n", "a=\"3\"", "a: \"3\" # c\n");
    becomes("a:\n  b\n  c\nd: 1\n", "a=x", "a:\n  x\nd: 1\n");
    becomes("a: |\n  text\n  more\n\nd: 1\n", "a=x", "a: x\n\nd: 1\n");
    becomes("\xC3\xA4: \xE2\x82\xAC # \xF0\x9F\x98\x80\nb: 1 # \xC3\xA4\n", "b=2",
            "\xC3\xA4: \xE2\x82\xAC # \xF0\x9F\x98\x80\nb: 2 # \xC3\xA4\n");
    becomes("\xEF\xBB\xBF"
            "a: 1\n",
            "a=2",
            "\xEF\xBB\xBF"
            "a: 2\n");
    becomes("a: 1\r\nb: 2 # x\r\n", "a=7;c=3", "a: 7\r\nb: 2 # x\r\nc: 3\r\n");
}
END_TEST

START_TEST(keys_are_added_behind_the_last_of_their_map)
{
    becomes(net, "train.seed=7",
            "# A network.\n"
            "model: # layers\n"
            "  - dense: {units: 8} # wide\n"
            "\n"
            "  - relu\n"
            "train:\n"
            "    epochs: 3   # few\n"
            "    optimizer: {sgd: {rate: 0.1}}\n"
            "    seed: 7\n"
            "# the end\n");
    becomes("a: 1 # x", "b.c=2", "a: 1 # x\nb: {c: 2}");
    becomes("a: {b: {c: 1}, d: 2}\n", "a.b.e=3;a.f=4", "a: {b: {c: 1, e: 3}, d: 2, f: 4}\n");
    becomes("a: {}\nb: [{ }]\n", "a.c=1;b.0.d=2", "a: {c: 1}\nb: [{ d: 2}]\n");
    becomes("a:\n  b: 1 # x\nc: 2\n", "a.d=1;e=5", "a:\n  b: 1 # x\n  d: 1\nc: 2\ne: 5\n");
    becomes("a:\n  b:\n    c: 1\n", "a.b.d=2;a.e=3;f=4",
            "a:\n  b:\n    c: 1\n    d: 2\n  e: 3\nf: 4\n");
    becomes("- dense:\n    units: 3\n  name: x\n- relu\n", "0.dense.bias=no",
            "- dense:\n    units: 3\n    bias: no\n  name: x\n- relu\n");
    becomes("m:\n- a: 1\n- b: 1\nn: 1\n", "m.0.c=2;m.1.d=3",
            "m:\n- a: 1\n  c: 2\n- b: 1\n  d: 3\nn: 1\n");
    becomes("a: [dense: {units: 5}]\n", "a.0.dense.bias=no;a.0.name=x",
            "a: [{dense: {units: 5, bias: no}, name: x}]\n");
}
END_TEST

START_TEST(nothing_is_filled_in)
{
    becomes("a:\nb: 1\n", "a=5", "a: 5\nb: 1\n");
    becomes("a: # later\nb: 1\n", "a.x=5", "a: {x: 5} # later\nb: 1\n");
    becomes("a: ~ # later\n", "a.x=5", "a: {x: 5} # later\n");
    becomes("-\n- 1\n", "0=x", "- x\n- 1\n");
    becomes("{a, b: 1}\n", "a=2", "{a: 2, b: 1}\n");
    becomes("{a: , b: 1}\n", "a=2", "{a: 2 , b: 1}\n");
    becomes("", "a.b=1;c=[1,{d: 2}]", "a: {b: 1}\nc:\n  - 1\n  - {d: 2}\n");
    becomes("# only this\n", "a=1", "# only this\na: 1\n");
}
END_TEST

START_TEST(a_value_of_another_kind_takes_the_place_of_the_old)
{
    becomes(net, "model=[relu, {dense: {units: 2}}, tanh]",
            "# A network.\n"
            "model: [relu, {dense: {units: 2}}, tanh] # layers\n"
            "train:\n"
            "    epochs: 3   # few\n"
            "    optimizer: {sgd: {rate: 0.1}}\n"
            "# the end\n");
    becomes(net, "train.optimizer.sgd={rate: 1, momentum: 0.9};model.1={dense: {units: 1}}",
            "# A network.\n"
            "model: # layers\n"
            "  - dense: {units: 8} # wide\n"
            "\n"
            "  - {dense: {units: 1}}\n"
            "train:\n"
            "    epochs: 3   # few\n"
            "    optimizer: {sgd: {rate: 1, momentum: 0.9}}\n"
            "# the end\n");
    becomes("m:\n- a\n- b\nn: 1\n", "m=x", "m: x\nn: 1\n");
    becomes("a: 1\nm:\n  x:\n    - 1\n    # gone\n    - 2\n", "m.x=[];b=1",
            "a: 1\nm:\n  x: []\nb: 1\n");
    becomes("- dense: 1\n  name: x # c\n- 2\n", "0=relu", "- relu # c\n- 2\n");
}
END_TEST

START_TEST(text_is_quoted_where_it_must_be)
{
    becomes("a: {b: 1}\n", "a.b='x, y: #z'", "a: {b: \"x, y: #z\"}\n");
    becomes("a: 1\n", "a='5'", "a: \"5\"\n");
    becomes("a: 1\n", "a='true'", "a: \"true\"\n");
    becomes("a: 1\n", "a=x y", "a: \"x y\"\n");
    becomes("a: 1\n", "a=", "a: null\n");
}
END_TEST

START_TEST(what_an_alias_shares_keeps_its_old_value)
{
    becomes("a: &x 1 # one\nb: *x # two\n", "a=2", "a: 2 # one\nb: 1 # two\n");
    becomes("a: &x 1 # one\nb: *x # two\n", "b=2", "a: &x 1 # one\nb: 2 # two\n");
    becomes("a: &x {c: 1} # one\nb: *x # two\nd: 1\n", "a.c=2",
            "a: &x {c: 2} # one\nb: {c: 1} # two\nd: 1\n");
    becomes("a: &x {c: 1} # one\nb: *x # two\n", "b.c=2", "a: &x {c: 1} # one\nb: {c: 2} # two\n");
    becomes("&k a: 1\nb: {*k : 2}\nc: &v 1\nd: *v\n", "c=3", "&k a: 1\nb: {a : 2}\nc: 3\nd: 1\n");
}
END_TEST

/* Ways to write that the careful edits may not understand: then the result is at least right. */
START_TEST(whatever_is_set_in_whatever_it_reads_as_wanted)
{
    static const char *const texts[] = {
        net,
        "? a\n: b\n? [c]\n",
        "{a: {b: [1, 2, {c: 3}]}, d}",
        "a:\n- - 1\n  - 2\n-\n  - x: 1\n    y: 2\n",
        "a: |+\n  kept\n\n\nb: >-\n  folded\n  more\n",
        "a: \"two\n  lines\"\nb: plain\n  text\n",
        "a: &x {b: &y [1, &z {c: 1}]}\nb: *x\nc: [*y, *z]\n",
        "\"a\": 1\n'b': 2\n\"\\u00e4\": 3\n",
        "a: !!str 1\nb: ! x\n",
        "---\na: 1\n...\n",
        "a: [b: 1, {c: 2}, d]\n",
        "? |\n  a\n: 1\n",
        "a:\n    # comment\n    - 1 # c\n    # end\nb: 2",
    };
    static const char *const settings[] = {
        "a=1",       "a=[1, 2]",  "a={x: 1}",   "b=x",           "a.b=1",
        "a.0=1",     "a.0.x=[1]", "a.b.2=0",    "a.1.z=1",       "new=1",
        "new.k.l=2", "a=~",       "a.1.0.y=3",  "d={e: {f: 1}}", "c.0=1",
        "c.1.c=2",   "b.b.0=7",   "\xC3\xA4=4", "a='\n # x\n'",
    };
    int tried = 0;
    nm_context *context = test_context(NULL);
    for (int i = 0; i < NM_COUNT_OF(texts); i++) {
        for (int k = 0; k < NM_COUNT_OF(settings) * NM_COUNT_OF(settings); k++) {
            nm_document *document = nm_document_parse(context, texts[i], SIZE_MAX, "");
            bool set = document &&
                       nm_document_set(document, settings[k / NM_COUNT_OF(settings)]) == NM_OK &&
                       nm_document_set(document, settings[k % NM_COUNT_OF(settings)]) == NM_OK;
            nm_context_clear_error(context);
            size_t size = strlen(texts[i]);
            char *text =
                set ? nm_yaml_edit(context, texts[i], &size, nm_document_root(document)) : NULL;
            ck_assert_msg(!set || text, "%s with %s, %s: %s", texts[i],
                          settings[k / NM_COUNT_OF(settings)], settings[k % NM_COUNT_OF(settings)],
                          nm_context_error(context));
            nm_document *again = text ? nm_document_parse(context, text, size, "") : NULL;
            ck_assert(!text || nm_value_equal(nm_document_root(again), nm_document_root(document)));
            tried += text != NULL;
            nm_document_destroy(again);
            nm_document_destroy(document);
            nm_free(context, text);
        }
    }
    ck_assert_int_gt(tried, 500);
    test_context_end(context, NULL);
}
END_TEST

START_TEST(values_are_equal_if_they_mean_the_same)
{
    static const struct {
        const char *a, *b;
        bool equal;
    } cases[] = {
        {"x", "\"x\"", true},
        {"5", "\"5\"", false},
        {"true", "'true'", false},
        {"~", "", true},
        {"null", "'null'", false},
        {"{a: [1]}", "a:\n- 1\n", true},
        {"{a: 1, b: 2}", "{b: 2, a: 1}", false},
        {"[1]", "[1, 2]", false},
        {"[1]", "1", false},
        {"{a: 1}", "{b: 1}", false},
        {"[[1]]", "[[2]]", false},
    };
    nm_context *context = test_context(NULL);
    for (int i = 0; i < NM_COUNT_OF(cases); i++) {
        nm_document *a = nm_document_parse(context, cases[i].a, SIZE_MAX, "");
        nm_document *b = nm_document_parse(context, cases[i].b, SIZE_MAX, "");
        ck_assert_msg(nm_value_equal(nm_document_root(a), nm_document_root(b)) == cases[i].equal,
                      "%s and %s", cases[i].a, cases[i].b);
        nm_document_destroy(a);
        nm_document_destroy(b);
    }
    test_context_end(context, NULL);
}
END_TEST

/* ---- Paths ---- */

typedef struct path_options {
    const char *path;
    nm_strings more;
    const char *text;
} path_options;

static const nm_option rows[] = {
    {NM_FIELD(path_options, path), NM_OPTION_STRING, .flags = NM_PATH, .doc = "a path"},
    {NM_FIELD(path_options, more), NM_OPTION_STRINGS, .flags = NM_PATH, .doc = "paths"},
    {NM_FIELD(path_options, text), NM_OPTION_STRING, .doc = "no path"},
};
static const nm_spec spec = {.name = "path_options",
                             .size = sizeof(path_options),
                             .options = rows,
                             .count = NM_COUNT_OF(rows)};

/* Makes the folders a and b in the test's own, and a/net.yaml with the text. */
static nm_document *read_in_folder(nm_context *context, const char *text)
{
    mkdir(test_path("a"), 0777);
    mkdir(test_path("b"), 0777);
    test_write_file(test_path("a/net.yaml"), text, strlen(text));
    ck_assert_int_eq(chdir(test_folder()), 0);
    return nm_document_read(context, "a/net.yaml");
}

static path_options read_options(nm_context *context, nm_document *document)
{
    path_options options;
    nm_diagnostics d;
    nm_diagnostics_begin(&d, context);
    nm_spec_read(&spec, nm_document_root(document), "it", document, &d, &options);
    nm_diagnostics_end(&d);
    return options;
}

START_TEST(paths_are_meant_from_the_files_folder_and_settings_from_the_current_one)
{
    nm_context *context = test_context(NULL);
    nm_document *document =
        read_in_folder(context, "path: x.csv # p\nmore: [y, /z, \"../w.npy\", -]\ntext: t\n");
    path_options options = read_options(context, document);
    assert_fine(context);
    ck_assert_str_eq(options.path, "a/x.csv");
    ck_assert_str_eq(options.more.at[0], "a/y");
    ck_assert_str_eq(options.more.at[1], "/z");
    ck_assert_str_eq(options.more.at[2], "a/../w.npy");
    ck_assert_str_eq(options.more.at[3], "-");
    ck_assert_str_eq(options.text, "t");
    char *type = nm_option_type_text(context, &rows[0]),
         *types = nm_option_type_text(context, &rows[1]);
    ck_assert_str_eq(type, "path");
    ck_assert_str_eq(types, "[path]");
    nm_free(context, type);
    nm_free(context, types);
    size_t size;
    char *text = nm_document_text(document, "b", &size);
    assert_fine(context);
    ck_assert_str_eq(text, "path: ../a/x.csv # p\nmore: [../a/y, /z, \"../w.npy\", -]\ntext: t\n");
    nm_free(context, text);
    text = nm_document_text(document, "a", &size);
    ck_assert_str_eq(text, "path: x.csv # p\nmore: [y, /z, \"../w.npy\", -]\ntext: t\n");
    nm_free(context, text);
    nm_document_set(document, "path=x.csv");
    options = read_options(context, document);
    ck_assert_str_eq(options.path, "x.csv");
    text = nm_document_text(document, "b", &size);
    ck_assert_str_eq(text, "path: ../x.csv # p\nmore: [../a/y, /z, \"../w.npy\", -]\ntext: t\n");
    nm_free(context, text);
    nm_document_destroy(document);
    test_context_end(context, NULL);
}
END_TEST

static void note_warning(void *user, nm_log_level level, const char *message)
{
    ck_assert_int_eq(level, NM_LOG_WARNING);
    snprintf(user, 512, "%s", message);
}

START_TEST(a_path_that_is_found_only_from_the_current_folder_is_taken_from_there_with_a_word)
{
    char said[512] = "";
    nm_context *context =
        nm_context_create(&(nm_context_options){.log = note_warning, .log_user = said});
    nm_document *document = read_in_folder(context, "text: t\npath: here.csv\n");
    test_write_file(test_path("here.csv"), "1\n", 2);
    ck_assert_str_eq(read_options(context, document).path, "here.csv");
    ck_assert_str_eq(said, "a/net.yaml:2:7: \"here.csv\" is not in the folder of the file but in "
                           "the current one; it is taken from there");
    size_t size;
    char *text = nm_document_text(document, "b", &size);
    ck_assert_str_eq(text, "text: t\npath: ../here.csv\n");
    nm_free(context, text);
    test_write_file(test_path("a/here.csv"), "1\n", 2);
    ck_assert_str_eq(read_options(context, document).path, "here.csv"); /* it was found already */
    nm_document_destroy(document);
    document = read_in_folder(context, "text: t\npath: here.csv\n");
    ck_assert_str_eq(read_options(context, document).path, "a/here.csv");
    nm_document_destroy(document);
    test_context_end(context, NULL);
}
END_TEST

START_TEST(what_is_read_through_a_descriptor_has_no_folder)
{
    nm_context *context = test_context(NULL);
    int ends[2];
    char name[64];
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(write(ends[1], "path: x.csv\n", 12), 12);
    close(ends[1]);
    snprintf(name, sizeof name, "/dev/fd/%d", ends[0]);
    nm_document *document = nm_document_read(context, name);
    assert_fine(context);
    ck_assert_str_eq(read_options(context, document).path, "x.csv");
    nm_document_destroy(document);
    close(ends[0]);
    test_context_end(context, NULL);
}
END_TEST

START_TEST(a_file_in_shared_memory_has_a_folder)
{
    char folder[] = "/dev/shm/norma-test-XXXXXX", name[64];
    nm_context *context = test_context(NULL);
    if (!mkdtemp(folder)) {
        test_context_end(context, NULL);
        return; /* no such place here */
    }
    snprintf(name, sizeof name, "%s/net.yaml", folder);
    FILE *file = fopen(name, "w");
    ck_assert_ptr_nonnull(file);
    fputs("path: x.csv\n", file);
    fclose(file);
    nm_document *document = nm_document_read(context, name);
    unlink(name);
    rmdir(folder);
    assert_fine(context);
    snprintf(name, sizeof name, "%s/x.csv", folder);
    ck_assert_str_eq(read_options(context, document).path, name);
    nm_document_destroy(document);
    test_context_end(context, NULL);
}
END_TEST

/* ---- Memory ---- */

static nm_status edit_a_little(test_memory *memory)
{
    nm_context *context = test_context(memory);
    nm_document *document = context ? nm_document_read(context, test_path("a/net.yaml")) : NULL;
    if (!context) {
        return NM_ERROR_MEMORY;
    }
    if (document && nm_document_set(document, "a=[2]") == NM_OK) {
        path_options options;
        nm_diagnostics d;
        nm_diagnostics_begin(&d, context);
        nm_spec_read(&spec, nm_value_get(nm_document_root(document), "o"), "it", document, &d,
                     &options);
        size_t size;
        nm_free(context, nm_document_text(document, test_path("b"), &size));
    }
    nm_document_destroy(document);
    nm_status status = nm_context_status(context);
    test_context_end(context, memory);
    return status;
}

START_TEST(every_failing_allocation_is_an_error_without_a_leak)
{
    nm_context *context = test_context(NULL);
    nm_document_destroy(read_in_folder(context, "a: &x [1]\nb: *x\no: {path: x, more: [p, q]}\n"));
    test_context_end(context, NULL);
    test_every_allocation(edit_a_little);
}
END_TEST

TEST_MAIN("core/values/edit", nothing_changed_is_the_same_bytes, a_number_is_changed_in_its_place,
          keys_are_added_behind_the_last_of_their_map, nothing_is_filled_in,
          a_value_of_another_kind_takes_the_place_of_the_old, text_is_quoted_where_it_must_be,
          what_an_alias_shares_keeps_its_old_value, whatever_is_set_in_whatever_it_reads_as_wanted,
          values_are_equal_if_they_mean_the_same,
          paths_are_meant_from_the_files_folder_and_settings_from_the_current_one,
          a_path_that_is_found_only_from_the_current_folder_is_taken_from_there_with_a_word,
          a_file_in_shared_memory_has_a_folder, what_is_read_through_a_descriptor_has_no_folder,
          every_failing_allocation_is_an_error_without_a_leak)
