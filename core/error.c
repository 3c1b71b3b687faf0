/* The context's first error, and its log. Below the context: all that can fail stands on this. */
#include <stdio.h>
#include <string.h>

#include "core/clean.h"
#include "core/guard.h"
#include "core/internal.h"

/* That there is no context has one cause: memory ran out when it was made. */
#define NO_CONTEXT "out of memory: there is no context"

const char *nm_status_name(nm_status status)
{
    switch (status) {
    case NM_OK: return "ok";
    case NM_ERROR_MEMORY: return "out of memory";
    case NM_ERROR_INPUT: return "bad input";
    case NM_ERROR_FORMAT: return "bad format";
    case NM_ERROR_IO: return "input/output error";
    case NM_ERROR_NUMERIC: return "not a finite number";
    case NM_ERROR_CANCELLED: return "cancelled";
    case NM_ERROR_INTERNAL: return "internal error";
    }
    return "unknown status";
}

nm_status nm_context_status(const nm_context *context)
{
    return context ? context->status : NM_ERROR_MEMORY;
}

const char *nm_context_error(const nm_context *context)
{
    return context ? context->error : NO_CONTEXT;
}

void nm_context_clear_error(nm_context *context)
{
    NM_GIVEN(context, );
    context->status = NM_OK;
    context->error[0] = 0;
}

nm_status nm_fail_v(nm_context *context, nm_status status, const char *format, va_list list)
{
    if (context && context->status == NM_OK) {
        char text[NM_ERROR_TEXT];
        context->status = status;
        vsnprintf(text, sizeof text, format ? format : "a failure without a message", list);
        nm_text_clean(text, true, context->error, sizeof context->error);
    }
    return status;
}

nm_status nm_fail(nm_context *context, nm_status status, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    nm_fail_v(context, status, format, list);
    va_end(list);
    return status;
}

void nm_refuse_null(nm_context *context, const char *what)
{
    what += strspn(what, "(");
    if (strstr(what, "= ")) {
        nm_fail(context, NM_ERROR_INPUT, "a function's arguments must be such that %s", what);
    } else { /* "batch && batch->x": the first that it is about */
        nm_fail(context, NM_ERROR_INPUT, "a function was given NULL for its argument \"%.*s\"",
                (int)strcspn(what, " )"), what);
    }
}

nm_status nm_fail_in(nm_context *context, const char *format, ...)
{
    NM_GIVEN(context, NM_ERROR_MEMORY);
    NM_GIVEN(format, context->status);
    char text[512], prefix[512];
    va_list list;
    va_start(list, format);
    int written = vsnprintf(text, sizeof text, format, list);
    va_end(list);
    nm_text_clean(written < 0 ? "" : text, true, prefix, sizeof prefix - 2);
    if (context->status != NM_OK && written >= 0) {
        size_t length = strlen(strcat(prefix, ": "));
        size_t kept = strlen(context->error);
        if (kept > sizeof context->error - 1 - length) {
            kept = sizeof context->error - 1 - length;
        }
        memmove(context->error + length, context->error, kept);
        memcpy(context->error, prefix, length);
        context->error[length + kept] = 0;
    }
    return context->status;
}

void nm_context_log(nm_context *context, nm_log_level level, const char *format, ...)
{
    if (!context || !context->log || !format) {
        return;
    }
    char text[1024], message[2048];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    nm_text_clean(text, true, message, sizeof message);
    context->log(context->log_user, level, message);
}
