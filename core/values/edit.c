/* Changing a YAML text. What is wanted is held against the tree that the text gives, and the
 * smallest values that differ are written anew, each in its place; keys that are new come behind
 * the last of their map. The result is parsed again and compared: a text that YAML reads otherwise
 * than meant never leaves this file. Where the careful way fails, the next one is taken:
 *
 * 1. edits in place;
 * 2. the same with every alias written out, since what it stands for may have changed;
 * 3. the whole tree written anew, without comments. */
#include "core/values/edit.h"

#include <string.h>

#include "core/text.h"
#include "core/value_internal.h"
#include "core/values/spans.h"

typedef struct edit {
    size_t begin, end; /* what goes */
    char *text;        /* what comes in its place */
} edit;

typedef struct editor {
    nm_context *context;
    const char *text;
    size_t size;
    nm_spans spans;
    bool expand; /* aliases */
    edit *edits;
    int count, capacity;
    bool failed; /* memory */
} editor;

/* ---- Comparing ---- */

/* Where quotes make a difference. */
static bool is_special(const nm_value *value)
{
    double number;
    bool truth;
    return !value->quoted && (nm_value_is_null(value) || nm_value_as_bool(value, &truth) ||
                              nm_parse_float(value->text, &number));
}

static bool same_scalars(const nm_value *a, const nm_value *b)
{
    if (nm_value_is_null(a) || nm_value_is_null(b)) {
        return nm_value_is_null(a) && nm_value_is_null(b);
    }
    return !strcmp(a->text, b->text) && is_special(a) == is_special(b);
}

bool nm_value_equal(const nm_value *a, const nm_value *b)
{
    if (a == b) {
        return true;
    }
    if (a->kind != b->kind || a->count != b->count) {
        return false;
    }
    for (int i = 0; i < a->count; i++) {
        bool list = a->kind == NM_VALUE_LIST;
        if (!list && strcmp(a->entries[i].key->text, b->entries[i].key->text) != 0) {
            return false;
        }
        if (list ? !nm_value_equal(a->items[i], b->items[i])
                 : !nm_value_equal(a->entries[i].value, b->entries[i].value)) {
            return false;
        }
    }
    return a->kind != NM_VALUE_SCALAR || same_scalars(a, b);
}

/* ---- Places in the text ---- */

static size_t line_begin(const editor *e, size_t at)
{
    while (at && e->text[at - 1] != '\n') {
        at--;
    }
    return at;
}

/* Before the line's end, whichever of the two it is. */
static size_t line_end(const editor *e, size_t at)
{
    while (at < e->size && e->text[at] != '\n' &&
           !(e->text[at] == '\r' && at + 1 < e->size && e->text[at + 1] == '\n')) {
        at++;
    }
    return at;
}

static const char *new_line(const editor *e)
{
    const char *first = memchr(e->text, '\n', e->size);
    return first && first > e->text && first[-1] == '\r' ? "\r\n" : "\n";
}

static size_t skip_blanks(const editor *e, size_t at)
{
    while (at < e->size && (e->text[at] == ' ' || e->text[at] == '\t')) {
        at++;
    }
    return at;
}

static bool stands_alone(const editor *e, size_t begin)
{
    return skip_blanks(e, line_begin(e, begin)) == begin;
}

/* The colon behind a key; the text's size if it does not follow at once. */
static size_t colon_of(const editor *e, int key)
{
    size_t at = key < 0 ? e->size : skip_blanks(e, e->spans.at[key].end);
    return at < e->size && e->text[at] == ':' ? at : e->size;
}

/* ---- Edits ---- */

static nm_text begin_text(const editor *e)
{
    return (nm_text){.context = e->context};
}

/* Takes the text. */
static void add_edit(editor *e, size_t begin, size_t end, nm_text *text)
{
    if (e->count == e->capacity) {
        int capacity = e->capacity ? 2 * e->capacity : 16;
        edit *larger = nm_resize(e->context, e->edits, (size_t)capacity * sizeof *larger);
        e->failed |= !larger;
        e->edits = larger ? larger : e->edits;
        e->capacity = larger ? capacity : e->capacity;
    }
    char *written = nm_text_end(text);
    e->failed |= !written;
    if (e->failed) {
        nm_free(e->context, written);
        return;
    }
    e->edits[e->count++] = (edit){begin, end, written};
}

static void write_over(editor *e, size_t begin, size_t end, const nm_value *value)
{
    nm_text text = begin_text(e);
    nm_text_add_value(&text, value);
    add_edit(e, begin, end, &text);
}

/* A value where there was none: behind its key's colon, or its dash, which ends at `at`. */
static void fill(editor *e, int key, size_t at, const nm_value *value)
{
    size_t colon = colon_of(e, key);
    nm_text text = begin_text(e);
    nm_text_add(&text, key >= 0 && colon == e->size ? ": " : " ");
    nm_text_add_value(&text, value);
    at = key < 0 ? at : colon == e->size ? e->spans.at[key].end : colon + 1;
    add_edit(e, at, at, &text);
}

/* A block below its key goes with its lines; comments between the two stay. */
static void drop_lines(editor *e, const nm_span *span)
{
    size_t begin = line_begin(e, span->begin);
    begin -= begin > 0;
    begin -= begin > 0 && e->text[begin - 1] == '\r';
    nm_text text = begin_text(e);
    nm_text_add(&text, "%s", "");
    add_edit(e, begin, line_end(e, span->end), &text);
}

static void replace(editor *e, int index, int key, const nm_value *value)
{
    const nm_span *span = &e->spans.at[index];
    if (span->begin == span->end) {
        fill(e, key, span->begin, value);
    } else if (span->block && stands_alone(e, span->begin) && colon_of(e, key) < span->begin) {
        fill(e, key, 0, value);
        drop_lines(e, span);
    } else {
        write_over(e, span->begin, span->end, value);
    }
}

/* ---- Maps that get more entries ---- */

static void add_entry(nm_text *text, const nm_value_entry *entry)
{
    nm_text_add_value(text, entry->key);
    nm_text_add(text, ": ");
    nm_text_add_value(text, entry->value);
}

/* Each on a line of its own, as far to the right as the first. */
static void append_lines(editor *e, int index, const nm_value *map, int from)
{
    const nm_span *span = &e->spans.at[index];
    size_t first = e->spans.at[index + 1].begin, at = line_end(e, span->end);
    nm_text text = begin_text(e);
    for (int i = from; i < map->count; i++) {
        nm_text_add(&text, "%s%*s", new_line(e), (int)(first - line_begin(e, first)), "");
        add_entry(&text, &map->entries[i]);
    }
    add_edit(e, at, at, &text);
}

static void append_in_braces(editor *e, int index, const nm_value *map, int from)
{
    const nm_span *span = &e->spans.at[index];
    size_t at = span->end - 1; /* the brace */
    for (int i = index + 1; i < span->next; i = e->spans.at[i].next) {
        at = e->spans.at[i].end;
    }
    nm_text text = begin_text(e);
    for (int i = from; i < map->count; i++) {
        nm_text_add(&text, i ? ", " : "");
        add_entry(&text, &map->entries[i]);
    }
    add_edit(e, at, at, &text);
}

/* ---- Walking both trees ---- */

static void compare(editor *e, int index, int key, const nm_value *have, const nm_value *wanted);

/* Whether entries only changed, or were added behind the others. */
static bool only_grew(const nm_value *have, const nm_value *wanted)
{
    bool fine = wanted->count >= have->count;
    for (int i = 0; fine && i < have->count; i++) {
        fine = !strcmp(have->entries[i].key->text, wanted->entries[i].key->text);
    }
    return fine;
}

static void compare_maps(editor *e, int index, const nm_value *have, const nm_value *wanted)
{
    const nm_span *const spans = e->spans.at;
    int key = index + 1;
    for (int i = 0; i < have->count; i++) {
        if (spans[key].alias && e->expand) {
            write_over(e, spans[key].begin, spans[key].end, have->entries[i].key);
        }
        int value = spans[key].next;
        compare(e, value, key, have->entries[i].value, wanted->entries[i].value);
        key = spans[value].next;
    }
    if (wanted->count > have->count) {
        (spans[index].block ? append_lines : append_in_braces)(e, index, wanted, have->count);
    }
}

static void compare_lists(editor *e, int index, const nm_value *have, const nm_value *wanted)
{
    int item = index + 1;
    for (int i = 0; i < have->count; i++) {
        compare(e, item, -1, have->items[i], wanted->items[i]);
        item = e->spans.at[item].next;
    }
}

static bool must_replace(const editor *e, const nm_span *span, const nm_value *have,
                         const nm_value *wanted)
{
    if (span->alias) {
        return e->expand || !nm_value_equal(have, wanted);
    }
    if (have->kind != wanted->kind) {
        return true;
    }
    switch (have->kind) {
    case NM_VALUE_SCALAR: return !same_scalars(have, wanted);
    case NM_VALUE_LIST: return have->count != wanted->count;
    case NM_VALUE_MAP: break;
    }
    return !only_grew(have, wanted) || (span->bare && wanted->count > have->count);
}

/* `index` is the span of `have`, `key` that of its key (-1: none). */
static void compare(editor *e, int index, int key, const nm_value *have, const nm_value *wanted)
{
    const nm_span *span = &e->spans.at[index];
    if (must_replace(e, span, have, wanted)) {
        replace(e, index, key, wanted);
    } else if (!span->alias && have->kind == NM_VALUE_MAP) {
        compare_maps(e, index, have, wanted);
    } else if (!span->alias && have->kind == NM_VALUE_LIST) {
        compare_lists(e, index, have, wanted);
    }
}

/* ---- The results ---- */

/* NULL, without an error, if edits run into each other. */
static char *apply(editor *e, size_t *size)
{
    nm_text out = begin_text(e);
    size_t at = 0;
    for (int i = 0; i < e->count; i++) {
        if (e->edits[i].begin < at) {
            nm_text_drop(&out);
            return NULL;
        }
        nm_text_add_bytes(&out, e->text + at, e->edits[i].begin - at);
        nm_text_add_bytes(&out, e->edits[i].text, strlen(e->edits[i].text));
        at = e->edits[i].end;
    }
    nm_text_add_bytes(&out, e->text + at, e->size - at);
    *size = out.length;
    return nm_text_end(&out);
}

static void forget_edits(editor *e)
{
    for (int i = 0; i < e->count; i++) {
        nm_free(e->context, e->edits[i].text);
    }
    e->count = 0;
}

static char *edit_in_place(editor *e, const nm_value *have, const nm_value *wanted, bool expand,
                           size_t *size)
{
    e->expand = expand;
    if (e->spans.count) { /* else there is nothing but comments */
        compare(e, 0, -1, have, wanted);
    }
    char *result = e->failed ? NULL : apply(e, size);
    forget_edits(e);
    return result;
}

/* A line an entry; those that are lists, a line an item. */
static void write_lines(nm_text *out, const nm_value *root)
{
    for (int i = 0; i < root->count; i++) {
        const nm_value *value = root->entries[i].value;
        nm_text_add_value(out, root->entries[i].key);
        nm_text_add(out, ":");
        bool list = value->kind == NM_VALUE_LIST && value->count;
        for (int k = 0; list && k < value->count; k++) {
            nm_text_add(out, "\n  - ");
            nm_text_add_value(out, value->items[k]);
        }
        if (!list) {
            nm_text_add(out, " ");
            nm_text_add_value(out, value);
        }
        nm_text_add(out, "\n");
    }
}

/* Behind what is there, if that is nothing but comments; else instead of it. */
static char *write_whole(const editor *e, const nm_value *wanted, size_t *size)
{
    nm_text out = begin_text(e);
    if (!e->spans.count) {
        nm_text_add_bytes(&out, e->text, e->size);
        nm_text_add(&out, e->size && e->text[e->size - 1] != '\n' ? "\n" : "");
    }
    if (wanted->kind == NM_VALUE_MAP && wanted->count) {
        write_lines(&out, wanted);
    } else {
        nm_text_add_value(&out, wanted);
        nm_text_add(&out, "\n");
    }
    *size = out.length;
    return nm_text_end(&out);
}

/* Whether it reads as wanted. Another error than that of memory is none: another way is tried. */
static bool reads_as(nm_context *context, const char *text, size_t size, const nm_value *wanted)
{
    nm_document *document = nm_document_parse(context, text, size, NULL);
    bool fine = document && nm_value_equal(nm_document_root(document), wanted);
    nm_document_destroy(document);
    if (!document && nm_context_status(context) != NM_ERROR_MEMORY) {
        nm_context_clear_error(context);
    }
    return fine;
}

static char *try_all(editor *e, const nm_value *have, const nm_value *wanted, size_t *size)
{
    for (int way = 0; way < 3 && nm_context_status(e->context) == NM_OK; way++) {
        char *result = way == 2 ? write_whole(e, wanted, size)
                                : edit_in_place(e, have, wanted, way == 1, size);
        if (result && reads_as(e->context, result, *size, wanted)) {
            return result;
        }
        nm_free(e->context, result);
    }
    if (nm_context_status(e->context) == NM_OK) {
        nm_fail(e->context, NM_ERROR_INPUT,
                "with its settings it would be more than %d bytes of YAML; set something smaller",
                NM_VALUE_MAX_BYTES);
    }
    return NULL;
}

#define MARK "\xEF\xBB\xBF" /* of the byte order; the parser does not want it */

static char *with_mark(nm_context *context, char *text, size_t *size)
{
    nm_text out = {.context = context};
    if (text) {
        nm_text_add(&out, MARK);
        nm_text_add_bytes(&out, text, *size);
    }
    nm_free(context, text);
    *size = out.length;
    return text ? nm_text_end(&out) : NULL;
}

char *nm_yaml_edit(nm_context *context, const char *text, size_t *size, const nm_value *wanted)
{
    bool marked = *size >= 3 && !memcmp(text, MARK, 3);
    editor e = {.context = context,
                .text = text + (marked ? 3 : 0),
                .size = *size - (marked ? 3 : 0),
                .spans = {.context = context}};
    nm_document *document = nm_document_parse(context, e.text, e.size, NULL);
    char *result = NULL;
    if (document && nm_spans_read(&e.spans, e.text, e.size)) {
        result = try_all(&e, nm_document_root(document), wanted, size);
        result = marked ? with_mark(context, result, size) : result;
    }
    nm_document_destroy(document);
    nm_spans_free(&e.spans);
    nm_free(context, e.edits);
    return result;
}
