/* A YAML text that is changed to say something else, with all that did not change left as it
 * stands: comments, order, layout. */
#ifndef NM_CORE_VALUES_EDIT_H
#define NM_CORE_VALUES_EDIT_H

#include "core/value.h"

/* The text, `size` bytes that parse to a document, changed so that it reads as `wanted`, byte by
 * byte the same where nothing differs. What is new is written on one line. New memory, free with
 * nm_free(); NULL on failure. `size` becomes the result's. */
char *nm_yaml_edit(nm_context *context, const char *text, size_t *size, const nm_value *wanted);
/* Whether both mean the same: a number in quotes is not a number, but other text may stand in
 * quotes or not, and all ways to write nothing are one. Maps are compared in their order. */
bool nm_value_equal(const nm_value *a, const nm_value *b);

#endif
