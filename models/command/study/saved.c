/* What is measured of the network that a run has saved. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "models/command/eval/evaluated.h"
#include "models/command/study/study.h"

const char *const saved_names[] = {"folding", NULL};

/* Outputs of a pass over the set, one after the other. */
typedef struct outputs {
    nm_context *context;
    int64_t count, room;
    double *at;
} outputs;

static nm_status make_room(outputs *o, int64_t more)
{
    if (o->count + more <= o->room) {
        return NM_OK;
    }
    const int64_t room = 2 * (o->count + more);
    double *at = nm_alloc_zero(o->context, (size_t)room, sizeof *at);
    if (at && o->count) {
        memcpy(at, o->at, (size_t)o->count * sizeof *at);
    }
    nm_free(o->context, o->at);
    o->at = at;
    o->room = at ? room : 0;
    return nm_context_status(o->context);
}

static nm_status take(void *user, nm_tensor *y, const nm_batch *batch)
{
    outputs *o = user;
    (void)batch;
    const int64_t count = nm_tensor_count(y);
    nm_status status = make_room(o, count);
    for (int64_t i = 0; i < count && status == NM_OK; i++) {
        o->at[o->count++] = nm_tensor_get(y, i);
    }
    return status;
}

static double largest_change(const outputs *before, const outputs *after)
{
    double change = 0, size = 0;
    for (int64_t i = 0; i < before->count && i < after->count; i++) {
        change = fmax(change, fabs(after->at[i] - before->at[i]));
        size = fmax(size, fabs(before->at[i]));
    }
    return size > 0 && before->count == after->count ? change / size : (double)NAN;
}

/* The largest change of an output on the test set that folding makes, by the largest output. */
static nm_status measure_folding(nm_context *context, evaluated *e, double *value)
{
    outputs before = {.context = context}, after = {.context = context};
    nm_status status = evaluated_run(e, &(nm_onlooker){&before, take});
    status = status == NM_OK ? nm_model_fold(e->trained.model) : status;
    status = status == NM_OK ? evaluated_run(e, &(nm_onlooker){&after, take}) : status;
    if (status == NM_OK) {
        *value = largest_change(&before, &after);
    }
    nm_free(context, before.at);
    nm_free(context, after.at);
    return status;
}

double study_measure_saved(const study *s, const arm *a, int64_t seed)
{
    char folder[RUN_PATH];
    double value = NAN;
    evaluated e;
    if (study_run_path(s, a, seed, folder) != NM_OK) {
        return NAN;
    }
    nm_context_set_threads(s->context, 1); /* as runs have, which others are beside */
    const arguments of = {.command = &command_eval, .positional = {folder}, .count = 1};
    if (evaluated_open(s->context, &of, "test", &e) == NM_OK) {
        measure_folding(s->context, &e, &value);
    }
    evaluated_close(&e);
    return value;
}
