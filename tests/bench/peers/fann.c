/* FANN (Debian: libfann-dev): relu's nearest, a sigmoid by steps, which is its fastest; squares,
 * one sample after the other. */
#include "peer.h"

#include <fann.h>

typedef struct network {
    const peer *p;
    struct fann *ann;
    float *y;
} network;

static void train(void *state)
{
    network *n = (network *)state;
    for (int i = 0; i < n->p->batch; i++) {
        fann_train(n->ann, n->p->x + i * n->p->sizes[0], n->y + i * peer_outputs(n->p));
    }
}

static void predict(void *state)
{
    network *n = (network *)state;
    for (int i = 0; i < n->p->batch; i++) {
        fann_run(n->ann, n->p->x + i * n->p->sizes[0]);
    }
}

int main(int argc, char **argv)
{
    peer p = peer_begin(argc, argv);
    unsigned sizes[PEER_LAYERS];
    for (int i = 0; i < p.count; i++) {
        sizes[i] = (unsigned)p.sizes[i];
    }
    const int outputs = peer_outputs(&p);
    network n = {.p = &p, .ann = fann_create_standard_array((unsigned)p.count, sizes)};
    fann_set_activation_function_hidden(n.ann, FANN_SIGMOID_STEPWISE);
    fann_set_activation_function_output(n.ann, FANN_SIGMOID_STEPWISE);
    fann_set_learning_rate(n.ann, (float)PEER_RATE);
    n.y = (float *)calloc((size_t)(p.batch * outputs), sizeof *n.y);
    for (int i = 0; i < p.batch; i++) {
        n.y[i * outputs + p.labels[i]] = 1;
    }
    peer_run(&p, train, predict, &n);
    free(n.y);
    fann_destroy(n.ann);
    return 0;
}
