/* A plan from within: plan.c makes it, plan_run.c runs it, step.c trains by it. */
#ifndef NM_CORE_GRAPH_PLAN_INTERNAL_H
#define NM_CORE_GRAPH_PLAN_INTERNAL_H

#include "core/graph/internal.h"
#include "core/graph/plan.h"

/* All but the places of elements is settled; those are too, from nm_plan_bind() on. */
typedef struct nm_plan_step {
    nm_run run; /* of an op; of others in and out alone */
    nm_step_kind kind;
    const char *scope;
    double number;           /* of NM_STEP_FULL */
    const nm_effect *effect; /* its data are run.options */
} nm_plan_step;

/* A header whose elements begin at `offset` of a block. */
typedef struct nm_plan_place {
    nm_tensor *tensor;
    size_t offset;
} nm_plan_place;

/* A header with the elements of another tensor. */
typedef struct nm_plan_alias {
    nm_tensor *tensor;
    const nm_tensor *of;
} nm_plan_alias;

/* A tensor of the program's own, and where its elements were when steps were last told. */
typedef struct nm_plan_own {
    nm_tensor *tensor;
    const void *data;
    bool requires_grad;
} nm_plan_own;

struct nm_plan {
    nm_context *context;
    nm_tensor *headers; /* of the values that are not the program's own */
    nm_tensor **of;     /* by value: the program's tensor, or a header */
    nm_plan_step *steps;
    nm_tensor **lists; /* of all steps */
    nm_plan_place *places;
    nm_plan_alias *aliases;
    nm_plan_own *owns;
    void *options; /* copies of the steps' */
    int step_count, place_count, alias_count, own_count, input_count, output_count;
    int turn;                               /* the steps after which output 0 is there */
    nm_tensor *inputs[NM_GRAPH_MAX_INPUTS]; /* headers, as the next */
    nm_tensor **outputs;
    nm_tensor **direct; /* the header that is computed there; NULL: it is copied at the end */
    size_t bytes;
    nm_tape_cost cost;
    const void *block; /* where the places are by now */
    bool bound;        /* steps know where all is */
};

/* A plan of any graph whose steps are no parts: effects and draws are done by nm_plan_go(). */
nm_plan *nm_plan_make(nm_graph *graph);

/* Where elements are: those between in `block` (NULL if there are none), of inputs and outputs as
 * given. The program's own may have moved. */
void nm_plan_bind(nm_plan *plan, nm_buffer *block, void *const *in, void *const *out);
/* Steps first..last, without the last. `random` is for draws. */
nm_status nm_plan_go(const nm_plan *plan, int first, int last, nm_random *random);
/* Outputs that were computed elsewhere come to their places. */
void nm_plan_deliver(const nm_plan *plan, void *const *out);

#endif
