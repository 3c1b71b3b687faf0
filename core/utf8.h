/* Characters of UTF-8. */
#ifndef NM_CORE_UTF8_H
#define NM_CORE_UTF8_H

#include "core/context.h"

/* Bytes of the character at `text` (1 to 4, all before `end`), or 0 if there is none: overlong, a
 * surrogate, beyond U+10FFFF or cut off. */
NM_COMMAND_API int nm_utf8_length(const char *text, const char *end);
/* The number of a character of that many bytes. */
unsigned nm_utf8_code(const char *text, int length);

#endif
