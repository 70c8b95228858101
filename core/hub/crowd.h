/* crowd: who is subscribed to one name, counted over all workers. */
#ifndef HUB_CROWD_H
#define HUB_CROWD_H

#include "base/list.h"
#include "base/map.h"
#include "proto/event_id.h"

#include <stdint.h>

struct crowd { /* crowd_init first */
    uint32_t streams;
    struct map subjects; /* struct subject, with how many streams each has */
    struct list feeds;   /* of a prefix: struct crowd_feed, the workers where its subscribers are */
    /* Of a prefix, of the trims below it that the order has forgotten: the newest id trimmed that
     * nothing had superseded, */
    event_id trimmed;
    event_id superseded;  /* that a later one had, */
    uint64_t trims;       /* and the last trim's number */
    struct list blocking; /* struct blocking_choice: those that publishers wait for */
};

struct subject {
    struct map_node node;
    uint32_t streams;
    uint32_t len;
    char text[];
};

static inline event_id crowd_trimmed(const struct crowd *crowd) {
    return crowd->trimmed > crowd->superseded ? crowd->trimmed : crowd->superseded;
}
void crowd_init(struct crowd *crowd);
void crowd_fini(struct crowd *crowd);
/* One stream more or fewer; `subject` is whom its token names, ptr NULL: nobody. */
void crowd_join(struct crowd *crowd, struct str subject);
void crowd_leave(struct crowd *crowd, struct str subject);

#endif
