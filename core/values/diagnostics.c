#include <stdio.h>
#include <string.h>

#include "core/guard.h"
#include "core/value_internal.h"

#define ROOM_FOR_MORE 40 /* bytes kept for "... and N more" */

void nm_diagnostics_begin(nm_diagnostics *d, nm_context *context)
{
    NM_GIVEN(d, );
    /* Not an initializer: that would clear the text, and every op's options are checked this way.
     */
    d->context = context;
    d->count = 0;
    d->hidden = 0;
    d->length = 0;
    d->text[0] = 0;
}

/* What an alias stands for is read as often as it stands. */
static bool is_told(const nm_diagnostics *d, const char *place, const char *message)
{
    const size_t head = strlen(place), length = strlen(message);
    for (const char *line = d->text; *line; line += strcspn(line, "\n"), line += *line != 0) {
        if (strncmp(line, place, head) == 0 && strncmp(line + head, message, length) == 0 &&
            (line[head + length] == '\n' || !line[head + length])) {
            return true;
        }
    }
    return false;
}

/* Adds one message, or counts it as hidden if it does not fit; the first is cut instead. */
static void add_message(nm_diagnostics *d, const char *place, const char *message)
{
    d->count++;
    if (is_told(d, place, message)) {
        return;
    }
    size_t space = sizeof d->text - ROOM_FOR_MORE - d->length;
    const char *separator = d->length ? "\n" : "";
    int written = -1;
    if (!d->hidden) {
        written = snprintf(d->text + d->length, space, "%s%s%s", separator, place, message);
    }
    if (written >= 0 && (size_t)written < space) {
        d->length += (size_t)written;
    } else if (!d->length) {
        d->length = strlen(d->text);
    } else {
        d->text[d->length] = 0;
        d->hidden++;
    }
}

static void place_of(const nm_value *at, nm_line *place)
{
    nm_line_begin(place);
    if (at) {
        nm_line_add_place(place, at->file, at->line, at->column);
    }
}

void nm_diagnose(nm_diagnostics *d, const nm_value *at, const char *format, ...)
{
    NM_GIVEN(d && format, );
    char message[2048];
    nm_line place;
    place_of(at, &place);
    va_list list;
    va_start(list, format);
    vsnprintf(message, sizeof message, format, list);
    va_end(list);
    add_message(d, place.text, message);
}

/* ---- The standing error ---- */

/* Whether the text is quoted there, or stands by itself before a colon or a semicolon, as paths do.
 */
static bool is_about(const char *error, const char *text)
{
    const size_t length = strlen(text);
    bool found = false;
    for (const char *at = error; length && !found && (at = strstr(at, text)); at++) {
        const char before = (char)(at > error ? at[-1] : ' '), behind = at[length];
        found =
            (before == '"' && behind == '"') || (before == ' ' && (behind == ':' || behind == ';'));
    }
    return found;
}

#define MOST_LOOKED_AT 100000 /* aliases may stand for more than anybody writes */

/* The last value within `at` that --set gave and the error is about; NULL: none. */
static const nm_value *setting_within(const nm_value *at, const char *error, int *looked_at)
{
    const nm_value *found = NULL;
    if (++*looked_at > MOST_LOOKED_AT) {
        return NULL;
    }
    if (at->kind == NM_VALUE_SCALAR) {
        return !strcmp(at->file, NM_SETTINGS_FILE) && is_about(error, at->text) ? at : NULL;
    }
    for (int i = 0; i < at->count; i++) {
        const nm_value *inner = at->kind == NM_VALUE_LIST ? at->items[i] : at->entries[i].value;
        const nm_value *setting = setting_within(inner, error, looked_at);
        found = setting ? setting : found;
    }
    return found;
}

static bool has_place_in(const char *error, const char *file)
{
    nm_place place;
    return nm_place_read(error, &place) && strlen(file) == place.file &&
           strncmp(error, file, place.file) == 0;
}

nm_status nm_fail_at(nm_context *context, const nm_value *at)
{
    nm_line place;
    const char *error = nm_context_error(context);
    int looked_at = 0;
    const nm_value *setting = at ? setting_within(at, error, &looked_at) : NULL;
    at = setting ? setting : at;
    place_of(at, &place);
    if (place.length && !has_place_in(error, at->file) && !has_place_in(error, NM_SETTINGS_FILE)) {
        place.text[place.length - 2] = 0; /* nm_fail_in() puts ": " behind it */
        nm_fail_in(context, "%s", place.text);
    }
    return nm_context_status(context);
}

void nm_diagnose_standing(nm_diagnostics *d, const nm_value *at)
{
    NM_GIVEN(d, );
    nm_status status = nm_context_status(d->context);
    if (status == NM_OK || status == NM_ERROR_MEMORY) {
        return;
    }
    nm_fail_at(d->context, at);
    add_message(d, "", nm_context_error(d->context));
    nm_context_clear_error(d->context);
}

nm_status nm_diagnostics_end(nm_diagnostics *d)
{
    NM_GIVEN(d, NM_ERROR_INPUT);
    if (nm_context_status(d->context) != NM_OK || !d->count) {
        return nm_context_status(d->context);
    }
    if (d->hidden) {
        snprintf(d->text + d->length, ROOM_FOR_MORE, "\n... and %d more", d->hidden);
    }
    return nm_fail(d->context, NM_ERROR_INPUT, "%s", d->text);
}
