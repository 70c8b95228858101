/* topics: what the store remembers of each topic, by name. For the store's own files. */
#ifndef STORE_TOPICS_H
#define STORE_TOPICS_H

#include "base/list.h"
#include "base/map.h"
#include "base/str.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define TOPIC_AHEAD 16 /* of the oldest events the writer knows id and length */

struct topic_state {
    uint64_t floor;                /* events up to here are trimmed, some still in the file */
    uint64_t last;                 /* the largest id; at least the floor */
    uint64_t end;                  /* it is closed, with this id; 0: it is not */
    uint64_t oldest;               /* the smallest above the floor; 0: there is none */
    uint64_t count, bytes;         /* the events above the floor; known only when `counted` */
    uint64_t hidden, hidden_bytes; /* the events below the floor that are still in the file */
    bool counted;
};

struct kept_topic {
    struct map_node node; /* by name */
    int64_t number;       /* in the file; never given to another topic while the store is open */
    struct topic_state committed;
    /* The writer's own: */
    struct topic_state now;
    struct list touched; /* by the transaction under way */
    bool fresh;          /* made by it */
    bool gone;           /* forgotten at its end */
    struct topic_ahead *ahead;
    char name[];
};

struct topic_ahead { /* the oldest events above now.floor, from `at` to `count`; may be fewer */
    int at, count;
    uint64_t id[TOPIC_AHEAD];
    uint64_t len[TOPIC_AHEAD];
};

struct topics {
    pthread_mutex_t lock; /* over the map, `committed`, and `last_id` */
    struct map map;
    uint64_t last_id; /* the largest that was ever committed */
    uint64_t gone;    /* the largest id of topics that are not even remembered */
    size_t empty;     /* topics that have no events left */
    /* The writer's own: */
    struct list touched;
    int64_t next_number;
    uint64_t spent;    /* what last_id is at least after this transaction, though the file's topics
                          do not tell; */
    uint64_t now_gone; /* what `gone` is after it */
};

void topics_init(struct topics *topics);
void topics_fini(struct topics *topics);
/* At opening: a topic of the file. */
void topics_load(struct topics *topics, int64_t number, struct str name, uint64_t floor,
                 uint64_t oldest, uint64_t last);

/* The id up to which empty topics are to be forgotten, so that `left` of them stay, by the writer's
 * view. */
uint64_t topics_oldest_empty(struct topics *topics, size_t left);
static inline bool topic_is_spent(const struct topic_state *state) {
    return state->oldest == 0 && state->end == 0;
}

/* ... and that one is closed. */
void topics_load_end(struct topics *topics, struct str name, uint64_t end);

/* The writer's view: with what the transaction under way has done. NULL: there is none. */
struct kept_topic *topics_find(struct topics *topics, struct str name);
/* A new one, part of the transaction under way. */
struct kept_topic *topics_add(struct topics *topics, struct str name);
/* Before the first change of a topic in a transaction; again is harmless. */
void topics_touch(struct topics *topics, struct kept_topic *topic);
/* The transaction has ended: everybody sees what it did, or nothing of it was. */
void topics_commit(struct topics *topics);
void topics_rollback(struct topics *topics);

/* Everybody's view, under the lock. */
const struct kept_topic *topics_committed(struct topics *topics, struct str name);

/* Steps through all of them, `topic` NULL at first, under the lock; NULL: that was the last. */
const struct kept_topic *topics_next(struct topics *topics, const struct kept_topic *topic);

#endif
