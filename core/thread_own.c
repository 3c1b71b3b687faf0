#include "core/thread_own.h"

#include <signal.h>
#include <unistd.h>

#define STACK ((size_t)1 << 20) /* bytes at least: some systems give a thread 128 KB */

/* ---- Signals ---- */

/* What a thread itself does wrong, or is not allowed to: blocked, it would end the process past a
 * handler that the program has for it. */
static const int own_faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS};

static void fill_with_others(sigset_t *set)
{
    sigfillset(set);
    for (size_t i = 0; i < sizeof own_faults / sizeof *own_faults; i++) {
        sigdelset(set, own_faults[i]);
    }
}

bool nm_thread_begin(pthread_t *thread, void *(*body)(void *), void *arg)
{
    sigset_t blocked, before;
    pthread_attr_t attributes;
    size_t stack = 0;
    if (pthread_attr_init(&attributes) != 0) {
        return false;
    }
    pthread_attr_getstacksize(&attributes, &stack);
    if (stack < STACK) {
        pthread_attr_setstacksize(&attributes, STACK);
    }
    fill_with_others(&blocked);
    pthread_sigmask(SIG_BLOCK, &blocked, &before);
    const bool begun = pthread_create(thread, &attributes, body, arg) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return begun;
}

/* ---- Processes ---- */

static int64_t forks; /* between this process and the one that asked first */

static void count_fork(void)
{
    forks++;
}

static void watch_forks(void)
{
    pthread_atfork(NULL, NULL, count_fork);
}

int64_t nm_process(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, watch_forks);
    return forks << 32 | getpid(); /* some forks are none that the C library knows of */
}
