#include <stdlib.h>

#include "core/guard.h"
#include "core/internal.h"
#include "core/processors.h"
#include "core/team.h"

/* ---- Life ---- */

static void *default_resize(void *user, void *memory, size_t size)
{
    (void)user;
    if (!size) {
        free(memory);
        return NULL;
    }
    return realloc(memory, size);
}

/* As programs are told to, whatever they share their work by. 0: not told. */
static int threads_told(void)
{
    const char *told = getenv("OMP_NUM_THREADS");
    const long count = told ? strtol(told, NULL, 10) : 0; /* the first of several, "4,2" */
    return count < 0 ? 0 : count < NM_MAX_THREADS ? (int)count : NM_MAX_THREADS;
}

static int threads_available(void)
{
    const int told = threads_told();
    if (told) {
        return told;
    }
    const int all = nm_processors(), allowed = nm_processors_of_groups("");
    return allowed && allowed < all ? allowed : all;
}

nm_context *nm_context_create(const nm_context_options *options)
{
    nm_context_options o = options ? *options : (nm_context_options){0};
    if (!o.allocator.resize) {
        o.allocator = (nm_allocator){default_resize, NULL};
    }
    nm_context *context = o.allocator.resize(o.allocator.user, NULL, sizeof *context);
    if (!context) {
        return NULL;
    }
    *context = (nm_context){.allocator = o.allocator,
                            .seed = o.seed,
                            .log = o.log,
                            .log_user = o.log_user,
                            .holders = 1,
                            .blocks = 1};
    nm_context_set_threads(context, o.threads);
    context->threads_chosen = o.threads > 0;
    for (int kind = 0; kind < NM_KIND_COUNT; kind++) {
        context->kinds[kind] = nm_map_create(context);
        if (!context->kinds[kind]) {
            nm_context_destroy(context);
            return NULL;
        }
    }
    return context;
}

const char *nm_context_label(nm_context *context, const char *text)
{
    if (!context->labels) {
        context->labels = nm_map_create(context);
    }
    return context->labels ? nm_map_intern(context->labels, text) : NULL;
}

/* ---- State of modules ---- */

#define STATE_OFFSET ((sizeof(nm_attachment) + 15) & ~(size_t)15)

static void *state_of(nm_attachment *attachment)
{
    return (char *)attachment + STATE_OFFSET;
}

void *nm_context_attached(const nm_context *context, const void *key)
{
    NM_GIVEN(context, NULL);
    for (nm_attachment *a = context->attachments; a; a = a->next) {
        if (a->key == key) {
            return state_of(a);
        }
    }
    return NULL;
}

void *nm_context_attach(nm_context *context, const void *key, size_t size,
                        void (*destroy)(nm_context *context, void *state))
{
    void *there = nm_context_attached(context, key);
    if (there) {
        return there;
    }
    nm_attachment *a = nm_alloc_zero(context, 1, STATE_OFFSET + size);
    if (!a) {
        return NULL;
    }
    *a = (nm_attachment){.next = context->attachments, .key = key, .destroy = destroy};
    context->attachments = a;
    return state_of(a);
}

static void destroy_attachments(nm_context *context)
{
    while (context->attachments) {
        nm_attachment *a = context->attachments;
        context->attachments = a->next;
        if (a->destroy) {
            a->destroy(context, state_of(a));
        }
        nm_free(context, a);
    }
}

/* Of a context that is closed with things alive: it stays until they are destroyed, fit for that
 * and nothing else. */
static void outlive(nm_context *context)
{
    nm_context_log(
        context, NM_LOG_WARNING,
        "the context was closed before all that was made in it was destroyed: %zu blocks "
        "of memory are still held",
        context->blocks - 1);
    nm_context_clear_error(context);
    nm_fail(context, NM_ERROR_INPUT, "the context of this was closed already");
    context->log = NULL;
    context->closed = true;
}

static void end(nm_context *context)
{
    destroy_attachments(context);
    for (int kind = 0; kind < NM_KIND_COUNT; kind++) {
        nm_map_destroy(context->kinds[kind]);
        context->kinds[kind] = NULL;
    }
    nm_map_destroy(context->labels);
    context->labels = NULL;
    nm_tapes_forget(context);
    nm_tensors_forget(context);
    nm_context_trim(context);
    nm_team_destroy(context->team);
    context->team = NULL;
    if (context->blocks > 1) {
        outlive(context);
    }
    nm_context_let_go(context);
}

/* ---- Holders, in any thread ---- */

void nm_context_hold(nm_context *context)
{
    __atomic_add_fetch(&context->holders, 1, __ATOMIC_RELAXED);
}

void nm_context_release(nm_context *context)
{
    if (__atomic_sub_fetch(&context->holders, 1, __ATOMIC_ACQ_REL) == 0) {
        end(context);
    }
}

void nm_context_destroy(nm_context *context)
{
    if (!context) {
        return;
    }
    const int others = __atomic_load_n(&context->holders, __ATOMIC_ACQUIRE) - 1;
    if (others > 0) {
        nm_context_log(context, NM_LOG_WARNING,
                       "the context was closed while %d predictors of others read its networks; it "
                       "goes with the last of them",
                       others);
        context->log = NULL; /* that will be in another thread */
    }
    nm_context_release(context);
}

/* ---- Settings ---- */

int nm_context_threads(const nm_context *context)
{
    NM_GIVEN(context, 1);
    return context->threads;
}

void nm_context_set_threads(nm_context *context, int threads)
{
    NM_GIVEN(context, );
    threads = threads > 0 ? threads : threads_available();
    context->threads = threads < NM_MAX_THREADS ? threads : NM_MAX_THREADS;
    context->threads_chosen = true;
}

void nm_context_compute_alone(nm_context *context)
{
    if (!context->threads_chosen) {
        nm_context_set_threads(context, 1);
    }
}

uint64_t nm_context_seed(const nm_context *context)
{
    NM_GIVEN(context, 0);
    return context->seed;
}
