/* What bf16 costs in accuracy: trains a network's file in f32 and in bf16 with the same seeds, and
 * prints the test set's accuracies and their difference in points.
 *
 *     bf16 FILE [SEEDS]
 *
 * On a processor without units for bf16 its products are emulated: the numbers are the same, the
 * times are not. */
#include <norma.h>

#include <stdio.h>
#include <stdlib.h>

static _Noreturn void stop(nm_context *context)
{
    fprintf(stderr, "%s\n", nm_context_error(context));
    exit(EXIT_FAILURE);
}

/* In percent, after training. */
static double accuracy(nm_context *context, const char *file, int seed, const char *precision)
{
    char set_seed[64], set_precision[64];
    const char *settings[] = {set_seed, set_precision};
    nm_config config;
    nm_train_result result;
    snprintf(set_seed, sizeof set_seed, "train.seed=%d", seed);
    snprintf(set_precision, sizeof set_precision, "train.precision=%s", precision);
    if (nm_config_open(context, file, settings, 2, NM_NEED_DATA | NM_NEED_LOSS | NM_NEED_TRAIN,
                       &config) != NM_OK) {
        stop(context);
    }
    nm_trainer_setup setup = nm_config_setup(&config);
    nm_trainer *trainer = nm_trainer_create(context, &setup);
    if (!trainer || nm_trainer_run(trainer, &result) != NM_OK) {
        stop(context);
    }
    nm_trainer_destroy(trainer);
    nm_config_close(&config);
    return result.test_accuracy * 100;
}

int main(int argc, char **argv)
{
    const int seeds = argc > 2 ? atoi(argv[2]) : 3;
    double sum = 0;
    if (argc < 2 || seeds < 1) {
        fprintf(stderr, "usage: bf16 FILE [SEEDS]\n");
        return 2;
    }
    nm_context *context = nm_open(NULL);
    if (!context) {
        fprintf(stderr, "out of memory\n");
        return EXIT_FAILURE;
    }
    if (!nm_has_bf16()) {
        nm_context_emulate_bf16(context, true);
    }
    printf("seed      f32     bf16   difference\n");
    for (int seed = 1; seed <= seeds; seed++) {
        const double f32 = accuracy(context, argv[1], seed, "f32");
        const double bf16 = accuracy(context, argv[1], seed, "bf16");
        sum += bf16 - f32;
        printf("%4d  %6.2f %%  %6.2f %%  %+5.2f\n", seed, f32, bf16, bf16 - f32);
        fflush(stdout);
    }
    printf("mean                      %+5.2f\n", sum / seeds);
    nm_close(context);
}
