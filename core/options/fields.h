/* Reading one option from a value, for what reads all of a spec. */
#ifndef NM_CORE_OPTIONS_FIELDS_H
#define NM_CORE_OPTIONS_FIELDS_H

#include "core/value_internal.h"

/* What is being read, for whom. */
typedef struct nm_reader {
    const nm_spec *spec;
    const char *what; /* in messages */
    nm_document *document;
    nm_diagnostics *d;
} nm_reader;

/* Reads an option that holds no options itself into its field, only if all of the value is right;
 * reports what is not. */
void nm_reader_read_field(const nm_reader *r, const nm_option *option, const nm_value *value,
                          void *field);
/* Reports a value in place of what is expected: "a number". */
void nm_reader_expected(const nm_reader *r, const nm_option *option, const nm_value *value,
                        const char *what);

#endif
