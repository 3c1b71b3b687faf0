/* norma report: what it draws, and what it says it leaves out. */
#include "tests/models/command_helpers.h"

static const char *page_of(const char *run)
{
    static char *text;
    size_t size;
    free(text);
    const ended *e = norma("report", run, "--out", "page.html");
    ck_assert_msg(e->code == 0, "%s", e->err);
    text = read_text(test_path("page.html"), &size);
    return text;
}

/* Four numbers and what to find. */
static void write_numbers(void)
{
    write_text("n.csv", "a,y\n1,2.5\n2,4.5\n3,7.5\n4,8.5\n");
}

static void train(const char *yaml, const char *run)
{
    write_text("net.yaml", yaml);
    assert_code(norma("train", "net.yaml", "--out", run, "--quiet"), 0);
}

START_TEST(more_classes_than_can_be_read_have_no_matrix)
{
    static char table[2048] = "a,y\n";
    for (int i = 0; i < 82; i++) {
        char line[32];
        snprintf(line, sizeof line, "%d,class%d\n", i, i % 41);
        strcat(table, line);
    }
    write_text("t.csv", table);
    train("model: [dense: {units: 41}]\nloss: cross_entropy\n"
          "data: {train: {csv: {path: t.csv}}, test: {csv: {path: t.csv}}}\n"
          "train: {epochs: 1, optimizer: {sgd: {rate: 0.1}}}\n",
          "classes");
    ck_assert_ptr_nonnull(strstr(
        page_of("classes"), "No matrix of classes: there are 41, and it is drawn for 2 to 40."));
}
END_TEST

START_TEST(more_weights_than_can_be_read_are_drawn_in_part)
{
    write_numbers();
    train("model: [repeat: {times: 33, body: [{dense: {units: 2}}]}, dense: {units: 1, bias: "
          "false}]\n"
          "loss: mse\ndata: {train: {csv: {path: n.csv}}}\n"
          "train: {epochs: 1, optimizer: {sgd: {rate: 0.01}}}\n",
          "deep");
    ck_assert_ptr_nonnull(
        strstr(page_of("deep"), "Of 34 weights and scales the first 32 are drawn."));
}
END_TEST

START_TEST(a_run_that_failed_is_told_beside_others)
{
    train("model: [dense: {units: 2}]\nloss: cross_entropy\ndata: {train: spirals}\n"
          "train: {epochs: 1, optimizer: {sgd: {rate: 0.1}}}\n",
          "fine");
    write_numbers();
    write_text("net.yaml",
               "model: [dense: {units: 1}]\nloss: mse\ndata: {train: {csv: {path: n.csv}}}\n"
               "train: {epochs: 99, optimizer: {sgd: {rate: 9}}, clip_norm: 0}\n");
    const ended *e = norma("train", "net.yaml", "--out", "failed", "--quiet");
    ck_assert_int_ne(e->code, 0);
    e = norma("report", "fine", "failed", "--out", "both.html");
    assert_code(e, 0);
    size_t size;
    char *page = read_text(test_path("both.html"), &size);
    ck_assert_ptr_nonnull(strstr(page, "failed failed: "));
    free(page);
}
END_TEST

/* Of a long run the figure has all points, and its table every third. */
START_TEST(a_long_runs_table_leaves_rows_out_but_not_the_last)
{
    static char log[1 << 16];
    size_t length = (size_t)sprintf(log, "{\"event\": \"start\", \"step\": 0}\n");
    for (int i = 1; i <= 450; i++) {
        length += (size_t)sprintf(log + length,
                                  "{\"event\": \"epoch\", \"epoch\": %d, \"step\": %d, "
                                  "\"train_loss\": %g}\n",
                                  i, 10 * i, 1.0 / i);
    }
    ck_assert_int_eq(mkdir(test_path("long"), 0777), 0);
    write_text("long/log.jsonl", log);
    const ended *e = norma("report", "long", "--out", "long.html");
    assert_code(e, 0);
    size_t size;
    char *page = read_text(test_path("long.html"), &size);
    ck_assert_ptr_nonnull(strstr(page, "<summary>The data, some of very many</summary>"));
    ck_assert_ptr_nonnull(strstr(page, "training</td><td class=\"r\">4500</td>"));
    ck_assert_ptr_nonnull(strstr(page, "training</td><td class=\"r\">40</td>"));
    ck_assert_ptr_null(strstr(page, "training</td><td class=\"r\">20</td>"));
    free(page);
}
END_TEST

START_TEST(a_run_that_has_just_begun_has_no_curves)
{
    ck_assert_int_eq(mkdir(test_path("begun"), 0777), 0);
    write_text("begun/log.jsonl", "{\"event\": \"start\", \"step\": 0}\n");
    assert_code(norma("report", "begun", "--out", "begun.html"), 0);
    size_t size;
    char *page = read_text(test_path("begun.html"), &size);
    ck_assert_ptr_nonnull(strstr(page, "No curves: no epoch has ended."));
    free(page);
}
END_TEST

TEST_MAIN("models/command_report", more_classes_than_can_be_read_have_no_matrix,
          more_weights_than_can_be_read_are_drawn_in_part, a_run_that_failed_is_told_beside_others,
          a_long_runs_table_leaves_rows_out_but_not_the_last,
          a_run_that_has_just_begun_has_no_curves)
