/* Initializers that draw every element by itself, or set it. */
#include <math.h>

#include "core/guard.h"
#include "core/op.h"
#include "models/table.h"

/* ---- Scaled by the fan: variance gain^2 / fan ---- */

nm_fan nm_fan_of(const nm_shape *shape)
{
    NM_GIVEN(shape, ((nm_fan){0}));
    int64_t count = nm_shape_count(shape);
    int64_t rows = shape->rank > 1 ? shape->dim[0] : 1;
    int64_t columns = shape->rank > 1 ? shape->dim[shape->rank - 1] : 1;
    nm_fan fan = {rows > 0 ? count / rows : 0, columns > 0 ? count / columns : 0};
    return (nm_fan){fan.in > 0 ? fan.in : 1, fan.out > 0 ? fan.out : 1};
}

typedef enum fan_mode { FAN_IN, FAN_OUT, FAN_AVERAGE } fan_mode;
typedef enum distribution { NORMAL, UNIFORM } distribution;

typedef struct scaling_options {
    double gain;
    int fan;          /* a fan_mode */
    int distribution; /* a distribution */
} scaling_options;

static nm_status scaling_fill(const void *options, nm_random *random, nm_tensor *tensor)
{
    const scaling_options *o = options;
    nm_fan fan = nm_fan_of(nm_tensor_shape(tensor));
    double size = o->fan == FAN_IN    ? (double)fan.in
                  : o->fan == FAN_OUT ? (double)fan.out
                                      : ((double)fan.in + (double)fan.out) / 2;
    double deviation = o->gain / sqrt(size), limit = sqrt(3) * deviation;
    return o->distribution == NORMAL ? nm_random_fill_normal(random, tensor, 0, deviation)
                                     : nm_random_fill_uniform(random, tensor, -limit, limit);
}

static const char *const fan_names[] = {"in", "out", "average", NULL};
static const char *const distribution_names[] = {"normal", "uniform", NULL};
static const nm_option scaling_rows[] = {
    {NM_FIELD(scaling_options, gain), NM_OPTION_FLOAT, .max = NM_NO_LIMIT, .flags = NM_MIN_OPEN,
     .doc = "factor on the standard deviation"},
    {NM_FIELD(scaling_options, fan), NM_OPTION_ENUM, .names = fan_names,
     .doc = "what to divide by: the inputs of an output, the outputs of an input, or their mean"},
    {NM_FIELD(scaling_options, distribution), NM_OPTION_ENUM, .names = distribution_names,
     .doc = "normal, or uniform with the same variance"},
};

#define SCALING_SPEC(defaults_)                                                                    \
    {                                                                                              \
        .name = "scaling_options", .size = sizeof(scaling_options), .defaults = &(defaults_),      \
        .options = scaling_rows, .count = NM_COUNT_OF(scaling_rows)                                \
    }

static const scaling_options he_defaults = {1.4142135623730951, FAN_IN, NORMAL};
static const nm_spec he_spec = SCALING_SPEC(he_defaults);

const nm_initializer_type nm_initializer_he = {
    .item = NM_ITEM(nm_initializer_type, "he", "scaled for layers that a relu follows",
                    .also = "kaiming he_normal he_uniform", .spec = &he_spec,
                    .doc = "Normal with mean 0 and standard deviation gain / sqrt(fan), gain "
                           "sqrt(2).\nHe, Zhang, Ren, Sun 2015, arXiv 1502.01852."),
    .fill = scaling_fill,
};

static const scaling_options xavier_defaults = {1, FAN_AVERAGE, UNIFORM};
static const nm_spec xavier_spec = SCALING_SPEC(xavier_defaults);

const nm_initializer_type nm_initializer_xavier = {
    .item = NM_ITEM(nm_initializer_type, "xavier", "scaled for layers that tanh or sigmoid follows",
                    .also = "glorot", .spec = &xavier_spec,
                    .doc = "Uniform from -limit to limit, limit = gain * sqrt(3 / fan), with fan "
                           "the mean of fan in and fan out.\nGlorot, Bengio 2010, \"Understanding "
                           "the difficulty of training deep feedforward neural networks\"."),
    .fill = scaling_fill,
};

/* ---- Given distributions ---- */

static nm_status uniform_fill(const void *options, nm_random *random, nm_tensor *tensor)
{
    const nm_uniform_options *o = options;
    return nm_random_fill_uniform(random, tensor, o->low, o->high);
}

static void check_uniform(const void *options, const nm_value *at, nm_diagnostics *d)
{
    const nm_uniform_options *o = options;
    char low[32], high[32];
    if (o->low > o->high) {
        nm_diagnose(d, at, "uniform: \"low\", %s, is above \"high\", %s; exchange them",
                    nm_format_float(o->low, low), nm_format_float(o->high, high));
    }
}

static const nm_uniform_options uniform_defaults = {-0.05, 0.05};
static const nm_option uniform_rows[] = {
    {NM_FIELD(nm_uniform_options, low), NM_OPTION_FLOAT, .min = -1e30, .max = 1e30,
     .doc = "smallest value"},
    {NM_FIELD(nm_uniform_options, high), NM_OPTION_FLOAT, .min = -1e30, .max = 1e30,
     .doc = "upper limit, not reached"},
};
static const nm_spec uniform_spec = {.name = "nm_uniform_options",
                                     .size = sizeof(nm_uniform_options),
                                     .defaults = &uniform_defaults,
                                     .options = uniform_rows,
                                     .count = NM_COUNT_OF(uniform_rows),
                                     .check = check_uniform};

const nm_initializer_type nm_initializer_uniform = {
    .item = NM_ITEM(nm_initializer_type, "uniform", "uniform between two limits",
                    .spec = &uniform_spec),
    .fill = uniform_fill,
};

static nm_status normal_fill(const void *options, nm_random *random, nm_tensor *tensor)
{
    const nm_normal_options *o = options;
    return nm_random_fill_normal(random, tensor, o->mean, o->deviation);
}

static const nm_normal_options normal_defaults = {0, 0.01};
static const nm_option normal_rows[] = {
    {NM_FIELD(nm_normal_options, mean), NM_OPTION_FLOAT, .min = -1e30, .max = 1e30,
     .doc = "mean of the distribution"},
    {NM_FIELD(nm_normal_options, deviation), NM_OPTION_FLOAT, .min = 0, .max = 1e30,
     .doc = "standard deviation"},
};
static const nm_spec normal_spec = {.name = "nm_normal_options",
                                    .size = sizeof(nm_normal_options),
                                    .defaults = &normal_defaults,
                                    .options = normal_rows,
                                    .count = NM_COUNT_OF(normal_rows)};

const nm_initializer_type nm_initializer_normal = {
    .item = NM_ITEM(nm_initializer_type, "normal", "normal with a given standard deviation",
                    .spec = &normal_spec),
    .fill = normal_fill,
};

/* ---- Constants ---- */

typedef struct constant_options {
    double value;
} constant_options;

static nm_status constant_fill(const void *options, nm_random *random, nm_tensor *tensor)
{
    (void)random;
    return nm_tensor_fill(tensor, ((const constant_options *)options)->value);
}

static const constant_options constant_defaults = {0};
static const nm_option constant_rows[] = {
    {NM_FIELD(constant_options, value), NM_OPTION_FLOAT, .min = -1e30, .max = 1e30,
     .flags = NM_REQUIRED, .doc = "of every element"},
};
static const nm_spec constant_spec = {.name = "constant_options",
                                      .size = sizeof(constant_options),
                                      .defaults = &constant_defaults,
                                      .options = constant_rows,
                                      .count = NM_COUNT_OF(constant_rows)};

const nm_initializer_type nm_initializer_constant = {
    .item =
        NM_ITEM(nm_initializer_type, "constant", "one value everywhere", .spec = &constant_spec),
    .fill = constant_fill,
};

static nm_status zeros_fill(const void *options, nm_random *random, nm_tensor *tensor)
{
    (void)options;
    (void)random;
    return nm_tensor_fill(tensor, 0);
}

const nm_initializer_type nm_initializer_zeros = {
    .item = NM_ITEM(nm_initializer_type, "zeros", "0 everywhere", .spec = NULL),
    .fill = zeros_fill,
};
