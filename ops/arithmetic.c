/* Sums, differences, products and quotients, with NumPy's broadcasting. */
#include "ops/elementwise.h"
#include "ops/basic.h"
#include "ops/table.h"

NM_BINARY(add, a + b)
NM_BINARY(sub, a - b)
NM_BINARY(mul, a *b)
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
static const nm_sample binary_samples[] = {
    {.in = {NM_NORMAL(3, 4), NM_NORMAL(3, 4)}},
    {.in = {NM_NORMAL(2, 3, 4), NM_NORMAL(4)}},
    {.in = {NM_NORMAL(3, 1), NM_NORMAL(2, 1, 5)}},
    {.in = {NM_SCALAR_NORMAL, NM_SCALAR_NORMAL}},
};
static const nm_sample div_samples[] = {
    {.in = {NM_NORMAL(3, 4), NM_AWAY(0.5, 3, 4)}},
    {.in = {NM_NORMAL(4), NM_AWAY(0.5, 2, 3, 4)}},
    {.in = {NM_NORMAL(3, 1), NM_AWAY(0.5, 1, 4)}},
};
static const nm_sample neg_samples[] = {{.in = {NM_NORMAL(3, 4)}}};

#define ARITHMETIC_OP(name_, summary_, doc_, ports_, count_, infer_, samples_)                     \
    const nm_op nm_op_##name_ = {                                                                  \
        .item = NM_ITEM(nm_op, #name_, summary_, .doc = doc_),                                     \
        .inputs = ports_,                                                                          \
        .outputs = nm_port_y,                                                                      \
        .input_count = count_,                                                                     \
        .output_count = 1,                                                                         \
        .flags = NM_OP_IN_PLACE,                                                                   \
        .infer = infer_,                                                                           \
        .forward = name_##_forward,                                                                \
        .vjp = name_##_vjp,                                                                        \
        .samples = samples_,                                                                       \
        .sample_count = NM_COUNT_OF(samples_),                                                     \
    };

ARITHMETIC_OP(add, "sum", "y = a + b, elementwise. da = dy, db = dy.", nm_port_ab, 2,
              nm_infer_broadcast, binary_samples)
ARITHMETIC_OP(sub, "difference", "y = a - b, elementwise. da = dy, db = -dy.", nm_port_ab, 2,
              nm_infer_broadcast, binary_samples)
ARITHMETIC_OP(mul, "product", "y = a * b, elementwise. da = dy * b, db = dy * a.", nm_port_ab, 2,
              nm_infer_broadcast, binary_samples)
ARITHMETIC_OP(div, "quotient", "y = a / b, elementwise. da = dy / b, db = -dy * y / b.", nm_port_ab,
              2, nm_infer_broadcast, div_samples)
ARITHMETIC_OP(neg, "negative", "y = -x, elementwise. dx = -dy.", nm_port_x, 1, nm_infer_same,
              neg_samples)

nm_tensor *nm_add(nm_tape *tape, nm_tensor *a, nm_tensor *b)
{
    return nm_apply2(tape, &nm_op_add, NULL, a, b);
}

nm_tensor *nm_sub(nm_tape *tape, nm_tensor *a, nm_tensor *b)
{
    return nm_apply2(tape, &nm_op_sub, NULL, a, b);
}

nm_tensor *nm_mul(nm_tape *tape, nm_tensor *a, nm_tensor *b)
{
    return nm_apply2(tape, &nm_op_mul, NULL, a, b);
}

nm_tensor *nm_div(nm_tape *tape, nm_tensor *a, nm_tensor *b)
{
    return nm_apply2(tape, &nm_op_div, NULL, a, b);
}

nm_tensor *nm_neg(nm_tape *tape, nm_tensor *x)
{
    return nm_apply1(tape, &nm_op_neg, NULL, x);
}
