/* An op of your own with an option, complete: softrelu, y = log(1 + e^(beta x)) / beta, with its
 * gradient, registered from the program, checked, called from C and by name. Nothing of the library
 * is touched. */
#include <tgmath.h>
#include <norma.h>
#include <stdio.h>

/* Its options: a struct, a value of it that holds the defaults, and a row for each member, from
 * which come text, range checks and messages. */
typedef struct softrelu_options {
    size_t struct_size;
    double beta;
} softrelu_options;

static const softrelu_options defaults = {sizeof(softrelu_options), .beta = 1};
static const nm_option rows[] = {
    {NM_FIELD(softrelu_options, beta), NM_OPTION_FLOAT, .min = 0, .max = 100, .flags = NM_MIN_OPEN,
     .doc = "how sharply it bends at 0"},
};
static const nm_spec spec = NM_SPEC(softrelu_options, defaults, rows);

/* What it computes, for f32 and f64, vectorized, threaded and broadcast: softrelu_forward().
 * Written so that e^x cannot overflow. */
#define BETA ((real)((const softrelu_options *)options)->beta)
NM_UNARY(softrelu, (x > 0 ? x : 0) + log1p(exp(-fabs(BETA * x))) / BETA)

/* Its gradient, as a formula of ops, so it can be differentiated again: dy * sigmoid(beta x). */
static nm_tensor *softrelu_vjp(nm_vjp *v, int input)
{
    const softrelu_options *o = v->options;
    nm_tensor *slope = nm_sigmoid(v->tape, nm_affine(v->tape, v->in[input], o->beta, 0));
    return nm_mul(v->tape, v->gout[0], slope);
}

/* Inputs that the gradient check tries: a normal matrix, and values far from 0. */
static const nm_sample samples[] = {{.in = {NM_NORMAL(3, 4)}},
                                    {.options = "{beta: 0.5}", .in = {NM_UNIFORM(-30, 30, 9)}}};

static const nm_op softrelu = {
    .item = NM_ITEM(nm_op, "softrelu", "smooth rectifier", .spec = &spec,
                    .doc = "y = log(1 + e^(beta x)) / beta, elementwise"),
    .inputs = nm_port_x,
    .outputs = nm_port_y,
    .input_count = 1,
    .output_count = 1,
    .infer = nm_infer_same,
    .forward = softrelu_forward,
    .vjp = softrelu_vjp,
    .samples = samples,
    .sample_count = NM_COUNT_OF(samples),
};

int main(void)
{
    nm_context *context = nm_open(NULL);
    nm_register_op(context, &softrelu);
    nm_check_result check;
    nm_check_op(context, "softrelu", &check);
    printf("largest gradient error: %.0e\n", check.first_error);

    nm_tape *tape = nm_tape_create(context);
    nm_tensor *x = nm_tensor_copy_of(context, NM_F32, NM_SHAPE(3), (float[]){-1, 0, 1}), *y;
    nm_tensor_set_requires_grad(x, true);
    nm_call(tape, "softrelu", &x, 1, "{beta: 2}", &y, 1); /* or nm_apply1() with a struct */
    nm_backward(tape, nm_sum(tape, y), 0);
    for (int i = 0; i < 3 && nm_context_status(context) == NM_OK; i++) {
        printf("dy/dx(%g) = %.4f\n", nm_tensor_get(x, i), nm_tensor_get(nm_tensor_grad(x), i));
    }
    int failed = nm_context_status(context) != NM_OK;
    fputs(nm_context_error(context), stderr);
    nm_tape_destroy(tape);
    nm_tensor_destroy(x);
    nm_close(context);
    return failed;
}
