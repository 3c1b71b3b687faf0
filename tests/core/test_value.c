/* The YAML reader: what it reads, what it refuses and with which words, --set, numbers, messages.
 */
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "core/value.h"
#include "tests/test.h"

/* ---- Helpers ---- */

static nm_context *context;
static nm_document *document;

static const nm_value *parse(const char *text)
{
    context = test_context(NULL);
    document = nm_document_parse(context, text, SIZE_MAX, "net.yaml");
    assert_fine(context);
    return nm_document_root(document);
}

static void done(void)
{
    nm_document_destroy(document);
    test_context_end(context, NULL);
}

static void refuse_bytes(const char *text, size_t size, const char *message)
{
    nm_context *c = test_context(NULL);
    ck_assert_ptr_null(nm_document_parse(c, text, size, "net.yaml"));
    assert_error(c, NM_ERROR_INPUT, message);
    test_context_end(c, NULL);
}

static void refuse(const char *text, const char *message)
{
    refuse_bytes(text, SIZE_MAX, message);
}

/* `unit` again and again, up to `size` bytes, behind `head`. */
static char *repeat(const char *head, const char *unit, size_t size)
{
    size_t begin = strlen(head), length = strlen(unit);
    char *text = malloc(size + 1);
    memcpy(text, head, begin);
    for (size_t i = begin; i < size; i++) {
        text[i] = unit[(i - begin) % length];
    }
    text[size] = 0;
    return text;
}

static const char *text_at(const nm_value *map, const char *key)
{
    const nm_value *value = nm_value_get(map, key);
    ck_assert_msg(value != NULL, "%s is missing", key);
    return value->text;
}

/* ---- Reading ---- */

START_TEST(values_have_kinds_texts_and_places)
{
    const nm_value *root = parse("model:\n  - conv2d: {units: 8}\n  - relu\nname: \"3\"\n");
    ck_assert_int_eq(root->kind, NM_VALUE_MAP);
    ck_assert_int_eq(root->count, 2);
    const nm_value *model = nm_value_get(root, "model");
    ck_assert_int_eq(model->kind, NM_VALUE_LIST);
    ck_assert_int_eq(model->count, 2);
    const nm_value *units = nm_value_get(nm_value_get(model->items[0], "conv2d"), "units");
    ck_assert_str_eq(units->text, "8");
    ck_assert_int_eq(units->line, 2);
    ck_assert_int_eq(units->column, 21);
    ck_assert_str_eq(units->file, "net.yaml");
    ck_assert(!units->quoted);
    ck_assert(nm_value_get(root, "name")->quoted);
    ck_assert_str_eq(root->entries[1].key->text, "name");
    ck_assert_int_eq(root->entries[1].key->line, 4);
    done();
}
END_TEST

START_TEST(columns_count_characters_and_a_byte_order_mark_counts_none)
{
    const nm_value *root = parse("\xEF\xBB\xBF"
                                 "\xC3\xA4\xE2\x82\xAC: 1\n");
    ck_assert_int_eq(root->entries[0].key->column, 1);
    ck_assert_int_eq(root->entries[0].value->column, 5);
    done();
}
END_TEST

START_TEST(an_empty_file_is_a_null)
{
    static const char *const empty[] = {"", "  \n", "# only a comment\n", "---\n", "~", "null"};
    for (size_t i = 0; i < sizeof empty / sizeof *empty; i++) {
        ck_assert(nm_value_is_null(parse(empty[i])));
        done();
    }
}
END_TEST

START_TEST(a_quoted_null_is_text)
{
    const nm_value *root =
        parse("[null, Null, NULL, nULL, NUll, 'null', \"\", ~, '~', nul, nulll]");
    static const bool expected[] = {true,  true, true,  false, false, false,
                                    false, true, false, false, false};
    for (int i = 0; i < root->count; i++) {
        ck_assert_msg(nm_value_is_null(root->items[i]) == expected[i], "item %d", i);
    }
    ck_assert_int_eq(root->count, 11);
    ck_assert(!nm_value_is_null(NULL));
    ck_assert(!nm_value_is_null(root));
    done();
}
END_TEST

START_TEST(the_tag_str_means_what_quotes_mean)
{
    const nm_value *root = parse("[!!str 3, ! 4, 5]");
    ck_assert(root->items[0]->quoted);
    ck_assert(root->items[1]->quoted);
    ck_assert(!root->items[2]->quoted);
    done();
    refuse("a: !!int 3", "net.yaml:1:4: the tag \"!!int\" is not supported; remove it");
    refuse("a: !!python/object:os.system [x]",
           "net.yaml:1:4: the tag \"!!python/object:os.system\"");
    refuse("a: !mine {b: 1}", "net.yaml:1:4: the tag \"!mine\" is not supported");
    refuse("a: !!str [b]", "the tag \"!!str\" is not supported");
}
END_TEST

START_TEST(block_texts_are_text)
{
    const nm_value *root = parse("a: |\n  3\nb: >\n  4\n  5\n");
    ck_assert_str_eq(text_at(root, "a"), "3\n");
    ck_assert(nm_value_get(root, "a")->quoted);
    ck_assert_str_eq(text_at(root, "b"), "4 5\n");
    done();
}
END_TEST

START_TEST(get_finds_nothing_outside_maps)
{
    const nm_value *root = parse("[a]");
    ck_assert_ptr_null(nm_value_get(root, "a"));
    ck_assert_ptr_null(nm_value_get(root->items[0], "a"));
    ck_assert_ptr_null(nm_value_get(NULL, "a"));
    done();
}
END_TEST

START_TEST(a_file_is_read_whole_and_a_missing_one_is_an_error)
{
    context = test_context(NULL);
    test_write_file(test_path("a.yaml"), "units: 8\n", 9);
    document = nm_document_read(context, test_path("a.yaml"));
    assert_fine(context);
    ck_assert_str_eq(text_at(nm_document_root(document), "units"), "8");
    ck_assert_str_eq(nm_document_root(document)->file, test_path("a.yaml"));
    ck_assert_ptr_null(nm_document_read(context, test_path("missing.yaml")));
    assert_error(context, NM_ERROR_IO, "missing.yaml");
    done();
}
END_TEST

/* ---- What is refused ---- */

START_TEST(a_duplicate_key_is_an_error_also_in_quotes)
{
    refuse("lr: 1\nmomentum: 2\nlr: 3\n",
           "net.yaml:3:1: the key \"lr\" is there already, at 1:1; remove one of them");
    refuse("lr: 1\n\"lr\": 3\n", "net.yaml:2:1: the key \"lr\" is there already");
    refuse("{a: 1, 'b': 2, b: 3, a: 4}", "net.yaml:1:16: the key \"b\" is there already, at 1:8");
    refuse("{b: 1, a: 2, a: 3, b: 4}", "net.yaml:1:14: the key \"a\" is there already, at 1:8");
}
END_TEST

START_TEST(the_same_key_in_different_maps_is_fine)
{
    const nm_value *root = parse("a: {x: 1}\nb: {x: 2}\n");
    ck_assert_str_eq(text_at(nm_value_get(root, "b"), "x"), "2");
    done();
}
END_TEST

START_TEST(a_second_document_is_an_error)
{
    refuse("a: 1\n---\nb: 2\n", "net.yaml:2:1: a second document begins here");
    refuse("a\n...\nb\n", "net.yaml:3:1: expected the end of the file");
    refuse("{a: 1} b", "net.yaml:1:8: expected the end of the file");
}
END_TEST

START_TEST(a_merge_key_is_an_error_unless_quoted)
{
    refuse("a: &x {b: 1}\nc:\n  <<: *x\n", "net.yaml:3:3: merge keys (<<) are not supported");
    const nm_value *root = parse("'<<': 1");
    ck_assert_str_eq(text_at(root, "<<"), "1");
    done();
}
END_TEST

START_TEST(a_key_must_be_text)
{
    refuse("? [a]\n: b", "net.yaml:1:3: a list cannot be a key");
    refuse("{{a: 1}: b}", "net.yaml:1:2: a map cannot be a key");
    refuse("a: &x [1]\n*x : 2", "net.yaml:2:1: a list cannot be a key");
    refuse("?\n: a", "net.yaml:1:2: expected a key before \":\"");
}
END_TEST

START_TEST(a_tab_that_indents_is_an_error)
{
    refuse("a:\n\tb: 1", "net.yaml:2:1: a tab cannot indent; use spaces");
    refuse("a: |\n\tb", "net.yaml:2:1: in the text that begins at 1:4: a tab cannot indent");
}
END_TEST

START_TEST(bytes_that_are_not_utf_8_text_are_an_error_with_a_place)
{
    refuse("a: 1\nb: \xFF", "net.yaml:2:4: expected UTF-8 text: invalid leading UTF-8 octet");
    refuse("a: \xC3", "net.yaml:1:4: expected UTF-8 text");
    refuse("a: \xC0\xAF", "expected UTF-8 text");
    refuse("\xFF\xFE\x61", "save the file as UTF-8"); /* UTF-16 */
    refuse("a: \x1B[2J", "net.yaml:1:4: the control character 0x1B is not allowed; remove it");
    refuse_bytes("a\0b", 3, "net.yaml:1:2: the control character 0x00");
    refuse("a: \"b\\0c\"", "net.yaml:1:4: text with a zero character");
}
END_TEST

START_TEST(a_syntax_error_says_what_was_read_what_was_expected_and_what_to_do)
{
    refuse("model:\n  [a, b\n", "net.yaml:3:1: in the list that begins at 2:3: expected \",\" or "
                                "\"]\"; close the list with \"]\"");
    refuse("{a: 1 b: 2}", "net.yaml:1:8: in the map that begins at 1:1: expected \",\" or \"}\"");
    refuse("a: b: {c: d}  ",
           "net.yaml:1:5: a second \": \" in one line; write {b: {c: d}}, or put text in quotes");
    refuse("a\n  b: 1", "net.yaml:2:4: a \": \" cannot stand here; put one behind the key in the "
                        "line above");
    refuse("a: 1\nb:2\nc: 3", "net.yaml:2:1: \"b:2\" has no blank behind its colon; put one there");
    refuse("a:\n  - b: 1\n  -c\n  - d",
           "net.yaml:3:3: \"-c\" is no item of a list; put a blank behind its \"-\"");
    refuse("a: 1\nb\nc: 3",
           "net.yaml:2:1: \"b\" is no key; write \"key: value\", or \"- item\" in a "
           "list");
    refuse("a: 1\n  b: 2", "net.yaml:2:4: a \": \" cannot stand here");
    refuse("a: b\n- c",
           "net.yaml:2:1: in the map that begins at 1:1: expected another \"key: value");
    refuse("- a\nb: c",
           "net.yaml:2:1: in the list that begins at 1:1: expected another \"- item\"");
    refuse("a: 'b", "in the text that begins at 1:4: expected the closing quote; add it");
    refuse("a: @b", "net.yaml:1:4: text cannot begin with \"@\"; put it in quotes");
    refuse("a: \"\\q\"", "no such escape; write \"\\\\\" for a backslash");
    refuse("a: - b", "net.yaml:1:4: a \"- item\" cannot stand here");
    refuse("a: & b", "an anchor (&name) or alias (*name) needs a name");
    refuse("a: !x!y b", "only the tag \"!!str\" is supported");
}
END_TEST

START_TEST(a_text_without_a_file_name_says_line_and_column)
{
    nm_context *c = test_context(NULL);
    ck_assert_ptr_null(nm_document_parse(c, "[a", SIZE_MAX, NULL));
    ck_assert_int_eq(strncmp(nm_context_error(c), "line ", 5), 0);
    test_context_end(c, NULL);
}
END_TEST

START_TEST(a_long_key_is_cut_in_messages)
{
    char *text = repeat("", "k", 3000);
    memcpy(text + 1000, ": 1\n", 4);
    memcpy(text + 1004, text, 1000);
    strcpy(text + 2004, ": 2");
    refuse(text, "kkkk...\" is there already");
    free(text);
    /* Two bytes a character, behind one of one byte: cut between, not within. */
    char *wide = repeat("x: 1\nx", "\xC3\xA4", 206);
    memcpy(wide + 202, ": 1\n", 5);
    char twice[500];
    snprintf(twice, sizeof twice, "%s%s", wide, wide + 5);
    refuse(twice, "\xC3\xA4...\" is there already");
    free(wide);
}
END_TEST

/* ---- Limits ---- */

START_TEST(sixty_four_levels_are_read_and_sixty_five_are_not)
{
    char text[200];
    memset(text, '[', 64);
    memset(text + 64, ']', 64);
    text[128] = 0;
    parse(text);
    done();
    memset(text, '[', 65);
    memset(text + 65, ']', 65);
    text[130] = 0;
    refuse(text, "net.yaml:1:65: lists and maps nested more than 64 deep");
}
END_TEST

START_TEST(a_file_may_have_one_mebibyte_and_no_more)
{
    char *text = repeat("# ", "c", NM_VALUE_MAX_BYTES + 1);
    refuse(text, "net.yaml: 1048577 bytes of YAML; at most 1048576 are read");
    text[NM_VALUE_MAX_BYTES] = 0;
    ck_assert(nm_value_is_null(parse(text)));
    done();
    free(text);
}
END_TEST

START_TEST(hostile_files_fail_in_a_moment)
{
    static const char *const units[][2] = {{"", "["},
                                           {"", "{"},
                                           {"", "- "},
                                           {"", "? "},
                                           {"", "[\n"},
                                           {"", "{a: ["},
                                           {"[", "a,"},
                                           {"[", "[],"},
                                           {"[", "'a',"},
                                           {"", "- a\n"},
                                           {"", "&a "},
                                           {"", "*a"},
                                           {"", "!a "},
                                           {"", "a: b\n"},
                                           {"", "--- a\n"},
                                           {"", "\""},
                                           {"", "[? "},
                                           {"[", "x: "},
                                           {"", "?\n"},
                                           {"- &a x\n", "- *a\n"},
                                           {"", "%TAG !a! b\n"},
                                           {"a\n...\n", "%TAG !a! b\n"},
                                           {"--- ", "\"a\"\n"}};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        nm_context *c = test_context(NULL);
        char *text = repeat(units[i][0], units[i][1], NM_VALUE_MAX_BYTES);
        clock_t begin = clock();
        ck_assert_ptr_null(nm_document_parse(c, text, SIZE_MAX, "net.yaml"));
        double seconds = (double)(clock() - begin) / CLOCKS_PER_SEC;
        ck_assert_int_eq(nm_context_status(c), NM_ERROR_INPUT);
        /* Quadratic time would be 10 to 1000 seconds; linear is some milliseconds. */
        ck_assert_msg(seconds < 5, "\"%s\" took %.1f s", units[i][1], seconds);
        free(text);
        test_context_end(c, NULL);
    }
}
END_TEST

START_TEST(a_map_of_many_keys_is_checked_in_a_moment)
{
    char *text = malloc(NM_VALUE_MAX_BYTES), *at = text;
    for (int i = 0; i < 49000; i++) {
        at += sprintf(at, "k%d: 1\n", i);
    }
    clock_t begin = clock();
    ck_assert_int_eq(parse(text)->count, 49000);
    ck_assert_double_lt((double)(clock() - begin) / CLOCKS_PER_SEC, 5);
    done();
    strcpy(at, "k7: 1\n");
    refuse(text, "net.yaml:49001:1: the key \"k7\" is there already, at 8:1");
    free(text);
}
END_TEST

START_TEST(billions_of_laughs_are_counted_before_they_expand)
{
    refuse("a: &a [x, x, x, x, x, x, x, x, x, x]\n"
           "b: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\n"
           "c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]\n"
           "d: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c]\n"
           "e: &e [*d, *d, *d, *d, *d, *d, *d, *d, *d, *d]\n"
           "f: &f [*e, *e, *e, *e, *e, *e, *e, *e, *e, *e]\n",
           "net.yaml:5:36: more than 100000 values (aliases count as what they stand for)");
}
END_TEST

START_TEST(exactly_as_many_values_as_allowed_are_read)
{
    char *text = repeat("[", "a,", 2 * (NM_VALUE_MAX_NODES - 1) + 1);
    text[2 * (NM_VALUE_MAX_NODES - 1)] = ']';
    ck_assert_int_eq(parse(text)->count, NM_VALUE_MAX_NODES - 1);
    done();
    free(text);
    text = repeat("[", "a,", 2 * NM_VALUE_MAX_NODES + 1);
    text[2 * NM_VALUE_MAX_NODES] = ']';
    refuse(text, "more than 100000 values");
    free(text);
}
END_TEST

START_TEST(aliases_cannot_nest_deeper_than_the_limit)
{
    /* Ten levels each: g is 70 deep though no line nests more than eleven. */
    char text[1000] = "a: &a [[[[[[[[[[x]]]]]]]]]]\n", before = 'a';
    for (char name = 'b'; name <= 'g'; before = name++) {
        char line[64];
        snprintf(line, sizeof line, "%c: &%c [[[[[[[[[[*%c]]]]]]]]]]\n", name, name, before);
        strcat(text, line);
    }
    refuse(text, "net.yaml:7:17: lists and maps nested more than 64 deep");
}
END_TEST

START_TEST(an_alias_gives_the_value_it_names)
{
    const nm_value *root = parse("a: &x {units: 8}\nb: *x\nc: &k key\n*k : 1\n");
    ck_assert_ptr_eq(nm_value_get(root, "a"), nm_value_get(root, "b"));
    ck_assert_str_eq(text_at(root, "key"), "1");
    done();
}
END_TEST

START_TEST(an_alias_must_name_a_finished_value)
{
    refuse("a: *x", "net.yaml:1:4: the alias *x names nothing; put &x before a value above");
    refuse("a: &x [1, *x]", "net.yaml:1:11: the alias *x stands within the value it names");
    refuse("&x a: &y {b: *y}", "the alias *y stands within the value it names");
    refuse("a: &x 1\nb: &x 2", "net.yaml:2:4: the anchor &x is defined twice");
}
END_TEST

START_TEST(a_file_may_have_256_anchors)
{
    char text[8000], *at = text;
    for (int i = 0; i < NM_VALUE_MAX_ANCHORS; i++) {
        at += sprintf(at, "- &a%d x\n", i);
    }
    ck_assert_int_eq(parse(text)->count, 256);
    done();
    strcpy(at, "- &more x\n");
    refuse(text, "net.yaml:257:3: &more is one anchor more than the 256 allowed");
}
END_TEST

START_TEST(tag_directives_are_refused)
{
    refuse("# x\n%TAG ! a\n--- b", "net.yaml:2:1: %TAG lines are not supported; remove it");
    refuse("%YAML 9.9\n--- a", "remove the %YAML line");
    refuse("%FOO\n--- a", "net.yaml:1:5: no such directive");
    ck_assert_str_eq(parse("%YAML 1.1\n--- 'a %TAG'")->text, "a %TAG");
    done();
}
END_TEST

/* ---- --set ---- */

static void set(const char *assignment)
{
    ck_assert_int_eq(nm_document_set(document, assignment), NM_OK);
    assert_fine(context);
}

static void refuse_set(const char *assignment, const char *message)
{
    const nm_value *root = nm_document_root(document);
    ck_assert_int_eq(nm_document_set(document, assignment), NM_ERROR_INPUT);
    assert_error(context, NM_ERROR_INPUT, message);
    ck_assert_ptr_eq(nm_document_root(document), root);
}

static const char *network = "model:\n"
                             "  - dense: {units: 8}\n"
                             "  - relu\n"
                             "  - batch_norm:\n"
                             "train:\n"
                             "  epochs: 10\n"
                             "  optimizer: sgd\n";

START_TEST(set_replaces_adds_and_descends)
{
    parse(network);
    set("train.epochs=3");
    set("train.seed=7");
    set("model.0.dense.units=16");
    set("data.path=/a=b");
    set("model.2.batch_norm.eps=1e-3"); /* in place of a null */
    const nm_value *root = nm_document_root(document), *train = nm_value_get(root, "train");
    ck_assert_str_eq(text_at(train, "epochs"), "3");
    ck_assert_str_eq(text_at(train, "seed"), "7");
    ck_assert_str_eq(text_at(train, "optimizer"), "sgd");
    ck_assert_str_eq(text_at(nm_value_get(root, "data"), "path"), "/a=b");
    const nm_value *model = nm_value_get(root, "model");
    ck_assert_str_eq(text_at(nm_value_get(model->items[0], "dense"), "units"), "16");
    ck_assert_str_eq(text_at(nm_value_get(model->items[2], "batch_norm"), "eps"), "1e-3");
    ck_assert_str_eq(model->items[1]->text, "relu");
    ck_assert_int_eq(root->count, 3);
    done();
}
END_TEST

START_TEST(set_takes_any_yaml_value)
{
    parse("");
    set("a={b: [1, 2]}");
    set("c='3'");
    set("d=");
    set("train.clip={norm: 1}");
    const nm_value *root = nm_document_root(document);
    ck_assert_str_eq(nm_value_get(nm_value_get(root, "a"), "b")->items[1]->text, "2");
    ck_assert(nm_value_get(root, "c")->quoted);
    ck_assert(nm_value_is_null(nm_value_get(root, "d")));
    done();
}
END_TEST

START_TEST(values_set_have_their_place_in_the_assignment)
{
    parse(network);
    set("train.schedule.cosine={end: 0}");
    const nm_value *train = nm_value_get(nm_document_root(document), "train");
    const nm_value *schedule = nm_value_get(train, "schedule");
    const nm_value *cosine = nm_value_get(schedule, "cosine");
    ck_assert_str_eq(cosine->file, "--set");
    ck_assert_int_eq(cosine->line, 1);
    ck_assert_int_eq(cosine->column, 23);
    ck_assert_int_eq(nm_value_get(cosine, "end")->column, 29);
    ck_assert_int_eq(schedule->entries[0].key->column, 16);
    ck_assert_int_eq(train->entries[2].key->column, 7);
    ck_assert_str_eq(train->file, "net.yaml"); /* it was there before */
    set("x=");
    ck_assert_int_eq(nm_value_get(nm_document_root(document), "x")->column, 3);
    done();
}
END_TEST

START_TEST(set_leaves_old_values_and_what_aliases_share_alone)
{
    const nm_value *old = parse("a: &x {units: 8}\nb: *x\n");
    set("b.units=9");
    const nm_value *root = nm_document_root(document);
    ck_assert_str_eq(text_at(nm_value_get(root, "b"), "units"), "9");
    ck_assert_str_eq(text_at(nm_value_get(root, "a"), "units"), "8");
    ck_assert_str_eq(text_at(nm_value_get(old, "b"), "units"), "8");
    done();
    old = parse("a: [1, 2]");
    set("a.1=3");
    ck_assert_str_eq(nm_value_get(nm_document_root(document), "a")->items[1]->text, "3");
    ck_assert_str_eq(nm_value_get(old, "a")->items[1]->text, "2");
    done();
}
END_TEST

START_TEST(set_says_what_is_there_when_it_cannot_descend)
{
    parse(network);
    refuse_set("train.epochs.x=3",
               "--set:1:14: \"train.epochs\" is 10 (at net.yaml:6:11), so nothing "
               "can be set in it; set the whole of it: train.epochs={...}");
    refuse_set("model.7.dense.units=3",
               "--set:1:7: \"model\" is a list of 3, it has no item \"7\"; "
               "name one by its index: 0 (dense), 1 (relu), 2 (batch_norm)");
    refuse_set("model.dens.units=3", "2 (batch_norm); did you mean 0?");
    refuse_set("model.-1=3", "it has no item \"-1\"");
    refuse_set("model.99999999999999999999=3", "it has no item \"99999999999999999999\"");
    done();
    parse("a: []");
    refuse_set("a.0=1", "--set:1:3: \"a\" is an empty list");
    done();
    parse("text");
    refuse_set("a=1",
               "--set:1:1: the file is \"text\" (at net.yaml:1:1), so nothing can be set in it");
    done();
    parse("[a, b]");
    refuse_set("x=1", "--set:1:1: the file is a list of 2");
    set("1=c");
    ck_assert_str_eq(nm_document_root(document)->items[1]->text, "c");
    done();
}
END_TEST

START_TEST(an_ill_formed_assignment_is_an_error)
{
    parse(network);
    refuse_set("train.epochs", "--set:1:1: train.epochs: expected PATH=VALUE, such as "
                               "train.epochs=3");
    refuse_set("=3", "--set:1:1: an empty name in the path");
    refuse_set("train..epochs=3", "--set:1:7: an empty name in the path");
    refuse_set("train.=3", "--set:1:7: an empty name in the path");
    refuse_set("a=[1", "--set:1:5: in the list that begins at 1:3: expected \",\" or \"]\"");
    refuse_set("a=\xFF", "--set:1:3: expected UTF-8 text");
    refuse_set("a={b: 1, b: 2}", "--set:1:10: the key \"b\" is there already, at 1:4");
    done();
}
END_TEST

START_TEST(set_keeps_the_limits)
{
    parse("");
    char path[400] = "a";
    for (int i = 1; i < 64; i++) {
        strcat(path, ".a");
    }
    strcat(path, "=1");
    set(path); /* 64 maps */
    refuse_set("a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a."
               "a.a.a.a.a."
               "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a=[]",
               "more than 64 levels");
    refuse_set("a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a."
               "a.a.a.a.a."
               "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a=1",
               "more than 64 levels");
    char *values = repeat("b=[", "a,", 120004);
    values[120003] = ']';
    set(values);
    values[0] = 'c';
    refuse_set(values, "100000 values");
    free(values);
    done();
}
END_TEST

/* ---- Numbers ---- */

START_TEST(integers_are_read_whole_or_not_at_all)
{
    static const struct {
        const char *text;
        int64_t value;
    } good[] = {{"0", 0},
                {"-0", 0},
                {"+7", 7},
                {"010", 10},
                {"0x1F", 31},
                {"-0xff", -255},
                {"9223372036854775807", INT64_MAX},
                {"-9223372036854775808", INT64_MIN},
                {"0x7fffffffffffffff", INT64_MAX}};
    static const char *const bad[] = {"",
                                      "-",
                                      "+",
                                      "0x",
                                      "1.0",
                                      "1e3",
                                      "1_000",
                                      " 1",
                                      "1 ",
                                      "--1",
                                      "0xg",
                                      "1,0",
                                      "abc",
                                      "9223372036854775808",
                                      "-9223372036854775809",
                                      "0x8000000000000000",
                                      "99999999999999999999999"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        int64_t value = 99;
        ck_assert_msg(nm_parse_int(good[i].text, &value), "%s", good[i].text);
        ck_assert_int_eq(value, good[i].value);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int64_t value = 99;
        ck_assert_msg(!nm_parse_int(bad[i], &value), "\"%s\"", bad[i]);
        ck_assert_int_eq(value, 99);
    }
}
END_TEST

static const struct {
    const char *text;
    double value;
} floats[] = {{"0", 0},
              {"1.5", 1.5},
              {"-.5", -.5},
              {"5.", 5},
              {"+1e-3", 1e-3},
              {"1E3", 1000},
              {"0x10", 16},
              {"1e308", 1e308},
              {"4.9e-324", 4.9406564584124654e-324},
              {"0e999", 0},
              {"123456789012345678901234567890", 1.2345678901234568e29},
              {"0.1", 0.1}};

static void check_floats(void)
{
    static const char *const bad[] = {
        "",    ".",   "-",     "e5",    "1e",     "1e+",    "1,5",   "1.5.2", "1 ",       " 1",
        "inf", "nan", "0x1p3", "1e999", "-1e999", "1e-400", "1_0.5", "1.5f",  "infinity", "-.nan"};
    for (size_t i = 0; i < sizeof floats / sizeof *floats; i++) {
        double value = 99;
        ck_assert_msg(nm_parse_float(floats[i].text, &value), "%s", floats[i].text);
        ck_assert_msg(value == floats[i].value, "%s is %.17g", floats[i].text, value);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        double value = 99;
        ck_assert_msg(!nm_parse_float(bad[i], &value), "\"%s\"", bad[i]);
        ck_assert_double_eq(value, 99);
    }
}

START_TEST(floats_are_read_whole_or_not_at_all)
{
    check_floats();
    double value;
    ck_assert(nm_parse_float(".inf", &value) && value == (double)INFINITY);
    ck_assert(nm_parse_float("-.Inf", &value) && value == -(double)INFINITY);
    ck_assert(nm_parse_float(".nan", &value) && isnan(value));
    char *text = repeat("0.", "1", 600);
    ck_assert(!nm_parse_float(text, &value));
    text[500] = 0;
    ck_assert(nm_parse_float(text, &value) && value == 0.1111111111111111111);
    free(text);
}
END_TEST

static const struct {
    double value;
    const char *text;
} formats[] = {{0, "0"},
               {-0.0, "-0"},
               {3, "3"},
               {-1.5, "-1.5"},
               {0.1, "0.1"},
               {1e-5, "1e-5"},
               {1.5e-5, "1.5e-5"},
               {0.0001, "0.0001"},
               {100, "100"},
               {60000, "60000"},
               {123456.789, "123456.789"},
               {1e15, "1000000000000000"},
               {1e16, "1e16"},
               {1e300, "1e300"},
               {1.0 / 3, "0.3333333333333333"},
               {2.2250738585072014e-308, "2.2250738585072014e-308"},
               {-1.7976931348623157e308, "-1.7976931348623157e308"},
               {4.9406564584124654e-324, "5e-324"},
               {9007199254740993.0, "9007199254740992"}};

static void check_formats(void)
{
    char text[32];
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        ck_assert_str_eq(nm_format_float(formats[i].value, text), formats[i].text);
    }
}

START_TEST(floats_are_written_shortest)
{
    char text[32];
    check_formats();
    ck_assert_str_eq(nm_format_float((double)INFINITY, text), ".inf");
    ck_assert_str_eq(nm_format_float(-(double)INFINITY, text), "-.inf");
    ck_assert_str_eq(nm_format_float((double)NAN, text), ".nan");
}
END_TEST

START_TEST(every_float_reads_back_as_itself)
{
    uint64_t state = 12345;
    for (int i = 0; i < 20000; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        uint64_t bits = state ^ state >> 29;
        double value, back;
        char text[32];
        memcpy(&value, &bits, sizeof value);
        if (isfinite(value)) {
            ck_assert_uint_lt(strlen(nm_format_float(value, text)), 32);
            ck_assert_msg(nm_parse_float(text, &back), "%s", text);
            ck_assert_msg(!memcmp(&value, &back, sizeof back), "%.17g became %s", value, text);
        }
    }
}
END_TEST

/* Some C libraries know any locale by name, and write a point in all of them. */
static bool set_comma(int category, const char *name)
{
    return setlocale(category, name) && strcmp(localeconv()->decimal_point, ",") == 0;
}

/* Switches to a locale with a decimal comma: an installed one, or one that is made here. */
static bool use_comma_locale(void)
{
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "da_DK.UTF-8"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (set_comma(LC_ALL, names[i])) {
            return true;
        }
    }
    static const char source[] = "comment_char %\nescape_char /\nLC_NUMERIC\n"
                                 "decimal_point \"<U002C>\"\nthousands_sep \"<U002E>\"\n"
                                 "grouping 3;3\nEND LC_NUMERIC\n";
    char command[700];
    test_write_file(test_path("comma.src"), source, sizeof source - 1);
    snprintf(command, sizeof command, "localedef -c -i %s %s/comma >/dev/null 2>&1",
             test_path("comma.src"), test_folder());
    struct stat info;
    return system(command) != -1 && !stat(test_path("comma"), &info) &&
           !setenv("LOCPATH", test_folder(), 1) && set_comma(LC_NUMERIC, "comma");
}

/* libfann#32: a decimal comma from the locale breaks a saved file. */
START_TEST(a_locale_with_a_decimal_comma_changes_no_number)
{
    if (!use_comma_locale()) {
        fprintf(stderr, "no locale with a decimal comma can be had here\n");
        return;
    }
    char text[32];
    snprintf(text, sizeof text, "%.1f", 0.5);
    ck_assert_str_eq(text, "0,5"); /* the locale is in force */
    check_floats();
    check_formats();
    setlocale(LC_ALL, "C");
}
END_TEST

/* ---- Diagnostics ---- */

START_TEST(diagnostics_collect_every_error_with_its_place)
{
    nm_diagnostics d;
    const nm_value *root = parse("a: 1\nb: 2\n");
    nm_diagnostics_begin(&d, context);
    ck_assert_int_eq(nm_diagnostics_end(&d), NM_OK);
    nm_diagnose(&d, nm_value_get(root, "a"), "%s is wrong", "a");
    nm_diagnose(&d, nm_value_get(root, "b"), "so is b");
    nm_diagnose(&d, NULL, "nowhere");
    ck_assert_int_eq(d.count, 3);
    ck_assert_int_eq(nm_diagnostics_end(&d), NM_ERROR_INPUT);
    ck_assert_str_eq(nm_context_error(context),
                     "net.yaml:1:4: a is wrong\nnet.yaml:2:4: so is b\nnowhere");
    done();
}
END_TEST

START_TEST(too_many_diagnostics_are_counted)
{
    nm_diagnostics d;
    char *line = repeat("", "x", 100);
    parse("a");
    nm_diagnostics_begin(&d, context);
    for (int i = 0; i < 1000; i++) {
        nm_diagnose(&d, NULL, "%s%03d", line, i);
    }
    free(line);
    nm_diagnostics_end(&d);
    const char *text = nm_context_error(context);
    int lines = 0;
    for (const char *at = text; (at = strchr(at, '\n')); at++) {
        lines++;
    }
    char expected[64];
    snprintf(expected, sizeof expected, "\n... and %d more", 1000 - lines);
    ck_assert_int_gt(lines, 70);
    ck_assert_str_eq(text + strlen(text) - strlen(expected), expected);
    done();
}
END_TEST

START_TEST(a_first_message_too_long_is_cut_not_lost)
{
    nm_diagnostics d;
    char *line = repeat("", "x", 3 * 8192);
    parse("a");
    nm_fail(context, NM_ERROR_IO, "%s", line); /* cut at 8 KiB by the context */
    free(line);
    nm_diagnostics_begin(&d, context);
    nm_diagnose_standing(&d, nm_document_root(document));
    nm_diagnose(&d, NULL, "another");
    ck_assert_int_eq(nm_diagnostics_end(&d), NM_ERROR_INPUT);
    const char *text = nm_context_error(context);
    ck_assert_ptr_nonnull(strstr(text, "net.yaml:1:1: xxx"));
    ck_assert_ptr_nonnull(strstr(text, "xxx\n... and 1 more"));
    done();
}
END_TEST

START_TEST(a_standing_error_moves_into_the_list_but_memory_stays)
{
    nm_diagnostics d;
    const nm_value *root = parse("a");
    nm_diagnostics_begin(&d, context);
    nm_diagnose_standing(&d, root);
    ck_assert_int_eq(d.count, 0);
    nm_fail(context, NM_ERROR_IO, "no such file");
    nm_diagnose_standing(&d, root);
    assert_fine(context);
    ck_assert_int_eq(d.count, 1);
    ck_assert_str_eq(d.text, "net.yaml:1:1: no such file");
    nm_fail(context, NM_ERROR_MEMORY, "out of memory");
    nm_diagnose_standing(&d, root);
    ck_assert_int_eq(d.count, 1);
    ck_assert_int_eq(nm_diagnostics_end(&d), NM_ERROR_MEMORY);
    done();
}
END_TEST

/* ---- Memory ---- */

static nm_status read_and_set(test_memory *memory)
{
    nm_context *c = test_context(memory);
    if (!c) {
        return NM_ERROR_MEMORY;
    }
    char *many = repeat("a: &x {b: [1, 2], c: 'd'}\nlist: [", "*x, ", 4000);
    strcpy(many + 3000, "]\n");
    nm_document *d = nm_document_parse(c, many, SIZE_MAX, "net.yaml");
    free(many);
    if (d) {
        nm_document_set(d, "train.new.path={x: [1, 2, 3]}");
        nm_document_set(d, "list.3.b.0=5");
    }
    nm_document_destroy(d);
    nm_status status = nm_context_status(c);
    test_context_end(c, memory);
    return status;
}

START_TEST(every_failed_allocation_is_an_error_and_leaks_nothing)
{
    test_every_allocation(read_and_set);
}
END_TEST

START_TEST(places_are_read_as_they_are_written)
{
    static const struct {
        const char *line;
        nm_place place;
    } cases[] = {
        {"net.yaml:12:9: conv2d: no", {8, 12, 9, 15}},
        {"data.csv:7: no", {8, 7, 0, 12}},
        {"a:1:b.yaml:3:4: no", {10, 3, 4, 16}},
        {"--set:2:7: no", {5, 2, 7, 11}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nm_place p;
        ck_assert(nm_place_read(cases[i].line, &p));
        ck_assert_uint_eq(p.file, cases[i].place.file);
        ck_assert_int_eq(p.line, cases[i].place.line);
        ck_assert_int_eq(p.column, cases[i].place.column);
        ck_assert_str_eq(cases[i].line + p.length + strlen(cases[i].line + p.length) - 2, "no");
        ck_assert_uint_eq(p.length, cases[i].place.length);
    }
    static const char *const none[] = {
        "",        "no place",         "a: b:1:2: c", ":1:2: no file",
        "a:0: no", "a:1234567890: no", "a:1:2 no",    "a:x: no"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        nm_place p;
        ck_assert_msg(!nm_place_read(none[i], &p), "%s", none[i]);
    }
}
END_TEST

START_TEST(values_of_several_settings_have_its_number_as_their_line)
{
    parse("a: 1");
    ck_assert_int_eq(nm_document_set_nth(document, "a=[1,\n2]", 3), NM_OK);
    const nm_value *list = nm_value_get(nm_document_root(document), "a");
    ck_assert_int_eq(list->line, 3);
    ck_assert_int_eq(list->column, 3);
    ck_assert_int_eq(list->items[1]->line, 4);
    ck_assert_int_eq(nm_document_set_nth(document, "a=[1", 2), NM_ERROR_INPUT);
    assert_error(context, NM_ERROR_INPUT, "--set:2:5: in the list that begins at 2:3: ");
    ck_assert_int_eq(nm_document_set_nth(document, "a", 7), NM_ERROR_INPUT);
    assert_error(context, NM_ERROR_INPUT, "--set:7:1: a: expected PATH=VALUE");
    done();
}
END_TEST

TEST_MAIN("core/value", places_are_read_as_they_are_written,
          values_of_several_settings_have_its_number_as_their_line,
          values_have_kinds_texts_and_places,
          columns_count_characters_and_a_byte_order_mark_counts_none, an_empty_file_is_a_null,
          a_quoted_null_is_text, the_tag_str_means_what_quotes_mean, block_texts_are_text,
          get_finds_nothing_outside_maps, a_file_is_read_whole_and_a_missing_one_is_an_error,
          a_duplicate_key_is_an_error_also_in_quotes, the_same_key_in_different_maps_is_fine,
          a_second_document_is_an_error, a_merge_key_is_an_error_unless_quoted, a_key_must_be_text,
          a_tab_that_indents_is_an_error, bytes_that_are_not_utf_8_text_are_an_error_with_a_place,
          a_syntax_error_says_what_was_read_what_was_expected_and_what_to_do,
          a_text_without_a_file_name_says_line_and_column, a_long_key_is_cut_in_messages,
          sixty_four_levels_are_read_and_sixty_five_are_not,
          a_file_may_have_one_mebibyte_and_no_more, hostile_files_fail_in_a_moment,
          a_map_of_many_keys_is_checked_in_a_moment,
          billions_of_laughs_are_counted_before_they_expand,
          exactly_as_many_values_as_allowed_are_read, aliases_cannot_nest_deeper_than_the_limit,
          an_alias_gives_the_value_it_names, an_alias_must_name_a_finished_value,
          a_file_may_have_256_anchors, tag_directives_are_refused, set_replaces_adds_and_descends,
          set_takes_any_yaml_value, values_set_have_their_place_in_the_assignment,
          set_leaves_old_values_and_what_aliases_share_alone,
          set_says_what_is_there_when_it_cannot_descend, an_ill_formed_assignment_is_an_error,
          set_keeps_the_limits, integers_are_read_whole_or_not_at_all,
          floats_are_read_whole_or_not_at_all, floats_are_written_shortest,
          every_float_reads_back_as_itself, a_locale_with_a_decimal_comma_changes_no_number,
          diagnostics_collect_every_error_with_its_place, too_many_diagnostics_are_counted,
          a_first_message_too_long_is_cut_not_lost,
          a_standing_error_moves_into_the_list_but_memory_stays,
          every_failed_allocation_is_an_error_and_leaks_nothing)
