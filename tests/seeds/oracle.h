/* oracle: what was published, what of it may be gone, and what each client must therefore have. */
#ifndef TESTS_SEEDS_ORACLE_H
#define TESTS_SEEDS_ORACLE_H

#include "hub/policy.h"
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
/* Positions keep so few topics in mind that those of a prefix may not know how much they lost. */
extern bool oracle_lapses;
/* What the messages begin with. */
extern uint32_t oracle_seed, oracle_step;

enum event_state {
    EVENT_PENDING,  /* it has an id, and nobody may see it yet */
    EVENT_THERE,    /* whoever reads on must get it, or be told */
    EVENT_FAILED,   /* nobody ever gets it, */
    EVENT_DOUBTFUL, /* ... until the restart, after which it may be there */
    EVENT_NOWHERE,  /* it went with a server that had no store */
};

struct event {
    event_id id;
    uint8_t topic, state;
    int8_t key; /* -1: none */
    bool durable;
    bool superseded; /* a newer one has the same key */
    bool may_go;     /* its topic need not keep it any more, or cannot */
    bool alone;      /* when it came its topic may have had no other, and so been a new one */
    bool perhaps;    /* it failed, or was committed and trimmed: the disk does not have it */
    uint64_t born_ms;
    uint32_t size; /* of its text */
};

/* --- what is published --- */

/* Of the event that is about to be published: its number. */
unsigned oracle_add(size_t topic, int key, uint32_t size);
/* It has its id; `durable`: it will be there later. */
void oracle_given(unsigned number, event_id id, bool durable);
/* ... now, or never: an error. `stopped`: a sync has failed. */
void oracle_done(unsigned number, int error, bool stopped);
const struct event *oracle_event(unsigned number);

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
/* An event was found on the disk when it began; and that was the last. */
void oracle_found(unsigned number, event_id id, size_t topic);
void oracle_found_all(void);

/* --- what a client has --- */

enum beginning { FROM_NOW, FROM_FIRST, FROM_LAST };

struct record {
    char name[16];
    bool chosen[CHOICES];
    size_t at[TOPICS];     /* in the topic's log: the first event not had */
    size_t silent[TOPICS]; /* what is missing before is not told: it asked for what there is */
    event_id last;         /* received; 0: none */
    enum overflow overflow;
    event_id end;    /* it was ended, with this as the newest id; 0: it was not */
    bool null_is_ok; /* it came back, or reads what is older than its stream */
    bool left;       /* it has left a topic since it came */
    bool left_blind; /* it has left what a restart may have taken something from, and may have its
                        last id from there */
    event_id from;   /* the id that it came back with; 0: none */
    /* Since all was read: */
    uint64_t skipped;    /* events that did not come, */
    uint64_t superseded; /* others that a client which conflates need not have, */
    uint64_t forgiven;   /* and others, in gaps without a number, or of topics it has left */
    uint64_t told;
    bool owed; /* a gap is due, since it went before it was told */
};

/* Chooses a topic or prefix: from now on, from the first there is, or from its last id. */
void record_choose(struct record *record, size_t choice, enum beginning how);
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

struct tally {
    uint64_t published, received, gaps, lost, null_gaps, failed, ends;
};
extern struct tally tally;

#endif
