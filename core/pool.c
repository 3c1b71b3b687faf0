/* The pool: buffers that tensors have given back, waiting for the next one of their size class.
 *
 * 1. A step like the one before it finds every buffer here, and asks the allocator for nothing.
 * 2. A large buffer is cut in two halves where only something of half its size is wanted, and whole
 *    again when both have come back. So a network whose layers shrink, and grow again on the way
 *    back, needs little more than what it holds at once, and not the most of every size.
 * 3. Before the pool grows by a large buffer, smaller ones that wait make room for it. Only smaller
 *    ones: so one large buffer more is the worst that a step can leave behind, and soon there are
 *    enough of them. */
#include "core/guard.h"
#include "core/internal.h"

/* Sizes are 4, 5, 6 or 7 times a power of two, so a buffer wastes at most a fifth. */
#define CLASSES_A_POWER 4

static int size_class_of(size_t bytes, size_t *rounded)
{
    if (bytes <= NM_ALIGNMENT) {
        *rounded = NM_ALIGNMENT;
        return 0;
    }
    int shift = 61 - __builtin_clzll((unsigned long long)(bytes - 1));
    size_t quarters = ((bytes - 1) >> shift) + 1; /* 5 to 8 */
    *rounded = quarters << shift;
    return (shift - 4) * CLASSES_A_POWER + (int)quarters - 4;
}

/* From this class on buffers are large, a mebibyte; halves are large too. */
#define LARGE 56

/* ---- The lists: large buffers can be taken out of the middle ---- */

static void push(nm_buffer *buffer)
{
    nm_buffer **list = &buffer->context->pool[buffer->size_class];
    buffer->next = *list;
    *list = buffer;
    if (buffer->size_class >= LARGE) {
        buffer->link = list;
        if (buffer->next) {
            buffer->next->link = &buffer->next;
        }
    }
}

static nm_buffer *take_out(nm_buffer *buffer, nm_buffer **link)
{
    *link = buffer->next;
    if (buffer->next && buffer->size_class >= LARGE) {
        buffer->next->link = link;
    }
    return buffer;
}

/* ---- Halves ---- */

/* Where a buffer's halves begin: each has a header of its own, for which blocks have a little more
 * room than their class says. */
static nm_buffer *first_half(nm_buffer *whole)
{
    return nm_buffer_data(whole);
}

static nm_buffer *second_half(nm_buffer *whole)
{
    nm_buffer *first = first_half(whole);
    return (nm_buffer *)(void *)((char *)nm_buffer_data(first) + first->room);
}

static size_t half_of(size_t room)
{
    return (room / 2 - NM_ALIGNMENT) & ~(size_t)(NM_ALIGNMENT - 1);
}

/* So much that half of it is enough for half of the size, down to the smallest large class. */
static size_t room_for(size_t rounded, int size_class)
{
    return size_class < LARGE ? rounded : rounded + (rounded >> 12);
}

/* The first of two halves; the other waits. The whole counts as in use until both are back. */
static nm_buffer *cut(nm_buffer *whole)
{
    nm_buffer half = {.context = whole->context,
                      .whole = whole,
                      .room = half_of(whole->room),
                      .size_class = whole->size_class - CLASSES_A_POWER};
    whole->references = 1;
    *first_half(whole) = half;
    *second_half(whole) = half;
    push(second_half(whole));
    return first_half(whole);
}

static nm_buffer *join(nm_buffer *buffer)
{
    for (nm_buffer *whole; (whole = buffer->whole); buffer = whole) {
        nm_buffer *first = first_half(whole);
        nm_buffer *other = buffer == first ? second_half(whole) : first;
        if (other->references) {
            break;
        }
        take_out(other, other->link);
        whole->references = 0;
    }
    return buffer;
}

/* One that waits, of the class or, where there is none, cut from a larger one. */
static nm_buffer *find(nm_context *context, int size_class)
{
    int found = size_class;
    while (!context->pool[found]) {
        found += CLASSES_A_POWER;
        if (size_class < LARGE || found >= NM_SIZE_CLASSES) {
            return NULL;
        }
    }
    nm_buffer *buffer = take_out(context->pool[found], &context->pool[found]);
    for (; found > size_class; found -= CLASSES_A_POWER) {
        buffer = cut(buffer);
    }
    return buffer;
}

/* ---- Blocks ---- */

#define BLOCK_BYTES(room) ((room) + 2 * NM_ALIGNMENT)

/* Gives back blocks that wait in a list, until `enough` bytes are. Returns how many. */
static size_t drain(nm_context *context, int size_class, size_t enough)
{
    size_t bytes = 0;
    for (nm_buffer **at = &context->pool[size_class], *b; (b = *at) && bytes < enough;) {
        if (b->whole) {
            at = &b->next;
        } else {
            take_out(b, at);
            bytes += BLOCK_BYTES(b->room);
            nm_free(context, b->block);
        }
    }
    context->pool_bytes -= bytes;
    return bytes;
}

/* Promise 3. */
static void make_room(nm_context *context, int size_class, size_t bytes)
{
    for (size_t given = 0; --size_class >= LARGE && given < bytes;) {
        given += drain(context, size_class, bytes - given);
    }
}

static nm_buffer *create(nm_context *context, int size_class, size_t room)
{
    make_room(context, size_class, room);
    void *block = nm_alloc(context, BLOCK_BYTES(room));
    if (!block) {
        return NULL;
    }
    uintptr_t aligned = ((uintptr_t)block + NM_ALIGNMENT - 1) & ~(uintptr_t)(NM_ALIGNMENT - 1);
    nm_buffer *buffer = (nm_buffer *)aligned;
    *buffer =
        (nm_buffer){.context = context, .block = block, .room = room, .size_class = size_class};
    context->pool_bytes += BLOCK_BYTES(room);
    if (context->pool_bytes > context->pool_peak) {
        context->pool_peak = context->pool_bytes;
    }
    return buffer;
}

/* ---- For the rest of core ---- */

/* More is beyond what a processor addresses, and what rounding up could overflow. */
#define MOST_BYTES (SIZE_MAX >> (SIZE_MAX > UINT32_MAX ? 17 : 1))

nm_buffer *nm_buffer_create(nm_context *context, size_t bytes)
{
    if (bytes > MOST_BYTES) {
        nm_fail(context, NM_ERROR_MEMORY, "out of memory (%zu bytes wanted)", bytes);
        return NULL;
    }
    size_t rounded;
    int size_class = size_class_of(bytes, &rounded);
    nm_buffer *buffer = find(context, size_class);
    if (!buffer) {
        buffer = create(context, size_class, room_for(rounded, size_class));
    }
    if (buffer) {
        buffer->references = 1;
        buffer->changed = 0;
    }
    return buffer;
}

void nm_buffer_release(nm_buffer *buffer)
{
    if (buffer && --buffer->references == 0) {
        nm_context *context = buffer->context;
        push(join(buffer));
        if (context->closed) { /* nobody will take it again */
            nm_context_trim(context);
        }
    }
}

void nm_context_trim(nm_context *context)
{
    NM_GIVEN(context, );
    context->blocks++; /* the last block takes a closed context along */
    for (int i = 0; i < NM_SIZE_CLASSES; i++) {
        drain(context, i, SIZE_MAX);
    }
    nm_context_let_go(context);
}

/* ---- For all ---- */

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
