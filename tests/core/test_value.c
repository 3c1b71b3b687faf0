/* YAML read into values: places, what is refused, every allocation failed. */
#include "tests/core/value_test.h"

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
    refuse("\x93NUMPY\1", "net.yaml:1:1: it is a NumPy array; read it with npy: {x: ..., y: ...}");
    refuse("a: -\n",
           "net.yaml:1:4: a \"- item\" cannot stand here; begin the list on a line of its own, "
           "below its key; a \"-\" that is text stands in quotes");
    refuse("{\"a\": \xFF}", "net.yaml:1:7: expected UTF-8 text"); /* JSON is YAML */
    refuse("\xFF\xFE\x61", "save the file as UTF-8");             /* UTF-16 */
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
          every_failed_allocation_is_an_error_and_leaks_nothing)
