/* YAML text to values, by libyaml's events.
 *
 * libyaml reads any nesting and any number of events, so the promises of value.h are kept here,
 * event by event:
 * 1. at most NM_VALUE_MAX_DEPTH levels, also where an alias puts a deep value deeper;
 * 2. at most NM_VALUE_MAX_NODES values. An alias shares the value it names (the tree is a graph
 *    without cycles), but counts as much as a copy of it would;
 * 3. one document;
 * 4. keys are text, each stands once in its map;
 * 5. time grows no faster than n log n. libyaml compares every %TAG line with all before it, within
 *    one event (10 seconds for 1 MiB), so these are refused before it sees them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "core/files/known.h"
#include "core/value_internal.h"
#include "core/values/yaml.h"

typedef struct anchor {
    const char *name;
    const nm_value *value; /* NULL: still being read */
    int nodes, height;     /* of the value: what an alias adds to the counts */
} anchor;

typedef struct reader {
    nm_document *document;
    nm_context *context;
    const char *text, *end; /* as libyaml sees it */
    const char *file;
    int first_line, first_column; /* added to places, the second to those in the first line */
    yaml_parser_t parser;
    yaml_event_t event;
    int nodes;
    const nm_value **children; /* of all open containers, innermost last */
    int child_count, child_capacity;
    anchor anchors[NM_VALUE_MAX_ANCHORS];
    int anchor_count;
} reader;

/* ---- Messages ---- */

static int line_of(const reader *r, const yaml_mark_t *mark)
{
    return (int)mark->line + 1 + r->first_line;
}

static int column_of(const reader *r, const yaml_mark_t *mark)
{
    return (int)mark->column + 1 + (mark->line ? 0 : r->first_column);
}

/* Fails with a place and returns false. */
static bool fail_at(reader *r, int line, int column, const char *format, ...) NM_PRINTF(4, 5);
static bool fail_at(reader *r, int line, int column, const char *format, ...)
{
    char message[1024];
    va_list list;
    va_start(list, format);
    vsnprintf(message, sizeof message, format, list);
    va_end(list);
    nm_line place;
    nm_line_begin(&place);
    nm_line_add_place(&place, r->file, line, column);
    nm_fail(r->context, NM_ERROR_INPUT, "%s%s", place.text, message);
    return false;
}

#define FAIL_HERE(r, ...)                                                                          \
    fail_at(r, line_of(r, &(r)->event.start_mark), column_of(r, &(r)->event.start_mark),           \
            __VA_ARGS__)

static void place_of(const reader *r, const char *byte, int *line, int *column)
{
    *line = 1 + r->first_line;
    *column = 1 + r->first_column;
    for (const char *at = r->text; at < byte; at++) {
        *column += ((unsigned char)*at & 0xC0) != 0x80;
        if (*at == '\n') {
            ++*line;
            *column = 1;
        }
    }
}

/* libyaml could not decode the bytes; it knows their offset only. */
static bool fail_by_bytes(reader *r)
{
    int line, column;
    const char *problem = r->parser.problem ? r->parser.problem : "an unreadable byte";
    const char *what = nm_known_file(r->text, (size_t)(r->end - r->text));
    if (what && *r->text != '{' && *r->text != '[') { /* as YAML may begin */
        return fail_at(r, 1, 1, "it is %s", what);
    }
    place_of(r, r->text + r->parser.problem_offset, &line, &column);
    if (strstr(problem, "control")) {
        return fail_at(r, line, column, "the control character 0x%02X is not allowed; remove it",
                       (unsigned)r->parser.problem_value);
    }
    return fail_at(r, line, column, "expected UTF-8 text: %s; save the file as UTF-8", problem);
}

static bool fail_by_syntax(reader *r)
{
    nm_line message;
    nm_line_begin(&message);
    const nm_yaml_text text = {r->text, r->end, r->first_line, r->first_column};
    const yaml_mark_t *mark = nm_yaml_explain(&r->parser, &text, &message);
    int line = line_of(r, mark), column = column_of(r, mark);
    const char *at = nm_yaml_at(r->text, r->end, mark);
    if (at == r->end && at > r->text && at[-1] != '\n') {
        /* libyaml thinks of the end as of a new line. */
        place_of(r, at, &line, &column);
    }
    return fail_at(r, line, column, "%s", message.text);
}

static bool fail_by_parser(reader *r)
{
    if (r->parser.error == YAML_MEMORY_ERROR) {
        nm_fail(r->context, NM_ERROR_MEMORY, "out of memory (while reading YAML)");
        return false;
    }
    return r->parser.error == YAML_READER_ERROR ? fail_by_bytes(r) : fail_by_syntax(r);
}

/* ---- Events ---- */

static bool next_event(reader *r)
{
    yaml_event_delete(&r->event);
    return yaml_parser_parse(&r->parser, &r->event) || fail_by_parser(r);
}

static bool count_nodes(reader *r, int nodes)
{
    if (nodes > r->document->most_nodes - r->nodes) {
        return FAIL_HERE(
            r,
            "more than %d values (aliases count as what they stand for); make the file "
            "smaller",
            r->document->most_nodes);
    }
    r->nodes += nodes;
    return true;
}

static bool check_depth(reader *r, int depth)
{
    return depth <= NM_VALUE_MAX_DEPTH ||
           FAIL_HERE(r, "lists and maps nested more than %d deep; nest less", NM_VALUE_MAX_DEPTH);
}

static nm_value *value_here(reader *r, nm_value_kind kind)
{
    return nm_document_value(r->document, kind, r->file, line_of(r, &r->event.start_mark),
                             column_of(r, &r->event.start_mark));
}

static const nm_value *read_value(reader *r, int depth, int *height);

/* ---- Anchors and aliases ---- */

static anchor *find_anchor(reader *r, const char *name)
{
    for (int i = 0; i < r->anchor_count; i++) {
        if (!strcmp(r->anchors[i].name, name)) {
            return &r->anchors[i];
        }
    }
    return NULL;
}

/* Makes an anchor known while its value is still to be read, so that an alias within is noticed. */
static bool open_anchor(reader *r, const char *name, anchor **opened)
{
    char shown[NM_SHOWN];
    nm_text_shown(name, strlen(name), shown);
    if (find_anchor(r, name)) {
        return FAIL_HERE(r, "the anchor &%s is defined twice; rename one", shown);
    }
    if (r->anchor_count == NM_VALUE_MAX_ANCHORS) {
        return FAIL_HERE(r, "&%s is one anchor more than the %d allowed; use fewer", shown,
                         NM_VALUE_MAX_ANCHORS);
    }
    char *copy = nm_document_copy(r->document, name, strlen(name));
    if (copy) {
        *opened = &r->anchors[r->anchor_count++];
        **opened = (anchor){.name = copy};
    }
    return copy;
}

static const nm_value *read_alias(reader *r, int depth, int *height)
{
    const char *name = (const char *)r->event.data.alias.anchor;
    char shown[NM_SHOWN];
    nm_text_shown(name, strlen(name), shown);
    const anchor *named = find_anchor(r, name);
    if (!named) {
        FAIL_HERE(r, "the alias *%s names nothing; put &%s before a value above", shown, shown);
        return NULL;
    }
    if (!named->value) {
        FAIL_HERE(r, "the alias *%s stands within the value it names; move it out", shown);
        return NULL;
    }
    *height = named->height;
    return count_nodes(r, named->nodes) && check_depth(r, depth + named->height) ? named->value
                                                                                 : NULL;
}

/* ---- Scalars ---- */

#define YAML_NAMES "tag:yaml.org,2002:"

/* Accepts no tag, and those that make text of a scalar. */
static bool check_tag(reader *r, const char *tag, bool scalar)
{
    if (!tag || (scalar && (!strcmp(tag, "!") || !strcmp(tag, YAML_NAMES "str")))) {
        return true;
    }
    bool standard = !strncmp(tag, YAML_NAMES, strlen(YAML_NAMES));
    const char *name = standard ? tag + strlen(YAML_NAMES) : tag;
    char shown[NM_SHOWN];
    nm_text_shown(name, strlen(name), shown);
    return FAIL_HERE(r, "the tag \"%s%s\" is not supported; remove it%s", standard ? "!!" : "",
                     shown, scalar ? " (put text in quotes)" : "");
}

static const nm_value *read_scalar(reader *r)
{
    const char *text = (const char *)r->event.data.scalar.value;
    const char *tag = (const char *)r->event.data.scalar.tag;
    size_t length = r->event.data.scalar.length;
    if (!check_tag(r, tag, true)) {
        return NULL;
    }
    if (strlen(text) != length) {
        FAIL_HERE(r, "text with a zero character (\\0) in it; remove the character");
        return NULL;
    }
    nm_value *value = value_here(r, NM_VALUE_SCALAR);
    char *copy = value ? nm_document_copy(r->document, text, length) : NULL;
    if (!copy) {
        return NULL;
    }
    value->text = copy;
    value->quoted = tag || r->event.data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    return value;
}

/* ---- Containers ---- */

static bool add_child(reader *r, const nm_value *child)
{
    if (r->child_count == r->child_capacity) {
        int capacity = r->child_capacity ? 2 * r->child_capacity : 64;
        const nm_value **children =
            nm_resize(r->context, r->children, (size_t)capacity * sizeof *children);
        if (!children) {
            return false;
        }
        r->children = children;
        r->child_capacity = capacity;
    }
    r->children[r->child_count++] = child;
    return true;
}

/* The place is where the key stands; that of an alias' value is elsewhere. */
static bool check_key(reader *r, const nm_value *key, int line, int column)
{
    if (key->kind != NM_VALUE_SCALAR) {
        return fail_at(r, line, column, "a %s cannot be a key; a key is text",
                       key->kind == NM_VALUE_LIST ? "list" : "map");
    }
    if (!key->quoted && !*key->text) {
        return fail_at(r, line, column, "expected a key before \":\"; write one");
    }
    if (!key->quoted && !strcmp(key->text, "<<")) {
        return fail_at(
            r, line, column,
            "merge keys (<<) are not supported; write the entries out, or use an alias for "
            "a whole value");
    }
    return true;
}

/* By text, and by place among equals. */
static int compare_entries(const void *a, const void *b)
{
    const nm_value_entry *first = *(const nm_value_entry *const *)a;
    const nm_value_entry *second = *(const nm_value_entry *const *)b;
    int order = strcmp(first->key->text, second->key->text);
    return order ? order : (first > second) - (first < second);
}

/* Names the first entry, in the file's order, whose key was there before. `sorted` has room for
 * pointers to all entries. Sorting keeps a hostile map from taking quadratic time. */
static bool check_unique(reader *r, const nm_value *map, const nm_value_entry **sorted)
{
    for (int i = 0; i < map->count; i++) {
        sorted[i] = &map->entries[i];
    }
    qsort(sorted, (size_t)map->count, sizeof(*sorted), compare_entries);
    const nm_value_entry *before = NULL, *again = NULL;
    for (int i = 1; i < map->count; i++) {
        bool same = !strcmp(sorted[i - 1]->key->text, sorted[i]->key->text);
        if (same && (!again || sorted[i] < again)) {
            before = sorted[i - 1];
            again = sorted[i];
        }
    }
    char shown[NM_SHOWN];
    return !again || fail_at(r, again->key->line, again->key->column,
                             "the key \"%s\" is there already, at %d:%d; remove one of them",
                             nm_text_shown(again->key->text, strlen(again->key->text), shown),
                             before->key->line, before->key->column);
}

static bool finish_map(reader *r, nm_value *map, const nm_value *const *children, int count)
{
    map->count = count / 2;
    size_t entries = (size_t)map->count;
    nm_value_entry *copy = nm_document_alloc(r->document, entries * sizeof *copy);
    const nm_value_entry **sorted = nm_alloc(r->context, entries * sizeof *sorted);
    bool fine = copy && sorted;
    for (int i = 0; fine && i < map->count; i++) {
        copy[i] = (nm_value_entry){children[2 * i], children[2 * i + 1]};
    }
    map->entries = copy;
    fine = fine && check_unique(r, map, sorted);
    nm_free(r->context, sorted);
    return fine;
}

static bool finish_list(reader *r, nm_value *list, const nm_value *const *children, int count)
{
    size_t bytes = (size_t)count * sizeof *children;
    const nm_value **copy = nm_document_alloc(r->document, bytes);
    if (copy && count) {
        memcpy(copy, children, bytes);
    }
    list->count = count;
    list->items = copy;
    return copy;
}

/* Reads up to the container's end; the children stay on the stack. */
static bool read_children(reader *r, bool map, int depth, int *height)
{
    yaml_event_type_t end = map ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT;
    for (int i = 0; next_event(r); i++) {
        int child_height = 0;
        if (r->event.type == end) {
            return true;
        }
        int line = line_of(r, &r->event.start_mark);
        int column = column_of(r, &r->event.start_mark);
        bool key = map && i % 2 == 0;
        const nm_value *child = read_value(r, depth, &child_height);
        if (!child || (key && !check_key(r, child, line, column)) || !add_child(r, child)) {
            return false;
        }
        *height = *height > child_height + 1 ? *height : child_height + 1;
    }
    return false;
}

static const nm_value *read_container(reader *r, int depth, int *height)
{
    bool map = r->event.type == YAML_MAPPING_START_EVENT;
    const yaml_char_t *tag =
        map ? r->event.data.mapping_start.tag : r->event.data.sequence_start.tag;
    if (!check_tag(r, (const char *)tag, false) || !check_depth(r, depth)) {
        return NULL;
    }
    nm_value *value = value_here(r, map ? NM_VALUE_MAP : NM_VALUE_LIST);
    int base = r->child_count;
    *height = 1;
    if (!value || !read_children(r, map, depth, height)) {
        return NULL;
    }
    int count = r->child_count - base;
    const nm_value *const *children = count ? r->children + base : NULL;
    r->child_count = base;
    bool fine =
        map ? finish_map(r, value, children, count) : finish_list(r, value, children, count);
    return fine ? value : NULL;
}

static const char *anchor_name(const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_SCALAR_EVENT: return (const char *)event->data.scalar.anchor;
    case YAML_SEQUENCE_START_EVENT: return (const char *)event->data.sequence_start.anchor;
    case YAML_MAPPING_START_EVENT: return (const char *)event->data.mapping_start.anchor;
    default: return NULL;
    }
}

/* Reads the value that begins with the current event, up to its last one. `depth` containers are
 * open around it; `height` (0 at first) becomes the number of levels in it. */
static const nm_value *read_value(reader *r, int depth, int *height)
{
    if (r->event.type == YAML_ALIAS_EVENT) {
        return read_alias(r, depth, height);
    }
    int nodes = r->nodes;
    const char *name = anchor_name(&r->event);
    anchor *own = NULL;
    if (!count_nodes(r, 1) || (name && !open_anchor(r, name, &own))) {
        return NULL;
    }
    bool scalar = r->event.type == YAML_SCALAR_EVENT;
    const nm_value *value = scalar ? read_scalar(r) : read_container(r, depth + 1, height);
    if (own) {
        own->value = value;
        own->nodes = r->nodes - nodes;
        own->height = *height;
    }
    return value;
}

/* ---- The whole text ---- */

/* One document, or none: a null. */
static const nm_value *read_stream(reader *r)
{
    int height = 0;
    if (!next_event(r) || !next_event(r)) {
        return NULL;
    }
    if (r->event.type == YAML_STREAM_END_EVENT) {
        return nm_document_value(r->document, NM_VALUE_SCALAR, r->file, 1 + r->first_line,
                                 1 + r->first_column);
    }
    const nm_value *root = next_event(r) ? read_value(r, 0, &height) : NULL;
    if (!root || !next_event(r) || !next_event(r)) {
        return NULL;
    }
    if (r->event.type != YAML_STREAM_END_EVENT) {
        FAIL_HERE(r, "a second document begins here; one is expected: put it in a file of its own");
        return NULL;
    }
    return root;
}

/* Keeps promise 5. A directive stands at the beginning of a line; YAML 1.1 also ends lines with
 * three characters beyond ASCII, of which only the last byte is looked at. */
static bool refuse_tag_directives(reader *r)
{
    int line = 1 + r->first_line;
    for (const char *at = r->text; at + 4 <= r->end; at++) {
        unsigned char before = at > r->text ? (unsigned char)at[-1] : '\n';
        line += before == '\n' && at > r->text;
        bool begins =
            before == '\n' || before == '\r' || before == 0x85 || before == 0xA8 || before == 0xA9;
        if (begins && !memcmp(at, "%TAG", 4)) {
            return fail_at(r, line, 1, "%%TAG lines are not supported; remove it");
        }
    }
    return true;
}

static const nm_value *read_text(reader *r)
{
    if (r->end - r->text >= 3 && !memcmp(r->text, "\xEF\xBB\xBF", 3)) { /* a byte order mark */
        r->text += 3;
    }
    if (!refuse_tag_directives(r)) {
        return NULL;
    }
    if (!yaml_parser_initialize(&r->parser)) {
        fail_by_parser(r);
        return NULL;
    }
    /* Set, so that it looks for no UTF-16. */
    yaml_parser_set_encoding(&r->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r->parser, (const unsigned char *)r->text,
                                 (size_t)(r->end - r->text));
    const nm_value *root = read_stream(r);
    yaml_event_delete(&r->event);
    yaml_parser_delete(&r->parser);
    return root;
}

const nm_value *nm_document_parse_into(nm_document *document, const char *text, size_t size,
                                       const char *file, int first_line, int first_column)
{
    size = size == SIZE_MAX ? strlen(text) : size;
    reader r = {.document = document,
                .context = document->context,
                .text = text,
                .end = text + size,
                .file = file,
                .first_line = first_line,
                .first_column = first_column};
    if (size > document->most_bytes) {
        fail_at(&r, 0, 0, "%zu bytes of YAML; at most %zu are read", size, document->most_bytes);
        return NULL;
    }
    const nm_value *root = read_text(&r);
    nm_free(document->context, r.children);
    return root;
}
