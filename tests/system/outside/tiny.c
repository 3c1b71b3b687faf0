/* A tiny network: two steps and a thousand predictions. Then what was loaded, and the most memory.
 */
#include <norma.h>
#include <stdio.h>
#include <string.h>

static void tell(void)
{
    char line[4096];
    long kib;
    FILE *maps = fopen("/proc/self/maps", "r"), *status = fopen("/proc/self/status", "r");
    while (maps && fgets(line, sizeof line, maps)) {
        const char *name = strrchr(line, '/');
        if (name && strstr(name, ".so")) {
            printf("loads %s", name + 1);
        }
    }
    while (status && fgets(line, sizeof line, status)) {
        if (sscanf(line, "VmHWM: %ld", &kib) == 1) {
            printf("memory %ld\n", kib);
        }
    }
    if (maps) fclose(maps);
    if (status) fclose(status);
}

int main(void)
{
    static float x[100][2], targets[100][2];
    nm_context *context = nm_open(NULL);
    nm_store *store = nm_store_create(context);
    nm_dense_parameters a = nm_dense_add(store, "a", 2, 64), b = nm_dense_add(store, "b", 64, 2);
    nm_optimizer *sgd = nm_optimizer_create(store, &nm_sgd(.rate = 0.1), NULL, 0);
    nm_tape *tape = nm_tape_create(context);
    for (int64_t step = 0; step < 1002; step++) {
        const int64_t rows = step < 2 ? 100 : 1;
        nm_tape_reset(tape);
        nm_tensor *h = nm_tape_wrap(tape, NM_F32, NM_SHAPE(rows, 2), x);
        nm_tensor *y =
            nm_dense(tape, nm_relu(tape, nm_dense(tape, h, a.weight, a.bias)), b.weight, b.bias);
        if (step < 2) {
            nm_tensor *t = nm_tape_wrap(tape, NM_F32, NM_SHAPE(rows, 2), targets);
            nm_optimizer_minimize(sgd, tape, nm_mse(tape, y, t), step);
        }
    }
    puts(nm_context_status(context) == NM_OK ? "trained" : nm_context_error(context));
    nm_tape_destroy(tape);
    nm_optimizer_destroy(sgd);
    nm_store_destroy(store);
    nm_close(context);
    tell();
    return 0;
}
