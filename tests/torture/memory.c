/* Requests for memory, which fail by order of faults.c (CALL `memory`), and how many blocks are
 * held. Built without sanitizers only: they have an allocator of their own.
 *
 * Not counted are requests by libraries that cannot but end the process: what they get is nothing
 * of Norma's. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "faults.h"

/* The C library's own, behind the names that are taken here. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *block);

static atomic_long live;

long live_blocks(void)
{
    return atomic_load(&live);
}

static bool is_counted(const void *caller)
{
    static const char *const others[] = {"ld-linux", "libdnnl",   "libgomp", "libstdc++",
                                         "libtbb",   "libOpenCL", "faults"};
    Dl_info info;
    if (!dladdr(caller, &info) || !info.dli_fname) {
        return true;
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (strstr(info.dli_fname, others[i])) {
            return false;
        }
    }
    return true;
}

static bool fails(const void *caller)
{
    if (!is_counted(caller) || happens(CALL_memory) != ERROR) {
        return false;
    }
    errno = ENOMEM;
    return true;
}

static void *held(void *block)
{
    atomic_fetch_add(&live, block != NULL);
    return block;
}

#define FAILS() fails(__builtin_return_address(0))

void *malloc(size_t size)
{
    return FAILS() ? NULL : held(__libc_malloc(size));
}

void *calloc(size_t count, size_t size)
{
    return FAILS() ? NULL : held(__libc_calloc(count, size));
}

void *realloc(void *block, size_t size)
{
    if (size && FAILS()) {
        return NULL;
    }
    void *result = __libc_realloc(block, size);
    atomic_fetch_add(&live, (!block && result) - (block && !size));
    return result;
}

void *memalign(size_t alignment, size_t size)
{
    return FAILS() ? NULL : held(__libc_memalign(alignment, size));
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return FAILS() ? NULL : held(__libc_memalign(alignment, size));
}

int posix_memalign(void **block, size_t alignment, size_t size)
{
    *block = FAILS() ? NULL : held(__libc_memalign(alignment, size));
    return *block ? 0 : ENOMEM;
}

void free(void *block)
{
    atomic_fetch_sub(&live, block != NULL);
    __libc_free(block);
}
