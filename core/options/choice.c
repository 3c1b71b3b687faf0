/* What stands where a choice belongs: the name of a registered item, with its options or without.
 * Its options are read as any are, in core/option.c. */
#include <string.h>

#include "core/guard.h"
#include "core/internal.h"
#include "core/value_internal.h"

/* ---- What was perhaps meant by a name that is none ---- */

/* An item of that name, or that others call exactly so. */
static const nm_item *find_called(const nm_context *context, nm_kind kind, const char *name)
{
    const nm_item *item = nm_find(context, kind, name);
    const nm_item *meant = item ? item : nm_find_meant(context, kind, name);
    return meant && (item || nm_words_have(meant->also, name)) ? meant : NULL;
}

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
    const nm_item *item = find_called(context, kind, ending);
    const nm_option *needed = item ? nm_spec_needed(item->spec) : NULL;
    if (needed) {
        nm_line_add(line, "write {%s: {%s: %s}}", item->name, needed->name,
                    nm_text_shown(text, length, shown));
    }
    return needed;
}

/* How options are written: "dense: {units: ...}". */
static void add_with_options(nm_line *line, const nm_item *item)
{
    const nm_option *needed = nm_spec_needed(item->spec);
    nm_line_add(line, "%s: {%s: ...}", item->name,
                needed       ? needed->name
                : item->spec ? item->spec->options[0].name
                             : "");
}

/* `dense{units: 10}`, `nn.Linear(10)`: options that YAML takes for a part of the name. */
static bool advise_of_options(nm_line *line, const nm_context *context, nm_kind kind,
                              const char *text)
{
    char name[NM_SHOWN];
    const char *begin = text;
    size_t length = strcspn(text, "{(:= ");
    for (size_t i = 0; i < length; i++) {
        begin = text[i] == '.' ? text + i + 1 : begin;
    }
    const char *rest = text + length;
    length = (size_t)(rest - begin);
    if (!length || (!*rest && begin == text) || length >= sizeof name) {
        return false;
    }
    memcpy(name, begin, length);
    name[length] = 0;
    const nm_item *exact = nm_find(context, kind, name);
    const nm_item *item = exact ? exact : nm_find_meant(context, kind, name);
    if (item && (!*rest || !strcmp(rest, "()")) && !nm_spec_needed(item->spec)) {
        nm_line_add(line, "write %s", item->name);
    } else if (item && !strncmp(rest, " -", 2)) {
        nm_line_add(line, "let each - stand below the one before it");
    } else if (item) {
        nm_line_add(line, "write options behind a colon and a blank, as in ");
        add_with_options(line, item);
    }
    return item;
}

/* `activation: relu`, `type: sgd`: the name where the options stand. */
static bool advise_of_name(nm_line *line, const nm_context *context, nm_kind kind,
                           const nm_value *options)
{
    const bool text = options && options->kind == NM_VALUE_SCALAR;
    const nm_item *item = text ? find_called(context, kind, options->text) : NULL;
    if (item && !nm_spec_needed(item->spec)) {
        nm_line_add(line, "write %s", item->name);
    } else if (item) {
        nm_line_add(line, "write ");
        add_with_options(line, item);
    }
    return item;
}

/* `reshape` among layers is an op, which the layer `op` applies. */
static bool advise_of_kind(nm_line *line, const nm_context *context, nm_kind kind, const char *name)
{
    for (int i = 0; i < nm_item_count(context, kind); i++) {
        const nm_item *item = nm_item_at(context, kind, i);
        const nm_option *needed = nm_spec_needed(item->spec);
        if (needed && needed->type == NM_OPTION_CHOICE && nm_find(context, needed->kind, name)) {
            const nm_item *other = nm_find(context, needed->kind, name);
            nm_line_add(line, "write %s: {%s: ", item->name, needed->name);
            if (nm_spec_needed(other->spec)) {
                nm_line_add(line, "{");
                add_with_options(line, other);
                nm_line_add(line, "}");
            } else {
                nm_line_add(line, "%s", name);
            }
            nm_line_add(line, "}");
            return true;
        }
    }
    return false;
}

static void add_all(nm_line *line, const nm_context *context, nm_kind kind)
{
    const int count = nm_item_count(context, kind);
    nm_line_add(line, count == 0 ? "there are none" : count == 1 ? "there is " : "there are ");
    for (int i = 0; i < count; i++) {
        nm_line_add(line, "%s%s", i ? ", " : "", nm_item_at(context, kind, i)->name);
    }
}

void nm_choice_report_unknown(nm_kind kind, const nm_value *name, const nm_value *options,
                              const char *what, nm_diagnostics *d)
{
    char shown[NM_SHOWN];
    nm_line line;
    nm_line_begin(&line);
    const nm_context *context = d->context;
    const char *text = name->text;
    if (!advise_of_file(&line, context, kind, text) &&
        !advise_of_name(&line, context, kind, options) &&
        !advise_of_kind(&line, context, kind, text) &&
        !advise_of_options(&line, context, kind, text)) {
        const nm_item *meant = nm_find_meant(context, kind, text);
        if (meant) {
            nm_line_add(&line, "did you mean \"%s\"?", meant->name);
        } else {
            add_all(&line, context, kind);
        }
    }
    nm_diagnose(d, name, "%s: unknown %s \"%s\"; %s", what, nm_kind_name(kind),
                nm_text_shown(text, strlen(text), shown), line.text);
}

/* ---- Its parts ---- */

/* Several keys where one belongs: `{sgd, rate: 0.1}`, `{name: sgd, rate: 0.1}`. */
static void report_several(nm_kind kind, const nm_value *map, const char *what, nm_diagnostics *d)
{
    char shown[3][NM_SHOWN];
    const nm_value_entry *first = &map->entries[0], *second = &map->entries[1];
    const nm_value *name = nm_find(d->context, kind, first->key->text) ? first->key : first->value;
    const char *as = name->kind == NM_VALUE_SCALAR ? name->text : first->key->text;
    nm_text_shown(first->key->text, strlen(first->key->text), shown[0]);
    nm_text_shown(second->key->text, strlen(second->key->text), shown[1]);
    nm_diagnose(d, second->key,
                "%s: expected one %s, but \"%s\" follows \"%s\"; indent its options below it, or "
                "write {%s: {%s: ...}}",
                what, nm_kind_name(kind), shown[1], shown[0],
                nm_text_shown(as, strlen(as), shown[2]), shown[1]);
}

bool nm_choice_split(nm_kind kind, const nm_value *value, const char *what, nm_diagnostics *d,
                     const nm_value **name, const nm_value **options)
{
    bool map = value->kind == NM_VALUE_MAP;
    if (map && value->count > 1) {
        report_several(kind, value, what, d);
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
