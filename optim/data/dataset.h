/* Data sets: samples and targets in memory, whatever file they came from. */
#ifndef NM_OPTIM_DATA_DATASET_H
#define NM_OPTIM_DATA_DATASET_H

#include "optim/data/schema.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The label of samples that count for nothing: neither for the loss and metrics, nor as a class.
 * Zeros: none is ignored. */
typedef struct nm_ignored {
    bool on;
    int64_t label; /* negative, or a number among or above those of the classes */
} nm_ignored;

static inline bool nm_is_ignored(const nm_ignored *ignored, int64_t label)
{
    return ignored->on && label == ignored->label;
}

/* What the targets are to be, where they could be both. */
typedef enum nm_wanted {
    NM_WANTED_ANY, /* as the data looks */
    NM_WANTED_LABELS,
    NM_WANTED_VALUES,
    NM_WANTED_NONE,       /* for predictions: a table's are not looked at */
    NM_WANTED_SHARES,     /* values from 0 to 1, which stay as they are */
    NM_WANTED_AS_THEY_ARE /* values of any size that do, such as labels in a row */
} nm_wanted;

/* How cells of a table that are missing are filled, each column for itself. */
typedef enum nm_missing {
    NM_MISSING_REFUSE, /* they are an error */
    NM_MISSING_MEAN,
    NM_MISSING_MEDIAN,
    NM_MISSING_ZERO
} nm_missing;

/* Sample i stands at row rows[i] of `samples` and `targets`. Read-only once it is open. */
typedef struct nm_dataset {
    nm_context *context;
    int64_t count;               /* samples, at least 1 */
    nm_shape shape;              /* of one sample, rank 1 to 5: [28, 28, 1], [2], ... */
    nm_dtype dtype;              /* of the samples: u8, f32 or f64 */
    bool is_bool;                /* the u8 are truth values, never bytes of an image */
    bool is_generated;           /* made by a formula, of a size that suits a network already */
    const void *samples;         /* one row after the other */
    nm_shape target_shape;       /* of one target: [] for a class label, [1] or more for values */
    nm_dtype target_dtype;       /* i32: class labels, f32 or f64: values to predict */
    const void *targets;         /* NULL: none (prediction) */
    int64_t classes;             /* labels are 0..classes-1, or ignored; 0: no labels */
    nm_ignored ignored;          /* usually what the loss ignores: nm_loss_ignored() */
    int wanted;                  /* nm_wanted: while it is being opened */
    int missing;                 /* nm_missing: NaN among the samples are still to be filled so, and
                                    the samples are f64 if there are any */
    bool is_numbered;            /* labels are classes of the schema, which the reader numbered */
    const int64_t *rows;         /* NULL: sample i is row i */
    int id_columns;              /* of a table, for a prediction: those that tell samples apart */
    const char *const *id_names; /* [id_columns]; "": it has no name */
    const char *const *id_texts; /* [rows, id_columns], as they stand in the cells */
    const int64_t *groups;       /* [rows], what a split leaves together, 0..group_count-1; NULL */
    int64_t group_count;
    const double *order;       /* [rows], what rows are in the order of; NULL: as they stand */
    const char *groups_column; /* while it is being opened: the columns of these; NULL: none */
    const char *order_column;
    nm_schema *schema;         /* what the reader found of columns and class names, which
                                  nm_dataset_close() destroys; NULL: nothing */
    const char *sample_source; /* the files, for messages while it is being opened; NULL: none */
    const char *target_source;
    void *memory[6];       /* what nm_dataset_close() gives back with nm_free() */
    nm_tensor *tensors[2]; /* ... and with nm_tensor_destroy() */
    /* The library's own: by which loaders and views keep all that after it was closed. NULL: the
     * program filled the set in itself, and its memory must outlive them. */
    struct nm_dataset_life *life;
} nm_dataset;

/* A kind of data set, as registered. `open` fills `set` (zeros, but for `context` and `ignored`)
 * from options read by item.spec. `schema` is that of the network the samples are for, to be kept
 * to where the source leaves a choice (which columns, in which order, how categories are numbered);
 * NULL: found from the source, and left in `set`. Labels are left as they stand there; classes are
 * numbered afterwards. On failure it may leave memory in `set`: the caller closes it. */
typedef struct nm_dataset_type {
    nm_item item;
    nm_status (*open)(nm_context *context, const void *options, const nm_schema *schema,
                      nm_dataset *set);
} nm_dataset_type;

/* What is known of a set before it is opened. */
typedef struct nm_reading {
    const nm_schema *schema; /* of the network the samples are for; NULL: a training set */
    nm_ignored ignored;      /* the label that is let through */
    int wanted;              /* nm_wanted, as the loss needs */
    bool fills_later;        /* the caller calls nm_dataset_fill() */
    const char *groups;      /* the table's column to fill `groups` from; NULL: none */
    const char *order;       /* the same of `order` */
} nm_reading;

/* Fills what is missing in all of the set's rows by what is found in those of `from`, a view of it
 * or the set itself, as the set's `fill` says, and puts that into the columns of the schema. */
NM_API nm_status nm_dataset_fill(nm_dataset *set, const nm_dataset *from, nm_schema *schema);

/* Opens the chosen data set and checks it, against the schema too if there is one. `reading` may be
 * NULL: neither. Messages begin with the choice's name; `set` is empty on failure. */
NM_API nm_status nm_dataset_open(nm_context *context, const nm_choice *choice,
                                 const nm_reading *reading, nm_dataset *set);
/* Whether the rules above hold: types, shapes, labels within 0..classes-1 or ignored, no NaN or
 * infinity. Where `classes` is 0 and the targets are i32, it becomes the largest label that is not
 * ignored plus one (0: all of them are). For sets
 * that a program fills in itself; the loader takes them as checked. Without `rows`. */
NM_API nm_status nm_dataset_check(nm_dataset *set);
/* Leaves it empty; an empty one is fine. What loaders and views have of a set that
 * nm_dataset_open() opened goes with the last of them. */
NM_API void nm_dataset_close(nm_dataset *set);

/* Two views of the same samples: `part` gets about `fraction` (above 0, below 1) of them, chosen at
 * random by `seed` alone, `rest` all others, both in the set's order. They are closed as any other.
 * NM_ERROR_INPUT if one of them would be empty. */
NM_API nm_status nm_dataset_split(const nm_dataset *set, double fraction, uint64_t seed,
                                  nm_dataset *rest, nm_dataset *part);

/* Samples that count: all but those with the ignored label. */
NM_API int64_t nm_dataset_counted(const nm_dataset *set);

/* A number that tells sets of other samples, targets, shapes or types apart, in their order. */
NM_API uint64_t nm_dataset_fingerprint(const nm_dataset *set);
/* Bytes of one row of samples and of targets. */
NM_API size_t nm_dataset_sample_bytes(const nm_dataset *set);
NM_API size_t nm_dataset_target_bytes(const nm_dataset *set);

#ifdef __cplusplus
}
#endif
#endif
