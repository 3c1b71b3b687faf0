/* What core's own files know of each other. Nothing outside core includes this. */
#ifndef NM_CORE_INTERNAL_H
#define NM_CORE_INTERNAL_H

#include "core/crowd.h"
#include "core/inline.h"
#include "core/op.h"

/* ---- Buffers: reference-counted memory from the context's pool, 64-byte aligned ---- */

typedef struct nm_buffer {
    struct nm_buffer *next;  /* in the pool's list of its size class */
    struct nm_buffer **link; /* of a large one: what points to it there */
    struct nm_buffer *whole; /* what it is half of; NULL: a block of its own */
    nm_context *context;
    void *block; /* what the allocator gave */
    size_t room; /* bytes, at least its class's */
    int size_class;
    int references;   /* 0: it waits in the pool */
    uint64_t changed; /* as a tensor's, through any of those that share it */
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

typedef struct nm_trace nm_trace;

/* A module's state; it stands behind this. */
typedef struct nm_attachment {
    struct nm_attachment *next;
    const void *key;
    void (*destroy)(nm_context *context, void *state);
} nm_attachment;

/* A tensor whose elements the program may have changed, and what they were at `clock`. */
typedef struct nm_exposed {
    nm_tensor *tensor;
    uint64_t sum, clock;
} nm_exposed;
#define NM_MOST_EXPOSED 16 /* since a reset; what comes after them is not looked at */

struct nm_context {
    nm_allocator allocator;
    int threads;
    bool threads_chosen;  /* by its user, not as many as there are */
    struct nm_team *team; /* NULL: none so far, or no memory for it */
    nm_crowd crowd;       /* of other programs */
    uint64_t seed;
    nm_log_fn log;
    void *log_user;
    nm_status status;
    char error[NM_ERROR_TEXT];
    nm_map *kinds[NM_KIND_COUNT];
    const nm_kind_rule *rules[NM_KIND_COUNT]; /* of their descriptors; NULL: none */
    struct nm_plugin *plugins;                /* in the order they were loaded */
    nm_map *labels; /* texts that live as long as it does; NULL: none so far */
    nm_buffer *pool[NM_SIZE_CLASSES];
    size_t pool_bytes, pool_peak;
    nm_attachment *attachments;
    nm_tape *tapes;    /* all that are there */
    nm_tape *buried;   /* destroyed, but for the headers of their tensors */
    nm_trace *trace;   /* a dry run that is being kept; NULL: none */
    nm_tensor *doomed; /* destroyed by their users, but needed yet; linked by `grad` */
    nm_exposed exposed[NM_MOST_EXPOSED];
    int exposed_count;
    uint32_t steps; /* of all tapes so far */
    int busy;       /* computations and formulas of ops that run: they have their inputs */
    uint64_t lost;  /* tensors that were destroyed while graphs compute with them; atomic */
    uint64_t clock; /* changes of tensors that a node needs */
    size_t blocks;  /* what keeps it: memory given out and not yet back, and its user */
    bool closed;    /* by its user, while blocks were out; the last one frees it */
    int holders;    /* its user and what other contexts read of it; the last one ends it. Atomic */
};

/* One of its `blocks` less; with the last one it is freed. */
void nm_context_let_go(nm_context *context);

/* The map's own copy of the name, which is added if it is not there. NULL without memory. */
const char *nm_map_intern(nm_map *map, const char *name);

/* Takes back what was registered since each kind had so many items. */
void nm_registry_rewind(nm_context *context, const int counts[NM_KIND_COUNT]);

/* What nm_context_attach() made for `key`; NULL: nothing yet. */
void *nm_context_attached(const nm_context *context, const void *key);

/* ---- Tensors ---- */

/* nm_dtype_is_float() and nm_dtype_size(), where every nanosecond counts. */
static inline bool nm_is_float(uint8_t dtype)
{
    return dtype == NM_F32 || dtype == NM_F64 || dtype == NM_BF16;
}

/* What is computed with elements of that type, and what their gradient is of: bf16 is only kept. */
static inline nm_dtype nm_wide(uint8_t dtype)
{
    return dtype == NM_BF16 ? NM_F32 : (nm_dtype)dtype;
}

static inline size_t nm_size_of(uint8_t dtype)
{
    return dtype == NM_F32 ? sizeof(float) : nm_dtype_size((nm_dtype)dtype);
}

#define NM_SMALL_BYTES 16

/* What the engine touches for every op comes first, in one cache line or two. */
struct nm_tensor {
    void *data;        /* NULL: given back, or dry */
    nm_buffer *buffer; /* NULL: the caller's memory, or `small` */
    nm_context *context;
    nm_tape *tape;      /* NULL: the user's own */
    nm_tensor *pending; /* during a backward pass: what has come in so far */
    nm_tensor *next;    /* in the tape's list of free, recent or leaf tensors */
    int64_t node;       /* the node that computed it; -1: none */
    int64_t count;
    union {
        unsigned char small[NM_SMALL_BYTES]; /* a tape tensor's elements, if they fit */
        struct {                             /* own tensors */
            const int
                *readers;  /* how many other contexts read them, atomic; NULL: none ever will */
            int keepers;   /* graphs and plans that compute with it */
            uint32_t seen; /* nm_tape.step of the last op that read it and left no node */
        };
    };
    nm_tensor *grad; /* own tensors: what nm_backward() added up */
    const char *name;
    uint8_t dtype;
    uint8_t output; /* which output of the node */
    bool requires_grad;
    bool keep;      /* backward leaves its elements */
    bool fresh;     /* made by the vjp that is running */
    bool wanted;    /* during nm_gradients(): leads to a requested input */
    bool requested; /* during nm_gradients(): is one */
    uint8_t spent;  /* of a gradient: 1: an update was made by it; 2: and then more was added */
    union {
        struct {
            bool recorded; /* a node has had it as an input */
            bool owned;    /* by a store, a file or a tensor: its user must not destroy it */
            bool doomed;   /* own tensors: destroyed, but for what a tape needs */
            bool dead;     /* of a tape, from before its last reset */
            bool stale;    /* while a node is visited: changed since that had it; `data` is NULL */
            bool borrows;  /* of a tape: over memory of a caller's through another tensor */
            bool recomputed; /* of a tape: its segment gave it back; `data` is NULL until it is
                                needed */
            bool outlives;   /* while its segment ends: it stays */
        };
        uint64_t fates; /* all of them, to be cleared at once */
    };
    nm_shape shape;
    uint64_t changed; /* the context's clock when its elements, or those of a tensor that had this
                         memory before, were changed; 0: never */
};

/* Elements that a node has had are about to be others. */
static inline void nm_tensor_note_change(nm_tensor *tensor)
{
    tensor->spent = 0;
    if (tensor->recorded || tensor->node >= 0) {
        tensor->changed = ++tensor->context->clock;
        if (tensor->buffer) {
            tensor->buffer->changed = tensor->changed;
        }
    }
}

/* Whether something else destroys it, and its user must not. NULL is fine. */
static inline void nm_tensor_own(nm_tensor *tensor, bool owned)
{
    if (tensor) {
        tensor->owned = owned;
    }
}

/* Element i, whatever the type; none of these looks whether it is there. */
double nm_element_load(const nm_tensor *tensor, int64_t i);
void nm_element_store(nm_tensor *tensor, int64_t i, double value);
/* Whether the tensor's type can hold `value`: floats take any, integers whole ones within range. */
nm_status nm_element_check(nm_tensor *tensor, double value);
/* A header for the tensor's gradient, without elements yet, unless it has one. */
nm_status nm_tensor_make_grad(nm_tensor *tensor);
/* The error of a tensor that has no gradient of its own, or wants none. */
nm_status nm_refuse_grad(const nm_tensor *tensor);

/* What messages call it. */
static inline const char *nm_tensor_title(const nm_tensor *tensor)
{
    return tensor->name ? tensor->name : "tensor";
}

/* Keeps an own tensor of this very context's, although its user destroys it: for a graph or a plan.
 * nm_context.lost counts those that were; their graphs are of the past. */
void nm_tensor_keep_for(nm_context *context, nm_tensor *tensor);
void nm_tensor_give_up(nm_context *context, nm_tensor *tensor);
/* Whether a tape has nodes, and may need tensors that they have had. */
bool nm_context_has_nodes(const nm_context *context);
/* Its memory, whoever has it. */
void nm_tensor_free(nm_tensor *tensor);
/* Frees what was destroyed by its user, as far as nothing needs it any more. */
void nm_tensors_forget(nm_context *context);

/* Whether it has elements; else an error. NULL, of a call that failed, has none. */
bool nm_tensor_has_elements(const nm_tensor *tensor);
/* The error for elements that are not there. */
nm_status nm_refuse_elements(const nm_tensor *tensor, const char *name);

/* The error for a type or shape that no tensor has. */
nm_status nm_refuse_tensor(nm_context *context, nm_dtype dtype, const nm_shape *shape);
/* Whether memory of a caller can be that of such a tensor: there, and aligned. */
nm_status nm_check_memory(nm_context *context, const char *function, nm_dtype dtype,
                          const nm_shape *shape, const void *data);

/* Whether nobody else sees the elements. */
static inline bool nm_tensor_is_alone(const nm_tensor *tensor)
{
    return tensor->buffer ? tensor->buffer->references == 1 : tensor->data == tensor->small;
}

NM_INLINE bool nm_same_shape(const nm_tensor *a, const nm_tensor *b)
{
    return a->count == b->count && a->shape.rank == b->shape.rank &&
           (a->shape.rank == 0 || nm_shape_equal(&a->shape, &b->shape));
}

/* Copies a shape; a scalar's dimensions are left as they are. */
static inline void nm_shape_take(nm_shape *to, const nm_shape *from)
{
    if (from->rank == 0) {
        to->rank = 0;
    } else {
        *to = *from;
    }
}

/* ---- Tape ---- */

/* A node and, behind it, its tensors: inputs, then outputs; then its options. */
typedef struct nm_node {
    const nm_op *op;
    const char *scope;
    const void *options;
    uint64_t clock; /* the context's, when it was recorded */
    int16_t inputs, outputs;
    uint32_t differentiable; /* bit i: a gradient can go to input i */
#ifdef NM_GUARD
    uint64_t sums[NM_MAX_INPUTS + NM_MAX_OUTPUTS]; /* of the tensors' elements, when it had them */
#endif
    nm_tensor *tensors[];
} nm_node;

/* Nodes whose results were given back and are computed again when a backward pass comes there. */
typedef struct nm_segment {
    struct nm_segment *before; /* of the tape's; NULL: none */
    int64_t begin, end;        /* its nodes, up to before `end` */
} nm_segment;

/* Memory that grows by chunks and is rewound, never freed in between. */
typedef struct nm_chunk {
    struct nm_chunk *next;
    size_t size, used;
} nm_chunk;

typedef struct nm_arena {
    nm_chunk *first, *current;
} nm_arena;

#define NM_CHUNK_HEAD ((sizeof(nm_chunk) + 15) & ~(size_t)15)

/* `size` bytes, a multiple of 16 and aligned to it, from a chunk that has room for them. */
void *nm_arena_grow(nm_context *context, nm_arena *arena, size_t size);

/* From its beginning again; what was there is forgotten. */
void nm_arena_rewind(nm_arena *arena);
void nm_arena_free(nm_context *context, nm_arena *arena);
#define NM_TENSOR_BYTES ((sizeof(nm_tensor) + 15) & ~(size_t)15) /* of a header in one */

/* `size` bytes, aligned to 16, until the arena is rewound. */
static inline void *nm_arena_take(nm_context *context, nm_arena *arena, size_t size)
{
    size = (size + 15) & ~(size_t)15;
    nm_chunk *chunk = arena->current;
    if (!chunk || chunk->size - chunk->used < size) {
        return nm_arena_grow(context, arena, size);
    }
    void *memory = (char *)chunk + NM_CHUNK_HEAD + chunk->used;
    chunk->used += size;
    return memory;
}

/* Headers of tensors come from arenas in turn, so that one that was kept over a reset is known as
 * such for as many steps as there are others. */
#ifdef NM_GUARD
#define NM_ARENAS 64
#else
#define NM_ARENAS 2
#endif

/* Whether tensors of the context's tapes see memory of a caller's through another tensor. `instead`
 * (NULL: they stay) is what they see from now on. */
bool nm_tapes_borrow(const nm_context *context, const void *data, const nm_tensor *instead);
/* Frees what is left of the tapes that were destroyed. */
void nm_tapes_forget(nm_context *context);

struct nm_tape {
    nm_context *context;
    nm_tape *next; /* of the context's */
    nm_arena nodes_memory, tensors_memory[NM_ARENAS];
    nm_arena texts_memory[NM_ARENAS]; /* of scopes and names that its user gave */
    int arena;                        /* of this step */
    nm_node **nodes;
    int64_t node_count, node_capacity;
    nm_segment *segments; /* since the last reset, the newest first */
    nm_tensor *free_tensors;
    nm_tensor *leaves; /* of the running backward pass */
    nm_tensor *recent; /* tensors made since the running vjp (or formula of an op) began */
    bool collecting;   /* a backward pass without a graph runs, or a formula: see `recent` */
    bool recording, anomaly, dry;
    bool running;             /* a backward pass: what takes its nodes away is refused */
    bool held;                /* by a network's forward pass */
    uint32_t step;            /* a number that no other step of any tape has */
    nm_tensor *late;          /* which this step has read and a gradient is wanted of since; NULL */
    bool composing;           /* a formula of an op runs: what takes nodes away is refused */
    nm_trace *trace;          /* keeps what is done, in a dry run; NULL: nobody does */
    const nm_context *lender; /* whose own tensors it may read too, without recording; or NULL */
    const char *scope;
    nm_tape_cost cost;
    const nm_op *add, *sum_to; /* found at the first backward pass */
};

/* The error for a shape that has no count, or a type that is none. */
nm_tensor *nm_tape_refuse(nm_tape *tape, nm_dtype dtype, const nm_shape *shape);
/* A header from the arena, with what stays the same when it is used again. */
nm_tensor *nm_tape_new_header(nm_tape *tape);

/* A tape tensor without elements, of a type that is one. `count` is the shape's; -1 is an error.
 * `listed`: in `recent`, as what a running vjp makes. */
NM_INLINE nm_tensor *nm_tape_header_as(nm_tape *tape, nm_dtype dtype, const nm_shape *shape,
                                       int64_t count, bool listed)
{
    if (count < 0) {
        return nm_tape_refuse(tape, dtype, shape);
    }
    nm_tensor *tensor = tape->free_tensors;
    if (tensor) {
        tape->free_tensors = tensor->next;
    } else if (!(tensor = nm_tape_new_header(tape))) {
        return NULL;
    }
    /* Field by field: of a scalar, the cache lines of the dimensions are not touched. */
    tensor->data = NULL;
    tensor->buffer = NULL;
    tensor->pending = NULL;
    tensor->node = -1;
    tensor->count = count;
    tensor->name = NULL;
    tensor->dtype = (uint8_t)dtype;
    tensor->output = 0;
    tensor->requires_grad = tensor->keep = tensor->wanted = tensor->requested = false;
    nm_shape_take(&tensor->shape, shape);
    tensor->fresh = listed;
    tensor->next = listed ? tape->recent : NULL;
    tape->recent = listed ? tensor : tape->recent;
    return tensor;
}

NM_INLINE nm_tensor *nm_tape_header(nm_tape *tape, nm_dtype dtype, const nm_shape *shape,
                                    int64_t count)
{
    return nm_tape_header_as(tape, dtype, shape, count, tape->collecting);
}

/* Gives it elements: `bytes` of them in the pool's memory. */
nm_status nm_tensor_allocate_buffer(nm_tensor *tensor, size_t bytes);
/* Gives it elements, within the header if they fit there. */
static inline nm_status nm_tensor_allocate(nm_tensor *tensor)
{
    size_t bytes = nm_bytes(tensor->count, nm_size_of(tensor->dtype));
    if (tensor->tape && bytes <= NM_SMALL_BYTES) {
        tensor->data = tensor->small;
        return NM_OK;
    }
    return nm_tensor_allocate_buffer(tensor, bytes);
}
/* Drops its elements. */
static inline void nm_tensor_release(nm_tensor *tensor)
{
    if (tensor->buffer) {
        nm_buffer_release(tensor->buffer);
        tensor->buffer = NULL;
    }
    tensor->data = NULL;
}
/* Shares the elements of `from`. */
void nm_tensor_share(nm_tensor *tensor, nm_tensor *from);
/* Drops the elements and gives the header back to the tape. */
static inline void nm_tape_recycle(nm_tape *tape, nm_tensor *tensor)
{
    nm_tensor_release(tensor);
    tensor->next = tape->free_tensors;
    tape->free_tensors = tensor;
}

/* Gives back what was made since `recent` began and nobody took. */
NM_INLINE void nm_tape_recycle_recent(nm_tape *tape)
{
    nm_tensor *tensor = tape->recent;
    tape->recent = NULL;
    while (tensor) {
        nm_tensor *next = tensor->next;
        if (tensor->fresh) {
            tensor->fresh = false;
            nm_tape_recycle(tape, tensor);
        }
        tensor = next;
    }
}

/* A number that tells other elements apart. */
uint64_t nm_tensor_sum(const nm_tensor *x);

/* ---- What a program does behind a tape's back (core/tape/watch.c) ---- */

/* The program gets a pointer to elements that a node has had. */
void nm_tensor_expose(nm_tensor *tensor);
/* A tensor is to have a gradient from now on; it is gone. */
void nm_tensor_want_late(nm_tensor *tensor);
void nm_tensor_want_no_more(const nm_tensor *tensor);
/* Notes what was changed behind such pointers: at once when they were got, so that nodes which were
 * made since are none the worse. */
void nm_context_find_changes(nm_context *context);
/* The same for now: what is changed later behind those pointers will be found too. */
void nm_context_note_changes(nm_context *context);
/* Whether elements of the node's tensor `i` are others than it had. */
bool nm_node_is_changed(const nm_node *node, int i);
/* Whether that pass may begin. */
nm_status nm_tape_begin_backward(nm_tape *tape);
nm_status nm_tape_begin_gradients(nm_tape *tape);

/* ---- Segments (core/tape/segment.c) ---- */

/* Of the nodes from `begin` on: gives back what they computed, but for what outlives it. */
nm_status nm_segment_end(nm_tape *tape, int64_t begin);
/* Computes what nodes of a segment gave back. `stays`: it is not given back again. */
nm_status nm_segment_restore(nm_tape *tape, int64_t begin, int64_t end, bool stays);
/* Gives it back again. */
void nm_segment_forget(nm_tape *tape, const nm_segment *segment);
/* In a trace of a forward pass: the steps that follow are of a segment, until its end. One within
 * another takes part in that. */
int64_t nm_trace_begin_segment(nm_trace *trace);
nm_status nm_trace_end_segment(nm_trace *trace, int64_t segment);

static inline nm_tensor **nm_node_inputs(nm_node *node)
{
    return node->tensors;
}

static inline nm_tensor **nm_node_outputs(nm_node *node)
{
    return node->tensors + node->inputs;
}

/* A copy of the text until the reset after the next, as tensors of the tape are known. NULL gives
 * NULL, and so does a lack of memory. */
const char *nm_tape_copy_text(nm_tape *tape, const char *text);
/* NM_OK, or an error of `function` while a backward pass runs; while a formula does, too. */
nm_status nm_tape_check_no_walk(const nm_tape *tape, const char *function);
nm_status nm_tape_check_rest(const nm_tape *tape, const char *function);

/* A tensor of the tape that has no elements yet, in a dry run or to be filled in at once. */
nm_tensor *nm_tape_empty(nm_tape *tape, nm_dtype dtype, const nm_shape *shape);

/* ---- Traces (core/graph/trace.c): what is done on a dry tape that has one ---- */

nm_status nm_trace_op(nm_tape *tape, const nm_op *op, const void *options, nm_tensor *const *in,
                      int inputs, nm_tensor *const *out);
nm_status nm_trace_full(nm_tape *tape, double number, nm_tensor *out);
nm_status nm_trace_detach(nm_tape *tape, nm_tensor *x, nm_tensor *out);
nm_status nm_trace_draw(nm_tape *tape, nm_tensor *out);
nm_status nm_trace_effect(nm_tape *tape, const nm_effect *effect, const void *data,
                          nm_tensor *const *in, int inputs);
/* Says that the pass did what no graph can hold: "it ...". The first one counts. */
void nm_trace_note(nm_trace *trace, const char *obstacle);
/* Whether ops of the pass leave nodes, for a backward pass that will be kept with it. */
bool nm_trace_differentiates(const nm_trace *trace);
void nm_trace_note_in(nm_context *context, const char *obstacle); /* which has a trace */

/* nm_backward() on a tape whose trace keeps it, with `seed` as the loss's gradient: `keep` gets
 * what would be added to the gradient of each tensor of the program's own. */
nm_status nm_backward_in_trace(nm_tape *tape, nm_tensor *loss, nm_tensor *seed,
                               nm_status (*keep)(void *user, nm_tensor *of, nm_tensor *gradient),
                               void *user);

/* Runs an op's computation on allocated outputs: no checks, no recording. */
nm_status nm_run_op(nm_context *context, const nm_op *op, const void *options, nm_dtype dtype,
                    nm_tensor *const *in, int inputs, nm_tensor *const *out);
/* Runs an op that is made of others. `recorded`: nodes hold what its formula makes; else that is
 * given back at its end, but for the results; within another formula or a gradient, at the end of
 * that. */
nm_status nm_run_composed(nm_tape *tape, const nm_op *op, nm_tensor *const *in, int inputs,
                          const void *options, bool recorded, nm_tensor **out);
/* A failure names its op, whatever the op said, and the scope (NULL: none). */
void nm_name_failure(nm_context *context, const nm_op *op, const char *scope, nm_status status);
/* In anomaly mode: fails if one of the tensors has a NaN or infinity. `of` says what they are. */
nm_status nm_look_for_anomaly(nm_tape *tape, const nm_op *op, const char *scope, int64_t node,
                              const char *of, const char *name, const nm_tensor *tensor);
/* The same of what an op has just computed, before its node is there. */
nm_status nm_look_for_anomaly_in_outputs(nm_tape *tape, const nm_op *op, nm_tensor *const *out);
/* The port of an input; the last one stands for all that follow if it is variadic. */
static inline const nm_port *nm_input_port(const nm_op *op, int input)
{
    return &op->inputs[input < op->input_count ? input : op->input_count - 1];
}

/* Whether a gradient can go through the port, to or from `x`. */
static inline bool nm_port_differentiable(const nm_port *port, const nm_tensor *x)
{
    return port->type != NM_PORT_INDEX && !(port->flags & NM_PORT_NO_GRAD) && nm_is_float(x->dtype);
}

/* Whether an output is for the gradient alone, and can do without elements. */
static inline bool nm_port_is_spare(const nm_port *port)
{
    return port->flags & NM_PORT_HIDDEN && port->flags & NM_PORT_OPTIONAL;
}

/* Whether its outputs can be differentiated. */
static inline bool nm_op_has_gradient(const nm_op *op)
{
    return op->vjp || (op->compose && !(op->flags & NM_OP_NO_VJP));
}

/* What safetensors calls the types. */
extern const char *const nm_safetensors_types[NM_DTYPE_COUNT];

#endif
