/* y = x Phi(x), elementwise, where Phi is the normal distribution (Hendrycks, Gimpel 2016, arXiv
 * 1606.08415, section 2), or the approximation given there:
 * y = x (1 + tanh u) / 2 = x sigmoid(2u), u = c (x + k x^3), c = sqrt(2/pi), k = 0.044715. */
#include "ops/basic.h"
#include "ops/elementwise.h"
#include "ops/kernels/math.h"
#include "ops/table.h"

#define DENSITY_0 0.39894228040143268 /* 1 / sqrt(2 pi): the normal density at 0 */
#define C 0.79788456080286536         /* sqrt(2/pi) */
#define K 0.044715

#define GATE(x) NM_SIGMOID(2 * (real)C * (x + (real)K * x * x * x))
#define U_SLOPE(x) ((real)C * (1 + 3 * (real)K * x * x))

NM_LONG_UNARY(exact, (x * NM_NORMAL_CDF(x)))
NM_LONG_UNARY(approximate, (x * GATE(x)))
/* a = x, b = dy */
NM_LONG_SLOPE(exact_grad, (NM_NORMAL_CDF(a) + a * (real)DENSITY_0 * NM_BELL(a)) * b)
NM_LONG_SLOPE(approximate_grad, (GATE(a) + 2 * a * GATE(a) * (1 - GATE(a)) * U_SLOPE(a)) * b)

static bool is_exact(const void *options)
{
    return ((const nm_gelu_options *)options)->approximate == NM_GELU_EXACT;
}

static nm_status gelu_forward(const nm_run *run)
{
    return is_exact(run->options) ? exact_forward(run) : approximate_forward(run);
}

static nm_status gelu_grad_forward(const nm_run *run)
{
    return is_exact(run->options) ? exact_grad_forward(run) : approximate_grad_forward(run);
}

/* The slope is Phi + x phi, and phi' = -x phi: its derivative is phi (2 - x^2). */
static nm_tensor *exact_bend(nm_tape *tape, nm_tensor *x)
{
    nm_tensor *square = nm_square(tape, x);
    nm_tensor *bell = nm_exp(tape, nm_affine(tape, square, -0.5, 0));
    return nm_mul(tape, bell, nm_affine(tape, square, -DENSITY_0, 2 * DENSITY_0));
}

/* The slope is s + 2x q u' with s = sigmoid(2u) and q = s (1 - s). Since s' = 2q u', its derivative
 * is 2q (2u' + 2x (1 - 2s) u'^2 + x u''), and x u'' = 6 c k x^2. */
static nm_tensor *approximate_bend(nm_tape *tape, nm_tensor *x)
{
    nm_tensor *square = nm_square(tape, x);
    nm_tensor *u = nm_mul(tape, x, nm_affine(tape, square, C * K, C));
    nm_tensor *du = nm_affine(tape, square, 3 * C * K, C);
    nm_tensor *s = nm_sigmoid(tape, nm_affine(tape, u, 2, 0));
    nm_tensor *rest = nm_sigmoid(tape, nm_affine(tape, u, -2, 0)); /* 1 - s would cancel */
    nm_tensor *q = nm_mul(tape, s, rest);
    nm_tensor *turn = nm_mul(tape, nm_affine(tape, s, -2, 1), nm_square(tape, du));
    nm_tensor *sum = nm_add(tape, nm_add(tape, du, nm_mul(tape, x, turn)),
                            nm_affine(tape, square, 3 * C * K, 0));
    return nm_affine(tape, nm_mul(tape, q, sum), 4, 0);
}

static nm_tensor *gelu_bend(nm_vjp *v)
{
    return is_exact(v->options) ? exact_bend(v->tape, v->in[0])
                                : approximate_bend(v->tape, v->in[0]);
}

static const nm_sample gelu_samples[] = {
    {.in = {NM_NORMAL(3, 5)}},
    {.options = "{approximate: tanh}", .in = {NM_NORMAL(3, 5)}},
};
static const nm_sample gelu_grad_samples[] = {
    {.in = {NM_NORMAL(3, 5), NM_NORMAL(3, 5)}},
    {.options = "{approximate: tanh}", .in = {NM_NORMAL(4), NM_NORMAL(4)}},
};

static const char *const approximations[] = {"none", "tanh", NULL};
static const nm_gelu_options defaults = {NM_END(nm_gelu_options), NM_GELU_DEFAULTS};
NM_OPTIONS_INIT(nm_gelu_options, defaults)
static const nm_option options[] = {
    {NM_FIELD(nm_gelu_options, approximate), NM_OPTION_ENUM,
     .doc = "none: by the normal distribution; tanh: by its usual approximation",
     .names = approximations},
};
static const nm_spec spec = NM_SPEC(nm_gelu_options, defaults, options);

NM_SLOPE_OP(gelu, in, nm_port_x_dy, .spec = &spec,
            .doc = "dx = dy (Phi(x) + x phi(x)), elementwise; phi is the normal density.")
NM_UNARY_OP(gelu, "Gaussian error linear unit", .spec = &spec,
            .doc = "y = x Phi(x), elementwise; Phi is the normal distribution.\n"
                   "approximate: tanh: y = x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2.\n"
                   "dx = dy (Phi(x) + x phi(x)).\n"
                   "Hendrycks, Gimpel 2016, arXiv 1606.08415.")

nm_tensor *nm_gelu_with(nm_tape *tape, nm_tensor *x, const nm_gelu_options *o)
{
    return nm_apply1(tape, &nm_op_gelu, o, x);
}
