/* Threads as the library begins them. */
#ifndef NM_CORE_THREAD_OWN_H
#define NM_CORE_THREAD_OWN_H

#include <pthread.h>
#include <stdbool.h>

/* Begins a thread that gets none of the signals sent to the program; false: the system has none. */
bool nm_thread_begin(pthread_t *thread, void *(*body)(void *), void *arg);

#endif
