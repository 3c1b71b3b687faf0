/* Online learning: a network predicts each sample of a stream and then learns from it, one at a
 * time, while what is to be learned drifts. After the first steps it asks for no memory, which the
 * allocator that the context is given counts. */
#include <math.h>
#include <norma.h>
#include <stdio.h>
#include <stdlib.h>

static void *count_requests(void *user, void *memory, size_t size)
{
    *(long *)user += size != 0;
    if (!size) {
        free(memory);
        return NULL;
    }
    return realloc(memory, size);
}

/* The stream: two numbers, and what belongs to them at this time. */
static double next_sample(nm_random *random, int64_t time, float x[2])
{
    x[0] = (float)(2 * nm_random_uniform(random) - 1);
    x[1] = (float)(2 * nm_random_uniform(random) - 1);
    return sin(3.0 * x[0]) + x[1] * cos(1e-4 * (double)time);
}

int main(void)
{
    long requests = 0, before = 0;
    nm_context_options options = {.allocator = {count_requests, &requests}};
    nm_context *context = nm_open(&options);
    nm_random random = nm_random_create(1, 0);
    nm_store *store = nm_store_create(context);
    nm_dense_parameters in = nm_dense_add(store, "in", 2, 32);
    nm_dense_parameters out = nm_dense_add(store, "out", 32, 1);
    nm_optimizer *sgd = nm_optimizer_create(store, &nm_sgd(.rate = 0.02), NULL, 0);
    nm_tape *tape = nm_tape_create(context);
    double error = 0;
    for (int64_t time = 0; time < 40000 && nm_context_status(context) == NM_OK; time++) {
        float x[2];
        const double target = next_sample(&random, time, x);
        nm_tape_reset(tape);
        nm_tensor *h =
            nm_dense(tape, nm_tape_wrap(tape, NM_F32, NM_SHAPE(1, 2), x), in.weight, in.bias);
        nm_tensor *y = nm_dense(tape, nm_tanh(tape, h), out.weight, out.bias);
        nm_tensor *loss = nm_mse(tape, y, nm_full(tape, NM_F32, NM_SHAPE(1, 1), target));
        error += nm_tensor_item(loss); /* of the prediction, before this sample was learned */
        nm_optimizer_minimize(sgd, tape, loss, time);
        if (time % 10000 == 9999) {
            printf("after %lld samples: mean error %.4f, %ld requests for memory\n",
                   (long long)time + 1, sqrt(error / 10000), requests - before);
            error = 0;
            before = requests;
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
