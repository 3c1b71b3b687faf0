/* Running a plan. */
#include <string.h>

#include "core/graph/parts.h"
#include "core/graph/plan_internal.h"
#include "core/guard.h"

/* ---- Where elements are ---- */

static bool move(nm_tensor *header, void *data)
{
    const bool moved = header->data != data;
    header->data = data;
    return moved;
}

/* Whether the program's own tensors are elsewhere than they were. */
static bool find_owns(nm_plan *plan)
{
    bool moved = false;
    for (int i = 0; i < plan->own_count; i++) {
        nm_plan_own *own = &plan->owns[i];
        moved |= own->data != own->tensor->data;
        own->data = own->tensor->data;
    }
    return moved;
}

static void tell_step(nm_run *run)
{
    for (int i = 0; i < run->inputs; i++) {
        run->x[i] = run->in[i] ? run->in[i]->data : NULL;
    }
    for (int i = 0; i < run->outputs; i++) {
        run->y[i] = run->out[i]->data;
    }
}

static void tell_steps(nm_plan *plan)
{
    for (int i = 0; i < plan->alias_count; i++) {
        plan->aliases[i].tensor->data = plan->aliases[i].of->data;
    }
    for (int s = 0; s < plan->step_count; s++) {
        tell_step(&plan->steps[s].run);
    }
    plan->bound = true;
}

void nm_plan_bind(nm_plan *plan, nm_buffer *block, void *const *in, void *const *out)
{
    char *at = block ? nm_buffer_data(block) : NULL;
    bool moved = find_owns(plan) || at != plan->block || !plan->bound;
    for (int i = 0; at != plan->block && i < plan->place_count; i++) {
        plan->places[i].tensor->data = at + plan->places[i].offset;
    }
    plan->block = at;
    for (int i = 0; i < plan->input_count; i++) {
        moved |= move(plan->inputs[i], in[i]);
    }
    for (int i = 0; i < plan->output_count; i++) {
        moved |= plan->direct[i] && move(plan->direct[i], out[i]);
    }
    if (moved) {
        tell_steps(plan);
    }
}

/* ---- Steps ---- */

static nm_status draw(const nm_run *run, nm_random *random)
{
    const int64_t number = (int64_t)(nm_random_next(random) >> 1);
    memcpy(run->y[0], &number, sizeof number);
    return NM_OK;
}

static nm_status do_other(const nm_plan_step *step, nm_random *random)
{
    switch (step->kind) {
    case NM_STEP_FULL: return nm_tensor_fill(step->run.out[0], step->number);
    case NM_STEP_DRAW: return draw(&step->run, random);
    case NM_STEP_EFFECT: return step->effect->run(step->run.options, step->run.in);
    case NM_STEP_OP:
    case NM_STEP_DETACH:
    case NM_STEP_CALL: break;
    }
    return NM_OK;
}

static nm_status do_step(const nm_plan_step *step, nm_random *random)
{
    if (step->kind != NM_STEP_OP) {
        return do_other(step, random);
    }
    nm_status status = step->run.op->forward(&step->run);
    if (status != NM_OK) {
        nm_name_failure(step->run.context, step->run.op, step->scope, status);
    }
    return status;
}

nm_status nm_plan_go(const nm_plan *plan, int first, int last, nm_random *random)
{
    nm_status status = NM_OK;
    plan->context->busy++;
    for (int s = first; s < last && status == NM_OK; s++) {
        status = do_step(&plan->steps[s], random);
    }
    plan->context->busy--;
    return status;
}

void nm_plan_deliver(const nm_plan *plan, void *const *out)
{
    for (int i = 0; i < plan->output_count; i++) {
        if (!plan->direct[i]) {
            memcpy(out[i], plan->outputs[i]->data, nm_tensor_bytes(plan->outputs[i]));
        }
    }
}

/* ---- In inference ---- */

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

/* Whether a tensor has elements in memory of one of the others. */
static bool overlaps(const nm_tensor *x, nm_tensor *const *others, int count)
{
    const char *begin = x->data, *end = begin + nm_tensor_bytes(x);
    bool any = false;
    for (int i = 0; i < count; i++) {
        const char *other = others[i]->data;
        any |= other < end && begin < other + nm_tensor_bytes(others[i]);
    }
    return any;
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
        if (overlaps(out[i], in, plan->input_count) || overlaps(out[i], out, i)) {
            return nm_fail(plan->context, NM_ERROR_INPUT,
                           "nm_plan_run: output %d has the memory of an input or of another "
                           "output; give it a tensor of its own",
                           i);
        }
    }
    return plan->context->status;
}

static nm_status run_in(nm_plan *plan, nm_buffer *block, nm_tensor *const *in,
                        nm_tensor *const *out)
{
    void *x[NM_GRAPH_MAX_INPUTS], *y[NM_GRAPH_MAX_OUTPUTS];
    x[0] = y[0] = NULL; /* where there is none */
    for (int i = 0; i < plan->input_count; i++) {
        x[i] = in[i]->data;
    }
    for (int i = 0; i < plan->output_count; i++) {
        y[i] = out[i]->data;
    }
    nm_plan_bind(plan, block, x, y);
    nm_status status = nm_plan_go(plan, 0, plan->step_count, NULL);
    if (status == NM_OK) {
        nm_plan_deliver(plan, y);
    }
    for (int i = 0; status == NM_OK && i < plan->output_count; i++) {
        nm_tensor_note_change(out[i]);
    }
    return status;
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
        status = run_in(plan, block, in, out);
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
