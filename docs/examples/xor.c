/* A network of two layers learns the exclusive or. */
#include <norma.h>
#include <stdio.h>

int main(void)
{
    nm_context *context = nm_open(NULL);
    nm_store *store = nm_store_create(context);
    nm_dense_parameters a = nm_dense_add(store, "a", 2, 8);
    nm_dense_parameters b = nm_dense_add(store, "b", 8, 1);

    float inputs[4][2] = {{0, 0}, {0, 1}, {1, 0}, {1, 1}}, targets[4][1] = {{0}, {1}, {1}, {0}};
    nm_optimizer *sgd = nm_optimizer_create(store, &nm_sgd(.rate = 0.1, .momentum = 0.9), NULL, 0);
    nm_tape *tape = nm_tape_create(context);
    nm_tensor *y = NULL;
    for (int64_t step = 0; step <= 500 && nm_context_status(context) == NM_OK; step++) {
        nm_tape_reset(tape);
        nm_tensor *x = nm_tape_wrap(tape, NM_F32, NM_SHAPE(4, 2), inputs);
        nm_tensor *t = nm_tape_wrap(tape, NM_F32, NM_SHAPE(4, 1), targets);
        nm_tensor *h = nm_tanh(tape, nm_dense(tape, x, a.weight, a.bias));
        y = nm_tensor_keep(nm_dense(tape, h, b.weight, b.bias)); /* read below */
        nm_tensor *loss = nm_mse(tape, y, t);
        nm_optimizer_minimize(sgd, tape, loss, step);
        if (step % 100 == 0) {
            printf("step %3d  loss %.6f\n", (int)step, nm_tensor_item(loss));
        }
    }
    for (int i = 0; i < 4 && nm_context_status(context) == NM_OK; i++) {
        printf("%g xor %g = %.3f\n", inputs[i][0], inputs[i][1], nm_tensor_get(y, i));
    }
    int failed = nm_context_status(context) != NM_OK;
    fputs(nm_context_error(context), stderr); /* one check for all of the above */
    nm_tape_destroy(tape);
    nm_optimizer_destroy(sgd);
    nm_store_destroy(store);
    nm_close(context);
    return failed;
}
