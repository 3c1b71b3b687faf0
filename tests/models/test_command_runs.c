/* Runs and their folders: none is lost, mixed up or continued as something else. */
#include <math.h>
#include <time.h>

#include "tests/models/command_helpers.h"

/* ---- A folder each ---- */

#define TOGETHER 8

START_TEST(runs_started_together_get_a_folder_each)
{
    pid_t children[TOGETHER];
    write_text("together.yaml", network);
    for (int i = 0; i < TOGETHER; i++) {
        children[i] = start(WORDS("train", "together.yaml", "--quiet"), (running_options){0});
    }
    for (int i = 0; i < TOGETHER; i++) {
        assert_code(finish(children[i]), 0);
    }
    for (int i = 1; i <= TOGETHER; i++) {
        char name[64];
        snprintf(name, sizeof name,
                 i > 1 ? "runs/together-%d/checkpoint.safetensors"
                       : "runs/together/checkpoint.safetensors",
                 i);
        ck_assert_msg(is_there(name), "%s is missing", name);
    }
}
END_TEST

START_TEST(of_two_runs_that_want_one_folder_one_gets_it)
{
    pid_t children[TOGETHER];
    int fine = 0;
    write_text("net.yaml", network);
    for (int i = 0; i < TOGETHER; i++) {
        children[i] =
            start(WORDS("train", "net.yaml", "--quiet", "--out", "one"), (running_options){0});
    }
    for (int i = 0; i < TOGETHER; i++) {
        int status;
        waitpid(children[i], &status, 0);
        ck_assert(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 2));
        fine += WEXITSTATUS(status) == 0;
    }
    ck_assert_int_eq(fine, 1);
    assert_code(norma("eval", "net.yaml", "--weights", "one"), 0);
}
END_TEST

/* Runs for as long as nobody ends it. */
#define ENDLESS                                                                                    \
    "--set", "data.train.spirals.points=8000", "--set", "data.batch=20", "--set",                  \
        "train.epochs=100000"

static void wait_for(const char *name)
{
    for (int waited = 0; !is_there(name); waited++) {
        ck_assert_msg(waited < 60000, "%s is not there after a minute", name);
        usleep(1000);
    }
}

START_TEST(a_run_that_goes_on_is_left_alone)
{
    write_text("net.yaml", network);
    pid_t child = start(WORDS("train", "net.yaml", "--out", "busy", "--quiet", ENDLESS, "--set",
                              "train.checkpoint_every_steps=30"),
                        (running_options){.out = "/dev/null"});
    wait_for("busy/checkpoint.safetensors");
    const ended *e = norma("train", "net.yaml", "--out", "busy", "--resume", ENDLESS);
    assert_code(e, 2);
    ck_assert_str_eq(e->err, "norma: another process is training in busy; wait for it, or give "
                             "another --out\n");
    kill(child, SIGKILL);
    ck_assert_int_eq(finish(child)->code, -SIGKILL);
    /* The lock went with it. */
    assert_code(norma("train", "net.yaml", "--out", "busy", "--resume", "--quiet", "--set",
                      "data.train.spirals.points=8000", "--set", "data.batch=20", "--set",
                      "train.epochs=1"),
                0);
}
END_TEST

START_TEST(a_folder_of_the_users_own_is_not_written_over)
{
    size_t size;
    test_folder();
    ck_assert_int_eq(mkdir(test_path("mine"), 0777), 0);
    write_text("mine/network.yaml", network);
    const ended *e = norma("train", "mine/network.yaml", "--out", "mine", "--set", "train.seed=2");
    assert_code(e, 2);
    assert_says(e->err, "mine holds a network.yaml, which the run's would replace; give another");
    char *kept = read_text(test_path("mine/network.yaml"), &size);
    ck_assert_str_eq(kept, network);
    free(kept);
    ck_assert(!is_there("mine/log.jsonl"));
    ck_assert_int_eq(mkdir(test_path("empty"), 0777), 0);
    assert_code(norma("train", "mine/network.yaml", "--out", "empty", "--quiet"), 0);
}
END_TEST

START_TEST(a_link_that_leads_nowhere_is_something_of_the_users_own)
{
    char where[16];
    write_text("net.yaml", network);
    ck_assert_int_eq(mkdir(test_path("away"), 0777), 0);
    ck_assert_int_eq(symlink("/nowhere/x", test_path("away/network.yaml")), 0);
    const ended *e = norma("train", "net.yaml", "--out", "away");
    assert_code(e, 2);
    assert_says(e->err, "away holds a network.yaml, which the run's would replace; give another");
    ck_assert_int_eq(readlink(test_path("away/network.yaml"), where, sizeof where), 10);
}
END_TEST

START_TEST(a_link_in_the_place_of_the_log_is_not_followed)
{
    size_t size;
    write_text("net.yaml", network);
    write_text("victim", "theirs");
    ck_assert_int_eq(mkdir(test_path("linked"), 0777), 0);
    ck_assert_int_eq(symlink(test_path("victim"), test_path("linked/log.jsonl")), 0);
    const ended *e = norma("train", "net.yaml", "--out", "linked");
    assert_code(e, 1);
    assert_says(e->err, "cannot write \"linked/log.jsonl\": it is a link");
    char *kept = read_text(test_path("victim"), &size);
    ck_assert_str_eq(kept, "theirs");
    free(kept);
}
END_TEST

START_TEST(a_run_that_cannot_begin_leaves_nothing)
{
    write_text("unbegun.yaml", network);
    const char *const too_long = "train.warmup.epochs=9";
    assert_code(norma("train", "unbegun.yaml", "--out", "begun", "--set", too_long), 2);
    ck_assert(!is_there("begun"));
    assert_code(norma("train", "unbegun.yaml", "--set", too_long), 2);
    ck_assert(!is_there("runs/unbegun"));
}
END_TEST

/* ---- A run belongs to its file ---- */

START_TEST(a_run_is_known_by_its_file_and_not_by_its_name)
{
    write_text("name.yaml", network);
    ck_assert_int_eq(mkdir(test_path("other"), 0777), 0);
    write_text("other/name.yaml", network);
    assert_code(norma("train", "name.yaml", "--quiet"), 0);
    const ended *e = norma("eval", "other/name.yaml");
    assert_code(e, 2);
    assert_says(e->err, "no run of other/name.yaml is in runs/ (runs/name is of /");
    assert_code(norma("train", "other/name.yaml", "--quiet"), 0);
    assert_says(norma("eval", "other/name.yaml")->out, "runs/name-2/best.safetensors)");
    assert_says(norma("eval", "name.yaml")->out, "runs/name/best.safetensors)");
    ck_assert_int_eq(symlink("other/name.yaml", test_path("link.yaml")), 0);
    assert_code(norma("train", "link.yaml", "--quiet"), 0);
    assert_says(norma("eval", "link.yaml")->out, "runs/link/best.safetensors)");
}
END_TEST

START_TEST(the_newest_run_is_the_newest_by_time)
{
    write_text("newest.yaml", network);
    for (int i = 0; i < 3; i++) {
        assert_code(norma("train", "newest.yaml", "--quiet"), 0);
    }
    assert_says(norma("eval", "newest.yaml")->out, "runs/newest-3/best.safetensors)");
    ck_assert_int_eq(rename(test_path("runs/newest"), test_path("gone")), 0);
    assert_says(norma("eval", "newest.yaml")->out, "runs/newest-3/best.safetensors)");
    assert_code(norma("train", "newest.yaml", "--quiet"), 0);
    assert_says(norma("eval", "newest.yaml")->out, "runs/newest/best.safetensors)");
    /* One that went on is newer than one begun in between. */
    assert_code(norma("train", "newest.yaml", "--quiet", "--out", "runs/newest-2", "--resume"), 0);
    assert_says(norma("eval", "newest.yaml")->out, "runs/newest-2/best.safetensors)");
}
END_TEST

START_TEST(runs_are_found_again_where_all_was_moved)
{
    write_text("net.yaml", network);
    ck_assert_int_eq(mkdir(test_path("here"), 0777), 0);
    ck_assert_int_eq(rename(test_path("net.yaml"), test_path("here/net.yaml")), 0);
    char line[2048], program[512];
    build_file(program, "NORMA_BUILD", "norma");
    snprintf(line, sizeof line,
             "cd '%s/here' && '%s' train net.yaml --quiet && cd .. && mv here there && cd there && "
             "'%s' eval net.yaml >/dev/null",
             test_folder(), program, program);
    ck_assert_int_eq(system(line), 0);
}
END_TEST

START_TEST(a_run_that_failed_is_passed_over_and_that_is_said)
{
    write_text("failed.yaml", network);
    const char *const wild = "train.optimizer.sgd.rate=1e30";
    assert_code(norma("train", "failed.yaml", "--quiet", "--set", wild), 1);
    const ended *e = norma("eval", "failed.yaml");
    assert_code(e, 2);
    assert_says(e->err, "runs/failed has neither best.safetensors nor checkpoint.safetensors");
    assert_code(norma("train", "failed.yaml", "--quiet"), 0);
    assert_code(norma("train", "failed.yaml", "--quiet", "--set", wild), 1);
    e = norma("eval", "failed.yaml");
    assert_code(e, 0);
    assert_says(e->out, "runs/failed-2/best.safetensors)");
    assert_says(e->err, "norma: runs/failed-3 failed: ");
    assert_says(e->err, "; taking runs/failed-2\n");
}
END_TEST

START_TEST(weights_of_another_network_are_refused_with_the_first_difference)
{
    write_text("net.yaml", network);
    assert_code(norma("train", "net.yaml", "--quiet", "--out", "small"), 0);
    const ended *e = norma("eval", "net.yaml", "--weights", "small", "--set",
                           "model=[dense: {units: 16, bias: false}, relu, dense: {units: 2}]");
    ck_assert_int_ne(e->code, 0);
    ck_assert_str_eq(e->out, "");
    assert_says(e->err, "small/best.safetensors");
    assert_says(e->err, "it is of another network: layer relu1 is batch_norm there, relu here");
}
END_TEST

START_TEST(a_network_alone_is_not_said_to_be_resumable)
{
    write_text("alone.yaml", network);
    assert_code(norma("train", "alone.yaml", "--quiet"), 0);
    ck_assert_int_eq(unlink(test_path("runs/alone/checkpoint.safetensors")), 0);
    const ended *e = norma("train", "alone.yaml", "--out", "runs/alone");
    assert_code(e, 2);
    ck_assert_ptr_null(strstr(e->err, "--resume"));
    e = norma("train", "alone.yaml", "--resume");
    assert_code(e, 2);
    assert_says(e->err, "runs/alone has no checkpoint.safetensors, only a network");
}
END_TEST

/* ---- Interrupted ---- */

/* Starts a run that ends only when told, and waits until it has made an epoch. */
static pid_t start_endless_as(const char *file, const char *out, running_options o)
{
    char name[256];
    pid_t child = start(
        WORDS("train", file, "--out", out, ENDLESS, "--set", "train.checkpoint_every_steps=30"), o);
    snprintf(name, sizeof name, "%s/checkpoint.safetensors", out);
    wait_for(name);
    return child;
}

static pid_t start_endless(const char *file, const char *out)
{
    return start_endless_as(file, out, (running_options){0});
}

START_TEST(an_interrupted_run_exits_with_128_and_the_signal)
{
    static const struct {
        int number;
        const char *out;
    } cases[] = {{SIGINT, "int"}, {SIGTERM, "term"}, {SIGHUP, "hup"}};
    write_text("net.yaml", network);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pid_t child = start_endless("net.yaml", cases[i].out);
        ck_assert_int_eq(kill(child, cases[i].number), 0);
        const ended *e = finish(child);
        assert_code(e, 128 + cases[i].number);
        assert_says(e->out, "stopped; to go on: norma train net.yaml --set ");
        char log[64], says[64];
        size_t size;
        snprintf(log, sizeof log, "%s/log.jsonl", cases[i].out);
        snprintf(says, sizeof says, "\"end\": \"stopped\", \"signal\": %d", cases[i].number);
        char *text = read_text(test_path(log), &size);
        assert_says(text, says);
        free(text);
    }
}
END_TEST

/* Sends SIGTERM five times; false: that took so long that they are not one any more. */
static bool send_at_once(pid_t child)
{
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (int n = 0; n < 5; n++) {
        kill(child, SIGTERM);
        usleep(200);
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    return (end.tv_sec - begin.tv_sec) * 1000 + (end.tv_nsec - begin.tv_nsec) / 1000000 < 250;
}

START_TEST(a_signal_sent_twice_at_once_is_one)
{
    bool at_once = false;
    write_text("net.yaml", network);
    for (int i = 0; i < 10 && !at_once; i++) { /* a busy machine may need more than one try */
        char out[24];
        snprintf(out, sizeof out, "terms%d", i);
        pid_t child = start_endless("net.yaml", out);
        at_once = send_at_once(child);
        int code = finish(child)->code;
        ck_assert_msg(!at_once || code == 128 + SIGTERM, "exit code %d", code);
    }
    ck_assert_msg(at_once, "five signals took over 250 ms, ten times");
}
END_TEST

START_TEST(a_terminal_that_hangs_up_again_and_again_ends_it_as_once)
{
    write_text("net.yaml", network);
    pid_t child = start_endless("net.yaml", "hups");
    siginfo_t ends = {0};
    while (ends.si_pid != child) { /* up to its last moment */
        kill(child, SIGHUP);
        usleep(50);
        ck_assert_int_eq(waitid(P_PID, (id_t)child, &ends, WEXITED | WNOHANG | WNOWAIT), 0);
    }
    assert_code(finish(child), 128 + SIGHUP);
}
END_TEST

START_TEST(a_signal_that_was_ignored_stays_so)
{
    write_text("net.yaml", network);
    pid_t child = start_endless_as("net.yaml", "nohup", (running_options){.ignores = SIGHUP});
    kill(child, SIGHUP);
    usleep(100000);
    kill(child, SIGINT);
    assert_code(finish(child), 128 + SIGINT);
}
END_TEST

START_TEST(what_is_printed_to_go_on_can_be_pasted)
{
    static const char *const names[] = {"my net.yaml", "it's $HOME `x` \"q\".yaml", "a\tb~.yaml",
                                        "-dash.yaml"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char out[64], file[256], script[4096], program[512];
        write_text(names[i], network);
        snprintf(out, sizeof out, "my 'run' %zu", i);
        snprintf(file, sizeof file, "./%s", names[i]);
        pid_t child = start_endless(file, out);
        kill(child, SIGINT);
        const ended *e = finish(child);
        assert_code(e, 130);
        const char *command = strstr(e->out, "to go on: norma ");
        ck_assert_ptr_nonnull(command);
        snprintf(script, sizeof script, "cd '%s' && '%s' %.*s --set train.epochs=1 >pasted 2>&1",
                 test_folder(), build_file(program, "NORMA_BUILD", "norma"),
                 (int)strcspn(command + 16, "\n"), command + 16);
        write_text("script", script);
        snprintf(script, sizeof script, "bash '%s/script'", test_folder());
        int status = system(script);
        ck_assert_msg(status == 0, "%s ended with %d", command, status);
    }
}
END_TEST

/* ---- Standard output that fails ---- */

START_TEST(a_standard_output_that_fails_does_not_cost_the_epoch)
{
    write_text("net.yaml", network);
    write_text("stdout", "");
    const ended *e = finish(start(WORDS("train", "net.yaml", "--json", "--quiet", "--out", "full"),
                                  (running_options){.out = "/dev/full"}));
    assert_code(e, 1);
    assert_says(e->err, "to go on: norma train net.yaml --out full --resume\n");
    assert_says(e->err, "norma: cannot write to standard output");
    const char *last = "";
    e = norma("train", "net.yaml", "--out", "full", "--resume", "--json", "--quiet");
    assert_code(e, 0);
    ck_assert_int_eq(json_lines(e->out, &last), 3); /* two epochs more, the result */
    ck_assert_double_eq(json_field(last, "epochs"), 3);
}
END_TEST

START_TEST(a_reader_that_goes_away_ends_the_run_with_a_checkpoint)
{
    int ends[2];
    char place[64];
    write_text("net.yaml", network);
    write_text("stdout", "");
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    snprintf(place, sizeof place, "/proc/self/fd/%d", ends[1]);
    pid_t child = start(WORDS("train", "net.yaml", "--json", "--quiet", "--out", "head", ENDLESS),
                        (running_options){.out = place});
    close(ends[1]);
    char byte;
    ck_assert_int_eq(read(ends[0], &byte, 1), 1);
    close(ends[0]);
    const ended *e = finish(child);
    ck_assert_msg(e->code == 128 + SIGPIPE || e->code == 1, "exit code %d", e->code);
    ck_assert(is_there("head/checkpoint.safetensors"));
}
END_TEST

/* ---- The log, and what is not in the other files ---- */

START_TEST(the_same_run_at_another_time_writes_the_same_bytes)
{
    write_text("net.yaml", network);
    ck_assert_int_eq(mkdir(test_path("elsewhere"), 0777), 0);
    write_text("elsewhere/other.yaml", network);
    assert_code(norma("train", "net.yaml", "--quiet", "--out", "first"), 0);
    usleep(20000);
    assert_code(norma("train", "elsewhere/other.yaml", "--quiet", "--out", "elsewhere/second"), 0);
    assert_same_bytes("first/checkpoint.safetensors", "elsewhere/second/checkpoint.safetensors");
    assert_same_bytes("first/best.safetensors", "elsewhere/second/best.safetensors");
    assert_same_bytes("first/network.yaml", "elsewhere/second/network.yaml");
    /* and one that was stopped in between */
    assert_code(norma("train", "net.yaml", "--quiet", "--out", "parts", "--set", "train.steps=13",
                      "--set", "train.schedule=constant"),
                0);
    assert_code(norma("train", "net.yaml", "--quiet", "--out", "parts", "--resume", "--set",
                      "train.schedule=constant"),
                0);
    assert_code(
        norma("train", "net.yaml", "--quiet", "--out", "whole", "--set", "train.schedule=constant"),
        0);
    assert_same_bytes("parts/checkpoint.safetensors", "whole/checkpoint.safetensors");
}
END_TEST

/* The line number `index` from 0. */
static const char *line_at(const char *text, int index)
{
    for (; index; index--) {
        text = strchr(text, '\n') + 1;
    }
    return text;
}

START_TEST(the_log_holds_the_facts_each_epoch_and_the_end)
{
    size_t size;
    const char *last = "";
    write_text("net.yaml", network);
    assert_code(norma("train", "net.yaml", "--quiet", "--out", "my log", "--set", "train.seed=7"),
                0);
    char *text = read_text(test_path("my log/log.jsonl"), &size);
    ck_assert_int_eq(json_lines(text, &last), 1 + 3 + 1);
    static const char *const facts[] = {
        "\"event\": \"start\"",
        "\"started\": \"2",
        "\"version\": \"",
        "\"threads\": ",
        "\"processor\": \"",
        "\"train_samples\": 400, \"train_fingerprint\": \"",
        "\"test_samples\": 100",
        "\"seed\": 7, ",
        "\"command\": \"norma train net.yaml --quiet --out 'my log' --set 'train.seed=7'\""};
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) {
        const char *at = strstr(text, facts[i]);
        ck_assert_msg(at && at < line_at(text, 1), "no %s in %s", facts[i], text);
    }
    for (int i = 1; i <= 3; i++) {
        const char *line = line_at(text, i);
        ck_assert_double_eq(json_field(line, "epoch"), i);
        ck_assert_double_eq(json_field(line, "step"), 10 * i);
        ck_assert_double_gt(json_field(line, "rate"), 0);
        ck_assert_double_gt(json_field(line, "train_loss"), 0);
        ck_assert_double_gt(json_field(line, "test_loss"), 0);
        ck_assert_double_gt(json_field(line, "test_metric"), 0);
        ck_assert_double_gt(json_field(line, "gradient_norm"), 0);
        ck_assert_double_gt(json_field(line, "seconds"), 0);
    }
    assert_says(last, "\"event\": \"end\", \"end\": \"finished\"");
    free(text);
}
END_TEST

START_TEST(a_resumed_run_is_appended_to_its_log_and_its_time_added)
{
    size_t size;
    const char *last = "";
    write_text("net.yaml", network);
    assert_code(norma("train", "net.yaml", "--quiet", "--out", "log", "--set", "train.epochs=2"),
                0);
    char *text = read_text(test_path("log/log.jsonl"), &size);
    json_lines(text, &last);
    double seconds = json_field(last, "seconds");
    free(text);
    /* A kill in the middle of a line costs that line. */
    FILE *file = fopen(test_path("log/log.jsonl"), "a");
    fputs("{\"event\": \"epoch\", \"epo", file);
    fclose(file);
    const ended *e = norma("train", "net.yaml", "--quiet", "--json", "--out", "log", "--resume");
    assert_code(e, 0);
    json_lines(e->out, &last);
    ck_assert_double_gt(json_field(last, "seconds"), seconds);
    text = read_text(test_path("log/log.jsonl"), &size);
    const char *again = line_at(text, 1 + 2 + 1 + 1);
    assert_says(again, "\"event\": \"start\"");
    ck_assert_double_eq(json_field(again, "step"), 20);
    ck_assert_int_eq(json_lines(again, &last), 1 + 1 + 1);
    free(text);
}
END_TEST

START_TEST(a_name_that_is_no_utf8_is_json_all_the_same)
{
    const char *last = "";
    size_t size;
    write_text("net.yaml", network);
    const ended *e = norma("train", "net.yaml", "--quiet", "--json", "--out", "b\xff\x1b\xc2\x9b");
    assert_code(e, 0);
    json_lines(e->out, &last);
    assert_says(last, "\"folder\": \"b\\udcff\\u001b\\u009b\"");
    char *text = read_text(test_path("b\xff\x1b\xc2\x9b/log.jsonl"), &size);
    json_lines(text, &last);
    free(text);
}
END_TEST

START_TEST(a_log_that_cannot_be_written_does_not_end_the_run)
{
    write_text("net.yaml", network);
    const ended *e = finish(
        start(WORDS("train", "net.yaml", "--out", "capped", "--quiet", "--set", "train.epochs=60"),
              (running_options){.file_limit = 8000}));
    assert_code(e, 0);
    const char *said = strstr(e->err, "norma: cannot write capped/log.jsonl: ");
    ck_assert_msg(said != NULL, "it said \"%s\"", e->err);
    ck_assert_ptr_null(strstr(said + 30, "log.jsonl")); /* once */
}
END_TEST

TEST_MAIN("models/command_runs", runs_started_together_get_a_folder_each,
          of_two_runs_that_want_one_folder_one_gets_it, a_run_that_goes_on_is_left_alone,
          a_folder_of_the_users_own_is_not_written_over,
          a_link_that_leads_nowhere_is_something_of_the_users_own,
          a_link_in_the_place_of_the_log_is_not_followed, a_run_that_cannot_begin_leaves_nothing,
          a_run_is_known_by_its_file_and_not_by_its_name, the_newest_run_is_the_newest_by_time,
          runs_are_found_again_where_all_was_moved,
          a_run_that_failed_is_passed_over_and_that_is_said,
          weights_of_another_network_are_refused_with_the_first_difference,
          a_network_alone_is_not_said_to_be_resumable,
          an_interrupted_run_exits_with_128_and_the_signal, a_signal_sent_twice_at_once_is_one,
          a_terminal_that_hangs_up_again_and_again_ends_it_as_once,
          a_signal_that_was_ignored_stays_so, what_is_printed_to_go_on_can_be_pasted,
          a_standard_output_that_fails_does_not_cost_the_epoch,
          a_reader_that_goes_away_ends_the_run_with_a_checkpoint,
          the_same_run_at_another_time_writes_the_same_bytes,
          the_log_holds_the_facts_each_epoch_and_the_end,
          a_resumed_run_is_appended_to_its_log_and_its_time_added,
          a_name_that_is_no_utf8_is_json_all_the_same,
          a_log_that_cannot_be_written_does_not_end_the_run)
