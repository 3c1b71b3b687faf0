/* Splits in order: what comes last is held out, as it will be when the network is used. */
#include <math.h>
#include <stdlib.h>

#include "optim/data/split/internal.h"

typedef struct placed {
    double key;
    int64_t sample;
} placed;

/* Equal ones as they stand. */
static int compare(const void *a, const void *b)
{
    const placed *x = a, *y = b;
    if (x->key != y->key) {
        return x->key > y->key ? 1 : -1;
    }
    return (x->sample > y->sample) - (x->sample < y->sample);
}

/* New memory; NULL if there is none. */
static placed *sort_samples(const nm_dataset *set)
{
    placed *list = nm_alloc_zero(set->context, (size_t)set->count, sizeof *list);
    for (int64_t i = 0; list && i < set->count; i++) {
        const double key = set->order ? set->order[nm_split_row(set, i)] : (double)i;
        list[i] = (placed){key, i};
    }
    if (list) {
        qsort(list, (size_t)set->count, sizeof *list, compare);
    }
    return list;
}

static bool is_cut(const placed *list, int64_t count, int64_t at)
{
    return at > 0 && at < count && list[at - 1].key != list[at].key;
}

/* The place nearest to `at` that does not part equal values; of two as near the earlier one; 0:
 * there is none. */
static int64_t find_cut(const placed *list, int64_t count, int64_t at)
{
    for (int64_t off = 0; off < count; off++) {
        if (is_cut(list, count, at - off)) {
            return at - off;
        }
        if (is_cut(list, count, at + off)) {
            return at + off;
        }
    }
    return 0;
}

nm_status nm_split_last(const nm_dataset *set, double share, bool *held)
{
    placed *list = sort_samples(set);
    if (!list) {
        return NM_ERROR_MEMORY;
    }
    const int64_t cut =
        find_cut(list, set->count, set->count - llround(share * (double)set->count));
    for (int64_t i = cut; cut && i < set->count; i++) {
        held[list[i].sample] = true;
    }
    nm_free(set->context, list);
    if (!cut) {
        return nm_fail(set->context, NM_ERROR_INPUT,
                       "\"order\": all %lld rows have the same value there, so none come last",
                       (long long)set->count);
    }
    return NM_OK;
}

/* ---- Folds ---- */

static nm_status too_few(const nm_dataset *set, int folds)
{
    return nm_fail(set->context, NM_ERROR_INPUT,
                   "%d folds in order need %d blocks of rows, and the %lld rows do not make them%s",
                   folds, folds + 1, (long long)set->count,
                   set->order ? ", since rows of one value in the column stay together" : "");
}

nm_status nm_split_chain(const nm_dataset *set, int folds, int32_t *fold)
{
    const int64_t size = set->count / (folds + 1);
    nm_status status = size ? NM_OK : too_few(set, folds);
    placed *list = status == NM_OK ? sort_samples(set) : NULL;
    int64_t before = 0;
    for (int f = -1; list && f < folds && status == NM_OK; f++) {
        const int64_t end = f == folds - 1
                                ? set->count
                                : find_cut(list, set->count, set->count - (folds - 1 - f) * size);
        status = end > before ? NM_OK : too_few(set, folds);
        for (int64_t i = before; i < end; i++) {
            fold[list[i].sample] = f;
        }
        before = end;
    }
    nm_free(set->context, list);
    return nm_context_status(set->context);
}
