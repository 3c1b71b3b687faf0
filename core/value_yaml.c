/* libyaml's errors in the words of somebody who writes a network, each with what to do. */
#include "core/value_yaml.h"

#include <string.h>

typedef struct explanation {
    const char *term, *meaning;
} explanation;

static const explanation problems[] = {
    {"did not find expected key",
     "expected another \"key: value\" or the end; indent a key like the keys above it"},
    {"did not find expected '-' indicator",
     "expected another \"- item\" or the end; indent an item like the items above it"},
    {"did not find expected ',' or ']'",
     "expected \",\" or \"]\"; close the list with \"]\" or put \",\" between its items"},
    {"did not find expected ',' or '}'",
     "expected \",\" or \"}\"; close the map with \"}\" or put \",\" between its entries"},
    {"mapping values are not allowed", "a \": \" cannot stand here; check the indentation, or put "
                                       "text that contains \": \" in quotes"},
    {"block sequence entries are not allowed",
     "a \"- item\" cannot stand here; begin the list on a line of its own, below its key"},
    {"mapping keys are not allowed", "a key cannot stand here; check the indentation"},
    {"could not find expected ':'",
     "expected \": \" after a key; write \"key: value\", and the key on one line"},
    {"found unexpected end of stream", "expected the closing quote; add it"},
    {"found unexpected document indicator",
     "expected the closing quote before this line; add it, or indent the line"},
    {"found a tab character", "a tab cannot indent; use spaces"},
    {"found unknown escape character",
     "no such escape; write \"\\\\\" for a backslash, or use single quotes"},
    {"did not find expected <document start>", "expected the end of the file; remove what follows "
                                               "the value, or check the quotes, brackets and "
                                               "indentation before it"},
    {"did not find expected node content",
     "expected a value; write one, or put text that begins with a special character in quotes"},
    {"did not find expected alphabetic or numeric character",
     "an anchor (&name) or alias (*name) needs a name of letters and digits; put text that begins "
     "with \"&\" or \"*\" in quotes"},
    {"found undefined tag handle",
     "only the tag \"!!str\" is supported; put text that begins with \"!\" in quotes"},
    {"did not find expected tag URI",
     "only the tag \"!!str\" is supported; put text that begins with \"!\" in quotes"},
    {"found incompatible YAML document", "this is another version of YAML; remove the %YAML line"},
    {"found unknown directive name", "no such directive; remove the line that begins with \"%\""},
};

static const explanation contexts[] = {
    {"block mapping", "map"},  {"flow mapping", "map"},   {"block collection", "list"},
    {"flow sequence", "list"}, {"quoted scalar", "text"}, {"block scalar", "text"},
    {"a simple key", "key"},   {"plain scalar", "text"},
};

static const char *explain(const char *term, const explanation *table, int count)
{
    for (int i = 0; term && i < count; i++) {
        if (strstr(term, table[i].term)) {
            return table[i].meaning;
        }
    }
    return NULL;
}

const char *nm_yaml_at(const char *text, const char *end, const yaml_mark_t *mark)
{
    for (size_t left = mark->index; left && text < end; left--) {
        for (text++; text < end && ((unsigned char)*text & 0xC0) == 0x80; text++) {
        }
    }
    return text;
}

static void add_problem(nm_line *line, const char *problem, char at)
{
    const char *meaning = explain(problem, problems, (int)(sizeof problems / sizeof *problems));
    if (meaning) {
        nm_line_add(line, "%s", meaning);
    } else if (strcmp(problem, "found character that cannot start any token")) {
        nm_line_add(line, "%s; correct it, or put the text in quotes", problem);
    } else if (at == '\t') {
        nm_line_add(line, "a tab cannot indent; use spaces");
    } else {
        nm_line_add(line, "text cannot begin with \"%c\"; put it in quotes", at);
    }
}

void nm_yaml_explain(const yaml_parser_t *parser, char at, int first_line, int first_column,
                     nm_line *line)
{
    const yaml_mark_t *begin = &parser->context_mark;
    const char *what =
        explain(parser->context, contexts, (int)(sizeof contexts / sizeof *contexts));
    if (what) {
        nm_line_add(line, "in the %s that begins at %zu:%zu: ", what,
                    begin->line + 1 + (size_t)first_line,
                    begin->column + 1 + (begin->line ? 0 : (size_t)first_column));
    }
    add_problem(line, parser->problem ? parser->problem : "this cannot be read", at);
}
