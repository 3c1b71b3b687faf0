/* For people who write layers. A layer is one `const nm_layer_type`: what it is called, its
 * options, how it makes its parameters, and its forward pass, which calls ops.
 * models/layers/dense.c is a whole one. Reading YAML, names, places in messages, the store,
 * initialization, shapes and costs are done once for all layers.
 *
 * A layer does not say what shape its output has. When a model is built, its first pass runs on a
 * dry tape: each layer is built when the pass reaches it, from its input's shape, and then runs;
 * the ops' shape rules do the checking. Whatever a layer may rely on, it may rely on in build(). */
#ifndef NM_MODELS_LAYER_H
#define NM_MODELS_LAYER_H

#include "core/op.h"
#include "models/initializer.h"
#include "optim/network.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct nm_layer nm_layer;
typedef struct nm_model nm_model;

/* As registered, under NM_KIND_LAYER. */
typedef struct nm_layer_type {
    nm_item item; /* its spec's struct begins with NM_LAYER_FIELDS; no spec: a name only */
    const char
        *prefix;       /* of automatic names: "conv" for conv1, conv2, ...; NULL: the item's name */
    size_t state_size; /* of what a layer keeps: parameters found at build(), children */
    const nm_op *op;   /* for nm_forward_op(): the op that the layer is */
    /* Reads those options that are values, such as a body of layers, and reports errors. NULL:
     * there are none. */
    void (*read)(nm_layer *layer, nm_diagnostics *d);
    /* Makes the parameters for an input of shape `x`, [NM_ANY_BATCH, ...]. Called once. NULL: there
     * are none. */
    nm_status (*build)(nm_layer *layer, const nm_shape *x);
    /* Computes. `x` is never NULL; the result is, on failure. It allocates nothing but on the tape,
     * and in inference writes nothing to the layer: several threads may be in it
     * (nm_predictor_share()). It may run once and be kept as a graph from then on (optim/traced.h):
     * what it does may depend on options, the pass, x's shape and what is trainable, and what it
     * does beside ops it says by nm_tape_do() and nm_tape_draw(). One that reads elements, asks
     * nm_pass_is_dry() or draws random numbers itself runs as it is, every time. */
    nm_tensor *(*forward)(nm_layer *layer, const nm_pass *pass, nm_tensor *x);
    /* Frees what read() and build() made, after either of them, complete or not. Parameters are the
     * store's and layers the model's: most types have nothing to free, and NULL here. */
    void (*destroy)(nm_layer *layer);
} nm_layer_type;

/* Registers a layer after checking that its descriptor is complete: nm_register() with more care.
 * It is kept by pointer and must outlive the context. */
NM_API nm_status nm_register_layer(nm_context *context, const nm_layer_type *type);

/* The options of every layer begin with this field, and their table with this row. */
#define NM_LAYER_FIELDS const char *name
#define NM_LAYER_ROWS(owner)                                                                       \
    {                                                                                              \
        NM_FIELD(owner, name),                                                                     \
            .type = NM_OPTION_STRING,                                                              \
            .doc = "the layer's name, which its parameters' names begin with; default: its type "  \
                   "and a number"                                                                  \
    }

/* The row of an option `recompute`, of layers that run others (nm_layers_run_again()). */
#define NM_RECOMPUTE_ROW(owner, what)                                                              \
    {                                                                                              \
        NM_FIELD(owner, recompute),                                                                \
            .type = NM_OPTION_BOOL,                                                                \
            .also = "checkpoint checkpointing gradient_checkpointing remat rematerialize",         \
            .doc = "gradient checkpointing: of " what                                              \
                   ", what lies between is given back and computed "                               \
                   "again in the backward pass: less memory for more time, the same numbers"       \
    }

/* The row of an option `mask_value`, of layers over padded sequences (nm_sequence_lengths()). Its
 * default is NM_NO_LIMIT: none. */
extern NM_API const nm_named_value nm_no_mask[];
#define NM_MASK_VALUE_ROW(owner, what)                                                             \
    {                                                                                              \
        NM_FIELD(owner, mask_value), .type = NM_OPTION_FLOAT, .named = nm_no_mask,                 \
                                     .min = -NM_NO_LIMIT, .max = NM_NO_LIMIT,                      \
                                     .also = "padding_value padding masking lengths",              \
                                     .doc = "sequences end where all numbers are this one: " what  \
    }

typedef struct nm_layer_options {
    NM_LAYER_FIELDS;
} nm_layer_options;

/* For layers that have no other option. */
extern NM_API const nm_spec nm_layer_spec;

/* `names` of options that are lists of layers. */
extern NM_API const char *const nm_layer_list[];

/* What others say of layers, and what to write instead. */
extern NM_API const nm_advice nm_layer_advice[];

/* A layer spec from its options struct, a value of it, the table, and a check across options or
 * NULL. */
#define NM_LAYER_SPEC(type, defaults_, rows_, check_)                                              \
    {                                                                                              \
        .name = #type, .size = sizeof(type), .defaults = &(defaults_), .options = (rows_),         \
        .count = NM_COUNT_OF(rows_), .check = (check_), .advice = nm_layer_advice                  \
    }

/* Layers that run one after the other: a list of them, linked by `next`. They are the model's. */
typedef struct nm_layers {
    nm_layer *first, *last;
    int count;
} nm_layers;

struct nm_layer {
    const nm_layer_type *type;
    const void *options; /* of type->item.spec, the document's */
    void *state;         /* type->state_size bytes, zeros at first */
    nm_context *context;
    nm_document *document; /* that the options came from */
    nm_model *model;
    nm_layer *next;     /* in the list it stands in */
    const char *name;   /* the full one: "residual1.body.conv2" */
    const char *label;  /* `layer "NAME"`, for messages: the tape's scope while it runs */
    const nm_value *at; /* where it stands */
};

/* ---- For read() ---- */

/* Reads a list of layers, as part of this one, and appends them to `layers`. Their names begin with
 * this one's, followed by `part` if that is not NULL: "residual1.body.conv1". */
NM_API void nm_layer_read_children(nm_layer *layer, const nm_value *list, const char *part,
                                   nm_diagnostics *d, nm_layers *layers);

/* ---- For build() ---- */

/* Adds the parameter "NAME.suffix" to the model's store and initializes it. `init` without an item
 * leaves it zeros. NULL on failure. */
NM_API nm_tensor *nm_layer_parameter(nm_layer *layer, const char *suffix, nm_purpose purpose,
                                     nm_shape shape, const nm_choice *init);
/* The same for a constant value. */
NM_API nm_tensor *nm_layer_constant_parameter(nm_layer *layer, const char *suffix,
                                              nm_purpose purpose, nm_shape shape, double value);
/* Adds a buffer of the model's type (or another, for counters) that begins with `value`. */
NM_API nm_tensor *nm_layer_buffer(nm_layer *layer, const char *suffix, nm_shape shape,
                                  double value);
/* The same for what is never negative: a file with another value is refused. */
NM_API nm_tensor *nm_layer_variance(nm_layer *layer, const char *suffix, nm_shape shape,
                                    double value);
NM_API nm_tensor *nm_layer_counter(nm_layer *layer, const char *suffix); /* i64, [] */
/* What the store knows of a parameter or buffer, such as whether it is frozen; NULL for NULL. */
NM_API const nm_entry *nm_layer_entry(const nm_layer *layer, const nm_tensor *tensor);
/* The network then asks for one pass with `initialize` on the first batch. */
NM_API void nm_layer_want_data(nm_layer *layer);
/* Resolves an axis option against the input's shape; axis 0, the batch, is an error. */
NM_API nm_status nm_layer_axis(nm_layer *layer, const nm_shape *x, int64_t axis, int *out);
/* Whether the input is of images, [batch, height, width, channels]; else fails with what would make
 * it so. */
NM_API nm_status nm_layer_images(nm_layer *layer, const nm_shape *x);
/* Fails with NM_ERROR_INPUT and `layer "NAME": TYPE: message`. */
NM_API nm_status nm_layer_fail(nm_layer *layer, const char *format, ...) NM_PRINTF(2, 3);

/* ---- For forward() ---- */

/* Runs layers one after the other, and gives what lies between them back where nothing is recorded.
 * NULL on failure. */
NM_API nm_tensor *nm_layers_run(const nm_layers *layers, const nm_pass *pass, nm_tensor *x);
/* The same as a segment (nm_tape_begin_segment()): what lies between is computed again in the
 * backward pass. The option `recompute` of layers that have layers. */
NM_API nm_tensor *nm_layers_run_again(const nm_layers *layers, const nm_pass *pass, nm_tensor *x);
/* Gives a tensor that the pass is done with back before the tape's reset, unless it may be needed
 * to go backward, or is `input`, which is not the layer's. NULL is fine. */
NM_API void nm_pass_discard(const nm_pass *pass, nm_tensor *x, const nm_tensor *input);
/* The forward of a layer that is an op without other options than its own defaults. */
NM_API nm_tensor *nm_forward_op(nm_layer *layer, const nm_pass *pass, nm_tensor *x);
/* Whether the pass only infers shapes: tensors have no elements then. */
NM_API bool nm_pass_is_dry(const nm_pass *pass);

#ifdef __cplusplus
}
#endif
#endif
