/* KANN (github.com/attractivechaos/kann): softmax and cross entropy, SGD by hand; its own threads
 * share a batch. */
#include "peer.h"

#include "kann.h"

typedef struct network {
    const peer *p;
    kann_t *ann, *one; /* for training, and for a batch of one */
    float *x, *y, *rows[2];
    int size;
} network;

static void train(void *state)
{
    network *n = (network *)state;
    kann_cost(n->ann, 0, 1);
    for (int i = 0; i < n->size; i++) {
        n->ann->x[i] -= (float)PEER_RATE * n->ann->g[i];
    }
}

static void predict(void *state)
{
    network *n = (network *)state;
    if (n->p->batch == 1) {
        kann_apply1(n->ann, n->x);
    } else {
        kann_eval_out(n->ann);
    }
}

int main(int argc, char **argv)
{
    peer p = peer_begin(argc, argv);
    kad_node_t *t = kann_layer_input(p.sizes[0]);
    for (int i = 1; i + 1 < p.count; i++) {
        t = kad_relu(kann_layer_dense(t, p.sizes[i]));
    }
    const int outputs = peer_outputs(&p);
    network n = {.p = &p, .ann = kann_new(kann_layer_cost(t, outputs, KANN_C_CEM), 0), .x = p.x};
    n.y = (float *)calloc((size_t)p.batch * (size_t)outputs, sizeof *n.y);
    for (int i = 0; i < p.batch; i++) {
        n.y[i * outputs + p.labels[i]] = 1;
    }
    if (p.threads > 1 && p.batch > 1) {
        kann_mt(n.ann, p.threads, p.batch);
    }
    kann_set_batch_size(n.ann, p.batch);
    kann_feed_bind(n.ann, KANN_F_IN, 0, &n.x);
    kann_feed_bind(n.ann, KANN_F_TRUTH, 0, &n.y);
    kann_switch(n.ann, strcmp(p.what, "predict") != 0);
    n.size = kann_size_var(n.ann);
    peer_run(&p, train, predict, &n);
    free(n.y);
    kann_delete(n.ann);
    return 0;
}
