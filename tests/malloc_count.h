/* Counts every allocation of the process, whoever asks for it: the C library's malloc() and its
 * siblings are replaced by ones that count, or under AddressSanitizer its hook is used. For one
 * source file of a program. */
#ifndef NM_TESTS_MALLOC_COUNT_H
#define NM_TESTS_MALLOC_COUNT_H

#include <stdbool.h>
#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
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
/* Hidden, they would be for this program's own calls only. */
#define REPLACES __attribute__((visibility("default")))

void *__libc_malloc(size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

REPLACES void *malloc(size_t size)
{
    count_one();
    return __libc_malloc(size);
}

REPLACES void *realloc(void *memory, size_t size)
{
    count_one();
    return __libc_realloc(memory, size);
}

REPLACES void *calloc(size_t count, size_t size)
{
    count_one();
    return __libc_calloc(count, size);
}

REPLACES void *aligned_alloc(size_t alignment, size_t size)
{
    count_one();
    return __libc_memalign(alignment, size);
}

REPLACES int posix_memalign(void **memory, size_t alignment, size_t size)
{
    count_one();
    *memory = __libc_memalign(alignment, size);
    return *memory ? 0 : 12; /* ENOMEM */
}

static bool begin_to_count_mallocs(void)
{
    return true;
}
#endif

#endif
