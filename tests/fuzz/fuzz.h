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

static inline void require(bool fine)
{
    if (!fine) {
        abort(); /* what the fuzzer looks for */
    }
}

/* A file in memory; its path goes to `path`, its number is to be closed. */
static inline int fuzz_file(const uint8_t *data, size_t size, char path[64])
{
    int number = memfd_create("fuzz", MFD_CLOEXEC);
    require(number >= 0 && write(number, data, size) == (ssize_t)size);
    snprintf(path, 64, "/proc/self/fd/%d", number);
    return number;
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
        f->context = nm_open(
            &(nm_context_options){.allocator = {.resize = fuzz_resize, .user = f}, .threads = 1});
        require(f->context);
        f->empty = f->used;
    }
    return f->context;
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
