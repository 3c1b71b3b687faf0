/* Text of others (names in files, command lines) made fit to be shown. */
#ifndef NM_CORE_CLEAN_H
#define NM_CORE_CLEAN_H

#include "core/context.h"

/* Writes `from` so that a terminal takes it for text and nothing else: control characters (escape
 * sequences, C1), marks that turn the direction of writing, and bytes that are not UTF-8 become
 * \x1b or \u202e. `lines`: ends of lines and tabs stay. What does not fit into `size` bytes with a
 * 0 is cut, not within a character. Returns `to`. */
NM_COMMAND_API char *nm_text_clean(const char *from, bool lines, char *to, size_t size);

#endif
