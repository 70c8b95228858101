/* lock: what the hub's files share, and the lock that it is under.
 *
 *     hub_lock --> an id, an entry, who is told of it: one step --> hub_unlock
 *
 * One lock for all topics, so that whoever sees an id has everything before it within reach. What
 * it guards is one object per process, made when it is locked for the first time; of what stands in
 * it each file of the hub has its part. It must not know what any of it is for. */
#include "hub/lock.h"

#include "base/clock.h"
#include "base/must.h"
#include "hub/name.h"

struct hub hub = {.lock = PTHREAD_MUTEX_INITIALIZER, .done = PTHREAD_COND_INITIALIZER};

static uint64_t wall_ms(void) {
    int64_t ms = clock_wall_ms();
    return ms > 0 ? (uint64_t)ms : 0;
}

event_id hub_next_id(void) {
    MUST(hub_is_locked());
    event_id now = event_id_at(wall_ms());
    hub.last = now > hub.last ? now : hub.last + 1; /* whatever the clock does */
    return hub.last;
}

static void init(void) {
    hub.start = hub_next_id();
    hub.names = name_new();
    hub.memory_limit = 256 * 1024 * 1024;
    wheel_init(&hub.ages, clock_mono_ms());
    list_init(&hub.readers);
    list_init(&hub.unread);
    list_init(&hub.empty);
    list_init(&hub.pending);
    list_init(&hub.staged);
    list_init(&hub.waiting);
    map_init(&hub.attendances);
    list_init(&hub.notices);
}

#ifdef WEIR_MUST
static _Thread_local bool is_locked;

bool hub_is_locked(void) {
    return is_locked;
}

static void note_lock(bool locked) {
    MUST(is_locked != locked);
    is_locked = locked;
}
#else
static void note_lock(bool locked) {
    (void)locked;
}
#endif

void hub_lock(void) {
    pthread_mutex_lock(&hub.lock);
    note_lock(true);
    if (hub.names == NULL)
        init();
}

void hub_unlock(void) {
    note_lock(false);
    pthread_mutex_unlock(&hub.lock);
}
