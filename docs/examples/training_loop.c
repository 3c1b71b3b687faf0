/* A training loop written by hand, with batch norm and its running statistics. The data are two
 * spirals; nothing is read from files. */
#include <norma.h>
#include <stdio.h>

#define HIDDEN 32

typedef struct network {
    nm_store *store;
    nm_tensor *w1, *scale, *shift, *mean, *variance, *w2, *b2;
} network;

static network make_network(nm_context *context)
{
    network n = {.store = nm_store_create(context)};
    n.w1 = nm_parameter(n.store, "fc1.weight", NM_WEIGHT, NM_SHAPE(HIDDEN, 2));
    n.scale = nm_parameter(n.store, "bn1.weight", NM_NORM_SCALE, NM_SHAPE(HIDDEN));
    n.shift = nm_parameter(n.store, "bn1.bias", NM_NORM_SHIFT, NM_SHAPE(HIDDEN));
    n.mean = nm_parameter(n.store, "bn1.running_mean", NM_STATISTIC, NM_SHAPE(HIDDEN));
    n.variance = nm_parameter(n.store, "bn1.running_var", NM_VARIANCE, NM_SHAPE(HIDDEN));
    n.w2 = nm_parameter(n.store, "fc2.weight", NM_WEIGHT, NM_SHAPE(2, HIDDEN));
    n.b2 = nm_parameter(n.store, "fc2.bias", NM_BIAS, NM_SHAPE(2));
    return n;
}

static nm_tensor *forward(network *n, nm_tape *tape, nm_tensor *x, bool training)
{
    nm_tensor *h = nm_dense(tape, x, n->w1, NULL);
    h = nm_batch_norm_running(tape, h, n->scale, n->shift, n->mean, n->variance, training);
    return nm_dense(tape, nm_relu(tape, h), n->w2, n->b2);
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
        nm_optimizer_create(n.store, &nm_sgd(.rate = 0.1, .momentum = 0.9), NULL, 0);
    nm_loader *loader = nm_loader_create(context, &data.train, &data.loader, true, 1);
    nm_tape *tape = nm_tape_create(context);
    int64_t step = 0;
    for (int64_t epoch = 0; epoch < 20 && nm_context_status(context) == NM_OK; epoch++) {
        double total = 0;
        nm_batch batch = {.count = 1};
        nm_loader_begin(loader, epoch, 0);
        while (nm_loader_next(loader, &batch) == NM_OK && batch.count) {
            nm_tape_reset(tape);
            nm_tensor *y = forward(&n, tape, nm_batch_samples(tape, &batch), true);
            nm_tensor *loss = nm_cross_entropy(tape, y, nm_batch_targets(tape, &batch));
            if (nm_backward(tape, loss, 0) != NM_OK) {
                break;
            }
            nm_optimizer_step(sgd, step++, 1, 1);
            nm_store_clear_grads(n.store);
            total += nm_tensor_item(loss) * (double)batch.count;
        }
        if (epoch % 5 == 4) {
            printf("epoch %2d  loss %.4f\n", (int)epoch + 1, total / (double)data.train.count);
        }
    }

    nm_tape_reset(tape);
    nm_tape_set_recording(tape, false);
    nm_tensor *point = nm_full(tape, NM_F32, NM_SHAPE(1, 2), 0.25);
    nm_tensor *classes = nm_softmax(tape, forward(&n, tape, point, false)); /* a batch of one */
    if (classes) {
        printf("P(class 0 at (0.25, 0.25)) = %.3f\n", nm_tensor_get(classes, 0));
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
