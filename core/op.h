/* For people who write ops. An op is one `const nm_op`: what it is called, what goes in and out,
 * which options it has, its shape rule, its computation, its gradient, and samples on which that
 * gradient is checked. Everything else is the engine's work, done once for all ops: checking types
 * and missing inputs, allocation, recording, broadcasting gradients back, adding them up, skipping
 * those nobody needs. docs/examples/custom_op.c is a complete op outside the library. */
#ifndef NM_CORE_OP_H
#define NM_CORE_OP_H

#include "core/option.h"
#include "core/tape.h"

#ifdef __cplusplus
extern "C" {
#endif

#define NM_MAX_INPUTS 32
#define NM_MAX_OUTPUTS 8

typedef struct nm_op nm_op;

/* ---- Ports ---- */

typedef enum nm_port_type {
    NM_PORT_FLOAT, /* f32 or f64; all ports of this type share one: the op's dtype */
    NM_PORT_INDEX, /* i32, i64 or u8; as an output: i32. Never differentiated */
    NM_PORT_ANY    /* as an output: the type of input 0 */
} nm_port_type;

typedef struct nm_port {
    const char *name;
    const char *doc; /* shape and meaning: "[rows, channels]: values to normalize" */
    nm_port_type type;
    unsigned flags;
} nm_port;

#define NM_PORT_OPTIONAL                                                                           \
    1u /* input: may be NULL; output of an op made of others: may be left out; hidden output: its  \
          elements are NULL where no gradient will read them */
#define NM_PORT_VARIADIC 2u /* last input: one or more of it */
#define NM_PORT_NO_GRAD 4u  /* no gradient goes through, though it is floating */
#define NM_PORT_HIDDEN 8u   /* output: saved for the gradient, not part of the result */
#define NM_PORT_BF16                                                                               \
    16u /* floating input: takes bf16 beside f32, as which the op then computes; look at the       \
           tensor's type. Gradients of bf16 are f32 */

/* ---- Shape rule ---- */

/* What a shape rule sees and fills in. It sees shapes only: it also runs without elements. */
typedef struct nm_infer {
    nm_context *context;
    const nm_op *op;
    const void *options;
    int inputs;
    const nm_shape *in[NM_MAX_INPUTS];  /* NULL: absent */
    nm_dtype dtype;                     /* of the floating ports */
    nm_shape out[NM_MAX_OUTPUTS];       /* to fill in; rank 0 at first */
    nm_dtype out_dtype[NM_MAX_OUTPUTS]; /* preset by the ports; may be changed */
} nm_infer;

/* Fails with NM_ERROR_INPUT and "OP: message". */
NM_API nm_status nm_infer_fail(const nm_infer *infer, const char *format, ...) NM_PRINTF(2, 3);
/* Every output has the broadcast shape of all inputs. */
NM_API nm_status nm_infer_broadcast(nm_infer *infer);
/* All inputs have one shape, and every output has it too. */
NM_API nm_status nm_infer_same(nm_infer *infer);
/* Resolves an axis option of input `input`, negative counting from the end. */
NM_API nm_status nm_infer_axis(const nm_infer *infer, int input, int64_t axis, int *out);

/* ---- Computation ---- */

/* What a computation gets. Outputs are allocated and uninitialized. */
typedef struct nm_run {
    nm_context *context;
    const nm_op *op;
    const void *options;
    nm_dtype dtype; /* of the floating ports */
    int inputs, outputs;
    nm_tensor *const *in; /* NULL: absent */
    nm_tensor *const *out;
    const void *x[NM_MAX_INPUTS]; /* elements of the inputs; NULL: absent */
    void *y[NM_MAX_OUTPUTS];      /* elements of the outputs */
    bool same_shape;              /* known: all inputs are there and have output 0's shape */
} nm_run;

NM_API nm_status nm_run_fail(const nm_run *run, nm_status status, const char *format, ...)
    NM_PRINTF(3, 4);
/* Memory for the length of one computation, 64-byte aligned, from the pool: free of malloc in
 * steady state. Give it back with nm_scratch_end(). NULL on failure, with the error set. */
NM_API void *nm_scratch(nm_context *context, size_t bytes);
NM_API void nm_scratch_end(void *scratch); /* NULL is fine */
/* The bytes of `count` elements, at most 2^56, of `size` bytes each; SIZE_MAX, which no memory has,
 * where a size_t does not hold so many. */
static inline size_t nm_bytes(int64_t count, size_t size)
{
    const bool wide = SIZE_MAX > UINT32_MAX;
    return wide || (uint64_t)count <= SIZE_MAX / size ? (size_t)count * size : SIZE_MAX;
}

/* ---- Gradient: a vector-Jacobian product, written as a formula of ops ---- */

typedef struct nm_vjp {
    nm_tape *tape;
    const nm_op *op;
    const void *options;
    int inputs, outputs;
    nm_tensor *const *in;   /* the op's inputs; NULL: absent */
    nm_tensor *const *out;  /* the op's outputs */
    nm_tensor *const *gout; /* gradients of the outputs; NULL: zero (never for a single output) */
    nm_tensor **gin;        /* results so far: an op that computes several at once puts them here */
    const bool *need;       /* which inputs need one */
} nm_vjp;

/* gout[output], with zeros in place of NULL. */
NM_API nm_tensor *nm_vjp_gout(const nm_vjp *vjp, int output);
/* nm_apply2() of an elementwise op to x and gout[0], by a vjp of one output and one input that
 * reads gout[0] nowhere else: where nothing else holds that gradient, the result takes its memory.
 */
NM_API nm_tensor *nm_vjp_apply_last(const nm_vjp *vjp, const nm_op *op, const void *options,
                                    nm_tensor *x);

/* ---- An op made of others: a formula, and nothing else ---- */

typedef struct nm_compose {
    nm_tape *tape;
    const nm_op *op;
    const void *options;
    int inputs;           /* given; in[] has at least the op's input_count */
    nm_tensor *const *in; /* NULL: absent */
    nm_tensor **out;      /* for the outputs behind the first, which is returned; NULLs at first */
} nm_compose;

/* Fails with NM_ERROR_INPUT and "OP: message". Returns NULL. */
NM_API nm_tensor *nm_compose_fail(const nm_compose *compose, const char *format, ...)
    NM_PRINTF(2, 3);

/* ---- Samples for the gradient check ---- */

typedef enum nm_fill {
    NM_FILL_ABSENT,   /* an optional input left out; also ends the list */
    NM_FILL_NORMAL,   /* N(0, 1) */
    NM_FILL_UNIFORM,  /* low..high */
    NM_FILL_AWAY,     /* N(0, 1) pushed at least `low` away from 0: beside a kink */
    NM_FILL_DISTINCT, /* all values at least 0.1 apart, in random order: no ties for a maximum */
    NM_FILL_INDEX     /* integers from 0 to high - 1 */
} nm_fill;

/* A small shape, no axis longer than 255: there are many samples in the library. */
typedef struct nm_sample_shape {
    uint8_t rank;
    uint8_t dim[NM_MAX_RANK];
} nm_sample_shape;

static inline nm_shape nm_shape_of_sample(const nm_sample_shape *s)
{
    nm_shape shape;
    shape.rank = s->rank;
    for (int i = 0; i < NM_MAX_RANK; i++) {
        shape.dim[i] = s->dim[i];
    }
    return shape;
}

typedef struct nm_sample_input {
    uint8_t fill; /* an nm_fill */
    nm_sample_shape shape;
    float low, high;
} nm_sample_input;

#define NM_DIMS(...)                                                                               \
    {                                                                                              \
        sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t),                                        \
        {                                                                                          \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }
#define NM_NORMAL(...)                                                                             \
    {                                                                                              \
        NM_FILL_NORMAL, NM_DIMS(__VA_ARGS__), 0, 0                                                 \
    }
#define NM_UNIFORM(low, high, ...)                                                                 \
    {                                                                                              \
        NM_FILL_UNIFORM, NM_DIMS(__VA_ARGS__), (float)(low), (float)(high)                         \
    }
#define NM_AWAY(distance, ...)                                                                     \
    {                                                                                              \
        NM_FILL_AWAY, NM_DIMS(__VA_ARGS__), (float)(distance), 0                                   \
    }
#define NM_DISTINCT(...)                                                                           \
    {                                                                                              \
        NM_FILL_DISTINCT, NM_DIMS(__VA_ARGS__), 0, 0                                               \
    }
#define NM_INDEX(below, ...)                                                                       \
    {                                                                                              \
        NM_FILL_INDEX, NM_DIMS(__VA_ARGS__), 0, below                                              \
    }
#define NM_SCALAR_NORMAL                                                                           \
    {                                                                                              \
        NM_FILL_NORMAL, {0, {0}}, 0, 0                                                             \
    }
#define NM_ABSENT                                                                                  \
    {                                                                                              \
        NM_FILL_ABSENT, {0, {0}}, 0, 0                                                             \
    }

#define NM_SAMPLE_INPUTS 10

typedef struct nm_sample {
    const char *options; /* YAML text; NULL: defaults */
    nm_sample_input in[NM_SAMPLE_INPUTS];
    int inputs;            /* 0: up to the first absent one */
    bool first_order_only; /* the gradient has no derivative here; say why beside it */
} nm_sample;

/* ---- The op ---- */

struct nm_op {
    nm_item item; /* NM_ITEM(nm_op, name, summary, ...) */
    const nm_port *inputs;
    const nm_port *outputs;
    int input_count, output_count;
    unsigned flags;
    /* Checks shapes and options, fills in the outputs' shapes. This and what follows is left out by
     * an op made of others (compose). */
    nm_status (*infer)(nm_infer *infer);
    /* Computes. NULL only for NM_OP_VIEW. */
    nm_status (*forward)(const nm_run *run);
    /* Returns the gradient of input `input`, in the input's shape or one that broadcasting made of
     * it. Called for the inputs that need one, unless gin[input] is set already. NULL for an op
     * that has no gradient: then its outputs need none. */
    nm_tensor *(*vjp)(nm_vjp *vjp, int input);
    /* Multiply-adds of one call, for cost tables; NULL: none to speak of. */
    int64_t (*multiply_adds)(const nm_infer *infer);
    const nm_sample *samples;
    int sample_count;
    /* In place of infer, forward and vjp: applies other ops, the next ones on the tape, and returns
     * output 0. Shapes, gradients of any order and graphs are those of what it applied; what it
     * made on its way is given back. It must not read elements, which a dry run has not; and what
     * it makes of inputs that are absent or ill-shaped is its own to check: nm_compose_fail(). */
    nm_tensor *(*compose)(nm_compose *compose);
};

#define NM_OP_VIEW 1u     /* output 0 has the elements of input 0 under another shape */
#define NM_OP_IN_PLACE 2u /* output 0 may share its memory with input 0 */
#define NM_OP_NO_VJP                                                                               \
    4u /* the missing gradient is meant: the function is constant almost everywhere */
#define NM_OP_ELEMENTWISE                                                                          \
    8u /* inputs and one output, all floating and required; from inputs of one shape comes an      \
          output of that shape, whatever the options */

#define NM_OP_MAY_VIEW                                                                             \
    16u /* where output 0 has as many elements as input 0, it has the same, in the same order: a   \
           plan then computes nothing */

#define NM_COUNT_OF(array) ((int)(sizeof(array) / sizeof((array)[0])))

/* Runs `op` on `inputs`. `options` is a struct of op->item.spec, copied; NULL: the defaults.
 * `outputs` gets op->output_count tensors; all NULL on failure. */
NM_API nm_status nm_apply(nm_tape *tape, const nm_op *op, nm_tensor *const *inputs, int input_count,
                          const void *options, nm_tensor **outputs);
/* The same for the common case of one result. */
NM_API nm_tensor *nm_apply1(nm_tape *tape, const nm_op *op, const void *options, nm_tensor *x);
NM_API nm_tensor *nm_apply2(nm_tape *tape, const nm_op *op, const void *options, nm_tensor *x,
                            nm_tensor *y);
NM_API nm_tensor *nm_apply3(nm_tape *tape, const nm_op *op, const void *options, nm_tensor *x,
                            nm_tensor *y, nm_tensor *z);

/* The options of ops that are told a shape (reshape, broadcast_to, sum_to). */
typedef struct nm_shape_options {
    NM_STRUCT_SIZE(nm_shape_options);
    nm_ints shape NM_DEFAULT(NM_NO_LIST);
} nm_shape_options;

/* The op that made a tensor of the tape, with the label that it ran under (which may be NULL) and
 * its first input; NULL, and both untouched, if it was not recorded. */
NM_API const nm_op *nm_tensor_origin(const nm_tensor *x, const char **scope, nm_tensor **input);
/* The registered op of that name, or NULL, without an error. */
NM_API const nm_op *nm_find_op(const nm_context *context, const char *name);
/* Registers an op after checking that its descriptor is complete: nm_register() with more care. */
NM_API nm_status nm_register_op(nm_context *context, const nm_op *op);

/* ---- The gradient check ---- */

typedef struct nm_check_result {
    int samples;
    double first_error;  /* largest relative difference, first order */
    double second_error; /* the same for the gradient of the gradient */
} nm_check_result;

/* Checks an op on all its samples, in f64, against central differences, weighted by random output
 * gradients: first order, then the gradient of the gradient. Also that it is recorded, that f32
 * agrees with f64, that a second run gives the same bits, that the inputs stay as they are, and
 * that what is written is what the shape rule says. Fails with NM_ERROR_NUMERIC and the sample,
 * input, element and both numbers. `result` may be NULL. */
NM_API nm_status nm_check_op(nm_context *context, const char *name, nm_check_result *result);

#ifdef __cplusplus
}
#endif
#endif
