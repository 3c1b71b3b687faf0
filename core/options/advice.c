/* What is wrong with options as such, and what was perhaps meant. */
#include <string.h>

#include "core/value_internal.h"

/* ---- One that is not known ---- */

/* "units", "bias", ... */
static void add_known(nm_line *line, const nm_spec *spec)
{
    for (int i = 0; i < spec->count; i++) {
        nm_line_add(line, "%s%s", i ? ", " : "", spec->options[i].name);
    }
}

#define MOST_OPTIONS 64 /* considered for a suggestion */

/* The option that has this name, or that others call so. NULL: none. */
static const nm_option *find_called(const nm_spec *spec, const char *name)
{
    for (int i = 0; spec && i < spec->count; i++) {
        const nm_option *option = &spec->options[i];
        if (!strcmp(option->name, name) || nm_words_have(option->also, name)) {
            return option;
        }
    }
    return NULL;
}

static const nm_option *nearest_option(const nm_spec *spec, const char *name)
{
    const char *names[MOST_OPTIONS];
    const nm_option *called = find_called(spec, name);
    int count = spec->count < MOST_OPTIONS ? spec->count : MOST_OPTIONS;
    for (int i = 0; i < count; i++) {
        names[i] = spec->options[i].name;
    }
    const char *near = called ? NULL : nm_nearest(name, names, count);
    return near ? find_called(spec, near) : called;
}

/* `units:10`: without a blank behind it, a colon is a part of the text. */
static const nm_option *lacks_blank(const nm_spec *spec, const char *text)
{
    const size_t length = strcspn(text, ":");
    for (int i = 0; text[length] && i < spec->count; i++) {
        const char *name = spec->options[i].name;
        if (strlen(name) == length && strncmp(name, text, length) == 0) {
            return &spec->options[i];
        }
    }
    return NULL;
}

/* `0,5` within braces is 0 and a key of the name 5; `(3, 3)` likewise. */
static bool is_rest_of_number(const nm_value *key, const nm_value *value)
{
    return *key->text >= '0' && *key->text <= '9' && nm_value_is_null(value) && !*value->text;
}

static const char *find_advice(const nm_spec *spec, const char *option, const nm_value *value)
{
    for (const nm_advice *a = spec->advice; a && a->option; a++) {
        if (nm_words_have(a->option, option) &&
            (value ? a->value && nm_words_have(a->value, value->text) : !a->value)) {
            return a->remedy;
        }
    }
    return NULL;
}

/* The item of a kind whose option others or we call so. */
static const nm_item *owner_of(const nm_context *context, nm_kind kind, const char *name,
                               const nm_option **option)
{
    for (int i = 0; i < nm_item_count(context, kind); i++) {
        const nm_item *item = nm_item_at(context, kind, i);
        *option = find_called(item->spec, name);
        if (*option) {
            return item;
        }
    }
    return NULL;
}

/* Options of a file's parts that stand in another one: the learning rate is the optimizer's. */
static bool advise_of_owner(nm_line *line, const nm_spec *spec, const char *name,
                            const nm_context *context)
{
    static const nm_kind kinds[] = {NM_KIND_PART, NM_KIND_OPTIMIZER, NM_KIND_LOSS, NM_KIND_DATASET};
    const nm_option *option = NULL;
    bool is_part = false;
    for (int i = 0; i < nm_item_count(context, NM_KIND_PART); i++) {
        is_part |= nm_item_at(context, NM_KIND_PART, i)->spec == spec;
    }
    for (size_t i = 0; is_part && i < sizeof kinds / sizeof *kinds; i++) {
        const nm_item *owner = owner_of(context, kinds[i], name, &option);
        if (owner) {
            nm_line_add(line, "\"%s\" is an option of the %s \"%s\"", option->name,
                        nm_kind_name(kinds[i]), owner->name);
            return true;
        }
    }
    return false;
}

/* The remedy, and the option that was meant; NULL: none of these. */
static const nm_option *advise_of_unknown(nm_line *line, const nm_spec *spec, const char *name,
                                          const nm_context *context)
{
    const char *remedy = find_advice(spec, name, NULL);
    const nm_option *near = remedy ? NULL : nearest_option(spec, name);
    if (remedy) {
        nm_line_add(line, "%s", remedy);
    } else if (near) {
        nm_line_add(line, "did you mean \"%s\"?", near->name);
        return near;
    } else if (!advise_of_owner(line, spec, name, context)) {
        nm_line_add(line, "%s", spec->count ? "its options are " : "it takes no options");
        add_known(line, spec);
    }
    return NULL;
}

const nm_option *nm_option_report_unknown(const nm_spec *spec, const char *what,
                                          const nm_value_entry *entry, nm_diagnostics *d)
{
    char shown[NM_SHOWN];
    const nm_value *key = entry->key;
    const nm_option *meant = lacks_blank(spec, key->text);
    nm_text_shown(key->text, strlen(key->text), shown);
    if (meant) {
        nm_diagnose(d, key, "%s: \"%s\" has no blank behind its colon; put one there", what, shown);
    } else if (is_rest_of_number(key, entry->value)) {
        nm_diagnose(d, key,
                    "%s: a comma ends what stands before \"%s\"; write a number with a point, "
                    "several as [1, 2]",
                    what, shown);
    } else {
        nm_line remedy;
        nm_line_begin(&remedy);
        meant = advise_of_unknown(&remedy, spec, key->text, d->context);
        nm_diagnose(d, key, "%s: unknown option \"%s\"; %s", what, shown, remedy.text);
    }
    return meant;
}

void nm_option_add_advice(nm_line *line, const nm_spec *spec, const nm_option *option,
                          const nm_value *value)
{
    const bool text = value->kind == NM_VALUE_SCALAR;
    const char *remedy = text ? find_advice(spec, option->name, value) : NULL;
    if (remedy) {
        nm_line_add(line, "; %s", remedy);
    } else if (value->quoted) {
        nm_line_add(line, "; remove the quotes");
    } else if (text && *value->text == '(') {
        nm_line_add(line, "; a list stands in brackets, as in [1, 2]");
    }
}

/* ---- One that is missing ---- */

void nm_option_report_missing(const nm_option *option, const char *what, const nm_value *at,
                              const nm_value *nothing, nm_diagnostics *d)
{
    const char *doc = option->doc ? option->doc : "it is required";
    if (!nothing) {
        nm_diagnose(d, at, "%s: \"%s\" is missing (%s); add it", what, option->name, doc);
    } else if (*nothing->text) {
        nm_diagnose(d, nothing, "%s: \"%s\" is %s, which in YAML is nothing; give it (%s)", what,
                    option->name, nothing->text, doc);
    } else {
        nm_diagnose(d, nothing, "%s: \"%s\" is empty; give it (%s)", what, option->name, doc);
    }
}

/* Whether the option could be what a value was meant for that stands in place of a map. */
static bool may_take(const nm_option *option, const nm_value *value)
{
    int64_t whole;
    double number;
    if (value->kind != NM_VALUE_SCALAR || value->quoted || option->type == NM_OPTION_BOOL) {
        return false;
    }
    const bool is_whole = nm_parse_int(value->text, &whole);
    const bool is_number = nm_parse_float(value->text, &number);
    switch (option->type) {
    case NM_OPTION_INT:
    case NM_OPTION_INTS: return is_whole && nm_option_in_range(option, (double)whole);
    case NM_OPTION_FLOAT:
    case NM_OPTION_FLOATS: return is_number && nm_option_in_range(option, number);
    case NM_OPTION_STRING: return option->flags & NM_REQUIRED && !nm_value_is_null(value);
    default: return false;
    }
}

/* The option to show as an example: one that could take the value, or one that must be given. */
static const nm_option *find_example(const nm_spec *spec, const nm_value *value, bool *takes)
{
    const nm_option *needed = nm_spec_needed(spec);
    *takes = true;
    if (needed && may_take(needed, value)) {
        return needed;
    }
    for (int i = 0; !needed && i < spec->count; i++) {
        if (may_take(&spec->options[i], value)) {
            return &spec->options[i];
        }
    }
    *takes = false;
    const bool named = spec->count > 1 && spec->options[0].type == NM_OPTION_STRING;
    return needed || !spec->count ? needed : &spec->options[named];
}

void nm_option_add_example(nm_line *line, const nm_spec *spec, const nm_value *value)
{
    bool takes;
    char shown[NM_SHOWN];
    const nm_option *example = find_example(spec, value, &takes);
    if (example) {
        nm_line_add(line, ", such as {%s: %s}", example->name,
                    takes ? nm_text_shown(value->text, strlen(value->text), shown) : "...");
    }
}

void nm_option_report_no_map(const nm_spec *spec, const char *what, const nm_value *value,
                             nm_diagnostics *d)
{
    nm_line line;
    nm_line_begin(&line);
    nm_option_add_example(&line, spec, value);
    const bool optional = value->kind == NM_VALUE_SCALAR && !nm_spec_needed(spec);
    nm_line_add(&line, optional ? ", or nothing, not " : ", not ");
    nm_line_add_value(&line, value);
    nm_diagnose(d, value, "%s: expected a map of options%s", what, line.text);
}
