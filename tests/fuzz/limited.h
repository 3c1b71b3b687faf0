/* An allocator for fuzzers that gives out little memory, and counts it. */
#ifndef NM_TESTS_FUZZ_LIMITED_H
#define NM_TESTS_FUZZ_LIMITED_H

#include <malloc.h>
#include <stdlib.h>

#define LIMITED_MEMORY (16 << 20)

/* For nm_allocator: `user` is a size_t, the bytes in use. */
static void *limited_resize(void *user, void *memory, size_t size)
{
    size_t *used = user, before = memory ? malloc_usable_size(memory) : 0;
    if (!size) {
        *used -= before;
        free(memory);
        return NULL;
    }
    void *result = size <= LIMITED_MEMORY - (*used - before) ? realloc(memory, size) : NULL;
    if (result) {
        *used += malloc_usable_size(result) - before;
    }
    return result;
}

#endif
