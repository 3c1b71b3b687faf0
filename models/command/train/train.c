/* norma train: one run, or several. */
#include "models/command/train/interrupt.h"
#include "models/command/train/repeat.h"
#include "models/command/train/train.h"

/* What is said at the end, and the exit code. */
static int conclude(const run *r, nm_status status, const nm_train_result *result)
{
    if (status != NM_OK) {
        return report_error(r->context);
    }
    if (r->unheard) {
        print_resume(r, stderr);
        return EXIT_FINE; /* main() sees, and says, that standard output failed */
    }
    print_result(r, result);
    bool interrupted = result->end == NM_TRAIN_STOPPED && interrupt_number();
    return interrupted ? EXIT_SIGNAL + interrupt_number() : EXIT_FINE;
}

static int run_train(nm_context *context, const arguments *a)
{
    run r = {.context = context,
             .arguments = a,
             .quiet = argument_value(a, "--quiet") != NULL,
             .json = argument_value(a, "--json") != NULL,
             .resumes = argument_value(a, "--resume") != NULL};
    nm_train_result result;
    if (argument_value(a, "--folds") || argument_value(a, "--seeds")) {
        return run_several(&r);
    }
    int code = conclude(&r, run_all(&r, &result), &result);
    run_close(&r);
    return code;
}

const command command_train = {
    .name = "train",
    .usage = "FILE",
    .summary = "train the network of a YAML file",
    .doc = "Trains the network that FILE describes and keeps the run in a folder: the last state "
           "(checkpoint.safetensors), the best network (best.safetensors), the file (network.yaml) "
           "and a log (log.jsonl). Progress goes to standard error. Ctrl-C, SIGTERM or a closed "
           "terminal end the run after the running step, so that it can be resumed.",
    .flags = {{"--set", "KEY=VALUE",
               "set a value of the file: train.epochs=3, model.0.dense.units=8"},
              {"--from", "PATH", "start from the weights of a run's folder or a saved file"},
              {"--out", "DIR", "the run's folder; default: runs/NAME, runs/NAME-2, ..."},
              {"--resume", NULL, "go on with the run in --out, or with the newest of this file"},
              {"--folds", "K",
               "cross-validation: train K networks, each tested on a part of the rows that the "
               "others have, and tell the mean and deviation of each metric"},
              {"--seeds", "N", "train N networks that differ in their seed, and tell the same"},
              {"--json", NULL, "one JSON object a line on standard output, the result last"},
              {"--quiet", NULL, "no progress: the line with the result alone"}},
    .least = 1,
    .most = 1,
    .run = run_train,
};
