/* The `data` part of a network's file: where the samples come from and how batches are made of
 * them.
 *
 *   data:
 *     train: {idx: {images: train-images.gz, labels: train-labels.gz}}
 *     test: {idx: {images: test-images.gz, labels: test-labels.gz}}
 *     validation: 0.1    # of the training set; split/split.h has more
 *     normalize: none    # numbers are standardized otherwise
 *     batch: 128         # and the other options of the loader */
#ifndef NM_OPTIM_DATA_H
#define NM_OPTIM_DATA_H

#include "optim/data/loader.h"
#include "optim/data/split/split.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What is done to samples, and to targets that are values. By default, numbers from files are
 * standardized: each channel (column) less its mean, divided by its deviation, both of the training
 * set. What holds nothing but 0 and 1 stays as it is. Images of bytes are only scaled to 0..1, and
 * what is generated stays as it is. With less than two samples there is nothing to compute. */
typedef enum nm_normalize {
    NM_NORMALIZE_DEFAULT, /* as said above, unless mean or deviation are given */
    NM_NORMALIZE_NONE,    /* neither samples nor targets; but for `scale` */
    NM_NORMALIZE_GIVEN,   /* samples by mean and deviation as given */
    NM_NORMALIZE_AUTO     /* computed, whatever the samples are */
} nm_normalize;

typedef struct nm_data_options {
    nm_choice train;             /* of nm_dataset_type */
    nm_choice test;              /* the same; no item: none */
    nm_split_options validation; /* what is held out of the training set; zeros: nothing */
    double test_share;     /* of the training set, by the rules of `validation`, which holds its
                              own share out of the rest, instead of `test`; 0: none */
    int64_t split_seed;    /* which samples those are: apart from the run's seed, so that runs that
                              differ in their seed are measured on the same samples */
    int64_t limit;         /* use only the first so many samples of each set; 0: all */
    int normalize;         /* nm_normalize, of samples */
    int normalize_targets; /* nm_normalize, of targets that are values: default, none or auto */
    nm_loader_options loader;
    nm_ignored ignored; /* not an option: what the loss ignores, a label that may stand anywhere */
    int wanted;         /* nm_wanted, no option either: what the loss needs */
    /* Nor these. Cross-validation: fold `fold` of `folds` (0: none) stands for the test set, and
     * `validation`, whose rules the folds follow, is taken of the rest. */
    int folds, fold;
    /* How a run was split, [part_count] of nm_part, instead of `validation` and folds; NULL. */
    const uint8_t *parts;
    int64_t part_count;
} nm_data_options;

#define NM_DATA_DEFAULTS .loader = {NM_LOADER_DEFAULTS}
/* The defaults but for what is said, for a function of C:
 * NM_DATA_OPTIONS(.train = nm_csv(.path = "iris.csv"), .validation.share = 0.2). */
#ifndef __cplusplus
#define NM_DATA_OPTIONS(...) NM_OPTIONS_VALUE(nm_data_options, NM_DATA_DEFAULTS, __VA_ARGS__)
#endif

NM_API void nm_data_options_init(nm_data_options *options);

extern NM_API const nm_spec nm_data_spec;

typedef struct nm_data {
    nm_dataset train;
    nm_dataset validation;    /* count 0: none */
    nm_dataset test;          /* count 0: none */
    nm_loader_options loader; /* for all of them: with the computed means and deviations */
    nm_dataset whole;         /* what train and validation, and a fold's test set, are views of;
                                 count 0: they are not */
    uint8_t *parts;           /* [whole.count] of nm_part; NULL: the same */
    nm_split_record split;    /* how they came about; rows 0: nothing is held out */
    nm_schema *schema;        /* what samples and targets are, and what is done to them */
    bool as_before;           /* the schema was there before the samples */
} nm_data;

/* Opens the sets. The training set must have targets, and each set a sample that counts; the test
 * set must have samples and targets of the same shapes and types, and labels within the training
 * set's classes. The choices' options are not needed afterwards. `data` is empty on failure. */
NM_API nm_status nm_data_open(nm_context *context, const nm_data_options *options, nm_data *data);

/* The same for the training of a network that was trained on other data: the samples and targets
 * must be those of `schema`, and are prepared as it says, whatever `normalize` does. Takes the
 * schema over, also on failure. */
NM_API nm_status nm_data_open_as(nm_context *context, const nm_data_options *options,
                                 nm_schema *schema, nm_data *data);

/* One of the sets, for a network that is there already: samples and targets must be those of
 * `schema`, which must outlive `data`, and are prepared as it says. Nothing else is opened: for the
 * test set, not the training set. NM_ERROR_INPUT if there is no such set. */
typedef enum nm_set { NM_SET_TRAIN, NM_SET_VALIDATION, NM_SET_TEST } nm_set;
NM_API nm_status nm_data_open_set(nm_context *context, const nm_data_options *options,
                                  const nm_schema *schema, nm_set which, nm_data *data);
/* Loader options that prepare samples as the schema says, in batches of `batch` (0: the usual
 * ones). */
NM_API nm_loader_options nm_schema_loader(const nm_schema *schema, int64_t batch);
NM_API void nm_data_close(nm_data *data); /* leaves it empty; an empty one is fine */

#ifdef __cplusplus
}
#endif
#endif
