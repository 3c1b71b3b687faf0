/* One trained network serves four threads: its parameters are there once, and each thread has a
 * context of its own with a predictor that reads them. Their answers are those of one, to the bit.
 *     norma train iris.yaml && threads runs/iris new.npy */
#include <norma.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define THREADS 4

typedef struct server {
    pthread_t thread;
    const nm_predictor *network; /* shared */
    const char *samples;         /* the file of a request */
    const void *expected;        /* and the answer */
    long requests, answers, different;
} server;

static void *serve(void *arg)
{
    server *s = arg;
    nm_context *context = nm_open(NULL); /* this thread's: its errors, its memory */
    nm_predictor *predictor = nm_predictor_share(context, s->network);
    nm_tensor *x = nm_npy_read(context, s->samples), *y;
    while (s->answers < s->requests && (y = nm_predictor_run(predictor, x))) {
        s->different += memcmp(nm_tensor_data(y), s->expected, nm_tensor_bytes(y)) != 0;
        s->answers++;
        nm_tensor_destroy(y);
    }
    fputs(nm_context_error(context), stderr);
    nm_tensor_destroy(x);
    nm_predictor_close(predictor);
    nm_close(context);
    return NULL;
}

/* Whether all threads answer all requests, with the bits that are expected. */
static bool serve_all(server one)
{
    server servers[THREADS] = {one, one, one, one};
    long answers = 0, different = 0;
    struct timespec begin, end;
    int started = 0;
    timespec_get(&begin, TIME_UTC);
    while (started < THREADS &&
           !pthread_create(&servers[started].thread, NULL, serve, &servers[started])) {
        started++;
    }
    for (server *s = servers; s < servers + started; s++) {
        pthread_join(s->thread, NULL);
        answers += s->answers;
        different += s->different;
    }
    timespec_get(&end, TIME_UTC);
    const long us = (end.tv_sec - begin.tv_sec) * 1000000 + (end.tv_nsec - begin.tv_nsec) / 1000;
    printf("%d threads: %ld answers, %ld of them different; %ld a second\n", started, answers,
           different, answers * 1000000 / (us + 1));
    return answers == THREADS * one.requests && !different;
}

int main(int argc, char **argv)
{
    const char *path = argc > 1 ? argv[1] : "runs/iris", *samples = argc > 2 ? argv[2] : "new.npy";
    nm_context *context = nm_open(NULL);
    nm_context_set_threads(context, 1); /* as each of them has */
    nm_predictor *network = nm_predictor_open(context, path);
    nm_tensor *x = nm_npy_read(context, samples), *y = nm_predictor_run(network, x);
    const long requests = argc > 3 ? atol(argv[3]) : 1000; /* to each thread */
    const bool fine =
        y && serve_all((server){0, network, samples, nm_tensor_data(y), requests, 0, 0});
    fputs(nm_context_error(context), stderr);
    nm_tensor_destroy(y);
    nm_tensor_destroy(x);
    nm_predictor_close(network);
    nm_close(context);
    return !fine;
}
