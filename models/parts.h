/* The parts of a network's file, as registered under NM_KIND_PART, so that the help and the
 * reference tell about them from the tables that read them: the file itself, its four parts, and
 * what stands in those by a name of its own. */
#ifndef NM_MODELS_PARTS_H
#define NM_MODELS_PARTS_H

#include "core/option.h"

extern const nm_spec nm_file_spec;  /* models/config.c */
extern const nm_spec nm_model_spec; /* models/model_read.c */

nm_status nm_register_parts(nm_context *context);

#endif
