/* Memory from the context's allocator. Each block that is out keeps the context alive, as its user
 * does until it is closed. */
#include <stdio.h>
#include <string.h>

#include "core/guard.h"
#include "core/internal.h"

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

void nm_context_let_go(nm_context *context)
{
    if (!--context->blocks) {
        nm_allocator allocator = context->allocator;
        allocator.resize(allocator.user, context, 0);
    }
}

void nm_free(nm_context *context, const void *memory)
{
    if (context && memory) { /* what the allocator gave was not const */
        context->allocator.resize(context->allocator.user, (void *)(uintptr_t)memory, 0);
        nm_context_let_go(context);
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
