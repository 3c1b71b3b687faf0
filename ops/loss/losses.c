/* Losses that are formulas of other ops. */
#include "ops/basic.h"
#include "ops/define.h"
#include "ops/loss.h"
#include "ops/table.h"

/* ---- What they share ---- */

/* Whether inputs 0 and `other` have the same shape. */
static bool has_same_shape(const nm_compose *c, int other)
{
    const nm_shape *x = nm_tensor_shape(c->in[0]), *t = nm_tensor_shape(c->in[other]);
    char a[NM_SHAPE_TEXT], b[NM_SHAPE_TEXT];
    if (nm_shape_equal(x, t)) {
        return true;
    }
    nm_compose_fail(c, "%s %s must have the shape of %s %s", c->op->inputs[other].name,
                    nm_shape_text(t, b), c->op->inputs[0].name, nm_shape_text(x, a));
    return false;
}

static nm_tensor *number(const nm_compose *c, double value)
{
    return nm_scalar(c->tape, nm_tensor_dtype(c->in[0]), value);
}

/* The options of all begin with struct_size and the reduction. */
static nm_tensor *reduced(const nm_compose *c, nm_tensor *losses)
{
    const int reduction = ((const nm_l1_options *)c->options)->reduction;
    if (reduction == NM_LOSS_NONE) {
        return losses;
    }
    const bool has_any = losses && nm_tensor_count(losses) > 0;
    return reduction == NM_LOSS_MEAN && has_any ? nm_mean(c->tape, losses)
                                                : nm_sum(c->tape, losses);
}

/* ---- Differences ---- */

static nm_tensor *l1_compose(nm_compose *c)
{
    return has_same_shape(c, 1) ? reduced(c, nm_abs(c->tape, nm_sub(c->tape, c->in[0], c->in[1])))
                                : NULL;
}

static nm_tensor *smooth_l1_compose(nm_compose *c)
{
    const double beta = ((const nm_smooth_l1_options *)c->options)->beta;
    if (!has_same_shape(c, 1)) {
        return NULL;
    }
    nm_tensor *y = nm_huber(c->tape, nm_sub(c->tape, c->in[0], c->in[1]), .delta = beta);
    return reduced(c, nm_affine(c->tape, y, 1 / beta, 0));
}

/* ---- Classes ---- */

/* (1 - t) x + (1 + (pos_weight - 1) t) ln(1 + e^-x), which is the formula with ln sigmoid(x) =
 * -ln(1 + e^-x) and ln(1 - sigmoid(x)) = -x - ln(1 + e^-x). */
static nm_tensor *bce_with_logits_compose(nm_compose *c)
{
    nm_tape *tape = c->tape;
    nm_tensor *x = c->in[0], *t = c->in[1], *weight = c->in[2], *pos_weight = c->in[3];
    if (!has_same_shape(c, 1)) {
        return NULL;
    }
    nm_tensor *y = nm_softplus(tape, nm_neg(tape, x));
    if (pos_weight) {
        nm_tensor *more = nm_mul(tape, nm_affine(tape, pos_weight, 1, -1), t);
        y = nm_mul(tape, nm_affine(tape, more, 1, 1), y);
    }
    y = nm_add(tape, nm_mul(tape, nm_affine(tape, t, -1, 1), x), y);
    return reduced(c, weight ? nm_mul(tape, y, weight) : y);
}

/* t ln t, 0 where t is 0. */
static nm_tensor *entropy(const nm_compose *c, nm_tensor *t)
{
    nm_tensor *zero = number(c, 0), *none = nm_equal(c->tape, t, zero);
    nm_tensor *safe = nm_where(c->tape, none, number(c, 1), t);
    return nm_where(c->tape, none, zero, nm_mul(c->tape, t, nm_log(c->tape, safe)));
}

static nm_tensor *kl_div_compose(nm_compose *c)
{
    const nm_kl_div_options *o = c->options;
    nm_tape *tape = c->tape;
    nm_tensor *x = c->in[0], *t = c->in[1];
    if (!has_same_shape(c, 1)) {
        return NULL;
    }
    nm_tensor *y = o->log_target ? nm_mul(tape, nm_exp(tape, t), nm_sub(tape, t, x))
                                 : nm_sub(tape, entropy(c, t), nm_mul(tape, t, x));
    if (o->reduction != NM_KL_BATCH) {
        return reduced(c, y);
    }
    const nm_shape *shape = nm_tensor_shape(x);
    const double rows = shape->rank && shape->dim[0] ? (double)shape->dim[0] : 1;
    return nm_affine(tape, nm_sum(tape, y), 1 / rows, 0);
}

static nm_tensor *hinge_compose(nm_compose *c)
{
    const double margin = ((const nm_hinge_options *)c->options)->margin;
    if (!has_same_shape(c, 1)) {
        return NULL;
    }
    nm_tensor *product = nm_mul(c->tape, c->in[0], c->in[1]);
    return reduced(c, nm_relu(c->tape, nm_affine(c->tape, product, -1, margin)));
}

/* ---- Vectors ---- */

/* Their last axis goes. */
static bool has_vectors(const nm_compose *c)
{
    const nm_shape *x = nm_tensor_shape(c->in[0]);
    if (x->rank > 0) {
        return has_same_shape(c, 1);
    }
    nm_compose_fail(c, "%s must be vectors along the last axis, not []", c->op->inputs[0].name);
    return false;
}

static nm_tensor *inner(nm_tape *tape, nm_tensor *a, nm_tensor *b)
{
    return nm_sum(tape, nm_mul(tape, a, b), .axes = NM_INTS(-1));
}

#define COSINE_EPS 1e-12 /* PyTorch's: added to both square norms */

static nm_tensor *cosine(nm_tape *tape, nm_tensor *a, nm_tensor *b)
{
    nm_tensor *aa = nm_affine(tape, inner(tape, a, a), 1, COSINE_EPS);
    nm_tensor *bb = nm_affine(tape, inner(tape, b, b), 1, COSINE_EPS);
    return nm_div(tape, inner(tape, a, b), nm_sqrt(tape, nm_mul(tape, aa, bb)));
}

static nm_tensor *cosine_embedding_compose(nm_compose *c)
{
    const double margin = ((const nm_cosine_embedding_options *)c->options)->margin;
    nm_tape *tape = c->tape;
    nm_tensor *t = c->in[2], *zero = number(c, 0);
    if (!has_vectors(c)) {
        return NULL;
    }
    nm_tensor *near = cosine(tape, c->in[0], c->in[1]);
    if (near && !nm_shape_equal(nm_tensor_shape(near), nm_tensor_shape(t))) {
        char a[NM_SHAPE_TEXT], b[NM_SHAPE_TEXT];
        return nm_compose_fail(c, "target %s must have the shape of a without its last axis, %s",
                               nm_shape_text(nm_tensor_shape(t), a),
                               nm_shape_text(nm_tensor_shape(near), b));
    }
    nm_tensor *far = nm_relu(tape, nm_affine(tape, near, 1, -margin));
    nm_tensor *apart = nm_where(tape, nm_equal(tape, t, number(c, -1)), far, zero);
    nm_tensor *alike = nm_equal(tape, t, number(c, 1));
    return reduced(c, nm_where(tape, alike, nm_affine(tape, near, -1, 1), apart));
}

static nm_tensor *distance(const nm_compose *c, nm_tensor *a, nm_tensor *b)
{
    const nm_triplet_options *o = c->options;
    nm_tensor *difference = nm_affine(c->tape, nm_sub(c->tape, a, b), 1, o->eps);
    return nm_norm(c->tape, difference, .axes = NM_INTS(-1), .p = o->p);
}

static nm_tensor *triplet_compose(nm_compose *c)
{
    const nm_triplet_options *o = c->options;
    nm_tensor *anchor = c->in[0], *positive = c->in[1], *negative = c->in[2];
    if (!has_vectors(c) || !has_same_shape(c, 2)) {
        return NULL;
    }
    nm_tensor *near = distance(c, anchor, positive), *far = distance(c, anchor, negative);
    if (o->swap) {
        far = nm_minimum(c->tape, far, distance(c, positive, negative));
    }
    nm_tensor *gap = nm_affine(c->tape, nm_sub(c->tape, near, far), 1, o->margin);
    return reduced(c, nm_relu(c->tape, gap));
}

/* ---- Options ---- */

static const char *const reductions[] = {"mean", "sum", "none", NULL};
static const char *const kl_reductions[] = {"mean", "sum", "none", "batchmean", NULL};
#define REDUCTION(type)                                                                            \
    {                                                                                              \
        NM_FIELD(type, reduction), NM_OPTION_ENUM, .names = reductions,                            \
                                                   .doc = "the mean of all, their sum, or each"    \
    }

static const nm_l1_options l1_defaults = {NM_END(nm_l1_options), NM_L1_DEFAULTS};
NM_OPTIONS_INIT(nm_l1_options, l1_defaults)
static const nm_option l1_options[] = {REDUCTION(nm_l1_options)};
static const nm_spec l1_spec = NM_SPEC(nm_l1_options, l1_defaults, l1_options);

static const nm_smooth_l1_options smooth_l1_defaults = {NM_END(nm_smooth_l1_options),
                                                        NM_SMOOTH_L1_DEFAULTS};
NM_OPTIONS_INIT(nm_smooth_l1_options, smooth_l1_defaults)
static const nm_option smooth_l1_options[] = {
    REDUCTION(nm_smooth_l1_options),
    {NM_FIELD(nm_smooth_l1_options, beta), NM_OPTION_FLOAT, .max = 1e30, .flags = NM_MIN_OPEN,
     .doc = "up to this size a difference counts as its square"},
};
static const nm_spec smooth_l1_spec =
    NM_SPEC(nm_smooth_l1_options, smooth_l1_defaults, smooth_l1_options);

static const nm_bce_with_logits_options bce_defaults = {NM_END(nm_bce_with_logits_options),
                                                        NM_BCE_WITH_LOGITS_DEFAULTS};
NM_OPTIONS_INIT(nm_bce_with_logits_options, bce_defaults)
static const nm_option bce_options[] = {REDUCTION(nm_bce_with_logits_options)};
static const nm_spec bce_spec = NM_SPEC(nm_bce_with_logits_options, bce_defaults, bce_options);

static const nm_kl_div_options kl_div_defaults = {NM_END(nm_kl_div_options), NM_KL_DIV_DEFAULTS};
NM_OPTIONS_INIT(nm_kl_div_options, kl_div_defaults)
static const nm_option kl_div_options[] = {
    {NM_FIELD(nm_kl_div_options, reduction), NM_OPTION_ENUM, .names = kl_reductions,
     .doc =
         "the mean of all elements, their sum, each; or the sum over the length of the first axis"},
    {NM_FIELD(nm_kl_div_options, log_target), NM_OPTION_BOOL, .doc = "the target is a logarithm"},
};
static const nm_spec kl_div_spec = NM_SPEC(nm_kl_div_options, kl_div_defaults, kl_div_options);

static const nm_hinge_options hinge_defaults = {NM_END(nm_hinge_options), NM_HINGE_DEFAULTS};
NM_OPTIONS_INIT(nm_hinge_options, hinge_defaults)
static const nm_option hinge_options[] = {
    REDUCTION(nm_hinge_options),
    {NM_FIELD(nm_hinge_options, margin), NM_OPTION_FLOAT, .max = 1e30,
     .doc = "how far on the right side nothing is lost"},
};
static const nm_spec hinge_spec = NM_SPEC(nm_hinge_options, hinge_defaults, hinge_options);

static const nm_cosine_embedding_options cosine_defaults = {NM_END(nm_cosine_embedding_options),
                                                            NM_COSINE_EMBEDDING_DEFAULTS};
NM_OPTIONS_INIT(nm_cosine_embedding_options, cosine_defaults)
static const nm_option cosine_options[] = {
    REDUCTION(nm_cosine_embedding_options),
    {NM_FIELD(nm_cosine_embedding_options, margin), NM_OPTION_FLOAT, .min = -1, .max = 1,
     .doc = "up to this cosine, unlike vectors lose nothing"},
};
static const nm_spec cosine_spec =
    NM_SPEC(nm_cosine_embedding_options, cosine_defaults, cosine_options);

static const nm_triplet_options triplet_defaults = {NM_END(nm_triplet_options),
                                                    NM_TRIPLET_DEFAULTS};
NM_OPTIONS_INIT(nm_triplet_options, triplet_defaults)
static const nm_named_value p_names[] = {{"max", NM_NORM_MAX}, {NULL, 0}};
static const nm_option triplet_options[] = {
    REDUCTION(nm_triplet_options),
    {NM_FIELD(nm_triplet_options, margin), NM_OPTION_FLOAT, .max = 1e30,
     .doc = "how much farther the negative has to be"},
    {NM_FIELD(nm_triplet_options, p), NM_OPTION_FLOAT, .min = 1, .max = NM_NO_LIMIT,
     .named = p_names, .doc = "of the norm; max: the largest difference"},
    {NM_FIELD(nm_triplet_options, eps), NM_OPTION_FLOAT, .max = 1,
     .doc = "added to each difference"},
    {NM_FIELD(nm_triplet_options, swap), NM_OPTION_BOOL,
     .doc = "take the negative's distance from the positive, where that is less"},
};
static const nm_spec triplet_spec = NM_SPEC(nm_triplet_options, triplet_defaults, triplet_options);

/* ---- Ports and samples ---- */

static const nm_port pair_inputs[] = {{.name = "x", .doc = "any shape"},
                                      {.name = "target", .doc = "x's shape"}};
static const nm_port bce_inputs[] = {
    {.name = "x", .doc = "any shape: before a sigmoid"},
    {.name = "target", .doc = "x's shape, 0 to 1"},
    {.name = "weight", .flags = NM_PORT_OPTIONAL, .doc = "broadcasts to x's shape; default: 1"},
    {.name = "pos_weight",
     .flags = NM_PORT_OPTIONAL,
     .doc = "broadcasts to x's shape; default: 1"}};
static const nm_port kl_div_inputs[] = {{.name = "x", .doc = "any shape: logarithms"},
                                        {.name = "target", .doc = "x's shape"}};
static const nm_port cosine_inputs[] = {{.name = "a", .doc = "[..., n]"},
                                        {.name = "b", .doc = "a's shape"},
                                        {.name = "target", .doc = "[...], of 1 and -1"}};
static const nm_port triplet_inputs[] = {{.name = "anchor", .doc = "[..., n]"},
                                         {.name = "positive", .doc = "anchor's shape"},
                                         {.name = "negative", .doc = "anchor's shape"}};
static const nm_port loss_port[] = {{.name = "loss", .doc = "[], or each"}};

/* Differences and products beside the kinks. */
static const nm_sample l1_samples[] = {
    {.in = {NM_AWAY(2, 3, 4), NM_UNIFORM(-1, 1, 3, 4)}},
    {.options = "{reduction: sum}", .in = {NM_AWAY(2, 5), NM_UNIFORM(-1, 1, 5)}},
    {.options = "{reduction: none}", .in = {NM_AWAY(2, 2, 3), NM_UNIFORM(-1, 1, 2, 3)}},
};
static const nm_sample smooth_l1_samples[] = {
    {.in = {NM_UNIFORM(-0.4, 0.4, 3, 4), NM_UNIFORM(-0.4, 0.4, 3, 4)}},
    {.options = "{beta: 0.5, reduction: sum}", .in = {NM_AWAY(2, 5), NM_UNIFORM(-1, 1, 5)}},
};
static const nm_sample bce_with_logits_samples[] = {
    {.in = {NM_NORMAL(3, 4), NM_UNIFORM(0, 1, 3, 4)}},
    {.options = "{reduction: sum}",
     .in = {NM_NORMAL(3, 4), NM_UNIFORM(0, 1, 3, 4), NM_UNIFORM(0.5, 2, 3, 1),
            NM_UNIFORM(0.5, 2, 4)}},
    {.options = "{reduction: none}", .in = {NM_NORMAL(5), NM_UNIFORM(0, 1, 5), NM_NORMAL(5)}},
};
static const nm_sample kl_div_samples[] = {
    {.in = {NM_NORMAL(3, 4), NM_UNIFORM(0.1, 1, 3, 4)}},
    {.options = "{reduction: batchmean}", .in = {NM_NORMAL(3, 4), NM_UNIFORM(0.1, 1, 3, 4)}},
    {.options = "{log_target: true, reduction: sum}", .in = {NM_NORMAL(5), NM_NORMAL(5)}},
};
static const nm_sample hinge_samples[] = {
    {.in = {NM_UNIFORM(-0.9, 0.9, 3, 4), NM_UNIFORM(-0.9, 0.9, 3, 4)}},
    {.options = "{margin: 0.1, reduction: sum}", .in = {NM_AWAY(1, 5), NM_AWAY(1, 5)}},
};
static const nm_sample cosine_embedding_samples[] = {
    {.options = "{reduction: none}", .in = {NM_NORMAL(3, 4), NM_NORMAL(3, 4), NM_UNIFORM(1, 1, 3)}},
    {.options = "{margin: -1}", .in = {NM_NORMAL(3, 4), NM_NORMAL(3, 4), NM_UNIFORM(-1, -1, 3)}},
};
static const nm_sample triplet_samples[] = {
    {.options = "{margin: 9}", .in = {NM_NORMAL(3, 4), NM_NORMAL(3, 4), NM_NORMAL(3, 4)}},
    {.options = "{margin: 9, p: 3, reduction: sum}",
     .in = {NM_UNIFORM(1, 2, 3, 4), NM_UNIFORM(-2, -1, 3, 4), NM_UNIFORM(4, 5, 3, 4)}},
    {.options = "{margin: 9, swap: true, reduction: none}",
     .in = {NM_UNIFORM(0, 1, 3, 4), NM_UNIFORM(1, 2, 3, 4), NM_UNIFORM(4, 5, 3, 4)}},
};

/* ---- The ops ---- */

NM_COMPOSED_OP(
    l1, pair_inputs, loss_port, 0, "absolute error", .spec = &l1_spec,
    .doc = "loss = |x - target|: the mean over all elements (of none: 0), their sum, or all "
           "of them. Nothing is broadcast. dx = sign(x - target) dy.")
NM_COMPOSED_OP(smooth_l1, pair_inputs, loss_port, 0, "absolute error, square where it is small",
               .spec = &smooth_l1_spec,
               .doc = "Of d = |x - target|: d^2 / (2 beta) where d < beta, else d - beta / 2. "
                      "Girshick 2015, arXiv 1504.08083.")
NM_COMPOSED_OP(bce_with_logits, bce_inputs, loss_port, 0,
               "binary cross entropy of a sigmoid, for several labels at once", .spec = &bce_spec,
               .doc =
                   "loss = weight * (-pos_weight * target * ln sigmoid(x) - (1 - target) * ln(1 - "
                   "sigmoid(x))), without overflow. The mean is over the elements, whatever they "
                   "weigh. dx = weight * (sigmoid(x) - target) dy where pos_weight is 1.")
NM_COMPOSED_OP(kl_div, kl_div_inputs, loss_port, 0, "Kullback-Leibler divergence from a target",
               .spec = &kl_div_spec,
               .doc = "loss = target * (ln target - x), 0 where the target is 0; with log_target, "
                      "e^target * (target - x). dx = -target dy.\n"
                      "The divergence of distributions along the last axis is `batchmean`; `mean` "
                      "divides by the number of elements.")
NM_COMPOSED_OP(hinge, pair_inputs, loss_port, 0, "what misses a margin, for targets of 1 and -1",
               .spec = &hinge_spec,
               .doc = "loss = max(0, margin - target * x). dx = -target dy where it is above 0.")
NM_COMPOSED_OP(cosine_embedding, cosine_inputs, loss_port, 0, "whether vectors point one way",
               .spec = &cosine_spec,
               .doc =
                   "Of the cosine c of a and b along the last axis: 1 - c where the target is 1, "
                   "max(0, c - margin) where it is -1, else 0.")
NM_COMPOSED_OP(
    triplet, triplet_inputs, loss_port, 0, "nearer to the positive than to the negative",
    .spec = &triplet_spec,
    .doc = "loss = max(0, margin + |anchor - positive| - |anchor - negative|), of vectors "
           "along the last axis. Schroff, Kalenichenko, Philbin 2015, arXiv 1503.03832; swap: "
           "Balntas et al. 2016.")

/* ---- Calls ---- */

nm_tensor *nm_l1_with(nm_tape *tape, nm_tensor *x, nm_tensor *target, const nm_l1_options *o)
{
    return nm_apply2(tape, &nm_op_l1, o, x, target);
}

nm_tensor *nm_smooth_l1_with(nm_tape *tape, nm_tensor *x, nm_tensor *target,
                             const nm_smooth_l1_options *o)
{
    return nm_apply2(tape, &nm_op_smooth_l1, o, x, target);
}

nm_tensor *nm_weighted_bce_with_logits_with(nm_tape *tape, nm_tensor *x, nm_tensor *target,
                                            nm_tensor *weight, nm_tensor *pos_weight,
                                            const nm_bce_with_logits_options *o)
{
    nm_tensor *y, *inputs[] = {x, target, weight, pos_weight};
    return nm_apply(tape, &nm_op_bce_with_logits, inputs, 4, o, &y) == NM_OK ? y : NULL;
}

nm_tensor *nm_bce_with_logits_with(nm_tape *tape, nm_tensor *x, nm_tensor *target,
                                   const nm_bce_with_logits_options *o)
{
    return nm_weighted_bce_with_logits_with(tape, x, target, NULL, NULL, o);
}

nm_tensor *nm_kl_div_with(nm_tape *tape, nm_tensor *x, nm_tensor *target,
                          const nm_kl_div_options *o)
{
    return nm_apply2(tape, &nm_op_kl_div, o, x, target);
}

nm_tensor *nm_hinge_with(nm_tape *tape, nm_tensor *x, nm_tensor *target, const nm_hinge_options *o)
{
    return nm_apply2(tape, &nm_op_hinge, o, x, target);
}

nm_tensor *nm_cosine_embedding_with(nm_tape *tape, nm_tensor *a, nm_tensor *b, nm_tensor *target,
                                    const nm_cosine_embedding_options *o)
{
    return nm_apply3(tape, &nm_op_cosine_embedding, o, a, b, target);
}

nm_tensor *nm_triplet_with(nm_tape *tape, nm_tensor *anchor, nm_tensor *positive,
                           nm_tensor *negative, const nm_triplet_options *o)
{
    return nm_apply3(tape, &nm_op_triplet, o, anchor, positive, negative);
}
