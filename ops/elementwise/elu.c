/* Exponential linear units, elementwise: with three numbers,
 *
 *     y = above x             where x > 0
 *         below (e^(in x) - 1)   else
 *
 * elu has below = alpha (Clevert, Unterthiner, Hochreiter 2016, arXiv 1511.07289), selu two
 * constants (Klambauer and others 2017, arXiv 1706.02515), celu below = alpha and in = 1 / alpha
 * (Barron 2017, arXiv 1704.07483). One kernel serves all. */
#include "ops/basic.h"
#include "ops/elementwise.h"
#include "ops/kernels/math.h"
#include "ops/table.h"

typedef struct numbers {
    double above, below, in;
} numbers;

#define NUMBER(name) ((real)((const numbers *)options)->name)

NM_LONG_UNARY(unit, x > 0 ? NUMBER(above) * x : NUMBER(below) * NM_EXPM1(NUMBER(in) * x))
/* a = x, b = dy */
NM_LONG_SLOPE(unit_grad,
              b *(a > 0 ? NUMBER(above) : NUMBER(below) * NUMBER(in) * NM_EXP(NUMBER(in) * a)))

static const numbers selu_numbers = {
    1.0507009873554804934193349852946,
    1.0507009873554804934193349852946 * 1.6732632423543772848170429916717, 1};

static numbers elu_numbers(const void *options)
{
    return (numbers){1, ((const nm_elu_options *)options)->alpha, 1};
}

static numbers celu_numbers(const void *options)
{
    const double alpha = ((const nm_elu_options *)options)->alpha;
    return (numbers){1, alpha, 1 / alpha};
}

static numbers selu_numbers_of(const void *options)
{
    (void)options;
    return selu_numbers;
}

/* The derivative of the slope: below in^2 e^(in x) where x <= 0. */
static nm_tensor *bend(nm_tape *tape, nm_tensor *x, numbers n)
{
    nm_tensor *zero = nm_scalar(tape, nm_tensor_dtype(x), 0);
    nm_tensor *power = nm_exp(tape, nm_affine(tape, nm_minimum(tape, x, zero), n.in, 0));
    return nm_mul(tape, nm_less_or_equal(tape, x, zero),
                  nm_affine(tape, power, n.below * n.in * n.in, 0));
}

#define UNIT(name_, numbers_of_)                                                                   \
    static nm_status name_##_forward(const nm_run *run)                                            \
    {                                                                                              \
        const numbers n = numbers_of_(run->options);                                               \
        nm_run with = *run;                                                                        \
        with.options = &n;                                                                         \
        return unit_forward(&with);                                                                \
    }                                                                                              \
    static nm_status name_##_grad_forward(const nm_run *run)                                       \
    {                                                                                              \
        const numbers n = numbers_of_(run->options);                                               \
        nm_run with = *run;                                                                        \
        with.options = &n;                                                                         \
        return unit_grad_forward(&with);                                                           \
    }                                                                                              \
    static nm_tensor *name_##_bend(nm_vjp *v)                                                      \
    {                                                                                              \
        return bend(v->tape, v->in[0], numbers_of_(v->options));                                   \
    }
UNIT(elu, elu_numbers)
UNIT(celu, celu_numbers)
UNIT(selu, selu_numbers_of)

static const nm_sample elu_samples[] = {
    {.in = {NM_AWAY(0.1, 3, 5)}},
    {.options = "{alpha: 0.5}", .in = {NM_AWAY(0.1, 4)}},
};
static const nm_sample elu_grad_samples[] = {
    {.options = "{alpha: 1.5}", .in = {NM_AWAY(0.1, 3, 5), NM_NORMAL(3, 5)}}};
#define celu_samples elu_samples
#define celu_grad_samples elu_grad_samples
static const nm_sample selu_samples[] = {{.in = {NM_AWAY(0.1, 3, 5)}}};
static const nm_sample selu_grad_samples[] = {{.in = {NM_AWAY(0.1, 3, 5), NM_NORMAL(3, 5)}}};

static const nm_elu_options defaults = {NM_END(nm_elu_options), NM_ELU_DEFAULTS};
NM_OPTIONS_INIT(nm_elu_options, defaults)
static const nm_option options[] = {
    {NM_FIELD(nm_elu_options, alpha), NM_OPTION_FLOAT, .doc = "-alpha is what it tends to below 0"},
};
static const nm_option celu_options[] = {
    {NM_FIELD(nm_elu_options, alpha), NM_OPTION_FLOAT, .min = 0, .max = NM_NO_LIMIT,
     .flags = NM_MIN_OPEN, .doc = "-alpha is what it tends to below 0"},
};
static const nm_spec spec = NM_SPEC(nm_elu_options, defaults, options);
static const nm_spec celu_spec = NM_SPEC(nm_elu_options, defaults, celu_options);

NM_SLOPE_OP(elu, in, nm_port_x_dy, .spec = &spec, .doc = "dx = dy where x > 0, else dy alpha e^x.")
NM_SLOPE_OP(celu, in, nm_port_x_dy, .spec = &celu_spec,
            .doc = "dx = dy where x > 0, else dy e^(x / alpha).")
NM_SLOPE_OP(selu, in, nm_port_x_dy, .doc = "dx = 1.0507 dy where x > 0, else 1.7581 dy e^x.")
NM_UNARY_OP(elu, "exponential linear unit", .spec = &spec,
            .doc = "y = x where x > 0, else alpha (e^x - 1), elementwise.\n"
                   "dx = dy where x > 0, else dy alpha e^x.\n"
                   "Clevert, Unterthiner, Hochreiter 2016, arXiv 1511.07289.")
NM_UNARY_OP(celu, "exponential linear unit with one slope at 0", .spec = &celu_spec,
            .doc = "y = x where x > 0, else alpha (e^(x / alpha) - 1), elementwise.\n"
                   "dx = dy where x > 0, else dy e^(x / alpha).\n"
                   "Barron 2017, arXiv 1704.07483.")
NM_UNARY_OP_WITH_CALL(
    selu, "exponential linear unit that keeps mean and variance",
    .doc = "y = s x where x > 0, else s a (e^x - 1), elementwise; s = 1.0507009873554805,\n"
           "a = 1.6732632423543772. dx = s dy where x > 0, else s a dy e^x.\n"
           "Klambauer, Unterthiner, Mayr, Hochreiter 2017, arXiv 1706.02515.")
NM_UNARY_CALL_WITH(elu, nm_elu_options)
NM_UNARY_CALL_WITH(celu, nm_elu_options)
