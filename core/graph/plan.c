/* Making ready to run a graph without a tape. Promises:
 *
 * 1. The same bits as the ops one by one: their own computations run, on the same elements.
 * 2. Two values share memory only if one is dead when the other is made, or an elementwise op reads
 *    the one where it writes the other.
 * 3. Parameters are read when it runs, not when it is made. */
#include "core/graph/plan.h"

#include <string.h>

#include "core/graph/layout.h"
#include "core/graph/plan_internal.h"
#include "core/guard.h"

void nm_plan_destroy(nm_plan *plan)
{
    if (!plan) {
        return;
    }
    nm_context *context = plan->context;
    for (int i = 0; i < plan->own_count; i++) {
        nm_tensor_give_up(context, plan->owns[i].tensor);
    }
    nm_free(context, plan->headers);
    nm_free(context, plan->of);
    nm_free(context, plan->steps);
    nm_free(context, plan->lists);
    nm_free(context, plan->places);
    nm_free(context, plan->aliases);
    nm_free(context, plan->owns);
    nm_free(context, plan->outputs);
    nm_free(context, plan->direct);
    nm_free(context, plan->options);
    nm_free(context, plan);
}

size_t nm_plan_bytes(const nm_plan *plan)
{
    NM_GIVEN(plan, 0);
    return plan->bytes;
}

/* ---- Making ---- */

/* What a plan cannot do; NULL: nothing. */
static const char *find_obstacle(const nm_graph *graph)
{
    for (int s = 0; s < graph->step_count; s++) {
        switch (graph->steps[s]->kind) {
        case NM_STEP_EFFECT: return "it changes something beside its results, as in training";
        case NM_STEP_DRAW: return "it draws random numbers, as in training";
        case NM_STEP_CALL: return "a part of it can be kept by no graph";
        case NM_STEP_FULL: return "it has a constant that was not settled";
        default: break;
        }
    }
    return NULL;
}

/* Of what is to be copied. */
static size_t size_of_options(const nm_graph_step *step)
{
    const nm_spec *spec = step->kind == NM_STEP_OP ? step->op->item.spec : NULL;
    return spec && step->options != spec->defaults ? spec->size
           : step->kind == NM_STEP_EFFECT          ? step->effect->size
                                                   : 0;
}

static size_t bytes_of_options(const nm_graph_step *step)
{
    return (size_of_options(step) + 15) & ~(size_t)15;
}

static nm_status make_room(nm_plan *plan, const nm_graph *graph)
{
    nm_context *context = plan->context;
    size_t tensors = 1, options = 1;
    for (int s = 0; s < graph->step_count; s++) {
        tensors += (size_t)(graph->steps[s]->inputs + graph->steps[s]->outputs);
        options += bytes_of_options(graph->steps[s]);
    }
    const size_t values = (size_t)graph->value_count + 1;
    const size_t outputs = (size_t)graph->output_count + 1;
    plan->headers = nm_alloc_zero(context, values, sizeof *plan->headers);
    plan->of = nm_alloc_zero(context, values, sizeof *plan->of);
    plan->places = nm_alloc_zero(context, values, sizeof *plan->places);
    plan->aliases = nm_alloc_zero(context, values, sizeof *plan->aliases);
    plan->owns = nm_alloc_zero(context, values, sizeof *plan->owns);
    plan->outputs = nm_alloc_zero(context, outputs, sizeof *plan->outputs);
    plan->direct = nm_alloc_zero(context, outputs, sizeof *plan->direct);
    plan->steps = nm_alloc_zero(context, (size_t)graph->step_count + 1, sizeof *plan->steps);
    plan->lists = nm_alloc_zero(context, tensors, sizeof *plan->lists);
    plan->options = nm_alloc_zero(context, options, 1);
    return nm_context_status(context);
}

static void make_headers(nm_plan *plan, const nm_graph *graph)
{
    for (int v = 0; v < graph->value_count; v++) {
        const nm_graph_value *value = &graph->values[v];
        plan->headers[v] = (nm_tensor){.context = plan->context,
                                       .node = -1,
                                       .count = nm_shape_count(&value->shape),
                                       .shape = value->shape,
                                       .dtype = (uint8_t)value->dtype,
                                       .owned = true};
        plan->of[v] = value->tensor ? value->tensor : &plan->headers[v];
        if (value->tensor) {
            plan->owns[plan->own_count++] =
                (nm_plan_own){value->tensor, value->tensor->data, value->tensor->requires_grad};
            nm_tensor_keep_for(plan->context, value->tensor);
        }
    }
}

/* The type of the floating inputs; all inputs there, and of the shape of the output. */
static void find_kind(nm_run *run)
{
    const nm_op *op = run->op;
    run->dtype = NM_F32;
    run->same_shape = op->flags & NM_OP_ELEMENTWISE && run->inputs == op->input_count;
    for (int i = run->inputs - 1; i >= 0; i--) {
        const nm_tensor *x = run->in[i];
        if (x && nm_is_float(x->dtype) && nm_input_port(op, i)->type == NM_PORT_FLOAT) {
            run->dtype = nm_wide(x->dtype);
        }
        run->same_shape = run->same_shape && x && nm_same_shape(x, run->out[0]);
    }
}

/* Returns the end of the list that its tensors were added to. */
static nm_tensor **make_step(const nm_plan *plan, const nm_graph_step *from, nm_plan_step *step,
                             nm_tensor **list)
{
    *step = (nm_plan_step){.run = {.context = plan->context,
                                   .op = from->op,
                                   .options = from->options,
                                   .inputs = from->inputs,
                                   .outputs = from->outputs,
                                   .in = list,
                                   .out = list + from->inputs},
                           .kind = from->kind,
                           .scope = from->scope,
                           .number = from->number,
                           .effect = from->effect};
    for (int i = 0; i < from->inputs; i++) {
        *list++ = from->in[i] < 0 ? NULL : plan->of[from->in[i]];
    }
    for (int i = 0; i < from->outputs; i++) {
        *list++ = plan->of[from->out[i]];
    }
    if (from->kind == NM_STEP_OP) {
        find_kind(&step->run);
    }
    return list;
}

static void make_steps(nm_plan *plan, const nm_graph *graph)
{
    nm_tensor **list = plan->lists;
    char *options = plan->options;
    const int loss = graph->values[graph->outputs[0]].step;
    for (int s = 0; s < graph->step_count; s++) {
        const nm_graph_step *from = graph->steps[s];
        const size_t size = size_of_options(from);
        if (!nm_step_is_view(graph, from)) {
            nm_plan_step *step = &plan->steps[plan->step_count++];
            list = make_step(plan, from, step, list);
            step->run.options = size ? memcpy(options, from->options, size) : from->options;
            options += bytes_of_options(from);
        }
        plan->turn = s == loss ? plan->step_count : plan->turn;
    }
}

static void find_ends(nm_plan *plan, const nm_graph *graph, const nm_layout *layout)
{
    plan->input_count = graph->input_count;
    plan->output_count = graph->output_count;
    for (int i = 0; i < graph->input_count; i++) {
        plan->inputs[i] = plan->of[graph->inputs[i]];
    }
    for (int i = 0; i < graph->output_count; i++) {
        const int root = layout->roots[graph->outputs[i]];
        plan->outputs[i] = plan->of[graph->outputs[i]];
        plan->direct[i] = layout->outputs[root] == i ? plan->of[root] : NULL;
    }
}

static void find_places(nm_plan *plan, const nm_graph *graph, const nm_layout *layout)
{
    for (int v = 0; v < graph->value_count; v++) {
        if (layout->roots[v] != v) {
            plan->aliases[plan->alias_count++] =
                (nm_plan_alias){plan->of[v], plan->of[layout->roots[v]]};
        } else if (layout->offsets[v] != SIZE_MAX) {
            plan->places[plan->place_count++] = (nm_plan_place){plan->of[v], layout->offsets[v]};
        }
    }
    plan->bytes = layout->bytes;
}

static nm_status lay_out(nm_plan *plan, const nm_graph *graph)
{
    nm_layout layout;
    nm_status status = nm_layout_make(&layout, graph);
    if (status == NM_OK) {
        find_places(plan, graph, &layout);
        find_ends(plan, graph, &layout);
    }
    nm_layout_end(&layout);
    return status;
}

static int64_t multiply_adds(const nm_run *run)
{
    nm_infer infer = {.context = run->context,
                      .op = run->op,
                      .options = run->options,
                      .inputs = run->inputs,
                      .dtype = run->dtype};
    for (int i = 0; i < run->inputs; i++) {
        infer.in[i] = run->in[i] ? &run->in[i]->shape : NULL;
    }
    for (int i = 0; i < run->outputs; i++) {
        infer.out[i] = run->out[i]->shape;
    }
    return run->op->multiply_adds ? run->op->multiply_adds(&infer) : 0;
}

static void add_up_cost(nm_plan *plan, const nm_graph *graph)
{
    for (int s = 0; s < graph->step_count; s++) {
        plan->cost.ops += graph->steps[s]->kind == NM_STEP_OP;
    }
    for (int s = 0; s < plan->step_count; s++) {
        const nm_run *run = &plan->steps[s].run;
        const bool is_op = plan->steps[s].kind == NM_STEP_OP;
        plan->cost.multiply_adds += is_op ? multiply_adds(run) : 0;
        for (int i = 0; is_op && i < run->outputs; i++) {
            plan->cost.bytes += (int64_t)nm_tensor_bytes(run->out[i]);
        }
    }
}

static nm_status make_all(nm_plan *plan, nm_graph *graph)
{
    nm_status status = nm_graph_prepare(graph);
    if (status == NM_OK && (status = make_room(plan, graph)) == NM_OK) {
        make_headers(plan, graph);
        make_steps(plan, graph);
        add_up_cost(plan, graph);
        status = lay_out(plan, graph);
    }
    return status;
}

nm_plan *nm_plan_make(nm_graph *graph)
{
    nm_plan *plan = nm_alloc_zero(graph->context, 1, sizeof *plan);
    if (!plan) {
        return NULL;
    }
    plan->context = graph->context;
    if (make_all(plan, graph) != NM_OK) {
        nm_plan_destroy(plan);
        return NULL;
    }
    return plan;
}

nm_plan *nm_plan_create(nm_graph *graph)
{
    NM_GIVEN(graph && nm_context_status(graph->context) == NM_OK, NULL);
    const char *obstacle = find_obstacle(graph);
    if (obstacle) {
        nm_fail(graph->context, NM_ERROR_INPUT, "nm_plan_create: the pass is not for inference: %s",
                obstacle);
        return NULL;
    }
    return nm_plan_make(graph);
}
