/* Running a graph without a tape. Promises:
 *
 * 1. The same bits as the ops one by one: their own computations run, on the same elements.
 * 2. Two values share memory only if one is dead when the other is made, or an elementwise op reads
 *    the one where it writes the other.
 * 3. Parameters are read when it runs, not when it is made. */
#include "core/graph/plan.h"

#include <string.h>

#include "core/graph/internal.h"
#include "core/graph/layout.h"
#include "core/guard.h"

typedef struct plan_step {
    const nm_op *op;
    const char *scope;
    const void *options;
    nm_dtype dtype;
    bool same_shape;
    int inputs, outputs;
    nm_tensor **tensors; /* inputs, then outputs */
} plan_step;

/* A header whose elements begin at `offset` of the block. */
typedef struct place {
    nm_tensor *tensor;
    size_t offset;
} place;

/* A header with the elements of another tensor. */
typedef struct alias {
    nm_tensor *tensor;
    const nm_tensor *of;
} alias;

struct nm_plan {
    nm_context *context;
    nm_tensor *headers; /* of the values that are not the program's own */
    nm_tensor **of;     /* by value: the program's tensor, or a header */
    plan_step *steps;
    nm_tensor **lists; /* of all steps */
    place *places;
    alias *aliases;
    void *options; /* copies of the steps' */
    int step_count, place_count, alias_count, input_count, output_count;
    nm_tensor *inputs[NM_GRAPH_MAX_INPUTS], *outputs[NM_GRAPH_MAX_OUTPUTS]; /* headers */
    nm_tensor *direct[NM_GRAPH_MAX_OUTPUTS]; /* the header that is computed there; NULL: it is
                                                copied at the end */
    size_t bytes;
    nm_tape_cost cost;
    const void *block; /* where the places are by now */
};

void nm_plan_destroy(nm_plan *plan)
{
    if (!plan) {
        return;
    }
    nm_context *context = plan->context;
    nm_free(context, plan->headers);
    nm_free(context, plan->of);
    nm_free(context, plan->steps);
    nm_free(context, plan->lists);
    nm_free(context, plan->places);
    nm_free(context, plan->aliases);
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

static size_t bytes_of_options(const nm_graph_step *step)
{
    const nm_spec *spec = step->kind == NM_STEP_OP ? step->op->item.spec : NULL;
    return spec && step->options != spec->defaults ? (spec->size + 15) & ~(size_t)15 : 0;
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
    plan->headers = nm_alloc_zero(context, values, sizeof *plan->headers);
    plan->of = nm_alloc_zero(context, values, sizeof *plan->of);
    plan->places = nm_alloc_zero(context, values, sizeof *plan->places);
    plan->aliases = nm_alloc_zero(context, values, sizeof *plan->aliases);
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
    }
}

/* The type of the floating inputs; all inputs there, and of the shape of the output. */
static void find_kind(plan_step *step)
{
    step->dtype = NM_F32;
    step->same_shape = step->op->flags & NM_OP_ELEMENTWISE && step->inputs == step->op->input_count;
    for (int i = step->inputs - 1; i >= 0; i--) {
        const nm_tensor *x = step->tensors[i];
        if (x && nm_is_float(x->dtype) && nm_input_port(step->op, i)->type == NM_PORT_FLOAT) {
            step->dtype = (nm_dtype)x->dtype;
        }
        step->same_shape = step->same_shape && x && nm_same_shape(x, step->tensors[step->inputs]);
    }
}

static void make_steps(nm_plan *plan, const nm_graph *graph)
{
    nm_tensor **list = plan->lists;
    char *options = plan->options;
    for (int s = 0; s < graph->step_count; s++) {
        const nm_graph_step *from = graph->steps[s];
        const size_t bytes = bytes_of_options(from);
        if (from->kind != NM_STEP_OP || !from->op->forward) {
            continue; /* the same elements under another name */
        }
        plan_step *step = &plan->steps[plan->step_count++];
        *step = (plan_step){.op = from->op,
                            .scope = from->scope,
                            .options = from->options,
                            .inputs = from->inputs,
                            .outputs = from->outputs,
                            .tensors = list};
        for (int i = 0; i < from->inputs; i++) {
            *list++ = from->in[i] < 0 ? NULL : plan->of[from->in[i]];
        }
        for (int i = 0; i < from->outputs; i++) {
            *list++ = plan->of[from->out[i]];
        }
        if (bytes) {
            step->options = memcpy(options, from->options, from->op->item.spec->size);
            options += bytes;
        }
        find_kind(step);
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
            plan->aliases[plan->alias_count++] = (alias){plan->of[v], plan->of[layout->roots[v]]};
        } else if (layout->offsets[v] != SIZE_MAX) {
            plan->places[plan->place_count++] = (place){plan->of[v], layout->offsets[v]};
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

static int64_t multiply_adds(const nm_plan *plan, const plan_step *step)
{
    nm_infer infer = {.context = plan->context,
                      .op = step->op,
                      .options = step->options,
                      .inputs = step->inputs,
                      .dtype = step->dtype};
    for (int i = 0; i < step->inputs; i++) {
        infer.in[i] = step->tensors[i] ? &step->tensors[i]->shape : NULL;
    }
    for (int i = 0; i < step->outputs; i++) {
        infer.out[i] = step->tensors[step->inputs + i]->shape;
    }
    return step->op->multiply_adds ? step->op->multiply_adds(&infer) : 0;
}

static void add_up_cost(nm_plan *plan, const nm_graph *graph)
{
    for (int s = 0; s < graph->step_count; s++) {
        plan->cost.ops += graph->steps[s]->kind == NM_STEP_OP;
    }
    for (int s = 0; s < plan->step_count; s++) {
        const plan_step *step = &plan->steps[s];
        plan->cost.multiply_adds += multiply_adds(plan, step);
        for (int i = 0; i < step->outputs; i++) {
            plan->cost.bytes += (int64_t)nm_tensor_bytes(step->tensors[step->inputs + i]);
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

nm_plan *nm_plan_create(nm_graph *graph)
{
    NM_GIVEN(graph && nm_context_status(graph->context) == NM_OK, NULL);
    const char *obstacle = find_obstacle(graph);
    if (obstacle) {
        nm_fail(graph->context, NM_ERROR_INPUT, "nm_plan_create: the pass is not for inference: %s",
                obstacle);
        return NULL;
    }
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

/* ---- Running ---- */

static nm_status refuse(const nm_plan *plan, const char *what, int index, const nm_tensor *tensor,
                        const nm_tensor *header)
{
    char is[NM_SHAPE_TEXT], wanted[NM_SHAPE_TEXT];
    if (!tensor) {
        return nm_fail(plan->context, NM_ERROR_INPUT, "nm_plan_run: %s %d is NULL", what, index);
    }
    if (tensor->context != plan->context) {
        return nm_fail(plan->context, NM_ERROR_INPUT, "nm_plan_run: %s %d is of another context",
                       what, index);
    }
    if (!tensor->data) {
        return nm_refuse_elements(tensor, what);
    }
    return nm_fail(plan->context, NM_ERROR_INPUT,
                   "nm_plan_run: %s %d is %s %s, but the plan is of %s %s", what, index,
                   nm_dtype_name((nm_dtype)tensor->dtype), nm_shape_text(&tensor->shape, is),
                   nm_dtype_name((nm_dtype)header->dtype), nm_shape_text(&header->shape, wanted));
}

static bool fits(const nm_plan *plan, const nm_tensor *tensor, const nm_tensor *header)
{
    return tensor && tensor->data && tensor->context == plan->context &&
           tensor->dtype == header->dtype && nm_same_shape(tensor, header);
}

static nm_status check_all(const nm_plan *plan, nm_tensor *const *in, nm_tensor *const *out)
{
    for (int i = 0; i < plan->input_count; i++) {
        if (!fits(plan, in[i], plan->inputs[i])) {
            return refuse(plan, "input", i, in[i], plan->inputs[i]);
        }
    }
    for (int i = 0; i < plan->output_count; i++) {
        if (!fits(plan, out[i], plan->outputs[i])) {
            return refuse(plan, "output", i, out[i], plan->outputs[i]);
        }
    }
    return plan->context->status;
}

static void bind(nm_plan *plan, nm_buffer *block, nm_tensor *const *in, nm_tensor *const *out)
{
    char *at = block ? nm_buffer_data(block) : NULL;
    for (int i = 0; at != plan->block && i < plan->place_count; i++) {
        plan->places[i].tensor->data = at + plan->places[i].offset;
    }
    plan->block = at;
    for (int i = 0; i < plan->input_count; i++) {
        plan->inputs[i]->data = in[i]->data;
    }
    for (int i = 0; i < plan->output_count; i++) {
        if (plan->direct[i]) {
            plan->direct[i]->data = out[i]->data;
        }
    }
    for (int i = 0; i < plan->alias_count; i++) {
        plan->aliases[i].tensor->data = plan->aliases[i].of->data;
    }
}

static nm_status run_step(const nm_plan *plan, const plan_step *step)
{
    nm_tensor *const *out = step->tensors + step->inputs;
    nm_run run;
    run.context = plan->context;
    run.op = step->op;
    run.options = step->options;
    run.dtype = step->dtype;
    run.same_shape = step->same_shape;
    run.inputs = step->inputs;
    run.outputs = step->outputs;
    run.in = step->tensors;
    run.out = out;
    for (int i = 0; i < step->inputs; i++) {
        run.x[i] = step->tensors[i] ? step->tensors[i]->data : NULL;
    }
    for (int i = step->inputs; i < step->op->input_count; i++) {
        run.x[i] = NULL;
    }
    for (int i = 0; i < step->outputs; i++) {
        run.y[i] = out[i]->data;
    }
    return step->op->forward(&run);
}

static nm_status run_steps(const nm_plan *plan)
{
    for (int s = 0; s < plan->step_count; s++) {
        const plan_step *step = &plan->steps[s];
        const nm_status status = run_step(plan, step);
        if (status != NM_OK) {
            nm_name_failure(plan->context, step->op, step->scope, status);
            return status;
        }
    }
    return NM_OK;
}

static void deliver(const nm_plan *plan, nm_tensor *const *out)
{
    for (int i = 0; i < plan->output_count; i++) {
        if (!plan->direct[i]) {
            memcpy(out[i]->data, plan->outputs[i]->data, nm_tensor_bytes(out[i]));
        }
        nm_tensor_note_change(out[i]);
    }
}

nm_status nm_plan_run(nm_plan *plan, nm_tensor *const *in, nm_tensor *const *out)
{
    NM_GIVEN(plan, NM_ERROR_INPUT);
    NM_REQUIRE(plan->context, in || !plan->input_count, NM_ERROR_INPUT);
    NM_REQUIRE(plan->context, out, NM_ERROR_INPUT);
    nm_status status = check_all(plan, in, out);
    nm_buffer *block =
        status == NM_OK && plan->bytes ? nm_buffer_create(plan->context, plan->bytes) : NULL;
    if (status == NM_OK && plan->bytes && !block) {
        status = NM_ERROR_MEMORY;
    }
    if (status == NM_OK) {
        bind(plan, block, in, out);
        status = run_steps(plan);
    }
    if (status == NM_OK) {
        deliver(plan, out);
    }
    nm_buffer_release(block);
    return status;
}

nm_tensor *nm_plan_run_on(nm_plan *plan, nm_tape *tape, nm_tensor *x)
{
    const nm_tensor *header = plan->outputs[0];
    nm_tensor *y = nm_tape_empty(tape, (nm_dtype)header->dtype, &header->shape);
    if (!y || nm_plan_run(plan, &x, &y) != NM_OK) {
        return NULL;
    }
    tape->cost.ops += plan->cost.ops;
    tape->cost.bytes += plan->cost.bytes;
    tape->cost.multiply_adds += plan->cost.multiply_adds;
    return y;
}
