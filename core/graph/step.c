/* A whole step from a plan. Promises:
 *
 * 1. The same bits as the pass and nm_backward() on a tape: the same computations, in their order.
 * 2. Gradients lie in one piece of the pool's memory, which goes back when all of them are cleared.
 * 3. After the first run, none asks the allocator for anything, as long as gradients are cleared
 *    before the next. */
#include "core/graph/step.h"

#include <math.h>

#include "core/graph/plan_internal.h"
#include "core/guard.h"

/* One element of either type. */
typedef union number {
    float f32;
    double f64;
} number;

struct nm_step_plan {
    nm_context *context;
    nm_plan *plan;
    const nm_op *add;
    nm_tensor **learned; /* whose gradient output 1 + i is */
    size_t *offsets;     /* of those gradients in their memory */
    void **out;          /* where outputs go in a run */
    int learned_count;
    size_t bytes; /* of all gradients */
    nm_dtype dtype;
    number seed, loss; /* a loss that is no result lies elsewhere */
};

void nm_step_plan_destroy(nm_step_plan *p)
{
    if (!p) {
        return;
    }
    nm_plan_destroy(p->plan);
    nm_free(p->context, p->learned);
    nm_free(p->context, p->offsets);
    nm_free(p->context, p->out);
    nm_free(p->context, p);
}

static nm_status fill_in(nm_step_plan *p, nm_graph *graph)
{
    const size_t count = (size_t)graph->learned_count + 1;
    p->add = nm_find_op(p->context, "add");
    p->learned = nm_alloc_zero(p->context, count, sizeof(nm_tensor *));
    p->offsets = nm_alloc_zero(p->context, count, sizeof *p->offsets);
    p->out = nm_alloc_zero(p->context, count, sizeof *p->out);
    p->plan = nm_plan_make(graph);
    if (!p->learned || !p->offsets || !p->out || !p->plan) {
        return nm_context_status(p->context);
    }
    for (int i = 0; i < graph->learned_count; i++) {
        const size_t bytes = nm_tensor_bytes(graph->learned[i]);
        p->learned[i] = graph->learned[i];
        p->offsets[i] = p->bytes;
        p->bytes += (bytes + NM_ALIGNMENT - 1) & ~(size_t)(NM_ALIGNMENT - 1);
    }
    p->learned_count = graph->learned_count;
    p->dtype = (nm_dtype)p->plan->outputs[0]->dtype;
    p->out[0] = &p->loss;
    return NM_OK;
}

nm_step_plan *nm_step_plan_create(nm_graph *graph)
{
    nm_step_plan *p = nm_alloc_zero(graph->context, 1, sizeof *p);
    if (!p) {
        return NULL;
    }
    p->context = graph->context;
    if (fill_in(p, graph) != NM_OK) {
        nm_step_plan_destroy(p);
        return NULL;
    }
    return p;
}

bool nm_step_plan_is_current(const nm_step_plan *p)
{
    bool same = true;
    for (int i = 0; i < p->plan->own_count; i++) {
        const nm_plan_own *own = &p->plan->owns[i];
        same &= own->tensor->requires_grad == own->requires_grad && own->tensor->data;
    }
    return same;
}

/* ---- A run ---- */

static void bind(nm_step_plan *p, nm_buffer *block, nm_buffer *gradients, void *const *in,
                 double seed)
{
    void *all[NM_GRAPH_MAX_INPUTS];
    const int last = p->plan->input_count - 1;
    for (int i = 0; i < last; i++) {
        all[i] = in[i];
    }
    all[last] = &p->seed;
    if (p->dtype == NM_F32) {
        p->seed.f32 = (float)seed;
    } else {
        p->seed.f64 = seed;
    }
    for (int i = 0; i < p->learned_count; i++) {
        p->out[i + 1] = (char *)nm_buffer_data(gradients) + p->offsets[i];
    }
    nm_plan_bind(p->plan, block, all, p->out);
}

/* Adds a gradient to what the tensor has, or lets it have it. */
static nm_status hand_over(const nm_step_plan *p, nm_buffer *gradients, int i)
{
    nm_tensor *of = p->learned[i];
    if (!of->grad && nm_tensor_make_grad(of) != NM_OK) {
        return NM_ERROR_MEMORY;
    }
    nm_tensor *grad = of->grad;
    if (grad->data) {
        nm_tensor made = *grad, *in[] = {grad, &made};
        made.data = p->out[i + 1];
        grad->spent *= 2;
        return nm_run_op(p->context, p->add, NULL, (nm_dtype)of->dtype, in, 2, &grad);
    }
    grad->spent = 0;
    grad->data = p->out[i + 1];
    grad->buffer = gradients;
    gradients->references++;
    return NM_OK;
}

static nm_status run_backward(const nm_step_plan *p, nm_buffer *gradients, nm_random *random)
{
    nm_status status = nm_plan_go(p->plan, p->plan->turn, p->plan->step_count, random);
    if (status == NM_OK) {
        nm_plan_deliver(p->plan, p->out);
    }
    for (int i = 0; i < p->learned_count && status == NM_OK; i++) {
        status = hand_over(p, gradients, i);
    }
    return status;
}

static void count_cost(const nm_plan *plan, nm_tape *tape)
{
    tape->cost.ops += plan->cost.ops;
    tape->cost.bytes += plan->cost.bytes;
    tape->cost.multiply_adds += plan->cost.multiply_adds;
}

/* With memory for it. */
static nm_status run(nm_step_plan *p, nm_buffer *gradients, nm_random *random, double *loss)
{
    nm_status status = nm_plan_go(p->plan, 0, p->plan->turn, random);
    if (status != NM_OK) {
        return status;
    }
    *loss = nm_element_load(p->plan->outputs[0], 0);
    return isfinite(*loss) ? run_backward(p, gradients, random) : NM_OK;
}

nm_status nm_step_plan_run(nm_step_plan *p, nm_tape *tape, nm_random *random, void *const *in,
                           double seed, double *loss)
{
    nm_buffer *block = nm_buffer_create(p->context, p->plan->bytes);
    nm_buffer *gradients = block ? nm_buffer_create(p->context, p->bytes) : NULL;
    nm_status status = gradients ? NM_OK : NM_ERROR_MEMORY;
    if (status == NM_OK) {
        bind(p, block, gradients, in, seed);
        status = run(p, gradients, random, loss);
        count_cost(p->plan, tape);
    }
    nm_buffer_release(gradients);
    nm_buffer_release(block);
    return status;
}
