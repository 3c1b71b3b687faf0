/* Norma as it would be if it did not look for other programs (core/crowd.h): all threads work,
 * always. Linked before the library, for what that brings and costs (tests/bench/threads.py). */
#include "core/crowd.h"

int64_t nm_crowd_held(int64_t ranges, int threads, int64_t whole, int64_t least)
{
    (void)ranges, (void)threads, (void)whole, (void)least;
    return 0;
}

bool nm_crowd_is_due(const nm_crowd *crowd, int64_t now)
{
    (void)crowd, (void)now;
    return false;
}

void nm_crowd_decide(nm_crowd *crowd, int threads, int64_t now, int64_t switches)
{
    (void)crowd, (void)threads, (void)now, (void)switches;
}
