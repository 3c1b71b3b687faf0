/* Ops outside the library, one of each kind that its macros make; checked as its own are. */
#include <tgmath.h>

#include <norma.h>
#include <stdio.h>

/* ---- One input, and a slope that is an op ---- */

NM_UNARY(swish, x / (1 + exp(-x)))
NM_SLOPE(swish_grad, b *(1 + a * (1 - 1 / (1 + exp(-a)))) / (1 + exp(-a))) /* a = x, b = dy */

/* s + x s (1 - s) has the derivative s (1 - s) (2 + x (1 - 2 s)) for s = sigmoid(x). */
static nm_tensor *swish_bend(nm_vjp *v)
{
    nm_tape *t = v->tape;
    nm_tensor *s = nm_sigmoid(t, v->in[0]), *one = nm_scalar(t, nm_tensor_dtype(v->in[0]), 1);
    nm_tensor *two = nm_add(t, one, one), *rest = nm_sub(t, one, nm_mul(t, two, s));
    return nm_mul(t, nm_mul(t, s, nm_sub(t, one, s)), nm_add(t, two, nm_mul(t, v->in[0], rest)));
}

static const nm_sample swish_samples[] = {{.in = {NM_NORMAL(3, 5)}}};
static const nm_sample swish_grad_samples[] = {{.in = {NM_NORMAL(3, 5), NM_NORMAL(3, 5)}}};
NM_SLOPE_OP(swish, in, nm_port_x_dy, .doc = "dx = s (1 + x (1 - s)) dy for s = sigmoid(x).")
NM_UNARY_OP_WITH_CALL(swish, "x times its sigmoid", .doc = "y = x / (1 + e^-x), elementwise.")

/* ---- Two inputs that broadcast ---- */

NM_BINARY(distance, (a - b) * (a - b) / 2)
static nm_tensor *distance_vjp(nm_vjp *v, int input)
{
    nm_tensor *difference = nm_sub(v->tape, v->in[input], v->in[1 - input]);
    return nm_mul(v->tape, difference, v->gout[0]);
}
static const nm_sample distance_samples[] = {{.in = {NM_NORMAL(3, 4), NM_NORMAL(4)}}};
NM_BINARY_OP_WITH_CALL(distance, "half a squared difference", .doc = "y = (a - b)^2 / 2.")

/* ---- Three inputs, and options ---- */

typedef struct blend_options {
    size_t struct_size;
    double power;
} blend_options;
static const blend_options defaults = {sizeof(blend_options), 1};
static const nm_option options[] = {
    {NM_FIELD(blend_options, power), NM_OPTION_FLOAT, .doc = "of c"}};
static const nm_spec spec = NM_SPEC(blend_options, defaults, options);
static const nm_port ports[] = {{.name = "a"}, {.name = "b"}, {.name = "c"}};

NM_TERNARY(blend, a *pow(c, (real)((const blend_options *)options)->power) + b * (1 - c))
static nm_tensor *blend_vjp(nm_vjp *v, int input)
{
    nm_tensor *one = nm_scalar(v->tape, nm_tensor_dtype(v->in[0]), 1);
    nm_tensor *factor = input == 0   ? v->in[2]
                        : input == 1 ? nm_sub(v->tape, one, v->in[2])
                                     : nm_sub(v->tape, v->in[0], v->in[1]);
    return nm_mul(v->tape, v->gout[0], factor);
}
static const nm_sample blend_samples[] = {
    {.in = {NM_NORMAL(6), NM_NORMAL(6), NM_UNIFORM(0.1, 0.9, 6)}}};
NM_OP(blend, ports, nm_port_y, nm_infer_broadcast, NM_OPS_ELEMENTWISE, "a mixture", .spec = &spec,
      .doc = "y = c a + (1 - c) b.")

int main(void)
{
    const nm_op *ops[] = {&nm_op_swish, &nm_op_swish_grad, &nm_op_distance, &nm_op_blend};
    nm_context *context = nm_open(NULL);
    for (int i = 0; i < NM_COUNT_OF(ops); i++) {
        nm_register_op(context, ops[i]);
        nm_check_op(context, ops[i]->item.name, NULL);
    }
    nm_tape *tape = nm_tape_create(context);
    nm_tensor *x = nm_tensor_copy_of(context, NM_F32, NM_SHAPE(2), (float[]){0, 2});
    nm_tensor *y = nm_sum(tape, nm_distance(tape, nm_swish(tape, x), x));
    int failed = nm_context_status(context) != NM_OK;
    fputs(nm_context_error(context), stderr);
    printf("%.4f\n", nm_tensor_item(y)); /* (2 / (1 + e^-2) - 2)^2 / 2 */
    nm_tape_destroy(tape);
    nm_tensor_destroy(x);
    nm_close(context);
    return failed;
}
