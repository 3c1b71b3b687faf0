/* Reading options from values: the way of one entry is nm_spec_read() -> read_entry() -> the reader
 * of its type, which writes the field only if all of the value is right. What holds options itself,
 * a struct or a choice, is read here, the rest in core/options/fields.c. */
#include "core/option.h"

#include <stdio.h>
#include <string.h>

#include "core/guard.h"
#include "core/internal.h"
#include "core/options/fields.h"
#include "core/value_internal.h"

static void set_defaults(const nm_spec *spec, void *out)
{
    if (spec->defaults) {
        memcpy(out, spec->defaults, spec->size);
    } else {
        memset(out, 0, spec->size);
    }
}

/* ---- Structs ---- */

static void read_options(const nm_reader *r, const nm_value *map, const nm_value *at, void *out);

/* {FIRST: text}; NULL if memory ran out. */
static const nm_value *map_of_text(const nm_reader *r, const nm_option *option,
                                   const nm_value *text)
{
    const char *name = option->spec->options[0].name;
    nm_value *map =
        nm_document_value(r->document, NM_VALUE_MAP, text->file, text->line, text->column);
    nm_value *key =
        nm_document_value(r->document, NM_VALUE_SCALAR, text->file, text->line, text->column);
    nm_value_entry *entry = nm_document_alloc(r->document, sizeof *entry);
    if (!map || !key || !entry) {
        return NULL;
    }
    key->text = name;
    *entry = (nm_value_entry){key, text};
    map->count = 1;
    map->entries = entry;
    return map;
}

static bool is_short(const nm_option *option, const nm_value *value)
{
    bool truth;
    return option->flags & NM_SHORT && value->kind == NM_VALUE_SCALAR &&
           !nm_value_as_bool(value, &truth);
}

static void read_struct(const nm_reader *r, const nm_option *option, const nm_value *value,
                        void *out)
{
    char what[160];
    bool on = true;
    value = is_short(option, value) ? map_of_text(r, option, value) : value;
    if (!value) {
        return;
    }
    if (value->kind == NM_VALUE_LIST ||
        (value->kind == NM_VALUE_SCALAR && !nm_value_as_bool(value, &on))) {
        nm_line maps;
        nm_line_begin(&maps);
        nm_line_add(&maps, "true, false or a map of options");
        nm_option_add_example(&maps, option->spec, value);
        nm_reader_expected(r, option, value, maps.text);
        return;
    }
    if (on) {
        snprintf(what, sizeof what, "%s: %s", r->what, option->name);
        nm_reader nested = {option->spec, what, r->document, r->d};
        read_options(&nested, value->kind == NM_VALUE_MAP ? value : NULL, value, out);
    }
}

/* ---- Choices ---- */

/* nm_spec_read() that reports what is missing at `at` where there is no map. */
static void read_spec_at(const nm_spec *spec, const nm_value *map, const nm_value *at,
                         const char *what, nm_document *document, nm_diagnostics *d, void *out);

/* Reads the options of a choice; `name` is where a missing one is reported. NULL on failure. */
static void *read_item_options(const nm_item *item, const nm_value *name, const nm_value *options,
                               nm_document *document, nm_diagnostics *d)
{
    void *memory = nm_document_alloc(document, item->spec->size);
    if (memory) {
        read_spec_at(item->spec, options, name, item->name, document, d, memory);
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
    if (!nm_choice_split(kind, value, what, d, &name, &options)) {
        return;
    }
    nm_choice choice = {.item = nm_find(d->context, kind, name->text), .at = value};
    if (!choice.item) {
        nm_choice_report_unknown(kind, name, options, what, d);
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

/* ---- Specs ---- */

/* For these types a null means what leaving the option out does. */
static bool may_be_null(const nm_option *option)
{
    return option->type == NM_OPTION_STRING || option->type == NM_OPTION_STRINGS ||
           option->type == NM_OPTION_STRUCT || option->type == NM_OPTION_CHOICE ||
           option->type == NM_OPTION_CHOICES || option->type == NM_OPTION_NUMBERS;
}

static void read_option(const nm_reader *r, const nm_option *option, const nm_value *value,
                        void *out)
{
    void *field = (char *)out + option->offset;
    switch (option->type) {
    case NM_OPTION_STRUCT: read_struct(r, option, value, field); break;
    case NM_OPTION_CHOICE:
        nm_choice_read(option->kind, value, r->what, r->document, r->d, field);
        break;
    case NM_OPTION_CHOICES:
        nm_choices_read(option->kind, value, r->what, r->document, r->d, field);
        break;
    default: nm_reader_read_field(r, option, value, field);
    }
}

/* Returns the option that was perhaps meant by an entry that is none. */
static const nm_option *read_entry(const nm_reader *r, const nm_value_entry *entry, void *out)
{
    for (int i = 0; i < r->spec->count; i++) {
        const nm_option *option = &r->spec->options[i];
        if (!strcmp(option->name, entry->key->text)) {
            if (!may_be_null(option) || !nm_value_is_null(entry->value)) {
                read_option(r, option, entry->value, out);
            }
            return NULL;
        }
    }
    return nm_option_report_unknown(r->spec, r->what, entry, r->d);
}

static bool is_given(const nm_option *option, const nm_value *map)
{
    const nm_value *value = nm_value_get(map, option->name);
    return value && !(may_be_null(option) && nm_value_is_null(value));
}

#define MOST_MEANT 64 /* options of a table that are remembered as meant by another name */

/* What was meant by another name is not reported a second time. */
static void require_options(const nm_reader *r, const nm_value *map, const nm_value *at,
                            const bool *meant)
{
    for (int i = 0; i < r->spec->count; i++) {
        const nm_option *option = &r->spec->options[i];
        const bool told = i < MOST_MEANT && meant[i];
        if ((option->flags & NM_REQUIRED) && !told && !is_given(option, map)) {
            nm_option_report_missing(option, r->what, at, nm_value_get(map, option->name), r->d);
        }
    }
}

/* Fills a struct from a map (NULL: none). What is missing is reported at `at`. */
static void read_options(const nm_reader *r, const nm_value *map, const nm_value *at, void *out)
{
    int errors = r->d->count;
    bool meant[MOST_MEANT] = {false};
    set_defaults(r->spec, out);
    for (int i = 0; map && i < map->count; i++) {
        const nm_option *option = read_entry(r, &map->entries[i], out);
        const ptrdiff_t index = option ? option - r->spec->options : MOST_MEANT;
        if (index < MOST_MEANT) {
            meant[index] = true;
        }
    }
    require_options(r, map, at, meant);
    /* A check across fields sees only what is right in itself. */
    if (r->d->count == errors && r->spec->check) {
        r->spec->check(out, at, r->d);
    }
}

static void read_spec_at(const nm_spec *spec, const nm_value *map, const nm_value *at,
                         const char *what, nm_document *document, nm_diagnostics *d, void *out)
{
    nm_reader r = {spec, what, document, d};
    if (!map || nm_value_is_null(map) || map->kind == NM_VALUE_MAP) {
        read_options(&r, map && map->kind == NM_VALUE_MAP ? map : NULL, map ? map : at, out);
        return;
    }
    set_defaults(spec, out);
    nm_option_report_no_map(spec, what, map, d);
}

void nm_spec_read(const nm_spec *spec, const nm_value *map, const char *what, nm_document *document,
                  nm_diagnostics *d, void *out)
{
    NM_GIVEN(d, );
    NM_REQUIRE(d->context, spec, );
    NM_REQUIRE(d->context, out, );
    read_spec_at(spec, map, map, what, document, d, out);
}

/* Whether the struct would point into the text's memory. */
static bool holds_pointers(const nm_spec *spec)
{
    for (int i = 0; i < spec->count; i++) {
        nm_option_type type = spec->options[i].type;
        if (type == NM_OPTION_STRING || type == NM_OPTION_STRINGS || type == NM_OPTION_CHOICE ||
            type == NM_OPTION_CHOICES || type == NM_OPTION_NUMBERS || type == NM_OPTION_VALUE ||
            (type == NM_OPTION_STRUCT && holds_pointers(spec->options[i].spec))) {
            return true;
        }
    }
    return false;
}

nm_status nm_spec_read_text(nm_context *context, const nm_spec *spec, const char *text,
                            const char *what, void *out)
{
    NM_REQUIRE(context, spec, NM_ERROR_INPUT);
    NM_REQUIRE(context, out, NM_ERROR_INPUT);
    nm_diagnostics d;
    nm_diagnostics_begin(&d, context);
    if (!text || !*text) {
        nm_spec_read(spec, NULL, what, NULL, &d, out);
        return nm_diagnostics_end(&d);
    }
    set_defaults(spec, out);
    if (holds_pointers(spec)) {
        return nm_fail(context, NM_ERROR_INTERNAL,
                       "%s: options that are text cannot be read from a string of options", what);
    }
    nm_document *document = nm_document_parse(context, text, SIZE_MAX, "options");
    if (!document) {
        return nm_fail_in(context, "%s", what);
    }
    nm_spec_read(spec, nm_document_root(document), what, document, &d, out);
    nm_document_destroy(document);
    return nm_diagnostics_end(&d);
}
