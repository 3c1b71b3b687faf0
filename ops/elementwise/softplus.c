/* y = ln(1 + e^(beta x)) / beta, elementwise: a smooth relu (Dugas and others 2001). Written as
 * max(z, 0) + ln(1 + e^-|z|) with z = beta x, so that nothing overflows; from z > threshold on it
 * is x, as PyTorch has it. */
#include <tgmath.h>

#include "ops/basic.h"
#include "ops/elementwise.h"
#include "ops/kernels/math.h"
#include "ops/table.h"

#define OPTION(name) ((real)((const nm_softplus_options *)options)->name)
#define BETA OPTION(beta)

#define SOFT(z) (((z) > 0 ? (z) : 0) + NM_LOG1P_OF_UNIT(NM_EXP(-fabs(z))))

NM_LONG_UNARY(softplus, BETA *x > OPTION(threshold) ? x : SOFT(BETA * x) / BETA)
/* a = x, b = dy */
NM_LONG_SLOPE(softplus_grad, BETA *a > OPTION(threshold) ? b : b * NM_SIGMOID(BETA * a))

/* beta s (1 - s) up to the threshold. */
static nm_tensor *softplus_bend(nm_vjp *v)
{
    const nm_softplus_options *o = v->options;
    nm_tape *tape = v->tape;
    nm_tensor *z = nm_affine(tape, v->in[0], o->beta, 0);
    nm_tensor *most = nm_scalar(tape, nm_tensor_dtype(z), o->threshold);
    nm_tensor *q = nm_mul(tape, nm_sigmoid(tape, z), nm_sigmoid(tape, nm_neg(tape, z)));
    return nm_mul(tape, nm_less_or_equal(tape, z, most), nm_affine(tape, q, o->beta, 0));
}

static const nm_sample softplus_samples[] = {
    {.in = {NM_NORMAL(3, 5)}},
    {.options = "{beta: 0.5, threshold: 3}", .in = {NM_UNIFORM(-30, 5, 9)}},
    {.options = "{beta: -2}", .in = {NM_NORMAL(4)}},
};
static const nm_sample softplus_grad_samples[] = {
    {.options = "{beta: 2}", .in = {NM_NORMAL(3, 5), NM_NORMAL(3, 5)}}};

static void check(const void *options_, const nm_value *at, nm_diagnostics *d)
{
    if (((const nm_softplus_options *)options_)->beta == 0) {
        nm_diagnose(d, at, "softplus: beta is 0, and divides");
    }
}

static const nm_softplus_options defaults = {NM_END(nm_softplus_options), NM_SOFTPLUS_DEFAULTS};
NM_OPTIONS_INIT(nm_softplus_options, defaults)
static const nm_option options[] = {
    {NM_FIELD(nm_softplus_options, beta), NM_OPTION_FLOAT, .doc = "how sharply it bends at 0"},
    {NM_FIELD(nm_softplus_options, threshold), NM_OPTION_FLOAT,
     .doc = "where beta x is above it, y = x"},
};
static const nm_spec spec = {.name = "nm_softplus_options",
                             .size = sizeof(nm_softplus_options),
                             .defaults = &defaults,
                             .options = options,
                             .count = NM_COUNT_OF(options),
                             .check = check};

NM_SLOPE_OP(softplus, in, nm_port_x_dy, .spec = &spec,
            .doc = "dx = dy / (1 + e^(-beta x)), elementwise; dy where beta x > threshold.")
NM_UNARY_OP(softplus, "smooth rectifier", .spec = &spec,
            .doc = "y = ln(1 + e^(beta x)) / beta, elementwise; x where beta x > threshold.\n"
                   "dx = dy / (1 + e^(-beta x)); dy there.\n"
                   "Dugas, Bengio, Belisle, Nadeau, Garcia 2001.")
NM_UNARY_CALL_WITH(softplus, nm_softplus_options)
