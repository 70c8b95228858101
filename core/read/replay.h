/* replay: what a position must read from the store before it reads its topics. */
#ifndef READ_REPLAY_H
#define READ_REPLAY_H

#include "base/slab.h"
#include "hub/topic.h"
#include "net/loop.h"
#include "store/store.h"

struct position;

struct replay_entry {
    event_id id;
    uint32_t off, len; /* in the slab: a chunk, as a topic's entries are */
    uint32_t page;     /* its number in the page */
};

struct replay_topic {
    struct str name;
    event_id upto; /* beyond it the topic has its events itself; 0: its events are not wanted */
    event_id last; /* the newest up to there that the store has, or had */
};

/* Where it begins. */
struct replay_start {
    event_id after;
    bool tell;       /* what is missing beyond `after` is told as a gap */
    event_id told;   /* up to here a gap is due already */
    uint64_t newest; /* how many of the topic's newest events are wanted; 0: all */
    bool alone; /* not joined with those of the position's other topics: the topic has trimmed what
                   was not read yet, and a gap of its own stands in front */
    int64_t lost; /* alone: how many events the gap up to `told` tells, for `reason` */
    uint8_t reason;
};

struct replay {
    struct list link; /* position->replays */
    struct position *position;
    event_id after;   /* read so far */
    event_id covered; /* everything up to here is in `entries`, or was read before */
    struct replay_topic *topics;
    struct str *names;          /* the topics' names, as the page wants them */
    struct page_newest *newest; /* how many of each topic's newest events are wanted; NULL: all */
    size_t ntopics;
    struct page page;
    struct slab *slab; /* where the entries lie */
    struct replay_entry *entries;
    size_t count, at; /* entries before `at` have been read */
    bool asked;       /* a page was asked for and is not taken yet */
    bool arrived;     /* that page has been read, its mail is under way */
    bool over;        /* the last page is here */
    bool tell;        /* what is missing before the first event is told */
    bool begun;       /* the first page has come: from now on what is missing is told */
    event_id untold;  /* up to here nothing is told any more */
    bool alone;       /* it is of one topic, and tells what is missing by a gap of its own */
    event_id gap_id;  /* alone: a gap is due at this id; 0: none */
    int64_t gap_lost; /* how many events that gap tells; -1: nobody knows */
    uint8_t gap_reason;
    bool left; /* nobody waits for that page any more */
    struct mail mail;
};

/* All under the hub's lock. */

/* The topic's events from there on that are in the store only come first. */
void replay_add(struct position *position, struct topic *topic, const struct replay_start *start);
/* Whether one of the position's brings the topic's events up to `id`. */
bool replay_brings(const struct position *position, const struct topic *topic, event_id id);
/* Whether the topic is in a replay of the position already, and is better left there. */
bool replay_has(struct position *position, struct str name, const struct replay_start *start);
/* What the position has not chosen any more, of a name it has left, is not read from the store
 * either. */
void replay_leave(struct position *position, struct str name, bool prefix);
/* An entry of a topic that was left meanwhile, or for who conflates one that has been superseded
 * since. */
bool replay_skips(const struct replay *replay, uint64_t entry);
/* Has the next page read when this one is used up. False: all has been read. */
bool replay_advance(struct replay *replay);
void replay_free(struct replay *replay);
/* See piece_origin; without the lock. */
bool replay_origin(const struct replay *replay, size_t entry, struct buf *name, struct buf *key);

#endif
