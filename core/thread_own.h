/* Threads as the library begins them. */
#ifndef NM_CORE_THREAD_OWN_H
#define NM_CORE_THREAD_OWN_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* Begins a thread that gets none of the signals sent to the program; false: the system has none. */
bool nm_thread_begin(pthread_t *thread, void *(*body)(void *), void *arg);

/* A number of this process that none has which was forked from it, nor one forked from that, though
 * the system may give them its own number again: they have its memory, but none of its threads. */
int64_t nm_process(void);

#endif
