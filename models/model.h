/* Models: a network made from YAML, with everything it owns: layers, parameters and buffers by name
 * ("conv1.weight", "bn1.running_mean"), and what each layer costs.
 *
 *     model:                                  model:
 *       - conv2d: {channels: 32, kernel: 3}     input: [28, 28, 1]
 *       - batch_norm                            layers:
 *       - relu                                    - ...
 *       - flatten
 *       - dense: {units: 10, name: head}
 *
 * The form with `input` says of which shape a sample is; otherwise the data set does. `norma help`
 * lists the layers and their options. A layer is called by its option `name`, or by its type and
 * how many of that type stand there so far: conv1, conv2, bn1. Layers within others have the outer
 * one's name and a dot before theirs.
 *
 * From a program:
 *
 *     nm_model *model = nm_model_open_saved(context, "runs/net");
 *     nm_tensor *y = nm_model_predict(model, tape, x); */
#ifndef NM_MODELS_MODEL_H
#define NM_MODELS_MODEL_H

#include "core/option.h"
#include "optim/network.h"
#include "optim/saved.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct nm_model nm_model;

typedef struct nm_model_options {
    nm_dtype dtype; /* of parameters: NM_F32 or NM_F64 */
    uint64_t seed;  /* of the initial parameters */
    bool fuse;      /* passes run from graphs, in which one op does the work of several layers */
} nm_model_options;

#define NM_MODEL_DEFAULTS .dtype = NM_F32, .seed = 1, .fuse = true
/* The defaults but for what is said: NM_MODEL_OPTIONS(.seed = 2), for a function of C. */
#ifndef __cplusplus
#define NM_MODEL_OPTIONS(...) NM_OPTIONS_VALUE(nm_model_options, NM_MODEL_DEFAULTS, __VA_ARGS__)
#endif

#define NM_MODEL_MAX_LAYERS 10000 /* repeated ones counted as often as they stand there */

/* The value of the key `model` in a network's file, and a sample's shape (NULL: the value has
 * `input`). `document`, which `value` is of, must outlive the model. `options` may be NULL. NULL on
 * failure: the error has a line, with its place, for every independent mistake. */
NM_API nm_model *nm_model_create(nm_context *context, nm_document *document, const nm_value *value,
                                 const nm_shape *sample, const nm_model_options *options);
/* The same from a file's part `model`; other parts are not looked at. The seed is the context's. */
NM_API nm_model *nm_model_open(nm_context *context, const char *path, const nm_shape *sample);
/* A model of a network written in C, for samples of that shape: its forward pass, its store. So it
 * is trained (nm_model_network()), saved and loaded with what is done to samples, run by a
 * predictor and summarized as one from YAML; only nm_model_open_saved() cannot make it, as a file
 * does not hold the program's code.
 *
 *     nm_network network = {.self = &net, .store = store, .forward = forward};
 *     nm_model *model = nm_model_wrap(&network, NM_SHAPE(4));
 *     ...train nm_model_network(model) into the folder "runs/own"...
 *     nm_model_load(model, "runs/own");
 *     nm_predictor *predictor = nm_predictor_create(model, NULL);
 *
 * `network` is copied; `self` and the store must outlive the model, and are the program's. The
 * forward pass runs a few times without elements here and when a trainer is made, so that what is
 * wrong with it is known: it calls ops (nm_batch_norm_running() moves statistics) and reads no
 * elements. In the summary, an op is a row, and so are ops in a row of one scope
 * (nm_tape_set_scope()). Its passes run as they are; of nm_traced_network() (optim/traced.h) they
 * run from graphs. NULL on failure. */
NM_API nm_model *nm_model_wrap(const nm_network *network, nm_shape sample);
NM_API void nm_model_destroy(nm_model *model); /* NULL is fine */

/* ---- In two steps, for those who collect errors of other parts as well ---- */

/* Reads all layers and their options. Errors go to `d`; NULL only if memory ran out. */
NM_API nm_model *nm_model_read(nm_context *context, nm_document *document, const nm_value *value,
                               nm_diagnostics *d);
/* Makes the parameters and finds the shapes. An error among them goes to `d`. Layers that were read
 * with an error are where it stops: shapes before them are checked all the same. Once only. */
NM_API void nm_model_build(nm_model *model, const nm_shape *sample, const nm_model_options *options,
                           nm_diagnostics *d);

/* ---- Use ---- */

NM_API nm_store *nm_model_store(const nm_model *model);
/* What the trainer takes. Valid as long as the model. */
NM_API const nm_network *nm_model_network(const nm_model *model);
/* x is [batch, ...sample]; one of more or fewer axes is an error. NULL on failure. */
NM_API nm_tensor *nm_model_forward(nm_model *model, const nm_pass *pass, nm_tensor *x);
/* In inference, without recording. Where the model has a schema (it was loaded from a file that has
 * one, or belongs to a config whose data are open), x holds raw samples, [batch, ...] of any
 * numeric type, as the data sets have them: they are scaled and standardized as in training, and
 * values come back in the targets' own units. Class scores stay scores: nm_softmax() makes
 * probabilities of them, once they are divided by nm_model_saved(model)->temperature if that is
 * not 1. Without a schema, or with parameters of f64, x goes into the network as it
 * is. */
NM_API nm_tensor *nm_model_predict(nm_model *model, nm_tape *tape, nm_tensor *x);
/* Prepares inference with the parameters as they are now: every batch norm behind a dense or conv2d
 * layer goes into copies of that one's weights, weight norm is computed once, and activations go
 * along. For batches of some tens of samples or more, copies of dense layers' weights are kept in
 * the order in which products read them. Results differ within rounding; no gradient reaches those
 * parameters. The next pass in training, or nm_model_load(), ends it; parameters that change
 * otherwise are noticed, where it is the library that changes them or nm_tensor_touch() says so.
 * Without `fuse` it does nothing. */
NM_API nm_status nm_model_fold(nm_model *model);
/* Rounds weights to 8 bits, for predictions: whole numbers from -127 to 127, and a scale for each
 * output (a row of the weight). All weights are rounded that have rows of 8 numbers or more;
 * biases, normalization and shorter rows stay. From then on the model is folded, its dense layers
 * compute with 8 bits in inference (each sample's inputs are rounded too, by a scale of its own,
 * and the sums are the same whole numbers on every processor), training it is an error, and a file
 * has the weights with 8 bits. Other layers, recorded passes and models that run layer by layer
 * (`fuse`) compute in f32 with the rounded weights. Loading a network that is not quantized ends
 * it. NM_ERROR_INPUT for a model of f64; nothing happens to one that is quantized. */
NM_API nm_status nm_model_quantize(nm_model *model);
NM_API bool nm_model_is_quantized(const nm_model *model);

/* ---- Files (optim/saved.h says what is in them) ---- */

/* A model from a saved network alone: a safetensors file, or the folder of a run, of which the best
 * network is taken, else the last. With its parameters and its schema. NULL on failure. */
NM_API nm_model *nm_model_open_saved(nm_context *context, const char *path);
/* Parameters and buffers, and the schema if the file (or a run's folder, as above) has one, into a
 * model that is there already.
 * A file of another network is refused, with the first difference, and changes nothing. One without
 * a description need only have the right tensors; a trainer's checkpoint is read too. */
NM_API nm_status nm_model_load(nm_model *model, const char *path);
/* All that nm_model_open_saved() needs, but that a model without schema is saved without one. */
NM_API nm_status nm_model_save(const nm_model *model, const char *path);
/* The same three from and to memory: what a file holds, byte for byte, and checked as strictly.
 * `data` stays the caller's and is not needed afterwards; `name` stands for the path in messages.
 * What is saved is new memory of *size bytes, free with nm_free(); NULL on failure. */
NM_API nm_model *nm_model_open_memory(nm_context *context, const void *data, size_t size,
                                      const char *name);
NM_API nm_status nm_model_load_memory(nm_model *model, const void *data, size_t size,
                                      const char *name);
NM_API void *nm_model_save_memory(const nm_model *model, size_t *size);
/* What was loaded beside the parameters: loss, metric, version. Without its file. */
NM_API const nm_saved *nm_model_saved(const nm_model *model);
/* What samples are, and what is done to them; NULL: not known. */
NM_API const nm_schema *nm_model_schema(const nm_model *model);
/* The schema must outlive the model, or the next call; NULL: none. */
NM_API void nm_model_set_schema(nm_model *model, const nm_schema *schema);

/* ---- What it is made of ---- */

/* A layer, with all layers in it. Costs are those of one sample in inference; what does not grow
 * with the number of samples is not in them. */
typedef struct nm_layer_summary {
    const char *name; /* the full one */
    const char *type;
    int depth;             /* 0, or how many layers it stands in */
    bool has_children;     /* the rows that follow, deeper than it, are of layers in it */
    nm_shape output;       /* of a sample, without the batch */
    int64_t parameters;    /* elements */
    int64_t multiply_adds; /* of matrix products and convolutions */
    int64_t bytes;         /* of what its ops make */
} nm_layer_summary;

/* In the file's order; outer layers come before inner ones. Zeros for an index out of range. */
NM_API int nm_model_layer_count(const nm_model *model);
NM_API nm_layer_summary nm_model_layer_at(const nm_model *model, int index);
/* The sums over layers of depth 0, and the last one's output. Name and type are NULL. */
NM_API nm_layer_summary nm_model_total(const nm_model *model);
NM_API const nm_shape *nm_model_input(const nm_model *model);  /* of a sample */
NM_API const nm_shape *nm_model_output(const nm_model *model); /* of a sample */
/* All of it as a table for people, as `norma check` prints it: new memory, free with nm_free().
 * NULL on failure. */
NM_API char *nm_model_table(const nm_model *model);
/* The layer of that name, NULL if there is none, to say where it stands in the file. */
NM_API const nm_value *nm_model_place(const nm_model *model, const char *name);

/* Registers the built-in layers. */
NM_API nm_status nm_register_layers(nm_context *context);

#ifdef __cplusplus
}
#endif
#endif
