/* Probes: what is measured inside of a network while it is trained. A probe never changes the
 * training: with and without it, parameters have the same bits. At every so many updates it looks
 * at the batch that the next update is made by, with a forward and backward pass of its own, and
 * hands out records: numbers by name, of a layer, a parameter or the whole network.
 *
 *     probes: [{gradient_norms: {every: 100}}, {saturation: {layers: [act3]}}]
 *
 * From C:
 *
 *     setup.probes = NM_CHOICES(nm_gradient_norms(.every = 100));
 *     setup.callbacks.on_probe = on_probe;
 *
 * A network written in C has layers for a probe where its forward pass names them, by
 * nm_pass_show(). */
#ifndef NM_OPTIM_PROBE_H
#define NM_OPTIM_PROBE_H

#include "core/op.h"
#include "optim/data/loader.h"
#include "optim/loss.h"
#include "optim/network.h"

#ifdef __cplusplus
extern "C" {
#endif

#define NM_PROBE_VALUES 8 /* most numbers of a record */

/* ---- What comes out ---- */

typedef struct nm_probe_record {
    int64_t step; /* updates made before: 0 is the network as it began */
    const char *probe;
    const char *layer; /* or a parameter's name; NULL: of the whole network */
    int count;
    const char *const *names; /* [count] */
    const double *values;     /* [count]; NaN: it has no such number */
} nm_probe_record;

/* ---- A kind of probe ---- */

/* The options of every probe begin with these fields. */
#define NM_PROBE_FIELDS                                                                            \
    int64_t every NM_DEFAULT(100); /* updates from one look to the next, the first at 0 */         \
    nm_strings layers              /* shell patterns of names; none: all that it looks at */
#define NM_PROBE_DEFAULTS .every = 100
#define NM_PROBE_ROWS(type)                                                                        \
    {NM_FIELD(type, every), NM_OPTION_INT, .min = 1, .max = 1e12,                                  \
     .doc = "updates from one look to the next; the first is before any update, the last behind "  \
            "all of them"},                                                                        \
    {                                                                                              \
        NM_FIELD(type, layers), NM_OPTION_STRINGS,                                                 \
            .doc = "names of layers, or patterns such as \"relu*\"; default: all it can look at"   \
    }

typedef struct nm_probe_options {
    NM_PROBE_FIELDS;
} nm_probe_options;

/* Of what its `layers` are names. */
typedef enum nm_probe_subject {
    NM_PROBE_OUTPUTS,    /* layers, by their outputs */
    NM_PROBE_PARAMETERS, /* layers and parameters, by their parameters */
    NM_PROBE_EITHER      /* its options say it */
} nm_probe_subject;

typedef struct nm_probe_view nm_probe_view;

/* As registered, under NM_KIND_PROBE. */
typedef struct nm_probe_type {
    nm_item item;              /* its spec's struct begins with NM_PROBE_FIELDS */
    const char *const *values; /* names of its numbers; ends with NULL; at most NM_PROBE_VALUES */
    nm_probe_subject subject;
    /* Of NM_PROBE_EITHER: which. */
    nm_probe_subject (*chosen)(const void *options);
    /* Whether it has something to say of outputs of such a layer ("relu"). NULL: of all. */
    bool (*takes)(const char *layer);
    /* Before the update. It may change parameters, which are put back. NULL: nothing. */
    nm_status (*before)(nm_probe_view *view, const void *options);
    /* After it, where `view` has the parameters as they were before it. NULL: nothing. */
    nm_status (*after)(nm_probe_view *view, const void *options);
} nm_probe_type;

NM_API const nm_probe_type *nm_probe_type_of(const nm_choice *choice); /* NULL: no item */

/* ---- What a probe sees ---- */

typedef struct nm_probe_layer {
    char name[128];
    const char *type;    /* "relu"; "" of a network's own */
    nm_tensor *output;   /* of the last pass */
    nm_tensor *gradient; /* of the loss by it; NULL: there is none */
} nm_probe_layer;

struct nm_probe_view {
    nm_context *context;
    const nm_network *network;
    const nm_loss *loss;
    nm_tape *tape;         /* the probes' own */
    const nm_batch *batch; /* of the update */
    int64_t step;
    double rate; /* of the update */
    /* The last pass's, until the next one. */
    double value; /* the loss */
    int count;
    nm_probe_layer *layers;  /* [count], in the order that they ran */
    nm_tensor **gradients;   /* by index in the store; NULL: not trainable */
    void *const *earlier;    /* by index in the store: elements before the update */
    struct nm_probes *owner; /* the library's own */
};

/* A pass in training on `batch` (NULL: the update's), forward and back, by the parameters as they
 * are now; running statistics stay. Nothing to do where it was the last one. */
NM_API nm_status nm_probe_pass(nm_probe_view *view, const nm_batch *batch);
/* To be told after parameters were changed. */
NM_API void nm_probe_changed(nm_probe_view *view);
/* Puts parameters back as they were before the first probe. */
NM_API void nm_probe_restore(nm_probe_view *view);
/* The next of other batches of the same size, drawn from the training set; of one that is not
 * shuffled, each from anywhere in it. */
NM_API nm_status nm_probe_draw(nm_probe_view *view, nm_batch *batch);
/* Whether `layers` of the options has the name. */
NM_API bool nm_probe_wants(const nm_probe_options *options, const char *name);
/* Hands a record out; `values` are as many as the probe's type has. */
NM_API nm_status nm_probe_emit(nm_probe_view *view, const char *layer, const double *values);
/* All elements, in new memory; free with nm_free(). NULL on failure. */
NM_API double *nm_probe_numbers(nm_probe_view *view, nm_tensor *tensor);

/* ---- The built-in ones ---- */

typedef enum nm_gradients_of { NM_OF_PARAMETERS, NM_OF_OUTPUTS } nm_gradients_of;

typedef struct nm_gradient_norms_options {
    NM_PROBE_FIELDS;
    int of; /* nm_gradients_of */
} nm_gradient_norms_options;

/* Of batch_statistics and gradient_noise. */
typedef struct nm_batches_options {
    NM_PROBE_FIELDS;
    int64_t batches NM_DEFAULT(16); /* mini-batches to draw */
} nm_batches_options;
#define NM_BATCHES_DEFAULTS NM_PROBE_DEFAULTS, .batches = 16

/* Of top_hessian_eigenvalue. */
typedef struct nm_iterations_options {
    NM_PROBE_FIELDS;
    int64_t iterations NM_DEFAULT(20); /* Hessian-vector products */
} nm_iterations_options;
#define NM_ITERATIONS_DEFAULTS NM_PROBE_DEFAULTS, .iterations = 20

/* Of loss_surface. */
typedef struct nm_surface_options {
    NM_PROBE_FIELDS;
    int64_t points NM_DEFAULT(11); /* along each direction, at least 2 */
    double reach NM_DEFAULT(1);    /* each way, in lengths of the weights' rows; above 0 */
} nm_surface_options;
#define NM_SURFACE_DEFAULTS NM_PROBE_DEFAULTS, .points = 11, .reach = 1

#define nm_gradient_norms(...)                                                                     \
    NM_CHOICE(nm_probe_gradient_norms, nm_gradient_norms_options, NM_PROBE_DEFAULTS, __VA_ARGS__)

extern NM_API const nm_probe_type nm_probe_gradient_norms; /* nm_gradient_norms_options */
extern NM_API const nm_probe_type nm_probe_activation_percentiles;
extern NM_API const nm_probe_type nm_probe_activation_statistics;
extern NM_API const nm_probe_type nm_probe_saturation;
extern NM_API const nm_probe_type nm_probe_weight_norms;
extern NM_API const nm_probe_type nm_probe_update_ratio;
extern NM_API const nm_probe_type nm_probe_weight_angle;
extern NM_API const nm_probe_type nm_probe_batch_statistics; /* nm_batches_options */
extern NM_API const nm_probe_type nm_probe_gradient_noise;   /* nm_batches_options */
extern NM_API const nm_probe_type nm_probe_loss_along_gradient;
extern NM_API const nm_probe_type nm_probe_gradient_predictiveness;
extern NM_API const nm_probe_type nm_probe_effective_smoothness;
extern NM_API const nm_probe_type nm_probe_covariate_shift;
extern NM_API const nm_probe_type nm_probe_evaluation_mode;
extern NM_API const nm_probe_type nm_probe_running_statistics;
extern NM_API const nm_probe_type nm_probe_top_hessian_eigenvalue; /* nm_iterations_options */
extern NM_API const nm_probe_type nm_probe_loss_surface;           /* nm_surface_options */

#ifdef __cplusplus
}
#endif
#endif
