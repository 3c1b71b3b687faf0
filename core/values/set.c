/* Setting a value by its path. The tree is never changed: the containers on the way are copied, so
 * that old pointers stay valid and what an alias shares with the path keeps its value. */
#include <stdio.h>
#include <string.h>

#include "core/guard.h"
#include "core/value_internal.h"

typedef struct setting {
    nm_document *document;
    const char *assignment;
    int line;           /* its number among several */
    const char *equals; /* the end of the path */
    const nm_value *value;
} setting;

/* ---- Paths ---- */

static int characters_between(const char *begin, const char *end)
{
    int count = 0;
    for (; begin < end; begin++) {
        count += ((unsigned char)*begin & 0xC0) != 0x80;
    }
    return count;
}

static int column_at(const setting *s, const char *at)
{
    return characters_between(s->assignment, at) + 1;
}

static size_t part_length(const setting *s, const char *part)
{
    const char *end = memchr(part, '.', (size_t)(s->equals - part));
    return (size_t)((end ? end : s->equals) - part);
}

/* Fails at a part of the path and returns NULL. */
static const nm_value *fail_at(const setting *s, const char *part, const char *format, ...)
    NM_PRINTF(3, 4);
static const nm_value *fail_at(const setting *s, const char *part, const char *format, ...)
{
    char message[1200];
    va_list list;
    va_start(list, format);
    vsnprintf(message, sizeof message, format, list);
    va_end(list);
    nm_fail(s->document->context, NM_ERROR_INPUT, NM_SETTINGS_FILE ":%d:%d: %s", s->line,
            column_at(s, part), message);
    return NULL;
}

/* The path before `part`, as a thing that a message speaks of: `"model.0"`. */
static void add_path_before(nm_line *line, const setting *s, const char *part)
{
    char shown[NM_SHOWN];
    if (part == s->assignment) {
        nm_line_add(line, "the file");
    } else {
        size_t length = (size_t)(part - 1 - s->assignment);
        nm_line_add(line, "\"%s\"", nm_text_shown(s->assignment, length, shown));
    }
}

/* ---- What is on the way ---- */

static const nm_value *with_value(const setting *s, const nm_value *old, const char *part);

static const nm_value *fail_at_scalar(const setting *s, const nm_value *old, const char *part)
{
    nm_line line;
    nm_line_begin(&line);
    add_path_before(&line, s, part);
    nm_line_add(&line, " is ");
    nm_line_add_value(&line, old);
    nm_line_add(&line, " (at %s%s%d:%d), so nothing can be set in it; ", old->file,
                *old->file ? ":" : "line ", old->line, old->column);
    if (part == s->assignment) {
        nm_line_add(&line, "the file must hold a map");
    } else {
        nm_line_add(&line, "set the whole of it: %.*s={...}",
                    (int)(part - 1 - s->assignment > 60 ? 60 : part - 1 - s->assignment),
                    s->assignment);
    }
    return fail_at(s, part, "%s", line.text);
}

static nm_value *new_value(const setting *s, nm_value_kind kind, const char *part)
{
    return nm_document_value(s->document, kind, NM_SETTINGS_FILE, s->line, column_at(s, part));
}

/* ---- Maps ---- */

static const nm_value *new_key(const setting *s, const char *part, size_t length)
{
    nm_value *key = new_value(s, NM_VALUE_SCALAR, part);
    const char *text = key ? nm_document_copy(s->document, part, length) : NULL;
    if (!text) {
        return NULL;
    }
    key->text = text;
    return key;
}

/* The entry's index; the map's count if there is none. */
static int entry_index(const nm_value *map, const char *name, size_t length)
{
    int i = 0;
    while (i < map->count && (strncmp(map->entries[i].key->text, name, length) ||
                              map->entries[i].key->text[length])) {
        i++;
    }
    return i;
}

static const nm_value *with_entry(const setting *s, const nm_value *old, const char *part)
{
    size_t length = part_length(s, part);
    int index = entry_index(old, part, length);
    bool added = index == old->count;
    int count = old->count + added;
    nm_value *map = nm_document_alloc(s->document, sizeof *map);
    nm_value_entry *entries = nm_document_alloc(s->document, (size_t)count * sizeof *entries);
    if (!map || !entries) {
        return NULL;
    }
    if (old->count) {
        memcpy(entries, old->entries, (size_t)old->count * sizeof *entries);
    }
    if (added) {
        entries[index] = (nm_value_entry){new_key(s, part, length), NULL};
    }
    entries[index].value = with_value(s, entries[index].value, part + length + 1);
    *map = *old;
    map->count = count;
    map->entries = entries;
    return entries[index].key && entries[index].value ? map : NULL;
}

/* ---- Lists ---- */

/* The name an item of a model goes by: its text, or its only or first key. */
static const char *item_name(const nm_value *item)
{
    if (item->kind == NM_VALUE_MAP && item->count) {
        return item->entries[0].key->text;
    }
    return item->kind == NM_VALUE_SCALAR ? item->text : "";
}

#define NAMED_ITEMS 24

/* "0 (conv2d), 1 (relu), ..." and the item that was perhaps meant. */
static void add_items(nm_line *line, const nm_value *list, const char *name)
{
    const char *names[NAMED_ITEMS];
    char shown[NM_SHOWN];
    int count = list->count < NAMED_ITEMS ? list->count : NAMED_ITEMS;
    for (int i = 0; i < count; i++) {
        names[i] = item_name(list->items[i]);
        nm_line_add(line, *names[i] ? "%s%d (%s)" : "%s%d", i ? ", " : "", i,
                    nm_text_shown(names[i], strlen(names[i]), shown));
    }
    nm_line_add(line, count < list->count ? ", ..." : "");
    const char *near = nm_nearest(name, names, count);
    for (int i = 0; near && i < count; i++) {
        if (names[i] == near) {
            nm_line_add(line, "; did you mean %d?", i);
            return;
        }
    }
}

static const nm_value *fail_at_index(const setting *s, const nm_value *list, const char *part)
{
    char name[NM_SHOWN];
    nm_line line;
    nm_line_begin(&line);
    add_path_before(&line, s, part);
    nm_text_shown(part, part_length(s, part), name);
    if (!list->count) {
        nm_line_add(&line, " is an empty list, it has no item \"%s\"; set the whole list", name);
        return fail_at(s, part, "%s", line.text);
    }
    nm_line_add(&line,
                " is a list of %d, it has no item \"%s\"; name one by its index: ", list->count,
                name);
    add_items(&line, list, name);
    return fail_at(s, part, "%s", line.text);
}

/* -1 if the part is no index of the list. */
static int index_of(const nm_value *list, const char *part, size_t length)
{
    int64_t index = 0;
    for (size_t i = 0; i < length; i++) {
        if (part[i] < '0' || part[i] > '9' || index >= list->count) {
            return -1;
        }
        index = 10 * index + (part[i] - '0');
    }
    return index < list->count ? (int)index : -1;
}

static const nm_value *with_item(const setting *s, const nm_value *old, const char *part)
{
    size_t length = part_length(s, part), bytes = (size_t)old->count * sizeof *old->items;
    int index = index_of(old, part, length);
    if (index < 0) {
        return fail_at_index(s, old, part);
    }
    nm_value *list = nm_document_alloc(s->document, sizeof *list);
    const nm_value **items = nm_document_alloc(s->document, bytes);
    if (!list || !items) {
        return NULL;
    }
    memcpy(items, old->items, bytes);
    items[index] = with_value(s, items[index], part + length + 1);
    *list = *old;
    list->items = items;
    return items[index] ? list : NULL;
}

/* ---- All of it ---- */

/* What `old` (NULL: nothing) becomes when the rest of the path, from `part` on, is set in it. */
static const nm_value *with_value(const setting *s, const nm_value *old, const char *part)
{
    if (part > s->equals) {
        return s->value;
    }
    if (!part_length(s, part)) {
        return fail_at(s, part, "an empty name in the path; write it as train.epochs=3");
    }
    if (!old || nm_value_is_null(old)) {
        old = new_value(s, NM_VALUE_MAP, part);
    }
    if (!old) {
        return NULL;
    }
    switch (old->kind) {
    case NM_VALUE_MAP: return with_entry(s, old, part);
    case NM_VALUE_LIST: return with_item(s, old, part);
    case NM_VALUE_SCALAR: break;
    }
    return fail_at_scalar(s, old, part);
}

/* Counts values as value.h does, keys among them; false if the tree is beyond the limits. */
static bool is_within_limits(const nm_value *value, int depth, int *nodes)
{
    if (value->kind == NM_VALUE_SCALAR) {
        return ++*nodes <= NM_VALUE_MAX_NODES;
    }
    *nodes += value->kind == NM_VALUE_MAP ? value->count + 1 : 1;
    bool fine = depth < NM_VALUE_MAX_DEPTH;
    for (int i = 0; fine && i < value->count; i++) {
        bool list = value->kind == NM_VALUE_LIST;
        fine = is_within_limits(list ? value->items[i] : value->entries[i].value, depth + 1, nodes);
    }
    return fine && *nodes <= NM_VALUE_MAX_NODES;
}

static int path_depth(const setting *s)
{
    int depth = 1;
    for (const char *at = s->assignment; at < s->equals; at++) {
        depth += *at == '.';
    }
    return depth;
}

static const nm_value *changed_root(const setting *s)
{
    /* Checked first, since every part of the path is a level of recursion. */
    if (path_depth(s) <= NM_VALUE_MAX_DEPTH) {
        int nodes = 0;
        const nm_value *root = with_value(s, s->document->root, s->assignment);
        if (!root || is_within_limits(root, 0, &nodes)) {
            return root;
        }
    }
    return fail_at(s, s->assignment,
                   "this would make more than %d levels or %d values; set something smaller",
                   NM_VALUE_MAX_DEPTH, NM_VALUE_MAX_NODES);
}

nm_status nm_document_set(nm_document *document, const char *assignment)
{
    NM_GIVEN(document, NM_ERROR_INPUT);
    NM_REQUIRE(document->context, assignment, NM_ERROR_INPUT);
    return nm_document_set_nth(document, assignment, 1);
}

nm_status nm_document_set_nth(nm_document *document, const char *assignment, int number)
{
    NM_GIVEN(document, NM_ERROR_INPUT);
    NM_REQUIRE(document->context, assignment, NM_ERROR_INPUT);
    setting s = {.document = document, .assignment = assignment, .line = number};
    s.equals = strchr(assignment, '=');
    if (!s.equals) {
        char shown[NM_SHOWN];
        return nm_fail(document->context, NM_ERROR_INPUT,
                       NM_SETTINGS_FILE ":%d:1: %s: expected PATH=VALUE, such as train.epochs=3",
                       number, nm_text_shown(assignment, strlen(assignment), shown));
    }
    const char *text = s.equals + 1;
    text = strcmp(text, "-") == 0 ? "\"-\"" : text; /* standard input, and no list */
    s.value = nm_document_parse_into(document, text, SIZE_MAX, NM_SETTINGS_FILE, number - 1,
                                     characters_between(assignment, s.equals + 1));
    const nm_value *root = s.value ? changed_root(&s) : NULL;
    if (!root) {
        return nm_context_status(document->context);
    }
    document->root = root;
    return NM_OK;
}
