/* SGD. One pass: reads the gradient, moves momentum and parameter. The formulas are PyTorch's, in
 * the parameter's own type. */
#include "optim/optimizers/update.h"

NM_UPDATE(sgd_bare, nm_sgd_options, w[i] -= rate * gradient[i];) /* neither decay nor scale */
NM_UPDATE(sgd_plain, nm_sgd_options, w[i] -= rate * (g + decay * w[i]);)
NM_UPDATE(sgd_momentum, nm_sgd_options, {
    a[i] = (real)k.momentum * a[i] + (g + decay * w[i]);
    w[i] -= rate * a[i];
})
NM_UPDATE(sgd_nesterov, nm_sgd_options, {
    const real d = g + decay * w[i];
    a[i] = (real)k.momentum * a[i] + d;
    w[i] -= rate * (d + (real)k.momentum * a[i]);
})

static void sgd_update(const nm_update *u)
{
    const nm_sgd_options *o = u->options;
    const bool is_bare = u->weight_decay == 0 && u->scale == 1;
    if (!u->state[0]) {
        (is_bare ? sgd_bare : sgd_plain)(u, *o);
    } else {
        (o->nesterov ? sgd_nesterov : sgd_momentum)(u, *o);
    }
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
