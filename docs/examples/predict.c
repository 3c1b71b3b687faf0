/* A saved network, used from C: raw samples in, as the training data had them; probabilities of the
 * classes, or values in the target's own unit, out. The same bits as `norma predict` prints.
 *
 *     norma train iris.yaml
 *     predict runs/iris new.npy */
#include <norma.h>
#include <stdio.h>

static void print(const nm_schema *schema, nm_tensor *y)
{
    const int64_t rows = nm_tensor_shape(y)->dim[0], width = nm_tensor_count(y) / rows;
    for (int64_t row = 0; row < rows; row++) {
        printf("%lld:", (long long)row);
        for (int64_t i = 0; i < width; i++) {
            char number[32];
            const char *name = schema->classes ? nm_schema_class_name(schema, i, number) : "value";
            printf(" %s %.9g", name, nm_tensor_get(y, row * width + i));
        }
        putchar('\n');
    }
}

int main(int argc, char **argv)
{
    const char *network = argc > 1 ? argv[1] : "runs/iris";
    const char *samples = argc > 2 ? argv[2] : "new.npy";
    nm_context *context = nm_open(NULL);
    nm_tensor *x = nm_npy_read(context, samples);
    nm_predictor *predictor = nm_predictor_open(context, network);
    nm_tensor *y = nm_predictor_run(predictor, x);
    if (y) {
        print(nm_predictor_schema(predictor), y);
    } else {
        fprintf(stderr, "%s\n", nm_context_error(context));
    }
    const int failed = !y;
    nm_tensor_destroy(y);
    nm_predictor_close(predictor);
    nm_tensor_destroy(x);
    nm_close(context);
    return failed;
}
