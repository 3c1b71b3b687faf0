/* What a context has of oneDNN: the switches, the engine, the threads. */
#include "ops/kernels/onednn.h"

#include "core/thread.h"
#include "ops/kernels/onednn_primitive.h"
#include "ops/linear.h"

static const char state_key;

#ifdef NM_HAVE_ONEDNN

#include <sys/mman.h>
#include <sys/resource.h>

#ifdef _OPENMP
#include <omp.h>
#endif

static void destroy_backend(nm_context *context, void *memory)
{
    nm_backend *b = memory;
    nm_primitives_destroy(context, b);
    if (b->stream) dnnl_stream_destroy(b->stream);
    if (b->engine) dnnl_engine_destroy(b->engine);
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

#define RESERVE ((size_t)32 << 20) /* bytes that oneDNN takes for one product, at the very most */

/* Whether the system says how much memory the process may have. */
static bool is_limited(void)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
}

/* oneDNN does not look whether it got the memory that it asked for. So where memory can run out, as
 * much is asked for before; where it is not there, Norma's own kernels compute. */
static bool has_room(void)
{
    void *room = mmap(NULL, RESERVE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return room != MAP_FAILED && munmap(room, RESERVE) == 0;
}

nm_backend *nm_onednn_backend(nm_context *context)
{
    nm_backend *b = find_backend(context);
    if (!b || b->switches.off) {
        return NULL;
    }
    b->limited = b->stream ? b->limited : is_limited();
    if (b->limited && !has_room()) {
        return NULL;
    }
    if (!b->stream &&
        (dnnl_engine_create(&b->engine, dnnl_cpu, 0) != dnnl_success ||
         dnnl_stream_create(&b->stream, b->engine, dnnl_stream_default_flags) != dnnl_success)) {
        b->switches.off = true;
        return NULL;
    }
    return b;
}

/* Multiply-adds below which waiting for a second thread costs more than it brings. */
#define WORTH_THREADS (1 << 19)

int nm_onednn_enter(nm_context *context, int64_t multiply_adds)
{
#ifdef _OPENMP
    int before = omp_get_max_threads();
    const bool one = multiply_adds < WORTH_THREADS || !nm_may_use_threads();
    omp_set_num_threads(one ? 1 : nm_context_threads(context));
    return before;
#else
    (void)context;
    (void)multiply_adds;
    return 1;
#endif
}

void nm_onednn_leave(int before)
{
#ifdef _OPENMP
    omp_set_num_threads(before);
#else
    (void)before;
#endif
}

int nm_onednn_threads(void)
{
#ifdef _OPENMP
    return omp_get_max_threads();
#else
    return 1;
#endif
}

bool nm_onednn_takes_bf16(nm_context *context)
{
    const nm_backend *b = nm_onednn_backend(context);
    return b && (b->switches.emulate_bf16 || nm_has_bf16());
}

int nm_onednn_version(void)
{
    const dnnl_version_t *version = dnnl_version();
    return version->major * 100 + version->minor;
}

bool nm_has_onednn(void)
{
    return true;
}

bool nm_has_bf16(void)
{
    unsigned wanted = dnnl_cpu_isa_avx512_core_bf16;
    return ((unsigned)dnnl_get_effective_cpu_isa() & wanted) == wanted;
}

#else /* without oneDNN */

static nm_onednn_switches *find_switches(nm_context *context)
{
    return nm_context_attach(context, &state_key, sizeof(nm_onednn_switches), NULL);
}

bool nm_onednn_gemm(nm_context *context, const nm_gemm *g)
{
    (void)context;
    (void)g;
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

bool nm_onednn_takes_bf16(nm_context *context)
{
    (void)context;
    return false;
}

int nm_onednn_version(void)
{
    return 0;
}

bool nm_has_onednn(void)
{
    return false;
}

bool nm_has_bf16(void)
{
    return false;
}

#endif

bool nm_context_set_onednn(nm_context *context, bool on)
{
    nm_onednn_switches *s = find_switches(context);
    bool before = s && !s->off;
    if (s) {
        s->off = !on;
    }
    return before;
}

bool nm_context_emulate_bf16(nm_context *context, bool on)
{
    nm_onednn_switches *s = find_switches(context);
    bool before = s && s->emulate_bf16;
    if (s) {
        s->emulate_bf16 = on;
    }
    return before;
}
