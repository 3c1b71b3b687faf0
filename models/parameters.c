#include "models/parameters.h"

#include <math.h>
#include <stdio.h>

#include "core/guard.h"
#include "models/initializer.h"

#define LONGEST_NAME 256

/* "NAME.SUFFIX"; NULL on failure, which a name that is too long and a size below 1 are too. */
static nm_tensor *add(nm_store *store, const char *name, const char *suffix, nm_purpose purpose,
                      nm_shape shape)
{
    char whole[LONGEST_NAME];
    if (snprintf(whole, sizeof whole, "%s.%s", name, suffix) >= LONGEST_NAME) {
        nm_fail(nm_store_context(store), NM_ERROR_INPUT, "a layer's name is longer than %d bytes",
                LONGEST_NAME - 16);
        return NULL;
    }
    for (int d = 0; d < shape.rank; d++) {
        if (shape.dim[d] < 1) {
            nm_fail(nm_store_context(store), NM_ERROR_INPUT,
                    "%s: %lld of its inputs, units or channels; there must be 1 at least", whole,
                    (long long)shape.dim[d]);
            return NULL;
        }
    }
    return nm_parameter(store, whole, purpose, shape);
}

nm_dense_parameters nm_dense_add(nm_store *store, const char *name, int64_t inputs, int64_t units)
{
    const nm_dense_parameters none = {NULL, NULL};
    NM_GIVEN(store, none);
    NM_REQUIRE(nm_store_context(store), name, none);
    nm_dense_parameters p = none;
    p.weight = add(store, name, "weight", NM_WEIGHT, NM_SHAPE(units, inputs));
    p.bias = p.weight ? add(store, name, "bias", NM_BIAS, NM_SHAPE(units)) : NULL;
    return p.bias ? p : none;
}

static nm_tensor *set_to_lengths(nm_tensor *g, const nm_tensor *v, int64_t inputs)
{
    for (int64_t row = 0; g && row < nm_tensor_count(g); row++) {
        double sum = 0;
        for (int64_t i = 0; i < inputs; i++) {
            const double x = nm_tensor_get(v, row * inputs + i);
            sum += x * x;
        }
        nm_tensor_set(g, row, sqrt(sum));
    }
    return g;
}

nm_weight_norm_parameters nm_weight_norm_add(nm_store *store, const char *name, int64_t inputs,
                                             int64_t units)
{
    const nm_weight_norm_parameters none = {NULL, NULL, NULL};
    NM_GIVEN(store, none);
    NM_REQUIRE(nm_store_context(store), name, none);
    nm_weight_norm_parameters p = none;
    p.v = add(store, name, "weight_v", NM_WEIGHT, NM_SHAPE(units, inputs));
    p.g = p.v ? add(store, name, "weight_g", NM_WEIGHT, NM_SHAPE(units)) : NULL;
    if (set_to_lengths(p.g, p.v, inputs)) {
        p.bias = add(store, name, "bias", NM_BIAS, NM_SHAPE(units));
    }
    return p.bias ? p : none;
}

nm_batch_norm_parameters nm_batch_norm_add(nm_store *store, const char *name, int64_t channels)
{
    const nm_batch_norm_parameters none = {NULL, NULL, NULL, NULL};
    NM_GIVEN(store, none);
    NM_REQUIRE(nm_store_context(store), name, none);
    const nm_shape shape = NM_SHAPE(channels);
    nm_batch_norm_parameters p = none;
    p.scale = add(store, name, "scale", NM_NORM_SCALE, shape);
    p.shift = p.scale ? add(store, name, "shift", NM_NORM_SHIFT, shape) : NULL;
    p.mean = p.shift ? add(store, name, "running_mean", NM_STATISTIC, shape) : NULL;
    p.var = p.mean ? add(store, name, "running_var", NM_VARIANCE, shape) : NULL;
    return p.var ? p : none;
}
