/* Splits that leave groups whole: the rows of a patient, a speaker, a day. */
#include <stdlib.h>

#include "core/random.h"
#include "optim/data/readers.h"
#include "optim/data/split/internal.h"

/* ---- The groups ---- */

/* start[g + 1] becomes the number of samples of the groups up to g; those without any go. */
static int64_t lay_out(nm_groups_of *groups, int64_t *place, int64_t ids)
{
    int64_t count = 0;
    for (int64_t id = 0; id < ids; id++) {
        const int64_t size = place[id];
        place[id] = groups->start[count];
        if (size) {
            groups->start[count + 1] = groups->start[count] + size;
            count++;
        }
    }
    return count;
}

nm_status nm_groups_find(const nm_dataset *set, nm_groups_of *groups)
{
    const int64_t ids = set->group_count;
    *groups = (nm_groups_of){.context = set->context};
    int64_t *place = nm_alloc_zero(set->context, (size_t)ids, sizeof *place);
    groups->start = nm_alloc_zero(set->context, (size_t)ids + 1, sizeof *groups->start);
    groups->member = nm_alloc_zero(set->context, (size_t)set->count, sizeof *groups->member);
    if (place && groups->start && groups->member) {
        for (int64_t i = 0; i < set->count; i++) {
            place[set->groups[nm_split_row(set, i)]]++;
        }
        groups->count = lay_out(groups, place, ids);
        for (int64_t i = 0; i < set->count; i++) {
            groups->member[place[set->groups[nm_split_row(set, i)]]++] = i;
        }
    }
    nm_free(set->context, place);
    return nm_context_status(set->context);
}

void nm_groups_drop(nm_groups_of *groups)
{
    nm_free(groups->context, groups->start);
    nm_free(groups->context, groups->member);
    *groups = (nm_groups_of){0};
}

static int64_t size_of(const nm_groups_of *groups, int64_t g)
{
    return groups->start[g + 1] - groups->start[g];
}

/* ---- How near to what is wanted ---- */

/* What is held out of each stratum, and the part that is wanted of it. */
typedef struct side {
    int64_t *held; /* [strata] */
    double share;
    int64_t rows;
} side;

/* The sum over strata c of (held_c - share n_c)^2 / n_c: what a group's rows would change of it.
 * `mine` is [strata], all zeros before and after. */
static double change(const nm_strata *s, const nm_groups_of *groups, int64_t g, const side *to,
                     int64_t *mine)
{
    double sum = 0;
    for (int64_t i = groups->start[g]; i < groups->start[g + 1]; i++) {
        mine[nm_strata_of(s, groups->member[i])]++;
    }
    for (int64_t i = groups->start[g]; i < groups->start[g + 1]; i++) {
        const int64_t c = nm_strata_of(s, groups->member[i]);
        const double size = (double)s->size[c], rows = (double)mine[c];
        sum += rows * (rows + 2 * ((double)to->held[c] - to->share * size)) / size;
        mine[c] = 0; /* once is enough: the next one of it adds nothing */
    }
    return sum;
}

static void take(const nm_strata *s, const nm_groups_of *groups, int64_t g, side *to)
{
    for (int64_t i = groups->start[g]; i < groups->start[g + 1]; i++) {
        to->held[nm_strata_of(s, groups->member[i])]++;
    }
    to->rows += size_of(groups, g);
}

/* ---- A share ---- */

typedef struct choice {
    const nm_strata *s;
    nm_groups_of groups;
    int64_t *order, *mine;
    side side;
} choice;

static void hold(choice *k, int64_t g, bool *held)
{
    take(k->s, &k->groups, g, &k->side);
    for (int64_t i = k->groups.start[g]; i < k->groups.start[g + 1]; i++) {
        held[k->groups.member[i]] = true;
    }
}

/* In random order, each that brings the rows nearer; else the one that takes them least away. */
static void choose(choice *k, bool *held)
{
    int64_t taken = 0, nearest = -1;
    double least = 0;
    for (int64_t i = 0; i < k->groups.count && taken < k->groups.count - 1; i++) {
        const int64_t g = k->order[i];
        const double by = change(k->s, &k->groups, g, &k->side, k->mine);
        if (by < 0) {
            hold(k, g, held);
            taken++;
        } else if (nearest < 0 || by < least) {
            nearest = g;
            least = by;
        }
    }
    if (!taken) {
        hold(k, nearest, held);
    }
}

static nm_status check_groups(const nm_dataset *set, int64_t groups, int64_t least)
{
    if (groups >= least) {
        return NM_OK;
    }
    return nm_fail(set->context, NM_ERROR_INPUT,
                   "the %lld rows are of %lld group%s, and it takes %lld, since groups stay whole",
                   (long long)set->count, (long long)groups, groups == 1 ? "" : "s",
                   (long long)least);
}

static void tell_share(const choice *k, double share)
{
    const nm_dataset *set = k->s->set;
    const double held = (double)k->side.rows, want = share * (double)set->count;
    if (held > 1.5 * want || held < want / 1.5) {
        nm_context_log(set->context, NM_LOG_WARNING,
                       "validation: %.0f of %lld rows are held out (%.1f %%), and %.1f %% were "
                       "asked for: groups stay whole",
                       held, (long long)set->count, 100 * held / (double)set->count, 100 * share);
    }
}

nm_status nm_split_groups(const nm_strata *s, double share, uint64_t seed, bool *held)
{
    nm_context *context = s->set->context;
    nm_random random = nm_random_create(seed, NM_STREAM_SPLIT);
    choice k = {.s = s, .side = {.share = share}};
    nm_status status = nm_groups_find(s->set, &k.groups);
    k.order = nm_alloc_zero(context, (size_t)k.groups.count + 1, sizeof *k.order);
    k.mine = nm_alloc_zero(context, (size_t)s->count, sizeof *k.mine);
    k.side.held = nm_alloc_zero(context, (size_t)s->count, sizeof *k.side.held);
    if (status == NM_OK && k.order && k.mine && k.side.held &&
        check_groups(s->set, k.groups.count, 2) == NM_OK) {
        nm_random_permutation(&random, k.order, k.groups.count);
        choose(&k, held);
        tell_share(&k, share);
    }
    nm_free(context, k.order);
    nm_free(context, k.mine);
    nm_free(context, k.side.held);
    nm_groups_drop(&k.groups);
    return nm_context_status(context);
}

/* ---- Folds ---- */

typedef struct ranked {
    int64_t group, size, rank; /* a random one, for groups of one size */
} ranked;

static int compare(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->size != y->size) {
        return x->size > y->size ? -1 : 1;
    }
    return (x->rank > y->rank) - (x->rank < y->rank);
}

/* The largest first. */
static ranked *rank_groups(const nm_groups_of *groups, uint64_t seed)
{
    nm_random random = nm_random_create(seed, NM_STREAM_SPLIT);
    ranked *list = nm_alloc_zero(groups->context, (size_t)groups->count, sizeof *list);
    int64_t *order = nm_alloc_zero(groups->context, (size_t)groups->count, sizeof *order);
    if (list && order) {
        nm_random_permutation(&random, order, groups->count);
        for (int64_t i = 0; i < groups->count; i++) {
            list[i] = (ranked){order[i], size_of(groups, order[i]), i};
        }
        qsort(list, (size_t)groups->count, sizeof *list, compare);
    }
    nm_free(groups->context, order);
    return list;
}

/* Of equally good folds the one with fewer rows, then the first. */
static int best_fold(const nm_strata *s, const nm_groups_of *groups, int64_t g, const side *sides,
                     int folds, int64_t *mine)
{
    int best = 0;
    double least = 0;
    for (int f = 0; f < folds; f++) {
        const double by = change(s, groups, g, &sides[f], mine);
        if (f == 0 || by < least || (by == least && sides[f].rows < sides[best].rows)) {
            best = f;
            least = by;
        }
    }
    return best;
}

static void deal(const nm_strata *s, const nm_groups_of *groups, const ranked *list, side *sides,
                 int folds, int64_t *mine, int32_t *fold)
{
    for (int64_t i = 0; i < groups->count; i++) {
        const int64_t g = list[i].group;
        const int to = best_fold(s, groups, g, sides, folds, mine);
        take(s, groups, g, &sides[to]);
        for (int64_t k = groups->start[g]; k < groups->start[g + 1]; k++) {
            fold[groups->member[k]] = to;
        }
    }
}

nm_status nm_split_group_folds(const nm_strata *s, int folds, uint64_t seed, int32_t *fold)
{
    nm_context *context = s->set->context;
    nm_groups_of groups;
    nm_status status = nm_groups_find(s->set, &groups);
    status = status == NM_OK ? check_groups(s->set, groups.count, folds) : status;
    side *sides = nm_alloc_zero(context, (size_t)folds, sizeof *sides);
    int64_t *held = nm_alloc_zero(context, (size_t)folds * (size_t)s->count, sizeof *held);
    int64_t *mine = nm_alloc_zero(context, (size_t)s->count, sizeof *mine);
    ranked *list = status == NM_OK ? rank_groups(&groups, seed) : NULL;
    if (sides && held && mine && list && nm_context_status(context) == NM_OK) {
        for (int f = 0; f < folds; f++) {
            sides[f] = (side){.held = held + f * s->count, .share = 1.0 / folds};
        }
        deal(s, &groups, list, sides, folds, mine, fold);
    }
    nm_free(context, list);
    nm_free(context, mine);
    nm_free(context, held);
    nm_free(context, sides);
    nm_groups_drop(&groups);
    return nm_context_status(context);
}
