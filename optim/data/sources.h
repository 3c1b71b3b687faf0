/* Where samples come from, for C programs: what stands under `train` and `test` in a network's
 * file, as choices for nm_data_options.
 *
 *     nm_data_options options =
 *         NM_DATA_OPTIONS(.train = nm_csv(.path = "iris.csv"), .validation.share = 0.2);
 *     nm_data data;
 *     nm_data_open(context, &options, &data);
 *
 * A choice holds its options itself; texts and arrays that they point to must stay until the data
 * are open, those of nm_arrays() until the data are closed. `norma help csv` and its like say what
 * each option means; what is left out has its default. */
#ifndef NM_OPTIM_DATA_SOURCES_H
#define NM_OPTIM_DATA_SOURCES_H

#include "optim/data/dataset.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- A table: nm_csv(.path = "iris.csv", .target = NM_STRINGS("kind")) ---- */

typedef enum nm_csv_header {
    NM_CSV_HEADER_AUTO,
    NM_CSV_HEADER_YES,
    NM_CSV_HEADER_NO
} nm_csv_header;
typedef enum nm_csv_decimal {
    NM_CSV_DECIMAL_AUTO,
    NM_CSV_DECIMAL_POINT,
    NM_CSV_DECIMAL_COMMA
} nm_csv_decimal;

typedef struct nm_csv_options {
    const char *path NM_DEFAULT(NULL); /* plain or gzip; "-": standard input */
    nm_strings target NM_DEFAULT({});  /* columns: names, patterns, or indexes; none: found */
    const char *target_path NM_DEFAULT(NULL); /* a file of its own for the targets; NULL: none */
    int targets NM_DEFAULT(NM_WANTED_ANY);    /* NM_WANTED_ANY: as the loss needs; labels; values */
    nm_strings columns NM_DEFAULT({});        /* the sample's; none: all others but ids */
    nm_strings ignore NM_DEFAULT({});         /* left out */
    nm_strings categories NM_DEFAULT({});     /* taken as categories, also if they hold numbers */
    int64_t classes NM_DEFAULT(0);            /* 0: as found */
    int header NM_DEFAULT(NM_CSV_HEADER_AUTO);
    const char *separator NM_DEFAULT("auto"); /* "auto", "tab", ";", ... */
    const char *quote NM_DEFAULT("auto");     /* "auto", "none", "\"", "'" */
    int decimal NM_DEFAULT(NM_CSV_DECIMAL_AUTO);
    int dates NM_DEFAULT(NM_DATE_YEAR_FIRST);  /* nm_date_order; NM_DATE_YEAR_FIRST: to be found */
    int missing NM_DEFAULT(NM_MISSING_REFUSE); /* nm_missing: what a missing cell counts as */
    nm_strings missing_texts NM_DEFAULT({}); /* that mean a missing cell, besides the usual ones */
} nm_csv_options;
#define NM_CSV_DEFAULTS .separator = "auto", .quote = "auto", .missing_texts = {0, NULL}
NM_API void nm_csv_options_init(nm_csv_options *options);
extern NM_API const nm_dataset_type nm_dataset_csv;
#define nm_csv(...) NM_CHOICE(nm_dataset_csv, nm_csv_options, NM_CSV_DEFAULTS, __VA_ARGS__)

/* ---- Arrays in files: nm_npy(.x = "x.npy", .y = "y.npy"), nm_idx(.images = ..., .labels = ...) --
 */

typedef struct nm_npy_options {
    const char *x NM_DEFAULT(NULL); /* path of the samples, [count, ...] */
    const char *y NM_DEFAULT(NULL); /* path of the targets, [count] or [count, ...]; NULL: none */
    int targets NM_DEFAULT(NM_WANTED_ANY); /* NM_WANTED_ANY: as the loss needs; labels; values */
    int64_t classes NM_DEFAULT(0);         /* 0: the largest label plus one */
} nm_npy_options;
#define NM_NPY_DEFAULTS .classes = 0
NM_API void nm_npy_options_init(nm_npy_options *options);
extern NM_API const nm_dataset_type nm_dataset_npy;
#define nm_npy(...) NM_CHOICE(nm_dataset_npy, nm_npy_options, NM_NPY_DEFAULTS, __VA_ARGS__)

typedef struct nm_idx_options {
    const char *images NM_DEFAULT(NULL); /* path, plain or gzip */
    const char *labels NM_DEFAULT(NULL); /* the same; NULL: none */
    int64_t classes NM_DEFAULT(0);       /* 0: the largest label plus one */
} nm_idx_options;
#define NM_IDX_DEFAULTS .classes = 0
NM_API void nm_idx_options_init(nm_idx_options *options);
extern NM_API const nm_dataset_type nm_dataset_idx;
#define nm_idx(...) NM_CHOICE(nm_dataset_idx, nm_idx_options, NM_IDX_DEFAULTS, __VA_ARGS__)

/* ---- Arrays of the program's own ----
 *
 *     .train = nm_arrays(.count = 150, .shape = NM_SHAPE(4), .f32 = x, .labels = kinds)
 *
 * Samples one behind the other, with targets or (for a prediction) without. Treated as those from
 * files are: checked, standardized, split. Labels and values of the same set are an error, and so
 * are samples of two types. */
typedef struct nm_arrays_options {
    int64_t count NM_DEFAULT(0);   /* samples */
    nm_shape shape NM_DEFAULT({}); /* of one, channels last: NM_SHAPE(4), NM_SHAPE(28, 28, 1) */
    /* [count, ...shape], one of these; bytes are images where a sample is [height, width, channels]
     * or [height, width] */
    const float *f32 NM_DEFAULT(NULL);
    const double *f64 NM_DEFAULT(NULL);
    const uint8_t *bytes NM_DEFAULT(NULL);
    const int32_t *labels NM_DEFAULT(NULL); /* [count] */
    const float *values NM_DEFAULT(NULL);   /* [count, ...value_shape] */
    nm_shape value_shape NM_DEFAULT({});    /* of one target; left out: a single number */
    int64_t classes NM_DEFAULT(0);          /* 0: the largest label plus one */
} nm_arrays_options;
#define NM_ARRAYS_DEFAULTS .classes = 0
NM_API void nm_arrays_options_init(nm_arrays_options *options);
extern NM_API const nm_dataset_type nm_dataset_arrays; /* not registered: a file cannot name it */
#define nm_arrays(...)                                                                             \
    NM_CHOICE(nm_dataset_arrays, nm_arrays_options, NM_ARRAYS_DEFAULTS, __VA_ARGS__)

/* ---- Generated: nm_spirals(.points = 2000), nm_waves(.samples = 2000) ---- */

typedef struct nm_spirals_options {
    int64_t points NM_DEFAULT(2000); /* of all arms together */
    int64_t classes NM_DEFAULT(2);   /* arms */
    double noise NM_DEFAULT(0.01);   /* standard deviation; the outer radius is 1 */
    double turns NM_DEFAULT(1.5);    /* of an arm around the centre */
    int64_t seed NM_DEFAULT(0);
} nm_spirals_options;
#define NM_SPIRALS_DEFAULTS .points = 2000, .classes = 2, .noise = 0.01, .turns = 1.5, .seed = 0
NM_API void nm_spirals_options_init(nm_spirals_options *options);
extern NM_API const nm_dataset_type nm_dataset_spirals;
#define nm_spirals(...)                                                                            \
    NM_CHOICE(nm_dataset_spirals, nm_spirals_options, NM_SPIRALS_DEFAULTS, __VA_ARGS__)

typedef struct nm_waves_options {
    int64_t samples NM_DEFAULT(2000);                   /* of all classes together */
    nm_ints shape NM_DEFAULT(NM_LIST_OF(3, 32, 32, 3)); /* of an image: height, width, channels */
    int64_t classes NM_DEFAULT(10);                     /* patterns */
    double noise NM_DEFAULT(1); /* largest value of what is added; a wave goes from -1 to 1 */
    int64_t seed NM_DEFAULT(0);
} nm_waves_options;
#define NM_WAVES_DEFAULTS                                                                          \
    .samples = 2000, .shape = NM_LIST_OF(3, 32, 32, 3), .classes = 10, .noise = 1, .seed = 0
NM_API void nm_waves_options_init(nm_waves_options *options);
extern NM_API const nm_dataset_type nm_dataset_waves;
#define nm_waves(...) NM_CHOICE(nm_dataset_waves, nm_waves_options, NM_WAVES_DEFAULTS, __VA_ARGS__)

#ifdef __cplusplus
}
#endif
#endif
