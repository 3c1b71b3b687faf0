/* Slips that are easily made at a terminal, and options that change nothing in a run: each is told,
 * with what mends it. */
#include "tests/models/command_helpers.h"

/* Of the wrong command's error, the command that is right. */
#define assert_refused(says, ...)                                                                  \
    do {                                                                                           \
        const ended *refused_ = norma(__VA_ARGS__);                                                \
        assert_code(refused_, 2);                                                                  \
        assert_says(refused_->err, says);                                                          \
    } while (0)

static void train_one(const char *folder)
{
    write_text("net.yaml", network);
    assert_code(norma("train", "net.yaml", "--quiet", "--out", folder, "--set", "train.epochs=1"),
                0);
}

START_TEST(no_command_writes_a_file_called_minus)
{
    train_one("r");
    assert_refused("report: --out is a file's name, not standard output; give one: --out FILE\n",
                   "report", "r", "--out", "-");
    assert_refused("--out is a file's name", "eval", "r", "--out", "-");
    assert_refused("--out is a file's name", "predict", "r", "x.npy", "--out=-");
    assert_refused("--out is a file's name", "quantize", "r", "--out", "-");
    assert_refused("--svg is a file's name", "plot", "r", "--svg", "-");
    assert_refused("--out is a folder's name", "train", "net.yaml", "--out", "-");
    assert_refused("--out is a folder's name", "study", "dropout_before_norm", "--out", "-");
    assert_refused("--out is a folder's name", "new", "op", "mine", "--out", "-");
    ck_assert(!is_there("-"));
}
END_TEST

/* Written over, they would be lost without a word. */
START_TEST(what_a_command_reads_is_not_written_over)
{
    write_text("t.csv", "a,kind\n1,x\n2,y\n4,x\n7,y\n9,x\n3,x\n");
    write_text("net.yaml", "model: [dense: {units: 2}]\nloss: cross_entropy\ntrain: {epochs: 1}\n"
                           "data: {train: {csv: {path: t.csv}}}\n");
    assert_code(norma("train", "net.yaml", "--quiet", "--out", "read"), 0);
    write_text("before.csv", "a,kind\n1,x\n2,y\n4,x\n7,y\n9,x\n3,x\n");
    const char *says = "--out t.csv would replace what is read there; give it another name\n";
    assert_refused(says, "predict", "read", "t.csv", "--out", "t.csv");
    assert_refused(says, "predict", "read", "--in=./t.csv", "--out", "t.csv");
    assert_refused(says, "eval", "read", "--data", "t.csv", "--out", "t.csv");
    assert_refused("--svg net.yaml would replace", "plot", "net.yaml", "--svg", "net.yaml");
    assert_same_bytes("t.csv", "before.csv");
    assert_code(norma("predict", "read", "t.csv", "--out", "p.csv", "--quiet"), 0);
    assert_code(norma("predict", "read", "t.csv", "--out", "p.csv", "--quiet"), 0); /* its own */
}
END_TEST

START_TEST(letters_for_options_and_a_run_behind_resume_are_told_the_right_way)
{
    write_text("net.yaml", network);
    assert_refused("train: unknown option -o; did you mean --out?\n", "train", "net.yaml", "-o",
                   "r");
    assert_refused("eval: unknown option -q; did you mean --quiet?\n", "eval", "r", "-q");
    assert_refused("train: unknown option -z; `", "train", "net.yaml", "-z");
    assert_refused("train: --resume takes no value; to go on with r: --resume --out r\n", "train",
                   "net.yaml", "--resume", "r");
    assert_refused("train: too many arguments; usage: ", "train", "net.yaml", "r");
}
END_TEST

START_TEST(the_r2_of_a_guess_by_the_mean_is_0)
{
    write_text("v.csv", "a,y\n1,0.1\n2,0.3\n4,0.7\n7,1.1\n9,1.9\n3,0.35\n");
    write_text("value.yaml", "model: [dense: {units: 1}]\nloss: mse\ntrain: {epochs: 1}\n"
                             "data: {train: {csv: {path: v.csv, target: y}}}\n");
    assert_code(norma("train", "value.yaml", "--quiet", "--out", "value"), 0);
    assert_says(norma("eval", "value", "--quiet")->out, " (mean: 0) ");
}
END_TEST

START_TEST(a_run_in_the_place_of_a_networks_file_is_told_with_that_file)
{
    train_one("a run");
    assert_refused("train: a run is a run's folder; its network's file is in it: ", "train",
                   "a run");
    const ended *e = norma("train", "a run", "--resume");
    assert_code(e, 2);
    assert_says(e->err, " train 'a run/network.yaml' --resume --out 'a run'\n");
    assert_code(norma("train", "a run/network.yaml", "--resume", "--out", "a run", "--set",
                      "train.epochs=2", "--quiet"),
                0);
    assert_refused(" find-rate 'a run/network.yaml'\n", "find-rate", "a run");
    assert_refused("a run/best.safetensors:1:1: it is a saved network (safetensors); predict, eval "
                   "and check take it, and train: {from: PATH} begins with it\n",
                   "train", "a run/best.safetensors");
    mkdir(test_path("none"), 0777);
    e = norma("train", "none");
    assert_code(e, 1);
    assert_says(e->err, "\": it is a folder\n");
}
END_TEST

START_TEST(samples_without_a_network_are_told_from_a_network_without_samples)
{
    write_text("net.yaml", network);
    assert_refused("the network is missing: norma predict NETWORK none.csv, ", "predict",
                   "none.csv");
    assert_refused("the network is missing: norma predict NETWORK -, ", "predict", "-");
    write_text("samples", "1\n");
    assert_refused("the network is missing", "predict", "samples");
    assert_refused("the samples are missing: norma predict net.yaml FILE, ", "predict", "net.yaml");
    assert_refused("the samples are missing", "predict", "n.safetensors");
    assert_refused("the samples are missing", "predict", "some_run");
    assert_refused("the network comes first: norma predict net.yaml none.csv\n", "predict",
                   "none.csv", "net.yaml");
}
END_TEST

START_TEST(a_run_without_other_sets_keeps_what_a_guess_would_get)
{
    write_text("t.csv", "a,kind\n1,x\n2,y\n4,x\n7,y\n9,x\n3,x\n");
    write_text("net.yaml", "model: [dense: {units: 2}]\nloss: cross_entropy\ntrain: {epochs: 1}\n"
                           "data: {train: {csv: {path: t.csv}}}\n");
    assert_code(norma("train", "net.yaml", "--quiet", "--out", "alone"), 0);
    const ended *e = norma("eval", "alone", "--quiet");
    assert_code(e, 0);
    assert_says(e->out, "train loss ");
    assert_says(e->out, "(commonest class: 66.67 %)");
    e = norma("eval", "alone", "--data", "t.csv", "--quiet");
    assert_says(e->err, "norma: t.csv is what the network was trained on; on other samples it may "
                        "do worse\n");
    write_text("u.csv", "a,kind\n1,x\n2,y\n");
    ck_assert_str_eq(norma("eval", "alone", "--data", "u.csv", "--quiet")->err, "");
    e = norma("eval", "alone", "--data", "t.csv", "--quiet");
    assert_says(e->out, "(commonest class: 66.67 %)");
}
END_TEST

/* Three epochs of ten updates. */
static const struct {
    const char *setting;
    const char *says; /* NULL: nothing, as it changes something */
} settings[] = {
    {"train.schedule={step: {at: [3, 7]}}",
     "the schedule \"step\" leaves the learning rate as it is in all 30 updates of this run (10 "
     "an epoch); let it begin sooner, or train longer\n"},
    {"train.schedule={step: {at: [2.9, 7]}}", NULL},
    {"train.schedule={step: {every: 3}}", "the schedule \"step\" leaves"},
    {"train.schedule={step: {every: 2.9}}", NULL},
    {"train.schedule={cosine: {end: 1}}", "the schedule \"cosine\" leaves"},
    {"train.schedule=cosine", NULL},
    {"train.schedule=one_cycle", NULL},
    {"train.schedule=constant", NULL},
    {"train.schedule={plateau: {patience: 1}}", "changes nothing in a run of 3 evaluations"},
    {"train.schedule={plateau: {patience: 0}}", NULL},
    {"train.accumulate=11",
     "an epoch has 10 batches, so an update is made of those, not of the 11"},
    {"train.accumulate=10", NULL},
    {"train.early_stopping={patience: 2}", "early_stopping: changes nothing in a run of 3 eval"},
    {"train.early_stopping={patience: 1}", NULL},
    {"train.evaluate_every=2", NULL},
    {"train.average={every: 31}", "average: every 31 updates are more than the 30 of this run"},
    {"train.average={every: 30}", NULL},
};

START_TEST(what_changes_nothing_in_a_run_is_told_at_its_place)
{
    write_text("net.yaml", network);
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        const char *says = settings[i].says;
        const ended *e = norma("check", "net.yaml", "--set", settings[i].setting);
        assert_code(e, 0);
        ck_assert_msg(says ? strstr(e->err, says) != NULL : !*e->err, "%s: %s", settings[i].setting,
                      e->err);
        ck_assert_msg(!says || strncmp(e->err, "--set:1:", 8) == 0, "%s", e->err);
    }
    const ended *e = norma("check", "net.yaml", "--set", "train.evaluate_every=2", "--set",
                           "train.early_stopping={patience: 1}");
    assert_says(e->err, "early_stopping: changes nothing in a run of 2 evaluations");
}
END_TEST

START_TEST(a_mistake_in_data_that_set_made_is_told_where_set_made_it)
{
    write_text("t.csv", "a,kind\n1,x\n2,y\n4,x\n7,y\n");
    write_text("title.csv", "Sales\na,b,kind\n1,2,x\n");
    write_text("net.yaml", "model: [dense: {units: 2}]\nloss: cross_entropy\n"
                           "data: {train: {csv: {path: t.csv, target: kind}}}\n");
    static const char *const told[][2] = {
        {"data.train.csv.target=nix", "--set:1:23: train: csv: t.csv: \"target\": no column "},
        {"data.train.csv.ignore=[a, nix]", "--set:1:27: train: csv: t.csv: \"ignore\": no "},
        {"data.train.csv.path=none.csv", "--set:1:21: train: csv: cannot read none.csv: "},
        {"data.train.csv.path=title.csv", "--set:1:21: train: csv: title.csv: \"target\": no"},
        {"data.test.csv.path=none.csv", "--set:1:20: test: csv: cannot read none.csv: "},
        {"data.train.csv.header=yes", NULL},
    };
    for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
        const ended *e = norma("check", "net.yaml", "--set", told[i][0]);
        ck_assert_int_eq(e->code != 0, told[i][1] != NULL);
        const char *begin = told[i][1] ? told[i][1] : "";
        ck_assert_msg(strncmp(e->err, begin, strlen(begin)) == 0, "%s", e->err);
    }
    write_text("net.yaml", "model: [dense: {units: 2}]\nloss: cross_entropy\n"
                           "data: {train: {csv: {path: title.csv}}}\n");
    assert_refused("net.yaml:3:15: train: csv: title.csv:2:1: 3 cells", "check", "net.yaml",
                   "--set", "data.batch=2");
}
END_TEST

TEST_MAIN("models/command_slips", no_command_writes_a_file_called_minus,
          what_a_command_reads_is_not_written_over,
          letters_for_options_and_a_run_behind_resume_are_told_the_right_way,
          the_r2_of_a_guess_by_the_mean_is_0,
          a_run_in_the_place_of_a_networks_file_is_told_with_that_file,
          samples_without_a_network_are_told_from_a_network_without_samples,
          a_run_without_other_sets_keeps_what_a_guess_would_get,
          what_changes_nothing_in_a_run_is_told_at_its_place,
          a_mistake_in_data_that_set_made_is_told_where_set_made_it)
