/* Option specs: every type read, refused with place and remedy, checked from C, and told as text.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/op.h"
#include "core/option.h"
#include "tests/test.h"

/* ---- A spec of every type ---- */

typedef struct norm_options {
    bool on; /* no option: set by the defaults of its own */
    int64_t axis;
    double eps;
} norm_options;

static const nm_option norm_rows[] = {
    {NM_FIELD(norm_options, axis), NM_OPTION_INT, .doc = "the kept axis"},
    {NM_FIELD(norm_options, eps), NM_OPTION_FLOAT, .doc = "added to the norm", .min = 0, .max = 1,
     .flags = NM_MIN_OPEN},
};

static const norm_options norm_defaults = {true, -1, 1e-12};

static const nm_spec norm_spec = {"norm_options",
                                  sizeof(norm_options),
                                  &norm_defaults,
                                  norm_rows,
                                  NM_COUNT_OF(norm_rows),
                                  NULL,
                                  NULL};

typedef struct layer_options {
    size_t struct_size;
    int64_t units;
    double p;
    bool bias;
    const char *name;
    int padding;
    nm_ints stride;
    nm_floats betas;
    norm_options norm;
    nm_choice schedule;
    const nm_value *any;
    int64_t threads;
    nm_numbers weight;
    nm_choices several;
} layer_options;

static const char *const weight_words[] = {"balanced", "rare", NULL};

static const char *const paddings[] = {"valid", "same", NULL};

static const nm_option layer_rows[] = {
    {NM_FIELD(layer_options, units), NM_OPTION_INT, .doc = "outputs", .min = 1, .max = NM_NO_LIMIT,
     .flags = NM_REQUIRED},
    {NM_FIELD(layer_options, p), NM_OPTION_FLOAT, .doc = "share dropped", .min = 0, .max = 1,
     .flags = NM_MAX_OPEN},
    {NM_FIELD(layer_options, bias), NM_OPTION_BOOL, .doc = "whether to add a bias"},
    {NM_FIELD(layer_options, name), NM_OPTION_STRING, .doc = "for messages"},
    {NM_FIELD(layer_options, padding), NM_OPTION_ENUM, .doc = "at the border", .names = paddings},
    {NM_FIELD(layer_options, stride), NM_OPTION_INTS, .doc = "step", .min = 1, .max = 100},
    {NM_FIELD(layer_options, betas), NM_OPTION_FLOATS, .doc = "decays"},
    {NM_FIELD(layer_options, norm), NM_OPTION_STRUCT, .doc = "weight norm", .spec = &norm_spec},
    {NM_FIELD(layer_options, schedule), NM_OPTION_CHOICE, .doc = "of the learning rate",
     .kind = NM_KIND_SCHEDULE},
    {NM_FIELD(layer_options, any), NM_OPTION_VALUE, .doc = "read by the layer"},
    {NM_FIELD(layer_options, threads), NM_OPTION_INT, .doc = "-1: as many as there are", .min = 1,
     .max = 64},
    {NM_FIELD(layer_options, weight), NM_OPTION_NUMBERS, .doc = "of the classes",
     .names = weight_words, .min = 0, .max = NM_NO_LIMIT},
    {NM_FIELD(layer_options, several), NM_OPTION_CHOICES, .doc = "one after the other",
     .kind = NM_KIND_SCHEDULE},
};

static void check_layer(const void *options, const nm_value *at, nm_diagnostics *d)
{
    const layer_options *o = options;
    if (o->units == 13 && o->bias) {
        nm_diagnose(d, at, "layer: 13 units and a bias do not go together");
    }
}

static const layer_options layer_defaults = {.struct_size = sizeof(layer_options),
                                             .units = 0,
                                             .p = 0.5,
                                             .bias = true,
                                             .stride = NM_LIST_OF(2, 1, 1),
                                             .betas = NM_LIST_OF(2, 0.9, 0.999),
                                             .threads = -1};

static const nm_spec layer_spec = {"layer_options",
                                   sizeof(layer_options),
                                   &layer_defaults,
                                   layer_rows,
                                   NM_COUNT_OF(layer_rows),
                                   check_layer,
                                   NULL};

typedef struct cosine_options {
    double end;
    nm_choice then;
} cosine_options;

static const nm_option cosine_rows[] = {
    {NM_FIELD(cosine_options, end), NM_OPTION_FLOAT, .doc = "last rate", .min = 0, .max = 1,
     .flags = NM_REQUIRED},
    {NM_FIELD(cosine_options, then), NM_OPTION_CHOICE, .doc = "what follows",
     .kind = NM_KIND_SCHEDULE},
};

static const cosine_options cosine_defaults = {0};

static const nm_spec cosine_spec = {"cosine_options",
                                    sizeof(cosine_options),
                                    &cosine_defaults,
                                    cosine_rows,
                                    NM_COUNT_OF(cosine_rows),
                                    NULL,
                                    NULL};

static const nm_item cosine = NM_ITEM(nm_item, "cosine", "half a cosine", .spec = &cosine_spec);
static const nm_item constant = NM_ITEM(nm_item, "constant", "the same", .doc = "rate = rate_0");

/* More than a document holds at first, so that its memory is an allocation of its own. */
typedef struct large_options {
    char room[100000];
    bool flag;
} large_options;

static const nm_option large_rows[] = {{NM_FIELD(large_options, flag), NM_OPTION_BOOL, .doc = "-"}};
static const nm_spec large_spec = {
    "large_options", sizeof(large_options), NULL, large_rows, 1, NULL, NULL};
static const nm_item large = NM_ITEM(nm_item, "large", "large options", .spec = &large_spec);

typedef struct small_options {
    size_t struct_size;
    int64_t axis;
    double eps;
} small_options;

static const nm_option small_rows[] = {
    {NM_FIELD(small_options, axis), NM_OPTION_INT, .doc = "axis"},
    {NM_FIELD(small_options, eps), NM_OPTION_FLOAT, .doc = "eps", .min = 0, .max = NM_NO_LIMIT},
};

static const small_options small_defaults = {sizeof(small_options), -1, 1e-5};

static const nm_spec small_spec = {"small_options",
                                   sizeof(small_options),
                                   &small_defaults,
                                   small_rows,
                                   NM_COUNT_OF(small_rows),
                                   NULL,
                                   NULL};

/* A struct around one of every type, whose default would not pass a check of its own. */
typedef struct block_options {
    layer_options layer;
} block_options;

static const nm_option block_rows[] = {
    {NM_FIELD(block_options, layer), NM_OPTION_STRUCT, .doc = "a layer", .spec = &layer_spec},
};

static const nm_spec block_spec = {"block_options",
                                   sizeof(block_options),
                                   &layer_defaults,
                                   block_rows,
                                   NM_COUNT_OF(block_rows),
                                   NULL,
                                   NULL};

/* ---- Helpers ---- */

static nm_context *context;
static nm_document *document;
static layer_options layer;

static nm_context *context_with_schedules(test_memory *memory)
{
    nm_context *c = test_context(memory);
    if (c && (nm_register(c, NM_KIND_SCHEDULE, &cosine) != NM_OK ||
              nm_register(c, NM_KIND_SCHEDULE, &constant) != NM_OK)) {
        nm_context_destroy(c);
        return NULL;
    }
    return c;
}

static nm_status read(const char *text)
{
    nm_diagnostics d;
    context = context_with_schedules(NULL);
    document = nm_document_parse(context, text, SIZE_MAX, "net.yaml");
    assert_fine(context);
    nm_diagnostics_begin(&d, context);
    memset(&layer, 0xAA, sizeof layer);
    nm_spec_read(&layer_spec, nm_document_root(document), "layer", document, &d, &layer);
    return nm_diagnostics_end(&d);
}

static void done(void)
{
    nm_document_destroy(document);
    test_context_end(context, NULL);
}

static void accept(const char *text)
{
    nm_status status = read(text);
    assert_fine(context);
    ck_assert_int_eq(status, NM_OK);
}

/* The whole message. */
static void refuse(const char *text, const char *message)
{
    ck_assert_int_eq(read(text), NM_ERROR_INPUT);
    ck_assert_str_eq(nm_context_error(context), message);
    done();
}

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
    o.several.count = 0;
    o.weight.word = 3;
    refuse_struct(&o, "layer: \"weight\" has word 3 of 2, and 0 numbers at NULL");
    o.weight = (nm_numbers){.count = 2};
    refuse_struct(&o, "layer: \"weight\" has word 0 of 2, and 2 numbers at NULL");
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
          a_choice_is_a_name_or_a_name_with_options, several_choices_are_a_list_or_one_alone,
          numbers_have_no_limit_to_their_count_and_may_be_a_word,
          a_choice_must_be_one_known_name_with_options_it_takes, a_choice_is_read_alone_too,
          a_text_of_options_is_read, a_wrong_text_of_options_names_the_thing,
          a_struct_from_c_is_checked_like_a_file, a_hostile_index_or_count_from_c_is_caught,
          limits_on_no_side_still_exclude_what_is_no_number, the_check_across_fields_runs_for_c_too,
          a_nested_struct_is_checked_once_any_field_of_it_is_set,
          a_required_pointer_that_c_left_out_is_missing, the_options_of_a_choice_from_c_are_checked,
          an_option_tells_its_type_default_and_range, a_word_may_stand_for_a_number,
          a_choice_of_true_false_and_more_takes_all_words_for_true_and_false,
          a_nested_default_that_is_on_is_told_as_yaml,
          a_list_of_texts_is_of_any_length_and_one_text_is_a_list,
          what_is_no_list_of_texts_is_refused, a_list_of_texts_from_c_is_checked_and_told_as_text,
          defaults_of_several_things_are_told_as_yaml,
          every_failed_allocation_is_an_error_and_leaks_nothing)
