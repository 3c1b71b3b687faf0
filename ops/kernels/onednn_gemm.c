/* Matrix products by oneDNN: of its two interfaces, each where it is faster. */
#include "ops/kernels/onednn_primitive.h"

#ifdef NM_HAVE_ONEDNN

#include <string.h>

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

static bool run_primitive(nm_context *context, nm_backend *b, const nm_gemm *g, bool bf16)
{
    nm_problem problem;
    memset(&problem, 0, sizeof problem);
    problem.direction = FORWARD;
    problem.bf16 = bf16;
    problem.threads = nm_onednn_threads();
    problem.product.m = g->m, problem.product.n = g->n, problem.product.k = g->k;
    problem.product.lda = g->lda, problem.product.ldb = g->ldb, problem.product.ldc = g->ldc;
    problem.product.transpose_a = g->transpose_a, problem.product.transpose_b = g->transpose_b;
    return nm_primitive_run(context, b, &problem, describe,
                            (const void *const[]){g->a, g->b, NULL, g->c});
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

static bool run_sgemm(const nm_backend *b, const nm_gemm *g)
{
    return b->dnnl.sgemm(g->transpose_a ? 'T' : 'N', g->transpose_b ? 'T' : 'N', g->m, g->n, g->k,
                         1, g->a, g->lda, g->b, g->ldb, g->accumulate ? 1 : 0, g->c,
                         g->ldc) == dnnl_success;
}

bool nm_onednn_gemm(nm_context *context, const nm_gemm *g, bool in_bf16)
{
    nm_backend *b = nm_onednn_backend(context);
    if (!b) {
        return false;
    }
    int before = nm_onednn_enter(context, g->m * g->n * g->k);
    bool bf16 = in_bf16 && !g->accumulate && is_dense(g);
    bool done = (bf16 && run_primitive(context, b, g, true)) ||
                (!in_bf16 && suits_primitive(g) && run_primitive(context, b, g, false)) ||
                (!in_bf16 && nm_context_status(context) == NM_OK && run_sgemm(b, g));
    nm_onednn_leave(before);
    return done;
}

#endif
