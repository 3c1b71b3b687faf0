/* Options read from YAML: every type, defaults, what is refused. */
#include "tests/core/option_test.h"

/* ---- Reading ---- */

START_TEST(what_is_left_out_keeps_its_default)
{
    accept("units: 8");
    ck_assert_uint_eq(layer.struct_size, sizeof layer);
    ck_assert_int_eq(layer.units, 8);
    ck_assert(layer.p == 0.5);
    ck_assert(layer.bias);
    ck_assert_ptr_null(layer.name);
    ck_assert_int_eq(layer.padding, 0);
    ck_assert_int_eq(layer.stride.count, 2);
    ck_assert(!layer.norm.on);
    ck_assert_ptr_null(layer.schedule.item);
    ck_assert_ptr_null(layer.any);
    done();
}
END_TEST

START_TEST(every_type_is_read)
{
    accept("{units: 8, p: 0.25, bias: off, name: '3', padding: same, stride: [2, 3], betas: .5,\n"
           " norm: {axis: 0}, schedule: {cosine: {end: 0.1}}, any: [1, {a: b}], threads: 4}");
    ck_assert(layer.p == 0.25);
    ck_assert(!layer.bias);
    ck_assert_str_eq(layer.name, "3");
    ck_assert_int_eq(layer.padding, 1);
    ck_assert_int_eq(layer.stride.at[1], 3);
    ck_assert_int_eq(layer.betas.count, 1);
    ck_assert(layer.betas.at[0] == 0.5);
    ck_assert_int_eq(layer.norm.axis, 0);
    ck_assert(layer.norm.eps == 1e-12);
    ck_assert_ptr_eq(layer.schedule.item, &cosine);
    ck_assert(((const cosine_options *)layer.schedule.options)->end == 0.1);
    ck_assert_int_eq(layer.any->kind, NM_VALUE_LIST);
    ck_assert_int_eq(layer.threads, 4);
    done();
}
END_TEST

START_TEST(an_integer_may_be_written_with_point_or_exponent_if_it_is_whole)
{
    static const struct {
        const char *text;
        int64_t value;
    } whole[] = {{"units: 3.0", 3},
                 {"units: 1e3", 1000},
                 {"units: 0x10", 16},
                 {"units: 9007199254740991.0", 9007199254740991},
                 {"units: 9223372036854775807", INT64_MAX}};
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
        accept(whole[i].text);
        ck_assert_int_eq(layer.units, whole[i].value);
        done();
    }
    refuse("units: 3.5", "net.yaml:1:8: layer: \"units\" must be an integer, not 3.5");
    /* 2^53 + 1, which a double would silently turn into 2^53 */
    refuse(
        "units: 9007199254740993.0",
        "net.yaml:1:8: layer: \"units\" must be an integer of 64 bits (without point or exponent "
        "from 2^53 on), not 9007199254740993.0");
    refuse("units: 1e17",
           "net.yaml:1:8: layer: \"units\" must be an integer of 64 bits (without point "
           "or exponent from 2^53 on), not 1e17");
    refuse(
        "units: 9223372036854775808",
        "net.yaml:1:8: layer: \"units\" must be an integer of 64 bits (without point or exponent "
        "from 2^53 on), not 9223372036854775808");
}
END_TEST

START_TEST(a_wrong_type_names_the_one_expected)
{
    refuse("units: many", "net.yaml:1:8: layer: \"units\" must be an integer, not \"many\"");
    refuse("units: '3'",
           "net.yaml:1:8: layer: \"units\" must be an integer, not the quoted text \"3\""
           "; remove the quotes");
    refuse("units: [3]", "net.yaml:1:8: layer: \"units\" must be an integer, not a list of 1 item");
    refuse("units:", "net.yaml:1:7: layer: \"units\" must be an integer, not nothing");
    refuse("units: .nan", "net.yaml:1:8: layer: \"units\" must be an integer, not .nan");
    refuse("{units: 1, p: {a: 1}}",
           "net.yaml:1:15: layer: \"p\" must be a number, not a map of 1 entry");
    refuse("{units: 1, p: 0,5}", "net.yaml:1:17: layer: a comma ends what stands before \"5\"; "
                                 "write a number with a point, several as [1, 2]");
    refuse("{units: 1, bias: 1}", "net.yaml:1:18: layer: \"bias\" must be true or false, not 1");
    refuse("{units: 1, name: [a]}",
           "net.yaml:1:18: layer: \"name\" must be text, not a list of 1 item");
    refuse("{units: 1, norm: 3}", "net.yaml:1:18: layer: \"norm\" must be true, false or a map of "
                                  "options, such as {axis: 3}, not 3");
    refuse("{units: 1, stride: {a: 1}}",
           "net.yaml:1:20: layer: \"stride\" must be a list of integers, not a map of 1 entry");
    refuse("{units: 1, betas: ~}",
           "net.yaml:1:19: layer: \"betas\" must be a list of numbers, not null");
}
END_TEST

START_TEST(a_bool_is_one_of_six_words_without_quotes)
{
    static const char *const yes[] = {"true", "True", "TRUE", "yes", "on", "ON"};
    static const char *const no[] = {"false", "False", "no", "No", "off"};
    char text[64];
    for (int i = 0; i < 6; i++) {
        snprintf(text, sizeof text, "{units: 1, bias: %s}", yes[i]);
        accept(text);
        ck_assert_msg(layer.bias, "%s", yes[i]);
        done();
    }
    for (int i = 0; i < 5; i++) {
        snprintf(text, sizeof text, "{units: 1, bias: %s}", no[i]);
        accept(text);
        ck_assert_msg(!layer.bias, "%s", no[i]);
        done();
    }
    refuse("{units: 1, bias: 'true'}",
           "net.yaml:1:18: layer: \"bias\" must be true or false, not the "
           "quoted text \"true\"; remove the quotes");
    refuse("{units: 1, bias: tRue}",
           "net.yaml:1:18: layer: \"bias\" must be true or false, not \"tRue\"");
}
END_TEST

START_TEST(a_number_out_of_range_is_told_the_range)
{
    refuse("{units: 1, p: 1.5}",
           "net.yaml:1:15: layer: \"p\" must be at least 0 and below 1, not 1.5");
    refuse("{units: 1, p: 1}", "net.yaml:1:15: layer: \"p\" must be at least 0 and below 1, not 1");
    refuse("{units: 1, p: .nan}",
           "net.yaml:1:15: layer: \"p\" must be at least 0 and below 1, not .nan");
    refuse("{units: 1, p: -1e-3}",
           "net.yaml:1:15: layer: \"p\" must be at least 0 and below 1, not -0.001");
    refuse("units: 0", "net.yaml:1:8: layer: \"units\" must be at least 1, not 0");
    refuse("{units: 1, norm: {eps: 0}}",
           "net.yaml:1:24: layer: norm: \"eps\" must be above 0 and at most 1, not 0");
    accept("{units: 1, p: 0, norm: {eps: 1}}");
    ck_assert(layer.p == 0);
    done();
}
END_TEST

START_TEST(a_default_outside_the_range_may_be_written_out)
{
    accept("{units: 1, threads: -1}");
    ck_assert_int_eq(layer.threads, -1);
    done();
    refuse("{units: 1, threads: -2}",
           "net.yaml:1:21: layer: \"threads\" must be at least 1 and at most 64, not -2");
}
END_TEST

START_TEST(an_enum_lists_its_names_and_suggests_one)
{
    refuse("{units: 1, padding: sam}",
           "net.yaml:1:21: layer: \"padding\" must be one of valid, same, "
           "not \"sam\"; did you mean \"same\"?");
    refuse("{units: 1, padding: 3}",
           "net.yaml:1:21: layer: \"padding\" must be one of valid, same, not 3");
    refuse("{units: 1, padding: [same]}",
           "net.yaml:1:21: layer: \"padding\" must be one of valid, same, not a list of 1 item");
}
END_TEST

START_TEST(lists_have_limits_for_length_and_items)
{
    accept("{units: 1, stride: [1, 2, 3, 4, 5, 6, 7, 8], betas: []}");
    ck_assert_int_eq(layer.stride.count, 8);
    ck_assert_int_eq(layer.stride.at[7], 8);
    ck_assert_int_eq(layer.betas.count, 0);
    done();
    refuse("{units: 1, stride: [1, 2, 3, 4, 5, 6, 7, 8, 9]}",
           "net.yaml:1:20: layer: \"stride\" takes at most 8 numbers, not 9");
    refuse("{units: 1, stride: [1, 0, x]}",
           "net.yaml:1:24: layer: \"stride\"[1] must be at least 1 and at most 100, not 0\n"
           "net.yaml:1:27: layer: \"stride\" must be an integer, not \"x\"");
    ck_assert_int_eq(layer.stride.count, 2); /* as the default */
}
END_TEST

/* AlexeyAB/darknet#752, #1869, #4081: errors in a configuration passed over silently. */
START_TEST(an_unknown_option_is_an_error_with_a_suggestion_or_all_names)
{
    refuse("{units: 1, pading: same}",
           "net.yaml:1:12: layer: unknown option \"pading\"; did you mean \"padding\"?");
    refuse("{units: 1, activation: relu}",
           "net.yaml:1:12: layer: unknown option \"activation\"; "
           "its options are units, p, bias, name, "
           "padding, stride, betas, norm, schedule, any, threads, weight, several");
    refuse("{units: 1, norm: {axs: 1}}",
           "net.yaml:1:19: layer: norm: unknown option \"axs\"; did you mean \"axis\"?");
    refuse("{units: 1, struct_size: 3}",
           "net.yaml:1:12: layer: unknown option \"struct_size\"; "
           "its options are units, p, bias, name, "
           "padding, stride, betas, norm, schedule, any, threads, weight, several");
}
END_TEST

START_TEST(a_required_option_that_is_missing_is_an_error)
{
    refuse("{}", "net.yaml:1:1: layer: \"units\" is missing (outputs); add it");
    refuse("", "net.yaml:1:1: layer: \"units\" is missing (outputs); add it");
    refuse("{units: 1, schedule: cosine}",
           "net.yaml:1:22: cosine: \"end\" is missing (last rate); add it");
    refuse("{units: 1, schedule: {cosine: {}}}",
           "net.yaml:1:31: cosine: \"end\" is missing (last rate); add it");
}
END_TEST

START_TEST(options_must_be_a_map)
{
    refuse("[a]",
           "net.yaml:1:1: layer: expected a map of options, such as {units: ...}, not a list of "
           "1 item");
    refuse("relu",
           "net.yaml:1:1: layer: expected a map of options, such as {units: ...}, not \"relu\"");
}
END_TEST

START_TEST(every_independent_error_is_found_in_one_go)
{
    refuse(
        "p: 2\nkernal: 3\npadding: sme\nnorm:\n  eps: -1\nschedule: {cosin: {}}\n",
        "net.yaml:1:4: layer: \"p\" must be at least 0 and below 1, not 2\n"
        "net.yaml:2:1: layer: unknown option \"kernal\"; its options are units, p, bias, name, "
        "padding, stride, betas, norm, schedule, any, threads, weight, several\n"
        "net.yaml:3:10: layer: \"padding\" must be one of valid, same, not \"sme\"; did you mean "
        "\"same\"?\n"
        "net.yaml:5:8: layer: norm: \"eps\" must be above 0 and at most 1, not -1\n"
        "net.yaml:6:12: layer: unknown schedule \"cosin\"; did you mean \"cosine\"?\n"
        "net.yaml:1:1: layer: \"units\" is missing (outputs); add it");
    ck_assert(layer.p == 0.5); /* legal contents, all the same */
    ck_assert_int_eq(layer.padding, 0);
}
END_TEST

START_TEST(the_check_across_fields_runs_only_when_each_field_is_right)
{
    refuse("units: 13", "net.yaml:1:1: layer: 13 units and a bias do not go together");
    refuse("{units: 13, p: 7}",
           "net.yaml:1:16: layer: \"p\" must be at least 0 and below 1, not 7");
    accept("{units: 13, bias: no}");
    done();
}
END_TEST

START_TEST(a_nested_struct_is_switched_by_null_false_true_or_a_map)
{
    accept("{units: 1, norm: null}");
    ck_assert(!layer.norm.on);
    done();
    accept("{units: 1, norm: false}");
    ck_assert(!layer.norm.on);
    done();
    accept("{units: 1, norm: true}");
    ck_assert(layer.norm.on);
    ck_assert_int_eq(layer.norm.axis, -1);
    done();
    accept("{units: 1, norm: {}}");
    ck_assert(layer.norm.on);
    done();
}
END_TEST

START_TEST(a_null_leaves_strings_and_choices_at_their_defaults)
{
    accept("{units: 1, name: ~, schedule: null, any: ~}");
    ck_assert_ptr_null(layer.name);
    ck_assert_ptr_null(layer.schedule.item);
    ck_assert(nm_value_is_null(layer.any)); /* the caller's to read */
    done();
}
END_TEST

/* ---- Memory ---- */

static nm_status read_everything(test_memory *memory)
{
    nm_context *c = context_with_schedules(memory);
    if (!c) {
        return NM_ERROR_MEMORY;
    }
    nm_diagnostics d;
    nm_diagnostics_begin(&d, c);
    static const char text[] = "{units: 1, name: x, schedule: {large: {flag: on}}, weight: [1, 2], "
                               "several: [constant, {large: {flag: on}}]}";
    nm_register(c, NM_KIND_SCHEDULE, &large);
    nm_document *doc = nm_document_parse(c, text, SIZE_MAX, "net.yaml");
    if (doc) {
        layer_options o;
        nm_spec_read(&layer_spec, nm_document_root(doc), "layer", doc, &d, &o);
        nm_diagnostics_end(&d);
        nm_free(c, nm_option_type_text(c, layer_rows));
        nm_free(c, nm_option_default_text(c, &layer_spec, layer_rows));
        nm_free(c, nm_option_range_text(c, layer_rows));
    }
    small_options small;
    nm_spec_read_text(c, &small_spec, "{axis: 1}", "softmax", &small);
    nm_document_destroy(doc);
    nm_status status = nm_context_status(c);
    test_context_end(c, memory);
    return status;
}

START_TEST(every_failed_allocation_is_an_error_and_leaks_nothing)
{
    test_every_allocation(read_everything);
}
END_TEST

TEST_MAIN("core/option", what_is_left_out_keeps_its_default, every_type_is_read,
          an_integer_may_be_written_with_point_or_exponent_if_it_is_whole,
          a_wrong_type_names_the_one_expected, a_bool_is_one_of_six_words_without_quotes,
          a_number_out_of_range_is_told_the_range, a_default_outside_the_range_may_be_written_out,
          an_enum_lists_its_names_and_suggests_one, lists_have_limits_for_length_and_items,
          an_unknown_option_is_an_error_with_a_suggestion_or_all_names,
          a_required_option_that_is_missing_is_an_error, options_must_be_a_map,
          every_independent_error_is_found_in_one_go,
          the_check_across_fields_runs_only_when_each_field_is_right,
          a_nested_struct_is_switched_by_null_false_true_or_a_map,
          a_null_leaves_strings_and_choices_at_their_defaults,
          every_failed_allocation_is_an_error_and_leaks_nothing)
