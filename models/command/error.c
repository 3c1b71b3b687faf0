/* Errors and warnings on standard error: each on a line, under those that name a place the line it
 * is in, with a caret. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/clean.h"
#include "models/command/command.h"
#include "models/command/excerpt.h"

static const char key; /* of the session that is attached to a context */

const char *program_name(void)
{
    return program_invocation_short_name;
}

const char *program_word(void)
{
    return strcmp(program_name(), "norma") == 0 ? program_name() : program_invocation_name;
}

#define PREFIX_TEXT 128

/* "norma: ", of the program's name, in red if it is `marked`. */
static const char *prefix_of(char text[PREFIX_TEXT], bool marked)
{
    snprintf(text, PREFIX_TEXT, marked ? "\033[1;31m%.64s:\033[0m " : "%.64s: ", program_name());
    return text;
}

static const char *error_prefix(char text[PREFIX_TEXT])
{
    return prefix_of(text, use_colour(STDERR_FILENO));
}

int bad_usage(const char *format, ...)
{
    char text[4096], clean[4096], prefix[PREFIX_TEXT];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    fprintf(stderr, "%s%s\n", error_prefix(prefix), nm_text_clean(text, true, clean, sizeof clean));
    return EXIT_INPUT;
}

/* ---- The line that a message speaks of ---- */

static int columns_of_terminal(void)
{
    struct winsize size = {0};
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : 100;
}

static bool show_setting(const session *s, const nm_place *place)
{
    const char *text = argument_nth(s->arguments, "--set", place->line - 1);
    const excerpt e = {.label = "--set", .line = text, .column = place->column};
    return text && print_excerpt(&e, columns_of_terminal(), use_colour(STDERR_FILENO));
}

static bool show_file(const session *s, const char *name, const nm_place *place)
{
    char label[16];
    char *text = read_from_line(name, place->line, s->begun);
    snprintf(label, sizeof label, "%d", place->line);
    const excerpt e = {.label = label, .line = text, .column = place->column};
    bool shown = text && print_excerpt(&e, columns_of_terminal(), use_colour(STDERR_FILENO));
    free(text);
    return shown;
}

static bool show(const session *s, const char *at, const nm_place *place)
{
    char *name = strndup(at, place->file);
    bool shown =
        name && (strcmp(name, "--set") == 0 ? show_setting(s, place) : show_file(s, name, place));
    free(name);
    return shown;
}

#define DEEPEST 4 /* places one within the other: net.yaml:3:1: train: data.csv:7: ... */

/* The innermost place of a message that can be shown: there is the mistake. */
static bool show_innermost(const session *s, const char *line, int depth)
{
    nm_place place;
    const bool has_place = nm_place_read(line, &place);
    const char *colon = has_place ? line + place.length - 2 : strstr(line, ": ");
    const char *end = line + strcspn(line, "\n");
    if (colon && colon < end && depth < DEEPEST && show_innermost(s, colon + 2, depth + 1)) {
        return true;
    }
    return has_place && show(s, line, &place);
}

/* ---- Messages ---- */

/* A line that begins with its place, which then stands alone, so that editors find it; else with
 * the prefix. It is written at once: whoever reads the file meanwhile finds all of it or nothing.
 */
static void print_line(const char *prefix, const char *line, size_t length, const nm_place *place)
{
    const bool colour = use_colour(STDERR_FILENO);
    const size_t head = place ? place->length - 1 : 0;
    fprintf(stderr, "%s%s%.*s%s%.*s\n", place ? "" : prefix, colour && head ? "\033[1m" : "",
            (int)head, line, colour && head ? "\033[0m" : "", (int)(length - head), line + head);
}

/* Every line of it; `prefix` before the first, unless that begins with its place. */
static void print_message(const session *s, const char *message, const char *prefix)
{
    for (const char *line = message; *line;) {
        nm_place place;
        const size_t length = strcspn(line, "\n");
        const bool has_place = nm_place_read(line, &place);
        print_line(line == message ? prefix : "", line, length, has_place ? &place : NULL);
        if (has_place && s) {
            show_innermost(s, line, 0);
        }
        line += length + (line[length] == '\n');
    }
}

void tell_warning(void *user, nm_log_level level, const char *message)
{
    char prefix[PREFIX_TEXT];
    if (level == NM_LOG_WARNING) {
        print_message(user, message, prefix_of(prefix, false));
    }
}

void session_begin(session *s, const arguments *a)
{
    s->arguments = a;
    clock_gettime(CLOCK_REALTIME, &s->begun);
}

void session_attach(const session *s, nm_context *context)
{
    const session **attached = nm_context_attach(context, &key, sizeof *attached, NULL);
    if (attached) {
        *attached = s;
    }
}

int report_error(nm_context *context)
{
    char prefix[PREFIX_TEXT];
    const session **attached = nm_context_attach(context, &key, sizeof *attached, NULL);
    nm_status status = nm_context_status(context);
    print_message(attached ? *attached : NULL, nm_context_error(context), error_prefix(prefix));
    return status == NM_ERROR_INPUT || status == NM_ERROR_FORMAT ? EXIT_INPUT : EXIT_FAILED;
}
