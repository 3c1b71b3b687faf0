/* Steps that depend on the program's own tensors alone, computed once. A constant is known by its
 * recipe, so that graphs of one network for several shapes share it. */
#include <string.h>

#include "core/graph/edit.h"
#include "core/graph/internal.h"

/* An op on known tensors, or a full tensor, and what it makes. */
typedef struct recipe {
    struct recipe *next;
    const nm_op *op; /* NULL: `number` in every place */
    double number;
    int inputs, outputs;
    uint64_t clock; /* the context's, when it was computed */
    nm_tensor *in[NM_MAX_INPUTS], *out[NM_MAX_OUTPUTS];
    size_t option_bytes;
    const void *options;
} recipe;

struct nm_constants {
    nm_context *context;
    const nm_constants *parent;
    recipe *first, **end; /* in the order in which they are computed */
};

nm_constants *nm_constants_create(nm_context *context, const nm_constants *parent)
{
    nm_constants *constants = nm_alloc_zero(context, 1, sizeof *constants);
    if (constants) {
        constants->context = context;
        constants->parent = parent;
        constants->end = &constants->first;
    }
    return constants;
}

static void destroy_recipe(nm_context *context, recipe *r)
{
    for (int i = 0; i < r->outputs; i++) {
        nm_tensor_destroy(r->out[i]);
    }
    for (int i = 0; i < r->inputs; i++) {
        nm_tensor_give_up(context, r->in[i]);
    }
    nm_free(context, r);
}

void nm_constants_destroy(nm_constants *constants)
{
    if (!constants) {
        return;
    }
    for (recipe *r = constants->first, *next; r; r = next) {
        next = r->next;
        destroy_recipe(constants->context, r);
    }
    nm_free(constants->context, constants);
}

/* ---- Computing ---- */

static nm_status compute_on(nm_tape *tape, recipe *r)
{
    nm_tensor *out[NM_MAX_OUTPUTS];
    if (!r->op) {
        return nm_tensor_fill(r->out[0], r->number);
    }
    nm_tape_set_recording(tape, false);
    for (int i = 0; i < r->inputs; i++) {
        if (r->in[i] && r->in[i]->context != tape->context) {
            tape->lender = r->in[i]->context;
        }
    }
    nm_status status = nm_apply(tape, r->op, r->in, r->inputs, r->options, out);
    for (int i = 0; i < r->outputs && status == NM_OK; i++) {
        status = nm_tensor_assign(r->out[i], out[i]);
    }
    return status;
}

static nm_status compute(nm_context *context, recipe *r)
{
    nm_tape *tape = nm_tape_create(context);
    nm_status status = tape ? compute_on(tape, r) : NM_ERROR_MEMORY;
    nm_tape_destroy(tape);
    r->clock = context->clock;
    return status;
}

nm_status nm_constants_refresh(nm_constants *constants)
{
    nm_status status = nm_context_status(constants->context);
    for (recipe *r = constants->first; r && status == NM_OK; r = r->next) {
        status = compute(constants->context, r);
    }
    return status;
}

/* Those of another context do not change while they are lent. */
static bool is_current(const nm_constants *constants, const recipe *r)
{
    bool current = true;
    for (int i = 0; i < r->inputs; i++) {
        const nm_tensor *x = r->in[i];
        current &= !x || x->context != constants->context || x->changed <= r->clock;
    }
    return current;
}

nm_status nm_constants_renew(nm_constants *constants)
{
    const recipe *r = constants ? constants->first : NULL;
    while (r && is_current(constants, r)) {
        r = r->next;
    }
    return r ? nm_constants_refresh(constants) : NM_OK;
}

/* ---- Finding and adding ---- */

static size_t option_bytes(const nm_graph_step *step)
{
    const nm_spec *spec = step->kind == NM_STEP_OP ? step->op->item.spec : NULL;
    return spec && step->options != spec->defaults ? spec->size : 0;
}

static bool is_of(const recipe *r, const nm_graph *graph, const nm_graph_step *step)
{
    const size_t bytes = option_bytes(step);
    bool same = r->op == step->op && r->inputs == step->inputs && r->outputs == step->outputs &&
                r->option_bytes == bytes &&
                (!bytes || memcmp(r->options, step->options, bytes) == 0) &&
                (r->op || memcmp(&r->number, &step->number, sizeof r->number) == 0);
    for (int i = 0; same && i < step->inputs; i++) {
        same = r->in[i] == (step->in[i] < 0 ? NULL : graph->values[step->in[i]].tensor);
    }
    for (int i = 0; same && i < step->outputs; i++) {
        const nm_graph_value *value = &graph->values[step->out[i]];
        same = r->out[i]->dtype == value->dtype && nm_shape_equal(&r->out[i]->shape, &value->shape);
    }
    return same;
}

static recipe *make(nm_context *context, const nm_graph *graph, const nm_graph_step *step)
{
    const size_t bytes = option_bytes(step), head = (sizeof(recipe) + 15) & ~(size_t)15;
    recipe *r = nm_alloc_zero(context, 1, head + bytes);
    if (!r) {
        return NULL;
    }
    r->op = step->op;
    r->number = step->number;
    r->inputs = step->inputs;
    r->option_bytes = bytes;
    r->options = bytes ? memcpy((char *)r + head, step->options, bytes) : step->options;
    for (int i = 0; i < step->inputs; i++) {
        r->in[i] = step->in[i] < 0 ? NULL : graph->values[step->in[i]].tensor;
        nm_tensor_keep_for(context, r->in[i]);
        if (r->in[i] && r->in[i]->context == context) {
            r->in[i]->recorded = true; /* its changes matter */
        }
    }
    for (int i = 0; i < step->outputs; i++) {
        const nm_graph_value *value = &graph->values[step->out[i]];
        r->out[i] = nm_tensor_create(context, value->dtype, value->shape);
        r->outputs = i + 1;
    }
    return r;
}

static const recipe *find_known(const nm_constants *constants, const nm_graph *graph,
                                const nm_graph_step *step)
{
    for (; constants; constants = constants->parent) {
        for (const recipe *r = constants->first; r; r = r->next) {
            if (is_of(r, graph, step)) {
                return r;
            }
        }
    }
    return NULL;
}

/* NULL on failure. */
static const recipe *find(nm_constants *constants, const nm_graph *graph, const nm_graph_step *step)
{
    nm_context *context = constants->context;
    const recipe *known = find_known(constants, graph, step);
    if (known) {
        return known;
    }
    recipe *r = make(context, graph, step);
    if (r && (nm_context_status(context) != NM_OK || compute(context, r) != NM_OK)) {
        destroy_recipe(context, r);
        return NULL;
    }
    if (r) {
        *constants->end = r;
        constants->end = &r->next;
    }
    return r;
}

/* ---- Settling ---- */

static bool is_known(const nm_graph *graph, const nm_graph_step *step)
{
    if (step->kind != NM_STEP_OP) {
        return step->kind == NM_STEP_FULL;
    }
    for (int i = 0; i < step->inputs; i++) {
        if (step->in[i] >= 0 && !graph->values[step->in[i]].tensor) {
            return false;
        }
    }
    return step->inputs > 0;
}

static nm_status settle(nm_graph *graph, nm_constants *constants, const nm_graph_step *step)
{
    const recipe *r = find(constants, graph, step);
    for (int i = 0; r && i < step->outputs; i++) {
        nm_graph_set_tensor(graph, step->out[i], r->out[i]);
    }
    return r ? NM_OK : nm_context_status(graph->context);
}

nm_status nm_graph_settle(nm_graph *graph, nm_constants *constants)
{
    nm_status status = NM_OK;
    int kept = 0;
    for (int s = 0; s < graph->step_count; s++) {
        nm_graph_step *step = graph->steps[s];
        const bool known = status == NM_OK && is_known(graph, step);
        status = known ? settle(graph, constants, step) : status;
        if (known && status == NM_OK) {
            nm_free(graph->context, step);
        } else {
            graph->steps[kept++] = step;
        }
    }
    graph->step_count = kept;
    nm_graph_touch(graph);
    return status;
}
