/* libyaml's errors in the words of somebody who writes a network, each with what to do. */
#include "core/values/yaml.h"

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
    {"block sequence entries are not allowed", "a \"- item\" cannot stand here; begin the list on "
                                               "a line of its own, below its key; a \"-\" that "
                                               "is text stands in quotes"},
    {"mapping keys are not allowed", "a key cannot stand here; check the indentation"},
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

/* ---- What the text tells that libyaml does not ---- */

static const char *line_begin(const char *begin, const char *at)
{
    while (at > begin && at[-1] != '\n') {
        at--;
    }
    return at;
}

/* From `at` to the end of its line, fit to be shown. */
static const char *rest_of_line(const char *at, const char *end, char shown[NM_SHOWN])
{
    size_t length = 0;
    while (at + length < end && at[length] != '\n' && at[length] != '\r') {
        length++;
    }
    while (length && at[length - 1] == ' ') {
        length--;
    }
    return nm_text_shown(at, length, shown);
}

/* Behind the first ": " of a line, if it stands before `at`; NULL: it does not. */
static const char *behind_first_colon(const char *begin, const char *at)
{
    for (const char *c = line_begin(begin, at); c + 1 < at; c++) {
        if (c[0] == ':' && c[1] == ' ') {
            return c + 2 + strspn(c + 2, " ");
        }
    }
    return NULL;
}

/* Whether the line above the one of `at` has no colon and is no item: perhaps a key that lacks it.
 */
static bool is_above_bare(const char *begin, const char *at)
{
    const char *here = line_begin(begin, at);
    const char *above = here > begin ? line_begin(begin, here - 1) : here;
    bool text = false;
    for (const char *c = above; c < here; c++) {
        if (*c == ':' || *c == '#' || (*c == '-' && !text)) {
            return false;
        }
        text |= *c != ' ' && *c != '\n' && *c != '\r';
    }
    return text;
}

/* `a: b: c`, or a key above that has no colon. */
static bool add_about_colon(nm_line *line, const nm_yaml_text *text, const char *at)
{
    char shown[NM_SHOWN];
    const char *second = behind_first_colon(text->begin, at);
    if (second) {
        nm_line_add(line, "a second \": \" in one line; write {%s}, or put text in quotes",
                    rest_of_line(second, text->end, shown));
    } else if (is_above_bare(text->begin, at)) {
        nm_line_add(line, "a \": \" cannot stand here; put one behind the key in the line above");
    }
    return line->length;
}

/* What was taken for the beginning of a key and has no ": " behind it. */
static void add_about_key(nm_line *line, const nm_yaml_text *text, const char *key)
{
    char shown[NM_SHOWN];
    rest_of_line(key, text->end, shown);
    const char *colon = strchr(shown, ':');
    if (shown[0] == '-' && shown[1]) {
        nm_line_add(line, "\"%s\" is no item of a list; put a blank behind its \"-\"", shown);
    } else if (colon && colon[1]) {
        nm_line_add(line, "\"%s\" has no blank behind its colon; put one there", shown);
    } else {
        nm_line_add(line, "\"%s\" is no key; write \"key: value\", or \"- item\" in a list", shown);
    }
}

/* ---- Messages ---- */

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

static void add_context(nm_line *line, const yaml_parser_t *parser, const nm_yaml_text *text)
{
    const yaml_mark_t *begin = &parser->context_mark;
    const char *what =
        explain(parser->context, contexts, (int)(sizeof contexts / sizeof *contexts));
    if (what) {
        nm_line_add(line, "in the %s that begins at %zu:%zu: ", what,
                    begin->line + 1 + (size_t)text->first_line,
                    begin->column + 1 + (begin->line ? 0 : (size_t)text->first_column));
    }
}

const yaml_mark_t *nm_yaml_explain(const yaml_parser_t *parser, const nm_yaml_text *text,
                                   nm_line *line)
{
    const char *problem = parser->problem ? parser->problem : "this cannot be read";
    const char *at = nm_yaml_at(text->begin, text->end, &parser->problem_mark);
    if (strstr(problem, "could not find expected ':'")) {
        add_about_key(line, text, nm_yaml_at(text->begin, text->end, &parser->context_mark));
        return &parser->context_mark;
    }
    if (strstr(problem, "expected '-' indicator") && at + 1 < text->end && *at == '-') {
        add_about_key(line, text, at);
        return &parser->problem_mark;
    }
    if (!strstr(problem, "mapping values are not allowed") || !add_about_colon(line, text, at)) {
        const char character = at < text->end ? *at : '\n';
        add_context(line, parser, text);
        add_problem(line, problem, character);
        if (character == '-' && strstr(problem, "did not find expected key")) {
            nm_line_add(line, ", an item like the items above it");
        }
    }
    return &parser->problem_mark;
}
