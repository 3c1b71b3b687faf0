/* What the files that write runs and networks share. Nothing outside optim includes this. */
#ifndef NM_OPTIM_SAVED_INTERNAL_H
#define NM_OPTIM_SAVED_INTERNAL_H

#include "core/text.h"
#include "optim/saved.h"

#define NM_FORMAT_CHECKPOINT "norma checkpoint" /* the metadata's "format" */
#define NM_FORMAT_NETWORK "norma network"
#define NM_FORMAT_VERSION "2"    /* 2: no times, a fingerprint of all data, the description */
#define NM_MODEL_PREFIX "model." /* of the network's tensors in a checkpoint */

/* The description as text: new memory, NULL on failure. */
char *nm_description_text(nm_context *context, const nm_description *description);
/* The line `plugins` of it: what the network has of plugins, whose names a reader is told where
 * that is not registered. Nothing if it has nothing of them. */
void nm_description_add_plugins(nm_text *text, const nm_description *description);
/* Whether everything is registered that such a line (NULL: none) names; else reports it. */
bool nm_description_check_plugins(const nm_value *value, nm_diagnostics *d);
/* Adds it to a file being written. */
nm_status nm_description_write(nm_context *context, const nm_description *description,
                               nm_tensor_writer *writer);
/* NM_ERROR_NUMERIC, naming the tensor, if a value in one would not be read again: nm_entry_fault().
 */
nm_status nm_store_check_values(const nm_store *store);

#endif
