#include "models/command/train/repeat.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "models/command/train/interrupt.h"
#include "models/command/train/members.h"

#define MOST_SEEDS 1000
#define MOST_FOLDS 10000

/* ---- What is asked for ---- */

static nm_status read_count(members *m)
{
    const arguments *a = m->whole->arguments;
    const char *folds = argument_value(a, "--folds"), *seeds = argument_value(a, "--seeds");
    const char *flag = folds ? "--folds" : "--seeds", *text = folds ? folds : seeds;
    int64_t count;
    if (folds && seeds) {
        return nm_fail(m->context, NM_ERROR_INPUT,
                       "--folds and --seeds: give one of them; for other folds, set "
                       "data.split_seed, for another seed in all of them train.seed");
    }
    m->of_folds = folds != NULL;
    if (!nm_parse_int(text, &count) || count < 2 || count > (folds ? MOST_FOLDS : MOST_SEEDS)) {
        return nm_fail(m->context, NM_ERROR_INPUT, "%s takes a number from 2 to %d, not %.40s",
                       flag, folds ? MOST_FOLDS : MOST_SEEDS, text);
    }
    m->count = (int)count;
    if (!is_file(a->positional[0])) {
        return nm_fail(m->context, NM_ERROR_INPUT,
                       "%s reads %s once for each network, so it must be a file", flag,
                       a->positional[0]);
    }
    return NM_OK;
}

/* ---- The folder ---- */

static bool holds_more(const members *m)
{
    char name[32];
    snprintf(name, sizeof name, "fold-%d", m->count + 1);
    return m->of_folds && folder_holds(m->whole->folder, name);
}

static nm_status check_folder(const members *m, const char *out)
{
    if (m->whole->resumes &&
        (!folder_holds(out, "log.jsonl") || folder_holds(out, "checkpoint.safetensors"))) {
        return nm_fail(m->context, NM_ERROR_INPUT, "%s holds no %s to go on with", out,
                       m->of_folds ? "folds" : "seeds");
    }
    if (m->whole->resumes && (holds_more(m) || (!m->of_folds && folder_holds(out, "fold-1")))) {
        return nm_fail(m->context, NM_ERROR_INPUT,
                       "%s holds other folds than %d; go on with as many as it was begun with", out,
                       m->of_folds ? m->count : 0);
    }
    if (!m->whole->resumes &&
        (folder_holds(out, "fold-1") || folder_holds(out, "predictions.csv") ||
         folder_holds(out, "log.jsonl"))) {
        return nm_fail(m->context, NM_ERROR_INPUT,
                       "%s holds a run or predictions already; --resume goes on with folds and "
                       "seeds, another --out keeps them",
                       out);
    }
    return m->whole->resumes ? NM_OK : check_free(m->context, out);
}

static nm_status claim_whole(members *m)
{
    run *w = m->whole;
    const char *out = argument_value(w->arguments, "--out");
    if (w->resumes && !out) {
        return nm_fail(m->context, NM_ERROR_INPUT,
                       "--resume of folds and seeds needs their folder: --out DIR");
    }
    if (out && snprintf(w->folder, RUN_PATH, "%s", out) >= RUN_PATH) {
        return nm_fail(m->context, NM_ERROR_INPUT, "the folder's name is too long");
    }
    if (out && check_folder(m, out) != NM_OK) {
        return nm_context_status(m->context);
    }
    return w->resumes ? claim_again(m->context, w->folder, &w->claim)
           : out      ? claim_new(m->context, w->folder, &w->claim)
                      : claim_next(m->context, w->arguments->positional[0], w->folder, &w->claim);
}

/* ---- One after the other ---- */

/* The number of the first seed is the file's: found when the first is opened. */
static nm_status name_member(const members *m, int index, run *r)
{
    char name[64];
    snprintf(name, sizeof name, m->of_folds ? "fold-%lld" : "seed-%lld",
             m->of_folds ? index + 1LL : (long long)m->first_seed + index);
    if (!path_join(r->folder, m->whole->folder, name) ||
        !path_join(r->checkpoint, r->folder, "checkpoint.safetensors")) {
        return nm_fail(m->context, NM_ERROR_INPUT, "the folder's name is too long");
    }
    r->resumes = m->whole->resumes && path_exists(r->checkpoint);
    return NM_OK;
}

static nm_status begin_member(const members *m, int index, run *r)
{
    *r = (run){.context = m->context,
               .arguments = m->whole->arguments,
               .quiet = m->whole->quiet,
               .json = m->whole->json,
               .is_member = true,
               .has_seed = !m->of_folds,
               .seed = m->first_seed + index,
               .folds = m->of_folds ? m->count : 0,
               .fold = m->of_folds ? index : 0};
    if (!r->quiet) {
        fprintf(stderr, m->of_folds ? "fold %lld of %d\n" : "seed %lld (of %d)\n",
                m->of_folds ? index + 1LL : (long long)r->seed, m->count);
    }
    return name_member(m, index, r);
}

/* Whether all went to their end; an error stands otherwise, or a signal or a reader stopped it. */
static bool run_member(members *m, int index, run *r)
{
    nm_train_result result;
    nm_status status = begin_member(m, index, r);
    status = status == NM_OK ? run_all(r, &result) : status;
    if (status == NM_OK && result.end == NM_TRAIN_STOPPED) {
        m->stopped = true;
        m->whole->unheard = r->unheard;
        return false;
    }
    status = status == NM_OK ? members_measure(m, index, r) : status;
    if (status == NM_OK) {
        members_tell(m, index, r);
    }
    if (status != NM_OK) {
        nm_fail_in(m->context, m->of_folds ? "fold %lld" : "seed %lld",
                   m->of_folds ? index + 1LL : (long long)r->seed);
    }
    return status == NM_OK;
}

static nm_status run_members(members *m)
{
    run r = {.context = m->context};
    bool fine = true;
    for (int i = 0; i < m->count && fine; i++) {
        fine = run_member(m, i, &r);
        if (fine && i == m->count - 1) {
            members_conclude(m, &r);
        }
        run_close(&r);
    }
    return nm_context_status(m->context);
}

/* Whether there is anything that another start could go on with, or stumble over. */
static bool leaves_something(const members *m)
{
    run first;
    return m->begun ||
           (name_member(m, 0, &first) == NM_OK && rmdir(first.folder) != 0 && errno != ENOENT);
}

/* ---- The command ---- */

/* Seeds are compared on rows that none of them has learned from. */
static nm_status check_sets(const members *m, const nm_data_options *o)
{
    if (o->test.item || o->test_share > 0 || nm_split_holds_out(&o->validation)) {
        return NM_OK;
    }
    return nm_fail(m->context, NM_ERROR_INPUT,
                   "--seeds has nothing to measure the networks on: the file has no test set and "
                   "holds nothing out; add data.validation or data.test");
}

static nm_status find_first_seed(members *m)
{
    const char *settings[MAX_VALUES];
    nm_config config;
    if (m->of_folds) {
        return NM_OK;
    }
    const int count = argument_list(m->whole->arguments, "--set", settings);
    nm_status status =
        nm_config_open(m->context, m->whole->arguments->positional[0], settings, count, 0, &config);
    m->first_seed = status == NM_OK ? config.train.seed : 0;
    if (status == NM_OK) {
        status = check_sets(m, &config.data_options);
        nm_config_close(&config);
    }
    return status;
}

static nm_status run_in_folder(members *m)
{
    run *w = m->whole;
    nm_status status = claim_whole(m);
    if (status != NM_OK) {
        claim_undo(&w->claim);
        return status;
    }
    w->log = (run_log){.to = w->claim.log, .folder = w->folder};
    log_start_several(&w->log, m->context, w->arguments, m->of_folds ? "folds" : "seeds", m->count);
    interrupts_catch();
    status = run_members(m);
    interrupts_release();
    log_end_several(&w->log, m->stopped ? interrupt_number() : 0,
                    status == NM_OK ? NULL : nm_context_error(m->context));
    if (status != NM_OK && !w->resumes && !leaves_something(m)) {
        claim_undo(&w->claim); /* the first was refused: of the whole nothing is left */
    } else {
        claim_end(&w->claim);
    }
    return status;
}

int run_several(run *whole)
{
    members m = {.context = whole->context, .whole = whole};
    nm_status status = read_count(&m);
    status = status == NM_OK ? find_first_seed(&m) : status;
    status = status == NM_OK ? run_in_folder(&m) : status;
    members_close(&m);
    if (status != NM_OK) {
        return report_error(whole->context);
    }
    if (m.stopped) {
        print_resume(whole, whole->unheard ? stderr : stdout);
        return whole->unheard ? EXIT_FINE : EXIT_SIGNAL + interrupt_number();
    }
    return EXIT_FINE;
}
