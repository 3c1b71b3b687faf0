/* Choices among registered items, lists of texts, numbers that have names. */
#include "tests/core/option_test.h"

/* ---- Choices ---- */

START_TEST(a_choice_is_a_name_or_a_name_with_options)
{
    accept("{units: 1, schedule: constant}");
    ck_assert_ptr_eq(layer.schedule.item, &constant);
    ck_assert_ptr_null(layer.schedule.options);
    ck_assert_int_eq(layer.schedule.at->column, 22);
    done();
    accept("{units: 1, schedule: {constant: }}");
    ck_assert_ptr_eq(layer.schedule.item, &constant);
    done();
    accept("units: 1\nschedule:\n  cosine:\n    end: 0.5\n    then: {cosine: {end: 0.25}}\n");
    const cosine_options *outer = layer.schedule.options;
    const cosine_options *inner = outer->then.options;
    ck_assert(outer->end == 0.5 && inner->end == 0.25);
    ck_assert_ptr_null(inner->then.item);
    done();
}
END_TEST

START_TEST(several_choices_are_a_list_or_one_alone)
{
    accept("{units: 1, several: constant}");
    ck_assert_int_eq(layer.several.count, 1);
    ck_assert_ptr_eq(layer.several.at[0].item, &constant);
    done();
    accept("{units: 1, several: [{cosine: {end: 0.5}}, constant]}");
    ck_assert_int_eq(layer.several.count, 2);
    ck_assert(((const cosine_options *)layer.several.at[0].options)->end == 0.5);
    ck_assert_ptr_eq(layer.several.at[1].item, &constant);
    done();
    accept("{units: 1, several: ~}");
    ck_assert_int_eq(layer.several.count, 0);
    done();
    refuse("{units: 1, several: [constant, zigzag]}",
           "net.yaml:1:32: layer: unknown schedule \"zigzag\"; there are cosine, constant");
    ck_assert_int_eq(layer.several.count, 0);
    refuse("{units: 1, several: [a, b, c, d, e, f, g, h, i]}",
           "net.yaml:1:21: layer: at most 8 schedules, not 9");
}
END_TEST

START_TEST(numbers_have_no_limit_to_their_count_and_may_be_a_word)
{
    accept("{units: 1, weight: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10.5]}");
    ck_assert_int_eq(layer.weight.count, 10);
    ck_assert(layer.weight.at[0] == 1 && layer.weight.at[9] == 10.5 && layer.weight.word == 0);
    done();
    accept("{units: 1, weight: 3}");
    ck_assert(layer.weight.count == 1 && layer.weight.at[0] == 3);
    done();
    accept("{units: 1, weight: rare}");
    ck_assert(layer.weight.count == 0 && layer.weight.word == 2);
    done();
    accept("{units: 1, weight: ~}");
    ck_assert(layer.weight.count == 0 && layer.weight.word == 0);
    done();
    refuse("{units: 1, weight: blanced}",
           "net.yaml:1:20: layer: \"weight\" must be a list of numbers "
           "or balanced or rare, not \"blanced\"");
    refuse("{units: 1, weight: {a: 1}}",
           "net.yaml:1:20: layer: \"weight\" must be a list of numbers "
           "or balanced or rare, not a map of 1 entry");
    refuse("{units: 1, weight: [1, -2, x]}",
           "net.yaml:1:24: layer: \"weight\"[1] must be at least 0, not -2\n"
           "net.yaml:1:28: layer: \"weight\" must be a number, not \"x\"");
}
END_TEST

START_TEST(a_choice_must_be_one_known_name_with_options_it_takes)
{
    refuse("{units: 1, schedule: zigzag}",
           "net.yaml:1:22: layer: unknown schedule \"zigzag\"; there are cosine, constant");
    refuse("{units: 1, schedule: {constant: {a: 1}}}",
           "net.yaml:1:33: constant: it takes no options; remove them");
    refuse("{units: 1, schedule: {constant: 3}}",
           "net.yaml:1:33: constant: it takes no options; remove them");
    refuse("units: 1\nschedule:\n  cosine:\n  end: 0.5\n",
           "net.yaml:4:3: layer: expected one schedule, but \"end\" follows \"cosine\"; indent its "
           "options below it, or write {cosine: {end: ...}}");
    refuse("{units: 1, schedule: [cosine]}",
           "net.yaml:1:22: layer: expected one schedule, as NAME or "
           "{NAME: {OPTIONS}}, not a list of 1 item");
    refuse("{units: 1, schedule: {}}", "net.yaml:1:22: layer: expected one schedule, as NAME or "
                                       "{NAME: {OPTIONS}}, not a map of 0 entries");
    refuse("{units: 1, schedule: {cosine: 3}}",
           "net.yaml:1:31: cosine: expected a map of options, such as {end: ...}, not 3");
    refuse("{units: 1, schedule: {cosine: {end: 7}}}",
           "net.yaml:1:37: cosine: \"end\" must be at least 0 and at most 1, not 7");
}
END_TEST

START_TEST(a_choice_is_read_alone_too)
{
    nm_diagnostics d;
    nm_choice choice = {0};
    context = context_with_schedules(NULL);
    document = nm_document_parse(context, "[constant, ~]", SIZE_MAX, "net.yaml");
    const nm_value *root = nm_document_root(document);
    nm_diagnostics_begin(&d, context);
    nm_choice_read(NM_KIND_SCHEDULE, root->items[0], "train", document, &d, &choice);
    ck_assert_ptr_eq(choice.item, &constant);
    ck_assert_ptr_null(nm_choice_options(NULL));
    nm_choice_read(NM_KIND_SCHEDULE, root->items[1], "train", document, &d, &choice);
    ck_assert_ptr_eq(choice.item, &constant); /* untouched */
    ck_assert_int_eq(d.count, 1);
    nm_choice_read(NM_KIND_LOSS, root->items[0], "train", document, &d, &choice);
    nm_diagnostics_end(&d);
    ck_assert_str_eq(
        nm_context_error(context),
        "net.yaml:1:12: train: expected one schedule, as NAME or {NAME: {OPTIONS}}, not "
        "null\nnet.yaml:1:2: train: unknown loss \"constant\"; there are none");
    done();
}
END_TEST

/* ---- Options as one text ---- */

START_TEST(a_text_of_options_is_read)
{
    nm_context *c = test_context(NULL);
    small_options o;
    ck_assert_int_eq(nm_spec_read_text(c, &small_spec, "{axis: 2}", "softmax", &o), NM_OK);
    ck_assert_uint_eq(o.struct_size, sizeof o);
    ck_assert_int_eq(o.axis, 2);
    ck_assert(o.eps == 1e-5);
    static const char *const defaults[] = {NULL, "", "{}"};
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(nm_spec_read_text(c, &small_spec, defaults[i], "softmax", &o), NM_OK);
        ck_assert_int_eq(o.axis, -1);
    }
    test_context_end(c, NULL);
}
END_TEST

START_TEST(a_wrong_text_of_options_names_the_thing)
{
    nm_context *c = test_context(NULL);
    small_options o;
    nm_spec_read_text(c, &small_spec, "{axes: 2}", "softmax", &o);
    assert_error(c, NM_ERROR_INPUT,
                 "options:1:2: softmax: unknown option \"axes\"; did you mean \"axis\"?");
    nm_spec_read_text(c, &small_spec, "{axis: 2", "softmax", &o);
    assert_error(c, NM_ERROR_INPUT,
                 "softmax: options:1:9: in the map that begins at 1:1: expected");
    nm_spec_read_text(c, &layer_spec, "{units: 2}", "layer", &layer);
    assert_error(c, NM_ERROR_INTERNAL, "layer: options that are text cannot be read from");
    block_options block;
    nm_spec_read_text(c, &block_spec, "{layer: {units: 2}}", "block", &block);
    assert_error(c, NM_ERROR_INTERNAL, "block: options that are text cannot be read from");
    test_context_end(c, NULL);
}
END_TEST

/* ---- Numbers that have names ---- */

typedef struct named_options {
    double decay;
    int64_t batch;
    int frozen;
} named_options;

static const nm_named_value decay_words[] = {{"default", -1}, {"unchanged", -2}, {NULL, 0}};
static const nm_named_value batch_words[] = {{"auto", 0}, {NULL, 0}};
static const char *const frozen_words[] = {"false", "true", "unchanged", NULL};
static const nm_option named_rows[] = {
    {NM_FIELD(named_options, decay), NM_OPTION_FLOAT, .max = NM_NO_LIMIT, .named = decay_words},
    {NM_FIELD(named_options, batch), NM_OPTION_INT, .min = 1, .max = 9, .named = batch_words},
    {NM_FIELD(named_options, frozen), NM_OPTION_ENUM, .names = frozen_words},
};
static const named_options named_defaults = {.decay = -2, .batch = 4, .frozen = 2};
static const nm_spec named_spec = {
    "named_options", sizeof(named_options), &named_defaults, named_rows, 3, NULL, NULL};

static void read_named(const char *text, named_options *o, const char *error)
{
    nm_context *c = test_context(NULL);
    nm_status status = nm_spec_read_text(c, &named_spec, text, "group", o);
    ck_assert_int_eq(status, error ? NM_ERROR_INPUT : NM_OK);
    if (error) {
        assert_error(c, NM_ERROR_INPUT, error);
    }
    test_context_end(c, NULL);
}

START_TEST(a_word_may_stand_for_a_number)
{
    named_options o;
    read_named("{decay: default, batch: auto}", &o, NULL);
    ck_assert(o.decay == -1 && o.batch == 0 && o.frozen == 2);
    read_named("{decay: unchanged, batch: 3}", &o, NULL);
    ck_assert(o.decay == -2 && o.batch == 3);
    read_named("{decay: defalt}", &o,
               "group: \"decay\" must be a number or default, unchanged, not \"defalt\"");
    read_named("{batch: 10}", &o,
               "group: \"batch\" must be at least 1 and at most 9 or auto, not 10");
    nm_context *c = test_context(NULL);
    ck_assert_int_eq(nm_spec_check(c, &named_spec, "group", &(named_options){-1, 0, 0}), NM_OK);
    ck_assert_int_ne(nm_spec_check(c, &named_spec, "group", &(named_options){-3, 0, 0}), NM_OK);
    nm_context_clear_error(c);
    char *type = nm_option_type_text(c, named_rows);
    char *standard = nm_option_default_text(c, &named_spec, named_rows);
    ck_assert_str_eq(type, "float or default, unchanged");
    ck_assert_str_eq(standard, "unchanged");
    nm_free(c, type);
    nm_free(c, standard);
    test_context_end(c, NULL);
}
END_TEST

START_TEST(a_choice_of_true_false_and_more_takes_all_words_for_true_and_false)
{
    static const struct {
        const char *text;
        int index;
    } cases[] = {{"{frozen: true}", 1}, {"{frozen: yes}", 1},       {"{frozen: On}", 1},
                 {"{frozen: no}", 0},   {"{frozen: unchanged}", 2}, {"{frozen: FALSE}", 0}};
    for (int i = 0; i < NM_COUNT_OF(cases); i++) {
        named_options o;
        read_named(cases[i].text, &o, NULL);
        ck_assert_int_eq(o.frozen, cases[i].index);
    }
    named_options o;
    read_named("{frozen: 1}", &o, "\"frozen\" must be one of false, true, unchanged, not 1");
}
END_TEST

/* ---- Lists of texts ---- */

typedef struct texts_options {
    nm_strings columns;
} texts_options;

static const texts_options texts_defaults = {.columns = {0}};
static const nm_option texts_rows[] = {
    {NM_FIELD(texts_options, columns), NM_OPTION_STRINGS, .doc = "names"},
};
static const nm_spec texts_spec = {
    "texts_options", sizeof(texts_options), &texts_defaults, texts_rows, 1, NULL, NULL};

/* Reads into `o`, whose texts are gone once `document` is. */
static nm_status read_texts(const char *text, texts_options *o)
{
    nm_diagnostics d;
    context = test_context(NULL);
    document = nm_document_parse(context, text, SIZE_MAX, "net.yaml");
    assert_fine(context);
    nm_diagnostics_begin(&d, context);
    nm_spec_read(&texts_spec, nm_document_root(document), "table", document, &d, o);
    return nm_diagnostics_end(&d);
}

START_TEST(a_list_of_texts_is_of_any_length_and_one_text_is_a_list)
{
    texts_options o;
    ck_assert_int_eq(read_texts("columns: [a, 'b c', 3, -1, x, x, x, x, x, last]", &o), NM_OK);
    ck_assert_int_eq(o.columns.count, 10);
    ck_assert_str_eq(o.columns.at[1], "b c");
    ck_assert_str_eq(o.columns.at[2], "3");
    ck_assert_str_eq(o.columns.at[9], "last");
    done();
    ck_assert_int_eq(read_texts("columns: age", &o), NM_OK);
    ck_assert_int_eq(o.columns.count, 1);
    ck_assert_str_eq(o.columns.at[0], "age");
    done();
    ck_assert_int_eq(read_texts("columns:", &o), NM_OK);
    ck_assert_int_eq(o.columns.count, 0);
    done();
}
END_TEST

START_TEST(what_is_no_list_of_texts_is_refused)
{
    static const char *const wrong[][2] = {
        {"columns: {a: b}",
         "net.yaml:1:10: table: \"columns\" must be a text, or a list of them, not "
         "a map of 1 entry"},
        {"columns: [a, [b]]",
         "net.yaml:1:14: table: \"columns\" must be a list of texts, not a list "
         "of 1 item"},
        {"columns: [a, ~]", "net.yaml:1:14: table: \"columns\" must be a list of texts, not null"},
    };
    texts_options o;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ck_assert_int_eq(read_texts(wrong[i][0], &o), NM_ERROR_INPUT);
        ck_assert_str_eq(nm_context_error(context), wrong[i][1]);
        ck_assert_int_eq(o.columns.count, 0);
        done();
    }
}
END_TEST

START_TEST(a_list_of_texts_from_c_is_checked_and_told_as_text)
{
    nm_context *c = test_context(NULL);
    texts_options o = {.columns = NM_STRINGS("a", "b")};
    ck_assert_int_eq(nm_spec_check(c, &texts_spec, "table", &o), NM_OK);
    const nm_spec spec = {"texts_options", sizeof o, &o, texts_rows, 1, NULL, NULL};
    char *type = nm_option_type_text(c, texts_rows);
    char *standard = nm_option_default_text(c, &spec, texts_rows);
    char *none = nm_option_default_text(c, &texts_spec, texts_rows);
    ck_assert_str_eq(type, "[text]");
    ck_assert_str_eq(standard, "[a, b]");
    ck_assert_str_eq(none, "none");
    nm_free(c, type);
    nm_free(c, standard);
    nm_free(c, none);
    o.columns = NM_STRINGS("a", NULL);
    ck_assert_int_eq(nm_spec_check(c, &texts_spec, "table", &o), NM_ERROR_INPUT);
    ck_assert_str_eq(nm_context_error(c), "table: \"columns\"[1] is NULL; it must be a text");
    test_context_end(c, NULL);
}
END_TEST

TEST_MAIN("core/option_choices", a_choice_is_a_name_or_a_name_with_options,
          several_choices_are_a_list_or_one_alone,
          numbers_have_no_limit_to_their_count_and_may_be_a_word,
          a_choice_must_be_one_known_name_with_options_it_takes, a_choice_is_read_alone_too,
          a_text_of_options_is_read, a_wrong_text_of_options_names_the_thing,
          a_word_may_stand_for_a_number,
          a_choice_of_true_false_and_more_takes_all_words_for_true_and_false,
          a_list_of_texts_is_of_any_length_and_one_text_is_a_list,
          what_is_no_list_of_texts_is_refused, a_list_of_texts_from_c_is_checked_and_told_as_text)
