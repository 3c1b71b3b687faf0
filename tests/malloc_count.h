/* Counts every allocation of the process, whoever asks for it: the C library's malloc() and its
 * siblings are replaced by ones that count, or under a sanitizer its hook is used. With other C
 * libraries than glibc the linker has to lead what is linked into the program to the ones that
 * count (counted_args in tests/meson.build). For one source file of a program. */
#ifndef NM_TESTS_MALLOC_COUNT_H
#define NM_TESTS_MALLOC_COUNT_H

#include <stdbool.h>
#include <stdlib.h>

#if !defined(__GLIBC__)
#define BY_THE_LINKER 1
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

static long malloc_calls;

/* Allocations so far, not counting frees. */
static long count_mallocs(void)
{
    return __atomic_load_n(&malloc_calls, __ATOMIC_RELAXED);
}

static void count_one(void)
{
    __atomic_fetch_add(&malloc_calls, 1, __ATOMIC_RELAXED);
}

#ifdef SANITIZED
int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void *, size_t),
                                              void (*on_free)(const volatile void *));

static void count_hook(const volatile void *memory, size_t size)
{
    (void)memory, (void)size;
    count_one();
}

static void ignore_free(const volatile void *memory)
{
    (void)memory;
}

/* Before what is to be counted. False if it cannot be. */
static bool begin_to_count_mallocs(void)
{
    static bool begun; /* there is room for a few hooks only */
    begun = begun || __sanitizer_install_malloc_and_free_hooks(count_hook, ignore_free) != 0;
    return begun;
}
#else
#include <link.h>
#include <stdint.h>
#include <string.h>

#ifdef BY_THE_LINKER
#define REPLACED(name) __wrap_##name
#define ORIGINAL(name) __real_##name
#else
#define REPLACED(name) name
#define ORIGINAL(name) __libc_##name
#define __libc_aligned_alloc __libc_memalign
#endif

void *ORIGINAL(malloc)(size_t size);
void *ORIGINAL(realloc)(void *memory, size_t size);
void *ORIGINAL(calloc)(size_t count, size_t size);
void *ORIGINAL(aligned_alloc)(size_t alignment, size_t size);

/* Hidden, they would be for this program's own calls only. */
#define SEEN __attribute__((visibility("default")))
SEEN void *REPLACED(malloc)(size_t size);
SEEN void *REPLACED(realloc)(void *memory, size_t size);
SEEN void *REPLACED(calloc)(size_t count, size_t size);
SEEN void *REPLACED(aligned_alloc)(size_t alignment, size_t size);
SEEN int REPLACED(posix_memalign)(void **memory, size_t alignment, size_t size);

void *REPLACED(malloc)(size_t size)
{
    count_one();
    return ORIGINAL(malloc)(size);
}

void *REPLACED(realloc)(void *memory, size_t size)
{
    count_one();
    return ORIGINAL(realloc)(memory, size);
}

void *REPLACED(calloc)(size_t count, size_t size)
{
    count_one();
    return ORIGINAL(calloc)(count, size);
}

void *REPLACED(aligned_alloc)(size_t alignment, size_t size)
{
    count_one();
    return ORIGINAL(aligned_alloc)(alignment, size);
}

int REPLACED(posix_memalign)(void **memory, size_t alignment, size_t size)
{
    count_one();
    *memory = ORIGINAL(aligned_alloc)(alignment, size);
    return *memory ? 0 : 12; /* ENOMEM */
}

static bool begin_to_count_mallocs(void)
{
    return true;
}
#endif

#endif
