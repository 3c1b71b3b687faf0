/* Initializers: what a parameter holds before training. */
#ifndef NM_MODELS_INITIALIZER_H
#define NM_MODELS_INITIALIZER_H

#include "core/option.h"
#include "core/random.h"
#include "core/store.h"
#include "core/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* As registered, under NM_KIND_INITIALIZER. `fill` gets options of item.spec (NULL: it has none)
 * and a tensor of f32 or f64, and draws from `random` alone. */
typedef struct nm_initializer_type {
    nm_item item;
    nm_status (*fill)(const void *options, nm_random *random, nm_tensor *tensor);
} nm_initializer_type;

/* How many values each output sees, and how many outputs each input reaches, in a weight [out, ...,
 * in]: fan in is everything but the first axis, fan out everything but the last. A vector's or a
 * number's are both its count. At least 1. */
typedef struct nm_fan {
    int64_t in, out;
} nm_fan;

NM_API nm_fan nm_fan_of(const nm_shape *shape);

/* Fills a named tensor. What it gets is a function of (seed, the tensor's name, its shape) alone,
 * so a layer added elsewhere changes no other layer's weights. */
NM_API nm_status nm_initialize(const nm_choice *choice, uint64_t seed, nm_tensor *tensor);

/* Adds a tensor of f32 (a counter: i64) that begins as is usual for its purpose: weights by He's
 * rule, as above with the context's seed; scales and variances 1; all else 0. Statistics, variances
 * and counters are buffers, the others parameters. NULL on failure, as nm_store_add(). */
NM_API nm_tensor *nm_parameter(nm_store *store, const char *name, nm_purpose purpose,
                               nm_shape shape);

/* Built-in ones that other parts of the library use. */
typedef struct nm_normal_options {
    double mean, deviation;
} nm_normal_options;
extern NM_API const nm_initializer_type nm_initializer_normal;
typedef struct nm_uniform_options {
    double low, high; /* high is not reached */
} nm_uniform_options;
extern NM_API const nm_initializer_type nm_initializer_uniform;
extern NM_API const nm_initializer_type nm_initializer_he; /* NULL options: its defaults */

/* Registers the built-in ones. */
NM_API nm_status nm_register_initializers(nm_context *context);

#ifdef __cplusplus
}
#endif
#endif
