/* RMSprop. The formulas are PyTorch's, in the parameter's own type. */
#include "optim/optimizers/update.h"

typedef struct numbers {
    double alpha, rest, eps, momentum;
} numbers;

/* a: mean of squares, b: momentum, c: mean of gradients. */
NM_UPDATE(rmsprop_plain, numbers, {
    const real d = g + decay * w[i];
    a[i] = (real)k.alpha * a[i] + (real)k.rest * (d * d);
    w[i] -= rate * (d / (root(a[i]) + (real)k.eps));
})
NM_UPDATE(rmsprop_momentum, numbers, {
    const real d = g + decay * w[i];
    a[i] = (real)k.alpha * a[i] + (real)k.rest * (d * d);
    b[i] = (real)k.momentum * b[i] + d / (root(a[i]) + (real)k.eps);
    w[i] -= rate * b[i];
})
/* A variance is not negative, whatever rounding makes of it. */
NM_UPDATE(rmsprop_centered, numbers, {
    const real d = g + decay * w[i];
    a[i] = (real)k.alpha * a[i] + (real)k.rest * (d * d);
    c[i] += (real)k.rest * (d - c[i]);
    const real variance = a[i] - c[i] * c[i];
    b[i] = (real)k.momentum * b[i] + d / (root(variance < 0 ? 0 : variance) + (real)k.eps);
    w[i] -= rate * b[i];
})

static void rmsprop_update(const nm_update *u)
{
    const nm_rmsprop_options *o = u->options;
    const numbers k = {o->alpha, 1 - o->alpha, o->eps, o->momentum};
    (o->centered ? rmsprop_centered : u->state[1] ? rmsprop_momentum : rmsprop_plain)(u, k);
}

static int rmsprop_states(const void *options)
{
    const nm_rmsprop_options *o = options;
    return o->centered ? 3 : o->momentum > 0 ? 2 : 1;
}

static const nm_rmsprop_options defaults = {NM_RMSPROP_DEFAULTS};
NM_OPTIONS_INIT(nm_rmsprop_options, defaults)
static const nm_option rows[] = {
    NM_OPTIMIZER_ROWS_OF(nm_rmsprop_options, 0, "adds so much of a weight to its gradient"),
    {NM_FIELD(nm_rmsprop_options, alpha), NM_OPTION_FLOAT, .also = "rho decay smoothing", .max = 1,
     .flags = NM_MAX_OPEN, .doc = "how much of the mean of squares stays in an update"},
    {NM_FIELD(nm_rmsprop_options, eps), NM_OPTION_FLOAT, .also = "epsilon", .max = 1,
     .doc = "added to the root of the mean square"},
    {NM_FIELD(nm_rmsprop_options, momentum), NM_OPTION_FLOAT, .max = 1, .flags = NM_MAX_OPEN,
     .doc = "how much of the last step goes into the next"},
    {NM_FIELD(nm_rmsprop_options, centered), NM_OPTION_BOOL,
     .doc = "divide by the deviation of the gradients instead of the root of their mean square"},
};
static const nm_spec spec = {.name = "nm_rmsprop_options",
                             .size = sizeof(nm_rmsprop_options),
                             .defaults = &defaults,
                             .options = rows,
                             .count = NM_COUNT_OF(rows)};

static const char *const state_names[] = {"square", "momentum", "mean", NULL};

const nm_optimizer_type nm_optimizer_rmsprop = {
    .item = NM_ITEM(
        nm_optimizer_type, "rmsprop", "steps divided by the gradients' mean size", .spec = &spec,
        .doc = "With d = gradient + weight_decay * w:\n\n"
               "    s = alpha * s + (1 - alpha) * d^2\n"
               "    b = momentum * b + d / (sqrt(s) + eps)\n"
               "    w = w - rate * b\n\n"
               "or, with centered, with s - a^2 in the root, where a = alpha * a + (1 - "
               "alpha) * d. s, b and a are 0 at first.\n"
               "Tieleman, Hinton 2012, \"Lecture 6.5\"; centered: Graves 2013, arXiv "
               "1308.0850; the form is PyTorch's."),
    .state_names = state_names,
    .states = rmsprop_states,
    .update = rmsprop_update,
};
