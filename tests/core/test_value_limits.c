/* Documents that are too large or too deep, and how mistakes are told. */
#include "tests/core/value_test.h"

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

TEST_MAIN("core/value_limits", sixty_four_levels_are_read_and_sixty_five_are_not,
          a_file_may_have_one_mebibyte_and_no_more, hostile_files_fail_in_a_moment,
          a_map_of_many_keys_is_checked_in_a_moment,
          billions_of_laughs_are_counted_before_they_expand,
          exactly_as_many_values_as_allowed_are_read, aliases_cannot_nest_deeper_than_the_limit,
          an_alias_gives_the_value_it_names, an_alias_must_name_a_finished_value,
          a_file_may_have_256_anchors, tag_directives_are_refused,
          diagnostics_collect_every_error_with_its_place, too_many_diagnostics_are_counted,
          a_first_message_too_long_is_cut_not_lost,
          a_standing_error_moves_into_the_list_but_memory_stays)
