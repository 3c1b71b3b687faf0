/* Tensors that their user is done with and somebody needs yet: nodes, graphs, plans, an op that
 * runs. */
#include "core/internal.h"

bool nm_context_has_nodes(const nm_context *context)
{
    const nm_tape *tape = context->tapes;
    while (tape && !tape->node_count) {
        tape = tape->next;
    }
    return tape;
}

void nm_tensor_free(nm_tensor *tensor)
{
    nm_context *context = tensor->context;
    nm_tensor_release(tensor);
    nm_free(context, tensor->name);
    nm_free(context, tensor);
}

void nm_tensors_forget(nm_context *context)
{
    if (context->busy || nm_context_has_nodes(context)) {
        return;
    }
    nm_tensor *next, *tensor = context->doomed;
    context->doomed = NULL;
    for (; tensor; tensor = next) {
        next = tensor->grad;
        tensor->grad = tensor->keepers ? context->doomed : NULL;
        if (tensor->keepers) {
            context->doomed = tensor;
        } else {
            nm_tensor_free(tensor);
        }
    }
}

void nm_tensor_keep_for(nm_context *context, nm_tensor *tensor)
{
    if (tensor && tensor->context == context) {
        tensor->keepers++;
    }
}

void nm_tensor_give_up(nm_context *context, nm_tensor *tensor)
{
    if (tensor && tensor->context == context && --tensor->keepers == 0 && tensor->doomed) {
        nm_tensors_forget(context);
    }
}
