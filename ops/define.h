/* For the files of ops: what their descriptors have in common, so that none repeats it. */
#ifndef NM_OPS_DEFINE_H
#define NM_OPS_DEFINE_H

#include <string.h>

#include "core/op.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The usual ports. */
extern NM_API const nm_port nm_port_x[1];  /* x */
extern NM_API const nm_port nm_port_y[1];  /* y */
extern NM_API const nm_port nm_port_ab[2]; /* a, b */

#ifdef __cplusplus
}
#endif

/* An options spec from its parts: the struct, a value of it, and the table. */
#define NM_SPEC(type, defaults_, options_)                                                         \
    {                                                                                              \
        .name = #type, .size = sizeof(type), .defaults = &(defaults_), .options = (options_),      \
        .count = NM_COUNT_OF(options_)                                                             \
    }

/* The op NAME of one output, from NAME_forward, NAME_vjp and NAME_samples. `inputs_` and `outputs_`
 * are arrays of ports. It ends in what else NM_ITEM takes: .doc = "...", .spec = &spec. */
#define NM_OP(name_, inputs_, outputs_, infer_, flags_, summary_, ...)                             \
    extern const nm_op nm_op_##name_;                                                              \
    const nm_op nm_op_##name_ = {                                                                  \
        .item = {.abi = NM_ABI,                                                                    \
                 .size = sizeof(nm_op),                                                            \
                 .name = #name_,                                                                   \
                 .summary = summary_,                                                              \
                 __VA_ARGS__},                                                                     \
        .inputs = inputs_,                                                                         \
        .outputs = outputs_,                                                                       \
        .input_count = NM_COUNT_OF(inputs_),                                                       \
        .output_count = 1,                                                                         \
        .flags = flags_,                                                                           \
        .infer = infer_,                                                                           \
        .forward = name_##_forward,                                                                \
        .vjp = name_##_vjp,                                                                        \
        .samples = name_##_samples,                                                                \
        .sample_count = NM_COUNT_OF(name_##_samples),                                              \
    };

/* The op NAME made of others: from NAME_compose, its formula, and NAME_samples. `flags_`: 0, or
 * NM_OP_NO_VJP where nothing of it can be differentiated. */
#define NM_COMPOSED_OP(name_, inputs_, outputs_, flags_, summary_, ...)                            \
    extern const nm_op nm_op_##name_;                                                              \
    const nm_op nm_op_##name_ = {                                                                  \
        .item = NM_ITEM(nm_op, #name_, summary_, __VA_ARGS__),                                     \
        .inputs = inputs_,                                                                         \
        .outputs = outputs_,                                                                       \
        .input_count = NM_COUNT_OF(inputs_),                                                       \
        .output_count = NM_COUNT_OF(outputs_),                                                     \
        .flags = flags_,                                                                           \
        .samples = name_##_samples,                                                                \
        .sample_count = NM_COUNT_OF(name_##_samples),                                              \
        .compose = name_##_compose,                                                                \
    };

/* ---- Ops that are told a shape ---- */

static inline nm_shape nm_shape_of_options(const void *options)
{
    const nm_ints *list = &((const nm_shape_options *)options)->shape;
    nm_shape shape;
    shape.rank = list->count;
    memcpy(shape.dim, list->at, sizeof shape.dim);
    return shape;
}

/* A shape of more than NM_MAX_RANK dimensions is left for the shape rule to refuse. */
static inline nm_shape_options nm_options_of_shape(const nm_shape *shape)
{
    nm_shape_options o = {sizeof(nm_shape_options), {NM_LIST, shape->rank, {0}}};
    memcpy(o.shape.at, shape->dim, sizeof shape->dim);
    return o;
}

#endif
