/* What is chosen to be drawn, written or found again: curves of many runs, gradients of some
 * inputs, temperatures and statistics, studies by their names. */
#include "tests/models/command_helpers.h"

static void train_with_validation(const char *folder)
{
    write_text("held.yaml", network);
    assert_code(norma("train", "held.yaml", "--quiet", "--out", folder, "--set", "train.epochs=2",
                      "--set", "data.test=null", "--set", "data.validation=0.2"),
                0);
}

static void copy_folder(const char *from, const char *to)
{
    char line[2048];
    snprintf(line, sizeof line, "cd '%s' && cp -R '%s' '%s'", test_folder(), from, to);
    ck_assert_int_eq(system(line), 0);
}

static int count_of(const char *text, const char *part)
{
    int count = 0;
    for (; (text = strstr(text, part)); text += strlen(part)) {
        count++;
    }
    return count;
}

/* ---- Curves ---- */

START_TEST(a_name_that_no_run_has_is_told_with_all_names_once)
{
    train_with_validation("one");
    copy_folder("one", "two");
    const ended *e = norma("plot", "one", "two", "--y", "nothing");
    assert_code(e, 2);
    assert_says(e->err, "the runs have no \"nothing\"; there is: ");
    ck_assert_int_eq(count_of(e->err, "validation_accuracy"), 1);
    e = norma("plot", "one", "--y", "nothing");
    assert_code(e, 2);
    assert_says(e->err, "the run has no \"nothing\"; there is: ");
    ck_assert_int_eq(count_of(e->err, "validation_accuracy"), 1);
}
END_TEST

/* 28 runs with as many curves each as layers have gradients. */
START_TEST(curves_that_a_figure_has_no_room_for_are_counted)
{
    static char names[28][16];
    const char *words[MAX_WORDS] = {"plot", "--y", "gradient_norms.norm"};
    int left_out = 0;
    write_text("held.yaml", network);
    assert_code(norma("train", "held.yaml", "--quiet", "--out", "full", "--set", "train.epochs=1",
                      "--set", "probes=[gradient_norms]"),
                0);
    for (int i = 0; i < 28; i++) {
        snprintf(names[i], sizeof names[i], "copy%d", i);
        copy_folder("full", names[i]);
        words[i + 3] = names[i];
    }
    const ended *e = finish(start(words, (running_options){0}));
    assert_code(e, 0);
    const char *said = strstr(e->out, "  not drawn: ");
    ck_assert_ptr_nonnull(said);
    ck_assert_int_eq(sscanf(said, "  not drawn: %d more curves", &left_out), 1);
    const int drawn = count_of(e->out, " copy");
    ck_assert_int_gt(left_out, 0);
    ck_assert_int_gt(drawn, 28);
    ck_assert_int_eq((drawn + left_out) % 28, 0);
}
END_TEST

/* By the locale's characters. */
START_TEST(a_terminal_without_unicode_gets_ascii)
{
    train_with_validation("plain");
    const ended *e = finish(
        start(WORDS("plot", "plain"), (running_options){.variable = "LC_ALL", .set_to = "C"}));
    assert_code(e, 0);
    for (const char *c = e->out; *c; c++) {
        ck_assert_int_gt((signed char)*c, 0);
    }
    e = finish(start(WORDS("plot", "plain"),
                     (running_options){.variable = "LC_ALL", .set_to = "C.UTF-8"}));
    assert_code(e, 0);
    assert_says(e->out, "│");
    e = finish(start(WORDS("plot", "plain"),
                     (running_options){.variable = "LC_ALL", .set_to = "de.utf8"}));
    assert_says(e->out, "│");
}
END_TEST

/* ---- Temperatures and statistics ---- */

START_TEST(a_temperature_is_said_to_belong_to_the_statistics_before)
{
    train_with_validation("warm");
    ck_assert_ptr_null(
        strstr(norma("calibrate", "warm", "--statistics", "--dry-run")->out, "its temperature"));
    assert_code(norma("calibrate", "warm", "--quiet"), 0);
    const ended *e = norma("calibrate", "warm", "--statistics", "--dry-run");
    assert_code(e, 0);
    assert_says(e->out, "nothing was written\n");
    e = norma("calibrate", "warm", "--statistics");
    assert_code(e, 0);
    assert_says(e->out, "its temperature belongs to the statistics that it had: find it again");
    e = norma("calibrate", "warm", "--statistics", "--undo");
    assert_code(e, 2);
    assert_says(e->err, "the statistics that a file had are not kept: copy it before");
    e = norma("calibrate", "warm", "--statistics", "--on", "nothing");
    assert_code(e, 2);
    assert_says(e->err, "there is no set \"nothing\"");
}
END_TEST

START_TEST(networks_of_seeds_are_told_with_the_set_that_chose_them)
{
    write_text("held.yaml", network);
    const ended *e =
        norma("train", "held.yaml", "--seeds", "2", "--out", "seeds", "--set", "train.epochs=1",
              "--set", "data.test=null", "--set", "data.validation=0.2");
    assert_code(e, 0);
    assert_says(e->out, "mean of 2 seeds, on the validation set, which chose them: loss ");
    assert_says(e->out, "saved in seeds: 2 networks (seed-");
    e = norma("train", "held.yaml", "--seeds", "2", "--out", "tested", "--set", "train.epochs=1");
    assert_code(e, 0);
    assert_says(e->out, "mean of 2 seeds, on the test set: loss ");
}
END_TEST

/* ---- Gradients of arrays ---- */

static void write_arrays(void)
{
    nm_context *context = nm_open(NULL);
    nm_tensor *x = nm_tensor_create(context, NM_F32, NM_SHAPE(2, 3));
    nm_tensor *i = nm_tensor_create(context, NM_I32, NM_SHAPE(2));
    ck_assert_int_eq(nm_tensor_fill(x, 1), NM_OK);
    ck_assert_int_eq(nm_npy_write(x, test_path("x.npy")), NM_OK);
    ck_assert_int_eq(nm_npy_write(i, test_path("i.npy")), NM_OK);
    nm_tensor_destroy(x);
    nm_tensor_destroy(i);
    nm_close(context);
}

START_TEST(a_gradient_that_cannot_be_is_told_by_its_input)
{
    static const struct {
        const char *words[14], *says;
        int code;
    } cases[] = {
        {{"op", "index_select", "--in", "x.npy", "--in", "i.npy", "--grad-out", "x.npy",
          "--grad-in", "-", "--grad-in", "g.npy"},
         "--grad-in g.npy: input 1 holds i32, which has no gradient; give - in its place",
         2},
        {{"op", "relu", "--in", "x.npy", "--grad-out", "x.npy", "--grad-in", "-", "--grad-in",
          "g.npy"},
         "--grad-in g.npy: there is no input 1",
         2},
        {{"op", "relu", "--in", "x.npy", "--grad-out", "x.npy", "--grad-in", "none/g.npy"},
         "cannot write \"none/g.npy\"",
         1},
        {{"op", "relu", "--in", "x.npy", "--out", "none/y.npy"}, "cannot write \"none/y.npy\"", 1},
        {{"op", "relu", "--in", "x.npy", "--out", "-", "--out", "-"}, "--out - is one more", 2},
    };
    write_arrays();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const ended *e = finish(start(cases[i].words, (running_options){0}));
        assert_code(e, cases[i].code);
        assert_says(e->err, cases[i].says);
    }
    ck_assert(!is_there("g.npy"));
    assert_code(norma("op", "index_select", "--in", "x.npy", "--in", "i.npy", "--grad-out", "x.npy",
                      "--grad-in", "g.npy", "--grad-in", "-"),
                0);
    ck_assert(is_there("g.npy"));
}
END_TEST

/* ---- Studies ---- */

#define STUDY                                                                                      \
    "title: Layers\n"                                                                              \
    "base:\n"                                                                                      \
    "  model: {input: [2], layers: $layers}\n"                                                     \
    "  data: {train: {spirals: {points: 20}}, batch: 40}\n"                                        \
    "  loss: cross_entropy\n"                                                                      \
    "  train: {epochs: 1, optimizer: {sgd: {rate: 0.1}}, checkpoint_every: 0}\n"                   \
    "variants: {only: {}}\n"                                                                       \
    "seeds: 2\n"                                                                                   \
    "axes: {layers: [[{dense: {units: 2}}], [{dense: {units: 2}}, {dense: {units: 2}}]]}\n"        \
    "measures: {rate: {history: rate, take: first}}\n"

START_TEST(values_of_an_axis_may_be_lists_and_a_file_needs_no_ending)
{
    size_t size;
    write_text("layers",
               STUDY "claims: [{claim: c, measure: rate, of: {variant: only, layers: [{dense: "
                     "{units: 2}}]}, than: {variant: only, layers: [{dense: {units: 2}}, {dense: "
                     "{units: 2}}]}, expect: equal, within: 1e-9}]\n"
                     "plots: [{title: Rates, measure: rate, label: how fast it learns}]\n");
    const ended *e = norma("study", "layers", "--out", "layers.d", "--quiet");
    assert_code(e, 0);
    char *text = read_text(test_path("layers.d/results.json"), &size);
    assert_says(text, "\"verdict\": \"supported\"");
    free(text);
    text = read_text(test_path("layers.d/index.html"), &size);
    assert_says(text, "how fast it learns");
    free(text);
    write_text("layers",
               STUDY "claims: [{claim: c, measure: rate, of: {variant: only, layers: [{dense: "
                     "{units: 2}}, relu]}, than: 1}]\n");
    e = norma("study", "layers", "--check");
    assert_code(e, 2);
    assert_says(e->err, "the axis \"layers\" has no such value");
    e = norma("study", "none/layers");
    assert_code(e, 1);
    assert_says(e->err, "cannot read \"none/layers\"");
}
END_TEST

TEST_MAIN("models/command_choices", a_name_that_no_run_has_is_told_with_all_names_once,
          curves_that_a_figure_has_no_room_for_are_counted, a_terminal_without_unicode_gets_ascii,
          a_temperature_is_said_to_belong_to_the_statistics_before,
          networks_of_seeds_are_told_with_the_set_that_chose_them,
          a_gradient_that_cannot_be_is_told_by_its_input,
          values_of_an_axis_may_be_lists_and_a_file_needs_no_ending)
