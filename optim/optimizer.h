/* Optimizers: how gradients move parameters. A kind of optimizer is a descriptor with one function,
 * which updates a stretch of one parameter; walking the parameters, threads, groups, weight decay's
 * exceptions, the state and its saving are done here, once for all kinds.
 *
 * By hand:
 *
 *     nm_optimizer *optimizer = nm_optimizer_create(store, &nm_sgd(.rate = 0.1), NULL, 0);
 *     for (int64_t step = 0; ...; step++) {
 *         nm_tape_reset(tape);
 *         nm_tensor *loss = ...;
 *         nm_optimizer_minimize(optimizer, tape, loss, step);
 *     }
 *
 * or, with gradients that are looked at or changed in between, nm_backward(), nm_optimizer_step()
 * and nm_store_clear_grads(). */
#ifndef NM_OPTIM_OPTIMIZER_H
#define NM_OPTIM_OPTIMIZER_H

#include "core/op.h"
#include "core/store.h"
#include "optim/groups.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- A kind of optimizer ---- */

/* The options of every optimizer begin with these fields, in this order. */
#define NM_OPTIMIZER_FIELDS                                                                        \
    /* learning rate, which the schedule and the groups scale */                                   \
    double rate NM_DEFAULT(0.1);                                                                   \
    /* added to the gradient of NM_WEIGHT: weight_decay * parameter */                             \
    double weight_decay NM_DEFAULT(0);                                                             \
    /* also for NM_BIAS, NM_NORM_SCALE and NM_NORM_SHIFT */                                        \
    bool decay_norm_and_bias NM_DEFAULT(false)

typedef struct nm_optimizer_common {
    NM_OPTIMIZER_FIELDS;
} nm_optimizer_common;

/* The rows of these fields in the table of an options struct. */
#define NM_OPTIMIZER_ROWS(type)                                                                    \
    {NM_FIELD(type, rate),   NM_OPTION_FLOAT,                                                      \
     .max = NM_NO_LIMIT,     .flags = NM_REQUIRED | NM_MIN_OPEN,                                   \
     .doc = "learning rate", .also = "lr learning_rate eta0"},                                     \
        {NM_FIELD(type, weight_decay), NM_OPTION_FLOAT, .max = NM_NO_LIMIT,                        \
         .doc = "adds so much of a weight to its gradient"},                                       \
    {                                                                                              \
        NM_FIELD(type, decay_norm_and_bias), NM_OPTION_BOOL,                                       \
            .doc = "weight decay also for biases, scales and shifts of normalization layers"       \
    }

#define NM_OPTIMIZER_STATES 4 /* most state tensors of one parameter */

/* The update of a stretch of one parameter. All arrays have `count` elements of `dtype` (f32 or
 * f64), those of the same indices of each. */
typedef struct nm_update {
    const void *options; /* of the kind */
    int64_t step;        /* updates made before this one */
    double rate;         /* the learning rate of this parameter now */
    double weight_decay; /* the same; 0 where there is none */
    double scale;        /* the gradient is to be multiplied by it first */
    nm_dtype dtype;
    int64_t count;
    void *parameter;
    const void *gradient;
    void *state[NM_OPTIMIZER_STATES]; /* zeros at first */
} nm_update;

/* As registered. */
typedef struct nm_optimizer_type {
    nm_item item;                   /* its spec's struct begins with NM_OPTIMIZER_FIELDS */
    const char *const *state_names; /* "momentum", ...; ends with NULL */
    /* How many of these states it needs with these options; NULL: all. */
    int (*states)(const void *options);
    /* Called on any thread: it must neither touch the context nor fail. Result elements depend on
     * nothing but the elements of the same index, so that they are the same wherever a stretch
     * begins and ends. */
    void (*update)(const nm_update *update);
} nm_optimizer_type;

/* ---- An optimizer at work ---- */

typedef struct nm_optimizer nm_optimizer;

/* For all parameters of `store`, which must outlive it, as `choice` says; its options are copied.
 * `groups` may be NULL; they freeze and free parameters of the store. NULL on failure. */
NM_API nm_optimizer *nm_optimizer_create(nm_store *store, const nm_choice *choice,
                                         const nm_group *groups, int group_count);
NM_API void nm_optimizer_destroy(nm_optimizer *optimizer); /* NULL is fine */

/* Updates every trainable parameter that has a gradient. One that was added to the store after the
 * optimizer was made is an error. `step` counts updates from 0, `factor` is
 * the schedule's, and gradients are multiplied by `scale` first (clipping, averaging). Gradients
 * stay as they are. Allocates nothing. */
NM_API nm_status nm_optimizer_step(nm_optimizer *optimizer, int64_t step, double factor,
                                   double scale);

/* One step down the gradient of `loss`, which was computed on the tape: nm_backward(), the update
 * of all parameters by it, and nm_store_clear_grads(). Gradients that were there before count too.
 * On failure no parameter has moved. */
NM_API nm_status nm_optimizer_minimize(nm_optimizer *optimizer, nm_tape *tape, nm_tensor *loss,
                                       int64_t step);

/* The learning rate of the optimizer's options. */
NM_API double nm_optimizer_rate(const nm_optimizer *optimizer);
NM_API const nm_optimizer_type *nm_optimizer_type_of(const nm_optimizer *optimizer);
/* Its state as a store of buffers, "momentum.conv1.weight" for example: to be written to a
 * checkpoint and read from it. */
NM_API nm_store *nm_optimizer_state(const nm_optimizer *optimizer);

/* A parameter as the optimizer and the groups treat it. */
typedef struct nm_member {
    const nm_entry *entry; /* frozen: not trainable */
    double rate;           /* learning rate, before the schedule */
    double factor;         /* the groups' part in it */
    double weight_decay;   /* 0 where there is none */
} nm_member;

/* In the store's order, buffers left out. */
NM_API int nm_optimizer_count(const nm_optimizer *optimizer);
NM_API nm_member nm_optimizer_at(const nm_optimizer *optimizer, int index);

/* ---- SGD ---- */

/* Stochastic gradient descent, as PyTorch computes it:
 *
 *     d = gradient + weight_decay * w
 *     v = momentum * v + d                 v is 0 at first
 *     w = w - rate * v                     or, with nesterov, w - rate * (d + momentum * v)
 *
 * Sutskever, Martens, Dahl, Hinton 2013, "On the importance of initialization and momentum". */
typedef struct nm_sgd_options {
    NM_OPTIMIZER_FIELDS;
    double momentum NM_DEFAULT(0);
    bool nesterov NM_DEFAULT(false);
} nm_sgd_options;

#define NM_SGD_DEFAULTS .rate = 0.1, .nesterov = false
NM_API void nm_sgd_options_init(nm_sgd_options *options);

extern NM_API const nm_optimizer_type nm_optimizer_sgd;

/* A choice of SGD: nm_sgd(.rate = 0.1, .momentum = 0.9). Holds its options itself: it may be
 * returned, copied and kept. */
#define nm_sgd(...) NM_CHOICE(nm_optimizer_sgd, nm_sgd_options, NM_SGD_DEFAULTS, __VA_ARGS__)

#ifdef __cplusplus
}
#endif
#endif
