/* Threads that share loops with the one that asks for them. */
#ifndef NM_CORE_TEAM_H
#define NM_CORE_TEAM_H

#include "core/context.h"

typedef struct nm_team nm_team;

/* Room for `most` threads, the caller among them, up to NM_MAX_THREADS; none is begun yet. The
 * memory is the C library's, as that of threads is. NULL: there is none. */
nm_team *nm_team_create(int most);
/* Ends its threads. NULL is fine. */
void nm_team_destroy(nm_team *team);
/* Whether it can have so many, or cannot be replaced now: it is sharing a loop. */
bool nm_team_has_room(const nm_team *team, int threads);

/* Calls share(arg, i) once for each i below `shares`, NM_MAX_THREADS of them at most, on the caller
 * and on up to `threads` - 1 others; returns when all are done. Each begins with the share of its
 * own number, so that who computed something finds it in its cache, and goes on with what nobody
 * has begun: a thread that does not come, asleep, off its core or refused by the system, holds
 * nobody up. False: another thread is sharing a loop by this team, and nothing was done. */
typedef void nm_share_fn(void *arg, int64_t i);
bool nm_team_share(nm_team *team, int threads, int64_t shares, nm_share_fn *share, void *arg);

#endif
