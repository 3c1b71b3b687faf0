/* Batch norm and weight norm by hand, and evaluation. The first layer's weights are g v / |v|; the
 * second layer's outputs are normalized, in training with the statistics of the batch, by which the
 * running ones move, in evaluation with those, so that a single sample works too. */
#include <norma.h>
#include <stdio.h>

#define POINTS 256
#define HIDDEN 32

typedef struct network {
    nm_weight_norm_parameters fc1;
    nm_dense_parameters fc2, head;
    nm_batch_norm_parameters bn2;
} network;

static nm_tensor *forward(const network *n, nm_tape *tape, nm_tensor *x, bool training)
{
    nm_tensor *w1 = nm_weight_norm(tape, n->fc1.v, n->fc1.g, .axis = 0);
    nm_tensor *h = nm_relu(tape, nm_dense(tape, x, w1, n->fc1.bias));
    h = nm_dense(tape, h, n->fc2.weight, n->fc2.bias);
    h = nm_batch_norm_running(tape, h, n->bn2.scale, n->bn2.shift, n->bn2.mean, n->bn2.var,
                              training);
    return nm_dense(tape, nm_relu(tape, h), n->head.weight, n->head.bias);
}

/* Points of a square; its rings of even number are one class, the others the other. */
static void draw(nm_random *random, float x[POINTS][2], int32_t ring[POINTS])
{
    for (int i = 0; i < POINTS; i++) {
        x[i][0] = (float)(2 * nm_random_uniform(random) - 1);
        x[i][1] = (float)(2 * nm_random_uniform(random) - 1);
        ring[i] = (int32_t)(2 * (x[i][0] * x[i][0] + x[i][1] * x[i][1])) % 2;
    }
}

int main(void)
{
    static float x[POINTS][2];
    static int32_t ring[POINTS];
    nm_context *context = nm_open(NULL);
    nm_random random = nm_random_create(1, 0);
    nm_store *store = nm_store_create(context);
    network n;
    n.fc1 = nm_weight_norm_add(store, "fc1", 2, HIDDEN);
    n.fc2 = nm_dense_add(store, "fc2", HIDDEN, HIDDEN);
    n.bn2 = nm_batch_norm_add(store, "bn2", HIDDEN);
    n.head = nm_dense_add(store, "head", HIDDEN, 2);
    nm_optimizer *sgd = nm_optimizer_create(store, &nm_sgd(.rate = 0.03, .momentum = 0.9), NULL, 0);
    nm_tape *tape = nm_tape_create(context);
    for (int64_t step = 0; step < 1000 && nm_context_status(context) == NM_OK; step++) {
        const bool training = step % 200 != 199; /* else evaluation, of points not seen before */
        draw(&random, x, ring);
        nm_tape_reset(tape);
        nm_tape_set_recording(tape, training);
        nm_tensor *labels = nm_tape_wrap(tape, NM_I32, NM_SHAPE(POINTS), ring);
        nm_tensor *samples = nm_tape_wrap(tape, NM_F32, NM_SHAPE(POINTS, 2), x);
        nm_tensor *y = forward(&n, tape, samples, training);
        if (training) {
            nm_optimizer_minimize(sgd, tape, nm_cross_entropy(tape, y, labels), step);
        } else {
            printf("step %3d  accuracy %.3f\n", (int)step + 1, nm_accuracy(y, labels));
        }
    }
    nm_tape_reset(tape);
    nm_tensor *centre = nm_full(tape, NM_F32, NM_SHAPE(1, 2), 0); /* a batch of one */
    nm_tensor *classes = nm_softmax(tape, forward(&n, tape, centre, false));
    int failed = nm_context_status(context) != NM_OK;
    if (!failed) {
        printf("P(ring 0 at the centre) = %.3f\n", nm_tensor_get(classes, 0));
    }
    fputs(nm_context_error(context), stderr);
    nm_tape_destroy(tape);
    nm_optimizer_destroy(sgd);
    nm_store_destroy(store);
    nm_close(context);
    return failed;
}
