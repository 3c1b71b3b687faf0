#include "core/thread_own.h"

#include <signal.h>

#define STACK ((size_t)1 << 20) /* bytes at least: some systems give a thread 128 KB */

bool nm_thread_begin(pthread_t *thread, void *(*body)(void *), void *arg)
{
    sigset_t all, before;
    pthread_attr_t attributes;
    size_t stack = 0;
    if (pthread_attr_init(&attributes) != 0) {
        return false;
    }
    pthread_attr_getstacksize(&attributes, &stack);
    if (stack < STACK) {
        pthread_attr_setstacksize(&attributes, STACK);
    }
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const bool begun = pthread_create(thread, &attributes, body, arg) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return begun;
}
