/* Threads as the library begins them itself, and OpenMP's before it begins them. */
#ifndef NM_CORE_THREAD_OWN_H
#define NM_CORE_THREAD_OWN_H

#include <pthread.h>
#include <stdbool.h>

/* Begins a thread that gets none of the signals sent to the program; false: the system has none. */
bool nm_thread_begin(pthread_t *thread, void *(*body)(void *), void *arg);

/* Of `wanted` threads for a region of OpenMP's, the caller among them, as many as can be had: where
 * the system refuses one, OpenMP ends the process. Tried where this thread's last region had fewer;
 * what was refused is not asked for again. */
int nm_threads_at_hand(int wanted);

#endif
