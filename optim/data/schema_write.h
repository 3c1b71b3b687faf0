/* A schema as text, for a saved network. Nothing outside optim includes this. */
#ifndef NM_OPTIM_DATA_SCHEMA_WRITE_H
#define NM_OPTIM_DATA_SCHEMA_WRITE_H

#include "core/text.h"
#include "optim/data/schema.h"

extern const char *const nm_column_kind_names[];

/* "sample: {...}\ntarget: {...}\n", as nm_schema_read() reads it. */
void nm_schema_write(const nm_schema *schema, nm_text *text);

#endif
