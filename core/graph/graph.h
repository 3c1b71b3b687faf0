/* A forward pass as data: what a network does, kept by a dry run of it, as one list of steps.
 *
 *     static nm_status forward(void *self, nm_tape *tape, nm_tensor *const *in, nm_tensor **out)
 *     {
 *         const struct net *net = self;
 *         out[0] = nm_dense(tape, nm_relu(tape, nm_dense(tape, in[0], net->w1, net->b1)),
 *                           net->w2, net->b2);
 *         return nm_context_status(nm_tape_context(tape));
 *     }
 *     const nm_graph_input x = {"x", NM_F32, NM_SHAPE(1, 64)};
 *     nm_graph *graph = nm_graph_trace(context, store, forward, net, &x, 1, 1);
 *
 * The steps are ops with their options, on values with shapes and types; tensors of the program's
 * own (parameters and buffers) are values too, by pointer, with their names. What a pass does
 * beside ops (nm_tape_do(), nm_tape_draw() in core/tape.h) is a step of its own. The shapes are
 * those of the inputs that were given: another batch size is another graph.
 *
 * A graph holds what the pass did, not why. A pass that decides by elements cannot be kept, and is
 * an error here: one that reads elements of tensors (nm_tensor_data() and its like), asks whether
 * it is dry, runs a backward pass, or makes tensors that no op computed other than by nm_full(). A
 * pass that depends on numbers of the program's own is kept with those that it had.
 *
 * A graph points to tensors, scopes (nm_tape_set_scope()) and what effects point to: they must
 * outlive it. */
#ifndef NM_CORE_GRAPH_GRAPH_H
#define NM_CORE_GRAPH_GRAPH_H

#include "core/op.h"
#include "core/random.h"
#include "core/store.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct nm_graph nm_graph;

/* ---- What it is made of ---- */

/* An input, a tensor of the program's own, or what a step makes. */
typedef struct nm_graph_value {
    nm_dtype dtype;
    nm_shape shape;
    const char *name;  /* of an input; of a tensor, its own, which may be NULL; of others NULL */
    nm_tensor *tensor; /* of the program's own, or a constant of the graph's; NULL: none */
    const nm_entry *entry; /* that tensor in the store; NULL: not in it, or there is no store */
    int input;             /* which one; -1: none */
    int step, output;      /* what makes it, and as its how-manieth output; -1: no step */
} nm_graph_value;

typedef enum nm_step_kind {
    NM_STEP_OP,     /* an op */
    NM_STEP_FULL,   /* nm_full(): `number` in every place */
    NM_STEP_DETACH, /* nm_detach() */
    NM_STEP_DRAW,   /* nm_tape_draw(): the next number of the pass's random stream, i64 [] */
    NM_STEP_EFFECT, /* nm_tape_do() */
    NM_STEP_CALL    /* a part of a network that no graph can hold: it runs as it is */
} nm_step_kind;

/* What NM_STEP_CALL calls. `pass` is that of the network, an nm_pass. */
typedef struct nm_graph_part {
    const char *name;
    nm_tensor *(*run)(void *self, const void *pass, nm_tensor *x);
} nm_graph_part;

/* The arrays hold indices of values; -1 is an absent input. */
typedef struct nm_graph_step {
    nm_step_kind kind;
    const char *scope; /* NULL: none */
    const nm_op *op;
    const void *options; /* of op->item.spec, or the effect's data; NULL: it has none */
    double number;
    const nm_effect *effect;
    const nm_graph_part *part;
    void *self;     /* the part's */
    bool recording; /* whether the pass left recording on for it */
    int inputs, outputs;
    int segment; /* nm_tape_begin_segment(): from 1 on; 0: in none */
    const int *in, *out;
} nm_graph_step;

NM_API nm_context *nm_graph_context(const nm_graph *graph);
NM_API int nm_graph_value_count(const nm_graph *graph);
/* NULL: there is no value of that index. */
NM_API const nm_graph_value *nm_graph_value_at(const nm_graph *graph, int index);
/* In the order they run. */
NM_API int nm_graph_step_count(const nm_graph *graph);
NM_API const nm_graph_step *nm_graph_step_at(const nm_graph *graph, int index); /* or NULL */
NM_API int nm_graph_input_count(const nm_graph *graph);
NM_API int nm_graph_output_count(const nm_graph *graph);
NM_API int nm_graph_input_at(const nm_graph *graph, int index);  /* a value; -1: none */
NM_API int nm_graph_output_at(const nm_graph *graph, int index); /* the same */

/* One line for each input, tensor, step and output:
 *
 *     input x f32 [12, 7]
 *     parameter dense1.weight f32 [5, 7]
 *     %1 f32 [12, 5] = dense(x, dense1.weight) layer "dense1"
 *     output %1
 *
 * Options are told where they differ from the defaults; "_" is an output that nobody reads. New
 * memory, to be freed with nm_free(); NULL on failure. */
NM_API char *nm_graph_text(const nm_graph *graph);

/* ---- Making one ---- */

typedef struct nm_graph_input {
    const char *name; /* copied */
    nm_dtype dtype;
    nm_shape shape;
} nm_graph_input;

/* A forward pass: puts its results, which belong to the tape, into `out`. */
typedef nm_status nm_forward_fn(void *self, nm_tape *tape, nm_tensor *const *in, nm_tensor **out);

#define NM_GRAPH_MAX_INPUTS 32
#define NM_GRAPH_MAX_OUTPUTS 32

/* Runs `forward` once, without elements, on a tape of its own. `store` may be NULL. NULL on
 * failure: the errors of the pass itself, and "cannot be kept as a graph" with the reason. */
NM_API nm_graph *nm_graph_trace(nm_context *context, nm_store *store, nm_forward_fn *forward,
                                void *self, const nm_graph_input *inputs, int input_count,
                                int output_count);
NM_API void nm_graph_destroy(nm_graph *graph); /* NULL is fine */

/* ---- Running it ---- */

/* Does on `tape` what the pass did: the same ops, in the same scopes, recorded for a backward pass
 * if the tape records. Inputs have the shapes and types of the trace. `random` is for NM_STEP_DRAW;
 * NULL where there is none. All of `out` are NULL on failure. */
NM_API nm_status nm_graph_run(nm_graph *graph, nm_tape *tape, nm_random *random,
                              nm_tensor *const *in, nm_tensor **out);

/* Takes ops away whose results nobody reads. */
NM_API nm_status nm_graph_drop(nm_graph *graph);

#ifdef __cplusplus
}
#endif
#endif
