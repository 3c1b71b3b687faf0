/* Messages for libyaml's errors. */
#ifndef NM_CORE_VALUE_YAML_H
#define NM_CORE_VALUE_YAML_H

#include <yaml.h>

#include "core/value_internal.h"

/* The character at a mark, or `end`; marks count characters, not bytes. */
const char *nm_yaml_at(const char *text, const char *end, const yaml_mark_t *mark);

/* Says what was being read, what was expected and what to do, after a scanner's or parser's error
 * at the character `at`. */
void nm_yaml_explain(const yaml_parser_t *parser, char at, int first_line, int first_column,
                     nm_line *line);

#endif
