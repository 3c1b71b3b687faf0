/* What Winograd's filtering brings and costs: 3x3 convolutions without it, with it, and with it in
 * bf16, in turn, and how far each is from the same in f64.
 *
 *     conv [REPEATS]
 *
 * Times are the best of a batch of 128, in microseconds; errors, of a batch of 32, the root of the
 * mean square relative to that of the result. */
#include <norma.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { FORWARD, INPUT_GRAD, WEIGHT_GRAD, DIRECTIONS };
enum { PLAIN, FILTERED, FILTERED_BF16, WAYS };
static const char *const names[] = {"y", "dx", "dw"};
static const struct {
    int64_t size, in, out;
} shapes[] = {{32, 16, 16}, {16, 32, 32}, {14, 32, 64}, {14, 64, 64},
              {8, 64, 64},  {7, 64, 128}, {7, 128, 128}};

static _Noreturn void stop(nm_context *context)
{
    fprintf(stderr, "%s\n", nm_context_error(context));
    exit(EXIT_FAILURE);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec * 1e-3;
}

/* Normal numbers, the same ones in either type. */
static nm_tensor *make(nm_context *context, nm_dtype dtype, nm_shape shape, uint64_t stream)
{
    nm_random random = nm_random_create(1, stream);
    nm_tensor *tensor = nm_tensor_create(context, dtype, shape);
    for (int64_t i = 0; tensor && i < nm_tensor_count(tensor); i++) {
        nm_tensor_set(tensor, i, (double)(float)nm_random_normal(&random));
    }
    if (!tensor) {
        stop(context);
    }
    return tensor;
}

typedef struct problem {
    nm_context *context;
    nm_tape *tape;
    nm_tensor *x, *w, *dy;
} problem;

static problem begin(nm_context *context, nm_dtype dtype, int i, int64_t n)
{
    const int64_t size = shapes[i].size, in = shapes[i].in, out = shapes[i].out;
    problem p = {context, nm_tape_create(context),
                 make(context, dtype, NM_SHAPE(n, size, size, in), 1),
                 make(context, dtype, NM_SHAPE(out, 3, 3, in), 2),
                 make(context, dtype, NM_SHAPE(n, size, size, out), 3)};
    if (!p.tape) {
        stop(context);
    }
    return p;
}

static void end(problem *p)
{
    nm_tape_destroy(p->tape);
    nm_tensor_destroy(p->x);
    nm_tensor_destroy(p->w);
    nm_tensor_destroy(p->dy);
}

/* The result, until the next run, and how long it took. */
static nm_tensor *run(problem *p, int direction, int way, double *us)
{
    nm_tensor *of = direction == INPUT_GRAD ? p->x : p->w, *result;
    nm_tape_reset(p->tape);
    nm_context_set_winograd(p->context, way != PLAIN);
    nm_tensor_set_requires_grad(p->x, direction == INPUT_GRAD);
    nm_tensor_set_requires_grad(p->w, direction == WEIGHT_GRAD);
    double start = now();
    nm_tensor *y = result =
        nm_conv2d(p->tape, p->x, p->w, NULL, .padding = NM_INTS(1),
                  .precision = way == FILTERED_BF16 ? NM_PRECISION_BF16 : NM_PRECISION_F32);
    if (direction != FORWARD) {
        start = now();
        nm_gradients(p->tape, &y, &p->dy, 1, &of, 1, 0, &result);
    }
    *us = now() - start;
    if (nm_context_status(p->context) != NM_OK) {
        stop(p->context);
    }
    return result;
}

/* The best time of each way. */
static void time_ways(problem *p, int direction, int repeats, double best[WAYS])
{
    for (int r = 0; r < WAYS * repeats; r++) {
        double us;
        run(p, direction, r % WAYS, &us);
        best[r % WAYS] = r < WAYS || us < best[r % WAYS] ? us : best[r % WAYS];
    }
}

static double error_of(problem *p, problem *exact, int direction, int way)
{
    double us, difference = 0, size = 0;
    nm_tensor *a = run(p, direction, way, &us), *b = run(exact, direction, PLAIN, &us);
    for (int64_t i = 0; i < nm_tensor_count(a); i++) {
        const double wanted = nm_tensor_get(b, i), apart = nm_tensor_get(a, i) - wanted;
        difference += apart * apart;
        size += wanted * wanted;
    }
    return sqrt(difference / size);
}

int main(int argc, char **argv)
{
    const int repeats = argc > 1 ? atoi(argv[1]) : 40;
    nm_context *context = nm_open(NULL);
    if (!context) {
        fprintf(stderr, "out of memory\n");
        return EXIT_FAILURE;
    }
    printf("size  channels         plain us  winograd us  ratio  bf16 us  ratio   errors of the "
           "three%s\n",
           nm_has_bf16() ? "" : "; this processor has no bf16, which is f32 then");
    for (int i = 0; i < (int)(sizeof shapes / sizeof *shapes); i++) {
        problem large = begin(context, NM_F32, i, 128), p = begin(context, NM_F32, i, 32);
        problem exact = begin(context, NM_F64, i, 32);
        for (int direction = 0; direction < DIRECTIONS; direction++) {
            double best[WAYS] = {0};
            time_ways(&large, direction, repeats > 0 ? repeats : 1, best);
            printf("%4lld  %3lld to %3lld  %-2s  %9.0f  %11.0f  %5.2f  %7.0f  %5.2f   %.1e  %.1e  "
                   "%.1e\n",
                   (long long)shapes[i].size, (long long)shapes[i].in, (long long)shapes[i].out,
                   names[direction], best[PLAIN], best[FILTERED], best[PLAIN] / best[FILTERED],
                   best[FILTERED_BF16], best[FILTERED] / best[FILTERED_BF16],
                   error_of(&p, &exact, direction, PLAIN),
                   error_of(&p, &exact, direction, FILTERED),
                   error_of(&p, &exact, direction, FILTERED_BF16));
        }
        end(&large);
        end(&p);
        end(&exact);
    }
    nm_close(context);
}
