/* Any file of samples, told apart by its contents: IDX, NPY, or else CSV; gzip around it. */
#ifndef NM_OPTIM_DATA_OPEN_FILE_H
#define NM_OPTIM_DATA_OPEN_FILE_H

#include "optim/data/data.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Opens samples for a network that is there already: `reading->schema` must say what they are. A
 * table brings its targets along, if it has their columns; arrays have them in a file of their own,
 * and tables may, `targets` (NULL: none). "-" is the standard input. `set` is empty on failure. */
NM_API nm_status nm_dataset_open_file(nm_context *context, const char *path, const char *targets,
                                      const nm_reading *reading, nm_dataset *set);

/* A training set from such a file, with what is held out of it: nm_data_open() with the file in the
 * place of options->train. `options` may be NULL: the defaults, NM_DATA_DEFAULTS. `data` is empty
 * on failure. */
NM_API nm_status nm_data_open_file(nm_context *context, const char *path, const char *targets,
                                   const nm_data_options *options, nm_data *data);

#ifdef __cplusplus
}
#endif
#endif
