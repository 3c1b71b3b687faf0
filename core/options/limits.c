/* What an option's row says about its values, and the messages about one that is outside of it. */
#include <stdio.h>
#include <string.h>

#include "core/guard.h"
#include "core/value_internal.h"

const char *nm_option_name_of(const nm_option *option, double value)
{
    for (const nm_named_value *named = option->named; named && named->name; named++) {
        if (named->value == value) {
            return named->name;
        }
    }
    return NULL;
}

bool nm_option_in_range(const nm_option *option, double value)
{
    if (option->min == option->max) {
        return true;
    }
    bool above = option->min <= -NM_NO_LIMIT ||
                 (option->flags & NM_MIN_OPEN ? value > option->min : value >= option->min);
    bool below = option->max >= NM_NO_LIMIT ||
                 (option->flags & NM_MAX_OPEN ? value < option->max : value <= option->max);
    return above && below && value == value; /* no limit is wide enough for NaN */
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

const void *nm_choice_options(const nm_choice *choice)
{
    NM_GIVEN(choice, NULL);
    const nm_spec *spec = choice->item ? choice->item->spec : NULL;
    return choice->options    ? choice->options
           : choice->own.size ? choice->own.room
           : spec             ? spec->defaults
                              : NULL;
}

/* ---- As text ---- */

void nm_option_add_words(nm_line *line, const nm_option *option)
{
    for (int i = 0; option->names && option->names[i]; i++) {
        nm_line_add(line, " or %s", option->names[i]);
    }
}

/* A large power of ten, such as a limit often is, as 1e9. */
static char *format_limit(double limit, char text[32])
{
    char exponent[32];
    nm_format_float(limit, text);
    const size_t length = strlen(text);
    if (length > 6 && text[0] == '1' && strspn(text + 1, "0") == length - 1) {
        snprintf(exponent, sizeof exponent, "1e%zu", length - 1);
        memcpy(text, exponent, sizeof exponent);
    }
    return text;
}

void nm_option_add_range(nm_line *line, const nm_option *option)
{
    char number[32];
    if (option->min == option->max) {
        return;
    }
    bool from = option->min > -NM_NO_LIMIT, to = option->max < NM_NO_LIMIT;
    if (from) {
        nm_line_add(line, "%s %s", option->flags & NM_MIN_OPEN ? "above" : "at least",
                    format_limit(option->min, number));
    }
    if (to) {
        nm_line_add(line, "%s%s %s", from ? " and " : "",
                    option->flags & NM_MAX_OPEN ? "below" : "at most",
                    format_limit(option->max, number));
    }
    if (!from && !to) {
        nm_line_add(line, "a number");
    }
}

void nm_option_add_named(nm_line *line, const nm_option *option)
{
    for (const nm_named_value *named = option->named; named && named->name; named++) {
        nm_line_add(line, "%s%s", named == option->named ? " or " : ", ", named->name);
    }
}

void nm_option_add_names(nm_line *line, const nm_option *option)
{
    nm_line_add(line, "one of ");
    for (int i = 0; option->names[i]; i++) {
        nm_line_add(line, "%s%s", i ? ", " : "", option->names[i]);
    }
}

void nm_option_diagnose_range(nm_diagnostics *d, const nm_value *at, const char *what,
                              const nm_option *option, int index, const char *number)
{
    char item[24] = "";
    nm_line range;
    nm_line_begin(&range);
    nm_option_add_range(&range, option);
    nm_option_add_named(&range, option);
    if (index >= 0) {
        snprintf(item, sizeof item, "[%d]", index);
    }
    nm_diagnose(d, at, "%s: \"%s\"%s must be %s, not %s", what, option->name, item, range.text,
                number);
}
