/* position: a subscriber's place in the topics it has chosen. */
#ifndef HUB_POSITION_H
#define HUB_POSITION_H

#include "hub/topic.h"

struct position;
struct reader;
struct crowd_feed;

enum overflow {
    OVERFLOW_NONE,
    OVERFLOW_DISCONNECT,
    OVERFLOW_DROP_OLDEST,
    OVERFLOW_DROP_NEWEST,
    OVERFLOW_CONFLATE,
    OVERFLOW_BLOCK
};

struct position_ops {
    /* There is something to read. On the reader's loop; may read at once. */
    void (*news)(struct position *position);
    /* Too far behind, or a publisher has waited in vain: the subscriber has to go. */
    void (*overflow)(struct position *position);
};

/* One topic as one position sees it. */
struct interest {
    struct position *position;
    struct topic *topic;
    struct list in_feed;     /* the feed's; unlinked: it came by a prefix */
    struct list in_position; /* position->interests */
    struct list in_news;     /* position->news: there are entries to read */
    uint64_t next;           /* ordinal of the first entry not read */
    uint64_t mark;           /* entries before it are history: they do not count as being behind */
    event_id after;          /* entries up to it are none of its business */
    bool gap;                /* what is before `next` was not delivered: to be told first */
    bool extra;              /* a prefix of the same position has the topic too */
};

struct position_limit {
    uint32_t events; /* UINT32_MAX: none */
    uint32_t bytes;
};

struct position {
    const struct position_ops *ops;
    struct reader *reader;
    struct list in_queue; /* the reader's: to be served, or held back by the horizon */
    struct list interests;
    struct list prefixes; /* struct prefix_interest */
    struct list news;
    struct list replays;  /* struct replay: what is in the store only comes first */
    struct map *found;    /* topics with news that came by a prefix; NULL: no prefix */
    struct interest only; /* the first topic; most positions have just one */
    event_id known;       /* all its news up to here are registered */
    event_id fence;       /* drop_newest: nothing beyond it is read; 0: none */
    event_id dropped_id;  /* by its policy all up to here was dropped, not told yet; 0: nothing */
    uint64_t dropped;     /* how many, */
    bool dropped_more;    /* and others, nobody knows how many */
    event_id gap_id;      /* a gap that is nobody's in particular, due at this id; 0: none, */
    uint8_t gap_reason;   /* and its reason */
    char *subject;        /* whom the token names; NULL: nobody */
    struct position_limit limit;
    uint8_t overflow; /* enum overflow */
    bool is_stream;   /* counts as one */
    bool resumed;     /* it goes on where the client left */
    /* The policy block, under the hub's lock: */
    struct list in_blocking;          /* hub.blocking, or reader->expelled */
    uint64_t owed_events, owed_bytes; /* appended since it was up to date */
};

/* --- choosing topics --- */

struct position_choice {
    struct str name;
    bool prefix;
    bool from_id;        /* from `after` on instead of from now on, */
    event_id after;      /* 0: from the earliest kept; one not given yet: from now on, */
    bool tell;           /* and a gap is told if that is not all there was */
    event_id not_before; /* nothing below this id is delivered; 0: no such limit */
};

void position_init(struct position *position, struct reader *reader,
                   const struct position_ops *ops);
void position_fini(struct position *position);
/* Both before the first topic. `subject`: ptr NULL: nobody; copied. */
void position_set_policy(struct position *position, enum overflow overflow,
                         struct position_limit limit);
void position_set_subject(struct position *position, struct str subject);
/* Adds a topic or prefix; a second time changes nothing. */
void position_add(struct position *position, const struct position_choice *choice);
/* False: it was not there. */
bool position_remove(struct position *position, struct str name, bool prefix);
/* Calls `each` with every name chosen. */
void position_names(struct position *position,
                    void (*each)(void *arg, struct str name, bool prefix), void *arg);

/* Whether it has to be read until nothing comes, even if all there was has been sent: that settles
 * what a policy owes, and forgets topics that came by a prefix. */
bool position_reads_on(const struct position *position);

/* --- within core/hub --- */

struct feed;
struct prefix_interest;

/* Something is missing for it that no topic can tell; under the lock. */
void position_note_gap(struct position *position, enum gap_reason reason, event_id id);
/* Whether it has just one topic, `only`. */
bool position_is_single(const struct position *position);
/* Unlinks the interest from the news if it has nothing more to read, and frees it if it came by a
 * prefix. Under the lock. */
void position_read_up(struct interest *interest);
/* The interest's topic has news. */
void position_tell(struct interest *interest);
/* The same of a topic that came by a prefix; under the lock. */
void position_tell_prefix(const struct prefix_interest *prefix, struct feed *feed);
/* The policy block, under the lock: an entry was appended; whether one more is too much. */
void position_owe(struct position *position, const struct topic *topic, uint64_t bytes);
bool position_holds_up(const struct position *position, const struct topic *topic);

#endif
