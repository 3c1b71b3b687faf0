/* Adam and AdamW, which differ in where weight decay goes: into the gradient, or into the weight
 * itself. The formulas are PyTorch's, in the parameter's own type. */
#include "optim/optimizers/update.h"

typedef struct numbers {
    double eps, beta2;
    double rest1, rest2; /* 1 - beta */
    double step;         /* rate / (1 - beta1^t) */
    double scale;        /* 1 / sqrt(1 - beta2^t) */
    double coupled;      /* so much of the weight goes into the gradient */
    double keep;         /* so much of it stays */
} numbers;

/* a: mean of gradients, b: of their squares, c: the largest b. */
NM_UPDATE(adam_plain, numbers, {
    const real d = g + (real)k.coupled * w[i];
    a[i] += (real)k.rest1 * (d - a[i]);
    b[i] = (real)k.beta2 * b[i] + (real)k.rest2 * (d * d);
    w[i] = (real)k.keep * w[i] - (real)k.step * a[i] / ((real)k.scale * root(b[i]) + (real)k.eps);
})
NM_UPDATE(adam_amsgrad, numbers, {
    const real d = g + (real)k.coupled * w[i];
    a[i] += (real)k.rest1 * (d - a[i]);
    b[i] = (real)k.beta2 * b[i] + (real)k.rest2 * (d * d);
    c[i] = c[i] > b[i] ? c[i] : b[i];
    w[i] = (real)k.keep * w[i] - (real)k.step * a[i] / ((real)k.scale * root(c[i]) + (real)k.eps);
})

static void update(const nm_update *u, const nm_adam_options *o, bool is_coupled)
{
    const double t = (double)u->step + 1;
    const numbers k = {.eps = o->eps,
                       .beta2 = o->beta2,
                       .rest1 = 1 - o->beta1,
                       .rest2 = 1 - o->beta2,
                       .step = u->rate / (1 - pow(o->beta1, t)),
                       .scale = 1 / sqrt(1 - pow(o->beta2, t)),
                       .coupled = is_coupled ? u->weight_decay : 0,
                       .keep = is_coupled ? 1 : 1 - u->rate * u->weight_decay};
    (u->state[2] ? adam_amsgrad : adam_plain)(u, k);
}

static int adam_states(const void *options)
{
    return ((const nm_adam_options *)options)->amsgrad ? 3 : 2;
}

static const char *const state_names[] = {"mean", "square", "largest_square", NULL};

/* Both kinds have the same options. */
#define ADAM_ROWS(type, decay_doc)                                                                 \
    NM_OPTIMIZER_ROWS_OF(type, 0, decay_doc),                                                      \
        {NM_FIELD(type, beta1), NM_OPTION_FLOAT, .max = 1, .flags = NM_MAX_OPEN,                   \
         .doc = "how much of the mean of gradients stays in an update"},                           \
        {NM_FIELD(type, beta2), NM_OPTION_FLOAT, .max = 1, .flags = NM_MAX_OPEN,                   \
         .doc = "the same of the mean of their squares"},                                          \
        {NM_FIELD(type, eps), NM_OPTION_FLOAT, .also = "epsilon", .max = 1,                        \
         .doc = "added to the root of the mean square"},                                           \
    {                                                                                              \
        NM_FIELD(type, amsgrad), NM_OPTION_BOOL, .doc = "divide by the largest mean square so far" \
    }

static const nm_advice advice[] = {
    {"betas", NULL, "write beta1 and beta2: {beta1: 0.9, beta2: 0.999}"},
    {"momentum", NULL, "beta1 is what a momentum is elsewhere"},
    {NULL, NULL, NULL},
};

/* ---- Adam ---- */

static void adam_update(const nm_update *u)
{
    update(u, u->options, true);
}

static const nm_adam_options adam_defaults = {NM_ADAM_DEFAULTS};
NM_OPTIONS_INIT(nm_adam_options, adam_defaults)
static const nm_option adam_rows[] = {
    ADAM_ROWS(nm_adam_options, "adds so much of a weight to its gradient"),
};
static const nm_spec adam_spec = {.name = "nm_adam_options",
                                  .size = sizeof(nm_adam_options),
                                  .defaults = &adam_defaults,
                                  .options = adam_rows,
                                  .count = NM_COUNT_OF(adam_rows),
                                  .advice = advice};

const nm_optimizer_type nm_optimizer_adam = {
    .item = NM_ITEM(
        nm_optimizer_type, "adam", "steps scaled by mean squares of gradients", .spec = &adam_spec,
        .doc = "With d = gradient + weight_decay * w, and t the update's number, from 1:\n\n"
               "    m = beta1 * m + (1 - beta1) * d\n"
               "    v = beta2 * v + (1 - beta2) * d^2\n"
               "    w = w - rate * (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)\n\n"
               "or, with amsgrad, with the largest v so far in the root. m and v are 0 at "
               "first.\n"
               "Kingma, Ba 2014, arXiv 1412.6980; AMSGrad: Reddi, Kale, Kumar 2018, arXiv "
               "1904.09237; the form is PyTorch's."),
    .state_names = state_names,
    .states = adam_states,
    .update = adam_update,
    .counts = true,
};

/* ---- AdamW ---- */

static void adamw_update(const nm_update *u)
{
    const nm_adamw_options *o = u->options;
    const nm_adam_options as_adam = {.beta1 = o->beta1, .beta2 = o->beta2, .eps = o->eps};
    update(u, &as_adam, false);
}

static int adamw_states(const void *options)
{
    return ((const nm_adamw_options *)options)->amsgrad ? 3 : 2;
}

static const nm_adamw_options adamw_defaults = {NM_ADAMW_DEFAULTS};
NM_OPTIONS_INIT(nm_adamw_options, adamw_defaults)
static const nm_option adamw_rows[] = {
    ADAM_ROWS(nm_adamw_options, "takes rate * weight_decay of a weight away in each update"),
};
static const nm_spec adamw_spec = {.name = "nm_adamw_options",
                                   .size = sizeof(nm_adamw_options),
                                   .defaults = &adamw_defaults,
                                   .options = adamw_rows,
                                   .count = NM_COUNT_OF(adamw_rows),
                                   .advice = advice};

const nm_optimizer_type nm_optimizer_adamw = {
    .item = NM_ITEM(nm_optimizer_type, "adamw", "Adam with weight decay apart from the gradient",
                    .spec = &adamw_spec,
                    .doc = "First w = w - rate * weight_decay * w, then the step of adam with d = "
                           "gradient.\n"
                           "Loshchilov, Hutter 2017, arXiv 1711.05101; the form is PyTorch's."),
    .state_names = state_names,
    .states = adamw_states,
    .update = adamw_update,
    .counts = true,
};
