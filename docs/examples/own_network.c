/* A network written in C, a struct of parameters and a forward function, is trained, saved, loaded
 * and run as one from YAML: with checkpoints, samples standardized alike, a table of its layers. */
#include <norma.h>
#include <stdio.h>

typedef struct net {
    nm_dense_parameters fc1, head;
    nm_batch_norm_parameters bn1;
} net;

static nm_tensor *forward(void *self, const nm_pass *pass, nm_tensor *x)
{
    const net *n = self;
    nm_tensor *h = nm_dense(pass->tape, x, n->fc1.weight, n->fc1.bias);
    h = nm_batch_norm_running(pass->tape, h, n->bn1.scale, n->bn1.shift, n->bn1.mean, n->bn1.var,
                              pass->training);
    return nm_dense(pass->tape, nm_relu(pass->tape, h), n->head.weight, n->head.bias);
}

int main(int argc, char **argv)
{
    const char *folder = argc > 1 ? argv[1] : "runs/own";
    static float x[600][2];
    static int32_t inside[600]; /* of a circle; the unit is a thousandth */
    nm_context *context = nm_open(NULL);
    for (int i = 0; i < 600; i++) {
        x[i][0] = (float)(i % 25) * 80 - 960;
        x[i][1] = (float)(i / 25) * 80 - 920;
        inside[i] = x[i][0] * x[i][0] + x[i][1] * x[i][1] < 8e5f;
    }
    nm_data data;
    nm_data_options options = NM_DATA_OPTIONS(.validation.share = 0.2);
    options.train = nm_arrays(.count = 600, .shape = NM_SHAPE(2), .f32 = x[0], .labels = inside);
    nm_data_open(context, &options, &data);

    nm_store *store = nm_store_create(context);
    net n = {nm_dense_add(store, "fc1", 2, 16), nm_dense_add(store, "head", 16, 2),
             nm_batch_norm_add(store, "bn1", 16)};
    nm_network network = {.self = &n, .store = store, .forward = forward};
    nm_model *model = nm_model_wrap(&network, NM_SHAPE(2));
    char *table = nm_model_table(model);
    fputs(table ? table : "", stdout);
    nm_trainer_setup setup = {
        .network = nm_model_network(model),
        .data = &data,
        .loss = nm_cross_entropy_loss(),
        .options = NM_TRAIN_OPTIONS(.epochs = 10, .evaluate_every = 5, .checkpoint_every = 5),
        .folder = folder};
    nm_trainer *trainer = nm_trainer_create(context, &setup);
    nm_trainer_run(trainer, NULL);
    nm_model_load(model, folder); /* the best one, with what is done to samples */
    nm_predictor *predictor = nm_predictor_create(model, NULL);
    float at[2][2] = {{100, 200}, {950, -950}};
    nm_tensor *points = nm_tensor_wrap(context, NM_F32, NM_SHAPE(2, 2), at);
    nm_tensor *y = nm_predictor_run(predictor, points);
    for (int i = 0; y && i < 2; i++) {
        printf("P(inside) = %.2f\n", nm_tensor_get(y, 2 * i + 1));
    }
    const int failed = nm_context_status(context) != NM_OK;
    fputs(nm_context_error(context), stderr);
    nm_tensor_destroy(y);
    nm_tensor_destroy(points);
    nm_predictor_close(predictor);
    nm_trainer_destroy(trainer);
    nm_model_destroy(model);
    nm_free(context, table);
    nm_store_destroy(store);
    nm_data_close(&data);
    nm_close(context);
    return failed;
}
