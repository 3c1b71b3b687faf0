#include "optim/data/split/split.h"

#include <math.h>
#include <string.h>

#include "core/guard.h"
#include "core/random.h"
#include "core/value.h"
#include "optim/data/readers.h"
#include "optim/data/split/internal.h"

/* ---- Shares ---- */

static nm_status check_share(const nm_dataset *set, double share)
{
    char text[32];
    const bool is_share = share > 0 && share < 1;
    const int64_t count = is_share ? llround(share * (double)set->count) : 0;
    if (count >= 1 && count < set->count) {
        return NM_OK;
    }
    return nm_fail(set->context, NM_ERROR_INPUT,
                   "a part of %s of %lld samples would leave one side empty",
                   nm_format_float(share, text), (long long)set->count);
}

static nm_status nothing_held(const nm_dataset *set, double share)
{
    char text[32];
    return nm_fail(set->context, NM_ERROR_INPUT,
                   "a part of %s of %lld samples, each class in its share, would be empty: too few "
                   "classes have more than one row; take a larger share, or `stratify: false`",
                   nm_format_float(share, text), (long long)set->count);
}

/* In random order, each as long as its stratum has not given enough. */
static nm_status hold_quotas(const nm_strata *s, int64_t *quota, uint64_t seed, bool *held)
{
    const nm_dataset *set = s->set;
    nm_random random = nm_random_create(seed, NM_STREAM_SPLIT);
    int64_t *order = nm_alloc_zero(set->context, (size_t)set->count, sizeof *order);
    if (order) {
        nm_random_permutation(&random, order, set->count);
    }
    for (int64_t i = 0; order && i < set->count; i++) {
        int64_t *left = &quota[nm_strata_of(s, order[i])];
        held[order[i]] = *left > 0;
        *left -= *left > 0;
    }
    nm_free(set->context, order);
    return nm_context_status(set->context);
}

static nm_status hold_share(const nm_strata *s, double share, uint64_t seed, bool *held)
{
    nm_context *context = s->set->context;
    int64_t *quota = nm_alloc_zero(context, (size_t)s->count, sizeof *quota);
    const bool some = quota && nm_strata_share(s, share, quota) > 0;
    if (some) {
        hold_quotas(s, quota, seed, held);
    } else if (nm_context_status(context) == NM_OK) {
        nothing_held(s->set, share);
    }
    nm_free(context, quota);
    return nm_context_status(context);
}

nm_status nm_split_choose(const nm_dataset *set, const nm_split_options *o, uint64_t seed,
                          bool *held)
{
    NM_GIVEN(set, NM_ERROR_INPUT);
    NM_REQUIRE(set->context, o, NM_ERROR_INPUT);
    NM_REQUIRE(set->context, held, NM_ERROR_INPUT);
    nm_strata strata;
    memset(held, 0, (size_t)set->count * sizeof *held);
    if (o->indices) {
        return nm_split_read(set->context, o->indices, o->first_index, set->count, held);
    }
    nm_status status = check_share(set, o->share);
    if (status != NM_OK || o->order) {
        return status == NM_OK ? nm_split_last(set, o->share, held) : status;
    }
    if ((status = nm_strata_create(set, o, &strata)) == NM_OK) {
        status = set->groups ? nm_split_groups(&strata, o->share, seed, held)
                             : hold_share(&strata, o->share, seed, held);
    }
    nm_strata_destroy(&strata);
    return status;
}

/* ---- Folds ---- */

/* Sorted by stratum, at random within it: each in turn. */
static nm_status deal(const nm_strata *s, int folds, uint64_t seed, int32_t *fold)
{
    const nm_dataset *set = s->set;
    nm_random random = nm_random_create(seed, NM_STREAM_SPLIT);
    int64_t *order = nm_alloc_zero(set->context, (size_t)set->count, sizeof *order);
    int64_t *place = nm_alloc_zero(set->context, (size_t)s->count, sizeof *place);
    if (order && place) {
        nm_random_permutation(&random, order, set->count);
        for (int64_t c = 1; c < s->count; c++) {
            place[c] = place[c - 1] + s->size[c - 1];
        }
        for (int64_t i = 0; i < set->count; i++) {
            fold[order[i]] = (int32_t)(place[nm_strata_of(s, order[i])]++ % folds);
        }
    }
    nm_free(set->context, order);
    nm_free(set->context, place);
    return nm_context_status(set->context);
}

static nm_status check_folds(const nm_dataset *set, const nm_split_options *o, int folds)
{
    if (o->indices) {
        return nm_fail(set->context, NM_ERROR_INPUT,
                       "\"indices\" names one split, and %d folds are %d of them; leave it out",
                       folds, folds);
    }
    return folds > 1 && folds <= set->count
               ? NM_OK
               : nm_fail(set->context, NM_ERROR_INPUT,
                         "%lld rows cannot be %d folds; there are from 2 to as many as rows",
                         (long long)set->count, folds);
}

/* A class that is not in every fold is measured in some of them only. */
static void tell_small(const nm_strata *s, int folds)
{
    int64_t small = 0;
    for (int64_t c = 0; s->by_class && c < s->set->classes; c++) {
        small += s->size[c] > 0 && s->size[c] < folds;
    }
    if (small) {
        nm_context_log(s->set->context, NM_LOG_WARNING,
                       "%lld classes have fewer rows than there are folds (%d): not every fold has "
                       "one of them",
                       (long long)small, folds);
    }
}

nm_status nm_split_folds(const nm_dataset *set, const nm_split_options *o, int folds, uint64_t seed,
                         int32_t *fold)
{
    NM_GIVEN(set, NM_ERROR_INPUT);
    NM_REQUIRE(set->context, o, NM_ERROR_INPUT);
    nm_strata strata;
    nm_status status = check_folds(set, o, folds);
    if (status != NM_OK || o->order) {
        return status == NM_OK ? nm_split_chain(set, folds, fold) : status;
    }
    if ((status = nm_strata_create(set, o, &strata)) == NM_OK) {
        tell_small(&strata, folds);
        status = set->groups ? nm_split_group_folds(&strata, folds, seed, fold)
                             : deal(&strata, folds, seed, fold);
    }
    nm_strata_destroy(&strata);
    return status;
}

/* ---- Views ---- */

nm_status nm_dataset_view(const nm_dataset *set, const uint8_t *parts, nm_part part,
                          nm_dataset *view)
{
    NM_GIVEN(set, NM_ERROR_INPUT);
    NM_REQUIRE(set->context, view, NM_ERROR_INPUT);
    int64_t count = 0;
    *view = (nm_dataset){.context = set->context};
    for (int64_t i = 0; i < set->count; i++) {
        count += parts[i] == part;
    }
    int64_t *rows = count ? nm_alloc_zero(set->context, (size_t)count, sizeof *rows) : NULL;
    if (!rows) {
        return nm_context_status(set->context);
    }
    *view = *set;
    memset(view->memory, 0, sizeof view->memory);
    memset(view->tensors, 0, sizeof view->tensors);
    view->schema = NULL;
    view->count = count;
    view->memory[0] = rows;
    view->rows = rows;
    if (nm_dataset_begin_life(view, set->life) != NM_OK) {
        nm_dataset_close(view);
        return NM_ERROR_MEMORY;
    }
    for (int64_t i = 0; i < set->count; i++) {
        if (parts[i] == part) {
            *rows++ = nm_split_row(set, i);
        }
    }
    return NM_OK;
}

nm_status nm_dataset_split(const nm_dataset *set, double fraction, uint64_t seed, nm_dataset *rest,
                           nm_dataset *part)
{
    NM_GIVEN(rest && part, NM_ERROR_INPUT);
    *rest = *part = (nm_dataset){0};
    NM_GIVEN(set, NM_ERROR_INPUT);
    const nm_split_options options = {.share = fraction, .stratify = NM_STRATIFY_FALSE};
    bool *held = nm_alloc_zero(set->context, (size_t)set->count, sizeof *held);
    *rest = *part = (nm_dataset){.context = set->context};
    nm_dataset plain = *set;
    plain.groups = NULL;
    if (held && nm_split_choose(&plain, &options, seed, held) == NM_OK &&
        nm_dataset_view(set, (const uint8_t *)held, NM_PART_VALIDATION, part) == NM_OK) {
        nm_dataset_view(set, (const uint8_t *)held, NM_PART_TRAIN, rest);
    }
    nm_free(set->context, held);
    if (nm_context_status(set->context) != NM_OK) {
        nm_dataset_close(part);
        nm_dataset_close(rest);
    }
    return nm_context_status(set->context);
}
