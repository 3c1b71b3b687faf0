/* What samples and targets are, and what is done to them before the network sees them: found when a
 * network is trained, saved with it, and used wherever samples are made for it afterwards.
 *
 *     sample: {shape: [4], columns: [{name: "sepal length"}, ...], mean: [...], deviation: [...]}
 *     target: {classes: 3, names: ["setosa", "versicolor", "virginica"]}
 *
 * A sample x becomes (x * scale - mean) / deviation, per channel, which is the last axis; a target
 * that is a value becomes (y - mean) / deviation. */
#ifndef NM_OPTIM_DATA_SCHEMA_H
#define NM_OPTIM_DATA_SCHEMA_H

#include "core/option.h"
#include "core/tape.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum nm_column_kind {
    NM_COLUMN_NUMBER,   /* a number */
    NM_COLUMN_FLAG,     /* true or false: 1 or 0 */
    NM_COLUMN_DATE,     /* a date, with or without a time: days since 1970-01-01 */
    NM_COLUMN_CATEGORY, /* a text among some: an element each, 1 for the cell's, 0 for the others */
} nm_column_kind;

/* How dates are written that do not begin with the year. */
typedef enum nm_date_order {
    NM_DATE_YEAR_FIRST, /* all of them do */
    NM_DATE_DAY_FIRST,
    NM_DATE_MONTH_FIRST,
} nm_date_order;

/* A column of a table that samples are made of, or a target. */
typedef struct nm_column {
    const char *name; /* "": the table has no header */
    int64_t place;    /* its index in the table; -1: not known */
    int kind;         /* nm_column_kind */
    int order;        /* DATE: nm_date_order */
    const char *unit; /* NUMBER: the mark that stands at each, such as "%"; NULL: none */
    double fill;      /* what a missing cell counts as; NaN: it is an error */
    int count;        /* CATEGORY: of texts */
    const char *const *categories;
} nm_column;

/* A column that is not used. */
typedef struct nm_unused_column {
    const char *name; /* as above */
    int64_t place;
    const char *why; /* for people: "it counts the rows" */
    bool is_id;      /* it tells samples apart: predictions carry it over */
} nm_unused_column;

typedef struct nm_schema_chunk nm_schema_chunk;

/* The deviation of a channel that never changes in the training set: divided by it, whatever other
 * samples hold there is nothing to the network, whose weights for it are as they began. Finite, so
 * that files can hold it. */
#define NM_NEVER_CHANGES 1e30

/* All memory in it is the schema's own. */
typedef struct nm_schema {
    nm_context *context;
    nm_schema_chunk *chunks;
    /* The sample */
    nm_shape shape;                 /* channels last */
    bool bytes;                     /* images of u8; else numbers */
    double scale;                   /* samples are multiplied by it first */
    int64_t channels;               /* of mean and deviation; 0: there are none */
    const double *mean, *deviation; /* [channels] */
    int columns;                    /* in the order of a sample's elements; 0: no table */
    const nm_column *column;
    int64_t places; /* columns of the table that was trained on, with all others; 0: not known */
    int unused;     /* those of them that are neither the sample's nor the target's */
    const nm_unused_column *unused_column;
    /* The target */
    nm_shape target_shape;          /* []: a class label */
    int64_t classes;                /* 0: values */
    const char *const *class_names; /* [classes], as they stand in the data; NULL: 0, 1, 2, ... */
    int targets;                    /* names of values; 0: none */
    const char *const *target_names;
    int target_columns; /* of a table: where classes or values stand; 0: not known */
    const nm_column *target_column;
    int64_t target_channels; /* of the next two: the target's elements; 0: there are none */
    const double *target_mean, *target_deviation;
} nm_schema;

/* An empty one, scale 1. NULL if memory ran out. */
NM_API nm_schema *nm_schema_create(nm_context *context);
NM_API void nm_schema_destroy(nm_schema *schema); /* NULL is fine */
/* Memory that goes with the schema, cleared. NULL, with an error, if there is none. */
NM_API void *nm_schema_alloc(nm_schema *schema, size_t count, size_t size);
NM_API const char *nm_schema_copy(nm_schema *schema, const char *text, size_t length);

/* Elements that the columns become: one each, but for categories. */
NM_API int64_t nm_schema_width(const nm_schema *schema);
/* What element `index` of a sample is called: by its column, "width", or of a category's "kind
 * oak";
 * "[3]" where there is no name. In `text`, which is returned. */
#define NM_INPUT_NAME 128
NM_API const char *nm_schema_input_name(const nm_schema *schema, int64_t index,
                                        char text[NM_INPUT_NAME]);
/* What class `index` is called: "versicolor", or its number in `text`. */
NM_API const char *nm_schema_class_name(const nm_schema *schema, int64_t index, char text[32]);
/* The class of that name; -1: none. */
NM_API int64_t nm_schema_class_of(const nm_schema *schema, const char *name);

/* Reads the parts `sample` and `target` of a saved network. Errors go to `d`. NULL if there were
 * any. The schema keeps nothing of the values. */
NM_API nm_schema *nm_schema_read(nm_context *context, const nm_value *sample,
                                 const nm_value *target, nm_document *document, nm_diagnostics *d);

/* ---- Raw samples of a program, as the network takes them ---- */

/* Whether `x`, [count, ...], holds samples of this schema: of its shape (an axis of one may be
 * missing), and of a type that converts without loss and without doubt. Values are looked at where
 * only they tell: whole numbers from 0 to 255, not all of them 0 or 1, are bytes of images.
 * NM_ERROR_INPUT says what both sides are and what mends it. */
NM_API nm_status nm_schema_check(const nm_schema *schema, nm_tensor *x);
/* The samples as f32 [count, ...shape], scaled and standardized, in memory of the tape. NULL on
 * failure, as above. */
NM_API nm_tensor *nm_schema_prepare(const nm_schema *schema, nm_tape *tape, nm_tensor *x);
/* Outputs of the network, f32 [count, ...target], in the targets' own units: y * deviation + mean,
 * in place. Class scores stay as they are. */
NM_API void nm_schema_restore(const nm_schema *schema, float *y, int64_t count);

#ifdef __cplusplus
}
#endif
#endif
