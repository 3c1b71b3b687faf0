/* The context: what everything hangs off. It holds the allocator, the thread count, the seed, the
 * log callback, the first error, the memory pool and the registries. There are no globals: two
 * contexts used by two threads never meet. One context is used by one thread at a time. */
#ifndef NM_CORE_CONTEXT_H
#define NM_CORE_CONTEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define NM_API __attribute__((visibility("default")))
#define NM_COMMAND_API NM_API /* for the command's library alone: no part of the interface */
#define NM_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define NM_API
#define NM_COMMAND_API
#define NM_PRINTF(text, first)
#endif

typedef struct nm_context nm_context;

/* What a function returns. Zero is success; every failure is negative. */
typedef enum nm_status {
    NM_OK = 0,
    NM_ERROR_MEMORY = -1,    /* the allocator returned NULL */
    NM_ERROR_INPUT = -2,     /* an argument, option, name or shape given by the caller is wrong */
    NM_ERROR_FORMAT = -3,    /* a file's contents are wrong */
    NM_ERROR_IO = -4,        /* the operating system refused: missing file, full disk, ... */
    NM_ERROR_NUMERIC = -5,   /* a NaN or infinity was found where one was looked for */
    NM_ERROR_CANCELLED = -6, /* a callback asked to stop */
    NM_ERROR_INTERNAL = -7   /* an op or layer broke its contract */
} nm_status;

/* The field's name in small letters, such as "out of memory"; never NULL. */
NM_API const char *nm_status_name(nm_status status);

/* The allocator. `resize` is realloc: NULL asks for new memory, size 0 frees and returns NULL.
 * Memory is aligned as malloc's is. A NULL `resize` means the C library's. */
typedef struct nm_allocator {
    void *(*resize)(void *user, void *memory, size_t size);
    void *user;
} nm_allocator;

typedef enum nm_log_level { NM_LOG_DEBUG, NM_LOG_INFO, NM_LOG_WARNING } nm_log_level;

/* The library prints nothing; what it has to say beyond errors it says here. */
typedef void (*nm_log_fn)(void *user, nm_log_level level, const char *message);

typedef struct nm_context_options {
    nm_allocator allocator; /* NULL resize: malloc */
    int threads;            /* 0: as many as this process may use; see below */
    uint64_t seed;          /* of the context's random stream */
    nm_log_fn log;          /* NULL: silence */
    void *log_user;
} nm_context_options;

/* A context without ops, layers or anything registered (nm_open() makes a full one). `options` may
 * be NULL. Returns NULL only if memory ran out. */
NM_API nm_context *nm_context_create(const nm_context_options *options);
/* Frees it. Tensors, tapes, stores and all else made in it should be destroyed before; a warning is
 * logged if some are not. They can be destroyed afterwards too, and nothing else: the last one
 * takes the context's memory along. NULL is fine. */
NM_API void nm_context_destroy(nm_context *context);

/* A copy of the text that lives as long as the context; the same one for the same text. For few
 * texts: none is ever forgotten. NULL without memory. The library's own. */
const char *nm_context_label(nm_context *context, const char *text);

/* Another context reads what was made in this one, or does no more: as long as one does, the
 * context does not end, whatever its user says. In any thread. The library's own. */
void nm_context_hold(nm_context *context);
void nm_context_release(nm_context *context);

/* ---- Errors: the context keeps the first one until it is cleared. ----
 *
 * Calls may be chained, with one check at the end: every public function takes the NULL that a
 * failed one returned, and answers with its own failure (NULL, a status below 0, NaN, false, 0),
 * while the first error stays. What a call fills in is empty then, fit to be closed. A NULL that no
 * failed call returned is an error with the argument's name. Without a context, the status is
 * NM_ERROR_MEMORY. */

NM_API nm_status nm_context_status(const nm_context *context);
/* The full message of the first error, "" if there is none; several lines where one call found
 * several independent errors. Owned by the context, valid until the next failure or clear. Never
 * NULL. */
NM_API const char *nm_context_error(const nm_context *context);
NM_API void nm_context_clear_error(nm_context *context);

/* Reports a failure and returns `status`. Keeps the first: while an error stands, later ones are
 * dropped. Never allocates: the text is cut at 8 KiB. Control characters but for ends of lines and
 * tabs, and bytes that are not UTF-8, become \x1b: names in files cannot steer a terminal. */
NM_API nm_status nm_fail(nm_context *context, nm_status status, const char *format, ...)
    NM_PRINTF(3, 4);
NM_API nm_status nm_fail_v(nm_context *context, nm_status status, const char *format, va_list list);
/* Puts "prefix: " before the standing error's message, to say where it happened. Returns the
 * standing status, so that `return nm_fail_in(context, "layer 3")` reads well. */
NM_API nm_status nm_fail_in(nm_context *context, const char *format, ...) NM_PRINTF(2, 3);

NM_API void nm_context_log(nm_context *context, nm_log_level level, const char *format, ...)
    NM_PRINTF(3, 4);

/* ---- Memory through the context's allocator. Failure sets NM_ERROR_MEMORY. ---- */

NM_API void *nm_alloc(nm_context *context, size_t size);                    /* not cleared */
NM_API void *nm_alloc_zero(nm_context *context, size_t count, size_t size); /* overflow-checked */
NM_API void *nm_resize(nm_context *context, void *memory, size_t size); /* old kept on failure */
NM_API void nm_free(nm_context *context, const void *memory);           /* NULL is fine */
NM_API char *nm_copy_string(nm_context *context, const char *text);     /* NULL gives NULL */
/* printf into new memory; free with nm_free(). */
NM_API char *nm_format(nm_context *context, const char *format, ...) NM_PRINTF(2, 3);

/* Bytes now held in the pool for tensor buffers (in use and waiting), and their peak. */
NM_API size_t nm_context_pool_bytes(const nm_context *context);
NM_API size_t nm_context_pool_peak(const nm_context *context);
/* Gives buffers that wait in the pool back to the allocator. */
NM_API void nm_context_trim(nm_context *context);

/* ---- Settings ---- */

#define NM_MAX_THREADS 1024

/* How many share a loop. Fewer of them work while other programs want the cores, with the same
 * results. In a process that was forked from one that used the library, all runs in one thread,
 * whatever this says: threads do not come along. */
NM_API int nm_context_threads(const nm_context *context);
/* 0: as many as OMP_NUM_THREADS says, or else as there are processors for this process: those it
 * may run on, but no more than its control group's share of their time (a container's limit). More
 * than NM_MAX_THREADS are that many: the system would refuse them. */
NM_API void nm_context_set_threads(nm_context *context, int threads);
/* One thread, unless its user chose how many. The library's own. */
void nm_context_compute_alone(nm_context *context);
NM_API uint64_t nm_context_seed(const nm_context *context);

/* ---- State that a module keeps for each context, such as a cache ---- */

/* The module's state: `size` bytes, zeros when asked for first, found again by `key` (the address
 * of something of the module's own). `destroy` (may be NULL) runs when the context is destroyed.
 * NULL on failure. */
NM_API void *nm_context_attach(nm_context *context, const void *key, size_t size,
                               void (*destroy)(nm_context *context, void *state));

#ifdef __cplusplus
}
#endif
#endif
