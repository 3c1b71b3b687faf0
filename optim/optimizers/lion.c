/* Lion. */
#include "optim/optimizers/update.h"

/* a: momentum. Of a NaN no sign is 0: it has to be seen. */
NM_UPDATE(lion, nm_lion_options, {
    const real m = (real)k.beta1 * a[i] + (real)(1 - k.beta1) * g;
    const real sign = m > 0 ? 1 : m < 0 ? -1 : m;
    w[i] -= rate * (sign + decay * w[i]);
    a[i] = (real)k.beta2 * a[i] + (real)(1 - k.beta2) * g;
})

static void lion_update(const nm_update *u)
{
    lion(u, *(const nm_lion_options *)u->options);
}

static const nm_lion_options defaults = {NM_LION_DEFAULTS};
NM_OPTIONS_INIT(nm_lion_options, defaults)
static const nm_option rows[] = {
    NM_OPTIMIZER_ROWS_OF(nm_lion_options, 0,
                         "takes rate * weight_decay of a weight away in each update"),
    {NM_FIELD(nm_lion_options, beta1), NM_OPTION_FLOAT, .max = 1, .flags = NM_MAX_OPEN,
     .doc = "how much of the momentum goes into a step"},
    {NM_FIELD(nm_lion_options, beta2), NM_OPTION_FLOAT, .max = 1, .flags = NM_MAX_OPEN,
     .doc = "how much of the momentum stays in an update"},
};
static const nm_advice advice[] = {
    {"betas", NULL, "write beta1 and beta2: {beta1: 0.9, beta2: 0.99}"},
    {NULL, NULL, NULL},
};
static const nm_spec spec = {.name = "nm_lion_options",
                             .size = sizeof(nm_lion_options),
                             .defaults = &defaults,
                             .options = rows,
                             .count = NM_COUNT_OF(rows),
                             .advice = advice};

static const char *const state_names[] = {"momentum", NULL};

const nm_optimizer_type nm_optimizer_lion = {
    .item = NM_ITEM(
        nm_optimizer_type, "lion", "the sign of a momentum: steps of one size", .spec = &spec,
        .doc = "    w = w - rate * (sign(beta1 * m + (1 - beta1) * gradient) + "
               "weight_decay * w)\n"
               "    m = beta2 * m + (1 - beta2) * gradient\n\n"
               "m is 0 at first. Rates are 3 to 10 times smaller than AdamW's, and weight "
               "decays as much larger.\n"
               "Chen et al. 2023, \"Symbolic discovery of optimization algorithms\", arXiv "
               "2302.06675."),
    .state_names = state_names,
    .update = lion_update,
};
