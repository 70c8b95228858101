/* hub: all topics of the process, and the order of their events. */
#ifndef HUB_HUB_H
#define HUB_HUB_H

#include "hub/name.h"
#include "hub/topic.h"
#include "net/loop.h"

#include <pthread.h>
#include <stdbool.h>

struct reader;
struct store;

/* --- what topics keep --- */

struct topic_rule {
    struct str pattern; /* a name, or a prefix and "*" */
    struct topic_keep keep;
    bool durable;
    struct str presence; /* the topic where its subscribers' coming and going is told, "*" for what
                            the pattern's own stood for; ptr NULL: nowhere */
    uint64_t linger_ms;  /* how long somebody may be away */
};

#define TOPIC_COUNT 1000
#define TOPIC_AGE_MS 3600000
#define TOPIC_BYTES (1024 * 1024)

/* Replaces the rules that `owner` has given before; copied. Of all owners' rules the one with the
 * longest pattern holds for a topic. */
void hub_set_rules(const char *owner, const struct topic_rule *rules, size_t n);
/* Adds to them; one of the same pattern takes the older one's place. */
void hub_add_rules(const char *owner, const struct topic_rule *rules, size_t n);
/* Whether it has given any. */
bool hub_has_rules(const char *owner);
/* Whether events of the topic outlive the process; costs nothing where no rule says so. */
bool hub_is_durable(struct str name);
/* What all topics may take together, bytes. */
void hub_set_memory(uint64_t bytes);

/* Events of durable topics go there, and come from there. Before the first topic. */
void hub_use_store(struct store *store);

/* --- seeing inside --- */

struct hub_counters {
    uint64_t topics, subscribers, published, memory;
    uint64_t delivered, gaps, lost, dropped, disconnected; /* sums over all readers */
    uint64_t utf8_replaced;                                /* in events published */
    uint64_t visits; /* to positions, to tell, serve or count them: what readers cost */
};

#define HUB_COUNTERS (sizeof(struct hub_counters) / sizeof(uint64_t))
void hub_totals(struct hub_counters *totals);
/* So many bytes of an event about to be published were no UTF-8. */
void hub_count_replaced(uint64_t n);

/* Trims what has become too old; for readers, about once a second. False: no topic is left. */
bool hub_tick(void);

/* For tests: forgets the topics without subscribers, and the rules. */
void hub_clear(void);

/* --- for core/hub and core/read: everything below needs the lock --- */

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
    struct hub_counters retired; /* sums of the readers that are gone */
};

extern struct hub hub;

void hub_lock(void);
void hub_unlock(void);
/* By this thread. For MUST, and known to builds with it only. */
bool hub_is_locked(void);
/* The topic of that name, made if need be. */
struct topic *hub_topic(struct str name);
/* Frees it if nobody refers to it and it keeps nothing. */
void hub_release_topic(struct topic *topic);
/* A further one. */
event_id hub_next_id(void);
/* An entry was appended, or the topic closed: watches its age and the memory of all. */
void hub_appended(struct topic *topic);
/* Where the coming and going of a topic's subscribers is told. */
struct presence_rule {
    char target[NAME_MAX_BYTES];
    size_t target_len;
    uint64_t linger_ms;
};
/* False: nowhere. */
bool hub_presence_rule(const struct topic *topic, struct presence_rule *out);
/* Keeps what a reader has counted that goes. */
void hub_retire(const struct hub_counters *counters);
/* Up to here events of the topic may be nowhere, neither in memory nor in the store: who has read
 * up to `after` only has missed something, for that reason. */
event_id hub_floor(const struct topic *topic, event_id after, uint8_t *reason);
/* For a prefix: the newest id that a topic below it may have had which is gone since. Resuming
 * below that id is told as a gap. */
event_id hub_floor_below(struct str prefix, event_id after, uint8_t *reason);
/* Nothing comes any more: it is closed, from this id on. */
void hub_ended(struct topic *topic, event_id id);
/* The store has committed an event of it. */
void hub_stored(struct topic *topic, event_id id);
/* The topic has been read just now. */
void hub_topic_read(struct topic *topic);

#endif
