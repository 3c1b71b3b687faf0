#include <stdarg.h>
#include <stdio.h>

#include "models/command/report/report.h"

static void say(report *r, void (*put)(page *p, const char *text), const char *format, va_list list)
{
    char text[2048];
    vsnprintf(text, sizeof text, format, list);
    put(r->page, text);
}

void report_say(report *r, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    say(r, page_paragraph, format, list);
    va_end(list);
}

void report_note(report *r, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    say(r, page_note, format, list);
    va_end(list);
}

void report_leave_out(report *r, const char *what)
{
    const nm_status status = nm_context_status(r->context);
    if (status != NM_OK && status != NM_ERROR_MEMORY) {
        report_note(r, "%s: left out. %.1500s", what, nm_context_error(r->context));
        nm_context_clear_error(r->context);
    }
}
