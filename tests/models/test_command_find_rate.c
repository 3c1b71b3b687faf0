/* norma find-rate: rates that rise, and what is said of them. */
#include <dirent.h>
#include <math.h>

#include "tests/models/command_helpers.h"

/* The number behind "key": in a line; NaN if there is none. */
static double number_in(const char *line, const char *key)
{
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\": ", key);
    const char *at = strstr(line, quoted);
    return at && at < line + strcspn(line, "\n") ? strtod(at + strlen(quoted), NULL) : (double)NAN;
}

static const char *last_line(const char *text)
{
    const char *last = text;
    for (const char *at = text; *at; at++) {
        last = at[0] == '\n' && at[1] ? at + 1 : last;
    }
    return last;
}

START_TEST(rates_rise_by_one_factor_from_the_first_to_the_last)
{
    write_text("net.yaml", network);
    const ended *e =
        norma("find-rate", "net.yaml", "--json", "--from", "1e-4", "--to", "1e-2", "--steps", "21");
    assert_code(e, 0);
    int rows = 0;
    for (const char *line = e->out; !isnan(number_in(line, "rate"));
         line = strchr(line, '\n') + 1) {
        assert_near(number_in(line, "rate"), pow(10, -4 + rows / 10.0), 1e-9, 0);
        ck_assert(number_in(line, "loss") > 0);
        rows++;
    }
    ck_assert_int_eq(rows, 21);
}
END_TEST

START_TEST(a_network_that_learns_has_a_rate_at_which_it_does_so_fastest)
{
    write_text("net.yaml", network);
    const ended *e = norma("find-rate", "net.yaml", "--json", "--to", "100");
    assert_code(e, 0);
    const char *last = last_line(e->out);
    const double fastest = number_in(last, "fastest_rate"), lowest = number_in(last, "lowest_rate");
    ck_assert_msg(fastest > 1e-3 && fastest < lowest && lowest < 50, "%g, %g", fastest, lowest);
    e = norma("find-rate", "net.yaml", "--to", "100");
    assert_says(e->out, "the loss falls fastest at a rate of ");
    assert_says(e->out, "--set train.optimizer.sgd.rate=");
    e = norma("find-rate", "net.yaml", "--set", "train.optimizer=adam");
    assert_says(e->out, "--set train.optimizer.adam.rate=");
}
END_TEST

START_TEST(rates_that_do_nothing_are_not_recommended)
{
    write_text("net.yaml", network);
    const ended *e = norma("find-rate", "net.yaml", "--from", "1e-9", "--to", "1e-8");
    assert_code(e, 0);
    assert_says(e->out, "the loss does not fall at any of these rates");
    ck_assert_ptr_null(strstr(e->out, "--set"));
}
END_TEST

/* y = 2 a - b, in a network that says nothing of how it is trained. */
static void write_values(void)
{
    char rows[4096] = "a,b,y\n";
    for (int i = 0; i < 100; i++) {
        const double a = i % 10, b = (i * 7) % 13;
        snprintf(rows + strlen(rows), sizeof rows - strlen(rows), "%g,%g,%g\n", a, b, 2 * a - b);
    }
    write_text("values.csv", rows);
    write_text("values.yaml", "model: [{dense: {units: 8}}, relu, {dense: {units: 1}}]\n"
                              "data: {train: {csv: {path: values.csv}}, batch: 20}\n"
                              "loss: mse\n");
}

START_TEST(a_loss_that_is_not_finite_any_more_ends_the_test_and_is_no_error)
{
    write_values();
    const ended *e = norma("find-rate", "values.yaml", "--from", "0.1", "--to", "1e38", "--set",
                           "train.optimizer.sgd.rate=1", "--set", "train.schedule=constant");
    assert_code(e, 0);
    ck_assert_str_eq(e->err, "");
    assert_says(e->out, "loss");
}
END_TEST

START_TEST(without_an_optimizer_what_is_usual_stays)
{
    write_values();
    const ended *e = norma("find-rate", "values.yaml");
    assert_code(e, 0);
    assert_says(e->out, "train: {optimizer: {sgd: {rate: ");
    assert_says(e->out, "momentum: 0.9}}, schedule: cosine, clip_norm: 1}");
}
END_TEST

static int files_in(const char *folder)
{
    int count = 0;
    DIR *d = opendir(folder);
    ck_assert_ptr_nonnull(d);
    while (readdir(d)) {
        count++;
    }
    closedir(d);
    return count;
}

START_TEST(nothing_is_written_and_the_test_can_be_repeated)
{
    write_text("net.yaml", network);
    assert_code(norma("find-rate", "net.yaml"), 0); /* with the helper's own files */
    const int before = files_in(test_folder());
    char *first = strdup(norma("find-rate", "net.yaml")->out);
    ck_assert_str_eq(first, norma("find-rate", "net.yaml")->out);
    ck_assert_int_eq(files_in(test_folder()), before);
    free(first);
}
END_TEST

START_TEST(what_is_wrong_is_refused)
{
    write_text("net.yaml", network);
    static const char *const wrong[][2] = {
        {"--from", "0"},   {"--from", "x"},    {"--from", "100"},
        {"--to", "nan"},   {"--to", "inf"},    {"--to", "1e-7"},
        {"--steps", "19"}, {"--steps", "1e3"}, {"--steps", "100001"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const ended *e = norma("find-rate", "net.yaml", wrong[i][0], wrong[i][1]);
        assert_code(e, 2);
        assert_says(e->err, wrong[i][0]);
    }
    const ended *e = norma("find-rate", "net.yaml", "--set", "model.0.dense.units=0");
    assert_code(e, 2);
    assert_says(e->err, "units");
}
END_TEST

TEST_MAIN("models/command_find_rate", rates_rise_by_one_factor_from_the_first_to_the_last,
          a_network_that_learns_has_a_rate_at_which_it_does_so_fastest,
          rates_that_do_nothing_are_not_recommended,
          a_loss_that_is_not_finite_any_more_ends_the_test_and_is_no_error,
          without_an_optimizer_what_is_usual_stays, nothing_is_written_and_the_test_can_be_repeated,
          what_is_wrong_is_refused)
