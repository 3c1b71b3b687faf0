/* What an evaluation tells beside the loss and the metrics: of classes, each one's results, which
 * are taken for which, and whether probabilities mean what they say; of values, each one's errors.
 */
#ifndef NM_MODELS_COMMAND_EVAL_RESULTS_H
#define NM_MODELS_COMMAND_EVAL_RESULTS_H

#include "models/command/command.h"

/* Of more classes the matrix is not kept: it would be of no use, and larger than the data. */
#define MOST_CONFUSED 2000

typedef enum measure {
    PRECISION, /* of classes */
    RECALL,
    F1,
    CALIBRATION,
    CONFUSION,
    R2, /* of values */
    ABSOLUTE,
    SQUARED,
    MEASURES
} measure;

typedef struct results {
    nm_context *context;
    const nm_schema *schema; /* what classes and values are called; NULL: not known */
    nm_ignored ignored;
    bool in_rows;               /* values are labels in a row, which have no errors each */
    bool of_classes;            /* else of values */
    bool begun;                 /* a batch was seen */
    int64_t width;              /* classes, or values */
    nm_metric metric[MEASURES]; /* those of the sort, of which has_matrix() may be missing */
} results;

results results_begin(nm_context *context, const nm_schema *schema, const nm_choice *loss);
/* An nm_onlooker's. */
nm_status results_on_outputs(void *results, nm_tensor *outputs, const nm_batch *batch);
void results_end(results *results);

/* ---- What came out ---- */

bool has_matrix(const results *results);
int64_t samples_of_class(const results *results, int64_t index);
/* The mean of a measure over the classes that occur, each weighed by its samples. */
double weighted_average(const results *results, measure which);

/* A pair of classes of which one is taken for the other. */
typedef struct confused {
    int64_t actual, predicted, samples;
} confused;
/* The `most` commonest ones, the commonest first; returns how many there are. */
int find_confused(const results *results, confused *pairs, int most);

/* For a person; as fields of a line; the matrix as a CSV file (NM_ERROR_INPUT if there is none). */
void print_results(const results *results, double temperature);
void json_results(json_line *line, const results *results, double temperature);
nm_status write_confusion(const results *results, const char *path);

#endif
