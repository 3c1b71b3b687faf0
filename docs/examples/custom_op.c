/* An op of your own with an option, complete: softplus, y = log(1 + e^(beta x)) / beta, with its
 * gradient, registered from the program, checked, called from C and by name. Nothing of the library
 * is touched. */
#include <tgmath.h>
#include <norma.h>
#include <stdio.h>

/* Its options: a struct, a value of it that holds the defaults, and a row for each member, from
 * which come text, range checks and messages. */
typedef struct softplus_options {
    size_t struct_size;
    double beta;
} softplus_options;

static const softplus_options defaults = {sizeof(softplus_options), .beta = 1};
static const nm_option rows[] = {
    {NM_FIELD(softplus_options, beta), NM_OPTION_FLOAT, .min = 0, .max = 100, .flags = NM_MIN_OPEN,
     .doc = "how sharply it bends at 0"},
};
static const nm_spec spec = NM_SPEC(softplus_options, defaults, rows);

/* What it computes, for f32 and f64, vectorized, threaded and broadcast: softplus_forward().
 * Written so that e^x cannot overflow. */
#define BETA ((real)((const softplus_options *)options)->beta)
NM_UNARY(softplus, (x > 0 ? x : 0) + log1p(exp(-fabs(BETA * x))) / BETA)

/* Its gradient, as a formula of ops, so it can be differentiated again: dy * sigmoid(beta x). */
static nm_tensor *softplus_vjp(nm_vjp *v, int input)
{
    const softplus_options *o = v->options;
    nm_tensor *slope = nm_sigmoid(v->tape, nm_affine(v->tape, v->in[input], o->beta, 0));
    return nm_mul(v->tape, v->gout[0], slope);
}

/* Inputs that the gradient check tries: a normal matrix, and values far from 0. */
static const nm_sample samples[] = {{.in = {NM_NORMAL(3, 4)}},
                                    {.options = "{beta: 0.5}", .in = {NM_UNIFORM(-30, 30, 9)}}};

static const nm_op softplus = {
    .item = NM_ITEM(nm_op, "softplus", "smooth rectifier", .spec = &spec,
                    .doc = "y = log(1 + e^(beta x)) / beta, elementwise"),
    .inputs = nm_port_x,
    .outputs = nm_port_y,
    .input_count = 1,
    .output_count = 1,
    .infer = nm_infer_same,
    .forward = softplus_forward,
    .vjp = softplus_vjp,
    .samples = samples,
    .sample_count = NM_COUNT_OF(samples),
};

int main(void)
{
    nm_context *context = nm_open(NULL);
    nm_register_op(context, &softplus);
    nm_check_result check;
    nm_check_op(context, "softplus", &check);
    printf("largest gradient error: %.0e\n", check.first_error);

    nm_tape *tape = nm_tape_create(context);
    nm_tensor *x = nm_tensor_copy_of(context, NM_F32, NM_SHAPE(3), (float[]){-1, 0, 1}), *y;
    nm_tensor_set_requires_grad(x, true);
    nm_call(tape, "softplus", &x, 1, "{beta: 2}", &y, 1); /* or nm_apply1() with a struct */
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
