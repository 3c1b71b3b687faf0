/* Memory from the context's allocator. Each block that is out keeps the context alive, as its user
 * does until it is closed. Below that, the arenas that tapes have their nodes, headers and texts
 * from. */
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

/* ---- Arenas ---- */

#define CHUNK_BYTES ((size_t)1 << 14) /* the first one has so much; later ones */
#define CHUNK_LIMIT ((size_t)1 << 20) /* have twice as much as the one before, up to this */

/* A new chunk behind the current one. */
static nm_chunk *add_chunk(nm_context *context, nm_arena *arena, size_t size)
{
    size_t bytes = arena->current ? 2 * arena->current->size : CHUNK_BYTES;
    bytes = bytes > CHUNK_LIMIT ? CHUNK_LIMIT : bytes;
    bytes = bytes < size ? size : bytes;
    nm_chunk *chunk = nm_alloc_zero(context, 1, NM_CHUNK_HEAD + bytes);
    if (chunk) {
        nm_chunk **place = arena->current ? &arena->current->next : &arena->first;
        *chunk = (nm_chunk){.next = *place, .size = bytes};
        *place = chunk;
    }
    return chunk;
}

void *nm_arena_grow(nm_context *context, nm_arena *arena, size_t size)
{
    nm_chunk *next = arena->current ? arena->current->next : arena->first;
    while (next && next->size < size) { /* left from an earlier step, too small for this one */
        next = next->next;
    }
    if (!next) {
        next = add_chunk(context, arena, size);
    }
    if (!next) {
        return NULL;
    }
    arena->current = next;
    next->used = size;
    return (char *)next + NM_CHUNK_HEAD;
}

void nm_arena_rewind(nm_arena *arena)
{
    for (nm_chunk *chunk = arena->first; chunk; chunk = chunk->next) {
        chunk->used = 0;
    }
    arena->current = NULL;
}

void nm_arena_free(nm_context *context, nm_arena *arena)
{
    while (arena->first) {
        nm_chunk *chunk = arena->first;
        arena->first = chunk->next;
        nm_free(context, chunk);
    }
}

/* ---- What tapes have in them ---- */

const char *nm_tape_copy_text(nm_tape *tape, const char *text)
{
    const size_t size = text ? strlen(text) + 1 : 0;
    void *copy = text ? nm_arena_take(tape->context, &tape->texts_memory[tape->arena], size) : NULL;
    return copy ? memcpy(copy, text, size) : NULL;
}

static bool borrow(const nm_tape *tape, const void *data, const nm_tensor *instead)
{
    bool any = false;
    for (nm_chunk *chunk = tape->tensors_memory[tape->arena].first; chunk; chunk = chunk->next) {
        for (size_t at = 0; at < chunk->used; at += NM_TENSOR_BYTES) {
            nm_tensor *x = (nm_tensor *)(void *)((char *)chunk + NM_CHUNK_HEAD + at);
            if (!x->borrows || x->buffer || x->data != data) {
                continue;
            }
            any = true;
            if (instead) {
                x->data = instead->data;
                x->buffer = instead->buffer;
                if (x->buffer) {
                    x->buffer->references++;
                }
            }
        }
    }
    return any;
}

bool nm_tapes_borrow(const nm_context *context, const void *data, const nm_tensor *instead)
{
    bool any = false;
    for (const nm_tape *tape = context->tapes; tape; tape = tape->next) {
        any |= borrow(tape, data, instead);
    }
    return any;
}

static void free_tape(nm_tape *tape)
{
    for (int i = 0; i < NM_ARENAS; i++) {
        nm_arena_free(tape->context, &tape->tensors_memory[i]);
        nm_arena_free(tape->context, &tape->texts_memory[i]);
    }
    nm_free(tape->context, tape);
}

void nm_tapes_forget(nm_context *context)
{
    context->blocks++; /* the last tape may be the last that keeps a closed context */
    while (context->buried) {
        nm_tape *tape = context->buried;
        context->buried = tape->next;
        free_tape(tape);
    }
    nm_context_let_go(context);
}
