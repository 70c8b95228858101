/* position: a subscriber's place in the topics it has chosen. */
#ifndef READ_POSITION_H
#define READ_POSITION_H

#include "hub/reader.h"
#include "read/interest.h"
#include "read/policy.h"

struct blocking;

/* Of prefixes; see found.c and lapse.c. */
struct in_mind {
    struct map found;    /* topics with news that came by a prefix */
    struct map prefixes; /* struct prefix_interest, by name */
    event_id listed;  /* lapsed: up to here its topics' news are in `found`; EVENT_ID_NONE: not */
    event_id missing; /* lapsed: the first event beyond `listed` that was trimmed; 0: none */
    uint64_t trims;   /* lapsed: up to here hub.trims was looked through for `missing` */
};

struct position_ops {
    /* There is something to read. On the reader's loop; may read at once. */
    void (*news)(struct position *position);
    /* Too far behind, or a publisher has waited in vain: the subscriber has to go. */
    void (*overflow)(struct position *position);
};

struct position {
    const struct position_ops *ops;
    struct reader *reader;
    struct list in_queue;  /* the reader's: to be served, or held back by the horizon */
    struct list interests; /* topics chosen by name */
    struct list prefixes;  /* struct prefix_interest */
    struct list news;      /* interests with something to read; not of a single one */
    struct list replays;   /* struct replay: what is in the store only comes first */
    struct in_mind *mind;  /* see found.h; NULL: it has never chosen a prefix */
    struct interest only;  /* the first topic chosen by name; most positions have no other */
    struct map *named;     /* the other topics chosen by name, see named.c; NULL: none */
    uint32_t chosen;       /* how many topics and prefixes */
    event_id known;        /* all its news up to here are registered */
    event_id end;          /* it ends: nothing beyond is for it; 0: it goes on */
    event_id told;         /* the largest id that it has read, or that its client came with */
    event_id gap_id;       /* a gap of no topic in particular is due at this id; 0: none */
    int64_t gap_lost;      /* how many events that gap tells; -1: nobody knows */
    uint8_t gap_reason;    /* enum gap_reason of that gap */
    bool gap_came_back;    /* some of that gap was lost before the client came back */
    bool is_stream;        /* it belongs to a stream, and counts in topics' presence */
    bool nameless;         /* is told gaps and its end as events without a name, see span.c */
    bool resumed;          /* it goes on where the client left */
    bool resting;          /* it does not read, and is not told of what it has chosen by name */
    char *subject;         /* whom the token names; NULL: nobody */
    struct policy policy;
    struct blocking *blocking; /* publishers wait for it; NULL: they do not */
};

/* --- choosing topics --- */

struct position_choice {
    struct str name;
    bool prefix;
    bool from_id;        /* reading begins behind `after`, else now */
    event_id after;      /* 0: before the earliest that is kept; an id not given yet: now */
    bool tell;           /* what is missing beyond `after` is told as a gap */
    uint64_t last;       /* how many of each topic's newest events are wanted; 0: all */
    event_id not_before; /* nothing below this id is delivered; 0: no such limit */
};

void position_init(struct position *position, struct reader *reader,
                   const struct position_ops *ops);
void position_fini(struct position *position);
/* Before the first topic; ptr NULL: nobody; copied. */
void position_set_subject(struct position *position, struct str subject);
/* Adds a topic or prefix; a second time changes nothing. */
void position_add(struct position *position, const struct position_choice *choice);
/* The same of several; choice->name is not looked at. */
void position_add_all(struct position *position, const struct position_choice *choice,
                      const struct str *names, size_t n);
/* Whether it has chosen just that. */
bool position_has(const struct position *position, struct str name, bool prefix);
/* False: it was not there. */
bool position_remove(struct position *position, struct str name, bool prefix);
/* Calls `each` with every name chosen. */
void position_names(struct position *position,
                    void (*each)(void *arg, struct str name, bool prefix), void *arg);

/* It ends with what has been published by now: what comes later is not for it, and no publisher
 * waits for it. Once all of that has been read a span says that it has `ended`. */
void position_end(struct position *position);
/* All its topics are closed, the last of them with this id; 0: they are not. Who chose a prefix has
 * always topics that are still to come. Under the lock. */
event_id position_closed(const struct position *position);
/* It has come back from where that was told: there is nothing to be had any more. */
bool position_is_done(const struct position *position);
/* It is told of its news in this turn or the next. */
void position_serve(struct position *position);
/* There is news and the subscriber cannot take it: no more is told until it is read again, but for
 * the topics of a prefix, each once. */
void position_rest(struct position *position);
/* The newest id now, and whether all up to such a one has been read. If not, the position is served
 * again when that may have changed. */
event_id position_newest(void);
bool position_has_read(struct position *position, event_id upto);
/* Registers what feeds have yet to tell it, for who does not wait until they do: then it reads what
 * has been published by now. False: there is nothing of the kind. */
bool position_look(struct position *position);
/* Whether it has to be read until nothing comes, even if all there was has been sent: that settles
 * what a policy owes, and forgets topics that came by a prefix. */
bool position_reads_on(const struct position *position);

/* --- within core/read, under the lock but for position_tell --- */

/* It is served again when the reader has been woken, or has not looked for what is visible: what it
 * could read next is not settled. */
void position_hold(struct position *position);
/* It reads again. */
void position_wake(struct position *position);
/* The interest's topic has news. */
void position_tell(struct interest *interest);
/* All that comes before its end has been told: what is told now is not for it. */
bool position_is_past_end(const struct position *position);
/* Something is missing for it that no topic can tell; `lost` -1: nobody knows how many. */
void position_note_gap(struct position *position, enum gap_reason reason, event_id id,
                       int64_t lost);
/* How many that gap says: what several topics have lost while the client was away is not told as a
 * number, since who breaks off in between has had some of it. */
int64_t position_gap_lost(const struct position *position);
/* Registers those of its named topics where there is something to read. */
void position_link_named(struct position *position);
/* Chosen by name or by a prefix. */
bool position_covers(const struct position *position, const struct topic *topic);
/* It joins, or leaves, those that are counted. */
void position_count(const struct position *position, struct crowd *crowd, bool in);
/* See lapse.c. */
static inline event_id position_listed(const struct position *position) {
    return position->mind ? position->mind->listed : EVENT_ID_NONE;
}
static inline bool position_is_lapsed(const struct position *position) {
    return position_listed(position) != EVENT_ID_NONE;
}
/* It has chosen one topic, by its name, and nothing else. */
static inline bool position_has_one(const struct position *position) {
    return position->interests.next == &position->only.in_position &&
           position->only.in_position.next == &position->interests &&
           list_empty(&position->prefixes);
}
/* The same, and that topic, `only`, is all that it reads. */
static inline bool position_is_single(const struct position *position) {
    return position_has_one(position) && list_empty(&position->replays);
}

#endif
