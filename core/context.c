#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef _OPENMP
#include <omp.h>
#endif

#include "core/clean.h"
#include "core/guard.h"
#include "core/internal.h"

/* ---- Life ---- */

static void *default_resize(void *user, void *memory, size_t size)
{
    (void)user;
    if (!size) {
        free(memory);
        return NULL;
    }
    return realloc(memory, size);
}

static int threads_available(void)
{
#ifdef _OPENMP
    return omp_get_max_threads();
#else
    return 1;
#endif
}

nm_context *nm_context_create(const nm_context_options *options)
{
    nm_context_options o = options ? *options : (nm_context_options){0};
    if (!o.allocator.resize) {
        o.allocator = (nm_allocator){default_resize, NULL};
    }
    nm_context *context = o.allocator.resize(o.allocator.user, NULL, sizeof *context);
    if (!context) {
        return NULL;
    }
    *context = (nm_context){
        .allocator = o.allocator, .seed = o.seed, .log = o.log, .log_user = o.log_user};
    nm_context_set_threads(context, o.threads);
    for (int kind = 0; kind < NM_KIND_COUNT; kind++) {
        context->kinds[kind] = nm_map_create(context);
        if (!context->kinds[kind]) {
            nm_context_destroy(context);
            return NULL;
        }
    }
    return context;
}

/* ---- State of modules ---- */

#define STATE_OFFSET ((sizeof(nm_attachment) + 15) & ~(size_t)15)

static void *state_of(nm_attachment *attachment)
{
    return (char *)attachment + STATE_OFFSET;
}

void *nm_context_attached(const nm_context *context, const void *key)
{
    NM_GIVEN(context, NULL);
    for (nm_attachment *a = context->attachments; a; a = a->next) {
        if (a->key == key) {
            return state_of(a);
        }
    }
    return NULL;
}

void *nm_context_attach(nm_context *context, const void *key, size_t size,
                        void (*destroy)(nm_context *context, void *state))
{
    void *there = nm_context_attached(context, key);
    if (there) {
        return there;
    }
    nm_attachment *a = nm_alloc_zero(context, 1, STATE_OFFSET + size);
    if (!a) {
        return NULL;
    }
    *a = (nm_attachment){.next = context->attachments, .key = key, .destroy = destroy};
    context->attachments = a;
    return state_of(a);
}

static void destroy_attachments(nm_context *context)
{
    while (context->attachments) {
        nm_attachment *a = context->attachments;
        context->attachments = a->next;
        if (a->destroy) {
            a->destroy(context, state_of(a));
        }
        nm_free(context, a);
    }
}

/* Of a context that was closed with things alive: it stays until they are destroyed, fit for that
 * and nothing else. */
static void outlive(nm_context *context)
{
    nm_context_log(
        context, NM_LOG_WARNING,
        "the context was closed before all that was made in it was destroyed: %zu blocks "
        "of memory are still held",
        context->blocks);
    nm_context_clear_error(context);
    nm_fail(context, NM_ERROR_INPUT, "the context of this was closed already");
    context->log = NULL;
    context->closed = true;
}

/* After a block came back to a closed context. */
static void follow_last(nm_context *context)
{
    context->closed = false; /* what waits in the pool comes back this way too */
    nm_context_trim(context);
    context->closed = true;
    if (!context->blocks) {
        nm_allocator allocator = context->allocator;
        allocator.resize(allocator.user, context, 0);
    }
}

void nm_context_destroy(nm_context *context)
{
    if (!context) {
        return;
    }
    destroy_attachments(context);
    for (int kind = 0; kind < NM_KIND_COUNT; kind++) {
        nm_map_destroy(context->kinds[kind]);
        context->kinds[kind] = NULL;
    }
    nm_context_trim(context);
    if (context->blocks) {
        outlive(context);
        return;
    }
    nm_allocator allocator = context->allocator;
    allocator.resize(allocator.user, context, 0);
}

int nm_context_threads(const nm_context *context)
{
    NM_GIVEN(context, 1);
    return context->threads;
}

void nm_context_set_threads(nm_context *context, int threads)
{
    NM_GIVEN(context, );
    threads = threads > 0 ? threads : threads_available();
    context->threads = threads < NM_MAX_THREADS ? threads : NM_MAX_THREADS;
}

uint64_t nm_context_seed(const nm_context *context)
{
    NM_GIVEN(context, 0);
    return context->seed;
}

/* ---- Errors. That there is no context has one cause: memory ran out when it was made. ---- */

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
    nm_fail(context, NM_ERROR_INPUT, "a function was given NULL for its argument \"%s\"", what);
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

/* ---- Memory ---- */

void *nm_resize(nm_context *context, void *memory, size_t size)
{
    NM_GIVEN(context, NULL);
    void *result = context->allocator.resize(context->allocator.user, memory, size ? size : 1);
    if (!result) {
        nm_fail(context, NM_ERROR_MEMORY, "out of memory (%zu bytes wanted)", size);
    }
    context->blocks += !memory && result;
    return result;
}

void *nm_alloc(nm_context *context, size_t size)
{
    return nm_resize(context, NULL, size);
}

void *nm_alloc_zero(nm_context *context, size_t count, size_t size)
{
    if (size && count > SIZE_MAX / size) {
        nm_fail(context, NM_ERROR_MEMORY, "out of memory (%zu times %zu bytes wanted)", count,
                size);
        return NULL;
    }
    void *result = nm_alloc(context, count * size);
    return result ? memset(result, 0, count * size) : NULL;
}

void nm_free(nm_context *context, void *memory)
{
    if (context && memory) {
        context->allocator.resize(context->allocator.user, memory, 0);
        context->blocks--;
        if (context->closed) {
            follow_last(context);
        }
    }
}

char *nm_copy_string(nm_context *context, const char *text)
{
    if (!text) {
        return NULL;
    }
    size_t size = strlen(text) + 1;
    char *copy = nm_alloc(context, size);
    return copy ? memcpy(copy, text, size) : NULL;
}

char *nm_format(nm_context *context, const char *format, ...)
{
    NM_REQUIRE(context, format, NULL);
    va_list list, again;
    va_start(list, format);
    va_copy(again, list);
    int length = vsnprintf(NULL, 0, format, list);
    char *text = length < 0 ? NULL : nm_alloc(context, (size_t)length + 1);
    if (text) {
        vsnprintf(text, (size_t)length + 1, format, again);
    }
    va_end(again);
    va_end(list);
    return text;
}

/* ---- The pool (core/pool.c) ---- */

size_t nm_context_pool_bytes(const nm_context *context)
{
    return context ? context->pool_bytes : 0;
}

size_t nm_context_pool_peak(const nm_context *context)
{
    return context ? context->pool_peak : 0;
}

void *nm_scratch(nm_context *context, size_t bytes)
{
    NM_GIVEN(context, NULL);
    nm_buffer *buffer = nm_buffer_create(context, bytes);
    return buffer ? nm_buffer_data(buffer) : NULL;
}

void nm_scratch_end(void *scratch)
{
    if (scratch) {
        nm_buffer_release((nm_buffer *)((char *)scratch - NM_ALIGNMENT));
    }
}
