#include "core/crowd.h"

/* Waking a thread takes up to a tenth of a millisecond, and ranges are not quite equal. */
#define WORTH_A_WORD 200000

int64_t nm_crowd_held(int64_t ranges, int threads, int64_t whole, int64_t least)
{
    const int64_t turns = (ranges + threads - 1) / threads;
    const int64_t held = whole - 2 * turns * least;
    return held > WORTH_A_WORD ? held : 0;
}

bool nm_crowd_is_due(const nm_crowd *crowd, int64_t now)
{
    return now - crowd->begun >= NM_CROWD_WINDOW || crowd->held > NM_CROWD_WINDOW / 2;
}

static int quarter(int threads)
{
    return (threads + 3) / 4;
}

static void give_way(nm_crowd *c, int threads, int64_t now)
{
    const int left = threads - c->fewer;
    c->fewer += left > 1 ? quarter(left) : 0;
    c->pause = c->tries ? 2 * c->pause : c->pause;
    c->pause = c->pause < NM_CROWD_PAUSE ? NM_CROWD_PAUSE : c->pause;
    c->pause = c->pause > NM_CROWD_MOST ? NM_CROWD_MOST : c->pause;
    c->next_try = now + c->pause;
    c->tries = false;
}

static void come_back(nm_crowd *c, int threads, int64_t now)
{
    if (c->fewer == 0) {
        c->pause /= 2; /* a calm window */
        c->tries = c->tries && c->pause >= NM_CROWD_PAUSE;
    } else if (c->tries || now >= c->next_try) {
        const int more = quarter(threads - c->fewer);
        c->fewer = c->fewer > more ? c->fewer - more : 0;
        c->tries = true;
    }
}

void nm_crowd_decide(nm_crowd *c, int threads, int64_t now, int64_t switches)
{
    const int64_t window = now - c->begun;
    const bool is_recent = window < 10 * NM_CROWD_WINDOW; /* else the program did other things */
    const bool crowded = c->held > window / 5 && switches > c->switches;
    c->fewer = c->fewer < threads ? c->fewer : threads - 1;
    if (is_recent && crowded) {
        give_way(c, threads, now);
    } else {
        come_back(c, threads, now);
    }
    c->begun = now;
    c->held = 0;
    c->switches = switches;
}
