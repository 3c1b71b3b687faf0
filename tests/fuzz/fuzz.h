/* What the fuzzers share: what they look for, files in memory, and a context for many inputs. */
#ifndef NM_TESTS_FUZZ_FUZZ_H
#define NM_TESTS_FUZZ_FUZZ_H

#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/internal.h"
#include "models/open.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A claim; that it does not hold is what the fuzzer looks for. */
#define require(fine) ((fine) ? (void)0 : fuzz_found(#fine, __FILE__, __LINE__))

static inline void fuzz_found(const char *claim, const char *file, int line)
{
    fprintf(stderr, "%s:%d: this does not hold: %s\n", file, line, claim);
    abort();
}

/* A file in memory, in which each input's bytes take the place of the last one's. */
typedef struct fuzz_file {
    int number;
    char path[32]; /* empty: not made yet */
} fuzz_file;

/* Returns the path. */
static inline const char *fuzz_put(fuzz_file *f, const void *data, size_t size)
{
    if (!*f->path) {
        f->number = memfd_create("fuzz", MFD_CLOEXEC);
        require(f->number >= 0);
        snprintf(f->path, sizeof f->path, "/proc/self/fd/%d", f->number);
    }
    require(pwrite(f->number, data, size, 0) == (ssize_t)size);
    require(ftruncate(f->number, (off_t)size) == 0);
    return f->path;
}

/* A new folder among the system's temporary ones. */
static inline void fuzz_folder(char path[64])
{
    const char *all = getenv("TMPDIR");
    require(snprintf(path, 64, "%s/norma-fuzz-XXXXXX", all && *all ? all : "/tmp") < 64 &&
            mkdtemp(path));
}

/* ---- A context ----
 * Opening one takes longer than most inputs do, so that it stays for the next ones, without what
 * modules keep in it. What an input made must be gone behind it. */

#define FUZZ_MEMORY ((size_t)16 << 20) /* more is not given out */

typedef struct fuzz_context {
    bool bare; /* with nothing registered */
    nm_context *context;
    size_t most;        /* bytes given out at once */
    size_t used, empty; /* now; with nothing in it */
} fuzz_context;

static inline void *fuzz_resize(void *user, void *memory, size_t size)
{
    fuzz_context *f = user;
    const size_t before = memory ? malloc_usable_size(memory) : 0;
    if (!size) {
        f->used -= before;
        free(memory);
        return NULL;
    }
    void *result = size <= f->most - (f->used - before) ? realloc(memory, size) : NULL;
    if (result) {
        f->used += malloc_usable_size(result) - before;
    }
    return result;
}

static inline nm_context *fuzz_begin(fuzz_context *f)
{
    if (!f->context) {
        const nm_context_options options = {.allocator = {.resize = fuzz_resize, .user = f},
                                            .threads = 1};
        f->context = f->bare ? nm_context_create(&options) : nm_open(&options);
        require(f->context);
        f->empty = f->used;
    }
    return f->context;
}

/* What was made since the beginning stays for the inputs to come. */
static inline void fuzz_keep(fuzz_context *f)
{
    f->empty = f->used;
}

/* As when the context ends. */
static inline void fuzz_detach(nm_context *context)
{
    while (context->attachments) {
        nm_attachment *a = context->attachments;
        context->attachments = a->next;
        if (a->destroy) {
            a->destroy(context, (char *)a + ((sizeof *a + 15) & ~(size_t)15));
        }
        nm_free(context, a);
    }
}

static inline void fuzz_end(fuzz_context *f)
{
    nm_context_clear_error(f->context);
    nm_tapes_forget(f->context);
    nm_tensors_forget(f->context);
    nm_context_trim(f->context);
    fuzz_detach(f->context);
    nm_map_destroy(f->context->labels);
    f->context->labels = NULL;
    require(f->used == f->empty);
}

#endif
