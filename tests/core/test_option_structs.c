/* Options filled in by C programs, and options as texts. */
#include "tests/core/option_test.h"

/* ---- Structs filled by C ---- */

static void refuse_struct(const layer_options *options, const char *message)
{
    nm_context *c = test_context(NULL);
    ck_assert_int_eq(nm_spec_check(c, &layer_spec, "layer", options), NM_ERROR_INPUT);
    ck_assert_str_eq(nm_context_error(c), message);
    test_context_end(c, NULL);
}

START_TEST(a_struct_from_c_is_checked_like_a_file)
{
    nm_context *c = test_context(NULL);
    layer_options o = layer_defaults;
    o.units = 4;
    ck_assert_int_eq(nm_spec_check(c, &layer_spec, "layer", &o), NM_OK);
    o.norm = norm_defaults;
    ck_assert_int_eq(nm_spec_check(c, &layer_spec, "layer", &o), NM_OK);
    test_context_end(c, NULL);
    refuse_struct(&layer_defaults, "layer: \"units\" must be at least 1, not 0");
    o.p = 1.5;
    o.padding = 2;
    o.norm.eps = -1;
    o.stride = NM_INTS(1, 0);
    o.betas.count = 9;
    o.threads = 0;
    refuse_struct(&o, "layer: \"p\" must be at least 0 and below 1, not 1.5\n"
                      "layer: \"padding\" must be the index of one of valid, same, not 2\n"
                      "layer: \"stride\"[1] must be at least 1 and at most 100, not 0\n"
                      "layer: \"betas\" takes 0 to 8 numbers, not 9\n"
                      "layer: norm: \"eps\" must be above 0 and at most 1, not -1\n"
                      "layer: \"threads\" must be at least 1 and at most 64, not 0");
}
END_TEST

START_TEST(a_hostile_index_or_count_from_c_is_caught)
{
    layer_options o = layer_defaults;
    o.units = 1;
    o.padding = -1;
    refuse_struct(&o, "layer: \"padding\" must be the index of one of valid, same, not -1");
    o.padding = 1 << 30;
    refuse_struct(&o, "layer: \"padding\" must be the index of one of valid, same, not 1073741824");
    o.padding = 0;
    o.stride.count = -1;
    refuse_struct(&o, "layer: \"stride\" takes 0 to 8 numbers, not -1");
    o.stride.count = 0;
    o.several.count = 9;
    refuse_struct(&o, "layer: \"several\" takes 0 to 8 choices, not 9");
    o.several.count = 1;
    refuse_struct(&o, "layer: \"several\"[0] has no item");
    o.several.count = -1;
    refuse_struct(&o, "layer: \"several\" takes 0 to 8 choices, not -1");
    o.several.count = 0;
    o.schedule = (nm_choice){.item = &cosine, .own.size = 4};
    char other[128];
    snprintf(other, sizeof other,
             "cosine: its options are those of something else (4 bytes, not %zu)",
             sizeof(cosine_options));
    refuse_struct(&o, other);
    o.schedule = (nm_choice){0};
    o.weight.word = 3;
    refuse_struct(&o, "layer: \"weight\" has word 3 of 2, and 0 numbers at NULL");
    o.weight = (nm_numbers){.count = 2};
    refuse_struct(&o, "layer: \"weight\" has word 0 of 2, and 2 numbers at NULL");
    o.weight = (nm_numbers){.word = -1};
    refuse_struct(&o, "layer: \"weight\" has word -1 of 2, and 0 numbers at NULL");
    o.weight = (nm_numbers){.count = -1};
    refuse_struct(&o, "layer: \"weight\" has word 0 of 2, and -1 numbers at NULL");
    o.weight = NM_NUMBERS(1, -1);
    refuse_struct(&o, "layer: \"weight\"[1] must be at least 0, not -1");
}
END_TEST

START_TEST(limits_on_no_side_still_exclude_what_is_no_number)
{
    static const nm_option rows[] = {
        {"x", 0, NM_OPTION_FLOAT, .min = -NM_NO_LIMIT, .max = NM_NO_LIMIT}};
    static const double zero = 0;
    const nm_spec spec = {"one", sizeof(double), &zero, rows, 1, NULL, NULL};
    nm_context *c = test_context(NULL);
    double x = -(double)INFINITY;
    ck_assert_int_eq(nm_spec_check(c, &spec, "op", &x), NM_OK);
    x = (double)NAN;
    nm_spec_check(c, &spec, "op", &x);
    assert_error(c, NM_ERROR_INPUT, "op: \"x\" must be a number, not .nan");
    test_context_end(c, NULL);
}
END_TEST

START_TEST(the_check_across_fields_runs_for_c_too)
{
    layer_options o = layer_defaults;
    o.units = 13;
    refuse_struct(&o, "layer: 13 units and a bias do not go together");
}
END_TEST

START_TEST(the_options_of_a_choice_from_c_are_checked)
{
    layer_options o = layer_defaults;
    cosine_options bad = {.end = 2};
    o.units = 1;
    o.schedule = (nm_choice){&cosine, &bad, NULL, {0, {0}}};
    refuse_struct(&o, "cosine: \"end\" must be at least 0 and at most 1, not 2");
}
END_TEST

START_TEST(a_nested_struct_is_checked_once_any_field_of_it_is_set)
{
    nm_context *c = test_context(NULL);
    block_options changed[11];
    for (int i = 0; i < 11; i++) {
        changed[i].layer = layer_defaults;
    }
    ck_assert_int_eq(nm_spec_check(c, &block_spec, "block", &changed[0]), NM_OK);
    changed[0].layer.units = -1;
    changed[1].layer.p = 0.25;
    changed[2].layer.bias = false;
    changed[3].layer.name = "x";
    changed[4].layer.padding = 1;
    changed[5].layer.stride.at[1] = 2;
    changed[6].layer.betas.at[0] = 0.5;
    changed[7].layer.norm = norm_defaults;
    changed[8].layer.schedule.item = &constant;
    changed[9].layer.any = (const nm_value *)&changed;
    changed[10].layer.threads = 2;
    for (int i = 0; i < 11; i++) {
        nm_spec_check(c, &block_spec, "block", &changed[i]);
        assert_error(c, NM_ERROR_INPUT, "block: layer: \"units\" must be at least 1, not ");
    }
    test_context_end(c, NULL);
}
END_TEST

START_TEST(a_required_pointer_that_c_left_out_is_missing)
{
    static const nm_option rows[] = {{"name", 0, NM_OPTION_STRING, .flags = NM_REQUIRED}};
    static const char *const none = NULL;
    const nm_spec spec = {"named", sizeof(char *), &none, rows, 1, NULL, NULL};
    nm_context *c = test_context(NULL);
    const char *name = NULL;
    ck_assert_int_eq(nm_spec_check(c, &spec, "layer", &name), NM_ERROR_INPUT);
    assert_error(c, NM_ERROR_INPUT, "layer: \"name\" is missing; set it");
    name = "a";
    ck_assert_int_eq(nm_spec_check(c, &spec, "layer", &name), NM_OK);
    test_context_end(c, NULL);
}
END_TEST

/* ---- Texts ---- */

static void assert_texts(const char *name, const char *type, const char *standard,
                         const char *range)
{
    nm_context *c = test_context(NULL);
    const nm_option *option = layer_rows;
    while (strcmp(option->name, name)) {
        option++;
    }
    char *texts[] = {nm_option_type_text(c, option), nm_option_default_text(c, &layer_spec, option),
                     nm_option_range_text(c, option)};
    ck_assert_str_eq(texts[0], type);
    ck_assert_str_eq(texts[1], standard);
    ck_assert_str_eq(texts[2], range);
    for (int i = 0; i < 3; i++) {
        nm_free(c, texts[i]);
    }
    test_context_end(c, NULL);
}

START_TEST(an_option_tells_its_type_default_and_range)
{
    assert_texts("units", "int", "required", "at least 1");
    assert_texts("p", "float", "0.5", "at least 0 and below 1");
    assert_texts("bias", "bool", "true", "");
    assert_texts("name", "text", "none", "");
    assert_texts("padding", "one of valid, same", "valid", "");
    assert_texts("stride", "[int]", "[1, 1]", "at least 1 and at most 100");
    assert_texts("betas", "[float]", "[0.9, 0.999]", "");
    assert_texts("norm", "{norm_options}", "none", "");
    assert_texts("schedule", "schedule", "none", "");
    assert_texts("any", "any", "none", "");
    assert_texts("weight", "[float] or balanced or rare", "none", "at least 0");
    assert_texts("several", "schedule, or [schedule]", "none", "");
    assert_texts("threads", "int", "-1", "at least 1 and at most 64");
}
END_TEST

START_TEST(defaults_of_several_things_are_told_as_yaml)
{
    static const layer_options standard = {
        .weight = {.word = 1}, .several = {2, {{.item = &cosine}, {.item = &constant}}}};
    static const double weights[] = {1, 0.5};
    layer_options listed = {.weight = {.count = 2, .at = weights}};
    nm_spec spec = layer_spec;
    nm_context *c = test_context(NULL);
    const nm_option *weight = &layer_rows[NM_COUNT_OF(layer_rows) - 2];
    spec.defaults = &standard;
    char *texts[3] = {nm_option_default_text(c, &spec, weight),
                      nm_option_default_text(c, &spec, weight + 1)};
    spec.defaults = &listed;
    texts[2] = nm_option_default_text(c, &spec, weight);
    ck_assert_str_eq(texts[0], "balanced");
    ck_assert_str_eq(texts[1], "[cosine, constant]");
    ck_assert_str_eq(texts[2], "[1, 0.5]");
    for (int i = 0; i < 3; i++) {
        nm_free(c, texts[i]);
    }
    test_context_end(c, NULL);
}
END_TEST

START_TEST(a_nested_default_that_is_on_is_told_as_yaml)
{
    static const layer_options on = {.norm = {true, 0, 0.5}};
    nm_spec spec = layer_spec;
    spec.defaults = &on;
    nm_context *c = test_context(NULL);
    char *text = nm_option_default_text(c, &spec, &layer_rows[7]);
    ck_assert_str_eq(text, "{axis: 0, eps: 0.5}");
    nm_free(c, text);
    test_context_end(c, NULL);
}
END_TEST

/* ---- Whether two values are the same ---- */

typedef struct parts {
    nm_ints ints;
    nm_floats floats;
    nm_strings strings;
    nm_numbers numbers;
    nm_choice choice;
    nm_choices choices;
} parts;

static const nm_option parts_rows[] = {
    {NM_FIELD(parts, ints), NM_OPTION_INTS},       {NM_FIELD(parts, floats), NM_OPTION_FLOATS},
    {NM_FIELD(parts, strings), NM_OPTION_STRINGS}, {NM_FIELD(parts, numbers), NM_OPTION_NUMBERS},
    {NM_FIELD(parts, choice), NM_OPTION_CHOICE},   {NM_FIELD(parts, choices), NM_OPTION_CHOICES},
};

/* `changed` has another value of this row, and the same of all others. */
static void differs(int row, const parts *whole, parts changed)
{
    for (int i = 0; i < NM_COUNT_OF(parts_rows); i++) {
        ck_assert_msg(nm_option_same(&parts_rows[i], whole, &changed) == (i != row), "%s",
                      parts_rows[i].name);
    }
}

#define DIFFERS(row, what, value)                                                                  \
    do {                                                                                           \
        parts changed = whole;                                                                     \
        changed.what = value;                                                                      \
        differs(row, &whole, changed);                                                             \
    } while (0)

START_TEST(values_are_the_same_where_each_part_of_them_is)
{
    static const double numbers[2] = {1, 2}, others[2] = {1, 2};
    static const char *const texts[] = {"a"}, *const more[] = {"a"};
    static const nm_item item, another;
    const parts whole = {.ints = NM_INTS(1, 2),
                         .floats = NM_FLOATS(1, 2),
                         .strings = {1, texts},
                         .numbers = {2, numbers, 0},
                         .choice = {.item = &item, .own = {.size = 8}},
                         .choices = {1, {{.item = &item}}}};
    differs(-1, &whole, whole);
    DIFFERS(0, ints.list, NULL);
    DIFFERS(0, ints.count, 1);
    DIFFERS(0, ints.at[1], 3);
    DIFFERS(1, floats.list, NULL);
    DIFFERS(1, floats.count, 1);
    DIFFERS(1, floats.at[1], 3);
    DIFFERS(2, strings.count, 0);
    DIFFERS(2, strings.at, more);
    DIFFERS(3, numbers.word, 1);
    DIFFERS(3, numbers.count, 1);
    DIFFERS(3, numbers.at, others);
    DIFFERS(4, choice.item, &another);
    DIFFERS(4, choice.options, numbers);
    DIFFERS(4, choice.own.size, 0);
    DIFFERS(4, choice.own.room[0], 1);
    DIFFERS(5, choices.count, 0);
    DIFFERS(5, choices.at[0].item, &another);
}
END_TEST

/* A count from C that is none is the same as no other, whatever stands behind it. */
START_TEST(lists_of_no_length_are_not_the_same)
{
    static const int counts[] = {-1, 1000};
    for (int i = 0; i < NM_COUNT_OF(counts); i++) {
        parts p = {.ints = NM_INTS(1), .floats = NM_FLOATS(1)};
        p.ints.count = p.floats.count = p.choices.count = counts[i];
        ck_assert(!nm_option_same(&parts_rows[0], &p, &p));
        ck_assert(!nm_option_same(&parts_rows[1], &p, &p));
        ck_assert(!nm_option_same(&parts_rows[5], &p, &p));
    }
    parts none = {.numbers = {0, NULL, 0}}, empty = none;
    empty.numbers.at = (const double[]){1};
    empty.strings.at = (const char *const[]){"a"};
    ck_assert(nm_option_same(&parts_rows[2], &none, &empty));
    ck_assert(nm_option_same(&parts_rows[3], &none, &empty));
}
END_TEST

TEST_MAIN("core/option_structs", a_struct_from_c_is_checked_like_a_file,
          a_hostile_index_or_count_from_c_is_caught,
          limits_on_no_side_still_exclude_what_is_no_number, the_check_across_fields_runs_for_c_too,
          a_nested_struct_is_checked_once_any_field_of_it_is_set,
          a_required_pointer_that_c_left_out_is_missing, the_options_of_a_choice_from_c_are_checked,
          an_option_tells_its_type_default_and_range, a_nested_default_that_is_on_is_told_as_yaml,
          defaults_of_several_things_are_told_as_yaml,
          values_are_the_same_where_each_part_of_them_is, lists_of_no_length_are_not_the_same)
