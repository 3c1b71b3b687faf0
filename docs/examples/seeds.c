/* A regression with error bars: the same network is trained from several seeds, and how far the
 * results lie apart tells what is to be made of them. The samples are noisy, and none lie between
 * 0 and 1.5: there the networks agree less. */
#include <math.h>
#include <norma.h>
#include <stdio.h>
#include <stdlib.h>

#define SAMPLES 120
#define SEEDS 8
#define PLACES 7

static nm_tensor *forward(const nm_dense_parameters layer[3], nm_tape *tape, nm_tensor *x)
{
    for (int i = 0; i < 2; i++) {
        x = nm_tanh(tape, nm_dense(tape, x, layer[i].weight, layer[i].bias));
    }
    return nm_dense(tape, x, layer[2].weight, layer[2].bias);
}

/* Trains a network from this seed, and gives what it makes of `places` in `y`. */
static bool train(uint64_t seed, float x[SAMPLES], float t[SAMPLES], float places[PLACES],
                  float y[PLACES])
{
    nm_context_options options = {.seed = seed}; /* which parameters begin by */
    nm_context *context = nm_open(&options);
    nm_store *store = nm_store_create(context);
    const nm_dense_parameters layer[3] = {nm_dense_add(store, "in", 1, 32),
                                          nm_dense_add(store, "middle", 32, 32),
                                          nm_dense_add(store, "out", 32, 1)};
    nm_optimizer *sgd = nm_optimizer_create(store, &nm_sgd(.rate = 0.03, .momentum = 0.9), NULL, 0);
    nm_tape *tape = nm_tape_create(context);
    for (int64_t step = 0; step < 1000 && nm_context_status(context) == NM_OK; step++) {
        nm_tape_reset(tape);
        nm_tensor *out = forward(layer, tape, nm_tape_wrap(tape, NM_F32, NM_SHAPE(SAMPLES, 1), x));
        nm_tensor *loss = nm_mse(tape, out, nm_tape_wrap(tape, NM_F32, NM_SHAPE(SAMPLES, 1), t));
        nm_optimizer_minimize(sgd, tape, loss, step);
    }
    nm_tape_reset(tape);
    nm_tensor *out = forward(layer, tape, nm_tape_wrap(tape, NM_F32, NM_SHAPE(PLACES, 1), places));
    const bool fine = nm_tensor_get_f32(out, y, PLACES) == NM_OK;
    fputs(nm_context_error(context), stderr);
    nm_tape_destroy(tape);
    nm_optimizer_destroy(sgd);
    nm_store_destroy(store);
    nm_close(context);
    return fine;
}

int main(int argc, char **argv)
{
    const int wanted = argc > 1 ? atoi(argv[1]) : SEEDS, seeds = wanted < SEEDS ? wanted : SEEDS;
    float x[SAMPLES], t[SAMPLES], places[PLACES], y[SEEDS][PLACES];
    nm_random random = nm_random_create(0, 0);
    for (int i = 0; i < SAMPLES; i++) {
        const double u = 4.5 * nm_random_uniform(&random) - 3; /* the gap is cut out of -3 to 3 */
        x[i] = (float)(u > 0 ? u + 1.5 : u);
        t[i] = (float)(sin(2.0 * x[i]) + 0.1 * nm_random_normal(&random));
    }
    for (int i = 0; i < PLACES; i++) {
        places[i] = -2.25f + 0.75f * (float)i;
    }
    for (int seed = 0; seed < seeds; seed++) {
        if (!train((uint64_t)seed + 1, x, t, places, y[seed])) {
            return 1;
        }
    }
    for (int i = 0; i < PLACES; i++) {
        double mean = 0, squares = 0;
        for (int seed = 0; seed < seeds; seed++) {
            mean += (double)y[seed][i] / seeds;
        }
        for (int seed = 0; seed < seeds; seed++) {
            squares += (y[seed][i] - mean) * (y[seed][i] - mean);
        }
        printf("y(%5.2f) = %6.3f +- %.3f\n", places[i], mean, sqrt(squares / (seeds - 1)));
    }
    return 0;
}
