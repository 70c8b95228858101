/* lock: what the hub's files share, and the lock that it is under. */
#ifndef HUB_LOCK_H
#define HUB_LOCK_H

#include "base/histogram.h"
#include "base/list.h"
#include "base/map.h"
#include "base/wheel.h"
#include "proto/event_id.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

struct store;

struct hub_counters {
    uint64_t topics, subscribers, published, memory;
    uint64_t delivered, gaps, lost, dropped, disconnected; /* sums over all readers */
    uint64_t utf8_replaced;                                /* in events published */
    uint64_t visits; /* to positions, to tell, serve or count them: what readers cost */
};

#define HUB_COUNTERS (sizeof(struct hub_counters) / sizeof(uint64_t))
struct hub {
    pthread_mutex_t lock;
    event_id last;  /* the newest id made */
    event_id start; /* before all events of this process */
    struct name *names;
    struct list readers;
    struct list unread;  /* topics that keep events, the longest unread first */
    struct list empty;   /* topics that keep none */
    struct wheel ages;   /* when topics are looked at: monotonic ms */
    struct list pending; /* publications that are durable and not committed yet, by id */
    struct list
        staged; /* struct stored_event: the pending ones that the store has not been given */
    struct list waiting; /* publications that wait for positions with the policy block */
    struct store *store; /* for durable topics; NULL: memory only */
    pthread_cond_t done; /* a publication that was sent later is done */
    atomic_uint_fast64_t memory;
    uint64_t memory_limit, peak; /* `peak`: since memory was last given back */
    uint64_t topics, published;
    uint64_t trims;              /* entries trimmed so far */
    uint64_t found;              /* bytes of what positions keep in mind, see read/found.c */
    struct map attendances;      /* who is at which topic, see attendance.c */
    struct list notices;         /* attendances of which something is to be told */
    atomic_bool has_notices;     /* `notices` is not empty */
    bool telling;                /* a worker is telling the notices */
    unsigned rules_version;      /* changes with the rules */
    uint32_t crowds;             /* prefixes with subscribers */
    struct histogram waits;      /* of publications that had to, until they were done */
    struct hub_counters retired; /* sums of the readers that are gone */
};

extern struct hub hub;

void hub_lock(void);
void hub_unlock(void);
/* By this thread. For MUST, and known to builds with it only. */
bool hub_is_locked(void);
/* A further id. */
event_id hub_next_id(void);

#endif
