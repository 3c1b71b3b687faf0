/* How threads wait for one another. GNU's OpenMP lets a thread that has nothing to do spin for some
 * 20 ms before it sleeps, and LLVM's, which clang links, 200 ms. Once another program wants the
 * same cores, the threads that compute stand behind those that only wait: measured, a step of 0.3
 * ms took 24 ms. With a spin of some 0.3 ms both a free and a busy machine are as fast as they can
 * be.
 *
 * The runtime reads its variables before main(), so the command sets them and starts itself
 * again, which takes 4 ms. Whoever set a variable has chosen, and nothing happens. */
#include <stdlib.h>
#include <unistd.h>

#include "models/command/command.h"

static const struct {
    const char *variable, *value;
} choices[] = {{"GOMP_SPINCOUNT", "5000"}, {"KMP_BLOCKTIME", "1" /* ms, the least but none */}};

static bool has_chosen(void)
{
    bool chosen = getenv("OMP_WAIT_POLICY") != NULL;
    for (int i = 0; i < NM_COUNT_OF(choices); i++) {
        chosen |= getenv(choices[i].variable) != NULL;
    }
    return chosen;
}

void wait_with_patience(char **argv)
{
#ifdef __linux__
    bool set = !has_chosen();
    for (int i = 0; i < NM_COUNT_OF(choices) && set; i++) {
        set = setenv(choices[i].variable, choices[i].value, 0) == 0;
    }
    if (set) {
        execv("/proc/self/exe", argv); /* where it fails, the run only may be slower */
    }
#else
    (void)argv;
#endif
}
