/* Numbers as tables for people have them. */
#ifndef NM_MODELS_SUMMARY_H
#define NM_MODELS_SUMMARY_H

#include "core/context.h"

#define NM_GROUPED_TEXT 32
/* "1 234 567". Returns `text`. */
NM_COMMAND_API char *nm_grouped_text(int64_t value, char text[NM_GROUPED_TEXT]);

#endif
