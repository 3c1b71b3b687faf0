/* Which run of a file is taken, names that are nearly too long, and files that name plugins. */
#include "tests/models/command_helpers.h"

static void train_once(const char *file)
{
    write_text(file, network);
    assert_code(norma("train", file, "--quiet", "--set", "train.epochs=1"), 0);
}

/* Another run that began in the same second. */
static void copy_run(const char *from, const char *to)
{
    char line[2048];
    snprintf(line, sizeof line, "cd '%s/runs' && cp -R '%s' '%s'", test_folder(), from, to);
    ck_assert_int_eq(system(line), 0);
}

static void remove_networks(const char *run)
{
    char name[256];
    snprintf(name, sizeof name, "runs/%s/best.safetensors", run);
    ck_assert_int_eq(unlink(test_path(name)), 0);
    snprintf(name, sizeof name, "runs/%s/checkpoint.safetensors", run);
    ck_assert_int_eq(unlink(test_path(name)), 0);
}

START_TEST(of_runs_of_one_second_the_highest_number_is_the_newest)
{
    static const char *const copies[] = {"many-2",  "many-10", "many-1", "many-x",
                                         "many-2b", "many2",   "many-",  "many-99999999999"};
    train_once("many.yaml");
    for (size_t i = 0; i < sizeof copies / sizeof *copies; i++) {
        copy_run("many", copies[i]);
    }
    assert_says(norma("eval", "many.yaml", "--quiet")->out, "runs/many-10/best.safetensors)");
}
END_TEST

START_TEST(a_newest_run_without_a_network_is_passed_over_and_that_is_said)
{
    train_once("bare.yaml");
    copy_run("bare", "bare-2");
    remove_networks("bare-2");
    const ended *e = norma("eval", "bare.yaml", "--quiet");
    assert_code(e, 0);
    assert_says(e->err, "norma: runs/bare-2 has no network yet; taking runs/bare\n");
    assert_says(e->out, "runs/bare/best.safetensors)");
    ck_assert_int_eq(mkdir(test_path("runs/bare-2/fold-1"), 0777), 0);
    e = norma("eval", "bare.yaml", "--quiet");
    assert_code(e, 0);
    assert_says(e->err, "runs/bare-2 holds folds, none of which is it; taking runs/bare\n");
    e = norma("eval", "bare.yaml", "--weights", "runs/bare-2");
    assert_code(e, 2);
    assert_says(e->err, "runs/bare-2 holds the folds of a cross-validation; give one of them");
    e = norma("train", "bare.yaml", "--resume");
    assert_code(e, 2);
    assert_says(e->err, "to go on with it, give --folds as before");
}
END_TEST

START_TEST(a_folder_without_a_log_is_nobodys_run)
{
    write_text("nobody.yaml", network);
    mkdir(test_path("runs"), 0777);
    ck_assert_int_eq(mkdir(test_path("runs/nobody"), 0777), 0);
    const ended *e = norma("eval", "nobody.yaml");
    assert_code(e, 2);
    assert_says(e->err, "(runs/nobody is of an unknown file: it has no log); train it first");
}
END_TEST

START_TEST(a_file_without_an_ending_has_runs_of_its_whole_name)
{
    train_once("plain");
    train_once(".hidden");
    ck_assert(is_there("runs/plain/best.safetensors"));
    ck_assert(is_there("runs/.hidden/best.safetensors"));
    assert_says(norma("eval", ".hidden", "--quiet")->out, "runs/.hidden/best.safetensors)");
}
END_TEST

START_TEST(the_network_of_a_run_is_that_runs_wherever_one_stands)
{
    char line[2048], program[512];
    train_once("net.yaml");
    snprintf(line, sizeof line, "cd '%s/runs/net' && '%s' eval network.yaml --quiet > ../../said",
             test_folder(), build_file(program, "NORMA_BUILD", "norma"));
    ck_assert_int_eq(system(line), 0);
    size_t size;
    char *said = read_text(test_path("said"), &size);
    assert_says(said, "./best.safetensors)");
    free(said);
    ck_assert_int_eq(mkdir(test_path("other"), 0777), 0);
    write_text("other/network.yaml", network);
    const ended *e = norma("eval", "other/network.yaml");
    assert_code(e, 2);
    assert_says(e->err, "no run of other/network.yaml is in runs/; train it first");
    e = norma("eval", "runs/net", "--on", "tset");
    assert_code(e, 2);
    assert_says(e->err, "there is no set \"tset\"; --on takes train, validation or test");
}
END_TEST

/* `length` characters, in folders of fifty; another for each command. */
static const char *long_folder(int length, char letter)
{
    static char names[3][4200];
    char *name = names[letter - 'a'];
    for (int i = 0; i < length; i++) {
        name[i] = i % 51 == 50 && i + 1 < length ? '/' : letter;
    }
    name[length] = 0;
    return name;
}

/* Somewhere in them is a file whose path cannot be, and each has another. */
START_TEST(a_folder_whose_files_have_names_that_are_too_long_is_refused)
{
    static const int lengths[] = {4095, 4084, 4080, 4074, 4066, 4061};
    write_text("net.yaml", network);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        const char *const *const all[] = {
            WORDS("train", "net.yaml", "--quiet", "--out", long_folder(lengths[i], 'a')),
            WORDS("train", "net.yaml", "--quiet", "--seeds", "2", "--out",
                  long_folder(lengths[i], 'b')),
            WORDS("study", "dropout_before_norm", "--quick", "--quiet", "--out",
                  long_folder(lengths[i], 'c')),
        };
        for (size_t k = 0; k < sizeof all / sizeof *all; k++) {
            const ended *e = finish(start(all[k], (running_options){0}));
            ck_assert_msg(e->code == 1 || e->code == 2, "%s, %d: %d", all[k][0], lengths[i],
                          e->code);
            ck_assert_msg(strstr(e->err, "too long") != NULL, "%s, %d: %.99s ... %s", all[k][0],
                          lengths[i], e->err, e->err + strlen(e->err) - strnlen(e->err, 99));
        }
    }
}
END_TEST

/* ---- A failed run and plots ---- */

START_TEST(a_report_has_the_error_that_ended_a_run)
{
    size_t size;
    write_text("net.yaml", network);
    assert_code(norma("train", "net.yaml", "--quiet", "--out", "wild", "--set",
                      "train.optimizer.sgd.rate=1e30"),
                1);
    assert_code(norma("report", "wild", "--out", "wild.html"), 0);
    char *page = read_text(test_path("wild.html"), &size);
    assert_says(page, "wild failed: epoch 1, step ");
    assert_says(page, "clip the gradients");
    free(page);
}
END_TEST

START_TEST(points_are_smoothed_by_a_number_of_them)
{
    static const char *const wrong[] = {"x", "0", "-1", "100001", "2.5"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const ended *e = norma("plot", "run", "--smooth", wrong[i]);
        assert_code(e, 2);
        assert_says(e->err, "plot: --smooth takes a number of points from 1 to 100000");
    }
}
END_TEST

/* ---- Plugins that a file names ---- */

static const struct {
    const char *value, *says;
    bool loading;
} plugins[] = {
    {"[null]", "net.yaml:1:11: plugins: the path of a shared object is wanted", false},
    {"[[a.so]]", "net.yaml:1:11: plugins: the path of a shared object is wanted", true},
    {"{a: b}", "net.yaml:1:10: plugins: a list of paths is wanted, such as [softrelu.so]", true},
    {"none.so", "net.yaml:1:10: plugins: none.so is not loaded, and a file may not load", false},
    {"[none.so]", "net.yaml:1:11: plugins: none.so is not loaded, and a file may not", false},
    {"none.so", "net.yaml:1:10: plugin none.so: it cannot be found", true},
    {"[none.so]", "net.yaml:1:11: plugin none.so: it cannot be found", true},
};

START_TEST(plugins_of_a_file_that_cannot_be_are_told_with_their_place)
{
    char text[1024];
    for (size_t i = 0; i < sizeof plugins / sizeof *plugins; i++) {
        snprintf(text, sizeof text, "plugins: %s\n%s", plugins[i].value, network);
        write_text("net.yaml", text);
        const ended *e = plugins[i].loading ? norma("check", "net.yaml", "--load-plugins")
                                            : norma("check", "net.yaml");
        assert_code(e, 2);
        assert_says(e->err, plugins[i].says);
    }
    snprintf(text, sizeof text, "plugins: null\n%s", network);
    write_text("net.yaml", text);
    assert_code(norma("check", "net.yaml"), 0);
}
END_TEST

TEST_MAIN("models/command_places", of_runs_of_one_second_the_highest_number_is_the_newest,
          a_newest_run_without_a_network_is_passed_over_and_that_is_said,
          a_folder_without_a_log_is_nobodys_run,
          a_file_without_an_ending_has_runs_of_its_whole_name,
          the_network_of_a_run_is_that_runs_wherever_one_stands,
          a_folder_whose_files_have_names_that_are_too_long_is_refused,
          a_report_has_the_error_that_ended_a_run, points_are_smoothed_by_a_number_of_them,
          plugins_of_a_file_that_cannot_be_are_told_with_their_place)
