/* What a file is by its first bytes, for messages of readers that got another one. Not installed.
 */
#ifndef NM_CORE_FILES_KNOWN_H
#define NM_CORE_FILES_KNOWN_H

#include "core/files/input.h"

/* "a Parquet file; write the table as CSV": what the bytes begin, and what to do with it; NULL:
 * nothing known, as a table in text form is. */
const char *nm_known_file(const void *bytes, size_t size);

/* "NAME: not WANTED but a Parquet file; ...", or else the first bytes. `begin`: the first `size`
 * bytes, at most 16, which were read already; more are read to see. Returns the error's status. */
nm_status nm_refuse_file(nm_input *input, const char *name, const char *wanted, const void *begin,
                         size_t size);

#endif
