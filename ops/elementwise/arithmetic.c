/* Sums, differences, products and quotients, with NumPy's broadcasting. */
#include "ops/basic.h"
#include "ops/elementwise.h"
#include "ops/table.h"

NM_BINARY(add, a + b)
NM_BINARY(sub, a - b)
NM_BINARY(mul, (a * b))
NM_BINARY(div, a / b)
NM_UNARY(neg, -x)

static nm_tensor *add_vjp(nm_vjp *v, int input)
{
    (void)input;
    return v->gout[0];
}

static nm_tensor *sub_vjp(nm_vjp *v, int input)
{
    return input == 0 ? v->gout[0] : nm_neg(v->tape, v->gout[0]);
}

static nm_tensor *mul_vjp(nm_vjp *v, int input)
{
    return nm_mul(v->tape, v->gout[0], v->in[1 - input]);
}

/* d(a/b) = da / b - (a/b) db / b */
static nm_tensor *div_vjp(nm_vjp *v, int input)
{
    nm_tensor *da = nm_div(v->tape, v->gout[0], v->in[1]);
    return input == 0 ? da : nm_neg(v->tape, nm_mul(v->tape, da, v->out[0]));
}

static nm_tensor *neg_vjp(nm_vjp *v, int input)
{
    (void)input;
    return nm_neg(v->tape, v->gout[0]);
}

/* Equal shapes, both ways of broadcasting, and scalars. */
static const nm_sample add_samples[] = {
    {.in = {NM_NORMAL(3, 4), NM_NORMAL(3, 4)}},
    {.in = {NM_NORMAL(2, 3, 4), NM_NORMAL(4)}},
    {.in = {NM_NORMAL(3, 1), NM_NORMAL(2, 1, 5)}},
    {.in = {NM_SCALAR_NORMAL, NM_SCALAR_NORMAL}},
};
#define sub_samples add_samples
#define mul_samples add_samples
static const nm_sample div_samples[] = {
    {.in = {NM_NORMAL(3, 4), NM_AWAY(0.5, 3, 4)}},
    {.in = {NM_NORMAL(4), NM_AWAY(0.5, 2, 3, 4)}},
    {.in = {NM_NORMAL(3, 1), NM_AWAY(0.5, 1, 4)}},
};
static const nm_sample neg_samples[] = {{.in = {NM_NORMAL(3, 4)}}};

NM_BINARY_OP_WITH_CALL(add, "sum", .doc = "y = a + b, elementwise. da = dy, db = dy.")
NM_BINARY_OP_WITH_CALL(sub, "difference", .doc = "y = a - b, elementwise. da = dy, db = -dy.")
NM_BINARY_OP_WITH_CALL(mul, "product", .doc = "y = a * b, elementwise. da = dy b, db = dy a.")
NM_BINARY_OP_WITH_CALL(div, "quotient",
                       .doc = "y = a / b, elementwise. da = dy / b, db = -dy y / b.")
NM_UNARY_OP_WITH_CALL(neg, "negative", .doc = "y = -x, elementwise. dx = -dy.")
