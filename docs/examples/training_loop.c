/* A training loop written by hand, with mini-batches of a data set and a network with batch norm.
 * The data are two spirals; nothing is read from files. */
#include <norma.h>
#include <stdio.h>

#define HIDDEN 32

typedef struct network {
    nm_store *store;
    nm_dense_parameters fc1, fc2, head;
    nm_batch_norm_parameters bn1;
} network;

static network make_network(nm_context *context)
{
    network n = {.store = nm_store_create(context)};
    n.fc1 = nm_dense_add(n.store, "fc1", 2, HIDDEN);
    n.bn1 = nm_batch_norm_add(n.store, "bn1", HIDDEN);
    n.fc2 = nm_dense_add(n.store, "fc2", HIDDEN, HIDDEN);
    n.head = nm_dense_add(n.store, "head", HIDDEN, 2);
    return n;
}

static nm_tensor *forward(network *n, nm_tape *tape, nm_tensor *x, bool training)
{
    nm_tensor *h = nm_dense(tape, x, n->fc1.weight, n->fc1.bias);
    h = nm_batch_norm_running(tape, h, n->bn1.scale, n->bn1.shift, n->bn1.mean, n->bn1.var,
                              training);
    h = nm_relu(tape, nm_dense(tape, nm_relu(tape, h), n->fc2.weight, n->fc2.bias));
    return nm_dense(tape, h, n->head.weight, n->head.bias);
}

/* The mean loss of an epoch; `step` counts updates. */
static double train(network *n, nm_tape *tape, nm_loader *loader, nm_optimizer *sgd, int64_t *step)
{
    double total = 0, samples = 0;
    nm_batch batch;
    while (nm_loader_next(loader, &batch) == NM_OK && batch.count) {
        nm_tape_reset(tape);
        nm_tensor *y = forward(n, tape, nm_batch_samples(tape, &batch), true);
        nm_tensor *loss = nm_cross_entropy(tape, y, nm_batch_targets(tape, &batch));
        nm_optimizer_minimize(sgd, tape, loss, (*step)++);
        total += nm_tensor_item(loss) * (double)batch.count;
        samples += (double)batch.count;
    }
    return total / samples;
}

int main(void)
{
    nm_context *context = nm_open(NULL);
    nm_data_options options =
        NM_DATA_OPTIONS(.train = nm_spirals(.points = 2000), .loader.batch = 50);
    nm_data data;
    nm_data_open(context, &options, &data);
    network n = make_network(context);
    nm_optimizer *sgd =
        nm_optimizer_create(n.store, &nm_sgd(.rate = 0.03, .momentum = 0.9), NULL, 0);
    nm_loader *loader = nm_loader_create(context, &data.train, &data.loader, true, 1);
    nm_tape *tape = nm_tape_create(context);
    int64_t step = 0;
    for (int epoch = 1; epoch <= 20 && nm_context_status(context) == NM_OK; epoch++) {
        nm_loader_begin(loader, epoch, 0);
        const double loss = train(&n, tape, loader, sgd, &step);
        if (epoch % 5 == 0) {
            printf("epoch %2d  loss %.4f\n", epoch, loss);
        }
    }
    int failed = nm_context_status(context) != NM_OK;
    fputs(nm_context_error(context), stderr);
    nm_tape_destroy(tape);
    nm_loader_destroy(loader);
    nm_optimizer_destroy(sgd);
    nm_store_destroy(n.store);
    nm_data_close(&data);
    nm_close(context);
    return failed;
}
