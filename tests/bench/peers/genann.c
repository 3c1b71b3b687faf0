/* genann (github.com/codeplea/genann): sigmoid, squares, doubles, one sample after the other; all
 * hidden layers have as many units as the first. */
#include "peer.h"

#include "genann.h"

typedef struct network {
    const peer *p;
    genann *ann;
    double *x, *y;
} network;

static void train(void *state)
{
    network *n = (network *)state;
    for (int i = 0; i < n->p->batch; i++) {
        genann_train(n->ann, n->x + i * n->p->sizes[0], n->y + i * peer_outputs(n->p), PEER_RATE);
    }
}

static void predict(void *state)
{
    network *n = (network *)state;
    for (int i = 0; i < n->p->batch; i++) {
        genann_run(n->ann, n->x + i * n->p->sizes[0]);
    }
}

int main(int argc, char **argv)
{
    peer p = peer_begin(argc, argv);
    const int inputs = p.sizes[0], outputs = peer_outputs(&p);
    network n = {.p = &p, .ann = genann_init(inputs, p.count - 2, p.sizes[1], outputs)};
    n.x = (double *)malloc((size_t)(p.batch * inputs) * sizeof *n.x);
    n.y = (double *)calloc((size_t)(p.batch * outputs), sizeof *n.y);
    for (int i = 0; i < p.batch * inputs; i++) {
        n.x[i] = p.x[i];
    }
    for (int i = 0; i < p.batch; i++) {
        n.y[i * outputs + p.labels[i]] = 1;
    }
    peer_run(&p, train, predict, &n);
    free(n.x);
    free(n.y);
    genann_free(n.ann);
    return 0;
}
