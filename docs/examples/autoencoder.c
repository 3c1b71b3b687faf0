/* An autoencoder: eight numbers go through a neck of two and come back. The samples lie on a curved
 * surface, which a neck of two is just wide enough for; a plane fits it far worse. */
#include <math.h>
#include <norma.h>
#include <stdio.h>

#define SAMPLES 256
#define WIDTH 8

typedef struct autoencoder {
    nm_dense_parameters in, neck, out, end;
} autoencoder;

static nm_tensor *encode(const autoencoder *a, nm_tape *tape, nm_tensor *x)
{
    nm_tensor *h = nm_tanh(tape, nm_dense(tape, x, a->in.weight, a->in.bias));
    return nm_dense(tape, h, a->neck.weight, a->neck.bias);
}

static nm_tensor *decode(const autoencoder *a, nm_tape *tape, nm_tensor *code)
{
    nm_tensor *h = nm_tanh(tape, nm_dense(tape, code, a->out.weight, a->out.bias));
    return nm_dense(tape, h, a->end.weight, a->end.bias);
}

/* Waves in two directions of a square, each of eight places on it. Returns their variance. */
static double make_samples(nm_random *random, float x[SAMPLES][WIDTH])
{
    double squares = 0;
    for (int i = 0; i < SAMPLES; i++) {
        const double u = 2 * nm_random_uniform(random) - 1, v = 2 * nm_random_uniform(random) - 1;
        for (int k = 0; k < WIDTH; k++) {
            x[i][k] = (float)sin(2 * u * cos(k) + 2 * v * sin(k));
            squares += x[i][k] * x[i][k];
        }
    }
    return squares / (SAMPLES * WIDTH); /* the mean is 0 */
}

int main(void)
{
    static float samples[SAMPLES][WIDTH];
    nm_context *context = nm_open(NULL);
    nm_random random = nm_random_create(1, 0);
    const double variance = make_samples(&random, samples);
    nm_store *store = nm_store_create(context);
    const autoencoder a = {nm_dense_add(store, "in", WIDTH, 32), nm_dense_add(store, "neck", 32, 2),
                           nm_dense_add(store, "out", 2, 32),
                           nm_dense_add(store, "end", 32, WIDTH)};
    nm_optimizer *sgd = nm_optimizer_create(store, &nm_sgd(.rate = 0.1, .momentum = 0.9), NULL, 0);
    nm_tape *tape = nm_tape_create(context);
    for (int64_t step = 0; step <= 2000 && nm_context_status(context) == NM_OK; step++) {
        nm_tape_reset(tape);
        nm_tensor *x = nm_tape_wrap(tape, NM_F32, NM_SHAPE(SAMPLES, WIDTH), samples);
        nm_tensor *loss = nm_mse(tape, decode(&a, tape, encode(&a, tape, x)), x);
        nm_optimizer_minimize(sgd, tape, loss, step);
        if (step % 500 == 0) {
            printf("step %4d  unexplained %.2f %%\n", (int)step,
                   100 * nm_tensor_item(loss) / variance);
        }
    }
    nm_tape_reset(tape);
    nm_tape_set_recording(tape, false); /* only to look */
    nm_tensor *code = encode(&a, tape, nm_tape_wrap(tape, NM_F32, NM_SHAPE(1, WIDTH), samples));
    if (code) {
        printf("the first sample as two numbers: %.3f %.3f\n", nm_tensor_get(code, 0),
               nm_tensor_get(code, 1));
    }
    int failed = nm_context_status(context) != NM_OK;
    fputs(nm_context_error(context), stderr);
    nm_tape_destroy(tape);
    nm_optimizer_destroy(sgd);
    nm_store_destroy(store);
    nm_close(context);
    return failed;
}
