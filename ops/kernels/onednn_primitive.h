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
    int64_t direction, bias, bf16;
    int64_t share; /* which one of several that run at the same time */
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
    dnnl_stream_t stream;
    bool busy;              /* in a call that has begun */
    nm_weight_copy *copies; /* of weights that did not change between calls; NULL: none yet */
    int64_t calls;          /* with weights to reorder */
} nm_primitive;

/* A context's state. */
#define NM_PRIMITIVE_BUCKETS 128
typedef struct nm_backend {
    nm_onednn_switches switches;
    bool failed; /* it could not be loaded, or does not begin */
    nm_onednn dnnl;
    dnnl_engine_t engine; /* NULL: not loaded yet */
    nm_primitive *buckets[NM_PRIMITIVE_BUCKETS];
    int64_t shares; /* of one problem at the same time, at most, so far */
    bool limited;   /* memory, by the system: it is looked for before each use */
} nm_backend;

/* NULL: switched off or not to be had. */
nm_backend *nm_onednn_backend(nm_context *context);
/* How many threads so much work is worth. */
int nm_onednn_shares(nm_context *context, int64_t multiply_adds);
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

/* A part of the work, of one thread. `problem` and `arrays`, SOURCE to DESTINATION, in f32 but for
 * what the problem says is bf16, are the caller's to fill in; all else is zeros. */
typedef struct nm_onednn_share {
    nm_problem problem;
    const void *arrays[SCRATCHPAD];
    nm_primitive *primitive;
    nm_weight_copy *copy; /* NULL: these weights will not come again */
    bool follows;         /* it is the first share's, who looks after it */
    char *scratch;
    const void *data[SLOTS]; /* each array, or its place in scratch memory */
    bool current;            /* the copy was right */
    bool done;
} nm_onednn_share;

/* Runs the primitives of all shares at the same time, and makes those that are not there. False:
 * oneDNN does not take them, or memory ran out, which the context then says. */
bool nm_onednn_run(nm_context *context, nm_backend *backend, nm_describe_fn describe,
                   nm_onednn_share *shares, int count);

/* The primitive of a problem, made if need be; one that oneDNN does not take has no `run`. NULL
 * without memory. */
nm_primitive *nm_primitive_of(nm_context *context, nm_backend *backend, const nm_problem *problem,
                              nm_describe_fn describe);

/* Whether the caller's own array is bf16. */
bool nm_slot_is_bf16(const nm_problem *problem, int slot);
/* The type in which oneDNN is given SOURCE, WEIGHTS, BIAS or DESTINATION. */
dnnl_data_type_t nm_slot_type(const nm_problem *problem, int slot);

void nm_primitives_destroy(nm_context *context, nm_backend *backend);

/* ---- Weights that do not change (onednn_weights.c) ---- */

/* Reordering weights costs more than running a small network on one image. So where calls find the
 * same weights again, what became of them is kept, and beside it what they were: an array is taken
 * for unchanged only if all of it is what it was, whoever may have written to it. Comparing is many
 * times faster than reordering, and stops at the first difference. */
struct nm_weight_copy {
    const void *weights;
    int64_t used;     /* the number of the primitive's call that used it last */
    float sample[16]; /* of that call: whether it is worth looking closer */
    int same;         /* calls in a row with this sample */
    void *original;   /* one block with what follows; NULL: nothing is kept */
    void *reordered;
};

/* The entry of these weights; the one used longest ago makes room. NULL without memory. */
nm_weight_copy *nm_weight_copy_of(nm_context *context, nm_primitive *primitive,
                                  const void *weights);
/* Whether `reordered` is there and still right. In any thread. */
bool nm_weight_copy_is_current(nm_weight_copy *copy, size_t bytes);
/* After a call for which it was not current: keeps what became of weights that seem to stay. */
void nm_weight_copy_renew(nm_context *context, nm_weight_copy *copy, size_t bytes,
                          const void *reordered, size_t reordered_bytes);
void nm_weight_copies_destroy(nm_context *context, nm_primitive *primitive);

#endif
#endif
