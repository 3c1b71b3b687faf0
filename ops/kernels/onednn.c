/* What a context has of oneDNN: the switches, the engine, the threads. */
#include "ops/kernels/onednn.h"

#include <stdio.h>

#include "core/thread.h"
#include "ops/kernels/onednn_primitive.h"
#include "ops/linear.h"

static const char state_key;

#ifdef NM_HAVE_ONEDNN

static void destroy_backend(nm_context *context, void *memory)
{
    nm_backend *b = memory;
    nm_primitives_destroy(context, b);
    if (b->engine) b->dnnl.engine_destroy(b->engine);
    nm_onednn_unload(&b->dnnl);
}

static nm_backend *find_backend(nm_context *context)
{
    return nm_context_attach(context, &state_key, sizeof(nm_backend), destroy_backend);
}

static nm_onednn_switches *find_switches(nm_context *context)
{
    nm_backend *b = find_backend(context);
    return b ? &b->switches : NULL;
}

/* oneDNN does not look whether it got the memory that it asked for. So where memory can run out, as
 * much is asked for before; where it is not there, Norma's own kernels compute. */
#define RESERVE ((size_t)32 << 20) /* bytes that it takes for one product, at the very most */

/* Loads it and makes what a context has of it. */
static bool begin(nm_backend *b)
{
    char why[NM_ONEDNN_WHY];
    b->limited = nm_memory_is_limited();
    return nm_onednn_load(&b->dnnl, why, sizeof why) &&
           b->dnnl.engine_create(&b->engine, dnnl_cpu, 0) == dnnl_success;
}

nm_backend *nm_onednn_backend(nm_context *context)
{
    nm_backend *b = find_backend(context);
    if (!b || b->switches.off || b->failed) {
        return NULL;
    }
    if (!b->engine && !begin(b)) {
        b->failed = true;
        return NULL;
    }
    return b->limited && !nm_memory_has(RESERVE) ? NULL : b;
}

/* Multiply-adds below which waiting for a second thread costs more than it brings. */
#define WORTH_THREADS (1 << 19)

int nm_onednn_shares(nm_context *context, int64_t multiply_adds)
{
    return multiply_adds < WORTH_THREADS ? 1 : nm_context_threads(context);
}

bool nm_onednn_is_used(nm_context *context)
{
    const nm_backend *b = find_backend(context);
    return b && b->engine;
}

int nm_onednn_version(char *why, size_t room)
{
    nm_onednn dnnl;
    if (!nm_onednn_load(&dnnl, why, room)) {
        return 0;
    }
    const dnnl_version_t *version = dnnl.version();
    int number = version->major * 100 + version->minor;
    nm_onednn_unload(&dnnl);
    return number;
}

#else /* without oneDNN */

static nm_onednn_switches *find_switches(nm_context *context)
{
    return nm_context_attach(context, &state_key, sizeof(nm_onednn_switches), NULL);
}

bool nm_onednn_gemm(nm_context *context, const nm_gemm *g, bool in_bf16)
{
    (void)context, (void)g, (void)in_bf16;
    return false;
}

bool nm_onednn_conv_forward(nm_context *context, const nm_conv *conv, const void *x, const void *w,
                            const void *bias, void *y)
{
    (void)context, (void)conv, (void)x, (void)w, (void)bias, (void)y;
    return false;
}

bool nm_onednn_conv_input_grad(nm_context *context, const nm_conv *conv, const void *dy,
                               const void *w, void *dx)
{
    (void)context, (void)conv, (void)dy, (void)w, (void)dx;
    return false;
}

bool nm_onednn_conv_weight_grad(nm_context *context, const nm_conv *conv, const void *x,
                                const void *dy, void *dw)
{
    (void)context, (void)conv, (void)x, (void)dy, (void)dw;
    return false;
}

bool nm_onednn_is_used(nm_context *context)
{
    (void)context;
    return false;
}

int nm_onednn_version(char *why, size_t room)
{
    snprintf(why, room, "the library was built without it");
    return 0;
}

#endif

bool nm_has_onednn(void)
{
    char why[NM_ONEDNN_WHY];
    return nm_onednn_version(why, sizeof why) != 0;
}

bool nm_context_set_onednn(nm_context *context, bool on)
{
    nm_onednn_switches *s = find_switches(context);
    bool before = s && !s->off;
    if (s) {
        s->off = !on;
    }
    return before;
}
