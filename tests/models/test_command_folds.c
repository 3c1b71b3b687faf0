/* norma train --folds and --seeds: several networks, what they come to, and all that can happen on
 * the way. */
#include <math.h>

#include "tests/models/command_helpers.h"

#define ROWS 60

static const char yaml[] = "model: [dense: {units: 6}, relu, dense: {units: 3}]\n"
                           "data: {train: {csv: {path: table.csv, target: class}}}\n"
                           "loss: cross_entropy\n"
                           "train: {epochs: 3}\n";

static void write_table(void)
{
    char text[8192];
    int length = snprintf(text, sizeof text, "who,x,y,class\n");
    for (int i = 0; i < ROWS; i++) {
        length += snprintf(text + length, sizeof text - (size_t)length, "p%d,%d.5,%d,%c\n", i % 12,
                           i % 3 * 9 + i % 7, i * i % 17, 'a' + i % 3);
    }
    write_text("table.csv", text);
    write_text("net.yaml", yaml);
}

/* The lines of an event, from `at` on; NULL after the last. */
static const char *next_event(const char *at, const char *event)
{
    char start[64];
    snprintf(start, sizeof start, "{\"event\": \"%s\"", event);
    return strstr(at, start);
}

/* Mean and deviation over the lines of `event`, by hand. */
static void assert_spread(const char *out, const char *event, const char *key, int count)
{
    double values[16] = {0}, mean = 0, sum = 0;
    int found = 0;
    char name[48];
    const char *result = next_event(out, "result");
    for (const char *at = out; (at = next_event(at, event)) && found < 16; at++) {
        values[found++] = json_field(at, key);
    }
    ck_assert_int_eq(found, count);
    for (int i = 0; i < count; i++) {
        mean += values[i] / count;
    }
    for (int i = 0; i < count; i++) {
        sum += (values[i] - mean) * (values[i] - mean);
    }
    snprintf(name, sizeof name, "%s_mean", key);
    assert_near(json_field(result, name), mean, 1e-9, 1e-12);
    snprintf(name, sizeof name, "%s_deviation", key);
    assert_near(json_field(result, name), sqrt(sum / (count - 1)), 1e-9, 1e-12);
}

START_TEST(folds_tell_the_mean_and_deviation_of_what_each_got)
{
    const char *last;
    write_table();
    const ended *e = norma("train", "net.yaml", "--folds", "4", "--out", "cv", "--json");
    assert_code(e, 0);
    json_lines(e->out, &last);
    assert_spread(e->out, "fold", "accuracy", 4);
    assert_spread(e->out, "fold", "loss", 4);
    assert_says(last, "\"folds\": 4, \"set\": \"folds\", \"rows\": 60");
    const double mean = json_field(last, "accuracy_mean"); /* folds of one size: of all rows too */
    const nm_interval interval = nm_wilson_interval(mean, ROWS);
    assert_near(json_field(last, "accuracy_low"), interval.low, 1e-9, 0);
    assert_near(json_field(last, "accuracy_high"), interval.high, 1e-9, 0);
    for (int f = 1; f <= 4; f++) {
        char folder[32], key[48];
        snprintf(folder, sizeof folder, "cv/fold-%d", f);
        e = norma("eval", folder, "--json");
        assert_code(e, 0);
        ck_assert_str_eq(e->err, "");
        assert_says(e->out, "\"set\": \"test\", \"samples\": 15");
        const double loss = json_field(e->out, "loss");
        size_t size;
        char *log = read_text(test_path("cv/log.jsonl"), &size);
        snprintf(key, sizeof key, "{\"event\": \"fold\", \"fold\": %d", f);
        ck_assert_ptr_nonnull(strstr(log, key));
        assert_near(json_field(strstr(log, key), "loss"), loss, 1e-9, 0);
        free(log);
    }
}
END_TEST

/* Each row's line, in their order. */
static int count_lines(const char *name, int first, int step)
{
    size_t size;
    int count = 0;
    char *text = read_text(test_path(name), &size), *line = strchr(text, '\n');
    for (; line && line[1]; line = strchr(line + 1, '\n')) {
        ck_assert_int_eq(atoi(line + 1), first + step * count);
        count++;
    }
    free(text);
    return count;
}

/* The same class, and probabilities but for what rounding in batches of another size does. */
static void assert_same_row(const char *one, const char *other, int row)
{
    char start[32];
    snprintf(start, sizeof start, "\n%d,", row);
    const char *a = strstr(one, start), *b = strstr(other, start);
    ck_assert(a && b);
    a += strlen(start);
    b += strlen(start);
    ck_assert_int_eq(*a, *b);
    for (int i = 0; i < 4; i++) {
        a = strchr(a, ',') + 1;
        b = strchr(b, ',') + 1;
        assert_near(strtod(a, NULL), strtod(b, NULL), 1e-5, 1e-7);
    }
}

START_TEST(predictions_are_of_every_row_in_its_order_by_a_network_that_had_not_seen_it)
{
    size_t size;
    write_table();
    assert_code(norma("train", "net.yaml", "--folds", "3", "--out", "oof", "--quiet"), 0);
    ck_assert_int_eq(count_lines("oof/predictions.csv", 0, 1), ROWS);
    char *text = read_text(test_path("oof/predictions.csv"), &size);
    ck_assert_int_eq(strncmp(text, "sample,class,probability,a,b,c\n", 31), 0);
    /* The row's own line of norma predict, by the fold that it was tested in */
    for (int f = 1; f <= 3; f++) {
        char folder[32], name[64];
        snprintf(folder, sizeof folder, "oof/fold-%d", f);
        snprintf(name, sizeof name, "%s/test-rows.csv", folder);
        assert_code(norma("predict", folder, "table.csv", "--out", "all.csv", "--quiet"), 0);
        char *rows = read_text(test_path(name), &size),
             *all = read_text(test_path("all.csv"), &size);
        for (char *at = strchr(rows, '\n'); at && at[1]; at = strchr(at + 1, '\n')) {
            assert_same_row(text, all, atoi(at + 1));
        }
        free(rows);
        free(all);
    }
    free(text);
}
END_TEST

START_TEST(folds_leave_groups_whole_and_in_order_see_nothing_later)
{
    bool seen[12] = {false};
    write_table();
    assert_code(norma("train", "net.yaml", "--folds", "3", "--out", "whole", "--quiet", "--set",
                      "data.validation={share: 0, groups: who}"),
                0);
    for (int f = 1; f <= 3; f++) {
        char name[64];
        size_t size;
        bool mine[12] = {false};
        snprintf(name, sizeof name, "whole/fold-%d/test-rows.csv", f);
        char *rows = read_text(test_path(name), &size);
        for (char *at = strchr(rows, '\n'); at && at[1]; at = strchr(at + 1, '\n')) {
            mine[atoi(at + 1) % 12] = true;
        }
        free(rows);
        for (int i = 0; i < 12; i++) {
            ck_assert(!(mine[i] && seen[i]));
            seen[i] |= mine[i];
        }
    }
    size_t size;
    char *text = read_text(test_path("whole/predictions.csv"), &size);
    ck_assert_int_eq(strncmp(text, "sample,who,class,probability,a,b,c\n0,p0,", 41 - 1), 0);
    ck_assert_ptr_nonnull(strstr(text, "\n41,p5,"));
    free(text);
    assert_code(norma("train", "net.yaml", "--folds", "3", "--out", "chain", "--quiet", "--set",
                      "data.validation={share: 0, order: last}"),
                0);
    ck_assert_int_eq(count_lines("chain/fold-1/test-rows.csv", 15, 1), 15);
    ck_assert_int_eq(count_lines("chain/fold-1/unused-rows.csv", 30, 1), 30);
    ck_assert(!is_there("chain/fold-3/unused-rows.csv"));
    ck_assert_int_eq(count_lines("chain/predictions.csv", 15, 1), 45);
    const ended *e = norma("eval", "chain/fold-1", "--on", "train", "--json");
    assert_says(e->out, "\"samples\": 15");
}
END_TEST

START_TEST(a_share_for_validation_is_taken_of_what_a_fold_leaves)
{
    write_table();
    const ended *e = norma("train", "net.yaml", "--folds", "3", "--out", "nested", "--json",
                           "--set", "data.validation=0.25");
    assert_code(e, 0);
    assert_says(e->out, "\"validation_loss\": ");
    e = norma("eval", "nested/fold-2", "--on", "validation", "--json");
    assert_says(e->out, "\"samples\": 10");
    e = norma("eval", "nested/fold-2", "--json");
    assert_says(e->out, "\"set\": \"test\", \"samples\": 20");
}
END_TEST

START_TEST(seeds_differ_in_their_seed_alone_and_are_runs_as_any_other)
{
    const char *last;
    write_table();
    const ended *e = norma("train", "net.yaml", "--seeds", "3", "--out", "seeds", "--json", "--set",
                           "data.validation=0.25", "--set", "train.seed=5");
    assert_code(e, 0);
    json_lines(e->out, &last);
    assert_spread(e->out, "seed", "loss", 3);
    assert_says(last, "\"seeds\": 3, \"set\": \"validation\", \"rows\": 15");
    assert_code(norma("train", "net.yaml", "--out", "six", "--quiet", "--set",
                      "data.validation=0.25", "--set", "train.seed=6"),
                0);
    assert_same_bytes("seeds/seed-6/best.safetensors", "six/best.safetensors");
    assert_same_bytes("seeds/seed-5/validation-rows.csv", "seeds/seed-7/validation-rows.csv");
    e = norma("train", "net.yaml", "--seeds", "2", "--out", "none");
    assert_code(e, 2);
    assert_says(e->err, "--seeds has nothing to measure the networks on");
    ck_assert(!is_there("none"));
}
END_TEST

/* Also where nothing is trained yet: seeds look into the file first, gradcheck never trains. */
START_TEST(weights_that_follow_the_data_are_counted_by_every_command)
{
    const char *const balanced = "loss={cross_entropy: {weight: balanced}}";
    write_table();
    assert_code(norma("train", "net.yaml", "--seeds", "2", "--out", "even-seeds", "--quiet",
                      "--set", "data.validation=0.25", "--set", balanced),
                0);
    assert_code(norma("train", "net.yaml", "--folds", "2", "--out", "even-folds", "--quiet",
                      "--set", balanced),
                0);
    assert_code(norma("gradcheck", "even-folds/fold-1/network.yaml"), 0);
    const ended *e =
        norma("train", "net.yaml", "--seeds", "2", "--out", "no-seeds", "--set",
              "data.validation=0.25", "--set", "loss={cross_entropy: {weight: [0, 0, 0]}}");
    assert_code(e, 2);
    assert_says(e->err, "\"weight\" is 0 for all classes, so there is nothing to learn from");
}
END_TEST

START_TEST(values_have_folds_too)
{
    write_table();
    const ended *e =
        norma("train", "net.yaml", "--folds", "3", "--out", "values", "--set",
              "data.train.csv.target=y", "--set", "data.train.csv.targets=values", "--set",
              "data.train.csv.ignore=class", "--set", "loss=mse", "--set", "model.2.dense.units=1");
    assert_code(e, 0);
    assert_says(e->out, "mean of 3 folds: loss ");
    assert_says(e->out, ", r2 ");
    ck_assert_ptr_null(strstr(e->out, "interval"));
    ck_assert_int_eq(count_lines("values/predictions.csv", 0, 1), ROWS);
}
END_TEST

START_TEST(the_last_line_is_left_by_quiet_and_has_the_interval)
{
    write_table();
    const ended *e = norma("train", "net.yaml", "--folds", "2", "--out", "quiet", "--quiet");
    assert_code(e, 0);
    ck_assert_int_eq(strncmp(e->out, "mean of 2 folds: loss ", 22), 0);
    ck_assert_ptr_eq(strchr(e->out, '\n'), e->out + strlen(e->out) - 1);
    assert_says(e->out, " (95 % interval ");
    assert_says(e->out, ", 60 rows)");
    e = norma("train", "net.yaml", "--folds", "2", "--out", "loud");
    assert_says(e->out, "60 rows are few: measured on many more like them, the share could be");
    assert_says(e->err, "fold 2 of 2\n");
}
END_TEST

/* ---- Stopped, and going on ---- */

START_TEST(folds_that_were_stopped_go_on_and_end_as_if_they_had_not_been)
{
    const char *const words[] = {"train", "net.yaml", "--folds", "3", "--out", "stops", NULL};
    write_table();
    assert_code(norma("train", "net.yaml", "--folds", "3", "--out", "through", "--quiet", "--set",
                      "train.epochs=200"),
                0);
    write_text("net.yaml", "model: [dense: {units: 6}, relu, dense: {units: 3}]\n"
                           "data: {train: {csv: {path: table.csv, target: class}}}\n"
                           "loss: cross_entropy\n"
                           "train: {epochs: 200}\n");
    pid_t child = start(words, (running_options){0});
    for (int waited = 0; !is_there("stops/fold-2/log.jsonl"); waited++) {
        ck_assert_int_lt(waited, 60000);
        usleep(1000);
    }
    kill(child, SIGINT);
    const ended *e = finish(child);
    if (e->code != 0) { /* else it was over before the signal came */
        assert_code(e, 130);
        assert_says(e->out,
                    "stopped; to go on: norma train net.yaml --folds 3 --out stops --resume");
        ck_assert(!is_there("stops/predictions.csv"));
        ck_assert(!is_there("stops/fold-3"));
        e = norma("train", "net.yaml", "--folds", "3", "--out", "stops", "--resume", "--quiet");
        assert_code(e, 0);
    }
    assert_same_bytes("stops/predictions.csv", "through/predictions.csv");
}
END_TEST

START_TEST(what_cannot_be_said_together_is_refused)
{
    static const struct {
        const char *words[8], *error;
    } wrong[] = {
        {{"--folds", "3", "--seeds", "3"}, "--folds and --seeds: give one of them"},
        {{"--folds", "1"}, "--folds takes a number from 2 to 10000, not 1"},
        {{"--folds", "many"}, "--folds takes a number from 2 to 10000, not many"},
        {{"--seeds", "0"}, "--seeds takes a number from 2 to 1000, not 0"},
        {{"--folds", "61"}, "60 rows cannot be 61 folds"},
        {{"--folds", "13", "--set", "data.validation={groups: who}"},
         "of 12 groups, and it takes 13"},
        {{"--folds", "3", "--set", "data.validation={indices: table.csv}"}, "names one split"},
        {{"--folds", "3", "--resume"}, "needs their folder: --out DIR"},
        {{"--folds", "3", "--resume", "--out", "nowhere"}, "nowhere holds no folds to go on with"},
        {{"--folds", "4", "--out", "there"}, "there holds a run or predictions already"},
        {{"--folds", "2", "--out", "there", "--resume"}, "there holds other folds than 2"},
        {{"--seeds", "2", "--out", "there", "--resume", "--set", "data.validation=0.2"},
         "there holds other folds"},
        {{"--folds", "4", "--out", "there", "--resume"}, "the training set differs"},
        {{"--out", "there", "--resume"}, "there holds the folds of a cross-validation"},
    };
    write_table();
    assert_code(norma("train", "net.yaml", "--folds", "3", "--out", "there", "--quiet"), 0);
    for (int i = 0; i < NM_COUNT_OF(wrong); i++) {
        const char *words[12] = {"train", "net.yaml"};
        memcpy(words + 2, wrong[i].words, sizeof wrong[i].words);
        const ended *e = finish(start(words, (running_options){0}));
        assert_code(e, 2);
        assert_says(e->err, wrong[i].error);
    }
    ck_assert(!is_there("runs/net")); /* nothing is left of what was refused */
    const ended *e = norma("eval", "there");
    assert_code(e, 2);
    assert_says(e->err,
                "there holds the folds of a cross-validation; give one of them, there/fold-1");
}
END_TEST

/* The first fold had begun: what it kept is gone on from, and no folder is left that nothing takes.
 */
START_TEST(a_first_fold_that_fails_on_its_way_can_be_gone_on_from)
{
    write_table();
    const char *const folds[] = {"train", "net.yaml", "--folds", "2",
                                 "--out", "full",     "--set",   "model.0.dense.units=2000",
                                 NULL};
    const ended *e = finish(start(folds, (running_options){.file_limit = 16384}));
    assert_code(e, 1);
    assert_says(e->err, "norma: fold 1: cannot write \"full/fold-1/");
    const ended *again = norma("train", "net.yaml", "--folds", "2", "--out", "full", "--set",
                               "model.0.dense.units=2000", "--resume");
    assert_code(again, 0);
    ck_assert(is_there("full/predictions.csv"));
    ck_assert(is_there("full/fold-2/best.safetensors"));
}
END_TEST

/* It is not taken for none, by which the fold would be measured with its last weights, not its
 * best. */
START_TEST(what_a_fold_kept_and_cannot_be_looked_at_is_an_error)
{
    write_table();
    assert_code(norma("train", "net.yaml", "--folds", "2", "--out", "kept", "--quiet"), 0);
    ck_assert_int_eq(unlink(test_path("kept/predictions.csv")), 0);
    ck_assert_int_eq(unlink(test_path("kept/fold-1/best.safetensors")), 0);
    ck_assert_int_eq(symlink("best.safetensors", test_path("kept/fold-1/best.safetensors")), 0);
    const ended *e =
        norma("train", "net.yaml", "--folds", "2", "--out", "kept", "--resume", "--quiet");
    assert_code(e, 1);
    assert_says(e->err, "kept/fold-1/best.safetensors");
    ck_assert(!is_there("kept/predictions.csv"));
}
END_TEST

TEST_MAIN("models/command_folds", folds_tell_the_mean_and_deviation_of_what_each_got,
          predictions_are_of_every_row_in_its_order_by_a_network_that_had_not_seen_it,
          folds_leave_groups_whole_and_in_order_see_nothing_later,
          a_share_for_validation_is_taken_of_what_a_fold_leaves,
          seeds_differ_in_their_seed_alone_and_are_runs_as_any_other,
          weights_that_follow_the_data_are_counted_by_every_command, values_have_folds_too,
          the_last_line_is_left_by_quiet_and_has_the_interval,
          folds_that_were_stopped_go_on_and_end_as_if_they_had_not_been,
          what_cannot_be_said_together_is_refused,
          a_first_fold_that_fails_on_its_way_can_be_gone_on_from,
          what_a_fold_kept_and_cannot_be_looked_at_is_an_error)
