/* listing: which streams the workers have, and what each of them is at. */
#ifndef EXCHANGE_LISTING_H
#define EXCHANGE_LISTING_H

#include "base/buf.h"
#include "hub/lag.h"
#include "net/conn.h"
#include "proto/event_id.h"

struct stream;

enum listing_order { LISTING_BACKLOG, LISTING_AGE, LISTING_SENT, LISTING_ID };
extern const char *const listing_orders[]; /* their names, in that order, and NULL */

/* Which are meant, and how many of them are to be shown, the largest first. */
struct listing {
    uint64_t id;         /* 0: any */
    const char *subject; /* NULL: any */
    const char *topic;   /* that they are subscribed to, maybe by a prefix; NULL: any */
    enum listing_order order;
    size_t limit;
};

#define LISTING_TOPICS 20 /* of one stream, that are named */

/* A stream, as it was. */
struct listed {
    uint64_t id;
    int64_t started;        /* wall ms */
    uint64_t age;           /* ms */
    uint64_t sent;          /* body bytes, */
    uint64_t queued;        /* of these not yet taken by the kernel */
    struct lag behind;      /* what its topics have for it beyond that */
    event_id position;      /* up to which it has read; 0: it has read nothing */
    uint32_t topics;        /* how many it is subscribed to */
    struct address address; /* the client's */
    const char *kind;       /* what it is at */
    struct str route, method, path;
    struct str subject; /* ptr NULL: nobody's */
    struct str names;   /* the first topics, each with a NUL behind it, prefixes with "*" */
};

/* What has to be sent to it yet, in bytes. */
static inline uint64_t listed_backlog(const struct listed *listed) {
    return listed->queued + listed->behind.bytes;
}

/* --- in each worker: its own streams, on its own thread --- */

/* Calls `each` for all that are meant, with a reference to each. */
void listing_each(const struct listing *listing, struct loop *loop,
                  void (*each)(void *arg, struct stream *stream), void *arg);
/* Whom its token names; of one whose task only subscribed it: whom it was subscribed for. NULL:
 * nobody. */
const char *listing_subject(const struct stream *stream);
/* Appends what rows_read is to read: those that may be among the first. Then `closing`, if not
 * NULL, is called for each of these. */
void listing_look(const struct listing *listing, struct loop *loop, struct buf *out,
                  void (*closing)(struct stream *stream));

/* --- whoever asked --- */

struct rows {
    uint64_t meant;       /* how many there are, */
    size_t count;         /* and of these the first */
    struct place *places; /* these, by their order */
};

/* Puts in order what all workers have appended, in any order. It is borrowed. */
void rows_read(struct rows *rows, const struct listing *listing, struct str found);
void rows_fini(struct rows *rows);
/* The one at that place, from 0 on. */
struct listed rows_at(const struct rows *rows, size_t i);

#endif
