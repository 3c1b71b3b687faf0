/* Adagrad. The formulas are PyTorch's, in the parameter's own type. */
#include "optim/optimizers/update.h"

typedef struct numbers {
    double rate, initial, eps;
} numbers;

/* a: sum of squares. */
NM_UPDATE(adagrad, numbers, {
    const real d = g + decay * w[i];
    a[i] += d * d;
    w[i] -= (real)k.rate * (d / (root(a[i] + (real)k.initial) + (real)k.eps));
})

static void adagrad_update(const nm_update *u)
{
    const nm_adagrad_options *o = u->options;
    adagrad(u, (numbers){u->rate / (1 + (double)u->step * o->rate_decay), o->initial, o->eps});
}

static const nm_adagrad_options defaults = {NM_ADAGRAD_DEFAULTS};
NM_OPTIONS_INIT(nm_adagrad_options, defaults)
static const nm_option rows[] = {
    NM_OPTIMIZER_ROWS_OF(nm_adagrad_options, 0, "adds so much of a weight to its gradient"),
    {NM_FIELD(nm_adagrad_options, rate_decay), NM_OPTION_FLOAT, .also = "lr_decay",
     .max = NM_NO_LIMIT, .doc = "divides the rate by 1 + rate_decay * updates made"},
    {NM_FIELD(nm_adagrad_options, initial), NM_OPTION_FLOAT, .also = "initial_accumulator_value",
     .max = NM_NO_LIMIT, .doc = "what the sums of squares begin with"},
    {NM_FIELD(nm_adagrad_options, eps), NM_OPTION_FLOAT, .also = "epsilon", .max = 1,
     .doc = "added to the root of the sum"},
};
static const nm_spec spec = {.name = "nm_adagrad_options",
                             .size = sizeof(nm_adagrad_options),
                             .defaults = &defaults,
                             .options = rows,
                             .count = NM_COUNT_OF(rows)};

static const char *const state_names[] = {"square", NULL};

const nm_optimizer_type nm_optimizer_adagrad = {
    .item = NM_ITEM(
        nm_optimizer_type, "adagrad", "steps that shrink with all gradients so far", .spec = &spec,
        .doc = "With d = gradient + weight_decay * w, and t the update's number, from 1:\n\n"
               "    s = s + d^2\n"
               "    w = w - rate / (1 + (t - 1) * rate_decay) * d / (sqrt(s) + eps)\n\n"
               "s is `initial` at first.\n"
               "Duchi, Hazan, Singer 2011, \"Adaptive subgradient methods for online "
               "learning and stochastic optimization\"; the form is PyTorch's."),
    .state_names = state_names,
    .update = adagrad_update,
    .counts = true,
};
