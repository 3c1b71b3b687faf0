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

static const char *nearest_option(const nm_spec *spec, const char *name)
{
    const char *names[MOST_OPTIONS];
    int count = spec->count < MOST_OPTIONS ? spec->count : MOST_OPTIONS;
    for (int i = 0; i < count; i++) {
        names[i] = spec->options[i].name;
    }
    return nm_nearest(name, names, count);
}

/* `units:10`: without a blank behind it, a colon is a part of the text. */
static bool lacks_blank(const nm_spec *spec, const char *text)
{
    const size_t length = strcspn(text, ":");
    for (int i = 0; text[length] && i < spec->count; i++) {
        const char *name = spec->options[i].name;
        if (strlen(name) == length && strncmp(name, text, length) == 0) {
            return true;
        }
    }
    return false;
}

void nm_option_report_unknown(const nm_spec *spec, const char *what, const nm_value *key,
                              nm_diagnostics *d)
{
    char shown[NM_SHOWN];
    if (lacks_blank(spec, key->text)) {
        nm_diagnose(d, key, "%s: \"%s\" has no blank behind its colon; put one there", what,
                    nm_text_shown(key->text, strlen(key->text), shown));
        return;
    }
    const char *near = nearest_option(spec, key->text);
    nm_line known;
    nm_line_begin(&known);
    if (near) {
        nm_line_add(&known, "did you mean \"%s\"?", near);
    } else {
        nm_line_add(&known, "%s", spec->count ? "its options are " : "it takes no options");
        add_known(&known, spec);
    }
    nm_diagnose(d, key, "%s: unknown option \"%s\"; %s", what,
                nm_text_shown(key->text, strlen(key->text), shown), known.text);
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

const nm_option *nm_spec_needed(const nm_spec *spec)
{
    for (int i = 0; spec && i < spec->count; i++) {
        if (spec->options[i].flags & NM_REQUIRED) {
            return &spec->options[i];
        }
    }
    return NULL;
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
