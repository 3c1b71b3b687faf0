/* Messages for libyaml's errors. */
#ifndef NM_CORE_VALUE_YAML_H
#define NM_CORE_VALUE_YAML_H

#include <yaml.h>

#include "core/value_internal.h"

/* The character at a mark, or `end`; marks count characters, not bytes. */
const char *nm_yaml_at(const char *text, const char *end, const yaml_mark_t *mark);

/* The text that a parser reads, `size` bytes, which stand for a part of a file from some place on.
 */
typedef struct nm_yaml_text {
    const char *begin, *end;
    int first_line, first_column; /* are added to lines, and to the columns of the first one */
} nm_yaml_text;

/* Says what was being read, what was expected and what to do, after a scanner's or parser's error.
 * Returns where it is to be mended, which libyaml often notices later. */
const yaml_mark_t *nm_yaml_explain(const yaml_parser_t *parser, const nm_yaml_text *text,
                                   nm_line *line);

#endif
