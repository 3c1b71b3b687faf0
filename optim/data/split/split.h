/* Which rows of a training set are held out of it, and how the rest is kept honest: classes in
 * their shares, rows of one group on one side, what is later behind what is earlier.
 *
 *   data: {validation: 0.2}                                a fifth, each class in its share
 *   data: {validation: {share: 0.2, groups: patient}}      no patient on both sides
 *   data: {validation: {share: 0.2, order: date}}          the latest fifth
 *   data: {validation: {indices: validation.csv}}          these rows
 *
 * Promises:
 * 1. What is held out is a function of the rows, the options and the seed, and of nothing else.
 * 2. No side is ever empty: what cannot be is an error that says why. */
#ifndef NM_OPTIM_DATA_SPLIT_SPLIT_H
#define NM_OPTIM_DATA_SPLIT_SPLIT_H

#include "optim/data/dataset.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum nm_stratify {
    NM_STRATIFY_AUTO, /* where targets are classes */
    NM_STRATIFY_TRUE,
    NM_STRATIFY_FALSE
} nm_stratify;

/* Stratified, n rows in classes of n_1, n_2, ... rows give up round(share n) rows in all: of each
 * class share n_c rounded down, and one more of those with the largest remainders, of equal ones
 * the first. One row of each class stays, and so does a class of a single row, which is not counted
 * in n. Rows that the loss ignores are as one more class.
 *
 * By groups, the groups are gone through in random order, and each is held out that brings the rows
 * held out, class by class, nearer to the wanted share; at least one, and never all.
 *
 * In order, the last rows are held out. Rows of the same value in the column stay together, so that
 * the cut is between two values, at the place nearest to the share. */
typedef struct nm_split_options {
    double share;        /* of the rows to hold out, 0 to below 1; 0: none */
    int stratify;        /* nm_stratify */
    const char *groups;  /* the column of a table whose rows of one value stay together; NULL */
    const char *order;   /* "last": as the rows stand; else a column to sort by; NULL: neither */
    const char *indices; /* a file of rows to hold out; NULL: by the above */
    int64_t first_index; /* the number that the first row has there: 0 or 1 */
} nm_split_options;

extern NM_API const nm_spec nm_split_spec;

/* Whether any rows are held out by these options. */
NM_API bool nm_split_holds_out(const nm_split_options *options);
/* The columns that a table must be read with, for nm_reading; NULL: none. */
NM_API const char *nm_split_order_column(const nm_split_options *options);

#define NM_SPLIT_TEXT 256
/* The rule for people: "each class in its share", "whole groups of \"patient\"". Returns text. */
NM_API const char *nm_split_rule(const nm_split_options *options, const nm_dataset *set,
                                 char text[NM_SPLIT_TEXT]);

/* What a row is for. */
typedef enum nm_part {
    NM_PART_TRAIN,
    NM_PART_VALIDATION,
    NM_PART_TEST,  /* of a fold */
    NM_PART_UNUSED /* of a fold in order: it comes later than those it is tested on */
} nm_part;

/* Sets held[i], [set->count], for each sample that is held out, and clears the others. */
NM_API nm_status nm_split_choose(const nm_dataset *set, const nm_split_options *options,
                                 uint64_t seed, bool *held);

/* The fold in which each sample is held out, 0..folds-1, into `fold`, [set->count], for k-fold
 * cross-validation; `share` does not matter, and `indices` cannot be.
 *
 * Sorted by their class, in random order within it, the samples go to the folds in turn (as
 * scikit-learn's StratifiedKFold has it; without classes, KFold). Groups go from the largest to the
 * smallest, each to the fold that lacks its classes most (without classes, to the smallest one:
 * GroupKFold). In order, the samples are cut into folds + 1 blocks, and each but the first is
 * tested on what comes before it (TimeSeriesSplit); those of the first block get -1. */
NM_API nm_status nm_split_folds(const nm_dataset *set, const nm_split_options *options, int folds,
                                uint64_t seed, int32_t *fold);

/* How a run's training set was split: saved with its network, so that later evaluations are of the
 * same rows. Texts are somebody else's. */
typedef struct nm_split_record {
    const char *rule; /* nm_split_rule() */
    double share, test_share;
    int64_t seed;
    int64_t rows; /* of the whole set; 0: nothing was held out */
    int64_t validation, test, unused;
    int64_t folds, fold;                            /* the fold from 1; 0: none */
    const char *data, *validation_data, *test_data; /* nm_dataset_print() of all rows, and of
                                                       those; NULL: none */
} nm_split_record;

extern NM_API const nm_spec nm_split_record_spec;

#define NM_PRINT_TEXT 20
/* A fingerprint of samples and targets as f32, as text: the same whether they were opened to be
 * trained on or for a network that is there already. Returns text. */
NM_API const char *nm_dataset_print(const nm_dataset *set, char text[NM_PRINT_TEXT]);

/* Reads the rows that a file names into held[count]: text with one number a line (a first line of
 * words and lines that begin with # are passed over), or an NPY array of integers, or of truth
 * values, one for each row. A number outside of 0..count-1 (less `first`) or twice is
 * NM_ERROR_INPUT, with its place. */
NM_API nm_status nm_split_read(nm_context *context, const char *path, int64_t first, int64_t count,
                               bool *held);
/* Writes the rows whose part is `part` so that they are read again: a line "row", then theirs. */
NM_API nm_status nm_split_write(nm_context *context, const char *path, const uint8_t *parts,
                                int64_t count, nm_part part);

/* The samples of one part, parts[i] of nm_part for sample i: a view, in the set's order. The set
 * must outlive it. Count 0 if there are none. */
NM_API nm_status nm_dataset_view(const nm_dataset *set, const uint8_t *parts, nm_part part,
                                 nm_dataset *view);

#ifdef __cplusplus
}
#endif
#endif
