/* The rows that a run held out, in files beside its network: validation-rows.csv, of a fold also
 * test-rows.csv and, in order, unused-rows.csv. A later evaluation is of these rows, whatever the
 * network's file says by then; and another run can take them: `validation: {indices: ...}`. */
#ifndef NM_MODELS_COMMAND_TRAIN_HELD_OUT_H
#define NM_MODELS_COMMAND_TRAIN_HELD_OUT_H

#include "norma.h"

/* Those that there are, into the run's folder. */
nm_status held_out_write(nm_context *context, const char *folder, const nm_data *data);
/* What each row of the training set was for, [record->rows], new memory: free with nm_free(). NULL
 * without an error if a file is not there; NM_ERROR_INPUT if one is not as it was written. */
nm_status held_out_read(nm_context *context, const char *folder, const nm_split_record *record,
                        uint8_t **parts);

#endif
