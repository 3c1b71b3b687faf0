/* Logistic regression on a table: what the rows of a CSV file with two classes are told apart by.
 * The columns are found and standardized by the library, a quarter of the rows is held out, and the
 * weights say how much each column speaks for the second class, per deviation.
 *
 *     logistic_regression parts.csv */
#include <norma.h>
#include <stdio.h>

static nm_tensor *forward(void *self, const nm_pass *pass, nm_tensor *x)
{
    const nm_dense_parameters *p = self;
    return nm_dense(pass->tape, x, p->weight, p->bias);
}

/* Trains the model; `result` says how good it is on the rows held out. */
static nm_status train(nm_context *context, const nm_data *data, const nm_network *network,
                       nm_train_result *result)
{
    nm_trainer_setup setup = {.network = network,
                              .data = data,
                              .loss = nm_cross_entropy_loss(),
                              .options = NM_TRAIN_OPTIONS(.seed = 1)};
    nm_trainer *trainer = nm_trainer_create(context, &setup);
    nm_status status = nm_trainer_run(trainer, result);
    nm_trainer_destroy(trainer);
    return status;
}

static void print_weights(const nm_schema *schema, nm_tensor *weight)
{
    const int64_t width = nm_schema_width(schema);
    char name[NM_INPUT_NAME];
    for (int64_t i = 0; i < width; i++) {
        printf("%s: %+.2f\n", nm_schema_input_name(schema, i, name),
               nm_tensor_get(weight, width + i) - nm_tensor_get(weight, i));
    }
}

int main(int argc, char **argv)
{
    nm_context *context = nm_open(NULL);
    nm_data_options options =
        NM_DATA_OPTIONS(.train = nm_csv(.path = argc > 1 ? argv[1] : "parts.csv"),
                        .validation.share = 0.25, .wanted = NM_WANTED_LABELS);
    nm_data data;
    nm_data_open(context, &options, &data);
    nm_store *store = nm_store_create(context);
    nm_dense_parameters p = {0};
    if (data.schema) {
        p = nm_dense_add(store, "logits", nm_schema_width(data.schema), 2);
    }
    const nm_network network = {.self = &p, .store = store, .forward = forward};
    nm_train_result result;
    if (train(context, &data, &network, &result) == NM_OK) {
        print_weights(data.schema, p.weight);
        printf("accuracy on %lld rows held out: %.3f\n", (long long)data.validation.count,
               result.validation_metric);
    }
    int failed = nm_context_status(context) != NM_OK;
    fputs(nm_context_error(context), stderr);
    nm_store_destroy(store);
    nm_data_close(&data);
    nm_close(context);
    return failed;
}
