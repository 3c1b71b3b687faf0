/* What the files of models share with each other and not with layers. */
#ifndef NM_MODELS_MODEL_INTERNAL_H
#define NM_MODELS_MODEL_INTERNAL_H

#include "models/layer.h"
#include "models/model.h"
#include "optim/saved.h"
#include "optim/traced.h"

/* What a layer costs, or several. */
typedef struct layer_cost {
    int64_t parameters, multiply_adds, bytes;
} layer_cost;

/* A layer as its model keeps it. */
typedef struct layer_record {
    nm_layer layer; /* first: a layer is its record */
    int depth;
    bool has_children;
    int alike;   /* of the first of its prefix in a list: how many there are */
    bool broken; /* its options could not be read; the type may be NULL */
    nm_shape output;
    layer_cost cost;
} layer_record;

/* A pass runs the layers' forward; two others come before, on a dry tape, and some may between. */
typedef enum model_stage {
    MODEL_BUILDING, /* with any number of samples: layers are built */
    MODEL_MEASURING_ONE,
    MODEL_MEASURING_TWO, /* with one and two: the difference in cost is that of a sample */
    MODEL_TRYING,        /* as often as asked, once it is built */
    MODEL_READY
} model_stage;

struct nm_model {
    nm_context *context;
    nm_document *document;
    nm_document *own_document; /* to be destroyed with it; NULL: none */
    nm_model_options options;
    nm_shape input, output; /* of a sample; rank -1: not known yet */
    const nm_value *input_at;
    nm_layers layers;       /* of depth 0 */
    layer_record **records; /* all of them; outer ones before inner ones */
    int count, capacity;
    bool full;     /* there would be more than NM_MODEL_MAX_LAYERS */
    nm_map *names; /* of layers, to their records */
    nm_map *alike; /* of lists and prefixes, to the first record */
    nm_store *store;
    int holders;     /* predictors of the same context, passes that run */
    bool closed;     /* by its user; goes with the last holder */
    bool is_wrapped; /* the store is the program's, and the one layer its forward pass */
    nm_network network;
    char *description;       /* the part `model` as text: the network's */
    const nm_schema *schema; /* what samples are and what is done to them; NULL: not known */
    nm_saved saved;          /* what was loaded, without its tensors */
    model_stage stage;
    nm_traced *traced;  /* runs it once it is ready; NULL: its layers run one by one */
    bool begun;         /* the first batch was seen, or parameters were loaded; or it was said */
    bool apart;         /* the file says fuse: false */
    int64_t parameters; /* made so far, while building */
    const nm_value *failed; /* where building failed: the innermost layer */
    nm_model *next_left;    /* destroyed while it was read, as this one */
    const nm_layer *spread; /* the first dense whose input is more than a vector; NULL: none */
};

static inline layer_record *record_of(nm_layer *layer)
{
    return (layer_record *)(void *)layer;
}

/* ---- models/model.c ---- */

/* Makes ready for a model to be destroyed while others read it: it stays until they are done. */
nm_status nm_model_expect_readers(nm_model *model);
/* As long as it is held, it does not end, whatever its user says. */
void nm_model_hold(nm_model *model);
void nm_model_release(nm_model *model);
/* nm_model_predict() with another's graphs of the model's passes; NULL: layer by layer. */
nm_tensor *nm_model_predict_by(nm_model *model, nm_traced *traced, nm_tape *tape, nm_tensor *x);

/* ---- models/layer_read.c ---- */

/* An empty one. After a failure its names or its store may be NULL. */
nm_model *nm_model_make(nm_context *context, nm_document *document);
/* A layer without options and name, noted in the model's list, with `state` bytes of zeros behind
 * it. NULL on failure. */
nm_layer *nm_model_add_layer(nm_model *model, const nm_layer_type *type, size_t state, int depth);
/* Reads a list of layers whose names begin with `prefix` (NULL: nothing), and appends them. `what`
 * has the list, for messages. */
void nm_layers_read(nm_model *model, const nm_value *list, const char *what, const char *prefix,
                    int depth, nm_diagnostics *d, nm_layers *layers);

/* ---- models/trained/saved.c ---- */

/* Parameters from an open file, of the same network or refused; what else it holds, if it has a
 * description, goes over to the model and `saved` is empty then. */
nm_status nm_model_take(nm_model *model, nm_saved *saved);

/* ---- models/trained/quantized.c ---- */

/* Whether the weights that were loaded have 8 bits: passes in inference then compute with them. */
nm_status nm_model_set_quantized(nm_model *model, bool quantized);

/* ---- models/model_build.c ---- */

/* The network's try_on. */
nm_status nm_model_try(void *self, const nm_pass *pass, const nm_shape *x, nm_trial *trial);
/* models/dry.c: builds a layer on its first run, measures it, or tries it. */
nm_tensor *nm_layer_run_dry(nm_layer *layer, const nm_pass *pass, nm_tensor *x);

#endif
