/* How many threads are worth while beside other programs. A thread that was taken off its core
 * holds up all that wait for it: then fewer of them are faster, until the cores are free again. The
 * decision alone, made of numbers that somebody else observed (core/thread.c). */
#ifndef NM_CORE_CROWD_H
#define NM_CORE_CROWD_H

#include <stdbool.h>
#include <stdint.h>

/* Zeros to begin with. Times are in nanoseconds. */
typedef struct nm_crowd {
    int fewer;        /* threads that are left out */
    bool tries;       /* one or several of them are back on trial */
    int64_t begun;    /* when the window of observation began */
    int64_t held;     /* time in it lost by waiting for threads that were not running */
    int64_t switches; /* of the process's threads against their will, when it began */
    int64_t next_try; /* when to use more of them again */
    int64_t pause;    /* how long to wait for that; twice as long after each that fails */
} nm_crowd;

#define NM_CROWD_WINDOW 10000000 /* 10 ms */
#define NM_CROWD_PAUSE 20000000  /* the first pause, */
#define NM_CROWD_MOST 1280000000 /* and the longest */

/* The time that was lost in shared work of `ranges` ranges on `threads` threads which took `whole`,
 * when the quickest range took `least`: 0, unless that is far longer than they need. */
int64_t nm_crowd_held(int64_t ranges, int threads, int64_t whole, int64_t least);
/* Whether the window is over, by time or since so much was lost already, so that somebody has to
 * count switches and decide. */
bool nm_crowd_is_due(const nm_crowd *crowd, int64_t now);
/* Ends the window and begins the next: leaves out a quarter of the threads, but not the last one,
 * if much of the time was lost and threads were taken off their cores; tries more after a pause.
 * `threads` are all that there are. */
void nm_crowd_decide(nm_crowd *crowd, int threads, int64_t now, int64_t switches);

#endif
