/* hub_rig: the hub with one or two workers' readers on loops that the test turns by hand, and
 * takers: subscribers without a stream, who take as many bytes as the test lets them. */
#ifndef TESTS_HUB_RIG_H
#define TESTS_HUB_RIG_H

#include "hub/hub.h"
#include "hub/publication.h"
#include "read/position.h"
#include "read/turn.h"

#define RIG_READERS 2

struct hub_rig {
    struct loop loops[RIG_READERS];
    struct reader readers[RIG_READERS];
    int count;        /* of readers */
    uint64_t memory;  /* the hub's, before */
    unsigned serial;  /* of the event published last; the first has 1 */
    event_id last;    /* its id */
    unsigned wait_ms; /* for the next publications, */
    bool only;        /* which take the place of what their topic keeps */
};

/* Freezes the clock and clears the hub. */
void hub_rig_init(struct hub_rig *rig, int readers);
/* Fails the test if a topic or its memory stays. */
void hub_rig_fini(struct hub_rig *rig);
/* Turns the loops until nothing is left to do now. */
void hub_rig_settle(struct hub_rig *rig);
/* Moves the clock, lets what is too old go, settles. */
void hub_rig_pass(struct hub_rig *rig, uint64_t ms);
/* What all topics keep. */
void hub_rig_keep(uint64_t count, uint64_t age_ms, uint64_t bytes);
/* Publishes an event whose data is its serial number, on behalf of the first reader; `key` NULL:
 * none. Returns the serial. */
unsigned hub_rig_publish(struct hub_rig *rig, const char *topic, const char *key);
/* The same several times, without a key; the serial of the last. */
unsigned hub_rig_publish_many(struct hub_rig *rig, const char *topic, int times);

struct taker {
    struct position position;
    size_t most;  /* bytes of one span */
    size_t room;  /* bytes that it still takes; SIZE_MAX: all */
    bool blocked; /* it has not taken all it was offered */
    bool over;    /* it was found to be too far behind, or a publisher waited in vain */
    struct buf got;
    struct buf gaps; /* the topics of the gaps in `got`, "": the position's own; NUL behind each */
    struct buf text; /* of taker_text */
    event_id last;   /* the newest id that taker_text has shown */
};

/* Takes all until `room` is set. */
void taker_init(struct taker *taker, struct reader *reader, enum overflow overflow,
                uint32_t events);
void taker_fini(struct taker *taker);
/* From now on; with a "*" at the end a prefix. */
void taker_add(struct taker *taker, const char *name);
/* From behind `after` on, 0: the earliest; `tell`: gaps before it, as a client that comes back. */
void taker_add_from(struct taker *taker, const char *name, event_id after, bool tell);
/* With the newest of each topic, so many. */
void taker_add_last(struct taker *taker, const char *name, uint64_t last);
void taker_remove(struct taker *taker, const char *name);
/* Reads now, whatever the reader has told. */
void taker_take(struct taker *taker);
/* It has room for all again, and is served in the next turn. */
void taker_resume(struct taker *taker, size_t room);

/* One event or gap. */
struct taken {
    event_id id;
    unsigned serial; /* 0: a gap, */
    char reason[16]; /* of this kind, */
    long long lost;  /* -1: null */
};

/* Cuts one off `*bytes`, which begin with a chunk; anything but its data and a comment fails the
 * test. False: no more. */
bool taken_next(struct str *bytes, struct taken *taken);
/* All of `got` since the last call: serial numbers, and gaps as "trimmed:3" or "expired:null".
 * Fails the test if ids do not grow. Valid until the next call. */
const char *taker_text(struct taker *taker);
#endif
