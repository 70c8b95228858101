/* reader: one worker's part of the hub. */
#ifndef HUB_READER_H
#define HUB_READER_H

#include "base/counter.h"
#include "hub/lag.h"
#include "hub/lock.h"
#include "net/loop.h"

struct span;

/* A topic as one worker is told of it. */
struct feed {
    struct topic *topic;
    struct reader *reader;
    struct list in_topic;  /* topic->feeds */
    struct list in_reader; /* reader->dirty or ->batch: there is news; unlinked: none */
    struct list interests; /* this worker's interests in the topic by name */
    uint64_t seen;         /* ordinal: positions have been told of all entries before it */
    uint64_t from;         /* what `seen` was before the batch */
    event_id first_id;     /* the id of the first event of the news, even if it is trimmed by now */
};

/* A prefix as one worker is told of it. */
struct crowd_feed {
    struct crowd *crowd;
    struct name *name;
    struct reader *reader;
    struct list in_crowd;  /* crowd->feeds */
    struct list interests; /* struct hearer: told of each event */
    struct list resting;   /* struct hearer: told once of each topic, the newest last */
    struct list lapsed;    /* struct hearer: told of nothing */
};

/* Who has chosen it. */
struct hearer {
    struct list in_feed;
    event_id rested; /* the newest id when it began to rest */
};

struct reader {
    struct loop *loop;
    struct list all;        /* hub.readers */
    struct list dirty;      /* feeds with news; under the hub's lock, as are the next four */
    struct list expelled;   /* struct blocking: publishers have waited for it in vain */
    bool woken;             /* the mail is under way, or the chore due */
    bool holding;           /* a position waits for what is not visible yet */
    uint32_t outstanding;   /* publications and fetches that will be done later */
    struct list completed;  /* publications whose publishers are to be told */
    struct mail completion; /* has them told */
    struct chore turn_end;  /* what was published to durable topics goes to the store */
    struct mail mail;
    struct chore chore;  /* its turn, see read/turn.c, whose is the rest */
    struct list batch;   /* feeds whose news are being told */
    struct feed *told;   /* the feed of the batch that is being told; NULL: none */
    struct lag news;     /* how much the news of `told` are */
    struct list to_tell; /* interests of `told` that have not been told yet */
    struct list ready;   /* positions to be served */
    struct list held;    /* positions that wait for the horizon */
    event_id settled;    /* news up to this id have been told to all positions here */
    event_id candidate;  /* becomes settled when the batch now being told is through */
    struct span *span;   /* the span read last */
    struct timer tick;
    struct hub_counters counters; /* see base/counter */
};

/* There are topics: their age is looked at from time to time. */
void reader_keep_time(struct reader *reader);

/* --- for core/hub and core/read, under the lock --- */

/* From any thread: `self` is the caller's own reader, NULL: none. */
void reader_wake(struct reader *reader, struct reader *self);
struct feed *reader_feed(struct reader *reader, struct topic *topic);
/* Frees it if no position of this worker names the topic, and it has nothing to tell. */
void feed_release(struct feed *feed);
void feed_free(struct feed *feed);
/* An entry with that id is about to be appended: tells every feed of the topic. */
void reader_tell(struct topic *topic, event_id id, struct reader *self);
/* Of the worker, NULL: of any, the feed that has yet to tell what came to the topic; NULL: none. */
struct feed *reader_untold(const struct reader *reader, const struct topic *topic);
struct crowd_feed *reader_crowd_feed(struct reader *reader, struct name *name);
void crowd_feed_release(struct crowd_feed *feed);
/* Whether who rests has been told of the topic, or will be, for what came before `ordinal`. */
bool hearer_knows(const struct hearer *resting, const struct topic *topic, uint64_t ordinal);

#endif
