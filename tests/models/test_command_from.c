/* norma train --from: a network that begins with the weights of another. */
#include "tests/models/command_helpers.h"

static const char kinds[] = "model:\n"
                            "  - dense: {units: 8, weight_norm: {init: data}}\n"
                            "  - relu\n"
                            "  - dense: {units: 3}\n"
                            "data:\n"
                            "  train: {csv: {path: kinds.csv}}\n"
                            "  batch: 20\n"
                            "loss: cross_entropy\n"
                            "train:\n"
                            "  epochs: 2\n"
                            "  optimizer: {sgd: {rate: 0.1}}\n";

/* NAME: rows of two numbers, moved by `shift`, and one of the kinds. */
static void write_rows(const char *name, const char *const classes[3], double shift)
{
    char rows[4096] = "width,height,kind\n";
    size_t length = strlen(rows);
    for (int i = 0; i < 60; i++) {
        length += (size_t)snprintf(rows + length, sizeof rows - length, "%.1f,%.1f,%s\n",
                                   i % 3 * 4 + i % 7 + shift, 9 - i % 3 * 2 + i % 5 * 0.5 + shift,
                                   classes[i % 3]);
    }
    write_text(name, rows);
}

static void begin(void)
{
    write_rows("kinds.csv", (const char *const[]){"ant", "bee", "cow"}, 0);
    write_text("kinds.yaml", kinds);
    if (!is_there("kinds")) {
        assert_code(norma("train", "kinds.yaml", "--out", "kinds", "--quiet"), 0);
    }
}

START_TEST(all_that_fits_is_taken_and_listed)
{
    begin();
    const ended *e = norma("train", "kinds.yaml", "--from", "kinds", "--out", "again", "--set",
                           "model.2.dense.units=4", "--set", "train.seed=3");
    assert_code(e, 0);
    assert_says(e->err,
                "kinds/best.safetensors: \"dense2.weight\" is f32 [3, 8] there and f32 [4, 8] "
                "here, and begins anew\n");
    assert_says(e->err, "\"dense2.bias\" is f32 [3] there and f32 [4] here, and begins anew\n");
    assert_says(e->err, " tensors taken from kinds: dense1.");
    size_t size;
    char *used = read_text(test_path("again/network.yaml"), &size);
    assert_says(used, "  from: \"../kinds\"\n");
    free(used);
}
END_TEST

START_TEST(a_trained_network_trained_on_begins_where_it_ended)
{
    const char *last = "";
    begin();
    const ended *e = norma("train", "kinds.yaml", "--from", "kinds/checkpoint.safetensors", "--out",
                           "on", "--json", "--set", "train.optimizer.sgd.rate=1e-30");
    assert_code(e, 0);
    double loss = json_field(e->out, "train_loss");
    e = norma("eval", "kinds.yaml", "--weights", "kinds", "--on", "train", "--json");
    json_lines(e->out, &last);
    assert_near(loss, json_field(last, "loss"), 1e-4,
                0); /* data-dependent beginnings are no more */
}
END_TEST

START_TEST(the_files_own_patterns_stay_where_the_path_is_given)
{
    begin();
    const ended *e =
        norma("train", "kinds.yaml", "--set", "train.from={path: nowhere, except: \"dense2.*\"}",
              "--from", "kinds", "--out", "patterns");
    assert_code(e, 0);
    assert_says(e->err, "norma: 2 left out by \"except\"\n");
}
END_TEST

START_TEST(what_cannot_be_taken_is_told_by_check_and_before_a_folder_is_made)
{
    static const struct {
        const char *from, *says;
    } cases[] = {
        {"train.from=nowhere", "from: cannot read \"nowhere\""},
        {"train.from={path: kinds, except: dens9.*}",
         "no tensor of the network matches \"dens9.*\""},
        {"train.from={except: x}", "\"path\" is missing"},
        {"train.from=kinds.csv", "from: "},
    };
    begin();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const ended *e = norma("train", "kinds.yaml", "--set", cases[i].from, "--out", "never");
        ck_assert_int_ne(e->code, 0);
        assert_says(e->err, cases[i].says);
        ck_assert(!is_there("never"));
        e = norma("check", "kinds.yaml", "--set", cases[i].from);
        ck_assert_int_ne(e->code, 0);
        assert_says(e->err, cases[i].says);
    }
}
END_TEST

START_TEST(a_preparation_is_taken_or_made_anew_on_purpose)
{
    const char *last = "";
    begin();
    write_rows("moved.csv", (const char *const[]){"ant", "bee", "cow"}, 100);
    const ended *e = norma("train", "kinds.yaml", "--from", "kinds", "--out", "anew", "--set",
                           "data.train.csv.path=moved.csv");
    assert_code(e, 0);
    assert_says(e->err, "samples are standardized by the new data, not as those");
    e = norma("train", "kinds.yaml", "--out", "kept", "--set", "data.train.csv.path=moved.csv",
              "--set", "train.from={path: kinds, preparation: taken}", "--set",
              "train.optimizer.sgd.rate=1e-30");
    assert_code(e, 0);
    ck_assert_ptr_null(strstr(e->err, "standardized by the new data"));
    /* The first samples mean to the one what they mean to the other. */
    e = norma("predict", "kept", "--in", "kinds.csv", "--json");
    assert_code(e, 0);
    double kept = json_field(e->out, "probability");
    e = norma("predict", "kinds", "--in", "kinds.csv", "--json");
    json_lines(e->out, &last);
    assert_near(kept, json_field(e->out, "probability"), 1e-5, 0);
    e = norma("predict", "anew", "--in", "kinds.csv", "--json");
    ck_assert(!near_to(kept, json_field(e->out, "probability"), 1e-2, 0));
}
END_TEST

START_TEST(classes_are_taken_or_replaced_on_purpose)
{
    begin();
    write_rows("zoo.csv", (const char *const[]){"emu", "cow", "ant"}, 0);
    const ended *e = norma("train", "kinds.yaml", "--from", "kinds", "--out", "zoo", "--set",
                           "data.train.csv.path=zoo.csv");
    assert_code(e, 0);
    assert_says(e->err,
                "class 1 was called \"bee\" there and is \"cow\" here: leave the last layer "
                "out with \"except\", or keep the classes with preparation: taken");
    e = norma("train", "kinds.yaml", "--out", "strange", "--set", "data.train.csv.path=zoo.csv",
              "--set", "train.from={path: kinds, preparation: taken}");
    assert_code(e, 2);
    assert_says(e->err, "emu");
    write_rows("order.csv", (const char *const[]){"cow", "bee", "ant"}, 0);
    e = norma("train", "kinds.yaml", "--out", "order", "--set", "data.train.csv.path=order.csv",
              "--set", "train.from={path: kinds, preparation: taken}");
    assert_code(e, 0);
}
END_TEST

START_TEST(a_run_with_a_taken_preparation_goes_on_without_what_it_was_taken_from)
{
    begin();
    assert_code(norma("train", "kinds.yaml", "--out", "source", "--quiet"), 0);
    assert_code(norma("train", "kinds.yaml", "--out", "child", "--quiet", "--set",
                      "train.from={path: source, preparation: taken}"),
                0);
    ck_assert_int_eq(rename(test_path("source"), test_path("moved")), 0);
    const ended *e = norma("train", "child/network.yaml", "--out", "child", "--resume", "--quiet",
                           "--set", "train.epochs=3");
    assert_code(e, 0);
    ck_assert_str_eq(e->err, "norma: child goes on with other values:\n"
                             "  train.epochs: 2 before, now 3\n");
    e = norma("train", "kinds.yaml", "--out", "child", "--resume");
    assert_code(e, 2);
    assert_says(e->err, "train.from.preparation: taken before, now new");
}
END_TEST

START_TEST(a_run_that_began_on_its_own_does_not_go_on_from_others_weights)
{
    begin();
    assert_code(norma("train", "kinds.yaml", "--out", "alone", "--quiet"), 0);
    const ended *e = norma("train", "kinds.yaml", "--out", "alone", "--resume", "--from", "kinds");
    assert_code(e, 2);
    assert_says(e->err, "alone is a run of another configuration:\n  train.from.path: none before");
}
END_TEST

START_TEST(patterns_that_leave_everything_out_are_named)
{
    begin();
    const ended *e = norma("train", "kinds.yaml", "--out", "nothing", "--set",
                           "train.from={path: kinds, except: \"*\"}");
    assert_code(e, 2);
    assert_says(e->err, "\"except\" leaves all of the network's tensors out");
}
END_TEST

/* Twenty lines are enough to see what is meant. */
START_TEST(of_many_that_do_not_fit_the_first_are_told)
{
    char yaml[512];
    for (int units = 3; units < 5; units++) {
        snprintf(
            yaml, sizeof yaml,
            "model: [dense: {units: 3}, repeat: {times: 12, body: [dense: {units: %d}]}, dense: "
            "{units: 2}]\n"
            "data: {train: {spirals: {points: 20}}}\nloss: cross_entropy\n"
            "train: {steps: 1%s}\n",
            units, units == 4 ? ", from: many/best.safetensors" : "");
        write_text("many.yaml", yaml);
        const ended *e = norma("train", "many.yaml", "--out", units == 3 ? "many" : "more");
        assert_code(e, 0);
        if (units == 4) {
            assert_says(e->err, "is f32 [3, 3] there and f32 [4, 3] here, and begins anew");
            assert_says(e->err, "... and 5 more");
        }
    }
}
END_TEST

TEST_MAIN("models/command_from", all_that_fits_is_taken_and_listed,
          a_trained_network_trained_on_begins_where_it_ended,
          the_files_own_patterns_stay_where_the_path_is_given,
          what_cannot_be_taken_is_told_by_check_and_before_a_folder_is_made,
          a_preparation_is_taken_or_made_anew_on_purpose, classes_are_taken_or_replaced_on_purpose,
          a_run_with_a_taken_preparation_goes_on_without_what_it_was_taken_from,
          a_run_that_began_on_its_own_does_not_go_on_from_others_weights,
          patterns_that_leave_everything_out_are_named, of_many_that_do_not_fit_the_first_are_told)
