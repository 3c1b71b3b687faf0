/* norma plot: curves of runs as they were written down. */
#include <sys/file.h>

#include "tests/models/command_helpers.h"

/* The log of a run of so many epochs of ten steps, whose loss falls from 1 by a tenth. */
static void write_run(const char *folder, int epochs, const char *end)
{
    char text[8192] = "{\"event\": \"start\", \"step\": 0}\n", path[256];
    for (int i = 1; i <= epochs; i++) {
        snprintf(
            text + strlen(text), sizeof text - strlen(text),
            "{\"event\": \"epoch\", \"epoch\": %d, \"step\": %d, \"rate\": 0.1, \"train_loss\": "
            "%.1f, \"validation_loss\": %.1f, \"validation_metric\": 0.5, "
            "\"validation_accuracy\": 0.5, \"seconds\": %d.5}\n",
            i, 10 * i, 1 - 0.1 * i, 1.1 - 0.1 * i, i);
    }
    strcat(text, end);
    mkdir(test_path(folder), 0777);
    snprintf(path, sizeof path, "%s/log.jsonl", folder);
    write_text(path, text);
}

/* The points of an SVG's data, which its description tells. */
static void assert_describes(const char *file, const char *part)
{
    size_t size;
    char *text = read_text(test_path(file), &size);
    ck_assert_msg(strstr(text, part) != NULL, "no \"%s\" in: %.2000s", part, strstr(text, "<desc"));
    free(text);
}

#define FINISHED "{\"event\": \"end\", \"end\": \"finished\"}\n"

START_TEST(a_run_s_loss_and_metric_are_drawn)
{
    write_run("over", 5, FINISHED);
    const ended *e = norma("plot", "over");
    assert_code(e, 0);
    assert_says(e->out, "Loss\nloss\n");
    assert_says(e->out, "  * training  + validation\n");
    assert_says(e->out, "Accuracy\n");
    ck_assert_ptr_null(strstr(e->out, "\033"));
    ck_assert_ptr_null(strstr(e->out, "was cut off"));
}
END_TEST

START_TEST(a_picture_has_the_values_of_the_log)
{
    write_run("over", 5, FINISHED);
    assert_code(norma("plot", "over", "--svg", "p.svg", "--y", "train_loss", "--x", "epoch"), 0);
    assert_describes("p.svg", "5 points; first 0.9 at 1, last 0.5 at 5, lowest 0.5 at 5, highest "
                              "0.9 at 1.");
    assert_code(norma("plot", "over", "--svg", "p.svg", "--y", "loss"), 0); /* its own: replaced */
    assert_describes("p.svg", "validation: a line of 5 points; first 1 at 10, last 0.6 at 50");
    assert_code(norma("plot", "over", "--svg", "p.svg", "--x", "seconds", "--smooth", "2", "--y",
                      "train_loss"),
                0);
    assert_describes("p.svg", "first 0.9 at 1.5, last 0.55 at 5.5");
}
END_TEST

START_TEST(a_run_that_goes_on_can_be_seen)
{
    write_run("going", 3, "{\"event\": \"epoch\", \"epoch\": 4, \"st");
    const ended *e = norma("plot", "going");
    assert_code(e, 0);
    assert_says(e->out, "going was cut off after epoch 3\n");
    const int log = open(test_path("going/log.jsonl"), O_RDONLY);
    ck_assert_int_eq(flock(log, LOCK_EX), 0);
    e = norma("plot", "going");
    assert_code(e, 0);
    assert_says(e->out, "going goes on after epoch 3\n");
    close(log);
    write_run("going", 2,
              "{\"event\": \"end\", \"end\": \"failed\", \"error\": \"NaN \\u001b\"}\n");
    assert_says(norma("plot", "going")->out, "going failed after epoch 2: NaN \\u001b\n");
}
END_TEST

START_TEST(what_a_resumed_run_did_again_is_drawn_once)
{
    write_run("again", 3,
              "{\"event\": \"start\", \"step\": 10}\n"
              "{\"event\": \"epoch\", \"epoch\": 2, \"step\": 20, \"train_loss\": 0.25}\n");
    assert_code(norma("plot", "again", "--svg", "again.svg", "--y", "train_loss"), 0);
    assert_describes("again.svg", "2 points; first 0.9 at 10, last 0.25 at 20");
}
END_TEST

START_TEST(values_that_are_no_numbers_leave_gaps)
{
    write_run("null", 2,
              "{\"event\": \"epoch\", \"epoch\": 3, \"step\": 30, \"train_loss\": null}\n"
              "{\"event\": \"epoch\", \"epoch\": 4, \"step\": 40, \"train_loss\": 0}\n");
    const ended *e = norma("plot", "null", "--y", "train_loss");
    assert_says(e->out, "not drawn: 1 without a finite value\n");
    assert_says(norma("plot", "null", "--y", "train_loss", "--log")->out,
                "not drawn: 2 without a finite value, or of zero or less on a logarithmic axis\n");
}
END_TEST

START_TEST(several_runs_are_drawn_over_each_other)
{
    write_run("one", 4, FINISHED);
    write_run("two", 5, FINISHED);
    assert_code(norma("plot", "one/", "two", "--svg", "both.svg"), 0);
    assert_describes("both.svg", "validation loss over step. one: a line of 4 points");
    assert_describes("both.svg", " two: a line of 5 points");
}
END_TEST

START_TEST(the_runs_of_seeds_are_found_by_their_folder)
{
    write_run("seeds", 0, FINISHED);
    write_run("seeds/seed-10", 3, FINISHED);
    write_run("seeds/seed-9", 2, FINISHED);
    assert_code(norma("plot", "seeds", "--svg", "seeds.svg"), 0);
    assert_describes("seeds.svg",
                     "seeds/seed-9: a line of 2 points; first 1 at 10, last 0.9 at 20, "
                     "lowest 0.9 at 20, highest 1 at 10. seeds/seed-10: a line of 3");
}
END_TEST

START_TEST(what_probes_found_is_drawn_by_layer)
{
    write_run("probed", 2, FINISHED);
    write_text("probed/probes.jsonl",
               "{\"step\": 0, \"probe\": \"gradient_norms\", \"layer\": \"dense1\", \"norm\": 3}\n"
               "{\"step\": 0, \"probe\": \"gradient_norms\", \"layer\": \"dense2\", \"norm\": 4}\n"
               "{\"step\": 10, \"probe\": \"gradient_norms\", \"layer\": \"dense1\", \"norm\": 2}\n"
               "{\"step\": 10, \"probe\": \"gradient_norms\", \"norm\": 7}\n"
               "{\"step\": 10, \"pro");
    assert_code(norma("plot", "probed", "--y", "gradient_norms.norm", "--svg", "n.svg"), 0);
    assert_describes("n.svg", "dense1: a line of 2 points; first 3 at 0, last 2 at 10");
    assert_describes("n.svg", "dense2: a line of 1 point; first 4 at 0");
    assert_describes("n.svg", "whole network: a line of 1 point; first 7 at 10");
    assert_describes("n.svg", "Plot: gradient norms: norm over step.");
}
END_TEST

/* Whatever a file of that name has in it. */
START_TEST(what_is_no_log_of_ours_does_no_harm)
{
    static const char *const texts[] = {
        "",
        "\n",
        "{",
        "{{{{,,\n",
        "[1, 2]\n",
        "{\"event\": \"epoch\"}\n",
        "{\"event\"\n",
        "{\"event\": \"epoch\", \"epoch\": -1, \"step\": 1e999, \"a\": 1}\n",
        "{\"event\": \"epoch\", \"epoch\": 1e300, \"step\": 1e300, \"train_loss\": 1e308, \"\": "
        "1}\n",
        "{\"event\": \"epoch\", \"epoch\": 1, \"step\": 1, \"x\": [1, {\"y\": 2}], \"z\": "
        "\"\\\"}\n",
    };
    mkdir(test_path("odd"), 0777);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        write_text("odd/log.jsonl", texts[i]);
        const ended *e = norma("plot", "odd");
        ck_assert_msg(e->code == 0 || e->code == 2, "%d for %s: %s", e->code, texts[i], e->err);
        if (e->code) {
            assert_says(e->err, "there is nothing to plot yet: no epoch has ended");
        }
    }
}
END_TEST

START_TEST(mistakes_are_told)
{
    write_run("over", 2, FINISHED);
    const ended *e = norma("plot", "over", "--y", "los");
    assert_code(e, 2);
    assert_says(e->err, "the run has no \"los\"; there is: rate, train_loss, validation_loss");
    e = norma("plot", "nowhere");
    assert_code(e, 2);
    assert_says(e->err, "nowhere: is no folder of a run: there is no log.jsonl in it");
    e = norma("plot", "over", "--x", "day");
    assert_code(e, 2);
    assert_says(e->err, "--x takes step, epoch or seconds");
    e = norma("plot", "over", "--smooth", "0");
    assert_code(e, 2);
    assert_says(e->err, "--smooth takes a number of points from 1 to 100000");
    e = norma("plot", "over", "--svg", "over/log.jsonl");
    assert_code(e, 2);
    assert_says(e->err, "is there already and was not written by norma");
}
END_TEST

TEST_MAIN("models/command_plot", a_run_s_loss_and_metric_are_drawn,
          a_picture_has_the_values_of_the_log, a_run_that_goes_on_can_be_seen,
          what_a_resumed_run_did_again_is_drawn_once, values_that_are_no_numbers_leave_gaps,
          several_runs_are_drawn_over_each_other, the_runs_of_seeds_are_found_by_their_folder,
          what_probes_found_is_drawn_by_layer, what_is_no_log_of_ours_does_no_harm,
          mistakes_are_told)
