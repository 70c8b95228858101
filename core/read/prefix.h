/* prefix: a position's choice of all topics that begin so. */
#ifndef READ_PREFIX_H
#define READ_PREFIX_H

#include "base/map.h"
#include "hub/reader.h"

#include <stdbool.h>

struct interest;
struct position;
struct position_choice;

struct prefix_interest {
    struct position *position;
    struct crowd_feed *feed;
    struct hearer hearer; /* in one of the feed's lists */
    struct list in_position;
    struct map_node node;    /* position->mind->prefixes */
    const struct name *name; /* its address is the key there */
    event_id
        after; /* reading begins behind it: what is below was read, or is none of its business */
    event_id mark;      /* what is in memory up to here is history */
    event_id committed; /* what is durable is history up to here, where the store had committed */
    uint64_t last;      /* how many of each topic's newest events are wanted; 0: all */
    uint64_t trims;     /* hub.trims when it was chosen */
    bool tells;         /* what had been trimmed before it was chosen is told */
    bool extra; /* its crowd does not count it: another prefix of the same position begins it */
};

/* --- within core/read, under the lock --- */

/* Of position->prefixes. */
static inline struct prefix_interest *prefix_of(struct list *node) {
    return CONTAINER_OF(node, struct prefix_interest, in_position);
}
/* NULL: the position has not chosen it. */
struct prefix_interest *prefix_get(const struct position *position, const struct name *name);
/* Reading begins behind choice->after. It does not count before prefix_count. */
void prefix_add(struct position *position, const struct position_choice *choice);
/* False: it was not there. */
bool prefix_remove(struct position *position, struct str text);
/* All of them, and the topics that came by them; those chosen by name have gone before. */
void prefix_remove_all(struct position *position);
/* Whether the position has chosen a prefix of the topic's name. */
bool prefix_covers(const struct position *position, const struct topic *topic);
/* Whether the topic's name begins so. */
bool prefix_is_of(const struct prefix_interest *prefix, const struct topic *topic);
/* Up to where the topic's events are history: what was being committed is none. */
event_id prefix_mark(const struct prefix_interest *prefix, const struct topic *topic);
/* Those that feeds tell, or do not, have changed with the position. */
void prefix_file(struct position *position);
/* The feed's topic has news. */
void prefix_tell(const struct prefix_interest *prefix, struct feed *feed);

/* What has come of the topic by a prefix and is not read, or will come, comes by name from now on.
 */
void prefix_bequeath(struct interest *named);
/* The other way round. */
void prefix_inherit(const struct interest *named);
/* Finds the topics of which feeds have yet to tell it. */
void prefix_look(struct position *position);
/* The same, and what is being committed, before one of its choices is left by which that would have
 * come. */
void prefix_register(struct position *position);
/* Of a topic that came by a prefix all has been read: frees the interest as soon as that may be. */
void prefix_read_up(struct interest *found);
/* What is being committed of the topic is for it, and for no other. */
bool prefix_awaits(const struct interest *found);

/* --- without the lock --- */

/* Prefixes were added: what several choices of the position cover counts once, in the crowd of the
 * shortest. */
void prefix_count(struct position *position);

#endif
