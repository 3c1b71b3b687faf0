/* Options back into YAML: what differs from the defaults, and reads back as the same. */
#include "core/text.h"

#include "tests/core/option_test.h"

static char *written(void)
{
    nm_text text = {.context = context};
    nm_text_add_options(&text, &layer_spec, &layer);
    char *all = nm_text_end(&text);
    ck_assert_ptr_nonnull(all);
    return all;
}

/* Each field alone beside what is required, as it is written. */
static const char *const fields[] = {
    "",
    ", p: 0.25",
    ", bias: false",
    ", name: \"a \\\"b\\\"\"",
    ", padding: \"same\"",
    ", stride: []",
    ", stride: [2]",
    ", stride: [1, 2]",
    ", stride: [1, 1, 1]",
    ", betas: [0.5]",
    ", betas: [0.9, 0.5]",
    ", betas: [0.9, 0.999, 0.25]",
    ", norm: {axis: 0}",
    ", norm: {eps: 0.5}",
    ", schedule: {constant: {}}",
    ", schedule: {cosine: {end: 0.5}}",
    ", schedule: {cosine: {end: 0.5, then: {cosine: {end: 0.25}}}}",
    ", any: [1, {\"a\": \"b\"}]",
    ", threads: 3",
    ", weight: \"rare\"",
    ", weight: []",
    ", weight: [1, 2.5]",
    ", several: [{constant: {}}]",
    ", several: [{constant: {}}, {cosine: {end: 1}}]",
};

START_TEST(what_differs_from_the_defaults_is_written_and_reads_back)
{
    for (int i = 0; i < NM_COUNT_OF(fields); i++) {
        char text[256];
        snprintf(text, sizeof text, "{units: 4%s}", fields[i]);
        accept(text);
        char *first = written();
        const bool is_default = strcmp(fields[i], ", weight: []") == 0;
        ck_assert_str_eq(first, is_default ? "{units: 4}" : text);
        nm_free(context, first);
        done();
    }
}
END_TEST

/* What is required is written with any value: without it the text could not be read. */
START_TEST(all_is_written_in_the_order_of_the_rows_and_what_is_required_always)
{
    static const char all[] =
        "{units: 7, p: 0.125, bias: false, name: \"n\", padding: \"same\", stride: [3, 1], "
        "betas: [0.9, 0.99], norm: {axis: 1, eps: 0.25}, schedule: {constant: {}}, any: null, "
        "threads: 2, weight: \"balanced\", several: [{cosine: {end: 0}}]}";
    accept(all);
    char *text = written();
    ck_assert_str_eq(text, all);
    nm_free(context, text);
    done();
}
END_TEST

START_TEST(options_without_a_spec_are_an_empty_map)
{
    context = context_with_schedules(NULL);
    nm_text text = {.context = context};
    nm_text_add_options(&text, NULL, NULL);
    nm_text_add_options(&text, &layer_spec, NULL);
    nm_text_add_choice(&text, &(nm_choice){.item = NULL});
    char *all = nm_text_end(&text);
    ck_assert_str_eq(all, "{}{}null");
    nm_free(context, all);
    test_context_end(context, NULL);
}
END_TEST

TEST_MAIN("core/option_write", what_differs_from_the_defaults_is_written_and_reads_back,
          all_is_written_in_the_order_of_the_rows_and_what_is_required_always,
          options_without_a_spec_are_an_empty_map)
