/* The weight of a linear layer, dense or convolution: plain, or made of other parameters (weight
 * norm, weight standardization, spectral norm), with its options, its bias and its initialization.
 */
#ifndef NM_MODELS_WEIGHT_H
#define NM_MODELS_WEIGHT_H

#include "models/layer.h"

/* How g, and the bias, begin. */
enum {
    NM_WEIGHT_INIT_NORM, /* g = ||v||, so the weight is what the initializer made; the bias is 0 */
    NM_WEIGHT_INIT_DATA  /* g = 1 / deviation, bias = -mean / deviation of the first batch's outputs
                          */
};

/* `on` is no option: it is set wherever the part is given. */
typedef struct nm_weight_norm_part {
    bool on;
    int64_t axis;
    int init;
} nm_weight_norm_part;

typedef struct nm_weight_standardization_part {
    bool on;
    double eps;
    bool scaled;
} nm_weight_standardization_part;

typedef struct nm_spectral_norm_part {
    bool on;
    int64_t iterations;
} nm_spectral_norm_part;

/* One of them, or none. */
typedef struct nm_weight_part {
    nm_weight_norm_part weight_norm;
    nm_weight_standardization_part weight_standardization;
    nm_spectral_norm_part spectral_norm;
} nm_weight_part;

extern const nm_spec nm_weight_norm_part_spec, nm_weight_part_spec;

/* The options that linear layers share, and their rows. */
#define NM_WEIGHT_FIELDS                                                                           \
    bool bias;                                                                                     \
    nm_choice init;                                                                                \
    nm_weight_norm_part weight_norm;                                                               \
    nm_weight_part weight

#define NM_WEIGHT_DEFAULTS .bias = true

#define NM_WEIGHT_ROWS(type)                                                                       \
    {NM_FIELD(type, bias), NM_OPTION_BOOL,                                                         \
     .doc = "add a bias, 0 at first; of no use where batch_norm follows directly",                 \
     .also = "use_bias"},                                                                          \
        {NM_FIELD(type, init), NM_OPTION_CHOICE, .kind = NM_KIND_INITIALIZER,                      \
         .doc = "how the weight begins; default: he, or normal of deviation 0.05 where weight "    \
                "norm is initialized by data",                                                     \
         .also = "kernel_initializer weight_init initializer"},                                    \
        {NM_FIELD(type, weight_norm), NM_OPTION_STRUCT, .spec = &nm_weight_norm_part_spec,         \
         .doc = "learn direction v and length g of the weight: w = g v / ||v||; the same as "      \
                "weight: {weight_norm: ...}"},                                                     \
    {                                                                                              \
        NM_FIELD(type, weight), NM_OPTION_STRUCT,                                                  \
            .spec = &nm_weight_part_spec,                                                          \
            .doc = "what the weight is made of: {weight_norm: ...}, {weight_standardization: "     \
                   "...} or {spectral_norm: ...}"                                                  \
    }

typedef struct nm_weight_options {
    NM_WEIGHT_FIELDS;
} nm_weight_options;

/* What a linear layer keeps. */
typedef struct nm_weight {
    nm_weight_part part;
    nm_tensor *w; /* "weight", or "weight_v" of weight norm */
    nm_tensor *g; /* "weight_g" of weight norm, "weight_gain" of scaled standardization; NULL */
    nm_tensor *left, *right; /* "weight_left" and "weight_right" of spectral norm: buffers */
    nm_tensor *bias;         /* NULL: none */
} nm_weight;

/* Makes the parameters: a weight of that shape, [out, ...], and a bias [out]. */
nm_status nm_weight_build(nm_layer *layer, const nm_weight_options *options, nm_shape shape,
                          nm_weight *weight);

/* The linear function of the layer: its op on x, with weight w and bias b (may be NULL). */
typedef nm_tensor *nm_linear_fn(nm_layer *layer, const nm_pass *pass, nm_tensor *x, nm_tensor *w,
                                nm_tensor *b);

/* The layer's forward pass: initializes by data first if the pass says so, then calls `linear` with
 * the weight. */
nm_tensor *nm_weight_forward(nm_layer *layer, const nm_weight *weight, const nm_pass *pass,
                             nm_tensor *x, nm_linear_fn *linear);

#endif
