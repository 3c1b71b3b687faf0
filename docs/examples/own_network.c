/* A network written in C, a struct of parameters and a forward function, is trained, saved, loaded
 * and run as one from YAML: with checkpoints, samples standardized alike, a table of its layers. */
#include <norma.h>
#include <stdio.h>

typedef struct net {
    nm_tensor *w1, *scale, *shift, *mean, *var, *w2, *b2;
} net;

static net make_net(nm_store *s)
{
    return (net){
        .w1 = nm_parameter(s, "fc1.weight", NM_WEIGHT, NM_SHAPE(16, 2)),
        .scale = nm_parameter(s, "bn1.scale", NM_NORM_SCALE, NM_SHAPE(16)),
        .shift = nm_parameter(s, "bn1.shift", NM_NORM_SHIFT, NM_SHAPE(16)),
        .mean = nm_parameter(s, "bn1.running_mean", NM_STATISTIC, NM_SHAPE(16)),
        .var = nm_parameter(s, "bn1.running_var", NM_VARIANCE, NM_SHAPE(16)),
        .w2 = nm_parameter(s, "fc2.weight", NM_WEIGHT, NM_SHAPE(2, 16)),
        .b2 = nm_parameter(s, "fc2.bias", NM_BIAS, NM_SHAPE(2)),
    };
}

static nm_tensor *forward(void *self, const nm_pass *pass, nm_tensor *x)
{
    const net *n = self;
    nm_tensor *h = nm_dense(pass->tape, x, n->w1, NULL);
    h = nm_batch_norm_running(pass->tape, h, n->scale, n->shift, n->mean, n->var, pass->training);
    return nm_dense(pass->tape, nm_relu(pass->tape, h), n->w2, n->b2);
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
    net n = make_net(store);
    nm_network network = {.self = &n, .store = store, .forward = forward};
    nm_model *model = nm_model_wrap(&network, NM_SHAPE(2));
    char *table = nm_model_table(model);
    fputs(table ? table : "", stdout);
    nm_trainer_setup setup = {.network = nm_model_network(model),
                              .data = &data,
                              .loss = nm_cross_entropy_loss(),
                              .options = NM_TRAIN_OPTIONS(.epochs = 30),
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
