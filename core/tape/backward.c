/* The backward pass. Gradients that have come in so far hang on the tensors (`pending`); nodes are
 * visited once, in reverse, by a loop. Promises:
 *
 * 1. A gradient has its input's shape: what broadcasting widened is summed back here.
 * 2. Gradients of a tensor used several times are added in the order of the reverse walk.
 * 3. Only inputs that need a gradient get one computed.
 * 4. Without graph creation, memory goes back to the pool on the way: what a vjp made and did not
 *    return, a gradient once its node has passed it on, and (unless the graph is kept) the node's
 *    outputs. */
#include <string.h>

#include "core/guard.h"
#include "core/internal.h"
#include "core/plugin.h"
#include "core/tape/pass.h"

nm_status nm_pass_find_ops(nm_tape *tape)
{
    if (!tape->add || !tape->sum_to) {
        tape->add = nm_find_op(tape->context, "add");
        tape->sum_to = nm_find_op(tape->context, "sum_to");
    }
    if (!tape->add || !tape->sum_to) {
        return nm_fail(tape->context, NM_ERROR_INPUT,
                       "the backward pass needs the ops \"add\" and "
                       "\"sum_to\"; register the library's ops (nm_open() does)");
    }
    return NM_OK;
}

nm_tensor *nm_pass_alias(nm_tape *tape, nm_tensor *x)
{
    nm_tensor *tensor = nm_tape_header_as(tape, (nm_dtype)x->dtype, &x->shape, x->count, false);
    if (tensor) {
        nm_tensor_share(tensor, x);
    }
    return tensor;
}

/* Without a graph, a pending gradient is a header of its own: take a fresh one over, alias others.
 */
NM_INLINE nm_tensor *take(nm_pass *p, nm_tensor *gradient)
{
    if (p->graph) {
        return gradient;
    }
    if (gradient->fresh) {
        gradient->fresh = false;
        return gradient;
    }
    return nm_pass_alias(p->tape, gradient);
}

/* Promise 2. In place where nobody else can see the elements. */
static nm_status add_pending(nm_pass *p, nm_tensor *x, nm_tensor *gradient)
{
    nm_tensor *old = x->pending;
    if (!p->graph && nm_tensor_is_alone(old) && p->tape->add->flags & NM_OP_IN_PLACE) {
        nm_tensor *in[] = {old, gradient};
        return nm_run_op(p->context, p->tape->add, NULL, nm_wide(x->dtype), in, 2, &old);
    }
    nm_tensor *sum = nm_apply2(p->tape, p->tape->add, NULL, old, gradient);
    if (!sum) {
        return p->context->status;
    }
    nm_pass_drop(p, x);
    x->pending = take(p, sum);
    return x->pending ? NM_OK : NM_ERROR_MEMORY;
}

NM_INLINE nm_status accumulate(nm_pass *p, nm_tensor *x, nm_tensor *gradient)
{
    if (x->pending) {
        return add_pending(p, x, gradient);
    }
    x->pending = take(p, gradient);
    if (x->pending && x->node < 0) {
        x->next = p->tape->leaves;
        p->tape->leaves = x;
    }
    return x->pending ? NM_OK : NM_ERROR_MEMORY;
}

nm_status nm_pass_add(nm_pass *p, nm_tensor *x, nm_tensor *gradient)
{
    return accumulate(p, x, gradient);
}

/* Promise 1. */
static nm_tensor *sum_back(nm_pass *p, nm_tensor *gradient, const nm_shape *shape)
{
    nm_shape_options options = {.struct_size = sizeof options,
                                .shape = {NM_LIST, shape->rank, {0}}};
    memcpy(options.shape.at, shape->dim, sizeof shape->dim);
    return nm_apply1(p->tape, p->tape->sum_to, &options, gradient);
}

static nm_status wrong_gradient(nm_pass *p, const nm_node *node, int input,
                                const nm_tensor *gradient)
{
    if (p->context->status != NM_OK) {
        return p->context->status;
    }
    nm_fail(p->context, NM_ERROR_INTERNAL, "%s: its vjp returned %s for %s", node->op->item.name,
            gradient ? "another type" : "NULL", nm_input_port(node->op, input)->name);
    return nm_plugin_blame(p->context, &node->op->item);
}

/* Of a gradient that cannot be summed back to its input's shape. */
static __attribute__((noinline, cold)) nm_status wrong_shape(nm_pass *p, const nm_node *node,
                                                             int input, const nm_shape *shape)
{
    char is[NM_SHAPE_TEXT], wanted[NM_SHAPE_TEXT];
    if (p->context->status == NM_ERROR_INPUT) {
        nm_context_clear_error(p->context);
        nm_fail(p->context, NM_ERROR_INTERNAL,
                "%s: its vjp returned a gradient of shape %s for %s %s", node->op->item.name,
                nm_shape_text(shape, is), nm_input_port(node->op, input)->name,
                nm_shape_text(&node->tensors[input]->shape, wanted));
        nm_plugin_blame(p->context, &node->op->item);
    }
    return p->context->status;
}

NM_INLINE nm_status receive(nm_pass *p, nm_node *node, int64_t index, int input,
                            nm_tensor *gradient)
{
    nm_tensor *x = node->tensors[input];
    if (!gradient || gradient->dtype != nm_wide(x->dtype)) {
        return wrong_gradient(p, node, input, gradient);
    }
    if (!nm_same_shape(gradient, x)) {
        const nm_shape shape = gradient->shape;
        gradient = sum_back(p, gradient, &x->shape);
        if (!gradient) {
            return wrong_shape(p, node, input, &shape);
        }
    }
    if (p->tape->anomaly) {
        nm_status status =
            nm_look_for_anomaly(p->tape, node->op, node->scope, index, "the gradient of",
                                nm_input_port(node->op, input)->name, gradient);
        if (status != NM_OK) {
            return status;
        }
    }
    return accumulate(p, x, gradient);
}

/* Promise 3. Also makes room for what vjps put there on their own. */
NM_INLINE bool find_needed(const nm_pass *p, const nm_node *node, bool *need, nm_tensor **gin)
{
    bool any = false;
    for (int i = 0; i < node->inputs; i++) {
        const nm_tensor *x = node->tensors[i];
        need[i] = node->differentiable >> i & 1 && x->requires_grad && (p->everything || x->wanted);
        gin[i] = NULL;
        any |= need[i];
    }
    return any;
}

NM_INLINE nm_status run_vjp(nm_pass *p, nm_node *node, int64_t index, nm_tensor *const *gout,
                            const bool *need, nm_tensor **gin)
{
    nm_vjp vjp = {.tape = p->tape,
                  .op = node->op,
                  .options = node->options,
                  .inputs = node->inputs,
                  .outputs = node->outputs,
                  .in = nm_node_inputs(node),
                  .out = nm_node_outputs(node),
                  .gout = gout,
                  .gin = gin,
                  .need = need};
    nm_status status = NM_OK;
    for (int i = 0; i < node->inputs && status == NM_OK; i++) {
        if (need[i]) {
            nm_tensor *gradient = gin[i] ? gin[i] : node->op->vjp(&vjp, i);
            status = receive(p, node, index, i, gradient);
        }
    }
    return status;
}

/* Whether something may have changed since the node was made: without a look at each tensor. */
NM_INLINE bool may_be_changed(const nm_pass *p, const nm_node *node)
{
#ifdef NM_GUARD
    return p->context && node;
#else
    return node->clock != p->context->clock;
#endif
}

/* Tensors of a node that were changed since the node had them: vjps find no elements there (all of
 * them: `data`), and those that do without notice nothing. */
static void hide_changed(nm_node *node, void **data)
{
    for (int i = 0; i < node->inputs + node->outputs; i++) {
        nm_tensor *x = node->tensors[i];
        data[i] = NULL;
        if (x && x->data && nm_node_is_changed(node, i)) {
            data[i] = x->data;
            x->data = NULL;
            x->stale = true;
        }
    }
}

static void show_changed(nm_node *node, void *const *data)
{
    for (int i = node->inputs + node->outputs - 1; i >= 0; i--) {
        if (data[i]) {
            node->tensors[i]->data = data[i];
            node->tensors[i]->stale = false;
        }
    }
}

/* run_vjp() where something has changed since the node was made. */
static nm_status run_vjp_carefully(nm_pass *p, nm_node *node, int64_t index, nm_tensor *const *gout,
                                   const bool *need, nm_tensor **gin)
{
    void *data[NM_MAX_INPUTS + NM_MAX_OUTPUTS];
    hide_changed(node, data);
    nm_status status = run_vjp(p, node, index, gout, need, gin);
    show_changed(node, data);
    return status;
}

NM_INLINE nm_status visit(nm_pass *p, nm_node *node, int64_t index)
{
    bool need[NM_MAX_INPUTS];
    nm_tensor *gout[NM_MAX_OUTPUTS], *gin[NM_MAX_INPUTS];
    bool reached = false;
    for (int i = 0; i < node->outputs; i++) {
        gout[i] = nm_node_outputs(node)[i]->pending;
        reached |= gout[i] != NULL;
    }
    nm_status status = NM_OK;
    if (reached && find_needed(p, node, need, gin)) {
        const char *scope = p->tape->scope;
        p->tape->scope = node->scope;
        status = may_be_changed(p, node) ? run_vjp_carefully(p, node, index, gout, need, gin)
                                         : run_vjp(p, node, index, gout, need, gin);
        nm_tape_recycle_recent(p->tape); /* promise 4 */
        p->tape->scope = scope;
        if (status != NM_OK && status != NM_ERROR_NUMERIC) {
            nm_fail_in(p->context, "gradient of %s", node->op->item.name);
        }
    }
    for (int i = 0; i < node->outputs; i++) {
        nm_tensor *y = nm_node_outputs(node)[i];
        if (!y->requested) {
            nm_pass_drop(p, y);
        }
        if (p->release && !y->keep) {
            nm_tensor_release(y);
        }
    }
    return status;
}

static nm_status walk_nodes(nm_pass *p, int64_t from, int64_t to)
{
    nm_status status = NM_OK;
    for (int64_t i = from; i >= to && status == NM_OK; i--) {
        status = visit(p, p->tape->nodes[i], i);
    }
    return status;
}

/* Whether a gradient goes through the node. */
static bool is_on_the_way(const nm_pass *p, nm_node *node)
{
    bool need[NM_MAX_INPUTS], reached = false;
    nm_tensor *gin[NM_MAX_INPUTS];
    for (int i = 0; i < node->outputs; i++) {
        reached |= nm_node_outputs(node)[i]->pending != NULL;
    }
    return reached && find_needed(p, node, need, gin);
}

/* What it computed is computed again where the first gradient comes. */
static nm_status walk_segment(nm_pass *p, const nm_segment *s, int64_t from)
{
    const bool stays = p->graph && !p->tape->trace;
    int64_t i = from;
    while (i >= s->begin && !is_on_the_way(p, p->tape->nodes[i])) {
        walk_nodes(p, i, i); /* gives back, if anything */
        i--;
    }
    nm_status status = i < s->begin ? NM_OK : nm_segment_restore(p->tape, s->begin, i + 1, stays);
    if (status == NM_OK) {
        status = walk_nodes(p, i, s->begin);
    }
    if (!p->graph && !p->release) {
        nm_segment_forget(p->tape, s);
    }
    return status;
}

static nm_status walk_all(nm_pass *p)
{
    int64_t at = p->last;
    nm_status status = NM_OK;
    for (const nm_segment *s = p->tape->segments; s && status == NM_OK; s = s->before) {
        status = walk_nodes(p, at, s->end);
        at = at < s->end ? at : s->end - 1;
        if (status == NM_OK && at >= s->begin) {
            status = walk_segment(p, s, at);
            at = s->begin - 1;
        }
    }
    return status == NM_OK ? walk_nodes(p, at, 0) : status;
}

nm_status nm_pass_walk(nm_pass *p)
{
    const bool recording = nm_tape_set_recording(p->tape, p->graph && !p->tape->trace);
    const bool within = p->tape->running;
    p->tape->collecting = !p->graph;
    p->tape->running = true;
    const nm_status status = within ? walk_nodes(p, p->last, p->first) : walk_all(p);
    p->tape->running = within;
    p->tape->collecting = false;
    nm_tape_set_recording(p->tape, recording);
    return status;
}

void nm_pass_clear(nm_pass *p)
{
    for (nm_tensor *leaf = p->tape->leaves; leaf;) {
        nm_tensor *next = leaf->next;
        nm_pass_drop(p, leaf);
        leaf->next = NULL;
        leaf = next;
    }
    p->tape->leaves = NULL;
    if (p->context->status != NM_OK) {
        for (int64_t i = 0; i <= p->last; i++) {
            for (int k = 0; k < p->tape->nodes[i]->outputs; k++) {
                nm_pass_drop(p, nm_node_outputs(p->tape->nodes[i])[k]);
            }
        }
    }
}

/* ---- Adding to the gradients of the user's tensors ---- */

static nm_status deposit(nm_pass *p, nm_tensor *leaf)
{
    nm_tensor *pending = leaf->pending;
    if (nm_tensor_make_grad(leaf) != NM_OK) {
        return NM_ERROR_MEMORY;
    }
    nm_tensor *grad = leaf->grad;
    const bool spent = grad->data && grad->spent;
    nm_tensor_note_change(grad); /* it may have been computed with */
    if (grad->data) {
        nm_tensor *in[] = {grad, pending};
        grad->spent = spent ? 2 : 0;
        return nm_run_op(p->context, p->tape->add, NULL, (nm_dtype)grad->dtype, in, 2, &grad);
    }
    if (pending->buffer && pending->buffer->references == 1) {
        nm_tensor_share(grad, pending); /* the other reference goes when pending is dropped */
        return NM_OK;
    }
    nm_status status = nm_tensor_allocate(grad);
    return status == NM_OK ? nm_tensor_assign(grad, pending) : status;
}

static nm_status deposit_all(nm_pass *p)
{
    for (nm_tensor *leaf = p->tape->leaves; leaf; leaf = leaf->next) {
        if (!leaf->tape && !leaf->doomed && deposit(p, leaf) != NM_OK) {
            return p->context->status;
        }
    }
    return NM_OK;
}

nm_status nm_pass_refuse_trace(const nm_tape *tape)
{
    return !tape->trace ? NM_OK
                        : nm_fail(tape->context, NM_ERROR_INPUT,
                                  "the pass cannot be kept as a graph: it runs a backward pass");
}

static nm_status check_loss(nm_tape *tape, const nm_tensor *loss)
{
    char text[NM_SHAPE_TEXT];
    if (loss->dead) {
        return nm_refuse_elements(loss, "nm_backward: the loss");
    }
    if (loss->count != 1) {
        return nm_fail(tape->context, NM_ERROR_INPUT,
                       "nm_backward: the loss must be one number, "
                       "not %s; take its mean or sum",
                       nm_shape_text(&loss->shape, text));
    }
    if (loss->tape != tape || loss->node < 0) {
        return nm_fail(tape->context, NM_ERROR_INPUT,
                       "nm_backward: the loss was not computed on this tape from a tensor that "
                       "requires a gradient%s",
                       tape->recording ? "" : "; recording is off (nm_tape_set_recording)");
    }
    return NM_OK;
}

nm_status nm_backward(nm_tape *tape, nm_tensor *loss, unsigned flags)
{
    NM_GIVEN(tape, NM_ERROR_INPUT);
    nm_context *context = tape->context;
    if (context->status == NM_OK && !loss) {
        return nm_fail(context, NM_ERROR_INPUT, "nm_backward: the loss is NULL");
    }
    if (context->status != NM_OK || nm_pass_refuse_trace(tape) != NM_OK ||
        nm_tape_begin_backward(tape) != NM_OK || check_loss(tape, loss) != NM_OK ||
        nm_pass_find_ops(tape) != NM_OK) {
        return context->status;
    }
    if (flags & NM_CREATE_GRAPH) {
        return nm_fail(context, NM_ERROR_INPUT,
                       "nm_backward: to differentiate gradients, take them with nm_gradients()");
    }
    nm_pass p = {.tape = tape,
                 .context = context,
                 .last = loss->node,
                 .release = !(flags & NM_KEEP_GRAPH),
                 .everything = true};
    bool keep = loss->keep;
    loss->keep = true;
    loss->pending = nm_full(tape, (nm_dtype)loss->dtype, loss->shape, 1);
    nm_status status = loss->pending ? nm_pass_walk(&p) : NM_ERROR_MEMORY;
    if (status == NM_OK) {
        status = deposit_all(&p);
    }
    nm_pass_clear(&p);
    loss->keep = keep;
    return status;
}

nm_status nm_backward_in_trace(nm_tape *tape, nm_tensor *loss, nm_tensor *seed,
                               nm_status (*keep)(void *user, nm_tensor *of, nm_tensor *gradient),
                               void *user)
{
    if (check_loss(tape, loss) != NM_OK || nm_pass_find_ops(tape) != NM_OK) {
        return tape->context->status;
    }
    nm_pass p = {.tape = tape,
                 .context = tape->context,
                 .last = loss->node,
                 .graph = true,
                 .everything = true};
    loss->pending = seed;
    nm_status status = nm_pass_walk(&p);
    for (nm_tensor *leaf = tape->leaves; leaf && status == NM_OK; leaf = leaf->next) {
        status = leaf->tape || leaf->doomed ? NM_OK : keep(user, leaf, leaf->pending);
    }
    nm_pass_clear(&p);
    return status;
}
