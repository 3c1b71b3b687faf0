#include "models/command/train/interrupt.h"

#include <signal.h>
#include <stdbool.h>
#include <time.h>

#define TWICE 300 /* ms: within them it is one wish, sent twice */

static const struct {
    int number;
    bool again; /* a second one ends the process at once: somebody is impatient */
} signals[] = {
    {SIGINT, true},
    {SIGTERM, true},
    {SIGHUP, false}, /* sent by the terminal and by its shell */
    {SIGPIPE, false},
};

#define SIGNALS (int)(sizeof signals / sizeof *signals)

/* A signal handler takes no argument of ours, hence two variables that are in no struct. */
static volatile sig_atomic_t caught, caught_at;

/* In ms, modulo 2^30. */
static sig_atomic_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (sig_atomic_t)((time.tv_sec % 1000000) * 1000 + time.tv_nsec / 1000000) & 0x3fffffff;
}

static void end_at_once(int number)
{
    signal(number, SIG_DFL);
    raise(number);
}

/* `timeout` sends its signal twice, to the process and to its group; both are the first one. */
static void on_signal(int number)
{
    if (!caught) {
        caught_at = now();
        caught = number;
        return;
    }
    for (int i = 0; i < SIGNALS; i++) {
        if (signals[i].number == number && signals[i].again &&
            ((now() - caught_at) & 0x3fffffff) > TWICE) {
            end_at_once(number);
        }
    }
}

static void set_handler(void (*handler)(int))
{
    for (int i = 0; i < SIGNALS; i++) {
        if (signal(signals[i].number, handler) == SIG_IGN) {
            signal(signals[i].number, SIG_IGN);
        }
    }
}

void interrupts_catch(void)
{
    caught = 0;
    set_handler(on_signal);
}

/* The rest of a signal that was sent several times still belongs to the first one. */
void interrupts_release(void)
{
    if (!caught) {
        set_handler(SIG_DFL);
    }
}

int interrupt_number(void)
{
    return caught;
}
