/* norma train --resume: a run goes on as what it was, or says what is other than before. */
#include "tests/models/command_helpers.h"

/* Three epochs in the folder, with the settings that follow. */
#define begin_run(folder, ...)                                                                     \
    write_text("net.yaml", network);                                                               \
    assert_code(norma("train", "net.yaml", "--quiet", "--out", folder, __VA_ARGS__), 0)

START_TEST(the_same_configuration_goes_on_without_a_word)
{
    begin_run("same", "--set", "train.steps=13", "--set", "train.epochs=9");
    write_text("other.yaml", "# The same, written otherwise.\n");
    size_t size;
    char *text = read_text(test_path("same/network.yaml"), &size);
    char both[2048];
    snprintf(both, sizeof both, "# The same, written otherwise.\n%s", text);
    free(text);
    write_text("other.yaml", both);
    const ended *e = norma("train", "other.yaml", "--quiet", "--out", "same", "--resume");
    assert_code(e, 0);
    ck_assert_str_eq(e->err, "");
}
END_TEST

START_TEST(another_network_data_loss_or_seed_is_refused_with_what_differs)
{
    static const struct {
        const char *setting, *says;
    } cases[] = {
        {"model.2=tanh", "  model.2: relu before, now tanh\n"},
        {"model.0.dense.units=17", "  model.0.dense.units: 16 before, now 17\n"},
        {"model.1={batch_norm: {eps: 0.1}}", "  model.1.batch_norm.eps: 1e-5 before, now 0.1\n"},
        {"data.normalize=auto", "  data.normalize: default before, now auto\n"},
        {"data.batch=20", "  data.batch: 40 before, now 20\n"},
        {"data.test.spirals.seed=9", "  data.test.spirals.seed: 2 before, now 9\n"},
        {"train.seed=2", "  train.seed: 1 before, now 2\n"},
        {"train.accumulate=2", "  train.accumulate: 1 before, now 2\n"},
    };
    begin_run("fixed", "--set", "train.seed=1");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const ended *e = norma("train", "net.yaml", "--out", "fixed", "--resume", "--set",
                               "train.epochs=4", "--set", cases[i].setting);
        assert_code(e, 2);
        assert_says(e->err, "norma: fixed is a run of another configuration:\n");
        assert_says(e->err, cases[i].says);
        assert_says(e->err,
                    "to go on as it was: norma train fixed/network.yaml --out fixed --resume");
        ck_assert_ptr_null(strstr(e->err, "epoch 4"));
    }
    const ended *e = norma("train", "fixed/network.yaml", "--out", "fixed", "--resume");
    assert_code(e, 0);
    assert_says(e->out, "there was nothing left to train");
}
END_TEST

START_TEST(fewer_epochs_than_were_made_take_none_back)
{
    begin_run("fewer", "--set", "data.validation=0.2");
    const ended *e = norma("train", "net.yaml", "--out", "fewer", "--resume", "--set",
                           "data.validation=0.2", "--set", "train.epochs=1");
    assert_code(e, 0);
    assert_says(e->out, " of 3)"); /* the best epoch, of those that were made */
    assert_says(e->out, "there was nothing left to train");
}
END_TEST

START_TEST(other_values_are_told_and_become_the_runs_own)
{
    begin_run("values", "--set", "train.schedule=constant");
    const ended *e =
        norma("train", "net.yaml", "--out", "values", "--resume", "--quiet", "--set",
              "train.schedule=constant", "--set", "train.optimizer.sgd.rate=0.05", "--set",
              "train.epochs=5", "--set", "train.clip_norm=2", "--set",
              "model={fuse: no, layers: "
              "[dense: {units: 16, bias: false}, batch_norm, relu, dense: {units: 2}]}");
    assert_code(e, 0);
    ck_assert_str_eq(e->err,
                     "norma: values goes on with other values:\n"
                     "  train.epochs: 3 before, now 5\n"
                     "  train.optimizer.sgd.rate: 0.1 before, now 0.05\n"
                     "  train.clip_norm: auto before, now 2\n"
                     "  the learning rate goes from 0.1 in update 30 to 0.05 in the next\n");
    e = norma("train", "values/network.yaml", "--out", "values", "--resume", "--set",
              "train.epochs=6", "--quiet");
    assert_code(e, 0);
    ck_assert_str_eq(e->err, "norma: values goes on with other values:\n"
                             "  train.epochs: 5 before, now 6\n");
}
END_TEST

/* open_clip#413 */
START_TEST(a_schedule_that_is_stretched_says_what_the_rate_does)
{
    begin_run("stretched", "--set", "train.epochs=3");
    const ended *e = norma("train", "net.yaml", "--out", "stretched", "--resume", "--quiet",
                           "--set", "train.epochs=5");
    assert_code(e, 0);
    assert_says(e->err, "  the learning rate goes from 0.0002739 in update 30 to 0.03455 in the "
                        "next, since the schedule \"cosine\" is stretched from 30 updates to 50\n");
    /* Cut short, and then as it was planned: nothing is stretched. */
    begin_run("cut", "--set", "train.epochs=5", "--set", "train.schedule=constant", "--set",
              "train.steps=7");
    e = norma("train", "net.yaml", "--out", "cut", "--resume", "--quiet", "--set", "train.epochs=5",
              "--set", "train.schedule=constant");
    assert_code(e, 0);
    ck_assert_ptr_null(strstr(e->err, "learning rate"));
}
END_TEST

START_TEST(another_file_of_the_same_samples_is_the_same_data)
{
    char rows[2048];
    size_t length = 0;
    for (int i = 0; i < 60; i++) {
        length += (size_t)snprintf(rows + length, sizeof rows - length, "%d.5,%d,%d\n", i % 7,
                                   9 - i % 5, i % 2);
    }
    write_text("a.csv", rows);
    write_text("b.csv", rows);
    rows[length / 2] ^= 1; /* in the middle: no sample is left out */
    write_text("c.csv", rows);
    begin_run("samples", "--set", "data.train={csv: {path: a.csv}}", "--set", "data.test=~");
    const ended *e = norma("train", "net.yaml", "--out", "samples", "--resume", "--quiet", "--set",
                           "data.train={csv: {path: b.csv}}", "--set", "data.test=~");
    assert_code(e, 0);
    assert_says(e->err, "path: a.csv before, now b.csv\n");
    e = norma("train", "net.yaml", "--out", "samples", "--resume", "--quiet", "--set",
              "data.train={csv: {path: c.csv}}", "--set", "data.test=~");
    assert_code(e, 2);
    assert_says(e->err, "the training set differs");
}
END_TEST

/* In the run's file the path begins with ../ and, since it has a blank and a colon, is quoted. */
START_TEST(one_file_by_two_paths_is_no_change)
{
    write_text("a: b.csv", "x,y,kind\n1,2,a\n2,1,b\n3,2,a\n1,3,b\n5,2,a\n1,4,b\n2,2,a\n3,3,b\n");
    begin_run("two", "--set", "data.train={csv: {path: \"a: b.csv\"}}", "--set", "data.test=~");
    const ended *e =
        norma("train", "net.yaml", "--out", "two", "--resume", "--quiet", "--set",
              "data.train={csv: {path: \"./two/../a: b.csv\"}}", "--set", "data.test=~");
    assert_code(e, 0);
    ck_assert_ptr_null(strstr(e->err, "before, now"));
}
END_TEST

START_TEST(a_folder_without_its_file_goes_by_the_checkpoint)
{
    begin_run("bare", "--set", "train.epochs=2");
    ck_assert_int_eq(unlink(test_path("bare/network.yaml")), 0);
    assert_code(norma("train", "net.yaml", "--out", "bare", "--resume", "--quiet"), 0);
    write_text("bare/network.yaml", "train: 3\n");
    const ended *e = norma("train", "net.yaml", "--out", "bare", "--resume", "--quiet");
    assert_code(e, 2);
    assert_says(e->err, "bare/network.yaml:1:8: train: expected a map of options");
}
END_TEST

static int lines_of(const char *text, const char *part)
{
    int count = 0;
    for (const char *at = text; (at = strstr(at, part)); at += strlen(part)) {
        count++;
    }
    return count;
}

/* The first part looked at step 12, its end; the second begins with it. */
START_TEST(what_probes_found_stands_there_once)
{
    size_t size;
    begin_run("probed", "--set", "train.steps=12", "--set",
              "probes=[{weight_norms: {every: 6, layers: [dense1]}}]");
    const ended *e =
        norma("train", "net.yaml", "--quiet", "--out", "probed", "--resume", "--set",
              "train.steps=18", "--set", "probes=[{weight_norms: {every: 6, layers: [dense1]}}]");
    assert_code(e, 0);
    char *text = read_text(test_path("probed/probes.jsonl"), &size);
    ck_assert_int_eq(lines_of(text, "\n"), 4);
    ck_assert_int_eq(lines_of(text, "{\"step\": 0, \"probe\": \"weight_norms\", "), 1);
    ck_assert_int_eq(lines_of(text, "{\"step\": 6, "), 1);
    ck_assert_int_eq(lines_of(text, "{\"step\": 12, "), 1);
    ck_assert_int_eq(lines_of(text, "{\"step\": 18, "), 1);
    free(text);
}
END_TEST

TEST_MAIN("models/command_resume", what_probes_found_stands_there_once,
          the_same_configuration_goes_on_without_a_word,
          another_network_data_loss_or_seed_is_refused_with_what_differs,
          fewer_epochs_than_were_made_take_none_back, other_values_are_told_and_become_the_runs_own,
          a_schedule_that_is_stretched_says_what_the_rate_does,
          another_file_of_the_same_samples_is_the_same_data, one_file_by_two_paths_is_no_change,
          a_folder_without_its_file_goes_by_the_checkpoint)
