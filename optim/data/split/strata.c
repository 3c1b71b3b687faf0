#include <math.h>
#include <stdlib.h>

#include "optim/data/split/internal.h"

static nm_status no_classes(const nm_dataset *set)
{
    return nm_fail(set->context, NM_ERROR_INPUT,
                   "\"stratify\" keeps the shares of classes, but the targets are values; leave it "
                   "out");
}

nm_status nm_strata_create(const nm_dataset *set, const nm_split_options *o, nm_strata *s)
{
    const bool has_classes = set->target_dtype == NM_I32 && set->targets && set->classes > 0;
    *s = (nm_strata){.set = set, .count = 1};
    if (o->stratify == NM_STRATIFY_TRUE && !has_classes) {
        return no_classes(set);
    }
    s->by_class = has_classes && o->stratify != NM_STRATIFY_FALSE;
    s->count = s->by_class ? set->classes + 1 : 1;
    s->size = nm_alloc_zero(set->context, (size_t)s->count, sizeof *s->size);
    for (int64_t i = 0; s->size && i < set->count; i++) {
        s->size[nm_strata_of(s, i)]++;
    }
    return s->size ? NM_OK : NM_ERROR_MEMORY;
}

void nm_strata_destroy(nm_strata *s)
{
    nm_free(s->set->context, s->size);
    s->size = NULL;
}

int64_t nm_strata_of(const nm_strata *s, int64_t sample)
{
    const nm_dataset *set = s->set;
    if (!s->by_class) {
        return 0;
    }
    const int32_t label = ((const int32_t *)set->targets)[nm_split_row(set, sample)];
    return nm_is_ignored(&set->ignored, label) ? set->classes : label;
}

/* ---- Shares ---- */

typedef struct nm_rest {
    double rest;
    int64_t stratum;
} nm_rest;

/* The largest first, of equal ones the first stratum. */
static int compare(const void *a, const void *b)
{
    const nm_rest *x = a, *y = b;
    if (x->rest != y->rest) {
        return x->rest > y->rest ? -1 : 1;
    }
    return (x->stratum > y->stratum) - (x->stratum < y->stratum);
}

/* Samples that can be held out: of a single one, none. */
static int64_t room_of(const nm_strata *s, int64_t stratum)
{
    return s->size[stratum] > 1 || !s->by_class ? s->size[stratum] : 0;
}

/* Rounded down, with what is left of each; returns the sum. */
static int64_t round_down(const nm_strata *s, int64_t want, int64_t total, int64_t *quota,
                          nm_rest *list)
{
    int64_t sum = 0;
    for (int64_t c = 0; c < s->count; c++) {
        const double exact = (double)want * (double)room_of(s, c) / (double)total;
        quota[c] = (int64_t)floor(exact);
        list[c] = (nm_rest){exact - (double)quota[c], c};
        sum += quota[c];
    }
    return sum;
}

int64_t nm_strata_share(const nm_strata *s, double share, int64_t *quota)
{
    int64_t total = 0;
    for (int64_t c = 0; c < s->count; c++) {
        total += room_of(s, c);
        quota[c] = 0;
    }
    const int64_t want = total ? llround(share * (double)total) : 0;
    nm_rest *list = nm_alloc_zero(s->set->context, (size_t)s->count, sizeof *list);
    if (!list || !want) {
        nm_free(s->set->context, list);
        return 0;
    }
    int64_t sum = round_down(s, want, total, quota, list);
    qsort(list, (size_t)s->count, sizeof *list, compare);
    for (int64_t i = 0; i < s->count && sum < want; i++) {
        const int64_t c = list[i].stratum;
        const bool can = quota[c] < room_of(s, c) - s->by_class;
        quota[c] += can;
        sum += can;
    }
    nm_free(s->set->context, list);
    return sum;
}
