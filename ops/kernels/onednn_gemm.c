/* Matrix products by oneDNN: of its two interfaces, each where it is faster. */
#include "ops/kernels/onednn_primitive.h"

#ifdef NM_HAVE_ONEDNN

#include <string.h>

#include "core/thread.h"

/* b's layout is left open in bf16, where it has to be converted anyway. */
static bool describe(const nm_problem *problem, dnnl_engine_t engine,
                     dnnl_primitive_attr_t attributes, nm_description *out)
{
    int64_t m = problem->product.m, n = problem->product.n, k = problem->product.k;
    int64_t lda = problem->product.lda, ldb = problem->product.ldb;
    bool ta = problem->product.transpose_a, tb = problem->product.transpose_b;
    const int64_t b_size[] = {k, n}, b_strides[] = {tb ? 1 : ldb, tb ? ldb : 1};
    const nm_onednn *dnnl = out->dnnl;
    nm_layout *slots = out->slots;
    bool laid = nm_layout_create(dnnl, &slots[SOURCE], nm_slot_type(problem, SOURCE), 2,
                                 (int64_t[]){m, k}, (int64_t[]){ta ? 1 : lda, ta ? lda : 1}) &&
                nm_layout_create(dnnl, &slots[WEIGHTS], dnnl_f32, 2, b_size, b_strides) &&
                nm_layout_create(dnnl, &out->weights, nm_slot_type(problem, WEIGHTS), 2, b_size,
                                 problem->bf16 ? NULL : b_strides) &&
                nm_layout_create(dnnl, &slots[DESTINATION], dnnl_f32, 2, (int64_t[]){m, n},
                                 (int64_t[]){problem->product.ldc, 1});
    nm_operands on = nm_operands_of(problem, engine, attributes, out);
    return laid && nm_describe_product(&on, &out->primitive) == dnnl_success;
}

/* ---- Running them: each thread has some of the columns of c ---- */

#define UNIT 16 /* columns that go together */

static void describe_share(const nm_gemm *g, bool bf16, int i, int count, nm_onednn_share *s)
{
    const int64_t units = (g->n + UNIT - 1) / UNIT, first = i * units / count * UNIT;
    const int64_t end = (i + 1) * units / count * UNIT, last = end < g->n ? end : g->n;
    memset(s, 0, sizeof *s);
    s->problem.direction = FORWARD;
    s->problem.bf16 = bf16;
    s->problem.share = i;
    s->problem.product.m = g->m, s->problem.product.n = last - first, s->problem.product.k = g->k;
    s->problem.product.lda = g->lda, s->problem.product.ldb = g->ldb;
    s->problem.product.ldc = g->ldc;
    s->problem.product.transpose_a = g->transpose_a;
    s->problem.product.transpose_b = g->transpose_b;
    s->arrays[SOURCE] = g->a;
    s->arrays[WEIGHTS] = (const float *)g->b + first * (g->transpose_b ? g->ldb : 1);
    s->arrays[DESTINATION] = (const float *)g->c + first;
}

static bool run_primitive(nm_context *context, nm_backend *b, const nm_gemm *g, bool bf16)
{
    const int64_t units = (g->n + UNIT - 1) / UNIT;
    const int threads = nm_onednn_shares(context, g->m * g->n * g->k);
    const int count = (int)(units < threads ? units : threads);
    nm_onednn_share *shares = nm_scratch(context, (size_t)count * sizeof *shares);
    for (int i = 0; i < count && shares; i++) {
        describe_share(g, bf16, i, count, &shares[i]);
    }
    const bool done = shares && nm_onednn_run(context, b, describe, shares, count);
    nm_scratch_end(shares);
    return done;
}

static bool is_dense(const nm_gemm *g)
{
    return g->lda == (g->transpose_a ? g->m : g->k) && g->ldb == (g->transpose_b ? g->k : g->n);
}

/* A matrix times a transposed one, as in a dense layer's forward pass: there the primitive is up to
 * a third faster, elsewhere slower or even; and slower where rows of c lie apart. */
static bool suits_primitive(const nm_gemm *g)
{
    return g->ldc == g->n && g->transpose_b && !g->transpose_a && !g->accumulate && g->m >= 8 &&
           g->n >= 8;
}

/* Its other interface, which keeps nothing: each thread has some of the rows of c. */
typedef struct rows {
    const nm_backend *backend;
    const nm_gemm *g;
    int count;  /* of shares */
    int failed; /* atomic */
} rows;

static void run_rows(void *arg, int64_t begin, int64_t end)
{
    rows *r = arg;
    const nm_gemm *g = r->g;
    const int before = nm_onednn_enter(&r->backend->dnnl);
    const int64_t first = begin * g->m / r->count, last = end * g->m / r->count;
    const float *a = (const float *)g->a + first * (g->transpose_a ? 1 : g->lda);
    if (r->backend->dnnl.sgemm(g->transpose_a ? 'T' : 'N', g->transpose_b ? 'T' : 'N', last - first,
                               g->n, g->k, 1, a, g->lda, g->b, g->ldb, g->accumulate ? 1 : 0,
                               (float *)g->c + first * g->ldc, g->ldc) != dnnl_success) {
        __atomic_store_n(&r->failed, true, __ATOMIC_RELAXED);
    }
    nm_onednn_leave(&r->backend->dnnl, before);
}

static bool run_sgemm(nm_context *context, const nm_backend *b, const nm_gemm *g)
{
    rows r = {b, g, nm_onednn_shares(context, g->m * g->n * g->k), false};
    r.count = g->m < r.count ? (int)g->m : r.count;
    nm_parallel(context, r.count, 1, run_rows, &r);
    /* To some rows the product has been added, and must not be again. */
    if (r.failed && g->accumulate) {
        nm_fail(context, NM_ERROR_MEMORY, "out of memory in a product by oneDNN");
    }
    return !r.failed;
}

bool nm_onednn_gemm(nm_context *context, const nm_gemm *g, bool in_bf16)
{
    nm_backend *b = nm_onednn_backend(context);
    if (!b) {
        return false;
    }
    if (in_bf16) {
        return !g->accumulate && is_dense(g) && run_primitive(context, b, g, true);
    }
    return (suits_primitive(g) && run_primitive(context, b, g, false)) ||
           (nm_context_status(context) == NM_OK && run_sgemm(context, b, g));
}

#endif
