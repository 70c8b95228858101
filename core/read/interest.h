/* interest: one topic as one position sees it. */
#ifndef READ_INTEREST_H
#define READ_INTEREST_H

#include "hub/topic.h"

struct attendance;
struct position;
struct position_choice;

struct interest {
    struct position *position;
    struct topic *topic;
    struct list in_feed;     /* the feed's; unlinked: nobody tells it */
    struct list in_position; /* position->interests; unlinked: it came by a prefix */
    struct list in_news;     /* position->news: there are entries to read */
    uint64_t next;           /* ordinal of the first entry not read */
    uint64_t mark;           /* entries before it are history: they do not count as being behind */
    struct attendance *attendance; /* of its position's subject; NULL: nobody is told of it */
    event_id after;                /* entries up to it are none of its business */
    bool gap;                      /* something is missing, which is to be told first */
    bool gap_counts;               /* of that `next` is the first: so it can be counted */
    bool extra; /* the topic's crowd does not count it: a prefix of the same position
                   has the topic too, or is why it is here */
};

/* --- within core/read, under the lock --- */

void interest_init(struct interest *interest, struct position *position, struct topic *topic);
/* Unlinks it; the topic goes if nobody else wants it. */
void interest_fini(struct interest *interest);
/* It reads what comes beyond choice->after, or the newest of that. */
void interest_place(struct interest *interest, const struct position_choice *choice);
/* Something is trimmed that was to be read; for who `skips`, what is superseded was not. */
bool interest_misses(const struct interest *interest, bool skips);
/* How many that are; -1: nobody knows. */
int64_t interest_lost(const struct interest *interest);
/* What it has not read is trimmed, and the store has some of it still: that is read there, and the
 * rest is told, as if the client came back. False: it is not so. */
bool interest_fetch(struct interest *interest);
/* Nothing up to `id` is read any more. */
void interest_pass(struct interest *interest, event_id id);
/* It begins no later than there. */
void interest_begin_by(struct interest *interest, uint64_t next, uint64_t mark, event_id after);
static inline bool interest_has_news(const struct interest *interest) {
    return interest->gap || interest->next < interest->topic->next;
}
/* It came by a prefix. */
static inline bool interest_is_found(const struct interest *interest) {
    return list_empty(&interest->in_position);
}
/* Its position has something to read in the topic. */
void interest_link_news(struct interest *interest);
/* What several choices of a position cover counts once. */
void interest_set_extra(struct interest *interest, bool extra);

#endif
