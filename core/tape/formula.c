/* A backward pass within another: through what a vjp has just recorded, and no further. Nothing
 * pends there but what is seeded, and the formula's inputs are tensors of its own, so that what
 * pends on the op's is not touched. */
#include "core/tape/formula.h"

#include "core/guard.h"
#include "core/tape/pass.h"

/* x as the result of an op, sum_to of its own shape; x itself where no gradient goes to it. */
static nm_tensor *stand_in(nm_tape *tape, nm_tensor *x)
{
    if (!x || !x->requires_grad) {
        return x;
    }
    nm_shape_options o = {.struct_size = sizeof o, .shape = {NM_LIST, x->shape.rank, {0}}};
    for (int d = 0; d < x->shape.rank; d++) {
        o.shape.at[d] = x->shape.dim[d];
    }
    return nm_apply1(tape, tape->sum_to, &o, x);
}

static nm_status go_back(nm_pass *p, const nm_vjp *v, nm_tensor *const *out)
{
    for (int i = 0; i < v->outputs; i++) {
        if (out[i] && v->gout[i] && out[i]->requires_grad) {
            nm_pass_add(p, out[i], v->gout[i]);
        }
    }
    return p->context->status == NM_OK ? nm_pass_walk(p) : p->context->status;
}

static void take_results(const nm_vjp *v, nm_tensor *const *in)
{
    for (int i = 0; i < v->inputs; i++) {
        nm_tensor *x = v->in[i];
        if (!x || in[i] == x) {
            continue;
        }
        if (v->need[i]) {
            v->gin[i] =
                in[i]->pending ? in[i]->pending : nm_full(v->tape, nm_wide(x->dtype), x->shape, 0);
        }
        in[i]->pending = NULL;
    }
}

nm_tensor *nm_vjp_of_formula(nm_vjp *v, int input, nm_formula *formula)
{
    nm_tape *tape = v->tape;
    nm_tensor *in[NM_MAX_INPUTS] = {NULL}, *out[NM_MAX_OUTPUTS] = {NULL};
    const int64_t begin = tape->node_count;
    for (int i = 0; i < v->inputs; i++) {
        in[i] = stand_in(tape, v->in[i]);
    }
    nm_pass p = {.tape = tape,
                 .context = tape->context,
                 .first = tape->node_count,
                 .graph = true,
                 .everything = true};
    nm_compose c = {tape, v->op, v->options, v->inputs, in, out};
    out[0] = p.context->status == NM_OK ? formula(&c) : NULL;
    p.last = tape->node_count - 1;
    if (p.context->status == NM_OK && go_back(&p, v, out) == NM_OK) {
        take_results(v, in);
        return v->gin[input];
    }
    for (int64_t i = begin; i <= p.last; i++) {
        for (int k = 0; k < tape->nodes[i]->outputs; k++) {
            nm_node_outputs(tape->nodes[i])[k]->pending = NULL;
        }
    }
    return NULL;
}
