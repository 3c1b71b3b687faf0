/* What the programs here have in common: each trains a perceptron with relu, or its nearest, by
 * plain SGD with its own library, or predicts with it, and prints the best and the mean time of a
 * step.
 *
 *     PROGRAM train|predict SIZES BATCH SECONDS THREADS     784-256-128-10: units of each layer
 *     PROGRAM start SIZES BATCH 0 THREADS                   two steps, a thousand predictions
 *
 * SIZES may be FILE=784-10, for a program that reads networks: inputs and outputs of the one in
 * FILE.
 */
#ifndef NM_TESTS_BENCH_PEERS_PEER_H
#define NM_TESTS_BENCH_PEERS_PEER_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PEER_RATE 0.01
#define PEER_LAYERS 8

typedef struct peer {
    const char *what;
    const char *file;              /* NULL: a perceptron of these sizes */
    int sizes[PEER_LAYERS], count; /* of layers, the input's too */
    int batch, threads;
    double seconds;
    float *x; /* [batch, sizes[0]], nearly normal */
    int *labels;
} peer;

static inline double peer_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec * 1e-3;
}

static inline int peer_outputs(const peer *p)
{
    return p->sizes[p->count - 1];
}

/* Ends the program where the arguments are not as said above. */
static inline peer peer_begin(int argc, char **argv)
{
    peer p = {.what = argc > 1 ? argv[1] : ""};
    if (argc != 6) {
        fprintf(stderr, "usage: %s train|predict|start SIZES BATCH SECONDS THREADS\n", argv[0]);
        exit(2);
    }
    char *sizes = strchr(argv[2], '=');
    p.file = sizes ? argv[2] : NULL;
    if (sizes) {
        *sizes = '\0';
    }
    for (char *at = sizes ? sizes + 1 : argv[2]; *at && p.count < PEER_LAYERS; at += *at == '-') {
        p.sizes[p.count++] = (int)strtol(at, &at, 10);
    }
    p.batch = atoi(argv[3]);
    p.seconds = atof(argv[4]);
    p.threads = atoi(argv[5]);
    p.x = (float *)malloc((size_t)p.batch * (size_t)p.sizes[0] * sizeof *p.x);
    p.labels = (int *)malloc((size_t)p.batch * sizeof *p.labels);
    unsigned state = 1;
    for (int i = 0; i < p.batch * p.sizes[0]; i++) {
        float sum = 0;
        for (int k = 0; k < 4; k++) {
            state = state * 1664525u + 1013904223u;
            sum += (float)(state >> 8) / (float)(1 << 24) - 0.5f;
        }
        p.x[i] = 1.732f * sum;
    }
    for (int i = 0; i < p.batch; i++) {
        p.labels[i] = i % peer_outputs(&p);
    }
    return p;
}

/* Steps for so many seconds; prints the best mean time of as many as take 5 ms, and that of all. */
static inline void peer_measure(const peer *p, void (*step)(void *), void *state)
{
    for (int i = 0; i < 4; i++) {
        step(state); /* makes what is made once, and what is kept of steps */
    }
    const double start = peer_now();
    double best = 1e30, end = start + 1e6 * p->seconds;
    long each = 1, count = 0;
    do {
        const double begin = peer_now();
        for (long i = 0; i < each; i++) {
            step(state);
        }
        const double taken = peer_now() - begin;
        best = taken / (double)each < best ? taken / (double)each : best;
        count += each;
        each = taken < 2500 ? 2 * each : each;
    } while (peer_now() < end);
    printf("{\"us\": %.4f, \"mean\": %.4f}\n", best, (peer_now() - start) / (double)count);
}

/* What was asked for, by the library's steps. */
static inline int peer_run(const peer *p, void (*train)(void *), void (*predict)(void *),
                           void *state)
{
    if (strcmp(p->what, "start") == 0) {
        for (int i = 0; i < 2; i++) {
            train(state);
        }
        for (int i = 0; i < 1000; i++) {
            predict(state);
        }
    } else {
        peer_measure(p, strncmp(p->what, "train", 5) == 0 ? train : predict, state);
    }
    free(p->x);
    free(p->labels);
    return 0;
}

#endif
