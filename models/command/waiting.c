/* How threads wait for one another. GNU's OpenMP, which oneDNN brings along, lets a thread that has
 * nothing to do spin for some 20 ms before it sleeps. Once another program wants the same cores,
 * the threads that compute stand behind those that only wait: measured, a step of 0.3 ms took 24
 * ms. With a spin of some 0.3 ms both a free and a busy machine are as fast as they can be.
 *
 * The runtime reads its variables before main(), so the command sets this one and starts itself
 * again, which takes 4 ms. Whoever set a variable has chosen, and nothing happens. */
#include <stdlib.h>
#include <unistd.h>

#include "models/command/command.h"

#define SPINS "5000"

void wait_with_patience(char **argv)
{
#ifdef __linux__
    if (!getenv("GOMP_SPINCOUNT") && !getenv("OMP_WAIT_POLICY") &&
        setenv("GOMP_SPINCOUNT", SPINS, 0) == 0) {
        execv("/proc/self/exe", argv); /* where it fails, the run only may be slower */
    }
#else
    (void)argv;
#endif
}
