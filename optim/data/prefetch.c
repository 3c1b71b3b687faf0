#include "optim/data/prefetch.h"

#include "core/thread_own.h"

struct nm_prefetch {
    nm_context *context;
    nm_make_fn make;
    void *arg;
    pthread_t thread;
    int64_t process; /* that has the thread; in a fork of it, items are made when they are taken */
    pthread_mutex_t lock;     /* of all below */
    pthread_cond_t wake;      /* for the thread: there may be work */
    pthread_cond_t ready;     /* for the caller: an item is made, or the thread is at rest */
    int64_t made, taken, end; /* the next item to make, to take, and not to make any more */
    bool working, quit;
};

/* Item `taken` is made as soon as the one before it is taken; that one lies in the other place. */
static bool has_work(const nm_prefetch *p)
{
    return p->made < p->end && p->made == p->taken;
}

static void *run(void *arg)
{
    nm_prefetch *p = arg;
    pthread_mutex_lock(&p->lock);
    while (!p->quit) {
        if (!has_work(p)) {
            pthread_cond_wait(&p->wake, &p->lock);
            continue;
        }
        p->working = true;
        pthread_mutex_unlock(&p->lock);
        p->make(p->arg, p->made, (int)(p->made % 2));
        pthread_mutex_lock(&p->lock);
        p->working = false;
        p->made++;
        pthread_cond_signal(&p->ready);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* With the lock; a caller that is cancelled here would keep it. */
static void await_ready(nm_prefetch *p)
{
    int cancel;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    pthread_cond_wait(&p->ready, &p->lock);
    pthread_setcancelstate(cancel, &cancel);
}

/* Whether this is a fork of the process that began: it has neither the thread nor its locks. */
static bool is_alone(const nm_prefetch *p)
{
    return nm_process() != p->process;
}

static void release(nm_prefetch *p)
{
    pthread_cond_destroy(&p->ready);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->lock);
    nm_free(p->context, p);
}

nm_prefetch *nm_prefetch_create(nm_context *context, nm_make_fn make, void *arg)
{
    nm_prefetch *p = nm_alloc_zero(context, 1, sizeof *p);
    if (!p) {
        return NULL;
    }
    p->context = context;
    p->make = make;
    p->arg = arg;
    p->process = nm_process();
    /* Without attributes these cannot fail. */
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    pthread_cond_init(&p->ready, NULL);
    if (!nm_thread_begin(&p->thread, run, p)) {
        release(p);
        return NULL;
    }
    return p;
}

void nm_prefetch_destroy(nm_prefetch *p)
{
    if (!p) {
        return;
    }
    if (is_alone(p)) {
        nm_free(p->context, p);
        return;
    }
    pthread_mutex_lock(&p->lock);
    p->quit = true;
    pthread_cond_signal(&p->wake);
    pthread_mutex_unlock(&p->lock);
    pthread_join(p->thread, NULL);
    release(p);
}

void nm_prefetch_stop(nm_prefetch *p)
{
    if (is_alone(p)) {
        return;
    }
    pthread_mutex_lock(&p->lock);
    p->end = 0;
    while (p->working) {
        await_ready(p);
    }
    pthread_mutex_unlock(&p->lock);
}

void nm_prefetch_start(nm_prefetch *p, int64_t first, int64_t end)
{
    if (is_alone(p)) {
        p->taken = first;
        return;
    }
    pthread_mutex_lock(&p->lock);
    p->made = p->taken = first;
    p->end = end;
    pthread_cond_signal(&p->wake);
    pthread_mutex_unlock(&p->lock);
}

int nm_prefetch_take(nm_prefetch *p)
{
    if (is_alone(p)) {
        p->make(p->arg, p->taken, (int)(p->taken % 2));
        return (int)(p->taken++ % 2);
    }
    pthread_mutex_lock(&p->lock);
    while (p->made == p->taken) {
        await_ready(p);
    }
    int place = (int)(p->taken++ % 2);
    pthread_cond_signal(&p->wake);
    pthread_mutex_unlock(&p->lock);
    return place;
}
