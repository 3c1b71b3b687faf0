/* norma train, eval and predict: what they report and keep, and that nothing is lost when a run is
 * stopped, killed, repeated, or the disk is full. */
#include <dirent.h>
#include <math.h>

#include "tests/models/command_helpers.h"

/* ---- What is reported ---- */

START_TEST(json_puts_one_object_a_line_on_standard_output_and_nothing_else)
{
    write_text("net.yaml", network);
    const ended *e = norma("train", "net.yaml", "--json", "--out", "json");
    const char *last = "";
    assert_code(e, 0);
    ck_assert_int_eq(json_lines(e->out, &last), 3 + 1);
    ck_assert_double_eq(json_field(last, "epochs"), 3);
    ck_assert_double_eq(json_field(last, "steps"), 30);
    ck_assert_double_gt(json_field(last, "train_loss"), 0);
    ck_assert_double_lt(json_field(last, "train_loss"), 2);
    ck_assert_double_gt(json_field(last, "test_loss"), 0);
    ck_assert_double_gt(json_field(last, "test_accuracy"), 0.4);
    ck_assert_double_le(json_field(last, "test_accuracy"), 1);
    ck_assert_double_gt(json_field(last, "seconds"), 0);
    ck_assert_double_gt(json_field(last, "samples_per_second"), 0);
    ck_assert_double_eq(json_field(e->out, "epoch"), 1);
}
END_TEST

START_TEST(progress_is_a_line_an_epoch_on_standard_error)
{
    write_text("net.yaml", network);
    const ended *e = norma("train", "net.yaml", "--out", "lines");
    assert_code(e, 0);
    ck_assert_int_eq(strncmp(e->err, "epoch 1/3  train loss ", 22), 0);
    assert_says(e->err, "\nepoch 2/3  train loss ");
    assert_says(e->err, "\nepoch 3/3  train loss ");
    ck_assert_ptr_null(strchr(e->err, '\033'));
    ck_assert_ptr_null(strchr(e->err, '\r'));
    assert_says(e->out, "test loss ");
    assert_says(e->out, ", accuracy ");
    assert_says(e->out, "3 epochs, 30 steps in ");
    assert_says(e->out, "saved in lines: checkpoint.safetensors, best.safetensors (epoch ");
    ck_assert_ptr_null(strchr(e->out, '\033'));
}
END_TEST

START_TEST(quiet_leaves_the_line_with_the_result_and_json_alone)
{
    write_text("net.yaml", network);
    const ended *e = norma("train", "net.yaml", "--quiet", "--out", "quiet");
    assert_code(e, 0);
    ck_assert_int_eq(strncmp(e->out, "test loss 0.", 12), 0);
    ck_assert_ptr_eq(strchr(e->out, '\n'), e->out + strlen(e->out) - 1);
    assert_says(e->out, ", 100 rows) (epoch 3, the last)\n");
    ck_assert_str_eq(e->err, "");
    const char *last = "";
    e = norma("train", "net.yaml", "--quiet", "--json", "--out", "quiet2");
    ck_assert_int_eq(json_lines(e->out, &last), 4);
    ck_assert_str_eq(e->err, "");
}
END_TEST

START_TEST(the_result_names_the_best_score_where_it_was_measured_and_how_far_the_test_set_is)
{
    static const char *const by[] = {"train.best_by=metric", "train.best_by=loss"};
    write_text("net.yaml", network);
    for (int i = 0; i < 2; i++) {
        char line[256];
        const char *last = "";
        const ended *e = norma("train", "net.yaml", "--json", "--out", i ? "b1" : "b0", "--quiet",
                               "--set", "data.validation=0.25", "--set", by[i]);
        assert_code(e, 0);
        json_lines(e->out, &last);
        const int epoch = (int)json_field(last, "best_epoch");
        const double best = json_field(last, "best");
        const double test = json_field(last, i ? "best_test_loss" : "best_test_metric");
        ck_assert_double_ne(best, test);
        if (i) {
            snprintf(line, sizeof line,
                     "best on the validation set: loss %.4f (epoch %d of 3); on the test set %.4f, "
                     "%.4g %s\n",
                     best, epoch, test, fabs(best - test), test < best ? "lower" : "higher");
        } else {
            const nm_interval v = nm_wilson_interval(best, 100), t = nm_wilson_interval(test, 100);
            snprintf(
                line, sizeof line,
                "best on the validation set: accuracy %.2f %% (95 %% interval %.1f to %.1f, 100 "
                "rows) (epoch %d of 3); on the test set %.2f %% (95 %% interval %.1f to %.1f, 100 "
                "rows), %.2f points %s\n",
                100 * best, 100 * v.low, 100 * v.high, epoch, 100 * test, 100 * t.low, 100 * t.high,
                100 * fabs(best - test), test < best ? "lower" : "higher");
        }
        e = norma("train", "net.yaml", "--out", i ? "c1" : "c0", "--quiet", "--set",
                  "data.validation=0.25", "--set", by[i]);
        ck_assert_str_eq(e->out, line);
    }
    const ended *e = norma("train", "net.yaml", "--out", "d", "--quiet", "--set",
                           "data.validation=0.25", "--set", "data.test=null");
    ck_assert_int_eq(strncmp(e->out, "best on the validation set: accuracy ", 37), 0);
    ck_assert_ptr_null(strstr(e->out, "test set"));
    e = norma("train", "net.yaml", "--out", "e", "--quiet", "--set", "data.test=null");
    assert_says(e->out, " (after 30 steps; no samples were held out)\n");
}
END_TEST

/* All that a child writes to a terminal, as standard error. */
static int on_terminal(const char *variable, const char *set_to, char text[MAX_TEXT])
{
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    ck_assert_int_ge(master, 0);
    ck_assert_int_eq(grantpt(master) + unlockpt(master), 0);
    int terminal = open(ptsname(master), O_RDWR | O_NOCTTY);
    ck_assert_int_ge(terminal, 0);
    pid_t child = start(
        WORDS("train", "net.yaml", "--out", set_to, "--set", "data.train.spirals.points=40000"),
        (running_options){.err = terminal, .variable = variable, .set_to = set_to});
    close(terminal);
    size_t size = 0;
    for (ssize_t n; (n = read(master, text + size, MAX_TEXT - 1 - size)) > 0;) {
        size += (size_t)n;
    }
    text[size] = 0;
    close(master);
    int status;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

START_TEST(a_terminal_gets_a_bar_and_no_color_is_obeyed)
{
    static char text[MAX_TEXT];
    write_text("net.yaml", network);
    ck_assert_int_eq(on_terminal("TERM", "xterm", text), 0);
    assert_says(text, "epoch 1/3  ");
    assert_says(text, "%  loss ");
    assert_says(text, " left");
    assert_says(text, "\033[32m");
    assert_says(text, "epoch 3/3  train loss ");
    ck_assert_int_eq(on_terminal("NO_COLOR", "1", text), 0);
    assert_says(text, "epoch 3/3  train loss ");
    ck_assert_ptr_null(strchr(text, '\033'));
    ck_assert_int_eq(on_terminal("TERM", "dumb", text), 0);
    ck_assert_ptr_null(strchr(text, '\033'));
    ck_assert_ptr_null(strstr(text, " left")); /* no bar either */
}
END_TEST

/* ---- What is kept ---- */

START_TEST(the_same_run_twice_gives_the_same_bits)
{
    write_text("net.yaml", network);
    assert_code(norma("train", "net.yaml", "--out", "once", "--quiet"), 0);
    assert_code(norma("train", "net.yaml", "--out", "twice", "--quiet"), 0);
    assert_same_bytes("once/checkpoint.safetensors", "twice/checkpoint.safetensors");
    assert_same_bytes("once/best.safetensors", "twice/best.safetensors");
    size_t size;
    char *kept = read_text(test_path("once/network.yaml"), &size);
    ck_assert_str_eq(kept, network);
    free(kept);
}
END_TEST

START_TEST(a_run_is_not_written_over)
{
    write_text("net.yaml", network);
    assert_code(norma("train", "net.yaml", "--quiet", "--set", "train.epochs=1"), 0);
    assert_code(norma("train", "net.yaml", "--quiet", "--set", "train.epochs=1"), 0);
    ck_assert(is_there("runs/net/checkpoint.safetensors"));
    ck_assert(is_there("runs/net-2/checkpoint.safetensors"));
    ck_assert(!is_there("runs/net-3"));
    size_t size[2];
    char *before = read_text(test_path("runs/net/checkpoint.safetensors"), &size[0]);
    const ended *e = norma("train", "net.yaml", "--out", "runs/net", "--set", "train.seed=2");
    assert_code(e, 2);
    ck_assert_str_eq(e->err, "norma: runs/net holds a run already; --resume continues it, another "
                             "--out keeps it\n");
    char *after = read_text(test_path("runs/net/checkpoint.safetensors"), &size[1]);
    ck_assert(size[0] == size[1] && memcmp(before, after, size[0]) == 0);
    free(before);
    free(after);
    e = norma("train", "net.yaml", "--out", "nowhere", "--resume");
    assert_code(e, 2);
    assert_says(e->err, "nowhere/checkpoint.safetensors is not there; there is nothing to resume");
}
END_TEST

START_TEST(a_folder_that_cannot_be_made_is_named)
{
    write_text("net.yaml", network);
    write_text("file", "in the way");
    const ended *e = norma("train", "net.yaml", "--out", "file/run");
    assert_code(e, 1);
    assert_says(e->err, "norma: ");
    assert_says(e->err, "file");
    ck_assert_str_eq(e->out, "");
}
END_TEST

static int entries(const char *folder)
{
    DIR *opened = opendir(test_path(folder));
    ck_assert_ptr_nonnull(opened);
    int count = 0;
    for (struct dirent *d; (d = readdir(opened));) {
        count += strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0;
    }
    closedir(opened);
    return count;
}

START_TEST(a_full_disk_leaves_the_old_files_whole_and_nothing_else)
{
    write_text("net.yaml", network);
    const char *const wide = "model.0.dense.units=400"; /* files of some 10 kB */
    assert_code(norma("train", "net.yaml", "--out", "disk", "--quiet", "--set", wide), 0);
    size_t size[2];
    static const char *const names[] = {"disk/checkpoint.safetensors", "disk/best.safetensors"};
    char *before[2], *after;
    for (int i = 0; i < 2; i++) {
        before[i] = read_text(test_path(names[i]), &size[i]);
        ck_assert_uint_gt(size[i], 8192);
    }
    const ended *e = finish(start(WORDS("train", "net.yaml", "--out", "disk", "--resume", "--set",
                                        wide, "--set", "train.epochs=9"),
                                  (running_options){.file_limit = 8192}));
    assert_code(e, 1);
    assert_says(e->err, "norma: cannot write \"disk/");
    for (int i = 0; i < 2; i++) {
        size_t now;
        after = read_text(test_path(names[i]), &now);
        ck_assert(now == size[i] && memcmp(before[i], after, now) == 0);
        free(before[i]);
        free(after);
    }
    ck_assert_int_eq(entries("disk"), 4); /* these two, network.yaml and log.jsonl */
}
END_TEST

/* ---- Stopped and resumed ---- */

#define LONG_RUN                                                                                   \
    "--set", "data.train.spirals.points=8000", "--set", "data.batch=20", "--set",                  \
        "train.checkpoint_every_steps=30", "--quiet"

/* Waits for the first checkpoint in the folder, and sends the signal. */
static void interrupt(pid_t child, const char *folder, int number)
{
    char name[128];
    snprintf(name, sizeof name, "%s/checkpoint.safetensors", folder);
    for (int waited = 0; !is_there(name); waited++) {
        ck_assert_msg(waited < 60000, "no checkpoint in a minute");
        usleep(1000);
    }
    ck_assert_int_eq(kill(child, number), 0);
}

START_TEST(a_killed_run_goes_on_to_the_same_bits)
{
    write_text("net.yaml", network);
    assert_code(norma("train", "net.yaml", "--out", "whole", LONG_RUN), 0);
    pid_t child =
        start(WORDS("train", "net.yaml", "--out", "killed", LONG_RUN), (running_options){0});
    interrupt(child, "killed", SIGKILL);
    ck_assert_int_eq(finish(child)->code, -SIGKILL);
    assert_code(norma("train", "net.yaml", "--out", "killed", LONG_RUN, "--resume"), 0);
    assert_same_bytes("whole/checkpoint.safetensors", "killed/checkpoint.safetensors");
    assert_same_bytes("whole/best.safetensors", "killed/best.safetensors");
}
END_TEST

START_TEST(an_interrupted_run_ends_well_and_says_how_to_go_on)
{
    write_text("net.yaml", network);
    const char *const points = "data.train.spirals.points=80000";
    pid_t child = start(WORDS("train", "net.yaml", "--out", "stopped", "--set", points, "--set",
                              "train.checkpoint_every_steps=30"),
                        (running_options){0});
    interrupt(child, "stopped", SIGINT);
    const ended *e = finish(child);
    assert_code(e, 130);
    assert_says(e->out, "stopped; to go on: norma train net.yaml --set "
                        "'data.train.spirals.points=80000' --set 'train.checkpoint_every_steps=30' "
                        "--out stopped --resume\n");
    assert_says(e->out, "saved in stopped: checkpoint.safetensors");
    const char *last = "";
    e = norma("train", "net.yaml", "--set", points, "--set", "train.epochs=1", "--out", "stopped",
              "--resume", "--json");
    assert_code(e, 0);
    json_lines(e->out, &last);
    ck_assert_double_eq(json_field(last, "steps"), 2000);
}
END_TEST

START_TEST(a_loss_that_is_not_finite_is_a_failure_that_keeps_the_last_good_network)
{
    write_text("net.yaml", network);
    assert_code(norma("train", "net.yaml", "--out", "diverged", "--quiet"), 0);
    const ended *e =
        norma("train", "net.yaml", "--out", "diverged", "--resume", "--set", "train.epochs=6",
              "--set", "train.optimizer.sgd.rate=1e30", "--json", "--quiet");
    assert_code(e, 1);
    ck_assert_str_eq(e->out, "");
    assert_says(e->err, "norma: ");
    assert_says(e->err, "rate");
    assert_code(norma("eval", "net.yaml", "--weights", "diverged"), 0);
}
END_TEST

/* ---- eval, predict ---- */

START_TEST(eval_gives_the_loss_that_training_reported)
{
    write_text("net.yaml", network);
    const ended *e = norma("train", "net.yaml", "--json", "--quiet", "--out", "eval");
    const char *last = "";
    json_lines(e->out, &last);
    double loss = json_field(last, "test_loss"), accuracy = json_field(last, "test_accuracy");
    e = norma("eval", "net.yaml", "--weights", "eval/checkpoint.safetensors", "--json");
    assert_code(e, 0);
    ck_assert_int_eq(json_lines(e->out, &last), 1);
    ck_assert_double_eq(json_field(last, "loss"), loss);
    ck_assert_double_eq(json_field(last, "metric"), accuracy);
    ck_assert_double_eq(json_field(last, "samples"), 100);
    e = norma("eval", "net.yaml", "--weights", "eval", "--on", "train");
    assert_code(e, 0);
    assert_says(e->out, "train loss ");
    assert_says(e->out, "(400 samples, eval/best.safetensors)");
}
END_TEST

/* The last four samples are not labelled; the others are learned. */
START_TEST(samples_to_be_ignored_are_ignored_from_the_file_to_the_result)
{
    static const char *const labels[] = {"-100", "255", "2"};
    static const char *const losses[] = {"cross_entropy", "{cross_entropy: {ignore_index: 255}}",
                                         "{cross_entropy: {ignore_index: 2}}"};
    for (int i = 0; i < 3; i++) {
        char yaml[1024], table[256], folder[32];
        snprintf(table, sizeof table,
                 "-3,0\n-2,0\n-4,0\n-3,0\n3,1\n2,1\n4,1\n3,1\n-3,%s\n-2,%s\n3,%s\n2,%s\n",
                 labels[i], labels[i], labels[i], labels[i]);
        write_text("ignored.csv", table);
        snprintf(yaml, sizeof yaml,
                 "model: [dense: {units: 2}]\n"
                 "data:\n"
                 "  train: {csv: {path: %s}}\n"
                 "  test: {csv: {path: %s}}\n"
                 "  batch: 4\n"
                 "loss: %s\n"
                 "train: {epochs: 40, optimizer: {sgd: {rate: 1}}}\n",
                 test_path("ignored.csv"), test_path("ignored.csv"), losses[i]);
        write_text("ignored.yaml", yaml);
        snprintf(folder, sizeof folder, "ignored%d", i);
        assert_code(norma("train", "ignored.yaml", "--quiet", "--out", folder), 0);
        const ended *e = norma("eval", "ignored.yaml", "--weights", folder);
        assert_code(e, 0);
        assert_says(e->out, "accuracy 100.00 % (95 % interval 67.6 to 100.0, 8 rows) (commonest "
                            "class: 50.00 %) (12 "
                            "samples, 4 ignored, ");
        e = norma("eval", "ignored.yaml", "--weights", folder, "--json");
        ck_assert_double_eq(json_field(e->out, "ignored"), 4);
    }
}
END_TEST

START_TEST(several_metrics_are_told_by_their_names)
{
    const char *last = "", *metrics = "train.metric=[{recall: {class: 1}}, accuracy, f1]";
    write_text("net.yaml", network);
    const ended *e = norma("train", "net.yaml", "--out", "several", "--set", metrics);
    assert_code(e, 0);
    assert_says(e->err, ", recall_class_1 0.");
    assert_says(e->err, " %, f1 0.");
    assert_says(e->out, ", recall_class_1 0.");
    e = norma("train", "net.yaml", "--out", "several2", "--set", metrics, "--json");
    ck_assert_int_eq(json_lines(e->out, &last), 4);
    double first = json_field(e->out, "test_recall_class_1");
    ck_assert_double_eq(first, json_field(e->out, "test_metric"));
    double f1 = json_field(last, "test_f1"), accuracy = json_field(last, "test_accuracy");
    const double metric = json_field(last, "test_metric");
    ck_assert(f1 > 0 && accuracy > 0 && f1 != accuracy);
    e = norma("eval", "net.yaml", "--weights", "several2/checkpoint.safetensors", "--set", metrics,
              "--json");
    ck_assert_double_eq(json_field(e->out, "f1"), f1);
    ck_assert_double_eq(json_field(e->out, "accuracy"), accuracy);
    ck_assert_double_eq(json_field(e->out, "metric"), metric);
}
END_TEST

START_TEST(eval_says_what_is_missing)
{
    write_text("net.yaml", network);
    write_text("other.yaml", network);
    const ended *e = norma("eval", "other.yaml");
    assert_code(e, 2);
    assert_says(e->err, "no run of other.yaml is in runs/; train it first, or give --weights");
    e = norma("eval", "net.yaml", "--weights", "none.safetensors");
    assert_code(e, 1);
    assert_says(e->err, "none.safetensors");
    assert_code(norma("train", "net.yaml", "--quiet", "--out", "missing"), 0);
    e = norma("eval", "net.yaml", "--weights", "missing", "--on", "validation");
    assert_code(e, 2);
    assert_says(e->err, "there is no validation set");
    e = norma("eval", "net.yaml", "--weights", "missing", "--set", "model.0.dense.units=5");
    assert_says(e->err, "layer dense1 has {units: 16} there, {units: 5} here");
    ck_assert_int_ne(e->code, 0);
}
END_TEST

/* The test set's samples in a file; returns its labels, 100 of them. */
static void write_samples(const char *name, int32_t labels[100])
{
    nm_context *context = nm_open(NULL);
    nm_config config;
    ck_assert_int_eq(nm_config_open(context, test_path("net.yaml"), NULL, 0, NM_NEED_DATA, &config),
                     NM_OK);
    const nm_dataset *set = &config.data.test;
    ck_assert_int_eq(set->count, 100);
    nm_tensor *samples = nm_tensor_create(context, NM_F32, NM_SHAPE(100, 2));
    memcpy(nm_tensor_data(samples), set->samples, 200 * sizeof(float));
    memcpy(labels, set->targets, 100 * sizeof *labels);
    ck_assert_int_eq(nm_npy_write(samples, test_path(name)), NM_OK);
    nm_tensor_destroy(samples);
    nm_config_close(&config);
    nm_close(context);
}

START_TEST(predict_is_right_as_often_as_eval_says)
{
    int32_t labels[100];
    const char *last = "";
    write_text("net.yaml", network);
    write_samples("x.npy", labels);
    assert_code(norma("train", "net.yaml", "--quiet", "--out", "predict"), 0);
    double accuracy =
        json_field(norma("eval", "net.yaml", "--weights", "predict", "--json")->out, "metric");
    const ended *e = norma("predict", "net.yaml", "--weights", "predict", "--in", "x.npy", "--json",
                           "--out", "y.npy");
    assert_code(e, 0);
    ck_assert_int_eq(json_lines(e->out, &last), 100);
    int right = 0;
    const char *line = e->out;
    for (int i = 0; i < 100; i++, line = strchr(line, '\n') + 1) {
        ck_assert_double_eq(json_field(line, "sample"), i);
        right += json_field(line, "class") == labels[i];
    }
    ck_assert_double_eq_tol(right, 100 * accuracy, 1e-9);
    nm_context *context = nm_open(NULL);
    nm_tensor *y = nm_npy_read(context, test_path("y.npy"));
    ck_assert(y && nm_shape_equal(nm_tensor_shape(y), &NM_SHAPE(100, 2)));
    for (int i = 0; i < 100; i++) {
        assert_near(nm_tensor_get(y, 2 * i) + nm_tensor_get(y, 2 * i + 1), 1, 1e-5, 0);
    }
    nm_tensor_destroy(y);
    nm_close(context);
    e = norma("predict", "net.yaml", "--weights", "predict", "--in", "x.npy");
    ck_assert_int_eq(strncmp(e->out, "0: class ", 9), 0);
    assert_says(e->out, "\n99: class ");
}
END_TEST

START_TEST(outputs_that_are_not_finite_are_an_error_of_eval_and_predict)
{
    int32_t labels[100];
    write_text("net.yaml", network);
    write_samples("x.npy", labels);
    assert_code(norma("train", "net.yaml", "--quiet", "--out", "large"), 0);
    nm_context *context = nm_open(NULL);
    nm_model *model = nm_model_open_saved(context, test_path("large/best.safetensors"));
    assert_fine(context);
    nm_store *store = nm_model_store(model);
    for (int i = 0; i < nm_store_count(store); i++) {
        nm_tensor_fill(nm_store_at(store, i)->tensor, 3e38); /* finite, each of them */
    }
    ck_assert_int_eq(nm_model_save(model, test_path("large.safetensors")), NM_OK);
    nm_model_destroy(model);
    nm_close(context);
    const ended *e = norma("eval", "net.yaml", "--weights", "large.safetensors");
    assert_code(e, 1);
    ck_assert_str_eq(e->out, "");
    assert_says(e->err, "norma: the test loss is NaN: the network's outputs are not finite; ");
    e = norma("predict", "large.safetensors", "x.npy");
    assert_code(e, 1);
    ck_assert_str_eq(e->out, "");
    assert_says(e->err, "sample 0: the network's output is ");
}
END_TEST

/* What the command prints for samples that the shell hands over. */
static char *predicted(const char *shell)
{
    char line[2048], program[512];
    size_t size;
    build_file(program, "NORMA_BUILD", "norma");
    snprintf(line, sizeof line, "bash -c \"cd '%s' && NORMA='%s' && %s >predicted\"", test_folder(),
             program, shell);
    ck_assert_int_eq(system(line), 0);
    return read_text(test_path("predicted"), &size);
}

START_TEST(samples_of_any_format_come_through_a_pipe)
{
    static const char *const shells[] = {
        "cat x.npy | \\$NORMA predict net.yaml --weights pipes --in -",
        "\\$NORMA predict net.yaml --weights pipes --in - <x.npy",
        "\\$NORMA predict net.yaml --weights pipes --in <(cat x.npy)",
    };
    int32_t labels[100];
    write_text("net.yaml", network);
    write_samples("x.npy", labels);
    assert_code(norma("train", "net.yaml", "--quiet", "--out", "pipes"), 0);
    char *wanted = predicted("\\$NORMA predict net.yaml --weights pipes --in x.npy");
    assert_says(wanted, "\n99: class ");
    for (size_t i = 0; i < sizeof shells / sizeof *shells; i++) {
        char *got = predicted(shells[i]);
        ck_assert_str_eq(got, wanted);
        free(got);
    }
    free(wanted);
}
END_TEST

START_TEST(predict_says_what_samples_look_like)
{
    write_text("net.yaml", network);
    assert_code(norma("train", "net.yaml", "--quiet", "--out", "shapes"), 0);
    nm_context *context = nm_open(NULL);
    nm_tensor *wrong = nm_tensor_create(context, NM_F32, NM_SHAPE(5, 3));
    nm_npy_write(wrong, test_path("wrong.npy"));
    nm_tensor_destroy(wrong);
    nm_close(context);
    const ended *e = norma("predict", "net.yaml", "--weights", "shapes", "--in", "wrong.npy");
    assert_code(e, 2);
    assert_says(e->err, "a sample has shape [3], but those trained on have [2]");
    e = norma("predict", "net.yaml", "--weights", "shapes");
    assert_code(e, 2);
    assert_says(e->err, "predict: the samples are missing: norma predict net.yaml FILE");
}
END_TEST

TEST_MAIN("models/command_train", json_puts_one_object_a_line_on_standard_output_and_nothing_else,
          progress_is_a_line_an_epoch_on_standard_error,
          quiet_leaves_the_line_with_the_result_and_json_alone,
          the_result_names_the_best_score_where_it_was_measured_and_how_far_the_test_set_is,
          a_terminal_gets_a_bar_and_no_color_is_obeyed, the_same_run_twice_gives_the_same_bits,
          a_run_is_not_written_over, a_folder_that_cannot_be_made_is_named,
          a_full_disk_leaves_the_old_files_whole_and_nothing_else,
          a_killed_run_goes_on_to_the_same_bits, an_interrupted_run_ends_well_and_says_how_to_go_on,
          a_loss_that_is_not_finite_is_a_failure_that_keeps_the_last_good_network,
          eval_gives_the_loss_that_training_reported,
          samples_to_be_ignored_are_ignored_from_the_file_to_the_result,
          several_metrics_are_told_by_their_names, eval_says_what_is_missing,
          predict_is_right_as_often_as_eval_says,
          outputs_that_are_not_finite_are_an_error_of_eval_and_predict,
          samples_of_any_format_come_through_a_pipe, predict_says_what_samples_look_like)
