/* oneDNN's primitives as Norma keeps them: made once for a problem, found again by it, run on
 * memory of the caller. For the files that speak to oneDNN; all others include onednn.h. */
#ifndef NM_OPS_KERNELS_ONEDNN_PRIMITIVE_H
#define NM_OPS_KERNELS_ONEDNN_PRIMITIVE_H

#include "ops/kernels/onednn.h"

/* The switches of a context, kept also where the library was built without oneDNN. */
typedef struct nm_onednn_switches {
    bool off;
} nm_onednn_switches;

#ifdef NM_HAVE_ONEDNN

#include "ops/kernels/onednn_version.h"

/* Arrays of an execution. The first four are the caller's. */
enum { SOURCE, WEIGHTS, BIAS, DESTINATION, SCRATCHPAD, SLOTS };

/* What a primitive is found by. Compared as bytes: no padding, and zeros where a kind has less. */
typedef struct nm_problem {
    int64_t convolution; /* or else a product */
    int64_t direction, bias, bf16, threads;
    union {
        nm_conv conv;
        struct {
            int64_t m, n, k, lda, ldb, ldc, transpose_a, transpose_b;
        } product;
    };
} nm_problem;

typedef struct nm_weight_copy nm_weight_copy;

typedef struct nm_primitive {
    struct nm_primitive *next; /* in its bucket */
    nm_problem problem;
    dnnl_primitive_t run, reorder; /* reorder NULL: weights are in our layout and type */
    dnnl_memory_t memory[SLOTS];
    dnnl_memory_t own_weights; /* where they are reordered */
    size_t bytes[SLOTS];       /* in scratch memory; 0: the caller's array is used as it is */
    int64_t count[SLOTS];      /* elements to convert to bf16 there; 0: none */
    nm_weight_copy *copies;    /* of weights that did not change between calls; NULL: none yet */
    int64_t calls;             /* with weights to reorder */
} nm_primitive;

/* A context's state. */
#define NM_PRIMITIVE_BUCKETS 128
typedef struct nm_backend {
    nm_onednn_switches switches;
    bool failed; /* it could not be loaded, or does not begin */
    nm_onednn dnnl;
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    nm_primitive *buckets[NM_PRIMITIVE_BUCKETS];
    bool limited; /* memory, by the system: it is looked for before each use */
} nm_backend;

/* NULL: switched off or not to be had. */
nm_backend *nm_onednn_backend(nm_context *context);
/* oneDNN asks OpenMP how many threads there are. `enter` sets that to what so much work is worth
 * and returns what it was, for `leave`. */
int nm_onednn_enter(nm_context *context, int64_t multiply_adds);
void nm_onednn_leave(int before);
/* Threads between the two. */
int nm_onednn_threads(void);

/* What a kind of problem has to say about itself: how the arrays lie, in the types that oneDNN is
 * to be given (SOURCE, WEIGHTS in our layout and type, BIAS, DESTINATION), how it may have the
 * weights, and the primitive. All that is there is destroyed by the caller, also after a failure.
 */
typedef struct nm_description {
    const nm_onednn *dnnl; /* whose they are, given to who describes */
    nm_layout slots[SCRATCHPAD], weights;
    dnnl_primitive_desc_t primitive;
} nm_description;
typedef bool (*nm_describe_fn)(const nm_problem *problem, dnnl_engine_t engine,
                               dnnl_primitive_attr_t attributes, nm_description *out);
void nm_description_clear(nm_description *description);
/* What of it oneDNN wants to see. */
nm_operands nm_operands_of(const nm_problem *problem, dnnl_engine_t engine,
                           dnnl_primitive_attr_t attributes, const nm_description *description);

/* Runs the primitive of a problem, and makes it if need be. `arrays` are SOURCE to DESTINATION, in
 * f32. False: oneDNN does not take it, or memory ran out, which the context then says. */
bool nm_primitive_run(nm_context *context, nm_backend *backend, const nm_problem *problem,
                      nm_describe_fn describe, const void *const arrays[SCRATCHPAD]);

/* Whether the caller's own array is bf16. */
bool nm_slot_is_bf16(const nm_problem *problem, int slot);
/* The type in which oneDNN is given SOURCE, WEIGHTS, BIAS or DESTINATION. */
dnnl_data_type_t nm_slot_type(const nm_problem *problem, int slot);

void nm_primitives_destroy(nm_context *context, nm_backend *backend);

/* ---- Primitives at work (onednn_run.c) ---- */

bool nm_primitive_execute(nm_context *context, nm_backend *backend, nm_primitive *primitive,
                          const void *const arrays[SCRATCHPAD]);
void nm_weight_copies_destroy(nm_context *context, nm_primitive *primitive);

#endif
#endif
