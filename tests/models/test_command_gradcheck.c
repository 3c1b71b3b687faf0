/* norma gradcheck of networks' files. */
#include "tests/models/command_helpers.h"

#define LAYERS "model: {input: [3], layers: [dense: {units: 4}, relu, dense: {units: 2}]}\n"

START_TEST(a_networks_tensors_are_told_one_by_one)
{
    const char *last = "";
    write_text("net.yaml", LAYERS);
    const ended *e = norma("gradcheck", "net.yaml");
    assert_code(e, 0);
    assert_says(e->out, "dense1.weight ");
    assert_says(e->out, " projections   error ");
    e = norma("gradcheck", "net.yaml", "--json");
    assert_code(e, 0);
    ck_assert_int_eq(json_lines(e->out, &last), 5); /* four parameters, and the samples */
    assert_says(e->out, "{\"tensor\": \"dense1.weight\", \"projections\": ");
    assert_says(last, "\"failure\": null}");
    ck_assert(json_field(last, "error") < 1e-4);
}
END_TEST

START_TEST(what_cannot_be_checked_is_told_in_both_ways)
{
    const char *last = "";
    write_text("wrong.yaml", "model: {input: [3], layers: [denes: {units: 4}]}\n");
    const ended *e = norma("gradcheck", "wrong.yaml");
    assert_code(e, 2);
    assert_says(e->err, "did you mean \"dense\"?");
    e = norma("gradcheck", "wrong.yaml", "--json");
    assert_code(e, 2);
    ck_assert_int_eq(json_lines(e->out, &last), 1);
    assert_says(last, "{\"failure\": \"wrong.yaml:1:");
    e = norma("gradcheck", "there/is/none", "--json");
    ck_assert_int_ne(e->code, 0);
    assert_says(e->out, "\"failure\": ");
}
END_TEST

TEST_MAIN("models/command_gradcheck", a_networks_tensors_are_told_one_by_one,
          what_cannot_be_checked_is_told_in_both_ways)
