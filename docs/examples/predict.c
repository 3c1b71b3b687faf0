/* A network from a YAML file, trained here if it was not before, and used for prediction.
 *
 *     predict [NETWORK.yaml] */
#include <norma.h>
#include <stdio.h>

static nm_status train(const nm_config *config, const char *folder)
{
    nm_trainer_setup setup = nm_config_setup(config);
    setup.folder = folder;
    nm_trainer *trainer = nm_trainer_create(config->context, &setup);
    nm_train_result result;
    nm_status status = trainer ? nm_trainer_run(trainer, &result) : NM_ERROR_INPUT;
    if (status == NM_OK) {
        printf("trained: test accuracy %.1f %%\n", 100 * result.test_accuracy);
    }
    nm_trainer_destroy(trainer);
    return status;
}

int main(int argc, char **argv)
{
    const char *file = argc > 1 ? argv[1] : "models/zoo/spirals.yaml";
    const char *folder = argc > 2 ? argv[2] : "runs/predict";
    char weights[512];
    snprintf(weights, sizeof weights, "%s/best.safetensors", folder);

    nm_context *context = nm_open(NULL);
    nm_config config = {0};
    nm_config_open(context, file, NULL, 0, NM_NEED_DATA | NM_NEED_LOSS | NM_NEED_TRAIN, &config);
    FILE *there = fopen(weights, "rb");
    if (there) {
        fclose(there);
    } else if (nm_context_status(context) == NM_OK) {
        train(&config, folder);
    }
    if (nm_context_status(context) == NM_OK) {
        nm_model_load(config.model, weights);
    }

    nm_tape *tape = nm_tape_create(context);
    const float points[3][2] = {{0.5f, 0}, {-0.5f, 0}, {0, 0.7f}};
    for (int i = 0; i < 3 && nm_context_status(context) == NM_OK; i++) {
        nm_tape_reset(tape);
        nm_tensor *x = nm_tape_tensor(tape, NM_F32, NM_SHAPE(1, 2));
        nm_tensor_set(x, 0, points[i][0]);
        nm_tensor_set(x, 1, points[i][1]);
        nm_tensor *p = nm_softmax(tape, nm_model_predict(config.model, tape, x));
        if (p) {
            printf("(%4.1f, %4.1f): class %d\n", points[i][0], points[i][1],
                   nm_tensor_get(p, 1) > nm_tensor_get(p, 0));
        }
    }
    int failed = nm_context_status(context) != NM_OK;
    fputs(nm_context_error(context), stderr);
    nm_tape_destroy(tape);
    nm_config_close(&config);
    nm_close(context);
    return failed;
}
