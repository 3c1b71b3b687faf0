#include "models/command/train/resume.h"

#include <stdio.h>
#include <string.h>

#include "core/text.h"
#include "models/compare.h"
#include "optim/train_defaults.h"

/* ---- What may differ ---- */

typedef enum fate { SAME_RUN, ANOTHER_RUN } fate;

/* The first that a difference's path begins with decides. */
static const struct {
    const char *path;
    fate fate;
} rules[] = {
    {"model.fuse", SAME_RUN}, /* only how fast it is */
    {"train.plan", SAME_RUN}, /* the same */
    {"model", ANOTHER_RUN},
    {"data.prefetch", SAME_RUN},
    {"data", ANOTHER_RUN},
    {"loss", ANOTHER_RUN},
    {"train.seed", ANOTHER_RUN},
    {"train.accumulate", ANOTHER_RUN},
    {"train.from.preparation", ANOTHER_RUN},
};

/* A run that began on its own has no other's weights to begin from any more. */
static bool begins_elsewhere(const nm_difference *difference)
{
    return strcmp(difference->path, "train.from.path") == 0 &&
           strcmp(difference->before, "none") == 0;
}

/* At its end, or before a dot. */
static bool begins_with(const char *path, const char *part)
{
    size_t length = strlen(part);
    return strncmp(path, part, length) == 0 && (!path[length] || path[length] == '.');
}

/* Another file may hold the same samples: those are compared with the checkpoint's. Another kind of
 * optimizer has another state. */
static fate fate_of(const nm_difference *difference)
{
    if (difference->is_path) {
        return begins_elsewhere(difference) ? ANOTHER_RUN : SAME_RUN;
    }
    for (int i = 0; i < NM_COUNT_OF(rules); i++) {
        if (begins_with(difference->path, rules[i].path)) {
            return rules[i].fate;
        }
    }
    return strcmp(difference->path, "train.optimizer") == 0 ? ANOTHER_RUN : SAME_RUN;
}

typedef struct differences {
    nm_text refused, told; /* a line each */
    int refused_count, told_count;
} differences;

static void note(void *user, const nm_difference *difference)
{
    differences *all = user;
    bool refused = fate_of(difference) == ANOTHER_RUN;
    nm_text_add(refused ? &all->refused : &all->told, "  %s: %s before, now %s\n", difference->path,
                difference->before, difference->now);
    *(refused ? &all->refused_count : &all->told_count) += 1;
}

/* ---- The learning rate ---- */

typedef struct rate_plan {
    nm_schedule schedule;
    double rate; /* the optimizer's */
    int64_t steps;
} rate_plan;

static nm_status make_plan(const run *r, const nm_train_options *o, rate_plan *plan)
{
    const nm_train_state *s = nm_trainer_state(r->trainer);
    int64_t accumulate = r->config.train.accumulate;
    int64_t per_epoch = (s->batches + accumulate - 1) / accumulate;
    nm_train_options whole = *o;
    nm_sgd_options usual;
    nm_train_complete(&whole, 0, 0, &usual);
    const nm_optimizer_common *common = whole.optimizer.options;
    plan->rate = common ? common->rate : 0;
    plan->steps = o->steps ? o->steps : nm_train_epochs(o, per_epoch) * per_epoch;
    return nm_schedule_begin(&plan->schedule, r->context, &whole.schedule, &whole.warmup,
                             plan->steps, per_epoch);
}

static double rate_at(const rate_plan *plan, int64_t step)
{
    return plan->rate * nm_schedule_factor(&plan->schedule, step);
}

/* What an unchanged run would not have done. */
static void tell_rate(const rate_plan *before, const rate_plan *now, int64_t step)
{
    double last = rate_at(before, step - 1), next = rate_at(now, step);
    double expected = step < before->steps ? rate_at(before, step) : last;
    if (next == expected || step >= now->steps) {
        return;
    }
    fprintf(stderr, "  the learning rate goes from %.4g in update %lld to %.4g in the next", last,
            (long long)step, next);
    bool same = before->schedule.type == now->schedule.type;
    bool constant = now->schedule.type == &nm_schedule_constant;
    if (before->steps != now->steps && same && !constant) {
        fprintf(stderr, ", since the schedule \"%s\" is stretched from %lld updates to %lld",
                now->schedule.type->item.name, (long long)before->steps, (long long)now->steps);
    }
    fputc('\n', stderr);
}

/* The `train` part as it was; its memory is the document's. */
static nm_status read_train(const run *r, nm_document *stored, nm_train_options *train)
{
    nm_diagnostics d;
    nm_diagnostics_begin(&d, r->context);
    nm_spec_read(&nm_train_spec, nm_value_get(nm_document_root(stored), "train"), "train", stored,
                 &d, train);
    return nm_diagnostics_end(&d);
}

static void tell_schedule(const run *r, nm_document *stored)
{
    nm_train_options before;
    rate_plan old, new;
    if (read_train(r, stored, &before) != NM_OK || make_plan(r, &before, &old) != NM_OK ||
        make_plan(r, &r->config.train, &new) != NM_OK) {
        nm_context_clear_error(r->context); /* it was a plan of other steps: nothing to compare */
        return;
    }
    tell_rate(&old, &new, nm_trainer_state(r->trainer)->step);
}

/* ---- All of it ---- */

static nm_status refuse(const run *r, const differences *all)
{
    char file[RUN_PATH];
    path_join(file, r->folder, "network.yaml");
    const char *const words[] = {program_word(), "train", file, "--out", r->folder, "--resume"};
    char *typed = shell_words(r->context, words, NM_COUNT_OF(words));
    nm_status status = nm_fail(r->context, NM_ERROR_INPUT,
                               "%s is a run of another configuration:\n%sto go on as it was: %s; "
                               "for another network, data, loss or seed, train in another folder",
                               r->folder, all->refused.at, typed ? typed : "--resume");
    nm_free(r->context, typed);
    return status;
}

static nm_status check(const run *r, const differences *all, nm_document *stored)
{
    (void)stored;
    return all->refused_count ? refuse(r, all) : NM_OK;
}

static nm_status tell(const run *r, const differences *all, nm_document *stored)
{
    if (all->told_count) {
        fprintf(stderr, "%s: %s goes on with other values:\n%s", program_name(), r->folder,
                all->told.at);
        tell_schedule(r, stored);
    }
    return NM_OK;
}

static nm_status compare_with(const run *r, nm_document *stored,
                              nm_status (*conclude)(const run *r, const differences *all,
                                                    nm_document *stored))
{
    differences all = {.refused = {.context = r->context}, .told = {.context = r->context}};
    nm_status status = nm_config_compare(r->context, stored, r->config.document, note, &all);
    if (status == NM_OK && !all.refused.failed && !all.told.failed) {
        status = conclude(r, &all, stored);
    }
    nm_text_drop(&all.refused);
    nm_text_drop(&all.told);
    return nm_context_status(r->context);
}

static nm_status compare(const run *r, nm_status (*conclude)(const run *r, const differences *all,
                                                             nm_document *stored))
{
    char path[RUN_PATH];
    if (!path_join(path, r->folder, "network.yaml") || !path_exists(path)) {
        return NM_OK; /* then the checkpoint alone tells the run */
    }
    nm_document *stored = nm_document_read(r->context, path);
    nm_status status = stored ? compare_with(r, stored, conclude) : nm_context_status(r->context);
    nm_document_destroy(stored);
    return status;
}

nm_status check_same_run(const run *r)
{
    return compare(r, check);
}

nm_status tell_changes(const run *r)
{
    return compare(r, tell);
}
