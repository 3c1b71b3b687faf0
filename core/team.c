/* A loop is open from when the caller has described it until nothing of it is left to begin. A
 * thread comes in while it is open, takes shares, and leaves; the caller closes the loop and waits
 * for those that are within. So nobody waits for a thread that has not come. */
#include "core/team.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/processors.h"
#include "core/thread_own.h"

/* How long one that waits looks before it sleeps, in nanoseconds: to be woken takes some 50 us. */
#define PATIENCE 200000
#define LOOKS 64 /* before it looks at the time as well */

/* ---- What all look at: a loop's number, for how many threads it is, whether it is open, and how
 * many of the team are within. The caller is not counted. ---- */

#define BITS 12 /* of a number of threads */
#define ONE_WITHIN UINT64_C(1)
#define OPEN (UINT64_C(1) << BITS)
#define ONE_THREAD (OPEN << 1)
#define ONE_LOOP (ONE_THREAD << BITS)

static int within(uint64_t state)
{
    return (int)(state & (OPEN - 1));
}

static int threads_of(uint64_t state)
{
    return (int)(state / ONE_THREAD & (OPEN - 1));
}

static uint64_t number_of(uint64_t state)
{
    return state / ONE_LOOP;
}

/* ---- The team ---- */

typedef struct member {
    nm_team *team;
    int number;    /* from 1 on */
    uint64_t last; /* loop that it was in */
    bool asleep;   /* atomic */
    pthread_cond_t wake;
    pthread_t thread;
} member;

struct nm_team {
    uint64_t state; /* atomic, as is each element of `begun` */
    nm_share_fn *share;
    void *arg;
    int64_t shares;
    unsigned char begun[NM_MAX_THREADS]; /* shares that somebody has */
    bool busy;                           /* atomic: a caller is sharing a loop */
    bool quit;                           /* atomic */
    bool caller_sleeps;                  /* atomic */
    int most, members;                   /* the caller among them, and not */
    bool refused;                        /* the system has no more threads */
    int64_t process;                     /* that has them */
    pthread_mutex_t lock;                /* of those that sleep */
    pthread_cond_t done;
    int processors;
    int64_t patience; /* atomic */
    member member[];  /* of most - 1 */
};

static uint64_t state_of(const nm_team *t)
{
    return __atomic_load_n(&t->state, __ATOMIC_SEQ_CST);
}

static void run_shares(nm_team *t, int64_t first)
{
    for (int64_t i = 0; i < t->shares; i++) {
        const int64_t mine = first + i < t->shares ? first + i : first + i - t->shares;
        if (!__atomic_exchange_n(&t->begun[mine], 1, __ATOMIC_RELAXED)) {
            t->share(t->arg, mine);
        }
    }
}

/* ---- Waiting ---- */

static int64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void pause_a_moment(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Whether a member has something to do. */
static bool is_called(const member *m)
{
    const uint64_t state = state_of(m->team);
    return (state & OPEN && m->number < threads_of(state) && number_of(state) != m->last) ||
           __atomic_load_n(&m->team->quit, __ATOMIC_SEQ_CST);
}

static bool is_over(const nm_team *t)
{
    return within(state_of(t)) == 0;
}

/* Looks until `come` is so, or patience is over. */
#define LOOK_FOR(come, team)                                                                       \
    for (int64_t begun = 0, time = 0;                                                              \
         !(come) && time - begun <= __atomic_load_n(&(team)->patience, __ATOMIC_RELAXED);) {       \
        for (int look = 0; look < LOOKS && !(come); look++) {                                      \
            pause_a_moment();                                                                      \
        }                                                                                          \
        time = now();                                                                              \
        begun = begun ? begun : time;                                                              \
    }

static void await_loop(member *m)
{
    nm_team *t = m->team;
    LOOK_FOR(is_called(m), t)
    if (is_called(m)) {
        return;
    }
    pthread_mutex_lock(&t->lock);
    __atomic_store_n(&m->asleep, true, __ATOMIC_SEQ_CST);
    while (!is_called(m)) {
        pthread_cond_wait(&m->wake, &t->lock);
    }
    __atomic_store_n(&m->asleep, false, __ATOMIC_SEQ_CST);
    pthread_mutex_unlock(&t->lock);
}

/* For those that are still within. */
static void await_end(nm_team *t)
{
    LOOK_FOR(is_over(t), t)
    if (is_over(t)) {
        return;
    }
    pthread_mutex_lock(&t->lock);
    __atomic_store_n(&t->caller_sleeps, true, __ATOMIC_SEQ_CST);
    while (!is_over(t)) {
        pthread_cond_wait(&t->done, &t->lock);
    }
    __atomic_store_n(&t->caller_sleeps, false, __ATOMIC_SEQ_CST);
    pthread_mutex_unlock(&t->lock);
}

/* ---- A member ---- */

static bool enter(member *m)
{
    uint64_t state = state_of(m->team);
    while (state & OPEN && m->number < threads_of(state) && number_of(state) != m->last) {
        if (__atomic_compare_exchange_n(&m->team->state, &state, state + ONE_WITHIN, false,
                                        __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
            m->last = number_of(state);
            return true;
        }
    }
    return false;
}

static void leave(nm_team *t)
{
    const uint64_t state = __atomic_sub_fetch(&t->state, ONE_WITHIN, __ATOMIC_SEQ_CST);
    if (!(state & OPEN) && within(state) == 0 &&
        __atomic_load_n(&t->caller_sleeps, __ATOMIC_SEQ_CST)) {
        pthread_mutex_lock(&t->lock);
        pthread_cond_signal(&t->done);
        pthread_mutex_unlock(&t->lock);
    }
}

static void *live(void *arg)
{
    member *m = arg;
    while (!__atomic_load_n(&m->team->quit, __ATOMIC_SEQ_CST)) {
        if (enter(m)) {
            run_shares(m->team, m->number);
            leave(m->team);
        }
        await_loop(m);
    }
    return NULL;
}

static void wake(nm_team *t, int members)
{
    for (int i = 0; i < members; i++) {
        if (__atomic_load_n(&t->member[i].asleep, __ATOMIC_SEQ_CST)) {
            pthread_mutex_lock(&t->lock);
            pthread_cond_signal(&t->member[i].wake);
            pthread_mutex_unlock(&t->lock);
        }
    }
}

/* As many members as so many threads have, or as the system lets there be. */
static void grow(nm_team *t, int threads)
{
    while (t->members + 1 < threads && !t->refused) {
        member *m = &t->member[t->members];
        *m = (member){.team = t, .number = t->members + 1};
        pthread_cond_init(&m->wake, NULL);
        t->refused = !nm_thread_begin(&m->thread, live, m);
        t->members += !t->refused;
    }
}

/* ---- The caller ---- */

/* The caller has it for itself. */
static void share_loop(nm_team *t, int threads, int64_t shares, nm_share_fn *share, void *arg)
{
    threads = threads < t->most ? threads : t->most;
    threads = threads < shares ? threads : (int)shares; /* each has one to begin with */
    grow(t, threads);
    /* With more threads than processors one that waits keeps one that works from running. */
    __atomic_store_n(&t->patience, threads <= t->processors ? PATIENCE : 0, __ATOMIC_RELAXED);
    t->share = share;
    t->arg = arg;
    t->shares = shares;
    memset(t->begun, 0, (size_t)shares);
    const uint64_t loop = number_of(state_of(t)) + 1;
    __atomic_store_n(&t->state, loop * ONE_LOOP + (uint64_t)threads * ONE_THREAD + OPEN,
                     __ATOMIC_SEQ_CST);
    wake(t, threads - 1 < t->members ? threads - 1 : t->members);
    run_shares(t, 0);
    __atomic_and_fetch(&t->state, ~OPEN, __ATOMIC_SEQ_CST);
    await_end(t);
}

bool nm_team_share(nm_team *t, int threads, int64_t shares, nm_share_fn *share, void *arg)
{
    int cancel;
    if (__atomic_exchange_n(&t->busy, true, __ATOMIC_ACQUIRE)) {
        return false;
    }
    /* Others work on what lies on the caller's stack: it is cancelled when they are done. */
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    share_loop(t, threads, shares, share, arg);
    __atomic_store_n(&t->busy, false, __ATOMIC_RELEASE);
    pthread_setcancelstate(cancel, &cancel);
    return true;
}

bool nm_team_has_room(const nm_team *t, int threads)
{
    return threads <= t->most || __atomic_load_n(&t->busy, __ATOMIC_RELAXED);
}

/* ---- Life ---- */

nm_team *nm_team_create(int most)
{
    nm_team *t = calloc(1, sizeof *t + (size_t)(most - 1) * sizeof *t->member);
    if (!t) {
        return NULL;
    }
    t->most = most;
    t->process = nm_process();
    t->processors = nm_processors();
    /* Without attributes these cannot fail. */
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->done, NULL);
    return t;
}

static void end_members(nm_team *t)
{
    pthread_mutex_lock(&t->lock);
    __atomic_store_n(&t->quit, true, __ATOMIC_SEQ_CST);
    for (int i = 0; i < t->members; i++) {
        pthread_cond_signal(&t->member[i].wake);
    }
    pthread_mutex_unlock(&t->lock);
    for (int i = 0; i < t->members; i++) {
        pthread_join(t->member[i].thread, NULL);
        pthread_cond_destroy(&t->member[i].wake);
    }
    pthread_cond_destroy(&t->done);
    pthread_mutex_destroy(&t->lock);
}

void nm_team_destroy(nm_team *t)
{
    if (t &&
        t->process == nm_process()) { /* a fork of that process has neither threads nor locks */
        end_members(t);
    }
    free(t);
}
