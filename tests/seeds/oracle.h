/* oracle: what was published, and what of it may be gone. */
#ifndef TESTS_SEEDS_ORACLE_H
#define TESTS_SEEDS_ORACLE_H

#include "hub/topic.h"

#define TOPICS 8
#define CHOICES 13
#define KEYS 3

/* The names: those under "d/" are durable, those under "m/" are not, what "v/1" is changes. */
extern const char *const topic_names[TOPICS];
/* What can be subscribed to: each name, and prefixes, which end with "*". */
extern const char *const choice_names[CHOICES];
/* Whether the choice is of the topic; of durable topics only. */
bool choice_covers(size_t choice, size_t topic);
bool choice_is_durable(size_t choice);

/* Prints what is wrong, and ends the process with 1. */
_Noreturn void oracle_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* What the messages begin with. */
extern uint32_t oracle_seed, oracle_step;

enum event_state {
    EVENT_PENDING,  /* it has an id, and nobody may see it yet */
    EVENT_THERE,    /* whoever reads on must get it, or be told */
    EVENT_FAILED,   /* nobody ever gets it, */
    EVENT_DOUBTFUL, /* ... until the restart, after which it may be there */
    EVENT_NOWHERE,  /* it went with a server that had no store */
};

/* Of a topic; its end is one as well, which nobody gets as such. */
struct event {
    event_id id; /* 0: its publisher waits for those that read slowly */
    uint8_t topic, state;
    int8_t key; /* -1: none */
    bool durable;
    bool ends;       /* it is an end: nothing follows, */
    bool over;       /* ... until the topic was opened again, */
    event_id opened; /* ... by this event; 0: it was forgotten; */
    unsigned last;   /* ... and this is the event that came with it, 0: none */
    bool superseded; /* a newer one has the same key */
    bool may_go;     /* its topic need not keep it any more, or cannot */
    unsigned eraser; /* the first event that took its place; 0: none has */
    bool alone;      /* when it came its topic may have had no other, and so been a new one */
    bool perhaps;    /* it failed, or was committed and trimmed: the disk does not have it */
    uint64_t born_ms;
    uint64_t order; /* in which they were there; 0: not yet */
    uint32_t size;  /* of its text */
};

/* --- what is published --- */

/* Of the event that is about to be published: its number. */
unsigned oracle_add(size_t topic, int key, uint32_t size);
/* The same of an end, which comes with the event `last`, or with none. */
unsigned oracle_add_end(size_t topic, unsigned last);
/* It has its id; `durable`: it will be there later. */
void oracle_given(unsigned number, event_id id, bool durable);
/* ... now, or never: an error. `stopped`: a sync has failed. */
void oracle_done(unsigned number, int error, bool stopped);
/* Once it is there, what its topic had before is gone. */
void oracle_alone(unsigned number);
const struct event *oracle_event(unsigned number);
/* So many events have been there so far. */
uint64_t oracle_there(void);
/* Every worker has been told of so many of them. */
uint64_t oracle_told(void);
void oracle_known(uint64_t there);
/* It was refused, for the topic is closed. `since`: it has waited since this was the newest id;
 * EVENT_ID_NONE: it has not. */
void oracle_refused(size_t topic, event_id since);

/* --- what may be gone --- */

/* What a topic keeps from now on. */
void oracle_keep(size_t topic, struct topic_keep keep);
/* Time has passed. */
void oracle_age(void);
/* The hub is short of memory from now on, or is not. */
void oracle_is_short(bool is);
/* The server has ended: what was in memory is gone. */
void oracle_restart(void);
/* One has begun, with `start` as the first id, with a store or without. `sure`: what the one before
 * told its store has reached the disk. */
void oracle_begin(event_id start, bool data, bool sure);
/* An event was found on the disk when it began, or the end of a topic; and that was the last. */
void oracle_found(unsigned number, event_id id, size_t topic);
void oracle_found_end(event_id id, size_t topic);
void oracle_found_all(void);

/* What happened, so that one can see that it does. */
struct tally {
    uint64_t published, failed, received, gaps, lost, null_gaps;
    uint64_t ends;     /* streams that ended well; */
    uint64_t newest;   /* topics of which a client wanted the newest */
    uint64_t closed;   /* topics, */
    uint64_t durable;  /* ... of them durable ones, */
    uint64_t reopened; /* ... and later opened again; */
    uint64_t alone;    /* events that took the place of others; */
    uint64_t refused;  /* publications to closed topics, */
    uint64_t told;     /* clients that got `weir.end`, */
    uint64_t declined; /* ... that came back, and were told to stay away */
    uint64_t waited;   /* publications that waited for those with the policy block, */
    uint64_t in_vain;  /* ... as long as they would */
    uint64_t expelled; /* clients that went because of it */
};
extern struct tally tally;

#endif
