/* What the files of splitting share. Nothing outside this folder includes it. */
#ifndef NM_OPTIM_DATA_SPLIT_INTERNAL_H
#define NM_OPTIM_DATA_SPLIT_INTERNAL_H

#include "optim/data/split/split.h"

static inline int64_t nm_split_row(const nm_dataset *set, int64_t sample)
{
    return set->rows ? set->rows[sample] : sample;
}

/* ---- strata.c: the classes, each of which is to keep its share ---- */

/* Those of the labels, and one for what is ignored; or one for all samples. */
typedef struct nm_strata {
    const nm_dataset *set;
    bool by_class;
    int64_t count;
    int64_t *size; /* [count], samples */
} nm_strata;

/* NM_ERROR_INPUT if classes are asked for and there are none. */
nm_status nm_strata_create(const nm_dataset *set, const nm_split_options *options, nm_strata *s);
void nm_strata_destroy(nm_strata *s);
int64_t nm_strata_of(const nm_strata *s, int64_t sample);
/* How many samples of each to hold out, so that each keeps its share: quota[count]. Returns their
 * sum. */
int64_t nm_strata_share(const nm_strata *s, double share, int64_t *quota);

/* ---- groups.c ---- */

/* The samples of each group: those of group g are member[start[g]] to member[start[g + 1] - 1]. */
typedef struct nm_groups_of {
    nm_context *context;
    int64_t count;
    int64_t *start, *member;
} nm_groups_of;

nm_status nm_groups_find(const nm_dataset *set, nm_groups_of *groups);
void nm_groups_drop(nm_groups_of *groups);
nm_status nm_split_groups(const nm_strata *s, double share, uint64_t seed, bool *held);
nm_status nm_split_group_folds(const nm_strata *s, int folds, uint64_t seed, int32_t *fold);

/* ---- order.c ---- */

nm_status nm_split_last(const nm_dataset *set, double share, bool *held);
nm_status nm_split_chain(const nm_dataset *set, int folds, int32_t *fold);

#endif
