/* LARS and LAMB, in which every layer has a factor of its own on the rate. */
#include "optim/optimizers/update.h"

static double norm(nm_dtype dtype, const void *values, int64_t count)
{
    double sum = 0;
    if (dtype == NM_F32) {
        const float *x = values;
        for (int64_t i = 0; i < count; i++) {
            sum += (double)x[i] * (double)x[i];
        }
    } else {
        const double *x = values;
        for (int64_t i = 0; i < count; i++) {
            sum += x[i] * x[i];
        }
    }
    return sqrt(sum);
}

/* a / b; 1 where either is 0, so that a layer of zeros moves too. */
static double ratio(double a, double b)
{
    return a > 0 && b > 0 ? a / b : 1;
}

/* ---- LARS ---- */

typedef struct lars_numbers {
    double momentum, trust;
} lars_numbers;

/* a: momentum. */
NM_UPDATE(lars, lars_numbers, {
    a[i] = (real)k.momentum * a[i] + (real)k.trust * (g + decay * w[i]);
    w[i] -= rate * a[i];
})

static double lars_trust(const nm_update *u)
{
    const nm_lars_options *o = u->options;
    const double weight = norm(u->dtype, u->parameter, u->count);
    const double gradient = fabs(u->scale) * norm(u->dtype, u->gradient, u->count);
    return ratio(o->coefficient * weight,
                 gradient > 0 ? gradient + u->weight_decay * weight : gradient);
}

static void lars_update(const nm_update *u)
{
    lars(u, (lars_numbers){((const nm_lars_options *)u->options)->momentum, u->trust});
}

static const nm_lars_options lars_defaults = {NM_LARS_DEFAULTS};
NM_OPTIONS_INIT(nm_lars_options, lars_defaults)
static const nm_option lars_rows[] = {
    NM_OPTIMIZER_ROWS(nm_lars_options),
    {NM_FIELD(nm_lars_options, momentum), NM_OPTION_FLOAT, .max = 1, .flags = NM_MAX_OPEN,
     .doc = "how much of the last step goes into the next"},
    {NM_FIELD(nm_lars_options, coefficient), NM_OPTION_FLOAT, .also = "trust_coefficient eta",
     .max = NM_NO_LIMIT, .flags = NM_MIN_OPEN,
     .doc = "the size of a layer's step, as a part of its weights' norm, at a rate of 1"},
};
static const nm_spec lars_spec = {.name = "nm_lars_options",
                                  .size = sizeof(nm_lars_options),
                                  .defaults = &lars_defaults,
                                  .options = lars_rows,
                                  .count = NM_COUNT_OF(lars_rows)};

static const char *const lars_states[] = {"momentum", NULL};

const nm_optimizer_type nm_optimizer_lars = {
    .item =
        NM_ITEM(nm_optimizer_type, "lars", "SGD with a rate for each layer, for large batches",
                .spec = &lars_spec,
                .doc = "With d = gradient + weight_decay * w, and the Euclidean norms of whole "
                       "tensors:\n\n"
                       "    f = coefficient * |w| / (|gradient| + weight_decay * |w|)\n"
                       "    v = momentum * v + f * d\n"
                       "    w = w - rate * v\n\n"
                       "f is 1 where a norm is 0, and for all parameters but weights. v is 0 at "
                       "first.\n"
                       "You, Gitman, Ginsburg 2017, arXiv 1708.03888; there the rate is a part of "
                       "v, so that a change of it acts later."),
    .state_names = lars_states,
    .trust = lars_trust,
    .update = lars_update,
};

/* ---- LAMB ---- */

typedef struct lamb_numbers {
    double beta2, rest1, rest2;
    double mean, root; /* 1 / (1 - beta1^t), 1 / sqrt(1 - beta2^t) */
    double eps, trust;
} lamb_numbers;

static lamb_numbers lamb_numbers_of(const nm_update *u)
{
    const nm_lamb_options *o = u->options;
    const double t = (double)u->step + 1;
    return (lamb_numbers){.beta2 = o->beta2,
                          .rest1 = 1 - o->beta1,
                          .rest2 = 1 - o->beta2,
                          .mean = 1 / (1 - pow(o->beta1, t)),
                          .root = 1 / sqrt(1 - pow(o->beta2, t)),
                          .eps = o->eps,
                          .trust = u->trust};
}

#define LAMB_STEP ((real)k.mean * a[i] / ((real)k.root * root(b[i]) + (real)k.eps) + decay * w[i])

/* a: mean of gradients, b: of their squares. */
NM_UPDATE(lamb_move, lamb_numbers, {
    a[i] += (real)k.rest1 * (g - a[i]);
    b[i] = (real)k.beta2 * b[i] + (real)k.rest2 * (g * g);
})
NM_UPDATE(lamb_step, lamb_numbers, w[i] -= rate * (real)k.trust * LAMB_STEP;)

/* The norm of the step that comes. */
#define LAMB_NORM(real_)                                                                           \
    static double lamb_norm_##real_(const nm_update *u, lamb_numbers k)                            \
    {                                                                                              \
        typedef real_ real;                                                                        \
        real_ (*const root)(real_) = NM_ROOT_##real_;                                              \
        const real *w = u->parameter, *a = u->state[0], *b = u->state[1];                          \
        const real decay = (real)u->weight_decay;                                                  \
        double sum = 0;                                                                            \
        for (int64_t i = 0; i < u->count; i++) {                                                   \
            const double step = (double)LAMB_STEP;                                                 \
            sum += step * step;                                                                    \
        }                                                                                          \
        return sqrt(sum);                                                                          \
    }
LAMB_NORM(float)
LAMB_NORM(double)

/* Moves both means; the step itself is made when the factor is known. */
static double lamb_trust(const nm_update *u)
{
    const lamb_numbers k = lamb_numbers_of(u);
    lamb_move(u, k);
    const double step = (u->dtype == NM_F32 ? lamb_norm_float : lamb_norm_double)(u, k);
    return ratio(norm(u->dtype, u->parameter, u->count), step);
}

static void lamb_update(const nm_update *u)
{
    lamb_step(u, lamb_numbers_of(u));
}

static const nm_lamb_options lamb_defaults = {NM_LAMB_DEFAULTS};
NM_OPTIONS_INIT(nm_lamb_options, lamb_defaults)
static const nm_option lamb_rows[] = {
    NM_OPTIMIZER_ROWS_OF(nm_lamb_options, 0, "adds so much of a weight to its step"),
    {NM_FIELD(nm_lamb_options, beta1), NM_OPTION_FLOAT, .max = 1, .flags = NM_MAX_OPEN,
     .doc = "how much of the mean of gradients stays in an update"},
    {NM_FIELD(nm_lamb_options, beta2), NM_OPTION_FLOAT, .max = 1, .flags = NM_MAX_OPEN,
     .doc = "the same of the mean of their squares"},
    {NM_FIELD(nm_lamb_options, eps), NM_OPTION_FLOAT, .also = "epsilon", .max = 1,
     .doc = "added to the root of the mean square"},
};
static const nm_spec lamb_spec = {.name = "nm_lamb_options",
                                  .size = sizeof(nm_lamb_options),
                                  .defaults = &lamb_defaults,
                                  .options = lamb_rows,
                                  .count = NM_COUNT_OF(lamb_rows)};

static const char *const lamb_states[] = {"mean", "square", NULL};

const nm_optimizer_type nm_optimizer_lamb = {
    .item = NM_ITEM(nm_optimizer_type, "lamb", "Adam with a rate for each layer, for large batches",
                    .spec = &lamb_spec,
                    .doc = "With m and v of adam, t the update's number, from 1, and the Euclidean "
                           "norms of whole tensors:\n\n"
                           "    r = (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps) + "
                           "weight_decay * w\n"
                           "    w = w - rate * |w| / |r| * r\n\n"
                           "|w| / |r| is 1 where a norm is 0, and for all parameters but weights.\n"
                           "You et al. 2019, arXiv 1904.00962."),
    .state_names = lamb_states,
    .trust = lamb_trust,
    .update = lamb_update,
    .counts = true,
};
