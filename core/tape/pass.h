/* A backward pass: what nm_backward() and nm_gradients() seed, walk and take the results of. */
#ifndef NM_CORE_TAPE_PASS_H
#define NM_CORE_TAPE_PASS_H

#include "core/internal.h"

typedef struct nm_pass {
    nm_tape *tape;
    nm_context *context;
    int64_t last;    /* the node to begin with */
    int64_t first;   /* and to end with: 0, but for a pass within another */
    bool graph;      /* gradients are tensors to stay: the pass is recorded, or traced */
    bool release;    /* give the nodes' outputs back */
    bool everything; /* all that requires a gradient; else what is `wanted` */
} nm_pass;

/* Finds "add" and "sum_to", which a pass needs beside the nodes' own. */
nm_status nm_pass_find_ops(nm_tape *tape);
/* An error on a tape that is traced: no node is recorded there. */
nm_status nm_pass_refuse_trace(const nm_tape *tape);

/* Adds to what pends on x: a seed, or what came by another way. */
nm_status nm_pass_add(nm_pass *p, nm_tensor *x, nm_tensor *gradient);
/* From the last node to the first. What pends on leaves stays there, on the list of the tape. */
nm_status nm_pass_walk(nm_pass *p);
/* Another header for the same elements, so that each pending gradient can be recycled alone. */
nm_tensor *nm_pass_alias(nm_tape *tape, nm_tensor *x);
/* After the walk, or after a failure: nothing pends, no leaf is listed. */
void nm_pass_clear(nm_pass *p);

/* What pends on x is not needed any more. */
NM_INLINE void nm_pass_drop(nm_pass *p, nm_tensor *x)
{
    if (x->pending && !p->graph) {
        nm_tape_recycle(p->tape, x->pending);
    }
    x->pending = NULL;
}

#endif
