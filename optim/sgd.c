/* SGD. One pass: reads the gradient, moves momentum and parameter.
 *
 * 1. The formulas are PyTorch's, in the parameter's own type.
 * 2. Every element is computed by the same operations wherever a stretch begins or ends, so the
 *    bits do not depend on the number of threads. */
#include "ops/kernels/kernel.h"
#include "optim/table.h"

/* Loops over w (parameter), g (gradient) and v (momentum); d is the gradient with weight decay. */
#define SGD_LOOP(name, real, ...)                                                                  \
    NM_KERNEL_##real static void name(real *restrict w, const real *restrict g, real *restrict v,  \
                                      int64_t count, real rate, real decay, real scale,            \
                                      real momentum)                                               \
    {                                                                                              \
        (void)v, (void)momentum;                                                                   \
        NM_SIMD for (int64_t i = 0; i < count; i++)                                                \
        {                                                                                          \
            const real d = scale * g[i] + decay * w[i];                                            \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }

#define SGD_LOOPS(real)                                                                            \
    SGD_LOOP(plain_##real, real, w[i] -= rate * d;)                                                \
    SGD_LOOP(momentum_##real, real, v[i] = momentum * v[i] + d; w[i] -= rate * v[i];)              \
    SGD_LOOP(nesterov_##real, real, v[i] = momentum * v[i] + d;                                    \
             w[i] -= rate * (d + momentum * v[i]);)                                                \
    static void update_##real(const nm_update *u)                                                  \
    {                                                                                              \
        const nm_sgd_options *o = u->options;                                                      \
        (!u->state[0]  ? plain_##real                                                              \
         : o->nesterov ? nesterov_##real                                                           \
                       : momentum_##real)(u->parameter, u->gradient, u->state[0], u->count,        \
                                          (real)u->rate, (real)u->weight_decay, (real)u->scale,    \
                                          (real)o->momentum);                                      \
    }

SGD_LOOPS(float)
SGD_LOOPS(double)

static void sgd_update(const nm_update *update)
{
    (update->dtype == NM_F32 ? update_float : update_double)(update);
}

static int sgd_states(const void *options)
{
    return ((const nm_sgd_options *)options)->momentum > 0;
}

static void sgd_check(const void *options, const nm_value *at, nm_diagnostics *d)
{
    const nm_sgd_options *o = options;
    if (o->nesterov && !(o->momentum > 0)) {
        nm_diagnose(d, at, "sgd: \"nesterov\" needs a momentum above 0, such as 0.9");
    }
}

static const nm_sgd_options defaults = {NM_SGD_DEFAULTS};
NM_OPTIONS_INIT(nm_sgd_options, defaults)
static const nm_option rows[] = {
    NM_OPTIMIZER_ROWS(nm_sgd_options),
    {NM_FIELD(nm_sgd_options, momentum), NM_OPTION_FLOAT, .max = 1, .flags = NM_MAX_OPEN,
     .doc = "how much of the last step goes into the next"},
    {NM_FIELD(nm_sgd_options, nesterov), NM_OPTION_BOOL,
     .doc = "Nesterov's momentum: look ahead by one step of it"},
};
static const nm_spec spec = {.name = "nm_sgd_options",
                             .size = sizeof(nm_sgd_options),
                             .defaults = &defaults,
                             .options = rows,
                             .count = NM_COUNT_OF(rows),
                             .check = sgd_check};

static const char *const state_names[] = {"momentum", NULL};

const nm_optimizer_type nm_optimizer_sgd = {
    .item = NM_ITEM(nm_optimizer_type, "sgd", "stochastic gradient descent with momentum",
                    .also = "momentum nesterov", .spec = &spec,
                    .doc = "With d = gradient + weight_decay * w:\n\n"
                           "    v = momentum * v + d\n"
                           "    w = w - rate * v\n\n"
                           "or, with nesterov, w = w - rate * (d + momentum * v). v is 0 at first. "
                           "Weight decay takes weights, and of weight norm both weight_v and "
                           "weight_g. It leaves out biases and the scales and shifts of "
                           "normalization layers, unless decay_norm_and_bias is set.\n"
                           "Sutskever, Martens, Dahl, Hinton 2013, \"On the importance of "
                           "initialization and momentum in deep learning\"; the form is "
                           "PyTorch's."),
    .state_names = state_names,
    .states = sgd_states,
    .update = sgd_update,
};
