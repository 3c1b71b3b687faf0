/* What a run tells: on standard error for a person, on standard output as text or JSON lines. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/clean.h"
#include "models/command/train/report.h"
#include "models/command/train/train.h"

/* ---- What a person sees ---- */

#define SET_TEXT (METRICS_TEXT + BASELINE_TEXT + 64)

/* "0.0123", or in words what is no number. */
static const char *loss_text(double loss, char text[32])
{
    snprintf(text, 32, isfinite(loss) ? "%.4f" : isnan(loss) ? "NaN" : "infinite", loss);
    return text;
}

static void describe_set(char text[SET_TEXT], const char *name, const nm_evaluation *e,
                         const nm_evaluation *guess, const nm_train_state *s)
{
    char values[METRICS_TEXT], loss[32], baseline[BASELINE_TEXT];
    text[0] = 0;
    if (e->samples) {
        snprintf(text, SET_TEXT, "   %s loss %s%s%s", name, loss_text(e->loss, loss),
                 describe_metrics(values, sizeof values, s->metrics, e->metrics),
                 guess ? describe_baseline(baseline, s->baseline, s->metrics, guess) : "");
    }
}

#define EPOCH_TEXT (2 * SET_TEXT + 64)

static void describe_epoch(char line[EPOCH_TEXT], const nm_train_state *s, bool guesses)
{
    char validation[SET_TEXT], test[SET_TEXT];
    describe_set(validation, "validation", &s->validation, guesses ? &s->validation_baseline : NULL,
                 s);
    describe_set(test, "test", &s->test, guesses ? &s->test_baseline : NULL, s);
    snprintf(line, EPOCH_TEXT, "train loss %.4f%s%s%s", s->train_loss, validation, test,
             s->is_best ? "   best" : "");
}

void print_epoch(run *r, const nm_train_state *s)
{
    char line[EPOCH_TEXT];
    describe_epoch(line, s, true);
    if (!progress_has_room(&r->progress, line)) {
        describe_epoch(line, s, false);
    }
    progress_epoch(&r->progress, s->epoch, line);
}

void json_epoch(json_line *line, const nm_train_state *s)
{
    json_string(line, "event", "epoch");
    json_integer(line, "epoch", s->epoch + 1);
    json_integer(line, "step", s->step);
    json_number(line, "rate", s->rate);
    json_number(line, "train_loss", s->train_loss);
    if (s->validation.samples) {
        json_number(line, "validation_loss", s->validation.loss);
        json_number(line, "validation_metric", s->validation.metric);
        json_metrics(line, "validation_", s->metrics, s->validation.metrics);
        json_baseline(line, "validation_", s->metrics, &s->validation_baseline);
    }
    if (s->test.samples) {
        json_number(line, "test_loss", s->test.loss);
        json_number(line, "test_metric", s->test.metric);
        json_metrics(line, "test_", s->metrics, s->test.metrics);
        json_baseline(line, "test_", s->metrics, &s->test_baseline);
    }
    json_number(line, "samples_per_second", s->samples_per_second);
}

bool print_epoch_json(const run *r, const nm_train_state *s)
{
    json_line line = {0};
    if (r->folds) {
        json_integer(&line, "fold", r->fold + 1);
    }
    if (r->has_seed) {
        json_integer(&line, "seed", r->seed);
    }
    json_epoch(&line, s);
    return json_end(&line);
}

/* ---- The result ---- */

const char *name_of_end(nm_train_end end)
{
    static const char *const names[] = {"finished", "stopped_early", "stopped", "diverged"};
    return names[end];
}

/* The file and the settings as they were given; or, where the file was a pipe that will not be
 * there again, the one in the run's folder, which has the settings. Returns the number of words. */
static int add_file(const run *r, char file[RUN_PATH], const char **words)
{
    int count = 1;
    const char *given = r->arguments->positional[0], *setting;
    words[0] = file;
    if (!is_file(given)) {
        path_join(file, r->folder, "network.yaml");
        return count;
    }
    /* A name that begins with a dash would be taken for an option. */
    snprintf(file, RUN_PATH, "%s%s", *given == '-' ? "./" : "", given);
    for (int n = 0; (setting = argument_nth(r->arguments, "--set", n)); n++) {
        words[count++] = "--set";
        words[count++] = setting;
    }
    const char *from = argument_value(r->arguments, "--from");
    if (from) {
        words[count++] = "--from";
        words[count++] = from;
    }
    return count;
}

/* The command that goes on with this run; new memory. */
static char *resume_command(const run *r)
{
    char file[RUN_PATH];
    const char *words[2 * MAX_VALUES + 12] = {program_word(), "train"};
    int count = 2 + add_file(r, file, words + 2);
    static const char *const several[] = {"--folds", "--seeds"};
    for (int i = 0; i < 2; i++) {
        if (argument_value(r->arguments, several[i])) {
            words[count++] = several[i];
            words[count++] = argument_value(r->arguments, several[i]);
        }
    }
    const char *const last[] = {"--out", r->folder, "--resume"};
    for (int i = 0; i < 3; i++) {
        words[count++] = last[i];
    }
    return shell_words(r->context, words, count);
}

void print_resume(const run *r, FILE *to)
{
    char *typed = resume_command(r);
    fprintf(to, "stopped; to go on: %s\n", typed ? typed : "--resume");
    nm_free(r->context, typed);
}

static bool has_validation(const run *r)
{
    return r->config.data.validation.count > 0;
}

/* The metric that chose the network; NULL: the loss did, also where the metric has no value, as R2
 * has none of a single sample. */
static const nm_metric_type *chooser(const run *r)
{
    const nm_train_state *state = nm_trainer_state(r->trainer);
    const nm_evaluation *guess = &state->validation_baseline;
    const bool has_value = !guess->samples || !isnan(guess->metric);
    return r->config.train.best_by == NM_BEST_BY_METRIC && has_value ? state->metric : NULL;
}

/* Samples of the test or validation set that count, of which a score is. */
static int64_t rows_of(const run *r, bool test)
{
    return nm_dataset_counted(test ? &r->config.data.test : &r->config.data.validation);
}

static void print_result_json(const run *r, const nm_train_result *result)
{
    const nm_choices *metrics = nm_trainer_state(r->trainer)->metrics;
    json_line line = {0};
    json_string(&line, "event", "result");
    json_string(&line, "end", name_of_end(result->end));
    json_integer(&line, "epochs", result->epochs);
    json_integer(&line, "steps", result->steps);
    json_number(&line, "train_loss", result->train_loss);
    json_number(&line, "test_loss", result->test_loss);
    if (!has_metric(metrics, "accuracy")) {
        json_number(&line, "test_accuracy", NAN);
    }
    json_number(&line, "test_metric", result->test_metric);
    json_metrics(&line, "test_", metrics, result->test_metrics);
    json_number(&line, "validation_loss", result->validation_loss);
    json_number(&line, "validation_metric", result->validation_metric);
    json_metrics(&line, "validation_", metrics, result->validation_metrics);
    json_intervals(&line, "test_", metrics, result->test_metrics, rows_of(r, true));
    json_intervals(&line, "validation_", metrics, result->validation_metrics, rows_of(r, false));
    json_string(&line, "chosen_by",
                !has_validation(r) ? "last"
                : chooser(r)       ? chooser(r)->item.name
                                   : "loss");
    json_number(&line, "best_epoch", result->best_epoch < 0 ? NAN : (double)result->best_epoch + 1);
    json_number(&line, "best", has_validation(r) ? result->best : NAN);
    json_number(&line, "best_test_loss", result->best_test_loss);
    json_number(&line, "best_test_metric", result->best_test_metric);
    json_number(&line, "seconds", result->seconds);
    json_number(&line, "samples_per_second", result->samples_per_second);
    json_string(&line, "folder", r->folder);
    if (result->end == NM_TRAIN_STOPPED) {
        char *typed = resume_command(r);
        json_string(&line, "resume", typed);
        nm_free(r->context, typed);
    }
    json_end(&line);
}

/* The first metric, where it is by what networks are chosen; NULL: by the loss. */
static const nm_choice *score(const run *r)
{
    return chooser(r) ? &nm_trainer_state(r->trainer)->metrics->at[0] : NULL;
}

/* The network that is kept, by the set that chose it, and how far off that is from the test set. */
static void print_best(const run *r, const nm_train_result *result)
{
    char name[64] = "loss", value[SCORE_TEXT], gap[SCORE_TEXT], interval[SCORE_TEXT];
    const nm_choice *metric = score(r);
    const double test = metric ? result->best_test_metric : result->best_test_loss;
    const int64_t wanted =
        nm_trainer_state(r->trainer)->epochs; /* of a resumed run perhaps fewer */
    if (metric) {
        nm_metric_label(metric, name);
    }
    printf("best on the validation set: %s %s%s (epoch %lld of %lld)", name,
           describe_score(value, metric, result->best),
           describe_interval(interval, metric, result->best, rows_of(r, false)),
           (long long)result->best_epoch + 1,
           (long long)(wanted > result->epochs ? wanted : result->epochs));
    if (!isnan(test)) {
        printf("; on the test set %s%s, %s", describe_score(value, metric, test),
               describe_interval(interval, metric, test, rows_of(r, true)),
               describe_gap(gap, metric, result->best, test));
    }
    putchar('\n');
}

/* The line that is told in any case: how good the network is, and where that was measured. */
static void print_score(const run *r, const nm_train_result *result)
{
    char values[METRICS_TEXT];
    const nm_choices *metrics = nm_trainer_state(r->trainer)->metrics;
    if (has_validation(r) && result->best_epoch >= 0) {
        print_best(r, result);
    } else if (!isnan(result->test_loss)) {
        printf("test loss %.4f%s (epoch %lld, the last)\n", result->test_loss,
               describe_results(values, sizeof values, metrics, result->test_metrics,
                                rows_of(r, true)),
               (long long)result->epochs);
    } else {
        printf("train loss %.4f (after %lld steps; %s)\n", result->train_loss,
               (long long)result->steps,
               has_validation(r) || r->config.data.test.count ? "nothing was evaluated yet"
                                                              : "no samples were held out");
    }
}

/* Which network is in best.safetensors, and what it was chosen by. */
static void print_kept(const run *r, const nm_train_result *result)
{
    char value[64];
    if (result->best_epoch >= 0) {
        printf(", best.safetensors (epoch %lld, ", (long long)result->best_epoch + 1);
        if (!has_validation(r)) {
            fputs("the last: there is no validation set to choose by)", stdout);
        } else if (chooser(r)) {
            const nm_choices first = {1, {nm_trainer_state(r->trainer)->metrics->at[0]}};
            printf("the best on the validation set%s)",
                   describe_metrics(value, sizeof value, &first, &result->best));
        } else {
            printf("the best on the validation set, loss %.4f)", result->best);
        }
    }
    putchar('\n');
}

static const char *patience_with(const run *r)
{
    return has_validation(r) ? "the validation set"
                             : "the training loss: there is no validation set";
}

static void print_result_text(const run *r, const nm_train_result *result)
{
    printf("%lld epoch%s, %lld steps in %.1f s", (long long)result->epochs,
           result->epochs == 1 ? "" : "s", (long long)result->steps, result->seconds);
    if (isnan(result->samples_per_second)) {
        puts("; there was nothing left to train");
    } else {
        printf(", %.0f samples/s\n", result->samples_per_second);
    }
    char folder[RUN_PATH];
    printf("saved in %s: checkpoint.safetensors",
           nm_text_clean(r->folder, false, folder, sizeof folder));
    print_kept(r, result);
    if (result->end == NM_TRAIN_STOPPED_EARLY) {
        printf("stopped early: no better for %lld evaluations, by %s\n",
               (long long)r->config.train.early_stopping.patience, patience_with(r));
    } else if (result->end == NM_TRAIN_STOPPED) {
        print_resume(r, stdout);
    }
}

void print_result(const run *r, const nm_train_result *result)
{
    if (r->json) {
        print_result_json(r, result);
        return;
    }
    print_score(r, result);
    if (!r->quiet) {
        print_few(nm_trainer_state(r->trainer)->metrics,
                  rows_of(r, !isnan(result->test_loss) || !has_validation(r)));
        print_result_text(r, result);
    }
}
