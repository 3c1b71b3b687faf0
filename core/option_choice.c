/* Choices: the name of a registered item, with its options or without, alone or in a list. */
#include <string.h>

#include "core/guard.h"
#include "core/internal.h"
#include "core/value_internal.h"

/* A file in place of what reads it: `a.csv` and `a.csv.gz` are of "csv". */
static bool advise_of_file(nm_line *line, const nm_context *context, nm_kind kind, const char *text)
{
    char ending[NM_SHOWN], shown[NM_SHOWN];
    const size_t length = strlen(text);
    const size_t end = length > 3 && !strcmp(text + length - 3, ".gz") ? length - 3 : length;
    size_t dot = end;
    while (dot > 0 && text[dot - 1] != '.' && text[dot - 1] != '/') {
        dot--;
    }
    if (!dot || text[dot - 1] != '.' || end - dot >= sizeof ending) {
        return false;
    }
    memcpy(ending, text + dot, end - dot);
    ending[end - dot] = 0;
    const nm_item *item = nm_find(context, kind, ending);
    const nm_option *needed = item ? nm_spec_needed(item->spec) : NULL;
    if (needed) {
        nm_line_add(line, "write {%s: {%s: %s}}", item->name, needed->name,
                    nm_text_shown(text, length, shown));
    }
    return needed;
}

/* `dense{units: 10}`: options that YAML takes for a part of the name. */
static bool advise_of_options(nm_line *line, const nm_context *context, nm_kind kind,
                              const char *text)
{
    char name[NM_SHOWN];
    const size_t length = strcspn(text, "{(:= ");
    if (!length || !text[length] || length >= sizeof name) {
        return false;
    }
    memcpy(name, text, length);
    name[length] = 0;
    const nm_item *item = nm_find(context, kind, name);
    const nm_option *needed = item ? nm_spec_needed(item->spec) : NULL;
    if (item) {
        nm_line_add(line, "write options behind a colon and a blank, as in %s: {%s: ...}", name,
                    needed       ? needed->name
                    : item->spec ? item->spec->options[0].name
                                 : "");
    }
    return item;
}

static void add_all(nm_line *line, const nm_context *context, nm_kind kind)
{
    const int count = nm_item_count(context, kind);
    nm_line_add(line, count == 0 ? "there are none" : count == 1 ? "there is " : "there are ");
    for (int i = 0; i < count; i++) {
        nm_line_add(line, "%s%s", i ? ", " : "", nm_item_at(context, kind, i)->name);
    }
}

static void unknown_item(nm_kind kind, const nm_value *name, const char *what, nm_diagnostics *d)
{
    char shown[NM_SHOWN];
    nm_line line;
    nm_line_begin(&line);
    const char *near = nm_map_nearest(d->context->kinds[kind], name->text);
    if (!advise_of_file(&line, d->context, kind, name->text) &&
        !advise_of_options(&line, d->context, kind, name->text)) {
        if (near) {
            nm_line_add(&line, "did you mean \"%s\"?", near);
        } else {
            add_all(&line, d->context, kind);
        }
    }
    nm_diagnose(d, name, "%s: unknown %s \"%s\"; %s", what, nm_kind_name(kind),
                nm_text_shown(name->text, strlen(name->text), shown), line.text);
}

/* Splits `NAME` or `{NAME: options}`; `options` may become NULL. False after reporting anything
 * else. */
static bool split_choice(nm_kind kind, const nm_value *value, const char *what, nm_diagnostics *d,
                         const nm_value **name, const nm_value **options)
{
    bool map = value->kind == NM_VALUE_MAP;
    char shown[2][NM_SHOWN];
    if (map && value->count > 1) {
        const char *first = value->entries[0].key->text, *second = value->entries[1].key->text;
        nm_diagnose(d, value->entries[1].key,
                    "%s: expected one %s, but \"%s\" follows \"%s\"; indent its options below it",
                    what, nm_kind_name(kind), nm_text_shown(second, strlen(second), shown[1]),
                    nm_text_shown(first, strlen(first), shown[0]));
        return false;
    }
    if (value->kind == NM_VALUE_LIST || nm_value_is_null(value) || (map && !value->count)) {
        nm_line line;
        nm_line_begin(&line);
        nm_line_add_value(&line, value);
        nm_diagnose(d, value, "%s: expected one %s, as NAME or {NAME: {OPTIONS}}, not %s", what,
                    nm_kind_name(kind), line.text);
        return false;
    }
    *name = map ? value->entries[0].key : value;
    *options = map ? value->entries[0].value : NULL;
    return true;
}

/* Reads the options of a choice; `name` is where a missing one is reported. NULL on failure. */
static void *read_item_options(const nm_item *item, const nm_value *name, const nm_value *options,
                               nm_document *document, nm_diagnostics *d)
{
    void *memory = nm_document_alloc(document, item->spec->size);
    if (memory) {
        nm_spec_read_at(item->spec, options, name, item->name, document, d, memory);
    }
    return memory;
}

void nm_choice_read(nm_kind kind, const nm_value *value, const char *what, nm_document *document,
                    nm_diagnostics *d, nm_choice *out)
{
    NM_GIVEN(d, );
    NM_REQUIRE(d->context, document, );
    NM_REQUIRE(d->context, value, );
    NM_REQUIRE(d->context, out, );
    const nm_value *name, *options;
    if (!split_choice(kind, value, what, d, &name, &options)) {
        return;
    }
    nm_choice choice = {.item = nm_find(d->context, kind, name->text), .at = value};
    if (!choice.item) {
        unknown_item(kind, name, what, d);
        return;
    }
    options = nm_value_is_null(options) ? NULL : options;
    if (!choice.item->spec) {
        if (options && (options->kind != NM_VALUE_MAP || options->count)) {
            nm_diagnose(d, options, "%s: it takes no options; remove them", choice.item->name);
        }
    } else {
        choice.options = read_item_options(choice.item, name, options, document, d);
    }
    if (choice.options || !choice.item->spec) {
        *out = choice;
    }
}

void nm_choices_read(nm_kind kind, const nm_value *value, const char *what, nm_document *document,
                     nm_diagnostics *d, nm_choices *out)
{
    NM_GIVEN(d, );
    NM_REQUIRE(d->context, document, );
    NM_REQUIRE(d->context, value, );
    NM_REQUIRE(d->context, out, );
    nm_choices list = {.count = value->kind == NM_VALUE_LIST ? value->count : 1};
    int errors = d->count;
    if (list.count > NM_MAX_CHOICES) {
        nm_diagnose(d, value, "%s: at most %d %ss, not %d", what, NM_MAX_CHOICES,
                    nm_kind_name(kind), list.count);
        return;
    }
    for (int i = 0; i < list.count; i++) {
        const nm_value *item = value->kind == NM_VALUE_LIST ? value->items[i] : value;
        nm_choice_read(kind, item, what, document, d, &list.at[i]);
    }
    if (d->count == errors) {
        *out = list;
    }
}
