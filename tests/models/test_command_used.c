/* network.yaml in a run's folder: the file as it was used, of use on its own. */
#include "tests/models/command_helpers.h"

static const char net[] = "# Three kinds.\n"
                          "model:\n"
                          "  - dense: {units: 8} # wide enough\n"
                          "  - relu\n"
                          "  - dense: {units: 3}\n"
                          "data:\n"
                          "  train: {csv: {path: kinds.csv}} # beside this file\n"
                          "  batch: 10\n"
                          "loss: cross_entropy\n"
                          "train:\n"
                          "  epochs: 2\n"
                          "  optimizer: {sgd: {rate: 0.1}}\n";

/* NAME/net.yaml and NAME/kinds.csv, 60 rows. */
static void write_project(const char *name)
{
    char path[128], rows[4096];
    size_t length = 0;
    for (int i = 0; i < 60; i++) {
        length += (size_t)snprintf(rows + length, sizeof rows - length, "%d.5,%d,%d\n",
                                   i % 3 * 4 + i % 7, 9 - i % 3 * 2, i % 3);
    }
    test_folder();
    mkdir(test_path(name), 0777);
    snprintf(path, sizeof path, "%s/kinds.csv", name);
    write_text(path, rows);
    snprintf(path, sizeof path, "%s/net.yaml", name);
    write_text(path, net);
}

static void assert_text(const char *name, const char *expected)
{
    size_t size;
    char *text = read_text(test_path(name), &size);
    ck_assert_str_eq(text, expected);
    free(text);
}

START_TEST(settings_are_applied_and_comments_kept)
{
    write_project("used");
    assert_code(norma("train", "used/net.yaml", "--out", "used/run", "--quiet", "--set",
                      "model.0.dense.units=5", "--set", "train.seed=3", "--set",
                      "train.optimizer.sgd.momentum=0.5"),
                0);
    assert_text("used/run/network.yaml", "# Three kinds.\n"
                                         "model:\n"
                                         "  - dense: {units: 5} # wide enough\n"
                                         "  - relu\n"
                                         "  - dense: {units: 3}\n"
                                         "data:\n"
                                         "  train: {csv: {path: ../kinds.csv}} # beside this file\n"
                                         "  batch: 10\n"
                                         "loss: cross_entropy\n"
                                         "train:\n"
                                         "  epochs: 2\n"
                                         "  optimizer: {sgd: {rate: 0.1, momentum: 0.5}}\n"
                                         "  seed: 3\n");
}
END_TEST

START_TEST(a_run_is_evaluated_and_repeated_by_its_own_file)
{
    const char *last = "";
    write_project("own");
    const ended *e = norma("train", "own/net.yaml", "--out", "own/deep/run", "--quiet", "--json",
                           "--set", "model.0.dense.units=5");
    assert_code(e, 0);
    json_lines(e->out, &last);
    double loss = json_field(last, "train_loss");
    assert_code(norma("eval", "own/deep/run/network.yaml", "--weights", "own/deep/run"), 0);
    e = norma("eval", "own/deep/run/network.yaml");
    assert_code(e, 0);
    ck_assert_str_eq(e->err, "");
    assert_says(e->out, "own/deep/run/best.safetensors)");
    assert_code(norma("train", "own/deep/run/network.yaml", "--out", "own/again", "--quiet"), 0);
    assert_same_bytes("own/deep/run/checkpoint.safetensors", "own/again/checkpoint.safetensors");
    e = norma("train", "own/deep/run/network.yaml", "--out", "own/again", "--resume", "--json");
    json_lines(e->out, &last);
    ck_assert_double_eq(json_field(last, "train_loss"), loss);
}
END_TEST

START_TEST(a_file_that_says_all_itself_is_copied_byte_by_byte)
{
    static const char odd[] = "%YAML 1.1\n"
                              "--- # odd, but fine\n"
                              "model: [ dense: {units: &two 2},]\r\n"
                              "data: {train: {spirals: {points: 40}}, 'batch' : 20}\n"
                              "\"loss\": cross_entropy   \n"
                              "train:\n"
                              "         epochs: *two\n"
                              "         optimizer: !!str sgd\n";
    char text[512];
    snprintf(text, sizeof text, "%s", odd);
    *strstr(text, "!!str sgd") = 0;
    strcat(text, "{sgd: {rate: 0.1}}\n...\n");
    write_text("odd.yaml", text);
    assert_code(norma("train", "odd.yaml", "--out", "odd", "--quiet"), 0);
    assert_text("odd/network.yaml", text);
}
END_TEST

START_TEST(a_data_set_is_found_from_the_files_folder_wherever_one_stands)
{
    write_project("from");
    ck_assert_int_eq(mkdir(test_path("from/below"), 0777), 0);
    char line[2048], program[512];
    build_file(program, "NORMA_BUILD", "norma");
    snprintf(line, sizeof line,
             "cd '%s/from/below' && '%s' train ../net.yaml --quiet 2>said && ! test -s said && "
             "'%s' train ../net.yaml --quiet --set data.train.csv.path=none.csv 2>said; "
             "grep -q 'cannot read none.csv' said",
             test_folder(), program, program);
    ck_assert_int_eq(system(line), 0);
    /* Only from the current folder: taken, with a word, and kept where it is found again. */
    ck_assert_int_eq(rename(test_path("from/kinds.csv"), test_path("kinds.csv")), 0);
    const ended *e = norma("train", "from/net.yaml", "--out", "from/run", "--quiet");
    assert_code(e, 0);
    assert_says(e->err, "from/net.yaml:7:23: \"kinds.csv\" is not in the folder of the file but in "
                        "the current one; it is taken from there\n");
    e = norma("eval", "from/run/network.yaml");
    assert_code(e, 0);
    ck_assert_str_eq(e->err, "");
    unlink(test_path("kinds.csv"));
}
END_TEST

START_TEST(a_file_from_a_pipe_is_kept_whole)
{
    char line[2048], program[512];
    build_file(program, "NORMA_BUILD", "norma");
    write_text("piped.yaml", network);
    snprintf(line, sizeof line,
             "bash -c \"cd '%s' && '%s' train <(cat piped.yaml) --out piped --quiet --set "
             "train.epochs=1\"",
             test_folder(), program);
    ck_assert_int_eq(system(line), 0);
    assert_code(norma("eval", "piped/network.yaml"), 0);
    /* What is printed to go on does not name the pipe, which is gone. */
    snprintf(
        line, sizeof line,
        "bash -c \"cd '%s'; '%s' train <(cat piped.yaml) --out 'piped 2' --quiet --json "
        "--set train.epochs=100000 --set train.checkpoint_every_steps=30 >out & "
        "for i in {1..6000}; do test -e 'piped 2/checkpoint.safetensors' && break; sleep 0.01; "
        "done; kill -TERM \\$!; wait \\$!; exit \\$?\"",
        test_folder(), program);
    ck_assert_int_ne(system(line), 0);
    size_t size;
    char *out = read_text(test_path("out"), &size);
    assert_says(out, "\"resume\": \"norma train 'piped 2/network.yaml' --out 'piped 2' --resume\"");
    free(out);
}
END_TEST

TEST_MAIN("models/command_used", settings_are_applied_and_comments_kept,
          a_run_is_evaluated_and_repeated_by_its_own_file,
          a_file_that_says_all_itself_is_copied_byte_by_byte,
          a_data_set_is_found_from_the_files_folder_wherever_one_stands,
          a_file_from_a_pipe_is_kept_whole)
