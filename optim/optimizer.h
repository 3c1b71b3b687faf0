/* Optimizers: how gradients move parameters. A kind of optimizer is a descriptor with one function,
 * which updates a stretch of one parameter; walking the parameters, threads, groups, weight decay's
 * exceptions, the state and its saving are done here, once for all kinds.
 *
 * The built-in kinds stand in optim/optimizers.h. By hand:
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

/* The options of every optimizer begin with these fields, in this order; their defaults. */
#define NM_OPTIMIZER_FIELDS_OF(rate_, weight_decay_)                                               \
    /* learning rate, which the schedule and the groups scale */                                   \
    double rate NM_DEFAULT(rate_);                                                                 \
    /* of NM_WEIGHT: what the kind does with it */                                                 \
    double weight_decay NM_DEFAULT(weight_decay_);                                                 \
    /* also for NM_BIAS, NM_NORM_SCALE and NM_NORM_SHIFT */                                        \
    bool decay_norm_and_bias NM_DEFAULT(false)
#define NM_OPTIMIZER_FIELDS NM_OPTIMIZER_FIELDS_OF(0.1, 0)

typedef struct nm_optimizer_common {
    NM_OPTIMIZER_FIELDS;
} nm_optimizer_common;

/* The rows of these fields in the table of an options struct: NM_OPTIMIZER_ROWS() where a file has
 * to say the rate. */
#define NM_OPTIMIZER_ROWS(type)                                                                    \
    NM_OPTIMIZER_ROWS_OF(type, NM_REQUIRED, "adds so much of a weight to its gradient")
#define NM_OPTIMIZER_ROWS_OF(type, flags_, decay_doc)                                              \
    {NM_FIELD(type, rate),   NM_OPTION_FLOAT,                                                      \
     .max = NM_NO_LIMIT,     .flags = (flags_) | NM_MIN_OPEN,                                      \
     .doc = "learning rate", .also = "lr learning_rate eta0"},                                     \
        {NM_FIELD(type, weight_decay), NM_OPTION_FLOAT, .max = NM_NO_LIMIT, .doc = decay_doc},     \
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
    double trust;        /* what the kind's trust() said of this parameter; 1 without */
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
    /* How many tensors like the parameter, one behind the other, state `state` is. NULL: one each.
     */
    int64_t (*copies)(const void *options, int state);
    /* A factor that depends on a parameter as a whole, for kinds with rates of layers: called
     * before the update of its stretches, with all of its elements; it may move states. NULL: none.
     * What it returns counts for weights only (NM_WEIGHT); others have 1. */
    double (*trust)(const nm_update *whole);
    /* Called on any thread: it must neither touch the context nor fail. Result elements depend on
     * nothing but the elements of the same index, so that they are the same wherever a stretch
     * begins and ends. */
    void (*update)(const nm_update *update);
    /* In place of trust(), for a kind whose steps depend on all parameters together: called before
     * all updates, with those that have a gradient, whole, in the store's order; it may move
     * states. What it returns is the trust of all. NULL: none. */
    double (*whole)(const nm_update *all, int count);
    bool wants_all; /* gradients of all samples, each time: others mislead it */
    bool counts;    /* it reads nm_update.step: a number that does not grow is an error */
} nm_optimizer_type;

/* ---- An optimizer at work ---- */

typedef struct nm_optimizer nm_optimizer;

/* For all parameters of `store`, as `choice` says; its options are copied.
 * `groups` may be NULL; they freeze and free parameters of the store. NULL on failure. */
NM_API nm_optimizer *nm_optimizer_create(nm_store *store, const nm_choice *choice,
                                         const nm_group *groups, int group_count);
NM_API void nm_optimizer_destroy(nm_optimizer *optimizer); /* NULL is fine */

/* Updates every trainable parameter that has a gradient. That none has is an error, as is one that
 * was added to the store after the optimizer was made. `step` counts updates from 0 (for a kind
 * that computes with it, one that is not above the last is an error), `factor` is the schedule's,
 * and gradients are multiplied by `scale` first (clipping, averaging). Gradients stay as they are:
 * they are to be cleared before the next backward pass, and an update by old and new ones together
 * is an error. Allocates nothing. */
NM_API nm_status nm_optimizer_step(nm_optimizer *optimizer, int64_t step, double factor,
                                   double scale);

/* One step down the gradient of `loss`, which was computed on the tape: nm_backward(), the update
 * of all parameters by it, and nm_store_clear_grads(). Gradients that were there before count too.
 * On failure no parameter has moved: NM_ERROR_NUMERIC if the loss is not finite. */
NM_API nm_status nm_optimizer_minimize(nm_optimizer *optimizer, nm_tape *tape, nm_tensor *loss,
                                       int64_t step);

/* Whether one of its parameters has a gradient; what it was made for. The library's own. */
bool nm_optimizer_has_gradients(nm_optimizer *optimizer);
const nm_store *nm_optimizer_store(const nm_optimizer *optimizer);

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

/* In the store's order, buffers left out. Zeros for an index out of range. */
NM_API int nm_optimizer_count(const nm_optimizer *optimizer);
NM_API nm_member nm_optimizer_at(const nm_optimizer *optimizer, int index);

#ifdef __cplusplus
}
#endif
#endif
