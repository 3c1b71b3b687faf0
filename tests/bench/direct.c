/* Convolutions that are not Winograd's, with oneDNN and without, in turn: y, dx and dw of each.
 *
 *     direct [REPEATS]
 *
 * Times are the least of the processor's, of one thread, in microseconds; a ratio above 1 is what
 * it takes longer without oneDNN. */
#include <norma.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { FORWARD, INPUT_GRAD, WEIGHT_GRAD, DIRECTIONS };
static const char *const names[] = {"y", "dx", "dw"};
static const struct {
    int n, size, in, out, kernel, stride, padding, groups;
} shapes[] = {
    {32, 32, 16, 32, 3, 2, 1, 1},   {32, 16, 32, 64, 3, 2, 1, 1},
    {8, 56, 64, 128, 3, 2, 1, 1},   {8, 28, 128, 256, 3, 2, 1, 1},
    {32, 28, 32, 32, 5, 1, 2, 1},   {64, 28, 1, 30, 5, 1, 2, 1},
    {32, 32, 12, 20, 3, 1, 1, 1},   {32, 32, 30, 30, 3, 1, 1, 1},
    {32, 32, 3, 64, 7, 2, 3, 1},    {32, 16, 64, 64, 3, 1, 1, 4},
    {16, 28, 32, 16, 3, 1, 1, 2},   {32, 32, 64, 64, 1, 1, 0, 1},
    {32, 16, 64, 256, 1, 1, 0, 1},  {32, 14, 32, 192, 1, 1, 0, 1},
    {32, 32, 16, 32, 1, 2, 0, 1},   {32, 16, 32, 64, 1, 2, 0, 1},
    {32, 32, 64, 64, 3, 1, 1, 64},  {32, 16, 64, 64, 3, 1, 1, 64},
    {32, 7, 64, 64, 3, 1, 1, 64},   {8, 14, 480, 480, 5, 1, 2, 480},
    {8, 7, 960, 960, 3, 1, 1, 960}, {8, 28, 144, 144, 3, 2, 1, 144},
    {8, 112, 32, 32, 3, 1, 1, 32},  {8, 56, 12, 12, 7, 2, 3, 12},
    {16, 28, 8, 8, 3, 1, 1, 8},     {16, 28, 3, 3, 3, 1, 1, 3},
    {16, 28, 32, 64, 3, 1, 1, 32},
};
#define COUNT (int)(sizeof shapes / sizeof shapes[0])

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec * 1e-3;
}

static nm_tensor *make(nm_context *context, nm_shape shape, nm_random *random)
{
    nm_tensor *tensor = nm_tensor_create(context, NM_F32, shape);
    for (int64_t i = 0; tensor && i < nm_tensor_count(tensor); i++) {
        nm_tensor_set(tensor, i, nm_random_normal(random));
    }
    return tensor;
}

/* Of `in`: x, w and dy. */
static double run(nm_tape *tape, nm_tensor *in[3], int i, int direction)
{
    nm_tape_reset(tape);
    nm_tensor_set_requires_grad(in[0], direction == INPUT_GRAD);
    nm_tensor_set_requires_grad(in[1], direction == WEIGHT_GRAD);
    double start = now();
    nm_tensor *y = nm_conv2d(tape, in[0], in[1], NULL, .stride = NM_INTS(shapes[i].stride),
                             .padding = NM_INTS(shapes[i].padding), .groups = shapes[i].groups);
    if (direction != FORWARD) {
        nm_tensor *grad;
        start = now();
        nm_gradients(tape, &y, &in[2], 1, &in[direction - 1], 1, 0, &grad);
    }
    return now() - start;
}

static void measure(nm_context *context, nm_tape *tape, nm_tensor *in[3], int i, int repeats)
{
    double best[DIRECTIONS][2];
    for (int k = 0; k < repeats * DIRECTIONS * 2; k++) {
        const int direction = k / 2 % DIRECTIONS, without = k % 2;
        nm_context_set_onednn(context, !without);
        const double time = run(tape, in, i, direction);
        double *least = &best[direction][without];
        *least = k < DIRECTIONS * 2 || time < *least ? time : *least;
    }
    printf("%2d of %3dx%-3d %3d to %3d, %dx%d, stride %d, groups %3d:", shapes[i].n, shapes[i].size,
           shapes[i].size, shapes[i].in, shapes[i].out, shapes[i].kernel, shapes[i].kernel,
           shapes[i].stride, shapes[i].groups);
    for (int d = 0; d < DIRECTIONS; d++) {
        printf("  %s %5.0f %5.0f %.2f", names[d], best[d][0], best[d][1], best[d][1] / best[d][0]);
    }
    puts("");
}

int main(int argc, char **argv)
{
    const int repeats = argc > 1 ? atoi(argv[1]) : 12;
    nm_context *context = nm_open(NULL);
    nm_context_set_threads(context, 1);
    nm_tape *tape = nm_tape_create(context);
    nm_random random = nm_random_create(1, 0);
    for (int i = 0; i < COUNT && nm_context_status(context) == NM_OK; i++) {
        const int kernel = shapes[i].kernel, size = shapes[i].size;
        const int out = (size + 2 * shapes[i].padding - kernel) / shapes[i].stride + 1;
        nm_tensor *in[] = {
            make(context, NM_SHAPE(shapes[i].n, size, size, shapes[i].in), &random),
            make(context, NM_SHAPE(shapes[i].out, kernel, kernel, shapes[i].in / shapes[i].groups),
                 &random),
            make(context, NM_SHAPE(shapes[i].n, out, out, shapes[i].out), &random)};
        measure(context, tape, in, i, repeats > 0 ? repeats : 1);
        for (int k = 0; k < 3; k++) {
            nm_tensor_destroy(in[k]);
        }
    }
    const bool failed = nm_context_status(context) != NM_OK;
    if (failed) {
        fprintf(stderr, "%s\n", nm_context_error(context));
    }
    nm_tape_destroy(tape);
    nm_context_destroy(context);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
