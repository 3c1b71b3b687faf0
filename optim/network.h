/* What the trainer needs of a network, whether it came from YAML or was written by hand in C. */
#ifndef NM_OPTIM_NETWORK_H
#define NM_OPTIM_NETWORK_H

#include "core/graph/graph.h"
#include "core/random.h"
#include "core/store.h"
#include "core/tape.h"
#include "ops/linear.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How a forward pass runs. */
typedef struct nm_pass {
    nm_tape *tape;
    nm_random *random;      /* for dropout; NULL where `training` is false */
    bool training;          /* batch statistics, dropout; else running statistics, none */
    bool initialize;        /* data-dependent initialization from this batch (weight norm) */
    nm_precision precision; /* of the products of dense and conv2d, and of their gradients' */
    /* Batch norm normalizes with the batch's statistics and adds them here (optim/statistics.h)
     * instead of moving its own, which it does in training; all else is as `training` says. NULL:
     * nothing of the kind. */
    struct nm_statistics *statistics;
    /* Somebody who looks at outputs of layers on the way (nm_pass_show()); such a pass runs layer
     * by layer. NULL: nobody. */
    const struct nm_layer_onlooker *onlooker;
} nm_pass;

typedef struct nm_layer_onlooker {
    void *user;
    /* `type` is the layer's, "relu"; "" if it has none. On a dry tape `y` has no elements. */
    void (*show)(void *user, const char *name, const char *type, nm_tensor *y);
} nm_layer_onlooker;

/* For a network written in C: in its forward pass, says which tensor is the output of the layer of
 * that name, for probes (optim/probe.h). Returns `y`. */
NM_API nm_tensor *nm_pass_show(const nm_pass *pass, const char *name, nm_tensor *y);

#define NM_REMEDY_TEXT 128

/* What a dry run found out. */
typedef struct nm_trial {
    nm_shape output;        /* of the batch */
    const struct nm_op *op; /* what the outputs come from, whatever their shape was made by; NULL:
                               not known */
    const char *layer;      /* where that op ran: `layer "softmax1"`; NULL: not known */
    const nm_value *at; /* where that layer, or on failure the one that failed, stands in a file;
                           NULL: not known */
    /* Where outputs are more than a vector a sample: what would make them one, as the end of a
     * sentence, such as "put flatten before dense (line 4)", and its place; "" and NULL: not
     * known. */
    char remedy[NM_REMEDY_TEXT];
    const nm_value *remedy_at;
} nm_trial;

typedef struct nm_network {
    void *self;
    nm_store *store; /* parameters and buffers */
    /* x is [batch, ...sample shape]; returns the output, NULL on failure. */
    nm_tensor *(*forward)(void *self, const nm_pass *pass, nm_tensor *x);
    /* What the network is, as the value of `model` in YAML, to be saved with it; NULL: its program
     * knows. */
    const char *description;
    bool wants_data; /* run one pass with `initialize` on the first batch before training */
    /* forward() in inference may run in several threads at once, on tapes of other contexts: it
     * changes nothing that is not the pass's. Then predictors may share it
     * (nm_predictor_share()). */
    bool reentrant;
    /* A pass over a batch of shape x as pass->training and initialize say, without elements, on a
     * tape of its own; nothing changes by it. Fails as forward() would, so that it is known before
     * the first step. NULL: forward() will tell. */
    nm_status (*try_on)(void *self, const nm_pass *pass, const nm_shape *x, nm_trial *trial);
    /* What it runs from (optim/traced.h), which keeps steps of training too; NULL: nothing. */
    struct nm_traced *traced;
} nm_network;

/* The forward pass as a graph, for inputs of that type and shape ("x"), as pass->training and
 * precision say; pass->tape is not used and pass->random only asked for. Nothing changes by it.
 * Layers that do what no graph can hold are steps that call them. NULL on failure. */
NM_API nm_graph *nm_network_trace(const nm_network *network, const nm_pass *pass, nm_dtype dtype,
                                  nm_shape x);
/* Its forward pass; NULL is always with an error. The library's own. */
nm_tensor *nm_network_forward(const nm_network *network, const nm_pass *pass, nm_tensor *x);
/* The same as a graph of another context, in inference. The library's own. */
nm_graph *nm_network_trace_in(nm_context *context, const nm_network *network, const nm_pass *pass,
                              nm_dtype dtype, nm_shape x);

#ifdef __cplusplus
}
#endif
#endif
