/* Predictions as text: on standard output, and in files. */
#ifndef NM_MODELS_COMMAND_PREDICTIONS_H
#define NM_MODELS_COMMAND_PREDICTIONS_H

#include "models/command/command.h"

typedef struct predictions {
    nm_context *context;
    const nm_schema *schema;
    nm_dataset set;     /* the samples, in the order of their file */
    nm_tensor *outputs; /* f32 [count, ...]: probabilities of classes, or values */
    bool is_classifier;
    bool in_rows;           /* outputs are labels in a row, */
    double padding;         /* with this behind them */
    const int64_t *numbers; /* [count], of the samples, by which their ids are found; NULL: 0, 1, 2,
                               ... */
} predictions;

/* A line a sample, or a JSON object a line. */
void predictions_print(const predictions *predictions, bool json);
/* All outputs, by the path's ending: .csv with a header, .json (a list of objects), else .npy. */
nm_status predictions_write(const predictions *predictions, const char *path);

#endif
