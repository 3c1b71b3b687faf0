/* norma study: what it runs, what it finds, what it refuses. */
#include <glob.h>
#include <math.h>

#include "tests/models/command_helpers.h"

/* Spirals without hidden units cannot be told apart; claims about that which are true, false, and
 * beyond what two seeds can tell. */
#define BASE                                                                                       \
    "title: Hidden units\n"                                                                        \
    "base:\n"                                                                                      \
    "  model: {input: [2], layers: [$hidden, {dense: {units: 2}}]}\n"                              \
    "  data: {train: {spirals: {points: 60}}, test: {spirals: {points: 60}}, batch: 20}\n"         \
    "  loss: cross_entropy\n"                                                                      \
    "  train: {epochs: $epochs, optimizer: {sgd: {rate: $rate}}, checkpoint_every: 0}\n"           \
    "  probes: [{gradient_norms: {every: 10}}]\n"                                                  \
    "set: {epochs: 4}\n"                                                                           \
    "seeds: 3\n"
#define VARIANTS                                                                                   \
    "variants:\n"                                                                                  \
    "  none: {hidden: []}\n"                                                                       \
    "  some: {hidden: [{dense: {units: 16}}, tanh]}\n"
#define AXES "axes: {rate: [0.01, 0.1]}\n"
#define MEASURES                                                                                   \
    "measures:\n"                                                                                  \
    "  loss: {history: train_loss}\n"                                                              \
    "  gradient: {probe: gradient_norms, value: norm, take: first}\n"
#define CLAIM(of, than, more)                                                                      \
    "  - {claim: one, measure: loss, of: {variant: none, rate: " of "}, than: " than               \
    ", source: s, " more "}\n"

static const char study[] = BASE VARIANTS AXES MEASURES
    "claims:\n" CLAIM("0.1", "0.1", "expect: above") /* a loss is above 0.1: true */
    CLAIM("0.1", "5", "expect: above")               /* planted: it is not above 5 */
    CLAIM("0.1", "{variant: none, rate: 0.1}", "expect: equal, within: 1e-9")
        CLAIM("0.1", "{variant: none, rate: 0.1}",
              "expect: above, by: 1") "plots: [{title: Loss, measure: loss}, {title: By rate, "
                                      "measure: loss, over: rate}]\n";

static int count_of(const char *text, const char *part)
{
    int count = 0;
    for (const char *at = text; (at = strstr(at, part)); at += strlen(part)) {
        count++;
    }
    return count;
}

/* The n-th verdict of results.json, from 0. */
static void assert_verdict(const char *results, int n, const char *verdict)
{
    char expected[64];
    const char *at = results;
    for (int i = 0; i <= n; i++) {
        at = strstr(at, "\"verdict\": ");
        ck_assert_ptr_nonnull(at);
        at++;
    }
    snprintf(expected, sizeof expected, "verdict\": \"%s\"", verdict);
    ck_assert_msg(strncmp(at, expected, strlen(expected)) == 0, "claim %d: %.40s", n, at);
}

START_TEST(a_true_claim_is_supported_and_a_planted_one_is_not)
{
    size_t size;
    write_text("hidden.yaml", study);
    const ended *e = norma("study", "hidden.yaml", "--out", "first", "-j", "2");
    assert_code(e, 0);
    ck_assert_int_eq(count_of(e->err, "seed"), 2 * 2 * 3);
    assert_says(e->out, "not supported");
    char *results = read_text(test_path("first/results.json"), &size);
    assert_verdict(results, 0, "supported");
    assert_verdict(results, 1, "not supported");
    assert_verdict(results, 2, "supported");
    assert_verdict(results, 3, "not supported");
    char *page = read_text(test_path("first/index.html"), &size);
    ck_assert_ptr_nonnull(strstr(page, "Not supported."));
    ck_assert_ptr_nonnull(strstr(page, "<svg"));
    free(page);
    e = norma("study", "hidden.yaml", "--out", "first");
    assert_code(e, 0);
    ck_assert_int_eq(count_of(e->err, "seed"), 0); /* nothing was left to run */
    char *again = read_text(test_path("first/results.json"), &size);
    ck_assert_str_eq(results, again);
    free(again);
    free(results);
}
END_TEST

START_TEST(a_study_that_is_stopped_goes_on_and_comes_to_the_same)
{
    size_t size;
    write_text("hidden.yaml", study);
    assert_code(norma("study", "hidden.yaml", "--out", "whole", "--quiet"), 0);
    const pid_t child =
        start(WORDS("study", "hidden.yaml", "--out", "parts"), (running_options){0});
    for (int i = 0; i < 600; i++) {
        glob_t found;
        const bool some = glob(test_path("parts/runs/*/log.jsonl"), 0, NULL, &found) == 0;
        const bool enough = some && found.gl_pathc >= 3;
        if (some) {
            globfree(&found);
        }
        if (enough) {
            break;
        }
        usleep(20000);
    }
    kill(child, SIGINT);
    const ended *e = finish(child);
    ck_assert_msg(e->code == 128 + SIGINT || e->code == 0, "%d: %s", e->code, e->err);
    assert_code(norma("study", "hidden.yaml", "--out", "parts", "--quiet"), 0);
    char *whole = read_text(test_path("whole/results.json"), &size);
    char *parts = read_text(test_path("parts/results.json"), &size);
    ck_assert_str_eq(whole, parts);
    free(whole);
    free(parts);
}
END_TEST

/* 0: it has none yet. */
static pid_t child_of(pid_t parent)
{
    glob_t found;
    pid_t child = 0;
    ck_assert_int_eq(glob("/proc/[0-9]*/stat", 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc && !child; i++) {
        int pid, its_parent;
        FILE *file = fopen(found.gl_pathv[i], "r");
        if (file && fscanf(file, "%d (%*[^)]) %*c %d", &pid, &its_parent) == 2 &&
            its_parent == parent) {
            child = pid;
        }
        if (file) {
            fclose(file);
        }
    }
    globfree(&found);
    return child;
}

static bool is_empty(const char *name)
{
    struct stat info;
    return stat(test_path(name), &info) != 0 || info.st_size == 0;
}

/* As by a system that is short of memory. */
START_TEST(a_run_that_is_killed_is_told_with_its_signal)
{
    /* It has a warning: its test set is what it is trained on. */
    write_text("long.yaml", BASE "variants: {none: {hidden: [], epochs: 1000000}}\n" AXES MEASURES);
    const pid_t whole =
        start(WORDS("study", "long.yaml", "--out", "long", "-j", "1"), (running_options){0});
    pid_t run = 0;
    for (int i = 0; i < 600 && !run; i++) {
        run = child_of(whole);
        usleep(20000);
    }
    ck_assert_int_gt(run, 0);
    while (is_empty("long/runs/none,rate=0.01,seed=1.txt")) {
        usleep(1000);
    }
    kill(run, SIGKILL);
    const ended *e = finish(whole);
    assert_code(e, 2);
    assert_says(
        e->err,
        "the run \"none,rate=0.01,seed=1\" failed: it was ended by signal 9 (Killed); before, "
        "it said: norma: data: the test set is the training set once more");
}
END_TEST

static const struct {
    const char *text, *message;
} mistakes[] = {
    {BASE "variants: {a: {hidden: [relu]}, b: {hidden: [relu]}}\n" AXES MEASURES,
     "what it sets changes nothing"},
    {BASE "variants: {a: {hiden: [relu], hidden: []}}\n" AXES MEASURES,
     "\"hiden\" changes nothing: base has no $hiden"},
    {BASE "variants: {a: {}}\n" AXES MEASURES, "nothing says what $hidden is in variant \"a\""},
    {BASE "variants: {a: {hidden: [rellu]}}\n" AXES MEASURES, "did you mean \"relu\"?"},
    {BASE VARIANTS AXES "measures: {x: {probe: saturation, value: dead}}\n",
     "nothing in base measures saturation"},
    {BASE VARIANTS AXES "measures: {x: {probe: gradient_norms, value: nrm}}\n",
     "did you mean \"norm\"?"},
    {BASE VARIANTS AXES "measures: {x: {history: test_acuracy}}\n", "has no \"test_acuracy\""},
    {BASE VARIANTS AXES MEASURES
     "claims: [{claim: c, measure: accuracy, of: {variant: none, rate: 0.1}, than: 1}]\n",
     "nothing measures \"accuracy\""},
    {BASE VARIANTS AXES MEASURES
     "claims: [{claim: c, measure: loss, of: {variant: nonne, rate: 0.1}, than: 1}]\n",
     "there is no variant \"nonne\""},
    {BASE VARIANTS AXES MEASURES
     "claims: [{claim: c, measure: loss, of: {variant: none}, than: 1}]\n",
     "it does not say which rate"},
    {BASE VARIANTS AXES MEASURES
     "claims: [{claim: c, measure: loss, of: {variant: none, rate: 0.2}, than: 1}]\n",
     "has no value 0.2"},
    {BASE VARIANTS AXES MEASURES
     "claims: [{claim: c, measure: loss, of: {variant: none, rate: {sgd: 1}}, than: 1}]\n",
     "the axis \"rate\" has no such value; name one as the axis has it"},
    {BASE VARIANTS AXES MEASURES
     "claims: [{claim: c, measure: loss, of: {variant: none, rate: 0.1}, than: 1, expect: "
     "equal}]\n",
     "equal needs \"within\""},
    {BASE VARIANTS AXES MEASURES
     "claims: [{claim: c, measure: loss, of: {variant: none, rate: 0.1}, than: 1, as: ratio, by: "
     "-1}]\n",
     "a tolerance is a \"by\" below 1"},
    {BASE VARIANTS AXES MEASURES "plots: [{title: p, measure: accuracy}]\n",
     "plot: nothing measures \"accuracy\""},
    {BASE VARIANTS AXES MEASURES "plots: [{title: p, measure: loss, over: depth}]\n",
     "plot: there is no axis \"depth\""},
    {BASE VARIANTS AXES "measures: {x: {saved: foldin}}\n", "saved takes \"folding\""},
    {BASE VARIANTS AXES "measures: {x: {history: train_loss, saved: folding}}\n",
     "give one of history, probe and saved"},
    {BASE VARIANTS AXES "measures: {x: {history: train_loss, by: seconds}}\n",
     "\"by\" is for take: reach"},
    {BASE VARIANTS AXES "measures: {x: {history: train_loss, take: reach, by: second}}\n",
     "by takes seconds, say"},
};

START_TEST(what_is_wrong_with_a_study_is_told_before_anything_runs)
{
    for (int i = 0; i < NM_COUNT_OF(mistakes); i++) {
        write_text("wrong.yaml", mistakes[i].text);
        const ended *e = norma("study", "wrong.yaml", "--out", "wrong");
        assert_code(e, 2);
        assert_says(e->err, mistakes[i].message);
        ck_assert_msg(strstr(e->err, "wrong.yaml:"), "no place: %s", e->err);
        ck_assert_msg(access(test_path("wrong/runs"), F_OK) != 0, "%d ran", i);
    }
}
END_TEST

/* What folding changes is rounding; reaching is told in steps or in seconds. */
START_TEST(a_saved_network_is_measured_and_reaching_by_another_number)
{
    size_t size;
    write_text(
        "folded.yaml",
        "title: Folding\n"
        "base:\n"
        "  model: {input: [2], layers: [{dense: {units: 8}}, $norm, relu, {dense: {units: "
        "2}}]}\n"
        "  data: {train: {spirals: {points: 60}}, test: {spirals: {points: 60}}, batch: 20}\n"
        "  loss: cross_entropy\n"
        "  train: {epochs: 3, checkpoint_every: 0}\n"
        "variants: {none: {norm: []}, some: {norm: [batch_norm]}}\n"
        "seeds: 2\n"
        "measures:\n"
        "  folding: {saved: folding}\n"
        "  steps: {history: test_accuracy, take: reach, level: 0.01}\n"
        "  seconds: {history: test_accuracy, take: reach, level: 0.01, by: seconds}\n"
        "claims:\n"
        "  - {claim: nothing to fold, measure: folding, of: {variant: none}, than: 1e-12, "
        "expect: below}\n"
        "  - {claim: rounding, measure: folding, of: {variant: some}, than: 1e-5, expect: "
        "below}\n"
        "  - {claim: and not nothing, measure: folding, of: {variant: some}, than: 1e-10}\n"
        "  - {claim: steps, measure: steps, of: {variant: none}, than: 3, expect: equal, "
        "within: 1e-9}\n"
        "  - {claim: seconds, measure: seconds, of: {variant: none}, than: 1e-9}\n");
    assert_code(norma("study", "folded.yaml", "--out", "folded", "--quiet"), 0);
    char *results = read_text(test_path("folded/results.json"), &size);
    assert_verdict(results, 0, "supported");
    assert_verdict(results, 1, "supported");
    assert_verdict(results, 3, "supported");
    free(results);
}
END_TEST

/* Li and others' figure: one for each arm, with the same shades. */
/* Where such a text of an SVG begins or has its middle, the one from `*at` on. */
static double x_of(const char **at, const char *begin)
{
    double x = NAN;
    *at = strstr(*at, begin);
    ck_assert_ptr_nonnull(*at);
    *at += strlen(begin);
    ck_assert_int_eq(sscanf(*at, " x=\"%lf\"", &x), 1);
    return x;
}

/* Losses are taken at -0.5, -0.25, 0, 0.25 and 0.5, and stand there: -0.4 is in between. */
static void check_places(const char *page)
{
    const char *at = page;
    const double first = x_of(&at, "class=\"value\""), second = x_of(&at, "class=\"value\"");
    double mark = NAN;
    do {
        mark = x_of(&at, "class=\"middle\"");
    } while (strncmp(strchr(at, '>'), ">-0.4<", 6) != 0);
    assert_near(mark, first + 0.4 * (second - first), 0.01, 0);
}

START_TEST(the_loss_around_the_parameters_is_drawn_for_each_arm)
{
    size_t size;
    write_text("around.yaml",
               "title: Around\n"
               "base:\n"
               "  model: {input: [2], layers: [{dense: {units: 8}}, $norm, relu, {dense: {units: "
               "2}}]}\n"
               "  data: {train: {spirals: {points: 60}}, batch: 20}\n"
               "  loss: cross_entropy\n"
               "  train: {steps: 3, checkpoint_every: 0}\n"
               "  probes: [{loss_surface: {every: 100, points: 5, reach: 0.5}}]\n"
               "variants: {none: {norm: []}, some: {norm: [batch_norm]}}\n"
               "seeds: 2\n"
               "measures: {around: {probe: loss_surface, value: loss, take: mean, after: 1}}\n"
               "plots: [{title: The loss around, measure: around}]\n");
    assert_code(norma("study", "around.yaml", "--out", "around", "--quiet"), 0);
    char *page = read_text(test_path("around/index.html"), &size);
    ck_assert_int_eq(count_of(page, "<svg"), 2);
    ck_assert_int_ge(count_of(page, "The loss around: none"), 1);
    ck_assert_int_ge(count_of(page, "The loss around: some"), 1);
    check_places(page);
    free(page);
}
END_TEST

/* A claim on what no seed came to says so, on the page and in the terminal; an axis of words has
 * them at its places. */
START_TEST(what_has_no_number_is_said_in_words)
{
    size_t size;
    write_text(
        "words.yaml", BASE VARIANTS
        "axes: {rate: [0.1], data.normalize: [none, auto]}\n"
        "measures:\n"
        "  steps: {history: test_accuracy, take: reach, level: 2}\n"
        "  loss: {history: train_loss}\n"
        "claims: [{claim: c, measure: steps, of: {variant: none, data.normalize: none}, than: "
        "1}]\n"
        "plots: [{title: Loss, measure: loss, over: data.normalize}]\n");
    const ended *e = norma("study", "words.yaml", "--out", "words", "--quiet");
    assert_code(e, 0);
    assert_says(e->out, "steps: no number to compare");
    ck_assert_ptr_null(strstr(e->out, "nan"));
    char *page = read_text(test_path("words/index.html"), &size);
    assert_says(page, "Undecided. steps: no number to compare (");
    ck_assert_ptr_null(strstr(page, " nan"));
    assert_says(page, ">auto</text>");
    free(page);
}
END_TEST

/* By what they are called, or whole; two of one name have numbers. */
START_TEST(values_of_an_axis_may_be_maps)
{
    size_t size;
    write_text("maps.yaml",
               "title: Maps\n"
               "base:\n"
               "  model: {input: [2], layers: [{dense: {units: 2}}]}\n"
               "  data: {train: {spirals: {points: 60}}, batch: 20}\n"
               "  loss: cross_entropy\n"
               "  train: {epochs: 1, optimizer: $opt, checkpoint_every: 0}\n"
               "variants: {plain: {}}\n"
               "axes: {opt: [adam, {lion: {rate: 1e-3}}, {sgd: {rate: 0.1}}, {sgd: {rate: 100}}]}\n"
               "seeds: 2\n"
               "measures: {loss: {history: train_loss}}\n"
               "claims:\n"
               "  - {claim: a, measure: loss, of: {variant: plain, opt: {sgd: {rate: 1e2}}}, than: "
               "{variant: plain, opt: 3}, expect: equal, within: 1e-9}\n"
               "  - {claim: b, measure: loss, of: {variant: plain, opt: lion}, than: 50}\n"
               "  - {claim: c, measure: loss, of: {variant: plain, opt: {sgd: {rate: 0.1}}}, than: "
               "{variant: plain, opt: 2}, expect: equal, within: 1e-9}\n");
    assert_code(norma("study", "maps.yaml", "--out", "maps", "--quiet"), 0);
    ck_assert_int_eq(access(test_path("maps/runs/plain,opt=lion,seed=1"), F_OK), 0);
    ck_assert_int_eq(access(test_path("maps/runs/plain,opt=3,seed=2"), F_OK), 0);
    char *results = read_text(test_path("maps/results.json"), &size);
    assert_verdict(results, 0, "supported");
    assert_verdict(results, 1, "not supported");
    assert_verdict(results, 2, "supported");
    free(results);
}
END_TEST

START_TEST(the_studies_within_are_listed_and_have_no_mistake)
{
    char names[64][64];
    int count = 0;
    const ended *e = norma("study", "--list");
    assert_code(e, 0);
    for (const char *line = e->out; *line; line = strchr(line, '\n') + 1) {
        ck_assert_int_eq(sscanf(line, " %63s", names[count++]), 1);
    }
    ck_assert_int_ge(count, 9);
    for (int i = 0; i < count; i++) {
        e = norma("study", names[i], "--check");
        ck_assert_msg(e->code == 0, "%s: %s", names[i], e->err);
        assert_says(e->out, " runs; ");
        e = norma("study", names[i], "--quick", "--check");
        ck_assert_msg(e->code == 0, "%s: %s", names[i], e->err);
    }
    e = norma("study", "gradient_flo");
    assert_code(e, 2);
    assert_says(e->err, "did you mean \"gradient_flow\"?");
}
END_TEST

TEST_MAIN("models/command_study", a_true_claim_is_supported_and_a_planted_one_is_not,
          a_study_that_is_stopped_goes_on_and_comes_to_the_same,
          a_run_that_is_killed_is_told_with_its_signal,
          what_is_wrong_with_a_study_is_told_before_anything_runs,
          a_saved_network_is_measured_and_reaching_by_another_number,
          the_loss_around_the_parameters_is_drawn_for_each_arm, what_has_no_number_is_said_in_words,
          values_of_an_axis_may_be_maps, the_studies_within_are_listed_and_have_no_mistake)
