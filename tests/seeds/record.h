/* record: what a client has, and must have. */
#ifndef TESTS_SEEDS_RECORD_H
#define TESTS_SEEDS_RECORD_H

#include "read/policy.h"
#include "oracle.h"

/* Positions keep so few topics in mind that those of a prefix may not know how much they lost. */
extern bool oracle_lapses;

enum beginning { FROM_NOW, FROM_FIRST, FROM_NEWEST, FROM_LAST };

struct record {
    char name[16];
    bool chosen[CHOICES];
    size_t at[TOPICS];     /* in the topic's log: the first event not had */
    size_t seen[TOPICS];   /* what was there in it when it was chosen */
    size_t silent[TOPICS]; /* what is missing before is not told: it asked for what there is */
    /* What is before need not come, but is told: it had lapsed when it left the choice of that. */
    size_t given_up[TOPICS];
    event_id last; /* received; 0: none */
    enum overflow overflow;
    uint32_t limit;  /* events, of its policy */
    event_id closed; /* `weir.end` has come, with this id; 0: it has not */
    event_id end;    /* it was ended, with this as the newest id; 0: it was not */
    bool null_is_ok; /* it came back, reads what is older than its stream, or has left a prefix
                        while it may have lapsed */
    bool left;       /* it has left a topic since it came, */
    bool left_lost;  /* ... of which it had lost something: a gap may be of that */
    bool left_blind; /* it has left what a restart may have taken something from, and may have its
                        last id from there */
    event_id from;   /* the id that it came back with; 0: none */
    /* Since all was read: */
    uint64_t skipped;    /* events that did not come, */
    uint64_t superseded; /* others that a client which conflates need not have, */
    uint64_t forgiven;   /* and others, in gaps without a number, or of topics it has left */
    uint64_t told;
    bool owed; /* a gap is due, since it went before it was told */
    /* How publishers wait for it; in the order of events: */
    uint64_t came, read; /* it was here, and had all; */
    uint64_t queued;     /* so many at most were sent, and have not come; */
    bool may_go;         /* somebody has waited for it in vain: it may be ended, */
    bool must_go;        /* ... and must be, for something was published though it was full */
};

/* A new connection. */
void record_begin(struct record *record, enum overflow overflow, uint32_t limit);
/* Chooses a topic or prefix: from now on, from the first there is, from the newest, so many of each
 * topic, or from its last id. */
void record_choose(struct record *record, size_t choice, enum beginning how, uint64_t last);
void record_leave(struct record *record, size_t choice);
/* The connection is gone; it may come back with its last id. */
void record_cut(struct record *record);
/* An event has come; a gap has: `lost` -1 is null. */
void record_event(struct record *record, unsigned number, event_id id);
void record_gap(struct record *record, const char *reason, long long lost, event_id id);
/* All is quiet: what is missing must have been told by now, and nothing else. */
void record_read_up(struct record *record);
/* Its stream has come to a good end. */
void record_end(struct record *record);
/* It was told that its topics are closed, by an event with this id. */
void record_closed(struct record *record, event_id id);
/* All is quiet, and it has read all: whether it should have come to an end. */
bool record_must_end(const struct record *record);
/* It has come back with its last id, and chosen what it had. `declined`: it was answered 204. */
void record_came_back(struct record *record, bool declined);
/* Whether a publisher to the topic may have to wait for it. */
bool record_may_hold(const struct record *record, size_t topic);
/* A publisher who would wait has gone on, when workers knew of `before` events; or has waited
 * `in_vain`. */
void record_passed(struct record *record, size_t topic, uint64_t before, bool in_vain);
/* All is quiet, and it is still there. */
void record_stays(const struct record *record);
/* The server has ended it because it reads too slowly. */
void record_slow(const struct record *record);

#endif
