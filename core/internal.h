/* What core's own files know of each other. Nothing outside core includes this. */
#ifndef NM_CORE_INTERNAL_H
#define NM_CORE_INTERNAL_H

#include "core/op.h"

/* ---- Buffers: reference-counted memory from the context's pool, 64-byte aligned ---- */

typedef struct nm_buffer {
    struct nm_buffer *next; /* in the pool's list of its size class */
    nm_context *context;
    void *block; /* what the allocator gave */
    size_t bytes;
    int size_class;
    int references;
} nm_buffer;

#define NM_ALIGNMENT 64
#define NM_SIZE_CLASSES 176 /* four steps a power of two, 64 bytes to 2^48 */

nm_buffer *nm_buffer_create(nm_context *context, size_t bytes); /* one reference */
void nm_buffer_release(nm_buffer *buffer);                      /* NULL is fine */
static inline void *nm_buffer_data(nm_buffer *buffer)
{
    return (char *)buffer + NM_ALIGNMENT;
}

/* ---- Context ---- */

#define NM_ERROR_TEXT 8192

/* A module's state; it stands behind this. */
typedef struct nm_attachment {
    struct nm_attachment *next;
    const void *key;
    void (*destroy)(nm_context *context, void *state);
} nm_attachment;

struct nm_context {
    nm_allocator allocator;
    int threads;
    uint64_t seed;
    nm_log_fn log;
    void *log_user;
    nm_status status;
    char error[NM_ERROR_TEXT];
    nm_map *kinds[NM_KIND_COUNT];
    nm_buffer *pool[NM_SIZE_CLASSES];
    size_t pool_bytes, pool_peak;
    nm_attachment *attachments;
};

/* ---- Tensors ---- */

struct nm_tensor {
    void *data;        /* NULL: given back, or dry */
    nm_buffer *buffer; /* NULL: the caller's memory */
    nm_context *context;
    nm_tape *tape;      /* NULL: the user's own */
    nm_tensor *grad;    /* own tensors: what nm_backward() added up */
    nm_tensor *pending; /* during a backward pass: what has come in so far */
    nm_tensor *next;    /* in the tape's list of free, recent or leaf tensors */
    const char *name;
    int64_t node; /* the node that computed it; -1: none */
    int64_t count;
    nm_shape shape;
    uint8_t dtype;
    uint8_t output; /* which output of the node */
    bool requires_grad;
    bool keep;      /* backward leaves its elements */
    bool fresh;     /* made by the vjp that is running */
    bool wanted;    /* during nm_gradients(): leads to a requested input */
    bool requested; /* during nm_gradients(): is one */
};

/* ---- Tape ---- */

/* A node and, behind it, its tensors: inputs, then outputs; then its options. */
typedef struct nm_node {
    const nm_op *op;
    const char *scope;
    const void *options;
    int inputs, outputs;
    nm_tensor *tensors[];
} nm_node;

/* Memory that grows by chunks and is rewound, never freed in between. */
typedef struct nm_chunk {
    struct nm_chunk *next;
    size_t size, used;
} nm_chunk;

typedef struct nm_arena {
    nm_chunk *first, *current;
} nm_arena;

/* `size` bytes, aligned to 16, until the arena is rewound. */
void *nm_arena_take(nm_context *context, nm_arena *arena, size_t size);

struct nm_tape {
    nm_context *context;
    nm_arena nodes_memory, tensors_memory;
    nm_node **nodes;
    int64_t node_count, node_capacity;
    nm_tensor *free_tensors;
    nm_tensor *leaves; /* of the running backward pass */
    nm_tensor *recent; /* tensors made since the running vjp began */
    bool collecting;   /* list new tensors in `recent` */
    bool recording, anomaly, dry;
    const char *scope;
    nm_tape_cost cost;
    const nm_op *add, *sum_to; /* found at the first backward pass */
};

/* A tape tensor without elements. */
nm_tensor *nm_tape_header(nm_tape *tape, nm_dtype dtype, const nm_shape *shape);
/* Gives it elements. */
nm_status nm_tensor_allocate(nm_tensor *tensor);
/* Drops its elements. */
void nm_tensor_release(nm_tensor *tensor);
/* Shares the elements of `from`. */
void nm_tensor_share(nm_tensor *tensor, nm_tensor *from);
/* Drops the elements and gives the header back to the tape. */
void nm_tape_recycle(nm_tape *tape, nm_tensor *tensor);

static inline nm_tensor **nm_node_inputs(nm_node *node)
{
    return node->tensors;
}

static inline nm_tensor **nm_node_outputs(nm_node *node)
{
    return node->tensors + node->inputs;
}

/* Runs an op's computation on allocated outputs: no checks, no recording. */
nm_status nm_run_op(nm_context *context, const nm_op *op, const void *options, nm_dtype dtype,
                    nm_tensor *const *in, int inputs, nm_tensor *const *out);
/* In anomaly mode: fails if one of the tensors has a NaN or infinity. `of` says what they are. */
nm_status nm_look_for_anomaly(nm_tape *tape, const nm_op *op, const char *scope, int64_t node,
                              const char *of, const char *name, const nm_tensor *tensor);
/* The port of an input; the last one stands for all that follow if it is variadic. */
const nm_port *nm_input_port(const nm_op *op, int input);

/* What safetensors calls the types. */
extern const char *const nm_safetensors_types[NM_DTYPE_COUNT];

/* Finds the first NaN or infinity; -1 if there is none. */
int64_t nm_tensor_first_bad(const nm_tensor *tensor);

#endif
