/* A gradient penalty: a critic f learns how far two clouds of points are apart (Wasserstein's
 * distance), for which its slope is to be 1 between them. The slope is a gradient, and the loss is
 * made of it, so the gradient is differentiated again. Gulrajani et al. 2017, arXiv 1704.00028. */
#include <norma.h>
#include <stdio.h>

#define POINTS 64
#define APART 3 /* the clouds, along the first axis */

typedef struct critic {
    nm_dense_parameters in, out;
} critic;

static nm_tensor *value_of(const critic *c, nm_tape *tape, nm_tensor *x)
{
    nm_tensor *h = nm_tanh(tape, nm_dense(tape, x, c->in.weight, c->in.bias));
    return nm_dense(tape, h, c->out.weight, c->out.bias);
}

/* The lengths of the gradients of f at the points x, [POINTS]. */
static nm_tensor *slopes(const critic *c, nm_tape *tape, nm_tensor *x)
{
    nm_tensor_set_requires_grad(x, true);
    nm_tensor *f = value_of(c, tape, x), *gradient;
    nm_gradients(tape, &f, NULL, 1, &x, 1, NM_CREATE_GRAPH, &gradient);
    nm_tensor *squares = nm_sum(tape, nm_square(tape, gradient), .axes = NM_INTS(1));
    return nm_sqrt(tape, nm_affine(tape, squares, 1, 1e-12)); /* with a slope at 0 too */
}

/* Points of the one cloud, of the other, and on the lines between them. */
static void draw(nm_random *random, float here[][2], float there[][2], float between[][2])
{
    for (int i = 0; i < POINTS; i++) {
        const double part = nm_random_uniform(random);
        for (int k = 0; k < 2; k++) {
            here[i][k] = (float)(0.3 * nm_random_normal(random));
            there[i][k] = (float)(0.3 * nm_random_normal(random) + (k == 0 ? APART : 0));
            between[i][k] = (float)(part * here[i][k] + (1 - part) * there[i][k]);
        }
    }
}

int main(void)
{
    static float here[POINTS][2], there[POINTS][2], between[POINTS][2];
    nm_context *context = nm_open(NULL);
    nm_random random = nm_random_create(1, 0);
    nm_store *store = nm_store_create(context);
    const critic c = {nm_dense_add(store, "in", 2, 32), nm_dense_add(store, "out", 32, 1)};
    nm_optimizer *sgd = nm_optimizer_create(store, &nm_sgd(.rate = 0.02, .momentum = 0.9), NULL, 0);
    nm_tape *tape = nm_tape_create(context);
    const nm_shape shape = NM_SHAPE(POINTS, 2);
    for (int64_t step = 0; step <= 1000 && nm_context_status(context) == NM_OK; step++) {
        draw(&random, here, there, between);
        nm_tape_reset(tape);
        nm_tensor *a = nm_mean(tape, value_of(&c, tape, nm_tape_wrap(tape, NM_F32, shape, here)));
        nm_tensor *b = nm_mean(tape, value_of(&c, tape, nm_tape_wrap(tape, NM_F32, shape, there)));
        nm_tensor *slope = slopes(&c, tape, nm_tape_wrap(tape, NM_F32, shape, between));
        nm_tensor *penalty = nm_mean(tape, nm_square(tape, nm_affine(tape, slope, 1, -1)));
        nm_tensor *distance = nm_tensor_keep(nm_sub(tape, b, a));
        nm_tensor *steepness = nm_tensor_keep(nm_mean(tape, slope));
        nm_tensor *loss = nm_sub(tape, nm_affine(tape, penalty, 10, 0), distance);
        nm_optimizer_minimize(sgd, tape, loss, step);
        if (step % 250 == 0) {
            const double slope_now = nm_tensor_item(steepness); /* the penalty lets it exceed 1 */
            printf("step %4d  slope %.3f  distance %.2f\n", (int)step, slope_now,
                   nm_tensor_item(distance) / slope_now);
        }
    }
    int failed = nm_context_status(context) != NM_OK;
    fputs(nm_context_error(context), stderr);
    nm_tape_destroy(tape);
    nm_optimizer_destroy(sgd);
    nm_store_destroy(store);
    nm_close(context);
    return failed;
}
