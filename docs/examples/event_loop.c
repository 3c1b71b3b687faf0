/* A network inside an event loop. Readings of a sensor arrive on a descriptor; each is answered by
 * one bounded step: predict the reading from those before it, raise an alarm where it is far off,
 * else learn. A step costs the same every time, and after the first ones asks for no memory, so it
 * may stand in a callback that must come back in time. */
#include <math.h>
#include <norma.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define WINDOW 8
#define READINGS 4000 /* of which the one at 3500 is wrong */

typedef struct detector {
    nm_optimizer *sgd;
    nm_tape *tape;
    nm_dense_parameters in, out;
    float window[WINDOW]; /* the last readings, or what they should have been */
    double usual, most;   /* error, a running mean; multiply-adds of the longest step */
    int64_t count;        /* readings so far */
} detector;

/* The callback. Returns whether the reading is unusual. */
static bool on_reading(detector *d, float reading)
{
    nm_tape_reset(d->tape);
    nm_tensor *x = nm_tape_wrap(d->tape, NM_F32, NM_SHAPE(1, WINDOW), d->window);
    nm_tensor *h = nm_tanh(d->tape, nm_dense(d->tape, x, d->in.weight, d->in.bias));
    nm_tensor *y = nm_tensor_keep(nm_dense(d->tape, h, d->out.weight, d->out.bias));
    nm_tensor *loss = nm_mse(d->tape, y, nm_full(d->tape, NM_F32, NM_SHAPE(1, 1), reading));
    const double error = sqrt(nm_tensor_item(loss));
    const bool unusual = d->count > READINGS / 2 && error > 10 * d->usual;
    if (!unusual) {
        nm_optimizer_minimize(d->sgd, d->tape, loss, d->count);
        d->usual += (error - d->usual) / 100;
    }
    d->count++;
    d->most = fmax(d->most, (double)nm_tape_cost_so_far(d->tape).multiply_adds);
    memmove(d->window, d->window + 1, sizeof d->window - sizeof *d->window);
    d->window[WINDOW - 1] = unusual ? (float)nm_tensor_item(y) : reading;
    return unusual;
}

int main(void)
{
    static detector d;
    int ends[2];
    int failed = pipe(ends); /* which holds all readings; a sensor sends them by and by */
    for (int i = 0; i < READINGS && !failed; i++) {
        const float reading = (float)(sin(0.1 * i) + 0.3 * sin(0.37 * i)) + (i == 3500 ? 2 : 0);
        failed = write(ends[1], &reading, sizeof reading) != sizeof reading;
    }
    nm_context *context = nm_open(NULL);
    nm_store *store = nm_store_create(context);
    d.in = nm_dense_add(store, "in", WINDOW, 16);
    d.out = nm_dense_add(store, "out", 16, 1);
    d.sgd = nm_optimizer_create(store, &nm_sgd(.rate = 0.02), NULL, 0);
    d.tape = nm_tape_create(context);
    struct pollfd wait = {.fd = ends[0], .events = POLLIN, .revents = 0};
    float reading = 0;
    while (nm_context_status(context) == NM_OK && poll(&wait, 1, 0) > 0 && /* until all is quiet */
           read(ends[0], &reading, sizeof reading) == sizeof reading) {
        if (on_reading(&d, reading)) {
            printf("reading %d is unusual: %.2f\n", (int)d.count - 1, reading);
        }
    }
    printf("%d readings, at most %.0f multiply-adds for one\n", (int)d.count, d.most);
    failed = failed || nm_context_status(context) != NM_OK;
    fputs(nm_context_error(context), stderr);
    close(ends[0]);
    close(ends[1]);
    nm_tape_destroy(d.tape);
    nm_optimizer_destroy(d.sgd);
    nm_store_destroy(store);
    nm_close(context);
    return failed;
}
