/* A run keeps the rows that it held out, and is evaluated on these and no others. */
#include <math.h>

#include "tests/models/command_helpers.h"

#define ROWS 60

static const char yaml[] = "model: [dense: {units: 6}, relu, dense: {units: 3}]\n"
                           "data:\n"
                           "  train: {csv: {path: table.csv, target: class}}\n"
                           "  validation: {share: 0.25, groups: who}\n"
                           "loss: cross_entropy\n"
                           "train: {epochs: 2}\n";

/* Rows of 12 people. From row `from` on, x is moved: other data. */
static void write_table(int rows, int changed)
{
    char text[8192];
    int length = snprintf(text, sizeof text, "who,x,y,class\n");
    for (int i = 0; i < rows; i++) {
        length += snprintf(text + length, sizeof text - (size_t)length, "p%d,%d.5,%d,%c\n", i % 12,
                           i * 7 % 31 + (i == changed ? 100 : 0), i * i % 17, 'a' + i % 3);
    }
    write_text("table.csv", text);
    write_text("net.yaml", yaml);
}

static void train(const char *out)
{
    assert_code(norma("train", "net.yaml", "--quiet", "--out", out), 0);
}

/* Which rows a run held out. */
static int read_rows(const char *folder, bool held[ROWS])
{
    char name[128];
    size_t size;
    int count = 0;
    snprintf(name, sizeof name, "%s/validation-rows.csv", folder);
    char *text = read_text(test_path(name), &size), *line = strchr(text, '\n');
    memset(held, 0, ROWS * sizeof *held);
    ck_assert(strncmp(text, "row\n", 4) == 0);
    for (; line && line[1]; line = strchr(line + 1, '\n')) {
        held[atoi(line + 1)] = true;
        count++;
    }
    free(text);
    return count;
}

static int first_row(const bool held[ROWS], bool wanted)
{
    for (int i = 0; i < ROWS; i++) {
        if (held[i] == wanted) {
            return i;
        }
    }
    return -1;
}

static double loss_of(const ended *e)
{
    const char *last = "";
    assert_code(e, 0);
    json_lines(e->out, &last);
    return json_field(last, "loss");
}

START_TEST(a_run_keeps_the_rows_it_held_out_and_is_evaluated_on_them)
{
    bool held[ROWS];
    write_table(ROWS, -1);
    train("keeps");
    ck_assert_int_eq(read_rows("keeps", held), 15);
    for (int i = 12; i < ROWS; i++) {
        ck_assert_int_eq(held[i], held[i - 12]); /* whole people */
    }
    const ended *e = norma("eval", "keeps", "--json");
    const double loss = loss_of(e);
    assert_says(e->out, "\"set\": \"validation\", \"samples\": 15");
    e = norma("eval", "keeps", "--json", "--on", "validation", "--set", "data.validation=0.5");
    assert_says(e->out, "\"samples\": 15");
    assert_says(e->err, "the file says another split by now; the rows are those of the run");
    assert_near(loss_of(e), loss, 0, 0);
    e = norma("eval", "keeps", "--json", "--on", "train", "--set", "data.split_seed=9");
    assert_says(e->out, "\"samples\": 45");
    e = norma("eval", "net.yaml", "--weights", "keeps", "--json", "--on", "validation");
    assert_near(loss_of(e), loss, 0, 0);
    ck_assert_str_eq(e->err, "");
}
END_TEST

START_TEST(the_best_of_a_run_is_what_eval_finds_on_its_rows)
{
    const char *last = "";
    write_table(ROWS, -1);
    const ended *e =
        norma("train", "net.yaml", "--json", "--out", "best", "--set", "train.epochs=1");
    assert_code(e, 0);
    json_lines(e->out, &last);
    const double loss = json_field(last, "validation_loss");
    assert_near(loss_of(norma("eval", "best", "--json", "--on", "validation")), loss, 1e-6, 0);
}
END_TEST

START_TEST(filled_cells_and_dates_are_the_same_rows_again)
{
    char text[4096];
    int length = snprintf(text, sizeof text, "day,x,y,class\n");
    for (int i = 0; i < 30; i++) {
        length += snprintf(text + length, sizeof text - (size_t)length, "2020-01-%02d,%s,%d.1,%c\n",
                           i + 1, i % 5 ? "0.3" : "", i, 'a' + i % 3);
    }
    write_text("net.yaml", yaml);
    write_text("table.csv", text);
    assert_code(norma("train", "net.yaml", "--quiet", "--out", "filled", "--set",
                      "data.train.csv.missing=mean", "--set", "data.validation={order: day}"),
                0);
    const ended *e = norma("eval", "filled", "--on", "validation");
    assert_code(e, 0);
    ck_assert_str_eq(e->err, "");
}
END_TEST

START_TEST(a_share_that_was_the_test_set_stays_it)
{
    const char *last;
    write_table(ROWS, -1);
    const ended *e = norma("train", "net.yaml", "--json", "--out", "share", "--set",
                           "data.test_share=0.2", "--set", "data.validation=false");
    assert_code(e, 0);
    json_lines(e->out, &last);
    const double loss = json_field(last, "test_loss");
    ck_assert(is_there("share/test-rows.csv"));
    e = norma("eval", "share", "--json", "--set", "data.test_share=0.4");
    assert_says(e->out, "\"set\": \"test\", \"samples\": 12");
    assert_says(e->err, "the file says another split by now");
    assert_near(loss_of(e), loss, 1e-6, 0);
    e = norma("train", "net.yaml", "--folds", "3", "--set", "data.test_share=0.2");
    assert_code(e, 2);
    assert_says(e->err, "each fold is a test set itself; leave \"test_share\" out");
}
END_TEST

START_TEST(another_run_can_take_the_rows_of_a_run)
{
    bool a[ROWS], b[ROWS];
    write_table(ROWS, -1);
    train("first");
    assert_code(norma("train", "net.yaml", "--quiet", "--out", "second", "--set",
                      "data.validation={indices: first/validation-rows.csv}"),
                0);
    ck_assert_int_eq(read_rows("first", a), read_rows("second", b));
    ck_assert_mem_eq(a, b, sizeof a);
}
END_TEST

START_TEST(held_out_rows_that_changed_are_refused_and_others_are_told)
{
    bool held[ROWS];
    write_table(ROWS, -1);
    train("changes");
    read_rows("changes", held);
    const double loss = loss_of(norma("eval", "changes", "--json"));
    write_table(ROWS, first_row(held, false));
    const ended *e = norma("eval", "changes", "--json");
    assert_says(e->err, "the training data changed since the run; the rows that are evaluated did");
    assert_near(loss_of(e), loss, 0, 0);
    write_table(ROWS, first_row(held, true));
    e = norma("eval", "changes");
    assert_code(e, 2);
    assert_says(e->err, "the data changed since the run: its validation rows do not hold what");
    write_table(ROWS + 12, -1);
    e = norma("eval", "changes");
    assert_code(e, 2);
    assert_says(e->err, "the training set has 72 rows, and had 60 when the run was split");
}
END_TEST

START_TEST(without_the_file_of_the_rows_the_rule_must_give_the_same)
{
    write_table(ROWS, -1);
    train("lost");
    const double loss = loss_of(norma("eval", "lost", "--json"));
    ck_assert_int_eq(rename(test_path("lost/validation-rows.csv"), test_path("away.csv")), 0);
    assert_near(loss_of(norma("eval", "lost", "--json")), loss, 0, 0);
    const ended *e = norma("eval", "lost", "--set", "data.split_seed=1");
    assert_code(e, 2);
    assert_says(e->err, "the validation rows are not those of the run");
    write_text("lost/validation-rows.csv", "row\n0\n1\n");
    e = norma("eval", "lost");
    assert_code(e, 2);
    assert_says(e->err, "names 2 rows that no other file has, and the run held 15 out");
}
END_TEST

START_TEST(what_held_nothing_out_has_no_validation_set)
{
    write_table(ROWS, -1);
    assert_code(
        norma("train", "net.yaml", "--quiet", "--out", "all", "--set", "data.validation=false"), 0);
    ck_assert(!is_there("all/validation-rows.csv"));
    const ended *e =
        norma("eval", "all", "--on", "validation", "--set", "data.validation={share: 0.2}");
    assert_code(e, 2);
    assert_says(e->err, "nothing was held out when all/best.safetensors was trained");
}
END_TEST

START_TEST(a_run_does_not_go_on_with_other_rows_held_out)
{
    write_table(ROWS, -1);
    write_text("rows.txt", "0\n1\n2\n3\n");
    const char *const words[] = {"train",
                                 "net.yaml",
                                 "--quiet",
                                 "--out",
                                 "goes",
                                 "--set",
                                 "data.validation={indices: rows.txt}",
                                 "--resume",
                                 NULL};
    const char *first[8];
    for (int i = 0; i < 7; i++) {
        first[i] = words[i];
    }
    first[7] = NULL;
    assert_code(finish(start(first, (running_options){0})), 0);
    assert_code(finish(start(words, (running_options){0})), 0);
    write_text("rows.txt", "0\n1\n2\n4\n");
    const ended *e = finish(start(words, (running_options){0}));
    assert_code(e, 2);
    assert_says(e->err, "this is another run's checkpoint: the training set differs");
}
END_TEST

START_TEST(a_file_of_rows_that_a_person_has_is_not_written_over)
{
    write_table(ROWS, -1);
    mkdir(test_path("mine"), 0777);
    write_text("mine/validation-rows.csv", "row\n1\n");
    const ended *e = norma("train", "net.yaml", "--out", "mine");
    assert_code(e, 2);
    assert_says(e->err, "mine holds a validation-rows.csv, which the run's would replace");
}
END_TEST

TEST_MAIN("models/command_split", a_share_that_was_the_test_set_stays_it,
          filled_cells_and_dates_are_the_same_rows_again,
          a_run_keeps_the_rows_it_held_out_and_is_evaluated_on_them,
          the_best_of_a_run_is_what_eval_finds_on_its_rows, another_run_can_take_the_rows_of_a_run,
          held_out_rows_that_changed_are_refused_and_others_are_told,
          without_the_file_of_the_rows_the_rule_must_give_the_same,
          what_held_nothing_out_has_no_validation_set,
          a_run_does_not_go_on_with_other_rows_held_out,
          a_file_of_rows_that_a_person_has_is_not_written_over)
